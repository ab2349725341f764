"""The parser's LALR tables, kept beside the grammar so that no start has to work them out.

In come the grammar's text and the kept tables; out goes the parser, or None where the tables are not for this grammar and
this Lark, and then the caller builds it. The tables are data (JSON), never code: the worst that a wrong file can do is to be
passed over. `tables_text` writes them; `scripts/tables` puts them in their place and a test keeps them current.
"""

import json
from hashlib import blake2b
from typing import Any, Final

import lark
from lark import Lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

__all__ = ["parser_from", "tables_text"]

_FORM: Final = 1


def tables_text(parser: Lark, grammar: str) -> str:
    """The tables of a parser that was built from `grammar`, with what they are for. One line for each state, so that a
    change of the grammar is a change of lines."""
    data, memo = parser.memo_serialize([TerminalDef, Rule])
    data = {**data, "options": {**data["options"], "lexer": None, "transformer": None}}
    tables = data["parser"]["parser"]
    data["parser"] = {
        **data["parser"],
        "lexer_conf": {**data["parser"]["lexer_conf"], "lexer_type": None},
        "parser": {**tables, "states": None},
    }
    head = {"for": _key(grammar), "lark": lark.__version__, "memo": memo, "data": data}
    states = ",\n".join(f'"{n}":{_compact(row)}' for n, row in sorted(tables["states"].items()))
    return f'{{"head":{_compact(head)},\n"states":{{\n{states}\n}}}}\n'


def parser_from(text: str, grammar: str, *, lexer: type, transformer: object) -> Lark | None:
    """The parser of `grammar`, if the tables are for it."""
    try:
        kept = json.loads(text)
        head = kept["head"]
        if head["for"] != _key(grammar):
            return None
    except (ValueError, KeyError, TypeError):
        return None
    data = head["data"]
    data["options"]["lexer"] = lexer
    data["parser"]["lexer_conf"]["lexer_type"] = lexer
    tables = data["parser"]["parser"]
    tables["states"] = {
        int(state): {int(token): action for token, action in row.items()}
        for state, row in kept["states"].items()
    }
    tables["tokens"] = _numbered(tables["tokens"])
    loaded: Any = {"data": data, "memo": _numbered(head["memo"])}
    parser: Lark = Lark.__new__(Lark)._load(loaded, transformer=transformer)
    return parser


def _key(grammar: str) -> str:
    """What the tables depend on: the grammar, Lark, and the form of the file."""
    return blake2b(f"{_FORM}\0{lark.__version__}\0{grammar}".encode(), digest_size=16).hexdigest()


def _numbered(table: dict[str, Any]) -> dict[int, Any]:
    """JSON's keys are strings; Lark's are numbers."""
    return {int(key): value for key, value in table.items()}


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
