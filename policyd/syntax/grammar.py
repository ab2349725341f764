"""The grammar file, found and made into a parser.

In comes `policyd.lark`, from the package `policyd.grammar` where policyd is installed and from the folder `grammar/`
beside the package in a bare clone; out go the LALR parser and the words of the language, both made once. The parser is
read from the tables kept in `tables.json` where they are for this grammar, and built where they are not. The words
are read from the grammar, so that no list of keywords can fall behind it. What a token's text means is the lexer's
business (`lexing.py`), what a rule's children become is the builder's (`building.py`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from lark import Lark
from lark.lexer import Lexer, PatternStr
from lark.parsers.lalr_analysis import Shift

import policyd
from policyd.syntax.tables import parser_from, tables_text

__all__ = [
    "CONNECTIVES",
    "RESERVED",
    "STATEMENT_WORDS",
    "Words",
    "grammar_text",
    "parser_for",
    "tables_of_now",
]

STATEMENT_WORDS = frozenset([
    "edition", "level", "enum", "string", "int", "bool", "fact", "set", "let", "classify", "target", "guard", "deny",
    "budget", "limit", "route", "otherwise", "assert", "except", "include", "test", "tests",
    "severity", "suppress",
])  # fmt: skip
CONNECTIVES = frozenset(["and", "or", "not", "in", "when", "because", "true", "false"])
RESERVED = STATEMENT_WORDS | CONNECTIVES


@dataclass(frozen=True, slots=True)
class Words:
    """The terminal of each word and of each mark of the grammar, and what each of them is written as."""

    words: Mapping[str, str]
    marks: Mapping[str, str]
    spelling: Mapping[str, str]


@cache
def grammar_text() -> str:
    return _kept("policyd.lark")


def _kept(name: str) -> str:
    try:
        return resources.files("policyd.grammar").joinpath(name).read_text(encoding="utf-8")
    except ModuleNotFoundError:
        clone = Path(policyd.__file__).resolve().parent.parent / "grammar" / name
        return clone.read_text(encoding="utf-8")


class _Stream(Lexer):
    """Hands the parser the tokens of one statement. A word that may be a keyword is one where the parser could take
    it, and a name elsewhere; where both could stand, the keyword wins."""

    __future_interface__ = True

    def __init__(self, lexer_conf: Any) -> None: ...

    def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[Any]:
        states = parser_state.parse_conf.states
        stack = parser_state.state_stack
        tokens = lexer_state.text
        for index, token in enumerate(tokens):
            if token.keyword is not None:
                token.type = token.keyword if _is_keyword(tokens, index, stack, states) else "NAME"
            yield token


def _is_keyword(tokens: Sequence[Any], index: int, stack: Sequence[int], states: Mapping[int, Any]) -> bool:
    keyword = tokens[index].keyword
    actions = states[stack[-1]]
    if keyword not in actions or "NAME" not in actions:
        return keyword in actions
    marks = _FOLLOWED_BY.get(keyword)
    if marks is not None and not (index + 1 < len(tokens) and tokens[index + 1].type in marks):
        return False
    return _takes(keyword, stack, states)


def _takes(terminal: str, stack: Sequence[int], states: Mapping[int, Any]) -> bool:
    """Whether the parser would come to shift the terminal. An LALR table also reduces before one that it must then
    refuse, because it shares the lookaheads of rules that are used at several places."""
    reduced = list(stack)
    while True:
        action = states[reduced[-1]].get(terminal)
        if action is None:
            return False
        kind, rule = action
        if kind is Shift:
            return True
        del reduced[len(reduced) - len(rule.expansion) :]
        reduced.append(states[reduced[-1]][rule.origin.name][1])


# A target may be called `any`: only before a brace is it the word of the language.
_FOLLOWED_BY = {
    "ANY": ("LBRACE", "NAME", "DOTTED"),
    "ALL": ("LBRACE", "NAME", "DOTTED"),
    "CHEAPEST": ("LBRACE",),
    "FASTEST": ("LBRACE",),
    "SPLIT": ("LBRACE",),
    "EXCEEDED": ("LPAR",),
}


def parser_for(callbacks: object) -> tuple[Lark, Words]:
    """The parser of one statement, which calls the methods of `callbacks` as it reduces, and the words it knows."""
    lark = _from_tables(callbacks) or _built(callbacks)
    fixed = {t.name: t.pattern.value for t in lark.terminals if isinstance(t.pattern, PatternStr)}
    words = {text: name for name, text in fixed.items() if re.fullmatch(r"[a-z ]+", text)}
    marks = {text: name for name, text in fixed.items() if text not in words}
    return lark, Words(words, marks, fixed)


def tables_of_now() -> str:
    """What `grammar/tables.json` has to hold for the grammar and the Lark of now."""
    return tables_text(_built(None), grammar_text())


def _built(callbacks: object) -> Lark:
    return Lark(
        grammar_text(),
        parser="lalr",
        lexer=_Stream,
        start="statement",
        maybe_placeholders=True,
        transformer=callbacks,
    )


def _from_tables(callbacks: object) -> Lark | None:
    """The parser from the tables that are kept beside the grammar; None where there are none for it."""
    try:
        tables = _kept("tables.json")
    except OSError:
        return None
    return parser_from(tables, grammar_text(), lexer=_Stream, transformer=callbacks)
