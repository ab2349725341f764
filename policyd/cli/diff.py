"""`policyd diff`: what a change of policies means, for every possible request.

In come two sides, each a file, a folder or a revision of git; out go the pairs of rules that decide otherwise with a request
each, what is looser, and a verdict that an exit code carries. Both sides are loaded like any policy, compared by `compare`,
and nothing is decided here but how it is said.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

from policyd.cli.compared import Compared, Comparison
from policyd.cli.difference_json import difference_json
from policyd.cli.difference_markdown import difference_markdown
from policyd.cli.difference_text import difference_lines, verdict_line
from policyd.cli.formats import chosen_outputs, configure_formats, deliver
from policyd.cli.output import Style, say, style_for
from policyd.cli.report import report_unusable
from policyd.cli.revisions import shown_place
from policyd.cli.sides import Pair, Side, open_sides, paired
from policyd.compare.absent import nothing_for
from policyd.compare.difference import MOST_SHOWN, Difference, compare
from policyd.compare.recorded import Replay, Replayed
from policyd.policy.program import Program
from policyd.policy.variants import sends_alike
from policyd.syntax.claims import parse_predicate
from policyd.syntax.nodes import Assert
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.text.source import Source

__all__ = ["configure", "run"]

_EPILOG: Final = """\
OLD and NEW are policies, folders of them (paired by their paths), or revisions: `git:REV` is the other side's path at that
revision, `git:REV:PATH` another path. What is included is read from the revision as well; the work tree is left alone.

  looser         the guards allow a target that they did not, or a deny is lifted
  newly reached  a target that was allowed before is now in a plan
  re-routed      the same targets in another order or grouping
  tighter        targets are lost, or the request is refused now

examples:
  policyd diff git:main policies
  policyd diff old.policy new.policy --boxes
  policyd diff git:main policies --deny-new 'location == cloud' --output markdown=comment.md
  policyd diff git:main main.policy --against-log decisions.jsonl

exit codes: 0 same meaning (proved), 1 changed, or a policy that only one side has, 4 looser or --deny-new,
  2 a side that cannot be read, 3 not proved
"""
_FORMATS: Final = ("text", "json", "markdown")
_LONGEST_LINE: Final = 1 << 20
"""Bytes of a line of a decision log."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is asked of each policy beside the comparison."""

    today: date
    deny_new: tuple[Assert, ...]
    most_shown: int | None
    log: str | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """Both sides, the policies that belong together, and what is asked of each."""

    old: Side
    new: Side
    pairs: tuple[Pair, ...]
    wish: _Wish


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("old", metavar="OLD", help="a policy, a folder, or git:REV[:PATH]")
    parser.add_argument("new", metavar="NEW", help="the same, as it is to be")
    parser.add_argument(
        "--deny-new",
        metavar="PREDICATE",
        action="append",
        default=[],
        help="fail where a request newly gets a target like this, such as 'location == cloud'",
    )
    parser.add_argument(
        "--against-log", metavar="FILE", help="count the requests of this decision log that change"
    )
    parser.add_argument("--boxes", action="store_true", help="say exactly where each pair lies")
    parser.add_argument(
        "--pairs",
        metavar="N",
        type=_pairs,
        default=MOST_SHOWN,
        help=f"how many pairs are shown, or `all` (default: {MOST_SHOWN}); the others are counted",
    )
    configure_formats(parser, _FORMATS)


def run(arguments: argparse.Namespace) -> int:
    outputs = chosen_outputs(arguments)
    asked = _asked(arguments)
    if isinstance(asked, _Asked):
        comparison = _comparison(arguments, asked, aloud=outputs.on_screen("text"))
    else:
        comparison = Comparison(arguments.old, arguments.new, (), asked)
        report_unusable(asked)
    if comparison.policies and outputs.on_screen("text"):
        say(verdict_line(comparison, style_for(sys.stdout)))
    writers = {
        "json": lambda: difference_json(comparison, boxes=arguments.boxes),
        "markdown": lambda: difference_markdown(comparison, boxes=arguments.boxes),
        "text": lambda: "".join(f"{line}\n" for line in _plain(comparison, boxes=arguments.boxes)),
    }
    return deliver(outputs, writers) or comparison.exit_code


def _asked(arguments: argparse.Namespace) -> _Asked | tuple[Diagnostic, ...]:
    """What is to be compared and how, or everything that keeps it from being compared."""
    denied = _predicates(arguments.deny_new)
    sides = open_sides(arguments.old, arguments.new)
    problems = tuple(d for d in (*denied, *sides) if isinstance(d, Diagnostic))
    old, new = sides if len(sides) == 2 else (None, None)
    if problems or not isinstance(old, Side) or not isinstance(new, Side):
        return problems
    today = date.today()
    pairs = paired(old, new, today=today)
    if arguments.against_log is not None and len(pairs) != 1:
        return (_several(len(pairs)),)
    claims = tuple(d for d in denied if isinstance(d, Assert))
    wish = _Wish(today, claims, arguments.pairs, arguments.against_log)
    return _Asked(old, new, pairs, wish)


def _comparison(arguments: argparse.Namespace, asked: _Asked, *, aloud: bool) -> Comparison:
    """Every policy compared, each told as soon as it is."""
    compared: list[Compared] = []
    style = style_for(sys.stdout)
    for pair in asked.pairs:
        found = _compared(pair, asked.old, asked.new, asked.wish)
        if not isinstance(found, Compared):
            report_unusable(found)
            found = Compared(
                pair.name, _shown(pair.old), _shown(pair.new), None, problems=found, called=pair.called
            )
        compared.append(found)
        if aloud:
            for line in (*difference_lines(found, style, boxes=arguments.boxes), ""):
                say(line)
    return Comparison(asked.old.shown, asked.new.shown, tuple(compared))


def _plain(comparison: Comparison, *, boxes: bool) -> Iterator[str]:
    style = Style(colour=False)
    for found in comparison.policies:
        yield from difference_lines(found, style, boxes=boxes)
        yield ""
    yield verdict_line(comparison, style)


def _compared(pair: Pair, old: Side, new: Side, wish: _Wish) -> Compared | tuple[Diagnostic, ...]:
    """One policy compared, or what keeps it from being compared."""
    before = _load(old, pair.old, wish, aloud=False) if pair.old is not None else None
    after = _load(new, pair.new, wish, aloud=True) if pair.new is not None else None
    if isinstance(before, tuple) or isinstance(after, tuple):
        wrong = (d for found in (before, after) if isinstance(found, tuple) for d in found)
        return tuple(dict.fromkeys(wrong))
    plain = Compared(pair.name, _shown(pair.old), _shown(pair.new), None, called=pair.called)
    if before is None or after is None:
        if after is None or not wish.deny_new:
            return plain
        denied = frozenset().union(*after.denied.values())
        found = compare(nothing_for(after.program), after.program, deny_new=denied, most_shown=0)
        return replace(plain, denied=found.denied) if isinstance(found, Difference) else found
    difference = compare(
        before.program,
        after.program,
        deny_new=frozenset().union(*before.denied.values(), *after.denied.values()),
        turned=frozenset().union(*(_turned(before.denied[text], now) for text, now in after.denied.items())),
        most_shown=wish.most_shown,
    )
    if not isinstance(difference, Difference):
        return difference
    compared = replace(plain, difference=difference, denied=difference.denied)
    if wish.log is None:
        return compared
    replayed = _replayed(difference, wish.log)
    return replace(compared, log=replayed) if isinstance(replayed, Replayed) else (replayed,)


def _turned(before: frozenset[str], now: frozenset[str]) -> frozenset[str]:
    """The targets that became such; one with other answers is the same."""
    return frozenset(t for t in now if not any(sends_alike(t, other) for other in before))


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A program, and for each predicate its targets that are not to be newly reached."""

    program: Program
    denied: Mapping[str, frozenset[str]]


def _load(side: Side, path: Path, wish: _Wish, *, aloud: bool) -> _Loaded | tuple[Diagnostic, ...]:
    """The policy of one side. `aloud`: what is odd about a predicate is said, which it is of one side."""
    loaded = side.load(path, today=wish.today)
    if loaded.meant is None:
        return tuple(d for d in loaded.diagnostics if d.severity is Severity.ERROR)
    if not wish.deny_new:
        return _Loaded(loaded.meant, {})
    asked = side.load(path, today=wish.today, claims=wish.deny_new)
    if asked.asked is None:
        return tuple(d for d in asked.diagnostics if d.severity is Severity.ERROR)
    known = {claim.span.source.name for claim in wish.deny_new}
    report_unusable(
        d for d in asked.diagnostics if d.span is not None and d.span.source.name in known and aloud
    )
    return _Loaded(loaded.meant, {a.name: a.targets for a in asked.asked.assertions})


def _predicates(texts: Sequence[str]) -> tuple[Assert | Diagnostic, ...]:
    """Each predicate as the claim that no target like it is ever a candidate."""
    out: list[Assert | Diagnostic] = []
    for number, text in enumerate(dict.fromkeys(texts), 1):
        name = "--deny-new" if len(texts) == 1 else f"--deny-new, number {number}"
        read = parse_predicate(Source(name, text))
        out.extend(read.diagnostics)
        for claim in read.assertions:
            plain = claim.predicate is not None and claim.when is None
            out.append(claim if plain else _no_predicate(claim))
    return tuple(out)


def _replayed(difference: Difference, path: str) -> Replayed | Diagnostic:
    """The log's lines, one at a time, however many there are."""
    replay = Replay(difference.together)
    try:
        with open(path, "rb") as file:
            number = 0
            while line := file.readline(_LONGEST_LINE + 1):
                number += 1
                if len(line) <= _LONGEST_LINE or line.endswith(b"\n"):
                    replay.take(number, line)
                    continue
                replay.refuse(number, f"it is longer than {_LONGEST_LINE >> 20} MiB")
                while line and not line.endswith(b"\n"):
                    line = file.readline(_LONGEST_LINE)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its name is not possible"
        return Diagnostic("PD001", Severity.ERROR, f"cannot read `{path}`: {why.lower()}", None)
    found = replay.result
    report_unusable(
        Diagnostic(
            "PD024", Severity.WARNING, f"line {wrong.line} of `{path}` did not count: {wrong.why}", None
        )
        for wrong in found.wrong
    )
    return found


def _shown(path: Path | None) -> str | None:
    return None if path is None else shown_place(str(path))


def _pairs(text: str) -> int | None:
    if text == "all":
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    raise argparse.ArgumentTypeError(f"`{text}` is not a number, and not `all`")


def _no_predicate(claim: Assert) -> Diagnostic:
    return Diagnostic(
        "PD025",
        Severity.ERROR,
        "this says when, and `--deny-new` asks about every request",
        claim.span,
        "write what targets are like, such as `location == cloud`",
    )


def _several(count: int) -> Diagnostic:
    return Diagnostic(
        "PD023",
        Severity.ERROR,
        f"a decision log is of one policy, and {count} are compared",
        None,
        "compare the policy that the sidecar serves: name its file on both sides",
    )
