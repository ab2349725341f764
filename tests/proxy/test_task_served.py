"""A sidecar that routes by task, language and session: where real requests go, and what the decision log says of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.proxy.bench import Recorder, post, records, sidecar
from tests.upstream.scripted import run

POLICY = """
edition 1

target home  { location on_prem  context 1M  speaks chat, messages, completions  supports tools, json, images, reasoning }
target cloud { location cloud    context 1M  speaks chat, messages, completions  supports tools, json, images, reasoning }

route kept    to home   when session_id == "s-home" or conversation_id == "c-home"
route asides  to home   when task in { side_call, completion }
route guarani to home   when language == "gn"
route hard    to cloud  when complexity >= 20 or code_ratio >= 50
route first   to cloud  when first_turn and task == review
otherwise reject "nobody"
"""
GUARANI = (
    "Mayma yvypóra ou ko yvy ári iñapytl'yre ha eteĩcha dignidad ha derecho jeguerekópe; ha ikatu rupi oikuaa"
)
CODE = "x = f(1);\n" * 40


def chat(*texts: str, **keys: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text} for text in texts], **keys}


ASKED: dict[str, tuple[dict[str, Any], dict[str, str], str, dict[str, object]]] = {
    "a session": (chat("hi"), {"x_session_id": "s-home"}, "home", {"session_id": "s-home"}),
    "a thread": (chat("hi"), {"session_id": "s", "thread_id": "c-home"}, "home", {"conversation_id": "c-home"}),
    "a title": (chat("You are a title generator. Review everything."), {}, "home", {"task": "side_call"}),
    "Guaraní": (chat(GUARANI), {}, "home", {"language": "gn"}),
    "code": (chat(f"what is this?\n{CODE}"), {}, "cloud", {"code_ratio": 96}),
    "a large body": (chat(CODE * 400), {}, "cloud", {"code_ratio": 100}),
    "effort": (chat("hi", reasoning_effort="xhigh"), {}, "cloud", {"complexity": 20}),
    "a first review": (chat("Review this, please"), {}, "cloud", {"task": "review", "first_turn": True}),
}  # fmt: skip


@pytest.mark.parametrize(("body", "headers", "target", "logged"), ASKED.values(), ids=ASKED)
def test_a_request_goes_where_its_task_sends_it(
    tmp_path: Path, body: dict[str, Any], headers: dict[str, str], target: str, logged: dict[str, object]
) -> None:
    seen: list[tuple[int, dict[str, int]]] = []

    async def asked() -> None:
        async with Recorder() as home, Recorder() as cloud:
            recorders = {"home": home, "cloud": cloud}
            async with sidecar(tmp_path, recorders, policy=POLICY) as running:
                answer = await running.ask(
                    post(
                        "/v1/chat/completions",
                        json.dumps(body).encode(),
                        {k.replace("_", "-"): v for k, v in headers.items()},
                    )
                )
                seen.append((answer.status, {name: len(r.requests) for name, r in recorders.items()}))

    run(asked())
    assert seen == [(200, {"home": 0, "cloud": 0, target: 1})]
    features = records(tmp_path / "decisions.jsonl")[0]["features"]
    assert logged.items() <= features.items()


def test_what_no_rule_needed_is_not_computed(tmp_path: Path) -> None:
    async def asked() -> None:
        async with (
            Recorder() as home,
            Recorder() as cloud,
            sidecar(tmp_path, {"home": home, "cloud": cloud}, policy=POLICY) as running,
        ):
            await running.ask(post("/v1/completions", b'{"model": "m", "prompt": "def f("}', {}))

    run(asked())
    features = records(tmp_path / "decisions.jsonl")[0]["features"]
    assert features["task"] == "completion"
    assert "language" not in features
