"""A comparison as JSON: every pair that is shown with its requests, every other one counted.

In comes what changed; out goes an object whose `format` is 1 for as long as no key of it changes its meaning or goes away; new
keys may come. `docs/schemas/diff-1.json` is its schema. Words stay as the author wrote them: escaping is JSON's.
"""

from collections.abc import Mapping
from typing import Final

from policyd import __version__
from policyd.cli.compared import Compared, Comparison
from policyd.compare.asking import Asking, asking
from policyd.compare.boxes import box_text, merged_boxes
from policyd.compare.declared import Declared, DeclaredKind
from policyd.compare.difference import Denied, Difference, Opened, PairItem
from policyd.compare.recorded import Replayed
from policyd.compare.regions import Count, places
from policyd.compare.telling import denied_text, opened_text, recorded_of
from policyd.compare.wording import region_lines, when_text
from policyd.policy.digest import digest
from policyd.proofs.changes import Shown
from policyd.proofs.kinds import Kind
from policyd.proofs.side import Decider
from policyd.proofs.together import Together
from policyd.reports.values import Json, decision_json, document_text, place_json, request_json
from policyd.text.diagnostic import Diagnostic

__all__ = ["FORMAT", "difference_json"]

FORMAT: Final = 1


def difference_json(comparison: Comparison, *, boxes: bool) -> str:
    """The whole result as text."""
    return document_text(
        {
            "format": FORMAT,
            "command": "diff",
            "policyd": __version__,
            "exit_code": comparison.exit_code,
            "verdict": str(comparison.verdict),
            "verdict_text": comparison.sentence,
            "old": comparison.old,
            "new": comparison.new,
            "problems": [_problem(d) for d in comparison.problems],
            "policies": [_policy(c, boxes=boxes) for c in comparison.policies],
        }
    )


def _policy(compared: Compared, *, boxes: bool) -> Json:
    out: dict[str, Json] = {
        "name": compared.name,
        "old": compared.old,
        "new": compared.new,
        "called": compared.called,
        "verdict": str(compared.verdict),
        "denied": [_denied(compared, d) for d in compared.denied],
        "problems": [_problem(d) for d in compared.problems],
    }
    difference = compared.difference
    if difference is not None:
        out |= {
            "old_digest": digest(difference.old),
            "new_digest": digest(difference.new),
            "pairs": [_pair(compared, difference, item, boxes=boxes) for item in difference.pairs],
            "more_pairs": _by_kind(difference.more),
            "opened": [_opened(difference.together, o) for o in difference.opened],
            "more_opened": difference.more_opened,
            "declarations": [_declared(d) for d in sorted(difference.declared, key=_rank)],
            "not_proved": [_rule(rule) for rule in difference.unfinished],
        }
    out["log"] = None if compared.log is None else _log(compared.log)
    return out


def _problem(diagnostic: Diagnostic) -> Json:
    return {
        "code": diagnostic.code,
        "message": diagnostic.message,
        "help": diagnostic.help,
        "place": place_json(diagnostic.span),
    }


def _pair(compared: Compared, difference: Difference, item: PairItem, *, boxes: bool) -> Json:
    together, change, region = difference.together, item.change, item.region
    out: dict[str, Json] = {
        "kind": change.kind.words,
        "before": _rule(change.before),
        "after": _rule(change.after),
        "when": when_text(together, change.before, change.after) or "true",
        "notes": [*region_lines(together, region)],
        "requests": _count(region.count),
        "kinds": [{"kind": kind.words, "requests": _count(count)} for kind, count in region.counts.items()],
        "witnesses": [{"kind": kind.words, **_shown(together, shown)} for kind, shown in item.shown],
    }
    if boxes:
        matrix = together.matrix
        listed = places(together, change.before, change.after)
        out["boxes"] = [
            {"kind": kind.words, "where": box_text(matrix, box)}
            for kind, found in listed.boxes.items()
            for box in merged_boxes(matrix, found)
        ]
        out["boxes_are_all"] = listed.whole
    if compared.log is not None:
        out["recorded"] = [
            {"kind": kind.words, "requests": number, "first_line": line}
            for kind, number, line in recorded_of(item, compared.log)
        ]
    return out


def _rule(rule: Decider) -> Json:
    return {"kind": rule.kind, "name": rule.name, "place": place_json(rule.span)}


def _count(count: Count) -> Json:
    return {"number": count.number, "exact": count.exact}


def _shown(together: Together | None, shown: Shown) -> dict[str, Json]:
    asked = Asking(shown.given, "both") if together is None else asking(together, shown)
    return {
        "request": request_json(asked.given),
        "request_of": asked.of,
        "note": asked.note,
        "before": decision_json(shown.before),
        "after": decision_json(shown.after),
    }


def _opened(together: Together, opened: Opened) -> Json:
    return {
        "rule": opened.rule,
        "place": place_json(opened.first.span),
        "targets": [*opened.targets],
        "text": opened_text(opened),
        "witness": _shown(together, opened.shown),
    }


def _denied(compared: Compared, denied: Denied) -> Json:
    together = None if compared.difference is None else compared.difference.together
    return {
        "target": denied.newly.target,
        "how": denied.newly.how,
        "by_facts": denied.newly.by_facts,
        "proved": denied.shown is not None,
        "text": denied_text(denied.newly),
        "witness": None if denied.shown is None else _shown(together, denied.shown),
    }


def _declared(declared: Declared) -> Json:
    return {
        "kind": str(declared.kind),
        "text": declared.text,
        "old": place_json(declared.old),
        "new": place_json(declared.new),
    }


def _rank(declared: Declared) -> int:
    return list(DeclaredKind).index(declared.kind)


def _log(replayed: Replayed) -> Json:
    kinds: dict[Kind, int] = {}
    for turn, number in replayed.changed.items():
        kinds[turn[2]] = kinds.get(turn[2], 0) + number
    return {
        "records": replayed.records,
        "unchanged": replayed.unchanged,
        "changed": _by_kind(kinds),
        "open": [{"features": [*features], "records": n} for features, n in sorted(replayed.open.items())],
        "undecided": replayed.undecided,
        "unread": replayed.unread,
        "unread_lines": [{"line": wrong.line, "why": wrong.why} for wrong in replayed.wrong],
    }


def _by_kind(kinds: Mapping[Kind, int]) -> dict[str, Json]:
    return {kind.words: number for kind, number in sorted(kinds.items(), reverse=True)}
