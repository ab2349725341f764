"""The page of features is what the tables say, and the tables speak of every feature."""

from pathlib import Path

from policyd.cli.features_page import features_page
from policyd.policy.builtins import BUILTIN_FEATURES
from policyd.policy.feature_notes import HOW

PAGE = Path(__file__).parents[2] / "docs" / "features.md"


def test_the_page_is_written_from_the_tables() -> None:
    assert PAGE.read_text() == features_page(), "python -m policyd.cli.features_page > docs/features.md"


def test_every_feature_says_how_it_comes_about() -> None:
    assert set(HOW) == {feature.name for feature in BUILTIN_FEATURES}
