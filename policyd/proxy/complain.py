"""An error of ours, told to whoever runs the sidecar.

In come a decision's id and an exception; one line goes to standard error. The one idea: where it happened and of what kind,
never its message, which may quote what somebody sent.
"""

import sys
import traceback

__all__ = ["complain"]


def complain(decision: str, error: Exception) -> None:
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno}" for f in reversed(frames[-6:]))
    print(f"policyd: internal error, decision {decision}: {type(error).__name__} at {where}", file=sys.stderr)
