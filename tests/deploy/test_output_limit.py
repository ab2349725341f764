"""Under which key a translated chat completion says the limit of its answer."""

from pathlib import Path

import pytest

from tests.deploy.test_read import SMALL, read


@pytest.mark.parametrize(
    ("url", "line", "key"),
    [
        ("http://127.0.0.1:8000", "", "max_tokens"),
        ("https://api.openai.com", "", "max_completion_tokens"),
        ("https://API.openai.com/", "", "max_completion_tokens"),
        ("https://x.openai.azure.com/openai", "", "max_completion_tokens"),
        ("https://openai.azure.com.example.com", "", "max_tokens"),
        ("https://api.openai.com", 'output_limit = "max_tokens"', "max_tokens"),
        ("http://127.0.0.1:8000", 'output_limit = "max_completion_tokens"', "max_completion_tokens"),
    ],
)
def test_the_key_follows_the_host_unless_it_is_said(tmp_path: Path, url: str, line: str, key: str) -> None:
    loaded = read(tmp_path, SMALL.replace("http://127.0.0.1:8000", url) + line + "\n")
    assert loaded.deployment is not None, loaded.diagnostics
    assert loaded.deployment.bindings[0].limit_key == key


def test_another_key_is_told(tmp_path: Path) -> None:
    (found,) = read(tmp_path, SMALL + 'output_limit = "n_predict"\n').diagnostics
    assert "output_limit" in found.message and "max_completion_tokens" in found.message
