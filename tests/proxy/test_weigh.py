"""Counting and scanning: bounds that hold, and unknown where nothing is known."""

import asyncio
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyd.policy.program import MAX_NUMBER
from policyd.policy.request import EVERYTHING
from policyd.proxy.weigh import INLINE, Weigher, Weight, settled
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.read import read_request
from policyd.traffic.reading import Reading
from policyd.traffic.tokens import AS_COUNTED, PIECE, Measure, TokenCounter, count_till_limit
from tests.proxy.bench import CHAT, SECRET, Recorder, post, records, sidecar, three
from tests.upstream.scripted import run

NOTHING: frozenset[str] = frozenset()


def reading(body: dict[str, Any]) -> Reading:
    return read_request(EndpointName.CHAT, body)


def saying(text: str, **more: Any) -> dict[str, Any]:
    return CHAT | {"messages": [{"role": "user", "content": text}]} | more


def weighed(
    body: dict[str, Any], *marks: int, exact: frozenset[str] = NOTHING, seconds: float = 20.0
) -> Weight:
    weigher = Weigher(100, seconds=seconds)
    size = len(orjson.dumps(body))
    return asyncio.run(weigher.tokens(reading(body), size, {"context_needed": marks}, exact))


@pytest.mark.parametrize(
    ("low", "high", "marks", "same"),
    [
        (0, 9, (10,), True),
        (10, 99, (10,), True),
        (9, 10, (10,), False),
        (0, 10**9, (), True),
        (11, 19, (10, 20), True),
        (11, 20, (10, 20), False),
    ],
)
def test_settled(low: int, high: int, marks: tuple[int, ...], same: bool) -> None:
    assert settled(low, high, marks) is same


json_texts = st.text(max_size=40)
numbers = st.one_of(st.integers(-(10**15), 10**15), st.floats(allow_nan=False, allow_infinity=False))
parts = st.recursive(
    st.one_of(json_texts, numbers, st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(json_texts, inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(parts, json_texts, st.booleans())
def test_the_body_s_size_bounds_the_tokens(part: object, text: str, ascii_only: bool) -> None:
    """Whatever stands in a request and however its JSON is spelled."""

    body = saying(
        text, tools=[{"type": "function", "function": {"name": "f", "parameters": {"x": part}}}], extra=part
    )
    raw = json.dumps(body, ensure_ascii=ascii_only, separators=(",", ":")).encode("utf-8", "surrogatepass")
    seen = reading(body)
    weight = Weigher(0).by_size(seen, len(raw), {}, NOTHING)
    if weight is not None:
        low, high = weight.between["tokens"]
        assert low <= count_till_limit(seen.prompt, MAX_NUMBER) + seen.extra_tokens <= high


def test_nothing_is_counted_where_the_bounds_are_enough() -> None:
    weight = weighed(saying("a few words"), 50_000)
    assert weight.between["tokens"][0] < weight.between["tokens"][1]
    assert weight.context_needed < 50_000


@pytest.mark.parametrize("words", [700, 900, 1100, 1300])
def test_near_a_mark_the_tokens_are_counted(words: int) -> None:
    body = saying("word " * words)
    exact = count_till_limit(reading(body).prompt, MAX_NUMBER) + reading(body).extra_tokens
    weight = weighed(body, 1000, 1200)
    assert settled(weight.context_needed, exact + 100, (1000, 1200))


def test_the_client_s_maximum_takes_the_place_of_the_reserve() -> None:
    assert weighed(saying("hi", max_tokens=5000), 4000).context_needed >= 5000
    assert weighed(saying("hi"), 4000).context_needed < 4000


def test_a_split_by_tokens_gets_the_number_itself() -> None:
    body = saying("word " * 50)
    exact = count_till_limit(reading(body).prompt, MAX_NUMBER) + reading(body).extra_tokens
    weight = weighed(body, 10**6, exact=frozenset({"tokens"}))
    assert (weight.tokens, weight.between) == (exact, {})


def test_what_is_not_in_the_request_is_unknown() -> None:
    body = {"model": "m", "input": "hi", "previous_response_id": "resp_1"}
    seen = read_request(EndpointName.RESPONSES, body)
    weight = asyncio.run(Weigher(100).tokens(seen, 100, {"context_needed": (1000,)}, NOTHING))
    assert (weight.tokens, weight.context_needed) == (MAX_NUMBER, MAX_NUMBER)


def test_what_takes_too_long_is_unknown() -> None:
    long = saying("word " * 5000)
    assert weighed(long, 1000, seconds=0.0).tokens == MAX_NUMBER
    found = asyncio.run(Weigher(100, seconds=0.0).findings(reading(long), INLINE + 1))
    assert found is EVERYTHING


def test_findings_bring_the_names_above_them() -> None:
    found = asyncio.run(Weigher(100).findings(reading(saying(SECRET)), 100))
    assert "secret" in found
    assert any(name.startswith("secret.") for name in found)


@pytest.mark.parametrize(("team", "bounded"), [("cloud-only", False), ("search", True)])
def test_nothing_is_counted_where_the_number_changes_nothing_for_this_request(
    tmp_path: Path, team: str, bounded: bool
) -> None:
    """The route `long` asks for 100k, and who is of `cloud-only` never comes to it."""

    async def test() -> None:
        async with three(tmp_path, identity=f'kind = "loopback"\nteam = "{team}"') as running:
            answer = await running.ask(post("/v1/chat/completions", saying("word " * 24_000)))
            assert answer.status == 200

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert (record["features"]["tokens"]["at_most"] < 100_000 - 4096) is bounded


class Watched:
    """A tokenizer that remembers how much it was given."""

    def __init__(self) -> None:
        self.counted = 0

    def count(self, text: str) -> int:
        self.counted += len(text)
        return len(text.split())


def watched(*, measure: Measure = AS_COUNTED) -> tuple[Watched, Weigher]:
    tokenizer = Watched()
    return tokenizer, Weigher(0, measure, counters={measure.vocabulary: TokenCounter(tokenizer)})


def weigh(weigher: Weigher, body: dict[str, Any], *marks: int, exact: frozenset[str] = NOTHING) -> Weight:
    size = len(orjson.dumps(body))
    return asyncio.run(weigher.tokens(reading(body), size, {"tokens": marks}, exact))


def test_counting_ends_with_the_first_piece_beyond_the_last_mark() -> None:
    tokenizer, weigher = watched()
    # Without letters and digits nothing is known of how many there are at least.
    weight = weigh(weigher, saying("., " * 100_000), 1000, 8000)
    assert 8000 <= weight.between["tokens"][0] < 8000 + PIECE
    assert tokenizer.counted < 3 * 8000 + 2 * PIECE


def test_counting_ends_as_soon_as_what_is_left_cannot_reach_the_next_mark() -> None:
    tokenizer, weigher = watched()
    text = "one, " * 20_000
    weight = weigh(weigher, saying(text), 98_000)
    assert weight.between["tokens"][1] < 98_000
    # A token for each five bytes: of the 100 KB, the first piece says enough.
    assert 0 < tokenizer.counted <= PIECE
    assert weigh(weigher, saying(text), 98_000, exact=frozenset({"tokens"})).between == {}


def test_what_is_still_to_come_is_part_of_the_bounds() -> None:
    _, weigher = watched()
    messages = [{"role": "user", "content": f"{n} " + "long " * 5000} for n in range(2)]
    weight = weigh(weigher, CHAT | {"messages": messages}, 8000)
    # Ten thousand words in all, of which the first message has half.
    assert weight.tokens >= 10_000


def turns(number: int) -> dict[str, Any]:
    """A conversation: each turn is 2 KB that no other has."""
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": f"turn {n}: " + f"word{n} " * 300} for n in range(number)]
    tools = [
        {"type": "function", "function": {"name": f"f{n}", "description": "finds it " * 60}}
        for n in range(20)
    ]
    return CHAT | {"messages": messages, "tools": tools}


def test_the_next_turn_counts_what_is_new() -> None:
    tokenizer, weigher = watched()
    exact = frozenset({"tokens"})
    before = weigh(weigher, turns(100), exact=exact)
    assert tokenizer.counted > 200_000
    tokenizer.counted = 0
    after = weigh(weigher, turns(102), exact=exact)
    assert 2 * 2000 < tokenizer.counted < 2 * 3000
    assert after.tokens > before.tokens
    tokenizer.counted = 0
    # Where only a mark matters, what is remembered and the bounds of the rest are enough.
    assert weigh(weigher, turns(104), before.tokens - 500, 10**6).between
    assert tokenizer.counted == 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["", "a b", "word " * 150, "long " * 5000, "x" * 700]), max_size=6),
    st.lists(st.integers(-50, 30_000), max_size=3, unique=True),
    st.sampled_from([500, 1000, 1150, 2000]),
)
def test_whatever_was_counted_no_mark_lies_between_the_bounds(
    texts: list[str], marks: list[int], permille: int
) -> None:
    measure = Measure("o200k", permille)
    _, weigher = watched(measure=measure)
    body = CHAT | {"messages": [{"role": "user", "content": text} for text in texts]}
    exact = weigh(weigher, body, exact=frozenset({"tokens"})).tokens
    seen = reading(body)
    assert exact == measure.of(sum(len(text.split()) for text in seen.prompt)) + seen.extra_tokens
    _, fresh = watched(measure=measure)
    for _ in range(2):
        weight = weigh(fresh, body, *sorted(marks))
        low, high = weight.between.get("tokens", (weight.tokens, weight.tokens))
        assert low <= exact <= high and settled(low, high, tuple(sorted(marks)))


@given(st.integers(1, 10**7), st.integers(250, 8000))
def test_a_measure_says_where_a_number_is_reached(tokens: int, permille: int) -> None:
    measure = Measure("o200k", permille)
    first = measure.reached_at(tokens)
    assert measure.of(first - 1) < tokens <= measure.of(first)


REMAINING = """
edition 1
string team from identity unknown reject
target wide { location on_prem  context 100M  speaks chat  supports tools }
target deep { location on_prem  context 100M  speaks chat  supports tools }
route short to deep  when team == "a" and tokens > 8k
route long  to deep  when team == "b" and tokens > 100k
route rest  to wide
otherwise reject "no"
"""


@pytest.mark.parametrize(("team", "mark"), [("a", 8_000), ("b", 100_000)])
def test_counting_ends_at_the_largest_number_that_the_rest_of_the_decision_needs(
    tmp_path: Path, team: str, mark: int
) -> None:
    async def test() -> None:
        identity = f'kind = "loopback"\nteam = "{team}"'
        async with (
            Recorder() as wide,
            Recorder() as deep,
            sidecar(tmp_path, {"wide": wide, "deep": deep}, policy=REMAINING, identity=identity) as running,
        ):
            answer = await running.ask(post("/v1/chat/completions", saying("., " * 400_000)))
            assert (answer.status, answer.headers[b"x-policyd-target"]) == (200, b"deep")

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert mark < record["features"]["tokens"]["at_least"] < mark + PIECE


def test_the_policy_s_tokens_are_scaled_as_the_deployment_says(tmp_path: Path) -> None:
    async def test() -> None:
        scaled = '[tokens]\ntokenizer = "cl100k"\nscale = 1.5\n'
        async with three(tmp_path, extra=scaled) as running:
            # 70,000 tokens are below the 100k of the route `long`, and half as many again are not.
            answer = await running.ask(post("/v1/chat/completions", saying("word " * 70_000)))
            assert answer.headers[b"x-policyd-route"] == b"long"

    run(test())


def test_where_nothing_is_scaled_the_same_request_is_short(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            answer = await running.ask(post("/v1/chat/completions", saying("word " * 70_000)))
            assert answer.headers[b"x-policyd-route"] == b"rest"

    run(test())
