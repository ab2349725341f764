"""The page of each diagnostic code, as it was written: `docs/rules/PDnnn.md`.

In comes a code; out goes the page's Markdown, from the package `policyd.rules` where policyd is installed and from the
folder `docs/rules/` in a clone. What it looks like is another module's.
"""

from importlib import resources
from pathlib import Path

import policyd

__all__ = ["page_of"]


def page_of(code: str) -> str:
    """The page of a code that there is."""
    name = f"{code}.md"
    try:
        return resources.files("policyd.rules").joinpath(name).read_text(encoding="utf-8")
    except ModuleNotFoundError:
        clone = Path(policyd.__file__).resolve().parent.parent / "docs" / "rules" / name
        return clone.read_text(encoding="utf-8")
