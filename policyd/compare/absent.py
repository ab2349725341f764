"""A policy that is only on one side: what it would be compared with."""

from dataclasses import replace

from policyd.policy.condition import TRUE
from policyd.policy.program import Guard, Program

__all__ = ["nothing_for"]


def nothing_for(program: Program) -> Program:
    """A policy that knows the same requests and targets, and gives no request any of them."""
    every = frozenset(t.name for t in program.targets)
    closed = Guard("nothing", every, TRUE, "there was no policy", "forbid every target")
    return replace(program, guards=(closed,), denies=(), routes=(), exceptions=(), assertions=(), tests=())
