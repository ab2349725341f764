"""What of a request's and an answer's envelope is passed on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyd.proxy.gate import CALLER_CREDENTIALS, NEVER_SENT, Permit
from policyd.proxy.outbound import (
    answer_headers,
    is_plain_query,
    known_headers,
    known_query,
    onward_headers,
    onward_query,
)
from tests.gate.test_gate import ask

PASSING = [
    (b"content-type", b"application/json"),
    (b"anthropic-version", b"2023-06-01"),
    (b"anthropic-beta", b"a,b"),
    (b"anthropic-beta", b"c"),
    (b"accept-encoding", b"gzip, br"),
    (b"x-claude-code-session-id", b"7"),
    (b"user-agent", b"OpenAI/Python"),
]


def test_unknown_headers_pass_unchanged_in_order_and_number() -> None:
    assert onward_headers(PASSING, frozenset()) == PASSING


@pytest.mark.parametrize("name", sorted(NEVER_SENT | CALLER_CREDENTIALS))
def test_everything_that_the_gate_would_refuse_is_taken_out(name: bytes) -> None:
    assert onward_headers([*PASSING, (name, b"x")], frozenset()) == PASSING


@pytest.mark.parametrize(
    "name",
    [b"x-forwarded-for", b"x-forwarded-user", b"forwarded", b"baggage", b"x-policyd-target", b"x-http-method-override",
     b"x-original-url", b"x-real-ip", b"via", b"x-goog-user-project", b"dpop", b"x-endpoint-api-userinfo", b"x-authentik-username",
     b"x-consumer-username", b"tailscale-user-login", b"x-webauth-user", b"cf-connecting-ip", b"x_authenticated_user"],
)  # fmt: skip
def test_headers_about_the_hop_and_overrides_are_taken_out(name: bytes) -> None:
    assert onward_headers([(name, b"x"), *PASSING], frozenset()) == PASSING


def test_headers_that_the_policy_reads_are_taken_out() -> None:
    sent = [(b"x-data-class", b"internal"), *PASSING, (b"x-latency", b"batch")]
    assert onward_headers(sent, frozenset({b"x-data-class", b"x-latency"})) == PASSING


def test_headers_that_connection_names_are_taken_out_wherever_they_stand() -> None:
    sent = [(b"x-hop", b"1"), (b"connection", b"close, X-Hop"), *PASSING, (b"x-hop", b"2")]
    assert onward_headers(sent, frozenset()) == PASSING


@pytest.mark.parametrize(
    ("query", "onward"),
    [
        (b"", b""),
        (b"beta=true", b"beta=true"),
        (b"api-version=2024-06-01&key=SECRET", b"api-version=2024-06-01"),
        (b"key=SECRET&beta=true", b"beta=true"),
        (b"KEY=SECRET", b""),
        (b"%6bey=SECRET&a=1&a=2", b"a=1&a=2"),
        (b"a=1;api_key=SECRET;b=2", b"a=1;b=2"),
        (b"a=%20&&b", b"a=%20&&b"),
        (b"monkey=1&token=SECRET&tokens=5", b"monkey=1&tokens=5"),
        (b"a=1&$key=SECRET&%24userProject=p", b"a=1"),
        (b"$httpHeaders=Authorization:x&$httpMethod=GET&b=$2", b"b=$2"),
    ],
)
def test_query(query: bytes, onward: bytes) -> None:
    assert onward_query(query) == onward


def test_an_answer_keeps_its_headers_but_for_the_hop_cookies_and_our_names() -> None:
    came = [
        (b"content-type", b"text/event-stream"),
        (b"connection", b"keep-alive, x-hop"),
        (b"x-hop", b"1"),
        (b"transfer-encoding", b"chunked"),
        (b"set-cookie", b"a=b"),
        (b"alt-svc", b'h3=":443"'),
        (b"x-policyd-target", b"forged"),
        (b"x_policyd_target", b"forged"),
        (b"location", b"http://elsewhere.example/"),
        (b"content-location", b"/other"),
        (b"link", b"<http://elsewhere.example/>; rel=next"),
        (b"x-should-retry", b"true"),
        (b"content-encoding", b"br"),
        (b"request-id", b"req_1"),
    ]
    ours = [(b"x-policyd-target", b"claude")]
    assert answer_headers(came, ours) == [came[0], *came[-2:], *ours]


def test_connection_cannot_take_the_length_away() -> None:
    came = [(b"content-length", b"5"), (b"connection", b"content-length")]
    assert answer_headers(came, []) == came[:1]


CREDENTIALS = [
    b"x-litellm-api-key", b"x-portkey-api-key", b"helicone-auth", b"cf-aig-authorization", b"x-functions-key",
    b"x-vault-token", b"private-token", b"x-auth-key", b"x-token", b"x-jwt-assertion", b"x-goog-iap-jwt-assertion",
    b"x_api_key", b"x-spiffe-id", b"x-client-cert-chain", b"ssl-client-cert", b"remote-user", b"openai-organization",
    b"openai-project", b"tracestate", b"x-my-secret", b"x-service-credential", b"apikey", b"password",
]  # fmt: skip
ROUTING = [
    b"x-portkey-config",
    b"x-litellm-tags",
    b"helicone-target-url",
    b"cf-aig-metadata",
    b"x-bf-vk",
    b"x_portkey-config",
    b"x-prefiller-host-port",
    b"x-prefiller-url",
    b"x-encoder-hosts-ports",
    b"x-data-parallel-host-port",
    b"x-gateway-model-name-rewrite",
    b"x-gateway-destination-endpoint-subset",
    b"x-llm-d-model-name-rewrite",
    b"x-envoy-original-dst-host",
    b"x_envoy_original_dst_host",
    b"x-ai-eg-model",
    b"x-higress-llm-model",
    b"azureml-model-deployment",
    b"x-amzn-sagemaker-target-variant",
    b"serve_multiplexed_model_id",
    b"x-worker-instance-id",
    b"x-smg-target-worker",
]
"""By these the proxies, routers and sidecars that stand before model servers choose a model or a machine, and one of them sends
the prompt to the host that its header names."""
HARMLESS = [
    b"x-max-tokens",
    b"x-stainless-lang",
    b"x-author",
    b"idempotency-key",
    b"x-authored-by",
]


@pytest.mark.parametrize("name", CREDENTIALS + ROUTING, ids=bytes.decode)
def test_credentials_and_directions_for_gateways_are_taken_out_and_refused(name: bytes) -> None:
    assert onward_headers([*PASSING, (name, b"x")], frozenset()) == PASSING
    assert not isinstance(ask(headers=[(name, b"x")]), Permit)


@pytest.mark.parametrize(
    "values",
    [
        [b"00-%032x-%016x-01" % (1, 1)] * 2,
        [b"00-%032x-%016x-01-tenant=acme" % (1, 1)],
        [b"01-%032x-%016x-01" % (1, 1)],
        [b"00-%032x-%016x-02" % (1, 1)],
        [b"x"],
    ],
    ids=["two", "with more behind", "a later version", "another flag", "no ids"],
)
def test_a_trace_tells_its_ids_and_nothing_else(values: list[bytes]) -> None:
    assert onward_headers([(b"traceparent", v) for v in values], frozenset()) == []
    assert not isinstance(ask(headers=[(b"Traceparent", v) for v in values]), Permit)
    assert isinstance(ask(headers=[(b"traceparent", b"00-%032x-%016x-01" % (1, 1))]), Permit)


@pytest.mark.parametrize("name", HARMLESS, ids=bytes.decode)
def test_names_that_only_sound_alike_pass(name: bytes) -> None:
    assert onward_headers([(name, b"x")], frozenset()) == [(name, b"x")]
    assert isinstance(ask(headers=[(name, b"x")]), Permit)


WORDS = ["x", "api", "key", "auth", "token", "jwt", "portkey", "litellm", "helicone", "cf", "aig", "bf", "policyd", "real",
         "ip", "forwarded", "for", "Token", "Key", "tOken", "access", "secret", "code", "cert", "client", "", "1"]  # fmt: skip
JOINS = ["-", "_", "", ".", "--", "-_"]
NAMES = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(JOINS)), min_size=1, max_size=5).map(
    lambda parts: "".join(word + join for word, join in parts)
)


@settings(max_examples=400)
@given(NAMES.filter(bool))
def test_the_gate_refuses_no_header_that_is_passed_on(name: str) -> None:
    passed = onward_headers([(name.lower().encode(), b"x")], frozenset())
    assert isinstance(ask(headers=passed), Permit)


CODED = st.sampled_from(["%00", "[]", "%5B", "%E2%84%AA", "%C4%B0", "%20", "+", "%61", "%ff", "[a]", "%2D"])


@settings(max_examples=400)
@given(st.lists(st.one_of(NAMES, CODED, st.sampled_from(["&", ";", "=", "=1"])), max_size=8).map("".join))
def test_the_gate_refuses_no_query_that_is_passed_on(query: str) -> None:
    raw = query.encode()
    assert is_plain_query(raw)
    passed = onward_query(raw)
    path = b"/v1/chat/completions"
    assert isinstance(ask(path=path + b"?" + passed if passed else path), Permit)


@pytest.mark.parametrize(
    "key",
    [
        "x-goog-api-key",
        "apiToken",
        "password",
        "client_secret",
        "jwt",
        "key[]",
        "key%00",
        "key[0]",
        "myAccessToken",
        "%6aWt",
    ],
)
def test_credentials_in_the_query_are_taken_out_and_refused(key: str) -> None:
    assert onward_query(f"a=1&{key}=SECRET".encode()) == b"a=1"


@pytest.mark.parametrize("query", [b"a={}", b'a="', b"a=^", b"a=`", b"a=\\", b"a=<", b"a=\xff"])
def test_a_query_with_other_characters_is_not_plain(query: bytes) -> None:
    assert not is_plain_query(query)


def test_a_target_that_sends_requests_on_sees_known_headers_only() -> None:
    sent = [*PASSING, (b"x-stainless-os", b"Linux"), (b"accept", b"*/*"), (b"x-custom", b"1")]
    known = known_headers(sent)
    assert [name for name, _ in known] == [
        b"content-type", b"anthropic-version", b"anthropic-beta", b"anthropic-beta", b"x-stainless-os", b"accept", b"user-agent",
    ]  # fmt: skip
    assert dict(known)[b"user-agent"] == b"policyd"
    assert known_query(b"beta=true&route=elsewhere") == b"beta=true"
