"""A company's own rule: an expression with what must stand near it and what takes it back, as gitleaks has them.

In: a `Rule`, which `policyd.deploy.rules` reads from a file in gitleaks' format or from `policyd.toml`. Out: a detector, or
what is wrong with the rule. The one idea: whatever an author can write runs on RE2, on a bounded program, so that no rule
can make a request slow; and a rule is tried before it serves.

A rule sees a text as the detectors do: invisible characters removed, compatibility forms folded.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from time import thread_time
from typing import Any, Final
from typing import Literal as Lit

from policyd.detect.checks import entropy
from policyd.detect.detector import MOST_CANDIDATES, Detector, Hit
from policyd.detect.engine import Engine
from policyd.detect.visible import APOSTROPHES, searched

__all__ = [
    "Allow",
    "Rule",
    "Trouble",
    "detector_of_rule",
    "expression_trouble",
    "expression_of",
    "rule_troubles",
]

LONGEST: Final = 10_000
"""Characters of an expression."""

LARGEST: Final = 20_000
"""Instructions of a compiled expression: the most that a byte of a text can cost."""

MEMORY: Final = 32 << 20

SECONDS: Final = 1.0
"""For one text of `HOSTILE` on this machine; a usual rule takes a thousandth of it."""


@dataclass(frozen=True, slots=True)
class Allow:
    """What takes a match back: one of `expressions` found in the `target`, or one of `stopwords` in the secret; with `both`,
    one of either."""

    expressions: tuple[str, ...] = ()
    stopwords: tuple[str, ...] = ()
    target: Lit["secret", "match", "line"] = "secret"
    both: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """Reports `custom.ID`, and `finding` besides. It is tried only where one of `keywords` occurs (case ignored; none:
    always). The secret is the group of that number; of number 0, the first group that matched, or all of the match. It must
    have more than `entropy` bits a character. `examples` must be found and `not_examples` must not."""

    id: str
    expression: str
    keywords: tuple[str, ...] = ()
    group: int = 0
    entropy: float = 0.0
    allow: tuple[Allow, ...] = ()
    finding: str | None = None
    examples: tuple[str, ...] = ()
    not_examples: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        name = f"custom.{self.id}"
        return (name,) if self.finding is None else (name, self.finding)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong: with an `expression`, or with how the rule behaves (`trial`). `key` is where it stands in the rule, an
    allowlist by its number in `Rule.allow`."""

    kind: Lit["expression", "trial"]
    key: tuple[str | int, ...]
    message: str
    cure: str


@lru_cache(maxsize=4096)
def expression_of(text: str) -> Any:
    """The compiled expression. Raises `re2.error`."""
    import re2  # type: ignore[import-untyped]  # noqa: PLC0415

    options = re2.Options()
    options.log_errors = False
    options.max_mem = MEMORY
    return re2.compile(_as_seen(text).encode("utf-8"), options)


def _as_seen(expression: str) -> str:
    """With the apostrophes that texts have when detectors see them. Between them alone no expression means to tell."""
    return expression.translate(dict.fromkeys(map(ord, APOSTROPHES), "'"))


def expression_trouble(text: str, *, may_be_empty: bool = False) -> tuple[str, str] | None:
    """What is wrong with an expression, and the cure; nothing where it can serve."""
    import re2  # noqa: PLC0415

    if len(text) > LONGEST:
        return f"it has {len(text)} characters, and {LONGEST} are the most", "make several rules of it"
    try:
        expression = expression_of(text)
    except re2.error as error:
        said = error.args[0] if error.args else b"it cannot be compiled"
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        return f"RE2 does not take it: {words}", _cure(text)
    if expression.programsize > LARGEST:
        return (
            f"it compiles to {expression.programsize} instructions, and {LARGEST} are the most",
            "lower the numbers in `{…}`: each repeats what stands before it",
        )
    if not may_be_empty and expression.search(b"") is not None:
        return (
            "it matches the empty text, so it would find itself everywhere",
            "ask for at least one character",
        )
    return None


def _cure(text: str) -> str:
    if any(sign in text for sign in ("(?=", "(?!", "(?<=", "(?<!")):
        return "RE2 has no look-ahead or look-behind: match what stands around it, and name the secret by its group"
    if any(f"\\{digit}" in text for digit in "123456789"):
        return "RE2 has no back references: write the part out again"
    return "see https://github.com/google/re2/wiki/Syntax for what can be written"


def detector_of_rule(rule: Rule) -> Detector:
    """INVARIANT: `rule_troubles` of it is empty. A keyword beyond ASCII has no case to ignore in bytes, so such a rule is
    always tried."""
    keywords = tuple(word.lower() for word in rule.keywords)
    asked = keywords if all(word.isascii() for word in keywords) else ()
    return Detector(
        frozenset(rule.names), _finder(rule), asked, expression=_as_seen(rule.expression), unicode=True
    )


def _finder(rule: Rule) -> Callable[[bytes], Iterator[Hit]]:
    expression = expression_of(rule.expression)
    takes_back = _takes_back(rule.allow)

    def find(data: bytes) -> Iterator[Hit]:
        names = rule.names
        for count, match in enumerate(expression.finditer(data)):
            if count == MOST_CANDIDATES:
                yield from (Hit(name, 0, len(data)) for name in names)
                return
            start, end = _secret(match, rule.group, expression.groups)
            if start == end or (rule.entropy and entropy(data[start:end]) <= rule.entropy):
                continue
            if not takes_back(data, match.span(), (start, end)):
                yield from (Hit(name, start, end) for name in names)

    return find


def _secret(match: Any, group: int, groups: int) -> tuple[int, int]:
    numbers = (group,) if group else range(1, groups + 1)
    for number in numbers:
        start, end = match.span(number)
        if start >= 0 and end > start:
            return int(start), int(end)
    start, end = match.span()
    return (int(start), int(end)) if not group else (int(start), int(start))


def _takes_back(
    allows: tuple[Allow, ...],
) -> Callable[[bytes, tuple[int, int], tuple[int, int]], bool]:
    compiled = [
        (allow, [expression_of(e) for e in allow.expressions], [w.lower().encode() for w in allow.stopwords])
        for allow in allows
    ]

    def takes_back(data: bytes, match: tuple[int, int], secret: tuple[int, int]) -> bool:
        for allow, expressions, stopwords in compiled:
            text = _target(data, allow.target, match, secret)
            said = [any(e.search(text) is not None for e in expressions)] if expressions else []
            if stopwords:
                lowered = data[slice(*secret)].lower()
                said.append(any(word in lowered for word in stopwords))
            if said and (all(said) if allow.both else any(said)):
                return True
        return False

    return takes_back


LINE: Final = 2_000
"""Bytes on each side of a match that are its line at most."""


def _target(data: bytes, target: str, match: tuple[int, int], secret: tuple[int, int]) -> bytes:
    if target == "secret":
        return data[slice(*secret)]
    if target == "match":
        return data[slice(*match)]
    before = data[max(0, match[0] - LINE) : match[0]].rpartition(b"\n")[2]
    return before + data[slice(*match)] + data[match[1] : match[1] + LINE].partition(b"\n")[0]


def rule_troubles(rule: Rule) -> Iterator[Trouble]:
    """Everything that is wrong with a rule: its expressions, and where they are right, how it behaves when it is tried."""
    found = list(_expressions(rule))
    yield from found
    if found:
        return
    groups = expression_of(rule.expression).groups
    if rule.group > groups:
        has = "no group" if groups == 0 else "1 group" if groups == 1 else f"{groups} groups"
        message = f"`secretGroup` is {rule.group}, and the expression has {has}"
        yield Trouble(
            "expression", ("secretGroup",), message, "name a group that it has, or leave the key out"
        )
        return
    yield from _trial(rule)


def _expressions(rule: Rule) -> Iterator[Trouble]:
    wrong = expression_trouble(rule.expression)
    if wrong is not None:
        yield Trouble("expression", ("regex",), wrong[0], wrong[1])
    for number, allow in enumerate(rule.allow):
        for at, text in enumerate(allow.expressions):
            wrong = expression_trouble(text, may_be_empty=True)
            if wrong is not None:
                key = ("allowlists", number, "regexes", at)
                yield Trouble("expression", key, f"`{text[:60]}`: {wrong[0]}", wrong[1])


def _trial(rule: Rule) -> Iterator[Trouble]:
    engine = Engine((detector_of_rule(rule),))
    name = rule.names[0]
    for number, text in enumerate(rule.examples):
        if name not in engine.names_in(searched(text)):
            cure = "correct the expression, its keywords, entropy and allowlists, or the example"
            yield Trouble("trial", ("examples", number), "the rule does not find its own example", cure)
    for number, text in enumerate(rule.not_examples):
        if name in engine.names_in(searched(text)):
            cure = "narrow the expression, or take it back with an allowlist"
            yield Trouble("trial", ("not_examples", number), "the rule finds what it must not", cure)
    for flood in hostile(rule):
        began = thread_time()
        engine.names_in(flood)
        if thread_time() - began > SECONDS:
            message = f"the rule takes more than {SECONDS:g} second for a text of {len(flood) >> 10} KiB that repeats `{ascii(flood[:12].decode('utf-8', 'replace'))[1:-1]}`"
            yield Trouble("trial", ("regex",), message, "lower the numbers in `{…}`")
            return


def hostile(rule: Rule) -> Iterator[bytes]:
    """Texts that are as hard for a rule as texts get: one thing again and again, from the rule's own words where it has any."""
    size = 64 << 10
    parts = [b" ", b"a", b"0", b"A1_", b"=", b"\n", *(k.lower().encode() for k in rule.keywords[:4])]
    parts += [example.encode()[:200] for example in rule.examples[:2]]
    literal = rule.expression[:8].encode()
    for part in (*parts, literal):
        if part:
            # A keyword in front, or the rule is not asked at all.
            front = rule.keywords[0].encode() + b" " if rule.keywords else b""
            yield front + (part * (size // len(part)))[:size]
