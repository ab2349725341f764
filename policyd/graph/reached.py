"""Each target's reach as a table: which requests can get there, proved, and by which routes."""

from collections.abc import Sequence
from itertools import groupby

from policyd.graph.chips import label, target_chip
from policyd.graph.model import Candidate, Drawing, TargetReach
from policyd.graph.rows import WIDE
from policyd.graph.scene import SIGN, Box, Sign, SignKind, flow, one_line, stack
from policyd.graph.table import Column, Group, mark_cell, table, words_cell

__all__ = ["PLACES", "reach_box"]

PLACES = {"on_prem": "on premises", "cloud": "cloud"}
"""Locations as a person says them."""
_LEFT_OUT = frozenset({"speaks", "translates", "supports", "context", "max_output"})
"""What a target can do stands with the guards."""
_MOST_FACTS = 6
_VIA = 260
_WIDEST = WIDE + 20


def reach_box(drawing: Drawing) -> Box:
    """A row for each target, grouped by location; further tables where one would be too wide."""
    tables: list[Box] = []
    together: list[int] = []
    last = _table(drawing, (), first=True)
    for number in range(len(drawing.dimensions)):
        wider = _table(drawing, (*together, number), first=not tables)
        if together and wider.width > _WIDEST:
            tables.append(last)
            together = [number]
            last = _table(drawing, together, first=False)
        else:
            together.append(number)
            last = wider
    tables.append(last)
    if drawing.more_targets:
        more = f"… and {drawing.more_targets:,} more targets, which the picture does not ask about"
        tables.append(label(more, WIDE))
    return stack(tables, gap=12)


def _table(drawing: Drawing, dimensions: Sequence[int], *, first: bool) -> Box:
    """The targets by these dimensions; the first table has their facts and routes, too."""
    names = _fact_names(drawing) if first else ()
    columns = [Column("target"), *(Column(n.replace("_", " "), "facts") for n in names)]
    if first:
        columns.append(Column("at all", "reached", True))
    for number in dimensions:
        dimension = drawing.dimensions[number]
        columns += [Column(value, dimension.name, True) for value in dimension.values]
    if first:
        columns.append(Column("by route"))
    groups = [
        Group(
            _place(place, len(found)),
            tuple(_row(drawing, t, names, dimensions, first=first) for t in found),
        )
        for place, found in ((p, list(f)) for p, f in groupby(drawing.targets, key=lambda t: t.location))
    ]
    return table(columns, groups, least=WIDE)


def _fact_names(drawing: Drawing) -> tuple[str, ...]:
    names = dict.fromkeys(name for t in drawing.targets for name, _ in t.facts)
    return tuple(n for n in names if n not in _LEFT_OUT)[:_MOST_FACTS]


def _place(place: str, count: int) -> Box:
    kind: SignKind = "on-prem" if place == "on_prem" else "cloud"
    name = one_line(PLACES.get(place, place), "chip", SIGN + 8, 9)
    said = one_line(
        f"{count} target{'s' if count != 1 else ''}", "small", name.x + name.width + 10, 9, look="muted"
    )
    return Box(said.x + said.width, 18, texts=(name, said), signs=(Sign(0, 2, kind),))


def _row(
    drawing: Drawing, target: TargetReach, names: tuple[str, ...], dimensions: Sequence[int], *, first: bool
) -> tuple[Box, ...]:
    facts = dict(target.facts)
    chip = target_chip(Candidate(target.name, target.location, target.mark), 220)
    cells = [
        chip,
        *(words_cell(facts.get(n, "–"), look="" if n in facts else "muted", room=120) for n in names),
    ]
    if first:
        cells.append(mark_cell(target.mark, f"{target.name}: any request: {target.mark}"))
    for number in dimensions:
        dimension = drawing.dimensions[number]
        cells += [
            mark_cell(mark, f"{target.name}: {dimension.name} {value}: {mark}")
            for value, mark in zip(dimension.values, target.cells[number], strict=True)
        ]
    return (*cells, _via(target)) if first else tuple(cells)


def _via(target: TargetReach) -> Box:
    """The routes that name it; those that never send to it struck through."""
    if not target.via:
        return words_cell("no route names it", font="reason", look="muted")
    parts: list[Box] = []
    left = target.more_via
    for number, via in enumerate(target.via):
        comma = "" if number == len(target.via) - 1 and not left else ","
        doubt = " ?" if via.mark == "not proved" else ""
        look = {"yes": "", "no": "gone", "not proved": "doubt"}[via.mark]
        name = one_line(via.route + doubt + comma, "text", 0, 9, room=_VIA - 20, look=look)
        says = {
            "yes": None,
            "no": f"{via.route} never sends to {target.name} (proved)",
            "not proved": "not proved",
        }
        parts.append(Box(name.width, 18, texts=(name,), says=says[via.mark]))
    if left:
        parts.append(words_cell(f"and {left:,} more", look="muted"))
    return flow(parts, _VIA, gap=6, row_gap=2)
