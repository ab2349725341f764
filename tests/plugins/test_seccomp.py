"""The filter of system calls, run as the kernel runs it."""

import platform
import re
from pathlib import Path

import pytest

from policyd.plugins.seccomp import _CALLS, ALLOW, AT_LEAST, EQUAL, KILL, LOAD, REFUSE, RETURN, _rows

NAMED = {
    "x86_64": {"socket": 41, "ptrace": 101, "execve": 59, "io_uring_setup": 425, "pidfd_getfd": 438, "read": 0, "socketpair": 53, "clone": 56, "connect": 42},
    "aarch64": {"socket": 198, "ptrace": 117, "execve": 221, "io_uring_setup": 425, "pidfd_getfd": 438, "read": 63, "socketpair": 199, "clone": 220, "connect": 203},
}  # fmt: skip
"""Numbers as `asm/unistd.h` of each machine has them."""

REFUSED = {"socket", "ptrace", "execve", "io_uring_setup", "pidfd_getfd"}


def ran(machine: str, architecture: int, number: int) -> int:
    """What the filter answers: the machine that Linux documents, with the four instructions that are used."""
    rows = _rows(*_CALLS[machine])
    at, held = 0, 0
    while True:
        code, then, otherwise, operand = rows[at]
        match code:
            case _ if code == LOAD:
                held = {0: number, 4: architecture}[operand]
                at += 1
            case _ if code == EQUAL:
                at += 1 + (then if held == operand else otherwise)
            case _ if code == AT_LEAST:
                at += 1 + (then if held >= operand else otherwise)
            case _:
                assert code == RETURN
                return operand


@pytest.mark.parametrize("machine", sorted(_CALLS))
def test_what_leads_out_is_refused_and_the_rest_is_not(machine: str) -> None:
    own = _CALLS[machine][0]
    for name, number in NAMED[machine].items():
        assert ran(machine, own, number) == (REFUSE if name in REFUSED else ALLOW), name
    assert all(ran(machine, own, number) == REFUSE for number in _CALLS[machine][1])


@pytest.mark.parametrize("machine", sorted(_CALLS))
def test_calls_of_another_architecture_end_the_process(machine: str) -> None:
    assert ran(machine, 0x40000003, NAMED[machine]["read"]) == KILL


@pytest.mark.parametrize("number", [0x40000000, 0x40000000 + 41, 0xFFFFFFFF])
def test_no_call_has_a_second_number(number: int) -> None:
    assert ran("x86_64", _CALLS["x86_64"][0], number) == REFUSE


def test_the_numbers_are_those_of_this_machine() -> None:
    """The kernel's own header, where it is installed."""
    headers = [
        *Path("/usr/include").glob("*/asm/unistd_64.h"),
        *Path("/usr/include").glob("asm-generic/unistd.h"),
    ]
    machine = platform.machine()
    if machine != "x86_64" or not headers:
        pytest.skip("no header of this kernel is installed")
    numbers = dict(re.findall(r"#define __NR_(\w+)\s+(\d+)", headers[0].read_text()))
    assert {name: int(numbers[name]) for name in NAMED[machine]} == NAMED[machine]
