"""A body as one target gets it: its model's name, and the keys that its binding declares. Pure.

In come a body and a binding; out go bytes. Every way to a target goes through here, so that no retry, no failover and no
translation leaves a declared key out; the gate looks for them again in the very bytes (`declared_keys`).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import orjson

from policyd.deploy.model import Binding
from policyd.traffic.body import Body
from policyd.traffic.rewrite import put_values

__all__ = ["bound_body"]


_NOTHING: Final[Mapping[str, bytes]] = MappingProxyType({})


def bound_body(binding: Binding, body: Body, named: str, more: Mapping[str, bytes] = _NOTHING) -> bytes:
    """The bytes to send. `named` is the model that the body names, `more` are values that policyd asks for on its own, which
    give way to the binding's; every byte that is not told here stays as it came."""
    values = {**more, **{key: text.encode() for key, text in binding.send}}
    model = binding.model_for(named)
    if model != named:
        values["model"] = orjson.dumps(model)
    return put_values(body, values)
