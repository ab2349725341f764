"""A sidecar that knows its callers by certificates, tokens and hops: over sockets, with everything that rotates."""

import asyncio
import contextlib
import json
import ssl
from pathlib import Path
from time import time
from typing import Any

import pytest

from policyd.proxy.decision_log import DecisionLog
from policyd.proxy.live import Live
from policyd.proxy.reload import bring_up
from policyd.proxy.serve import open_listener, serving
from tests.deploy.tokens import Authority, jwk, key_set, rsa_key, token
from tests.proxy.bench import (
    CHAT,
    Answer,
    Recorder,
    deployment_text,
    get,
    parsed,
    post,
    records,
    three,
)
from tests.proxy.test_reload import loaded
from tests.upstream.scripted import CERTS, Peer, Scripted, run, until

MTLS = 'kind = "mtls"\nclaims = { who = "uri" }\nnames = [{ uri = "spiffe://acme.example/agent", team = "search" }]'
LISTEN = 'tls = { certificate = "server.pem", key = { file = "server.key" }, client_ca = "ca.pem" }'
ASK = post("/v1/chat/completions", CHAT)
KEPT = post("/v1/chat/completions", CHAT, connection="keep-alive")


class Shop:
    """The files of a listener, and callers with certificates."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers, self.callers = Authority("servers"), Authority("callers")
        self.renew()
        (folder / "ca.pem").write_text(self.callers.pem)

    def renew(self) -> bytes:
        certificate, key = self.servers.leaf(addresses=("127.0.0.1",), dns=("localhost",))
        (self.folder / "server.key").write_text(key)
        (self.folder / "server.pem").write_text(certificate)
        return ssl.PEM_cert_to_DER_cert(certificate)

    def context(
        self, authority: Authority | None = None, *, uri: str = "spiffe://acme.example/agent"
    ) -> ssl.SSLContext:
        """What a caller connects with: with a certificate of an authority, or none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.servers.pem)
        if authority is not None:
            certificate, key = authority.leaf(uris=(uri,))
            (self.folder / "caller.pem").write_text(key + certificate)
            context.load_cert_chain(self.folder / "caller.pem")
        return context


async def over_tls(port: int, request: bytes, context: ssl.SSLContext) -> Answer:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(request)
        await writer.drain()
        return parsed(await reader.read())
    finally:
        writer.close()


async def one_answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length")
    )
    return head + await reader.readexactly(length)


def test_a_caller_is_known_by_its_certificate(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def test() -> None:
        async with three(tmp_path, identity=MTLS, listen=LISTEN) as running:
            request = post(
                "/v1/chat/completions", CHAT, x_forwarded_client_cert="URI=spiffe://acme.example/evil"
            )
            answer = await over_tls(running.port, request, shop.context(shop.callers))
            assert answer.status == 200
            assert answer.clean
            (head,) = running.recorders["cloud"].heads
            assert not [line for line in head if line.lower().startswith((b"x-forwarded", b"x-spiffe"))]

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert record["caller"] == {"who": "spiffe://acme.example/agent", "team": "search"}


def test_who_has_no_certificate_of_the_authority_gets_no_connection(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def test() -> None:
        async with three(tmp_path, identity=MTLS, listen=LISTEN) as running:
            for context in (shop.context(), shop.context(Authority("strangers"))):
                with pytest.raises((ssl.SSLError, ConnectionError, IndexError)):
                    await over_tls(running.port, ASK, context)
            plain = shop.context(shop.callers)
            plain.maximum_version = ssl.TLSVersion.TLSv1_2
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await over_tls(running.port, ASK, plain)
            stranger = await over_tls(
                running.port, ASK, shop.context(shop.callers, uri="spiffe://acme.example/x")
            )
            assert (stranger.status, stranger.code) == (401, "caller_unidentified")
            assert running.sent_anywhere() == 0

    run(test())


def test_a_refusal_inside_a_body_is_read_over_tls(tmp_path: Path) -> None:
    """Half of a TLS connection cannot be closed, so the refusal must not depend on it."""
    shop = Shop(tmp_path)

    async def test() -> None:
        limits = '[limits]\nbody = "1KiB"'
        async with three(tmp_path, identity=MTLS, listen=f"{LISTEN}\n{limits}") as running:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", running.port, ssl=shop.context(shop.callers)
            )
            request = post("/v1/chat/completions", CHAT | {"user": "x" * 5000})
            writer.write(request[:-100])
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 413")
            writer.close()

    run(test())


@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01"], ids=["nothing", "a part of it"])
def test_a_handshake_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr("policyd.proxy.http_server.HANDSHAKE_SECONDS", 0.2)
    shop = Shop(tmp_path)

    async def test() -> None:
        async with three(tmp_path, identity=MTLS, listen=LISTEN) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(begun)
            async with asyncio.timeout(20):
                with contextlib.suppress(ConnectionError):
                    await reader.read()
            writer.close()
            assert (await over_tls(running.port, ASK, shop.context(shop.callers))).status == 200

    run(test())


def test_a_renewed_certificate_is_shown_without_a_dropped_connection(tmp_path: Path) -> None:
    shop = Shop(tmp_path)

    async def test() -> None:
        async with three(tmp_path, identity=MTLS, listen=LISTEN) as running:
            context = shop.context(shop.callers)
            old = await asyncio.open_connection("127.0.0.1", running.port, ssl=context)
            before = old[1].get_extra_info("ssl_object").getpeercert(binary_form=True)
            state = running.serving.reloader.state
            renewed = shop.renew()
            await until(lambda: running.serving.reloader.state.at > state.at and loaded(running))
            await until(
                lambda: (
                    running.serving.sidecar.live.deployment.listen.tls.certificate
                    == (tmp_path / "server.pem").read_text()
                )
            )  # type: ignore[union-attr]
            new = await asyncio.open_connection("127.0.0.1", running.port, ssl=context)
            assert new[1].get_extra_info("ssl_object").getpeercert(binary_form=True) == renewed != before
            for reader, writer in (old, new):
                writer.write(KEPT)
                assert (await one_answer(reader)).startswith(b"HTTP/1.1 200")
                writer.close()

    run(test())


def test_an_authority_that_is_replaced_verifies_nobody_any_more(tmp_path: Path) -> None:
    """Neither a new connection, nor one that is open, nor a session that is resumed."""
    shop = Shop(tmp_path)
    others = Authority("others")

    async def test() -> None:
        async with three(tmp_path, identity=MTLS, listen=LISTEN) as running:
            context = shop.context(shop.callers)
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port, ssl=context)
            writer.write(KEPT)
            assert (await one_answer(reader)).startswith(b"HTTP/1.1 200")
            (tmp_path / "ca.pem").write_text(others.pem)
            await until(lambda: running.serving.sidecar.live.deployment.listen.tls.client_ca == others.pem)  # type: ignore[union-attr]
            writer.write(KEPT)
            assert (await one_answer(reader)).startswith(b"HTTP/1.1 401")
            writer.close()
            with pytest.raises((ssl.SSLError, ConnectionError, IndexError)):
                await over_tls(running.port, ASK, context)
            assert (await over_tls(running.port, ASK, shop.context(others))).status == 200
            assert len(running.recorders["cloud"].requests) == 2

    run(test())


def test_certificates_where_callers_have_one_and_keys_where_not(tmp_path: Path) -> None:
    from policyd.deploy.keys import hash_key  # noqa: PLC0415

    shop = Shop(tmp_path)
    several = (
        f'kind = "mtls"\nnames = [{{ uri = "spiffe://acme.example/agent", team = "search" }}]\n'
        f'[[identity]]\nkind = "api-keys"\nkeys = [{{ sha256 = "{hash_key("sk-1")}", team = "batch" }}]'
    )
    optional = LISTEN.replace('"ca.pem"', '"ca.pem", required = false')

    async def test() -> None:
        async with three(tmp_path, identity=several, listen=optional) as running:
            with_key = post("/v1/chat/completions", CHAT, x_api_key="sk-1")
            assert (await over_tls(running.port, ASK, shop.context(shop.callers))).status == 200
            assert (await over_tls(running.port, with_key, shop.context())).status == 200
            assert (await over_tls(running.port, with_key, shop.context(shop.callers))).status == 200
            assert (await over_tls(running.port, ASK, shop.context())).status == 401

    # The table of the bench is `[identity]`; several ways are `[[identity]]`.
    text = deployment_text

    def several_ways(*arguments: Any) -> str:
        return text(*arguments).replace("\n[identity]\n", "\n[[identity]]\n")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.proxy.bench.deployment_text", several_ways)
        run(test())
    assert [r["caller"].get("team") for r in records(tmp_path / "decisions.jsonl")] == [
        "search",
        "batch",
        "search",
        None,
    ]


def jwt_identity(url: str) -> str:
    (CERTS / "ca.pem").read_text()
    return (
        'kind = "jwt"\nissuer = "https://login.example"\naudience = "policyd"\nclaims = { team = "realm.team", user = "sub" }\n'
        f'jwks = {{ url = "{url}", ca = "{CERTS / "ca.pem"}" }}'
    )


class KeyServer:
    """An issuer's web server."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = keys
        self.requests: list[bytes] = []
        self.say: bytes | None = None
        self.server = Scripted(self._serve, tls="leaf.pem")

    async def _serve(self, peer: Peer, _: int) -> None:
        while request := await peer.request():
            self.requests.append(request)
            body = key_set(*self.keys).encode()
            await peer.send(
                self.say or b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
            )


def with_token(shown: str, header: str = "authorization") -> bytes:
    value = f"Bearer {shown}" if header == "authorization" else shown
    return post("/v1/chat/completions", CHAT, {header: value})


def fresh(**claims: Any) -> dict[str, Any]:
    return {"iat": int(time()) - 1, "exp": int(time()) + 600, "realm": {"team": "search"}} | claims


def test_a_token_is_verified_by_keys_that_are_fetched_and_never_leaves(tmp_path: Path) -> None:
    async def test() -> None:
        issuer = KeyServer(jwk(rsa_key(), "k1"))
        async with issuer.server as server:
            url = f"https://localhost:{server.port}/keys"
            async with three(tmp_path, identity=jwt_identity(url)) as running:
                shown = token(**fresh())
                for header in ("authorization", "x-api-key", "api-key"):
                    assert (await running.ask(with_token(shown, header))).status == 200
                assert len(issuer.requests) == 1
                assert b"authorization" not in issuer.requests[0].lower()
                bad = await running.ask(with_token(token(rsa_key("two"), **fresh())))
                assert (bad.status, bad.code) == (401, "caller_unidentified")
                listed = await running.ask(with_token(token(**fresh(realm={"team": ["search"]}))))
                assert (listed.status, listed.code) == (403, "caller_bad_claim")
                for recorder in running.recorders.values():
                    assert all(shown.encode() not in request for request in recorder.requests)
                assert running.sent_anywhere() == 3

    run(test())
    written = (tmp_path / "decisions.jsonl").read_text()
    assert "eyJ" not in written
    assert json.loads(written.splitlines()[0])["caller"] == {"team": "search", "user": "ana"}


def test_a_key_that_rotates_is_found_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policyd.proxy.identity_keys.SOONEST", 0.0)

    async def test() -> None:
        issuer = KeyServer(jwk(rsa_key(), "k1"))
        async with (
            issuer.server as server,
            three(tmp_path, identity=jwt_identity(f"https://localhost:{server.port}/keys")) as running,
        ):
            assert (await running.ask(with_token(token(**fresh())))).status == 200
            issuer.keys = (jwk(rsa_key("two"), "k2"),)
            assert (await running.ask(with_token(token(rsa_key("two"), kid="k2", **fresh())))).status == 200
            assert (await running.ask(with_token(token(**fresh())))).status == 401

    run(test())


MOVED = b"HTTP/1.1 302 Found\r\nlocation: https://127.0.0.1:%d/other\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize("fault", ["a redirect", "an error", "no keys", "another certificate"])
def test_without_keys_nobody_is_known(tmp_path: Path, fault: str) -> None:
    async def test() -> None:
        issuer = KeyServer(jwk(rsa_key(), "k1"))
        async with issuer.server as server:
            said = {
                "a redirect": MOVED % server.port,
                "an error": b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n",
                "no keys": b'HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{"keys":[]}',
            }
            issuer.say = said.get(fault)
            identity = jwt_identity(f"https://localhost:{server.port}/keys")
            if fault == "another certificate":
                identity = identity.replace(f'ca = "{CERTS / "ca.pem"}"', f'pin_sha256 = "{"0" * 64}"')
            async with three(tmp_path, identity=identity) as running:
                answer = await running.ask(with_token(token(**fresh())))
                assert (answer.status, answer.code) == (503, "internal_identity")
                assert answer.headers[b"retry-after"]
                assert running.sent_anywhere() == 0
                assert not [request for request in issuer.requests if b"/other" in request]

    run(test())


def test_keys_are_fetched_before_anybody_asks_and_readiness_says_whether_they_are_there(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        issuer = KeyServer(jwk(rsa_key(), "k1"))
        async with (
            issuer.server as server,
            three(tmp_path, identity=jwt_identity(f"https://localhost:{server.port}/keys")) as running,
        ):
            (ring,) = running.serving.sidecar.live.rings
            await until(lambda: ring.usable)
            ready = await running.admin("/readyz")
            assert ready.status == 200
            assert ready.json["keys"] == [
                {"source": f"https://localhost:{server.port}/keys", "usable": True, "failing": None}
            ]

    run(test())


def test_a_sidecar_that_can_know_nobody_is_not_ready(tmp_path: Path) -> None:
    async def test() -> None:
        issuer = KeyServer(jwk(rsa_key(), "k1"))
        issuer.say = b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"
        async with (
            issuer.server as server,
            three(tmp_path, identity=jwt_identity(f"https://localhost:{server.port}/keys")) as running,
        ):
            (ring,) = running.serving.sidecar.live.rings
            await until(lambda: ring.failing is not None)
            ready = await running.admin("/readyz")
            assert (ready.status, ready.json["status"]) == (503, "not ready")
            assert ready.json["keys"][0]["failing"] == "the answer has the status 500"

    run(test())


HOP = 'kind = "trusted-hop"\nfrom = ["{}"]\nnames = [{{ uri = "spiffe://acme.example/agent", team = "search" }}]'
TOLD = post("/v1/chat/completions", CHAT, x_forwarded_client_cert="URI=spiffe://acme.example/agent")


def test_a_hop_is_believed_and_its_header_goes_no_further(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, identity=HOP.format("127.0.0.1/32")) as running:
            assert (await running.ask(TOLD)).status == 200
            (head,) = running.recorders["cloud"].heads
            assert not [line for line in head if b"spiffe" in line]
            assert (await running.ask(ASK)).status == 401
            named = TOLD.replace(b"host: localhost", b"host: evil.example")
            assert (await running.ask(named)).code == "caller_bad_host"

    run(test())


def test_nobody_else_is_a_hop(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, identity=HOP.format("10.9.9.9/32")) as running:
            answer = await running.ask(TOLD)
            assert (answer.status, answer.code) == (401, "caller_unidentified")
            assert running.sent_anywhere() == 0

    run(test())


def test_a_hop_over_a_socket(tmp_path: Path) -> None:
    async def test() -> None:
        async with Recorder() as home, Recorder() as cloud, Recorder() as spare:
            urls = {"home": home.url, "cloud": cloud.url, "spare": spare.url}
            from tests.proxy.bench import POLICY  # noqa: PLC0415

            (tmp_path / "sidecar.policy").write_text(POLICY)
            identity = HOP.replace('["{}"]', '["unix"]').replace("{{", "{").replace("}}", "}")
            toml = tmp_path / "policyd.toml"
            toml.write_text(
                deployment_text(urls, identity, "", {}, 'unix = "p.sock"').replace("port = 8484", "")
            )
            live = bring_up(toml, {}, time())
            assert isinstance(live, Live), live
            log = DecisionLog(str(tmp_path / "log"))
            proxy, admin = (
                open_listener(live.deployment.listen),
                open_listener(live.deployment.admin.__class__("127.0.0.1", 0)),
            )
            async with serving(toml, live, log, proxy, admin, drain_seconds=1, environ={}, probing=False):
                reader, writer = await asyncio.open_unix_connection(str(tmp_path / "p.sock"))
                writer.write(TOLD)
                assert (await reader.read()).startswith(b"HTTP/1.1 200")
                writer.close()
            log.close()

    run(test())


def test_the_admin_side_can_have_tls_too(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    admin = '[admin.tls]\ncertificate = "server.pem"\nkey = { file = "server.key" }'

    async def test() -> None:
        async with three(tmp_path, extra="", targets={"spare": f"{admin}\n"}) as running:
            answer = await over_tls(running.admin_port, get("/livez"), shop.context())
            assert answer.status == 200
            with pytest.raises((ConnectionError, IndexError, ssl.SSLError)):
                await running.admin("/livez")

    run(test())
