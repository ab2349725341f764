"""Identifiers of patients and of those who treat them: numbers of health insurance, medical records, prescribers; and diagnoses.

A row each, for the machine of `policyd.detect.identifiers`. All need a word: nothing of this has a form of its own.
"""

from typing import Final

from policyd.detect import sums
from policyd.detect.identifiers import Kind

__all__ = ["DIAGNOSES", "DIAGNOSIS_KEYWORDS", "WORDED"]

RECORD: Final = ("medical record", "medical record no", "medical record number", "mrn", "patient id", "patient no", "patient number", "hospital number", "historia clínica", "número de historia clínica", "nº historia clínica", "prontuário", "número do prontuário", "patientennummer", "patienten id", "patienten nr", "numéro de dossier médical", "dossier médical", "numéro patient", "cartella clinica", "patiëntnummer", "numer pacjenta")  # fmt: skip
INSURANCE: Final = ("health insurance", "health insurance id", "health insurance no", "health insurance number", "health plan id", "health plan number", "medical insurance", "medicaid", "medicaid id", "medicaid no", "medicaid number", "subscriber id", "seguro médico", "seguro de salud", "obra social", "número de afiliado", "nro de afiliado", "plano de saúde", "tessera sanitaria", "carte vitale", "zorgverzekering", "polisnummer zorg")  # fmt: skip

WORDED: Final = (
    Kind("health.gb-nhs", r"[0-9]{3}[ \-]?[0-9]{3}[ \-]?[0-9]{4}", "gb.nhs", ("nhs", "nhs no", "nhs number")),
    Kind("health.us-mbi", r"[1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y][0-9]-?[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y][0-9]-?[AC-HJKMNP-RT-Y]{2}[0-9]{2}", None, ("medicare", "mbi", "beneficiary")),
    Kind("health.us-npi", r"[12][0-9]{9}", sums.registration_npi, ("npi", "provider identifier")),
    Kind("health.us-dea", r"[A-HJ-NP-UX][A-Z9][0-9]{7}", sums.registration_dea, ("dea", "drug enforcement")),
    Kind("health.de-kvnr", r"[A-Z][0-9]{9}", sums.health_card_de, ("krankenversicherung", "krankenversichertennummer", "krankenkasse", "versichertennummer", "kvnr", "gesundheitskarte")),
    Kind("health.ca-bc-phn", r"9[0-9]{3} ?[0-9]{3} ?[0-9]{3}", "ca.bc_phn", ("phn", "personal health number", "carecard", "care card")),
    Kind("health.ca-on-ohip", r"[1-9][0-9]{3}[ \-]?[0-9]{3}[ \-]?[0-9]{3}", sums.health_card_ontario, ("ohip", "health card")),
    Kind("health.au-medicare", r"[2-6][0-9]{3} ?[0-9]{5} ?[0-9](?:[ /\-]?[1-9])?", sums.health_card_au, ("medicare",)),
    Kind("health.nz-nhi", r"[A-HJ-NP-Z]{3}[0-9]{4}", sums.health_card_nz, ("nhi", "national health index")),
    Kind("health.br-cns", r"[1-2789][0-9]{2} ?[0-9]{4} ?[0-9]{4} ?[0-9]{4}", sums.health_card_br, ("cns", "cartão sus", "cartão nacional de saúde", "cartão do sus")),
    Kind("health.medical-record", r"(?:[A-Z]{1,4}[\-/]?)?[0-9]{5,12}", None, RECORD, close=True),
    Kind("health.insurance", r"(?:[A-Z]{1,4}[\-]?)?[0-9]{6,14}[A-Z]?", None, INSURANCE, close=True),
)  # fmt: skip

DIAGNOSES: Final = (
    Kind("health.diagnosis", r"[A-TV-Z][0-9][0-9AB]\.[0-9A-Z]{1,4}", None, ("diagnosis", "diagnoses", "diagnosed", "diagnóstico", "diagnosticado", "diagnosticada", "diagnose", "diagnosen", "diagnostic", "diagnosi", "rozpoznanie", "icd", "icd 10", "icd 10 cm", "icd10", "cie 10", "cid 10", "cim 10")),
    Kind("health.diagnosis", r"[A-TV-Z][0-9][0-9AB]", None, ("icd 10", "icd 10 cm", "icd10", "cie 10", "cid 10", "cim 10", "icd 10 gm"), close=True),
)  # fmt: skip
"""Codes of ICD-10. With a point near a word about diagnoses; without one only directly behind the name of the list."""

DIAGNOSIS_KEYWORDS: Final = (
    "diagn",
    "icd",
    "cie 10",
    "cie-10",
    "cie10",
    "cid 10",
    "cid-10",
    "cid10",
    "cim 10",
    "cim-10",
    "cim10",
    "rozpozn",
)
"""One of these is in every word of theirs."""
