"""The axes of a request.

In come names and placed statements; out go the features (built in, declared, labels of `at least header`, and one
`exceeded(x)` per budget or limit) and the levels that are computed. What `classify` says is read in `levels.py`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from policyd.policy.builtins import BUILTIN_FEATURES, IDENTITY_FEATURES
from policyd.policy.program import (
    MAX_NUMBER,
    BoolDomain,
    Domain,
    EnumDomain,
    Feature,
    NumberDomain,
    Provenance,
    StringDomain,
    Unknown,
    Value,
    Where,
)
from policyd.policy.request import LONGEST_STRING
from policyd.resolve.files import Placed, Space
from policyd.resolve.names import Names
from policyd.resolve.report import Report, did_you_mean, listed
from policyd.syntax.nodes import (
    AtLeast,
    Boolean,
    Budget,
    Classify,
    Declaration,
    Ident,
    LabelConversation,
    LabelHeader,
    Limit,
    Literal,
    Number,
    Text,
    Word,
)
from policyd.text.diagnostic import Label
from policyd.text.source import Span

__all__ = ["Axes", "Level", "exceeded_name", "header_name", "read_axes"]

_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TAKEN_VALUES: Final = frozenset({"unknown", "reject"})
_PROVENANCE: Final = {
    "header": Provenance.CLAIMED,
    "identity": Provenance.ATTESTED,
    "deployment": Provenance.ATTESTED,
}


@dataclass(frozen=True, slots=True)
class Level:
    """A level without a source: `classify` computes it. `values` lowest first."""

    name: str
    values: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Axes:
    """Features in canonical order, and computed levels."""

    features: tuple[Feature, ...]
    levels: tuple[Level, ...]

    @property
    def by_name(self) -> Mapping[str, Feature]:
        return {f.name: f for f in self.features}


def exceeded_name(budget: str) -> str:
    return f"exceeded({budget})"


def header_name(header: str) -> str:
    return f"header:{header.lower()}"


def conversation_name(level: str) -> str:
    return f"conversation:{level}"


def read_axes(statements: Iterable[Placed], names: Names, report: Report) -> Axes:
    """Features and computed levels. A declaration with mistakes still stands for its name, as far as it is known."""
    features: list[Feature] = []
    levels: list[Level] = []
    budgets: list[Feature] = []
    for declared in names.tables["word"].values():
        if isinstance(declared.statement, Declaration):
            d = declared.statement
            if d.kind == "level" and d.source is None:
                levels.append(_level(declared.name, d, report))
            else:
                features.append(_feature(declared.name, d, report))
    for declared in names.tables["budget"].values():
        if isinstance(declared.statement, Budget | Limit):
            budgets.append(_exceeded(declared.name, declared.statement))
    labels = _labels(statements, levels, names, report)
    conversations = _conversations(statements, levels, names)
    implied = [f for f in IDENTITY_FEATURES if _undeclared(f.name, names)]
    _one_reader((*features, *implied), labels, report)
    return Axes((*BUILTIN_FEATURES, *implied, *features, *labels, *conversations, *budgets), tuple(levels))


def _undeclared(name: str, names: Names) -> bool:
    """Read, and declared by nobody."""
    declared = names.tables["word"].get(name)
    return declared is not None and declared.statement is None


def _level(name: str, d: Declaration, report: Report) -> Level:
    if d.unknown is not None:
        report.add(
            "PD210",
            d.unknown.span,
            f"`{d.name.text}` has no source, so `classify` computes it and it is never unknown",
            help=f"remove the clause, or say where `{d.name.text}` comes from",
        )
    return Level(name, _values(d, report), d.name.span)


def _feature(name: str, d: Declaration, report: Report) -> Feature:
    domain = _domain(d, report)
    where = _where(d, report)
    unknown = _unknown(d, domain, report)
    provenance = _PROVENANCE.get(where.kind, Provenance.CLAIMED)
    return Feature(name, domain, provenance, where, unknown, span=d.name.span)


def _domain(d: Declaration, report: Report) -> Domain:
    match d.kind:
        case "level":
            return EnumDomain(_values(d, report), ordered=True)
        case "enum":
            return EnumDomain(_values(d, report))
        case "string":
            return StringDomain()
        case "bool":
            return BoolDomain()
        case "int":
            return _numbers(d, report)


def _values(d: Declaration, report: Report) -> tuple[str, ...]:
    """The declared words without repetition."""
    seen: dict[str, Ident] = {}
    for value in d.values:
        if value.text in seen:
            report.add(
                "PD211",
                value.span,
                f"`{value.text}` is listed twice",
                labels=(Label(seen[value.text].span, "first listed here"),),
            )
        elif value.text in _TAKEN_VALUES:
            report.add("PD211", value.span, f"`{value.text}` cannot be a value: it says what unknown means")
        seen.setdefault(value.text, value)
    if not seen:
        report.add(
            "PD211", d.name.span, f"`{d.name.text}` has no values", help="list them: { first, second }"
        )
        return ("unknown",)
    return tuple(seen)


def _numbers(d: Declaration, report: Report) -> NumberDomain:
    low = 0 if d.low is None else d.low.value
    high = MAX_NUMBER if d.high is None else d.high.value
    for number in (d.low, d.high):
        if number is not None and abs(number.value) > MAX_NUMBER:
            report.add("PD211", number.span, f"a number feature reaches at most {MAX_NUMBER}")
    if low > high:
        span = d.name.span if d.low is None or d.high is None else d.low.span.through(d.high.span)
        report.add("PD211", span, f"the domain of `{d.name.text}` is empty: {low} is above {high}")
        return NumberDomain(0, MAX_NUMBER)
    return NumberDomain(low, high)


def _where(d: Declaration, report: Report) -> Where:
    source = d.source
    if source is None:
        report.add(
            "PD210",
            d.name.span,
            f"`{d.name.text}` does not say where it comes from",
            help='add `from header "x-…"`, `from identity` or `from deployment`',
        )
        return Where("deployment", d.name.text)
    if source.kind != "header":
        return Where(source.kind, d.name.text if source.key is None else source.key.value)
    if source.key is None:
        report.add(
            "PD210", source.span, f"`{d.name.text}` does not say which header", help='`from header "x-…"`'
        )
        return Where("header", d.name.text)
    _check_header(source.key, report)
    return Where("header", source.key.value.lower())


def _check_header(key: Text, report: Report) -> None:
    if not _HEADER.fullmatch(key.value) or len(key.value) > 128:
        report.add(
            "PD211", key.span, "this is not the name of a header", help='a name such as "x-data-class"'
        )


def _unknown(d: Declaration, domain: Domain, report: Report) -> Value | Unknown:
    if d.unknown is None:
        report.add(
            "PD210",
            d.name.span,
            f"`{d.name.text}` does not say what unknown means",
            help="add `unknown VALUE`, or `unknown reject` to refuse requests without it",
        )
        return Unknown.REJECT
    literal = d.unknown.value
    if literal is None:
        return Unknown.REJECT
    value = _value(literal, domain)
    if value is None:
        report.add("PD212", literal.span, _unknown_message(d, domain), help=_unknown_help(literal, domain))
        return Unknown.REJECT
    return value


def _value(literal: Literal, domain: Domain) -> Value | None:
    match domain, literal:
        case EnumDomain(values), Word(text) if text in values:
            return text
        case StringDomain(), Text(text) if len(text) <= LONGEST_STRING:
            return text
        case NumberDomain(low, high), Number(number) if low <= number <= high:
            return number
        case BoolDomain(), Boolean(flag):
            return flag
        case _:
            return None


def _unknown_message(d: Declaration, domain: Domain) -> str:
    match domain:
        case EnumDomain(values):
            return f"unknown must be a value of `{d.name.text}` or `reject`; its values are {listed(values)}"
        case NumberDomain(low, high):
            return f"unknown must be a number from {low} to {high} or `reject`"
        case BoolDomain():
            return "unknown must be `true`, `false` or `reject`"
        case _:
            return f"unknown must be a quoted string of at most {LONGEST_STRING} characters or `reject`"


def _unknown_help(literal: Literal, domain: Domain) -> str | None:
    match domain, literal:
        case EnumDomain(values), Word(text) | Text(text):
            return did_you_mean(text, values)
        case StringDomain(), Word(text):
            return f'quote the value: "{text}"'
        case _:
            return None


def _exceeded(name: str, statement: Budget | Limit) -> Feature:
    doc = f"what is settled and reserved has reached `{name}`"
    where = Where("ledger", name)
    return Feature(
        exceeded_name(name), BoolDomain(), Provenance.ATTESTED, where, True, 0, doc, statement.name.span
    )


def _labels(
    statements: Iterable[Placed], levels: Iterable[Level], names: Names, report: Report
) -> tuple[Feature, ...]:
    """One claimed feature per header of an `at least header` line; a header labels one level."""
    by_level = {level.name: level for level in levels}
    labels: dict[str, tuple[str, Feature]] = {}
    for item, line, header in _label_lines(statements):
        declared = names.find("word", item.level.text, line)
        level = by_level.get(declared.name) if declared is not None else None
        if level is None:
            continue  # levels.py says so
        _check_header(header, report)
        name = header_name(header.value)
        if name not in labels:
            domain = EnumDomain(level.values, ordered=True)
            where = Where("label", header.value.lower())
            doc = f"the caller's own label for `{level.name}`"
            feature = Feature(name, domain, Provenance.CLAIMED, where, level.values[0], 0, doc, header.span)
            labels[name] = (level.name, feature)
        elif labels[name][0] != level.name:
            first = labels[name][1].span
            report.add(
                "PD213",
                header.span,
                f"one header cannot label `{labels[name][0]}` and `{level.name}`",
                labels=() if first is None else (Label(first, "first read here"),),
            )
    return tuple(feature for _, feature in labels.values())


def _conversations(statements: Iterable[Placed], levels: list[Level], names: Names) -> tuple[Feature, ...]:
    """One feature for each level that a conversation keeps. It is attested: the caller chooses the conversation, and not
    what it has reached. Unknown is the highest value."""
    by_level = {level.name: level for level in levels}
    found: dict[str, Feature] = {}
    for item in statements:
        if not isinstance(item.statement, Classify):
            continue
        declared = names.find("word", item.statement.level.text, item.space)
        level = by_level.get(declared.name) if declared is not None else None
        for line in item.statement.raises if level is not None else ():
            if level is not None and isinstance(line.level, LabelConversation):
                found.setdefault(level.name, _conversation(level, line.level.span))
    return tuple(found.values())


def _conversation(level: Level, span: Span) -> Feature:
    name, domain = conversation_name(level.name), EnumDomain(level.values, ordered=True)
    where = Where("conversation", level.name)
    doc = f"what the conversation has reached of `{level.name}`"
    return Feature(name, domain, Provenance.ATTESTED, where, level.values[-1], 0, doc, span)


def _label_lines(statements: Iterable[Placed]) -> Iterator[tuple[Classify, Space, Text]]:
    for item in statements:
        if isinstance(item.statement, Classify):
            for line in item.statement.raises:
                match line:
                    case AtLeast(level=LabelHeader(header=header)):
                        yield item.statement, item.space, header
                    case _:
                        continue


def _one_reader(features: Iterable[Feature], labels: Iterable[Feature], report: Report) -> None:
    """Two features of one source would be independent to every analysis and are not."""
    first: dict[tuple[str, str], Feature] = {}
    for feature in (*features, *labels):
        kind = "header" if feature.where.kind == "label" else feature.where.kind
        key = (kind, feature.where.key)
        if key not in first:
            first[key] = feature
            continue
        before = first[key]
        report.add(
            "PD213",
            feature.span,
            f"`{feature.name}` reads the same {kind} value as `{before.name}`, so they could never differ",
            help="declare it once and use it in both places",
            labels=() if before.span is None else (Label(before.span, "first read here"),),
        )
