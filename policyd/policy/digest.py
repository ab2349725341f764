"""The name of a policy: a hash of what it means, not of how it is written.

Two programs with one digest decide every request alike. Places, comments, tests, assertions, what is said of findings and
the order of guards' texts in files do not enter; names, reasons and statuses do, because callers see them.
"""

from dataclasses import fields, is_dataclass
from enum import Enum
from hashlib import blake2b

from policyd.policy.program import Program

__all__ = ["digest"]

_NOT_MEANING = frozenset(
    {"span", "tests", "assertions", "severities", "suppressions", "blinded", "doc", "within"}
)


def digest(program: Program) -> str:
    """32 hexadecimal digits."""
    return blake2b(_canonical(program).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _canonical(value: object) -> str:
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if is_dataclass(value):
        parts = (
            f"{f.name}={_canonical(getattr(value, f.name))}"
            for f in fields(value)
            if f.name not in _NOT_MEANING
        )
        return f"{type(value).__name__}({','.join(parts)})"
    if isinstance(value, tuple):
        return f"[{','.join(_canonical(v) for v in value)}]"
    if isinstance(value, frozenset):
        return f"{{{','.join(sorted(_canonical(v) for v in value))}}}"
    return f"{type(value).__name__}:{value!r}"
