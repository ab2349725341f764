"""Targets that send requests on: nothing reaches them that could say to where."""

from pathlib import Path

import orjson
import pytest

from policyd.deploy.bindings import bind
from policyd.deploy.read import read_deployment
from policyd.resolve.load import load
from policyd.traffic.endpoints import Endpoint, find_endpoint
from policyd.traffic.read import read_request
from tests.proxy.bench import CHAT, MESSAGES, POLICY, Recorder, closing, post, records, status, three
from tests.upstream.scripted import run

ONWARD = "target cloud  { onward yes  location cloud"
FIRST = (
    POLICY.replace("target cloud  { location cloud", ONWARD)
    .replace("target home   { location", "target home   { onward no  location")
    .replace("target spare  { location", "target spare  { onward no  location")
)
ONLY = FIRST.replace("route rest     to cloud, spare, home", "route rest     to cloud")
PINNED = {"cloud": 'model = "pinned"'}
STRANGE = CHAT | {"strange_key": 1}


def test_an_unknown_key_bars_a_target_that_sends_on(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, policy=FIRST, targets=PINNED) as running:
            answer = await running.ask(post("/v1/chat/completions", STRANGE))
            assert (answer.status, answer.headers[b"x-policyd-target"]) == (200, b"spare")
            assert running.recorders["cloud"].connections == 0

    run(test())


def test_where_every_target_sends_on_the_key_is_named(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, policy=ONLY, targets=PINNED) as running:
            answer = await running.ask(post("/v1/chat/completions", STRANGE))
            assert (answer.status, answer.code) == (400, "caller_unknown_key")
            assert "strange_key" in answer.json["error"]["message"]
            assert running.sent_anywhere() == 0

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert "strange_key" not in record["said"]


@pytest.mark.parametrize("target", ["cloud", "spare"])
def test_known_headers_only_reach_a_target_that_sends_on(tmp_path: Path, target: str) -> None:
    policy = FIRST.replace("to cloud, spare, home", f"to {target}")

    async def test() -> None:
        async with three(tmp_path, policy=policy, targets=PINNED) as running:
            request = post("/v1/chat/completions?beta=true&via=x", CHAT, x_custom="1", x_stainless_os="Linux")
            assert (await running.ask(request)).status == 200
            ((first, *head),) = running.recorders[target].heads
            assert (b"x-custom: 1" in head) is (target == "spare")
            assert (b"via=x" in first) is (target == "spare")
            assert b"x-stainless-os: Linux" in head
            assert b"content-type: application/json" in head

    run(test())


ZDR = (
    'model = "pinned"\n[targets.cloud.send]\n'
    'provider = { zdr = true, data_collection = "deny", allow_fallbacks = false }\nstore = false'
)
DECLARED = {"provider": {"zdr": True, "data_collection": "deny", "allow_fallbacks": False}, "store": False}
ASKED = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": {"model": "m", "prompt": "hi"},
    "/v1/responses": {"model": "m", "input": "hi", "store": False},
    "/v1/embeddings": {"model": "m", "input": "hi"},
    "/v1/messages": MESSAGES,
}


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize(
    "given", [{}, {"store": False}, {"store": True}], ids=["", "the same", "another value"]
)
def test_declared_keys_are_in_every_body_whatever_the_client_says(
    tmp_path: Path, path: str, given: dict[str, object]
) -> None:
    async def test() -> None:
        async with three(tmp_path, policy=ONLY, targets={"cloud": ZDR}) as running:
            body = ASKED[path] | (given if path in {"/v1/chat/completions", "/v1/responses"} else {})
            answer = await running.ask(post(path, body))
            assert answer.status == 200
            (sent,) = running.recorders["cloud"].bodies
            assert orjson.loads(sent) == body | DECLARED | {"model": "pinned"}

    run(test())


def test_the_clients_own_word_about_privacy_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, policy=ONLY, targets={"cloud": ZDR}) as running:
            loose = CHAT | {"provider": {"data_collection": "allow"}}
            answer = await running.ask(post("/v1/chat/completions", loose))
            assert (answer.status, answer.code) == (400, "caller_reach_key")
            assert running.sent_anywhere() == 0

    run(test())


TWICE = FIRST.replace("target spare  { onward no", "target spare  { onward yes")
BOTH = {"cloud": ZDR, "spare": ZDR.replace("targets.cloud", "targets.spare").replace('"deny"', '"none"')}


@pytest.mark.parametrize("fault", [status(503), status(429), closing], ids=["503", "429", "a cut"])
def test_no_retry_and_no_failover_leaves_a_declared_key_out(tmp_path: Path, fault: object) -> None:
    """Users of other gateways met: `data_collection = deny` was set on the first attempt and missing on the next."""

    async def test() -> None:
        async with three(tmp_path, policy=TWICE, targets=BOTH) as running:
            running.recorders["cloud"].answer = fault  # type: ignore[assignment]
            answer = await running.ask(post("/v1/chat/completions", CHAT))
            assert (answer.status, answer.headers[b"x-policyd-target"]) == (200, b"spare")
            tried: list[tuple[Recorder, str]] = [
                (running.recorders["cloud"], "deny"),
                (running.recorders["spare"], "none"),
            ]
            for recorder, word in tried:
                assert recorder.bodies
                for body in recorder.bodies:
                    sent = orjson.loads(body)
                    assert sent["provider"] == DECLARED["provider"] | {"data_collection": word}  # type: ignore[operator]
                    assert (sent["store"], sent["model"]) == (False, "pinned")

    run(test())


SAYS_WHERE: dict[str, object] = {
    "to which log": {"langfuse_host": "https://elsewhere.example", "langfuse_public_key": "p"},
    "to which deployment": {"tags": ["far"]},
    "as JSON in a string": '{"tags":["far"]}',
    "as a list": [{"tags": ["far"]}],
}


@pytest.mark.parametrize("metadata", SAYS_WHERE.values(), ids=SAYS_WHERE.keys())
def test_metadata_of_a_callers_own_bars_a_target_that_sends_on(tmp_path: Path, metadata: object) -> None:
    """Gateways choose a deployment by what stands in `metadata`, and send what they log to a host that it names."""

    async def test() -> None:
        async with three(tmp_path, policy=FIRST, targets=PINNED) as running:
            for path in ("/v1/chat/completions", "/v1/responses", "/v1/messages"):
                answer = await running.ask(post(path, ASKED[path] | {"metadata": metadata}))
                assert (answer.status, answer.headers[b"x-policyd-target"]) == (200, b"spare")
            assert running.recorders["cloud"].connections == 0

    run(test())


def test_metadata_that_says_nothing_more_than_the_api_has_reaches_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, policy=ONLY, targets=PINNED) as running:
            for path, metadata in (("/v1/messages", {"user_id": "u"}), ("/v1/chat/completions", {})):
                answer = await running.ask(post(path, ASKED[path] | {"metadata": metadata}))
                assert answer.status == 200

    run(test())


def test_metadata_that_the_binding_declares_stands_in_place_of_the_callers(tmp_path: Path) -> None:
    declared = {"cloud": 'model = "pinned"\n[targets.cloud.send]\nmetadata = { tags = ["near"] }'}

    async def test() -> None:
        async with three(tmp_path, policy=ONLY, targets=declared) as running:
            answer = await running.ask(post("/v1/chat/completions", CHAT | {"metadata": {"tags": ["far"]}}))
            assert answer.status == 200
            (sent,) = running.recorders["cloud"].bodies
            assert orjson.loads(sent)["metadata"] == {"tags": ["near"]}

    run(test())


INSIDE = {
    "a message of chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi", "providerOptions": {"a": 1}}]}),
    "a part of chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi", "route": "x"}]}]}),
    "an unknown part of chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": [{"type": "teleport"}]}]}),
    "a call of a tool": ("/v1/chat/completions", {"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}", "host": "x"}}]}]}),
    "a tool of chat": ("/v1/chat/completions", {"tools": [{"type": "function", "function": {"name": "f", "server_url": "x"}}]}),
    "a tool without a type": ("/v1/chat/completions", {"tools": [{"googleSearch": {}}]}),
    "an unknown tool": ("/v1/chat/completions", {"tools": [{"type": "openrouter:web_search"}]}),
    "a message": ("/v1/messages", {"messages": [{"role": "user", "content": "hi", "provider": "x"}]}),
    "a block": ("/v1/messages", {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi", "route": "x"}]}]}),
    "an unknown block": ("/v1/messages", {"messages": [{"role": "user", "content": [{"type": "teleport"}]}]}),
    "a block of the system prompt": ("/v1/messages", {"system": [{"type": "text", "text": "hi", "x": 1}]}),
    "a source": ("/v1/messages", {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk=", "via": "x"}}]}]}),
    "a tool": ("/v1/messages", {"tools": [{"name": "f", "input_schema": {}, "endpoint": "x"}]}),
    "an item": ("/v1/responses", {"input": [{"role": "user", "content": "hi", "route": "x"}]}),
    "an unknown item": ("/v1/responses", {"input": [{"type": "teleport"}]}),
    "a part of an item": ("/v1/responses", {"input": [{"role": "user", "content": [{"type": "input_text", "text": "hi", "x": 1}]}]}),
}  # fmt: skip


def asked_with(path: str, more: dict[str, object]) -> dict[str, object]:
    return ASKED[path] | more


@pytest.mark.parametrize(("path", "more"), INSIDE.values(), ids=INSIDE.keys())
def test_an_unknown_key_inside_is_noticed(path: str, more: dict[str, object]) -> None:
    endpoint = find_endpoint("POST", path)
    assert isinstance(endpoint, Endpoint)
    assert read_request(endpoint.name, asked_with(path, more)).unknown
    assert read_request(endpoint.name, ASKED[path]).unknown == ()


@pytest.mark.parametrize(("path", "more"), INSIDE.values(), ids=INSIDE.keys())
def test_an_unknown_key_inside_bars_a_target_that_sends_on(
    tmp_path: Path, path: str, more: dict[str, object]
) -> None:
    """What no API documents could say to a gateway where to go, wherever it stands. Where it also hides how long the request
    is, nobody may have it."""
    seeing = '    at least confidential  when opaque or findings contains any { "secret", "private-key", "card-number", "iban" }\n'
    assert seeing in FIRST

    async def test() -> None:
        async with three(tmp_path, policy=FIRST.replace(seeing, ""), targets=PINNED) as running:
            answer = await running.ask(post(path, asked_with(path, more)))
            if answer.status == 200:
                assert answer.headers[b"x-policyd-target"] == b"spare"
            else:
                assert answer.json["error"]["policyd"]["by"] == ["context"]
            assert running.recorders["cloud"].connections == 0

    run(test())


def test_a_target_that_sends_on_must_pin_its_model(tmp_path: Path) -> None:
    policy = tmp_path / "p.policy"
    policy.write_text(ONLY)
    deployment = tmp_path / "policyd.toml"
    tables = "".join(
        f'[targets.{n}]\nurl = "http://127.0.0.1:1"\ndialects = ["openai", "anthropic"]\n'
        for n in ("home", "cloud", "spare")
    )
    deployment.write_text(
        f'policy = "p.policy"\n[identity]\nkind = "loopback"\nteam = "x"\n[features]\norigin = "eu"\n{tables}'
    )
    program, read = load(policy).program, read_deployment(deployment, {}).deployment
    assert program is not None
    assert read is not None
    assert "PD529" in {d.code for d in bind(program, read).diagnostics}


TRANSLATED = FIRST.replace("route rest     to cloud, spare, home", "route rest     to cloud").replace(
    "context 200k  speaks chat, completions, responses, embeddings, messages  supports tools",
    "context 200k  max_output 8k  speaks messages  translates chat  supports tools",
    1,
)


def test_a_request_that_is_translated_carries_the_declared_keys_as_well(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, policy=TRANSLATED, targets={"cloud": ZDR}) as running:
            await running.ask(post("/v1/chat/completions", CHAT | {"store": True}))
            await running.ask(post("/v1/chat/completions", CHAT))
            bodies = [orjson.loads(body) for body in running.recorders["cloud"].bodies]
            assert bodies
            for sent in bodies:
                assert {"max_tokens", "messages"} <= sent.keys(), "it is a messages request"
                assert {k: sent[k] for k in DECLARED} == DECLARED
                assert sent["model"] == "pinned"

    run(test())
