"""`docs/reach-keys.md`, written from the tables that the readers use.

`python -m policyd.traffic.reach_page > docs/reach-keys.md` writes it; a test compares.
"""

import sys
from collections.abc import Iterable
from typing import Final

from policyd.traffic.anthropic_messages import BLOCKS, Block
from policyd.traffic.openai_parts import PART_KEYS
from policyd.traffic.openai_responses import ITEMS, Item
from policyd.traffic.reach import PASSED, REACH_KEYS, REFUSED_PREFIXES, ReachKey
from policyd.traffic.tools import CLIENT_FAMILIES, CLIENT_TOOLS, EITHER, SERVER_FAMILIES, SERVER_TOOLS

__all__ = ["reach_page"]

INTRODUCTION: Final = """\
# Reach keys

A reach key is anything in a request by which the *receiving* server would send content elsewhere, keep it, or fetch more.
The list is closed. Each becomes a feature that a policy can test (`server_tools`, `stored`, `remote_content`, `opaque`), or
the request is refused with status 400 and the code `caller_reach_key`.

A key counts when it is there: only `null` and `false` ask for nothing, and an empty list where the table says that the key
holds a list. An empty object or string counts: it is the usual way to ask for a feature's defaults. Keys are compared exactly,
and a key that differs from a known one only in case, hyphens, underscores or compatibility characters is refused with the code
`caller_ambiguous_key`, because some servers would read it as the known one.

This page is written from the tables in `policyd/traffic`; do not edit it.
"""

NOTES: Final = """\
Three keys say more than one thing. `container` and `vector_store_ids` are `server_tools`, `stored` and `opaque`.
`prompt_cache_retention` other than `in_memory`, and a `ttl` of more than an hour in `cache_control` (of a body, a message, a part
or a tool), `prompt_cache_options` or `prompt_cache_breakpoint`, are `stored`.

A key that the endpoint's vendor does not document and that is in none of these tables may mean content to some server. Its text
is scanned. An object, a list of anything but strings, a `data:` URL, and a long string without spaces in it (base64) make the request
`opaque`; a URL makes it `remote_content` and `opaque`.
"""

CONTENT: Final = """\
## Inside messages

| in the request | becomes |
|---|---|
| an image in the request (`data:` URL, base64) | `images`, `opaque` |
| an image by URL | `images`, `remote_content`, `opaque` |
| an image or a file by id, a reference to an earlier item, audio by id | `stored`, `opaque` |
| a file or document by URL | `remote_content`, `opaque`; its tokens are unknown |
| a text file or document in the request | decoded and scanned |
| any other file in the request (PDF) | `images`, `opaque`; its tokens are unknown |
| audio, video | `opaque` (video also `images`); its tokens are unknown |
| an encrypted block: `encrypted_content`, `redacted_thinking`, a thinking signature without its text | `opaque` |
| token ids in place of text | `opaque` |
| a type of part, item or block that is not listed below | `opaque` |
| an object or a list where every shape has words (`name`, `id`, `title`, `phase`) | `opaque` |
| annotations and outputs of tools | read like content: an object with the type or the keys of an image or a file is one |
| a key that a part does not have, with a list, an object, or 256 characters of base64 | `opaque`; with a URL: `remote_content`, `opaque` |
"""


def reach_page() -> str:
    """The whole page."""
    return "\n".join((INTRODUCTION, _keys(), NOTES, _passed(), CONTENT, _types()))


def _keys() -> str:
    lines = ["## Top-level keys", "", "| keys | where | become | because such a key |", "|---|---|---|---|"]
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for row in REACH_KEYS:
        shown = f"`{row.key}` (list)" if row.listed else f"`{row.key}`"
        grouped.setdefault((_where(row), row.outcome.value, row.because), []).append(shown)
    for (where, outcome, because), keys in grouped.items():
        lines.append(f"| {', '.join(keys)} | {where} | {outcome} | {because} |")
    prefixes = ", ".join(f"`{p}…`" for p in REFUSED_PREFIXES)
    lines.append(f"| {prefixes} | everywhere | 400 | names an account, a place or a log of another service |")
    return "\n".join(lines) + "\n"


def _where(row: ReachKey) -> str:
    where = "everywhere" if row.only is None else ", ".join(sorted(name.value for name in row.only))
    return f"{where}, unless `false`, also when absent" if row.absent_counts else where


def _passed() -> str:
    lines = ["## Considered, and passed on as they come", "", "| keys | because they |", "|---|---|"]
    lines += [f"| {', '.join(f'`{key}`' for key in keys)} | {because} |" for because, keys in PASSED]
    return "\n".join(lines) + "\n"


def _types() -> str:
    def names(kinds: Iterable[str]) -> str:
        return ", ".join(f"`{kind}`" for kind in sorted(kinds))

    dated_client = ", ".join(f"`{f}_YYYYMMDD`" for f in CLIENT_FAMILIES)
    dated_server = ", ".join(f"`{f}_YYYYMMDD`" for f in SERVER_FAMILIES)
    lines = [
        "## Types of tools",
        "",
        f"- Run by the client (`tools`): {names(CLIENT_TOOLS)}, {dated_client}, and a tool without a type that has a `name` and an `input_schema`;"
        " each with its own documented keys: with any other key it is run by the server.",
        f"- Run by the server (`tools`, `server_tools`): {names(SERVER_TOOLS)}, {dated_server}.",
        f"- Run by the server unless they say the client: {names(EITHER)}.",
        "- Every other type is run by the server, and opaque.",
        "",
        "## Types of content",
        "",
        f"- Parts of OpenAI's messages: {names(PART_KEYS)}.",
        f"- Items of responses that are text: {names(k for k, (who, _) in ITEMS.items() if who is Item.TEXT)}.",
        f"- Items run by the client: {names(k for k, (who, _) in ITEMS.items() if who is Item.CLIENT)}.",
        f"- Items run by the server (`server_tools`): {names(k for k, (who, _) in ITEMS.items() if who is Item.SERVER)}.",
        f"- Items held by the server (`stored`): {names(k for k, (who, _) in ITEMS.items() if who is Item.HELD)}.",
        f"- Anthropic's blocks that are text: {names(k for k, (who, _) in BLOCKS.items() if who is Block.TEXT)}.",
        f"- Blocks run by the client: {names(k for k, (who, _) in BLOCKS.items() if who is Block.CLIENT)}.",
        f"- Blocks run by the server (`server_tools`): {names(k for k, (who, _) in BLOCKS.items() if who is Block.SERVER)}.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(reach_page())
