"""`policyd features`: what a policy can know about a request.

In come a policy (or none, for the features every policy has) and perhaps a deployment file; out goes the table of
features, as text or JSON: domain, who says it, where it comes from, what unknown means, what it costs. With `--findings` out
goes the table of the names that `findings` can hold, with those that the deployment brings.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from textwrap import wrap
from typing import Final

from policyd.cli.level_text import level_document, level_text
from policyd.cli.opening import opened_policy
from policyd.cli.output import say, style_for, table
from policyd.cli.report import CLEAN, report_findings
from policyd.policy.builtins import BUILTIN_FEATURES
from policyd.policy.feature_notes import HOW
from policyd.policy.finding_notes import described, weight_of
from policyd.policy.findings import FINDINGS
from policyd.policy.program import (
    MAX_NUMBER,
    BoolDomain,
    EnumDomain,
    Feature,
    NamesDomain,
    NumberDomain,
    StringDomain,
    Unknown,
    Where,
)
from policyd.policy.written import value_text
from policyd.resolve.report import near
from policyd.text.diagnostic import Diagnostic, Severity

__all__ = ["COSTS", "configure", "domain_text", "run", "unknown_text"]

_EPILOG: Final = """\
Who says it: attested features come from the identity, the path, the deployment, the clock or the ledger, and the caller
cannot choose them; derived ones are computed from the content; claimed ones are the caller's word.

examples:
  policyd features                              the features every policy has
  policyd features --explain task               how one of them comes about
  policyd features --findings                   the names that `findings contains "…"` can ask for
  policyd features main.policy                  and those it declares
  policyd features main.policy --deployment policyd.toml --json
"""
COSTS: Final = ("nothing", "read the body", "go through the text", "scan the text")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("policy", metavar="POLICY", nargs="?", help="the policy file")
    parser.add_argument("--deployment", metavar="FILE", help="show the values this deployment file gives")
    parser.add_argument(
        "--explain", metavar="NAME", help="say how this feature, or this level of the policy, comes about"
    )
    parser.add_argument(
        "--findings", action="store_true", help="list the findings, and those that the deployment file brings"
    )
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    features = BUILTIN_FEATURES
    if arguments.policy is not None:
        opened = opened_policy(arguments.policy)
        if isinstance(opened, int):
            return opened
        features = opened.features
        level = next((one for one in opened.levels if one.name == arguments.explain), None)
        if level is not None:
            document = json.dumps(level_document(opened, level), ensure_ascii=False, indent=2)
            say(document if arguments.json else level_text(opened, level))
            return CLEAN
    values: Mapping[str, str | int | bool] = {}
    own: Iterable[str] = ()
    if arguments.deployment is not None:
        from policyd.cli.deployments import read_deployment_file  # noqa: PLC0415  pydantic is slow to import

        deployment, found = read_deployment_file(arguments.deployment)
        if deployment is None:
            return report_findings(d for d in found if d.severity is Severity.ERROR)
        values = dict(deployment.features)
        own = deployment.own_findings
    if arguments.findings:
        say(_findings(sorted({*FINDINGS, *own}), as_json=arguments.json))
        return CLEAN
    if arguments.explain is not None:
        named = tuple(f for f in features if f.name == arguments.explain)
        if not named:
            return report_findings((_unknown_feature(arguments.explain, features),))
        features = named
        if not arguments.json:
            say(_explained(named[0], values))
            return CLEAN
    say(_json(features, values) if arguments.json else _text(features, values))
    return CLEAN


def _findings(names: Iterable[str], *, as_json: bool) -> str:
    """Each name that `findings` can hold. A policy may also ask for any name above one."""
    rows = [(name, weight_of(name), described(name)) for name in names]
    if as_json:
        listed = [{"name": name, "weight": weight, "doc": said} for name, weight, said in rows]
        return json.dumps(listed, ensure_ascii=False, indent=2)
    return table(("finding", "weight", "what it is"), rows, style_for(sys.stdout))


def _unknown_feature(name: str, features: tuple[Feature, ...]) -> Diagnostic:
    close = near(name, (f.name for f in features))
    cure = f"did you mean `{close}`?" if close else "`policyd features` lists them"
    return Diagnostic("PD201", Severity.ERROR, f"there is no feature `{name[:64]}`", None, help=cure)


def _explained(feature: Feature, values: Mapping[str, str | int | bool]) -> str:
    """One feature, a line for each thing that can be said of it."""
    lines = {
        "feature": feature.name,
        "values": domain_text(feature),
        "who says it": str(feature.provenance),
        "from": _source_text(feature.where, values),
        "unknown": unknown_text(feature),
        "cost": COSTS[feature.cost],
        "what it is": feature.doc,
        "how": HOW.get(feature.name, "") if feature.where.kind == "builtin" else "",
    }
    width = max(map(len, lines))
    said = ((name, wrap(text, 100)) for name, text in lines.items() if text)
    return "\n".join(f"{name:<{width}}  " + f"\n{'':<{width}}  ".join(parts) for name, parts in said)


def _text(features: tuple[Feature, ...], values: Mapping[str, str | int | bool]) -> str:
    rows = [
        (
            f.name,
            domain_text(f),
            str(f.provenance),
            _source_text(f.where, values),
            unknown_text(f),
            COSTS[f.cost],
            f.doc,
        )
        for f in features
    ]
    header = ("feature", "domain", "who says it", "from", "unknown means", "cost", "what it is")
    return table(header, rows, style_for(sys.stdout))


def _json(features: tuple[Feature, ...], values: Mapping[str, str | int | bool]) -> str:
    return json.dumps([_feature_json(f, values) for f in features], ensure_ascii=False, indent=2)


def _feature_json(feature: Feature, values: Mapping[str, str | int | bool]) -> dict[str, object]:
    out: dict[str, object] = {
        "name": feature.name,
        "domain": _domain_json(feature),
        "provenance": str(feature.provenance),
        "source": {"kind": feature.where.kind, "key": feature.where.key},
        "unknown": _unknown_json(feature),
        "cost": feature.cost,
        "doc": feature.doc,
        "how": HOW.get(feature.name, "") if feature.where.kind == "builtin" else "",
    }
    if feature.where.kind == "deployment":
        out["value"] = values.get(feature.where.key)
    return out


def domain_text(feature: Feature) -> str:
    match feature.domain:
        case NumberDomain(low, high, "count") if high == MAX_NUMBER:
            return f"{value_text(low)} or more"
        case NumberDomain(low, high, unit):
            return f"{value_text(low, unit=unit)}..{value_text(high, unit=unit)}"
        case EnumDomain(words, ordered):
            return (" < " if ordered else ", ").join(words)
        case BoolDomain():
            return "true, false"
        case StringDomain():
            return "string"
        case NamesDomain():
            return "set of names"


def _domain_json(feature: Feature) -> dict[str, object]:
    match feature.domain:
        case NumberDomain(low, high, "date"):
            return {
                "kind": "date",
                "low": value_text(low, unit="date"),
                "high": value_text(high, unit="date"),
            }
        case NumberDomain(low, high, _):
            return {"kind": "number", "low": low, "high": high}
        case EnumDomain(words, ordered):
            return {"kind": "enum", "values": list(words), "ordered": ordered}
        case BoolDomain():
            return {"kind": "bool"}
        case StringDomain():
            return {"kind": "string"}
        case NamesDomain():
            return {"kind": "names"}


def _source_text(where: Where, values: Mapping[str, str | int | bool]) -> str:
    match where.kind:
        case "builtin":
            return "the request"
        case "header" | "label":
            return f"header {where.key}"
        case "identity":
            return f"identity, claim {where.key}"
        case "deployment":
            value = values.get(where.key)
            given = "" if value is None else f" = {value_text(value)}"
            return f"deployment, key {where.key}{given}"
        case "ledger":
            return f"ledger, {where.key}"
        case "conversation":
            return f"conversation, level {where.key}"


def unknown_text(feature: Feature) -> str:
    match feature.unknown:
        case Unknown.REJECT:
            return "reject"
        case Unknown.NEVER:
            return "never unknown"
        case Unknown.EVERYTHING:
            return "every name"
        case "":
            return '""'
        case number if number == MAX_NUMBER:
            return "more than any bound"
        case value:
            unit = feature.domain.unit if isinstance(feature.domain, NumberDomain) else "count"
            return value_text(value, unit=unit)


def _unknown_json(feature: Feature) -> object:
    if isinstance(feature.unknown, Unknown):
        return {"kind": feature.unknown.value}
    value = feature.unknown
    return {"kind": "value", "value": sorted(value) if isinstance(value, frozenset) else value}
