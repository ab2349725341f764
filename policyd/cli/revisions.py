"""Policies as they were: the files of one revision of a git repository.

In come a revision's name and a path on disk; out comes a `Revision`, which is a place that policies are read from, or a
diagnostic that says why there is none. The one idea: git's object store is asked by its own command, with the object ids it gave
and without a shell, so that neither the work tree nor the index is touched or looked at. It parses nothing.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Final

from policyd.text.diagnostic import Diagnostic, Severity

__all__ = ["PREFIX", "Revision", "Wanted", "open_revision", "shown_place", "wanted_revision"]

PREFIX: Final = "git:"
"""What begins a revision on the command line: `git:REV` or `git:REV:PATH`."""

_LARGEST: Final = 16 * 1024 * 1024
_PATIENCE: Final = 60.0
"""Seconds that one call of git may take."""
_MOST_LINKS: Final = 16
_SHORT: Final = 12
"""Digits of a commit that is shown."""
_OBJECT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_ENTRY: Final = re.compile(r"(\d{6}) blob ([0-9a-f]{40,64}) +(\d+)\t(.*)", re.DOTALL)
_LINK: Final = "120000"
_OF_A_HOOK: Final = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"})
"""Variables by which git tells a hook which repository it runs in; here the path says it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A revision as it was asked for. Without `path` it is that of the other side."""

    name: str
    path: str | None


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file of the tree: a link or not, its object, its bytes."""

    link: bool
    object: str
    size: int


class _Failed(Exception):
    """git did not do as it was asked; the message is what it said."""


@dataclass(frozen=True, slots=True, eq=False)
class Revision:
    """The files of one folder at one revision. `inner` is the path that was asked for, within the repository (empty: all of
    it). Paths read `git:REV:PATH`, with `PATH` from the repository's top."""

    name: str
    top: str
    inner: str
    _entries: Mapping[str, _Entry] = field(repr=False)

    @property
    def is_folder(self) -> bool:
        return self._is_folder(self._resolved(self.inner))

    @property
    def shown(self) -> str:
        """What was asked for, as a person writes it."""
        return f"{PREFIX}{self.name}:{self.inner}" if self.inner else f"{PREFIX}{self.name}"

    @property
    def names(self) -> tuple[str, ...]:
        """Every file below the path that was asked for, from there, sorted."""
        start = f"{self.inner}/" if self.inner else ""
        return tuple(sorted(p[len(start) :] for p in self._entries if p.startswith(start)))

    def path(self, name: str = "") -> Path:
        """The file of this name below the path that was asked for, as it is shown and read."""
        inner = normpath(join(self.inner, name))
        return Path(f"{PREFIX}{self.name}:{inner if '/' in inner else './' + inner}")

    def read(self, path: Path) -> bytes:
        inner = self._resolved(self._inner(path))
        entry = self._entries.get(inner)
        if entry is None:
            raise IsADirectoryError(path) if self._is_folder(inner) else FileNotFoundError(path)
        if entry.link:
            raise OSError("a link that leads nowhere in its folder")
        if entry.size > _LARGEST:
            raise OSError(f"larger than {_LARGEST // 1024 // 1024} MiB")
        try:
            return _git(self.top, "cat-file", "blob", entry.object)
        except _Failed as failed:
            raise OSError(str(failed)) from None

    def real(self, path: Path) -> str:
        return "/" + self._resolved(self._inner(path))

    def _inner(self, path: Path) -> str:
        start = f"{PREFIX}{self.name}:"
        text = str(path)
        assert text.startswith(start), "INVARIANT: whoever loads from a revision names its paths by `path`"
        return _normal(text[len(start) :])

    def _is_folder(self, inner: str) -> bool:
        return not inner or any(p.startswith(inner + "/") for p in self._entries)

    def _resolved(self, inner: str) -> str:
        """The path with links followed, or the first link that cannot be."""
        for _ in range(_MOST_LINKS):
            parts = inner.split("/")
            at = next((n for n in range(1, len(parts) + 1) if self._is_link("/".join(parts[:n]))), None)
            if at is None:
                return inner
            link = "/".join(parts[:at])
            try:
                leads = _git(self.top, "cat-file", "blob", self._entries[link].object).decode()
            except (_Failed, UnicodeDecodeError):
                return link
            if leads.startswith("/"):
                return link
            inner = _normal(join(dirname(link), leads, *parts[at:]))
        return inner

    def _is_link(self, inner: str) -> bool:
        entry = self._entries.get(inner)
        return entry is not None and entry.link


def wanted_revision(text: str) -> Wanted | None:
    """The revision that an argument asks for, or None where it is a path."""
    if not text.startswith(PREFIX):
        return None
    name, _, path = text[len(PREFIX) :].partition(":")
    return Wanted(name, path or None)


def open_revision(name: str, path: str) -> Revision | Diagnostic:
    """The revision's files for a path on disk, whether or not that is there now: the path itself and what lies below it or,
    where it is a file, what lies in its folder."""
    absolute = os.path.abspath(path)
    here = os.path.realpath(absolute)
    if not os.path.isdir(here):
        # A link to a file is compared as it stands there: the revision has its own.
        here = os.path.join(os.path.realpath(os.path.dirname(absolute)), os.path.basename(absolute))
    near = here
    while not os.path.isdir(near):
        near = os.path.dirname(near)
    try:
        top = os.path.realpath(_git(near, "rev-parse", "--show-toplevel").decode().removesuffix("\n"))
    except _Failed as failed:
        return _no_repository(near, str(failed))
    commit = _commit(top, name)
    if commit is None:
        return _unknown_revision(name, top)
    name = name[:_SHORT] if _OBJECT.fullmatch(name) else name
    inner = _normal(os.path.relpath(here, top).replace(os.sep, "/"))
    if inner.split("/")[0] == "..":
        return _no_repository(near, f"`{path}` lies outside of it")
    try:
        kind = _git(top, "cat-file", "-t", f"{commit}:{inner}").decode().strip()
    except _Failed:
        return _absent(name, inner)
    try:
        return Revision(name, top, inner, _tree(top, commit, inner if kind == "tree" else dirname(inner)))
    except _Failed as failed:
        return _no_repository(near, str(failed))


def shown_place(place: str) -> str:
    """A path or a place as a person writes it: a file in the repository's top folder is read as `./NAME`, so that what it
    includes is sought in the revision as well."""
    return re.sub(rf"^({PREFIX}[^:]*:)\./", r"\1", place)


def _normal(inner: str) -> str:
    found = normpath(inner)
    return "" if found == "." else found


def _commit(top: str, name: str) -> str | None:
    if not name or name.startswith("-") or "\0" in name or "\n" in name:
        return None
    try:
        found = _git(top, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").decode().strip()
    except _Failed:
        return None
    return found if _OBJECT.fullmatch(found) else None


def _tree(top: str, commit: str, folder: str) -> dict[str, _Entry]:
    """The files below a folder of the repository. Names that are not UTF-8 are left out: no include can name them."""
    below = (f"{folder}/",) if folder else ()
    listed = _git(top, "ls-tree", "-r", "-z", "-l", "--full-tree", commit, "--", *below)
    entries = {}
    for raw in listed.split(b"\0"):
        try:
            found = _ENTRY.fullmatch(raw.decode())
        except UnicodeDecodeError:
            continue
        if found is not None:
            mode, name, size, path = found.groups()
            entries[path] = _Entry(mode == _LINK, name, int(size))
    return entries


def _git(folder: str, *words: str) -> bytes:
    """What a call of git writes. It reads objects only; nothing is fetched, not even what a partial clone lacks, no password
    is asked for, nothing is locked."""
    kept = {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}
    settings = {
        "LC_ALL": "C",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_LAZY_FETCH": "1",
    }
    try:
        done = subprocess.run(
            ("git", "-C", folder, *words),
            env={**kept, **settings},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_PATIENCE,
        )
    except FileNotFoundError:
        raise _Failed("the command `git` is not installed") from None
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise _Failed(f"the command `git` failed: {type(error).__name__}") from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise _Failed(said[0] if said else f"`git {words[0]}` ended with {done.returncode}")
    return done.stdout


def _no_repository(folder: str, why: str) -> Diagnostic:
    return Diagnostic(
        "PD020",
        Severity.ERROR,
        f"no revisions for `{folder}`: {why.removeprefix('fatal: ')}",
        None,
        "`git:REV` needs a path inside the work tree of a git repository",
    )


def _unknown_revision(name: str, top: str) -> Diagnostic:
    return Diagnostic(
        "PD021",
        Severity.ERROR,
        f"the repository in `{top}` has no revision `{name}`",
        None,
        "name a branch, a tag or a commit; a shallow clone has few: fetch the one to compare with first",
    )


def _absent(name: str, inner: str) -> Diagnostic:
    return Diagnostic(
        "PD022",
        Severity.ERROR,
        f"there is no `{inner}` at revision `{name}`",
        None,
        f"a path that had another name there is `{PREFIX}{name}:OTHER/PATH`; compare folders to see what was added",
    )
