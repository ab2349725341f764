"""Everything a model will read is scanned or makes the request opaque: a secret in every place that the official SDKs' own
types have for a string, in every dialect."""

import base64
import importlib
import typing
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from policyd.detect.scanner import Scanner
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.read import read_request
from policyd.traffic.reading import Reading
from tests.traffic.typed_requests import Path, examples, put, strings

pytest.importorskip("openai", reason="needs the openai SDK")
pytest.importorskip("anthropic", reason="needs the anthropic SDK")

SECRET = "AKIA" + "Q3PT6XWZ7LMNB2CD"

WORDS = f"the key that we use is {SECRET}, as far as anybody knows; it is written down here and nowhere else"
ENCODED = base64.b64encode(WORDS.encode()).decode()
FORMS = {
    "plain": f"it is {SECRET}, ok",
    "base64": ENCODED,
    "a data URL in base64": f"data:text/plain;base64,{ENCODED}",
    "a data URL of markup": f"data:image/svg+xml;base64,{ENCODED}",
    "a data URL in percent encoding": "data:text/csv," + quote(WORDS).replace("K", "%4B"),
    "JSON in a string": orjson.dumps({"a": WORDS}).decode().replace("K", "\\u004b"),
}

DIALECTS = [
    (EndpointName.CHAT, "openai.types.chat.completion_create_params", "CompletionCreateParamsBase"),
    (EndpointName.RESPONSES, "openai.types.responses.response_create_params", "ResponseCreateParamsBase"),
    (EndpointName.MESSAGES, "anthropic.types.beta.message_create_params", "MessageCreateParamsBase"),
    (
        EndpointName.COUNT_TOKENS,
        "anthropic.types.beta.message_count_tokens_params",
        "MessageCountTokensParams",
    ),
    (EndpointName.COMPLETIONS, "openai.types.completion_create_params", "CompletionCreateParamsBase"),
    (EndpointName.EMBEDDINGS, "openai.types.embedding_create_params", "EmbeddingCreateParams"),
]
LEAST = {
    EndpointName.CHAT: 150,
    EndpointName.RESPONSES: 1500,
    EndpointName.MESSAGES: 2500,
    EndpointName.COUNT_TOKENS: 2500,
    EndpointName.COMPLETIONS: 8,
    EndpointName.EMBEDDINGS: 5,
}
"""Places that there are, so that a change of the SDKs' types does not leave the test with nothing."""


def requests(module: str, name: str, text: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A request with the text in one place, for each place: the whole parameter is there, nothing else."""
    hints = typing.get_type_hints(getattr(importlib.import_module(module), name), include_extras=True)
    for key, hint in hints.items():
        for example in examples(hint):
            for path, _ in strings(example):
                yield (key, *path), {"messages": [], key: put(example, path, text)}


def is_seen(reading: Reading) -> bool:
    return reading.refused is not None or reading.opaque or "secret.aws" in Scanner().scan(reading.texts)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(("endpoint", "module", "name"), DIALECTS, ids=[str(d[0]) for d in DIALECTS])
def test_a_secret_in_any_place_is_found_or_the_request_is_opaque(
    endpoint: EndpointName, module: str, name: str, form: str
) -> None:
    places = 0
    missed = []
    for path, body in requests(module, name, form):
        places += 1
        if places % 4 and form != FORMS["plain"]:
            continue
        if not is_seen(read_request(endpoint, orjson.loads(orjson.dumps(body)))):
            missed.append(path)
    assert places >= LEAST[endpoint]
    assert missed == []
