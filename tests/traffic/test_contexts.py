"""Contexts: labels and values as JSON, and texts that stand next to each other, from the body to the finding."""

import random
import string
from typing import Any

import orjson
import pytest

from policyd.detect.scanner import Scanner
from policyd.traffic.contexts import NEIGHBOUR, number_row
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.read import read_request
from tests.traffic import bodies

CHAT, RESPONSES, MESSAGES = EndpointName.CHAT, EndpointName.RESPONSES, EndpointName.MESSAGES
COMPLETIONS = EndpointName.COMPLETIONS


def letters(count: int) -> str:
    rng = random.Random(11)
    return "".join(rng.choice(string.ascii_letters + string.digits) for _ in range(count))


def found(name: EndpointName, body: dict[str, Any]) -> set[str]:
    return set(Scanner().scan(read_request(name, orjson.loads(orjson.dumps(body))).texts))


def called(arguments: object) -> dict[str, Any]:
    block = {"type": "tool_use", "id": "t", "name": "f", "input": arguments}
    return {"messages": [{"role": "assistant", "content": [block]}]}


@pytest.mark.parametrize(
    ("arguments", "finding"),
    [
        ({"password": letters(20)}, "secret.assigned"),
        ({"headers": {"Authorization": "Bearer " + letters(40)}}, "secret.authorization"),
        ({"kty": "RSA", "n": letters(342), "d": letters(342)}, "private-key.jwk"),
        ({"key": {"kty": "EC", "d": letters(43)}}, "private-key.jwk"),
        ({"aws_secret_access_key": letters(40)}, "secret.aws"),
        ({"ssn": 536904399}, "national-id.us-ssn"),
        ({"padding": "x " * 4000, "password": letters(20)}, "secret.assigned"),
        ({"card": [4111, 1111, 1111, 1111]}, "card-number"),
        ({"digits": [int(c) for c in "4111111111111111"]}, "card-number"),
        ({"card": ["4111", "1111", "1111", "1111"]}, "card-number"),
    ],
)
def test_a_label_and_its_value_are_seen_together(arguments: dict[str, Any], finding: str) -> None:
    assert finding in found(MESSAGES, called(arguments))
    assert finding in found(CHAT, {"messages": [], "metadata": arguments})
    assert finding in found(CHAT, {"messages": [], "unknown": arguments})
    assert finding in found(RESPONSES, {"input": [{"type": "tool_search_call", "arguments": arguments}]})


@pytest.mark.parametrize(
    ("name", "body"),
    [
        (MESSAGES, bodies.CLAUDE_CODE),
        (RESPONSES, bodies.CODEX),
        (CHAT, bodies.QWEN_CODE),
        (CHAT, bodies.OPENCODE_CHAT),
    ],
)
def test_the_frames_of_real_bodies_are_no_findings(name: EndpointName, body: dict[str, Any]) -> None:
    assert found(name, body) == set()


KEY = "AKIA" + "QWERTYUIOPASDFGH"
ONE, TWO = "words " * 200 + KEY[:9], KEY[9:] + " words" * 200


def text(value: str) -> dict[str, str]:
    return {"type": "text", "text": value}


def document(value: str, title: str) -> dict[str, Any]:
    return {
        "type": "document",
        "title": title,
        "source": {"type": "text", "media_type": "text/plain", "data": value},
    }


@pytest.mark.parametrize(
    ("name", "body"),
    [
        pytest.param(CHAT, {"messages": [{"role": "user", "content": ONE}, {"role": "user", "content": TWO}]}, id="two messages"),
        pytest.param(CHAT, {"messages": [{"role": "user", "content": [text(ONE)]}, {"role": "user", "content": TWO}]}, id="a part and a message"),
        pytest.param(CHAT, {"messages": [{"role": "assistant", "refusal": TWO, "content": ONE}]}, id="text and refusal"),
        pytest.param(RESPONSES, {"input": [{"role": "user", "content": ONE}, {"type": "message", "role": "user", "content": [{"type": "input_text", "text": TWO}]}]}, id="two items"),
        pytest.param(RESPONSES, {"input": [{"type": "function_call_output", "call_id": "a", "output": ONE}, {"type": "function_call_output", "call_id": "b", "output": TWO}]}, id="two outputs"),
        pytest.param(RESPONSES, {"instructions": ONE, "input": TWO}, id="instructions and input"),
        pytest.param(MESSAGES, {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": ONE}, {"type": "tool_result", "tool_use_id": "b", "content": [text(TWO)]}]}]}, id="two tool results"),
        pytest.param(MESSAGES, {"messages": [{"role": "user", "content": [document(ONE, "a"), document(TWO, "b")]}]}, id="two documents"),
        pytest.param(MESSAGES, {"messages": [{"role": "assistant", "content": [{"type": "thinking", "thinking": ONE, "signature": "s"}, text(TWO)]}]}, id="thinking and text"),
        pytest.param(MESSAGES, {"messages": [{"role": "user", "content": TWO}], "system": ONE}, id="system and message"),
        pytest.param(COMPLETIONS, {"suffix": TWO, "prompt": ONE}, id="prompt and suffix"),
    ],
)  # fmt: skip
def test_a_key_cut_between_neighbours_is_found(name: EndpointName, body: dict[str, Any]) -> None:
    assert "secret.aws" in found(name, body)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        pytest.param(CHAT, {"messages": [{"role": "user", "content": ONE}, {"role": "assistant", "content": "and"}, {"role": "user", "content": TWO}]}, id="two turns of the user"),
        pytest.param(CHAT, {"messages": [{"role": "tool", "tool_call_id": "1", "content": ONE}, {"role": "assistant", "content": "next"}, {"role": "tool", "tool_call_id": "2", "content": TWO}]}, id="two results"),
        pytest.param(MESSAGES, {"messages": [{"role": "user", "content": [text(ONE)]}, {"role": "assistant", "content": [text("a"), text("b")]}, {"role": "user", "content": [text(TWO)]}]}, id="blocks of two turns"),
        pytest.param(RESPONSES, {"input": [{"type": "function_call_output", "call_id": "1", "output": ONE}, {"role": "assistant", "content": "next"}, {"type": "function_call_output", "call_id": "2", "output": TWO}]}, id="two outputs"),
    ],
)  # fmt: skip
def test_a_key_that_one_role_says_in_two_turns_is_found(name: EndpointName, body: dict[str, Any]) -> None:
    assert "secret.aws" in found(name, body)


def test_what_two_roles_say_apart_is_not_joined() -> None:
    messages = [
        {"role": "user", "content": ONE},
        {"role": "assistant", "content": "and"},
        {"role": "system", "content": TWO},
    ]
    assert "secret.aws" not in found(CHAT, {"messages": messages})


def test_contexts_are_linear_in_the_body() -> None:
    def size(messages: int) -> int:
        body = {"messages": [{"role": "user", "content": "a" * 5000} for _ in range(messages)]}
        return sum(map(len, read_request(CHAT, orjson.loads(orjson.dumps(body))).texts))

    assert size(200) < 2.1 * size(100)
    assert size(100) < 100 * (5000 + 2 * NEIGHBOUR + 400)


def test_a_row_of_numbers_keeps_the_zeros_of_its_groups() -> None:
    assert number_row([4111, 11, 1111, 1]) == "4111 0011 1111 0001"
    assert number_row([1]) is None
    assert number_row([True, False]) is None
    assert number_row(list(range(20))) is None
