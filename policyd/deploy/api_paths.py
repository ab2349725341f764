"""A target's URL that ends in the API's own path, which policyd adds once more behind it.

In: the shape of a deployment file. Out: a diagnostic for each such URL. SDKs' base URLs end in `/v1`, so this is what is
copied; every request would go to `/v1/v1/…`, and its 404 is an answer like any other. Pure.
"""

import re
from collections.abc import Iterable
from typing import Final

from policyd.deploy.author import Author
from policyd.deploy.file import DeploymentFile
from policyd.text.diagnostic import Diagnostic, Severity

__all__ = ["api_path_findings"]

_API: Final = re.compile(r"/v1(?:/(?:chat/)?completions|/responses|/messages|/embeddings|/models)?$")


def api_path_findings(file: DeploymentFile, author: Author) -> Iterable[Diagnostic]:
    """Azure's classic paths do not begin with `/v1`: a gateway in front of them may have a version of its own."""
    for name, target in file.targets.items():
        found = _API.search(target.url.prefix)
        if found is None or target.azure_api_version is not None:
            continue
        path = ("targets", name, "url")
        message = f"`{'.'.join(path)}`: `{found.group()}` would be there twice: policyd adds the API's path (`/v1/…`) itself"
        cure = f"leave out `{found.group()}`"
        yield Diagnostic("PD545", Severity.ERROR, message, author.span(path), help=cure)
