"""How the parts of a sidecar stand: what is looked at when metrics are asked for, and not counted.

In come the running parts; out go families. The one idea: each part keeps its own numbers, for its own reasons, and this only
reads them, so they cannot be stale and cost nothing while nobody asks.
"""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from policyd import __version__
from policyd.proxy.breaker import BreakerState
from policyd.proxy.conversations.turns import ConversationsState
from policyd.proxy.decision_log import LogState
from policyd.proxy.live import Live
from policyd.proxy.reload import LoadState
from policyd.proxy.standing import TargetsOut
from policyd.proxy.targets import TargetView
from policyd.proxy.telemetry import instruments as of
from policyd.proxy.telemetry.series import Family, Labels, family
from policyd.proxy.upstream.client import HttpUpstream

__all__ = ["Vitals", "vitals"]

_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass(frozen=True, slots=True)
class Vitals:
    """What to ask, each from the event loop."""

    live: Callable[[], Live]
    targets: Callable[[], Iterable[TargetView]]
    out: TargetsOut
    upstream: HttpUpstream
    connections: Callable[[], int]
    held: Callable[[], int]
    log: Callable[[], LogState]
    load: Callable[[], LoadState]
    draining: Callable[[], bool]
    conversations: Callable[[], ConversationsState]


def vitals(of_what: Vitals) -> tuple[Family, ...]:
    """Called from the event loop, whose parts it reads."""
    live, log, load = of_what.live(), of_what.log(), of_what.load()
    return (
        *_of_targets(of_what),
        _one(of.CONNECTIONS, of_what.connections()),
        _one(of.BODIES, of_what.held()),
        family(of.LOG_LINES, [(("written",), log.written), (("refused",), log.refused)]),
        _one(of.LOG_WAITING, log.waiting),
        _one(of.LOG_FAILING, log.failing is not None),
        family(of.RELOADS, [(("good",), load.reloads), (("failed",), load.failures)]),
        _one(of.RELOAD_FAILING, bool(load.failed)),
        family(of.POLICY, [((live.ready.digest, __version__), 1)]),
        _one(of.POLICY_LOADED, live.loaded_at),
        *_of_conversations(of_what.conversations()),
        family(of.CLASSIFIERS, _of_classifiers(live)),
        _one(of.DRAINING, of_what.draining()),
        _one(of.CPU, time.process_time()),
        *_of_the_process(),
    )


def _one(instrument: of.Instrument, number: float) -> Family:
    return Family(instrument, (((), float(number)),))


def _of_targets(of_what: Vitals) -> tuple[Family, ...]:
    views = tuple(of_what.targets())
    outs = of_what.out.all()
    reasons: list[tuple[Labels, float]] = []
    breakers: list[tuple[Labels, float]] = []
    connections: list[tuple[Labels, float]] = []
    for view in views:
        name = view.target
        reasons += [((name, out.reason.value), 1) for out in outs.get(name, ())] or [((name, ""), 0)]
        breakers += [((name, state.value), float(view.breaker is state)) for state in BreakerState]
        pool = of_what.upstream.pool(name)
        if pool is not None:
            connections += [((name, "open"), pool.open), ((name, "idle"), pool.idle)]
    return (
        family(of.TARGET_IN_FLIGHT, [((v.target,), v.in_flight) for v in views]),
        family(of.TARGET_WAITING, [((v.target,), v.waiting) for v in views]),
        family(
            of.TARGET_FIRST_BYTE, [((v.target,), v.first_byte) for v in views if v.first_byte is not None]
        ),
        family(of.TARGET_OUT, reasons),
        family(of.BREAKERS, breakers),
        family(of.TARGET_CONNECTIONS, connections),
    )


def _of_conversations(state: ConversationsState) -> tuple[Family, ...]:
    events = {
        "waited": state.waits,
        "waited_out": state.waited_out,
        "unknown": state.unknown,
        "evicted": state.store.evicted,
        "scanned": state.scanned,
        "scan_failed": state.failed,
        "store_failed": state.store.failures,
    }
    return (
        _one(of.CONVERSATIONS, state.store.entries),
        family(of.CONVERSATION_EVENTS, [((name,), count) for name, count in events.items()]),
        _one(of.CONVERSATION_STORE, state.store.failing is not None),
    )


def _of_classifiers(live: Live) -> list[tuple[Labels, float]]:
    found: list[tuple[Labels, float]] = []
    for name, tally in live.classifiers.tallies.items():
        failed = dict(tally.failed)
        found.append(((name, "answered"), tally.asked - sum(failed.values())))
        found += [((name, word), count) for word, count in sorted(failed.items())]
    return found


def _of_the_process() -> tuple[Family, ...]:
    """Where the kernel says it (Linux)."""
    try:
        with open("/proc/self/statm", "rb") as file:
            resident = int(file.read().split()[1]) * _PAGE
        descriptors = len(os.listdir("/proc/self/fd"))
    except (OSError, ValueError, IndexError):
        return ()
    return (_one(of.MEMORY, resident), _one(of.DESCRIPTORS, descriptors))
