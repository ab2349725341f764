"""Whether a target is well, from a row of good and bad answers to its health path. Pure.

The one idea: one answer decides nothing. A target is out after so many bad ones in a row and back after so many good ones,
so that a single lost packet moves no traffic and a server that staggers does not flap.
"""

from dataclasses import dataclass

from policyd.deploy.model import Health
from policyd.proxy.probe.question import Answer, Said

__all__ = ["Pulse", "beat", "well_of"]


@dataclass(frozen=True, slots=True)
class Pulse:
    """INVARIANT: at most one of `good` and `bad`, the answers in a row, is not 0."""

    good: int = 0
    bad: int = 0
    out: bool = False
    said: str = ""


def well_of(answer: Answer) -> tuple[bool | None, str]:
    """Whether the answer is a good one, and what was wrong with it; None where it says nothing about the server."""
    if isinstance(answer, Said):
        return answer.well, "" if answer.well else f"its health path answered {answer.status}"
    if answer.kind is None:
        return None, ""
    return False, f"its health path could not be asked: {answer.kind}"


def beat(pulse: Pulse, health: Health, answer: Answer) -> Pulse:
    """The pulse after one more answer."""
    well, said = well_of(answer)
    if well is None:
        return pulse
    if well:
        good = pulse.good + 1
        return Pulse(good, 0, pulse.out and good < health.healthy_after, pulse.said)
    bad = pulse.bad + 1
    return Pulse(0, bad, pulse.out or bad >= health.unhealthy_after, said)
