"""`policyd fmt`: policies in the one standard form.

In come files, folders or standard input (`-`); files are rewritten in place, each whole or not at all. With
`--check` or `--diff` nothing is written. A file with a syntax mistake, or whose meaning formatting would change, is left
alone and said.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from difflib import unified_diff
from pathlib import Path
from typing import Final

from policyd.cli.output import complain, say, style_for
from policyd.cli.reading import policy_files, read_input, read_source
from policyd.cli.report import CLEAN, FINDINGS, UNUSABLE, report_findings, report_unusable, worst
from policyd.syntax.format import format_source
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.text.printable import printable
from policyd.text.source import Source

__all__ = ["configure", "run", "write_atomically"]

_EPILOG: Final = """\
A folder means every .policy file in it, included ones too. Without PATH: this folder.

examples:
  policyd fmt                     rewrite what is not in the standard form
  policyd fmt --check policies    exit 1 if something is not, and name it
  policyd fmt --diff main.policy  show what would change
  policyd fmt - < main.policy     from standard input to standard output
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("paths", metavar="PATH", nargs="*", default=["."], help="files, folders, or -")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file would change")
    parser.add_argument("--diff", action="store_true", help="write nothing; show what would change")


def run(arguments: argparse.Namespace) -> int:
    if "-" in arguments.paths:
        if arguments.paths != ["-"]:
            complain("policyd fmt: `-` stands alone: it reads standard input and writes standard output")
            return UNUSABLE
        return _format("-", "standard input", check=arguments.check, diff=arguments.diff)
    found = policy_files(arguments.paths)
    codes = [report_unusable(found.diagnostics)] if found.diagnostics else []
    codes += [_format(f, f, check=arguments.check, diff=arguments.diff) for f in found.files]
    return worst(codes)


def write_atomically(path: str, text: str) -> None:
    """The whole new text or the whole old one, with the old one's mode; a link keeps pointing where it does."""
    real = os.path.realpath(path)
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(real), prefix=".policyd-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, Path(real).stat().st_mode & 0o7777)
        os.replace(temporary, real)
    except BaseException:
        os.unlink(temporary)
        raise


def _format(path: str, name: str, *, check: bool, diff: bool) -> int:
    source = _standard_input(name) if path == "-" else read_source(path)
    if isinstance(source, Diagnostic):
        return report_unusable((source,))
    formatted = format_source(source)
    if formatted.text is None:
        return report_findings(d for d in formatted.diagnostics if d.severity is not Severity.NOTE)
    changed = formatted.text != source.text
    if diff and changed:
        _show(name, source.text, formatted.text)
    if check or diff:
        if check and changed:
            complain(f"{printable(name)} is not in the standard form")
        return FINDINGS if check and changed else CLEAN
    if path == "-":
        sys.stdout.write(formatted.text)
        return CLEAN
    return _write(path, formatted.text) if changed else CLEAN


def _standard_input(name: str) -> Source | Diagnostic:
    text = read_input("-")
    return Source(name, text) if isinstance(text, str) else text


def _write(path: str, text: str) -> int:
    try:
        write_atomically(path, text)
    except OSError as error:
        why = (error.strerror or "unknown reason").lower()
        return report_unusable((Diagnostic("PD001", Severity.ERROR, f"cannot write `{path}`: {why}", None),))
    complain(f"{printable(path)} rewritten")
    return CLEAN


def _show(name: str, before: str, after: str) -> None:
    style = style_for(sys.stdout)
    for line in unified_diff(_lines(before), _lines(after), name, f"{name} (formatted)", lineterm=""):
        shown = printable(line)
        if line.startswith("+"):
            shown = style.green(shown)
        elif line.startswith("-"):
            shown = style.red(shown)
        say(shown)


def _lines(text: str) -> Sequence[str]:
    return text.removesuffix("\n").split("\n")
