"""Where a sidecar with this deployment ever connects to, and nothing else.

In: a deployment and which of its targets are on the premises. Out: every host and port, for whom, and in which networks its
addresses may lie. The one idea: it is read from the very values that connections are made with, so a firewall that is written
from it forbids nothing that is needed and allows nothing that is not.
"""

import ipaddress
from dataclasses import dataclass
from typing import Final, TypeAlias
from typing import Literal as Lit

from policyd.deploy.model import Deployment, Endpoint, JwtIdentity, Network, SeveralIdentities

__all__ = ["Egress", "Exit", "egress_of"]

Where: TypeAlias = Lit["this machine", "networks", "internet", "anywhere"]
"""In the order of how much it allows. `anywhere`: nothing asks which address a name has, because no request goes there."""

_WIDTH: Final[tuple[Where, ...]] = ("this machine", "networks", "internet", "anywhere")


@dataclass(frozen=True, slots=True)
class Exit:
    """One place. `address` is there where the deployment names an address and no name; `networks` are those in which it may
    lie (besides the internet, where it may lie there), `used_for` what connects there, in words."""

    host: str
    port: int
    where: Where
    networks: tuple[Network, ...]
    used_for: tuple[str, ...]

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    @property
    def shown(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Egress:
    """`exits` in the order of their hosts and ports; `sockets` are paths of unix sockets with what they are for."""

    exits: tuple[Exit, ...]
    sockets: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def outside(self) -> tuple[Exit, ...]:
        """Those that leave this machine."""
        return tuple(e for e in self.exits if e.where != "this machine")

    @property
    def names(self) -> tuple[str, ...]:
        """What has to be resolved, at every connect."""
        return tuple(dict.fromkeys(e.host for e in self.exits if e.address is None and e.host != "localhost"))


def egress_of(deployment: Deployment, on_prem: frozenset[str]) -> Egress:
    """`on_prem` are the targets that the policy says are on the premises."""
    found: dict[tuple[str, int], Exit] = {}
    sockets: dict[str, tuple[str, ...]] = {}
    for used_for, endpoint, networks, asked in _endpoints(deployment, on_prem):
        if endpoint.scheme == "unix":
            sockets[endpoint.host] = (*sockets.get(endpoint.host, ()), used_for)
            continue
        key = (endpoint.host, endpoint.port)
        here = _is_loopback(endpoint.host)
        where: Where = "this machine" if here else asked
        before = found.get(key)
        if before is not None:
            used, also = (*before.used_for, used_for), (*before.networks, *networks)
            where = max(where, before.where, key=_WIDTH.index)
            found[key] = Exit(*key, where, tuple(dict.fromkeys(also)), used)
        else:
            found[key] = Exit(*key, where, () if here else networks, (used_for,))
    return Egress(tuple(found[key] for key in sorted(found)), tuple(sorted(sockets.items())))


def _endpoints(
    deployment: Deployment, on_prem: frozenset[str]
) -> list[tuple[str, Endpoint, tuple[Network, ...], Where]]:
    out: list[tuple[str, Endpoint, tuple[Network, ...], Where]] = []
    for binding in deployment.bindings:
        is_here = binding.name in on_prem
        networks = deployment.on_prem_networks if is_here else binding.private_networks
        out.append(
            (f"target {binding.name}", binding.endpoint, networks, "networks" if is_here else "internet")
        )
    ways = (
        deployment.identity.ways
        if isinstance(deployment.identity, SeveralIdentities)
        else (deployment.identity,)
    )
    for way in ways:
        if isinstance(way, JwtIdentity) and way.keys is not None and way.keys.endpoint is not None:
            out.append((f"keys of {way.issuer}", way.keys.endpoint, (), "anywhere"))
    if deployment.telemetry.endpoint is not None:
        out.append(("telemetry", deployment.telemetry.endpoint, (), "anywhere"))
    if deployment.conversations.shared is not None:
        out.append(("conversations", deployment.conversations.shared.endpoint, (), "anywhere"))
    return out


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
