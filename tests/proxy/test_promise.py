"""The one promise: no byte of a request reaches a target that the policy did not allow for that request."""

import asyncio
import base64
from hashlib import sha256
from pathlib import Path

import pytest

from tests.proxy.bench import CHAT, MESSAGES, POLICY, SECRET, closing, get, post, records, status, three
from tests.upstream.scripted import run, until

CONFIDENTIAL: dict[str, bytes] = {
    "a label": post("/v1/messages", MESSAGES, x_data_class="confidential"),
    "a secret in a message": post("/v1/chat/completions", CHAT | {"messages": [{"role": "user", "content": SECRET}]}),
    "a secret in the system prompt": post("/v1/messages", MESSAGES | {"system": SECRET}),
    "a secret in an unknown key": post("/v1/messages", MESSAGES | {"new_key": SECRET}),
    "a secret in a tool result": post(
        "/v1/messages",
        MESSAGES
        | {
            "messages": [
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": SECRET}]}
            ]
        },
    ),
    "a secret in a large body": post(
        "/v1/messages", MESSAGES | {"messages": [{"role": "user", "content": "word " * 60_000 + SECRET}]}
    ),
    "an image, which is not scanned": post(
        "/v1/messages",
        MESSAGES
        | {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "image",
                            "source": {
                                "type": "base64",
                                "media_type": "image/png",
                                "data": base64.b64encode(b"\x89PNG" + b"0" * 200).decode(),
                            },
                        }
                    ],
                }
            ]
        },
    ),
    "a forbidden model's name": post("/v1/messages", MESSAGES | {"model": "cloud"}, x_data_class="confidential"),
    "a header that names a target": post(
        "/v1/messages", MESSAGES, x_data_class="confidential", x_policyd_target="cloud", x_policyd_route="rest"
    ),
    "a label in capitals": post("/v1/messages", MESSAGES, **{"X-DATA-CLASS": "confidential"}),
}  # fmt: skip


@pytest.mark.parametrize("request_", CONFIDENTIAL.values(), ids=CONFIDENTIAL.keys())
@pytest.mark.parametrize("home", ["answers", "is down", "closes"])
def test_what_is_confidential_never_leaves(tmp_path: Path, request_: bytes, home: str) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            if home != "answers":
                running.recorders["home"].answer = status(503) if home == "is down" else closing
            answer = await running.ask(request_)
            assert running.recorders["cloud"].connections == 0
            assert running.recorders["spare"].connections == 0
            assert len(running.recorders["home"].requests) >= 1
            if home == "answers":
                assert answer.headers[b"x-policyd-target"] == b"home"
            else:
                assert answer.status == 503

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert record["removed"] == {"cloud": ["stays_home"], "spare": ["stays_home"]}


def test_what_cannot_be_read_is_sent_nowhere_that_may_not_have_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            answer = await running.ask(post("/v1/messages", MESSAGES | {"new_key": {"deep": [SECRET]}}))
            assert answer.code == "policy_denied"
            assert running.sent_anywhere() == 0

    run(test())


def test_a_request_without_a_permitted_target_is_refused_with_every_reason(tmp_path: Path) -> None:
    only_cloud = POLICY.replace("route rest     to cloud, spare, home", "route rest     to cloud, spare")

    async def test() -> None:
        async with three(tmp_path, policy=only_cloud) as running:
            for path, body in (("/v1/messages", MESSAGES), ("/v1/chat/completions", CHAT)):
                answer = await running.ask(post(path, body, x_data_class="confidential"))
                assert (answer.status, answer.code) == (403, "policy_denied")
                error = answer.json["error"]
                assert error["type"] == "permission_error"
                assert "no target may serve this request" in error["message"]
                assert "DLP-7: confidential data stays on our hardware" in error["message"]
                assert error["policyd"]["by"] == ["stays_home"]
                assert answer.headers[b"x-should-retry"] == b"false"
            assert all(r.connections == 0 for r in running.recorders.values())

    run(test())


def test_a_deny_is_told_with_its_name_and_reason(tmp_path: Path) -> None:
    async def test() -> None:
        who = 'kind = "loopback"\nteam = "blocked"'
        async with three(tmp_path, identity=who) as running:
            answer = await running.ask(post("/v1/messages", MESSAGES, x_latency="batch"))
            assert (answer.status, answer.code) == (403, "policy_denied")
            assert "this team has no batch work" in answer.json["error"]["message"]
            assert answer.json["error"]["policyd"]["by"] == ["no_batch"]
            assert running.sent_anywhere() == 0

    run(test())


def test_an_identity_without_what_the_policy_must_know_is_refused(tmp_path: Path) -> None:
    key = sha256(b"key").hexdigest()

    async def test() -> None:
        who = f'kind = "api-keys"\n[[identity.keys]]\nsha256 = "{key}"\nteam = "search"\n'
        other = sha256(b"other").hexdigest()
        who += f'[[identity.keys]]\nsha256 = "{other}"\nuser = "u"\n'
        async with three(tmp_path, identity=who) as running:
            answer = await running.ask(post("/v1/messages", MESSAGES, x_api_key="other"))
            assert (answer.status, answer.code) == (403, "policy_unknown")
            assert "team" in answer.json["error"]["message"]
            assert running.sent_anywhere() == 0

    run(test())


def test_two_credentials_of_two_callers_are_nobodys(tmp_path: Path) -> None:
    def entry(key: bytes, team: str) -> str:
        return f'[[identity.keys]]\nsha256 = "{sha256(key).hexdigest()}"\nteam = "{team}"\n'

    async def test() -> None:
        who = 'kind = "api-keys"\n' + entry(b"a", "search") + entry(b"b", "cloud-only")
        async with three(tmp_path, identity=who) as running:
            answer = await running.ask(
                post("/v1/messages", MESSAGES, x_api_key="a", authorization="Bearer b")
            )
            assert answer.code == "caller_unidentified"
            same = await running.ask(post("/v1/messages", MESSAGES, x_api_key="a", authorization="Bearer a"))
            assert same.status == 200

    run(test())


STRICTER = POLICY.replace("only location == on_prem   when sensitivity >= confidential", "only location == on_prem").replace(
    "guard stays_home  only location == on_prem  when sensitivity >= confidential", "guard stays_home  only location == on_prem"
)  # fmt: skip


def test_a_policy_that_changes_between_two_attempts_decides_again(tmp_path: Path) -> None:
    """The first candidate fails while the new policy comes in; the second one is no longer allowed."""

    async def test() -> None:
        async with three(tmp_path) as running:
            asked = asyncio.Event()
            go_on = asyncio.Event()

            async def slow_failure(peer: object, request: bytes) -> None:
                asked.set()
                await go_on.wait()
                await closing(peer, request)  # type: ignore[arg-type]

            running.recorders["cloud"].answer = slow_failure
            before = running.serving.sidecar.live.ready.digest
            asking = asyncio.create_task(running.ask(post("/v1/messages", MESSAGES)))
            await asked.wait()
            running.policy.write_text(STRICTER)
            running.serving.reloader.ask()
            await until(lambda: running.serving.sidecar.live.ready.digest != before)
            go_on.set()
            answer = await asking
            assert answer.headers[b"x-policyd-target"] == b"home"
            assert answer.headers[b"x-policyd-policy"].decode() != before
            assert running.recorders["spare"].connections == 0

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert [a["outcome"] for a in record["attempts"]] == ["reset", "policy_changed", "answered"]


def test_the_list_of_models_is_what_this_caller_may_use(tmp_path: Path) -> None:
    def entry(key: bytes, team: str) -> str:
        return f'[[identity.keys]]\nsha256 = "{sha256(key).hexdigest()}"\nteam = "{team}"\n'

    async def test() -> None:
        who = 'kind = "api-keys"\n' + entry(b"a", "search") + entry(b"b", "cloud-only")
        more = {"cloud": 'model = "sonnet"', "home": 'model = "qwen"\naliases = { "opus" = "qwen-big" }'}
        async with three(tmp_path, identity=who, targets=more) as running:
            everyone = await running.ask(get("/v1/models", authorization="Bearer a"))
            assert [m["id"] for m in everyone.json["data"]] == ["sonnet", "spare", "opus"]
            assert everyone.json["object"] == "list"
            one = await running.ask(get("/v1/models", x_api_key="b", anthropic_version="2023-06-01"))
            assert [m["id"] for m in one.json["data"]] == ["sonnet"]
            assert (one.json["has_more"], one.json["first_id"]) == (False, "sonnet")
            known = await running.ask(get("/v1/models/sonnet", authorization="Bearer b"))
            assert known.json["id"] == "sonnet"
            hidden = await running.ask(get("/v1/models/opus", authorization="Bearer b"))
            assert (hidden.status, hidden.code) == (404, "caller_unknown_model")
            assert all(r.connections == 0 for r in running.recorders.values())

    run(test())
