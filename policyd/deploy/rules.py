"""Rules for detectors, as gitleaks writes them in its files and as `policyd.toml` has them inline.

In: what TOML read, and where each key stands. Out: `Rule`s and everything that is wrong with them, at the line. The one
idea: the format is gitleaks', so that a company's file serves both; what of it means nothing here (paths, commits) is told,
and what would silently weaken a rule is refused.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Final, cast
from typing import Literal as Lit

from policyd.deploy.author import Author
from policyd.deploy.bounded import MOST_TOLD, more
from policyd.deploy.places import Path, locate
from policyd.deploy.toml_text import read_toml
from policyd.detect.rules import Allow, Rule, rule_troubles
from policyd.policy.findings import FINDINGS, near_finding
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.text.source import Span

__all__ = ["INLINE_KEYS", "RuleReader", "placed_rules", "read_rule_file"]

ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}(?:\.[A-Za-z0-9][A-Za-z0-9_-]{0,63}){0,3}")
MOST_RULES: Final = 2_000

RULE_KEYS: Final = ("id", "description", "regex", "secretGroup", "entropy", "keywords", "path", "tags", "allowlist", "allowlists",
                    "required", "skipReport")  # fmt: skip
INLINE_KEYS: Final = (
    "id", "description", "regex", "secretGroup", "entropy", "keywords", "allowlists", "tags", "finding", "examples", "not_examples"
)  # fmt: skip
ALLOW_KEYS: Final = (
    "description",
    "condition",
    "regexTarget",
    "regexes",
    "stopwords",
    "paths",
    "commits",
    "targetRules",
)
FILE_KEYS: Final = ("title", "description", "minVersion", "extend", "rules", "allowlist", "allowlists")
EXTEND_KEYS: Final = ("useDefault", "path", "url", "disabledRules")


@dataclass(slots=True)
class RuleReader:
    """Reads tables one after the other and keeps what it found wrong."""

    author: Author
    found: list[Diagnostic] = field(default_factory=list)
    allow_places: dict[Path, tuple[Path, ...]] = field(default_factory=dict)
    """for each rule, where its allowlists stand"""
    errors: int = 0
    told: int = 0
    untold: Diagnostic | None = None
    """the first of those that are only counted, an error if there is one"""

    def wrong(
        self, path: Path, message: str, cure: str, *, code: str = "PD551", severity: Severity = Severity.ERROR
    ) -> None:
        self.errors += severity is Severity.ERROR
        self.told += 1
        if self.told <= MOST_TOLD:
            self.found.append(Diagnostic(code, severity, message, self.author.span(path), help=cure))
        elif self.untold is None or (severity is Severity.ERROR and self.untold.severity is not severity):
            self.untold = Diagnostic(code, severity, message, self.author.span(path))

    def all_found(self) -> tuple[Diagnostic, ...]:
        """What was found, and how much of it is not told."""
        return (*self.found, *([] if self.untold is None else [more(self.untold, self.told - MOST_TOLD)]))

    def note(self, path: Path, message: str, cure: str) -> None:
        self.wrong(path, message, cure, severity=Severity.NOTE)

    def file(self, data: Mapping[str, Any]) -> Iterator[tuple[Path, Rule]]:
        """The rules of a file in gitleaks' format, and where they stand."""
        self._known((), data, FILE_KEYS, "a file of rules")
        self._extend(data.get("extend", {}))
        tables = data.get("rules", [])
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            self.wrong(("rules",), "`rules` is not a list of tables", "write each rule as `[[rules]]`")
            return
        if not tables:
            self.wrong(
                (), "the file has no `[[rules]]`", "add one, or take the file out of `[detectors] rules`"
            )
        everywhere = tuple(self._allows(data, (), everywhere=True))
        for number, table in enumerate(tables):
            rule = self.rule(("rules", number), table, RULE_KEYS)
            if rule is not None:
                path = ("rules", number)
                mine = [(at, a) for at, a, targets in everywhere if not targets or rule.id in targets]
                self.allow_places[path] += tuple(at for at, _ in mine)
                yield path, _with(rule, (a for _, a in mine))

    def _extend(self, extend: object) -> None:
        if not isinstance(extend, dict):
            self.wrong(("extend",), "`extend` is not a table", "write `[extend]`")
            return
        self._known(("extend",), extend, EXTEND_KEYS, "`[extend]`")
        if extend.get("useDefault"):
            said = "policyd's own detectors take the place of gitleaks' default rules"
            self.note(("extend", "useDefault"), said, "leave it for gitleaks; here they are always there")
        for key in ("path", "url"):
            if key in extend:
                cure = "name that file in `[detectors] rules` as well"
                self.wrong(("extend", key), f"`extend.{key}` would pull in rules from elsewhere", cure)
        if extend.get("disabledRules"):
            said = "`disabledRules` switches off nothing: gitleaks' default rules are not here"
            self.wrong(
                ("extend", "disabledRules"),
                said,
                "a policy that does not test a finding ignores it",
                severity=Severity.WARNING,
            )

    def rule(self, path: Path, table: Mapping[str, Any], keys: tuple[str, ...]) -> Rule | None:
        """One rule, or None where it cannot be understood. Whether it can serve is asked by `serving`."""
        before = self.errors
        shown = f"the rule `{table.get('id', '')}`" if table.get("id") else "a rule"
        self._known(path, table, keys, shown)
        name = self._id(path, table)
        for key in ("path", "tags", "skipReport"):
            if key == "path" and key in table and "regex" in table:
                said = f"`path` of {shown} is ignored: what a model is sent has no file name"
                self.note((*path, key), said, "the rule holds for every text")
        if "required" in table:
            said = f"{shown} asks for other rules nearby (`required`), which is not known here: it would find too little or too much"
            self.wrong((*path, "required"), said, "write one expression for all of it")
        if "regex" not in table and not any(_meant(key, keys) == "regex" for key in table):
            said = f"{shown} has no `regex`"
            cure = "a rule of paths alone finds nothing here, and one that changes a default rule of gitleaks has none to change"
            self.wrong(path, said, cure)
        allows = tuple(self._allows(table, path, everywhere=False))
        self.allow_places[path] = tuple(at for at, _, _ in allows)
        rule = Rule(
            id=name,
            expression=self._text(path, table, "regex"),
            keywords=self._texts(path, table, "keywords"),
            group=self._number(path, table, "secretGroup", whole=True),
            entropy=self._number(path, table, "entropy", whole=False),
            allow=tuple(a for _, a, _ in allows),
            finding=self._finding(path, table),
            examples=self._texts(path, table, "examples"),
            not_examples=self._texts(path, table, "not_examples"),
        )
        return None if self.errors > before else rule

    def _id(self, path: Path, table: Mapping[str, Any]) -> str:
        name = table.get("id")
        if not isinstance(name, str) or not name:
            self.wrong(
                path, "a rule has no `id`", 'give it one: `id = "acme-key"` is found as `custom.acme-key`'
            )
            return ""
        if not ID.fullmatch(name):
            cure = "use letters, digits, `-` and `_`, in up to four parts with dots between: policies ask for `custom.ID`"
            self.wrong((*path, "id"), f"`{name[:60]}` cannot be part of a finding's name", cure)
        return name

    def _finding(self, path: Path, table: Mapping[str, Any]) -> str | None:
        name = table.get("finding")
        if name is None:
            return None
        if not isinstance(name, str) or not any(f == name or f.startswith(f"{name}.") for f in FINDINGS):
            said = f"`finding` is `{str(name)[:60]}`, which no detector of policyd finds"
            close = near_finding(name) if isinstance(name, str) else None
            listed = "`policyd features --findings` lists the names; `secret` covers all of `secret.…`"
            self.wrong((*path, "finding"), said, f"did you mean `{close}`?" if close else listed)
            return None
        return name

    def _text(self, path: Path, table: Mapping[str, Any], key: str) -> str:
        value = table.get(key, "")
        if not isinstance(value, str) or (key in table and not value):
            self.wrong(
                (*path, key),
                f"`{key}` is not a string with something in it",
                "write it in `'''…'''`, where a backslash is one",
            )
            return ""
        return value

    def _texts(self, path: Path, table: Mapping[str, Any], key: str) -> tuple[str, ...]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            self.wrong((*path, key), f"`{key}` is not a list of strings", f'write `{key} = ["…"]`')
            return ()
        return tuple(value)

    def _number(self, path: Path, table: Mapping[str, Any], key: str, *, whole: bool) -> Any:
        value = table.get(key, 0)
        fits = isinstance(value, int) or (isinstance(value, float) and not whole)
        if not fits or isinstance(value, bool) or not 0 <= value <= (99 if whole else 8):
            kind = "a whole number from 0 to 99" if whole else "a number of bits from 0 to 8"
            cure = f"write {'the number of a group' if whole else 'a number from 0 to 8'}: `{key} = {1 if whole else 3.5}`"
            self.wrong((*path, key), f"`{key}` is `{str(value)[:40]}`, which is not {kind}", cure)
            return 0
        return value

    def _allows(
        self, table: Mapping[str, Any], path: Path, *, everywhere: bool
    ) -> Iterator[tuple[Path, Allow, tuple[str, ...]]]:
        """The allowlists of a rule or of a file, where they stand, and the rules that they are for (none: all)."""
        if "allowlist" in table and "allowlists" in table:
            self.wrong(
                (*path, "allowlist"),
                "`allowlist` and `allowlists` say the same in two ways",
                "keep `[[allowlists]]`",
            )
        one, several = table.get("allowlist"), table.get("allowlists", [])
        if not isinstance(several, list) or not all(
            isinstance(a, dict) for a in (*several, *([] if one is None else [one]))
        ):
            self.wrong((*path, "allowlists"), "allowlists are tables", "write `[[rules.allowlists]]`")
            return
        written = [((*path, "allowlists", number), allow) for number, allow in enumerate(several)]
        if one is not None:
            written.insert(0, ((*path, "allowlist"), one))
        for place, allow in written:
            yield from self._allow(place, allow, everywhere=everywhere)

    def _allow(
        self, path: Path, table: Mapping[str, Any], *, everywhere: bool
    ) -> Iterator[tuple[Path, Allow, tuple[str, ...]]]:
        self._known(path, table, ALLOW_KEYS if everywhere else ALLOW_KEYS[:-1], "an allowlist")
        condition = str(table.get("condition", "or")).lower()
        if condition not in ("or", "||", "and", "&&"):
            said = f"`condition` is `{str(table['condition'])[:40]}`"
            self.wrong((*path, "condition"), said, 'it is `"OR"` or `"AND"`')
        target = str(table.get("regexTarget", "secret")).lower()
        if target not in ("", "secret", "match", "line"):
            self.wrong(
                (*path, "regexTarget"),
                f"`regexTarget` is `{str(table['regexTarget'])[:40]}`",
                'it is `"secret"`, `"match"` or `"line"`',
            )
        both = condition in ("and", "&&")
        elsewhere = [key for key in ("paths", "commits") if table.get(key)]
        expressions, stopwords = self._texts(path, table, "regexes"), self._texts(path, table, "stopwords")
        if elsewhere:
            said = (
                f"`{elsewhere[0]}` of an allowlist is ignored: what a model is sent has no files and commits"
            )
            so = "with `AND` the allowlist never holds" if both else "the rest of the allowlist holds"
            self.note((*path, elsewhere[0]), said, so)
        elif not expressions and not stopwords:
            self.wrong(path, "an allowlist has neither `regexes` nor `stopwords`", "add one, or remove it")
        if (expressions or stopwords) and not (both and elsewhere):
            kind = cast(Lit["secret", "match", "line"], target if target in ("match", "line") else "secret")
            yield path, Allow(expressions, stopwords, kind, both), self._texts(path, table, "targetRules")

    def _known(self, path: Path, table: Mapping[str, Any], keys: Iterable[str], what: str) -> None:
        for key in table:
            if key not in keys:
                meant = _meant(key, keys) if self.told < MOST_TOLD else None
                cure = f"did you mean `{meant}`?" if meant else f"it has {', '.join(f'`{k}`' for k in keys)}"
                self.wrong((*path, key), f"`{key}` is not a key of {what}", cure)

    def serving(self, rules: Iterable[tuple[Path, Rule]]) -> Iterator[tuple[Path, Rule]]:
        """The rules that can serve; what is wrong with the others is told, of an allowlist for several rules once."""
        told: set[Path] = set()
        for path, rule in rules:
            troubles = list(rule_troubles(rule))
            for trouble in troubles:
                code = "PD552" if trouble.kind == "expression" else "PD553"
                place = self._place(path, trouble.key)
                if place not in told:
                    told.add(place)
                    of = f"the rule `{rule.id}`" if place[: len(path)] == path else "an allowlist"
                    self.wrong(place, f"{of}: {trouble.message}", trouble.cure, code=code)
            if not troubles:
                yield path, rule

    def _place(self, rule: Path, key: Path) -> Path:
        if key[0] == "allowlists" and isinstance(key[1], int):
            return (*self.allow_places[rule][key[1]], *key[2:])
        return (*rule, *key)


def _with(rule: Rule, allows: Iterable[Allow]) -> Rule:
    return Rule(
        rule.id, rule.expression, rule.keywords, rule.group, rule.entropy, (*rule.allow, *allows),
        rule.finding, rule.examples, rule.not_examples,
    )  # fmt: skip


def _meant(key: str, keys: Iterable[str]) -> str | None:
    """The key that this one was meant to be, where it is none."""
    return None if key in (known := tuple(keys)) else next(iter(get_close_matches(key, known, 1, 0.75)), None)


def read_rule_file(name: str, text: str) -> tuple[tuple[Rule, ...], tuple[Diagnostic, ...]]:
    """The rules of a file that can serve, and everything that is to be told of it. `name` is its path."""
    rules, found = placed_rules(name, text)
    return tuple(rule for rule, _ in rules), found


def placed_rules(name: str, text: str) -> tuple[tuple[tuple[Rule, Span], ...], tuple[Diagnostic, ...]]:
    """The same, each rule with the place of its id."""
    data = read_toml(name, text)
    if isinstance(data, Diagnostic):
        return (), (replace(data, code="PD550"),)
    reader = RuleReader(Author(name, text, locate(text), {}))
    rules = list(reader.file(data))
    if len(rules) > MOST_RULES:
        reader.wrong(
            (), f"the file has {len(rules)} rules, and {MOST_RULES} are the most", "split what is asked of it"
        )
        return (), reader.all_found()
    served = tuple((rule, reader.author.span((*path, "id"))) for path, rule in reader.serving(rules))
    return served, reader.all_found()
