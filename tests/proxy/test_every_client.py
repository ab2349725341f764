"""What real clients send besides the plain request: probes, upgrades, prefixes, Azure's paths, two kinds of credential, odd bodies."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.proxy.bench import (
    CHAT,
    MESSAGES,
    POLICY,
    Recorder,
    get,
    parsed,
    post,
    records,
    sidecar,
    status,
    three,
)
from tests.proxy.test_forwarding import keyed
from tests.upstream.scripted import run

UPGRADE = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec_websocket_version": "13",
}


def upgrade(path: str, **headers: str) -> bytes:
    return get(path, **(UPGRADE | headers))


@pytest.mark.parametrize(
    "path",
    ["/v1/responses", "/v1/realtime?model=gpt-5", "/v1/chat/completions", "/v1/messages", "/v1/models", "/", "/elsewhere"],
)  # fmt: skip
def test_a_websocket_is_answered_with_426_wherever_it_is_asked_for(tmp_path: Path, path: str) -> None:
    async def test() -> None:
        async with three(tmp_path, identity=keyed("k", "search")) as running:
            answer = await running.ask(upgrade(path))
            assert (answer.status, answer.code, answer.clean) == (426, "caller_upgrade_refused", True)
            assert answer.headers[b"connection"] == b"close"
            assert answer.headers[b"upgrade"] == b"HTTP/1.1"
            assert running.sent_anywhere() == 0

    run(test())


@pytest.mark.parametrize("word", ["WebSocket", "h2c, websocket", "websocket/13"])
def test_a_websocket_is_known_however_it_is_spelled(tmp_path: Path, word: str) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            assert (await running.ask(upgrade("/v1/realtime", upgrade=word))).status == 426

    run(test())


def test_a_client_that_first_tries_a_websocket_falls_back_to_post_at_once(tmp_path: Path) -> None:
    """403, 404 and 501 cost such a client seven tries and seven seconds."""

    async def test() -> None:
        async with (
            three(tmp_path) as running,
            aiohttp.ClientSession(f"http://127.0.0.1:{running.port}") as client,
        ):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect("/v1/responses")
            assert refused.value.status == 426
            body = {"model": "m", "input": "hi", "store": False}
            async with client.post("/v1/responses", json=body) as answer:
                assert answer.status == 200
            assert running.sent_anywhere() == 1

    run(test())
    assert [r["status"] for r in records(tmp_path / "decisions.jsonl")] == [426, 200]


@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/openai", "/openai/v1"])
def test_a_base_url_answers_probes_without_a_credential(tmp_path: Path, path: str, method: str) -> None:
    async def test() -> None:
        async with three(tmp_path, identity=keyed("k", "search")) as running:
            answer = await running.ask(get(path, method))
            assert (answer.status, answer.body, answer.clean) == (200, b"", True)
            assert answer.headers[b"x-policyd-policy"] == running.serving.sidecar.live.tag
            assert len(answer.headers[b"x-policyd-decision"]) == 24
            assert answer.headers[b"allow"] == b"GET, HEAD"

    run(test())
    assert records(tmp_path / "decisions.jsonl") == []


@pytest.mark.parametrize(
    "path", ["/v1/messages", "/v1/messages/count_tokens", "/v1/chat/completions", "/v1/responses", "/v1/embeddings"]
)  # fmt: skip
def test_an_endpoint_answers_a_probe_and_says_how_it_is_used(tmp_path: Path, path: str) -> None:
    async def test() -> None:
        async with three(tmp_path, identity=keyed("k", "search")) as running:
            answer = await running.ask(get(path, "HEAD"))
            assert (answer.status, answer.headers[b"allow"], answer.body) == (200, b"POST, HEAD", b"")
            assert running.sent_anywhere() == 0

    run(test())


def test_a_probe_of_the_models_says_as_much_as_the_list_without_showing_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, identity=keyed("k", "search")) as running:
            assert (await running.ask(get("/v1/models", "HEAD"))).status == 401
            asked = await running.ask(get("/v1/models", "HEAD", authorization="Bearer k"))
            shown = await running.ask(get("/v1/models", authorization="Bearer k"))
            assert (asked.status, asked.body) == (200, b"")
            assert asked.headers[b"content-length"] == b"%d" % len(shown.body)

    run(test())


def test_everything_stands_below_the_prefix_and_nothing_beside_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, listen='prefix = "/team/llm"') as running:
            for path, body in (
                ("/v1/chat/completions", CHAT),
                ("/v1/messages", MESSAGES),
                ("/openai/v1/responses", {"model": "m", "input": "x"}),
            ):
                assert (await running.ask(post("/team/llm" + path, body))).status == 200
                beside = await running.ask(post(path, body))
                assert (beside.status, beside.code) == (404, "caller_unknown_path")
            # What a target gets has its own prefix and not this one.
            heads = running.recorders["cloud"].heads
            assert [h[0] for h in heads] == [
                b"POST /v1/%b HTTP/1.1" % p for p in (b"chat/completions", b"messages", b"responses")
            ]
            assert (await running.ask(get("/team/llm/v1/models"))).json["object"] == "list"
            for base in ("/team/llm", "/team/llm/", "/team/llm/v1"):
                assert (await running.ask(get(base, "HEAD"))).status == 200
            for other in (
                "/team",
                "/team/llmv1/models",
                "/team/llm/team/llm/v1/models",
                "/TEAM/llm/v1/models",
            ):
                assert (await running.ask(get(other))).status == 404
            assert (await running.ask(upgrade("/team/llm/v1/responses"))).status == 426

    run(test())


OPENAI_ONLY = POLICY.replace("us  context 200k  speaks chat, completions, responses, embeddings, messages", "us  context 200k  speaks chat, completions, responses, embeddings")  # fmt: skip
AZURE = "/openai/deployments/gpt-5.mini/chat/completions?api-version=2024-10-21"


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        (b'{"messages":[]}', b'{"model":"gpt-5.mini","messages":[]}'),
        (
            b'{"messages":[], "model" : "gpt-4" , "x":1.0}',
            b'{"messages":[], "model" : "gpt-5.mini" , "x":1.0}',
        ),
        (b'{"model":"gpt-5.mini","messages":[]}', b'{"model":"gpt-5.mini","messages":[]}'),
        (b'{"mod\\u0065l":"gpt-4","messages":[]}', b'{"mod\\u0065l":"gpt-5.mini","messages":[]}'),
    ],
    ids=[
        "no model in the body",
        "another model in the body",
        "the same model",
        "another model, spelled oddly",
    ],
)
def test_the_model_in_azures_path_is_the_one_that_counts(tmp_path: Path, sent: bytes, arrives: bytes) -> None:
    async def test() -> None:
        async with three(tmp_path, identity=keyed("k", "search")) as running:
            assert (await running.ask(post(AZURE, sent, api_key="k"))).status == 200
            cloud = running.recorders["cloud"]
            assert cloud.heads[0][0] == b"POST /v1/chat/completions HTTP/1.1"
            assert cloud.bodies == [arrives]
            assert not any(line.lower().startswith(b"api-key") for line in cloud.heads[0])

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert (record["endpoint"], record["features"]["model"]) == ("chat", "gpt-5.mini")


def test_a_duplicate_model_is_refused_on_azures_path_too(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            answer = await running.ask(post(AZURE, b'{"model":"a","model":"b","messages":[]}'))
            assert (answer.status, answer.code) == (400, "caller_duplicate_key")

    run(test())


def test_a_target_at_azure_is_reached_by_its_own_paths(tmp_path: Path) -> None:
    async def test() -> None:
        (tmp_path / "token").write_text("azure-secret")
        more = (
            'dialects = ["openai"]\nmodel = "prod-gpt5"\naliases = { small = "prod-mini" }\nazure_api_version = "2024-10-21"\n'
            f'credential = {{ file = "{tmp_path}/token", style = "api-key" }}'
        )
        async with three(tmp_path, policy=OPENAI_ONLY, targets={"cloud": more}) as running:
            cloud = running.recorders["cloud"]
            await running.ask(post("/v1/chat/completions", CHAT))
            await running.ask(
                post(AZURE.replace("2024-10-21", "2023-05-15").replace("gpt-5.mini", "small"), CHAT)
            )
            await running.ask(post("/v1/embeddings?a=b", {"model": "m", "input": "x"}))
            await running.ask(post("/v1/responses", {"model": "m", "input": "x", "store": False}))
            assert [h[0] for h in cloud.heads] == [
                b"POST /openai/deployments/prod-gpt5/chat/completions?api-version=2024-10-21 HTTP/1.1",
                b"POST /openai/deployments/prod-mini/chat/completions?api-version=2024-10-21 HTTP/1.1",
                b"POST /openai/deployments/prod-gpt5/embeddings?api-version=2024-10-21&a=b HTTP/1.1",
                b"POST /openai/responses?api-version=2024-10-21 HTTP/1.1",
            ]
            assert [json.loads(b)["model"] for b in cloud.bodies] == [
                "prod-gpt5",
                "prod-mini",
                "prod-gpt5",
                "prod-gpt5",
            ]
            assert all(b"api-key: azure-secret" in h for h in cloud.heads)

    run(test())


@pytest.mark.parametrize(
    "headers",
    [
        {"x_api_key": "k", "anthropic_version": "2023-06-01"},
        {"authorization": "Bearer k", "anthropic_version": "2026-10-21"},
        {"authorization": "bearer   k", "anthropic_version": "2023-06-01"},
        {"authorization": "Bearer k", "x_api_key": "k", "anthropic_version": "2023-06-01"},
    ],
    ids=[
        "an API key as before",
        "an API key as a bearer",
        "a bearer in other letters",
        "both, with the same key",
    ],
)
def test_both_forms_of_anthropics_credential_and_version_are_taken(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    async def test() -> None:
        async with three(tmp_path, identity=keyed("k", "search")) as running:
            assert (await running.ask(post("/v1/messages", MESSAGES, **headers))).status == 200
            listed = await running.ask(get("/v1/models", **headers))
            assert set(listed.json) == {"data", "has_more", "first_id", "last_id"}
            (head,) = running.recorders["cloud"].heads
            assert b"anthropic-version: " + headers["anthropic_version"].encode() in head
            assert not {line.partition(b":")[0] for line in head} & {b"authorization", b"x-api-key"}

    run(test())


CLAUDE_CODE: dict[str, Any] = {
    "model": "claude-opus-4-5",
    "max_tokens": 32000,
    "stream": True,
    "system": [{"type": "text", "text": "one"}, {"type": "text", "text": "two", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "three"}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "system", "content": "a reminder inside the messages"},
        {"role": "assistant", "content": "hello"},
        {"role": "system", "content": [{"type": "text", "text": "another"}]},
        {"role": "user", "content": "go on"},
    ],
    "tools": [{"name": "Bash", "description": "runs", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}],
    "thinking": {"type": "adaptive"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "output_config": {"effort": "medium"},
    "metadata": {"user_id": "user_1"},
}  # fmt: skip
BETAS = "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,effort-2025-11-24"


def test_what_claude_code_sends_arrives_with_its_beta_headers_and_its_system_messages(tmp_path: Path) -> None:
    body = json.dumps(CLAUDE_CODE).encode()

    async def test() -> None:
        async with three(tmp_path) as running:
            request = post(
                "/v1/messages?beta=true",
                body,
                anthropic_version="2023-06-01",
                anthropic_beta=BETAS,
                x_claude_code_session_id="s-1",
                user_agent="claude-cli/2.1",
            ).replace(b"\r\nuser-agent", b"\r\nanthropic-beta: another-2026-01-01\r\nuser-agent")
            assert (await running.ask(request)).status == 200
            (head,), (arrived,) = running.recorders["cloud"].heads, running.recorders["cloud"].bodies
            assert head[0] == b"POST /v1/messages?beta=true HTTP/1.1"
            assert arrived == body
            betas = [line for line in head if line.startswith(b"anthropic-beta")]
            assert betas == [b"anthropic-beta: " + BETAS.encode(), b"anthropic-beta: another-2026-01-01"]
            assert b"x-claude-code-session-id: s-1" in head

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert record["features"]["messages"] == 5


def test_a_secret_in_a_system_message_inside_the_messages_is_found(tmp_path: Path) -> None:
    messages = [*CLAUDE_CODE["messages"], {"role": "system", "content": "AKIAQYLPMN5HHHFPZAM2"}]

    async def test() -> None:
        async with three(tmp_path) as running:
            answer = await running.ask(post("/v1/messages?beta=true", CLAUDE_CODE | {"messages": messages}))
            assert answer.headers[b"x-policyd-target"] == b"home"
            assert not running.recorders["cloud"].requests

    run(test())


PAGES = [
    ("openai", "", ["cloud", "spare", "home"], False),
    ("openai", "?limit=2", ["cloud", "spare"], True),
    ("openai", "?limit=2&after=spare", ["home"], False),
    ("anthropic", "", ["cloud", "spare", "home"], False),
    ("anthropic", "?limit=1", ["cloud"], True),
    ("anthropic", "?limit=1&after_id=cloud", ["spare"], True),
    ("anthropic", "?limit=5&after_id=spare", ["home"], False),
    ("anthropic", "?limit=1&before_id=home", ["spare"], True),
    ("anthropic", "?before_id=cloud", [], False),
]


@pytest.mark.parametrize(("dialect", "query", "names", "more"), PAGES)
def test_the_list_of_models_has_the_dialects_pages(
    tmp_path: Path, dialect: str, query: str, names: list[str], more: bool
) -> None:
    headers = {"anthropic_version": "2023-06-01"} if dialect == "anthropic" else {}

    async def test() -> None:
        async with three(tmp_path) as running:
            page = (await running.ask(get("/v1/models" + query, **headers))).json
            assert ([m["id"] for m in page["data"]], page["has_more"]) == (names, more)
            assert (page["first_id"], page["last_id"]) == ((names[0], names[-1]) if names else (None, None))
            assert page.get("object") == ("list" if dialect == "openai" else None)
            assert all(m["object" if dialect == "openai" else "type"] == "model" for m in page["data"])

    run(test())


@pytest.mark.parametrize(
    "query", ["?limit=0", "?limit=x", "?limit=-1", "?limit=1&limit=2", "?after=nobody", "?limit=99999"]
)
def test_a_page_that_no_list_has_is_refused(tmp_path: Path, query: str) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            answer = await running.ask(get("/v1/models" + query))
            assert (answer.status, answer.code) == (400, "caller_bad_query")

    run(test())


PER_CALLER = """
edition 1
string team from identity unknown reject
target gpu    { location on_prem  context 64k  speaks chat, messages }
target claude { location cloud    context 64k  speaks messages }
guard own  only location == on_prem  when team == "search"  because "its contract"
route all to claude, gpu
otherwise reject "no"
"""
TWO = keyed("s", "search") + keyed("d", "docs").partition("\n")[2]


def test_each_caller_sees_its_own_models_in_the_list_and_by_name(tmp_path: Path) -> None:
    async def test() -> None:
        async with Recorder() as gpu, Recorder() as claude:
            more = {
                "claude": 'aliases = { opus = "claude-opus-4-5", haiku = "claude-haiku-4-5" }\nmodel = "claude-opus-4-5"'
            }
            async with sidecar(
                tmp_path, {"gpu": gpu, "claude": claude}, policy=PER_CALLER, identity=TWO, targets=more
            ) as running:

                async def seen(key: str, path: str = "", **headers: str) -> Any:
                    return await running.ask(
                        get("/v1/models" + path, authorization=f"Bearer {key}", **headers)
                    )

                anthropic = {"anthropic_version": "2023-06-01"}
                assert [m["id"] for m in (await seen("s", **anthropic)).json["data"]] == ["gpu"]
                assert [m["id"] for m in (await seen("d", **anthropic)).json["data"]] == [
                    "opus",
                    "haiku",
                    "gpu",
                ]
                # Nobody is shown a model that cannot be reached in the caller's dialect.
                assert [m["id"] for m in (await seen("d")).json["data"]] == ["gpu"]
                one = await seen("d", "/opus", **anthropic)
                assert (one.status, one.json["type"], one.json["id"]) == (200, "model", "opus")
                for key, name in (("s", "opus"), ("d", "claude-haiku-4-5"), ("d", "nothing")):
                    hidden = await seen(key, "/" + name, **anthropic)
                    assert (hidden.status, hidden.code) == (404, "caller_unknown_model")
                    assert hidden.json["error"]["type"] == "not_found_error"
                assert (await seen("x")).status == 401
                assert gpu.connections == claude.connections == 0

    run(test())


def test_the_answer_to_expect_is_given_before_the_body_is_sent(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            head, _, body = post("/v1/chat/completions", CHAT, expect="100-continue").partition(b"\r\n\r\n")
            writer.write(head + b"\r\n\r\n")
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(body)
            assert parsed(await reader.read()).status == 200
            writer.close()
            refused = await running.ask(post("/v1/nowhere", b"", content_length="10", expect="100-continue"))
            assert refused.status == 404

    run(test())


@pytest.mark.parametrize("code", [400, 403, 404, 413, 422])
def test_an_error_about_the_request_passes_with_its_body(tmp_path: Path, code: int) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = status(code)
            answer = await running.ask(post("/v1/messages", MESSAGES))
            assert (answer.status, answer.body) == (code, b'{"status":%d}' % code)

    run(test())


MESSAGES_AT_AZURE = """
edition 1
string team from identity unknown reject
target gpt { location cloud  context 64k  speaks chat  translates messages  supports tools }
route all to gpt
otherwise reject "no"
"""


def test_a_translated_request_reaches_azure_by_its_path_too(tmp_path: Path) -> None:
    more = 'dialects = ["openai"]\nmodel = "prod"\nazure_api_version = "2024-10-21"'

    async def test() -> None:
        async with (
            Recorder() as gpt,
            sidecar(tmp_path, {"gpt": gpt}, policy=MESSAGES_AT_AZURE, targets={"gpt": more}) as running,
        ):
            await running.ask(post("/v1/messages?beta=true", MESSAGES, anthropic_version="2023-06-01"))
            (head,) = gpt.heads
            assert (
                head[0] == b"POST /openai/deployments/prod/chat/completions?api-version=2024-10-21 HTTP/1.1"
            )
            assert json.loads(gpt.bodies[0])["model"] == "prod"

    run(test())
