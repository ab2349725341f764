"""Every witness that a proof prints is a line that reads back to the witness itself."""

from hypothesis import HealthCheck, given, settings

from policyd.engine.matrix import Matrix, build_matrix
from policyd.policy.program import Program
from policyd.policy.written import given_text
from policyd.proofs.prove import prove
from policyd.trials.given import read_line, request_from
from tests.strategies.programs import programs


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_a_witness_reads_back_to_itself(program: Program) -> None:
    matrix = build_matrix(program)
    assert isinstance(matrix, Matrix)
    for finding in prove(program, matrix).findings:
        for witness in (finding.witness, finding.twin):
            if witness is None:
                continue
            read = read_line(program, given_text(witness.given))
            assert read.diagnostics == ()
            assert request_from(program, read.values) == witness.request
