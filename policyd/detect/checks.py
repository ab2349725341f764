"""What tells a candidate from a look-alike: arithmetic, shape, randomness, and what stands around it.

Every function is pure, looks at a bounded stretch around the candidate, and answers yes or no. Where it cannot tell, the
answer is yes.
"""

import base64
import binascii
import math
import re
from collections import Counter
from typing import Final

import orjson

__all__ = [
    "has_key_body",
    "is_jwt",
    "is_literal_password",
    "is_random",
]


BODY: Final = re.compile(rb"[A-Za-z0-9+/]{20}")


def has_key_body(text: bytes, _start: int, end: int) -> bool:
    """A key's header with something like a key behind it, or with the text cut off behind it. A header alone is code or
    documentation that speaks of keys."""
    after = text[end : end + 400]
    return len(after) < 24 or BODY.search(after) is not None


def is_jwt(text: bytes, start: int, end: int) -> bool:
    """Whether the first part decodes to a JOSE header."""
    head = text[start : min(end, start + 4096)].partition(b".")[0]
    try:
        header = orjson.loads(base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4)))
    except (binascii.Error, ValueError):
        return False
    return isinstance(header, dict) and ("alg" in header or "typ" in header or "enc" in header)


PLACEHOLDER: Final = re.compile(
    rb"(?i)^(?:.*(?:passw(?:or)?d|passwd|secret|your|change[-_]?me|example|placeholder|redacted|dummy|xxxx|\*\*\*|\.\.\.|1234).*"
    rb"|user|pass|pwd|root|admin|postgres|guest|test|foo|bar|token|key|[x*.#-]+|[$%{<\[(].*|.*[}>\])]|process\.env.*|os\.environ.*)$"
)


def is_literal_password(text: bytes, start: int, end: int) -> bool:
    """Whether this stands for itself: not a placeholder, a variable, or the word for it."""
    return PLACEHOLDER.match(text[start:end]) is None


WORDY: Final = re.compile(
    rb"^[A-Za-z]+(?:[-_.][A-Za-z]+)*$|^[0-9.\-_:/]+$|^_*[A-Za-z]*[0-9]{0,4}(?:[-_.]+[A-Za-z]*[0-9]{0,4}){2,}$"
)
"""Identifiers in words, some with a number behind them, and plain numbers."""


def is_random(text: bytes, start: int, end: int) -> bool:
    """Whether this looks drawn at random: letters and digits mixed, at least 3.3 bits a character, no placeholder. 32
    random hexadecimal digits have about 3.7 bits, an identifier in words has no digits."""
    value = text[start : min(end, start + 512)]
    if WORDY.match(value) or PLACEHOLDER.match(value) or not any(48 <= b <= 57 for b in value):
        return False
    size = len(value)
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values()) >= 3.3
