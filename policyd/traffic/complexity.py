"""How much a request asks for, as a number from 0 to 100, from its structure alone.

In come a dialogue and a reading, out goes a score: the sum of parts, each with a limit of its own. The one idea: every part
only grows with what it counts, so of two requests that differ in one thing the one with more of it never scores less. No word
of the request is weighed: a hard question in one line scores low, and whoever knows better says so in a header of his own.
"""

from dataclasses import dataclass
from typing import Final

from policyd.traffic.dialogue import Dialogue
from policyd.traffic.reading import Flag, Reading

__all__ = ["PARTS", "Part", "complexity_of"]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the score: what it counts, the most that it adds, and how."""

    name: str
    most: int
    how: str


PARTS: Final = (
    Part("tools", 12, "one for each two tools that are offered"),
    Part("turns", 15, "2, 4, 6, … at 1, 2, 4, … messages of persons, models and tools beyond the first"),
    Part("tool use", 10, "2, 4, 6, … at 1, 2, 4, … calls and results of tools"),
    Part("reasoning", 20, "4 for low, 10 for medium, 15 for high effort, 20 above; by budget 4, 10 from 4,096 tokens, 15 from 16,384, 20 from 65,536; 10 where only thinking is asked for"),
    Part("length", 20, "2, 4, 6, … at 2,048, 4,096, 8,192, … characters of text"),
    Part("code", 10, "2, 4, 6, … at 256, 512, 1,024, … characters of code in the sample that `code_ratio` looks at"),
    Part("answer", 5, "1, 3, 5 where the client allows 2,048, 8,192, 32,768 tokens for the answer"),
    Part("form", 8, "3 for images, 3 for an answer that must follow a schema, 2 for tools that the server runs"),
)  # fmt: skip
"""The parts of the score. Their limits add up to 100."""

_EFFORTS: Final = {"none": 0, "minimal": 2, "low": 4, "medium": 10, "high": 15, "xhigh": 20, "max": 20}
_BUDGETS: Final = ((65_536, 20), (16_384, 15), (4_096, 10), (1, 4))
_ANSWERS: Final = ((32_768, 5), (8_192, 3), (2_048, 1))
_ASKED: Final = 10
"""Points of reasoning where nothing says how much."""


def complexity_of(dialogue: Dialogue, reading: Reading, code: int) -> int:
    """The score. `code`: characters of code in the dialogue's sample."""
    parts = (
        dialogue.offered // 2,
        _doublings(dialogue.messages - 1),
        _doublings(dialogue.acts),
        _reasoning(reading),
        _doublings(dialogue.characters // 2_048),
        _doublings(code // 256),
        _step(reading.max_output or 0, _ANSWERS),
        3 * (Flag.IMAGES in reading.flags)
        + 3 * (Flag.JSON in reading.flags)
        + 2 * (Flag.SERVER_TOOLS in reading.flags),
    )
    return sum(min(points, part.most) for points, part in zip(parts, PARTS, strict=True))


def _doublings(count: int) -> int:
    """Two points for one, and two for each time that it has doubled."""
    return 2 * max(0, count).bit_length()


def _step(number: int, steps: tuple[tuple[int, int], ...]) -> int:
    return next((points for start, points in steps if number >= start), 0)


def _reasoning(reading: Reading) -> int:
    """What the settings of the body ask for: the most of what they say, or what stands for "think" where they say no more.
    Thinking that is only in the history asks for none."""
    body = reading.body
    efforts = [body.get("reasoning_effort"), body.get("effort")]
    budgets = [body.get("thinking_budget")]
    asked = body.get("enable_thinking") is True
    for setting in ("thinking", "reasoning", "output_config"):
        value = body.get(setting)
        if not isinstance(value, dict):
            asked = asked or (setting != "output_config" and value is True)
        elif value.get("type") != "disabled" and value.get("enabled") is not False:
            efforts.append(value.get("effort"))
            budgets += [value.get("budget_tokens"), value.get("max_tokens")]
            asked = asked or value.get("type") in ("enabled", "adaptive") or value.get("enabled") is True
    said = [_EFFORTS.get(e, _ASKED) for e in efforts if isinstance(e, str) and e]
    said += [_step(b, _BUDGETS) for b in budgets if isinstance(b, int) and not isinstance(b, bool)]
    return max(said) if said else _ASKED * asked
