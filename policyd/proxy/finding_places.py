"""Where in a request the findings stand that a decision was about, for the log and for whoever is refused.

In come a decision and the request; out go places, or who did not answer where a finding only counts as found. The one idea: only the rules that took effect are asked which findings
they read, so what nobody objected to is looked for by nobody.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from policyd.detect.scanner import DetectorFailed, Scanner
from policyd.policy.condition import Has
from policyd.policy.decision import Decision
from policyd.policy.program import Program
from policyd.policy.request import EVERYTHING
from policyd.proxy.lanes import Stopped, until_stopped
from policyd.proxy.not_known import tests_behind
from policyd.proxy.observe import Values
from policyd.proxy.weigh import Weigher
from policyd.traffic.found import UNANSWERED, Found, where_found
from policyd.traffic.reading import Reading

__all__ = ["places_of", "places_of_names"]


async def places_of(
    program: Program, decision: Decision, values: Values, reading: Reading, size: int, weigher: Weigher
) -> tuple[Found, ...]:
    """The places of the findings that the denies and guards read by which the decision is what it is. None where nothing was
    found, where the findings are unknown, or where their places cannot be told in time."""
    found = values.get("findings")
    if not isinstance(found, frozenset) or not found or found is EVERYTHING:
        return ()
    names = frozenset(_read(program, decision)) & found
    return await places_of_names(names, reading, size, weigher)


async def places_of_names(
    names: Iterable[str], reading: Reading, size: int, weigher: Weigher
) -> tuple[Found, ...]:
    """The places of these findings and of those below them."""
    sought = tuple(names)
    if not sought:
        return ()

    def wanted(finding: str) -> bool:
        return any(finding == name or finding.startswith(name + ".") for name in sought)

    def work(scanner: Scanner, stopped: Stopped) -> tuple[Found, ...]:
        # Who did not answer when the request was decided need not be waited for again.
        unanswered = dict(reading.unanswered)

        def scan(texts: Iterable[str]) -> frozenset[str]:
            return scanner.scan(until_stopped(texts, stopped), unanswered)

        found = where_found(reading, wanted, scan)
        there = {one.finding for one in found}
        return (*found, *_assumed(unanswered, lambda name: wanted(name) and name not in there))

    try:
        return await weigher.scanning(work, size)
    except (DetectorFailed, TimeoutError):
        return ()


def _assumed(unanswered: Mapping[str, frozenset[str]], wanted: Callable[[str], bool]) -> Iterator[Found]:
    for classifier, declared in sorted(unanswered.items()):
        yield from (Found(name, UNANSWERED, classifier) for name in sorted(filter(wanted, declared)))


def _read(program: Program, decision: Decision) -> Iterator[str]:
    """The names of findings that the rules read which took effect, through levels."""
    for test in tests_behind(program, decision):
        if isinstance(test, Has) and test.feature == "findings":
            yield test.name
