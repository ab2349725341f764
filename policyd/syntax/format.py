"""The one canonical text of a policy file.

In comes a `Source`, or a tree without one; out goes its text with the same meaning, comments and order. The text is
read again before it is handed out: when the digest of its tree or a comment differs, nothing is, and a diagnostic
says so. A file with mistakes is not formatted.
"""

from dataclasses import dataclass
from hashlib import blake2b

from policyd.syntax import nodes as n
from policyd.syntax.comments import Setting, settings_of
from policyd.syntax.layout import lines_of
from policyd.syntax.parse import Parsed, parse
from policyd.text.diagnostic import Diagnostic, Severity, has_errors
from policyd.text.source import Source, Span

__all__ = ["Formatted", "format_source", "meaning_digest", "write_module"]


@dataclass(frozen=True, slots=True)
class Formatted:
    """The canonical text, or None with at least one error among the diagnostics."""

    text: str | None
    diagnostics: tuple[Diagnostic, ...]


def format_source(source: Source) -> Formatted:
    parsed = parse(source)
    if has_errors(parsed.diagnostics):
        return Formatted(None, parsed.diagnostics)
    spans = [statement.span for statement in parsed.module.statements]
    settings = settings_of(source, spans, parsed.comments, 0, len(source.text))
    text = _joined(lines_of(parsed.module.statements, settings, source, parsed.comments))
    changed = _changed(parsed, parse(Source(source.name, text)))
    if changed is not None:
        message = f"formatting this file would change {changed}, so it is left as it is"
        help_ = "this is a mistake of policyd, not of the file; please report it with the file"
        span = Span(source, 0, 0)
        return Formatted(
            None, (*parsed.diagnostics, Diagnostic("PD119", Severity.ERROR, message, span, help_))
        )
    return Formatted(text, parsed.diagnostics)


def write_module(module: n.Module) -> str:
    """The canonical text of a tree that need not have been written by anyone; its places are not looked at."""
    settings = [Setting(gap=gap) for gap in _gaps(module)]
    return _joined(lines_of(module.statements, [*settings, Setting()], None, ()))


def meaning_digest(module: n.Module) -> str:
    """The same for two trees exactly when they are equal: places and layout do not count."""
    digest = blake2b(digest_size=16)
    for statement in module.statements:
        digest.update(repr(statement).encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def _gaps(module: n.Module) -> list[bool]:
    """A blank line wherever another kind of statement begins, and before every block and test."""
    kinds = [type(statement) for statement in module.statements]
    apart = (n.Classify, n.Test)
    return [
        bool(index) and (kind is not kinds[index - 1] or kind in apart) for index, kind in enumerate(kinds)
    ]


def _joined(lines: list[str]) -> str:
    return "\n".join(lines) + "\n" if lines else ""


def _changed(before: Parsed, after: Parsed) -> str | None:
    if has_errors(after.diagnostics) or meaning_digest(before.module) != meaning_digest(after.module):
        return "its meaning"
    if sorted(c.text for c in before.comments) != sorted(c.text for c in after.comments):
        return "its comments"
    return None
