"""What a request's redaction knows before anything is sent: what cannot be taken out, and that not knowing is everything."""

import json
from asyncio import run
from typing import Any

import pytest

from policyd.detect.builtin import engine_with
from policyd.detect.rules import Rule
from policyd.policy.program import Redaction, Target
from policyd.policy.request import EVERYTHING
from policyd.proxy.lanes import Lanes
from policyd.proxy.redacting import Plain, Redacting, Redactions, left_in_bytes
from policyd.proxy.translated import Speech, Translation
from policyd.proxy.way import Way
from policyd.proxy.weigh import Weigher
from policyd.traffic.endpoints import EndpointName as E
from policyd.traffic.read import read_request
from tests.proxy.test_translated_scanned import SPLIT
from tests.redact.samples import AWS, CARD, body_of

KEY = b"k" * 32
NAMES = ("card-number", "secret")
OF = Redaction(NAMES, restored=True)
VARIANT = Target("cloud with redact(card-number, secret) restored", (), None, "cloud", OF)


def redactions(*names: tuple[str, ...], translated: frozenset[str] = frozenset()) -> Redactions:
    return Redactions({VARIANT.name: VARIANT}, names or (NAMES,), KEY, translated)


def redacting(content: Any, endpoint: E = E.CHAT) -> Redacting:
    body = body_of({"model": "m", "messages": [{"role": "user", "content": content}]})
    return Redacting(endpoint, Plain(body, read_request(endpoint, body.parsed), Translation(endpoint, body)))


CUT = [{"type": "text", "text": AWS[:8]}, {"type": "text", "text": AWS[8:]}]


def test_what_can_be_taken_out_is_nothing() -> None:
    asked = redacting(f"{AWS} {CARD}")
    assert run(asked.unredactable(redactions(), {}, Weigher(0))) == frozenset()


def test_what_cannot_be_taken_out_has_every_name_above_it() -> None:
    assert run(redacting(CUT).unredactable(redactions(), {}, Weigher(0))) == {"secret", "secret.aws"}


def test_what_was_not_scanned_cannot_be_redacted() -> None:
    asked = redacting("hi")
    assert run(asked.unredactable(redactions(), {"findings": EVERYTHING}, Weigher(0))) is EVERYTHING


def test_what_no_redaction_names_is_not_looked_for() -> None:
    """The names were found already, and none is redacted: nothing is worked out, so that no time is too short for it."""
    asked = redacting("x" * 40_000)
    weigher = Weigher(0, seconds=0.0, lanes=Lanes(small=1))
    found = frozenset({"iban", "private-key", "private-key.pem"})
    assert run(asked.unredactable(redactions(), {"findings": found}, weigher)) == frozenset()


def test_what_takes_too_long_is_everything_and_goes_nowhere() -> None:
    asked = redacting("x" * 40_000)
    weigher = Weigher(0, seconds=0.0, lanes=Lanes(small=1))
    assert run(asked.unredactable(redactions(), {"findings": frozenset({"secret"})}, weigher)) is EVERYTHING
    assert run(asked.without(OF, redactions(), weigher)) == frozenset(NAMES)


def test_what_every_redaction_cannot_take_out_counts() -> None:
    asked = redacting([{"type": "text", "text": CARD}, *CUT])
    both = redactions(("card-number",), ("secret",))
    assert run(asked.unredactable(both, {}, Weigher(0))) == {"secret", "secret.aws"}
    goes = run(asked.without(Redaction(("card-number",)), both, Weigher(0)))
    assert isinstance(goes, Plain)
    assert CARD.encode() not in goes.body.raw
    assert not goes.restored
    assert run(asked.without(Redaction(("secret",)), both, Weigher(0))) == {"secret.aws"}


ENDPOINTS = {"/v1/messages": E.MESSAGES, "/v1/responses": E.RESPONSES, "/v1/chat/completions": E.CHAT}


@pytest.mark.parametrize("case", SPLIT)
def test_what_stands_together_in_a_translation_cannot_be_taken_out(case: str) -> None:
    path, request = SPLIT[case]
    endpoint, body = ENDPOINTS[path], body_of(request)
    asked = Redacting(endpoint, Plain(body, read_request(endpoint, body.parsed), Translation(endpoint, body)))
    of = redactions(translated=frozenset({"messages", "responses", "chat"}))
    assert "secret.aws" in run(asked.unredactable(of, {}, Weigher(0)))
    assert run(asked.without(OF, of, Weigher(0))) == {"secret.aws"}


def test_bytes_are_looked_at_in_the_form_in_which_they_go() -> None:
    asked = redacting(f"the card {CARD} and {AWS}")
    weigher = Weigher(0)
    goes = run(asked.without(OF, redactions(), weigher))
    assert isinstance(goes, Plain)
    speech = {"cloud": Speech(frozenset(), False, None), "other": Speech(frozenset({"chat"}), False, None)}
    left_in = left_in_bytes(OF, goes, E.CHAT, speech, weigher.scanner)
    assert left_in("cloud", Way(b"", b"", [], goes.body.raw)) == frozenset()
    for raw in (
        json.dumps({"model": "m", "messages": [{"role": "user", "content": AWS}]}).encode(),
        json.dumps({"model": "m", "messages": [{"role": "user", "content": f"x{AWS}x"}]}).encode(),
        json.dumps({"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": AWS}]}], "max_tokens": 5}).encode(),
        b"no json", b"[]", b'{"messages": 1}',
    ):  # fmt: skip
        assert left_in("cloud", Way(b"", b"", [], raw))
        assert left_in("other", Way(b"", b"", [], raw))


def test_what_one_weigher_found_is_not_what_another_one_finds() -> None:
    """A weigher that is gone may have left its address to the next one."""
    asked = redacting(f"{AWS} and internal-4711")
    for _ in range(20):
        plain, own = Weigher(0), Weigher(0, engine=engine_with((Rule("ours", "internal-[0-9]+"),)))
        names = redactions(("custom.ours", "secret"))
        for weigher, counted in ((plain, {"secret.aws": 1}), (own, {"custom.ours": 1, "secret.aws": 1})):
            out = run(asked.without(Redaction(("custom.ours", "secret")), names, weigher))
            assert isinstance(out, Plain)
            assert out.taken is not None
            assert out.taken.counts == counted
        del plain, own, weigher
