"""ClassBench filter sets as policies: five number features, one route per filter, the first match decides.

In comes the path of a filter set (lines `@src/len dst/len lo : hi lo : hi proto/mask …`), out comes a `Program` whose
routes are the filters in order. Packet classification is the same question as routing, with rules that share nothing.
"""

from pathlib import Path
from random import Random

from policyd.policy.condition import TRUE, Condition, InRange, both
from policyd.policy.program import (
    Feature,
    Group,
    Member,
    NumberDomain,
    Otherwise,
    Program,
    Provenance,
    Route,
    Target,
    Unknown,
    Where,
)
from policyd.policy.request import Request
from policyd.text.diagnostic import Severity

__all__ = ["packets", "read_filters"]

_HIGHS = {
    "source": 2**32 - 1,
    "destination": 2**32 - 1,
    "source_port": 65_535,
    "destination_port": 65_535,
    "protocol": 255,
}
FEATURES = tuple(
    Feature(name, NumberDomain(0, high), Provenance.ATTESTED, Where("identity", name), Unknown.REJECT)
    for name, high in _HIGHS.items()
)


def read_filters(path: Path) -> Program:
    """The filter set as a policy with a default."""
    routes = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        if line.startswith("@"):
            routes.append(Route(f"r{number}", (Group("order", (Member(f"t{number % 8}"),)),), _filter(line)))
    routes.append(Route("rest", (Group("order", (Member("t0"),)),), TRUE))
    targets = tuple(Target(f"t{i}", ()) for i in range(8))
    return Program(FEATURES, (), targets, (), (), tuple(routes), Otherwise("no filter", 403, Severity.NOTE))


def _filter(line: str) -> Condition:
    source, destination, source_port, destination_port, protocol, *_ = line[1:].rstrip("\t").split("\t")
    ranges = [
        _prefix(source),
        _prefix(destination),
        _ports(source_port),
        _ports(destination_port),
        _protocol(protocol),
    ]
    tests = (
        InRange(name, *bounds)
        for (name, high), bounds in zip(_HIGHS.items(), ranges, strict=True)
        if bounds != (0, high)
    )
    return both(*tests)


def _prefix(text: str) -> tuple[int, int]:
    address, length = text.split("/")
    number = 0
    for part in address.split("."):
        number = number << 8 | int(part)
    size = 1 << 32 - int(length)
    low = number // size * size
    return low, low + size - 1


def _ports(text: str) -> tuple[int, int]:
    low, high = text.split(":")
    return int(low), int(high)


def _protocol(text: str) -> tuple[int, int]:
    value, mask = (int(part, 16) for part in text.split("/"))
    return (value, value) if mask == 255 else (0, 255)


def packets(program: Program, count: int, seed: int = 1) -> list[Request]:
    """Packets, most of them inside some filter."""
    random = Random(seed)
    out = []
    for _ in range(count):
        values = {name: random.randint(0, high) for name, high in _HIGHS.items()}
        condition = random.choice(program.routes).condition
        for test in getattr(condition, "operands", (condition,)):
            if isinstance(test, InRange):
                values[test.feature] = random.choice(
                    (test.low, test.high, random.randint(test.low, test.high))
                )
        out.append(Request(dict(values)))
    return out
