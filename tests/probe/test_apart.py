"""Probes are apart from requests: what asks on its own behalf cannot get hold of anything that a caller sent."""

import ast
from pathlib import Path
from typing import Final

import pytest

import policyd.proxy.probe
from tests.project.test_imports import imported_modules

MODULES: Final = sorted(Path(policyd.proxy.probe.__path__[0]).glob("*.py"))

ALLOWED: Final = (
    "policyd.proxy.probe", "policyd.proxy.standing", "policyd.proxy.gate", "policyd.proxy.upstream.errors",
    "policyd.proxy.upstream.protocol", "policyd.proxy.azure", "policyd.proxy.live", "policyd.deploy.model",
    "policyd.policy.program", "policyd.text.printable",
)  # fmt: skip
"""None of these holds a request, or what was read of one."""


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.name)
def test_a_probe_imports_nothing_that_holds_a_request(path: Path) -> None:
    names = [name for _, name in imported_modules(ast.parse(path.read_text())) if name.startswith("policyd")]
    assert [name for name in names if not name.startswith(ALLOWED)] == []
