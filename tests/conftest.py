"""Settings that all tests share.

Machines that run tests are shared and noisy, so no example has a deadline; a property says how many examples it needs.
`POLICYD_EXAMPLES=2000` looks harder; `POLICYD_SHRINK=no` leaves a failing example as it was found, where only the failure
counts.
"""

import os

from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "policyd",
    deadline=None,
    max_examples=int(os.environ.get("POLICYD_EXAMPLES", "60")),
    phases=[p for p in Phase if p is not Phase.shrink or os.environ.get("POLICYD_SHRINK") != "no"],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
settings.load_profile("policyd")
