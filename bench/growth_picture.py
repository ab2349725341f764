"""The measurements of `growth` as a picture: a column for what grows, time above, memory below.

In: the kept numbers. Out: an SVG that reads on light and on dark ground. Times share one logarithmic scale and memory one
linear scale, so that columns can be compared. It measures nothing.
"""

from collections.abc import Mapping, Sequence
from html import escape
from math import log
from typing import Any

__all__ = ["picture"]

_WIDE, _HIGH, _GAP = 190, 150, 34
_LEFT, _TOP = 64, 54
_STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 13px; font-weight: 600 }
  .quiet { fill: #57606a }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .proofs { stroke: #0969da; fill: #0969da }
  .matrix { stroke: #9a6700; fill: #9a6700 }
  .memory { stroke: #1a7f37; fill: #1a7f37 }
  polyline { fill: none !important; stroke-width: 2; stroke-linejoin: round }
  circle, text.proofs, text.matrix, text.memory { stroke: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .quiet { fill: #9198a1 } .grid { stroke: #3d444d }
    .proofs { stroke: #4493f8; fill: #4493f8 } .matrix { stroke: #d29922; fill: #d29922 }
    .memory { stroke: #3fb950; fill: #3fb950 }
  }
"""

Rows = Sequence[Mapping[str, float]]


def picture(kept: Mapping[str, Any], names: Sequence[str]) -> str:
    """One column for each of the names."""
    width = _LEFT + len(names) * (_WIDE + _GAP)
    height = _TOP + 2 * (_HIGH + _GAP) + 18
    most = max(row["megabytes"] for name in names for row in kept[name])
    most = 50 * (int(most / 50) + 1)
    slowest = max(row["proofs"] for name in names for row in kept[name])
    ticks = [t for t in (0.001, 0.01, 0.1, 1.0, 10.0, 100.0) if t / 10 < slowest]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="t">',
        '<title id="t">Time and memory of all proofs against rules, features, targets and includes</title>',
        f"<style>{_STYLE}</style>",
        _legend(),
    ]
    for number, name in enumerate(names):
        left = _LEFT + number * (_WIDE + _GAP)
        parts += _column(kept[name], name, left, ticks, most, first=number == 0)
    return "\n".join([*parts, "</svg>", ""])


def _legend() -> str:
    items = (
        ("proofs", "all proofs, seconds"),
        ("matrix", "building the matrix, seconds"),
        ("memory", "most memory, MB"),
    )
    out = []
    for number, (kind, text) in enumerate(items):
        x = _LEFT + number * 210
        out.append(
            f'<circle class="{kind}" cx="{x + 5}" cy="16" r="4"/><text x="{x + 15}" y="20">{text}</text>'
        )
    return "".join(out)


def _column(
    rows: Rows, name: str, left: float, ticks: Sequence[float], most: float, *, first: bool
) -> list[str]:
    low, high = log(rows[0]["size"]), log(rows[-1]["size"])
    below = _TOP + _HIGH + _GAP

    def x(size: float) -> float:
        return left + (log(size) - low) / (high - low) * _WIDE

    def seconds(value: float) -> float:
        return _TOP + _HIGH * (1 - log(max(value, ticks[0]) / ticks[0]) / log(ticks[-1] / ticks[0]))

    def megabytes(value: float) -> float:
        return below + _HIGH * (1 - value / most)

    out = [f'<text class="title" x="{left}" y="{_TOP - 12}">{escape(name)}</text>']
    for tick in ticks:
        out += _line(left, seconds(tick), f"{tick:g}" if first else "")
    for step in range(3):
        out += _line(left, megabytes(most * step / 2), f"{most * step / 2:g}" if first else "")
    shown = {row["size"] for row in rows[:: 2 if len(rows) > 6 else 1]} | {rows[-1]["size"]}
    for size in sorted(shown):
        anchor = "start" if size == rows[0]["size"] else "end" if size == rows[-1]["size"] else "middle"
        at = below + _HIGH + 18
        out.append(
            f'<text class="quiet" x="{x(size):.1f}" y="{at}" text-anchor="{anchor}">{_short(size)}</text>'
        )
    out += _curve("matrix", [(x(r["size"]), seconds(r["matrix"])) for r in rows], f"{rows[-1]['matrix']:.2g}")
    out += _curve("proofs", [(x(r["size"]), seconds(r["proofs"])) for r in rows], f"{rows[-1]['proofs']:.2g}")
    out += _curve(
        "memory", [(x(r["size"]), megabytes(r["megabytes"])) for r in rows], f"{rows[-1]['megabytes']:.0f}"
    )
    return out


def _line(left: float, y: float, label: str) -> list[str]:
    out = [f'<line class="grid" x1="{left}" x2="{left + _WIDE}" y1="{y:.1f}" y2="{y:.1f}"/>']
    if label:
        out.append(f'<text class="quiet" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    return out


def _curve(kind: str, points: Sequence[tuple[float, float]], last: str) -> list[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    out = [f'<polyline class="{kind}" points="{path}"/>']
    out += [f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in points]
    x, y = points[-1]
    out.append(f'<text class="{kind}" x="{x:.1f}" y="{y - 7:.1f}" text-anchor="end">{last}</text>')
    return out


def _short(size: float) -> str:
    return f"{size / 1000:g}k" if size >= 1_000 else f"{size:g}"
