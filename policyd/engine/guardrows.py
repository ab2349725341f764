"""Very many guards on one set of candidates: looked up in rows instead of tried one after the other.

The same contract as `guarding.guard_function`, for the case that it gives up: every guard has a bit, cheap features are
ANDed at once, and a costly feature is asked for only while a guard that reads it can remove a candidate that is left.
"""

from collections.abc import Sequence

from policyd.engine.guarding import Firing
from policyd.engine.rowsource import row_source
from policyd.engine.source import Writer

__all__ = ["wide_guard_function"]


def wide_guard_function(writer: Writer, firing: Sequence[Firing], whole: int, tail: str) -> str:
    """The function's name. A guard with several boxes has as many bits; they are folded into one before the lookup."""
    clauses = [(guard, box) for guard, f in enumerate(firing) for box in f.boxes]
    rows = row_source(writer, [box for _, box in clauses])
    owner = writer.value(tuple(guard for guard, _ in clauses))
    hits = writer.value(tuple(firing[guard].hits for guard, _ in clauses))
    costly = sum(1 << i for i, need in enumerate(rows.need) if need)
    everything = writer.value((1 << len(clauses)) - 1)
    body = [
        f"r = {' & '.join([everything, *rows.cheap])}",
        f"y = r & {writer.value(costly)}",
        "x = r ^ y",
        "m = 0",
        f"c = {whole}",
        "while x:",
        "    i = x.bit_length() - 1",
        "    x ^= 1 << i",
        f"    m |= 1 << {owner}[i]",
        f"    c &= ~{hits}[i]",
    ]
    if rows.costly:
        body += [
            "got = 0",
            "while y:",
            "    i = y.bit_length() - 1",
            f"    if c & {hits}[i]:",
            f"        k = {writer.value(rows.need)}[i] & ~got",
            "        if k:",
            *(line.replace("m &= ", "y &= ") for line in rows.fetch("            ")),
            "            continue",
            f"        m |= 1 << {owner}[i]",
            f"        c &= ~{hits}[i]",
            "    y ^= 1 << i",
        ]
    body.append(f"return {tail}")
    return writer.function("guards", "v, P", body)
