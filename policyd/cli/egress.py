"""`policyd egress`: the exact hosts and ports that a sidecar with this deployment ever connects to.

In comes a deployment file and its policy; out goes an allowlist, for a person, a program, a cluster or a kernel. A deployment
with mistakes gets none: rules that were written from it would be about something else.
"""

import argparse
import re
from typing import Final

from policyd.cli.opening import opened_policy
from policyd.cli.output import say
from policyd.cli.report import CLEAN, report_findings
from policyd.text.diagnostic import Severity, has_errors

__all__ = ["configure", "run"]

_EPILOG: Final = """\
A name is resolved at every connect, so its addresses are not in the list; what it may turn out to have is. Formats:
  text            for a person
  json            for a program
  networkpolicy   for Kubernetes: addresses, ports and networks; it knows no names
  cilium          for Kubernetes with Cilium: names as well
  iptables        a shell script for a pod: only policyd's user id may leave it

examples:
  policyd egress policyd.toml
  policyd egress policyd.toml --format networkpolicy --label app=policyd > egress.yaml
  policyd egress policyd.toml --format iptables --uid 65532 > lock.sh
"""
_FORMATS: Final = ("text", "json", "networkpolicy", "cilium", "iptables")
_LABEL: Final = re.compile(r"((?:[a-z0-9.-]{1,253}/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)=([A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)")  # fmt: skip
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,251}[a-z0-9])?")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("deployment", metavar="policyd.toml", help="the deployment file")
    parser.add_argument("--format", choices=_FORMATS, default="text", help="how to say it (default: text)")
    parser.add_argument(
        "--label",
        type=_label,
        default=("app", "policyd"),
        metavar="KEY=VALUE",
        help="the label of policyd's pods (default: app=policyd)",
    )
    parser.add_argument(
        "--name",
        type=_name,
        default="policyd-egress",
        help="the name of the policy object (default: policyd-egress)",
    )
    parser.add_argument(
        "--namespace", type=_name, help="the namespace of the policy object (default: none is written)"
    )
    parser.add_argument(
        "--uid", type=_uid, default=65532, help="the user id that policyd runs as in its pod (default: 65532)"
    )


def run(arguments: argparse.Namespace) -> int:
    from policyd.cli.deployments import binding_findings, policy_path, read_deployment_file  # noqa: PLC0415  pydantic is slow to import
    from policyd.cli.egress_formats import FORMATS, Asked  # noqa: PLC0415  with it
    from policyd.deploy.egress import egress_of  # noqa: PLC0415  with it

    draft, found = read_deployment_file(arguments.deployment)
    if draft is None or has_errors(found):
        return report_findings(d for d in found if d.severity is Severity.ERROR)
    program = opened_policy(policy_path(draft))
    if isinstance(program, int):
        return program
    wrong = [d for d in binding_findings(program, draft) if d.severity is Severity.ERROR]
    if wrong:
        return report_findings(wrong)
    on_prem = frozenset(t.name for t in program.targets if t.fact("location") == "on_prem")
    asked = Asked(arguments.name, arguments.namespace, arguments.label, arguments.uid)
    say(FORMATS[arguments.format](egress_of(draft.deployment, on_prem), asked))
    return CLEAN


def _label(text: str) -> tuple[str, str]:
    found = _LABEL.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"`{text}` is no label: write `key=value`")
    return found.group(1), found.group(2)


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"`{text}` is no name of an object: lower-case letters, digits and `-`"
        )
    return text


def _uid(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**32 - 1:
        raise argparse.ArgumentTypeError("a user id is a number above 0: root may do what it likes")
    return int(text)
