"""`[identity]` and `[listen.tls]` read: what the tables mean, and what makes an identity that cannot be believed an error."""

import ipaddress
from pathlib import Path

import pytest

from policyd.deploy.jwks import read_keys
from policyd.deploy.model import (
    ApiKeyIdentity,
    Endpoint,
    HopIdentity,
    JwtIdentity,
    KeySet,
    KnownName,
    ListenTls,
    MtlsIdentity,
    SeveralIdentities,
    Tls,
)
from policyd.deploy.read import read_deployment
from policyd.deploy.restart import needs_restart
from policyd.text.diagnostic import Severity
from tests.deploy.test_read import pointed_at, read
from tests.deploy.tokens import Authority, ec_key, ed_key, jwk, key_set, rsa_key

TARGET = '[targets.gpu]\nurl = "http://127.0.0.1:8000"\ndialects = ["openai"]\n'
TOKEN = 'kind = "jwt"\nissuer = "https://login.example"\naudience = "policyd"\n'
URL = 'jwks = { url = "https://login.example/keys" }\n'
HASH = "a" * 64


def deployment_of(folder: Path, identity: str, environ: dict[str, str] | None = None):  # type: ignore[no-untyped-def]
    loaded = read(folder, f'policy = "x"\n{identity}\n{TARGET}', environ)
    assert loaded.deployment is not None, [d.message for d in loaded.diagnostics]
    return loaded.deployment


def said(folder: Path, identity: str, environ: dict[str, str] | None = None) -> list[tuple[str, str]]:
    loaded = read(folder, f'policy = "x"\n{identity}\n{TARGET}', environ)
    assert loaded.deployment is None
    return [(d.code, d.message) for d in loaded.diagnostics]


def test_a_token_with_every_key(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(Authority().pem)
    found = deployment_of(
        tmp_path,
        f'[identity]\n{TOKEN}algorithms = ["ES256"]\nleeway = 0\nrequire = ["sub", "realm.team"]\n'
        'jwks = { url = "https://login.example/keys", ca = "ca.pem", refresh = "1m", keep = "2h" }\n'
        'claims = { team = "realm.team", tier = ["https://acme.example/tier"] }',
    ).identity
    assert isinstance(found, JwtIdentity)
    assert found.audience == ("policyd",)
    assert found.algorithms == ("ES256",)
    assert found.leeway == 0
    assert found.require == (("sub",), ("realm", "team"))
    assert found.claims == (("team", ("realm", "team")), ("tier", ("https://acme.example/tier",)))
    keys = found.keys
    assert keys is not None
    assert keys.endpoint == Endpoint("https", "login.example", 443, "/keys")
    assert (keys.refresh, keys.keep, keys.document) == (60.0, 7200.0, None)
    assert keys.tls.ca is not None


def test_a_key_set_in_a_file_is_read_with_the_deployment(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(key_set(jwk(rsa_key())))
    loaded = read(tmp_path, f'policy = "x"\n[identity]\n{TOKEN}jwks = {{ file = "keys.json" }}\n{TARGET}')
    assert loaded.deployment is not None
    identity = loaded.deployment.identity
    assert isinstance(identity, JwtIdentity)
    path = tmp_path / "keys.json"
    assert identity.keys == KeySet(document=path.read_text(), file=str(path))
    assert identity.algorithms == ("RS256", "PS256", "ES256", "EdDSA")
    assert str(tmp_path / "keys.json") in loaded.files, "a new key set is noticed"


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    secret = "s3cret-of-the-issuer-that-is-long-enough"
    deployment = deployment_of(tmp_path, f'[identity]\n{TOKEN}secret = {{ env = "S" }}', {"S": secret})
    assert isinstance(deployment.identity, JwtIdentity)
    assert deployment.identity.algorithms == ("HS256",)
    assert secret not in repr(deployment)


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        pytest.param(URL + 'algorithms = ["none"]', "PD542", "nobody signed", id="none"),
        pytest.param(URL + 'algorithms = ["NONE"]', "PD542", "nobody signed", id="none in capitals"),
        pytest.param(URL + 'algorithms = ["HS256"]', "PD542", "everybody knows", id="a shared secret that is public"),
        pytest.param('secret = { env = "LONG" }\nalgorithms = ["RS256"]', "PD542", "shared secret", id="a public key that is secret"),
        pytest.param('secret = { env = "LONG" }\nalgorithms = ["HS512"]', "PD542", "shorter than 64 bytes", id="a short secret"),
        pytest.param(URL + 'algorithms = ["RS1"]', "PD542", "no algorithm", id="an algorithm nobody knows"),
        pytest.param("", "PD542", "one of `jwks` and `secret`", id="no keys"),
        pytest.param(URL + 'secret = { env = "LONG" }', "PD542", "one of `jwks` and `secret`", id="both"),
        pytest.param('jwks = { url = "http://login.example/keys" }', "PD508", "could be anybody's", id="keys in the clear"),
        pytest.param('jwks = { url = "https://login.example" }', "PD508", "with a path", id="no path"),
        pytest.param('jwks = { file = "absent.json" }', "PD507", "no such file", id="no file"),
        pytest.param('jwks = { file = "policyd.toml" }', "PD505", "not JSON", id="no key set"),
        pytest.param('jwks = { url = "https://a/b", keep = "1s" }', "PD505", "shorter than", id="kept too short"),
        pytest.param('jwks = { file = "a", url = "https://a/b" }', "PD505", "", id="two sources"),
        pytest.param(URL + 'leeway = "10m"', "PD505", "five minutes", id="clocks that nobody keeps"),
        pytest.param(URL + 'claims = { team = "" }', "PD505", "named by its path", id="a claim without a path"),
        pytest.param(URL + 'claims = { team = "a..b" }', "PD505", "named by its path", id="a claim with half a path"),
        pytest.param(URL + 'isuer = "x"', "PD503", "not a key", id="a misspelt key"),
    ],
)  # fmt: skip
def test_a_token_that_could_not_be_verified_safely(
    tmp_path: Path, more: str, code: str, message: str
) -> None:
    found = said(tmp_path, f"[identity]\n{TOKEN}{more}", {"LONG": "x" * 40})
    assert code in [c for c, _ in found]
    assert any(message in text for _, text in found)


def test_a_token_needs_an_audience(tmp_path: Path) -> None:
    identity = f'[identity]\nkind = "jwt"\nissuer = "i"\naudience = []\n{URL}'
    assert said(tmp_path, identity)[0][0] == "PD542"


def test_a_secret_that_is_not_there_is_told_at_its_place(tmp_path: Path) -> None:
    loaded = read(tmp_path, f'policy = "x"\n[identity]\n{TOKEN}secret = {{ env = "ABSENT" }}\n{TARGET}')
    assert pointed_at(loaded) == [("PD507", "secret")]
    (path,) = tmp_path.glob("*.toml")
    checked = read_deployment(path, {}, absent_secret=Severity.NOTE)
    assert [d.severity for d in checked.diagnostics] == [Severity.NOTE]
    assert checked.deployment is None


def test_until_is_the_end_of_a_day_here_or_a_moment(tmp_path: Path) -> None:
    keys = (
        f'[[identity.keys]]\nsha256 = "{HASH}"\nteam = "a"\nuntil = 2027-01-01\n'
        f'[[identity.keys]]\nsha256 = "{"b" * 64}"\nteam = "a"\nuntil = 2027-01-01T12:00:00+01:00\n'
        f'[[identity.keys]]\nsha256 = "{"c" * 64}"\nteam = "a"'
    )
    found = deployment_of(
        tmp_path, f'timezone = "Europe/Berlin"\n[identity]\nkind = "api-keys"\n{keys}'
    ).identity
    assert isinstance(found, ApiKeyIdentity)
    assert [key.until for key in found.keys] == [1798844400.0, 1798801200.0, None]
    assert all(key.claims == (("team", "a"),) for key in found.keys)


@pytest.mark.parametrize("until", ['"2027-01-01"', "2027-01-01T12:00:00", "1", "true"])
def test_until_is_nothing_else(tmp_path: Path, until: str) -> None:
    keys = f'keys = [{{ sha256 = "{HASH}", until = {until} }}]'
    assert said(tmp_path, f'[identity]\nkind = "api-keys"\n{keys}')[0][0] == "PD505"


def test_names_of_certificates(tmp_path: Path) -> None:
    authority = Authority()
    certificate, key = authority.leaf(dns=("policyd.internal",))
    for name, text in (("ca.pem", authority.pem), ("cert.pem", certificate), ("key.pem", key)):
        (tmp_path / name).write_text(text)
    deployment = deployment_of(
        tmp_path,
        '[listen]\n[listen.tls]\ncertificate = "cert.pem"\nkey = { file = "key.pem" }\nclient_ca = "ca.pem"\n'
        '[identity]\nkind = "mtls"\nclaims = { who = "uri" }\n'
        '[[identity.names]]\nuri = "spiffe://acme/agent"\nteam = "search"\n'
        '[[identity.names]]\ndns = "Batch.Acme"\nteam = "batch"',
    )
    tls = deployment.listen.tls
    assert isinstance(tls, ListenTls)
    assert (tls.certificate, tls.key.value, tls.client_ca, tls.required) == (
        certificate,
        key,
        authority.pem,
        True,
    )
    assert "PRIVATE KEY" not in repr(deployment)
    assert deployment.identity == MtlsIdentity(
        (
            KnownName("uri", "spiffe://acme/agent", (("team", "search"),)),
            KnownName("dns", "batch.acme", (("team", "batch"),)),
        ),
        (("who", "uri"),),
    )


def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    authority = Authority()
    (tmp_path / "cert.pem").write_text(authority.leaf()[0])
    (tmp_path / "key.pem").write_text(authority.leaf()[1])
    tls = '[listen.tls]\ncertificate = "cert.pem"\nkey = { file = "key.pem" }\n[identity]\nkind = "loopback"'
    assert said(tmp_path, tls) == [
        ("PD505", "`listen.tls`: the key is not the one of the certificate, or one of them is not PEM")
    ]


def test_a_private_key_is_not_written_into_the_file(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text(Authority().leaf()[0])
    loaded = read(
        tmp_path,
        f'policy = "x"\n[listen.tls]\ncertificate = "cert.pem"\nkey = "-----BEGIN"\n[identity]\nkind = "loopback"\n{TARGET}',
    )
    (found,) = loaded.diagnostics
    assert (found.code, found.span is not None and "BEGIN" not in found.span.source.text) == ("PD506", True)


def test_a_trusted_hop(tmp_path: Path) -> None:
    found = deployment_of(
        tmp_path,
        '[identity]\nkind = "trusted-hop"\nfrom = ["10.1.0.7/32", "::1/128"]\nclaims = { who = "uri" }',
    ).identity
    networks = (ipaddress.ip_network("10.1.0.7/32"), ipaddress.ip_network("::1/128"))
    assert found == HopIdentity("x-forwarded-client-cert", networks, False, (), (("who", "uri"),))


@pytest.mark.parametrize(
    ("identity", "code"),
    [
        pytest.param('[identity]\nkind = "mtls"', "PD541", id="certificates that nobody asks for"),
        pytest.param('[identity]\nkind = "trusted-hop"\nfrom = "unix"', "PD541", id="a hop over no socket"),
        pytest.param('[listen]\nunix = "s"\n[identity]\nkind = "trusted-hop"\nfrom = ["10.0.0.0/8"]', "PD541", id="a hop with an address on a socket"),
        pytest.param('[identity]\nkind = "trusted-hop"\nfrom = []', "PD505", id="a hop from nowhere"),
        pytest.param('[identity]\nkind = "trusted-hop"\nfrom = ["0.0.0.0/0"]', "PD505", id="a hop from anywhere"),
        pytest.param('[identity]\nkind = "trusted-hop"\nfrom = ["10.0.0.1"]\nheader = "x-user"', "PD505", id="another header"),
        pytest.param(f'[[identity]]\n{TOKEN}{URL}[[identity]]\nkind = "loopback"', "PD540", id="a fixed identity beside another"),
        pytest.param(f"[[identity]]\n{TOKEN}{URL}[[identity]]\n{TOKEN}{URL}", "PD540", id="an issuer twice"),
        pytest.param('[identity]\nkind = "trusted-hop"\nfrom = ["10.0.0.1"]\nnames = [{ uri = "spiffe://a/b" }, { uri = "spiffe://a/b" }]', "PD505", id="a name twice"),
        pytest.param('[identity]\nkind = "trusted-hop"\nfrom = ["10.0.0.1"]\nnames = [{ uri = "spiffe://a/../b" }]', "PD505", id="a name that is none"),
        pytest.param('[identity]\nkind = "trusted-hop"\nfrom = ["10.0.0.1"]\nnames = [{ team = "a" }]', "PD505", id="no name"),
        pytest.param('[listen.tls]\ncertificate = "x"\n[identity]\nkind = "loopback"', "PD504", id="a certificate without its key"),
    ],
)  # fmt: skip
def test_an_identity_that_cannot_be_believed(tmp_path: Path, identity: str, code: str) -> None:
    assert code in [c for c, _ in said(tmp_path, identity)]


def test_several_ways_keep_their_order_and_their_places(tmp_path: Path) -> None:
    text = f'[[identity]]\n{TOKEN}{URL}[[identity]]\nkind = "api-keys"\nkeys = [{{ sha256 = "{HASH}", team = "a" }}]'
    found = deployment_of(tmp_path, text).identity
    assert isinstance(found, SeveralIdentities)
    assert [type(way) for way in found.ways] == [JwtIdentity, ApiKeyIdentity]
    loaded = read(tmp_path, f'policy = "x"\n{text.replace(HASH, "short")}\n{TARGET}')
    assert pointed_at(loaded) == [("PD505", "sha256")]


def test_what_is_asked_of_connections_needs_a_restart_and_certificates_do_not(tmp_path: Path) -> None:
    authority, other = Authority(), Authority("another")
    certificate, key = authority.leaf()
    (tmp_path / "cert.pem").write_text(certificate)
    (tmp_path / "key.pem").write_text(key)
    (tmp_path / "ca.pem").write_text(authority.pem)
    tls = '[listen.tls]\ncertificate = "cert.pem"\nkey = { file = "key.pem" }\nclient_ca = "ca.pem"\n'
    identity = '[identity]\nkind = "mtls"'
    first = deployment_of(tmp_path, tls + identity)
    (tmp_path / "ca.pem").write_text(other.pem)
    renewed = deployment_of(tmp_path, tls + identity)
    assert first != renewed
    assert list(needs_restart(first, renewed, None)) == []
    plain = deployment_of(tmp_path, '[identity]\nkind = "loopback"')
    assert [d.code for d in needs_restart(first, plain, None)] == ["PD511"]
    optional = deployment_of(tmp_path, tls + "required = false\n" + identity)
    assert [d.code for d in needs_restart(first, optional, None)] == ["PD511"]


def test_a_key_counts_for_its_own_algorithms() -> None:
    found = read_keys(
        key_set(
            jwk(rsa_key(), "r"),
            jwk(rsa_key(), "p", alg="PS512"),
            jwk(ec_key(), "e"),
            jwk(ed_key(), "d", use="sig"),
        )
    )
    assert {key.kid: key.algorithms for key in found} == {
        "r": frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
        "p": frozenset({"PS512"}),
        "e": frozenset({"ES256"}),
        "d": frozenset({"EdDSA"}),
    }


SMALL_RSA = jwk(rsa_key("small", 1024), "s")


@pytest.mark.parametrize(
    "key",
    [
        pytest.param({"kty": "oct", "k": "c2VjcmV0", "kid": "s"}, id="a shared secret"),
        pytest.param(SMALL_RSA, id="a short key"),
        pytest.param(jwk(rsa_key(), "k", use="enc"), id="a key for encryption"),
        pytest.param(jwk(rsa_key(), "k", key_ops=["sign"]), id="a key that does not verify"),
        pytest.param(jwk(rsa_key(), "k", d="AQAB"), id="a private key"),
        pytest.param(jwk(rsa_key(), "k", alg="HS256"), id="an RSA key as a password"),
        pytest.param(jwk(rsa_key(), "k") | {"n": "!!"}, id="a broken key"),
        pytest.param(jwk(ec_key(), "k") | {"crv": "secp256k1"}, id="another curve"),
        pytest.param(jwk(rsa_key()) | {"kid": 7}, id="a name that is a number"),
        pytest.param({"kty": "RSA"}, id="no key at all"),
        pytest.param({**jwk(ec_key(), "x"), "alg": ["ES256"]}, id="a list of algorithms"),
        pytest.param({**jwk(ec_key(), "x"), "crv": []}, id="a curve that is none"),
        pytest.param("key", id="no object"),
    ],
)  # fmt: skip
def test_keys_that_are_passed_over(key: object) -> None:
    good = jwk(ec_key(), "good")
    assert [k.kid for k in read_keys(key_set(key, good))] == ["good"]  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no public key"):
        read_keys(key_set(key))  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keys": {}}', "[" * 100_000])
def test_what_is_no_key_set(text: str) -> None:
    with pytest.raises(ValueError, match="it "):
        read_keys(text)


def test_pins_belong_to_a_url(tmp_path: Path) -> None:
    pin = "b" * 64
    jwks = f'jwks = {{ url = "https://a.example/keys", pin_sha256 = "{pin}" }}'
    found = deployment_of(tmp_path, f"[identity]\n{TOKEN}{jwks}").identity
    assert isinstance(found, JwtIdentity)
    assert found.keys is not None
    assert found.keys.tls == Tls(pins=(pin,))
    plain = jwks.replace("https://a.example", "http://127.0.0.1:80")
    assert said(tmp_path, f"[identity]\n{TOKEN}{plain}")[0][0] == "PD505"
