"""Where a finding stands is told to whoever is refused for it and to the log, and nothing of the text is."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.proxy.bench import SECRET, Recorder, Running, post, sidecar
from tests.upstream.scripted import run

POLICY = """
edition 1

level sensitivity { internal < confidential }

classify sensitivity {
    starts at internal
    at least confidential  when findings contains "secret"
}

target claude { location cloud    context 1M  speaks chat, messages  supports tools, images, reasoning }
target rack   { location on_prem  context 1M  speaks chat, messages  supports tools, images, reasoning }

guard stays  only location == on_prem  when sensitivity >= confidential  because "secrets stay here"
deny cards  when findings contains "card-number"  because "no card numbers"

route here to claude, rack when model == "rack"
route all to claude
otherwise reject "no target may serve this request"
"""

KEY = SECRET.rpartition(" ")[2]
CARD = "4111 1111 1111 1111"


def lines_of(running: Running) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in running.log_path.read_bytes().splitlines()]


def chat(*messages: dict[str, Any], model: str = "m") -> dict[str, Any]:
    return {"model": model, "messages": list(messages)}


RESULT = {"role": "tool", "tool_call_id": "1", "content": f"it printed {KEY}"}
ASKED = {"role": "user", "content": "what is it"}


async def told(
    folder: Path, body: dict[str, Any], path: str = "/v1/chat/completions"
) -> tuple[Any, dict[str, Any]]:
    async with Recorder() as claude, Recorder() as rack:
        async with sidecar(folder, {"claude": claude, "rack": rack}, policy=POLICY) as running:
            answer = await running.ask(post(path, body))
        return answer, lines_of(running)[-1]


def test_who_is_refused_for_a_finding_is_told_where_it_stands(tmp_path: Path) -> None:
    async def go() -> None:
        answer, line = await told(tmp_path, chat(ASKED, RESULT))
        place = {"finding": "secret.aws", "where": "tool result", "place": "messages[1].content"}
        error = orjson.loads(answer.body)["error"]
        assert answer.status == 403
        assert "found: secret.aws in messages[1].content (tool result)" in error["message"]
        assert error["policyd"]["found"] == [place] == line["found"]
        assert KEY.encode() not in answer.body
        assert KEY not in orjson.dumps(line).decode()

    run(go())


def test_a_removed_target_is_a_reason_to_tell_the_log(tmp_path: Path) -> None:
    async def go() -> None:
        answer, line = await told(tmp_path, chat(ASKED, RESULT, model="rack"))
        assert answer.status == 200
        assert line["candidates"] == ["rack"]
        assert [one["place"] for one in line["found"]] == ["messages[1].content"]

    run(go())


def test_only_findings_that_the_decision_was_about_are_told(tmp_path: Path) -> None:
    async def go() -> None:
        answer, line = await told(tmp_path, chat({"role": "user", "content": f"{CARD} and {KEY}"}))
        assert [one["finding"] for one in line["found"]] == ["card-number"]
        assert b"no card numbers" in answer.body
        assert b"secret.aws" not in answer.body

    run(go())


@pytest.mark.parametrize("body", [chat(ASKED), chat({"role": "user", "content": "write to ann@example.com"})])
def test_where_no_rule_took_effect_nothing_is_told(tmp_path: Path, body: dict[str, Any]) -> None:
    async def go() -> None:
        _, line = await told(tmp_path, body)
        assert line["outcome"] == "answered"
        assert "found" not in line

    run(go())


def test_the_other_dialect_is_told_too(tmp_path: Path) -> None:
    async def go() -> None:
        body = {"model": "m", "max_tokens": 9, "system": f"use {KEY}", "messages": [ASKED]}
        answer, _ = await told(tmp_path, body, "/v1/messages")
        error = orjson.loads(answer.body)["error"]
        assert error["policyd"]["found"] == [{"finding": "secret.aws", "where": "system", "place": "system"}]

    run(go())


@pytest.mark.parametrize(
    ("path", "headers", "where"),
    [
        ("/v1/chat/completions", {"x-note": f"use {KEY} for it"}, "headers"),
        ("/v1/chat/completions", {"x-note": "%41" + KEY[1:]}, "headers"),
        (f"/v1/chat/completions?note={KEY}", {}, "query"),
        (f"/v1/chat/completions?a=1&note=%41{KEY[1:]}", {}, "query"),
    ],
)
def test_what_is_sent_beside_the_body_is_scanned(
    tmp_path: Path, path: str, headers: dict[str, str], where: str
) -> None:
    async def go() -> None:
        async with Recorder() as claude, Recorder() as rack:
            async with sidecar(tmp_path, {"claude": claude, "rack": rack}, policy=POLICY) as running:
                answer = await running.ask(post(path, chat(ASKED), headers))
            assert not claude.requests
            assert answer.json["error"]["policyd"]["found"] == [
                {"finding": "secret.aws", "where": "setting", "place": where}
            ]

    run(go())


def test_what_a_client_says_of_itself_and_what_does_not_pass_is_not_scanned(tmp_path: Path) -> None:
    async def go() -> None:
        async with Recorder() as claude, Recorder() as rack:
            async with sidecar(tmp_path, {"claude": claude, "rack": rack}, policy=POLICY) as running:
                headers = {"user-agent": "x/1.0", "x-stainless-os": "Linux", "authorization": f"Bearer {KEY}"}
                answer = await running.ask(post("/v1/chat/completions?beta=true", chat(ASKED), headers))
            assert answer.status == 200
            assert KEY.encode() not in claude.requests[0]

    run(go())


REDACTING = """
edition 1

target claude { location cloud  context 1M  speaks chat, messages  supports tools, images, reasoning }

route all to claude with redact(secret)
otherwise reject "no target may serve this request"
"""


@pytest.mark.parametrize(
    ("headers", "sent"), [({}, 1), ({"x-note": "nothing"}, 1), ({"x-note": f"use {KEY}"}, 0)]
)
def test_what_stands_in_a_header_cannot_be_taken_out_of_the_body(
    tmp_path: Path, headers: dict[str, str], sent: int
) -> None:
    async def go() -> None:
        async with Recorder() as claude:
            async with sidecar(tmp_path, {"claude": claude}, policy=REDACTING) as running:
                await running.ask(post("/v1/chat/completions", chat(RESULT), headers))
            assert len(claude.requests) == sent
            assert all(KEY.encode() not in request for request in claude.requests)

    run(go())
