"""How a witness is asked of a policy: in features that this policy has.

In come two policies together and a request that shows a change; out comes what `policyd explain` takes. The one idea: a feature
that is of another kind in the new policy, or that only one of them has, is two features to whoever compares and one at most to
whoever asks. So only one policy's own are said, and a note says that the other refuses that value or does not know it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal as Lit
from typing import TypeAlias

from policyd.policy.program import Program, Value
from policyd.policy.written import given_text
from policyd.proofs.changes import Shown
from policyd.proofs.together import Together

__all__ = ["Asking", "asking"]

_NEW = " (new)"
"""How the name of a feature ends that is of another kind in the new policy; no author can write it."""
_WITHOUT = ", and decides without it"
_Given: TypeAlias = tuple[tuple[str, Value | None], ...]


@dataclass(frozen=True, slots=True)
class Asking:
    """`given` as `explain` reads it, with the policy `of`; `note` where that is one of them only."""

    given: _Given
    of: Lit["both", "old", "new"]
    note: str | None = None


def asking(together: Together, shown: Shown) -> Asking:
    """The request in features of both policies, or else of the old one or of the new."""
    mine, theirs = _own(together.old.program, shown.given), _own(together.new.program, shown.given)
    only_old = [entry for entry in mine if entry not in theirs]
    only_new = _written([entry for entry in theirs if entry not in mine])
    if not only_old and not only_new:
        return Asking(mine, "both")
    if not only_old:
        return Asking(_written(theirs), "new", _refuses("old", only_new) + _WITHOUT)
    more = f"; it is asked with `{given_text(only_new)}`" if only_new else _WITHOUT
    return Asking(mine, "old", f"{_refuses('new', only_old)}{more}")


def _own(program: Program, given: _Given) -> _Given:
    names = {f.name for f in program.features}
    return tuple((name, value) for name, value in given if name in names)


def _written(given: Sequence[tuple[str, Value | None]]) -> _Given:
    """By the names that the author gave."""
    return tuple((name.removesuffix(_NEW), value) for name, value in given)


def _refuses(which: str, entries: Sequence[tuple[str, Value | None]]) -> str:
    return f"the {which} policy refuses or does not know `{given_text(entries)}`"
