"""How much a compiled policy may remember.

Tables of generated source remember answers for values they see again. Callers choose some of those values, so all
tables of one policy share one allowance; when it is used up they compute instead, which is slower and never wrong.
"""

from typing import Final

__all__ = ["LONGEST_KEY", "MOST_NAMES", "MOST_REMEMBERED", "Room"]

MOST_REMEMBERED: Final = 65_536
"""Entries of all tables of one policy together."""
LONGEST_KEY: Final = 128
"""Characters of a string that is still remembered."""
MOST_NAMES: Final = 32
"""Names in a set of findings that is still remembered."""


class Room:
    """The allowance that is left."""

    __slots__ = ("left",)

    def __init__(self, left: int | None = None) -> None:
        self.left = MOST_REMEMBERED if left is None else left

    def take(self) -> bool:
        """Whether one more entry may be kept."""
        if self.left <= 0:
            return False
        self.left -= 1
        return True
