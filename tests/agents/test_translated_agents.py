"""Agents on targets that do not speak their API: every request and every answer of theirs is translated.

Claude Code and Codex on servers of chat completions alone; Qwen Code, opencode and aider on servers of messages alone. The
cloud asks each of them to read a file, in its own words; the agent does, and the result is translated back.
"""

from pathlib import Path

import pytest

from tests.agents.cases import CARD, REASON, SECRET, conversation, each_of, stayed
from tests.agents.cloud import SAID
from tests.agents.deployments import CHAT_ONLY, MESSAGES_ONLY, deployment
from tests.agents.programs import AIDER, CLAUDE, CODEX, OPENCODE, QWEN, Agent, run_agent
from tests.agents.stack import TRANSFORMERS_MODEL, sidecar

pytestmark = [pytest.mark.agents, pytest.mark.timeout(600)]

translated = each_of(CLAUDE, CODEX, QWEN, OPENCODE, AIDER)


def spoken_to(agent: Agent) -> tuple[str, str]:
    """What the targets of this agent speak, and the path that arrives there: never its own."""
    return (MESSAGES_ONLY, "/v1/messages") if agent.endpoint == "chat" else (CHAT_ONLY, "/v1/chat/completions")  # fmt: skip


@translated
def test_an_agent_reads_a_file_that_the_model_asks_for(agent: Agent, tmp_path: Path, rack: str) -> None:
    spoken, path = spoken_to(agent)
    (tmp_path / "project").mkdir()
    file = tmp_path / "project" / "settings.txt"
    file.write_text("The region is eu-central-1\n")
    with sidecar(tmp_path, deployment(tmp_path, spoken), rack=rack, clouds=("cloud",)) as stack:
        cloud = stack.clouds["cloud"]
        cloud.asks = agent.reads and agent.reads(str(file))
        said = run_agent(agent, tmp_path, stack.url, "Read settings.txt and tell me the region")
        records = conversation(stack)
    assert said.code == 0 and SAID in said.text, (said, records)
    assert all(r["status"] == 200 and r["target"] == "cloud" for r in records), records
    assert {a.path for a in cloud.arrived} == {path}
    assert stack.arrived("The region is eu-central-1") > 0


@translated
def test_the_rack_answers_what_must_stay(agent: Agent, tmp_path: Path, rack: str) -> None:
    spoken, _ = spoken_to(agent)
    with sidecar(tmp_path, deployment(tmp_path, spoken), rack=rack, clouds=("cloud",)) as stack:
        said = run_agent(agent, tmp_path, stack.url, f"What is {SECRET}?")
        records = conversation(stack)
    assert stayed(records), (said, records)
    assert not stack.clouds["cloud"].arrived


@translated
def test_a_refusal_is_read_in_the_agents_own_dialect(agent: Agent, tmp_path: Path, rack: str) -> None:
    spoken, _ = spoken_to(agent)
    with sidecar(tmp_path, deployment(tmp_path, spoken), rack=rack, clouds=("cloud",)) as stack:
        said = run_agent(agent, tmp_path, stack.url, f"My card is {CARD}, remember it")
        records = conversation(stack)
    assert [r["status"] for r in records] == [400] * agent.asks, records
    assert any(REASON + r["decision"] in said.text for r in records), said.text
    assert not stack.clouds["cloud"].arrived


@each_of(CLAUDE, CODEX, QWEN)
def test_the_server_of_transformers_answers_what_must_stay(
    agent: Agent, tmp_path: Path, transformers_rack: str
) -> None:
    """Another real server. It speaks chat, ends its streams without `[DONE]`, and says its errors as plain text."""
    path = deployment(tmp_path, CHAT_ONLY, model=str(TRANSFORMERS_MODEL))
    with sidecar(tmp_path, path, rack=transformers_rack, clouds=("cloud",)) as stack:
        said = run_agent(agent, tmp_path, stack.url, f"What is {SECRET}?")
        records = conversation(stack)
    assert stayed(records), (said, records)
    assert not stack.clouds["cloud"].arrived
