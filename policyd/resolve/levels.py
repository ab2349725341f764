"""How a level is computed.

In come the levels and every `classify`; out goes one `Classify` per level: its starts from the one outside all scopes,
its raises from everywhere, each inside its own scope. Levels may read other levels, never themselves.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from policyd.policy.condition import All, Condition, Const, Either, Not, features_of
from policyd.policy.program import Classify, Raise, Start
from policyd.resolve.conditions import Conditions
from policyd.resolve.features import Level, conversation_name, header_name
from policyd.resolve.files import Placed, Space
from policyd.resolve.report import Report, did_you_mean, listed
from policyd.resolve.scopes import Scopes, only_attested
from policyd.syntax import nodes
from policyd.text.diagnostic import Label

__all__ = ["read_levels", "reads_of"]

_DEEPEST: Final = 200
SHORTEST_KEPT: Final = 60
LONGEST_KEPT: Final = 366 * 86_400
USUALLY_KEPT: Final = 24 * 3600
"""Seconds for which a conversation keeps a level, at least, at most, and where the policy does not say."""

_MOST_LEVELS: Final = 64


@dataclass(frozen=True, slots=True)
class _Written:
    """The `classify` statements of one level."""

    level: Level
    outside: tuple[tuple[nodes.Classify, Space], ...]
    scoped: tuple[tuple[nodes.Classify, Space], ...]


def read_levels(
    statements: Iterable[Placed], conditions: Conditions, scopes: Scopes, report: Report
) -> tuple[Classify, ...]:
    if len(conditions.levels) > _MOST_LEVELS:
        extra = list(conditions.levels.values())[_MOST_LEVELS]
        report.add("PD209", extra.span, f"a policy computes at most {_MOST_LEVELS} levels")
        return ()
    found: dict[str, list[tuple[nodes.Classify, Space]]] = {name: [] for name in conditions.levels}
    for item in statements:
        if isinstance(item.statement, nodes.Classify):
            level = _level(item.statement.level, item.space, conditions, report)
            if level is not None:
                found[level.name].append((item.statement, item.space))
    out = tuple(
        _classify(
            _Written(
                conditions.levels[name],
                tuple((c, s) for c, s in written if not s.path),
                tuple((c, s) for c, s in written if s.path),
            ),
            conditions,
            scopes,
            report,
        )
        for name, written in found.items()
    )
    if not _acyclic(out, report):
        return out
    _bounded(out, report)
    _opaque(out, report)
    return out


def reads_of(levels: Iterable[Classify]) -> Mapping[str, frozenset[str]]:
    """The raw features that each level reads, through other levels too. INVARIANT: no level reads itself."""
    direct = {level.name: _direct(level) for level in levels}
    out: dict[str, frozenset[str]] = {}

    def closure(name: str, inside: frozenset[str]) -> frozenset[str]:
        if name not in out and name not in inside:
            found: set[str] = set()
            for read in direct[name]:
                found |= closure(read, inside | {name}) if read in direct else {read}
            out[name] = frozenset(found)
        return out.get(name, frozenset())

    for name in direct:
        closure(name, frozenset())
    return out


def _direct(level: Classify) -> frozenset[str]:
    conditions = (*(s.when for s in level.starts), *(r.when for r in level.raises))
    labels = (r.to for r in level.raises if isinstance(r.to, str))
    return frozenset().union(*(features_of(c) for c in conditions), labels)


def _level(name: nodes.Ident, space: Space, conditions: Conditions, report: Report) -> Level | None:
    declared = conditions.names.find("word", name.text, space)
    level = None if declared is None else conditions.levels.get(declared.name)
    if level is not None:
        return level
    if declared is not None and declared.name in conditions.features:
        labels = () if declared.ident is None else (Label(declared.ident.span, "declared here"),)
        message = f"`{name.text}` has a source, so `classify` cannot compute it"
        report.add("PD240", name.span, message, help="declare a `level` without `from`", labels=labels)
        return None
    advice = did_you_mean(name.text, conditions.levels, "declare it: `level NAME { low < high }`")
    report.add("PD201", name.span, f"there is no level `{name.text}`", help=advice)
    return None


def _classify(written: _Written, conditions: Conditions, scopes: Scopes, report: Report) -> Classify:
    level = written.level
    if not written.outside:
        report.add(
            "PD240",
            level.span,
            f"`{level.name}` has no source and no `classify`, so nothing computes it",
            help=f"add `classify {level.name} {{ starts at {level.values[0]} }}`, or say where it comes from",
        )
    for extra, _ in written.outside[1:]:
        label = Label(written.outside[0][0].level.span, "first classified here")
        report.add("PD240", extra.level.span, f"`{level.name}` is classified twice", labels=(label,))
    starts = tuple(
        start for c, space in written.outside[:1] for start in _starts(c, space, level, conditions, report)
    )
    for c, _ in written.scoped:
        for start in c.starts:
            report.add(
                "PD270",
                start.span,
                "a file that is included with a scope can raise a level, not say where it starts",
                help="use `at least`",
            )
    raises = tuple(
        raise_
        for c, space in (*written.outside, *written.scoped)
        for line in c.raises
        for raise_ in _raise(line, space, level, conditions, scopes, report)
    )
    kept = _kept(written, report)
    return Classify(level.name, level.values, starts, raises, kept, level.span)


def _kept(written: _Written, report: Report) -> int | None:
    """For how many seconds a conversation keeps the level; None where no line asks for it."""
    lines = [
        (line.level, space)
        for c, space in (*written.outside, *written.scoped)
        for line in c.raises
        if isinstance(line.level, nodes.LabelConversation)
    ]
    for line, space in lines:
        if space.path:
            report.add(
                "PD246",
                line.span,
                "a file that is included with a scope cannot say what conversations keep: they go on outside of it too",
                help="say it in the `classify` outside of all scopes, or raise the level here in another way",
            )
    for line, _ in lines[1:]:
        label = Label(lines[0][0].span, "first said here")
        report.add(
            "PD246",
            line.span,
            f"what a conversation keeps of `{written.level.name}` is said twice",
            labels=(label,),
        )
    if not lines:
        return None
    time = lines[0][0].time
    if time is None:
        return USUALLY_KEPT
    if not SHORTEST_KEPT <= time.seconds <= LONGEST_KEPT:
        report.add(
            "PD247",
            time.span,
            "a conversation keeps a level from 1 minute to 366 days",
            help="long enough for the longest pause in a conversation, such as `24 hours`",
        )
        return USUALLY_KEPT
    return time.seconds


def _starts(
    c: nodes.Classify, space: Space, level: Level, conditions: Conditions, report: Report
) -> Iterable[Start]:
    if not c.starts:
        report.add(
            "PD241", c.level.span, f"`{level.name}` starts nowhere", help=f"add `starts at {level.values[0]}`"
        )
    for index, start in enumerate(c.starts):
        last = index == len(c.starts) - 1
        if last and start.when is not None:
            report.add(
                "PD241",
                start.span,
                f"the last `starts at` of `{level.name}` has a condition, so some request would start nowhere",
                help=f"add a last line without `when`: `starts at {level.values[0]}`",
            )
        if not last and start.when is None:
            label = Label(c.starts[index + 1].span, "never reached")
            report.add("PD241", start.span, "every request starts here, and more follows", labels=(label,))
        rank = _rank(start.level, level, report)
        when = conditions.when(start.when, space)
        if start.when is not None:
            only_attested(when, "`starts at`", "PD242", start.when.span, conditions.features, report)
        if rank is not None:
            yield Start(rank, when, start.level.span)


def _raise(
    line: nodes.AtLeast, space: Space, level: Level, conditions: Conditions, scopes: Scopes, report: Report
) -> Iterable[Raise]:
    when = scopes.within(space, conditions.when(line.when, space))
    if isinstance(line.level, nodes.LabelConversation):
        yield Raise(conversation_name(level.name), when, line.level.span, space.path or None)
        return
    if isinstance(line.level, nodes.LabelHeader):
        yield Raise(header_name(line.level.header.value), when, line.level.span, space.path or None)
        return
    rank = _rank(line.level, level, report)
    if rank == 0:
        report.add(
            "PD245",
            line.level.span,
            f"every request is at least `{line.level.text}`: this raises nothing",
            subject=level.name,
        )
    else:
        yield Raise(
            len(level.values) - 1 if rank is None else rank, when, line.level.span, space.path or None
        )


def _rank(word: nodes.Ident, level: Level, report: Report) -> int | None:
    if word.text in level.values:
        return level.values.index(word.text)
    meant = (*level.values, "conversation")
    advice = did_you_mean(word.text, meant, f"its values are {listed(level.values)}")
    report.add("PD222", word.span, f"`{word.text}` is not a value of `{level.name}`", help=advice)
    return None


def _acyclic(levels: tuple[Classify, ...], report: Report) -> bool:
    """Whether no level reads itself, directly or through others."""
    direct = {level.name: _direct(level) for level in levels}
    ok = True
    for level in levels:
        reached: set[str] = set()
        todo = list(direct[level.name])
        while todo:
            name = todo.pop()
            if name in direct and name not in reached:
                reached.add(name)
                todo.extend(direct[name])
        if level.name in reached:
            ok = False
            through = sorted(n for n in reached - {level.name} if level.name in direct[n])
            way = "" if level.name in direct[level.name] else f", through {listed(through)}"
            report.add(
                "PD243",
                level.span,
                f"`{level.name}` is computed from itself{way}",
                help="compare only other levels and features inside its `classify`",
            )
    return ok


def _bounded(levels: tuple[Classify, ...], report: Report) -> None:
    """Levels that read levels stay shallow enough for every reader of the policy."""
    by_name = {level.name: level for level in levels}
    depths: dict[str, int] = {}

    def depth(level: Classify) -> int:
        if level.name not in depths:
            below = max((depth(by_name[n]) for n in _direct(level) if n in by_name), default=0)
            own = max(
                (_depth(c) for c in (*(s.when for s in level.starts), *(r.when for r in level.raises))),
                default=0,
            )
            depths[level.name] = below + own + 1
        return depths[level.name]

    for level in levels:
        if depth(level) > _DEEPEST:
            report.add(
                "PD209",
                level.span,
                f"`{level.name}` reads levels in levels, together more than {_DEEPEST} deep",
            )
            return


def _depth(condition: Condition) -> int:
    match condition:
        case Not(operand):
            return 1 + _depth(operand)
        case All(operands) | Either(operands):
            return 1 + max(map(_depth, operands))
        case _:
            return 0 if isinstance(condition, Const) else 1


def _opaque(levels: tuple[Classify, ...], report: Report) -> None:
    reads = reads_of(levels)
    for level in levels:
        if level.starts and "opaque" not in reads[level.name]:
            report.add(
                "PD244",
                level.span,
                f"`{level.name}` never looks at `opaque`, so content that was not scanned does not raise it",
                help=f"add `at least {level.values[-1]} when opaque` to its `classify`",
                subject=level.name,
            )
