"""How far a finding reaches: from where a detector stopped looking to the end of what must not be seen.

In come a text and the spans of its findings; out go values, and the names of what reaches farther than this text. The one
idea: a detector reports what proves a finding, such as the first line of a key, and that is not all of it. Where the end
cannot be told the finding is named instead of cut, so that nobody sends the rest.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from policyd.detect.patterns import MARKERS
from policyd.detect.scanner import Span
from policyd.redact.passwords import end_of_password

__all__ = ["LONGEST", "Extent", "covered", "extents"]

LONGEST: Final = 64 * 1024
"""Characters of the longest thing that is one value. What is longer is a text that overflowed a detector."""

OVERFLOWED: Final = 4096
"""Characters of a text that is no value as a whole: a detector gave up on it."""

_EDGES: Final = " \t\r\n\"'`,;()<>{}"
_TOKEN_EDGES: Final = _EDGES + ".:!?|&*#[]\\"
"""What detectors take along to see where a token ends."""

_EXACT: Final = frozenset({"secret.assigned", "secret.authorization", "secret.connection-string"})
"""Passwords, which may hold anything; they are reported without what stands around them."""

_RUN: Final = re.compile(r"[A-Za-z0-9+/_-]*(?:[.~][A-Za-z0-9+/_-]{8,})*={0,2}")
_ARMOUR: Final = re.compile(r"-----? ?BEGIN ([A-Z0-9 ]+?) ?-----?")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]")
_BREAKS: Final = re.compile(r"\\[rn]|\s")
_LINES: Final = re.compile(
    r"[A-Za-z0-9+/]{20,}+(?:(?:\\[rn]|\s){1,64}+[A-Za-z0-9+/]{20,}+)*+(?:={0,2}+|)(?:(?:\\[rn]|\s){1,64}[A-Za-z0-9+/]+={1,2})?"
)
_BEFORE: Final = 64
_REACHING: Final = ("private-key.", "secret.")
_ARMOURED: Final = b"-----BEGIN"

_OPENSSH: Final = b"openssh-key-v1\0"

MOST_OBJECTS: Final = 64
"""Braces in front of a key in an object that are tried for the one that opens it."""

ENOUGH: Final = 8
"""Letters and digits that a password has which is looked for by itself."""

_SIGNS: Final = re.compile(r"[^\W_]")

_PUTTY_END: Final = re.compile(r"Private-MAC: *[0-9a-fA-F]{40,64}")
_IN_ONE_WORD: Final = frozenset({"private-key.age", "private-key.wireguard"})


class Extent(NamedTuple):
    """What is to be taken out, as it stands in the text."""

    value: str
    name: str


def covered(name: str, names: Iterable[str]) -> bool:
    """Whether one of `names` is this finding or above it."""
    return any(name == own or name.startswith(own + ".") for own in names)


def extents(text: str, spans: Iterable[Span], names: tuple[str, ...]) -> tuple[list[Extent], set[str]]:
    """The values of the findings that `names` cover, and the names of findings whose end is not in this text."""
    out: list[Extent] = []
    lost: set[str] = set()
    since = reached = 0
    for start, end, name in spans:
        # One that lies in what the last one reaches goes with it; one that has no end is told once.
        inside = since < start and end <= reached and name.startswith(_REACHING)
        if inside or name in lost or not covered(name, names):
            continue
        gave_up = end - start == len(text) > OVERFLOWED
        place = None if gave_up or end - start > LONGEST else _reach(text, start, end, name)
        if place is None or place[1] - place[0] > LONGEST:
            lost.add(name)
        elif place[0] < place[1]:
            if place[1] > reached:
                since, reached = start, place[1]
            out.append(Extent(text[place[0] : place[1]], name))
            if name in _EXACT and place[1] > end and len(_SIGNS.findall(text[start:end])) >= ENOUGH:
                # What was taken along may be none of the password, which may stand alone elsewhere.
                out.append(Extent(text[start:end], name))
    return out, lost


def _reach(text: str, start: int, end: int, name: str) -> tuple[int, int] | None:
    """From where to where the finding reaches. INVARIANT: it looks at a bounded stretch around the span."""
    if name in MARKERS:
        return None
    if name.startswith("private-key."):
        return _key(text, start, end, name)
    if name.startswith("custom."):
        return start, end
    if name in _EXACT:
        last = end_of_password(text, start, end)
        return None if last is None else (start, last)
    is_token = name.startswith("secret.")
    start, end = _trimmed(text, start, end, _TOKEN_EDGES if is_token else _EDGES)
    if is_token and start < end:
        # A format of a fixed length may be the beginning of a longer token.
        run = _RUN.match(text, end, end + LONGEST)
        end = end if run is None else run.end()
    return start, end


def _trimmed(text: str, start: int, end: int, edges: str = _EDGES) -> tuple[int, int]:
    while start < end and text[start] in edges:
        start += 1
    while end > start and text[end - 1] in edges:
        end -= 1
    return start, end


def _key(text: str, start: int, end: int, name: str) -> tuple[int, int] | None:
    """A private key with all its lines; None where its end is not here."""
    far = start + LONGEST
    if name == "private-key.putty":
        mac = _PUTTY_END.search(text, start, far)
        return None if mac is None else (start, mac.end())
    if name == "private-key.jwk":
        return _object(text, start, end)
    if name in _IN_ONE_WORD:
        return _trimmed(text, start, end)
    armour = _ARMOUR.match(text, start)
    if armour is not None:
        closing = re.compile(rf"-----? ?END {re.escape(armour[1])} ?-----?").search(text, armour.end(), far)
        return None if closing is None else (start, closing.end())
    # Only the first bytes of a key stand before what is looked for.
    first = max(0, start - _BEFORE)
    while start > first and _BASE64.fullmatch(text[start - 1]):
        start -= 1
    lines = _LINES.match(text, start, far)
    if lines is None or lines.end() < end or not _is_whole(_BREAKS.sub("", lines[0])):
        return None
    return start, lines.end()


def _is_whole(encoded: str) -> bool:
    """Whether a key in base64 is all here, by what its own first bytes say, or by its last line."""
    plain = encoded.rstrip("=")
    try:
        data = base64.b64decode(plain[: len(plain) // 4 * 4])
    except binascii.Error:
        return False
    if data.startswith(_ARMOURED):
        return data.count(b"-----") >= 3
    if data.startswith(_OPENSSH):
        return _openssh_size(data) <= len(data) + 3
    if data[:1] != b"\x30" or len(data) < 5:
        return False
    size = data[1]
    if size >= 0x80:
        length = size & 0x7F
        size = int.from_bytes(data[2 : 2 + length]) + length
    # The last three bytes may be in what was cut off above.
    return len(data) + 3 >= size + 2


def _openssh_size(data: bytes) -> int:
    """How long a key in OpenSSH's own format says that it is: a cipher, how its key is made, with what, how many keys, and for
    each one that is public and one that is not. More than there is where that cannot be read."""
    too_long = len(data) + 4
    at = len(_OPENSSH)
    strings, keys = 3, None
    while strings > 0 or keys is None:
        if at + 4 > len(data):
            return too_long
        number = int.from_bytes(data[at : at + 4])
        at += 4
        if strings > 0:
            at, strings = at + number, strings - 1
        elif keys is None:
            # The private ones are one string, however many there are.
            keys, strings = number, number + 1
            if number > MOST_OBJECTS:
                return too_long
    return at


_DECODER: Final = json.JSONDecoder()


def _object(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The JSON object with the key's parts. Its other numbers give the key away as well, so all of it goes."""
    opened = start
    for _ in range(MOST_OBJECTS):
        opened = text.rfind("{", max(0, start - LONGEST), opened)
        if opened < 0:
            return None
        try:
            found, closed = _DECODER.raw_decode(text[opened : opened + LONGEST])
        except (ValueError, RecursionError):
            continue
        if opened + closed >= end and isinstance(found, dict) and "kty" in found:
            return opened, opened + closed
    return None
