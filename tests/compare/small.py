"""Policies in text, for what is easier to read that way."""

from policyd.compare.difference import Difference, compare
from policyd.policy.program import Program
from policyd.resolve.load import load_text

__all__ = ["BASE", "difference", "program"]

BASE = """\
edition 1

level sensitivity { internal < confidential }
string team from identity unknown reject
string project from header "x-project" unknown "none"
enum latency { interactive, batch } from header "x-latency" unknown interactive
int  risk 0..9 from deployment unknown 9

classify sensitivity {
    starts at internal
    at least header "x-data-class"
    at least confidential when opaque or findings contains "secret"
}

target local { location on_prem context 32k speaks chat supports tools, json }
target cloud { location cloud context 128k retention 30 days speaks chat supports tools, images, json, reasoning }

guard stays_home only location == on_prem when sensitivity >= confidential because "confidential stays home"
deny tired when hour in 22..23 status 429 because "the machines rest"

route batch to local when latency == batch
route long to cloud when context_needed > 32k
route rest to cloud, local
otherwise reject "no model may take this"

assert confidential_stays_home never location == cloud when sensitivity >= confidential
"""


def program(text: str) -> Program:
    loaded = load_text(text, "a.policy")
    assert loaded.program is not None, loaded.diagnostics
    return loaded.program


def difference(old: str, new: str, **more: object) -> Difference:
    found = compare(program(old), program(new), **more)  # type: ignore[arg-type]
    assert isinstance(found, Difference)
    return found
