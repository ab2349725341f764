"""Holes and dead ends: requests that no route serves, and routes that are passed over.

A hole reaches `otherwise`. A dead end is met where a route's condition holds and the author's guards have taken its last
target: there is a target that fits the request (no capability guard removes it), and a written guard removes it. What
merely does not fit (too long, another API) is what the routes after it are for, and is not reported.
"""

from dataclasses import replace

from policyd.policy.decision import Plan, Reject
from policyd.policy.evaluate import evaluate, firing_guards
from policyd.policy.program import Program, Route
from policyd.policy.request import Request
from policyd.proofs.case import Case
from policyd.proofs.find import Cell, Covered, Found, OutOfBudget
from policyd.proofs.findings import Finding, not_proved
from policyd.proofs.reach import Hunt, Question
from policyd.proofs.witness import Witness
from policyd.text.diagnostic import Label, Severity

__all__ = ["dead_ends", "holes", "meets_dead_end"]

_SHOWN = 20
"""Dead ends that get a note and a witness each."""


def holes(case: Case) -> tuple[Finding, ...]:
    """At most one finding: a smallest request that reaches `otherwise`."""
    otherwise = case.program.otherwise

    def claim(request: Request) -> bool:
        decision = evaluate(case.program, request)
        return isinstance(decision, Reject) and decision.by == ("otherwise",)

    everything = case.reach.before(len(case.program.routes))

    def quick(matched: int) -> bool:
        return not matched & case.reach.denied and case.reach.first_live(matched, everything) is None

    try:
        answer = case.ask(Question({}, case.reach.denied, past=everything))
    except OutOfBudget:
        return (not_proved("otherwise", "whether every request finds a route", otherwise.span),)
    if not isinstance(answer, Found):
        return ()
    witness = case.witness(answer.cell, claim, quick)
    passed = ", ".join(f"`{r}`" for r in witness.decision.passed_over)
    why = (
        f": {passed} hold{'s' if len(witness.decision.passed_over) == 1 else ''} but nothing is left"
        if passed
        else ""
    )
    return (
        Finding(
            "PD306",
            otherwise.holes,
            "otherwise",
            f"some requests reach `otherwise` and are rejected{why}",
            otherwise.span,
            "add a route that serves them, or leave it so; `holes error` makes a hole an error",
            witness=witness,
        ),
    )


def dead_ends(case: Case) -> tuple[Finding, ...]:
    """One note per route that the guards leave nothing of for some request that reaches it; from the twentieth on one note
    for all the others, since nobody reads a thousand witnesses."""
    out: list[Finding] = []
    others: list[Route] = []
    left = _Left(case)
    for index, route in enumerate(case.program.routes):
        try:
            cell = left.dead_end(index)
        except OutOfBudget:
            out.append(not_proved(route.name, f"whether route `{route.name}` has dead ends", route.span))
            continue
        if cell is not None and len(out) < _SHOWN:
            out.append(_finding(route, _witness(case, index, cell), case.program))
        elif cell is not None:
            others.append(route)
    if others:
        names = ", ".join(f"`{r.name}`" for r in others[:5])
        message = f"{len(others)} more routes are left without a target for some requests: {names}{', …' if len(others) > 5 else ''}"
        # No route is its subject: who suppresses one route must not hide the others.
        out.append(Finding("PD307", Severity.NOTE, "dead ends", message, others[0].span))
    return tuple(out)


class _Left:
    """Asks of routes whether guards may leave nothing of them. Many routes have the same targets, and most of these are
    never all removed while one of them fits, which is asked once."""

    __slots__ = ("_case", "_fits", "_ways")

    def __init__(self, case: Case) -> None:
        self._case = case
        self._fits = {t.name: _capabilities(case, t.name) for t in case.program.targets}
        self._ways: dict[tuple[str, ...], Hunt | None] = {}

    def dead_end(self, index: int) -> Cell | None:
        """A request that reaches the route, fits a target of it and is left with none. Raises `OutOfBudget`."""
        hunt = self._hunt(self._case.program.routes[index].targets)
        if hunt is None:
            return None
        past = (self._case.reach.before(index),)
        for part in self._case.parts({}, self._case.matrix.routes[index]):
            answer = self._ask(replace(hunt, box=part, past=past))
            if isinstance(answer, Found):
                return answer.cell
        return None

    def _hunt(self, targets: tuple[str, ...]) -> Hunt | None:
        """What is looked for wherever a route has these targets, None where no request at all is such."""
        if targets not in self._ways:
            fits = tuple(dict.fromkeys(self._fits[t] for t in targets))
            removed = tuple(dict.fromkeys(self._case.reach.side.guards(targets)))
            hunt = Hunt({}, self._case.reach.denied, removed, (0,), fits)
            try:
                self._ways[targets] = hunt if isinstance(self._ask(hunt), Found) else None
            except OutOfBudget:
                self._ways[targets] = hunt
        return self._ways[targets]

    def _ask(self, hunt: Hunt) -> Found | Covered:
        self._case.finder.start()
        return self._case.reach.hunt(hunt)


def _witness(case: Case, index: int, cell: Cell) -> Witness:
    route = case.program.routes[index]
    past = case.reach.before(index)
    capabilities = [_capabilities(case, target) for target in route.targets]

    def quick(matched: int) -> bool:
        return (
            bool(matched & case.matrix.routes[index])
            and not matched & case.reach.denied
            and not case.reach.live(index, matched)
            and any(not matched & fits for fits in capabilities)
            and case.reach.first_live(matched, past) is None
        )

    return case.witness(cell, lambda request: meets_dead_end(case.program, route, request), quick)


def meets_dead_end(program: Program, route: Route, request: Request) -> bool:
    """The plain reading of a dead end, by the reference."""
    decision = evaluate(program, request)
    if route.name not in decision.passed_over:
        return False
    builtin = {g.name for g in program.guards if g.builtin}
    removed = firing_guards(program, request)
    return any(builtin.isdisjoint(removed.get(t, ())) for t in route.targets)


def _capabilities(case: Case, target: str) -> int:
    mask = 0
    for index, guard in enumerate(case.program.guards):
        if guard.builtin and target in guard.hits:
            mask |= case.matrix.guards[index]
    return mask


def _finding(route: Route, witness: Witness, program: Program) -> Finding:
    decision = witness.decision
    removed = firing_guards(program, witness.request)
    guards = sorted({g for target in route.targets for g in removed.get(target, ())})
    written = {g.name: g for g in program.guards if not g.builtin}
    labels = tuple(
        Label(span, "removed here") for n in guards if n in written and (span := written[n].span) is not None
    )
    then = f"go on to `{decision.route}`" if isinstance(decision, Plan) else "reach `otherwise`"
    return Finding(
        "PD307",
        Severity.NOTE,
        route.name,
        f"route `{route.name}` is left without a target for some requests, which {then}",
        route.span,
        None,
        labels[:3],
        witness,
    )
