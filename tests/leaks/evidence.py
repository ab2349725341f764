"""What a planted leak comes to: what names it, what arrives with the check switched off, what the real sidecar does.

In comes a policy's name; out goes an `Evidence` for each plant in it, every part of it observed. The requests are the
witnesses that `policyd check` prints, or `policyd diff` where no check can know.
"""

import asyncio
import io
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from policyd.cli.main import main
from policyd.engine.matrix import Matrix, build_matrix
from policyd.pipeline import Checked, check_policy
from policyd.policy.decision import Plan
from policyd.policy.program import Program
from policyd.policy.request import Request
from policyd.policy.written import given_text
from policyd.proofs.changes import Shown as Change
from policyd.proofs.changes import changes, show, show_loosened
from policyd.proofs.together import Together, put_together
from policyd.text.diagnostic import Severity
from policyd.trials.given import read_line, request_from
from tests.leaks.asking import Asked, asked_from
from tests.leaks.plants import PLANTS, Plant, files_of
from tests.leaks.real import Reloaded, refused_with_a_provider, reloaded, written
from tests.leaks.replaying import Unlike, explained, replay, shown_by
from tests.leaks.unchecked import Servers, Told, ask_all, servers

__all__ = ["TODAY", "Evidence", "changes_of", "evidence_of", "shipped"]

TODAY: Final = date(2026, 11, 20)


@dataclass(frozen=True, slots=True)
class Evidence:
    """`found`: the codes of all errors and warnings of `policyd check`, the one that names the plant first. `line`: the
    request. `arrived`: the targets that got its very bytes with the check switched off, in order; `before` the same for the policy
    as it ships. `real`: what the real sidecar made of it. `diffed`: the exit code of `policyd diff`, where it was asked.
    `unlike`: witnesses of new findings that no request is like; the others were replayed."""

    plant: Plant
    found: tuple[str, ...]
    line: str | None
    down: frozenset[str]
    arrived: tuple[str, ...]
    before: tuple[str, ...]
    real: Reloaded
    diffed: int | None
    unlike: tuple[Unlike, ...]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A planted policy as the commands see it, and a request that shows the leak with the targets that have to be down
    for it; without a request where the policy does not even load."""

    plant: Plant
    root: Path
    checked: Checked
    found: tuple[str, ...]
    line: str | None
    asked: Asked | None
    down: frozenset[str]
    diffed: int | None


@cache
def shipped(policy: str) -> Checked:
    """The policy without a plant."""
    with TemporaryDirectory() as folder:
        return check_policy(written(Path(folder), files_of(policy)), today=TODAY)


@cache
def evidence_of(policy: str) -> tuple[Evidence, ...]:
    """Of every plant in the policy."""
    with TemporaryDirectory() as folder:
        return asyncio.run(_evidence(Path(folder), policy))


async def _evidence(folder: Path, policy: str) -> tuple[Evidence, ...]:
    program = shipped(policy).program
    assert program is not None
    plants = [p for p in PLANTS if p.policy == policy]
    seen = [_look(folder / f"planted{n}", plant) for n, plant in enumerate(plants)]
    targets = [t.name for t in program.targets]
    async with asyncio.timeout(110), servers(targets) as running:
        unlike = [await _witnesses_replayed(folder, running, one) for one in seen]
        arrived = await _without_the_check(folder, running, program, seen)
        real = await reloaded(folder / "real", running, [(s.plant, s.asked, s.down) for s in seen])
    for number, one in enumerate(seen):
        if one.plant.by == "deployment":
            refused = refused_with_a_provider(folder / f"provider{number}", one.plant, targets)
            real[number] = replace(real[number], refused=refused, arrived=(), status=None)
    return tuple(
        Evidence(s.plant, s.found, s.line, s.down, *a, r, s.diffed, u)
        for s, a, r, u in zip(seen, arrived, real, unlike, strict=True)
    )


def _look(folder: Path, plant: Plant) -> _Seen:
    """What `policyd check`, and where that cannot know, `policyd diff` say; and a request that shows it."""
    folder.mkdir()
    root = written(folder / "planted", files_of(plant.policy, plant))
    checked = check_policy(root, today=TODAY)
    worse = [d for d in checked.diagnostics if d.severity is not Severity.NOTE]
    if plant.by not in {"deployment", "diff"}:
        named = [d for d in worse if d.code == plant.code and plant.subject in (d.subject or d.message)]
        assert named, (plant.name, worse)
        assert all(d.span is not None for d in named), plant.name
    codes = {d.code for d in worse}
    found = (*sorted(codes & {plant.code}), *sorted(codes - {plant.code}))
    diffed = None
    if plant.by in {"deployment", "diff"}:
        with redirect_stdout(io.StringIO()):
            diffed = main(("diff", str(written(folder / "shipped", files_of(plant.policy))), str(root)))
    if checked.program is None:
        return _Seen(plant, root, checked, found, None, None, frozenset(), diffed)
    line, program, request, targets = _request(plant, checked)
    asked = _asked(program, plant, request)
    down = frozenset(targets[: targets.index(plant.target)]) if plant.target in targets else frozenset()
    return _Seen(plant, root, checked, found, line, asked, down, diffed)


def _request(plant: Plant, checked: Checked) -> tuple[str, Program, Request, Sequence[str]]:
    """A request that the planted policy lets go to the plant's target, with the program whose features it has, and the
    targets of its plan."""
    program, before = checked.program, shipped(plant.policy).program
    assert program is not None and before is not None
    if plant.by == "nothing leaks":
        request = request_from(program, read_line(program, plant.given).values)
        assert isinstance(request, Request), request
        return plant.given, program, request, ()
    if plant.by == "check":
        for one in shown_by(checked.findings):
            decision, finding = one.witness.decision, one.finding
            named = (finding.code, finding.subject) == (plant.code, plant.subject)
            if named and isinstance(decision, Plan) and plant.target in decision.targets:
                return one.line, program, one.witness.request, decision.targets
    together = put_together(before, program)
    assert isinstance(together, Together), together
    for change in changes_of(together):
        if _newly(change, plant.target):
            assert isinstance(change.after, Plan)
            # What the planted policy no longer looks at is in the request all the same.
            return given_text(change.given), together.program, change.request, change.after.targets
    raise AssertionError(f"nothing shows {plant.name}")


def changes_of(together: Together) -> Iterator[Change]:
    """Every request that `policyd diff` could show, one after the other."""
    found = changes(together)
    assert not found.unfinished
    for change in found.pairs:
        for number in range(len(change.kinds)):
            yield show(together, change, number)
    for loosened in found.loosened:
        yield show_loosened(together, loosened)


def _newly(change: Change, target: str) -> bool:
    before = change.before.targets if isinstance(change.before, Plan) else ()
    return isinstance(change.after, Plan) and target in change.after.targets and target not in before


def _asked(program: Program, plant: Plant, request: Request) -> Asked:
    matrix = build_matrix(program)
    assert isinstance(matrix, Matrix)
    asked = asked_from(program, matrix, request, marker="marked: this must not leave")
    assert isinstance(asked, Asked), (plant.name, asked)
    return asked if plant.caller is None else replace(asked, claims=plant.caller)


async def _witnesses_replayed(folder: Path, running: Servers, seen: _Seen) -> tuple[Unlike, ...]:
    """Every witness that the policy without the plant does not have, by a sidecar, and by `explain` what is more than a
    note or says what an exception opens: notes of the policy as it ships are explained elsewhere."""
    program = seen.checked.program
    if program is None:
        return ()
    known = {(s.label, s.witness.decision) for s in shown_by(shipped(seen.plant.policy).findings)}
    fresh = [s for s in shown_by(seen.checked.findings) if (s.label, s.witness.decision) not in known]
    told = {s.line: s for s in fresh if s.finding.severity is not Severity.NOTE or s.finding.code == "PD316"}
    # `explain` answers for no policy that has errors of its own.
    for one in told.values() if seen.plant.by != "loading" else ():
        explained(seen.root, one)
    return await replay(folder, program, running, [s.case for s in fresh])


async def _without_the_check(
    folder: Path, running: Servers, program: Program, seen: Sequence[_Seen]
) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """For each plant, which targets got the very bytes, by the planted policy and by the one that ships."""
    requests = [(one.asked, one.down) for one in seen if one.asked is not None]
    before = iter(await ask_all(folder, program, running, requests))
    out: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    for one in seen:
        if one.asked is None:
            out.append(((), ()))
            continue
        assert one.checked.program is not None
        (planted,) = await ask_all(folder, one.checked.program, running, [(one.asked, one.down)])
        out.append((_exact(one.asked, planted), _exact(one.asked, next(before))))
    return out


def _exact(asked: Asked, told: Told) -> tuple[str, ...]:
    assert all(a.body == asked.body and a.path == asked.path.encode() for a in told.arrived)
    return tuple(a.target for a in told.arrived)
