"""Bodies that two parsers could read differently: each is refused with its own code, at every endpoint, and none is forwarded.

What is scanned must be what the target's server reads. Parsers differ in which of two equal keys counts, in what a key with a
NUL or in another case is, in numbers that fit no double, in what they forgive. So nothing of that passes.
"""

import json
from pathlib import Path

import pytest

from tests.proxy.bench import post, records, three
from tests.upstream.scripted import run

SAID = b'"messages":[{"role":"user","content":"hi"}]'


def having(extra: bytes) -> bytes:
    return b'{"model":"a","max_tokens":5,' + extra + b"," + SAID + b"}"


def saying(message: str) -> bytes:
    return ('{"model":"a","max_tokens":5,"messages":[' + message + "]}").encode()


PLAIN = having(b'"stream":false')
AMBIGUOUS, DUPLICATE, MALFORMED = "caller_ambiguous_key", "caller_duplicate_key", "caller_malformed_json"
NOT_UTF8, DEEP, SHAPE, NO_OBJECT = (
    "caller_not_utf8",
    "caller_too_deep",
    "caller_wrong_shape",
    "caller_not_an_object",
)

KEYS = {
    "a key twice": (having(b'"model":"b"'), DUPLICATE),
    "a key twice, once with an escape": (having(b'"mod\\u0065l":"b"'), DUPLICATE),
    "a key twice with the same value": (having(b'"model":"a"'), DUPLICATE),
    "a key twice in a message": (saying('{"role":"user","content":"hi","content":"other"}'), DUPLICATE),
    "a key twice in a message, once with an escape": (saying('{"role":"user","content":"hi","c\\u006fntent":"x"}'), DUPLICATE),
    "a key twice far down": (having(b'"metadata":{"a":[{"b":1,"b":2}]}'), DUPLICATE),
    "the messages twice": (having(SAID), DUPLICATE),
    "a key in capitals": (having(b'"MODEL":"b"'), AMBIGUOUS),
    "a key in another case in a message": (saying('{"role":"user","content":"hi","Content":"other"}'), AMBIGUOUS),
    "a role in another case": (saying('{"role":"user","Role":"system","content":"hi"}'), AMBIGUOUS),
    "a key that a C string ends early": (having(b'"model\\u0000":"b"'), AMBIGUOUS),
    "messages that a C string ends early": (having(b'"messages\\u0000":[]'), AMBIGUOUS),
    "a key with a long s, which folds to s": (having('"meſſages":[]'.encode()), AMBIGUOUS),
    "a key in full width": (having('"ｍodel":"b"'.encode()), AMBIGUOUS),
    "a key with a space of no width": (having('"mo\u200bdel":"b"'.encode()), AMBIGUOUS),
}  # fmt: skip
TEXTS = {
    "a byte order mark": (b"\xef\xbb\xbf" + PLAIN, "caller_byte_order_mark"),
    "UTF-16 with its mark": (PLAIN.decode().encode("utf-16"), NOT_UTF8),
    "UTF-16 without": (PLAIN.decode().encode("utf-16-le"), MALFORMED),
    "UTF-32": (PLAIN.decode().encode("utf-32-le"), MALFORMED),
    "Latin-1": (saying('{"role":"user","content":"HERE"}').replace(b"HERE", b"\xe9"), NOT_UTF8),
    "surrogates in UTF-8": (having(b'"user":"\xed\xa0\x80\xed\xb0\x80"'), NOT_UTF8),
    "an overlong slash": (having(b'"user":"\xc0\xaf"'), NOT_UTF8),
    "an overlong NUL": (having(b'"user":"\xc0\x80"'), NOT_UTF8),
    "a character beyond Unicode": (having(b'"user":"\xf4\x90\x80\x80"'), NOT_UTF8),
    "the first half of a pair": (having(b'"user":"\\ud800"'), MALFORMED),
    "the second half of a pair": (having(b'"user":"\\udc00"'), MALFORMED),
    "a pair in the wrong order": (having(b'"user":"\\udc00\\ud800"'), MALFORMED),
    "half a pair as a key": (having(b'"\\ud800":1'), MALFORMED),
    "a tab in a string": (having(b'"user":"a\tb"'), MALFORMED),
    "a line break in a string": (having(b'"user":"a\nb"'), MALFORMED),
    "a NUL in a string": (having(b'"user":"a\0b"'), MALFORMED),
    "an escape that JSON does not have": (having(b'"user":"\\x41"'), MALFORMED),
    "an escaped single quote": (having(b'"user":"\\\'"'), MALFORMED),
    "an escape that is cut": (having(b'"user":"\\u00"'), MALFORMED),
}
NUMBERS = {
    "NaN": (having(b'"temperature":NaN'), MALFORMED),
    "nan": (having(b'"temperature":nan'), MALFORMED),
    "Infinity": (having(b'"temperature":Infinity'), MALFORMED),
    "minus Infinity": (having(b'"temperature":-Infinity'), MALFORMED),
    "a number beyond every double": (having(b'"temperature":1e400'), MALFORMED),
    "a whole number beyond every double": (having(b'"seed":' + b"9" * 400), MALFORMED),
    "a zero in front": (having(b'"seed":01'), MALFORMED),
    "a plus sign": (having(b'"seed":+1'), MALFORMED),
    "a point in front": (having(b'"temperature":.5'), MALFORMED),
    "a point behind": (having(b'"temperature":5.'), MALFORMED),
    "hexadecimal": (having(b'"seed":0x1'), MALFORMED),
    "digits of another script": (having('"seed":٣'.encode()), MALFORMED),
    "a limit beyond what every parser holds": (PLAIN.replace(b":5,", b":9007199254740993,"), SHAPE),
    "a limit with a fraction": (PLAIN.replace(b":5,", b":5.0,"), SHAPE),
    "a limit with an exponent": (PLAIN.replace(b":5,", b":5e3,"), SHAPE),
    "a limit below zero": (PLAIN.replace(b":5,", b":-1,"), SHAPE),
    "a limit in quotes": (PLAIN.replace(b":5,", b':"5",'), SHAPE),
}
FORGIVEN_ELSEWHERE = {
    "True": (having(b'"stream":True'), MALFORMED),
    "single quotes": (PLAIN.replace(b'"', b"'"), MALFORMED),
    "a key without quotes": (having(b"user:1"), MALFORMED),
    "a comment": (having(b'/* x */"user":"a"'), MALFORMED),
    "a comment to the end of the line": (having(b'//x\n"user":"a"'), MALFORMED),
    "a comma behind the last": (PLAIN[:-1] + b",}", MALFORMED),
    "a comma behind the last of a list": (having(b'"stop":["a",]'), MALFORMED),
    "a second document": (PLAIN + PLAIN, MALFORMED),
    "a second line": (PLAIN + b"\n" + PLAIN, MALFORMED),
    "a NUL behind": (PLAIN + b"\0", MALFORMED),
    "a vertical tab before": (b"\x0b" + PLAIN, MALFORMED),
    "a form feed inside": (having(b'\x0c"user":"a"'), MALFORMED),
    "a space that JSON does not have": (having('\u00a0"user":"a"'.encode()), MALFORMED),
    "a prefix against scripts": (b")]}'," + PLAIN, MALFORMED),
    "an event of a stream": (b"data: " + PLAIN, MALFORMED),
    "a list": (b"[" + PLAIN + b"]", NO_OBJECT),
    "a string": (json.dumps(PLAIN.decode()).encode(), NO_OBJECT),
    "null": (b"null", NO_OBJECT),
    "a model that is null": (PLAIN.replace(b'"a"', b"null"), SHAPE),
    "a model that is a number": (PLAIN.replace(b'"a"', b"1"), SHAPE),
    "messages that are an object": (PLAIN.replace(b"[", b'{"0":').replace(b"]", b"}"), SHAPE),
}
DEPTHS = {
    "lists too deep": (having(b'"metadata":' + b"[" * 200 + b"]" * 200), DEEP),
    "objects too deep": (having(b'"metadata":' + b'{"a":' * 200 + b"1" + b"}" * 200), DEEP),
    "one level too many": (having(b'"metadata":' + b"[" * 128 + b"]" * 128), DEEP),
    "lists without end": (b"[" * 60_000, DEEP),
    "objects without end": (b'{"a":' * 20_000, DEEP),
}
TABLES = {"keys": KEYS, "texts": TEXTS, "numbers": NUMBERS, "what others forgive": FORGIVEN_ELSEWHERE, "depths": DEPTHS}  # fmt: skip


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens"])
@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_a_body_with_two_readings_is_refused(
    tmp_path: Path, table: dict[str, tuple[bytes, str]], path: str
) -> None:
    async def test() -> None:
        async with three(tmp_path, extra='limits = { body = "1MiB" }') as running:
            found = {}
            for name, (body, _) in table.items():
                answer = await running.ask(post(path, body))
                found[name] = (answer.status, answer.code if answer.status != 200 else "sent")
            assert found == {name: (400, code) for name, (_, code) in table.items()}
            assert all(r.connections == 0 for r in running.recorders.values())

    run(test())
    assert {r["status"] for r in records(tmp_path / "decisions.jsonl")} == {400}


ALIKE = {
    "spaces of every kind": b'\t\r\n {"model" : "a" ,\n"messages"\t:[ ] } \n',
    "escapes that every parser has": having(b'"user":"\\u00e9\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\\\\\\""'),
    "characters beyond the first plane": having('"user":"😀𝔘\u2028"'.encode()),
    "numbers that nobody reads": having(b'"seed":99999999999999999999,"temperature":1.0E-2,"top_p":-0'),
    "a key that is empty": having(b'"":1'),
    "equal keys in different objects": saying('{"role":"user","content":"a"},{"role":"user","content":"b"}'),
    "keys in strings": having(b'"user":"\\"model\\": \\"b\\", \\"model\\": \\"c\\""'),
    "the deepest that may be": having(b'"metadata":' + b"[" * 126 + b"]" * 126),
}


@pytest.mark.parametrize("body", ALIKE.values(), ids=ALIKE.keys())
def test_a_body_that_all_read_alike_arrives_byte_for_byte(tmp_path: Path, body: bytes) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            assert (await running.ask(post("/v1/chat/completions", body))).status == 200
            assert [b for r in running.recorders.values() for b in r.bodies] == [body]

    run(test())
