"""Callers known by tokens: which token counts, which does not and why, and what becomes of its claims."""

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any, Literal

import jwt
import pytest

from policyd.deploy.model import (
    ApiKey,
    ApiKeyIdentity,
    Endpoint,
    JwtIdentity,
    KeySet,
    Secret,
    SeveralIdentities,
    Tls,
)
from policyd.proxy.caller import Claims, Unsettled
from policyd.proxy.identity import identify_by
from policyd.proxy.identity_keys import SOONEST, KeyRing, NotFetched, fetch_keys, keep_fresh
from policyd.proxy.refusals import Refusal, for_the_log
from tests.deploy.tokens import AUDIENCE, ISSUER, NOW, ec_key, ed_key, jwk, key_set, rsa_key, token
from tests.upstream.scripted import CERTS, OK, Scripted, answering, run, until, unused_port

FILE = KeySet(document=key_set(jwk(rsa_key(), "k1"), jwk(ec_key(), "e1"), jwk(ed_key(), "d1")))
IDENTITY = JwtIdentity(
    ISSUER,
    (AUDIENCE, "other"),
    ("RS256", "PS256", "ES256", "EdDSA"),
    FILE,
    None,
    30.0,
    (("sub",),),
    (
        ("team", ("realm", "team")),
        ("user", ("sub",)),
        ("tier", ("https://acme.example/tier",)),
        ("level", ("level",)),
    ),
)
FETCHED = KeySet(endpoint=Endpoint("https", "login.example", 443, "/keys"), refresh=60.0, keep=600.0)

Found = Claims | Refusal | Unsettled


def known(
    shown: str, identity: JwtIdentity = IDENTITY, *, at: float = NOW, header: bytes = b"authorization"
) -> Found:
    value = f"Bearer {shown}" if header == b"authorization" else shown
    assert identity.keys is not None
    return identify_by(identity, rings={identity.keys: KeyRing(identity.keys)})(
        [(header, value.encode())], None, at
    )


def why(shown: str, identity: JwtIdentity = IDENTITY, *, at: float = NOW) -> str:
    found = known(shown, identity, at=at)
    assert isinstance(found, Refusal), found
    assert (found.code, found.status) == ("caller_unidentified", 401)
    return found.message


@pytest.mark.parametrize("header", [b"authorization", b"x-api-key", b"api-key"])
def test_a_good_token_is_known_wherever_sdks_put_keys(header: bytes) -> None:
    assert known(token(), header=header) == {"user": "ana"}


@pytest.mark.parametrize(
    ("key", "alg", "kid"),
    [
        (rsa_key(), "RS256", "k1"),
        (rsa_key(), "PS256", "k1"),
        (ec_key(), "ES256", "e1"),
        (ed_key(), "EdDSA", "d1"),
    ],
    ids=["RS256", "PS256", "ES256", "EdDSA"],
)
@pytest.mark.parametrize("named", [True, False], ids=["by name", "without a name"])
def test_every_algorithm_that_is_taken(key: Any, alg: str, kid: str, named: bool) -> None:
    assert known(token(key, alg=alg, kid=kid if named else None)) == {"user": "ana"}


def test_claims_come_from_their_paths() -> None:
    shown = token(realm={"team": "search"}, level=3, **{"https://acme.example/tier": True})
    assert known(shown) == {"team": "search", "user": "ana", "tier": "true", "level": "3"}


@pytest.mark.parametrize(
    "realm", [None, {}, {"team": None}, {"team": ""}, {"team": " "}, "search", 7], ids=repr
)
def test_a_claim_that_is_not_there_is_unknown(realm: object) -> None:
    assert known(token(realm=realm)) == {"user": "ana"}


@pytest.mark.parametrize(
    ("team", "kind"), [(["search"], "a list"), ([], "a list"), ({"a": 1}, "an object"), (1.5, "no plain value"), (2**70, "no plain value")], ids=repr
)  # fmt: skip
def test_a_claim_with_several_values_is_refused_and_says_what_to_do(team: object, kind: str) -> None:
    found = known(token(realm={"team": team}))
    assert isinstance(found, Refusal)
    assert (found.code, found.status, found.field) == ("caller_bad_claim", 403, "realm.team")
    assert f"is {kind}" in found.message


def unsigned(**claims: Any) -> str:
    return jwt.encode(
        {"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 300, "sub": "ana"} | claims, "", algorithm="none"
    )


def with_head(shown: str, **changes: Any) -> str:
    """The same token with another head: its signature is then somebody's over something else."""
    head, payload, signature = shown.split(".")
    old = json.loads(base64.urlsafe_b64decode(head + "=="))
    new = base64.urlsafe_b64encode(json.dumps(old | changes).encode()).rstrip(b"=").decode()
    return f"{new}.{payload}.{signature}"


PUBLIC = rsa_key().public_key()


def signed_with_the_public_key() -> str:
    """The classic: the public key as the secret of HS256."""
    from cryptography.hazmat.primitives import hashes, hmac, serialization  # noqa: PLC0415

    pem = PUBLIC.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    head, payload = (part for part in with_head(token(), alg="HS256").split(".")[:2])
    mac = hmac.HMAC(pem, hashes.SHA256())
    mac.update(f"{head}.{payload}".encode())
    return f"{head}.{payload}.{base64.urlsafe_b64encode(mac.finalize()).rstrip(b'=').decode()}"


NOT_GOOD: dict[str, tuple[Callable[[], str], str]] = {
    "no signature": (unsigned, "algorithm"),
    "no signature, in other letters": (lambda: with_head(unsigned(), alg="nOnE"), "algorithm"),
    "signed with the public key as a secret": (signed_with_the_public_key, "algorithm"),
    "another algorithm of the same key": (lambda: token(alg="RS512"), "algorithm"),
    "another algorithm in the head": (lambda: with_head(token(), alg="PS256"), "signature"),
    "signed by somebody else": (lambda: token(rsa_key("two")), "signature"),
    "signed by somebody else, without a name": (lambda: token(rsa_key("two"), kid=None), "signature"),
    "another payload": (lambda: token().split(".")[0] + "." + token(sub="eve").split(".")[1] + "." + token().split(".")[2], "signature"),
    "no signature behind the last dot": (lambda: token().rpartition(".")[0] + ".", "signature"),
    "a key that nobody publishes": (lambda: token(kid="k9"), "does not publish"),
    "the key of another algorithm": (lambda: token(kid="e1"), "does not publish"),
    "a name that is no string": (lambda: with_head(token(), kid=7), "read"),
    "an extension that must be understood": (lambda: token(headers={"crit": ["exp"], "exp": 1}), "read"),
    "a token for something else": (lambda: token(headers={"typ": "logout+jwt"}), "kind"),
    "another issuer": (lambda: token(iss="https://evil.example"), "another issuer"),
    "an issuer with a slash more": (lambda: token(iss=ISSUER + "/"), "another issuer"),
    "another audience": (lambda: token(aud="billing"), "another service"),
    "no audience": (lambda: token(without=("aud",)), "lacks"),
    "no issuer": (lambda: token(without=("iss",)), "lacks"),
    "no end": (lambda: token(without=("exp",)), "lacks"),
    "no subject, which is required": (lambda: token(without=("sub",)), "no claim `sub`"),
    "an empty subject": (lambda: token(sub=""), "no claim `sub`"),
    "an end that is no time": (lambda: token(exp="tomorrow"), ""),
    "an end that is true": (lambda: token(exp=True), "time that is none"),
    "an end that never comes": (lambda: token(exp=10**400), "time that is none"),
    "over": (lambda: token(exp=int(NOW) - 31), "expired"),
    "not yet": (lambda: token(nbf=int(NOW) + 31), "not valid yet"),
    "issued in the future": (lambda: token(iat=int(NOW) + 31), "not valid yet"),
    "no token in the shape of one": (lambda: "eyJ.eyJ.x", "read"),
    "a head that is a list": (lambda: "eyJ" + base64.urlsafe_b64encode(b"[]").decode() + ".e30.x", "read"),
    "far too long": (lambda: token(sub="a" * 20_000), "longer"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "said"), NOT_GOOD.values(), ids=NOT_GOOD.keys())
def test_a_token_that_is_not_good(make: Callable[[], str], said: str) -> None:
    assert said in why(make())


def test_the_log_says_why_a_token_does_not_count_and_nothing_of_the_token() -> None:
    """Whoever looks after the sidecar is asked first, and has only the log: expired, another audience, another key."""
    told = set()
    for make, _ in NOT_GOOD.values():
        shown = make()
        found = known(shown)
        assert isinstance(found, Refusal)
        assert for_the_log(found) == found.message
        assert not any(word in found.message for word in ("evil", "billing", "k9", "ana", shown))
        told.add(found.message)
    assert len(told) >= 10


def test_the_log_says_which_claim_has_several_values_and_none_of_them() -> None:
    found = known(token(level=["trent", "mallory"]))
    assert isinstance(found, Refusal) and found.code == "caller_bad_claim"
    assert "`level`" in for_the_log(found) and "a list" in for_the_log(found)
    assert "mallory" not in found.message


@pytest.mark.parametrize(
    ("claims", "at"),
    [({"exp": int(NOW) - 29}, NOW), ({"nbf": int(NOW) + 29}, NOW), ({"iat": int(NOW) + 29}, NOW), ({"aud": ["x", "other"]}, NOW)],
)  # fmt: skip
def test_clocks_may_differ_a_little_and_an_audience_may_be_one_of_several(
    claims: dict[str, Any], at: float
) -> None:
    assert known(token(**claims), at=at) == {"user": "ana"}


def test_a_shared_secret() -> None:
    secret = "a secret that is at least thirty-two bytes long"
    identity = replace(
        IDENTITY, keys=None, secret=Secret("environment variable S", secret), algorithms=("HS256",)
    )
    identify = identify_by(identity)

    def of(shown: str) -> Found:
        return identify([(b"authorization", b"Bearer " + shown.encode())], None, NOW)

    assert of(token(secret, alg="HS256", kid=None)) == {"user": "ana"}
    assert isinstance(of(token(secret + "x", alg="HS256", kid=None)), Refusal)
    assert isinstance(of(token()), Refusal)
    assert isinstance(of(unsigned()), Refusal)


def test_a_token_is_verified_once_and_forgotten_when_it_ends() -> None:
    identify = identify_by(IDENTITY, rings={FILE: KeyRing(FILE)})
    headers = [(b"authorization", b"Bearer " + token().encode())]
    first = identify(headers, None, NOW)
    assert identify(headers, None, NOW + 100) is first, "the same claims, not equal ones"
    late = identify(headers, None, NOW + 331)
    assert isinstance(late, Refusal)
    assert "expired" in late.message
    early = identify(headers, None, NOW - 100)
    assert isinstance(early, Refusal), (
        "what is remembered counts in its time alone, also where a clock jumps back"
    )


def test_two_credentials_are_nobodys() -> None:
    identify = identify_by(IDENTITY, rings={FILE: KeyRing(FILE)})
    headers = [(b"authorization", b"Bearer " + token().encode()), (b"x-api-key", token(sub="eve").encode())]
    found = identify(headers, None, NOW)
    assert isinstance(found, Refusal)
    assert "two credentials" in found.message
    same = [(b"authorization", b"Bearer " + token().encode()), (b"x-api-key", token().encode())]
    assert identify(same, None, NOW) == {"user": "ana"}, "one credential in two places is one"


class Issuer:
    """An issuer's key set on the wire: what it publishes, whether it answers, and how often it was asked."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = keys
        self.asked = 0
        self.up = True
        self.now = 0.0
        self.held: asyncio.Event | None = None

    async def fetch(self, _: KeySet) -> str:
        self.asked += 1
        if self.held is not None:
            await self.held.wait()
        if not self.up:
            raise NotFetched("ConnectError")
        return key_set(*self.keys)


def served(issuer: Issuer) -> tuple[KeyRing, Callable[[str], Any]]:
    ring = KeyRing(FETCHED, fetch=issuer.fetch, clock=lambda: issuer.now)
    identify = identify_by(replace(IDENTITY, keys=FETCHED), rings={FETCHED: ring})

    async def of(shown: str) -> Found:
        """What the application does with it."""
        headers = [(b"x-api-key", shown.encode())]
        found = identify(headers, None, NOW)
        if isinstance(found, Unsettled):
            await found.settle()
            again = identify(headers, None, NOW)
            return found.refusal if isinstance(again, Unsettled) else again
        return found

    return ring, of


def test_the_first_token_waits_for_the_keys() -> None:
    async def main() -> None:
        issuer = Issuer(jwk(rsa_key(), "k1"))
        _, of = served(issuer)
        assert await of(token()) == {"user": "ana"}
        assert await of(token(sub="bo")) == {"user": "bo"}
        assert issuer.asked == 1

    run(main())


def test_a_new_key_is_found_when_the_first_token_shows_it() -> None:
    async def main() -> None:
        issuer = Issuer(jwk(rsa_key(), "k1"))
        _, of = served(issuer)
        assert await of(token()) == {"user": "ana"}
        issuer.keys = (jwk(rsa_key(), "k1"), jwk(rsa_key("two"), "k2"))
        issuer.now = SOONEST
        assert await of(token(rsa_key("two"), kid="k2")) == {"user": "ana"}
        assert issuer.asked == 2

    run(main())


def test_a_key_that_is_withdrawn_makes_its_tokens_worthless() -> None:
    async def main() -> None:
        issuer = Issuer(jwk(rsa_key(), "k1"), jwk(rsa_key("two"), "k2"))
        ring, of = served(issuer)
        assert await of(token()) == {"user": "ana"}
        issuer.keys = (jwk(rsa_key("two"), "k2"),)
        issuer.now = 61.0
        assert ring.due
        await ring.look()
        found = await of(token())
        assert isinstance(found, Refusal), "it is remembered, and yet asked again"
        assert await of(token(rsa_key("two"), kid="k2")) == {"user": "ana"}

    run(main())


def test_unknown_keys_do_not_make_the_issuer_be_asked_ever_again() -> None:
    async def main() -> None:
        issuer = Issuer(jwk(rsa_key(), "k1"))
        _, of = served(issuer)
        for number in range(50):
            assert isinstance(await of(token(kid=f"no{number}")), Refusal)
        assert issuer.asked == 1
        issuer.now = SOONEST - 0.1
        await of(token(kid="no"))
        assert issuer.asked == 1
        issuer.now = SOONEST
        await of(token(kid="no"))
        assert issuer.asked == 2

    run(main())


def test_many_at_once_ask_once_and_who_leaves_takes_nothing_along() -> None:
    async def main() -> None:
        issuer = Issuer(jwk(rsa_key(), "k1"))
        issuer.held = asyncio.Event()
        _, of = served(issuer)
        waiting = [asyncio.ensure_future(of(token(sub=f"u{n}"))) for n in range(20)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        issuer.held.set()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)
        assert found[1:] == [{"user": f"u{n}"} for n in range(1, 20)]
        assert issuer.asked == 1

    run(main())


def test_the_last_good_keys_count_for_a_bounded_time_and_then_nobody_is_known() -> None:
    async def main() -> None:
        issuer = Issuer(jwk(rsa_key(), "k1"))
        ring, of = served(issuer)
        assert await of(token()) == {"user": "ana"}
        issuer.up = False
        issuer.now = 600.0
        await ring.look()
        assert ring.failing == "ConnectError"
        assert await of(token()) == {"user": "ana"}
        assert await of(token(sub="bo")) == {"user": "bo"}
        issuer.now = 600.1 + SOONEST
        for shown in (token(), token(sub="bo"), token(sub="new")):
            found = await of(shown)
            assert isinstance(found, Refusal)
            assert (found.code, found.status) == ("internal_identity", 503)
        issuer.up = True
        issuer.now += SOONEST
        assert await of(token()) == {"user": "ana"}

    run(main())


@pytest.mark.parametrize("document", ["", "{}", '{"keys": []}'])
def test_an_answer_without_keys_replaces_nothing(document: str) -> None:
    async def main() -> None:
        issuer = Issuer(jwk(rsa_key(), "k1"))
        ring, of = served(issuer)
        assert await of(token()) == {"user": "ana"}

        async def nothing(_: KeySet) -> str:
            return document

        ring._fetch = nothing
        await ring.look()
        assert ring.failing is not None
        assert await of(token()) == {"user": "ana"}

    run(main())


def test_several_issuers_and_api_keys_side_by_side() -> None:
    second = KeySet(document=key_set(jwk(rsa_key("two"), "k1")))
    api_key = "sk-of-a-batch-job"
    both = SeveralIdentities(
        (
            IDENTITY,
            replace(IDENTITY, issuer="https://two.example", keys=second),
            ApiKeyIdentity((ApiKey(sha256(api_key.encode()).hexdigest(), (("team", "batch"),)),)),
        )
    )
    identify = identify_by(both, rings={FILE: KeyRing(FILE), second: KeyRing(second)})

    def of(shown: str) -> Found:
        return identify([(b"x-api-key", shown.encode())], None, NOW)

    assert of(token()) == {"user": "ana"}
    assert of(token(rsa_key("two"), iss="https://two.example", sub="bo")) == {"user": "bo"}
    assert of(api_key) == {"team": "batch"}
    for shown in (
        token(rsa_key("two")),
        token(iss="https://two.example"),
        token(iss="https://three.example"),
        token(exp=int(NOW) - 60),
        "sk-unknown",
    ):
        assert isinstance(of(shown), Refusal), (
            "no other way is asked for what was shown to one and is not good"
        )


@pytest.mark.parametrize(("at", "good"), [(NOW - 1, True), (NOW, False), (NOW + 1, False)])
def test_an_api_key_ends(at: float, good: bool) -> None:
    hashed = sha256(b"sk-old").hexdigest()
    fresh = sha256(b"sk-new").hexdigest()
    identity = ApiKeyIdentity((ApiKey(hashed, (("team", "a"),), NOW), ApiKey(fresh, (("team", "a"),))))
    identify = identify_by(identity)
    found = identify([(b"api-key", b"sk-old")], None, at)
    assert (found == {"team": "a"}) is good
    assert identify([(b"api-key", b"sk-new")], None, at) == {"team": "a"}, (
        "the new key works beside the old one"
    )
    if not good:
        assert isinstance(found, Refusal)
        assert "has ended" in found.message


def failure(scheme: Literal["http", "https"], host: str, port: int) -> str:
    """Why keys cannot be fetched from there."""
    found: list[str] = []

    async def main() -> None:
        with pytest.raises(NotFetched) as caught:
            await fetch_keys(KeySet(endpoint=Endpoint(scheme, host, port, "/keys")))
        found.append(str(caught.value))

    run(main())
    return found[0]


def test_why_keys_cannot_be_fetched_is_said_in_words() -> None:
    with unused_port() as port:
        assert failure("http", "127.0.0.1", port) == "no connection to `127.0.0.1`: connection refused"
        assert failure("http", "localhost", port) == "no connection to `localhost`: connection refused"
    assert failure("https", "no-such-name.invalid", 443) == "the name `no-such-name.invalid` is not known"


@pytest.mark.parametrize(
    ("certificate", "tls", "said"),
    [
        ("leaf.pem", {}, "is not signed by an authority that is known here: name the PEM file of its own authority in `identity.jwks.ca`"),
        ("other_name.pem", {"ca": (CERTS / "ca.pem").read_text()}, "is for another name: write the name that it is for in `identity.jwks.url`"),
        ("leaf.pem", {"pins": ("0" * 64,)}, "is not one of `identity.jwks.pin_sha256`: its SHA-256 is"),
    ],
)  # fmt: skip
def test_an_issuer_that_does_not_prove_itself_is_told_by_its_cause(
    certificate: str, tls: dict[str, Any], said: str
) -> None:
    async def main() -> None:
        async with Scripted(answering(OK), tls=certificate) as server:
            endpoint = Endpoint("https", "127.0.0.1", server.port, "/keys")
            with pytest.raises(NotFetched) as caught:
                await fetch_keys(KeySet(endpoint=endpoint, tls=Tls(**tls)))
            assert str(caught.value).startswith(f"the certificate of `127.0.0.1` {said}")

    run(main())


def test_failing_and_being_fetched_again_are_each_told_once_with_the_place() -> None:
    async def main() -> None:
        issuer = Issuer(jwk(rsa_key(), "k1"))
        issuer.up = False
        ring, _ = served(issuer)
        told: list[str] = []
        keeping = asyncio.create_task(keep_fresh(lambda: [ring], told.append))
        await until(lambda: len(told) == 1)
        issuer.up = True
        issuer.now = 60.0
        await until(lambda: len(told) == 2)
        keeping.cancel()
        assert told == [
            "the keys of callers' tokens could not be fetched from https://login.example/keys: ConnectError",
            "the keys of callers' tokens are fetched again from https://login.example/keys",
        ]

    run(main())


def test_the_place_of_keys_in_a_file_is_its_path() -> None:
    assert KeyRing(replace(FILE, file="/etc/policyd/keys.json")).standing().source == "/etc/policyd/keys.json"
