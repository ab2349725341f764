"""policyd works from a wheel and from an editable install, with its grammar and its types.

Built without the network: the tests' own environment provides the build backend and the dependencies.
"""

import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PARTS_OF_A_BUILD: Final = ("pyproject.toml", "README.md", "LICENSE", "policyd", "grammar", "docs")
PIP: Final = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
POLICY: Final = """edition 1

target rack { location on_prem  context 8k  speaks chat }
route all to rack
otherwise reject "nothing may serve this"
"""
PARSES: Final = (
    "import policyd, sys; from pathlib import Path; from policyd.text.source import Source;"
    "from policyd.syntax.parse import parse; parsed = parse(Source('p.policy', sys.stdin.read()));"
    "assert not parsed.diagnostics and parsed.module, parsed.diagnostics; print(Path(policyd.__file__).parent)"
)

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path, given: str = "") -> str:
    done = subprocess.run(command, cwd=cwd, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what a build reads, so that building leaves nothing in the working tree."""
    copy = tmp_path / "checkout"
    copy.mkdir()
    for name in PARTS_OF_A_BUILD:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(source, copy / name)
    return copy


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment that has the dependencies and not policyd: a path file brings the packages of this
    environment, and path files in there (an editable policyd) are not read a second time."""
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    site = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip()
    )
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def build_wheel(checkout: Path, out: Path) -> Path:
    run(*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", out, checkout, cwd=out.parent)
    (wheel,) = out.glob("*.whl")
    return wheel


def test_a_wheel_holds_the_grammar_and_the_types_and_works(
    checkout: Path, environment: Path, tmp_path: Path
) -> None:
    wheel = build_wheel(checkout, tmp_path / "wheels")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "policyd/py.typed" in names
    grammars = {
        f"policyd/grammar/{p.name}" for p in (ROOT / "grammar").iterdir() if p.suffix in {".lark", ".json"}
    }
    assert grammars
    assert grammars <= names
    pages = {f"policyd/rules/{p.name}" for p in (ROOT / "docs" / "rules").glob("*.md")}
    assert pages
    assert pages <= names
    modules = {p.relative_to(checkout).as_posix() for p in (checkout / "policyd").rglob("*.py")}
    assert modules <= names, "a package is missing from pyproject.toml"

    python = environment / "bin" / "python"
    run(*PIP, "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    home = run(python, "-c", PARSES, cwd=tmp_path, given=POLICY).strip()
    assert Path(home).is_relative_to(environment)
    assert "check" in run(environment / "bin" / "policyd", "--help", cwd=tmp_path)
    assert run(environment / "bin" / "policyd", "rule", "PD305", cwd=tmp_path).startswith(
        "PD305: dead rule\n"
    )


def test_an_editable_install_finds_the_grammar_of_the_checkout(
    checkout: Path, environment: Path, tmp_path: Path
) -> None:
    python = environment / "bin" / "python"
    run(*PIP, "--python", python, "install", "--no-deps", "--no-index", "--no-build-isolation", "-e", checkout, cwd=tmp_path)  # fmt: skip
    home = run(python, "-c", PARSES, cwd=tmp_path, given=POLICY).strip()
    assert Path(home).is_relative_to(checkout)
    assert run(environment / "bin" / "policyd", "rule", "PD305", cwd=tmp_path).startswith(
        "PD305: dead rule\n"
    )
