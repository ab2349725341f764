"""Which routes decide something in a region, asked many at once, against brute force."""

from hypothesis import given
from hypothesis import strategies as st

from policyd.policy.decision import Plan
from policyd.policy.evaluate import evaluate
from policyd.policy.program import Program
from policyd.policy.request import Request
from policyd.proofs.deciders import Deciders
from policyd.proofs.find import Cell, Found
from policyd.proofs.reach import Hunt
from tests.proofs.test_proofs import case_of, small


@given(small(routes=9), st.data())
def test_the_routes_that_decide_in_a_region_are_all_found(
    drawn: tuple[Program, tuple[str, ...], list[Request]], data: st.DataObject
) -> None:
    program, _, every = drawn
    case = case_of(program)
    side = case.reach.side
    denied = case.reach.denied

    def ask(need: int, guards: tuple[int, ...], passed: int) -> Cell | None:
        case.finder.start()
        answer = case.reach.hunt(Hunt({}, denied, (need,), (passed,), guards))
        return answer.cell if isinstance(answer, Found) else None

    alive = {d.route for r in every if isinstance(d := evaluate(program, r), Plan)}
    wanted = data.draw(st.sets(st.integers(0, max(0, len(program.routes) - 1))))
    order = tuple(range(len(program.routes)))
    deciders = Deciders(side, case.matrix, case.finder.matched, ask)
    found = [index for index, _ in deciders.among(order, wanted.__contains__)]
    assert len(found) == len(set(found))
    assert {program.routes[i].name for i in found} <= alive
    assert {i for i in wanted if i < len(order) and program.routes[i].name in alive} <= set(found)
    assert deciders.passed() == sum(side.route(i) for i in found)
