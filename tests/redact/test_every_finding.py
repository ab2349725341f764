"""Every format that is found is taken out as well, and no placeholder is found by any detector."""

import json
from typing import Any

import pytest

from policyd.policy.findings import FINDINGS
from policyd.redact.placeholders import Placeholders
from policyd.traffic.endpoints import EndpointName as E
from tests.detect.test_credentials import EXAMPLES as CREDENTIALS
from tests.detect.test_personal import EXAMPLES as NUMBERS
from tests.redact.samples import KEY, SCANNER, redact

EVERYTHING = tuple(sorted({name.partition(".")[0] for name in FINDINGS}))


def asked(text: str) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}]}


def called(arguments: Any) -> dict[str, Any]:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": json.dumps(arguments)}}
    return {"model": "m", "messages": [{"role": "assistant", "content": None, "tool_calls": [call]}]}


@pytest.mark.parametrize(("name", "word", "number"), NUMBERS, ids=[f"{n} {w}" for n, w, _ in NUMBERS])
def test_a_number_is_taken_out_beside_its_word(name: str, word: str, number: str) -> None:  # noqa: ARG001
    for request in (
        asked(f"{word} {number}"),
        asked(f"the {word}: {number}, thanks"),
        called({word: number}),
    ):
        out = redact(E.CHAT, request, EVERYTHING)
        assert (out.left, number in out.body.raw.decode()) == (frozenset(), False)


@pytest.mark.parametrize("rule", sorted({e["rule"] for e in CREDENTIALS if e["secret"]}))
def test_a_credential_is_taken_out(rule: str) -> None:
    for example in CREDENTIALS:
        if example["rule"] != rule or not example["secret"]:
            continue
        text = example["backwards"][::-1]
        out = redact(E.CHAT, asked(f"see: {text}\n ok"), EVERYTHING)
        assert out.left == frozenset()
        assert bool(out.counts) == bool(SCANNER.scan([text]))


@pytest.mark.parametrize("name", FINDINGS)
def test_no_detector_finds_a_placeholder(name: str) -> None:
    word = Placeholders(KEY).of("a value", name)
    texts = [
        word, word * 2, f"password = {word}", f'"token": "{word}"', f"https://user:{word}@host/x", f"Authorization: Bearer {word}",
        f"card {word} 12/27", f"ssn: {word}", f"key={word};AccountKey={word}", f"phone {word}", f"PrivateKey = {word}",
        json.dumps({"password": word, "api_key": word, "d": word, "kty": "RSA"}),
    ]  # fmt: skip
    assert [text for text in texts if SCANNER.scan([text])] == []
