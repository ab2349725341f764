"""The closed tables against the official SDKs' own types: everything that an SDK can send is known by name."""

import importlib
import types
import typing
from collections.abc import Iterator
from typing import Any

import pytest

from policyd.traffic.anthropic_messages import BLOCKS
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.openai_parts import PART_KEYS
from policyd.traffic.openai_responses import ITEMS
from policyd.traffic.reach import PASSED, REACH_KEYS, READ_KEYS
from policyd.traffic.reading import Draft, Flag
from policyd.traffic.tools import CLIENT_KEYS, CLIENT_TOOLS, EITHER, SERVER_TOOLS, read_tool
from policyd.traffic.top_level import unknown_top_level_keys

anthropic_blocks = pytest.importorskip(
    "anthropic.types.beta.beta_content_block_param", reason="needs the anthropic SDK with beta types"
)
anthropic_tools = pytest.importorskip(
    "anthropic.types.beta.beta_tool_union_param", reason="needs the anthropic SDK with beta types"
)
openai_items = pytest.importorskip(
    "openai.types.responses.response_input_item_param", reason="needs the openai SDK with responses"
)
openai_tools = pytest.importorskip(
    "openai.types.responses.tool_param", reason="needs the openai SDK with responses"
)
openai_parts = pytest.importorskip(
    "openai.types.chat.chat_completion_content_part_param", reason="needs the openai SDK"
)
openai_input = pytest.importorskip(
    "openai.types.responses.response_input_content_param", reason="needs the openai SDK with responses"
)


def members(union: Any) -> Iterator[Any]:
    origin = typing.get_origin(union)
    if origin in (typing.Union, types.UnionType):
        for member in typing.get_args(union):
            yield from members(member)
    elif origin is typing.Annotated:
        yield from members(typing.get_args(union)[0])
    elif hasattr(union, "__required_keys__"):
        yield union


def literals(hint: Any) -> Iterator[str]:
    if typing.get_origin(hint) is typing.Literal:
        yield from (value for value in typing.get_args(hint) if isinstance(value, str))
    else:
        for inner in typing.get_args(hint):
            yield from literals(inner)


def shapes(union: Any) -> dict[str, set[str]]:
    """For each value of `type`, the keys that the SDK's types have with it."""
    found: dict[str, set[str]] = {}
    for member in members(union):
        hints = typing.get_type_hints(member, include_extras=True)
        for kind in literals(hints.get("type")):
            found.setdefault(kind, set()).update(hints)
    return found


def test_every_anthropic_block_and_its_keys_are_known() -> None:
    found = shapes(anthropic_blocks.BetaContentBlockParam)
    assert len(found) > 15
    assert {
        kind: keys - BLOCKS[kind][1]
        for kind, keys in found.items()
        if kind in BLOCKS and keys - BLOCKS[kind][1]
    } == {}
    assert set(found) - set(BLOCKS) == set()


def test_every_openai_item_and_its_keys_are_known() -> None:
    found = shapes(openai_items.ResponseInputItemParam)
    assert len(found) > 20
    assert set(found) - set(ITEMS) == set()
    assert {kind: keys - ITEMS[kind][1] for kind, keys in found.items() if keys - ITEMS[kind][1]} == {}


@pytest.mark.parametrize(
    "union",
    [openai_parts.ChatCompletionContentPartParam, openai_input.ResponseInputContentParam],
    ids=["chat", "responses"],
)
def test_every_openai_part_and_its_keys_are_known(union: Any) -> None:
    found = shapes(union)
    assert len(found) >= 3
    assert set(found) - set(PART_KEYS) == set()
    assert {kind: keys - PART_KEYS[kind] for kind, keys in found.items() if keys - PART_KEYS[kind]} == {}


def test_every_openai_tool_is_known() -> None:
    found = shapes(openai_tools.ToolParam)
    assert len(found) > 10
    assert set(found) - CLIENT_TOOLS - SERVER_TOOLS - EITHER == set()


def test_every_anthropic_tool_is_known() -> None:
    found = shapes(anthropic_tools.BetaToolUnionParam)
    assert len(found) > 15
    for kind in found:
        draft = Draft({})
        read_tool(draft, {"type": kind, "name": "x"}, "tools[0]")
        reading = draft.done()
        assert Flag.TOOLS in reading.flags
        assert Flag.OPAQUE not in reading.flags, f"`{kind}` is in no table"


@pytest.mark.parametrize(
    "union", [openai_tools.ToolParam, anthropic_tools.BetaToolUnionParam], ids=["openai", "anthropic"]
)
def test_every_key_of_a_tool_that_the_client_runs_is_known(union: Any) -> None:
    read = 0
    for kind, keys in shapes(union).items():
        known = CLIENT_KEYS.get(kind) or CLIENT_KEYS.get(kind.rpartition("_")[0])
        if known is not None:
            read += 1
            assert keys - known == set(), kind
    assert read >= 8


CREATE_PARAMS = [
    ("openai.types.chat.completion_create_params", "CompletionCreateParamsBase"),
    ("openai.types.completion_create_params", "CompletionCreateParamsBase"),
    ("openai.types.embedding_create_params", "EmbeddingCreateParams"),
    ("openai.types.responses.response_create_params", "ResponseCreateParamsBase"),
    ("anthropic.types.beta.message_create_params", "MessageCreateParamsBase"),
    ("anthropic.types.beta.message_count_tokens_params", "MessageCountTokensParams"),
    ("anthropic.types.message_create_params", "MessageCreateParamsBase"),
]


@pytest.mark.parametrize(("module", "name"), CREATE_PARAMS, ids=[f"{m}.{n}" for m, n in CREATE_PARAMS])
def test_every_top_level_key_of_the_sdks_was_considered(module: str, name: str) -> None:
    keys = set(getattr(importlib.import_module(module), name).__annotations__)
    considered = {row.key for row in REACH_KEYS} | READ_KEYS | {key for _, keys in PASSED for key in keys}
    assert len(keys) > 3
    assert keys - considered == set()


PARAMETERS_OF = {
    "openai.types.chat.completion_create_params": EndpointName.CHAT,
    "openai.types.completion_create_params": EndpointName.COMPLETIONS,
    "openai.types.embedding_create_params": EndpointName.EMBEDDINGS,
    "openai.types.responses.response_create_params": EndpointName.RESPONSES,
    "anthropic.types.beta.message_create_params": EndpointName.MESSAGES,
    "anthropic.types.beta.message_count_tokens_params": EndpointName.COUNT_TOKENS,
}


@pytest.mark.parametrize(
    ("module", "name"), CREATE_PARAMS[:6], ids=[f"{m}.{n}" for m, n in CREATE_PARAMS[:6]]
)
def test_every_parameter_of_the_sdks_is_documented_for_its_endpoint(module: str, name: str) -> None:
    keys = set(getattr(importlib.import_module(module), name).__annotations__)
    assert unknown_top_level_keys(PARAMETERS_OF[module], dict.fromkeys(keys)) == ()
