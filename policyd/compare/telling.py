"""The words that every form of a comparison shares: counts, decisions, pairs, verdicts. Pure; nothing is laid out here."""

from collections.abc import Sequence
from typing import Final

from policyd.compare.asking import asking
from policyd.compare.deciding import rule_of
from policyd.compare.difference import Difference, Opened, PairItem, Verdict
from policyd.compare.newly import Newly
from policyd.compare.recorded import Replayed
from policyd.compare.regions import Count
from policyd.compare.wording import feature_text, rule_text
from policyd.policy.decision import Decision, Reject
from policyd.policy.program import Program
from policyd.policy.request import Request
from policyd.policy.written import given_text, value_text
from policyd.proofs.changes import Shown
from policyd.proofs.kinds import DOMAIN_OF, NOT_ADMITTED, Kind, outcome_by
from policyd.proofs.side import Decider
from policyd.proofs.together import Together

__all__ = [
    "count_text", "decision_text", "denied_text", "log_lines", "many", "opened_text", "pair_title", "recorded_of",
    "request_note", "request_text", "summary", "unfinished_text", "verdict_text",
]  # fmt: skip

_LARGE: Final = 10**15


def many(number: int, one: str, several: str | None = None) -> str:
    """`1 pair`, `2 pairs`."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def count_text(count: Count) -> str:
    """How many requests, as far as the policies can tell them apart."""
    what = "distinguishable request" if count.number == 1 else "distinguishable requests"
    return f"{'' if count.exact else 'at least '}{_number(count.number)} {what}"


def _number(number: int) -> str:
    return f"{number:,}" if number < _LARGE else f"about {number:.1e}"


def pair_title(before: Decider, after: Decider) -> str:
    """Who decided and who decides."""
    if before.kind == after.kind and before.name == after.name:
        return rule_text(before)
    return f"{rule_text(before)}, now {rule_text(after)}"


def request_text(together: Together | None, shown: Shown) -> str:
    """The request as `policyd explain --given` reads it, of both policies or of one of them."""
    given = shown.given if together is None else asking(together, shown).given
    return given_text(given) or "the quiet request"


def request_note(together: Together | None, shown: Shown) -> str | None:
    """That only one of the policies takes the request so, and which."""
    return None if together is None else asking(together, shown).note


def decision_text(program: Program, request: Request, decision: Decision) -> str:
    """What one policy does with a request: its candidates with how they are picked, or who rejects it."""
    if isinstance(decision, Reject):
        by = decision.by[0]
        if by.startswith(DOMAIN_OF):
            return f"refused with status {decision.status}: {feature_text(by)} cannot have this value"
        return f"refused by {by if by == 'otherwise' else f'`{by}`'} with status {decision.status}"
    groups = outcome_by(program, request, decision)
    parts = [_group_text(group) for group in groups if isinstance(group, tuple)]
    return f"{', then '.join(parts)}, by `{decision.route}`"


def _group_text(group: tuple[object, ...]) -> str:
    """A group of what is left of a plan, as `left_of` writes it."""
    match group:
        case ("order", target):
            return f"`{target}`"
        case ("split", tuple(shares), by):
            return f"a split of {', '.join(f'`{target}` {share}' for target, share in shares)} by `{by}`"
        case (pick, tuple(targets), _):
            return f"{pick} of {', '.join(f'`{target}`' for target in targets)}"
        case _:
            raise AssertionError("INVARIANT: `left_of` writes a group as what it picks by, and of what")


def opened_text(opened: Opened) -> str:
    """What a guard, a deny or a new target lets through, whether or not a route uses it."""
    if not opened.targets:
        return _lifted_text(opened)
    targets = _listed(opened.targets)
    if opened.less:
        return f"{targets} may get requests with less taken out"
    if opened.rule is None:
        return f"the guards allow {'the new target' if len(opened.targets) == 1 else 'the new targets'} {targets}"
    return f"guard `{opened.rule}` removed {targets} from requests that no guard removes {'it' if len(opened.targets) == 1 else 'them'} from now"


def _lifted_text(opened: Opened) -> str:
    """A deny that is lifted: one that an author wrote, or a value that the old policy did not admit."""
    rule = opened.rule or ""
    if not rule.startswith(DOMAIN_OF):
        return f"deny `{rule}` rejected requests that no deny rejects now"
    feature = rule.removeprefix(DOMAIN_OF).strip()
    value = value_text(opened.shown.request.values[feature])
    return f"{feature_text(rule)} may now be `{value}`, which was answered with {NOT_ADMITTED}"


def denied_text(newly: Newly) -> str:
    """What `--deny-new` found of one target."""
    if newly.by_facts:
        return _turned_text(newly)
    if newly.cell is None:
        return f"that no request newly gets `{newly.target}` is not proved"
    if newly.how == "reached":
        return f"`{newly.target}` is newly reached"
    return f"`{newly.target}` is newly allowed, though no route leads to it"


def _turned_text(newly: Newly) -> str:
    what = f"`{newly.target}` became such a target by its facts"
    if newly.cell is None:
        return f"{what}; that no request gets it is not proved"
    if newly.how == "reached":
        return f"{what}, and is reached"
    return f"{what}, and is allowed, though no route leads to it"


def unfinished_text(rule: Decider) -> str:
    return f"what the requests of {rule_text(rule)} turn into is not proved: the search ran out of its budget"


def recorded_of(item: PairItem, replayed: Replayed) -> tuple[tuple[Kind, int, int], ...]:
    """Of a pair, by kind: how many recorded requests changed, and the line of the first."""
    rules = rule_of(item.change.before), rule_of(item.change.after)
    found = [(turn, n) for turn, n in replayed.changed.items() if turn[:2] == rules]
    return tuple(sorted(((t[2], n, replayed.first[t]) for t, n in found), reverse=True))


def log_lines(replayed: Replayed) -> tuple[str, ...]:
    """What a decision log says of the change, in a few sentences."""
    changed = sum(replayed.changed.values())
    out = [f"{changed:,} of {many(replayed.records, 'recorded request')} would be decided otherwise"]
    by: dict[Kind, int] = {}
    for turn, number in replayed.changed.items():
        by[turn[2]] = by.get(turn[2], 0) + number
    out += [f"{number:,} {kind.words}" for kind, number in sorted(by.items(), reverse=True)]
    for features, number in sorted(replayed.open.items()):
        what = "record leaves" if number == 1 else "records leave"
        out.append(
            f"{number:,} {what} the question open: what they hold of {_listed(features)} does not settle it"
        )
    if replayed.undecided:
        out.append(
            f"{many(replayed.undecided, 'record')} of requests that were refused before a policy was asked"
        )
    if replayed.unread:
        out.append(f"{many(replayed.unread, 'line')} could not be read and did not count")
    return tuple(out)


def verdict_text(verdict: Verdict) -> str:
    """One line for a whole comparison."""
    return {
        Verdict.LOOSER: "looser: something is let through that was not",
        Verdict.DENIED: "denied",
        Verdict.NOT_COMPARED: "not compared",
        Verdict.NOT_PROVED: "not proved: a question outgrew its budget",
        Verdict.CHANGED: "changed: no request with the same feature values is treated more loosely",
        Verdict.SAME: "same meaning: the same decisions, proved for every possible request",
    }[verdict]


def summary(difference: Difference) -> str:
    """What changed, counted, in one line."""
    kinds: dict[Kind, int] = dict(difference.more)
    for item in difference.pairs:
        kinds[item.change.kind] = kinds.get(item.change.kind, 0) + 1
    parts = [f"{number:,} {kind.words}" for kind, number in sorted(kinds.items(), reverse=True)]
    total = sum(kinds.values())
    said = []
    if total:
        verb = "decides" if total == 1 else "decide"
        said.append(f"{many(total, 'pair')} of rules {verb} otherwise ({', '.join(parts)})")
    if difference.declared:
        said.append(f"{many(len(difference.declared), 'declaration')} changed")
    if difference.unfinished:
        said.append(f"{many(len(difference.unfinished), 'question')} not proved")
    return "; ".join(said)


def _listed(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    if len(quoted) > 8:
        quoted = [*quoted[:7], f"{len(quoted) - 7} more"]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
