"""The text of one file to its tree.

In comes a `Source`; out come the module and every syntax mistake in it. The idea: the file is cut into tokens once,
the tokens into statements at the words that begin one on a new line, and each statement is parsed by itself, so that
one mistake costs one diagnostic and the rest is still checked. A statement that does not parse is not in the module;
one that does after a misspelt word is put right is, because what other statements say about its names is then true.
Names, types and includes are not looked at here.
"""

from dataclasses import dataclass
from functools import cache

from lark import Lark
from lark.exceptions import UnexpectedToken

from policyd.syntax import nodes as n
from policyd.syntax.building import Builder
from policyd.syntax.grammar import STATEMENT_WORDS, Words, parser_for
from policyd.syntax.lexing import Comment, Token, cut
from policyd.text.diagnostic import Diagnostic, Severity, in_order
from policyd.text.source import Source, Span

__all__ = ["Parsed", "parse"]


@dataclass(frozen=True, slots=True)
class Parsed:
    """What could be read of a file. Only without errors among the diagnostics is `module` all of it."""

    module: n.Module
    diagnostics: tuple[Diagnostic, ...]
    comments: tuple[Comment, ...] = ()


@cache
def _parser() -> tuple[Lark, Words]:
    return parser_for(Builder())


def parse(source: Source) -> Parsed:
    lark, words = _parser()
    lexed = cut(source, words)
    found = list(lexed.diagnostics)
    statements: list[n.Statement] = []
    for tokens in _statements(lexed.tokens):
        try:
            statements.append(lark.parse(tokens))  # type: ignore[arg-type]
        except UnexpectedToken as e:
            tok = e.token if isinstance(e.token, Token) else tokens[-1]
            found.append(
                Diagnostic(
                    "PD101", Severity.ERROR, f"unexpected `{tok.text}`", tok.span, str(sorted(e.expected))
                )
            )
    return Parsed(n.Module(tuple(statements), source), in_order(found), lexed.comments)


def _statements(tokens: tuple[Token, ...]) -> list[list[Token]]:
    starts = [i for i, t in enumerate(tokens) if t.first and t.text in STATEMENT_WORDS and _begins(tokens, i)]
    if not tokens:
        return []
    if not starts or starts[0] != 0:
        starts.insert(0, 0)
    return [list(tokens[a:b]) for a, b in zip(starts, [*starts[1:], len(tokens)], strict=True)]


_OPERATORS = frozenset(("==", "!=", "<", "<=", ">", ">=", "in", "not", "starts with", "contains"))


def _begins(tokens: tuple[Token, ...], index: int) -> bool:
    """`target == a` on a line of its own goes on with a predicate; `target a {` begins a statement."""
    following = tokens[index + 1].text if index + 1 < len(tokens) else ""
    return tokens[index].text != "target" or following not in _OPERATORS
