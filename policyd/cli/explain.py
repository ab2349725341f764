"""`policyd explain`: what a policy decides about one request, why, why not something else, and what would change it.

In come a policy (a file, or what a running sidecar serves) and a request (a JSON file, a line of `--given`, or both, where
the line wins); out goes the decision with its reasons, as text or JSON. What is not given has its quiet value, as in a
test. It sends nothing anywhere but the question for the policy to a sidecar that is named.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from policyd.cli.explanation_text import completed_lines, explanation_json, explanation_lines, headline
from policyd.cli.nearest_text import nearest_json, nearest_lines
from policyd.cli.opening import opened_origin, readable
from policyd.cli.origins import Origin, file_origin, sidecar_origin
from policyd.cli.output import Style, say, style_for
from policyd.cli.reading import SUFFIX, read_input
from policyd.cli.report import CLEAN, NOT_PROVED, findings_text, report_findings, report_unusable
from policyd.cli.whynot_text import why_not_json, why_not_lines
from policyd.engine.compile import Compiled, compile_program
from policyd.explain.explanation import Explanation, explanation_of
from policyd.explain.goals import other_outcome, takes_part
from policyd.explain.looking import looked_at
from policyd.explain.nearest import BUDGET, Nearest, nearest
from policyd.explain.whynot import Subject, WhyNot, subject_of, why_not
from policyd.policy.digest import digest
from policyd.policy.program import Program
from policyd.policy.request import Request
from policyd.reports.values import Json
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.trials.given import GivenRequest, read_json, read_line, request_from
from policyd.trials.never import never_seen

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
  policyd explain main.policy --given 'team=search images' --why-not cloud --nearest
  policyd explain --sidecar http://127.0.0.1:8485 --given 'team=search' --why-not route:batch

exit codes: 0, 1 the policy has errors, 2 usage or unreadable input, 3 not proved to be the nearest
"""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked beyond the decision, answered. `subject` of `why`, and of `near` where there is one."""

    subject: Subject | None
    why: WhyNot | None
    near: Nearest | None

    def lines(self, origin: Origin, style: Style) -> Iterator[str]:
        if self.why is not None:
            yield ""
            yield from why_not_lines(self.why, style)
        if self.near is not None:
            yield ""
            yield from nearest_lines(self.near, self.subject, origin.words, style)

    def json(self) -> dict[str, Json]:
        out: dict[str, Json] = {}
        if self.why is not None:
            out["why_not"] = why_not_json(self.why)
        if self.near is not None:
            out["nearest"] = nearest_json(self.near, self.subject)
        return out


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("policy", metavar="POLICY", nargs="?", help="the policy file")
    parser.add_argument(
        "request", metavar="REQUEST.json", nargs="?", help="the request, or - for standard input"
    )
    parser.add_argument("--sidecar", metavar="URL", help="what the sidecar with this admin address serves")
    parser.add_argument(
        "--given",
        metavar="TEXT",
        action="append",
        default=[],
        help="features as `NAME=VALUE NAME 'not NAME' …`",
    )
    parser.add_argument(
        "--why-not",
        metavar="NAME",
        help="say what keeps a target (or route:NAME, deny:NAME, guard:NAME) from having a part in it",
    )
    parser.add_argument(
        "--nearest",
        action="store_true",
        help="find the fewest features that would have to be different for another outcome, or for the one of --why-not",
    )
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    policy, path = arguments.policy, arguments.request
    if arguments.sidecar is not None and path is None and not _is_policy(policy):
        policy, path = None, policy
    origin = _origin(policy, arguments.sidecar)
    if isinstance(origin, Diagnostic):
        return report_unusable((origin,))
    program = opened_origin(origin)
    if isinstance(program, int):
        return program
    given = _given(program, path, arguments.given)
    if given.diagnostics:
        return report_unusable(given.diagnostics)
    request = request_from(program, given.values)
    if not isinstance(request, Request):
        return report_unusable(request)
    subject = None if arguments.why_not is None else subject_of(program, arguments.why_not)
    if isinstance(subject, Diagnostic):
        return report_unusable((subject,))
    _warn(never_seen(program, given.values))
    asked = _answered(program, request, subject, near=arguments.nearest)
    code = CLEAN if asked.near is None or asked.near.proved else NOT_PROVED
    if (subject is not None or arguments.nearest) and not arguments.json:
        style = style_for(sys.stdout)
        read = explanation_of(program, request, given=given.values)
        completed = completed_lines(read, style)
        say("\n".join((*headline(read.decision, style), *completed, *asked.lines(origin, style))))
        return code
    return _explain(origin, program, request, given, asked, as_json=arguments.json) or code


def _explain(
    origin: Origin, program: Program, request: Request, given: GivenRequest, asked: _Asked, *, as_json: bool
) -> int:
    """The whole reading, with what the compiled policy looks at."""
    compiled = compile_program(program)
    if not isinstance(compiled, Compiled):
        return report_findings(compiled)
    looked = looked_at(compiled, request)
    explanation: Explanation = explanation_of(program, request, given=given.values, looked=looked)
    if as_json:
        say(explanation_json(explanation, policy=origin.shown, digest=digest(program), more=asked.json()))
    else:
        say("\n".join(explanation_lines(explanation, style_for(sys.stdout))))
    return CLEAN


def _origin(policy: str | None, sidecar: str | None) -> Origin | Diagnostic:
    """Exactly one of them."""
    if sidecar is not None and policy is None:
        return sidecar_origin(sidecar)
    if policy is not None and sidecar is None:
        return readable(file_origin(policy, today=date.today()))
    message = (
        "no policy to explain"
        if policy is None
        else f"the policy is `{policy}` or what the sidecar at `{sidecar}` serves, not both"
    )
    return Diagnostic(
        "PD003",
        Severity.ERROR,
        message,
        None,
        "name a POLICY file, or a sidecar's admin address with `--sidecar`",
    )


def _is_policy(path: str | None) -> bool:
    """Beside a sidecar the one path is the request, unless its name says that it is a policy."""
    return path is not None and path.endswith(SUFFIX)


def _answered(program: Program, request: Request, subject: Subject | None, *, near: bool) -> _Asked:
    why = None if subject is None else why_not(program, request, subject)
    if not near or (why is not None and why.takes_part):
        return _Asked(subject, why, None)
    goal = other_outcome(program, request) if subject is None else takes_part(program, subject)
    return _Asked(subject, why, nearest(program, request, goal, BUDGET))


def _warn(found: Sequence[Diagnostic]) -> None:
    """What is odd about the request, beside the answer."""
    sys.stderr.write(findings_text(found, notes=True, colour=style_for(sys.stderr).colour))


def _given(program: Program, path: str | None, lines: Sequence[str]) -> GivenRequest:
    """The file's values and then the lines', with every mistake in any of them."""
    parts: list[GivenRequest] = []
    if path is not None:
        text = read_input(path)
        parts.append(GivenRequest({}, (text,)) if isinstance(text, Diagnostic) else read_json(program, text))
    parts.extend(read_line(program, line) for line in lines)
    values = {name: value for part in parts for name, value in part.values.items()}
    return GivenRequest(values, tuple(d for part in parts for d in part.diagnostics))
