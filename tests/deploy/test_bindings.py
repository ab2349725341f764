"""A policy and a deployment that do not fit: each cause once, with its code; and what fits, with the rule it gets."""

import ipaddress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policyd.deploy.author import Pointing
from policyd.deploy.bindings import bind, check_bindings
from policyd.deploy.features import check_features
from policyd.deploy.model import (
    AddressRule,
    ApiKey,
    ApiKeyIdentity,
    Binding,
    Deployment,
    Endpoint,
    Listen,
    LoopbackIdentity,
    Tls,
)
from policyd.policy.builtins import BUILTIN_FEATURES
from policyd.policy.condition import TRUE, OneOf
from policyd.policy.program import (
    Budget,
    EnumDomain,
    Fact,
    Feature,
    Group,
    Member,
    NumberDomain,
    Otherwise,
    Program,
    Provenance,
    Route,
    StringDomain,
    Target,
    Unknown,
    Where,
)
from policyd.text.codes import CODES
from policyd.text.diagnostic import Severity

PIN = Tls(pins=("ab" * 32,))
NETWORK = ipaddress.ip_network("10.1.0.0/16")
CLAIM = Feature("team", StringDomain(), Provenance.ATTESTED, Where("identity", "team"), Unknown.REJECT)
ORIGIN = Feature(
    "origin", EnumDomain(("eu", "us")), Provenance.ATTESTED, Where("deployment", "origin"), Unknown.REJECT
)
RACKS = Feature(
    "racks", NumberDomain(0, 9), Provenance.ATTESTED, Where("deployment", "racks"), Unknown.REJECT
)


def target(name: str = "gpu", location: str = "on_prem", **facts: Fact) -> Target:
    given = {"location": location, "context": 8000, "speaks": frozenset({"chat"})} | facts
    return Target(name, tuple(given.items()))


def program(*targets: Target, **changes: Any) -> Program:
    features = (*BUILTIN_FEATURES, *changes.pop("features", ()))
    return replace(
        Program(features, (), targets or (target(),), (), (), (), Otherwise("no", 403, Severity.NOTE)),
        **changes,
    )


def binding(host: str = "127.0.0.1", scheme: Any = "http", name: str = "gpu", **changes: Any) -> Binding:
    port = {"http": 80, "https": 443, "unix": 0}[scheme]
    return replace(Binding(name, Endpoint(scheme, host, port), frozenset({"openai"}), model="m"), **changes)


def deployment(*bindings: Binding, **changes: Any) -> Deployment:
    listen = Listen()
    return replace(
        Deployment("x.policy", listen, listen, LoopbackIdentity((("team", "search"),)), bindings), **changes
    )


def codes(program: Program, deployment: Deployment) -> list[str]:
    found = check_bindings(program, deployment)
    assert all(d.code in CODES and CODES[d.code].severity in (d.severity, Severity.ERROR) for d in found)
    return [d.code for d in found]


ON_PREM = {
    "loopback": (binding(), []),
    "all of 127/8": (binding("127.9.9.9"), []),
    "loopback in IPv6": (binding("::1"), []),
    "localhost": (binding("localhost"), []),
    "a unix socket": (binding("/run/x.sock", "unix"), []),
    "a declared network with a pin": (binding("10.1.2.3", "https", tls=PIN), []),
    "a declared network with an authority": (binding("10.1.2.3", "https", tls=Tls(ca="PEM")), []),
    "a declared network in the clear, with a reason": (binding("10.1.2.3", plaintext_because="one rack"), []),
    "a name, to be asked at every connect": (binding("gpu.internal", "https", tls=PIN), []),
    "a declared network with a public certificate": (binding("10.1.2.3", "https"), ["PD522"]),
    "a declared network in the clear": (binding("10.1.2.3"), ["PD523"]),
    "a private address outside the networks": (binding("192.168.1.2", "https", tls=PIN), ["PD522"]),
    "a public address": (binding("93.184.216.34", "https", tls=PIN), ["PD522"]),
    "a public address in the clear": (binding("93.184.216.34"), ["PD522", "PD523"]),
    "a name in the clear": (binding("gpu.internal"), ["PD523"]),
    "a name with a public certificate": (binding("api.example.com", "https"), ["PD522"]),
}


@pytest.mark.parametrize("case", ON_PREM)
def test_what_on_prem_needs(case: str) -> None:
    bound, expected = ON_PREM[case]
    assert codes(program(), deployment(bound, on_prem_networks=(NETWORK,))) == expected


@pytest.mark.parametrize("host", ["10.1.2.3", "192.168.1.2", "fd00::1", "gpu.internal", "169.254.1.1"])
def test_nothing_is_on_prem_because_its_address_is_private(host: str) -> None:
    assert codes(program(), deployment(binding(host, "https", tls=PIN))) == ["PD522"]


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        pytest.param(binding("api.example.com", "https"), [], id="https"),
        pytest.param(binding("127.0.0.1"), [], id="http on this machine"),
        pytest.param(binding("api.example.com"), ["PD523"], id="http"),
        pytest.param(binding("10.1.2.3"), ["PD523", "PD543"], id="http to a private address"),
        pytest.param(binding("10.1.2.3", "https"), ["PD543"], id="a private address"),
        pytest.param(binding("169.254.169.254", "https"), ["PD543"], id="the metadata service"),
        pytest.param(binding("::ffff:10.1.2.3", "https"), ["PD543"], id="a private address written as IPv6"),
        pytest.param(binding("10.1.2.3", "https", private_networks=(NETWORK,)), [], id="a private link"),
        pytest.param(
            binding("10.9.2.3", "https", private_networks=(NETWORK,)), ["PD543"], id="beside the private link"
        ),
        pytest.param(binding("93.184.216.34", "https"), [], id="an address of the internet"),
        pytest.param(binding("api.example.com", plaintext_because="no"), ["PD523"], id="http with a reason"),
    ],
)
def test_what_cloud_needs(bound: Binding, expected: list[str]) -> None:
    assert codes(program(target(location="cloud")), deployment(bound)) == expected


@pytest.mark.parametrize(
    ("location", "bound", "rule"),
    [
        ("on_prem", binding(), AddressRule("loopback")),
        ("on_prem", binding("localhost"), AddressRule("loopback")),
        ("cloud", binding("localhost"), AddressRule("loopback")),
        ("on_prem", binding("gpu.internal", "https", tls=PIN), AddressRule("networks", (NETWORK,))),
        ("on_prem", binding("10.1.2.3", "https", tls=PIN), AddressRule("networks", (NETWORK,))),
        ("cloud", binding("api.example.com", "https"), AddressRule("public")),
    ],
)
def test_each_target_gets_its_address_rule(location: str, bound: Binding, rule: AddressRule) -> None:
    (found,) = bind(
        program(target(location=location)), deployment(bound, on_prem_networks=(NETWORK,))
    ).targets
    assert (found.addresses, found.binding) == (rule, bound)


def test_a_target_without_a_binding() -> None:
    assert codes(program(target(), target("spare")), deployment(binding())) == ["PD520"]


def test_a_binding_without_a_target_is_a_warning() -> None:
    (found,) = check_bindings(program(), deployment(binding(), binding(name="spare")))
    assert (found.code, found.severity) == ("PD521", Severity.WARNING)


@pytest.mark.parametrize(
    ("speaks", "dialects", "expected"),
    [
        ({"chat"}, {"openai"}, []),
        ({"messages"}, {"anthropic"}, []),
        ({"chat", "messages"}, {"openai", "anthropic"}, []),
        ({"chat"}, {"openai", "anthropic"}, []),
        ({"messages"}, {"openai"}, ["PD524"]),
        ({"responses", "embeddings"}, {"anthropic"}, ["PD524"]),
        ({"chat", "messages"}, {"openai"}, ["PD524"]),
    ],
)
def test_what_a_target_speaks_has_to_be_bound(
    speaks: set[str], dialects: set[str], expected: list[str]
) -> None:
    spoken = program(target(speaks=frozenset(speaks)))
    assert codes(spoken, deployment(binding(dialects=frozenset(dialects)))) == expected


def test_a_budget_needs_a_ledger() -> None:
    spending = program(
        budgets=(Budget("month", "money", 4, "month", "team"), Budget("burst", "tokens", 4, "minute", "team"))
    )
    assert codes(spending, deployment(binding())) == ["PD525", "PD525"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((("origin", "eu"), ("racks", 3)), []),
        ((("racks", 3),), ["PD526"]),
        ((("origin", "mars"), ("racks", 3)), ["PD526"]),
        ((("origin", True), ("racks", 3)), ["PD526"]),
        ((("origin", "eu"), ("racks", 10)), ["PD526"]),
        ((("origin", "eu"), ("racks", -1)), ["PD526"]),
        ((("origin", "eu"), ("racks", True)), ["PD526"]),
        ((("origin", "eu"), ("racks", 3), ("orgin", "eu")), ["PD526"]),
        ((), ["PD526", "PD526"]),
    ],
)
def test_a_feature_of_the_deployment_has_to_be_given_and_inside_its_domain(
    given: tuple[tuple[str, Any], ...], expected: list[str]
) -> None:
    assert codes(program(features=(ORIGIN, RACKS)), deployment(binding(), features=given)) == expected


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (LoopbackIdentity((("team", "a"),)), []),
        (LoopbackIdentity((("user", "a"),)), ["PD527"]),
        (LoopbackIdentity(()), ["PD527"]),
        (ApiKeyIdentity((ApiKey("a" * 64, (("user", "u"),)), ApiKey("b" * 64, (("team", "t"),)))), []),
        (ApiKeyIdentity((ApiKey("a" * 64, (("user", "u"),)),)), ["PD527"]),
    ],
)
def test_a_claim_needs_somebody_who_has_it(identity: Any, expected: list[str]) -> None:
    assert codes(program(features=(CLAIM,)), deployment(binding(), identity=identity)) == expected


@pytest.mark.parametrize(
    "header", ["authorization", "X-API-Key", "cookie", "connection", "content-length", "x-policyd-route"]
)
@pytest.mark.parametrize("kind", ["header", "label"])
def test_a_feature_cannot_be_read_from_a_reserved_header(header: str, kind: Any) -> None:
    feature = Feature("f", StringDomain(), Provenance.CLAIMED, Where(kind, header), "")
    assert codes(program(features=(feature,)), deployment(binding())) == ["PD528"]


def test_the_headers_that_the_policy_reads_are_named_in_lower_case() -> None:
    features = (
        Feature("f", StringDomain(), Provenance.CLAIMED, Where("header", "X-Data-Class"), ""),
        Feature(
            "header:x-level", EnumDomain(("a", "b"), True), Provenance.CLAIMED, Where("label", "x-level"), "a"
        ),
        CLAIM,
    )
    assert bind(program(features=features), deployment(binding())).headers == {"x-data-class", "x-level"}


@pytest.mark.parametrize(("model", "expected"), [("m", []), (None, ["PD529"])])
def test_a_target_that_forwards_has_a_pinned_model(model: str | None, expected: list[str]) -> None:
    assert codes(program(target(onward=True)), deployment(binding(model=model))) == expected


@pytest.mark.parametrize(
    ("facts", "changes", "expected"),
    [
        pytest.param({}, {}, [], id="the same facts"),
        pytest.param({"context": 9, "price_in": 1}, {}, [], id="only capabilities and prices differ"),
        pytest.param({"region": "us"}, {}, ["PD530"], id="another region"),
        pytest.param({"location": "cloud"}, {}, ["PD530"], id="on_prem and cloud"),
        pytest.param({"region": "us"}, {"model": "n"}, [], id="another model"),
        pytest.param(
            {"region": "us"}, {"endpoint": Endpoint("http", "127.0.0.1", 81)}, [], id="another port"
        ),
    ],
)
def test_one_server_cannot_have_two_truths(
    facts: dict[str, Any], changes: dict[str, Any], expected: list[str]
) -> None:
    both = program(target(), target("other", **facts))
    assert codes(both, deployment(binding(), binding(name="other", **changes))) == expected


def test_every_cause_is_reported_at_once() -> None:
    broken = program(
        target(), target("cloud", "cloud", onward=True), target("gone"), features=(ORIGIN, CLAIM)
    )
    found = codes(
        broken,
        deployment(
            binding("10.1.2.3"), binding("x.example", name="cloud", model=None), identity=LoopbackIdentity(())
        ),
    )
    assert sorted(found) == ["PD520", "PD522", "PD523", "PD523", "PD526", "PD527", "PD529"]


DENY, ZDR = ("provider", '{"data_collection":"deny"}'), ("provider", '{"zdr":true,"data_collection":"deny"}')


@pytest.mark.parametrize(
    ("host", "facts", "send", "expected"),
    [
        pytest.param(
            "openrouter.ai", {"training": False}, (), ["PD544"], id="no training, and nobody says so"
        ),
        pytest.param("eu.openrouter.ai", {"training": False}, (), ["PD544"], id="a host below"),
        pytest.param(
            "openrouter.ai", {"training": False, "retention": 0}, (DENY,), ["PD544"], id="one of two"
        ),
        pytest.param("openrouter.ai", {"training": False, "retention": 0}, (ZDR,), [], id="both"),
        pytest.param(
            "openrouter.ai", {"training": False}, (("provider", '"deny"'),), ["PD544"], id="no table"
        ),
        pytest.param("openrouter.ai", {"training": True}, (), [], id="training"),
        pytest.param("openrouter.ai", {"retention": 2_592_000}, (), [], id="kept for a month"),
        pytest.param("openrouter.ai", {}, (), [], id="nothing is said"),
        pytest.param("notopenrouter.ai", {"training": False}, (), [], id="another host"),
    ],
)
def test_what_is_said_of_a_target_that_sends_on_is_sent(
    host: str, facts: dict[str, Any], send: tuple[tuple[str, str], ...], expected: list[str]
) -> None:
    bound = binding(host, "https", send=send)
    assert codes(program(target(location="cloud", onward=True, **facts)), deployment(bound)) == expected


def test_a_policy_that_reads_the_language_needs_what_tells_it() -> None:
    """Without it the feature could not be computed, and a rule that silently never holds is worse than no service."""
    condition = OneOf("language", frozenset({"gn"}))
    route = Route("guarani", (Group("order", (Member("gpu"),)),), condition)
    reading = program(routes=(route,))
    split = program(
        routes=(replace(route, groups=(Group("split", (Member("gpu"),), "language"),), condition=TRUE),)
    )
    bound = deployment(binding())

    def found(of: Program, *, languages: bool) -> list[str]:
        return [d.code for d in check_features(of, bound, Pointing(None), languages=languages)]

    assert found(reading, languages=False) == ["PD238"]
    assert found(split, languages=False) == ["PD238"]
    assert found(reading, languages=True) == []
    assert found(program(), languages=False) == []
    assert "PD238" not in codes(reading, bound)
    (said,) = check_features(reading, bound, Pointing(None), languages=False)
    page = (Path(__file__).parents[2] / "docs" / "rules" / "PD238.md").read_text("utf-8")
    assert f"error[PD238] {said.message}\nhelp: {said.help}\n" in page
