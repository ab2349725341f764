"""Which part of policyd may import which. The table is the architecture; `docs/architecture.md` explains it.

Read from the syntax trees of all modules, so an import under `TYPE_CHECKING` or inside a function counts as well.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import policyd

PACKAGE: Final = Path(policyd.__file__).parent

ALLOWED: Final[dict[str, frozenset[str]]] = {
    "text": frozenset(),
    "syntax": frozenset({"text", "grammar"}),
    "policy": frozenset({"text"}),
    "resolve": frozenset({"syntax", "policy", "text"}),
    "engine": frozenset({"policy", "text"}),
    "proofs": frozenset({"engine", "policy", "text"}),
    "compare": frozenset({"proofs", "engine", "policy", "text"}),
    "graph": frozenset({"proofs", "engine", "policy", "text"}),
    "explain": frozenset({"proofs", "engine", "policy", "text"}),
    "reports": frozenset({"policy", "text"}),
    "trials": frozenset({"proofs", "engine", "policy", "text"}),
    "deploy": frozenset({"detect", "policy", "text"}),
    "memo": frozenset(),
    "detect": frozenset({"memo"}),
    "plugins": frozenset({"memo"}),
    "traffic": frozenset({"memo", "policy"}),
    "redact": frozenset({"detect", "traffic"}),
    "translate": frozenset(),
    "pipeline": frozenset({"syntax", "resolve", "engine", "proofs", "trials", "policy", "text"}),
    "proxy": frozenset({"memo", "detect", "plugins", "traffic", "redact", "translate", "deploy", "engine", "proofs", "pipeline", "policy", "text"}),
    "demo": frozenset(),
    "cli": frozenset(
        {"compare", "detect", "explain", "graph", "reports", "demo", "deploy", "engine", "pipeline", "policy", "proofs", "proxy", "resolve", "syntax", "text", "traffic", "translate", "trials"}
    ),
    "__main__": frozenset({"cli"}),
}  # fmt: skip
"""Part to the parts it may import, itself aside. Nobody imports `cli` but the module that `python -m policyd` runs."""

MODULES: Final = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


def part_of(path: Path) -> str:
    """The package, or the single module at the top, that a file belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_modules(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of everything imported. `from policyd.a import b` names `policyd.a.b`, which may be a module."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                yield from ((node.lineno, "." * level + f"{module or ''}.{alias.name}") for alias in names)


def imported_parts(source: str) -> Iterator[tuple[int, str]]:
    """Line and part of every import of policyd's own. The version in `policyd/__init__.py` is no part."""
    for line, name in imported_modules(ast.parse(source)):
        if name.startswith("."):
            yield line, name
        elif name.startswith("policyd.") and name != "policyd.__version__":
            yield line, name.split(".")[1]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_a_module_imports_only_what_the_table_allows(path: Path) -> None:
    part = part_of(path)
    assert part in ALLOWED, f"{part} has no row in the import table"
    allowed = ALLOWED[part] | {part}
    wrong = [f"{path}:{line}: {part} may not import {name}" for line, name in imported_parts(path.read_text()) if name not in allowed]  # fmt: skip
    assert not wrong, "\n".join(wrong)


def test_the_table_has_no_circle() -> None:
    settled: set[str] = {"grammar"}
    left = dict(ALLOWED)
    while left:
        free = [part for part, below in left.items() if below <= settled]
        assert free, f"these import each other in a circle: {sorted(left)}"
        for part in free:
            settled.add(part)
            del left[part]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from policyd.engine.matrix import build", ["engine"]),
        ("import policyd.engine.matrix as m", ["engine"]),
        ("from policyd import engine, text", ["engine", "text"]),
        ("from policyd import __version__", []),
        ("if TYPE_CHECKING:\n    from policyd.syntax.nodes import Module", ["syntax"]),
        ("def f():\n    from policyd.cli import main", ["cli"]),
        ("from ..engine import matrix", ["..engine.matrix"]),
        ("import policyd", []),
        ("import orjson", []),
    ],
)
def test_no_form_of_import_escapes_the_reader(source: str, found: list[str]) -> None:
    assert [name for _, name in imported_parts(source)] == found


def table_of_imports() -> str:
    rows = (
        f"| `{part}` | {', '.join(f'`{b}`' for b in sorted(below)) or 'nothing'} |"
        for part, below in ALLOWED.items()
    )
    return "| part | may import |\n|---|---|\n" + "\n".join(rows) + "\n"


def test_the_architecture_document_shows_this_table() -> None:
    document = (PACKAGE.parent / "docs" / "architecture.md").read_text()
    between = document.partition("<!-- import-table -->\n")[2].partition("<!-- end -->")[0]
    assert between == table_of_imports(), "paste this between the marks:\n" + table_of_imports()
