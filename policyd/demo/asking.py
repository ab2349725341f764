"""Sends a request of the tour through the sidecar and gathers what a person wants to know about it.

In: an `Ask`. Out: an `Outcome`: the answer as an application sees it, and the sidecar's own line of the decision log, which
says what was known and why it was decided so.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from policyd.demo.tour import Ask

__all__ = ["Outcome", "ask", "find_text"]

LONGEST_WAIT_FOR_RECORD_S: Final = 10.0
DECISION: Final = "x-policyd-decision"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`target` is None where nothing was sent on. `said` is the model's text or the refusal's message; `pieces` counts the
    events of a stream. `record` is the decision log's line, empty where there is none."""

    ask: Ask
    status: int
    target: str | None
    route: str | None
    said: str
    pieces: int
    record: Mapping[str, Any]

    @property
    def as_expected(self) -> bool:
        return self.target == self.ask.expect and (self.status == 200) == (self.ask.expect is not None)


def ask(client: httpx.Client, wanted: Ask, log: Path) -> Outcome:
    with client.stream("POST", wanted.path, json=dict(wanted.body), headers=dict(wanted.headers)) as answer:
        if wanted.stream and answer.status_code == 200:
            events = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: {")]
            said, pieces = "".join(_delta(event) for event in events), len(events)
        else:
            said, pieces = find_text(_decoded(answer.read())), 0
    return Outcome(
        ask=wanted,
        status=answer.status_code,
        target=answer.headers.get("x-policyd-target"),
        route=answer.headers.get("x-policyd-route"),
        said=said,
        pieces=pieces,
        record=_record(log, answer.headers.get(DECISION)),
    )


def find_text(body: Any) -> str:
    """The text of an answer in any of the APIs, or the message of an error."""
    match body:
        case {"error": {"message": str(message)}}:
            return message
        case {"choices": [{"message": {"content": str(text)}}]} | {"choices": [{"text": str(text)}]}:
            return text
        case {"content": [{"text": str(text)}, *_]}:
            return text
        case {"output": [{"content": [{"text": str(text)}, *_]}, *_]}:
            return text
        case _:
            return json.dumps(body)[:200]


def _delta(event: Any) -> str:
    match event:
        case {"type": "content_block_delta", "delta": {"text": str(text)}}:
            return text
        case {"type": "response.output_text.delta", "delta": str(text)}:
            return text
        case {"choices": [{"delta": {"content": str(text)}}]}:
            return text
        case _:
            return ""


def _decoded(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")


def _record(log: Path, decision: str | None) -> Mapping[str, Any]:
    """The log's line of this decision. It is written after the answer, in batches, so it may take a moment."""
    if decision is None:
        return {}
    give_up = time.monotonic() + LONGEST_WAIT_FOR_RECORD_S
    while time.monotonic() < give_up:
        for record in _records(log):
            if record.get("decision") == decision:
                return record
        time.sleep(0.02)
    return {}


def _records(log: Path) -> Iterable[Mapping[str, Any]]:
    if log.exists():
        complete, _, _ = log.read_bytes().rpartition(b"\n")
        yield from (json.loads(line) for line in complete.splitlines())
