"""Tool definitions: who would run the tool.

Comes in: a list of tools of any dialect. Goes out: flags on the draft: `tools` where the client runs it, `server_tools`
(and `tools`) where the server does, with what it would reach there.

The one idea: a tool that is not known to be run by the client is run by the server. The tables are closed, and so are the
keys: a function with one key more (`server_url`, `googleSearch`) is whatever the server makes of that key. A type that is
in no table is `server_tools` and opaque.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from policyd.traffic.parts import encrypted, image_url, loose_keys, server_held
from policyd.traffic.reach import check_cache, check_spelling, is_set
from policyd.traffic.reading import Draft, Flag

__all__ = [
    "CLIENT_FAMILIES",
    "CLIENT_KEYS",
    "CLIENT_TOOLS",
    "SERVER_FAMILIES",
    "SERVER_TOOLS",
    "read_functions",
    "read_tool",
    "read_tools",
]

CLIENT_TOOLS: Final = frozenset({
    "function", "custom", "local_shell", "apply_patch", "computer", "computer_use_preview", "namespace",
})  # fmt: skip
"""Types that the client runs. A `namespace` is what its own tools are."""

CLIENT_FAMILIES: Final = ("bash", "text_editor", "computer", "memory", "computer_toolset", "browser_toolset")
"""Anthropic's tools that the client runs, before their date."""

OFFERED: Final = frozenset({
    "type", "name", "strict", "allowed_callers", "cache_control", "defer_loading", "input_examples",
})  # fmt: skip
"""Keys that say how a tool is offered, not what it is."""

NAMED: Final = OFFERED | {"description", "async", "eager_input_streaming"}
FUNCTION: Final = NAMED | {"parameters", "output_schema", "function"}
INNER: Final = frozenset({"name", "description", "parameters", "strict", "cache_control"})
ANTHROPIC: Final = NAMED | {"input_schema"}

CLIENT_KEYS: Final[dict[str, frozenset[str]]] = {
    "function": FUNCTION,
    "custom": ANTHROPIC | {"format", "custom"},
    "local_shell": OFFERED,
    "apply_patch": OFFERED,
    "computer": OFFERED | {"display_height_px", "display_width_px", "display_number", "enable_zoom"},
    "computer_use_preview": OFFERED | {"display_height", "display_width", "environment"},
    "namespace": OFFERED | {"description", "tools"},
    "shell": OFFERED | {"environment"},
    "tool_search": OFFERED | {"description", "execution", "parameters"},
    "bash": OFFERED,
    "text_editor": OFFERED | {"max_characters"},
    "memory": OFFERED,
    "computer_toolset": OFFERED | {"configs"},
    "browser_toolset": OFFERED | {"configs"},
}
"""The keys of each type, or family, that the client may run."""

SERVER_TOOLS: Final = frozenset({
    "web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11", "file_search",
    "code_interpreter", "image_generation", "mcp", "programmatic_tool_calling", "mcp_toolset", "tool_search_tool_bm25",
    "tool_search_tool_regex",
})  # fmt: skip
"""Types that the server runs."""

SERVER_FAMILIES: Final = (
    "web_search", "web_fetch", "code_execution", "advisor", "tool_search_tool_bm25", "tool_search_tool_regex",
)  # fmt: skip
"""Anthropic's tools that the server runs, before their date."""

EITHER: Final = frozenset({"shell", "tool_search"})
"""Types that say themselves who runs them; unless they say the client, the server does."""

TOOL_TOKENS: Final = {"bash": 245, "text_editor": 700, "computer": 735}
"""What a tool costs that a server describes by itself, by Anthropic's families."""

OTHER_TOOL_TOKENS: Final = 735
"""The same of tools for which nothing is published: as the dearest for which something is."""

DATED: Final = re.compile(r"([a-z0-9_]+)_20\d{6}", re.ASCII)


def read_tools(draft: Draft, tools: object, place: str) -> None:
    """A list of tools. An empty one offers nothing."""
    if tools is None:
        return
    if not isinstance(tools, list):
        draft.wrong_shape(place, "a list")
        return
    for index, tool in enumerate(tools):
        read_tool(draft, tool, f"{place}[{index}]")


def read_functions(draft: Draft, functions: object, place: str) -> None:
    """The older list of functions. It offers what the functions of a list of tools offer."""
    if functions is None:
        return
    if not isinstance(functions, list):
        draft.wrong_shape(place, "a list")
        return
    for index, function in enumerate(functions):
        draft.flag(Flag.TOOLS, place)
        _closed(draft, function, INNER, f"{place}[{index}]")


def read_tool(draft: Draft, tool: object, place: str) -> None:
    """One tool. Anthropic's custom tools may leave `type` out: they have a name and an `input_schema`."""
    if not isinstance(tool, dict):
        draft.wrong_shape(place, "an object")
        return
    draft.flag(Flag.TOOLS, place)
    for key in tool:
        check_spelling(draft, key, f" in `{place}`")
    check_cache(draft, tool, place)
    kind = tool.get("type")
    if kind is not None and not isinstance(kind, str):
        draft.wrong_shape(f"{place}.type", "a string")
        return
    callers = tool.get("allowed_callers")
    if is_set(callers) and callers != ["direct"]:
        draft.flag(Flag.SERVER_TOOLS, f"{place}.allowed_callers")
    match kind:
        case None:
            _without_type(draft, tool, place)
        case "function" | "custom":
            _closed(draft, tool, CLIENT_KEYS[kind], place)
            inner = tool.get(kind)
            if inner is not None:
                _closed(draft, inner, INNER if kind == "function" else INNER | {"format"}, f"{place}.{kind}")
                if isinstance(inner, dict):
                    check_cache(draft, inner, f"{place}.{kind}")
        case "namespace":
            _closed(draft, tool, CLIENT_KEYS[kind], place)
            read_tools(draft, tool.get("tools"), f"{place}.tools")
        case "tool_search":
            _closed(draft, tool, CLIENT_KEYS[kind], place)
            if tool.get("execution") != "client":
                draft.flag(Flag.SERVER_TOOLS, place)
        case "shell":
            _closed(draft, tool, CLIENT_KEYS[kind], place)
            _shell(draft, tool.get("environment"), f"{place}.environment")
        case "file_search":
            draft.flag(Flag.SERVER_TOOLS, place)
            server_held(draft, place)
        case "code_interpreter":
            draft.flag(Flag.SERVER_TOOLS, place)
            _container(draft, tool.get("container"), f"{place}.container")
        case "image_generation":
            draft.flag(Flag.SERVER_TOOLS, place)
            _mask(draft, tool.get("input_image_mask"), f"{place}.input_image_mask")
        case str():
            _by_family(draft, kind, tool, place)


def _without_type(draft: Draft, tool: Mapping[str, Any], place: str) -> None:
    """Anthropic's custom tool, or whatever a gateway makes of the keys (`{"googleSearch": {}}`)."""
    if isinstance(tool.get("name"), str) and isinstance(tool.get("input_schema"), dict):
        _closed(draft, tool, ANTHROPIC, place)
        return
    draft.unknown(place, next(iter(tool), "type"))
    draft.flag(Flag.SERVER_TOOLS, place)


def _closed(draft: Draft, tool: object, known: frozenset[str], place: str) -> None:
    """A shape that the client runs has these keys and no others."""
    if not isinstance(tool, dict):
        draft.wrong_shape(place, "an object")
    elif not tool.keys() <= known:
        draft.flag(Flag.SERVER_TOOLS, place)
        loose_keys(draft, tool, known, place)


def _by_family(draft: Draft, kind: str, tool: Mapping[str, Any], place: str) -> None:
    dated = DATED.fullmatch(kind)
    family = dated.group(1) if dated else None
    draft.extra_tokens += TOOL_TOKENS.get(family or kind, OTHER_TOOL_TOKENS)
    if kind in CLIENT_TOOLS or family in CLIENT_FAMILIES:
        _closed(draft, tool, CLIENT_KEYS[kind if kind in CLIENT_TOOLS else family or kind], place)
        return
    draft.flag(Flag.SERVER_TOOLS, place)
    if kind not in SERVER_TOOLS and family not in SERVER_FAMILIES:
        draft.unknown(place, "type")
        draft.opaque(place)


def _shell(draft: Draft, environment: object, place: str) -> None:
    if isinstance(environment, dict) and environment.get("type") == "local":
        return
    draft.flag(Flag.SERVER_TOOLS, place)
    _container(draft, environment, place)


def _container(draft: Draft, container: object, place: str) -> None:
    if isinstance(container, str) and container:
        server_held(draft, place)
    if not isinstance(container, dict):
        return
    if is_set(container.get("container_id")) or is_set(container.get("file_ids")):
        server_held(draft, place)
    skills = container.get("skills")
    for index, skill in enumerate(skills if isinstance(skills, list) else ()):
        _skill(draft, skill, f"{place}.skills[{index}]")


def _skill(draft: Draft, skill: Any, place: str) -> None:
    if isinstance(skill, dict) and skill.get("type") == "inline":
        source = skill.get("source")
        encrypted(draft, source.get("data") if isinstance(source, dict) else source, place)
        draft.uncountable()
        return
    server_held(draft, place)


def _mask(draft: Draft, mask: object, place: str) -> None:
    if isinstance(mask, dict):
        image_url(draft, mask.get("image_url"), place)
        if is_set(mask.get("file_id")):
            server_held(draft, place)
