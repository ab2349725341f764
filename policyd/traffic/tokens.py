"""How many tokens a prompt has: bounds that cost nothing, and an exact count that stops early.

Comes in: texts (a reading's `prompt`) and a limit. Goes out: a number of tokens, exact up to the limit.

The one idea: most thresholds are settled by bounds. A byte-level tokenizer never makes more tokens than there are UTF-8
bytes, and o200k and cl100k never fewer than there are runs of letters plus a third of the digits. Only between the bounds is a
tokenizer loaded (about 100 MB; call `preload` at start-up) and run, in pieces of 16,384
characters, so that whoever drives the steps holds the interpreter for a millisecond at a time.

A `Measure` says which vocabulary stands for a model, and by what its count is multiplied: other models have other vocabularies, and
current Claude models none that is public. docs/tokens.md says by how much that errs. Framing and images are added by the reader as
upper bounds (`Reading.extra_tokens`).

A text is cut before a space that follows a non-space, where both vocabularies always start a new word, so pieces add up exactly; in
text without spaces a cut may miscount by a few tokens a megabyte.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from policyd.memo import Memo

__all__ = [
    "AS_COUNTED",
    "Measure",
    "Step",
    "TokenCounter",
    "Tokenizer",
    "byte_bounds",
    "count_till_limit",
    "counting_steps",
    "least",
    "preload",
    "size_of",
]

PIECE: Final = 16_384
"""Characters that are counted in one step."""

REMEMBER_FROM: Final = 512
"""A shorter text is counted faster than it is looked up."""


class Tokenizer(Protocol):
    """What a vocabulary must do for us."""

    def count(self, text: str) -> int: ...


class Measure(NamedTuple):
    """How tokens are estimated: a vocabulary's exact count, times `permille` / 1000, rounded up. In whole numbers, so that
    every process has the same."""

    vocabulary: str = "o200k"
    permille: int = 1000

    def of(self, counted: int) -> int:
        """The estimate where the vocabulary counts so many."""
        return -(-counted * self.permille // 1000)

    def reached_at(self, tokens: int) -> int:
        """The smallest count of the vocabulary whose estimate is at least so many."""
        return (tokens - 1) * 1000 // self.permille + 1


AS_COUNTED: Final = Measure()


class Step(NamedTuple):
    """A piece that was counted: its tokens, and its bytes, which bound what is left."""

    tokens: int
    size: int


@lru_cache(maxsize=2)
def _vocabulary(name: str) -> Tokenizer:
    """bpe-openai's Rust tokenizer, from its private module: the only place that knows of it."""
    from bpe_openai._bindings import tokenizer_for_encoding  # type: ignore[import-untyped]  # noqa: PLC0415

    tokenizer: Tokenizer = tokenizer_for_encoding(f"{name}_base")
    return tokenizer


def preload(vocabulary: str = AS_COUNTED.vocabulary) -> None:
    """Load the vocabulary now, and not with the first request that needs it. The first count loads what is left of it."""
    _vocabulary(vocabulary).count("a word")


JOINERS: Final = b"'" + bytes(range(0x80, 0x100))
"""Bytes that may stand inside one token between two letters or digits: contractions, and every other script."""

CLASSES: Final = bytes(
    0x61 if chr(b).isalpha() and b < 0x80 else 0x31 if 0x30 <= b <= 0x39 else 0x20 for b in range(256)
)


def byte_bounds(texts: Iterable[str]) -> tuple[int, int]:
    """At least and at most this many tokens, of o200k and of cl100k.

    At most: each token is at least one byte. At least: with joiners removed, all letters of one token lie in one run of
    letters, and all its digits, of which it has at most three, in one run of digits; so each run needs a token of its own.
    """
    low = high = 0
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        high += len(data)
        low += _least(data)
    return low, high


def least(text: str) -> Iterator[int]:
    """The lower of `byte_bounds`, piece by piece: a text of megabytes must not hold the interpreter. Cutting it can only
    make more runs, as it makes more tokens."""
    for piece in _pieces(text):
        yield _least(piece.encode("utf-8", "surrogatepass"))


def size_of(text: str) -> int:
    """The UTF-8 bytes of a text, which are the most tokens that it can have."""
    if text.isascii():
        return len(text)
    starts = range(0, len(text), PIECE)
    return sum(len(text[at : at + PIECE].encode("utf-8", "surrogatepass")) for at in starts)


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

    __slots__ = ("_memo", "_tokenizer", "_vocabulary")

    def __init__(
        self,
        tokenizer: Tokenizer | None = None,
        *,
        vocabulary: str = AS_COUNTED.vocabulary,
        memo_bytes: int = 8 << 20,
        salt: bytes = b"",
    ) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._memo: Memo[int] = Memo(memo_bytes, salt=salt, cost=140)

    def known(self, text: str) -> tuple[bytes | None, int | None]:
        """The key under which this text is remembered, if it is long enough, and its tokens, if they are known."""
        if len(text) < REMEMBER_FROM:
            return None, None
        key = self._memo.key(text)
        return key, self._memo.get(key)

    def steps(self, text: str, key: bytes | None) -> Iterator[Step]:
        """The text, piece by piece: an event loop may run one step at a time. `key` is what `known` gave: with the last
        piece the sum is remembered."""
        tokenizer = self._tokenizer or _vocabulary(self._vocabulary)
        total, left = 0, len(text)
        for piece in _pieces(text):
            tokens = tokenizer.count(piece)
            total, left = total + tokens, left - len(piece)
            if key is not None and left == 0:
                self._memo.put(key, total)
            yield Step(tokens, len(piece) if piece.isascii() else len(piece.encode("utf-8", "surrogatepass")))

    def counting_steps(self, texts: Iterable[str], limit: int) -> Iterator[int]:
        """The running total after each piece; the last one is the answer. It ends with the first total above the limit."""
        total = 0
        yield total
        for text in texts:
            key, known = self.known(text)
            if known is not None:
                total += known
                yield total
            else:
                for step in self.steps(text, key):
                    total += step.tokens
                    yield total
                    if total > limit:
                        return
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
