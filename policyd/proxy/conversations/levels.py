"""What a policy remembers of conversations: which levels, for how long, and what it takes to know them.

In come a program, and later what a store knows and a request's features; out go values for the policy and names for the
store. Pure. The one idea: the store holds words, and the policy that reads them says their order. A word that it does not
know, and a level of which an entry says nothing, are the highest value: another policy wrote them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from policyd.policy.condition import features_of
from policyd.policy.evaluate import level_rank
from policyd.policy.program import Classify, Program, Value
from policyd.policy.request import Request
from policyd.proxy.conversations.store import AGENT, Found, Names

__all__ = ["Remembers", "remembers_of"]

MOST_MEMOS: Final = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Remembers:
    """`kept` is the longest time of any level, in seconds; `needs` are the features by which the levels are computed, those of
    conversations among them. `nothing` and `everything` are the names of the lowest and the highest values."""

    program: Program
    levels: tuple[Classify, ...]
    kept: float
    needs: frozenset[str]
    highest: Mapping[str, str]
    nothing: Names
    everything: Names
    _order: tuple[str, ...]
    _memo: dict[tuple[Value, ...], Names] = field(default_factory=dict, repr=False)

    def reached(self, values: Mapping[str, Value]) -> Names:
        """The names that a request with these values reaches. INVARIANT: `needs` are among them."""
        key = tuple([values[name] for name in self._order])
        names = self._memo.get(key)
        if names is None:
            request = Request(values)
            names = frozenset(
                _name(level, level.values[level_rank(self.program, level, request)]) for level in self.levels
            )
            if len(self._memo) >= MOST_MEMOS:
                self._memo.clear()
            self._memo[key] = names
        return names

    def seen(self, found: Iterable[tuple[bytes, Found]], *, believing: bool = False) -> dict[str, str]:
        """The value of each conversation feature, the highest of any key. With `believing`, a store that does not answer and
        a scan that is not done have nothing to say."""
        ranks = [0] * len(self.levels)
        for key, what in found:
            for at, level in enumerate(self.levels):
                ranks[at] = max(ranks[at], _rank(level, key, what, believing=believing))
        return {
            f"conversation:{level.name}": level.values[rank]
            for level, rank in zip(self.levels, ranks, strict=True)
        }


def remembers_of(program: Program) -> Remembers | None:
    """None where no level asks for its conversation."""
    levels = tuple(level for level in program.levels if level.kept is not None)
    if not levels:
        return None
    needs = _needs(program, levels)
    return Remembers(
        program=program,
        levels=levels,
        kept=float(max(level.kept or 0 for level in levels)),
        needs=needs,
        highest={f"conversation:{level.name}": level.values[-1] for level in levels},
        nothing=frozenset(_name(level, level.values[0]) for level in levels),
        everything=frozenset(_name(level, level.values[-1]) for level in levels),
        _order=tuple(sorted(needs)),
    )


def _name(level: Classify, value: str) -> str:
    return f"{level.name}={value}"


def _rank(level: Classify, key: bytes, found: Found, *, believing: bool) -> int:
    top = len(level.values) - 1
    if found.lost or (found.is_open and not believing):
        return top
    if found.names is None:
        # A conversation that nobody has seen is new; of an answer or a file, somebody else may have.
        return 0 if key[:1] == AGENT or found.is_open else top
    begin = f"{level.name}="
    words = [name.removeprefix(begin) for name in found.names if name.startswith(begin)]
    return max((level.values.index(w) if w in level.values else top for w in words), default=top)


def _needs(program: Program, levels: Iterable[Classify]) -> frozenset[str]:
    """The raw features that the levels read, through other levels too."""
    by_name = {level.name: level for level in program.levels}
    found: set[str] = set()
    todo = [level.name for level in levels]
    done: set[str] = set()
    while todo:
        name = todo.pop()
        if name in done:
            continue
        done.add(name)
        level = by_name.get(name)
        if level is None:
            found.add(name)
            continue
        for condition in (*(s.when for s in level.starts), *(r.when for r in level.raises)):
            todo.extend(features_of(condition))
        todo.extend(r.to for r in level.raises if isinstance(r.to, str))
    return frozenset(found)
