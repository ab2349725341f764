"""What a target gets at once and in a minute, where the rest goes, and how equals share: over sockets.

Each test says what is asked; where users of other gateways met something else, it says that.
"""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from policyd.proxy.breaker import BreakerState
from tests.proxy.bench import (
    CHAT,
    OK,
    POLICY,
    Answer,
    Running,
    hanging,
    post,
    records,
    saying,
    status,
    three,
)
from tests.proxy.test_reliability import ASK, ONLY_CLOUD, SSE, STREAM, chunk, in_turn, view
from tests.proxy.test_reload import change
from tests.upstream.scripted import Peer, run, until

ONE_AT_ONCE: Final = "load = { max_in_flight = 1, queue = 0 }"
IN_LINE: Final = 'load = { max_in_flight = 1, queue_timeout = "20s" }'


class Held:
    """A model server that answers when it is told to."""

    def __init__(self) -> None:
        self.answer = asyncio.Event()

    async def __call__(self, peer: Peer, _: bytes) -> None:
        await self.answer.wait()
        await peer.send(OK)


async def busy(running: Running, target: str, held: Held, count: int = 1) -> list[asyncio.Task[Answer]]:
    """So many requests that the target works on."""
    recorder = running.recorders[target]
    recorder.answer = held
    asked = len(recorder.requests)
    tasks = [asyncio.create_task(running.ask(ASK)) for _ in range(count)]
    await until(lambda: len(recorder.requests) == asked + count)
    return tasks


async def finished(held: Held, tasks: list[asyncio.Task[Answer]]) -> None:
    held.answer.set()
    for task in tasks:
        assert (await task).status == 200


def chosen(answer: Answer) -> bytes:
    return answer.headers[b"x-policyd-target"]


def test_a_saturated_target_spills_to_the_next_candidate(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, targets={"cloud": ONE_AT_ONCE}) as running:
            held = Held()
            tasks = await busy(running, "cloud", held)
            answers = [await running.ask(ASK) for _ in range(3)]
            assert [chosen(a) for a in answers] == [b"spare"] * 3
            assert [a.headers[b"x-policyd-attempts"] for a in answers] == [b"1"] * 3
            await finished(held, tasks)
            assert chosen(await running.ask(ASK)) == b"cloud"

    run(test())
    assert records(tmp_path / "decisions.jsonl")[0]["passed"] == {"cloud": "busy"}


def test_a_request_waits_in_line_before_it_spills(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, targets={"cloud": IN_LINE}) as running:
            held = Held()
            tasks = await busy(running, "cloud", held)
            second = asyncio.create_task(running.ask(ASK))
            await until(lambda: view(running, "cloud").waiting == 1)
            await finished(held, tasks)
            assert chosen(await second) == b"cloud"

    run(test())


def test_the_line_is_bounded_in_time(tmp_path: Path) -> None:
    async def test() -> None:
        short = {"cloud": 'load = { max_in_flight = 1, queue_timeout = "0.05s" }'}
        async with three(tmp_path, targets=short) as running:
            held = Held()
            tasks = await busy(running, "cloud", held)
            assert chosen(await running.ask(ASK)) == b"spare"
            assert view(running, "cloud").waiting == 0
            await finished(held, tasks)

    run(test())


def test_a_saturated_target_is_no_reason_to_ask_one_that_the_policy_does_not_permit(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, targets={"cloud": ONE_AT_ONCE}, identity=ONLY_CLOUD) as running:
            held = Held()
            tasks = await busy(running, "cloud", held)
            answer = await running.ask(ASK)
            assert (answer.status, answer.code) == (503, "upstream_busy")
            assert int(answer.headers[b"retry-after"]) >= 1
            assert running.sent_anywhere() == 1
            await finished(held, tasks)

    run(test())


def test_a_target_takes_so_many_bytes_at_once(tmp_path: Path) -> None:
    async def test() -> None:
        bytes_ = {"cloud": "load = { max_bytes = 1000, queue = 0 }"}
        large = post("/v1/chat/completions", CHAT | {"user": "x" * 900})
        async with three(tmp_path, targets=bytes_) as running:
            held = Held()
            tasks = await busy(running, "cloud", held)
            assert chosen(await running.ask(large)) == b"spare"
            await finished(held, tasks)
            assert chosen(await running.ask(large)) == b"cloud", "alone it may go"

    run(test())


def test_a_caller_that_leaves_the_line_takes_no_place(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, targets={"cloud": IN_LINE}, identity=ONLY_CLOUD) as running:
            held = Held()
            tasks = await busy(running, "cloud", held)
            _, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(ASK)
            await until(lambda: view(running, "cloud").waiting == 1)
            writer.transport.abort()
            await until(lambda: view(running, "cloud").waiting == 0)
            await finished(held, tasks)
            await until(lambda: view(running, "cloud").in_flight == 0)
            assert len(running.recorders["cloud"].requests) == 1

    run(test())


def test_a_changed_policy_stops_a_request_that_waits_in_line(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, targets={"cloud": IN_LINE}, identity=ONLY_CLOUD) as running:
            held = Held()
            tasks = await busy(running, "cloud", held)
            second = asyncio.create_task(running.ask(ASK))
            await until(lambda: view(running, "cloud").waiting == 1)
            text = running.policy.read_text()
            running.policy.write_text(
                text.replace('latency == batch and team == "blocked"', 'team == "cloud-only"')
            )
            await until(lambda: running.serving.sidecar.live.turn == 1)
            await finished(held, tasks)
            answer = await second
            assert (answer.status, answer.code) == (403, "policy_denied")
            assert len(running.recorders["cloud"].requests) == 1
            assert view(running, "cloud").in_flight == 0

    run(test())


def test_deciding_again_gives_no_new_attempts(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, targets={"spare": IN_LINE}, extra="limits = { attempts = 2 }") as running:
            cloud, held = running.recorders["cloud"], Held()
            cloud.answer = hanging_up
            tasks = await busy(running, "spare", held)
            second = asyncio.create_task(running.ask(ASK))
            await until(lambda: view(running, "spare").waiting == 1)
            await change(running, "max_in_flight = 1", "max_in_flight = 2")
            answer = await second
            assert (answer.status, answer.code) == (503, "upstream_unavailable")
            assert (len(cloud.requests), len(running.recorders["spare"].requests)) == (3, 1)
            await finished(held, tasks)

    run(test())


def test_a_target_gets_so_many_requests_in_a_minute(tmp_path: Path) -> None:
    async def test() -> None:
        rates = {"cloud": "load = { requests_per_minute = 2 }"}
        async with three(tmp_path, targets=rates) as running:
            assert [chosen(await running.ask(ASK)) for _ in range(4)] == [b"cloud"] * 2 + [b"spare"] * 2
            assert view(running, "cloud").requests_left == 0

    run(test())
    assert records(tmp_path / "decisions.jsonl")[3]["passed"] == {"cloud": "rate"}


def test_a_target_that_could_not_be_reached_had_nothing_of_its_minute(tmp_path: Path) -> None:
    async def test() -> None:
        load = "load = { requests_per_minute = 2, tokens_per_minute = 1000 }"
        async with three(tmp_path, urls={"cloud": "http://127.0.0.1:1"}, targets={"cloud": load}) as running:
            for _ in range(4):
                assert chosen(await running.ask(ASK)) == b"spare"
            told = view(running, "cloud")
            assert (told.requests_left, told.tokens_left) == (2, 1000)

    run(test())
    for record in records(tmp_path / "decisions.jsonl"):
        assert [attempt["outcome"] for attempt in record["attempts"]] == ["refused", "answered"]


def test_a_target_gets_so_many_tokens_in_a_minute(tmp_path: Path) -> None:
    async def test() -> None:
        rates = {"cloud": "load = { tokens_per_minute = 1000 }"}
        async with three(tmp_path, targets=rates) as running:
            ask = post("/v1/chat/completions", CHAT | {"max_tokens": 400})
            small = post("/v1/chat/completions", CHAT | {"max_tokens": 10})
            assert [chosen(await running.ask(a)) for a in (ask, ask, ask, small)] == [
                b"cloud",
                b"cloud",
                b"spare",
                b"cloud",
            ]

    run(test())  # fmt: skip


def test_what_a_target_says_it_had_is_what_counts(tmp_path: Path) -> None:
    """A client that allows a long answer and gets a short one has not had a minute's tokens."""
    body = b'{"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":30,"total_tokens":50}}'
    short = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )

    async def test() -> None:
        rates = {"cloud": "load = { tokens_per_minute = 1000 }"}
        async with three(tmp_path, targets=rates) as running:
            running.recorders["cloud"].answer = saying(short)
            ask = post("/v1/chat/completions", CHAT | {"max_tokens": 800})
            for turn in range(3):
                assert chosen(await running.ask(ask)) == b"cloud"
                await until(lambda turn=turn: view(running, "cloud").tokens_left == 950 - 50 * turn)  # type: ignore[misc]

    run(test())


def test_what_another_target_had_settles_nothing(tmp_path: Path) -> None:
    body = b'{"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}}'
    short = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"

    async def test() -> None:
        rates = {"cloud": "load = { tokens_per_minute = 1000 }"}
        async with three(tmp_path, targets=rates) as running:
            running.recorders["cloud"].answer = status(500)
            running.recorders["spare"].answer = saying(short % (len(body), body))
            assert (
                chosen(await running.ask(post("/v1/chat/completions", CHAT | {"max_tokens": 800})))
                == b"spare"
            )
            await until(lambda: bool(running.log_path.read_bytes()))
            assert view(running, "cloud").tokens_left in range(100, 201)

    run(test())


def test_where_the_minute_is_over_the_caller_is_told_when_there_is_another(tmp_path: Path) -> None:
    async def test() -> None:
        rates = {"cloud": "load = { requests_per_minute = 1 }"}
        async with three(tmp_path, targets=rates, identity=ONLY_CLOUD) as running:
            assert (await running.ask(ASK)).status == 200
            answer = await running.ask(ASK)
            assert (answer.status, answer.code) == (503, "upstream_busy")
            assert 50 <= int(answer.headers[b"retry-after"]) <= 60
            assert len(running.recorders["cloud"].requests) == 1

    run(test())


def test_requests_under_way_are_bounded_together(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, extra="limits = { requests = 2 }") as running:
            held = Held()
            tasks = await busy(running, "cloud", held, 2)
            answer = await running.ask(ASK)
            assert (answer.status, answer.code, answer.headers[b"retry-after"]) == (
                503,
                "internal_overload",
                b"1",
            )
            await finished(held, tasks)
            assert (await running.ask(ASK)).status == 200

    run(test())


def test_a_caller_that_does_not_read_stops_the_reading_from_the_target(tmp_path: Path) -> None:
    """Elsewhere what a slow caller did not take piled up in the gateway's memory."""
    pieces, size = 400, 64 * 1024

    async def test() -> None:
        sent = 0

        async def generous(peer: Peer, _: bytes) -> None:
            nonlocal sent
            await peer.send(SSE)
            for _ in range(pieces):
                await peer.send(chunk(b"data: " + b"x" * size + b"\n\n"))
                sent += size
            await peer.send(chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")

        async with three(tmp_path, identity=ONLY_CLOUD) as running:
            running.recorders["cloud"].answer = generous
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port, limit=1024)
            writer.write(STREAM)
            pool = running.serving.sidecar.road.upstream.pool("cloud")  # type: ignore[attr-defined]
            await until(lambda: any(c._paused for c in pool._all))
            assert sent < pieces * size
            got = b"".join([piece async for piece in _pieces(reader)])
            assert got.count(b"x") >= pieces * size
            assert sent == pieces * size
            writer.close()

    run(test())


async def _pieces(reader: asyncio.StreamReader) -> Any:
    while piece := await reader.read(1 << 20):
        yield piece


# How equals share.

EQUALS: Final = POLICY.replace(
    "route rest     to cloud, spare, home", "route rest     to PICK { cloud, spare }, home"
)


def test_a_conversation_stays_where_its_prompt_is_cached(tmp_path: Path) -> None:
    """Elsewhere each turn went to another replica, and every one computed the whole prompt again."""

    async def test() -> None:
        async with three(tmp_path, policy=EQUALS.replace("PICK", "any")) as running:
            places = Counter[bytes]()
            for name in range(12):
                messages = [
                    {"role": "system", "content": "be brief"},
                    {"role": "user", "content": f"question {name}"},
                ]
                turns = []
                for turn in range(3):
                    answer = await running.ask(post("/v1/chat/completions", CHAT | {"messages": messages}))
                    turns.append(chosen(answer))
                    messages += [
                        {"role": "assistant", "content": "yes"},
                        {"role": "user", "content": f"and {turn}"},
                    ]
                assert len(set(turns)) == 1
                places[turns[0]] += 1
            assert set(places) == {b"cloud", b"spare"}, "and not all of them in one place"

    run(test())


def test_a_conversation_whose_place_is_full_goes_on_elsewhere(tmp_path: Path) -> None:
    async def test() -> None:
        both = dict.fromkeys(("cloud", "spare"), ONE_AT_ONCE)
        async with three(tmp_path, policy=EQUALS.replace("PICK", "any"), targets=both) as running:
            place = chosen(await running.ask(ASK)).decode()
            held = Held()
            tasks = await busy(running, place, held)
            other = await running.ask(ASK)
            assert chosen(other) != place.encode()
            assert other.headers[b"x-policyd-attempts"] == b"1"
            await finished(held, tasks)

    run(test())


def test_any_goes_past_a_target_that_is_left_alone(tmp_path: Path) -> None:
    async def test() -> None:
        brittle = dict.fromkeys(("cloud", "spare"), 'breaker = { faults = 1, open = "1h" }')
        async with three(tmp_path, policy=EQUALS.replace("PICK", "any"), targets=brittle) as running:
            place = chosen(await running.ask(ASK)).decode()
            running.recorders[place].answer = hanging_up
            assert (await running.ask(ASK)).headers[b"x-policyd-attempts"] == b"2"
            for _ in range(5):
                answer = await running.ask(ASK)
                assert (chosen(answer) != place.encode(), answer.headers[b"x-policyd-attempts"]) == (
                    True,
                    b"1",
                )

    run(test())
    assert "passed" not in records(tmp_path / "decisions.jsonl")[-1], "it is not even considered first"


@pytest.mark.parametrize("pick", ["any", "cheapest", "fastest"])
def test_a_target_of_a_group_comes_back_when_it_is_well_again(tmp_path: Path, pick: str) -> None:
    """What is left alone is tried by a request, so a group must not put it behind those that always answer."""
    policy = PRICED.replace("cheapest", pick)

    async def test() -> None:
        brittle = {"cloud": 'breaker = { faults = 1, open = "0.05s" }'}
        async with three(tmp_path, policy=policy, targets=brittle) as running:
            cloud = running.recorders["cloud"]
            cloud.answer = hanging_up
            turn = 0
            while view(running, "cloud").breaker is BreakerState.CLOSED:
                await running.ask(saying_something(turn := turn + 1))
            cloud.answer = saying(OK)
            while view(running, "cloud").breaker is not BreakerState.CLOSED:
                await running.ask(saying_something(turn := turn + 1))

    run(test())


def saying_something(turn: int) -> bytes:
    """A prompt that costs less at `cloud`, of another conversation each time."""
    text = f"{turn} " + "word " * 2000
    return post(
        "/v1/chat/completions", CHAT | {"max_tokens": 1, "messages": [{"role": "user", "content": text}]}
    )


async def hanging_up(peer: Peer, _: bytes) -> None:
    peer.close()


PRICED: Final = (
    EQUALS.replace("PICK", "cheapest")
    .replace("target cloud  { location cloud", "target cloud  { price_in $1 price_out $20  location cloud")
    .replace("target spare  { location cloud", "target spare  { price_in $3 price_out $2  location cloud")
)


def test_cheapest_reckons_with_the_answer_too(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, policy=PRICED) as running:
            long = post("/v1/chat/completions", CHAT | {"max_tokens": 2000})
            many = post(
                "/v1/chat/completions",
                CHAT | {"max_tokens": 1, "messages": [{"role": "user", "content": "word " * 2000}]},
            )
            assert [chosen(await running.ask(a)) for a in (long, many)] == [b"spare", b"cloud"]

    run(test())  # fmt: skip


def test_a_view_tells_how_each_target_stands(tmp_path: Path) -> None:
    async def test() -> None:
        load = {
            "cloud": "load = { max_in_flight = 1, requests_per_minute = 10, tokens_per_minute = 100_000 }"
        }
        async with three(tmp_path, targets=load, identity=ONLY_CLOUD) as running:
            cloud = running.recorders["cloud"]
            cloud.answer = in_turn(saying(OK), hanging)
            await running.ask(ASK)
            asking = [asyncio.create_task(running.ask(ASK)) for _ in range(2)]
            await until(lambda: len(cloud.requests) == 2 and view(running, "cloud").waiting == 1)
            seen = view(running, "cloud")
            assert (seen.in_flight, seen.max_in_flight, seen.requests_left) == (1, 1, 8)
            assert seen.in_flight_bytes == len(cloud.bodies[0])
            assert seen.tokens_left is not None and 0 < seen.tokens_left < 100_000
            assert seen.first_byte is not None and seen.out is None
            for task in asking:
                task.cancel()

    run(test())
