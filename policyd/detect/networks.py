"""Addresses of networks: IP of both versions, and MAC.

Comes in: UTF-8 bytes. Goes out: `ip-address.v4` and `.v6` for addresses that somebody on the internet has, `ip-address.private`
for those inside a company's network, `mac-address` for a device. The one idea: four numbers with points are as often a version
or a section, and an address as often stands for nobody: loopback, link-local, multicast, documentation, netmasks. Those are left out.
"""

import ipaddress
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from policyd.detect.detector import MOST_CANDIDATES, Detector, Hit, compiled

__all__ = ["IP", "MAC", "find_ips", "find_macs"]

V4, V6, PRIVATE, DEVICE = "ip-address.v4", "ip-address.v6", "ip-address.private", "mac-address"

QUAD: Final = r"\b[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\b"
COLONS: Final = r"(?:\b[0-9A-Fa-f]{1,4}:|::)(?:[0-9A-Fa-f]{0,4}:){1,7}(?:[0-9A-Fa-f]{1,4}\b)?"
PAIRS: Final = r"\b[0-9A-Fa-f]{2}(?:(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){5})\b"

BEFORE: Final = re.compile(rb"(?:[0-9A-Za-z_][.\-]|[\w/@#]|(?:[=~<>!]=|~>|\^) ?[\"']?|\d(?:\. ?|, ))\Z")
BEHIND: Final = re.compile(rb"[.\-][0-9A-Za-z]|[\w(]")
VERSION: Final = re.compile(
    rb"(?i)(?:\bv|version[\"']?|\bver\.?|release|revision|build|section|sect\.?|chapter|clause|table|figure|appendix|\xc2\xa7|\boid)[ =:#(\"'s]{0,5}(?:[0-9.]{1,12}(?:,| and| or| to| -) )?\Z"
)
NETWORK: Final = re.compile(rb"(?i)(?:\b|_)ip(?:v4|s|\b|_)|addr|\bhost|server|client|\bping|\bdns|\bpeer|\bremote|connect|listen|gateway|subnet|network|\broute|\bproxy|\blogin|attacker|whois|https?:|firewall|\bblocked|\binet\b|\bports?\b|\bssh\b|\bcurl\b")  # fmt: skip
"""Words about networks: without one near, an address that begins like a version is taken for one."""
REACH: Final = 48

ABOUT_V6: Final = re.compile(rb"[0-9A-Fa-f]{3}")
BEFORE_V6: Final = re.compile(rb"[\w:.]\Z")
BEHIND_V6: Final = re.compile(rb"[\w:]|\.[0-9A-Za-z]")
DOCUMENTED: Final = tuple(
    map(
        ipaddress.ip_network,
        ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "233.252.0.0/24", "2001:db8::/32", "3fff::/20"),
    )
)
"""RFC 5737, RFC 6676, RFC 3849, RFC 9637."""
SHARED: Final = ipaddress.ip_network("100.64.0.0/10")
INSIDE: Final = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)
"""RFC 1918, RFC 6598, RFC 4193."""


@lru_cache(maxsize=1)
def _expressions() -> tuple[Any, Any, Any]:
    return compiled(QUAD), compiled(COLONS), compiled(PAIRS)


def find_ips(data: bytes) -> Iterator[Hit]:
    quads, colons, _ = _expressions()
    if data.count(b".") >= 3:
        yield from _looked_at(quads, data, _v4, V4)
    if data.count(b":") >= 2:
        yield from _looked_at(colons, data, _v6, V6)


def _looked_at(expression: Any, data: bytes, judge: Any, overflow: str) -> Iterator[Hit]:
    """Candidates that are refused are counted, and those that are found are not, so that a long log is found line by line."""
    refused = found = 0
    for match in expression.finditer(data):
        start, end = match.span()
        name = judge(data, start, end)
        if name is None:
            refused += 1
        else:
            found += 1
            yield Hit(name, start, end)
        if refused > 4 * MOST_CANDIDATES or found > 4 * MOST_CANDIDATES:
            yield Hit(overflow, 0, len(data))
            return


def _v4(data: bytes, start: int, end: int) -> str | None:
    pieces = data[start:end].split(b".")
    numbers = [int(piece) for piece in pieces]
    if max(numbers) > 255 or any(piece[0] == 48 and len(piece) > 1 for piece in pieces):
        return None
    if numbers[0] in (0, 127) or numbers[0] >= 224 or numbers[2] == numbers[3] == 0:
        return None
    before = data[max(0, start - REACH) : start]
    if BEFORE.search(before[-4:]) and not before.endswith((b"//", b"@")):
        return None
    if BEHIND.match(data[end : end + 2]) or VERSION.search(before):
        return None
    address = ipaddress.IPv4Address(".".join(map(str, numbers)))
    if (
        (max(numbers) < 50 or numbers[0] < 10)
        and not _speaks_of_networks(data, start, end)
        and address.packed not in WELL_KNOWN
    ):
        return None
    return _named(address, V4)


WELL_KNOWN: Final = frozenset(
    {bytes((1, 1, 1, 1)), bytes((8, 8, 8, 8)), bytes((8, 8, 4, 4)), bytes((9, 9, 9, 9))}
)


def _speaks_of_networks(data: bytes, start: int, end: int) -> bool:
    return NETWORK.search(data[max(0, start - REACH) : end + REACH]) is not None


def _named(address: ipaddress.IPv4Address | ipaddress.IPv6Address, public: str) -> str | None:
    """The finding for an address, or nothing where it is nobody's."""
    if any(address in network for network in DOCUMENTED if network.version == address.version):
        return None
    if any(address in network for network in INSIDE if network.version == address.version):
        return PRIVATE
    nobody = address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified
    return None if nobody else public


def _v6(data: bytes, start: int, end: int) -> str | None:
    """Three groups at least, one of them long: `dead::beef` is a word of a program as often as an address."""
    if BEFORE_V6.search(data[max(0, start - 1) : start]) or BEHIND_V6.match(data[end : end + 2]):
        return None
    written = data[start:end].decode()
    try:
        address = ipaddress.IPv6Address(written)
    except ValueError:
        return None
    groups = [group for group in written.split(":") if group]
    digits = any("0" <= sign <= "9" for sign in written)
    short = len(groups) < 3 or not ABOUT_V6.search(data[start:end]) or not digits
    if short and not _speaks_of_networks(data, start, end):
        return None
    return _named(address, V6)


def find_macs(data: bytes) -> Iterator[Hit]:
    if data.count(b":") < 5 and data.count(b"-") < 5:
        return
    _, _, pairs = _expressions()
    yield from _looked_at(pairs, data, _device, DEVICE)


ONE_BYTE: Final = re.compile(rb"([0-9A-Fa-f]{2})(?:[:\-]\1){5}")
BEFORE_MAC: Final = re.compile(rb"[\w:\-.]\Z")
BEHIND_MAC: Final = re.compile(rb"[\w]|[:\-.][0-9A-Za-z]")


def _device(data: bytes, start: int, end: int) -> str | None:
    """A whole run of six bytes, no piece of a fingerprint; not one byte over and over, no group and no documentation address."""
    if BEFORE_MAC.search(data[max(0, start - 1) : start]) or BEHIND_MAC.match(data[end : end + 2]):
        return None
    written = data[start:end]
    value = bytes.fromhex(written.replace(b":", b"").replace(b"-", b"").decode())
    if (
        ONE_BYTE.fullmatch(written)
        or value[0] & 1
        or value[:5] == b"\x00\x00\x5e\x00\x53"
        or not any(value[:3])
    ):
        return None
    return DEVICE


IP: Final = Detector(frozenset({V4, V6, PRIVATE}), find_ips, digits=2)
MAC: Final = Detector(frozenset({DEVICE}), find_macs)
