"""Changes that no request shows: each has its words and its kind, and the kind decides what is green."""

import pytest

from policyd.compare.declared import DeclaredKind
from policyd.compare.difference import Verdict
from policyd.proofs.find import Budget
from tests.compare.small import BASE, difference

LOOSER, TIGHTER, CHANGED = DeclaredKind.LOOSER, DeclaredKind.TIGHTER, DeclaredKind.CHANGED
DROPPED, WORDING, JUDGED = DeclaredKind.DROPPED, DeclaredKind.WORDING, DeclaredKind.JUDGED

BUDGET = BASE + "budget month $100 per month by team\n"
CLAIM = "assert confidential_stays_home never location == cloud when sensitivity >= confidential\n"
OPEN = BASE.replace(
    'because "confidential stays home"', 'overridable by "ana" because "confidential stays home"'
)
EXCEPTION = 'except trial to stays_home when team == "x" until 2031-01-01 owner "ana" because "a trial"\n'

RISKY = BASE + 'guard careful forbid location == cloud when risk > 5 because "risk"\n'
UNUSED = BASE + "target spare { location cloud context 128k retention 1 day speaks chat }\n"

CASES = [
    (BASE, ("unknown reject", 'unknown "nobody"'), LOOSER, "unknown feature `team` meant `reject` and means `nobody`"),
    (BASE, ('unknown "none"', "unknown reject"), TIGHTER, "unknown feature `project` meant `none` and means `reject`"),
    (BASE, ("unknown 9", "unknown 0"), WORDING, "unknown feature `risk` meant `9` and means `0`: every request without it is decided alike"),
    (RISKY, ("unknown 9", "unknown 0"), LOOSER, "looser for a request without it, such as `context_needed=32001 team=x`"),
    (RISKY, ("unknown 9", "unknown 8"), WORDING, "every request without it is decided alike"),
    (RISKY.replace("unknown 9", "unknown 0"), ("unknown 0", "unknown 9"), TIGHTER, "tighter for a request without it, such as `context_needed=32001 team=x`"),
    (BASE, ("string team from identity", 'string team from header "x-team"'), LOOSER, "the caller now chooses it"),
    (BASE, ('string project from header "x-project"', "string project from identity"), TIGHTER, "no longer chooses it"),
    (BASE, ('header "x-project"', 'header "x-other"'), JUDGED, "was read from header `x-project`, and is from header `x-other`"),
    (BASE, ("0..9", "0..20"), LOOSER, "was `0..9` and is `0..20`: values that were refused are let in"),
    (BASE, ("risk 0..9 from deployment unknown 9", "risk 0..5 from deployment unknown 5"), TIGHTER, "values that were let in are refused"),
    (BASE, ("{ interactive, batch }", "{ interactive, batch, night }"), LOOSER, "was `{ interactive, batch }` and is `{ interactive, batch, night }`"),
    (BASE, ('string project from header "x-project" unknown "none"\n', ""), CHANGED, "feature `project`, which was read from header `x-project`, is gone"),
    (BASE, ("int  risk 0..9 from deployment unknown 9\n", ""), LOOSER, "feature `risk`, which was read from deployment `risk`, is gone"),
    (BASE, ("retention 30 days", "retention 90 days"), JUDGED, "target `cloud` had `retention 30 days` and has `retention 90 days`"),
    (BASE, ("retention 30 days ", ""), JUDGED, "target `cloud` no longer says its `retention`, which was `30 days`"),
    (BASE, ("context 128k", "context 256k"), CHANGED, "target `cloud` had `context 128k` and has `context 256k`"),
    (UNUSED, ("retention 1 day", "retention 9 days"), CHANGED, "target `spare` had `retention 1 day` and has `retention 9 days`"),
    (BUDGET, ("$100 per month", "$250 per month"), LOOSER, "`month` was `$100 per month by team` and is `$250 per month by team`"),
    (BUDGET, ("$100 per month", "$100 per day"), LOOSER, "is `$100 per day by team`"),
    (BUDGET, ("$100 per month", "$50 per month"), TIGHTER, "is `$50 per month by team`"),
    (BUDGET, ("by team", "by project"), LOOSER, "by project"),
    (BUDGET, ("budget month $100 per month by team\n", ""), LOOSER, "`month`, `$100 per month by team`, is gone"),
    (BASE, (CLAIM, ""), DROPPED, "assertion `confidential_stays_home` is gone"),
    (BASE, (CLAIM, CLAIM.replace("when sensitivity >= confidential", "when opaque")), DROPPED, "no longer all of it"),
    (BASE, (CLAIM, CLAIM.replace("when sensitivity >= confidential", "when sensitivity >= confidential and context_needed > 5")), DROPPED, "no longer all of it"),
    (BASE, (CLAIM, CLAIM.replace(" when sensitivity >= confidential", " when not (sensitivity == internal)")), WORDING, "no less"),
    (BASE, (CLAIM, CLAIM.replace("confidential_stays_home", "stays")), WORDING, "is claimed by `stays` now"),
    (BASE, (CLAIM, CLAIM + "assert another claimed never loosens\n"), WORDING, "assertion `another` is new: `claimed never loosens`"),
    (BASE, ("the machines rest", "we sleep"), WORDING, "deny `tired`: its reason was `the machines rest` and is `we sleep`"),
    (BASE, ("no model may take this", "no"), WORDING, "`otherwise`: its reason was `no model may take this` and is `no`"),
    (OPEN, ('overridable by "ana"', 'overridable by "bo"'), WORDING, "`ana` could override it, and now `bo` can"),
    (OPEN + EXCEPTION, ('because "a trial"', 'because "a longer trial"'), WORDING, "its reason was `a trial` and is `a longer trial`"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "edit", "kind", "words"), CASES, ids=[c[3][:60] for c in CASES])
def test_a_change_has_its_kind_and_its_words(
    text: str, edit: tuple[str, str], kind: DeclaredKind, words: str
) -> None:
    assert edit[0] in text
    found = difference(text, text.replace(*edit))
    told = [d for d in found.declared if words in d.text]
    assert [d.kind for d in told] == [kind], [d.text for d in found.declared]
    assert told[0].old is not None or told[0].new is not None
    assert (found.verdict is Verdict.SAME) == (kind is WORDING)
    if kind is LOOSER:
        assert found.verdict is Verdict.LOOSER


def test_what_another_unknown_does_is_not_proved_where_that_outgrows_its_budget() -> None:
    found = difference(RISKY, RISKY.replace("unknown 9", "unknown 0"), budget=Budget(nodes=0))
    assert [d.kind for d in found.declared] == [DeclaredKind.NOT_PROVED], found.declared
    assert "whether that is looser is not proved" in found.declared[0].text
    assert found.verdict is Verdict.NOT_PROVED


def test_a_new_feature_that_has_to_be_given_refuses_who_does_not_bring_it() -> None:
    found = difference(BASE, BASE + "string desk from identity unknown reject\n")
    assert [(d.kind, d.text) for d in found.declared] == [
        (TIGHTER, "feature `desk` is new, read from identity `desk`: a request without it is refused")
    ]
    assert found.verdict is Verdict.CHANGED


def test_a_new_target_that_nothing_removes_is_looser() -> None:
    target = "target spare { location on_prem context 1M speaks chat }\n"
    found = difference(BASE, BASE + target)
    assert [o.targets for o in found.opened] == [("spare",)]
    assert found.verdict is Verdict.LOOSER


def test_an_exception_is_told_with_its_end_and_its_owner() -> None:
    found = difference(OPEN, OPEN + EXCEPTION)
    (told,) = [d for d in found.declared if "exception" in d.text]
    assert "until 2031-01-01, owned by `ana`" in told.text
    assert found.verdict is Verdict.LOOSER, "what it opens is shown request by request"
