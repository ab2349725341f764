"""The process in which one classifier runs: `python -m policyd.plugins.worker`.

In come frames on standard input, out go frames on standard output. The first says what to load and how it is confined;
the answer says what came of that. Then each frame holds texts, and each answer their findings or the kind of error.
Nothing of a text leaves in any other way: standard output and error of the classifier itself lead nowhere.
"""

import os
import sys
import traceback
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from policyd.plugins.confine import bound, confine, gain_nothing, leave_with
from policyd.plugins.frames import HEAD, framed, length_of, unframed
from policyd.plugins.protocol import GROUP, Classifier

__all__ = ["main"]


def main() -> int:
    parent = os.getppid()
    gain_nothing()
    come, go = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    with os.fdopen(come, "rb") as inbox, os.fdopen(go, "wb") as outbox:
        said = _next(inbox)
        if said is None:
            return 0
        try:
            bound(said["memory"])
            confined = "declared" if said["network"] else confine()
            leave_with(parent)
            classifier = _load(said["entry_point"], said["options"])
            answer: dict[str, object] = {"confined": confined}
        except BaseException as error:
            # Whatever it raises, SystemExit and all: the parent is told, and no text is in it yet.
            answer = {"error": type(error).__name__, "message": str(error)[:500], "at": _raised_at(error)}
            if isinstance(error, NotInstalled):
                answer["absent"] = True
            classifier = None
        _say(outbox, answer)
        while classifier is not None:
            message = _next(inbox)
            if message is None:
                return 0
            try:
                answer = {"findings": _found(classifier, message["texts"])}
            except Exception as error:
                answer = {"error": type(error).__name__}
            _say(outbox, answer)
    return 1


class NotInstalled(LookupError):
    """No installed package has the entry point."""


def _raised_at(error: BaseException) -> str:
    """The file and line of the package, or of what it uses, where it was raised: what its author needs."""
    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if f.filename[:1] != "<" and f.filename != __file__
    ]
    return f"{'/'.join(Path(frames[-1].filename).parts[-2:])}:{frames[-1].lineno}" if frames else ""


def _load(name: str, options: Mapping[str, object]) -> Classifier:
    found = [point for point in entry_points(group=GROUP) if point.name == name]
    if not found:
        known = ", ".join(sorted({point.name for point in entry_points(group=GROUP)})) or "none"
        raise NotInstalled(
            f"no installed package has the entry point `{name}` in `{GROUP}`; there is: {known}"
        )
    if len({point.value for point in found}) > 1:
        raise LookupError(f"several installed packages have the entry point `{name}` in `{GROUP}`")
    made: Classifier = found[0].load()(options)
    return made


def _found(classifier: Classifier, texts: list[str]) -> list[list[tuple[str, int, int]]]:
    found = [[_plain(finding) for finding in each] for each in classifier.classify(texts)]
    if len(found) != len(texts):
        raise ValueError("not one answer for each text")
    return found


def _plain(finding: Iterable[Any]) -> tuple[str, int, int]:
    name, start, end = finding
    return str(name), int(start), int(end)


def _next(inbox: Any) -> Any:
    """The next message; None where the sidecar has gone."""
    head = inbox.read(HEAD)
    if len(head) < HEAD:
        return None
    size = length_of(head)
    body = inbox.read(size)
    return None if len(body) < size else unframed(body)


def _say(outbox: Any, message: object) -> None:
    outbox.write(framed(message))
    outbox.flush()


if __name__ == "__main__":
    sys.exit(main())
