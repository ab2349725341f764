"""`policyd explain`: what a policy decides about one request, and why.

In come a policy and a request (a JSON file, a line of `--given`, or both, where the line wins); out goes the decision
with its reasons, as text or JSON. What is not given has its quiet value, as in a test. It sends nothing anywhere.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from policyd.cli.explanation_text import explanation_json, explanation_lines
from policyd.cli.opening import opened_policy
from policyd.cli.output import say, style_for
from policyd.cli.reading import read_input
from policyd.cli.report import CLEAN, report_findings, report_unusable
from policyd.engine.compile import Compiled, compile_program
from policyd.explain.explanation import explanation_of
from policyd.explain.looking import looked_at
from policyd.policy.digest import digest
from policyd.policy.program import Program
from policyd.policy.request import Request
from policyd.text.diagnostic import Diagnostic
from policyd.trials.given import GivenRequest, read_json, read_line, request_from

__all__ = ["configure", "run"]

_EPILOG: Final = """\
A request is one value per feature (`policyd features POLICY` lists them). What is not given is quiet: flags false, sets
empty, numbers 0, headers absent; `NAME=unknown` is unknown. REQUEST.json is an object like
  {"team": "search", "context_needed": "40k", "findings": ["secret.aws"], "images": true}
and `-` reads it from standard input.

examples:
  policyd explain main.policy request.json
  policyd explain main.policy --given 'team=search context_needed=40k findings=secret.aws,iban images'
  policyd explain main.policy request.json --given 'not images' --json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("policy", metavar="POLICY", help="the policy file")
    parser.add_argument(
        "request", metavar="REQUEST.json", nargs="?", help="the request, or - for standard input"
    )
    parser.add_argument(
        "--given",
        metavar="TEXT",
        action="append",
        default=[],
        help="features as `NAME=VALUE NAME 'not NAME' …`",
    )
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    program = opened_policy(arguments.policy)
    if isinstance(program, int):
        return program
    given = _given(program, arguments.request, arguments.given)
    if given.diagnostics:
        return report_unusable(given.diagnostics)
    request = request_from(program, given.values)
    if not isinstance(request, Request):
        return report_unusable(request)
    compiled = compile_program(program)
    if not isinstance(compiled, Compiled):
        return report_findings(compiled)
    looked = looked_at(compiled, request)
    explanation = explanation_of(program, request, given=given.values, looked=looked)
    if arguments.json:
        say(explanation_json(explanation, policy=arguments.policy, digest=digest(program)))
    else:
        say("\n".join(explanation_lines(explanation, style_for(sys.stdout))))
    return CLEAN


def _given(program: Program, path: str | None, lines: Sequence[str]) -> GivenRequest:
    """The file's values and then the lines', with every mistake in any of them."""
    parts: list[GivenRequest] = []
    if path is not None:
        text = read_input(path)
        parts.append(GivenRequest({}, (text,)) if isinstance(text, Diagnostic) else read_json(program, text))
    parts.extend(read_line(program, line) for line in lines)
    values = {name: value for part in parts for name, value in part.values.items()}
    return GivenRequest(values, tuple(d for part in parts for d in part.diagnostics))
