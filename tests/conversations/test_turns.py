"""One request as a turn: what is written where it is cancelled, crowded out, or asked under another policy."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.deploy.model import Conversations as Settings
from policyd.policy.program import Value
from policyd.policy.quiet import quiet_request
from policyd.policy.request import Request
from policyd.proxy.conversations import turns
from policyd.proxy.conversations.levels import Remembers, remembers_of
from policyd.proxy.conversations.memory import Memory
from policyd.proxy.conversations.store import AGENT, STATE, Found
from policyd.proxy.conversations.turns import Conversations, Turn
from policyd.resolve.load import load_text
from policyd.traffic.conversation import ConversationIds
from tests.conversations.given import POLICY
from tests.upstream.scripted import until

CLAIMS = {"user": "ana"}
SESSION = ConversationIds("s1", "s1", "any other", (), complete=True, said=("s1",))


def remembers(policy: str = POLICY) -> Remembers:
    program = load_text(policy, "main.policy", {}).program
    assert program is not None
    found = remembers_of(program)
    assert found is not None
    return found


def values(of: Remembers, **given_: object) -> dict[str, Value]:
    request = quiet_request(of.program, {"team": "search", "origin": "eu", **given_})
    assert isinstance(request, Request)
    out = dict(request.values)
    del out["conversation:sensitivity"]
    return out


def turn(of: Conversations, what: Remembers, ids: ConversationIds = SESSION, size: int = 100) -> Turn:
    return of.turn(what, CLAIMS, ids, size, gives=False)


async def scanned(of: Remembers, one: Turn, **given_: object) -> Mapping[str, Value]:
    return {**values(of, **given_), **await one.seen()}


async def seen(of: Conversations, what: Remembers) -> str:
    return (await turn(of, what).seen())["conversation:sensitivity"]


def test_a_caller_that_leaves_while_the_mark_is_made_leaves_no_mark_behind() -> None:
    class Slow(Memory):
        async def begin(self, keys: Collection[bytes], token: str, kept: float) -> None:
            await super().begin(keys, token, kept)
            await asyncio.Event().wait()

    async def test() -> None:
        of, what = Conversations(Settings(), store=Slow()), remembers()
        one = turn(of, what)

        async def scan() -> Mapping[str, Value]:
            return await scanned(what, one, findings=["secret"])

        leaving = asyncio.create_task(one.leaves(values(what), scan, lacking=True))
        await until(lambda: of.store.state.entries == 1)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        await until(lambda: of.scanned == 1)
        assert await seen(of, what) == "confidential"
        assert of.held == 0 and of.waits == 0

    asyncio.run(test())


def test_where_too_much_waits_for_its_scan_a_request_is_scanned_before_it_leaves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test() -> None:
        monkeypatch.setattr(turns, "MOST_LATER", 150)
        of, what, gate = Conversations(Settings()), remembers(), asyncio.Event()
        first = turn(of, what)

        async def later() -> Mapping[str, Value]:
            await gate.wait()
            return await scanned(what, first)

        await first.leaves(values(what), later, lacking=True)
        other = ConversationIds("s2", "s2", "any other", (), complete=True, said=("s2",))
        second = turn(of, what, other)
        asked = []

        async def now() -> Mapping[str, Value]:
            asked.append(1)
            return await scanned(what, second, findings=["iban"])

        await second.leaves(values(what), now, lacking=True)
        assert asked and second.told["reached"] == {"sensitivity": "restricted"}
        assert first.told["reached"] == "later"
        gate.set()
        await until(lambda: of.held == 0)

    asyncio.run(test())


def test_a_request_does_not_wait_for_its_own_scan_nor_for_one_after_it() -> None:
    async def test() -> None:
        of, what = Conversations(Settings(wait=30)), remembers()
        one, two = turn(of, what), turn(of, what)
        for each in (one, two):

            async def scan(each: Turn = each) -> Mapping[str, Value]:
                return await scanned(what, each)

            await each.leaves(values(what), scan, lacking=True)
        await until(lambda: of.scanned == 2)
        assert (of.waits, of.waited_out) == (1, 0)
        assert await seen(of, what) == "internal"

    asyncio.run(test())


def test_more_kept_state_than_can_be_named_is_unknown() -> None:
    async def test() -> None:
        of, what = Conversations(Settings()), remembers()
        many = ConversationIds("", "", "", tuple(f"f{n}" for n in range(3)), complete=False, said=())
        one = turn(of, what, many)
        assert (await one.seen())["conversation:sensitivity"] == "restricted"

    asyncio.run(test())


def test_a_request_without_an_id_is_remembered_nowhere() -> None:
    async def test() -> None:
        of, what = Conversations(Settings()), remembers()
        one = turn(of, what, ConversationIds("", "", "", (), complete=True, said=()))
        assert (await one.seen())["conversation:sensitivity"] == "internal"

        async def never() -> Mapping[str, Value]:
            raise AssertionError("nothing is scanned for it")

        await one.leaves(values(what, findings=["secret"]), never, lacking=True)
        assert of.store.state.entries == 0 and one.told == {}

    asyncio.run(test())


def test_a_conversation_at_its_lowest_takes_no_place() -> None:
    async def test() -> None:
        of, what = Conversations(Settings()), remembers()
        for n in range(50):
            one = turn(of, what, ConversationIds(f"s{n}", f"s{n}", "", (), complete=True, said=(f"s{n}",)))
            await one.leaves({**values(what), **await one.seen()}, _unused, lacking=False)
        assert of.store.state.entries == 0

    asyncio.run(test())


async def _unused() -> Mapping[str, Value]:
    raise AssertionError("everything is known")


LEVELS = ("low", "mid", "high")
TWO = """edition 1
level a { low < mid < high }
level b { low < mid < high }
string team from identity unknown reject
classify a { starts at low at least conversation for 1 hour at least high when opaque }
classify b { starts at low at least conversation for 2 hours at least mid when a >= mid at least high when stream }
target rack { location on_prem context 64k speaks chat }
route all to rack
otherwise reject "no"
"""
FOUND = st.builds(
    Found,
    st.none()
    | st.sets(st.sampled_from([f"{n}={v}" for n in "abx" for v in (*LEVELS, "odd")])).map(frozenset),
    st.sampled_from([frozenset(), frozenset({"t"})]),
    st.booleans(),
    st.booleans(),
)
KEYED = st.lists(st.tuples(st.sampled_from([AGENT + b"1", STATE + b"2"]), FOUND), max_size=3)


@given(KEYED, KEYED)
def test_more_that_is_known_never_lowers_a_level(some: list[Any], more: list[Any]) -> None:
    what = remembers(TWO)
    less, all_ = what.seen(some), what.seen([*some, *more])
    assert all(LEVELS.index(less[name]) <= LEVELS.index(all_[name]) for name in less)


@given(KEYED)
def test_what_is_not_known_for_sure_is_the_highest(found: list[Any]) -> None:
    what = remembers(TWO)
    told = what.seen(found)
    for name in "ab":
        if any(f.lost or f.is_open or (f.names is None and k[:1] == STATE) for k, f in found):
            assert told[f"conversation:{name}"] == "high"
        words = [w for _, f in found for w in f.names or () if w.startswith(f"{name}=")]
        if any(w.endswith("=odd") for w in words):
            assert told[f"conversation:{name}"] == "high"
        for word in words:
            value = word.split("=")[1]
            if value in LEVELS:
                assert LEVELS.index(told[f"conversation:{name}"]) >= LEVELS.index(value)


def test_what_levels_need_is_looked_for_through_other_levels() -> None:
    what = remembers(TWO)
    assert what.needs == {"conversation:a", "conversation:b", "opaque", "stream"}
    assert what.kept == 7200
    assert what.nothing == {"a=low", "b=low"} and what.everything == {"a=high", "b=high"}
    plain = TWO.replace("at least conversation for 1 hour", "").replace(
        "at least conversation for 2 hours", ""
    )
    program = load_text(plain, "main.policy", {}).program
    assert program is not None and remembers_of(program) is None
