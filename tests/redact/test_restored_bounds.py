"""What one answer can make of the sidecar while values are put back: no crash, and work and memory that grow with the answer.

What is counted is what the code does (calls, bytes held), never how long it took.
"""

import json
from typing import Any

import orjson
import pytest

from policyd.proxy.restored import Restored
from policyd.proxy.way import Garbled
from policyd.redact import answers
from policyd.redact.answers import (
    MOST_BYTES_WAITING,
    MOST_OPEN,
    RestoredStream,
    restored_whole,
)
from policyd.redact.placeholders import PLACEHOLDER, Placeholders
from policyd.redact.places import is_sealed_thought
from policyd.redact.redacted import Redacted
from policyd.redact.restore import MOST_ADDED, Restorer, Unrestorable
from policyd.traffic.endpoints import EndpointName
from tests.redact.samples import CARD, KEY, KEY_LINES, NAMES, redact
from tests.translate.streams import fed, sse

WORD = Placeholders(KEY).of(CARD, "card-number")
RESTORER = Restorer({WORD: CARD})
LEVELS = (210, 260, 500, 900, 1020)


def chunk(text: str, index: Any = 0, **more: Any) -> Any:
    return {"choices": [{"index": index, "delta": {"content": text, **more}, "finish_reason": None}]}


def deep(levels: int, inside: str) -> Any:
    """Written, not built: the writer of JSON ends before its reader does."""
    return b"[" * levels + orjson.dumps(inside) + b"]" * levels


@pytest.mark.parametrize("levels", LEVELS)
def test_an_answer_too_deep_to_be_written_is_none(levels: int) -> None:
    with pytest.raises(Unrestorable):
        restored_whole(b'{"choices":%b}' % deep(levels, WORD), RESTORER)
    with pytest.raises(Unrestorable):
        fed(RestoredStream(RESTORER), b'data: {"other":%b}\n\n' % deep(levels, WORD))


def test_an_event_whose_text_changes_is_too_deep_elsewhere() -> None:
    event = b'data: {"choices":[{"index":0,"delta":{"content":%b}}],"x":%b}\n\n'
    with pytest.raises(Unrestorable):
        fed(RestoredStream(RESTORER), event % (orjson.dumps(WORD), deep(300, "x")))
    plain = event % (b'"nothing"', deep(300, "x"))
    assert fed(RestoredStream(RESTORER), plain) == plain


@pytest.mark.parametrize(("kind", "frame"), [(b"application/json", b'{"x":%b}'), (b"text/event-stream", b'data: {"x":%b}\n\n')])  # fmt: skip
def test_an_answer_that_cannot_be_restored_is_garbled(kind: bytes, frame: bytes) -> None:
    reply = Restored(None, RESTORER)
    reply.head(200, [(b"content-type", kind)])
    with pytest.raises(Garbled, match="deeper"):
        reply.feed(frame % deep(400, WORD)) + reply.end()


ODD: tuple[Any, ...] = ([], {}, [[]], {"a": []}, None, 5, True, "x")


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_a_type_of_any_form_is_no_thought(odd: Any) -> None:
    assert not is_sealed_thought({"type": odd, "text": "x"})
    whole = restored_whole(orjson.dumps({"content": [{"type": odd, "text": WORD}]}), RESTORER)
    assert json.loads(whole)["content"][0]["text"] == CARD


EVENTS: tuple[Any, ...] = (
    {"type": "content_block_delta", "index": "?", "delta": {"type": "text_delta", "text": WORD}},
    {"type": "response.output_text.delta", "output_index": "?", "content_index": "?", "delta": WORD},
    {"choices": [{"index": "?", "delta": {"content": WORD}}]},
    {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": "?", "function": {"arguments": WORD}}]}}]},
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: str(sorted(event)))
@pytest.mark.parametrize("levels", [3, 990])
def test_a_number_of_any_form_numbers_nothing(event: Any, levels: int) -> None:
    raw = b"data: " + orjson.dumps(event).replace(b'"?"', deep(levels, "x")) + b"\n\n"
    if levels > 200:
        with pytest.raises(Unrestorable):
            fed(RestoredStream(RESTORER), raw)
    else:
        assert CARD.encode() in fed(RestoredStream(RESTORER), raw)


def test_what_comes_back_is_bounded() -> None:
    long = Restorer({WORD: "k" * (1 << 20)})
    times = MOST_ADDED // (1 << 20)
    with pytest.raises(Unrestorable, match="larger"):
        restored_whole(orjson.dumps({"text": WORD * (times + 1)}), long)
    stream = RestoredStream(long)
    sent = 0
    with pytest.raises(Unrestorable, match="larger"):
        for _ in range(times + 2):
            sent += len(stream.feed(sse([chunk(WORD)])))
    assert (times - 1) << 20 < sent < MOST_ADDED + (1 << 20)
    # What one answer got is not the next one's.
    assert len(restored_whole(orjson.dumps({"text": WORD}), long)) > 1 << 20


def test_bytes_that_wait_are_bounded() -> None:
    stream = RestoredStream(RESTORER)
    assert stream.feed(sse([chunk("[card")])) == b""
    large = sse([chunk("x" * (MOST_BYTES_WAITING // 8), 1)])
    fed_in = sent = 0
    for _ in range(20):
        sent += len(stream.feed(large))
        fed_in += len(large)
        assert fed_in - sent <= MOST_BYTES_WAITING + len(large)
    assert sent > 0


def test_texts_that_are_open_are_bounded() -> None:
    several = sse([{"choices": [chunk("[card", n)["choices"][0] for n in range(MOST_OPEN)]}])
    stream = RestoredStream(RESTORER)
    assert stream.feed(several) == b""
    rest = WORD.removeprefix("[card")
    goes_on = {"choices": [chunk(rest, n)["choices"][0] for n in range(MOST_OPEN)]}
    assert stream.feed(sse([goes_on])).count(CARD.encode()) == MOST_OPEN
    one_more = [chunk("[card", n)["choices"][0] for n in range(MOST_OPEN + 1)]
    out = fed(RestoredStream(RESTORER), sse([{"choices": one_more}, goes_on]))
    assert CARD.encode() not in out


@pytest.mark.parametrize("over", ["goes on", "ends"])
def test_a_text_that_is_over_is_open_no_more(over: str) -> None:
    stream = RestoredStream(RESTORER)
    last = chunk(" indeed")
    if over == "ends":
        last["choices"][0] = {"index": 0, "delta": {}, "finish_reason": "stop"}
    for _ in range(MOST_OPEN):
        assert stream.feed(sse([chunk("[card")])) == b""
        assert b"[card" in stream.feed(sse([last]))
    both = [chunk("[card", 0), chunk("[card", 1)]
    rest = WORD.removeprefix("[card")
    assert fed(stream, sse([*both, chunk(rest, 0), chunk(rest, 1)])).count(CARD.encode()) == 2


def test_a_piece_of_a_text_is_compared_with_one_other(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    together = answers._go_on_together

    def counted(one: str, other: str) -> bool:
        nonlocal asked
        asked += 1
        return together(one, other)

    monkeypatch.setattr(answers, "_go_on_together", counted)
    calls = [{"index": n, "function": {"arguments": "[card"}} for n in range(200)]
    fed(RestoredStream(RESTORER), sse([chunk("", tool_calls=calls)]))
    assert asked == len(calls) - 1


def test_empty_pieces_of_an_open_text_are_not_kept() -> None:
    stream = RestoredStream(RESTORER)
    parts = [{"type": "text", "text": "[card"}, *({"type": "text", "text": ""} for _ in range(1000))]
    event = {"choices": [{"index": 0, "delta": {"content": parts}}]}
    assert stream.feed(sse([event])) == b""
    (tail,) = stream._open["choice 0"].values()
    assert len(tail.pieces) == 1
    assert CARD.encode() in stream.feed(sse([chunk(WORD.removeprefix("[card"))]))


@pytest.mark.parametrize("blank", [b"\n", b"\r", b"\r\n"])
def test_blank_lines_are_one_event(blank: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[bytes] = []
    take = RestoredStream._take

    def noted(self: RestoredStream, raw: bytes) -> None:
        taken.append(raw)
        take(self, raw)

    monkeypatch.setattr(RestoredStream, "_take", noted)
    stream = sse([chunk("a")]) + blank * 5000 + sse([chunk(WORD)])
    out = fed(RestoredStream(RESTORER), stream)
    assert len(taken) == 2
    assert out.count(blank) >= 5000
    assert CARD.encode() in out


def test_a_long_event_in_small_pieces_is_joined_once() -> None:
    stream = RestoredStream(RESTORER)
    event = sse([chunk("x" * 100_000 + WORD)])
    for at in range(0, len(event) - 1000, 1000):
        assert stream.feed(event[at : at + 1000]) == b""
        # Each piece is kept as it came.
        assert len(stream._held) == at // 1000 + 1
    assert CARD.encode() in stream.feed(event[at + 1000 :])


def key_around(inside: str) -> str:
    kind = "PRIVATE" + " KEY"
    return f"-----BEGIN {kind}-----\n{KEY_LINES}\n{inside}\n-----END {kind}-----"


def laughing(levels: int, times: int) -> tuple[Redacted, int]:
    """Keys that hold the placeholder of the key before, which a caller learns from an answer."""
    texts = [key_around("")]
    for _ in range(levels):
        made = Placeholders(KEY).of(texts[-1], "private-key.pem")
        texts.append(key_around(made * times))
    request = {"model": "m", "messages": [{"role": "user", "content": text} for text in texts]}
    return redact(EndpointName.CHAT, request), len(json.dumps(request))


@pytest.mark.parametrize(("levels", "times"), [(1, 200), (2, 40), (3, 30), (12, 20), (1200, 1)])
def test_values_that_hold_each_other_over_and_over_are_not_put_together(levels: int, times: int) -> None:
    taken, size = laughing(levels, times)
    assert taken.left == frozenset(NAMES)
    assert sum(map(len, taken.values.values())) <= 5 * size


def test_a_value_that_holds_another_is_put_together_once() -> None:
    taken, _ = laughing(1, 2)
    assert taken.left == frozenset()
    first, second = sorted(taken.values.values(), key=len)
    assert second.count(first) == 2
    assert PLACEHOLDER.search(second) is None
