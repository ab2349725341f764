"""How policyd says no: in the dialect's own shape, of a kind that clients do not send again."""

import json
from pathlib import Path
from typing import Literal as Lit

import pytest

from policyd.proxy.refusals import REFUSALS, body_of, headers_of, refuse, refuse_unread, stream_error
from policyd.traffic.refused import CallerFault, Refused

DIALECTS: tuple[Lit["openai"], Lit["anthropic"]] = ("openai", "anthropic")
RETRIED = {408, 409, 429, 502, 504}


@pytest.mark.parametrize("code", sorted(REFUSALS))
def test_every_code_is_of_the_closed_vocabulary(code: str) -> None:
    assert code.split("_", maxsplit=1)[0] in {"caller", "policy", "upstream", "internal"}
    assert 400 <= REFUSALS[code].status < 600
    assert REFUSALS[code].meaning


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("code", sorted(c for c in REFUSALS if c.startswith(("caller_", "policy_"))))
def test_a_refusal_that_will_not_change_is_not_of_a_kind_that_is_retried(
    code: str, dialect: Lit["openai", "anthropic"]
) -> None:
    refusal = refuse(code, "no")
    body = body_of(refusal, dialect, "d1")
    assert refusal.status < 500
    assert refusal.status not in RETRIED
    assert b"overloaded_error" not in body
    assert (b"x-should-retry", b"false") in headers_of(refusal, body, "d1")


@pytest.mark.parametrize("code", sorted(c for c in REFUSALS if REFUSALS[c].waiting_helps))
def test_a_refusal_that_may_pass_says_when_to_come_back(code: str) -> None:
    refusal = refuse(code, "not now")
    assert (b"retry-after", b"1") in headers_of(refusal, b"", "d1")


def test_a_deny_with_429_may_be_tried_again_as_its_author_wants() -> None:
    refusal = refuse("policy_denied", "slow down", by=("too_fast",), status=429)
    body = body_of(refusal, "anthropic", "d1")
    assert json.loads(body)["error"]["type"] == "rate_limit_error"
    assert b"x-should-retry" not in dict(headers_of(refusal, body, "d1"))


def test_the_anthropic_shape() -> None:
    refusal = refuse("policy_denied", "DLP-7", by=("no_cards",), field=None)
    said = json.loads(body_of(refusal, "anthropic", "d1"))
    assert said["type"] == "error"
    assert said["request_id"] == "d1"
    assert said["error"]["type"] == "permission_error"
    assert said["error"]["message"] == "DLP-7 [policyd policy_denied, decision d1]"
    assert said["error"]["policyd"] == {"code": "policy_denied", "by": ["no_cards"], "decision": "d1"}


def test_the_openai_shape() -> None:
    said = json.loads(body_of(refuse("caller_bad_value", "not one of", field="latency"), "openai", "d1"))
    assert set(said["error"]) == {"message", "type", "param", "code", "policyd"}
    assert said["error"]["type"] == "invalid_request_error"
    assert said["error"]["param"] == "latency"
    assert said["error"]["code"] == "caller_bad_value"


@pytest.mark.parametrize("fault", list(CallerFault))
def test_what_reading_finds_keeps_its_code_and_status(fault: CallerFault) -> None:
    found = Refused(fault, "the body is wrong")
    refusal = refuse_unread(found)
    assert (refusal.code, refusal.status) == (found.code, found.status)
    assert REFUSALS[refusal.code].status == refusal.status


@pytest.mark.parametrize(
    ("endpoint", "tail", "begins"),
    [
        ("messages", b"}\n\n", b"event: error\ndata: "),
        ("messages", b'data: {"ty', b"\n\nevent: error\ndata: "),
        ("responses", b"\r\n\r\n", b"event: error\ndata: "),
        ("chat", b"}\n\n", b"data: "),
        ("chat", b"}\n", b"\n\ndata: "),
        ("completions", b"", b"data: "),
    ],
)
def test_a_stream_error_is_an_event_of_its_own(endpoint: str, tail: bytes, begins: bytes) -> None:
    event = stream_error(refuse("upstream_broke", "ended early"), endpoint, "d1", tail=tail)
    assert event.startswith(begins)
    assert event.endswith(b"}\n\n")
    data = json.loads(event.strip().split(b"data: ", 1)[1])
    assert "ended early" in data["error"]["message"]
    assert b"[DONE]" not in event


@pytest.mark.parametrize("code", sorted(REFUSALS))
def test_every_code_has_its_row_in_the_documentation(code: str) -> None:
    text = (Path(__file__).parents[2] / "docs" / "sidecar.md").read_text()
    (row,) = [line.split("|") for line in text.splitlines() if line.startswith(f"| `{code}` |")]
    assert row[3].strip() == ("yes" if REFUSALS[code].waiting_helps else "no")
    if "stream" not in row[2]:
        assert row[2].split(",")[0].strip() == str(REFUSALS[code].status)
