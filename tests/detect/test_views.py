"""The way back from what was searched to the text as it was given: exact where characters were folded one by one."""

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.detect.engine import Engine
from policyd.detect.scanner import DetectorFailed, Scanner, Span
from policyd.detect.views import CHUNK, views
from policyd.detect.visible import AT_ONCE, searched, visible

KEY = "ghp_" + "".join(random.Random(7).choices(string.ascii_letters + string.digits, k=36))
SURROUNDINGS = st.text(alphabet="ab .,;\u200b\u00adé漢😀\ufeff\x00\x08ＡＢ①\u00a0\n", max_size=60)


def spans(text: str, name: str = "secret.github") -> list[tuple[int, int]]:
    return [(span.start, span.end) for span in Scanner().spans(text) if span.name == name]


@given(SURROUNDINGS, SURROUNDINGS, st.sampled_from(["", "\u200b", "\u00ad", "\x00", "\U000e0041", "\ufe0f"]))
def test_a_span_holds_the_key_and_nothing_else(before: str, behind: str, hidden: str) -> None:
    written = hidden.join(KEY)
    text = f"{before} {written} {behind}"
    start = len(before) + 1
    assert (start, start + len(written)) in spans(text)


@given(st.text(max_size=200))
def test_folding_a_text_is_folding_its_characters(text: str) -> None:
    assert searched(text) == b"".join(map(searched, text))


@pytest.mark.parametrize("text", ["é\u200bＡ漢 words ", "\u200b", "a\x00é"])
def test_folding_a_long_text_is_folding_its_characters(text: str) -> None:
    times = 2 * AT_ONCE // len(text) + 3
    assert searched(text * times) == searched(text) * times


@pytest.mark.parametrize("filling", ["é", "\u200b", "漢", "a", "Ａ", "\x00", "①", "é\u200b😀"])
@pytest.mark.parametrize("length", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7])
def test_a_place_is_exact_wherever_the_text_is_measured_in_pieces(filling: str, length: int) -> None:
    before = (filling * length)[:length]
    text = f"{before} {KEY} {before}"
    assert spans(text) == [(length + 1, length + 1 + len(KEY))]


def test_full_width_is_told_in_full_width() -> None:
    written = "".join(chr(ord(c) + 0xFEE0) for c in KEY)
    text = f"é {written} é"
    [(start, end)] = spans(text)
    assert text[start:end] == written
    assert visible(text[start:end]) == KEY


def test_the_first_view_is_the_text_as_it_is_seen() -> None:
    text = "a\u200bb é"
    first = next(views(text))
    assert first.data == "ab é".encode()
    assert first.place(0, 1) == (0, 1)
    assert first.place(1, 2) == (2, 3)
    assert first.place(0, 2) == (0, 3)
    assert first.place(3, 5) == (4, 5)


def test_every_finding_of_a_text_has_its_own_span_in_order() -> None:
    text = f"{KEY} and 4111 1111 1111 1111 and {KEY}"
    told = [span for span in Scanner().spans(text) if span.name in {"secret.github", "card-number"}]
    assert told == sorted(told)
    assert [(span.name, text[span.start : span.end]) for span in told] == [
        ("secret.github", KEY),
        ("card-number", "4111 1111 1111 1111"),
        ("secret.github", KEY),
    ]


def test_where_a_detector_overflows_the_whole_text_is_the_span() -> None:
    text = "é " + "eyJub25lIjox.eyJub25lIjox.AAAAAAAA " * 2_001
    assert Span(0, len(text), "secret.jwt") in Scanner().spans(text)


def test_what_is_too_short_has_no_spans() -> None:
    assert Scanner().spans("short") == ()


def test_an_error_while_places_are_looked_for_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_engine: Engine, data: bytes) -> list[object]:
        raise ValueError(data)

    monkeypatch.setattr(Engine, "hits", broken)
    with pytest.raises(DetectorFailed) as failed:
        Scanner().spans("the secret text")
    assert "secret text" not in str(failed.value)


@pytest.mark.parametrize("text", ["ﬁ", "Ⅳ", "①", "ｆ", "𝐟", "⁴", "４", "٤", "४"])
def test_compatibility_forms_are_folded_to_ascii(text: str) -> None:
    assert visible(text).isascii()


@pytest.mark.parametrize("text", ["Größe, naïve, 漢字, café", "emoji 🙂", "a … b ‥", "Ω ж ß ñ", "カタカナ"])
def test_what_is_no_compatibility_form_of_ascii_stays(text: str) -> None:
    assert visible(text) == text
