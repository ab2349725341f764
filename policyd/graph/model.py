"""What a picture of a policy shows, as data: nothing here knows of pixels or of proofs.

The gatherer fills it from a program and its proofs; the layouts and Mermaid read it. All texts are as the policy has
them. What a picture leaves out is counted in it (`Bunch`, `more`), so that nothing is cut silently.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "Bunch", "Candidate", "Choice", "DenyStep", "Dimension", "Drawing", "ExceptionNote", "GuardStep", "LevelStep", "Mark",
    "OtherwiseStep", "RaiseNote", "RouteStep", "Step", "TargetReach", "Via",
]  # fmt: skip

Mark: TypeAlias = Literal["yes", "no", "not proved"]
"""Whether some request can: proved either way, or the search ran out of its budget."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A target of a route. `mark`: whether the route can send to it. `share`: of a split, like `70 %`."""

    target: str
    location: str
    mark: Mark
    share: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """Candidates that stand together. `how` is empty where they are tried as written."""

    how: str
    members: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class RaiseNote:
    """One way to a level's value; `when` is empty for every request."""

    value: str
    when: str
    starts: bool


@dataclass(frozen=True, slots=True)
class LevelStep:
    """A level that is computed; `values` lowest first."""

    name: str
    values: tuple[str, ...]
    ways: tuple[RaiseNote, ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class DenyStep:
    """`mark`: whether it ever decides."""

    name: str
    when: str
    because: str
    status: int
    mark: Mark


@dataclass(frozen=True, slots=True)
class ExceptionNote:
    name: str
    when: str
    until: str
    because: str


@dataclass(frozen=True, slots=True)
class GuardStep:
    """`hits` in the order of the policy's targets. `mark`: whether its condition is ever met."""

    name: str
    text: str
    when: str
    because: str
    hits: tuple[Candidate, ...]
    mark: Mark
    exceptions: tuple[ExceptionNote, ...] = ()


@dataclass(frozen=True, slots=True)
class RouteStep:
    """`mark`: whether it ever decides."""

    name: str
    when: str
    choices: tuple[Choice, ...]
    mark: Mark


@dataclass(frozen=True, slots=True)
class Bunch:
    """Rules that are not drawn one by one: how many, the first few names, the targets that they name. `of` says what they
    have in common, like `include search`; empty for the rest of a long list."""

    count: int
    kind: Literal["route", "deny", "guard"]
    of: str
    names: tuple[str, ...]
    targets: tuple[Candidate, ...] = ()
    more_targets: int = 0


Step: TypeAlias = LevelStep | DenyStep | GuardStep | RouteStep | Bunch


@dataclass(frozen=True, slots=True)
class OtherwiseStep:
    """`mark`: whether any request gets here."""

    reason: str
    status: int
    mark: Mark


@dataclass(frozen=True, slots=True)
class Dimension:
    """A level, an enum or a flag by whose values reach is told apart."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Via:
    route: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class TargetReach:
    """`mark`: whether any request can be sent there. `cells[i][j]`: with value `j` of dimension `i`. `facts`: name and value
    as a person writes them."""

    name: str
    location: str
    facts: tuple[tuple[str, str], ...]
    mark: Mark
    cells: tuple[tuple[Mark, ...], ...]
    via: tuple[Via, ...]
    more_via: int = 0


@dataclass(frozen=True, slots=True)
class Drawing:
    """`counts`: how many levels, denies, guards, routes and targets the policy has. `targets` grouped by location."""

    title: str
    digest: str
    counts: tuple[tuple[int, str], ...]
    levels: tuple[LevelStep, ...]
    denies: tuple[DenyStep | Bunch, ...]
    guards: tuple[GuardStep | Bunch, ...]
    routes: tuple[RouteStep | Bunch, ...]
    otherwise: OtherwiseStep
    dimensions: tuple[Dimension, ...]
    targets: tuple[TargetReach, ...]
    more_targets: int

    @property
    def not_proved(self) -> int:
        """How many marks are neither yes nor no."""
        marks: list[Mark] = [self.otherwise.mark]
        for rule in (*self.denies, *self.guards):
            if not isinstance(rule, Bunch):
                marks.append(rule.mark)
        for route in self.routes:
            if isinstance(route, RouteStep):
                marks.extend(c.mark for choice in route.choices for c in choice.members)
        for target in self.targets:
            marks.extend((target.mark, *(m for cell in target.cells for m in cell)))
        return marks.count("not proved")
