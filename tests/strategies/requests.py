"""Random raw requests to a program, as the outside world makes them.

`raw_requests(program)` draws what `admit` takes: values around the constants of the program, unknowns, and a few values
outside their domain or of a wrong type, which is what a caller may write into a claimed feature.
"""

from collections.abc import Mapping

from hypothesis import strategies as st

from policyd.policy.program import Feature, Program
from policyd.policy.request import unknown_value
from tests.strategies.programs import values_near

__all__ = ["raw_requests"]

_WILD: st.SearchStrategy[object] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**15),
    st.text(max_size=8),
    st.sampled_from(["2026-12-31", "2026-13-31", "-3", " eu ", "x" * 1025, "e\u0301", "true", "\ud800"]),
    st.frozensets(st.text("abc.-", max_size=6), max_size=3),
    st.floats(allow_nan=True),
    st.lists(st.integers(), max_size=2),
)


def raw_requests(program: Program) -> st.SearchStrategy[Mapping[str, object]]:
    """What `admit` is given: a value near the constants for each feature, and for up to two something else."""

    def near(feature: Feature) -> st.SearchStrategy[object]:
        values: st.SearchStrategy[object] = st.sampled_from(values_near(program, feature))
        return values if unknown_value(feature) is None else st.one_of(values, values, values, st.none())

    usual = st.fixed_dictionaries({f.name: near(f) for f in program.features})
    odd = st.dictionaries(st.sampled_from([f.name for f in program.features]), _WILD, max_size=2)
    return st.builds(lambda values, others: {**values, **others}, usual, odd)
