"""`policyd init`: a working policy, its tests and a deployment file to start from.

In comes a folder; out come three files with comments. It never overwrites: if one of them exists, none is written.
"""

import argparse
import os
from typing import Final

from policyd.cli.output import complain, say
from policyd.cli.report import CLEAN, UNUSABLE
from policyd.cli.starting import STARTING_FILES
from policyd.text.printable import printable

__all__ = ["configure", "run"]

_EPILOG: Final = """\
examples:
  policyd init            in this folder
  policyd init gateway    in gateway/, which is made if it is not there
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument(
        "folder", metavar="DIR", nargs="?", default=".", help="where to write (default: here)"
    )


def run(arguments: argparse.Namespace) -> int:
    folder: str = arguments.folder
    paths = {os.path.normpath(os.path.join(folder, name)): text for name, text in STARTING_FILES.items()}
    taken = [path for path in paths if os.path.lexists(path)]
    if taken:
        for path in taken:
            complain(f"error[PD008]: `{printable(path)}` exists already; nothing was written")
        complain("help: choose another folder, or move the file away")
        return UNUSABLE
    try:
        os.makedirs(folder, exist_ok=True)
        for path, text in paths.items():
            with open(path, "x", encoding="utf-8", newline="\n") as file:
                file.write(text)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its name is not possible"
        complain(f"error[PD001]: cannot write in `{printable(folder)}`: {why.lower()}")
        return UNUSABLE
    _say_next(*paths)
    return CLEAN


def _say_next(policy: str, cases: str, deployment: str) -> None:
    for path in (policy, cases, deployment):
        say(f"wrote {printable(path)}")
    say()
    say("next:")
    say(f"  policyd check --deployment {deployment} {policy}")
    say(f"  policyd explain {policy} --given 'team=search findings=secret.aws'")
    say(f"  edit the two urls in {deployment}, then: policyd serve {deployment}")
