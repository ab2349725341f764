"""A model server that answers by a table, and stated facts to compare it with."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from policyd.deploy.model import AddressRule, Binding, BoundTarget, Dialect, Endpoint, Health, Probe
from policyd.proxy.probe.expected import Expected
from policyd.proxy.probe.question import Answer, Question, Said
from tests.proxy.bench import Answering
from tests.upstream.scripted import Peer

Reply = tuple[int, object] | Callable[[dict[str, Any]], tuple[int, object]]
Table = dict[tuple[str, str], Reply]
"""Method and path to status and JSON, or to a function from the request's body to them."""


def find(table: Mapping[tuple[str, str], Reply], method: str, path: str, body: bytes) -> tuple[int, object]:
    reply = table.get((method, path), (404, {"detail": "Not Found"}))
    return reply(json.loads(body)) if callable(reply) else reply


def by_table(table: Table) -> Answering:
    """For a recorder. The table may be changed while it runs."""

    async def answer(peer: Peer, request: bytes) -> None:
        head, _, body = request.partition(b"\r\n\r\n")
        method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
        status, said = find(table, method, path, body)
        data = json.dumps(said).encode()
        kind = b"content-type: application/json\r\ncontent-length: %d" % len(data)
        await peer.send(b"HTTP/1.1 %d Said\r\n%b\r\n\r\n%b" % (status, kind, data))

    return answer


class Asked:
    """Answers questions from a table without a socket, and remembers them."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.questions: list[Question] = []

    async def __call__(self, target: str, question: Question, seconds: float) -> Answer:
        assert target == "gpu" and seconds > 0
        self.questions.append(question)
        method = "GET" if question.body is None else "POST"
        status, said = find(self.table, method, question.path, json.dumps(question.body).encode())
        return Said(status, "application/json", json.dumps(said).encode())

    @property
    def paths(self) -> list[str]:
        return [question.path for question in self.questions]


def expected(
    *,
    models: tuple[str, ...] = ("m",),
    context: int = 32_000,
    speaks: frozenset[str] = frozenset({"chat"}),
    on_prem: bool = False,
    onward: bool = False,
    dialect: Dialect = "openai",
    probe: Probe | None = None,
    health: Health | None = None,
) -> Expected:
    binding = Binding(
        "gpu", Endpoint("http", "127.0.0.1", 1), frozenset({dialect}), model=models[0] if models else None
    )
    if probe is not None:
        binding = replace(binding, probe=probe)
    target = BoundTarget("gpu", replace(binding, health=health), AddressRule("loopback"))
    return Expected(target, models, context, speaks, on_prem, onward)


def models(*entries: dict[str, object], **more: object) -> tuple[int, object]:
    """An answer to `GET /v1/models`."""
    return 200, {"object": "list", "data": list(entries), **more}
