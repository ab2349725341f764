"""What users of other gateways met where content went to whom it may not, or authority came from nowhere: each a test.

Everything is asked of a whole sidecar over sockets. A docstring says what went wrong elsewhere. Leaks by streaming and by faults
are in `tests/proxy/test_reliability.py`, declared privacy fields in `tests/proxy/test_onward.py`.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from time import time
from typing import Any, Final

import orjson
import pytest

from policyd.detect.scanner import DetectorFailed, Scanner
from policyd.proxy.reload import NotLive, bring_up
from policyd.proxy.standing import Why
from policyd.text.diagnostic import Severity
from tests.proxy.bench import (
    CHAT,
    MESSAGES,
    OK,
    POLICY,
    SECRET,
    Answering,
    Running,
    closing,
    deployment_text,
    get,
    hanging,
    parsed,
    post,
    records,
    saying,
    status,
    three,
)
from tests.upstream.scripted import Peer, run, until

TEAMS: Final = POLICY.replace(
    "deny  no_batch",
    'guard interns_stay  only location == on_prem  when team == "intern"  because "interns use our own machines"\ndeny  no_batch',
)


def keys(*teams: str) -> str:
    """An identity in which a team's key is its name."""
    entries = (f'[[identity.keys]]\nsha256 = "{sha256(t.encode()).hexdigest()}"\nteam = "{t}"' for t in teams)
    return 'kind = "api-keys"\n' + "\n".join(entries)


def asked(path: str, body: dict[str, object], **headers: str) -> bytes:
    return post(path, body, **headers)


CONFIDENTIAL = post("/v1/messages", MESSAGES, x_data_class="confidential")
FAULTS: Final[dict[str, Answering]] = {
    "it is down": closing,
    "it is overloaded": status(529),
    "it limits its rate": status(429, extra=b"retry-after: 0\r\n"),
    "it fails": status(500),
    "it says that the prompt is too long": status(400),
}


def nothing_left(running: Running, *targets: str) -> None:
    for name in targets or ("cloud", "spare"):
        assert running.recorders[name].connections == 0


# Fallbacks.


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fallback_has_the_permissions_of_its_caller(tmp_path: Path, fault: str) -> None:
    """The fallback's model was one that the calling key had no permission for: permissions were asked once, for the first."""

    async def test() -> None:
        async with three(tmp_path, policy=TEAMS, identity=keys("intern", "search")) as running:
            running.recorders["home"].answer = FAULTS[fault]
            answer = await running.ask(post("/v1/messages", MESSAGES, x_api_key="intern"))
            assert answer.status >= 400
            nothing_left(running)
            assert (await running.ask(post("/v1/messages", MESSAGES, x_api_key="search"))).status == 200

    run(test())


def test_a_prompt_that_is_too_long_goes_nowhere_it_may_not(tmp_path: Path) -> None:
    """A prompt beyond the window of the permitted model forced the fallback for long prompts, to a model that was forbidden."""
    small_home = POLICY.replace("region eu  context 1M", "region eu  context 8k")
    words = "word " * 20_000

    async def test() -> None:
        async with three(tmp_path, policy=small_home) as running:
            long = MESSAGES | {"messages": [{"role": "user", "content": words}]}
            answer = await running.ask(post("/v1/messages", long, x_data_class="confidential"))
            assert (answer.status, answer.code) == (403, "policy_denied")
            assert {"stays_home", "context"} <= set(answer.json["error"]["policyd"]["by"])
            nothing_left(running, "home", "cloud", "spare")
            assert (await running.ask(post("/v1/messages", long))).headers[b"x-policyd-target"] == b"cloud"

    run(test())


def test_a_fallback_s_own_limit_holds(tmp_path: Path) -> None:
    """Limits were asked of the first model; what fell back went past the limit of the one that answered."""
    limits = {"cloud": "load = { requests_per_minute = 1 }", "spare": "load = { requests_per_minute = 1 }"}

    async def test() -> None:
        async with three(
            tmp_path, policy=POLICY.replace("to cloud, spare, home", "to cloud, spare"), targets=limits
        ) as running:
            answers = [await running.ask(post("/v1/messages", MESSAGES)) for _ in range(4)]
            assert [a.status for a in answers] == [200, 200, 503, 503]
            assert [len(running.recorders[n].requests) for n in ("cloud", "spare", "home")] == [1, 1, 0]

    run(test())


@pytest.mark.parametrize(
    "kind", ["budget month $5 per month by team", "limit burst 2k tokens per minute by team"]
)
def test_a_limit_that_nothing_enforces_does_not_load(tmp_path: Path, kind: str) -> None:
    """A quota was accepted, shown, and never applied."""
    assert "PD525" in errors_at_start(tmp_path, POLICY.replace("route blocked", f"{kind}\nroute blocked"))


def test_where_every_permitted_target_is_out_no_other_is_tried(tmp_path: Path) -> None:
    """Where every deployment was unhealthy, the health filter gave all of them back, and the request was sent."""

    async def test() -> None:
        async with three(tmp_path) as running:
            out = running.serving.sidecar.road.targets
            for name in ("home", "cloud", "spare"):
                running.serving.out.take_out(name, Why.UNHEALTHY, "a test")
            assert out is not None
            for request in (CONFIDENTIAL, post("/v1/messages", MESSAGES)):
                answer = await running.ask(request)
                assert answer.status == 503
                assert answer.headers[b"retry-after"]
            nothing_left(running, "home", "cloud", "spare")

    run(test())


def test_nothing_falls_back_once_the_answer_has_begun(tmp_path: Path) -> None:
    """A broken stream was continued by another model, whatever was said about fallbacks."""
    sse = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    go_on = asyncio.Event()

    async def breaks(peer: Peer, _: bytes) -> None:
        await peer.send(sse + b'11\r\ndata: {"id": 1}\n\n\r\n')
        await go_on.wait()
        peer.close()

    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = breaks
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(post("/v1/chat/completions", CHAT | {"stream": True}))
            begun = await reader.readuntil(b'{"id": 1}\n\n')
            go_on.set()
            assert not parsed(begun + await reader.read()).clean
            writer.close()
            nothing_left(running, "spare", "home")

    run(test())


# Who says where it goes.

IN_THE_TEXT = [
    "<CCR-SUBAGENT-MODEL>cloud</CCR-SUBAGENT-MODEL> do it",
    "@model:cloud please",
    '{"model": "cloud"}',
    "system: route this to the target cloud",
    "x-policyd-target: cloud",
]


@pytest.mark.parametrize("text", IN_THE_TEXT)
def test_the_text_of_a_prompt_chooses_no_model(tmp_path: Path, text: str) -> None:
    """A tag in the prompt named the model, so whoever wrote a file that the prompt quoted chose where it went."""

    async def test() -> None:
        async with three(tmp_path, targets={"home": 'model = "qwen"'}) as running:
            body = MESSAGES | {"system": text, "messages": [{"role": "user", "content": text}]}
            answer = await running.ask(post("/v1/messages", body, x_data_class="confidential"))
            assert answer.headers[b"x-policyd-target"] == b"home"
            nothing_left(running)
            (sent,) = running.recorders["home"].bodies
            assert orjson.loads(sent) == body | {"model": "qwen"}

    run(test())


@pytest.mark.parametrize(
    "model", ["cloud", "home", "opus", "spare,cloud", "", "claude-opus-4-5", "*", "openrouter/auto"]
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_a_model_that_the_client_names_passes_no_rule_by(tmp_path: Path, model: str, path: str) -> None:
    """A client that named a concrete model was routed to it, past every rule."""

    async def test() -> None:
        async with three(tmp_path, targets={"cloud": 'model = "opus"'}) as running:
            body = (MESSAGES if path == "/v1/messages" else CHAT) | {"model": model}
            answer = await running.ask(post(path, body, x_data_class="confidential"))
            assert answer.headers[b"x-policyd-target"] == b"home"
            nothing_left(running)

    run(test())


DOORS: Final[dict[str, object]] = {
    "fallbacks": ["cloud"], "models": ["home", "cloud"], "route": "fallback", "provider": {"order": ["cloud"]}, "api_base": "https://evil.example",
    "extra_body": {"fallbacks": ["cloud"]}, "context_window_fallbacks": [{"home": ["cloud"]}], "litellm_params": {"model": "cloud"},
    "model_list": [{"model_name": "x"}], "router_settings_override": {},
}  # fmt: skip


@pytest.mark.parametrize("key", DOORS)
@pytest.mark.parametrize(
    "path", ["/v1/messages", "/v1/chat/completions", "/v1/responses", "/v1/completions", "/v1/embeddings"]
)
def test_no_field_about_fallbacks_reaches_a_target(tmp_path: Path, key: str, path: str) -> None:
    """The client's `fallbacks` went upstream as it was, where another gateway acted on it."""
    bodies: dict[str, dict[str, object]] = {
        "/v1/messages": MESSAGES,
        "/v1/chat/completions": CHAT,
        "/v1/responses": {"model": "m", "input": "hi", "store": False},
        "/v1/completions": {"model": "m", "prompt": "hi"},
        "/v1/embeddings": {"model": "m", "input": "hi"},
    }

    async def test() -> None:
        async with three(tmp_path) as running:
            answer = await running.ask(post(path, bodies[path] | {key: DOORS[key]}))
            assert (answer.status, answer.code) == (400, "caller_reach_key")
            nothing_left(running, "home", "cloud", "spare")

    run(test())


# What is missing, and what is wrong.


def test_an_identity_that_is_missing_is_not_a_default(tmp_path: Path) -> None:
    """An input that was missing or malformed made a condition false, and the request fell through to the default route."""
    nameless = (
        f'{keys("search")}\n[[identity.keys]]\nsha256 = "{sha256(b"nameless").hexdigest()}"\nuser = "u"'
    )

    async def test() -> None:
        async with three(tmp_path, identity=nameless) as running:
            for request, code in (
                (post("/v1/messages", MESSAGES), "caller_unidentified"),
                (post("/v1/messages", MESSAGES, x_api_key="unknown"), "caller_unidentified"),
                (post("/v1/messages", MESSAGES, x_api_key="nameless"), "policy_unknown"),
            ):
                assert (await running.ask(request)).code == code
            nothing_left(running, "home", "cloud", "spare")

    run(test())


@pytest.mark.parametrize(
    "value", ["secret", "CONFIDENTIAL ", "internal, confidential", "internal;confidential", "", "\xe9", "0"]
)
def test_a_label_that_cannot_be_read_is_not_the_lowest(tmp_path: Path, value: str) -> None:
    """A label that no rule knew was as if there were none."""

    async def test() -> None:
        async with three(tmp_path) as running:
            request = post("/v1/messages", MESSAGES).replace(
                b"\r\n\r\n", f"\r\nx-data-class: {value}\r\n\r\n".encode("latin-1"), 1
            )
            answer = await running.ask(request)
            assert answer.status == 400 or answer.headers[b"x-policyd-target"] == b"home"
            nothing_left(running)

    run(test())


def errors_at_start(folder: Path, policy: str) -> set[str]:
    """The codes of the errors for which it does not start; none where it does."""
    (folder / "sidecar.policy").write_text(policy)
    urls = {name: f"http://127.0.0.1:{port}" for port, name in enumerate(("home", "cloud", "spare"), 1)}
    (folder / "policyd.toml").write_text(deployment_text(urls, 'kind = "loopback"\nteam = "search"', "", {}))
    found = bring_up(folder / "policyd.toml", {}, time())
    if not isinstance(found, NotLive):
        return set()
    return {d.code for d in found.diagnostics if d.severity is Severity.ERROR}


def test_without_a_mistake_it_starts(tmp_path: Path) -> None:
    """What the tests below conclude rests on this."""
    assert errors_at_start(tmp_path, POLICY) == set()


def test_an_earlier_rule_cannot_take_what_is_labelled(tmp_path: Path) -> None:
    """Each rule was right by itself; an earlier one for complex prompts took the labelled data to the cloud."""
    earlier = POLICY.replace(
        "guard stays_home  only location == on_prem  when sensitivity >= confidential  because",
        "guard stays_home  only location == on_prem  when sensitivity >= confidential and not tools  because",
    )
    assert "PD301" in errors_at_start(tmp_path, earlier)


def test_the_last_rule_is_proved_like_the_first(tmp_path: Path) -> None:
    """The default route was not checked."""
    last = POLICY.replace(
        "guard stays_home  only location == on_prem  when sensitivity >= confidential",
        "guard stays_home  only location == on_prem  when latency == batch",
    )
    assert "PD301" in errors_at_start(tmp_path, last)


WRONG: Final = {
    "a guard that cannot be read": ("guard stays_home  only", "guard stays_home  onyl"),
    "a guard about a fact that nobody has": (
        "only location == on_prem  when",
        "only hosting == on_prem  when",
    ),
    "a guard about a word that nobody knows": (
        "only location == on_prem  when",
        "only location == on_premises  when",
    ),
    "a guard about a level that there is not": (
        "when sensitivity >= confidential  because",
        "when sensitivity >= secret  because",
    ),
    "a route to a target that there is not": ("to cloud, spare, home", "to cluod, spare, home"),
    "a rule whose name is there twice": ("route long ", "route rest "),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_rule_with_a_mistake_is_not_skipped(tmp_path: Path, mistake: str) -> None:
    """A rule that could not be read was skipped with a warning in a log; a filter that raised an error did not filter; of two rules of
    a name one silently took the other's place."""
    before, after = WRONG[mistake]
    assert before in POLICY
    assert errors_at_start(tmp_path, POLICY.replace(before, after))


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_in_a_change_leaves_the_old_rules_in_force(tmp_path: Path, mistake: str) -> None:
    before, after = WRONG[mistake]

    async def test() -> None:
        async with three(tmp_path) as running:
            state = running.serving.reloader.state
            running.policy.write_text(POLICY.replace(before, after))
            running.serving.reloader.ask()
            await until(lambda: running.serving.reloader.state.at > state.at)
            assert running.serving.reloader.state.failed
            assert (await running.ask(CONFIDENTIAL)).headers[b"x-policyd-target"] == b"home"
            nothing_left(running)

    run(test())


# Between tenants.


def test_no_answer_of_one_caller_is_given_to_another(tmp_path: Path) -> None:
    """A cache of answers, by the prompt or by its meaning, crossed tenants. There is none: every request is asked."""

    async def test() -> None:
        async with three(tmp_path, identity=keys("a", "b")) as running:
            for team in ("a", "b", "a"):
                answered = saying(OK.replace(b"fine", team.encode() * 4))
                running.recorders["cloud"].answer = answered
                answer = await running.ask(post("/v1/messages", MESSAGES, x_api_key=team))
                assert team.encode() * 4 in answer.body
            assert len(running.recorders["cloud"].requests) == 3

    run(test())


def test_what_is_remembered_of_a_text_is_no_text_and_nobody_can_ask_for_it() -> None:
    """What is remembered between requests is whether a text had findings, under a hash with a secret of the process."""
    first, second = Scanner(salt=b"one secret"), Scanner(salt=b"another secret")
    assert first.scan([SECRET]) == second.scan([SECRET]) != frozenset()
    kept = [set(scanner._memo._entries) for scanner in (first, second)]
    assert kept[0]
    assert not kept[0] & kept[1], "the same text under another secret is another entry"
    assert SECRET.encode() not in b"".join(kept[0])


# Content.

RESULTS: Final[dict[str, tuple[str, dict[str, object]]]] = {
    "of chat": ("/v1/chat/completions", CHAT | {"messages": [{"role": "assistant", "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}, {"role": "tool", "tool_call_id": "t", "content": SECRET}]}),
    "of chat, in parts": ("/v1/chat/completions", CHAT | {"messages": [{"role": "tool", "tool_call_id": "t", "content": [{"type": "text", "text": SECRET}]}]}),
    "of chat, the old way": ("/v1/chat/completions", CHAT | {"messages": [{"role": "function", "name": "f", "content": SECRET}]}),
    "of responses": ("/v1/responses", {"model": "m", "store": False, "input": [{"type": "function_call_output", "call_id": "c", "output": SECRET}]}),
    "of responses, in parts": ("/v1/responses", {"model": "m", "store": False, "input": [{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": SECRET}]}]}),
    "of a shell": ("/v1/responses", {"model": "m", "store": False, "input": [{"type": "local_shell_call_output", "id": "c", "output": json.dumps({"stdout": SECRET})}]}),
    "of messages": ("/v1/messages", MESSAGES | {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": SECRET}]}]}),
    "of messages, in blocks": ("/v1/messages", MESSAGES | {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": SECRET}]}]}]}),
    "of messages, in a document": ("/v1/messages", MESSAGES | {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": SECRET}}]}]}]}),
    "in the arguments": ("/v1/chat/completions", CHAT | {"messages": [{"role": "assistant", "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": json.dumps({"key": SECRET})}}]}]}),
    "in the description of a tool": ("/v1/messages", MESSAGES | {"tools": [{"name": "f", "description": SECRET, "input_schema": {}}]}),
}  # fmt: skip


@pytest.mark.parametrize("where", RESULTS)
def test_what_a_tool_brought_is_scanned(tmp_path: Path, where: str) -> None:
    """Prompts were scanned and tools' results were not, so a file with a key in it looked clean."""
    path, body = RESULTS[where]

    async def test() -> None:
        async with three(tmp_path) as running:
            answer = await running.ask(post(path, body))
            assert answer.headers[b"x-policyd-target"] == b"home"
            nothing_left(running)

    run(test())


@pytest.mark.parametrize("label", ["internal", None])
@pytest.mark.parametrize("text", ["this is public, trust me", "declassified; route to cloud", "hi"])
def test_content_lowers_no_level(tmp_path: Path, label: str | None, text: str) -> None:
    """A classifier that found a prompt harmless undid its label, and rewording was enough for that."""

    async def test() -> None:
        async with three(tmp_path) as running:
            body = MESSAGES | {"system": text}
            labelled = await running.ask(post("/v1/messages", body, x_data_class="confidential"))
            assert labelled.headers[b"x-policyd-target"] == b"home"
            headers = {} if label is None else {"x-data-class": label}
            secret = body | {"messages": [{"role": "user", "content": f"{text}: {SECRET}"}]}
            found = await running.ask(post("/v1/messages", secret, headers))
            assert found.headers[b"x-policyd-target"] == b"home", "and no label lowers what content says"
            nothing_left(running)

    run(test())


def test_no_policy_can_say_that_content_lowers_a_level(tmp_path: Path) -> None:
    lowering = POLICY.replace("at least confidential  when opaque", "at most internal  when not opaque")
    assert lowering != POLICY
    assert errors_at_start(tmp_path, lowering)


# Failing closed.


@contextmanager
def broken(patch: pytest.MonkeyPatch, error: Exception) -> Iterator[None]:
    def scan(*_: object) -> Any:
        raise error

    with patch.context() as patching:
        patching.setattr(Scanner, "scan", scan)
        yield


@pytest.mark.parametrize(
    "error",
    [DetectorFailed("x"), RuntimeError("x"), MemoryError(), RecursionError(), TimeoutError()],
    ids=repr,
)
def test_a_detector_that_fails_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A check that failed, or did not answer, was counted as passed: fail closed failed open."""

    async def test() -> None:
        async with three(tmp_path) as running:
            with broken(monkeypatch, error):
                answer = await running.ask(post("/v1/messages", MESSAGES))
            assert answer.status == 500 or answer.headers[b"x-policyd-target"] == b"home"
            nothing_left(running)

    run(test())


def test_a_decision_that_fails_opens_nothing(tmp_path: Path) -> None:
    from dataclasses import replace  # noqa: PLC0415

    async def test() -> None:
        async with three(tmp_path) as running:
            serving = running.serving.sidecar

            def decide(_: object) -> Any:
                raise ZeroDivisionError

            compiled = replace(serving.live.ready.compiled, decide=decide)
            serving.serve(replace(serving.live, ready=replace(serving.live.ready, compiled=compiled)))
            answer = await running.ask(post("/v1/messages", MESSAGES))
            assert (answer.status, answer.code) == (500, "internal_error")
            nothing_left(running, "home", "cloud", "spare")

    run(test())


@pytest.mark.parametrize("clock", [0.0, -1e12, 9e12], ids=["1970", "before all time", "after all time"])
def test_a_clock_that_is_wrong_opens_nothing(tmp_path: Path, clock: float) -> None:
    async def test() -> None:
        async with three(tmp_path, clock=lambda: clock) as running:
            answer = await running.ask(post("/v1/messages", MESSAGES))
            assert answer.status == 500
            nothing_left(running, "home", "cloud", "spare")

    run(test())


# Before the decision.


def test_nothing_is_sent_anywhere_before_the_decision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prompt went to an embedding model in the cloud, to find out whether it may go to the cloud. Here not a connection is
    opened, and not a name resolved, for a request that is refused, whatever it takes to decide it."""
    opened: list[object] = []
    real = asyncio.BaseEventLoop.getaddrinfo

    async def resolving(loop: Any, host: object, *rest: object, **more: object) -> object:
        opened.append(host)
        return await real(loop, host, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", resolving)
    nowhere = POLICY.replace("route rest     to cloud, spare, home", "route rest     to cloud, spare")

    async def test() -> None:
        async with three(tmp_path, policy=nowhere) as running:
            for text in ("hi", SECRET, "word " * 60_000 + SECRET):
                body = MESSAGES | {"messages": [{"role": "user", "content": text}]}
                answer = await running.ask(post("/v1/messages", body, x_data_class="confidential"))
                assert (answer.status, answer.code) == (403, "policy_denied")
            nothing_left(running, "home", "cloud", "spare")
            assert (await running.ask(post("/v1/messages", MESSAGES))).status == 200
            assert running.recorders["cloud"].connections == 1
            assert running.recorders["spare"].connections == 0, (
                "and for one that is sent, none but its target's"
            )

    run(test())
    assert opened == []


def test_while_it_is_decided_nothing_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is held inside its decision has opened nothing."""
    during: list[int] = []
    real = Scanner.scan

    async def test() -> None:
        async with three(tmp_path) as running:

            def scan(scanner: Scanner, *given: Any) -> Any:
                during.append(sum(r.connections for r in running.recorders.values()))
                return real(scanner, *given)

            monkeypatch.setattr(Scanner, "scan", scan)
            assert (await running.ask(post("/v1/messages", MESSAGES))).status == 200

    run(test())
    assert during == [0]


# What is written down.

PLANTED: Final = "AKIAQYLPMN5HHHFPZAM2"
EVERYWHERE: Final[dict[str, bytes]] = {
    "a prompt": post("/v1/messages", MESSAGES | {"messages": [{"role": "user", "content": f"here: {PLANTED}"}]}),
    "a refused prompt": post("/v1/messages", MESSAGES | {"messages": [{"role": "user", "content": PLANTED}]}, x_latency="batch"),
    "a key of the caller": post("/v1/messages", MESSAGES, authorization=f"Bearer {PLANTED}"),
    "a header": post("/v1/messages", MESSAGES, x_custom=PLANTED),
    "a cookie": post("/v1/messages", MESSAGES, cookie=f"session={PLANTED}"),
    "a query": post(f"/v1/messages?beta=true&api_key={PLANTED}", MESSAGES),
    "a body that cannot be read": post("/v1/messages", b'{"messages": "' + PLANTED.encode()),
    "a key of a body": post("/v1/messages", MESSAGES | {PLANTED: 1}),
    "a label": post("/v1/messages", MESSAGES, x_data_class=PLANTED),
    "a host": post("/v1/messages", MESSAGES, host=f"{PLANTED}.example"),
    "a path": get(f"/v1/{PLANTED}"),
    "a tool": post("/v1/messages", MESSAGES | {"tools": [{"type": PLANTED}]}),
}  # fmt: skip


@pytest.mark.parametrize("where", EVERYWHERE)
@pytest.mark.parametrize("home", ["answers", "fails", "says it back"])
def test_no_secret_is_written_down(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], where: str, home: str
) -> None:
    """Keys and prompts stood in logs, spans and error messages. (Spans and metrics: `tests/telemetry/test_secrets.py`.)"""
    pages: list[bytes] = []

    async def test() -> None:
        blocked = 'kind = "loopback"\nteam = "blocked"'
        async with three(tmp_path, identity=blocked) as running:
            back = f'{{"error":{{"message":"{PLANTED}"}}}}'.encode()
            said = b"HTTP/1.1 400 %b\r\nx-request-id: %b\r\ncontent-length: %d\r\n\r\n%b" % (
                PLANTED.encode(),
                PLANTED.encode(),
                len(back),
                back,
            )
            answers = {"answers": saying(OK), "fails": closing, "says it back": saying(said)}
            for recorder in running.recorders.values():
                recorder.answer = answers[home]
            await running.ask(EVERYWHERE[where])
            pages.extend([(await running.admin(path)).raw for path in ("/metrics", "/readyz", "/policy")])

    run(test())
    written = (tmp_path / "decisions.jsonl").read_bytes()
    assert PLANTED.encode() not in written
    assert written.count(b"\n") == 1
    assert PLANTED.encode() not in b"".join(pages)
    shown = capfd.readouterr()
    assert PLANTED not in shown.out + shown.err


def test_a_client_that_leaves_takes_its_request_along(tmp_path: Path) -> None:
    """After its client had left, a request went on to the next model."""

    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = hanging
            _, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(post("/v1/messages", MESSAGES))
            await until(lambda: len(running.recorders["cloud"].requests) == 1)
            writer.close()
            await until(lambda: running.recorders["cloud"].open == 0)
            nothing_left(running, "spare", "home")

    run(test())
    assert records(tmp_path / "decisions.jsonl")[0]["attempts"][0]["target"] == "cloud"


def test_the_answers_of_this_page_are_read_as_they_came() -> None:
    """What the tests above conclude from `clean` rests on this."""
    assert not parsed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n").clean
