"""The style sheet of every picture, for light and dark pages.

Colours: blue is on premises, orange the cloud, violet a level. No meaning rests on a colour alone: corners, dashes, strokes
through text and signs say the same.
"""

from typing import Final

from policyd.graph.measure import FONTS

__all__ = ["STYLE"]

_SANS: Final = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
_MONO: Final = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"


def _fonts() -> str:
    out = [f"text{{font-family:{_SANS};fill:#1f2328}}"]
    for name, font in FONTS.items():
        parts = [f"font-size:{font.size:g}px"]
        if font.bold:
            parts.append("font-weight:600")
        if font.mono:
            parts.append(f"font-family:{_MONO}")
        if font.italic:
            parts.append("font-style:italic")
        if font.spacing:
            parts.append(f"letter-spacing:{font.spacing:g}px")
        out.append(f"text.{name}{{{';'.join(parts)}}}")
    return "".join(out)


_LIGHT: Final = (
    "rect.page{fill:#fff}"
    "rect.card{fill:#fff;stroke:#d0d7de}"
    "rect.card.pile{fill:#f6f8fa;stroke-width:2}"
    "rect.card.dead{fill:none;stroke-dasharray:4 4}"
    "rect.table{fill:none;stroke:#d0d7de}rect.band{fill:#eff2f5}rect.row{fill:none}rect.row.shaded{fill:#f9fafb}"
    "rect.chip{fill:#fff;stroke:#d0d7de}"
    "rect.chip.here{fill:#e8f2fc;stroke:#7fb2e0}rect.chip.away{fill:#fdf0e2;stroke:#e0a566}"
    "rect.chip.gone{fill:none;stroke:#afb8c1;stroke-dasharray:3 3}"
    "text.here{fill:#0b4f8a}text.away{fill:#84470a}"
    "text.gone,text.gone-name,text.gone-code,text.gone-label{fill:#6e7781}text.gone{text-decoration:line-through}"
    "rect.group{fill:none;stroke:#afb8c1}"
    "rect.refusal{fill:#f6f8fa;stroke:#d0d7de}text.refused{fill:#1f2328}"
    "rect.tag{fill:#eff2f5}rect.tag.doubt{fill:#fff4d6}text.doubt{fill:#7a5200}"
    "rect.number{fill:#1f2328}text.number{fill:#fff}"
    "rect.rung1{fill:#f3effc}rect.rung2{fill:#e4daf8}rect.rung3{fill:#d2c2f2}rect.rung4{fill:#bda6ea}rect.rung5{fill:#a78ae0}text.rung{fill:#2f1c5c}"
    "text.muted{fill:#59636e}text.code{fill:#3d4650}"
    ".edge,.spine,.hair{fill:none;stroke:#8c959f;stroke-width:1.5}.spine{stroke:#c4ccd4;stroke-width:2}.hair{stroke:#d0d7de;stroke-width:1}"
    ".edge.dead{stroke-dasharray:3 4}.edge.dead.head{stroke-dasharray:none}"
    ".sign .fill{fill:#57606a}.sign .on{fill:none;stroke:#fff;stroke-width:1.7;stroke-linecap:round;stroke-linejoin:round}"
    ".sign .line,.sign .rim{fill:none;stroke:#57606a;stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round}"
    ".sign .dot{fill:#57606a}"
    ".sign.yes .fill{fill:#1a7f64}"
    ".sign.no .line{stroke:#afb8c1}"
    ".sign.not-proved .line{stroke:#7a5200;stroke-width:1.3}.sign.not-proved .rim{fill:#fff4d6;stroke:#b07d00}.sign.not-proved .dot{fill:#7a5200}"
    ".sign.reject .fill{fill:#57606a}"
    ".sign.forbid .line,.sign.forbid .rim{stroke:#a3293d}"
    ".sign.on-prem .line,.sign.on-prem .rim{stroke:#2f78b7;stroke-width:1.3}"
    ".sign.cloud .rim{stroke:#b8651a;stroke-width:1.3}"
)

_DARK: Final = (
    "text{fill:#e6edf3}"
    "rect.page{fill:#0d1117}"
    "rect.card{fill:#151b23;stroke:#3d444d}"
    "rect.card.pile{fill:#1c232c}"
    "rect.card.dead{fill:none}"
    "rect.table{stroke:#3d444d}rect.band{fill:#1f262e}rect.row.shaded{fill:#12181f}"
    "rect.chip{fill:#151b23;stroke:#3d444d}"
    "rect.chip.here{fill:#10263d;stroke:#33669a}rect.chip.away{fill:#33220f;stroke:#8a5a22}"
    "rect.chip.gone{fill:none;stroke:#59636e}"
    "text.here{fill:#9ccbf5}text.away{fill:#f0bf85}"
    "text.gone,text.gone-name,text.gone-code,text.gone-label{fill:#8b949e}"
    "rect.group{stroke:#59636e}"
    "rect.refusal{fill:#1c232c;stroke:#3d444d}text.refused{fill:#e6edf3}"
    "rect.tag{fill:#262d36}rect.tag.doubt{fill:#3a2d0c}text.doubt{fill:#e3b341}"
    "rect.number{fill:#e6edf3}text.number{fill:#0d1117}"
    "rect.rung1{fill:#221a3a}rect.rung2{fill:#2f2454}rect.rung3{fill:#3d2f6f}rect.rung4{fill:#4b3a89}rect.rung5{fill:#5a46a3}text.rung{fill:#e9e1fb}"
    "text.muted{fill:#9198a1}text.code{fill:#c2cad3}"
    ".edge{stroke:#7d8590}.spine{stroke:#3d444d}.hair{stroke:#3d444d}"
    ".sign .fill{fill:#9198a1}.sign .on{stroke:#0d1117}.sign .line,.sign .rim{stroke:#9198a1}.sign .dot{fill:#9198a1}"
    ".sign.yes .fill{fill:#3fb68b}.sign.no .line{stroke:#59636e}"
    ".sign.not-proved .line{stroke:#e3b341}.sign.not-proved .rim{fill:#3a2d0c;stroke:#b98a1c}.sign.not-proved .dot{fill:#e3b341}"
    ".sign.reject .fill{fill:#9198a1}"
    ".sign.forbid .line,.sign.forbid .rim{stroke:#f2828f}"
    ".sign.on-prem .line,.sign.on-prem .rim{stroke:#79b8ef}.sign.cloud .rim{stroke:#e5a45a}"
)

STYLE: Final = f"{_fonts()}{_LIGHT}@media(prefers-color-scheme:dark){{{_DARK}}}"
