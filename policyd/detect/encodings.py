"""The encodings that a model undoes as it reads, and where a text holds them.

Comes in: a text as a reader sees it, in UTF-8. Goes out: the stretches of each encoding with what they stand for.

The one idea: what is looked for is printable text in an encoding, not the encoding. Base64 of text has a shape, four
characters at a time, that base64 of an image or a hash has not, so random data is passed over without decoding it.

Not here: a second level of any of them, and compression.
"""

import binascii
import html
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from policyd.detect.stretches import Disguise, Stretch, matches, on_re2
from policyd.detect.visible import searched

__all__ = ["ENCODINGS"]

PERCENT: Final = rb"%[0-9A-Fa-f]{2}"
ENTITY: Final = rb"&(?:#(?:[0-9]{2,7}|[xX][0-9A-Fa-f]{2,6});?|[A-Za-z]{2,8};)"
COLOUR: Final = rb"(?:\x1b|\\{1,4}(?:u001[bB]|x1[bB]|033|e))\[[0-9;:?]{0,24}[A-Za-z]"
"""What terminals take for a colour or a movement, as it is or written as an escape."""
ESCAPE: Final = (
    rb"(?:" + COLOUR + rb"|\x1b|%u[0-9A-Fa-f]{4}|\\/"
    rb"|\\{1,4}(?:u[0-9A-Fa-f]{4}|U000[0-9A-Fa-f]{5}|x[0-9A-Fa-f]{2}|u\{[0-9A-Fa-f]{1,6}\}|[0-3][0-7]{2}))"
)  # fmt: skip
QUOTED: Final = rb"=3[Dd]|=\r?\n"
QUOTED_ANY: Final = rb"=(?:\r?\n|[0-9A-F]{2}(?:=[0-9A-F]{2})*)"

LONGEST_KEPT: Final = 12
"""Bytes of a run up to which what it stands for is remembered: one or two characters, which say nothing of a request, and which
floods repeat."""


def _percents(data: bytes) -> Iterator[Stretch]:
    for match in matches(_run(PERCENT), data):
        run = match[0]
        yield _stretch(match, _of_hex(run, b"%"), 3)


def _escapes(data: bytes) -> Iterator[Stretch]:
    for match in matches(_run(ESCAPE), data):
        run = match[0]
        yield _stretch(
            match,
            _kept_escape(run) if len(run) <= LONGEST_KEPT else _of_escape(run),
            STEPS.get(run[1:2], 0),
        )


STEPS: Final = {b"u": 6, b"/": 2, b"x": 4, b"0": 4, b"1": 4, b"2": 4, b"3": 4}
"""How long an escape is by its second byte; a run in which others stand too has another length than so many of it."""


def _entities(data: bytes) -> Iterator[Stretch]:
    for match in matches(_run(ENTITY), data):
        run = match[0]
        form = _kept_entity(run) if len(run) <= LONGEST_KEPT else _of_entity(run)
        if form != run:
            yield _stretch(match, form, 0)


def _quoted(data: bytes) -> Iterator[Stretch]:
    for match in matches(QUOTED_ANY, data):
        run = match[0]
        yield _stretch(match, b"" if run[-1:] == b"\n" else _of_hex(run, b"="), 3)


def _stretch(match: re.Match[bytes], form: bytes, step: int) -> Stretch:
    start, end = match.span()
    return start, end, form, step if len(form) * step == end - start else 0


def _of_hex(run: bytes, mark: bytes) -> bytes:
    return (
        _kept_hex(run, mark)
        if len(run) <= LONGEST_KEPT
        else _text(bytes.fromhex(run.replace(mark, b"").decode()))
    )


@lru_cache(maxsize=4096)
def _kept_hex(run: bytes, mark: bytes) -> bytes:
    return _text(bytes.fromhex(run.replace(mark, b"").decode()))


def _of_escape(run: bytes) -> bytes:
    run = COLOURS.sub(b"", run).replace(b"\x1b", b"").replace(b"%u", b"\\u").replace(b"\\/", b"/")
    if b"\\\\" in run:
        run = re.sub(rb"\\+", rb"\\", run)
    braced = re.sub(rb"\\u\{([0-9A-Fa-f]+)\}", lambda m: b"\\U%08x" % min(int(m[1], 16), 0x10FFFF), run)
    text = braced.decode("unicode_escape")
    if not text.isascii():
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return searched(text)


COLOURS: Final = re.compile(COLOUR)


@lru_cache(maxsize=4096)
def _kept_escape(run: bytes) -> bytes:
    return _of_escape(run)


def _of_entity(run: bytes) -> bytes:
    return searched(html.unescape(run.decode()))


@lru_cache(maxsize=4096)
def _kept_entity(run: bytes) -> bytes:
    return _of_entity(run)


def _text(data: bytes) -> bytes:
    """Decoded bytes as a reader would see them. Every other byte of UTF-16 is a zero, which shows nothing."""
    return searched(data.decode("utf-8", "replace"))


ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
LETTER: Final = rb"[A-Za-z0-9+/_-]"
URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")

LINE_END: Final = (
    rb"(?:(?:\\[rn]|[\r\n]){1,4}[ \t>]{0,32}"
    rb"|[\"'][ \t]?[+.&]?[ \t]?\\?(?:\r?\n[ \t]{0,32})?(?:[+.&][ \t]?)?[\"'])?"
)
"""Between lines of base64 in a text or in a string of source code, and between strings that a program puts together."""

STRINGS: Final = re.compile(rb"[\"'][^\"']*[\"']")

FOURS: Final = 5
"""Groups of four that must be base64 of printable text: 17 printable characters in a row hold so many, wherever they begin."""


def _values(wanted: frozenset[int], of: int) -> bytes:
    return bytes(letter for value, letter in enumerate(ALPHABET) if value % of in wanted)


def _four() -> bytes:
    """Four characters of base64 whose three bytes are printable ASCII, tabs, line ends, or the zeros of UTF-16."""
    first = _values(frozenset({0, 2, 3, *range(8, 32)}), 64)
    second = _values(frozenset({0, 2, 3, 4, 5, 6, 7}), 16)
    third = _values(frozenset({0, 1}), 4)
    return b"[%s]%s[%s]%s[%s]%s%s" % (first, LINE_END, second, LINE_END, third, LINE_END, LETTER)


BASE64: Final = b"(?:%s){%d}" % (_four() + LINE_END, FOURS)
BASE64_RUN: Final = b"(?:%s){%d,}" % (_four() + LINE_END, FOURS)
BEHIND: Final = re.compile(rb"[A-Za-z0-9+/_-]{0,16}={0,2}")
APART: Final = b" \t\r\n>="
AT_ONCE: Final = 1 << 16
MORE: Final = 16
"""Characters of base64 on each side of a run that are decoded with it: they stand for printable text only in part."""


def _base64_runs(data: bytes) -> Iterator[Stretch]:
    """Runs of base64 of printable text. They need not be where the base64 begins: what is glued in front of it hides
    nothing."""
    at = 0
    for match in on_re2(BASE64_RUN).finditer(data):
        start = max(at, match.start())
        more = LETTER_RUN_END.search(data, max(at, start - MORE), start)
        start -= (len(more[0]) if more else 0) & ~3
        behind = BEHIND.match(data, match.end())
        end = at = behind.end() if behind else match.end()
        run = STRINGS.sub(b"", data[start:end])
        run = run.replace(b"\\n", b"").replace(b"\\r", b"").translate(URL_SAFE, APART)
        run = run[: len(run) - 1] if len(run) % 4 == 1 else run
        run += b"=" * (-len(run) % 4)
        # Piece by piece, so that other threads need not wait for all of it.
        pieces = (run[at : at + AT_ONCE] for at in range(0, len(run), AT_ONCE))
        form = _text(b"".join(map(binascii.a2b_base64, pieces)))
        if not _of_a_token(data, start, end, run, form):
            yield start, end, form, 0


POINT_BEFORE: Final = re.compile(rb"\." + LINE_END + rb"\Z")
CLAIMS_BEHIND: Final = re.compile(LINE_END + rb"\." + LINE_END + b"e" + LINE_END + b"y" + LINE_END + b"J")
SIGNED: Final = re.compile(LINE_END + rb"\.(?:" + LINE_END + b"[A-Za-z0-9_-]){16}")
JOSE: Final = re.compile(rb'\{\s*"(?:alg|typ|enc|kid|cty|zip|x5t|jku|b64|epk)"\s*:[^{}]*\}?\Z')


def _of_a_token(data: bytes, start: int, end: int, run: bytes, form: bytes) -> bool:
    """Whether this is a part of a JWT, or a piece of one: what is looked for is the token, which is gone when its parts are
    decoded."""
    if run[:3] == b"eyJ":
        return (
            CLAIMS_BEHIND.match(data, end) is not None
            or POINT_BEFORE.search(data, max(0, start - LONGEST_END), start) is not None
            or SIGNED.match(data, end) is not None
            or JOSE.match(form) is not None
        )
    return form[-1:] == b"}" and (
        CLAIMS_BEHIND.match(data, end) is not None or SIGNED.match(data, end) is not None
    )


LONGEST_END: Final = 48
"""Bytes in which what stands between two lines or strings is looked for."""

LETTER_RUN_END: Final = re.compile(rb"[A-Za-z0-9+/_-]*\Z")


BYTE: Final = rb"(?:0x)?(?:[2-7][0-9A-Fa-f]|0[9AaDd])"
BETWEEN: Final = rb"(?:[ :]|,[ ]?|,?[ ]?\r?\n[ \t]{0,16})?"
HEX: Final = rb"(?:%s%s){11}%s" % (BYTE, BETWEEN, BYTE)
HEX_RUN: Final = rb"(?:%s%s){11,}%s" % (BYTE, BETWEEN, BYTE)


def _hex_runs(data: bytes) -> Iterator[Stretch]:
    """Runs of hexadecimal digits that stand for printable text, also as the bytes of a program or a dump. Where all of them
    are decimal they may be a plain number, unless most of what they stand for is digits, as in a card's number."""
    for match in on_re2(HEX_RUN).finditer(data):
        start, end = match.span()
        digits = data[start:end].replace(b"0x", b"").translate(None, b" :,\r\n\t").decode()
        form = _text(bytes.fromhex(digits[: len(digits) & ~1]))
        if not digits.isdecimal() or sum(map(form.count, DIGITS)) * 3 >= len(form) * 2:
            yield start, end, form, 0


DIGITS: Final = [b"%d" % digit for digit in range(10)]

OFFSET: Final = rb"(?:0x)?[0-9A-Fa-f]{4,16}:?[ \t]{1,3}"
BYTES: Final = rb"(?:[0-9A-Fa-f]{2}[ \t]{0,2})"
FIRST_LINE: Final = OFFSET + BYTES + rb"{8,16}[^\n]{0,80}\r?\n[ \t>|*]{0,8}" + OFFSET + BYTES
LINE: Final = re.compile(rb"[ \t>|*]{0,8}" + OFFSET + b"(" + BYTES + rb"{1,16})[^\n]{0,80}(?:\r?\n|\Z)")


def _dumps(data: bytes) -> Iterator[Stretch]:
    """Lines of `xxd` and `hexdump -C`: an offset, up to sixteen bytes, and what they show."""
    at = 0
    for match in on_re2(FIRST_LINE).finditer(data):
        if match.start() < at:
            continue
        form = bytearray()
        at = match.start()
        while (line := LINE.match(data, at)) is not None:
            form += bytes.fromhex(line[1].decode())
            at = line.end()
        if form:
            yield match.start(), at, _text(bytes(form)), 0


def _run(expression: bytes) -> bytes:
    """One or more. `re` skips to a literal only where that is not in a repeated group."""
    return b"%s(?:%s)*" % (expression, expression)


ENCODINGS: Final[tuple[Disguise, ...]] = (
    Disguise(PERCENT, _percents),
    Disguise(ENTITY, _entities),
    Disguise(ESCAPE, _escapes),
    Disguise(QUOTED, _quoted),
    Disguise(BASE64, _base64_runs),
    Disguise(FIRST_LINE, _dumps),
    Disguise(HEX, _hex_runs),
)
