"""What the campaign writes down: what was asked, what arrived where and was answered, what clients saw, what was in force.

Plain data. The one idea: everything is noted by the marker of its request and by the clock of this process, so that the
judges need nothing but this and the decision log.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Arrival", "Ask", "Evidence", "Generation", "Sample", "Seen", "Stretch"]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. `truth` has the features that the policies read, known from how the request was made; `bytes_of_tokens`
    bounds its tokens. `malformed` is the family of refusals that it must get, None where it is in order. `manner` is how
    its client behaves."""

    number: int
    endpoint: str
    dialect: str
    stream: bool
    team: str
    head: bytes
    body: bytes
    truth: Mapping[str, object]
    confidential: bool
    tokens: tuple[int, int]
    malformed: str | None
    manner: str
    lasting: bool
    """keeps its connection afterwards"""

    @property
    def marker(self) -> bytes:
        return b"MARK-%07d-" % self.number


@dataclass(slots=True)
class Arrival:
    """A request's bytes at a place, and what that place did then. `whole`: it sent an answer that is complete by its
    framing; `formed`: complete and well-formed by its API, too."""

    place: str
    number: int
    at: float
    fault: str
    path: bytes = b""
    read: bool = False
    """the whole body arrived"""
    foreign: bool = False
    """it held the marker of another request too"""
    altered: bool = False
    """the body is not the one that was asked"""
    secrets: tuple[str, ...] = ()
    """credentials of the caller that arrived with it"""
    status: int | None = None
    whole: bool = False
    formed: bool = False
    body: bytes = b""
    """of the answer as it should reach the client, as far as it was sent"""
    outcomes: frozenset[str] = frozenset()
    """what the sidecar may call it"""


@dataclass(slots=True)
class Seen:
    """What a client saw. `clean`: the answer ended as its framing says. `error`: how the connection ended otherwise;
    `extra`: bytes that came after a whole answer."""

    number: int
    began: float
    ended: float = 0.0
    connected: bool = False
    status: int | None = None
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    clean: bool = False
    left: bool = False
    error: str = ""
    extra: bytes = b""


@dataclass(slots=True)
class Generation:
    """A policy and a placing. It may have been in force from when it was written to when the next one was known to be."""

    policy: str
    placing: str
    since: float
    until: float = float("inf")


@dataclass(frozen=True, slots=True)
class Sample:
    """The process at a time: resident bytes, open descriptors, threads, and requests asked so far."""

    at: float
    asked: int
    rss: int
    descriptors: int
    threads: int
    upstream: int


@dataclass(slots=True)
class Stretch:
    """The life of one process. `killed`: it was not told to end. Its samples are those of its whole life; `resting` was
    taken after every client and server of the campaign had gone."""

    pid: int
    began: float
    ended: float = float("inf")
    stopping: float = float("inf")
    """when it was told to end"""
    ready: float = float("inf")
    killed: bool = False
    code: int | None = None
    samples: list[Sample] = field(default_factory=list)
    resting: Sample | None = None
    gauges: Mapping[str, float] = field(default_factory=dict)
    """what the sidecar said then of what it holds"""


@dataclass(slots=True)
class Evidence:
    asks: dict[int, Ask] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    seen: dict[int, Seen] = field(default_factory=dict)
    generations: list[Generation] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    events: list[tuple[float, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    pages: int = 0
    strays: list[str] = field(default_factory=list)
    """what arrived at a place and belongs to no request"""

    def generation_at(self, since: float, until: float) -> list[Generation]:
        """Those that may have been in force at some time between the two."""
        return [g for g in self.generations if g.since <= until and g.until >= since]
