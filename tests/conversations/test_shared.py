"""Sidecars that share what conversations have reached: with a real Redis, with one that dies, and with what is none."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from os import urandom
from pathlib import Path

import pytest

from policyd.deploy.model import Secret, SharedStore
from policyd.proxy.conversations.memory import Memory
from policyd.proxy.conversations.redis_client import RedisClient
from policyd.proxy.conversations.shared import (
    LEASE_SECONDS,
    LONGEST_TIME,
    MOST_FIELDS,
    PREFIX,
    Shared,
    Unreachable,
)
from policyd.proxy.conversations.store import ABSENT, AGENT, STATE, Found, Names
from tests.conversations.given import CARD, SECRET, ask, chat, folder_with_key, respond
from tests.conversations.redis_server import CERTS, RedisServer, a_redis, needs_redis, no_redis
from tests.conversations.test_laundering import SESSION, slow, two
from tests.proxy.bench import Running
from tests.upstream.scripted import run, until

HOUR = 3600.0
LOW: Names = frozenset({"sensitivity=internal"})
HIGH: Names = frozenset({"sensitivity=restricted"})


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def place(url: str, *, password: str | None = None, seconds: float = 10.0) -> SharedStore:
    from policyd.deploy.conversations_file import redis_url  # noqa: PLC0415

    endpoint, database = redis_url(url)
    secret = None if password is None else Secret("a test", password)
    return SharedStore(endpoint, database, None, secret, None, seconds)


@asynccontextmanager
async def stores(url: str, count: int = 2, clock: Clock | None = None) -> AsyncIterator[list[Shared]]:
    found = [Shared(Memory(), RedisClient(place(url)), clock=clock or Clock()) for _ in range(count)]
    try:
        yield found
    finally:
        for store in found:
            await store.close()


@needs_redis
def test_what_one_writes_the_other_reads(tmp_path: Path) -> None:
    async def test() -> None:
        agent, state = AGENT + urandom(16), STATE + urandom(16)
        async with a_redis(tmp_path) as redis, stores(redis.url) as (one, other):
            assert await other.look([agent, state], HOUR) == (ABSENT, ABSENT)
            await asyncio.gather(one.join([agent, state], LOW, HOUR), other.join([agent], HIGH, HOUR))
            for store in (one, other):
                assert await store.look([agent, state], HOUR) == (Found(LOW | HIGH), Found(LOW))
            # Hashes, names and times: nothing that somebody said.
            keys = await redis.command("KEYS", "*")
            assert keys.count(PREFIX) == 2 and agent[1:].hex().encode() in keys

    run(test())


@needs_redis
def test_what_is_not_used_for_its_time_is_gone_and_use_prolongs_it(tmp_path: Path) -> None:
    async def test() -> None:
        key = AGENT + urandom(16)
        name = (PREFIX + key[:1] + key[1:].hex().encode()).decode()
        async with a_redis(tmp_path) as redis, stores(redis.url) as (one, other):
            await one.join([key], HIGH, 100)
            left = int((await redis.command("PTTL", name)).strip(b":\r\n"))
            assert 90_000 < left <= 100_000
            await other.look([key], HOUR)
            assert int((await redis.command("PTTL", name)).strip(b":\r\n")) > 3_500_000
            await other.look([key], 1)
            assert int((await redis.command("PTTL", name)).strip(b":\r\n")) > 3_500_000
            await redis.command("PEXPIRE", name, "1")
            await until_gone(redis, name)
            assert await other.look([key], HOUR) == (ABSENT,)

    run(test())


@needs_redis
def test_a_scan_of_one_is_waited_for_by_the_other(tmp_path: Path) -> None:
    async def test() -> None:
        key = AGENT + urandom(16)
        async with a_redis(tmp_path) as redis, stores(redis.url) as (one, other):
            await one.begin([key], "t1", HOUR)
            (found,) = await other.look([key], HOUR)
            assert found.pending == {"t1"}
            waiting = asyncio.create_task(other.wait([key], found.pending, 30))
            await one.finish([key], "t1", HIGH, HOUR)
            await waiting
            assert await other.look([key], HOUR) == (Found(HIGH),)

    run(test())


@needs_redis
def test_the_scan_of_a_sidecar_that_died_is_lost_and_not_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        key = AGENT + urandom(16)
        name = (PREFIX + key[:1] + key[1:].hex().encode()).decode()
        async with a_redis(tmp_path) as redis, stores(redis.url) as (one, other):
            await one.begin([key], "t1", HOUR)
            # Its time is over.
            await redis.command("HSET", name, "p:t1", "1")
            (found,) = await other.look([key], HOUR)
            assert found.lost and not found.pending
            assert LEASE_SECONDS > 45

    run(test())


@needs_redis
def test_what_redis_lost_or_did_not_take_is_known_here_and_brought_back(tmp_path: Path) -> None:
    async def test() -> None:
        key, clock = AGENT + urandom(16), Clock()
        async with a_redis(tmp_path) as redis, stores(redis.url, clock=clock) as (one, other):
            await one.join([key], LOW, HOUR)
            await redis.kill()
            (found,) = await one.look([key], HOUR)
            assert (found.names, found.away) == (LOW, True)
            assert one.state.failing
            await one.join([key], HIGH, HOUR)
            assert one.state.owed == 1
            await redis.start()
            # For a moment nobody asks again.
            assert (await one.look([key], HOUR))[0].away
            clock.now += 2
            assert await one.look([key], HOUR) == (Found(LOW | HIGH),)
            await until(lambda: one.state.owed == 0)
            assert one.state.failing is None
            assert await other.look([key], HOUR) == (Found(LOW | HIGH),)

    run(test())


@needs_redis
def test_a_mark_whose_end_redis_did_not_take_is_taken_away_later(tmp_path: Path) -> None:
    async def test() -> None:
        key, clock = AGENT + urandom(16), Clock()
        async with a_redis(tmp_path) as redis, stores(redis.url, clock=clock) as (one, other):
            await one.begin([key], "t1", HOUR)
            one._resting = clock.now + 1
            await one.finish([key], "t1", HIGH, HOUR)
            assert (await other.look([key], HOUR))[0].pending
            clock.now += 2
            await one.look([key], HOUR)
            await until(lambda: one.state.owed == 0)
            assert await other.look([key], HOUR) == (Found(HIGH),)

    run(test())


@needs_redis
def test_a_password_is_asked_for_and_a_wrong_one_is_told_without_it(tmp_path: Path) -> None:
    async def test() -> None:
        key = AGENT + urandom(16)
        async with a_redis(tmp_path, password="right-password") as redis:
            right = Shared(Memory(), RedisClient(place(redis.url, password="right-password")))
            wrong = Shared(Memory(), RedisClient(place(redis.url, password="wrong-password")))
            assert await right.look([key], HOUR) == (ABSENT,)
            assert (await wrong.look([key], HOUR))[0].away
            assert wrong.state.failing and "password" not in wrong.state.failing
            for store in (right, wrong):
                await store.close()

    run(test())


@needs_redis
@pytest.mark.parametrize(
    ("certificate", "ca", "answers"),
    [
        ("leaf.pem", "ca.pem", True),
        ("leaf.pem", None, False),  # the system's authorities do not know it
        ("other_name.pem", "ca.pem", False),
    ],
)
def test_a_redis_proves_itself(tmp_path: Path, certificate: str, ca: str | None, answers: bool) -> None:
    async def test() -> None:
        async with a_redis(tmp_path, certificate=certificate) as redis:
            pem = None if ca is None else (CERTS / ca).read_text()
            store = Shared(Memory(), RedisClient(replace(place(redis.url), ca=pem)))
            (found,) = await store.look([AGENT + urandom(16)], HOUR)
            assert found.away is not answers
            await store.close()

    asyncio.run(test())


ODD = {
    "nothing": None,
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a number": b":1\r\n",
    "an empty list": b"*0\r\n",
    "a list of something": b"*2\r\n:1\r\n$1\r\nx\r\n",
    "odd fields": b"*2\r\n:1\r\n*1\r\n$1\r\nx\r\n",
    "nulls": b"*2\r\n:1\r\n*2\r\n$-1\r\n$-1\r\n",
    "an error": b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    "an endless line": b"+" + b"x" * 100_000,
    "bytes": bytes(range(256)),
}


@pytest.mark.parametrize("says", ODD.values(), ids=ODD.keys())
def test_what_answers_and_is_no_redis_knows_nothing(says: bytes | None) -> None:
    async def test() -> None:
        key = AGENT + urandom(16)
        async with no_redis(says) as url:
            store = Shared(Memory(), RedisClient(place(url, seconds=0.2)))
            (found,) = await store.look([key], HOUR)
            assert found.away and store.state.failing and store.state.failures == 1
            await store.join([key], HIGH, HOUR)
            assert store.state.owed == 1
            await store.wait([key], frozenset({"t1"}), 30)
            await store.close()

    asyncio.run(test())


class Saying:
    """A Redis that gives this answer, or is this error."""

    def __init__(self, says: object) -> None:
        self.says = says

    async def run(self, script: str, keys: Sequence[bytes], arguments: Sequence[str]) -> object:
        assert script and keys and arguments
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    async def close(self) -> None:
        self.says = None


@pytest.mark.parametrize("time", [b"9" * 5000, b"9" * (LONGEST_TIME + 1), b"-1", b"", b"\xb2"])
def test_a_time_that_none_can_be_is_a_request_that_was_lost(time: bytes) -> None:
    async def test() -> None:
        store = Shared(Memory(), Saying([1, [b"n:a=b", b"1", b"p:x", time]]))
        assert await store.look([AGENT + urandom(16)], HOUR) == (Found(frozenset({"a=b"}), lost=True),)
        await store.close()

    asyncio.run(test())


@pytest.mark.parametrize(
    "says", [[1, [b"n:a", b"1"] * (MOST_FIELDS + 1)], RuntimeError("odd"), [1, [b"n:a", b"1"], []]]
)
def test_whatever_an_answer_breaks_nothing_is_known_from_it(says: object) -> None:
    async def test() -> None:
        store = Shared(Memory(), Saying(says))
        assert (await store.look([AGENT + urandom(16)], HOUR))[0].away
        assert store.state.failures == 1
        await store.close()

    asyncio.run(test())


@needs_redis
def test_a_hash_with_too_many_fields_is_lost_and_stays_where_it_is(tmp_path: Path) -> None:
    async def test() -> None:
        key = AGENT + urandom(16)
        name = (PREFIX + key[:1] + key[1:].hex().encode()).decode()
        async with a_redis(tmp_path) as redis, stores(redis.url) as (one, _):
            fields = [word for number in range(MOST_FIELDS) for word in (f"n:{number}", "1")]
            await redis.command("HSET", name, *fields)
            (whole,) = await one.look([key], HOUR)
            assert whole.names is not None and len(whole.names) == MOST_FIELDS
            await redis.command("HSET", name, "n:more", "1")
            assert await one.look([key], HOUR) == (Found(None, lost=True),)

    run(test())


def test_a_place_where_nobody_listens_is_told() -> None:
    async def test() -> None:
        store = Shared(Memory(), RedisClient(place("redis://127.0.0.1:1")))
        assert (await store.look([AGENT + urandom(16)], HOUR))[0].away
        assert store.state.failing
        await store.close()

    asyncio.run(test())


class Failing:
    """A Redis that answers only while it is `up`."""

    def __init__(self) -> None:
        self.up = True

    async def run(self, script: str, keys: Sequence[bytes], arguments: Sequence[str]) -> object:
        assert script and arguments
        if not self.up:
            raise Unreachable("nobody listens")
        return [1, *([] for _ in keys)]

    async def close(self) -> None:
        self.up = False


def test_that_it_goes_away_is_told_once_and_so_is_that_it_is_back() -> None:
    async def test() -> None:
        told: list[str] = []
        redis, clock = Failing(), Clock()
        store = Shared(Memory(), redis, clock=clock, tell=told.append)
        key = [AGENT + urandom(16)]

        async def look(up: bool, after: float) -> None:
            redis.up = up
            clock.now += after
            await store.look(key, HOUR)

        await look(True, 2)
        assert told == []
        await look(False, 2)
        await look(False, 2)
        assert len(told) == 1 and "does not answer" in told[0] and "nobody listens" in told[0]
        await look(True, 2)
        assert told[1:] == ["the Redis of `[conversations]` answers again"]
        await look(False, 2)
        await look(True, 2)
        assert len(told) == 2
        await look(False, 60)
        assert len(told) == 3
        await store.close()

    asyncio.run(test())


# ── two sidecars ────────────────────────────────────────────────────────────────────────────────────────────────────


def tables(url: str, timeout: str) -> str:
    return f'[conversations]\nredis = "{url}"\nsecret = {{ file = "key" }}\ntimeout = "{timeout}"\n'


@asynccontextmanager
async def pair(
    folder: Path, url: str, *ids: str, timeout: str = "10s"
) -> AsyncIterator[tuple[Running, Running]]:
    left, right = folder_with_key(folder / "left"), folder_with_key(folder / "right")
    async with (
        two(left, *ids, extra=tables(url, timeout)) as one,
        two(right, *(f"{i}_right" for i in ids), extra=tables(url, timeout)) as other,
    ):
        yield one, other


@needs_redis
def test_two_sidecars_of_one_conversation(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_redis(tmp_path) as redis, pair(tmp_path, redis.url, "resp_1", "resp_2") as (one, other):
            assert await ask(one, chat("hello", x_session_id=SESSION)) == "cloud"
            assert await ask(one, chat(SECRET, x_session_id=SESSION)) == "home"
            assert await ask(other, chat("hello", x_session_id=SESSION)) == "home"
            assert await ask(one, respond(SECRET)) == "home"
            assert await ask(other, respond("x", previous_response_id="resp_1")) == "home"
            assert await ask(other, respond("x", previous_response_id="resp_9")) == "policy_denied"
            ready = await other.admin("/readyz")
            assert ready.json["conversations"]["status"] == "remembering"
            metrics = (await other.admin("/metrics")).body
            assert b"policyd_conversation_store_failing 0" in metrics

    run(test())


@needs_redis
def test_the_next_request_at_another_sidecar_waits_for_the_scan(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_redis(tmp_path) as redis, pair(tmp_path, redis.url) as (one, other):
            gate = asyncio.Event()
            slow(one, gate)
            assert await ask(one, chat(SECRET, x_session_id=SESSION, x_latency="batch")) == "home"
            waiting = asyncio.create_task(ask(other, chat("hello", x_session_id=SESSION)))
            await until(lambda: other.serving.sidecar.conversations.waits == 1)
            assert not waiting.done()
            gate.set()
            assert await waiting == "home"

    run(test())


@needs_redis
def test_without_redis_requests_go_on_at_the_highest_level_and_come_back_with_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_redis(tmp_path) as redis, pair(tmp_path, redis.url) as (one, other):
            assert await ask(one, chat("hello", x_session_id=SESSION)) == "cloud"
            await redis.kill()
            assert await ask(one, chat("hello", x_session_id=SESSION)) == "policy_denied"
            # Who is in no conversation is not asked for one.
            assert await ask(one, chat("hello")) == "cloud"
            ready = await one.admin("/readyz")
            assert ready.status == 200 and ready.json["conversations"]["status"] == "failing"
            assert await ask(one, chat(SECRET, x_session_id=SESSION, x_latency="batch")) == "home"
            await redis.start()
            one.serving.sidecar.conversations.store._resting = 0.0  # type: ignore[attr-defined]
            other.serving.sidecar.conversations.store._resting = 0.0  # type: ignore[attr-defined]
            # A moment's silence has made no conversation stricter than what it held, and nothing was forgotten here.
            assert await ask(one, chat("hello", x_session_id=SESSION)) == "home"
            await until(lambda: one.serving.sidecar.conversations.state.store.owed == 0)
            assert await ask(other, chat("hello", x_session_id=SESSION)) == "home"
            assert await ask(other, chat(CARD, x_session_id="third", x_latency="batch")) == "home"
            assert await ask(one, chat("hello", x_session_id="third")) == "policy_denied"

    run(test())


@needs_redis
def test_a_slow_redis_delays_a_request_by_its_timeout_at_most_and_the_next_not_at_all(tmp_path: Path) -> None:
    async def test() -> None:
        async with no_redis(None) as url, pair(tmp_path, url, timeout="200ms") as (one, _):
            assert await ask(one, chat("hello", x_session_id=SESSION)) == "policy_denied"
            store = one.serving.sidecar.conversations.state.store
            assert store.failures == 1
            assert await ask(one, chat("hello", x_session_id=SESSION)) == "policy_denied"

    run(test())


async def until_gone(redis: RedisServer, name: str) -> None:
    async with asyncio.timeout(5):
        while await redis.command("EXISTS", name) != b":0\r\n":
            await asyncio.sleep(0.01)
