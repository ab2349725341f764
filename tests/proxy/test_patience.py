"""How long a target asks to be left alone, and how long it is."""

import pytest

from policyd.proxy.patience import LEAST, again_after, retry_after

DATE = (b"date", b"Fri, 20 Nov 2026 15:00:00 GMT")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param([(b"retry-after", b"7")], 7.0, id="whole seconds"),
        pytest.param([(b"retry-after", b" 0.5 ")], 0.5, id="a fraction, which no RFC has and servers send"),
        pytest.param([(b"retry-after", b"3"), (b"retry-after-ms", b"250")], 0.25, id="milliseconds say it better"),
        pytest.param([DATE, (b"retry-after", b"Fri, 20 Nov 2026 15:00:09 GMT")], 9.0, id="a date, by the target's own clock"),
        pytest.param([DATE, (b"retry-after", b"Fri, 20 Nov 2026 14:00:00 GMT")], 0.0, id="a date that is over"),
        pytest.param([(b"retry-after", b"Fri, 20 Nov 2026 15:00:09 GMT")], None, id="a date without a clock"),
        pytest.param([(b"retry-after", b"soon")], None, id="words"),
        pytest.param([(b"retry-after", b"-1")], None, id="less than nothing"),
        pytest.param([(b"retry-after", b"\xff")], None, id="no text"),
        pytest.param([DATE, (b"retry-after", b"Fri, 31 Dec 99999999999999999999 00:00:00 GMT")], None, id="a year that no calendar has"),
        pytest.param([DATE, (b"retry-after", b"Fri, 20 Nov 2026 15:00:09 +99999999999999")], None, id="a zone that no place has"),
        pytest.param([], None, id="nothing"),
    ],
)  # fmt: skip
def test_retry_after(headers: list[tuple[bytes, bytes]], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_it_is_never_shorter_than_asked_and_those_refused_together_come_back_apart() -> None:
    assert again_after(0.0, 0.0) == LEAST
    assert again_after(3.0, 0.0) == 3.0
    drawn = [again_after(3.0, n / 10) for n in range(10)]
    assert drawn == sorted(set(drawn))
    assert drawn[-1] < 3.4
