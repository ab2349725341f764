"""What policy and deployment state of each target, as far as the target's own server can contradict it. Pure."""

from dataclasses import dataclass

from policyd.deploy.model import BoundTarget, Probe
from policyd.policy.program import Target
from policyd.proxy.live import Live
from policyd.proxy.standing import Why

__all__ = ["Expected", "Verdict", "expected_of"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one look at a target says about one fact. `source` is who looked (`models`, `ollama`, …): what it found stands
    until it finds otherwise. `against` is a sentence about the contradiction, or None: the fact is borne out."""

    why: Why
    source: str
    against: str | None


@dataclass(frozen=True, slots=True)
class Expected:
    """The stated facts of one target. `models` are the names that are sent to it, the binding's first; empty where the
    caller's own passes."""

    target: BoundTarget
    models: tuple[str, ...]
    context: int
    speaks: frozenset[str]
    on_prem: bool
    onward: bool

    @property
    def name(self) -> str:
        return self.target.name

    @property
    def probe(self) -> Probe:
        return self.target.binding.probe

    @property
    def looks_at_models(self) -> bool:
        """On an on-prem target it is free and nobody else's server, so it is done unless the deployment says no."""
        return self.on_prem if self.probe.models is None else self.probe.models

    @property
    def judged(self) -> tuple[object, ...]:
        """What a verdict is about. What was found out about one server says nothing about another."""
        binding = self.target.binding
        return (
            binding.endpoint, binding.credential, self.models, self.context, self.speaks, self.on_prem, self.onward,
        )  # fmt: skip


def expected_of(live: Live) -> tuple[Expected, ...]:
    """INVARIANT: every target of the policy is bound."""
    return tuple(_expected(live, target) for target in live.ready.program.declared)


def _expected(live: Live, target: Target) -> Expected:
    bound = live.serving.targets[target.name]
    binding = bound.binding
    pinned = () if binding.model is None else (binding.model, *(model for _, model in binding.aliases))
    context, speaks = target.fact("context"), target.fact("speaks")
    return Expected(
        target=bound,
        models=tuple(dict.fromkeys(pinned)),
        context=context if isinstance(context, int) else 0,
        speaks=speaks if isinstance(speaks, frozenset) else frozenset(),
        on_prem=target.fact("location") == "on_prem",
        onward=target.fact("onward") is True,
    )
