"""The admin side: is it alive, is it ready, which policy serves. FastAPI, on an address of its own.

In comes a way to ask how things stand; out goes an application. The one idea: the answers are taken from the running
parts when they are asked for, so that they cannot be stale. It changes nothing and shows no secret and no request.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Response

from policyd.proxy.decision_log import LogState
from policyd.proxy.reload import LoadState
from policyd.text.diagnostic import Diagnostic, Severity

__all__ = ["Standing", "admin_app", "spelled"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a sidecar stands: `digest` and `loaded_at` of the policy that serves, how the last load and the log do."""

    digest: str
    loaded_at: float
    files: tuple[str, ...]
    load: LoadState
    log: LogState
    draining: bool


def admin_app(standing: Callable[[], Standing]) -> FastAPI:
    """The application. It has no pages of documentation: their scripts would come from the internet."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz")
    async def readyz(response: Response) -> dict[str, Any]:
        now = standing()
        ready = now.log.failing is None and not now.draining
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
        }

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

    return app


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
