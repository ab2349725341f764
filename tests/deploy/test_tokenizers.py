"""`[tokens]` and a target's `tokenizer` and `tokens_scale`: what may be said, and what is meant where nothing is."""

from pathlib import Path

import pytest

from policyd.deploy.model import Tokens
from policyd.proxy.live import Live
from policyd.proxy.reload import bring_up
from policyd.traffic.tokens import Measure
from tests.deploy.test_read import SMALL, read

POLICY = "edition 1\ntarget gpu { location on_prem  context 64k  speaks chat }\nroute all to gpu\notherwise reject \"no\"\n"  # fmt: skip


def test_nothing_said_is_o200k_as_it_counts(tmp_path: Path) -> None:
    deployment = read(tmp_path, SMALL).deployment
    assert deployment is not None
    assert deployment.tokens == Tokens("o200k", 1.0, 100)
    assert (deployment.bindings[0].tokenizer, deployment.bindings[0].tokens_scale) == (None, None)


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ('tokenizer = "claude"', "tokenizer"),
        ("tokens_scale = 0", "tokens_scale"),
        ("tokens_scale = nan", "tokens_scale"),
        ('tokens_scale = "1.2"', "tokens_scale"),
        ("[tokens]\nscale = 9", "scale"),
        ("[tokens]\nscale = -inf", "scale"),
        ("[tokens]\nscale = true", "scale"),
        ("[tokens]\nsample = -1", "sample"),
        ("[tokens]\nsample = 0.5", "sample"),
        ('[tokens]\ntokenizer = "p50k"', "tokenizer"),
    ],
)
def test_what_is_no_measure_is_told_where_it_stands(tmp_path: Path, written: str, place: str) -> None:
    (found,) = read(tmp_path, f"{SMALL}{written}\n").diagnostics
    assert found.code == "PD505" and found.span is not None and found.span.text == place


def test_a_key_that_is_not_there_is_told(tmp_path: Path) -> None:
    (found,) = read(tmp_path, SMALL + "[tokens]\ntokens_scale = 1.2\n").diagnostics
    assert found.code == "PD503"


@pytest.mark.parametrize(
    ("of_all", "own", "measure", "target"),
    [
        ("", "", Measure("o200k", 1000), Measure("o200k", 1000)),
        ('tokenizer = "cl100k"\nscale = 1.5', "", Measure("cl100k", 1500), Measure("cl100k", 1500)),
        ("scale = 1.5", "tokens_scale = 1", Measure("o200k", 1500), Measure("o200k", 1000)),
        ("scale = 1.5", 'tokenizer = "cl100k"', Measure("o200k", 1500), Measure("cl100k", 1500)),
        ("", "tokens_scale = 1.1234", Measure("o200k", 1000), Measure("o200k", 1123)),
    ],
)
def test_a_target_is_measured_as_all_are_unless_it_says_otherwise(
    tmp_path: Path, of_all: str, own: str, measure: Measure, target: Measure
) -> None:
    (tmp_path / "x.policy").write_text(POLICY)
    (tmp_path / "policyd.toml").write_text(f"{SMALL}{own}\n[tokens]\n{of_all}\n")
    live = bring_up(tmp_path / "policyd.toml", {}, 0.0)
    assert isinstance(live, Live), live
    assert (live.measure, live.measures["gpu"]) == (measure, target)
