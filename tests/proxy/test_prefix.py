"""Which conversation a request belongs to: the later requests of one have the name of the first."""

import pytest

from policyd.proxy.prefix import conversation_of
from policyd.traffic.endpoints import EndpointName

SYSTEM = {"role": "system", "content": "be brief"}
FIRST = {"role": "user", "content": "hello"}
REST = [{"role": "assistant", "content": "hi"}, {"role": "user", "content": "and now?"}]
MARKED = [{"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}]
PLAIN = [{"type": "text", "text": "hello"}]

BEGINNINGS: dict[str, tuple[EndpointName, dict[str, object], dict[str, object]]] = {
    "chat": (EndpointName.CHAT, {"messages": [SYSTEM, FIRST]}, {"messages": [SYSTEM, FIRST, *REST], "stream": True}),
    "chat without a system": (EndpointName.CHAT, {"messages": [FIRST]}, {"messages": [FIRST, *REST]}),
    "messages": (EndpointName.MESSAGES, {"system": "s", "messages": [FIRST]}, {"system": "s", "messages": [FIRST, *REST]}),
    "messages whose cache markers move": (
        EndpointName.MESSAGES,
        {"messages": [{"role": "user", "content": MARKED}]},
        {"messages": [{"role": "user", "content": PLAIN}, *REST]},
    ),
    "responses": (EndpointName.RESPONSES, {"instructions": "i", "input": [FIRST]}, {"instructions": "i", "input": [FIRST, *REST]}),
    "responses with a role that is no word": (
        EndpointName.RESPONSES,
        {"input": [{"role": [], "content": "x"}]},
        {"input": [{"role": [], "content": "x"}, *REST]},
    ),
    "a name of the caller's": (
        EndpointName.RESPONSES,
        {"prompt_cache_key": "k", "input": "a"},
        {"prompt_cache_key": "k", "input": "b"},
    ),
    "completions": (EndpointName.COMPLETIONS, {"prompt": "x" * 2000}, {"prompt": "x" * 2000 + "more"}),
}  # fmt: skip


@pytest.mark.parametrize(("endpoint", "before", "after"), BEGINNINGS.values(), ids=BEGINNINGS.keys())
def test_a_conversation_keeps_its_name(
    endpoint: EndpointName, before: dict[str, object], after: dict[str, object]
) -> None:
    name = conversation_of(endpoint, before)
    assert name is not None
    assert name == conversation_of(endpoint, after)


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        pytest.param(EndpointName.CHAT, {"messages": [SYSTEM, {"role": "user", "content": "other"}]}, id="another beginning"),
        pytest.param(EndpointName.CHAT, {"messages": [{"role": "system", "content": "x"}, FIRST]}, id="another system"),
        pytest.param(EndpointName.MESSAGES, {"system": "be", "messages": [FIRST]}, id="another endpoint"),
    ],
)  # fmt: skip
def test_another_conversation_has_another_name(endpoint: EndpointName, body: dict[str, object]) -> None:
    assert conversation_of(endpoint, body) != conversation_of(
        EndpointName.CHAT, {"messages": [SYSTEM, FIRST]}
    )


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        (EndpointName.EMBEDDINGS, {"input": "hello"}),
        (EndpointName.COUNT_TOKENS, {"messages": [FIRST]}),
        (EndpointName.RESPONSES, {"input": [FIRST], "previous_response_id": "r"}),
        (EndpointName.CHAT, {"messages": []}),
        (EndpointName.CHAT, {"messages": ["no message"]}),
    ],
    ids=["embeddings", "counting", "a stored conversation", "no message", "nonsense"],
)
def test_what_is_no_conversation_has_no_name(endpoint: EndpointName, body: dict[str, object]) -> None:
    assert conversation_of(endpoint, body) is None
