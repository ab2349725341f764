"""An allowlist of egress, said for a person, a program, a cluster or a kernel.

In comes an `Egress`; out goes text. What a format cannot say (a NetworkPolicy knows no names) is said in a comment of it, so
that nobody takes the rules for narrower than they are.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from types import MappingProxyType
from typing import Final, NamedTuple

from policyd.deploy.addresses import NEVER_PRIVATE
from policyd.deploy.egress import Egress, Exit
from policyd.deploy.model import Network

__all__ = ["FORMATS", "Asked"]

_BY_NAME: Final = ("internet", "anywhere")

NOT_PUBLIC: Final[tuple[Network, ...]] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
        "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "::/127", "64:ff9b:1::/48", "2001:db8::/32", "fc00::/7", "fe80::/10", "ff00::/8",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What the formats of a cluster and a kernel need to know besides: the object's name, the `label` of the pods, the user id of
    policyd."""

    name: str
    namespace: str | None
    label: tuple[str, str]
    uid: int


def as_text(egress: Egress, _: Asked) -> str:
    lines = [f"{e.shown}  {_where(e)}  ({', '.join(e.used_for)})" for e in egress.exits]
    lines += [f"unix:{path}  this machine  ({', '.join(used)})" for path, used in egress.sockets]
    if egress.names:
        count = "1 name is" if len(egress.names) == 1 else f"{len(egress.names)} names are"
        lines.append(f"DNS  {count} resolved at every connect: {', '.join(egress.names)}")
    return "\n".join(lines or ["nothing"])


def _where(found: Exit) -> str:
    networks = ", ".join(map(str, found.networks))
    match found.where:
        case "this machine":
            return "this machine"
        case "internet":
            return f"internet, {networks}" if networks else "internet"
        case "anywhere":
            return "anywhere"
        case "networks":
            return networks or "no network is declared"


def as_json(egress: Egress, _: Asked) -> str:
    exits = [
        {
            "host": e.host,
            "port": e.port,
            "where": e.where,
            "networks": [str(n) for n in e.networks],
            "used_for": e.used_for,
        }
        for e in egress.exits
    ]
    sockets = [{"path": path, "used_for": used} for path, used in egress.sockets]
    return json.dumps({"format": 1, "exits": exits, "sockets": sockets, "resolves": egress.names}, indent=2)


def as_networkpolicy(egress: Egress, asked: Asked) -> str:
    rules: list[str] = []
    for rule in _rules(egress):
        rules += [f"    # {rule.used_for}", *_cluster_rule(rule)]
    names = [e.shown for e in egress.outside if e.address is None and e.where in _BY_NAME]
    head = [
        "# Written by `policyd egress --format networkpolicy`; write it again when the deployment changes.",
        "# It is about pods: whatever else runs in the same pod may go there as well.",
    ]
    if names:
        head.append(
            f"# A NetworkPolicy knows no names: for {', '.join(names)} it allows the port everywhere outside."
        )
        head.append(
            "# policyd itself goes to those names alone; `--format cilium` says them to a network that can."
        )
    body = [
        "apiVersion: networking.k8s.io/v1",
        "kind: NetworkPolicy",
        "metadata:",
        f"  name: {asked.name}",
        *([] if asked.namespace is None else [f"  namespace: {asked.namespace}"]),
        "spec:",
        "  podSelector:",
        "    matchLabels:",
        f"      {_quoted(asked.label[0])}: {_quoted(asked.label[1])}",
        "  policyTypes: [Egress]",
    ]
    if egress.names:
        rules += _cluster_dns()
    return "\n".join([*head, *body, *(["  egress:", *rules] if rules else ["  egress: []"])])


class _Rule(NamedTuple):
    """What a list of addresses and ports can say: a port, open to networks without some inside them."""

    port: int
    blocks: tuple[tuple[Network, tuple[Network, ...]], ...]
    used_for: str


def _rules(egress: Egress) -> Iterator[_Rule]:
    """Places with an address, or in networks of their own, one by one; names on the internet by their ports."""
    by_port: dict[tuple[int, str], list[Exit]] = {}
    for found in egress.outside:
        blocks = [ip_network(found.host)] if found.address is not None else list(found.networks)
        if blocks:
            yield _Rule(found.port, tuple((block, ()) for block in blocks), _told(found))
        if found.address is None and found.where in _BY_NAME:
            by_port.setdefault((found.port, found.where), []).append(found)
    for (port, where), names in sorted(by_port.items()):
        without = NOT_PUBLIC if where == "internet" else NEVER_PRIVATE
        four, six = (tuple(one for one in without if one.version == version) for version in (4, 6))
        everything = ((IPv4Network("0.0.0.0/0"), four), (IPv6Network("::/0"), six))
        yield _Rule(port, everything, "; ".join(map(_told, names)))


def _told(found: Exit) -> str:
    """For a comment: on one line, whatever the deployment says."""
    return " ".join(f"{found.shown} ({', '.join(found.used_for)})".split())


def _cluster_rule(rule: _Rule) -> Iterator[str]:
    yield "    - to:"
    for network, without in rule.blocks:
        yield "        - ipBlock:"
        yield f"            cidr: {_quoted(str(network))}"
        if without:
            yield f"            except: [{', '.join(_quoted(str(one)) for one in without)}]"
    yield "      ports:"
    yield f"        - {{ protocol: TCP, port: {rule.port} }}"


def _cluster_dns() -> list[str]:
    return [
        "    # DNS of the cluster",
        "    - to:",
        "        - namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: kube-system } }",
        "          podSelector: { matchLabels: { k8s-app: kube-dns } }",
        "      ports:",
        "        - { protocol: UDP, port: 53 }",
        "        - { protocol: TCP, port: 53 }",
    ]


def as_cilium(egress: Egress, asked: Asked) -> str:
    lines = [
        "# Written by `policyd egress --format cilium`; write it again when the deployment changes.",
        "apiVersion: cilium.io/v2",
        "kind: CiliumNetworkPolicy",
        "metadata:",
        f"  name: {asked.name}",
        *([] if asked.namespace is None else [f"  namespace: {asked.namespace}"]),
        "spec:",
        "  endpointSelector:",
        "    matchLabels:",
        f"      {_quoted(asked.label[0])}: {_quoted(asked.label[1])}",
    ]
    rules: list[str] = []
    for found in egress.outside:
        rules.append(f"    # {_told(found)}")
        if found.address is None and found.where in _BY_NAME:
            rules += ["    - toFQDNs:", f"        - matchName: {_quoted(found.host)}"]
        else:
            networks = [ip_network(found.host)] if found.address is not None else list(found.networks)
            rules += ["    - toCIDR:", *(f"        - {_quoted(str(network))}" for network in networks)]
        rules += ["      toPorts:", f'        - ports: [{{ port: "{found.port}", protocol: TCP }}]']
    if egress.names:
        rules += [
            "    # DNS of the cluster, for these names",
            "    - toEndpoints:",
            '        - matchLabels: { "k8s:io.kubernetes.pod.namespace": kube-system, "k8s:k8s-app": kube-dns }',
            "      toPorts:",
            '        - ports: [{ port: "53", protocol: ANY }]',
            "          rules:",
            "            dns:",
            *(f"              - matchName: {_quoted(name)}" for name in egress.names),
        ]
    return "\n".join([*lines, *(["  egress:", *rules] if rules else ["  egress: []"])])


def as_iptables(egress: Egress, asked: Asked) -> str:
    """A shell script for one network namespace: a pod's, run before its containers start."""
    lines = [
        "#!/bin/sh",
        "# Written by `policyd egress --format iptables`; write it again when the deployment changes.",
        "# In this network namespace only the user id of policyd may leave the machine, and only to these ports; everybody may",
        "# answer whoever connected to them, and talk over loopback. It needs NET_ADMIN, and is run before anything else starts.",
        "set -eu",
        f"uid={asked.uid}",
    ]
    names = [e.shown for e in egress.outside if e.address is None and e.where in _BY_NAME]
    if names:
        lines.append(
            f"# The kernel knows no names: for {', '.join(names)} the port is open to policyd everywhere outside."
        )
    lines += ["", *_chain(egress, "iptables", 4)]
    lines += [
        "",
        "# A kernel without IPv6 has nothing to close.",
        "[ -e /proc/net/if_inet6 ] || exit 0",
        *_chain(egress, "ip6tables", 6),
    ]
    return "\n".join(lines)


def _chain(egress: Egress, command: str, version: int) -> Iterator[str]:
    run = f"{command} -w 5"
    yield f"{run} -N POLICYD_EGRESS"
    yield f"{run} -A POLICYD_EGRESS -o lo -j RETURN"
    yield f"{run} -A POLICYD_EGRESS -m conntrack --ctstate ESTABLISHED -j RETURN"
    if version == 6:
        # Without neighbour discovery there is no IPv6 at all.
        yield f"{run} -A POLICYD_EGRESS -p ipv6-icmp --icmpv6-type neighbour-solicitation -j RETURN"
        yield f"{run} -A POLICYD_EGRESS -p ipv6-icmp --icmpv6-type neighbour-advertisement -j RETURN"
    yield f'{run} -A POLICYD_EGRESS -m owner ! --uid-owner "$uid" -j REJECT'
    if egress.names:
        yield f"{run} -A POLICYD_EGRESS -p udp --dport 53 -j RETURN"
        yield f"{run} -A POLICYD_EGRESS -p tcp --dport 53 -j RETURN"
    for rule in _rules(egress):
        blocks = [(network, without) for network, without in rule.blocks if network.version == version]
        if blocks:
            yield f"# {rule.used_for}"
        for network, without in blocks:
            yield from (
                f"{run} -A POLICYD_EGRESS -d {one} -p tcp --dport {rule.port} -j REJECT" for one in without
            )
            yield f"{run} -A POLICYD_EGRESS -d {network} -p tcp --dport {rule.port} -j RETURN"
    yield f"{run} -A POLICYD_EGRESS -j REJECT"
    yield f"{run} -I OUTPUT 1 -j POLICYD_EGRESS"


def _quoted(text: str) -> str:
    """A string of YAML, whatever it holds."""
    return json.dumps(text)


FORMATS: Final[Mapping[str, Callable[[Egress, Asked], str]]] = MappingProxyType(
    {
        "text": as_text,
        "json": as_json,
        "networkpolicy": as_networkpolicy,
        "cilium": as_cilium,
        "iptables": as_iptables,
    }
)
