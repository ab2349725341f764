"""Where the policy of a command comes from: a file on this machine, or a sidecar that serves it now.

In come a path or a sidecar's address; out comes an `Origin`, from which a policy is loaded in the same way. The one idea:
a command that takes both asks an origin and does not know which one it is. What a sidecar gave is only believed where it
means what the sidecar says it serves: the digest of what was loaded must be the sidecar's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from policyd.cli.sidecar import Served, ask_sidecar
from policyd.policy.digest import digest
from policyd.policy.program import Program
from policyd.resolve.load import Loaded, load
from policyd.resolve.reading import DISK, Files
from policyd.syntax.nodes import Assert
from policyd.text.diagnostic import Diagnostic, Severity

__all__ = ["Origin", "file_origin", "mismatch", "sidecar_origin"]


@dataclass(frozen=True, slots=True)
class Origin:
    """`shown` is what a person knows it by, `words` how a command line names it. `served` is what a sidecar said of it."""

    shown: str
    path: Path
    files: Files
    today: date
    words: tuple[str, ...]
    served: Served | None = None

    def load(self, claims: Sequence[Assert] = ()) -> Loaded:
        return load(self.path, today=self.today, files=self.files, claims=claims)


def file_origin(path: str, *, today: date) -> Origin:
    return Origin(path, Path(path), DISK, today, (path,))


def sidecar_origin(address: str) -> Origin | Diagnostic:
    """What the sidecar serves now."""
    served = ask_sidecar(address)
    if isinstance(served, Diagnostic):
        return served
    return Origin(address, served.root, served.files, served.today, ("--sidecar", address), served)


def mismatch(origin: Origin, program: Program, wanted: str | None) -> Diagnostic | None:
    """Why this is not the policy that was asked for: another digest than the sidecar's, or than the wanted one."""
    if origin.served is None and wanted is None:
        return None
    found = digest(program)
    if origin.served is not None and origin.served.digest != found:
        return _not_the_served(origin.served, found)
    if wanted is not None and wanted.lower() != found:
        return Diagnostic(
            "PD010",
            Severity.ERROR,
            f"`{origin.shown}` is policy {found}, not {wanted}",
            None,
            "ask for the digest that is served now, or leave `--digest` out",
        )
    return None


def _not_the_served(served: Served, found: str) -> Diagnostic:
    from policyd import __version__  # noqa: PLC0415  only this mistake names it

    same = served.version == __version__
    cure = (
        "this is a mistake in policyd: please report it with the policy"
        if same
        else f"the sidecar runs policyd {served.version}, this is {__version__}: use the same"
    )
    message = (
        f"the sidecar at `{served.address}` serves policy {served.digest}, and its files read as {found}"
    )
    return Diagnostic("PD010", Severity.ERROR, message, None, cure)
