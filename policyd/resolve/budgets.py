"""Budgets and limits: how much, how long, and whose."""

from typing import Final

from policyd.policy.program import MAX_NUMBER, Budget, Feature, NamesDomain, Provenance
from policyd.resolve.conditions import Conditions
from policyd.resolve.names import Declared, Names
from policyd.resolve.report import Report, did_you_mean, listed
from policyd.syntax import nodes

__all__ = ["read_budgets"]

_PERIODS: Final = ("second", "minute", "hour", "day", "week", "month")


def read_budgets(names: Names, conditions: Conditions, report: Report) -> tuple[Budget, ...]:
    """Every budget and limit, in written order."""
    out: list[Budget] = []
    for declared in names.tables["budget"].values():
        statement = declared.statement
        if isinstance(statement, nodes.Budget):
            out.append(_budget(declared, statement, statement.amount.micros, conditions, report))
        elif isinstance(statement, nodes.Limit):
            out.append(_budget(declared, statement, statement.amount.value, conditions, report))
    return tuple(out)


def _budget(
    declared: Declared,
    statement: nodes.Budget | nodes.Limit,
    amount: int,
    conditions: Conditions,
    report: Report,
) -> Budget:
    most = MAX_NUMBER * 1_000_000 if isinstance(statement, nodes.Budget) else MAX_NUMBER
    if not 0 < amount <= most:
        report.add(
            "PD255", statement.amount.span, f"`{declared.name}` must be above zero and at most {MAX_NUMBER}"
        )
    if statement.per.text not in _PERIODS:
        advice = did_you_mean(statement.per.text, _PERIODS, f"the periods are {listed(_PERIODS)}")
        report.add("PD255", statement.per.span, f"`{statement.per.text}` is not a period", help=advice)
    by = _payer(declared, statement.by, conditions, report)
    unit = "money" if isinstance(statement, nodes.Budget) else statement.unit
    name = statement.by.text if by is None else by.name
    return Budget(declared.name, unit, amount, statement.per.text, name, statement.name.span)


def _payer(declared: Declared, by: nodes.Ident, conditions: Conditions, report: Report) -> Feature | None:
    """The feature that says whose budget it is."""
    found = conditions.names.find("word", by.text, declared.space)
    if found is None:
        words = conditions.names.visible("word", declared.space)
        report.add("PD201", by.span, f"there is no feature `{by.text}`", help=did_you_mean(by.text, words))
        return None
    feature = conditions.features.get(found.name)
    if feature is None or isinstance(feature.domain, NamesDomain):
        what = "a set of names" if feature is not None else f"a {found.what}"
        report.add(
            "PD255",
            by.span,
            f"a budget is kept by a feature, and `{by.text}` is {what}",
            help="such as `by team`",
        )
        return None
    if feature.provenance is Provenance.CLAIMED:
        report.add(
            "PD256",
            by.span,
            f"the caller writes `{by.text}` and could spend from another's `{declared.name}`",
            help="keep it by an attested feature, such as one from the identity",
            subject=declared.name,
        )
    return feature
