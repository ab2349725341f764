"""A sidecar over time: clients that leave, many at once, policies that change, a log that fails, an orderly end."""

import asyncio
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from policyd.proxy.decision_log import DecisionLog
from tests.proxy.bench import (
    CHAT,
    MESSAGES,
    OK,
    POLICY,
    Answer,
    Recorder,
    hanging,
    parsed,
    post,
    records,
    sidecar,
    three,
)
from tests.proxy.test_failover import SSE, chunk
from tests.upstream.scripted import Peer, run, until


@pytest.mark.parametrize("begun", [False, True], ids=["before the answer", "inside the answer"])
def test_a_client_that_leaves_ends_the_upstream_at_once(tmp_path: Path, begun: bool) -> None:
    async def test() -> None:
        left = asyncio.Event()
        arrived = asyncio.Event()

        async def generating(peer: Peer, _: bytes) -> None:
            if begun:
                await peer.send(SSE + chunk(b"data: {}\n\n"))
            arrived.set()
            await peer.gone()
            left.set()

        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = generating
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(post("/v1/chat/completions", CHAT | {"stream": True}))
            await arrived.wait()
            if begun:
                await reader.readuntil(b"data: {}")
            writer.close()
            async with asyncio.timeout(5):
                await left.wait()
            assert running.recorders["spare"].connections == 0

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert record["outcome"] == "client_gone"


def test_a_client_that_leaves_inside_its_body_sends_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            _, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(post("/v1/chat/completions", CHAT)[:-5])
            await writer.drain()
            writer.close()
            await until(lambda: bool(running.log_path.read_bytes()))
            assert running.sent_anywhere() == 0

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert record["outcome"] == "client_gone"


def test_many_at_once_get_their_own_answers(tmp_path: Path) -> None:
    async def test() -> None:
        async def echoing(peer: Peer, request: bytes) -> None:
            body = request.partition(b"\r\n\r\n")[2]
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

        async with three(tmp_path) as running:
            for recorder in running.recorders.values():
                recorder.answer = echoing
            bodies = [CHAT | {"user": f"caller {n}"} for n in range(200)]
            labels = ["confidential" if n % 3 == 0 else "internal" for n in range(200)]
            answers = await asyncio.gather(
                *(
                    running.ask(post("/v1/chat/completions", body, x_data_class=label))
                    for body, label in zip(bodies, labels, strict=True)
                )
            )
            assert [a.json for a in answers] == bodies
            targets = [a.headers[b"x-policyd-target"] for a in answers]
            assert targets == [b"home" if label == "confidential" else b"cloud" for label in labels]
            assert len({a.headers[b"x-policyd-decision"] for a in answers}) == 200

    run(test())
    assert len(records(tmp_path / "decisions.jsonl")) == 200


def test_a_new_policy_takes_over_without_losing_a_request(tmp_path: Path) -> None:
    to_home = POLICY.replace("route rest     to cloud, spare, home", "route rest     to home")

    async def test() -> None:
        async with three(tmp_path) as running:
            before = running.serving.sidecar.live.ready.digest
            statuses: list[tuple[int, bytes]] = []

            async def asking() -> None:
                answer = await running.ask(post("/v1/chat/completions", CHAT))
                statuses.append((answer.status, answer.headers[b"x-policyd-target"]))

            async def keep_asking() -> None:
                while running.serving.sidecar.live.ready.digest == before:
                    await asking()
                await asking()

            askers = [asyncio.create_task(keep_asking()) for _ in range(4)]
            await until(lambda: len(statuses) > 8)
            running.policy.write_text(to_home)
            await asyncio.gather(*askers)
            assert {s for s, _ in statuses} == {200}
            assert statuses[0][1] == b"cloud"
            assert statuses[-1][1] == b"home"
            shown = (await running.admin("/policy")).json
            assert (shown["digest"], shown["reloads"]) == (running.serving.sidecar.live.ready.digest, 1)
            assert shown["digest"] != before

    run(test())


BROKEN = {
    "a mistake": (POLICY.replace("to cloud, spare, home", "to clout"), "clout"),
    "an assertion that no longer holds": (
        POLICY.replace("only location == on_prem  when sensitivity", "forbid region == eu  when sensitivity"),
        "confidential_stays_home",
    ),
    "an unbound target": (
        POLICY.replace(
            "target spare", "target new   { location cloud context 1k speaks chat }\ntarget spare"
        ).replace("to cloud, spare, home", "to new, cloud, spare, home"),
        "new",
    ),
    "nothing": ("", "PD1"),
}


@pytest.mark.parametrize(("policy", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_new_policy_leaves_the_old_one_serving_and_is_told(
    tmp_path: Path, policy: str, said: str
) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            before = running.serving.sidecar.live.ready.digest
            running.policy.write_text(policy)
            await until(lambda: running.serving.reloader.state.failures == 1)
            answer = await running.ask(post("/v1/messages", MESSAGES, x_data_class="confidential"))
            assert answer.headers[b"x-policyd-policy"].decode() == before
            assert answer.headers[b"x-policyd-target"] == b"home"
            ready = await running.admin("/readyz")
            assert ready.status == 200
            load = ready.json["last_load"]
            assert load["status"] == "failed"
            assert any(said in error for error in load["errors"])
            assert ready.json["policy"] == before
            running.policy.write_text(POLICY + "\n# mended\n")
            await until(lambda: not running.serving.reloader.state.failed)
            assert (await running.admin("/readyz")).json["last_load"]["status"] == "good"

    run(test())


def test_an_error_of_ours_while_loading_does_not_end_the_watching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise KeyError("the author's text")

    async def test() -> None:
        async with three(tmp_path) as running:
            with monkeypatch.context() as patch:
                patch.setattr("policyd.proxy.reload.compile_policy", fails)
                running.serving.reloader.ask()
                await until(lambda: running.serving.reloader.state.failures == 1)
                (error,) = (await running.admin("/readyz")).json["last_load"]["errors"]
                assert "KeyError" in error
                assert "author's text" not in error
            running.serving.reloader.ask()
            await until(lambda: running.serving.reloader.state.reloads == 1)

    run(test())


def test_an_included_file_is_watched_too(tmp_path: Path) -> None:
    part = tmp_path / "routes.policy"
    part.write_text("edition 1\nroute first to cloud\n")
    policy = POLICY.replace("route blocked", 'include "routes.policy"\nroute blocked')

    async def test() -> None:
        async with three(tmp_path, policy=policy) as running:
            assert (await running.ask(post("/v1/messages", MESSAGES))).headers[
                b"x-policyd-target"
            ] == b"cloud"
            before = running.serving.sidecar.live
            part.write_text("edition 1\nroute first to home\n")
            await until(lambda: running.serving.sidecar.live is not before)
            assert (await running.ask(post("/v1/messages", MESSAGES))).headers[b"x-policyd-target"] == b"home"

    run(test())


def test_the_admin_side_says_that_it_is_alive_and_ready(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            assert (await running.admin("/livez")).json == {"status": "alive"}
            ready = await running.admin("/readyz")
            assert (ready.status, ready.json["status"]) == (200, "ready")
            assert (await running.admin("/docs")).status == 404
            assert (await running.admin("/v1/models")).status == 404

    run(test())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a disk that is always full")
def test_a_log_that_cannot_be_written_stops_the_serving(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, log=DecisionLog("/dev/full")) as running:
            await running.ask(post("/v1/chat/completions", CHAT))
            await until(lambda: running.serving.log.state.failing is not None)
            before = running.sent_anywhere()
            answer = await running.ask(post("/v1/chat/completions", CHAT))
            assert (answer.status, answer.code) == (503, "internal_log")
            assert running.sent_anywhere() == before
            ready = await running.admin("/readyz")
            assert ready.status == 503
            assert ready.json["decision_log"]["because"] == "No space left on device"

    run(test())


def test_an_answer_under_way_is_finished_when_the_sidecar_stops(tmp_path: Path) -> None:
    async def test() -> None:
        go_on = asyncio.Event()
        arrived = asyncio.Event()

        async def slow(peer: Peer, _: bytes) -> None:
            arrived.set()
            await go_on.wait()
            await peer.send(OK)

        async with Recorder(slow) as home, Recorder(slow) as cloud, Recorder(slow) as spare:
            async with sidecar(tmp_path, {"home": home, "cloud": cloud, "spare": spare}) as running:
                asking = asyncio.create_task(running.ask(post("/v1/chat/completions", CHAT)))
                await arrived.wait()
                asyncio.get_running_loop().call_later(0.1, go_on.set)
            answer = await asking
            assert (answer.status, answer.clean) == (200, True)

    run(test())


def test_an_answer_that_outlasts_the_drain_is_cut_and_recorded(tmp_path: Path) -> None:
    async def test() -> None:
        async def endless(peer: Peer, _: bytes) -> None:
            await peer.send(SSE + chunk(b"data: {}\n\n"))
            await hanging(peer, b"")

        async with three(tmp_path, drain_seconds=1) as running:
            running.recorders["cloud"].answer = endless
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(post("/v1/chat/completions", CHAT))
            await reader.readuntil(b"data: {}")
            rest = asyncio.create_task(reader.read())
        told = await rest
        assert b"[policyd internal_stopped" in told and not told.endswith(b"0\r\n\r\n")
        writer.close()

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert record["outcome"] == "internal_stopped"


@pytest.mark.parametrize("sent", [20, -1], ids=["inside its body", "before its target answers"])
def test_a_request_that_outlasts_the_drain_unanswered_is_told_in_its_dialect(
    tmp_path: Path, sent: int
) -> None:
    request = post("/v1/messages", MESSAGES) if sent < 0 else post("/v1/messages", MESSAGES)[:-sent]
    answers: list[Answer] = []

    async def test() -> None:
        arrived = asyncio.Event()

        async def silent(peer: Peer, _: bytes) -> None:
            arrived.set()
            await hanging(peer, b"")

        async with three(tmp_path, drain_seconds=0.1) as running:
            running.recorders["cloud"].answer = silent
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(request)
            await (arrived.wait() if sent < 0 else until(lambda: running.serving.sidecar.held > 0))
        answers.append(parsed(await reader.read()))
        writer.close()

    run(test())
    (answer,) = answers
    assert (answer.status, answer.clean, answer.code) == (503, True, "internal_stopped")
    assert answer.json["type"] == "error" and b"retry-after" in answer.headers
    (record,) = records(tmp_path / "decisions.jsonl")
    assert (record["status"], record["outcome"]) == (503, "internal_stopped")
    assert record["bytes_out"] == len(answer.body)


def test_an_error_of_ours_is_refused_and_told_without_content(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            sidecar_ = running.serving.sidecar
            broken = replace(sidecar_.live, identify=lambda *_: {}["the secret text"])  # type: ignore[index]
            sidecar_.serve(broken)
            answer = await running.ask(post("/v1/messages", MESSAGES))
            assert (answer.status, answer.code) == (500, "internal_error")
            assert running.sent_anywhere() == 0

    run(test())
    said = capfd.readouterr().err
    assert "KeyError" in said
    assert "the secret text" not in said + json.dumps(records(tmp_path / "decisions.jsonl"))


def test_a_refusal_is_recorded_with_its_caller_and_its_size(tmp_path: Path) -> None:
    identity = 'kind = "loopback"\nteam = "blocked"\nuser = "ana"'

    sizes: list[int] = []

    async def test() -> None:
        async with three(tmp_path, identity=identity) as running:
            answer = await running.ask(post("/v1/chat/completions", CHAT, x_latency="batch"))
            assert answer.status == 403
            sizes.append(len(answer.body))

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert record["caller"] == {"team": "blocked", "user": "ana"}
    assert [record["bytes_out"]] == sizes
    assert record["features"]["max_output"] is None
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", record["features"]["date"])
