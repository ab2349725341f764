"""`docs/features.md`, written from the tables that the checker and the sidecar use.

`python -m policyd.cli.features_page > docs/features.md` writes it; a test compares.
"""

import sys
from collections.abc import Iterable
from typing import Final

from policyd.cli.features import COSTS, domain_text, unknown_text
from policyd.policy.builtins import BUILTIN_FEATURES
from policyd.policy.feature_notes import HOW
from policyd.policy.languages import LANGUAGES
from policyd.traffic.complexity import PARTS
from policyd.traffic.conversation import SOURCES
from policyd.traffic.task import LOOKED_AT, RULES, SIDE_OPENINGS

__all__ = ["features_page"]

INTRODUCTION: Final = """\
# Built-in features

What every policy can know of a request without a line of its own. `policyd features` prints the table, `policyd features --explain task` how one
of them comes about. *Attested* features the caller cannot choose, *derived* ones are computed from the content, *claimed* ones are the caller's
word, and no proof lets them allow more. What a policy does not read is not computed.

This page is written from the tables in `policyd/policy` and `policyd/traffic` (`python -m policyd.cli.features_page`); do not edit it.
"""

TASK: Final = f"""\
Asked from the top; the first that holds is the task. Words are looked for in the first and the last {LOOKED_AT} characters of what a person said last, lines of
code left out, and so is what agents write in a person's name: a part that is nothing but one element (`<system-reminder>…`), and known
beginnings. How well the words do on prompts that others wrote is in
[features_quality.md](../bench/results/features_quality.md).
"""

COMPLEXITY: Final = """\
The sum of these, from 0 to 100. Doubling what a part counts adds two points, so that ten thousand characters more matter to a short request
and not to a long one.
"""

CONVERSATION: Final = """\
The first row with a place that is filled names the session. `metadata.user_id` counts only in the two forms that Claude Code gives it, a
`prompt_cache_key` only where it is a UUID or an id of opencode; `safety_identifier` and `user` name a person and never a conversation.
What was seen on the wire: Claude Code 2.1.197, Codex 0.169, opencode 1.18.33. Qwen Code 0.15.10 sends its session only to DashScope,
aider none.
"""

LANGUAGE: Final = """\
The codes that `language` can have. Varieties count as their language: Egyptian and Moroccan Arabic as `ar`, Paraguayan Guaraní as `gn`, Cantonese as `zh`,
Extremaduran as `es`. Indonesian and Malay are hard to tell apart, and often neither is told. Another text in a comparison is
[PD237](rules/PD237.md).
"""


def features_page() -> str:
    out = [INTRODUCTION]
    rows = (
        (f"`{f.name}`", domain_text(f), str(f.provenance), unknown_text(f), COSTS[f.cost], f.doc)
        for f in BUILTIN_FEATURES
    )
    out.append(_table(("feature", "values", "who says it", "unknown means", "cost", "what it is"), rows))
    out.append("## How they come about\n")
    out.append("\n".join(f"- **`{f.name}`**: {HOW[f.name]}" for f in BUILTIN_FEATURES) + "\n")
    out += ["## `task`\n", TASK, _table(("", "task", "holds where"), _rules())]
    out += ["Known side calls begin with:\n", "\n".join(f"- {_quoted(o)}" for o in SIDE_OPENINGS) + "\n"]
    parts = ((part.name, f"{part.most}", part.how) for part in PARTS)
    out += ["## `complexity`\n", COMPLEXITY, _table(("part", "at most", "points"), parts)]
    sources = ((s.client, _places(s.session), _places(s.conversation)) for s in SOURCES)
    out += ["## `session_id` and `conversation_id`\n", CONVERSATION]
    out.append(_table(("client", "session", "conversation within it"), sources))
    codes = ", ".join(f"`{code}` {name}" for code, name in LANGUAGES.items())
    out += ["## `language`\n", LANGUAGE, codes + "\n"]
    return "\n".join(out)


def _rules() -> Iterable[tuple[str, ...]]:
    return ((f"{number}", f"`{rule.task}`", rule.when) for number, rule in enumerate(RULES, 1))


def _places(places: Iterable[str]) -> str:
    return ", ".join(
        f"header `{place.removeprefix('header ')}`" if place.startswith("header ") else f"`{place}`"
        for place in places
    )


def _quoted(text: str) -> str:
    return "`" + text.replace("\n", " ") + "`"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(features_page())
