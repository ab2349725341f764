"""`policyd serve`: from a deployment file to a sidecar that listens, and back to a process that has ended in order.

In comes the deployment file's path; out goes an exit code. The one idea: everything that can be wrong is found before a
socket is opened, and said at once; afterwards the process only stops when it is told to. It wires the parts together and
holds no logic of theirs.
"""

import asyncio
import contextlib
import errno
import gc
import logging
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, time
from typing import Final

from policyd.deploy.model import Deployment, Limits, Listen
from policyd.proofs.find import Budget
from policyd.proofs.prove import prove
from policyd.proxy.admin import Standing, admin_app, spelled
from policyd.proxy.app import Sidecar
from policyd.proxy.decision_log import DecisionLog
from policyd.proxy.early import plain
from policyd.proxy.errand import Road
from policyd.proxy.gate import Gate
from policyd.proxy.http_server import HttpServer
from policyd.proxy.identity_keys import keep_fresh, needs_keys
from policyd.proxy.listen_tls import ListenerTls
from policyd.proxy.live import Live
from policyd.proxy.not_opened import why_no_listener, why_no_log
from policyd.proxy.orders import Orders
from policyd.proxy.probe.question import ask_through
from policyd.proxy.probe.rounds import Prober
from policyd.proxy.reload import WATCH_SECONDS, LoadState, NotLive, Reloader, bring_up
from policyd.proxy.standing import TargetsOut
from policyd.proxy.targets import Targets
from policyd.proxy.telemetry.recording import Recording
from policyd.proxy.telemetry.vitals import Vitals, vitals
from policyd.proxy.upstream.client import HttpUpstream
from policyd.proxy.wire import bounded_protocol
from policyd.text.diagnostic import Diagnostic, Severity, in_order
from policyd.text.printable import printable
from policyd.text.render import render_all

__all__ = ["Running", "open_listener", "serve", "serving"]

FIRST_LOOKS_SECONDS = 3.0
"""Requests wait so long at most for the first look at what on-prem targets say of themselves."""

SPARE_FILES: Final = 256
"""Open files besides connections."""

MOST_THREADS = 4
"""For reading and checking large bodies: one for each core beside the event loop's own, one at least. More would stand
between the event loop and its core, or the interpreter lock, which goes to any of those that wait."""

SWITCH_SECONDS = 0.001
"""How long a thread may keep the interpreter while the event loop wants it; CPython's default is five times that."""

COLLECT: Final = (10_000, 20, 50)
"""Garbage is collected less often than CPython does: a request leaves no cycles, so looking for them only costs."""

WARNING_BUDGET: Final = Budget(seconds=0.2, together=0.5)
"""For proofs that only warn. A policy so large that it takes longer has at least so many warnings."""

FINDINGS, UNUSABLE, NOT_PROVED = 1, 2, 3
UNREADABLE: Final = frozenset({"PD001", "PD002", "PD501"})


def serve(deployment_path: str) -> int:
    """Runs until SIGTERM or SIGINT. 0 after an orderly end; 1 on errors of the deployment or the policy, 2 where a file
    cannot be read, 3 where an assertion could not be proved in its time."""
    path = Path(deployment_path)
    found = bring_up(path, os.environ, time())
    if isinstance(found, NotLive):
        return _cannot_start(found.diagnostics, unfinished=found.unfinished)
    _count_warnings(found)
    _tell_accelerator(found)
    deployment = found.deployment
    opened = _opened(deployment)
    if isinstance(opened, str):
        _say(f"cannot start: {opened}")
        return FINDINGS
    log, *listeners = opened
    _quiet_logging()
    _allow_open_files(deployment.limits.connections)
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        # Absolute, like the policy's files: what is told while it serves names both.
        return runner.run(_until_told(path.absolute(), found, log, *listeners))


def _opened(deployment: Deployment) -> tuple[DecisionLog, socket.socket, socket.socket] | str:
    """The log and both listeners, or why one of them could not be opened."""
    sockets: list[socket.socket] = []
    for table, listen in (("listen", deployment.listen), ("admin", deployment.admin)):
        try:
            sockets.append(open_listener(listen))
        except OSError as error:
            return why_no_listener(table, deployment, error)
    try:
        return DecisionLog(deployment.log), sockets[0], sockets[1]
    except OSError as error:
        return why_no_log(deployment.log or "standard output", error)


async def _until_told(
    path: Path, live: Live, log: DecisionLog, proxy: socket.socket, admin: socket.socket
) -> int:
    loop = asyncio.get_running_loop()
    async with serving(path, live, log, proxy, admin) as running:
        orders = running.orders
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, orders.give)
        loop.add_signal_handler(signal.SIGHUP, running.reloader.ask)
        _say(f"serving policy {live.ready.digest} on {_address(proxy, live.deployment.listen)}")
        _say(f"admin on {_address(admin, live.deployment.admin)}")
        await orders.stop.wait()
        running.draining = True
        running.take_leave()
        drain = running.sidecar.live.deployment.drain
        if drain.grace:
            _say(f"stopping in {drain.grace:g} seconds: not ready from now on")
            await orders.patience(drain.grace)
        _say(f"stopping: answers under way have {drain.limit:g} seconds")
    lost = log.close()
    if lost:
        _say(f"{lost} lines of the decision log could not be written: {log.state.failing}")
    return FINDINGS if lost or orders.at_once.is_set() else 0


class Running:
    """A sidecar that serves. `draining` is set when it stops; `orders` are those to end."""

    def __init__(
        self, sidecar: Sidecar, reloader: Reloader, log: DecisionLog, out: TargetsOut, prober: Prober | None
    ) -> None:
        self.sidecar = sidecar
        self.reloader = reloader
        self.log = log
        self.out = out
        self.prober = prober
        self.orders = Orders()
        self.take_leave: Callable[[], None] = lambda: None
        self.unreached: Callable[[], Mapping[str, str]] = dict
        self.draining = False

    def standing(self) -> Standing:
        live = self.sidecar.live
        return Standing(
            live.ready.digest,
            live.loaded_at,
            live.files,
            self.reloader.state,
            self.log.state,
            self.draining,
            live.ready.sources,
            live.ready.today,
            tuple(live.serving.targets),
            self.out.all(),
            () if self.prober is None else tuple(self.prober.watched()),
            monotonic(),
            tuple(ring.standing() for ring in live.rings),
            needs_keys(live.deployment.identity),
            self.unreached(),
            self.sidecar.road.targets.view(asyncio.get_running_loop().time()),
            self.sidecar.calibration.view(),
            self.sidecar.conversations.state.store,
            {name: tally.failing for name, tally in live.classifiers.tallies.items()},
        )


@contextlib.asynccontextmanager
async def serving(
    path: Path,
    live: Live,
    log: DecisionLog,
    proxy: socket.socket,
    admin: socket.socket,
    *,
    drain_seconds: float | None = None,
    watch_seconds: float = WATCH_SECONDS,
    environ: Mapping[str, str] = os.environ,
    clock: Callable[[], float] = time,
    probing: bool = True,
) -> AsyncIterator["Running"]:
    """A sidecar on these listeners: it serves inside the context and drains at its end. `live` was read from the
    deployment file at `path`, which is watched like the policy's files. `clock` gives the time of each request.
    `drain_seconds` stands over the deployment's; without `probing` no target is looked at."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_threads(), "policyd"))
    gate = Gate(live.serving)
    upstream = HttpUpstream(gate, live.serving.targets.values(), _say)
    out = TargetsOut()
    road = Road(gate, upstream, Targets(live.serving.targets.values(), out, _say))
    # What telemetry looks at is asked for by it, and by then it is there.
    telemetry = Recording(live.deployment.telemetry, lambda: vitals(looked_at))
    sidecar = Sidecar(live, road, log=log, telemetry=telemetry, clock=clock)
    prober = Prober(ask_through(gate, upstream), out, _say) if probing else None

    listeners = (_tls_of(live.deployment.listen), _tls_of(live.deployment.admin))

    def publish(new: Live) -> None:
        # INVARIANT: nothing awaits in between, so no request sees one part new and another old.
        for tls, listen in zip(listeners, (new.deployment.listen, new.deployment.admin), strict=True):
            if tls is not None and listen.tls is not None:
                tls.use(listen.tls)
        upstream.rebind(new.serving.targets.values())
        gate.publish(new.serving)
        sidecar.road.targets.rebind(new.serving.targets.values())
        sidecar.serve(new)
        if prober is not None:
            prober.serve(new)

    def limits() -> Limits:
        return sidecar.live.limits

    reloader = Reloader(path, environ, live, publish, _tell_load, seconds=watch_seconds)
    running = Running(sidecar, reloader, log, out, prober)
    running.unreached = upstream.unreached

    def drain_limit() -> float:
        if running.orders.at_once.is_set():
            return 0.0
        return sidecar.live.deployment.drain.limit if drain_seconds is None else drain_seconds

    servers: list[tuple[HttpServer, asyncio.Task[None]]] = []

    def listen(server: HttpServer, listener: socket.socket) -> None:
        servers.append((server, loop.create_task(server.serve(sockets=[listener]))))

    facing = HttpServer(sidecar, bounded_protocol(limits, sidecar.turn_away), drain_limit, tls=listeners[0])
    running.take_leave = facing.take_leave
    looked_at = Vitals(
        live=lambda: sidecar.live,
        targets=lambda: road.targets.view(loop.time()),
        out=out,
        upstream=upstream,
        connections=lambda: len(facing.server_state.connections),
        held=lambda: sidecar.held,
        log=lambda: log.state,
        load=lambda: reloader.state,
        draining=lambda: running.draining,
        conversations=lambda: sidecar.conversations.state,
    )
    telemetry.start()

    watching = loop.create_task(running.reloader.run())
    keys = loop.create_task(keep_fresh(lambda: sidecar.live.rings, _say))
    try:
        watched = admin_app(running.standing, telemetry.families)
        listen(HttpServer(watched, bounded_protocol(limits, plain), lambda: 1.0, tls=listeners[1]), admin)
        if prober is not None:
            prober.serve(live)
            await prober.first_looks(FIRST_LOOKS_SECONDS)
        listen(facing, proxy)
        yield running
    finally:
        running.draining = True
        watching.cancel()
        keys.cancel()
        # The admin side answers until the drain is over, so that a load balancer can see it.
        for server, task in reversed(servers):
            server.stop()
            await task
        if prober is not None:
            await prober.aclose()
        await sidecar.conversations.close(drain_limit())
        # After the last scan; what a reload replaced ends with its last request.
        await asyncio.to_thread(sidecar.live.classifiers.close)
        await upstream.aclose()
        await telemetry.close()


def _tls_of(listen: Listen) -> ListenerTls | None:
    return None if listen.tls is None else ListenerTls(listen.tls)


def _threads() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(max(1, cores - 1), MOST_THREADS)


def open_listener(listen: Listen) -> socket.socket:
    """A bound socket. A socket file that nobody listens on is replaced; one that is in use is an error."""
    if listen.path is not None:
        return _open_unix(listen.path)
    family = socket.AF_INET6 if ":" in listen.address else socket.AF_INET
    listener = socket.create_server((listen.address, listen.port), family=family, backlog=2048)
    # Connections inherit it: a client whose machine is gone sends no end of its own.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return listener


def _open_unix(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                if probe.connect_ex(path) == 0:
                    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), path)
            os.unlink(path)
        listener.bind(path)
        os.chmod(path, 0o660)
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def _address(listener: socket.socket, listen: Listen) -> str:
    name = listener.getsockname()
    if isinstance(name, str):
        return f"unix:{name}"
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"{'http' if listen.tls is None else 'https'}://{host}:{name[1]}"


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415  it does not exist on Windows
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def _allow_open_files(connections: int) -> None:
    """As many open files as clients may have connections, with one to a target for each, where the system lets us: most
    start a process with 1,024."""
    try:
        import resource  # noqa: PLC0415  it does not exist on Windows
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + SPARE_FILES
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < wanted:
        _say(
            f"this process may open {most} files, and {connections} connections (`limits.connections`) may need {wanted}"
        )


def _quiet_logging() -> None:
    """The server complains about every answer that is broken off on purpose, and quotes what it raised. The decision log
    says it, without content."""
    for name in ("uvicorn", "uvicorn.error", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _tell_load(state: LoadState, live: Live) -> None:
    if state.failed:
        errors = "; ".join(spelled(d) for d in state.failed if d.severity is Severity.ERROR)
        _say(f"what changed is not served, policy {live.ready.digest} and its deployment stay: {errors}")
    else:
        _say(f"serving policy {live.ready.digest} and the deployment of {live.files[0]}")


def _cannot_start(diagnostics: Iterable[Diagnostic], *, unfinished: bool = False) -> int:
    found = in_order(diagnostics)
    print(render_all(found, colour=sys.stderr.isatty()), file=sys.stderr)
    _say("not started")
    if any(d.code in UNREADABLE for d in found if d.severity is Severity.ERROR):
        return UNUSABLE
    return NOT_PROVED if unfinished else FINDINGS


def _count_warnings(live: Live) -> None:
    """One line: whoever starts a sidecar is told that there is something to see, and `policyd check` shows it."""
    report = prove(live.ready.program, live.ready.compiled.matrix, WARNING_BUDGET)
    # What the short budget left open is no finding.
    proved = (f.diagnostic() for f in report.findings if not f.unfinished)
    found = {d for d in (*live.findings, *proved) if d.severity is Severity.WARNING}
    if found:
        count = "1 warning" if len(found) == 1 else f"{len(found)} warnings"
        _say(f"{count}: see `policyd check --deployment {live.files[0]}`")


def _tell_accelerator(live: Live) -> None:
    """How much of the detectors' work hyperscan may rule out, where the deployment asks for it."""
    if live.deployment.detectors.accelerator is not None:
        prefilter = live.weigher.prefilter
        passed, tried = (0, "the") if prefilter is None else (len(prefilter.covered), prefilter.tried)
        others = "" if passed == tried else "; RE2 alone asks the others"
        _say(f"hyperscan agreed with RE2 on {passed} of {tried} expressions of detectors{others}")


def _say(text: str) -> None:
    print(f"policyd: {printable(text)}", file=sys.stderr, flush=True)
