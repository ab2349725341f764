"""Where in a request a text stands: in whose words, and at which place.

Comes in: a body and the strings that a reader sealed. Goes out: every text with who says it and the keys and indices that
lead to it.

The one idea: a place is made of words of the APIs and of numbers alone. Where a caller's own key leads on, the place ends, so
it can be told to anybody.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from policyd.traffic.anthropic_messages import BLOCKS
from policyd.traffic.openai_parts import PART_KEYS
from policyd.traffic.openai_responses import ITEMS
from policyd.traffic.text_files import text_of_file
from policyd.traffic.tools import CLIENT_KEYS
from policyd.traffic.top_level import DOCUMENTED

__all__ = ["Element", "Piece", "Where", "blocks", "elements", "pieces"]


class Where(StrEnum):
    """In whose words a text stands."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    DEFINITION = "tool definition"
    CALL = "tool call"
    RESULT = "tool result"
    ATTACHMENT = "attachment"
    SETTING = "setting"


class Element(NamedTuple):
    """A part of the body that is looked at by itself: a message, an item, a tool, a setting."""

    key: str
    value: Any
    where: Where
    place: str


class Piece(NamedTuple):
    """One text. `name` is what the caller calls the file that it stands in, as it came."""

    where: Where
    place: str
    name: str
    text: str


TOP: Final = {
    "messages": Where.USER, "input": Where.USER, "prompt": Where.USER, "suffix": Where.USER, "contents": Where.USER,
    "system": Where.SYSTEM, "instructions": Where.SYSTEM, "tools": Where.DEFINITION, "functions": Where.DEFINITION,
    "documents": Where.ATTACHMENT, "prediction": Where.ASSISTANT,
}  # fmt: skip

ROLES: Final = {
    "system": Where.SYSTEM, "developer": Where.SYSTEM, "user": Where.USER, "assistant": Where.ASSISTANT, "tool": Where.RESULT,
    "function": Where.RESULT,
}  # fmt: skip

TYPES: Final = {
    **dict.fromkeys(("document", "image", "file", "input_file", "input_image", "image_url", "input_audio", "audio_url",
                     "video_url", "container_upload", "search_result"), Where.ATTACHMENT),
    **dict.fromkeys(("tool_addition", "mcp_list_tools", "additional_tools", "mcp_tool_listing", "tool_search_output"),
                    Where.DEFINITION),
    **dict.fromkeys(("reasoning", "thinking", "redacted_thinking", "compaction", "compaction_summary"), Where.ASSISTANT),
    **dict.fromkeys(("program", "mcp_approval_request"), Where.CALL),
    "mcp_approval_response": Where.USER,
}  # fmt: skip

BY_END: Final = (
    ("_call", Where.CALL), ("tool_use", Where.CALL), ("tool_result", Where.RESULT), ("_output", Where.RESULT),
)  # fmt: skip
"""How the types of calls and results end, in every dialect."""

KEYS: Final = {
    "tool_calls": Where.CALL, "function_call": Where.CALL, "outputs": Where.RESULT, "results": Where.RESULT,
    "output": Where.RESULT, "tools": Where.DEFINITION, "file": Where.ATTACHMENT, "file_data": Where.ATTACHMENT, "image_url": Where.ATTACHMENT,
}  # fmt: skip
"""Keys whose values are somebody else's words than what stands around them."""

STEPS: Final = frozenset[str]().union(
    *DOCUMENTED.values(), *PART_KEYS.values(), *CLIENT_KEYS.values(), *(keys for _, keys in ITEMS.values()),
    *(keys for _, keys in BLOCKS.values()),
    {"role", "content", "text", "name", "data", "tool_calls", "tool_call_id", "arguments", "custom", "reasoning_content", "url",
     "reasoning_details", "documents", "contents", "parts", "schema", "json_schema", "variables", "logs", "stdout", "stderr"},
)  # fmt: skip
"""Keys that a place may hold."""

NAMES: Final = ("filename", "title")


def elements(body: Mapping[str, Any]) -> Iterator[Element]:
    """The body in the parts in which it is told where something stands."""
    for key, value in body.items():
        where, place = TOP.get(key, Where.SETTING), key if key in STEPS else ""
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield Element(key, item, _of(item, where), f"{place}[{index}]" if place else "")
        else:
            yield Element(key, value, _of(value, where), place)


def blocks(element: Element) -> Iterator[Element]:
    """The parts of a message: its blocks, and its calls."""
    if isinstance(element.value, dict):
        for key in ("content", "tool_calls"):
            value = element.value.get(key)
            if isinstance(value, list):
                where = KEYS.get(key, element.where)
                for index, item in enumerate(value):
                    yield Element(key, item, _of(item, where), f"{element.place}.{key}[{index}]")


def pieces(element: Element, sealed: frozenset[int]) -> Iterator[Piece]:
    """Every text of an element, in the order in which they stand. Of what is sealed, the text in it."""
    stack: list[tuple[Any, Where, str, str, bool]] = [(element.value, element.where, element.place, "", True)]
    while stack:
        value, where, place, name, known = stack.pop()
        if isinstance(value, str):
            if id(value) in sealed:
                text = text_of_file(value, None)[0]
                if text is not None:
                    yield Piece(Where.ATTACHMENT, place, name, text)
            elif value:
                yield Piece(where, place, name, value)
        elif isinstance(value, dict):
            where = _of(value, where)
            name = next((value[k] for k in NAMES if isinstance(value.get(k), str)), name)
            for key in value:
                if key not in STEPS:
                    yield Piece(where, place, name, key)
            for key, item in reversed(value.items()):
                told = known and key in STEPS
                step = f"{place}.{key}" if place else key
                stack.append((item, KEYS.get(key, where), step if told else place, name, told))
        elif isinstance(value, list):
            for index in range(len(value) - 1, -1, -1):
                step = f"{place}[{index}]" if known and place else place
                stack.append((value[index], where, step, name, known))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield Piece(where, place, name, str(value))


def _of(value: object, where: Where) -> Where:
    """Whose words an object is, where it says so itself."""
    if not isinstance(value, dict):
        return where
    kind, role = value.get("type"), value.get("role")
    if isinstance(kind, str):
        found = TYPES.get(kind)
        if found is not None:
            return found
        for end, of_end in BY_END:
            if kind.endswith(end):
                return of_end
    return ROLES.get(role, where) if isinstance(role, str) else where
