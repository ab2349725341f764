"""What routes redact, and the variants of targets that they lead to.

In come the routes as written and the plain targets; out come a checked redaction for each route that has one, and the
targets with every variant that some route leads to behind them. What a redaction does to a request, and what guards see of
it, is decided elsewhere.
"""

from collections.abc import Iterable, Iterator, Mapping

from policyd.policy.condition import Either, Has
from policyd.policy.findings import is_finding, near_finding
from policyd.policy.program import Guard, Redaction, Target
from policyd.policy.variants import redaction_text, variant_of
from policyd.resolve.files import Space
from policyd.resolve.names import Names
from policyd.resolve.report import Report, shown
from policyd.syntax import nodes
from policyd.text.diagnostic import Label

__all__ = ["expected_redaction", "read_redactions", "redacts_guards", "with_variants"]


def read_redactions(names: Names, report: Report) -> Mapping[str, Redaction]:
    """The redaction of each route that has one and may have it, by the route's name."""
    found: dict[str, Redaction] = {}
    for declared in names.tables["route"].values():
        route = declared.statement
        if not isinstance(route, nodes.Route) or route.redaction is None:
            continue
        redaction = _redaction(route.redaction, report)
        if route.redaction.after and declared.space.path:
            report.add(
                "PD270",
                route.redaction.span,
                "a file that is included with a scope cannot decide `after redaction`: guards from outside of it would see less",
                help="remove `after redaction`, or move the route to the root file",
            )
        elif redaction is not None:
            found[declared.name] = redaction
    return found


def expected_redaction(written: nodes.Redaction, report: Report) -> Redaction | None:
    """What a test expects to be taken out."""
    return _redaction(written, report)


def with_variants(
    names: Names, targets: tuple[Target, ...], redactions: Mapping[str, Redaction]
) -> tuple[Target, ...]:
    """The targets, then each variant that a route leads to, in the order of routes."""
    plain = {t.name: t for t in targets}
    found: dict[str, Target] = {}
    for declared in names.tables["route"].values():
        route, redaction = declared.statement, redactions.get(declared.name)
        if redaction is None or not isinstance(route, nodes.Route):
            continue
        for target in _named(route, declared.space, names):
            if target in plain:
                variant = variant_of(plain[target], redaction)
                found.setdefault(variant.name, variant)
    return (*targets, *found.values())


def redacts_guards(targets: Iterable[Target]) -> Iterator[Guard]:
    """A variant is nothing for a request from which something cannot be taken out that it promises to take out."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for target in targets:
        if target.redaction is not None:
            groups.setdefault(target.redaction.names, []).append(target.name)
    for names, members in groups.items():
        tests = tuple(Has("unredactable", name) for name in names)
        condition = tests[0] if len(tests) == 1 else Either(tests)
        because = "what it must not get cannot be taken out of the request"
        text = f"only what {redaction_text(Redaction(names))} can take out"
        yield Guard("redacts", frozenset(members), condition, because, text, builtin=True)


def _named(route: nodes.Route, space: Space, names: Names) -> Iterator[str]:
    for choice in route.to:
        members = [m.target for m in choice.members] if isinstance(choice, nodes.Group) else [choice]
        for ident in members:
            declared = names.find("target", ident.text, space)
            if declared is not None:
                yield declared.name


def _redaction(written: nodes.Redaction, report: Report) -> Redaction | None:
    if not written.names:
        report.add(
            "PD264",
            written.span,
            "this redaction takes nothing out",
            help="name findings: `with redact(card-number, secret)`, or remove it",
        )
        return None
    kept: dict[str, nodes.Text] = {}
    for name in written.names:
        _known(name, report)
        _once(name, kept, report)
        kept.setdefault(name.value, name)
    _apart(kept, report)
    if written.after:
        _of_all_around(kept, report)
    return Redaction(tuple(sorted(kept)), written.restored, written.after)


def _known(name: nodes.Text, report: Report) -> None:
    """A name that no detector finds would be sent as it is: that is no warning here."""
    if is_finding(name.value):
        return
    close = near_finding(name.value)
    report.add(
        "PD264",
        name.span,
        f"no detector finds `{shown(name.value)}`, so nothing of that name is taken out",
        help=f"did you mean `{close}`?" if close else "`policyd features --findings` lists the names",
    )


def _once(name: nodes.Text, kept: Mapping[str, nodes.Text], report: Report) -> None:
    if name.value in kept:
        label = Label(kept[name.value].span, "first named here")
        report.add(
            "PD264", name.span, f"`{shown(name.value)}` is redacted twice", help="remove it", labels=(label,)
        )


def _apart(kept: Mapping[str, nodes.Text], report: Report) -> None:
    """A name that another one covers says nothing, and hides that the other one takes out more."""
    for text, name in kept.items():
        above = next((other for other in kept if text.startswith(other + ".")), None)
        if above is not None:
            report.add(
                "PD264",
                name.span,
                f"`{text}` is redacted with `{above}` already",
                help=f"remove `{text}`, or `{above}` if only `{text}` is to be taken out",
                labels=(Label(kept[above].span, f"`{above}` covers every name below it"),),
            )


def _of_all_around(kept: Mapping[str, nodes.Text], report: Report) -> None:
    """Without its label a classified text is as classified as before, and guards would no longer see that it is."""
    for text, name in kept.items():
        if text == "label" or text.startswith("label."):
            report.add(
                "PD264",
                name.span,
                f"`{text}` says something of all the text around it, and `after redaction` guards would not see it",
                help=f"remove `{text}`, or `after redaction`",
            )
