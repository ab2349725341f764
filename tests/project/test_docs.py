"""The documents agree with the code and with each other: the index of rules, and every link between files."""

import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from policyd.text.codes import CODES

ROOT: Final = Path(__file__).parents[2]
DOCUMENTS: Final = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").rglob("*.md")]
)
LINK: Final = re.compile(r"\[[^\]]*\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")


def index_of_rules() -> str:
    rows = (
        f"| [{c.code}](rules/{c.code}.md) | {c.severity} | {c.title} |"
        for c in sorted(CODES.values(), key=lambda c: c.code)
    )
    return "| code | severity | meaning |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def test_the_index_of_rules_is_the_table_of_codes() -> None:
    document = (ROOT / "docs" / "rules.md").read_text()
    between = document.partition("<!-- rules -->\n")[2].partition("<!-- end -->")[0]
    assert between == index_of_rules(), "paste this between the marks:\n" + index_of_rules()


def headings(document: Path) -> set[str]:
    """The anchors that a page of this text has."""
    titles = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(document: Path) -> None:
    for path, anchor in LINK.findall(document.read_text()):
        target = (document.parent / path) if path else document
        assert target.exists(), f"{document}: {path} does not exist"
        assert not anchor or anchor in headings(target), f"{document}: {path} has no heading #{anchor}"


@pytest.mark.parametrize("command", ["test", "demo", "check", "../.ci/run"])
def test_a_command_of_the_readme_can_be_run(command: str) -> None:
    script = (ROOT / "scripts" / command).resolve()
    assert script.stat().st_mode & 0o111, f"{script} is not executable"


def test_the_continuous_integration_runs_the_test_command() -> None:
    script = ROOT / ".ci" / "run"
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    assert "scripts/test" in script.read_text()
    assert "python3 scripts/test" in (ROOT / "README.md").read_text()
