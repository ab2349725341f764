"""A comparison as a person reads it in a terminal.

In comes what changed; out come lines, the worst first, and one line of verdict at the end. Everything an author wrote is
escaped for the terminal.
"""

from collections.abc import Iterator, Sequence

from policyd.cli.compared import Compared, Comparison, called_before, problem_text, why_not
from policyd.cli.output import Style
from policyd.cli.revisions import shown_place
from policyd.compare.boxes import box_text, merged_boxes
from policyd.compare.declared import Declared, DeclaredKind
from policyd.compare.difference import Difference, PairItem, Verdict
from policyd.compare.regions import places
from policyd.compare.telling import (
    count_text,
    decision_text,
    denied_text,
    log_lines,
    many,
    opened_text,
    pair_title,
    recorded_of,
    request_note,
    request_text,
    summary,
    unfinished_text,
)
from policyd.compare.wording import region_lines, when_text
from policyd.proofs.changes import Shown
from policyd.proofs.kinds import Kind
from policyd.text.printable import printable
from policyd.text.source import Span

__all__ = ["difference_lines", "verdict_line"]

_MARGIN = "    "
_MOST_BOXES = 40
_MOST_WORDING = 12


def difference_lines(compared: Compared, style: Style, *, boxes: bool) -> Iterator[str]:
    """One policy's changes. `boxes` adds where exactly each pair lies."""
    head = f"{printable(compared.name)}: {_coloured(compared.verdict, style)}"
    difference = compared.difference
    if difference is None:
        why = problem_text(compared.problems) if compared.problems else why_not(compared)
        yield f"{head}: {printable(why)}"
    else:
        said = summary(difference)
        yield f"{head}{f': {said}' if said else ''}"
    called = called_before(compared)
    if called is not None:
        yield f"  {printable(called)}"
    for denied in compared.denied:
        yield ""
        yield f"  {style.red('denied')} {printable(denied_text(denied.newly))}"
        if denied.shown is not None:
            yield from _request(compared, denied.shown)
    if difference is not None:
        yield from _body(compared, difference, style, boxes=boxes)
    if compared.log is not None:
        yield ""
        first, *rest = log_lines(compared.log)
        yield f"  {style.bold('log')} {printable(first)}"
        yield from (f"{_MARGIN}{printable(line)}" for line in rest)


def verdict_line(comparison: Comparison, style: Style) -> str:
    """The last line."""
    compared, verdict = comparison.policies, comparison.verdict
    text = printable(comparison.sentence)
    if len(compared) < 2:
        return _painted(verdict, text, style)
    counts = [(v, sum(c.verdict is v for c in compared)) for v in Verdict]
    said = ", ".join(f"{number} {v}" for v, number in counts if number)
    return _painted(verdict, f"{text} ({many(len(compared), 'policy', 'policies')}: {said})", style)


def _body(compared: Compared, difference: Difference, style: Style, *, boxes: bool) -> Iterator[str]:
    judged = [d for d in difference.declared if d.kind is DeclaredKind.JUDGED]
    if judged:
        yield ""
    for change in judged:
        yield f"  {style.red(change.kind)} {printable(change.text)}{_places(change.old, change.new)}"
    for item in (i for i in difference.pairs if i.change.kind is Kind.LOOSER):
        yield from _pair(compared, difference, item, style, boxes=boxes)
    for opened in difference.opened:
        yield ""
        yield f"  {style.red('looser')} {printable(opened_text(opened))}{_place(opened.first.span)}"
        yield f"{_MARGIN}request  {printable(request_text(difference.together, opened.shown))}"
        note = request_note(difference.together, opened.shown)
        if note is not None:
            yield f"{_MARGIN}         {printable(note)}"
    if difference.more_opened:
        yield f"  {many(difference.more_opened, 'more guard or deny', 'more guards and denies')} of the old policy let requests through now"
    for item in (i for i in difference.pairs if i.change.kind is not Kind.LOOSER):
        yield from _pair(compared, difference, item, style, boxes=boxes)
    if difference.more:
        parts = [f"{n:,} {kind.words}" for kind, n in sorted(difference.more.items(), reverse=True)]
        yield ""
        yield f"  {many(sum(difference.more.values()), 'more pair')}: {', '.join(parts)} (`--pairs all` shows them)"
    for rule in difference.unfinished:
        yield ""
        yield f"  {style.red('not proved')} {printable(unfinished_text(rule))}{_place(rule.span)}"
    yield from _declared([d for d in difference.declared if d not in judged], style)


def _pair(
    compared: Compared, difference: Difference, item: PairItem, style: Style, *, boxes: bool
) -> Iterator[str]:
    change, together = item.change, difference.together
    paint = style.red if change.kind is Kind.LOOSER else style.bold
    yield ""
    yield f"  {paint(change.kind.words)} {printable(pair_title(change.before, change.after))}{_places(change.before.span, change.after.span)}"
    when = when_text(together, change.before, change.after)
    yield f"{_MARGIN}{printable('when ' + when if when else 'for any request')}"
    for line in region_lines(together, item.region):
        yield f"{_MARGIN}  {printable(line)}"
    yield f"{_MARGIN}{_counts(item)}"
    if compared.log is not None:
        for kind, number, line_number in recorded_of(item, compared.log):
            yield f"{_MARGIN}{many(number, 'recorded request')} {kind.words}, the first in line {line_number:,}"
    for kind, shown in item.shown:
        yield from _request(compared, shown, "" if len(item.shown) == 1 else f" ({kind.words})")
    if boxes:
        yield from _boxes(difference, item)


def _counts(item: PairItem) -> str:
    counts = item.region.counts
    if len(counts) == 1:
        return count_text(item.region.count)
    parts = [
        f"{c.number if c.exact else f'at least {c.number:,}'} {kind.words}" for kind, c in counts.items()
    ]
    return f"{count_text(item.region.count)}: {', '.join(parts)}"


def _request(compared: Compared, shown: Shown, more: str = "") -> Iterator[str]:
    difference = compared.difference
    asked = None if difference is None else difference.together
    yield f"{_MARGIN}request  {printable(request_text(asked, shown))}{more}"
    note = request_note(asked, shown)
    if note is not None:
        yield f"{_MARGIN}         {printable(note)}"
    if difference is None:
        return
    together = difference.together
    before = decision_text(together.old.program, shown.request, shown.before)
    after = decision_text(together.new.program, shown.request, shown.after)
    yield f"{_MARGIN}before   {printable(before)}"
    yield f"{_MARGIN}now      {printable(after)}"


def _boxes(difference: Difference, item: PairItem) -> Iterator[str]:
    matrix = difference.together.matrix
    listed = places(difference.together, item.change.before, item.change.after)
    for kind, found in listed.boxes.items():
        merged = merged_boxes(matrix, found)
        for box in merged[:_MOST_BOXES]:
            yield f"{_MARGIN}{kind.words} where {printable(box_text(matrix, box))}"
        if len(merged) > _MOST_BOXES:
            yield f"{_MARGIN}{len(merged) - _MOST_BOXES:,} more boxes"
    if not listed.whole:
        yield f"{_MARGIN}these boxes are a part of the region: all of it would take too long"


def _declared(declared: Sequence[Declared], style: Style) -> Iterator[str]:
    if not declared:
        return
    yield ""
    yield f"  {style.bold('declarations')}"
    wording = [d for d in declared if d.kind is DeclaredKind.WORDING]
    for change in sorted((d for d in declared if d.kind is not DeclaredKind.WORDING), key=_rank):
        word = (
            style.red(change.kind)
            if change.kind in {DeclaredKind.LOOSER, DeclaredKind.NOT_PROVED}
            else str(change.kind)
        )
        yield f"{_MARGIN}{word}: {printable(change.text)}{_places(change.old, change.new)}"
    for change in wording[:_MOST_WORDING]:
        yield f"{_MARGIN}{printable(change.text)}{_places(change.old, change.new)}"
    if len(wording) > _MOST_WORDING:
        yield f"{_MARGIN}{len(wording) - _MOST_WORDING:,} more changes of names and words"


def _rank(declared: Declared) -> int:
    return list(DeclaredKind).index(declared.kind)


def _place(span: Span | None) -> str:
    return "" if span is None else f"  ({printable(shown_place(span.place))})"


def _places(old: Span | None, new: Span | None) -> str:
    """Both places, once where they read the same."""
    places = list(dict.fromkeys(printable(shown_place(s.place)) for s in (old, new) if s is not None))
    return f"  ({' -> '.join(places)})" if places else ""


def _coloured(verdict: Verdict, style: Style) -> str:
    return _painted(verdict, str(verdict), style)


def _painted(verdict: Verdict, text: str, style: Style) -> str:
    match verdict:
        case Verdict.SAME:
            return style.green(text)
        case Verdict.CHANGED:
            return style.yellow(text)
        case Verdict.LOOSER | Verdict.DENIED | Verdict.NOT_COMPARED | Verdict.NOT_PROVED:
            return style.red(text)
