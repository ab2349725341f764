"""What the tests of one policy are worth: what they cover, and which mistakes they notice.

In come a policy that was read and compiled, and what is asked; out goes a `Growth`: the findings that count, the lines
that a person reads, and whether a question was left open. It decides nothing about goals and mutants: `trials` does.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from policyd.cli.other_facts import mutants_of_facts, mutants_of_redactions
from policyd.cli.output import Style
from policyd.cli.proposed import proposed_test
from policyd.engine.matrix import Matrix
from policyd.policy.program import Program
from policyd.policy.written import given_text
from policyd.proofs.case import open_case
from policyd.proofs.findings import not_proved
from policyd.resolve.load import Loaded
from policyd.text.diagnostic import Diagnostic, in_order
from policyd.text.printable import printable
from policyd.trials.asking import Until, never
from policyd.trials.coverage import Coverage, Row, State, below_minimum, coverage_of
from policyd.trials.mutants import mutants_of
from policyd.trials.mutate import Fate, Mutation, Trial, mutate, surviving

__all__ = ["SECONDS", "Growth", "grow", "until_after"]

SECONDS: Final = 60
"""For the questions of a coverage, where nobody says."""

_FATES = (
    (Fate.BY_TESTS, "noticed by tests"),
    (Fate.BY_ASSERTIONS, "noticed by assertions"),
    (Fate.SURVIVED, "noticed by nothing"),
    (Fate.NOT_PROVED, "not proved"),
    (Fate.EQUIVALENT, "no mistake: proved to decide every request alike"),
)


@dataclass(frozen=True, slots=True)
class Growth:
    """`found` are the findings; `unfinished`: whether some mutant is a mistake is not proved, or was not tried."""

    coverage: Coverage | None
    mutation: Mutation | None
    found: tuple[Diagnostic, ...]

    @property
    def unfinished(self) -> bool:
        mutation = self.mutation
        return mutation is not None and (mutation.left_out > 0 or bool(mutation.of(Fate.NOT_PROVED)))

    def lines(self, style: Style) -> list[str]:
        return [
            *(() if self.coverage is None else _coverage_lines(self.coverage, style)),
            *(() if self.mutation is None else _mutation_lines(self.mutation, style)),
        ]


def grow(
    path: str,
    loaded: Loaded,
    program: Program,
    matrix: Matrix,
    *,
    coverage: bool,
    minimum: int | None,
    mutation: bool,
    most: int | None,
    seconds: int | None,
) -> Growth:
    """Whatever is asked of the two."""
    covered = (
        coverage_of(open_case(program, matrix), until=until_after(seconds or SECONDS)) if coverage else None
    )
    found: list[Diagnostic] = []
    if covered is not None and minimum is not None:
        low = below_minimum(path, covered, minimum)
        found += [] if low is None else [low]
    mutated = _mutated(path, loaded, program, most, seconds) if mutation else None
    if mutated is not None:
        found += _surviving(program, mutated.of(Fate.SURVIVED))
        found += [_open_question(trial) for trial in mutated.of(Fate.NOT_PROVED)]
    return Growth(covered, mutated, tuple(found))


def until_after(seconds: int) -> Until:
    """Whether so many seconds have passed since this was called."""
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() > end


def _mutated(path: str, loaded: Loaded, program: Program, most: int | None, seconds: int | None) -> Mutation:
    read_again = (*mutants_of_facts(path, loaded), *mutants_of_redactions(path, loaded))
    mutants = (*read_again, *mutants_of(program))
    return mutate(program, mutants, most=most, until=never if seconds is None else until_after(seconds))


def _surviving(program: Program, trials: Sequence[Trial]) -> Iterator[Diagnostic]:
    """A test that notices several is written out with the first that a reader comes to; the others say where that is."""
    told: dict[str, str] = {}
    bare = {id(found): (found, trial) for trial in trials for found in (surviving(trial, None),)}
    for found, trial in (bare[id(d)] for d in in_order(found for found, _ in bare.values())):
        if trial.test is None:
            yield found
        else:
            name = trial.test.name
            yield surviving(trial, proposed_test(program, trial.test), told_at=told.get(name))
            told.setdefault(name, "the first finding" if found.span is None else found.span.place)


def _open_question(trial: Trial) -> Diagnostic:
    question = f"whether any request is decided otherwise once {trial.mutant.said}"
    return not_proved(trial.mutant.said, question, trial.mutant.span).diagnostic()


def _coverage_lines(coverage: Coverage, style: Style) -> Iterator[str]:
    covered, feasible = coverage.counts()
    paint = style.green if covered == feasible else style.yellow
    yield f"  {paint(f'coverage {coverage.percent}')}: {covered} of {feasible} goals"
    for kind in coverage.kinds:
        some, every = coverage.counts(kind)
        count = f"{some} of {every}"
        yield f"    {kind:<12}{count if some == every else style.yellow(count)}"
    yield from _listed("no test shows this yet", coverage.of(State.MISSED), style)
    open_ = coverage.of(State.NOT_PROVED)
    asked = [row for row in open_ if row.asked]
    yield from _listed("no test shows this, and whether one could is not proved", asked, style)
    if len(asked) < len(open_):
        goals = (
            "1 goal that no test shows was"
            if len(open_) - len(asked) == 1
            else f"{len(open_) - len(asked)} goals that no test shows were"
        )
        yield style.yellow(
            f"  {goals} not asked about, for want of time, and count as missing: --seconds gives more"
        )
    yield from _listed(
        "left out: no request can show this, as is proved", coverage.of(State.IMPOSSIBLE), style
    )


def _listed(title: str, rows: Sequence[Row], style: Style) -> Iterator[str]:
    if rows:
        yield f"  {title}:"
    for row in rows:
        place = "" if row.goal.span is None else style.dim(f"  ({printable(row.goal.span.place)})")
        yield f"    {printable(row.goal.text)}{place}"
        if row.witness is not None:
            yield f"        such as {given_text(row.witness.given) or 'the quiet request'}"


def _mutation_lines(mutation: Mutation, style: Style) -> Iterator[str]:
    noticed, all_ = mutation.score
    paint = style.green if noticed == all_ else style.yellow
    if mutation.left_out:
        # A share of what was tried first says nothing about the rest.
        tried = len(mutation.trials) + mutation.invalid
        yield style.yellow(
            f"  {noticed} of {all_} planted mistakes are noticed; {tried} of {tried + mutation.left_out} were tried"
        )
    else:
        percent = noticed * 100 // all_ if all_ else 100
        yield f"  {paint(f'{noticed} of {all_} planted mistakes are noticed')} ({percent} %)"
    for fate, said in _FATES:
        count = len(mutation.of(fate))
        if count:
            yield f"    {count:>5}  {said}"
    if mutation.invalid:
        yield f"    {mutation.invalid:>5}  left out: the policy with it does not compile"
    if mutation.left_out:
        yield style.yellow(f"    {mutation.left_out:>5}  not tried: beyond --most or --seconds")
    for trial in mutation.of(Fate.EQUIVALENT):
        place = "" if trial.mutant.span is None else style.dim(f"  ({printable(trial.mutant.span.place)})")
        yield f"  changes nothing: {printable(trial.mutant.said)}{place}"
