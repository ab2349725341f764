"""What a reader learned about one request, and the notebook it learns it in.

`Reading` is the answer: the derived features of the request, a refusal if there is one, and enough to collect its text.
`Draft` is what a reader writes into while it walks a body; nothing keeps a draft after `Draft.done`.

The one idea: a reader only has to say what is *special* about a body. That every string is scanned is not its business:
`texts` collects all of them from the body itself, so a part that a reader does not know cannot hide its text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from policyd.traffic.images import Picture, image_tokens
from policyd.traffic.refused import CallerFault, Refused
from policyd.traffic.texts import collect_texts, counted_texts

__all__ = ["Draft", "Flag", "Reading"]

LARGEST_OUTPUT: Final = 2**53 - 1
"""The largest `max_tokens` that every JSON parser reads alike."""

MOST_REASONS: Final = 32
"""Places that a reading remembers for its flags."""

MOST_UNKNOWN: Final = 16
"""Places of unknown keys that a reading remembers; one is enough to count."""

LONGEST_UNKNOWN: Final = 32

MOST_PICTURES: Final = 256
"""Images whose sizes a reading remembers."""

SEAL_FROM: Final = 64
"""A string shorter than this is scanned even where it should be image data: equal short strings may be one object."""


class Flag(StrEnum):
    """The boolean features that are read from a body, by the names that a policy uses."""

    STREAM = "stream"
    TOOLS = "tools"
    IMAGES = "images"
    JSON = "json"
    REASONING = "reasoning"
    SERVER_TOOLS = "server_tools"
    STORED = "stored"
    REMOTE_CONTENT = "remote_content"
    OPAQUE = "opaque"


@dataclass(slots=True, eq=False)
class Reading:
    """The derived features of one request. With `refused` set, the request must not be decided or sent. It does not change
    (and is not frozen because one is made for every request).

    `countable` is False where the receiving server adds content that is not in the request (stored conversations,
    file ids, documents by URL) or where its length in tokens cannot be bounded (PDF, audio): the feature `tokens` is
    then unknown. `extra_tokens` is what images and framing cost beyond the counted text. `reasons` are the places
    behind the flags, for explanations: they hold key names and indices, never text. `unknown` are places inside messages,
    parts and tools of keys and types that no API documents; a target that sends requests on could take them for anything. `beside` is
    text that is sent with the body, each with a word for where it stands: whoever knows headers and query sets it.
    `unanswered`: what was asked about the texts and did not answer, with all that it may find; whoever scans sets it.
    `pictures` are the images whose size is known; what they cost at most is part of `extra_tokens`.
    """

    model: str
    flags: frozenset[Flag]
    messages: int
    max_output: int | None
    countable: bool
    extra_tokens: int
    reasons: tuple[tuple[Flag, str], ...]
    refused: Refused | None
    body: Mapping[str, Any]
    sealed: frozenset[int]
    decoded: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    beside: tuple[tuple[str, str], ...] = ()
    unanswered: tuple[tuple[str, frozenset[str]], ...] = ()

    @property
    def stream(self) -> bool:
        return Flag.STREAM in self.flags

    @property
    def tools(self) -> bool:
        return Flag.TOOLS in self.flags

    @property
    def images(self) -> bool:
        return Flag.IMAGES in self.flags

    @property
    def json(self) -> bool:
        return Flag.JSON in self.flags

    @property
    def reasoning(self) -> bool:
        return Flag.REASONING in self.flags

    @property
    def server_tools(self) -> bool:
        return Flag.SERVER_TOOLS in self.flags

    @property
    def stored(self) -> bool:
        return Flag.STORED in self.flags

    @property
    def remote_content(self) -> bool:
        return Flag.REMOTE_CONTENT in self.flags

    @property
    def opaque(self) -> bool:
        return Flag.OPAQUE in self.flags

    @property
    def texts(self) -> tuple[str, ...]:
        """All text of the request, for the detectors: every string, every key, long numbers, decoded attachments, and
        the seams between adjacent parts. Collected anew on each call (about 0.1 ms per 1,000 strings)."""
        texts = collect_texts(self.body, self.sealed, self.decoded)
        return (*texts, *(text for _, text in self.beside)) if self.beside else texts

    @property
    def prompt(self) -> tuple[str, ...]:
        """The text to count tokens over: what the model reads, without ids and settings. Collected on each call."""
        return counted_texts(self.body, self.sealed, self.decoded)

    def extra_tokens_at(self, model: str) -> int:
        """The tokens beside the text where this model looks at the images, by its family's rule."""
        return self.extra_tokens + sum(image_tokens(p, model) - p.bound for p in self.pictures)


_NEVER_SCANNED: Final = frozenset({Flag.IMAGES, Flag.REMOTE_CONTENT})


class Draft:
    """A reading in the making. The first refusal stays; flags only accumulate."""

    __slots__ = ("_decoded", "_flags", "_pictures", "_reasons", "_refused", "_sealed", "_unknown", "body", "countable", "extra_tokens",
                 "max_output", "messages", "model")  # fmt: skip

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.body = body
        self.model = ""
        self.messages = 0
        self.max_output: int | None = None
        self.countable = True
        self.extra_tokens = 0
        self._flags: set[Flag] = set()
        self._reasons: list[tuple[Flag, str]] = []
        self._refused: Refused | None = None
        self._sealed: set[int] = set()
        self._decoded: list[str] = []
        self._unknown: list[str] = []
        self._pictures: list[Picture] = []

    def flag(self, flag: Flag, place: str) -> None:
        """INVARIANT: images and remote content are never scanned, so they make the request opaque; proofs rely on it."""
        self._flags.add(flag)
        if flag in _NEVER_SCANNED:
            self._flags.add(Flag.OPAQUE)
        if len(self._reasons) < MOST_REASONS:
            self._reasons.append((flag, place))

    def opaque(self, place: str) -> None:
        self.flag(Flag.OPAQUE, place)

    def uncountable(self) -> None:
        self.countable = False

    def unknown(self, place: str, key: str) -> None:
        """No API documents this key, or the value of this `type`, there. The key is a caller's text."""
        if len(self._unknown) < MOST_UNKNOWN:
            self._unknown.append(f"{place}.{key[:LONGEST_UNKNOWN]}")

    def seal(self, value: object) -> None:
        """This string is not text (image data, an encrypted block): it is left out of what is scanned. Whoever seals
        also flags the request opaque."""
        if isinstance(value, str) and len(value) >= SEAL_FROM:
            self._sealed.add(id(value))

    def decoded(self, text: str) -> None:
        """Text that the model reads and that stood encoded in the request."""
        self._decoded.append(text)

    def picture(self, size: tuple[int, int] | None, detail: object, most: int) -> None:
        """An image, and the most that it costs before anybody knows which model looks at it."""
        self.extra_tokens += most
        if size is not None and len(self._pictures) < MOST_PICTURES:
            self._pictures.append(Picture(*size, detail if isinstance(detail, str) else "", most))

    def refuse(self, fault: CallerFault, message: str) -> None:
        if self._refused is None:
            self._refused = Refused(fault, message)

    def wrong_shape(self, place: str, wanted: str) -> None:
        self.refuse(CallerFault.WRONG_SHAPE, f"`{place}` must be {wanted}")

    def text(self, key: str) -> str:
        """A top-level string, or the empty string where there is none."""
        value = self.body.get(key)
        if isinstance(value, str):
            return value
        if key in self.body:
            self.wrong_shape(key, "a string")
        return ""

    def truth(self, key: str) -> bool:
        """A top-level boolean; absent and null are false."""
        value = self.body.get(key)
        if value is None or isinstance(value, bool):
            return bool(value)
        self.wrong_shape(key, "true or false")
        return True

    def items(self, key: str) -> list[Any]:
        """A top-level list; absent and null are empty."""
        value = self.body.get(key)
        if isinstance(value, list):
            return value
        if value is not None:
            self.wrong_shape(key, "a list")
        return []

    def limit_output(self, *keys: str) -> None:
        """The largest of these top-level limits is the most that the answer may be."""
        for key in keys:
            value = self.body.get(key)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_OUTPUT:
                self.wrong_shape(key, "a whole number from 0, written without a fraction or an exponent")
                continue
            self.max_output = value if self.max_output is None else max(self.max_output, value)

    def done(self) -> Reading:
        return Reading(
            model=self.model,
            flags=frozenset(self._flags),
            messages=self.messages,
            max_output=self.max_output,
            countable=self.countable,
            extra_tokens=self.extra_tokens,
            reasons=tuple(self._reasons),
            refused=self._refused,
            body=self.body,
            sealed=frozenset(self._sealed),
            decoded=tuple(self._decoded),
            unknown=tuple(self._unknown),
            pictures=tuple(self._pictures),
        )
