"""Lines fit, nothing is lost but behind an ellipsis, and what XML forbids is written out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.graph.measure import FONTS, clean, fitted, line, lines, width

TEXTS = st.text(max_size=300) | st.text(alphabet='ab "<é漢W', max_size=300)
NAMES = st.sampled_from(sorted(FONTS))


@given(TEXTS, NAMES, st.integers(40, 400), st.integers(1, 5))
def test_lines_fit_and_lose_nothing_silently(text: str, font: str, room: int, most: int) -> None:
    found = lines(text, FONTS[font], room, most=most)
    assert 1 <= len(found) <= most
    assert all(width(n.text, FONTS[font]) <= room for n in found)
    assert not any(n.cut for n in found[:-1])
    shown = "".join(n.text.replace(" ", "") for n in found)
    whole = clean(text).replace(" ", "")
    if found[-1].cut:
        assert shown.endswith("…") and whole.startswith(shown[:-1])
    else:
        assert shown == whole


@given(TEXTS, NAMES)
def test_wide_enough_is_one_line(text: str, font: str) -> None:
    assert line(text, FONTS[font], width(clean(text), FONTS[font])).text == clean(text)


def test_code_breaks_before_and_and_or() -> None:
    found = lines('team == "a" and latency == batch or images', FONTS["code"], 200, most=3)
    assert [n.text for n in found] == ['team == "a"', "and latency == batch", "or images"]


def test_prose_breaks_between_words() -> None:
    found = lines("confidential data and keys stay here", FONTS["text"], 140, most=3)
    assert [n.text for n in found] == ["confidential data and", "keys stay here"]


def test_a_very_long_text_is_cut() -> None:
    found = lines("a" * 1_000_000, FONTS["text"], 10**9, most=2)
    assert found[-1].cut and len(found[-1].text) < 100_000


@pytest.mark.parametrize("text", ["\u202e", "\x00", "\ufffe", "\uffff", "\ud800", "a\nb"])
def test_what_is_hidden_or_forbidden_is_written_out(text: str) -> None:
    assert clean(text).isascii()


@pytest.mark.parametrize(
    ("text", "unknown"), [("plain é Я …", False), ("漢字", True), ("🙂", True), ("ﷺ", True)]
)
def test_unknown_characters_have_their_width_set(text: str, unknown: bool) -> None:
    assert fitted(text) is unknown
