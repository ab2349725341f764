"""What is remembered in the process: joined, expiring, bounded, and never less by forgetting."""

import asyncio
from collections.abc import Awaitable, Callable
from os import urandom
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from policyd.proxy.conversations.forgotten import Forgotten
from policyd.proxy.conversations.keys import Keys
from policyd.proxy.conversations.memory import Memory
from policyd.proxy.conversations.store import ABSENT, AGENT, LOST, STATE, Found, Names
from tests.upstream.scripted import until

T = TypeVar("T")

LOW: Names = frozenset({"sensitivity=internal"})
HIGH: Names = frozenset({"sensitivity=restricted"})
HOUR = 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def agent() -> bytes:
    return AGENT + urandom(16)


def state() -> bytes:
    return STATE + urandom(16)


def one(memory: Memory, key: bytes) -> Found:
    (found,) = go(lambda: memory.look([key], HOUR))
    return found


def go(work: Callable[[], Awaitable[T]]) -> T:
    async def outer() -> T:
        return await work()

    return asyncio.run(outer())


def test_names_are_joined_and_never_replaced() -> None:
    memory, key = Memory(), agent()
    assert one(memory, key) == ABSENT
    for names in (HIGH, LOW):
        go(lambda names=names: memory.join([key], names, HOUR))
    assert one(memory, key) == Found(LOW | HIGH)


def test_what_is_not_used_for_its_time_is_new_again_and_use_prolongs_it() -> None:
    clock = Clock()
    memory, key = Memory(clock=clock), agent()
    go(lambda: memory.join([key], HIGH, HOUR))
    clock.now += 3599
    assert one(memory, key).names == HIGH
    clock.now += 3599
    assert one(memory, key).names == HIGH
    clock.now += 3601
    assert one(memory, key) == ABSENT
    assert memory.state.entries == 0


def test_a_shorter_time_of_another_policy_takes_nothing_away() -> None:
    clock = Clock()
    memory, key = Memory(clock=clock), agent()
    go(lambda: memory.join([key], HIGH, HOUR))
    go(lambda: memory.look([key], 1.0))
    clock.now += 3599
    assert one(memory, key).names == HIGH


def test_a_conversation_that_had_to_go_is_lost_and_not_new() -> None:
    memory, first = Memory(1000), agent()
    go(lambda: memory.join([first], HIGH, HOUR))
    go(lambda: memory.join([agent() for _ in range(1000)], HIGH, HOUR))
    assert one(memory, first) == LOST
    # Nor does it become known by what is added to it.
    go(lambda: memory.join([first], LOW, HOUR))
    assert one(memory, first) == Found(LOW, lost=True)
    assert memory.state.evicted == 2


def test_the_one_that_was_used_longest_ago_goes_first() -> None:
    memory = Memory(1000)
    keys = [agent() for _ in range(1000)]
    go(lambda: memory.join(keys, HIGH, HOUR))
    one(memory, keys[0])
    go(lambda: memory.join([agent()], HIGH, HOUR))
    assert one(memory, keys[0]).names == HIGH
    assert one(memory, keys[1]) == LOST


def test_what_a_server_keeps_is_unknown_when_it_is_forgotten_as_it_was_before() -> None:
    memory, key = Memory(1000), state()
    go(lambda: memory.join([key], LOW, HOUR))
    go(lambda: memory.join([state() for _ in range(1000)], LOW, HOUR))
    assert one(memory, key) == ABSENT


def test_a_flood_of_a_hundred_thousand_ids_lowers_nothing_and_stays_bounded() -> None:
    clock = Clock()
    memory, mine = Memory(2000, clock=clock), agent()
    go(lambda: memory.join([mine], HIGH, HOUR))

    async def flood() -> None:
        for _ in range(100_000):
            await memory.join((agent(),), HIGH, HOUR)

    go(flood)
    assert memory.state.entries == 2000
    assert one(memory, mine).lost
    # And others are wrongly taken for forgotten only now and then.
    wrong = sum(one(memory, agent()).lost for _ in range(2000))
    assert wrong < 200
    # In time, what has expired is let go.
    for _ in range(2):
        clock.now += 2 * HOUR
        go(lambda: memory.join([agent() for _ in range(2500)], HIGH, HOUR))
    assert one(memory, mine) == ABSENT


@given(st.lists(st.binary(min_size=17, max_size=17), max_size=50), st.lists(st.floats(0, 1.9), max_size=50))
def test_what_was_forgotten_is_never_denied_while_it_could_live(
    keys: list[bytes], steps: list[float]
) -> None:
    forgotten, now, alive = Forgotten(), 0.0, []
    for key, step in zip(keys, steps, strict=False):
        now += step
        forgotten.add(key, now, 2.0)
        alive.append((key, now + 2.0))
        assert all(forgotten.may_hold(k) for k, until in alive if until >= now)


def test_a_request_that_is_being_scanned_is_pending_until_it_is_finished() -> None:
    async def test() -> None:
        memory, key, other = Memory(), agent(), agent()
        await memory.begin([key], "one", HOUR)
        await memory.begin([key], "two", HOUR)
        assert await memory.look([key, other], HOUR) == (Found(None, frozenset({"one", "two"})), ABSENT)
        waiting = asyncio.create_task(memory.wait([key], frozenset({"one"}), 30))
        await memory.finish([key], "one", HIGH, HOUR)
        await waiting
        assert await memory.look([key], HOUR) == (Found(HIGH, frozenset({"two"})),)
        # Nobody waits for ever.
        await memory.wait([key], frozenset({"two"}), 0.01)
        await memory.finish([key], "two", LOW, HOUR)
        assert await memory.look([key], HOUR) == (Found(LOW | HIGH),)

    asyncio.run(test())


def test_a_scan_of_what_had_to_go_ends_and_what_it_found_is_kept() -> None:
    async def test() -> None:
        memory, key = Memory(1000), agent()
        await memory.begin([key], "one", HOUR)
        await memory.join([agent() for _ in range(1000)], HIGH, HOUR)
        waiting = asyncio.create_task(memory.wait([key], frozenset({"one"}), 30))
        await until(lambda: not waiting.done())
        await memory.finish([key], "one", HIGH, HOUR)
        await waiting
        assert await memory.look([key], HOUR) == (Found(HIGH, lost=True),)

    asyncio.run(test())


def test_more_names_than_any_policy_has_are_lost() -> None:
    memory, key = Memory(), agent()
    go(lambda: memory.join([key], frozenset(f"level=v{n}" for n in range(65)), HOUR))
    assert one(memory, key).lost


def test_a_key_is_of_one_caller_one_kind_one_id_and_one_secret() -> None:
    keys = Keys("x" * 32)
    ana, ben = {"user": "ana", "team": "a"}, {"user": "ben", "team": "a"}
    found = [
        *keys.of(ana, ["i"], ["i"]),
        *keys.of(ben, ["i"], ["i"]),
        *keys.of({"user": "an", "team": "aa"}, ["i"], []),
        *keys.of({}, ["i"], []),
        *keys.of(ana, ["i2"], []),
        *Keys("y" * 32).of(ana, ["i"], []),
        *Keys(None).of(ana, ["i"], []),
    ]
    assert len(set(found)) == len(found)
    assert keys.of(dict(reversed(ana.items())), ["i", "i"], []) == (found[0],)
    assert Keys("x" * 32).of(ana, ["i"], []) == (found[0],)
    assert all(b"ana" not in key and len(key) == 17 for key in found)
