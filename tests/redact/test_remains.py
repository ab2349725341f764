"""What remains of a value is found and said: the other half of one that was cut, a copy in another form, a number that changes."""

import base64
import json
import random
from typing import Any

import pytest

from policyd.redact.numbers import keeps_numbers
from policyd.redact.redacted import redacted, still_in
from policyd.redact.swap import Swaps
from policyd.traffic.body import Body, read_body
from policyd.traffic.endpoints import EndpointName as E
from policyd.traffic.read import read_request
from tests.redact.samples import GITHUB, KEY, SCANNER, redact

_RANDOM = random.Random(7)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def drawn(length: int, letters: str = LETTERS) -> str:
    return "".join(_RANDOM.choice(letters) for _ in range(length))


DIGITS = "0123456789"
OPENAI = "sk-proj-" + drawn(74) + "T3Blbk" + "FJ" + drawn(74)
SLACK = "xox" + f"b-{drawn(12, DIGITS)}-{drawn(12, DIGITS)}-{drawn(24)}"
HIDDEN = base64.b64encode(f"config: token={GITHUB} and {drawn(40)}".encode()).decode()
TOKEN = ".".join(
    base64.urlsafe_b64encode(part.encode()).decode().rstrip("=")
    for part in ('{"alg":"HS256","typ":"JWT"}', json.dumps({"sub": drawn(300)}), drawn(200))
)

CUTS = {
    "a key that is one without its end": (OPENAI, 100),
    "a key behind its numbers": (SLACK, 45),
    "base64, before its end": (HIDDEN, 80),
    "a token, farther from its beginning than a seam is wide": (TOKEN, len(TOKEN) - 100),
}


def parts(first: str, second: str) -> dict[str, Any]:
    content = [{"type": "text", "text": text} for text in (first, second)]
    return {"model": "m", "messages": [{"role": "user", "content": content}]}


def messages(first: str, second: str) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text} for text in (first, second)]}


@pytest.mark.parametrize("apart", [parts, messages])
@pytest.mark.parametrize("what", CUTS)
def test_a_secret_cut_in_two_is_left_although_its_first_part_is_a_finding(what: str, apart: Any) -> None:
    secret, at = CUTS[what]
    assert redact(E.CHAT, apart(f"key {secret[:at]}", f"{secret[at:]} ok"), ("secret",)).left
    assert redact(E.CHAT, apart(f"key {secret}", "is it all right"), ("secret",)).left == frozenset()


@pytest.mark.parametrize(("last", "first"), [("", ""), ("'", " . '"), ('"', ' + \\\n  "')])
def test_what_is_joined_to_a_placeholder_is_left(last: str, first: str) -> None:
    """Where the second string looks like base64 of something, a detector sees no more of the key than the first one."""
    head, rest = TOKEN[: -len(TOKEN) // 4], TOKEN[-len(TOKEN) // 4 :]
    for text in (f"{GITHUB}{last}{first}.{rest}", f"{head}{last}{first}{rest}"):
        out = redact(E.CHAT, messages(f"k = {last}{text}{last}", "ok"), ("secret",))
        assert out.left or rest[-40:] not in out.body.raw.decode()


def test_a_manifest_is_left_although_a_value_of_it_was_taken_out() -> None:
    value = base64.b64encode(b"Xk9mQ27zLp4rT1vB8x").decode()
    manifest = f"kind: Secret\nmetadata:\n  name: db\ndata:\n  pin: MTIzNDU2\n  password: {value}\n"
    assert "secret.kubernetes" in redact(E.CHAT, messages(manifest, "ok"), ("secret",)).left


def test_what_goes_on_alone_on_the_next_line_is_left() -> None:
    first, second = drawn(40), drawn(40)
    text = f"api_key: >\n  {first}\n  {second}\n"
    assert redact(E.CHAT, messages(text, "ok"), ("secret",)).left


@pytest.mark.parametrize(
    "text",
    [
        f"{GITHUB}\nUnderstood-thanks",
        f"{GITHUB}.Afterwards nothing",
        f"https://host/path/{GITHUB}/contents/README",
        f"access_token_of_mine-{GITHUB}",
        f"{GITHUB}\n-------- signature --------",
    ],
)
def test_words_beside_a_placeholder_are_no_rest(text: str) -> None:
    out = redact(E.CHAT, messages(text, "ok"), ("secret",))
    assert (out.left, GITHUB in out.body.raw.decode()) == (frozenset(), False)


VALUE = "Xk9mQ27zLp4rT1vB8x"
FORMS = {
    "in base64": base64.b64encode(f"u:{VALUE} x".encode()).decode(),
    "in percents": "%58" + VALUE[1:],
    "in hex": f"pw {VALUE}".encode().hex(),
    "with what is not seen": VALUE[:5] + "\u200b" + VALUE[5:],
    "in full width": "".join(chr(ord(c) + 0xFEE0) for c in VALUE),
    "in two strings": f'"{VALUE[:9]}" + "{VALUE[9:]}"',
    "with spaces": " ".join(VALUE),
    "with an entity": f"{VALUE[:3]}&#{ord(VALUE[3])};{VALUE[4:]}",
    "with an escape": f"{VALUE[:3]}\\u00{ord(VALUE[3]):02x}{VALUE[4:]}",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_copy_in_another_form_is_left(form: str) -> None:
    text = f'DB_PASSWORD="{VALUE}"\nlog: {FORMS[form]}'
    assert redact(E.CHAT, messages(text, "ok"), ("secret",)).left == {"secret.assigned"}
    assert redact(E.CHAT, messages(text[: text.index("log")], "ok"), ("secret",)).left == frozenset()


@pytest.mark.parametrize("form", [VALUE, *FORMS.values()])
def test_the_last_look_sees_every_form_of_a_value(form: str) -> None:
    def left(text: str) -> frozenset[str]:
        raw = json.dumps(messages(text, "ok"), ensure_ascii=False).encode()
        return still_in(E.CHAT, raw, ("secret",), {"[secret:bcdfghjkmnpq]": VALUE}, SCANNER)

    assert left(f"log: {form}") == {"secret"}
    assert left("log: [secret:bcdfghjkmnpq]") == frozenset()


def test_the_last_look_finds_any_of_very_many_values() -> None:
    values = {f"[email:{number}]": f"user{number}.name@corp{number % 97}.net" for number in range(14_000)}
    for text, left in (("nobody", set()), ("to user13999.name@corp31.net", {"card-number"})):
        raw = json.dumps(messages(text, "ok")).encode()
        assert still_in(E.CHAT, raw, ("card-number",), values, SCANNER) == left


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        ("18446744073709551615", True),
        ("18446744073709551616", False),
        ("-9223372036854775808", True),
        ("-9223372036854775809", False),
        ("1" * 5000, False),
        ("0.10000000149011612", True),
        ("0.12345678901234567890123", False),
        ('"123456789012345678901234"', True),
        ('"a \\" 123456789012345678901234"', True),
    ],
)
def test_a_number_that_would_become_another_one_is_known(number: str, kept: bool) -> None:
    assert keeps_numbers(f'{{"a": [1, {number}]}}'.encode()) is kept


def test_a_body_with_a_number_that_would_change_is_not_written_anew() -> None:
    for number, left in (("123456789012345678901234", {"secret"}), ("1234567890", set())):
        raw = json.dumps(messages(f"key {GITHUB}", "ok")).encode()[:-1] + f', "seed_of": {number}}}'.encode()
        body = read_body(raw, "application/json", None)
        assert isinstance(body, Body)
        out = redacted(E.CHAT, body, read_request(E.CHAT, body.parsed), ("secret",), SCANNER, KEY)
        assert out.left == left


def test_a_short_value_inside_a_word_hides_none_that_overlaps_it() -> None:
    swaps = Swaps({"aB3dE5gH9": "[short]", "H9kq2Lm9xQz41vR8": "[long]"})
    assert swaps.text("xaB3dE5gH9kq2Lm9xQz41vR8 and aB3dE5gH9") == "xaB3dE5g[long] and [short]"
    assert sorted(swaps.found("aB3dE5gH9kq2Lm9xQz41vR8")) == ["H9kq2Lm9xQz41vR8"]
