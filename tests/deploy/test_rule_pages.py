"""The pages of PD5xx and the reference of the deployment file: what they say is rejected is rejected with that code and
message, what they say is accepted is."""

import re
from pathlib import Path
from typing import Final

import pytest

from policyd.cli.deployments import Draft, binding_findings
from policyd.deploy.file import TABLES
from policyd.deploy.read import read_deployment
from policyd.resolve.load import load
from policyd.text.codes import CODES
from policyd.text.diagnostic import Diagnostic

PAGES: Final = Path(__file__).parents[2] / "docs" / "rules"
FENCE: Final = re.compile(r"^```([a-z ]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OURS: Final = sorted(code for code in CODES if code.startswith("PD5"))
DEFAULTS: Final = (
    ("[identity]", '[identity]\nkind = "loopback"\nteam = "search"\nuser = "ana"\n'),
    ("[targets.", '[targets.gpu]\nurl = "http://127.0.0.1:8000"\ndialects = ["openai"]\n'),
)


def blocks(code: str) -> list[tuple[str, str]]:
    return [(info, text) for info, text in FENCE.findall((PAGES / f"{code}.md").read_text())]


def found(folder: Path, policy: str, toml: str) -> tuple[Diagnostic, ...]:
    path = folder / "policyd.toml"
    path.write_text(
        'policy = "x.policy"\n' + toml + "".join(text for key, text in DEFAULTS if key not in toml)
    )
    loaded = read_deployment(path, {"GIVEN": "sk-1"})
    if loaded.deployment is None or not policy:
        return loaded.diagnostics
    by_team = "" if "string team" in policy else "string team from identity unknown reject\n"
    root = folder / "x.policy"
    root.write_text(f'edition 1\n{by_team}{policy}\nroute all to gpu\notherwise reject "no"\n')
    checked = load(root)
    assert checked.program is not None, [d.message for d in checked.diagnostics]
    return binding_findings(checked.program, Draft(loaded.deployment, loaded.author))


def shown_place(diagnostic: Diagnostic) -> str:
    """The place as the page counts it: the first line is the example's own."""
    assert diagnostic.span is not None
    name, line, column = diagnostic.span.place.rsplit(":", 2)
    if not name.endswith(".toml"):
        return ""
    return f"{Path(name).name}:{int(line) - 1}:{column}: "


@pytest.mark.parametrize(
    "code", [code for code in OURS if code not in ("PD501", "PD510", "PD511", "PD557", "PD561")]
)
def test_a_page_rejects_and_accepts_what_it_says(code: str, tmp_path: Path) -> None:
    parts = blocks(code)
    policy = "".join(text for info, text in parts if info == "policy")
    rejected = [text for info, text in parts if info == "toml reject"]
    assert rejected, "the page shows no mistake"
    said = "".join(text for info, text in parts if info == "")
    for text in rejected:
        matching = [d for d in found(tmp_path, policy, text) if d.code == code]
        assert matching
        assert f"{shown_place(matching[0])}{matching[0].severity}[{code}] {matching[0].message}\n" in said
        assert matching[0].help is None or f"help: {matching[0].help}" in said
    for text in (text for info, text in parts if info == "toml accept"):
        assert code not in [d.code for d in found(tmp_path, policy, text)]


def test_the_examples_of_the_reference_are_accepted(tmp_path: Path) -> None:
    reference = (PAGES.parent / "deployment.md").read_text()
    examples = [text for info, text in FENCE.findall(reference) if info == "toml accept"]
    assert len(examples) == 5
    for text in examples:
        (tmp_path / "policyd.toml").write_text(text)
        assert read_deployment(tmp_path / "policyd.toml", {"GIVEN": "sk-1"}).diagnostics == ()


def test_the_reference_names_every_key() -> None:
    reference = (PAGES.parent / "deployment.md").read_text()
    missing = {key for keys in TABLES.values() for key in keys if not re.search(rf"[`.\[]{key}\b", reference)}
    assert missing == set()
