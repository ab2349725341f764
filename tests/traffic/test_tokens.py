"""Token counts: the bounds hold against the real tokenizer, and counting in steps is counting."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyd.memo import Memo
from policyd.traffic.tokens import PIECE, TokenCounter, byte_bounds, count_till_limit, counting_steps

bindings = pytest.importorskip("bpe_openai._bindings", reason="needs bpe-openai")
tokenizer = bindings.tokenizer_for_encoding("o200k_base")
older = bindings.tokenizer_for_encoding("cl100k_base")

TRICKY = st.text(alphabet="abZQ'’ 0123456789\n\t\r.,—é\u0301漢²½:/_-!\u00a0İſ🙂", max_size=40)
PROSE = "The quick brown fox doesn't jump over 1,234 lazy dogs; it's 12:30.\n  Indented, twice.\n\n"


@settings(max_examples=1000)
@given(TRICKY | st.text(max_size=40))
def test_the_bounds_hold(text: str) -> None:
    low, high = byte_bounds([text])
    assert low <= min(tokenizer.count(text), older.count(text))
    assert max(tokenizer.count(text), older.count(text)) <= high


@given(st.lists(TRICKY, max_size=5))
def test_the_bounds_of_several_texts_are_their_sums(texts: list[str]) -> None:
    bounds = [byte_bounds([text]) for text in texts]
    assert byte_bounds(texts) == (sum(low for low, _ in bounds), sum(high for _, high in bounds))


@pytest.mark.parametrize(
    ("text", "low"),
    [
        ("", 0),
        ("hello world", 2),
        ("don't", 1),
        ("12345", 2),
        ("1 2 3", 3),
        ("a1b2", 4),
        ("漢字", 0),
        ("...", 0),
        ("x_y", 2),
    ],
)
def test_the_lower_bound_counts_words_and_numbers(text: str, low: int) -> None:
    assert byte_bounds([text])[0] == low <= tokenizer.count(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        PROSE * 900,
        "def f(x):\n    return {'a': [1, 2, 3]}\n" * 2_000,
        ("word " * 10 + " " * 200) * 400,
        "漢字仮名交じり文 と 空白 " * 4_000,
        '{"key":"value","list":[1,2,3]} ' * 3_000,
    ],
    ids=["nothing", "prose", "code", "runs of spaces", "Japanese with spaces", "JSON"],
)
def test_counting_in_pieces_is_exact_where_there_are_spaces_between_words(text: str) -> None:
    assert count_till_limit([text], 10**9) == tokenizer.count(text)
    assert TokenCounter(vocabulary="cl100k").count_till_limit([text], 10**9) == older.count(text)


@pytest.mark.parametrize(
    "text",
    ["a" * 100_000, "\n \n\t " * 20_000, "漢字仮名" * 30_000, "0123456789" * 10_000, '{"k":1,' * 20_000],
)
def test_without_spaces_a_cut_costs_a_few_tokens(text: str) -> None:
    cuts = len(text) // PIECE + 1
    assert abs(count_till_limit([text], 10**9) - tokenizer.count(text)) <= 4 * cuts


@given(
    st.lists(st.sampled_from(["", "a b", PROSE, PROSE * 300, "x" * 40_000]), max_size=4),
    st.integers(0, 20_000),
)
def test_a_count_is_exact_up_to_the_limit_and_above_it_beyond(texts: list[str], limit: int) -> None:
    exact = TokenCounter(tokenizer).count_till_limit(texts, 10**9)
    counted = TokenCounter(tokenizer).count_till_limit(texts, limit)
    assert counted == exact if exact <= limit else limit < counted <= exact


class Watched:
    """A tokenizer that remembers what it was given."""

    def __init__(self) -> None:
        self.pieces: list[str] = []

    def count(self, text: str) -> int:
        self.pieces.append(text)
        return len(text.split())


@given(st.text(alphabet="ab \n", max_size=200).map(lambda s: s * 400))
def test_pieces_are_small_and_make_the_text(text: str) -> None:
    watched = Watched()
    steps = list(TokenCounter(watched).counting_steps([text], 10**9))
    assert "".join(watched.pieces) == text
    assert all(len(piece) <= PIECE for piece in watched.pieces)
    assert len(steps) == len(watched.pieces) + 1
    assert steps == sorted(steps)


def test_counting_stops_at_the_limit() -> None:
    watched = Watched()
    assert TokenCounter(watched).count_till_limit([PROSE * 10_000], 100) > 100
    assert len(watched.pieces) == 1


def test_a_text_is_counted_once() -> None:
    watched = Watched()
    counter = TokenCounter(watched)
    text = PROSE * 1_000
    first = counter.count_till_limit([text], 10**9)
    seen = len(watched.pieces)
    assert counter.count_till_limit([text], 10**9) == first
    assert len(watched.pieces) == seen


def test_a_count_that_stopped_is_not_remembered_as_the_whole() -> None:
    counter = TokenCounter(Watched())
    text = PROSE * 1_000
    counter.count_till_limit([text], 10)
    assert counter.count_till_limit([text], 10**9) == TokenCounter(Watched()).count_till_limit([text], 10**9)


def test_nothing_is_no_tokens() -> None:
    assert list(counting_steps([], 0)) == [0]


def test_a_memo_forgets_the_least_recently_used_first() -> None:
    memo: Memo[int] = Memo(3 * 10, cost=10)
    keys = [memo.key(str(i)) for i in range(4)]
    for number, key in enumerate(keys[:3]):
        memo.put(key, number)
    assert memo.get(keys[0]) == 0
    memo.put(keys[3], 3)
    assert [memo.get(key) for key in keys] == [0, None, 2, 3]
    assert len(memo) == 3


def test_a_memo_without_room_remembers_nothing() -> None:
    memo: Memo[int] = Memo(0)
    memo.put(memo.key("x"), 1)
    assert len(memo) == 0


def test_a_memos_keys_depend_on_its_salt() -> None:
    assert Memo[int](99, salt=b"a").key("x") != Memo[int](99, salt=b"b").key("x")


def test_a_memo_stays_within_its_bound_under_threads() -> None:
    memo: Memo[int] = Memo(50 * 10, cost=10)

    def work(seed: int) -> None:
        for number in range(500):
            key = memo.key(str((seed * 7 + number) % 120))
            if memo.get(key) is None:
                memo.put(key, number)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(memo) <= 50
