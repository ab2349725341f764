"""Text to tokens: the words, marks and literals of a policy, with their places and values.

In comes a `Source`; out come its tokens in order, its comments, and a diagnostic for each literal or character that
is wrong. One regular expression cuts the text in one pass, so the time is linear. A wrong literal still becomes a
token with a plausible value, and an unknown character a token that no rule accepts, so that the rest of the file is
checked. Which words are keywords here is decided by the parser, which knows what may stand at a place.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from policyd.syntax.grammar import RESERVED, Words
from policyd.syntax.literals import (
    Bad,
    read_date,
    read_duration,
    read_money,
    read_number,
    read_string,
)
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.text.printable import is_hidden
from policyd.text.source import Source, Span

__all__ = ["Comment", "Lexed", "Token", "cut", "is_bare_finding"]

_WORD = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*"
_FINDING = r"[A-Za-z_][A-Za-z0-9_]*(?:[.-][A-Za-z0-9_]+)*"
_CUT = r"""[ \t]*(?:
      (?P<pair>(?:starts[ \t]+(?:at|with)|at[ \t]+least)\b)
    | (?P<word>{word})
    | (?P<line>\r?\n)
    | (?P<mark>==|!=|<=|>=|\.\.|[<>={{}}(),])
    | (?P<string>"(?:[^"\\\r\n]|\\[^\r\n])*(?:"|\\)?)
    | (?P<comment>\#[^\n]*)
    | (?P<date>[0-9]+-[0-9]+-[0-9]+\w*)
    | (?P<number>[0-9][0-9_]*(?:\.[0-9][0-9_]*)?\w*)(?:[ \t]+(?P<unit>(?:day|hour|minute|second)s?)\b)?
    | (?P<money>\$[0-9_A-Za-z]*(?:[.,][0-9][0-9_A-Za-z]*)*)
    | (?P<other>[^ \t])
    | \Z
    )"""
_TOKEN = re.compile(_CUT.format(word=_WORD), re.VERBOSE | re.ASCII)
_LISTED = re.compile(_CUT.format(word=_FINDING), re.VERBOSE | re.ASCII)
"""The same where findings are listed: `redact(card-number, secret.1password)`."""
_BETWEEN = frozenset(("line", "comment"))


class Token:
    """One word, mark or literal. `type` is the terminal it is taken for; a word that is a keyword only where one may
    stand has it in `keyword` and is a NAME elsewhere. `first` says that it is the first on its line."""

    __slots__ = ("end", "first", "keyword", "source", "start", "text", "type", "value")

    # Lark copies these to the token that ends the stream; nothing reads them there.
    line = column = end_line = end_column = start_pos = end_pos = 0

    type: str
    keyword: str | None
    text: str
    value: int | str
    source: Source
    start: int
    end: int
    first: bool

    def __init__(
        self,
        type_: str,
        keyword: str | None,
        text: str,
        value: int | str,
        source: Source,
        start: int,
        end: int,
    ) -> None:
        self.type = type_
        self.keyword = keyword
        self.text = text
        self.value = value
        self.source = source
        self.start = start
        self.end = end
        self.first = False

    @property
    def span(self) -> Span:
        return Span(self.source, self.start, self.end)


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment from its `#` to the end of its line; `alone` when nothing stands before it there."""

    text: str
    start: int
    end: int
    alone: bool


@dataclass(frozen=True, slots=True)
class Lexed:
    tokens: tuple[Token, ...]
    comments: tuple[Comment, ...]
    diagnostics: tuple[Diagnostic, ...]


def cut(source: Source, words: Words) -> Lexed:
    """Every token of the file. A token of type `?` is an unknown character, already reported."""
    text = source.text
    tokens: list[Token] = []
    comments: list[Comment] = []
    found: list[Diagnostic] = []
    marks = words.marks
    first = True
    for match in _cuts(text, 1 if text.startswith("\ufeff") else 0):
        kind = match.lastgroup
        if kind == "line":
            first = True
            continue
        if kind == "word":
            token = _word(match, words.words, source)
        elif kind == "mark":
            mark = match["mark"]
            token = Token(marks.get(mark, "COMPARISON"), None, mark, mark, source, *match.span("mark"))
        elif kind == "comment":
            written = match["comment"].rstrip()
            start = match.start("comment")
            comments.append(Comment(written, start, start + len(written), first))
            continue
        elif kind == "pair":
            pair = " ".join(match["pair"].split())
            token = Token(words.words[pair], None, pair, pair, source, *match.span("pair"))
        elif kind is None:
            break
        else:
            token = _literal(kind, match, source, found)
        if first:
            token.first = True
            first = False
        tokens.append(token)
    found.extend(_hidden(source, tokens, comments))
    return Lexed(tuple(tokens), tuple(comments), tuple(found))


def is_bare_finding(name: str) -> bool:
    """Whether the name of a finding may stand without quotes where findings are listed."""
    return name not in RESERVED and re.fullmatch(_FINDING, name, re.ASCII) is not None


def _cuts(text: str, start: int) -> Iterator[re.Match[str]]:
    """Every match in order. Between `redact(` and what ends its list, the words are those of findings."""
    while True:
        before = ""
        for match in _TOKEN.finditer(text, start):
            yield match
            kind = match.lastgroup
            if kind == "word":
                before = match["word"]
            elif kind == "mark" and before == "redact" and match["mark"] == "(":
                break
            elif kind not in _BETWEEN:
                before = ""
        else:
            return
        for listed in _LISTED.finditer(text, match.end()):
            yield listed
            if listed["mark"] not in {None, ","} or listed["word"] in RESERVED:
                start = listed.end()
                break
        else:
            return


def _word(match: re.Match[str], keywords: Mapping[str, str], source: Source) -> Token:
    text = match["word"]
    start, end = match.span("word")
    keyword = keywords.get(text)
    if keyword is None:
        return Token("DOTTED" if "." in text else "NAME", None, text, text, source, start, end)
    if text in RESERVED:
        return Token(keyword, None, text, text, source, start, end)
    return Token("NAME", keyword, text, text, source, start, end)


def _literal(kind: str, match: re.Match[str], source: Source, found: list[Diagnostic]) -> Token:
    start, end = match.start("number" if kind == "unit" else kind), match.end()
    text = source.text[start:end]
    value: int | str
    wrong: list[Bad]
    match kind:
        case "string":
            type_ = "QUOTED"
            value, wrong = read_string(text)
            if len(text) == 1 or _open_ended(text):
                advice = 'a string ends with `"` on the line where it begins'
                wrong.append(Bad("PD111", "this string is never closed", advice, 0, len(text.rstrip())))
        case "unit":
            type_ = "TIMESPAN"
            value, bad = read_duration(match["number"], match["unit"], text)
            wrong = [bad] if bad else []
        case "number":
            type_ = "NUMBER"
            value, bad = read_number(text)
            wrong = [bad] if bad else []
        case "date":
            type_ = "DAY"
            value, bad = read_date(text)
            wrong = [bad] if bad else []
        case "money":
            type_ = "DOLLARS"
            value, bad = read_money(text)
            wrong = [bad] if bad else []
        case _:
            type_ = "?"
            value, wrong = text, [_unknown(text)]
            if found and found[-1].code == "PD110" and _one_line(found[-1], source, start):
                wrong = []
    for bad in wrong:
        span = Span(source, start + bad.start, start + bad.end)
        found.append(Diagnostic(bad.code, Severity.ERROR, bad.message, span, bad.help))
    return Token(type_, None, text, value, source, start, end)


def _one_line(earlier: Diagnostic, source: Source, offset: int) -> bool:
    """Curly quotes come in pairs: one finding for a line is enough."""
    return earlier.span is not None and "\n" not in source.text[earlier.span.start : offset]


def _open_ended(text: str) -> bool:
    """Whether a string lacks its closing quote: the last one is missing or escaped."""
    if not text.endswith('"'):
        return True
    body = text[1:-1]
    return (len(body) - len(body.rstrip("\\"))) % 2 == 1


def _unknown(ch: str) -> Bad:
    if ch in "\u201c\u201d\u201e\u00ab\u00bb'`":
        return Bad("PD110", f"unknown character `{ch}`", 'quote text with `"`', 0, 1)
    if ch == "-":
        advice = "names are letters, digits and `_`; write other words as quoted text"
        return Bad("PD110", "`-` cannot stand here", advice, 0, 1)
    if is_hidden(ch) or ch.isspace() or unicodedata.combining(ch):
        named = f"U+{ord(ch):04X} {unicodedata.name(ch, 'control character')}"
        return Bad(
            "PD110",
            f"unknown character {named}",
            "remove it; spaces, tabs and line breaks separate words",
            0,
            1,
        )
    near = {
        "&": "`and`",
        "|": "`or`",
        "!": "`not`",
        ";": "a new line",
        ":": "a space",
        "[": "`{`",
        "]": "`}`",
    }
    advice = f"write {near[ch]}" if ch in near else "remove it, or write the text in quotes"
    return Bad("PD110", f"unknown character `{ch}`", advice, 0, 1)


def _hidden(source: Source, tokens: Iterable[Token], comments: Iterable[Comment]) -> list[Diagnostic]:
    """Characters in strings and comments that make a person read another policy than the parser does."""
    places = [(t.start, t.end) for t in tokens if t.type == "QUOTED" and is_hidden(t.text.replace("\t", ""))]
    places += [(c.start, c.end) for c in comments if is_hidden(c.text.replace("\t", ""))]
    found = []
    for start, end in places:
        where = "string" if source.text[start] == '"' else "comment"
        for offset in range(start, end):
            ch = source.text[offset]
            if ch != "\t" and is_hidden(ch):
                named = f"U+{ord(ch):04X} {unicodedata.name(ch, 'control character')}"
                advice = f"write `\\u{{{ord(ch):x}}}` if you mean it" if where == "string" else "remove it"
                message = f"{named} in a {where} is refused: it hides what the policy says"
                found.append(
                    Diagnostic("PD113", Severity.ERROR, message, Span(source, offset, offset + 1), advice)
                )
    return found
