"""Where a policy's files are read from: the disk, or texts that something else holds.

In comes a path, as a person gave it or as an include leads to it; out come bytes, or the `OSError` that a disk would
raise. The one idea: whoever has policies in another place (a revision, a sidecar's answer, a test) is a `Files`, and
loading does not know the difference. Nothing is decoded or parsed here.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

__all__ = ["DISK", "Disk", "Files", "Held"]

_LARGEST: Final = 16 * 1024 * 1024


class Files(Protocol):
    """A place that policies are read from."""

    def read(self, path: Path) -> bytes:
        """The file's bytes. Raises `FileNotFoundError`, `IsADirectoryError` or another `OSError`."""
        ...

    def real(self, path: Path) -> str:
        """Which file or folder it is once links are followed; equal exactly for what is the same. Does not raise for
        what is not there."""
        ...


@dataclass(frozen=True, slots=True)
class Disk:
    """This machine's files, regular ones only: a pipe or a device cannot hold a check up."""

    def read(self, path: Path) -> bytes:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(path)
        if not stat.S_ISREG(found.st_mode):
            raise OSError("not a regular file")
        if found.st_size > _LARGEST:
            raise OSError(f"larger than {_LARGEST // 1024 // 1024} MiB")
        return path.read_bytes()

    def real(self, path: Path) -> str:
        return os.path.realpath(path)


DISK: Final = Disk()


@dataclass(frozen=True, slots=True)
class Held:
    """Files by path, held in memory. There are no links among them."""

    texts: Mapping[str, str | bytes]

    def read(self, path: Path) -> bytes:
        held = self.texts.get(str(path))
        if held is None:
            raise FileNotFoundError(path)
        return held if isinstance(held, bytes) else held.encode("utf-8", "surrogatepass")

    def real(self, path: Path) -> str:
        return os.path.normpath(path)
