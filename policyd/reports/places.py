"""Where a file is, as a machine that has the repository finds it.

In come a path as a person gave it, the folder they gave it in and the root of the repository; out goes the path below the
root, with slashes, and as a URI. What lies outside keeps its absolute path. No file is looked at.
"""

import os
from dataclasses import dataclass
from urllib.parse import quote

__all__ = ["Base"]


@dataclass(frozen=True, slots=True)
class Base:
    """`here` is the folder that paths are relative to, `root` the repository's, both absolute. INVARIANT: `here` is `root`
    or below it."""

    here: str
    root: str

    def path(self, path: str) -> str:
        """`policies/main.policy`, or the absolute path of what is not below the root."""
        whole = os.path.normpath(os.path.join(self.here, path))
        inside = os.path.relpath(whole, self.root)
        outside = inside == os.pardir or inside.startswith(os.pardir + os.sep)
        return (whole if outside else inside).replace(os.sep, "/")

    def uri(self, path: str) -> tuple[str, bool]:
        """The URI of a path, and whether it is relative to the root."""
        shown = self.path(path)
        quoted = quote(shown.encode("utf-8", "surrogatepass"), safe="/")
        return (f"file://{quoted}", False) if shown.startswith("/") else (quoted, True)
