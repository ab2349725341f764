"""E-mail addresses.

Comes in: UTF-8 bytes. Goes out: where addresses stand. The one idea: the form is easy, the look-alikes are known: the
account in a URL or behind `git@`, a scaled picture (`icon@2x.png`), a version (`netty@4.1.115.Final`), a decorator or an operator of a program.

Not here: domains in other scripts than Latin, and addresses that were written out in words.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from policyd.detect.detector import Detector, Hit, candidates, compiled

__all__ = ["EMAIL", "find_addresses"]

NAME: Final = "email"

SIGN: Final = r"(?:[A-Za-z0-9]|[\xc3-\xc9][\x80-\xbf])"
"""A letter or a digit: ASCII, or Latin with an accent in two bytes."""

FORM: Final = rf"(?:{SIGN}|[._%+\-'])*(?:{SIGN}|[_%+\-])@{SIGN}(?:{SIGN}|[.\-])*\.(?:[A-Za-z]{{2,24}}|xn--[a-z0-9\-]{{2,59}})\b"

NO_DOMAINS: Final = frozenset(
    b"png jpg jpeg gif svg webp avif css scss js jsx ts tsx mjs cjs json html htm php yml yaml toml txt csv log xml exe dll pdf md5 tgz gz"
    b" whl jar java cpp hpp lock patch diff conf ini cfg rst lib local localhost invalid internal service target socket".split()
)
"""Ends of file names, and of names that no public mail system has."""

LOCAL_LONGEST: Final = 64
LONGEST: Final = 254
"""RFC 5321, section 4.5.3.1."""

NO_PEOPLE: Final = frozenset({b"git", b"hg", b"svn"})
URL_BEFORE: Final = re.compile(rb"://[^\s/@]{0,80}\Z")
LABEL: Final = re.compile(rb"(?i)(?!-)[a-z0-9\-\x80-\xff]{1,63}(?<!-)")
CALL: Final = re.compile(rb"[(\[]|=[^=\s>]")
"""Behind an attribute of a program: a call, an index, an assignment."""


@lru_cache(maxsize=1)
def _expression() -> Any:
    return compiled(FORM)


def find_addresses(data: bytes) -> Iterator[Hit]:
    if b"@" not in data:
        return
    for hit in candidates(NAME, _expression(), data, _is_address):
        start = hit.start
        while start < hit.end and data[start] in b"'._%+-":
            start += 1
        yield Hit(NAME, start, hit.end)


def _is_address(data: bytes, start: int, end: int) -> bool:
    local, _, domain = data[start:end].lstrip(b"'._%+-").partition(b"@")
    if not local or len(local) > LOCAL_LONGEST or end - start > LONGEST + LOCAL_LONGEST or b".." in local:
        return False
    if local in NO_PEOPLE or URL_BEFORE.search(data[max(0, start - 96) : start]):
        return False
    labels = domain.split(b".")
    if labels[-1].lower() in NO_DOMAINS or not all(LABEL.fullmatch(label) for label in labels):
        return False
    if all(label.isdigit() for label in labels[:-1]):
        return False
    return CALL.match(data[end : end + 2]) is None


EMAIL: Final = Detector(frozenset({NAME}), find_addresses)
