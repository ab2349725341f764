"""`[redaction]`: the key of placeholders, a secret like every other."""

from pathlib import Path

import pytest

from policyd.deploy.read import read_deployment

SMALL = """
policy = "p.policy"
[identity]
kind = "loopback"
team = "search"
[targets.local]
url = "http://127.0.0.1:1"
dialects = ["openai"]
[redaction]
"""
LONG = "a key that has thirty-two letters"


def codes(folder: Path, line: str) -> list[str]:
    (folder / "key").write_text(LONG + "\n")
    (folder / "short").write_text(LONG[:31])
    path = folder / "policyd.toml"
    path.write_text(SMALL + line)
    loaded = read_deployment(path, {"KEY": LONG})
    if not loaded.diagnostics:
        assert loaded.deployment is not None
        assert loaded.deployment.redaction_key is not None
        assert loaded.deployment.redaction_key.value == LONG
        assert LONG not in repr(loaded.deployment)
    return [d.code for d in loaded.diagnostics]


@pytest.mark.parametrize("line", ['key = { env = "KEY" }', 'key = { file = "key" }'])
def test_the_key_is_read_from_where_it_is(tmp_path: Path, line: str) -> None:
    assert codes(tmp_path, line) == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (f'key = "{LONG}"', "PD506"),
        ('key = { env = "NONE" }', "PD507"),
        ('key = { file = "none" }', "PD507"),
        ('key = { file = "short" }', "PD505"),
        ('key = { env = "KEY", style = "bearer" }', "PD505"),
        ('keys = "x"', "PD503"),
    ],
)
def test_a_key_that_cannot_be_used_is_told(tmp_path: Path, line: str, code: str) -> None:
    assert codes(tmp_path, line) == [code]
