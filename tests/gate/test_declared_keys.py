"""Keys that a binding declares: the gate lets bytes pass only where each stands in them once, with its very value."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.deploy.model import AddressRule, Binding, BoundTarget, Endpoint
from policyd.proxy.bound_body import bound_body
from policyd.proxy.declared_keys import missing_key
from policyd.proxy.gate import Gate, Permit, Reason, Refused, Serving, Ticket
from policyd.traffic.body import Body, read_body

ZDR = (("provider", '{"zdr":true,"data_collection":"deny"}'), ("num_retries", "0"))
BINDING = Binding("router", Endpoint("https", "r.example", 443), frozenset({"openai"}), model="m", send=ZDR)
ROUTER = BoundTarget("router", BINDING, AddressRule("any"))
GATE = Gate(Serving("d", {"router": ROUTER}))
TICKET = Ticket("r", "d", frozenset({"router"}))

GOOD = b'{"provider":{"zdr":true,"data_collection":"deny"},"num_retries":0,"model":"m"}'


def asked(body: bytes) -> Permit | Refused:
    outcome = GATE.permit(
        TICKET, "router", method=b"POST", path=b"/v1/chat/completions", headers=[], body=body
    )
    assert isinstance(outcome, Permit | Refused)
    return outcome


def test_what_carries_every_declared_key_passes() -> None:
    assert isinstance(asked(GOOD), Permit)


def test_the_order_inside_a_value_does_not_matter() -> None:
    assert isinstance(
        asked(GOOD.replace(b'"zdr":true,"data_collection":"deny"', b'"data_collection":"deny","zdr":true')),
        Permit,
    )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"model":"m"}', id="none is there"),
        pytest.param(GOOD.replace(b'"num_retries":0,', b""), id="one is missing"),
        pytest.param(GOOD.replace(b"true", b"false"), id="another value"),
        pytest.param(GOOD.replace(b"true", b"1"), id="a number for true"),
        pytest.param(GOOD.replace(b"true", b'"true"'), id="a string for true"),
        pytest.param(GOOD.replace(b":0", b":false"), id="false for zero"),
        pytest.param(GOOD.replace(b":0", b":0.0"), id="another kind of number"),
        pytest.param(GOOD.replace(b"deny", b"allow"), id="another word inside"),
        pytest.param(GOOD.replace(b'"deny"', b'"deny","order":["x"]'), id="one key more inside"),
        pytest.param(GOOD.replace(b'"zdr":true,', b""), id="one key fewer inside"),
        pytest.param(b'{"provider":{"data_collection":"allow"},' + GOOD[1:], id="twice, the good one last"),
        pytest.param(b'{"pr\\u006fvider":{},' + GOOD[1:], id="twice, the good one last, in another spelling"),
        pytest.param(GOOD.replace(b'"model"', b'"provider":{},"model"'), id="twice"),
        pytest.param(GOOD.replace(b'"model"', b'"pr\\u006fvider":{},"model"'), id="twice, once in another spelling"),
        pytest.param(GOOD.replace(b'"deny"', b'"deny","zdr":false'), id="twice inside"),
        pytest.param(b'{"model":"m","x":' + GOOD + b"}", id="one level too deep"),
        pytest.param(b'{"model":"m","x":"' + GOOD.replace(b'"', b'\\"') + b'"}', id="inside a string"),
        pytest.param(GOOD[:-1] + b',"n":NaN}', id="what is not JSON"),
        pytest.param(GOOD[:-1] + b',"n":"\xff"}', id="what is not UTF-8"),
    ],
)  # fmt: skip
def test_anything_else_does_not(body: bytes) -> None:
    outcome = asked(body)
    assert isinstance(outcome, Refused)
    assert outcome.reason in {Reason.DECLARED, Reason.MODEL}
    assert missing_key(body, ZDR) is not None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=6,
)
KEYS = st.sampled_from(["provider", "num_retries", "model", "x", "messages", 'a"b', "provider\\"])


@given(st.dictionaries(KEYS, VALUES, max_size=5), st.booleans())
def test_what_is_put_in_is_what_the_gate_finds(body: dict[str, object], spaced: bool) -> None:
    """The one that puts the keys in and the one that looks for them share no code; on every body they agree."""
    import orjson  # noqa: PLC0415

    raw = orjson.dumps(body, option=orjson.OPT_INDENT_2 if spaced else 0)
    read = read_body(raw, "application/json", None)
    assert isinstance(read, Body)
    sent = bound_body(BINDING, read, "named")
    assert missing_key(sent, ZDR) is None
    before, after = read.parsed, orjson.loads(sent)
    assert {k: v for k, v in before.items() if k not in {"provider", "num_retries", "model"}} == {
        k: v for k, v in after.items() if k not in {"provider", "num_retries", "model"}
    }


def test_a_target_that_declares_nothing_gets_the_bytes_that_came() -> None:
    raw = b'{ "model" : "m" ,"x":1}'
    read = read_body(raw, "application/json", None)
    assert isinstance(read, Body)
    assert bound_body(replace(BINDING, send=()), read, "m") is read.raw
