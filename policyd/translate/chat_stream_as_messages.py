"""A stream of chat completions said as a stream of Anthropic messages, event by event.

In come the bytes of the one, cut anywhere; out go the bytes of the other. The one idea: a message is a row of blocks, of
which one is open at a time, and a delta of another kind closes the open one. What a call's block needs from deltas that
come out of turn waits in `streamed_calls`. An answer that did not say that it ended has not ended.
"""

from typing import Any, Final, TypeAlias

from policyd.translate.anthropic_words import error_event, reasoning_in, stop_of, usage_of
from policyd.translate.chat_as_messages import call_id
from policyd.translate.loss import Unsayable
from policyd.translate.marks import mark_of
from policyd.translate.messages_to_chat import wants_thinking
from policyd.translate.sse import DONE, Event, Events, object_of, said_as
from policyd.translate.streamed_calls import Call, Calls

__all__ = ["Stream"]

_Json: TypeAlias = dict[str, Any]

_NO_USAGE: Final = {"input_tokens": 0, "output_tokens": 0}
"""What is told at the beginning; servers of chat completions tell it at the end, where it is told again."""


class Stream:
    """One stream. After `feed` or `end` has raised, it says nothing more."""

    __slots__ = (
        "_begun", "_blank", "_calls", "_ended", "_events", "_index", "_kind", "_mark", "_name", "_out", "_refused", "_stop", "_thinks",
        "_usage", "_was_called",
    )  # fmt: skip

    def __init__(self, asked: _Json) -> None:
        self._thinks = wants_thinking(asked)
        self._events = Events()
        self._out: list[bytes] = []
        self._begun = False
        self._ended = False
        self._index = -1
        self._kind = ""
        self._blank = ""
        self._mark = ""
        self._name = ""
        self._calls = Calls()
        self._was_called = False
        self._refused = False
        self._stop: _Json | None = None
        self._usage: object = None

    def feed(self, piece: bytes) -> bytes:
        for event in self._events.feed(piece):
            self._take(event)
        return self._said()

    def end(self) -> bytes:
        """An end without `[DONE]` is good where the answer said why it stopped: not every server sends the one."""
        for event in self._events.feed(b"\n\n"):
            self._take(event)
        if not self._ended:
            if self._stop is None:
                raise Unsayable("the stream ended before the answer did")
            self._finish(self._stop)
        return self._said()

    def _said(self) -> bytes:
        out, self._out = b"".join(self._out), []
        return out

    def _take(self, event: Event) -> None:
        if self._ended or event.name == b"ping":
            return
        if event.data.strip() == DONE:
            if self._stop is None:
                raise Unsayable("the stream says that it is done before the answer is")
            self._finish(self._stop)
            return
        chunk = object_of(event.data)
        if chunk.get("error") or chunk.get("object") == "error":
            self._fail(chunk)
            return
        if isinstance(chunk.get("usage"), dict):
            self._usage = chunk["usage"]
        choices = chunk.get("choices")
        if choices is None and "usage" in chunk:
            choices = []
        if not isinstance(choices, list):
            raise Unsayable("an event of the stream has no choices")
        if choices and not self._begun:
            # A first one without a choice may be a filter's, under no id and no model.
            self._begin(chunk)
        for choice in choices:
            if isinstance(choice, dict) and choice.get("index", 0) == 0:
                self._choice(choice)

    def _choice(self, choice: _Json) -> None:
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self._delta(delta)
        # Some servers say "" until the end.
        if choice.get("finish_reason"):
            self._stop = choice

    def _delta(self, delta: _Json) -> None:
        reasoning = reasoning_in(delta)
        if reasoning is not None:
            self._living()
            if self._thinks:
                key, thought = reasoning
                self._open("thinking", {"type": "thinking", "thinking": "", "signature": ""})
                self._mark = mark_of(key)
                self._tell({"type": "thinking_delta", "thinking": thought})
        for key in ("content", "refusal"):
            words = _words_of(delta.get(key))
            if words:
                self._living()
                self._refused = self._refused or key == "refusal"
                self._words(words)
        calls = delta.get("tool_calls") or []
        if not isinstance(calls, list):
            raise Unsayable("the calls of a delta are no list")
        for position, call in enumerate(calls):
            self._living()
            for ready, arguments in self._calls.take(call, position):
                self._call(ready, arguments)

    def _words(self, words: str) -> None:
        """White space waits for words: Anthropic has no block of white space alone, and refuses one that is sent back."""
        if self._kind != "text":
            words = self._blank + words
            self._blank = ""
            if words.isspace():
                self._blank = words
                return
        self._open("text", {"type": "text", "text": ""})
        self._tell({"type": "text_delta", "text": words})

    def _living(self) -> None:
        if self._stop is not None:
            raise Unsayable("the answer goes on after it said that it ended")

    def _call(self, call: Call, arguments: str) -> None:
        kind = f"call {call.at}"
        if self._kind != kind:
            self._was_called = True
            identity = call_id(self._name, call.at, call.identity)
            self._close()
            self._open(kind, {"type": "tool_use", "id": identity, "name": call.name, "input": {}})
        if arguments:
            self._tell({"type": "input_json_delta", "partial_json": arguments})

    def _open(self, kind: str, block: _Json) -> None:
        """Makes the open block one of this kind."""
        if self._kind == kind:
            return
        if not kind.startswith("call"):
            self._flush()
        self._close()
        self._index += 1
        self._kind = kind
        self._blank = ""
        self._say("content_block_start", {"index": self._index, "content_block": block})

    def _flush(self) -> None:
        """The calls that waited for their turn, whole."""
        for call, arguments in self._calls.rest():
            self._call(call, arguments)

    def _close(self) -> None:
        if not self._kind:
            return
        if self._kind == "thinking":
            self._tell({"type": "signature_delta", "signature": self._mark})
        self._say("content_block_stop", {"index": self._index})
        self._kind = ""

    def _tell(self, delta: _Json) -> None:
        self._say("content_block_delta", {"index": self._index, "delta": delta})

    def _say(self, name: str, value: _Json) -> None:
        self._out.append(said_as(name, {"type": name, **value}))

    def _begin(self, chunk: _Json) -> None:
        self._begun = True
        name, model = chunk.get("id"), chunk.get("model")
        self._name = name if isinstance(name, str) and name else "msg_unnamed"
        message: _Json = {
            "id": self._name,
            "type": "message",
            "role": "assistant",
            "model": model if isinstance(model, str) else "",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": _NO_USAGE,
        }
        self._say("message_start", {"message": message})

    def _finish(self, choice: _Json) -> None:
        self._flush()
        self._close()
        reason, sequence = stop_of(choice, called=self._was_called, refused=self._refused)
        self._calls.check(cut=reason == "max_tokens")
        delta = {"stop_reason": reason, "stop_sequence": sequence}
        self._say("message_delta", {"delta": delta, "usage": usage_of(self._usage)})
        self._say("message_stop", {})
        self._ended = True

    def _fail(self, chunk: _Json) -> None:
        """An error inside the stream; before anything was said another target may do better."""
        if not self._begun:
            raise Unsayable("the stream begins with an error")
        self._say("error", error_event(chunk))
        self._ended = True


def _words_of(said: object) -> str:
    """The words of a delta, which some servers say in parts."""
    if said is None or isinstance(said, str):
        return said or ""
    parts = said if isinstance(said, list) else [said]
    words = [p.get("text") for p in parts if isinstance(p, dict) and p.get("type") == "text"]
    texts = [word for word in words if isinstance(word, str)]
    if len(texts) != len(parts):
        raise Unsayable("a delta of the stream has content that is no text")
    return "".join(texts)
