"""The checked policy: everything the later stages need, and nothing that can still be wrong.

`check` builds a `Program` only from files without errors. Invariants: every name in it resolves; every condition reads
features of `features` or levels of `levels`; every target's fact that a predicate asks for is present, so `hits` of a
guard is a plain set of target names; routes, guards and denies of a scoped include already carry its scope in their
conditions; guards already carry their exceptions (`condition`). Order in `routes` is the order of decision.
"""

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Literal as Lit
from typing import TypeAlias

from policyd.policy.condition import Condition
from policyd.text.diagnostic import Severity
from policyd.text.source import Span

__all__ = [
    "MAX_NUMBER", "Assertion", "Blinded", "BoolDomain", "Budget", "Classify", "Deny", "Domain", "EnumDomain", "ExceptionClause",
    "Expectation", "Fact", "Feature", "Group", "Guard", "Inclusion", "Member", "NamesDomain", "NumberDomain", "Otherwise",
    "Program", "Provenance", "Raise", "Redaction", "Route", "Start", "StringDomain", "Suppression", "Target", "TestCase", "Unknown", "Value", "Where",
]  # fmt: skip

MAX_NUMBER = 1_000_000_000_000
"""The largest value of a number feature that declares no bound of its own; also what unknown means for `tokens`,
`context_needed`, `max_output` and `messages`."""


class Provenance(StrEnum):
    ATTESTED = "attested"
    DERIVED = "derived"
    CLAIMED = "claimed"


@dataclass(frozen=True, slots=True)
class NumberDomain:
    """Whole numbers `low` to `high`. `unit` says how a value is written: a count, or a day's ordinal."""

    low: int
    high: int
    unit: Lit["count", "date"] = "count"


@dataclass(frozen=True, slots=True)
class EnumDomain:
    """Words; `ordered` (lowest first) for levels and `weekday`."""

    values: tuple[str, ...]
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class StringDomain:
    pass


@dataclass(frozen=True, slots=True)
class BoolDomain:
    pass


@dataclass(frozen=True, slots=True)
class NamesDomain:
    """Sets of dotted names; a name covers those below it."""


Domain: TypeAlias = NumberDomain | EnumDomain | StringDomain | BoolDomain | NamesDomain

Value: TypeAlias = int | str | bool | frozenset[str]
"""A feature's value: int, word or string, bool, or a set of dotted names. Unknown findings are `request.EVERYTHING`."""


class Unknown(Enum):
    """What unknown means where it is not a value of the domain."""

    REJECT = "reject"
    """the request never enters the policy"""
    NEVER = "never"
    """the feature is always known"""
    EVERYTHING = "everything"
    """a names feature holds every name"""


@dataclass(frozen=True, slots=True)
class Where:
    """Where a feature's value comes from. `key` is the header's lower-case name, the identity's claim, the deployment's
    key, for `label` the header of an `at least header` line, or for `conversation` the level that `at least conversation`
    raises."""

    kind: Lit["builtin", "header", "identity", "deployment", "ledger", "label", "conversation"]
    key: str


@dataclass(frozen=True, slots=True)
class Feature:
    """One axis of a request. `cost` orders tests: 0 known before the body is read, 1 read from the body, 2 counted,
    3 scanned. `unknown` is a value of the domain or an `Unknown`. For a `label` feature the name is
    `header:<header>`, the domain is the level's, absent is the lowest value. A `conversation` one is named
    `conversation:<level>`, and unknown is the highest."""

    name: str
    domain: Domain
    provenance: Provenance
    where: Where
    unknown: Value | Unknown
    cost: int = 0
    doc: str = ""
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Start:
    rank: int
    when: Condition
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Raise:
    """Raises to `to`: a rank, or the rank that the `label` feature of this name holds. `within` is the alias of the
    scoped include that holds it, whose scope `when` carries already."""

    to: int | str
    when: Condition
    span: Span | None = field(default=None, compare=False, repr=False)
    within: str | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Classify:
    """A level that is computed: the first start whose condition holds (the last one's is true), raised to the maximum of
    every raise that holds. `values` lowest first; rank 0 is `values[0]`. `kept`: for so many seconds after its last request
    a conversation keeps what it has reached, None where the level does not ask for it."""

    name: str
    values: tuple[str, ...]
    starts: tuple[Start, ...]
    raises: tuple[Raise, ...]
    kept: int | None = None
    span: Span | None = field(default=None, compare=False, repr=False)


Fact: TypeAlias = int | str | bool | frozenset[str]
"""A target's fact: a count, micro-dollars or seconds; a word; yes or no; a set of words (`speaks`, `supports`)."""


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is replaced by placeholders before a request goes out: findings of these names and below them (sorted, none
    covers another). `restored`: put back into the answer. `after`: guards see the request without them."""

    names: tuple[str, ...]
    restored: bool = False
    after: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """`of` and `redaction`: a variant (see `variants.py`), which is the plain target `of` on a route that redacts."""

    name: str
    facts: tuple[tuple[str, Fact], ...]
    span: Span | None = field(default=None, compare=False, repr=False)
    of: str | None = None
    redaction: Redaction | None = None

    @property
    def plain(self) -> str:
        return self.of or self.name

    def fact(self, name: str) -> Fact | None:
        return dict(self.facts).get(name)


@dataclass(frozen=True, slots=True)
class Guard:
    """Forbids the targets in `hits` where `condition` holds. `text` is its predicate as written (`only location ==
    on_prem`). Capability guards have `builtin` true and share the names `context`, `speaks` and `supports`. `after`: what is
    left of the written guard of this name, which stands before it, for variants whose route decides `after redaction`."""

    name: str
    hits: frozenset[str]
    condition: Condition
    because: str
    text: str
    builtin: bool = False
    overridable_by: str | None = None
    span: Span | None = field(default=None, compare=False, repr=False)
    after: bool = False


@dataclass(frozen=True, slots=True)
class Blinded:
    """A written guard that sees less for these variants, because their route is decided `after redaction`: where it would
    have held on the request as it came, and where it holds. Only to tell what that opens; `guards` decide."""

    guard: str
    targets: frozenset[str]
    whole: Condition
    left: Condition


@dataclass(frozen=True, slots=True)
class ExceptionClause:
    """An exception that is already part of its guard's condition; kept to name it. `until` is a day's ordinal."""

    name: str
    guard: str
    when: Condition
    until: int
    owner: str
    because: str
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Deny:
    name: str
    condition: Condition
    status: int
    because: str
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Budget:
    """`budget` (amount in micro-dollars) or `limit` (tokens or requests) over a period in seconds (a month is
    calendar: `per` says it)."""

    name: str
    unit: Lit["money", "tokens", "requests"]
    amount: int
    per: str
    by: str
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Member:
    target: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Group:
    """Targets that stand together in a route. `order`: as written. `any`, `cheapest`, `fastest`: the proxy picks.
    `split`: the first by weighted rendezvous hashing of the feature `by`, the others as written."""

    pick: Lit["order", "any", "cheapest", "fastest", "split"]
    members: tuple[Member, ...]
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """`include` is the alias of the scoped include that holds the route, or None."""

    name: str
    groups: tuple[Group, ...]
    condition: Condition
    include: str | None = None
    span: Span | None = field(default=None, compare=False, repr=False)

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(m.target for g in self.groups for m in g.members)


@dataclass(frozen=True, slots=True)
class Otherwise:
    reason: str
    status: int
    holes: Severity
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Assertion:
    """`never`: where `condition` holds, no candidate of the plan is in `targets`. `always` is the same with the
    complement. `never rejected` and `claimed never loosens` have no targets. `text` is the claim as written."""

    name: str
    kind: Lit["never", "never rejected", "claimed never loosens"]
    targets: frozenset[str]
    condition: Condition
    text: str
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A scoped include: its alias, scope, and the aliases it is declared to stand before or after."""

    alias: str
    path: str
    scope: Condition
    before: frozenset[str]
    after: frozenset[str]
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a test expects. A plan: `targets` begin (or, when `exact`, are) the candidates, `via` the route. `redaction`: what is
    taken out on the way, exactly these names (None: not asked); whether it is restored, and decided by, is asked where it is
    said. A rejection: `targets` is None, `by` the denies (empty: not asked), `status` or None. `removed`: target to all
    guards."""

    targets: tuple[str, ...] | None
    exact: bool = False
    via: str | None = None
    by: tuple[str, ...] = ()
    status: int | None = None
    removed: tuple[tuple[str, frozenset[str]], ...] = ()
    redaction: Redaction | None = None


@dataclass(frozen=True, slots=True)
class TestCase:
    """`given` holds only what was written; `trials` fills in the quiet values. A value of None is `unknown`."""

    name: str
    given: tuple[tuple[str, Value | None], ...]
    expect: Expectation
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Suppression:
    """A finding that the author lives with until a day (its ordinal). `subject` as written, `names` what it may stand for,
    the innermost first. `files`: where its findings have to be, or None for anywhere."""

    code: str
    subject: str
    names: tuple[str, ...]
    until: int
    because: str
    files: frozenset[str] | None = None
    span: Span | None = field(default=None, compare=False, repr=False)

    def speaks_of(self, code: str, subject: str | None) -> bool:
        return code == self.code and subject in self.names

    def covers(self, code: str, subject: str | None, span: Span | None) -> bool:
        inside = self.files is None or (span is not None and span.source.name in self.files)
        return inside and self.speaks_of(code, subject)


@dataclass(frozen=True, slots=True)
class Program:
    """`features` in canonical order (built-ins the policy reads or not, then declared, then labels, then `exceeded(x)`
    ones); `targets` the declared ones in order, then the variants that routes lead to; `guards` holds written guards first
    (one that sees less after a redaction is followed by what is left of it, under its name), then capabilities. `severities` (a code has one at most) and `suppressions`
    (none that has expired) are about findings and never about decisions."""

    features: tuple[Feature, ...]
    levels: tuple[Classify, ...]
    targets: tuple[Target, ...]
    guards: tuple[Guard, ...]
    denies: tuple[Deny, ...]
    routes: tuple[Route, ...]
    otherwise: Otherwise
    exceptions: tuple[ExceptionClause, ...] = ()
    budgets: tuple[Budget, ...] = ()
    assertions: tuple[Assertion, ...] = ()
    inclusions: tuple[Inclusion, ...] = ()
    tests: tuple[TestCase, ...] = ()
    severities: tuple[tuple[str, Severity], ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    blinded: tuple[Blinded, ...] = ()

    @property
    def declared(self) -> tuple[Target, ...]:
        """The targets that the policy declares, without variants: each is a place, and a variant is another way there."""
        return tuple(t for t in self.targets if t.of is None)

    @property
    def written(self) -> tuple[Guard, ...]:
        """The guards that somebody wrote, each once."""
        return tuple(g for g in self.guards if not g.builtin and not g.after)

    def feature(self, name: str) -> Feature:
        return next(f for f in self.features if f.name == name)

    def level(self, name: str) -> Classify:
        return next(x for x in self.levels if x.name == name)

    def target(self, name: str) -> Target:
        return next(t for t in self.targets if t.name == name)
