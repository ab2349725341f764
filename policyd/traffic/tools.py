"""Tool definitions: who would run the tool.

Comes in: a list of tools of any dialect. Goes out: flags on the draft: `tools` where the client runs it, `server_tools`
(and `tools`) where the server does, with what it would reach there.

The one idea: a tool that is not known to be run by the client is run by the server. The tables are closed; a type that
is in neither is `server_tools` and opaque.
"""

import re
from typing import Any, Final

from policyd.traffic.parts import encrypted, image_url, server_held
from policyd.traffic.reach import check_spelling, is_set
from policyd.traffic.reading import Draft, Flag

__all__ = ["CLIENT_FAMILIES", "CLIENT_TOOLS", "SERVER_FAMILIES", "SERVER_TOOLS", "read_tool", "read_tools"]

CLIENT_TOOLS: Final = frozenset({
    "function", "custom", "local_shell", "apply_patch", "computer", "computer_use_preview", "namespace",
})  # fmt: skip
"""Types that the client runs. A `namespace` is what its own tools are."""

CLIENT_FAMILIES: Final = ("bash", "text_editor", "computer", "memory", "computer_toolset", "browser_toolset")
"""Anthropic's tools that the client runs, before their date."""

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


def read_tool(draft: Draft, tool: object, place: str) -> None:
    """One tool. Anthropic's own tools may leave `type` out, and so do a few chat servers."""
    if not isinstance(tool, dict):
        draft.wrong_shape(place, "an object")
        return
    draft.flag(Flag.TOOLS, place)
    for key in tool:
        check_spelling(draft, key, f" in `{place}`")
    kind = tool.get("type")
    if kind is not None and not isinstance(kind, str):
        draft.wrong_shape(f"{place}.type", "a string")
        return
    callers = tool.get("allowed_callers")
    if is_set(callers) and callers != ["direct"]:
        draft.flag(Flag.SERVER_TOOLS, f"{place}.allowed_callers")
    match kind:
        case None | "" | "function" | "custom":
            return
        case "namespace":
            read_tools(draft, tool.get("tools"), f"{place}.tools")
        case "tool_search":
            if tool.get("execution") != "client":
                draft.flag(Flag.SERVER_TOOLS, place)
        case "shell":
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
            _by_family(draft, kind, place)


def _by_family(draft: Draft, kind: str, place: str) -> None:
    if kind in CLIENT_TOOLS:
        return
    dated = DATED.fullmatch(kind)
    family = dated.group(1) if dated else None
    if family in CLIENT_FAMILIES:
        return
    draft.flag(Flag.SERVER_TOOLS, place)
    if kind not in SERVER_TOOLS and family not in SERVER_FAMILIES:
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
