"""Values put back into answers: whole ones, and streams that are cut anywhere, in every dialect."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyd.redact.answers import MOST_WAITING, RestoredStream, restored_whole
from policyd.redact.placeholders import Placeholders
from policyd.redact.restore import Restorer
from tests.redact.samples import CARD, KEY, PRIVATE
from tests.translate.streams import fed, sse

QUOTED = 'a "quoted"\\ one\n'
MADE = Placeholders(KEY)
CARD_WORD = MADE.of(CARD, "card-number")
KEY_WORD = MADE.of(PRIVATE, "private-key.pem")
QUOTED_WORD = MADE.of(QUOTED, "secret.assigned")
WORDS = {CARD_WORD: CARD, KEY_WORD: PRIVATE, QUOTED_WORD: QUOTED}
FOREIGN = Placeholders(b"another key").of(CARD, "card-number")
RESTORER = Restorer(WORDS)


def put_back(text: str) -> str:
    for word, value in WORDS.items():
        text = text.replace(word, value)
    return text


SAYINGS = [
    f"the card is {CARD_WORD}, and {KEY_WORD}{CARD_WORD}.",
    f"[{CARD_WORD}] [card {CARD_WORD[:-1]} {FOREIGN} [[",
    f"nothing {CARD_WORD.upper()} here",
    f"{QUOTED_WORD}",
    f"ends with a beginning {CARD_WORD[:9]}",
    "[", "", "[card-number:", "é[ü", CARD_WORD,
]  # fmt: skip

ARGUMENTS = [
    {"card": CARD_WORD, "key": KEY_WORD},
    {QUOTED_WORD: [QUOTED_WORD, f"x{QUOTED_WORD}y"]},
    {"none": FOREIGN},
    {},
]


def pieces_of(text: str, cuts: list[int]) -> list[str]:
    places = sorted({c % (len(text) + 1) for c in cuts})
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


Said = tuple[list[str], list[str]]
"""What a stream said: texts, and arguments of calls."""


def chat(texts: list[str], arguments: list[list[str]]) -> bytes:
    def chunk(delta: Any, reason: str | None = None) -> Any:
        return {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}  # fmt: skip

    events = [chunk({"role": "assistant", "content": ""})]
    events += [chunk({"content": text}) for text in texts]
    for number, pieces in enumerate(arguments):
        events.append(chunk({"tool_calls": [{"index": number, "id": f"call_{number}", "type": "function", "function": {"name": "f", "arguments": ""}}]}))  # fmt: skip
        events += [chunk({"tool_calls": [{"index": number, "function": {"arguments": p}}]}) for p in pieces]
    events += [chunk({}, "stop"), {"id": "c", "choices": [], "usage": {"prompt_tokens": 1}}]
    return sse(events, done=True)


def read_chat(stream: bytes) -> Said:
    text, calls = "", {}
    for event in events_of(stream):
        for choice in event["choices"]:
            text += choice["delta"].get("content") or ""
            for call in choice["delta"].get("tool_calls", ()):
                calls[call["index"]] = calls.get(call["index"], "") + call["function"]["arguments"]
    return [text], [calls[n] for n in sorted(calls)]


def completions(texts: list[str], _: list[list[str]]) -> bytes:
    return sse([{"choices": [{"index": 0, "text": text, "finish_reason": None}]} for text in texts] + [{"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}], done=True)  # fmt: skip


def read_completions(stream: bytes) -> Said:
    return ["".join(e["choices"][0]["text"] for e in events_of(stream))], []


def messages(texts: list[str], arguments: list[list[str]]) -> bytes:
    events: list[Any] = [{"type": "message_start", "message": {"id": "m", "content": [], "usage": {}}}]
    blocks = [({"type": "text", "text": ""}, [{"type": "text_delta", "text": t} for t in texts])]
    blocks += [({"type": "tool_use", "id": f"t{n}", "name": "f", "input": {}}, [{"type": "input_json_delta", "partial_json": p} for p in pieces]) for n, pieces in enumerate(arguments)]  # fmt: skip
    for index, (start, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": d} for d in deltas]
        events += [{"type": "ping"}, {"type": "content_block_stop", "index": index}]
    return sse(
        [*events, {"type": "message_delta", "delta": {}, "usage": {}}, {"type": "message_stop"}], named=True
    )


def read_messages(stream: bytes) -> Said:
    texts: dict[int, str] = {}
    calls: dict[int, str] = {}
    stopped: set[int] = set()
    for event in events_of(stream):
        if event["type"] == "content_block_delta":
            assert event["index"] not in stopped
            delta = event["delta"]
            into, key = (texts, "text") if "text" in delta else (calls, "partial_json")
            into[event["index"]] = into.get(event["index"], "") + delta[key]
        elif event["type"] == "content_block_stop":
            stopped.add(event["index"])
    return list(texts.values()) or [""], list(calls.values())


def responses(texts: list[str], arguments: list[list[str]]) -> bytes:
    whole = "".join(texts)
    item = {"type": "message", "id": "msg", "content": [{"type": "output_text", "text": whole}]}
    events: list[Any] = [{"type": "response.created", "response": {"id": "r", "output": []}}]
    events += [{"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "item_id": "i", "delta": t} for t in texts]  # fmt: skip
    events += [{"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": whole}]
    output: list[Any] = [item]
    for n, pieces in enumerate(arguments, 1):
        events += [
            {"type": "response.function_call_arguments.delta", "output_index": n, "delta": p} for p in pieces
        ]
        joined = "".join(pieces)
        events.append(
            {"type": "response.function_call_arguments.done", "output_index": n, "arguments": joined}
        )
        output.append({"type": "function_call", "call_id": "c", "name": "f", "arguments": joined})
    events.append({"type": "response.completed", "response": {"id": "r", "output": output}})
    for number, event in enumerate(events):
        event["sequence_number"] = number
    return sse(events, named=True)


def read_responses(stream: bytes) -> Said:
    text, calls, output = "", {}, []
    done: list[str] = []
    for number, event in enumerate(events_of(stream)):
        assert event["sequence_number"] == number
        match event["type"]:
            case "response.output_text.delta":
                text += event["delta"]
            case "response.output_text.done":
                assert event["text"] == text
            case "response.function_call_arguments.delta":
                calls[event["output_index"]] = calls.get(event["output_index"], "") + event["delta"]
            case "response.function_call_arguments.done":
                done.append(event["arguments"])
            case "response.completed":
                output = event["response"]["output"]
    found = [calls[n] for n in sorted(calls)]
    assert done == found
    assert output[0]["content"][0]["text"] == text
    assert [o["arguments"] for o in output[1:]] == found
    return [text], found


def events_of(stream: bytes) -> list[Any]:
    data = [line[6:] for line in stream.splitlines() if line.startswith(b"data: ")]
    return [json.loads(d) for d in data if d != b"[DONE]"]


DIALECTS: dict[str, tuple[Callable[[list[str], list[list[str]]], bytes], Callable[[bytes], Said]]] = {
    "chat": (chat, read_chat),
    "completions": (completions, read_completions),
    "messages": (messages, read_messages),
    "responses": (responses, read_responses),
}

CUTS = st.lists(st.integers(0, 10_000), max_size=30)


@settings(deadline=None)
@given(
    st.sampled_from(sorted(DIALECTS)),
    st.lists(st.sampled_from(SAYINGS), max_size=3).map("".join),
    st.lists(st.sampled_from(ARGUMENTS), max_size=2),
    CUTS,
    CUTS,
    st.integers(),
)
def test_a_stream_says_the_same_however_texts_and_bytes_are_cut(
    dialect: str, text: str, arguments: list[Any], text_cuts: list[int], byte_cuts: list[int], seed: int
) -> None:
    write, read = DIALECTS[dialect]
    drawn = random.Random(seed)
    written = [json.dumps(a, ensure_ascii=False) for a in arguments]
    stream = write(
        pieces_of(text, text_cuts),
        [pieces_of(w, [drawn.randrange(10_000) for _ in range(drawn.randrange(12))]) for w in written],
    )
    places = sorted({c % (len(stream) + 1) for c in byte_cuts})
    pieces = [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]
    out = fed(RestoredStream(RESTORER), *pieces)
    texts, calls = read(out)
    # A foreign one, a beginning and another case stay as they are.
    assert texts == [put_back(text)]
    if calls:
        assert [json.loads(c) for c in calls] == [json.loads(json.dumps(_restored(a))) for a in arguments]
    assert len(events_of(out)) == len(events_of(stream))


def _restored(value: Any) -> Any:
    if isinstance(value, dict):
        return {put_back(k): _restored(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_restored(v) for v in value]
    return put_back(value)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_cut_in_two_gives_the_same(dialect: str, end: bytes) -> None:
    write, _ = DIALECTS[dialect]
    stream = write(
        [f"a {CARD_WORD[:5]}", CARD_WORD[5:] + " b"], [[f'{{"k":"{QUOTED_WORD[:3]}', f'{QUOTED_WORD[3:]}"}}']]
    )
    stream = stream.replace(b"\n", end)
    whole = fed(RestoredStream(RESTORER), stream)
    assert CARD.encode() in whole
    for at in range(len(stream)):
        assert fed(RestoredStream(RESTORER), stream[:at], stream[at:]) == whole
    assert fed(RestoredStream(RESTORER), *(bytes([b]) for b in stream)) == whole


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_without_placeholders_is_the_very_bytes(dialect: str) -> None:
    write, _ = DIALECTS[dialect]
    stream = b": a comment\r\n\r\nid: 7\nretry: 5\n\n" + write(
        ["a [b", "] [card", FOREIGN, "["], [['{"a":[', "1]}"]]
    )
    assert fed(RestoredStream(RESTORER), stream) == stream
    assert fed(RestoredStream(RESTORER), *(bytes([b]) for b in stream)) == stream


def test_nothing_waits_longer_than_it_must() -> None:
    stream = RestoredStream(RESTORER)

    def say(text: str) -> bytes:
        return stream.feed(
            sse([{"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}])
        )

    assert b'"a "' in say("a ")
    assert say("b [card") == b""
    assert say("-number:") == b""
    passed = say("no such thing")
    assert b"b [card" in passed and b"no such thing" in passed
    assert say(CARD_WORD[:-1]) == b""
    assert CARD.encode() in say("]")
    assert say("[") == b""
    # The choice is at its end, so what was open is not going on.
    assert b'"["' in stream.feed(sse([{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]))


def test_calls_that_are_written_side_by_side_are_restored_each() -> None:
    def chunk(number: int, text: str) -> Any:
        return {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": number, "function": {"arguments": text}}]}, "finish_reason": None}]}  # fmt: skip

    events = [chunk(0, f'"{CARD_WORD[:4]}'), chunk(1, f'"{CARD_WORD[:7]}'), chunk(0, f'{CARD_WORD[4:]}"'), chunk(1, f'{CARD_WORD[7:]}"')]  # fmt: skip
    assert read_chat(fed(RestoredStream(RESTORER), sse(events)))[1] == [f'"{CARD}"', f'"{CARD}"']


def test_what_never_goes_on_does_not_hold_the_others_for_ever() -> None:
    def chunk(choice: int, text: str) -> Any:
        return {"choices": [{"index": choice, "delta": {"content": text}, "finish_reason": None}]}

    stream = RestoredStream(RESTORER)
    assert stream.feed(sse([chunk(0, "[card")])) == b""
    out = b"".join(stream.feed(sse([chunk(1, "x")])) for _ in range(MOST_WAITING))
    assert b"[card" in out


def test_thinking_and_its_signature_are_not_touched() -> None:
    thought = {"type": "thinking", "thinking": f"the card {CARD_WORD}", "signature": "sig"}
    events: list[Any] = [
        {"type": "content_block_start", "index": 0, "content_block": thought},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": CARD_WORD}},
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": CARD_WORD},
        {"type": "response.reasoning_summary_text.done", "output_index": 0, "text": CARD_WORD},
        {"type": "response.output_item.done", "output_index": 0, "item": {"type": "reasoning", "summary": [{"type": "summary_text", "text": CARD_WORD}]}},
        {"choices": [{"index": 0, "delta": {"reasoning_content": CARD_WORD}}]},
    ]  # fmt: skip
    assert fed(RestoredStream(RESTORER), sse(events)) == sse(events)
    whole = json.dumps(
        {"content": [thought], "choices": [{"message": {"reasoning_content": CARD_WORD}}]}
    ).encode()
    assert restored_whole(whole, RESTORER) == whole


WHOLES: dict[str, tuple[Any, Any]] = {
    "chat": (
        {"id": CARD_WORD, "choices": [{"message": {"content": f"x {QUOTED_WORD}", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": json.dumps({"k": QUOTED_WORD})}}]}}]},
        {"id": CARD_WORD, "choices": [{"message": {"content": f"x {QUOTED}", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": json.dumps({"k": QUOTED})}}]}}]},
    ),
    "messages": (
        {"content": [{"type": "text", "text": CARD_WORD}, {"type": "tool_use", "id": "t", "name": "f", "input": {"id": CARD_WORD, QUOTED_WORD: [KEY_WORD]}}]},
        {"content": [{"type": "text", "text": CARD}, {"type": "tool_use", "id": "t", "name": "f", "input": {"id": CARD, QUOTED: [PRIVATE]}}]},
    ),
    "an error": ({"error": {"message": f"no {CARD_WORD}", "type": "x"}}, {"error": {"message": f"no {CARD}", "type": "x"}}),
}  # fmt: skip


@pytest.mark.parametrize("kind", WHOLES)
def test_a_whole_answer_is_restored(kind: str) -> None:
    came, wanted = WHOLES[kind]
    assert json.loads(restored_whole(json.dumps(came).encode(), RESTORER)) == wanted


def test_an_answer_that_is_json_by_order_stays_json() -> None:
    restorer = Restorer(WORDS, json_answers=True)
    came = {"choices": [{"message": {"content": json.dumps({"k": QUOTED_WORD})}}]}
    whole = json.loads(restored_whole(json.dumps(came).encode(), restorer))
    assert json.loads(whole["choices"][0]["message"]["content"]) == {"k": QUOTED}
    stream = chat([f'{{"k": "{QUOTED_WORD[:9]}', f'{QUOTED_WORD[9:]}"}}'], [])
    text = read_chat(fed(RestoredStream(restorer), stream))[0][0]
    assert json.loads(text) == {"k": QUOTED}


@pytest.mark.parametrize(
    "body", [b"", b"not json [card-number:bcdfghjkmnpq]", b'{"a": "[card-number:bcdfghjkmnpq]"}', b" { } "]
)
def test_what_has_nothing_to_put_back_is_the_very_bytes(body: bytes) -> None:
    assert restored_whole(body, RESTORER) == body
