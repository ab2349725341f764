"""What each look makes of what servers say: every kind of server that is known, and those that say nothing."""

import asyncio
import json
from collections.abc import Awaitable
from typing import Any, TypeVar

import pytest

from policyd.proxy.probe.expected import Expected, Verdict
from policyd.proxy.probe.looks import look_at_context, look_at_dialects, look_at_models
from policyd.proxy.standing import Why
from tests.probe.server import Asked, Table, expected, models

T = TypeVar("T")

LOCAL = {"name": "m:latest", "model": "m:latest", "size": 1}
REMOTE = {
    "name": "big:cloud",
    "model": "big:cloud",
    "remote_host": "https://ollama.com:443",
    "remote_model": "big",
}


def done(work: Awaitable[T]) -> T:
    async def run() -> T:
        return await work

    return asyncio.run(run())


def against(verdicts: tuple[Verdict, ...]) -> dict[Why, str]:
    return {v.why: v.against for v in verdicts if v.against is not None}


def borne_out(verdicts: tuple[Verdict, ...]) -> set[Why]:
    return {v.why for v in verdicts if v.against is None}


def look(table: Table, stated: Expected, **options: bool) -> tuple[Verdict, ...]:
    return done(look_at_models(stated, Asked(table), **options))


def test_a_server_that_lists_the_pinned_model_and_its_context_bears_both_out() -> None:
    table: Table = {("GET", "/v1/models"): models({"id": "m", "owned_by": "vllm", "max_model_len": 32_000})}
    verdicts = look(table, expected())
    assert against(verdicts) == {}
    assert borne_out(verdicts) == {Why.MODEL_ABSENT, Why.CONTEXT_SMALLER}


@pytest.mark.parametrize("key", ["max_model_len", "context_length", "context_window", "max_context_length"])
def test_a_listed_context_below_the_fact_is_a_contradiction(key: str) -> None:
    table: Table = {("GET", "/v1/models"): models({"id": "m", key: 31_999})}
    (said,) = against(look(table, expected())).values()
    assert "31,999" in said and "32,000" in said


def test_a_pinned_model_that_is_neither_listed_nor_known_by_name_is_absent() -> None:
    table: Table = {("GET", "/v1/models"): models({"id": "other"})}
    verdicts = against(look(table, expected(models=("m", "other", "small"))))
    assert list(verdicts) == [Why.MODEL_ABSENT]
    assert "`m`, `small`" in verdicts[Why.MODEL_ABSENT]


def test_a_list_may_leave_out_a_name_by_which_the_model_is_known() -> None:
    table: Table = {
        ("GET", "/v1/models"): models({"id": "other"}),
        ("GET", "/v1/models/m"): (200, {"id": "m"}),
    }
    assert borne_out(look(table, expected())) == {Why.MODEL_ABSENT}


def test_a_server_that_will_not_say_whether_it_has_the_model_has_not_contradicted() -> None:
    table: Table = {("GET", "/v1/models"): models({"id": "other"}), ("GET", "/v1/models/m"): (500, {})}
    assert against(look(table, expected())) == {}


@pytest.mark.parametrize(
    "answer",
    [(404, {}), (500, {}), (401, {"error": "no"}), (200, {"fine": True}), (200, ["m"]), (200, {"data": {"id": "m"}})],
)  # fmt: skip
def test_a_server_that_has_no_list_has_said_nothing(answer: tuple[int, object]) -> None:
    assert look({("GET", "/v1/models"): answer}, expected()) == ()


def test_where_the_callers_name_passes_no_model_is_missed() -> None:
    assert (
        look({("GET", "/v1/models"): models({"id": "other", "max_model_len": 10})}, expected(models=())) == ()
    )


def test_a_server_that_answers_to_any_name_misses_none_and_tells_its_context_itself() -> None:
    table: Table = {
        ("GET", "/v1/models"): models(
            {"id": "tiny", "owned_by": "llamacpp", "meta": {"n_ctx_train": 131_072}}
        ),
        ("GET", "/props"): (200, {"default_generation_settings": {"n_ctx": 4096}}),
    }
    verdicts = look(table, expected())
    assert list(against(verdicts)) == [Why.CONTEXT_SMALLER]
    table[("GET", "/props")] = (200, {"default_generation_settings": {"n_ctx": 32_768}})
    assert borne_out(look(table, expected())) == {Why.MODEL_ABSENT, Why.CONTEXT_SMALLER}


def ollama(loaded: int | None = None, about: dict[str, Any] | None = None, *tags: object) -> Table:
    rows = [] if loaded is None else [{"name": "m:latest", "model": "m:latest", "context_length": loaded}]
    return {
        ("GET", "/v1/models"): models({"id": "m:latest", "owned_by": "library"}),
        ("GET", "/api/tags"): (200, {"models": [LOCAL, *tags]}),
        ("GET", "/api/ps"): (200, {"models": rows}),
        ("POST", "/api/show"): (200, about or {"model_info": {"llama.context_length": 131_072}}),
    }


def test_an_on_prem_server_that_lists_a_model_that_runs_elsewhere_is_not_on_prem() -> None:
    verdicts = look(ollama(None, None, REMOTE), expected(on_prem=True))
    said = against(verdicts)
    assert list(said) == [Why.REMOTE_MODELS]
    assert "big:cloud" in said[Why.REMOTE_MODELS]


def test_a_name_says_nothing_of_a_place() -> None:
    innocent = REMOTE | {"name": "llama3:8b", "model": "llama3:8b"}
    assert Why.REMOTE_MODELS in against(look(ollama(None, None, innocent), expected(on_prem=True)))
    suspicious = {"name": "big:cloud", "model": "big:cloud"}
    assert against(look(ollama(None, None, suspicious), expected(on_prem=True))) == {}


def test_where_the_policy_says_onward_only_the_pinned_model_must_be_here() -> None:
    stated = expected(on_prem=True, onward=True)
    assert against(look(ollama(None, None, REMOTE), stated)) == {}
    pinned = REMOTE | {"name": "m", "model": "m"}
    assert Why.REMOTE_MODELS in against(look(ollama(None, None, pinned), stated))


def test_a_cloud_target_is_not_asked_for_ollamas_lists() -> None:
    asked = Asked(ollama(None, None, REMOTE))
    assert against(done(look_at_models(expected(), asked))) == {}
    assert not [path for path in asked.paths if path.startswith("/api/")]


@pytest.mark.parametrize(
    ("loaded", "about", "found"),
    [
        (4096, None, "4,096"),
        (131_072, None, None),
        (None, {"parameters": "stop \"x\"\nnum_ctx    8192", "model_info": {"a.context_length": 131_072}}, "8,192"),
        (None, {"model_info": {"a.context_length": 2048}}, "2,048"),
        (None, {"model_info": {"a.context_length": 131_072}}, None),
        (None, {"model_info": "none"}, None),
    ],
    ids=["loaded with less", "loaded with enough", "set to less", "trained for less", "trained for enough", "not said"],
)  # fmt: skip
def test_ollamas_context_is_what_is_loaded_else_set_else_possible(
    loaded: int | None, about: dict[str, Any] | None, found: str | None
) -> None:
    said = against(look(ollama(loaded, about), expected(on_prem=True)))
    assert list(said) == ([] if found is None else [Why.CONTEXT_SMALLER])
    assert found is None or found in said[Why.CONTEXT_SMALLER]


def test_a_model_that_is_not_loaded_is_loaded_where_its_loading_stands_against_it() -> None:
    table = ollama()
    asked = Asked(table)

    def load(body: dict[str, Any]) -> tuple[int, object]:
        assert body == {"model": "m"}
        table[("GET", "/api/ps")] = (200, {"models": [{"model": "m:latest", "context_length": 4096}]})
        return 200, {"done_reason": "load"}

    table[("POST", "/api/generate")] = load
    assert against(done(look_at_models(expected(on_prem=True), asked))) == {}
    assert Why.CONTEXT_SMALLER in against(done(look_at_models(expected(on_prem=True), asked, load=True)))


def test_an_anthropic_server_is_asked_in_its_dialect() -> None:
    asked, other = Asked({}), Asked({})
    done(look_at_models(expected(dialect="anthropic"), asked))
    assert [name for name, _ in asked.questions[0].headers] == [b"anthropic-version"]
    done(look_at_models(expected(), other))
    assert other.questions[0].headers == ()


CHAT_FINE = (200, {"choices": []})
NO_MODEL = (404, {"error": {"code": "model_not_found", "message": "The model `m` does not exist"}})


@pytest.mark.parametrize(
    ("table", "spoken"),
    [
        ({("GET", "/v1/chat/completions"): (405, {})}, True),
        ({("POST", "/v1/chat/completions"): CHAT_FINE}, True),
        ({("POST", "/v1/chat/completions"): (400, {"error": "max_tokens"})}, True),
        ({("POST", "/v1/chat/completions"): NO_MODEL}, True),
        ({("POST", "/v1/chat/completions"): (404, {"detail": "Not Found"})}, False),
        ({("POST", "/v1/chat/completions"): (405, {})}, False),
        ({("POST", "/v1/chat/completions"): (501, {})}, False),
        ({("POST", "/v1/chat/completions"): (200, {"hello": "world"})}, False),
        ({("POST", "/v1/chat/completions"): (401, {})}, None),
        ({("POST", "/v1/chat/completions"): (503, {})}, None),
    ],
    ids=["GET says 405", "answers", "finds fault", "has no such model", "404", "405", "501", "another server", "401", "503"],
)  # fmt: skip
def test_an_endpoint_is_spoken_where_the_server_answers_as_it_does(table: Table, spoken: bool | None) -> None:
    verdicts = done(look_at_dialects(expected(), Asked(table)))
    assert [v.against is None for v in verdicts] == ([] if spoken is None else [spoken])


def test_what_a_free_question_shows_costs_nothing() -> None:
    asked = Asked({("GET", "/v1/chat/completions"): (405, {})})
    done(look_at_dialects(expected(), asked))
    assert [q.body for q in asked.questions] == [None]


def test_every_endpoint_that_is_not_spoken_is_named_and_the_others_are_not() -> None:
    speaks = frozenset({"chat", "completions", "responses", "embeddings", "messages"})
    table: Table = {
        ("POST", "/v1/chat/completions"): CHAT_FINE,
        ("POST", "/v1/completions"): CHAT_FINE,
        ("POST", "/v1/embeddings"): (501, {"error": "start it with --embeddings"}),
    }
    (said,) = against(done(look_at_dialects(expected(speaks=speaks), Asked(table)))).values()
    assert "`embeddings`, `messages`, `responses`" in said


def reading_up_to(most: int, *, per_byte: float = 0.25, refuse: bool = False) -> Table:
    """A chat server whose tokenizer counts a share of the bytes, and that cuts or refuses what is longer."""

    def answer(body: dict[str, Any]) -> tuple[int, object]:
        tokens = 7 + int(len(body["messages"][0]["content"]) * per_byte)
        if tokens > most and refuse:
            return 400, {"error": {"message": "maximum context length"}}
        return 200, {"choices": [], "usage": {"prompt_tokens": min(tokens, most)}}

    return {("POST", "/v1/chat/completions"): answer}


@pytest.mark.parametrize("per_byte", [0.1, 0.25, 1.0, 2.0])
def test_a_server_that_cuts_a_long_prompt_silently_is_found_out(per_byte: float) -> None:
    (said,) = against(
        done(look_at_context(expected(), Asked(reading_up_to(4096, per_byte=per_byte))))
    ).values()
    assert "4,096" in said


@pytest.mark.parametrize("per_byte", [0.1, 0.25, 1.0, 2.0])
def test_a_server_that_reads_all_of_it_is_borne_out(per_byte: float) -> None:
    asked = Asked(reading_up_to(32_000, per_byte=per_byte))
    assert borne_out(done(look_at_context(expected(), asked))) == {Why.CONTEXT_SMALLER}
    longest = max(len(json.dumps(q.body)) for q in asked.questions)
    assert 0.85 * 32_000 < longest * per_byte < 32_000


def test_a_server_that_refuses_what_the_policy_says_it_takes_is_found_out() -> None:
    (said,) = against(done(look_at_context(expected(), Asked(reading_up_to(8000, refuse=True))))).values()
    assert "refused" in said and "400" in said


@pytest.mark.parametrize(
    "usage", [{}, {"usage": None}, {"usage": {"prompt_tokens": 5}}, {"usage": {"prompt_tokens": "many"}}]
)
def test_a_server_that_does_not_count_is_not_sent_the_long_prompt(usage: dict[str, object]) -> None:
    asked = Asked({("POST", "/v1/chat/completions"): (200, {"choices": [], **usage})})
    assert done(look_at_context(expected(), asked)) == ()
    assert len(asked.questions) == 2


def test_what_anthropic_reads_from_its_cache_counts() -> None:
    def answer(body: dict[str, Any]) -> tuple[int, object]:
        tokens = len(body["messages"][0]["content"])
        parts = {
            "input_tokens": 5,
            "cache_read_input_tokens": tokens - 105,
            "cache_creation_input_tokens": 100,
        }
        return 200, {"content": [], "usage": parts}

    stated = expected(speaks=frozenset({"messages"}))
    verdicts = done(look_at_context(stated, Asked({("POST", "/v1/messages"): answer})))
    assert borne_out(verdicts) == {Why.CONTEXT_SMALLER}


def test_the_long_prompt_is_bounded_whatever_the_policy_says() -> None:
    asked = Asked(reading_up_to(10**9, per_byte=0.001))
    done(look_at_context(expected(context=10**9), asked))
    assert max(len(json.dumps(q.body)) for q in asked.questions) <= 17 * 1024 * 1024


def test_a_target_that_generates_nothing_is_not_asked_for_its_context() -> None:
    asked = Asked({})
    assert done(look_at_context(expected(speaks=frozenset({"embeddings"})), asked)) == ()
    assert asked.questions == []
