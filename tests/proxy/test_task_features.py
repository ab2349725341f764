"""The task features where a sidecar computes them: only those that the policy reads, large bodies elsewhere, and the same."""

import asyncio
import threading
from typing import Any

import pytest

from policyd.proxy.task_features import LARGE, TASK_FEATURES, ids_of, task_features, values_of
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.read import read_request
from policyd.traffic.reading import Reading

SPANISH = "Por favor, escribe pruebas unitarias para la función que ordena la lista de clientes."


def reading_of(*said: str) -> Reading:
    body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": text} for text in said]}
    return read_request(EndpointName.CHAT, body)


def test_everything_that_is_read_comes_with_the_first_question_and_nothing_else_does() -> None:
    reading = reading_of(SPANISH)
    values = values_of("task", TASK_FEATURES, "chat", reading)
    assert values == {"task": "test_writing", "complexity": 0, "code_ratio": 0, "first_turn": True}
    assert values_of("task", frozenset({"task"}), "chat", reading) == {"task": "test_writing"}
    assert values_of("complexity", frozenset({"complexity", "language"}), "chat", reading) == {
        "complexity": 0
    }
    assert values_of("language", TASK_FEATURES, "chat", reading) == {"language": "es"}


def test_the_ids_that_are_read_are_those_that_the_client_says() -> None:
    headers = [(b"session-id", b"s"), (b"thread-id", b"t")]
    reading = reading_of("hi")
    assert ids_of(frozenset({"session_id", "conversation_id"}), reading, headers) == {
        "session_id": "s",
        "conversation_id": "t",
    }
    assert ids_of(frozenset({"conversation_id"}), reading, headers) == {"conversation_id": "t"}


@pytest.mark.parametrize("size", [LARGE, LARGE + 1])
def test_a_large_body_is_walked_off_the_event_loop(size: int) -> None:
    reading = reading_of(SPANISH)
    seen: list[threading.Thread] = []

    class Body(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            seen.append(threading.current_thread())
            return super().get(key, default)

    reading.body = Body(reading.body)
    found = asyncio.run(task_features("task", TASK_FEATURES, "chat", reading, size))
    assert found["task"] == "test_writing"
    assert {thread is threading.main_thread() for thread in seen} == {size <= LARGE}
