"""What of a deployment cannot change while policyd runs: the sockets that are open and the file that is written.

In: the deployment that serves and a new one. Out: a diagnostic for each such key that differs, at its place. All other
keys can change at any time.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from policyd.deploy.author import Author, Pointing
from policyd.deploy.model import Deployment, Endpoint, Listen
from policyd.deploy.places import Path
from policyd.text.diagnostic import Diagnostic

__all__ = ["needs_restart"]

_UNSAID: Final = ("headers", "ca", "resource")


def needs_restart(serving: Deployment, new: Deployment, author: Author | None) -> Iterable[Diagnostic]:
    pointing = Pointing(author)
    changes = [(path, f", from {was} to {is_}") for path, was, is_ in _fixed(serving, new) if was != is_]
    # What headers, certificates and tables said is not said here: it is secret, or long.
    changes += [
        (("telemetry", key), "")
        for key in _UNSAID
        if getattr(serving.telemetry, key) != getattr(new.telemetry, key)
    ]
    if serving.conversations != new.conversations:
        changes.append((("conversations",), ""))
    for path, change in changes:
        name = ".".join(str(part) for part in path)
        message = f"restart needed: `{name}` cannot change while policyd runs{change}"
        cure = "restart policyd, or take this change back and the others are loaded"
        yield pointing.at(path, "PD511", message, help=cure)


def _fixed(serving: Deployment, new: Deployment) -> Iterator[tuple[Path, str, str]]:
    for table, before, after in (
        ("listen", serving.listen, new.listen),
        ("admin", serving.admin, new.admin),
    ):
        yield from _listener(table, before, after)
        yield (table, "tls"), _asked(before), _asked(after)
    yield ("listen", "prefix"), _prefix(serving.listen), _prefix(new.listen)
    yield ("log", "path"), _shown(serving.log), _shown(new.log)
    yield (
        ("telemetry", "endpoint"),
        _collector(serving.telemetry.endpoint),
        _collector(new.telemetry.endpoint),
    )
    for key in ("interval", "timeout", "sample_ratio", "service_name"):
        yield ("telemetry", key), f"{getattr(serving.telemetry, key)}", f"{getattr(new.telemetry, key)}"


def _collector(endpoint: Endpoint | None) -> str:
    return "none" if endpoint is None else f"`{endpoint.url}`"


def _listener(table: str, before: Listen, after: Listen) -> Iterator[tuple[Path, str, str]]:
    if before.path is not None or after.path is not None:
        yield (table, "unix"), _place(before), _place(after)
        return
    yield (table, "address"), f"`{before.address}`", f"`{after.address}`"
    yield (table, "port"), str(before.port), str(after.port)


def _asked(listen: Listen) -> str:
    """What the socket does with every connection. The certificates themselves can change at any time."""
    if listen.tls is None:
        return "without TLS"
    if listen.tls.client_ca is None:
        return "TLS"
    return f"TLS with certificates of callers{'' if listen.tls.required else ' where they have one'}"


def _prefix(listen: Listen) -> str:
    return f"`{listen.prefix}`" if listen.prefix else "none"


def _place(listen: Listen) -> str:
    return f"`{listen.path}`" if listen.path is not None else f"`{listen.address}` port {listen.port}"


def _shown(log: str | None) -> str:
    return "standard output" if log is None else f"`{log}`"
