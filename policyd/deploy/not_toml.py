"""A deployment file that is not TOML: the one mistake that hides the others, because without TOML there are no keys.

In: the text and what the parser said. Out: a diagnostic at the place, with its line and a cure. The one idea: where values
end is not known, so of the whole file only this line is shown, and of it nothing that could be a secret. Pure.
"""

import re
from typing import Final

from policyd.text.diagnostic import Diagnostic, Severity
from policyd.text.source import Source, Span

__all__ = ["not_toml"]

_PLACE: Final = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)
_TABLE: Final = re.compile(r"\s*\[+[\w.\"'-]*")
_KEY: Final = re.compile(r"\s*(?:(?P<key>[\w.\"'-]+)\s*[=:]|(?P<table>\[+)(?=[\w.\"' -]+(?:\]|$)))")
_MAY_HOLD_SECRETS: Final = re.compile(
    r"credential|secret|passw|token|header|authorization|key", re.IGNORECASE
)
_LOOKS_SECRET: Final = re.compile(r"(?<=://)[^/\s\"'@]+(?=@)|(?=[\w+/=-]*\d)[\w+/=-]{20,}|\b[ps]k-\S+")
_QUOTES: Final = 'strings stand in quotes, such as `timezone = "UTC"`'
_CURES: Final = (
    ("Invalid value", _QUOTES),
    ("Invalid statement", "a line is `key = value`, or a table in `[brackets]`"),
    ("Illegal character '\\n'", "a string ends with its quote, on the same line"),
    ("Unterminated string", 'a string ends with the quotes that it begins with'),
    ("Cannot overwrite a value", "a key may be there once in its table"),
    ("Cannot declare", "a table may be there once; several of a kind are `[[…]]`"),
    ("Expected '=' after a key", "a line is `key = value`, or a table in `[brackets]`"),
    ("Unescaped '\\'", "write `\\\\`, or the string in single quotes"),
    ("Expected newline or end of document", "one `key = value` on each line; " + _QUOTES),
)  # fmt: skip


def not_toml(source: Source, said: str) -> Diagnostic:
    found = _PLACE.fullmatch(said)
    message = found.group(1) if found else said
    at = len(source.text)
    if found and found.group(2):
        at = min(at, source.line_starts[int(found.group(2)) - 1] + int(found.group(3)) - 1)
    number = source.position(at)[0]
    lines = [
        line if index == number else " " * len(line) for index, line in enumerate(source.text.split("\n"), 1)
    ]
    lines[number - 1] = _shown(lines[number - 1], source.text[: source.line_starts[number - 1]])
    cure = next((cure for begins, cure in _CURES if message.startswith(begins)), None)
    return Diagnostic(
        "PD502",
        Severity.ERROR,
        f"this is not TOML: {message[0].lower()}{message[1:]}",
        Span(Source(source.name, "\n".join(lines)), at, at),
        help=cure,
    )


def _shown(line: str, before: str) -> str:
    """The line, as long as it was. Only a key with its value or a table is shown, and no value that its key, its table or its
    looks call secret, or that could be inside a string of several lines."""
    found = _KEY.match(line)
    inside = before.count('"""') % 2 or before.count("'''") % 2
    if found is None or inside:
        return _hidden(line)
    tables = [table.group() for table in map(_TABLE.match, before.split("\n")) if table]
    if any(map(_MAY_HOLD_SECRETS.search, (line, *tables[-1:]))):
        return found.group() + _hidden(line[found.end() :])
    return _LOOKS_SECRET.sub(lambda secret: _hidden(secret.group()), line)


def _hidden(text: str) -> str:
    return re.sub(r"[^\r]", "*", text)
