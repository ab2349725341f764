"""Ids of answers: found where the API puts them, as soon as they are complete, and nowhere else."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.proxy.conversations.answer_ids import AnswerIds, ids_in, listening
from tests.conversations.given import events

RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "conversation": {"id": "conv_1"},
    "output": [
        {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": '{"id":"resp_no"}'}]},
        {"type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_1"},
    ],
    "metadata": {"id": "resp_no", "conversation": "conv_no"},
    "tools": [{"type": "function", "parameters": {"id": "resp_no", "object": "response"}}],
    "instructions": [{"id": "resp_no"}],
}
IDS = ("resp_1", "conv_1", "msg_1", "ci_1", "cntr_1")


def whole(body: object) -> bytes:
    return json.dumps(body).encode()


def fed(ids: AnswerIds, *pieces: bytes) -> tuple[str, ...]:
    return tuple(i for piece in pieces for i in ids.feed(piece))


def test_the_ids_of_a_response_stand_where_the_api_puts_them() -> None:
    assert tuple(ids_in(RESPONSE)) == IDS
    assert tuple(ids_in({"object": "chat.completion", "id": "chatcmpl-1"})) == ()
    assert tuple(ids_in({"type": "message", "id": "msg_1", "container": {"id": "container_1"}})) == (
        "container_1",
    )


@pytest.mark.parametrize("odd", [None, 1, [], {}, "", "x" * 300, ["resp_1"], True])
def test_odd_values_are_no_ids(odd: Any) -> None:
    answer = {"object": "response", "id": odd, "conversation": odd, "output": odd}
    assert tuple(ids_in(answer)) == ()
    assert tuple(ids_in({"object": "response", "output": [odd]})) == ()


@given(st.data())
def test_however_a_whole_answer_is_cut_its_ids_are_there_with_its_last_byte(data: st.DataObject) -> None:
    body = whole(RESPONSE)
    cut = data.draw(st.integers(1, len(body) - 1))
    ids = AnswerIds(events=False, packed=False)
    assert fed(ids, body[:cut]) == ()
    assert fed(ids, body[cut:], b"\n") == IDS


@given(st.data())
def test_however_a_stream_is_cut_each_id_is_told_once_and_with_the_end_of_its_line(
    data: st.DataObject,
) -> None:
    body = events(RESPONSE)
    first_line = body.index(b"\n", body.index(b"data:"))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(body) - 1), max_size=6)))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    ids, seen, passed = AnswerIds(events=True, packed=False), [], 0
    for piece in pieces:
        passed += len(piece)
        seen += ids.feed(piece)
        assert (tuple(seen) == IDS) is (passed > first_line)


def test_items_and_containers_of_a_stream() -> None:
    lines = [
        {"type": "response.output_item.added", "item": {"id": "fc_1", "type": "function_call"}},
        {"type": "message_delta", "delta": {"container": {"id": "container_1"}}},
        {"type": "message_start", "message": {"container": {"id": "container_2"}}},
        {"type": "response.output_text.delta", "delta": "x", "item": {"id": "no"}},
    ]
    body = b"".join(b"data: " + whole(line) + b"\r\n\r\n" for line in lines)
    assert fed(AnswerIds(events=True, packed=False), body) == ("fc_1", "container_1", "container_2")


def test_what_is_packed_is_unpacked_and_what_cannot_be_read_is_left() -> None:
    headers = [(b"content-type", b"application/json"), (b"content-encoding", b"gzip")]
    ids = listening(headers)
    assert ids is not None
    assert fed(ids, gzip.compress(whole(RESPONSE))) == IDS
    assert fed(AnswerIds(events=False, packed=True), b"not packed at all") == ()
    assert listening([(b"content-type", b"application/json"), (b"content-encoding", b"br")]) is None
    assert listening([(b"content-type", b"text/html")]) is None


def test_what_is_kept_has_a_bound() -> None:
    for events_ in (True, False):
        ids = AnswerIds(events=events_, packed=False)
        for _ in range(100):
            assert ids.feed(b"x" * 65536) == ()
        assert sum(map(len, ids._held)) <= 2 * 1024 * 1024
    # A line that was too long is left out, and the next one is read.
    ids = AnswerIds(events=True, packed=False)
    long = b'data: {"type":"response.created","response":{"object":"response","id":"resp_long","x":"'
    assert fed(ids, long, b"y" * 3_000_000, b'"}}\n\n', events(RESPONSE)) == IDS


def test_a_body_of_braces_is_not_read_again_and_again() -> None:
    ids = AnswerIds(events=False, packed=False)
    for _ in range(1000):
        ids.feed(b"{}}")
    assert ids._looks <= 65
