"""Which targets of a plan may not have a body, because they send requests on and it could say to where. Pure.

In come what serves, a plan and a body; out go the targets that stay out, or a refusal where no other is left. The one idea: a
target that sends requests on gets only keys that its API documents, at the top, inside messages and tools, and in `metadata`,
where gateways look for the deployment to choose and for the log to write to.
"""

from collections.abc import Mapping
from typing import Any, Final

from policyd.policy.builtins import DIALECT_ENDPOINTS
from policyd.policy.decision import Plan
from policyd.proxy.live import Live
from policyd.proxy.refusals import Refusal, refuse
from policyd.traffic.body import Body
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.reading import Reading
from policyd.traffic.refused import quoted
from policyd.traffic.top_level import unknown_top_level_keys

__all__ = ["barred"]

MOST_KEYS: Final = 8
"""Keys that a refusal names."""

_METADATA: Final = "metadata"
_USER: Final = frozenset({"user_id"})
_NONE: Final[frozenset[str]] = frozenset()


def barred(
    live: Live, plan: Plan, endpoint: EndpointName, body: Body, reading: Reading
) -> frozenset[str] | Refusal:
    """The plan's targets that may not have this body; a refusal where no other is left."""
    onward = live.onward.intersection(plan.targets) if live.onward else live.onward
    if not onward:
        return _NONE
    keys = (*unknown_top_level_keys(endpoint, body.parsed), *reading.unknown)
    labels = _labels(endpoint, body.parsed)
    out = (
        onward
        if keys
        else frozenset(t for t in onward if not _declares_metadata(live, t))
        if labels
        else _NONE
    )
    if len(out) < len(set(plan.targets)):
        return out
    named = (*keys, *labels)
    shown = ", ".join(quoted(key) for key in named[:MOST_KEYS]) + (", …" if len(named) > MOST_KEYS else "")
    return refuse(
        "caller_unknown_key",
        f"the API does not have {shown}, and every target that the policy allows sends requests on: leave it out",
    )


def _labels(endpoint: EndpointName, parsed: Mapping[str, Any]) -> tuple[str, ...]:
    """What `metadata` says that no API gives a meaning. Some gateways read a string of JSON there as well."""
    said = parsed.get(_METADATA)
    if said is None or said == {}:
        return ()
    if not isinstance(said, dict):
        return (_METADATA,)
    known = _USER if endpoint in DIALECT_ENDPOINTS["anthropic"] else _NONE
    return tuple(f"{_METADATA}.{key}" for key in said if key not in known)


def _declares_metadata(live: Live, target: str) -> bool:
    """Whether the caller's is replaced for this target by what its binding says."""
    return any(key == _METADATA for key, _ in live.bindings[target].send)
