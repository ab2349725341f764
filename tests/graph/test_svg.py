"""The file: well-formed, nothing in it that runs or fetches, every text whole or told whole, the same every time."""

import subprocess
import sys
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from hypothesis import given, settings

from policyd.graph.measure import clean
from policyd.graph.model import Drawing
from policyd.graph.page import VIEWS, View, scene
from policyd.graph.scene import all_boxes
from policyd.graph.svg import svg
from tests.graph.drawn import NO_SHRINKING, ROOT, drawing_of, drawings, program_at, views

SPACE: Final = "{http://www.w3.org/2000/svg}"
ALLOWED: Final = {"svg", "title", "desc", "style", "g", "rect", "path", "circle", "text"}
ATTRIBUTES: Final = {
    "class", "cx", "cy", "d", "height", "id", "lengthAdjust", "r", "role", "rx", "textLength", "transform", "viewBox", "width",
    "x", "y", "aria-labelledby",
}  # fmt: skip


@given(drawings(), views())
@settings(max_examples=60, phases=NO_SHRINKING)
def test_any_text_leaves_it_well_formed_and_inert(drawing: Drawing, wanted: tuple[View, ...]) -> None:
    root = ElementTree.fromstring(svg(scene(drawing, wanted)))
    for element in root.iter():
        assert element.tag.removeprefix(SPACE) in ALLOWED
        assert set(element.attrib) <= ATTRIBUTES
        for value in element.attrib.values():
            assert "url(" not in value and "javascript" not in value
    style = root.find(f"{SPACE}style")
    assert style is not None and style.text is not None
    assert "@import" not in style.text and "url(" not in style.text


@given(drawings())
@settings(max_examples=40, phases=NO_SHRINKING)
def test_every_line_is_there_and_what_was_cut_is_told(drawing: Drawing) -> None:
    picture = scene(drawing)
    root = ElementTree.fromstring(svg(picture))
    found = list(root.iter(f"{SPACE}text"))
    drawn = [text for box, _, _ in all_boxes(picture.box) for text in box.texts]
    assert sorted(t.text or "" for t in found) == sorted(t.text for t in drawn)
    for element in found:
        assert "\n" not in (element.text or "")
    told = {title.text for element in found for title in element.findall(f"{SPACE}title")}
    assert told == {clean(t.whole) or None for t in drawn if t.whole is not None}


@given(drawings())
@settings(max_examples=20, phases=NO_SHRINKING)
def test_the_same_drawing_is_the_same_file(drawing: Drawing) -> None:
    assert svg(scene(drawing)) == svg(scene(drawing))


def test_the_same_policy_is_the_same_file_in_another_process() -> None:
    path = ROOT / "policies" / "regulated.policy"
    here = svg(scene(drawing_of(program_at(path))))
    code = (
        "import sys; from pathlib import Path; from tests.graph.drawn import NO_SHRINKING, drawing_of, program_at;"
        "from policyd.graph.page import scene; from policyd.graph.svg import svg;"
        f"sys.stdout.write(svg(scene(drawing_of(program_at(Path({str(path)!r}))))))"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-X", "utf8", "-c", code],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
        )
        assert done.stdout.decode() == here


def test_it_says_what_it_shows_to_who_cannot_see_it() -> None:
    root = ElementTree.fromstring(svg(scene(drawing_of(program_at(ROOT / "policies/regulated.policy")))))
    assert root.attrib["role"] == "img"
    ids = root.attrib["aria-labelledby"].split()
    assert [root.find(f"{SPACE}{tag}").attrib["id"] for tag in ("title", "desc")] == ids  # type: ignore[union-attr]
    said = root.findtext(f"{SPACE}desc") or ""
    assert "Route europe sends requests with origin == eu to hosted_eu, then vault_eu." in said
    assert "hosted_eu (cloud) can be reached with sensitivity public, internal." in said


def test_it_has_colours_for_light_and_dark_pages() -> None:
    text = svg(scene(drawing_of(program_at(ROOT / "policies/regulated.policy")), VIEWS))
    assert "@media(prefers-color-scheme:dark)" in text
    assert "<script" not in text and "<image" not in text and "href" not in text


def test_a_policy_cannot_put_markup_into_it(tmp_path: Path) -> None:
    policy = tmp_path / "evil.policy"
    policy.write_text(
        "edition 1\n"
        "target rack { location on_prem context 8k speaks chat }\n"
        "deny d when stream because \"</text><script>alert(1)</script><text onload='x'>\"\n"
        'route r to rack when model == "]]>&<!--"\n'
        'otherwise reject "<style>*{display:none}</style>"\n'
    )
    text = svg(scene(drawing_of(program_at(policy))))
    root = ElementTree.fromstring(text)
    assert {e.tag.removeprefix(SPACE) for e in root.iter()} <= ALLOWED
    assert "</text><script>alert(1)</script>" in "".join(t.text or "" for t in root.iter(f"{SPACE}text"))
