"""`policyd serve`: route requests by a policy until told to stop.

In comes a deployment file; the proxy does the rest. Its modules are heavy: nothing else imports them.
"""

import argparse
from typing import Final

__all__ = ["configure", "run"]

_EPILOG: Final = """\
A policy with errors, with an assertion that is broken or not proved, or whose targets the deployment file does not bind
safely does not start. A changed file or SIGHUP reloads policy and deployment in one step: with a mistake in either, the
old ones go on serving. Only listeners, the log's file and telemetry need a restart.

example:
  policyd serve policyd.toml
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("deployment", metavar="policyd.toml", help="the deployment file")


def run(arguments: argparse.Namespace) -> int:
    from policyd.proxy.serve import serve  # noqa: PLC0415  help does not need a web server

    return serve(arguments.deployment)
