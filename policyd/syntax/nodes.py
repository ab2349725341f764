"""The syntax tree of one `.policy` file: what the author wrote, with places, before any meaning.

Frozen, without parent pointers. Equality ignores places (`Span` fields do not compare), so two trees are equal when
their texts mean the same words; `meaning_digest` in `format.py` rests on that.
"""

from dataclasses import dataclass, field
from typing import Literal as Lit
from typing import TypeAlias

from policyd.text.source import Source, Span

__all__ = [
    "And", "Assert", "AtLeast", "Boolean", "Budget", "Classify", "Compare", "Condition", "Contains", "ConversationGiven", "DateValue",
    "Declaration", "Deny", "Destination", "Duration", "Edition", "Exceeded", "Except", "Expect", "ExpectPlan",
    "ExpectReject", "FactDeclaration", "FactEntry", "Given", "Group", "Guard", "HeaderGiven", "Ident", "Include",
    "InRange", "InSet", "LabelConversation", "LabelHeader", "Let", "Limit", "Literal", "Member", "Module", "Money", "Name", "NameSet", "Not",
    "Number", "Or", "Otherwise", "Predicate", "Redaction", "Removed", "Route", "SetDeclaration", "SeverityChoice", "SourceClause",
    "StartsAt", "StartsWith", "Statement", "Suppress", "Target", "Test", "TestTable", "Text", "Truth", "Unknown", "Word",
]  # fmt: skip


def _span() -> Span:
    return field(compare=False, repr=False)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Ident:
    """A name, as written."""

    text: str
    span: Span = _span()


# ── literals ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number with its suffix already applied (`200k` is 200000; `Ki`, `Mi`, `Gi` are binary)."""

    value: int
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in micro-dollars: `$4000` is 4_000_000_000."""

    micros: int
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Duration:
    """A span of time in seconds: `30 days`, `12 hours`, `5 minutes`, `10 seconds`."""

    seconds: int
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class DateValue:
    """A calendar day as a proleptic Gregorian ordinal (`datetime.date.toordinal`)."""

    ordinal: int
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted string, escapes resolved, NFC."""

    value: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Word:
    """A bare word used as a value: an enum value, a level, a target's fact, `none`, `yes`, `no`."""

    text: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Boolean:
    """`true` or `false` used as a value."""

    value: bool
    span: Span = _span()


Literal: TypeAlias = Number | Money | Duration | DateValue | Text | Word | Boolean


@dataclass(frozen=True, slots=True)
class NameSet:
    """`{ a, "b" }`. A bare word that names a `set` stands for its elements; the checker resolves it."""

    items: tuple[Literal, ...]
    span: Span = _span()


# ── conditions; the same forms serve a target's predicate, where names are facts ──────────────────────────────────


@dataclass(frozen=True, slots=True)
class Truth:
    """`true` or `false` as a whole condition."""

    value: bool
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Name:
    """A bare name: a boolean feature, a `let`, or (in a predicate) a boolean fact."""

    name: Ident
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Compare:
    """`feature == literal`."""

    name: Ident
    op: Lit["==", "!=", "<", "<=", ">", ">="]
    value: Literal
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class InSet:
    """`feature in { … }` or `feature in NAMED_SET`; `not in` when negated."""

    name: Ident
    values: NameSet | Ident
    negated: bool
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class InRange:
    """`feature in low..high`, both ends included."""

    name: Ident
    low: Literal
    high: Literal
    negated: bool
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class StartsWith:
    name: Ident
    prefix: Text
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Contains:
    """`feature contains "x"`, `contains any { … }`, `contains all { … }`."""

    name: Ident
    quantifier: Lit["one", "any", "all"]
    values: NameSet | Ident | Literal
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Exceeded:
    """`exceeded(budget_or_limit)`."""

    name: Ident
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Not:
    operand: "Condition"
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class And:
    operands: tuple["Condition", ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Or:
    operands: tuple["Condition", ...]
    span: Span = _span()


Condition: TypeAlias = (
    Truth | Name | Compare | InSet | InRange | StartsWith | Contains | Exceeded | Not | And | Or
)
Predicate: TypeAlias = Condition


# ── statements ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Edition:
    """`edition 1`, the first statement of every file."""

    number: int
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class SourceClause:
    """`from header "x"`, `from identity` (claim defaults to the feature's name), `from deployment`."""

    kind: Lit["header", "identity", "deployment"]
    key: Text | None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Unknown:
    """`unknown reject` (value None) or `unknown VALUE`."""

    value: Literal | None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Declaration:
    """A feature: `level`, `enum`, `string`, `int` or `bool`. `values` for level (lowest first) and enum; `low..high`
    for int. A level without a source is computed by `classify`."""

    kind: Lit["level", "enum", "string", "int", "bool"]
    name: Ident
    values: tuple[Ident, ...]
    low: Number | None
    high: Number | None
    source: SourceClause | None
    unknown: Unknown | None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class FactDeclaration:
    """`fact tier { gold, silver }`, `fact score int`, `fact certified bool`: a fact of the author's own, or (with
    values) the closed domain of a built-in word fact such as `region`."""

    name: Ident
    kind: Lit["word", "int", "bool", "money", "duration"]
    values: tuple[Ident, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class SetDeclaration:
    """`set regulated = { "risk", "payments" }`."""

    name: Ident
    values: NameSet
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Let:
    """`let NAME = CONDITION`."""

    name: Ident
    condition: Condition
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class StartsAt:
    """`starts at LEVEL [when CONDITION]`."""

    level: Ident
    when: Condition | None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class LabelHeader:
    """The operand of `at least header "x-data-class"`."""

    header: Text
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class LabelConversation:
    """The operand of `at least conversation for 24 hours`."""

    time: Duration | None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class AtLeast:
    """`at least LEVEL [when CONDITION]`, `at least header "x" [when CONDITION]`, or `at least conversation [for 24 hours]
    [when CONDITION]`."""

    level: Ident | LabelHeader | LabelConversation
    when: Condition | None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Classify:
    """`classify LEVEL { … }`. In a scoped include only `at least` lines are allowed."""

    level: Ident
    starts: tuple[StartsAt, ...]
    raises: tuple[AtLeast, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class FactEntry:
    """One fact of a target, `region eu` or `speaks chat, messages`. One value, or several for a set fact."""

    name: Ident
    values: tuple[Literal, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Target:
    name: Ident
    facts: tuple[FactEntry, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Guard:
    """`guard NAME only|forbid PREDICATE [when CONDITION] [overridable by "OWNER"] because "…"`."""

    name: Ident
    effect: Lit["only", "forbid"]
    predicate: Predicate
    when: Condition | None
    overridable_by: Text | None
    because: Text
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Deny:
    """`deny NAME when CONDITION [status N] because "…"`."""

    name: Ident
    when: Condition
    status: Number | None
    because: Text
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Budget:
    """`budget NAME $N per PERIOD by FEATURE`."""

    name: Ident
    amount: Money
    per: Ident
    by: Ident
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Limit:
    """`limit NAME N tokens|requests per PERIOD by FEATURE`."""

    name: Ident
    amount: Number
    unit: Lit["tokens", "requests"]
    per: Ident
    by: Ident
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Member:
    """A target in a group, with its weight inside `split`."""

    target: Ident
    weight: Number | None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Group:
    """`any { … }`, `cheapest { … }`, `fastest { … }`, `split { a 70, b 30 } by FEATURE`."""

    pick: Lit["any", "cheapest", "fastest", "split"]
    members: tuple[Member, ...]
    by: Ident | None
    span: Span = _span()


Destination: TypeAlias = tuple[Ident | Group, ...]


@dataclass(frozen=True, slots=True)
class Redaction:
    """`with redact(NAME, …) [restored] [after redaction]`: names of findings, with quotes or without."""

    names: tuple[Text, ...]
    restored: bool
    after: bool
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Route:
    """`route NAME to DESTINATION [with REDACTION] [when CONDITION]`."""

    name: Ident
    to: Destination
    redaction: Redaction | None
    when: Condition | None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Otherwise:
    """`otherwise reject "…" [status N] [holes error|warning|note]`."""

    reason: Text
    status: Number | None
    holes: Lit["error", "warning", "note"] | None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Assert:
    """`assert NAME never P when C`, `always P when C`, `never rejected when C`, `claimed never loosens`."""

    name: Ident
    kind: Lit["never", "always", "never rejected", "claimed never loosens"]
    predicate: Predicate | None
    when: Condition | None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Except:
    """`except NAME to GUARD when CONDITION until DATE owner "…" because "…"`."""

    name: Ident
    guard: Ident
    when: Condition
    until: DateValue
    owner: Text
    because: Text
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Include:
    """`include "path" [as ALIAS] [scope CONDITION] [before ALIAS, …] [after ALIAS, …]`. The alias defaults to the file's
    stem (with `-` and `.` as `_`)."""

    path: Text
    alias: Ident | None
    scope: Condition | None
    before: tuple[Ident, ...]
    after: tuple[Ident, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class HeaderGiven:
    """The left side of `header "x-data-class" restricted` in a test's `given`."""

    header: Text
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class ConversationGiven:
    """The left side of `conversation sensitivity restricted` in a test's `given`."""

    level: Ident
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Given:
    """One entry of `given { … }`: `team "search"`, `images`, `not images`, `findings { "secret.aws" }`,
    `context_needed 3k`, `header "x" value`, `conversation LEVEL value`, `exceeded(b)`. A bare name is true. `unknown`
    stands for unknown."""

    name: Ident | HeaderGiven | ConversationGiven | Exceeded
    value: Literal | NameSet
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Removed:
    """`removed TARGET by GUARD and GUARD`: all guards that removed it."""

    target: Ident
    guards: tuple[Ident, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class ExpectPlan:
    """`expect A [then B …] [via ROUTE] [with REDACTION]`: the plan's candidates begin so; `expect only A then B`: they are
    exactly so. In an `any`, `cheapest` or `fastest` group, any member may stand at each of the group's places."""

    targets: tuple[Ident, ...]
    exact: bool
    via: Ident | None
    redaction: Redaction | None
    removed: tuple[Removed, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class ExpectReject:
    """`expect rejected [by DENY and DENY] [status N]`; by `otherwise` when no route was left."""

    by: tuple[Ident, ...]
    status: Number | None
    removed: tuple[Removed, ...]
    span: Span = _span()


Expect: TypeAlias = ExpectPlan | ExpectReject


@dataclass(frozen=True, slots=True)
class Test:
    """`test "…" given { … } expect …`."""

    name: Text
    given: tuple[Given, ...]
    expect: Expect
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class TestTable:
    """`tests from "cases.csv"`: a row is a test; columns are features, `expect`, and optionally `name`, `via`,
    `redact`, `removed`, `status`."""

    path: Text
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class SeverityChoice:
    """`severity CODE error|warning|note`: how much a finding of this code counts in this policy."""

    code: Ident
    severity: Lit["error", "warning", "note"]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Suppress:
    """`suppress CODE on SUBJECT until DATE because "…"`: a finding that somebody has seen and lives with for a time. The
    subject is what the finding is about: a name, or a text where it is none (a test, `header:x-data-class`)."""

    code: Ident
    subject: Ident | Text
    until: DateValue
    because: Text
    span: Span = _span()


Statement: TypeAlias = (
    Edition | Declaration | FactDeclaration | SetDeclaration | Let | Classify | Target | Guard | Deny | Budget | Limit
    | Route | Otherwise | Assert | Except | Include | Test | TestTable | SeverityChoice | Suppress
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Module:
    """One file: its statements in order."""

    statements: tuple[Statement, ...]
    source: Source = field(compare=False, repr=False)
