"""Every request that was served has its line in the log, and gives its place back, whatever fails once it has ended."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from policyd.proxy import app, usage
from policyd.proxy.calibration import Calibration
from policyd.proxy.decision_log import DecisionLog
from policyd.proxy.record import Record
from policyd.proxy.record import line_of as real_line_of
from tests.proxy.bench import CHAT, Recorder, Running, post, records, saying, sidecar
from tests.upstream.scripted import run

STREAM = (
    b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}],'
    b'"message":{"usage":{"input_tokens":1}},"in":5}\n\ndata: [DONE]\n\n'
)
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n%b" % (
    len(STREAM),
    STREAM,
)


def asked(folder: Path, times: int) -> list[dict[str, Any]]:
    """The log of so many requests, of which one at a time has a place in it."""
    log = DecisionLog(str(folder / "decisions.jsonl"), most_waiting=4)

    async def test() -> None:
        async with (
            Recorder(saying(ANSWER)) as home,
            sidecar(folder, {"home": home}, policy=POLICY, log=log) as sut,
        ):
            for number in range(times):
                await one(sut, folder, number)

    run(test())
    return records(folder / "decisions.jsonl")


async def one(sut: Running, folder: Path, number: int) -> None:
    assert (await sut.ask(post("/v1/chat/completions", {**CHAT, "stream": True}))).status == 200
    async with asyncio.timeout(10):
        while len((folder / "decisions.jsonl").read_bytes().splitlines()) <= number:
            await asyncio.sleep(0.005)


POLICY = """
edition 1
target home { location on_prem context 1000G speaks chat }
route rest to home
otherwise reject "no target is left"
"""


def test_an_answer_that_says_in_itself(tmp_path: Path) -> None:
    lines = asked(tmp_path, 8)
    assert [(line["status"], line["outcome"]) for line in lines] == [(200, "answered")] * 8


def broken(*_: object, **__: object) -> Any:
    raise ValueError("a text of the request")


@pytest.mark.parametrize("what", ["the answer's own words", "the comparison", "the line"])
def test_whatever_fails_at_the_end_there_is_a_line(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    match what:
        case "the answer's own words":
            monkeypatch.setattr(usage, "_usage_in_event", broken)
        case "the comparison":
            monkeypatch.setattr(Calibration, "ended", broken)
        case _:

            def failing(record: Record) -> bytes:
                return broken() if record.attempts else real_line_of(record)

            monkeypatch.setattr(app, "line_of", failing)
    lines = asked(tmp_path, 8)
    assert [(line["status"], line["outcome"], line["target"]) for line in lines] == [
        (200, "answered", "home")
    ] * 8
    said = capsys.readouterr().err
    assert (
        said.count(f"internal error, decision {lines[0]['decision']}: ValueError at test_every_line.py") == 1
    )
    assert "a text of the request" not in said
