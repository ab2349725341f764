"""`GET /v1/models`: what this caller may use, in its dialect's shape. Pure.

In come what serves and the features of the caller; out goes a body. The one idea: the policy itself is asked,
once for each endpoint that somebody speaks, with a hypothetical quiet request of this caller; the models of the targets
in those plans are the answer. A model that the list does not hold is not forbidden by that: a decision is about a request.
"""

from collections.abc import Iterator
from typing import Final

import orjson

from policyd.policy.builtins import DIALECT_ENDPOINTS
from policyd.policy.decision import Plan
from policyd.policy.program import Value
from policyd.policy.quiet import quiet_value
from policyd.proxy.decide import decide_known
from policyd.proxy.live import Live
from policyd.proxy.observe import Values
from policyd.proxy.refusals import Dialect, Refusal, refuse
from policyd.traffic.refused import quoted

__all__ = ["listing", "models_of"]

_CREATED: Final = 1_700_000_000
_CREATED_AT: Final = "2023-11-14T22:13:20Z"
"""Shapes demand a date of each model, and nobody knows one."""


def models_of(live: Live, caller: Values, dialect: Dialect) -> tuple[str, ...]:
    """Names that this caller may send as `model` and that a target in one of its plans answers to, each once."""
    names: dict[str, None] = {}
    for endpoint in sorted(DIALECT_ENDPOINTS[dialect]):
        for target in _targets(live, caller, endpoint):
            binding = live.bindings[target]
            names.update((alias, None) for alias, _ in binding.aliases)
            if not binding.aliases:
                names[binding.model or target] = None
    return tuple(names)


def _targets(live: Live, caller: Values, endpoint: str) -> Iterator[str]:
    values: dict[str, Value] = {}
    for feature in live.ready.program.features:
        quiet = quiet_value(feature)
        if quiet is not None:
            values[feature.name] = quiet
    values |= caller
    values["endpoint"] = endpoint
    decision = decide_known(live, values)
    if isinstance(decision, Plan):
        yield from decision.targets


def listing(live: Live, caller: Values, dialect: Dialect, wanted: str | None) -> bytes | Refusal:
    """The body of the list, or of the one model that was asked for."""
    names = models_of(live, caller, dialect)
    if wanted is not None:
        if wanted not in names:
            return refuse(
                "caller_unknown_model", f"{quoted(wanted)} is not a model that this caller may use here"
            )
        return orjson.dumps(_entry(wanted, dialect))
    entries = [_entry(name, dialect) for name in names]
    if dialect == "openai":
        return orjson.dumps({"object": "list", "data": entries})
    page = {
        "data": entries,
        "has_more": False,
        "first_id": names[0] if names else None,
        "last_id": names[-1] if names else None,
    }
    return orjson.dumps(page)


def _entry(name: str, dialect: Dialect) -> dict[str, object]:
    if dialect == "openai":
        return {"id": name, "object": "model", "created": _CREATED, "owned_by": "policyd"}
    return {"type": "model", "id": name, "display_name": name, "created_at": _CREATED_AT}
