"""Which small mistakes in a policy its tests and assertions would notice.

In come a program and its mutants; out goes a `Trial` for each. Tests are tried first, which costs next to nothing; then
assertions are proved of the mutant; what neither notices is compared with the policy over every request. A mutant that
decides every request alike is no mistake at all and is left out of the score. One that does not survives, with a request
that tells the two apart and a test that would have noticed. What outgrew its budget is *not proved*, and said.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain, count
from string import ascii_lowercase
from typing import Final

from policyd.engine.cells import concretise
from policyd.engine.matrix import Matrix, build_matrix
from policyd.policy.decision import Decision, Reject
from policyd.policy.evaluate import evaluate
from policyd.policy.possible import agree
from policyd.policy.program import Program, StringDomain, TestCase, Value
from policyd.policy.quiet import quiet_request, quiet_value
from policyd.policy.request import Request, admit
from policyd.policy.variants import plain_decision, taken_out
from policyd.policy.written import given_text
from policyd.proofs.assertions import check_assertion
from policyd.proofs.case import open_case
from policyd.proofs.find import Budget, Cell
from policyd.proofs.kinds import kind_of
from policyd.proofs.pairs import Pair, differing, kind_at
from policyd.proofs.together import Together, put_together
from policyd.proofs.witness import Claim, Witness, witness_of
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.trials.asking import familiar
from policyd.trials.generate import Proposal, expected
from policyd.trials.mutants import Mutant
from policyd.trials.run import decision_text, run_tests

__all__ = ["Fate", "Mutation", "Trial", "mutate", "surviving", "try_mutants"]


class Fate(StrEnum):
    BY_TESTS = "noticed by a test"
    BY_ASSERTIONS = "noticed by an assertion"
    SURVIVED = "survived"
    EQUIVALENT = "equivalent"
    NOT_PROVED = "not proved"


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a mutant. `by`: the first test that fails, or assertion that is broken. A survivor has a request, what
    the policy (`witness.decision`) and the mutant (`after`) decide about it, and a test that tells them apart; `test` is
    None where no single request's candidates show it (the shares of a split). Where the test of an earlier survivor does
    so, `test` is that one."""

    mutant: Mutant
    fate: Fate
    by: str | None = None
    witness: Witness | None = None
    after: Decision | None = None
    test: Proposal | None = None


@dataclass(frozen=True, slots=True)
class Mutation:
    """`left_out`: mutants that were not tried, by number or by time. `invalid`: those that do not compile."""

    trials: tuple[Trial, ...]
    left_out: int = 0
    invalid: int = 0

    def of(self, fate: Fate) -> tuple[Trial, ...]:
        return tuple(t for t in self.trials if t.fate is fate)

    @property
    def score(self) -> tuple[int, int]:
        """Mutants that were noticed, and all that decide some request otherwise or may do so."""
        noticed = len(self.of(Fate.BY_TESTS)) + len(self.of(Fate.BY_ASSERTIONS))
        return noticed, len(self.trials) - len(self.of(Fate.EQUIVALENT))


def mutate(
    program: Program,
    mutants: Iterable[Mutant],
    *,
    most: int | None = None,
    until: Callable[[], bool] = lambda: False,
    budget: Budget | None = None,
) -> Mutation:
    """The first `most` mutants, and none that would begin after `until` says so. The others are counted."""
    waiting = tuple(mutants)
    tried: list[Trial] = []
    invalid = 0
    for trial in try_mutants(program, waiting[:most], budget):
        if trial is None:
            invalid += 1
        else:
            tried.append(trial)
        if until():
            break
    return Mutation(tuple(tried), len(waiting) - len(tried) - invalid, invalid)


def try_mutants(
    program: Program, mutants: Iterable[Mutant], budget: Budget | None = None
) -> Iterator[Trial | None]:
    """Each in turn; None for one that does not compile. Tests that fail and assertions that do not hold notice nothing.
    A mutant's program lives no longer than its trial."""
    passing = tuple(r.case for r in run_tests(program) if r.passed)
    holding = _holding(program, budget)
    proposed: dict[str, Proposal] = {}
    taken = {t.name for t in program.tests}
    for mutant in mutants:
        changed = mutant.build()
        trial = None if changed is None else _try(program, mutant, changed, passing, holding, budget)
        if trial is not None and trial.test is not None:
            assert changed is not None
            known = _familiar(program, changed, trial, proposed.values())
            trial = known or _named(program, trial, taken | proposed.keys())
            assert trial.test is not None
            proposed.setdefault(trial.test.name, trial.test)
        yield trial


def _familiar(program: Program, changed: Program, trial: Trial, proposed: Iterable[Proposal]) -> Trial | None:
    """With the test of an earlier survivor where its request is decided otherwise here, too, and with that request."""
    for known in proposed:
        request = quiet_request(program, dict(known.given))
        if (
            isinstance(request, Request)
            and kind_of(program, changed, request) is not None
            and _notices(changed, known)
        ):
            witness = Witness(known.given, request, evaluate(program, request))
            return replace(trial, witness=witness, after=evaluate(changed, request), test=known)
    return None


def surviving(trial: Trial, text: str | None, *, told_at: str | None = None) -> Diagnostic:
    """A warning about a mutant that nothing notices. `text`: the test that would, as it is written; where another finding
    shows it already, `told_at` is that one's place, and the test's name is enough."""
    assert trial.witness is not None and trial.after is not None, "INVARIANT: a survivor has a witness"
    now, then = decision_text(trial.witness.decision), decision_text(trial.after)
    details = (
        f"witness: {given_text(trial.witness.given) or 'the quiet request'}",
        f"    now: {now}",
        f"   then: {then}",
        *(_alike(trial.witness.decision, trial.after) if now == then else ()),
    )
    lines: tuple[str, ...] = ()
    if text is not None and trial.test is not None:
        shown = tuple(f"  {x}" for x in text.splitlines())
        lines = (
            ("a test that would notice:", *shown)
            if told_at is None
            else (f'the test "{trial.test.name}", which is shown at {told_at}, would notice, too',)
        )
    return Diagnostic(
        "PD406",
        Severity.WARNING,
        f"no test and no assertion notices that {trial.mutant.said}",
        trial.mutant.span,
        _cure(text, told_at),
        details=(*details, *lines),
    )


def _alike(now: Decision, then: Decision) -> Iterator[str]:
    """Two decisions that read the same: what differs between them."""
    if now.removed == then.removed:
        yield "both read the same: the shares of a split differ"
        return
    yield "both read the same: what differs is which guards removed what, and the shares of a split, if any"
    for title, decision in (("now", now), ("then", then)):
        removed = (f"{r.target} by {' and '.join(r.guards)}" for r in decision.removed)
        yield f"   {title:>4}: removed {', '.join(removed) or 'nothing'}"


def _cure(text: str | None, told_at: str | None) -> str:
    if text is None:
        return "assert what must hold: one request does not show the shares of a split"
    return f"add {'this' if told_at is None else 'that'} test, or an assertion that says what must hold"


def _holding(program: Program, budget: Budget | None) -> frozenset[str]:
    matrix = build_matrix(program)
    assert isinstance(matrix, Matrix), "INVARIANT: the policy itself was compiled before"
    case = open_case(program, matrix, budget)
    return frozenset(a.name for a in program.assertions if check_assertion(case, a) is None)


def _try(
    program: Program,
    mutant: Mutant,
    changed: Program,
    passing: tuple[TestCase, ...],
    holding: frozenset[str],
    budget: Budget | None,
) -> Trial | None:
    failed = next((t for t in passing if not run_tests(changed, tests=(t,))[0].passed), None)
    if failed is not None:
        return Trial(mutant, Fate.BY_TESTS, failed.name)
    matrix = build_matrix(changed)
    if not isinstance(matrix, Matrix):
        return None
    case = open_case(changed, matrix, budget)
    open_claims = False
    for assertion in changed.assertions:
        found = check_assertion(case, assertion) if assertion.name in holding else None
        if found is not None and not found.unfinished:
            return Trial(mutant, Fate.BY_ASSERTIONS, assertion.name)
        open_claims = open_claims or found is not None
    return _compared(program, mutant, changed, budget, open_claims=open_claims)


def _compared(
    program: Program, mutant: Mutant, changed: Program, budget: Budget | None, *, open_claims: bool
) -> Trial:
    """What neither tests nor assertions notice. With `open_claims` an assertion may be broken, so that what differs need
    not be a survivor."""
    together = put_together(program, changed, budget)
    if not isinstance(together, Together):
        return Trial(mutant, Fate.NOT_PROVED)
    unfinished, silent = False, None
    for number, found in enumerate(differing(together), start=1):
        if not isinstance(found, Pair) or open_claims:
            unfinished = True
            continue
        trial = _survivor(program, mutant, changed, together, found.cell)
        if trial.test is not None:
            return trial
        silent = silent or trial
        if number >= _PAIRS_TRIED:
            break
    if silent is not None:
        return silent
    return Trial(mutant, Fate.NOT_PROVED if unfinished else Fate.EQUIVALENT)


_PAIRS_TRIED: Final = 4
"""Where no test shows how one pair of rules decides otherwise, so many are looked at."""


def _survivor(program: Program, mutant: Mutant, changed: Program, together: Together, cell: Cell) -> Trial:
    def differs(request: Request) -> bool:
        return kind_of(program, changed, request) is not None

    def quick(matched: int) -> bool:
        return kind_at(together, matched) is not None

    def reads_otherwise(request: Request) -> bool:
        return differs(request) and _read(program, request) != _read(changed, request)

    found = witness_of(together.program, together.matrix, cell, differs, quick)
    if not reads_otherwise(found.request):
        first = admit(together.program, dict(concretise(together.matrix, cell)))
        if isinstance(first, Request) and reads_otherwise(first):
            found = witness_of(together.program, together.matrix, cell, reads_otherwise)
    plain = Witness(found.given, found.request, evaluate(program, found.request))
    witness = familiar(program, plain, differs)
    for shown in (witness, *_other_keys(program, changed, witness, differs)):
        proposal = _proposal(mutant, shown)
        if _notices(changed, proposal):
            return Trial(mutant, Fate.SURVIVED, None, shown, evaluate(changed, shown.request), proposal)
    return Trial(mutant, Fate.SURVIVED, None, witness, evaluate(changed, witness.request))


def _read(program: Program, request: Request) -> tuple[object, ...]:
    """What a test can say of the decision: not whether guards saw the request as it came or what is left of it."""
    decision = evaluate(program, request)
    if isinstance(decision, Reject):
        return decision.by, decision.status
    return plain_decision(decision).groups, decision.route, taken_out(decision.targets)


def _other_keys(program: Program, mutant: Program, witness: Witness, differs: Claim) -> Iterator[Witness]:
    """The same request under other keys of the splits: which member a key falls to is chance."""
    keys = {g.by for p in (program, mutant) for r in p.routes for g in r.groups if g.by is not None}
    for name in sorted(keys):
        if isinstance(program.feature(name).domain, StringDomain):
            for key in ascii_lowercase:
                given: dict[str, Value | None] = {**dict(witness.given), name: key}
                request = quiet_request(program, given)
                if isinstance(request, Request) and agree(request.values) and differs(request):
                    yield Witness(tuple(given.items()), request, evaluate(program, request))


def _proposal(mutant: Mutant, witness: Witness) -> Proposal:
    """`_named` gives it a name."""
    return Proposal("", witness.given, expected(witness.decision), (f"notices that {mutant.said}",))


def _named(program: Program, trial: Trial, taken: Collection[str]) -> Trial:
    """Its test named after the request, since other mistakes may be noticed by it as well: after what the request does
    not bring in any case and what the mistake is about, where no other test has that name."""
    assert trial.test is not None and trial.witness is not None, "INVARIANT: a test stands for a witness"
    given = trial.test.given
    said = trial.mutant.said
    telling = tuple((n, v) for n, v in given if n in said or quiet_value(program.feature(n)) is not None)
    by = trial.witness.decision.by if isinstance(trial.witness.decision, Reject) else ()
    told = f"rejected by {' and '.join(by)}" if by else decision_text(trial.witness.decision)
    plain = (
        f"{given_text(shown) or 'the quiet request'}: {told}".replace('"', "'")
        for shown in (telling or given, given)
    )
    numbered = (f"{given_text(given)}: {told} ({n})".replace('"', "'") for n in count(2))
    name = next(n for n in chain(plain, numbered) if n not in taken)
    return replace(trial, test=replace(trial.test, name=name))


def _notices(mutant: Program, proposal: Proposal) -> bool:
    return not run_tests(mutant, tests=(proposal.case,))[0].passed
