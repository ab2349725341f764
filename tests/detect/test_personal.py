"""Personal data: what is found, with which bounds, and what looks like it and is left alone."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.detect.engine import Engine
from policyd.detect.national_ids import FORMED, WORDED
from policyd.detect.personal import PERSONAL
from tests.detect.numbers_of_countries import EXAMPLES

ENGINE = Engine(PERSONAL)
SAMPLE = Path(__file__).parent.parent / "data" / "presidio" / "sample.jsonl"


def hits(text: str) -> set[tuple[str, str]]:
    """Names and what stands between the bounds."""
    data = text.encode()
    return {(hit.name, data[hit.start : hit.end].decode()) for hit in ENGINE.hits(data)}


def names(text: str) -> set[str]:
    return {name for name, _ in hits(text)}


@pytest.mark.parametrize(("name", "word", "number"), EXAMPLES, ids=[f"{n} {w}" for n, w, _ in EXAMPLES])
def test_a_number_of_each_country_is_found_with_its_bounds(name: str, word: str, number: str) -> None:
    for text in (
        f"{word} {number}",
        f"the {word}: {number}, thanks",
        f"{word.upper()}\t{number}\n",
        f'{{"{word}": "{number}"}}',
    ):
        assert (name, number) in hits(text)


@pytest.mark.parametrize(
    ("name", "number"), [(n, v) for n, w, v in EXAMPLES if w and n not in {k.name for k in FORMED}]
)
def test_without_its_word_it_is_any_number(name: str, number: str) -> None:
    assert name not in names(f"the value {number} was seen")


def test_there_are_at_least_sixty_countries() -> None:
    kinds = {kind.name for kind in (*FORMED, *WORDED) if kind.name.startswith(("national-id.", "tax-id."))}
    assert len({kind.partition(".")[2].partition("-")[0] for kind in kinds}) >= 60


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("national-id.py-ci", "4.123.456", "C.I. N° 4.123.456"),
        ("national-id.py-ci", "4.123.456", "Cédula de identidad: 4.123.456"),
        ("national-id.py-ci", "1234567", "cedula 1234567"),
        ("national-id.py-ci", "3.456.789", "CI: 3.456.789, Asunción"),
        ("national-id.py-ci", "4123456", '[{"ruc":"x","ci":"4123456"}]'),
        ("national-id.py-ci", "4123456", '{"ci": 4123456}'),
        ("national-id.py-ci", "4123456", "CIN: 4123456"),
        ("national-id.py-ci", "4123456", "CI N° 4123456"),
        ("national-id.py-ci", "4.123.456", "CIN Nº 4.123.456"),
        ("national-id.py-ci", "4123456", "kuatiarekokuaa 4123456"),
        ("national-id.py-ci", "4123456", "Kuatia rekokuaa: 4123456"),
        ("tax-id.py-ruc", "800123450", "ruc: 800123450"),
        ("tax-id.py-ruc", "800123450", "R.U.C. Nº 800123450"),
        ("tax-id.py-ruc", "4.123.456-1", "RUC 4.123.456-1"),
        ("tax-id.py-ruc", "80.012.345-0", "RUC 80.012.345-0"),
        ("tax-id.py-ruc", "80012345-0", "El contribuyente 80012345-0"),
        ("phone", "0981 123 456", "pumbyry 0981 123 456"),
        ("national-id.bo-ci", "4567890 LP", "C.I. 4567890 LP"),
        ("national-id.co-cedula", "1.020.345.678", "cédula de ciudadanía 1.020.345.678"),
        ("national-id.uy-ci", "1.234.567-2", "documento de identidad 1.234.567-2"),
        ("national-id.ve-ci", "V-12.345.678", "C.I. V-12.345.678"),
        ("national-id.ar-dni", "34.567.890", "DNI 34.567.890"),
        ("national-id.br-cpf", "39053344705", '{"customerCpf": "39053344705"}'),
        ("national-id.us-ssn", "536904399", "user_ssn=536904399"),
        ("national-id.sg-nric", "S1234567D", "NRIC S1234567D"),
        ("national-id.tw-id", "A123456789", "身分證 A123456789"),
        ("national-id.gb-nino", "AB 12 34 56 C", "National Insurance AB 12 34 56 C"),
        ("national-id.it-cf", "RCCMNL83S18D969H", "RCCMNL83S18D969H"),
        ("health.gb-nhs", "943 476 5919", "NHS number 943 476 5919"),
        ("health.us-mbi", "1EG4-TE5-MK73", "Medicare 1EG4-TE5-MK73"),
        ("health.us-npi", "1234567893", "NPI: 1234567893"),
        ("health.us-dea", "AB1234563", "DEA AB1234563"),
        ("health.de-kvnr", "A123456780", "Versichertennummer A123456780"),
        ("health.nz-nhi", "ZAC5361", "NHI ZAC5361"),
        ("health.au-medicare", "2123 45670 1", "medicare 2123 45670 1"),
        ("health.medical-record", "00123456", "MRN: 00123456"),
        ("health.medical-record", "HC-445566", "Historia clínica HC-445566"),
        ("health.insurance", "GRP12345678", "health insurance ID GRP12345678"),
        ("health.diagnosis", "E11.9", "diagnosis: E11.9, type 2"),
        ("health.diagnosis", "F32", "ICD-10: F32"),
        ("health.diagnosis", "C50.9", "Diagnóstico: C50.9"),
        ("person.birth-date", "03/04/1985", "Date of birth: 03/04/1985"),
        ("person.birth-date", "1985-04-03", '{"dob": "1985-04-03"}'),
        ("person.birth-date", "3 de abril de 1985", "fecha de nacimiento: 3 de abril de 1985"),
        ("person.birth-date", "3. März 1980", "Geboren am 3. März 1980"),
        ("person.birth-date", "March 3, 1980", "born on March 3, 1980"),
        ("person.passport", "X1234567", "Passport No. X1234567"),
        ("person.passport", "AB123456", "pasaporte: AB123456"),
        ("person.driving-licence", "F162823540116", "My driver's license number is F162823540116"),
        ("person.mrz", "L898902C36UTO7408122F1204159ZE184226B<<<<<10", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"),
        ("bank-account.us-routing", "011401533", "routing number 011401533"),
        ("bank-account.number", "123456789", "account number 123456789"),
        ("bank-account.mx-clabe", "032180000118359719", "CLABE 032180000118359719"),
        ("crypto-wallet.bitcoin", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "to bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
        ("crypto-wallet.ethereum", "0x52908400098527886E0F7030069857D2E4169EE7", "ETH wallet 0x52908400098527886E0F7030069857D2E4169EE7"),
        ("email", "juan.perez@correo.com.py", "Escribir a juan.perez@correo.com.py."),
        ("email", "o'neil+x@sub.example.co.uk", "<o'neil+x@sub.example.co.uk>"),
        ("email", "josé@empresa.es", "'josé@empresa.es'"),
        ("email", "a@xn--bcher-kva.de", "a@xn--bcher-kva.de"),
        ("phone", "+595 981 123 456", "+595 981 123 456"),
        ("phone", "+14155552671", "sms +14155552671"),
        ("phone", "+44 20 7946 0958", "(+44 20 7946 0958)"),
        ("phone", "(212) 555-1234", "at (212) 555-1234 today"),
        ("phone", "345-899-3560x4587", "Fax: 345-899-3560x4587"),
        ("phone", "(021) 123-456", "teléfono: (021) 123-456"),
        ("phone", "0981 123 456", "Cel. 0981 123 456"),
        ("phone", "0171 1234567", "Mobil: 0171 1234567"),
        ("phone", "612 345 678", "Móvil 612 345 678"),
        ("phone", "11 91234-5678", "WhatsApp 11 91234-5678"),
        ("phone", "082 490 1693", "082 490 1693-Office"),
        ("ip-address.v4", "8.8.8.8", "ping 8.8.8.8"),
        ("ip-address.v4", "93.184.216.34", "http://93.184.216.34:8080/x"),
        ("ip-address.private", "192.168.1.10", "192.168.1.10"),
        ("ip-address.v6", "2606:2800:220:1:248:1893:25c8:1946", "2606:2800:220:1:248:1893:25c8:1946"),
        ("ip-address.private", "fd12:3456:789a::1", "fd12:3456:789a::1"),
        ("mac-address", "00:1A:2B:3C:4D:5E", "00:1A:2B:3C:4D:5E"),
        ("mac-address", "00-1a-2b-3c-4d-5e", "00-1a-2b-3c-4d-5e"),
        ("card-number", "4111 1111 1111 1111", "7777 4111 1111 1111 1111 7777"),
        ("card-number", "4111,1111,1111,1111", "card: 4111,1111,1111,1111,2027"),
        ("card-number", "5500 0055 5555 5559", "4111 1111 1111 1111 5500 0055 5555 5559"),
        ("card-number", "41111 11111 111111", "my card: 12 41111 11111 111111 12/29"),
        ("card-number", "503802053770", "cc 503802053770"),
        ("iban", "BE68 5390 0754 7034", "IBAN BE68 5390 0754 7034 BIC GKCCBEBB"),
        ("iban", "DE89 3704 0044 0532 0130 00", "Pay DE89 3704 0044 0532 0130 00 BIC COBADEFF"),
    ],
)  # fmt: skip
def test_it_is_found_with_its_bounds(name: str, value: str, text: str) -> None:
    assert (name, value) in hits(text)


@pytest.mark.parametrize(
    "text",
    [
        "CI run 1234567 failed",
        "CI run 1.234.567 ok",
        "CI 4123456 passed",
        "std::cin 1234567",
        "RUC 80.012.345-1",
        "RUC 0000000-0",
        "ruc of the run 800123450",
        "80012345-0",
        "the medical record number of 2 people: 123456789",
        "account number" + " and so on" * 10 + " 123456789",
        "ssn" + " and so on" * 20 + " 536904399",
        "midnight 12345678",
        "SSN 000-12-3456",
        "cpf 39053344706",
        "RUC 80028061-1",
        "the RFC 2822 and RFC 5321",
        "PAN ABCDE",
        "E11.9 is a version",
        "passport 1.2.3 and passport-local",
        "the passport of 2024",
        "born to run, version 3.4.5",
        "git@github.com:owner/repo.git",
        "https://user:pass@host.com/x",
        "ssh://deploy@build.example.com/",
        "icon@2x.png",
        "react@18.2.0",
        "pkg:maven/io.netty/netty-buffer@4.1.115.Final",
        "value = a@b.sum()",
        "@pytest.mark.parametrize",
        "user@localhost",
        "call 555-12-345",
        "released 2024-01-02, call 2024-01-02",
        "removes the work (CVE-2026-31586)",
        "+1234",
        "@@ -1204,15 +1204,27 @@",
        "total 1234567890",
        "4112 1111 1111 1111",
        "127.0.0.1 0.0.0.0 255.255.255.0 224.0.0.1 169.254.1.1",
        "192.0.2.1 198.51.100.7 203.0.113.4 2001:db8::1",
        "version 1.2.3.4",
        "see section 4.1.2.3",
        "Bump to 1.1.99.2",
        "zlib version is 1.2.0.4.",
        "file-1.2.3.4.tar.gz",
        "1.2.3.4.5",
        "fe80::1 ::1 ::",
        "std::vector a::b dead::beef 12:34:56",
        "aa:bb:cc:dd:ee:ff:00:11:22:33",
        "ff:ff:ff:ff:ff:ff 00:00:00:00:00:00 01:00:5e:00:00:01",
        "1, 242,2370,2371,2372,1498",
        "2374,2375,2376,2377, 740, 982",
        "BIC COBADEFFXXX",
        "tel 2024-01-02 10:20",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert hits(text) == set()


def test_what_others_labelled_is_found() -> None:
    """Every card, IBAN, address, social security number and licence of the sample, with exact bounds; of the phones nearly all."""
    kinds = {
        "CREDIT_CARD": "card-number",
        "IBAN_CODE": "iban",
        "EMAIL_ADDRESS": "email",
        "PHONE_NUMBER": "phone",
        "US_SSN": "national-id.us-ssn",
        "IP_ADDRESS": "ip-address",
        "US_DRIVER_LICENSE": "person.driving-licence",
    }
    missed, wrong = [], []
    for line in SAMPLE.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found = {(n.removesuffix(".v4").removesuffix(".v6"), v) for n, v in hits(row["text"])}
        labelled = {(kinds[kind], row["text"][start:end]) for kind, start, end in row["spans"]}
        missed += [value for value in labelled - found if value[0] != "phone"]
        wrong += found - labelled
    assert missed == []
    assert wrong == []


FLOODS = [
    ("email", "a..b@a.aa "),
    ("phone", "+99912345678 "),
    ("ip-address.v4", "1.2.3.4 "),
    ("mac-address", "00-00-00-00-00-00 "),
    ("national-id.us-ssn", "000-00-0000 "),
    ("national-id.us-ssn", "ssn 000000000 "),
    ("person.mrz", "L898902C30UTO7408122F1204159ZE184226B<<<<<10 "),
]


@pytest.mark.parametrize(("name", "flood"), FLOODS, ids=[flood for _, flood in FLOODS])
def test_more_than_is_looked_at_counts_as_found(name: str, flood: str) -> None:
    assert name not in names(flood)
    assert name in names(flood * 40_000)


@pytest.mark.parametrize(
    "flood",
    ["@", "a@a", "tel ", "ssn ", "1.", "::1 ", ":", "+1 ", "dob 99/99/9999 ", "<", "P<A", "1A", "icd ", "cédula ", "9 ", "aa:bb:cc:dd:ee:ff:", "account number 12 "],
)  # fmt: skip
def test_a_flood_of_signs_is_answered(flood: str) -> None:
    assert isinstance(names(flood * (400_000 // len(flood))), set)


def test_many_words_hide_no_number() -> None:
    words = "the ssn and the tel of the account number " * 8_000
    found = names(f"{words} ssn 536904399 {words} tel: 0171 1234567 {words}")
    assert {"national-id.us-ssn", "phone"} <= found


@given(st.text(alphabet="0123456789.-/ ()+@:abcABC\n", max_size=200))
def test_bounds_lie_in_the_text(text: str) -> None:
    data = text.encode()
    for hit in ENGINE.hits(data):
        assert 0 <= hit.start < hit.end <= len(data)
