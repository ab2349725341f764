"""`user`, `team` and `project` need no line; every other name does."""

import pytest

from policyd.policy.program import Provenance
from policyd.resolve.load import load_text

REST = """edition 1
target home { location on_prem context 64k speaks chat }
guard stays only location == on_prem when {condition} because "x"
route rest to home
otherwise reject "no"
"""


@pytest.mark.parametrize("name", ["user", "team", "project"])
def test_an_undeclared_identity_name_is_an_attested_string(name: str) -> None:
    loaded = load_text(REST.replace("{condition}", f'{name} == "a"'))
    assert loaded.program is not None, loaded.diagnostics
    feature = loaded.program.feature(name)
    assert (feature.provenance, feature.where.kind, feature.unknown) == (Provenance.ATTESTED, "identity", "")


def test_a_declared_one_is_what_its_line_says() -> None:
    text = REST.replace("edition 1", 'edition 1\nstring team from header "x-team" unknown "none"')
    loaded = load_text(text.replace("{condition}", 'team == "a"'))
    assert loaded.program is not None, loaded.diagnostics
    assert loaded.program.feature("team").provenance is Provenance.CLAIMED


def test_one_that_nobody_reads_is_no_feature() -> None:
    loaded = load_text(REST.replace("{condition}", "opaque") + "# the team of the user\n")
    assert loaded.program is not None
    assert not {"user", "team", "project"} & {f.name for f in loaded.program.features}


def test_another_undeclared_name_is_a_mistake() -> None:
    loaded = load_text(REST.replace("{condition}", 'tenant == "a"'))
    assert "PD201" in {d.code for d in loaded.diagnostics}
