"""One classifier's process, seen from the sidecar.

In come texts and a time by which the answer must be there; out come findings, or `Failed`. The one idea: a process can be
ended, a thread cannot. What does not answer in time is killed, and a new one is started behind the scenes while the
questions meanwhile fail at once.

Threads: `ask` may be called from several; one question at a time goes to the process, the others wait their turn within
their own time.
"""

import os
import selectors
import subprocess
import sys
import weakref
from dataclasses import dataclass, field
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Any, Final, TypeAlias

from policyd.plugins.confine import scrubbed
from policyd.plugins.frames import HEAD, framed, length_of, unframed

__all__ = ["Child", "Failed", "Plan", "Unloadable"]

START_SECONDS: Final = 60.0
"""For loading a classifier: models are read from disk."""

FIRST_REST: Final = 1.0
LONGEST_REST: Final = 60.0

Found: TypeAlias = list[list[Any]]


class Failed(Exception):
    """No answer, or none that means anything. The message is a word for metrics."""


class Unloadable(Exception):
    """The classifier cannot be started; the message says why. `key` of its table is where that is cured, if one is, and `name`
    its own in the deployment."""

    def __init__(self, message: str, *, cure: str = "", key: str = "", name: str = "") -> None:
        super().__init__(message)
        self.cure = cure or "look at what it does while it is loaded, and at `memory`"
        self.key = key
        self.name = name


@dataclass(frozen=True, slots=True)
class Plan:
    """How a process is started. `memory` in bytes, 0 for no bound; `network`: it was declared to have one; `kernel`: no
    network by the kernel's word, or it is not started."""

    entry_point: str
    options: dict[str, object] = field(default_factory=dict)
    memory: int = 0
    network: bool = False
    kernel: bool = False


class Child:
    """Started by `start`. Ends with this object, with the sidecar, or by `close`."""

    __slots__ = (
        "__weakref__",
        "_closed",
        "_end",
        "_lock",
        "_plan",
        "_process",
        "_rest",
        "_starting",
        "confined",
    )

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._end: Any = None
        self._rest = FIRST_REST
        self._starting = False
        self._closed = False
        self.confined = ""

    def start(self, seconds: float = START_SECONDS) -> None:
        """Start the process and load the classifier. Raises `Unloadable`."""
        plan = self._plan
        process = subprocess.Popen(
            [sys.executable, "-m", "policyd.plugins.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=scrubbed(os.environ),
            bufsize=0,
            start_new_session=True,
        )
        end = weakref.finalize(self, _finish, process)
        said = {
            "entry_point": plan.entry_point,
            "options": plan.options,
            "memory": plan.memory,
            "network": plan.network,
        }
        try:
            answer = _exchange(process, framed(said), monotonic() + seconds)
        except Failed as failed:
            end()
            raise Unloadable(f"the process did not come up ({failed})") from None
        wrong = _wrong_start(plan, answer)
        if wrong is not None:
            end()
            raise wrong
        self.confined = answer["confined"]
        self._process, self._end = process, end

    def ask(self, texts: list[str], until: float) -> Found:
        """The findings of each text, by the monotonic clock's time. Raises `Failed`."""
        if not self._lock.acquire(timeout=max(0.0, until - monotonic())):
            raise Failed("busy")
        try:
            process = self._process
            if process is None:
                raise Failed("down")
            try:
                answer = _exchange(process, framed({"texts": texts}), until)
                found = answer.get("findings") if isinstance(answer, dict) else None
                if isinstance(found, list) and len(found) == len(texts):
                    self._rest = FIRST_REST
                    return found
            except Failed:
                self._drop()
                raise
            except ValueError:
                # An answer that is no message: nothing behind it can be understood either.
                self._drop()
                raise Failed("garbled") from None
            raise Failed("error")
        finally:
            self._lock.release()

    @property
    def pid(self) -> int | None:
        """The process' id; None while there is none."""
        process = self._process
        return None if process is None else process.pid

    def close(self) -> None:
        """End the process for good."""
        self._closed = True
        if self._end is not None:
            self._end()
        self._process = None

    def _drop(self) -> None:
        """Kill what hangs, and start another one meanwhile. The lock is held."""
        self._end()
        self._process = None
        if not self._starting and not self._closed:
            self._starting = True
            Thread(target=_again, args=(weakref.ref(self),), name="policyd-plugin", daemon=True).start()

    def _restarted(self) -> float | None:
        """Start again; None if it is up or is not wanted any more, otherwise seconds to rest before the next try."""
        if self._closed:
            return None
        try:
            self.start()
        except (Unloadable, OSError):
            rest, self._rest = self._rest, min(2 * self._rest, LONGEST_REST)
            return rest
        self._starting = False
        self._end_if_closed()
        return None

    def _end_if_closed(self) -> None:
        """It may have been closed while it started."""
        if self._closed:
            self.close()


def _again(child: "weakref.ref[Child]") -> None:
    while True:
        alive = child()
        rest = None if alive is None else alive._restarted()
        del alive
        if rest is None:
            return
        sleep(rest)


def _wrong_start(plan: Plan, answer: Any) -> Unloadable | None:
    if not isinstance(answer, dict):
        return Unloadable("its process said nothing that can be understood")
    if "absent" in answer:
        cure = "install the package beside policyd, or give the entry point's name as `entry_point`"
        return Unloadable(str(answer.get("message")), cure=cure, key="entry_point")
    if "error" in answer:
        said = f"{answer['error']}: {answer.get('message', '')}".rstrip(": ")
        at = f" (raised at {answer['at']})" if answer.get("at") else ""
        return Unloadable(said + at, cure="mend the package, or the `options` that it gets")
    if plan.kernel and answer.get("confined") != "kernel":
        return Unloadable(
            'the kernel has no filter of system calls here, and `isolation = "kernel"` insists on one',
            cure="run policyd where the kernel gives one, or leave `isolation` out",
            key="isolation",
        )
    if answer.get("confined") not in {"kernel", "python", "declared"}:
        return Unloadable("it did not say how it is confined")
    return None


def _exchange(process: "subprocess.Popen[bytes]", message: bytes, until: float) -> Any:
    """Write a message and read the answer before the time is over. Raises `Failed`, ValueError for what is no message."""
    assert process.stdin is not None and process.stdout is not None  # INVARIANT: both are pipes
    come, go = process.stdout.fileno(), process.stdin.fileno()
    os.set_blocking(go, False)
    os.set_blocking(come, False)
    left = memoryview(message)
    got = bytearray()
    wanted = HEAD
    with selectors.DefaultSelector() as selector:
        selector.register(go, selectors.EVENT_WRITE)
        selector.register(come, selectors.EVENT_READ)
        while True:
            rest = until - monotonic()
            if rest <= 0:
                raise Failed("timeout")
            for key, _ in selector.select(rest):
                if key.fd == go:
                    left = left[_written(go, left) :]
                    if not left:
                        selector.unregister(go)
                    continue
                piece = _read(come, wanted - len(got))
                if piece == b"":
                    raise Failed("ended")
                got += piece or b""
                if len(got) < wanted:
                    continue
                if wanted > HEAD:
                    return unframed(bytes(got[HEAD:]))
                wanted = HEAD + length_of(bytes(got))
                if wanted == HEAD:
                    raise ValueError("an empty message")


def _written(go: int, left: memoryview) -> int:
    try:
        return os.write(go, left[: 1 << 20])
    except BlockingIOError:
        return 0
    except OSError:
        raise Failed("ended") from None


def _read(come: int, most: int) -> bytes | None:
    try:
        return os.read(come, min(most, 1 << 20))
    except BlockingIOError:
        return None
    except OSError:
        raise Failed("ended") from None


def _finish(process: "subprocess.Popen[bytes]") -> None:
    """Kill it and take its status, so that nothing of it is left."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                # What was not written is not wanted any more.
                continue
    process.kill()
    process.wait()
