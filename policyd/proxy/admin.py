"""The admin side: is it alive, is it ready, which policy serves. FastAPI, on an address of its own.

In comes a way to ask how things stand; out goes an application. The one idea: the answers are taken from the running
parts when they are asked for, so that they cannot be stale. It changes nothing and shows no secret and no request. The
policy's text, which `policyd prove --sidecar` asks for, is given to nobody who calls this machine by a name: a web page
could make such a name its own.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from fastapi import FastAPI, Request, Response

from policyd import __version__
from policyd.proxy.calibration import Compared
from policyd.proxy.conversations.store import StoreState
from policyd.proxy.decision_log import LogState
from policyd.proxy.host import is_no_name
from policyd.proxy.identity_keys import KeysStanding
from policyd.proxy.probe.rounds import Watched
from policyd.proxy.reload import LoadState
from policyd.proxy.standing import Out
from policyd.proxy.targets import TargetView
from policyd.proxy.targets_page import targets_in_full, targets_in_short
from policyd.proxy.telemetry.prometheus import page
from policyd.proxy.telemetry.series import Family
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.text.source import Source

__all__ = ["Standing", "admin_app", "spelled"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a sidecar stands: `digest` and `loaded_at` of the policy that serves, the texts it was read from (the root
    first) and the day it was read for, how the last load and the log do, which of its targets are out, the keys of callers'
    tokens and whether nobody is known without them, the targets to which the last connect failed, how every target stands under load, how our estimates of tokens do,
    and the store of conversations, without which requests go on with what is unknown."""

    digest: str
    loaded_at: float
    files: tuple[str, ...]
    load: LoadState
    log: LogState
    draining: bool
    sources: tuple[Source, ...]
    today: date
    targets: tuple[str, ...]
    out: Mapping[str, tuple[Out, ...]]
    watched: tuple[Watched, ...]
    monotonic: float
    keys: tuple[KeysStanding, ...] = ()
    needs_keys: bool = False
    unreached: Mapping[str, str] = field(default_factory=dict)
    views: tuple[TargetView, ...] = ()
    compared: Mapping[str, Compared] = field(default_factory=dict)
    conversations: StoreState = StoreState(0, 0)
    classifiers: Mapping[str, str | None] = field(default_factory=dict)
    """the word of its failure, None where it answers"""


def admin_app(standing: Callable[[], Standing], metrics: Callable[[], Iterable[Family]]) -> FastAPI:
    """The application. It has no pages of documentation: their scripts would come from the internet."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz")
    async def readyz(response: Response) -> dict[str, Any]:
        now = standing()
        served = len(now.out) < len(now.targets)
        known = not now.needs_keys or any(keys.usable for keys in now.keys)
        ready = now.log.failing is None and not now.draining and served and known
        if not ready:
            response.status_code = 503
        return {
            "status": "ready" if ready else "draining" if now.draining else "not ready",
            "policy": now.digest,
            "decision_log": {
                "status": "writing" if now.log.failing is None else "failing",
                "because": now.log.failing,
                "waiting": now.log.waiting,
                "refused": now.log.refused,
            },
            "last_load": _load(now.load),
            "targets": targets_in_short(now.targets, now.out, now.monotonic, now.views),
            "keys": [keys._asdict() for keys in now.keys],
            "classifiers": {
                name: {"status": "answering" if word is None else "failing", "because": word}
                for name, word in now.classifiers.items()
            },
            "conversations": {
                "status": "failing" if now.conversations.failing else "remembering",
                "because": now.conversations.failing,
                "shared": now.conversations.shared,
                "entries": now.conversations.entries,
                "owed": now.conversations.owed,
            },
        }

    @app.get("/metrics")
    async def metrics_page(request: Request) -> Response:
        # Read here, where the numbers are counted, and written in a thread: a page can be of megabytes.
        text, kind = await asyncio.to_thread(page, metrics(), request.headers.get("accept", ""))
        return Response(text, headers={"content-type": kind})

    @app.get("/targets")
    async def targets() -> list[dict[str, Any]]:
        now = standing()
        return targets_in_full(
            now.targets, now.out, now.watched, now.monotonic, now.unreached, now.views, now.compared
        )

    @app.get("/policy")
    async def policy() -> dict[str, Any]:
        now = standing()
        return {
            "digest": now.digest,
            "loaded_at": _time(now.loaded_at),
            "files": now.files,
            "reloads": now.load.reloads,
            "last_load": _load(now.load),
        }

    @app.get("/policy/source")
    async def source(request: Request) -> Response:
        if not all(is_no_name(host) for host in request.headers.getlist("host")):
            refusal = {"error": "ask by address: a web page could make a name its own"}
            return Response(json.dumps(refusal), 421, media_type="application/json")
        return Response(json.dumps(_source(standing())), media_type="application/json")

    return app


def _source(now: Standing) -> dict[str, Any]:
    return {
        "format": 1,
        "policyd": __version__,
        "digest": now.digest,
        "today": now.today.isoformat(),
        "root": now.sources[0].name,
        "files": [{"name": s.name, "text": s.text} for s in now.sources],
    }


def _load(load: LoadState) -> dict[str, Any]:
    if not load.failed:
        return {"status": "good", "at": _time(load.at)}
    errors = [spelled(d) for d in load.failed if d.severity is Severity.ERROR]
    return {
        "status": "failed",
        "at": _time(load.at),
        "serving": "policy and deployment as they were before",
        "errors": errors,
    }


def spelled(diagnostic: Diagnostic) -> str:
    """A diagnostic on one line."""
    place = "" if diagnostic.span is None else f"{diagnostic.span.place}: "
    return f"{place}{diagnostic.severity.value}[{diagnostic.code}] {diagnostic.message}"


def _time(posix: float) -> str:
    return datetime.fromtimestamp(posix, UTC).isoformat(timespec="seconds")
