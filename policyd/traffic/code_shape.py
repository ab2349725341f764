"""Which lines of a text are code, by their shape alone.

In come texts, out go how many of their characters are code and how many there are, or the text without its code. The one
idea: a line is judged by itself and by the fence around it: brackets and semicolons at its end, a keyword at its beginning,
more signs than prose has. No language is parsed and no model asked, so the same text always gives the same answer, and
each line is looked at once.

It errs where prose has the shape of code (a table of signs, a formula) and where code has the shape of prose (a comment
that begins without a sign, a query in words).
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["code_in", "is_code_line", "percent", "prose_of"]

LONGEST_LINE: Final = 240
"""Characters of a line that are looked at; the rest of it counts as they do."""

_FENCE: Final = re.compile(r"\s{0,3}(?:```+|~~~+)\s*([\w+#.-]*)")
_WORDS: Final = frozenset({"text", "txt", "markdown", "md", "plain", "plaintext", "quote"})
"""What stands behind a fence around words."""

_BEGINS: Final = re.compile(
    r"\s*(?:"
    r"(?:async\s+)?def\s+\w+\s*\(|class\s+\w+\s*[(:{<]|class\s+\w+\s+(?:extends|implements)\b|import\s+[\w{*\"'./]+(?:\s+as\s+\w+|\s*[;,]|\s*$|.*\bfrom\s+[\"'])"
    r"|from\s+[\w.]+\s+import\b|return\b.*(?:[;()\[\]{}=]|\w\.\w|\w\s+[-+*/%]\s+\w)|(?:if|elif|for|while|switch|catch|foreach)\s*\(|(?:if|elif|for|while|with|except)\b[^.?!]*:\s*$"
    r"|else\s*[:{]|try\s*[:{]|(?:const|let|var|val)\s+[\w{\[]+.*=|(?:export|public|private|protected|static|final|abstract)\s+\w+.*[({;=]"
    r"|function\b\s*\w*\s*\(|func\s+[\w(]|fn\s+\w+\s*[(<]|impl\b.*\{|package\s+[\w.]+;?\s*$|use\s+[\w:]+(?:::|;)|namespace\s+\w|using\s+[\w.]+;"
    r"|#\s*(?:include|define|ifdef|ifndef|endif|pragma)\b|#!|//|/\*|\*/|<!--|</?[a-zA-Z][\w:-]*(?:\s[^<>]*)?/?>|@\w+(?:\(|\s*$)|\$\s+\w"
    r"|(?:SELECT|INSERT\s+INTO|UPDATE|DELETE\s+FROM|CREATE\s+(?:TABLE|INDEX|VIEW)|ALTER\s+TABLE|DROP\s+TABLE)\s+\S"
    r"|[\w.\[\]\"']+\s*(?:=|\+=|-=|:=|==)\s*\S|[\w.]+\([^)]*\)[;:,]?\s*$|\"[\w-]+\"\s*:\s|[+-]{1,3}\s*(?:\w+\(|[\w.]+\s*=|[{}\])])|@@\s"
    r")"
)
_ENDS: Final = re.compile(r"(?:[{};]|\)\s*:|=>|->|\\|\[|\(|&&|\|\|)\s*$|^\s*[\])}]+[;,)]*\s*$")
_SIGNS: Final = re.compile(r"[{}()\[\];=<>|&*_\\^~$#@+`]|::|->|=>")
_SPACED: Final = re.compile(r"^(?:\t|  +)\S")


_INDENTED: Final = ("  ", "\t")
"""What stands indented below code is code."""


def is_code_line(line: str) -> bool:
    """Whether the line has the shape of code. Blank lines have none."""
    line = line[:LONGEST_LINE]
    bare = line.strip()
    if not bare:
        return False
    if _BEGINS.match(line) or _ENDS.search(line):
        return True
    signs = len(_SIGNS.findall(bare))
    return signs * 8 >= len(bare) if _SPACED.match(line) else signs * 5 >= len(bare)


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Each line that is not blank, and whether it is code. A fence is neither."""
    fenced: str | None = None
    before = False
    for line in text.splitlines():
        fence = _FENCE.match(line) if "`" in line or "~" in line else None
        if fence is not None:
            fenced = fence[1].lower() if fenced is None else None
            before = False
        elif line.strip():
            if fenced is not None:
                before = fenced not in _WORDS
            else:
                before = (before and line.startswith(_INDENTED)) or is_code_line(line)
            yield line, before


def code_in(texts: Iterable[str]) -> tuple[int, int]:
    """Characters of code, and of all lines; white space at the ends of lines is not counted."""
    code = every = 0
    for text in texts:
        for line, is_code in _lines(text):
            size = len(line.strip())
            every += size
            if is_code:
                code += size
    return code, every


def percent(code: int, every: int) -> int:
    """The share of code as a whole number from 0 to 100; 100 only where there is nothing else, 0 only where there is none."""
    if not every or not code:
        return 0
    return 100 if code == every else max(1, min(99, code * 100 // every))


def prose_of(text: str) -> str:
    """The text without its lines of code."""
    return "\n".join(line for line, is_code in _lines(text) if not is_code)
