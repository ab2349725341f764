"""The text of one file to its tree.

In comes a `Source`; out come the module and every syntax mistake in it. The idea: the file is cut into tokens once,
the tokens into statements at the words that begin one on a new line, and each statement is parsed by itself, so that
one mistake costs one diagnostic and the rest is still checked. A statement that does not parse is not in the module;
one that does after a misspelt word is put right is, because what other statements say about its names is then true.
Names, types and includes are not looked at here.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import cache

from lark import Lark

from policyd.syntax import nodes as n
from policyd.syntax.building import Builder
from policyd.syntax.grammar import Words, parser_for
from policyd.syntax.lexing import Comment, cut
from policyd.syntax.statements import read_statement, split
from policyd.text.diagnostic import Diagnostic, Severity, in_order
from policyd.text.source import Source, Span

__all__ = ["EDITIONS", "Parsed", "language", "parse"]

EDITIONS = (1,)


@dataclass(frozen=True, slots=True)
class Parsed:
    """What could be read of a file. Only without errors among the diagnostics is `module` all of it."""

    module: n.Module
    diagnostics: tuple[Diagnostic, ...]
    comments: tuple[Comment, ...] = ()


@cache
def language() -> tuple[Lark, Words]:
    """The parser and the words of the language, made once."""
    return parser_for(Builder())


def parse(source: Source) -> Parsed:
    parser, words = language()
    lexed = cut(source, words)
    found: list[Diagnostic] = []
    statements: list[n.Statement] = []
    for tokens in split(lexed.tokens):
        read, wrong = read_statement(tokens, parser, words)
        statements.extend(read)
        found.extend(wrong)
    found = [*_apart(lexed.diagnostics, found), *found]
    if not lexed.tokens:
        if not found:
            found.append(_empty(source))
    else:
        begin = lexed.tokens[0]
        if not any(d.span is not None and d.span.start == begin.start for d in found):
            found.extend(_edition(begin.span, begin.text, statements))
        found.extend(_editions(statements, found))
    return Parsed(n.Module(tuple(statements), source), in_order(found), lexed.comments)


def _apart(of_characters: Sequence[Diagnostic], of_statements: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Without what belongs to a mistake that is told: the unknown characters that stand behind an unexpected word on its line,
    and what is wrong with a number that is itself that word or the next one."""
    firsts: dict[int, int] = {}
    words: set[int] = set()
    for diagnostic in of_statements:
        if diagnostic.span is not None:
            line, column = diagnostic.span.source.position(diagnostic.span.start)
            firsts[line] = min(column, firsts.get(line, column))
            if diagnostic.code == "PD101":
                words |= {diagnostic.span.start, diagnostic.span.end}
    kept = []
    for diagnostic in of_characters:
        if diagnostic.code == "PD110" and diagnostic.span is not None:
            line, column = diagnostic.span.source.position(diagnostic.span.start)
            if firsts.get(line, column) < column:
                continue
        if diagnostic.code == "PD114" and diagnostic.span is not None and _touches(diagnostic.span, words):
            continue
        kept.append(diagnostic)
    return kept


def _touches(literal: Span, words: Set[int]) -> bool:
    """Whether an unexpected word begins with it, or ends before it with nothing but blanks between."""
    text, before = literal.source.text, literal.start
    while before and text[before - 1] in " \t":
        before -= 1
    return literal.start in words or before in words


def _empty(source: Source) -> Diagnostic:
    help_ = "write a policy that begins with `edition 1`, or remove the file"
    return Diagnostic("PD107", Severity.ERROR, "this file says nothing", Span(source, 0, 0), help_)


def _edition(begin: Span, word: str, statements: Sequence[n.Statement]) -> list[Diagnostic]:
    """The first statement says which edition of the language the file is written in."""
    if word == "edition" or (statements and isinstance(statements[0], n.Edition)):
        return []
    message = "a policy file begins with its edition of the language"
    return [Diagnostic("PD108", Severity.ERROR, message, begin, "write `edition 1` before everything else")]


def _editions(statements: Sequence[n.Statement], earlier: Sequence[Diagnostic]) -> list[Diagnostic]:
    found = []
    for index, statement in enumerate(statements):
        if not isinstance(statement, n.Edition):
            continue
        if index:
            message = "`edition` stands once, at the beginning of the file"
            found.append(Diagnostic("PD108", Severity.ERROR, message, statement.span, "remove it"))
        elif statement.number not in EDITIONS and not any(_within(d, statement.span) for d in earlier):
            message = f"edition {statement.number} of the language is not known"
            help_ = "this policyd reads `edition 1`"
            found.append(Diagnostic("PD109", Severity.ERROR, message, statement.span, help_))
    return found


def _within(diagnostic: Diagnostic, span: Span) -> bool:
    return diagnostic.span is not None and span.start <= diagnostic.span.start < span.end
