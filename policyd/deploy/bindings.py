"""Whether a deployment gives a policy what the policy says: every target's place, every feature's source.

In: a checked program and a deployment. Out: the bound targets that the gate and the pools use, and a diagnostic for
each cause why the two do not fit. A fact is believed only where the binding bears it out: `on_prem` needs an address
that the deployment vouches for and a server that proves itself. What only a running proxy can see (the address a name
turns out to have) becomes the target's `AddressRule`, asked at every connect.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from policyd.deploy.features import check_features
from policyd.deploy.model import AddressRule, Binding, BoundTarget, Deployment, Network
from policyd.policy.builtins import DIALECT_ENDPOINTS
from policyd.policy.program import Program, Target
from policyd.text.diagnostic import Diagnostic, Label, Severity, in_order

__all__ = ["Bound", "bind", "check_bindings"]

_PLACE_FACTS: Final = ("location", "region", "jurisdiction", "retention", "training", "onward")


@dataclass(frozen=True, slots=True)
class Bound:
    """`targets` are those of the policy that have a binding, in the policy's order; meant for use only where no
    diagnostic is an error. `headers` are the lower-case names that the policy reads."""

    targets: tuple[BoundTarget, ...]
    headers: frozenset[str]
    diagnostics: tuple[Diagnostic, ...]


def check_bindings(program: Program, deployment: Deployment) -> tuple[Diagnostic, ...]:
    return bind(program, deployment).diagnostics


def bind(program: Program, deployment: Deployment) -> Bound:
    found: list[Diagnostic] = []
    bound: list[BoundTarget] = []
    for target in program.targets:
        binding = deployment.binding(target.name)
        if binding is None:
            found.append(_unbound(target))
            continue
        found += _check_target(target, binding, deployment.on_prem_networks)
        bound.append(
            BoundTarget(target.name, binding, _address_rule(target, binding, deployment.on_prem_networks))
        )
    found += _without_target(program, deployment)
    found += _shared_places(program, deployment)
    found += _ledger(program)
    found += check_features(program, deployment)
    headers = frozenset(f.where.key.lower() for f in program.features if f.where.kind in ("header", "label"))
    return Bound(tuple(bound), headers, in_order(found))


def _unbound(target: Target) -> Diagnostic:
    message = f"the target `{target.name}` has no place in the deployment"
    return Diagnostic(
        "PD520", Severity.ERROR, message, target.span, help=f"add `[targets.{target.name}]` with its `url`"
    )


def _without_target(program: Program, deployment: Deployment) -> Iterable[Diagnostic]:
    names = {t.name for t in program.targets}
    for binding in deployment.bindings:
        if binding.name not in names:
            message = f"the deployment binds `{binding.name}`, which is no target of the policy"
            yield Diagnostic(
                "PD521",
                Severity.WARNING,
                message,
                None,
                help="it is never used; remove it or declare the target",
            )


def _check_target(target: Target, binding: Binding, networks: tuple[Network, ...]) -> Iterable[Diagnostic]:
    if target.fact("location") == "on_prem":
        yield from _check_on_prem(target, binding, networks)
    elif binding.endpoint.scheme == "http" and not _is_loopback(binding.endpoint.host):
        message = f"the cloud target `{target.name}` would be reached over `http://`, in the clear"
        yield Diagnostic("PD523", Severity.ERROR, message, target.span, help="bind it to an `https://` URL")
    yield from _check_dialects(target, binding)
    if target.fact("onward") is True and binding.model is None:
        message = f"`{target.name}` sends requests onward, and its binding pins no model"
        cure = "set `model`: a server that forwards reads the place from the model's name"
        yield Diagnostic("PD529", Severity.ERROR, message, target.span, help=cure)


def _check_on_prem(target: Target, binding: Binding, networks: tuple[Network, ...]) -> Iterable[Diagnostic]:
    host, scheme = binding.endpoint.host, binding.endpoint.scheme
    if scheme == "unix" or _is_loopback(host):
        return
    address = _literal(host)
    unsafe = f"`{target.name}` says `location on_prem`, but"
    if not networks:
        message = f"{unsafe} `{host}` is in no network that the deployment declares"
        cure = "declare `on_prem_networks`; a private address alone says nothing about where a machine stands"
        yield Diagnostic("PD522", Severity.ERROR, message, target.span, help=cure)
    elif address is not None and not any(address in network for network in networks):
        message = f"{unsafe} `{host}` lies outside `on_prem_networks`"
        yield Diagnostic(
            "PD522", Severity.ERROR, message, target.span, help="correct the URL, the networks or the fact"
        )
    if scheme == "http" and binding.plaintext_because is None:
        message = f"{unsafe} it is reached over `http://`, so any machine on the way could answer for it"
        cure = (
            'use `https://` with `tls = { ca = … }` or a pin, or say why not with `plaintext_because = "…"`'
        )
        yield Diagnostic("PD523", Severity.ERROR, message, target.span, help=cure)
    if scheme == "https" and binding.tls.ca is None and not binding.tls.pins:
        message = f"{unsafe} any public certificate for `{host}` would be believed"
        cure = "set `tls = { ca = … }` with your own authority, or `pin_sha256`"
        yield Diagnostic("PD522", Severity.ERROR, message, target.span, help=cure)


def _check_dialects(target: Target, binding: Binding) -> Iterable[Diagnostic]:
    speaks = target.fact("speaks")
    endpoints = speaks if isinstance(speaks, frozenset) else frozenset()
    for dialect, of_dialect in DIALECT_ENDPOINTS.items():
        spoken = endpoints & of_dialect
        if spoken and dialect not in binding.dialects:
            words = ", ".join(sorted(spoken))
            message = f"`{target.name}` speaks {words}, but its binding does not list the dialect `{dialect}`"
            cure = f'add "{dialect}" to `dialects`, or take {words} out of `speaks`'
            yield Diagnostic("PD524", Severity.ERROR, message, target.span, help=cure)


def _shared_places(program: Program, deployment: Deployment) -> Iterable[Diagnostic]:
    """Two targets at one URL with one model are one server: facts that differ cannot both be true of it. Prices and
    capabilities may be narrowed on purpose, so only facts about where data goes and stays count."""
    seen: dict[tuple[object, ...], Target] = {}
    for target in program.targets:
        binding = deployment.binding(target.name)
        if binding is None:
            continue
        key = (binding.endpoint, binding.model, binding.aliases, binding.credential)
        first = seen.setdefault(key, target)
        differ = sorted(f for f in _PLACE_FACTS if first.fact(f) != target.fact(f))
        if first is not target and differ:
            where = "the same URL, model and credential"
            message = (
                f"`{first.name}` and `{target.name}` are bound to {where} but differ in {', '.join(differ)}"
            )
            labels = (Label(first.span, "the other one"),) if first.span is not None else ()
            cure = "one of them is not true: bind them apart or make them agree"
            yield Diagnostic("PD530", Severity.ERROR, message, target.span, help=cure, labels=labels)


def _ledger(program: Program) -> Iterable[Diagnostic]:
    for budget in program.budgets:
        message = f"`{budget.name}` needs a ledger, which this build does not have"
        cure = "remove it; a limit that is not enforced would only look like one"
        yield Diagnostic("PD525", Severity.ERROR, message, budget.span, help=cure)


def _address_rule(target: Target, binding: Binding, networks: tuple[Network, ...]) -> AddressRule:
    if binding.endpoint.scheme != "unix" and _is_loopback(binding.endpoint.host):
        return AddressRule("loopback")
    if target.fact("location") == "on_prem":
        return AddressRule("networks", networks)
    return AddressRule("any")


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    """`localhost` counts: its rule refuses any other address at the connect."""
    address = _literal(host)
    return host == "localhost" if address is None else address.is_loopback
