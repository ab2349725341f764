"""What an image costs in tokens, by the rules that vendors publish.

Comes in: an image's width and height, where they are known, and how closely it is to be looked at. Goes out: tokens.

The one idea: there are two questions. Before a target is chosen nobody knows whose model will look, so what a policy reads is
the most that any model behind this dialect charges (`most_in_anthropic`, `most_in_openai`). Where the model's name is known
(to compare with what its server reports), `image_tokens` has that family's own rule.

docs/tokens.md has the rules with their sources. Whoever adds a family here adds it there.
"""

import re
from collections.abc import Callable
from math import ceil, sqrt
from typing import Final, NamedTuple

__all__ = [
    "BOUNDED_IMAGE_TOKENS",
    "LARGE_IMAGE_TOKENS",
    "SCALED_IMAGE_TOKENS",
    "Picture",
    "image_tokens",
    "most_in_anthropic",
    "most_in_openai",
]

SCALED_IMAGE_TOKENS: Final = 4_784
"""In Anthropic's dialect, the most for one image: its servers scale down whatever is larger."""

BOUNDED_IMAGE_TOKENS: Final = 3_779
"""In OpenAI's dialect with `detail` `low` or `high`: 1,536 patches, times the largest factor of a family."""

LARGE_IMAGE_TOKENS: Final = 30_000
"""In OpenAI's dialect otherwise (`auto`, `original`, none): newer models take an image as it is, up to so many patches."""


class Picture(NamedTuple):
    """An image as a request has it. `bound` is what it counts with in the policy's number of tokens."""

    width: int
    height: int
    detail: str
    bound: int


def _patches(width: float, height: float, edge: int) -> int:
    return ceil(width / edge) * ceil(height / edge)


def most_in_anthropic(size: tuple[int, int] | None) -> int:
    """The most that an image costs at an Anthropic server."""
    return SCALED_IMAGE_TOKENS if size is None else _claude(*size, 2576, SCALED_IMAGE_TOKENS)


def most_in_openai(size: tuple[int, int] | None, detail: object) -> int:
    """The most that an image costs at a server of OpenAI's dialect, open models with patches of 28 pixels among them."""
    scaled = detail in ("low", "high")
    if size is None:
        return BOUNDED_IMAGE_TOKENS if scaled else LARGE_IMAGE_TOKENS
    patches = _patches(*size, 32)
    bounded = max(_tiles(*size, 85, 170), min(ceil(2.46 * patches), BOUNDED_IMAGE_TOKENS), min(patches, 2500))
    return bounded if scaled else max(bounded, min(_patches(*size, 28), LARGE_IMAGE_TOKENS))


def _claude(width: int, height: int, longest: int, most: int) -> int:
    """Patches of 28 pixels, after the image was scaled to fit the longest edge and the most tokens."""
    scale = min(1.0, longest / max(width, height))
    return min(_patches(width * scale, height * scale, 28), most)


def _tiles(width: int, height: int, base: int, tile: int) -> int:
    """Tiles of 512 pixels, after the image was scaled to fit 2048 by 2048 and then its short edge to 768."""
    scale = min(1.0, 2048 / max(width, height))
    scale = min(scale, 768 / min(width, height))
    return base + tile * _patches(width * scale, height * scale, 512)


def _budgeted(width: int, height: int, most: int, longest: int, factor: float) -> int:
    """Patches of 32 pixels, after the image was scaled to so many and to its longest edge, times a family's factor."""
    scale = min(1.0, longest / max(width, height))
    patches = _patches(width * scale, height * scale, 32)
    if patches > most:
        scale = min(scale, sqrt(most * 32 * 32 / (width * height)))
        patches = min(_patches(width * scale, height * scale, 32), most)
    return ceil(patches * factor)


_Rule = Callable[[int, int, str], int]


def _tiled(base: int, tile: int) -> _Rule:
    return lambda width, height, detail: base if detail == "low" else _tiles(width, height, base, tile)


def _patched(factor: float, high: int = 1536, whole: int = 1536, longest: int = 2048) -> _Rule:
    """`whole`: patches where nothing is asked for, and `longest` the edge to which it is scaled then."""

    def rule(width: int, height: int, detail: str) -> int:
        if detail == "low":
            return _budgeted(width, height, 256, 512, factor)
        if detail == "high":
            return _budgeted(width, height, high, 2048, factor)
        return _budgeted(width, height, whole, longest, factor)

    return rule


_FAMILIES: Final[tuple[tuple[re.Pattern[str], _Rule], ...]] = tuple(
    (re.compile(pattern), rule)
    for pattern, rule in (
        (r"claude-(?:[123]|(?:opus|sonnet|haiku)-(?:3|4(?:-[0-6](?!\d)|-20\d{6}|(?!-\d))))", lambda w, h, _: _claude(w, h, 1568, 1568)),
        (r"claude", lambda w, h, _: _claude(w, h, 2576, SCALED_IMAGE_TOKENS)),
        (r"gpt-4o-mini", _tiled(2833, 5667)),
        (r"(?:gpt-4\.1|gpt-5(?:\.\d+)?)-mini", _patched(1.62)),
        (r"(?:gpt-4\.1|gpt-5(?:\.\d+)?)-nano", _patched(2.46)),
        (r"o4-mini", _patched(1.72)),
        (r"gpt-4(?:o|\.1|\.5)", _tiled(85, 170)),
        (r"gpt-5(?![.\d])(?!.*codex)", _tiled(70, 140)),
        (r"o[13](?!\d)", _tiled(75, 150)),
        (r"computer-use-preview", _tiled(65, 129)),
        (r"gpt-5\.4(?!\d)", _patched(1.0, 2500, 2500)),
        (r"gpt-5\.5(?!\d)", _patched(1.0, 2500, 10_000, 6000)),
        (r"gpt-(?:5\.[6-9]|6)", _patched(1.0, 2500, LARGE_IMAGE_TOKENS, 65_535)),
        (r"gpt-5", _patched(1.0)),
    )
)  # fmt: skip
"""Families by the beginning of a model's name, the first that fits. A vendor's prefix (`openai/`) is cut off before."""


def image_tokens(picture: Picture, model: str) -> int:
    """What this model charges for the image, by its family's published rule; the policy's bound where there is none."""
    name = model.rpartition("/")[2].rpartition("anthropic.")[2].lower()
    for pattern, rule in _FAMILIES:
        if pattern.match(name):
            return rule(picture.width, picture.height, picture.detail)
    return picture.bound
