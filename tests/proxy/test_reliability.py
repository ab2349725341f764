"""What users of gateways met when model servers failed, and what becomes of it here: over sockets, against scripted servers.

Each test says in its docstring what went wrong elsewhere.
"""

import asyncio
import json
import socket
from pathlib import Path
from typing import Final

import pytest

from policyd.proxy.breaker import BreakerState
from policyd.proxy.standing import Why
from policyd.proxy.targets import TargetView
from tests.proxy.bench import (
    CHAT,
    MESSAGES,
    OK,
    SECRET,
    Answering,
    Running,
    closing,
    hanging,
    post,
    records,
    saying,
    status,
    three,
)
from tests.proxy.test_reload import change
from tests.upstream.scripted import Peer, run, until

ASK: Final = post("/v1/chat/completions", CHAT)
STREAM: Final = post("/v1/chat/completions", CHAT | {"stream": True})
SSE: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
ONLY_CLOUD: Final = 'kind = "loopback"\nteam = "cloud-only"'
BRITTLE: Final = 'breaker = { faults = 2, open = "0.05s" }'
FOR_LONG: Final = 'breaker = { faults = 2, open = "1h" }'


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(data: object, name: str = "") -> bytes:
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(data).encode() + b"\n\n"


def view(running: Running, target: str) -> TargetView:
    now = asyncio.get_running_loop().time()
    return next(v for v in running.serving.sidecar.road.targets.view(now) if v.target == target)


def in_turn(*answers: Answering) -> Answering:
    """Each once, the last for ever."""
    left = list(answers)

    async def answer(peer: Peer, request: bytes) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(peer, request)

    return answer


# The first byte decides.


@pytest.mark.parametrize("begun", [b"", b'data: {"a'], ids=["before it", "inside it"])
def test_a_stream_that_breaks_before_its_first_event_goes_to_the_fallback(
    tmp_path: Path, begun: bytes
) -> None:
    """Elsewhere the head of a stream counted as its success: it broke right after it and the fallback was never tried."""

    async def breaking(peer: Peer, _: bytes) -> None:
        await peer.send(SSE + (chunk(begun) if begun else b""))
        peer.close()

    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = breaking
            answer = await running.ask(STREAM)
            assert (answer.status, answer.headers[b"x-policyd-target"]) == (200, b"spare")
            assert answer.clean

    run(test())


ERRORS: Final = {
    "overloaded": event({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}, "error"),
    "a provider behind it failed": event({"error": {"code": 502, "message": "m"}}),
    "after comments": b": processing\n\n" + event({"error": {"message": "m", "type": "server_error"}}),
}


@pytest.mark.parametrize("said", ERRORS.values(), ids=ERRORS.keys())
def test_a_stream_whose_first_event_is_an_error_goes_to_the_fallback(tmp_path: Path, said: bytes) -> None:
    """Elsewhere the caller got 200 and then an error, although nothing had been sent when the error came."""

    async def erring(peer: Peer, _: bytes) -> None:
        for at in (slice(0, 9), slice(9, None)):
            await peer.send((SSE if at.start == 0 else b"") + chunk(said[at]))
        await peer.send(b"0\r\n\r\n")

    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = erring
            answer = await running.ask(STREAM)
            assert (answer.status, answer.headers[b"x-policyd-target"]) == (200, b"spare")
            assert answer.json == {"fine": True}
            for recorder in running.recorders.values():
                recorder.answer = erring
            answer = await running.ask(STREAM)
            assert (answer.status, answer.code) == (503, "upstream_unavailable"), (
                "and never a 200 with an error"
            )

    run(test())
    outcomes = [a["outcome"] for a in records(tmp_path / "decisions.jsonl")[0]["attempts"]]
    assert outcomes == ["error_event", "answered"]


def test_an_error_about_the_request_is_its_answer_in_a_stream_too(tmp_path: Path) -> None:
    said = event({"error": {"type": "invalid_request_error", "message": "too long"}})

    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = saying(SSE + chunk(said) + b"0\r\n\r\n")
            answer = await running.ask(STREAM)
            assert (answer.status, answer.body) == (200, said)
            assert not running.recorders["spare"].requests

    run(test())


def test_an_answer_of_200_that_is_an_error_goes_to_the_fallback(tmp_path: Path) -> None:
    body = b'{"error":{"code":502,"message":"no provider"}}'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)

    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = saying(head + body)
            answer = await running.ask(ASK)
            assert (answer.status, answer.headers[b"x-policyd-target"]) == (200, b"spare")

    run(test())


def test_no_text_is_doubled_when_a_stream_breaks_in_its_middle(tmp_path: Path) -> None:
    """Elsewhere the fallback was asked in the middle of a stream and its text came behind the first one's."""
    begun = event({"choices": [{"delta": {"content": "Once upon"}}]})

    async def breaking(peer: Peer, _: bytes) -> None:
        await peer.send(SSE + chunk(begun))
        peer.close()

    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = breaking
            answer = await running.ask(STREAM)
            assert answer.body.count(b"Once upon") == 1
            assert not answer.clean, "a stream that was cut never ends as if it were whole"
            assert b"upstream_broke" in answer.body and b"[DONE]" not in answer.body
            assert not running.recorders["spare"].requests

    run(test())


def test_a_stream_without_end_does_not_starve_the_others(tmp_path: Path) -> None:
    """Elsewhere one stream of events kept the worker busy and nobody else was served."""

    async def endless(peer: Peer, _: bytes) -> None:
        await peer.send(SSE)
        while True:
            await peer.send(chunk(event({"choices": []})))
            await asyncio.sleep(0)

    async def test() -> None:
        async with three(tmp_path) as running:
            cloud = running.recorders["cloud"]
            cloud.answer = in_turn(endless, saying(OK))
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(STREAM)
            await reader.readuntil(b"\r\n\r\n")
            eating = asyncio.create_task(_eat(reader))
            for _ in range(5):
                assert (await running.ask(ASK)).status == 200
            eating.cancel()
            writer.transport.abort()
            await until(lambda: view(running, "cloud").in_flight == 0)

    run(test())


async def _eat(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass


def test_what_was_rewritten_for_one_target_never_reaches_the_next(tmp_path: Path) -> None:
    """Elsewhere the body that was rewritten for the first attempt went to the fallback."""

    async def test() -> None:
        targets = {
            "cloud": 'model = "cloud-model"\nheaders = { "x-cloud" = "1" }',
            "spare": 'model = "spare-model"',
        }
        async with three(tmp_path, targets=targets) as running:
            for name in ("cloud", "spare"):
                running.recorders[name].answer = status(503)
            await running.ask(ASK)
            models = {n: [json.loads(b)["model"] for b in r.bodies] for n, r in running.recorders.items()}
            assert models == {"cloud": ["cloud-model"], "spare": ["spare-model"], "home": ["gpt-5"]}
            assert not [
                h
                for n in ("spare", "home")
                for head in running.recorders[n].heads
                for h in head
                if b"x-cloud" in h
            ]

    run(test())  # fmt: skip


def test_an_answer_that_ends_with_its_caller_ends_the_target_s_work_and_frees_its_place(
    tmp_path: Path,
) -> None:
    """Elsewhere the GPU went on generating after the client had left, and its slot was never given back."""
    left = asyncio.Event()

    async def generating(peer: Peer, _: bytes) -> None:
        await peer.send(SSE + chunk(event({"choices": []})))
        await peer.gone()
        left.set()

    async def test() -> None:
        async with three(
            tmp_path, targets={"cloud": "load = { max_in_flight = 1 }"}, identity=ONLY_CLOUD
        ) as running:
            cloud = running.recorders["cloud"]
            cloud.answer = in_turn(generating, saying(OK))
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(STREAM)
            await reader.readuntil(b"data: ")
            assert view(running, "cloud").in_flight == 1
            writer.transport.abort()
            await left.wait()
            assert (await running.ask(ASK)).status == 200
            assert view(running, "cloud").in_flight == 0

    run(test())


# Attempts.


def test_a_connection_that_was_closed_meanwhile_is_replaced_once_and_costs_no_attempt(tmp_path: Path) -> None:
    """A server closes an idle connection while the next request is on its way: about one in forty does."""

    async def once(peer: Peer, _: bytes) -> None:
        await peer.send(OK)
        await peer.request()
        peer.close()

    async def test() -> None:
        async with three(tmp_path) as running:
            cloud = running.recorders["cloud"]
            cloud.answer = in_turn(once, saying(OK))
            answers = [await running.ask(ASK) for _ in range(2)]
            assert [a.headers[b"x-policyd-target"] for a in answers] == [b"cloud"] * 2
            assert [a.headers[b"x-policyd-attempts"] for a in answers] == [b"1"] * 2
            assert cloud.connections == 2

    run(test())


@pytest.mark.parametrize("code", [429, 503])
def test_a_target_that_says_when_is_asked_again_then(tmp_path: Path, code: int) -> None:
    async def test() -> None:
        async with three(tmp_path, identity=ONLY_CLOUD) as running:
            cloud = running.recorders["cloud"]
            cloud.answer = in_turn(status(code, extra=b"retry-after: 0\r\n"), saying(OK))
            answer = await running.ask(ASK)
            assert (answer.status, answer.headers[b"x-policyd-attempts"]) == (200, b"2")
            assert cloud.bodies[0] == cloud.bodies[1]

    run(test())


PASSES: Final = {
    "it does not say when": (status(429), ""),
    "it asks for more time than a request waits": (status(503, extra=b"retry-after: 1\r\n"), 'limits = { retry_wait = "0.5s" }'),
    "it asks for more time than is left": (status(503, extra=b"retry-after: 2\r\n"), 'limits = { deadline = "1s" }'),
    "it broke on the request, whatever it says": (status(500, extra=b"retry-after: 0\r\n"), ""),
    "no attempt is left": (status(503, extra=b"retry-after: 0\r\n"), "limits = { attempts = 1 }"),
}  # fmt: skip


@pytest.mark.parametrize(("answering", "extra"), PASSES.values(), ids=PASSES.keys())
def test_a_target_is_not_asked_again_where(tmp_path: Path, answering: Answering, extra: str) -> None:
    async def test() -> None:
        async with three(tmp_path, identity=ONLY_CLOUD, extra=extra) as running:
            running.recorders["cloud"].answer = answering
            answer = await running.ask(ASK)
            assert answer.headers[b"x-policyd-attempts"] == b"1"
            assert answer.json == {"status": answer.status}, "the target's own answer passes, with its advice"

    run(test())


def test_a_target_that_is_restarting_is_connected_to_again(tmp_path: Path) -> None:
    async def test() -> None:
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            port = held.getsockname()[1]
            url = {"cloud": f"http://127.0.0.1:{port}"}
            async with three(tmp_path, identity=ONLY_CLOUD, urls=url) as running:
                asking = asyncio.create_task(running.ask(ASK))
                state = running.serving.sidecar.road.targets.get("cloud")
                assert state is not None
                await until(lambda: state.breaker.faults_in_a_row == 1)
                held.listen()
                server = await asyncio.start_server(_answer_once, sock=held)
                answer = await asking
                assert (answer.status, int(answer.headers[b"x-policyd-attempts"])) == (200, 2)
                server.close()

    run(test())


async def _answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK)
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("answering", [closing, hanging], ids=["it closes", "it is too slow"])
def test_a_target_that_may_have_begun_is_not_asked_again(tmp_path: Path, answering: Answering) -> None:
    """It would generate twice, and be paid twice."""

    async def test() -> None:
        slow = {"cloud": 'first_byte_timeout = "0.1s"'}
        async with three(tmp_path, identity=ONLY_CLOUD, targets=slow) as running:
            running.recorders["cloud"].answer = answering
            assert (await running.ask(ASK)).status in {503, 504}
            assert len(running.recorders["cloud"].requests) == 1

    run(test())


TOOLS: Final = MESSAGES | {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}


@pytest.mark.parametrize(
    ("answering", "asked"), [(closing, 1), (status(500), 1), (status(529), 2)], ids=["closed", "broke", "turned away"]
)  # fmt: skip
def test_what_a_target_runs_itself_is_not_run_twice(tmp_path: Path, answering: Answering, asked: int) -> None:
    """A tool that the server runs may send a mail: only a target that did not begin has a fallback."""

    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = answering
            await running.ask(post("/v1/messages", TOOLS))
            assert running.sent_anywhere() == asked

    run(test())


def test_a_request_has_one_budget_of_attempts(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, extra="limits = { attempts = 2 }") as running:
            for recorder in running.recorders.values():
                recorder.answer = closing
            answer = await running.ask(ASK)
            assert (answer.status, answer.headers[b"x-policyd-attempts"]) == (503, b"2")
            assert running.recorders["home"].connections == 0

    run(test())


def test_a_request_has_one_deadline(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, extra='limits = { deadline = "0.3s" }') as running:
            for recorder in running.recorders.values():
                recorder.answer = hanging
            answer = await running.ask(ASK)
            assert (answer.status, answer.code) == (504, "upstream_timeout")
            assert running.recorders["spare"].connections == 0
            assert view(running, "cloud").breaker is BreakerState.CLOSED

    run(test())


def test_an_answer_that_takes_too_long_in_all_is_broken_off_and_is_no_fault(tmp_path: Path) -> None:
    async def trickling(peer: Peer, _: bytes) -> None:
        await peer.send(SSE)
        while True:
            await peer.send(chunk(event({"choices": []})))
            await asyncio.sleep(0.01)

    async def test() -> None:
        targets = {"cloud": f'total_timeout = "0.2s"\n{BRITTLE}'}
        async with three(tmp_path, targets=targets, identity=ONLY_CLOUD) as running:
            running.recorders["cloud"].answer = trickling
            for _ in range(3):
                answer = await running.ask(STREAM)
                assert not answer.clean and b"upstream_timeout" in answer.body
            assert view(running, "cloud").breaker is BreakerState.CLOSED

    run(test())


# The breaker.


def test_a_target_that_fails_is_left_alone_and_tried_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, targets={"cloud": BRITTLE}) as running:
            cloud = running.recorders["cloud"]
            cloud.answer = closing
            for _ in range(2):
                assert (await running.ask(ASK)).headers[b"x-policyd-attempts"] == b"2"
            assert view(running, "cloud").breaker is BreakerState.OPEN
            assert (await running.ask(ASK)).headers[b"x-policyd-attempts"] == b"1"
            cloud.answer = saying(OK)
            targets = [b"spare"]
            while targets[-1] == b"spare":
                targets.append((await running.ask(ASK)).headers[b"x-policyd-target"])
            assert view(running, "cloud").breaker is BreakerState.CLOSED

    run(test())
    assert records(tmp_path / "decisions.jsonl")[2]["passed"] == {"cloud": "open"}


def test_only_one_request_tries_a_target_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, targets={"cloud": BRITTLE}) as running:
            cloud = running.recorders["cloud"]
            cloud.answer = closing
            for _ in range(2):
                await running.ask(ASK)
            cloud.answer = hanging
            asked = len(cloud.requests)
            trial: asyncio.Task[object] | None = None
            while len(cloud.requests) == asked:
                trial = asyncio.create_task(running.ask(ASK))
                await until(lambda task=trial: task.done() or len(cloud.requests) > asked)  # type: ignore[misc]
            assert view(running, "cloud").breaker is BreakerState.HALF_OPEN
            for _ in range(5):
                assert (await running.ask(ASK)).headers[b"x-policyd-target"] == b"spare"
            assert len(cloud.requests) == asked + 1
            assert trial is not None
            trial.cancel()
            await until(lambda: view(running, "cloud").in_flight == 0)
            assert view(running, "cloud").breaker is BreakerState.OPEN, (
                "a caller that leaves tells nothing: the next one tries"
            )

    run(test())  # fmt: skip


@pytest.mark.parametrize("code", [400, 401, 404, 413, 422, 429])
def test_what_callers_earn_takes_no_target_from_the_others(tmp_path: Path, code: int) -> None:
    async def test() -> None:
        async with three(tmp_path, targets={"cloud": FOR_LONG}, identity=ONLY_CLOUD) as running:
            running.recorders["cloud"].answer = status(code)
            for _ in range(10):
                await running.ask(ASK)
            assert view(running, "cloud").breaker is BreakerState.CLOSED
            assert len(running.recorders["cloud"].requests) == 10

    run(test())


def test_a_caller_s_own_timeout_takes_no_target_from_the_others(tmp_path: Path) -> None:
    """Elsewhere callers with a short timeout of their own put a healthy backend into cooldown for everybody."""

    async def test() -> None:
        async with three(tmp_path, targets={"cloud": FOR_LONG}, identity=ONLY_CLOUD) as running:
            cloud = running.recorders["cloud"]
            cloud.answer = hanging
            for turn in range(5):
                _, writer = await asyncio.open_connection("127.0.0.1", running.port)
                writer.write(ASK)
                await until(lambda turn=turn: len(cloud.requests) == turn + 1)  # type: ignore[misc]
                writer.transport.abort()
                await until(lambda: view(running, "cloud").in_flight == 0)
            assert view(running, "cloud").breaker is BreakerState.CLOSED
            cloud.answer = saying(OK)
            assert (await running.ask(ASK)).status == 200

    run(test())


def test_where_every_target_is_left_alone_the_caller_is_told_when_to_come_back(tmp_path: Path) -> None:
    async def test() -> None:
        targets = dict.fromkeys(("cloud", "spare", "home"), 'breaker = { faults = 1, open = "30s" }')
        async with three(tmp_path, targets=targets) as running:
            for recorder in running.recorders.values():
                recorder.answer = closing
            assert (await running.ask(ASK)).status == 503
            answer = await running.ask(ASK)
            assert (answer.status, answer.code) == (503, "upstream_unavailable")
            assert 20 <= int(answer.headers[b"retry-after"]) <= 30
            assert b"x-should-retry" not in answer.headers
            assert "cloud: open, spare: open, home: open" in answer.json["error"]["message"]
            assert running.sent_anywhere() == 3

    run(test())


def test_where_the_permitted_targets_are_out_no_other_is_asked(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            running.serving.out.take_out("home", Why.UNHEALTHY, "it does not answer")
            answer = await running.ask(
                post("/v1/chat/completions", CHAT | {"messages": [{"role": "user", "content": SECRET}]})
            )
            assert (answer.status, answer.code) == (503, "upstream_unavailable")
            assert b"retry-after" in answer.headers
            assert running.sent_anywhere() == 0
            assert (await running.ask(ASK)).headers[b"x-policyd-target"] == b"cloud"

    run(test())  # fmt: skip


def test_what_is_known_of_a_target_outlives_a_reload_that_leaves_it_as_it_is(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(
            tmp_path, targets={"cloud": FOR_LONG, "spare": 'first_byte_timeout = "4s"'}
        ) as running:
            running.recorders["cloud"].answer = closing
            for _ in range(2):
                await running.ask(ASK)
            await change(running, '"4s"', '"3s"')
            assert view(running, "cloud").breaker is BreakerState.OPEN
            await change(running, 'open = "1h"', 'open = "2h"')
            assert view(running, "cloud").breaker is BreakerState.CLOSED, "bound anew, it is another target"

    run(test())


# A changed policy.


def test_a_changed_policy_stops_a_request_that_rests(tmp_path: Path) -> None:
    """Elsewhere a retry went out under rules that were no longer in force."""

    async def test() -> None:
        async with three(tmp_path) as running:
            for recorder in running.recorders.values():
                recorder.answer = in_turn(status(503, extra=b"retry-after: 0.5\r\n"), saying(OK))
            asking = asyncio.create_task(running.ask(ASK))
            await until(lambda: len(running.recorders["home"].requests) == 1)
            text = running.policy.read_text()
            running.policy.write_text(
                text.replace('team == "blocked"', 'team == "search"').replace("latency == batch and ", "")
            )
            await until(lambda: running.serving.sidecar.live.turn == 1)
            answer = await asking
            assert (answer.status, answer.code) == (403, "policy_denied")
            assert running.sent_anywhere() == 3

    run(test())  # fmt: skip
