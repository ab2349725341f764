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
"""One of these is true of every request whose task is `agent`, and none of one whose task is `chat`."""

TIED: Final = ("endpoint", "task", *ACTING)

_ONLY: Final = {"embeddings": "embedding", "completions": "completion"}
"""Endpoints that settle the task."""


def fits(task: str, endpoint: str, *, acting: bool) -> bool:
    """Whether a request to the endpoint can have the task. `acting`: it has tools of either kind."""
    only = _ONLY.get(endpoint)
    if only is not None:
        return task == only
    return task != "embedding" and (task != "chat" or not acting) and (task != "agent" or acting)


def task_agrees(values: Mapping[str, Value]) -> bool:
    """Whether the task goes with the endpoint and with the tools. What is not there binds nothing."""
    task, endpoint = values.get("task"), values.get("endpoint")
    if (
        not isinstance(task, str)
        or not isinstance(endpoint, str)
        or any(name not in values for name in ACTING)
    ):
        return True
    return fits(task, endpoint, acting=any(values[name] is True for name in ACTING))


def agreeing(
    tasks: Iterable[str], endpoints: Iterable[str], acting: Iterable[bool]
) -> Iterator[tuple[str, str, bool]]:
    """What a request can have, of these: a task, an endpoint, and whether it has tools."""
    endpoints, acting = tuple(endpoints), tuple(acting)
    for task in tasks:
        for endpoint in endpoints:
            for having in acting:
                if fits(task, endpoint, acting=having):
                    yield task, endpoint, having


def with_task(values: dict[str, object], given: Mapping[str, object]) -> None:
    """Completes a question that speaks of an endpoint, of tools or of a task, and not of what goes with it."""
    if "task" not in values:
        return
    if "task" not in given:
        acting = any(values.get(name) in (True, None) for name in ACTING)
        values["task"] = _ONLY.get(str(values.get("endpoint")), "agent" if acting else values["task"])
    elif given["task"] == "embedding" and "endpoint" not in given:
        values["endpoint"] = "embeddings"
    elif given["task"] == "agent" and not any(name in given for name in ACTING):
        values["tools"] = True
