"""The language that persons write in. The model is the real one."""

import pytest

from policyd.policy.languages import LANGUAGES, code_of
from policyd.traffic.language import (
    ENOUGH,
    MOST,
    NAMED,
    installed,
    known_codes,
    language_of,
    text_for_language,
)

TOLD = {
    "Todos los seres humanos nacen libres e iguales en dignidad y derechos": "es",
    "Mayma yvypóra ou ko yvy ári iñapytl'yre ha eteĩcha dignidad ha derecho jeguerekópe": "gn",
    "All human beings are born free and equal in dignity and rights": "en",
    "Alle Menschen sind frei und gleich an Würde und Rechten geboren": "de",
    "Tous les êtres humains naissent libres et égaux en dignité et en droits": "fr",
    "Todos os seres humanos nascem livres e iguais em dignidade e em direitos": "pt",
    "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心": "zh",
    "¿Puedes revisar la función add en app/main.py y decirme qué está mal?": "es",
}


@pytest.mark.parametrize(("text", "code"), TOLD.items())
def test_a_sentence_is_enough(text: str, code: str) -> None:
    assert language_of([[text]]) == code


@pytest.mark.parametrize("text", ["", "ok", "hola", "12345678901234567890 !!!", "app.py src/main.rs foo_bar x=1", "fix the bug", "refactor module parser kubernetes docker", "semua orang dilahirkan merdeka dan sama"])  # fmt: skip
def test_what_is_too_little_is_not_guessed(text: str) -> None:
    assert language_of([[text]]) == ""


def test_code_says_nothing() -> None:
    code = "```python\ndef everyone_has_the_right_to_life(liberty):\n    return liberty\n```"
    assert language_of([[code]]) == ""
    assert language_of([["¿Qué hace esta función y por qué devuelve eso?\n" + code]]) == "es"


def test_capitals_are_the_same_language() -> None:
    assert language_of([["TODOS LOS SERES HUMANOS NACEN LIBRES E IGUALES EN DIGNIDAD Y DERECHOS"]]) == "es"


def test_a_short_word_takes_what_was_said_before_into_account() -> None:
    before = "¿Puedes explicarme cómo se configura el servidor de correo en esta máquina?"
    assert language_of([["ok"], [before]]) == "es"
    assert text_for_language([["a " * ENOUGH], ["before"]]) == ("a " * ENOUGH).strip()[:MOST]
    assert len(text_for_language([["word " * 10_000]])) <= MOST


def test_the_table_of_codes_is_what_can_be_told() -> None:
    assert known_codes() - {""} == set(LANGUAGES)
    assert all(code in LANGUAGES or not code for code in NAMED.values())
    assert installed()


MEANT = {"spanish": "es", "Español": "es", "es-PY": "es", "guaraní": "gn", "gug": "gn", "pt_BR": "pt", "EN": "en", "klingon": None}  # fmt: skip


@pytest.mark.parametrize(("text", "code"), MEANT.items())
def test_what_somebody_writes_for_a_language_is_understood(text: str, code: str | None) -> None:
    assert code_of(text) == code
