"""Classification labels: the marks by which an author says how secret a document is.

Comes in: UTF-8 bytes. Goes out: hits such as `label.confidential`, with the bounds of the label. The one idea: the words are
everyday ones ("confidential", "restricted", "internal"), so a word alone says nothing; it must stand as a label does: alone on its
line, before a dash or a colon at the start of a line, in brackets, behind "Classification:", or in a marking that only authorities
write. Which of these a word may use depends on how everyday it is.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from policyd.detect.detector import MOST_CANDIDATES, Detector, Hit, compiled

__all__ = ["LABEL", "LABEL_NAMES", "find_labels"]

GRADES: Final[dict[str, tuple[str, ...]]] = {
    "label.internal": (
        "INTERNAL USE ONLY", "FOR INTERNAL USE ONLY", "INTERNAL ONLY", "COMPANY INTERNAL", "FOR OFFICIAL USE ONLY", "SOLO USO INTERNO", "SÓLO USO INTERNO",
        "USO INTERNO", "USO EXCLUSIVO INTERNO", "SOMENTE USO INTERNO", "APENAS PARA USO INTERNO", "NUR FÜR DEN INTERNEN GEBRAUCH", "NUR FÜR INTERNEN GEBRAUCH",
        "NUR INTERN", "NUR ZUM INTERNEN GEBRAUCH", "USAGE INTERNE", "USAGE INTERNE UNIQUEMENT", "RÉSERVÉ À UN USAGE INTERNE", "PER USO INTERNO", "SOLO PER USO INTERNO", "ALLEEN VOOR INTERN GEBRUIK",
        "UITSLUITEND VOOR INTERN GEBRUIK", "DO UŻYTKU WEWNĘTRZNEGO", "WYŁĄCZNIE DO UŻYTKU WEWNĘTRZNEGO",
        "PARA USO INTERNO", "SOLO PARA USO INTERNO", "DE USO INTERNO", "DOCUMENTO DE USO INTERNO", "DOCUMENTO INTERNO", "DOCUMENTO PARA USO INTERNO", "USO EXCLUSIVAMENTE INTERNO", "DE USO EXCLUSIVO INTERNO",
        "À USAGE INTERNE", "DOCUMENT À USAGE INTERNE", "DOCUMENT INTERNE", "AD USO INTERNO", "DOCUMENTO AD USO INTERNO", "USO ESCLUSIVAMENTE INTERNO",
    ),
    "label.confidential": (
        "CONFIDENTIAL", "STRICTLY CONFIDENTIAL", "HIGHLY CONFIDENTIAL", "COMPANY CONFIDENTIAL", "PRIVATE AND CONFIDENTIAL", "PRIVATE & CONFIDENTIAL", "STRICTLY PRIVATE",
        "STRICTLY PRIVATE AND CONFIDENTIAL", "PROPRIETARY AND CONFIDENTIAL", "CONFIDENTIAL AND PROPRIETARY", "CONFIDENTIAL - INTERNAL USE ONLY", "ATTORNEY-CLIENT PRIVILEGED", "PRIVILEGED AND CONFIDENTIAL", "PRIVILEGED & CONFIDENTIAL",
        "COMMERCIAL IN CONFIDENCE", "COMMERCIAL-IN-CONFIDENCE", "CONFIDENCIAL", "ESTRICTAMENTE CONFIDENCIAL", "ESTRITAMENTE CONFIDENCIAL", "ALTAMENTE CONFIDENCIAL", "PRIVADO Y CONFIDENCIAL",
        "VERTRAULICH", "STRENG VERTRAULICH", "PERSÖNLICH UND VERTRAULICH", "VS-VERTRAULICH", "CONFIDENTIEL", "STRICTEMENT CONFIDENTIEL", "CONFIDENZIALE", "STRETTAMENTE CONFIDENZIALE", "RISERVATO E CONFIDENZIALE",
        "VERTROUWELIJK", "STRIKT VERTROUWELIJK", "POUFNE", "ŚCIŚLE POUFNE",
        "INFORMACIÓN CONFIDENCIAL", "DOCUMENTO CONFIDENCIAL", "CONFIDENCIAL Y RESERVADO", "INFORMAÇÃO CONFIDENCIAL", "INFORMAÇÕES CONFIDENCIAIS", "INFORMATION CONFIDENTIELLE", "INFORMATIONS CONFIDENTIELLES",
        "DOCUMENT CONFIDENTIEL", "INFORMAZIONI CONFIDENZIALI", "DOCUMENTO CONFIDENZIALE",
    ),
    "label.restricted": ("RESTRICTED DISTRIBUTION", "DISTRIBUCIÓN RESTRINGIDA", "DIFUSIÓN LIMITADA", "DISTRIBUIÇÃO RESTRITA", "DIFFUSION RESTREINTE", "ACCÈS RESTREINT", "ZASTRZEŻONE",
        "DIFUSIÓN RESTRINGIDA", "ACCESO RESTRINGIDO", "ACESSO RESTRITO", "INFORMACIÓN RESERVADA", "DOCUMENTO RESERVADO", "CARÁCTER RESERVADO", "DE CARÁCTER RESERVADO", "ESTRICTAMENTE RESERVADO", "RESERVADO Y CONFIDENCIAL", "INFORMAÇÃO RESERVADA", "INFORMAZIONI RISERVATE", "DOCUMENTO RISERVATO", "STRETTAMENTE RISERVATO"),
    "label.secret": ("TOP SECRET", "STRENG GEHEIM", "TRÈS SECRET DÉFENSE", "TRÈS SECRET", "SECRET DÉFENSE", "ALTO SECRETO", "ULTRASECRETO", "ULTRASSECRETO", "MÁXIMO SECRETO", "SEGRETISSIMO", "ZEER GEHEIM", "ŚCIŚLE TAJNE", "TAJNE"),
}  # fmt: skip
"""Words that are a label where they stand alone on a line, before a dash or colon at its start, or in square brackets."""

EVERYDAY: Final[dict[str, tuple[str, ...]]] = {
    "label.internal": ("INTERNAL", "INTERN", "INTERNO", "INTERNE", "WEWNĘTRZNE"),
    "label.restricted": ("RESTRICTED", "RESTRINGIDO", "RESTRITO", "RESERVADO", "RESTREINT", "RISERVATO", "RISTRETTO", "BEPERKT", "EINGESCHRÄNKT"),
    "label.secret": ("SECRET", "SECRETO", "SEGRETO", "GEHEIM"),
}  # fmt: skip
"""Words that are a label only behind "Classification:"."""

LONELY: Final[dict[str, tuple[str, ...]]] = {"label.restricted": ("RESERVADO", "RISERVATO")}
"""Those of them that public offices write on a line of their own, with nothing else but signs."""

KEYS: Final = (
    "classification", "data classification", "information classification", "document classification", "security classification", "classification level", "sensitivity", "sensitivity label", "data sensitivity", "confidentiality",
    "confidentiality level", "sensitivity level", "clasificación", "clasificación de la información", "nivel de confidencialidad", "sensibilidad", "classificação", "classificação da informação", "nível de confidencialidade", "klassifizierung", "klassifikation",
    "einstufung", "vertraulichkeit", "vertraulichkeitsstufe", "schutzklasse", "niveau de confidentialité", "confidentialité", "classificazione", "livello di riservatezza", "classificatie", "rubricering", "vertrouwelijkheid", "klauzula", "klasyfikacja",
    "nivel de clasificación", "clasificación de seguridad", "grado de clasificación", "grado de reserva", "nivel de reserva", "confidencialidad", "confidencialidade", "grau de sigilo", "nível de sigilo", "grau de confidencialidade",
    "classificação de segurança", "niveau de classification", "livello di classificazione", "livello di confidenzialità", "riservatezza",
)  # fmt: skip

MARKINGS: Final = (
    ("label.tlp.red", r"(?i:\bTLP ?: ?RED)\b"),
    ("label.tlp.amber-strict", r"(?i:\bTLP ?: ?AMBER\+STRICT)\b"),
    ("label.tlp.amber", r"(?i:\bTLP ?: ?AMBER)\b"),
    ("label.tlp.green", r"(?i:\bTLP ?: ?GREEN)\b"),
    ("label.tlp.clear", r"(?i:\bTLP ?: ?(?:CLEAR|WHITE))\b"),
    ("label.restricted", r"\b(?:NATO RESTRICTED|(?:EU|UE|RESTREINT UE/EU) RESTRICTED|RESTREINT UE|NATO DIFFUSION RESTREINTE|OTAN DIFFUSION RESTREINTE)\b"),
    ("label.restricted", r"(?i:\bVS ?- ?NfD\b|\bVS ?- ?Nur f(?:\xc3\xbc|\xc3\x9c|ue)r den Dienstgebrauch\b)"),
    ("label.restricted", r"\bOFFICIAL ?[-:] ?SENSITIVE\b|\bDep\. ?V(?:ertrouwelijk)?\.|\bDEPARTEMENTAAL VERTROUWELIJK\b"),
    ("label.restricted", r"\bCUI//[A-Z]|\bFOUO\b|\bU//FOUO\b"),
    ("label.confidential", r"\b(?:NATO CONFIDENTIAL|CONFIDENTIEL UE|CONFIDENTIEL D\xc3\x89FENSE|EU CONFIDENTIAL|CONFIDENTIAL//[A-Z]{2,})\b"),
    ("label.secret", r"\b(?:NATO SECRET|COSMIC TOP SECRET|SECRET UE|EU SECRET|TR\xc3\x88S SECRET UE|STG\. GEHEIM|(?:TOP )?SECRET//[A-Z]{2,})\b"),
)  # fmt: skip
"""Marks that nobody writes for anything else: FIRST's Traffic Light Protocol 2.0 and the markings of authorities."""


@dataclass(frozen=True, slots=True)
class _Form:
    """An expression whose only group is the label."""

    name: str
    expression: Any


def _spelled(words: tuple[str, ...], *, title: bool) -> bytes:
    """The words as given, and with `title` also as a heading has them: `Strictly Confidential`, `Strictly confidential`."""
    forms: set[str] = set()
    for word in words:
        forms.add(word)
        if title:
            forms |= {word.title(), word.capitalize()}
    for small in ("And", "Y", "De", "Para", "À", "Ad", "E", "Und"):
        forms |= {form.replace(f" {small} ", f" {small.lower()} ") for form in forms}
    forms |= {form.replace(" AND ", " and ") for form in forms}
    return b"|".join(_escaped(form) for form in sorted(forms, key=lambda f: (-len(f), f)))


def _escaped(word: str) -> bytes:
    return b"".join(map(_letter, word))


def _letter(letter: str) -> bytes:
    """A letter in its case, with its accent, without it, or with it as a mark of its own."""
    if letter == " ":
        return b"[ \xa0]"
    if letter.isascii():
        return re.escape(letter).encode()
    plain = unicodedata.normalize("NFKD", letter)[0]
    bare = b"|" + plain.encode() + rb"(?:\xcc[\x80-\xbf])?" if plain.isascii() else b""
    return b"(?:" + letter.encode() + bare + b")"


DASH: Final = rb"(?:-{1,3}|\xe2\x80[\x93\x94])"
EDGE: Final = rb"""[ \t>*#_|=~\[\](){}"'`<.!\-]*"""
SIGNS: Final = rb"[ \t>*#_=~\[\]().!\-]*"
COMPANY: Final = rb"(?:[A-Z][A-Za-z0-9&.\-]{1,24} ){0,3}?"
"""Whose label it is: `ACME Corp Confidential`."""


def _forms() -> Iterator[_Form]:
    for name, words in GRADES.items():
        any_case, caps = _spelled(words, title=True), _spelled(words, title=False)
        alone = rb"(?m)^" + EDGE + COMPANY + b"(" + any_case + b")" + EDGE + rb"\r?$"
        started = (
            rb"(?m)^"
            + EDGE
            + b"("
            + any_case
            + b")"
            + rb"[*_\])]{0,3} ?(?: "
            + DASH
            + rb" |:[*_]{0,2}[ \t]|"
            + rb"\xe2\x80[\x93\x94]|\|)"
            + rb"[ \t*_]{0,4}[^\s]"
        )
        ended = rb"(?m)(?: " + DASH + rb" |\| ?|\[|\()(" + caps + rb")[\])]?[ \t*_.]{0,4}\r?$"
        boxed = rb"\[(" + any_case + rb")\]"
        page = (
            rb"(?m)^"
            + EDGE
            + b"("
            + any_case
            + rb")[ \t]{1,40}(?i:page|seite|p.gina|pagina|strona|\xc2\xa9|\(c\))\b"
        )
        for expression in (alone, started, ended, boxed, page):
            yield _Form(name, compiled(expression))
    for name, words in LONELY.items():
        forms = _spelled(words, title=True)
        yield _Form(name, compiled(rb"(?m)^" + SIGNS + b"(" + forms + b")" + SIGNS + rb"\r?$"))
    keys = _keys()
    for name in ("label.internal", "label.confidential", "label.restricted", "label.secret"):
        marks = b"|".join(_any_case(w.lower()) for w in (*GRADES[name], *EVERYDAY.get(name, ())))
        said = (
            rb"(?i)(?:\b|_)(?:"
            + keys
            + rb""")["'*_]{0,3} ?[:=] ?["'*_\[(]{0,3}("""
            + marks
            + rb")(?:$|\.(?:\s|$)|[^0-9A-Za-z_(.\x80-\xff-])"
        )
        yield _Form(name, compiled(said))
    for name, marking in MARKINGS:
        yield _Form(name, compiled(f"({marking})"))


def _any_case(word: str) -> bytes:
    """The word in either case; `(?i)` around it does what is ASCII."""
    return b"".join(
        _letter(letter)
        if letter.isascii()
        else b"(?:" + _letter(letter) + b"|" + letter.upper().encode() + b")"
        for letter in word
    )


def _keys() -> bytes:
    """Also as keys are written: `nivel_de_confidencialidad`, `dataClassification`."""
    keys = sorted(KEYS, key=lambda key: (-len(key), key))
    return b"|".join(_any_case(key).replace(b"[ \xa0]", b"[ \xa0_-]?") for key in keys)


def _gate() -> bytes:
    """What every label has in it, in one expression: most texts have nothing of it."""
    words = b"|".join(_spelled(words, title=True) for words in (*GRADES.values(), *LONELY.values()))
    keys = _keys()
    markings = "|".join(marking for _, marking in MARKINGS).encode("ascii")
    return words + rb"|(?i:" + keys + rb""")["'*_]{0,3} ?[:=]|""" + markings


LABEL_NAMES: Final = frozenset({*GRADES, *EVERYDAY, *(name for name, _ in MARKINGS)})

AROUND: Final = 240
"""Bytes of a line on each side of a word that are looked at."""

CODE_COMMENT: Final = re.compile(rb"[ \t]*(?:# |\* |//|\"\"\"|'''|--|;|`|\S*\()")
"""How a line of a program begins in which "Internal use only." says who should call a function."""


@lru_cache(maxsize=1)
def _compiled() -> tuple[Any, tuple[_Form, ...]]:
    return compiled(_gate()), tuple(_forms())


def find_labels(data: bytes) -> Iterator[Hit]:
    """Few words: the lines they stand in are looked at. Many: the whole text."""
    gate, forms = _compiled()
    places = [match.start() for match in islice(gate.finditer(data), MOST_CANDIDATES + 1)]
    if len(places) > MOST_CANDIDATES:
        yield from _labels(forms, data, 0)
        return
    seen = -1
    for place in places:
        if place < seen:
            continue
        low = data.rfind(b"\n", max(0, place - AROUND), place) + 1 or max(0, place - AROUND)
        behind = data.find(b"\n", place, place + AROUND)
        seen = behind if behind >= 0 else min(len(data), place + AROUND)
        yield from _labels(forms, data[low:seen], low)


def _labels(forms: tuple[_Form, ...], line: bytes, offset: int) -> Iterator[Hit]:
    for form in forms:
        for count, match in enumerate(islice(form.expression.finditer(line), MOST_CANDIDATES + 1)):
            if count == MOST_CANDIDATES:
                yield Hit(form.name, offset, offset + len(line))
                break
            start, end = match.span(1)
            if not _goes_on(form.name, line, end) and not _of_a_program(form.name, line, start, end):
                yield Hit(form.name, offset + start, offset + end)


def _goes_on(name: str, data: bytes, end: int) -> bool:
    """`TLP:AMBER+STRICT` is no `TLP:AMBER`, and `[Confidential](#there)` is a link."""
    if name == "label.tlp.amber" and data[end : end + 7].upper() == b"+STRICT":
        return True
    return data[end : end + 2] in (b"](", b"][", b"]:")


def _of_a_program(name: str, data: bytes, start: int, end: int) -> bool:
    """`# For internal use only` in small letters, or the sentence "For internal use only."."""
    if name != "label.internal" or data[start + 1 : end].upper() == data[start + 1 : end]:
        return False
    if data[end : end + 1] == b".":
        return True
    begin = data.rfind(b"\n", 0, start) + 1
    return CODE_COMMENT.match(data[begin:start]) is not None


KEYWORDS: Final = (
    "intern", "reserv", "sigilo", "wewn", "official use", "official", "confiden", "strictly private", "private", "privado", "privileged", "proprietary", "vertrau", "vertrou", "riservat", "poufne", "restri", "restre",
    "limitada", "zastrze", "secret", "geheim", "segret", "tajne", "classif", "klassifi", "clasif", "klasyf", "sensitivity", "sensibil", "einstufung", "schutzklasse", "rubricering", "klauzula", "tlp", "nfd", "dienstgebrauch",
    "dep. v", "dep.v", "departementaal", "cui//", "fouo",
)  # fmt: skip
"""Each label and each key has one of these in it; a test keeps that."""

LABEL: Final = Detector(LABEL_NAMES, find_labels, KEYWORDS)
