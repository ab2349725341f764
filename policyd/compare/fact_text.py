"""Facts of targets and amounts of budgets as an author writes them: `30 days`, `$4000`, `256k`."""

from policyd.policy.builtins import BUILTIN_FACTS
from policyd.policy.program import Budget, Fact
from policyd.policy.written import number_text

__all__ = ["amount_text", "duration_text", "fact_text"]

_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def fact_text(name: str, fact: Fact) -> str:
    """The fact's value. A declared fact's numbers are counts."""
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    if isinstance(fact, int):
        kind = BUILTIN_FACTS.get(name)
        if kind == "duration":
            return duration_text(fact)
        return _money(fact) if kind == "money" else number_text(fact)
    if isinstance(fact, frozenset):
        return ", ".join(sorted(fact)) or "nothing"
    return fact


def amount_text(budget: Budget) -> str:
    if budget.unit == "money":
        return _money(budget.amount)
    return f"{number_text(budget.amount)} {budget.unit}"


def duration_text(seconds: int) -> str:
    if not seconds:
        return "none"
    unit, length = next((u, n) for u, n in _UNITS if seconds % n == 0)
    count = seconds // length
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _money(micros: int) -> str:
    whole, rest = divmod(micros, 1_000_000)
    return f"${whole}" + (f".{rest:06d}".rstrip("0") if rest else "")
