"""What is found in the middle of a sentence is found wherever else a value stands: at the edges of texts and lines, in lists,
in the cells of tables, in JSON, one directly behind another."""

import json
import re
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.detect.columns import cells, headings
from policyd.detect.scanner import Scanner
from tests.detect.numbers_of_countries import EXAMPLES
from tests.detect.test_detect import SECRETS, letters

SCANNER: Final = Scanner()

PERSONAL: Final = (
    ("phone", "+595981123456"),
    ("phone", "+595 981 123 456"),
    ("phone", "415-555-2671"),
    ("phone", "(212) 555-1234"),
    ("phone", "tel. 0981 123 456"),
    ("ip-address.v4", "93.184.216.34"),
    ("ip-address.private", "192.168.1.10"),
    ("ip-address.v6", "2606:2800:220:1:248:1893:25c8:1946"),
    ("mac-address", "00:1A:2B:3C:4D:5E"),
    ("email", "ana.perez@correo.com.py"),
    ("card-number", "4111111111111111"),
    ("card-number", "4111 1111 1111 1111"),
    ("iban", "DE89370400440532013000"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("crypto-wallet.bitcoin", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
    ("person.mrz", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"),
    ("person.birth-date", "date of birth 03/04/1985"),
    ("person.passport", "passport X1234567"),
    ("health.diagnosis", "diagnosis E11.9"),
    ("health.us-npi", "NPI 1234567893"),
    ("national-id.py-ci", "C.I. 4.123.456"),
    ("national-id.py-ci", "CI: 4123456"),
    ("tax-id.py-ruc", "RUC 80012345-0"),
    ("tax-id.py-ruc", "RUC 800123450"),
    ("label.tlp.red", "TLP:RED"),
    ("label.restricted", "VS-NfD"),
    *((name, f"{word} {number}".strip()) for name, word, number in EXAMPLES),
)  # fmt: skip

PLACES: Final = {
    "at the start": "{} was seen",
    "at the end": "they saw {}",
    "alone": "{}",
    "on a line of its own": "before\n{}\nbehind",
    "behind a line end": "before\n{} was seen",
    "at the end of a line": "they saw {}\nand went",
    "between line ends of Windows": "before\r\n{}\r\nbehind",
    "behind a tab": "before\t{}\tbehind",
    "behind a comma": "before,{}, behind",
    "in double quotes": 'they saw "{}" there',
    "in single quotes": "they saw '{}' there",
    "in backticks": "they saw `{}` there",
    "in round brackets": "they saw ({}) there",
    "in square brackets": "they saw [{}] there",
    "in angle brackets": "<td>{}</td>",
    "before a full stop": "They saw {}. They went.",
    "in a cell of CSV": "id,value,note\nab,{},seen\n",
    "in a quoted cell of CSV": 'id,value,note\n"ab","{}","seen"\n',
    "in the last cell of CSV": "id,note,value\nab,seen,{}\n",
    "in a cell of Markdown": "| id | value |\n|---|---|\n| ab | {} |\n",
    "in a narrow cell of Markdown": "|id|value|\n|---|---|\n|ab|{}|\n",
    "between numbers in CSV": "id,value,n\n7,{},8\n",
    "between numbers in TSV": "id\tvalue\tn\n7\t{}\t8\n",
    "in a list of Markdown": "- one\n- {}\n* {}\n",
    "in a quoted line": "> {}\n",
}


def found(text: str) -> frozenset[str]:
    return SCANNER.scan([text])


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("name", "value"), PERSONAL, ids=[f"{i} {n}" for i, (n, _) in enumerate(PERSONAL)])
def test_a_value_of_somebody_is_found_in_every_place(name: str, value: str, place: str) -> None:
    assert name in found(PLACES[place].format(*([value] * PLACES[place].count("{}"))))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("name", "value"), SECRETS, ids=[f"{i} {n}" for i, (n, _) in enumerate(SECRETS)])
def test_a_secret_is_found_in_every_place(name: str, value: str, place: str) -> None:
    assert name in found(PLACES[place].replace("{}", value))


@pytest.mark.parametrize(("name", "value"), (*PERSONAL, *SECRETS))
def test_it_is_found_in_a_string_of_json(name: str, value: str) -> None:
    assert name in found(json.dumps(["seen", value, "there"], ensure_ascii=False))


@pytest.mark.parametrize("between", ["\n", "\r\n", " ", ",", ";", "\t", "|"])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("card-number", ("4111111111111111", "5500005555555559", "4012888888881881")),
        ("iban", ("DE89370400440532013000", "GB82WEST12345698765432", "BE68539007547034")),
        ("phone", ("+595981123456", "+14155552671", "+442079460958")),
        ("ip-address.v4", ("93.184.216.34", "93.184.216.35", "93.184.216.36")),
        ("email", ("ana@correo.com.py", "eva@correo.com.py", "leo@correo.com.py")),
        ("secret.github", tuple("ghp_" + letters(36, seed=n) for n in (1, 2, 3))),
        ("secret.twilio", tuple("SK" + letters(32, "0123456789abcdef", seed=n) for n in (1, 2, 3))),
    ],
)  # fmt: skip
def test_one_value_directly_behind_another_is_found_with_its_own_bounds(
    name: str, values: tuple[str, ...], between: str
) -> None:
    if name == "ip-address.v4" and between == " ":
        between = ", and "  # numbers with points beside each other are also a table of versions
    text = between.join(values)
    spans = [span for span in SCANNER.spans(text) if span.name == name]
    for value in values:
        place = text.index(value)
        assert any(
            span.start <= place and place + len(value) <= span.end <= place + len(value) + 1 for span in spans
        )


def test_an_apostrophe_is_one_however_it_is_set() -> None:
    text = "My driver’s license number is F162823540116"
    assert [text[span.start : span.end] for span in SCANNER.spans(text)] == ["F162823540116"]


def test_every_line_of_a_log_is_found() -> None:
    log = "".join(f"93.184.216.{n} - - [10/Oct/2026:13:55:36] GET /{n}\n" for n in range(1, 6))
    assert len([span for span in SCANNER.spans(log) if span.name == "ip-address.v4"]) == 5


def test_what_ends_a_line_is_no_part_of_the_next_lines_label() -> None:
    assert "secret.assigned" in found("public\napi_key=" + letters(32))
    assert "email" in found("see https://acme.example\nana@correo.com.py")


def below(text: str) -> list[str]:
    data = text.encode()
    words = [("ci", m.start(), m.end()) for m in re.finditer(rb"ci", data)]
    return [data[start:end].decode() for _, start, end in cells(data, headings(data, words))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name,ci\nAna,1\nEva,2\n", ["1", "2"]),
        ("name;ci\r\nAna;1\r\nEva;2", ["1", "2"]),
        ("ci\tname\n1\tAna\n\n2\tEva", ["1"]),
        ('"name","ci","x"\n"Pérez, ""A""","1","y"\n', ["1"]),
        ("| name | ci |\n|:---|---:|\n| Ana | `1` |\n", ["---:", "1"]),
        (" name | ci\n------+----\n Ana  | 1\n(1 row)\n", ["1"]),
        ("name,ci,x\nAna,1,y\na line end, in a cell\nin it\nEva,2,y\n", ["1", "2"]),
        ("name,ci,x\nAna,1,y\n-\n-\n-\nEva,2,y\n", ["1", "2"]),
        ("name,ci,x\nAna,1,y\no\no\no\nEva,2,y\n", ["1"]),
        ("name,ci\nno row\nEva,2\n", []),
        ('f("ci, x")\n1\n2\n', []),
        ('"ci",\n1,\n', []),
        ("the ci, and so on, is\n1,2\n", []),
        ("name,ci\nAna,1\nid,x\nEva,2\nci,ci\n3,4", ["1", "x", "2", "ci", "4", "3"]),
        ("ci 2026,x\n1,2\n", []),
        ("name,ci", []),
    ],
)  # fmt: skip
def test_the_cells_below_a_heading(text: str, expected: list[str]) -> None:
    assert below(text) == expected


@given(st.text(alphabet='ci,;|\t\n"-1 x', max_size=120))
def test_cells_lie_in_the_text_and_no_line_is_walked_twice(text: str) -> None:
    data = text.encode()
    words = [("ci", m.start(), m.end()) for m in re.finditer(rb"ci", data)]
    heads = headings(data, words)
    found = list(cells(data, heads))
    assert all(0 <= start <= end <= len(data) for _, start, end in found)
    assert len(found) <= text.count("\n") * max(1, sum(map(len, heads.values())))
    assert len(set(found)) == len(found) or any(start == end for _, start, end in found)


EXPORT: Final = "nombre,ruc,ci,telefono\n" + "".join(
    f"Ana {n},80012345-0,4.123.{400 + n},0981 123 {400 + n}\n" for n in range(30)
)


def test_an_export_is_found_row_by_row() -> None:
    names = [span.name for span in SCANNER.spans(EXPORT)]
    assert {name: names.count(name) for name in set(names)} == {
        "tax-id.py-ruc": 30,
        "national-id.py-ci": 30,
        "phone": 30,
    }


@pytest.mark.parametrize("head", ["cédula", "Cedula de Identidad", "nro_documento", "CI", "C.I.", "CIN"])
def test_every_word_for_it_heads_a_column(head: str) -> None:
    spans = SCANNER.spans(f"nombre;{head}\nAna;4123456\n" + "Eva;5123456\n" * 20)
    assert [span.name for span in spans].count("national-id.py-ci") == 21


@pytest.mark.parametrize(
    "text",
    [
        "ci,run\n12,34\nand 1234567 more",
        "name,home\nAna,12345678\n",
        "telefono,ruc\n12,80012345-1\n",
        "account number,name\n,12345678\n",
        '"home",\n-387428400000,\n142380000000,\n',
    ],
)
def test_numbers_below_other_headings_are_left_alone(text: str) -> None:
    assert found(text) == frozenset()


def test_a_flood_of_headings_is_answered() -> None:
    assert found("ruc,ci\n" * 100_000) == frozenset()
    assert "tax-id.py-ruc" in found("ruc,ci\n" * 30_000 + "80012345-0,1\n")


def test_a_row_of_pairs_that_goes_on_is_no_card() -> None:
    assert found("41 11 11 11 11 11 11 11") == {"card-number"}
    assert found("35 35 41 11 11 11 11 11 11 11 35 35") == frozenset()
