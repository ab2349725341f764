"""Azure's paths: what is made of a plain one, and that the gate lets none pass that names another model than the body."""

from typing import Any

import pytest

from policyd.deploy.model import AddressRule, Binding, BoundTarget, Endpoint
from policyd.proxy.azure import azure_address, without_version
from policyd.proxy.gate import Gate, Permit, Reason, Refused, Serving, Ticket

TARGET = BoundTarget(
    "azure",
    Binding(
        "azure",
        Endpoint("https", "x.openai.azure.com", 443, "/below"),
        frozenset({"openai"}),
        model="gpt-5",
        aliases=(("small", "gpt-5.mini"),),
        azure_api_version="2024-10-21",
    ),
    AddressRule("any"),
)
GATE = Gate(Serving("d", {"azure": TARGET}))


def asked(path: bytes, model: str = "gpt-5", method: bytes = b"POST") -> Any:
    return GATE.permit(
        Ticket("r", "d", frozenset({"azure"})),
        "azure",
        method=method,
        path=b"/below" + path,
        headers=[],
        body=b'{"model":"%b"}' % model.encode() if method == b"POST" else b"",
    )


@pytest.mark.parametrize(
    ("path", "query", "there"),
    [
        (b"/v1/chat/completions", b"", (b"/openai/deployments/gpt-5/chat/completions", b"api-version=2024-10-21")),
        (b"/v1/completions", b"a=1", (b"/openai/deployments/gpt-5/completions", b"api-version=2024-10-21&a=1")),
        (b"/v1/embeddings", b"api-version=old", (b"/openai/deployments/gpt-5/embeddings", b"api-version=2024-10-21")),
        (b"/v1/responses", b"", (b"/openai/responses", b"api-version=2024-10-21")),
        (b"/v1/responses", b"Api-Version=1&a=1&api%2Dversion=2&conversion=3", (b"/openai/responses", b"api-version=2024-10-21&a=1")),
    ],
)  # fmt: skip
def test_the_address_of_a_request_at_azure(path: bytes, query: bytes, there: tuple[bytes, bytes]) -> None:
    assert azure_address("2024-10-21", path, query, "gpt-5") == there
    assert isinstance(asked(there[0] + b"?" + there[1]), Permit)


@pytest.mark.parametrize(
    ("query", "left"),
    [(b"", b""), (b"a=1", b"a=1"), (b"api-version=1", b""), (b"a=1&api-version=1&b=2", b"a=1&b=2"), (b"api-versions=1", b"api-versions=1")],
)  # fmt: skip
def test_the_version_that_a_caller_used_stays_with_the_caller(query: bytes, left: bytes) -> None:
    assert without_version(query) == left


@pytest.mark.parametrize(
    ("path", "model"),
    [
        (b"/openai/deployments/gpt-5.mini/chat/completions?api-version=2024-10-21", "gpt-5"),
        (b"/openai/deployments/gpt-5/chat/completions?api-version=2024-10-21", "gpt-5.mini"),
        (b"/openai/deployments/gpt-5/chat/completions?api-version=2024-10-22", "gpt-5"),
        (b"/openai/deployments/gpt-5/chat/completions", "gpt-5"),
        (b"/openai/deployments/gpt-5/chat/completions?api-version=2024-10-21&api-version=1", "gpt-5"),
        (b"/openai/deployments/gpt-5/chat/completions?api-version=2024-10-21&API-Version=1", "gpt-5"),
        (b"/openai/deployments/gpt-5/chat/completions?api-version=2024-10-21&api%2Dversion=1", "gpt-5"),
        (b"/openai/deployments/gpt-5/images/generations?api-version=2024-10-21", "gpt-5"),
        (b"/openai/deployments/gpt-5/x/chat/completions?api-version=2024-10-21", "gpt-5"),
        (b"/v1/chat/completions?api-version=2024-10-21", "gpt-5"),
        (b"/openai/v1/chat/completions?api-version=2024-10-21", "gpt-5"),
    ],
)
def test_the_gate_lets_no_other_address_pass(path: bytes, model: str) -> None:
    refused = asked(path, model)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.MODEL


def test_a_question_without_content_names_no_model() -> None:
    assert isinstance(asked(b"/openai/models?api-version=2024-10-21", method=b"GET"), Permit)
