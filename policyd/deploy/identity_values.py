"""How single values of `[identity]` and `[listen.tls]` are written: paths of claims, names in certificates, key sets, keys.

Each function takes what TOML read and returns what it means, or raises `PydanticCustomError` with a whole sentence, like those
of `values`.
"""

import re
from datetime import date, datetime
from typing import Any, Final, cast

from pydantic import ValidationInfo
from pydantic_core import PydanticCustomError

from policyd.deploy import values
from policyd.deploy.model import Endpoint, Network, Secret

__all__ = [
    "ClaimPath", "claim_path", "dns_name", "hop_peers", "jwks_document", "jwks_url", "leeway", "listener_pem", "private_key", "spiffe_id", "token_secret",
    "until",
]  # fmt: skip

ClaimPath = tuple[str, ...]

_SPIFFE: Final = re.compile(r"spiffe://[a-z0-9._-]{1,255}(?:/[A-Za-z0-9._-]+)*")
_DNS: Final = re.compile(
    r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
)
_LONGEST: Final = 2048


def _wrong(message: str, kind: str = "value") -> PydanticCustomError:
    return PydanticCustomError(kind, "{sentence}", {"sentence": message})


def claim_path(value: Any) -> ClaimPath:
    """`"realm.team"`, or a list of keys where a key itself has dots: `["https://acme.example/team"]`."""
    parts = (
        tuple(value.split(".")) if isinstance(value, str) else tuple(value) if isinstance(value, list) else ()
    )
    if not parts or not all(isinstance(part, str) and part for part in parts):
        raise _wrong(
            'a claim is named by its path, like `"team"`, `"realm.team"` or `["https://acme.example/team"]`'
        )
    return cast(ClaimPath, parts)


def leeway(value: Any) -> float:
    """Seconds, from none to five minutes: beyond that it is no clock's fault."""
    if value == 0 and not isinstance(value, bool):
        return 0.0
    seconds = values.duration(value)
    if seconds > 300:
        raise _wrong(f"`{value}` is more than five minutes, and no two clocks that are kept differ so much")
    return seconds


def until(value: Any) -> date:
    """A date, to its end in the deployment's time zone, or a time with its offset."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise _wrong("a time needs its offset: `2027-01-01T00:00:00Z`; or write the date alone")
        return value
    if not isinstance(value, date):
        raise _wrong("this is not a date: write `2027-01-01` without quotes")
    return value


def spiffe_id(value: Any) -> str:
    """A URI of a certificate; SPIFFE IDs are checked, other URIs taken as they are."""
    if not isinstance(value, str) or not value.isascii() or "://" not in value or len(value) > _LONGEST:
        raise _wrong("this is not a URI: write `spiffe://acme.example/team/search`")
    if value.startswith("spiffe:") and (not _SPIFFE.fullmatch(value) or "/." in value):
        raise _wrong(
            f"`{value}` is not a SPIFFE ID: `spiffe://trust.domain/path`, without `.` and `..` in the path"
        )
    return value


def dns_name(value: Any) -> str:
    if not isinstance(value, str) or not _DNS.fullmatch(value.lower()):
        raise _wrong(f"`{value}` is not a DNS name")
    return value.lower()


def hop_peers(value: Any) -> tuple[tuple[Network, ...], bool]:
    """The networks of trusted hops, and whether the listener's unix socket counts."""
    written = value if isinstance(value, list) else [value]
    if not written:
        raise _wrong('`from` says whose word counts: networks like `"10.1.0.7/32"`, or `"unix"`')
    return tuple(values.network(item) for item in written if item != "unix"), "unix" in written


def jwks_url(value: Any) -> Endpoint:
    """Where keys are fetched from; in the clear only from this machine."""
    found = values.endpoint(value, whose="the URL of a key set", socket=False)
    if not found.prefix:
        raise _wrong("keys are fetched from a URL with a path: `https://login.example/keys`", "url")
    if found.scheme == "http" and found.host not in ("127.0.0.1", "::1", "localhost"):
        raise _wrong("keys that come over `http://` could be anybody's: use `https://`", "url")
    return found


def jwks_document(value: Any, info: ValidationInfo) -> tuple[str, str]:
    """The path of a key set's file and its text. It has to hold a key that can be used."""
    from policyd.deploy.jwks import read_keys  # noqa: PLC0415  cryptography is heavy, and few deployments need it

    if not isinstance(value, str):
        raise _wrong("`file` is the path of a key set")
    surroundings = cast(values.Surroundings, info.context)
    try:
        text = surroundings.read(value, "utf-8")
    except FileNotFoundError as error:
        return value, _missing(surroundings, value, error)
    except (OSError, ValueError) as error:
        raise _wrong(f"`{value}` cannot be read: {values.why_unread(error)}") from None
    try:
        read_keys(text)
    except ValueError as error:
        raise _wrong(f"`{value}` cannot be used: {error}") from None
    return str((surroundings.folder / value).absolute()), text


def listener_pem(value: Any, info: ValidationInfo) -> str:
    """The PEM text of a listener's certificate, or of its callers' authority."""
    surroundings = cast(values.Surroundings, info.context)
    if isinstance(value, str) and not (surroundings.folder / value).exists():
        surroundings.files.append(str((surroundings.folder / value).absolute()))
        return _missing(surroundings, value, FileNotFoundError())
    return values.certificate_authority(value, info)


def _missing(surroundings: values.Surroundings, where: str, error: FileNotFoundError) -> str:
    """Like a secret, it may be there only where policyd serves."""
    said = f"the file `{where}` cannot be read: {values.why_unread(error)}"
    surroundings.missing["file", where] = values.Missing(said, absent=True)
    return ""


def token_secret(value: Any, info: ValidationInfo) -> Secret:
    """`{ env = "NAME" }` or `{ file = "path" }`: the secret that an issuer shares with its readers."""
    if isinstance(value, dict) and "style" in value:
        raise _wrong("a token's secret has no `style`", "secret_literal")
    return values.credential(value, info).secret


def private_key(value: Any, info: ValidationInfo) -> Secret:
    """`{ file = "key.pem" }` or `{ env = "NAME" }`: several lines, so not like other secrets."""
    if (
        not isinstance(value, dict)
        or len(value) != 1
        or not isinstance(value.get("file", value.get("env")), str)
    ):
        raise _wrong(
            'a private key is referred to: `{ file = "key.pem" }` or `{ env = "NAME" }`', "secret_literal"
        )
    ((source, where),) = value.items()
    surroundings = cast(values.Surroundings, info.context)
    text: str | None = None
    missing = values.Missing(f"the environment variable `{where}` is not set", absent=True)
    if source == "env":
        text = surroundings.environ.get(where)
    else:
        try:
            text = surroundings.read(where, "ascii")
        except (OSError, ValueError) as error:
            said = f"the file `{where}` cannot be read: {values.why_unread(error)}"
            missing = values.Missing(said, absent=isinstance(error, FileNotFoundError))
    if text is None:
        surroundings.missing[source, where] = missing
    return Secret(f"{'environment variable' if source == 'env' else 'file'} {where}", text or "")
