"""Files that are text, in base64 or as a `data:` URL.

Comes in: a string, and what is said of the file: a media type, a name. Goes out: its text, and whether it is of a type that
servers show as text. The one idea: what can be decoded is scanned whatever it is called, but only what is called text counts
as read; the rest may be shown to a model as something else.

Not here: office documents, PDF and other archives, in which text is compressed.
"""

import base64
import binascii
from typing import Final
from urllib.parse import unquote_to_bytes

__all__ = ["charset_of", "is_text_media", "media_of_name", "text_of_base64", "text_of_file"]

TEXT_MEDIA: Final = frozenset({
    "application/json", "application/xml", "application/yaml", "application/x-yaml", "application/toml",
    "application/javascript", "application/x-javascript", "application/typescript", "application/ecmascript",
    "application/x-sh", "application/x-shellscript", "application/csv", "application/x-ndjson", "application/jsonl",
    "application/jsonlines", "application/sql", "application/graphql", "application/x-httpd-php", "application/x-python-code",
    "application/x-tex", "application/x-latex", "application/x-ruby", "application/x-perl", "application/x-ipynb+json",
    "application/x-subrip", "application/mbox",
})  # fmt: skip
"""Media types beside `text/*` and `…+json` whose bytes are text."""

TEXT_SUFFIXES: Final = ("+json", "+xml", "+yaml")

_ENDINGS: Final = """
    txt md markdown mdx rst adoc tex log csv tsv json jsonl ndjson json5 ipynb xml html htm xhtml yaml yml toml ini cfg conf env
    properties py pyi js mjs cjs jsx ts tsx java kt kts scala groovy gradle c h cc cpp cxx hpp hh cs fs vb go rs rb php pl pm lua r
    jl swift m mm dart ex exs erl hs clj el lisp sh bash zsh fish ps1 bat cmd sql graphql proto css scss sass less vue svelte
    diff patch srt vtt ics eml tf hcl dockerfile makefile cmake nix
"""
TEXT_NAMES: Final = tuple(f".{ending}" for ending in _ENDINGS.split())
"""How the names of text files end, where nothing else says what they are."""

CHARSETS: Final = {
    "": "utf-8", "utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "ascii", "ascii": "ascii", "iso-8859-1": "latin-1",
    "latin-1": "latin-1", "latin1": "latin-1",
}  # fmt: skip
"""The charsets of a `data:` URL that are read. In any other (UTF-7) the server would see another text than is scanned."""

UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


def text_of_file(data: str, media: str | None) -> tuple[str | None, bool]:
    """The text of a file in base64 or of a `data:` URL, None where it has none or where it cannot be told, and whether a
    server will take it for that text."""
    if data[:5].lower() != "data:":
        raw = _bytes_of_base64(data)
        charset: str | None = "utf-8"
    else:
        head, comma, payload = data[5:].partition(",")
        media, *parameters = head.split(";")
        charset = charset_of(parameters)
        encoded = bool(parameters) and parameters[-1].strip().lower() == "base64"
        raw = None if not comma else _bytes_of_base64(payload) if encoded else unquote_to_bytes(payload)
    if not raw:
        return None, False
    text = None if charset is None else _decoded(raw, charset)
    if text is not None:
        return text, is_text_media(media)
    # A server may or may not know it by its mark, so it is scanned and still opaque.
    return _decoded(raw, "utf-16") if raw[:2] in UTF_16 else None, False


def is_text_media(media: str | None) -> bool:
    """Whether servers show bytes of this type as text. Markup of an image may as well be drawn."""
    name = (media or "").strip().lower()
    if name.startswith("image/"):
        return False
    return name.startswith("text/") or name in TEXT_MEDIA or name.endswith(TEXT_SUFFIXES)


def media_of_name(filename: object) -> str | None:
    """The media type of a file that says only its name."""
    return "text/plain" if isinstance(filename, str) and filename.lower().endswith(TEXT_NAMES) else None


def charset_of(parameters: list[str]) -> str | None:
    """How the bytes of a `data:` URL are to be decoded, or None where they are not read."""
    named = {
        value.strip().strip('"').lower()
        for name, _, value in (parameter.partition("=") for parameter in parameters)
        if name.strip().lower() == "charset"
    }
    return CHARSETS.get(named.pop() if named else "") if len(named) <= 1 else None


def text_of_base64(payload: str, charset: str = "utf-8") -> str | None:
    """The text that a base64 string holds, if it holds text."""
    raw = _bytes_of_base64(payload)
    return None if raw is None else _decoded(raw, charset)


def _bytes_of_base64(payload: str) -> bytes | None:
    """Strict: where decoders differ (characters that are no base64, bytes behind the padding) nothing is read."""
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        return None


def _decoded(raw: bytes, charset: str) -> str | None:
    try:
        text = raw.decode(charset)
    except ValueError:
        return None
    return None if "\0" in text else text
