"""A stream of Anthropic's messages, said as one of OpenAI's chat completions, event by event.

In come pieces of bytes; out come chunks. The one idea: a block of the messages stream is open from its start to its stop,
so a delta is only said where its block is open and of its kind; everything else is `Unsayable`. `message_start` becomes
the chunk with the role, `message_stop` the finish, the usage where it was asked for, and `[DONE]`. A ping says nothing.
"""

from typing import Any

import orjson

from policyd.translate.asking import Json
from policyd.translate.chat_words import answered, finish_of, refusal_of, usage_of
from policyd.translate.loss import Unsayable
from policyd.translate.openai_errors import of_messages
from policyd.translate.sse import DONE, Events, object_of, said
from policyd.translate.thoughts import detail_of

__all__ = ["Stream"]


class Stream:
    """One answer. INVARIANT: `[DONE]` is said only after `message_stop`, and nothing after an error."""

    __slots__ = (
        "_ended",
        "_events",
        "_finish",
        "_head",
        "_index",
        "_model",
        "_open",
        "_refusal",
        "_thought",
        "_tool",
        "_usage",
        "_wants",
    )

    def __init__(self, asked: dict[str, Any]) -> None:
        options = asked.get("stream_options")
        self._wants = isinstance(options, dict) and options.get("include_usage") is True
        self._events = Events()
        self._model = str(asked.get("model") or "")
        self._head: Json | None = None
        self._open: Json | None = None
        self._index = -1
        self._thought = -1
        self._tool = -1
        self._finish: str | None = None
        self._refusal: str | None = None
        self._usage: Json = {}
        self._ended = False

    def feed(self, piece: bytes) -> bytes:
        out = []
        for event in self._events.feed(piece):
            if not self._ended:
                out.append(self._said(object_of(event.data)))
        return b"".join(out)

    def end(self) -> bytes:
        if not self._ended:
            raise Unsayable("the stream ended before the message did")
        return b""

    def _said(self, event: Json) -> bytes:
        match event.get("type"):
            case "message_start":
                return self._start(event)
            case "content_block_start":
                return self._unannounced(event) + self._block(event)
            case "content_block_delta":
                return self._delta(event)
            case "content_block_stop":
                return self._stop_block(event)
            case "message_delta":
                return self._message_delta(event)
            case "message_stop":
                return self._stop()
            case "error":
                return self._error(event)
        return b""

    def _start(self, event: Json) -> bytes:
        message = event.get("message")
        if self._head is not None or not isinstance(message, dict):
            raise Unsayable("the stream begins in another way than its API says")
        self._head = {
            "id": answered(message, "id"),
            "object": "chat.completion.chunk",
            "created": 0,
            "model": answered(message, "model"),
        }
        self._counted(message.get("usage"))
        return self._chunk({"role": "assistant", "content": ""})

    def _unannounced(self, event: Json) -> bytes:
        """llama.cpp's server leaves `message_start` out where the first token of an answer is no whole character, as
        those of many scripts are. The first block then begins the message; what it was to say of itself is not known."""
        if self._head is not None or event.get("index") != 0:
            return b""
        return self._start({"message": {"id": "msg_unnamed", "model": self._model}})

    def _block(self, event: Json) -> bytes:
        block = event.get("content_block")
        if (
            self._head is None
            or self._open is not None
            or self._finish is not None
            or not isinstance(block, dict)
        ):
            raise Unsayable("a block begins where none may")
        self._index = _index(event)
        match block.get("type"):
            case "text" if not block.get("citations"):
                self._open = {"type": "text"}
                first = block.get("text")
                return self._chunk({"content": first}) if isinstance(first, str) and first else b""
            case "thinking":
                thought = {
                    key: block[key] for key in ("thinking", "signature") if isinstance(block.get(key), str)
                }
                self._open = {"type": "thinking", "thinking": "", "signature": ""} | thought
                first = self._open["thinking"]
                return self._chunk({"reasoning_content": first}) if first else b""
            case "redacted_thinking":
                self._open = {"type": "redacted_thinking", "data": answered(block, "data")}
                return b""
            case "tool_use":
                self._tool += 1
                self._open = {"type": "tool_use", "input": block.get("input") or {}, "said": False}
                function = {"name": answered(block, "name"), "arguments": ""}
                call = {"id": answered(block, "id"), "type": "function", "function": function}
                return self._chunk({"tool_calls": [{"index": self._tool} | call]})
        raise Unsayable("chat has no word for a block of the answer")

    def _delta(self, event: Json) -> bytes:
        delta = event.get("delta")
        block = self._open
        if block is None or not isinstance(delta, dict) or _index(event) != self._index:
            raise Unsayable("a part of a block comes outside of it")
        match block["type"], delta.get("type"):
            case "text", "text_delta":
                return self._chunk({"content": answered(delta, "text")})
            case "thinking", "thinking_delta":
                words = answered(delta, "thinking")
                block["thinking"] += words
                return self._chunk({"reasoning_content": words})
            case "thinking", "signature_delta":
                block["signature"] += answered(delta, "signature")
                return b""
            case "tool_use", "input_json_delta":
                words = answered(delta, "partial_json")
                block["said"] = block["said"] or bool(words)
                return self._arguments(words) if words else b""
        raise Unsayable("a part of a block is of another kind than the block")

    def _stop_block(self, event: Json) -> bytes:
        block, self._open = self._open, None
        if block is None or _index(event) != self._index:
            raise Unsayable("a block ends that had not begun")
        if block["type"] == "tool_use" and not block["said"]:
            return self._arguments(orjson.dumps(block["input"]).decode())
        if block["type"] in {"thinking", "redacted_thinking"}:
            self._thought += 1
            return self._chunk({"reasoning_details": [detail_of(block, self._thought)]})
        return b""

    def _message_delta(self, event: Json) -> bytes:
        delta = event.get("delta")
        if self._head is None or self._open is not None or not isinstance(delta, dict):
            raise Unsayable("the message ends where it may not")
        self._counted(event.get("usage"))
        if delta.get("stop_reason") is not None:
            self._finish = finish_of(delta["stop_reason"])
            self._refusal = refusal_of(delta)
        return b""

    def _stop(self) -> bytes:
        if self._finish is None or self._open is not None:
            raise Unsayable("the message ends without a reason")
        last = self._chunk({} if self._refusal is None else {"refusal": self._refusal}, self._finish)
        if self._wants:
            last += said((self._head or {}) | {"choices": [], "usage": usage_of(self._usage)})
        self._ended = True
        return last + b"data: %b\n\n" % DONE

    def _error(self, event: Json) -> bytes:
        if self._head is None:
            raise Unsayable("the target answered with an error inside its stream")
        self._ended = True
        told = of_messages(event, "the target broke off its answer")
        return said({"error": told | {"type": told["type"] or "server_error"}})

    def _arguments(self, words: str) -> bytes:
        return self._chunk({"tool_calls": [{"index": self._tool, "function": {"arguments": words}}]})

    def _counted(self, usage: object) -> None:
        """Counts of a later event are of the whole message, and replace earlier ones."""
        if isinstance(usage, dict):
            self._usage |= {key: value for key, value in usage.items() if value is not None}

    def _chunk(self, delta: Json, finish: str | None = None) -> bytes:
        assert self._head is not None  # INVARIANT: nothing is said before the message has begun
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return said(self._head | {"choices": [choice]} | ({"usage": None} if self._wants else {}))


def _index(event: Json) -> int:
    index = event.get("index")
    if not isinstance(index, int) or isinstance(index, bool):
        raise Unsayable("an event does not say which block it is of")
    return index
