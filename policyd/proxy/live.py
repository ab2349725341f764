"""What serves: one policy with everything the hot path needs of it, swapped as a whole.

In come a policy that is ready and what the deployment binds it to; out goes a `Live`. The one idea: a request takes one
`Live` and is decided by it alone, however often the policy changes meanwhile; before it is sent, the gate compares
digests. Immutable but for the caches of `Sight`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from policyd.deploy.bindings import Bound
from policyd.deploy.model import Binding, Deployment
from policyd.pipeline import Ready
from policyd.proxy.gate import Serving
from policyd.proxy.observe import Sight, sight_of

__all__ = ["Live", "live_from"]


@dataclass(frozen=True, slots=True, eq=False)
class Live:
    """`tag` is the digest as a header's value; `loaded_at` a POSIX time; `exact` names the token features whose number
    itself matters, because a split hashes it; `read` every feature that the policy reads."""

    ready: Ready
    sight: Sight
    serving: Serving
    bindings: Mapping[str, Binding]
    price_in: Mapping[str, int]
    exact: frozenset[str]
    read: frozenset[str]
    tag: bytes
    loaded_at: float


def live_from(ready: Ready, bound: Bound, deployment: Deployment, loaded_at: float) -> Live:
    """INVARIANT: `bound` has no errors, so every target of the policy is bound."""
    program = ready.program
    prices = {t.name: t.fact("price_in") for t in program.targets}
    hashed = frozenset(g.by for r in program.routes for g in r.groups if g.by is not None)
    return Live(
        ready=ready,
        sight=sight_of(program, deployment.features, deployment.timezone),
        serving=Serving(
            ready.digest,
            {t.name: t for t in bound.targets},
            frozenset(name.encode() for name in bound.headers),
        ),
        bindings={t.name: t.binding for t in bound.targets},
        price_in={name: price for name, price in prices.items() if isinstance(price, int)},
        exact=hashed & {"tokens", "context_needed"},
        read=hashed | {axis.feature for axis in ready.compiled.matrix.axes},
        tag=ready.digest.encode(),
        loaded_at=loaded_at,
    )
