"""How a process that serves comes to its end: not ready first, then closed, then done; or at once when told twice."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.proxy.bench import CHAT, OK, Answer, Recorder, exchange, get, post, records
from tests.proxy.keeping import Keeping
from tests.proxy.test_failover import SSE, chunk
from tests.proxy.test_serve import Process, started
from tests.upstream.scripted import Peer, run, until

NOT_FOUND = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
"""What a probe is told."""

LAST = b"data: [DONE]\n\n"


class Streaming:
    """An answer that has begun and goes on when it is told to."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, peer: Peer, request: bytes) -> None:
        if request.startswith(b"GET "):
            await peer.send(NOT_FOUND)
            return
        await peer.send(SSE + chunk(b"data: {}\n\n"))
        self.begun.set()
        await self.go_on.wait()
        await peer.send(chunk(LAST) + b"0\r\n\r\n")


def urls_of(recorder: Recorder) -> dict[str, str]:
    return {
        "home": recorder.url,
        "cloud": recorder.url.replace("127.0.0.1", "localhost"),
        "spare": f"{recorder.url}/x",
    }


async def refused(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return True
    writer.close()
    return False


async def said(running: Process, words: str) -> None:
    await until(lambda: any(words in line for line in running.said))


async def gone(port: int) -> None:
    async with asyncio.timeout(10):
        while not await refused(port):
            await asyncio.sleep(0)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_stream_under_way_is_finished_and_the_log_complete(tmp_path: Path, sign: signal.Signals) -> None:
    async def test() -> None:
        streaming = Streaming()
        async with Recorder(streaming) as server, started(tmp_path, urls_of(server)) as running:
            asking = asyncio.create_task(exchange(running.port, post("/v1/chat/completions", CHAT)))
            await streaming.begun.wait()
            running.process.send_signal(sign)
            await gone(running.port)
            ready = await exchange(running.admin_port, get("/readyz"))
            assert (ready.status, ready.json["status"]) == (503, "draining")
            assert (await exchange(running.admin_port, get("/livez"))).status == 200
            streaming.go_on.set()
            answer = await asking
            assert answer.clean and answer.body.endswith(LAST)
            assert await running.process.wait() == 0
            assert "Traceback" not in "".join(running.said)

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert record["outcome"] == "answered"


def test_in_the_grace_it_is_not_ready_and_still_takes_requests(tmp_path: Path) -> None:
    async def test() -> None:
        async with (
            Recorder() as server,
            started(tmp_path, urls_of(server), extra='[drain]\ngrace = "1m"\n') as running,
        ):
            assert (await exchange(running.admin_port, get("/readyz"))).status == 200
            running.process.terminate()
            await said(running, "not ready from now on")
            ready = await exchange(running.admin_port, get("/readyz"))
            assert (ready.status, ready.json["status"]) == (503, "draining")
            assert (await exchange(running.port, post("/v1/chat/completions", CHAT))).status == 200
            running.process.terminate()
            assert await running.process.wait() == 1

    run(test())
    assert [r["outcome"] for r in records(tmp_path / "decisions.jsonl")] == ["answered"]


def test_after_the_grace_nothing_is_accepted_and_it_ends(tmp_path: Path) -> None:
    async def test() -> None:
        async with (
            Recorder() as server,
            started(tmp_path, urls_of(server), extra='[drain]\ngrace = "100ms"\n') as running,
        ):
            running.process.terminate()
            assert await running.process.wait() == 0
            assert await refused(running.port)

    run(test())


def test_what_outlasts_the_drain_is_cut_and_never_ends_cleanly(tmp_path: Path) -> None:
    async def test() -> None:
        streaming = Streaming()
        async with (
            Recorder(streaming) as server,
            started(tmp_path, urls_of(server), extra='[drain]\nlimit = "200ms"\n') as running,
        ):
            asking = asyncio.create_task(exchange(running.port, post("/v1/chat/completions", CHAT)))
            await streaming.begun.wait()
            running.process.terminate()
            answer = await asking
            assert not answer.clean
            assert await running.process.wait() == 0

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert record["outcome"] == "internal_stopped"


def test_the_second_order_ends_it_at_once_with_its_log(tmp_path: Path) -> None:
    async def test() -> None:
        streaming = Streaming()
        async with (
            Recorder(streaming) as server,
            started(tmp_path, urls_of(server), extra='[drain]\nlimit = "10m"\n') as running,
        ):
            asking = asyncio.create_task(exchange(running.port, post("/v1/chat/completions", CHAT)))
            await streaming.begun.wait()
            running.process.terminate()
            await gone(running.port)
            running.process.send_signal(signal.SIGINT)
            async with asyncio.timeout(10):
                answer = await asking
                assert await running.process.wait() == 1
            assert not answer.clean
            assert "Traceback" not in "".join(running.said)

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert record["outcome"] == "internal_stopped"


def test_a_connection_that_is_kept_open_is_closed_after_its_answer(tmp_path: Path) -> None:
    async def test() -> None:
        arrived, go_on = asyncio.Event(), asyncio.Event()

        async def slow(peer: Peer, request: bytes) -> None:
            if request.startswith(b"GET "):
                await peer.send(NOT_FOUND)
                return
            arrived.set()
            await go_on.wait()
            await peer.send(OK)

        async with Recorder(slow) as server, started(tmp_path, urls_of(server)) as running:
            keeping = post("/v1/chat/completions", CHAT, connection="keep-alive")
            idle, idler = await asyncio.open_connection("127.0.0.1", running.port)
            asking: asyncio.Task[Answer] = asyncio.create_task(exchange(running.port, keeping))
            await arrived.wait()
            running.process.terminate()
            assert await idle.read() == b""
            idler.close()
            go_on.set()
            assert (await asking).status == 200
            assert await running.process.wait() == 0

    run(test())


def test_clients_that_keep_their_connections_are_told_before_they_are_closed(tmp_path: Path) -> None:
    """A client that sends on its open connection just when the server closes it cannot know whether the request was taken."""
    asked = [0] * 8

    async def test() -> None:
        async with (
            Recorder() as server,
            started(tmp_path, urls_of(server), extra='[drain]\ngrace = "1m"\n') as running,
        ):
            request = post("/v1/chat/completions", CHAT, connection="keep-alive")

            async def asking(number: int) -> None:
                async with Keeping(running.port, reopens=False) as client:
                    while True:
                        answer = await client.ask(request)
                        assert answer.status == 200
                        asked[number] += 1
                        if answer.headers.get(b"connection") == b"close":
                            return

            clients = [asyncio.create_task(asking(number)) for number in range(len(asked))]
            await until(lambda: min(asked) > 3 or any(client.done() for client in clients))
            running.process.terminate()
            await asyncio.gather(*clients)
            # Those that come in the grace are answered, once on each connection.
            assert (await exchange(running.port, request)).headers[b"connection"] == b"close"
            asked[0] += 1
            running.process.terminate()
            await running.process.wait()

    run(test())
    assert [r["outcome"] for r in records(tmp_path / "decisions.jsonl")] == ["answered"] * sum(asked)


def test_an_answer_that_waits_for_its_target_is_the_last_of_its_connection(tmp_path: Path) -> None:
    async def test() -> None:
        arrived, go_on = asyncio.Event(), asyncio.Event()

        async def slow(peer: Peer, request: bytes) -> None:
            if request.startswith(b"GET "):
                await peer.send(NOT_FOUND)
                return
            arrived.set()
            await go_on.wait()
            await peer.send(OK)

        async with (
            Recorder(slow) as server,
            started(tmp_path, urls_of(server), extra='[drain]\ngrace = "1m"\n') as running,
        ):
            asking = asyncio.create_task(
                exchange(running.port, post("/v1/chat/completions", CHAT, connection="keep-alive"))
            )
            await arrived.wait()
            running.process.terminate()
            await said(running, "not ready from now on")
            go_on.set()
            assert (await asking).headers[b"connection"] == b"close"
            running.process.terminate()
            await running.process.wait()

    run(test())
