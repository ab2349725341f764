"""What a request is for: who said what in it, which rule makes its task, and how much it asks for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.policy.program import Value
from policyd.policy.tasks import TASKS, task_agrees
from policyd.traffic.code_shape import code_in, is_code_line, percent, prose_of
from policyd.traffic.complexity import PARTS, complexity_of
from policyd.traffic.dialogue import ENOUGH_SAID, LONGEST_SAID, SAMPLE, Dialogue, dialogue_of
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.read import read_request
from policyd.traffic.task import RULES, SIDE_OPENINGS, task_of

TOOL = {"type": "function", "function": {"name": "read_file", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "read_file", "arguments": "{}"}}


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def chat(*messages: Any, **keys: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [user(m) if isinstance(m, str) else m for m in messages], **keys}


def read(body: dict[str, Any], endpoint: str = "chat") -> Dialogue:
    return dialogue_of(endpoint, read_request(EndpointName(endpoint), body))


def task(body: dict[str, Any], endpoint: str = "chat") -> str:
    reading = read_request(EndpointName(endpoint), body)
    assert reading.refused is None
    return task_of(endpoint, dialogue_of(endpoint, reading), reading)


def score(body: dict[str, Any], endpoint: str = "chat") -> int:
    reading = read_request(EndpointName(endpoint), body)
    assert reading.refused is None
    dialogue = dialogue_of(endpoint, reading)
    return complexity_of(dialogue, reading, code_in(dialogue.sample)[0])


SAID: dict[str, str] = {
    "What is the capital of Paraguay?": "chat",
    "How do I add two numbers in Python?": "chat",
    "write a poem about spring": "chat",
    "fix the bug in the login form": "edit",
    "Could you please add a button to the form?": "edit",
    "Write a python function that reverses a list": "edit",
    "Arregla el error en login.py": "edit",
    "Por favor, agrega un botón al formulario": "edit",
    "Escribe una función que ordene una lista": "edit",
    "Review this pull request": "review",
    "What's wrong with this code?": "review",
    "Revisa este código, por favor": "review",
    "¿Qué está mal en esta función?": "review",
    "Bitte überprüfe diesen Code": "review",
    "Write unit tests for the parser": "test_writing",
    "Escribe pruebas unitarias para el analizador": "test_writing",
    "escreva testes para esta função": "test_writing",
    "Hacé una función que ordene una lista": "edit",
    "Haz un script que lea el archivo": "edit",
    "Corregir el error": "edit",
    "Corregí el error de login": "edit",
    "¿Podés agregar un botón?": "edit",
    "Poné un botón en el formulario": "edit",
    "Resolvé este bug": "edit",
    "Resuelve el conflicto": "edit",
    "Crie uma função que some dois números": "edit",
    "Faça uma consulta que liste os clientes": "edit",
    "Corrija o erro em login.py": "edit",
    "Hace dos días que llueve": "chat",
    "¿Qué hora es en Asunción?": "chat",
    "Melhor cidade para morar?": "chat",
    "Escribí pruebas para el analizador": "test_writing",
    "Faça testes para esta classe": "test_writing",
    "Revisá este código": "review",
    "Pasá este script a Python 3": "migration",
    "Migre o projeto para Rust": "migration",
    "Reescreva isto em Go": "migration",
    "Simplifique esta função": "refactor",
    "What is a CVE?": "security",
    "List the CVEs of this package": "security",
    "Revisá la seguridad del login": "security",
    "¿Qué pasa a las cinco?": "chat",
    "Was macht diese Funktion gerade?": "chat",
    "Let us have a conversation and give it a go": "chat",
    "Refactor this class": "refactor",
    "rename foo to bar everywhere": "refactor",
    "Refactoriza esta clase": "refactor",
    "Migrate the project from Vue 2 to Vue 3": "migration",
    "Convert this script to TypeScript": "migration",
    "Migra este proyecto a Python 3": "migration",
    "Is there an SQL injection in here?": "security",
    "Do a security review of the login": "security",
    "¿Hay fallos de seguridad aquí?": "security",
    "Y a-t-il une faille de sécurité ?": "security",
}


@pytest.mark.parametrize(("text", "wanted"), SAID.items())
def test_words_tell_the_task_where_a_person_just_spoke(text: str, wanted: str) -> None:
    assert task(chat(text)) == wanted
    assert task({"model": "m", "input": text, "store": False}, "responses") == wanted
    assert task(chat(text, max_tokens=4096), "messages") == wanted


PRECEDENCE = (
    ("Review this for vulnerabilities, write tests and migrate it to Rust", "security"),
    ("Migrate it to Rust, write unit tests and refactor it", "migration"),
    ("Refactor this and write unit tests", "test_writing"),
    ("Review and refactor this", "refactor"),
    ("Review this and fix it", "review"),
)


@pytest.mark.parametrize(("text", "wanted"), PRECEDENCE)
def test_of_several_tasks_the_first_of_the_table_counts(text: str, wanted: str) -> None:
    assert task(chat(text)) == wanted


def test_words_in_code_and_in_the_middle_of_a_long_text_say_nothing() -> None:
    assert task(chat("```python\nreview(fix, migrate)  # refactor this\n```\nwhat does this do?")) == "chat"
    assert task(chat("so it was. " * 200 + "please review this. " + "so it was. " * 200)) == "chat"
    assert task(chat("so it was. " * 200 + "please review this.")) == "review"


STRUCTURE: dict[str, tuple[str, dict[str, Any], str]] = {
    "embeddings": ("embeddings", {"model": "m", "input": "review this"}, "embedding"),
    "legacy completions": ("completions", {"model": "m", "prompt": "review this"}, "completion"),
    "a gap": ("completions", {"model": "m", "prompt": "def f(", "suffix": "return 1"}, "completion"),
    "a gap in a chat": ("chat", chat("<|fim_prefix|>def f(<|fim_suffix|>return 1"), "completion"),
    "a small answer": ("chat", chat("is this a new topic?", max_tokens=16), "side_call"),
    "a probe of a quota": ("messages", chat("quota", max_tokens=1), "side_call"),
    "a count of tokens": ("count_tokens", chat("hello"), "chat"),
    "tools, and no word": ("chat", chat("hello", tools=[TOOL]), "agent"),
    "tools, and a word": ("chat", chat("review this", tools=[TOOL]), "review"),
    "a small answer with tools": ("chat", chat("hello", tools=[TOOL], max_tokens=16), "agent"),
    "a tool's result": (
        "chat",
        chat("review this", {"role": "assistant", "content": None, "tool_calls": [CALL]},
             {"role": "tool", "tool_call_id": "c1", "content": "x"}, tools=[TOOL]),
        "agent",
    ),
    "a tool's result, Anthropic's": (
        "messages",
        chat("review this",
             {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "read", "input": {}}]},
             user([{"type": "tool_result", "tool_use_id": "t", "content": "x"}]), max_tokens=4096),
        "agent",
    ),
    "a tool's result, Codex's": (
        "responses",
        {"model": "m", "store": False, "input": [
            user("review this"), {"type": "function_call", "call_id": "c", "name": "sh", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "x"}]},
        "agent",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("endpoint", "body", "wanted"), STRUCTURE.values(), ids=STRUCTURE)
def test_structure_tells_the_task_before_words_do(endpoint: str, body: dict[str, Any], wanted: str) -> None:
    assert task(body, endpoint) == wanted


@pytest.mark.parametrize("opening", SIDE_OPENINGS)
def test_a_known_side_call_is_one_wherever_it_says_so(opening: str) -> None:
    asked = f"{opening} and so on. Review everything."
    assert task(chat({"role": "system", "content": asked}, "fix it", tools=[TOOL])) == "side_call"
    assert task(chat("earlier", {"role": "assistant", "content": "yes"}, asked)) == "side_call"
    assert (
        task(chat("fix it", system=[{"type": "text", "text": asked}], max_tokens=4096), "messages")
        == "side_call"
    )
    assert (
        task({"model": "m", "instructions": asked, "input": "fix", "store": False}, "responses")
        == "side_call"
    )


def test_what_an_agent_writes_in_a_person_s_name_is_nobody_s_word() -> None:
    reminder = "<system-reminder>\nReview your todo list\n</system-reminder>"
    parts = [{"type": "text", "text": reminder}, {"type": "text", "text": "write a poem"}]
    assert task(chat(user(parts), max_tokens=4096), "messages") == "chat"
    assert read(chat(user(parts), max_tokens=4096), "messages").said == [("write a poem",)]
    assert read(chat("review this", "<environment_context>x</environment_context>")).said == [
        ("review this",)
    ]
    assert read(chat("<b>review</b> this")).said == [("<b>review</b> this",)]


@pytest.mark.parametrize("odd", [[], {}, [[]], 5, True])
def test_a_role_of_any_form_is_none_of_the_system(odd: Any) -> None:
    body = {"messages": [{"role": odd, "content": "hello"}]}
    for endpoint in (EndpointName.CHAT, EndpointName.MESSAGES):
        found = read(body, endpoint.value)
        assert (found.messages, found.opening) == (1, "")


def test_a_billing_line_is_not_how_a_system_prompt_opens() -> None:
    blocks = [
        {"type": "text", "text": "x-anthropic-billing-header: a=1;"},
        {"type": "text", "text": "You are"},
    ]
    assert read(chat("hi", system=blocks, max_tokens=1), "messages").opening == "You are"


def test_the_first_turn_ends_with_an_answer_a_tool_or_a_kept_conversation() -> None:
    answer = {"role": "assistant", "content": "yes"}
    assert read(chat({"role": "system", "content": "s"}, "hi")).first
    assert not read(chat("hi", answer, "and?")).first
    assert not read(chat("hi", {"role": "tool", "tool_call_id": "c", "content": "x"})).first
    assert not read({"model": "m", "input": "hi", "previous_response_id": "resp_1"}, "responses").first
    assert not read({"model": "m", "input": "hi", "conversation": "conv_1"}, "responses").first
    greeted = chat("This is the Qwen Code. We are setting up the context for our chat.",
                   {"role": "assistant", "content": "Got it. Thanks for the context!"}, "hi")  # fmt: skip
    assert read(greeted).first
    assert read(greeted).said == [("hi",)]
    assert read({"model": "m", "input": "hi"}, "embeddings").first


def test_what_is_remembered_is_bounded() -> None:
    long = read(chat(*["word " * 10_000] * 40))
    assert sum(map(len, long.sample)) == SAMPLE
    assert sum(len(t) for said in long.said for t in said) <= ENOUGH_SAID + 2 * LONGEST_SAID + 1
    assert long.characters == 40 * 50_000
    parts = read(chat(user([{"type": "text", "text": "x"}] * 100_000)))
    assert parts.characters == 100_000


CODE = ("def f(x):", "    return x + 1", "const a = () => {", "}", "if (x) {", "SELECT id FROM users", "#include <stdio.h>",
        "import os", "from a import b", '  "key": "value",', "x = 1", "foo.bar(1);", "// a note", "<div class='a'>", "@app.get(")  # fmt: skip
PROSE = ("Review the function add in app.py.", "import is what a customs office looks at", "If you can, do it today.",
         "Everyone has the right to life (and liberty).", "from now on we wait", "return to sender", "- a point of a list")  # fmt: skip


@pytest.mark.parametrize("line", CODE)
def test_a_line_of_code_is_code(line: str) -> None:
    assert is_code_line(line)


@pytest.mark.parametrize("line", PROSE)
def test_a_line_of_prose_is_none(line: str) -> None:
    assert not is_code_line(line)


def test_a_fence_says_what_is_inside() -> None:
    assert code_in(["words here\n```python\nplain words\n```\nwords here"]) == (11, 31)
    assert code_in(["```text\nx = f(1);\n```"]) == (0, 9)
    assert prose_of("look:\n```\nx\n```\nthanks") == "look:\nthanks"


def test_the_share_is_whole_and_its_ends_are_exact() -> None:
    assert [percent(*p) for p in ((0, 0), (0, 9), (1, 9999), (9998, 9999), (9, 9), (1, 2))] == [
        0,
        0,
        1,
        99,
        100,
        50,
    ]


def test_the_parts_of_the_score_add_up_to_a_hundred() -> None:
    assert sum(part.most for part in PARTS) == 100
    assert score(chat("hi")) == 0


EVERYTHING = chat(
    *[m for _ in range(200) for m in ("x = f(1);\n" * 600, {"role": "assistant", "content": None, "tool_calls": [CALL]},
                                      {"role": "tool", "tool_call_id": "c1", "content": "y" * 4000})],
    user([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]),
    tools=[TOOL] * 30 + [{"type": "web_search"}], reasoning_effort="high", thinking={"type": "enabled", "budget_tokens": 90_000},
    response_format={"type": "json_object"}, max_tokens=64_000,
)  # fmt: skip


def test_a_request_with_everything_has_all_points() -> None:
    assert score(EVERYTHING) == 100


EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")


def test_more_effort_is_never_fewer_points() -> None:
    points = [score(chat("hi", reasoning_effort=effort)) for effort in EFFORTS]
    assert points == [0, 2, 4, 10, 15, 20]
    budgets = [score(chat("hi", max_tokens=99, thinking={"type": "enabled", "budget_tokens": n}), "messages")
               for n in (1, 4095, 4096, 16_384, 65_536)]  # fmt: skip
    assert budgets == [4, 4, 10, 15, 20]
    assert score(chat("hi", max_tokens=99, thinking={"type": "adaptive"}), "messages") == 10
    assert score(chat("hi", max_tokens=99, thinking={"type": "disabled"}), "messages") == 0
    claude = chat("hi", max_tokens=99, thinking={"type": "adaptive"}, output_config={"effort": "low"})
    assert score(claude, "messages") == 4
    assert score({"model": "m", "input": "hi", "reasoning": {"effort": "high"}}, "responses") == 15


TEXTS = st.text(alphabet="ab =();{}\n#.", max_size=400)
TURNS = st.lists(st.tuples(st.sampled_from(["user", "assistant", "tool"]), TEXTS), min_size=1, max_size=6)


@given(turns=TURNS, tools=st.integers(0, 5), more=TURNS)
def test_a_conversation_never_becomes_less_complex(
    turns: list[tuple[str, str]], tools: int, more: list[tuple[str, str]]
) -> None:
    def body(said: list[tuple[str, str]], offered: int) -> dict[str, Any]:
        return chat(*[{"role": r, "content": t, "tool_call_id": "c"} if r == "tool" else {"role": r, "content": t} for r, t in said],
                    tools=[TOOL] * offered)  # fmt: skip

    before = score(body(turns, tools))
    assert before == score(body(turns, tools))
    assert 0 <= before <= 100
    assert score(body(turns + more, tools)) >= before
    assert score(body(turns, tools + 2)) >= before


@given(turns=TURNS, tools=st.integers(0, 1), most=st.none() | st.integers(1, 99), endpoint=st.sampled_from(["chat", "messages", "count_tokens"]))  # fmt: skip
def test_every_task_goes_with_its_request_as_the_proofs_believe(
    turns: list[tuple[str, str]], tools: int, most: int | None, endpoint: str
) -> None:
    keys: dict[str, Any] = {"tools": [TOOL]} if tools and endpoint == "chat" else {}
    body = chat(*[{"role": "user" if r == "tool" else r, "content": t} for r, t in turns], **keys)
    if most is not None and endpoint != "count_tokens":
        body["max_tokens"] = most
    reading = read_request(EndpointName(endpoint), body)
    found = task_of(endpoint, dialogue_of(endpoint, reading), reading)
    values: dict[str, Value] = {
        "task": found,
        "endpoint": endpoint,
        "tools": reading.tools,
        "server_tools": reading.server_tools,
    }
    assert task_agrees(values)


def test_every_rule_s_task_is_a_word_of_the_feature_and_every_word_has_a_rule() -> None:
    assert {rule.task for rule in RULES} == set(TASKS)
