"""A condition or predicate back as one line of text, for traces and answers.

Not the formatter: comments, breaks and the author's spacing are gone, so that one meaning has one text.
"""

from typing import assert_never

from policyd.resolve.literals import written
from policyd.syntax import nodes
from policyd.syntax.literals import write_string

__all__ = ["phrase"]


def phrase(node: nodes.Condition) -> str:
    """`location == on_prem and not training`."""
    return _phrase(node, 0)


def _phrase(node: nodes.Condition, binding: int) -> str:
    """`binding`: 0 anything, 1 inside `or`, 2 inside `and`, 3 behind `not`."""
    match node:
        case nodes.Truth(value):
            return "true" if value else "false"
        case nodes.Name(name):
            return name.text
        case nodes.Compare(name, op, value):
            return f"{name.text} {op} {_literal(value)}"
        case nodes.InSet(name, values, negated):
            return f"{name.text} {'not ' if negated else ''}in {_values(values)}"
        case nodes.InRange(name, low, high, negated):
            return f"{name.text} {'not ' if negated else ''}in {_literal(low)}..{_literal(high)}"
        case nodes.StartsWith(name, prefix):
            return f"{name.text} starts with {_literal(prefix)}"
        case nodes.Contains(name, quantifier, values):
            how = "" if quantifier == "one" else f"{quantifier} "
            return f"{name.text} contains {how}{_values(values)}"
        case nodes.Exceeded(name):
            return f"exceeded({name.text})"
        case nodes.Not(operand):
            return f"not {_phrase(operand, 3)}"
        case nodes.And(operands):
            return _wrapped(" and ".join(_phrase(o, 2) for o in operands), binding > 1)
        case nodes.Or(operands):
            return _wrapped(" or ".join(_phrase(o, 1) for o in operands), binding > 0)
        case _:
            assert_never(node)


def _wrapped(text: str, inside: bool) -> str:
    return f"({text})" if inside else text


def _values(values: nodes.NameSet | nodes.Ident | nodes.Literal) -> str:
    match values:
        case nodes.Ident(text):
            return text
        case nodes.NameSet(items):
            return f"{{ {', '.join(_literal(i) for i in items)} }}" if items else "{ }"
        case _:
            return _literal(values)


def _literal(literal: nodes.Literal) -> str:
    if isinstance(literal, nodes.Text):
        return write_string(literal.value)
    return written(literal)
