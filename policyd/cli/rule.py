"""`policyd rule`: what a diagnostic code means and what to do about it.

In come codes as they stand in a finding; out goes the page of each, or the list of all. A code that there is not is wrong
usage, with the near one; the pages of the others are printed all the same.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from policyd.cli.output import complain, say, style_for, table
from policyd.cli.page_text import page_lines
from policyd.cli.pages import page_of
from policyd.cli.report import CLEAN, UNUSABLE
from policyd.text.codes import CODES
from policyd.text.printable import printable

__all__ = ["configure", "run"]

_WIDEST: Final = 100
_EPILOG: Final = """\
examples:
  policyd rule PD305
  policyd rule 305 PD301
  policyd rule --list

exit codes: 0 printed, 2 a code that there is not
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("codes", metavar="CODE", nargs="*", help="codes of findings, such as PD305")
    parser.add_argument(
        "--list", action="store_true", dest="listed", help="list every code (so does no CODE at all)"
    )


def run(arguments: argparse.Namespace) -> int:
    style = style_for(sys.stdout)
    if arguments.listed or not arguments.codes:
        rows = [(c.code, str(c.severity), c.title) for c in sorted(CODES.values(), key=lambda c: c.code)]
        say(table(("code", "severity", "meaning"), rows, style))
    known = [code for code in map(_code, arguments.codes) if code in CODES]
    _print(known)
    unknown = [word for word in arguments.codes if _code(word) not in CODES]
    for word in unknown:
        complain(f"there is no code `{printable(word)}`{_near(word)}")
    return UNUSABLE if unknown else CLEAN


def _print(codes: Sequence[str]) -> None:
    style = style_for(sys.stdout)
    width = min(_WIDEST, shutil.get_terminal_size((_WIDEST, 24)).columns)
    for number, code in enumerate(dict.fromkeys(codes)):
        if number:
            say("\n" + style.dim("-" * min(width, 40)) + "\n")
        for line in page_lines(page_of(code), style=style, width=max(width, 20)):
            say(line)


def _code(word: str) -> str:
    """`305`, `pd305` and `[PD305]` are PD305."""
    bare = word.strip("[]").upper()
    return f"PD{bare}" if bare.isdecimal() else bare


def _near(word: str) -> str:
    near = get_close_matches(_code(word)[:20], list(CODES), n=1, cutoff=0.6)
    listed = "`policyd rule --list` lists them"
    return f": did you mean `{near[0]}`? {listed}" if near else f": {listed}"
