"""What cannot change while policyd runs is told by its key, with what it was and would be, and without a secret."""

from pathlib import Path

from policyd.deploy.read import read_deployment
from policyd.deploy.restart import needs_restart

BASE = """\
policy = "x.policy"
[identity]
kind = "loopback"
[targets.gpu]
url = "http://127.0.0.1:8000"
dialects = ["openai"]
[telemetry]
"""


def told(folder: Path, before: str, after: str) -> list[tuple[str, str]]:
    path = folder / "policyd.toml"
    environ = {"ONE": "secret-one", "TWO": "secret-two"}
    path.write_text(BASE + before)
    serving = read_deployment(path, environ).deployment
    path.write_text(BASE + after)
    loaded = read_deployment(path, environ)
    assert serving is not None and loaded.deployment is not None, loaded.diagnostics
    found = needs_restart(serving, loaded.deployment, loaded.author)
    return [(d.message.removeprefix("restart needed: "), d.span.text if d.span else "") for d in found]


def test_each_key_of_telemetry_is_named(tmp_path: Path) -> None:
    before = 'endpoint = "http://localhost:4318"\n'
    after = 'endpoint = "https://otel.example/in"\ninterval = "10s"\n'
    assert told(tmp_path, before, before) == []
    assert told(tmp_path, before, after) == [
        (
            "`telemetry.endpoint` cannot change while policyd runs, from `http://localhost:4318` to `https://otel.example/in`",
            "endpoint",
        ),
        ("`telemetry.interval` cannot change while policyd runs, from 30.0 to 10.0", "interval"),
    ]


def test_a_header_of_the_collector_is_named_without_its_value(tmp_path: Path) -> None:
    one = 'endpoint = "http://localhost:4318"\nheaders = { x-key = { env = "ONE" } }\n'
    assert told(tmp_path, one, one.replace("ONE", "TWO")) == [
        ("`telemetry.headers` cannot change while policyd runs", "headers")
    ]
