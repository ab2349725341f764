"""The gate: the last word before a byte of a request leaves for a target.

In: a ticket (the plan that was decided: its allowed targets and its policy's digest), the target that was chosen, and
the request to send. Out: a `Permit` that holds the very bytes to send, or why not. The upstream client asks again with
`confirm` when it holds a connection, just before it writes. The gate shares no code with what decides or chooses: it
looks at names, digests, bytes and addresses only. It does not choose, rewrite, retry or connect.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Final, Never, TypeAlias
from urllib.parse import unquote_to_bytes

from policyd.deploy.model import BoundTarget
from policyd.proxy.azure_path import misaddressed
from policyd.proxy.declared_keys import missing_key
from policyd.proxy.model_key import ModelKey, model_key

__all__ = [
    "CALLER_CREDENTIALS", "CREDENTIAL_QUERY_KEYS", "HOP_BY_HOP", "NEVER_SENT", "Gate", "GateClosed", "Permit",
    "PolicyChanged", "Reason", "Refused", "Serving", "Ticket",
]  # fmt: skip

CALLER_CREDENTIALS: Final = frozenset(
    {
        b"authorization", b"proxy-authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"cookie", b"cookie2",
        b"x-amz-security-token", b"x-amz-date", b"x-amz-content-sha256", b"x-auth-token", b"x-access-token",
        b"x-forwarded-access-token", b"x-forwarded-client-cert", b"x-ms-token-aad-access-token", b"ocp-apim-subscription-key",
        b"x-goog-iap-jwt-assertion", b"x-functions-key", b"x-spiffe-id", b"openai-organization", b"openai-project",
    }
)  # fmt: skip
"""Headers that carry a caller's credential. None may be in what the proxy hands over: the gate adds the target's own."""

HOP_BY_HOP: Final = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"te", b"trailer", b"transfer-encoding",
        b"upgrade", b"expect", b"http2-settings", b"max-forwards",
    }
)  # fmt: skip

_WRITTEN_HERE: Final = frozenset({b"host", b"content-length"})
_ABOUT_THE_CALLER: Final = frozenset(
    {
        b"baggage", b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-user", b"x-real-ip", b"tracestate",
        b"remote-user", b"ssl-client-cert", b"x-client-cert-chain",
    }
)  # fmt: skip

NEVER_SENT: Final = CALLER_CREDENTIALS | HOP_BY_HOP | _WRITTEN_HERE | _ABOUT_THE_CALLER
"""Lower-case names that a request to a target may not hold, besides the policy's own headers and `x-policyd-*`."""

CREDENTIAL_QUERY_KEYS: Final = frozenset(
    {b"key", b"api_key", b"api-key", b"apikey", b"x-api-key", b"access_token", b"token", b"auth", b"authorization", b"sig", b"signature",
        b"x-goog-api-key", b"apitoken", b"password", b"client_secret", b"jwt"}
)  # fmt: skip

_LIKE_A_CREDENTIAL: Final = re.compile(
    rb"(?:^|[^a-z0-9])(?:api[^a-z0-9]?keys?|authori[sz]ation|auth|access[^a-z0-9]?key|token|secret|credentials?|jwt|password|passwd)"
    rb"(?:$|[^a-z0-9])"
)
"""A word in a lower-case name by which it carries a credential, whoever invented the name."""

_FOR_A_GATEWAY: Final = re.compile(
    rb"(?:x-policyd|x-portkey|x-litellm|helicone|cf-aig|x-openrouter|x-bf"
    rb"|x-gateway|x-llm-d|x-prefiller|x-encoder|x-kv-cache|x-data-parallel|x-worker|x-dynamo|x-smg|x-sgl|x-ai-eg|x-higress|x-envoy"
    rb"|azureml|x-amzn-sagemaker|serve-multiplexed)-"
)
"""Headers that send a request on, at a gateway that knows them, to another place or model than the policy chose."""

_TRACEPARENT: Final = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]")

_METHODS: Final = frozenset({b"GET", b"HEAD", b"POST"})
_TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PATH: Final = re.compile(rb"/[!$-;=?-Z\[\]_a-z~|]*")
_DOTS: Final = re.compile(rb"(?:^|/)\.{1,2}(?:/|$)")


class Reason(StrEnum):
    NOT_ALLOWED = "not_allowed"
    """the plan does not allow this target"""
    UNBOUND = "unbound"
    """the deployment has no such target, or the permit's target is not (or no longer) the one that it binds"""
    FOREIGN_CONNECTION = "foreign_connection"
    """the connection was opened for another target"""
    MODEL = "model"
    """the model in the bytes is not one that the binding pins, or is not there exactly once"""
    DECLARED = "declared"
    """a key that the binding declares for every request is not in the bytes exactly once with its value"""
    CREDENTIAL = "credential"
    """a credential or a policy header of the caller was left in"""
    MALFORMED = "malformed"
    """method, path, header or body cannot be sent safely"""
    UNREDACTED = "unredacted"
    """what the plan takes out of the request is in the bytes (said by whoever asks for the permit)"""
    FORGED = "forged"
    """not a permit of this gate"""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What was decided: the request may go to `allowed` and nowhere else, under the policy and deployment that `digest`
    names."""

    request_id: str
    digest: str
    allowed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Serving:
    """What serves now, swapped as one: a digest that names this policy under this deployment, the bound targets, and the
    lower-case names of the headers that the policy reads. INVARIANT: other targets have another digest."""

    digest: str
    targets: Mapping[str, BoundTarget]
    policy_headers: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Refused:
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class PolicyChanged:
    """The ticket's policy or deployment no longer serves: decide again, under what this digest names."""

    digest: str


class GateClosed(Exception):
    """A permit was not good when its bytes were about to be written. Nothing was written, or, where it is `stale`, only
    before, while the permit was good: to a pooled connection that the target had closed."""

    stale = False

    def __init__(self, outcome: Refused | PolicyChanged) -> None:
        super().__init__(repr(outcome))
        self.outcome: Refused | PolicyChanged = outcome


_SEAL: Final = object()


class Permit:
    """The right to send `head` and `body`, these bytes, to `target`. Only a gate makes one; it cannot be changed, copied,
    pickled or subclassed."""

    __slots__ = ("_seal", "body", "gate", "head", "is_head", "target", "ticket")

    ticket: Ticket
    target: BoundTarget
    head: bytes
    body: bytes
    is_head: bool
    gate: "Gate"

    def __init__(
        self,
        seal: object,
        gate: "Gate",
        ticket: Ticket,
        target: BoundTarget,
        head: bytes,
        body: bytes,
        *,
        is_head: bool,
    ) -> None:
        if seal is not _SEAL:
            raise GateClosed(Refused(Reason.FORGED, "a permit is made by a gate and by nothing else"))
        put = object.__setattr__
        put(self, "_seal", seal)
        put(self, "gate", gate)
        put(self, "ticket", ticket)
        put(self, "target", target)
        put(self, "head", head)
        put(self, "body", body)
        put(self, "is_head", is_head)

    def __init_subclass__(cls) -> None:
        raise TypeError("a permit has no subclasses")

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"a permit cannot be changed ({name})")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"a permit cannot be changed ({name})")

    def __reduce_ex__(self, protocol: object) -> Never:
        raise TypeError("a permit cannot be copied or pickled")

    def __repr__(self) -> str:
        return f"<permit {self.ticket.request_id} for {self.target.name}>"


PermitOutcome: TypeAlias = Permit | Refused | PolicyChanged


@dataclass(slots=True)
class Gate:
    """`serving` is replaced as a whole by `publish`; between two calls of the gate it may change, within one it does not."""

    serving: Serving
    _added: dict[str, tuple[BoundTarget, list[bytes]]] = field(default_factory=dict, init=False, repr=False)

    def publish(self, serving: Serving) -> None:
        """From now on permits are for this policy; those of another become `PolicyChanged`."""
        self.serving = serving
        self._added.clear()

    def permit(
        self,
        ticket: Ticket,
        target_name: str,
        *,
        method: bytes,
        path: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
    ) -> PermitOutcome:
        """A permit for one attempt. `path` begins with the target's path prefix and may hold a query; `headers` are the
        caller's that pass (the gate adds Host, the length, the target's credential and its declared headers); `body` is
        what will be sent. Pure but for reading `serving`: with a body of megabytes, call it off the event loop."""
        serving = self.serving
        if ticket.digest != serving.digest:
            return PolicyChanged(serving.digest)
        if target_name not in ticket.allowed:
            return Refused(Reason.NOT_ALLOWED, f"the plan does not allow `{target_name}`")
        target = serving.targets.get(target_name)
        if target is None:
            return Refused(Reason.UNBOUND, f"the deployment does not bind `{target_name}`")
        if type(body) is not bytes:
            return Refused(Reason.MALFORMED, "the body can still change: it is not bytes")
        prefix = target.binding.endpoint.prefix
        refusal = (
            (_refuse_path if len(path) <= _LONGEST_KEPT else _refuse_path.__wrapped__)(prefix, method, path)
            or _refuse_headers(serving.policy_headers, headers)
            or _refuse_model(target, method, body)
            or _refuse_azure(target, method, path, body)
            or _refuse_undeclared(target, method, body)
        )
        if refusal is not None:
            return refusal
        head = self._head(target, method, path, headers, body)
        if head is None:
            return Refused(Reason.MALFORMED, "a header holds a line break or a NUL")
        return Permit(_SEAL, self, ticket, target, head, body, is_head=method == b"HEAD")

    def confirm(self, permit: Permit, opened_for: BoundTarget) -> None:
        """Raises `GateClosed` unless the permit is still good and the connection was opened for its very target."""
        if (
            type(permit) is not Permit
            or getattr(permit, "_seal", None) is not _SEAL
            or permit.gate is not self
        ):
            raise GateClosed(Refused(Reason.FORGED, "not a permit of this gate"))
        serving, name = self.serving, permit.target.name
        if permit.ticket.digest != serving.digest:
            raise GateClosed(PolicyChanged(serving.digest))
        bound = serving.targets.get(name)
        if bound is None or (bound is not permit.target and bound != permit.target):
            raise GateClosed(Refused(Reason.UNBOUND, f"`{name}` is bound to another place now"))
        if opened_for is not permit.target and opened_for != permit.target:
            raise GateClosed(
                Refused(Reason.FOREIGN_CONNECTION, f"the connection was opened for `{opened_for.name}`")
            )
        if name not in permit.ticket.allowed:
            raise GateClosed(Refused(Reason.NOT_ALLOWED, f"the plan does not allow `{name}`"))

    def _head(
        self,
        target: BoundTarget,
        method: bytes,
        path: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
    ) -> bytes | None:
        lines = [b"%b %b HTTP/1.1" % (method, path)]
        lines += self._own_lines(target)
        lines += [b"%b: %b" % header for header in headers]
        if body or method == b"POST":
            lines.append(b"content-length: %d" % len(body))
        lines += (b"", b"")
        head = b"\r\n".join(lines)
        # INVARIANT: the only line breaks are the ones that were put there (no header injection).
        breaks = len(lines) - 1
        if head.count(b"\r") != breaks or head.count(b"\n") != breaks or b"\0" in head:
            return None
        return head

    def _own_lines(self, target: BoundTarget) -> list[bytes]:
        known = self._added.get(target.name)
        if known is not None and known[0] is target:
            return known[1]
        lines = _own_lines(target)
        self._added[target.name] = (target, lines)
        return lines


def _own_lines(target: BoundTarget) -> list[bytes]:
    """The header lines that belong to the target: where it is, policyd's credential there, and declared headers."""
    binding = target.binding
    lines = [b"host: " + binding.endpoint.authority.encode("ascii")]
    if binding.credential is not None:
        secret = binding.credential.secret.value.encode("latin-1")
        match binding.credential.style:
            case "bearer":
                lines.append(b"authorization: Bearer " + secret)
            case "x-api-key":
                lines.append(b"x-api-key: " + secret)
            case "api-key":
                lines.append(b"api-key: " + secret)
    lines += [f"{name}: {value}".encode("latin-1") for name, value in binding.headers]
    return lines


_LONGEST_KEPT: Final = 128
"""Bytes of a name or a path that is remembered: a caller does not decide how much is kept."""


@lru_cache(maxsize=4096)
def _refuse_path(prefix: str, method: bytes, path: bytes) -> Refused | None:
    if method not in _METHODS:
        return Refused(Reason.MALFORMED, "the method is not GET, HEAD or POST")
    if not _PATH.fullmatch(path) or not path.startswith(prefix.encode("ascii") + b"/"):
        return Refused(Reason.MALFORMED, "the path is not a plain path below the target's")
    bare, _, query = path.partition(b"?")
    if b"%" in bare or b"//" in bare or b"\\" in bare or b"/." in bare:
        decoded = unquote_to_bytes(bare).replace(b"\\", b"/")
        if b"//" in decoded or b"%" in decoded or _DOTS.search(decoded):
            return Refused(Reason.MALFORMED, "the path has empty or dotted segments")
    if query:
        keys = {_plain_key(pair.partition(b"=")[0]) for pair in re.split(b"[&;]", query)}
        # Google's servers read `$key` and `$httpHeaders` as the headers that they stand for.
        if keys & CREDENTIAL_QUERY_KEYS or any(
            _LIKE_A_CREDENTIAL.search(key) or key[:1] == b"$" for key in keys
        ):
            return Refused(Reason.CREDENTIAL, "the query holds a credential of the caller")
    return None


def _refuse_azure(target: BoundTarget, method: bytes, path: bytes, body: bytes) -> Refused | None:
    version = target.binding.azure_api_version
    if version is None or method != b"POST":
        return None
    wrong = misaddressed(path[len(target.binding.endpoint.prefix) :], version, model_key(body))
    return None if wrong is None else Refused(Reason.MODEL, wrong)


def _plain_key(key: bytes) -> bytes:
    """A query's key without what some servers cut off: `key[]` and a NUL with all behind it."""
    return re.split(rb"[\[\0]", unquote_to_bytes(key).lower())[0].strip()


def _refuse_headers(
    policy_headers: frozenset[bytes], headers: Sequence[tuple[bytes, bytes]]
) -> Refused | None:
    for name, _ in headers:
        refusal = (_refuse_name if len(name) <= _LONGEST_KEPT else _refuse_name.__wrapped__)(name)
        if refusal is not None:
            return refusal
        if name in policy_headers or name.lower() in policy_headers:
            return _left_in(name)
    return _refuse_trace(headers)


def _refuse_trace(headers: Sequence[tuple[bytes, bytes]]) -> Refused | None:
    """A trace's ids and nothing else: one header, every digit of it."""
    traces = [value for name, value in headers if len(name) == 11 and name.lower() == b"traceparent"]
    if len(traces) > 1 or (traces and not _TRACEPARENT.fullmatch(traces[0])):
        return Refused(Reason.MALFORMED, "the header `traceparent` is not one that policyd writes")
    return None


@lru_cache(maxsize=4096)
def _refuse_name(name: bytes) -> Refused | None:
    if not name or name.translate(None, _TOKEN):
        return Refused(Reason.MALFORMED, "a header's name is not a token")
    lower = name.lower()
    # Some servers do not tell `_` from `-`.
    dashed = lower.replace(b"_", b"-")
    if dashed in NEVER_SENT or _FOR_A_GATEWAY.match(dashed) or _LIKE_A_CREDENTIAL.search(lower):
        return _left_in(name)
    return None


def _left_in(name: bytes) -> Refused:
    return Refused(Reason.CREDENTIAL, f"the header `{name.lower().decode('latin-1')}` was left in")


def _refuse_model(target: BoundTarget, method: bytes, body: bytes) -> Refused | None:
    if method != b"POST":
        return Refused(Reason.MALFORMED, "a body belongs to POST") if body else None
    models = target.binding.models
    if models is None:
        return None
    match model_key(body):
        case str(name) if name in models:
            return None
        case str():
            return Refused(Reason.MODEL, "the model in the bytes is not the one that the target pins")
        case ModelKey.ABSENT:
            return Refused(Reason.MODEL, "the bytes name no model where the target pins one")
        case ModelKey.AMBIGUOUS:
            return Refused(Reason.MODEL, "the bytes cannot be read in one way only")


def _refuse_undeclared(target: BoundTarget, method: bytes, body: bytes) -> Refused | None:
    if not target.binding.send or method != b"POST":
        return None
    key = missing_key(body, target.binding.send)
    if key is None:
        return None
    return Refused(Reason.DECLARED, f"the bytes do not carry `{key}` as the binding declares it")
