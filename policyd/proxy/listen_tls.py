"""TLS of a listener, and its certificates while policyd runs.

In comes what the deployment says; out goes one context for the socket's whole life, whose every new connection takes what holds
then. The one idea: a listener is opened once, so what changes is not its context but the one that each handshake is handed on to.
"""

import ssl

from policyd.deploy.model import ListenTls
from policyd.deploy.pem import load_pair

__all__ = ["ListenerContext", "ListenerTls"]


class ListenerContext(ssl.SSLContext):
    """A context that knows by which authority it verifies callers."""

    client_ca: str | None = None


class ListenerTls:
    """`context` is for the socket. INVARIANT: whether callers are asked for certificates does not change."""

    def __init__(self, tls: ListenTls) -> None:
        self.context = self._now = _context_of(tls)
        self._tls = tls
        self.context.sni_callback = self._hand_on

    def use(self, tls: ListenTls) -> None:
        """From the next connection on."""
        if tls != self._tls:
            self._tls = tls
            self._now = _context_of(tls)

    def _hand_on(self, session: ssl.SSLObject, *_: object) -> None:
        """Called in every handshake, also where the caller names no server."""
        session.context = self._now


def _context_of(tls: ListenTls) -> ListenerContext:
    # Not `create_default_context`: the environment would say where the keys of connections are written.
    context = ListenerContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    load_pair(context, tls.certificate, tls.key.value)
    if tls.client_ca is not None:
        context.client_ca = tls.client_ca
        context.load_verify_locations(cadata=tls.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED if tls.required else ssl.CERT_OPTIONAL
        # A session that is resumed is not verified anew, and the authority may have changed.
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    return context
