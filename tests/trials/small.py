"""A small program, written as values, that the tests of trials and of explanations share."""

from policyd.policy.builtins import BUILTIN_FEATURES
from policyd.policy.condition import TRUE, AtLeast, Condition, Flag, Has, InRange, OneOf, negate
from policyd.policy.program import (
    MAX_NUMBER,
    BoolDomain,
    Classify,
    Deny,
    EnumDomain,
    ExceptionClause,
    Expectation,
    Feature,
    Group,
    Guard,
    Member,
    Otherwise,
    Program,
    Provenance,
    Raise,
    Route,
    Start,
    StringDomain,
    Target,
    TestCase,
    Unknown,
    Value,
    Where,
)
from policyd.text.diagnostic import Severity

__all__ = ["expecting", "small_program"]

_LEVEL = ("public", "internal", "confidential")


def small_program(*tests: TestCase) -> Program:
    """`local` and `spare` on our hardware, `cloud` elsewhere; confidential stays home; a burst is denied."""
    return Program(
        features=(
            *BUILTIN_FEATURES,
            Feature("team", StringDomain(), Provenance.ATTESTED, Where("identity", "team"), Unknown.REJECT),
            Feature(
                "latency",
                EnumDomain(("interactive", "batch")),
                Provenance.CLAIMED,
                Where("header", "x-latency"),
                "interactive",
            ),
            Feature(
                "header:x-data-class",
                EnumDomain(_LEVEL, ordered=True),
                Provenance.CLAIMED,
                Where("label", "x-data-class"),
                "public",
            ),
            Feature("exceeded(burst)", BoolDomain(), Provenance.ATTESTED, Where("ledger", "burst"), True),
        ),
        levels=(
            Classify(
                "sensitivity",
                _LEVEL,
                (Start(0, OneOf("team", frozenset({"docs"}))), Start(1, TRUE)),
                (
                    Raise("header:x-data-class", TRUE),
                    Raise(2, Has("findings", "secret")),
                ),
            ),
        ),
        targets=(
            _target("local", "on_prem", 8000),
            _target("spare", "on_prem", 1_000_000),
            _target("cloud", "cloud", 200_000),
        ),
        guards=(
            Guard(
                "stays_home",
                frozenset({"cloud"}),
                AtLeast("sensitivity", 2),
                "confidential stays home",
                "only location == on_prem",
            ),
            Guard(
                "no_night_cloud",
                frozenset({"cloud"}),
                InRange("hour", 22, 23),
                "nobody watches at night",
                "forbid location == cloud",
            ),
            Guard("context", frozenset({"local"}), InRange("context_needed", 8001, MAX_NUMBER), "", "", True),
            Guard(
                "context", frozenset({"cloud"}), InRange("context_needed", 200_001, MAX_NUMBER), "", "", True
            ),
            Guard("supports", frozenset({"local", "spare"}), Flag("images"), "", "", True),
        ),
        denies=(
            Deny("too_fast", Flag("exceeded(burst)"), 429, "slow down"),
            Deny("no_models", OneOf("endpoint", frozenset({"models"})), 403, "not here"),
        ),
        routes=(
            _route("long", ("spare",), InRange("context_needed", 200_001, MAX_NUMBER)),
            Route("batch", (_group("any", "local", "spare"),), OneOf("latency", frozenset({"batch"}))),
            _route("rest", ("cloud", "local"), negate(Flag("stored"))),
        ),
        otherwise=Otherwise("no target", 403, Severity.NOTE),
        exceptions=(
            ExceptionClause(
                "pilot", "stays_home", OneOf("team", frozenset({"lab"})), 740_000, "ciso", "a pilot"
            ),
        ),
        tests=tests,
    )


def expecting(expect: Expectation, *given: tuple[str, Value | None]) -> TestCase:
    """A test of team `search` with further values."""
    return TestCase("a test", (("team", "search"), *given), expect)


def _target(name: str, location: str, context: int) -> Target:
    return Target(
        name,
        (("location", location), ("context", context), ("speaks", frozenset({"chat", "messages"}))),
    )


def _group(pick: str, *targets: str) -> Group:
    return Group(pick, tuple(Member(t) for t in targets))  # type: ignore[arg-type]


def _route(name: str, targets: tuple[str, ...], when: Condition) -> Route:
    return Route(name, (_group("order", *targets),), when)
