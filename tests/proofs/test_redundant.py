"""What could go without any request being decided otherwise, against brute force: removing it and looking at every request."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given

from policyd.policy.builtins import BUILTIN_FEATURES
from policyd.policy.condition import TRUE, All, Condition, Either, OneOf, both, either
from policyd.policy.program import (
    EnumDomain,
    Feature,
    Group,
    Guard,
    Member,
    Otherwise,
    Program,
    Provenance,
    Route,
    Where,
)
from policyd.policy.request import Request
from policyd.policy.wording import condition_text
from policyd.proofs.kinds import kind_of
from policyd.proofs.redundant import redundant
from policyd.text.diagnostic import Severity
from tests.proofs import brute
from tests.proofs.test_proofs import case_of, small
from tests.strategies.programs import TARGETS

PARTS = ("routes", "denies", "guards")


def without(program: Program, part: str, index: int) -> Program:
    rules = getattr(program, part)
    return replace(program, **{part: (*rules[:index], *rules[index + 1 :])})


def same(old: Program, new: Program, every: list[Request]) -> bool:
    return all(kind_of(old, new, request) is None for request in every)


def live_rules(program: Program, every: list[Request]) -> Iterator[tuple[str, int, str]]:
    dead = brute.dead(program, every)
    for part in PARTS:
        for index, rule in enumerate(getattr(program, part)):
            if rule.name in dead or (part == "guards" and (rule.builtin or not rule.hits)):
                continue
            yield part, index, rule.name


def struck(condition: Condition) -> Iterator[tuple[str, Condition, Condition]]:
    """Each part that a person could strike out, with what is left of the condition."""
    operands = condition.operands if isinstance(condition, All) else (condition,)
    for number, operand in enumerate(operands):
        others = (*operands[:number], *operands[number + 1 :])
        if others and len(set(operands)) > 1:
            yield "condition", operand, both(*others)
        if isinstance(operand, Either):
            for place, one in enumerate(operand.operands):
                rest = either(*operand.operands[:place], *operand.operands[place + 1 :])
                yield "alternative", one, both(*others, rest)


@given(small())
def test_redundant_rules_are_those_that_can_go(case: tuple[Program, tuple[str, ...], list[Request]]) -> None:
    program, _, every = case
    wanted = {
        name
        for part, index, name in live_rules(program, every)
        if same(program, without(program, part, index), every)
    }
    found = redundant(case_of(program))
    assert {f.subject for f in found if f.code == "PD311"} == wanted


@given(small())
def test_the_search_alone_finds_the_same(case: tuple[Program, tuple[str, ...], list[Request]]) -> None:
    """Without the requests nearby that mostly show that a rule matters."""
    program, _, _ = case
    found = redundant(case_of(program))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("policyd.proofs.matters._NEARBY", 0)
        patch.setattr("policyd.proofs.redundant._NEAR", 0)
        assert redundant(case_of(program)) == found


@given(small())
def test_redundant_parts_are_those_that_can_be_struck_out(
    case: tuple[Program, tuple[str, ...], list[Request]],
) -> None:
    program, _, every = case
    wanted = set()
    for part, index, name in live_rules(program, every):
        if same(program, without(program, part, index), every):
            continue
        rules = getattr(program, part)
        for word, what, rest in struck(rules[index].condition):
            changed = (*rules[:index], replace(rules[index], condition=rest), *rules[index + 1 :])
            if same(program, replace(program, **{part: changed}), every):
                wanted.add((name, word, condition_text(program, what)))
    found = {
        (f.subject, f.message.split(" `")[0], f.message.split("`")[1])
        for f in redundant(case_of(program))
        if f.code == "PD312"
    }
    assert found == wanted


def test_an_order_that_matters_in_an_unlikely_place_only_is_found() -> None:
    """Both targets are allowed in the background only, where many clauses make a search look last."""
    latency = Feature("latency", EnumDomain(("interactive", "batch", "background")), Provenance.CLAIMED, Where("header", "x-latency"), "interactive")  # fmt: skip

    def when(word: str) -> OneOf:
        return OneOf("latency", frozenset({word}))

    idle = tuple(Guard(f"idle{i}", frozenset(), when("background"), "", "") for i in range(4))
    program = Program(
        (*BUILTIN_FEATURES, latency), (), TARGETS[:2],
        (Guard("g1", frozenset({"t1"}), when("interactive"), "", ""), Guard("g0", frozenset({"t0"}), when("batch"), "", ""), *idle),
        (),
        (
            Route("first", (Group("order", (Member("t0"), Member("t1"))),), TRUE),
            Route("second", (Group("order", (Member("t1"), Member("t0"))),), TRUE),
        ),
        Otherwise("no", 403, Severity.NOTE),
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("policyd.proofs.matters._NEARBY", 0)
        patch.setattr("policyd.proofs.redundant._NEAR", 0)
        assert "first" not in {f.subject for f in redundant(case_of(program)) if f.code == "PD311"}
