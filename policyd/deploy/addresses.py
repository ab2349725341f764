"""Which addresses a target's name may turn out to have.

In: an address. Out: whether it is one that everybody can reach, and what an address of one kind that stands for one of the other
kind really is. The one idea: a provider on the internet has an address on the internet. A name of it that leads to this machine,
to the network around it or to the machine's own metadata is a mistake or somebody's trick (DNS rebinding), whoever answers there.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

__all__ = ["NEVER_PRIVATE", "is_public", "plain"]

_NAT64: Final = IPv6Network("64:ff9b::/96")
_GIVEN_OUT: Final = IPv6Network("2000::/3")
"""The only addresses of IPv6 that are given out on the internet. What lies outside them and is no private address by its own
standard is one by custom: site-local (`fec0::/10`), IPv4 that a router translates (`::ffff:0:0:0/96`)."""

_NOBODYS: Final = (IPv6Network("3fff::/20"), IPv4Network("192.88.99.0/24"))
"""Documentation, and relays of 6to4, which led into other networks."""


NEVER_PRIVATE: Final = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "100.100.100.200/32",
        "::/128", "::1/128", "fe80::/10", "ff00::/8", "fd00:ec2::254/128", "fd20:ce::254/128",
    )
)  # fmt: skip
"""What no declared network of a cloud target may hold: this machine, its link with the metadata services that give out its
credentials (AWS, Azure and Google at 169.254.169.254, AWS and Google in IPv6, Alibaba at 100.100.100.200), multicast."""


def plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The address that packets go to in the end: an IPv4 address that is written as IPv6 is itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether everybody on the internet reaches the same machine there."""
    found = plain(address)
    if isinstance(found, IPv6Address) and (found not in _GIVEN_OUT or found.teredo is not None):
        return False
    return (
        found.is_global
        and not found.is_multicast
        and not any(found in n for n in (*NEVER_PRIVATE, *_NOBODYS) if n.version == found.version)
    )
