"""Random trees of every kind of statement, valid in form: each could have been written, none need mean anything."""

import re
import unicodedata
from datetime import date

from hypothesis import strategies as st

from policyd.syntax import nodes as n
from policyd.syntax.grammar import RESERVED, grammar_text
from policyd.text.source import Source, Span

__all__ = ["conditions", "modules", "statements"]

NOWHERE = Source("nowhere", "")
AT = Span(NOWHERE, 0, 0)

# Words of the language that are names elsewhere; where both could stand the word wins, so they are tried apart.
_WORDS_ELSEWHERE = frozenset(
    [
        "all",
        "any",
        "exceeded",
        "header",
        "conversation",
        "only",
        "reject",
        "rejected",
        "unknown",
        "claimed",
        "never",
        "always",
    ]
)
_LARGE = 2**62


_SOFT = sorted(set(re.findall(r'"([a-z]+)"', grammar_text())) - RESERVED - _WORDS_ELSEWHERE)


def _name(text: str) -> bool:
    return text not in RESERVED and text not in _WORDS_ELSEWHERE


plain_names = st.one_of(
    st.sampled_from(["team", "eu", "gpu_rack", "latency", "messages", "none", "mon", "x"]),
    st.sampled_from(_SOFT),
    st.from_regex(r"[a-z_][a-zA-Z0-9_]{0,8}", fullmatch=True).filter(_name),
)
idents = st.builds(n.Ident, plain_names, st.just(AT))
dotted = st.builds(lambda a, b: n.Ident(f"{a}.{b}", AT), plain_names, plain_names)
references = st.one_of(idents, idents, dotted)
characters = st.characters(exclude_categories=["Cs"])
values = st.one_of(
    st.sampled_from(
        ["", "risk", 'a "quoted" word', "back\\slash", "tab\tand\nline", "éł 漢字", "\u202eturned"]
    ),
    st.text(characters, max_size=12),
).map(lambda text: unicodedata.normalize("NFC", text))
texts = st.builds(n.Text, values, st.just(AT))
wholes = st.one_of(
    st.integers(0, 5_000), st.integers(0, _LARGE), st.sampled_from([1024, 200_000, 10**6, 2**30, 10**9])
)
numbers = st.builds(n.Number, wholes, st.just(AT))
moneys = st.builds(n.Money, st.integers(0, 10**13), st.just(AT))
durations = st.builds(
    n.Duration, st.one_of(st.integers(0, 10**8), st.sampled_from([0, 60, 86_400])), st.just(AT)
)
dates = st.builds(
    n.DateValue, st.integers(date(2001, 1, 1).toordinal(), date(2099, 12, 31).toordinal()), st.just(AT)
)
words = st.builds(n.Word, plain_names, st.just(AT))
booleans = st.builds(n.Boolean, st.booleans(), st.just(AT))
literals = st.one_of(words, texts, numbers, moneys, durations, dates, booleans)
name_sets = st.builds(n.NameSet, st.lists(literals, max_size=4).map(tuple), st.just(AT))


def _several(items: st.SearchStrategy, *, least: int = 1, most: int = 4) -> st.SearchStrategy:
    return st.lists(items, min_size=least, max_size=most).map(tuple)


subjects = st.one_of(references, st.just(n.Ident("target", AT)))
_atoms = st.one_of(
    st.builds(n.Truth, st.booleans(), st.just(AT)),
    st.builds(n.Name, subjects, st.just(AT)),
    st.builds(
        n.Compare, subjects, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), literals, st.just(AT)
    ),
    st.builds(n.InSet, subjects, st.one_of(name_sets, references), st.booleans(), st.just(AT)),
    st.builds(n.InRange, subjects, literals, literals, st.booleans(), st.just(AT)),
    st.builds(n.StartsWith, subjects, texts, st.just(AT)),
    st.builds(n.Contains, subjects, st.just("one"), literals, st.just(AT)),
    st.builds(
        n.Contains, subjects, st.sampled_from(["any", "all"]), st.one_of(name_sets, references), st.just(AT)
    ),
    st.builds(n.Exceeded, references, st.just(AT)),
)
conditions = st.recursive(
    _atoms,
    lambda inner: st.one_of(
        st.builds(n.Not, inner, st.just(AT)),
        st.builds(n.And, _several(inner, least=2), st.just(AT)),
        st.builds(n.Or, _several(inner, least=2), st.just(AT)),
    ),
    max_leaves=6,
)
whens = st.none() | conditions

_sources = st.one_of(
    st.builds(n.SourceClause, st.just("header"), texts, st.just(AT)),
    st.builds(n.SourceClause, st.sampled_from(["identity", "deployment"]), st.none() | texts, st.just(AT)),
)
_unknowns = st.builds(n.Unknown, st.none() | literals, st.just(AT))


def _declarations() -> st.SearchStrategy:
    nothing = st.just(())
    origin = (st.none() | _sources, st.none() | _unknowns, st.just(AT))
    return st.one_of(
        st.builds(
            n.Declaration,
            st.sampled_from(["level", "enum"]),
            idents,
            _several(idents, most=8),
            st.none(),
            st.none(),
            *origin,
        ),
        st.builds(
            n.Declaration, st.sampled_from(["string", "bool"]), idents, nothing, st.none(), st.none(), *origin
        ),
        st.builds(n.Declaration, st.just("int"), idents, nothing, numbers, numbers, *origin),
    )


def _classifications() -> st.SearchStrategy:
    labels = st.builds(n.LabelHeader, texts, st.just(AT))
    starts = st.builds(n.StartsAt, idents, whens, st.just(AT))
    kept = st.builds(n.LabelConversation, st.none() | durations, st.just(AT))
    raises = st.builds(n.AtLeast, st.one_of(idents, labels, kept), whens, st.just(AT))
    return st.builds(
        n.Classify, references, _several(starts, least=0), _several(raises, least=0), st.just(AT)
    )


def _destinations() -> st.SearchStrategy:
    members = st.builds(n.Member, references, st.none(), st.just(AT))
    shares = st.builds(n.Member, references, numbers, st.just(AT))
    groups = st.builds(
        n.Group, st.sampled_from(["any", "cheapest", "fastest"]), _several(members), st.none(), st.just(AT)
    )
    splits = st.builds(n.Group, st.just("split"), _several(shares), references, st.just(AT))
    return _several(st.one_of(references, groups, splits))


def _redactions() -> st.SearchStrategy:
    bare = st.sampled_from(
        ["secret", "card-number", "secret.1password", "custom.a_b-c", "when", "redact", "with"]
    )
    names = st.lists(st.builds(n.Text, bare | values, st.just(AT)), max_size=3).map(tuple)
    return st.builds(n.Redaction, names, st.booleans(), st.booleans(), st.just(AT))


def _assertions() -> st.SearchStrategy:
    return st.one_of(
        st.builds(n.Assert, idents, st.sampled_from(["never", "always"]), conditions, whens, st.just(AT)),
        st.builds(n.Assert, idents, st.just("never rejected"), st.none(), whens, st.just(AT)),
        st.builds(n.Assert, idents, st.just("claimed never loosens"), st.none(), st.none(), st.just(AT)),
    )


def _tests() -> st.SearchStrategy:
    labels = st.builds(n.HeaderGiven, texts, st.just(AT))
    conversations = st.builds(n.ConversationGiven, references, st.just(AT))
    exceeded = st.builds(n.Exceeded, references, st.just(AT))
    given = st.one_of(
        st.builds(n.Given, references, st.one_of(literals, name_sets), st.just(AT)),
        st.builds(n.Given, labels, literals, st.just(AT)),
        st.builds(n.Given, conversations, literals, st.just(AT)),
        st.builds(n.Given, exceeded, literals, st.just(AT)),
    )
    removed = _several(st.builds(n.Removed, references, _several(references), st.just(AT)), least=0)
    denies = st.one_of(references, st.just(n.Ident("otherwise", AT)))
    expect = st.one_of(
        st.builds(
            n.ExpectPlan,
            _several(references),
            st.booleans(),
            st.none() | references,
            st.none() | _redactions(),
            removed,
            st.just(AT),
        ),
        st.builds(n.ExpectReject, _several(denies, least=0), st.none() | numbers, removed, st.just(AT)),
    )
    return st.builds(n.Test, texts, _several(given, least=0, most=6), expect, st.just(AT))


def _facts() -> st.SearchStrategy:
    return st.one_of(
        st.builds(n.FactDeclaration, idents, st.just("word"), _several(idents, most=8), st.just(AT)),
        st.builds(
            n.FactDeclaration,
            idents,
            st.sampled_from(["int", "bool", "money", "duration"]),
            st.just(()),
            st.just(AT),
        ),
    )


_entries = st.builds(n.FactEntry, idents, _several(literals), st.just(AT))
_many = _several(idents, least=0, most=3)
statements = st.one_of(
    _declarations(),
    _facts(),
    st.builds(n.SetDeclaration, idents, name_sets, st.just(AT)),
    st.builds(n.Let, idents, conditions, st.just(AT)),
    _classifications(),
    st.builds(n.Target, idents, _several(_entries, least=0), st.just(AT)),
    st.builds(
        n.Guard,
        idents,
        st.sampled_from(["only", "forbid"]),
        conditions,
        whens,
        st.none() | texts,
        texts,
        st.just(AT),
    ),
    st.builds(n.Deny, idents, conditions, st.none() | numbers, texts, st.just(AT)),
    st.builds(n.Budget, idents, moneys, idents, references, st.just(AT)),
    st.builds(
        n.Limit, idents, numbers, st.sampled_from(["tokens", "requests"]), idents, references, st.just(AT)
    ),
    st.builds(n.Route, idents, _destinations(), st.none() | _redactions(), whens, st.just(AT)),
    st.builds(
        n.Otherwise,
        texts,
        st.none() | numbers,
        st.none() | st.sampled_from(["error", "warning", "note"]),
        st.just(AT),
    ),
    _assertions(),
    st.builds(n.Except, idents, references, conditions, dates, texts, texts, st.just(AT)),
    st.builds(n.Include, texts, st.none() | idents, whens, _many, _many, st.just(AT)),
    _tests(),
    st.builds(n.TestTable, texts, st.just(AT)),
    st.builds(n.SeverityChoice, idents, st.sampled_from(["error", "warning", "note"]), st.just(AT)),
    st.builds(
        n.Suppress,
        idents,
        st.one_of(references, texts, st.just(n.Ident("otherwise", AT))),
        dates,
        texts,
        st.just(AT),
    ),
)


@st.composite
def modules(draw: st.DrawFn, *, most: int = 6) -> n.Module:
    """A file: its edition, then any statements in any order."""
    said = draw(st.lists(statements, max_size=most))
    return n.Module((n.Edition(1, AT), *said), NOWHERE)
