"""A decision log replayed: what its records say counts, what they leave open is said, and no line is lost."""

import json
from collections import Counter
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from policyd.compare.recorded import Replay, Replayed
from policyd.policy.evaluate import evaluate
from policyd.policy.program import Program
from policyd.policy.request import Request
from policyd.proofs.kinds import Kind
from policyd.proofs.together import Together, put_together
from policyd.proxy.record import Record, line_of
from tests.compare.drawn import edited_pairs, names_of_pair
from tests.compare.plain import kind_between
from tests.compare.small import BASE, program
from tests.strategies.programs import READABLE, programs, requests

DATES = frozenset({"date"})


def together_of(old: Program, new: Program) -> Together:
    found = put_together(old, new)
    assert isinstance(found, Together)
    return found


def line_for(program: Program, request: Request, *, without: frozenset[str] = frozenset()) -> bytes:
    """The line that a sidecar writes of a request, as if it had not needed some features."""
    features = {name: value for name, value in request.values.items() if name not in without}
    record = Record("d", 1_763_634_600.5, "p", "chat", features=features, dates=DATES)
    record.decided = evaluate(program, request)
    return line_of(record)


def replayed(together: Together, *lines: bytes) -> Replayed:
    replay = Replay(together)
    for number, line in enumerate(lines, 1):
        replay.take(number, line)
    return replay.result


@given(st.data())
def test_whole_records_change_as_their_requests_do(data: st.DataObject) -> None:
    old = data.draw(programs())
    new = data.draw(edited_pairs(data.draw(st.lists(st.sampled_from(READABLE), min_size=1, max_size=3))))[1]
    together = together_of(old, new)
    asked = data.draw(st.lists(requests(together.program), max_size=5))
    found = replayed(together, *(line_for(old, r) for r in asked))
    kinds = Counter(kind_between(old, new, r) for r in asked)
    assert (found.records, found.unread, found.undecided) == (len(asked), 0, 0)
    told: Counter[Kind | None] = Counter({None: found.unchanged})
    for (_, _, kind), number in found.changed.items():
        told[kind] += number
    assert not found.open
    assert +told == +kinds


@given(st.data())
def test_a_record_that_holds_less_is_open_or_right(data: st.DataObject) -> None:
    names = data.draw(names_of_pair())
    old, new = data.draw(edited_pairs(names))
    together = together_of(old, new)
    request = data.draw(requests(together.program))
    without = frozenset(data.draw(st.sets(st.sampled_from(names))))
    found = replayed(together, line_for(old, request, without=without))
    assert found.records == 1
    if found.open:
        assert all(set(features) <= without for features in found.open)
        return
    kind = kind_between(old, new, request)
    assert found.unchanged == (kind is None)
    assert [turn[2] for turn in found.changed] == ([] if kind is None else [kind])


OLD = program(BASE)
NEW = program(
    BASE.replace(
        "sensitivity >= confidential because", "sensitivity >= confidential and not tools because"
    ).replace("assert confidential", "#")
)
PAIR = together_of(OLD, NEW)
QUIET = {
    "endpoint": "chat", "hour": 9, "weekday": "fri", "date": "2026-11-20", "model": "m", "stream": False, "tools": True,
    "images": False, "json": False, "reasoning": False, "server_tools": False, "stored": False, "remote_content": False,
    "opaque": False, "messages": 1, "max_output": 100, "tokens": 10, "context_needed": 110, "findings": ["secret", "secret.aws"],
    "team": "search", "project": "none", "latency": "interactive", "risk": 1, "header:x-data-class": "internal",
}  # fmt: skip


def record(**features: object) -> bytes:
    values = {name: value for name, value in {**QUIET, **features}.items() if value != "absent"}
    return json.dumps({"features": values, "route": "rest", "candidates": ["local"]}).encode()


def test_a_change_is_counted_for_its_pair_with_its_first_line() -> None:
    found = replayed(PAIR, record(tools=False), record(), record())
    assert (found.records, found.unchanged) == (3, 1)
    ((turn, number),) = found.changed.items()
    assert (turn[2], number, found.first[turn]) == (Kind.LOOSER, 2, 2)


def test_what_a_record_does_not_hold_leaves_the_question_open() -> None:
    found = replayed(PAIR, record(findings="absent"))
    assert found.open == {("findings",): 1}


def test_what_a_record_does_not_hold_may_not_matter() -> None:
    found = replayed(PAIR, record(findings="absent", tools=False), record(risk="absent"))
    assert not found.open
    assert (found.unchanged, sum(found.changed.values())) == (1, 1)


def test_bounds_on_both_sides_of_a_threshold_leave_it_open() -> None:
    across = {"at_least": 20_000, "at_most": 40_000}
    inside = {"at_least": 10, "at_most": 3_000}
    found = replayed(
        PAIR, record(context_needed=inside, tokens=inside), record(context_needed=across, tokens=across)
    )
    assert sum(found.changed.values()) == 1
    ((features, number),) = found.open.items()
    assert "context_needed" in features and number == 1


def test_unknown_values_are_what_the_policy_takes_them_for() -> None:
    found = replayed(PAIR, record(findings=["*"]), record(max_output=None, context_needed=None, tokens=None))
    assert found.unread == 0
    assert found.records == 2


def test_a_word_that_was_cut_is_every_word_that_it_may_have_been() -> None:
    long = "x" * 250
    old = program(BASE.replace("when latency == batch", f'when project == "{long}"'))
    new = program(BASE.replace("when latency == batch", f'when project == "{long}" and not tools'))
    found = replayed(
        together_of(old, new), record(project="x" * 200 + "…", findings=[]), record(project="y…", findings=[])
    )
    assert found.open == {("project",): 1}
    assert found.unchanged == 1


def test_a_word_that_was_escaped_may_have_been_any() -> None:
    new = program(
        BASE.replace("when latency == batch", 'when latency == batch or project starts with "\\\\"')
    )
    found = replayed(together_of(OLD, new), record(project="\\u001b[31m", findings=[]))
    assert found.open == {("project",): 1}


def test_no_line_is_dropped_in_silence() -> None:
    lines = [
        b"not json\n",
        b'{"a": 1}\n',
        b"[]\n",
        record(latency="never heard of"),
        record(hour=24),
        record(tools="yes"),
        b"\n",
    ]
    found = replayed(PAIR, *lines)
    assert (found.records, found.unread) == (0, 6)
    assert [wrong.line for wrong in found.wrong] == [1, 2, 3, 4, 5, 6]
    assert "`latency`" in found.wrong[3].why


def test_a_request_that_no_policy_was_asked_about_is_counted_apart() -> None:
    found = replayed(PAIR, json.dumps({"features": {"hour": 3}, "route": None}).encode())
    assert (found.records, found.undecided, found.unread) == (0, 1, 0)


def test_a_date_is_read_as_it_is_written() -> None:
    new = program(
        BASE.replace("deny tired when hour in 22..23", "deny tired when date >= 2026-12-01 or hour in 22..23")
    )
    together = together_of(OLD, new)
    found = replayed(together, record(date="2026-11-30"), record(date="2026-12-01", weekday="tue"))
    assert (found.unchanged, sum(found.changed.values())) == (1, 1)
    assert date(2026, 12, 1).weekday() == 1
