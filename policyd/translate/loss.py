"""What cannot be said in another dialect: a `Loss` in a request, an `Unsayable` answer.

The one idea: neither quotes content. Both are shown to people and written to logs, so they name keys, types and places.
"""

from dataclasses import dataclass

__all__ = ["Loss", "Lost", "Unsayable"]


@dataclass(frozen=True, slots=True)
class Loss:
    """Something of a request that the other dialect has no words for. `place` is its path of keys and indices, such as
    `messages[3].content[0]`; `why` is one sentence in plain words. INVARIANT: no text of the request is in either."""

    place: str
    why: str


class Lost(Exception):
    """A `Loss` on its way up to the `request` that returns it. It does not leave this package."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"{place}: {why}")
        self.loss = Loss(place, why)


class Unsayable(Exception):
    """An answer that is not what its API says, or is not complete. The message quotes nothing of it."""
