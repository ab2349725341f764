"""The tour: start two stand-in servers and a sidecar, send requests, show where each went and why, prove it, stay up.

In: whether to stay up. Out: an exit code: 0 when every request went where it must and no planted secret reached the
cloud, 1 otherwise, 130 after Ctrl-C during the tour. Everything it starts ends with it.
"""

import argparse
import shlex
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import httpx

from policyd.demo import showing
from policyd.demo.asking import Outcome, ask
from policyd.demo.serving import free_port, serving
from policyd.demo.sidecar import Sidecar, SidecarFailed, sidecar
from policyd.demo.standin import Standin
from policyd.demo.tour import ASKS, PLANTED

__all__ = ["main", "run"]

EXAMPLE: Final = Path(__file__).parents[2] / "examples" / "demo"
PORTS: Final = {"rack": 9101, "cloud": 9102}
"""The stand-ins' ports as the example's deployment file writes them."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs during the tour."""

    on_prem: Standin
    cloud: Standin
    sidecar: Sidecar


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="demo", description="A tour of policyd with stand-ins for the models."
    )
    parser.add_argument("--once", action="store_true", help="end after the tour instead of staying up")
    return run(once=parser.parse_args(argv).once)


def run(*, once: bool) -> int:
    if not EXAMPLE.is_dir():
        _tell(
            [
                "the tour's example files are not installed: run `python3 scripts/demo` in a clone of the repository"
            ]
        )
        return 2
    signal.signal(signal.SIGTERM, _end)
    try:
        with ExitStack() as stack:
            stage = _set(stack, preferred=not once)
            good = _prove(stage, _tour(stage))
            if not once:
                _stay_up(stage.sidecar)
    except SidecarFailed as failed:
        _tell([str(failed)])
        return 1
    except KeyboardInterrupt:
        return 130
    return 0 if good else 1


def _set(stack: ExitStack, *, preferred: bool) -> Stage:
    """Start the stand-ins and the sidecar; a tour that stays up prefers the ports that the example writes."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="policyd-demo-")))
    on_prem = Standin("server-room stand-in", models=("qwen3-coder", "qwen3-coder-long"), pace=0.02)
    cloud = Standin("cloud stand-in", models=("frontier", "frontier-1m"), pace=0.02)
    used = {
        str(port): stack.enter_context(serving(app, preferred_port=port if preferred else 0))
        for app, port in ((on_prem, PORTS["rack"]), (cloud, PORTS["cloud"]))
    }
    listen = free_port(8484 if preferred else 0)
    admin = free_port(8485 if preferred else 0)
    _tell(["Starting a sidecar between two stand-in model servers ...", ""])
    running = stack.enter_context(sidecar(EXAMPLE, folder, listen=listen, admin=admin, ports=used))
    return Stage(on_prem, cloud, running)


def _tour(stage: Stage) -> list[Outcome]:
    outcomes: list[Outcome] = []
    with httpx.Client(base_url=stage.sidecar.url, timeout=60.0, trust_env=False) as client:
        for number, wanted in enumerate(ASKS, 1):
            outcomes.append(ask(client, wanted, stage.sidecar.log))
            _tell(showing.outcome_lines(number, outcomes[-1]))
    return outcomes


def _prove(stage: Stage, outcomes: Sequence[Outcome]) -> bool:
    """Show the summary and the proof; whether all is as it must be."""
    on_prem, cloud = tuple(stage.on_prem.received), tuple(stage.cloud.received)
    _tell(showing.summary_lines(outcomes))
    _tell(showing.proof_lines(PLANTED, on_prem, cloud))
    kept = all(showing.leaks(p, cloud) == 0 and showing.leaks(p, on_prem) > 0 for p in PLANTED)
    return kept and all(o.as_expected for o in outcomes)


def _stay_up(running: Sidecar) -> None:
    files = (str(running.deployment), str(running.policy), str(running.log))
    _tell(showing.usage_lines(_command(), running.url, running.admin_url, *files))
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
    _tell(["", "Ending the sidecar and the stand-ins."])


def _command() -> str:
    """How `policyd` is started from this folder: by its name, where that is this very one."""
    script = Path(sys.executable).parent / "policyd"
    found = shutil.which("policyd")
    if found is not None and (not script.exists() or Path(found).samefile(script)):
        return "policyd"
    if not script.exists():
        return f"{shlex.quote(sys.executable)} -m policyd"
    here = Path.cwd()
    return shlex.quote(str(script.relative_to(here) if script.is_relative_to(here) else script))


def _end(_number: int, _frame: Any) -> NoReturn:
    """SIGTERM ends the tour as Ctrl-C does: by unwinding, so that nothing stays behind."""
    raise KeyboardInterrupt


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
