"""Random small policies in text, over features that a request can have: what their findings show has to be replayable.

Constants are ones that real requests reach: some thousands of tokens, a few messages, findings that detectors know.
"""

from typing import Final

from hypothesis import strategies as st

__all__ = ["policies"]

VOCABULARY: Final = """\
edition 1

level sensitivity { public < internal < confidential }
level clearance { low < mid < high } from identity unknown low
string team from identity unknown reject
string user from identity unknown ""
enum latency { interactive, batch } from header "x-latency" unknown interactive
string project from header "x-project" unknown "none"
int urgency 0..9 from header "x-urgency" unknown 0
enum origin { eu, us } from deployment unknown eu
bool lab from deployment unknown false

target home { location on_prem region eu context 64k retention none price_in $1 price_out $1 speaks chat, completions, responses, embeddings, messages supports tools, json, images }
target rack { location on_prem region us context 256k retention none price_in $2 price_out $2 speaks chat, messages supports tools, json, images, reasoning, stored }
target near { location cloud region eu context 200k retention none price_in $3 price_out $3 speaks chat, completions, responses, embeddings, messages supports tools, json, images, reasoning, server_tools, stored, remote_content }
target far { location cloud region us context 1M retention 30 days price_in $0.5 price_out $0.5 speaks chat, responses, messages supports tools, json, images, reasoning, server_tools, stored, remote_content }
"""

TESTS: Final = (
    "opaque", "images", "tools", "stream", "json", "reasoning", "server_tools", "stored", "remote_content", "lab",
    'team == "a"', 'team in { "a", "b" }', 'user == "ana"', 'user != ""', "latency == batch", "urgency >= 5", "urgency == 0", "origin == us",
    'project == "none"', 'project starts with "team-"', "clearance >= mid", "clearance == mid",
    'findings contains "secret"', 'findings contains "secret.aws"', 'findings contains "iban"', 'findings contains "card-number"',
    'findings contains any { "private-key", "national-id" }', 'findings contains all { "iban", "secret" }',
    "context_needed > 20k", "context_needed >= 100k", "tokens > 30k", "max_output >= 4k", "messages > 3", "hour in 8..17", "hour >= 22",
    "weekday in { sat, sun }", "date >= 2030-01-01", "endpoint == chat", "endpoint in { messages, count_tokens }",
    "endpoint == embeddings", "endpoint in { responses, completions }", 'model starts with "claude"', 'model == "gpt-5"',
    "sensitivity >= confidential", "sensitivity >= internal",
)  # fmt: skip
PREDICATES: Final = (
    "location == cloud", "region != eu", "retention != none", "target == far", "target in { near, far }", "region == us and location == cloud",
)  # fmt: skip
TARGETS: Final = ("home", "rack", "near", "far")


def _condition(tests: tuple[str, ...]) -> st.SearchStrategy[str]:
    one = st.sampled_from(tests) | st.sampled_from(tests).map(lambda t: f"not ({t})")
    return st.recursive(
        one, lambda inner: st.tuples(inner, st.sampled_from(("and", "or")), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        max_leaves=3,
    )  # fmt: skip


_PLAIN: Final = tuple(t for t in TESTS if "sensitivity" not in t)
CONDITION: Final = _condition(TESTS)
UNLEVELLED: Final = _condition(_PLAIN)


@st.composite
def _group(draw: st.DrawFn) -> str:
    targets = draw(st.lists(st.sampled_from(TARGETS), min_size=1, max_size=4, unique=True))
    how = draw(st.sampled_from(("order", "order", "any", "cheapest", "split")))
    if how == "order" or len(targets) == 1:
        return ", ".join(targets)
    if how == "split":
        shares = ", ".join(f"{t} {10 * n}" for n, t in enumerate(targets, 1))
        return f"split {{ {shares} }} by {draw(st.sampled_from(('user', 'team', 'model')))}"
    return f"{how} {{ {', '.join(targets)} }}"


@st.composite
def policies(draw: st.DrawFn) -> str:
    """The text of a policy that loads."""
    lines = [
        VOCABULARY,
        "classify sensitivity {",
        "    starts at internal" if draw(st.booleans()) else "    starts at public",
    ]
    lines += ['    at least header "x-data-class"'] if draw(st.booleans()) else []
    raised = draw(st.lists(UNLEVELLED, min_size=1, max_size=2))
    lines += [
        f"    at least {draw(st.sampled_from(('internal', 'confidential')))} when opaque or {when}"
        for when in raised
    ]
    lines.append("}")
    for n in range(draw(st.integers(0, 3))):
        lines.append(
            f'guard g{n} forbid {draw(st.sampled_from(PREDICATES))} when {draw(CONDITION)} because "x"'
        )
    for n in range(draw(st.integers(0, 2))):
        lines.append(
            f'deny d{n} when {draw(CONDITION)} status {draw(st.sampled_from((403, 429, 451)))} because "x"'
        )
    for n in range(draw(st.integers(1, 3))):
        lines.append(f"route r{n} to {draw(_group())} when {draw(CONDITION)}")
    lines += [f"route rest to {draw(_group())}", 'otherwise reject "nobody may"', ""]
    for n in range(draw(st.integers(1, 3))):
        lines.append(f"assert a{n} never {draw(st.sampled_from(PREDICATES))} when {draw(CONDITION)}")
    lines.append("assert served never rejected when " + draw(CONDITION))
    return "\n".join(lines) + "\n"
