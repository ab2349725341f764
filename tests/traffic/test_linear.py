"""Hostile bodies: collecting their texts, and telling where something was found, takes work in proportion to their size."""

import sys
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from policyd.detect.scanner import Scanner
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.found import where_found
from policyd.traffic.read import read_request

KEY = "AKIA" + "Q3PT6XWZ7LMNB2CD"


def calls(work: Callable[[], object]) -> int:
    """Calls of functions, of Python's and of C's, that the work makes."""
    count = 0

    def counted(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def nested(depth: int) -> object:
    value: object = KEY
    for level in range(depth):
        value = {"a": value} if level % 2 else [value]
    return value


BODIES: dict[str, Callable[[int], dict[str, Any]]] = {
    "parts": lambda n: {"messages": [{"role": "user", "content": [{"type": "text", "text": "ab"}] * n}]},
    "messages of two roles": lambda n: {"messages": [{"role": ("user", "assistant")[i % 2], "content": f"say {i}"} for i in range(n)]},
    "messages with a key": lambda n: {"messages": [{"role": "user", "content": f"{i} {KEY}"} for i in range(n)]},
    "roles that nobody has": lambda n: {"messages": [{"role": f"r{i}", "content": "words"} for i in range(n)]},
    "keys": lambda n: {"messages": [], "metadata": {f"a key of many words {i}": "b" for i in range(n)}},
    "numbers": lambda n: {"messages": [], "metadata": {"a": [4111, 1111, 1111, 1111] * (n // 4)}},
    "short lists": lambda n: {"messages": [], "metadata": {"a": [[4, 1, 1]] * n}},
    "deep values": lambda n: {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "y": nested(100)}]} for _ in range(n // 100)]},
    "JSON in strings": lambda n: {"messages": [{"role": "user", "content": orjson.dumps({"a": ["\n"] * 9}).decode()} for _ in range(n // 10)]},
    "tools": lambda n: {"messages": [], "tools": [{"type": "function", "function": {"name": f"f{i}", "parameters": {}}} for i in range(n)]},
}  # fmt: skip


@pytest.mark.parametrize("kind", BODIES)
def test_the_work_grows_as_the_body_does(kind: str) -> None:
    def work(size: int) -> tuple[int, int]:
        body = orjson.loads(orjson.dumps(BODIES[kind](size)))
        reading = read_request(EndpointName.CHAT, body)
        scanner = Scanner()
        scanner.scan(reading.texts)
        return calls(lambda: reading.texts), calls(lambda: where_found(reading, lambda _: True, scanner.scan))

    work(200)
    small, large = work(1_500), work(3_000)
    assert large[0] <= 2.3 * small[0] + 300
    assert large[1] <= 2.3 * small[1] + 3_000


@pytest.mark.parametrize("kind", BODIES)
def test_what_is_scanned_is_a_small_multiple_of_the_body(kind: str) -> None:
    raw = orjson.dumps(BODIES[kind](3_000))
    texts = read_request(EndpointName.CHAT, orjson.loads(raw)).texts
    assert sum(map(len, texts)) <= 5 * len(raw) + 2_000
