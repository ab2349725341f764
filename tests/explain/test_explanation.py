"""Explanations: every reason of a decision is there, in text and in JSON."""

import json

from policyd.cli.explanation_text import explanation_json, explanation_lines
from policyd.cli.output import Style
from policyd.explain.explanation import Explanation, Looked, explanation_of
from policyd.policy.request import Request
from policyd.trials.given import read_line, request_from
from tests.trials.small import small_program

PROGRAM = small_program()
PLAIN = Style(colour=False)


def explained(line: str, looked: Looked | None = None) -> Explanation:
    read = read_line(PROGRAM, line)
    assert read.diagnostics == ()
    request = request_from(PROGRAM, read.values)
    assert isinstance(request, Request)
    return explanation_of(PROGRAM, request, given=read.values, looked=looked)


def text_of(line: str) -> str:
    return "\n".join(explanation_lines(explained(line), PLAIN))


def test_a_plan_names_its_candidates_and_what_every_guard_removed() -> None:
    text = text_of("team=search findings=secret.aws hour=23")
    assert text.startswith("local via rest\n")
    assert "cloud  removed by stays_home and no_night_cloud" in text
    assert "stays_home: only location == on_prem when sensitivity >= confidential" in text
    assert 'because "confidential stays home"' in text
    assert "local  a candidate" in text


def test_routes_that_do_not_match_or_were_passed_over_are_named() -> None:
    text = text_of("team=search latency=batch images")
    assert "long  does not match: context_needed > 200k" in text
    assert "batch  passed over, no target was left: latency == batch" in text
    assert "rest  decides: not stored" in text


def test_capability_guards_speak_in_words() -> None:
    text = text_of("team=search latency=batch context_needed=9k images")
    assert "context: the request needs 9k tokens of context, the target has 8k" in text
    assert "supports: the request uses images, the target supports nothing" in text
    assert "an unknown number of tokens" in text_of("team=search images context_needed=unknown")


def test_levels_say_where_they_start_and_what_raised_them() -> None:
    text = text_of("team=docs header:x-data-class=internal findings=secret.aws")
    assert "sensitivity is confidential" in text
    assert 'starts at public when team == "docs"' in text
    assert "at least internal: the caller's x-data-class header says so" in text
    assert 'at least confidential when findings contains "secret"' in text


def test_what_does_not_raise_is_not_said_to() -> None:
    assert "at least" not in text_of("team=search")


def test_every_deny_that_holds_is_named() -> None:
    text = text_of("team=search exceeded(burst) endpoint=models")
    assert text.startswith("rejected by too_fast and no_models (status 429)\n")
    assert "too_fast  when exceeded(burst)" in text
    assert "no_models  when endpoint == models" in text
    assert "routes" not in text


def test_the_way_to_otherwise_is_told() -> None:
    text = text_of("team=search images findings=secret.aws")
    assert text.startswith("rejected by otherwise (status 403)\n")
    assert "rest  passed over, no target was left" in text


def test_exceptions_say_whether_they_apply() -> None:
    text = text_of("team=search findings=secret.aws date=2026-01-05")
    assert 'exception pilot (`team == "lab"` does not hold, until 2027-01-19; owner ciso)' in text
    assert "exception pilot (ended on 2027-01-19; owner ciso)" in text_of(
        "team=lab findings=secret.aws date=2028-01-05"
    )


def test_json_says_the_same() -> None:
    looked = Looked(at=("team", "findings"), not_needed=("tokens",))
    text = explanation_json(explained("team=search findings=secret.aws", looked), policy="p", digest="d")
    document = json.loads(text)
    assert document["decision"] == {
        "kind": "plan",
        "route": "rest",
        "candidates": [{"pick": "order", "targets": ["local"]}],
    }
    assert [r["state"] for r in document["routes"]] == ["does not match", "does not match", "decides"]
    cloud = document["routes"][2]["targets"][0]
    assert [c["name"] for c in cloud["removed_by"]] == ["stays_home"]
    assert document["levels"]["sensitivity"]["value"] == "confidential"
    told = {"value": ["secret", "secret.aws"], "given": True, "completed": False}
    assert document["features"]["findings"] == told
    assert (document["looked_at"], document["not_needed"]) == (["team", "findings"], ["tokens"])


def test_json_of_a_rejection_has_its_reasons() -> None:
    document = json.loads(explanation_json(explained("team=a exceeded(burst)"), policy="p", digest="d"))
    assert document["decision"] == {
        "kind": "reject",
        "by": ["too_fast"],
        "reasons": ["slow down"],
        "status": 429,
    }
    assert document["denies"][0]["when"] == "exceeded(burst)"


def test_what_a_caller_wrote_cannot_drive_the_terminal() -> None:
    read = read_line(PROGRAM, 'team="\x1b[31mred\u202e"')
    request = request_from(PROGRAM, read.values)
    assert isinstance(request, Request)
    text = "\n".join(explanation_lines(explanation_of(PROGRAM, request, given=read.values), PLAIN))
    assert "\x1b" not in text
    assert "\u202e" not in text
