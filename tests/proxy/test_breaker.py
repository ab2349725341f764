"""The breaker of a target: what opens it, how long, and that one trial at a time closes it. No clock but the test's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.deploy.model import Breaking
from policyd.proxy.breaker import FORGOTTEN_AFTER, LAST, MOST_DOUBLINGS, Breaker, BreakerState

RULE = Breaking(faults=3, open=10.0)


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker(RULE)
    for _ in range(RULE.faults):
        breaker.fault(at, trial=False)
    assert breaker.state is BreakerState.OPEN
    return breaker


def test_faults_in_a_row_open_it_and_one_good_end_between_them_does_not() -> None:
    breaker = Breaker(RULE)
    for _ in range(2):
        breaker.fault(0.0, trial=False)
        breaker.fault(0.0, trial=False)
        breaker.good(trial=False)
    assert breaker.wait(0.0) is None
    for _ in range(3):
        breaker.fault(1.0, trial=False)
    assert breaker.wait(1.0) == 10.0
    assert breaker.wait(10.9) == pytest.approx(0.1)
    assert breaker.wait(11.0) is None


def test_half_of_the_last_attempts_open_it() -> None:
    breaker = Breaker(Breaking(faults=LAST // 2))
    for turn in range(LAST // 2):
        assert breaker.state is BreakerState.CLOSED, turn
        breaker.good(trial=False)
        breaker.fault(0.0, trial=False)
    assert breaker.state is BreakerState.OPEN


def test_as_many_faults_as_the_deployment_allows_are_looked_at() -> None:
    """More than are remembered otherwise: a deployment that allows forty faults in a row means it."""
    patient = Breaker(Breaking(faults=40, open=10.0))
    for at in range(39):
        patient.fault(float(at), trial=False)
        assert patient.wait(float(at)) is None
    patient.fault(39.0, trial=False)
    assert patient.wait(39.0) == 10.0


def test_faults_that_are_far_apart_are_no_row() -> None:
    breaker = Breaker(RULE)
    for turn in range(10):
        breaker.fault(turn * (FORGOTTEN_AFTER + 1), trial=False)
    assert breaker.state is BreakerState.CLOSED


def test_one_request_tries_it_and_the_others_wait() -> None:
    breaker = opened()
    assert breaker.wait(10.0) is None
    assert breaker.begin()
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.wait(10.0) is not None
    breaker.good(trial=True)
    assert breaker.wait(10.0) is None
    assert not breaker.begin()


def test_a_trial_that_fails_doubles_the_time_up_to_a_bound() -> None:
    breaker = opened()
    now, waits = 10.0, []
    for _ in range(MOST_DOUBLINGS + 2):
        assert breaker.begin()
        breaker.fault(now, trial=True)
        waits.append(breaker.wait(now))
        now += waits[-1] or 0.0
    assert waits == [20.0, 40.0, 80.0, 80.0, 80.0]
    assert breaker.begin()
    breaker.good(trial=True)
    for _ in range(RULE.faults):
        breaker.fault(now, trial=False)
    assert breaker.wait(now) == 10.0, "a good trial forgets those that failed"


def test_a_trial_that_tells_nothing_leaves_the_trial_to_the_next() -> None:
    breaker = opened()
    assert breaker.begin()
    breaker.neither(trial=True)
    assert breaker.wait(10.0) is None
    assert breaker.begin()


def test_what_began_before_it_opened_changes_nothing() -> None:
    breaker = opened()
    breaker.good(trial=False)
    breaker.fault(5.0, trial=False)
    breaker.neither(trial=False)
    assert breaker.wait(0.0) == 10.0


@given(st.lists(st.sampled_from(["good", "fault", "neither", "later"]), max_size=40))
def test_at_most_one_trial_whatever_happens(ends: list[str]) -> None:
    breaker, now, under_way, trials = Breaker(RULE), 0.0, [], 0
    for end in ends:
        if breaker.wait(now) is None:
            trial = breaker.begin()
            trials += trial
            assert trials <= 1
            under_way.append(trial)
        if end == "later":
            now += 7.0
        elif under_way:
            trial = under_way.pop(0)
            trials -= trial
            match end:
                case "good":
                    breaker.good(trial=trial)
                case "fault":
                    breaker.fault(now, trial=trial)
                case _:
                    breaker.neither(trial=trial)
    assert (breaker.state is BreakerState.HALF_OPEN) is (trials == 1)
