"""`GET /v1/models`: what this caller may use, in its dialect's shape and pages. Pure.

In come what serves and the features of the caller; out goes a body. The one idea: the policy itself is asked,
once for each endpoint that somebody speaks, with a hypothetical quiet request of this caller; the models of the targets
in those plans are the answer. A model that the list does not hold is not forbidden by that: a decision is about a request.
"""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qs

import orjson

from policyd.policy.builtins import DIALECT_ENDPOINTS
from policyd.policy.decision import Plan
from policyd.policy.program import Value
from policyd.policy.quiet import quiet_value
from policyd.policy.variants import plain_plan
from policyd.proxy.decide import decide_known
from policyd.proxy.live import Live
from policyd.proxy.observe import Values
from policyd.proxy.refusals import Dialect, Refusal, refuse
from policyd.traffic.refused import quoted

__all__ = ["listing", "models_of"]

_LIMIT: Final = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)

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
        yield from plain_plan(decision, live.ready.program)[0].targets


def listing(
    live: Live, caller: Values, dialect: Dialect, wanted: str | None, query: bytes = b""
) -> bytes | Refusal:
    """The body of the list, or of the one model that was asked for. The query's `limit`, `after_id` and `before_id`
    (Anthropic's), or `limit` and `after` (as OpenAI's lists have them), choose a page; without them the list is whole."""
    names = models_of(live, caller, dialect)
    if wanted is not None:
        if wanted not in names:
            return refuse(
                "caller_unknown_model", f"{quoted(wanted)} is not a model that this caller may use here"
            )
        return orjson.dumps(_entry(wanted, dialect))
    page = _page(names, dialect, query)
    if isinstance(page, Refusal):
        return page
    shown, more = page
    body = {
        "data": [_entry(name, dialect) for name in shown],
        "has_more": more,
        "first_id": shown[0] if shown else None,
        "last_id": shown[-1] if shown else None,
    }
    return orjson.dumps(body if dialect == "anthropic" else {"object": "list"} | body)


def _page(names: tuple[str, ...], dialect: Dialect, query: bytes) -> tuple[tuple[str, ...], bool] | Refusal:
    """The names of a page, and whether there are more in the direction that was asked for."""
    if not query:
        return names, False
    asked = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    for key in ("limit", "after_id", "before_id", "after"):
        if len(asked.get(key, ())) > 1:
            return refuse("caller_bad_query", f"`{key}` is there twice; send it once")
    limit, after, before = (
        asked.get(key, [None])[0]
        for key in ("limit", "after_id" if dialect == "anthropic" else "after", "before_id")
    )
    if limit is not None and not _LIMIT.fullmatch(limit):
        return refuse("caller_bad_query", "`limit` is a whole number from 1 to 9999")
    most = len(names) if limit is None else int(limit)
    for cursor in (after, before):
        if cursor is not None and cursor not in names:
            return refuse(
                "caller_bad_query", f"the list has no model {quoted(cursor)} from which it could go on"
            )
    if after is None and before is not None and dialect == "anthropic":
        rest = names[: names.index(before)]
        return rest[-most:], len(rest) > most
    rest = names if after is None else names[names.index(after) + 1 :]
    return rest[:most], len(rest) > most


def _entry(name: str, dialect: Dialect) -> dict[str, object]:
    if dialect == "openai":
        return {"id": name, "object": "model", "created": _CREATED, "owned_by": "policyd"}
    return {"type": "model", "id": name, "display_name": name, "created_at": _CREATED_AT}
