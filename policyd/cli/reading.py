"""Files and folders as the command line gets them: which policies are meant, and their text.

In come paths; out go file names and texts, or diagnostics of the PD00x kind for what cannot be read. A folder means the
policies in it that no other file there includes; hidden folders are not entered. Nothing is parsed for its meaning.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from policyd.resolve.reading import DISK, Files
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.text.source import Source

__all__ = ["SUFFIX", "Found", "find_policies", "policy_files", "read_input", "read_source", "roots_of"]

SUFFIX = ".policy"
_LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Found:
    """Policy files in the order they were asked for, each once, and what could not be read or found."""

    files: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...] = ()


def policy_files(paths: Sequence[str]) -> Found:
    """Every policy file that the paths name, included ones too."""
    files: dict[str, None] = {}
    problems: list[Diagnostic] = []
    for path in paths:
        if not os.path.isdir(path):
            files[path] = None
            continue
        inside, unreadable = _inside(path)
        problems.extend(unreadable)
        files.update(dict.fromkeys(inside))
        if not inside and not unreadable:
            problems.append(_nothing(path))
    return Found(tuple(files), tuple(problems))


def find_policies(paths: Sequence[str]) -> Found:
    """The policies that the paths name: files as they are, and of a folder those that nothing in it includes."""
    files: dict[str, None] = {}
    problems: list[Diagnostic] = []
    for path in paths:
        found = policy_files((path,))
        problems.extend(found.diagnostics)
        whole_folder = os.path.isdir(path) and len(found.files) > 1
        files.update(dict.fromkeys(roots_of(found.files) if whole_folder else found.files))
    return Found(tuple(files), tuple(problems))


def read_source(path: str) -> Source | Diagnostic:
    """A file's text under its own name, or why there is none. A pipe or a device is none: it could be read only once, or
    for ever."""
    if os.path.exists(path) and not os.path.isdir(path) and not os.path.isfile(path):
        return _unreadable(path, "it is not a regular file")
    text = _read(path)
    return Source(path, text) if isinstance(text, str) else text


def read_input(path: str) -> str | Diagnostic:
    """The text of a file, or of standard input for `-`."""
    if path != "-":
        return _read(path)
    return _decoded("standard input", sys.stdin.buffer.read(_LARGEST + 1))


def _read(path: str) -> str | Diagnostic:
    try:
        if os.path.isdir(path):
            return _unreadable(path, "it is a folder")
        with open(path, "rb") as file:
            return _decoded(path, file.read(_LARGEST + 1))
    except (OSError, ValueError) as error:
        return _unreadable(path, _reason(error))


def _decoded(name: str, raw: bytes) -> str | Diagnostic:
    if len(raw) > _LARGEST:
        return _unreadable(name, f"it is larger than {_LARGEST // 2**20} MiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _not_text(name, f"byte {error.start + 1} is not UTF-8")
    if "\0" in text:
        return _not_text(name, "it holds a zero byte")
    return text


def _inside(folder: str) -> tuple[list[str], list[Diagnostic]]:
    """Policy files below a folder, sorted; folders whose name begins with a dot are left out."""
    files: list[str] = []
    problems: list[Diagnostic] = []

    def failed(error: OSError) -> None:
        problems.append(_unreadable(str(error.filename), _reason(error)))

    for at, folders, names in os.walk(folder, onerror=failed):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        files.extend(os.path.normpath(os.path.join(at, n)) for n in sorted(names) if n.endswith(SUFFIX))
    return files, problems


def roots_of(paths: Sequence[str], *, files: Files = DISK) -> tuple[str, ...]:
    """The policies that no other of them includes. Where each is included (a circle), all of them: what is wrong is then
    said of them."""
    included = {files.real(Path(target)) for p in paths for target in _includes(p, files)}
    roots = tuple(p for p in paths if files.real(Path(p)) not in included)
    return roots or tuple(paths)


def _includes(path: str, files: Files) -> tuple[str, ...]:
    """What a file includes, itself aside. A file that cannot be read includes nothing; its check says why."""
    try:
        text = files.read(Path(path)).decode("utf-8-sig")
    except (OSError, ValueError):
        return ()
    if "include" not in text:
        return ()
    from policyd.syntax.nodes import Include  # noqa: PLC0415  only folders of several files need the parser here
    from policyd.syntax.parse import parse  # noqa: PLC0415

    here = os.path.dirname(path)
    targets = (
        os.path.join(here, s.path.value)
        for s in parse(Source(path, text)).module.statements
        if isinstance(s, Include) and "\0" not in s.path.value and not os.path.isabs(s.path.value)
    )
    real = files.real(Path(path))
    return tuple(t for t in targets if files.real(Path(t)) != real)


def _nothing(path: str) -> Diagnostic:
    return Diagnostic(
        "PD003",
        Severity.ERROR,
        f"no policy in `{path}`",
        None,
        f"policies are files whose name ends in `{SUFFIX}`; `policyd init` writes one to start from",
    )


def _unreadable(path: str, why: str) -> Diagnostic:
    return Diagnostic("PD001", Severity.ERROR, f"cannot read `{path}`: {why}", None)


def _not_text(path: str, why: str) -> Diagnostic:
    return Diagnostic(
        "PD002",
        Severity.ERROR,
        f"`{path}` is not a text file: {why}",
        None,
        "policies and requests are UTF-8 text",
    )


def _reason(error: Exception) -> str:
    match error:
        case FileNotFoundError():
            return "there is no such file"
        case PermissionError():
            return "you may not read it"
        case NotADirectoryError():
            return "a part of its path is not a folder"
        case OSError() if error.strerror:
            return error.strerror.lower()
        case _:
            return "its name is not possible"
