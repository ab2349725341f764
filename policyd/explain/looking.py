"""Which features a compiled policy looks at for one request.

In come a compiled policy and a request; out come the features that `decide` asked for, in the order it asked. Nothing is
known at first; each feature is given when it is asked for, as the sidecar does with the costly ones.
"""

from policyd.engine.compile import Compiled
from policyd.explain.explanation import Looked
from policyd.policy.request import Request

__all__ = ["looked_at"]


def looked_at(compiled: Compiled, request: Request) -> Looked:
    vector = compiled.vector_type()
    asked: list[str] = []
    while True:
        try:
            compiled.decide(vector)
        except AttributeError as error:
            feature = compiled.need_of(error)
            assert feature not in asked, "INVARIANT: a slot that is filled is not asked for again"
            asked.append(feature)
            setattr(vector, compiled.slots[feature], request.values[feature])
        else:
            left = tuple(f for f in compiled.slots if f not in asked)
            return Looked(tuple(asked), left)
