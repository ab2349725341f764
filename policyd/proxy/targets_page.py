"""What the admin side says about targets: which are out and why, and what is looked at. Pure: values in, JSON values out.

Reasons and details are policyd's own words. Nothing here names a credential, and of a URL no more than its host.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from policyd.proxy.breaker import BreakerState
from policyd.proxy.calibration import Compared
from policyd.proxy.probe.rounds import Watched
from policyd.proxy.standing import Out
from policyd.proxy.targets import TargetView

__all__ = ["targets_in_short", "targets_in_full"]

Outs = Mapping[str, tuple[Out, ...]]


def targets_in_short(
    targets: Iterable[str], out: Outs, now: float, views: Iterable[TargetView]
) -> dict[str, Any]:
    """For `/readyz`: how many are in service, those that are not, and those whose breaker is not closed. `now` is of the
    monotonic clock."""
    names = tuple(targets)
    return {
        "in_service": sum(name not in out for name in names),
        "out": [{"target": name, "reasons": _reasons(out[name], now)} for name in names if name in out],
        "breaker_open": [view.target for view in views if view.breaker is not BreakerState.CLOSED],
    }


def targets_in_full(
    targets: Iterable[str],
    out: Outs,
    watched: Iterable[Watched],
    now: float,
    unreached: Mapping[str, str],
    views: Iterable[TargetView],
    compared: Mapping[str, Compared],
) -> list[dict[str, Any]]:
    """For `/targets`: each with its reasons, the looks that were taken at it, why the last connect failed, if it did, how
    our estimates of its tokens do, its breaker and its load."""
    viewed = {view.target: view for view in views}
    known = {w.expected.name: w for w in watched}
    return [
        {
            "target": name,
            "in_service": name not in out,
            "reasons": _reasons(out.get(name, ()), now),
            "unreached": unreached.get(name),
            "looks": dict(known[name].looks) if name in known else {},
            "tokens": _tokens(compared[name]) if name in compared else None,
            **({} if name not in viewed else _under_load(viewed[name])),
        }
        for name in targets
    ]


def _under_load(view: TargetView) -> dict[str, Any]:
    left = view.left_alone
    return {
        "breaker": {"state": view.breaker.value, "seconds_left": None if left is None else round(left, 1)},
        "load": {
            "in_flight": view.in_flight,
            "most_in_flight": view.max_in_flight,
            "in_flight_bytes": view.in_flight_bytes,
            "waiting": view.waiting,
            "requests_left": view.requests_left,
            "tokens_left": view.tokens_left,
        },
    }


def _tokens(compared: Compared) -> dict[str, Any]:
    scale = compared.fitting_scale
    return {
        "tokenizer": compared.measure.vocabulary,
        "tokens_scale": compared.measure.permille / 1000,
        "requests": compared.requests,
        "estimated": compared.estimated,
        "reported": compared.reported,
        "estimated_by_reported": {
            "all": round(compared.estimated / compared.reported, 3),
            "lowest": round(compared.lowest, 3),
            "highest": round(compared.highest, 3),
        },
        "fitting_scale": None
        if scale is None
        else {"all": round(scale, 3), "largest": round(compared.largest_scale, 3)},
    }


def _reasons(outs: Iterable[Out], now: float) -> list[dict[str, Any]]:
    return [
        {"reason": o.reason.value, "detail": o.detail, "seconds": max(0, round(now - o.since))} for o in outs
    ]
