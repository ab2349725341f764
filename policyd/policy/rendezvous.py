"""Weighted rendezvous hashing: which member of a split a key belongs to.

Each member scores `weight / -ln(u)` with u in (0, 1) from a hash of key and member; the highest score wins. Removing a
member moves only the keys it held, and weights are shares. (Thaler and Ravishankar 1998; Mosharaf's weighting.)
"""

from collections.abc import Iterable
from hashlib import blake2b
from math import log

from policyd.policy.program import Member

__all__ = ["chosen", "split_order"]


def chosen(key: str, members: Iterable[Member]) -> Member:
    """The member that holds `key`. Ties, which a 53-bit hash makes practically impossible, go to the later name."""

    def score(member: Member) -> tuple[float, str]:
        digest = blake2b(f"{member.target}\0{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
        unit = (int.from_bytes(digest, "big") >> 11) + 0.5
        return (member.weight / -log(unit / 2**53), member.target)

    return max(members, key=score)


def split_order(key: str, members: tuple[Member, ...]) -> tuple[str, ...]:
    """The chosen member's target first, the others in written order."""
    first = chosen(key, members).target
    return (first, *(m.target for m in members if m.target != first))
