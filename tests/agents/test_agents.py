"""Claude Code, Codex, Qwen Code, opencode and aider, unchanged, through `policyd serve` of the example that ships.

The rack is llama.cpp's server, the clouds are stand-ins that remember what reached them. What a random model says means
nothing; which request went where, and what a person reads, is what is asked. `README.md` beside this file says how to run it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.agents.cases import CARD, REASON, SECRET, conversation, each_of, stayed
from tests.agents.cloud import SAID
from tests.agents.programs import Agent, run_agent
from tests.agents.stack import Stack, sidecar

EXAMPLE: Final = Path(__file__).parents[2] / "examples" / "agents" / "policyd.toml"

pytestmark = [pytest.mark.agents, pytest.mark.timeout(600)]


@pytest.fixture
def stack(tmp_path: Path, rack: str) -> Iterator[Stack]:
    with sidecar(tmp_path, EXAMPLE, rack=rack, clouds=("anthropic", "openai")) as running:
        yield running


@each_of()
def test_everyday_work_goes_to_the_provider(agent: Agent, stack: Stack, tmp_path: Path) -> None:
    said = run_agent(agent, tmp_path, stack.url, "Say hi")
    assert said.code == 0 and SAID in said.text, said.text
    records = conversation(stack)
    assert records and all(r["status"] == 200 and r["target"] in stack.clouds for r in records), records
    assert {r["endpoint"] for r in records} <= {agent.endpoint, "count_tokens"}
    assert stack.arrived("key-of-the-web-team") == 0


@each_of()
def test_a_key_in_the_prompt_keeps_everything_at_home(agent: Agent, stack: Stack, tmp_path: Path) -> None:
    said = run_agent(agent, tmp_path, stack.url, f"What is {SECRET}?")
    records = conversation(stack)
    assert stayed(records), (said, records)
    assert all("stays_home" in who for r in records for who in r["removed"].values() if who != ["speaks"])
    assert stack.arrived(SECRET) == 0 and not any(cloud.arrived for cloud in stack.clouds.values())


@each_of()
def test_a_key_in_a_file_that_it_reads_brings_the_conversation_home(
    agent: Agent, stack: Stack, tmp_path: Path
) -> None:
    """The cloud itself asks for the file. What the agent read is in its next request, and that one stays."""
    (tmp_path / "project").mkdir()
    secrets = tmp_path / "project" / "settings.txt"
    secrets.write_text(f"AWS_ACCESS_KEY_ID={SECRET}\nAWS_REGION=eu-central-1\n")
    if agent.reads is not None:
        for cloud in stack.clouds.values():
            cloud.asks = agent.reads(str(secrets))
    said = run_agent(agent, tmp_path, stack.url, "Read settings.txt and tell me the region")
    records = conversation(stack)
    found = [r for r in records if "secret.aws" in r["features"]["findings"]]
    assert stayed(found), (said, records)
    assert stack.arrived(SECRET) == 0
    if agent.reads is not None:
        assert any(r["target"] in stack.clouds for r in records), "the conversation began in the cloud"


@each_of()
def test_a_refusal_is_read_once_and_not_asked_again(agent: Agent, stack: Stack, tmp_path: Path) -> None:
    said = run_agent(agent, tmp_path, stack.url, f"My card is {CARD}, remember it")
    records = conversation(stack)
    assert [(r["status"], r["outcome"]) for r in records] == [(400, "policy_denied")] * agent.asks, records
    assert any(REASON + r["decision"] in said.text for r in records), said.text
    assert len({r["decision"] for r in records if r["decision"] in said.text}) == 1, said.text
    assert not any(cloud.arrived for cloud in stack.clouds.values())
