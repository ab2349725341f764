"""Whether an answer begins with an error that another target may not have."""

import pytest

from policyd.proxy.opening import LONGEST, Whose, begins_with_error, whose_error

OVERLOADED = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"m"}}\n\n'

EVENTS = {
    "overloaded, before anything": (OVERLOADED, True),
    "the same with CRLF": (OVERLOADED.replace(b"\n", b"\r\n"), True),
    "a completion's error": (b'data: {"error":{"message":"m","code":502}}\n\n', True),
    "an error with an empty choice beside it": (b'data: {"id":"1","error":{"code":"server_error"},"choices":[]}\n\n', True),
    "a response's error": (b'event: error\ndata: {"type":"error","code":"server_error","message":"m"}\n\n', True),
    "an error after comments": (b": processing\n\n: processing\n\n" + OVERLOADED, True),
    "data over two lines": (b'data: {"error":\ndata: {"code":500}}\n\n', True),
    "a first event": (b'event: message_start\ndata: {"type":"message_start"}\n\n', False),
    "an error later": (b'data: {"choices":[]}\n\n' + OVERLOADED, False),
    "the word in a text": (b'data: {"choices":[{"delta":{"content":"\\"error\\""}}],"error":null}\n\n', False),
    "the request is at fault": (b'data: {"error":{"type":"invalid_request_error","message":"m"}}\n\n', False),
    "the request is at fault, by a number": (b'data: {"error":{"code":400}}\n\n', False),
    "the request is at fault, by a number in a text": (b'data: {"error":{"type":"None","code":"400"}}\n\n', False),
    "a type and a code that are no words": (b'data: {"error":{"type":[],"code":{"a":1}}}\n\n', True),
    "no JSON": (b'data: "error" of sorts\n\n', False),
    "JSON that is no object": (b'data: ["error"]\n\n', False),
    "a comment only": (b": processing\n\n", None),
    "half an event": (OVERLOADED[:-1], None),
    "nothing yet": (b"", None),
}  # fmt: skip


@pytest.mark.parametrize(("held", "found"), EVENTS.values(), ids=EVENTS.keys())
def test_a_stream(held: bytes, found: bool | None) -> None:
    assert begins_with_error(held, events=True, ended=False) is found


def test_a_stream_that_ends_or_is_long_is_passed_as_it_is() -> None:
    assert begins_with_error(OVERLOADED[:-1], events=True, ended=True) is False
    assert begins_with_error(b"data: " + b"x" * LONGEST, events=True, ended=False) is False


WHOLE = {
    "an error": (b'{"error":{"message":"m","code":502}}', True),
    "an error with spaces": (b' { "error" : {"code": null}}', True),
    "an error about the request": (b'{"error":{"code":400}}', False),
    "no error": (b'{"error":null,"choices":[]}', False),
    "an answer": (b'{"choices":[{"message":{"content":"error"}}]}', False),
    "an answer with an error further in": (b'{"id":"x","error":{"code":500}}', False),
    "broken": (b'{"error":{"code":', False),
    "nothing": (b"", False),
}


@pytest.mark.parametrize(("held", "found"), WHOLE.values(), ids=WHOLE.keys())
def test_a_whole_answer(held: bytes, found: bool) -> None:
    assert begins_with_error(held, events=False, ended=True) is found


def test_a_whole_answer_that_is_not_here_yet() -> None:
    assert begins_with_error(b'{"error":{"message":', events=False, ended=False) is None
    assert begins_with_error(b'{"choices":', events=False, ended=False) is False


@pytest.mark.parametrize("odd", [b"[]", b"{}", b"[" * 1000 + b"]" * 1000, b"5", b"null"])
def test_an_error_of_any_type_is_the_target_s(odd: bytes) -> None:
    assert whose_error(b'{"error": {"type": %b, "code": %b}}' % (odd, odd)) is Whose.TARGET
