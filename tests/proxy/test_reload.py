"""A deployment file that changes under a running sidecar: everything in it takes effect at once, or nothing does."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from policyd.deploy.keys import hash_key
from policyd.proxy.live import Live
from policyd.proxy.reload import LoadState, Reloader
from tests.proxy.bench import CHAT, OK, Answer, Recorder, Running, exchange, hanging, post, three
from tests.upstream.scripted import Peer, run, until

KEYS = f'kind = "api-keys"\nkeys = [{{ sha256 = "{hash_key("old")}", team = "search" }}]'
ASK = post("/v1/chat/completions", CHAT)


async def change(running: Running, before: str, after: str) -> None:
    """Changes the deployment file in one step and waits until it was loaded, for good or bad."""
    text = running.deployment.read_text()
    assert before in text
    state = running.serving.reloader.state
    new = running.deployment.with_suffix(".new")
    new.write_text(text.replace(before, after))
    new.replace(running.deployment)
    await until(lambda: running.serving.reloader.state.at > state.at)


def loaded(running: Running) -> bool:
    return not running.serving.reloader.state.failed


async def with_key(running: Running, key: str) -> Answer:
    return await running.ask(post("/v1/chat/completions", CHAT, authorization=f"Bearer {key}"))


def test_a_revoked_key_is_refused_and_a_new_one_works(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, identity=KEYS) as running:
            assert [(await with_key(running, key)).status for key in ("old", "new")] == [200, 401]
            await change(running, hash_key("old"), hash_key("new"))
            assert loaded(running)
            assert [(await with_key(running, key)).status for key in ("old", "new")] == [401, 200]

    run(test())


def test_a_key_that_is_revoked_while_the_body_comes_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, identity=KEYS) as running:
            request = post("/v1/chat/completions", CHAT, authorization="Bearer old")
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(request[:-3])
            sidecar = running.serving.sidecar
            await until(lambda: sidecar._room.held > 0)
            await change(running, hash_key("old"), hash_key("new"))
            writer.write(request[-3:])
            assert (await reader.read()).startswith(b"HTTP/1.1 401")
            writer.close()
            assert running.sent_anywhere() == 0

    run(test())


def test_a_key_that_ends_while_the_body_comes_is_refused(tmp_path: Path) -> None:
    ends = KEYS.replace('team = "search"', 'team = "search", until = 2026-11-20T12:00:00Z')
    now = [datetime(2026, 11, 20, 11, 59, 59, tzinfo=UTC).timestamp()]

    async def test() -> None:
        async with three(tmp_path, identity=ends, clock=lambda: now[0]) as running:
            request = post("/v1/chat/completions", CHAT, authorization="Bearer old")
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(request[:-3])
            sidecar = running.serving.sidecar
            await until(lambda: sidecar._room.held > 0)
            now[0] += 2
            writer.write(request[-3:])
            assert (await reader.read()).startswith(b"HTTP/1.1 401")
            writer.close()
            assert running.sent_anywhere() == 0

    run(test())


def test_a_swap_that_fails_is_told_and_the_next_change_is_seen(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            told: list[LoadState] = []
            swapped: list[Live] = []

            def publish(live: Live) -> None:
                if not told:
                    raise OSError("no authorities on this machine")
                swapped.append(live)

            serving = running.serving.sidecar.live
            reloader = Reloader(
                running.deployment, {}, serving, publish, lambda state, _: told.append(state), seconds=60
            )
            watching = asyncio.create_task(reloader.run())
            reloader.ask()
            await until(lambda: len(told) == 1)
            assert [d.code for d in told[0].failed] == ["PD605"]
            reloader.ask()
            await until(lambda: len(told) == 2)
            assert not told[1].failed
            assert len(swapped) == 1
            watching.cancel()

    run(test())


BROKEN = {
    "no TOML": ("[features]", "[features", "PD502"),
    "an unknown key": ("[features]", "[featurs]", "PD503"),
    "no key at all": (f'keys = [{{ sha256 = "{hash_key("old")}", team = "search" }}]', "keys = []", "PD505"),
    "a secret that is not there": (
        "[targets.cloud]", '[targets.cloud]\ncredential = { env = "NOWHERE" }', "PD507",
    ),
    "a target without a place": ("[targets.cloud]", "[targets.clout]", "PD520"),
    "a feature that nobody gives": ('origin = "eu"', "", "PD526"),
    "a policy that is not there": ('policy = "sidecar.policy"', 'policy = "none.policy"', "none.policy"),
    "another port": ("port = 8484", "port = 9000", "restart needed: `listen.port`"),
    "another address": ("port = 8484", 'port = 8484\naddress = "127.0.0.2"', "restart needed: `listen.address`"),
    "a socket": ("port = 8484", 'unix = "x.sock"', "restart needed: `listen.unix`"),
    "another admin port": ("port = 8485", "port = 9000", "restart needed: `admin.port`"),
    "another log": ("decisions.jsonl", "other.jsonl", "restart needed: `log.path`"),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_what_cannot_serve_leaves_everything_as_it_was_and_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], before: str, after: str, said: str
) -> None:
    async def test() -> None:
        async with three(tmp_path, identity=KEYS) as running:
            serving = running.serving.sidecar.live
            text = running.deployment.read_text()
            await change(running, before, after)
            assert not loaded(running)
            assert running.serving.sidecar.live is serving
            assert (await with_key(running, "old")).status == 200
            ready = (await running.admin("/readyz")).json
            assert ready["status"] == "ready"
            assert any(said in error for error in ready["last_load"]["errors"]), ready
            running.deployment.write_text(text + "\n# mended\n")
            await until(lambda: loaded(running))

    run(test())
    assert said in capfd.readouterr().err


def test_the_next_request_goes_where_the_target_is_now(tmp_path: Path) -> None:
    async def test() -> None:
        async with Recorder() as moved, three(tmp_path) as running:
            cloud = running.recorders["cloud"]
            assert (await running.ask(ASK)).status == 200
            await change(running, cloud.url, moved.url)
            answer = await running.ask(ASK)
            assert (answer.status, answer.headers[b"x-policyd-target"]) == (200, b"cloud")
            assert (len(cloud.requests), len(moved.requests)) == (1, 1)
            # The free connections to the old place are closed.
            await until(lambda: cloud.open == 0)

    run(test())


def test_an_answer_under_way_is_finished_from_the_old_place(tmp_path: Path) -> None:
    async def test() -> None:
        arrived, go_on = asyncio.Event(), asyncio.Event()

        async def slow(peer: Peer, _: bytes) -> None:
            arrived.set()
            await go_on.wait()
            await peer.send(OK)

        async with Recorder() as moved, three(tmp_path) as running:
            cloud = running.recorders["cloud"]
            cloud.answer = slow
            asking = asyncio.create_task(running.ask(ASK))
            await arrived.wait()
            await change(running, cloud.url, moved.url)
            go_on.set()
            answer = await asking
            assert (answer.status, answer.clean) == (200, True)
            assert moved.connections == 0
            await until(lambda: cloud.open == 0)

    run(test())


def test_a_request_that_waits_for_the_old_place_is_decided_again(tmp_path: Path) -> None:
    only_cloud = 'kind = "loopback"\nteam = "cloud-only"'
    one = {"cloud": 'max_connections = 1\nconnect_timeout = "10s"'}

    async def test() -> None:
        async with Recorder() as moved, three(tmp_path, targets=one, identity=only_cloud) as running:
            cloud = running.recorders["cloud"]
            cloud.answer = hanging
            first = asyncio.create_task(running.ask(ASK))
            await until(lambda: len(cloud.requests) == 1)
            second = asyncio.create_task(running.ask(ASK))
            state = running.serving.sidecar.road.targets.get("cloud")
            assert state is not None
            await until(lambda: state.seats.waiting == 1)
            await change(running, cloud.url, moved.url)
            answer = await second
            assert (answer.status, answer.headers[b"x-policyd-target"]) == (200, b"cloud")
            assert (len(cloud.requests), len(moved.requests)) == (1, 1)
            assert all(not other.requests for n, other in running.recorders.items() if n != "cloud")
            first.cancel()

    run(test())


def test_limits_hold_from_the_next_request_on(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, extra='limits = { body = "1MiB", header = "64KiB" }') as running:
            wide = post("/v1/chat/completions", CHAT, x_padding="x" * 2000)
            assert [(await running.ask(r)).status for r in (ASK, wide)] == [200, 200]
            await change(running, '"64KiB"', "1000")
            assert (await exchange(running.port, wide)).status == 400
            await change(running, '"1MiB"', "20")
            answer = await running.ask(ASK)
            assert (answer.status, answer.code) == (413, "caller_too_large")
            await change(running, "body = 20", "in_flight = 20")
            assert (await running.ask(ASK)).code == "internal_overload"

    run(test())


def test_a_file_that_holds_a_secret_is_watched_too(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("first")

    async def test() -> None:
        async with three(tmp_path, targets={"cloud": 'credential = { file = "key" }'}) as running:
            await running.ask(ASK)
            before = running.serving.reloader.state.reloads
            secret.write_text("second")
            await until(lambda: running.serving.reloader.state.reloads > before)
            await running.ask(ASK)
            heads = running.recorders["cloud"].heads
            assert [
                b"authorization: Bearer first" in heads[0],
                b"authorization: Bearer second" in heads[1],
            ] == [
                True,
                True,
            ]

    run(test())


def test_the_same_files_again_are_the_same_generation(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            sidecar = running.serving.sidecar
            before = sidecar.live
            running.serving.reloader.ask()
            await until(lambda: running.serving.reloader.state.reloads == 1)
            assert sidecar.live is not before
            assert sidecar.live.serving.digest == before.serving.digest
            await change(running, 'origin = "eu"', 'origin = "us"')
            assert sidecar.live.ready.digest == before.ready.digest
            assert sidecar.live.serving.digest != before.serving.digest

    run(test())


RULE = "[[rules]]\nid = \"codename\"\nregex = '''{}'''\n"


def test_a_company_rule_holds_from_its_file_on_and_a_wrong_one_changes_nothing(tmp_path: Path) -> None:
    rules = tmp_path / "team.toml"
    rules.write_text(RULE.format("Orion"))

    async def test() -> None:
        async with three(tmp_path) as running:
            await change(running, "[features]", '[detectors]\nrules = ["team.toml"]\n[features]')
            assert loaded(running)
            live = running.serving.sidecar.live
            assert live.deployment.detectors.names == {"custom.codename"}
            assert live.weigher.scanner.scan(["Orion"]) == {"custom.codename"}
            state = running.serving.reloader.state
            rules.write_text(RULE.format("(Orion"))
            await until(lambda: running.serving.reloader.state.failures > state.failures)
            assert [d.code for d in running.serving.reloader.state.failed] == ["PD552"]
            assert running.serving.sidecar.live is live
            rules.write_text(RULE.format("Vega"))
            await until(lambda: running.serving.sidecar.live is not live)
            assert running.serving.sidecar.live.weigher.scanner.scan(["Orion", "Vega"]) == {"custom.codename"}
            assert running.serving.sidecar.live.weigher.scanner.scan(["Orion"]) == set()

    run(test())
