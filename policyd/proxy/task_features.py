"""The features that are about the task and the conversation, computed where a policy reads them.

In come what the policy reads, the reading of a body and its endpoint, or the headers; out go values. The one idea: one walk
over the body serves them all, so the first that is asked for brings those that cost no more than the walk; the language,
which asks a model, comes only when a rule needs it. A large body is walked in a thread.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from policyd.policy.program import Value
from policyd.traffic.code_shape import code_in, percent
from policyd.traffic.complexity import complexity_of
from policyd.traffic.conversation import said_ids
from policyd.traffic.dialogue import dialogue_of
from policyd.traffic.language import language_of
from policyd.traffic.reading import Reading
from policyd.traffic.task import task_of

__all__ = ["IDS", "TASK_FEATURES", "ids_of", "task_features", "values_of"]

LARGE: Final = 64 * 1024
"""Bytes of a body from which it is walked in a thread."""

IDS: Final = frozenset({"session_id", "conversation_id"})
TASK_FEATURES: Final = frozenset({"first_turn", "task", "complexity", "code_ratio", "language"})


def ids_of(
    read: frozenset[str], reading: Reading, headers: Iterable[tuple[bytes, bytes]]
) -> dict[str, Value]:
    """The ids that the client says, of those that the policy reads."""
    _, session, conversation = said_ids(reading, headers)
    both = {"session_id": session, "conversation_id": conversation}
    return {name: value for name, value in both.items() if name in read}


async def task_features(
    missing: str, read: frozenset[str], endpoint: str, reading: Reading, size: int
) -> dict[str, Value]:
    """`missing` and what comes with it, of the features that the policy reads. `size` is the body's in bytes."""
    if size <= LARGE:
        return values_of(missing, read, endpoint, reading)
    return await asyncio.to_thread(values_of, missing, read, endpoint, reading)


def values_of(missing: str, read: frozenset[str], endpoint: str, reading: Reading) -> dict[str, Value]:
    """The same, at once."""
    dialogue = dialogue_of(endpoint, reading)
    if missing == "language":
        return {"language": language_of(dialogue.said)}
    out: dict[str, Value] = {"first_turn": dialogue.first}
    if "task" in read or missing == "task":
        out["task"] = task_of(endpoint, dialogue, reading)
    if not {missing, *read}.isdisjoint(("complexity", "code_ratio")):
        code, every = code_in(dialogue.sample)
        out |= {"code_ratio": percent(code, every), "complexity": complexity_of(dialogue, reading, code)}
    return {name: value for name, value in out.items() if name in read or name == missing}
