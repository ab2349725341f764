"""Requests of both dialects, generated, and when two of them say the same.

The requests hold what can be said in the other dialect, in every shape in which clients send it. `chat_meaning` and
`messages_meaning` map a request to one form for all that say the same, by what the APIs' documentation says: the oracle of
the tests that say a request in the other dialect and back.
"""

from typing import Any

import orjson
from hypothesis import strategies as st

__all__ = [
    "CHATS",
    "JSON",
    "MESSAGES",
    "RESPONSES",
    "WORDS",
    "chat_meaning",
    "leaves",
    "messages_meaning",
]

Json = dict[str, Any]

WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(
    lambda words: bool(words.strip())
)
BLANKS = st.sampled_from(["", " ", "\n\n"])
NAMES = st.sampled_from(["look", "find_all", "a-b", "X9"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
)
JSON = st.recursive(SCALARS | WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=6)  # fmt: skip
OBJECTS = st.dictionaries(WORDS, JSON, max_size=3)
DATA = st.binary(min_size=3, max_size=6).map(lambda raw: raw[: len(raw) // 3 * 3].hex())
MEDIA = st.sampled_from(["image/png", "image/jpeg", "image/gif", "image/webp"])
SCHEMAS = st.builds(lambda inner: {"type": "object", "properties": inner}, st.dictionaries(NAMES, st.just({"type": "string"}), max_size=2))  # fmt: skip
SHARES = st.sampled_from([0, 0.25, 1, 1.0])
EFFORTS = st.sampled_from(["low", "medium", "high", "xhigh"])


def some(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({}, optional=keys)


TEXT_PARTS = st.builds(lambda words: {"type": "text", "text": words}, WORDS | BLANKS)
IMAGE_PARTS = st.builds(
    lambda media, data, detail: {
        "type": "image_url",
        "image_url": {"url": f"data:{media};base64,{data}"} | detail,
    },
    MEDIA,
    DATA,
    some(detail=st.just("auto")),
) | st.just({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}})


def spoken(parts: st.SearchStrategy[Json]) -> st.SearchStrategy[Any]:
    """A text, or parts of which one at least is no blank."""
    listed = st.lists(parts, min_size=1, max_size=3)
    return WORDS | listed.filter(lambda given: any(part.get("text", "x").strip() for part in given))


CALLS = st.builds(
    lambda name, given, indent: {
        "type": "function",
        "function": {"name": name, "arguments": orjson.dumps(given, option=indent).decode()},
    },
    NAMES,
    OBJECTS,
    st.sampled_from([0, orjson.OPT_INDENT_2]),
)
CHAT_TOOLS = st.builds(
    lambda name, rest: {"type": "function", "function": {"name": name} | rest},
    NAMES,
    some(description=WORDS, parameters=SCHEMAS, strict=st.booleans()),
)


@st.composite
def chat_turns(draw: st.DrawFn) -> list[Json]:
    instructions = st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["system", "developer"]),
        spoken(TEXT_PARTS) | BLANKS,
    )
    out = draw(st.lists(instructions, max_size=2))
    for number in range(draw(st.integers(0, 2))):
        out += draw(st.lists(USERS, min_size=1, max_size=2))
        out += draw(st.lists(instructions, max_size=1))
        calls = [
            call | {"id": f"call_{number}_{i}"} for i, call in enumerate(draw(st.lists(CALLS, max_size=2)))
        ]
        content = spoken(TEXT_PARTS) | BLANKS if calls else spoken(TEXT_PARTS)
        said: Json = {"role": "assistant", "content": draw(content | st.none() if calls else content)}
        said |= draw(some(refusal=st.none() | WORDS, reasoning_content=WORDS)) | (
            {"tool_calls": calls} if calls else {}
        )
        out.append(said)
        out += [{"role": "tool", "tool_call_id": c["id"], "content": draw(WORDS | TOOL_TEXTS)} for c in calls]
    return out if out and out[-1]["role"] == "tool" and draw(st.booleans()) else [*out, draw(USERS)]


USERS = st.builds(lambda content: {"role": "user", "content": content}, spoken(TEXT_PARTS | IMAGE_PARTS))
TOOL_TEXTS = st.lists(TEXT_PARTS, min_size=1, max_size=2).filter(
    lambda parts: any(p["text"].strip() for p in parts)
)


@st.composite
def chats(draw: st.DrawFn) -> Json:
    out: Json = {"model": "m", "messages": draw(chat_turns())}
    out |= draw(
        some(
            max_tokens=st.integers(1, 9),
            temperature=SHARES,
            top_p=SHARES,
            stop=WORDS | st.lists(WORDS, max_size=3),
            n=st.just(1),
            stream=st.booleans(),
            stream_options=st.just({"include_usage": True}),
            user=WORDS,
            reasoning_effort=EFFORTS | st.just("none"),
            service_tier=st.sampled_from(["auto", "default"]),
            prompt_cache_key=st.just("k"),
            response_format=FORMATS,
        )
    )
    thinks = out.get("reasoning_effort", "none") != "none"
    if thinks:
        out = {key: value for key, value in out.items() if key not in {"temperature", "top_p"}}
    tools = draw(st.lists(CHAT_TOOLS, max_size=2))
    if tools:
        choices = (
            st.sampled_from(["auto", "none"])
            if thinks
            else st.sampled_from(
                ["auto", "none", "required", {"type": "function", "function": {"name": "look"}}]
            )
        )
        out |= {"tools": tools} | draw(some(tool_choice=choices, parallel_tool_calls=st.booleans()))
    return out


FORMATS = st.just({"type": "text"}) | st.builds(
    lambda name, schema, rest: {
        "type": "json_schema",
        "json_schema": {"name": name, "schema": schema} | rest,
    },
    st.sampled_from(["answer", "person"]),
    SCHEMAS,
    some(strict=st.booleans(), description=WORDS),
)

CHATS = chats()


def chat_meaning(body: Json) -> Json:
    """One form for all chat requests that say the same to a model."""
    out: Json = {"model": body["model"], "messages": _chat_messages(body["messages"])}
    for key in ("max_tokens", "user", "reasoning_effort"):
        if body.get(key) is not None:
            out[key] = body[key]
    out["service_tier"] = "default" if body.get("service_tier") == "default" else "auto"
    out |= {key: body.get(key, 1) for key in ("temperature", "top_p")}
    out["stop"] = [body["stop"]] if isinstance(body.get("stop"), str) else body.get("stop") or []
    out["stream"] = body.get("stream") is True
    tools = body.get("tools") or []
    out["tools"] = [_function(tool["function"]) for tool in tools]
    out["tool_choice"] = body.get("tool_choice", "auto") if tools else "none"
    out["parallel"] = body.get("parallel_tool_calls", True) or out["tool_choice"] == "none"
    form = body.get("response_format", {"type": "text"})
    if form["type"] == "json_schema":
        named = form["json_schema"]
        title = {"title": named["name"]} if named["name"] != "answer" else {}
        described = {"description": named["description"]} if named.get("description") else {}
        out["schema"] = title | described | named["schema"]
    return out


def _function(function: Json) -> Json:
    parameters = {"type": "object", "properties": {}} | (function.get("parameters") or {})
    out = {"name": function["name"], "parameters": parameters, "strict": function.get("strict") is True}
    return out | ({"description": function["description"]} if function.get("description") is not None else {})


def _chat_messages(messages: list[Json]) -> list[Json]:
    out: list[Json] = []
    for message in messages:
        role = {"developer": "system"}.get(message["role"], message["role"])
        said: Json = {"role": role, "parts": _parts(message.get("content"))}
        if role == "assistant":
            said["parts"] += _parts(message.get("refusal"))
            said["calls"] = [
                (call["id"], call["function"]["name"], orjson.loads(call["function"]["arguments"]))
                for call in message.get("tool_calls") or []
            ]
        if role == "tool":
            said["of"] = message["tool_call_id"]
        if role == "system" and out and out[-1]["role"] == "system":
            out[-1]["parts"] += said["parts"]
        elif role != "system" or said["parts"]:
            out.append(said)
    return out


def _parts(content: Any) -> list[Any]:
    if content is None:
        return []
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    images = [p["text"] if p["type"] == "text" else {"url": p["image_url"]["url"]} for p in parts]
    return [part for part in images if not isinstance(part, str) or part.strip()]


TEXT_BLOCKS = st.builds(lambda words: {"type": "text", "text": words}, WORDS)
IMAGE_BLOCKS = st.builds(
    lambda media, data: {"type": "image", "source": {"type": "base64", "media_type": media, "data": data}},
    MEDIA,
    DATA,
) | st.just({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}})
SYSTEMS = WORDS | st.lists(TEXT_BLOCKS, min_size=1, max_size=2)
USES = st.builds(lambda name, given: {"type": "tool_use", "name": name, "input": given}, NAMES, OBJECTS)
MESSAGES_TOOLS = st.builds(
    lambda name, schema, rest: {"name": name, "input_schema": schema} | rest,
    NAMES,
    SCHEMAS,
    some(description=WORDS, strict=st.booleans(), type=st.just("custom")),
)


@st.composite
def messages_turns(draw: st.DrawFn) -> list[Json]:
    users = WORDS | st.lists(TEXT_BLOCKS | IMAGE_BLOCKS, min_size=1, max_size=3)
    out: list[Json] = []
    for number in range(draw(st.integers(0, 2))):
        waiting = [
            block["id"] for block in (out[-1]["content"] if out else []) if block["type"] == "tool_use"
        ]
        if waiting:
            results = [_result(draw, use) for use in waiting]
            out.append(
                {"role": "user", "content": results + draw(st.lists(TEXT_BLOCKS | IMAGE_BLOCKS, max_size=2))}
            )
        else:
            out.append({"role": "user", "content": draw(users)})
        if draw(st.booleans()):
            out.append({"role": "system", "content": draw(SYSTEMS)})
        uses = [use | {"id": f"toolu_{number}_{i}"} for i, use in enumerate(draw(st.lists(USES, max_size=2)))]
        out.append(
            {
                "role": "assistant",
                "content": draw(st.lists(TEXT_BLOCKS, min_size=not uses, max_size=2)) + uses,
            }
        )
    waiting = [block["id"] for block in (out[-1]["content"] if out else []) if block["type"] == "tool_use"]
    last = [_result(draw, use) for use in waiting] or draw(users)
    return [*out, {"role": "user", "content": last}]


def _result(draw: st.DrawFn, use: str) -> Json:
    content = draw(some(content=WORDS | st.lists(TEXT_BLOCKS, min_size=1, max_size=2)))
    return {"type": "tool_result", "tool_use_id": use} | content


@st.composite
def messages_requests(draw: st.DrawFn) -> Json:
    out: Json = {"model": "m", "max_tokens": draw(st.integers(1, 9)), "messages": draw(messages_turns())}
    out |= draw(
        some(
            system=SYSTEMS,
            temperature=SHARES,
            top_p=SHARES,
            stop_sequences=st.lists(WORDS, max_size=3),
            stream=st.booleans(),
            metadata=some(user_id=WORDS),
            service_tier=st.sampled_from(["auto", "standard_only"]),
        )
    )
    if draw(st.booleans()):
        thinking = st.just({"type": "disabled"}) | st.just({"type": "adaptive"})
        out["thinking"] = draw(thinking)
        if out["thinking"]["type"] == "adaptive":
            out = {key: value for key, value in out.items() if key not in {"temperature", "top_p"}}
            out["output_config"] = {"effort": draw(EFFORTS)}
    tools = draw(st.lists(MESSAGES_TOOLS, max_size=2))
    if tools:
        one = some(disable_parallel_tool_use=st.booleans())
        free = [{"type": "auto"}, {"type": "none"}]
        forced = [] if "output_config" in out else [{"type": "any"}, {"type": "tool", "name": "look"}]
        kind = st.sampled_from(free + forced)
        out |= {"tools": tools} | draw(some(tool_choice=st.builds(lambda a, b: a | b, kind, one)))
    return out


MESSAGES = messages_requests()


def messages_meaning(body: Json) -> Json:
    """One form for all messages requests that say the same to a model."""
    out = {key: body[key] for key in ("model", "max_tokens", "output_config") if key in body}
    out["system"] = _blocks(body.get("system", []))
    out["messages"] = _turns(body["messages"])
    out |= {key: body.get(key, 1) for key in ("temperature", "top_p")}
    out["stop"] = body.get("stop_sequences") or []
    out["stream"] = body.get("stream") is True
    out["user"] = (body.get("metadata") or {}).get("user_id")
    out["tier"] = body.get("service_tier", "auto")
    out["thinking"] = body.get("thinking")
    out["tools"] = [
        {key: value for key, value in tool.items() if key != "type" and (key, value) != ("strict", False)}
        for tool in body.get("tools") or []
    ]
    choice = body.get("tool_choice", {"type": "auto"})
    one = choice.get("disable_parallel_tool_use", False) and choice["type"] != "none"
    out["choice"] = choice | {"disable_parallel_tool_use": one}
    return out


def _blocks(content: Any) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _turns(messages: list[Json]) -> list[Json]:
    """The API joins what one side says in a row."""
    out: list[Json] = []
    for message in messages:
        blocks = [
            block | {"content": _blocks(block.get("content") or [])}
            if block["type"] == "tool_result"
            else block
            for block in _blocks(message["content"])
        ]
        if out and out[-1]["role"] == message["role"]:
            out[-1]["content"] += blocks
        else:
            out.append({"role": message["role"], "content": blocks})
    return out


@st.composite
def responses(draw: st.DrawFn) -> Json:
    said = st.builds(lambda words: {"type": "input_text", "text": words}, WORDS)
    image = st.just({"type": "input_image", "image_url": "data:image/png;base64,QUJD", "detail": "auto"})
    users = st.builds(
        lambda content: {"type": "message", "role": "user", "content": content},
        WORDS | st.lists(said | image, min_size=1, max_size=3),
    )
    items: list[Json] = [
        {"role": role, "content": words}
        for role, words in draw(
            st.lists(st.tuples(st.sampled_from(["system", "developer"]), WORDS), max_size=2)
        )
    ]
    for number in range(draw(st.integers(0, 2))):
        items.append(draw(users))
        if draw(st.booleans()):
            thought = {"type": "reasoning_text", "text": draw(WORDS)}
            items.append({"type": "reasoning", "id": "rs", "summary": [], "content": [thought]})
        answer = {"type": "output_text", "text": draw(WORDS), "annotations": []}
        items.append(
            {"type": "message", "role": "assistant", "id": "m", "status": "completed", "content": [answer]}
        )
        names = draw(st.lists(NAMES, max_size=2))
        calls = [(f"call_{number}_{i}", name) for i, name in enumerate(names)]
        items += [
            {
                "type": "function_call",
                "call_id": call,
                "name": name,
                "namespace": "web",
                "arguments": orjson.dumps(draw(OBJECTS)).decode(),
            }
            for call, name in calls
        ]
        items += [
            {
                "type": "function_call_output",
                "call_id": call,
                "output": draw(WORDS | st.lists(said, min_size=1)),
            }
            for call, _ in calls
        ]
    out: Json = {"model": "m", "store": False, "input": [*items, draw(users)]}
    group = {"type": "namespace", "name": "web", "description": draw(WORDS)}
    tool = st.builds(
        lambda name, words: {"type": "function", "name": name, "description": words, "parameters": {}},
        NAMES,
        WORDS,
    )
    tools = draw(st.lists(tool, max_size=2, unique_by=lambda tool: tool["name"]))
    grouped = draw(st.lists(tool, max_size=2, unique_by=lambda tool: tool["name"]))
    if tools or grouped:
        out["tools"] = [*tools, group | {"tools": grouped}] if grouped else tools
    return out | draw(some(instructions=WORDS, user=WORDS, stream=st.booleans(), temperature=SHARES))


RESPONSES = responses()


def leaves(value: Any) -> set[str]:
    """Every text in a value. Arguments are read: they are JSON in a text. A `data:` URL is what it is made of."""
    match value:
        case str():
            return {value}
        case dict():
            out: set[str] = set()
            for key, inner in value.items():
                if key == "arguments" and isinstance(inner, str) and inner.startswith("{"):
                    out |= leaves(orjson.loads(inner))
                elif key in {"url", "image_url"} and isinstance(inner, str) and inner.startswith("data:"):
                    out |= set(inner.removeprefix("data:").split(";base64,"))
                else:
                    out |= leaves(inner)
            return out
        case list():
            return {leaf for inner in value for leaf in leaves(inner)}
    return set()
