"""Opening a connection to a target: resolve, ask whether the address may be, connect, TLS, pin, and only then hand over.

No byte leaves, not even of TLS, before the address that the name turned out to have was allowed; the address of the
socket's real peer is asked again once connected. Names are resolved at every connect.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable
from typing import TypeAlias

from policyd.deploy.model import Address, BoundTarget
from policyd.proxy.upstream.connection import Connection
from policyd.proxy.upstream.errors import Kind, UpstreamUnreachable
from policyd.proxy.upstream.tls import matches_pin
from policyd.proxy.upstream.unproved import Proof, why_no_handshake, why_no_pin

__all__ = ["connect"]

SocketAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int]


async def connect(
    target: BoundTarget, make: Callable[[], Connection], context: ssl.SSLContext | None
) -> Connection:
    """A connection whose peer may be what the target says. Raises `UpstreamUnreachable`."""
    try:
        async with asyncio.timeout(target.binding.timeouts.connect):
            if target.binding.endpoint.scheme == "unix":
                return await _connect_unix(target, make)
            return await _connect_tcp(target, make, context)
    except TimeoutError:
        raise UpstreamUnreachable(Kind.CONNECT_TIMEOUT, target.name, "no connection in time") from None


async def _connect_unix(target: BoundTarget, make: Callable[[], Connection]) -> Connection:
    loop = asyncio.get_running_loop()
    try:
        _, connection = await loop.create_unix_connection(make, target.binding.endpoint.host)
    except TimeoutError:
        raise
    except OSError as error:
        raise UpstreamUnreachable(Kind.REFUSED, target.name, _said(error)) from None
    return connection


async def _connect_tcp(
    target: BoundTarget, make: Callable[[], Connection], context: ssl.SSLContext | None
) -> Connection:
    found = await _resolve(target)
    allowed = [entry for entry in found if target.addresses.allows(_address(entry[1]))]
    if not allowed:
        raise _not_allowed(target, _address(found[0][1]))
    failure = "no address"
    for family, where in allowed:
        try:
            sock = await _connected(
                family, where, last=where is allowed[-1][1], limit=target.binding.timeouts.connect
            )
        except OSError as error:
            failure = _said(error)
            continue
        return await _over(sock, target, make, context)
    raise UpstreamUnreachable(Kind.REFUSED, target.name, failure)


async def _resolve(target: BoundTarget) -> list[tuple[socket.AddressFamily, SocketAddress]]:
    host, port = target.binding.endpoint.host, target.binding.endpoint.port
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return [(socket.AF_INET6 if literal.version == 6 else socket.AF_INET, (host, port))]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UpstreamUnreachable(
            Kind.DNS, target.name, f"`{host}` is not known: {type(error).__name__}"
        ) from None
    entries: list[tuple[socket.AddressFamily, SocketAddress]] = []
    for family, _, _, _, where in found:
        if family in (socket.AF_INET, socket.AF_INET6):
            entries.append((family, where))  # type: ignore[arg-type]
    if not entries:
        raise UpstreamUnreachable(Kind.DNS, target.name, f"`{host}` has no address")
    return entries


async def _connected(
    family: socket.AddressFamily, where: SocketAddress, *, last: bool, limit: float
) -> socket.socket:
    """A connected socket. Where another address is left to try, this one gets a third of the time."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        attempt = asyncio.get_running_loop().sock_connect(sock, where)
        await (attempt if last else asyncio.wait_for(attempt, limit / 3))
    except BaseException:
        sock.close()
        raise
    return sock


async def _over(
    sock: socket.socket, target: BoundTarget, make: Callable[[], Connection], context: ssl.SSLContext | None
) -> Connection:
    """From here on the transport owns the socket and closes it."""
    peer = _peer(sock)
    if not target.addresses.allows(peer):
        sock.close()
        raise _not_allowed(target, peer)
    loop = asyncio.get_running_loop()
    if context is None:
        _, connection = await loop.create_connection(make, sock=sock)
        return connection
    host = target.binding.endpoint.host
    try:
        transport, connection = await loop.create_connection(
            make, sock=sock, ssl=context, server_hostname=host
        )
    except TimeoutError:
        raise
    except (ssl.SSLError, OSError) as error:
        raise UpstreamUnreachable(Kind.TLS, target.name, why_no_handshake(error, _proof(target))) from None
    session = transport.get_extra_info("ssl_object")
    certificate = None if session is None else session.getpeercert(binary_form=True)
    if session is None or not matches_pin(certificate, target.binding.tls.pins):
        transport.abort()
        raise UpstreamUnreachable(Kind.TLS, target.name, why_no_pin(certificate, _proof(target)))
    return connection


def _proof(target: BoundTarget) -> Proof:
    keys = f"targets.{target.name}"
    binding = target.binding
    return Proof(
        binding.endpoint.host, binding.tls, f"{keys}.url", f"{keys}.tls.ca", f"{keys}.tls.pin_sha256"
    )


def _peer(sock: socket.socket) -> Address:
    """Where the socket really leads. A socket whose peer is already gone leads nowhere."""
    try:
        return _address(sock.getpeername())
    except OSError:
        return ipaddress.IPv4Address(0)


def _address(where: tuple[object, ...]) -> Address:
    return ipaddress.ip_address(str(where[0]).partition("%")[0])


def _not_allowed(target: BoundTarget, address: Address) -> UpstreamUnreachable:
    return UpstreamUnreachable(
        Kind.ADDRESS_NOT_ALLOWED,
        target.name,
        f"`{target.binding.endpoint.host}` is at {address}, which is not allowed",
    )


def _said(error: OSError) -> str:
    return f"{type(error).__name__}: {error.strerror or error}"
