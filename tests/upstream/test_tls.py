"""Whom a TLS context trusts, and whom it tells its keys."""

import ssl
from pathlib import Path

import pytest

from policyd.deploy.model import Tls
from policyd.proxy.upstream.tls import context_for
from tests.upstream.scripted import CERTS

PEMS = sorted(CERTS.glob("*.pem")) or sorted(CERTS.glob("*.crt"))


@pytest.mark.parametrize("tls", [Tls(), Tls(pins=("0" * 64,))], ids=["the system's authorities", "a pin"])
def test_the_environment_neither_trusts_nor_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: Tls
) -> None:
    keys, authority = tmp_path / "keys", PEMS[0]
    before = context_for(tls).get_ca_certs()
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    context = context_for(tls)
    assert context.get_ca_certs() == before
    assert not getattr(context, "keylog_filename", None)
    assert not keys.exists()


def test_without_a_pin_a_server_must_prove_its_name() -> None:
    context = context_for(Tls())
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
