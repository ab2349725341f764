"""Targets that are watched over sockets: taken out, told of, and brought back, while the sidecar serves."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from policyd.proxy.standing import Why
from tests.probe.server import Table, by_table, models
from tests.proxy.bench import CHAT, Recorder, Running, post, saying, status, three
from tests.proxy.keeping import Keeping
from tests.upstream.scripted import run, until

OFTEN = '\ninterval = "20ms"'
HEALTH = f'[targets.%s.health]\npath = "/health"{OFTEN}\nunhealthy_after = 2\nhealthy_after = 2'
MODELS = f"[targets.%s.probe]\nmodels = true{OFTEN}"
WELL = {("GET", "/health"): (200, {})}


def reasons(running: Running, target: str) -> list[Why]:
    return [out.reason for out in running.serving.out.all().get(target, ())]


async def out_for(running: Running, target: str, *why: Why) -> None:
    await until(lambda: reasons(running, target) == list(why))


async def looked(running: Running, target: str, look: str, times: int) -> None:
    """Waits for that many more looks."""
    prober = running.serving.prober
    assert prober is not None

    def count() -> int:
        return next(w.looks.get(look, 0) for w in prober.watched() if w.expected.name == target)

    before = count()
    await until(lambda: count() >= before + times)


def test_a_target_that_is_not_well_is_out_and_comes_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def test() -> None:
        targets = {"cloud": HEALTH % "cloud"}
        table: Table = dict(WELL)
        async with three(tmp_path, probing=True, targets=targets) as running:
            running.recorders["cloud"].answer = by_table(table)
            await out_for(running, "cloud")
            table[("GET", "/health")] = (503, {})
            await out_for(running, "cloud", Why.UNHEALTHY)
            ready = await running.admin("/readyz")
            assert (ready.status, ready.json["targets"]["in_service"]) == (200, 2)
            (out,) = ready.json["targets"]["out"]
            assert out["target"] == "cloud"
            assert out["reasons"][0]["reason"] == "unhealthy"
            assert "503" in out["reasons"][0]["detail"]
            table[("GET", "/health")] = (204, {})
            await out_for(running, "cloud")
            assert (await running.admin("/readyz")).json["targets"] == {
                "in_service": 3,
                "out": [],
                "breaker_open": [],
            }

    run(test())
    said = capfd.readouterr().err
    assert "the target `cloud` is out (unhealthy): its health path answered 503, 2 times in a row" in said
    assert "the target `cloud` is back: unhealthy no longer holds" in said


def test_a_target_that_is_out_gets_no_request_and_the_next_one_does(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, probing=True, targets={"cloud": HEALTH % "cloud"}) as running:
            running.recorders["cloud"].answer = status(500)
            await out_for(running, "cloud", Why.UNHEALTHY)
            answer = await running.ask(post("/v1/chat/completions", CHAT))
            assert answer.headers[b"x-policyd-target"] == b"spare"
            assert all(r.startswith(b"GET /health ") for r in running.recorders["cloud"].requests)

    run(test())


def test_where_every_target_is_out_the_sidecar_is_alive_and_not_ready(tmp_path: Path) -> None:
    async def test() -> None:
        targets = {name: HEALTH % name for name in ("home", "cloud", "spare")}
        async with three(tmp_path, probing=True, targets=targets) as running:
            for recorder in running.recorders.values():
                recorder.answer = status(500)
            await until(lambda: len(running.serving.out.all()) == 3)
            ready = await running.admin("/readyz")
            assert (ready.status, ready.json["status"]) == (503, "not ready")
            assert (await running.admin("/livez")).status == 200
            answer = await running.ask(post("/v1/chat/completions", CHAT))
            assert (answer.status, answer.code) == (503, "upstream_unavailable")
            assert b"retry-after" in answer.headers

    run(test())


def test_an_on_prem_server_with_models_that_run_elsewhere_is_out_before_the_first_request(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A local daemon that also serves models of a cloud looks like a local server, and a confidential prompt leaves."""
    tags: dict[str, Any] = {
        "models": [{"name": "big", "model": "big", "remote_host": "https://elsewhere.example"}]
    }
    table: Table = {("GET", "/api/tags"): (200, tags)}

    async def test() -> None:
        async with Recorder(by_table(table)) as daemon:
            urls = {"home": daemon.url}
            targets = {"home": f"[targets.home.probe]{OFTEN}"}
            async with three(tmp_path, probing=True, targets=targets, urls=urls) as running:
                assert reasons(running, "home") == [Why.REMOTE_MODELS]
                answer = await running.ask(post("/v1/chat/completions", CHAT, x_data_class="confidential"))
                assert (answer.status, answer.code) == (503, "upstream_unavailable")
                assert not [r for r in daemon.requests if r.startswith(b"POST")]
                tags["models"] = [{"name": "small", "model": "small"}]
                await out_for(running, "home")

    run(test())
    assert "which runs elsewhere" in capfd.readouterr().err


def test_a_server_that_cuts_a_long_prompt_and_says_200_is_taken_out(tmp_path: Path) -> None:
    """A long prompt is cut to 4,096 tokens without a word, and the answer is about its beginning only."""

    def cutting(body: dict[str, Any]) -> tuple[int, object]:
        read = len(body["messages"][0]["content"]) // 4
        return 200, {"choices": [], "usage": {"prompt_tokens": min(read, 4096)}}

    table: Table = {("POST", "/v1/chat/completions"): cutting}

    async def test() -> None:
        async with Recorder(by_table(table)) as cloud:
            targets = {"cloud": 'model = "m"\n[targets.cloud.probe]\ncontext = true'}
            async with three(tmp_path, probing=True, targets=targets, urls={"cloud": cloud.url}) as running:
                await out_for(running, "cloud", Why.CONTEXT_SMALLER)
                (out,) = running.serving.out.all()["cloud"]
                assert "4,096" in out.detail

    run(test())


def test_a_probe_passes_the_gate_with_the_targets_credential_and_nothing_of_a_caller(tmp_path: Path) -> None:
    async def test() -> None:
        (tmp_path / "key").write_text("sk-target")
        more = 'dialects = ["openai", "anthropic"]\ncredential = { file = "key" }\nheaders = { x-org = "ours" }\nmodel = "m"\n'
        more += "send = { provider = { zdr = true } }\n"
        targets = {"cloud": more + "[targets.cloud.probe]\nmodels = true\ndialects = true"}
        async with three(tmp_path, probing=True, targets=targets) as running:
            await running.ask(post("/v1/chat/completions", CHAT, authorization="Bearer sk-caller"))
            await looked(running, "cloud", "dialects", 0)
            cloud = running.recorders["cloud"]
            await until(lambda: any(b"POST /v1/embeddings" in r for r in cloud.requests))
            probes = [r for r in cloud.requests if b"\r\nuser-agent: policyd-probe\r\n" in r]
            assert len(probes) > 5
            assert all(b"\r\nauthorization: Bearer sk-target\r\n" in r for r in probes)
            assert all(b"\r\nx-org: ours\r\n" in r for r in probes)
            assert not [r for r in cloud.requests if b"sk-caller" in r]
            posts = [r for r in probes if r.startswith(b"POST")]
            assert posts and all(b'"provider":{"zdr":true}' in r and b'"model":"m"' in r for r in posts)
            assert running.recorders["spare"].requests == []

    run(test())


def test_a_redirect_of_a_probe_is_not_followed(tmp_path: Path) -> None:
    async def test() -> None:
        async with Recorder() as elsewhere:
            moved = b"HTTP/1.1 302 Found\r\nlocation: %b/health\r\ncontent-length: 0\r\n\r\n"
            async with three(tmp_path, probing=True, targets={"cloud": HEALTH % "cloud"}) as running:
                running.recorders["cloud"].answer = saying(moved % elsewhere.url.encode())
                await out_for(running, "cloud", Why.UNHEALTHY)
                assert elsewhere.connections == 0

    run(test())


def test_a_look_that_is_turned_off_leaves_nobody_out(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, probing=True, targets={"cloud": HEALTH % "cloud"}) as running:
            running.recorders["cloud"].answer = status(500)
            await out_for(running, "cloud", Why.UNHEALTHY)
            running.deployment.write_text(running.deployment.read_text().replace(HEALTH % "cloud", ""))
            await out_for(running, "cloud")

    run(test())


def test_what_was_found_out_about_one_place_says_nothing_about_another(tmp_path: Path) -> None:
    async def test() -> None:
        # It would not come back for its health alone.
        targets = {"cloud": (HEALTH % "cloud").replace("\nhealthy_after = 2", "\nhealthy_after = 1000")}
        async with Recorder(by_table(WELL)) as new, three(tmp_path, probing=True, targets=targets) as running:
            old = running.recorders["cloud"]
            old.answer = status(500)
            await out_for(running, "cloud", Why.UNHEALTHY)
            text = running.deployment.read_text()
            running.deployment.write_text(text.replace(old.url, new.url))
            await out_for(running, "cloud")
            await until(lambda: len(new.requests) > 2)
            assert reasons(running, "cloud") == []

    run(test())


def test_a_reload_that_does_not_touch_a_target_leaves_it_out(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, probing=True, targets={"cloud": HEALTH % "cloud"}) as running:
            running.recorders["cloud"].answer = status(500)
            await out_for(running, "cloud", Why.UNHEALTHY)
            before = running.serving.sidecar.live
            since = running.serving.out.all()["cloud"][0].since
            running.policy.write_text(running.policy.read_text() + "\n# a word more\n")
            running.deployment.write_text(running.deployment.read_text() + "\n[limits]\nbody = 1000\n")
            await until(lambda: running.serving.sidecar.live is not before)
            assert running.serving.out.all()["cloud"][0].since == since

    run(test())


def test_reasons_of_two_looks_come_and_go_on_their_own(tmp_path: Path) -> None:
    table: Table = {("GET", "/health"): (500, {}), ("GET", "/v1/models"): models({"id": "other"})}

    async def test() -> None:
        targets = {"cloud": f'model = "m"\n{HEALTH % "cloud"}\n{MODELS % "cloud"}'}
        async with three(tmp_path, probing=True, targets=targets) as running:
            running.recorders["cloud"].answer = by_table(table)
            await until(lambda: set(reasons(running, "cloud")) == {Why.UNHEALTHY, Why.MODEL_ABSENT})
            table[("GET", "/v1/models")] = models({"id": "m"})
            await out_for(running, "cloud", Why.UNHEALTHY)
            table[("GET", "/health")] = (200, {})
            await out_for(running, "cloud")
            (found,) = [t for t in (await running.admin("/targets")).json if t["target"] == "cloud"]
            assert found["in_service"] and set(found["looks"]) == {"health", "models"}

    run(test())


def test_a_server_that_is_down_contradicts_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, probing=True, targets={"home": f"[targets.home.probe]{OFTEN}"}) as running:

            async def dropping(peer: Any, _: bytes) -> None:
                peer.reset()

            running.recorders["home"].answer = dropping
            await looked(running, "home", "models", 3)
            assert reasons(running, "home") == []

    run(test())


def test_nothing_is_asked_of_a_target_in_the_cloud_unless_the_deployment_says_so(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, probing=True, targets={"home": f"[targets.home.probe]{OFTEN}"}) as running:
            await looked(running, "home", "models", 2)
            assert running.recorders["cloud"].connections == running.recorders["spare"].connections == 0

    run(test())


def test_the_watching_ends_with_the_sidecar(tmp_path: Path) -> None:
    async def test() -> None:
        before = asyncio.all_tasks()
        async with three(tmp_path, probing=True, targets={"cloud": HEALTH % "cloud"}) as running:
            await looked(running, "cloud", "health", 1)
        assert asyncio.all_tasks() == before

    run(test())


def test_targets_that_come_and_go_under_load_lose_no_request(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            answered: list[tuple[str, bytes]] = []
            going = True

            async def asking(label: str) -> None:
                async with Keeping(running.port) as client:
                    request = post("/v1/chat/completions", CHAT, connection="keep-alive", x_data_class=label)
                    while going:
                        answer = await client.ask(request)
                        assert answer.status == 200
                        answered.append((label, answer.headers[b"x-policyd-target"]))

            clients = [asyncio.create_task(asking(label)) for label in ("internal", "confidential") * 3]
            out = running.serving.out
            for _ in range(40):
                out.take_out("cloud", Why.UNHEALTHY, "for the test")
                seen = len(running.recorders["cloud"].requests)
                before = len(answered)
                await until(
                    lambda before=before: len(answered) > before + 12 or any(c.done() for c in clients)
                )  # type: ignore[misc]
                # One that was on its way to it may still arrive, from each client.
                assert len(running.recorders["cloud"].requests) <= seen + len(clients)
                out.bring_back("cloud", Why.UNHEALTHY)
                before = len(answered)
                await until(
                    lambda before=before: len(answered) > before + 12 or any(c.done() for c in clients)
                )  # type: ignore[misc]
            going = False
            await asyncio.gather(*clients)
            assert {target for label, target in answered if label == "internal"} == {b"cloud", b"spare"}
            assert {target for label, target in answered if label == "confidential"} == {b"home"}

    run(test())
