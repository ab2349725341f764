"""`policyd graph`: forms and views, where the picture goes, and every way in which there is none."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from policyd.cli import graph
from policyd.proofs.find import Budget
from tests.cli.conftest import CLEAN, DEAD, MISSPELT, Run


def test_the_name_of_the_file_says_the_form(run: Run, clean: str, tmp_path: Path) -> None:
    for name, start in (("p.svg", "<svg "), ("p.mmd", "flowchart TB\n"), ("picture", "<svg ")):
        ran = run("graph", clean, "--output", name)
        assert (ran.code, ran.out, ran.err) == (0, "", "")
        assert (tmp_path / name).read_text().startswith(start)
    assert run("graph", clean, "--output", "p.svg", "--format", "mermaid").code == 0
    assert (tmp_path / "p.svg").read_text().startswith("flowchart")


@pytest.mark.parametrize("name", ["p.png", "p.svg.pdf", "p.html"])
def test_another_ending_is_two_and_names_the_formats(name: str, run: Run, clean: str, tmp_path: Path) -> None:
    ran = run("graph", clean, "--output", name)
    assert (ran.code, ran.out) == (2, "")
    assert f"`{name}` says no format: a picture is SVG (.svg) or Mermaid (.mmd)" in ran.err
    assert not (tmp_path / name).exists()
    assert run("graph", clean, "--output", name, "--format", "svg").code == 0


def test_standard_output_gets_mermaid_or_what_is_asked_for(run: Run, clean: str) -> None:
    assert run("graph", clean).out.startswith("flowchart TB\n")
    ran = run("graph", clean, "--format", "svg")
    assert ElementTree.fromstring(ran.out).tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize(
    ("view", "there", "not_there"),
    [
        ("decision", "Classify", "Capabilities"),
        ("guards", "Capabilities", "Classify"),
        ("reach", "by route", "Classify"),
    ],
)
def test_a_view_is_that_part_alone(run: Run, clean: str, view: str, there: str, not_there: str) -> None:
    out = run("graph", clean, "--view", view, "--format", "svg").out
    assert there in out and not_there not in out
    whole = run("graph", clean, "--format", "svg").out
    assert there in whole and not_there in whole


def test_reach_is_told_apart_by_what_is_asked_for(run: Run, clean: str) -> None:
    ran = run("graph", clean, "--view", "reach", "--by", "latency", "--by", "tools", "--by", "sensitivity")
    assert ran.code == 0
    assert "sensitivity confidential" in ran.out
    assert "latency batch" in ran.out
    assert "not tools" in ran.out
    assert ran.out.count("sensitivity confidential") == 1


def test_names_that_reach_cannot_be_told_apart_by_are_all_told(run: Run, clean: str) -> None:
    ran = run("graph", clean, "--by", "latencyx", "--by", "team", "--by", "zzz")
    assert (ran.code, ran.out) == (2, "")
    assert "there is no feature `latencyx`" in ran.err and "did you mean `latency`?" in ran.err
    assert "`team` is no enum, level or flag" in ran.err
    assert "the policy has endpoint" in ran.err


def test_a_dead_route_is_drawn_as_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "dead.policy").write_text(DEAD)
    out = run("graph", "dead.policy", "--view", "decision", "--format", "svg").out
    assert "never decides" in out


def test_a_folder_means_its_one_policy(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(CLEAN)
    assert run("graph", ".").code == 0
    (tmp_path / "other.policy").write_text(CLEAN)
    ran = run("graph", ".")
    assert ran.code == 2
    assert "has 2 policies" in ran.err and "other.policy" in ran.err


@pytest.mark.parametrize(("text", "code"), [(MISSPELT, 1), (None, 2)])
def test_no_picture_of_a_policy_that_cannot_be_read(
    run: Run, tmp_path: Path, text: str | None, code: int
) -> None:
    if text is not None:
        (tmp_path / "main.policy").write_text(text)
    ran = run("graph", "main.policy", "--output", "p.svg")
    assert ran.code == code
    assert not (tmp_path / "p.svg").exists()


def test_a_file_that_cannot_be_written_is_two(run: Run, clean: str) -> None:
    ran = run("graph", clean, "--output", "nowhere/p.svg")
    assert ran.code == 2
    assert "nowhere/p.svg" in ran.err


def test_what_is_not_proved_is_three_and_drawn_all_the_same(
    run: Run, clean: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "budget", lambda: Budget(nodes=0))
    ran = run("graph", clean, "--view", "reach", "--format", "svg")
    assert ran.code == 3
    assert "marks are not proved" in ran.err
    assert 'class="sign not-proved"' in ran.out


def test_what_mermaid_cannot_draw_is_refused_with_the_cure(run: Run, tmp_path: Path) -> None:
    long = " or ".join(f'team == "{"<" * 60}{i}"' for i in range(40))
    guards = "\n".join(
        f'guard g{i} forbid location == cloud when {long} because "{"<" * 300}"' for i in range(30)
    )
    routes = "\n".join(f"route r{i} to cloud, local when {long} or hour == {i % 24}" for i in range(60))
    text = CLEAN.partition("\nguard stays_home")[0]
    denies = "\n".join(f'deny d{i} when {long} and hour == {i} because "{"<" * 300}"' for i in range(20))
    (tmp_path / "big.policy").write_text(f'{text}\n{guards}\n{denies}\n{routes}\notherwise reject "no"\n')
    ran = run("graph", "big.policy")
    assert ran.code == 2
    assert "too large for Mermaid" in ran.err and "--format svg" in ran.err
    assert run("graph", "big.policy", "--output", "big.svg").code == 0
