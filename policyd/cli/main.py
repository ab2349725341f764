"""The `policyd` command: which word runs which module, and what happens when something goes wrong.

In come arguments; out goes an exit code: 0 clean · 1 findings · 2 usage or unreadable input · 3 not proved · 4 (diff) looser ·
70 a mistake in policyd. A command's module is imported only when its word is given, so help and a small check start fast. Each has
`configure(parser)` and `run(arguments) -> int`.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import NoReturn, TextIO

from policyd import __version__

__all__ = ["COMMANDS", "Command", "main"]

_EPILOG = """\
examples:
  policyd init gateway                           start a policy and a deployment file in gateway/
  policyd check gateway                          prove its assertions, or show the leak
  policyd check --deployment policyd.toml        the same, and check what the deployment file binds
  policyd prove 'never location == cloud when opaque' --sidecar http://127.0.0.1:8485
  policyd explain main.policy --given 'team=search context_needed=40k findings=secret.aws'
  policyd serve policyd.toml                     route real requests by it

exit codes: 0 clean, 1 findings, 2 usage or unreadable input, 3 not proved, 4 (diff) looser, 70 a mistake in policyd
"""


@dataclass(frozen=True, slots=True)
class Command:
    """A word of the command line, and the module that runs it."""

    word: str
    summary: str

    def load(self) -> ModuleType:
        return import_module(f"policyd.cli.{self.word}")


COMMANDS = (
    Command("check", "find what is wrong with policies, and prove what they assert"),
    Command("prove", "prove a claim for every possible request, or refute it by one"),
    Command("fmt", "write policies in the one standard form"),
    Command("test", "run the tests that policies carry"),
    Command("diff", "say what a change of policies means, for every possible request"),
    Command("explain", "say what a policy decides about one request, and why"),
    Command("graph", "draw what a policy decides, forbids and lets be reached"),
    Command("rule", "print what a code of a finding means, and the cure"),
    Command("features", "list what a policy can know about a request"),
    Command("init", "write a policy and a deployment file to start from"),
    Command("egress", "list where a sidecar connects to, for a firewall"),
    Command("serve", "route requests by a policy"),
    Command("demo", "show a sidecar at work with stand-ins for the models"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Never raises, but for a second Ctrl-C."""
    arguments = tuple(sys.argv[1:] if argv is None else argv)
    _tolerant(sys.stdout)
    _tolerant(sys.stderr)
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()
        return 141
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return 130
    except Exception as error:  # the last place, where a mistake of ours becomes an exit code
        return _internal(error)
    return code


def _run(arguments: tuple[str, ...]) -> int:
    try:
        parsed = _parsed(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    return int(parsed.run(parsed))


def _parsed(arguments: tuple[str, ...]) -> argparse.Namespace:
    """The command word first, and then what comes behind it by the command's own parser, flags and paths in any order.
    Raises SystemExit where it is said what is wrong."""
    at = next((i for i, word in enumerate(arguments) if not word.startswith("-")), len(arguments))
    _parser().parse_args(arguments[: at + 1])
    command = next(c for c in COMMANDS if c.word == arguments[at])
    module = command.load()
    parser = _CommandParser(
        prog=f"policyd {command.word}",
        description=f"{command.summary[0].upper()}{command.summary[1:]}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.configure(parser)
    parser.set_defaults(run=module.run)
    return _intermixed(parser, arguments[at + 1 :])


def _intermixed(parser: argparse.ArgumentParser, words: tuple[str, ...]) -> argparse.Namespace:
    """argparse forgets `--` where flags may stand anywhere. Words behind it that look like flags take the plain reading,
    in which flags come before or behind all paths."""
    at = words.index("--") if "--" in words else len(words)
    behind = words[at + 1 :]
    if any(word.startswith("-") and word != "-" for word in behind):
        return parser.parse_args(words)
    return parser.parse_intermixed_args((*words[:at], *behind))


class _Parser(argparse.ArgumentParser):
    """argparse, with a near name for a word that is no command."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: {message}\n{_near_command(message)}")


class _CommandParser(argparse.ArgumentParser):
    """argparse, with the way to the whole help."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: {message}\n`{self.prog} --help` says more\n")


def _parser() -> argparse.ArgumentParser:
    """What stands before a command, and which commands there are."""
    parser = _Parser(
        prog="policyd",
        description="The firewall for LLM traffic whose policy can be proved.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"policyd {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, title="commands")
    for command in COMMANDS:
        commands.add_parser(command.word, help=command.summary)
    return parser


def _near_command(message: str) -> str:
    if "invalid choice: '" not in message:
        return ""
    from difflib import get_close_matches  # noqa: PLC0415  only a mistyped command pays for it

    word = message.split("invalid choice: '", 1)[1].split("'", 1)[0]
    near = get_close_matches(word, [c.word for c in COMMANDS], n=1)
    return f"did you mean `policyd {near[0]}`?\n" if near else ""


def _internal(error: Exception) -> int:
    if os.environ.get("POLICYD_TRACEBACK") == "1":
        import traceback  # noqa: PLC0415  only a mistake of ours pays for it

        traceback.print_exception(error)
    first = (str(error).splitlines() or [""])[0][:200]
    sys.stderr.write(
        f"policyd: internal error: {type(error).__name__}{': ' if first else ''}{ascii(first)[1:-1]}\n"
        "This is a mistake in policyd, not in your files. Please report it with the command, the files it read and\n"
        f"`policyd --version` (policyd {__version__}); POLICYD_TRACEBACK=1 adds where it happened.\n"
    )
    return 70


def _tolerant(stream: TextIO) -> None:
    """A terminal that cannot show a character gets its escape, not an error."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def _silence() -> None:
    """Nobody reads any more: later writes, the interpreter's own at exit among them, go nowhere."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
