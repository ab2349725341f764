"""National identity numbers: digits whose meaning is arithmetic and the words around them.

Comes in: UTF-8 bytes. Goes out: hits such as `national-id.us-ssn`. A number with a form of its own (dashes at fixed
places, letters) counts by its check digits; a bare run of digits also needs a word nearby that says what it is.

Check digits are python-stdnum's. Countries covered: see `RULES`.
"""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Final

from policyd.detect.detector import Detector, Hit, candidates, compiled

__all__ = ["NATIONAL_ID", "NATIONAL_ID_IN_LETTERS"]

CONTEXT: Final = 80
SHORTEST: Final = 9

FEWEST_DIGITS: Final = 6
"""That a text must hold for any number that is not lettered; most texts hold fewer and are done with."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of number. `module` is python-stdnum's; `words`, where given, must occur near the number; `lettered`: it
    may stand for all its digits with letters."""

    finding: str
    expression: str
    module: str
    words: str | None = None
    lettered: bool = False


RULES: Final = (
    Rule("national-id.us-ssn", r"[0-9]{3}-[0-9]{2}-[0-9]{4}", "stdnum.us.ssn"),
    Rule("national-id.us-ssn", r"[0-9]{9}", "stdnum.us.ssn", r"\bssn\b|social security"),
    Rule("national-id.es-dni", r"[0-9]{8}-?[A-HJ-NP-TV-Z]", "stdnum.es.dni", r"\bdni\b|\bnif\b|identidad|documento"),
    Rule("national-id.es-nie", r"[XYZ]-?[0-9]{7}-?[A-HJ-NP-TV-Z]", "stdnum.es.nie"),
    Rule("national-id.it-cf", r"[A-Z]{6}[0-9LMNPQRSTUV]{2}[A-EHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]", "stdnum.it.codicefiscale", lettered=True),
    Rule("national-id.fr-nir", r"[12] ?[0-9]{2} ?[0-9]{2} ?[0-9AB]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}", "stdnum.fr.nir", r"\bnir\b|insee|s.curit. sociale|assur"),
    Rule("national-id.br-cpf", r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", "stdnum.br.cpf"),
    Rule("national-id.br-cpf", r"[0-9]{11}", "stdnum.br.cpf", r"\bcpf\b"),
    Rule("national-id.pl-pesel", r"[0-9]{11}", "stdnum.pl.pesel", r"\bpesel\b"),
    Rule("national-id.nl-bsn", r"[0-9]{9}", "stdnum.nl.bsn", r"\bbsn\b|burgerservice|sofi"),
    Rule("national-id.in-aadhaar", r"[2-9][0-9]{3} ?[0-9]{4} ?[0-9]{4}", "stdnum.in_.aadhaar", r"aadha+r|uidai"),
    Rule("national-id.se-pnr", r"(?:19|20)?[0-9]{6}[-+][0-9]{4}", "stdnum.se.personnummer", r"personnummer|\bpnr\b|\bssn\b"),
    Rule("national-id.gb-nino", r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]", "", r"national insurance|\bnino\b|\bni (?:no|number)"),
)  # fmt: skip


def _alone(rule: Rule) -> str:
    return rf"(?:^|[^0-9A-Za-z_.\-])({rule.expression})(?:$|[^0-9A-Za-z_])"


@lru_cache(maxsize=1)
def _compiled() -> tuple[Any, tuple[tuple[Rule, Any, Any], ...]]:
    """Any rule's words at once, which most texts have none of, and each rule's own expressions."""
    anything = compiled("(?i)" + "|".join(rule.words for rule in RULES if rule.words))
    return anything, tuple(
        (
            rule,
            compiled(_alone(rule)),
            compiled(f"(?i){rule.words}") if rule.words else None,
        )
        for rule in RULES
    )


@lru_cache(maxsize=32)
def _validator(module: str) -> Callable[[str], object]:
    valid: Callable[[str], object] = importlib.import_module(module).is_valid
    return valid


def _find(data: bytes, lettered: bool) -> Iterator[Hit]:
    if len(data) < SHORTEST:
        return
    anything, rules = _compiled()
    worded: bool | None = None
    for rule, expression, words in rules:
        if rule.lettered is not lettered:
            continue
        if words is not None:
            if worded is None:
                worded = anything.search(data) is not None
            if not worded or words.search(data) is None:
                continue
        yield from candidates(rule.finding, expression, data, partial(_counts, rule, words))


def _counts(rule: Rule, words: Any, data: bytes, start: int, end: int) -> bool:
    if words is not None and words.search(data[max(0, start - CONTEXT) : end + CONTEXT]) is None:
        return False
    return not rule.module or bool(_validator(rule.module)(data[start:end].decode("ascii")))


NATIONAL_ID: Final = Detector(
    frozenset(rule.finding for rule in RULES if not rule.lettered),
    partial(_find, lettered=False),
    digits=FEWEST_DIGITS,
)
NATIONAL_ID_IN_LETTERS: Final = Detector(
    frozenset(rule.finding for rule in RULES if rule.lettered),
    partial(_find, lettered=True),
    shape="|".join(_alone(rule) for rule in RULES if rule.lettered),
)
