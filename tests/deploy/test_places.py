"""The places of keys agree with what `tomllib` reads: every value is found, and its text means the same."""

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyd.deploy.places import Path, locate

WRITTEN = """\
# comment = 1
a = 1 # x = 2
"quoted key" = 'it''s'
[t] # a table
"b.c".d = "# no = comment \\" ]"
e = [ 1, [2, 3], # inside
  { f = "}", g = ['x'] },
]
[t.u]
h = \"\"\"
i = "not a key"
\"\"\"
j = '''
[k]'''
[[list]]
m = 1
[list.sub]
n = 2
[[list]]
m = 3
[[list.deep]]
o = 1979-05-27T07:32:00Z
[[list.deep]]
o = 4
"""


def leaves(data: Any, path: Path = ()) -> list[tuple[Path, Any]]:
    if isinstance(data, dict):
        return [leaf for key, value in data.items() for leaf in leaves(value, (*path, key))]
    if isinstance(data, list):
        return [leaf for index, value in enumerate(data) for leaf in leaves(value, (*path, index))]
    return [(path, data)]


def agrees(text: str) -> None:
    known = locate(text).known
    for path, value in leaves(tomllib.loads(text)):
        start, end = known[path].value
        assert tomllib.loads("v = " + text[start:end])["v"] == value, path
        for length in range(1, len(path)):
            assert path[:length] in known


def test_a_file_with_everything_toml_has() -> None:
    agrees(WRITTEN.replace("'it''s'", "'its'"))


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (("a",), "a"),
        (("quoted key",), '"quoted key"'),
        (("t",), "t"),
        (("t", "b.c"), '"b.c"'),
        (("t", "b.c", "d"), "d"),
        (("t", "e", 1, 0), "2"),
        (("t", "e", 2, "g", 0), "'x'"),
        (("t", "u", "j"), "j"),
        (("list", 1, "deep", 1, "o"), "o"),
    ],
)
def test_a_key_is_pointed_at(path: Path, key: str) -> None:
    text = WRITTEN.replace("'it''s'", "'its'")
    start, end = locate(text).known[path].key
    assert text[start:end] == key


def test_what_was_not_written_is_as_near_as_possible() -> None:
    places = locate("[a.b]\nc = 1\n")
    assert places.nearest(("a", "b", "nope")) == places.known[("a", "b")]
    assert places.nearest(("nope",)) is None


NAMES = st.sampled_from(["a", "b-1", "x y", "#", "é", "a.b", '"', "'"])
STRINGS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8)
VALUES = st.recursive(
    st.integers(-9, 9) | st.booleans() | STRINGS, lambda v: st.lists(v, max_size=3), max_leaves=6
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, max_size=4), max_size=4),
    st.sampled_from(["", " ", "\t"]),
)
def test_any_file_of_tables(tables: dict[str, dict[str, Any]], space: str) -> None:
    lines = []
    for name, table in tables.items():
        lines.append(f"[{space}{json.dumps(name, ensure_ascii=False)}{space}]{space}# [x]")
        lines += [
            f"{space}{json.dumps(k, ensure_ascii=False)}{space}={space}{as_toml(v)}" for k, v in table.items()
        ]
    agrees("\n".join(lines))


def as_toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ",\n ".join(as_toml(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)
