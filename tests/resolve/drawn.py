"""Random policies as text, right by construction: every name exists and every value suits.

`policies()` draws text that has to resolve, with warnings at most: what the domain decides is drawn too.
"""

from hypothesis import strategies as st

__all__ = ["policies"]

_ATOMS = (
    "tools", "images", "opaque", "stream", "pilot", "exceeded(burst)", "busy", "true",
    "hour >= {hour}", "hour < {hour}", "hour != {hour}", "hour in 3..{late}", "hour not in {{ 1, 2, {hour} }}",
    "date <= 2026-06-{day}", "date in 2026-01-01..2027-01-{day}", "weekday in mon..{weekday}", "weekday == {weekday}",
    'team == "{team}"', 'team not in {{ "a", "{team}" }}', "team in cleared", 'project starts with "{prefix}"',
    'project in {{ "{team}", "x" }}', 'model == "{team}"', "latency == {latency}", "latency in {{ {latency} }}",
    "sensitivity >= {level}", "sensitivity < {level}", "sensitivity in public..{level}", "sensitivity != {level}",
    "trust >= {trust}", "urgency in 2..{late}", "context_needed > {tokens}", "tokens <= {tokens}",
    "endpoint in {{ chat, {endpoint} }}", 'findings contains "{finding}"',
    'findings contains any {{ "{finding}", "iban" }}', 'findings contains all {{ "{finding}", "secret" }}',
)  # fmt: skip
_ATTESTED = (
    "hour >= {hour}", "weekday == {weekday}", 'team == "{team}"', "team in cleared", "exceeded(burst)", "trust >= {trust}",
    "date <= 2026-06-{day}", "endpoint == {endpoint}",
)  # fmt: skip
_PREDICATES = (
    "location == {location}", "region != {region}", "region in {{ eu, {region} }}", "retention <= {day} days",
    "retention == none", "context >= {tokens}", "context in 1k..{tokens}", "training", "speaks contains {spoken}",
    "supports contains any {{ tools, images }}", "target == {target}", "target in {{ rack, {target} }}",
    "price_in < $3", "price_out >= $0.50",
)  # fmt: skip
_VALUES = {
    "hour": st.integers(0, 24).map(str),
    "late": st.integers(3, 23).map(str),
    "day": st.integers(10, 28).map(str),
    "weekday": st.sampled_from(("mon", "wed", "sun")),
    "team": st.sampled_from(("a", "b", "search", "e\u0301", "")),
    "prefix": st.sampled_from(("", "a", "sea")),
    "latency": st.sampled_from(("interactive", "batch")),
    "level": st.sampled_from(("public", "internal", "confidential")),
    "trust": st.sampled_from(("low", "high")),
    "tokens": st.sampled_from(("1k", "64k", "65k", "1M")),
    "endpoint": st.sampled_from(("messages", "models", "count_tokens")),
    "spoken": st.sampled_from(("chat", "messages")),
    "finding": st.sampled_from(("secret", "secret.aws", "phi")),
    "location": st.sampled_from(("on_prem", "cloud")),
    "region": st.sampled_from(("eu", "us", "mars")),
    "target": st.sampled_from(("rack", "near", "far")),
}
_BEFORE = """\
edition 1
level sensitivity { public < internal < confidential }
level trust { low < high } from identity unknown low
string team from identity unknown reject
string project from header "x-project" unknown "none"
enum latency { interactive, batch } from header "x-latency" unknown interactive
int urgency 0..24 from header "x-urgency" unknown 24
bool pilot from deployment unknown false
set more = { "search" }
set cleared = { "a", more }
let busy = hour in 9..17 and not weekday in sat..sun
target rack { location on_prem region eu retention none training no context 64k speaks chat, messages supports tools price_in $0 price_out $0 }
target near { location cloud region eu retention 10 days training no context 200k speaks messages supports tools, images, json price_in $3 price_out $15 }
target far { location cloud region us retention 30 days training yes context 1M speaks chat price_in $0.25 price_out $1 }
limit burst 2M tokens per minute by team
"""
_DESTINATIONS = (
    "rack", "rack, near, far", "any { near, far }, rack", "cheapest { far, near, rack }", "fastest { rack, near }",
    "split { rack 70, near 30 } by team", "split { far 1, near 2, rack 3 } by hour", "far, split { rack 1, near 1 } by latency, ",
)  # fmt: skip


@st.composite
def _filled(draw: st.DrawFn, templates: tuple[str, ...]) -> str:
    template = draw(st.sampled_from(templates))
    used = {key: draw(values) for key, values in _VALUES.items() if f"{{{key}}}" in template}
    return template.format(**used)


def _combined(atoms: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        joined = st.tuples(inner, st.sampled_from(("and", "or")), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        )
        return joined | inner.map(lambda c: f"not ({c})")

    return st.recursive(atoms, grow, max_leaves=5)


def _conditions() -> st.SearchStrategy[str]:
    return _combined(_filled(_ATOMS))


def _attested() -> st.SearchStrategy[str]:
    return _combined(_filled(_ATTESTED))


def _predicates() -> st.SearchStrategy[str]:
    return _combined(_filled(_PREDICATES))


@st.composite
def policies(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    """The root file, and the files it includes."""
    lines = [_BEFORE + draw(_classify())]
    for i in range(draw(st.integers(0, 3))):
        effect = draw(st.sampled_from(("only", "forbid")))
        when = draw(_conditions())
        lines.append(
            f'guard g{i} {effect} {draw(_predicates())} when {when} overridable by "ciso" because "R-{i}"'
        )
        if draw(st.booleans()):
            lines.append(
                f'except e{i} to g{i} when {draw(_conditions())} until 2027-01-31 owner "ciso" because "x"'
            )
    for i in range(draw(st.integers(0, 2))):
        lines.append(f'deny d{i} when {draw(_conditions())} status 429 because "no"')
    files: dict[str, str] = {}
    if draw(st.booleans()):
        lines.append(f'include "teams/a.policy" as ta scope {draw(_attested())}')
        files["teams/a.policy"] = draw(_scoped())
    for i in range(draw(st.integers(1, 3))):
        to = draw(st.sampled_from(_DESTINATIONS)).strip(", ")
        lines.append(f"route r{i} to {to} when {draw(_conditions())}")
    lines.append('otherwise reject "no"')
    lines.append(f"assert a0 never {draw(_predicates())} when {draw(_conditions())}")
    lines.append("assert a1 claimed never loosens")
    return "\n".join(lines) + "\n", files


@st.composite
def _classify(draw: st.DrawFn) -> str:
    starts = [f"starts at internal when {draw(_attested())}" for _ in range(draw(st.integers(0, 2)))]
    atoms = _filled(tuple(a for a in _ATOMS if "sensitivity" not in a))
    raises = [f"at least confidential when {draw(_combined(atoms))}" for _ in range(draw(st.integers(0, 3)))]
    label = ['at least header "x-data-class"'] if draw(st.booleans()) else []
    return "\n".join(["classify sensitivity {", *starts, "starts at public", *raises, *label, "}"])


@st.composite
def _scoped(draw: st.DrawFn) -> str:
    return "\n".join(
        [
            "edition 1",
            f"let mine = {draw(_conditions())}",
            'classify sensitivity { at least internal when tools at least header "x-team-class" when images }',
            f'guard g0 only {draw(_predicates())} when mine because "T"',
            f'deny d0 when {draw(_conditions())} and mine because "T"',
            f"route r0 to {draw(st.sampled_from(('rack', 'near, far')))} when not mine",
        ]
    )
