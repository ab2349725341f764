"""What every test of an agent asks for: the agents that are there, a planted key, a card number, the words of a refusal."""

from typing import Any, Final

import pytest

from tests.agents.programs import AGENTS, Agent
from tests.agents.stack import Stack

__all__ = ["CARD", "REASON", "SECRET", "conversation", "each_of", "stayed"]

SECRET: Final = "AKIAQ3EGRLJ7NMVPX2TD"
CARD: Final = "4111 1111 1111 1111"
REASON: Final = (
    "PCI-3: there is a payment card number in this conversation. Take it out and start a new one "
    "[policyd policy_denied, decision "
)


def each_of(*agents: Agent) -> pytest.MarkDecorator:
    """The test once for each of these agents, of all where none is named. One whose program is not there is skipped."""

    def case(agent: Agent) -> Any:
        reason = f"{agent.variable} names no program"
        return pytest.param(agent, id=agent.name, marks=pytest.mark.skipif(not agent.program, reason=reason))

    return pytest.mark.parametrize("agent", [case(agent) for agent in agents or AGENTS])


def conversation(stack: Stack) -> list[dict[str, Any]]:
    """The records of requests with content, in the order in which they were written."""
    return [record for record in stack.records() if record["endpoint"] not in {"models", "unknown"}]


def stayed(records: list[dict[str, Any]]) -> bool:
    """Whether the rack answered, and nobody else had anything. A client that closes its connection at the last event of a
    stream, before the end of the stream itself, is `client_gone` in the record; it had its answer."""
    tried = {attempt["target"] for record in records for attempt in record["attempts"]}
    ends = {(record["status"], record["outcome"]) for record in records}
    return tried == {"rack"} and bool(ends) and ends <= {(200, "answered"), (200, "client_gone")}
