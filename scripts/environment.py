"""The project's own virtual environment: made when it is missing, brought up to date when `pyproject.toml` changed.

In: the extras a command needs. Out: the path of the environment's interpreter. A stamp inside `.venv` remembers what was
installed, so a second run starts at once. Written for any Python 3, because the interpreter that starts a script may be
too old for the project; then a newer one is looked for, and what is missing is said.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys

__all__ = ["ROOT", "ready", "run"]

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ENVIRONMENT = os.path.join(ROOT, ".venv")
STAMP = os.path.join(ENVIRONMENT, "policyd-stamp.json")
OLDEST = (3, 11)
NEWER_NAMES = ("python3.11", "python3.12", "python3.13", "python3.14", "python3", "python")


def ready(extra):
    """The interpreter of an environment that holds policyd's dependencies and those of `extra` ("" or "dev")."""
    with _alone():
        python = _interpreter_path()
        wanted = _fingerprint()
        have = _installed()
        if have.get("fingerprint") == wanted and extra in have.get("extras", []) and _starts(python):
            return python
        if not _starts(python):
            _make()
            have = {}
        # Until the installation is complete, nothing is promised.
        with contextlib.suppress(FileNotFoundError):
            os.remove(STAMP)
        _install(python, extra)
        # The extras come on top of the plain dependencies, so a plain install is part of every one of them.
        same = have.get("fingerprint") == wanted
        extras = sorted({"", extra} | set(have.get("extras", []) if same else []))
        with open(STAMP, "w") as stamp:
            json.dump({"fingerprint": wanted, "extras": extras}, stamp)
        return python


def run(extra, arguments):
    """Replace this process by the environment's Python with these arguments, in the repository's root."""
    python = ready(extra)
    os.chdir(ROOT)
    os.execve(python, [python, *arguments], environment_variables())


def environment_variables():
    """The caller's variables without those that would mix another Python's modules into ours."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}


@contextlib.contextmanager
def _alone():
    """Two commands that start together must not install into one environment at the same time."""
    try:
        import fcntl  # noqa: PLC0415 - not there on Windows
    except ImportError:
        yield
        return
    with open(os.path.abspath(__file__)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _interpreter_path():
    folder, name = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return os.path.join(ENVIRONMENT, folder, name)


def _fingerprint():
    """What an installation depends on: the declared dependencies, the interpreter, and where the checkout lies (an
    environment does not survive being moved)."""
    digest = hashlib.sha256()
    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as pyproject:
        digest.update(pyproject.read())
    digest.update(ROOT.encode())
    return digest.hexdigest()


def _installed():
    try:
        with open(STAMP) as stamp:
            have = json.load(stamp)
    except (OSError, ValueError):
        return {}
    return have if isinstance(have, dict) else {}


def _starts(python):
    """Whether the environment's interpreter runs, is new enough, and has pip."""
    return os.path.exists(python) and _answers(
        python, f"import sys, pip; sys.exit(sys.version_info < {OLDEST})"
    )


def _answers(python, code):
    try:
        done = subprocess.run(
            [python, "-c", code],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment_variables(), check=False,
        )  # fmt: skip
    except OSError:
        return False
    return done.returncode == 0


def _new_enough():
    """An interpreter of 3.11 or newer: this one, or one that the PATH names."""
    if sys.version_info >= OLDEST:
        return sys.executable
    for name in NEWER_NAMES:
        found = shutil.which(name)
        if found and _answers(found, f"import sys; sys.exit(sys.version_info < {OLDEST})"):
            return found
    version = ".".join(map(str, sys.version_info[:3]))
    return _give_up(
        f"policyd needs Python 3.11 or newer; this is {version} ({sys.executable}) and the PATH has no newer one",
        "install Python 3.11 (for example `apt install python3.11 python3.11-venv`) and run this command with it",
    )


def _make():
    python = _new_enough()
    if not _answers(python, "import venv, ensurepip"):
        _give_up(
            f"{python} cannot make virtual environments: its `venv` or `ensurepip` module is missing",
            "on Debian and Ubuntu: `apt install python3-venv` (or python3.11-venv, for that interpreter)",
        )
    _say(f"making {ENVIRONMENT} with {python}")
    _do([python, "-m", "venv", "--clear", ENVIRONMENT], "the virtual environment could not be made")


def _install(python, extra):
    what = ROOT + (f"[{extra}]" if extra else "")
    needs = "what its tests need" if extra else "what it needs"
    _say(f"installing policyd and {needs} (a minute or two, once)")
    _do(
        [python, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "-e", what],
        "the dependencies could not be installed; pip says above why (no network?)",
    )


def _do(command, complaint):
    # A user-wide `pip install --user` or `--target` setting would install past the environment.
    variables = {
        k: v for k, v in environment_variables().items() if k not in ("PIP_USER", "PIP_TARGET", "PIP_PREFIX")
    }
    if subprocess.run(command, cwd=ROOT, env=variables, check=False).returncode != 0:
        _give_up(complaint, "the command was: " + " ".join(command))


def _say(text):
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _give_up(problem, cure):
    _say("error: " + problem)
    _say("help: " + cure)
    raise SystemExit(1)
