"""A deployment as values: what `policyd.toml` says once it has been read, checked and its secrets fetched.

Comes in from `read`, goes out to the bindings, the gate, the upstream client and the proxy. Everything is frozen. A
secret is a value that prints as the place it came from, never as itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, TypeAlias
from typing import Literal as Lit

from policyd.deploy.addresses import is_public
from policyd.detect.rules import Rule

__all__ = [
    "Address", "AddressRule", "ApiKey", "ApiKeyIdentity", "Binding", "BoundTarget", "Breaking", "Classifier", "Conversations", "Credential",
    "Deployment", "Detectors", "Dialect", "Drain", "Endpoint", "Health", "HopIdentity", "Identity", "JwtIdentity", "KeySet",
    "KnownName", "Limits", "Listen", "ListenTls", "Load", "LoopbackIdentity", "MtlsIdentity", "NameKind", "Network",
    "OneIdentity", "Probe", "Secret", "SeveralIdentities", "SharedStore", "Telemetry", "Timeouts", "Tls", "Tokens",
    "Vocabulary",
]  # fmt: skip

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
Dialect: TypeAlias = Lit["openai", "anthropic"]
Vocabulary: TypeAlias = Lit["o200k", "cl100k"]


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret and the place it came from (`environment variable X`, `file /run/x`). Only `value` shows it."""

    origin: str
    value: str = field(repr=False)

    def __str__(self) -> str:
        return f"<secret from {self.origin}>"


@dataclass(frozen=True, slots=True)
class Credential:
    """What policyd shows a target instead of the caller's credential. `style` is the header it is sent in; `bearer` is
    `Authorization: Bearer …`."""

    style: Lit["bearer", "x-api-key", "api-key"]
    secret: Secret


@dataclass(frozen=True, slots=True)
class Tls:
    """How a server proves who it is. With neither, the system's public authorities; with `ca` (PEM text), that authority
    alone; with `pins` (SHA-256 of the certificate or of its public key, lower-case hex), one of them must match, and
    without a `ca` the pin alone decides."""

    ca: str | None = None
    pins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `first_byte` runs from the request's last byte to the end of the answer's head, `idle` between two pieces
    of the answer while the caller keeps up, `total` over all of it."""

    connect: float = 5.0
    first_byte: float = 120.0
    idle: float = 60.0
    total: float = 900.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a target is reached. `host` is a name or an address without brackets, or the socket's path when `scheme` is
    `unix`; `prefix` is the URL's path without a slash at its end (`/anthropic`), often empty."""

    scheme: Lit["http", "https", "unix"]
    host: str
    port: int
    prefix: str = ""

    @property
    def authority(self) -> str:
        """The `Host` header."""
        if self.scheme == "unix":
            return "localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return host if self.port == default else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """As it could be written in a deployment file."""
        return (
            f"unix:{self.host}" if self.scheme == "unix" else f"{self.scheme}://{self.authority}{self.prefix}"
        )


@dataclass(frozen=True, slots=True)
class Health:
    """How a target is asked whether it is well: `GET path` every `interval` seconds, at least a 2xx within `timeout`. It is
    out after `unhealthy_after` failures in a row, and back after `healthy_after` good answers in a row."""

    path: str
    interval: float = 10.0
    timeout: float = 2.0
    unhealthy_after: int = 3
    healthy_after: int = 2


@dataclass(frozen=True, slots=True)
class Probe:
    """What a target is asked about the facts that the policy states of it. `models`: by GET requests that cost nothing; None
    stands for yes where the target is on-prem. `dialects`: a request of a few tokens to each endpoint. `context`: a prompt
    as long as the `context` fact. The first every `interval` seconds, the others every `costly_interval`; an answer has
    `timeout` seconds."""

    models: bool | None = None
    dialects: bool = False
    context: bool = False
    interval: float = 300.0
    costly_interval: float = 86_400.0
    timeout: float = 120.0


@dataclass(frozen=True, slots=True)
class Load:
    """How much a target gets. At once: `max_in_flight` requests (None: as many as connections) and `max_bytes` of their
    bodies; of what is more, `queue` requests wait up to `queue_timeout` seconds each before they go to the next candidate.
    In any minute: requests, and tokens of prompts with the most that their answers may have."""

    max_in_flight: int | None = None
    max_bytes: int | None = None
    queue: int = 256
    queue_timeout: float = 1.0
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Breaking:
    """When a target that fails is left alone: after `faults` faults in a row, or where half of its last attempts are faults;
    for `open` seconds, then one request tries it. Each failed trial doubles the time, up to eight times."""

    faults: int = 5
    open: float = 10.0


@dataclass(frozen=True, slots=True)
class Binding:
    """What the deployment says about one target. `model` replaces the model that the caller named; `aliases` map a
    caller's model name to another one; both absent, the name passes. `headers` are added to every request, and `send` are
    top-level keys of every body, with their JSON. A cloud target may be at an address in `private_networks`. `include_usage`: the server knows `stream_options.include_usage`.
    `azure_api_version`: the server is Azure OpenAI's classic API in this version. `counts_tokens`: it answers Anthropic's
    `count_tokens`. `output_limit`: the key of a chat completion under which it takes the limit of the answer; None where its
    host says which. `later_system`: as whose a translated chat completion says system messages inside a conversation.
    `tokenizer` and `tokens_scale` say how its model's tokens are estimated; None: as the deployment's `tokens`."""

    name: str
    endpoint: Endpoint
    dialects: frozenset[Dialect]
    model: str | None = None
    aliases: tuple[tuple[str, str], ...] = ()
    credential: Credential | None = None
    timeouts: Timeouts = Timeouts()
    max_connections: int = 256
    tls: Tls = Tls()
    plaintext_because: str | None = None
    private_networks: tuple[Network, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    send: tuple[tuple[str, str], ...] = ()
    include_usage: bool = True
    output_limit: Lit["max_tokens", "max_completion_tokens"] | None = None
    later_system: Lit["system", "user"] = "system"
    azure_api_version: str | None = None
    counts_tokens: bool = True
    tokenizer: Vocabulary | None = None
    tokens_scale: float | None = None
    health: Health | None = None
    probe: Probe = Probe()
    load: Load = Load()
    breaker: Breaking = Breaking()

    def model_for(self, named: str) -> str:
        """The model's name to send when the caller named `named`."""
        for alias, model in self.aliases:
            if alias == named:
                return model
        return named if self.model is None else self.model

    @property
    def limit_key(self) -> str:
        """The key under which a translated request says its limit. OpenAI's newer models refuse the older key, and some other
        servers ignore the newer one."""
        if self.output_limit is not None:
            return self.output_limit
        host = self.endpoint.host.lower()
        newer = host == "api.openai.com" or host.endswith(".openai.azure.com")
        return "max_completion_tokens" if newer else "max_tokens"

    @property
    def models(self) -> frozenset[str] | None:
        """The only model names that may be sent, or None where the caller's name passes."""
        if self.model is None:
            return None
        return frozenset((self.model, *(model for _, model in self.aliases)))


@dataclass(frozen=True, slots=True)
class AddressRule:
    """Which addresses a target's name may turn out to have, asked at every connect. `any`; `loopback`; `networks`: loopback
    and what lies inside them; `public`: those of the internet, and what lies inside `networks`. A unix socket has no address
    and no rule."""

    kind: Lit["any", "loopback", "networks", "public"]
    networks: tuple[Network, ...] = ()

    def allows(self, address: Address) -> bool:
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if self.kind == "public":
            return is_public(address) or any(address in network for network in self.networks)
        if self.kind == "any" or address.is_loopback:
            return True
        return any(address in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class BoundTarget:
    """A target of a policy together with the place that the deployment gives it. The gate, the pools and the client
    compare these whole: another URL, credential or rule is another target."""

    name: str
    binding: Binding
    addresses: AddressRule


@dataclass(frozen=True, slots=True)
class ListenTls:
    """How a listener proves itself and asks its callers to: PEM texts. Without `client_ca` nobody is asked; with `required`
    a caller without a certificate of that authority gets no connection."""

    certificate: str
    key: Secret
    client_ca: str | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Listen:
    """Where policyd listens: an address and port, or (`address` is `unix`) the socket at `path`. `prefix` (`/llm`, often
    empty) stands before every path that is served."""

    address: str = "127.0.0.1"
    port: int = 8484
    path: str | None = None
    prefix: str = ""
    tls: ListenTls | None = None


@dataclass(frozen=True, slots=True)
class LoopbackIdentity:
    """Every caller is this one: a sidecar that only its own application can reach."""

    claims: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A caller known by the SHA-256 (lower-case hex) of its key; from `until`, a POSIX time, on it is nobody's."""

    sha256: str
    claims: tuple[tuple[str, str], ...]
    until: float | None = None


@dataclass(frozen=True, slots=True)
class ApiKeyIdentity:
    keys: tuple[ApiKey, ...]

    def by_hash(self) -> Mapping[str, Mapping[str, str]]:
        """Claims by key hash, built once when the proxy starts."""
        return {key.sha256: dict(key.claims) for key in self.keys}


@dataclass(frozen=True, slots=True)
class KeySet:
    """Where an issuer's public keys come from: `document` was read from `file` together with the deployment; else they are
    fetched from `endpoint`, again every `refresh` seconds, and kept for `keep` seconds where that fails."""

    document: str | None = None
    endpoint: Endpoint | None = None
    tls: Tls = Tls()
    refresh: float = 300.0
    keep: float = 86_400.0
    file: str | None = None


@dataclass(frozen=True, slots=True)
class JwtIdentity:
    """Callers known by tokens of one issuer. `claims` maps a claim's name to its path in the token; `require` are paths that
    every token has. INVARIANT: exactly one of `keys` and `secret` is there, and fits `algorithms`."""

    issuer: str
    audience: tuple[str, ...]
    algorithms: tuple[str, ...]
    keys: KeySet | None
    secret: Secret | None
    leeway: float
    require: tuple[tuple[str, ...], ...]
    claims: tuple[tuple[str, tuple[str, ...]], ...]


NameKind: TypeAlias = Lit["uri", "dns", "cn"]


@dataclass(frozen=True, slots=True)
class KnownName:
    """A name that a certificate can hold, and the claims of who holds it."""

    kind: NameKind
    name: str
    claims: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MtlsIdentity:
    """Callers known by their certificate, which the listener verified. `claims` maps a claim's name to the kind of name that
    is its value. With `names`, nobody else is known."""

    names: tuple[KnownName, ...]
    claims: tuple[tuple[str, NameKind], ...]


@dataclass(frozen=True, slots=True)
class HopIdentity:
    """Callers known by what a trusted hop says in `header`. It is believed from peers in `networks`, and with `unix` from
    whoever can open the listener's socket; from nobody else."""

    header: Lit["x-forwarded-client-cert", "x-spiffe-id"]
    networks: tuple[Network, ...]
    unix: bool
    names: tuple[KnownName, ...]
    claims: tuple[tuple[str, NameKind], ...]


OneIdentity: TypeAlias = LoopbackIdentity | ApiKeyIdentity | JwtIdentity | MtlsIdentity | HopIdentity


@dataclass(frozen=True, slots=True)
class SeveralIdentities:
    """Ways to be known, in the order in which they are asked; the first for which a caller shows anything decides."""

    ways: tuple[OneIdentity, ...]


Identity: TypeAlias = OneIdentity | SeveralIdentities


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes: of a request's body, and of its header section. `in_flight` bounds the bodies held at once, `requests` the
    requests, `connections` the clients' connections. Seconds: `unread`, after which a client that takes nothing of what waits
    for it is left; `head_time` and `body_time`, in which a request's head and its body must be complete; `idle_time`, after
    which a connection that carries no request is closed. For the whole chain of
    one request's candidates: `deadline` in seconds, `attempts`, and the longest pause `retry_wait` before a target is
    asked again."""

    body: int = 32 * 1024 * 1024
    header: int = 64 * 1024
    in_flight: int = 512 * 1024 * 1024
    unread: float = 60.0
    connections: int = 8192
    head_time: float = 15.0
    body_time: float = 60.0
    idle_time: float = 75.0
    requests: int = 10_000
    deadline: float = 900.0
    attempts: int = 6
    retry_wait: float = 5.0


@dataclass(frozen=True, slots=True)
class Drain:
    """Seconds at the end. `grace`: from the order to stop until nothing more is accepted, while `/readyz` already says 503;
    `limit`: in which answers under way may end after that."""

    grace: float = 0.0
    limit: float = 30.0


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Where metrics and spans are pushed over OTLP/HTTP, every `interval` seconds, each time within `timeout`; without an
    `endpoint`, nowhere. `ca` is PEM text. `sample_ratio` is the share of requests without a sampled parent that get spans;
    `resource` are attributes of this process."""

    endpoint: Endpoint | None = None
    headers: tuple[tuple[str, Secret], ...] = ()
    ca: str | None = None
    interval: float = 30.0
    timeout: float = 5.0
    sample_ratio: float = 0.01
    service_name: str = "policyd"
    resource: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Tokens:
    """How the tokens of a prompt are counted for the policy: by `tokenizer`, times `scale`, rounded up. Of the requests whose
    tokens nobody had to count, one in `sample` is counted after its answer, to compare; 0: none."""

    tokenizer: Vocabulary = "o200k"
    scale: float = 1.0
    sample: int = 100


@dataclass(frozen=True, slots=True)
class SharedStore:
    """A Redis: over TLS where the endpoint's scheme is `https`, and `ca` (PEM text) is then the only authority. An answer has
    `timeout` seconds."""

    endpoint: Endpoint
    database: int = 0
    username: str | None = None
    password: Secret | None = None
    ca: str | None = None
    timeout: float = 0.25


@dataclass(frozen=True, slots=True)
class Conversations:
    """What is remembered of conversations: at most `entries` of them here, and in `shared` where several sidecars serve one.
    `secret` keys their hashes, None for one of this process. A request waits up to `wait` seconds for the scan of one before
    it."""

    entries: int = 100_000
    wait: float = 10.0
    secret: Secret | None = None
    shared: SharedStore | None = None


@dataclass(frozen=True, slots=True)
class Classifier:
    """A company's own detector behind an entry point. It may report `findings`, has `timeout` seconds for a question, runs in
    so many `processes` with at most `memory` bytes each, and without a network unless it may have one as the target
    `network`. `kernel`: it is not started where the kernel does not take the network away."""

    name: str
    entry_point: str
    findings: tuple[str, ...]
    timeout: float = 2.0
    processes: int = 1
    memory: int | None = None
    network: str | None = None
    kernel: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Detectors:
    """What a deployment adds to the built-in detectors. `rules` have been tried, and no two have one id."""

    rules: tuple[Rule, ...] = ()
    accelerator: Lit["hyperscan"] | None = None
    incomplete: bool = False
    """some rules could not be read, so what it finds is not known; it never serves"""

    @property
    def names(self) -> frozenset[str]:
        """The names of its own that can be found."""
        return frozenset(name for rule in self.rules for name in rule.names if name.startswith("custom."))


@dataclass(frozen=True, slots=True)
class Deployment:
    """Everything `policyd.toml` says. `policy` is an absolute path; `features` are the values of features that come from
    the deployment; `answer_reserve` is added to `tokens` where the caller sets no maximum; `log` is a path, or None for
    standard output; `hosts` are names that requests may be made for besides loopback ones; placeholders are made from `redaction_key`."""

    policy: str
    listen: Listen
    admin: Listen
    identity: Identity
    bindings: tuple[Binding, ...]
    on_prem_networks: tuple[Network, ...] = ()
    features: tuple[tuple[str, str | int | bool], ...] = ()
    answer_reserve: int = 4096
    timezone: str = "UTC"
    limits: Limits = Limits()
    log: str | None = None
    hosts: tuple[str, ...] = ()
    drain: Drain = Drain()
    telemetry: Telemetry = Telemetry()
    redaction_key: Secret | None = None
    tokens: Tokens = Tokens()
    conversations: Conversations = Conversations()
    detectors: Detectors = Detectors()
    classifiers: tuple[Classifier, ...] = ()

    @property
    def own_findings(self) -> frozenset[str]:
        """The names that its rules and classifiers can find besides the built-in detectors."""
        return self.detectors.names.union(name for one in self.classifiers for name in one.findings)

    def binding(self, name: str) -> Binding | None:
        return next((b for b in self.bindings if b.name == name), None)
