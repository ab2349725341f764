"""Capabilities that no target has: what callers may ask for and nobody here can do.

An endpoint that no target speaks, or something a request uses that no target supports, means that every such request is
rejected, whatever the routes say. What a deny rejects anyway is the author's word and is left out, and so is what policyd
answers itself (`models`) or another word covers (`count_tokens`, by `messages`). One note lists all.
"""

from policyd.engine.boxes import Box
from policyd.policy.builtins import CAPABILITIES, SPOKEN
from policyd.policy.condition import Condition, Flag, OneOf, either
from policyd.policy.decision import Reject
from policyd.policy.evaluate import evaluate
from policyd.policy.program import Program
from policyd.policy.request import Request
from policyd.policy.written import number_text
from policyd.proofs.case import Case
from policyd.proofs.find import Cell, Found, OutOfBudget
from policyd.proofs.findings import Finding, not_proved
from policyd.proofs.reach import Question
from policyd.proofs.witness import Witness
from policyd.text.diagnostic import Severity

__all__ = ["lacking", "lacking_capabilities"]


def lacking_capabilities(case: Case) -> tuple[Finding, ...]:
    """At most one note, with a request that is rejected for the first of them."""
    words: dict[str, Cell] = {}
    for word, condition in lacking(case.program):
        try:
            cell = _admitted(case, condition)
        except OutOfBudget:
            question = f"whether requests for `{word}` are denied"
            return (not_proved(word, question, case.program.otherwise.span),)
        if cell is not None:
            words[word] = cell
    if not words:
        return ()
    # What nobody can do no rule tells apart, so the request may be one for another of these words.
    asked = either(*(condition for word, condition in lacking(case.program) if word in words))
    return (_finding(case, tuple(words), _witness(case, asked, next(iter(words.values())))),)


def lacking(program: Program) -> tuple[tuple[str, Condition], ...]:
    """The words of `speaks` and `supports` that no target states, with the requests that ask for them. The capability
    guards say it: each word of these takes the targets that lack it."""
    lack: dict[str, set[str]] = {}
    for guard in program.guards:
        match guard.condition:
            case OneOf("endpoint", words) if guard.builtin:
                for word in words:
                    lack.setdefault(word, set()).update(guard.hits)
            case Flag(word) if guard.builtin:
                lack.setdefault(word, set()).update(guard.hits)
    nobody = {word for word, hits in lack.items() if hits.issuperset(t.name for t in program.targets)}
    spoken = ((word, OneOf("endpoint", _asked(word))) for word in SPOKEN if word in nobody)
    return (*spoken, *((word, Flag(word)) for word in CAPABILITIES if word in nobody))


def _asked(word: str) -> frozenset[str]:
    return frozenset({"messages", "count_tokens"}) if word == "messages" else frozenset({word})


def _admitted(case: Case, condition: Condition) -> Cell | None:
    """A request that asks for it and that no deny rejects."""
    boxes: tuple[Box, ...] = case.boxes(condition)
    for box in boxes:
        answer = case.ask(Question(box, case.reach.denied))
        if isinstance(answer, Found):
            return answer.cell
    return None


def _witness(case: Case, condition: Condition, cell: Cell) -> Witness:
    def claim(request: Request) -> bool:
        decision = evaluate(case.program, request)
        otherwise = isinstance(decision, Reject) and decision.by == ("otherwise",)
        return otherwise and case.holds(condition, request)

    return case.witness(cell, claim)


def _finding(case: Case, words: tuple[str, ...], witness: Witness) -> Finding:
    spoken = [f"`{w}`" for w in words if w in SPOKEN]
    supported = [f"`{w}`" for w in words if w not in SPOKEN]
    speaks = f"no target speaks {_either(spoken)}" if spoken else ""
    supports = f"{'none' if spoken else 'no target'} supports {_either(supported)}" if supported else ""
    lacks = ", and ".join(part for part in (speaks, supports) if part)
    return Finding(
        "PD319",
        Severity.NOTE,
        "otherwise",
        f"{lacks}: such requests are always rejected",
        case.program.otherwise.span,
        f"leave it so, add it to a target that can, or say why in a `deny`{_longest(case.program)}",
        witness=witness,
    )


def _longest(program: Program) -> str:
    """What is too long for every target is rejected, too, and no witness here shows it."""
    sizes = [size for t in program.targets if isinstance(size := t.fact("context"), int)]
    return (
        f"; always rejected is also what needs more than {number_text(max(sizes))} tokens of context"
        if sizes
        else ""
    )


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
