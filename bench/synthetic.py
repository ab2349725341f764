"""Synthetic policies of a realistic shape, and traffic for them, at the level of the checked policy.

`realistic(n, seed)` has about `n` routes: a few overrides for everyone, a block for each team that ends in the team's
own rest, some rules across teams, a default; guards on sensitivity, residency and retention, guards of single teams, and
the capability guards. `traffic(program, count, seed)` is drawn half from the neighbourhood of random routes.
"""

from collections.abc import Sequence
from random import Random

from policyd.policy.builtins import BUILTIN_FEATURES, CAPABILITIES, SPOKEN
from policyd.policy.condition import (
    TRUE,
    All,
    AtLeast,
    Condition,
    Either,
    Flag,
    Has,
    InRange,
    OneOf,
    Prefix,
    both,
    either,
    negate,
    tests_of,
)
from policyd.policy.program import (
    MAX_NUMBER,
    BoolDomain,
    Classify,
    EnumDomain,
    Feature,
    Group,
    Guard,
    Member,
    NumberDomain,
    Otherwise,
    Program,
    Provenance,
    Raise,
    Route,
    Start,
    StringDomain,
    Target,
    Unknown,
    Where,
)
from policyd.policy.request import Request, expand_names
from policyd.text.diagnostic import Severity

__all__ = ["FEATURES", "realistic", "traffic"]

LEVEL = ("public", "internal", "confidential", "restricted")
REGIONS = ("us", "eu", "apac")
NAMES = (
    "secret.aws",
    "secret.github",
    "private-key",
    "card-number",
    "iban",
    "national-id",
    "phi",
    "source-code",
)
MODELS = tuple(
    f"{v}-{s}"
    for v in ("gpt", "claude", "llama", "mistral", "gemini", "qwen")
    for s in ("mini", "std", "max")
)
CUTS = (1_000, 4_000, 8_000, 16_000, 32_000, 64_000, 100_000, 128_000, 200_000, 400_000, 1_000_000)

FEATURES = (
    *BUILTIN_FEATURES,
    Feature("team", StringDomain(), Provenance.ATTESTED, Where("identity", "team"), Unknown.REJECT),
    Feature("project", StringDomain(), Provenance.CLAIMED, Where("header", "x-project"), "none"),
    Feature("latency", EnumDomain(("interactive", "batch", "background")), Provenance.CLAIMED, Where("header", "x-latency"), "interactive"),
    Feature("origin", EnumDomain(REGIONS), Provenance.ATTESTED, Where("deployment", "origin"), Unknown.REJECT),
    Feature("header:x-data-class", EnumDomain(LEVEL, ordered=True), Provenance.CLAIMED, Where("label", "x-data-class"), "public"),
    Feature("exceeded(month)", BoolDomain(), Provenance.ATTESTED, Where("ledger", "month"), True),
)  # fmt: skip

_WEIGHTS = {
    "sensitivity": 5, "project": 3, "model": 4, "origin": 2, "hour": 1, "latency": 3, "findings": 2, "context_needed": 4,
    "exceeded(month)": 1, "tools": 2,
}  # fmt: skip


def _targets(random: Random) -> tuple[Target, ...]:
    out = []
    for i in range(16):
        home = i % 3 == 0
        facts = (
            ("location", "on_prem" if home else "cloud"),
            ("region", REGIONS[i // 3 % 3]),
            ("retention", 0 if home or i % 5 else 2_592_000),
            ("context", random.choice((256_000, 1_000_000) if home else (128_000, 200_000, 1_000_000))),
            ("speaks", frozenset(SPOKEN if home else random.sample(SPOKEN, 4))),
            ("supports", frozenset(CAPABILITIES[:4] if home else random.sample(CAPABILITIES, 6))),
        )
        out.append(Target(f"t{i}", facts))
    return tuple(out)


def _hits(targets: Sequence[Target], fact: str, *values: object) -> frozenset[str]:
    return frozenset(t.name for t in targets if t.fact(fact) in values)


def _capabilities(targets: Sequence[Target]) -> list[Guard]:
    """As the compiler adds them: one guard per context size, endpoint and capability that some target lacks."""
    guards = []
    for size in sorted({int(str(t.fact("context"))) for t in targets}):
        over = InRange("context_needed", size + 1, MAX_NUMBER)
        guards.append(Guard("context", _hits(targets, "context", size), over, "too long", "", builtin=True))
    for endpoint in SPOKEN:
        deaf = frozenset(t.name for t in targets if endpoint not in t.fact("speaks"))  # type: ignore[operator]
        condition = OneOf("endpoint", frozenset({endpoint}))
        guards.append(Guard("speaks", deaf, condition, "not spoken", "", builtin=True))
    for name in CAPABILITIES:
        lacking = frozenset(t.name for t in targets if name not in t.fact("supports"))  # type: ignore[operator]
        guards.append(Guard("supports", lacking, Flag(name), "not supported", "", builtin=True))
    return guards


def _level(teams: Sequence[str]) -> Classify:
    return Classify(
        "sensitivity",
        LEVEL,
        (Start(0, OneOf("team", frozenset(teams[:1]))), Start(1, TRUE)),
        (
            Raise("header:x-data-class", TRUE),
            Raise(2, either(OneOf("team", frozenset(teams[::7])), Flag("opaque"))),
            Raise(2, either(Has("findings", "secret"), Has("findings", "private-key"))),
            Raise(3, either(*(Has("findings", n) for n in ("card-number", "iban", "national-id")))),
        ),
    )


def _predicate(random: Random, feature: str, projects: Sequence[str]) -> Condition:
    roll = random.random()
    match feature:
        case "sensitivity":
            test = AtLeast("sensitivity", random.randint(1, 3))
            return test if roll < 0.7 else negate(test)
        case "project":
            project = random.choice(projects)
            return (
                Prefix("project", project.rsplit("-", 1)[0] + "-")
                if roll < 0.4
                else OneOf("project", frozenset({project}))
            )
        case "model":
            model = random.choice(MODELS)
            if roll < 0.4:
                return Prefix("model", model.split("-")[0] + "-")
            exact = OneOf("model", frozenset({model}))
            return exact if roll < 0.9 else negate(exact)
        case "origin":
            return OneOf("origin", frozenset(random.sample(REGIONS, random.choice((1, 1, 2)))))
        case "hour":
            start = random.randrange(20)
            return InRange("hour", start, random.randrange(start + 1, 24))
        case "latency":
            return OneOf("latency", frozenset({random.choice(("interactive", "batch", "background"))}))
        case "findings":
            return Has("findings", random.choice(NAMES))
        case "context_needed":
            cut = random.choice(CUTS) if roll < 0.5 else random.randrange(1, 400) * 500
            return (
                InRange("context_needed", cut + 1, MAX_NUMBER)
                if roll < 0.7
                else InRange("context_needed", 0, cut)
            )
        case _:
            return Flag(feature)


def _some(random: Random, count: int) -> list[str]:
    found: list[str] = []
    while len(found) < count:
        name = random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        if name not in found:
            found.append(name)
    return found


def _condition(
    random: Random, names: Sequence[str], projects: Sequence[str], teams: Sequence[str] = ()
) -> Condition:
    parts = [_predicate(random, n, projects) for n in names]
    if teams:
        parts.insert(0, OneOf("team", frozenset(teams)))
    if len(parts) > 1 and random.random() < 0.1:
        last = parts.pop()
        parts.append(either(last, _predicate(random, _some(random, 1)[0], projects)))
    return both(*parts)


def realistic(n: int, seed: int = 0) -> Program:
    """A policy of `n` routes."""
    random = Random(seed)
    targets = _targets(random)
    names = [t.name for t in targets]
    home = [t.name for t in targets if t.fact("location") == "on_prem"]
    chains = [
        (*random.sample(names, random.choice((1, 2, 2, 3))), random.choice(home))
        for _ in range(max(6, min(40, n // 4)))
    ]
    across = max(1, min(n // 4, 3 + n // 50))
    teams = [f"team{i:03d}" for i in range(max(2, (n - across) // 10))]
    everyone = [f"p{i:03d}-{j}" for i in range(len(teams)) for j in range(3)]
    overrides = min(across // 2, 2 + n // 200, 12)
    conditions: list[Condition] = []
    for _ in range(overrides):
        conditions.append(
            _condition(random, [random.choice(("latency", "origin")), *_some(random, 2)], everyone)
        )
    block = n - across - 1
    for i in range(block):
        team = i * len(teams) // block
        last = (i + 1) * len(teams) // block != team
        some = [] if last else _some(random, random.choices((1, 2, 3), (4, 5, 2))[0])
        whose = [teams[team], *(random.choices(teams) if random.random() < 0.08 else [])]
        conditions.append(_condition(random, some, [f"p{team:03d}-{j}" for j in range(3)], whose))
    for _ in range(across - overrides):
        conditions.append(_condition(random, ["project", *_some(random, 1)], everyone))
    conditions = [*conditions[: n - 1], TRUE]
    routes = tuple(Route(f"r{i}", (_group(random.choice(chains)),), c) for i, c in enumerate(conditions))
    return Program(
        FEATURES, (_level(teams),), targets, tuple(_guards(random, targets, teams, everyone, n)), (), routes,
        Otherwise("no target may serve this request", 403, Severity.NOTE),
    )  # fmt: skip


def _group(chain: Sequence[str]) -> Group:
    return Group("order", tuple(Member(t) for t in dict.fromkeys(chain)))


def _guards(
    random: Random, targets: Sequence[Target], teams: Sequence[str], projects: Sequence[str], n: int
) -> list[Guard]:
    abroad = frozenset(t.name for t in targets if t.fact("region") != "eu")
    internal = AtLeast("sensitivity", 1)
    guards = [
        Guard("stays_home", _hits(targets, "location", "cloud"), AtLeast("sensitivity", 2), "DLP-7", ""),
        Guard("residency", abroad, both(OneOf("origin", frozenset({"eu"})), internal), "GDPR", ""),
        Guard("no_retention", _hits(targets, "retention", 2_592_000), internal, "DPA", ""),
    ]
    for i in range(min(40, n // 50)):
        hits = frozenset(random.sample([t.name for t in targets], 4))
        condition = _condition(random, _some(random, 1), projects, [random.choice(teams)])
        guards.append(Guard(f"g{i}", hits, condition, "", ""))
    return [*guards, *_capabilities(targets)]


def _positive(random: Random, condition: Condition, values: dict[str, object]) -> None:
    match condition:
        case All(operands):
            for operand in operands:
                _positive(random, operand, values)
        case Either(operands):
            _positive(random, random.choice(operands), values)
        case OneOf(feature, words):
            values[feature] = random.choice(sorted(words))
        case Prefix(feature, text):
            values[feature] = text + random.choice(("0", "1", "x9"))
        case InRange(feature, low, high):
            values[feature] = random.choice((low, high, random.randint(low, min(high, low + 1000))))
        case Flag(feature):
            values[feature] = True
        case Has(feature, name):
            values[feature] = expand_names({name})
        case AtLeast(_, rank):
            values["header:x-data-class"] = LEVEL[rank]
        case _:
            return


def traffic(program: Program, count: int, seed: int = 1) -> list[Request]:
    """Admitted requests; six in ten carry what a random route asks for."""
    random = Random(seed)
    teams = sorted(
        {w for r in program.routes for t in tests_of(r.condition) if isinstance(t, OneOf) and t.feature == "team" for w in t.values}
    )  # fmt: skip
    return [_request(random, program, teams) for _ in range(count)]


def _request(random: Random, program: Program, teams: Sequence[str]) -> Request:
    values: dict[str, object] = {}
    for feature in program.features:
        match feature.domain:
            case NumberDomain(low, high, unit):
                count = unit == "count" and high > 100
                values[feature.name] = (
                    int(10 ** random.uniform(1, 5.3)) if count else random.randint(low, high)
                )
            case EnumDomain(words, _):
                values[feature.name] = random.choice(words)
            case BoolDomain():
                values[feature.name] = random.random() < 0.02
            case StringDomain():
                values[feature.name] = f"unknown{random.randrange(100)}"
            case _:
                found = random.sample(NAMES, random.choice((0, 0, 0, 0, 0, 0, 0, 1, 2)))
                values[feature.name] = expand_names(found)
    values["endpoint"] = random.choice(("chat", "chat", "messages", "responses"))
    values["header:x-data-class"] = random.choices(LEVEL, (12, 4, 2, 1))[0]
    values["model"] = random.choice(MODELS)
    if teams and random.random() < 0.95:
        values["team"] = random.choice(teams)
    if random.random() < 0.6:
        _positive(random, random.choice(program.routes).condition, values)
    return Request(values)  # type: ignore[arg-type]
