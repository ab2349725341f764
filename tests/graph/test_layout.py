"""No two boxes overlap, all text lies in its box, and no line crosses text: in any picture of any drawing."""

from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings

from policyd.graph.measure import FONTS, width
from policyd.graph.model import Drawing
from policyd.graph.page import VIEWS, View, scene
from policyd.graph.scene import SIGN, Box, Text, all_boxes
from tests.graph.drawn import NO_SHRINKING, POLICIES, ROOT, drawing_of, drawings, program_at, views

Area = tuple[int, int, int, int]


def area_of_text(text: Text) -> Area:
    size = FONTS[text.font].size
    return text.x, text.y - round(size * 0.8), text.x + text.width, text.y + round(size * 0.25)


def overlap(a: Area, b: Area) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def within(a: Area, box: Box) -> bool:
    return a[0] >= 0 and a[1] >= 0 and a[2] <= box.width and a[3] <= box.height


def contents(box: Box) -> list[Area]:
    """What lies side by side in a box, relative to it."""
    out = [(b.x, b.y, b.x + b.width, b.y + b.height) for b in box.boxes if b.width and b.height]
    out += [area_of_text(t) for t in box.texts if t.width]
    return out + [(s.x, s.y, s.x + SIGN, s.y + SIGN) for s in box.signs]


def check(box: Box) -> None:
    for inner, _, _ in all_boxes(box):
        inside = contents(inner)
        for area in inside:
            assert within(area, inner), (area, inner)
        for a, b in combinations(inside, 2):
            assert not overlap(a, b), (a, b, inner)
        for text in inner.texts:
            assert text.width == width(text.text, FONTS[text.font])


def check_lines(box: Box) -> None:
    texts = [
        (x + a, y + b, x + c, y + d)
        for inner, x, y in all_boxes(box)
        for a, b, c, d in (area_of_text(t) for t in inner.texts if t.width)
    ]
    for inner, x, y in all_boxes(box):
        for stroke in inner.strokes:
            for (a, b), (c, d) in zip(stroke.points, stroke.points[1:], strict=False):
                assert a == c or b == d, "lines run straight down or straight across"
                line = (x + min(a, c), y + min(b, d), x + max(a, c) + 1, y + max(b, d) + 1)
                assert not any(overlap(line, text) for text in texts), (stroke, inner)


@given(drawings(), views())
@settings(max_examples=60, phases=NO_SHRINKING)
def test_boxes_and_texts_keep_apart_and_inside(drawing: Drawing, wanted: tuple[View, ...]) -> None:
    check(scene(drawing, wanted).box)


@given(drawings(), views())
@settings(max_examples=40, phases=NO_SHRINKING)
def test_no_line_crosses_text(drawing: Drawing, wanted: tuple[View, ...]) -> None:
    check_lines(scene(drawing, wanted).box)


@pytest.mark.parametrize("path", POLICIES)
def test_policies_that_ship_are_drawn_cleanly(path: str) -> None:
    box = scene(drawing_of(program_at(ROOT / Path(path)), ("endpoint",)), VIEWS).box
    check(box)
    check_lines(box)


@given(drawings())
@settings(max_examples=20, phases=NO_SHRINKING)
def test_everything_that_is_drawn_lies_on_the_page(drawing: Drawing) -> None:
    box = scene(drawing).box
    for inner, x, y in all_boxes(box):
        assert x >= 0 and y >= 0 and x + inner.width <= box.width and y + inner.height <= box.height
