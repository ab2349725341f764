"""What tells a candidate from a look-alike: arithmetic, shape, randomness, and what stands around it.

Every function is pure, looks at a bounded stretch around the candidate, and answers yes or no. Where it cannot tell, the
answer is yes.
"""

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Callable
from typing import Final

import orjson

__all__ = [
    "entropy",
    "has_key_body",
    "is_aws_id",
    "is_encoded_jwt",
    "is_google_key",
    "is_jwt",
    "is_literal_password",
    "is_mixed",
    "is_random",
    "is_varied",
    "varied",
]

LONGEST: Final = 512
"""Bytes of a candidate that are looked at."""


def entropy(value: bytes) -> float:
    """Bits of a byte, by how often each occurs (Shannon). Nothing has none."""
    size = len(value)
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values())


BODY: Final = re.compile(rb"[A-Za-z0-9+/]{16}")
AROUND_BODY: Final = b" \t\r\"'`+>#*|,\\"


def has_key_body(text: bytes, _start: int, end: int) -> bool:
    """A key's header with something like a key behind it, or with the text cut off behind it. A header alone is code or
    documentation that speaks of keys, and one letter again and again is an example."""
    after = text[end : end + 600]
    if len(after) < 24:
        return True
    for line in after.replace(b"\\n", b"\n").replace(b"\\r", b"").split(b"\n")[:12]:
        content = line.strip(AROUND_BODY)
        if content and not _is_pem_header(content):
            body = BODY.match(content)
            return body is not None and len(set(body.group())) > 3
    return False


def _is_pem_header(line: bytes) -> bool:
    """`Proc-Type: 4,ENCRYPTED` and the like."""
    name, colon, _ = line[:64].partition(b":")
    return colon == b":" and name.replace(b"-", b"").isalpha()


HEADER: Final = re.compile(rb'^\s*\{\s*"')
HEADER_KEYS: Final = (b'"alg"', b'"typ"', b'"enc"', b'"kid"', b'"x5t"')


def is_jwt(text: bytes, start: int, end: int) -> bool:
    """Whether the first part decodes to a JOSE header, or to what was one."""
    head = text[start : min(end, start + 4096)].partition(b".")[0]
    try:
        decoded = base64.urlsafe_b64decode(
            head.replace(b"+", b"-").replace(b"/", b"_") + b"=" * (-len(head) % 4)
        )
    except (binascii.Error, ValueError):
        return False
    try:
        header = orjson.loads(decoded)
    except ValueError:
        return HEADER.match(decoded) is not None and any(key in decoded for key in HEADER_KEYS)
    return isinstance(header, dict) and ("alg" in header or "typ" in header or "enc" in header)


def is_encoded_jwt(text: bytes, start: int, end: int) -> bool:
    """Whether this is a token of that kind in base64 once more."""
    once = text[start : min(end, start + 4096)].replace(b"-", b"+").replace(b"_", b"/")
    try:
        inner = base64.b64decode(once[: len(once) // 4 * 4])
    except (binascii.Error, ValueError):
        return False
    return inner.count(b".") >= 1 and is_jwt(inner, 0, len(inner))


PLACEHOLDER: Final = re.compile(
    rb"(?i)^(?:.*(?:passw(?:or)?d|passwd|p@ssword|passwort|kennwort|contrase|motdepasse|wachtwoord|secret|your|change[-_]?(?:me|it)|example|sample|placeholder|redacted|dummy|xxxx|\*\*\*|\.\.\.|1234).*"
    rb"|user|pass|pwd|root|admin|postgres|guest|test|foo|bar|token|key|none|null|true|false|[x*.#-]+|[$%{<\[(].*|.*[}>\])]|process\.env.*|os\.environ.*)\Z"
)


def is_literal_password(text: bytes, start: int, end: int) -> bool:
    """Whether this stands for itself: not a placeholder, a variable, or the word for it."""
    return PLACEHOLDER.match(text[start:end]) is None


WORDY: Final = re.compile(
    rb"^[A-Za-z]+(?:[-_.][A-Za-z]+)*\Z|^[0-9.\-_:/]+\Z|^_*[A-Za-z]*[0-9]{0,4}(?:[-_.]+[A-Za-z]*[0-9]{0,4}){2,}\Z"
)
"""Identifiers in words, some with a number behind them, and plain numbers."""

RUNS: Final = re.compile(rb"(?i)(.)\1{5}|abcdefgh|01234567|12345678|qwertyui|deadbeef")
"""What no generator writes, but people and tables of letters do."""


def is_random(text: bytes, start: int, end: int) -> bool:
    """Whether this looks drawn at random: letters and digits mixed, at least 3.3 bits a character, no placeholder. 32
    random hexadecimal digits have about 3.7 bits, an identifier in words has no digits."""
    value = text[start : min(end, start + LONGEST)]
    if WORDY.match(value) or PLACEHOLDER.match(value) or not any(48 <= b <= 57 for b in value):
        return False
    return entropy(value) >= 3.3


FILLED: Final = re.compile(rb"(?i)x{5}|\*{4}|\.{4}|([0a-f])\1{9}")


def is_varied(text: bytes, start: int, end: int) -> bool:
    """Whether this is no example written out with one letter: at least 3 bits a character."""
    value = text[start : min(end, start + LONGEST)]
    return FILLED.search(value) is None and entropy(value) >= 3.0


def varied(bits: float) -> Callable[[bytes, int, int], bool]:
    """As `is_varied`, with fewer bits for what is short or mostly digits."""

    def check(text: bytes, start: int, end: int) -> bool:
        value = text[start : min(end, start + LONGEST)]
        return FILLED.search(value) is None and entropy(value) >= bits

    return check


def is_mixed(text: bytes, start: int, end: int) -> bool:
    """Letters and digits that vary, as all keys have that are drawn from both; hardly any word does."""
    value = text[start : min(end, start + LONGEST)]
    return (
        value.upper() != value.lower() and any(48 <= b <= 57 for b in value) and is_varied(text, start, end)
    )


def is_aws_id(text: bytes, start: int, end: int) -> bool:
    """A key's id that is not one of AWS's documentation, all of which end the same."""
    return not text[start:end].endswith(b"EXAMPLE") and is_varied(text, start, end)


GOOGLE_EXAMPLES: Final = frozenset(
    ends.encode()
    for ends in [
        "xyz1234567",
        "CxoX-oo6YyIs",
        "MitrUEke8agEM",
        "yCgHIAODrlU",
        "nHZRR_znhrh0",
        "YefhixbX4A",
        "GBdi_UUPwX7c",
        "Q9CKctWmLd4",
        "OPjjaXeDQgY",
        "RLJv_a_p4wtM",
        "1sjmdnP5sQ",
        "hrOq1cS7g",
        "d2AFnzAvvuU",
        "4MJmprNXsw",
        "xaOi4FmqE",
        "srVL_n0nvY",
    ]
)
"""How the keys end that Google's own sample code shows. They open nothing."""


def is_google_key(text: bytes, start: int, end: int) -> bool:
    """A key that is not one of Google's published examples."""
    return not text[start:end].endswith(tuple(GOOGLE_EXAMPLES)) and is_varied(text, start, end)
