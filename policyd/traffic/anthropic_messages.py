"""`POST /v1/messages` and `/v1/messages/count_tokens`: a parsed body to its reading.

A table says of each content block who ran what it speaks of and which keys it has; a block that is not in it is opaque.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from policyd.traffic.endpoints import EndpointName
from policyd.traffic.image_sizes import size_of
from policyd.traffic.images import most_in_anthropic
from policyd.traffic.openai_chat import MESSAGE_TOKENS
from policyd.traffic.parts import encrypted, file_data, loose_keys, remote, server_held, thinking
from policyd.traffic.reach import check_cache, is_set
from policyd.traffic.reading import Draft, Flag, Reading
from policyd.traffic.tools import read_tool, read_tools
from policyd.traffic.top_level import read_top_level

__all__ = ["BLOCKS", "read_count_tokens", "read_messages"]


class Block(Enum):
    """Who does what a block speaks of."""

    TEXT = "text"
    CLIENT = "run by the client"
    SERVER = "run by the server"


COMMON: Final = frozenset({"type", "cache_control", "citations", "caller", "id"})


def _block(block: Block, *keys: str) -> tuple[Block, frozenset[str]]:
    return block, COMMON | frozenset(keys)


BLOCKS: Final[dict[str, tuple[Block, frozenset[str]]]] = {
    "text": _block(Block.TEXT, "text"),
    "image": _block(Block.TEXT, "source", "transformations"),
    "document": _block(Block.TEXT, "source", "title", "context"),
    "search_result": _block(Block.TEXT, "source", "title", "content"),
    "thinking": _block(Block.TEXT, "thinking", "signature"),
    "redacted_thinking": _block(Block.TEXT, "data"),
    "compaction": _block(Block.TEXT, "content", "encrypted_content", "signature", "tool_changes"),
    "fallback": _block(Block.TEXT, "from", "to", "trigger"),
    "tool_use": _block(Block.CLIENT, "input", "name", "toolset_name"),
    "tool_result": _block(Block.CLIENT, "content", "is_error", "tool_use_id", "toolset_name"),
    "tool_reference": _block(Block.CLIENT, "tool_name", "name"),
    "tool_addition": _block(Block.CLIENT, "tool"),
    "tool_removal": _block(Block.CLIENT, "tool"),
    "browser_state": _block(Block.CLIENT, "tabs", "active_tab_id", "changes"),
    "server_tool_use": _block(Block.SERVER, "input", "name"),
    "web_search_tool_result": _block(Block.SERVER, "content", "tool_use_id"),
    "web_fetch_tool_result": _block(Block.SERVER, "content", "tool_use_id"),
    "advisor_tool_result": _block(Block.SERVER, "content", "tool_use_id"),
    "code_execution_tool_result": _block(Block.SERVER, "content", "tool_use_id"),
    "bash_code_execution_tool_result": _block(Block.SERVER, "content", "tool_use_id"),
    "text_editor_code_execution_tool_result": _block(Block.SERVER, "content", "tool_use_id"),
    "tool_search_tool_result": _block(Block.SERVER, "content", "tool_use_id"),
    "mcp_tool_use": _block(Block.SERVER, "input", "name", "server_name"),
    "mcp_tool_result": _block(Block.SERVER, "content", "is_error", "tool_use_id"),
    "mcp_tool_listing": _block(Block.SERVER, "mcp_server_name", "tools"),
    "container_upload": _block(Block.SERVER, "file_id"),
}
"""Every known content block and its keys."""

RESULT_KEYS: Final[dict[str, frozenset[str]]] = {
    "web_search_result": frozenset({"type", "encrypted_content", "title", "url", "page_age"}),
    "web_fetch_result": frozenset({"type", "content", "url", "retrieved_at"}),
}
"""What server tools' results hold and has to be read further."""

MESSAGE_KEYS: Final = frozenset({
    "role", "content", "clear_at", "output_config", "id", "type", "model", "stop_reason", "stop_sequence", "usage",
})  # fmt: skip


TOOL_PROMPT_TOKENS: Final = 804
"""The largest of the system prompts that Anthropic's servers add where there are tools; each model has its own."""


def read_messages(body: Mapping[str, Any]) -> Reading:
    """The reading of a messages request."""
    return _read(body, EndpointName.MESSAGES)


def read_count_tokens(body: Mapping[str, Any]) -> Reading:
    """The reading of a token count: a messages request without an answer."""
    return _read(body, EndpointName.COUNT_TOKENS)


def _read(body: Mapping[str, Any], endpoint: EndpointName) -> Reading:
    draft = Draft(body)
    read_top_level(draft, endpoint)
    draft.model = draft.text("model")
    if draft.truth("stream"):
        draft.flag(Flag.STREAM, "stream")
    draft.limit_output("max_tokens")
    if endpoint is EndpointName.COUNT_TOKENS:
        draft.max_output = 0
    messages = draft.items("messages")
    if not isinstance(body.get("messages"), list):
        draft.wrong_shape("messages", "a list")
    draft.messages = len(messages)
    for index, message in enumerate(messages):
        _message(draft, message, f"messages[{index}]")
    _content(draft, body.get("system"), "system")
    read_tools(draft, body.get("tools"), "tools")
    if is_set(body.get("tools")):
        draft.extra_tokens += TOOL_PROMPT_TOKENS
    _settings(draft)
    return draft.done()


def _settings(draft: Draft) -> None:
    body = draft.body
    config = body.get("output_config")
    if isinstance(config, dict):
        if is_set(config.get("format")):
            draft.flag(Flag.JSON, "output_config.format")
    elif config is not None:
        draft.wrong_shape("output_config", "an object")
    if is_set(body.get("output_format")):
        draft.flag(Flag.JSON, "output_format")
    thinking = body.get("thinking")
    if isinstance(thinking, dict):
        if thinking and thinking.get("type") != "disabled":
            draft.flag(Flag.REASONING, "thinking")
    elif thinking is not None:
        draft.wrong_shape("thinking", "an object")


def _message(draft: Draft, message: Any, place: str) -> None:
    if not isinstance(message, dict):
        draft.wrong_shape(place, "an object")
        return
    draft.extra_tokens += MESSAGE_TOKENS
    loose_keys(draft, message, MESSAGE_KEYS, place)
    role = message.get("role")
    if role is not None and not isinstance(role, str):
        draft.wrong_shape(f"{place}.role", "a string")
    _content(draft, message.get("content"), f"{place}.content")


def _content(draft: Draft, content: object, place: str) -> None:
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list):
        draft.wrong_shape(place, "a string or a list of content blocks")
        return
    for index, block in enumerate(content):
        _read_block(draft, block, f"{place}[{index}]")


def _read_block(draft: Draft, block: Any, place: str) -> None:
    if not isinstance(block, dict):
        draft.wrong_shape(place, "an object with a `type`")
        return
    draft.extra_tokens += 3
    kind = block.get("type")
    row = BLOCKS.get(kind) if isinstance(kind, str) else None
    if row is None or not isinstance(kind, str):
        draft.opaque(place)
        draft.uncountable()
        draft.unknown(place, "type")
        loose_keys(draft, block, COMMON, place)
        return
    who, keys = row
    loose_keys(draft, block, keys, place)
    check_cache(draft, block, place)
    if is_set(block.get("citations")):
        _server_result(draft, block["citations"], f"{place}.citations")
    caller = block.get("caller")
    if who is Block.SERVER or (isinstance(caller, dict) and caller.get("type") != "direct"):
        draft.flag(Flag.SERVER_TOOLS, place)
    elif who is Block.CLIENT:
        draft.flag(Flag.TOOLS, place)
    _read_kind(draft, kind, block, place)


def _read_kind(draft: Draft, kind: str, block: Mapping[str, Any], place: str) -> None:
    match kind:
        case "text":
            if not isinstance(block.get("text"), str | None):
                draft.wrong_shape(f"{place}.text", "a string")
        case "image":
            _source(draft, block.get("source"), f"{place}.source", is_image=True)
        case "document":
            _source(draft, block.get("source"), f"{place}.source", is_image=False)
        case "thinking":
            thinking(draft, block.get("thinking"), block.get("signature"), place)
        case "redacted_thinking":
            draft.flag(Flag.REASONING, place)
            draft.opaque(place)
            encrypted(draft, block.get("data"), f"{place}.data")
        case "compaction":
            encrypted(draft, block.get("encrypted_content"), f"{place}.encrypted_content")
            _content(draft, block.get("tool_changes"), f"{place}.tool_changes")
            _content(draft, block.get("content"), f"{place}.content")
        case "tool_addition" | "tool_removal":
            _tool_change(draft, block.get("tool"), f"{place}.tool")
        case "container_upload":
            server_held(draft, place)
        case "tool_result" | "search_result" | "mcp_tool_result":
            _content(draft, block.get("content"), f"{place}.content")
        case "browser_state" | "fallback" | "mcp_tool_listing":
            _server_result(draft, [item for key, item in block.items() if key not in COMMON], place)
        case _ if kind.endswith("_tool_result"):
            _server_result(draft, block.get("content"), f"{place}.content")
        case _:
            pass


def _source(draft: Draft, source: object, place: str, *, is_image: bool) -> None:
    """Where an image or a document comes from."""
    if not isinstance(source, dict):
        draft.wrong_shape(place, "an object with a `type`")
        return
    kind, media, data = source.get("type"), source.get("media_type"), source.get("data")
    if is_image:
        size = size_of(data) if kind == "base64" and isinstance(data, str) else None
        draft.flag(Flag.IMAGES, place)
        draft.opaque(place)
        draft.picture(size, None, most_in_anthropic(size))
    loose_keys(draft, source, frozenset({"type", "media_type", "data", "url", "file_id", "content"}), place)
    if is_set(source.get("url")):
        remote(draft, place)
    if is_set(source.get("file_id")):
        server_held(draft, place)
    match kind:
        case "base64" if is_image:
            draft.seal(data)
        case "base64":
            file_data(draft, data, media if isinstance(media, str) else None, place)
        case "text":
            if not isinstance(data, str):
                draft.wrong_shape(f"{place}.data", "a string")
        case "content":
            _content(draft, source.get("content"), f"{place}.content")
        case "url" | "file":
            pass
        case _:
            draft.opaque(place)
            draft.uncountable()


def _tool_change(draft: Draft, tool: object, place: str) -> None:
    if not isinstance(tool, dict):
        draft.wrong_shape(place, "an object")
        return
    match tool.get("type"):
        case "tool_definition":
            read_tool(draft, tool.get("definition"), f"{place}.definition")
        case "tool_reference":
            pass
        case "mcp_tool_reference" | "mcp_toolset_reference":
            draft.flag(Flag.SERVER_TOOLS, place)
        case _:
            draft.flag(Flag.SERVER_TOOLS, place)
            draft.opaque(place)


def _server_result(draft: Draft, content: object, place: str) -> None:
    """What a server tool brought back: text, pages, encrypted pages, files. Its shapes are many, so it is walked for the
    few things that are not text."""
    stack: list[tuple[object, str]] = [(content, place)]
    while stack:
        value, at = stack.pop()
        if isinstance(value, list):
            stack.extend((item, at) for item in value)
        elif isinstance(value, dict):
            if value.get("type") in ("document", "image"):
                _read_block(draft, value, at)
                continue
            for key, item in value.items():
                if key.startswith("encrypted_"):
                    encrypted(draft, item, at)
                elif key == "file_id" and is_set(item):
                    server_held(draft, at)
                elif isinstance(item, dict | list):
                    stack.append((item, at))
