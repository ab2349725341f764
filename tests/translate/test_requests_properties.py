"""Requests said in another dialect: there and back unchanged, every text kept and none added, whatever comes."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from policyd.translate import chat_to_messages, messages_to_chat, responses_to_chat
from policyd.translate.chat_to_messages import MOST_TOKENS
from policyd.translate.loss import Loss

from .requests import CHATS, JSON, MESSAGES, RESPONSES, chat_meaning, leaves, messages_meaning

Json = dict[str, Any]
Request = Callable[[Json], Json | Loss]


def said(request: Request, body: Json) -> Json:
    """What is said of a body that must be left as it is."""
    before = copy.deepcopy(body)
    out = request(body)
    assert isinstance(out, dict), out
    assert body == before
    return out


def later_instructions_stand_well(body: Json) -> bool:
    """Whether instructions inside the conversation follow what the user said, as Anthropic's API wants it."""
    spoken = [message["role"] for message in body["messages"]]
    begun = next((i for i, role in enumerate(spoken) if role not in {"system", "developer"}), len(spoken))
    return "assistant" not in (
        before
        for before, role in zip(spoken[begun:], spoken[begun + 1 :], strict=False)
        if role in {"system", "developer"}
    )


@given(CHATS)
def test_a_chat_completion_said_as_messages_and_back_is_unchanged(body: Json) -> None:
    assume(later_instructions_stand_well(body))
    back = said(messages_to_chat.request, said(chat_to_messages.request, body))
    assert chat_meaning(back) == chat_meaning({"max_tokens": MOST_TOKENS} | body)


@given(MESSAGES)
def test_a_messages_request_said_as_chat_and_back_is_unchanged(body: Json) -> None:
    back = said(chat_to_messages.request, said(messages_to_chat.request, body))
    assert messages_meaning(back) == messages_meaning(body)


FIXED_CHAT = {
    "text",
    "image_url",
    "user",
    "assistant",
    "tool",
    "system",
    "function",
    "auto",
    "none",
    "required",
}
FIXED_MESSAGES = {"text", "image", "base64", "url", "user", "assistant", "system", "tool_use", "tool_result", "object"} | {
    "auto", "any", "tool", "none", "adaptive", "disabled", "standard_only", "json_schema",
}  # fmt: skip
LABELS = {"system", "developer", "function", "required", "default", "text", "answer", "auto", "k", "refusal"}
"""Words of chat's own that the messages API has other words for, or none."""


def kept(text: str, texts: set[str]) -> bool:
    return not text.strip() or text in texts


@given(CHATS)
def test_every_text_of_a_chat_completion_is_said_and_no_other(body: Json) -> None:
    assume(later_instructions_stand_well(body))
    for message in body["messages"]:
        message.pop("reasoning_content", None)
    out = leaves(said(chat_to_messages.request, body))
    given_texts = leaves(body)
    assert {text for text in given_texts - LABELS - FIXED_CHAT if not kept(text, out)} == set()
    assert out - FIXED_MESSAGES <= given_texts


@given(RESPONSES)
def test_every_text_of_a_responses_request_is_said_and_no_other(body: Json) -> None:
    out = leaves(said(responses_to_chat.request, body))
    labels = {"message", "function_call", "function_call_output", "namespace", "reasoning", "reasoning_text"} | {
        "input_text", "output_text", "input_image", "developer", "web", "m", "rs", "completed", "auto",
    }  # fmt: skip
    described = {tool["description"] for tool in body.get("tools", [])}
    joined = {text for text in out if any(text.startswith(words + "\n\n") for words in described)}
    called = {text for text in out if text.startswith("web__")}
    pieces = {piece for text in joined for piece in text.split("\n\n", 1)} | {
        text.removeprefix("web__") for text in called
    }
    given_texts = leaves(body)
    unsaid = {
        text for text in given_texts - labels - out - pieces if not any(text in words for words in joined)
    }
    assert unsaid == set()
    assert out - joined - called - FIXED_CHAT <= given_texts


SHAPES = st.sampled_from([
    "role", "content", "type", "text", "user", "assistant", "tool", "system", "function", "tool_calls", "tool_call_id", "id",
    "function_call", "function_call_output", "call_id", "output", "arguments", "name", "image_url", "url", "reasoning",
])  # fmt: skip
ANYTHING = st.recursive(JSON | SHAPES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SHAPES, inner, max_size=5), max_leaves=20)  # fmt: skip
KEYS = st.sampled_from([
    "model", "messages", "input", "max_tokens", "max_completion_tokens", "max_output_tokens", "temperature", "top_p", "stop",
    "stream", "stream_options", "tools", "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort", "user",
    "safety_identifier", "prompt_cache_key", "n", "service_tier", "text", "reasoning", "include", "instructions", "store",
    "system", "thinking", "output_config", "metadata",
])  # fmt: skip


@pytest.mark.parametrize(
    "request_of", [chat_to_messages.request, responses_to_chat.request], ids=["chat", "responses"]
)
@given(st.data())
def test_whatever_comes_is_said_or_lost(request_of: Request, data: st.DataObject) -> None:
    body: Json = data.draw(CHATS if request_of is chat_to_messages.request else RESPONSES)
    body |= data.draw(st.dictionaries(KEYS, ANYTHING, max_size=2))
    if data.draw(st.booleans()):
        where = data.draw(st.sampled_from(["messages", "input"]))
        if isinstance(body.get(where), list):
            body[where] = [*body[where][:-1], data.draw(ANYTHING), *body[where][-1:]]
    before = copy.deepcopy(body)
    assert isinstance(request_of(body), dict | Loss)
    assert body == before
