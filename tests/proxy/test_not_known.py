"""A refusal says what of the request was not known, or is too much, behind the rule that refused it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conversations.given import CARD, respond
from tests.conversations.given import POLICY as REMEMBERING
from tests.proxy.bench import POLICY, post, three
from tests.upstream.scripted import run

STRICT = POLICY.replace(
    "guard stays_home",
    'deny  strict  when sensitivity >= confidential  because "nothing confidential"\nguard stays_home',
)
SMALL = (
    POLICY.replace("context 1M", "context 2k")
    .replace("context 200k", "context 1k")
    .replace("reasoning, stored,", "reasoning,")
)
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}


def body(text: str, *parts: dict[str, Any], **more: object) -> bytes:
    asked = {"role": "user", "content": [{"type": "text", "text": text}, *parts]}
    said = {"model": "m", "messages": [{"role": "user", "content": "before"}, asked], **more}
    return post("/v1/chat/completions", json.dumps(said).encode())


def message(tmp_path: Path, policy: str, request: bytes, extra: str = "") -> str:
    said: list[str] = []

    async def test() -> None:
        async with three(tmp_path, policy=policy, extra=extra) as running:
            answer = await running.ask(request)
            assert answer.code == "policy_denied", answer.body
            said.append(json.loads(answer.body)["error"]["message"])

    run(test())
    return said[0].partition(" [policyd")[0]


def test_content_that_was_not_scanned_is_named_with_its_place(tmp_path: Path) -> None:
    said = message(tmp_path, STRICT, body("look", PICTURE))
    assert (
        said
        == "nothing confidential; it holds content that was not scanned (image in messages[1].content[1])"
    )
    logged = json.loads((tmp_path / "decisions.jsonl").read_text())
    assert logged["said"] == "nothing confidential; it holds content that was not scanned"


def test_what_was_scanned_is_not_said_to_be_unknown(tmp_path: Path) -> None:
    said = message(tmp_path, STRICT, body("AKIAQYLPMN5HHHFPZAM2"))
    assert said == "nothing confidential; found: secret.aws in messages[1].content[0].text (user)"


def test_an_unscanned_part_that_no_rule_asked_about_is_not_told(tmp_path: Path) -> None:
    policy = POLICY.replace("latency == batch and team", 'model == "m" or team')
    assert message(tmp_path, policy, body("look", PICTURE)) == "this team has no batch work"


def test_tokens_that_are_too_many_are_told(tmp_path: Path) -> None:
    said = message(tmp_path, SMALL, body("word " * 3000, max_tokens=500))
    assert "with its answer it needs " in said and said.endswith(" tokens")


def test_what_the_api_keeps_by_itself_is_told_how_to_send(tmp_path: Path) -> None:
    request = post("/v1/responses", b'{"model":"m","input":"hello"}')
    assert message(tmp_path, SMALL, request).endswith("send `store: false`")
    linked = post("/v1/responses", b'{"model":"m","input":"hello","previous_response_id":"resp_1"}')
    assert "store: false" not in message(tmp_path, SMALL, linked)


@pytest.mark.parametrize(
    ("more", "why"),
    [({"previous_response_id": "resp_of_nobody"}, "it continues an answer, a file or other state that this sidecar did not see")],
)  # fmt: skip
def test_an_unknown_conversation_says_so(tmp_path: Path, more: dict[str, str], why: str) -> None:
    said = message(tmp_path, REMEMBERING, respond("and then?", **more))
    assert (
        "no cards in chats; what its conversation has reached is not known, and counts as the highest" in said
    )
    assert why in said


def test_a_conversation_that_is_known_is_not_said_to_be_unknown(tmp_path: Path) -> None:
    said = message(tmp_path, REMEMBERING, respond(CARD, x_session_id="one"))
    assert said.startswith("no cards in chats; found: card-number")


def test_a_store_that_does_not_answer_says_so(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("0123456789abcdef0123456789abcdef")
    extra = '[conversations]\nredis = "redis://127.0.0.1:1"\nsecret = { file = "key" }\n'
    said = message(tmp_path, REMEMBERING, respond("and then?", previous_response_id="resp_1"), extra)
    assert "the store that remembers it does not answer" in said
