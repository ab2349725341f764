"""How far two requests are apart: which features differ, and how many of them count.

In come two requests; out go the features that differ. What only follows from another difference does not count: a longer
prompt needs more context, another date is another weekday, a request with images is opaque, one with tools is no chat, and
what nobody found nobody has to take out. A set of findings is one
feature, whatever it holds.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from policyd.policy.program import Program
from policyd.policy.request import Request

__all__ = ["LEADERS", "counted", "differing", "led_by"]

LEADERS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "context_needed": frozenset({"tokens", "max_output"}),
        "weekday": frozenset({"date"}),
        "opaque": frozenset({"images", "remote_content"}),
        "task": frozenset({"endpoint", "tools", "server_tools"}),
        "unredactable": frozenset({"findings"}),
    }
)
"""A feature to those that it follows."""


def differing(program: Program, first: Request, second: Request) -> tuple[str, ...]:
    """The features whose values differ, in the program's order."""
    return tuple(f.name for f in program.features if first.values[f.name] != second.values[f.name])


def counted(names: Iterable[str]) -> frozenset[str]:
    """Those of the features that follow no other of them."""
    all_ = frozenset(names)
    return frozenset(n for n in all_ if not LEADERS.get(n, frozenset()) & all_)


def led_by(names: Iterable[str]) -> frozenset[str]:
    """The features, and those that follow one of them."""
    all_ = frozenset(names)
    return all_ | {name for name, leaders in LEADERS.items() if leaders & all_}
