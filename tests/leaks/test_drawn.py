"""Random policies: whatever `policyd check` shows of them is decided so by a sidecar, or is listed as no request."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hypothesis import given, settings

from policyd.pipeline import check_policy
from tests.leaks.drawn import policies
from tests.leaks.evidence import TODAY
from tests.leaks.replaying import replayed, shown_by

NO_REQUEST: Final = frozenset({
    "policyd answers the list of models itself and sends nothing",
    "an embedding and a count have no answer",
    "what cannot be counted is unknown, and not few",
    "no body for `embeddings` asks for json",
    "no body for `embeddings` asks for reasoning",
    "no body for `embeddings` asks for json, reasoning",
})  # fmt: skip
"""Why a witness of such a policy may be no request; no other reason is good enough."""


@settings(max_examples=6)
@given(policies())
def test_a_drawn_policy_s_witnesses_are_requests(text: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "drawn.policy"
        path.write_text(text)
        checked = check_policy(path, today=TODAY)
        assert checked.program is not None, checked.diagnostics
        shown = shown_by(checked.findings)
        unlike = replayed(Path(folder), checked.program, [s.case for s in shown])
    assert {u.why for u in unlike} <= NO_REQUEST, unlike
