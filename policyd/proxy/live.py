"""What serves: one policy and one deployment with everything the hot path needs of them, swapped as a whole.

In come a policy that is ready and the deployment that it is bound by; out goes a `Live`. The one idea: a request takes one
`Live` and is decided by it alone, however often files change meanwhile; before it is sent, the gate compares generations,
and what was decided under another one is decided again. Immutable but for caches.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from policyd.deploy.bindings import Bound
from policyd.deploy.model import Binding, Deployment, KeySet, Limits, Tokens
from policyd.detect.builtin import engine_with
from policyd.pipeline import Ready
from policyd.plugins.classifiers import NO_CLASSIFIERS, Classifiers
from policyd.policy.program import NumberDomain
from policyd.proxy.conversations.levels import Remembers, remembers_of
from policyd.proxy.counting import without_counting
from policyd.proxy.gate import Serving
from policyd.proxy.host import hosts_of
from policyd.proxy.identity import Identify, identify_by
from policyd.proxy.identity_keys import KeyRing, rings_of
from policyd.proxy.observe import Sight, sight_of
from policyd.proxy.redacting import Redactions, redactions_of
from policyd.proxy.translated import Speech, speech_of
from policyd.proxy.weigh import Weigher
from policyd.text.diagnostic import Diagnostic
from policyd.traffic.tokens import Measure

__all__ = ["Live", "live_from"]


@dataclass(frozen=True, slots=True, eq=False)
class Live:
    """`serving.digest` is the generation: the policy's digest and how often policy or deployment changed. `tag` is the
    digest as a header's value; `files` were read for this, and `findings` did not stop it; `loaded_at` is a POSIX time; `exact` names the token features
    whose number itself matters, because a split hashes it; `metered`: a target has a bound on tokens; `read` every feature that the policy reads, `dates` those that
    are days; `onward` the targets that send requests on; `hosts` the names that requests may be made for, None for any;
    `prefix` what stands before every path; `uncounting` the targets that do not answer `count_tokens`; `speech`
    says what is translated for each, `translated` for any; `redactions` what the policy takes out of requests. `measure` is how the policy's tokens are counted, `measures` how each
    target's are estimated. `remembers` is what the policy asks of conversations; `classifiers` run beside the detectors."""

    ready: Ready
    deployment: Deployment
    files: tuple[str, ...]
    findings: tuple[Diagnostic, ...]
    sight: Sight
    serving: Serving
    identify: Identify
    rings: tuple[KeyRing, ...]
    weigher: Weigher
    classifiers: Classifiers
    limits: Limits
    bindings: Mapping[str, Binding]
    prices: Mapping[str, tuple[int, int]]
    metered: bool
    exact: frozenset[str]
    onward: frozenset[str]
    hosts: frozenset[bytes] | None
    prefix: str
    uncounting: frozenset[str]
    measure: Measure
    measures: Mapping[str, Measure]
    speech: Mapping[str, Speech]
    translated: frozenset[str]
    redactions: Redactions | None
    remembers: Remembers | None
    read: frozenset[str]
    dates: frozenset[str]
    tag: bytes
    loaded_at: float
    turn: int


def live_from(
    ready: Ready,
    bound: Bound,
    deployment: Deployment,
    files: tuple[str, ...],
    loaded_at: float,
    findings: tuple[Diagnostic, ...] = (),
    *,
    classifiers: Classifiers = NO_CLASSIFIERS,
    before: Live | None = None,
) -> Live:
    """INVARIANT: `bound` has no errors, so every target of the policy is bound; `classifiers` were started. `before` is what serves now: the same
    policy under the same deployment stays the same generation, so that no request is decided again for nothing."""
    program = ready.program
    prices = {t.name: (t.fact("price_in"), t.fact("price_out")) for t in program.targets}
    hashed = frozenset(g.by for r in program.routes for g in r.groups if g.by is not None)
    turn = _turn(ready, deployment, before)
    translated = frozenset[str]().union(*(speech_of(t).translates for t in program.targets))
    placeholders = deployment.redaction_key
    rings = rings_of(deployment.identity, () if before is None else before.rings)
    return Live(
        ready=ready,
        deployment=deployment,
        files=files,
        findings=findings,
        sight=sight_of(program, deployment.features, deployment.timezone),
        serving=Serving(
            f"{ready.digest}.{turn}",
            {t.name: t for t in bound.targets},
            frozenset(name.encode() for name in bound.headers),
        ),
        identify=_identify(deployment, rings, before),
        rings=tuple(rings.values()),
        weigher=_weigher(deployment, classifiers, before),
        classifiers=classifiers,
        limits=deployment.limits,
        bindings={t.name: t.binding for t in bound.targets},
        prices={n: (i, o) for n, (i, o) in prices.items() if isinstance(i, int) and isinstance(o, int)},
        metered=any(t.binding.load.tokens_per_minute is not None for t in bound.targets),
        onward=frozenset(t.name for t in program.targets if t.fact("onward") is True),
        hosts=hosts_of(deployment),
        prefix=deployment.listen.prefix,
        uncounting=without_counting(program, bound),
        measure=_measure(deployment.tokens),
        measures={t.name: _measure(deployment.tokens, t.binding) for t in bound.targets},
        speech={t.name: speech_of(t) for t in program.targets},
        translated=translated,
        redactions=redactions_of(program, None if placeholders is None else placeholders.value, translated),
        exact=hashed & {"tokens", "context_needed"},
        remembers=remembers_of(program),
        read=hashed | {axis.feature for axis in ready.compiled.matrix.axes},
        dates=frozenset(
            f.name for f in program.features if isinstance(f.domain, NumberDomain) and f.domain.unit == "date"
        ),
        tag=ready.digest.encode(),
        loaded_at=loaded_at,
        turn=turn,
    )


def _turn(ready: Ready, deployment: Deployment, before: Live | None) -> int:
    if before is None:
        return 0
    same = before.ready.digest == ready.digest and before.deployment == deployment
    return before.turn if same else before.turn + 1


def _identify(deployment: Deployment, rings: Mapping[KeySet, KeyRing], before: Live | None) -> Identify:
    """Callers that were known stay known where they would be known in the same way."""
    if before is not None and (before.deployment.identity, before.deployment.listen) == (
        deployment.identity,
        deployment.listen,
    ):
        return before.identify
    return identify_by(deployment.identity, deployment.listen, rings)


def _weigher(deployment: Deployment, classifiers: Classifiers, before: Live | None) -> Weigher:
    """What was counted and scanned stays known where it would be counted and scanned in the same way."""
    measure = _measure(deployment.tokens)
    if (
        before is not None
        and before.deployment.answer_reserve == deployment.answer_reserve
        and before.deployment.detectors == deployment.detectors
        and before.measure == measure
        and before.classifiers is classifiers
    ):
        return before.weigher
    engine = engine_with(deployment.detectors.rules, deployment.detectors.accelerator)
    return Weigher(deployment.answer_reserve, measure, classifiers=classifiers or None, engine=engine)


def _measure(tokens: Tokens, binding: Binding | None = None) -> Measure:
    vocabulary, scale = tokens.tokenizer, tokens.scale
    if binding is not None:
        vocabulary = vocabulary if binding.tokenizer is None else binding.tokenizer
        scale = scale if binding.tokens_scale is None else binding.tokens_scale
    return Measure(vocabulary, round(scale * 1000))
