"""Literals against what they are compared with: what a value must look like, and how to say that it does not."""

import re
import unicodedata
from typing import Final, assert_never

from policyd.policy.findings import is_finding, near_finding
from policyd.policy.languages import LANGUAGES, code_of
from policyd.policy.program import (
    BoolDomain,
    Domain,
    EnumDomain,
    Feature,
    NamesDomain,
    NumberDomain,
    StringDomain,
)
from policyd.policy.request import LONGEST_STRING
from policyd.resolve.features import Level
from policyd.resolve.report import Report, did_you_mean, listed, shown
from policyd.syntax.literals import write_date, write_duration, write_money, write_number
from policyd.syntax.nodes import Boolean, DateValue, Duration, Literal, Money, Number, Text, Word
from policyd.text.diagnostic import Label
from policyd.text.source import Span

__all__ = [
    "dotted_name", "is_bare_word", "kind_of", "number_text", "outside_labels", "position", "string_value", "subject_is",
    "written",
]  # fmt: skip

_DOTTED: Final = re.compile(r"[a-z0-9][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)*")
_BARE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_NAME: Final = 128


def is_bare_word(text: str) -> bool:
    return _BARE.fullmatch(text) is not None


def kind_of(literal: Literal) -> str:
    """What the author wrote, with its article."""
    match literal:
        case Number():
            return "a number"
        case Money():
            return "an amount of money"
        case Duration():
            return "a duration"
        case DateValue():
            return "a date"
        case Text():
            return "a quoted string"
        case Word():
            return "a word"
        case Boolean():
            return "true or false"
        case _:
            assert_never(literal)


def written(literal: Literal) -> str:
    """A literal for a message."""
    match literal:
        case Number(value):
            return write_number(value)
        case Money(micros):
            return write_money(micros)
        case Duration(seconds):
            return write_duration(seconds)
        case DateValue(ordinal):
            return write_date(ordinal)
        case Text(value):
            return shown(f'"{value}"')
        case Word(text):
            return shown(text)
        case Boolean(value):
            return "true" if value else "false"
        case _:
            assert_never(literal)


def subject_is(name: str, domain: Domain | Level) -> str:
    """`team` is a string."""
    return f"`{name}` is {_domain_kind(domain)}"


def _domain_kind(domain: Domain | Level) -> str:
    match domain:
        case NumberDomain(unit="date"):
            return "a date"
        case NumberDomain():
            return "a number"
        case EnumDomain(ordered=True) | Level():
            return "a level"
        case EnumDomain():
            return "an enum"
        case StringDomain():
            return "a string"
        case BoolDomain():
            return "true or false"
        case NamesDomain():
            return "a set of names"
        case _:
            assert_never(domain)


def number_text(value: int, domain: NumberDomain) -> str:
    return write_date(value) if domain.unit == "date" else write_number(value)


def outside_labels(literal: Literal, use: Span, text: str) -> tuple[Label, ...]:
    """A label at the use, where the literal stands elsewhere (in a named set)."""
    inside = literal.span.source is use.source and use.start <= literal.span.start <= use.end
    return () if inside else (Label(use, text),)


def position(
    name: str, domain: NumberDomain | EnumDomain | Level, literal: Literal, use: Span, report: Report
) -> int | None:
    """Where the literal stands on the scale of its subject: the number itself, or the rank of a word. A number may lie
    outside the domain. None where the literal is wrong (and said)."""
    match domain, literal:
        case NumberDomain(unit="count"), Number(value):
            return value
        case NumberDomain(unit="date"), DateValue(ordinal):
            return ordinal
        case (EnumDomain(), Word(text)) | (Level(), Word(text)):
            values = _words(domain)
            if text in values:
                return values.index(text)
            report.add(
                "PD222",
                literal.span,
                f"`{text}` is not a value of `{name}`",
                help=did_you_mean(text, values, f"its values are {listed(values)}"),
                labels=outside_labels(literal, use, f"used for `{name}` here"),
            )
            return None
        case _:
            _wrong(name, domain, literal, use, report)
            return None


def _words(domain: NumberDomain | EnumDomain | Level) -> tuple[str, ...]:
    return () if isinstance(domain, NumberDomain) else domain.values


def _wrong(name: str, domain: Domain | Level, literal: Literal, use: Span, report: Report) -> None:
    message, advice = _wrong_words(name, domain, literal)
    labels = outside_labels(literal, use, f"used for `{name}` here")
    report.add("PD220", literal.span, message, help=advice, labels=labels)


def _wrong_words(name: str, domain: Domain | Level, literal: Literal) -> tuple[str, str | None]:
    kind = subject_is(name, domain)
    match domain, literal:
        case StringDomain(), Word(text):
            return f'{kind}: quote the value: "{text}"', None
        case (EnumDomain(values), Text(text)) | (Level(values=values), Text(text)):
            known = text if text in values else None
            bare = f": `{known}`" if known else ""
            advice = None if known else did_you_mean(text, values, f"its values are {listed(values)}")
            return f"{kind}: write the value without quotes{bare}", advice
        case (EnumDomain(values), _) | (Level(values=values), _):
            return f"{kind}, and this is {kind_of(literal)}", f"its values are {listed(values)}"
        case NumberDomain(unit="date"), _:
            return f"{kind}, and this is {kind_of(literal)}", "write a day: 2026-12-31"
        case NumberDomain(), _:
            return f"{kind}, and this is {kind_of(literal)}", "write a whole number: 200k"
        case _:
            return f"{kind}, and this is {kind_of(literal)}", None


def string_value(
    feature: Feature, literal: Literal, use: Span, report: Report, *, whole: bool = True
) -> str | None:
    """A string feature's value, NFC, or None (and said). `whole`: not only how it begins."""
    if not isinstance(literal, Text):
        _wrong(feature.name, feature.domain, literal, use, report)
        return None
    text = unicodedata.normalize("NFC", literal.value)
    if len(text) > LONGEST_STRING:
        report.add(
            "PD225", literal.span, f"a string has at most {LONGEST_STRING} characters, and this {len(text)}"
        )
        return None
    if whole and text and feature.name == "language" and feature.where.kind == "builtin":
        _known_language(text, literal, report)
    return text


def _known_language(text: str, literal: Literal, report: Report) -> None:
    if text in LANGUAGES:
        return
    meant = code_of(text)
    report.add(
        "PD237",
        literal.span,
        f"`language` is never `{shown(text)}`: it is a code such as `es`",
        help=f'write "{meant}"' if meant else "docs/features.md lists the codes",
        subject=text,
    )


def dotted_name(feature: Feature, literal: Literal, use: Span, report: Report) -> str | None:
    """A dotted name of a names feature (`secret.aws`), or None (and said)."""
    if not isinstance(literal, Text):
        advice = (
            f'quote the name: "{literal.text}"'
            if isinstance(literal, Word)
            else 'a name such as "secret.aws"'
        )
        message = f"`{feature.name}` holds names, and this is {kind_of(literal)}"
        labels = outside_labels(literal, use, f"used for `{feature.name}` here")
        report.add("PD220", literal.span, message, help=advice, labels=labels)
        return None
    if not _DOTTED.fullmatch(literal.value) or len(literal.value) > _LONGEST_NAME:
        report.add(
            "PD225",
            literal.span,
            f"`{shown(literal.value)}` is not the name of a finding",
            help='lower-case letters, digits, `-` and `_`, parts joined by dots: "secret.aws"',
        )
        return None
    if feature.where.kind == "builtin" and not is_finding(literal.value):
        close = near_finding(literal.value)
        report.add(
            "PD228",
            literal.span,
            f"no detector of this version finds `{shown(literal.value)}`: only unknown findings meet this, or another version's",
            help=f"did you mean `{close}`?" if close else "`policyd features --findings` lists them",
            subject=literal.value,
        )
    return literal.value
