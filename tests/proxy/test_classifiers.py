"""A company's own classifier in a sidecar: its findings decide, and its failure counts as all of them."""

import asyncio
import gc
import json
import os
from pathlib import Path
from time import time

import pytest

from policyd.proxy.live import Live
from policyd.proxy.reload import NotLive, bring_up
from tests.plugins.package import installed
from tests.proxy.bench import CHAT, LOOPBACK, POLICY, deployment_text, post, records, three
from tests.upstream.scripted import run, until

GUARDED = POLICY.replace('contains any { "secret",', 'contains any { "custom.acme", "secret",')
DECLARED = '[classifiers.acme]\nfindings = ["custom.acme"]\ntimeout = "20s"\n'
URLS = {"home": "http://127.0.0.1:9", "cloud": "http://127.0.0.1:10", "spare": "http://127.0.0.1:11"}
CHATS = "/v1/chat/completions"


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(installed(folder)))


def saying(text: str) -> bytes:
    return post(CHATS, json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode())


def test_what_it_finds_stays_home_and_the_rest_does_not(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, policy=GUARDED, extra=DECLARED) as running:
            plain = await running.ask(post(CHATS, CHAT))
            assert plain.headers[b"x-policyd-target"] == b"cloud"
            found = await running.ask(saying("about codename nothing else"))
            assert found.headers[b"x-policyd-target"] == b"home"
            metrics = (await running.admin("/metrics")).body.decode()
            assert (
                'policyd_classifier_questions_total{policyd_classifier="acme",policyd_result="answered"}'
                in metrics
            )

    run(test())


@pytest.mark.parametrize("text", ["die", "raise", "undeclared", "outside"])
def test_what_it_does_not_answer_stays_home(tmp_path: Path, text: str) -> None:
    async def test() -> None:
        async with three(tmp_path, policy=GUARDED, extra=DECLARED) as running:
            answer = await running.ask(saying(f"{text} and some words more, as long as a text of its own"))
            assert answer.headers[b"x-policyd-target"] == b"home"

    run(test())


DENIED = POLICY.replace(
    "guard ", 'deny projects when findings contains "custom.acme" because "no projects"\nguard ', 1
)


def test_who_did_not_answer_is_told_and_nothing_is_said_to_be_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def test() -> None:
        async with three(tmp_path, policy=DENIED, extra=DECLARED) as running:
            answer = await running.ask(saying("raise and some words more, as long as a text of its own"))
            error = json.loads(answer.body)["error"]
            assert "the classifier `acme` did not answer, so its findings count as found" in error["message"]
            assert "found:" not in error["message"]
            told = {"finding": "custom.acme", "where": "unanswered", "place": "acme"}
            assert error["policyd"]["found"] == [told]
            ready = await running.admin("/readyz")
            assert ready.status == 200
            assert json.loads(ready.body)["classifiers"] == {
                "acme": {"status": "failing", "because": "error"}
            }
            found = await running.ask(saying("the codename"))
            message = json.loads(found.body)["error"]["message"]
            assert "found: custom.acme in messages[0].content (user)" in message
            assert "did not answer" not in message
            answered = json.loads((await running.admin("/readyz")).body)["classifiers"]
            assert answered == {"acme": {"status": "answering", "because": None}}

    run(test())
    first, _ = records(tmp_path / "decisions.jsonl")
    assert first["found"] == [{"finding": "custom.acme", "where": "unanswered", "place": "acme"}]
    said = capsys.readouterr().err
    assert said.count("the classifier `acme` does not answer (error)") == 1
    assert said.count("the classifier `acme` answers again") == 1


def test_others_are_answered_while_it_hangs(tmp_path: Path) -> None:
    """It is asked in a thread: the event loop has nothing to wait for."""

    async def test() -> None:
        async with three(tmp_path, policy=GUARDED, extra=DECLARED.replace("20s", "500ms")) as running:
            slow = asyncio.create_task(
                running.ask(saying("hang and some words more, as long as a text of its own"))
            )
            (tally,) = running.serving.sidecar.live.classifiers.tallies.values()
            await until(lambda: tally.asked == 1)
            assert tally.failed == {}
            alive = await running.ask(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            assert alive.status == 200 and not slow.done()
            assert (await slow).headers[b"x-policyd-target"] == b"home"

    run(test())


def test_a_reload_starts_another_one_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, policy=GUARDED, extra=DECLARED) as running:
            toml = running.deployment.read_text()
            running.deployment.write_text(
                toml.replace("[classifiers.acme]\n", '[classifiers.acme]\nentry_point = "broken"\n')
            )
            await until(lambda: running.serving.reloader.state.failures == 1)
            assert [d.code for d in running.serving.reloader.state.failed] == ["PD557"]
            found = await running.ask(saying("a codename"))
            assert found.headers[b"x-policyd-target"] == b"home"
            running.deployment.write_text(
                toml.replace("[classifiers.acme]\n", '[classifiers.acme]\noptions = { word = "nandu" }\n')
            )
            await until(lambda: running.serving.reloader.state.reloads == 1)
            assert (await running.ask(saying("a nandu"))).headers[b"x-policyd-target"] == b"home"
            assert (await running.ask(saying("a codename"))).headers[b"x-policyd-target"] == b"cloud"

    run(test())


@pytest.mark.parametrize(
    ("declared", "code"),
    [
        (DECLARED + 'entry_point = "nobody"\n', "PD557"),
        (DECLARED + 'network = "nowhere"\n', "PD555"),
        (DECLARED + 'network = "cloud"\n', "PD556"),
        (DECLARED.replace("custom.acme", "customs"), "PD505"),
    ],
)
def test_what_cannot_be_is_not_served(tmp_path: Path, declared: str, code: str) -> None:
    (tmp_path / "sidecar.policy").write_text(GUARDED)
    toml = tmp_path / "policyd.toml"
    toml.write_text(deployment_text(URLS, LOOPBACK, declared, {}))
    live = bring_up(toml, {}, time())
    assert isinstance(live, NotLive)
    assert [d.code for d in live.diagnostics if d.severity == "error"] == [code]


def test_what_a_package_raised_stands_at_its_table_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "sidecar.policy").write_text(GUARDED)
    toml = tmp_path / "policyd.toml"
    second = '[classifiers.second]\nfindings = ["custom.acme"]\n'
    for entry_point, key, cure in (
        ("broken", "second", "mend the package"),
        ("nobody", "entry_point", "install the package"),
    ):
        extra = f'{DECLARED}{second}entry_point = "{entry_point}"\n'
        toml.write_text(deployment_text(URLS, LOOPBACK, extra, {}))
        live = bring_up(toml, {}, time())
        assert isinstance(live, NotLive)
        (found,) = [d for d in live.diagnostics if d.severity == "error"]
        assert found.span is not None and found.help is not None and found.help.startswith(cure)
        line = toml.read_text().splitlines()[int(found.span.place.split(":")[-2]) - 1]
        assert key in line and "second" in found.message
        assert ("acme_dlp.py:" in found.message) == (entry_point == "broken")
        if entry_point == "broken":
            assert "RuntimeError: the model file is missing (raised at " in found.message


def test_a_network_on_a_machine_that_every_guard_allows_is_let_be(tmp_path: Path) -> None:
    (tmp_path / "sidecar.policy").write_text(GUARDED)
    toml = tmp_path / "policyd.toml"
    toml.write_text(deployment_text(URLS, LOOPBACK, DECLARED + 'network = "home"\n', {}))
    live = bring_up(toml, {}, time())
    assert isinstance(live, Live)
    live.classifiers.close()


def test_no_process_is_left_when_the_sidecar_ends_or_another_one_serves(tmp_path: Path) -> None:
    async def test() -> list[int]:
        async with three(tmp_path, policy=GUARDED, extra=DECLARED) as running:
            before = running.serving.sidecar.live.classifiers.processes
            toml = running.deployment.read_text()
            running.deployment.write_text(
                toml.replace("[classifiers.acme]\n", '[classifiers.acme]\noptions = { word = "nandu" }\n')
            )
            await until(lambda: running.serving.reloader.state.reloads == 1)
            after = running.serving.sidecar.live.classifiers.processes
            assert len(before) == len(after) == 1 and before != after
            return [*before, *after]

    processes: list[int] = []

    async def kept() -> None:
        processes.extend(await test())

    run(kept())
    gc.collect()
    for pid in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
