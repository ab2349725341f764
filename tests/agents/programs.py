"""The coding agents: where each program is, how it is told of a sidecar, and by which tool it reads a file.

In: a home folder, a sidecar's address, a prompt. Out: what the program printed, and its exit code. The set-up of each is the
one of `docs/clients.md`, for one question in a terminal that nobody sits at. Agents get an environment of their own, so
nothing of the person's settings, keys or proxies reaches them.
"""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from policyd.demo.asked import ToolCall

__all__ = ["AGENTS", "KEY", "Agent", "Said", "run_agent"]

KEY: Final = "key-of-the-web-team"
LONGEST_S: Final = 150.0
"""A random model on two busy cores takes some ten seconds for an agent's 85 KB."""

COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Agent:
    """`writes` makes the files of a set-up (name in the home folder to text), `environment` its variables, `command` the
    arguments; each from the sidecar's address. `reads` is the call by which it reads a file, None where it has no tools.
    `asks` is how often one question of a person reaches the sidecar when the answer is a refusal."""

    name: str
    endpoint: str
    environment: Callable[[str], Mapping[str, str]]
    command: Callable[[str], tuple[str, ...]]
    writes: Callable[[str], Mapping[str, str]] = lambda _: {}
    reads: Callable[[str], ToolCall] | None = None
    asks: int = 1

    @property
    def variable(self) -> str:
        return f"POLICYD_AGENT_{self.name.upper()}"

    @property
    def program(self) -> str | None:
        return os.environ.get(self.variable)


@dataclass(frozen=True, slots=True)
class Said:
    """What was printed, both outputs together, in plain words: no colours, one space for any white space."""

    text: str
    code: int


CLAUDE: Final = Agent(
    "claude",
    "messages",
    environment=lambda url: {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": KEY,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    },
    command=lambda prompt: ("-p", prompt, "--max-turns", "3"),
    reads=lambda path: ToolCall("Read", {"file_path": path}),
)

CODEX: Final = Agent(
    "codex",
    "responses",
    environment=lambda _: {"POLICYD_KEY": KEY},
    writes=lambda url: {
        ".codex/config.toml": (
            'model_provider = "policyd"\nmodel = "coder"\nweb_search = "disabled"\n'
            f'[model_providers.policyd]\nname = "policyd"\nbase_url = "{url}/v1"\nenv_key = "POLICYD_KEY"\n'
        )
    },
    # A sandbox inside the sandbox of a test runner does not start; nothing but a file of the test is read.
    command=lambda prompt: ("exec", "--skip-git-repo-check", "--sandbox", "danger-full-access", prompt),
    reads=lambda path: ToolCall("exec_command", {"cmd": f"cat {path}"}),
)

QWEN: Final = Agent(
    "qwen",
    "chat",
    environment=lambda url: {
        "OPENAI_BASE_URL": f"{url}/v1",
        "OPENAI_API_KEY": KEY,
        "OPENAI_MODEL": "coder",
    },
    command=lambda prompt: ("--auth-type", "openai", "-p", prompt),
    reads=lambda path: ToolCall("read_file", {"file_path": path}),
)

OPENCODE: Final = Agent(
    "opencode",
    "chat",
    environment=lambda _: {
        "POLICYD_KEY": KEY,
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
    },
    writes=lambda url: {
        ".config/opencode/opencode.json": json.dumps(
            {
                "provider": {
                    "policyd": {
                        "npm": "@ai-sdk/openai-compatible",
                        "options": {"baseURL": f"{url}/v1", "apiKey": "{env:POLICYD_KEY}"},
                        "models": {"coder": {}},
                    }
                },
                "model": "policyd/coder",
                "small_model": "policyd/coder",
            }
        )
    },
    command=lambda prompt: ("run", prompt),
    reads=lambda path: ToolCall("read", {"filePath": path}),
    asks=2,
)

AIDER: Final = Agent(
    "aider",
    "chat",
    environment=lambda url: {"OPENAI_API_BASE": f"{url}/v1", "OPENAI_API_KEY": KEY},
    command=lambda prompt: (
        *(
            "--model",
            "openai/coder",
            "--message",
            prompt,
            "--file",
            "settings.txt",
            "--no-git",
            "--no-pretty",
        ),
        *("--yes-always", "--no-check-update", "--analytics-disable", "--no-show-model-warnings"),
    ),
)

AGENTS: Final = (CLAUDE, CODEX, QWEN, OPENCODE, AIDER)


def run_agent(agent: Agent, folder: Path, url: str, prompt: str) -> Said:
    """Asks the agent once. `folder` gets its home and the project that it works in, which is `project`."""
    assert agent.program is not None
    home, project = folder / "home", folder / "project"
    project.mkdir(parents=True, exist_ok=True)
    for name, text in agent.writes(url).items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    home.mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb", **agent.environment(url)}
    with subprocess.Popen(
        [agent.program, *agent.command(prompt)],
        cwd=project, env=environment, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as running:  # fmt: skip
        try:
            printed, _ = running.communicate(timeout=LONGEST_S)
        finally:
            # What it started and left behind goes with it; the group is of its own.
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
    return Said(" ".join(COLOURS.sub("", printed.decode(errors="replace")).split()), running.returncode)
