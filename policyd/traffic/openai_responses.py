"""`POST /v1/responses`: a parsed body to its reading.

The input is a string or a list of items; a table says of each item type who ran what it speaks of, and which keys it has.
An item that is not in the table is opaque.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from policyd.traffic.endpoints import EndpointName
from policyd.traffic.openai_chat import MESSAGE_TOKENS, asks_for_json, asks_to_reason
from policyd.traffic.openai_parts import read_content, read_nested, read_part
from policyd.traffic.parts import encrypted, image, image_url, loose_keys, server_held
from policyd.traffic.reach import is_set
from policyd.traffic.reading import Draft, Flag, Reading
from policyd.traffic.tools import read_tools
from policyd.traffic.top_level import read_top_level

__all__ = ["ITEMS", "read_responses"]


class Item(Enum):
    """Who does what an item speaks of."""

    TEXT = "text"
    CLIENT = "run by the client"
    SERVER = "run by the server"
    HELD = "held by the server"


COMMON: Final = frozenset({"type", "id", "status", "call_id", "caller", "name", "namespace", "async"})


def _item(item: Item, *keys: str) -> tuple[Item, frozenset[str]]:
    return item, COMMON | frozenset(keys)


ITEMS: Final[dict[str, tuple[Item, frozenset[str]]]] = {
    "message": _item(Item.TEXT, "role", "content", "phase"),
    "reasoning": _item(Item.TEXT, "summary", "content", "encrypted_content"),
    "compaction": _item(Item.TEXT, "encrypted_content"),
    "compaction_summary": _item(Item.TEXT, "encrypted_content"),
    "compaction_trigger": _item(Item.TEXT),
    "configuration_update": _item(Item.TEXT, "reasoning", "text"),
    "additional_tools": _item(Item.TEXT, "role", "tools"),
    "function_call": _item(Item.CLIENT, "arguments"),
    "function_call_output": _item(Item.CLIENT, "output"),
    "custom_tool_call": _item(Item.CLIENT, "input"),
    "custom_tool_call_output": _item(Item.CLIENT, "output"),
    "local_shell_call": _item(Item.CLIENT, "action"),
    "local_shell_call_output": _item(Item.CLIENT, "output"),
    "shell_call": _item(Item.CLIENT, "action", "environment"),
    "shell_call_output": _item(Item.CLIENT, "output", "max_output_length"),
    "apply_patch_call": _item(Item.CLIENT, "operation"),
    "apply_patch_call_output": _item(Item.CLIENT, "output"),
    "computer_call": _item(Item.CLIENT, "action", "actions", "pending_safety_checks"),
    "computer_call_output": _item(Item.CLIENT, "output", "acknowledged_safety_checks"),
    "tool_search_call": _item(Item.CLIENT, "arguments", "execution"),
    "tool_search_output": _item(Item.CLIENT, "execution", "tools"),
    "file_search_call": _item(Item.SERVER, "queries", "results"),
    "web_search_call": _item(Item.SERVER, "action"),
    "image_generation_call": _item(
        Item.SERVER, "result", "action", "background", "error", "output_format", "quality", "revised_prompt", "size", "svg_usage"
    ),
    "code_interpreter_call": _item(Item.SERVER, "code", "container_id", "outputs"),
    "mcp_list_tools": _item(Item.SERVER, "server_label", "tools", "error"),
    "mcp_approval_request": _item(Item.SERVER, "arguments", "server_label"),
    "mcp_approval_response": _item(Item.SERVER, "approval_request_id", "approve", "reason"),
    "mcp_call": _item(Item.SERVER, "arguments", "server_label", "approval_request_id", "error", "output"),
    "program": _item(Item.SERVER, "code", "fingerprint"),
    "program_output": _item(Item.SERVER, "result"),
    "item_reference": _item(Item.HELD),
}  # fmt: skip
"""Every known input item and its keys."""


def read_responses(body: Mapping[str, Any]) -> Reading:
    """The reading of a responses request."""
    draft = Draft(body)
    read_top_level(draft, EndpointName.RESPONSES)
    draft.model = draft.text("model")
    if draft.truth("stream"):
        draft.flag(Flag.STREAM, "stream")
    draft.limit_output("max_output_tokens", "max_tokens", "max_completion_tokens")
    _input(draft, body.get("input"))
    instructions = body.get("instructions")
    if isinstance(instructions, list):
        _input_items(draft, instructions, "instructions")
    elif instructions is not None and not isinstance(instructions, str):
        draft.wrong_shape("instructions", "a string")
    read_tools(draft, body.get("tools"), "tools")
    text = body.get("text")
    if isinstance(text, dict):
        asks_for_json(draft, text.get("format"), "text.format")
    elif text is not None:
        draft.wrong_shape("text", "an object")
    asks_for_json(draft, body.get("response_format"), "response_format")
    asks_to_reason(draft)
    return draft.done()


def _input(draft: Draft, value: object) -> None:
    if value is None:
        return
    if isinstance(value, str):
        draft.messages = 1
        draft.extra_tokens += MESSAGE_TOKENS
    elif isinstance(value, list):
        draft.messages = len(value)
        _input_items(draft, value, "input")
    else:
        draft.wrong_shape("input", "a string or a list of items")


def _input_items(draft: Draft, items: list[Any], place: str) -> None:
    for index, item in enumerate(items):
        at = f"{place}[{index}]"
        if isinstance(item, str):
            continue
        if isinstance(item, dict):
            _read_item(draft, item, at)
        elif isinstance(item, int | list) and not isinstance(item, bool):
            draft.opaque(at)
            draft.uncountable()
        else:
            draft.wrong_shape(at, "an object with a `type`")


def _kind_of(item: Mapping[str, Any]) -> object:
    """An item's type. Messages and references may leave it out."""
    kind = item.get("type")
    if kind is not None:
        return kind
    return "message" if "role" in item else "item_reference" if "id" in item else None


def _read_item(draft: Draft, item: Mapping[str, Any], place: str) -> None:
    draft.extra_tokens += MESSAGE_TOKENS
    kind = _kind_of(item)
    row = ITEMS.get(kind) if isinstance(kind, str) else None
    if row is None or not isinstance(kind, str):
        draft.opaque(place)
        draft.uncountable()
        draft.flag(Flag.SERVER_TOOLS, place)
        draft.unknown(place, "type")
        loose_keys(draft, item, COMMON, place)
        return
    who, keys = row
    loose_keys(draft, item, keys, place)
    if kind != "message":
        caller = item.get("caller")
        if isinstance(caller, dict) and caller.get("type") != "direct":
            draft.flag(Flag.SERVER_TOOLS, f"{place}.caller")
    match who:
        case Item.CLIENT:
            draft.flag(Flag.TOOLS, place)
        case Item.SERVER:
            draft.flag(Flag.SERVER_TOOLS, place)
        case Item.HELD:
            server_held(draft, place)
        case Item.TEXT:
            pass
    _read_kind(draft, kind, item, place)


def _read_kind(draft: Draft, kind: str, item: Mapping[str, Any], place: str) -> None:
    match kind:
        case "message":
            read_content(draft, item.get("content"), f"{place}.content")
        case "reasoning":
            draft.flag(Flag.REASONING, place)
            encrypted(draft, item.get("encrypted_content"), f"{place}.encrypted_content")
            read_content(draft, item.get("content"), f"{place}.content")
            read_content(draft, item.get("summary"), f"{place}.summary")
        case "compaction" | "compaction_summary":
            encrypted(draft, item.get("encrypted_content"), f"{place}.encrypted_content")
            draft.opaque(place)
        case "configuration_update":
            if is_set(item.get("reasoning")):
                draft.flag(Flag.REASONING, f"{place}.reasoning")
            text = item.get("text")
            if isinstance(text, dict):
                asks_for_json(draft, text.get("format"), f"{place}.text.format")
        case "shell_call_output" | "local_shell_call_output" | "apply_patch_call_output" | "mcp_call":
            read_nested(draft, item.get("output"), f"{place}.output")
        case "computer_call" | "local_shell_call" | "apply_patch_call" | "program_output" | "mcp_list_tools":
            read_nested(draft, [value for key, value in item.items() if key not in COMMON], place)
        case "function_call_output" | "custom_tool_call_output":
            read_content(draft, item.get("output"), f"{place}.output")
        case "computer_call_output":
            read_part(draft, item.get("output"), f"{place}.output")
        case "additional_tools" | "tool_search_output":
            read_tools(draft, item.get("tools"), f"{place}.tools")
            _run_by(draft, item, kind, place)
        case "tool_search_call":
            _run_by(draft, item, kind, place)
        case "shell_call":
            read_nested(draft, item.get("action"), f"{place}.action")
            environment = item.get("environment")
            if isinstance(environment, dict) and environment.get("type") != "local":
                draft.flag(Flag.SERVER_TOOLS, f"{place}.environment")
                server_held(draft, f"{place}.environment")
        case "code_interpreter_call":
            if is_set(item.get("container_id")):
                server_held(draft, f"{place}.container_id")
            _outputs(draft, item.get("outputs"), f"{place}.outputs")
        case "file_search_call":
            server_held(draft, place)
        case "image_generation_call":
            image(draft, place)
            draft.seal(item.get("result"))
            if not is_set(item.get("result")):
                server_held(draft, place)
        case _:
            pass


def _run_by(draft: Draft, item: Mapping[str, Any], kind: str, place: str) -> None:
    """A tool search says who ran it; unless it says the client, the server did."""
    if kind != "additional_tools" and item.get("execution") != "client":
        draft.flag(Flag.SERVER_TOOLS, place)


def _outputs(draft: Draft, outputs: object, place: str) -> None:
    for index, output in enumerate(outputs if isinstance(outputs, list) else ()):
        if isinstance(output, dict) and output.get("type") == "logs":
            continue
        image_url(draft, output.get("url") if isinstance(output, dict) else None, f"{place}[{index}]")
