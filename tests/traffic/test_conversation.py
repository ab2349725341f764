"""Which conversation a request belongs to: what each known client was seen to send, and what servers keep."""

import json
from typing import Any

import pytest

from policyd.traffic import conversation
from policyd.traffic.conversation import LONGEST_ID, MOST_STATE, NO_IDS, SOURCES, conversation_ids
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.read import read_request

ONE = "99306c17-b87f-4f24-a3ce-49a7112c08f7"
TWO = "01a1fa41-5df9-7082-936d-eb6ef6f8f556"

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def ids(
    body: dict[str, Any], headers: dict[str, str] | None = None, endpoint: EndpointName = EndpointName.CHAT
) -> tuple[str, str, str]:
    raw = tuple((name.encode(), value.encode()) for name, value in (headers or {}).items())
    found = conversation_ids(read_request(endpoint, body), raw)
    return found.client, found.agent, found.conversation


def state(body: dict[str, Any], endpoint: EndpointName = EndpointName.RESPONSES) -> tuple[set[str], bool]:
    found = conversation_ids(read_request(endpoint, body), ())
    return set(found.state), found.complete


CLIENTS: dict[str, tuple[dict[str, Any], dict[str, str], tuple[str, str, str]]] = {
    "Claude Code's header": ({}, {"x-claude-code-session-id": ONE}, ("Claude Code", ONE, ONE)),
    "a sub-agent of Claude Code": (
        {}, {"x-claude-code-session-id": ONE, "x-claude-code-agent-id": "a7"}, ("Claude Code", ONE, f"{ONE}/a7"),
    ),
    "Claude Code's metadata": (
        {"metadata": {"user_id": json.dumps({"device_id": "d", "account_uuid": "", "session_id": ONE})}},
        {}, ("Claude Code", ONE, ONE),
    ),
    "Claude Code's metadata before 2.1": (
        {"metadata": {"user_id": f"user_{'0a' * 32}_account_{TWO}_session_{ONE}"}}, {}, ("Claude Code", ONE, ONE),
    ),
    "Codex": ({"prompt_cache_key": ONE}, {"session-id": TWO, "thread-id": ONE}, ("Codex", TWO, ONE)),
    "Codex's body": ({"client_metadata": {"session_id": TWO, "thread_id": ONE}}, {}, ("Codex", TWO, ONE)),
    "an older Codex": ({}, {"session_id": TWO, "conversation_id": ONE}, ("Codex", TWO, ONE)),
    "opencode": ({}, {"x-session-affinity": "ses_1", "x-session-id": "ses_1"}, ("any other", "ses_1", "ses_1")),
    "a sub-agent of opencode": (
        {}, {"x-session-id": "ses_2", "x-parent-session-id": "ses_1"}, ("opencode", "ses_1", "ses_2"),
    ),
    "opencode's own provider": ({}, {"x-opencode-session": "ses_1"}, ("opencode", "ses_1", "ses_1")),
    "Qwen Code": ({"metadata": {"sessionId": ONE, "promptId": "p"}}, {}, ("Qwen Code", ONE, ONE)),
    "any client": ({}, {"x-session-id": "s", "x-conversation-id": "c"}, ("any other", "s", "c")),
    "only a conversation": ({}, {"x-conversation-id": "c"}, ("conversations only", "c", "c")),
    "a session in the body": ({"session_id": "s"}, {}, ("any other", "s", "s")),
    "a cache key that is an id": ({"prompt_cache_key": ONE}, {}, ("a cache key", ONE, ONE)),
    "opencode's cache key": ({"prompt_cache_key": "ses_e05be9353ffe"}, {}, ("a cache key", "ses_e05be9353ffe", "ses_e05be9353ffe")),
    "a kept conversation": ({"conversation": {"id": "conv_1"}}, {}, ("kept by the server", "conv_1", "conv_1")),
    "a kept conversation by name": ({"conversation": "conv_1"}, {}, ("kept by the server", "conv_1", "conv_1")),
}  # fmt: skip


@pytest.mark.parametrize(("body", "headers", "wanted"), CLIENTS.values(), ids=CLIENTS)
def test_what_a_client_says_is_its_session(
    body: dict[str, Any], headers: dict[str, str], wanted: tuple[str, str, str]
) -> None:
    assert ids(CHAT | body, headers) == wanted


def test_every_row_of_the_table_is_tried() -> None:
    assert {wanted[0] for _, _, wanted in CLIENTS.values()} == {source.client for source in SOURCES}


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": {"user_id": "alice@example.com"}},
        {"metadata": {"user_id": "{not json"}},
        {"metadata": {"user_id": '{"session_id": 7}'}},
        {"metadata": {"user_id": '["session_id"]'[:-1]}},
        {"metadata": {"user_id": '{"a": "' + "x" * 5000 + '", "session_id": "s"}'}},
        {"metadata": {"user_id": 7}},
        {"metadata": "session"},
        {"prompt_cache_key": "support-bot-v2"},
        {"safety_identifier": ONE, "user": ONE},
        {"session_id": "   "},
        {"client_metadata": [ONE]},
    ],
)
def test_what_names_no_conversation_is_none(body: dict[str, Any]) -> None:
    assert conversation_ids(read_request(EndpointName.CHAT, CHAT | body), ()) is NO_IDS


def test_an_id_is_bounded_in_normal_form_and_told_from_its_like() -> None:
    assert ids(CHAT, {"x-session-id": "e\u0301 "})[1] == "\u00e9"
    assert ids(CHAT, {"x-session-id": "s" * LONGEST_ID})[1] == "s" * LONGEST_ID
    long = {ids(CHAT, {"x-session-id": "s" * 5000 + end})[1] for end in "ab"}
    assert len(long) == 2
    assert all(len(one) == len("sha256:") + 64 for one in long)


def test_a_header_that_is_not_utf8_is_still_an_id() -> None:
    found = conversation_ids(read_request(EndpointName.CHAT, CHAT), [(b"x-session-id", b"\xff\xfe")])
    assert found.agent == "\xff\xfe"


def test_a_header_that_comes_twice_counts_as_it_came_first() -> None:
    headers = [(b"x-session-id", b"one"), (b"x-session-id", b"two")]
    assert conversation_ids(read_request(EndpointName.CHAT, CHAT), headers).agent == "one"


KEPT: dict[str, tuple[dict[str, Any], set[str]]] = {
    "an earlier answer": ({"previous_response_id": "resp_1"}, {"resp_1"}),
    "a conversation": ({"conversation": "conv_1"}, {"conv_1"}),
    "a conversation as an object": ({"conversation": {"id": "conv_1"}}, {"conv_1"}),
    "an item": ({"input": [{"type": "item_reference", "id": "msg_1"}]}, {"msg_1"}),
    "an item without a type": ({"input": [{"id": "msg_1"}]}, {"msg_1"}),
    "a file": ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file_1"}]}]}, {"file_1"}),
    "stores": ({"tools": [{"type": "file_search", "vector_store_ids": ["vs_1", "vs_2"]}]}, {"vs_1", "vs_2"}),
    "a container": ({"tools": [{"type": "code_interpreter", "container": "cntr_1"}]}, {"cntr_1"}),
    "a container's files": (
        {"tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file_1"]}}]}, {"file_1"},
    ),
    "a kept prompt": ({"prompt": {"id": "pmpt_1", "variables": {}}}, {"pmpt_1"}),
}  # fmt: skip


@pytest.mark.parametrize(("body", "wanted"), KEPT.values(), ids=KEPT)
def test_what_a_request_continues_is_named(body: dict[str, Any], wanted: set[str]) -> None:
    assert state({"model": "m", "input": "hi"} | body) == (wanted, True)


def test_a_container_and_a_file_of_anthropic_are_named() -> None:
    body = CHAT | {
        "container": {"id": "container_1"},
        "messages": [{"role": "user", "content": [{"type": "container_upload", "file_id": "file_1"}]}],
    }
    assert state(body, EndpointName.MESSAGES) == ({"container_1", "file_1"}, True)


def test_an_answer_that_would_be_kept_continues_nothing() -> None:
    """`store` is true unless it is turned off, and names nothing."""
    assert state({"model": "m", "input": [{"role": "user", "content": "hi"}]}) == (set(), True)


def test_what_a_tool_calls_an_id_is_none() -> None:
    use = {
        "type": "tool_use",
        "id": "toolu_1",
        "name": "open",
        "input": {"file_id": "mine", "container": "box"},
    }
    body = CHAT | {"messages": [{"role": "assistant", "content": [use]}], "container": "c1"}
    assert state(body, EndpointName.MESSAGES) == ({"c1"}, True)


def test_too_many_ids_are_said_to_be_more() -> None:
    references = [{"type": "item_reference", "id": f"msg_{n}"} for n in range(MOST_STATE + 1)]
    named, complete = state({"model": "m", "input": references})
    assert len(named) == MOST_STATE
    assert not complete


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [{"type": "file_search", "vector_store_ids": [f"vs_{n}" for n in range(5000)]}]},
        {"input": [{"type": "item_reference", "id": f"msg_{n}"} for n in range(5000)]},
        {
            "input": [
                {"type": "message", "role": "user", "content": [{"file_id": f"f{n}"} for n in range(5000)]}
            ]
        },
    ],
    ids=["a list", "references", "objects"],
)
def test_nobody_looks_for_more_ids_than_are_kept(
    body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def bounded(text: str) -> str:
        looked.append(text)
        return text

    monkeypatch.setattr(conversation, "_bounded", bounded)
    named, complete = state({"model": "m", "input": "x", "previous_response_id": "resp_1", **body})
    assert len(named) == MOST_STATE and not complete
    assert len(looked) <= 2 * MOST_STATE
