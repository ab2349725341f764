"""`policyd.toml` read: what a right one means, and every mistake with its code and the very text it points at."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from policyd.deploy.keys import hash_key
from policyd.deploy.model import AddressRule, BoundTarget, Credential, Endpoint, Secret, Timeouts
from policyd.deploy.read import Loaded, read_deployment
from policyd.proxy.gate import Gate, Reason, Refused, Serving, Ticket
from policyd.text.codes import CODES
from policyd.text.diagnostic import Severity

KEY = "a" * 64
CERTS = Path(__file__).parents[1] / "upstream" / "certs"
SMALL = """\
policy = "x.policy"
[identity]
kind = "loopback"
team = "search"
[targets.gpu]
url = "http://127.0.0.1:8000"
dialects = ["openai"]
"""


def read(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Loaded:
    path = folder / "policyd.toml"
    path.write_text(text, encoding="utf-8")
    return read_deployment(path, environ or {})


def pointed_at(loaded: Loaded) -> list[tuple[str, str]]:
    assert loaded.deployment is None
    return [(d.code, d.span.text if d.span else "") for d in loaded.diagnostics]


def test_the_smallest_file(tmp_path: Path) -> None:
    loaded = read(tmp_path, SMALL)
    assert loaded.diagnostics == ()
    deployment = loaded.deployment
    assert deployment is not None
    assert deployment.policy == str(tmp_path / "x.policy")
    assert (deployment.listen.address, deployment.admin.port) == ("127.0.0.1", 8485)
    assert deployment.bindings[0].endpoint == Endpoint("http", "127.0.0.1", 8000)
    assert deployment.limits.body == 32 * 1024 * 1024
    assert deployment.log is None


@pytest.mark.parametrize(
    ("written", "read_as"), [("/llm", "/llm"), ("/a/b-c/", "/a/b-c"), ("", ""), ("/", "")]
)
def test_a_prefix_of_the_paths(tmp_path: Path, written: str, read_as: str) -> None:
    loaded = read(tmp_path, SMALL + f'[listen]\nprefix = "{written}"\n')
    assert loaded.deployment is not None
    assert loaded.deployment.listen.prefix == read_as


@pytest.mark.parametrize("written", ["llm", "/a//b", "/..", "/a/./b", "/a b", "/%61", "/a?b", "/ä", "/a;b"])
def test_what_is_no_plain_prefix_is_told(tmp_path: Path, written: str) -> None:
    text = f'[listen]\nprefix = "{written}"\n'
    assert pointed_at(read(tmp_path, SMALL + text)) == [("PD505", "prefix")]


def test_the_admin_side_has_no_prefix(tmp_path: Path) -> None:
    assert pointed_at(read(tmp_path, SMALL + '[admin]\nprefix = "/x"\n')) == [("PD503", "prefix")]


def test_everything_that_a_file_can_say(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-from-a-file\n")
    text = f"""\
policy = "policies/x.policy"
timezone = "UTC"
answer_reserve = 2048
on_prem_networks = ["10.1.0.0/16", "fd00::/8"]
log = {{ path = "log/decisions.jsonl" }}
[listen]
unix = "policyd.sock"
[admin]
address = "::1"
port = 9000
[features]
origin = "eu"
racks = 3
strict = true
[identity]
kind = "api-keys"
[[identity.keys]]
sha256 = "{KEY}"
team = "search"
[[identity.keys]]
sha256 = "{"B" * 64}"
team = "docs"
user = "ana"
[limits]
body = "1MiB"
header = 8192
in_flight = "64 MiB"
[targets.gpu]
url = "https://gpu.internal:8443/llm/"
dialects = ["openai", "anthropic"]
model = "qwen"
aliases = {{ fast = "qwen-small", "gpt-4.1" = "qwen" }}
connect_timeout = "500ms"
first_byte_timeout = "2m"
idle_timeout = 12.5
total_timeout = "1h"
max_connections = 8
tls = {{ ca = "{CERTS / "ca.pem"}", pin_sha256 = "{":".join(["AB"] * 32)}" }}
headers = {{ "X-Zdr" = "1" }}
[targets.claude]
url = "https://api.example.com"
dialects = ["anthropic"]
credential = {{ env = "CLAUDE_KEY", style = "x-api-key" }}
[targets.spare]
url = "unix:/run/spare.sock"
dialects = ["openai"]
credential = {{ file = "key" }}
plaintext_because = "a socket"
"""
    loaded = read(tmp_path, text, {"CLAUDE_KEY": "sk-1"})
    assert loaded.diagnostics == ()
    deployment = loaded.deployment
    assert deployment is not None
    gpu, claude, spare = deployment.bindings
    assert gpu.endpoint == Endpoint("https", "gpu.internal", 8443, "/llm")
    assert gpu.timeouts == Timeouts(0.5, 120.0, 12.5, 3600.0)
    assert gpu.tls.pins == ("ab" * 32,) and gpu.tls.ca is not None and "BEGIN CERTIFICATE" in gpu.tls.ca
    assert (gpu.model_for("fast"), gpu.model_for("gpt-4.1"), gpu.model_for("x")) == (
        "qwen-small",
        "qwen",
        "qwen",
    )
    assert gpu.models == {"qwen", "qwen-small"}
    assert gpu.headers == (("x-zdr", "1"),)
    assert claude.credential == Credential("x-api-key", Secret("environment variable CLAUDE_KEY", "sk-1"))
    assert (claude.models, claude.model_for("opus")) == (None, "opus")
    assert spare.credential == Credential("bearer", Secret("file key", "sk-from-a-file"))
    assert spare.endpoint == Endpoint("unix", "/run/spare.sock", 0)
    assert deployment.listen.path == str(tmp_path / "policyd.sock")
    assert deployment.features == (("origin", "eu"), ("racks", 3), ("strict", True))
    assert deployment.limits.in_flight == 64 * 1024 * 1024
    assert deployment.log == str(tmp_path / "log" / "decisions.jsonl")
    assert deployment.identity.by_hash() == {  # type: ignore[union-attr]
        KEY: {"team": "search"},
        "b" * 64: {"team": "docs", "user": "ana"},
    }


MISTAKES = {
    "an unknown key": (SMALL + "colour = 1", [("PD503", "colour")]),
    "an unknown table": (SMALL + "[nonsense]\nurl = 1", [("PD503", "nonsense")]),
    "a collector that is no URL": (SMALL + '[telemetry]\nendpoint = "collector:4317"', [("PD508", "endpoint")]),
    "a collector at a socket": (SMALL + '[telemetry]\nendpoint = "unix:/run/x"', [("PD508", "endpoint")]),
    "a collector's header in the file": (SMALL + '[telemetry]\nendpoint = "https://c"\nheaders = { x-key = "sk-1" }', [("PD506", "headers")]),
    "a collector's secret that is not there": (SMALL + '[telemetry]\nendpoint = "https://c"\n[telemetry.headers]\nx-key = { env = "NOPE" }', [("PD507", "x-key")]),
    "a collector's secret in the clear": (SMALL + '[telemetry]\nendpoint = "http://c"\n[telemetry.headers]\nx-key = { env = "GOOD" }', [("PD505", "telemetry")]),
    "a header that frames": (SMALL + '[telemetry]\n[telemetry.headers]\ncontent-length = { env = "GOOD" }', [("PD505", "headers")]),
    "more spans than requests": (SMALL + "[telemetry]\nsample_ratio = 1.5", [("PD505", "sample_ratio")]),
    "a resource that is a number": (SMALL + "[telemetry]\nresource = { a = 1 }", [("PD505", "resource")]),
    "a setting of a later build": (SMALL + "[headers]\ntrusted = ['x-user']", [("PD503", "headers")]),
    "no policy": (SMALL.partition("\n")[2], [("PD504", "")]),
    "a target without a URL": (SMALL.replace('url = "http://127.0.0.1:8000"\n', ""), [("PD504", "gpu")]),
    "no identity": ('policy = "x"\n[targets.a]\nurl = "http://a"\ndialects = ["openai"]', [("PD504", "")]),
    "an identity of no kind": (SMALL.replace('kind = "loopback"\n', ""), [("PD505", "identity")]),
    "an identity of a later build": (SMALL.replace('"loopback"', '"oidc"'), [("PD505", "kind")]),
    "a claim that is no string": (SMALL.replace('"search"', "7"), [("PD505", "team")]),
    "a key that is no hash": (SMALL.replace('"loopback"', '"api-keys"\nkeys = [{ sha256 = "sk-1" }]').replace('team = "search"\n', ""), [("PD505", "sha256")]),
    "no keys": (SMALL.replace('"loopback"', '"api-keys"\nkeys = []').replace('team = "search"\n', ""), [("PD505", "keys")]),
    "a key twice": (SMALL.replace('"loopback"', f'"api-keys"\nkeys = [{{ sha256 = "{KEY}" }}, {{ sha256 = "{KEY}" }}]').replace('team = "search"\n', ""), [("PD505", "sha256")]),
    "an unknown dialect": (SMALL.replace('["openai"]', '["openai", "gemini"]'), [("PD505", '"gemini"')]),
    "no dialect": (SMALL.replace('["openai"]', "[]"), [("PD505", "dialects")]),
    "a literal secret": (SMALL + 'credential = "sk-live-1"', [("PD506", "credential")]),
    "a literal secret in a table": (SMALL + 'credential = { value = "sk-live-1" }', [("PD506", "credential")]),
    "a literal secret in a URL": (SMALL.replace("http://", "http://me:pw@"), [("PD506", "url")]),
    "a secret header": (SMALL + 'headers = { authorization = "Bearer x" }', [("PD505", "headers")]),
    "a secret that is not there": (SMALL + 'credential = { env = "NOPE" }', [("PD507", "credential")]),
    "an empty secret": (SMALL + 'credential = { env = "EMPTY" }', [("PD507", "credential")]),
    "a secret of two lines": (SMALL + 'credential = { env = "LINES" }', [("PD507", "credential")]),
    "a secret file that is not there": (SMALL + 'credential = { file = "nope" }', [("PD507", "credential")]),
    "two places for a secret": (SMALL + 'credential = { env = "A", file = "b" }', [("PD505", "credential")]),
    "an unknown style": (SMALL + 'credential = { env = "GOOD", style = "basic" }', [("PD505", "credential")]),
    "another scheme": (SMALL.replace("http:", "ftp:"), [("PD508", "url")]),
    "a URL with a query": (SMALL.replace(":8000", ":8000/?key=1"), [("PD508", "url")]),
    "a URL with dots": (SMALL.replace(":8000", ":8000/../x"), [("PD508", "url")]),
    "a URL with a bad port": (SMALL.replace(":8000", ":99999"), [("PD508", "url")]),
    "a URL with a line break": (SMALL.replace(":8000", ":8000\\r\\nx"), [("PD508", "url")]),
    "the base URL of an SDK": (SMALL.replace(":8000", ":8000/v1"), [("PD545", "url")]),
    "the base URL of an SDK, with a slash": (SMALL.replace(":8000", ":8000/openai/v1/"), [("PD545", "url")]),
    "the URL of one endpoint": (SMALL.replace(":8000", ":8000/v1/chat/completions"), [("PD545", "url")]),
    "a duration without a unit": (SMALL + 'idle_timeout = "5"', [("PD505", "idle_timeout")]),
    "no time at all": (SMALL + "idle_timeout = 0", [("PD505", "idle_timeout")]),
    "no connections": (SMALL + "max_connections = 0", [("PD505", "max_connections")]),
    "TLS without https": (SMALL + f'tls = {{ pin_sha256 = "{KEY}" }}', [("PD505", "gpu")]),
    "a short pin": (SMALL + 'tls = { pin_sha256 = "ab" }', [("PD505", "pin_sha256")]),
    "a CA that is not there": (SMALL + 'tls = { ca = "nope.pem" }', [("PD505", "ca")]),
    "a network with host bits": (f'on_prem_networks = ["10.1.2.3/16"]\n{SMALL}', [("PD505", '"10.1.2.3/16"')]),
    "every address as a network": (f'on_prem_networks = ["0.0.0.0/0"]\n{SMALL}', [("PD505", '"0.0.0.0/0"')]),
    "an unknown time zone": (f'timezone = "Mars/Olympus"\n{SMALL}', [("PD505", "timezone")]),
    "a negative reserve": (f"answer_reserve = -1\n{SMALL}", [("PD505", "answer_reserve")]),
    "a feature that is a list": (SMALL + "[features]\norigin = [1]", [("PD505", "origin")]),
    "a size without a number": (SMALL + '[limits]\nbody = "big"', [("PD505", "body")]),
    "a log in two places": (SMALL + '[log]\npath = "x"\nstdout = true', [("PD505", "log")]),
    "a log in no place": (SMALL + "[log]\nstdout = false", [("PD505", "log")]),
    "a port in words": (SMALL + '[listen]\nport = "80"', [("PD505", "port")]),
    "an address that is a name": (SMALL + '[listen]\naddress = "example.com"', [("PD505", "address")]),
    "a fixed identity on every address": (SMALL + '[listen]\naddress = "0.0.0.0"', [("PD509", "kind")]),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_found_where_it_is(case: str, tmp_path: Path) -> None:
    text, expected = MISTAKES[case]
    loaded = read(tmp_path, text, {"GOOD": "sk-1", "EMPTY": " ", "LINES": "a\nb", "A": "x"})
    assert pointed_at(loaded) == expected
    assert all(d.code in CODES for d in loaded.diagnostics)


def test_all_mistakes_are_reported_at_once_and_in_order(tmp_path: Path) -> None:
    loaded = read(
        tmp_path,
        'policy = 1\nbogus = 2\n[identity]\nkind = "loopback"\n[targets.a]\nurl = "x"\ndialects = "openai"\n[targets.b]\n',
    )
    found = [d.span.place.partition(":")[2] for d in loaded.diagnostics if d.span]
    assert found == ["1:1", "2:1", "6:1", "7:1", "8:10", "8:10"]


def test_a_near_name_is_offered(tmp_path: Path) -> None:
    loaded = read(tmp_path, SMALL + "idel_timeout = 5\n[listen]\nadress = '::1'\n")
    assert [d.help for d in loaded.diagnostics] == ["did you mean `idle_timeout`?", "did you mean `address`?"]


@pytest.mark.parametrize(
    "text",
    [
        SMALL + 'credential = "sk-live-very-secret"',
        SMALL + 'credential = { value = "sk-live-very-secret" }',
        SMALL + 'api_key = "sk-live-very-secret"',
        SMALL + 'token = """sk-live-very-secret"""',
        SMALL.replace("http://", "http://me:sk-live-very-secret@"),
        SMALL + 'credential = { env = "KEY", style = "sk" }',
        SMALL + 'credential = "sk-live-very-secret',
    ],
)
def test_no_diagnostic_shows_a_secret(text: str, tmp_path: Path) -> None:
    loaded = read(
        tmp_path, text, {"KEY": "sk-live-very-secret", "POLICYD__TARGETS__GPU__MODEL": "[sk-live-very-secret"}
    )
    shown = [d.message + str(d.help) + (d.span.source.text if d.span else "") for d in loaded.diagnostics]
    assert shown and not any("very-secret" in text for text in shown)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("policy = \n", "1:10"),
        ('policy = "x"\npolicy = "y"\n', "2:"),
        ("[a]\nb = 1\n[a\n", "3:"),
        ("x", "1:"),
    ],
)
def test_what_is_not_toml_is_said_with_its_place(text: str, place: str, tmp_path: Path) -> None:
    loaded = read(tmp_path, text)
    (found,) = loaded.diagnostics
    assert found.code == "PD502" and found.span is not None
    assert found.span.place.partition(":")[2].startswith(place)


NOT_TOML = {
    "no quotes": ("timezone = UTC", "timezone = UTC", 'strings stand in quotes, such as `timezone = "UTC"`'),
    "a path without quotes": ("policy = main.policy", "policy = main.policy", 'strings stand in quotes, such as `timezone = "UTC"`'),
    "a duration without quotes": ("[log]\ngrace = 5s", "grace = 5s", 'one `key = value` on each line; strings stand in quotes, such as `timezone = "UTC"`'),
    "no second quote": ('timezone = "UTC', 'timezone = "UTC', "a string ends with its quote, on the same line"),
    "a key twice": ("[a]\nb = 1\nb = 2", "b = 2", "a key may be there once in its table"),
    "a colon": ("port: 80", "port: 80", "a line is `key = value`, or a table in `[brackets]`"),
    "a table twice": ("[a]\n[a]", "[a]", "a table may be there once; several of a kind are `[[…]]`"),
    "a secret": ("credential = sk-live", "credential =********", 'strings stand in quotes, such as `timezone = "UTC"`'),
    "a secret in a table": ("[targets.a.headers]\nx = my-pass", "x =********", 'strings stand in quotes, such as `timezone = "UTC"`'),
    "a password in a URL": ("url = https://me:pw@host", "url = https://*****@host", 'strings stand in quotes, such as `timezone = "UTC"`'),
    "a key by its looks": ("model = sk-live", "model = *******", 'strings stand in quotes, such as `timezone = "UTC"`'),
    "what stands alone": ("s3cret", "******", "a line is `key = value`, or a table in `[brackets]`"),
    "inside a long string": ('a = """\nx = pass"""b', "*" * 12, 'one `key = value` on each line; strings stand in quotes, such as `timezone = "UTC"`'),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "help"), NOT_TOML.values(), ids=NOT_TOML.keys())
def test_what_is_not_toml_is_shown_without_what_may_be_secret(
    text: str, line: str, help: str, tmp_path: Path
) -> None:
    (found,) = read(tmp_path, text + "\n").diagnostics
    assert found.span is not None
    assert found.help == help
    assert found.span.source.line(found.span.source.position(found.span.start)[0]) == line
    assert found.span.source.text.strip() == line


def test_a_folder_is_told_which_file_is_meant(tmp_path: Path) -> None:
    (found,) = read_deployment(tmp_path, {}).diagnostics
    assert (found.code, found.help) == ("PD501", f"name the file: `{tmp_path / 'policyd.toml'}`")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (found,) = read_deployment(tmp_path / "none.toml", {}).diagnostics
    assert found.code == "PD501"


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe")
    (found,) = read_deployment(tmp_path / "x.toml", {}).diagnostics
    assert found.code == "PD501"


def test_the_environment_stands_over_the_file(tmp_path: Path) -> None:
    loaded = read(
        tmp_path,
        SMALL,
        {
            "POLICYD__LISTEN__PORT": "9000",
            "POLICYD__TARGETS__GPU__URL": "http://127.0.0.1:1",
            "POLICYD__FEATURES__ORIGIN": "eu",
            "POLICYD__IDENTITY__TEAM": "'7'",
            "policyd__answer_reserve": "5",
            "POLICYD_OTHER": "1",
        },
    )
    deployment = loaded.deployment
    assert deployment is not None, loaded.diagnostics
    assert deployment.listen.port == 9000
    assert deployment.bindings[0].endpoint.port == 1
    assert deployment.features == (("origin", "eu"),)
    assert deployment.identity.claims == (("team", "7"),)  # type: ignore[union-attr]
    assert deployment.answer_reserve == 5


@pytest.mark.parametrize(
    ("variable", "value", "code"),
    [
        ("POLICYD__LISTNE__PORT", "1", "PD503"),
        ("POLICYD__LISTEN__PROT", "1", "PD503"),
        ("POLICYD__LISTEN__PORT", "many", "PD505"),
        ("POLICYD__POLICY__X", "1", "PD510"),
        ("POLICYD__", "1", "PD510"),
        ("POLICYD__TARGETS__GPU__CREDENTIAL", "sk-1", "PD506"),
    ],
)
def test_a_variable_that_is_wrong_is_named_and_its_value_is_not_shown(
    variable: str, value: str, code: str, tmp_path: Path
) -> None:
    loaded = read(tmp_path, SMALL, {variable: value})
    (found,) = loaded.diagnostics
    assert found.code == code and found.span is not None
    assert found.span.text == variable


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("POLICYD__LISTEN__PORT", "abc", "`listen.port`: this has to be a whole number, without quotes; the variable says `abc`"),
        ("POLICYD__LISTEN__PORT", "70000", "`listen.port`: this is too large: at most 65535; the variable says `70000`"),
        ("POLICYD__LOG__STDOUT", "yes", "`log.stdout`: this has to be `true` or `false`, without quotes; the variable says `yes`"),
        ("POLICYD__TARGETS__GPU__MODEL", "[1]", '`targets.gpu.model`: this has to be a string: `"…"`'),
    ],
)  # fmt: skip
def test_what_a_variable_says_is_shown_where_it_can_be_no_secret(
    variable: str, value: str, said: str, tmp_path: Path
) -> None:
    assert [d.message for d in read(tmp_path, SMALL, {variable: value}).diagnostics] == [said]


@pytest.mark.parametrize(
    ("kind", "help"),
    [
        ("loopbck", "did you mean `loopback`?"),
        ("JWT", "did you mean `jwt`?"),
        ("x", 'the kinds are `"loopback"`, `"api-keys"`, `"jwt"`, `"mtls"`, `"trusted-hop"`'),
    ],
)
def test_a_kind_that_is_none_is_told_what_there_is(kind: str, help: str, tmp_path: Path) -> None:
    assert [d.help for d in read(tmp_path, SMALL.replace("loopback", kind)).diagnostics] == [help]


def test_a_key_is_kept_as_its_hash() -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", hash_key("sk-1"))
    assert hash_key("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_mistakes_beyond_the_shape_are_told_together(tmp_path: Path) -> None:
    text = SMALL + 'credential = { env = "NOPE" }\n[listen]\naddress = "0.0.0.0"\n'
    loaded = read(tmp_path, text)
    assert pointed_at(loaded) == [("PD509", "kind"), ("PD507", "credential")]
    assert loaded.draft is not None and loaded.draft.bindings[0].name == "gpu"
    shape = read(tmp_path, text + "prot = 1\n")
    assert pointed_at(shape) == [("PD507", "credential"), ("PD503", "prot")]
    assert shape.draft is None


def test_a_secret_that_is_not_there_can_be_a_note_and_still_leaves_no_deployment(tmp_path: Path) -> None:
    path = tmp_path / "policyd.toml"
    for reference, severity in (
        ('{ env = "NOPE" }', Severity.NOTE),
        ('{ file = "nope" }', Severity.NOTE),
        ('{ env = "EMPTY" }', Severity.ERROR),
    ):
        path.write_text(SMALL + f"credential = {reference}")
        loaded = read_deployment(path, {"EMPTY": ""}, absent_secret=Severity.NOTE)
        assert [(d.code, d.severity) for d in loaded.diagnostics] == [("PD507", severity)]
        assert loaded.deployment is None
        assert loaded.draft is not None


def test_what_stands_for_a_missing_secret_cannot_be_sent(tmp_path: Path) -> None:
    draft = read(tmp_path, SMALL + 'credential = { env = "NOPE" }').draft
    assert draft is not None
    target = BoundTarget("gpu", draft.bindings[0], AddressRule("loopback"))
    gate = Gate(Serving("d", {"gpu": target}))
    ticket = Ticket("r", "d", frozenset({"gpu"}))
    said = gate.permit(ticket, "gpu", method=b"POST", path=b"/v1/x", headers=[], body=b"{}")
    assert isinstance(said, Refused) and said.reason is Reason.MALFORMED


def test_the_files_that_were_looked_at_are_named(tmp_path: Path) -> None:
    text = SMALL.replace("http:", "https:") + 'credential = { file = "key" }\ntls = { ca = "none.pem" }\n'
    names = [Path(f).name for f in read(tmp_path, text).files]
    assert sorted(names) == ["key", "none.pem", "policyd.toml"]


WORDS = {
    "a table": ("listen = 1\n" + SMALL, "`listen`: this has to be a table"),
    "an identity": (SMALL.replace("[identity]\nkind = \"loopback\"\nteam = \"search\"", "identity = 1"), "`identity`: this has to be a table, or several: `[[identity]]`"),
    "an empty list": (SMALL.replace('["openai"]', "[]"), "`targets.gpu.dialects`: this list needs at least one entry"),
    "one of a few": (SMALL.replace('["openai"]', '["gemini"]'), "`targets.gpu.dialects.0`: this is not one of `openai`, `anthropic`"),
    "a collector that is no URL": (SMALL + '[telemetry]\nendpoint = "collector:4317"', "`telemetry.endpoint`: a collector's URL begins with `https://` or `http://`"),
    "a collector's signal": (SMALL + '[telemetry]\nendpoint = "http://localhost:4318/v1/traces"', "`telemetry.endpoint`: `/v1/traces` would be there twice: policyd adds it itself, so leave it out"),
    "a kind that is none": (SMALL.replace('"loopback"', '"loopbck"'), "`loopbck` is no `kind` of `identity`"),
    "no kind": (SMALL.replace('kind = "loopback"\n', ""), "`identity` needs a `kind`"),
    "a number in quotes": (SMALL + '[listen]\nport = "80"', "`listen.port`: this has to be a whole number, without quotes"),
    "a fraction": (SMALL + "max_connections = 1.5", "`targets.gpu.max_connections`: this has to be a whole number, without quotes"),
    "too small": (SMALL + "max_connections = 0", "`targets.gpu.max_connections`: this is too small: at least 1"),
    "too large": (SMALL + "[listen]\nport = 70000", "`listen.port`: this is too large: at most 65535"),
    "nothing": (SMALL.replace('"x.policy"', '""'), "`policy`: this may not be empty"),
    "no string": (SMALL.replace('"x.policy"', "1"), '`policy`: this has to be a string: `"…"`'),
    "a flag in quotes": (SMALL + '[log]\nstdout = "yes"', "`log.stdout`: this has to be `true` or `false`, without quotes"),
    "a list": (SMALL.replace('["openai"]', '"openai"'), "`targets.gpu.dialects`: this has to be a list: `[ … ]`"),
    "a secret file": (SMALL + 'credential = { file = "nope" }', "`targets.gpu.credential`: the file `nope` cannot be read: there is no such file"),
    "a folder": (SMALL + 'credential = { file = "." }', "`targets.gpu.credential`: the file `.` cannot be read: it is a folder"),
    "an authority": (SMALL.replace("http:", "https:") + 'tls = { ca = "policyd.toml" }', "`targets.gpu.tls.ca`: `policyd.toml` holds no certificate in PEM"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), WORDS.values(), ids=WORDS.keys())
def test_a_mistake_is_said_in_words_of_this_project(text: str, said: str, tmp_path: Path) -> None:
    assert [d.message for d in read(tmp_path, text).diagnostics] == [said]


def test_a_file_that_is_not_there_is_said_in_words(tmp_path: Path) -> None:
    (found,) = read_deployment(tmp_path / "none.toml", {}).diagnostics
    assert found.message.endswith("none.toml`: there is no such file")


AZURE = SMALL + 'model = "gpt-5"\naliases = { small = "gpt-5.mini" }\nazure_api_version = "2024-10-21"\n'


def test_a_target_at_azure(tmp_path: Path) -> None:
    loaded = read(tmp_path, AZURE)
    assert loaded.deployment is not None
    assert loaded.deployment.bindings[0].azure_api_version == "2024-10-21"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('model = "gpt-5"\n', ""),
        ('model = "gpt-5"', 'model = "a/b"'),
        ("gpt-5.mini", "../x"),
        ("2024-10-21", "2024 10"),
        ("2024-10-21", "a&b"),
        ('dialects = ["openai"]', 'dialects = ["openai", "anthropic"]'),
    ],
)
def test_what_cannot_stand_in_azures_paths_is_told(tmp_path: Path, old: str, new: str) -> None:
    loaded = read(tmp_path, AZURE.replace(old, new))
    assert loaded.deployment is None
    assert [d.code for d in loaded.diagnostics] == ["PD505"]


@pytest.mark.parametrize(
    "text",
    [
        SMALL.replace(":8000", ":8000/v1/accounts/acme"),
        SMALL.replace(":8000", ":8000/api-v1"),
        SMALL.replace(":8000", ":8000/openai"),
        AZURE.replace(":8000", ":8000/gateway/v1"),
    ],
    ids=[
        "inside the path",
        "a part of a word",
        "Azure's other API",
        "Azure's classic paths, which have none",
    ],
)
def test_a_version_that_is_not_added_once_more_is_meant(text: str, tmp_path: Path) -> None:
    assert read(tmp_path, text).diagnostics == ()
