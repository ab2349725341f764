"""Ways to make a conversation forget what it has reached, each tried against a sidecar, its sockets and its files."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from policyd.deploy.keys import hash_key
from tests.conversations.given import CARD, KEYS, POLICY, SECRET, ask, chat, events, respond, responding
from tests.proxy.bench import Recorder, Running, records, sidecar
from tests.upstream.scripted import Peer, run, until

SESSION = "5f0c1f6e-7a52-4f0e-9d6c-2b8f3c1a4e77"
BOTH = KEYS % (hash_key("ana"), hash_key("ben"))


@asynccontextmanager
async def two(folder: Path, *ids: str, **options: Any) -> AsyncIterator[Running]:
    """`home` and `cloud` answer with the same row of ids."""
    answering = responding(*ids)
    async with (
        Recorder(answering) as home,
        Recorder(answering) as cloud,
        sidecar(
            folder, {"home": home, "cloud": cloud}, policy=options.pop("policy", POLICY), **options
        ) as running,
    ):
        yield running


def test_a_secret_and_then_the_id_of_its_answer_alone(tmp_path: Path) -> None:
    async def test() -> None:
        async with two(tmp_path, "resp_1", "resp_2", "resp_3") as running:
            assert await ask(running, respond(SECRET)) == "home"
            assert await ask(running, respond("and now?", previous_response_id="resp_1")) == "home"
            # What was reached is handed on from answer to answer.
            assert await ask(running, respond("and now?", previous_response_id="resp_2")) == "home"

    run(test())
    assert [r.get("conversation") for r in records(tmp_path / "decisions.jsonl")][:2] == [
        {"reached": {"sensitivity": "confidential"}},
        {"seen": {"sensitivity": "confidential"}, "reached": {"sensitivity": "confidential"}},
    ]


def test_an_answer_to_nothing_secret_is_continued_anywhere(tmp_path: Path) -> None:
    async def test() -> None:
        async with two(tmp_path, "resp_1", "resp_2") as running:
            assert await ask(running, respond("hello")) == "cloud"
            assert await ask(running, respond("and now?", previous_response_id="resp_1")) == "cloud"

    run(test())


def test_a_secret_and_then_a_history_without_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with two(tmp_path) as running:
            assert await ask(running, chat("hello", x_session_id=SESSION)) == "cloud"
            assert await ask(running, chat(SECRET, x_session_id=SESSION)) == "home"
            assert await ask(running, chat("hello", x_session_id=SESSION)) == "home"
            assert await ask(running, chat("hello", x_session_id="another")) == "cloud"
            assert await ask(running, chat("hello")) == "cloud"

    run(test())


def test_what_is_refused_has_not_left_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async def test() -> None:
        async with two(tmp_path) as running:
            assert await ask(running, chat(CARD, x_session_id=SESSION)) == "policy_denied"
            assert await ask(running, chat("hello", x_session_id=SESSION)) == "cloud"

    run(test())


def test_what_left_and_was_not_answered_is_remembered(tmp_path: Path) -> None:
    async def hang_up(peer: Any, _: bytes) -> None:
        peer.close()

    async def test() -> None:
        async with two(tmp_path) as running:
            running.recorders["home"].answer = hang_up
            assert await ask(running, chat(SECRET, x_session_id=SESSION)) == "upstream_unavailable"
            running.recorders["home"].answer = responding()
            assert await ask(running, chat("hello", x_session_id=SESSION)) == "home"

    run(test())


def test_an_id_of_another_caller_is_unknown(tmp_path: Path) -> None:
    async def test() -> None:
        async with two(tmp_path, "resp_1", "resp_2", "resp_3", identity=BOTH) as running:
            assert await ask(running, respond("hello", key="ana")) == "cloud"
            refused = await ask(running, respond("and now?", previous_response_id="resp_1", key="ben"))
            assert refused == "policy_denied"
            assert (
                await ask(running, respond("and now?", previous_response_id="resp_1", key="ana")) == "cloud"
            )

    run(test())


def test_a_caller_cannot_raise_the_conversation_of_another(tmp_path: Path) -> None:
    async def test() -> None:
        async with two(tmp_path, identity=BOTH) as running:
            assert await ask(running, chat(SECRET, x_session_id=SESSION, key="ben")) == "home"
            assert await ask(running, chat("hello", x_session_id=SESSION, key="ana")) == "cloud"

    run(test())


def test_ids_that_nobody_gave_are_at_the_highest_level(tmp_path: Path) -> None:
    forged = [
        {"previous_response_id": "resp_forged"},
        {"conversation": "conv_forged"},
        {"conversation": {"id": "conv_forged"}},
        {"input": [{"type": "item_reference", "id": "msg_forged"}]},
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-forged"}]}]},
    ]

    async def test() -> None:
        async with two(tmp_path, *(f"resp_{n}" for n in range(9))) as running:
            for more in forged:
                assert await ask(running, respond("hello", **more)) == "policy_denied", more
                assert await ask(running, respond("hello", x_latency="batch", **more)) == "home", more

    run(test())


def test_an_id_that_the_caller_put_into_an_answer_is_not_one_of_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with two(tmp_path, "resp_1", "resp_2") as running:
            mine = {"id": "resp_forged", "object": "response", "conversation": "conv_forged"}
            assert await ask(running, respond("hello", metadata=mine)) == "cloud"
            assert await ask(running, respond("x", previous_response_id="resp_forged")) == "policy_denied"
            assert await ask(running, respond("x", conversation="conv_forged")) == "policy_denied"

    run(test())


@pytest.mark.parametrize("later", [False, True], ids=["in its first bytes", "in later ones"])
def test_the_id_of_a_stream_is_known_when_the_caller_has_it(tmp_path: Path, later: bool) -> None:
    async def test() -> None:
        over, halfway = asyncio.Event(), asyncio.Event()

        async def slowly(peer: Peer, _: bytes) -> None:
            body = events({"id": "resp_1", "object": "response", "output": []})
            first = body[: body.index(b"\n\n") + 2]
            await peer.send(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
            )
            if later:
                await peer.send(b'data: {"type":"response.output_text.delta","delta":"hm"}\n\n')
                await halfway.wait()
            await peer.send(first)
            await over.wait()
            peer.close()

        async with two(tmp_path, "resp_2", "resp_3") as running:
            running.recorders["home"].answer = slowly
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(respond(SECRET, stream=True))
            if later:
                await reader.readuntil(b'"hm"')
                halfway.set()
            await reader.readuntil(b"resp_1")
            # The stream is not over, and its id already stands for what its request held.
            running.recorders["home"].answer = responding("resp_2")
            assert await ask(running, respond("x", previous_response_id="resp_1")) == "home"
            over.set()
            writer.close()

    run(test())


def test_parallel_requests_of_one_conversation(tmp_path: Path) -> None:
    async def test() -> None:
        async with two(tmp_path) as running:
            asked = [chat(SECRET if n == 3 else "hello", x_session_id=SESSION) for n in range(8)]
            await asyncio.gather(*(ask(running, request) for request in asked))
            assert await ask(running, chat("hello", x_session_id=SESSION)) == "home"

    run(test())


def test_a_request_that_was_forwarded_unscanned_is_scanned_before_the_next_is_decided(tmp_path: Path) -> None:
    async def test() -> None:
        async with two(tmp_path) as running:
            assert await ask(running, chat(SECRET, x_session_id=SESSION, x_latency="batch")) == "home"
            assert await ask(running, chat("hello", x_session_id=SESSION)) == "home"
            assert running.serving.sidecar.conversations.scanned == 1

    run(test())
    first, second = records(tmp_path / "decisions.jsonl")
    assert "findings" not in first["features"] and first["conversation"]["reached"] in (
        "later",
        {"sensitivity": "confidential"},
    )
    assert second["conversation"]["seen"] == {"sensitivity": "confidential"}


def test_the_next_request_waits_for_a_scan_that_takes_its_time(tmp_path: Path) -> None:
    async def test() -> None:
        async with two(tmp_path) as running:
            gate = asyncio.Event()
            slow(running, gate)
            assert await ask(running, chat(SECRET, x_session_id=SESSION, x_latency="batch")) == "home"
            conversations = running.serving.sidecar.conversations
            waiting = asyncio.create_task(ask(running, chat("hello", x_session_id=SESSION)))
            await until(lambda: conversations.waits == 1)
            assert running.recorders["cloud"].requests == [] and not waiting.done()
            gate.set()
            assert await waiting == "home"
            assert conversations.waited_out == 0

    run(test())


def test_a_scan_that_takes_too_long_leaves_the_next_at_the_highest_level(tmp_path: Path) -> None:
    async def test() -> None:
        async with two(tmp_path, extra='[conversations]\nwait = "50ms"\n') as running:
            gate = asyncio.Event()
            slow(running, gate)
            assert await ask(running, chat("hello", x_session_id=SESSION, x_latency="batch")) == "home"
            conversations = running.serving.sidecar.conversations
            assert await ask(running, chat("hello", x_session_id=SESSION)) == "policy_denied"
            assert conversations.waited_out == 1
            gate.set()
            await until(lambda: conversations.scanned == 1)
            # It was strict for that request, and the conversation is no more than it was.
            assert await ask(running, chat("hello", x_session_id=SESSION)) == "cloud"

    run(test())


def test_a_scan_that_fails_is_the_highest_level(tmp_path: Path) -> None:
    async def test() -> None:
        async with two(tmp_path) as running:
            weigher = running.serving.sidecar.live.weigher

            async def fails(*_: object) -> frozenset[str]:
                raise RuntimeError("a detector of somebody's")

            weigher.findings = fails  # type: ignore[method-assign]
            assert await ask(running, chat("hello", x_session_id=SESSION, x_latency="batch")) == "home"
            await until(lambda: running.serving.sidecar.conversations.failed == 1)
            assert await ask(running, chat("hello", x_session_id=SESSION)) == "policy_denied"

    run(test())


def test_the_answer_of_an_unscanned_request_is_continued_at_its_level(tmp_path: Path) -> None:
    async def test() -> None:
        async with two(tmp_path, "resp_1", "resp_2") as running:
            assert await ask(running, respond(SECRET, x_latency="batch")) == "home"
            assert await ask(running, respond("and now?", previous_response_id="resp_1")) == "home"

    run(test())


def test_a_sidecar_that_stops_waits_for_scans_up_to_its_limit(tmp_path: Path) -> None:
    async def test() -> None:
        gate = asyncio.Event()
        async with two(tmp_path, drain_seconds=5) as running:
            slow(running, gate)
            assert await ask(running, chat("hello", x_session_id=SESSION, x_latency="batch")) == "home"
            conversations = running.serving.sidecar.conversations
            asyncio.get_running_loop().call_later(0.05, gate.set)
        assert (conversations.scanned, conversations.failed) == (1, 0)
        async with two(tmp_path, drain_seconds=0) as running:
            slow(running, asyncio.Event())
            assert await ask(running, chat("hello", x_session_id=SESSION, x_latency="batch")) == "home"
            conversations = running.serving.sidecar.conversations
        assert (conversations.scanned, conversations.failed) == (0, 1)

    run(test())


def test_a_policy_with_other_words_reads_what_it_does_not_know_as_the_highest(tmp_path: Path) -> None:
    async def reload(running: Running, text: str) -> None:
        state = running.serving.reloader.state
        running.policy.write_text(text)
        running.serving.reloader.ask()
        await until(lambda: running.serving.reloader.state.at > state.at)
        assert not running.serving.reloader.state.failed

    async def test() -> None:
        async with two(tmp_path) as running:
            assert await ask(running, chat(SECRET, x_session_id=SESSION)) == "home"
            # The same word at another place in the order: the order of now counts.
            await reload(running, POLICY.replace("internal < confidential < restricted", "confidential < internal < restricted").replace("starts at internal", "starts at confidential").replace("sensitivity >= confidential", "sensitivity >= internal").replace("at least confidential  when findings", "at least internal  when findings"))  # fmt: skip
            assert await ask(running, chat("hello", x_session_id=SESSION)) == "cloud"
            # A word that is not there any more.
            await reload(running, POLICY.replace("confidential", "secret_stuff"))
            assert await ask(running, chat("hello", x_session_id=SESSION)) == "policy_denied"
            # A level of which nothing was said.
            await reload(running, POLICY.replace("sensitivity", "secrecy"))
            assert await ask(running, chat("hello", x_session_id=SESSION)) == "policy_denied"
            assert await ask(running, chat("hello", x_session_id="another")) == "cloud"

    run(test())


def test_a_policy_that_asks_for_no_conversation_remembers_none(tmp_path: Path) -> None:
    async def test() -> None:
        policy = POLICY.replace("    at least conversation for 8 hours\n", "")
        async with two(tmp_path, "resp_1", policy=policy) as running:
            assert await ask(running, respond(SECRET, x_session_id=SESSION)) == "home"
            assert running.serving.sidecar.conversations.state.store.entries == 0

    run(test())
    assert all("conversation" not in r for r in records(tmp_path / "decisions.jsonl"))


def slow(running: Running, gate: asyncio.Event) -> None:
    """Scans that end when the gate opens."""
    weigher = running.serving.sidecar.live.weigher
    findings = weigher.findings

    async def waiting(*arguments: Any) -> frozenset[str]:
        await gate.wait()
        return await findings(*arguments)

    weigher.findings = waiting  # type: ignore[method-assign]


def redacting(after: str) -> str:
    """The policy with a route before the last one that takes secrets out."""
    return POLICY.replace(
        "route rest ",
        f"route clean    to cloud with redact(secret){after} when endpoint == chat\nroute rest ",
    ).replace(
        "never location == cloud  when", 'never location == cloud and not redacts contains "secret"  when'
    )


@pytest.mark.parametrize("after", [True, False])
def test_what_a_redaction_took_out_before_guards_looked_has_not_left(tmp_path: Path, after: bool) -> None:
    """Where guards look after redaction, the conversation is raised by what is left; otherwise by what came."""
    policy = redacting(" after redaction" if after else "")

    async def test() -> None:
        async with two(tmp_path, policy=policy) as running:
            place = "cloud" if after else "home"
            assert await ask(running, chat(SECRET, x_session_id=SESSION)) == place
            assert await ask(running, chat("hello", x_session_id=SESSION)) == place
            # A card is taken out by nothing.
            batch = chat(CARD, x_session_id=SESSION, x_latency="batch")
            assert await ask(running, batch) == "home"
            assert await ask(running, chat("hello", x_session_id=SESSION, x_latency="batch")) == "home"
            assert await ask(running, chat(SECRET, x_session_id=SESSION)) == "policy_denied"

    run(test())
    assert all(SECRET.encode() not in r for r in (tmp_path / "decisions.jsonl").read_bytes().splitlines())


@pytest.mark.parametrize(
    "beside",
    [
        {"x_claude_code_session_id": "another-session"},
        {"x_opencode_session": "other"},
        {"metadata": {"user_id": "user_a_account_b_session_another-session"}},
        {"client_metadata": {"session_id": "other"}},
        {"metadata": {"session_id": "other"}},
        {"prompt_cache_key": "0a0c1f6e-7a52-4f0e-9d6c-2b8f3c1a4e77"},
    ],
)
@pytest.mark.parametrize("both_first", [False, True])
def test_an_id_beside_another_hides_neither(tmp_path: Path, beside: dict[str, Any], both_first: bool) -> None:
    """A gateway takes the first id that it finds: another one in front of it begins a conversation anew."""

    async def test() -> None:
        async with two(tmp_path) as running:
            one = {"x_session_id": SESSION}
            first, then = (one | beside, one) if both_first else (one, one | beside)
            assert await ask(running, chat(SECRET, **first)) == "home"
            assert await ask(running, chat("hello", **then)) == "home"

    run(test())
