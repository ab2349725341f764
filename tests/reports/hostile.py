"""Runs whose every word is arbitrary: what an author could write into names, reasons and paths, and worse."""

from hypothesis import strategies as st

from policyd.policy.decision import Candidates, Decision, Plan, Reject, Removal
from policyd.reports.model import Claim, Entry, PolicyReport, Run, Shown, Suppression, Trial
from policyd.text.codes import CODES
from policyd.text.diagnostic import Diagnostic, Label, Severity
from policyd.text.source import Source, Span

ANY_TEXT = st.text(st.characters(codec=None), max_size=30) | st.sampled_from(
    ["::error::x", "a\n::set-env name=x::y", "%0A::warning::", "##[error]x", "]]>", "<!--", "&amp;", "](x)", "\x1b[31m", "\u202e", "\ufffe", "\ud800", "\r\n", "\x85", "\u2028"]
)  # fmt: skip
NAMES = st.lists(ANY_TEXT, min_size=1, max_size=2).map(tuple)
GIVEN = st.lists(
    st.tuples(ANY_TEXT, st.none() | st.booleans() | st.integers(0, 9) | ANY_TEXT | st.frozensets(ANY_TEXT, max_size=2)),
    max_size=2,
    unique_by=lambda pair: pair[0],
).map(tuple)  # fmt: skip


@st.composite
def spans(draw: st.DrawFn) -> Span:
    text = draw(ANY_TEXT)
    start = draw(st.integers(0, len(text)))
    return Span(Source(draw(ANY_TEXT), text), start, draw(st.integers(start, len(text))))


REMOVED = st.lists(st.builds(Removal, ANY_TEXT, NAMES), max_size=1).map(tuple)
GROUPS = st.lists(st.builds(Candidates, st.sampled_from(["order", "any"]), NAMES), min_size=1, max_size=2)
DECISIONS: st.SearchStrategy[Decision] = st.builds(Plan, ANY_TEXT, GROUPS.map(tuple), REMOVED) | st.builds(
    Reject, NAMES, NAMES, st.sampled_from([403, 429]), REMOVED
)
SHOWN = st.none() | st.builds(Shown, GIVEN, DECISIONS, ANY_TEXT)
DIAGNOSTICS = st.builds(
    Diagnostic,
    st.sampled_from(sorted(CODES)),
    st.sampled_from(Severity),
    ANY_TEXT,
    st.none() | spans(),
    st.none() | ANY_TEXT,
    st.lists(st.builds(Label, spans(), ANY_TEXT), max_size=2).map(tuple),
    st.lists(ANY_TEXT, max_size=2).map(tuple),
)
ENTRIES = st.builds(Entry, DIAGNOSTICS, ANY_TEXT, ANY_TEXT, SHOWN, SHOWN, st.booleans())
SUPPRESSED = st.builds(
    Entry,
    DIAGNOSTICS,
    ANY_TEXT,
    ANY_TEXT,
    suppression=st.builds(Suppression, ANY_TEXT, st.just("2026-12-31"), st.none() | spans()),
)
CLAIMS = st.builds(
    Claim,
    ANY_TEXT,
    ANY_TEXT,
    st.sampled_from(["proved", "broken", "not proved", "unchecked"]),
    st.none() | spans(),
)
TRIALS = st.builds(
    Trial,
    ANY_TEXT,
    GIVEN,
    ANY_TEXT,
    st.lists(ANY_TEXT, max_size=1).map(tuple),
    st.none() | DECISIONS,
    st.none() | spans(),
)
POLICIES = st.builds(
    PolicyReport,
    ANY_TEXT,
    st.none() | st.just("0" * 32),
    st.sampled_from(["ok", "findings", "not proved", "unusable"]),
    st.sampled_from([0, 1, 2, 3]),
    st.lists(ENTRIES, max_size=3).map(tuple),
    st.lists(SUPPRESSED, max_size=1).map(tuple),
    st.lists(CLAIMS, max_size=2).map(tuple),
    st.lists(TRIALS, max_size=2).map(tuple),
)
RUNS = st.builds(
    Run,
    st.sampled_from(["check", "test"]),
    st.just("0.1.0"),
    st.sampled_from([0, 1, 2, 3]),
    st.lists(POLICIES, max_size=2).map(tuple),
    st.lists(ENTRIES, max_size=1).map(tuple),
)
