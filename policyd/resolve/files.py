"""A policy's files as one sequence of statements.

In comes a tree of parsed files (`Unit`); out goes every statement in the order that decides (`Placed`), each with the
space its names live in. An include without a scope is textual placement and shares the space of its includer; a scoped
include opens a new one. No meaning here, and no reading of files.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from policyd.syntax.nodes import Include, Module, Statement
from policyd.text.source import Source

__all__ = ["Placed", "Space", "Unit", "alias_of", "placed"]


@dataclass(frozen=True, slots=True)
class Unit:
    """One parsed file with what it includes: keys are places in `module.statements`. A file that could not be read is
    absent (its diagnostic exists)."""

    module: Module
    includes: Mapping[int, "Unit"] = field(default_factory=dict)
    tables: Mapping[int, Source] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """Where a name is declared and looked up: the root, or one scoped include. Compared by identity."""

    alias: str = ""
    parent: "Space | None" = None
    include: Include | None = None

    @property
    def path(self) -> str:
        """The dotted alias from the root; empty for the root."""
        if self.parent is None:
            return ""
        return f"{self.parent.path}.{self.alias}" if self.parent.path else self.alias

    def qualify(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def outward(self) -> Iterator["Space"]:
        """This space, then the ones around it, the root last."""
        space: Space | None = self
        while space is not None:
            yield space
            space = space.parent

    def holds(self, other: "Space") -> bool:
        """Whether `other` is this space or one inside it."""
        return any(space is self for space in other.outward())


@dataclass(frozen=True, slots=True)
class Placed:
    """A statement, its space, and whether it stands in the root file itself. `opens` is the space a scoped include
    opens; `table` the text of a test table."""

    statement: Statement
    space: Space
    in_root_file: bool
    opens: Space | None = None
    table: Source | None = None


def alias_of(include: Include) -> str:
    """The alias as written, or the file's stem with `-` and `.` as `_`."""
    if include.alias is not None:
        return include.alias.text
    stem = PurePosixPath(include.path.value).stem
    return stem.replace("-", "_").replace(".", "_")


def placed(root: Unit) -> tuple[Placed, ...]:
    """Every statement of every file, an include's after the include."""
    return tuple(_placed(root, Space(), in_root_file=True))


def _placed(unit: Unit, space: Space, *, in_root_file: bool) -> Iterator[Placed]:
    for index, statement in enumerate(unit.module.statements):
        if not isinstance(statement, Include):
            yield Placed(statement, space, in_root_file, table=unit.tables.get(index))
            continue
        inner = space if statement.scope is None else Space(alias_of(statement), space, statement)
        yield Placed(statement, space, in_root_file, opens=None if inner is space else inner)
        if index in unit.includes:
            yield from _placed(unit.includes[index], inner, in_root_file=False)
