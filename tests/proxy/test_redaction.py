"""Routes that redact: what reaches which target, what the caller gets back, and what is refused instead of sent."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from policyd.redact.placeholders import PLACEHOLDER
from tests.proxy.bench import (
    Answer,
    Peer,
    Recorder,
    Running,
    closing,
    post,
    records,
    sidecar,
    status,
)
from tests.proxy.echoes import echoing
from tests.proxy.test_saturation import IN_LINE, Held, busy, finished, view
from tests.redact.samples import AWS, CARD, GITHUB, KEY_LINES, PASSWORD, PRIVATE, assert_gone
from tests.upstream.scripted import run, until

POLICY = """
edition 1

target home  { location on_prem  context 1M  speaks chat, messages, responses, completions, embeddings  supports tools, json, images, reasoning }
target cloud { location cloud    context 1M  speaks chat, messages, responses, completions, embeddings  supports tools, json, images, reasoning }
target spare { location cloud    context 1M  speaks chat, messages, responses, completions, embeddings  supports tools, json, images, reasoning }
target words { location cloud    context 1M  max_output 4k  speaks messages  translates chat             supports tools, json, images, reasoning }
target chats { location cloud    context 1M  speaks chat  translates messages, responses                 supports tools, json, images, reasoning }

route shown    to cloud, spare  with redact(card-number, private-key, secret)           when model == "shown"
route first    to cloud         with redact(card-number, private-key, secret) restored  when model == "or home"
route stays    to home                                                                  when model == "or home"
route worded   to words         with redact(card-number, private-key, secret) restored  when model == "words"
route chatted  to chats         with redact(card-number, private-key, secret) restored  when model == "chats"
route cards    to cloud         with redact(card-number) restored                       when model == "cards"
route restored to cloud, spare  with redact(card-number, private-key, secret) restored
otherwise reject "no target may serve this request"
"""

CALL = json.dumps({"card": CARD, "password": PASSWORD})
SAID = f"pay with {CARD}; the key is {AWS}.\n{PRIVATE}"


def request_of(dialect: str, *, model: str = "m", text: str = SAID, **more: Any) -> bytes:
    call = {"id": "c1", "type": "function", "function": {"name": "pay", "arguments": CALL}}
    chat = [
        {"role": "user", "content": text},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": json.dumps({"token": GITHUB})},
    ]
    messages = [
        {"role": "user", "content": [{"type": "text", "text": text}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "pay", "input": json.loads(CALL)}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": GITHUB}]},
    ]  # fmt: skip
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": text}]},
        {"type": "function_call", "call_id": "c1", "name": "pay", "arguments": CALL},
        {"type": "function_call_output", "call_id": "c1", "output": GITHUB},
    ]
    bodies: dict[str, tuple[str, Any]] = {
        "chat": ("/v1/chat/completions", {"messages": chat}),
        "messages": ("/v1/messages", {"max_tokens": 50, "messages": messages}),
        "responses": ("/v1/responses", {"input": items, "store": False}),
        "completions": ("/v1/completions", {"prompt": f"{text} {PASSWORD_SAID} {GITHUB}"}),
        "embeddings": ("/v1/embeddings", {"input": [text, GITHUB]}),
    }
    path, body = bodies[dialect]
    return post(path, {"model": model, **body, **more}, {"accept-encoding": "gzip"})


PASSWORD_SAID = f'password = "{PASSWORD}"'
ALL = (CARD, AWS, PRIVATE, KEY_LINES, GITHUB, PASSWORD)
TALKING = ["chat", "messages", "responses"]


@asynccontextmanager
async def redacting(folder: Path, **options: Any) -> AsyncIterator[Running]:
    names = ("home", "cloud", "spare", "words", "chats")
    recorders = {name: Recorder(echoing()) for name in names}
    async with (
        recorders["home"],
        recorders["cloud"],
        recorders["spare"],
        recorders["words"],
        recorders["chats"],
        sidecar(folder, recorders, policy=options.pop("policy", POLICY), **options) as running,
    ):
        yield running


def said_in(answer: Answer, *, streamed: bool) -> tuple[str, list[Any]]:
    """The words and the calls' arguments of an answer in any dialect."""
    assert answer.status == 200, answer.raw
    if streamed:
        return _streamed(answer.body)
    body = answer.json
    if "content" in body:
        uses = [b["input"] for b in body["content"] if b["type"] == "tool_use"]
        return "".join(b["text"] for b in body["content"] if b["type"] == "text"), uses
    if "output" in body:
        calls = [json.loads(o["arguments"]) for o in body["output"] if o["type"] == "function_call"]
        return body["output"][0]["content"][0]["text"], calls
    message = body["choices"][0]["message"]
    return message["content"], [json.loads(c["function"]["arguments"]) for c in message["tool_calls"]]


def _streamed(body: bytes) -> tuple[str, list[Any]]:
    text = arguments = ""
    for line in body.splitlines():
        if not line.startswith(b"data: {"):
            continue
        event = json.loads(line[6:])
        kind, delta = event.get("type"), event.get("delta")
        if kind == "content_block_delta":
            text += delta.get("text", "")
            arguments += delta.get("partial_json", "")
        elif kind == "response.output_text.delta":
            text += delta
        elif kind == "response.function_call_arguments.delta":
            arguments += delta
        for choice in event.get("choices", ()):
            text += choice["delta"].get("content") or ""
            for call in choice["delta"].get("tool_calls", ()):
                arguments += call["function"].get("arguments", "")
    return text, [json.loads(arguments)]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("dialect", TALKING)
def test_values_do_not_leave_and_come_back(tmp_path: Path, dialect: str, *, streamed: bool) -> None:
    async def test() -> None:
        async with redacting(tmp_path) as running:
            answer = await running.ask(request_of(dialect, stream=streamed))
            (sent,) = running.recorders["cloud"].requests
            assert_gone(sent, *ALL)
            words = PLACEHOLDER.findall(sent.decode())
            assert len(set(words)) == 5
            text, calls = said_in(answer, streamed=streamed)
            for value in (CARD, AWS, PRIVATE, GITHUB, PASSWORD):
                assert value in text
                assert value in calls[0]["given"]
            assert not PLACEHOLDER.search(answer.body.decode())
            assert answer.headers[b"x-policyd-redacted"] == (
                b"card-number=2, private-key.pem=1, secret.assigned=1, secret.aws=1, secret.github=1"
            )
            head, _, body = sent.partition(b"\r\n\r\n")
            assert b"content-length: %d" % len(body) in head
            assert b"accept-encoding: identity" in head
            metrics = (await running.admin("/metrics")).body.decode()
            assert 'policyd_redacted_total{policyd_finding="card-number"} 2' in metrics

    run(test())
    (line,) = records(tmp_path / "decisions.jsonl")
    assert line["redacted"]["card-number"] == 2
    assert (line["route"], line["target"], line["candidates"]) == ("restored", "cloud", ["cloud", "spare"])
    raw = (tmp_path / "decisions.jsonl").read_bytes()
    assert_gone(raw, *ALL)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_without_restored_the_caller_gets_placeholders(tmp_path: Path, *, streamed: bool) -> None:
    async def test() -> None:
        async with redacting(tmp_path) as running:
            for dialect in TALKING:
                answer = await running.ask(request_of(dialect, model="shown", stream=streamed))
                text, calls = said_in(answer, streamed=streamed)
                assert_gone(answer.body, *ALL)
                assert PLACEHOLDER.findall(text) == calls[0]["given"]
            # Nothing in it is put back, so it may be compressed.
            head = running.recorders["cloud"].requests[1].partition(b"\r\n\r\n")[0]
            assert b"accept-encoding: gzip" in head

    run(test())


def test_completions_and_embeddings_are_redacted_too(tmp_path: Path) -> None:
    async def test() -> None:
        async with redacting(tmp_path) as running:
            answer = await running.ask(request_of("completions"))
            assert GITHUB in answer.json["choices"][0]["text"]
            assert (await running.ask(request_of("embeddings"))).status == 200
            first, second = running.recorders["cloud"].requests
            assert_gone(first, *ALL)
            assert_gone(second, *ALL)

    run(test())


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("dialect", "model"), [("chat", "words"), ("messages", "chats"), ("responses", "chats")]
)
def test_a_translated_request_is_translated_redacted(
    tmp_path: Path, dialect: str, model: str, *, streamed: bool
) -> None:
    async def test() -> None:
        async with redacting(tmp_path) as running:
            answer = await running.ask(request_of(dialect, model=model, stream=streamed))
            (sent,) = running.recorders[model].requests
            assert_gone(sent, *ALL)
            text, calls = said_in(answer, streamed=streamed)
            for value in (CARD, AWS, PRIVATE, GITHUB, PASSWORD):
                assert value in text
                assert value in calls[0]["given"]

    run(test())


def test_every_candidate_gets_the_redacted_bytes(tmp_path: Path) -> None:
    async def test() -> None:
        async with redacting(tmp_path) as running:
            for failing in (status(500), closing):
                running.recorders["cloud"].answer = failing
                answer = await running.ask(request_of("chat"))
                assert said_in(answer, streamed=False)[0].startswith("you said [") is False
            for name in ("cloud", "spare"):
                assert len(running.recorders[name].requests) >= 1
                for sent in running.recorders[name].requests:
                    assert_gone(sent, *ALL)
            assert running.recorders["cloud"].bodies[0] == running.recorders["spare"].bodies[0]

    run(test())


CUT = {"role": "user", "content": [{"type": "text", "text": AWS[:8]}, {"type": "text", "text": AWS[8:]}]}


def test_what_cannot_be_taken_out_goes_where_it_may_or_nowhere(tmp_path: Path) -> None:
    async def test() -> None:
        async with redacting(tmp_path) as running:
            body = {"messages": [CUT]}
            answer = await running.ask(post("/v1/chat/completions", {"model": "or home", **body}))
            assert (answer.status, answer.headers[b"x-policyd-target"]) == (200, b"home")
            assert b"x-policyd-redacted" not in answer.headers
            assert json.loads(running.recorders["home"].bodies[0])["messages"] == [CUT]
            refused = await running.ask(post("/v1/chat/completions", {"model": "m", **body}))
            assert (refused.status, refused.code) == (403, "policy_denied")
            assert refused.json["error"]["policyd"]["by"] == ["redacts"]
            assert "with redact" not in refused.json["error"]["message"]
            assert [len(running.recorders[n].requests) for n in ("cloud", "spare")] == [0, 0]

    run(test())


def test_what_only_another_route_redacts_goes_as_it_is(tmp_path: Path) -> None:
    async def test() -> None:
        async with redacting(tmp_path) as running:
            answer = await running.ask(request_of("chat", model="cards"))
            (sent,) = running.recorders["cloud"].requests
            assert_gone(sent, CARD)
            assert AWS.encode() in sent
            assert answer.headers[b"x-policyd-redacted"] == b"card-number=2"

    run(test())


def test_a_request_without_findings_is_sent_as_it_came(tmp_path: Path) -> None:
    async def test() -> None:
        async with redacting(tmp_path) as running:
            body = b'{"model":"m",  "messages":[{"role":"user","content":"hi [card-number:bcdfghjkmnpq]"}]}'
            answer = await running.ask(post("/v1/chat/completions", body))
            assert running.recorders["cloud"].bodies == [body]
            # Nobody's placeholder is put back for anybody.
            assert "[card-number:bcdfghjkmnpq]" in answer.json["choices"][0]["message"]["content"]
            assert b"x-policyd-redacted" not in answer.headers

    run(test())
    (line,) = records(tmp_path / "decisions.jsonl")
    assert "redacted" not in line


def test_bytes_that_still_hold_a_finding_are_not_sent(tmp_path: Path) -> None:
    """The deployment's own keys go into the body after it was redacted; the last look is at the very bytes."""
    targets = {"cloud": f'send = {{ note = "{AWS}" }}'}

    async def test() -> None:
        async with redacting(tmp_path, targets=targets) as running:
            refused = await running.ask(request_of("chat"))
            assert (refused.status, refused.code) == (403, "policy_redaction")
            assert refused.headers[b"x-should-retry"] == b"false"
            assert running.sent_anywhere() == 0

    run(test())
    (line,) = records(tmp_path / "decisions.jsonl")
    assert line["outcome"] == "policy_redaction"
    assert "secret.aws" in line["said"]


def test_model_keys_and_usage_go_into_the_redacted_body(tmp_path: Path) -> None:
    targets = {"cloud": 'model = "pinned"\nsend = { safety = "on" }'}

    async def test() -> None:
        async with redacting(tmp_path, targets=targets) as running:
            answer = await running.ask(request_of("chat", stream=True))
            (raw,) = running.recorders["cloud"].bodies
            sent = json.loads(raw)
            assert (sent["model"], sent["safety"]) == ("pinned", "on")
            assert sent["stream_options"] == {"include_usage": True}
            assert b'"usage"' not in answer.body
            assert CARD in said_in(answer, streamed=True)[0]

    run(test())
    (line,) = records(tmp_path / "decisions.jsonl")
    assert line["usage"]["input"] == 3


def test_tokens_are_asked_for_and_counted_of_the_redacted_request(tmp_path: Path) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": SAID}]}

    async def test() -> None:
        async with redacting(tmp_path, targets={"spare": "counts_tokens = false"}) as running:
            cloud = running.recorders["cloud"]
            answer = await running.ask(post("/v1/messages/count_tokens", body))
            assert answer.json == {"input_tokens": 7}
            assert_gone(cloud.requests[0], *ALL)
            cloud.answer = status(404)
            here = await running.ask(post("/v1/messages/count_tokens", body))
            assert here.headers[b"x-policyd-counted"] == b"here"
            plain = await running.ask(
                post("/v1/messages/count_tokens", body | {"messages": [{"role": "user", "content": "x" * 4}]})
            )
            assert here.json["input_tokens"] - plain.json["input_tokens"] < 120

    run(test())


def test_an_error_that_quotes_the_request_is_restored(tmp_path: Path) -> None:
    async def quoting(peer: Peer, request: bytes) -> None:
        word = PLACEHOLDER.search(request.decode())
        assert word is not None
        body = json.dumps(
            {"error": {"message": f"what is {word[0]}?", "type": "invalid_request_error"}}
        ).encode()
        await peer.send(
            b"HTTP/1.1 400 No\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (len(body), body)
        )

    async def test() -> None:
        async with redacting(tmp_path) as running:
            running.recorders["cloud"].answer = quoting
            answer = await running.ask(request_of("chat", text=AWS))
            assert answer.status == 400
            assert AWS in answer.json["error"]["message"] or CARD in answer.json["error"]["message"]

    run(test())


def test_an_answer_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    async def zipped(peer: Peer, _: bytes) -> None:
        data = gzip.compress(b'{"choices": []}', mtime=0)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n"
        await peer.send(head % len(data) + data)

    async def test() -> None:
        async with redacting(tmp_path) as running:
            running.recorders["cloud"].answer = zipped
            answer = await running.ask(request_of("chat"))
            assert answer.headers[b"x-policyd-target"] == b"spare"
            assert CARD in said_in(answer, streamed=False)[0]

    run(test())


def test_a_stream_that_breaks_off_does_not_end_cleanly(tmp_path: Path) -> None:
    async def breaking(peer: Peer, request: bytes) -> None:
        word = PLACEHOLDER.search(request.decode())
        assert word is not None
        chunk = {"choices": [{"index": 0, "delta": {"content": f"a {word[0][:6]}"}, "finish_reason": None}]}
        data = b"data: %b\n\n" % json.dumps(chunk).encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        await peer.send(head + b"%x\r\n%b\r\n" % (len(data), data))
        peer.close()

    async def test() -> None:
        async with redacting(tmp_path) as running:
            running.recorders["cloud"].answer = breaking
            answer = await running.ask(request_of("chat", stream=True))
            assert not answer.clean
            assert b"upstream_broke" in answer.body

    run(test())


def test_many_at_once_get_their_own_back(tmp_path: Path) -> None:
    def body(number: int) -> bytes:
        words = f"{AWS[:-2]}{number:02d} and {number} {PRIVATE}"
        return request_of(TALKING[number % 3], text=words, stream=number % 2 == 0)

    async def test() -> None:
        async with redacting(tmp_path) as running:
            answers = await asyncio.gather(*(running.ask(body(n)) for n in range(40)))
            for number, answer in enumerate(answers):
                text, calls = said_in(answer, streamed=number % 2 == 0)
                assert f"{AWS[:-2]}{number:02d}" in text
                assert f"{AWS[:-2]}{number:02d}" in calls[0]["given"]
                others = {f"{AWS[:-2]}{other:02d}" for other in range(40) if other != number}
                assert not any(other in text for other in others)
            for sent in running.recorders["cloud"].requests:
                assert AWS[:-2].encode() not in sent

    run(test())


def test_a_large_body_is_redacted_off_the_event_loop(tmp_path: Path) -> None:
    words = "plain words that go on and on, " * 20_000

    async def test() -> None:
        async with redacting(tmp_path) as running:
            answer = await running.ask(request_of("messages", text=f"{words}{AWS} {words}{CARD}"))
            assert AWS in said_in(answer, streamed=False)[0]
            assert_gone(running.recorders["cloud"].requests[0], *ALL)

    run(test())


def test_sidecars_with_one_key_give_a_value_one_placeholder(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def test(folder: Path, key: str) -> None:
        folder.mkdir()
        (folder / "key").write_text(key)
        async with redacting(folder, extra='redaction = { key = { file = "key" } }') as running:
            await running.ask(request_of("chat"))
            seen.extend(running.recorders["cloud"].bodies)

    run(test(tmp_path / "a", "one key of at least 32 characters"))
    run(test(tmp_path / "b", "one key of at least 32 characters"))
    run(test(tmp_path / "c", "another of at least 32 characters"))
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]


def test_a_policy_that_redacts_nothing_does_nothing_of_this(tmp_path: Path) -> None:
    policy = "\n".join(line for line in POLICY.splitlines() if "redact" not in line or "restored to" in line)
    policy = policy.replace(" with redact(card-number, private-key, secret) restored", "")

    async def test() -> None:
        async with redacting(tmp_path, policy=policy) as running:
            assert running.serving.sidecar.live.redactions is None
            await running.ask(request_of("chat"))
            assert AWS.encode() in running.recorders["cloud"].requests[0]

    run(test())


UNREDACTED = POLICY.replace(" with redact(card-number, private-key, secret) restored\n", "\n")


def test_a_request_that_waits_while_its_route_begins_to_redact_is_redacted(tmp_path: Path) -> None:
    async def test() -> None:
        async with redacting(tmp_path, policy=UNREDACTED, targets={"cloud": IN_LINE}) as running:
            held, cloud = Held(), running.recorders["cloud"]
            tasks = await busy(running, "cloud", held)
            waiting = asyncio.create_task(running.ask(request_of("chat")))
            await until(lambda: view(running, "cloud").waiting == 1)
            before = running.serving.sidecar.live.ready.digest
            running.policy.write_text(POLICY)
            running.serving.reloader.ask()
            await until(lambda: running.serving.sidecar.live.ready.digest != before)
            cloud.answer = echoing()
            await finished(held, tasks)
            answer = await waiting
            assert_gone(cloud.requests[-1], *ALL)
            assert CARD in said_in(answer, streamed=False)[0]
            assert len(cloud.requests) == 2

    run(test())


def test_a_request_that_waits_while_its_route_stops_redacting_is_decided_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with redacting(tmp_path, targets={"cloud": IN_LINE}) as running:
            held, cloud = Held(), running.recorders["cloud"]
            tasks = await busy(running, "cloud", held)
            waiting = asyncio.create_task(running.ask(request_of("chat")))
            await until(lambda: view(running, "cloud").waiting == 1)
            before = running.serving.sidecar.live.ready.digest
            running.policy.write_text(UNREDACTED)
            running.serving.reloader.ask()
            await until(lambda: running.serving.sidecar.live.ready.digest != before)
            cloud.answer = echoing()
            await finished(held, tasks)
            answer = await waiting
            assert AWS.encode() in cloud.requests[-1]
            assert b"x-policyd-redacted" not in answer.headers

    run(test())
    line = records(tmp_path / "decisions.jsonl")[-1]
    assert "redacted" not in line
