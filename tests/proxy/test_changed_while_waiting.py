"""A policy, a deployment or a key that changes while a request waits: it is asked again before a byte of it leaves."""

import asyncio
from pathlib import Path

from policyd.deploy.keys import hash_key
from tests.proxy.bench import CHAT, MESSAGES, POLICY, Running, post, records, three
from tests.proxy.test_promise import STRICTER
from tests.proxy.test_reload import change
from tests.proxy.test_saturation import IN_LINE, Held, busy, finished, view
from tests.upstream.scripted import run, until

ASKED = post("/v1/messages", MESSAGES)


async def waits(running: Running) -> None:
    await until(lambda: view(running, "cloud").waiting == 1)


def test_a_request_that_waits_while_the_policy_changes_is_decided_again(tmp_path: Path) -> None:
    """Users of other gateways met: what was queued under the old rules was sent under them, long after they were gone."""

    async def test() -> None:
        async with three(tmp_path, targets={"cloud": IN_LINE}) as running:
            held = Held()
            tasks = await busy(running, "cloud", held)
            waiting = asyncio.create_task(running.ask(ASKED))
            await waits(running)
            before = running.serving.sidecar.live.ready.digest
            running.policy.write_text(STRICTER)
            running.serving.reloader.ask()
            await until(lambda: running.serving.sidecar.live.ready.digest != before)
            await finished(held, tasks)
            answer = await waiting
            assert answer.headers[b"x-policyd-target"] == b"home"
            assert len(running.recorders["cloud"].requests) == 1, "the one that was there before"
            assert running.recorders["spare"].connections == 0

    run(test())


def test_a_request_that_waits_while_its_key_is_revoked_is_refused(tmp_path: Path) -> None:
    keys = f'kind = "api-keys"\nkeys = [{{ sha256 = "{hash_key("old")}", team = "search" }}]'
    of_old = {"authorization": "Bearer old"}

    async def test() -> None:
        async with three(tmp_path, identity=keys, targets={"cloud": IN_LINE}) as running:
            held = Held()
            cloud = running.recorders["cloud"]
            cloud.answer = held
            first = asyncio.create_task(running.ask(post("/v1/chat/completions", CHAT, of_old)))
            await until(lambda: len(cloud.requests) == 1)
            waiting = asyncio.create_task(running.ask(post("/v1/messages", MESSAGES, of_old)))
            await waits(running)
            await change(running, hash_key("old"), hash_key("new"))
            held.answer.set()
            assert (await first).status == 200, "what was sent is answered"
            answer = await waiting
            assert (answer.status, answer.code) == (401, "caller_unidentified")
            assert running.sent_anywhere() == 1

    run(test())


def test_a_request_that_waits_while_its_target_moves_does_not_go_to_the_old_place(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, targets={"cloud": IN_LINE}) as running:
            held = Held()
            tasks = await busy(running, "cloud", held)
            waiting = asyncio.create_task(running.ask(ASKED))
            await waits(running)
            spare = running.recorders["spare"]
            await change(
                running,
                f'[targets.cloud]\nurl = "{running.recorders["cloud"].url}"',
                f'[targets.cloud]\nurl = "{spare.url}"',
            )
            await finished(held, tasks)
            assert (await waiting).headers[b"x-policyd-target"] == b"cloud"
            assert len(running.recorders["cloud"].requests) == 1
            assert len(spare.requests) == 1, "the new place"

    run(test())
    first, second = records(tmp_path / "decisions.jsonl")
    assert {first["status"], second["status"]} == {200}


def test_a_policy_that_means_the_same_costs_nobody_a_second_decision(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, targets={"cloud": IN_LINE}) as running:
            held = Held()
            tasks = await busy(running, "cloud", held)
            waiting = asyncio.create_task(running.ask(ASKED))
            await waits(running)
            state = running.serving.reloader.state
            running.policy.write_text(POLICY + "\n# a comment more\n")
            running.serving.reloader.ask()
            await until(lambda: running.serving.reloader.state.at > state.at)
            await finished(held, tasks)
            assert (await waiting).headers[b"x-policyd-target"] == b"cloud"

    run(test())
    assert all(len(r["attempts"]) == 1 for r in records(tmp_path / "decisions.jsonl"))
