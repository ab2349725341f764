"""What is decided about a request holds for the words in which it is said to a target, too: a secret that stands in pieces, or
behind escapes, in the request that came, and in one piece in what would be sent of it, keeps the request from leaving."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.proxy.bench import SECRET, Recorder, post, sidecar, status
from tests.upstream.scripted import run

POLICY = """
edition 1

target rack   { location on_prem  context 1M  speaks chat      translates messages, responses  supports tools, images, reasoning }
target host   { location cloud    context 1M  speaks chat      translates messages, responses  supports tools, images, reasoning }
target claude { location cloud    context 1M  speaks messages  translates chat                 supports tools, images, reasoning }

guard stays  only location == on_prem  when findings contains any { "secret", "card-number" }  because "secrets stay here"

route all to claude, host, rack
otherwise reject "no target may serve this request"
"""

KEY = SECRET.rpartition(" ")[2]
BEGIN, END = KEY[:9], KEY[9:]
GO: Any = {"role": "user", "content": "go on"}


def _text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


def _thought(words: str, key: str = "reasoning") -> dict[str, str]:
    return {"type": "thinking", "thinking": words, "signature": f"policyd:{key}"}


def _responses(*items: dict[str, Any]) -> dict[str, Any]:
    return {"model": "m", "store": False, "input": [GO, *items, GO]}


def _messages(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": "m",
        "max_tokens": 9,
        "messages": [GO, {"role": "assistant", "content": list(blocks)}, GO],
    }


SPLIT: dict[str, tuple[str, dict[str, Any]]] = {
    "thinking of one key becomes one text": (
        "/v1/messages",
        _messages(_thought(BEGIN), _text("well"), _thought(END)),
    ),
    "what was thought is said before its summary": (
        "/v1/responses",
        _responses(
            {
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": END}],
                "content": [{"type": "reasoning_text", "text": BEGIN}],
            },
            {"role": "assistant", "content": "well"},
        ),
    ),
    "refusals become one": (
        "/v1/responses",
        _responses(
            {
                "role": "assistant",
                "content": [
                    {"type": "refusal", "refusal": BEGIN},
                    {"type": "output_text", "text": "well"},
                    {"type": "refusal", "refusal": END},
                ],
            }
        ),
    ),
    "words around a call become neighbours": (
        "/v1/responses",
        _responses(
            {"role": "assistant", "content": BEGIN},
            {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "well"},
            {"role": "assistant", "content": END},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "done"},
        ),
    ),
    "a message that only thought goes from between two of the user": (
        "/v1/messages",
        {
            "model": "m",
            "max_tokens": 9,
            "messages": [
                {"role": "user", "content": BEGIN},
                {"role": "assistant", "content": [_thought("well")]},
                {"role": "user", "content": END},
            ],
        },
    ),
    "white space between parts goes": (
        "/v1/chat/completions",
        {"model": "m", "messages": [{"role": "user", "content": [_text(BEGIN), _text(" "), _text(END)]}]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SPLIT)
def test_a_secret_that_only_the_translation_says_in_one_piece_stays(tmp_path: Path, case: str) -> None:
    async def go() -> None:
        path, body = SPLIT[case]
        async with Recorder(status(418)) as rack, Recorder(status(418)) as host, Recorder(status(418)) as far:
            recorders = {"rack": rack, "host": host, "claude": far}
            async with sidecar(tmp_path, recorders, policy=POLICY) as running:
                answer = await running.ask(post(path, body))
                assert not host.requests and not far.requests
                assert len(rack.requests) == 1 and answer.status == 418

    run(go())


UNTRANSLATED = """
edition 1

target rack   { location on_prem  context 1M  speaks messages  supports reasoning }
target claude { location cloud    context 1M  speaks messages  supports reasoning }

guard stays  only location == on_prem  when findings contains "secret"  because "secrets stay here"

route all to claude, rack
otherwise reject "no target may serve this request"
"""


def test_words_that_stand_together_without_marked_thinking_are_scanned(tmp_path: Path) -> None:
    """No target gets this in another dialect, so nothing but the request without the thinking has the key in one piece."""

    async def go() -> None:
        body = _messages(_text(BEGIN), _thought("well"))
        for end, stays in ((END, True), ("nothing", False)):
            body["messages"][-1] = {"role": "user", "content": end}
            async with (
                Recorder(status(418)) as rack,
                Recorder(status(418)) as far,
                sidecar(tmp_path, {"rack": rack, "claude": far}, policy=UNTRANSLATED) as running,
            ):
                answer = await running.ask(post("/v1/messages", body))
                assert answer.status == 418, answer.raw
                assert (len(rack.requests), len(far.requests)) == ((1, 0) if stays else (0, 1))

    run(go())


def test_the_same_request_without_a_secret_leaves(tmp_path: Path) -> None:
    async def go() -> None:
        async with Recorder(status(418)) as rack, Recorder(status(418)) as host, Recorder(status(418)) as far:
            recorders = {"rack": rack, "host": host, "claude": far}
            async with sidecar(tmp_path, recorders, policy=POLICY) as running:
                for path, body in SPLIT.values():
                    await running.ask(post(path, json.loads(json.dumps(body).replace(END, "nothing"))))
                assert len(host.requests) + len(far.requests) == len(SPLIT)
                assert not rack.requests

    run(go())
