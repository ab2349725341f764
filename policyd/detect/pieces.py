"""Keys in pieces: strings that a program puts together, characters that stand apart, keys that are broken across lines.

Comes in: a text as a reader sees it, in UTF-8. Goes out: what stands between the pieces, as stretches that stand for
nothing.

The one idea: pieces are joined only where joining says little else: a quote, an operator and a quote; a dozen single
characters in a row; groups of letters and digits mixed behind the beginning of a known kind of key.
"""

import re
from collections.abc import Iterator
from typing import Final

from policyd.detect.stretches import Disguise, Stretch, matches, on_re2

__all__ = ["JOIN", "PIECES"]

PART: Final = rb"[A-Za-z0-9+/=_.:@-]"
OPERATOR: Final = rb"(?:[+&]|\.{1,2}|\|\||<>)"
JOIN: Final = (
    rb"[\"'`][)]?[ \t]{0,64}(?:"
    + OPERATOR + rb"[ \t]{0,64}(?:\\?\r?\n[ \t]{0,64})?(?:" + OPERATOR + rb"[ \t]{0,64})?"
    rb"|\\?\r?\n[ \t]{0,64}(?:" + OPERATOR + rb"[ \t]{0,64})?|[ \t]"
    rb")[(]?[bfruBFRU]{0,2}[\"'`]"
)  # fmt: skip
"""What stands between two strings that are one: `" + "`, `' .\\n'`, `" "`."""


def _joins(data: bytes) -> Iterator[Stretch]:
    for match in matches(JOIN + PART, data):
        start, end = match.span()
        if start and WORD.match(data, start - 1):
            yield start, end - 1, b"", 0


WORD: Final = re.compile(PART)

ALONE: Final = rb"[A-Za-z0-9_]"
BLANK: Final = rb"(?:[ \t]|\r?\n)"
SIGN: Final = rb"[A-Za-z0-9_.:/@+=-]"
APART: Final = rb"(?:[ \t.,;:|*/\\-]|\r?\n){1,2}"
SPACED: Final = b"(?:%s(?:%s%s){11}|%s(?:%s%s){11})" % (SIGN, BLANK, SIGN, ALONE, APART, ALONE)
SPACED_RUN: Final = b"(?:%s(?:%s%s){11,}|%s(?:%s%s){11,})" % (SIGN, BLANK, SIGN, ALONE, APART, ALONE)
"""Between blanks, also the signs that keys have in them."""
BETWEEN: Final = re.compile(rb"[ \t.,;:|*/\\\r\n-]+")
BLANKS: Final = re.compile(rb"[ \t\r\n]+")
BLANKS_ONLY: Final = re.compile(b"%s(?:%s%s){11}" % (SIGN, BLANK, SIGN))
LETTERS: Final = 4
"""One of so many characters that stand apart must be a letter: rows of digits are for those who look for numbers. No more
than one of so many may be a sign: rows of those are lines and tables."""


def _spaced(data: bytes) -> Iterator[Stretch]:
    """`g h p _ 1 6`: all that stands between single characters. What follows a word and a blank, or goes before them, stays
    apart from the word, because some keys begin and end where a word would not."""
    at = 0
    for match in on_re2(SPACED_RUN).finditer(data):
        start, end = match.span()
        if start < at:
            continue
        if start > 0 and WORD_LETTER.match(data, start - 1) and WORD_LETTER.match(data, start):
            # Behind a word other signs may stand between characters than behind the first of them.
            gap = BETWEEN.match(data, start + 1)
            again = on_re2(SPACED_RUN).match(data, gap.end()) if gap else None
            if again is None:
                continue
            start, end = again.span()
        at = end
        run = data[start:end]
        between, apart, counted = WITH_BLANKS if BLANKS_ONLY.match(run) else WITH_ANY
        # A run may be megabytes: counted and translated, and not by an expression, which would hold every other thread.
        characters = len(run.translate(None, apart))
        signs, digits = sum(map(run.count, counted)), sum(map(run.count, DIGITS))
        if max(signs * LETTERS, digits * LETTERS - characters * (LETTERS - 2)) > characters:
            continue
        gaps = [gap.span() for gap in between.finditer(data, start, end)]
        before_word = WORD_LETTER.match(data, end) and WORD_LETTER.match(data, end - 1)
        for first, behind in gaps[: len(gaps) - 1 if before_word else len(gaps)]:
            yield first, behind, b"", 0


WORD_LETTER: Final = re.compile(rb"[A-Za-z0-9_]")
WITH_BLANKS: Final = (BLANKS, b" \t\r\n", (b".", b":", b"/", b"@", b"+", b"=", b"-"))
WITH_ANY: Final = (BETWEEN, b" \t.,;:|*/\\\r\n-", (b"@", b"+", b"="))
"""What stands between the characters, as an expression and as bytes, and the signs that are no letters among the rest."""
DIGITS: Final = [b"%d" % digit for digit in range(10)]

BEGINNINGS: Final = (
    rb"(?:A[KS]IA|AIza|GOCSPX-|ya29\.|gh[pousr]_|github_pat_|gl(?:pat|ptt|dt|rt)-|sk-(?:ant|proj|or|svcacct)-|xox[abeprs]-"
    rb"|[rs]k_(?:live|test)_|npm_|pypi-AgE|hf_|dop_v1_|hvs\.|shp(?:at|ss|ca|pa)_|SG\.|gl(?:sa|c)_|figd_|lin_api_|ntn_|gsk_"
    rb"|dckr_pat_|tskey-|AGE-SECRET-KEY-1|eyJ[A-Za-z0-9_-]{12})"
)
"""How keys begin that nothing else begins with."""

GAP: Final = rb"(?:[ \t]{1,3}|[ \t]{0,64}(?:\r?\n|\\n)[ \t>|#*]{0,16})"
KEY: Final = rb"[A-Za-z0-9_./+-]"
BROKEN: Final = b"(%s%s{0,200})%s%s{2}" % (BEGINNINGS, KEY, GAP, KEY)
GROUP: Final = re.compile(rb"(%s)(%s{2,200})" % (GAP, KEY))
MIXED: Final = re.compile(rb"[A-Za-z]+[0-9]|[0-9]+[A-Za-z]|.*[a-z][A-Z]")
MOST_GROUPS: Final = 64


def _broken(data: bytes) -> Iterator[Stretch]:
    """A key that goes on behind a space or on the next line, as long as what follows has letters and digits mixed."""
    at = 0
    for match in on_re2(BROKEN).finditer(data):
        at = max(at, match.end(1))
        for _ in range(MOST_GROUPS):
            group = GROUP.match(data, at)
            if group is None or not MIXED.match(group[2]):
                break
            yield *group.span(1), b"", 0
            at = group.end()


MARK: Final = (
    rb"(?:<(?:wbr|/?(?:b|i|u|s|em|strong|mark|span|code|font|tt))(?:[ \t][^<>\n]{0,100})?/?>){1,4}|\*\*"
)
MARKED: Final = rb"[A-Za-z0-9_-](?:" + MARK + rb")[A-Za-z0-9_-]"


def _marked(data: bytes) -> Iterator[Stretch]:
    """`AKIA<wbr>…`, `ghp_**…**`: what sets a part of a word in bold or lets a line break in it. Two stars between digits are
    a power of a number."""
    for match in matches(MARKED, data):
        start, end = match.span()
        if not (data[start + 1 : start + 2] == b"*" and match[0][:1].isdigit() and match[0][-1:].isdigit()):
            yield start + 1, end - 1, b"", 0


PIECES: Final[tuple[Disguise, ...]] = (
    Disguise(JOIN + PART, _joins),
    Disguise(SPACED, _spaced),
    Disguise(BROKEN, _broken),
    Disguise(MARKED, _marked),
)
