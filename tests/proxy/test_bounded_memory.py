"""What a caller can make a sidecar keep: every memory has a bound in entries and in bytes, and targets that went are forgotten."""

import asyncio
import gc
import importlib
import pkgutil
import tracemalloc
from collections.abc import Iterator
from functools import _lru_cache_wrapper
from pathlib import Path
from typing import Any, Final

import pytest

import policyd.deploy
import policyd.detect
import policyd.plugins
import policyd.proxy
import policyd.redact
import policyd.traffic
import policyd.translate
from policyd.proxy.observe import MOST_CALLERS, sight_of
from policyd.proxy.standing import Why
from policyd.resolve.load import load_text
from tests.proxy.bench import CHAT, OK, POLICY, deployment_text, post, sidecar
from tests.proxy.keeping import Keeping
from tests.upstream.scripted import Peer, Scripted, run, until

LENGTHS: Final = {
    "policyd.detect.builtin.built_in": "no argument",
    "policyd.detect.builtin.engine_with": "rules of the deployment",
    "policyd.detect.cards._expressions": "no argument",
    "policyd.detect.disguises._signs": "sizes of a closed set",
    "policyd.detect.encodings._kept_escape": "runs of at most 12 bytes",
    "policyd.detect.encodings._kept_hex": "runs of at most 12 bytes",
    "policyd.detect.encodings._kept_entity": "runs of at most 12 bytes",
    "policyd.detect.iban._expression": "no argument",
    "policyd.detect.identifiers._of_library": "names of a closed table",
    "policyd.detect.labelled._assigned": "no argument",
    "policyd.detect.labelled._vendors": "no argument",
    "policyd.detect.labelled.names_a_secret": "labels of at most 120 characters",
    "policyd.detect.labels._compiled": "no argument",
    "policyd.detect.mail_addresses._expression": "no argument",
    "policyd.detect.networks._expressions": "no argument",
    "policyd.detect.persons._expression": "no argument",
    "policyd.detect.phones._by_key": "no argument",
    "policyd.detect.phones._digits": "no argument",
    "policyd.detect.phones._expressions": "no argument",
    "policyd.detect.rules.expression_of": "expressions of the deployment",
    "policyd.detect.samples._class": "classes of the deployment's expressions",
    "policyd.detect.scanner._one": "sets of findings, which are a closed vocabulary",
    "policyd.detect.scanner._shared": "no argument",
    "policyd.detect.stretches.on_re2": "expressions of a closed table",
    "policyd.detect.visible._forms": "no argument",
    "policyd.detect.visible._table": "no argument",
    "policyd.proxy.declared_keys._known": "texts of the deployment file",
    "policyd.proxy.gate._refuse_name": "names of at most 128 bytes",
    "policyd.proxy.gate._refuse_path": "paths of at most 128 bytes, and prefixes of the deployment file",
    "policyd.proxy.host._is_ours": "hosts of at most 300 bytes",
    "policyd.proxy.identity_names._end": "ends of certificates that an authority of the deployment signed",
    "policyd.proxy.identity_names._lies_in": "addresses of connections, and networks of the deployment file",
    "policyd.proxy.lanes.shared_lanes": "no argument",
    "policyd.proxy.observe._admit_model": "names of at most 256 characters",
    "policyd.proxy.observe._admit_text": "values of at most 256 bytes",
    "policyd.proxy.observe._of_flags": "sets of a closed vocabulary",
    "policyd.proxy.outbound._is_private": "names of at most 128 bytes",
    "policyd.proxy.outbound._passing": "at most 32 names of together at most 512 bytes, and the policy's own",
    "policyd.proxy.record._day": "days of the calendar",
    "policyd.proxy.record._printed": "texts of at most 201 characters",
    "policyd.proxy.redacting._own_key": "no argument",
    "policyd.proxy.telemetry.otlp._named": "attributes of spans: names of the policy and the deployment, and ids",
    "policyd.proxy.weigh._shifted": "numbers of the policy, and the most that an answer may have",
    "policyd.traffic.body._envelope": "headers of together at most 128 characters",
    "policyd.traffic.language._identifier": "no argument",
    "policyd.traffic.reach._variant_of": "keys of at most 64 characters",
    "policyd.traffic.task._searches": "no argument",
    "policyd.traffic.tokens._shared": "no argument",
    "policyd.traffic.tokens._vocabulary": "names of a closed vocabulary",
}
"""Every function that remembers answers, and what bounds the length of what it remembers."""

POLICY_WITH_TEXT: Final = POLICY.replace(
    "string team ", 'string project     from header "x-project"  unknown "none"\nstring team '
).replace("route blocked  to cloud               when", 'route blocked  to cloud when project == "p" or')

LONG: Final = 30_000
MANY: Final = 300
MOST_GROWTH: Final = 2 * 1024 * 1024
"""Bytes; one memory of the long values of all requests would be `LONG * MANY`, 9 million."""


PACKAGES: Final = (
    policyd.proxy,
    policyd.traffic,
    policyd.detect,
    policyd.redact,
    policyd.plugins,
    policyd.deploy,
    policyd.translate,
)


def remembering() -> Iterator[tuple[str, Any]]:
    for package in PACKAGES:
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            module = importlib.import_module(found.name)
            for name, value in vars(module).items():
                if isinstance(value, _lru_cache_wrapper) and value.__module__ == module.__name__:
                    yield f"{module.__name__}.{name}", value


def test_every_function_that_remembers_says_how_much() -> None:
    caches = dict(remembering())
    assert all(cache.cache_info().maxsize is not None for cache in caches.values())
    assert len(caches) > 10
    assert set(caches) == set(LENGTHS), "say in the table what bounds the length of its arguments"


async def fine(peer: Peer, _: int) -> None:
    while await peer.request():
        await peer.send(OK)


def asking(kind: str, number: int) -> bytes:
    """One request with something long that no other has."""
    long = f"{number:06}".ljust(LONG, "x")
    match kind:
        case "a header of the policy":
            return post("/v1/chat/completions", CHAT, connection="keep-alive", x_project=long)
        case "a label outside its domain":
            return post("/v1/chat/completions", CHAT, connection="keep-alive", x_data_class=long)
        case "another header's value":
            return post("/v1/chat/completions", CHAT, connection="keep-alive", x_other=long)
        case "a header's name":
            return post("/v1/chat/completions", CHAT, {f"x-{long}": "1"}, connection="keep-alive")
        case "a host":
            return post("/v1/chat/completions", CHAT, connection="keep-alive", host=long)
        case "a model":
            return post("/v1/chat/completions", CHAT | {"model": long}, connection="keep-alive")
        case "a key of the body":
            return post("/v1/chat/completions", CHAT | {long: 1}, connection="keep-alive")
        case "a credential":
            return post("/v1/chat/completions", CHAT, connection="keep-alive", authorization=f"Bearer {long}")
        case _:
            return post("/v1/chat/completions", CHAT, connection="keep-alive", x_request_id=f"{number}")


KINDS: Final = (
    "a header of the policy", "a label outside its domain", "another header's value", "a header's name", "a host", "a model",
    "a key of the body", "a credential", "nothing long",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_caller_sends_is_not_kept(tmp_path: Path, kind: str) -> None:
    """A gateway kept every distinct value that it had seen, and grew to 40 GiB."""

    async def test() -> None:
        async with Scripted(fine) as server:
            url = f"http://127.0.0.1:{server.port}"
            urls = {"home": url, "cloud": url.replace("127.0.0.1", "localhost"), "spare": f"{url}/spare"}
            async with sidecar(tmp_path, {}, policy=POLICY_WITH_TEXT, urls=urls) as running:
                async with Keeping(running.port) as client:
                    for number in range(40):
                        await client.ask(asking(kind, number))
                    gc.collect()
                    tracemalloc.start()
                    try:
                        before, _ = tracemalloc.get_traced_memory()
                        for number in range(40, 40 + MANY):
                            await client.ask(asking(kind, number))
                        gc.collect()
                        after, _ = tracemalloc.get_traced_memory()
                    finally:
                        tracemalloc.stop()
                assert after - before < MOST_GROWTH
                assert running.serving.sidecar.held == 0

    run(test())


def test_callers_that_never_come_back_are_forgotten() -> None:
    program = load_text(POLICY).program
    assert program is not None
    sight = sight_of(program, (("origin", "eu"),), "UTC")
    for number in range(MOST_CALLERS + 500):
        values = sight.before_body("chat", [], {"team": f"team-{number}"}, 1_800_000_000.0)
        assert isinstance(values, dict) and values["team"] == f"team-{number}"
    assert len(sight._claims) == MOST_CALLERS
    long = {"team": "search", "other": "x" * 10_000}
    assert isinstance(sight.before_body("chat", [], long, 1_800_000_000.0), dict)
    assert not any(claims is long for claims, _ in sight._claims.values())


def test_targets_that_went_leave_nothing_behind(tmp_path: Path) -> None:
    def policy(number: int) -> str:
        return POLICY.replace("to cloud, spare", "to spare, cloud").replace("spare", f"spare{number}")

    async def test() -> None:
        async with Scripted(fine) as server:
            url = f"http://127.0.0.1:{server.port}"
            cloud = url.replace("127.0.0.1", "localhost")

            def urls(number: int) -> dict[str, str]:
                return {"home": url, "cloud": cloud, f"spare{number}": f"{url}/spare"}

            first = {"home": url, "cloud": cloud, "spare": f"{url}/spare"}
            async with sidecar(tmp_path, {}, urls=first, probing=True) as running:
                serving = running.serving
                for number in range(12):
                    reloads = serving.reloader.state.reloads
                    (tmp_path / "new.policy").write_text(policy(number))
                    text = deployment_text(urls(number), 'kind = "loopback"\nteam = "search"', "", {})
                    running.deployment.with_suffix(".new").write_text(
                        text.replace("sidecar.policy", "new.policy")
                    )
                    running.deployment.with_suffix(".new").replace(running.deployment)
                    serving.reloader.ask()
                    await until(lambda before=reloads: serving.reloader.state.reloads > before)  # type: ignore[misc]
                    assert (await running.ask(post("/v1/chat/completions", CHAT))).status == 200
                    serving.out.take_out(f"spare{number}", Why.UNHEALTHY, "for the test")
                serving.reloader.ask()
                road = serving.sidecar.road
                targets = set(serving.sidecar.live.serving.targets)
                assert targets == {"home", "cloud", "spare11"}
                assert set(road.gate._added) <= targets
                assert set(road.upstream._pools) == targets
                assert set(road.targets._states) <= targets
                assert serving.prober is not None
                assert {w.expected.name for w in serving.prober.watched()} == targets
                assert set(serving.out.all()) <= targets
                assert sum(1 for task in asyncio.all_tasks() if "Prober" in repr(task.get_coro())) == 1

    run(test())
