"""Why a server could not prove itself over TLS, in words: what it is about, its value, and what to do.

In come the error of a handshake, or a certificate without its pin, the host, and the keys of the deployment file that say
whom to believe; out goes a sentence for a log and the admin side. The one idea: an authority that is not known, another
name, another time and another pin have different cures, so they are told apart. It quotes nothing that a server said but
digests of its certificate. Pure.
"""

import hashlib
import ssl
from dataclasses import dataclass
from typing import Final

from policyd.deploy.model import Tls
from policyd.proxy.upstream.tls import public_key_info

__all__ = ["Proof", "why_no_handshake", "why_no_pin"]

_UNSIGNED: Final = frozenset({2, 18, 19, 20, 21, 24})
"""OpenSSL's verdicts (X509_V_ERR_…) on a certificate whose signer is not trusted."""

_NOT_YET: Final = 9
_EXPIRED: Final = 10
_OTHER_NAME: Final = frozenset({62, 64})
_NO_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}
)
_OLD: Final = frozenset({"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION"})


@dataclass(frozen=True, slots=True)
class Proof:
    """How a server has to prove itself. `url`, `ca` and `pin` are the keys of the deployment file that say so."""

    host: str
    tls: Tls
    url: str
    ca: str
    pin: str


def why_no_handshake(error: OSError, proof: Proof) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _why_not_believed(error, proof)
    reason = getattr(error, "reason", None) or ""
    if reason in _NO_TLS:
        return f"`{proof.host}` answers without TLS: look at the port and at `https://` in `{proof.url}`"
    if reason in _OLD:
        return f"`{proof.host}` speaks no TLS from version 1.2 on"
    if isinstance(error, ssl.SSLError):
        said = reason.lower().replace("_", " ") or "no reason is known"
        return f"the TLS handshake with `{proof.host}` failed: {said}"
    return f"`{proof.host}` ended the TLS handshake: {error.strerror or type(error).__name__}"


def _why_not_believed(error: ssl.SSLCertVerificationError, proof: Proof) -> str:
    code, certificate = error.verify_code, f"the certificate of `{proof.host}`"
    if code in _UNSIGNED:
        whom = (
            f"by the authority of `{proof.ca}`"
            if proof.tls.ca is not None
            else "by an authority that is known here"
        )
        return f"{certificate} is not signed {whom}: name the PEM file of its own authority in `{proof.ca}`"
    if code in _OTHER_NAME:
        return f"{certificate} is for another name: write the name that it is for in `{proof.url}`"
    if code == _EXPIRED:
        return f"{certificate}, or of its authority, has expired: renew it there, and look at this machine's clock"
    if code == _NOT_YET:
        return f"{certificate}, or of its authority, is not valid yet: look at the clocks of both machines"
    return f"{certificate} is not believed: {error.verify_message or 'no reason is known'}"


def why_no_pin(certificate: bytes | None, proof: Proof) -> str:
    if certificate is None:
        return f"`{proof.host}` showed no certificate"
    whole, key = (hashlib.sha256(part).hexdigest() for part in (certificate, public_key_info(certificate)))
    return (
        f"the certificate of `{proof.host}` is not one of `{proof.pin}`: its SHA-256 is {whole}, its key's {key};"
        f" write one of them there if the server is the right one"
    )
