"""What a name turns out to have, asked at every connect: a resolver that says one thing and then another, several things at once,
and addresses in every disguise. The resolver is the edge; everything behind it is real."""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from typing import Any

import pytest

from policyd.deploy.addresses import NEVER_PRIVATE
from policyd.deploy.model import AddressRule, Endpoint
from policyd.deploy.values import private_network
from policyd.proxy.upstream.errors import Kind, UpstreamUnreachable
from tests.upstream.scripted import OK, Client, Scripted, answering, answering_then_closing, run, target

NETWORKS = AddressRule("networks", (ipaddress.ip_network("10.1.0.0/16"),))
PUBLIC = AddressRule("public")
LINK = AddressRule("public", (ipaddress.ip_network("10.1.0.0/16"),))


class Resolver:
    """A loop that resolves by a script, one answer for each question, and remembers what was dialled."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *answers: Sequence[str]) -> None:
        self._loop = loop
        self._answers = list(answers)
        self.asked = 0
        self.dialled: list[str] = []

    async def getaddrinfo(self, _host: str, port: int, **_: Any) -> list[Any]:
        self.asked += 1
        addresses = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        found: list[Any] = []
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            found.append(
                (
                    family,
                    socket.SOCK_STREAM,
                    6,
                    "",
                    (address, port) if family == socket.AF_INET else (address, port, 0, 0),
                )
            )
        return found

    async def sock_connect(self, sock: socket.socket, where: tuple[Any, ...]) -> None:
        self.dialled.append(where[0])
        await self._loop.sock_connect(sock, where)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


@pytest.fixture
def resolving(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(*answers: Sequence[str]) -> Resolver:
        resolver = Resolver(asyncio.get_running_loop(), *answers)
        monkeypatch.setattr("policyd.proxy.upstream.connect.asyncio.get_running_loop", lambda: resolver)
        return resolver

    return install


def named(port: int, rule: AddressRule) -> Any:
    return target(port, endpoint=Endpoint("http", "gpu.internal", port), addresses=rule)


async def refused(client: Client) -> UpstreamUnreachable:
    with pytest.raises(UpstreamUnreachable) as caught:
        await client.open()
    return caught.value


def test_a_name_is_resolved_once_for_a_connection_and_what_was_allowed_is_dialled(resolving: Any) -> None:
    """Between the question and the connect the answer changes; nobody asks again, so it changes nothing."""

    async def main() -> None:
        async with Scripted(answering(OK)) as server, Client(named(server.port, NETWORKS)) as client:
            resolver = resolving(["127.0.0.1"], ["192.0.2.1"])
            assert await client.fetch() == (200, b"ok")
            assert (resolver.asked, resolver.dialled) == (1, ["127.0.0.1"])
            assert await client.fetch() == (200, b"ok"), "an open connection stays what it is"
            assert resolver.asked == 1

    run(main())


def test_a_name_that_changes_gets_no_further_connection(resolving: Any) -> None:
    async def main() -> None:
        async with (
            Scripted(answering_then_closing(OK)) as server,
            Client(named(server.port, NETWORKS)) as client,
        ):
            resolver = resolving(["127.0.0.1"], ["192.0.2.1"], ["127.0.0.1"])
            assert await client.fetch() == (200, b"ok")
            error = await refused(client)
            assert error.kind is Kind.ADDRESS_NOT_ALLOWED
            assert resolver.dialled == ["127.0.0.1"]
            assert await client.fetch() == (200, b"ok"), "and comes back with its address"
            assert server.connections == 2

    run(main())


@pytest.mark.parametrize(
    "answer",
    [["192.0.2.1", "127.0.0.1"], ["127.0.0.1", "192.0.2.1"], ["2001:db8::1", "127.0.0.1"], ["::ffff:192.0.2.1", "127.0.0.1"]],
    ids=str,
)  # fmt: skip
def test_of_several_addresses_only_an_allowed_one_is_dialled(resolving: Any, answer: list[str]) -> None:
    async def main() -> None:
        async with Scripted(answering(OK)) as server, Client(named(server.port, NETWORKS)) as client:
            resolver = resolving(answer)
            assert await client.fetch() == (200, b"ok")
            assert resolver.dialled == ["127.0.0.1"]

    run(main())


def test_an_address_that_does_not_answer_is_no_reason_to_dial_a_forbidden_one(resolving: Any) -> None:
    async def main() -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            async with Client(named(closed.getsockname()[1], NETWORKS)) as client:
                resolver = resolving(["127.0.0.1", "192.0.2.1"])
                assert (await refused(client)).kind is Kind.REFUSED
                assert resolver.dialled == ["127.0.0.1"]

    run(main())


DISGUISES = {
    "this machine": "127.0.0.1",
    "all of it": "127.9.9.9",
    "this machine in IPv6": "::1",
    "this machine as IPv4 in IPv6": "::ffff:127.0.0.1",
    "the old way": "::127.0.0.1",
    "6to4": "2002:7f00:1::",
    "through NAT64": "64:ff9b::7f00:1",
    "through a local NAT64": "64:ff9b:1::1",
    "unspecified": "0.0.0.0",
    "unspecified in IPv6": "::",
    "metadata": "169.254.169.254",
    "metadata as IPv4 in IPv6": "::ffff:169.254.169.254",
    "metadata through NAT64": "64:ff9b::a9fe:a9fe",
    "metadata through 6to4": "2002:a9fe:a9fe::",
    "metadata of AWS in IPv6": "fd00:ec2::254",
    "metadata of Alibaba": "100.100.100.200",
    "link-local in IPv6": "fe80::1",
    "private": "10.0.0.1",
    "private, too": "172.16.0.1",
    "private, three": "192.168.1.1",
    "shared by a provider": "100.64.0.1",
    "unique local": "fd12::1",
    "for documents": "192.0.2.1",
    "for benchmarks": "198.18.0.1",
    "site-local, as it once was": "fec0::1",
    "translated by a router": "::ffff:0:10.0.0.1",
    "between segments of a network": "5f00::1",
    "for documents in IPv6": "3fff::1",
    "given to nobody": "4000::1",
    "a relay of 6to4": "192.88.99.1",
    "multicast": "224.0.0.1",
    "multicast in IPv6": "ff02::1",
    "broadcast": "255.255.255.255",
    "reserved": "240.0.0.1",
}


@pytest.mark.parametrize("address", DISGUISES.values(), ids=DISGUISES.keys())
def test_a_name_of_the_cloud_that_leads_here_gets_no_connection(resolving: Any, address: str) -> None:
    """Users of other gateways met: a URL that a name server chose led to the machine's own metadata."""

    async def main() -> None:
        async with Client(named(9, PUBLIC)) as client:
            resolver = resolving([address])
            error = await refused(client)
            assert error.kind is Kind.ADDRESS_NOT_ALLOWED
            assert resolver.dialled == []

    run(main())


@pytest.mark.parametrize(
    ("rule", "address", "allowed"),
    [
        (PUBLIC, "93.184.216.34", True),
        (PUBLIC, "2606:2800:220:1::1", True),
        (PUBLIC, "::ffff:93.184.216.34", True),
        (PUBLIC, "64:ff9b::5db8:d822", True),
        (LINK, "10.1.2.3", True),
        (LINK, "::ffff:10.1.2.3", True),
        (LINK, "10.2.2.3", False),
        (LINK, "127.0.0.1", False),
        (LINK, "93.184.216.34", True),
    ],
    ids=str,
)
def test_the_rule_of_the_cloud(rule: AddressRule, address: str, allowed: bool) -> None:
    assert rule.allows(ipaddress.ip_address(address)) is allowed


@pytest.mark.parametrize("never", NEVER_PRIVATE, ids=str)
def test_no_private_network_holds_this_machine_or_its_metadata(never: Any) -> None:
    from pydantic_core import PydanticCustomError  # noqa: PLC0415

    for network in (never, never.supernet(new_prefix=max(1, never.prefixlen - 4))):
        with pytest.raises(PydanticCustomError):
            private_network(str(network))
