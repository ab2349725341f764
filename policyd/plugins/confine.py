"""What keeps a classifier's process from everything outside it, from inside that process, before the classifier is imported.

The one idea: the kernel is asked first. A filter of system calls takes sockets of every kind away, whatever code runs, native
or not (`seccomp`), and where this user may, a network namespace without any way out stands behind it. On a machine that
has no such filter, Python's audit events refuse what opens connections or starts programs, which binds Python code but not a
native library that calls the system itself. Which of the two holds is reported, and a deployment may insist on the first.
"""

import ctypes
import os
import resource
import sys
import time
from collections.abc import Mapping
from threading import Thread
from typing import Final

from policyd.plugins.seccomp import refuse_sockets

__all__ = ["bound", "confine", "gain_nothing", "leave_with", "scrubbed"]

CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWNET: Final = 0x40000000
PR_SET_NO_NEW_PRIVS: Final = 38

_REFUSED: Final = frozenset({
    "socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname",
    "socket.gethostbyaddr", "socket.getnameinfo", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn",
    "os.fork", "os.forkpty", "pty.spawn",
})  # fmt: skip
"""Audit events by which Python code reaches other machines or starts what does."""


def gain_nothing() -> None:
    """No program that this process might start has more rights than it has."""
    libc = _libc()
    if libc is not None:
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def leave_with(parent: int) -> None:
    """End when the sidecar has ended, even in the middle of a long answer. After `confine`: the kernel gives a namespace
    to a process of one thread. (The kernel's own death signal comes with the end of the thread that started this.)"""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(0)

    Thread(target=watch, daemon=True).start()


def bound(memory: int) -> None:
    """At most so many bytes of address space, and no core dump, which would hold prompts."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def confine() -> str:
    """Take every socket away. `kernel` where a filter of system calls does it, `python` where only the audit events do."""
    _leave_network()
    by = "kernel" if refuse_sockets() else "python"
    sys.addaudithook(_refuse)
    return by


def scrubbed(environment: Mapping[str, str]) -> dict[str, str]:
    """What a classifier's process sees of the environment: no credential that the deployment reads from it."""
    return {name: value for name, value in environment.items() if name in _PASSED or name.startswith("LC_")}


_PASSED: Final = frozenset({
    "PATH", "HOME", "LANG", "TZ", "TMPDIR", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "SYSTEMROOT",
    "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS",
})  # fmt: skip


def _refuse(event: str, _arguments: tuple[object, ...]) -> None:
    if event in _REFUSED:
        raise PermissionError(f"a classifier without a declared network may not use {event}")


def _leave_network() -> None:
    """Into a network namespace of its own, which has not even a loopback that is up, where this user may."""
    libc = _libc()
    if libc is not None and libc.unshare(CLONE_NEWNET) != 0:
        libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)


def _libc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL(None, use_errno=True)
    except OSError:
        return None
