"""Comparing against brute force: the same verdict, the same pairs, kinds and counts, and boxes that hold exactly them."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.compare.boxes import box_condition, merged_boxes
from policyd.compare.difference import Difference, Verdict, compare
from policyd.compare.possible import Possible
from policyd.compare.regions import places
from policyd.compare.wording import region_lines
from policyd.policy.evaluate import evaluate, holds
from policyd.policy.program import Program
from policyd.policy.request import Request
from policyd.proofs.kinds import Kind
from policyd.resolve.load import load_text
from tests.compare.drawn import edited_pairs, names_of_pair
from tests.compare.plain import changed_cells, kind_between, rule_name
from tests.compare.small import BASE, difference
from tests.proofs.brute import grid_of
from tests.strategies.programs import READABLE, programs


def compared(old: Program, new: Program, **more: object) -> Difference:
    found = compare(old, new, most_shown=None, **more)  # type: ignore[arg-type]
    assert isinstance(found, Difference)
    assert not found.unfinished
    return found


def all_requests(difference: Difference) -> list[Request]:
    """Every request that either policy's constants tell apart; none where that is too many for a test."""
    names = tuple(dict.fromkeys(axis.feature for axis in difference.together.matrix.axes))
    return grid_of(difference.together.program, names, most=1500) or []


@given(st.data())
def test_same_means_that_no_request_tells_them_apart(data: st.DataObject) -> None:
    names = data.draw(names_of_pair())
    old, new = data.draw(edited_pairs(names))
    difference = compared(old, new)
    requests = all_requests(difference)
    if not requests:
        return
    differs = any(kind_between(old, new, r) is not None for r in requests)
    assert bool(difference.pairs) == differs
    if difference.verdict is Verdict.SAME:
        assert not differs


@given(st.data())
def test_pairs_kinds_and_counts_are_those_of_every_request(data: st.DataObject) -> None:
    names = data.draw(names_of_pair())
    old, new = data.draw(edited_pairs(names))
    difference = compared(old, new)
    requests = all_requests(difference)
    if not requests:
        return
    expected = changed_cells(difference.together, old, new, requests)
    found = {
        (item.change.before.name, item.change.after.name): {
            kind: count.number for kind, count in item.region.counts.items() if count.exact
        }
        for item in difference.pairs
    }
    assert found == {rules: dict(kinds) for rules, kinds in expected.items()}
    for item in difference.pairs:
        assert item.change.kind == max(expected[item.change.before.name, item.change.after.name])


@given(st.data())
def test_a_policy_is_the_same_as_itself(data: st.DataObject) -> None:
    program = data.draw(programs())
    difference = compared(program, program)
    assert difference.verdict is Verdict.SAME
    assert not difference.declared and not difference.opened


@given(st.data())
def test_the_boxes_of_a_region_hold_exactly_its_requests(data: st.DataObject) -> None:
    names = data.draw(names_of_pair())
    old, new = data.draw(edited_pairs(names))
    difference = compared(old, new)
    together = difference.together
    requests = all_requests(difference)
    for item in difference.pairs:
        listed = places(together, item.change.before, item.change.after)
        assert listed.whole
        rules = (item.change.before.name, item.change.after.name)
        for kind, boxes in listed.boxes.items():
            conditions = [box_condition(together.matrix, b) for b in merged_boxes(together.matrix, boxes)]
            for request in requests:
                inside = any(holds(together.program, c, request) for c in conditions)
                deciding = (rule_name(evaluate(old, request)), rule_name(evaluate(new, request)))
                assert inside == (deciding == rules and kind_between(old, new, request) is kind)


@given(st.data())
def test_every_witness_is_one(data: st.DataObject) -> None:
    names = data.draw(names_of_pair())
    old, new = data.draw(edited_pairs(names))
    difference = compared(old, new)
    for item in difference.pairs:
        for kind, shown in item.shown:
            assert kind_between(old, new, shown.request) is kind
            assert rule_name(evaluate(old, shown.request)) == item.change.before.name
            assert rule_name(evaluate(new, shown.request)) == item.change.after.name


@given(st.data())
def test_looser_is_what_some_request_gets_that_it_did_not(data: st.DataObject) -> None:
    names = data.draw(names_of_pair())
    old, new = data.draw(edited_pairs(names))
    difference = compared(old, new)
    requests = all_requests(difference)
    if not requests:
        return
    looser = any(kind_between(old, new, r) is Kind.LOOSER for r in requests)
    assert any(item.change.kind is Kind.LOOSER for item in difference.pairs) == looser
    if looser:
        assert difference.verdict is Verdict.LOOSER


@given(st.data())
def test_a_target_is_newly_got_exactly_where_some_request_newly_gets_it(data: st.DataObject) -> None:
    names = data.draw(names_of_pair())
    old, new = data.draw(edited_pairs(names))
    every = frozenset(t.name for t in new.targets)
    difference = compared(old, new, deny_new=every)
    requests = all_requests(difference)
    if not requests:
        return
    reached = set()
    for request in requests:
        plans = [getattr(evaluate(p, request), "targets", ()) for p in (old, new)]
        reached |= set(plans[1]) - set(plans[0])
    found = {d.newly.target: d for d in difference.denied}
    assert {t for t, d in found.items() if d.newly.how == "reached"} == reached
    for denied in found.values():
        assert denied.shown is not None


@given(st.data())
def test_counting_and_listing_agree_where_requests_are_too_many_to_list(data: st.DataObject) -> None:
    """Two ways to the same number: by states of clauses, and by disjoint boxes with their possible cells."""
    names = tuple(data.draw(st.lists(st.sampled_from(READABLE), min_size=3, max_size=6, unique=True)))
    old, new = data.draw(edited_pairs(names))
    difference = compared(old, new)
    together = difference.together
    possible = Possible(together.matrix)
    for item in difference.pairs:
        listed = places(together, item.change.before, item.change.after)
        if not listed.whole or not item.region.exact:
            continue
        counted = {kind: count.number for kind, count in item.region.counts.items()}
        assert counted == {
            kind: n for kind, found in listed.boxes.items() if (n := sum(map(possible.count, found)))
        }


def test_a_route_that_only_one_side_still_looks_at_stays_closed_on_the_other() -> None:
    """Both policies have the same two routes, so their conditions are clauses of both; the guards differ."""
    policy = """
edition 1
bool urgent from header "x-urgent" unknown false
target local { location on_prem context 1000000000000
    speaks chat, completions, responses, embeddings, messages
    supports tools, images, json, reasoning, server_tools, stored, remote_content }
guard shut forbid target == local when CONDITION because "R"
deny else_ when not urgent because "R"
route first to local when urgent
route again to local when urgent
otherwise reject "nobody" status STATUS
"""
    old = policy.replace("CONDITION", "urgent").replace("STATUS", "403")
    new = policy.replace("CONDITION", 'team starts with "a"').replace("STATUS", "429")
    found = difference(old, new)
    assert {
        (item.change.before.kind, item.change.after.kind, kind): count.exact and count.number > 0
        for item in found.pairs
        for kind, count in item.region.counts.items()
    } == {("otherwise", "otherwise", Kind.OTHER_STATUS): True, ("otherwise", "route", Kind.LOOSER): True}


def test_a_line_that_names_few_of_many_rules_is_a_sentence() -> None:
    routes = "".join(f'route r{i} to local when team == "t{i}"\n' for i in range(9))
    found = difference(
        BASE.replace("route batch", routes + "route batch"),
        BASE.replace("route batch", routes + "route batch").replace("to cloud, local", "to local, cloud"),
    )
    lines = [line for item in found.pairs for line in region_lines(found.together, item.region)]
    assert any(re.search(r"`r3` or one of \d more decides", line) for line in lines), lines


EDITS = [
    ("sensitivity >= confidential\n", "sensitivity >= confidential and not tools\n"),
    ('contains any { "secret", "private-key" } or opaque', 'contains "secret" or opaque'),
    ("context   64k", "context   100k"),
    ("route frugal        to gpu             when cost == sensitive or task in { side_call, completion }\n", ""),
    ("to gpu, fast\n", "to fast, gpu\n"),
]  # fmt: skip


@pytest.mark.parametrize(("part", "other"), EDITS, ids=range(len(EDITS)))
def test_counting_and_listing_agree_about_a_shipped_policy(part: str, other: str) -> None:
    text = (Path(__file__).parents[2] / "policies" / "coding-team.policy").read_text()
    assert part in text
    meant = [load_text(t, "a.policy").meant for t in (text, text.replace(part, other))]
    assert meant[0] is not None and meant[1] is not None
    difference = compared(meant[0], meant[1])
    possible = Possible(difference.together.matrix)
    assert difference.pairs
    for item in difference.pairs:
        listed = places(difference.together, item.change.before, item.change.after)
        assert listed.whole and item.region.exact
        counted = {kind: count.number for kind, count in item.region.counts.items()}
        assert counted == {kind: sum(map(possible.count, found)) for kind, found in listed.boxes.items()}
