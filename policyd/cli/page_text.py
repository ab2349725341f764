"""A page of `docs/rules/` as a person reads it in a terminal.

In comes Markdown as those pages use it (a title, headings, paragraphs, lists, fenced examples, links); out go lines:
paragraphs filled to a width, examples set in and never wrapped, links by their words. It is no reader of all Markdown.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence

from policyd.cli.output import Style

__all__ = ["page_lines"]

_LINK = re.compile(r"\[([^\]]*)\]\(([^)]*)\)")
_LISTED = re.compile(r"([-*]|[0-9]+\.) ")


def page_lines(page: str, *, style: Style, width: int) -> Iterator[str]:
    """The lines of a page, none of them wider than `width` but for examples."""
    paragraph: list[str] = []
    lines = iter(page.rstrip("\n").split("\n"))
    for line in lines:
        fenced = line.startswith("```")
        if not fenced and line and not line.startswith("#") and not (paragraph and _LISTED.match(line)):
            paragraph.append(line)
            continue
        yield from _filled(paragraph, style, width)
        paragraph = []
        if fenced:
            yield from _example(line.removeprefix("```"), lines, style)
        elif line.startswith("#"):
            yield style.bold(line.lstrip("# "))
        elif line:
            paragraph.append(line)
        else:
            yield ""
    yield from _filled(paragraph, style, width)


def _example(info: str, lines: Iterator[str], style: Style) -> Iterator[str]:
    """Everything up to the closing fence, with what it is: a file's name, or whether policyd takes it."""
    words = info.split()
    for word in words[1:]:
        if word.startswith("file="):
            yield style.dim(f"  {word.removeprefix('file=')}")
        else:
            yield {"reject": style.red("  not accepted"), "accept": style.green("  accepted")}.get(word, word)
    for line in lines:
        if line.startswith("```"):
            return
        yield f"    {line}".rstrip()


def _filled(paragraph: Sequence[str], style: Style, width: int) -> Iterator[str]:
    if not paragraph:
        return
    text = " ".join(line.strip() for line in paragraph)
    listed = _LISTED.match(text)
    room = "" if listed is None else " " * listed.end()
    words = _LINK.sub(r"\1", text).replace("**", "")
    for line in textwrap.wrap(
        words, width, subsequent_indent=room, break_long_words=False, break_on_hyphens=False
    ):
        yield re.sub(r"`([^`]+)`", lambda word: style.bold(word[1]) if style.colour else word[0], line)
