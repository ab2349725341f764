"""The values of literals: strings, numbers, money, durations, dates.

In comes the text of one literal; out come its value and what is wrong with it, as places relative to its beginning.
A wrong literal still has a value, so that the statement around it can be checked further. Writing values back is
here too, so that reading and writing are seen together.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from policyd.text.printable import printable

__all__ = [
    "Bad", "read_date", "read_duration", "read_money", "read_number", "read_string", "write_date",
    "write_duration", "write_money", "write_number", "write_string",
]  # fmt: skip

_SUFFIXES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_UNITS = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}
_WRITTEN = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
_LARGEST = 2**63 - 1
_LONGEST = 40

_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_NUMBER = re.compile(rf"({_DIGITS}(?:\.{_DIGITS})?)([A-Za-z]*)")
_MONEY = re.compile(rf"\$({_DIGITS}(?:\.{_DIGITS})?)")
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_ESCAPE = re.compile(r"\\(u\{[^}\"\\]*\}?|.)")


@dataclass(frozen=True, slots=True)
class Bad:
    """What is wrong with a literal, from `start` to `end` in its own text."""

    code: str
    message: str
    help: str
    start: int
    end: int


def read_number(text: str) -> tuple[int, Bad | None]:
    """`3k`, `1_000`, `1.5M`, `4Ki`: a whole number."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        digits = re.match(r"[0-9]+", text)
        advice = "write digits with `_` between them if you like, then k, M, G, Ki, Mi or Gi"
        return int(digits[0][:18]) if digits else 0, Bad(
            "PD114", f"`{text}` is not a number", advice, 0, len(text)
        )
    scale = _SUFFIXES.get(match[2])
    if scale is None:
        value = int(match[1].replace("_", "").partition(".")[0][:18])
        start = match.start(2)
        return value, Bad(
            "PD114", f"unknown number suffix `{match[2]}`", _suffix_advice(match), start, len(text)
        )
    return _scaled(match[1], scale, text, "PD114", "a number here is whole")


def _suffix_advice(match: re.Match[str]) -> str:
    suffix = match[2]
    if suffix.rstrip("s") in _UNITS:
        return f"leave a space: `{match[1]} {suffix}`"
    by_folding = {known.lower(): known for known in _SUFFIXES}
    if near := by_folding.get(suffix.lower()) or by_folding.get(suffix[:1].lower()):
        return f"did you mean `{match[1]}{near}`? the suffixes are k, M, G and Ki, Mi, Gi"
    return "the suffixes are k, M, G (thousands) and Ki, Mi, Gi (1024s)"


def _scaled(digits: str, scale: int, text: str, code: str, advice: str) -> tuple[int, Bad | None]:
    """`digits` times `scale`, exactly; wrong when that is not whole or too large."""
    whole, _, part = digits.replace("_", "").partition(".")
    part = part.rstrip("0")
    if len(whole) > _LONGEST or len(part) > _LONGEST:
        return 0, Bad(code, f"`{text[:40]}…` is too long", f"at most {_LONGEST} digits", 0, len(text))
    value, rest = divmod(int(whole + part) * scale, 10 ** len(part))
    if value > _LARGEST:
        return _LARGEST, Bad(
            code, f"`{text}` is too large", f"the largest is {_LARGEST // scale}", 0, len(text)
        )
    return value, Bad(code, f"`{text}` is not whole", advice, 0, len(text)) if rest else None


def read_money(text: str) -> tuple[int, Bad | None]:
    """`$4000`, `$0.25`: micro-dollars."""
    match = _MONEY.fullmatch(text)
    if match is None:
        return 0, Bad(
            "PD116", f"`{text}` is not an amount of money", "write `$4000`, `$4_000` or `$0.25`", 0, len(text)
        )
    advice = "the smallest amount is a millionth of a dollar, `$0.000001`"
    return _scaled(match[1], 1_000_000, text, "PD116", advice)


def read_duration(number: str, unit: str, text: str) -> tuple[int, Bad | None]:
    """`30 days`: seconds. `text` is the whole literal."""
    match = _NUMBER.fullmatch(number)
    scale = _SUFFIXES.get(match[2]) if match else None
    if match is None or scale is None:
        return 0, Bad("PD117", f"`{number}` is not a number of {unit}", "write `30 days`", 0, len(number))
    seconds = scale * _UNITS[unit.rstrip("s")]
    return _scaled(match[1], seconds, text, "PD117", "a duration is a whole number of seconds")


def read_date(text: str) -> tuple[int, Bad | None]:
    """`2026-12-31`: a proleptic Gregorian ordinal."""
    match = _DATE.fullmatch(text)
    if match is None:
        return 1, Bad("PD115", f"`{text}` is not a date", "write year-month-day: `2026-12-31`", 0, len(text))
    try:
        return date(int(match[1]), int(match[2]), int(match[3])).toordinal(), None
    except ValueError:
        return 1, Bad(
            "PD115", f"there is no day `{text}`", "write year-month-day: `2026-12-31`", 0, len(text)
        )


def read_string(text: str) -> tuple[str, list[Bad]]:
    """The value of `"…"`, escapes resolved, NFC. A missing closing quote is the lexer's finding."""
    closed = len(text) > 1 and text.endswith('"')
    body = text[1:-1] if closed else text[1:]
    if "\\" not in body:
        return body if body.isascii() else unicodedata.normalize("NFC", body), []
    wrong: list[Bad] = []
    value = _ESCAPE.sub(_resolver(wrong), body)
    return unicodedata.normalize("NFC", value), wrong


def _resolver(wrong: list[Bad]) -> Callable[[re.Match[str]], str]:
    def resolve(match: re.Match[str]) -> str:
        name = match[1]
        if (plain := _ESCAPES.get(name)) is not None:
            return plain
        if name.startswith("u{") and re.fullmatch(r"u\{[0-9A-Fa-f]{1,6}\}", name):
            point = int(name[2:-1], 16)
            if point < 0x110000 and not 0xD800 <= point < 0xE000:
                return chr(point)
        advice = r"the escapes are \" \\ \n \t and \u{…} with the hexadecimal number of a character"
        message = f"`{match[0]}` is not an escape"
        wrong.append(Bad("PD112", message, advice, match.start() + 1, match.end() + 1))
        return ""

    return resolve


def write_string(value: str) -> str:
    return '"' + "".join(_written(ch) for ch in value) + '"'


def _written(ch: str) -> str:
    if (escape := _WRITTEN.get(ch)) is not None:
        return escape
    return printable(ch)


def write_number(value: int) -> str:
    """The shortest exact form: `200k`, `1M`, `4Ki`; below 1000 plain."""
    for suffix in ("G", "M", "k"):
        scale = _SUFFIXES[suffix]
        if value and value % scale == 0:
            return f"{value // scale}{suffix}"
    for suffix in ("Gi", "Mi", "Ki"):
        scale = _SUFFIXES[suffix]
        if value and value % scale == 0:
            return f"{value // scale}{suffix}"
    return str(value)


def write_money(micros: int) -> str:
    dollars, rest = divmod(micros, 1_000_000)
    if not rest:
        return f"${dollars}"
    cents = f"{rest:06}".rstrip("0")
    return f"${dollars}.{cents.ljust(2, '0')}"


def write_duration(seconds: int) -> str:
    for unit, scale in _UNITS.items():
        if seconds % scale == 0 and (seconds or unit == "second"):
            count = seconds // scale
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    raise AssertionError("INVARIANT: every duration is a whole number of seconds")


def write_date(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()
