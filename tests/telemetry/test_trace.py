"""Trace context: which header is believed, who is sampled, and what a target is told."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.proxy.telemetry.trace import Parent, Sampler, read_parent

TRACE, SPAN = 0x0AF7651916CD43DD8448EB211C80319C, 0x00F067AA0BA902B7
VALID = b"00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"


def drawing(*numbers: int) -> Callable[[int], int]:
    left = list(numbers)
    return lambda _: left.pop(0)


@pytest.mark.parametrize(
    ("value", "parent"),
    [
        (VALID, Parent(TRACE, SPAN, True)),
        (VALID[:-2] + b"00", Parent(TRACE, SPAN, False)),
        (VALID[:-2] + b"03", Parent(TRACE, SPAN, True)),
        (b"cc" + VALID[2:] + b"-later", Parent(TRACE, SPAN, True)),
        (b" " + VALID + b" ", Parent(TRACE, SPAN, True)),
        (VALID + b"-more", None),
        (b"ff" + VALID[2:], None),
        (VALID.upper(), None),
        (b"00-" + b"0" * 32 + VALID[35:], None),
        (VALID[:36] + b"0" * 16 + VALID[52:], None),
        (VALID[:-1], None),
        (b"", None),
    ],
)  # fmt: skip
def test_which_parent_is_believed(value: bytes, parent: Parent | None) -> None:
    assert read_parent([(b"accept", b"x"), (b"traceparent", value)]) == parent


def test_two_parents_are_none() -> None:
    assert read_parent([(b"traceparent", VALID), (b"traceparent", VALID)]) is None


def test_a_sampled_parent_is_continued_whatever_the_ratio() -> None:
    trace = Sampler(0.0, spans=True, draw=drawing(7, 8, 9)).begin([(b"traceparent", VALID)])
    assert trace is not None
    assert (trace.sampled, trace.trace, trace.span, trace.parent) == (
        True,
        TRACE,
        7,
        Parent(TRACE, SPAN, True),
    )
    assert trace.header(0) == (b"traceparent", VALID[:36] + b"%016x-01" % 8)
    assert trace.header(1) == (b"traceparent", VALID[:36] + b"%016x-01" % 9)
    assert trace.attempts == {0: 8, 1: 9}


@pytest.mark.parametrize(("spans", "flag"), [(True, b"00"), (False, b"01")], ids=["it is not sampled", "nobody takes spans"])  # fmt: skip
def test_a_parent_without_spans_here_is_passed_on_as_it_is(spans: bool, flag: bytes) -> None:
    trace = Sampler(1.0, spans=spans).begin([(b"traceparent", VALID[:-2] + flag)])
    assert trace is not None and not trace.sampled
    assert trace.header(0) == (b"traceparent", VALID[:-2] + b"00")


@pytest.mark.parametrize(
    ("ratio", "drawn", "sampled"),
    [(0.0, 0, False), (0.5, 2**31 - 1, True), (0.5, 2**31, False), (1.0, 2**32 - 1, True)],
)
def test_a_share_of_the_others_is_sampled(ratio: float, drawn: int, sampled: bool) -> None:
    trace = Sampler(ratio, spans=True, draw=drawing(drawn, 5, 6)).begin([])
    assert (trace is not None) is sampled
    if trace is not None:
        assert (trace.trace, trace.span, trace.parent) == (5, 6, None)


def test_without_a_collector_nothing_is_begun() -> None:
    assert Sampler(1.0, spans=False).begin([]) is None


def test_no_id_is_zero() -> None:
    trace = Sampler(1.0, spans=True, draw=lambda _: 0).begin([])
    assert trace is not None
    assert (trace.trace, trace.span) == (1, 1)


@given(st.binary(max_size=80))
def test_whatever_a_caller_says_a_target_is_told_a_whole_header_or_none(value: bytes) -> None:
    trace = Sampler(0.0, spans=True).begin([(b"traceparent", value), (b"tracestate", value)])
    if trace is not None:
        name, written = trace.header(0)
        assert name == b"traceparent" and len(written) == 55
        assert read_parent([(name, written)]) is not None
