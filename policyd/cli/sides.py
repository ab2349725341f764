"""The two sides of a comparison: which policies there are, and which belong together.

In come two arguments, each a file, a folder or a revision of git; out come pairs of policies that are loaded the same way
wherever they are, or diagnostics. Policies of two folders belong together by their path in the folder; what only one of them has
may have another name in the other. It compares nothing.
"""

import os
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from policyd.cli.reading import SUFFIX, policy_files, roots_of
from policyd.cli.revisions import PREFIX, Revision, Wanted, open_revision, wanted_revision
from policyd.pipeline import Loaded, load
from policyd.policy.digest import digest
from policyd.resolve.reading import DISK, Files
from policyd.syntax.nodes import Assert
from policyd.text.diagnostic import Diagnostic, Severity

__all__ = ["Pair", "Side", "open_sides", "paired"]


@dataclass(frozen=True, slots=True)
class Side:
    """One side. `policies` by their name: the path in the folder or, of a single file, empty."""

    shown: str
    files: Files
    policies: Mapping[str, Path]

    def load(self, path: Path, *, today: date, claims: Sequence[Assert] = ()) -> Loaded:
        return load(path, today=today, files=self.files, claims=claims)


@dataclass(frozen=True, slots=True)
class Pair:
    """One policy of both sides, or of the only one that has it. `name` as a person knows it, `called` its old name where that
    was another."""

    name: str
    old: Path | None
    new: Path | None
    called: str | None = None


def open_sides(old: str, new: str) -> tuple[Side, Side] | tuple[Diagnostic, ...]:
    """Both sides, or everything that keeps one from being read."""
    wanted = (wanted_revision(old), wanted_revision(new))
    here = (_path(old, wanted[0], new, wanted[1]), _path(new, wanted[1], old, wanted[0]))
    found = tuple(_open(w, p) for w, p in zip(wanted, here, strict=True))
    first, second = found
    if isinstance(first, Diagnostic) or isinstance(second, Diagnostic):
        return tuple(f for f in found if isinstance(f, Diagnostic))
    if ("" in first.policies) != ("" in second.policies):
        return (_unlike(first, second),)
    return first, second


def paired(old: Side, new: Side, *, today: date) -> tuple[Pair, ...]:
    """The policies of both sides, in the order of their names. One that was renamed is one policy."""
    called = _renamed(old, new, today)
    names = sorted({*old.policies, *new.policies} - {*called.values()})
    return tuple(
        Pair(n or new.shown, old.policies.get(called.get(n, n)), new.policies.get(n), called.get(n))
        for n in names
    )


def _renamed(old: Side, new: Side, today: date) -> dict[str, str]:
    """Policies that only one folder has, new name to old: those of one meaning, then those whose file has one name, then the
    last of either side. Only what has one possible partner gets it."""
    gone = [n for n in sorted(old.policies) if n not in new.policies]
    more = [n for n in sorted(new.policies) if n not in old.policies]
    out: dict[str, str] = {}

    def digest_of(side: Side, name: str) -> str | None:
        meant = side.load(side.policies[name], today=today).meant
        return None if meant is None else digest(meant)

    ways: tuple[Callable[[Side, str], str | None], ...] = (
        digest_of,
        lambda _side, name: posixpath.basename(name),
        lambda _side, _name: "",
    )
    for way in ways:
        if not gone or not more:
            break
        keys = {n: way(old, n) for n in gone}, {n: way(new, n) for n in more}
        for key in {k for k in keys[0].values() if k is not None}:
            before, after = ([n for n, k in own.items() if k == key] for own in keys)
            if len(before) == len(after) == 1:
                out[after[0]] = before[0]
        gone = [n for n in gone if n not in out.values()]
        more = [n for n in more if n not in out]
    return out


def _path(text: str, wanted: Wanted | None, other: str, other_wanted: Wanted | None) -> str:
    """The path on disk that an argument is about: its own, the other side's, or this folder."""
    if wanted is None:
        return text
    if wanted.path is not None:
        return wanted.path
    if other_wanted is None:
        return other
    return other_wanted.path or "."


def _open(wanted: Wanted | None, path: str) -> Side | Diagnostic:
    if wanted is None:
        return _on_disk(path)
    revision = open_revision(wanted.name, path)
    return revision if isinstance(revision, Diagnostic) else _of_revision(revision)


def _on_disk(path: str) -> Side | Diagnostic:
    if not os.path.isdir(path):
        return Side(path, DISK, {"": Path(path)})
    found = policy_files((path,))
    if found.diagnostics:
        return found.diagnostics[0]
    roots = roots_of(found.files)
    return Side(path, DISK, {os.path.relpath(f, path).replace(os.sep, "/"): Path(f) for f in roots})


def _of_revision(revision: Revision) -> Side | Diagnostic:
    if not revision.is_folder:
        return Side(revision.shown, revision, {"": revision.path()})
    names = [n for n in revision.names if n.endswith(SUFFIX) and not _hidden(n)]
    paths = {str(revision.path(n)): n for n in names}
    if not paths:
        return _nothing(revision)
    return Side(revision.shown, revision, {paths[p]: Path(p) for p in roots_of(tuple(paths), files=revision)})


def _hidden(name: str) -> bool:
    """Whether a folder of the path is left out, as it is on disk."""
    return any(part.startswith(".") for part in name.split("/")[:-1])


def _nothing(revision: Revision) -> Diagnostic:
    return Diagnostic(
        "PD003",
        Severity.ERROR,
        f"no policy in `{revision.shown}`",
        None,
        f"policies are files whose name ends in `{SUFFIX}`",
    )


def _unlike(old: Side, new: Side) -> Diagnostic:
    file, folder = (old, new) if "" in old.policies else (new, old)
    if file.files is DISK and not os.path.lexists(file.shown):
        return Diagnostic("PD001", Severity.ERROR, f"there is no file or folder `{file.shown}`", None)
    return Diagnostic(
        "PD023",
        Severity.ERROR,
        f"`{file.shown}` is a file and `{folder.shown}` is a folder",
        None,
        f"compare two files, or two folders of policies; `{PREFIX}REV` alone takes the other side's path",
    )
