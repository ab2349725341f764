"""Whether every feature that a policy reads has a source in this deployment.

In: a checked program and a deployment. Out: one diagnostic for each feature without a source, or with a value outside
its domain. A feature whose source cannot exist would be unknown for ever, and the proofs would be about nothing.
"""

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Final, assert_never

from policyd.deploy.author import Pointing
from policyd.deploy.headers import RESERVED
from policyd.deploy.model import (
    ApiKeyIdentity,
    Conversations,
    Deployment,
    HopIdentity,
    JwtIdentity,
    LoopbackIdentity,
    MtlsIdentity,
    OneIdentity,
    SeveralIdentities,
)
from policyd.policy.condition import features_of
from policyd.policy.program import Feature, NumberDomain, Program
from policyd.policy.request import Inadmissible, admit_value
from policyd.text.diagnostic import Diagnostic, Severity

__all__ = ["check_features"]

_READ: Final = "the policy reads it here"


def _can_tell_languages() -> bool:
    return find_spec("py3langid") is not None


def _read_by(program: Program) -> frozenset[str]:
    """The features that the policy's rules read."""
    conditions = [line.when for level in program.levels for line in level.starts]
    conditions += [line.when for level in program.levels for line in level.raises]
    conditions += [guard.condition for guard in program.guards]
    conditions += [deny.condition for deny in program.denies]
    conditions += [route.condition for route in program.routes]
    split = {group.by for route in program.routes for group in route.groups if group.by is not None}
    return frozenset(split).union(*(features_of(condition) for condition in conditions))


def check_features(
    program: Program, deployment: Deployment, pointing: Pointing, *, languages: bool | None = None
) -> Iterable[Diagnostic]:
    """`languages`: whether what tells languages is installed; None to look."""
    if "language" in _read_by(program) and not (_can_tell_languages() if languages is None else languages):
        message = "the policy reads `language`, and what tells languages is not installed"
        cure = "pip install 'policyd[language]', here and wherever the policy is served"
        yield pointing.at(("policy",), "PD238", message, help=cure)
    given = dict(deployment.features)
    claims = _claims(deployment)
    read: set[str] = set()
    for feature in program.features:
        key = feature.where.key
        match feature.where.kind:
            case "deployment":
                read.add(key)
                yield from _from_deployment(feature, given, pointing)
            case "identity" if key not in claims:
                message = (
                    f"`{feature.name}` comes from the identity's claim `{key}`, which no identity here has"
                )
                cure = f'add `{key} = "…"` to `[identity]` or its keys, or remove the feature'
                yield pointing.at(
                    ("identity",), "PD527", message, help=cure, policy=feature.span, beside=_READ
                )
            case "header" | "label":
                yield from _from_header(feature)
            case _:
                pass
    if deployment.conversations != Conversations() and not any(
        f.where.kind == "conversation" for f in program.features
    ):
        yield pointing.at(
            ("conversations",),
            "PD564",
            "nothing is remembered of conversations: no level of the policy asks for it",
            help="add `at least conversation` to a `classify`, or remove the table",
            severity=Severity.WARNING,
        )
    for key in sorted(set(given) - read):
        message = f"`[features]` gives `{key}`, which the policy does not read"
        cure = "a misspelt key here leaves a feature unknown"
        yield pointing.at(("features", key), "PD526", message, help=cure, severity=Severity.WARNING)


def _claims(deployment: Deployment) -> frozenset[str]:
    """What any caller could turn out to have. A caller without it has the feature unknown, which the policy says a word
    about."""
    identity = deployment.identity
    ways = identity.ways if isinstance(identity, SeveralIdentities) else (identity,)
    return frozenset(name for way in ways for name in _claims_of(way))


def _claims_of(way: OneIdentity) -> Iterable[str]:
    match way:
        case LoopbackIdentity(claims):
            yield from (name for name, _ in claims)
        case ApiKeyIdentity(keys):
            yield from (name for key in keys for name, _ in key.claims)
        case JwtIdentity():
            yield from (name for name, _ in way.claims)
        case MtlsIdentity() | HopIdentity():
            yield from (name for name, _ in way.claims)
            yield from (name for known in way.names for name, _ in known.claims)
        case _:
            assert_never(way)


def _from_deployment(
    feature: Feature, given: dict[str, str | int | bool], pointing: Pointing
) -> Iterable[Diagnostic]:
    key = feature.where.key
    if key not in given:
        message = f"`{feature.name}` comes from the deployment, which does not say `{key}`"
        cure = f"add `{key}` to `[features]`"
    elif said := _outside(feature, given[key]):
        message = f"the deployment's {said}"
        cure = f"correct `{key}` in `[features]`"
    else:
        return
    yield pointing.at(("features", key), "PD526", message, help=cure, policy=feature.span, beside=_READ)


def _outside(feature: Feature, value: str | int | bool) -> str:
    """What is wrong with the value, or nothing. A number is not moved into its domain, as one that was measured is."""
    if isinstance(feature.domain, NumberDomain) and isinstance(value, int) and not isinstance(value, bool):
        low, high = feature.domain.low, feature.domain.high
        return (
            ""
            if low <= value <= high
            else f"`{feature.name}` is {value}, which is not one of: {low} to {high}"
        )
    admitted = admit_value(feature, value)
    return admitted.message if isinstance(admitted, Inadmissible) else ""


def _from_header(feature: Feature) -> Iterable[Diagnostic]:
    header = feature.where.key.lower()
    if header in RESERVED or header.startswith("x-policyd-"):
        message = (
            f"`{feature.name}` is read from the header `{header}`, which a caller cannot set for a policy"
        )
        cure = "choose a header of your own, like `x-data-class`"
        yield Diagnostic("PD528", Severity.ERROR, message, feature.span, help=cure)
