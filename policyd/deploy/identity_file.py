"""The shape of `[identity]`: one table for each way in which a caller can be known.

See `file` for the rest of `policyd.toml`. `identity` may be one table or several (`[[identity]]`).
"""

from datetime import date
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, PlainValidator, field_validator, model_validator
from pydantic_core import PydanticCustomError

from policyd.deploy import identity_values as values
from policyd.deploy.model import Endpoint, NameKind, Network, Secret
from policyd.deploy.table import Claims, Pem, Seconds, Table, Words
from policyd.deploy.values import UNSENDABLE, pin, sha256

__all__ = [
    "ApiKeyFile", "ApiKeysFile", "HopFile", "IdentityFile", "IdentityTables", "JwksFile", "JwtFile", "KNOWN_ALGORITHMS", "LoopbackFile",
    "MtlsFile", "NameFile",
]  # fmt: skip

PUBLIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
SHARED = {"HS256": 32, "HS384": 48, "HS512": 64}
"""Algorithms with a shared secret, and the fewest bytes of it (RFC 7518, section 3.2)."""
KNOWN_ALGORITHMS = (*PUBLIC, *SHARED)

Path: TypeAlias = Annotated[tuple[str, ...], PlainValidator(values.claim_path)]


class LoopbackFile(Claims):
    kind: Literal["loopback"]


class ApiKeyFile(Claims):
    sha256: Annotated[str, PlainValidator(sha256)]
    until: Annotated[date, PlainValidator(values.until)] | None = None


class ApiKeysFile(Table):
    kind: Literal["api-keys"]
    keys: Annotated[list[ApiKeyFile], Field(min_length=1)]


class JwksFile(Table):
    file: Annotated[tuple[str, str], PlainValidator(values.jwks_document)] | None = None
    url: Annotated[Endpoint, PlainValidator(values.jwks_url)] | None = None
    ca: Pem | None = None
    pin_sha256: Annotated[tuple[str, ...], PlainValidator(pin)] = ()
    refresh: Seconds = 300.0
    keep: Seconds = 86_400.0

    @model_validator(mode="after")
    def one_source(self) -> "JwksFile":
        if (self.file is None) is (self.url is None):
            raise PydanticCustomError("value", "keys come from one of `file` and `url`")
        if self.file is not None and self.model_fields_set - {"file"}:
            raise PydanticCustomError(
                "value", "a file is read again when it changes: it has no other key beside it"
            )
        if self.url is not None and self.url.scheme != "https" and (self.ca is not None or self.pin_sha256):
            raise PydanticCustomError(
                "value", "`ca` and `pin_sha256` say how a server proves itself: the URL is not `https://`"
            )
        if self.keep < self.refresh:
            raise PydanticCustomError(
                "value",
                "`keep` is shorter than `refresh`: keys would be forgotten before they are fetched again",
            )
        return self


class JwtFile(Table):
    kind: Literal["jwt"]
    issuer: Words
    audience: Words | list[Words]
    algorithms: Annotated[list[Words], Field(min_length=1)] = []
    jwks: JwksFile | None = None
    secret: Annotated[Secret, PlainValidator(values.token_secret)] | None = None
    leeway: Annotated[float, PlainValidator(values.leeway)] = 30.0
    require: list[Path] = []
    claims: dict[str, Path] = {}

    @field_validator("audience")
    @classmethod
    def some_audience(cls, value: str | list[str]) -> str | list[str]:
        if not value:
            raise PydanticCustomError(
                "unsafe_token", "a token for anybody else would be taken: `audience` names this service"
            )
        return value

    @field_validator("algorithms")
    @classmethod
    def signed(cls, value: list[str]) -> list[str]:
        for name in value:
            if name.lower() == "none":
                raise PydanticCustomError(
                    "unsafe_token", "a token that nobody signed proves nothing: leave `none` out"
                )
            if name not in KNOWN_ALGORITHMS:
                said = f"`{name}` is no algorithm that can be asked for: {', '.join(KNOWN_ALGORITHMS)}"
                raise PydanticCustomError("unsafe_token", "{sentence}", {"sentence": said})
        return value

    @model_validator(mode="after")
    def keys_fit_algorithms(self) -> "JwtFile":
        if (self.jwks is None) is (self.secret is None):
            raise PydanticCustomError("unsafe_token", "signatures are checked by one of `jwks` and `secret`")
        for name in self.algorithms:
            if (name in SHARED) is (self.secret is None):
                said = (
                    f"`{name}` is checked with a shared secret, and this issuer has public keys, which everybody knows"
                    if self.secret is None
                    else f"`{name}` is checked with a public key, and this issuer has a shared secret"
                )
                raise PydanticCustomError("unsafe_token", "{sentence}", {"sentence": said})
        if self.secret is not None and self.secret.value != UNSENDABLE:
            shortest = max(SHARED[name] for name in self.signed_by)
            if len(self.secret.value.encode()) < shortest:
                said = f"the secret from {self.secret.origin} is shorter than {shortest} bytes and could be guessed"
                raise PydanticCustomError("unsafe_token", "{sentence}", {"sentence": said})
        return self

    @property
    def signed_by(self) -> tuple[str, ...]:
        if self.algorithms:
            return tuple(self.algorithms)
        return ("HS256",) if self.jwks is None else ("RS256", "PS256", "ES256", "EdDSA")


class NameFile(Claims):
    uri: Annotated[str, PlainValidator(values.spiffe_id)] | None = None
    dns: Annotated[str, PlainValidator(values.dns_name)] | None = None
    cn: Words | None = None

    @model_validator(mode="after")
    def one_name(self) -> "NameFile":
        if sum(name is not None for name in (self.uri, self.dns, self.cn)) != 1:
            raise PydanticCustomError("value", "a name is one of `uri`, `dns` and `cn`")
        return self


class MtlsFile(Table):
    kind: Literal["mtls"]
    names: list[NameFile] = []
    claims: dict[str, NameKind] = {}


class HopFile(Table):
    kind: Literal["trusted-hop"]
    peers: Annotated[tuple[tuple[Network, ...], bool], PlainValidator(values.hop_peers), Field(alias="from")]
    header: Literal["x-forwarded-client-cert", "x-spiffe-id"] = "x-forwarded-client-cert"
    names: list[NameFile] = []
    claims: dict[str, NameKind] = {}


IdentityFile: TypeAlias = LoopbackFile | ApiKeysFile | JwtFile | MtlsFile | HopFile


def _listed(value: Any) -> Any:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return [value]
    raise PydanticCustomError("value", "this has to be a table, or several: `[[identity]]`")


IdentityTables: TypeAlias = Annotated[
    list[Annotated[IdentityFile, Field(discriminator="kind")]], BeforeValidator(_listed), Field(min_length=1)
]
