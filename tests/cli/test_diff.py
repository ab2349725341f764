"""`policyd diff`: files, folders and revisions; what each form says; the exit code of each outcome."""

import json
import re
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from policyd.cli.difference_markdown import LONGEST, sentence
from tests.cli.conftest import CLEAN, GUARD, MISSPELT, Run

ROOT: Final = Path(__file__).parents[2]
Write = Callable[[str, str], str]
SCHEMA: Final = Draft202012Validator(json.loads((ROOT / "docs" / "schemas" / "diff-1.json").read_text()))

LEAKY = CLEAN.replace(
    "when sensitivity >= confidential because", "when sensitivity >= confidential and not tools because"
).replace("assert confidential_stays_home never location == cloud when sensitivity >= confidential", "")
REORDERED = CLEAN.replace("route rest to cloud, local", "route rest to local, cloud").replace(
    "expect only cloud then local via rest", "expect only local then cloud via rest"
)
RENAMED = CLEAN.replace("route rest", "route everything").replace("via rest", "via everything")
TIGHTER = CLEAN.replace("route batch", 'deny nobody when team == "none" because "who?"\nroute batch')
BUDGETED = CLEAN + "budget month $100 per month by team\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file into the folder that commands run in."""

    def write_file(name: str, text: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return name

    return write_file


def git(folder: Path, *words: str) -> None:
    subprocess.run(
        ("git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.com", *words),
        check=True,
        capture_output=True,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"},
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose revision `main` holds a policy with an include, and a table of tests."""
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "main.policy").write_text(CLEAN.replace(GUARD, 'include "guards.policy"\n'))
    (folder / "guards.policy").write_text("edition 1\n" + GUARD)
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


@pytest.mark.parametrize(
    ("new", "code", "verdict"),
    [
        (CLEAN, 0, "same meaning: the same decisions, proved for every possible request"),
        (RENAMED, 0, "same meaning: the same decisions, proved for every possible request"),
        (REORDERED, 1, "changed: no request with the same feature values is treated more loosely"),
        (TIGHTER, 1, "changed: no request with the same feature values is treated more loosely"),
        (LEAKY, 4, "looser: something is let through that was not"),
        (MISSPELT, 2, ""),
    ],
    ids=["the same", "renamed", "re-routed", "tighter", "looser", "unreadable"],
)
def test_each_outcome_has_its_exit_code_and_its_verdict(
    run: Run, write: Write, new: str, code: int, verdict: str
) -> None:
    write("old.policy", CLEAN)
    write("new.policy", new)
    ran = run("diff", "old.policy", "new.policy")
    assert ran.code == code, ran.out + ran.err
    assert ran.out.endswith(f"{verdict}\n" if verdict else "")
    assert bool(ran.err) == (code == 2)


def test_a_side_with_mistakes_is_not_compared(run: Run, write: Write) -> None:
    write("old.policy", MISSPELT)
    write("new.policy", CLEAN)
    ran = run("diff", "old.policy", "new.policy")
    assert ran.code == 2
    assert ran.out.splitlines()[-1].startswith(
        "not compared: `new.policy` could not be compared: old.policy:"
    )
    assert "gaurd" in ran.err


def nothing_compared(write: Write) -> dict[str, tuple[str, ...]]:
    """Command lines that compare nothing, each for another reason."""
    write("old.policy", CLEAN)
    write("broken.policy", MISSPELT)
    write("new.policy", CLEAN)
    for name, text in (("a", CLEAN), ("b", CLEAN)):
        write(f"old/{name}.policy", text)
        write(f"new/{name}.policy", text if name == "a" else MISSPELT)
    return {
        "gaurd": ("old.policy", "broken.policy"),
        "no file": ("old.policy", "none.policy"),
        "cannot read `none.jsonl`": ("old.policy", "new.policy", "--against-log", "none.jsonl"),
        "locatoin": ("old.policy", "new.policy", "--deny-new", "locatoin == cloud"),
        "unexpected `=`": ("old.policy", "new.policy", "--deny-new", "location = cloud"),
        "b.policy": ("old", "new"),
    }


@pytest.mark.parametrize("number", range(6))
def test_what_could_not_be_compared_is_never_called_the_same(
    run: Run, write: Write, tmp_path: Path, number: int
) -> None:
    why, words = list(nothing_compared(write).items())[number]
    ran = run(
        "diff", *words, "--output", "markdown=c.md", "--output", "text=c.txt", "--output", "json=c.json"
    )
    assert ran.code == 2
    comment = (tmp_path / "c.md").read_text()
    assert comment.startswith("## policyd diff: not compared\n")
    assert "could not be compared" in comment
    assert why in unescape(re.sub("</?code>", "`", comment))
    assert run("diff", *words, "--format", "markdown").out == comment
    last = (tmp_path / "c.txt").read_text().splitlines()[-1]
    assert last.startswith("not compared: ")
    assert "proved" not in comment + ran.out
    document = json.loads((tmp_path / "c.json").read_text())
    SCHEMA.validate(document)
    assert (document["verdict"], document["exit_code"]) == ("not compared", 2)
    assert document["problems"] or any(p["problems"] for p in document["policies"])


def test_a_pair_shows_where_why_and_a_request(run: Run, write: Write) -> None:
    write("old.policy", CLEAN)
    write("new.policy", LEAKY)
    out = run("diff", "old.policy", "new.policy").out
    assert re.search(r"looser route `rest`  \(old\.policy:\d+:7 -> new\.policy:\d+:7\)", out)
    assert (
        "guard `stays_home` removed `cloud` when sensitivity >= confidential; now when sensitivity >= confidential and not tools"
        in out
    )
    assert re.search(r"\d+ distinguishable request", out)
    assert "request  tools team=" in out
    assert "before   `local`, by `rest`" in out
    assert "now      `cloud`, then `local`, by `rest`" in out
    assert "claim dropped: assertion `confidential_stays_home` is gone" in out


def test_the_request_that_is_shown_is_decided_as_it_says(run: Run, write: Write) -> None:
    write("old.policy", CLEAN)
    write("new.policy", LEAKY)
    document = json.loads(run("diff", "old.policy", "new.policy", "--format", "json").out)
    (witness,) = document["policies"][0]["pairs"][0]["witnesses"]
    for side, told in (("old.policy", witness["before"]), ("new.policy", witness["after"])):
        explained = run("explain", side, "--given", witness["request"]["line"], "--json")
        route = told["candidates"][0]["targets"]
        assert explained.code == 0
        assert all(f'"{target}"' in explained.out for target in route)


def test_boxes_say_exactly_where(run: Run, write: Write) -> None:
    write("old.policy", CLEAN)
    write("new.policy", LEAKY)
    out = run("diff", "old.policy", "new.policy", "--boxes").out
    assert re.search(r"looser where .*tools", out)


def test_folders_are_paired_by_path(run: Run, write: Write) -> None:
    for name, text in (
        ("old/a.policy", CLEAN), ("old/b/c.policy", CLEAN), ("old/gone.policy", CLEAN),
        ("new/a.policy", CLEAN), ("new/b/c.policy", REORDERED),
    ):  # fmt: skip
        write(name, text)
    ran = run("diff", "old", "new")
    assert ran.code == 1
    assert "a.policy: same meaning" in ran.out
    assert "b/c.policy: changed" in ran.out
    assert "gone.policy: not compared: is gone, and there is nothing to compare it with" in ran.out
    assert "nothing is looser" not in ran.out
    assert ran.out.endswith("(3 policies: 1 not compared, 1 changed, 1 same meaning)\n")
    ran = run("diff", "new", "old")
    assert ran.code == 1
    assert "not compared: `gone.policy` is new, and there is nothing to compare it with" in ran.out


def test_a_renamed_policy_is_compared_with_what_it_was(run: Run, write: Write) -> None:
    write("old/main.policy", CLEAN)
    write("new/other.policy", LEAKY)
    ran = run("diff", "old", "new")
    assert ran.code == 4
    assert "other.policy: looser: " in ran.out
    assert "it was called `main.policy`, and is compared with that" in ran.out
    comment = run("diff", "old", "new", "--format", "markdown").out
    assert "It was called <code>main&#46;policy</code>" in comment
    document = json.loads(run("diff", "old", "new", "--format", "json").out)
    SCHEMA.validate(document)
    assert [(p["name"], p["called"]) for p in document["policies"]] == [("other.policy", "main.policy")]


def test_of_several_renamed_policies_those_that_are_alike_belong_together(run: Run, write: Write) -> None:
    for name, text in (
        ("old/a.policy", CLEAN), ("old/b.policy", REORDERED), ("old/x/c.policy", TIGHTER), ("old/d.policy", BUDGETED),
        ("new/1.policy", REORDERED), ("new/2.policy", CLEAN), ("new/y/c.policy", LEAKY), ("new/3.policy", BUDGETED + "\n"),
    ):  # fmt: skip
        write(name, text)
    document = json.loads(run("diff", "old", "new", "--format", "json").out)
    assert {p["name"]: (p["called"], p["verdict"]) for p in document["policies"]} == {
        "1.policy": ("b.policy", "same meaning"),
        "2.policy": ("a.policy", "same meaning"),
        "3.policy": ("d.policy", "same meaning"),
        "y/c.policy": ("x/c.policy", "looser"),
    }


def test_policies_that_could_be_anything_are_not_compared(run: Run, write: Write) -> None:
    for name, text in (
        ("old/a.policy", CLEAN), ("old/b.policy", REORDERED), ("new/c.policy", LEAKY), ("new/d.policy", TIGHTER),
    ):  # fmt: skip
        write(name, text)
    ran = run("diff", "old", "new")
    assert ran.code == 1
    assert ran.out.splitlines()[-1] == (
        "not compared: `a.policy` is gone, and there is nothing to compare it with, and 3 more policies"
        " (4 policies: 4 not compared)"
    )


def test_a_revision_takes_the_path_of_the_other_side(run: Run, repository: Path) -> None:
    (repository / "policies" / "guards.policy").write_text("edition 1\n")
    ran = run("diff", "git:main", "policies/main.policy")
    assert ran.code == 4
    assert "git:main:policies/main.policy:" in ran.out
    assert "and is gone" in ran.out
    assert run("diff", "git:main", "git:HEAD:policies/main.policy").code == 0
    assert run("diff", "policies/main.policy", "git:main").code == 1
    assert (repository / "policies" / "guards.policy").read_text() == "edition 1\n"


def test_folders_of_revisions(run: Run, repository: Path) -> None:
    (repository / "policies" / "more.policy").write_text(CLEAN)
    assert run("diff", "git:main", "policies").code == 1
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "more")
    assert run("diff", "git:main~1", "git:main").code == 1
    assert run("diff", "git:main", "git:HEAD").code == 0
    comment = run("diff", "git:main", "policies", "--format", "markdown").out
    assert "<code>git&#58;main&#58;policies</code> → <code>policies</code>" in comment
    assert run("diff", "git:main", "policies").code == 0


def test_a_hook_s_environment_names_no_other_repository(
    run: Run, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", ".git")
    monkeypatch.setenv("GIT_INDEX_FILE", "elsewhere")
    assert run("diff", "git:main", "policies").code == 0
    assert run("diff", "git:main", str(repository / "policies")).code == 0


def test_links_are_followed_inside_the_folder_and_nowhere_else(run: Run, repository: Path) -> None:
    folder = repository / "policies"
    (folder / "link.policy").symlink_to("main.policy")
    (folder / "out.policy").symlink_to("/etc/passwd")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "links")
    assert run("diff", "git:HEAD:policies/link.policy", "policies/main.policy").code == 0
    ran = run("diff", "git:HEAD:policies/out.policy", "policies/main.policy")
    assert ran.code == 2
    assert "a link that leads nowhere in its folder" in ran.err


@pytest.mark.parametrize(
    ("old", "code", "words"),
    [
        ("git:nowhere", "PD021", "has no revision `nowhere`"),
        ("git:", "PD021", "has no revision ``"),
        ("git:--help", "PD021", "has no revision `--help`"),
        ("git:main;echo", "PD021", "has no revision `main;echo`"),
        ("git:main:policies/other.policy", "PD022", "there is no `policies/other.policy` at revision `main`"),
        ("git:main:../../etc", "PD020", "outside"),
        ("git:main:policies", "PD023", "is a folder"),
    ],
)
def test_what_a_revision_does_not_have(run: Run, repository: Path, old: str, code: str, words: str) -> None:
    ran = run("diff", old, "policies/main.policy")
    assert (ran.code, ran.out) == (2, "")
    assert f"error[{code}]" in ran.err
    assert words in ran.err or code == "PD020"
    assert repository.is_dir()


def test_a_path_outside_of_any_repository(run: Run, clean: str) -> None:
    ran = run("diff", "git:main", clean)
    assert (ran.code, ran.out) == (2, "")
    assert "error[PD020]" in ran.err


@pytest.mark.parametrize(
    ("predicate", "code"),
    [("location == cloud", 4), ("location == on_prem", 1), ("target == cloud", 4), ("retention != none", 2)],
)
def test_targets_that_may_not_be_newly_reached(run: Run, write: Write, predicate: str, code: int) -> None:
    old = CLEAN.replace("route batch to local", "route batch to local").replace("to cloud, local", "to local")
    old = old.split("test ")[0]
    new = CLEAN.split("test ")[0]
    write("old.policy", old)
    write("new.policy", new)
    ran = run("diff", "old.policy", "new.policy", "--deny-new", predicate)
    assert ran.code == code, ran.out + ran.err
    assert ("denied `cloud` is newly reached" in ran.out) == (code == 4)


def test_a_new_policy_may_not_reach_them_either(run: Run, write: Write) -> None:
    write("old/a.policy", CLEAN)
    write("new/a.policy", CLEAN)
    write("new/b.policy", CLEAN)
    assert run("diff", "old", "new").code == 1
    assert run("diff", "old", "new", "--deny-new", "location == cloud").code == 4


MOVED: Final = CLEAN.replace("only location == on_prem", "only target == local").split("assert ")[0]
FACTS: Final = [
    ("target local { location on_prem", "target local { location cloud", "`local` became such a target by its facts, and is reached"),
    ("route rest to cloud, local", "route rest to local, cloud", None),
]  # fmt: skip


@pytest.mark.parametrize(("part", "other", "words"), FACTS, ids=["turned", "not turned"])
def test_a_target_that_turns_into_a_denied_one_by_its_facts_is_denied(
    run: Run, write: Write, part: str, other: str, words: str | None
) -> None:
    assert part in MOVED
    write("old.policy", MOVED)
    write("new.policy", MOVED.replace(part, other))
    ran = run("diff", "old.policy", "new.policy", "--deny-new", "location == cloud")
    assert ran.code == (1 if words is None else 4), ran.out + ran.err
    assert (ran.out.splitlines()[-1] == f"denied: {words}") == (words is not None)
    assert "something is let through that was not" not in ran.out
    document = json.loads(
        run(
            "diff", "old.policy", "new.policy", "--deny-new", "location == cloud", "--deny-new", "target == local",
            "--format", "json",
        ).out
    )  # fmt: skip
    SCHEMA.validate(document)
    assert [d["by_facts"] for d in document["policies"][0]["denied"]] == [True] * (words is not None)


def test_a_target_that_no_route_names_and_that_turns_is_allowed(run: Run, write: Write) -> None:
    old = MOVED + "target spare { location on_prem context 1M speaks chat supports tools, json }\n"
    write("old.policy", old)
    write("new.policy", old.replace("spare { location on_prem", "spare { location cloud"))
    ran = run("diff", "old.policy", "new.policy", "--deny-new", "location == cloud")
    assert ran.code == 4
    assert "`spare` became such a target by its facts, and is allowed, though no route leads to it" in ran.out


def test_what_is_denied_though_nothing_is_looser_is_called_so(run: Run, write: Write) -> None:
    write("old.policy", CLEAN.replace("to cloud, local", "to local").split("test ")[0])
    write("new.policy", CLEAN.split("test ")[0])
    ran = run("diff", "old.policy", "new.policy", "--deny-new", "location == cloud")
    assert (ran.code, ran.out.splitlines()[-1]) == (4, "denied: `cloud` is newly reached")


JUDGED: Final = [
    ('from header "x-latency"', 'from header "x-z"', "feature `latency` was read from header `x-latency`, and is from header `x-z`"),
    ("string team from identity", 'string team from identity "group"', "feature `team` was read from identity `team`, and is from identity `group`"),
    ("location cloud context", "location cloud region us context", "target `cloud` says its `region`: `us`"),
]  # fmt: skip


@pytest.mark.parametrize(("part", "other", "words"), JUDGED, ids=["header", "claim", "region"])
def test_what_no_policy_decides_is_left_to_a_person_and_told_first(
    run: Run, write: Write, part: str, other: str, words: str
) -> None:
    assert part in REORDERED
    write("old.policy", CLEAN)
    write("new.policy", REORDERED.replace(part, other))
    ran = run("diff", "old.policy", "new.policy")
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[2].startswith(f"  to be judged {words}")
    assert lines[-1] == (
        "changed: no request with the same feature values is treated more loosely"
        "; 1 declaration changed that a person must judge"
    )
    document = json.loads(run("diff", "old.policy", "new.policy", "--format", "json").out)
    SCHEMA.validate(document)
    assert document["policies"][0]["declarations"][0]["kind"] == "to be judged"
    comment = run("diff", "old.policy", "new.policy", "--format", "markdown").out
    assert comment.index("**To be judged**") < comment.index("| kind |")


RISKY: Final = (
    CLEAN.replace("string team", 'int risk 0..9 from header "x-risk" unknown 9\nstring team')
    .replace("route rest to cloud, local", "route rest to cloud, local when risk < 5")
    .split("test ")[0]
)
OTHER_KIND: Final = RISKY.replace("int risk 0..9", "enum risk { low, high }").replace("unknown 9", "unknown high").replace("risk < 5", "risk == low")  # fmt: skip


def test_a_request_has_a_feature_of_one_kind(run: Run, write: Write) -> None:
    write("old.policy", RISKY)
    write("new.policy", OTHER_KIND)
    ran = run("diff", "old.policy", "new.policy")
    assert ran.code == 4
    requests = [line for line in ran.out.splitlines() if line.strip().startswith("request ")]
    assert requests and not any("(new)" in line for line in requests)
    assert "the old policy refuses or does not know `risk=low`, and decides without it" in ran.out
    assert "the new policy refuses or does not know `risk=0`, and decides without it" in ran.out
    assert "which is another kind: `risk (new)` is what the new policy reads" in ran.out
    assert "the old policy refuses" in run("diff", "old.policy", "new.policy", "--format", "markdown").out
    document = json.loads(run("diff", "old.policy", "new.policy", "--format", "json").out)
    SCHEMA.validate(document)
    for pair in document["policies"][0]["pairs"]:
        for witness in pair["witnesses"]:
            of = witness["request_of"]
            assert of in {"old", "new"} and witness["note"]
            assert run("explain", f"{of}.policy", "--given", witness["request"]["line"]).code == 0


def test_a_predicate_says_nothing_of_requests(run: Run, clean: str) -> None:
    ran = run("diff", clean, clean, "--deny-new", "location == cloud when opaque")
    assert (ran.code, ran.out) == (2, "")
    assert "error[PD025]" in ran.err


@pytest.mark.parametrize(
    ("text", "place", "line"),
    [
        ("locatoin == cloud", "--deny-new:1:1: error[PD230]", "1 | locatoin == cloud"),
        ("location = cloud", "--deny-new:1:10: error[PD101]", "1 | location = cloud"),
        ("location cloud", "--deny-new:1:10: error[PD101]", "1 | location cloud"),
        ("never location == cloud", "--deny-new:1:7: error[PD101]", "1 | never location == cloud"),
        ("", "--deny-new:1:1: error[PD107]", ""),
    ],
)
def test_a_mistake_in_a_predicate_is_shown_as_it_was_typed_and_once(
    run: Run, write: Write, text: str, place: str, line: str
) -> None:
    write("old.policy", CLEAN)
    write("new.policy", REORDERED)
    err = run("diff", "old.policy", "new.policy", "--deny-new", text).err
    assert err.startswith(place), err
    assert err.count("error[") == 1
    assert line in err
    assert "when" not in err


def test_a_word_that_no_target_states_is_said_once(run: Run, write: Write) -> None:
    stated = CLEAN.replace("location on_prem", "location on_prem region de").replace(
        "location cloud context", "location cloud region us context"
    )
    write("old.policy", stated)
    write("new.policy", stated)
    err = run("diff", "old.policy", "new.policy", "--deny-new", "region == xx").err
    assert err.count("no target states `region xx`") == 1
    assert "warning[PD244]" not in err


def test_a_side_that_is_not_there_is_no_file(run: Run, write: Write) -> None:
    write("new/a.policy", CLEAN)
    ran = run("diff", "nope", "new")
    assert ran.code == 2
    assert "there is no file or folder `nope`" in ran.err


def test_a_revision_is_shown_as_a_person_writes_it(run: Run, repository: Path) -> None:
    (repository / "main.policy").write_text(CLEAN)
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "at the top")
    whole = subprocess.run(("git", "-C", str(repository), "rev-parse", "HEAD"), capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
    (repository / "main.policy").write_text(LEAKY)
    out = run("diff", f"git:{whole}", "main.policy").out
    assert f"(git:{whole[:12]}:main.policy:" in out
    assert whole not in out and ":./" not in out
    document = json.loads(run("diff", f"git:{whole}", "main.policy", "--format", "json").out)
    assert document["old"] == document["policies"][0]["old"] == f"git:{whole[:12]}:main.policy"


def test_tests_and_severities_that_change_are_told(run: Run, write: Write) -> None:
    write("old.policy", CLEAN)
    write("new.policy", CLEAN[: CLEAN.index('test "a secret')] + "severity PD305 error\n")
    ran = run("diff", "old.policy", "new.policy")
    assert ran.code == 0, ran.out + ran.err
    assert "test `a secret stays` is gone" in ran.out
    assert "the severity of `PD305` was the usual and is `error`" in ran.out
    write("new.policy", CLEAN.replace("expect only cloud then local", "expect cloud"))
    out = run("diff", "old.policy", "new.policy").out
    assert "test `a chat goes out` asks or expects something else" in out


def test_a_log_is_counted_and_what_is_no_record_is_named(run: Run, write: Write) -> None:
    write("old.policy", CLEAN)
    write("new.policy", LEAKY)
    features = {
        "endpoint": "chat", "hour": 9, "weekday": "fri", "date": "2026-11-20", "model": "m", "stream": False, "tools": True,
        "images": False, "json": False, "reasoning": False, "server_tools": False, "stored": False, "remote_content": False,
        "opaque": False, "messages": 1, "max_output": 9, "tokens": 9, "context_needed": 18, "findings": ["secret"],
        "team": "a", "latency": "interactive", "header:x-data-class": "internal",
    }  # fmt: skip
    record = json.dumps({"features": features, "route": "rest", "candidates": ["local"]})
    write("log.jsonl", f"{record}\nnonsense\n{record}\n" + "x" * (1 << 21) + f"\n{record}\n")
    ran = run("diff", "old.policy", "new.policy", "--against-log", "log.jsonl")
    assert ran.code == 4
    assert "3 of 3 recorded requests would be decided otherwise" in ran.out
    assert "3 recorded requests looser, the first in line 1" in ran.out
    assert "2 lines could not be read and did not count" in ran.out
    assert "warning[PD024] line 2 of `log.jsonl` did not count: it is not JSON" in ran.err
    assert "line 4 of `log.jsonl` did not count: it is longer than 1 MiB" in ran.err
    assert run("diff", "old.policy", "new.policy", "--against-log", "none.jsonl").code == 2


def test_a_log_is_of_one_policy(run: Run, write: Write) -> None:
    for name in ("old/a.policy", "old/b.policy", "new/a.policy", "new/b.policy", "log.jsonl"):
        write(name, CLEAN)
    ran = run("diff", "old", "new", "--against-log", "log.jsonl")
    assert (ran.code, ran.out) == (2, "")
    assert "error[PD023]" in ran.err


CLASSIFIED = CLEAN.replace("when opaque or", "when").split("test ")[0]


@pytest.mark.parametrize("new", [CLEAN, RENAMED, LEAKY, REORDERED, BUDGETED, CLASSIFIED], ids=range(6))
def test_the_document_is_of_its_schema(run: Run, write: Write, new: str) -> None:
    write("old/a.policy", CLEAN)
    write("new/a.policy", new)
    write("new/b.policy", CLEAN)
    ran = run("diff", "old", "new", "--format", "json", "--boxes", "--deny-new", "location == cloud")
    document = json.loads(ran.out)
    SCHEMA.validate(document)
    assert document["exit_code"] == ran.code
    assert [p["name"] for p in document["policies"]] == ["a.policy", "b.policy"]
    checked = json.loads(run("check", "new/a.policy", "--format", "json").out)
    assert document["policies"][0]["new_digest"] == checked["policies"][0]["digest"]


DENYING = CLEAN.replace("route batch", 'deny tools_stay_out when tools because "x"\nroute batch').split(
    "test "
)[0]
KINDS = DENYING.replace("string team", 'enum kind { a, b } from header "x-kind" unknown a\nstring team')
LIFTED: Final = [
    (DENYING, ('deny tools_stay_out when tools because "x"\n', ""), "deny `tools_stay_out` rejected requests that no deny rejects now"),
    (KINDS, ("{ a, b }", "{ a, b, c }"), "`kind` may now be `c`, which was answered with 400"),
    (DENYING, ("{ internal < conf", "{ internal < medium < conf"), "the label in header `x-data-class` may now be `medium`, which was answered with 400"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "edit", "words"), LIFTED, ids=["a deny", "a value", "a label"])
def test_a_lifted_deny_is_told_in_every_form(
    run: Run, write: Write, old: str, edit: tuple[str, str], words: str
) -> None:
    assert edit[0] in old
    write("old.policy", old)
    write("new.policy", old.replace(*edit))
    ran = run("diff", "old.policy", "new.policy")
    assert ran.code == 4
    assert f"looser {words}" in ran.out
    assert "`domain of" not in ran.out
    shown = run("diff", "old.policy", "new.policy", "--format", "json")
    document = json.loads(shown.out)
    SCHEMA.validate(document)
    assert words in [o["text"] for o in document["policies"][0]["opened"] if o["targets"] == []]
    comment = run("diff", "old.policy", "new.policy", "--format", "markdown")
    assert (shown.code, comment.code) == (4, 4)
    assert f"**Looser**: {sentence(words)}" in comment.out


def test_a_deny_that_is_lifted_to_the_same_status_is_no_pair_and_looser(run: Run, write: Write) -> None:
    served = DENYING.replace(
        "route rest to cloud, local", "route rest to cloud, local when not tools"
    ).replace("when latency == batch", "when latency == batch and not tools")
    write("old.policy", served)
    write("new.policy", served.replace('deny tools_stay_out when tools because "x"\n', ""))
    ran = run("diff", "old.policy", "new.policy", "--format", "json")
    (policy,) = json.loads(ran.out)["policies"]
    assert (ran.code, policy["verdict"], policy["pairs"]) == (4, "looser", [])
    assert [o["rule"] for o in policy["opened"]] == ["tools_stay_out"]


def test_only_so_many_pairs_are_shown_and_the_others_counted(run: Run, write: Write) -> None:
    write("old.policy", CLEAN)
    write("new.policy", LEAKY)
    document = json.loads(run("diff", "old.policy", "new.policy", "--pairs", "0", "--format", "json").out)
    assert document["policies"][0]["pairs"] == []
    assert sum(document["policies"][0]["more_pairs"].values()) > 0
    assert "more pair" in run("diff", "old.policy", "new.policy", "--pairs", "0").out


# The comment on a pull request.

HOSTILE: Final = (
    "</details><script>alert(1)</script>", "@everyone please approve", "[click](https://evil.example)", "![x](http://e.example/x.png)",
    "| a | b |", "## heading", "`code` and **bold**", "<img src=x onerror=alert(1)>", "#1 closes #2", "https://evil.example", "a -->",
)  # fmt: skip


def is_harmless(markdown: str) -> bool:
    """No tag but our own, no mention, link, image or row that an author wrote."""
    ours = re.sub(r"</?(details( open)?|summary|code)>|<!-- -->", "", markdown)
    return not re.search(r"<|@(?!<)|\]\(|!\[|https?://", ours.replace("-->", ""))


@pytest.mark.parametrize("words", HOSTILE)
def test_an_author_writes_no_markdown(run: Run, write: Write, words: str) -> None:
    quoted = words.replace("\\", "\\\\").replace('"', '\\"')
    new = CLEAN.replace("confidential stays home", quoted).replace(
        "route batch", f'route extra to local when team == "{quoted}"\nroute batch'
    )
    write("old.policy", CLEAN)
    write("new.policy", new)
    ran = run("diff", "old.policy", "new.policy", "--format", "markdown", "--boxes")
    assert ran.code == 1
    assert is_harmless(ran.out), ran.out
    assert ran.out.count("<details") == ran.out.count("</details>")


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_no_text_at_all_is_markdown(text: str) -> None:
    shown = sentence(f"guard `{text}`: its reason was `{text}`")
    assert is_harmless(shown)
    assert "\n" not in shown and "|" not in shown


def test_a_comment_says_its_verdict_and_folds_its_pairs(run: Run, write: Write) -> None:
    write("old.policy", CLEAN)
    write("new.policy", LEAKY)
    out = run("diff", "old.policy", "new.policy", "--format", "markdown").out
    assert out.startswith("## policyd diff: looser\n")
    assert "| kind | pairs | requests |" in out
    assert "<details open><summary>looser: route <code>rest</code></summary>" in out


def test_a_comment_fits(run: Run, write: Write) -> None:
    routes = "".join(f'route r{i} to local when team == "{"t" * 300}{i}"\n' for i in range(120))
    write("old.policy", CLEAN)
    write("new.policy", CLEAN.replace("route batch", routes + "route batch"))
    ran = run("diff", "old.policy", "new.policy", "--format", "markdown", "--pairs", "all")
    assert ran.code == 1
    assert len(ran.out) <= LONGEST + 200
    assert "left out: the comment would be too long" in ran.out


def test_forms_go_into_files(run: Run, write: Write, tmp_path: Path) -> None:
    write("old.policy", CLEAN)
    write("new.policy", LEAKY)
    ran = run("diff", "old.policy", "new.policy", "--output", "markdown=c.md", "--output", "json=d.json")
    assert ran.code == 4
    assert (tmp_path / "c.md").read_text().startswith("## policyd diff: looser")
    assert json.loads((tmp_path / "d.json").read_text())["verdict"] == "looser"
    assert ran.out.endswith("looser: something is let through that was not\n")
