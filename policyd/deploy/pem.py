"""A certificate with its private key, given to OpenSSL as text.

In: a context and two PEM texts. Out: nothing, or `ValueError` that says what is wrong. OpenSSL takes files only, so the texts
stand for a moment in one that has no name (or, where the system has none of those, in one that only this user may read).
"""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["load_pair"]


def load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    if "ENCRYPTED" in key:
        raise ValueError(
            "the key is encrypted, and nobody is there to type its password: decrypt it into a secret"
        )
    with _file(f"{key}\n{certificate}\n") as path:
        try:
            # A password would be asked for on the terminal.
            context.load_cert_chain(path, password="")
        except (ssl.SSLError, ValueError, OSError):
            raise ValueError("the key is not the one of the certificate, or one of them is not PEM") from None


@contextmanager
def _file(text: str) -> Iterator[str]:
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("policyd-tls", os.MFD_CLOEXEC)
        path = f"/proc/self/fd/{handle}"
        if Path(path).exists():
            try:
                os.write(handle, text.encode("ascii", "replace"))
                yield path
            finally:
                os.close(handle)
            return
        os.close(handle)
    with tempfile.TemporaryDirectory(prefix="policyd-") as folder:
        file = Path(folder) / "pair.pem"
        file.touch(0o600)
        file.write_text(text, encoding="ascii", errors="replace")
        yield str(file)
