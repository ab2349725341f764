"""The model servers that the tests of the agents share, each started once."""

from collections.abc import Iterator

import pytest

from tests.agents.stack import (
    LLAMA,
    MODEL,
    TRANSFORMERS,
    TRANSFORMERS_MODEL,
    llama_server,
    transformers_server,
)


@pytest.fixture(scope="session")
def rack() -> Iterator[str]:
    """llama.cpp's server."""
    if not LLAMA or not MODEL:
        pytest.skip("POLICYD_LLAMA_SERVER and POLICYD_LLAMA_MODEL name no llama-server and no model")
    with llama_server() as url:
        yield url


@pytest.fixture(scope="session")
def transformers_rack() -> Iterator[str]:
    """The server of transformers, which speaks chat and completions."""
    if not TRANSFORMERS or not TRANSFORMERS_MODEL:
        pytest.skip(
            "POLICYD_TRANSFORMERS and POLICYD_TRANSFORMERS_MODEL name no program `transformers` and no checkpoint"
        )
    with transformers_server() as url:
        yield url
