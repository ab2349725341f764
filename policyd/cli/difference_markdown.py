"""A comparison as Markdown, for a comment on a pull request.

In comes what changed; out goes a heading with the verdict, a table of counts, and a folded block for each pair. Whoever writes
a policy does not write the comment: every word of an author passes through `reports.markdown`, and what does not fit into one
comment is left out and counted, never the verdict.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from policyd.cli.compared import Compared, Comparison, called_before, problem_text, why_not
from policyd.compare.boxes import box_text, merged_boxes
from policyd.compare.declared import Declared, DeclaredKind
from policyd.compare.difference import Denied, Difference, Opened, PairItem, Verdict
from policyd.compare.regions import Count, places
from policyd.compare.telling import (
    count_text,
    decision_text,
    denied_text,
    log_lines,
    many,
    opened_text,
    pair_title,
    recorded_of,
    request_note,
    request_text,
    summary,
    unfinished_text,
)
from policyd.compare.wording import region_lines, when_text
from policyd.proofs.changes import Shown
from policyd.proofs.kinds import Kind
from policyd.proofs.together import Together
from policyd.reports.markdown import code, plain
from policyd.text.diagnostic import Diagnostic

__all__ = ["difference_markdown", "sentence"]

LONGEST: Final = 60_000
"""Characters: GitHub takes 65,536 in one comment."""
_MOST_BOXES: Final = 12
_MOST_NAMES: Final = 40
_MOST_PROBLEMS: Final = 20


def difference_markdown(comparison: Comparison, *, boxes: bool) -> str:
    """The whole comment."""
    said, compared = comparison.sentence, comparison.policies
    head = [
        f"## policyd diff: {plain(str(comparison.verdict))}",
        "",
        f"{sentence(said[:1].upper() + said[1:])}. {code(comparison.old)} → {code(comparison.new)}",
    ]
    if comparison.problems:
        head += ["", _problems(comparison.problems)]
    same = [
        c
        for c in compared
        if c.verdict is Verdict.SAME
        and c.difference is not None
        and not c.difference.declared
        and c.called is None
    ]
    changed = [c for c in compared if c not in same]
    if same and changed:
        names = ", ".join(code(c.name) for c in same[:_MOST_NAMES]) + (
            ", …" if len(same) > _MOST_NAMES else ""
        )
        head += [
            "",
            f"{many(len(same), 'policy', 'policies')} of the same meaning: {names}",
        ]
    blocks = [block for c in changed for block in _policy(c, boxes=boxes)]
    return _fitted("\n".join(head), blocks)


def sentence(text: str) -> str:
    """A sentence whose words of an author stand in backticks, with those in the typeface of code. All of it is escaped, so
    an author's own backtick moves a typeface and nothing else."""
    parts = text.split("`")
    return "".join(code(p) if number % 2 and p else plain(p) for number, p in enumerate(parts))


def _fitted(head: str, blocks: Sequence[str]) -> str:
    """As many blocks as fit, in their order; how many do not is said."""
    out = [head]
    room = LONGEST - len(head)
    left = 0
    for block in blocks:
        if len(block) + 2 > room:
            left += 1
            continue
        out.append(block)
        room -= len(block) + 2
    if left:
        out.append(
            f"{many(left, 'block')} left out: the comment would be too long. `policyd diff` shows them."
        )
    return "\n\n".join(out) + "\n"


def _policy(compared: Compared, *, boxes: bool) -> Iterator[str]:
    difference = compared.difference
    yield f"### {code(compared.name)}: {plain(str(compared.verdict))}"
    called = called_before(compared)
    if called is not None:
        yield f"{sentence(called[:1].upper() + called[1:])}."
    for denied in compared.denied:
        yield _denied(compared, denied)
    if difference is None:
        why = why_not(compared)
        yield f"{sentence(why[:1].upper() + why[1:])}."
        if len(compared.problems) > 1:
            yield _problems(compared.problems)
    else:
        said = summary(difference)
        if said:
            yield f"{sentence(said[:1].upper() + said[1:])}."
        judged = [d for d in difference.declared if d.kind is DeclaredKind.JUDGED]
        if judged:
            yield "\n".join(f"- **To be judged**: {sentence(d.text)}" for d in judged)
        if difference.pairs:
            yield _table(compared, difference)
        for opened in difference.opened:
            yield _opened(difference.together, opened)
        if difference.more_opened:
            yield f"{many(difference.more_opened, 'more guard or deny', 'more guards and denies')} of the old policy let requests through now."
        for rule in difference.unfinished:
            yield f"**Not proved**: {sentence(unfinished_text(rule))}."
        yield from (_pair(compared, difference, item, boxes=boxes) for item in difference.pairs)
        if difference.more:
            parts = ", ".join(
                f"{n:,} {kind.words}" for kind, n in sorted(difference.more.items(), reverse=True)
            )
            yield f"{many(sum(difference.more.values()), 'more pair')}: {plain(parts)}."
        rest = [d for d in difference.declared if d not in judged]
        if rest:
            yield _declared(rest)
    if compared.log is not None:
        yield "\n".join(f"- {sentence(line)}" for line in log_lines(compared.log))


def _problems(problems: Sequence[Diagnostic]) -> str:
    """What kept a comparison from being made."""
    lines = [f"- {sentence(problem_text((d,)))}" for d in problems[:_MOST_PROBLEMS]]
    if len(problems) > _MOST_PROBLEMS:
        lines.append(f"- {many(len(problems) - _MOST_PROBLEMS, 'more mistake')}")
    return "\n".join(lines)


def _table(compared: Compared, difference: Difference) -> str:
    """Pairs and requests by kind."""
    rows = []
    for kind in sorted({k for item in difference.pairs for k in item.region.counts}, reverse=True):
        counts = [item.region.counts[kind] for item in difference.pairs if kind in item.region.counts]
        total = Count(
            sum(c.number for c in counts), all(c.exact for c in counts) and not difference.more.get(kind)
        )
        row = [kind.words, f"{len(counts):,}", count_text(total)]
        if compared.log is not None:
            row.append(f"{sum(n for t, n in compared.log.changed.items() if t[2] is kind):,}")
        rows.append("| " + " | ".join(plain(cell) for cell in row) + " |")
    head = ["kind", "pairs", "requests", *(["recorded"] if compared.log is not None else [])]
    return "\n".join(("| " + " | ".join(head) + " |", "|---" * len(head) + "|", *rows))


def _pair(compared: Compared, difference: Difference, item: PairItem, *, boxes: bool) -> str:
    together, change = difference.together, item.change
    when = when_text(together, change.before, change.after)
    title = f"{plain(change.kind.words)}: {sentence(pair_title(change.before, change.after))}"
    lines = [f"- when {code(when)}" if when else "- for any request"]
    lines += [f"  - {sentence(line)}" for line in region_lines(together, item.region)]
    lines.append(f"- {plain(count_text(item.region.count))}")
    if compared.log is not None:
        lines += [
            f"- {plain(many(number, 'recorded request'))} {plain(kind.words)}"
            for kind, number, _ in recorded_of(item, compared.log)
        ]
    for kind, shown in item.shown:
        lines.append(f"- {plain(kind.words)}, for example {_example(difference.together, shown)}")
        lines += _decisions(difference, shown)
    if boxes:
        lines += _boxes(difference, item)
    return _folded(title, lines, is_open=change.kind is Kind.LOOSER)


def _decisions(difference: Difference, shown: Shown) -> list[str]:
    together = difference.together
    before = decision_text(together.old.program, shown.request, shown.before)
    after = decision_text(together.new.program, shown.request, shown.after)
    return [f"  - before: {sentence(before)}", f"  - now: {sentence(after)}"]


def _boxes(difference: Difference, item: PairItem) -> list[str]:
    matrix = difference.together.matrix
    out = []
    listed = places(difference.together, item.change.before, item.change.after)
    for kind, found in listed.boxes.items():
        merged = merged_boxes(matrix, found)
        out += [f"- {plain(kind.words)} where {code(box_text(matrix, box))}" for box in merged[:_MOST_BOXES]]
        if len(merged) > _MOST_BOXES:
            out.append(f"- {many(len(merged) - _MOST_BOXES, 'more box', 'more boxes')}")
    if not listed.whole:
        out.append("- these boxes are a part of the region: all of it would take too long")
    return out


def _opened(together: Together, opened: Opened) -> str:
    return f"**Looser**: {sentence(opened_text(opened))}, for example {_example(together, opened.shown)}."


def _example(together: Together | None, shown: Shown) -> str:
    """A request and, where only one of the policies takes it so, a note."""
    note = request_note(together, shown)
    return code(request_text(together, shown)) + (f" ({sentence(note)})" if note else "")


def _denied(compared: Compared, denied: Denied) -> str:
    text = f"**Denied**: {sentence(denied_text(denied.newly))}"
    if denied.shown is None:
        return f"{text}."
    asked = None if compared.difference is None else compared.difference.together
    lines = [f"{text}, for example {_example(asked, denied.shown)}."]
    if compared.difference is not None:
        lines += ["", *(line.removeprefix("  ") for line in _decisions(compared.difference, denied.shown))]
    return "\n".join(lines)


def _declared(declared: Sequence[Declared]) -> str:
    order = list(DeclaredKind)
    ranked = sorted(declared, key=lambda d: order.index(d.kind))
    lines = [
        f"- {sentence(d.text)}"
        if d.kind is DeclaredKind.WORDING
        else f"- **{plain(str(d.kind))}**: {sentence(d.text)}"
        for d in ranked
    ]
    loud = any(d.kind in {DeclaredKind.LOOSER, DeclaredKind.DROPPED} for d in declared)
    return _folded(many(len(declared), "declaration"), lines, is_open=loud)


def _folded(title: str, lines: Sequence[str], *, is_open: bool) -> str:
    """A block that a reader opens. `title` and `lines` are escaped already."""
    start = "<details open>" if is_open else "<details>"
    return "\n".join((f"{start}<summary>{title}</summary>", "", *lines, "", "</details>"))
