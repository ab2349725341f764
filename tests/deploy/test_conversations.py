"""`[conversations]`: what it means, what cannot go together, and where it connects to."""

from pathlib import Path
from typing import Any

import pytest

from policyd.deploy.bindings import check_bindings
from policyd.deploy.egress import egress_of
from policyd.deploy.model import Conversations, Deployment
from policyd.deploy.read import Loaded, read_deployment
from policyd.deploy.restart import needs_restart
from policyd.resolve.load import load

HEAD = """
policy = "x.policy"
[identity]
kind = "loopback"
team = "search"
[targets.gpu]
url = "http://127.0.0.1:8000"
dialects = ["openai"]
[conversations]
"""
LONG = "0123456789abcdef0123456789abcdef"
ENVIRON = {"SECRET": LONG, "SHORT": "abc", "PASSWORD": "pw"}
WITH = 'secret = { env = "SECRET" }\n'
REMOTE = 'redis = "rediss://redis.internal"\n'


def read(folder: Path, text: str) -> Loaded:
    path = folder / "policyd.toml"
    path.write_text(HEAD + text)
    return read_deployment(path, ENVIRON)


def meant(folder: Path, text: str) -> Deployment:
    loaded = read(folder, text)
    assert loaded.deployment is not None, loaded.diagnostics
    return loaded.deployment


def test_what_is_not_said_is_remembered_in_this_process(tmp_path: Path) -> None:
    assert meant(tmp_path, "").conversations == Conversations()


def test_a_redis_with_everything(tmp_path: Path) -> None:
    text = 'redis = "rediss://redis.internal:6380/3"\nusername = "u"\npassword = { env = "PASSWORD" }\nwait = "2s"\nentries = 5000\ntimeout = "100ms"\n'
    found = meant(tmp_path, text + WITH).conversations
    assert (found.entries, found.wait) == (5000, 2.0)
    assert found.secret is not None and found.secret.value == LONG
    shared = found.shared
    assert shared is not None and shared.password is not None
    assert (shared.endpoint.scheme, shared.endpoint.host, shared.endpoint.port) == (
        "https", "redis.internal", 6380,
    )  # fmt: skip
    assert (shared.database, shared.username, shared.password.value, shared.timeout) == (3, "u", "pw", 0.1)
    assert LONG not in repr(found) and "pw" not in repr(shared.password)


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port"),
    [
        ("redis://127.0.0.1", "http", "127.0.0.1", 6379),
        ("redis://localhost:7000/", "http", "localhost", 7000),
        ("rediss://r", "https", "r", 6379),
        ("unix:/run/redis.sock", "unix", "/run/redis.sock", 0),
    ],
)
def test_places(tmp_path: Path, url: str, scheme: str, host: str, port: int) -> None:
    shared = meant(tmp_path, f'redis = "{url}"\n' + WITH).conversations.shared
    assert shared is not None
    assert (shared.endpoint.scheme, shared.endpoint.host, shared.endpoint.port) == (scheme, host, port)


MISTAKES = {
    "a Redis without a secret": (REMOTE, ["PD560"]),
    "a secret that can be guessed": ('secret = { env = "SHORT" }\n', ["PD560"]),
    "a Redis on the way to which anybody stands": ('redis = "redis://10.0.0.1"\n' + WITH, ["PD562"]),
    "a password of nobody": ('password = { env = "PASSWORD" }\n', ["PD563"]),
    "an authority where there is no TLS": ('redis = "redis://127.0.0.1"\nca = "no.pem"\n' + WITH, ["PD505"]),
    "a password in the URL": ('redis = "rediss://u:p@r"\n' + WITH, ["PD506"]),
    "a secret in the file": (REMOTE + f'secret = "{LONG}"\n', ["PD506"]),
    "a database that is none": ('redis = "rediss://r/x"\n' + WITH, ["PD508"]),
    "a query": ('redis = "rediss://r/0?ssl_cert_reqs=none"\n' + WITH, ["PD508"]),
    "another scheme": ('redis = "https://r"\n' + WITH, ["PD508"]),
    "a secret that is not there": (REMOTE + 'secret = { env = "NOWHERE" }\n', ["PD507"]),
    "too few": ("entries = 10\n", ["PD505"]),
    "a misspelt key": ("entires = 5000\n", ["PD503"]),
}


@pytest.mark.parametrize(("text", "codes"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes(tmp_path: Path, text: str, codes: list[str]) -> None:
    loaded = read(tmp_path, text)
    assert loaded.deployment is None
    assert [d.code for d in loaded.diagnostics] == codes
    assert LONG not in repr(loaded.diagnostics)


def test_a_library_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policyd.deploy.conversations_file.find_spec", lambda _: None)
    (found,) = read(tmp_path, REMOTE + WITH).diagnostics
    assert (found.code, found.help) == (
        "PD561",
        "install it with `pip install 'policyd[redis]'`, or remove the key",
    )


def test_a_table_that_no_level_asks_for(tmp_path: Path) -> None:
    policy = tmp_path / "x.policy"

    def codes(line: str) -> list[str]:
        policy.write_text(
            "edition 1\nlevel s { low < high }\nstring team from identity unknown reject\nclassify s { starts at low "
            f'{line} at least high when opaque }}\ntarget gpu {{ location on_prem context 64k speaks chat }}\nroute all to gpu\notherwise reject "no"\n'
        )
        program = load(policy).program
        assert program is not None
        return [d.code for d in check_bindings(program, loaded.deployment, loaded.author)]

    loaded: Any = read(tmp_path, "entries = 5000\n")
    assert codes("") == ["PD564"]
    assert codes("at least conversation") == []
    loaded = read(tmp_path, "")
    assert codes("") == codes("at least conversation") == []


def test_it_cannot_change_while_policyd_runs(tmp_path: Path) -> None:
    before, after = meant(tmp_path, ""), meant(tmp_path, "entries = 5000\n")
    assert [d.code for d in needs_restart(before, after, None)] == ["PD511"]
    assert not list(needs_restart(after, after, None))


def test_the_redis_is_in_the_list_of_where_it_connects_to(tmp_path: Path) -> None:
    exits = egress_of(meant(tmp_path, REMOTE + WITH), frozenset({"gpu"})).outside
    assert [(e.host, e.port, e.used_for) for e in exits] == [("redis.internal", 6379, ("conversations",))]
    sockets = egress_of(meant(tmp_path, 'redis = "unix:/run/r"\n' + WITH), frozenset({"gpu"})).sockets
    assert sockets == (("/run/r", ("conversations",)),)
