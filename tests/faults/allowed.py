"""Where a request may go, by the reference evaluator and by what is true of the request: nothing of the sidecar is asked.

In come a policy and an ask; out go targets. The one idea: what is not known exactly (how many tokens a text has, whether
it can be translated) is tried both ways, so that whatever is outside of all answers is certainly forbidden.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from policyd.pipeline import Ready
from policyd.policy.decision import Plan
from policyd.policy.evaluate import evaluate
from policyd.policy.quiet import quiet_request
from policyd.policy.request import Request
from policyd.proxy.refusals import REFUSALS
from tests.faults.evidence import Ask

__all__ = ["Oracle"]

_SIZES: Final = (32_000, 200_000, 1_000_000, 10_000_000)
"""Of everything up to a size the policies say the same: their targets have these contexts."""

_READ: Final = frozenset({
    "endpoint", "team", "speed", "tools", "images", "json", "reasoning", "server_tools", "stored", "remote_content", "opaque",
    "header:x-data-class", "findings", "untranslatable", "context_needed",
})  # fmt: skip
"""What the policies read; besides, `ticket` orders the members of a split."""

assert REFUSALS["policy_denied"].status == 403


class Oracle:
    """The policies of a campaign, asked one request at a time. Remembers what it was asked."""

    def __init__(self, policies: Mapping[str, Ready]) -> None:
        self._policies = policies
        self.digests = {ready.digest: name for name, ready in policies.items()}
        self._plans = lru_cache(maxsize=65536)(self._plan)

    def targets(self, policy: str, ask: Ask) -> frozenset[str]:
        """Every target that the policy may allow for this request."""
        if ask.malformed is not None or ask.team == "nobody":
            return frozenset()
        out: set[str] = set()
        for values in self._readings(ask):
            out |= self.decided(policy, values)[1]
        return frozenset(out)

    def certain(self, policy: str, ask: Ask) -> bool | None:
        """Whether the request has a plan under this policy: surely, surely not, or None."""
        if ask.malformed is not None or ask.team == "nobody":
            return False
        answers = {bool(self.decided(policy, values)[1]) for values in self._readings(ask)}
        return answers.pop() if len(answers) == 1 else None

    def decided(self, policy: str, features: Mapping[str, Any]) -> tuple[str | None, frozenset[str]]:
        """Route and candidates for these features."""
        return self._plans(policy, _key(features))

    def _readings(self, ask: Ask) -> Iterator[Mapping[str, Any]]:
        low, high = ask.tokens
        for size in {low, *(size for size in _SIZES if low < size < high), high}:
            for untranslatable in (False, True):
                yield {**ask.truth, "context_needed": size, "untranslatable": untranslatable}

    def _plan(self, policy: str, values: tuple[tuple[str, Any], ...]) -> tuple[str | None, frozenset[str]]:
        decision = evaluate(self._policies[policy].program, self._request(policy, dict(values)))
        return (
            (decision.route, frozenset(decision.targets))
            if isinstance(decision, Plan)
            else (None, frozenset())
        )

    def _request(self, policy: str, values: dict[str, Any]) -> Request:
        program = self._policies[policy].program
        named = {f.name for f in program.features}
        # What the policies do not read may be anything, so it is quiet.
        request = quiet_request(program, {k: v for k, v in values.items() if k in named})
        assert isinstance(request, Request), request
        return request


def _key(features: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    read = {name: value for name, value in features.items() if name in _READ}
    needed = read.get("context_needed", 0)
    read["context_needed"] = (
        next((size for size in _SIZES if needed <= size), None) if needed is not None else None
    )
    found = read.get("findings", ())
    read["findings"] = found if found is None else tuple(sorted(found))
    return tuple(sorted(read.items()))
