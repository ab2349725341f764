"""Features that cost nothing: from headers, identity, deployment, clock and the reading of a body."""

from datetime import UTC, date, datetime

import pytest

from policyd.deploy.model import LoopbackIdentity
from policyd.policy.program import MAX_NUMBER, Program
from policyd.proxy.identity import identify_by, presented_keys
from policyd.proxy.observe import Sight, Values, sight_of
from policyd.proxy.refusals import Refusal
from policyd.resolve.load import load_text
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.read import read_request
from tests.proxy.bench import CHAT, POLICY

MORE = POLICY.replace(
    "enum   origin", 'int    priority 0..9  from header "x-priority"  unknown 5\nenum   origin'
).replace("route rest ", "route urgent to home when priority > 8\nroute rest ")


NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()


def program() -> Program:
    loaded = load_text(MORE)
    assert loaded.program is not None, loaded.diagnostics
    return loaded.program


def sight(zone: str = "UTC", **deployment: object) -> Sight:
    return sight_of(program(), {"origin": "eu", **deployment}.items(), zone)


def before(headers: list[tuple[bytes, bytes]], team: str | None = "search") -> Values | Refusal:
    claims = {} if team is None else {"team": team}
    return sight().before_body("chat", headers, claims, NOON)


def test_what_is_absent_has_its_declared_value() -> None:
    values = before([])
    assert isinstance(values, dict)
    assert values["latency"] == "interactive"
    assert values["priority"] == 5
    assert values["header:x-data-class"] == "internal"
    assert (values["origin"], values["team"], values["endpoint"]) == ("eu", "search", "chat")


def test_headers_are_read_by_name_and_trimmed() -> None:
    values = before([(b"x-latency", b" batch "), (b"x-priority", b"9"), (b"x-data-class", b"confidential")])
    assert isinstance(values, dict)
    assert (values["latency"], values["priority"], values["header:x-data-class"]) == (
        "batch",
        9,
        "confidential",
    )


@pytest.mark.parametrize(
    ("headers", "team", "status", "field"),
    [
        ([(b"x-latency", b"now")], "search", 400, "latency"),
        ([(b"x-priority", b"10")], "search", 400, "priority"),
        ([(b"x-priority", b"1e1")], "search", 400, "priority"),
        ([(b"x-data-class", b"Confidential")], "search", 400, "header:x-data-class"),
        ([(b"x-latency", b"batch"), (b"x-latency", b"batch")], "search", 400, "x-latency"),
        ([], None, 403, "team"),
    ],
    ids=[
        "a word",
        "a number",
        "a number's spelling",
        "a label's case",
        "twice",
        "an identity without a team",
    ],
)
def test_what_cannot_be_admitted_is_refused_by_name(
    headers: list[tuple[bytes, bytes]], team: str | None, status: int, field: str
) -> None:
    refusal = before(headers, team)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.field) == (status, field)
    assert field.removeprefix("header:") in refusal.message


def test_a_value_is_shown_escaped_and_short() -> None:
    refusal = before([(b"x-latency", b"\x1b[31m" + b"x" * 500)])
    assert isinstance(refusal, Refusal)
    assert "\x1b" not in refusal.message
    assert len(refusal.message) < 300


@pytest.mark.parametrize(
    ("zone", "hour", "weekday", "day"),
    [("UTC", 23, "fri", date(2026, 11, 20)), ("Europe/Berlin", 0, "sat", date(2026, 11, 21))],
)
def test_the_clock_is_the_deployments(zone: str, hour: int, weekday: str, day: date) -> None:
    at = datetime(2026, 11, 20, 23, 30, tzinfo=UTC).timestamp()
    seen = sight(zone)
    values = seen.before_body("chat", [], {"team": "search"}, at)
    assert isinstance(values, dict)
    assert (values["hour"], values["weekday"], values["date"]) == (hour, weekday, day.toordinal())
    later = seen.before_body("chat", [], {"team": "search"}, at + 1800)
    assert isinstance(later, dict)
    assert later["hour"] == (hour + 1) % 24


@pytest.mark.parametrize("year", [1970, 2000, 2100])
def test_a_clock_outside_the_calendar_of_policies_is_refused(year: int) -> None:
    refusal = sight().before_body(
        "chat", [], {"team": "search"}, datetime(year, 1, 1, tzinfo=UTC).timestamp()
    )
    assert isinstance(refusal, Refusal)
    assert refusal.code == "internal_error"
    assert str(year) in refusal.message


@pytest.mark.parametrize(
    ("more", "name", "value"),
    [
        ({}, "max_output", MAX_NUMBER),
        ({"max_tokens": 7}, "max_output", 7),
        ({"max_tokens": 2**52}, "max_output", MAX_NUMBER),
        ({"stream": True}, "stream", True),
        ({"model": "é"}, "model", "é"),
        ({}, "messages", 1),
    ],
)
def test_the_body_says(more: dict[str, object], name: str, value: object) -> None:
    values = sight().of_body(read_request(EndpointName.CHAT, CHAT | more))
    assert isinstance(values, dict)
    assert values[name] == value


def test_keys_are_found_where_sdks_put_them() -> None:
    headers = [
        (b"authorization", b"bearer  a "),
        (b"x-api-key", b"b"),
        (b"api-key", b"c"),
        (b"x-api-key", b""),
    ]
    assert presented_keys(headers) == {b"a", b"b", b"c"}


def test_a_fixed_identity_needs_no_key() -> None:
    assert identify_by(LoopbackIdentity((("team", "search"),)))([], None, 0.0) == {"team": "search"}
