"""Claims that no file holds, in the words of an assertion: `never location == cloud when sensitivity >= confidential`.

In comes a source with one claim, or one with a claim on each line; out come the assertions they are, as the grammar of
`assert` reads them, and every mistake in them. The one idea: the words `assert NAME` are put before the claim's own
tokens, so that nothing of the grammar is written twice and every place is a place in the claim's text. A whole
`assert` statement is a claim as well. An assertion made here is named by its text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lark import Lark

from policyd.syntax import nodes as n
from policyd.syntax.grammar import Words
from policyd.syntax.lexing import Token, cut
from policyd.syntax.parse import language
from policyd.syntax.statements import read_statement
from policyd.text.diagnostic import Diagnostic, Severity, in_order
from policyd.text.source import Source, Span

__all__ = ["Claims", "parse_claim", "parse_claims", "parse_predicate"]

_HELP = (
    "a claim is `never CONDITION [when CONDITION]`, `always CONDITION [when CONDITION]`, "
    "`never rejected [when CONDITION]` or `claimed never loosens`"
)
_PREDICATE = "write what targets are like, such as `location == cloud`"


@dataclass(frozen=True, slots=True)
class Claims:
    """What could be read. Only without diagnostics are the assertions all that was claimed. No two have one name."""

    assertions: tuple[n.Assert, ...]
    diagnostics: tuple[Diagnostic, ...]


def parse_claim(source: Source) -> Claims:
    """The one claim that the source is."""
    parser, words = language()
    lexed = cut(source, words)
    read, found = _claim(lexed.tokens, source, parser, words)
    return Claims(read, in_order((*lexed.diagnostics, *found)))


def parse_predicate(source: Source) -> Claims:
    """The claim that no target of which this predicate is true is ever a candidate; named by the predicate."""
    parser, words = language()
    lexed = cut(source, words)
    if not lexed.tokens:
        nothing = Diagnostic("PD107", Severity.ERROR, "this says nothing", Span(source, 0, 0), _PREDICATE)
        return Claims((), in_order((*lexed.diagnostics, nothing)))
    at = lexed.tokens[0].start
    never = Token("NEVER", "NEVER", "never", "never", source, at, at)
    read, found = _claim((never, *lexed.tokens), source, parser, words)
    return Claims(read, in_order((*lexed.diagnostics, *(_without_when(d) for d in found))))


def _without_when(mistake: Diagnostic) -> Diagnostic:
    """With a help that does not lead on to `when`, which a predicate has not."""
    leads = mistake.help is None or "`when`" in mistake.help or "when CONDITION" in mistake.help
    return replace(mistake, help=_PREDICATE) if leads else mistake


def parse_claims(source: Source) -> Claims:
    """A claim on each line. A line that begins with a space goes on with the one before it."""
    parser, words = language()
    lexed = cut(source, words)
    found = [*lexed.diagnostics]
    assertions: dict[str, n.Assert] = {}
    for tokens in _lines(lexed.tokens):
        read, wrong = _claim(tokens, source, parser, words)
        found.extend(wrong)
        for assertion in read:
            assertions.setdefault(assertion.name.text, assertion)
    if not lexed.tokens and not found:
        found.append(_nothing(source))
    return Claims(tuple(assertions.values()), in_order(found))


def _lines(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    line: list[Token] = []
    for token in tokens:
        margin = token.start == 0 or token.source.text[token.start - 1] in "\n\ufeff"
        if margin and line:
            yield line
            line = []
        line.append(token)
    if line:
        yield line


def _claim(
    tokens: Sequence[Token], source: Source, parser: Lark, words: Words
) -> tuple[tuple[n.Assert, ...], tuple[Diagnostic, ...]]:
    if not tokens:
        return (), (_nothing(source),)
    text = Span(source, tokens[0].start, tokens[-1].end)
    statement = list(tokens)
    if tokens[0].text != "assert":
        at = tokens[0].start
        statement = [
            Token("ASSERT", "ASSERT", "assert", "assert", source, at, at),
            Token("NAME", None, "claim", "claim", source, at, at),
            *tokens,
        ]
    for token in statement:
        # What is one claim is one statement, however its words stand on lines.
        token.first = False
    read, found = read_statement(statement, parser, words)
    if found:
        return (), tuple(_in_its_words(d) for d in found)
    claims = [s for s in read if isinstance(s, n.Assert)]
    if len(claims) != 1 or len(read) != 1:
        return (), (Diagnostic("PD101", Severity.ERROR, "this is not one claim", text, _HELP),)
    assertion = claims[0]
    name = " ".join(_from_claim(tokens).split())
    return (replace(assertion, name=n.Ident(name, text), span=text),), ()


def _in_its_words(mistake: Diagnostic) -> Diagnostic:
    """Without the words that were put before the claim and that nobody wrote."""
    message = mistake.message.replace("assert `claim` is", "this claim is")
    return replace(mistake, message=message, help=mistake.help or _HELP, details=())


def _from_claim(tokens: Sequence[Token]) -> str:
    """The claim's words without a leading `assert NAME`."""
    first = tokens[2] if tokens[0].text == "assert" else tokens[0]
    return first.source.text[first.start : tokens[-1].end]


def _nothing(source: Source) -> Diagnostic:
    return Diagnostic("PD107", Severity.ERROR, "this claims nothing", Span(source, 0, 0), _HELP)
