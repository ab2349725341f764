"""What `policyd check` says of levels that loosen upwards, budgets, exceptions, targets and tests, with its exit code; and
that the witness is one that `policyd explain` accepts."""

import re
from pathlib import Path

import pytest

from tests.cli.conftest import CLEAN, GUARD, ROUTES, TESTS, VOCABULARY, Run

BUDGET = "budget month $4000 per month by team\n"
CLEARANCE = "level clearance { low < mid < high } from identity unknown reject\n"
EXCEPTION = 'except pilot to stays_home when team == "lab" until 2098-12-31 owner "ciso" because "a pilot"\n'
OVERRIDABLE = CLEAN.replace(
    'because "confidential stays home"', 'overridable by "ciso" because "confidential stays home"'
)
REDACTING = "".join(
    (
        VOCABULARY.replace("{", "{{").replace("}", "}}"),
        GUARD,
        'route cleaned to cloud with redact(secret){} when team == "lab"',
        ROUTES,
        TESTS.replace("{", "{{").replace("}", "}}"),
    )
)
UNGUARDED = REDACTING.replace(GUARD, "").format("").replace(TESTS, "")
IDLE = 'test "nothing of this" given { team "search", endpoint embeddings } expect rejected\n'


@pytest.mark.parametrize(
    ("text", "code", "exit_code"),
    [
        pytest.param(
            CLEAN.replace('team "search",', 'team "search", clearance low,')
            + CLEARANCE + 'guard mids forbid target == cloud when clearance == mid because "x"\n',
            "warning[PD313] a higher `clearance`, `high`, allows `cloud`", 1, id="not monotone",
        ),
        pytest.param(CLEAN + BUDGET, "warning[PD315] budget `month` never matters", 1, id="a budget nobody asks for"),
        pytest.param(CLEAN + BUDGET + 'deny spent when exceeded(month) status 429 because "x"\n', "ok, ", 0, id="a budget that matters"),
        pytest.param(OVERRIDABLE.replace("never location == cloud when", 'never location == cloud when team != "lab" and') + EXCEPTION,
                     "note[PD316] exception `pilot` opens `cloud` until 2098-12-31", 0, id="what an exception opens"),
        pytest.param(
            OVERRIDABLE + EXCEPTION + 'guard all_home forbid location == cloud when sensitivity >= confidential because "x"\n',
            "warning[PD317] exception `pilot` opens nothing", 1, id="an exception that opens nothing",
        ),
        pytest.param(
            CLEAN + "target spare { location on_prem context 32k speaks chat }\n",
            "warning[PD318] no request reaches target `spare`: no route names it", 1, id="a target nobody names",
        ),
        pytest.param(CLEAN, "note[PD319] no target speaks `completions`", 0, id="capabilities that are missing"),
        pytest.param(
            CLEAN.replace("speaks chat supports tools, json }", "speaks chat translates messages supports tools, json }"),
            "note[PD324] a `messages` request that cannot be said in `chat` without loss cannot reach `local`", 0,
            id="a target that translates",
        ),
        pytest.param(
            REDACTING.format(" after redaction"),
            "note[PD325] `after redaction` of route `cleaned` opens `cloud` to requests that `stays_home` forbids", 0,
            id="what a redaction opens",
        ),
        pytest.param(
            REDACTING.format(""),
            "warning[PD326] route `cleaned` never takes out `secret`: `stays_home` forbids its targets before", 1,
            id="a redaction that never happens",
        ),
        pytest.param(
            UNGUARDED,
            "warning[PD328] requests from which `cleaned` cannot take `secret` out go to `cloud` via `rest` as they came", 1,
            id="what a redaction leaves",
        ),
        pytest.param(CLEAN + IDLE, 'warning[PD320] test "nothing of this" holds whatever the rules say', 1, id="an idle test"),
    ],
)  # fmt: skip
def test_a_further_finding_its_exit_code_and_its_witness(
    text: str, code: str, exit_code: int, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "main.policy").write_text(text)
    ran = run("check", "main.policy")
    assert code in ran.out
    assert ran.code == exit_code
    for shown in re.findall(r"^(?:  witness|     with): (.*)$", ran.out, re.MULTILINE):
        explained = run("explain", "main.policy", "--given", shown if shown != "the quiet request" else "")
        assert explained.code == 0, explained.err
