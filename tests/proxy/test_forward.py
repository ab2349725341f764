"""One errand on its road, with a client that takes its answer when the test says so."""

import asyncio
from typing import Any

from policyd.proxy.errand import Errand, Outcome, Road
from policyd.proxy.forward import forward
from policyd.proxy.gate import Ticket
from policyd.proxy.standing import TargetsOut
from policyd.proxy.targets import Targets
from policyd.proxy.way import Way
from tests.upstream.scripted import Client, Peer, Scripted, run, target, until

BODY = b'{"model":"m"}'


def errand(client: Client) -> Errand:
    bound = client.targets[0]
    return Errand(
        ticket=Ticket("r1", "digest", frozenset({bound.name})),
        targets=(bound.name,),
        bindings={bound.name: bound.binding},
        way_to=lambda _: Way(b"/v1/chat/completions", b"", [], BODY),
        size=len(BODY),
        deadline=asyncio.get_running_loop().time() + 30,
        own_headers=lambda _, __: [],
        told=lambda _, __: b"",
        decisions=1,
    )


def test_an_answer_that_becomes_whole_while_its_client_is_slow_ends_cleanly() -> None:
    """It was taken for one that had been cut: its last bytes came while the ones before them were still being taken."""
    taken = asyncio.Event()

    async def script(peer: Peer, _: int) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await taken.wait()
        await peer.send(b"4\r\nlast\r\n0\r\n\r\n")
        await peer.gone()

    async def test() -> None:
        async with Scripted(script) as server, Client(target(server.port)) as client:
            got: list[dict[str, Any]] = []

            async def send(message: dict[str, Any]) -> None:
                got.append(message)
                if message.get("body") == b"first":
                    taken.set()
                    pool = client.upstream.pool("a")
                    assert pool is not None
                    await until(lambda: pool.idle == 1)

            outcome = Outcome()
            road = Road(client.gate, client.upstream, Targets(client.targets, TargetsOut()))
            await forward(errand(client), road, send, lambda: False, outcome)
            assert (outcome.cut, outcome.sent) == (None, 9)
            assert b"".join(m.get("body", b"") for m in got) == b"firstlast"
            assert got[-1]["more_body"] is False

    run(test())
