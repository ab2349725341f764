"""A scoped include acts inside its scope and nowhere else: outside, every request is decided as if it were not there."""

from hypothesis import given
from hypothesis import strategies as st

from policyd.policy.decision import outcome_of
from policyd.policy.evaluate import evaluate
from policyd.policy.program import Program
from policyd.policy.quiet import quiet_request
from policyd.policy.request import Request
from policyd.resolve.load import load_text

ROOT = """edition 1
level sensitivity {{ public < internal < confidential }}
string team from identity unknown reject
enum latency {{ normal, critical }} from header "x-latency" unknown normal
classify sensitivity {{
    starts at public
    at least internal when opaque
}}
target home {{ location on_prem context 64k speaks chat }}
target away {{ location cloud context 200k speaks chat }}
guard stays only location == on_prem when sensitivity >= confidential because "it stays"
{include}
route quick to away, home when latency == critical
route rest to home, away
otherwise reject "no"
"""
INCLUDE = 'include "team.policy" as team_file scope {scope}'
SCOPES = (
    'team == "search"',
    'team in { "search", "risk" } and hour < 12',
    'not team == "docs"',
    'team starts with "se"',
)
LINES = (
    'guard own forbid target == away when latency == normal because "ours"',
    'guard late only location == on_prem when hour >= 6 because "night"',
    'deny loud when latency == critical and opaque status 429 because "loud"',
    "classify sensitivity {\n    at least confidential when latency == critical\n}",
    "classify sensitivity {\n    at least internal\n}",
    "route mine to away when not opaque",
    "route others to any { home, away } when sensitivity >= internal",
    'set words = { "a", "b" }\nroute named to home when model in words',
)


def program_of(text: str, files: dict[str, str]) -> Program:
    loaded = load_text(text, files=files)
    assert loaded.program is not None, loaded.diagnostics
    return loaded.program


@given(
    st.sampled_from(SCOPES),
    st.lists(st.sampled_from(LINES), min_size=1, max_size=5, unique=True),
    st.fixed_dictionaries(
        {
            "team": st.sampled_from(["search", "risk", "docs", "sea", ""]),
            "latency": st.sampled_from(["normal", "critical"]),
            "opaque": st.booleans(),
            "hour": st.sampled_from([0, 6, 11, 12, 23]),
            "model": st.sampled_from(["", "a"]),
            "endpoint": st.just("chat"),
        }
    ),
)
def test_outside_its_scope_an_include_is_not_there(
    scope: str, lines: list[str], values: dict[str, object]
) -> None:
    classify = [line for line in lines if line.startswith("classify")]
    lines = [line for line in lines if not line.startswith("classify") or line == classify[0]]
    with_it = program_of(
        ROOT.format(include=INCLUDE.format(scope=scope)),
        {"team.policy": "edition 1\n" + "\n".join(lines) + "\n"},
    )
    without = program_of(ROOT.format(include=""), {})
    request = quiet_request(with_it, values)
    other = quiet_request(without, values)
    assert isinstance(request, Request) and isinstance(other, Request)
    team, hour = str(values["team"]), values["hour"]
    inside = {
        SCOPES[0]: team == "search",
        SCOPES[1]: team in {"search", "risk"} and hour < 12,  # type: ignore[operator]
        SCOPES[2]: team != "docs",
        SCOPES[3]: team.startswith("se"),
    }[scope]
    if inside:
        # Inside, a guard of the file removes what it forbids from whatever route decides.
        decision = evaluate(with_it, request)
        if LINES[0] in lines and values["latency"] == "normal":
            assert "away" not in getattr(decision, "targets", ())
    else:
        assert outcome_of(evaluate(with_it, request)) == outcome_of(evaluate(without, other))
