"""Assertions: what the author claims. `always P` is `never` over the targets that do not satisfy P."""

from policyd.policy.program import Assertion
from policyd.resolve.conditions import Conditions
from policyd.resolve.names import Declared, Names
from policyd.resolve.predicates import Predicates
from policyd.resolve.scopes import Scopes
from policyd.syntax import nodes
from policyd.syntax.writing import condition_text

__all__ = ["read_assertions"]


def read_assertions(
    names: Names, conditions: Conditions, predicates: Predicates, scopes: Scopes
) -> tuple[Assertion, ...]:
    return tuple(
        _assertion(declared, statement, conditions, predicates, scopes)
        for declared in names.tables["assertion"].values()
        if isinstance(statement := declared.statement, nodes.Assert)
    )


def _assertion(
    declared: Declared, claim: nodes.Assert, conditions: Conditions, predicates: Predicates, scopes: Scopes
) -> Assertion:
    targets: frozenset[str] = frozenset()
    if claim.predicate is not None:
        satisfied = predicates.satisfied(claim.predicate, declared.space)
        targets = satisfied if claim.kind == "never" else predicates.all - satisfied
    condition = scopes.within(declared.space, conditions.when(claim.when, declared.space))
    kind = "never" if claim.kind == "always" else claim.kind
    return Assertion(declared.name, kind, targets, condition, _text(claim), claim.name.span)


def _text(claim: nodes.Assert) -> str:
    what = claim.kind if claim.predicate is None else f"{claim.kind} {condition_text(claim.predicate)}"
    return what if claim.when is None else f"{what} when {condition_text(claim.when)}"
