"""The task with the endpoint and the tools: a search admits what can be and nothing else, and what it shows can be."""

from itertools import product
from pathlib import Path

import pytest

from policyd.engine.cells import cell_of, concretise
from policyd.engine.matrix import Matrix, build_matrix
from policyd.policy.builtins import ENDPOINTS
from policyd.policy.possible import agree
from policyd.policy.program import Program
from policyd.policy.quiet import quiet_request
from policyd.policy.request import Request, admit
from policyd.policy.tasks import ACTING, TASKS, fits, task_agrees
from policyd.resolve.load import load

CONDITIONS = (
    "task == agent",
    "task == chat",
    "task == embedding",
    "task in { agent, embedding }",
    "task in { chat, embedding } and endpoint == embeddings",
    "task == completion and endpoint in { chat, completions }",
    "task == agent and tools",
    "task == agent and server_tools",
    "task in { chat, agent } and tools and server_tools",
    "task in { chat, review } and not tools and endpoint == chat",
    "(task == agent or task == embedding) and not tools and not server_tools and endpoint == messages",
)


def program(tmp_path: Path, condition: str) -> Program:
    path = tmp_path / "main.policy"
    path.write_text(f"""edition 1
target rack {{ location on_prem context 64k speaks chat, completions, responses, embeddings, messages supports tools, server_tools }}
route some to rack when {condition}
otherwise reject "no"
""")
    found = load(path).program
    assert found is not None
    return found


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_cells_that_are_left_are_those_of_requests(tmp_path: Path, condition: str) -> None:
    checked = program(tmp_path, condition)
    matrix = build_matrix(checked)
    assert isinstance(matrix, Matrix)
    assert matrix.table.of("task") is not None
    taken = [box for i, box in enumerate(matrix.boxes) if matrix.relations >> i & 1]
    real = set()
    for task, endpoint, tools, server in product(TASKS, ENDPOINTS, (False, True), (False, True)):
        given = {"task": task, "endpoint": endpoint, "tools": tools, "server_tools": server}
        request = quiet_request(checked, given)
        assert isinstance(request, Request)
        assert agree(request.values) == fits(task, endpoint, acting=tools or server)
        if agree(request.values):
            real.add(tuple(cell_of(matrix, request)))
    tied = [i for i, axis in enumerate(matrix.axes) if axis.feature in {"task", "endpoint", *ACTING}]
    base = list(next(iter(real)))
    left = set()
    for atoms in product(*(range(matrix.axes[i].size) for i in tied)):
        cell = list(base)
        for i, atom in zip(tied, atoms, strict=True):
            cell[i] = atom
        if any(all(mask >> cell[at] & 1 for at, mask in box.items()) for box in taken):
            continue
        left.add(tuple(cell))
        shown = admit(checked, concretise(matrix, cell))
        assert isinstance(shown, Request)
        assert task_agrees(shown.values)
        assert cell_of(matrix, shown) == cell
    assert left == real


def test_a_question_is_completed_with_what_goes_with_it(tmp_path: Path) -> None:
    checked = program(tmp_path, "task == agent")

    def asked(**given: object) -> tuple[object, object, object]:
        request = quiet_request(checked, given)
        assert isinstance(request, Request)
        return request.values["endpoint"], request.values["task"], request.values["tools"]

    assert asked() == ("chat", "chat", False)
    assert asked(endpoint="embeddings") == ("embeddings", "embedding", False)
    assert asked(endpoint="completions") == ("completions", "completion", False)
    assert asked(task="embedding") == ("embeddings", "embedding", False)
    assert asked(task="agent") == ("chat", "agent", True)
    assert asked(task="agent", server_tools=True) == ("chat", "agent", False)
    assert asked(tools=True) == ("chat", "agent", True)
    assert asked(tools=None) == ("chat", "agent", True)
    assert asked(task="review", tools=True) == ("chat", "review", True)


def test_what_goes_with_what() -> None:
    assert [t for t in TASKS if fits(t, "chat", acting=False)] == [
        t for t in TASKS if t not in ("agent", "embedding")
    ]
    assert [t for t in TASKS if fits(t, "chat", acting=True)] == [
        t for t in TASKS if t not in ("chat", "embedding")
    ]
    assert [t for t in TASKS if fits(t, "embeddings", acting=False)] == ["embedding"]
    assert [t for t in TASKS if fits(t, "completions", acting=True)] == ["completion"]
