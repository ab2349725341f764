"""Keys, key sets, tokens and certificates that tests make for themselves."""

import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

NOW = 1_800_000_000.0
ISSUER, AUDIENCE = "https://login.example", "policyd"


@lru_cache(maxsize=16)
def rsa_key(name: str = "one", bits: int = 2048) -> rsa.RSAPrivateKey:
    """Different keys for different names."""
    assert name
    return rsa.generate_private_key(65537, bits)


@lru_cache(maxsize=16)
def ec_key(name: str = "one") -> ec.EllipticCurvePrivateKey:
    assert name
    return ec.generate_private_key(ec.SECP256R1())


@lru_cache(maxsize=1)
def ed_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def jwk(key: Any, kid: str | None = None, **more: Any) -> dict[str, Any]:
    public = key.public_key()
    match public:
        case rsa.RSAPublicKey():
            out = RSAAlgorithm.to_jwk(public, as_dict=True)
        case ec.EllipticCurvePublicKey():
            out = ECAlgorithm.to_jwk(public, as_dict=True)
        case _:
            out = OKPAlgorithm.to_jwk(public, as_dict=True)
    out.pop("key_ops", None)
    return out | ({} if kid is None else {"kid": kid}) | more


def key_set(*keys: dict[str, Any]) -> str:
    return json.dumps({"keys": list(keys)})


def token(
    key: Any = None,
    *,
    alg: str = "RS256",
    kid: str | None = "k1",
    headers: dict[str, Any] | None = None,
    without: tuple[str, ...] = (),
    **claims: Any,
) -> str:
    """A token of the issuer for the audience, good for five minutes from `NOW` on."""
    given = {"iss": ISSUER, "aud": AUDIENCE, "iat": int(NOW), "exp": int(NOW) + 300, "sub": "ana"} | claims
    for name in without:
        del given[name]
    head = ({} if kid is None else {"kid": kid}) | (headers or {})
    return jwt.encode(given, rsa_key() if key is None else key, algorithm=alg, headers=head)


class Authority:
    """A certificate authority of a test."""

    def __init__(self, name: str = "Test CA") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(
            self._name, self._key, [x509.BasicConstraints(ca=True, path_length=None)], days=3650
        )
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def _sign(self, name: x509.Name, key: Any, extensions: list[Any], *, days: float) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=days))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(self._key, hashes.SHA256())

    def leaf(
        self,
        *,
        uris: tuple[str, ...] = (),
        dns: tuple[str, ...] = (),
        addresses: tuple[str, ...] = (),
        cn: tuple[str, ...] = ("someone",),
        days: float = 30,
    ) -> tuple[str, str]:
        """A certificate and its key in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
        names += [x509.DNSName(name) for name in dns]
        names += [x509.IPAddress(ip_address(address)) for address in addresses]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in cn])
        extensions = [x509.SubjectAlternativeName(names)] if names else []
        signed = self._sign(subject, key, extensions, days=days)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return signed.public_bytes(serialization.Encoding.PEM).decode(), pem.decode()
