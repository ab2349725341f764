"""Paths: the closed list, and that no spelling of a path is taken for another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.traffic.endpoints import (
    POSTS,
    Dialect,
    Endpoint,
    EndpointName,
    allowed_methods,
    dialect_of,
    find_endpoint,
)
from policyd.traffic.refused import CallerFault, Refused


@pytest.mark.parametrize(
    ("method", "path", "name", "dialect"),
    [
        ("POST", "/v1/chat/completions", EndpointName.CHAT, Dialect.OPENAI),
        ("POST", "/v1/completions", EndpointName.COMPLETIONS, Dialect.OPENAI),
        ("POST", "/v1/responses", EndpointName.RESPONSES, Dialect.OPENAI),
        ("POST", "/v1/embeddings", EndpointName.EMBEDDINGS, Dialect.OPENAI),
        ("POST", "/v1/messages", EndpointName.MESSAGES, Dialect.ANTHROPIC),
        ("POST", "/v1/messages/count_tokens", EndpointName.COUNT_TOKENS, Dialect.ANTHROPIC),
        ("GET", "/v1/models", EndpointName.MODELS, Dialect.OPENAI),
    ],
)
def test_known_paths(method: str, path: str, name: EndpointName, dialect: Dialect) -> None:
    assert find_endpoint(method, path) == Endpoint(name, dialect, path)


@pytest.mark.parametrize(
    ("headers", "dialect"),
    [
        ({"anthropic-version"}, Dialect.ANTHROPIC),
        ({"x-api-key"}, Dialect.ANTHROPIC),
        ({"authorization"}, Dialect.OPENAI),
        (set(), Dialect.OPENAI),
    ],
)
def test_models_speak_the_dialect_of_the_caller(headers: set[str], dialect: Dialect) -> None:
    assert dialect_of(headers) is dialect
    found = find_endpoint("GET", "/v1/models/claude-sonnet-5", header_names=headers)
    assert found == Endpoint(EndpointName.MODELS, dialect, "/v1/models/claude-sonnet-5", "claude-sonnet-5")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions/", "/v1//chat/completions", "//v1/chat/completions", "/v1/./chat/completions",
        "/v1/x/../chat/completions", "/v1/chat%2fcompletions", "/v1/chat%2Fcompletions", "/%76%31/chat/completions",
        "/v1/%2e/chat/completions", "/V1/chat/completions", "/v1/Chat/Completions", "/v1/chat/completions\x00",
        "/v1/chat/completions;x=1", "/v1/chat/completions?x=1", "/v1/chat/completions#x", "v1/chat/completions",
        "/v1/chat\\completions", " /v1/chat/completions", "/v1/chat/completions ", "/v1//", "//", "/v1/models/", "/v1/models/..",
        "/v1/models/.", "/v1/models/a/b", "/v1/models/a%2fb", "/v1/models/%2e%2e", "/v1/messages/batches", "", "/chat/completions",
        "/v1/responses/resp_1", "/v1/files", "/v1/ｍodels", "http://x/v1/models",
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_everything_else_is_unknown(method: str, path: str) -> None:
    found = find_endpoint(method, path)
    assert isinstance(found, Refused)
    assert (found.fault, found.status) == (CallerFault.UNKNOWN_PATH, 404)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/openai", "/openai/", "/openai/v1", "/openai/v1/"])
def test_a_base_url_may_be_probed(path: str, method: str) -> None:
    assert find_endpoint(method, path) == Endpoint(EndpointName.ALIVE, Dialect.OPENAI, "/", allow="GET, HEAD")


@pytest.mark.parametrize("path", POSTS)
def test_an_endpoint_may_be_probed(path: str) -> None:
    found = find_endpoint("HEAD", path)
    assert isinstance(found, Endpoint)
    assert (found.name, found.allow) == (EndpointName.ALIVE, "POST, HEAD")


@pytest.mark.parametrize(
    ("method", "path", "plain", "name", "deployment"),
    [
        ("POST", "/openai/deployments/gpt-5.mini/chat/completions", "/v1/chat/completions", EndpointName.CHAT, "gpt-5.mini"),
        ("POST", "/openai/deployments/a/completions", "/v1/completions", EndpointName.COMPLETIONS, "a"),
        ("POST", "/openai/deployments/ada_2/embeddings", "/v1/embeddings", EndpointName.EMBEDDINGS, "ada_2"),
        ("POST", "/openai/responses", "/v1/responses", EndpointName.RESPONSES, None),
        ("POST", "/openai/v1/responses", "/v1/responses", EndpointName.RESPONSES, None),
        ("POST", "/openai/v1/chat/completions", "/v1/chat/completions", EndpointName.CHAT, None),
        ("GET", "/openai/models", "/v1/models", EndpointName.MODELS, None),
        ("GET", "/openai/v1/models", "/v1/models", EndpointName.MODELS, None),
    ],
)  # fmt: skip
def test_azures_paths(method: str, path: str, plain: str, name: EndpointName, deployment: str | None) -> None:
    for prefix in ("", "/llm"):
        found = find_endpoint(method, prefix + path, header_names={"api-key"}, prefix=prefix)
        assert found == Endpoint(name, Dialect.OPENAI, plain, deployment=deployment, azure=True)


@pytest.mark.parametrize(
    "path",
    [
        "/openai/deployments/../chat/completions", "/openai/deployments//chat/completions", "/openai/deployments/a/b/chat/completions",
        "/openai/deployments/a%2fb/chat/completions", "/openai/deployments/.a/chat/completions", "/openai/deployments/a/responses",
        "/openai/deployments/a/audio/speech", "/openai/deployments/a/chat/completions/", "/openai/chat/completions",
        "/openai/v1/messages", "/openai/v1/messages/count_tokens", "/openai/openai/v1/responses", "/openai/deployments", "/OpenAI/v1/responses",
        "/openai/deployments/a;b/chat/completions", "/openaiv1/models", "/openai//v1/responses",
    ],
)  # fmt: skip
def test_what_looks_like_azure_and_is_not_is_unknown(path: str) -> None:
    found = find_endpoint("POST", path)
    assert isinstance(found, Refused)
    assert found.status == 404


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/", "GET, HEAD"), ("/v1/models", "GET, HEAD"), ("/v1/models/x", "GET, HEAD"), ("/v1/messages", "POST, HEAD"), ("/x", "")],
)  # fmt: skip
def test_the_methods_of_a_path(path: str, methods: str) -> None:
    assert allowed_methods(path) == methods
    assert allowed_methods("/llm" + path, "/llm") == methods
    assert allowed_methods(path, "/llm") == ""


@pytest.mark.parametrize("path", ["/llm", "/llm/", "/llm/v1/models", "/llm/v1/chat/completions"])
def test_a_declared_prefix_is_part_of_every_path(path: str) -> None:
    method = "POST" if path.endswith("completions") else "GET"
    found = find_endpoint(method, path, prefix="/llm")
    assert isinstance(found, Endpoint)
    assert not found.path.startswith("/llm")


@pytest.mark.parametrize(
    "path", ["/", "/v1/models", "/llmv1/models", "/llm//v1/models", "/LLM/v1/models", "/llm/llm/v1/models"]
)
def test_nothing_outside_the_prefix_is_known(path: str) -> None:
    found = find_endpoint("GET", path, prefix="/llm")
    assert isinstance(found, Refused)
    assert found.status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/messages"),
        ("DELETE", "/v1/models/x"),
        ("POST", "/"),
        ("get", "/"),
        ("OPTIONS", "/v1/models"),
    ],
)
def test_other_methods_are_refused(method: str, path: str) -> None:
    found = find_endpoint(method, path)
    assert isinstance(found, Refused)
    assert (found.fault, found.status) == (CallerFault.METHOD, 405)


def test_the_upgrade_to_a_websocket_is_refused_so_that_the_client_falls_back_at_once() -> None:
    found = find_endpoint("GET", "/v1/responses", header_names={"upgrade", "connection"})
    assert isinstance(found, Refused)
    assert (found.fault, found.status) == (CallerFault.UPGRADE, 426)


@given(st.text(alphabet="/v1.%2efchatmodels;\x00 \\?", max_size=24))
def test_only_listed_paths_take_a_body(path: str) -> None:
    found = find_endpoint("POST", path)
    assert isinstance(found, Refused) == (path not in POSTS)


@given(st.text(alphabet="/v1.%2e;\x00 \\?ab", max_size=12))
def test_no_odd_name_is_taken_for_a_deployment(name: str) -> None:
    found = find_endpoint("POST", f"/openai/deployments/{name}/embeddings")
    plain = bool(name) and name[0] != "." and set(name) <= set("v12e.ab")
    assert isinstance(found, Endpoint) == plain


@pytest.mark.parametrize("prefix", ["", "/llm"])
@pytest.mark.parametrize(
    "path", ["/v1/chat", "/chat/completions", "/openai/deployments/gpt-5", "/openai/chat/completions"]
)
def test_the_paths_that_a_404_names_are_served_as_it_names_them(path: str, prefix: str) -> None:
    """A caller copies one of them into its base URL: with the prefix, and in the form that it asked in."""
    found = find_endpoint("POST", prefix + path, prefix=prefix)
    assert isinstance(found, Refused)
    assert found.fault is CallerFault.UNKNOWN_PATH
    named = found.message.rpartition("served are ")[2].split(", ")
    assert len(named) >= 7
    assert all(one.startswith(f"{prefix}/openai/") == path.startswith("/openai") for one in named)
    for one in named:
        method = "GET" if one.endswith("/models") else "POST"
        assert isinstance(find_endpoint(method, one, prefix=prefix), Endpoint), one


def test_a_404_outside_the_prefix_names_paths_with_it() -> None:
    found = find_endpoint("POST", "/v1/chat/completions", prefix="/llm")
    assert isinstance(found, Refused)
    assert "served are /llm/v1/chat/completions, " in found.message
