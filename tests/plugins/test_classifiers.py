"""A company's own classifiers in processes of their own: what they find, and that their failure is never silence."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any

import pytest

from policyd.plugins.child import Plan
from policyd.plugins.classifiers import (
    TELL_SECONDS,
    Classifiers,
    Declared,
    Place,
    Tally,
    Unanswered,
    Unloadable,
)
from tests.plugins.package import installed

NAMES = frozenset({"custom.acme", "custom.acme.project"})


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(installed(tmp_path)))


Make = Callable[..., Classifiers]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Classifiers] = []

    def classifiers(
        seconds: float = 20.0, processes: int = 1, entry_point: str = "acme", **plan: Any
    ) -> Classifiers:
        one = Classifiers([Declared("acme", NAMES, seconds, processes, Plan(entry_point, **plan))])
        made.append(one)
        one.start()
        return one

    yield classifiers
    for one in made:
        one.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that comes without being asked for."""
    end = monotonic() + 30
    while not condition():
        assert monotonic() < end, "it never came"


@pytest.fixture
def listener() -> Iterator[tuple[int, list[int]]]:
    """A port, and how many connections it was asked for."""
    came: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return
                came.append(1)

        Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], came


def test_findings_and_places_are_the_classifiers(make: Make) -> None:
    classifiers = make()
    assert classifiers.scan(["nothing here", "the codename is"]) == {"custom.acme"}
    assert classifiers.scan(["nothing here", ""]) == frozenset()
    assert list(classifiers.places("the codename is")) == [Place(4, 12, "custom.acme")]
    assert list(classifiers.places("nothing here")) == []


def test_options_reach_the_classifier(make: Make) -> None:
    classifiers = make(options={"word": "eisvogel"})
    assert classifiers.scan(["Projekt eisvogel"]) == {"custom.acme"}
    assert classifiers.scan(["the codename is"]) == frozenset()


def test_what_was_said_of_a_text_is_remembered(make: Make) -> None:
    classifiers = make()
    texts = ["the codename is", "nothing here"]
    assert classifiers.scan(texts) == classifiers.scan(texts)
    assert classifiers.tallies["acme"].asked == 1


def test_many_texts_go_in_few_questions(make: Make) -> None:
    classifiers = make()
    assert classifiers.scan([f"text {n}" for n in range(1000)]) == frozenset()
    assert classifiers.tallies["acme"].asked == -(-1000 // 64)


@pytest.mark.parametrize("text", ["raise", "undeclared", "outside", "empty", "exit now", "die"])
def test_every_failure_counts_as_all_that_may_be_found(make: Make, text: str) -> None:
    classifiers = make()
    assert classifiers.scan([text]) == NAMES
    assert sum(classifiers.tallies["acme"].failed.values()) == 1


def test_a_failure_is_not_remembered_and_the_process_comes_back(make: Make) -> None:
    classifiers = make()
    assert classifiers.scan(["die"]) == NAMES
    until(lambda: classifiers.scan(["a quiet text"]) == frozenset())


def test_a_text_that_failed_is_asked_about_again(make: Make) -> None:
    classifiers = make()
    assert classifiers.scan(["once codename"]) == NAMES
    assert classifiers.scan(["once codename"]) == {"custom.acme"}


def test_who_does_not_answer_is_named_and_its_findings_are_not_among_the_found(make: Make) -> None:
    classifiers = make()
    assert classifiers.scan(["a codename"]) == {"custom.acme"}
    unanswered: Unanswered = {}
    assert classifiers.scan(["raise", "a codename"], unanswered) == {"custom.acme"}
    assert unanswered == {"acme": NAMES}
    asked = classifiers.tallies["acme"].asked
    assert classifiers.scan(["another text"], unanswered) == frozenset()
    assert classifiers.tallies["acme"].asked == asked


def test_that_it_fails_is_told_once_and_so_is_that_it_answers_again() -> None:
    news: list[tuple[str, str | None]] = []
    declared = [Declared("acme", NAMES, 20.0, 1, Plan("acme"))]
    classifiers = Classifiers(declared, tell=lambda name, word: news.append((name, word)))
    classifiers.start()
    try:
        classifiers.scan(["raise one"])
        classifiers.scan(["raise two"])
        assert news == [("acme", "error")]
        assert classifiers.tallies["acme"].failing == "error"
        classifiers.scan(["a quiet text"])
        assert news == [("acme", "error"), ("acme", None)]
        assert classifiers.tallies["acme"].failing is None
    finally:
        classifiers.close()


def test_what_fails_now_and_then_is_told_once_in_a_while() -> None:
    tally = Tally()
    assert tally.note("error", 0.0) and tally.note(None, 1.0)
    assert not tally.note("error", 2.0)
    assert not tally.note(None, 3.0)
    assert not tally.note("timeout", 4.0)
    assert tally.note("timeout", TELL_SECONDS)
    assert tally.failed == {"error": 2, "timeout": 2}


def test_an_answer_for_too_few_texts_is_a_failure(make: Make) -> None:
    assert make(entry_point="silent").scan(["a text"]) == NAMES


def test_what_takes_too_long_counts_as_found_and_is_ended(make: Make) -> None:
    classifiers = make(seconds=0.2)
    assert classifiers.scan(["hang"]) == NAMES
    assert classifiers.tallies["acme"].failed == {"timeout": 1}
    until(lambda: classifiers.scan(["a quiet text"]) == frozenset())


def test_a_failed_place_is_the_whole_text(make: Make) -> None:
    assert list(make().places("raise")) == [Place(0, 5, name) for name in sorted(NAMES)]


@pytest.mark.parametrize("way", ["connect", "raw-connect"])
def test_no_classifier_reaches_the_network(make: Make, listener: tuple[int, list[int]], way: str) -> None:
    port, came = listener
    classifiers = make()
    if way == "raw-connect" and not _kernel_confines(classifiers):
        pytest.skip("the kernel has no filter of system calls for this machine")
    assert classifiers.scan([f"{way} {port}"]) == NAMES
    assert came == []


@pytest.mark.parametrize("declared", [False, True])
def test_no_classifier_reaches_a_program_on_this_machine(make: Make, tmp_path: Path, declared: bool) -> None:
    """A socket of Docker, of the sidecar itself, of an agent that holds keys: no network is needed for these."""
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        server.settimeout(20 if declared else 0)
        classifiers = make(network=declared)
        if not declared and not _kernel_confines(classifiers):
            pytest.skip("the kernel has no filter of system calls for this machine")
        assert classifiers.scan([f"raw-unix {path}"]) == (frozenset() if declared else NAMES)
        if declared:
            server.accept()[0].close()
        else:
            with pytest.raises(BlockingIOError):
                server.accept()


def test_a_confined_classifier_may_speak_to_itself_and_run_nothing(make: Make) -> None:
    classifiers = make()
    assert classifiers.scan(["inside"]) == frozenset()
    assert classifiers.scan(["raw-run /bin/true"]) == NAMES


@pytest.mark.parametrize("text", ["resolve localhost", "run true"])
def test_no_classifier_resolves_names_or_starts_programs(make: Make, text: str) -> None:
    classifiers = make()
    assert classifiers.scan([text]) == NAMES
    assert classifiers.tallies["acme"].failed == {"error": 1}


def test_a_declared_network_is_there(make: Make, listener: tuple[int, list[int]]) -> None:
    port, came = listener
    assert make(network=True).scan([f"connect {port}"]) == frozenset()
    until(lambda: came == [1])


def _kernel_confines(classifiers: Classifiers) -> bool:
    told: list[str] = []
    classifiers.start(lambda _name, confined: told.append(confined))
    return told == ["kernel"]


def test_credentials_of_the_sidecar_do_not_reach_the_classifier(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "x")
    classifiers = make()
    assert classifiers.scan(["environment ANTHROPIC_API_KEY"]) == frozenset()
    assert classifiers.scan(["environment PATH"]) == {"custom.acme"}


def test_what_it_prints_leads_nowhere(make: Make, capfd: pytest.CaptureFixture[str]) -> None:
    assert make().scan(["print the prompt"]) == frozenset()
    out, err = capfd.readouterr()
    assert "prompt" not in out + err


def test_memory_is_bounded(make: Make) -> None:
    classifiers = make(memory=512 << 20)
    assert classifiers.scan(["grow"]) == NAMES


@pytest.mark.parametrize(
    ("entry_point", "said"),
    [
        ("nobody", "no installed package has the entry point `nobody`"),
        ("broken", "RuntimeError: the model file is missing"),
        ("absent", "AttributeError"),
    ],
)
def test_what_cannot_be_loaded_says_why(make: Make, entry_point: str, said: str) -> None:
    with pytest.raises(Unloadable, match=said):
        make(entry_point=entry_point)


def test_several_processes_answer_side_by_side(make: Make) -> None:
    classifiers = make(processes=2, seconds=5.0)
    answers: list[frozenset[str]] = []
    hanging = Thread(target=lambda: answers.append(classifiers.scan(["hang"])))
    hanging.start()
    until(lambda: classifiers.tallies["acme"].asked == 1)
    assert classifiers.scan(["a quiet text"]) == frozenset()
    hanging.join()
    assert answers == [NAMES]


def test_a_process_ends_with_the_sidecar_even_while_it_is_busy(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    program = (
        "import os, sys, threading, time\n"
        "from policyd.plugins.child import Child, Plan\n"
        "child = Child(Plan('acme'))\n"
        "child.start()\n"
        "print(child._process.pid, flush=True)\n"
        "threading.Thread(target=child.ask, args=(['hang ' + sys.argv[1]], time.monotonic() + 60), daemon=True).start()\n"
        "while not os.path.exists(sys.argv[1]): pass\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(begun)], capture_output=True, text=True, check=False, timeout=60
    )
    pid = int(ran.stdout)
    until(lambda: not _lives(pid))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # What has ended and waits for somebody to take its status still has a number.
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
