"""An unknown authority, another name, another time and another pin have different cures: each is told in its own sentence, once."""

import ipaddress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from policyd.deploy.model import AddressRule, Tls
from policyd.proxy.upstream.client import HttpUpstream
from policyd.proxy.upstream.errors import Kind, UpstreamUnreachable
from policyd.proxy.upstream.telling import AGAIN_SECONDS, Telling
from policyd.proxy.upstream.unproved import Proof, why_no_pin
from tests.upstream.scripted import CERTS, OK, Client, Scripted, answering, https, run

CA = (CERTS / "ca.pem").read_text()
KEY_PIN = "6dd30526d90843063504845abb84976e6a95cb74cfd098ac9b27d24baf419f71"
CERTIFICATE_PIN = "234c45bed59608f5c1f82146f84d902e4cd08d401c7a3de4ec728c155695a0b9"
UNKNOWN = "the certificate of `127.0.0.1` is not signed by an authority that is known here: name the PEM file of its own authority in `targets.a.tls.ca`"
CASES = {
    "an authority nobody knows": (Tls(), "leaf.pem", UNKNOWN),
    "another name": (
        Tls(ca=CA),
        "other_name.pem",
        "the certificate of `127.0.0.1` is for another name: write the name that it is for in `targets.a.url`",
    ),
    "another pin": (
        Tls(pins=("0" * 64,)),
        "leaf.pem",
        f"the certificate of `127.0.0.1` is not one of `targets.a.tls.pin_sha256`: its SHA-256 is {CERTIFICATE_PIN},"
        f" its key's {KEY_PIN}; write one of them there if the server is the right one",
    ),
}


@pytest.mark.parametrize(("tls", "certificate", "said"), CASES.values(), ids=CASES.keys())
def test_each_cause_has_its_words_and_its_cure(tls: Tls, certificate: str, said: str) -> None:
    async def main() -> None:
        async with Scripted(answering(OK), tls=certificate) as server:
            bound = https(server.port, tls=tls)
            async with Client(bound) as client:
                told: list[str] = []
                client.upstream = HttpUpstream(client.gate, [bound], told.append)
                for _ in range(3):
                    with pytest.raises(UpstreamUnreachable) as caught:
                        await client.open()
                    assert (caught.value.kind, caught.value.detail) == (Kind.TLS, said)
                assert told == [f"no connection to the target `a`: {said}"]
                assert client.upstream.unreached() == {"a": f"tls: {said}"}

    run(main())


def own_certificate(folder: Path, *, ends: datetime) -> tuple[str, Path]:
    """A certificate for 127.0.0.1 that signs itself with the key of the others."""
    key = serialization.load_pem_private_key((CERTS / "leaf.key").read_bytes(), None)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())  # type: ignore[arg-type]
        .not_valid_before(ends - timedelta(days=10))
        .not_valid_after(ends)
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())  # type: ignore[arg-type]
    )
    path = folder / "own.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path.read_text(), path


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (-1, "the certificate of `127.0.0.1`, or of its authority, has expired: renew it there, and look at this machine's clock"),
        (20, "the certificate of `127.0.0.1`, or of its authority, is not valid yet: look at the clocks of both machines"),
    ],
)  # fmt: skip
def test_a_certificate_of_another_time_is_told(days: int, said: str, tmp_path: Path) -> None:
    text, path = own_certificate(tmp_path, ends=datetime.now(UTC) + timedelta(days=days))

    async def main() -> None:
        async with (
            Scripted(answering(OK), tls=str(path)) as server,
            Client(https(server.port, tls=Tls(ca=text))) as client,
        ):
            with pytest.raises(UpstreamUnreachable) as caught:
                await client.open()
            assert caught.value.detail == said

    run(main())


def test_a_server_without_tls_is_told() -> None:
    async def main() -> None:
        async with Scripted(answering(OK)) as server, Client(https(server.port, tls=Tls(ca=CA))) as client:

            async def speaks_first(peer: object, _: int) -> None:
                await peer.send(OK)  # type: ignore[attr-defined]

            server.script = speaks_first
            with pytest.raises(UpstreamUnreachable) as caught:
                await client.open()
            assert "`127.0.0.1` answers without TLS: look at the port" in caught.value.detail

    run(main())


def test_a_target_that_is_reached_again_is_told_and_nothing_is_known_against_it() -> None:
    async def main() -> None:
        async with Scripted(answering(OK), tls="leaf.pem") as server:
            bound = https(server.port, tls=Tls(pins=(KEY_PIN,)))
            async with Client(bound) as client:
                told: list[str] = []
                client.upstream = HttpUpstream(client.gate, [bound], told.append)
                pool = client.upstream.pool("a")
                assert pool is not None
                pool.target = replace(bound, addresses=AddressRule("public"))
                with pytest.raises(UpstreamUnreachable):
                    await pool.acquire()
                assert client.upstream.unreached() == {
                    "a": "address_not_allowed: `127.0.0.1` is at 127.0.0.1, which is not allowed"
                }
                pool.target = bound
                assert await client.fetch() == (200, b"ok")
                assert client.upstream.unreached() == {}
                assert told[1:] == ["the target `a` is reached again"]

    run(main())


def test_what_comes_and_goes_is_told_at_most_once_a_minute() -> None:
    now, told = [1000.0], list[str]()
    telling = Telling(told.append, lambda: now[0])
    error = UpstreamUnreachable(Kind.TLS, "a", "x")
    for _ in range(5):
        telling.failed(error)
        telling.reached("a")
        now[0] += 1
    assert told == ["no connection to the target `a`: x", "the target `a` is reached again"]
    now[0] += AGAIN_SECONDS
    telling.failed(error)
    now[0] += AGAIN_SECONDS
    telling.failed(error)
    telling.failed(UpstreamUnreachable(Kind.REFUSED, "b", "down"))
    assert told[2:] == ["no connection to the target `a`: x"]


def test_a_server_that_shows_no_certificate_has_no_pin() -> None:
    assert why_no_pin(None, Proof("h", Tls(), "u", "c", "p")) == "`h` showed no certificate"
