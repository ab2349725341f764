"""The decision log's file: lines in, written in order by a thread of its own, and never one lost in silence.

In come finished lines; they go to a file or to standard output. The one idea: a place is reserved before a request is
served. Where there is no place, because the disk or the reader is too slow or fails, the request is refused instead of
being served without a record. It does not know what a line says.
"""

import os
import threading
from collections import deque
from dataclasses import dataclass

__all__ = ["DecisionLog", "LogState"]

MOST_WAITING = 20_000
"""Lines that may be reserved or wait to be written: some tens of megabytes, about a second of the fastest traffic."""

_GATHERING = 0.05
"""Seconds that the writer lets lines gather after it wrote some, so that a busy sidecar writes in batches."""

_RETRY = 0.5
"""Seconds between two attempts to write to a disk that failed."""


@dataclass(frozen=True, slots=True)
class LogState:
    """`failing` is what the last write said, None where it went well; `refused` counts requests that found no place,
    `written` lines."""

    waiting: int
    refused: int
    failing: str | None
    written: int = 0


class DecisionLog:
    """One open log. `reserve` and `write` are called from the event loop only, the file belongs to the writer."""

    def __init__(self, path: str | None, *, most_waiting: int = MOST_WAITING) -> None:
        """Raises OSError where the file cannot be opened: a sidecar without its log does not start."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = os.dup(1) if path is None else os.open(path, flags, 0o640)
        self._most = most_waiting
        self._reserved = 0
        self._refused = 0
        self._written = 0
        self._lines: deque[bytes] = deque()
        self._rest = b""
        self._failing: str | None = None
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._writer = threading.Thread(target=self._run, name="decision-log", daemon=True)
        self._writer.start()

    @property
    def state(self) -> LogState:
        return LogState(len(self._lines), self._refused, self._failing, self._written)

    def reserve(self) -> bool:
        """A place for one line, which `write` uses or `release` gives back. False: the request must not be served."""
        if self._failing is not None or self._reserved + len(self._lines) >= self._most:
            self._refused += 1
            return False
        self._reserved += 1
        return True

    def release(self) -> None:
        self._reserved -= 1

    def write(self, line: bytes) -> None:
        """One line with its line break, on a reserved place."""
        self._reserved -= 1
        self._lines.append(line)
        # The writer clears it before it takes what waits, so a line that finds it set is taken.
        if not self._wake.is_set():
            self._wake.set()

    def close(self, *, seconds: float = 5.0) -> int:
        """Writes what waits and returns how many lines could not be written in that time."""
        self._closing.set()
        self._wake.set()
        self._writer.join(seconds)
        return len(self._lines) + self._rest.count(b"\n")

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            self._drain()
            if self._closing.is_set():
                if (not self._lines and not self._rest) or self._failing is not None:
                    os.close(self._file)
                    return
                self._wake.set()
                continue
            self._closing.wait(_RETRY if self._failing is not None else _GATHERING)
            if self._failing is not None:
                self._wake.set()

    def _drain(self) -> None:
        """Writes all that waits. A line that was written in part is completed before the next one begins."""
        while self._rest or self._lines:
            if not self._rest:
                batch = [self._lines.popleft() for _ in range(min(len(self._lines), 1000))]
                self._rest = b"".join(batch)
            try:
                written = os.write(self._file, self._rest)
            except OSError as error:
                self._failing = error.strerror or type(error).__name__
                return
            self._failing = None
            self._written += self._rest.count(b"\n", 0, written)
            self._rest = self._rest[written:]
