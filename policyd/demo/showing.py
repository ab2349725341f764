"""The tour as a person reads it on a terminal: plain text, no colours needed. Pure.

In: outcomes and what the stand-ins recorded. Out: lines.
"""

import textwrap
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from policyd.demo.asking import Outcome
from policyd.demo.standin import Received
from policyd.demo.tour import CLOUD_MODEL, Planted

__all__ = ["leaks", "outcome_lines", "proof_lines", "summary_lines", "usage_lines"]

WIDTH: Final = 110
LABEL: Final = 12
QUIET: Final[tuple[object, ...]] = (False, 0, [], "", None)
"""Values of features that say nothing worth a person's time."""

SAID: Final = frozenset({"endpoint", "model", "hour", "weekday", "date", "messages", "stream"})
"""Features that the line above says already, and the clock's."""

NOT_SET: Final = 10**12
"""What a number is that the caller did not set."""


def outcome_lines(number: int, outcome: Outcome) -> Iterator[str]:
    yield f"{number}. {outcome.ask.title}"
    yield from _entry("sent", _sent(outcome))
    yield from _entry("known", _known(outcome))
    yield from _entry("went to", _went(outcome))
    removed = outcome.record.get("removed") or {}
    if removed:
        yield from _entry("kept from", ", ".join(f"{t} (by {' and '.join(g)})" for t, g in removed.items()))
    streamed = f" (in {outcome.pieces} events)" if outcome.pieces else ""
    yield from _entry("answer", outcome.said + streamed)
    if not outcome.as_expected:
        wanted = outcome.ask.expect or "a refusal"
        yield from _entry("UNEXPECTED", f"the tour expected {wanted} here")
    yield ""


def summary_lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    rows = [("#", "request", "route", "went to"), *(_row(n, o) for n, o in enumerate(outcomes, 1))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    yield ""


def leaks(planted: Planted, received: Iterable[Received]) -> int:
    """How many of these requests hold the secret."""
    return sum(request.contains(planted.text) for request in received)


def proof_lines(planted: Iterable[Planted], on_prem: Collection[Received], cloud: Collection[Received]) -> Iterator[str]:  # fmt: skip
    yield "What the two stand-in servers recorded themselves:"
    for secret in planted:
        home, away = leaks(secret, on_prem), leaks(secret, cloud)
        verdict = "it never left" if away == 0 else "IT LEAKED"
        yield (
            f"  the {secret.name}: in {home} of {len(on_prem)} requests to the server room,"
            f" in {away} of {len(cloud)} to the cloud: {verdict}"
        )
    yield ""


def usage_lines(command: str, url: str, admin: str, deployment: str, policy: str, log: str) -> Iterator[str]:
    body = '{"model":"any","messages":[{"role":"user","content":"Hello"}]}'
    yield "The sidecar stays up. Try your own requests in another terminal:"
    yield ""
    yield f"  curl -i {url}/v1/chat/completions -H 'content-type: application/json' \\"
    yield f"    -d '{body}'"
    yield f"  ANTHROPIC_BASE_URL={url} ANTHROPIC_API_KEY=none claude --model {CLOUD_MODEL}"
    yield f"  OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY=none python your_program.py"
    yield f"  {command} prove 'never location == cloud when findings contains \"secret\"' --sidecar {admin}"
    yield f"  {command} explain --sidecar {admin} --given 'team=demo findings=secret.aws' --why-not cloud"
    yield ""
    yield f"  policy       {policy}   (edit it: the sidecar takes a change over once it is proved)"
    yield f"  deployment   {deployment}"
    yield f"  decisions    {log}"
    yield ""
    yield "Ctrl-C ends everything."


def _entry(label: str, text: str) -> Iterator[str]:
    indent = " " * (3 + LABEL)
    lines = textwrap.wrap(_plain(text), WIDTH - len(indent)) or [""]
    yield f"   {label:{LABEL}}{lines[0]}"
    yield from (indent + line for line in lines[1:])


def _plain(text: str) -> str:
    """Text from elsewhere, without what a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def _sent(outcome: Outcome) -> str:
    ask = outcome.ask
    own = "".join(f", {k}: {v}" for k, v in ask.headers.items() if k.startswith("x-"))
    size = len(str(ask.body))
    large = f"{size // 1000} kB" if size >= 10_000 else f"{size} bytes"
    streamed = ", streamed" if ask.stream else ""
    return f"POST {ask.path}, model {ask.body.get('model')}, {large}{streamed}{own}"


def _known(outcome: Outcome) -> str:
    features = outcome.record.get("features", {})
    sent = {f"header:{name}" for name in outcome.ask.headers}
    told = [
        f"{name} {_value(value)}"
        for name, value in features.items()
        if value not in QUIET and name not in SAID and (not name.startswith("header:") or name in sent)
    ]
    return ", ".join(told) or "nothing was needed"


def _value(value: object) -> str:
    match value:
        case {"at_least": low, "at_most": high}:
            return f"{low:,} to {high:,}"
        case list(names):
            return " and ".join(map(str, names))
        case True:
            return "yes"
        case int(number) if number >= NOT_SET:
            return "not set"
        case int(number):
            return f"{number:,}"
        case _:
            return str(value)


def _went(outcome: Outcome) -> str:
    if outcome.target is None:
        by = " and ".join(outcome.record.get("rejected_by", ())) or "policyd"
        return f"nowhere: refused with {outcome.status} by {by}"
    return f"{outcome.target}, by route {outcome.route}"


def _row(number: int, outcome: Outcome) -> tuple[str, ...]:
    return (
        str(number),
        outcome.ask.title,
        outcome.route or "-",
        outcome.target or f"nowhere ({outcome.status})",
    )
