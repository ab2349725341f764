"""What servers that send requests on have to be told, so that what a policy says of them can be true.

In: a target and its binding. Out: the keys that `send` lacks for the target's facts. The one idea: such a server decides for each
request where it goes, by settings of an account that nobody sees here, unless the request says more; so a fact about data rests on
what is sent. A closed table of servers whose documentation says by which key.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from policyd.deploy.model import Binding
from policyd.policy.program import Target

__all__ = ["Wanted", "unsaid"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """For the hosts below `domain`: a target with this `fact` needs `value` at `path` of what is sent. `shown` is the fact as a
    policy writes it, `written` the key as a deployment does."""

    domain: str
    fact: str
    holds: object
    path: tuple[str, ...]
    value: Any
    shown: str
    written: str


_TABLE: Final = (
    Wanted("openrouter.ai", "training", False, ("provider", "data_collection"), "deny", "training no", 'provider = { data_collection = "deny" }'),
    Wanted("openrouter.ai", "retention", 0, ("provider", "zdr"), True, "retention none", "provider = { zdr = true }"),
)  # fmt: skip


def unsaid(target: Target, binding: Binding) -> Iterator[Wanted]:
    """What the facts of the target need and `send` does not say."""
    host = binding.endpoint.host
    sent = {key: json.loads(text) for key, text in binding.send}
    for wanted in _TABLE:
        value = target.fact(wanted.fact)
        known = host == wanted.domain or host.endswith(f".{wanted.domain}")
        if (
            known
            and value == wanted.holds
            and type(value) is type(wanted.holds)
            and _at(sent, wanted.path) != wanted.value
        ):
            yield wanted


def _at(sent: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        sent = sent.get(key) if isinstance(sent, dict) else None
    return sent
