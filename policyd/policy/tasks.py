"""The words of the built-in feature `task`, and what a task says about the rest of a request.

The rules by which a request gets its task are in `traffic/task.py`; what is here is what holds of every request whatever the
rules, so that searches never speak of a request that cannot be.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from policyd.policy.program import Value

__all__ = ["ACTING", "TASKS", "TIED", "agreeing", "fits", "task_agrees", "with_task"]

TASKS: Final = (
    "chat", "completion", "edit", "review", "test_writing", "refactor", "migration", "security", "agent", "side_call", "embedding",
)  # fmt: skip
"""`chat` is first: it is what a request without any sign of another task is."""

ACTING: Final = ("tools", "server_tools")
"""One of these is true of every request whose task is `agent`."""

TIED: Final = ("endpoint", "task", *ACTING)

_ONLY: Final = {"embeddings": "embedding", "completions": "completion"}
"""Endpoints that settle the task."""


def fits(task: str, endpoint: str) -> bool:
    """Whether a request to the endpoint can have the task."""
    only = _ONLY.get(endpoint)
    return task == only if only is not None else task != "embedding"


def task_agrees(values: Mapping[str, Value]) -> bool:
    """Whether the task goes with the endpoint and with the tools. What is not there binds nothing."""
    task, endpoint = values.get("task"), values.get("endpoint")
    if isinstance(task, str) and isinstance(endpoint, str) and not fits(task, endpoint):
        return False
    return task != "agent" or not all(values.get(name) is False for name in ACTING)


def agreeing(tasks: Iterable[str], endpoints: Iterable[str], *, acting: bool) -> Iterator[tuple[str, str]]:
    """Pairs of a task and an endpoint that a request can have, of these. `acting`: the request may have tools."""
    endpoints = tuple(endpoints)
    for task in tasks:
        if task == "agent" and not acting:
            continue
        for endpoint in endpoints:
            if fits(task, endpoint):
                yield task, endpoint


def with_task(values: dict[str, object], given: Mapping[str, object]) -> None:
    """Completes a question that speaks of an endpoint, or of a task, and not of what goes with it."""
    if "task" not in values:
        return
    if "task" not in given:
        values["task"] = _ONLY.get(str(values.get("endpoint")), values["task"])
    elif given["task"] == "embedding" and "endpoint" not in given:
        values["endpoint"] = "embeddings"
    elif given["task"] == "agent" and not any(name in given for name in ACTING):
        values["tools"] = True
