"""What holds for every text: reading what was written, formatting twice, keeping comments, surviving garbage."""

import re

from hypothesis import given
from hypothesis import strategies as st

from policyd.syntax.format import format_source, meaning_digest, write_module
from policyd.syntax.nodes import Module
from policyd.syntax.parse import parse
from policyd.text.diagnostic import has_errors
from policyd.text.source import Source, Span
from tests.strategies.modules import modules
from tests.syntax.walking import places


def read(text: str) -> Module:
    parsed = parse(Source("policy", text))
    assert parsed.diagnostics == (), [d.message for d in parsed.diagnostics]
    return parsed.module


@given(modules())
def test_what_was_written_is_read_back(module: Module) -> None:
    assert read(write_module(module)) == module


@given(modules())
def test_a_written_module_is_already_formatted_but_for_blank_lines(module: Module) -> None:
    text = write_module(module)
    formatted = format_source(Source("policy", text))
    assert formatted.text == text


@given(modules(), modules())
def test_the_digest_tells_trees_apart(one: Module, other: Module) -> None:
    assert (meaning_digest(one) == meaning_digest(other)) == (one == other)


@given(modules())
def test_every_place_lies_in_the_text_and_around_its_parts(module: Module) -> None:
    text = write_module(module)
    for node, parts in places(read(text)):
        assert isinstance(node.span, Span)
        assert 0 <= node.span.start < node.span.end <= len(text)
        assert not node.span.text[0].isspace() and not node.span.text[-1].isspace()
        for part in parts:
            assert node.span.start <= part.span.start <= part.span.end <= node.span.end


@st.composite
def shaken(draw: st.DrawFn) -> str:
    """A valid file with its spaces, line breaks and comments elsewhere."""
    lines = write_module(draw(modules(most=4))).splitlines()
    chosen = draw(
        st.lists(st.sampled_from(["", "# one", "  # two", "\t"]), min_size=len(lines), max_size=len(lines))
    )
    spread = draw(st.booleans())
    shaken_lines = []
    for line, extra in zip(lines, chosen, strict=True):
        shaken_lines.append(extra)
        shaken_lines.append(_spread(line) if spread else f"{line}  # three" if extra else line)
    return "\n".join(shaken_lines)


def _spread(line: str) -> str:
    """A line broken before each brace and clause, with a comment in the gap."""
    pieces = re.split(r'("(?:[^"\\]|\\.)*")', line)
    broken = [
        re.sub(r" (when|because|and|\}|,) ", r" # gap\n  \1 ", p) if i % 2 == 0 else p
        for i, p in enumerate(pieces)
    ]
    return "".join(broken)


@given(shaken())
def test_formatting_keeps_meaning_and_comments_and_is_done_in_one_go(text: str) -> None:
    source = Source("policy", text)
    module = read(text)
    formatted = format_source(source)
    assert formatted.diagnostics == ()
    assert formatted.text is not None
    assert read(formatted.text) == module
    before, after = parse(source).comments, parse(Source("policy", formatted.text)).comments
    assert sorted(c.text for c in before) == sorted(c.text for c in after)
    assert format_source(Source("policy", formatted.text)).text == formatted.text


TOKENS = st.sampled_from(
    [
        "edition",
        "level",
        "enum",
        "string",
        "int",
        "bool",
        "fact",
        "set",
        "let",
        "classify",
        "target",
        "guard",
        "deny",
        "budget",
        "limit",
        "route",
        "otherwise",
        "assert\n",
        "",
        "",
        "",
        "except",
        "include",
        "test",
        "tests",
        "and",
        "or",
        "not",
        "in",
        "when",
        "because",
        "true",
        "false",
        "only",
        "forbid",
        "to",
        "any",
        "all",
        "split",
        "cheapest",
        "by",
        "per",
        "from\n",
        "",
        "",
        "",
        "header",
        "identity",
        "unknown",
        "reject",
        "never",
        "always",
        "rejected",
        "given",
        "expect",
        "then",
        "via",
        "removed",
        "status",
        "starts",
        "at",
        "with",
        "least\n",
        "",
        "",
        "",
        "exceeded",
        "contains",
        "{",
        "}",
        "(",
        ")",
        ",",
        "..",
        "==",
        "=",
        "!=",
        "<",
        "<=",
        '"text"',
        '"open',
        "$4",
        "$x",
        "3k",
        "3kk",
        "2026-12-31",
        "2026-13-40",
        "30",
        "days",
        "a.b",
        "team",
        "#",
        "c\n",
        "",
        "",
        "",
        "\n",
        "\n",
        "\n",
        "\u202e",
        "é",
        "-",
        "\\",
        ";",
        "\x00",
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    text = write_module(draw(modules(most=4)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        to = draw(st.integers(at, min(len(text), at + 12)))
        text = text[:at] + draw(st.one_of(st.just(""), TOKENS, st.text(max_size=3))) + text[to:]
    return text


@given(st.one_of(st.text(), st.lists(TOKENS, max_size=40).map(" ".join), mutated()))
def test_garbage_is_explained_or_is_a_policy(text: str) -> None:
    source = Source("policy", text)
    parsed = parse(source)
    for diagnostic in parsed.diagnostics:
        assert diagnostic.span is not None
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)
        assert diagnostic.help
    formatted = format_source(source)
    if has_errors(parsed.diagnostics):
        assert formatted.text is None
    else:
        assert formatted.text is not None, formatted.diagnostics
        assert read(formatted.text) == parsed.module
