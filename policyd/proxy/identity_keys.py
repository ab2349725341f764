"""The public keys of one issuer while policyd runs: fetched, fetched again, kept for a bounded time, and then not believed.

In comes where the keys are; out go the keys that a token names. The one idea: what was fetched last and was good counts,
whoever fails to answer, until it is too old; then there are no keys, and without keys nobody is known. Looking again is one
question at a time and at most one every few seconds, whoever asks for it and how often.
"""

import asyncio
import os
import random
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from policyd.deploy.model import Identity, JwtIdentity, KeySet, SeveralIdentities, Tls
from policyd.proxy.upstream.tls import context_for, matches_pin
from policyd.proxy.upstream.unproved import Proof, why_no_handshake, why_no_pin

if TYPE_CHECKING:
    from policyd.deploy.jwks import PublicKey

__all__ = ["KeyRing", "KeysStanding", "NotFetched", "fetch_keys", "keep_fresh", "needs_keys", "rings_of"]

SOONEST: Final = 5.0
"""Seconds between two looks that tokens with unknown keys ask for."""

AGAIN: Final = 15.0
"""Seconds after which a look that failed is tried again."""

FETCH_SECONDS: Final = 10.0
LARGEST_DOCUMENT: Final = 1024 * 1024
LOOK_SECONDS: Final = 0.5


class KeysStanding(NamedTuple):
    """How one key set stands: whether its keys count now, and why the last look failed, if it did."""

    source: str
    usable: bool
    failing: str | None


class NotFetched(Exception):
    """The keys could not be had. The message quotes nothing of an answer."""


Fetch: TypeAlias = Callable[[KeySet], Awaitable[str]]


class KeyRing:
    """Of one event loop. `version` changes when the keys do; `failing` says why the last look failed."""

    def __init__(
        self, source: KeySet, *, fetch: Fetch | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        self.source = source
        self.version = 0
        self.failing: str | None = None
        self._fetch = fetch_keys if fetch is None else fetch
        self._clock = clock
        self._keys: tuple[PublicKey, ...] = ()
        self._text = ""
        self._good_at: float | None = None
        self._looked_at: float | None = None
        self._next = 0.0
        self._looking: asyncio.Task[None] | None = None
        if source.document is not None:
            self._take(source.document)

    @property
    def usable(self) -> bool:
        """Whether there are keys that still count. Those of a file count as long as the deployment does."""
        if self.source.document is not None:
            return True
        return self._good_at is not None and self._clock() - self._good_at <= self.source.keep

    def standing(self) -> KeysStanding:
        return KeysStanding(self.place, self.usable, self.failing)

    @property
    def place(self) -> str:
        """The URL of the keys, or the path of their file."""
        endpoint = self.source.endpoint
        return endpoint.url if endpoint is not None else self.source.file or "a file"

    def find(self, kid: str | None, algorithm: str) -> tuple["PublicKey", ...]:
        """The keys that a token with this head could be signed by; all that fit where it names none."""
        return tuple(k for k in self._keys if algorithm in k.algorithms and (kid is None or k.kid == kid))

    @property
    def may_look(self) -> bool:
        """Whether looking again now could help: a look is under way, or the last one is some seconds ago."""
        if self.source.document is not None:
            return False
        if self._looking is not None or self._looked_at is None:
            return True
        return self._clock() - self._looked_at >= SOONEST

    @property
    def due(self) -> bool:
        return self.source.document is None and self._looking is None and self._clock() >= self._next

    async def look(self) -> None:
        """Fetches the keys, or waits for the look that is under way. Never raises but for a cancellation."""
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look())
        # Who leaves does not take the others' keys along.
        await asyncio.shield(self._looking)

    async def _look(self) -> None:
        self._looked_at = self._clock()
        wait = min(AGAIN, self.source.refresh)
        try:
            self._take(await self._fetch(self.source))
        except (NotFetched, ValueError) as error:
            self.failing = str(error)
        else:
            self.failing = None
            self._good_at = self._clock()
            # Sidecars that started together do not go on asking together.
            wait = self.source.refresh * random.uniform(0.9, 1.0)
        finally:
            self._next = self._clock() + wait
            self._looking = None

    def _take(self, text: str) -> None:
        from policyd.deploy.jwks import read_keys  # noqa: PLC0415  cryptography is heavy, and few deployments need it

        if text != self._text:
            self._keys = read_keys(text)
            self._text = text
            self.version += 1


def rings_of(identity: Identity, before: Iterable[KeyRing] = ()) -> dict[KeySet, KeyRing]:
    """A ring for each key set of the deployment. Those that serve already go on, with what they know."""
    known = {ring.source: ring for ring in before}
    ways = identity.ways if isinstance(identity, SeveralIdentities) else (identity,)
    sources = [way.keys for way in ways if isinstance(way, JwtIdentity) and way.keys is not None]
    return {source: known.get(source) or KeyRing(source) for source in sources}


def needs_keys(identity: Identity) -> bool:
    """Whether callers can be known by tokens of fetched keys and in no other way."""
    ways = identity.ways if isinstance(identity, SeveralIdentities) else (identity,)
    return all(isinstance(way, JwtIdentity) and way.keys is not None for way in ways)


async def keep_fresh(rings: Callable[[], Iterable[KeyRing]], say: Callable[[str], None]) -> None:
    """Looks when it is time to, until it is cancelled, and says once when that begins or ceases to fail."""
    failing: dict[KeyRing, str] = {}
    while True:
        for ring in rings():
            if ring.due:
                await ring.look()
            if ring.failing is not None and ring not in failing:
                failing[ring] = ring.failing
                say(f"the keys of callers' tokens could not be fetched from {ring.place}: {ring.failing}")
            elif ring.failing is None and failing.pop(ring, None) is not None:
                say(f"the keys of callers' tokens are fetched again from {ring.place}")
        await asyncio.sleep(LOOK_SECONDS)


async def fetch_keys(source: KeySet) -> str:
    """The text of a key set. Raises `NotFetched`."""
    import httpx  # noqa: PLC0415  few deployments fetch keys, and it is heavy

    endpoint = source.endpoint
    assert endpoint is not None  # INVARIANT: a key set is a document or has an endpoint
    # No environment says where to go or whom to trust.
    client = httpx.AsyncClient(
        verify=context_for(source.tls), trust_env=False, follow_redirects=False, timeout=FETCH_SECONDS
    )
    try:
        async with asyncio.timeout(FETCH_SECONDS), client, client.stream("GET", endpoint.url) as answer:
            session = answer.extensions["network_stream"].get_extra_info("ssl_object")
            certificate = None if session is None else session.getpeercert(binary_form=True)
            if source.tls.pins and (session is None or not matches_pin(certificate, source.tls.pins)):
                raise NotFetched(why_no_pin(certificate, _proof(endpoint.host, source.tls)))
            if answer.status_code != 200:
                raise NotFetched(f"the answer has the status {answer.status_code}")
            text = b""
            async for piece in answer.aiter_bytes():
                text += piece
                if len(text) > LARGEST_DOCUMENT:
                    raise NotFetched("the answer is larger than any key set")
            return text.decode("utf-8")
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, ssl.SSLError) as error:
        raise NotFetched(_why(error, endpoint.host, source.tls)) from None
    except UnicodeDecodeError:
        raise NotFetched("the answer is not UTF-8") from None


def _proof(host: str, tls: Tls) -> Proof:
    return Proof(host, tls, "identity.jwks.url", "identity.jwks.ca", "identity.jwks.pin_sha256")


def _why(error: BaseException, host: str, tls: Tls) -> str:
    """In words. The HTTP client wraps what the system said, several times."""
    deepest: BaseException | None = error
    found: OSError | None = None
    while deepest is not None:
        if isinstance(deepest, OSError) and (deepest.errno is not None or isinstance(deepest, ssl.SSLError)):
            found = deepest
        group = deepest.exceptions if isinstance(deepest, BaseExceptionGroup) else ()
        deepest = group[0] if group else deepest.__cause__ or deepest.__context__
    match found:
        case ssl.SSLError():
            return why_no_handshake(found, _proof(host, tls))
        case socket.gaierror():
            return f"the name `{host}` is not known"
        case OSError():
            return f"no connection to `{host}`: {os.strerror(found.errno).lower() if found.errno else found}"
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
        return f"no answer of `{host}` within {FETCH_SECONDS:g} seconds"
    return f"`{host}` gave no whole HTTP answer ({type(error).__name__})"
