"""Tokens to statements: where each begins, and how parsing goes on after a mistake.

In come the tokens of a file; out come the statements that parsed and a diagnostic for each mistake. A statement is
parsed by itself. When it stops, the mistake is explained; where the intention is plain the statement is put right and
parsed again, in a block the faulty line or entry is left out to find the next mistake, and otherwise the statement is
given up. Nothing here looks at names or meaning.
"""

from collections.abc import Iterator, Sequence
from typing import Any, cast

from lark import Lark
from lark.exceptions import UnexpectedToken

from policyd.syntax import nodes as n
from policyd.syntax.depth import too_deep
from policyd.syntax.grammar import STATEMENT_WORDS, Words
from policyd.syntax.lexing import Token
from policyd.syntax.mistakes import explain, may_begin, unknown_statement
from policyd.text.diagnostic import Diagnostic

__all__ = ["read_statement", "split"]

_ATTEMPTS = 50
_OPERANDS = frozenset(
    ("NAME", "DOTTED", "QUOTED", "NUMBER", "DOLLARS", "TIMESPAN", "DAY", "TRUE", "FALSE", "RBRACE", "RPAR")
)
_GOES_ON = frozenset(("when", "and", "or"))
"""On a line of its own, these go on with the entry before it."""

_OPERATORS = frozenset(("==", "!=", "<", "<=", ">", ">=", "in", "not", "starts with"))


def split(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """One list for each statement: a new one begins at a statement's word that is the first on its line, and at an
    unknown word at the margin where nothing that came before goes on."""
    begin, depth = 0, 0
    for index, token in enumerate(tokens):
        if (
            token.first
            and index > begin
            and (_begins(tokens, index) or (depth <= 0 and _seems_to(tokens, index)))
        ):
            yield list(tokens[begin:index])
            begin, depth = index, 0
        depth += (token.type == "LBRACE") - (token.type == "RBRACE")
    if begin < len(tokens):
        yield list(tokens[begin:])


def _begins(tokens: Sequence[Token], index: int) -> bool:
    """`target == a` on a line of its own goes on with a predicate; `target a {` begins a statement."""
    if tokens[index].text not in STATEMENT_WORDS or tokens[index].type == "QUOTED":
        return False
    if tokens[index].text != "target":
        return True
    following = [token.text for token in tokens[index + 1 : index + 3]]
    if following[:1] == ["contains"]:
        return following[1:] == ["{"]
    return not following or following[0] not in _OPERATORS


def _seems_to(tokens: Sequence[Token], index: int) -> bool:
    """An unknown word at the margin, after a whole operand, where no statement goes on with a name."""
    token, before = tokens[index], tokens[index - 1]
    at_margin = token.start == 0 or token.source.text[token.start - 1] == "\n"
    whole = before.keyword is None and before.type in _OPERANDS
    return at_margin and whole and token.type == "NAME" and token.keyword is None and may_begin(token.text)


def read_statement(
    tokens: list[Token], parser: Lark, words: Words
) -> tuple[tuple[n.Statement, ...], tuple[Diagnostic, ...]]:
    """What one stretch of tokens says: a statement, or several when some of its words were not recognised."""
    statements: list[n.Statement] = []
    found: list[Diagnostic] = []
    spoiled = False
    for _ in range(_ATTEMPTS):
        if tokens[0].text not in STATEMENT_WORDS or tokens[0].type == "QUOTED":
            mistake = unknown_statement(tokens)
            if tokens[0].type != "?":
                found.append(mistake.diagnostic)
            if mistake.mended is None:
                break
            tokens = mistake.mended
        if (deep := too_deep(tokens)) is not None:
            found.append(deep)
            break
        at, statement = _attempt(tokens, parser)
        if statement is not None:
            if not spoiled:
                statements.append(statement)
            break
        expected = _expected(tokens[:at], parser)
        if at < len(tokens) and tokens[at].first and _is_fresh(tokens, at, expected):
            if not spoiled:
                statements.append(_finished(tokens[:at], parser))
            tokens, spoiled = tokens[at:], False
            continue
        mistake = explain(tokens, at, expected, words.spelling)
        twice = (found and found[-1].span == mistake.diagnostic.span) or _follows(found, tokens, at)
        if not twice and (at == len(tokens) or tokens[at].type != "?"):
            found.append(mistake.diagnostic)
        if mistake.ends:
            if not spoiled:
                statements.append(_finished(tokens[:at], parser))
            tokens, spoiled = tokens[at:], False
        elif mistake.mended is not None:
            tokens = mistake.mended
        elif (shorter := _without_entry(tokens, at)) is not None:
            tokens, spoiled = shorter, True
        else:
            break
        if not tokens:
            break
    return tuple(statements), tuple(found)


def _attempt(tokens: list[Token], parser: Lark) -> tuple[int, n.Statement | None]:
    """The statement, or the index of the token where the parser stopped."""
    try:
        return len(tokens), _finished(tokens, parser)
    except UnexpectedToken as stop:
        places = (index for index, token in enumerate(tokens) if token is stop.token)
        return next(places, len(tokens)), None


def _finished(tokens: list[Token], parser: Lark) -> n.Statement:
    statement: Any = parser.parse(tokens)
    return cast(n.Statement, statement)


def _expected(tokens: list[Token], parser: Lark) -> frozenset[str]:
    """The terminals that could stand after these tokens."""
    partial = parser.parse_interactive(tokens)
    partial.exhaust_lexer()
    return frozenset(partial.accepts())  # type: ignore[no-untyped-call]


def _is_fresh(tokens: list[Token], at: int, expected: frozenset[str]) -> bool:
    """Whether an unknown word at the beginning of a line is meant to begin a statement: the one before it is whole,
    and the word looks like one that begins a statement."""
    token = tokens[at]
    if token.type not in ("NAME", "DOTTED") or token.keyword is not None or _depth(tokens[:at]):
        return False
    return "$END" in expected and may_begin(token.text) and unknown_statement(tokens[at:]).mended is not None


def _depth(tokens: Sequence[Token]) -> int:
    return sum((t.type == "LBRACE") - (t.type == "RBRACE") for t in tokens)


def _without_entry(tokens: list[Token], at: int) -> list[Token] | None:
    """The statement without the line or entry of its block that holds the mistake; None when it is in no block."""
    if tokens[0].text not in ("classify", "target", "test") or at == len(tokens) or _depth(tokens[:at]) < 1:
        return None
    by_line = tokens[0].text != "test"
    depths = _depths(tokens, at)

    def begins(index: int) -> bool:
        if depths[index] > 1:
            # The braces of a set, in an entry.
            return False
        if tokens[index - 1].type == "LBRACE" and not depths[index - 1]:
            return True
        if by_line:
            return tokens[index].first and tokens[index].text not in _GOES_ON
        return tokens[index - 1].type == "COMMA"

    def closes(index: int) -> bool:
        return tokens[index].type == "RBRACE" and depths[index] <= 1

    start = at
    while start > 1 and not begins(start):
        start -= 1
    end = at if closes(at) else at + 1
    while end < len(tokens) and not begins(end) and not closes(end):
        end += 1
    if start == end or closes(start):
        return None
    return [*tokens[:start], *tokens[end:]]


def _depths(tokens: Sequence[Token], at: int) -> list[int]:
    """How many braces are open before each token. A brace that is itself the mistake, and that nothing closes, opens none."""
    stray = at if tokens[at].type == "LBRACE" and _depth(tokens) > 0 else -1
    depths: list[int] = []
    depth = 0
    for index, token in enumerate(tokens):
        depths.append(depth)
        if index != stray:
            depth += (token.type == "LBRACE") - (token.type == "RBRACE")
    return depths


def _follows(found: Sequence[Diagnostic], tokens: Sequence[Token], at: int) -> bool:
    """Whether the mistake at `at` is only that a bracket was taken out before it, which has been told."""
    if not found or found[-1].code != "PD105" or found[-1].span is None or at in (0, len(tokens)):
        return False
    return tokens[at - 1].end <= found[-1].span.start < tokens[at].start
