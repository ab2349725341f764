"""System messages inside a conversation, said as the user's."""

import copy
from typing import Any

import pytest

from policyd.translate.later_system import as_users

Json = dict[str, Any]


def message(role: str, content: Any) -> Json:
    return {"role": role, "content": content}


def part(words: str) -> Json:
    return {"type": "text", "text": words}


def reminder(words: str) -> Json:
    return part(f"<system-reminder>\n{words}\n</system-reminder>")


IMAGE: Json = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
S, U, A, T = message("system", "s"), message("user", "u"), message("assistant", "a"), message("tool", "t")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], []),
        ([S, U, A, U], [S, U, A, U]),
        ([S, S, U], [S, S, U]),
        ([S], [S]),
        ([U, U], [U, U]),
        ([S, U, message("system", "l")], [S, message("user", [part("u"), reminder("l")])]),
        ([U, message("developer", [part("l"), part("m")]), A], [message("user", [part("u"), reminder("l"), reminder("m")]), A]),
        ([S, A, message("system", "l"), U], [S, A, message("user", [reminder("l"), part("u")])]),
        ([U, A, T, message("system", "l")], [U, A, T, message("user", [reminder("l")])]),
        ([message("user", [IMAGE]), message("system", "l"), U], [message("user", [IMAGE, reminder("l"), part("u")])]),
        ([U, message("system", "l"), message("system", "m"), A, U, U], [message("user", [part("u"), reminder("l"), reminder("m")]), A, U, U]),
    ],
)  # fmt: skip
def test_only_the_first_ones_are_the_systems(given: list[Json], said: list[Json]) -> None:
    before = copy.deepcopy(given)
    assert as_users(given) == said
    assert given == before
