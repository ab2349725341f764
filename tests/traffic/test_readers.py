"""Readers: what each kind of request is read as, for real clients' bodies and for every special part, tool and key."""

import base64
from typing import Any

import orjson
import pytest

from policyd.traffic.endpoints import EndpointName
from policyd.traffic.images import BOUNDED_IMAGE_TOKENS, LARGE_IMAGE_TOKENS, SCALED_IMAGE_TOKENS
from policyd.traffic.read import read_request
from policyd.traffic.reading import Reading
from policyd.traffic.refused import CallerFault
from policyd.traffic.texts import SHORT
from tests.traffic import bodies

CHAT, RESPONSES, MESSAGES = EndpointName.CHAT, EndpointName.RESPONSES, EndpointName.MESSAGES
COMPLETIONS, EMBEDDINGS, COUNT = EndpointName.COMPLETIONS, EndpointName.EMBEDDINGS, EndpointName.COUNT_TOKENS


def read(name: EndpointName, body: dict[str, Any]) -> Reading:
    return read_request(name, orjson.loads(orjson.dumps(body)))


def flags(reading: Reading) -> set[str]:
    return {flag.value for flag in reading.flags}


def user(*parts: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": list(parts)}]}


def items(*parts: Any) -> dict[str, Any]:
    return {"model": "m", "store": False, "input": list(parts)}


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


PNG = "data:image/png;base64," + "iVBORw0KGgo" * 20
PDF = base64.b64encode(b"%PDF-1.7\n\xff\xfe\x00" * 20).decode()


@pytest.mark.parametrize(
    ("name", "body", "expected", "messages", "max_output"),
    [
        pytest.param(
            MESSAGES, bodies.CLAUDE_CODE, {"stream", "tools", "reasoning"}, 4, 32000, id="Claude Code"
        ),
        pytest.param(
            RESPONSES, bodies.CODEX, {"stream", "tools", "reasoning", "server_tools"}, 6, None, id="Codex"
        ),
        pytest.param(CHAT, bodies.QWEN_CODE, {"stream", "tools", "reasoning"}, 4, 65536, id="Qwen Code"),
        pytest.param(
            CHAT, bodies.OPENCODE_CHAT, {"stream", "reasoning"}, 3, 32000, id="opencode's title call"
        ),
        pytest.param(MESSAGES, bodies.OPENCODE_ANTHROPIC, {"stream", "tools"}, 1, 32000, id="opencode"),
        pytest.param(
            RESPONSES, bodies.SDK_RESPONSES, {"stored"}, 1, None, id="a plain responses call, which is stored"
        ),
        pytest.param(COUNT, bodies.CLAUDE_CODE, {"stream", "tools", "reasoning"}, 4, 0, id="a token count"),
    ],
)
def test_real_clients(
    name: EndpointName, body: dict[str, Any], expected: set[str], messages: int, max_output: int | None
) -> None:
    reading = read(name, body)
    assert reading.refused is None
    assert flags(reading) == expected
    assert (reading.model, reading.messages, reading.max_output) == (body["model"], messages, max_output)
    assert reading.countable


@pytest.mark.parametrize(
    ("name", "body"),
    [
        (MESSAGES, bodies.CLAUDE_CODE),
        (RESPONSES, bodies.CODEX),
        (CHAT, bodies.QWEN_CODE),
        (CHAT, bodies.OPENCODE_CHAT),
    ],
)
def test_every_string_and_key_of_a_real_body_is_scanned(name: EndpointName, body: dict[str, Any]) -> None:
    texts = read(name, body).texts
    missing = [leaf for leaf in strings(body) if not any(leaf in text for text in texts)]
    assert missing == []


def strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(s for item in value.values() for s in strings(item))]
    if isinstance(value, list):
        return [s for item in value for s in strings(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize(
    ("part", "expected", "countable"),
    [
        pytest.param("bare text", set(), True, id="a bare string"),
        pytest.param({"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}, set(), True, id="text"),
        pytest.param({"type": "refusal", "refusal": "no"}, set(), True, id="a refusal"),
        pytest.param({"type": "image_url", "image_url": {"url": PNG}}, {"images", "opaque"}, True, id="an image in the request"),
        pytest.param({"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}, {"images", "opaque", "remote_content"}, True, id="an image by URL"),
        pytest.param({"type": "image_url", "image_url": "https://x.example/a.png"}, {"images", "opaque", "remote_content"}, True, id="an image by bare URL"),
        pytest.param({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}, {"images", "opaque", "remote_content"}, True, id="an image by file URL"),
        pytest.param({"type": "input_image", "file_id": "file-1"}, {"images", "opaque", "stored"}, False, id="an image by id"),
        pytest.param({"type": "input_audio", "input_audio": {"data": "UklGR" * 30, "format": "wav"}}, {"opaque"}, False, id="audio"),
        pytest.param({"type": "audio_url", "audio_url": {"url": "https://x.example/a.wav"}}, {"opaque", "remote_content"}, False, id="audio by URL"),
        pytest.param({"type": "video_url", "video_url": {"url": "https://x.example/a.mp4"}}, {"opaque", "images", "remote_content"}, False, id="video by URL"),
        pytest.param({"type": "file", "file": {"file_id": "file-1"}}, {"opaque", "stored"}, False, id="a file by id"),
        pytest.param({"type": "input_file", "file_url": "https://x.example/a.pdf"}, {"opaque", "remote_content"}, False, id="a file by URL"),
        pytest.param({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64," + PDF}}, {"opaque", "images"}, False, id="a PDF"),
        pytest.param({"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64," + base64_of("x" * 99)}}, set(), True, id="a text file"),
        pytest.param({"type": "text", "text": "hi", "cache_control": {"type": "ephemeral", "ttl": "24h"}}, {"stored"}, True, id="text that is cached for a day"),
        pytest.param({"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;charset=utf-7;base64," + base64_of("x" * 99)}}, {"opaque", "images"}, False, id="a text file in UTF-7"),
        pytest.param({"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;charset=US-ASCII;base64," + base64_of("x" * 99)}}, set(), True, id="a text file in ASCII"),
        pytest.param({"type": "thinking", "thinking": "", "signature": "Em" * 60}, {"reasoning", "opaque"}, True, id="thinking without its text"),
        pytest.param({"type": "thinking", "thinking": "hm", "signature": "Em" * 60}, {"reasoning"}, True, id="thinking with its text"),
        pytest.param({"type": "output_text", "text": "hi", "annotations": [{"type": "url_citation", "url": "https://x.example", "title": "t", "start_index": 0, "end_index": 1}]}, set(), True, id="text with a citation"),
        pytest.param({"type": "output_text", "text": "hi", "annotations": [{"type": "new"}]}, {"opaque"}, False, id="text with an unknown annotation"),
        pytest.param({"type": "mystery", "x": "y"}, {"opaque"}, False, id="an unknown type"),
        pytest.param({"type": ["text"], "text": "hi"}, {"opaque"}, False, id="a type that is no string"),
        pytest.param({"text": "hi"}, {"opaque"}, False, id="no type"),
        pytest.param({"image_url": "https://x.example/a.png"}, {"opaque", "images", "remote_content"}, False, id="a type to be guessed from the keys"),
        pytest.param({"type": "text", "text": "hi", "extra": {"url": 1}}, {"opaque"}, False, id="text with an unknown object"),
        pytest.param({"type": "text", "text": "hi", "image": "iVBOR" * 99}, {"opaque"}, False, id="text with an unknown string in base64"),
        pytest.param({"type": "text", "text": "hi", "extra": "plain words"}, set(), True, id="text with an unknown string"),
        pytest.param({"type": "text", "text": "hi", "extra": "s3://bucket/x"}, {"opaque", "remote_content"}, False, id="text with an unknown URL"),
    ],
)  # fmt: skip
def test_parts_of_openai_messages(part: object, expected: set[str], countable: bool) -> None:
    for reading in (read(CHAT, user(part)), read(RESPONSES, items({"role": "user", "content": [part]}))):
        assert reading.refused is None
        assert flags(reading) == expected
        assert reading.countable is countable


def source(**kind: Any) -> dict[str, Any]:
    return {"type": "document", "source": kind}


@pytest.mark.parametrize(
    ("block", "expected", "countable"),
    [
        pytest.param({"type": "text", "text": "hi", "citations": []}, set(), True, id="text"),
        pytest.param({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR" * 40}}, {"images", "opaque"}, True, id="an image in the request"),
        pytest.param({"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}}, {"images", "opaque", "remote_content"}, False, id="an image by URL"),
        pytest.param({"type": "image", "source": {"type": "file", "file_id": "file_1"}}, {"images", "opaque", "stored"}, False, id="an image by id"),
        pytest.param(source(type="text", media_type="text/plain", data="words"), set(), True, id="a text document"),
        pytest.param(source(type="base64", media_type="text/plain", data=base64_of("words" * 30)), set(), True, id="a text document in base64"),
        pytest.param(source(type="base64", media_type="application/pdf", data=PDF), {"images", "opaque"}, False, id="a PDF"),
        pytest.param(source(type="base64", media_type="application/pdf", data=base64_of("words" * 30)), {"images", "opaque"}, False, id="text that says it is a PDF"),
        pytest.param(source(type="url", url="https://x.example/a.pdf"), {"opaque", "remote_content"}, False, id="a document by URL"),
        pytest.param(source(type="file", file_id="file_1"), {"opaque", "stored"}, False, id="a document by id"),
        pytest.param(source(type="content", content=[{"type": "text", "text": "hi"}]), set(), True, id="a document of blocks"),
        pytest.param(source(type="new"), {"opaque"}, False, id="a document of an unknown kind"),
        pytest.param({"type": "search_result", "source": "a", "title": "t", "content": [{"type": "text", "text": "hi"}]}, set(), True, id="a search result"),
        pytest.param({"type": "thinking", "thinking": "hm", "signature": "Eq" * 60}, {"reasoning"}, True, id="thinking with its text"),
        pytest.param({"type": "thinking", "thinking": "", "signature": "Eq" * 60}, {"reasoning", "opaque"}, True, id="thinking without its text"),
        pytest.param({"type": "redacted_thinking", "data": "Em" * 60}, {"reasoning", "opaque"}, True, id="redacted thinking"),
        pytest.param({"type": "compaction", "content": "summary", "encrypted_content": None}, set(), True, id="a compaction in words"),
        pytest.param({"type": "compaction", "content": None, "encrypted_content": "Em" * 60}, {"opaque"}, True, id="an encrypted compaction"),
        pytest.param({"type": "tool_use", "id": "t", "name": "f", "input": {"url": "https://x.example"}}, {"tools"}, True, id="a tool call"),
        pytest.param({"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": {"type": "code_execution_20260120", "tool_id": "x"}}, {"server_tools"}, True, id="a tool call made by code on the server"),
        pytest.param({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR" * 40}}]}, {"tools", "images", "opaque"}, True, id="a screenshot in a tool result"),
        pytest.param({"type": "tool_result", "tool_use_id": "t", "content": "plain"}, {"tools"}, True, id="a tool result"),
        pytest.param({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}}, {"server_tools"}, True, id="a server tool's call"),
        pytest.param({"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"type": "web_search_result", "encrypted_content": "Em" * 60, "title": "t", "url": "https://x.example"}]}, {"server_tools", "opaque"}, True, id="a server tool's encrypted result"),
        pytest.param({"type": "web_fetch_tool_result", "tool_use_id": "s", "content": {"type": "web_fetch_result", "url": "https://x.example", "content": source(type="base64", media_type="application/pdf", data=PDF)}}, {"server_tools", "opaque", "images"}, False, id="a page that the server fetched"),
        pytest.param({"type": "code_execution_tool_result", "tool_use_id": "s", "content": {"type": "code_execution_result", "content": [{"type": "code_execution_output", "file_id": "file_1"}]}}, {"server_tools", "opaque", "stored"}, False, id="a file that code on the server wrote"),
        pytest.param({"type": "mcp_tool_use", "id": "m", "name": "f", "server_name": "s", "input": {}}, {"server_tools"}, True, id="a call to a remote MCP server"),
        pytest.param({"type": "container_upload", "file_id": "file_1"}, {"server_tools", "stored", "opaque"}, False, id="an upload to a container"),
        pytest.param({"type": "tool_addition", "tool": {"type": "tool_definition", "definition": {"type": "web_search_20260318", "name": "web_search"}}}, {"tools", "server_tools"}, True, id="a server tool added in mid-conversation"),
        pytest.param({"type": "tool_addition", "tool": {"type": "mcp_toolset_reference", "server_name": "s"}}, {"tools", "server_tools"}, True, id="an MCP toolset added in mid-conversation"),
        pytest.param({"type": "text", "text": "hi", "cache_control": {"type": "ephemeral", "ttl": "24h"}}, {"stored"}, True, id="text that is cached for a day"),
        pytest.param({"type": "text", "text": "hi", "cache_control": {"type": "ephemeral", "ttl": "1h"}}, set(), True, id="text that is cached for an hour"),
        pytest.param({"type": "text", "text": "hi", "citations": [{"type": "web_search_result_location", "encrypted_index": "Em" * 60}]}, {"opaque"}, True, id="an encrypted citation"),
        pytest.param({"type": "hologram", "data": "x"}, {"opaque"}, False, id="an unknown block"),
    ],
)  # fmt: skip
def test_blocks_of_anthropic_messages(block: dict[str, Any], expected: set[str], countable: bool) -> None:
    reading = read(MESSAGES, user(block))
    assert reading.refused is None
    assert flags(reading) == expected
    assert reading.countable is countable


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        pytest.param({"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "id": "rs_1"}, {"reasoning"}, id="reasoning in words"),
        pytest.param({"type": "reasoning", "summary": [], "encrypted_content": "gAAAA" * 30}, {"reasoning", "opaque"}, id="encrypted reasoning"),
        pytest.param({"type": "compaction", "encrypted_content": "gAAAA" * 30}, {"opaque"}, id="a compaction"),
        pytest.param({"type": "item_reference", "id": "msg_1"}, {"stored", "opaque"}, id="a reference"),
        pytest.param({"id": "msg_1"}, {"stored", "opaque"}, id="a reference without a type"),
        pytest.param({"role": "user", "content": "hi"}, set(), id="a message without a type"),
        pytest.param({"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image", "image_url": PNG}]}, {"tools", "images", "opaque"}, id="an image from a tool"),
        pytest.param({"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot", "file_id": "file_1"}}, {"tools", "images", "opaque", "stored"}, id="a stored screenshot"),
        pytest.param({"type": "local_shell_call", "id": "l", "call_id": "c", "status": "completed", "action": {"type": "exec", "command": ["ls"], "env": {}}}, {"tools"}, id="a local shell call"),
        pytest.param({"type": "shell_call", "call_id": "c", "action": {"commands": ["ls"]}, "environment": {"type": "container_reference", "container_id": "c1"}}, {"tools", "server_tools", "stored", "opaque"}, id="a shell call in a container"),
        pytest.param({"type": "web_search_call", "id": "w", "status": "completed", "action": {"type": "search", "query": "x"}}, {"server_tools"}, id="a web search"),
        pytest.param({"type": "mcp_call", "id": "m", "name": "f", "arguments": "{}", "server_label": "s", "output": "o"}, {"server_tools"}, id="an MCP call"),
        pytest.param({"type": "code_interpreter_call", "id": "i", "code": "1", "container_id": "c1", "outputs": None, "status": "completed"}, {"server_tools", "stored", "opaque"}, id="a code interpreter call"),
        pytest.param({"type": "image_generation_call", "id": "i", "status": "completed", "result": "iVBOR" * 40}, {"server_tools", "images", "opaque"}, id="a generated image"),
        pytest.param({"type": "additional_tools", "role": "developer", "tools": [{"type": "web_search"}]}, {"tools", "server_tools"}, id="tools among the items"),
        pytest.param({"type": "tool_search_output", "execution": "client", "tools": [{"type": "function", "name": "f"}]}, {"tools"}, id="tools that the client found"),
        pytest.param({"type": "tool_search_call", "arguments": {}}, {"tools", "server_tools"}, id="a tool search that does not say who ran it"),
        pytest.param({"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c", "caller": {"type": "program", "caller_id": "p"}}, {"tools", "server_tools"}, id="a call made by a program on the server"),
        pytest.param({"type": "configuration_update", "text": {"format": {"type": "json_schema"}}}, {"json"}, id="a new output format"),
        pytest.param({"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]}, {"tools"}, id="a shell's output"),
        pytest.param({"type": "shell_call_output", "call_id": "c", "output": [{"type": "input_image", "image_url": "https://x.example/a.png"}]}, {"tools", "images", "opaque", "remote_content"}, id="an image in a shell's output"),
        pytest.param({"type": "shell_call_output", "call_id": "c", "output": [{"stdout": {"deep": [{"image_url": PNG}]}}]}, {"tools", "images", "opaque"}, id="an image deep in a shell's output"),
        pytest.param({"type": "telepathy", "content": "x"}, {"opaque", "server_tools"}, id="an unknown item"),
        pytest.param(17, {"opaque"}, id="a token id"),
    ],
)  # fmt: skip
def test_items_of_responses(item: Any, expected: set[str]) -> None:
    reading = read(RESPONSES, items(item))
    assert reading.refused is None
    assert flags(reading) == expected


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ({"type": "url_citation", "url_citation": {"url": "https://x.example", "title": "t"}}, set()),
        ({"type": "file", "file": {"hash": "h", "name": "a.pdf", "content": [{"type": "text", "text": "hi"}]}}, set()),
        ({"type": "file", "file": {"hash": "h", "content": [{"type": "image_url", "image_url": {"url": PNG}}]}}, {"images", "opaque"}),
        ({"type": "file", "file": {"content": [{"type": "image_url", "image_url": "https://x.example/a"}]}}, {"images", "opaque", "remote_content"}),
        ({"type": "file", "file": {"data": ["x"]}}, {"opaque"}),
        ({"type": "other", "x": {"image_url": PNG}}, {"images", "opaque"}),
    ],
)  # fmt: skip
def test_annotations_of_a_message_are_read(annotation: dict[str, Any], expected: set[str]) -> None:
    message = {"role": "assistant", "content": "hi", "annotations": [annotation]}
    reading = read(CHAT, {"model": "m", "messages": [message]})
    assert reading.refused is None
    assert flags(reading) == expected


@pytest.mark.parametrize(
    ("name", "body"),
    [
        (RESPONSES, items({"type": "message", "role": "user", "content": "x", "phase": {"image_url": PNG}})),
        (CHAT, {"messages": [{"role": "user", "name": {"image_url": PNG}, "content": "x"}]}),
        (CHAT, {"messages": [], "user": {"image_url": PNG}}),
        (MESSAGES, user({"type": "document", "source": {"type": "text", "data": "x"}, "context": [{"type": "image"}]})),
        (MESSAGES, user({"type": "text", "text": "x", "id": [1, 2, 3]})),
    ],
)  # fmt: skip
def test_an_object_in_the_place_of_words_is_opaque(name: EndpointName, body: dict[str, Any]) -> None:
    reading = read(name, body)
    assert reading.opaque or reading.refused is not None


def test_reasoning_without_its_text_is_opaque() -> None:
    def details(text: str) -> set[str]:
        block = {"type": "reasoning.text", "text": text, "signature": "Em" * 60}
        message = {"role": "assistant", "content": "hi", "reasoning_details": [block]}
        return flags(read(CHAT, {"model": "m", "messages": [message]}))

    assert details("") == {"reasoning", "opaque"}
    assert details("hm") == {"reasoning"}


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        ({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}, set()),
        ({"name": "f", "input_schema": {}}, set()),
        ({"type": "custom", "name": "f"}, set()),
        ({"type": None, "name": "f", "input_schema": {}}, set()),
        ({"type": None, "name": "f"}, {"server_tools"}),
        ({"type": "", "name": "f"}, {"server_tools", "opaque"}),
        ({"googleSearch": {}}, {"server_tools"}),
        ({"google_search": {}}, {"server_tools"}),
        ({"url_context": {}}, {"server_tools"}),
        ({"code_execution": {}}, {"server_tools"}),
        ({"name": "f", "input_schema": {}, "googleSearch": {}}, {"server_tools"}),
        ({"type": "function", "name": "f", "server_url": "https://x.example"}, {"server_tools", "remote_content", "opaque"}),
        ({"type": "function", "function": {"name": "f", "endpoint": "x"}}, {"server_tools"}),
        ({"type": "function", "function": {"name": "f"}, "googleSearch": {}}, {"server_tools"}),
        ({"type": "custom", "custom": {"name": "f", "format": {"type": "text"}}}, set()),
        ({"type": "bash_20250124", "name": "bash", "container": "c"}, {"server_tools"}),
        ({"type": "function", "name": "f", "cache_control": {"type": "ephemeral", "ttl": "24h"}}, {"stored"}),
        ({"type": "bash_20250124", "name": "bash"}, set()),
        ({"type": "text_editor_20250728", "name": "e"}, set()),
        ({"type": "memory_20250818", "name": "memory"}, set()),
        ({"type": "computer_toolset_20260801"}, set()),
        ({"type": "local_shell"}, set()),
        ({"type": "apply_patch"}, set()),
        ({"type": "tool_search", "execution": "client"}, set()),
        ({"type": "shell", "environment": {"type": "local"}}, set()),
        ({"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]}, set()),
        ({"type": "namespace", "name": "n", "tools": [{"type": "mcp", "server_label": "x"}]}, {"server_tools"}),
        ({"type": "custom", "name": "f", "allowed_callers": ["direct"]}, set()),
        ({"type": "custom", "name": "f", "allowed_callers": ["code_execution_20260521"]}, {"server_tools"}),
        ({"type": "web_search"}, {"server_tools"}),
        ({"type": "web_search_20260318", "name": "web_search"}, {"server_tools"}),
        ({"type": "web_search_20281231", "name": "web_search"}, {"server_tools"}),
        ({"type": "web_fetch_20260309", "name": "web_fetch"}, {"server_tools"}),
        ({"type": "code_execution_20260521", "name": "c"}, {"server_tools"}),
        ({"type": "advisor_20260301", "name": "advisor", "model": "m"}, {"server_tools"}),
        ({"type": "tool_search_tool_bm25_20251119", "name": "t"}, {"server_tools"}),
        ({"type": "mcp_toolset", "mcp_server_name": "x"}, {"server_tools"}),
        ({"type": "mcp", "server_label": "x", "server_url": "https://x.example"}, {"server_tools"}),
        ({"type": "image_generation"}, {"server_tools"}),
        ({"type": "image_generation", "input_image_mask": {"file_id": "f"}}, {"server_tools", "images", "opaque", "stored"}),
        ({"type": "code_interpreter", "container": {"type": "auto"}}, {"server_tools"}),
        ({"type": "code_interpreter", "container": "cntr_1"}, {"server_tools", "stored", "opaque"}),
        ({"type": "file_search", "vector_store_ids": ["vs_1"]}, {"server_tools", "stored", "opaque"}),
        ({"type": "shell"}, {"server_tools"}),
        ({"type": "shell", "environment": {"type": "container_auto", "file_ids": ["f"]}}, {"server_tools", "stored", "opaque"}),
        ({"type": "tool_search"}, {"server_tools"}),
        ({"type": "programmatic_tool_calling"}, {"server_tools"}),
        ({"type": "builtin_function", "function": {"name": "$web_search"}}, {"server_tools", "opaque"}),
        ({"type": "bash_2025", "name": "bash"}, {"server_tools", "opaque"}),
        ({"type": "Function", "name": "f"}, {"server_tools", "opaque"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("name", "rest"),
    [(CHAT, {"messages": []}), (MESSAGES, {"messages": []}), (RESPONSES, {"input": "x", "store": False})],
)
def test_tools(name: EndpointName, rest: dict[str, Any], tool: dict[str, Any], expected: set[str]) -> None:
    reading = read(name, {"model": "m", "tools": [tool], **rest})
    assert reading.refused is None
    assert flags(reading) == {"tools"} | expected


@pytest.mark.parametrize(
    ("name", "extra", "expected"),
    [
        (CHAT, {"response_format": {"type": "json_schema", "json_schema": {}}}, {"json"}),
        (CHAT, {"response_format": {"type": "json_object"}}, {"json"}),
        (CHAT, {"response_format": {"type": "text"}}, set()),
        (CHAT, {"guided_json": {"type": "object"}}, {"json"}),
        (RESPONSES, {"text": {"format": {"type": "json_schema"}}}, {"json"}),
        (RESPONSES, {"text": {"format": {"type": "text"}, "verbosity": "low"}}, set()),
        (MESSAGES, {"output_config": {"format": {"type": "json_schema"}}}, {"json"}),
        (MESSAGES, {"output_config": {"effort": "high"}}, set()),
        (MESSAGES, {"output_format": {"type": "json_schema"}}, {"json"}),
        (MESSAGES, {"thinking": {"type": "disabled"}}, set()),
        (MESSAGES, {"thinking": {"type": "enabled", "budget_tokens": 1024}}, {"reasoning"}),
        (MESSAGES, {"thinking": {"type": "between_tools"}}, {"reasoning"}),
        (CHAT, {"reasoning_effort": "none"}, set()),
        (CHAT, {"reasoning_effort": "low"}, {"reasoning"}),
        (CHAT, {"reasoning": {"effort": "none"}}, set()),
        (CHAT, {"reasoning": {"enabled": True}}, {"reasoning"}),
        (CHAT, {"enable_thinking": False}, set()),
        (CHAT, {"enable_thinking": True}, {"reasoning"}),
        (CHAT, {"stream": True}, {"stream"}),
        (CHAT, {"stream": None}, set()),
        (CHAT, {"functions": [{"name": "f"}]}, {"tools"}),
        (CHAT, {"functions": [{"googleSearch": {}}]}, {"tools", "server_tools"}),
        (RESPONSES, {"reasoning": {"effort": "medium"}}, {"reasoning"}),
    ],
)
def test_settings(name: EndpointName, extra: dict[str, Any], expected: set[str]) -> None:
    rest: dict[str, Any] = {"input": "x", "store": False} if name is RESPONSES else {"messages": []}
    reading = read(name, {"model": "m", **rest, **extra})
    assert reading.refused is None
    assert flags(reading) == expected


@pytest.mark.parametrize(
    ("name", "body", "expected", "messages"),
    [
        (COMPLETIONS, {"prompt": "once"}, set(), 1),
        (COMPLETIONS, {"prompt": ["once", "twice"], "suffix": "end"}, set(), 2),
        (COMPLETIONS, {"prompt": [1, 2, 3]}, {"opaque"}, 1),
        (COMPLETIONS, {"prompt": [[1, 2], [3]]}, {"opaque"}, 2),
        (COMPLETIONS, {"prompt": "x", "prompt_embeds": "AAAA"}, {"opaque"}, 1),
        (COMPLETIONS, {"prompt": {"prompt_string": "x", "multimodal_data": ["AAAA"]}}, {"opaque"}, 1),
        (EMBEDDINGS, {"input": "once"}, set(), 1),
        (EMBEDDINGS, {"input": ["once", "twice"], "encoding_format": "base64"}, set(), 2),
        (EMBEDDINGS, {"input": [[1, 2]]}, {"opaque"}, 1),
        (
            EMBEDDINGS,
            {"input": [{"content": [{"type": "image_url", "image_url": {"url": PNG}}]}]},
            {"images", "opaque"},
            1,
        ),
    ],
)
def test_completions_and_embeddings(
    name: EndpointName, body: dict[str, Any], expected: set[str], messages: int
) -> None:
    reading = read(name, {"model": "m", **body})
    assert reading.refused is None
    assert (flags(reading), reading.messages) == (expected, messages)


@pytest.mark.parametrize(
    ("name", "body", "place"),
    [
        (CHAT, {"messages": "hi"}, "`messages`"),
        (CHAT, {}, "`messages`"),
        (CHAT, {"messages": ["hi"]}, "`messages[0]`"),
        (CHAT, {"messages": [{"role": "user", "content": 7}]}, "`messages[0].content`"),
        (
            CHAT,
            {"messages": [{}, {}, {}, {"role": "user", "content": {"type": "text"}}]},
            "`messages[3].content`",
        ),
        (CHAT, {"messages": [{"role": 1}]}, "`messages[0].role`"),
        (CHAT, {"messages": [{"role": "user", "content": [7]}]}, "`messages[0].content[0]`"),
        (
            CHAT,
            {"messages": [{"role": "user", "content": [{"type": "text", "text": 7}]}]},
            "`messages[0].content[0].text`",
        ),
        (CHAT, {"messages": [{"tool_calls": {}}]}, "`messages[0].tool_calls`"),
        (CHAT, {"messages": [], "tools": {}}, "`tools`"),
        (CHAT, {"messages": [], "tools": ["f"]}, "`tools[0]`"),
        (CHAT, {"messages": [], "stream": "yes"}, "`stream`"),
        (CHAT, {"messages": [], "model": 3}, "`model`"),
        (CHAT, {"messages": [], "model": None}, "`model`"),
        (CHAT, {"messages": [], "max_tokens": "8"}, "`max_tokens`"),
        (CHAT, {"messages": [], "max_tokens": 8.0}, "`max_tokens`"),
        (CHAT, {"messages": [], "max_tokens": -1}, "`max_tokens`"),
        (CHAT, {"messages": [], "max_tokens": True}, "`max_tokens`"),
        (CHAT, {"messages": [], "max_completion_tokens": 2**53}, "`max_completion_tokens`"),
        (CHAT, {"messages": [], "response_format": "json"}, "`response_format`"),
        (RESPONSES, {"input": 7}, "`input`"),
        (RESPONSES, {"input": [None]}, "`input[0]`"),
        (RESPONSES, {"instructions": 7}, "`instructions`"),
        (MESSAGES, {"messages": [], "system": 7}, "`system`"),
        (MESSAGES, {"messages": [], "system": ["x"]}, "`system[0]`"),
        (MESSAGES, {"messages": [{"content": [{"type": "image"}]}]}, "`messages[0].content[0].source`"),
        (MESSAGES, {"messages": [], "thinking": True}, "`thinking`"),
        (COMPLETIONS, {"prompt": 7}, "`prompt`"),
        (COMPLETIONS, {"prompt": ["a", None]}, "`prompt[1]`"),
        (EMBEDDINGS, {"input": True}, "`input`"),
    ],
)
def test_wrong_shapes_are_refused_with_their_place(
    name: EndpointName, body: dict[str, Any], place: str
) -> None:
    refused = read(name, body).refused
    assert refused is not None
    assert (refused.fault, refused.status) == (CallerFault.WRONG_SHAPE, 400)
    assert place in refused.message


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        ({}, None),
        ({"max_tokens": None}, None),
        ({"max_tokens": 5}, 5),
        ({"max_tokens": 0}, 0),
        ({"max_tokens": 5, "max_completion_tokens": 9}, 9),
    ],
)
def test_the_larger_output_limit_counts(body: dict[str, Any], limit: int | None) -> None:
    assert read(CHAT, {"messages": [], **body}).max_output == limit


def test_text_in_an_attachment_is_decoded_for_the_detectors() -> None:
    secret = "the key is in here " * 8
    data = base64_of(secret)
    body = user({"type": "document", "source": {"type": "base64", "media_type": "text/plain", "data": data}})
    reading = read(MESSAGES, body)
    assert secret in reading.texts
    assert data not in reading.texts
    assert secret in reading.prompt


def test_escapes_inside_a_tool_calls_arguments_are_undone_for_the_detectors() -> None:
    arguments = '{"outer":"{\\"inner\\":\\"\\\\u0041KIAIOSFODNN7EXAMPLE\\"}"}'
    body = {
        "messages": [
            {
                "role": "assistant",
                "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": arguments}}],
            }
        ]
    }
    assert "AKIAIOSFODNN7EXAMPLE" in "\n".join(read(CHAT, body).texts)


@pytest.mark.parametrize("arguments", ['"411111111111111\\u0031"', '{"":"50180000000\\u0039"}'])
def test_escapes_are_undone_in_short_arguments_too(arguments: str) -> None:
    assert len(arguments) <= SHORT
    call = {"type": "function", "function": {"name": "f", "arguments": arguments}}
    texts = "\n".join(read(CHAT, {"messages": [{"role": "assistant", "tool_calls": [call]}]}).texts)
    assert "4111111111111111" in texts or "501800000009" in texts


def test_long_numbers_are_texts() -> None:
    body = user({"type": "tool_use", "id": "t", "name": "pay", "input": {"card": 4111111111111111}})
    assert "4111111111111111" in read(MESSAGES, body).texts


def test_text_cut_across_parts_is_joined_at_the_seams() -> None:
    reading = read(
        CHAT,
        user(
            {"type": "text", "text": "a" * 900 + "AKIAIOS"},
            {"type": "text", "text": "FODNN7"},
            {"type": "text", "text": "EXAMPLE" + "b" * 900},
        ),
    )
    assert any("AKIAIOSFODNN7EXAMPLE" in text and len(text) < 1100 for text in reading.texts)


def test_images_are_priced_by_the_rule_of_the_dialect_and_their_detail() -> None:
    def cost(name: EndpointName, part: dict[str, Any]) -> int:
        empty = {"type": "text", "text": ""}
        return read(name, user(part)).extra_tokens - read(name, user(empty)).extra_tokens

    assert (
        cost(CHAT, {"type": "image_url", "image_url": {"url": PNG, "detail": "high"}}) == BOUNDED_IMAGE_TOKENS
    )
    assert cost(CHAT, {"type": "image_url", "image_url": {"url": PNG}}) == LARGE_IMAGE_TOKENS
    assert (
        cost(
            MESSAGES,
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR" * 40}},
        )
        == SCALED_IMAGE_TOKENS
    )


def test_image_data_is_neither_scanned_nor_counted() -> None:
    reading = read(CHAT, user({"type": "image_url", "image_url": {"url": PNG}}))
    assert not any("iVBORw0KGgo" in text for text in (*reading.texts, *reading.prompt))


def test_ids_and_settings_are_scanned_but_not_counted() -> None:
    reading = read(MESSAGES, bodies.CLAUDE_CODE)
    assert any("toolu_01A" in text for text in reading.texts)
    assert not any("toolu_01A" in text for text in reading.prompt)
    assert not any("user_1f3a" in text for text in reading.prompt)
    for counted in (
        "fix the test",
        "You are Claude Code.",
        "Reads a file from the local filesystem.",
        "def f():\n    return 1\n",
    ):
        assert any(counted in text for text in reading.prompt)


def test_what_stands_under_a_framing_key_is_counted_unless_it_is_framing() -> None:
    message = {
        "role": "narrator of tales",
        "id": {"words": "once upon"},
        "type": ["a time"],
        "content": "x",
        "tool_call_id": "c1",
    }
    prompt = read(CHAT, {"messages": [message, {"role": "user", "content": "y"}]}).prompt
    assert {"narrator of tales", "once upon", "a time"} <= set(prompt)
    assert not {"user", "c1"} & set(prompt)


def test_reasons_name_places_and_never_text() -> None:
    reading = read(RESPONSES, items({"type": "item_reference", "id": "secret-id"}))
    assert ("opaque", "input[0]") in reading.reasons
    assert not any("secret-id" in place for _, place in reading.reasons)
