"""Tables of tests: a CSV file, a row a test.

In comes the file's text; out come rows that read like `test` blocks, each value with its cell's place. A cell holds
what would stand in the block, parsed by the language's own parser, so a table and a block cannot differ; only strings
need no quotes, which CSV would double. Columns are what `given` takes (`team`, `exceeded(burst)`, `header "x"`),
`expect`, and optionally `name via redact removed status`. An empty cell gives nothing.
"""

import csv
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Final
from unicodedata import normalize

from policyd.resolve.report import NO_FILE, Report, near, shown
from policyd.syntax import nodes
from policyd.syntax.parse import parse
from policyd.text.diagnostic import has_errors
from policyd.text.source import Source, Span

__all__ = ["Row", "read_table"]

_EXPECTING: Final = ("name", "expect", "via", "redact", "removed", "status")
_MOST_ROWS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Row:
    """A test in the making. A place of None means that the nodes' own places are right."""

    name: str
    name_at: Span
    given: tuple[tuple[nodes.Given, Span | None], ...]
    expect: nodes.Expect
    expect_at: Span | None


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    span: Span


def read_table(source: Source, strings: Container[str], report: Report) -> tuple[Row, ...]:
    """The rows without mistakes of form; the others are reported. `strings`: the columns whose cells are strings."""
    records = _records(source, report)
    if records is None:
        return ()
    top = Span(source, 0, 0)
    head = next(records, None)
    if head is None:
        report.add(
            "PD287", top, "the table is empty", help="a first row names columns, such as `team,expect`"
        )
        return ()
    if not _columns(head, report):
        return ()
    rows: list[Row] = []
    seen = 0
    parser = _Cells(strings, report)
    for seen, record in enumerate(records, start=1):
        if len(record) != len(head):
            where = record[-1].span if record else top
            report.add("PD286", where, f"this row has {len(record)} cells, and the table {len(head)} columns")
            continue
        row = _row(head, record, seen, parser)
        if row is not None:
            rows.append(row)
    if not seen:
        report.add("PD287", head[0].span, "the table has no rows, so it tests nothing")
    return tuple(rows)


def _columns(head: tuple[_Cell, ...], report: Report) -> bool:
    first: set[str] = set()
    ok = True
    for cell in head:
        if not cell.text:
            report.add("PD286", cell.span, "a column has no name")
            ok = False
        elif cell.text in first:
            report.add("PD286", cell.span, f"the column `{shown(cell.text)}` stands twice")
            ok = False
        first.add(cell.text)
    if "expect" not in first:
        close = near("expect", first)
        advice = "it holds what a test expects" if close is None else f"rename `{close}`"
        report.add("PD286", head[0].span, "the table has no column `expect`", help=advice)
        ok = False
    return ok


def _row(head: tuple[_Cell, ...], record: tuple[_Cell, ...], number: int, parser: "_Cells") -> Row | None:
    cells = {column.text: cell for column, cell in zip(head, record, strict=True)}
    given = [
        (parser.given(column.text, cell), cell.span)
        for column, cell in zip(head, record, strict=True)
        if column.text not in _EXPECTING and cell.text
    ]
    expect = parser.expect(cells)
    name = cells.get("name")
    title = name.text if name is not None and name.text else f"row {number}"
    found = tuple((g, span) for g, span in given if g is not None)
    if expect is None or len(found) < len(given):
        return None
    return Row(
        title, cells["expect"].span if name is None else name.span, found, expect, cells["expect"].span
    )


class _Cells:
    """Parses cells; equal cells once."""

    def __init__(self, strings: Container[str], report: Report) -> None:
        self._strings = strings
        self._report = report
        self._known: dict[str, nodes.Test | None] = {}

    def given(self, column: str, cell: _Cell) -> nodes.Given | None:
        if column in self._strings and not cell.text.startswith('"') and cell.text != "unknown":
            text = nodes.Text(normalize("NFC", cell.text), cell.span)
            return nodes.Given(nodes.Ident(column, cell.span), text, cell.span)
        test = self._test(f"{column} {cell.text}", "nobody")
        if test is not None and len(test.given) == 1:
            return test.given[0]
        self._report.add(
            "PD286",
            cell.span,
            f"`{shown(cell.text)}` is not a value that `{shown(column)}` could be given",
            help='written as in a test: search, batch, 200k, true, { "secret.aws" }',
        )
        return None

    def expect(self, cells: dict[str, _Cell]) -> nodes.Expect | None:
        def cell(name: str, before: str) -> str:
            text = cells[name].text if name in cells else ""
            return f"{before}{text}" if text else ""

        text = (
            cells["expect"].text
            + cell("via", " via ")
            + _redact(cells)
            + cell("status", " status ")
            + cell("removed", ", removed ")
        )
        test = self._test("stream", text) if cells["expect"].text else None
        if test is not None:
            return test.expect
        if not cells["expect"].text:
            self._report.add("PD286", cells["expect"].span, "this row expects nothing")
            return None
        self._report.add(
            "PD286",
            cells["expect"].span,
            f"`{shown(text)}` is not something that a test expects",
            help="such as `gpu_rack`, `gpu_rack then claude`, `rejected`, with `via`, `redact`, `removed` and `status` in their columns",
        )
        return None

    def _test(self, given: str, expect: str) -> nodes.Test | None:
        """The one test that the words make, if they make exactly one and hide nothing."""
        text = f'edition 1\ntest "cell" given {{ {given} }} expect {expect}\n'
        if text not in self._known:
            self._known[text] = None if "#" in given + expect or "\n" in given + expect else _only_test(text)
        return self._known[text]


def _redact(cells: dict[str, _Cell]) -> str:
    """The names, as between the parentheses of `with redact(…)`."""
    text = cells["redact"].text if "redact" in cells else ""
    return f" with redact({text})" if text else ""


def _only_test(text: str) -> nodes.Test | None:
    parsed = parse(Source(NO_FILE, text))
    match parsed.module.statements:
        case (nodes.Edition(), nodes.Test() as test) if not has_errors(parsed.diagnostics):
            return test
        case _:
            return None


def _records(source: Source, report: Report) -> Iterator[tuple[_Cell, ...]] | None:
    """Cells with their places, blank lines skipped, or None where the file is not CSV."""
    lines = [line + "\n" for line in source.text.split("\n")]
    reader = csv.reader(lines, strict=True)
    out: list[tuple[_Cell, ...]] = []
    start = 0
    try:
        for values in reader:
            begin = source.line_starts[start]
            record = "".join(lines[start : reader.line_num])
            start = reader.line_num
            if not any(v.strip() for v in values):
                continue
            out.append(_cells(source, begin, record, values))
            if len(out) > _MOST_ROWS:
                report.add("PD286", out[-1][0].span, f"a table has at most {_MOST_ROWS} rows")
                return None
    except csv.Error as error:
        at = source.line_starts[min(start, len(source.line_starts) - 1)]
        report.add("PD286", Span(source, at, at), f"this is not CSV: {error}")
        return None
    return iter(out)


def _cells(source: Source, begin: int, record: str, values: list[str]) -> tuple[_Cell, ...]:
    """INVARIANT: `places` splits a record where the csv module does."""
    places = _places(record)
    return tuple(
        _Cell(value.strip().removeprefix("\ufeff"), Span(source, begin + low, begin + high))
        for value, (low, high) in zip(values, places, strict=True)
    )


def _places(record: str) -> list[tuple[int, int]]:
    """Where each field of a record stands: commas outside of quotes separate."""
    out: list[tuple[int, int]] = []
    low, quoted = 0, False
    for index, ch in enumerate(record):
        if ch == '"' and (quoted or not record[low:index].strip("\ufeff")):
            quoted = not quoted
        elif ch == '"' and record[index - 1] == '"':
            quoted = True
        elif ch == "," and not quoted:
            out.append((low, index))
            low = index + 1
    out.append((low, len(record.rstrip("\r\n"))))
    return out
