"""What the admin side says about targets: which are out and why, and what is looked at. Pure: values in, JSON values out.

Reasons and details are policyd's own words. Nothing here names a credential, and of a URL no more than its host.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from policyd.proxy.probe.rounds import Watched
from policyd.proxy.standing import Out

__all__ = ["targets_in_short", "targets_in_full"]

Outs = Mapping[str, tuple[Out, ...]]


def targets_in_short(targets: Iterable[str], out: Outs, now: float) -> dict[str, Any]:
    """For `/readyz`: how many are in service, and those that are not. `now` is of the monotonic clock."""
    names = tuple(targets)
    return {
        "in_service": sum(name not in out for name in names),
        "out": [{"target": name, "reasons": _reasons(out[name], now)} for name in names if name in out],
    }


def targets_in_full(
    targets: Iterable[str], out: Outs, watched: Iterable[Watched], now: float, unreached: Mapping[str, str]
) -> list[dict[str, Any]]:
    """For `/targets`: each with its reasons, the looks that were taken at it, and why the last connect failed, if it did."""
    known = {w.expected.name: w for w in watched}
    return [
        {
            "target": name,
            "in_service": name not in out,
            "reasons": _reasons(out.get(name, ()), now),
            "unreached": unreached.get(name),
            "looks": dict(known[name].looks) if name in known else {},
        }
        for name in targets
    ]


def _reasons(outs: Iterable[Out], now: float) -> list[dict[str, Any]]:
    return [
        {"reason": o.reason.value, "detail": o.detail, "seconds": max(0, round(now - o.since))} for o in outs
    ]
