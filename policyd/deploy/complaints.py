"""What pydantic found wrong with a deployment file, as diagnostics with a place, the keys' names and a cure.

In: the validation error, where the keys stand, and which of them the environment set. Out: one `Diagnostic` for each
mistake, in the words of this project and not in pydantic's.
"""

import difflib
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from policyd.deploy.author import Author
from policyd.deploy.bounded import MOST_TOLD, more
from policyd.deploy.file import TABLES
from policyd.deploy.places import Path
from policyd.text.diagnostic import Diagnostic, Severity

__all__ = ["complaints"]

_CODES: Final = {
    "extra_forbidden": "PD503",
    "missing": "PD504",
    "secret_literal": "PD506",
    "unsafe_token": "PD542",
    "url": "PD508",
}
_OURS: Final = frozenset({"value", "url", "secret_literal", "unsafe_token"})
_WORDS: Final = {
    "bool_type": "this has to be `true` or `false`, without quotes",
    "dict_type": "this has to be a table",
    "int_type": "this has to be a whole number, without quotes",
    "list_type": "this has to be a list: `[ … ]`",
    "model_attributes_type": "this has to be a table",
    "model_type": "this has to be a table",
    "string_too_short": "this may not be empty",
    "string_type": 'this has to be a string: `"…"`',
    "too_short": "this list needs at least one entry",
}
_WITHOUT_SECRETS: Final = frozenset(
    {"bool_type", "int_type", "greater_than_equal", "less_than_equal", "literal_error"}
)
"""Mistakes in numbers, flags and words of a closed set. The value of a variable is shown for no other: a file's line is."""
_IDENTITY_KINDS: Final = ("loopback", "api-keys", "jwt", "mtls", "trusted-hop")


def complaints(error: ValidationError, author: Author) -> list[Diagnostic]:
    details = error.errors(include_url=False, include_input=True)
    told = [_complaint(detail, author) for detail in details[:MOST_TOLD]]
    rest = details[MOST_TOLD:]
    return [*told, more(_complaint(rest[0], author), len(rest))] if rest else told


def _complaint(detail: ErrorDetails, author: Author) -> Diagnostic:
    path = _path(detail["loc"], author)
    kind = detail["type"]
    code = _CODES.get(kind, "PD505")
    name = ".".join(str(part) for part in path)
    match kind:
        case "extra_forbidden":
            message = f"`{path[-1]}` is not a key of {_table_name(path[:-1])}"
            return Diagnostic(code, Severity.ERROR, message, author.span(path), help=_near(path))
        case "missing":
            message = f"{_table_name(path[:-1])} needs the key `{path[-1]}`"
            return Diagnostic(code, Severity.ERROR, message, author.span(path[:-1]))
        case "union_tag_not_found" | "union_tag_invalid":
            return _identity_of_no_kind(detail, (*path, "kind"), author)
        case "secret_literal":
            cure = "name the environment variable or the file that holds it"
            return Diagnostic(
                code, Severity.ERROR, f"`{name}`: {detail['msg']}", author.span(path), help=cure
            )
        case _:
            said = f"`{name}`: {_in_words(kind, detail)}"
            if kind in _WITHOUT_SECRETS and author.is_set_by_variable(path):
                said += f"; the variable says `{str(detail['input'])[:60]}`"
            return Diagnostic(code, Severity.ERROR, said, author.span(path))


def _identity_of_no_kind(detail: ErrorDetails, path: Path, author: Author) -> Diagnostic:
    written = detail.get("ctx", {}).get("tag")
    close = difflib.get_close_matches(str(written).lower(), _IDENTITY_KINDS, n=1)
    message = "`identity` needs a `kind`" if written is None else f"`{written}` is no `kind` of `identity`"
    kinds = ", ".join(f'`"{kind}"`' for kind in _IDENTITY_KINDS)
    cure = f"did you mean `{close[0]}`?" if close else f"the kinds are {kinds}"
    return Diagnostic("PD505", Severity.ERROR, message, author.span(path), help=cure)


def _in_words(kind: str, detail: ErrorDetails) -> str:
    """What is wrong. Mistakes of our own finding bring their sentence; pydantic's kinds get one here."""
    if kind in _OURS:
        return detail["msg"]
    limits: Mapping[str, object] = detail.get("ctx", {})
    match kind:
        case "greater_than_equal":
            return f"this is too small: at least {limits['ge']}"
        case "less_than_equal":
            return f"this is too large: at most {limits['le']}"
        case "literal_error":
            return f"this is not one of {str(limits['expected']).replace(chr(39), '`').replace(' or ', ', ')}"
        case _:
            return _WORDS.get(kind, "this value cannot stand here")


def _path(loc: tuple[str | int, ...], author: Author) -> Path:
    """The path in the file: without the names that pydantic gives to the members of a union, and without the number of a
    table that is the only one."""
    if len(loc) < 2 or loc[0] != "identity" or not isinstance(loc[1], int):
        return loc
    rest = loc[3:] if len(loc) > 2 and loc[2] in _IDENTITY_KINDS else loc[2:]
    return (loc[0], loc[1], *rest) if author.knows(("identity", 0)) else (loc[0], *rest)


def _table_name(path: Path) -> str:
    return f"`[{'.'.join(str(p) for p in path if isinstance(p, str))}]`" if path else "the file"


def _near(path: Path) -> str:
    keys: tuple[Any, ...] = ()
    for pattern, names in TABLES.items():
        if len(pattern) == len(path) - 1 and all(p in ("*", q) for p, q in zip(pattern, path, strict=False)):
            keys = names
    close = difflib.get_close_matches(str(path[-1]).lower(), keys, n=1)
    return (
        f"did you mean `{close[0]}`?"
        if close
        else f"its keys are: {', '.join(sorted(keys))}"
        if keys
        else "remove it"
    )
