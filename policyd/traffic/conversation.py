"""Which conversation a request belongs to, by what its client says, and what it continues that the server keeps.

In come a reading and the request's headers (names in lower case); out go ids. The one idea: a table. Each known client says
its ids in a place of its own; the first row of the table whose place is filled names the session. All of it is the caller's
word: whoever wants another conversation sends another id, so nothing here is attested, and a policy that would allow more
for an id is told so by the proofs.

Not here: what is remembered of a conversation, and who may continue whose.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from policyd.traffic.reading import Flag, Reading

__all__ = ["HEADERS", "NO_IDS", "SOURCES", "ConversationIds", "Source", "conversation_ids", "said_ids"]

LONGEST_ID: Final = 256
"""Characters of an id. Of a longer one its SHA-256 stands for it, so that two long ids never become one."""

MOST_STATE: Final = 256
"""Ids of kept state that one request names; with more, `complete` is False, and nobody looks for how many."""

LONGEST_JSON: Final = 4096
"""Characters of a `metadata.user_id` that is looked into."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where one client says its ids. A place is a header (`header x-session-id`) or keys of the body joined by dots. `session`
    are the places of the whole run of an agent, the first that is filled counts; `conversation` those of one conversation
    inside it, such as a sub-agent's."""

    client: str
    session: tuple[str, ...]
    conversation: tuple[str, ...] = ()


SOURCES: Final = (
    Source("Claude Code", ("header x-claude-code-session-id", "metadata.user_id"), ("header x-claude-code-agent-id",)),
    Source("opencode", ("header x-parent-session-id", "header x-opencode-session"), ("header x-opencode-session", "header x-session-id")),
    Source("Codex", ("header session-id", "header session_id", "client_metadata.session_id"), ("header thread-id", "header conversation_id", "client_metadata.thread_id")),
    Source("Qwen Code", ("metadata.sessionId",)),
    Source("any other", ("header x-session-id", "header x-session-affinity", "header x-litellm-session-id", "header helicone-session-id", "session_id", "metadata.session_id"), ("header x-conversation-id", "metadata.conversation_id")),
    Source("conversations only", ("header x-conversation-id", "header thread-id", "header conversation_id", "metadata.conversation_id")),
    Source("a cache key", ("prompt_cache_key",)),
    Source("kept by the server", ("conversation", "conversation.id")),
)  # fmt: skip
"""Rows in the order in which they are asked."""

HEADERS: Final = frozenset(
    place.removeprefix("header ").encode()
    for source in SOURCES
    for place in (*source.session, *source.conversation)
    if place.startswith("header ")
)
"""The headers that are read."""

_CLAUDE: Final = re.compile(r"user_[0-9A-Za-z]*_account_[0-9A-Za-z-]*_session_([0-9A-Za-z-]{8,128})")
"""How Claude Code said its session before 2.1; since then the same key holds JSON."""

_OWN: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|ses_[0-9A-Za-z]{8,64}", re.IGNORECASE
)
"""A cache key that is an id. Any other text may be shared by all requests with the same beginning, as OpenAI advises."""


@dataclass(frozen=True, slots=True)
class ConversationIds:
    """`agent` is the id of the session that the client says, `conversation` that of the one conversation in it (the same
    unless the client tells them apart); both `""` where it says none. `client` is the row of `SOURCES` that said so. `said` are
    all that any place of any row says: a request with several is in each of them, so that none of them can hide another.
    `state` are ids of what the server keeps and this request continues or reads: earlier answers, conversations, items, files,
    containers. `complete` is False where there is more kept state than `state` names."""

    agent: str
    conversation: str
    client: str
    state: tuple[str, ...]
    complete: bool
    said: tuple[str, ...]


NO_IDS: Final = ConversationIds("", "", "", (), complete=True, said=())


def conversation_ids(reading: Reading, headers: Iterable[tuple[bytes, bytes]]) -> ConversationIds:
    """The ids of one request. A header that comes twice counts as it came first."""
    said = _headers_said(headers)
    client, session, conversation = _first_row(said, reading.body)
    state, complete = _state(reading)
    if client or state or not complete:
        everything = _all_said(said, reading.body) if client else ()
        return ConversationIds(session, conversation, client, state, complete, everything)
    return NO_IDS


def said_ids(reading: Reading, headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str, str]:
    """The client, its session and its conversation, without what the server keeps; `""` where nothing is said."""
    return _first_row(_headers_said(headers), reading.body)


def _headers_said(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    said: dict[str, str] = {}
    for name, value in headers:
        if name in HEADERS:
            said.setdefault(f"header {name.decode('ascii')}", _text(value))
    return said


def _first_row(said: Mapping[str, str], body: Mapping[str, Any]) -> tuple[str, str, str]:
    for source in SOURCES:
        session = next(_ids_at(source.session, said, body), "")
        if session:
            conversation = next(_ids_at(source.conversation, said, body), "")
            return source.client, session, _within(source, session, conversation) or session
    return "", "", ""


def _all_said(said: Mapping[str, str], body: Mapping[str, Any]) -> tuple[str, ...]:
    """Every id of every row, once."""
    found: dict[str, None] = {}
    for source in SOURCES:
        sessions = tuple(_ids_at(source.session, said, body))
        found.update(dict.fromkeys(sessions))
        for conversation in _ids_at(source.conversation, said, body):
            for session in sessions or ("",):
                found[_within(source, session, conversation)] = None
    return tuple(found)


def _within(source: Source, session: str, conversation: str) -> str:
    """Claude Code counts the conversations of a session; other clients give each an id of its own."""
    if conversation and source.client == "Claude Code":
        return _bounded(f"{session}/{conversation}")
    return conversation


def _ids_at(places: tuple[str, ...], said: Mapping[str, str], body: Mapping[str, Any]) -> Iterator[str]:
    for place in places:
        found = _bounded(said.get(place, "") if place.startswith("header ") else _at(body, place))
        if found:
            yield found


def _at(body: Mapping[str, Any], place: str) -> str:
    value: object = body
    for key in place.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    if not isinstance(value, str):
        return ""
    match place:
        case "metadata.user_id":
            return _claude_session(value)
        case "prompt_cache_key":
            return value if _OWN.fullmatch(value) else ""
        case _:
            return value


def _claude_session(text: str) -> str:
    """Anthropic's `user_id` names a person or a session, as its writer likes; only the forms of Claude Code name a session."""
    if len(text) > LONGEST_JSON:
        return ""
    old = _CLAUDE.fullmatch(text)
    if old is not None:
        return old[1]
    if text[:1] != "{":
        return ""
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        return ""
    session = said.get("session_id")
    return session if isinstance(session, str) else ""


def _text(raw: bytes) -> str:
    """A header's bytes; HTTP has no charset for them, and an id only has to be the same each time."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _bounded(text: str) -> str:
    normal = unicodedata.normalize("NFC", text.strip()) if len(text) <= LONGEST_ID * 4 else text
    if len(normal) <= LONGEST_ID:
        return normal
    return f"sha256:{hashlib.sha256(normal.encode('utf-8', 'surrogatepass')).hexdigest()}"


_ID_KEYS: Final = frozenset({"file_id", "container_id", "previous_response_id", "vector_store_id"})
_ID_LISTS: Final = frozenset({"file_ids", "vector_store_ids"})
_ID_OBJECTS: Final = frozenset({"conversation", "container", "prompt"})
"""Keys whose value is an id, or an object with an `id`. A prompt that is a text names nothing."""

_NOT_OURS: Final = frozenset(
    {"arguments", "parameters", "input_schema", "schema", "metadata", "client_metadata"}
)
"""Keys behind which the names are a tool's or the caller's own."""


def _state(reading: Reading) -> tuple[tuple[str, ...], bool]:
    """A reader flags every request that names kept state, so that no other is walked. The walk visits every object once."""
    if Flag.STORED not in reading.flags:
        return (), True
    found: dict[str, None] = {}
    for key in ("input", "instructions"):
        items = reading.body.get(key)
        for item in items if isinstance(items, list) else ():
            if len(found) > MOST_STATE:
                break
            if isinstance(item, dict) and "role" not in item and item.get("type") in (None, "item_reference"):
                _add(found, item.get("id"))
    stack: list[object] = [reading.body]
    while stack and len(found) <= MOST_STATE:
        value = stack.pop()
        if isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, dict):
            for key, item in value.items():
                if key in _ID_KEYS:
                    _add(found, item)
                elif key in _ID_LISTS:
                    for one in item if isinstance(item, list) else ():
                        if len(found) > MOST_STATE:
                            break
                        _add(found, one)
                elif key in _ID_OBJECTS and isinstance(item, dict):
                    _add(found, item.get("id"))
                elif key in _ID_OBJECTS and key != "prompt":
                    _add(found, item)
                if isinstance(item, list) or (
                    isinstance(item, dict) and key not in _NOT_OURS and key != "input"
                ):
                    stack.append(item)
    return tuple(found)[:MOST_STATE], len(found) <= MOST_STATE


def _add(found: dict[str, None], value: object) -> None:
    if isinstance(value, str) and value:
        found[_bounded(value)] = None
