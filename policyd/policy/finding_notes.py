"""What each finding is, in few words, and how much it weighs in a request that nobody wrote about people.

In comes the name of a finding; out come words for a list. The one idea: most names say what they are once their kind is
said, so a row here is a kind, and only a name that would not be understood has a row of its own. How they are found stands
in the documentation of detectors; nothing decides by these words.
"""

from typing import Final

__all__ = ["KINDS", "described", "weight_of"]

KINDS: Final[dict[str, str]] = {
    "bank-account": "number of a bank account",
    "card-number": "number of a payment card",
    "crypto-wallet": "address of a wallet",
    "custom": "what a rule or a classifier of the deployment finds",
    "email": "address of a mailbox",
    "health": "number of a patient, an insured person or a prescriber",
    "iban": "international bank account number",
    "ip-address": "address of a machine",
    "label": "classification label of a document",
    "mac-address": "address of a network card",
    "national-id": "number that a country gives a person",
    "person": "what tells a person apart",
    "phone": "telephone number",
    "private-key": "private key",
    "secret": "credential",
    "tax-id": "number that a country gives a taxpayer",
}
"""By the first part of a name."""

_NOTES: Final[dict[str, str]] = {
    "health.diagnosis": "code of a diagnosis (ICD-10)",
    "health.insurance": "number of an insured person",
    "health.medical-record": "number of a patient's record",
    "health.us-dea": "number of a prescriber, US",
    "health.us-npi": "number of a provider of health care, US",
    "ip-address.private": "address inside a network",
    "label.tlp.amber-strict": "Traffic Light Protocol: TLP:AMBER+STRICT",
    "national-id.us-ssn": "Social Security number, US",
    "person.birth-date": "date of birth",
    "person.driving-licence": "number of a driving licence",
    "person.mrz": "machine-readable lines of a passport, a visa or a card",
    "person.passport": "number of a passport",
    "secret.ansible-vault": "encrypted file of Ansible Vault",
    "secret.assigned": "value that looks drawn at random, behind a label that names a secret",
    "secret.authorization": "credential in a header or a command line",
    "secret.connection-string": "URL or settings of a database with a password",
    "secret.jwt": "JSON Web Token",
    "secret.kubernetes": "manifest of a Secret with its data",
    "secret.model-api": "credential: an API of models",
    "secret.netrc": "file with passwords: .netrc",
    "secret.password-hash": "hash of a password",
    "secret.pgpass": "file with passwords: .pgpass",
    "tax-id.eu-vat": "number for value added tax, countries of the European Union",
}

_EVERYDAY: Final = ("email", "ip-address")
_RARER: Final = ("mac-address", "phone")
_GRAVE: Final = (
    "bank-account",
    "card-number",
    "crypto-wallet",
    "health",
    "iban",
    "national-id",
    "person",
    "tax-id",
)


def described(name: str) -> str:
    """In few words; for a name of a company's own that a deployment finds it."""
    if name in _NOTES:
        return _NOTES[name]
    kind, _, rest = name.partition(".")
    said = KINDS[kind]
    if kind == "custom" or not rest:
        return said
    country, dash, _ = rest.partition("-")
    if kind in {"bank-account", "health", "national-id", "tax-id"}:
        return f"{said}, {country.upper()}" if len(country) == 2 and (dash or rest == country) else said
    if rest.startswith("tlp."):
        return f"Traffic Light Protocol: TLP:{rest.removeprefix('tlp.').upper()}"
    return f"{said}: {rest}"


def weight_of(name: str) -> str:
    """For personal data whether it is in nearly every log and package file (`everyday`), in some (`rarer`), or hardly ever
    in what nobody wrote about people (`grave`); nothing for the others."""
    kind = name.partition(".")[0]
    words = ((_EVERYDAY, "everyday"), (_RARER, "rarer"), (_GRAVE, "grave"))
    return next((word for kinds, word in words if kind in kinds), "")
