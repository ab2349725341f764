"""Classification labels: found where they stand as a label, in several languages, and never in prose or code."""

import pytest

from policyd.detect.engine import Engine
from policyd.detect.labels import EVERYDAY, GRADES, KEYS, KEYWORDS, LABEL, LABEL_NAMES, LONELY
from policyd.detect.scanner import Scanner

ENGINE = Engine([LABEL])


def labels(text: str) -> set[tuple[str, str]]:
    data = text.encode()
    return {(hit.name, data[hit.start : hit.end].decode()) for hit in ENGINE.hits(data)}


@pytest.mark.parametrize(
    ("name", "label", "text"),
    [
        ("confidential", "Confidential", "Confidential – do not distribute"),
        ("confidential", "Confidential", "Confidential - do not distribute"),
        ("confidential", "CONFIDENTIAL", "CONFIDENTIAL: numbers of the third quarter"),
        ("confidential", "STRICTLY CONFIDENTIAL", "# Report\n\n**STRICTLY CONFIDENTIAL**\n\nText."),
        (
            "confidential",
            "Strictly private and confidential",
            "Dear all,\nStrictly private and confidential\n",
        ),
        ("confidential", "Confidential", "the end of a page\n  ACME Corp Confidential\n"),
        ("confidential", "CONFIDENTIAL", "Slide 3 | CONFIDENTIAL"),
        ("confidential", "Confidential", "[Confidential] minutes of the board"),
        ("confidential", "Confidential", "Confidential    Page 3 of 9"),
        ("confidential", "CONFIDENTIAL", "> CONFIDENTIAL\r\n> text"),
        ("confidential", "Confidencial", "Confidencial - Grupo Pérez"),
        ("confidential", "CONFIDENCIAL", "Clasificación: CONFIDENCIAL"),
        ("confidential", "Estritamente confidencial", "Estritamente confidencial\n"),
        ("confidential", "Streng vertraulich", "Streng vertraulich\n"),
        ("confidential", "vertraulich", "Einstufung: vertraulich"),
        ("confidential", "confidentiel", "Niveau de confidentialité : confidentiel"),
        ("confidential", "Strettamente confidenziale", "Strettamente confidenziale - bozza"),
        ("confidential", "STRIKT VERTROUWELIJK", "STRIKT VERTROUWELIJK"),
        ("confidential", "poufne", "Klauzula: poufne"),
        ("confidential", "NATO CONFIDENTIAL", "NATO CONFIDENTIAL"),
        ("internal", "Internal use only", "Internal use only"),
        ("internal", "FOR INTERNAL USE ONLY", "# FOR INTERNAL USE ONLY"),
        ("internal", "internal", '{"classification": "internal"}'),
        ("internal", "SÓLO USO INTERNO", "SÓLO USO INTERNO"),
        ("internal", "Uso interno", "Uso interno\n"),
        ("internal", "Nur für den internen Gebrauch".title(), "Nur für den internen Gebrauch".title()),
        ("internal", "USAGE INTERNE", "[USAGE INTERNE]"),
        ("internal", "DO UŻYTKU WEWNĘTRZNEGO", "DO UŻYTKU WEWNĘTRZNEGO"),
        ("restricted", "Restricted", "Classification: Restricted"),
        ("restricted", "restricted", '"sensitivity": "restricted"'),
        ("restricted", "RESTRINGIDO", "NIVEL DE CONFIDENCIALIDAD: RESTRINGIDO"),
        ("restricted", "NATO RESTRICTED", "This page is NATO RESTRICTED."),
        ("restricted", "VS-NfD", "VS-NfD"),
        ("restricted", "VS-NUR FÜR DEN DIENSTGEBRAUCH", "VS-NUR FÜR DEN DIENSTGEBRAUCH"),
        ("restricted", "Diffusion Restreinte", "Diffusion Restreinte"),
        ("restricted", "OFFICIAL-SENSITIVE", "OFFICIAL-SENSITIVE"),
        ("restricted", "OFFICIAL: SENSITIVE", "Marked OFFICIAL: SENSITIVE by the agency"),
        ("confidential", "Confidencial", "Clasificacion: Confidencial"),
        ("confidential", "CONFIDENCIAL", "CLASIFICACION: CONFIDENCIAL"),
        ("confidential", "confidencial", '{"clasificacion":"confidencial"}'),
        ("confidential", "confidencial", "CLASIFICACIO\u0301N: confidencial"),
        ("confidential", "Información confidencial", "texto\nInformación confidencial\nmás texto"),
        ("confidential", "Informacao Confidencial", "Informacao Confidencial"),
        ("confidential", "Informations confidentielles", "Informations confidentielles"),
        ("confidential", "CONFIDENCIAL", "*" * 40 + " CONFIDENCIAL " + "*" * 40),
        ("internal", "Documento de uso interno", "Documento de uso interno"),
        ("internal", "A usage interne", "A usage interne\n"),
        ("internal", "Ad uso interno", "Ad uso interno"),
        ("restricted", "RESERVADO", "RESERVADO"),
        ("restricted", "Reservado", "Ministerio\n  Reservado\n\nTexto"),
        ("restricted", "Reservado", "Clasificación: Reservado."),
        ("restricted", "reservado", '"nivel_confidencialidad": "x", "grado_de_reserva": "reservado"'),
        ("restricted", "restrito", "classificacao da informacao: restrito"),
        ("restricted", "Difusion limitada", "Difusion limitada"),
        ("restricted", "riservato", "Livello di riservatezza: riservato"),
        ("restricted", "Acces restreint", "Acces restreint - ne pas diffuser"),
        ("secret", "Tres secret", "Tres secret"),
        ("secret", "TOP SECRET//SCI", "(TOP SECRET//SCI)"),
        ("secret", "SECRET//NOFORN", "SECRET//NOFORN"),
        ("secret", "geheim", "Rubricering: geheim"),
        ("tlp.red", "TLP:RED", "Subject: incident [TLP:RED]"),
        ("tlp.amber", "TLP:AMBER", "TLP:AMBER"),
        ("tlp.amber-strict", "TLP:AMBER+STRICT", "TLP:AMBER+STRICT"),
        ("tlp.green", "tlp: green", "tlp: green"),
        ("tlp.clear", "TLP:CLEAR", "marked as TLP:CLEAR."),
    ],
)
def test_a_label_is_found_with_its_bounds(name: str, label: str, text: str) -> None:
    found = labels(text)
    assert (f"label.{name}", label) in found
    assert {each for each, _ in found} == {f"label.{name}"}


@pytest.mark.parametrize(
    "text",
    [
        "confidential information is stored here",
        "access is restricted to administrators",
        "Keep it confidential.",
        "This function is for internal use only.",
        "# internal use only",
        "# For internal use only.",
        " * For internal use only",
        '    """Internal use only."""',
        "confidential\nconfidentiality\nconfidentially\n",
        "Secret",
        "SECRET: ${SECRET}",
        "secret: hunter2",
        "RESTRICTED",
        "Internal:\n  name: x",
        "INTERNAL: the server said no",
        "## Confidential computing",
        "Confidential computing - an overview",
        "Confidential clients: see the RFC",
        "  - confidential: true",
        "confidential: bool = False",
        "classification: internal_node",
        "sensitivity=secret_key",
        "self.classification = Restricted()",
        "image classification: restricted_domain",
        "class Restricted:",
        "All rules.\n\nFor internal use only.\n",
        "TLP:REDDISH",
        "see [Confidential](#confidential)",
        "the strictly private method",
        "reservado",
        "Asiento Reservado",
        '"Reservado",',
        "`Reservado`",
        "| Reservado |",
        "Reservado para Ana",
        "El lugar está reservado.",
        "la información confidencial de la empresa",
        "clasificacion: reservado_en_mesa",
    ],
)
def test_bare_words_are_no_labels(text: str) -> None:
    assert labels(text) == set()


def test_every_label_has_a_word_that_makes_it_looked_for() -> None:
    for word in (*(w for words in (*GRADES.values(), *LONELY.values()) for w in words), *KEYS):
        assert any(keyword in word.lower() for keyword in KEYWORDS), word
    assert set(EVERYDAY) <= LABEL_NAMES


def test_a_label_among_too_many_is_still_found() -> None:
    many = "Confidential computing. " * 5_000
    assert labels(many) == set()
    assert ("label.confidential", "STRICTLY CONFIDENTIAL") in labels(
        many + "\nSTRICTLY CONFIDENTIAL\n" + many
    )


@pytest.mark.parametrize(
    "flood", ["Confidential ", "Confidential\n", "classification: ", "TLP:RED ", "INTERNAL USE ONLY - x\n"]
)
def test_a_flood_of_labels_is_answered(flood: str) -> None:
    assert Scanner().scan([flood * 50_000]) <= LABEL_NAMES
