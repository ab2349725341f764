"""What a company's own classifier is, for those who write one.

A package registers a factory under the entry-point group `policyd.detectors`:

    [project.entry-points."policyd.detectors"]
    acme = "acme_dlp:classifier"

The factory gets the options of the deployment file and gives a `Classifier`. It runs in a process of its own, without a
network unless the deployment declares one, and is never asked for more than it can answer in its time: what it does not
answer counts as found (`docs/detectors.md`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

__all__ = ["GROUP", "Classifier", "Factory", "Finding"]

GROUP: Final = "policyd.detectors"

Finding: TypeAlias = tuple[str, int, int]
"""A declared name, the first character of where it stands, and the one behind the last."""


class Classifier(Protocol):
    """Made once for each process."""

    def classify(self, texts: Sequence[str]) -> Iterable[Iterable[Finding]]:
        """The findings of each text, in the order of the texts. Any exception: all that it may find counts as found."""


class Factory(Protocol):
    """What an entry point names."""

    def __call__(self, options: Mapping[str, object], /) -> Classifier: ...
