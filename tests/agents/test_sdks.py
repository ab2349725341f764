"""Both official SDKs, set up by their usual variables, through the example that ships."""

from pathlib import Path

import anthropic
import openai
import pytest

from tests.agents.cases import CARD, REASON, SECRET, stayed
from tests.agents.cloud import SAID
from tests.agents.programs import KEY
from tests.agents.stack import sidecar
from tests.agents.test_agents import EXAMPLE

pytestmark = [pytest.mark.agents, pytest.mark.timeout(300)]

CLOUDS = ("anthropic", "openai")


@pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")
def test_the_anthropic_sdk(tmp_path: Path, rack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with sidecar(tmp_path, EXAMPLE, rack=rack, clouds=CLOUDS) as stack:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", stack.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        with anthropic.Anthropic() as client:

            def ask(text: str) -> str:
                with client.messages.stream(
                    model="frontier", max_tokens=30, messages=[{"role": "user", "content": text}]
                ) as stream:
                    return stream.get_final_text()

            assert ask("hi") == SAID
            assert ask(f"What is {SECRET}?") != SAID
            with pytest.raises(anthropic.BadRequestError) as refused:
                ask(f"My card is {CARD}")
        records = stack.records()
    assert [r["target"] for r in records] == ["anthropic", "rack", None] and stayed(records[1:2])
    assert REASON + records[2]["decision"] in str(refused.value)
    assert stack.arrived(SECRET) == stack.arrived(CARD) == 0


def test_the_openai_sdk(tmp_path: Path, rack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with sidecar(tmp_path, EXAMPLE, rack=rack, clouds=CLOUDS) as stack:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{stack.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        with openai.OpenAI() as client:

            def chat(text: str) -> str:
                stream = client.chat.completions.create(
                    model="m", max_tokens=30, stream=True, messages=[{"role": "user", "content": text}]
                )
                return "".join(c.choices[0].delta.content or "" for c in stream if c.choices)

            assert (
                chat("hi") == client.responses.create(model="m", input="hi", store=False).output_text == SAID
            )
            assert chat(f"What is {SECRET}?") != SAID
            with pytest.raises(openai.BadRequestError) as refused:
                chat(f"My card is {CARD}")
        records = stack.records()
    assert [r["target"] for r in records] == ["openai", "openai", "rack", None] and stayed(records[2:3])
    assert REASON + records[3]["decision"] in str(refused.value)
    assert stack.arrived(SECRET) == stack.arrived(CARD) == 0
