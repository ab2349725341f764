"""Why a listener or the decision log could not be opened, in words: the key of the deployment file, its value, and what to do.

In come the table, what it says and the system's error; out goes a sentence. Pure.
"""

import errno
from pathlib import Path

from policyd.deploy.model import Deployment, Listen

__all__ = ["why_no_listener", "why_no_log"]


def why_no_listener(table: str, deployment: Deployment, error: OSError) -> str:
    listen, other = (
        (deployment.listen, deployment.admin) if table == "listen" else (deployment.admin, deployment.listen)
    )
    return (
        _why_no_socket(table, listen.path, error)
        if listen.path is not None
        else _why_no_port(
            table, listen, error, twice=(listen.address, listen.port) == (other.address, other.port)
        )
    )


def _why_no_socket(table: str, path: str, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            said = "another process listens there: stop it, or name another path"
        case errno.ENOENT:
            said = f"there is no folder `{Path(path).parent}`: make it, or name another path"
        case errno.EACCES | errno.EPERM:
            said = "this process may not make it: change the rights of its folder, or name another path"
        case _:
            said = _system(error)
    return f"`{table}.unix` is `{path}`, and {said}"


def _why_no_port(table: str, listen: Listen, error: OSError, *, twice: bool) -> str:
    match error.errno:
        case errno.EADDRINUSE if twice:
            said = "`[listen]` and `[admin]` have the same: give one of them another port"
        case errno.EADDRINUSE:
            said = f"another process listens there on `{listen.address}`: stop it, or set another port"
        case errno.EACCES | errno.EPERM:
            said = "this process may not listen there: set a port from 1024 on, or give it the right to"
        case errno.EADDRNOTAVAIL:
            return f"`{table}.address` is `{listen.address}`, and this machine has no such address: write one of its own"
        case _:
            said = f"on `{listen.address}`: {_system(error)}"
    return f"`{table}.port` is {listen.port}, and {said}"


def why_no_log(path: str, error: OSError) -> str:
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            said = f"there is no folder `{Path(path).parent}`: make it, or name another path"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            said = "this process may not write it: change the rights of the file or its folder, or name another path"
        case errno.EISDIR:
            said = "it is a folder: name a file in it"
        case _:
            said = _system(error)
    return f"`log.path` is `{path}`, and {said}"


def _system(error: OSError) -> str:
    return f"the system says: {error.strerror or type(error).__name__}"
