"""Bodies: what is refused and why, that no duplicate key passes, and that replacing the model changes nothing else."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.traffic.body import DEEPEST, Body, count_keys, read_body
from policyd.traffic.refused import CallerFault, Refused
from policyd.traffic.rewrite import with_model

JSON = "application/json"


def read(raw: bytes) -> Body | Refused:
    return read_body(raw, JSON, None)


def nested(depth: int) -> bytes:
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


@pytest.mark.parametrize(
    ("raw", "fault", "says"),
    [
        pytest.param(b"", CallerFault.EMPTY_BODY, "no body", id="nothing"),
        pytest.param(b"\xef\xbb\xbf{}", CallerFault.BYTE_ORDER_MARK, "byte order mark", id="a byte order mark"),
        pytest.param(b'{"a":"\xff"}', CallerFault.NOT_UTF8, "at byte 6", id="a byte that is not UTF-8"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', CallerFault.NOT_UTF8, "UTF-8", id="a surrogate as bytes"),
        pytest.param(b'{"a":1', CallerFault.MALFORMED_JSON, "line 1 column", id="an object that does not end"),
        pytest.param(b'{"a":1,}', CallerFault.MALFORMED_JSON, "trailing comma", id="a trailing comma"),
        pytest.param(b'{"a":NaN}', CallerFault.MALFORMED_JSON, "line 1 column 6", id="NaN"),
        pytest.param(b'{"a":-Infinity}', CallerFault.MALFORMED_JSON, "line 1", id="minus infinity"),
        pytest.param(b'{"a":1e999}', CallerFault.MALFORMED_JSON, "infinity", id="a number that overflows"),
        pytest.param(b'{"a":"\\ud800"}', CallerFault.MALFORMED_JSON, "surrogate", id="a lone high surrogate"),
        pytest.param(b'{"a":"\\udc00"}', CallerFault.MALFORMED_JSON, "surrogate", id="a lone low surrogate"),
        pytest.param(b'{"a":"\x00"}', CallerFault.MALFORMED_JSON, "control character", id="a raw NUL"),
        pytest.param(b'{"a":01}', CallerFault.MALFORMED_JSON, "leading zero", id="a leading zero"),
        pytest.param(b"{} {}", CallerFault.MALFORMED_JSON, "line 1", id="two documents"),
        pytest.param(b"{/**/}", CallerFault.MALFORMED_JSON, "line 1", id="a comment"),
        pytest.param('{"a":1}'.encode("utf-16"), CallerFault.NOT_UTF8, "UTF-8", id="UTF-16"),
        pytest.param('{"a":1}'.encode("utf-16-le"), CallerFault.MALFORMED_JSON, "line 1", id="UTF-16 without a mark"),
        pytest.param(b"[1]", CallerFault.NOT_AN_OBJECT, "object", id="a list"),
        pytest.param(b'"x"', CallerFault.NOT_AN_OBJECT, "object", id="a string"),
        pytest.param(nested(DEEPEST + 1), CallerFault.TOO_DEEP, "128", id="one level too deep"),
        pytest.param(nested(1000), CallerFault.TOO_DEEP, "128", id="deeper than the writer goes"),
        pytest.param(nested(5000), CallerFault.TOO_DEEP, "128", id="deeper than the parser goes"),
        pytest.param(b'{"a":1,"a":2}', CallerFault.DUPLICATE_KEY, "`a`", id="a duplicate key"),
        pytest.param(b'{"a":1,"a":1}', CallerFault.DUPLICATE_KEY, "`a`", id="a duplicate with an equal value"),
        pytest.param(b'{"m":[{"x":{"k":1, "k":1}}]}', CallerFault.DUPLICATE_KEY, "`k`", id="a duplicate far inside"),
        pytest.param(b'{"k":1,"\\u006b":1}', CallerFault.DUPLICATE_KEY, "`k`", id="a duplicate spelled with an escape"),
        pytest.param(b'{"\\"":1,"\\u0022":1}', CallerFault.DUPLICATE_KEY, "twice", id="a duplicate quote"),
        pytest.param(b'{"\\\\":1,"\\u005c":":"}', CallerFault.DUPLICATE_KEY, "twice", id="a duplicate backslash"),
        pytest.param(b'{"":1,"":":::"}', CallerFault.DUPLICATE_KEY, "twice", id="a duplicate empty key"),
    ],
)  # fmt: skip
def test_a_body_that_parsers_could_read_differently_is_refused(
    raw: bytes, fault: CallerFault, says: str
) -> None:
    refused = read(raw)
    assert isinstance(refused, Refused)
    assert refused.fault is fault
    assert refused.status == 400
    assert refused.code == fault.value
    assert says in refused.message


def test_a_duplicate_is_named_by_its_place_and_never_by_what_it_could_hold() -> None:
    secret = "hunter2-and-more-of-it"
    raw = f'{{"messages":[{{"content":[{{"input":{{"path-of-mine":{{"{secret}":1,"{secret}":2}}}}}}]}}]}}'.encode()
    refused = read(raw)
    assert isinstance(refused, Refused)
    assert refused.fault is CallerFault.DUPLICATE_KEY
    assert "`hunter2-…` in `messages[0].content[0].input.path-of-…`" in refused.message
    assert secret not in refused.message
    assert "path-of-mine" not in refused.message


@pytest.mark.parametrize(
    ("content_type", "encoding", "fault"),
    [
        (None, None, CallerFault.CONTENT_TYPE),
        ("text/plain", None, CallerFault.CONTENT_TYPE),
        ("application/x-www-form-urlencoded", None, CallerFault.CONTENT_TYPE),
        ("multipart/form-data; boundary=x", None, CallerFault.CONTENT_TYPE),
        ("application/json; charset=utf-16", None, CallerFault.CONTENT_TYPE),
        ("application/json; charset=latin1", None, CallerFault.CONTENT_TYPE),
        (JSON, "gzip", CallerFault.CONTENT_ENCODING),
        (JSON, "identity, gzip", CallerFault.CONTENT_ENCODING),
        (JSON, "zstd", CallerFault.CONTENT_ENCODING),
    ],
)
def test_an_envelope_that_hides_the_body_is_refused(
    content_type: str | None, encoding: str | None, fault: CallerFault
) -> None:
    refused = read_body(b"{}", content_type, encoding)
    assert isinstance(refused, Refused)
    assert (refused.fault, refused.status) == (fault, 415)


@pytest.mark.parametrize(
    "content_type",
    [JSON, "Application/JSON", 'application/json; charset="UTF-8"', "application/json;charset=utf8"],
)
@pytest.mark.parametrize("encoding", [None, "", "identity", " Identity "])
def test_plain_json_is_read(content_type: str, encoding: str | None) -> None:
    assert isinstance(read_body(b"{}", content_type, encoding), Body)


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b' \n{ "a" : 1.0 , "b" : "\\/" , "c" : "a\\"b:\\\\" } ',
        b'{"a":{"k":1},"b":{"k":1},"c":[{"k":1},{"k":1}]}',
        b'{"seed":18446744073709551615,"x":123456789012345678901234567890}',
        b'{"a":"{\\"k\\":1,\\"k\\":1}"}',
        nested(DEEPEST),
    ],
)
def test_other_spellings_of_the_same_meaning_are_read(raw: bytes) -> None:
    body = read(raw)
    assert isinstance(body, Body)
    assert body.raw == raw
    assert body.parsed == json.loads(raw, parse_int=lambda n: int(n) if len(n) < 21 else float(n))


KEYS = st.sampled_from(["a", "b", "model", 'mo"del', 'x"model', '\\"model', "\\", ":", "{", "é", ""])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(['"model":', "{", '\\"', "model", "", "\\", "é:"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
BODIES = st.dictionaries(KEYS, VALUES, max_size=4)
SPACES = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r\n ")])


@given(BODIES, SPACES, st.booleans())
def test_every_body_without_duplicates_is_read(
    body: dict[str, Any], spaces: tuple[str, str], ascii_only: bool
) -> None:
    raw = json.dumps(body, separators=spaces, ensure_ascii=ascii_only).encode()
    assert isinstance(read(raw), Body)


def objects(value: object) -> list[dict[str, Any]]:
    """Every object of a value that has a key to repeat."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    found = [o for item in inner for o in objects(item)]
    return [value, *found] if isinstance(value, dict) and value else found


def spelled(value: object, chosen: dict[str, Any], again: str, at: int) -> str:
    """The value as JSON, in which one object says one of its keys twice."""
    if isinstance(value, dict):
        items = [f"{json.dumps(k)}: {spelled(v, chosen, again, at)}" for k, v in value.items()]
        if value is chosen:
            items.insert(at, f"{json.dumps(again)}:null")
        return "{" + " ,".join(items) + "}"
    if isinstance(value, list):
        return "[" + ",".join(spelled(v, chosen, again, at) for v in value) + "]"
    return json.dumps(value)


@given(BODIES.filter(bool), st.data())
def test_a_duplicate_key_at_any_depth_is_found(body: dict[str, Any], data: st.DataObject) -> None:
    body = json.loads(json.dumps(body))
    chosen = data.draw(st.sampled_from(objects(body)))
    again = data.draw(st.sampled_from(list(chosen)))
    refused = read(spelled(body, chosen, again, data.draw(st.integers(0, len(chosen)))).encode())
    assert isinstance(refused, Refused)
    assert refused.fault is CallerFault.DUPLICATE_KEY


@given(BODIES, SPACES, st.text(max_size=20).filter(lambda s: s.isprintable()), st.booleans())
def test_replacing_the_model_changes_the_model_and_nothing_else(
    body: dict[str, Any], spaces: tuple[str, str], model: str, ascii_only: bool
) -> None:
    if not isinstance(body.get("model"), str | None):
        del body["model"]
    raw = json.dumps(body, separators=spaces, ensure_ascii=ascii_only).encode()
    before = read(raw)
    assert isinstance(before, Body)
    after = read(with_model(before, model))
    assert isinstance(after, Body)
    assert after.parsed == body | {"model": model}
    assert (
        orjson.dumps({**after.parsed, "model": 0}) == orjson.dumps({**body, "model": 0})
        or "model" not in body
    )
    if "model" in body:
        old = json.dumps(body["model"], ensure_ascii=ascii_only).encode()
        new = orjson.dumps(model)
        starts = [i for i in range(len(raw)) if raw.startswith(old, i)]
        assert after.raw in [raw[:i] + new + raw[i + len(old) :] for i in starts]


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b'{"model":"a","x":1}', b'{"model":"new","x":1}'),
        (b'{ "x" : {"model":"in"} , "model" :\n"a" }', b'{ "x" : {"model":"in"} , "model" :\n"new" }'),
        (b'{"x":"model","model":"a"}', b'{"x":"model","model":"new"}'),
        (b'{"x":"\\"model\\":\\"b\\"","model":"a"}', b'{"x":"\\"model\\":\\"b\\"","model":"new"}'),
        (b'{"x":"\\\\","model":"a\\"b"}', b'{"x":"\\\\","model":"new"}'),
        (b'{"mod\\u0065l":"a","x":[{"model":1}]}', b'{"mod\\u0065l":"new","x":[{"model":1}]}'),
        (b'{"x\\"model":"b","model":"a"}', b'{"x\\"model":"b","model":"new"}'),
        (b'{"x":1}', b'{"model":"new","x":1}'),
        (b" { } ", b' {"model":"new" } '),
        (b'{"model":null}', b'{"model":"new"}'),
    ],
)
def test_the_model_is_spliced_where_it_stands(raw: bytes, wanted: bytes) -> None:
    body = read(raw)
    assert isinstance(body, Body)
    assert with_model(body, "new") == wanted


def test_a_message_never_repeats_more_than_the_start_of_a_key() -> None:
    key = "k" * 500 + "\x1b[31m"
    refused = read(json.dumps({"a": 1}).encode()[:-1] + f',"{key[:500]}":1,"{key[:500]}":2}}'.encode())
    assert isinstance(refused, Refused)
    assert len(refused.message) < 250


def test_control_characters_of_a_key_are_escaped_in_the_message() -> None:
    refused = read(b'{"\\u001b[31m`":1,"\\u001b[31m`":2}')
    assert isinstance(refused, Refused)
    assert "\\u001b[31m\\u0060" in refused.message
    assert "\x1b" not in refused.message


AWKWARD = st.text(alphabet='\\":{}[],a', max_size=12)


@given(
    st.recursive(AWKWARD, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(AWKWARD, inner, max_size=3), max_leaves=8),
    st.integers(1, 9),
    st.booleans(),
)  # fmt: skip
def test_keys_are_counted_alike_in_pieces_of_any_size(value: object, piece: int, spaced: bool) -> None:
    def keys(item: object) -> int:
        if isinstance(item, dict):
            return len(item) + sum(map(keys, item.values()))
        return sum(map(keys, item)) if isinstance(item, list) else 0

    text = json.dumps(value, separators=(" , ", " : ") if spaced else (",", ":")).encode()
    assert count_keys(text, piece) == count_keys(text) == keys(value)


def test_a_run_of_backslashes_longer_than_a_piece_is_whole() -> None:
    for slashes in range(2, 40):
        text = json.dumps({"\\" * slashes: 1, "\\": ":\\", '\\":': 2}).encode()
        assert [count_keys(text, piece) for piece in (1, 2, 3, 7, 64)] == [3] * 5
