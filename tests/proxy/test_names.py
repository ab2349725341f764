"""Callers known by names in certificates: their own, and what a trusted hop tells of theirs. From nobody else."""

import ipaddress
from typing import Any

import pytest

from policyd.deploy.model import (
    Deployment,
    HopIdentity,
    KnownName,
    Listen,
    LoopbackIdentity,
    MtlsIdentity,
    NameKind,
    SeveralIdentities,
)
from policyd.proxy.host import hosts_of
from policyd.proxy.identity_names import Certificates, Hop, Names, names_in_header
from policyd.proxy.refusals import Refusal

AGENT = KnownName("uri", "spiffe://acme.example/agent", (("team", "search"),))
BATCH = KnownName("dns", "batch.acme.example", (("team", "batch"),))
LATE = "Jan  1 00:00:00 2035 GMT"


class Connection:
    """What asyncio would know of a connection."""

    def __init__(
        self, address: str | None = None, certificate: dict[str, Any] | None = None, client_ca: str = "ca"
    ) -> None:
        self._known = {
            "peername": None if address is None else (address, 5000),
            "peercert": certificate,
            "ssl_object": type("Session", (), {"context": type("Context", (), {"client_ca": client_ca})})(),
        }

    def about(self, name: str) -> Any:
        return self._known[name]


def certificate(*names: tuple[str, str], cn: tuple[str, ...] = (), until: str = LATE) -> dict[str, Any]:
    subject = tuple((("commonName", name),) for name in cn)
    return {"subject": subject, "subjectAltName": names, "notAfter": until}


def by_certificate(
    held: dict[str, Any] | None, *known: KnownName, claims: tuple[tuple[str, NameKind], ...] = (), at: float = 0.0, ca: str = "ca"
) -> Any:  # fmt: skip
    return Certificates(MtlsIdentity(known, claims), "ca")([], Connection(certificate=held, client_ca=ca), at)


def test_a_known_name_has_its_claims() -> None:
    held = certificate(("DNS", "x.acme.example"), ("URI", "spiffe://acme.example/agent"))
    assert by_certificate(held, AGENT, BATCH) == {"team": "search"}
    assert by_certificate(certificate(("DNS", "Batch.Acme.Example")), AGENT, BATCH) == {"team": "batch"}
    assert by_certificate(certificate(cn=("ops",)), KnownName("cn", "ops", (("team", "ops"),))) == {
        "team": "ops"
    }


def test_a_name_becomes_a_claim() -> None:
    held = certificate(("URI", "spiffe://acme.example/agent"), cn=("agent",))
    wanted: tuple[tuple[str, NameKind], ...] = (("who", "uri"), ("cn", "cn"), ("host", "dns"))
    assert by_certificate(held, claims=wanted) == {"who": "spiffe://acme.example/agent", "cn": "agent"}
    assert by_certificate(held, AGENT, claims=wanted) == {
        "who": "spiffe://acme.example/agent",
        "cn": "agent",
        "team": "search",
    }


def test_equal_names_are_the_very_same_caller() -> None:
    way = Certificates(MtlsIdentity((AGENT,), ()), "ca")
    first, second = (way([], Connection(certificate=certificate(("URI", AGENT.name))), 0.0) for _ in range(2))
    assert first is second


def test_no_certificate_is_no_caller() -> None:
    assert by_certificate(None, AGENT) is None
    assert by_certificate({}, AGENT) is None
    assert Certificates(MtlsIdentity((AGENT,), ()), "ca")([], None, 0.0) is None


@pytest.mark.parametrize(
    ("held", "code"),
    [
        pytest.param(certificate(("URI", "spiffe://acme.example/other")), "caller_unidentified", id="another name"),
        pytest.param(certificate(("URI", "spiffe://acme.example/agent/")), "caller_unidentified", id="a slash more"),
        pytest.param(certificate(("DNS", "spiffe://acme.example/agent")), "caller_unidentified", id="the name as another kind"),
        pytest.param(certificate(cn=("spiffe://acme.example/agent",)), "caller_unidentified", id="the name as its subject"),
        pytest.param(certificate(("DNS", "*.acme.example")), "caller_unidentified", id="a wildcard is its own name"),
        pytest.param(certificate(("URI", AGENT.name), ("DNS", BATCH.name)), "caller_bad_claim", id="the names of two callers"),
        pytest.param(certificate(), "caller_unidentified", id="no names"),
        pytest.param(certificate(("URI", AGENT.name), until="Jan  1 00:00:00 1970 GMT"), "caller_unidentified", id="over"),
        pytest.param(certificate(("URI", AGENT.name), until="whenever"), "caller_unidentified", id="an end that is none"),
    ],
)  # fmt: skip
def test_a_certificate_that_says_nobody(held: dict[str, Any], code: str) -> None:
    found = by_certificate(held, AGENT, BATCH)
    assert isinstance(found, Refusal)
    assert found.code == code


def test_two_names_of_a_kind_make_no_claim() -> None:
    found = by_certificate(
        certificate(("URI", "spiffe://a/b"), ("URI", "spiffe://a/c")), claims=(("who", "uri"),)
    )
    assert isinstance(found, Refusal)
    assert found.code == "caller_bad_claim"


def test_two_spiffe_ids_are_nobody_though_one_is_known() -> None:
    """An X.509-SVID has exactly one (SPIFFE, section 2): whoever could put a second one in would be anybody."""
    held = certificate(("URI", AGENT.name), ("URI", "spiffe://acme.example/other"))
    found = by_certificate(held, AGENT)
    assert isinstance(found, Refusal)
    assert found.code == "caller_bad_claim"
    by_names = HopIdentity(HOP.header, HOP.networks, False, HOP.names, ())
    told = by_hop(b"URI=spiffe://acme.example/other;URI=spiffe://acme.example/agent", "10.1.0.7", by_names)
    assert isinstance(told, Refusal)
    assert told.code == "caller_bad_claim"


def test_a_connection_that_another_authority_verified_identifies_nobody() -> None:
    found = by_certificate(certificate(("URI", AGENT.name)), AGENT, ca="the old one")
    assert isinstance(found, Refusal)
    assert "connect again" in found.message


HOP = HopIdentity(
    "x-forwarded-client-cert", (ipaddress.ip_network("10.1.0.7/32"),), False, (AGENT,), (("who", "uri"),)
)
XFCC = b'By=spiffe://acme.example/proxy;Hash=0123;Subject="CN=a\\"b,OU=x;y";URI=spiffe://acme.example/agent'
KNOWN = {"who": "spiffe://acme.example/agent", "team": "search"}


def by_hop(value: bytes, address: str | None, identity: HopIdentity = HOP, *, unix: bool = False) -> Any:
    headers = [(b"accept", b"*/*"), (identity.header.encode(), value)]
    return Hop(identity, unix=unix)(headers, Connection(address), 0.0)


@pytest.mark.parametrize("address", ["10.1.0.7", "::ffff:10.1.0.7"])
def test_what_the_hop_says_counts(address: str) -> None:
    assert by_hop(XFCC, address) == KNOWN


@pytest.mark.parametrize(
    "address", ["10.1.0.8", "127.0.0.1", "::1", "::ffff:10.1.0.8", "not an address", "", None]
)
def test_what_anybody_else_says_is_as_if_it_were_not_there(address: str | None) -> None:
    assert by_hop(XFCC, address) is None
    assert Hop(HOP, unix=False)([(b"x-forwarded-client-cert", XFCC)], None, 0.0) is None


def test_over_a_socket_whoever_can_open_it_is_the_hop() -> None:
    of_socket = HopIdentity(HOP.header, (), True, HOP.names, HOP.claims)
    assert by_hop(XFCC, None, of_socket, unix=True) == KNOWN
    assert by_hop(XFCC, None, of_socket, unix=False) is None, "the listener is none"
    assert by_hop(XFCC, None, HOP, unix=True) is None, "the deployment does not say so"


def test_without_the_header_the_hop_says_nothing() -> None:
    assert (
        Hop(HOP, unix=False)([(b"x-spiffe-id", b"spiffe://acme.example/agent")], Connection("10.1.0.7"), 0.0)
        is None
    )


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(XFCC + b"," + XFCC, id="two hops"),
        pytest.param(b"URI=spiffe://acme.example/evil," + XFCC, id="another one in front"),
        pytest.param(b"Hash=0123,URI=spiffe://acme.example/agent", id="two hops with one name between them"),
        pytest.param(XFCC + b',URI="', id="a quote that never ends"),
        pytest.param(b"Hash=0123", id="no name"),
        pytest.param(b"URI=", id="an empty name"),
        pytest.param(b"URI=agent", id="a name that is no URI"),
        pytest.param(b"URI=spiffe://acme.example/agent\x00", id="a NUL"),
        pytest.param(b"URI=spiffe://acme.example/agent x", id="a space inside"),
        pytest.param("URI=spiffe://acme.example/ägent".encode(), id="not ASCII"),
        pytest.param(b"spiffe://acme.example/agent", id="no pairs"),
        pytest.param(b"URI=spiffe://a/b;URI=spiffe://a/c", id="two names"),
        pytest.param(b'Subject="' + b"x" * 20_000 + b'";URI=spiffe://a/b', id="far too long"),
    ],
)
def test_a_header_that_does_not_name_one_caller(value: bytes) -> None:
    found = by_hop(value, "10.1.0.7")
    assert isinstance(found, Refusal)
    assert found.code == "caller_bad_claim"


def test_the_header_twice_is_nobodys() -> None:
    headers = [(b"x-forwarded-client-cert", XFCC)] * 2
    found = Hop(HOP, unix=False)(headers, Connection("10.1.0.7"), 0.0)
    assert isinstance(found, Refusal)


def test_a_name_inside_quotes_is_not_another_pair() -> None:
    assert names_in_header(
        b"x-forwarded-client-cert", b'Subject="x;URI=spiffe://a/evil";URI=spiffe://a/b'
    ) == Names(("spiffe://a/b",))


@pytest.mark.parametrize(
    ("value", "good"),
    [
        (b"spiffe://acme.example/ns/a/sa/b", True),
        (b"  spiffe://acme.example/a  ", True),
        (b"spiffe://acme.example", False),
        (b"spiffe://acme.example/../a", False),
        (b"spiffe://acme.example/a/./b", False),
        (b"spiffe://acme.example//a", False),
        (b"spiffe://ACME/a", False),
        (b"spiffe://acme/a?b", False),
        (b"https://acme.example/a", False),
        (b"spiffe://acme/a, spiffe://acme/b", False),
    ],
)
def test_a_spiffe_id(value: bytes, good: bool) -> None:
    assert (names_in_header(b"x-spiffe-id", value) is not None) is good


def deployment(identity: Any, listen: Listen | None = None) -> Deployment:
    return Deployment("p", listen or Listen("10.0.0.5"), Listen(), identity, (), hosts=("gateway.internal",))


@pytest.mark.parametrize(
    ("networks", "asked"), [(("127.0.0.1/32",), True), (("127.0.0.0/8",), True), (("::1/128",), True), (("10.1.0.7/32",), False)], ids=str
)  # fmt: skip
def test_a_page_on_this_machine_cannot_be_a_hop_of_this_machine(
    networks: tuple[str, ...], asked: bool
) -> None:
    hop = HopIdentity(HOP.header, tuple(ipaddress.ip_network(n) for n in networks), False, (), ())
    assert (hosts_of(deployment(hop)) is not None) is asked
    both = SeveralIdentities((MtlsIdentity((), ()), hop))
    assert (hosts_of(deployment(both)) is not None) is asked
    assert hosts_of(deployment(LoopbackIdentity(()))) == {b"10.0.0.5", b"gateway.internal"}
    assert hosts_of(deployment(hop, Listen(path="/run/p.sock"))) is None
