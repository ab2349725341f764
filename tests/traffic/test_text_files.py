"""Files that are text: by type, by name, by charset, and what is scanned without being called text."""

import base64
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from policyd.traffic.endpoints import EndpointName
from policyd.traffic.read import read_request
from policyd.traffic.reading import Flag, Reading
from policyd.traffic.text_files import is_text_media, media_of_name, text_of_file

WORDS = "the words of a file, with «signs» and more than sixty-four characters of them in all"


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def reading_of(**file: str) -> Reading:
    part: dict[str, Any] = {"type": "file", "file": file}
    body = {"messages": [{"role": "user", "content": [part]}]}
    return read_request(EndpointName.CHAT, orjson.loads(orjson.dumps(body)))


@pytest.mark.parametrize(
    "media",
    ["text/plain", "text/csv", "TEXT/HTML", "application/json", "application/ld+json", "application/atom+xml",
     "application/x-ipynb+json", "application/yaml", "application/sql", "application/jsonl"],
)  # fmt: skip
@pytest.mark.parametrize("form", ["base64", "percent"])
def test_a_file_of_a_text_type_is_read(media: str, form: str) -> None:
    payload = f";base64,{encoded(WORDS.encode())}" if form == "base64" else "," + quote(WORDS)
    reading = reading_of(file_data=f"data:{media}{payload}")
    assert reading.decoded == (WORDS,)
    assert Flag.OPAQUE not in reading.flags
    assert reading.countable
    assert WORDS in reading.texts


@pytest.mark.parametrize(
    "media", ["image/svg+xml", "application/pdf", "application/octet-stream", "application/rtf", "audio/wav"]
)
def test_what_is_not_called_text_is_scanned_and_opaque(media: str) -> None:
    reading = reading_of(file_data=f"data:{media};base64,{encoded(WORDS.encode())}")
    assert WORDS in reading.texts
    assert Flag.OPAQUE in reading.flags
    assert not reading.countable


@pytest.mark.parametrize(
    ("name", "is_text"),
    [("notes.md", True), ("A.IPYNB", True), ("main.py", True), ("data.tsv", True), ("config.yaml", True), ("page.svg", False),
     ("report.pdf", False), ("sheet.xlsx", False), ("noname", False), ("", False)],
)  # fmt: skip
def test_a_file_that_says_only_its_name_is_known_by_it(name: str, is_text: bool) -> None:
    assert (media_of_name(name) is not None) == is_text
    reading = reading_of(filename=name, file_data=encoded(WORDS.encode()))
    assert (Flag.OPAQUE not in reading.flags) == is_text
    assert WORDS in reading.texts


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_scanned_where_a_mark_says_so_and_always_opaque(charset: str) -> None:
    data = encoded(WORDS.encode(charset))
    text, is_text = text_of_file(f"data:text/plain;base64,{data}", None)
    assert (text == WORDS) == (charset == "utf-16")
    assert not is_text
    assert Flag.OPAQUE in reading_of(file_data=f"data:text/plain;base64,{data}").flags


@pytest.mark.parametrize(
    "data",
    ["data:text/plain;base64,!!!!", "data:text/plain;charset=utf-7;base64,QUJD", "data:text/plain", "data:text/plain,", "%%%", "",
     "data:text/plain;base64," + encoded(b"a\0b"), "data:text/plain,%ff%fe"],
)  # fmt: skip
def test_what_cannot_be_decoded_is_no_text(data: str) -> None:
    text, is_text = text_of_file(data, "text/plain")
    assert not is_text
    assert text in {None, ""}


def test_the_label_of_a_key_is_seen_in_json_that_is_attached() -> None:
    data = orjson.dumps({"a": [{"password": 'line\nbreak and "quotes"'}], "card": [4111, 1111, 1111, 1111]})
    reading = reading_of(file_data=f"data:application/json;base64,{encoded(data)}")
    assert any("4111 1111 1111 1111" in text for text in reading.texts)
    assert any("line\nbreak" in text for text in reading.texts)


def test_markup_that_is_sent_as_an_image_is_scanned_and_opaque() -> None:
    url = f"data:image/svg+xml;base64,{encoded(WORDS.encode())}"
    body = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]}
    reading = read_request(EndpointName.CHAT, body)
    assert WORDS in reading.texts
    assert {Flag.IMAGES, Flag.OPAQUE} <= reading.flags


@pytest.mark.parametrize("media", [None, "", "image/png", "image/svg+xml", "application/zip"])
def test_other_types_are_no_text(media: str | None) -> None:
    assert not is_text_media(media)
