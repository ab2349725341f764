"""A stream of OpenAI's chat completions, said as the events of a response.

In come pieces of bytes; out come events, numbered from 0. The one idea: words of one kind that follow each other are one item,
opened by the first of them and closed by the first of another kind; calls stay open to the end, as servers may say several
at once. The answer is complete once it said why it ended and the stream came to its end: not every server says `[DONE]`.
"""

from typing import Any, Final

from policyd.translate.asking import Json
from policyd.translate.chat_as_responses import (
    call_of,
    nothing_else,
    reasoning_in,
    spoken,
    the_choice,
    written,
)
from policyd.translate.loss import Unsayable
from policyd.translate.openai_errors import TOO_LONG, of_chat
from policyd.translate.responses_open_items import OpenCall, OpenItem, OpenMessage, OpenReasoning, Said
from policyd.translate.responses_tools import called, names_of
from policyd.translate.responses_words import opened, status_of, usage_of
from policyd.translate.sse import DONE, Events, object_of, said_as

__all__ = ["Stream"]

_RATE_LIMITS: Final = frozenset({"rate_limit_exceeded", "rate_limit_error", "tokens", "requests"})


class Stream:
    """One response. INVARIANT: it is said to be complete only after a finish reason, and nothing is said after that or after
    an error."""

    __slots__ = (
        "_asked",
        "_calls",
        "_ended",
        "_events",
        "_finish",
        "_given",
        "_id",
        "_items",
        "_names",
        "_number",
        "_response",
        "_usage",
    )

    def __init__(self, asked: dict[str, Any]) -> None:
        self._asked = asked
        self._names = names_of(asked)
        self._events = Events()
        self._response: Json | None = None
        self._id = ""
        self._items: list[OpenItem] = []
        self._calls: dict[int, OpenCall] = {}
        self._given: dict[int, str] = {}
        self._finish: str | None = None
        self._usage: Json | None = None
        self._number = 0
        self._ended = False

    def feed(self, piece: bytes) -> bytes:
        out = bytearray()
        for event in self._events.feed(piece):
            if self._ended:
                break
            if event.name == b"ping":
                continue
            done = event.data.strip() == DONE
            out += self._complete() if done else self._chunk(object_of(event.data))
        return bytes(out)

    def end(self) -> bytes:
        return b"" if self._ended else self._complete()

    def _chunk(self, chunk: Json) -> bytes:
        if chunk.get("error") is not None:
            return self._fail(chunk["error"])
        choice = the_choice(chunk)
        if isinstance(chunk.get("usage"), dict):
            self._usage = usage_of(chunk["usage"])
        if choice is None:
            return b""
        out = self._begin(chunk) if self._response is None else b""
        delta = choice.get("delta") or {}
        if not isinstance(delta, dict):
            raise Unsayable("a chunk of the answer is not what its API says")
        nothing_else(delta)
        said = self._words(delta)
        if delta.get("tool_calls"):
            said += self._called(delta["tool_calls"])
        out += self._said(said)
        if choice.get("finish_reason"):
            status_of(choice["finish_reason"])
            self._finish = choice["finish_reason"]
        return out

    def _begin(self, chunk: Json) -> bytes:
        self._response = opened(self._asked, chunk)
        self._id = str(chunk.get("id") or "")
        return self._said(
            [(f"response.{name}", {"response": self._response}) for name in ("created", "in_progress")]
        )

    def _words(self, delta: Json) -> Said:
        said: Said = []
        reasoning = reasoning_in(delta)
        if reasoning:
            self._unfinished()
            last = self._last()
            if not isinstance(last, OpenReasoning):
                said += self._close("completed")
                last = OpenReasoning(self._id, len(self._items))
                said += self._opened(last)
            said += last.more(reasoning)
        for key in ("content", "refusal"):
            words = spoken(delta, key)
            if words:
                self._unfinished()
                message, opening = self._message()
                said += opening + message.more(words, key)
        return said

    def _message(self) -> tuple[OpenMessage, Said]:
        last = self._last()
        if isinstance(last, OpenMessage):
            return last, []
        closing = self._close("completed")
        message = OpenMessage(self._id, len(self._items))
        return message, closing + self._opened(message)

    def _called(self, calls: object) -> Said:
        if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
            raise Unsayable("the calls of the answer are not what its API says")
        said: Said = []
        for call in calls:
            self._unfinished()
            place = _place(call, self._given, len(self._calls))
            if self._goes_on(call, place):
                said += self._calls[place].more(_more(call))
                continue
            first = call_of(call, f"call_{self._id}_{len(self._calls)}")
            if not isinstance(self._last(), OpenCall):
                said += self._close("completed")
            item = OpenCall(self._id, len(self._items), first, called(first["name"], self._names))
            self._calls[place] = item
            self._given[place] = str(call.get("id") or "")
            said += self._opened(item) + item.more(first.get("arguments") or first.get("input") or "")
        return said

    def _goes_on(self, call: Json, place: int) -> bool:
        """Whether a piece is of the call in its place. Some servers give every call the same number, and an id of its own."""
        given, known = call.get("id"), self._given.get(place)
        return known is not None and not (given and known and given != known)

    def _unfinished(self) -> None:
        if self._finish is not None:
            raise Unsayable("the answer goes on after its end")

    def _last(self) -> OpenItem | None:
        """The item that was opened last, where it is still open."""
        last = self._items[-1] if self._items else None
        return last if last is not None and last.done is None else None

    def _opened(self, item: OpenItem) -> Said:
        self._items.append(item)
        return item.begin()

    def _close(self, status: str) -> Said:
        """`status` is of the last item; what was said before another began is complete."""
        said: Said = []
        for item in self._items:
            if item.done is None:
                said += item.close(status if item is self._items[-1] else "completed")
        return said

    def _complete(self) -> bytes:
        if self._finish is None or self._response is None:
            raise Unsayable("the stream ended before the answer did")
        ending = status_of(self._finish)
        said = self._close(ending["status"])
        whole = self._response | ending | {"output": self._output(), "usage": self._usage}
        self._ended = True
        return self._said([*said, (f"response.{ending['status']}", {"response": whole})])

    def _fail(self, told: object) -> bytes:
        if self._response is None:
            raise Unsayable("the target answered with an error inside its stream")
        self._ended = True
        failure = of_chat(told, "the target broke off its answer")
        error = {"code": _code_of(failure), "message": failure["message"]}
        failed = {"status": "failed", "error": error, "output": self._output(), "usage": self._usage}
        return self._said([("response.failed", {"response": self._response | failed})])

    def _output(self) -> list[Json]:
        return [item.done for item in self._items if item.done is not None]

    def _said(self, events: Said) -> bytes:
        out = bytearray()
        for name, keys in events:
            out += said_as(name, {"type": name, "sequence_number": self._number} | keys)
            self._number += 1
        return bytes(out)


def _code_of(failure: Json) -> str:
    """A response has few codes for what went wrong, and clients wait, shorten or give up by them."""
    if failure["code"] == TOO_LONG:
        return TOO_LONG
    return "rate_limit_exceeded" if {failure["code"], failure["type"]} & _RATE_LIMITS else "server_error"


def _place(call: Json, given: dict[int, str], known: int) -> int:
    """Which call a piece is of. Servers that leave its number out begin each call with an id, and may repeat it."""
    index = call.get("index")
    if index is None:
        identity = call.get("id")
        return next((at for at, one in given.items() if one == identity), known) if identity else known - 1
    if not isinstance(index, int) or isinstance(index, bool):
        raise Unsayable("a piece of a call does not say which call it is of")
    return index


def _more(call: Json) -> str:
    inner = call.get("custom") if isinstance(call.get("custom"), dict) else call.get("function")
    inner = inner if isinstance(inner, dict) else {}
    words = written(inner.get("input") if "input" in inner else inner.get("arguments"))
    if not isinstance(words, str):
        raise Unsayable("the arguments of a call are not a text")
    return words
