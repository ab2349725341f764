"""The address of a request at Azure OpenAI's classic API, which names the model in the path and the version in the query.

In come the plain path of an endpoint, a query and the model that is sent; out come the path and query of Azure. The one
idea: the name that a binding pins stands in the path, and the gate compares it with the one in the body (`azure_path`).
A server with `/openai/v1` needs none of this: its URL ends in `/openai`, and the paths below are the plain ones. Pure.
"""

from typing import Final

__all__ = ["azure_address", "without_version"]

_VERSION: Final = b"api-version"
_NAMED: Final = frozenset({b"/v1/chat/completions", b"/v1/completions", b"/v1/embeddings"})


def azure_address(version: str, path: bytes, query: bytes, model: str) -> tuple[bytes, bytes]:
    """`path` begins with `/v1`. INVARIANT: `model` can stand in a path; the deployment file's reader has looked."""
    rest = path.removeprefix(b"/v1")
    there = b"/openai/deployments/" + model.encode() + rest if path in _NAMED else b"/openai" + rest
    kept = b"&".join(pair for pair in query.split(b"&") if pair and not _is_like_a_version(pair))
    said = _VERSION + b"=" + version.encode()
    return there, said + b"&" + kept if kept else said


def _is_like_a_version(pair: bytes) -> bool:
    """Whether somebody could read another version there, in any spelling; the gate lets none through."""
    return b"version" in pair.lower() or b"%" in pair.partition(b"=")[0]


def without_version(query: bytes) -> bytes:
    """The query without the version, which belongs to the address that the caller used."""
    if _VERSION not in query:
        return query
    return b"&".join(p for p in query.split(b"&") if p.partition(b"=")[0] != _VERSION)
