"""Every direction that policyd translates, in one table: by the endpoint that the caller uses, what the target speaks instead
and the functions between the two.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeAlias

from policyd.translate import (
    chat_as_messages,
    chat_as_responses,
    chat_stream_as_messages,
    chat_stream_as_responses,
    chat_to_messages,
    messages_as_chat,
    messages_stream_as_chat,
    messages_to_chat,
    responses_to_chat,
)
from policyd.translate.loss import Loss

__all__ = ["DIRECTIONS", "Direction", "Stream"]

_Json: TypeAlias = dict[str, Any]


class Stream(Protocol):
    """A stream of answers on its way; either method may raise `Unsayable`."""

    def feed(self, piece: bytes) -> bytes: ...

    def end(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Direction:
    """`into` is the endpoint that the target speaks, `path` where that is. The functions are described in the package."""

    into: str
    path: bytes
    request: Callable[[_Json], _Json | Loss]
    whole: Callable[[_Json, _Json], _Json]
    error: Callable[[int, bytes], tuple[int, bytes]]
    stream: Callable[[_Json], Stream]


DIRECTIONS: Final[Mapping[str, Direction]] = MappingProxyType(
    {
        "messages": Direction(
            "chat",
            b"/v1/chat/completions",
            messages_to_chat.request,
            chat_as_messages.whole,
            chat_as_messages.error,
            chat_stream_as_messages.Stream,
        ),
        "chat": Direction(
            "messages",
            b"/v1/messages",
            chat_to_messages.request,
            messages_as_chat.whole,
            messages_as_chat.error,
            messages_stream_as_chat.Stream,
        ),
        "responses": Direction(
            "chat",
            b"/v1/chat/completions",
            responses_to_chat.request,
            chat_as_responses.whole,
            chat_as_responses.error,
            chat_stream_as_responses.Stream,
        ),
    }
)
