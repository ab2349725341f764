"""Attempts to get a byte past the gate that the plan did not allow, one row each; and that what may pass does.

The gate is asked directly, with the plainest possible plan, so that nothing but the gate can refuse.
"""

import copy
import pickle
from dataclasses import replace
from typing import Any

import pytest

from policyd.deploy.model import AddressRule, Binding, BoundTarget, Credential, Endpoint, Secret
from policyd.proxy.gate import (
    NEVER_SENT,
    Gate,
    GateClosed,
    Permit,
    PolicyChanged,
    Reason,
    Refused,
    Serving,
    Ticket,
)

KEY = "sk-of-the-target"
ONPREM = BoundTarget(
    "gpu",
    Binding("gpu", Endpoint("http", "127.0.0.1", 8000), frozenset({"openai"}), model="qwen"),
    AddressRule("loopback"),
)
CLOUD = BoundTarget(
    "cloud",
    Binding(
        "cloud",
        Endpoint("https", "api.example.com", 443, "/anthropic"),
        frozenset({"anthropic"}),
        model="opus",
        aliases=(("small", "haiku"),),
        credential=Credential("x-api-key", Secret("environment variable K", KEY)),
        headers=(("x-zdr", "1"),),
    ),
    AddressRule("any"),
)
FREE = BoundTarget(
    "free", Binding("free", Endpoint("unix", "/run/m.sock", 0), frozenset({"openai"})), AddressRule("any")
)
SERVING = Serving("d1", {t.name: t for t in (ONPREM, CLOUD, FREE)}, frozenset({b"x-data-class"}))
TICKET = Ticket("r1", "d1", frozenset({"gpu", "cloud", "free"}))


def ask(
    gate: Gate | None = None, name: str = "gpu", ticket: Ticket = TICKET, **request: Any
) -> Permit | Refused | PolicyChanged:
    given: dict[str, Any] = {
        "method": b"POST",
        "path": b"/v1/chat/completions",
        "headers": [(b"accept", b"*/*")],
        "body": b'{"model":"qwen"}',
    }
    return (gate or Gate(SERVING)).permit(ticket, name, **(given | request))


def permitted(**request: Any) -> Permit:
    outcome = ask(**request)
    assert isinstance(outcome, Permit), outcome
    return outcome


def refused(**request: Any) -> Reason:
    outcome = ask(**request)
    assert isinstance(outcome, Refused), outcome
    return outcome.reason


def closed(gate: Gate, permit: object, opened_for: BoundTarget) -> Refused | PolicyChanged:
    with pytest.raises(GateClosed) as caught:
        gate.confirm(permit, opened_for)  # type: ignore[arg-type]
    return caught.value.outcome


def test_an_allowed_request_gets_exactly_these_bytes() -> None:
    permit = permitted()
    assert permit.head == (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:8000\r\naccept: */*\r\ncontent-length: 16\r\n\r\n"
    )
    assert permit.body == b'{"model":"qwen"}'


def test_the_targets_own_credential_and_headers_are_added_by_the_gate() -> None:
    permit = permitted(name="cloud", path=b"/anthropic/v1/messages?beta=true", body=b'{"model":"haiku"}')
    assert permit.head == (
        b"POST /anthropic/v1/messages?beta=true HTTP/1.1\r\nhost: api.example.com\r\nx-api-key: sk-of-the-target\r\n"
        b"x-zdr: 1\r\naccept: */*\r\ncontent-length: 17\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("style", "line"),
    [
        ("bearer", b"\r\nauthorization: Bearer sk-of-the-target\r\n"),
        ("x-api-key", b"\r\nx-api-key: sk-of-the-target\r\n"),
        ("api-key", b"\r\napi-key: sk-of-the-target\r\n"),
    ],
)
def test_a_credential_is_sent_in_its_style(style: Any, line: bytes) -> None:
    credential = Credential(style, Secret("file k", KEY))
    target = replace(ONPREM, binding=replace(ONPREM.binding, credential=credential))
    assert line in permitted(gate=Gate(replace(SERVING, targets={"gpu": target}))).head


def test_a_secret_is_never_in_what_is_printed() -> None:
    permit = permitted(name="cloud", path=b"/anthropic/v1/messages", body=b'{"model":"opus"}')
    assert KEY not in repr(permit) + repr(CLOUD) + str(CLOUD.binding.credential)


def test_a_target_that_the_plan_does_not_allow() -> None:
    assert refused(ticket=replace(TICKET, allowed=frozenset({"cloud"}))) is Reason.NOT_ALLOWED


def test_a_plan_that_allows_nothing() -> None:
    assert refused(ticket=replace(TICKET, allowed=frozenset())) is Reason.NOT_ALLOWED


def test_an_allowed_target_without_a_binding() -> None:
    assert refused(name="gone", ticket=replace(TICKET, allowed=frozenset({"gone"}))) is Reason.UNBOUND


def test_a_plan_of_another_policy_is_to_be_decided_again() -> None:
    assert ask(ticket=replace(TICKET, digest="d0")) == PolicyChanged("d1")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        pytest.param("gpu", b'{"model":"gpt-4o"}', id="another model"),
        pytest.param("gpu", b'{"model":"QWEN"}', id="other case"),
        pytest.param("gpu", b'{"model":"qwen "}', id="a space more"),
        pytest.param("gpu", b'{"messages":[]}', id="no model"),
        pytest.param("gpu", b'{"x":{"model":"qwen"}}', id="only a nested model"),
        pytest.param("gpu", b'{"model":null}', id="null"),
        pytest.param("gpu", b'{"model":["qwen"]}', id="a list"),
        pytest.param("gpu", b'{"model":"qwen","model":"evil"}', id="twice, the last is evil"),
        pytest.param("gpu", b'{"model":"evil","model":"qwen"}', id="twice, the first is evil"),
        pytest.param("gpu", b'{"model":"evil","mod\\u0065l":"qwen"}', id="twice, once with an escape"),
        pytest.param("gpu", b'{"mod\\u0065l":"evil", "a":[{"model":1},"}"] ,"model" : "qwen"}', id="twice, around brackets in strings"),
        pytest.param("gpu", b'[{"model":"qwen"}]', id="a list of requests"),
        pytest.param("gpu", b'"qwen"', id="a string"),
        pytest.param("gpu", b"", id="no body"),
        pytest.param("gpu", b'{"model":"qwen"', id="cut JSON"),
        pytest.param("gpu", b'{"model":"qwen"}{"model":"evil"}', id="two documents"),
        pytest.param("gpu", b'{"model":"qwen","x":NaN}', id="not quite JSON"),
        pytest.param("gpu", b'{"model":"qwen","x":"\xff"}', id="not UTF-8"),
        pytest.param("gpu", b'\xef\xbb\xbf{"model":"qwen"}', id="a byte order mark"),
        pytest.param("gpu", b'{"model":"qwen"}' + b" " * 4 + b"\0", id="a NUL after the end"),
        pytest.param("gpu", b"[" * 3000 + b"]" * 3000, id="too deep"),
        pytest.param("cloud", b'{"model":"small"}', id="an alias instead of its model"),
        pytest.param("cloud", b'{"model":"qwen"}', id="the model of another target"),
    ],
)  # fmt: skip
def test_a_model_that_the_binding_does_not_pin(name: str, body: bytes) -> None:
    path = b"/anthropic/v1/messages" if name == "cloud" else b"/v1/chat/completions"
    assert refused(name=name, path=path, body=body) is Reason.MODEL


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"model":"qwen"}', id="plain"),
        pytest.param(b' { "x" : 1.5e3 , "model" : "qwen" , "y" : null } ', id="spaces"),
        pytest.param(
            b'{"x":{"model":"evil"},"y":["model",{"model":"evil"}],"model":"qwen"}', id="other models inside"
        ),
        pytest.param(
            b'{"content":"\\"model\\": \\"evil\\" } ] \\\\","model":"qwen","a":"\\u00e9"}',
            id="the word in text",
        ),
        pytest.param(b'{"mod\\u0065l":"qwen","a":{}}', id="the key with an escape, once"),
    ],
)
def test_the_pinned_model_is_found_wherever_it_stands(body: bytes) -> None:
    assert permitted(body=body).body == body


def test_a_target_that_pins_no_model_lets_the_callers_pass() -> None:
    assert permitted(name="free", body=b'{"model":"any"}').head.startswith(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
    )


@pytest.mark.parametrize(
    "body", [bytearray(b'{"model":"qwen"}'), memoryview(b'{"model":"qwen"}'), '{"model":"qwen"}']
)
def test_a_body_that_could_still_change(body: Any) -> None:
    assert refused(body=body) is Reason.MALFORMED


@pytest.mark.parametrize(
    "name",
    sorted(
        {*NEVER_SENT, b"Authorization", b"X-API-Key", b"x-data-class", b"X-Data-Class", b"x-policyd-decision"}
    ),
)
def test_a_credential_or_policy_header_that_was_left_in(name: bytes) -> None:
    assert refused(headers=[(b"accept", b"*/*"), (name, b"x")]) is Reason.CREDENTIAL


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(b"a", b"b\r\nauthorization: Bearer x", id="a line break in a value"),
        pytest.param(b"a", b"b\nx", id="a bare LF"),
        pytest.param(b"a", b"b\rx", id="a bare CR"),
        pytest.param(b"a", b"b\0", id="a NUL"),
        pytest.param(b"a\r\nb", b"c", id="a line break in a name"),
        pytest.param(b"a b", b"c", id="a space in a name"),
        pytest.param(b"a:", b"c", id="a colon in a name"),
        pytest.param(b"authorization ", b"c", id="a credential with a space behind"),
        pytest.param(b"", b"c", id="no name"),
        pytest.param(b"\xe9", b"c", id="a name beyond ASCII"),
    ],
)
def test_a_header_that_would_be_two(name: bytes, value: bytes) -> None:
    assert refused(headers=[(name, value)]) is Reason.MALFORMED


@pytest.mark.parametrize(
    "path",
    [
        b"", b"v1", b"http://evil.example/v1", b"//evil.example/v1", b"/v1/../../admin", b"/v1/%2e%2e/admin", b"/v1/%2E./x",
        b"/v1/..%2fadmin", b"/v1/%252e%252e/x", b"/v1/..", b"/v1/./x", b"/v1//x", b"/v1/..%5cadmin", b"/v1\\x", b"/v1 x",
        b"/v1\r\nHost: evil", b"/v1?a=\r\nb", b"/v1#x", b"/v1/\xc3\xa9", b"*",
    ],
)  # fmt: skip
def test_a_path_that_is_not_plainly_below_the_targets(path: bytes) -> None:
    assert refused(path=path) is Reason.MALFORMED


@pytest.mark.parametrize("path", [b"/v1/messages", b"/anthropicx/v1", b"/anthropic", b"/anthropic/../v1"])
def test_a_path_outside_the_targets_prefix(path: bytes) -> None:
    assert refused(name="cloud", path=path, body=b'{"model":"opus"}') is Reason.MALFORMED


@pytest.mark.parametrize(
    "query",
    [
        b"key=x",
        b"a=b&api_key=x",
        b"API-Key=x",
        b"a;access_token=x",
        b"%6bey=x",
        b"token",
        b"$key=x",
        b"%24httpHeaders=x",
    ],
)
def test_a_credential_in_the_query(query: bytes) -> None:
    assert refused(path=b"/v1/chat/completions?" + query) is Reason.CREDENTIAL


@pytest.mark.parametrize("query", [b"beta=true", b"api-version=2026-01-01&x=1", b"", b"?", b"keys=1"])
def test_any_other_query_passes(query: bytes) -> None:
    assert permitted(path=b"/v1/chat/completions?" + query).head.startswith(
        b"POST /v1/chat/completions?" + query + b" HTTP/1.1\r\n"
    )


@pytest.mark.parametrize(
    "method", [b"CONNECT", b"TRACE", b"PUT", b"post", b"", b"POST /evil HTTP/1.1\r\nx: "]
)
def test_a_method_that_is_never_needed(method: bytes) -> None:
    assert refused(method=method) is Reason.MALFORMED


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_a_body_behind_a_method_that_has_none(method: bytes) -> None:
    assert refused(method=method) is Reason.MALFORMED
    assert refused(method=method, name="free") is Reason.MALFORMED
    assert b"content-length" not in permitted(method=method, body=b"").head


def test_a_good_permit_is_confirmed_for_its_own_target() -> None:
    gate = Gate(SERVING)
    gate.confirm(permitted(gate=gate), ONPREM)


def test_a_connection_that_was_opened_for_another_target() -> None:
    gate = Gate(SERVING)
    outcome = closed(gate, permitted(gate=gate), CLOUD)
    assert isinstance(outcome, Refused) and outcome.reason is Reason.FOREIGN_CONNECTION


@pytest.mark.parametrize(
    "moved",
    [
        pytest.param(
            replace(ONPREM, binding=replace(ONPREM.binding, endpoint=Endpoint("http", "10.0.0.9", 8000))),
            id="host",
        ),
        pytest.param(
            replace(ONPREM, binding=replace(ONPREM.binding, endpoint=Endpoint("http", "127.0.0.1", 8001))),
            id="port",
        ),
        pytest.param(
            replace(ONPREM, binding=replace(ONPREM.binding, endpoint=Endpoint("https", "127.0.0.1", 8000))),
            id="TLS",
        ),
        pytest.param(replace(ONPREM, binding=replace(ONPREM.binding, model="other")), id="model"),
        pytest.param(replace(ONPREM, addresses=AddressRule("any")), id="address rule"),
    ],
)
def test_a_connection_to_a_place_that_the_target_had_before(moved: BoundTarget) -> None:
    gate = Gate(SERVING)
    permit = permitted(gate=gate)
    outcome = closed(gate, permit, moved)
    assert isinstance(outcome, Refused) and outcome.reason is Reason.FOREIGN_CONNECTION
    gate.publish(replace(SERVING, targets={**SERVING.targets, "gpu": moved}))
    outcome = closed(gate, permit, ONPREM)
    assert isinstance(outcome, Refused) and outcome.reason is Reason.UNBOUND


def test_a_policy_that_changed_between_the_permit_and_the_connection() -> None:
    gate = Gate(SERVING)
    permit = permitted(gate=gate)
    gate.publish(replace(SERVING, digest="d2"))
    assert closed(gate, permit, ONPREM) == PolicyChanged("d2")
    gate.publish(SERVING)
    gate.confirm(permit, ONPREM)


def test_a_permit_of_another_gate() -> None:
    outcome = closed(Gate(SERVING), permitted(), ONPREM)
    assert isinstance(outcome, Refused) and outcome.reason is Reason.FORGED


def test_a_permit_cannot_be_made_by_hand() -> None:
    with pytest.raises(GateClosed):
        Permit(object(), Gate(SERVING), TICKET, ONPREM, b"", b"", is_head=False)


def test_a_permit_cannot_be_conjured_without_its_constructor() -> None:
    conjured = object.__new__(Permit)
    for slot, value in (("gate", None), ("ticket", TICKET), ("target", ONPREM), ("head", b""), ("body", b"")):
        object.__setattr__(conjured, slot, value)
    outcome = closed(Gate(SERVING), conjured, ONPREM)
    assert isinstance(outcome, Refused) and outcome.reason is Reason.FORGED


def test_what_only_looks_like_a_permit() -> None:
    class Lookalike:
        gate = Gate(SERVING)
        ticket, target, head, body, is_head, _seal = TICKET, ONPREM, b"", b"", False, None

    outcome = closed(Lookalike.gate, Lookalike(), ONPREM)
    assert isinstance(outcome, Refused) and outcome.reason is Reason.FORGED


def test_a_permit_cannot_be_changed_copied_pickled_or_subclassed() -> None:
    permit = permitted()
    for slot in ("head", "body", "target", "ticket", "gate"):
        with pytest.raises(AttributeError):
            setattr(permit, slot, b"evil")
        with pytest.raises(AttributeError):
            delattr(permit, slot)
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            attempt(permit)  # type: ignore[operator]
    with pytest.raises(TypeError):
        type("Forged", (Permit,), {})
