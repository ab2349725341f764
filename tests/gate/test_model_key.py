"""The gate's own reading of `model` against the plainest one: every top-level pair, as the standard library lists them."""

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from policyd.proxy.model_key import ModelKey, model_key

NAMES = st.sampled_from(["model", "Model", "models", "mod", "", 'mo"del', "mod\\el", "é"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(["qwen", "evil", "}", "]", '"', "\\", "\u00e9 model", '"model":"x"'])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
SPACES = st.sampled_from(["", " ", "\n\t", "\r\n  "])


@st.composite
def objects(draw: st.DrawFn) -> bytes:
    """An object's text, keys perhaps twice and spelt with escapes, with spaces anywhere."""
    pairs = []
    for name, value in draw(st.lists(st.tuples(NAMES, VALUES), max_size=5)):
        key = json.dumps(name)
        if draw(st.booleans()):
            key = '"' + "".join(f"\\u{ord(c):04{draw(st.sampled_from('xX'))}}" for c in name) + '"'
        text = json.dumps(value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1])))
        pairs.append(f"{draw(SPACES)}{key}{draw(SPACES)}:{draw(SPACES)}{text}{draw(SPACES)}")
    return (draw(SPACES) + "{" + ",".join(pairs) + draw(SPACES) + "}" + draw(SPACES)).encode()


def plainly(body: bytes) -> str | ModelKey:
    pairs: list[tuple[str, Any]] = []

    def note(found: list[tuple[str, Any]]) -> dict[str, Any]:
        pairs[:] = found  # the outermost object is closed last
        return dict(found)

    json.loads(body, object_pairs_hook=note)
    models = [value for name, value in pairs if name == "model"]
    if not models:
        return ModelKey.ABSENT
    return models[0] if len(models) == 1 and isinstance(models[0], str) else ModelKey.AMBIGUOUS


@settings(max_examples=400, deadline=None)
@given(objects())
@example(b'{"model":"a","\\u006dodel":"a"}')
@example(b'{"a":"\\u00e9","model":"qwen"}')
@example(b"{}")
def test_it_reads_what_the_plainest_reading_reads(body: bytes) -> None:
    assert model_key(body) == plainly(body)


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=40)
    | objects().flatmap(lambda body: st.integers(0, len(body)).map(lambda at: body[:at]))
)
def test_it_never_raises(body: bytes) -> None:
    assert isinstance(model_key(body), str | ModelKey)
