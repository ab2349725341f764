"""Reach keys: every row of the table is in force, look-alikes are refused, and the page is the table."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from policyd.traffic.endpoints import EndpointName
from policyd.traffic.reach import REACH_KEYS, REFUSED_PREFIXES, Outcome, ReachKey
from policyd.traffic.reach_page import reach_page
from policyd.traffic.read import read_request
from policyd.traffic.reading import Reading
from policyd.traffic.refused import CallerFault
from policyd.traffic.top_level import unknown_top_level_keys

MINIMAL: dict[EndpointName, dict[str, Any]] = {
    EndpointName.CHAT: {"messages": [{"role": "user", "content": "hi"}]},
    EndpointName.COMPLETIONS: {"prompt": "hi"},
    EndpointName.RESPONSES: {"input": "hi", "store": False},
    EndpointName.EMBEDDINGS: {"input": "hi"},
    EndpointName.MESSAGES: {"messages": [{"role": "user", "content": "hi"}]},
    EndpointName.COUNT_TOKENS: {"messages": [{"role": "user", "content": "hi"}]},
}


def read(name: EndpointName, body: dict[str, Any]) -> Reading:
    return read_request(name, orjson.loads(orjson.dumps(MINIMAL[name] | body)))


def flags(reading: Reading) -> set[str]:
    return {flag.value for flag in reading.flags}


@pytest.mark.parametrize("name", list(MINIMAL))
def test_a_minimal_request_reaches_nothing(name: EndpointName) -> None:
    reading = read(name, {})
    assert reading.refused is None
    assert flags(reading) == set()
    assert reading.countable


ROWS = [(row, name) for row in REACH_KEYS for name in MINIMAL if row.only is None or name in row.only]


@pytest.mark.parametrize(("row", "name"), ROWS, ids=[f"{row.key} on {name}" for row, name in ROWS])
def test_every_reach_key_does_what_its_row_says(row: ReachKey, name: EndpointName) -> None:
    value: Any = True if row.key in {"store", "background"} else {"id": "x"} if row.key == "prompt" else ["x"]
    reading = read(name, {row.key: value})
    if row.outcome is Outcome.REFUSED:
        assert reading.refused is not None
        assert reading.refused.fault is CallerFault.REACH_KEY
        assert f"`{row.key}`" in reading.refused.message
    else:
        assert reading.refused is None
        assert set(row.outcome.value.split(", ")) <= flags(reading)


@pytest.mark.parametrize("row", [row for row in REACH_KEYS if row.only is None], ids=lambda row: row.key)
def test_a_reach_key_counts_when_it_is_there(row: ReachKey) -> None:
    def counts(value: Any) -> bool:
        reading = read(EndpointName.CHAT, {row.key: value})
        return reading.refused is not None or bool(flags(reading))

    assert not counts(None)
    assert not counts(False)
    assert counts({})
    assert counts("")
    assert counts([]) is not row.listed


@pytest.mark.parametrize("key", ["web_search_options", "search_parameters"])
def test_an_empty_object_switches_search_on(key: str) -> None:
    assert flags(read(EndpointName.CHAT, {key: {}})) == {"server_tools"}


URL = "https://x.example/a"


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        (EndpointName.CHAT, {"input_ids": [1, 2, 3]}, {"opaque"}),
        (EndpointName.CHAT, {"prompt_token_ids": [1, 2, 3]}, {"opaque"}),
        (EndpointName.CHAT, {"prompt": [1, 2, 3]}, {"opaque"}),
        (EndpointName.CHAT, {"x": [1]}, {"opaque"}),
        (EndpointName.CHAT, {"x": ["plain", "words"]}, set()),
        (EndpointName.CHAT, {"x": {"y": "z"}}, {"opaque"}),
        (EndpointName.CHAT, {"image_url": {"url": URL}}, {"images", "opaque", "remote_content"}),
        (EndpointName.CHAT, {"image": "data:image/png;base64,iVBO"}, {"images", "opaque"}),
        (EndpointName.RESPONSES, {"image": {"detail": "high"}}, set()),
        (EndpointName.CHAT, {"x": "aGVs" * 100}, {"opaque"}),
        (EndpointName.CHAT, {"files": [{"url": URL}]}, {"opaque", "remote_content"}),
        (EndpointName.CHAT, {"file_url": URL}, {"opaque", "remote_content"}),
        (EndpointName.MESSAGES, {"file_id": "file_1"}, {"opaque", "stored"}),
        (EndpointName.MESSAGES, {"input": [{"role": "user"}]}, {"opaque"}),
        (EndpointName.RESPONSES, {"messages": [{"role": "user", "content": "x"}]}, {"opaque"}),
        (EndpointName.EMBEDDINGS, {"inputs": [{"content": [{"type": "image_url", "image_url": {"url": URL}}]}]}, {"images", "opaque", "remote_content"}),
        (EndpointName.COMPLETIONS, {"tools": [{"type": "mcp", "server_url": URL}]}, {"tools", "server_tools", "opaque", "remote_content"}),
        (EndpointName.CHAT, {"session_params": {"id": "s"}}, {"stored", "opaque"}),
        (EndpointName.CHAT, {"chat_template": "{{ a + b }}"}, {"opaque"}),
        (EndpointName.CHAT, {"chat_template_kwargs": {"enable_thinking": False, "effort": "high"}}, set()),
        (EndpointName.CHAT, {"chat_template_kwargs": {"extra": "words " * 20}}, {"opaque"}),
        (EndpointName.CHAT, {"chat_template_kwargs": {"parts": ["a"]}}, {"opaque"}),
        (EndpointName.CHAT, {"documents": [{"text": "a"}]}, {"opaque"}),
        (EndpointName.CHAT, {"stop_token_ids": [1], "guided_json": {}}, set()),
    ],
)  # fmt: skip
def test_a_top_level_key_that_no_reader_reads_hides_no_content(
    name: EndpointName, body: dict[str, Any], expected: set[str]
) -> None:
    reading = read(name, body)
    assert reading.refused is None
    assert flags(reading) == expected


@pytest.mark.parametrize("key", ["custom_logit_processor", "logits_processors", "lora_path"])
def test_code_and_weights_that_the_caller_names_are_refused(key: str) -> None:
    refused = read(EndpointName.CHAT, {key: "x"}).refused
    assert refused is not None
    assert refused.fault is CallerFault.REACH_KEY


def test_undocumented_keys_are_named_in_the_order_they_came() -> None:
    body = {"zeta": 1, "messages": [], "model": "m", "input": "x", "alpha": 2}
    assert unknown_top_level_keys(EndpointName.CHAT, body) == ("zeta", "input", "alpha")
    assert unknown_top_level_keys(EndpointName.RESPONSES, body) == ("zeta", "messages", "alpha")


@pytest.mark.parametrize("prefix", REFUSED_PREFIXES)
def test_a_refused_prefix_is_refused_in_any_case(prefix: str) -> None:
    for key in (prefix + "x", prefix.upper() + "X"):
        refused = read(EndpointName.CHAT, {key: "x"}).refused
        assert refused is not None
        assert refused.fault is CallerFault.REACH_KEY


@pytest.mark.parametrize(
    "key",
    ["Models", "FALLBACKS", "api-base", "apiBase", "baseURL", "BASE_URL", "mcpServers", "Store", "previousResponseId", "previous-response-id",
     "Messages", "Model", "model\u0000", "ｍodel", "ſtore", "Stream", "max-tokens", "maxTokens", "Tools", "extraBody", "Input"],
)  # fmt: skip
def test_another_spelling_of_a_known_key_is_refused(key: str) -> None:
    refused = read(EndpointName.CHAT, {key: "x"}).refused
    assert refused is not None
    assert refused.fault is CallerFault.AMBIGUOUS_KEY
    assert refused.status == 400


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": "hi", "Content": "other"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "Type": "image_url", "text": "x"}]}]},
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "x", "imageUrl": "https://x.example"}]}
            ]
        },
        {"messages": [], "tools": [{"type": "function", "Type": "mcp"}]},
    ],
)
def test_another_spelling_inside_messages_and_tools_is_refused(body: dict[str, Any]) -> None:
    refused = read(EndpointName.CHAT, body).refused
    assert refused is not None
    assert refused.fault is CallerFault.AMBIGUOUS_KEY


@pytest.mark.parametrize(
    "key",
    [
        "temperature",
        "top_k",
        "x_custom",
        "Temperature",
        "frequency_penalty",
        "k" * 500,
        "seed",
        "metadata",
        "user",
        "service_tier",
    ],
)
def test_every_other_key_is_passed_on(key: str) -> None:
    reading = read(EndpointName.CHAT, {key: "x"})
    assert reading.refused is None
    assert flags(reading) == set()
    assert any(key in text for text in reading.texts)


@pytest.mark.parametrize("arguments", [{"Content": "x"}, {"api_base": "x"}, {"Type": {"MODEL": 1}}])
def test_what_a_tool_is_called_with_is_not_a_reach_key(arguments: dict[str, Any]) -> None:
    block = {"type": "tool_use", "id": "t", "name": "f", "input": arguments}
    reading = read(EndpointName.MESSAGES, {"messages": [{"role": "assistant", "content": [block]}]})
    assert reading.refused is None
    assert flags(reading) == {"tools"}


@pytest.mark.parametrize(
    ("store", "stored"),
    [
        ({}, True),
        ({"store": None}, True),
        ({"store": True}, True),
        ({"store": False}, False),
        ({"store": "false"}, True),
        ({"store": 0}, True),
        ({"store": ""}, True),
        ({"store": []}, True),
    ],
)
def test_responses_are_stored_unless_the_request_says_false(store: dict[str, Any], stored: bool) -> None:
    reading = read_request(EndpointName.RESPONSES, {"input": "hi", **store})
    assert reading.stored is stored


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"container": "c1"}, {"server_tools", "stored", "opaque"}),
        (
            {"container": {"skills": [{"type": "custom", "skill_id": "s"}]}},
            {"server_tools", "stored", "opaque"},
        ),
        ({"vector_store_ids": ["v"]}, {"server_tools", "stored", "opaque"}),
        ({"prompt_cache_retention": "24h"}, {"stored"}),
        ({"prompt_cache_retention": "in_memory"}, set()),
        ({"prompt_cache_options": {"ttl": "12h"}}, {"stored"}),
        ({"prompt_cache_options": {"ttl": "30m"}}, set()),
        ({"cache_control": {"type": "ephemeral", "ttl": "24h"}}, {"stored"}),
        ({"cache_control": {"type": "ephemeral", "ttl": "1h"}}, set()),
        ({"images": ["iVBOR"]}, {"images", "opaque"}),
        ({"enable_search": True}, {"server_tools"}),
    ],
)
def test_keys_that_say_more_than_one_thing(body: dict[str, Any], expected: set[str]) -> None:
    assert flags(read(EndpointName.CHAT, body)) == expected


def test_the_page_is_written_from_the_tables() -> None:
    page = Path(__file__).parents[2] / "docs" / "reach-keys.md"
    assert page.read_text() == reach_page(), "run `python -m policyd.traffic.reach_page > docs/reach-keys.md`"
