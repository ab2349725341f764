"""From a checked program to a function that decides requests.

In comes a `Program`, out comes `Compiled`, or the caps it breaks, or the request on which it failed its self-test.

    matrix = build_matrix(program)      what can match where
    tree   = plan_tree(matrix)          which feature to look at first
    source = leaves, guards, dispatch   flat Python without policy text
    decide = run the source             and compare it with the reference before anyone uses it

`decide` reads a *vector*: an object with one slot per feature. Slots that are cheap to fill are filled; a costly one may
be left empty, and when the decision depends on it Python raises `AttributeError`. The caller asks `need_of` which
feature that was, fills it, and decides again. INVARIANT: a slot holds what `admit` made of the feature's value.
"""

import linecache
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Any, TypeAlias

from policyd.engine.axes import BoolAxis, NameAxis, NumberAxis
from policyd.engine.leaves import LeafWriter
from policyd.engine.matrix import Matrix, build_matrix
from policyd.engine.selftest import self_test
from policyd.engine.source import Writer
from policyd.engine.tree import Branch, Leaf, Node, plan_tree
from policyd.policy.decision import Decision
from policyd.policy.digest import digest
from policyd.policy.program import Program, Value
from policyd.policy.request import Request
from policyd.text.diagnostic import Diagnostic

__all__ = ["Compiled", "Decide", "Vector", "compile_program", "emit"]


class Vector:
    """The base of every policy's vector type: one slot per feature (`f0`, `f1`, … in the program's order)."""

    __slots__ = ()


Decide: TypeAlias = Callable[[Vector], Decision]
Fill: TypeAlias = Callable[[Vector, Mapping[str, Value]], None]


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A policy that is ready to decide."""

    program: Program
    digest: str
    matrix: Matrix = field(repr=False)
    decide: Decide = field(repr=False)
    slots: Mapping[str, str] = field(repr=False)
    """feature to slot"""
    features: Mapping[str, str] = field(repr=False)
    """slot to feature"""
    fill: Fill = field(repr=False)
    """puts what is known of a request's values into a vector"""
    vector_type: type[Vector] = field(repr=False)
    thresholds: Mapping[str, tuple[int, ...]] = field(repr=False)
    """number feature to the values from which on it decides differently: a counter may stop beyond the last"""
    source: str = field(repr=False)

    def vector(self, request: Request) -> Vector:
        """A vector with every slot filled."""
        vector = self.vector_type()
        self.fill(vector, {feature: request.values[feature] for feature in self.slots})
        return vector

    def settled(self, feature: str, low: int, high: int) -> bool:
        """Whether every value of a number feature from `low` to `high` decides alike. A caller that knows such bounds
        cheaply (a prompt has no more tokens than bytes) may put any value between them into the vector, uncounted."""
        if any(g.by == feature for r in self.program.routes for g in r.groups):
            return low == high  # a split hashes the number itself
        cuts = self.thresholds.get(feature, ())
        return bisect_right(cuts, low) == bisect_right(cuts, high)

    def need_of(self, error: AttributeError) -> str:
        """The feature that `decide` asked for. An error of any other origin is raised again."""
        feature = self.features.get(error.name or "") if isinstance(error.obj, Vector) else None
        if feature is None:
            raise error
        return feature


def compile_program(program: Program) -> Compiled | tuple[Diagnostic, ...]:
    """The compiled policy, or why there is none."""
    matrix = build_matrix(program)
    if isinstance(matrix, tuple):
        return matrix
    compiled = emit(matrix)
    return self_test(matrix, lambda request: compiled.decide(compiled.vector(request))) or compiled


def emit(matrix: Matrix) -> Compiled:
    """The policy without its self-test."""
    program = matrix.program
    name = digest(program)
    slots = {f.name: f"f{i}" for i, f in enumerate(program.features)}
    writer = Writer(matrix.axes, slots, f"<policy {name}>")
    leaves = LeafWriter(matrix, writer)
    tree = plan_tree(matrix)
    root = _node(tree, writer, leaves)
    writer.flush()
    decide = writer.namespace[root]
    lines = writer.source.splitlines(keepends=True)
    linecache.cache[writer.filename] = (len(writer.source), None, lines, writer.filename)
    vector_type = type("PolicyVector", (Vector,), {"__slots__": tuple(slots.values())})
    return Compiled(
        program=program,
        digest=name,
        matrix=matrix,
        decide=decide,  # type: ignore[arg-type]
        slots=MappingProxyType(slots),
        features=MappingProxyType({slot: feature for feature, slot in slots.items()}),
        fill=_filling(slots),
        vector_type=vector_type,
        thresholds=MappingProxyType(_thresholds(matrix)),
        source=writer.source,
    )


def _filling(slots: Mapping[str, str]) -> Fill:
    """Written out, a line for each feature: every request is put into a vector, and `setattr` is four times as slow."""
    lines = ["def fill(vector, values):", "    get = values.get"]
    for feature, slot in slots.items():
        lines += [
            f"    value = get({feature!r}, MISSING)",
            f"    if value is not MISSING: vector.{slot} = value",
        ]
    namespace: dict[str, Any] = {"MISSING": object()}
    exec("\n".join(lines), namespace)
    fill: Fill = namespace["fill"]
    return fill


def _thresholds(matrix: Matrix) -> dict[str, tuple[int, ...]]:
    """Starts of atoms that some rule tells from the atom before; constants of assertions alone are none."""
    deciding = matrix.every & ~matrix.relations
    found = {}
    for axis, rows in zip(matrix.axes, matrix.rows, strict=True):
        if isinstance(axis, NumberAxis):
            steps = zip(axis.starts[1:], pairwise(rows), strict=True)
            found[axis.feature] = tuple(at for at, (below, above) in steps if (below ^ above) & deciding)
    return found


def _node(node: Node, writer: Writer, leaves: LeafWriter) -> str:
    """The name of the node's function."""
    if isinstance(node, Leaf):
        return leaves.leaf(node)
    assert isinstance(node, Branch)
    names = [_node(child, writer, leaves) for child in node.children]
    axis = writer.axes[node.axis]
    if isinstance(axis, BoolAxis | NameAxis):
        test = writer.test(node.axis, 2)
        no, yes = (names[g] for g in node.group)
        return writer.function("branch", "v", [f"return {yes}(v) if {test} else {no}(v)"])
    writer.flush()
    functions = [writer.namespace[n] for n in names]
    stretches: list[tuple[int, object]] = []
    for atom, group in enumerate(node.group):
        if not stretches or stretches[-1][1] is not functions[group]:
            stretches.append((atom, functions[group]))
    return writer.function("branch", "v", [f"return {writer.table(node.axis, tuple(stretches))}(v)"])
