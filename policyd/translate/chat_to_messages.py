"""A request for OpenAI's chat completions, said as one for Anthropic's messages.

In comes a parsed body; out goes another, or the `Loss` of what cannot be said. The one idea: a setting that asks for what
happens anyway is left out, and a setting that the messages API lacks is a loss. The table is `docs/translation.md`.
"""

from typing import Any, Final

from policyd.translate.asking import UNKNOWN, Json, Neutral, asks_nothing, each
from policyd.translate.chat_turns import turns_of
from policyd.translate.loss import Loss, Lost
from policyd.translate.shape import at, number, obj, only, some, text, truth, whole_number

__all__ = ["MOST_TOKENS", "request"]

MOST_TOKENS: Final = 64_000
"""Where the caller sets no limit and the messages API needs one. As much as today's models write: a model that writes less
refuses the request and says so, while a smaller number would cut an answer that nobody asked to cut."""

_NEUTRAL: Final[Neutral] = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "seed": (),
    "store": (False,),
    "metadata": ({},),
    "service_tier": ("auto", "default"),
    "verbosity": ("medium",),
    "modalities": (["text"],),
    "audio": (),
    "prediction": (),
    "web_search_options": (),
    "functions": ([],),
    "function_call": (),
    "moderation": (),
    "prompt_cache_options": (),
    "prompt_cache_retention": ("in_memory",),
}
"""Keys that the messages API has nothing for, and the values that ask for nothing. (`default` is the tier without priority,
and is said.)"""

_KNOWN: Final = frozenset(_NEUTRAL) | {
    "model",
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "stop",
    "stream",
    "stream_options",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "reasoning_effort",
    "user",
    "safety_identifier",
    "prompt_cache_key",
}

_THINKING_TOP_P: Final = 0.95
"""From which on the API takes it beside thinking."""

UNNAMED: Final = "answer"
"""The name of a format that has none: chat wants one, and a request that came from the messages API bears this."""

_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")


def request(body: dict[str, Any], *, most: int = MOST_TOKENS) -> dict[str, Any] | Loss:
    """`most` is the limit that is set where the body has none: the most that the target writes, where that is known."""
    try:
        return _request(body, most)
    except Lost as lost:
        return lost.loss


def _request(body: Json, most: int) -> Json:
    only(body, _KNOWN, "", UNKNOWN)
    asks_nothing(body, _NEUTRAL, "", "the messages API has nothing like it")
    system, turns = turns_of(body.get("messages"))
    out: Json = {"model": text(body.get("model"), "model"), "max_tokens": _limit(body, most)}
    if system:
        out["system"] = system[0]["text"] if len(system) == 1 and len(system[0]) == 2 else system
    out["messages"] = turns
    for key in ("temperature", "top_p"):
        out |= _share(body, key)
    out |= _stops(body.get("stop"))
    out |= _tools(body)
    out |= _thinking(body.get("reasoning_effort"))
    _thinks_freely(out)
    config = _effort(body.get("reasoning_effort")) | _format(body.get("response_format"))
    if config:
        out["output_config"] = config
    out |= _user(body)
    if body.get("service_tier") == "default":
        out["service_tier"] = "standard_only"
    return out | _streaming(body)


_LIMITS: Final = ("max_tokens", "max_completion_tokens")


def _limit(body: Json, most: int) -> int:
    limits = {whole_number(body[key], key) for key in _LIMITS if some(body, key)}
    if len(limits) > 1:
        raise Lost("max_completion_tokens", "`max_tokens` says another limit")
    limit = limits.pop() if limits else most
    if limit < 1:
        raise Lost("max_tokens", "the messages API means something else by a limit of no tokens")
    return limit


def _share(body: Json, key: str) -> Json:
    """Both APIs use 1 where nothing is set; the messages API ends there, and its newest version takes no value at all."""
    if not some(body, key):
        return {}
    value = number(body[key], key)
    if not 0 <= value <= 1:
        raise Lost(key, "the messages API takes 0 to 1")
    return {} if value == 1 else {key: value}


def _stops(value: object) -> Json:
    if value is None or value == []:
        return {}
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list):
        raise Lost("stop", "this is neither a text nor a list")
    for i, stop in enumerate(stops):
        if not text(stop, f"stop[{i}]").strip():
            raise Lost(f"stop[{i}]", "the messages API takes no stop sequence of white space")
    return {"stop_sequences": list(stops)}


def _tools(body: Json) -> Json:
    tools = [_tool(tool, place) for place, tool in each(body.get("tools") or [], "tools")]
    choice = _choice(body.get("tool_choice"))
    one = some(body, "parallel_tool_calls") and not truth(body["parallel_tool_calls"], "parallel_tool_calls")
    if not tools:
        if choice is not None and choice["type"] in {"any", "tool"}:
            raise Lost("tool_choice", "there is no tool to choose")
        return {}
    if one and (choice is None or choice["type"] != "none"):
        choice = (choice or {"type": "auto"}) | {"disable_parallel_tool_use": True}
    return {"tools": tools} | ({} if choice is None else {"tool_choice": choice})


def _tool(tool: Json, place: str) -> Json:
    if tool.get("type") != "function":
        raise Lost(at(place, "type"), "the messages API has no such tool")
    only(tool, {"type", "function", "cache_control"}, place, UNKNOWN)
    where = at(place, "function")
    function = obj(tool.get("function"), where)
    only(function, {"name", "description", "parameters", "strict"}, where, UNKNOWN)
    out: Json = {"name": text(function.get("name"), at(where, "name"))}
    if some(function, "description"):
        out["description"] = text(function["description"], at(where, "description"))
    out["input_schema"] = _parameters(function.get("parameters"), at(where, "parameters"))
    if truth(function.get("strict"), at(where, "strict")):
        out["strict"] = True
    if some(tool, "cache_control"):
        out["cache_control"] = dict(obj(tool["cache_control"], at(place, "cache_control")))
    return out


def _parameters(value: object, place: str) -> Json:
    """Arguments are an object in both APIs; the messages API wants the schema to say so."""
    schema = {} if value is None else obj(value, place)
    if schema.get("type", "object") != "object":
        raise Lost(at(place, "type"), "the messages API takes a schema of an object")
    return {"type": "object"} | ({} if schema else {"properties": {}}) | schema


def _choice(value: object) -> Json | None:
    match value:
        case None:
            return None
        case "auto" | "none":
            return {"type": value}
        case "required":
            return {"type": "any"}
        case {"type": "function", "function": {"name": str() as name, **inner}, **outer} if (
            not inner and not outer
        ):
            return {"type": "tool", "name": name}
    raise Lost("tool_choice", "the messages API has no such choice")


def _thinking(effort: object) -> Json:
    """To reason with some effort is to think as the model sees fit; the effort itself has a key of its own."""
    if effort is None:
        return {}
    return {"thinking": {"type": "disabled" if effort == "none" else "adaptive"}}


def _thinks_freely(out: Json) -> None:
    """What the API refuses beside thinking."""
    if out.get("thinking", {}).get("type") != "adaptive":
        return
    if "temperature" in out:
        raise Lost("temperature", "the messages API sets no temperature while a model thinks")
    if out.get("top_p", 1) < _THINKING_TOP_P:
        raise Lost("top_p", "the messages API takes 0.95 to 1 while a model thinks")
    if out.get("tool_choice", {}).get("type") in {"any", "tool"}:
        raise Lost("tool_choice", "the messages API forces no tool while a model thinks")


def _effort(effort: object) -> Json:
    if effort is None or effort == "none":
        return {}
    if effort not in _EFFORTS:
        raise Lost("reasoning_effort", "the messages API has no such effort")
    return {"effort": effort}


def _format(value: object) -> Json:
    match value:
        case None | {"type": "text"}:
            return {}
        case {"type": "json_schema", "json_schema": dict() as named, **others} if not others:
            return {"format": {"type": "json_schema", "schema": _schema(named)}}
    raise Lost("response_format", "the messages API has no such format: it needs a schema")


def _schema(named: Json) -> Json:
    """The name and the description of a format become its schema's own. That it is kept to is certain either way."""
    place = "response_format.json_schema"
    only(named, {"name", "description", "schema", "strict"}, place, UNKNOWN)
    truth(named.get("strict"), at(place, "strict"))
    schema = dict(obj(named.get("schema"), at(place, "schema")))
    for key, word in (("name", "title"), ("description", "description")):
        if not some(named, key) or named[key] == UNNAMED:
            continue
        if schema.setdefault(word, text(named[key], at(place, key))) != named[key]:
            raise Lost(
                at(place, key), f"the schema has another {word}, and the messages API has room for one"
            )
    return schema


def _user(body: Json) -> Json:
    """Both keys say who the person is; chat has an older and a newer one."""
    users = {text(body[key], key) for key in ("user", "safety_identifier") if some(body, key)}
    if len(users) > 1:
        raise Lost("safety_identifier", "`user` names somebody else, and the messages API has room for one")
    return {"metadata": {"user_id": users.pop()}} if users else {}


def _streaming(body: Json) -> Json:
    if some(body, "stream_options"):
        options = obj(body["stream_options"], "stream_options")
        only(options, {"include_usage", "include_obfuscation"}, "stream_options", UNKNOWN)
        truth(options.get("include_usage"), "stream_options.include_usage")
        if truth(options.get("include_obfuscation"), "stream_options.include_obfuscation"):
            raise Lost("stream_options.include_obfuscation", "the messages API pads no events")
    if some(body, "prompt_cache_key"):
        text(body["prompt_cache_key"], "prompt_cache_key")
    return {"stream": True} if truth(body.get("stream"), "stream") else {}
