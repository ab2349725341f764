"""Reading a policy: the root file and everything it includes.

In comes a path, and the place that files are read from (`Files`, by default the disk); out comes `Loaded`: a checked
program, or every mistake at once. Nothing outside the root file's folder is read, by `..`, by an absolute path or through
a link.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from posixpath import dirname, isabs, join, normpath
from typing import Final

from policyd.policy.program import Program, Suppression
from policyd.resolve.claims import apart
from policyd.resolve.files import Unit
from policyd.resolve.program import build
from policyd.resolve.reading import DISK, Files, Held
from policyd.resolve.report import Report
from policyd.syntax.nodes import Assert, Include, TestTable, Text
from policyd.syntax.parse import parse
from policyd.text.diagnostic import Diagnostic, has_errors
from policyd.text.source import Source, Span

__all__ = ["Loaded", "load", "load_text"]

_DEEPEST: Final = 16
_MOST_FILES: Final = 1000

_NO_TARGET: Final = "PD236"
_LOST: Final = frozenset(
    {
        "PD201",
        "PD203",
        "PD204",
        "PD230",
        "PD231",
        "PD234",
        "PD017",
        "PD236",
        "PD240",
        "PD241",
        "PD260",
        "PD272",
        "PD282",
    }
)
"""Mistakes that a statement which could not be read may only seem to cause: with one lost, they are not said."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """`program` is None exactly when there is an error. `files`: every file that was read, the root first; `sources`:
    their texts, each named as its file. `meant`: the program also where only tests are wrong, so that what it means can
    still be proved; it never serves. `asked`: the program whose assertions are the claims that were asked of it."""

    program: Program | None
    diagnostics: tuple[Diagnostic, ...]
    files: tuple[Path, ...]
    meant: Program | None = None
    sources: tuple[Source, ...] = ()
    asked: Program | None = None
    suppressed: tuple[tuple[Diagnostic, Suppression], ...] = ()


@dataclass(frozen=True, slots=True)
class _File:
    """One file's text and what makes it this file and no other."""

    identity: str
    source: Source


@dataclass(frozen=True, slots=True)
class _Problem:
    code: str
    message: str
    help: str | None = None


def load(
    path: Path, *, today: date | None = None, files: Files = DISK, claims: Sequence[Assert] = ()
) -> Loaded:
    """The policy at `path`. Sources are named as the person gave the path. Without `today` no exception has expired.
    `claims` are read as if they stood at the end of the root file, and are no part of `program`."""
    report = Report()
    reader = _Reader(path, files, report)
    unit = reader.root()
    built = None if unit is None else build(unit, report, today=today, claims=claims)
    meant, asked = built, None
    if unit is not None and built is not None and claims:
        meant, asked = apart(built, unit, claims)
    ruled = report.ruled()
    failed = has_errors(ruled.kept)
    return Loaded(
        None if failed else meant,
        _own(ruled.kept, lost=reader.lost),
        tuple(Path(s.name) for s in reader.sources),
        meant,
        tuple(reader.sources),
        None if failed else asked,
        ruled.suppressed,
    )


def load_text(
    text: str, name: str = "<policy>", files: Mapping[str, str] | None = None, *, today: date | None = None
) -> Loaded:
    """A policy that no disk holds: `files` are what it includes, by path."""
    return load(Path(name), today=today, files=Held({**(files or {}), name: text}))


def _own(found: tuple[Diagnostic, ...], *, lost: bool) -> tuple[Diagnostic, ...]:
    """Without what is only the consequence of another mistake."""
    without = _LOST if lost else frozenset()
    if any(d.code == _NO_TARGET for d in found):
        without |= {"PD203"}
    return tuple(d for d in found if d.code not in without)


class _Reader:
    """Reads and parses the tree of files, each once."""

    def __init__(self, path: Path, files: Files, report: Report) -> None:
        self._path = path
        self._files = files
        self._report = report
        self._first: dict[str, Span | None] = {}
        self.sources: list[Source] = []
        self.lost = False

    def root(self) -> Unit | None:
        name = self._path.name
        file = self._fetch(name)
        if isinstance(file, _Problem):
            self._report.add(file.code, None, file.message, help=file.help)
            return None
        return self._unit(file, name, (), None)

    def _fetch(self, relative: str) -> _File | _Problem:
        return _read(self._path.parent, relative, self._files, confined=relative != self._path.name)

    def _unit(self, file: _File, relative: str, inside: tuple[str, ...], at: Span | None) -> Unit:
        self._first[file.identity] = at
        self.sources.append(file.source)
        parsed = parse(file.source)
        self._report.take(parsed.diagnostics)
        self.lost = self.lost or self._report.failed
        includes: dict[int, Unit] = {}
        tables: dict[int, Source] = {}
        for index, statement in enumerate(parsed.module.statements):
            if isinstance(statement, Include):
                unit = self._include(statement.path, relative, (*inside, file.identity))
                if unit is not None:
                    includes[index] = unit
            elif isinstance(statement, TestTable):
                found = self._below(statement.path, relative)
                if found is not None:
                    tables[index] = found[0].source
                    self.sources.append(found[0].source)
        return Unit(parsed.module, includes, tables)

    def _include(self, path: Text, relative: str, inside: tuple[str, ...]) -> Unit | None:
        found = self._below(path, relative)
        if found is None:
            return None
        file, inner = found
        if file.identity in inside:
            self._refuse(
                _Problem("PD013", f"`{path.value}` includes itself, directly or through others"), path
            )
            return None
        if file.identity in self._first:
            self._refuse(_Problem("PD016", f"`{path.value}` is included twice"), path)
            return None
        if len(inside) >= _DEEPEST or len(self.sources) >= _MOST_FILES:
            most = f"includes go at most {_DEEPEST} deep, and a policy has at most {_MOST_FILES} files"
            self._refuse(_Problem("PD014", most), path)
            return None
        return self._unit(file, inner, inside, path.span)

    def _below(self, path: Text, relative: str) -> tuple[_File, str] | None:
        """The file that is named in `relative`, which stays in the root's folder."""
        inner = normpath(join(dirname(relative), path.value)) if path.value else ""
        if (
            not inner
            or isabs(inner)
            or inner.split("/")[0] == ".."
            or "\\" in path.value
            or "\0" in path.value
        ):
            self._refuse(_outside(path.value), path)
            return None
        file = self._fetch(inner)
        if isinstance(file, _Problem):
            self._refuse(file, path)
            return None
        return file, inner

    def _refuse(self, problem: _Problem, path: Text) -> None:
        self.lost = True
        self._report.add(problem.code, path.span, problem.message, help=problem.help)


def _outside(path: str) -> _Problem:
    advice = "write a path with `/` from this file, inside the folder of the root file"
    return _Problem("PD015", f"`{path}` is not a file inside the policy's folder", advice)


def _read(folder: Path, relative: str, files: Files, *, confined: bool) -> _File | _Problem:
    """The root file may be a link to anywhere; what it includes lies in its folder."""
    path = folder / relative
    try:
        real = files.real(path)
        if confined and not Path(real).is_relative_to(files.real(folder)):
            return _outside(relative)
        data = files.read(path)
        return _File(real, Source(str(path), data.decode("utf-8").removeprefix("\ufeff")))
    except (FileNotFoundError, NotADirectoryError):
        return _Problem("PD001", f"there is no file `{path}`")
    except IsADirectoryError:
        return _Problem("PD001", f"`{path}` is a folder", "name a file")
    except UnicodeDecodeError as error:
        return _Problem(
            "PD002", f"`{path}` is not UTF-8: byte {error.start} cannot be read", "save it as UTF-8"
        )
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return _Problem("PD001", f"`{path}` cannot be read: {why}")
