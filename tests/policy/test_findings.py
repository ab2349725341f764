"""The names that policies may ask for are the names that the detectors give."""

import pytest

from policyd.detect.scanner import known_findings
from policyd.policy.finding_notes import KINDS, described, weight_of
from policyd.policy.findings import FINDINGS, is_finding, near_finding


def test_the_table_is_what_the_detectors_find() -> None:
    assert set(FINDINGS) == set(known_findings())
    assert list(FINDINGS) == sorted(FINDINGS)


@pytest.mark.parametrize("name", ["secret", "secret.aws", "card-number", "private-key", "national-id.us-ssn"])
def test_a_name_and_those_above_it_are_findings(name: str) -> None:
    assert is_finding(name)


@pytest.mark.parametrize("name", ["secrets", "secret.aw", "secret.aws.root", "card", ""])
def test_any_other_name_is_not(name: str) -> None:
    assert not is_finding(name)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("tax-id.py-rut", "tax-id.py-ruc"),
        ("card-nunber", "card-number"),
        ("label.confidencial", "label.confidential"),
        ("secrets", "secret"),
        ("nationalid.ar-dni", "national-id.ar-dni"),
        ("secret.hithub", "secret.github"),
        ("tlp.red", "label.tlp.red"),
        ("secret.other", None),
        ("phi", None),
        ("", None),
    ],
)
def test_a_misspelt_name_is_taken_for_the_nearest_of_its_kind(name: str, meant: str | None) -> None:
    assert near_finding(name) == meant


def test_a_company_s_own_name_may_be_meant() -> None:
    assert near_finding("custom.legaj", ["custom.legajo"]) == "custom.legajo"
    assert near_finding("custom.legaj") is None


def test_each_kind_of_finding_has_words() -> None:
    assert {name.partition(".")[0] for name in FINDINGS} == KINDS.keys() - {"custom"}
    assert len({described(name) for name in FINDINGS}) > len(FINDINGS) // 2
    assert {weight_of(name) for name in FINDINGS} == {"", "everyday", "rarer", "grave"}
