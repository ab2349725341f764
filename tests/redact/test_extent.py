"""How far findings reach: keys with all their lines, tokens without what stands around them, and what has no end here."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from policyd.detect.scanner import Span
from policyd.redact.extent import LONGEST, extents
from policyd.traffic.endpoints import EndpointName as E
from tests.redact.samples import AWS, GITHUB, redact

FORMATS = {
    "pkcs8": serialization.PrivateFormat.PKCS8,
    "traditional": serialization.PrivateFormat.TraditionalOpenSSL,
    "openssh": serialization.PrivateFormat.OpenSSH,
}
KEYS: dict[str, Any] = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "ec": ec.generate_private_key(ec.SECP256R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
}


def pem_of(kind: str, form: str) -> str:
    key = KEYS[kind]
    raw: bytes = key.private_bytes(serialization.Encoding.PEM, FORMATS[form], serialization.NoEncryption())
    return raw.decode().strip()


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def in_lines(text: str) -> str:
    return "\n".join(text[i : i + 64] for i in range(0, len(text), 64))


WAYS: dict[str, Callable[[str], str]] = {
    "as it is": lambda pem: pem,
    "with its line ends escaped": lambda pem: pem.replace("\n", "\\n"),
    "with Windows' line ends": lambda pem: pem.replace("\n", "\r\n"),
    "indented": lambda pem: "\n".join(f"    {line}" for line in pem.splitlines()),
    "without its first and last line": lambda pem: "\n".join(pem.splitlines()[1:-1]),
    "in base64": encoded,
    "in base64 with lines": lambda pem: in_lines(encoded(pem)),
    "in quotes, a line each": lambda pem: "\n".join(f'"{line}\\n"' for line in pem.splitlines()),
}

PAIRS = [("rsa", "pkcs8"), ("rsa", "traditional"), ("rsa", "openssh"), ("ec", "traditional"), ("ed25519", "pkcs8"), ("ed25519", "openssh")]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("kind", "form"), PAIRS)
def test_a_private_key_goes_with_all_its_lines(kind: str, form: str, way: str) -> None:
    pem = pem_of(kind, form)
    written = WAYS[way](pem)
    request = {"model": "m", "messages": [{"role": "user", "content": f"use this: {written} thanks a lot"}]}
    out = redact(E.CHAT, request, ("private-key",))
    assert out.left == frozenset()
    assert sum(out.counts.values()) == 1
    said = json.loads(out.body.raw)["messages"][0]["content"]
    body = "".join(pem.splitlines()[1:-1])
    inner = encoded(pem) if "base64" in way else body
    # The last group may be the end of the last line, in base64 of the line `-----END …`.
    for start in range(0, len(inner) - 24, 8):
        assert inner[start : start + 12] not in said
    assert said.startswith("use this:") and said.endswith("thanks a lot")


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("way", ["as it is", "in base64", "without its first and last line"])
def test_a_private_key_that_is_cut_is_left(way: str, part: float) -> None:
    written = WAYS[way](pem_of("rsa", "traditional"))
    cut = written[: int(len(written) * part)]
    request = {"model": "m", "messages": [{"role": "user", "content": f"use this: {cut}"}]}
    out = redact(E.CHAT, request, ("private-key",))
    assert any(name.startswith("private-key.") for name in out.left)


def value_of(text: str, name: str, start: int, end: int) -> str | None:
    found, lost = extents(text, [Span(start, end, name)], (name,))
    assert bool(found) != bool(lost)
    return found[0].value if found else None


def test_a_token_goes_without_what_ends_it_and_with_what_it_goes_on_with() -> None:
    text = f"({AWS}), {GITHUB}tail_of-it. x"
    assert value_of(text, "secret.aws", 0, len(AWS) + 2) == AWS
    at = text.index(GITHUB)
    assert value_of(text, "secret.github", at, at + len(GITHUB)) == f"{GITHUB}tail_of-it"


def test_a_password_is_taken_as_it_was_found() -> None:
    assert value_of("pw: 'a.b!;' x", "secret.assigned", 5, 10) == "a.b!;"
    assert value_of("id <A-1>;", "custom.id", 3, 9) == "<A-1>;"


def test_what_is_longer_than_any_value_is_left() -> None:
    assert value_of("1" * (LONGEST + 1), "card-number", 0, LONGEST + 1) is None


def test_a_text_on_which_a_detector_gave_up_is_left() -> None:
    assert value_of("1" * 5000, "card-number", 0, 5000) is None
    assert value_of("1" * 5000 + " ", "card-number", 0, 5000) == "1" * 5000


def test_a_key_in_an_object_takes_the_object_along() -> None:
    text = '{"kty": "RSA", "p": "ppp", "d": "ddd", "q": "qqq"} and more'
    start = text.index('"d"')
    assert value_of(text, "private-key.jwk", start, start + 9) == text[: text.index("}") + 1]
    assert value_of(text[:40], "private-key.jwk", start, start + 9) is None


def test_a_file_of_putty_goes_to_its_last_line() -> None:
    text = "PuTTY-User-Key-File-3: ssh-rsa\nPrivate-Lines: 1\nAAAA\nPrivate-MAC: " + "0f" * 32 + "\nrest"
    assert value_of(text, "private-key.putty", 0, 22) == text.removesuffix("\nrest")
    assert value_of(text[:60], "private-key.putty", 0, 22) is None


def test_names_that_nobody_asked_for_are_not_looked_at() -> None:
    assert extents("x" * 9, [Span(0, 9, "secret.aws")], ("card-number", "secret-other", "secret.awsome")) == (
        [],
        set(),
    )


@pytest.mark.parametrize(
    "name", ["private-key.der", "private-key.pem", "private-key.jwk", "private-key.putty", "secret.aws"]
)
def test_many_findings_in_one_run_are_looked_at_within_bounds(name: str) -> None:
    """A text of a megabyte that is one run, and a finding at every hundredth character of it: what reaches beyond any value
    is told once, and nothing is read from end to end for each."""
    text = ("MIIEpAIBAAKC" + "A" * 88) * 10_000
    spans = [Span(at, at + 40, name) for at in range(0, len(text) - 100, 100)]
    found, lost = extents(text, spans, (name,))
    assert (found, lost) == ([], {name}) or all(len(extent.value) <= LONGEST for extent in found)
    assert len(found) < 20


TAIL = "Tn8vWq2yKd5sQ7"
HEAD = "Xk9mQ27zLp4rT1vB"


@pytest.mark.parametrize("sign", [*":,;)?<= |}]\\'&", "\\n", "(", "> "])
@pytest.mark.parametrize("quote", ['"', "'", "`", '\\"'])
def test_a_password_in_quotes_goes_up_to_the_closing_one(sign: str, quote: str) -> None:
    if sign == quote:
        return
    text = f"password = {quote}{HEAD}{sign}{TAIL}{quote} and more"
    start = text.index(HEAD)
    assert value_of(text, "secret.assigned", start, start + len(HEAD)) == HEAD + sign + TAIL


@pytest.mark.parametrize("sign", list(":,;)?<=|}]'\"&\\"))
def test_a_password_without_quotes_goes_up_to_white_space(sign: str) -> None:
    text = f"password = {HEAD}{sign}{TAIL}, and more"
    start = text.index(HEAD)
    assert value_of(text, "secret.assigned", start, start + len(HEAD)) == HEAD + sign + TAIL


@pytest.mark.parametrize(
    "behind",
    [
        " and",
        "\nx",
        ";Encrypt=true",
        "&user=bob",
        "</secret>",
        '"}',
        "'),",
        "\\nnext",
        ".",
        "",
        ", user: b",
        "|",
    ],
)
def test_a_password_ends_where_the_next_thing_begins(behind: str) -> None:
    text = f"password={HEAD}{behind}"
    assert value_of(text, "secret.connection-string", 9, 9 + len(HEAD)) == HEAD


@pytest.mark.parametrize(
    "text", [f'pw "{HEAD}: cut', f'pw "{HEAD}\n"', f'{{"a": "pw \\"{HEAD}"}}', f"pw {HEAD}:{'x' * 5000}"]
)
def test_a_password_whose_end_cannot_be_told_is_left(text: str) -> None:
    start = text.index(HEAD)
    assert value_of(text, "secret.assigned", start, start + len(HEAD)) is None


def test_a_sign_that_a_secret_is_near_is_never_taken_for_it() -> None:
    assert value_of("kind: Secret\ndata:\n  a: b", "secret.kubernetes", 0, 12) is None


@pytest.mark.parametrize(
    "inner",
    [{"x5": {"t": 1}}, {"kid": "a}b{"}, {"use": 's"}g'}, {"oth": [{"r": "rrr"}]}, {"of": {"kty": "EC"}}],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_key_in_an_object_goes_with_all_of_it_whatever_braces_it_holds(inner: Any, first: bool) -> None:
    key = {"p": "ppp", "d": "ddd", "q": "qqq", "kty": "RSA"}
    written = json.dumps(inner | key if first else {"p": "ppp", "kty": "RSA", "d": "ddd"} | inner | key)
    text = f"{{it}} is {written} ok"
    start = text.index('"d": "ddd"')
    assert value_of(text, "private-key.jwk", start, start + 10) == written
    assert value_of(text[:-6], "private-key.jwk", start, start + 10) is None


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_a_bare_key_of_openssh_is_whole_only_with_all_that_it_says_it_has(kind: str) -> None:
    lines = pem_of(kind, "openssh").splitlines()[1:-1]
    for kept in range(1, len(lines)):
        request = {"model": "m", "messages": [{"role": "user", "content": "\n".join(lines[:kept]) + "\n"}]}
        out = redact(E.CHAT, request, ("private-key",))
        assert "private-key.openssh" in out.left or not out.counts


def test_a_token_goes_with_its_parts_behind_points() -> None:
    text = f"{GITHUB}.{TAIL}.{HEAD}. x"
    assert value_of(text, "secret.jwt", 0, len(GITHUB)) == f"{GITHUB}.{TAIL}.{HEAD}"


def test_a_password_in_an_address_ends_before_its_host() -> None:
    text = f"mongodb://bob:{HEAD}@db.corp.net,db2.corp.net/app?x=1 and more"
    start = text.index(HEAD)
    assert value_of(text, "secret.connection-string", start, start + len(HEAD)) == HEAD


def test_a_password_near_an_address_goes_up_to_white_space() -> None:
    text = f"see https://x:80 Authorization: Bearer {HEAD}@{TAIL} and more"
    start = text.index(HEAD)
    assert value_of(text, "secret.authorization", start, start + len(HEAD)) == f"{HEAD}@{TAIL}"


def test_a_password_that_took_something_along_is_taken_out_where_it_stands_alone() -> None:
    text = f"password = {HEAD},{TAIL}\nthen type {HEAD}"
    out = redact(E.CHAT, {"model": "m", "messages": [{"role": "user", "content": text}]}, ("secret",))
    assert out.left == frozenset()
    assert HEAD not in out.body.raw.decode()
    assert TAIL not in out.body.raw.decode()
