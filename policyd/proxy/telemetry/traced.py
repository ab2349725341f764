"""Writes a request's trace into what its attempts say to their targets.

In come the ways of a request; out go the same with one header more. A target that sends requests on is told nothing: what it
would do with an id is not known.
"""

from collections.abc import Callable, Container

from policyd.proxy.telemetry.trace import Trace
from policyd.proxy.way import Way

__all__ = ["traced"]


def traced(
    way_to: Callable[[str], Way], trace: Trace, onward: Container[str], attempts: Callable[[], int]
) -> Callable[[str], Way]:
    """`attempts`: how many there were before the one that a way is asked for."""

    def way(target: str) -> Way:
        said = way_to(target)
        header = trace.header(attempts())
        if target not in onward:
            said.headers = [*said.headers, header]
        return said

    return way
