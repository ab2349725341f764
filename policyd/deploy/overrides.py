"""Settings from the environment: `POLICYD__LISTEN__PORT=9000` stands over `port` in `[listen]`.

In: what TOML read and the environment. Out: both merged, which paths came from which variable, and the variables that
mean nothing. Parts are matched without regard to case against the keys that the file has, else against the keys that
exist; a value is read as TOML where it is TOML (`9000`, `true`, `"7"`) and is a string otherwise. A variable with the
prefix that matches no key is a mistake like a misspelt key, never ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from policyd.deploy.places import Path
from policyd.deploy.toml_text import value_of

__all__ = ["PREFIX", "Overridden", "override"]

PREFIX: Final = "POLICYD__"


@dataclass(frozen=True, slots=True)
class Overridden:
    """`sources` maps a path to the name of the variable that set it. `clashes`: variables that would have to go inside
    something that is not a table."""

    data: dict[str, Any]
    sources: Mapping[Path, str]
    clashes: tuple[str, ...]


def override(data: Mapping[str, Any], environ: Mapping[str, str]) -> Overridden:
    merged = _copy(data)
    sources: dict[Path, str] = {}
    clashes: list[str] = []
    for name in sorted(environ):
        if not name.upper().startswith(PREFIX):
            continue
        parts = name[len(PREFIX) :].split("__")
        path = _set(merged, parts, value_of(environ[name])) if all(parts) else None
        if path is None:
            clashes.append(name)
        else:
            sources[path] = name
    return Overridden(merged, sources, tuple(clashes))


def _set(table: dict[str, Any], parts: list[str], value: Any) -> Path | None:
    path: Path = ()
    for part in parts[:-1]:
        key = _spelt(table, part)
        path = (*path, key)
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            return None
        table = inner
    key = _spelt(table, parts[-1])
    table[key] = value
    return (*path, key)


def _spelt(table: Mapping[str, Any], part: str) -> str:
    """The key of the table that the part means, or the part in lower case."""
    return next((key for key in table if key.lower() == part.lower()), part.lower())


def _copy(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, dict) else value for key, value in data.items()}
