"""The GitHub Action, the pre-commit hooks and the examples for CI: valid, and doing what they say in a scratch repository.

The steps of the action run as the runner runs them: bash on the step's own text, inputs in the environment, and files for
outputs and the summary. Only the installation is left out; `POLICYD` is this environment's command.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import yaml

from tests.cli.conftest import CLEAN, DEAD, LEAK

ROOT: Final = Path(__file__).parents[2]
ACTION: Final = yaml.safe_load((ROOT / "action.yml").read_text())
HOOKS: Final = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
LOOSER: Final = CLEAN.replace(" when sensitivity >= confidential because", " when sensitivity >= confidential and team != \"x\" because").split("\nassert")[0]  # fmt: skip
OLDER: Final = CLEAN.split("\nassert")[0]
TESTED: Final = '\ntest "a chat goes out"\n    given { team "search", endpoint chat }\n    expect only cloud then local via rest\n'
EXPRESSION: Final = re.compile(r"\$\{\{ *inputs\.([a-z-]+) *\}\}")


def schema(name: str) -> dict[str, Any]:
    text = (resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / f"{name}.json").read_text()
    return dict(json.loads(text))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("action.yml", "github-actions"),
        ("examples/ci/policy.yml", "github-workflows"),
        ("examples/ci/gitlab-ci.yml", "gitlab-ci"),
    ],
)
def test_a_file_for_ci_is_valid(path: str, name: str) -> None:
    # YAML 1.1 reads the key `on` of a workflow as true.
    read = {
        "on" if key is True else key: value
        for key, value in yaml.safe_load((ROOT / path).read_text()).items()
    }
    loaded = schema(name)
    validator = jsonschema.validators.validator_for(loaded)
    assert [e.message for e in validator(loaded).iter_errors(read)] == []


def test_no_input_is_text_of_a_script() -> None:
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"]
        for name, value in step["env"].items():
            assert name == "INPUT_" + EXPRESSION.fullmatch(value)[1].upper().replace("-", "_")  # type: ignore[index]


def test_every_input_reaches_a_step_and_no_other_does() -> None:
    used = {EXPRESSION.fullmatch(v)[1] for s in ACTION["runs"]["steps"] for v in s["env"].values()}  # type: ignore[index]
    assert used == set(ACTION["inputs"])


def test_the_example_names_only_inputs_and_outputs_that_there_are() -> None:
    workflow = yaml.safe_load((ROOT / "examples/ci/policy.yml").read_text())
    (step,) = [s for s in workflow["jobs"]["policy"]["steps"] if "policyd@" in s.get("uses", "")]
    assert set(step["with"]) <= set(ACTION["inputs"])
    named = re.findall(r"steps\.policyd\.outputs\.([a-z-]+)", (ROOT / "examples/ci/policy.yml").read_text())
    assert named
    assert set(named) <= set(ACTION["outputs"])


# The action at work.


@dataclass(frozen=True, slots=True)
class Job:
    code: int
    log: str
    summary: str
    outputs: dict[str, str]


@dataclass(frozen=True, slots=True)
class Workspace:
    """A repository with a base commit, and what the runner gives a step."""

    folder: Path
    temporary: Path

    def git(self, *words: str) -> str:
        command = [
            "git",
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
            "-c",
            "init.defaultBranch=main",
            *words,
        ]
        return subprocess.run(
            command, cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, text: str, name: str = "policies/main.policy") -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "a change")
        return self.git("rev-parse", "HEAD")

    def run(
        self,
        *,
        pull_request: str | None = None,
        step: str = "Check, test and compare",
        environment: Mapping[str, str] | None = None,
        **inputs: str,
    ) -> Job:
        """The step as the runner runs it."""
        (run_step,) = [s for s in ACTION["runs"]["steps"] if s["name"] == step]
        files = {
            name: self.temporary / name for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STEP_SUMMARY")
        }
        for file in files.values():
            file.write_text("")
        event = self.temporary / "event.json"
        event.write_text(
            json.dumps({"pull_request": {"base": {"sha": pull_request}}} if pull_request else {})
        )
        given = {
            k: inputs.get(k.replace("-", "_"), str(spec.get("default", "")))
            for k, spec in ACTION["inputs"].items()
        }
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.temporary),
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_EVENT_PATH": str(event),
            "RUNNER_TEMP": str(self.temporary),
            "POLICYD": str(Path(sys.executable).parent / "policyd"),
            **{name: str(path) for name, path in files.items()},
            **{name: EXPRESSION.sub(lambda m: given[m[1]], value) for name, value in run_step["env"].items()},
            **(environment or {}),
        }
        script = self.temporary / "step.sh"
        script.write_text(run_step["run"])
        bash = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)]
        done = subprocess.run(bash, cwd=self.folder, env=env, capture_output=True, text=True, check=False)
        outputs = re.findall(r"(?ms)^([^\n<]+)<<(\w+)\n(.*?)\n\2$", files["GITHUB_OUTPUT"].read_text())
        return Job(
            done.returncode,
            done.stdout + done.stderr,
            files["GITHUB_STEP_SUMMARY"].read_text(),
            {n: v for n, _, v in outputs},
        )


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    folder, temporary = tmp_path / "repository", tmp_path / "runner"
    folder.mkdir()
    temporary.mkdir()
    made = Workspace(folder, temporary)
    made.git("init", "-q")
    return made


def commands_of(log: str) -> list[str]:
    """The workflow commands that the runner finds in a log, those behind `stop-commands` left out."""
    found: list[str] = []
    until: str | None = None
    for line in log.splitlines():
        if until is not None:
            until = None if line.strip() == f"::{until}::" else until
        elif line.strip().startswith("::stop-commands::"):
            until = line.strip().removeprefix("::stop-commands::")
        elif line.strip().startswith("::") or "##[" in line:
            found.append(line)
    assert until is None, "commands are never taken up again"
    return [c for c in found if not c.startswith(("::group::", "::endgroup::"))]


def test_a_clean_push_is_green_and_compares_nothing(workspace: Workspace) -> None:
    workspace.commit(CLEAN)
    job = workspace.run(path="policies")
    assert job.code == 0, job.log
    assert job.outputs == {"sarif": "policyd.sarif", "exit-code": "0", "verdict": "", "comment": ""}
    assert commands_of(job.log) == []
    assert "proved confidential_stays_home" in job.summary
    assert "policyd diff" not in job.summary
    assert json.loads((workspace.folder / "policyd.sarif").read_text())["version"] == "2.1.0"


def test_a_leak_is_annotated_and_fails(workspace: Workspace) -> None:
    workspace.commit(LEAK + TESTED)
    job = workspace.run(path="policies")
    assert job.code == 1
    (command,) = [c for c in commands_of(job.log) if c.startswith("::error")]
    assert command.startswith("::error file=policies/main.policy,line=20,")
    assert job.outputs["exit-code"] == "1"
    assert "error[PD301]" in job.summary


def test_a_pull_request_that_lets_more_through_fails_and_says_what(workspace: Workspace) -> None:
    base = workspace.commit(OLDER + TESTED)
    workspace.commit(LOOSER + TESTED)
    job = workspace.run(path="policies", pull_request=base)
    assert job.code == 1, job.log
    assert job.outputs["verdict"] == "looser"
    assert "## policyd diff: looser" in job.summary
    assert Path(job.outputs["comment"]).read_text() in job.summary + "\n"
    assert workspace.run(path="policies", pull_request=base, fail_on="never").code == 0


def test_a_refactoring_is_proved_to_be_one(workspace: Workspace) -> None:
    base = workspace.commit(CLEAN)
    workspace.commit(CLEAN.replace("latency == batch", "not latency != batch"))
    job = workspace.run(path="policies", pull_request=base, fail_on="changed")
    assert (job.code, job.outputs["verdict"]) == (0, "same meaning"), job.log


def test_a_change_fails_only_where_it_is_to(workspace: Workspace) -> None:
    base = workspace.commit(CLEAN)
    workspace.commit(
        CLEAN.replace("to local when latency == batch", "to local when latency == interactive and tools")
    )
    assert workspace.run(path="policies", pull_request=base).outputs["verdict"] == "changed"
    assert workspace.run(path="policies", pull_request=base).code == 0
    assert workspace.run(path="policies", pull_request=base, fail_on="changed").code == 1


def test_a_denied_target_fails_whatever_fail_on_says(workspace: Workspace) -> None:
    base = workspace.commit(OLDER + TESTED)
    workspace.commit(LOOSER + TESTED)
    job = workspace.run(path="policies", pull_request=base, fail_on="never", deny_new="\nlocation == cloud\n")
    assert job.code == 1, job.log


def test_a_named_base_is_compared_with(workspace: Workspace) -> None:
    workspace.commit(CLEAN)
    workspace.git("branch", "released")
    workspace.commit(CLEAN.replace("latency == batch", "not latency != batch"))
    assert workspace.run(path="policies", base="released").outputs["verdict"] == "same meaning"


def test_a_policy_that_cannot_be_read_is_not_compared_and_fails(workspace: Workspace) -> None:
    base = workspace.commit(CLEAN)
    workspace.commit(CLEAN.replace("guard ", "gaurd ", 1))
    job = workspace.run(path="policies", pull_request=base, fail_on="never")
    assert (job.code, job.outputs["verdict"]) == (1, "not compared"), job.log
    assert "## policyd diff: not compared" in job.summary
    assert "could not be compared" in Path(job.outputs["comment"]).read_text()


def test_a_policy_that_is_new_is_compared_with_nothing(workspace: Workspace) -> None:
    base = workspace.commit(CLEAN)
    workspace.commit(CLEAN, "policies/more.policy")
    job = workspace.run(path="policies", pull_request=base)
    assert "## policyd diff: not compared" in job.summary
    assert (job.code, job.outputs["verdict"]) == (1, "not compared")
    assert "::error title=policyd diff::a policy is new or gone" in job.log
    assert workspace.run(path="policies", pull_request=base, fail_on="never").code == 0


def test_a_shallow_checkout_fetches_the_base(workspace: Workspace, tmp_path: Path) -> None:
    workspace.git("config", "uploadpack.allowAnySHA1InWant", "true")
    base = workspace.commit(CLEAN)
    workspace.commit(CLEAN.replace("latency == batch", "not latency != batch"))
    shallow = tmp_path / "shallow"
    workspace.git("clone", "-q", "--depth=1", workspace.folder.as_uri(), str(shallow))
    job = Workspace(shallow, workspace.temporary).run(path="policies", pull_request=base)
    assert (job.code, job.outputs["verdict"]) == (0, "same meaning"), job.log


def test_a_base_that_cannot_be_fetched_is_said(workspace: Workspace) -> None:
    workspace.commit(CLEAN)
    job = workspace.run(path="policies", pull_request="0" * 40)
    assert job.code == 2
    assert "cannot fetch" in job.log


@pytest.mark.parametrize(
    ("inputs", "said"),
    [({"fail_on": "sometimes"}, "`fail-on` is"), ({"base": "--upload-pack=x"}, "`base` is")],
)
def test_wrong_inputs_are_said(inputs: dict[str, str], said: str, workspace: Workspace) -> None:
    workspace.commit(CLEAN)
    job = workspace.run(path="policies", **inputs)
    assert job.code == 2
    assert said in job.log


def test_a_version_that_is_none_is_not_installed(workspace: Workspace) -> None:
    job = workspace.run(step="Install policyd", version="1.0 --index-url=http://127.0.0.1:9/")
    assert job.code == 2
    assert "not a version" in job.log


def test_a_deployment_that_is_not_there_fails(workspace: Workspace) -> None:
    workspace.commit(CLEAN)
    job = workspace.run(path="policies", deployment="nowhere.toml")
    assert job.code == 1
    assert job.outputs["exit-code"] == "2"
    assert [c for c in commands_of(job.log) if "PD501" in c]


def test_a_hostile_policy_gives_the_runner_no_command_and_the_summary_no_markup(workspace: Workspace) -> None:
    base = workspace.commit(CLEAN)
    evil = "x\\u{a}::error::forged ```` ##[error]forged <img src=x> ![a](http://127.0.0.1/)"
    text = CLEAN.replace('"confidential stays home"', f'"{evil}"').replace('"a chat goes out"', f'"{evil}"')
    workspace.commit(DEAD.split("\ntest ")[0] + text[text.index("\ntest ") :])
    name = "policies/\n::error::forged.policy"
    workspace.commit(text, name)
    injected = 'policies"; touch pwned; $(touch pwned) `touch pwned`'
    job = workspace.run(path="policies", pull_request=base)
    ours = ("::error file=", "::warning file=", "::error title=policyd diff::a policy is new or gone")
    assert all(c.startswith(ours) for c in commands_of(job.log)), job.log
    assert "forged" not in "".join(c.split("::")[0] for c in commands_of(job.log))
    outside = re.sub(r"(?ms)^(`{3,})text\n.*?^\1$", "", job.summary)
    assert "<img" not in outside
    assert "![a]" not in outside
    assert workspace.run(path=injected).code == 1
    assert not list(workspace.folder.rglob("pwned"))


# Hooks.


def test_each_hook_runs_a_command_of_policyd(workspace: Workspace) -> None:
    assert [h["id"] for h in HOOKS] == ["policyd-check", "policyd-fmt", "policyd-test"]
    workspace.commit(CLEAN, "main.policy")
    for hook in HOOKS:
        assert hook["language"] == "python"
        assert re.search(hook["files"], "policies/main.policy")
        assert not re.search(hook["files"], "policies/main.policyx")
        command = [str(Path(sys.executable).parent / "policyd"), *hook["entry"].split()[1:]]
        files = ["main.policy"] if hook.get("pass_filenames", True) else []
        done = subprocess.run(
            [*command, *files], cwd=workspace.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
