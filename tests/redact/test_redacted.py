"""Requests without what was found in them: every dialect, every place, and what stays as it was."""

import base64
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyd.detect.scanner import Scanner, Span
from policyd.redact.placeholders import PLACEHOLDER, Placeholders
from policyd.redact.redacted import redacted, still_in
from policyd.redact.swap import Swaps
from policyd.traffic.endpoints import EndpointName as E
from policyd.traffic.read import read_request
from tests.redact.samples import (
    AWS,
    CARD,
    GITHUB,
    KEY,
    KEY_LINES,
    NAMES,
    PASSWORD,
    PRIVATE,
    SCANNER,
    assert_gone,
    body_of,
    redact,
)


def said(content: Any, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": content}], **more}


def called(arguments: Any) -> dict[str, Any]:
    call = {"id": "c1", "type": "function", "function": {"name": "pay", "arguments": json.dumps(arguments)}}
    return {"model": "m", "messages": [{"role": "assistant", "content": None, "tool_calls": [call]}]}


def used(tool_input: Any) -> dict[str, Any]:
    block = {"type": "tool_use", "id": "t1", "name": "pay", "input": tool_input}
    return {"model": "m", "max_tokens": 5, "messages": [{"role": "assistant", "content": [block]}]}


def document(text: str) -> dict[str, Any]:
    data = base64.b64encode(text.encode()).decode()
    source = {"type": "base64", "media_type": "text/plain", "data": data}
    return said([{"type": "document", "source": source}], max_tokens=5)


PLACES: dict[str, tuple[E, Any, tuple[str, ...]]] = {
    "a message": (E.CHAT, said(f"pay with {CARD}, log in with {AWS}."), (CARD, AWS)),
    "a part": (E.CHAT, said([{"type": "text", "text": f"the key is {AWS}"}]), (AWS,)),
    "a system message": (E.CHAT, {"model": "m", "messages": [{"role": "system", "content": AWS}]}, (AWS,)),
    "arguments": (E.CHAT, called({"card": CARD, "note": f"said \"{AWS}\""}), (CARD, AWS)),
    "a number in arguments": (E.CHAT, called({"card": 4111111111111111}), ("4111111111111111",)),
    "a label in arguments": (E.CHAT, called({"password": PASSWORD}), (PASSWORD,)),
    "a key of arguments": (E.CHAT, called({GITHUB: 1}), (GITHUB,)),
    "json in json": (E.CHAT, called({"body": json.dumps({"pem": PRIVATE})}), (PRIVATE, KEY_LINES)),
    "a tool's description": (
        E.CHAT,
        said("hi", tools=[{"type": "function", "function": {"name": "f", "description": AWS, "parameters": {"type": "object", "properties": {"id": {"type": "string", "default": GITHUB}}}}}]),
        (AWS, GITHUB),
    ),
    "metadata": (E.CHAT, said("hi", metadata={"id": AWS}), (AWS,)),
    "a stop sequence": (E.CHAT, said("hi", stop=[AWS]), (AWS,)),
    "reasoning that nobody signed": (
        E.CHAT,
        {"model": "m", "messages": [{"role": "assistant", "content": "x", "reasoning_content": AWS}]},
        (AWS,),
    ),
    "system of messages": (E.MESSAGES, said("hi", max_tokens=5, system=PRIVATE), (PRIVATE, KEY_LINES)),
    "a tool's input": (E.MESSAGES, used({"type": "x", "name": AWS, "id": {"name": CARD}}), (AWS, CARD)),
    "a number in a tool's input": (E.MESSAGES, used({"card": 4111111111111111}), ("4111111111111111",)),
    "a key of a tool's input": (E.MESSAGES, used({AWS: True}), (AWS,)),
    "a label in a tool's input": (E.MESSAGES, used({"password": PASSWORD}), (PASSWORD,)),
    "a tool's result": (
        E.MESSAGES,
        said([{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": json.dumps({"k": PRIVATE})}]}], max_tokens=5),
        (PRIVATE, KEY_LINES),
    ),
    "a file of text": (E.MESSAGES, document(f"a long enough text with {CARD} and {AWS} in it"), (CARD, AWS)),
    "a short file of text": (E.MESSAGES, document(f"card {CARD}"), (CARD,)),
    "a document's own text": (
        E.MESSAGES,
        said([{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": AWS}}], max_tokens=5),
        (AWS,),
    ),
    "counting": (E.COUNT_TOKENS, said(AWS), (AWS,)),
    "input": (E.RESPONSES, {"model": "m", "input": f"x {AWS}"}, (AWS,)),
    "instructions": (E.RESPONSES, {"model": "m", "input": "x", "instructions": PRIVATE}, (PRIVATE,)),
    "items": (
        E.RESPONSES,
        {
            "model": "m",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": CARD}]},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": json.dumps({"k": GITHUB})},
                {"type": "function_call_output", "call_id": "c", "output": AWS},
            ],
        },
        (CARD, GITHUB, AWS),
    ),
    "a file of responses": (
        E.RESPONSES,
        {"model": "m", "input": [{"role": "user", "content": [{"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64," + base64.b64encode(f"this is the key {AWS}, and a card {CARD}".encode()).decode()}]}]},
        (AWS, CARD),
    ),
    "a prompt": (E.COMPLETIONS, {"model": "m", "prompt": ["a", f"b {AWS}"], "suffix": CARD}, (AWS, CARD)),
    "embeddings": (E.EMBEDDINGS, {"model": "m", "input": ["a", f"b {AWS} {CARD}"]}, (AWS, CARD)),
    "base64 in words": (E.CHAT, said("b " + base64.b64encode(f"text with card {CARD} is here".encode()).decode()), (CARD,)),
    "a key in base64": (E.CHAT, said("b " + base64.b64encode(PRIVATE.encode()).decode() + " e"), (PRIVATE,)),
    "unseen characters inside": (E.CHAT, said("k " + AWS[:9] + "\u200b" + AWS[9:] + " e"), (AWS[:9], AWS[9:])),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_nothing_that_is_redacted_is_left_wherever_it_stood(place: str) -> None:
    endpoint, request, values = PLACES[place]
    out = redact(endpoint, request)
    assert out.left == frozenset()
    assert_gone(out.body.raw, *values)
    assert json.loads(out.body.raw) == out.body.parsed
    assert sum(out.counts.values()) >= len(values) - 1
    assert not still_in(endpoint, out.body.raw, NAMES, out.values, SCANNER)


@pytest.mark.parametrize("place", PLACES)
def test_putting_the_values_back_gives_the_request_that_came(place: str) -> None:
    endpoint, request, _ = PLACES[place]
    out = redact(endpoint, request)

    def back(value: Any) -> Any:
        if isinstance(value, str):
            if value.lstrip()[:1] in "{[" and value.strip():
                try:
                    return json.dumps(back(json.loads(value)))
                except ValueError:
                    pass
            if value.startswith("data:"):
                head, _, data = value.partition(",")
                return f"{head},{base64.b64encode(back(base64.b64decode(data).decode()).encode()).decode()}"
            return PLACEHOLDER.sub(lambda p: out.values[p[0]], value)
        if isinstance(value, list):
            return [back(v) for v in value]
        if isinstance(value, dict):
            return {back(k): back(v) for k, v in value.items()}
        return value

    restored = back(json.loads(out.body.raw))
    if "file of text" in place:
        data = restored["messages"][0]["content"][0]["source"]
        data["data"] = base64.b64encode(back(base64.b64decode(data["data"]).decode()).encode()).decode()
    # A number comes back as a string, and that is documented.
    assert json.dumps(restored).replace('\\"4111111111111111\\"', "4111111111111111").replace(
        '"4111111111111111"', "4111111111111111"
    ) == json.dumps(request)


LEFT: dict[str, tuple[E, Any, str]] = {
    "cut across parts": (
        E.MESSAGES,
        said([{"type": "text", "text": AWS[:8]}, {"type": "text", "text": AWS[8:]}], max_tokens=5),
        "secret.aws",
    ),
    "cut across messages": (
        E.CHAT,
        {"model": "m", "messages": [{"role": "user", "content": AWS[:8]}, {"role": "user", "content": AWS[8:]}]},
        "secret.aws",
    ),
    "signed thinking": (
        E.MESSAGES,
        {"model": "m", "max_tokens": 5, "messages": [{"role": "assistant", "content": [{"type": "thinking", "thinking": f"use {AWS}", "signature": "c2ln"}]}]},
        "secret.aws",
    ),
    "a tool's name": (E.CHAT, said("hi", tools=[{"type": "function", "function": {"name": AWS, "parameters": {}}}]), "secret.aws"),
    "a speaker's name": (E.CHAT, {"model": "m", "messages": [{"role": "user", "name": AWS, "content": "hi"}]}, "secret.aws"),
    "the model's name": (E.CHAT, {"model": AWS, "messages": []}, "secret.aws"),
    "an id": (E.CHAT, {"model": "m", "messages": [{"role": "tool", "tool_call_id": AWS, "content": "x"}]}, "secret.aws"),
    "a place to fetch from": (
        E.CHAT,
        said([{"type": "image_url", "image_url": {"url": f"https://example.com/{AWS}"}}]),
        "secret.aws",
    ),
    "a row of numbers": (E.CHAT, said("hi", extra=[4111, 1111, 1111, 1111]), "card-number"),
    "a number of the API": (E.CHAT, said("hi", seed=4111111111111111), "card-number"),
    "a key at the top": (E.CHAT, said("hi", **{AWS: 1}), "secret.aws"),
    "a private key without its end": (E.CHAT, said(PRIVATE[:180]), "private-key.pem"),
    "a private key whose lines are in another part": (
        E.CHAT,
        said([{"type": "text", "text": PRIVATE[:40]}, {"type": "text", "text": PRIVATE[40:]}]),
        "private-key.pem",
    ),
}  # fmt: skip


@pytest.mark.parametrize("place", LEFT)
def test_what_cannot_be_taken_out_is_said(place: str) -> None:
    endpoint, request, name = LEFT[place]
    assert name in redact(endpoint, request).left


def test_a_value_that_is_taken_out_in_one_place_and_stands_in_another_that_cannot_change_is_left() -> None:
    request = said(
        f'{{"password": "{PASSWORD}"}}', tools=[{"type": "function", "function": {"name": PASSWORD}}]
    )
    out = redact(E.CHAT, request)
    assert "secret.assigned" in out.left


def test_a_labelled_value_is_taken_out_where_nothing_says_what_it_is() -> None:
    out = redact(E.CHAT, {"model": "m", "messages": [
        {"role": "user", "content": f'{{"password": "{PASSWORD}"}}'},
        {"role": "user", "content": f"did you know that {PASSWORD} is weak?"},
    ]})  # fmt: skip
    assert out.left == frozenset()
    assert_gone(out.body.raw, PASSWORD)
    assert len(set(PLACEHOLDER.findall(out.body.raw.decode()))) == 1


def test_what_nobody_redacts_stays() -> None:
    out = redact(E.CHAT, said(f"{CARD} and {AWS}"), ("card-number",))
    assert out.counts == {"card-number": 1}
    assert AWS.encode() in out.body.raw


def test_a_request_without_findings_is_the_very_bytes_that_came() -> None:
    body = body_of(said("  nothing here "))
    out = redact(E.CHAT, said("  nothing here "))
    assert out.body.raw == body.raw
    assert (out.counts, out.values, out.left) == ({}, {}, frozenset())


def test_structure_is_as_it_came() -> None:
    request = {
        "model": "m", "temperature": 0.1, "seed": 7, "stream": True, "user": "u",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": AWS}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\" :  1}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "1.50"},
        ],
    }  # fmt: skip
    parsed = redact(E.CHAT, request).body.parsed
    request["messages"][0] = parsed["messages"][0]  # type: ignore[index]
    assert json.dumps(parsed) == json.dumps(request)


def test_one_value_has_one_placeholder_under_one_key() -> None:
    first, again, other = (
        redact(E.CHAT, said(f"{AWS} {CARD}", metadata={"n": number}), key=key).values
        for number, key in ((1, KEY), (2, KEY), (3, KEY[::-1]))
    )
    assert first == again
    assert first.keys().isdisjoint(other)


def test_the_text_of_a_caller_that_looks_like_a_placeholder_means_nothing() -> None:
    theirs = next(iter(redact(E.CHAT, said(GITHUB)).values))
    out = redact(E.CHAT, said(f"{theirs} and [card-number:bcdfghjkmnpq] and {AWS}"))
    assert theirs in out.body.raw.decode()
    assert list(out.values.values()) == [AWS]


VALUES = st.sampled_from([AWS, GITHUB, CARD, PRIVATE, PASSWORD, "4111111111111111"])
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
LEAF = st.one_of(WORDS, VALUES, st.integers(-5, 5), st.none(), st.tuples(WORDS, VALUES, WORDS).map(" ".join))
TREES = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3), inner.map(json.dumps)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(TREES, WORDS)
def test_nothing_is_both_left_and_unsaid(tree: Any, words: str) -> None:
    """Whatever a tool was given: what is sent has no finding that is not said to be left, and is JSON throughout."""
    for endpoint, request in (
        (E.MESSAGES, used({"x": tree, "w": words})),
        (E.CHAT, called({"x": tree, "w": words})),
    ):
        out = redact(endpoint, request)
        found = still_in(endpoint, out.body.raw, NAMES, {}, SCANNER)
        assert {n.partition(".")[0] for n in found} <= {n.partition(".")[0] for n in out.left}
        message = json.loads(out.body.raw)["messages"][0]
        if endpoint is E.CHAT:
            json.loads(message["tool_calls"][0]["function"]["arguments"])


def test_a_short_value_stays_inside_a_longer_word() -> None:
    swaps = Swaps({"1234567": "[x]", "longer than eleven": "[y]"})
    assert swaps.text("id 91234567 and 1234567, a1234567") == "id 91234567 and [x], a1234567"
    assert swaps.text("xlonger than elevenx") == "x[y]x"
    assert list(swaps.found("91234567 (1234567)")) == ["1234567"]
    assert Swaps({"1234567": "[x]"}, {"1234567"}).text("91234567") == "9[x]"


def test_the_longest_value_goes_first() -> None:
    assert Swaps({"abcdefgh": "[x]", "abcdefgh ijkl": "[y]"}).text("abcdefgh ijkl abcdefgh") == "[y] [x]"


def test_two_keys_never_become_one() -> None:
    word = next(iter(redact(E.CHAT, said(AWS)).values))
    out = redact(E.MESSAGES, used({AWS: 1, word: 2}))
    assert out.left == {"secret.aws"}
    assert out.body.parsed["messages"][0]["content"][0]["input"] == {AWS: 1, word: 2}


class _Alike(Placeholders):
    """Every value has the same letters, until it is asked again."""

    def _letters(self, value: str, turn: int) -> str:
        return super()._letters("" if turn == 0 else value, turn)


def test_two_values_never_share_a_placeholder() -> None:
    made = _Alike(KEY)
    first, second, again = made.of("one", "secret"), made.of("two", "secret"), made.of("one", "secret")
    assert first == again != second
    assert made.values == {first: "one", second: "two"}


class _Feeling:
    """A classifier that says what is in a text and not where."""

    def scan(self, texts: Iterable[str], _: object = None) -> frozenset[str]:
        return frozenset({"custom.mood"} if any("sad" in text for text in texts) else ())

    def places(self, _: str) -> tuple[Span, ...]:
        return ()


def test_what_is_found_and_has_no_place_is_left() -> None:
    scanner = Scanner(beside=_Feeling())
    body = body_of(said(f"a sad day for {AWS}"))
    out = redacted(E.CHAT, body, read_request(E.CHAT, body.parsed), ("custom", "secret"), scanner, KEY)
    assert out.left == {"custom.mood"}
    assert out.counts == {"secret.aws": 1}
    assert still_in(E.CHAT, out.body.raw, ("custom",), {}, scanner) == {"custom.mood"}


def test_a_detector_that_takes_placeholders_for_secrets_keeps_nothing_from_being_taken_out() -> None:
    request = said(
        f'<add key="Password" value="{PASSWORD}" /> <add key="Password" value="[secret.nuget:bcdfghjkmnpq]" />'
    )
    out = redact(E.CHAT, request)
    assert_gone(out.body.raw, PASSWORD)
    # The one that the caller wrote is a password like any other.
    assert out.left == frozenset()
    assert list(out.values.values()).count(PASSWORD) == 1
    assert len(out.values) <= 2
