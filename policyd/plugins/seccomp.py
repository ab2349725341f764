"""A filter of system calls, by which the kernel refuses a process what leads out of it.

The one idea: without `socket` there is no connection of any kind, neither to another machine nor to a program on this one, and no
code of the process, native or not, can change that later: the filter stays for good and every child has it. What would
reach around it (another process' memory or descriptors, `io_uring`, another program) is refused as well. `socketpair` and pipes
inside the process stay, which threads and event loops need.

The numbers are Linux' own (`asm/unistd.h`, `linux/audit.h`, `linux/seccomp.h`).
"""

import ctypes
import errno
import platform
import sys
from typing import Final

__all__ = ["refuse_sockets"]

PR_SET_SECCOMP: Final = 22
SECCOMP_MODE_FILTER: Final = 2
ALLOW: Final = 0x7FFF0000
REFUSE: Final = 0x00050000 | errno.EPERM
KILL: Final = 0x80000000

LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
RETURN: Final = 0x06  # BPF_RET | BPF_K
NUMBER: Final = 0
ARCHITECTURE: Final = 4
"""Offsets in what the filter is shown of a call."""

_CALLS: Final[dict[str, tuple[int, tuple[int, ...]]]] = {
    # socket, ptrace, process_vm_readv, process_vm_writev, execve, execveat, io_uring_setup, pidfd_getfd
    "x86_64": (0xC000003E, (41, 101, 310, 311, 59, 322, 425, 438)),
    "aarch64": (0xC00000B7, (198, 117, 270, 271, 221, 281, 425, 438)),
}
"""By machine: how the kernel names it, and the numbers of the refused calls."""

X32: Final = 0x40000000
"""From here on x86_64 has the same calls once more, under other numbers."""


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("then", ctypes.c_uint8),
        ("otherwise", ctypes.c_uint8),
        ("operand", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def refuse_sockets() -> bool:
    """Set the filter for this process of one thread, after `PR_SET_NO_NEW_PRIVS`. False: this kernel or machine has none."""
    known = _CALLS.get(platform.machine()) if sys.platform.startswith("linux") else None
    if known is None:
        return False
    rows = _rows(*known)
    instructions = (_Instruction * len(rows))(*(_Instruction(*row) for row in rows))
    program = _Program(len(rows), instructions)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
    except OSError:
        return False
    done: int = libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)
    return done == 0


def _rows(architecture: int, refused: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    """A jump's targets are counted from the next instruction."""
    rows = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (AT_LEAST, len(refused) + 1, 0, X32),
    ]
    rows += [(EQUAL, len(refused) - at, 0, call) for at, call in enumerate(refused)]
    return [*rows, (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
