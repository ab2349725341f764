"""One policy of a comparison as the command line found it, ready to be written in any form."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from policyd.compare.difference import Denied, Difference, Verdict
from policyd.compare.recorded import Replayed

__all__ = ["LOOSER", "Compared", "exit_code_of", "verdict_of"]

LOOSER: Final = 4
"""The exit code where something is let through that was not."""

_CODES: Final = {Verdict.LOOSER: LOOSER, Verdict.NOT_PROVED: 3, Verdict.CHANGED: 1, Verdict.SAME: 0}


@dataclass(frozen=True, slots=True)
class Compared:
    """`old` and `new` are paths, one of them None where only the other side has the policy; then there is no difference.
    `denied` is what `--deny-new` found."""

    name: str
    old: str | None
    new: str | None
    difference: Difference | None
    denied: tuple[Denied, ...] = ()
    log: Replayed | None = None

    @property
    def verdict(self) -> Verdict:
        if self.difference is not None:
            return self.difference.verdict
        if any(d.shown is not None for d in self.denied):
            return Verdict.LOOSER
        return Verdict.NOT_PROVED if self.denied else Verdict.CHANGED


def verdict_of(compared: Iterable[Compared]) -> Verdict:
    """The worst of them."""
    found = {c.verdict for c in compared}
    return next((v for v in Verdict if v in found), Verdict.SAME)


def exit_code_of(verdict: Verdict) -> int:
    return _CODES[verdict]
