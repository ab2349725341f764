"""`[identity]` as it was written to what identifies callers, and what is wrong with it as a whole.

In: the tables of one deployment file. Out: an `Identity`, and a diagnostic for each reason why it could not be believed: a fixed
caller that anybody could be, certificates that nobody asks for, a hop that nobody could come from.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import assert_never

from policyd.deploy.author import Author
from policyd.deploy.file import DeploymentFile
from policyd.deploy.identity_file import (
    ApiKeyFile,
    ApiKeysFile,
    HopFile,
    IdentityFile,
    JwksFile,
    JwtFile,
    LoopbackFile,
    MtlsFile,
    NameFile,
)
from policyd.deploy.model import (
    ApiKey,
    ApiKeyIdentity,
    HopIdentity,
    Identity,
    JwtIdentity,
    KeySet,
    KnownName,
    LoopbackIdentity,
    MtlsIdentity,
    OneIdentity,
    SeveralIdentities,
    Tls,
)
from policyd.deploy.places import Path
from policyd.deploy.zone import zone_of
from policyd.text.diagnostic import Diagnostic, Severity

__all__ = ["identity_findings", "identity_of"]


def identity_of(file: DeploymentFile) -> Identity:
    ways = tuple(_way(table, file.timezone) for table in file.identity)
    return ways[0] if len(ways) == 1 else SeveralIdentities(ways)


def _way(table: IdentityFile, timezone: str) -> OneIdentity:
    match table:
        case LoopbackFile():
            return LoopbackIdentity(table.claims)
        case ApiKeysFile(keys=keys):
            return ApiKeyIdentity(tuple(_key(key, timezone) for key in keys))
        case JwtFile():
            return _token(table)
        case MtlsFile():
            return MtlsIdentity(_names(table.names), tuple(table.claims.items()))
        case HopFile(peers=(networks, unix)):
            return HopIdentity(table.header, networks, unix, _names(table.names), tuple(table.claims.items()))
        case _:
            assert_never(table)


def _key(key: ApiKeyFile, timezone: str) -> ApiKey:
    return ApiKey(key.sha256, key.claims, None if key.until is None else _end_of(key.until, timezone))


def _end_of(until: date, timezone: str) -> float:
    if isinstance(until, datetime):
        return until.timestamp()
    return datetime.combine(until + timedelta(days=1), time(), zone_of(timezone)).timestamp()


def _token(table: JwtFile) -> JwtIdentity:
    return JwtIdentity(
        issuer=table.issuer,
        audience=(table.audience,) if isinstance(table.audience, str) else tuple(table.audience),
        algorithms=table.signed_by,
        keys=None if table.jwks is None else _key_set(table.jwks),
        secret=table.secret,
        leeway=table.leeway,
        require=tuple(table.require),
        claims=tuple(table.claims.items()),
    )


def _key_set(table: JwksFile) -> KeySet:
    file, document = (None, None) if table.file is None else table.file
    return KeySet(document, table.url, Tls(table.ca, table.pin_sha256), table.refresh, table.keep, file)


def _names(tables: Sequence[NameFile]) -> tuple[KnownName, ...]:
    return tuple(_name(table) for table in tables)


def _name(table: NameFile) -> KnownName:
    if table.uri is not None:
        return KnownName("uri", table.uri, table.claims)
    if table.dns is not None:
        return KnownName("dns", table.dns, table.claims)
    assert table.cn is not None  # INVARIANT: the table was checked to have one of the three
    return KnownName("cn", table.cn, table.claims)


def identity_findings(file: DeploymentFile, author: Author) -> list[Diagnostic]:
    several = author.knows(("identity", 0))

    def place(index: int, *rest: str | int) -> Path:
        return ("identity", index, *rest) if several else ("identity", *rest)

    found: list[Diagnostic] = []
    for index, table in enumerate(file.identity):
        at = author.span(place(index, "kind"))
        match table:
            case LoopbackFile():
                found += (Diagnostic(*said[:3], at, help=said[3]) for said in _fixed(file))
            case MtlsFile():
                found += (Diagnostic(*said[:3], at, help=said[3]) for said in _certificates(file))
            case HopFile():
                at = author.span(place(index, "from"))
                found += (Diagnostic(*said[:3], at, help=said[3]) for said in _hop(file, table))
            case ApiKeysFile(keys=keys):
                twice = _twice(key.sha256 for key in keys)
                message = "this key is there twice, and two callers cannot share one"
                found += (
                    Diagnostic(
                        "PD505", Severity.ERROR, message, author.span(place(index, "keys", n, "sha256"))
                    )
                    for n in twice
                )
            case JwtFile():
                pass
        if isinstance(table, MtlsFile | HopFile):
            message = "this name is there twice, and two callers cannot share one"
            twice = _twice(repr((n.uri, n.dns, n.cn)) for n in table.names)
            found += (
                Diagnostic("PD505", Severity.ERROR, message, author.span(place(index, "names", n)))
                for n in twice
            )
    found += _together(file.identity, author, place(len(file.identity) - 1, "kind"))
    return found


_Said = tuple[str, Severity, str, str]


def _fixed(file: DeploymentFile) -> Iterable[_Said]:
    if file.listen.unix is None and not _is_loopback(file.listen.address):
        message = f"a fixed identity would be anybody's at `{file.listen.address}`"
        cure = 'listen on a loopback address or a unix socket, or use `kind = "api-keys"`'
        yield "PD509", Severity.ERROR, message, cure


def _certificates(file: DeploymentFile) -> Iterable[_Said]:
    if file.listen.tls is None or file.listen.tls.client_ca is None:
        message = "callers are known by their certificates, and the listener asks nobody for one"
        yield "PD541", Severity.ERROR, message, "add `[listen.tls]` with `certificate`, `key` and `client_ca`"


def _hop(file: DeploymentFile, table: HopFile) -> Iterable[_Said]:
    networks, unix = table.peers
    if unix and file.listen.unix is None:
        message = "a trusted hop comes over the unix socket, and the listener has none"
        yield "PD541", Severity.ERROR, message, "set `unix` in `[listen]`, or name the hop's network"
    if networks and file.listen.unix is not None:
        message = "a trusted hop comes from a network, and the listener is a unix socket, where nobody has an address"
        yield "PD541", Severity.ERROR, message, 'write `from = ["unix"]`'


def _together(tables: Sequence[IdentityFile], author: Author, last: Path) -> Iterable[Diagnostic]:
    """What a second way to be known must not be."""
    if len(tables) > 1 and any(isinstance(table, LoopbackFile) for table in tables):
        message = "with a fixed identity every caller is known already, so no other way is ever asked"
        cure = "leave one of them out"
        yield Diagnostic("PD540", Severity.ERROR, message, author.span(last), help=cure)
    seen: set[tuple[str, str]] = set()
    for table in tables:
        key = (table.kind, table.issuer if isinstance(table, JwtFile) else "")
        if key in seen:
            which = f"issuer `{key[1]}`" if key[1] else f'`kind = "{key[0]}"`'
            message = f"the {which} is there twice, and only the first would be asked"
            yield Diagnostic("PD540", Severity.ERROR, message, author.span(last), help="make them one table")
        seen.add(key)


def _twice(keys: Iterable[str]) -> Iterable[int]:
    seen: set[str] = set()
    for index, key in enumerate(keys):
        if key in seen:
            yield index
        seen.add(key)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
