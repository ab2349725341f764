"""Where in a request something was found: in whose words, at which place, and never the text itself."""

import base64
from typing import Any

import orjson
import pytest

from policyd.detect.scanner import Scanner
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.found import MOST_FOUND, Found, where_found
from policyd.traffic.read import read_request

CHAT, MESSAGES, RESPONSES = EndpointName.CHAT, EndpointName.MESSAGES, EndpointName.RESPONSES
COMPLETIONS = EndpointName.COMPLETIONS
KEY = "AKIA" + "Q3PT6XWZ7LMNB2CD"
FILE = "data:text/csv;base64," + base64.b64encode(f"name,key\nbob,{KEY}\nann,none\n".encode()).decode()


def places(endpoint: EndpointName, body: dict[str, Any], name: str = "secret.aws") -> list[tuple[str, str]]:
    reading = read_request(endpoint, orjson.loads(orjson.dumps(body)))
    assert reading.refused is None
    found = where_found(reading, lambda finding: finding == name, Scanner().scan)
    assert {one.finding for one in found} <= {name}
    return [(one.where, one.place) for one in found]


def said(role: str, content: object, **more: object) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content, **more}]}


@pytest.mark.parametrize(
    ("endpoint", "body", "where", "place"),
    [
        (CHAT, said("system", f"use {KEY}"), "system", "messages[0].content"),
        (CHAT, said("developer", f"use {KEY}"), "system", "messages[0].content"),
        (CHAT, said("user", [{"type": "text", "text": "a"}, {"type": "text", "text": KEY}]), "user", "messages[0].content[1].text"),
        (CHAT, said("assistant", f"I have {KEY}"), "assistant", "messages[0].content"),
        (CHAT, said("assistant", None, refusal=f"no {KEY}"), "assistant", "messages[0].refusal"),
        (CHAT, said("tool", f"it printed {KEY}", tool_call_id="1"), "tool result", "messages[0].content"),
        (CHAT, said("assistant", None, tool_calls=[{"id": "1", "type": "function", "function": {"name": "f", "arguments": orjson.dumps({"k": KEY}).decode()}}]), "tool call", "messages[0].tool_calls[0].function.arguments"),
        (CHAT, said("user", [{"type": "file", "file": {"filename": "a.csv", "file_data": FILE}}]), "attachment", "messages[0].content[0].file.file_data “a.csv”"),
        (CHAT, {"messages": [], "tools": [{"type": "function", "function": {"name": "f", "description": KEY}}]}, "tool definition", "tools[0].function.description"),
        (CHAT, {"messages": [], "user": KEY}, "setting", "user"),
        (CHAT, {"messages": [], "metadata": {"anything": KEY}}, "setting", "metadata"),
        (CHAT, {"messages": [], "metadata": {KEY + " and more words": "x"}}, "setting", "metadata"),
        (CHAT, {"messages": [], "a_key_of_my_own": KEY}, "setting", ""),
        (MESSAGES, {"messages": [], "system": [{"type": "text", "text": KEY}]}, "system", "system[0].text"),
        (MESSAGES, said("assistant", [{"type": "tool_use", "id": "t", "name": "f", "input": {"command": KEY}}]), "tool call", "messages[0].content[0].input"),
        (MESSAGES, said("user", [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": KEY}]}]), "tool result", "messages[0].content[0].content[0].text"),
        (MESSAGES, said("user", [{"type": "document", "title": "notes", "source": {"type": "text", "media_type": "text/plain", "data": KEY}}]), "attachment", "messages[0].content[0].source.data “notes”"),
        (MESSAGES, said("assistant", [{"type": "thinking", "thinking": KEY, "signature": "s"}]), "assistant", "messages[0].content[0].thinking"),
        (MESSAGES, {"messages": [], "tools": [{"name": "f", "description": KEY, "input_schema": {}}]}, "tool definition", "tools[0].description"),
        (RESPONSES, {"input": KEY}, "user", "input"),
        (RESPONSES, {"input": "x", "instructions": KEY}, "system", "instructions"),
        (RESPONSES, {"input": [{"role": "user", "content": [{"type": "input_text", "text": KEY}]}]}, "user", "input[0].content[0].text"),
        (RESPONSES, {"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": KEY}]}, "tool call", "input[0].arguments"),
        (RESPONSES, {"input": [{"type": "function_call_output", "call_id": "c", "output": KEY}]}, "tool result", "input[0].output"),
        (RESPONSES, {"input": [{"type": "mcp_call", "id": "1", "name": "x", "server_label": "s", "arguments": "{}", "output": KEY}]}, "tool result", "input[0].output"),
        (RESPONSES, {"input": [{"type": "reasoning", "id": "1", "summary": [{"type": "summary_text", "text": KEY}]}]}, "assistant", "input[0].summary[0].text"),
        (COMPLETIONS, {"prompt": ["a", KEY]}, "user", "prompt[1]"),
    ],
)  # fmt: skip
def test_a_finding_has_a_place(endpoint: EndpointName, body: dict[str, Any], where: str, place: str) -> None:
    assert places(endpoint, body) == [(where, place)]


def test_every_place_of_one_finding_is_told_up_to_a_limit() -> None:
    body = {"messages": [{"role": "user", "content": f"number {n}: {KEY}"} for n in range(100)]}
    told = places(CHAT, body)
    assert told == [("user", f"messages[{n}].content") for n in range(MOST_FOUND)]


def test_the_first_place_of_each_finding_comes_before_more_places_of_one() -> None:
    messages = [{"role": "user", "content": f"number {n}: {KEY}"} for n in range(40)]
    messages.append({"role": "user", "content": "4111 1111 1111 1111"})
    reading = read_request(CHAT, {"messages": messages})
    found = where_found(reading, lambda name: name in {"secret.aws", "card-number"}, Scanner().scan)
    assert [one.finding for one in found[:3]] == ["secret.aws", "card-number", "secret.aws"]
    assert found[1].place == "messages[40].content"


@pytest.mark.parametrize(
    ("endpoint", "body", "place"),
    [
        (CHAT, {"messages": [{"role": "user", "content": f"it is {KEY[:9]}"}, {"role": "user", "content": f"{KEY[9:]} ok"}]}, "messages[0].content and messages[1].content"),
        (CHAT, {"messages": [{"role": "user", "content": f"it is {KEY[:9]}"}, {"role": "assistant", "content": "go on"}, {"role": "user", "content": f"{KEY[9:]} ok"}]}, "messages[0].content and messages[2].content"),
        (MESSAGES, {"system": f"it is {KEY[:9]}", "messages": [{"role": "user", "content": f"{KEY[9:]} ok"}]}, "system and messages[0].content"),
    ],
)  # fmt: skip
def test_what_is_cut_in_two_has_two_places(endpoint: EndpointName, body: dict[str, Any], place: str) -> None:
    assert places(endpoint, body) == [("user", place)]


def test_a_label_and_its_value_have_the_place_of_what_holds_both() -> None:
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {"password": "aB3dE5fG7hI9jK1lM3nO"}}
    body = said("assistant", [{"type": "text", "text": "so"}, block])
    assert places(MESSAGES, body, "secret.assigned") == [("tool call", "messages[0].content[1]")]


def test_a_place_holds_nothing_that_a_caller_wrote() -> None:
    inner = {"input": {KEY: {"messages": [KEY]}}, "a key of mine": [KEY]}
    block = {"type": "tool_use", "id": "t", "name": "f", "input": inner}
    told = places(MESSAGES, said("assistant", [block]))
    assert told
    assert all(
        place in {"messages[0].content[0].input", "messages[0].content[0].input.input"} for _, place in told
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb\u202e.csv", "“a\\u000ab\\u202e.csv”"),
        ("x" * 90 + ".csv", "“" + "x" * 40 + "…”"),
        (KEY + ".csv", ""),
    ],
)
def test_the_name_of_an_attachment_is_bounded_escaped_and_no_finding(name: str, shown: str) -> None:
    body = said("user", [{"type": "file", "file": {"filename": name, "file_data": FILE}}])
    place = next(
        place
        for where, place in places(CHAT, body)
        if place.startswith("messages[0].content[0].file.file_data")
    )
    assert place == f"messages[0].content[0].file.file_data {shown}".rstrip()


def test_nothing_is_told_of_what_nobody_asks_for() -> None:
    reading = read_request(CHAT, said("user", KEY))
    assert where_found(reading, lambda _: False, Scanner().scan) == ()


def test_no_more_texts_are_looked_at_than_a_multiple_of_what_there_are() -> None:
    asked = 0
    scanner = Scanner()

    def scan(texts: Any) -> frozenset[str]:
        nonlocal asked
        held = list(texts)
        asked += len(held)
        return scanner.scan(held)

    counts = []
    for size in (50, 100, 200):
        asked = 0
        body = {"messages": [{"role": "user", "content": f"{KEY} {n} " + "words " * 50} for n in range(size)]}
        where_found(read_request(CHAT, body), lambda _: True, scan)
        counts.append(asked)
    assert counts[2] - counts[1] <= 2.2 * (counts[1] - counts[0])


def test_a_found_place_is_said_in_one_line() -> None:
    assert (
        str(Found("secret.aws", "user", "messages[0].content")) == "secret.aws in messages[0].content (user)"
    )
    assert str(Found("secret.aws", "setting", "")) == "secret.aws (setting)"
