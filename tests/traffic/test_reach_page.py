"""Every row of `docs/reach-keys.md` is in force, in every dialect in which it can be said.

The rows are read from the page, and each must have a case here that was written by hand: a row without one fails, and so does a
case whose row is gone.
"""

import base64
import re
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from policyd.traffic.endpoints import EndpointName
from policyd.traffic.reading import Flag
from policyd.traffic.refused import CallerFault
from tests.traffic.test_reach import MINIMAL, flags, read

PAGE: Final = (Path(__file__).parents[2] / "docs" / "reach-keys.md").read_text()
CHAT, RESPONSES, MESSAGES = EndpointName.CHAT, EndpointName.RESPONSES, EndpointName.MESSAGES
EVERYWHERE: Final = tuple(MINIMAL)


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found.group(1)


def rows(title: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def bullets(title: str) -> dict[str, list[str]]:
    """What each bullet says, and the types that it names."""
    out = {}
    for line in section(title).splitlines():
        if line.startswith("- "):
            said, _, names = line[2:].partition(": ")
            out[said] = re.findall(r"`([a-zA-Z_0-9]+)`", names)
    return out


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# Top-level keys: the page says the key, where, and what it becomes.


class Said(NamedTuple):
    key: str
    listed: bool
    endpoint: EndpointName
    becomes: str


def top_level() -> list[Said]:
    found = []
    for keys, where, becomes, _ in rows("Top-level keys"):
        endpoints = EVERYWHERE if where.startswith("everywhere") else (EndpointName(where.split(",")[0]),)
        for key, listed in re.findall(r"`([^`]+)`( \(list\))?", keys):
            found += [
                Said(key.removesuffix("…") + ("x" if key.endswith("…") else ""), bool(listed), e, becomes)
                for e in endpoints
            ]
    return found


TOP: Final = top_level()


def test_the_page_has_rows() -> None:
    assert len({said.key for said in TOP}) > 100
    assert {said.becomes for said in TOP} == {"400", "server_tools", "stored", "opaque", "stored, opaque"}


@pytest.mark.parametrize("said", TOP, ids=lambda s: f"{s.key} on {s.endpoint.value}")
def test_a_top_level_key_becomes_what_its_row_says(said: Said) -> None:
    value: Any = ["x"] if said.listed else {"id": "x"} if said.key == "prompt" else "x"
    reading = read(said.endpoint, {said.key: value})
    if said.becomes == "400":
        assert reading.refused is not None
        assert reading.refused.fault is CallerFault.REACH_KEY
        return
    assert reading.refused is None
    assert set(said.becomes.split(", ")) <= flags(reading)
    nothing: Any = [] if said.listed else None
    if said.key != "store":
        assert not set(said.becomes.split(", ")) & flags(read(said.endpoint, {said.key: nothing}))


CONSIDERED: Final = [(key, endpoint) for keys, _ in rows("Considered, and passed on as they come") for key in names(keys) for endpoint in EVERYWHERE]  # fmt: skip
HARMLESS: Final = frozenset({"stored", "server_tools", "remote_content"})
READ_AS_CONTENT: Final = {
    "modalities": ["text"], "prediction": {"type": "content", "content": "x"}, "chat_template_kwargs": {"enable_thinking": False},
    "stream_options": {"include_usage": True}, "metadata": {"a": "b"}, "client_metadata": "a", "betas": ["x"], "stop": ["x"],
    "include": ["x"], "stop_sequences": ["x"], "bad_words": ["x"], "logit_bias": {}, "context_management": {}, "prompt_cache_retention": "in_memory",
}  # fmt: skip


@pytest.mark.parametrize(("key", "endpoint"), CONSIDERED, ids=lambda v: v if isinstance(v, str) else v.value)
def test_a_key_that_is_passed_on_asks_for_nothing_elsewhere(key: str, endpoint: EndpointName) -> None:
    reading = read(endpoint, {key: READ_AS_CONTENT.get(key, "x")})
    assert reading.refused is None
    assert not flags(reading) & HARMLESS


# Inside messages: a case for each row, in each dialect that can say it.

PNG: Final = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 200).decode()
PDF: Final = base64.b64encode(b"%PDF-1.7" + bytes(range(256))).decode()
TEXT: Final = base64.b64encode(b"the plan is secret").decode()
URL: Final = "https://x.example/a"


def chat(*parts: Any, **message: Any) -> tuple[EndpointName, dict[str, Any]]:
    return CHAT, {"messages": [{"role": "user", "content": list(parts)} | message]}


def item(*parts: Any) -> tuple[EndpointName, dict[str, Any]]:
    return RESPONSES, {"input": [{"role": "user", "content": list(parts)}]}


def items(*found: Any) -> tuple[EndpointName, dict[str, Any]]:
    return RESPONSES, {"input": list(found)}


def block(*blocks: Any, role: str = "user") -> tuple[EndpointName, dict[str, Any]]:
    return MESSAGES, {"messages": [{"role": role, "content": list(blocks)}]}


def source(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, **more}


class Inside(NamedTuple):
    bodies: tuple[tuple[EndpointName, dict[str, Any]], ...]
    becomes: frozenset[str]
    countable: bool | None = None
    scanned: str = ""


def inside(
    *bodies: tuple[EndpointName, dict[str, Any]],
    becomes: str,
    countable: bool | None = None,
    scanned: str = "",
) -> Inside:
    return Inside(bodies, frozenset(becomes.split()), countable, scanned)


CASES: Final[dict[str, Inside]] = {
    "an image in the request (`data:` URL, base64)": inside(
        chat({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}),
        item({"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}),
        block({"type": "image", "source": source("base64", media_type="image/png", data=PNG)}),
        block({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": source("base64", media_type="image/png", data=PNG)}]}),
        items({"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}]}),
        becomes="images opaque",
    ),
    "an image by URL": inside(
        chat({"type": "image_url", "image_url": {"url": URL}}),
        chat({"type": "image_url", "image_url": URL}),
        item({"type": "input_image", "image_url": URL}),
        block({"type": "image", "source": source("url", url=URL)}),
        (CHAT, {"messages": [{"role": "tool", "tool_call_id": "t", "content": [{"type": "image_url", "image_url": {"url": URL}}]}]}),
        becomes="images remote_content opaque",
    ),
    "an image or a file by id, a reference to an earlier item, audio by id": inside(
        chat({"type": "file", "file": {"file_id": "f"}}),
        chat({"type": "text", "text": "hi"}, role="assistant", audio={"id": "a"}),
        item({"type": "input_image", "file_id": "f"}),
        item({"type": "input_file", "file_id": "f"}),
        items({"type": "item_reference", "id": "i"}),
        items({"id": "i"}),
        block({"type": "image", "source": source("file", file_id="f")}),
        block({"type": "document", "source": source("file", file_id="f")}),
        block({"type": "container_upload", "file_id": "f"}),
        becomes="stored opaque",
    ),
    "a file or document by URL": inside(
        item({"type": "input_file", "file_url": URL}),
        chat({"type": "file", "file": {"file_url": URL}}),
        block({"type": "document", "source": source("url", url=URL)}),
        becomes="remote_content opaque",
        countable=False,
    ),
    "a text file or document in the request": inside(
        chat({"type": "file", "file": {"filename": "a.txt", "file_data": TEXT}}),
        item({"type": "input_file", "filename": "a.txt", "file_data": f"data:text/plain;base64,{TEXT}"}),
        block({"type": "document", "source": source("base64", media_type="text/plain", data=TEXT)}),
        block({"type": "document", "source": source("text", media_type="text/plain", data="the plan is secret")}),
        becomes="",
        countable=True,
        scanned="the plan is secret",
    ),
    "any other file in the request (PDF)": inside(
        chat({"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}}),
        item({"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}),
        block({"type": "document", "source": source("base64", media_type="application/pdf", data=PDF)}),
        becomes="images opaque",
        countable=False,
    ),
    "audio, video": inside(
        chat({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
        chat({"type": "audio_url", "audio_url": {"url": "data:audio/wav;base64,AAAA"}}),
        item({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
        chat({"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}),
        becomes="opaque",
        countable=False,
    ),
    "an encrypted block: `encrypted_content`, `redacted_thinking`, a thinking signature without its text": inside(
        items({"type": "reasoning", "summary": [], "encrypted_content": "gAAAA"}),
        item({"type": "encrypted_content", "encrypted_content": "gAAAA"}),
        block({"type": "redacted_thinking", "data": "EmwK"}, role="assistant"),
        block({"type": "thinking", "thinking": "", "signature": "EmwK"}, role="assistant"),
        chat({"type": "thinking", "thinking": "", "signature": "EmwK"}, role="assistant"),
        becomes="opaque",
    ),
    "token ids in place of text": inside(
        (EndpointName.COMPLETIONS, {"prompt": [1, 2, 3]}),
        (EndpointName.COMPLETIONS, {"prompt": [[1, 2], [3]]}),
        (EndpointName.EMBEDDINGS, {"input": [1, 2, 3]}),
        becomes="opaque",
    ),
    "a type of part, item or block that is not listed below": inside(
        chat({"type": "teleport", "to": "x"}), item({"type": "teleport"}), items({"type": "teleport"}), block({"type": "teleport"}), becomes="opaque"
    ),
    "an object or a list where every shape has words (`name`, `id`, `title`, `phase`)": inside(
        chat({"type": "text", "text": "hi"}, name={"a": "b"}),
        items({"type": "message", "role": "user", "content": "hi", "phase": ["x"]}),
        block({"type": "document", "title": {"a": "b"}, "source": source("text", media_type="text/plain", data="x")}),
        becomes="opaque",
    ),
    "annotations and outputs of tools": inside(
        chat({"type": "text", "text": "hi", "annotations": [{"type": "file", "file": {"hash": "h", "content": [{"type": "image_url", "image_url": {"url": URL}}]}}]}, role="assistant"),
        items({"type": "mcp_call", "id": "m", "name": "f", "arguments": "{}", "server_label": "s", "output": {"content": [{"type": "x", "image_url": URL}]}}),
        block({"type": "web_fetch_tool_result", "tool_use_id": "t", "content": {"type": "web_fetch_result", "content": {"type": "image", "source": source("url", url=URL)}}}),
        becomes="images remote_content opaque",
    ),
    "a key that a part does not have, with a list, an object, or 256 characters of base64": inside(
        chat({"type": "text", "text": "hi", "more": [1]}),
        chat({"type": "text", "text": "hi", "more": {"a": 1}}),
        chat({"type": "text", "text": "hi", "more": "QUJD" * 64}),
        item({"type": "input_text", "text": "hi", "more": [1]}),
        block({"type": "text", "text": "hi", "more": {"a": 1}}),
        becomes="opaque",
        countable=False,
    ),
}  # fmt: skip


def test_every_row_has_its_case() -> None:
    assert [row[0] for row in rows("Inside messages")] == list(CASES)


ALL: Final = [(row, number) for row, case in CASES.items() for number in range(len(case.bodies))]


@pytest.mark.parametrize(("row", "number"), ALL, ids=[f"{row} {number}" for row, number in ALL])
def test_what_is_inside_becomes_what_its_row_says(row: str, number: int) -> None:
    case = CASES[row]
    endpoint, body = case.bodies[number]
    reading = read(endpoint, body)
    assert reading.refused is None
    assert case.becomes <= flags(reading)
    if not case.becomes:
        assert not reading.opaque
    if case.countable is not None:
        assert reading.countable is case.countable
    assert case.scanned in "\n".join(reading.texts)


def test_the_page_says_the_same_as_the_cases() -> None:
    for shown, becomes, *_ in rows("Inside messages"):
        said = {name for name in names(becomes.partition(";")[0]) if name in set(Flag)}
        if said:
            assert CASES[shown].becomes >= said - {"images"}, shown


# Types of tools and of content: the page lists them, the readers know each of them, and nothing else.

CLIENT_SHAPES: Final[dict[str, dict[str, Any]]] = {"namespace": {"tools": []}}


def tool(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind.replace("YYYYMMDD", "20250101")} | CLIENT_SHAPES.get(kind, {}) | more


TOOLS: Final = bullets("Types of tools")
WORDS: Final = frozenset({"tools", "server_tools", "name", "input_schema"})
"""Words of the sentences, which stand in the same marks."""
BY_CLIENT, BY_SERVER, EITHER = (
    [kind for said, found in TOOLS.items() if said.startswith(begin) for kind in found if kind not in WORDS]
    for begin in ("Run by the client (", "Run by the server (", "Run by the server unless")
)
OFFERED: Final = [
    (kind, endpoint) for kind in (*BY_CLIENT, *BY_SERVER, *EITHER) for endpoint in (CHAT, RESPONSES, MESSAGES)
]


def test_the_page_lists_tools() -> None:
    assert {"function", "bash_YYYYMMDD"} <= set(BY_CLIENT)
    assert {"mcp", "web_search_YYYYMMDD"} <= set(BY_SERVER)
    assert EITHER == ["shell", "tool_search"]


@pytest.mark.parametrize(("kind", "endpoint"), OFFERED, ids=lambda v: v if isinstance(v, str) else v.value)
def test_a_tool_is_run_by_whom_the_page_says(kind: str, endpoint: EndpointName) -> None:
    reading = read(endpoint, {"tools": [tool(kind)]})
    assert "tools" in flags(reading)
    assert ("server_tools" in flags(reading)) is (kind not in BY_CLIENT)
    assert reading.unknown == ()
    more = read(endpoint, {"tools": [tool(kind, server_url=URL)]})
    assert "server_tools" in flags(more), "with any other key it is run by the server"


@pytest.mark.parametrize("endpoint", [CHAT, RESPONSES, MESSAGES], ids=lambda e: e.value)
def test_a_tool_that_is_not_on_the_page_is_run_by_the_server_and_opaque(endpoint: EndpointName) -> None:
    for kind in ("teleport", "bash_19991231", "function_20250101x"):
        reading = read(endpoint, {"tools": [tool(kind)]})
        assert {"tools", "server_tools", "opaque"} <= flags(reading)
        assert reading.unknown


CONTENT: Final = bullets("Types of content")


def test_the_page_lists_content() -> None:
    assert [len(found) > 0 for found in CONTENT.values()] == [True] * 8


@pytest.mark.parametrize(
    ("said", "kind"), [(said, kind) for said, found in CONTENT.items() for kind in found if kind not in set(Flag)], ids=str
)  # fmt: skip
def test_content_of_a_known_type_is_run_by_whom_the_page_says(said: str, kind: str) -> None:
    match said:
        case _ if said.startswith("Parts"):
            bodies = [chat({"type": kind}), item({"type": kind})]
        case _ if "tems" in said:
            bodies = [items({"type": kind})]
        case _:
            bodies = [block({"type": kind})]
    for endpoint, body in bodies:
        reading = read(endpoint, body)
        assert reading.unknown == (), "its type is known"
        if "run by the server" in said:
            assert "server_tools" in flags(reading) or reading.refused is not None
        if "run by the client" in said and reading.refused is None:
            assert "tools" in flags(reading)
        if "held by the server" in said:
            assert "stored" in flags(reading)
