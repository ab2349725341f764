"""`python -m tests.faults --requests 5000 --seed 7`: a campaign and its verdict. Exit code 1 where a promise was broken."""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

import uvloop

from tests.faults.campaign import CALM, EVERYTHING, Campaign, run_campaign
from tests.faults.verdict import judged, report


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="ends sooner than its requests")
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--every", type=float, default=2.5, help="seconds between two events, on average")
    parser.add_argument("--calm", action="store_true", help="one process throughout, to see what adds up")
    parser.add_argument("--quiet", action="store_true", help="nothing happens but requests and their faults")
    parser.add_argument("--nice", type=int, default=0)
    given = parser.parse_args()
    os.nice(given.nice)
    campaign = Campaign(
        given.requests,
        given.seed,
        given.minutes * 60,
        given.clients,
        given.every,
        {} if given.quiet else CALM if given.calm else EVERYTHING,
    )
    with (
        tempfile.TemporaryDirectory(prefix="faults") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        result = runner.run(run_campaign(campaign, Path(folder)))
    breaches = judged(result)
    print(report(result, breaches))
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
