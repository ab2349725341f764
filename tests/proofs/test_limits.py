"""What a proof does where a question is too large, too deep, or about nested includes."""

from policyd.engine.matrix import Matrix, build_matrix
from policyd.policy.program import Program
from policyd.proofs.assertions import check_assertion
from policyd.proofs.case import open_case
from policyd.proofs.find import Budget
from policyd.proofs.prove import prove
from policyd.resolve.load import load_text

NESTED = """edition 1
target a {{ location on_prem context 64k speaks chat }}
target c {{ location cloud context 64k speaks chat }}
include "x.policy" scope team != "q"{order}
include "y.policy" scope team != "z"
route rest to a
otherwise reject "no"
"""
FILES = {
    "x.policy": 'edition 1\ninclude "xi.policy" scope team != "w"\n',
    "xi.policy": "edition 1\nroute to_a to a\n",
    "y.policy": "edition 1\nroute to_c to c\n",
}


def program_of(text: str, files: dict[str, str] | None = None) -> Program:
    loaded = load_text(text, files=files)
    assert loaded.program is not None, loaded.diagnostics
    return loaded.program


def codes(program: Program, budget: Budget | None = None) -> list[str]:
    matrix = build_matrix(program)
    assert isinstance(matrix, Matrix)
    return [f.code for f in prove(program, matrix, budget).findings]


def deep(size: int) -> str:
    """As many targets, guards and routes, each in the way of the next."""
    lines = ["edition 1"]
    for i in range(size):
        lines.append(f"target t{i} {{ location cloud context 1M speaks chat }}")
        lines.append(f'guard g{i} forbid target == t{i} when findings contains "f{i}" because "x"')
        lines.append(f"route r{i} to t{i}")
    lines += [
        'otherwise reject "no"',
        "assert served never rejected when endpoint == chat and context_needed <= 1M and not tools and not images and not json and not reasoning and not server_tools and not stored and not remote_content",
    ]
    return "\n".join(lines) + "\n"


def test_a_question_that_nests_too_deeply_is_not_proved_and_never_a_crash() -> None:
    # Only a request with all 400 findings is rejected, and the search for it goes a level deeper for each.
    program = program_of(deep(400))
    matrix = build_matrix(program)
    assert isinstance(matrix, Matrix)
    finding = check_assertion(
        open_case(program, matrix, Budget(nodes=100_000, seconds=20.0)), program.assertions[0]
    )
    assert finding is not None
    assert finding.code in {"PD301", "PD302"}


def test_without_a_budget_nothing_is_proved() -> None:
    program = program_of(deep(3))
    matrix = build_matrix(program)
    assert isinstance(matrix, Matrix)
    report = prove(program, matrix, Budget(nodes=0))
    assert report.proved == ()
    assert "PD302" in {f.code for f in report.findings}
    assert report.refuses_to_serve


def test_includes_inside_includes_conflict_unless_the_outer_ones_are_in_order() -> None:
    assert "PD308" in codes(program_of(NESTED.format(order=""), FILES))
    assert "PD308" not in codes(program_of(NESTED.format(order=" before y"), FILES))


def test_an_assertion_about_nothing_is_told() -> None:
    text = deep(2) + "assert odd never location == on_prem when hour == 3\n"
    assert "PD310" in codes(program_of(text))


def test_only_the_first_route_of_a_file_speaks_for_it() -> None:
    """The second route of `y` differs from `x`, and never decides: the first one takes every request, and agrees."""
    files = {
        "x.policy": "edition 1\nroute to_a to a\n",
        "y.policy": "edition 1\nroute first to a\nroute second to c\n",
    }
    assert "PD308" not in codes(program_of(NESTED.format(order=""), files))
    files["y.policy"] = "edition 1\nroute first to a when opaque\nroute second to c\n"
    assert "PD308" in codes(program_of(NESTED.format(order=""), files))
