"""`--format` and `--output`: in which forms a command's result is written, and where each goes.

A command offers some formats, `text` among them, and writes each as a whole text only when somebody wants it:

    FORMATS = ("text", "json", "markdown")

    def configure(parser): configure_formats(parser, FORMATS)

    def run(arguments):
        outputs = chosen_outputs(arguments)
        …
        if outputs.on_screen("text"): say(…)              # what a person reads, as it comes
        return deliver(outputs, {"json": json_text, "markdown": markdown_text, "text": plain_text}) or code

`--format F` says what standard output gets. `--output F=FILE` writes one more format into a file, as often as wanted.
`--output FILE` alone means the one of `--format`, and standard output then keeps the text. A file is replaced whole or not
at all; one that cannot be written is exit code 2.
"""

import argparse
import os
import re
import stat
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from policyd.cli.report import CLEAN, report_unusable
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.text.printable import printable

__all__ = ["Outputs", "Writer", "chosen_outputs", "configure_formats", "deliver", "write_whole"]

_WORD: Final = re.compile(r"[\w-]*")
Writer: TypeAlias = Callable[[], str]
"""Writes the whole result in one format, with a line break at its end."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """`screen` is the format of standard output; `files` are further formats, each with its file."""

    screen: str
    files: tuple[tuple[str, str], ...] = ()

    def on_screen(self, form: str) -> bool:
        return self.screen == form

    def wants(self, form: str) -> bool:
        return self.screen == form or any(form == f for f, _ in self.files)


def configure_formats(parser: argparse.ArgumentParser, formats: Sequence[str]) -> None:
    """Add both flags. The first of `formats` is the default, and is `text`."""
    assert formats[0] == "text", "INVARIANT: a command speaks to a person unless it is told otherwise"
    parser.add_argument(
        "--format",
        choices=formats,
        default="text",
        metavar="FORMAT",
        help=f"what standard output gets: {', '.join(formats[:-1])} or {formats[-1]} (default: text)",
    )

    def wanted(text: str) -> tuple[str | None, str]:
        form, equals, path = text.partition("=")
        if not equals or not _WORD.fullmatch(form):
            form, path = "", text
        elif form not in formats:
            raise argparse.ArgumentTypeError(
                f"`{printable(form)}` is no format: choose from {', '.join(formats)}"
                f" (for a file of this name write `text={printable(text)}`)"
            )
        if not path:
            raise argparse.ArgumentTypeError(f"`{printable(text)}` names no file")
        return form or None, path

    parser.add_argument(
        "--output",
        type=wanted,
        action="append",
        default=[],
        metavar="[FORMAT=]FILE",
        help="write a format into a file, too; may be given several times",
    )


def chosen_outputs(arguments: argparse.Namespace) -> Outputs:
    """What the flags ask for."""
    plain = any(form is None for form, _ in arguments.output)
    files = tuple((form or arguments.format, path) for form, path in arguments.output)
    return Outputs("text" if plain else arguments.format, files)


def deliver(outputs: Outputs, writers: Mapping[str, Writer]) -> int:
    """Write every format that is wanted, each worked out once. Text on standard output is the command's own affair and
    has been said. The exit code: 2 where a file could not be written, else 0."""
    texts: dict[str, str] = {}

    def text_of(form: str) -> str:
        if form not in texts:
            texts[form] = writers[form]()
        return texts[form]

    problems = [p for form, path in outputs.files if (p := write_whole(path, text_of(form))) is not None]
    if outputs.screen != "text":
        sys.stdout.write(text_of(outputs.screen))
    return report_unusable(problems) if problems else CLEAN


def write_whole(path: str, text: str) -> Diagnostic | None:
    """Put `text` into a file, whole or not at all; a pipe or a device is written to. What went wrong, or None."""
    try:
        _write(path, text.encode("utf-8", "backslashreplace"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its name is not possible"
        return Diagnostic("PD001", Severity.ERROR, f"cannot write `{path}`: {why.lower()}", None)
    return None


def _write(path: str, raw: bytes) -> None:
    real = os.path.realpath(path)
    mode = os.stat(real).st_mode if os.path.exists(real) else None
    if mode is not None and not stat.S_ISREG(mode):
        with open(real, "wb") as device:
            device.write(raw)
        return
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(real), prefix=".policyd-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _new_file_mode() if mode is None else stat.S_IMODE(mode))
        os.replace(temporary, real)
    except BaseException:
        os.unlink(temporary)
        raise


def _new_file_mode() -> int:
    """What a file that this process makes may be, by its umask."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
