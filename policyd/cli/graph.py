"""`policyd graph`: a policy as a picture, for a person who wants to see it.

In comes a policy and what of it is wanted; out goes SVG or Mermaid, on standard output or into a file. Every mark in the
picture is proved by search; where a search was not finished, the mark says so, and so does the exit code.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from policyd.cli.formats import write_whole
from policyd.cli.opening import opened_policy
from policyd.cli.output import complain
from policyd.cli.reading import find_policies
from policyd.cli.report import CLEAN, NOT_PROVED, UNUSABLE, report_findings, report_unusable
from policyd.engine.matrix import Matrix, build_matrix
from policyd.graph.asking import MOST_VALUES, Asked, NotAsked, asked
from policyd.graph.gather import gather
from policyd.graph.mermaid import mermaid, too_large
from policyd.graph.model import Drawing
from policyd.graph.page import VIEWS, View, scene
from policyd.graph.reach import budget
from policyd.graph.svg import svg
from policyd.policy.program import Program
from policyd.proofs.case import open_case
from policyd.text.printable import printable

__all__ = ["configure", "run"]

_EPILOG: Final = f"""\
The views: `decision` is the way of a request through levels, denies, guards and routes; `guards` what each guard forbids,
when and why, and what every target can do; `reach` which requests can get to which target, by which route. `reach` is told
apart by each level that the policy computes, and with `--by` by any level, flag or enum of at most {MOST_VALUES} values.

Long policies are gathered: the routes of one include stand together, and what is left out is counted in the picture.

examples:
  policyd graph main.policy --output main.svg
  policyd graph main.policy --view reach --by endpoint --by latency --output reach.svg
  policyd graph main.policy --format mermaid --view decision

exit codes: 0 drawn, 1 the policy has errors, 2 wrong usage or unreadable input, 3 drawn, but some marks are not proved
"""
_ENDINGS: Final = {".svg": "svg", "": "svg", ".mmd": "mermaid", ".mermaid": "mermaid"}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("policy", metavar="PATH", help="the policy file, or a folder with one policy")
    parser.add_argument(
        "--format",
        choices=("svg", "mermaid"),
        help="default: as the name of FILE ends (.svg, .mmd), svg without an ending, mermaid without FILE",
    )
    parser.add_argument(
        "--view", choices=(*VIEWS, "all"), default="all", help="what of the policy is drawn (default: all)"
    )
    parser.add_argument(
        "--by",
        metavar="FEATURE",
        action="append",
        default=[],
        help="tell reach apart by this, too; may be given several times",
    )
    parser.add_argument("--output", metavar="FILE", help="write into this file instead of standard output")


def run(arguments: argparse.Namespace) -> int:
    form = _format(arguments.format, arguments.output)
    if isinstance(form, int):
        return form
    path = _policy(arguments.policy)
    if isinstance(path, int):
        return path
    program = opened_policy(path)
    if isinstance(program, int):
        return program
    drawing = _drawing(program, arguments.by, title=Path(path).stem)
    if isinstance(drawing, int):
        return drawing
    text = _text(drawing, form, _views(arguments.view))
    if isinstance(text, int):
        return text
    if arguments.output is None:
        sys.stdout.write(text)
    elif (problem := write_whole(arguments.output, text)) is not None:
        return report_unusable((problem,))
    return _proved(drawing)


def _policy(path: str) -> str | int:
    """The one policy at a path, or the exit code."""
    found = find_policies((path,))
    if found.diagnostics:
        return report_unusable(found.diagnostics)
    if len(found.files) != 1:
        listed = ", ".join(printable(f) for f in found.files)
        complain(
            f"policyd graph: `{printable(path)}` has {len(found.files)} policies, and a picture shows one"
        )
        complain(f"help: name one of {listed}")
        return UNUSABLE
    return found.files[0]


def _drawing(program: Program, by: Sequence[str], *, title: str) -> Drawing | int:
    """The drawing, or the exit code."""
    found = asked(program, by)
    wrong = [a for a in found if isinstance(a, NotAsked)]
    for one in wrong:
        complain(f"policyd graph: {printable(one.message)}\nhelp: {printable(one.help)}")
    if wrong:
        return UNUSABLE
    dimensions = [a for a in found if isinstance(a, Asked)]
    matrix = build_matrix(program, tuple(c for a in dimensions for c in a.conditions))
    if not isinstance(matrix, Matrix):
        return report_findings(matrix)
    return gather(open_case(program, matrix, budget()), dimensions, title=title)


def _format(asked_for: str | None, output: str | None) -> str | int:
    """What is asked for, or what the file's name says; the exit code where it says another format."""
    if asked_for is not None:
        return asked_for
    if output is None:
        return "mermaid"
    ending = os.path.splitext(output)[1].lower()
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    complain(
        f"policyd graph: `{printable(output)}` says no format: a picture is SVG (.svg) or Mermaid (.mmd)"
    )
    complain("help: name the file so, or say which with `--format svg` or `--format mermaid`")
    return UNUSABLE


def _views(view: str) -> tuple[View, ...]:
    return tuple(v for v in VIEWS if view in (v, "all"))


def _text(drawing: Drawing, form: str, views: tuple[View, ...]) -> str | int:
    """The picture's text, or the exit code."""
    if form == "svg":
        return svg(scene(drawing, views))
    text = mermaid(drawing, views)
    problem = too_large(text)
    if problem is None:
        return text
    complain(f"policyd graph: the picture is too large for Mermaid: {problem}")
    narrower = "draw one view with `--view`, or " if len(views) > 1 else ""
    complain(f"help: {narrower}draw it as SVG with `--format svg`")
    return UNUSABLE


def _proved(drawing: Drawing) -> int:
    """The exit code of a picture that was drawn."""
    missing = drawing.not_proved
    if not missing:
        return CLEAN
    marks = f"{missing:,} marks are" if missing > 1 else "one mark is"
    complain(f"policyd graph: {marks} not proved: the search outgrew its budget; the picture says which")
    return NOT_PROVED
