"""The stand-in servers answer the official SDKs so that these accept the shapes, whole and streamed, with tools."""

import json
from collections.abc import Iterator

import anthropic
import httpx
import openai
import pytest

from policyd.demo.serving import serving
from policyd.demo.standin import Standin

pytestmark = pytest.mark.sdk

SECRET = "AKIA-planted"
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CHAT_TOOL = {"type": "function", "function": {"name": "weather", "parameters": WEATHER}}
RESPONSE_TOOL = {"type": "function", "name": "weather", "parameters": WEATHER, "strict": False}
MESSAGE_TOOL = {"name": "weather", "input_schema": WEATHER}
ASK = [{"role": "user", "content": "how do I test this?"}]
ASK_TOOL = [{"role": "user", "content": "please call weather for Oslo"}]
SAID = 'rack answers as m. You asked: "how do I test this?"'


@pytest.fixture
def standin() -> Standin:
    return Standin("rack", models=("m", "n"))


@pytest.fixture
def url(standin: Standin) -> Iterator[str]:
    with serving(standin) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def gpt(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as client:
        yield client


@pytest.fixture
def claude(url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=url, api_key="k", max_retries=0) as client:
        yield client


def test_chat_whole(gpt: openai.OpenAI) -> None:
    answer = gpt.chat.completions.create(model="m", messages=ASK)
    assert answer.choices[0].message.content == SAID
    assert answer.usage is not None and answer.usage.prompt_tokens > 0


def test_chat_streamed_through_the_accumulator(gpt: openai.OpenAI) -> None:
    with gpt.chat.completions.stream(
        model="m", messages=ASK, stream_options={"include_usage": True}
    ) as stream:
        deltas = [e.delta for e in stream if e.type == "content.delta"]
        final = stream.get_final_completion()
    assert len(deltas) > 1
    assert "".join(deltas) == final.choices[0].message.content == SAID
    assert final.usage is not None


def test_chat_usage_comes_only_when_asked_for(gpt: openai.OpenAI) -> None:
    chunks = list(gpt.chat.completions.create(model="m", messages=ASK, stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_chat_calls_a_tool(gpt: openai.OpenAI, *, stream: bool) -> None:
    if stream:
        with gpt.chat.completions.stream(model="m", messages=ASK_TOOL, tools=[CHAT_TOOL]) as events:
            message = events.get_final_completion().choices[0].message
    else:
        message = (
            gpt.chat.completions.create(model="m", messages=ASK_TOOL, tools=[CHAT_TOOL]).choices[0].message
        )
    assert message.tool_calls is not None
    (call,) = message.tool_calls
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments) == {"city": "please call weather for Oslo"}


def test_completions(gpt: openai.OpenAI) -> None:
    assert gpt.completions.create(model="m", prompt="how do I test this?").choices[0].text == SAID
    chunks = gpt.completions.create(model="m", prompt="how do I test this?", stream=True)
    assert "".join(chunk.choices[0].text for chunk in chunks) == SAID


def test_responses_whole(gpt: openai.OpenAI) -> None:
    assert gpt.responses.create(model="m", input="how do I test this?").output_text == SAID


def test_responses_streamed_through_the_accumulator(gpt: openai.OpenAI) -> None:
    with gpt.responses.stream(model="m", input=ASK) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert final.output_text == SAID


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_responses_call_a_tool(gpt: openai.OpenAI, *, stream: bool) -> None:
    if stream:
        with gpt.responses.stream(model="m", input=ASK_TOOL, tools=[RESPONSE_TOOL]) as events:
            list(events)
            answer = events.get_final_response()
    else:
        answer = gpt.responses.create(model="m", input=ASK_TOOL, tools=[RESPONSE_TOOL])
    (call,) = answer.output
    assert call.type == "function_call" and call.name == "weather"
    assert json.loads(call.arguments) == {"city": "please call weather for Oslo"}


@pytest.mark.parametrize(
    "asked", [{}, {"encoding_format": "float"}], ids=["base64, the SDK's choice", "floats"]
)
def test_embeddings(gpt: openai.OpenAI, asked: dict[str, str]) -> None:
    answer = gpt.embeddings.create(model="m", input=["a", "b"], **asked)
    assert [e.index for e in answer.data] == [0, 1]
    assert all(isinstance(x, float) for e in answer.data for x in e.embedding)


def test_messages_whole(claude: anthropic.Anthropic) -> None:
    answer = claude.messages.create(model="m", max_tokens=64, messages=ASK)
    assert [block.text for block in answer.content if block.type == "text"] == [SAID]
    assert answer.stop_reason == "end_turn"


def test_messages_streamed_through_the_accumulator(claude: anthropic.Anthropic) -> None:
    with claude.messages.stream(model="m", max_tokens=64, messages=ASK) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(pieces) > 1
    assert "".join(pieces) == SAID
    assert final.stop_reason == "end_turn" and final.usage.output_tokens == len(pieces)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_messages_call_a_tool(claude: anthropic.Anthropic, *, stream: bool) -> None:
    asked = {"model": "m", "max_tokens": 64, "messages": ASK_TOOL, "tools": [MESSAGE_TOOL]}
    if stream:
        with claude.messages.stream(**asked) as events:
            answer = events.get_final_message()
    else:
        answer = claude.messages.create(**asked)
    (call,) = answer.content
    assert call.type == "tool_use" and answer.stop_reason == "tool_use"
    assert call.input == {"city": "please call weather for Oslo"}


def test_count_tokens(claude: anthropic.Anthropic) -> None:
    assert claude.messages.count_tokens(model="m", messages=ASK).input_tokens > 0


def test_models_in_the_shape_of_the_asking_api(gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    assert [m.id for m in gpt.models.list()] == ["m", "n"]
    assert [m.id for m in claude.models.list()] == ["m", "n"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("/v1/nothing", "{}", 404), ("/v1/messages", "{", 400), ("/v1/chat/completions", "[]", 400)],
    ids=["an unknown path", "broken JSON", "not an object"],
)
def test_nonsense_is_refused(url: str, path: str, body: str, status: int) -> None:
    answer = httpx.post(url + path, content=body)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "given",
    [
        {"json": {"messages": [{"role": "user", "content": SECRET}]}},
        {"json": {}, "headers": {"x-note": SECRET}},
        {"json": {}, "params": {"q": SECRET}},
    ],
    ids=["body", "header", "query"],
)
def test_the_record_finds_a_secret_wherever_it_stands(
    url: str, standin: Standin, given: dict[str, object]
) -> None:
    httpx.post(f"{url}/v1/chat/completions", json={"messages": ASK})
    httpx.post(f"{url}/v1/chat/completions", **given)
    assert [r.contains(SECRET) for r in standin.received] == [False, True]


def test_a_head_request_is_answered_without_a_body(url: str) -> None:
    answer = httpx.head(url)
    assert (answer.status_code, answer.content) == (200, b"")
