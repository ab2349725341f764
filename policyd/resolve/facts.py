"""Targets and their facts.

In come the declared facts and targets; out go the table of facts and the checked targets. A fact has one kind; a word
fact is closed when a `fact` line (or the language) lists its words, and open otherwise. Nothing is filled in: a fact
that a target does not state it does not have.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal as Lit
from typing import TypeAlias

from policyd.policy.builtins import (
    BUILTIN_FACTS,
    CAPABILITIES,
    LOCATIONS,
    MANDATORY_FACTS,
    SPOKEN,
    TRANSLATED,
)
from policyd.policy.program import MAX_NUMBER, Fact, Target
from policyd.resolve.literals import is_bare_word, kind_of
from policyd.resolve.names import Names
from policyd.resolve.report import Report, did_you_mean, listed
from policyd.syntax import nodes
from policyd.text.diagnostic import Label

__all__ = ["FactKind", "FactType", "fact_value", "read_facts", "read_targets"]

FactKind: TypeAlias = Lit["word", "words", "names", "int", "bool", "money", "duration"]


@dataclass(frozen=True, slots=True)
class FactType:
    """A fact's kind (`names`: of findings, said by a route and never by a target); `words` are the closed domain of a word fact or of a set, or None where any word may stand."""

    name: str
    kind: FactKind
    words: tuple[str, ...] | None = None


_CLOSED = {"location": LOCATIONS, "speaks": SPOKEN, "translates": tuple(TRANSLATED), "supports": CAPABILITIES}
_EXAMPLES = {
    "word": "write one word: `region eu`",
    "int": "write a whole number: `200k`",
    "bool": "write `yes` or `no`",
    "money": "write an amount: `$3`, per million tokens",
    "duration": "write `none` or a time: `30 days`",
}


def read_facts(names: Names, report: Report) -> Mapping[str, FactType]:
    """Every fact by its qualified name."""
    out: dict[str, FactType] = {}
    for declared in names.tables["fact"].values():
        statement = declared.statement
        built_in = BUILTIN_FACTS.get(declared.name)
        if built_in is not None:
            out[declared.name] = FactType(declared.name, built_in, _CLOSED.get(declared.name))  # type: ignore[arg-type]
        if isinstance(statement, nodes.FactDeclaration):
            fact = FactType(declared.name, statement.kind, _listed_words(statement, report))
            if built_in is None or _closes(statement, declared.name, report):
                out[declared.name] = fact
    return out


def _listed_words(statement: nodes.FactDeclaration, report: Report) -> tuple[str, ...] | None:
    first: dict[str, nodes.Ident] = {}
    for value in statement.values:
        if value.text in first:
            label = Label(first[value.text].span, "first listed here")
            report.add("PD211", value.span, f"`{value.text}` is listed twice", labels=(label,))
        first.setdefault(value.text, value)
    return tuple(first) or None


def _closes(statement: nodes.FactDeclaration, name: str, report: Report) -> bool:
    """Whether the line closes a built-in fact whose words are open."""
    if (
        BUILTIN_FACTS[name] == "word"
        and name not in _CLOSED
        and statement.kind == "word"
        and statement.values
    ):
        return True
    report.add(
        "PD202",
        statement.name.span,
        f"`{name}` already names a built-in fact",
        help="only `region` and `jurisdiction` may be given a list of words" if name not in _CLOSED else None,
    )
    return False


def read_targets(names: Names, facts: Mapping[str, FactType], report: Report) -> tuple[Target, ...]:
    """Every target, in written order."""
    return tuple(
        _target(declared.name, declared.statement, facts, report)
        for declared in names.tables["target"].values()
        if isinstance(declared.statement, nodes.Target)
    )


def _target(name: str, target: nodes.Target, facts: Mapping[str, FactType], report: Report) -> Target:
    found: dict[str, Fact] = {}
    first: dict[str, nodes.Ident] = {}
    for entry in target.facts:
        known = entry.name.text
        if known in first:
            label = Label(first[known].span, "first stated here")
            report.add("PD233", entry.name.span, f"`{known}` is stated twice", labels=(label,))
            continue
        first[known] = entry.name
        if known in facts and facts[known].kind == "names":
            report.add(
                "PD232",
                entry.name.span,
                f"`{known}` is not stated of a target: a route says what is taken out on the way to it",
                help="remove it, and write `route … with redact(…)`",
            )
            continue
        if known not in facts:
            advice = did_you_mean(
                known,
                [f for f, kind in facts.items() if kind.kind != "names"],
                f"the facts are {listed(f for f, kind in facts.items() if kind.kind != 'names')}; others are declared with `fact`",
            )
            report.add("PD230", entry.name.span, f"there is no fact `{known}`", help=advice)
            continue
        value = _entry(entry, facts[known], report)
        if value is not None:
            found[known] = value
    if "translates" in found and "speaks" in found:
        _check_translates(name, found, first["translates"], report)
    missing = [fact for fact in MANDATORY_FACTS if fact not in first]
    if missing:
        report.add(
            "PD231",
            target.name.span,
            f"target `{name}` does not state {listed(missing)}",
            help="every target states `location`, `context` and `speaks`",
        )
    return Target(name, tuple(found.items()), target.name.span)


def _entry(entry: nodes.FactEntry, fact: FactType, report: Report) -> Fact | None:
    if fact.kind == "words":
        return _word_set(entry, fact, report)
    if len(entry.values) != 1:
        report.add("PD232", entry.span, f"`{fact.name}` is one value", help=_EXAMPLES[fact.kind])
        return None
    literal = entry.values[0]
    value = fact_value(fact, literal, report, code="PD232")
    if fact.kind == "word" and isinstance(value, str) and fact.words is not None and value not in fact.words:
        report.add(
            "PD232",
            literal.span,
            f"`{value}` is not a word of `{fact.name}`",
            help=did_you_mean(value, fact.words, f"its words are {listed(fact.words)}"),
        )
        return None
    if fact.kind in {"int", "money", "duration"} and isinstance(value, int):
        return _bounded(fact, value, literal, report)
    return value


def _check_translates(name: str, found: Mapping[str, Fact], place: nodes.Ident, report: Report) -> None:
    """What is translated is not spoken, and what it is translated into is."""
    speaks, translates = found["speaks"], found["translates"]
    assert isinstance(speaks, frozenset) and isinstance(translates, frozenset)  # INVARIANT: sets of words
    for word in (w for w in TRANSLATED if w in translates):
        into = TRANSLATED[word]
        if word in speaks:
            report.add(
                "PD232",
                place.span,
                f"`{name}` speaks `{word}`, so nothing translates it",
                help=f"take `{word}` out of `translates`, or out of `speaks`",
            )
        elif into not in speaks:
            report.add(
                "PD232",
                place.span,
                f"`{word}` is translated into `{into}`, which `{name}` does not speak",
                help=f"add `{into}` to `speaks`, or take `{word}` out of `translates`",
            )


def _bounded(fact: FactType, value: int, literal: nodes.Literal, report: Report) -> int | None:
    if value > MAX_NUMBER:
        report.add("PD232", literal.span, f"`{fact.name}` reaches at most {MAX_NUMBER}")
        return None
    if fact.name == "context" and value < 1:
        report.add("PD232", literal.span, "a context holds at least one token")
        return None
    return value


def _word_set(entry: nodes.FactEntry, fact: FactType, report: Report) -> frozenset[str] | None:
    words = fact.words or ()
    found: dict[str, nodes.Literal] = {}
    for literal in entry.values:
        if not isinstance(literal, nodes.Word):
            report.add(
                "PD232",
                literal.span,
                f"`{fact.name}` lists words, and this is {kind_of(literal)}",
                help=f"its words are {listed(words)}",
            )
        elif literal.text not in words:
            covered = {"count_tokens": "`messages` covers it", "models": "policyd answers it itself"}
            advice = covered.get(literal.text) if fact.name == "speaks" else None
            advice = advice or did_you_mean(literal.text, words, f"its words are {listed(words)}")
            report.add("PD232", literal.span, f"`{literal.text}` is not a word of `{fact.name}`", help=advice)
        elif literal.text in found:
            label = Label(found[literal.text].span, "first listed here")
            report.add("PD233", literal.span, f"`{literal.text}` is listed twice", labels=(label,))
        else:
            found[literal.text] = literal
    return frozenset(found) or None


def fact_value(
    fact: FactType, literal: nodes.Literal, report: Report, *, code: str
) -> int | str | bool | None:
    """The literal as a value of the fact (a word of the set, for a set), or None (and said)."""
    match fact.kind, literal:
        case (("word" | "words"), nodes.Word(text)):
            return text
        case "word", nodes.Text(text) if text and not is_bare_word(text) and len(text) <= 128:
            return text
        case (("word" | "words"), nodes.Text(text)):
            bare = (
                f"write the word without quotes: `{text}`"
                if is_bare_word(text)
                else "a word of at most 128 characters"
            )
            report.add(code, literal.span, f"`{fact.name}` is a word, and this is a quoted string", help=bare)
            return None
        case "int", nodes.Number(value):
            return value
        case "money", nodes.Money(micros):
            return micros
        case "duration", nodes.Duration(seconds):
            return seconds
        case "duration", nodes.Word("none"):
            return 0
        case "bool", nodes.Word("yes" | "no" as text):
            return text == "yes"
        case _:
            article = {
                "int": "a number",
                "bool": "yes or no",
                "money": "an amount of money",
                "duration": "a duration",
            }
            kind = article.get(fact.kind, "a word")
            report.add(
                code,
                literal.span,
                f"`{fact.name}` is {kind}, and this is {kind_of(literal)}",
                help=_EXAMPLES.get(fact.kind),
            )
            return None
