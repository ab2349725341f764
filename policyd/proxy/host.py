"""Whether a request was made for this sidecar, where every caller is the same one.

In comes a `Host` header's value; out goes whether it names this machine. The one idea: a web page that a browser on this
machine shows can reach a loopback address under a name of the page's own (DNS rebinding), and says that name here. A
program that was given the sidecar's address says the address. Pure.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from policyd.deploy.model import Deployment, HopIdentity, LoopbackIdentity, OneIdentity, SeveralIdentities

__all__ = ["hosts_of", "is_for", "is_no_name"]

_LOOPBACK: Final = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


def hosts_of(deployment: Deployment) -> frozenset[bytes] | None:
    """The lower-case names that a request may be made for besides loopback ones; None where any may. A page cannot show an
    API key that it does not know, and cannot open a unix socket."""
    identity = deployment.identity
    ways = identity.ways if isinstance(identity, SeveralIdentities) else (identity,)
    if deployment.listen.path is not None or not any(map(_believes_this_machine, ways)):
        return None
    return frozenset(name.lower().encode() for name in (deployment.listen.address, *deployment.hosts))


LONGEST = 300
"""Bytes of a `Host`: a name has at most 253, and a port behind it."""


def _believes_this_machine(way: OneIdentity) -> bool:
    """Whether a page in a browser here could be somebody by its address alone, and by headers that it can set."""
    match way:
        case LoopbackIdentity():
            return True
        case HopIdentity(networks=networks):
            return any(
                network.overlaps(loopback)
                for network in networks
                for loopback in _LOOPBACK
                if network.version == loopback.version
            )
        case _:
            return False


def is_for(headers: Iterable[tuple[bytes, bytes]], hosts: frozenset[bytes]) -> bool:
    """Whether every `Host` of these headers (lower-case names) is loopback or one of `hosts`."""
    for name, value in headers:
        if name == b"host" and not (len(value) <= LONGEST and _is_ours(value, hosts)):
            return False
    return True


def is_no_name(value: str) -> bool:
    """Whether a `Host` is an address or `localhost`, which no page can make its own."""
    host = _without_port(value.encode("utf-8", "surrogateescape"))
    return host == b"localhost" or _address(host) is not None


@lru_cache(maxsize=256)
def _is_ours(value: bytes, hosts: frozenset[bytes]) -> bool:
    host = _without_port(value)
    if host == b"localhost" or host in hosts:
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def _without_port(value: bytes) -> bytes:
    host = value.strip().lower()
    if host.startswith(b"["):
        return host[1:].partition(b"]")[0]
    return host.partition(b":")[0] if host.count(b":") == 1 else host


def _address(host: bytes) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.decode("ascii"))
    except ValueError:
        return None
