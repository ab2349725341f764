"""A text for each finding that a policy may ask for, so that a request can be written that has it.

In comes a set of names as a witness holds them; out goes text whose detectors find these names and none that the policy
could tell from them. What looks like a secret is put together here, so that no secret stands in the repository.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final

from policyd.detect.scanner import Scanner
from policyd.policy.request import expand_names
from tests.detect.test_detect import CARDS, IBANS, SECRETS

__all__ = ["text_with"]

_NUMBERS: Final = (
    ("card-number", f"the card is {CARDS[0]}, thanks"),
    ("iban", f"the account is {IBANS[0]}, thanks"),
    ("national-id.us-ssn", "the number is 536-90-4399, thanks"),
    ("national-id.br-cpf", "the number is 390.533.447-05, thanks"),
)


@cache
def _samples() -> tuple[tuple[frozenset[str], str], ...]:
    """Each text with all that is found in it, those with the fewest names first."""
    texts = (text for _, text in (*_NUMBERS, *SECRETS))
    found = ((expand_names(Scanner().scan([text])), text) for text in texts)
    return tuple(sorted(found, key=lambda sample: len(sample[0])))


def text_with(wanted: frozenset[str], told_apart: Iterable[str]) -> str | None:
    """A text in which exactly those names of `told_apart` are found that are in `wanted`; None where none has them."""
    names = frozenset(told_apart)
    missing = set(wanted & names)
    chosen: list[str] = []
    for found, text in _fitting(wanted, names):
        if found & missing:
            chosen.append(text)
            missing -= found
    return None if missing else "\n\n".join(chosen)


def _fitting(wanted: frozenset[str], names: frozenset[str]) -> Iterator[tuple[frozenset[str], str]]:
    """The samples that hold no name too many, those first that hold most of what is wanted."""
    fitting = (sample for sample in _samples() if sample[0] & names <= wanted)
    return iter(sorted(fitting, key=lambda sample: -len(sample[0] & wanted & names)))
