"""The only way into a policy: what is admitted, what is refused, and with which status."""

import operator

import pytest

from policyd.policy.program import (
    EnumDomain,
    Feature,
    NumberDomain,
    Provenance,
    StringDomain,
    Unknown,
    Where,
)
from policyd.policy.request import EVERYTHING, LONGEST_STRING, Inadmissible, admit_value


def number(provenance: Provenance) -> Feature:
    return Feature(
        "clearance", NumberDomain(0, 5), provenance, Where("identity", "clearance"), Unknown.REJECT
    )


TEXT = Feature("project", StringDomain(), Provenance.CLAIMED, Where("header", "x-project"), "none")


@pytest.mark.parametrize(("provenance", "status"), [(Provenance.CLAIMED, 400), (Provenance.ATTESTED, 403)])
def test_what_somebody_said_outside_the_domain_is_refused(provenance: Provenance, status: int) -> None:
    found = admit_value(number(provenance), "99")
    assert isinstance(found, Inadmissible) and found.status == status
    assert "99" in found.message and "0 to 5" in found.message


def test_what_policyd_computed_is_kept_inside_the_domain() -> None:
    assert admit_value(number(Provenance.DERIVED), 99) == 5


def test_the_length_counts_in_normal_form() -> None:
    # U+0958 becomes two characters in NFC, so this is one too long.
    assert isinstance(admit_value(TEXT, "a" * (LONGEST_STRING - 1) + "\u0958"), Inadmissible)
    assert (
        admit_value(TEXT, "a" * (LONGEST_STRING - 2) + "\u0958")
        == "a" * (LONGEST_STRING - 2) + "\u0915\u093c"
    )


def test_unknown_that_does_not_enter_is_forbidden() -> None:
    found = admit_value(number(Provenance.ATTESTED), None)
    assert isinstance(found, Inadmissible) and found.status == 403


def test_a_word_outside_the_list_is_named_with_the_list() -> None:
    feature = Feature(
        "pace", EnumDomain(("slow", "quick")), Provenance.CLAIMED, Where("header", "x-pace"), "slow"
    )
    found = admit_value(feature, "fast")
    assert isinstance(found, Inadmissible) and found.status == 400
    assert "`pace`" in found.message and "fast" in found.message and "slow, quick" in found.message
    assert "the header `x-pace`" in found.message, "the caller knows no feature"


def test_a_label_is_named_by_its_header_once() -> None:
    label = Feature(
        "header:x-class",
        EnumDomain(("low", "high"), ordered=True),
        Provenance.CLAIMED,
        Where("label", "x-class"),
        "low",
    )
    found = admit_value(label, "top")
    assert isinstance(found, Inadmissible)
    assert found.message == "the header `x-class` is 'top', which is not one of: low, high"


@pytest.mark.parametrize("other", [frozenset(), frozenset({"*"}), frozenset({"secret"})])
def test_every_name_is_no_other_set_whichever_way_one_asks(other: frozenset[str]) -> None:
    for first, second in ((EVERYTHING, other), (other, EVERYTHING)):
        assert operator.ne(first, second)
        assert not operator.eq(first, second)


def test_every_name_is_itself() -> None:
    assert operator.eq(EVERYTHING, EVERYTHING)
    assert not operator.ne(EVERYTHING, EVERYTHING)
