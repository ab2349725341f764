"""The keys by which a deployment says how targets are watched and how a sidecar ends: what they mean, and every mistake."""

from pathlib import Path

import pytest

from policyd.deploy.model import Drain, Health, Probe
from policyd.deploy.restart import needs_restart
from tests.deploy.test_read import SMALL, pointed_at, read


def test_without_a_word_nothing_costs_and_nothing_waits(tmp_path: Path) -> None:
    found = read(tmp_path, SMALL).deployment
    assert found is not None
    (binding,) = found.bindings
    assert binding.health is None
    assert binding.probe == Probe(models=None, dialects=False, context=False)
    assert found.drain == Drain(grace=0.0, limit=30.0)


def test_what_is_written_is_meant(tmp_path: Path) -> None:
    text = SMALL + (
        'model = "m"\n[targets.gpu.health]\npath = "/health"\ninterval = "1m"\ntimeout = 1\nunhealthy_after = 5\nhealthy_after = 1\n'
        '[targets.gpu.probe]\nmodels = false\ndialects = true\ncontext = true\ninterval = "1h"\ncostly_interval = "12h"\ntimeout = "5m"\n'
        '[drain]\ngrace = "5s"\nlimit = "2m"\n'
    )
    found = read(tmp_path, text).deployment
    assert found is not None
    (binding,) = found.bindings
    assert binding.health == Health("/health", 60.0, 1.0, 5, 1)
    assert binding.probe == Probe(False, True, True, 3600.0, 43_200.0, 300.0)
    assert found.drain == Drain(5.0, 120.0)


@pytest.mark.parametrize("grace", ["0", '"0s"'])
def test_a_grace_may_be_nothing(tmp_path: Path, grace: str) -> None:
    found = read(tmp_path, f"{SMALL}[drain]\ngrace = {grace}\n").deployment
    assert found is not None and found.drain.grace == 0.0


@pytest.mark.parametrize(
    ("more", "code", "text"),
    [
        ("[targets.gpu.health]\n", "PD504", "[targets.gpu.health]"),
        ('[targets.gpu.health]\npath = "health"\n', "PD505", 'path = "health"'),
        ('[targets.gpu.health]\npath = "/health?deep=1"\n', "PD505", 'path = "/health?deep=1"'),
        ('[targets.gpu.health]\npath = "/a/../b"\n', "PD505", 'path = "/a/../b"'),
        ('[targets.gpu.health]\npath = "/a%2fb"\n', "PD505", 'path = "/a%2fb"'),
        ('[targets.gpu.health]\npath = "/h"\nunhealthy_after = 0\n', "PD505", "unhealthy_after = 0"),
        ('[targets.gpu.health]\npath = "/h"\ninterval = "0s"\n', "PD505", 'interval = "0s"'),
        ('[targets.gpu.health]\npath = "/h"\nhealthy = 2\n', "PD503", "healthy = 2"),
        ("[targets.gpu.probe]\nmodel = true\n", "PD503", "model = true"),
        ("[targets.gpu.probe]\ncontext = 100\n", "PD505", "context = 100"),
        ('[drain]\nlimit = "0s"\n', "PD505", 'limit = "0s"'),
        ('[drain]\ngrace = "-1s"\n', "PD505", 'grace = "-1s"'),
        ("[drain]\ngrace = false\n", "PD505", "grace = false"),
    ],
)
def test_a_mistake_is_told_where_it_stands(tmp_path: Path, more: str, code: str, text: str) -> None:
    ((found, at),) = pointed_at(read(tmp_path, SMALL + more))
    assert found == code
    assert at in text or text in at, at


@pytest.mark.parametrize("key", ["dialects", "context"])
def test_a_request_of_policyds_own_needs_a_model_to_name(tmp_path: Path, key: str) -> None:
    loaded = read(tmp_path, f"{SMALL}[targets.gpu.probe]\n{key} = true\n")
    (diagnostic,) = loaded.diagnostics
    assert diagnostic.code == "PD505" and "`model` says for which model" in diagnostic.message
    assert read(tmp_path, f'{SMALL}model = "m"\n[targets.gpu.probe]\n{key} = true\n').deployment is not None


def test_all_of_it_may_change_while_policyd_runs(tmp_path: Path) -> None:
    before = read(tmp_path, SMALL).deployment
    after = read(tmp_path, f'{SMALL}[targets.gpu.health]\npath = "/"\n[drain]\ngrace = "1s"\n').deployment
    assert before is not None and after is not None and before != after
    assert list(needs_restart(before, after, None)) == []
