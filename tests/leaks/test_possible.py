"""Nothing that the proofs leave out as impossible comes out of the proxy.

The other direction of replaying a witness: whatever body a caller writes, the features that the sidecar computes for it agree
with each other as the searches take for granted (`policy.possible`, `engine.relations`). A request that the proofs never
looked at would be a way around all of them.
"""

import asyncio
from typing import Any, Final

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from policyd.policy.possible import agree
from policyd.policy.program import MAX_NUMBER, Value
from policyd.policy.request import expand_names
from policyd.proxy.observe import Sight
from policyd.proxy.refusals import Refusal
from policyd.proxy.weigh import Weigher
from policyd.resolve.load import load_text
from policyd.traffic.body import read_body
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.read import read_request
from policyd.traffic.refused import Refused
from tests.leaks.bodies import PNG
from tests.traffic.bodies import (
    CLAUDE_CODE,
    CODEX,
    OPENCODE_ANTHROPIC,
    OPENCODE_CHAT,
    QWEN_CODE,
    SDK_RESPONSES,
)
from tests.traffic.test_reader_properties import BODIES

POLICY: Final = """\
edition 1
target home { location on_prem context 64k speaks chat }
route all to home
otherwise reject "no"
"""
MARKS: Final = st.sampled_from((
    {"tokens": (1, 40, 400, 30_000), "context_needed": (1, 100, 4_096, 5_000, 64_001)},
    {"tokens": (30_000,), "context_needed": (64_001,)},
))  # fmt: skip
"""Constants near the numbers of such bodies, so that they are counted, and far from them, so that their size is enough."""
WEIGHER: Final = Weigher(4_096)
ENDPOINTS: Final = st.sampled_from(
    [e for e in EndpointName if e not in {EndpointName.MODELS, EndpointName.ALIVE}]
)
LIMITS: Final = st.sampled_from((0, 1, 4_000, MAX_NUMBER - 1, MAX_NUMBER, MAX_NUMBER + 1, 2**53 - 1))
REAL: Final = st.sampled_from(
    (CLAUDE_CODE, CODEX, OPENCODE_ANTHROPIC, OPENCODE_CHAT, QWEN_CODE, SDK_RESPONSES)
)


def sight() -> Sight:
    program = load_text(POLICY, "a.policy").program
    assert program is not None
    return Sight(program, {}, "UTC")


SIGHT: Final = sight()


@given(ENDPOINTS, BODIES | REAL, LIMITS | st.none(), MARKS, st.booleans())
@example(EndpointName.CHAT, {"messages": [], "images": [PNG]}, 5, {"tokens": (9,)}, False)
@example(EndpointName.MESSAGES, {"messages": [], "page": "https://x.example/a"}, None, {"tokens": (9,)}, True)
def test_what_the_proxy_computes_is_what_the_proofs_hold_possible(
    name: EndpointName,
    body: dict[str, Any],
    limit: int | None,
    marks: dict[str, tuple[int, ...]],
    by_size: bool,
) -> None:
    whole = body if limit is None else {**body, "max_tokens": limit, "max_output_tokens": limit}
    raw = orjson.dumps(whole)
    read = read_body(raw, "application/json", None)
    if isinstance(read, Refused):
        return
    reading = read_request(name, read.parsed)
    if reading.refused is not None:
        return
    values = SIGHT.of_body(reading)
    if isinstance(values, Refusal):
        return
    weight = WEIGHER.by_size(reading, len(raw), marks, frozenset()) if by_size else None
    if weight is None:
        weight = asyncio.run(WEIGHER.tokens(reading, len(raw), marks, frozenset()))
    found = asyncio.run(WEIGHER.findings(reading, len(raw)))
    every: dict[str, Value] = {**values, "tokens": weight.tokens, "context_needed": weight.context_needed}
    assert agree(every), every
    assert found == expand_names(found)
