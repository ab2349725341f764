"""Neighbouring one-line statements in columns.

In come the clauses of statements that stand one below the other; out goes a line for each, its clauses under those
that say the same thing, as far to the right as every line stays short enough. None comes out when a run that should
stand in whole columns or not at all does not fit. Comments and blank lines are no business of this module.
"""

from collections.abc import Sequence

from policyd.syntax import nodes as n
from policyd.syntax.writing import Part, fact_texts, parts_of
from policyd.text.printable import width

__all__ = ["WIDEST", "aligned", "one_line"]

WIDEST = 110

# The order in which a statement says its clauses; one that begins with none of these words is its body.
_SLOTS = (
    "word", "name", "body", "from", "unknown", "as", "scope", "before", "after", "by", "with", "when", "until", "owner",
    "overridable", "status", "because", "holes",
)  # fmt: skip

_Cells = dict[str, str]


def one_line(statement: n.Statement) -> str:
    """The whole statement on one line, however long."""
    return " ".join(_cells(statement, parts_of(statement)).values())


def aligned(statements: Sequence[n.Statement]) -> list[str] | None:
    """A line for each statement of a run. Guards and targets stand in whole columns or not at all."""
    rows = [_cells(statement, parts_of(statement)) for statement in statements]
    if isinstance(statements[0], n.Target):
        _pad_facts([s for s in statements if isinstance(s, n.Target)], rows)
    slots = [slot for slot in _SLOTS if any(slot in row for row in rows)]
    whole = isinstance(statements[0], n.Guard | n.Target)
    columns = 0 if len(rows) == 1 else len(slots)
    if len({isinstance(statement, n.Deny) for statement in statements}) > 1:
        columns = 2
    while True:
        wide = {slot: max(width(row.get(slot, "")) for row in rows) for slot in slots[:columns]}
        lines = [_joined(row, slots, wide) for row in rows]
        if columns == 0 or all(width(line) <= WIDEST for line in lines):
            return None if whole and any(width(line) > WIDEST for line in lines) else lines
        if whole:
            return None
        columns -= 1


def _cells(statement: n.Statement, parts: Sequence[Part]) -> _Cells:
    cells = {"word": parts[0].text, "name": parts[1].text}
    if isinstance(statement, n.Target):
        cells["body"] = "  ".join(["{", *fact_texts(statement)]).replace("  ", " ", 1) + " }"
        return cells
    for part in parts[2:]:
        word = part.text.split(" ", 1)[0]
        slot = word if word in _SLOTS[3:] else "body"
        cells[slot] = f"{cells[slot]} {part.text}" if slot in cells else part.text
    return cells


def _pad_facts(targets: Sequence[n.Target], rows: Sequence[_Cells]) -> None:
    """Targets that name the same facts in the same order have those in columns too."""
    if len(targets) < 2 or len({tuple(fact.name.text for fact in target.facts) for target in targets}) > 1:
        return
    texts = [fact_texts(target) for target in targets]
    wide = [max(map(width, column)) for column in zip(*texts, strict=True)]
    for row, facts in zip(rows, texts, strict=True):
        padded = [fact + " " * (cells - width(fact)) for fact, cells in zip(facts, wide, strict=True)]
        row["body"] = f"{{ {'  '.join(padded)} }}"


def _joined(row: _Cells, slots: Sequence[str], wide: dict[str, int]) -> str:
    """Columns padded to their width and two spaces, one after the first word; other clauses after one space."""
    text, last = "", max(slots.index(slot) for slot in row)
    for index, slot in enumerate(slots[: last + 1]):
        cell = row.get(slot, "")
        text += cell
        if index == last:
            break
        if slot in wide:
            text += " " * (wide[slot] - width(cell) + (1 if index == 0 else 2))
        elif cell:
            text += " "
    return text
