"""One reader per endpoint, behind one door.

Comes in: an endpoint and a parsed body. Goes out: a `Reading`. It never raises, whatever JSON it is given.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from policyd.traffic.anthropic_messages import read_count_tokens, read_messages
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.openai_chat import read_chat
from policyd.traffic.openai_responses import read_responses
from policyd.traffic.openai_texts import read_completions, read_embeddings
from policyd.traffic.reading import Draft, Reading

__all__ = ["read_request"]


def _nothing(body: Mapping[str, Any]) -> Reading:
    return Draft(body).done()


READERS: Final[dict[EndpointName, Callable[[Mapping[str, Any]], Reading]]] = {
    EndpointName.CHAT: read_chat,
    EndpointName.COMPLETIONS: read_completions,
    EndpointName.RESPONSES: read_responses,
    EndpointName.EMBEDDINGS: read_embeddings,
    EndpointName.MESSAGES: read_messages,
    EndpointName.COUNT_TOKENS: read_count_tokens,
    EndpointName.MODELS: _nothing,
    EndpointName.ALIVE: _nothing,
}


def read_request(name: EndpointName, parsed: Mapping[str, Any]) -> Reading:
    """The reading of a request to this endpoint. `parsed` is a `Body`'s; models and the root have none (`{}`)."""
    return READERS[name](parsed)
