"""A request's features that cost next to nothing: from its path, headers, identity, clock and the reading of its body.

In come a policy, its deployment and one request; out go values that the policy admits, or the refusal that the request
earns. Pure: the clock is passed in. The one idea: what depends on the deployment, the caller's identity or the minute is
admitted once and reused, so that a request pays for its own words only. Tokens and findings are not here: they cost,
and `weigh.py` computes them when a decision asks for them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, TypeAlias

from policyd.deploy.zone import zone_of
from policyd.policy.builtins import DATES, WEEKDAYS
from policyd.policy.program import MAX_NUMBER, Feature, Program, Value
from policyd.policy.request import Inadmissible, admit_value
from policyd.proxy.identity import Claims
from policyd.proxy.refusals import Refusal, refuse
from policyd.traffic.reading import Flag, Reading

__all__ = ["Sight", "Values", "policy_headers", "sight_of"]

Values: TypeAlias = dict[str, Value]

LONGEST_KEPT: Final = 256
"""Bytes of a header's value whose admission is remembered: a caller does not decide how much is kept."""

MOST_CALLERS: Final = 4096
"""Callers whose admitted identity is remembered; who came first is forgotten first."""


def policy_headers(program: Program) -> frozenset[bytes]:
    """Lower-case names of the headers that the policy reads, as features or as labels."""
    return frozenset(f.where.key.encode() for f in program.features if f.where.kind in {"header", "label"})


@dataclass(frozen=True, slots=True)
class _FromHeader:
    """A header feature or a label, with its value where the header is absent."""

    feature: Feature
    absent: Value | Inadmissible

    def admit(self, raw: bytes) -> Value | Inadmissible:
        admitted = _admit_text if len(raw) <= LONGEST_KEPT else _admit_text.__wrapped__
        return admitted(self.feature, raw)


@lru_cache(maxsize=4096)
def _admit_text(feature: Feature, raw: bytes) -> Value | Inadmissible:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return Inadmissible(feature.name, 400, f"the header `{feature.where.key}` is not UTF-8")
    return admit_value(feature, text)


@lru_cache(maxsize=1024)
def _admit_model(feature: Feature, name: str) -> Value | Inadmissible:
    return admit_value(feature, name)


@lru_cache(maxsize=1 << len(Flag))
def _of_flags(flags: frozenset[Flag]) -> Values:
    """Not to be changed: it is everybody's."""
    return {flag.value: flag in flags for flag in Flag}


class Sight:
    """What one policy looks at under one deployment. Caches, and is replaced with the policy."""

    __slots__ = (
        "_by_header", "_claims", "_deployment", "_fixed", "_identity", "_minute", "_now", "_zone", "headers", "model",
    )  # fmt: skip

    def __init__(self, program: Program, deployment: Mapping[str, object], zone: str) -> None:
        self.headers = policy_headers(program)
        self.model = next(f for f in program.features if f.name == "model")
        self._zone = zone_of(zone)
        self._minute = -1
        self._now: Values | Refusal = {}
        self._by_header: dict[bytes, list[_FromHeader]] = {}
        for feature in program.features:
            if feature.where.kind in {"header", "label"}:
                entry = _FromHeader(feature, admit_value(feature, None))
                self._by_header.setdefault(feature.where.key.encode(), []).append(entry)
        self._identity = tuple(f for f in program.features if f.where.kind == "identity")
        self._claims: dict[int, tuple[Claims, Values | Refusal]] = {}
        fixed = {
            f.name: admit_value(f, deployment.get(f.where.key))
            for f in program.features
            if f.where.kind == "deployment"
        }
        # Budgets are not kept here: until a ledger answers, every one counts as exceeded.
        fixed |= {f.name: admit_value(f, None) for f in program.features if f.where.kind == "ledger"}
        self._fixed = _all_admitted(fixed.values()) or {
            name: value for name, value in fixed.items() if not isinstance(value, Inadmissible)
        }

    def at(self, clock: float) -> Values | Refusal:
        """`hour`, `weekday` and `date` at a POSIX time. Zones change on whole minutes, so a minute has one answer. A clock
        outside the calendar that policies are proved over is refused: it is wrong."""
        minute = int(clock) // 60
        if minute != self._minute:
            now = datetime.fromtimestamp(clock, UTC).astimezone(self._zone)
            self._minute = minute
            day = now.toordinal()
            if DATES.low <= day <= DATES.high:
                self._now = {"hour": now.hour, "weekday": WEEKDAYS[now.weekday()], "date": day}
            else:
                self._now = refuse("internal_error", f"the clock says {now.date()}, which no policy is about")
        return self._now

    def before_body(
        self, endpoint: str, headers: Iterable[tuple[bytes, bytes]], claims: Claims, clock: float
    ) -> Values | Refusal:
        """Every feature that is known before the body is read."""
        fixed = self._fixed
        if isinstance(fixed, Refusal):
            return fixed
        who = self._of(claims)
        if isinstance(who, Refusal):
            return who
        now = self.at(clock)
        if isinstance(now, Refusal):
            return now
        values: Values = {"endpoint": endpoint, **now, **fixed, **who}
        if not self._by_header:
            return values
        raw: dict[bytes, bytes] = {}
        for name, value in headers:
            if name in self._by_header:
                if name in raw:
                    shown = name.decode("latin-1")
                    return refuse(
                        "caller_bad_header",
                        f"the header `{shown}`, which the policy reads, was sent twice; send it once",
                        field=shown,
                    )
                raw[name] = value
        for name, entries in self._by_header.items():
            given = raw.get(name)
            for entry in entries:
                admitted = entry.absent if given is None else entry.admit(given)
                if isinstance(admitted, Inadmissible):
                    return _inadmissible(admitted)
                values[entry.feature.name] = admitted
        return values

    def of_body(self, reading: Reading) -> Values | Refusal:
        """The features that reading the body gives without counting or scanning."""
        admitted = _admit_model if len(reading.model) <= LONGEST_KEPT else _admit_model.__wrapped__
        model = admitted(self.model, reading.model)
        if isinstance(model, Inadmissible):
            return _inadmissible(model)
        values = dict(_of_flags(reading.flags))
        values["model"] = model
        values["messages"] = reading.messages
        # A client that sets no maximum allows any: the value is then unknown, which is the largest.
        values["max_output"] = (
            MAX_NUMBER if reading.max_output is None else min(reading.max_output, MAX_NUMBER)
        )
        return values

    def _of(self, claims: Claims) -> Values | Refusal:
        known = self._claims.get(id(claims))
        if known is not None:
            return known[1]
        admitted = {f.name: admit_value(f, claims.get(f.where.key)) for f in self._identity}
        found: Values | Refusal = _all_admitted(admitted.values()) or {
            name: value for name, value in admitted.items() if not isinstance(value, Inadmissible)
        }
        if sum(map(len, claims.values())) <= LONGEST_KEPT * 4:
            if len(self._claims) >= MOST_CALLERS:
                del self._claims[next(iter(self._claims))]
            self._claims[id(claims)] = (claims, found)
        return found


def sight_of(program: Program, deployment: Iterable[tuple[str, object]], zone: str) -> Sight:
    """The sight of a policy under a deployment's features, in its time zone."""
    return Sight(program, dict(deployment), zone)


def _all_admitted(values: Iterable[Value | Inadmissible]) -> Refusal | None:
    return next((_inadmissible(v) for v in values if isinstance(v, Inadmissible)), None)


def _inadmissible(what: Inadmissible) -> Refusal:
    code = "policy_unknown" if what.status == 403 else "caller_bad_value"
    return refuse(code, what.message, field=what.feature, status=what.status)
