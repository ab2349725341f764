"""`policyd demo`: a sidecar at work between a client and two stand-in models, on this machine alone."""

import argparse
from typing import Final

__all__ = ["configure", "run"]

_EPILOG: Final = """\
Nothing leaves this machine: the models are stand-ins that policyd brings along.

examples:
  policyd demo          show a few requests, then stay up for your own
  policyd demo --once   show them and end
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("--once", action="store_true", help="end after the requests that are shown")


def run(arguments: argparse.Namespace) -> int:
    from policyd.demo.run import run as run_demo  # noqa: PLC0415  help does not need a web server

    return run_demo(once=arguments.once)
