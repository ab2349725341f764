"""Where a connection may lead, and how the server there proves itself, before a byte of a request is written."""

import asyncio
import ipaddress
import ssl
from pathlib import Path

import pytest

from policyd.deploy.model import AddressRule, Endpoint, Tls
from policyd.proxy.upstream.connect import _over
from policyd.proxy.upstream.errors import Kind, UpstreamBroken, UpstreamUnreachable
from policyd.proxy.upstream.tls import matches_pin, public_key_info
from tests.upstream.scripted import (
    CERTS,
    OK,
    Client,
    Peer,
    Scripted,
    answering,
    answering_then_closing,
    https,
    run,
    target,
    until,
)

CA = (CERTS / "ca.pem").read_text()
KEY_PIN = "6dd30526d90843063504845abb84976e6a95cb74cfd098ac9b27d24baf419f71"
CERTIFICATE_PIN = "234c45bed59608f5c1f82146f84d902e4cd08d401c7a3de4ec728c155695a0b9"
ELSEWHERE = AddressRule("networks", (ipaddress.ip_network("10.1.0.0/16"),))


def unreachable(kind: Kind, changes: dict[str, object], *, tls: str | None = None) -> None:
    """Asserts that the client fails with the kind and that no connection of it reached a script."""

    async def main() -> None:
        async with Scripted(answering(OK), tls=tls) as server:
            bound = target(server.port, **changes)
            if tls is not None:
                bound = https(server.port, tls=changes["tls"])  # type: ignore[arg-type]
            async with Client(bound) as client:
                with pytest.raises(UpstreamUnreachable) as caught:
                    await client.open()
                assert caught.value.kind is kind
                pool = client.upstream.pool("a")
                assert pool is not None
                await until(lambda: pool.open == 0 and server.open == 0)
                await asyncio.sleep(0)
                assert pool.open == 0
                if tls is None:
                    assert server.connections == 0

    run(main())


def test_a_loopback_answer_for_a_declared_network_is_allowed() -> None:
    async def main() -> None:
        async with Scripted(answering(OK)) as server:
            bound = target(
                server.port, endpoint=Endpoint("http", "localhost", server.port), addresses=ELSEWHERE
            )
            async with Client(bound) as client:
                assert await client.fetch() == (200, b"ok")

    run(main())


@pytest.mark.parametrize(
    ("rule", "address", "allowed"),
    [
        pytest.param(AddressRule("any"), "93.184.216.34", True, id="any address"),
        pytest.param(AddressRule("loopback"), "127.8.8.8", True, id="all of 127/8 is loopback"),
        pytest.param(AddressRule("loopback"), "::1", True, id="loopback in IPv6"),
        pytest.param(AddressRule("loopback"), "::ffff:127.0.0.1", True, id="loopback written as IPv6"),
        pytest.param(AddressRule("loopback"), "10.1.2.3", False, id="a private address is not loopback"),
        pytest.param(ELSEWHERE, "10.1.2.3", True, id="inside the network"),
        pytest.param(ELSEWHERE, "::ffff:10.1.2.3", True, id="inside the network, written as IPv6"),
        pytest.param(ELSEWHERE, "10.2.0.1", False, id="outside the network"),
        pytest.param(ELSEWHERE, "fd00::1", False, id="another family"),
        pytest.param(ELSEWHERE, "0.0.0.0", False, id="the unspecified address"),
    ],
)
def test_the_address_rule(rule: AddressRule, address: str, allowed: bool) -> None:
    assert rule.allows(ipaddress.ip_address(address)) is allowed


def test_a_name_that_leads_outside_the_networks_gets_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver's answer is the edge: it says 192.0.2.1 (documentation, RFC 5737), which must not even be tried."""

    async def main() -> None:
        async with Client(
            target(9, endpoint=Endpoint("http", "gpu.internal", 9), addresses=ELSEWHERE)
        ) as client:
            loop = client.upstream._loop

            async def resolved(*_: object, **__: object) -> list[object]:
                return [(2, 1, 6, "", ("192.0.2.1", 9))]

            monkeypatch.setattr("asyncio.get_running_loop", lambda: Resolving(loop, resolved))
            with pytest.raises(UpstreamUnreachable) as caught:
                await client.open()
            monkeypatch.undo()
            assert caught.value.kind is Kind.ADDRESS_NOT_ALLOWED
            assert "192.0.2.1" in caught.value.detail

    run(main())


class Resolving:
    """A loop whose resolver is replaced; opening a socket through it is a failure of the test."""

    def __init__(self, loop: object, resolver: object) -> None:
        self._loop = loop
        self.getaddrinfo = resolver

    def __getattr__(self, name: str) -> object:
        assert name not in ("sock_connect", "create_connection")
        return getattr(self._loop, name)


def test_an_address_outside_the_networks_gets_no_connection() -> None:
    unreachable(
        Kind.ADDRESS_NOT_ALLOWED,
        {"endpoint": Endpoint("http", "192.0.2.1", 80), "addresses": ELSEWHERE},
    )


def test_a_peer_that_is_not_who_was_dialled_gets_nothing() -> None:
    """The socket's own word counts last: here it says that it leads elsewhere than was asked."""

    class Elsewhere:
        closed = False

        def getpeername(self) -> tuple[str, int]:
            return ("192.0.2.1", 80)

        def close(self) -> None:
            self.closed = True

    async def main() -> None:
        sock = Elsewhere()
        with pytest.raises(UpstreamUnreachable) as caught:
            await _over(
                sock, target(80, addresses=ELSEWHERE), lambda: pytest.fail("a connection was made"), None
            )  # type: ignore[arg-type]
        assert caught.value.kind is Kind.ADDRESS_NOT_ALLOWED
        assert sock.closed

    run(main())


def test_a_name_nobody_knows_is_a_dns_error() -> None:
    unreachable(
        Kind.DNS, {"endpoint": Endpoint("http", "no-such-name.invalid", 80), "addresses": AddressRule("any")}
    )


@pytest.mark.parametrize(
    "tls",
    [
        pytest.param(Tls(ca=CA), id="own authority"),
        pytest.param(Tls(pins=(KEY_PIN,)), id="pin of the key"),
        pytest.param(Tls(pins=(CERTIFICATE_PIN,)), id="pin of the certificate"),
        pytest.param(Tls(ca=CA, pins=("0" * 64, KEY_PIN)), id="authority and one of two pins"),
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_server_that_proves_itself_is_used(tls: Tls, host: str) -> None:
    async def main() -> None:
        async with (
            Scripted(answering(OK), tls="leaf.pem") as server,
            Client(https(server.port, host, tls)) as client,
        ):
            for _ in range(3):
                assert await client.fetch() == (200, b"ok")
            assert server.connections == 1

    run(main())


@pytest.mark.parametrize(
    ("tls", "certificate"),
    [
        pytest.param(Tls(), "leaf.pem", id="an authority nobody trusts"),
        pytest.param(Tls(ca=CA), "other_name.pem", id="another name"),
        pytest.param(Tls(pins=("0" * 64,)), "leaf.pem", id="another pin"),
        pytest.param(Tls(ca=CA, pins=("0" * 64,)), "leaf.pem", id="the authority but another pin"),
        pytest.param(
            Tls(pins=(CERTIFICATE_PIN,)), "other_name.pem", id="the same key in another certificate"
        ),
    ],
)
def test_a_server_that_does_not_prove_itself_gets_nothing(tls: Tls, certificate: str) -> None:
    unreachable(Kind.TLS, {"tls": tls}, tls=certificate)


def test_a_plain_server_behind_https_is_a_tls_error() -> None:
    async def main() -> None:
        async with (
            Scripted(answering_then_closing(OK)) as server,
            Client(https(server.port, tls=Tls(ca=CA))) as client,
        ):

            async def speaks_first(peer: object, _: int) -> None:
                await peer.send(OK)  # type: ignore[attr-defined]

            server.script = speaks_first  # type: ignore[assignment]
            with pytest.raises(UpstreamUnreachable) as caught:
                await client.open()
            assert caught.value.kind is Kind.TLS

    run(main())


def test_a_body_cut_inside_tls_is_truncated() -> None:
    async def main() -> None:
        script = answering_then_closing(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello")
        async with (
            Scripted(script, tls="leaf.pem") as server,
            Client(https(server.port, tls=Tls(ca=CA))) as client,
        ):
            with pytest.raises(UpstreamBroken) as caught:
                await client.fetch()
            assert caught.value.kind is Kind.TRUNCATED

    run(main())


@pytest.mark.parametrize("closed_in_order", [True, False])
def test_inside_tls_an_end_by_close_is_told_from_a_cut(closed_in_order: bool) -> None:
    """Without a length only TLS's own goodbye (close_notify) says that the body was whole."""

    async def ending(peer: Peer, _: int) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        if not closed_in_order:
            peer.writer.transport.abort()

    async def main() -> None:
        async with (
            Scripted(ending, tls="leaf.pem") as server,
            Client(https(server.port, tls=Tls(ca=CA))) as client,
        ):
            if closed_in_order:
                assert await client.fetch() == (200, b"hello")
                return
            with pytest.raises(UpstreamBroken) as caught:
                await client.fetch()
            assert caught.value.kind is Kind.RESET

    run(main())


def test_a_unix_socket_is_reached(tmp_path: Path) -> None:
    path = str(tmp_path / "model.sock")

    async def main() -> None:
        async with (
            Scripted(answering(OK), path=path) as server,
            Client(target(0, endpoint=Endpoint("unix", path, 0))) as client,
        ):
            for _ in range(2):
                assert await client.fetch() == (200, b"ok")
            assert server.connections == 1

    run(main())


def test_a_unix_socket_that_is_not_there_is_refused(tmp_path: Path) -> None:
    unreachable(Kind.REFUSED, {"endpoint": Endpoint("unix", str(tmp_path / "none.sock"), 0)})


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_in_the_environment_is_ignored(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with (
            Scripted(answering(OK)) as proxy,
            Scripted(answering(OK)) as server,
            Client(target(server.port)) as client,
        ):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            assert await client.fetch() == (200, b"ok")
            assert (proxy.connections, server.connections) == (0, 1)

    run(main())


def test_the_key_of_a_certificate_is_found() -> None:
    der = ssl.PEM_cert_to_DER_cert((CERTS / "leaf.pem").read_text())
    assert matches_pin(der, (KEY_PIN,))
    assert matches_pin(der, (CERTIFICATE_PIN,))
    assert not matches_pin(der, ("0" * 64,))
    assert not matches_pin(None, (KEY_PIN,))
    assert matches_pin(None, ())


@pytest.mark.parametrize("length", [0, 1, 2, 5, 40, 200, 300])
def test_a_cut_certificate_has_no_key(length: int) -> None:
    der = ssl.PEM_cert_to_DER_cert((CERTS / "leaf.pem").read_text())
    assert public_key_info(der[:length]) == b""
