"""The decision log: every line in order, and no place where it cannot write."""

import os
import threading
from pathlib import Path

import pytest

from policyd.proxy.decision_log import DecisionLog


def test_lines_are_written_in_order_and_flushed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    log = DecisionLog(str(path))
    for n in range(2500):
        assert log.reserve()
        log.write(b"%d\n" % n)
    assert log.close() == 0
    assert path.read_bytes().split() == [b"%d" % n for n in range(2500)]


def test_a_log_that_exists_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    path.write_bytes(b"before\n")
    log = DecisionLog(str(path))
    log.reserve()
    log.write(b"after\n")
    log.close()
    assert path.read_bytes() == b"before\nafter\n"


def test_a_log_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        DecisionLog(str(tmp_path / "missing" / "decisions.jsonl"))


def test_no_place_is_given_beyond_the_bound() -> None:
    reading, writing = os.pipe()
    log = DecisionLog(f"/dev/fd/{writing}", most_waiting=2)
    try:
        assert log.reserve()
        assert log.reserve()
        assert not log.reserve()
        assert log.state.refused == 1
        log.release()
        assert log.reserve()
    finally:
        log.close()
        os.close(reading)
        os.close(writing)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_stops_the_giving_of_places() -> None:
    log = DecisionLog("/dev/full")
    assert log.reserve()
    log.write(b"lost\n")
    said = threading.Event()
    for _ in range(100):
        if log.state.failing is not None:
            break
        said.wait(0.05)
    assert log.state.failing == "No space left on device"
    assert not log.reserve()
    assert log.close() == 1
