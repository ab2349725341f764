"""The parts of statements to lines: aligned where they fit, wrapped where they do not, comments in their places.

In come statements and what surrounds each of them; out go the lines of the canonical text. Neighbours of one family
that fit on a line stand in columns; a statement that does not fit has its clauses on lines of their own. The layout
depends on the tree, the comments and the blank lines alone, so formatting twice is formatting once.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

from policyd.syntax import nodes as n
from policyd.syntax.columns import WIDEST, aligned, one_line
from policyd.syntax.comments import Remark, Setting, settings_of
from policyd.syntax.lexing import Comment
from policyd.syntax.writing import Block, Item, Part, block_of, parts_of
from policyd.text.printable import width
from policyd.text.source import Source

__all__ = ["lines_of"]

_STEP = " " * 4
_DEEP = " " * 8
_FAMILIES = {n.Budget: "spending", n.Limit: "spending", n.Deny: "spending"}


def lines_of(
    statements: Sequence[n.Statement],
    settings: Sequence[Setting],
    source: Source | None,
    comments: Sequence[Comment],
) -> list[str]:
    """The lines of a file. Without a source there are no comments, and a blank line stands between families."""
    lines: list[str] = []
    rows = [_Row(s, setting, source, comments) for s, setting in zip(statements, settings, strict=False)]
    for _, run in groupby(_numbered(rows), key=lambda pair: pair[0]):
        members = [row for _, row in run]
        table = aligned([row.statement for row in members]) if all(row.short for row in members) else None
        for index, row in enumerate(members):
            _remark(lines, row.setting.before)
            if row.setting.gap:
                _gap(lines)
            lines.extend(comment.text for comment in row.hoisted)
            written = row.long() if table is None else [table[index]]
            if row.setting.after is not None:
                written[-1] += f"  {row.setting.after}"
            lines.extend(written)
    _remark(lines, settings[-1].before)
    return lines


class _Row:
    """One statement with what surrounds it."""

    __slots__ = (
        "block",
        "comments",
        "family",
        "hoisted",
        "parts",
        "region",
        "setting",
        "short",
        "source",
        "statement",
    )

    def __init__(
        self, statement: n.Statement, setting: Setting, source: Source | None, comments: Sequence[Comment]
    ) -> None:
        self.statement = statement
        self.setting = setting
        self.source = source
        self.comments = comments
        self.parts = parts_of(statement)
        self.family = _FAMILIES.get(type(statement), type(statement).__name__)
        self.block = block_of(statement)
        self.region = (0, 0)
        self.hoisted = setting.inside
        if self.block is not None and source is not None and setting.inside:
            self.region = _region(self.block, source, setting.inside, statement)
            self.hoisted = tuple(c for c in setting.inside if not self.region[0] <= c.start < self.region[1])
        fits = width(one_line(statement)) <= WIDEST
        always = isinstance(statement, n.Classify | n.Test)
        self.short = fits and not always and len(self.hoisted) == len(setting.inside)

    def long(self) -> list[str]:
        if isinstance(self.statement, n.Test):
            return self._test()
        if self.block is not None:
            return self._block(self.block)
        if isinstance(self.statement, n.Let):
            word, name, condition = self.parts
            first, *others = condition.pieces
            return [f"{word.text} {name.text} {first}", *(_STEP + piece for piece in others)]
        long_heads = n.Guard | n.Assert | n.Except | n.Suppress
        return _wrapped(self.parts, 3 if isinstance(self.statement, long_heads) else 2)

    def _test(self) -> list[str]:
        head, name, given, expect = self.parts
        assert self.block is not None, "INVARIANT: a test has a block of what is given"
        inside = len(self.hoisted) != len(self.setting.inside)
        one_line = not inside and width(given.text) + len(_STEP) <= WIDEST
        middle = [given.text] if one_line else self._block(self.block)
        return [f"{head.text} {name.text}", *(_STEP + line for line in middle), *_clause(expect, _STEP)]

    def _block(self, block: Block) -> list[str]:
        spans = [item.node.span for item in block.items]
        if self.source is None or not self.setting.inside or not (spans or self.region[1]):
            settings = [Setting() for _ in range(len(spans) + 1)]
        else:
            settings = settings_of(self.source, spans, self.comments, *self.region)
        plain = all(s == Setting(gap=s.gap) for s in settings)
        if plain and block.mark:
            return [block.head, *_filled(_marked(block)), block.tail]
        lines = [block.head]
        texts = _entries(block, settings)
        for setting, written in zip(settings, texts, strict=False):
            _remark(lines, setting.before, _STEP)
            if setting.gap and len(lines) > 1:
                _gap(lines)
            lines.extend(_STEP + comment.text for comment in setting.inside)
            if setting.after is not None:
                written[-1] += f"  {setting.after}"
            lines.extend(written)
        _remark(lines, settings[-1].before, _STEP)
        return [*lines, block.tail]


def _numbered(rows: Sequence[_Row]) -> Iterable[tuple[int, _Row]]:
    """Each row with the number of its run: neighbours of one family with nothing between them. A statement that does
    not fit on a line is a run of its own, but guards and targets that stand together are written alike."""
    run = 0
    before: _Row | None = None
    for row in rows:
        if before is not None:
            apart = row.setting.before or row.setting.gap or row.hoisted or row.family != before.family
            alike = isinstance(row.statement, n.Guard | n.Target)
            run += bool(apart or (not alike and not (row.short and before.short)))
        yield run, row
        before = row


def _wrapped(parts: Sequence[Part], head: int) -> list[str]:
    """The first clauses on the first line, each other on a line of its own."""
    first = " ".join(part.text for part in parts[:head])
    if width(first) > WIDEST:
        head -= 1
        first = " ".join(part.text for part in parts[:head])
    return [first, *(line for part in parts[head:] for line in _clause(part, _STEP))]


def _clause(part: Part, indent: str) -> list[str]:
    if width(part.text) + len(indent) <= WIDEST or len(part.pieces) == 1:
        return [indent + part.text]
    first, *others = part.pieces
    return [indent + first, *(indent + _STEP + piece for piece in others)]


def _marked(block: Block) -> list[str]:
    texts = [" ".join(part.text for part in item.parts) for item in block.items]
    marks = [block.mark] * (len(texts) - 1) + [block.mark if block.closing else ""]
    return [text + mark for text, mark in zip(texts, marks, strict=False)]


def _filled(texts: Iterable[str]) -> list[str]:
    """As many entries on each line as fit."""
    lines: list[str] = []
    for text in texts:
        if lines and width(lines[-1]) + 1 + width(text) <= WIDEST - len(_STEP):
            lines[-1] += f" {text}"
        else:
            lines.append(_STEP + text)
    return lines


def _entries(block: Block, settings: Sequence[Setting]) -> list[list[str]]:
    """The lines of each entry, the clauses of neighbouring entries in columns."""
    if block.mark:
        return [[_STEP + text] for text in _marked(block)]
    texts: list[list[str]] = []
    run: list[Item] = []
    for item, setting in zip(block.items, settings, strict=False):
        if run and (setting.before or setting.gap or setting.inside):
            texts += _columns(run)
            run = []
        run.append(item)
    return texts + _columns(run)


def _columns(items: Sequence[Item]) -> list[list[str]]:
    wide = max((width(item.parts[0].text) for item in items if len(item.parts) > 1), default=0)
    return [_entry(item.parts, wide) for item in items]


def _entry(parts: Sequence[Part], wide: int) -> list[str]:
    head = parts[0].text
    if len(parts) == 1:
        return [_STEP + head]
    line = f"{_STEP}{head}{' ' * (wide - width(head))}  {parts[1].text}"
    if width(line) <= WIDEST:
        return [line]
    return [_STEP + head, *_clause(parts[1], _DEEP)]


def _remark(lines: list[str], remarks: Iterable[Remark], indent: str = "") -> None:
    for remark in remarks:
        if remark.gap and not (indent and len(lines) == 1):
            _gap(lines)
        lines.append(indent + remark.text)


def _gap(lines: list[str]) -> None:
    if lines and lines[-1]:
        lines.append("")


def _region(
    block: Block, source: Source, inside: Sequence[Comment], statement: n.Statement
) -> tuple[int, int]:
    """From after the block's opening brace to its closing one."""
    skipped = {offset for comment in inside for offset in range(comment.start, comment.end)}
    start, end = statement.span.start, statement.span.end
    if isinstance(statement, n.Test):
        start, end = statement.name.span.end, statement.expect.span.start

    def bare(offset: int, mark: str) -> bool:
        return offset not in skipped and source.text[offset] == mark

    opening = next(offset for offset in range(start, end) if bare(offset, "{"))
    closing_from = block.items[-1].node.span.end if block.items else opening
    closing = next(offset for offset in range(closing_from, end) if bare(offset, "}"))
    return opening + 1, closing
