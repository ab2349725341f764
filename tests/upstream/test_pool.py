"""Connections: reuse, the limit, fairness, staleness, and that no two targets ever share one."""

import asyncio
import ssl
from dataclasses import replace

import pytest

from policyd.deploy.model import Endpoint, Tls
from policyd.proxy.gate import Gate, GateClosed, PolicyChanged, Reason, Refused, Serving
from policyd.proxy.upstream.errors import Kind, UpstreamBroken, UpstreamUnreachable
from tests.upstream.scripted import OK, PATIENT, Client, Peer, Scripted, answering, run, target, until


def test_a_thousand_requests_in_a_row_use_one_connection() -> None:
    async def main() -> None:
        async with Scripted(answering(OK)) as server, Client(target(server.port)) as client:
            for _ in range(1000):
                assert await client.fetch() == (200, b"ok")
            assert server.connections == 1

    run(main())


def test_two_hundred_requests_at_once_stay_below_the_limit_and_are_all_answered() -> None:
    async def main() -> None:
        async with (
            Scripted(answering(OK)) as server,
            Client(target(server.port, max_connections=16)) as client,
        ):
            answers = await asyncio.gather(*(client.fetch() for _ in range(200)))
            assert answers == [(200, b"ok")] * 200
            assert 1 <= server.connections <= 16
            pool = client.upstream.pool("a")
            assert pool is not None and (pool.open, pool.idle, pool.waiting) == (
                server.connections,
                server.connections,
                0,
            )

    run(main())


def test_who_waits_longest_is_served_first() -> None:
    async def main() -> None:
        async with (
            Scripted(answering(OK)) as server,
            Client(target(server.port, max_connections=1)) as client,
        ):
            order: list[int] = []

            async def one(number: int) -> None:
                await client.fetch()
                order.append(number)

            await asyncio.gather(*(one(number) for number in range(20)))
            assert order == list(range(20))

    run(main())


def test_a_full_pool_says_so_and_nothing_was_sent() -> None:
    async def main() -> None:
        received: list[bytes] = []

        async def silent(peer: Peer, _: int) -> None:
            received.append(await peer.request())
            await peer.gone()

        bound = target(0, max_connections=1, timeouts=replace(PATIENT, connect=0.05))
        async with Scripted(silent) as server:
            bound = target(server.port, max_connections=1, timeouts=replace(PATIENT, connect=0.05))
            async with Client(bound) as client:
                first = asyncio.ensure_future(client.open())
                await until(lambda: len(received) == 1)
                with pytest.raises(UpstreamUnreachable) as caught:
                    await client.open()
                assert caught.value.kind is Kind.POOL_EXHAUSTED
                first.cancel()
                await asyncio.gather(first, return_exceptions=True)
        assert len(received) == 1

    run(main())


def test_a_waiter_that_gives_up_costs_nobody_a_connection() -> None:
    async def main() -> None:
        release = asyncio.Event()

        async def held(peer: Peer, _: int) -> None:
            await peer.request()
            await release.wait()
            await peer.send(OK)
            while await peer.request():
                await peer.send(OK)

        async with Scripted(held) as server, Client(target(server.port, max_connections=1)) as client:
            first = asyncio.ensure_future(client.fetch())
            pool = client.upstream.pool("a")
            assert pool is not None
            await until(lambda: server.connections == 1)
            waiters = [asyncio.ensure_future(client.fetch()) for _ in range(5)]
            await until(lambda: pool.waiting == 5)
            for waiter in waiters[:4]:
                waiter.cancel()
            await asyncio.gather(*waiters[:4], return_exceptions=True)
            release.set()
            assert await first == await waiters[4] == (200, b"ok")
            assert (pool.open, pool.idle, pool.waiting) == (1, 1, 0)

    run(main())


def test_a_waiter_cancelled_in_the_moment_of_the_hand_over_passes_it_on() -> None:
    async def main() -> None:
        async with (
            Scripted(answering(OK)) as server,
            Client(target(server.port, max_connections=1)) as client,
        ):
            pool = client.upstream.pool("a")
            assert pool is not None
            connection = await pool.acquire()
            first, second = (asyncio.ensure_future(pool.acquire()) for _ in range(2))
            await until(lambda: pool.waiting == 2)
            pool.free(connection)
            first.cancel()
            assert await second is connection
            pool.free(connection)
            assert (pool.open, pool.idle, pool.waiting) == (1, 1, 0)

    run(main())


def test_a_waiter_cancelled_in_the_moment_it_may_open_passes_the_right_on() -> None:
    async def main() -> None:
        async with (
            Scripted(answering(OK)) as server,
            Client(target(server.port, max_connections=1)) as client,
        ):
            pool = client.upstream.pool("a")
            assert pool is not None
            connection = await pool.acquire()
            first, second = (asyncio.ensure_future(pool.acquire()) for _ in range(2))
            await until(lambda: pool.waiting == 2)
            connection.abort()
            await until(lambda: pool.waiting == 1)
            assert not first.done()
            first.cancel()
            opened = await second
            assert opened is not connection and pool.open == 1
            pool.free(opened)

    run(main())


def test_a_failed_connect_gives_its_place_to_the_next() -> None:
    async def main() -> None:
        async def refuse_first(peer: Peer, number: int) -> None:
            if number == 0:
                return
            while await peer.request():
                await peer.send(OK)

        async with Scripted(refuse_first) as server, Client(target(server.port, max_connections=1)) as client:
            results = await asyncio.gather(*(client.fetch() for _ in range(4)), return_exceptions=True)
            assert results[1:] == [(200, b"ok")] * 3
            assert isinstance(results[0], UpstreamBroken) and results[0].kind is Kind.RESET

    run(main())


def test_a_stale_pooled_connection_is_replaced_once() -> None:
    """The server closes right when the second request arrives: it had not taken it."""

    async def main() -> None:
        async def one_answer_each(peer: Peer, _: int) -> None:
            await peer.request()
            await peer.send(OK)
            await peer.reader.readexactly(1)
            peer.reset()

        async with Scripted(one_answer_each) as server, Client(target(server.port)) as client:
            for _ in range(5):
                assert await client.fetch() == (200, b"ok")
            assert server.connections == 5

    run(main())


def test_a_stale_connection_that_is_not_replaced_is_told() -> None:
    """Or a log would say that nobody listens, where the request may have arrived."""

    async def main() -> None:
        async def last_answer(peer: Peer, _: int) -> None:
            await peer.request()
            await peer.send(OK)
            await peer.request()
            await server.close_door()
            peer.reset()

        async with Scripted(last_answer) as server, Client(target(server.port)) as client:
            assert await client.fetch() == (200, b"ok")
            with pytest.raises(UpstreamUnreachable) as caught:
                await client.fetch()
            assert (caught.value.kind, caught.value.stale) == (Kind.REFUSED, True)
            with pytest.raises(UpstreamUnreachable) as caught:
                await client.fetch()
            assert (caught.value.kind, caught.value.stale) == (Kind.REFUSED, False)

    run(main())


def test_a_connection_closed_while_idle_is_not_used() -> None:
    async def main() -> None:
        async def closing(peer: Peer, _: int) -> None:
            await peer.request()
            await peer.send(OK)

        async with Scripted(closing) as server, Client(target(server.port)) as client:
            pool = client.upstream.pool("a")
            assert pool is not None
            for number in range(3):
                assert await client.fetch() == (200, b"ok")
                await until(lambda: pool.open == 0)
                assert server.connections == number + 1

    run(main())


def test_a_fresh_connection_that_closes_without_an_answer_is_not_retried() -> None:
    async def main() -> None:
        async def deaf(peer: Peer, _: int) -> None:
            await peer.request()

        async with Scripted(deaf) as server, Client(target(server.port)) as client:
            with pytest.raises(UpstreamBroken) as caught:
                await client.fetch()
            assert caught.value.kind is Kind.RESET
            assert server.connections == 1

    run(main())


def test_a_pooled_connection_that_breaks_after_the_first_byte_is_not_retried() -> None:
    async def main() -> None:
        async def breaking(peer: Peer, _: int) -> None:
            await peer.request()
            await peer.send(OK)
            await peer.request()
            await peer.send(b"H")

        async with Scripted(breaking) as server, Client(target(server.port)) as client:
            assert await client.fetch() == (200, b"ok")
            with pytest.raises(UpstreamBroken) as caught:
                await client.fetch()
            assert caught.value.kind is Kind.TRUNCATED
            assert server.connections == 1

    run(main())


def test_a_pooled_connection_that_is_reset_after_the_first_byte_is_not_retried() -> None:
    async def main() -> None:
        was_read = asyncio.Event()

        async def resetting(peer: Peer, _: int) -> None:
            await peer.request()
            await peer.send(OK)
            await peer.request()
            await peer.send(b"H")
            await was_read.wait()
            peer.reset()

        async with Scripted(resetting) as server, Client(target(server.port)) as client:
            assert await client.fetch() == (200, b"ok")
            pool = client.upstream.pool("a")
            assert pool is not None
            (connection,) = pool._all
            second = asyncio.ensure_future(client.fetch())
            await until(lambda: connection._answer is not None and connection._answer.seen)
            was_read.set()
            with pytest.raises(UpstreamBroken) as caught:
                await second
            assert caught.value.kind is Kind.RESET
            assert server.connections == 1

    run(main())


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n",
        b"HTTP/1.0 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: foo, Close\r\n",
    ],
)
def test_a_connection_that_the_server_will_not_keep_is_not_kept(head: bytes) -> None:
    """The server says so and then forgets to close."""

    async def main() -> None:
        async with (
            Scripted(answering(head + b"content-length: 2\r\n\r\nok")) as server,
            Client(target(server.port)) as client,
        ):
            for number in range(3):
                assert await client.fetch() == (200, b"ok")
                assert server.connections == number + 1

    run(main())


def test_a_policy_that_changed_meanwhile_stops_the_retry() -> None:
    async def main() -> None:
        async with (
            Scripted(second_request_changes_the_policy) as server,
            Client(target(server.port)) as client,
        ):

            async def changed() -> None:
                client.gate.publish(Serving("newer", client.gate.serving.targets))

            on_second.append(changed)
            assert await client.fetch() == (200, b"ok")
            with pytest.raises(GateClosed) as caught:
                await client.fetch()
            assert caught.value.outcome == PolicyChanged("newer")
            assert caught.value.stale
            assert server.connections <= 2

    on_second: list[object] = []

    async def second_request_changes_the_policy(peer: Peer, _: int) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.reader.readexactly(1)
        await on_second[0]()  # type: ignore[operator]
        peer.reset()

    run(main())


def test_bytes_out_of_turn_end_an_idle_connection() -> None:
    async def main() -> None:
        speak = asyncio.Event()

        async def talkative(peer: Peer, _: int) -> None:
            await peer.request()
            await peer.send(OK)
            await speak.wait()
            await peer.send(OK)
            await peer.gone()

        async with Scripted(talkative) as server, Client(target(server.port)) as client:
            pool = client.upstream.pool("a")
            assert pool is not None
            assert await client.fetch() == (200, b"ok")
            speak.set()
            await until(lambda: pool.open == 0)

    run(main())


def test_two_targets_at_one_host_never_share_a_connection() -> None:
    async def main() -> None:
        async with (
            Scripted(answering(OK)) as server,
            Client(target(server.port, "a"), target(server.port, "b")) as client,
        ):
            for name in ("a", "b", "a", "b"):
                assert await client.fetch(name) == (200, b"ok")
            assert server.connections == 2

    run(main())


def test_a_target_bound_anew_gets_new_connections_and_busy_ones_finish() -> None:
    async def main() -> None:
        finish = asyncio.Event()

        async def slow(peer: Peer, _: int) -> None:
            await peer.request()
            await peer.send(OK[:-2])
            await finish.wait()
            await peer.send(b"ok")
            await peer.gone()

        async with Scripted(slow) as old, Scripted(answering(OK)) as new:
            before, after = target(old.port), target(new.port)
            async with Client(before) as client:
                exchange = await client.open()
                stale_permit = client.permit()
                client.gate.publish(Serving("digest", {"a": after}))
                client.upstream.rebind([after])
                with pytest.raises(GateClosed) as caught:
                    await client.upstream.open(stale_permit)
                assert (
                    isinstance(caught.value.outcome, Refused)
                    and caught.value.outcome.reason is Reason.UNBOUND
                )
                assert await client.fetch() == (200, b"ok")
                assert new.connections == 1
                finish.set()
                assert b"".join([piece async for piece in exchange]) == b"ok"
                await until(lambda: old.open == 0)

    run(main())


def test_a_target_that_did_not_change_keeps_its_connections() -> None:
    async def main() -> None:
        async with Scripted(answering(OK)) as server, Client(target(server.port)) as client:
            assert await client.fetch() == (200, b"ok")
            again = target(server.port)
            client.gate.publish(Serving("digest", {"a": again}))
            client.upstream.rebind([again])
            assert await client.fetch() == (200, b"ok")
            assert server.connections == 1

    run(main())


def test_targets_of_which_one_cannot_be_made_change_nothing() -> None:
    """Half of them would be neither what served nor what is to serve."""

    async def main() -> None:
        async with Scripted(answering(OK)) as server, Client(target(server.port)) as client:
            assert await client.fetch() == (200, b"ok")
            unmade = target(9, name="b", endpoint=Endpoint("https", "localhost", 9), tls=Tls(ca="no PEM"))
            with pytest.raises(ssl.SSLError):
                client.upstream.rebind([target(9), unmade])
            assert await client.fetch() == (200, b"ok")
            assert server.connections == 1

    run(main())


def test_a_permit_of_another_gate_opens_nothing() -> None:
    async def main() -> None:
        async with Scripted(answering(OK)) as server, Client(target(server.port)) as client:
            other = Client(*client.targets)
            with pytest.raises(GateClosed) as caught:
                await client.upstream.open(other.permit())
            assert isinstance(caught.value.outcome, Refused) and caught.value.outcome.reason is Reason.FORGED
            assert isinstance(other.gate, Gate)
            pool = client.upstream.pool("a")
            assert pool is not None and pool.idle == pool.open

    run(main())
