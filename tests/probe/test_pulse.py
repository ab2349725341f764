"""When a row of answers takes a target out, and when one brings it back."""

import pytest

from policyd.deploy.model import Health
from policyd.proxy.probe.pulse import Pulse, beat
from policyd.proxy.probe.question import Answer, Said, Unanswered

HEALTH = Health("/health", unhealthy_after=3, healthy_after=2)
WELL, ILL, GONE, UNKNOWN = Said(200, "", b""), Said(503, "", b""), Unanswered("refused"), Unanswered(None)
MOVED = Said(302, "", b"")


@pytest.mark.parametrize(
    ("answers", "out"),
    [
        ([ILL, ILL], False),
        ([ILL, ILL, ILL], True),
        ([ILL, GONE, MOVED], True),
        ([ILL, ILL, WELL, ILL, ILL], False),
        ([ILL, ILL, UNKNOWN, ILL], True),
        ([UNKNOWN] * 9, False),
        ([ILL, ILL, ILL, WELL], True),
        ([ILL, ILL, ILL, WELL, WELL], False),
        ([ILL, ILL, ILL, WELL, ILL, WELL], True),
        ([ILL, ILL, ILL, WELL, WELL, ILL, ILL], False),
    ],
)
def test_only_rows_count(answers: list[Answer], out: bool) -> None:
    pulse = Pulse()
    for answer in answers:
        pulse = beat(pulse, HEALTH, answer)
        assert not (pulse.good and pulse.bad)
    assert pulse.out is out


def test_what_was_wrong_last_is_kept_for_the_telling() -> None:
    pulse = Pulse()
    for answer in (ILL, ILL, GONE, WELL):
        pulse = beat(pulse, HEALTH, answer)
    assert pulse.out and "refused" in pulse.said
