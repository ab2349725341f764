"""A question on its way through the gate: its address, its bytes, and what comes of it when there is no answer."""

import asyncio
from dataclasses import replace

import pytest

from policyd.deploy.model import BoundTarget, Credential, Secret, Timeouts
from policyd.proxy.gate import Gate, Serving
from policyd.proxy.probe.question import LARGEST_ANSWER, Answer, Question, Said, Unanswered, ask_through
from policyd.proxy.upstream.client import HttpUpstream
from tests.proxy.bench import Recorder, closing, hanging, saying
from tests.upstream.scripted import Peer, run, target, unused_port

MODELS = Question("/v1/models")
CHAT = Question("/v1/chat/completions", {"model": "m"})


async def ask(bound: BoundTarget, question: Question, *, seconds: float = 5.0, name: str = "a") -> Answer:
    gate = Gate(Serving("digest", {"a": bound}))
    upstream = HttpUpstream(gate, [bound])
    try:
        return await ask_through(gate, upstream)(name, question, seconds)
    finally:
        await upstream.aclose()


def at(recorder: Recorder, **changes: object) -> BoundTarget:
    return target(int(recorder.url.rsplit(":", 1)[1]), **changes)


@pytest.mark.parametrize(
    ("question", "changes", "line"),
    [
        (MODELS, {}, b"GET /v1/models HTTP/1.1"),
        (CHAT, {}, b"POST /v1/chat/completions HTTP/1.1"),
        (Question("/health"), {"azure_api_version": "2024-10-21"}, b"GET /health HTTP/1.1"),
        (MODELS, {"azure_api_version": "2024-10-21"}, b"GET /openai/models?api-version=2024-10-21 HTTP/1.1"),
        (
            CHAT,
            {"azure_api_version": "2024-10-21"},
            b"POST /openai/deployments/m/chat/completions?api-version=2024-10-21 HTTP/1.1",
        ),
    ],
)
def test_a_question_goes_where_requests_of_its_kind_go(
    question: Question, changes: dict[str, object], line: bytes
) -> None:
    async def test() -> None:
        async with Recorder() as server:
            assert isinstance(await ask(at(server, **changes), question), Said)
            assert server.heads[0][0] == line

    run(test())


def test_a_path_prefix_of_the_url_stands_before_it() -> None:
    async def test() -> None:
        async with Recorder() as server:
            bound = at(server)
            endpoint = replace(bound.binding.endpoint, prefix="/gpu")
            await ask(replace(bound, binding=replace(bound.binding, endpoint=endpoint)), MODELS)
            assert server.heads[0][0] == b"GET /gpu/v1/models HTTP/1.1"

    run(test())


def test_no_answer_is_told_from_no_knowledge() -> None:
    async def test() -> None:
        async with Recorder(closing) as dropping, Recorder(hanging) as silent:
            assert await ask(at(dropping), MODELS) == Unanswered("reset")
            assert await ask(at(silent), MODELS, seconds=0.05) == Unanswered("total_timeout")
            quick = at(silent, timeouts=Timeouts(first_byte=0.05))
            assert await ask(quick, MODELS) == Unanswered("first_byte_timeout")
            assert await ask(at(silent), MODELS, name="b") == Unanswered(None)
        with unused_port() as port:
            assert await ask(target(port), MODELS) == Unanswered("refused")

    run(test())


def test_a_target_whose_connections_are_all_taken_is_not_ill() -> None:
    """Under load the health checks stood in line behind the requests, and a busy server was called dead."""

    async def test() -> None:
        async with Recorder(hanging) as server:
            bound = at(server, max_connections=1, timeouts=Timeouts(connect=0.05))
            gate = Gate(Serving("digest", {"a": bound}))
            upstream = HttpUpstream(gate, [bound])
            asking = ask_through(gate, upstream)
            first = asyncio.ensure_future(asking("a", CHAT, 20.0))
            while not server.requests:
                await asyncio.sleep(0)
            assert await asking("a", MODELS, 5.0) == Unanswered(None)
            first.cancel()
            await upstream.aclose()

    run(test())


def test_what_the_gate_refuses_is_not_sent() -> None:
    async def test() -> None:
        async with Recorder() as server:
            other = Question("/v1/chat/completions", {"model": "another"})
            assert await ask(at(server), other) == Unanswered("barred")
            unsendable = Credential("bearer", Secret("env NOWHERE", "\0"))
            assert await ask(at(server, credential=unsendable), MODELS) == Unanswered("barred")
            assert server.requests == []

    run(test())


def test_of_an_endless_answer_only_so_much_is_read() -> None:
    async def endless(peer: Peer, _: bytes) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            await peer.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    async def test() -> None:
        async with Recorder(endless) as server:
            answer = await ask(at(server), MODELS)
            assert isinstance(answer, Said)
            assert len(answer.body) == LARGEST_ANSWER

    run(test())


def test_the_kind_of_the_answer_is_kept_in_lower_case() -> None:
    async def test() -> None:
        said = b"HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream\r\ncontent-length: 0\r\n\r\n"
        async with Recorder(saying(said)) as server:
            assert await ask(at(server), MODELS) == Said(200, "text/event-stream", b"")

    run(test())
