"""How a target's server is recognised: TLS contexts, and pins of its certificate or public key.

In: a target's `Tls`. Out: a context that speaks HTTP/1.1 only, and the check of a pin once the handshake is done. A pin
is the SHA-256 of the leaf certificate (DER) or of its SubjectPublicKeyInfo (RFC 7469, section 2.4).
"""

import hashlib
import hmac
import ssl
import sys
from pathlib import Path

from policyd.deploy.model import Tls

__all__ = ["context_for", "matches_pin", "public_key_info"]


def context_for(tls: Tls) -> ssl.SSLContext:
    """Raises `ssl.SSLError` where the authority's PEM text cannot be read. With pins alone the context verifies nothing:
    the pin must be checked before the first byte of a request (`matches_pin`)."""
    # Not `create_default_context`: it writes the keys of every connection where SSLKEYLOGFILE says, and trusts what
    # SSL_CERT_FILE names. The deployment file alone says whom to trust.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls.ca is not None:
        context.load_verify_locations(cadata=tls.ca)
    else:
        _load_system_authorities(context)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if tls.pins and tls.ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_system_authorities(context: ssl.SSLContext) -> None:
    if sys.platform == "win32":
        context.load_default_certs()
        return
    paths = ssl.get_default_verify_paths()
    file, folder = Path(paths.openssl_cafile), Path(paths.openssl_capath)
    if file.is_file() or folder.is_dir():
        context.load_verify_locations(
            cafile=str(file) if file.is_file() else None, capath=str(folder) if folder.is_dir() else None
        )


def matches_pin(certificate: bytes | None, pins: tuple[str, ...]) -> bool:
    """True where there are no pins, or one of them is the certificate's or its key's."""
    if not pins:
        return True
    if certificate is None:
        return False
    digests = (
        hashlib.sha256(certificate).hexdigest(),
        hashlib.sha256(public_key_info(certificate)).hexdigest(),
    )
    return any(hmac.compare_digest(pin, digest) for pin in pins for digest in digests)


def public_key_info(certificate: bytes) -> bytes:
    """The DER bytes of SubjectPublicKeyInfo (RFC 5280, section 4.1); empty where the certificate is not what it should
    be. The seventh field of the first field, after the optional version."""
    outer = _field(certificate, 0)
    inner = _field(certificate, outer[0]) if outer else None
    if inner is None:
        return b""
    at, _ = inner
    # An explicit version (context tag 0) comes first unless it is the default, version 1.
    before_the_key = 6 if certificate[at : at + 1] == b"\xa0" else 5
    for _ in range(before_the_key):
        field = _field(certificate, at)
        if field is None:
            return b""
        _, at = field
    field = _field(certificate, at)
    return certificate[at : field[1]] if field else b""


def _field(data: bytes, at: int) -> tuple[int, int] | None:
    """Where the contents of the DER field at `at` begin and end."""
    if at + 2 > len(data):
        return None
    size, start = data[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7F
        size, start = int.from_bytes(data[start : start + count], "big"), start + count
    return (start, start + size) if start + size <= len(data) else None
