"""Evasions: each kind of disguise with a secret in it, and clean text of that kind, in which nothing is found."""

import base64
import random
import string
import sys
import textwrap
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.detect.disguises import DISGUISES, unmasked
from policyd.detect.scanner import Scanner
from policyd.detect.stretches import on_re2
from policyd.detect.views import views


def letters(count: int, alphabet: str = string.ascii_letters + string.digits, seed: int = 7) -> str:
    rng = random.Random(seed)
    return "".join(rng.choice(alphabet) for _ in range(count))


GITHUB = "ghp_" + letters(36)
AWS = "AKIA" + letters(16, string.ascii_uppercase + "234567")
JWT = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=")
    for part in (b'{"alg":"HS256","typ":"JWT"}', b'{"sub":"1234567890","name":"Someone"}', b"0123456789abcdef0123456789abcdef")
)  # fmt: skip
DATABASE = "postgres://bob:" + letters(14) + "@db.corp.net/app"
ANTHROPIC = "sk-ant-api03-" + letters(93) + "AA"
CARD = "4012888888881881"
IBAN = "DE89370400440532013000"
HIDEABLE = {
    "secret.github",
    "secret.aws",
    "secret.jwt",
    "secret.anthropic",
    "secret.connection-string",
    "card-number",
    "iban",
}
WORDS = "the quick brown fox jumps over the lazy dog and then it goes home to sleep until the morning comes "
TEXT = f"{WORDS}with the key {GITHUB} in its pocket. {WORDS}"


def found(text: str) -> set[str]:
    return set(Scanner().scan([text])) & {*HIDEABLE, "secret.assigned"}


def encoded(text: str, charset: str = "utf-8") -> str:
    return base64.b64encode(text.encode(charset)).decode()


def wrapped(text: str, width: int, end: str = "\n") -> str:
    return end.join(textwrap.wrap(text, width))


def each(form: str, text: str) -> str:
    return "".join(form % ord(c) for c in text)


def dump(text: str, line: str) -> str:
    """As `xxd` and `hexdump -C` print bytes: sixteen to a line."""
    data = text.encode()
    lines = []
    for at in range(0, len(data), 16):
        part = data[at : at + 16]
        shown = "".join(chr(byte) for byte in part)
        lines.append(line.format(at=at, pairs=part.hex(" ", 2), bytes=part.hex(" "), shown=shown))
    return "\n".join(lines) + "\n"


RANDOM = random.Random(5).randbytes(600)

HIDDEN = {
    "percent encoding, all of it": each("%%%02X", GITHUB),
    "percent encoding, one character": GITHUB.replace("_", "%5F"),
    "percent encoding, lower case": GITHUB.replace("_", "%5f"),
    "percent encoding in a query": f"https://example.com/?next=%2Fhome&t={quote(GITHUB).replace('_', '%5F')}&x=1",
    "a zero-width space in percent encoding": GITHUB[:9] + "%E2%80%8B" + GITHUB[9:],
    "decimal entities": each("&#%d;", GITHUB),
    "hexadecimal entities": each("&#x%x;", GITHUB),
    "a named entity": GITHUB.replace("_", "&lowbar;"),
    "a zero-width space as an entity": GITHUB[:9] + "&#8203;" + GITHUB[9:],
    "u escapes": each("\\u%04x", GITHUB),
    "one u escape": GITHUB.replace("_", "\\u005f"),
    "u escapes in braces": each("\\u{%x}", GITHUB),
    "x escapes": each("\\x%02x", GITHUB),
    "octal escapes": each("\\%03o", GITHUB),
    "long escapes": each("\\U%08x", GITHUB),
    "a zero-width space as an escape": GITHUB[:9] + "\\u200b" + GITHUB[9:],
    "base64": encoded(TEXT),
    "base64 of the key alone": encoded(GITHUB),
    "base64 of a short key alone": encoded(AWS),
    "base64 without padding": encoded(GITHUB).rstrip("="),
    "base64 for URLs": base64.urlsafe_b64encode(f"??>>{TEXT}~~ÿÿ".encode()).decode(),
    "base64 with something glued to it": "xyz" + encoded(GITHUB) + "zz",
    "base64 in lines of 76": wrapped(encoded(TEXT), 76),
    "base64 in lines of 64, with returns": wrapped(encoded(TEXT), 64, "\r\n"),
    "base64 in lines of 70": wrapped(encoded(TEXT), 70),
    "base64 in lines shorter than the key": wrapped(encoded(TEXT), 30),
    "base64 in indented lines": wrapped(encoded(TEXT), 60, "\n        "),
    "base64 in quoted lines": wrapped(encoded(TEXT), 60, "\n> "),
    "base64 in a string with line ends": wrapped(encoded(TEXT), 76, "\\n"),
    "base64 in strings over lines": '"' + wrapped(encoded(TEXT), 30, '"\n    "') + '"',
    "base64 in strings that are added": '"' + wrapped(encoded(TEXT), 16, '" +\n  "') + '"',
    "base64 in strings of C": '"' + wrapped(encoded(TEXT), 40, '" \\\n"') + '"',
    "base64 of UTF-16": encoded(f"Write-Host {GITHUB}", "utf-16-le"),
    "base64 of text among other bytes": base64.b64encode(RANDOM + GITHUB.encode() + RANDOM).decode(),
    "a data URL": f"![notes](data:text/plain;base64,{encoded(TEXT)})",
    "hexadecimal": GITHUB.encode().hex(),
    "hexadecimal in capitals": GITHUB.encode().hex().upper(),
    "hexadecimal with spaces": GITHUB.encode().hex(" "),
    "hexadecimal with colons": GITHUB.encode().hex(":"),
    "a dump": GITHUB.encode().hex(" ", 2),
    "the bytes of a program": ", ".join(hex(byte) for byte in GITHUB.encode()),
    "a soft line break": GITHUB[:20] + "=\r\n" + GITHUB[20:],
    "quoted-printable": "key=3D" + GITHUB.replace("_", "=5F"),
    "strings that are added": f'key = "{GITHUB[:9]}" + "{GITHUB[9:]}"',
    "strings that are added over lines": f"key = ('{GITHUB[:9]}' +\n       '{GITHUB[9:20]}' +\n       '{GITHUB[20:]}')",
    "strings that stand together": f'key = ("{GITHUB[:9]}"\n       f"{GITHUB[9:]}")',
    "strings that are joined by a point": f"$key = '{GITHUB[:9]}' . '{GITHUB[9:]}';",
    "strings that are joined by an ampersand": f'key = "{GITHUB[:9]}" & _\n "{GITHUB[9:]}"'.replace(" _", ""),
    "single characters with spaces": " ".join(GITHUB),
    "single characters with points": ".".join(GITHUB),
    "single characters with hyphens": "-".join(GITHUB),
    "single characters with commas": ", ".join(GITHUB),
    "single characters on lines": "\n".join(GITHUB),
    "groups of eight": " ".join(textwrap.wrap(GITHUB, 8)),
    "a line break": GITHUB[:21] + "\n" + GITHUB[21:],
    "a line break with quoting": GITHUB[:21] + "\n> " + GITHUB[21:],
    "a written line break": GITHUB[:21] + "\\n" + GITHUB[21:],
    "single characters behind a word": f"the key is {' '.join(AWS)} thanks",
    "single characters behind a colon": f"key: {' '.join(AWS)}\nthanks",
    "single characters with hyphens among them": f"the key is {' '.join(ANTHROPIC)} thanks",
    "single characters of a URL": f"it is at {' '.join(DATABASE)} today",
    "a token in strings, cut in its header": f'"{JWT[:20]}" + "{JWT[20:]}"',
    "a token in strings, cut in its second part": f'"{JWT[:50]}" + "{JWT[50:]}"',
    "an escape in a token's header": JWT[:5] + each("\\u%04x", JWT[5]) + JWT[6:],
    "an escape in a token's second part": JWT[:60] + each("%%%02x", JWT[60]) + JWT[61:],
    "a token over lines": JWT[:20] + "\n" + JWT[20:70] + "\n" + JWT[70:],
    "a token with a soft line break": f"x=3D1 {JWT[:9]}=\n{JWT[9:]}",
    "a token in strings of one character": " + ".join(f"'{c}'" for c in JWT),
    "a token on lines of one character": "\n".join(JWT),
    "a token in strings of four characters": '"' + wrapped(JWT, 4, '" +\n  "') + '"',
    "a token in two groups": JWT[:36] + " " + JWT[36:],
    "a URL in strings": '"postgres://bob:" + "' + letters(14) + '" + "@db.corp.net/app"',
    "slashes with escapes": 'Response: {"u":"' + DATABASE.replace("/", "\\/") + '"}',
    "slashes with escapes in one of many lines": '{"a":1}\n{"u":"' + DATABASE.replace("/", "\\/") + '"}',
    "u escapes with two backslashes": each("\\\\u%04x", GITHUB),
    "u escapes with a percent sign": each("%%u%04x", GITHUB),
    "entities without a semicolon": each("&#%d", GITHUB),
    "a card in hexadecimal": CARD.encode().hex(),
    "a card in hexadecimal with spaces": CARD.encode().hex(" "),
    "an IBAN in hexadecimal": IBAN.encode().hex(),
    "the bytes of a program over lines": ",\n    ".join(
        textwrap.wrap(", ".join(hex(byte) for byte in GITHUB.encode()), 48)
    ).replace(",,", ","),
    "what xxd prints": dump(f"some text, {GITHUB} and more of it", "{at:08x}: {pairs:39}  {shown}"),
    "what hexdump prints": dump(f"some text, {GITHUB} and more of it", "{at:08x}  {bytes:48} |{shown}|"),
    "what hexdump prints of a token": dump(f"some text, {JWT} and more of it", "{at:08x}  {bytes:48} |{shown}|"),
    "a line break for HTML": GITHUB[:9] + "<wbr>" + GITHUB[9:],
    "a soft hyphen for HTML": GITHUB[:9] + "&shy;" + GITHUB[9:],
    "a part in bold for HTML": f"{GITHUB[:9]}<b>{GITHUB[9:]}</b>",
    "a part of a span for HTML": f'<span class="k">{GITHUB[:9]}</span><span class="n">{GITHUB[9:]}</span>',
    "a part in bold": f"**{GITHUB[:9]}**{GITHUB[9:]}",
    "colours of a terminal": f"\x1b[1;31m{GITHUB[:9]}\x1b[0m{GITHUB[9:]}",
    "colours of a terminal before a key that stands alone": f"\x1b[31m{AWS}\x1b[0m",
    "colours of a terminal, written": f"{GITHUB[:9]}\\u001b[0m{GITHUB[9:]}\\x1b[0m",
    "an escape character": f"{GITHUB[:9]}\x1b{GITHUB[9:]}",
    "braille blanks": "\u2800".join(GITHUB),
    "marks on letters": "\u0301".join(GITHUB),
    "keycaps": "".join(f"{c}\ufe0f\u20e3" for c in CARD),
    "Cyrillic letters": GITHUB.replace("p", "р").replace("h", "һ"),
    "a Cyrillic prefix": "АКІА" + AWS[4:],
    "Greek letters": AWS.replace("A", "Α").replace("K", "Κ").replace("I", "Ι"),
    "full width": "".join(chr(ord(c) + 0xFEE0) for c in GITHUB),
    "mathematical letters": "".join(chr(0x1D5BA + ord(c) - 97) if c.islower() else c for c in GITHUB),
    "zero-width spaces": "\u200b".join(GITHUB),
    "tags": "\U000e0041".join(GITHUB),
    "bidirectional marks": "\u202e".join(GITHUB),
    "letters for digits in a card": "4lll 1111 1111 llll",
    "a Cyrillic letter for a digit in a card": "55ОО ОО55 5555 5559",
}  # fmt: skip


@pytest.mark.parametrize("kind", HIDDEN)
def test_a_disguise_hides_nothing(kind: str) -> None:
    text = HIDDEN[kind]
    for around in (text, f"please look at this: {text} and tell me", f"\n{text}\n", f"«{text}»"):
        assert found(around), around


@pytest.mark.parametrize("kind", HIDDEN)
def test_the_place_of_what_is_disguised_is_in_the_text_as_it_was_given(kind: str) -> None:
    before, behind = "in front of it, words: ", " ; and words behind"
    text = f"{before}{HIDDEN[kind]}{behind}"
    spans = [s for s in Scanner().spans(text) if s.name in HIDEABLE]
    assert spans
    for span in spans:
        assert len(before) - 1 <= span.start < span.end <= len(text) - len(behind) + 2


CLEAN = {
    "prose in Russian": "IT-компания и Python-разработчик пишут C++-код, привет мир в 2024-м году, версия v2.0-бета " * 9,
    "prose in Greek": "Η εταιρεία IT και ο προγραμματιστής Python γράφουν κώδικα C++ από το 2019 " * 9,
    "links": "https://example.com/a%20b?q=%D0%BF%D1%80%D0%B8%D0%B2%D0%B5%D1%82&next=%2Fhome%3Fx%3D1 " * 20,
    "HTML": "<p>&lt;div&gt; &amp; &quot;words&quot;&nbsp;&#8212; and &copy; 2024 &#x27;s</p>\n" * 20,
    "escapes in code": 're.compile("[\\u200b\\u2060\\ufeff]\\x00-\\x1f") + "\\n\\t" and C:\\users\\x41 and \\101 ' * 20,
    "random base64": base64.b64encode(random.Random(3).randbytes(30_000)).decode(),
    "random base64 in lines": wrapped(base64.b64encode(random.Random(4).randbytes(30_000)).decode(), 76),
    "base64 of prose": encoded(WORDS * 50),
    "random base64 in strings": '"' + wrapped(base64.b64encode(random.Random(4).randbytes(9_000)).decode(), 40, '" +\n  "') + '"',
    "words in strings": 'x = "some" + "word" + "more" + "then" + "last" + "name" + "here" + "gone"\n' * 20,
    "random hexadecimal": random.Random(6).randbytes(20_000).hex(),
    "digits": "".join(random.Random(8).choice(string.digits) for _ in range(20_000)),
    "a dump of bytes": random.Random(9).randbytes(5_000).hex(" "),
    "a matrix": "[0, 1, 1, 0, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],\n" * 50,
    "the alphabet": "a b c d e f g h i j k l m n o p q r s t u v w x y z, A B C D E F G H I J K L",
    "prose about keys": "ghp_ tokens are used by GitHub, AKIA is how an AWS key starts\nand sk-proj- keys look drawn at random\n" * 9,
    "strings of a program": 'x = "abc" + "def" + str(1) + "ghi"; y = ["a", "b", "c"]; z = "one" "two"\n' * 20,
    "shell": "cp \"$HOME/a\" \"$HOME/b\" && echo 'done' 'now' # it's fine\n" * 20,
    "part numbers": "order O1I0-2233-l44 and I0O1 for 1O0 units, serial 00O1I2345\n" * 20,
    "quoted-printable prose": "Caf=C3=A9 =3D coffee, soft=\r\nly broken lines and a=3Db\r\n" * 20,
    "base64 of JSON": ". ".join(encoded(f'{{"sub":"someone","n":{n},"name":"words and words"}}') for n in range(99)),
    "slashes with escapes in code": "s.replace(/https?:\\/\\/[a-z]+:[0-9]+\\/x@y/, 'http:\\/\\/')\n" * 20,
    "what xxd prints of random bytes": dump(random.Random(3).randbytes(9_000).decode("latin-1"), "{at:08x}: {pairs:39}  ..."),
    "what hexdump prints of prose": dump(WORDS * 9, "{at:08x}  {bytes:48} |{shown}|"),
    "a table of hexadecimal numbers": "deadbeef 01 02 03 04 05 06 07 08 09 10\ncafebabe 11 12 13 14 15 16 17 18\n" * 20,
    "dates in hexadecimal": b"2024-01-01 12:00:00 and 2024-01-02".hex() + " ",
    "numbers of decimal pairs": "".join(str(n) for n in range(20, 80)) * 20,
    "lines of signs": ". . . . . . . . . . . . . . . . 12\n- - - - - - - - - - - - -\n= = = = = = = = = = = = =\n" * 20,
    "sums of letters": "a + b + c = d + e - f : g = h + i + j + k + l + m + n = x is so\n" * 20,
    "HTML with marks": "<b>bold</b>face H<wbr>2O, <i>a</i>lpha <span class='k'>def</span><span>f</span>\n" * 20,
    "powers": "x = 10**18 + a**b; **bold**face and *args, **kwargs\n" * 20,
    "colours of a terminal": "\x1b[32m+ added\x1b[0m \x1b[31m- removed\x1b[0m 12\x1b[1m34\x1b[m\n" * 20,
    "prose with marks on letters": "e\u0301te\u0301 nin\u0303o u\u0308ber a\u030angstrom 2024 " * 20,
    "strings with a colon at their end": 'print("name:" + "value" + "@home" + ":" + "8080")\n' * 20,
    "numbers in groups": "1O 2l 3I 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29\n" * 20,
}  # fmt: skip


@pytest.mark.parametrize("kind", CLEAN)
def test_clean_text_of_a_disguises_kind_has_no_finding(kind: str) -> None:
    assert found(CLEAN[kind]) == set()
    assert all(s.name not in HIDEABLE for s in Scanner().spans(CLEAN[kind]))


@pytest.mark.parametrize(
    "text", ["plain words and 12 numbers", "просто слова", "漢字だけ", "x = f(1, 2)\nreturn x"]
)
def test_a_text_without_signs_has_one_view(text: str) -> None:
    assert [view.data for view in views(text)] == [text.encode()]


def test_prose_in_another_script_is_not_garbled() -> None:
    for text in ("Привет, мир! Как дела?", "Καλημέρα κόσμε", "IT-компания", "SMSом и USBа", "Բարեւ աշխարհ"):
        assert [view.data.decode() for view in views(text)] == [text]


def test_only_what_stands_around_a_disguise_is_looked_at_twice() -> None:
    text = f"{WORDS * 200} 100%25 of it. {WORDS * 200}"
    seen, plain = [view.data for view in views(text)]
    assert len(plain) < len(seen) / 10
    assert b"100% of it" in plain


@pytest.mark.parametrize("sign", [d.sign for d in DISGUISES], ids=range(len(DISGUISES)))
def test_what_a_disguise_finds_has_its_sign(sign: bytes) -> None:
    disguise = next(d for d in DISGUISES if d.sign == sign)
    texts = [view.data for text in (*HIDDEN.values(), *CLEAN.values()) for view in views(text)]
    for data in texts:
        stretches = list(disguise.find(data))
        assert not stretches or on_re2(sign).search(data) is not None
        at = 0
        for start, end, form, step in stretches:
            assert at <= start < end <= len(data)
            assert step == 0 or len(form) * step == end - start
            at = end


def calls(work: Callable[[], object]) -> int:
    """Calls of functions, of Python's and of C's, that the work makes."""
    count = 0

    def counted(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


FLOODS = ["%41", "%41a", "\\u0041", "\\u0041a", "&lt;a", "\\x41 ", "=3Da", "=\n", '"a"+', "a b ", "1 a ", "ghp_ a1b2 ", "41", "4a",
          "aА", "aaaaaaaА ", "11O", "111O ", "4I111 ", "QUJD", "QUJDREVGR0hJSktMTU5PUFFS\n", "\u200b", "a\u200b", " ", "a", '"', "\\",
          "%", "&", "\\/", "\x1b[0m", "\x1b", "a**", "<b>a", "a\u0301", "\u2800a", "%u0041", "&#65", "00000010: 4142 4344 4546 4748\n",
          "00000010 4", "A . ", "31", "41,\n", '"YWFh"+', '""', '"" ', "eyJ", "eyJhbGciOiJIUzI1NiJ9.", "AKIA ", "' '", "0x41, "]  # fmt: skip


@pytest.mark.parametrize("flood", FLOODS)
def test_the_work_grows_as_the_text_does(flood: str) -> None:
    def work(size: int) -> int:
        text = flood * (size // len(flood))
        return calls(lambda: [view.data for view in views(text)])

    work(4_000)
    small, large = work(20_000), work(40_000)
    assert large <= 2.3 * small + 500
    assert small <= 8 * 20_000


@pytest.mark.parametrize("flood", FLOODS)
def test_what_is_looked_at_is_no_longer_than_the_text(flood: str) -> None:
    text = flood * (50_000 // len(flood))
    sizes = [len(view.data) for view in views(text)]
    assert len(sizes) <= 2
    assert all(size <= len(text.encode()) for size in sizes)


@given(st.text(alphabet=st.sampled_from("aA1 %4&#x;\\u0{}=\"'+.\n-_QUJDОА\u200bé"), max_size=80))
def test_any_text_has_views_that_know_their_places(text: str) -> None:
    for view in views(text):
        for start in range(0, len(view.data), 7):
            first, last = view.place(start, min(len(view.data), start + 5))
            assert 0 <= first <= last <= len(text)


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(sorted(HIDDEN)))
def test_a_disguise_is_taken_off_whatever_stands_far_from_it(before: str, behind: str, kind: str) -> None:
    gap = " . \n . "
    assert found(f"{before}{gap}{HIDDEN[kind]}{gap}{behind}")


def test_base64_of_a_long_text_is_decoded_to_its_end() -> None:
    text = WORDS * 3_000 + GITHUB
    assert found(encoded(text)) == found(wrapped(encoded(text), 76)) == {"secret.github"}


def test_nothing_is_taken_off_where_nothing_is_put_on() -> None:
    assert unmasked(b"plain words", ascii_only=True) is None
    assert unmasked(b"", ascii_only=True) is None
