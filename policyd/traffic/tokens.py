"""How many tokens a prompt has: bounds that cost nothing, and an exact count that stops early.

Comes in: texts (a reading's `prompt`) and a limit. Goes out: a number of tokens, exact up to the limit.

The one idea: most thresholds are settled by bounds. A byte-level tokenizer never makes more tokens than there are UTF-8
bytes, and o200k never fewer than there are runs of letters plus a third of the digits. Only between the bounds is a
tokenizer loaded (about 100 MB and, cold, most of a second: call `preload` at start-up) and run, in pieces of 16,384
characters, so that whoever drives `counting_steps` holds the interpreter for a few milliseconds at a time at most.

What it counts with: o200k_base, exactly, for text. Other models have other vocabularies, and current Claude models none that
is public, so for them the count is an estimate whose error this module does not know: compare it with the `usage` that the
servers report, and let a target declare a smaller window where it matters. Framing and images are added by the reader as upper
bounds (`Reading.extra_tokens`).

A text is cut before a space that follows a non-space, where o200k always starts a new word, so pieces add up exactly; in
text without spaces a cut may miscount by a few tokens a megabyte.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, Protocol

from policyd.memo import Memo

__all__ = ["TokenCounter", "Tokenizer", "byte_bounds", "count_till_limit", "counting_steps", "preload"]

PIECE: Final = 16_384
"""Characters that are counted in one step."""

REMEMBER_FROM: Final = 512
"""A shorter text is counted faster than it is looked up."""


class Tokenizer(Protocol):
    """What a vocabulary must do for us."""

    def count(self, text: str) -> int: ...


@lru_cache(maxsize=1)
def _o200k() -> Tokenizer:
    """bpe-openai's Rust tokenizer, from its private module: the only place that knows of it."""
    from bpe_openai._bindings import tokenizer_for_encoding  # type: ignore[import-untyped]  # noqa: PLC0415

    tokenizer: Tokenizer = tokenizer_for_encoding("o200k_base")
    return tokenizer


def preload() -> None:
    """Load the vocabulary now, and not with the first request that needs it."""
    _o200k()


JOINERS: Final = b"'" + bytes(range(0x80, 0x100))
"""Bytes that may stand inside one token between two letters or digits: contractions, and every other script."""

CLASSES: Final = bytes(
    0x61 if chr(b).isalpha() and b < 0x80 else 0x31 if 0x30 <= b <= 0x39 else 0x20 for b in range(256)
)


def byte_bounds(texts: Iterable[str]) -> tuple[int, int]:
    """At least and at most this many o200k tokens.

    At most: each token is at least one byte. At least: with joiners removed, all letters of one token lie in one run of
    letters, and all its digits, of which it has at most three, in one run of digits; so each run needs a token of its own.
    """
    low = high = 0
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        high += len(data)
        low += _least(data)
    return low, high


def _least(data: bytes) -> int:
    classes = b" " + data.translate(CLASSES, JOINERS)
    words = classes.count(b" a") + classes.count(b"1a")
    numbers = classes.count(b" 1") + classes.count(b"a1")
    return words + max(numbers, -(-classes.count(b"1") // 3))


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces of at most `PIECE` characters, cut before a space that follows a non-space where there is one."""
    start, size = 0, len(text)
    while size - start > PIECE:
        end = start + PIECE
        cut = text.rfind(" ", start + 1, end + 1)
        while cut > start and text[cut - 1].isspace():
            cut = text.rfind(" ", start + 1, cut)
        if cut <= start:
            cut = end
        yield text[start:cut]
        start = cut
    yield text[start:]


class TokenCounter:
    """A tokenizer with a memory: an agent sends its history again on every turn. Safe to share between threads."""

    __slots__ = ("_memo", "_tokenizer")

    def __init__(
        self, tokenizer: Tokenizer | None = None, *, memo_bytes: int = 8 << 20, salt: bytes = b""
    ) -> None:
        self._tokenizer = tokenizer
        self._memo: Memo[int] = Memo(memo_bytes, salt=salt, cost=140)

    def counting_steps(self, texts: Iterable[str], limit: int) -> Iterator[int]:
        """The running total after each piece; the last one is the answer. It ends with the first total above the limit.
        Each step is at most one piece of work, so an event loop may run one step at a time."""
        tokenizer = self._tokenizer or _o200k()
        total = 0
        yield total
        for text in texts:
            key = self._memo.key(text) if len(text) >= REMEMBER_FROM else None
            known = self._memo.get(key) if key is not None else None
            if known is not None:
                total += known
                yield total
            else:
                before = total
                for piece in _pieces(text):
                    total += tokenizer.count(piece)
                    yield total
                    if total > limit:
                        return
                if key is not None:
                    self._memo.put(key, total - before)
            if total > limit:
                return

    def count_till_limit(self, texts: Iterable[str], limit: int) -> int:
        """The number of tokens if it is at most `limit`; some number above the limit otherwise."""
        total = 0
        for running in self.counting_steps(texts, limit):
            total = running
        return total


@lru_cache(maxsize=1)
def _shared() -> TokenCounter:
    return TokenCounter()


def counting_steps(texts: Iterable[str], limit: int) -> Iterator[int]:
    """`TokenCounter.counting_steps` of the process-wide counter."""
    return _shared().counting_steps(texts, limit)


def count_till_limit(texts: Iterable[str], limit: int) -> int:
    """`TokenCounter.count_till_limit` of the process-wide counter."""
    return _shared().count_till_limit(texts, limit)
