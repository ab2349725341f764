"""A request as a policy sees it: one value per feature, every value inside its domain.

`admit` is the only way in. It applies unknowns, refuses claimed values outside their domain, and expands findings, so
that everything behind it is total.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from policyd.policy.program import (
    BoolDomain,
    EnumDomain,
    Feature,
    NamesDomain,
    NumberDomain,
    Program,
    Provenance,
    StringDomain,
    Unknown,
    Value,
)

__all__ = ["EVERYTHING", "Inadmissible", "Request", "admit", "admit_value", "expand_names", "unknown_value"]

LONGEST_STRING: Final = 1024
"""Characters of a string feature's value; a longer one is inadmissible, never cut."""


class _Everything(frozenset[str]):
    """The names feature of a request whose content could not be examined: it holds every name."""

    __slots__ = ()

    def __contains__(self, name: object) -> bool:
        return True

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        # A set has a `!=` of its own, by which every name and no name would be the same.
        return self is not other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return "EVERYTHING"

    def __iter__(self) -> Iterator[str]:
        return iter(("*",))


EVERYTHING: Final[frozenset[str]] = _Everything()


@dataclass(frozen=True, slots=True)
class Request:
    """One value per feature of the program, by name; findings are expanded (`secret.aws` brings `secret`)."""

    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Inadmissible:
    """The request never enters the policy. `status` is 400 where the caller wrote a value outside its domain, 403 where
    a feature with `unknown reject` is unknown."""

    feature: str
    status: int
    message: str


def expand_names(names: Iterable[str]) -> frozenset[str]:
    """The names and every name above them."""
    if names is EVERYTHING:
        return EVERYTHING
    out: set[str] = set()
    for name in names:
        parts = name.split(".")
        out.update(".".join(parts[: i + 1]) for i in range(len(parts)))
    return frozenset(out)


def unknown_value(feature: Feature) -> Value | None:
    """The value that stands for unknown, or None where unknown does not enter the policy."""
    if feature.unknown is Unknown.EVERYTHING:
        return EVERYTHING
    if isinstance(feature.unknown, Unknown):
        return None
    return feature.unknown


def admit_value(feature: Feature, value: object) -> Value | Inadmissible:
    """The value as the policy reads it. `value` is None for unknown; a claimed value may be the header's raw text."""
    if value is None:
        unknown = unknown_value(feature)
        if unknown is not None:
            return unknown
        return Inadmissible(
            feature.name, 403, f"`{feature.name}` is not known and the policy admits no request without it"
        )
    claimed_text = isinstance(value, str)
    match feature.domain:
        case NumberDomain(low, high, unit):
            number = _number(value, unit)
            if number is None:
                return _outside(
                    feature, value, "a whole number" if unit == "count" else "a date like 2026-12-31"
                )
            if low <= number <= high:
                return number
            if feature.provenance is not Provenance.DERIVED:
                # Only what policyd computed itself may be cut to the domain; an identity's claim is taken or refused.
                return _outside(feature, value, f"{low} to {high}")
            return low if number < low else high
        case EnumDomain(values):
            text = value.strip() if claimed_text else value  # type: ignore[attr-defined]
            if isinstance(text, str) and text in values:
                return text
            return _outside(feature, value, ", ".join(values))
        case StringDomain():
            # The length counts in normal form, which can be longer than what was written.
            normal = unicodedata.normalize("NFC", value) if isinstance(value, str) else None
            if normal is None or len(normal) > LONGEST_STRING:
                return _outside(feature, value, f"a string of at most {LONGEST_STRING} characters")
            return normal
        case BoolDomain():
            if isinstance(value, bool):
                return value
            if claimed_text and value.strip().lower() in {"true", "false"}:  # type: ignore[attr-defined]
                return value.strip().lower() == "true"  # type: ignore[attr-defined,no-any-return]
            return _outside(feature, value, "true, false")
        case NamesDomain():
            if isinstance(value, frozenset | set | list | tuple) and all(isinstance(v, str) for v in value):
                return value if value is EVERYTHING else expand_names(value)
            return _outside(feature, value, "a list of names")


def admit(program: Program, given: Mapping[str, object]) -> Request | Inadmissible:
    """A request from raw values by feature name. A feature that is missing or None is unknown (a feature that is never
    unknown then falls back to the lowest value of its domain only in tests; here it is inadmissible)."""
    values: dict[str, Value] = {}
    for feature in program.features:
        value = admit_value(feature, given.get(feature.name))
        if isinstance(value, Inadmissible):
            return value
        values[feature.name] = value
    return Request(values)


def _number(value: object, unit: str) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        text = value.strip()
        if unit == "date":
            try:
                return date.fromisoformat(text).toordinal()
            except ValueError:
                return None
        digits = text.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) <= 18:
            return int(text)
    return None


def _outside(feature: Feature, value: object, domain: str) -> Inadmissible:
    shown = str(value)
    if len(shown) > 80:
        shown = shown[:80] + "…"
    status = 400 if feature.provenance is Provenance.CLAIMED else 403
    return Inadmissible(
        feature.name, status, f"{_named(feature)} is {shown!r}, which is not one of: {domain}"
    )


def _named(feature: Feature) -> str:
    """As whoever sent the value knows it: a caller knows the header, and not what the policy calls it."""
    match feature.where.kind:
        case "header":
            return f"the header `{feature.where.key}` (feature `{feature.name}`)"
        case "label":
            return f"the header `{feature.where.key}`"
        case _:
            return f"`{feature.name}`"
