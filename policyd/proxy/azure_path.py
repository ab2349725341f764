"""Whether a path at Azure OpenAI names the model that the bytes name, read for the gate alone.

In: a path with its query as it will be sent, and what the body names. Out: what is wrong with it, or None. At Azure the path
chooses the model and the body's key is ignored, so a gate that looked at the body alone would be deceived. It shares
nothing with the code that makes such paths.
"""

import re
from typing import Final

from policyd.proxy.model_key import ModelKey

__all__ = ["misaddressed"]

_THERE: Final = re.compile(
    rb"/openai/(?:deployments/([A-Za-z0-9_.-]+)/(?:chat/completions|completions|embeddings)|responses)"
)


def misaddressed(path: bytes, version: str, named: str | ModelKey) -> str | None:
    """`path` without the target's own prefix."""
    bare, _, query = path.partition(b"?")
    there = _THERE.fullmatch(bare)
    if there is None:
        return "the path is none of Azure's"
    if there[1] is not None and there[1].decode() != named:
        return "the path names another model than the body"
    versions = [
        pair
        for pair in re.split(rb"[&;]", query)
        if b"version" in pair.lower() or b"%" in pair.partition(b"=")[0]
    ]
    if versions != [b"api-version=" + version.encode()]:
        return "the query does not say the declared version exactly once"
    return None
