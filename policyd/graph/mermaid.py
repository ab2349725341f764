"""A drawing as Mermaid text, which GitHub and many wikis draw: the same data as the SVG, without its layout.

In comes a drawing and the views; out goes one `flowchart`. Whatever is not a letter, a digit or plainly harmless is
written by its number, so no text of a policy can end a label. `too_large` says when Mermaid would refuse the text: its
limits are those that GitHub keeps.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from policyd.graph.measure import clean
from policyd.graph.model import (
    Bunch,
    Candidate,
    Choice,
    DenyStep,
    Drawing,
    GuardStep,
    LevelStep,
    Mark,
    RouteStep,
    TargetReach,
)
from policyd.graph.page import VIEWS, View
from policyd.graph.reached import PLACES

__all__ = ["MOST_EDGES", "mermaid", "too_large"]

MOST_EDGES: Final = 500
_MOST_TEXT: Final = 50_000
_LONGEST: Final = 160
_MOST_HITS: Final = 12
_PLAIN: Final = re.compile(r"[^A-Za-z0-9 _.,()=…–/-]")
_DIRECTIONS: Final[dict[View, str]] = {"decision": "TB", "guards": "LR", "reach": "LR"}
_EDGE: Final = re.compile(r"-->|-\.->|--x")

_CLASSES: Final = """\
    classDef here fill:#e8f2fc,stroke:#7fb2e0,color:#0b4f8a
    classDef away fill:#fdf0e2,stroke:#e0a566,color:#84470a
    classDef gone fill:#ffffff,stroke:#afb8c1,color:#6e7781,stroke-dasharray:4 3
    classDef rule fill:#ffffff,stroke:#8c959f,color:#1f2328
    classDef refusal fill:#f6f8fa,stroke:#57606a,color:#1f2328
    classDef level fill:#e4daf8,stroke:#a78ae0,color:#2f1c5c"""


@dataclass(slots=True)
class _Chart:
    lines: list[str] = field(default_factory=list)
    depth: int = 1

    def add(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)


def mermaid(drawing: Drawing, views: Sequence[View] = VIEWS) -> str:
    """The text, ending with a line break."""
    chart = _Chart()
    for view in views:
        if len(views) > 1:
            chart.add(f'subgraph {view} ["{view.capitalize()}"]')
            chart.depth += 1
            chart.add(f"direction {_DIRECTIONS[view]}")
        match view:
            case "decision":
                _decision(chart, drawing)
            case "guards":
                _guards(chart, drawing)
            case "reach":
                _reach(chart, drawing)
        if len(views) > 1:
            chart.depth -= 1
            chart.add("end")
    first = _DIRECTIONS[views[0]] if len(views) == 1 else "TB"
    return "\n".join((f"flowchart {first}", *chart.lines, _CLASSES)) + "\n"


def too_large(text: str) -> str | None:
    """Why Mermaid would not draw the text, or None."""
    edges = len(_EDGE.findall(text))
    if edges > MOST_EDGES:
        return f"it has {edges:,} edges, and Mermaid draws {MOST_EDGES}"
    if len(text) > _MOST_TEXT:
        return f"it has {len(text):,} characters, and Mermaid draws {_MOST_TEXT:,}"
    return None


def _label(*parts: str) -> str:
    """A quoted label, a line for each part that is not empty; never an empty one, which Mermaid refuses."""
    shown = [_escaped(part) for part in parts if part.strip()]
    return '"' + ("<br/>".join(shown) or "–") + '"'


def _escaped(text: str) -> str:
    shown = clean(text)
    if len(shown) > _LONGEST:
        shown = shown[: _LONGEST - 1] + "…"
    return _PLAIN.sub(lambda found: f"#{ord(found[0])};", shown)


# The decision: one chain of rules, each with what it leads to.


def _decision(chart: _Chart, drawing: Drawing) -> None:
    chart.add('request(["request"])')
    last, word = "request", ""
    for number, level in enumerate(drawing.levels):
        name = f"l{number}"
        chart.add(f"{name}[{_label(level.name, *_ways(level))}]:::level")
        chart.add(f"{last} --> {name}")
        last = name
    for number, deny in enumerate(drawing.denies):
        last, word = _deny(chart, f"d{number}", deny, last, word)
    if drawing.guards:
        chart.add(f"gs[{_label('guards forbid targets', _guard_names(drawing))}]:::rule")
        chart.add(f"{last} -->{word} gs")
        last, word = "gs", ""
    for number, route in enumerate(drawing.routes):
        last, word = _route(chart, f"r{number}", route, last, word)
    otherwise = drawing.otherwise
    chart.add(
        f"o([{_label(f'otherwise {otherwise.status}', otherwise.reason)}]):::{'gone' if otherwise.mark == 'no' else 'refusal'}"
    )
    chart.add(f"{last} -->{word} o")


def _ways(level: LevelStep) -> Iterator[str]:
    yield " < ".join(level.values)
    for way in level.ways:
        yield f"{'starts at' if way.starts else 'at least'} {way.value}" + (
            f" when {way.when}" if way.when else ""
        )
    if level.more:
        yield f"… and {level.more:,} more ways to a value"


def _guard_names(drawing: Drawing) -> str:
    count = sum(g.count if isinstance(g, Bunch) else 1 for g in drawing.guards)
    names = [g.name for g in drawing.guards if isinstance(g, GuardStep)][:_MOST_HITS]
    more = f" and {count - len(names):,} more" if count > len(names) else ""
    return ", ".join(names) + more


def _deny(chart: _Chart, name: str, step: DenyStep | Bunch, last: str, word: str) -> tuple[str, str]:
    if isinstance(step, Bunch):
        return _bunch(chart, name, step, last, word)
    gone = step.mark == "no"
    notes = ("never decides",) if gone else ()
    look = "gone" if gone else "rule"
    chart.add(f"{name}{{{{{_label(f'deny {step.name}', step.when or 'every request', *notes)}}}}}:::{look}")
    chart.add(f"{last} -->{word} {name}")
    chart.add(f"{name}x([{_label(str(step.status), step.because)}]):::{'gone' if gone else 'refusal'}")
    chart.add(f"{name} {'-.->' if gone else '-->'}|yes| {name}x")
    return name, "|no|"


def _route(chart: _Chart, name: str, step: RouteStep | Bunch, last: str, word: str) -> tuple[str, str]:
    if isinstance(step, Bunch):
        return _bunch(chart, name, step, last, word)
    gone = step.mark == "no"
    notes = ("never decides",) if gone else ("not proved to decide",) if step.mark != "yes" else ()
    look = "gone" if gone else "rule"
    chart.add(
        f"{name}{{{{{_label(f'route {step.name}', step.when or 'whatever is left', *notes)}}}}}:::{look}"
    )
    chart.add(f"{last} -->{word} {name}")
    places = {c.location for choice in step.choices for c in choice.members if c.mark != "no"}
    place = "here" if places == {"on_prem"} else "away" if places else "gone"
    plan = [("then " if i else "") + _choice(choice) for i, choice in enumerate(step.choices)]
    chart.add(f"{name}p[{_label(*plan)}]:::{place}")
    chart.add(f"{name} {'-.->' if gone else '-->'}|a target is left| {name}p")
    return name, "|else|"


def _choice(choice: Choice) -> str:
    members = [_member(c) for c in choice.members]
    return f"{choice.how}: {', '.join(members)}" if choice.how else ", ".join(members)


def _member(candidate: Candidate) -> str:
    share = f" {candidate.share}" if candidate.share else ""
    note = {"yes": "", "no": " (never)", "not proved": " (not proved)"}[candidate.mark]
    return candidate.target + share + note


def _bunch(chart: _Chart, name: str, bunch: Bunch, last: str, word: str) -> tuple[str, str]:
    what = {"route": "routes", "deny": "denies", "guard": "guards"}[bunch.kind]
    head = f"{bunch.of}: {bunch.count:,} {what}" if bunch.of else f"… and {bunch.count:,} more {what}"
    chart.add(f"{name}[[{_label(head, ', '.join(bunch.names) + ', …')}]]:::rule")
    chart.add(f"{last} -->{word} {name}")
    return name, "|else|"


# The guards: what each forbids.


def _guards(chart: _Chart, drawing: Drawing) -> None:
    for number, step in enumerate(drawing.guards):
        name = f"g{number}"
        if isinstance(step, Bunch):
            rest = _label(f"… and {step.count:,} more guards", ", ".join(step.names) + ", …")
            chart.add(f"{name}[[{rest}]]:::rule")
            continue
        when = f"when {step.when}" if step.when else "for every request"
        gone = step.mark == "no"
        notes = ("never applies",) if gone else ()
        look = "gone" if gone else "rule"
        chart.add(f"{name}[{_label(step.name, step.text, when, step.because, *notes)}]:::{look}")
        shown = [f"{c.target}, {_place(c.location)}" for c in step.hits[:_MOST_HITS]]
        left = len(step.hits) - len(shown)
        more = (f"… and {left:,} more targets",) if left else ()
        hits = _label(*shown, *more) if shown else _label("no target is what it speaks of")
        chart.add(f"{name}x[{hits}]:::{'gone' if gone or not shown else 'refusal'}")
        chart.add(f"{name} --x|forbids| {name}x")


def _place(location: str) -> str:
    return PLACES.get(location, location)


# Reach: from the values of each dimension to the targets that requests with them get to.


def _reach(chart: _Chart, drawing: Drawing) -> None:
    if not drawing.dimensions:
        chart.add("any([any request]):::level")
        _reached(chart, "any", [(t, t.mark) for t in drawing.targets])
    for number, dimension in enumerate(drawing.dimensions):
        for at, value in enumerate(dimension.values):
            name = f"v{number}_{at}"
            chart.add(f"{name}([{_label(f'{dimension.name} {value}')}]):::level")
            _reached(chart, name, [(t, t.cells[number][at]) for t in drawing.targets])
    never = [t.name for t in drawing.targets if t.mark == "no"]
    if never:
        chart.add(f"never[{_label('no request gets to', *_few(never))}]:::gone")
    if drawing.more_targets:
        chart.add(f"more[[{_label(f'… and {drawing.more_targets:,} more targets')}]]:::gone")


def _reached(chart: _Chart, name: str, marks: Sequence[tuple[TargetReach, Mark]]) -> None:
    """One node for what is reached in each location; a line of dots where nothing is proved."""
    if all(mark == "no" for _, mark in marks):
        chart.add(f"{name}x[{_label('no target')}]:::gone")
        chart.add(f"{name} --x {name}x")
    for at, location in enumerate(dict.fromkeys(t.location for t, _ in marks)):
        look = "here" if location == "on_prem" else "away"
        left, right = ("[", "]") if location == "on_prem" else ("([", "])")
        for mark, edge, end in (("yes", "-->", ""), ("not proved", "-.->|not proved|", "q")):
            found = [t.name for t, m in marks if t.location == location and m == mark]
            if found:
                node = f"{name}p{at}{end}"
                chart.add(f"{node}{left}{_label(_place(location), *_few(found))}{right}:::{look}")
                chart.add(f"{name} {edge} {node}")


def _few(names: Sequence[str]) -> tuple[str, ...]:
    left = len(names) - _MOST_HITS
    return (*names[:_MOST_HITS], *((f"… and {left:,} more",) if left > 0 else ()))
