"""Asks the compiled policy, and computes what it turns out to need: tokens and findings, off the event loop.

In come what serves, the features that cost nothing, and the reading of the body; out goes a decision with the vector it
was made on. The one idea: the policy is asked first and says what it lacks, so most requests are neither counted nor
scanned. What cannot be computed is unknown, which is the strictest value; it is never a reason to pass.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from policyd.engine.compile import Compiled
from policyd.policy.condition import features_of
from policyd.policy.decision import Decision, Reject
from policyd.policy.evaluate import evaluate, holds
from policyd.policy.program import MAX_NUMBER, Program, Redaction, Value
from policyd.policy.request import EVERYTHING, Request, unknown_value
from policyd.policy.variants import plain_name
from policyd.proxy.conversations.turns import Turn
from policyd.proxy.live import Live
from policyd.proxy.not_known import not_known
from policyd.proxy.observe import Values
from policyd.proxy.redacting import Redacting
from policyd.proxy.refusals import Refusal, refuse
from policyd.proxy.task_features import TASK_FEATURES, task_features
from policyd.proxy.translated import Translation
from policyd.proxy.weigh import Weigher
from policyd.traffic.reading import Reading
from policyd.translate.loss import Loss

__all__ = ["Decided", "complete", "decide", "decide_known", "refusal_of"]

MOST_RULES = 2_000
"""Rules up to which a rejection is explained in full by the reference: some milliseconds in a thread."""

MOST_MARKS = 64
"""Numbers of tokens for which the policy is asked before they are counted."""

LARGE = 128 * 1024
"""Bytes of a body from which translating it leaves the event loop."""

MOST_NAMED = 12
"""Targets whose removal a refusal tells."""


@dataclass(slots=True)
class Decided:
    """A decision, every value it could have looked at, the token features that only their bounds were known of, and
    what is taken out of the request on its way to the plan's targets. It does
    not change (and is not frozen because one is made for every request)."""

    decision: Decision
    values: Values
    between: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    redaction: Redaction | None = None


async def decide(
    live: Live,
    values: Values,
    reading: Reading,
    size: int,
    weigher: Weigher,
    translation: Translation,
    redacting: Redacting | None = None,
    turn: Turn | None = None,
) -> Decided:
    """The decision. `values` holds the features that cost nothing and is extended; `size` is the body's in bytes; `turn` is
    the request's in its conversation, where the policy asks for that."""
    compiled = live.ready.compiled
    between: Mapping[str, tuple[int, int]] = {}
    weight = weigher.by_size(reading, size, compiled.thresholds, live.exact)
    if weight is not None:
        values["tokens"], values["context_needed"] = weight.tokens, weight.context_needed
        between = weight.between
    vector = compiled.vector_type()
    compiled.fill(vector, values)
    while True:
        try:
            return Decided(compiled.decide(vector), values, between)
        except AttributeError as error:
            missing = compiled.need_of(error)
        thresholds: Mapping[str, tuple[int, ...]] = compiled.thresholds
        if missing in {"tokens", "context_needed"} and not live.exact:
            marks = weigher.marks(reading, size, thresholds)
            telling = _telling(compiled, values, reading.extra_tokens, *marks)
            if isinstance(telling, str):
                missing = telling
            else:
                thresholds = {"tokens": telling}
        if missing in {"tokens", "context_needed"}:
            weight = await weigher.tokens(reading, size, thresholds, live.exact)
            found: Values = {"tokens": weight.tokens, "context_needed": weight.context_needed}
            between = weight.between
        else:
            found = await _found(missing, live, values, reading, size, weigher, translation, redacting, turn)
        values |= found
        for name, value in found.items():
            setattr(vector, compiled.slots[name], value)


async def _found(
    missing: str,
    live: Live,
    values: Values,
    reading: Reading,
    size: int,
    weigher: Weigher,
    translation: Translation,
    redacting: Redacting | None,
    turn: Turn | None,
) -> Values:
    """The costly feature, and what comes with it; tokens excepted."""
    match missing:
        case "findings":
            return {"findings": await _findings(live, weigher, reading, size, translation)}
        case "untranslatable":
            return {"untranslatable": await _is_lost(translation, size)}
        case "unredactable":
            return {"unredactable": await _unredactable(live, values, weigher, redacting)}
        case _ if missing in TASK_FEATURES:
            return await task_features(missing, live.read | {missing}, str(values["endpoint"]), reading, size)
        case _ if missing.startswith("conversation:") and turn is not None:
            return dict(await turn.seen())
        case _:
            raise AssertionError(f"INVARIANT: `{missing}` is known before the policy is asked")


async def complete(
    live: Live,
    decided: Decided,
    names: frozenset[str],
    reading: Reading,
    size: int,
    translation: Translation,
    redacting: Redacting | None,
    turn: Turn | None,
) -> Values:
    """The values that were decided on, with all of these; tokens are counted where only bounds of them were known."""
    weigher, values = live.weigher, dict(decided.values)
    for name in sorted(names):
        if name in {"tokens", "context_needed"}:
            if name not in values or name in decided.between:
                weight = await weigher.tokens(reading, size, {}, frozenset({"tokens"}))
                values["tokens"], values["context_needed"] = weight.tokens, weight.context_needed
        elif name not in values:
            values |= await _found(name, live, values, reading, size, weigher, translation, redacting, turn)
    return values


def _telling(
    compiled: Compiled, values: Values, least: int, answer: int, marks: tuple[int, ...]
) -> tuple[int, ...] | str:
    """Of the numbers of tokens from which on the policy may decide differently, those at which it does for this request:
    asking it for each costs far less than counting. Or another feature that it has to know first. `least` and the `answer`
    are tokens that the request has in any case."""
    if len(marks) > MOST_MARKS:
        return marks
    found: list[int] = []
    before: Decision | None = None
    for at in (least, *marks):
        vector = compiled.vector_type()
        weight = {"tokens": min(at, MAX_NUMBER), "context_needed": min(at + answer, MAX_NUMBER)}
        compiled.fill(vector, {**values, **weight})
        try:
            decision = compiled.decide(vector)
        except AttributeError as error:
            return compiled.need_of(error)
        if before is not None and decision != before:
            found.append(at)
        before = decision
    return tuple(found)


async def _findings(
    live: Live, weigher: Weigher, reading: Reading, size: int, translation: Translation
) -> frozenset[str]:
    """Of the request as it came and of every other form in which a target may get it: what stands apart in one may stand
    together in another, and what is escaped in one may be plain in another."""
    found = await weigher.findings(reading, size)
    if not translation.may_differ(live.translated):
        return found
    if size > LARGE:
        others = await asyncio.to_thread(translation.readings, live.translated)
    else:
        others = translation.readings(live.translated)
    for other in others:
        more = EVERYTHING if other.refused is not None else await weigher.findings(other, size)
        reading.unanswered = reading.unanswered or other.unanswered
        found = EVERYTHING if found is EVERYTHING or more is EVERYTHING else found | more
    return found


async def _unredactable(
    live: Live, values: Values, weigher: Weigher, redacting: Redacting | None
) -> frozenset[str]:
    if redacting is None or live.redactions is None:
        return EVERYTHING
    return await redacting.unredactable(live.redactions, values, weigher)


async def _is_lost(translation: Translation, size: int) -> bool:
    said = await asyncio.to_thread(translation.said) if size > LARGE else translation.said()
    return isinstance(said, Loss)


def decide_known(live: Live, values: Mapping[str, Value]) -> Decision:
    """The decision on a vector that is complete."""
    compiled = live.ready.compiled
    vector = compiled.vector_type()
    compiled.fill(vector, values)
    return compiled.decide(vector)


async def refusal_of(
    live: Live, decided: Decided, translation: Translation, reading: Reading, turn: Turn | None = None
) -> Refusal:
    """What the caller is told of a rejection: with every deny and guard, where all that they read is known, and with what was
    not known of the request."""
    rejected = decided.decision
    request: Request | None = None
    assert isinstance(rejected, Reject)  # INVARIANT: a plan is carried out, not refused
    program = live.ready.program
    if (
        live.read <= decided.values.keys()
        # What was not counted may be on either side of a number that another rule asks for.
        and all(live.ready.compiled.settled(name, *bounds) for name, bounds in decided.between.items())
        and len(program.routes) + len(program.guards) + len(program.denies) <= MOST_RULES
    ):
        rest = {f.name: unknown_value(f) for f in program.features if f.name not in decided.values}
        request = Request({**decided.values, **{n: v for n, v in rest.items() if v is not None}})
        whole = await asyncio.to_thread(evaluate, program, request)
        if isinstance(whole, Reject):
            rejected = whole
    missing = not_known(program, rejected, decided.values, decided.between, reading, turn)
    if rejected.by != ("otherwise",):
        message = "; ".join((*rejected.reasons, *missing.clauses))
        refusal = refuse("policy_denied", message, by=rejected.by, status=rejected.status)
        return replace(refusal, detail=missing.places)
    guards = tuple(dict.fromkeys(g for r in rejected.removed for g in r.guards))
    because = _because(program, rejected, request, Request(decided.values))
    message = "; ".join((*rejected.reasons, *because, *missing.clauses))
    refusal = refuse("policy_denied", message, by=guards or rejected.by, status=rejected.status)
    # INVARIANT: where the guard is named the translation was tried, so this waits for nothing.
    lost = translation.said() if "translates" in guards else None
    loss = (f"`{lost.place}`: {lost.why}",) if isinstance(lost, Loss) else ()
    return replace(refusal, detail="; ".join((*filter(None, (missing.places,)), *loss)))


def _because(program: Program, rejected: Reject, whole: Request | None, known: Request) -> list[str]:
    """Which guard removed which targets, and why. Capabilities share their guards' names, so a reason counts only for the
    targets that its guard hits and, where all that it reads is known, if it holds. `whole` is the request where every
    feature is known, `known` what of it is. What `translates` says is last: behind it the caller is told what would be lost."""
    by: dict[tuple[str, str], dict[str, None]] = {}
    for removal in rejected.removed:
        for guard in program.guards:
            if guard.name not in removal.guards or removal.target not in guard.hits:
                continue
            unread = whole is None and not features_of(guard.condition) <= known.values.keys()
            if unread or holds(program, guard.condition, whole or known):
                by.setdefault((guard.name, guard.because), {})[plain_name(removal.target)] = None
    out = []
    for (guard_name, because), targets in sorted(by.items(), key=lambda one: one[0][0] == "translates"):
        names = list(targets)
        shown = ", ".join(names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "")
        out.append(f"{guard_name} removed {shown}: {because}")
    return out
