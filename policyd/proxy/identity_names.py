"""Callers known by the names in a certificate: their own, or one that a trusted hop verified and tells of.

In come a connection or a header; out go claims, or why there are none. The one idea: a certificate names one caller or
nobody. Two names of a kind, two certificates, two headers leave open who is asking, and are refused; what a hop says counts
where it comes from the hop, and is otherwise as if it were not there.
"""

import ipaddress
import re
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from policyd.deploy.model import HopIdentity, KnownName, MtlsIdentity, NameKind, Network
from policyd.proxy.caller import Claims, Peer, Shown
from policyd.proxy.refusals import Refusal, refuse

__all__ = ["Certificates", "Hop", "Names", "names_in_certificate", "names_in_header"]

MOST_KNOWN: Final = 4096
LONGEST_HEADER: Final = 16 * 1024

_URI: Final = re.compile(r"[a-z][a-z0-9+.-]*://[\x21-\x7e]{1,2000}")
_SPIFFE: Final = re.compile(r"spiffe://[a-z0-9._-]{1,255}(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+)+")
_PAIR: Final = re.compile(r'([A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^",;]*)')


class Names(NamedTuple):
    """The names that a certificate holds, by kind."""

    uri: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    cn: tuple[str, ...] = ()


class Certificates:
    """Callers by their own certificates, which the listener verified. `client_ca` is the authority that holds now."""

    def __init__(self, identity: MtlsIdentity, client_ca: str | None) -> None:
        self._claims = _claims_by(identity.names, identity.claims)
        self._client_ca = client_ca

    def __call__(self, _: Shown, peer: Peer | None, at: float) -> Claims | Refusal | None:
        certificate = None if peer is None else peer.about("peercert")
        if peer is None or not certificate:
            return None
        session = peer.about("ssl_object")
        verified_by = None if session is None else getattr(session.context, "client_ca", None)
        if verified_by is None or verified_by != self._client_ca:
            return _nobody(
                "the connection was verified by an authority that does not hold any more: connect again"
            )
        if at >= _end(certificate.get("notAfter", "")):
            return _nobody(
                "the certificate has expired since the connection began: connect again with a new one"
            )
        return self._claims(names_in_certificate(certificate))


class Hop:
    """Callers by what a trusted hop says. `unix`: the listener is a socket that the hop opens."""

    def __init__(self, identity: HopIdentity, *, unix: bool) -> None:
        self._claims = _claims_by(identity.names, identity.claims)
        self._header = identity.header.encode()
        self._networks = identity.networks
        self._unix = unix and identity.unix
        self._known: dict[bytes, Names] = {}

    def __call__(self, headers: Shown, peer: Peer | None, _: float) -> Claims | Refusal | None:
        said = [value for name, value in headers if name == self._header]
        if not said or not self._is_hop(peer):
            return None
        if len(said) > 1:
            return refuse("caller_bad_claim", "the hop's header came twice, so who is asking is not said")
        names = self._known.get(said[0])
        if names is None:
            found = names_in_header(self._header, said[0])
            if found is None:
                return refuse(
                    "caller_bad_claim", "the hop's header does not name one caller in a way that can be read"
                )
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            names = self._known[said[0]] = found
        return self._claims(names)

    def _is_hop(self, peer: Peer | None) -> bool:
        if self._unix:
            return True
        place = None if peer is None else peer.about("peername")
        return isinstance(place, tuple) and bool(place) and _lies_in(str(place[0]), self._networks)


@lru_cache(maxsize=4096)
def _lies_in(text: str, networks: tuple[Network, ...]) -> bool:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


@lru_cache(maxsize=1024)
def _end(not_after: str) -> float:
    """INVARIANT: what cannot be read is past."""
    try:
        return float(ssl.cert_time_to_seconds(not_after))
    except ValueError:
        return 0.0


def names_in_certificate(certificate: Mapping[str, Any]) -> Names:
    """The names in what `SSLObject.getpeercert` gives."""
    held: Sequence[tuple[str, str]] = certificate.get("subjectAltName", ())
    subject: Iterable[Iterable[tuple[str, str]]] = certificate.get("subject", ())
    return Names(
        tuple(value for kind, value in held if kind == "URI"),
        tuple(value.lower() for kind, value in held if kind == "DNS"),
        tuple(value for part in subject for kind, value in part if kind == "commonName"),
    )


def names_in_header(header: bytes, value: bytes) -> Names | None:
    """The names in a hop's header, or None where it does not name one caller."""
    if len(value) > LONGEST_HEADER or not value.isascii():
        return None
    text = value.decode("ascii").strip()
    if header == b"x-spiffe-id":
        return Names((text,)) if _SPIFFE.fullmatch(text) else None
    pairs = _pairs(text)
    if pairs is None:
        return None
    uris = tuple(value for key, value in pairs if key == "uri" and value)
    names = Names(uris, tuple(value.lower() for key, value in pairs if key == "dns" and value))
    return names if all(_URI.fullmatch(uri) for uri in uris) and (names.uri or names.dns) else None


def _pairs(text: str) -> list[tuple[str, str]] | None:
    """The pairs of Envoy's one element: `By=…;Hash=…;URI=…`. A comma outside quotes begins another hop's."""
    out: list[tuple[str, str]] = []
    at = 0
    while True:
        found = _PAIR.match(text, at)
        if found is None:
            return None
        key, value = found.groups()
        out.append(
            (key.lower(), re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value.strip())
        )
        at = found.end()
        if at == len(text):
            return out
        if text[at] != ";":
            return None
        at += 1


def _claims_by(
    known: tuple[KnownName, ...], wanted: tuple[tuple[str, NameKind], ...]
) -> Callable[[Names], Claims | Refusal]:
    """Who holds names, as a function that gives equal names the very same claims."""
    by_name: dict[tuple[str, str], Claims] = {(k.kind, k.name): dict(k.claims) for k in known}
    seen: dict[Names, Claims | Refusal] = {}

    def claims_of(names: Names) -> Claims | Refusal:
        found = seen.get(names)
        if found is None:
            if len(seen) >= MOST_KNOWN:
                seen.clear()
            found = seen[names] = _claims(names, by_name, wanted)
        return found

    return claims_of


def _claims(
    names: Names, by_name: Mapping[tuple[str, str], Claims], wanted: tuple[tuple[str, NameKind], ...]
) -> Claims | Refusal:
    if len(names.uri) > 1 and any(uri.startswith("spiffe:") for uri in names.uri):
        return refuse(
            "caller_bad_claim",
            f"the certificate has {len(names.uri)} URIs, and a SPIFFE ID stands alone, so who is asking is not said",
        )
    claims: dict[str, str] = {}
    for name, kind in wanted:
        values: tuple[str, ...] = getattr(names, kind)
        if len(values) > 1:
            return refuse(
                "caller_bad_claim",
                f"the certificate has {len(values)} names of the kind `{kind}`, and which counts is not said",
            )
        if values:
            claims[name] = values[0]
    if by_name:
        held = [(kind, value) for kind in names._fields for value in getattr(names, kind)]
        matching = [by_name[one] for one in dict.fromkeys(held) if one in by_name]
        if not matching:
            return _nobody("the certificate has no name that this deployment knows")
        if len(matching) > 1:
            return refuse(
                "caller_bad_claim",
                "the certificate has the names of two callers, and which counts is not said",
            )
        claims |= matching[0]
    return claims


def _nobody(message: str) -> Refusal:
    return refuse("caller_unidentified", message)
