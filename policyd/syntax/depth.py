"""How deep a condition is nested, told from its tokens.

In come the tokens of a statement; out goes a diagnostic when the tree of one of its conditions would be deeper than
every later stage can walk by recursion. Counted are `and`, `or` and `not` inside each other, as the tree has them, so
that superfluous parentheses cost nothing and the canonical text is exactly as deep as the one it was made from.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from policyd.syntax.lexing import Token
from policyd.text.diagnostic import Diagnostic, Severity

__all__ = ["DEEPEST", "too_deep"]

DEEPEST = 50


@dataclass(slots=True)
class _Level:
    """What one pair of parentheses holds so far: the deepest operand of the running `and`, and of the `or`."""

    negations: int = 0
    chain: int = 0
    in_chain: int = 0
    choices: int = 0
    in_choice: int = 0

    def operand(self, depth: int) -> None:
        self.chain += 1
        self.in_chain = max(self.in_chain, depth + self.negations)
        self.negations = 0

    def choose(self) -> None:
        self.choices += 1
        self.in_choice = max(self.in_choice, self.in_chain + (self.chain > 1))
        self.chain = self.in_chain = 0

    def depth(self) -> int:
        self.choose()
        return self.in_choice + (self.choices > 1)


def too_deep(tokens: Sequence[Token]) -> Diagnostic | None:
    levels = [_Level()]
    pending = complete = False
    for index, token in enumerate(tokens):
        match token.type:
            case "LPAR":
                levels.append(_Level())
                pending = complete = False
                continue
            case "NOT" if index + 1 < len(tokens) and tokens[index + 1].type != "IN":
                levels[-1].negations += 1
                pending = complete = False
                deepest = levels[-1].negations
            case "AND" | "OR" | "RPAR" | "WHEN":
                deepest = _close(levels, token.type, pending=pending)
                pending, complete = False, token.type == "RPAR"
            case _:
                pending = not complete
                continue
        if deepest > DEEPEST:
            message = f"a condition nested more than {DEEPEST} deep"
            return Diagnostic("PD118", Severity.ERROR, message, token.span, "name its parts with `let`")
    return None if _close(levels, "WHEN", pending=pending) <= DEEPEST else _at_end(tokens[-1])


def _close(levels: list[_Level], mark: str, *, pending: bool) -> int:
    """Ends an operand at `mark`; how deep the condition is there. `pending`: a plain operand stands before it."""
    level = levels[-1]
    if pending:
        level.operand(0)
    match mark:
        case "OR":
            level.choose()
            return level.in_choice
        case "RPAR" if len(levels) > 1:
            depth = levels.pop().depth()
            levels[-1].operand(depth)
            return levels[-1].in_chain
        case "WHEN":
            depth = level.depth()
            levels[:] = [_Level()]
            return depth
        case _:
            return level.in_chain


def _at_end(token: Token) -> Diagnostic:
    message = f"a condition nested more than {DEEPEST} deep"
    return Diagnostic("PD118", Severity.ERROR, message, token.span, "name its parts with `let`")
