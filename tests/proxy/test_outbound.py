"""What of a request's and an answer's envelope is passed on."""

import pytest

from policyd.proxy.gate import CALLER_CREDENTIALS, NEVER_SENT
from policyd.proxy.outbound import answer_headers, onward_headers, onward_query

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
     b"x-original-url", b"x-real-ip", b"via"],
)  # fmt: skip
def test_headers_about_the_hop_and_overrides_are_taken_out(name: bytes) -> None:
    assert onward_headers([(name, b"x"), *PASSING], frozenset()) == PASSING


def test_headers_that_the_policy_reads_are_taken_out() -> None:
    given = [(b"x-data-class", b"internal"), *PASSING, (b"x-latency", b"batch")]
    assert onward_headers(given, frozenset({b"x-data-class", b"x-latency"})) == PASSING


def test_headers_that_connection_names_are_taken_out_wherever_they_stand() -> None:
    given = [(b"x-hop", b"1"), (b"connection", b"close, X-Hop"), *PASSING, (b"x-hop", b"2")]
    assert onward_headers(given, frozenset()) == PASSING


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
    ],
)
def test_query(query: bytes, onward: bytes) -> None:
    assert onward_query(query) == onward


def test_an_answer_keeps_its_headers_but_for_the_hop_cookies_and_our_names() -> None:
    given = [
        (b"content-type", b"text/event-stream"),
        (b"connection", b"keep-alive, x-hop"),
        (b"x-hop", b"1"),
        (b"transfer-encoding", b"chunked"),
        (b"set-cookie", b"a=b"),
        (b"alt-svc", b'h3=":443"'),
        (b"x-policyd-target", b"forged"),
        (b"content-encoding", b"br"),
        (b"request-id", b"req_1"),
    ]
    ours = [(b"x-policyd-target", b"claude")]
    assert answer_headers(given, ours) == [given[0], given[7], given[8], *ours]


def test_connection_cannot_take_the_length_away() -> None:
    given = [(b"content-length", b"5"), (b"connection", b"content-length")]
    assert answer_headers(given, []) == given[:1]
