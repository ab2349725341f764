"""The names that policies may ask for are the names that the detectors give."""

import pytest

from policyd.detect.scanner import known_findings
from policyd.policy.findings import FINDINGS, is_finding


def test_the_table_is_what_the_detectors_find() -> None:
    assert set(FINDINGS) == set(known_findings())
    assert list(FINDINGS) == sorted(FINDINGS)


@pytest.mark.parametrize("name", ["secret", "secret.aws", "card-number", "private-key", "national-id.us-ssn"])
def test_a_name_and_those_above_it_are_findings(name: str) -> None:
    assert is_finding(name)


@pytest.mark.parametrize("name", ["secrets", "secret.aw", "secret.aws.root", "card", ""])
def test_any_other_name_is_not(name: str) -> None:
    assert not is_finding(name)
