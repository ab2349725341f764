"""What exceptions open: the targets that an exception lets through, and until when.

A request gets a target only because of an exception where the guard would remove it without, the exception applies, no
other guard removes it and no deny rejects the request. Whether a route then leads there is another question: an exception
opens what guards closed. One that opens nothing is written in vain.
"""

from collections.abc import Iterable, Iterator
from datetime import date

from policyd.engine.boxes import Box, TooManyBoxes
from policyd.policy.condition import Condition, both
from policyd.policy.evaluate import firing_guards
from policyd.policy.excepted import applies, without_exception
from policyd.policy.program import ExceptionClause, Guard
from policyd.policy.request import Request
from policyd.proofs.case import Case
from policyd.proofs.dead import named
from policyd.proofs.find import Cell, Found, OutOfBudget
from policyd.proofs.findings import Finding, not_proved
from policyd.proofs.reach import Question
from policyd.proofs.witness import Witness
from policyd.text.diagnostic import Label, Severity

__all__ = ["opened_only_by", "openings"]


def openings(case: Case) -> tuple[Finding, ...]:
    """For each exception a note of what it opens, or a warning that it opens nothing."""
    guards = {g.name: g for g in case.program.written}
    out: list[Finding] = []
    for exception in case.program.exceptions:
        if exception.guard in guards:
            out.extend(_opening(case, exception, guards[exception.guard]))
    return tuple(out)


def opened_only_by(guard: Guard, exception: ExceptionClause) -> Condition:
    """Where the exception undoes the guard, and nothing else does."""
    return both(without_exception(guard.condition, exception), applies(exception))


def _opening(case: Case, exception: ExceptionClause, guard: Guard) -> Iterator[Finding]:
    found: dict[str, Cell] = {}
    open_questions: list[str] = []
    acts = opened_only_by(guard, exception)
    targets = [t.name for t in case.program.targets if t.name in guard.hits]
    try:
        boxes = case.boxes(acts)
    except TooManyBoxes:
        yield _not_proved(exception, targets)
        return
    for target in targets:
        try:
            cell = _opened(case, boxes, target)
        except OutOfBudget:
            open_questions.append(target)
            continue
        if cell is not None:
            found[target] = cell
    if open_questions:
        yield _not_proved(exception, open_questions)
    if found:
        target, cell = next(iter(found.items()))
        yield _note(exception, guard, tuple(found), _witness(case, acts, target, cell))
    elif not open_questions:
        yield _vain(exception, guard)


def _not_proved(exception: ExceptionClause, targets: list[str]) -> Finding:
    question = f"whether exception `{exception.name}` opens {named(targets)}"
    return not_proved(exception.name, question, exception.span, "simplify its condition, or its guard's")


def _opened(case: Case, boxes: Iterable[Box], target: str) -> Cell | None:
    for box in boxes:
        answer = case.ask(Question(box, case.reach.denied, (target,)))
        if isinstance(answer, Found):
            return answer.cell
    return None


def _witness(case: Case, acts: Condition, target: str, cell: Cell) -> Witness:
    def claim(request: Request) -> bool:
        return (
            case.holds(acts, request)
            and target not in firing_guards(case.program, request)
            and not any(case.holds(d.condition, request) for d in case.program.denies)
        )

    return case.witness(cell, claim)


def _note(exception: ExceptionClause, guard: Guard, found: tuple[str, ...], witness: Witness) -> Finding:
    return Finding(
        "PD316",
        Severity.NOTE,
        exception.name,
        f"exception `{exception.name}` opens {named(found)} until {_day(exception)}",
        exception.span,
        f'it ends by itself after {_day(exception)}; its owner is "{exception.owner}"',
        _at(guard, "what it excepts from"),
        witness,
        said=(f"the guards allow `{found[0]}`; without the exception `{guard.name}` removes it", ""),
    )


def _vain(exception: ExceptionClause, guard: Guard) -> Finding:
    return Finding(
        "PD317",
        Severity.WARNING,
        exception.name,
        f"exception `{exception.name}` opens nothing: no request gets a target of `{guard.name}` because of it",
        exception.span,
        "remove it or correct its condition; another guard, a deny or another exception may leave it nothing",
        _at(guard, "what it excepts from"),
    )


def _at(guard: Guard, text: str) -> tuple[Label, ...]:
    return () if guard.span is None else (Label(guard.span, text),)


def _day(exception: ExceptionClause) -> str:
    return date.fromordinal(exception.until).isoformat()
