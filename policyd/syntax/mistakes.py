"""What to say about a statement that does not parse, and how to go on.

In come the tokens of a statement, the place where it stopped and the terminals that could have stood there; out goes
a `Mistake`: the diagnostic in the author's words and, where the intention is plain (`gaurd`, `=` for `==`, a reserved
word as a name), the tokens put right, so that the rest of the statement is checked too. Nothing is parsed here.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from policyd.syntax.grammar import CONNECTIVES, RESERVED, STATEMENT_WORDS
from policyd.syntax.lexing import Token
from policyd.text.diagnostic import Diagnostic, Label, Severity
from policyd.text.source import Span

__all__ = ["SHAPES", "Mistake", "explain", "may_begin", "unknown_statement"]

SHAPES: Mapping[str, str] = {
    "edition": "edition 1",
    "include": 'include "PATH" [as NAME] [scope CONDITION] [before NAME, …] [after NAME, …]',
    "level": "level NAME { LOWEST < … < HIGHEST }",
    "enum": 'enum NAME { A, B } from header "NAME" unknown A',
    "string": "string NAME from identity unknown reject",
    "int": 'int NAME LOW..HIGH from header "NAME" unknown NUMBER',
    "bool": 'bool NAME from header "NAME" unknown true',
    "fact": "fact NAME { A, B }",
    "set": 'set NAME = { "a", "b" }',
    "let": "let NAME = CONDITION",
    "classify": "classify LEVEL { starts at A [when CONDITION] … at least B [when CONDITION] … }",
    "target": "target NAME { FACT VALUE … }",
    "guard": 'guard NAME only|forbid CONDITION [when CONDITION] [overridable by "OWNER"] because "REASON"',
    "deny": 'deny NAME when CONDITION [status NUMBER] because "REASON"',
    "except": 'except NAME to GUARD when CONDITION until DATE owner "OWNER" because "REASON"',
    "budget": "budget NAME $AMOUNT per PERIOD by FEATURE",
    "limit": "limit NAME NUMBER tokens|requests per PERIOD by FEATURE",
    "route": "route NAME to TARGET, … [with redact(FINDING, …)] [when CONDITION]",
    "otherwise": 'otherwise reject "REASON" [status NUMBER] [holes error|warning|note]',
    "assert": "assert NAME never|always CONDITION [when CONDITION]",
    "test": 'test "NAME" given { FEATURE VALUE, … } expect TARGET [then TARGET …]',
    "tests": 'tests from "PATH.csv"',
    "severity": "severity CODE error|warning|note",
    "suppress": 'suppress CODE on SUBJECT until DATE because "REASON"',
}

_CLAUSE_WORDS = frozenset([
    "when", "because", "and", "or", "from", "unknown", "to", "by", "status", "given", "expect", "then", "via",
    "removed", "until", "owner", "scope", "before", "after", "overridable", "never", "always", "only", "forbid", "on",
    "with",
])  # fmt: skip
_VALUES = frozenset(("NAME", "QUOTED", "NUMBER", "DOLLARS", "TIMESPAN", "DAY", "TRUE", "FALSE"))
_CONDITION = frozenset(("NOT", "LPAR", "EXCEEDED", "NAME", "DOTTED", "TARGET", "TRUE", "FALSE"))
_COMPARISON = frozenset(("COMPARISON", "LESS", "IN", "CONTAINS", "STARTS_WITH"))
_PHRASES = {
    "NAME": "a name",
    "QUOTED": "a quoted text",
    "NUMBER": "a number",
    "DOLLARS": "an amount such as `$4000`",
    "TIMESPAN": "a duration such as `30 days`",
    "DAY": "a date such as `2026-12-31`",
    "COMPARISON": "a comparison",
}
_END = "$END"


@dataclass(frozen=True, slots=True)
class Mistake:
    """`mended` is the statement put right; None when the intention is not plain. `ends` says that what stands before
    the mistake is a whole statement and that another begins with it."""

    diagnostic: Diagnostic
    mended: list[Token] | None = None
    ends: bool = False


def explain(tokens: Sequence[Token], at: int, expected: Set[str], spelling: Mapping[str, str]) -> Mistake:
    """The mistake at `tokens[at]`, or after the last token when `at` is their number."""
    if at == len(tokens):
        return _unfinished(tokens, expected, spelling)
    token = tokens[at]
    for look in (_another_statement, _misplaced, _reserved, _closes_nothing, _misspelt, _equals, _quotes):
        mistake = look(tokens, at, expected, spelling)
        if mistake is not None:
            return mistake
    if token.type == "STARTS_AT":
        advice = "the lines that start a level stand before those that raise it"
        return Mistake(_error("PD101", "unexpected `starts at`", token.span, advice, details=_shape(tokens)))
    if at and (token.first or token.type in ("RBRACE", "RPAR")) and not expected & {_END, "RBRACE", "RPAR"}:
        last = tokens[at - 1]
        after = Span(last.source, last.end, last.end)
        message = f"something is missing after {_shown(last)}"
        return Mistake(_error("PD103", message, after, _wanted(expected, spelling), details=_shape(tokens)))
    if expected == {_END}:
        advice = "the statement is complete before it; begin the next one on a new line"
        return Mistake(_error("PD101", f"unexpected {_shown(token)}", token.span, advice))
    wanted = _wanted(expected, spelling)
    return Mistake(_error("PD101", f"unexpected {_shown(token)}", token.span, wanted, details=_shape(tokens)))


@lru_cache(maxsize=4096)
def may_begin(word: str) -> bool:
    """Whether an unknown word is no misspelt clause: what it is nearest to, if anything, begins a statement."""
    near = get_close_matches(word, sorted(STATEMENT_WORDS | _CLAUSE_WORDS), 1, 0.7)
    return not near or near[0] in STATEMENT_WORDS


def unknown_statement(tokens: Sequence[Token]) -> Mistake:
    """For a line that begins with no word that a statement begins with."""
    token = tokens[0]
    near = (
        get_close_matches(token.text, sorted(STATEMENT_WORDS), 1, 0.7)
        if token.type in ("NAME", "DOTTED")
        else []
    )
    if near:
        mended = [_changed(token, near[0].upper(), near[0]), *tokens[1:]]
        message = f"unknown statement `{token.text}`"
        return Mistake(_error("PD102", message, token.span, f"did you mean `{near[0]}`?"), mended)
    words = ", ".join(SHAPES)
    message = f"a statement cannot begin with {_shown(token)}"
    return Mistake(_error("PD102", message, token.span, f"a statement begins with one of {words}"))


def _unfinished(tokens: Sequence[Token], expected: Set[str], spelling: Mapping[str, str]) -> Mistake:
    last = tokens[-1]
    after = Span(last.source, last.end, last.end)
    open_marks: list[Token] = []
    for token in tokens:
        if token.type in ("LBRACE", "LPAR"):
            open_marks.append(token)
        elif token.type in ("RBRACE", "RPAR") and open_marks:
            open_marks.pop()
    if open_marks:
        mark = open_marks[-1]
        closing = "}" if mark.type == "LBRACE" else ")"
        label = Label(after, f"the statement ends here without its `{closing}`")
        help_ = f"add the `{closing}` that closes it"
        return Mistake(_error("PD105", f"`{mark.text}` is never closed", mark.span, help_, label))
    named = len(tokens) > 1 and tokens[1].type in ("NAME", "QUOTED")
    what = f"{tokens[0].text} {_shown(tokens[1])}" if named else f"this `{tokens[0].text}`"
    message = f"{what} is not finished"
    return Mistake(_error("PD103", message, after, _wanted(expected, spelling), details=_shape(tokens)))


def _another_statement(
    tokens: Sequence[Token], at: int, expected: Set[str], _spelling: Mapping[str, str]
) -> Mistake | None:
    token = tokens[at]
    if _END not in expected or token.first or token.text not in STATEMENT_WORDS or token.type == "QUOTED":
        return None
    help_ = f"put `{token.text}` on a new line"
    return Mistake(_error("PD106", "a statement begins on a line of its own", token.span, help_), None, True)


def _misplaced(
    tokens: Sequence[Token], at: int, expected: Set[str], _spelling: Mapping[str, str]
) -> Mistake | None:
    """A part of a redaction that stands behind what it has to stand before."""
    token, before = tokens[at], {t.text for t in tokens[:at]}
    if tokens[0].text != "route" or _END not in expected:
        return None
    if token.text == "with" and "when" in before:
        advice = "`with redact(…)` stands before `when`"
    elif token.text == "restored" and "redaction" in before:
        advice = "`restored` stands before `after redaction`"
    elif token.text == "redact" and "with" not in before:
        advice = "write `with redact(…)`"
    else:
        return None
    return Mistake(_error("PD101", f"unexpected `{token.text}`", token.span, advice, details=_shape(tokens)))


def _reserved(
    tokens: Sequence[Token], at: int, expected: Set[str], _spelling: Mapping[str, str]
) -> Mistake | None:
    token = tokens[at]
    if token.text not in RESERVED or "NAME" not in expected or token.type in ("QUOTED", "NAME"):
        return None
    if token.text not in STATEMENT_WORDS and at != 1 and tokens[0].text not in ("level", "enum", "fact"):
        return None
    message = f"`{token.text}` is a word of the language and cannot be a name"
    help_ = f"choose another name, such as `{token.text}_` or `my_{token.text}`"
    return Mistake(
        _error("PD104", message, token.span, help_), _put(tokens, at, _changed(token, "NAME", token.text))
    )


def _closes_nothing(
    tokens: Sequence[Token], at: int, _expected: Set[str], _spelling: Mapping[str, str]
) -> Mistake | None:
    token = tokens[at]
    pairs = {"RBRACE": "LBRACE", "RPAR": "LPAR"}
    opening = pairs.get(token.type)
    if opening is None:
        return None
    before = tokens[:at]
    if sum(t.type == opening for t in before) > sum(t.type == token.type for t in before):
        return None
    mended = [*before, *tokens[at + 1 :]]
    return Mistake(_error("PD105", f"`{token.text}` closes nothing", token.span, "remove it"), mended)


def _misspelt(
    tokens: Sequence[Token], at: int, expected: Set[str], spelling: Mapping[str, str]
) -> Mistake | None:
    token = tokens[at]
    if token.type not in ("NAME", "DOTTED") or "NAME" in expected:
        return None
    words = {spelling[t]: t for t in expected if spelling.get(t, "").replace(" ", "").isalpha()}
    pair = f"{token.text} {tokens[at + 1].text}" if at + 1 < len(tokens) else ""
    for written, taken, cutoff in ((pair, 2, 0.85), (token.text, 1, 0.7)):
        near = get_close_matches(written, sorted(words), 1, cutoff)
        if near and (taken == 1 or " " in near[0]):
            end = tokens[at + taken - 1].end
            mended = [*tokens[:at], _changed(token, words[near[0]], near[0]), *tokens[at + taken :]]
            span = Span(token.source, token.start, end)
            return Mistake(
                _error("PD101", f"unexpected `{written}`", span, f"did you mean `{near[0]}`?"), mended
            )
    return None


def _equals(
    tokens: Sequence[Token], at: int, expected: Set[str], _spelling: Mapping[str, str]
) -> Mistake | None:
    token = tokens[at]
    following = tokens[at + 1] if at + 1 < len(tokens) else token
    if token.text == "=" and following.text in ("<", ">") and following.start == token.end:
        meant = _changed(token, "COMPARISON", f"{following.text}=")
        span = Span(token.source, token.start, following.end)
        help_ = f"this comparison is written `{meant.text}`"
        return Mistake(
            _error("PD101", f"unexpected `{span.text}`", span, help_),
            [*tokens[:at], meant, *tokens[at + 2 :]],
        )
    if token.text == "=" and "COMPARISON" in expected:
        mended = _put(tokens, at, _changed(token, "COMPARISON", "=="))
        return Mistake(_error("PD101", "unexpected `=`", token.span, "a comparison is written `==`"), mended)
    if token.text == "==" and "EQUAL" in expected:
        mended = _put(tokens, at, _changed(token, "EQUAL", "="))
        return Mistake(_error("PD101", "unexpected `==`", token.span, "a definition is written `=`"), mended)
    return None


def _quotes(
    tokens: Sequence[Token], at: int, expected: Set[str], _spelling: Mapping[str, str]
) -> Mistake | None:
    token = tokens[at]
    if token.type == "NAME" and "QUOTED" in expected and "NAME" not in expected:
        alone = at + 1 == len(tokens) or tokens[at + 1].first or _goes_on(tokens[at + 1])
        mended = _put(tokens, at, _changed(token, "QUOTED", token.text)) if alone else None
        help_ = f'a text stands in quotes: `"{token.text}"`'
        return Mistake(_error("PD101", f"unexpected {_shown(token)}", token.span, help_), mended)
    value = str(token.value)
    if token.type == "QUOTED" and "NAME" in expected and "QUOTED" not in expected and value.isidentifier():
        mended = _put(tokens, at, _changed(token, "NAME", value))
        help_ = f"a name stands without quotes: `{value}`"
        return Mistake(_error("PD101", f"unexpected {_shown(token)}", token.span, help_), mended)
    return None


def _goes_on(token: Token) -> bool:
    """Whether a token may stand after a text that lacks its quotes; otherwise it is part of that text."""
    return token.keyword is not None or token.text in CONNECTIVES or token.type in ("COMMA", "RBRACE", "RPAR")


def _wanted(expected: Set[str], spelling: Mapping[str, str]) -> str:
    return f"expected {_listed(_phrases(expected, spelling))}"


def _shape(tokens: Sequence[Token]) -> tuple[str, ...]:
    word = tokens[0].text
    return (f"a statement of this kind reads: {SHAPES[word]}",) if word in SHAPES else ()


def _phrases(expected: Set[str], spelling: Mapping[str, str]) -> list[str]:
    rest = set(expected)
    phrases = []
    if rest >= _CONDITION - {"EXCEEDED"}:
        phrases.append("a condition")
        rest -= _CONDITION
    elif rest >= _VALUES:
        phrases.append("a value")
        rest -= _VALUES
    if rest >= _COMPARISON:
        phrases.append("a comparison")
        rest -= _COMPARISON | {"NOT"}
    rest -= {"DOTTED", "TARGET"} if "NAME" in rest else set()
    phrases += [phrase for terminal, phrase in _PHRASES.items() if terminal in rest]
    phrases += [f"`{text}`" for terminal, text in spelling.items() if terminal in rest]
    if _END in rest:
        phrases.append("the end of the statement")
    return phrases


def _listed(phrases: list[str]) -> str:
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])} or {phrases[-1]}"


def _shown(token: Token) -> str:
    text = token.text if len(token.text) <= 40 else token.text[:37] + "…"
    return f"`{text}`"


def _changed(token: Token, type_: str, text: str) -> Token:
    changed = Token(type_, None, text, text, token.source, token.start, token.end)
    changed.first = token.first
    return changed


def _put(tokens: Sequence[Token], at: int, token: Token) -> list[Token]:
    return [*tokens[:at], token, *tokens[at + 1 :]]


def _error(
    code: str, message: str, span: Span, help_: str, *labels: Label, details: tuple[str, ...] = ()
) -> Diagnostic:
    return Diagnostic(code, Severity.ERROR, message, span, help_, labels, details)
