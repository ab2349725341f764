"""From a witness to a real HTTP request that has its features.

In come a program's matrix and the request of a witness; out goes an `Asked`: the bytes, who sends them, what the deployment
says meanwhile and what time it is. Where no request can be like that, an `Impossible` says why: never silence. Features
that the policy does not read are left as they come; numbers are as good as the witness' own where the policy cannot tell
the two apart.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import product
from typing import Final

from policyd.deploy.keys import hash_key
from policyd.deploy.model import ApiKey
from policyd.engine.axes import NameAxis, NumberAxis
from policyd.engine.matrix import Matrix
from policyd.policy.program import MAX_NUMBER, Feature, Program, Value
from policyd.policy.request import EVERYTHING, Request, unknown_value
from policyd.traffic.code_shape import code_in
from policyd.traffic.complexity import complexity_of
from policyd.traffic.dialogue import dialogue_of
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.read import read_request
from policyd.traffic.tokens import TokenCounter
from tests.leaks.bodies import PATHS, Wanted, body_of
from tests.leaks.samples import text_with
from tests.proxy.bench import post

__all__ = ["Asked", "Impossible", "asked_from", "read_by", "same_to_the_policy"]

FLAGS: Final = (
    "stream", "tools", "images", "json", "reasoning", "server_tools", "stored", "remote_content", "opaque",
)  # fmt: skip
COUNTED: Final = ("tokens", "max_output", "context_needed")
TASKS_SAID: Final = {
    "completion": "<fim_prefix>", "edit": "Please fix this.\n", "review": "Please review this.\n",
    "test_writing": "Please write unit tests.\n", "refactor": "Please refactor this.\n", "migration": "Please migrate this.\n",
    "security": "Is there a vulnerability here?\n", "side_call": "You are a title generator.\n",
}  # fmt: skip
"""How a request begins that has a task; without a beginning it is a chat, or with tools an agent's."""

CODE_LINE: Final = "value = call(other);\n"
MOST_MESSAGES: Final = 100_000
LONG: Final = " ".join(["word"] * 20_000)
"""So long that the body's size does not settle how many tokens it has, as far as policies here ask."""


@dataclass(frozen=True, slots=True)
class Impossible:
    """Why no request is like the witness."""

    why: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A request and what it is asked under. `claims` are its caller's, `features` the deployment's; `at` is the clock's
    time. `reserve` is what the deployment adds for the answer. `unscanned` and `uncounted`: the time for that ran out."""

    path: str
    body: bytes
    headers: tuple[tuple[str, str], ...]
    claims: tuple[tuple[str, str], ...]
    features: tuple[tuple[str, str | int | bool], ...]
    at: float
    reserve: int
    unscanned: bool
    uncounted: bool

    @property
    def key(self) -> str:
        """The API key of a caller with these claims."""
        return "key of " + json.dumps(self.claims)

    @property
    def identity(self) -> ApiKey:
        return ApiKey(hash_key(self.key), self.claims)

    @property
    def raw(self) -> bytes:
        return post(self.path, self.body, dict(self.headers), x_api_key=self.key)


def read_by(program: Program, matrix: Matrix) -> frozenset[str]:
    """The features that a decision can depend on."""
    hashed = {g.by for r in program.routes for g in r.groups if g.by is not None}
    return frozenset(axis.feature for axis in matrix.axes) | hashed


def same_to_the_policy(
    matrix: Matrix, one: Mapping[str, Value], other: Mapping[str, Value]
) -> frozenset[str]:
    """The features in which the policy can tell the two apart, among those that both have."""
    return frozenset(
        axis.feature
        for axis in matrix.axes
        if axis.feature in one
        and axis.feature in other
        and axis.atom_of(one[axis.feature]) != axis.atom_of(other[axis.feature])
    )


def asked_from(program: Program, matrix: Matrix, request: Request, *, marker: str) -> Asked | Impossible:
    """A request like the witness', with the marker in its text."""
    values, read = request.values, read_by(program, matrix)
    said = _outside_the_body(program, values)
    if isinstance(said, Impossible):
        return said
    if values["endpoint"] == "models":
        return Impossible("policyd answers the list of models itself and sends nothing")
    body = _body(matrix, values, read, marker)
    if isinstance(body, Impossible):
        return body
    data, reserve = body
    headers, claims, features = said
    return Asked(
        PATHS[str(values["endpoint"])],
        data,
        headers,
        claims,
        features,
        _time(values),
        reserve,
        _unscanned(values, read),
        _uncounted(values, read),
    )


_Said = tuple[
    tuple[tuple[str, str], ...], tuple[tuple[str, str], ...], tuple[tuple[str, str | int | bool], ...]
]


def _outside_the_body(program: Program, values: Mapping[str, Value]) -> _Said | Impossible:
    """Headers, the caller's claims, and what the deployment says. What is unknown is left out."""
    headers: list[tuple[str, str]] = []
    claims: list[tuple[str, str]] = []
    features: list[tuple[str, str | int | bool]] = []
    for feature in program.features:
        value = values[feature.name]
        kind, key = feature.where.kind, feature.where.key
        if kind == "ledger":
            if value is not True:
                return Impossible("nobody keeps budgets yet, so each counts as exceeded")
        elif kind == "builtin" or value == unknown_value(feature):
            continue
        elif kind == "deployment":
            assert isinstance(value, str | int | bool)
            features.append((key, value))
        elif kind == "identity":
            claims.append((key, _word(feature, value)))
        else:
            text = _word(feature, value)
            if text != text.strip() or not text.isprintable() or not text:
                return Impossible("a header cannot hold these characters")
            headers.append((key, text.encode().decode("latin-1")))
    return tuple(headers), tuple(claims), tuple(features)


def _word(feature: Feature, value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and getattr(feature.domain, "unit", "") == "date":
        return date.fromordinal(value).isoformat()
    assert isinstance(value, str | int)
    return str(value)


def _time(values: Mapping[str, Value]) -> float:
    day, hour = values["date"], values["hour"]
    assert isinstance(day, int) and isinstance(hour, int)
    of_day = date.fromordinal(day)
    return datetime(of_day.year, of_day.month, of_day.day, hour, tzinfo=UTC).timestamp()


def _unscanned(values: Mapping[str, Value], read: frozenset[str]) -> bool:
    return "findings" in read and values["findings"] is EVERYTHING


def _uncounted(values: Mapping[str, Value], read: frozenset[str]) -> bool:
    """Whether counting has to have failed, because nothing in the request keeps it from being counted."""
    return "tokens" in read and values["tokens"] == MAX_NUMBER and "opaque" in read and not values["opaque"]


def _least(matrix: Matrix, name: str, values: Mapping[str, Value]) -> int:
    """The least number that is as good as the witness'."""
    axis = next(a for a in matrix.axes if isinstance(a, NumberAxis) and a.feature == name)
    return axis.bounds(axis.atom_of(values[name]))[0]


def _body(
    matrix: Matrix, values: Mapping[str, Value], read: frozenset[str], marker: str
) -> tuple[bytes, int] | Impossible:
    """The body's bytes and the reserve for an answer that nobody bounds."""
    endpoint = str(values["endpoint"])
    flags = frozenset(f for f in FLAGS if f in read and values[f] is True)
    if "opaque" in read and not values["opaque"] and flags & {"images", "remote_content"}:
        return Impossible("nobody scans images or what is fetched, so the request is opaque")
    names = [axis.name for axis in matrix.axes if isinstance(axis, NameAxis) and axis.feature == "findings"]
    found = values["findings"]
    assert isinstance(found, frozenset)
    text = "" if found is EVERYTHING else text_with(found, names)
    if text is None:
        return Impossible("no detector finds exactly these names")
    fixed = ""
    if values["unredactable"] and "unredactable" in read and found is not EVERYTHING:
        # What is found in a name stays where it is.
        if values["unredactable"] != found or endpoint != "chat":
            return Impossible(
                "a request here has one place where nothing is changed, and all or nothing there"
            )
        text, fixed = "", text
    messages = _least(matrix, "messages", values) if "messages" in read else 1
    if messages > MOST_MESSAGES:
        return Impossible("a body with so many messages is longer than any limit")
    unknown = "tokens" in read and values["tokens"] == MAX_NUMBER
    uncounted = _uncounted(values, read)
    asking = TASKS_SAID.get(str(values["task"]), "") if "task" in read else ""
    text = f"{asking}{marker}\n{text}\n{LONG if uncounted else ''}"
    if "complexity" in read:
        several = (messages,) if "messages" in read else (messages, 257)
        grown = _as_complex(matrix, values, text, endpoint, several)
        if isinstance(grown, Impossible):
            return grown
        text, messages = grown
    wanted = Wanted(endpoint, str(values["model"]), flags, messages, 64, uncounted or not unknown, text)
    bounds = _wanted_numbers(matrix, values, read)
    weighed = (body_of(wanted), 4096) if uncounted else _weighed(wanted, read, bounds)
    if isinstance(weighed, Impossible):
        return weighed
    body, reserve = weighed
    if fixed:
        body["messages"][-1]["name"] = fixed  # type: ignore[index]
    reading = read_request(EndpointName(endpoint), body)
    assert reading.refused is None, reading.refused
    missing = sorted(
        f for f in FLAGS if f in read and (f in {x.value for x in reading.flags}) != (f in flags)
    )
    if missing:
        return Impossible(f"no body for `{endpoint}` asks for {', '.join(missing)}")
    return json.dumps(body).encode(), reserve


def _as_complex(
    matrix: Matrix, values: Mapping[str, Value], text: str, endpoint: str, messages: tuple[int, ...]
) -> tuple[str, int] | Impossible:
    """The text with as much code and as many blanks, and one of these numbers of messages, that bring its request where the
    witness is. Lines of code come before blanks, because only the beginning of a conversation is looked through for them."""
    low, high = next(
        a.bounds(a.atom_of(values["complexity"]))
        for a in matrix.axes
        if isinstance(a, NumberAxis) and a.feature == "complexity"
    )
    for number, code, blanks in product(messages, (0, 512, 4608), (0, 4096, 65_536, 270_000)):
        grown = f"{text}\n{CODE_LINE * (code // len(CODE_LINE))}{' ' * blanks}"
        reading = read_request(
            EndpointName(endpoint), body_of(Wanted(endpoint, "", frozenset(), number, 64, True, grown))
        )
        dialogue = dialogue_of(endpoint, reading)
        if low <= complexity_of(dialogue, reading, code_in(dialogue.sample)[0]) <= high:
            return grown, number
    return Impossible("a text alone is not so complex")


_Bounds = tuple[int, int]


def _wanted_numbers(
    matrix: Matrix, values: Mapping[str, Value], read: frozenset[str]
) -> Mapping[str, _Bounds]:
    """The numbers that are as good as the witness', for each of the three that depend on each other."""
    bounds = dict.fromkeys(COUNTED, (0, MAX_NUMBER))
    for axis in matrix.axes:
        if isinstance(axis, NumberAxis) and axis.feature in bounds and axis.feature in read:
            bounds[axis.feature] = axis.bounds(axis.atom_of(values[axis.feature]))
    return bounds


def _weighed(
    wanted: Wanted, read: frozenset[str], bounds: Mapping[str, _Bounds]
) -> tuple[dict[str, object], int] | Impossible:
    """The body with as much text and as long an answer as the numbers ask for, and the reserve for the answer."""
    if read.isdisjoint(COUNTED):
        return body_of(wanted), 4096
    tokens, answer, needed = (bounds[name] for name in COUNTED)
    if wanted.endpoint in {"embeddings", "count_tokens"}:
        if answer[0] > 0:
            return Impossible("an embedding and a count have no answer")
        answer = (0, 0)
    prompt = _tokens_of(wanted)
    if prompt is None:
        if MAX_NUMBER not in (tokens[1], needed[1]) or tokens[1] < MAX_NUMBER or needed[1] < MAX_NUMBER:
            return Impossible("what cannot be counted is unknown, and not few")
        prompt = MAX_NUMBER
    if prompt > tokens[1]:
        return Impossible("a request with words has more tokens")
    least = needed[0] - answer[1] if answer[1] < MAX_NUMBER else 0
    more = max(0, tokens[0] - prompt, least - prompt)
    if more:
        wanted = Wanted(*_longer(wanted, more))
        prompt = _tokens_of(wanted) or 0
        if not tokens[0] <= prompt <= tokens[1]:
            return Impossible("no text has exactly so many tokens")
    low, high = (
        max(answer[0], needed[0] - prompt, 0),
        min(answer[1], MAX_NUMBER - 1, _room(needed[1], prompt)),
    )
    if low <= high:
        return body_of(Wanted(*_answering(wanted, low))), 4096
    if answer[1] == MAX_NUMBER and needed[0] <= MAX_NUMBER and _room(needed[1], prompt) >= 0:
        return body_of(Wanted(*_answering(wanted, None))), max(0, needed[0] - prompt)
    return Impossible("a request with words needs a longer context")


def _room(most: int, prompt: int) -> int:
    """How long an answer may be; unknown is as good as anything above."""
    return MAX_NUMBER if most == MAX_NUMBER else most - prompt


def _answering(
    wanted: Wanted, answer: int | None
) -> tuple[str, str, frozenset[str], int, int | None, bool, str]:
    w = wanted
    return w.endpoint, w.model, w.flags, w.messages, answer, w.countable, w.text


def _longer(wanted: Wanted, more: int) -> tuple[str, str, frozenset[str], int, int | None, bool, str]:
    w = wanted
    return w.endpoint, w.model, w.flags, w.messages, w.answer, w.countable, w.text + " a" * more


def _tokens_of(wanted: Wanted) -> int | None:
    """The prompt's tokens as the sidecar would count them; None where it cannot."""
    reading = read_request(EndpointName(wanted.endpoint), body_of(wanted))
    if not reading.countable:
        return None
    return reading.extra_tokens + TokenCounter().count_till_limit(reading.prompt, MAX_NUMBER)
