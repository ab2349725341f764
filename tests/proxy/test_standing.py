"""Which targets are out: reasons come and go on their own, and the oldest is the one that is told."""

from policyd.proxy.standing import Out, TargetsOut, Why


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_target_is_out_as_long_as_one_reason_stands() -> None:
    out = TargetsOut(Clock())
    assert out.is_out("a") is None
    out.take_out("a", Why.UNHEALTHY, "no answer")
    out.take_out("a", Why.MODEL_ABSENT, "no such model")
    assert out.bring_back("a", Why.UNHEALTHY)
    standing = out.is_out("a")
    assert standing is not None and standing.reason is Why.MODEL_ABSENT
    assert out.bring_back("a", Why.MODEL_ABSENT)
    assert out.is_out("a") is None
    assert out.all() == {}


def test_a_reason_that_stands_keeps_its_beginning_and_takes_the_newest_detail() -> None:
    clock = Clock()
    out = TargetsOut(clock)
    assert out.take_out("a", Why.UNHEALTHY, "first")
    clock.now = 130.0
    assert not out.take_out("a", Why.UNHEALTHY, "second")
    assert out.is_out("a") == Out(Why.UNHEALTHY, "second", 100.0)


def test_what_was_never_found_is_not_brought_back() -> None:
    out = TargetsOut(Clock())
    assert not out.bring_back("a", Why.UNHEALTHY)
    out.take_out("a", Why.UNHEALTHY, "no answer")
    assert not out.bring_back("a", Why.MODEL_ABSENT)
    assert not out.bring_back("b", Why.UNHEALTHY)
    assert list(out.all()) == ["a"]


def test_targets_that_are_no_longer_bound_are_forgotten() -> None:
    out = TargetsOut(Clock())
    for target in ("a", "b"):
        out.take_out(target, Why.UNHEALTHY, "no answer")
    view = out.all()
    out.keep_only(["b", "c"])
    assert list(out.all()) == ["b"]
    assert list(view) == ["a", "b"]
