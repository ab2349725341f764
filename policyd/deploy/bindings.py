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

from policyd.deploy.author import Author, Pointing
from policyd.deploy.detectors import check_findings
from policyd.deploy.features import check_features
from policyd.deploy.model import AddressRule, Binding, BoundTarget, Deployment, Network
from policyd.deploy.onward import unsaid
from policyd.policy.builtins import DIALECT_ENDPOINTS
from policyd.policy.program import Program, Target
from policyd.text.diagnostic import Diagnostic, Severity, in_order

__all__ = ["Bound", "bind", "check_bindings"]

_DECLARED: Final = "the policy declares it here"
_PLACE_FACTS: Final = ("location", "region", "jurisdiction", "retention", "training", "onward")


@dataclass(frozen=True, slots=True)
class Bound:
    """`targets` are those of the policy that have a binding, in the policy's order; meant for use only where no
    diagnostic is an error. `headers` are the lower-case names that the policy reads."""

    targets: tuple[BoundTarget, ...]
    headers: frozenset[str]
    diagnostics: tuple[Diagnostic, ...]


def check_bindings(
    program: Program, deployment: Deployment, author: Author | None = None
) -> tuple[Diagnostic, ...]:
    return bind(program, deployment, author).diagnostics


def bind(program: Program, deployment: Deployment, author: Author | None = None) -> Bound:
    """`author` knows the places in the deployment file; without it diagnostics point at the policy."""
    pointing = Pointing(author)
    found: list[Diagnostic] = []
    bound: list[BoundTarget] = []
    for target in program.declared:
        binding = deployment.binding(target.name)
        if binding is None:
            found.append(_unbound(target, pointing))
            continue
        found += _check_target(target, binding, deployment.on_prem_networks, pointing)
        bound.append(
            BoundTarget(target.name, binding, _address_rule(target, binding, deployment.on_prem_networks))
        )
    found += _without_target(program, deployment, pointing)
    found += _shared_places(program, deployment, pointing)
    found += _ledger(program)
    found += check_features(program, deployment, pointing)
    found += check_findings(program, deployment, pointing)
    headers = frozenset(f.where.key.lower() for f in program.features if f.where.kind in ("header", "label"))
    return Bound(tuple(bound), headers, in_order(found))


def _unbound(target: Target, pointing: Pointing) -> Diagnostic:
    message = f"the target `{target.name}` has no place in the deployment"
    cure = f"add `[targets.{target.name}]` with its `url`"
    path = ("targets", target.name)
    return pointing.at(path, "PD520", message, help=cure, policy=target.span, beside=_DECLARED)


def _without_target(program: Program, deployment: Deployment, pointing: Pointing) -> Iterable[Diagnostic]:
    names = {t.name for t in program.declared}
    for binding in deployment.bindings:
        if binding.name not in names:
            message = f"the deployment binds `{binding.name}`, which is no target of the policy"
            cure = "it is never used; remove it or declare the target"
            yield pointing.at(
                ("targets", binding.name), "PD521", message, help=cure, severity=Severity.WARNING
            )


def _check_target(
    target: Target, binding: Binding, networks: tuple[Network, ...], pointing: Pointing
) -> Iterable[Diagnostic]:
    place = ("targets", target.name)
    if target.fact("location") == "on_prem":
        yield from _check_on_prem(target, binding, networks, pointing)
    else:
        yield from _check_cloud(target, binding, pointing)
    if (
        target.fact("location") != "on_prem"
        and binding.endpoint.scheme == "http"
        and not _is_loopback(binding.endpoint.host)
    ):
        message = f"the cloud target `{target.name}` would be reached over `http://`, in the clear"
        cure = "bind it to an `https://` URL"
        yield pointing.at((*place, "url"), "PD523", message, help=cure, policy=target.span, beside=_DECLARED)
    yield from _check_dialects(target, binding, pointing)
    if target.fact("onward") is True and binding.model is None:
        message = f"`{target.name}` sends requests onward, and its binding pins no model"
        cure = "set `model`: a server that forwards reads the place from the model's name"
        yield pointing.at(place, "PD529", message, help=cure, policy=target.span, beside=_DECLARED)
    for wanted in unsaid(target, binding):
        host = binding.endpoint.host
        message = f"the policy says `{wanted.shown}` of `{target.name}`, and nothing that is sent to `{host}` says so"
        cure = f"declare it in `[targets.{target.name}.send]`: {wanted.written}"
        yield pointing.at(
            place,
            "PD544",
            message,
            help=cure,
            policy=target.span,
            beside=_DECLARED,
            severity=Severity.WARNING,
        )


def _check_cloud(target: Target, binding: Binding, pointing: Pointing) -> Iterable[Diagnostic]:
    """A name is asked about at every connect; an address can be asked about now."""
    host = binding.endpoint.host
    address = _literal(host)
    if binding.endpoint.scheme == "unix" or _is_loopback(host) or address is None:
        return
    if not AddressRule("public", binding.private_networks).allows(address):
        message = f"`{target.name}` is in the cloud, but `{host}` is no address of the internet"
        cure = f'say that it is meant with `private_networks = ["{address}/{address.max_prefixlen}"]`, or correct the URL or the fact'
        path = ("targets", target.name, "url")
        yield pointing.at(path, "PD543", message, help=cure, policy=target.span, beside=_DECLARED)


def _check_on_prem(
    target: Target, binding: Binding, networks: tuple[Network, ...], pointing: Pointing
) -> Iterable[Diagnostic]:
    host, scheme = binding.endpoint.host, binding.endpoint.scheme
    if binding.private_networks:
        message = (
            f"`{target.name}` says `location on_prem`, and `private_networks` is about targets in the cloud"
        )
        path = ("targets", target.name, "private_networks")
        cure = "use `on_prem_networks`, which holds for all of them"
        yield pointing.at(path, "PD543", message, help=cure, policy=target.span, beside=_DECLARED)
    if scheme == "unix" or _is_loopback(host):
        return
    address = _literal(host)
    unsafe = f"`{target.name}` says `location on_prem`, but"

    def found(code: str, message: str, cure: str) -> Diagnostic:
        path = ("targets", target.name, "url")
        return pointing.at(path, code, message, help=cure, policy=target.span, beside=_DECLARED)

    if not networks:
        message = f"{unsafe} `{host}` is in no network that the deployment declares"
        cure = "declare `on_prem_networks`; a private address alone says nothing about where a machine stands"
        yield found("PD522", message, cure)
    elif address is not None and not any(address in network for network in networks):
        message = f"{unsafe} `{host}` lies outside `on_prem_networks`"
        yield found("PD522", message, "correct the URL, the networks or the fact")
    if scheme == "http" and binding.plaintext_because is None:
        message = f"{unsafe} it is reached over `http://`, so any machine on the way could answer for it"
        cure = (
            'use `https://` with `tls = { ca = … }` or a pin, or say why not with `plaintext_because = "…"`'
        )
        yield found("PD523", message, cure)
    if scheme == "https" and binding.tls.ca is None and not binding.tls.pins:
        message = f"{unsafe} any public certificate for `{host}` would be believed"
        yield found("PD522", message, "set `tls = { ca = … }` with your own authority, or `pin_sha256`")


def _check_dialects(target: Target, binding: Binding, pointing: Pointing) -> Iterable[Diagnostic]:
    speaks = target.fact("speaks")
    endpoints = speaks if isinstance(speaks, frozenset) else frozenset()
    for dialect, of_dialect in DIALECT_ENDPOINTS.items():
        spoken = endpoints & of_dialect
        if spoken and dialect not in binding.dialects:
            words = ", ".join(sorted(spoken))
            message = f"`{target.name}` speaks {words}, but its binding does not list the dialect `{dialect}`"
            cure = f'add "{dialect}" to `dialects`, or take {words} out of `speaks`'
            path = ("targets", target.name, "dialects")
            yield pointing.at(path, "PD524", message, help=cure, policy=target.span, beside=_DECLARED)


def _shared_places(program: Program, deployment: Deployment, pointing: Pointing) -> Iterable[Diagnostic]:
    """Two targets at one URL with one model are one server: facts that differ cannot both be true of it. Prices and
    capabilities may be narrowed on purpose, so only facts about where data goes and stays count."""
    seen: dict[tuple[object, ...], Target] = {}
    for target in program.declared:
        binding = deployment.binding(target.name)
        if binding is None:
            continue
        key = (binding.endpoint, binding.model, binding.aliases, binding.credential, binding.send)
        first = seen.setdefault(key, target)
        differ = sorted(f for f in _PLACE_FACTS if first.fact(f) != target.fact(f))
        if first is not target and differ:
            where = "the same URL, model, credential and `send`"
            message = (
                f"`{first.name}` and `{target.name}` are bound to {where} but differ in {', '.join(differ)}"
            )
            labels = pointing.also(("targets", first.name, "url"), "the other one", policy=first.span)
            yield pointing.at(
                ("targets", target.name, "url"),
                "PD530",
                message,
                help="one of them is not true: bind them apart or make them agree",
                policy=target.span,
                beside=_DECLARED,
                labels=labels,
            )


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
    return AddressRule("public", binding.private_networks)


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    """`localhost` counts: its rule refuses any other address at the connect."""
    address = _literal(host)
    return host == "localhost" if address is None else address.is_loopback
