"""Planted leaks: each is named, really leaks where nobody checks, and cannot leak through the sidecar that does."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from policyd.pipeline import check_policy
from policyd.policy.decision import Plan
from policyd.proofs.together import Together, put_together
from tests.leaks.evidence import TODAY, Evidence, changes_of, evidence_of, shipped
from tests.leaks.plants import PLANTS, POLICIES, Plant, files_of
from tests.leaks.real import written
from tests.leaks.replaying import Case, explained, replayed, shown_by

ROOT: Final = Path(__file__).parents[2]
DOCUMENT: Final = ROOT / "docs" / "leaks.md"
EXAMPLES: Final = ("examples/demo/demo.policy", "examples/sidecar/sidecar.policy")

KINDS: Final = (
    "a route above", "a default", "a header as the source", "a wrong fact", "a classification", "an exception",
    "a loosened unknown",
)  # fmt: skip
NOT_THERE: Final = {
    ("coding-team", "a loosened unknown"): "it reads no identity and nothing of the deployment"
}

UNLIKE: Final = frozenset({"PD306 otherwise: remote_content", "PD319 otherwise: remote_content team=x"})
"""Witnesses that no request is like, for what would be fetched is never known to be short: policyd's proofs do not know
that its proxy says so. Each shows something that is found all the same."""


def test_each_policy_has_a_leak_of_each_kind() -> None:
    planted = {(p.policy, p.kind) for p in PLANTS}
    assert planted | NOT_THERE.keys() == {(policy, kind) for policy in POLICIES for kind in KINDS}
    assert not planted & NOT_THERE.keys()


@pytest.mark.parametrize("policy", POLICIES)
def test_a_planted_leak_is_named_leaks_unchecked_and_not_through_the_real_sidecar(policy: str) -> None:
    for evidence in evidence_of(policy):
        _holds(evidence)
        assert {u.label for u in evidence.unlike} <= UNLIKE, evidence.plant.name


def _holds(evidence: Evidence) -> None:
    plant, real = evidence.plant, evidence.real
    name = plant.name
    match plant.by:
        case "nothing leaks":
            assert plant.code in evidence.found, name
            assert plant.target not in (*evidence.arrived, *real.arrived), name
            assert real.refused == (), name
            return
        case "check":
            assert plant.code in evidence.found and plant.code in real.refused, name
        case "loading":
            assert plant.code in evidence.found and plant.code in real.refused, name
            if evidence.line is None:
                return
        case "deployment":
            assert real.refused == (plant.code,), name
            assert evidence.diffed == 4, name
        case "diff":
            assert evidence.diffed == 4, name
            # It serves: a label that nobody reads, and no test asks for, says nothing.
            assert real.refused == () and real.arrived[-1] == plant.target, name
    assert evidence.arrived[-1] == plant.target, name
    assert plant.target not in evidence.before, name
    if plant.by in {"check", "loading"}:
        assert plant.target not in real.arrived, name


@pytest.mark.parametrize("policy", POLICIES)
def test_a_shipped_policy_s_witnesses_are_requests(policy: str, tmp_path: Path) -> None:
    _replayed(written(tmp_path / "shipped", files_of(policy)), tmp_path)


@pytest.mark.parametrize("path", EXAMPLES)
def test_an_example_s_witnesses_are_requests(path: str, tmp_path: Path) -> None:
    _replayed(ROOT / path, tmp_path)


def _replayed(root: Path, folder: Path) -> None:
    checked = check_policy(root, today=TODAY)
    assert checked.program is not None
    shown = shown_by(checked.findings)
    assert shown
    for one in {s.line: s for s in shown}.values():
        explained(root, one)
    unlike = replayed(folder, checked.program, [s.case for s in shown])
    assert {u.label for u in unlike} == UNLIKE & {s.label for s in shown}


DIFFED: Final = [next(p for p in PLANTS if p.policy == policy and p.by == "check" and p.kind == kind)
                 for policy, kind in zip(POLICIES, ("a default", "a classification", "a default", "a classification"), strict=True)]  # fmt: skip


@pytest.mark.parametrize("plant", DIFFED, ids=lambda p: p.name)
def test_what_diff_shows_is_decided_so_by_the_old_sidecar_and_the_new(plant: Plant, tmp_path: Path) -> None:
    old = shipped(plant.policy).program
    new = check_policy(written(tmp_path / "planted", files_of(plant.policy, plant)), today=TODAY).program
    assert old is not None and new is not None
    together = put_together(old, new)
    assert isinstance(together, Together)
    shown = list(changes_of(together))
    assert any(isinstance(s.after, Plan) and plant.target in s.after.targets for s in shown)
    before = replayed(tmp_path, old, [Case(f"{n} before", s.request, s.before) for n, s in enumerate(shown)])
    after = replayed(tmp_path, new, [Case(f"{n} after", s.request, s.after) for n, s in enumerate(shown)])
    assert before == after == ()


def test_a_plant_that_checks_well_is_not_taken_for_one(tmp_path: Path) -> None:
    """The evidence can fail: a plant that does nothing is named by nothing."""
    idle = replace(PLANTS[0], edits=())
    root = written(tmp_path / "idle", files_of(idle.policy, idle))
    assert not [d for d in check_policy(root, today=TODAY).diagnostics if d.code == idle.code]


def table_of() -> str:
    rows = ["| policy | planted | named by | the request | unchecked, it reaches | the real sidecar |", "|---|---|---|---|---|---|"]  # fmt: skip
    rows += [_row(e) for policy in POLICIES for e in evidence_of(policy)]
    return "\n".join(rows) + "\n"


def _row(evidence: Evidence) -> str:
    plant = evidence.plant
    cells = (
        plant.policy,
        f"{plant.kind}: {plant.what}",
        _named(evidence),
        _request(evidence),
        _reached(evidence),
        _real(evidence),
    )
    return "| " + " | ".join(cells) + " |"


def _named(evidence: Evidence) -> str:
    plant = evidence.plant
    rest = ", ".join(code for code in evidence.found if code != plant.code)
    match plant.by:
        case "diff":
            first = f"`policyd diff`: looser, exit code {evidence.diffed}"
            rest = rest or "nothing of `check`"
        case "deployment":
            first = f"{_link(plant.code)} with the deployment; `policyd diff`: looser, exit code {evidence.diffed}"
        case _:
            first = f"{_link(plant.code)} `{plant.subject}`"
    return f"{first}; {rest}" if rest else first


def _link(code: str) -> str:
    return f"[{code}](rules/{code}.md)"


def _request(evidence: Evidence) -> str:
    return "" if evidence.line is None else f"`{evidence.line}`"


def _reached(evidence: Evidence) -> str:
    if evidence.line is None:
        return "it does not load"
    if evidence.plant.by == "nothing leaks":
        return f"`{evidence.arrived[-1]}`" if evidence.arrived else "nothing: refused"
    down = [t for t in evidence.arrived if t in evidence.down]
    after = (
        f", when {' and '.join(f'`{t}`' for t in down)} {'is' if len(down) == 1 else 'are'} down"
        if down
        else ""
    )
    return f"`{evidence.plant.target}`{after}"


def _real(evidence: Evidence) -> str:
    real = evidence.real
    goes = f"to {', '.join(f'`{t}`' for t in real.arrived)}" if real.arrived else f"refused, {real.status}"
    if evidence.plant.by == "deployment":
        return f"does not start: {', '.join(real.refused)}"
    if not real.refused:
        return f"serves it: {goes}"
    stays = f"keeps the old policy: {', '.join(real.refused)}"
    return stays if real.status is None else f"{stays}; {goes}"


def test_the_document_has_the_table_as_it_is() -> None:
    between = DOCUMENT.read_text().partition("<!-- plants -->\n")[2].partition("<!-- end -->")[0]
    assert between == table_of(), "paste this between the marks:\n" + table_of()
