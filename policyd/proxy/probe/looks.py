"""The looks at one target: which questions are asked, one after the other, and the verdicts that come of the answers.

In come the stated facts and a way to ask; out go verdicts. The one idea: a look is a short program over pure judgements
(`listing`, `spoken`, `length`), so that what is asked stands in one place. A fact about which nothing was learnt has no
verdict, and what was found about it before stands.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from policyd.proxy.probe.expected import Expected, Verdict
from policyd.proxy.probe.length import asks_at, judge_length, long_question, measure_of, short_questions
from policyd.proxy.probe.listing import (
    Listing,
    absent_models,
    judge_listing,
    judge_loaded,
    judge_properties,
    judge_tags,
    listing_of,
    loaded_context,
    tells_properties,
)
from policyd.proxy.probe.question import Answer, Ask, Question, Said, read_object
from policyd.proxy.probe.spoken import (
    free_question,
    is_spoken,
    judge_spoken,
    path_exists,
    tiny_question,
    versioned,
)

__all__ = ["look_at_context", "look_at_dialects", "look_at_models"]

Verdicts = tuple[Verdict, ...]

FREE_SECONDS = 10.0
"""For an answer that costs the server nothing."""


async def look_at_models(expected: Expected, ask: Ask, *, load: bool = False) -> Verdicts:
    """The lists of models, by requests that cost nothing. `load`: have Ollama load a pinned model that is not, because what
    it was loaded with last is what stands against it."""
    seconds = min(FREE_SECONDS, expected.probe.timeout)
    anthropic = "openai" not in expected.target.binding.dialects
    headers = versioned("messages") if anthropic else ()

    async def get(path: str) -> Answer:
        return await ask(expected.name, Question(path, None, headers), seconds)

    found: list[Verdict] = []
    listing = listing_of(read_object(await get("/v1/models")))
    if listing is not None:
        absent = [model for model in absent_models(expected, listing) if not await _has(get, model)]
        found += judge_listing(expected, listing, absent)
        if tells_properties(listing):
            found += judge_properties(expected, read_object(await get("/props")))
    if expected.on_prem:
        tags = listing_of(read_object(await get("/api/tags")))
        if tags is not None:
            found += await _look_at_ollama(expected, ask, tags, load=load)
    return tuple(found)


async def _has(get: Any, model: str) -> bool:
    """A list may be cut short, or leave out names by which a model is known too. Absent is what neither has."""
    path = f"/v1/models/{quote(model, safe='/:@')}"
    answer: Answer = await get(path)
    # An answer that says nothing is no contradiction.
    return not isinstance(answer, Said) or answer.status != 404


async def _look_at_ollama(expected: Expected, ask: Ask, tags: Listing, *, load: bool) -> list[Verdict]:
    seconds = min(FREE_SECONDS, expected.probe.timeout)
    found = list(judge_tags(expected, tags))
    loaded = await _loaded(expected, ask, seconds)
    if load:
        for model in (m for m in expected.models if loaded[m] is None):
            # Without a prompt Ollama loads the model, and generates nothing.
            await ask(expected.name, Question("/api/generate", {"model": model}), expected.probe.timeout)
        loaded = await _loaded(expected, ask, seconds)
    shown: dict[str, Mapping[str, Any] | None] = {}
    for model in expected.models:
        shown[model] = read_object(await ask(expected.name, Question("/api/show", {"model": model}), seconds))
    return [*found, *judge_loaded(expected, shown, loaded)]


async def _loaded(expected: Expected, ask: Ask, seconds: float) -> dict[str, int | None]:
    answer = read_object(await ask(expected.name, Question("/api/ps"), seconds))
    return {model: loaded_context(answer, model) for model in expected.models}


async def look_at_dialects(expected: Expected, ask: Ask) -> Verdicts:
    """Each endpoint that the policy says is spoken: for free where the server shows it, else with a tiny request."""
    spoken: dict[str, bool | None] = {}
    for endpoint in sorted(expected.speaks):
        free = await ask(expected.name, free_question(endpoint), min(FREE_SECONDS, expected.probe.timeout))
        if path_exists(free):
            spoken[endpoint] = True
            continue
        question = tiny_question(endpoint, expected.models[0])
        spoken[endpoint] = is_spoken(endpoint, await ask(expected.name, question, expected.probe.timeout))
    verdict = judge_spoken(expected, spoken)
    return () if verdict is None else (verdict,)


async def look_at_context(expected: Expected, ask: Ask) -> Verdicts:
    """A prompt as long as the context is said to be. Two short ones measure first what this server counts as a token."""
    endpoint = asks_at(expected)
    if endpoint is None:
        return ()
    model, seconds = expected.models[0], expected.probe.timeout
    few, some = short_questions(endpoint, model)
    measure = measure_of(await ask(expected.name, few, seconds), await ask(expected.name, some, seconds))
    if measure is None:
        return ()
    long = long_question(expected, endpoint, model, measure)
    if long is None:
        return ()
    question, sent = long
    verdict = judge_length(sent, await ask(expected.name, question, seconds))
    return () if verdict is None else (verdict,)
