"""Every format that is found is taken out as well, and no placeholder is found by any detector."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from policyd.detect.patterns import MARKERS
from policyd.policy.findings import FINDINGS
from policyd.redact.placeholders import PLACEHOLDER, Placeholders
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


PIECE = 8
"""Letters and digits of a secret that say something of it."""


def pieces_of(text: str) -> Iterator[str]:
    """Every stretch of so many letters and digits of what is found in a text, but for words that stand beside it too."""
    around = text
    for span in SCANNER.spans(text):
        around = around.replace(text[span.start : span.end], " ")
    for span in SCANNER.spans(text):
        for run in re.findall(r"[A-Za-z0-9]{8,}", text[span.start : span.end]):
            pieces = (run[at : at + PIECE] for at in range(len(run) - PIECE + 1))
            yield from (piece for piece in pieces if piece not in around)


@pytest.mark.parametrize("rule", sorted({e["rule"] for e in CREDENTIALS if e["secret"]}))
def test_no_part_of_a_credential_stays(rule: str) -> None:
    for example in CREDENTIALS:
        if example["rule"] != rule or not example["secret"]:
            continue
        text = example["backwards"][::-1]
        found = SCANNER.scan([text])
        out = redact(E.CHAT, asked(f"see: {text}\n ok"), EVERYTHING)
        if out.left:
            assert out.left & MARKERS, f"{out.left} of {text}"
            continue
        assert bool(out.counts) == bool(found)
        sent = PLACEHOLDER.sub(" ", out.body.parsed["messages"][0]["content"])
        assert [piece for piece in pieces_of(text) if piece in sent] == []


@pytest.mark.parametrize("name", sorted(MARKERS))
def test_what_only_shows_that_a_secret_is_near_cannot_be_taken_out(name: str) -> None:
    vault = (
        "$ANSIBLE_VAULT;1.1;AES256\n" + "6638643965323633646262656665306333616433" * 2 + "\n" + "ab12" * 20
    )
    manifest = "kind: Secret\nmetadata:\n  name: db\ndata:\n  pw: Q29ycmVjdCBob3JzZSBiYXR0ZXJ5\n"
    text = {"secret.ansible-vault": vault, "secret.kubernetes": manifest}[name]
    assert name in redact(E.CHAT, asked(f"see:\n{text}\n"), EVERYTHING).left


@pytest.mark.parametrize("name", FINDINGS)
def test_no_detector_finds_a_placeholder(name: str) -> None:
    word = Placeholders(KEY).of("a value", name)
    texts = [
        word, word * 2, f"password = {word}", f'"token": "{word}"', f"https://user:{word}@host/x", f"Authorization: Bearer {word}",
        f"card {word} 12/27", f"ssn: {word}", f"key={word};AccountKey={word}", f"phone {word}", f"PrivateKey = {word}",
        json.dumps({"password": word, "api_key": word, "d": word, "kty": "RSA"}),
    ]  # fmt: skip
    assert [text for text in texts if SCANNER.scan([text])] == []
