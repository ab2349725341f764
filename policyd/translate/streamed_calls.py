"""The calls of a chat stream put in order: one after the other, each from its name to the end of its arguments.

In come the deltas of `tool_calls`; out come pieces of one call at a time. The one idea: a call passes piece by piece while
it is its turn; those behind it wait, until its arguments are a whole object or the answer ends. Servers tell calls apart
by an index, by an id where they give all the same index, or by their place where they give none.
"""

from dataclasses import dataclass, field

import orjson

from policyd.translate.loss import Unsayable

__all__ = ["Call", "Calls"]


@dataclass(slots=True)
class Call:
    """One call. `at` counts the calls of the answer; `told` says how many of its pieces were given on."""

    at: int
    identity: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    told: int = 0

    def is_whole(self) -> bool:
        """Whether the arguments are an object that is complete."""
        if not self.pieces or not self.pieces[-1].rstrip().endswith("}"):
            return False
        try:
            return isinstance(orjson.loads("".join(self.pieces)), dict)
        except orjson.JSONDecodeError:
            return False


class Calls:
    """The calls of one answer."""

    __slots__ = ("_by_index", "_calls", "_turn")

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._by_index: dict[int, Call] = {}
        self._turn = 0

    def take(self, delta: object, position: int) -> list[tuple[Call, str]]:
        """The pieces that may be told now. Raises `Unsayable`."""
        if not isinstance(delta, dict):
            raise Unsayable("a call in the stream is no object")
        index = delta.get("index")
        index = index if isinstance(index, int) else position
        function = delta.get("function")
        function = function if isinstance(function, dict) else {}
        identity, name, arguments = delta.get("id"), function.get("name"), function.get("arguments")
        if isinstance(arguments, dict):
            arguments = orjson.dumps(arguments).decode()
        call = self._by_index.get(index)
        if call is None or (
            isinstance(identity, str) and identity and call.identity and identity != call.identity
        ):
            call = self._by_index[index] = Call(len(self._calls))
            self._calls.append(call)
        if isinstance(identity, str):
            call.identity = call.identity or identity
        if isinstance(name, str):
            call.name = call.name or name
        if isinstance(arguments, str) and arguments:
            if call.at < self._turn:
                raise Unsayable("a call in the stream goes on after its turn")
            call.pieces.append(arguments)
        return self._ready()

    def _ready(self) -> list[tuple[Call, str]]:
        out: list[tuple[Call, str]] = []
        while self._turn < len(self._calls):
            call = self._calls[self._turn]
            if not call.name:
                break
            self._tell(call, out)
            if self._turn + 1 == len(self._calls) or not call.is_whole():
                break
            self._turn += 1
        return out

    def rest(self) -> list[tuple[Call, str]]:
        """What waited: nothing more will come before it."""
        out: list[tuple[Call, str]] = []
        for call in self._calls[self._turn :]:
            if not call.name:
                raise Unsayable("a call in the stream names no function")
            self._tell(call, out)
        self._turn = len(self._calls)
        return out

    def _tell(self, call: Call, out: list[tuple[Call, str]]) -> None:
        if call.told < len(call.pieces) or not call.told:
            out.append((call, "".join(call.pieces[call.told :])))
            call.told = len(call.pieces)

    def check(self, *, cut: bool) -> None:
        """Raises `Unsayable` where a call's arguments are no object. `cut`: the last one may be incomplete."""
        for call in self._calls:
            if call.pieces and not call.is_whole() and not (cut and call is self._calls[-1]):
                raise Unsayable("the arguments of a call in the stream are no JSON object")
