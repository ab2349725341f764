"""Claims that are asked of a policy: read by its rules, and no part of it."""

from pathlib import Path

import pytest

from policyd.policy.digest import digest
from policyd.resolve.load import Loaded, load, load_text
from policyd.resolve.reading import Held
from policyd.syntax.claims import parse_claim
from policyd.text.source import Source
from tests.resolve.completed import completed

MAIN = completed("assert served never rejected")


def asked(*claims: str, text: str = MAIN) -> Loaded:
    nodes = [c for claim in claims for c in parse_claim(Source("<claim>", claim)).assertions]
    return load(Path("main.policy"), files=Held({"main.policy": text}), claims=nodes)


def test_a_claim_is_the_assertion_that_the_file_would_hold() -> None:
    claim = "never location == cloud when images"
    loaded = asked(claim)
    written = load_text(f"{MAIN}\nassert claim {claim}\n").program
    assert written is not None and loaded.asked is not None
    (one,) = loaded.asked.assertions
    two = written.assertions[-1]
    assert (one.kind, one.targets, one.condition, one.text) == (
        two.kind,
        two.targets,
        two.condition,
        two.text,
    )


def test_the_policy_is_what_it_is_without_the_claim() -> None:
    loaded, alone = asked('never rejected when user == "x"'), load_text(MAIN, "main.policy")
    assert loaded.program is not None and alone.program is not None and loaded.asked is not None
    assert loaded.program == alone.program
    assert "user" in {f.name for f in loaded.asked.features}
    assert digest(loaded.program) == digest(alone.program)


def test_without_a_claim_nothing_is_asked() -> None:
    assert asked().asked is None


@pytest.mark.parametrize(
    ("claim", "code", "underlined"),
    [
        ("never locaton == cloud", "PD230", "locaton"),
        ("never location == clod", "PD222", "clod"),
        ("never rejected when imagse", "PD201", "imagse"),
        ("never rejected when tokens == yes", "PD220", "yes"),
        ("never target == nobody", "PD203", "nobody"),
    ],
)
def test_a_claim_that_means_nothing_here_points_into_itself(claim: str, code: str, underlined: str) -> None:
    loaded = asked(claim)
    assert loaded.asked is None and loaded.program is None
    assert [(d.code, d.span.source.name, d.span.text) for d in loaded.diagnostics if d.span] == [
        (code, "<claim>", underlined)
    ]


def test_a_claim_may_have_the_words_of_an_assertion_that_stands_there() -> None:
    loaded = asked("never rejected", "assert served never rejected when images")
    assert loaded.asked is not None
    assert [a.text for a in loaded.asked.assertions] == ["never rejected", "never rejected when images"]
