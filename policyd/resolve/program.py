"""The stages from files to a checked policy, in the order they run.

Each is a function from frozen values to frozen values that adds what it finds to the report. A `Program` is built even
from a policy with mistakes, so that later stages can find theirs; `load.py` gives it away only when there are none.
"""

from collections.abc import Sequence
from datetime import date

from policyd.policy.condition import TRUE
from policyd.policy.evaluate import holds
from policyd.policy.possible import agree
from policyd.policy.program import Otherwise, Program, TestCase
from policyd.policy.quiet import quiet_request
from policyd.policy.redacted import seeing
from policyd.policy.request import Inadmissible
from policyd.resolve.assertions import read_assertions
from policyd.resolve.budgets import read_budgets
from policyd.resolve.cases import SpacedCase, read_cases
from policyd.resolve.claims import stated
from policyd.resolve.conditions import Conditions
from policyd.resolve.denies import check_claimed, read_denies
from policyd.resolve.facts import read_facts, read_targets
from policyd.resolve.features import read_axes
from policyd.resolve.files import Unit, placed
from policyd.resolve.guards import capability_guards, read_exceptions, read_guards
from policyd.resolve.levels import read_levels
from policyd.resolve.names import collect_names
from policyd.resolve.predicates import Predicates
from policyd.resolve.redactions import read_redactions, with_variants
from policyd.resolve.report import Report
from policyd.resolve.routes import read_otherwise, read_routes
from policyd.resolve.scopes import Scopes, read_scopes
from policyd.resolve.sets import check_sets
from policyd.resolve.suppressions import read_severities, read_suppressions
from policyd.syntax.nodes import Assert, Edition
from policyd.text.diagnostic import Severity
from policyd.text.source import Span

__all__ = ["build"]

_NOWHERE = Otherwise("", 403, Severity.NOTE)


def build(
    root: Unit, report: Report, *, today: date | None = None, claims: Sequence[Assert] = ()
) -> Program | None:
    """The program, or None where anything is wrong but its tests: what it means can be proved without them, and the
    report says that they are wrong. `today` decides which exceptions have expired. `claims` are read as if they stood at
    the end of the root file."""
    statements = placed(root)
    top = _top(root)
    if all(isinstance(item.statement, Edition) for item in statements):
        report.add(
            "PD017",
            top,
            "the policy is empty: it decides nothing",
            help="`policyd init` writes a first policy",
        )
        return None
    statements = (*statements, *stated(claims))
    severities = read_severities(statements, report)
    suppressions = read_suppressions(statements, today, report)
    report.hear(severities, suppressions)
    names = collect_names(statements, report)
    check_sets(names, report)
    axes = read_axes(statements, names, report)
    conditions = Conditions(names, axes, report)
    conditions.read_lets()
    facts = read_facts(names, report)
    targets = read_targets(names, facts, report)
    if not names.tables["target"]:
        report.add(
            "PD236",
            top,
            "the policy has no target",
            help="add `target NAME { location … context … speaks … }`",
        )
    plain, redactions = targets, read_redactions(names, report)
    targets = with_variants(names, plain, redactions)
    predicates = Predicates(names, facts, targets, report)
    scopes = read_scopes(statements, conditions, report)
    levels = read_levels(statements, conditions, scopes, report)
    exceptions = read_exceptions(statements, names, conditions, today, report)
    guards = read_guards(names, conditions, predicates, scopes, exceptions)
    denies = read_denies(names, conditions, scopes, report)
    check_claimed(guards, denies, scopes.inclusions, levels, conditions.features, report)
    budgets = read_budgets(names, conditions, report)
    routes = read_routes(names, plain, conditions, scopes, report, redactions)
    otherwise = read_otherwise(statements, top, report)
    assertions = read_assertions(names, conditions, predicates, scopes)
    meant = not report.failed
    cases = read_cases(statements, conditions, report)
    whole = Program(
        axes.features,
        levels,
        targets,
        (*guards, *capability_guards(targets)),
        denies,
        routes,
        otherwise or _NOWHERE,
        exceptions,
        budgets,
        assertions,
        scopes.inclusions,
        tuple(c.case for c in cases),
        severities,
        suppressions,
    )
    program = seeing(whole)
    if not report.failed:
        _cases_stand_inside(program, cases, scopes, report)
    return program if meant else None


def _top(root: Unit) -> Span:
    """Where to point at what the whole policy lacks."""
    statements = root.module.statements
    return statements[0].span if statements else Span(root.module.source, 0, 0)


def _cases_stand_inside(
    program: Program, cases: tuple[SpacedCase, ...], scopes: Scopes, report: Report
) -> None:
    """A test gives a request that can exist, inside the scope of its file."""
    for spaced in cases:
        case = spaced.case
        request = quiet_request(program, dict(case.given))
        if isinstance(request, Inadmissible):
            report.add("PD284", _place(case), f"no request is like this: {request.message}")
        elif not agree(request.values):
            report.add(
                "PD284",
                _place(case),
                "no request is like this: its values do not go together",
                help="`context_needed` is `tokens` and `max_output`; images and remote content are `opaque`; what is `unredactable` was found",
            )
        elif not holds(program, scopes.conditions.get(spaced.space, TRUE), request):
            report.add(
                "PD284",
                _place(case),
                f"this test stands in `{spaced.space.path}`, and its request is outside of that scope",
                help="give what the scope asks for, or move the test to the root file",
            )


def _place(case: TestCase) -> Span | None:
    return case.span
