"""A split: shares as written, a key stays where it is, a removal moves only what it must."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from policyd.policy.program import Member
from policyd.policy.rendezvous import chosen, split_order

KEYS = [f"user-{i}" for i in range(6_000)]
MEMBERS = (Member("a", 70), Member("b", 20), Member("c", 10))

members = st.lists(
    st.builds(Member, st.sampled_from("abcdefgh"), st.integers(1, 1_000)),
    min_size=2,
    unique_by=lambda m: m.target,
).map(tuple)


def test_shares_are_the_weights() -> None:
    # A fixed set of keys, so the counts are the same on every machine; 3 % of 6,000 is four standard deviations and more.
    counts = Counter(chosen(key, MEMBERS).target for key in KEYS)
    for member in MEMBERS:
        assert abs(counts[member.target] / len(KEYS) - member.weight / 100) < 0.03


def test_equal_weights_are_equal_shares() -> None:
    counts = Counter(chosen(key, (Member("a", 5), Member("b", 5))).target for key in KEYS)
    assert abs(counts["a"] / len(KEYS) - 0.5) < 0.03


@given(members, st.text(max_size=20))
def test_a_removal_moves_only_the_keys_of_what_is_removed(found: tuple[Member, ...], key: str) -> None:
    holder = chosen(key, found)
    for gone in found:
        if gone is not holder and len(found) > 1:
            assert chosen(key, [m for m in found if m is not gone]) is holder


@given(members, st.text(max_size=20), st.integers(2, 50))
def test_only_shares_matter(found: tuple[Member, ...], key: str, factor: int) -> None:
    scaled = [Member(m.target, m.weight * factor) for m in found]
    assert chosen(key, scaled).target == chosen(key, found).target


@given(members, st.text(max_size=20))
def test_the_others_follow_as_written(found: tuple[Member, ...], key: str) -> None:
    order = split_order(key, found)
    assert order[0] == chosen(key, found).target
    assert list(order[1:]) == [m.target for m in found if m.target != order[0]]
