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
from policyd.traffic.tokens import count_till_limit
from tests.proxy.bench import CHAT, SECRET, post, records, three
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


@pytest.mark.parametrize(("team", "counted"), [("cloud-only", False), ("search", True)])
def test_nothing_is_counted_where_the_number_changes_nothing_for_this_request(
    tmp_path: Path, team: str, counted: bool
) -> None:
    """The route `long` asks for 100k, and who is of `cloud-only` never comes to it."""

    async def test() -> None:
        async with three(tmp_path, identity=f'kind = "loopback"\nteam = "{team}"') as running:
            answer = await running.ask(post("/v1/chat/completions", saying("word " * 24_000)))
            assert answer.status == 200

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    tokens = record["features"]["tokens"]
    assert isinstance(tokens, int) is counted
    assert counted or tokens["at_most"] > 100_000
