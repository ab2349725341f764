"""A whole sidecar on loopback with scripted model servers, and a client that sees every byte.

What is asked of it is asked over sockets: `Running.ask` sends bytes and gives back what came, and whether the answer
ended cleanly. A `Recorder` answers as its script says and remembers what reached it, byte for byte.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any, Self

from policyd.deploy.model import Listen
from policyd.proxy.decision_log import DecisionLog
from policyd.proxy.live import Live
from policyd.proxy.reload import bring_up
from policyd.proxy.serve import Running as Serving
from policyd.proxy.serve import open_listener, serving
from policyd.text.render import render_all
from tests.upstream.scripted import Peer, Scripted

POLICY = """
edition 1

level  sensitivity { internal < confidential }
enum   latency     { interactive, batch }  from header "x-latency"  unknown interactive
string team        from identity           unknown reject
enum   origin      { eu, us }              from deployment          unknown reject

classify sensitivity {
    starts at internal
    at least header "x-data-class"
    at least confidential  when opaque or findings contains any { "secret", "private-key", "card-number", "iban" }
}

target home   { location on_prem  region eu  context 1M    speaks chat, completions, responses, embeddings, messages  supports tools, json, images, reasoning, stored, server_tools, remote_content }
target cloud  { location cloud    region us  context 200k  speaks chat, completions, responses, embeddings, messages  supports tools, json, images, reasoning, stored, server_tools, remote_content }
target spare  { location cloud    region us  context 200k  speaks chat, completions, responses, embeddings, messages  supports tools, json, images, reasoning, stored, server_tools, remote_content }

guard stays_home  only location == on_prem  when sensitivity >= confidential  because "DLP-7: confidential data stays on our hardware"
deny  no_batch    when latency == batch and team == "blocked"  because "this team has no batch work"

route blocked  to cloud               when team == "cloud-only"
route long     to home                when context_needed > 100k
route rest     to cloud, spare, home
otherwise reject "no target may serve this request"

assert confidential_stays_home  never location == cloud  when sensitivity >= confidential
"""

OK = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n{"fine":true}'

Answering = Callable[[Peer, bytes], Awaitable[None]]


def saying(data: bytes) -> Answering:
    async def answer(peer: Peer, _: bytes) -> None:
        await peer.send(data)

    return answer


def status(code: int, *, extra: bytes = b"") -> Answering:
    body = b'{"status":%d}' % code
    head = b"HTTP/1.1 %d Said\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%b\r\n"
    return saying(head % (code, len(body), extra) + body)


async def closing(peer: Peer, _: bytes) -> None:
    peer.close()


async def hanging(peer: Peer, _: bytes) -> None:
    await peer.gone()


class Recorder:
    """A model server that remembers every request. `answer` may be replaced while it runs."""

    def __init__(self, answer: Answering | None = None) -> None:
        self.answer = saying(OK) if answer is None else answer
        self.requests: list[bytes] = []
        self._server = Scripted(self._serve)

    async def _serve(self, peer: Peer, _: int) -> None:
        while request := await peer.request():
            self.requests.append(request)
            await self.answer(peer, request)

    @property
    def bodies(self) -> list[bytes]:
        return [request.partition(b"\r\n\r\n")[2] for request in self.requests]

    @property
    def heads(self) -> list[list[bytes]]:
        return [request.partition(b"\r\n\r\n")[0].split(b"\r\n") for request in self.requests]

    @property
    def connections(self) -> int:
        """Ever opened: a target that is never tried is never connected to."""
        return self._server.connections

    @property
    def open(self) -> int:
        return self._server.open

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._server.__aexit__(*error)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `clean`: the answer ended as its framing says, not by a broken connection."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes
    clean: bool
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a refusal, in either dialect."""
        error = self.json["error"]
        assert isinstance(error["policyd"]["code"], str)
        return error["policyd"]["code"]


def parsed(raw: bytes) -> Answer:
    """The answer in these bytes, up to where the connection ended."""
    head, _, rest = raw.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    if headers.get(b"transfer-encoding") == b"chunked":
        body, clean = _dechunked(rest)
    elif b"content-length" in headers:
        body, clean = rest, len(rest) == int(headers[b"content-length"])
    else:
        body, clean = rest, False
    return Answer(int(first.split()[1]), headers, body, clean, raw)


def _dechunked(rest: bytes) -> tuple[bytes, bool]:
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            return body, rest == b"\r\n"
        body += rest[:length]
        rest = rest[length + 2 :]
    return body, False


def post(
    path: str, body: bytes | Mapping[str, object], headers: Mapping[str, str] | None = None, **more: str
) -> bytes:
    """A request's bytes. `more` are headers whose underscores stand for hyphens; a value of "" leaves one out."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {
        "host": "localhost",
        "content-type": "application/json",
        "content-length": str(len(data)),
        "connection": "close",
        **{name.replace("_", "-"): value for name, value in more.items()},
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + data


def get(path: str, method: str = "GET", **headers: str) -> bytes:
    lines = {
        "host": "localhost",
        "connection": "close",
        **{n.replace("_", "-"): v for n, v in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode()


CHAT: dict[str, object] = {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]}
MESSAGES: dict[str, object] = {
    "model": "claude-opus-4-5",
    "max_tokens": 50,
    "messages": [{"role": "user", "content": "hi"}],
}
SECRET = "here it is: AKIAQYLPMN5HHHFPZAM2"


async def exchange(port: int, request: bytes) -> Answer:
    """Sends the request and reads until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await writer.drain()
        return parsed(await reader.read())
    finally:
        writer.close()


@dataclass(frozen=True, slots=True)
class Running:
    """A sidecar that serves. `policy` and `deployment` are its files, `log_path` its decision log."""

    serving: Serving
    port: int
    admin_port: int
    policy: Path
    log_path: Path
    recorders: Mapping[str, Recorder]
    deployment: Path

    async def ask(self, request: bytes) -> Answer:
        return await exchange(self.port, request)

    async def admin(self, path: str) -> Answer:
        return await exchange(self.admin_port, get(path))

    def sent_anywhere(self) -> int:
        return sum(len(r.requests) for r in self.recorders.values())


def deployment_text(
    urls: Mapping[str, str], identity: str, extra: str, targets: Mapping[str, str], listen: str = ""
) -> str:
    """A `policyd.toml`. `targets` are further lines of one target's table, `listen` of the listener's."""
    tables = "\n".join(_table(name, url, targets.get(name, "")) for name, url in urls.items())
    return f"""
policy = "sidecar.policy"
{extra}
[listen]
port = 8484
{listen}
[admin]
port = 8485
[identity]
{identity}
[features]
origin = "eu"
[log]
path = "decisions.jsonl"
{tables}
"""


def _table(name: str, url: str, more: str) -> str:
    lines = [f"[targets.{name}]", f'url = "{url}"']
    lines += [] if "dialects" in more else ['dialects = ["openai", "anthropic"]']
    lines += [f'{key} = "{value}"' for key, value in QUICK.items() if key not in more]
    return "\n".join((*lines, more, ""))


QUICK = {"connect_timeout": "2s", "first_byte_timeout": "5s", "idle_timeout": "5s", "total_timeout": "20s"}
LOOPBACK = 'kind = "loopback"\nteam = "search"'


@asynccontextmanager
async def sidecar(
    folder: Path,
    recorders: Mapping[str, Recorder],
    *,
    policy: str = POLICY,
    identity: str = LOOPBACK,
    extra: str = "",
    urls: Mapping[str, str] | None = None,
    targets: Mapping[str, str] | None = None,
    log: DecisionLog | None = None,
    drain_seconds: float | None = 5,
    probing: bool = False,
    clock: Callable[[], float] = time,
    listen: str = "",
) -> AsyncIterator[Running]:
    """A sidecar for these model servers, read from real files in `folder`. With `probing` its targets are looked at."""
    path = folder / "sidecar.policy"
    path.write_text(policy)
    places = {name: recorder.url for name, recorder in recorders.items()} | dict(urls or {})
    toml = folder / "policyd.toml"
    toml.write_text(deployment_text(places, identity, extra, targets or {}, listen))
    live = bring_up(toml, {}, time())
    assert isinstance(live, Live), render_all(live.diagnostics, colour=False)
    log_path = folder / "decisions.jsonl"
    written = DecisionLog(str(log_path)) if log is None else log
    proxy, admin = (open_listener(Listen("127.0.0.1", 0)) for _ in range(2))
    try:
        async with serving(
            toml,
            live,
            written,
            proxy,
            admin,
            drain_seconds=drain_seconds,
            watch_seconds=0.05,
            environ={},
            probing=probing,
            clock=clock,
        ) as running:
            yield Running(
                running, proxy.getsockname()[1], admin.getsockname()[1], path, log_path, dict(recorders), toml
            )
    finally:
        written.close()


@asynccontextmanager
async def three(folder: Path, **options: Any) -> AsyncIterator[Running]:
    """The sidecar with a recorder for each target of `POLICY`."""
    async with Recorder() as home, Recorder() as cloud, Recorder() as spare:
        recorders = {"home": home, "cloud": cloud, "spare": spare}
        async with sidecar(folder, recorders, **options) as running:
            yield running


def records(path: Path) -> list[dict[str, Any]]:
    """The decision log's lines; complete after the sidecar has ended."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]
