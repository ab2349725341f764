"""Where the events of a stream hold the pieces of a text, in every dialect.

In comes an event; out go its pieces of text and which texts are at their end. The one idea: an event says by its own shape
whose it is, so nobody has to know the endpoint; what is of no known shape has no pieces, and is looked at as a whole.
"""

from typing import Any, Final, NamedTuple

__all__ = ["SIDE_BY_SIDE", "Delta", "Said", "deltas_of"]

SIDE_BY_SIDE: Final = "call "
"""What the names of fields begin with that may go on after one another has begun."""


class Delta(NamedTuple):
    """A piece of a text: `holder[key]`. Texts of one `group` come one after the other, each a `field`, but for calls. `json`:
    the text is JSON that the model writes; `words`: it is the model's answer."""

    group: str
    field: str
    holder: dict[str, Any]
    key: str
    json: bool
    words: bool


class Said(NamedTuple):
    """`over`: groups whose texts ended before this event; `ends`: those that end with it. None for all of them. `thought`: it
    says what a model thought, which stays as it is."""

    deltas: list[Delta]
    over: tuple[str | None, ...] = ()
    ends: tuple[str | None, ...] = ()
    thought: bool = False


_NOTHING: Final = Said([])
_THOUGHT: Final = Said([], thought=True)
_EVERYTHING_OVER: Final = Said([], (None,))


def deltas_of(event: dict[str, Any]) -> Said:
    kind = event.get("type")
    if isinstance(kind, str):
        if kind.startswith("response."):
            return _of_responses(kind, event)
        return _of_messages(kind, event)
    choices = event.get("choices")
    return _of_choices(choices) if isinstance(choices, list) else _NOTHING


_BLOCK_TEXTS: Final = {"text_delta": ("text", False, True), "input_json_delta": ("partial_json", True, False)}


def _of_messages(kind: str, event: dict[str, Any]) -> Said:
    group = f"block {_number(event.get('index'))}"
    delta = event.get("delta")
    if kind == "content_block_delta" and isinstance(delta, dict):
        said = delta.get("type")
        row = _BLOCK_TEXTS.get(said) if isinstance(said, str) else None
        if row is None or not isinstance(delta.get(row[0]), str):
            return _NOTHING
        key, json, words = row
        return Said([Delta(group, key, delta, key, json, words)])
    if kind == "ping":
        return _NOTHING
    return Said([], (group,)) if kind.startswith("content_block_") else _EVERYTHING_OVER


_JSON_DELTAS: Final = frozenset(
    {"response.function_call_arguments.delta", "response.mcp_call_arguments.delta"}
)
_WORD_DELTAS: Final = frozenset({"response.output_text.delta"})


def _of_responses(kind: str, event: dict[str, Any]) -> Said:
    place = _number(event.get("output_index"))
    if kind.endswith(".delta") and isinstance(event.get("delta"), str):
        if kind.startswith("response.reasoning"):
            return _THOUGHT
        field = f"{kind} {_number(event.get('content_index'))}"
        return Said(
            [Delta(f"item {place}", field, event, "delta", kind in _JSON_DELTAS, kind in _WORD_DELTAS)]
        )
    if kind.startswith("response.reasoning"):
        return _THOUGHT
    if kind.endswith(".annotation.added"):
        # It may stand between two pieces of a text.
        return _NOTHING
    return _EVERYTHING_OVER if place is None else Said([], (f"item {place}",))


def _number(said: object) -> object:
    """Which of several, as servers number them. What is neither a number nor a name may be of any size and depth, and numbers
    nothing."""
    return said if isinstance(said, int | float | str) else None


def _of_choices(choices: list[Any]) -> Said:
    deltas: list[Delta] = []
    ends: list[str | None] = []
    for choice in choices:
        if not isinstance(choice, dict):
            continue
        group = f"choice {_number(choice.get('index', 0))}"
        if isinstance(choice.get("text"), str):
            deltas.append(Delta(group, "text", choice, "text", json=False, words=True))
        delta = choice.get("delta")
        if isinstance(delta, dict):
            deltas += _of_message(group, delta)
        if choice.get("finish_reason") is not None:
            ends.append(group)
    return Said(deltas, (), tuple(ends))


def _of_message(group: str, delta: dict[str, Any]) -> list[Delta]:
    out: list[Delta] = []
    content = delta.get("content")
    if isinstance(content, str) and content:
        out.append(Delta(group, "content", delta, "content", json=False, words=True))
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            out.append(Delta(group, "content", part, "text", json=False, words=True))
    if isinstance(delta.get("refusal"), str) and delta["refusal"]:
        out.append(Delta(group, "refusal", delta, "refusal", json=False, words=False))
    called = delta.get("function_call")
    if isinstance(called, dict) and isinstance(called.get("arguments"), str):
        out.append(Delta(group, "function_call", called, "arguments", json=True, words=False))
    calls = delta.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if not isinstance(call, dict):
            continue
        number = _number(call.get("index", 0))
        for kind, key, json in (("function", "arguments", True), ("custom", "input", False)):
            inner = call.get(kind)
            if isinstance(inner, dict) and isinstance(inner.get(key), str):
                field = f"{SIDE_BY_SIDE}{number} {key}"
                out.append(Delta(group, field, inner, key, json=json, words=False))
    return out
