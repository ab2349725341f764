"""Which comment goes with what.

In come the places of a sequence of nodes, the comments of the file and where the sequence begins and ends; out go the
comments that stand before, in and after each node, and where the author left a blank line. A comment on the line
where a node ends follows it; one within a node stays with it; every other stands on a line of its own before the next
node, or after the last.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from policyd.syntax.lexing import Comment
from policyd.text.source import Source, Span

__all__ = ["Remark", "Setting", "settings_of"]


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment on a line of its own; `gap` says that a blank line stands before it."""

    text: str
    gap: bool


@dataclass(frozen=True, slots=True)
class Setting:
    """What surrounds one node. The last setting of a sequence has no node: its `before` are the closing remarks."""

    before: tuple[Remark, ...] = ()
    inside: tuple[Comment, ...] = ()
    after: str | None = None
    gap: bool = False


def settings_of(
    source: Source, spans: Sequence[Span], comments: Sequence[Comment], start: int, end: int
) -> list[Setting]:
    """One setting for each span and one for what follows the last, from `start` to `end` of the source."""
    first = bisect_left(comments, start, key=lambda c: c.start)
    last = bisect_left(comments, end, key=lambda c: c.start)
    text = source.text
    settings: list[Setting] = []
    at, here = start, first
    for span in spans:
        remarks: list[Remark] = []
        while here < last and comments[here].start < span.start:
            remarks.append(Remark(comments[here].text, _blank(text, at, comments[here].start)))
            at, here = comments[here].end, here + 1
        gap = _blank(text, at, span.start)
        begin = here
        while here < last and comments[here].start < span.end:
            here += 1
        inside = tuple(comments[begin:here])
        after = None
        at = span.end
        if here < last and "\n" not in text[span.end : comments[here].start]:
            following = bisect_right(spans, span.start, key=lambda s: s.start)
            if following == len(spans) or spans[following].start > comments[here].start:
                after, at, here = comments[here].text, comments[here].end, here + 1
        settings.append(Setting(tuple(remarks), inside, after, gap))
    closing = []
    while here < last:
        closing.append(Remark(comments[here].text, _blank(text, at, comments[here].start)))
        at, here = comments[here].end, here + 1
    settings.append(Setting(tuple(closing)))
    return settings


def _blank(text: str, start: int, end: int) -> bool:
    return text.count("\n", start, end) > 1
