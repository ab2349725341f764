"""Mermaid text: labels that nothing can end, limits that are told, and Mermaid's own parser where it is installed."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings

from policyd.graph.mermaid import MOST_EDGES, mermaid, too_large
from policyd.graph.model import Drawing
from policyd.graph.page import VIEWS, View
from tests.graph.drawn import NO_SHRINKING, POLICIES, ROOT, drawing_of, drawings, program_at, views

LABEL: Final = re.compile(r'"(?:[A-Za-z0-9 _.,()=…–/-]|#[0-9]+;|<br/>)*"')
LINE: Final = re.compile(
    r"flowchart (TB|LR)|    classDef \w+ [\w#:,-]+( \d)?"
    r"|\s*(direction (TB|LR)|subgraph \w+ \[L\]|end"
    r"|\w+(\[L\]|\(\[L\]\)|\{\{L\}\}|\[\[L\]\]|\(\[any request\]\))(:::\w+)?"
    r"|\w+ (-->|-\.->|--x)(\|[a-z ]+\|)? \w+)"
)
NODE_MODULES: Final = os.environ.get("POLICYD_NODE_MODULES", "")
PARSER: Final = Path(__file__).with_name("parse_mermaid.mjs")

real_parser = pytest.mark.skipif(
    not (shutil.which("node") and Path(NODE_MODULES, "mermaid").is_dir() and Path(NODE_MODULES, "jsdom").is_dir()),
    reason="needs node, and POLICYD_NODE_MODULES naming a node_modules folder with mermaid and jsdom (npm i mermaid jsdom)",
)  # fmt: skip


def parsed(texts: list[str]) -> list[str]:
    """What Mermaid's parser says of each text; empty where it takes it."""
    done = subprocess.run(
        ["node", str(PARSER), NODE_MODULES],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
    )
    return list(json.loads(done.stdout))


@given(drawings(), views())
@settings(max_examples=60, phases=NO_SHRINKING)
def test_every_line_has_its_form_whatever_the_texts_are(drawing: Drawing, wanted: tuple[View, ...]) -> None:
    text = mermaid(drawing, wanted)
    for line in text.splitlines():
        assert LINE.fullmatch(LABEL.sub("L", line)), line
    assert text.endswith("\n") and text == mermaid(drawing, wanted)


@given(drawings())
@settings(max_examples=30, phases=NO_SHRINKING)
def test_every_edge_leads_from_node_to_node(drawing: Drawing) -> None:
    text = LABEL.sub("L", mermaid(drawing))
    nodes = re.findall(r"^\s*(\w+)[\[({]", text, re.MULTILINE)
    ends = re.findall(r"^\s*(\w+) (?:-->|-\.->|--x)\S*(?:[a-z ]+\|)? (\w+)$", text, re.MULTILINE)
    assert len(nodes) == len(set(nodes))
    assert {end for edge in ends for end in edge} <= set(nodes)


def test_the_decision_reads_from_top_to_bottom() -> None:
    text = mermaid(drawing_of(program_at(ROOT / "policies/coding-team.policy")), ("decision",))
    assert text.startswith('flowchart TB\n    request(["request"])\n')
    assert '    r1{{"route latency<br/>latency == critical"}}:::rule\n    r0 -->|else| r1\n' in text
    assert '    r1p["fast<br/>then gpu"]:::away\n' in text
    assert "    r4 -->|else| o\n" in text


def test_reach_lists_what_each_value_gets_to() -> None:
    text = mermaid(drawing_of(program_at(ROOT / "policies/coding-team.policy")), ("reach",))
    assert 'v0_1(["sensitivity confidential"]):::level' in text
    assert '"on premises<br/>gpu<br/>gpu_long"' in text
    assert "v0_1p1" not in text, "no confidential request gets to the cloud"


def test_what_mermaid_would_refuse_is_told() -> None:
    assert too_large("flowchart TB\n") is None
    assert too_large("a --> b\n" * (MOST_EDGES + 1)) == "it has 501 edges, and Mermaid draws 500"
    assert "characters" in (too_large("x" * 50_001) or "")


@real_parser
@pytest.mark.parametrize("path", POLICIES)
def test_mermaid_takes_the_pictures_of_policies_that_ship(path: str) -> None:
    drawing = drawing_of(program_at(ROOT / path), ("endpoint",))
    texts = [mermaid(drawing, wanted) for wanted in (VIEWS, *((view,) for view in VIEWS))]
    assert parsed(texts) == [""] * len(texts)


@real_parser
@given(drawings())
@settings(max_examples=15, deadline=None, phases=NO_SHRINKING)
def test_mermaid_takes_any_picture(drawing: Drawing) -> None:
    texts = [mermaid(drawing, wanted) for wanted in (VIEWS, *((view,) for view in VIEWS))]
    assert parsed(texts) == [""] * len(texts)
