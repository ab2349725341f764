"""An author's words in Markdown, without letting them be Markdown.

In comes any text; out goes text that GitHub and GitLab show as it is, on one line: no link, image, mention, heading, HTML or
table cell of an author's making. For a comment on a pull request, where who writes the policy may not be who reads it.

Entities say what a character is without letting it start anything. Mentions and issue numbers are found in the finished
page, where an entity is its character again; an empty comment after the sign keeps them apart.
"""

import re

from policyd.text.printable import printable

__all__ = ["code", "plain"]

_ACTIVE = re.compile(r"[\\`*_{}\[\]()<>#+!|~@&$:=.\"'-]")


def plain(text: str) -> str:
    """Text in a sentence or a table cell."""
    return _ACTIVE.sub(_entity, printable(text))


def code(text: str) -> str:
    """Text in the typeface of code, in a sentence or a table cell."""
    return f"<code>{plain(text)}</code>"


def _entity(found: re.Match[str]) -> str:
    entity = f"&#{ord(found[0])};"
    return f"{entity}<!-- -->" if found[0] in "@#" else entity
