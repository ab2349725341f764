"""Every witness that a finding of a small policy shows is one: `explain` decides it so, and so does a sidecar."""

import re
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from policyd.engine.matrix import Matrix, build_matrix
from policyd.pipeline import Checked, check_policy
from policyd.policy.condition import InRange
from policyd.policy.decision import Reject
from policyd.policy.program import Deny
from policyd.proofs.prove import prove
from policyd.text.codes import CODES
from tests.leaks.replaying import explained, replayed, shown_by
from tests.leaks.small import ROOT, SMALL, WITHOUT

TODAY: Final = date(2026, 11, 20)


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder / ROOT


BUDGET: Final = "nobody keeps budgets yet, so each counts as exceeded"
WORDS: Final = "a request with words has more tokens"
UNLIKE: Final = {
    "PD301 what no request is": {
        "a": "an embedding and a count have no answer",
        "b": "what cannot be counted is unknown, and not few",
        "c": "what cannot be counted is unknown, and not few",
        "d": "no body for `embeddings` asks for json",
        "e": "policyd answers the list of models itself and sends nothing",
        "g": BUDGET,
        "i": "a body with so many messages is longer than any limit",
        "otherwise": BUDGET,
    },
    "PD301 no words": {"f": WORDS},
}
"""By policy and by what the finding is about: every witness here that no request is like, and why."""


@cache
def checked_small(name: str) -> Checked:
    with TemporaryDirectory() as folder:
        return check_policy(written(Path(folder), SMALL[name]), today=TODAY)


@pytest.mark.parametrize("name", SMALL)
def test_a_witness_is_decided_so_by_explain_and_by_a_sidecar(name: str, tmp_path: Path) -> None:
    checked = checked_small(name)
    assert checked.program is not None, checked.diagnostics
    shown = shown_by(checked.findings)
    policy = written(tmp_path, SMALL[name])
    for one in {s.line: s for s in shown}.values():
        explained(policy, one)
    unlike = replayed(tmp_path, checked.program, [s.case for s in shown])
    subjects = {s.label: s.finding.subject for s in shown}
    assert {subjects[u.label]: u.why for u in unlike} == UNLIKE.get(name, {})


def test_every_code_whose_findings_show_a_request_has_a_policy_here() -> None:
    """And those that never show one are listed with the reason."""
    named = {code for name in SMALL for code in re.findall(r"PD\d+", name)}
    assert named | WITHOUT.keys() == {code for code in CODES if code.startswith("PD3")}
    assert not named & WITHOUT.keys()
    for name in SMALL:
        found = {f.code for f in checked_small(name).findings if f.witness is not None}
        assert set(re.findall(r"PD\d+", name)) <= found, (name, found)
        assert not found & WITHOUT.keys()


def test_a_scope_leak_is_one_in_a_sidecar(tmp_path: Path) -> None:
    """No text has one, so the deny of a scoped file is taken out of its scope by hand: it now rejects another team."""
    program = checked_small("PD308").program
    assert program is not None
    loose = replace(
        program,
        denies=(Deny("a.late", InRange("hour", 22, 23), 429, "late"),),
    )
    matrix = build_matrix(loose)
    assert isinstance(matrix, Matrix)
    shown = shown_by(f for f in prove(loose, matrix).findings if f.code == "PD314")
    assert [s.finding.subject for s in shown] == ["a.late"]
    assert isinstance(shown[0].witness.decision, Reject)
    assert replayed(tmp_path, loose, [s.case for s in shown]) == ()
