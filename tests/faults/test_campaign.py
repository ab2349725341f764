"""A short campaign with a fixed seed, and one against a sidecar that breaks the promise, which must be convicted."""

from collections import Counter
from pathlib import Path

import pytest

from tests.faults.campaign import Campaign, run_campaign
from tests.faults.policies import POLICIES
from tests.faults.verdict import judged, report
from tests.upstream.scripted import run

FIRST = ("new policy", "new placing", "bad policy", "kill", "away", "new policy", "restart", "hang-up")


@pytest.mark.timeout(240)
def test_no_promise_is_broken_under_random_faults(tmp_path: Path) -> None:
    """What users of other gateways met, all at once and at random: a fallback or a reload past the policy, a cut stream
    that ends cleanly, two answers to one request, a log that tells something else."""

    async def test() -> None:
        result = await run_campaign(Campaign(300, seed=20, first=FIRST), tmp_path)
        breaches = judged(result)
        assert not breaches, report(result, breaches)
        faults = Counter(a.fault for a in result.evidence.arrivals)
        assert len(faults) > 20
        assert [s.killed for s in result.evidence.stretches] == [True, False, False]
        assert len(result.evidence.generations) >= 4

    run(test())


@pytest.mark.timeout(120)
def test_a_sidecar_with_another_policy_is_convicted(tmp_path: Path) -> None:
    loose = {
        name: text.replace("guard stays_home", "# guard stays_home").replace(
            "assert confidential", "# assert confidential"
        )
        for name, text in POLICIES.items()
    }

    async def test() -> None:
        result = await run_campaign(Campaign(80, seed=3, served=loose), tmp_path)
        found = [b for b in judged(result) if b.judge == "forbidden"]
        assert {b.number for b in found} <= {n for n, a in result.evidence.asks.items() if a.confidential}
        assert len(found) > 3

    run(test())
