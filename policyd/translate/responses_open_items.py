"""The items of a response while they are being said.

In come pieces of words; out come the names and the keys of events, without their numbers. The one idea: an item knows how it is
opened, continued and closed, and what it is once it is closed is made where a whole response's items are made.
"""

from typing import Final, TypeAlias

from policyd.translate.asking import Json
from policyd.translate.loss import Unsayable
from policyd.translate.responses_words import call_item, message_item, reasoning_item, refusal_part, text_part

__all__ = ["OpenCall", "OpenItem", "OpenMessage", "OpenReasoning", "Said"]

Said: TypeAlias = list[tuple[str, Json]]


class OpenReasoning:
    """Reasoning in words."""

    __slots__ = ("_id", "_response", "_words", "done", "index")

    def __init__(self, response: str, index: int) -> None:
        self._response = response
        self._id = ""
        self.index = index
        self._words: list[str] = []
        self.done: Json | None = None

    def begin(self) -> Said:
        item = reasoning_item(self._response, self.index, "") | {"content": [], "status": "in_progress"}
        self._id = item["id"]
        part = {"type": "reasoning_text", "text": ""}
        return [_added(self.index, item), ("response.content_part.added", self._at() | {"part": part})]

    def more(self, words: str) -> Said:
        self._words.append(words)
        return [("response.reasoning_text.delta", self._at() | {"delta": words})]

    def close(self, status: str) -> Said:
        words = "".join(self._words)
        self.done = reasoning_item(self._response, self.index, words) | {"status": status}
        return [
            ("response.reasoning_text.done", self._at() | {"text": words}),
            ("response.content_part.done", self._at() | {"part": self.done["content"][0]}),
            _done(self.index, self.done),
        ]

    def _at(self) -> Json:
        return {"item_id": self._id, "output_index": self.index, "content_index": 0}


class OpenMessage:
    """Words for the caller: parts of text and of refusal, one open at a time."""

    __slots__ = ("_id", "_key", "_parts", "_response", "_words", "done", "index")

    def __init__(self, response: str, index: int) -> None:
        self._response = response
        self.index = index
        self._id = ""
        self._key = ""
        self._words: list[str] = []
        self._parts: list[Json] = []
        self.done: Json | None = None

    def begin(self) -> Said:
        item = message_item(self._response, self.index, []) | {"status": "in_progress"}
        self._id = item["id"]
        return [_added(self.index, item)]

    def more(self, words: str, key: str) -> Said:
        """`key` is chat's: `content` or `refusal`."""
        said: Said = []
        if key != self._key:
            said += self._close_part()
            self._key = key
            said.append(("response.content_part.added", self._at() | {"part": _PARTS[key]("")}))
        self._words.append(words)
        delta = self._at() | {"delta": words}
        if key == "refusal":
            return [*said, ("response.refusal.delta", delta)]
        return [*said, ("response.output_text.delta", delta | {"logprobs": []})]

    def close(self, status: str) -> Said:
        said = self._close_part()
        self.done = message_item(self._response, self.index, self._parts) | {"status": status}
        return [*said, _done(self.index, self.done)]

    def _close_part(self) -> Said:
        if not self._key:
            return []
        words, at = "".join(self._words), self._at()
        part = _PARTS[self._key](words)
        self._parts.append(part)
        self._words = []
        if self._key == "refusal":
            last = ("response.refusal.done", at | {"refusal": words})
        else:
            last = ("response.output_text.done", at | {"text": words, "logprobs": []})
        return [last, ("response.content_part.done", at | {"part": part})]

    def _at(self) -> Json:
        return {"item_id": self._id, "output_index": self.index, "content_index": len(self._parts)}


_PARTS: Final = {"content": text_part, "refusal": refusal_part}


class OpenCall:
    """A call of a function or of a custom tool; `call` is chat's, as its first piece has it."""

    __slots__ = ("_call", "_id", "_key", "_named", "_response", "_words", "done", "index")

    def __init__(self, response: str, index: int, call: Json, named: Json) -> None:
        self._response = response
        self.index = index
        self._key = "input" if "input" in call else "arguments"
        self._call = call | {self._key: ""}
        self._id = ""
        self._named = named
        self._words: list[str] = []
        self.done: Json | None = None

    def begin(self) -> Said:
        item = self._item("") | {"status": "in_progress"}
        self._id = item["id"]
        return [_added(self.index, item)]

    def more(self, words: str) -> Said:
        if self.done is not None:
            raise Unsayable("a call in the answer goes on after its end")
        self._words.append(words)
        name = "custom_tool_call_input" if self._key == "input" else "function_call_arguments"
        return [(f"response.{name}.delta", self._at() | {"delta": words})] if words else []

    def close(self, status: str) -> Said:
        words = "".join(self._words)
        self.done = self._item(words) | {"status": status}
        name = "custom_tool_call_input" if self._key == "input" else "function_call_arguments"
        return [(f"response.{name}.done", self._at() | {self._key: words}), _done(self.index, self.done)]

    def _item(self, words: str) -> Json:
        return call_item(self._response, self.index, self._call | {self._key: words}, self._named)

    def _at(self) -> Json:
        return {"item_id": self._id, "output_index": self.index}


OpenItem: TypeAlias = OpenReasoning | OpenMessage | OpenCall


def _added(index: int, item: Json) -> tuple[str, Json]:
    return "response.output_item.added", {"output_index": index, "item": item}


def _done(index: int, item: Json) -> tuple[str, Json]:
    return "response.output_item.done", {"output_index": index, "item": item}
