"""A policy that remembers conversations, model servers that answer like the Responses API, and requests of a conversation."""

import json
from collections.abc import Mapping
from pathlib import Path

from tests.proxy.bench import Answer, Answering, Running, post
from tests.upstream.scripted import Peer

__all__ = [
    "CARD",
    "KEYS",
    "KEY_FILE",
    "POLICY",
    "SECRET",
    "ask",
    "chat",
    "events",
    "respond",
    "responding",
    "went_to",
]

POLICY = """
edition 1

level  sensitivity { internal < confidential < restricted }
enum   latency     { interactive, batch }  from header "x-latency"  unknown interactive
string team        from identity           unknown reject
enum   origin      { eu, us }              from deployment          unknown reject

classify sensitivity {
    starts at internal
    at least conversation for 8 hours
    at least confidential  when findings contains any { "secret", "private-key" } or (opaque and not stored)
    at least restricted    when findings contains any { "card-number", "iban" }
}

target home   { location on_prem  region eu  context 1000G speaks chat, responses, messages  supports tools, json, images, reasoning, stored, server_tools, remote_content }
target cloud  { location cloud    region us  context 1000G speaks chat, responses, messages  supports tools, json, images, reasoning, stored, server_tools, remote_content }

guard stays_home  only location == on_prem  when sensitivity >= confidential  because "DLP-7: confidential data stays on our hardware"
deny  no_cards    when sensitivity >= restricted and latency == interactive   because "no cards in chats"

route batch    to home          when latency == batch
route rest     to cloud, home
otherwise reject "no target may serve this request"

assert stays  never location == cloud  when sensitivity >= confidential
"""

SECRET = "here it is: AKIAQYLPMN5HHHFPZAM2"
CARD = "the card is 4111 1111 1111 1111"
KEYS = """kind = "api-keys"
keys = [
    { sha256 = "%s", team = "search", user = "ana" },
    { sha256 = "%s", team = "search", user = "ben" },
]"""
KEY_FILE = "0123456789abcdef0123456789abcdef"


def responding(*ids: str) -> Answering:
    """A server of the Responses API that gives these ids, one after the other."""
    left = list(ids)

    async def answer(peer: Peer, request: bytes) -> None:
        body = json.loads(request.partition(b"\r\n\r\n")[2])
        if "input" not in body:
            await peer.send(_whole({"fine": True}))
            return
        said = {
            "id": left.pop(0),
            "object": "response",
            "status": "completed",
            "output": [],
            "metadata": body.get("metadata", {}),
        }
        if body.get("stream"):
            await peer.send(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
                + events(said)
            )
            peer.close()
        else:
            await peer.send(_whole(said))

    return answer


def events(response: Mapping[str, object]) -> bytes:
    told = [
        {"type": "response.created", "response": response},
        {"type": "response.output_text.delta", "delta": "hello"},
        {"type": "response.completed", "response": response},
    ]
    return b"".join(b"event: %b\ndata: %b\n\n" % (t["type"].encode(), json.dumps(t).encode()) for t in told)


def _whole(said: Mapping[str, object]) -> bytes:
    body = json.dumps(said).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


def respond(text: str, **more: object) -> bytes:
    return _post("/v1/responses", {"model": "m", "input": text}, more)


def chat(text: str, **more: object) -> bytes:
    return _post(
        "/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": text}]}, more
    )


def _post(path: str, body: dict[str, object], more: Mapping[str, object]) -> bytes:
    """Keys that begin with `x_` are headers, `key` is the caller's."""
    headers = {k.replace("_", "-"): str(v) for k, v in more.items() if k.startswith("x_")}
    if "key" in more:
        headers["authorization"] = f"Bearer {more['key']}"
    rest = {k: v for k, v in more.items() if not k.startswith("x_") and k != "key"}
    return post(path, {**body, **rest}, headers)


async def ask(running: Running, request: bytes) -> str:
    """Where it went, or the code of its refusal."""
    return went_to(await running.ask(request))


def went_to(answer: Answer) -> str:
    return answer.headers[b"x-policyd-target"].decode() if answer.status == 200 else answer.code


def folder_with_key(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "key").write_text(KEY_FILE)
    return folder
