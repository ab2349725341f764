"""The shape of `policyd.toml`, as pydantic models: one for each table.

In: what TOML and the environment hold. Out: the same with every single value understood (`values`); `read` makes a
`Deployment` of it. A key that is not here is an error: a setting that this build does not act on is not accepted.
"""

import ssl
from typing import Annotated
from typing import Literal as Lit

from pydantic import Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from policyd.deploy import collector, values
from policyd.deploy.classifiers_file import ClassifierFile
from policyd.deploy.conversations_file import ConversationsFile
from policyd.deploy.detectors import DETECTOR_TABLES, DetectorsFile
from policyd.deploy.identity_file import (
    ApiKeysFile,
    HopFile,
    IdentityTables,
    JwksFile,
    JwtFile,
    MtlsFile,
)
from policyd.deploy.identity_values import listener_pem, private_key
from policyd.deploy.model import Credential, Dialect, Endpoint, Network, Secret, Vocabulary
from policyd.deploy.pem import load_pair
from policyd.deploy.redaction_file import RedactionFile
from policyd.deploy.send import send_table
from policyd.deploy.table import Seconds, Table, Words

__all__ = ["DeploymentFile", "TABLES"]

Pause = Annotated[float, PlainValidator(values.pause)]
Times = Annotated[int, Field(ge=1, le=1000)]
Size = Annotated[int, PlainValidator(values.size)]
Scale = Annotated[float, Field(ge=0.25, le=8)]


ListenerPem = Annotated[str, PlainValidator(listener_pem)]


class ListenTlsFile(Table):
    certificate: ListenerPem
    key: Annotated[Secret, PlainValidator(private_key)]
    client_ca: ListenerPem | None = None
    required: bool | None = None

    @model_validator(mode="after")
    def key_and_certificate_belong_together(self) -> "ListenTlsFile":
        if self.required is not None and self.client_ca is None:
            raise PydanticCustomError(
                "value", "`required` asks callers for a certificate, and `client_ca` says of which authority"
            )
        if self.key.value and self.certificate:
            try:
                load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self.certificate, self.key.value)
            except ValueError as error:
                raise PydanticCustomError("value", "{sentence}", {"sentence": str(error)}) from None
        return self


class AdminFile(Table):
    address: Annotated[str, PlainValidator(values.address)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8485
    unix: Words | None = None
    tls: ListenTlsFile | None = None


class ListenFile(AdminFile):
    port: Annotated[int, Field(ge=1, le=65535)] = 8484
    prefix: Annotated[str, PlainValidator(values.prefix)] = ""


class TlsFile(Table):
    ca: Annotated[str, PlainValidator(values.certificate_authority)] | None = None
    pin_sha256: Annotated[tuple[str, ...], PlainValidator(values.pin)] = ()


class HealthFile(Table):
    path: Annotated[str, PlainValidator(values.request_path)]
    interval: Seconds = 10.0
    timeout: Seconds = 2.0
    unhealthy_after: Times = 3
    healthy_after: Times = 2


class ProbeFile(Table):
    models: bool | None = None
    dialects: bool = False
    context: bool = False
    interval: Seconds = 300.0
    costly_interval: Seconds = 86_400.0
    timeout: Seconds = 120.0


class LoadFile(Table):
    max_in_flight: Annotated[int, Field(ge=1, le=65535)] | None = None
    max_bytes: Size | None = None
    queue: Annotated[int, Field(ge=0, le=65535)] = 256
    queue_timeout: Seconds = 1.0
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    tokens_per_minute: Annotated[int, Field(ge=1, le=1_000_000_000_000)] | None = None


class BreakerFile(Table):
    faults: Annotated[int, Field(ge=1, le=1000)] = 5
    open: Seconds = 10.0


class TargetFile(Table):
    url: Annotated[Endpoint, PlainValidator(values.endpoint)]
    dialects: Annotated[list[Dialect], Field(min_length=1)]
    model: Words | None = None
    aliases: dict[str, Words] = {}
    credential: Annotated[Credential, PlainValidator(values.credential)] | None = None
    connect_timeout: Seconds = 5.0
    first_byte_timeout: Seconds = 120.0
    idle_timeout: Seconds = 60.0
    total_timeout: Seconds = 900.0
    max_connections: Annotated[int, Field(ge=1, le=65535)] = 256
    tls: TlsFile = TlsFile()
    plaintext_because: Words | None = None
    private_networks: list[Annotated[Network, PlainValidator(values.private_network)]] = []
    headers: Annotated[tuple[tuple[str, str], ...], PlainValidator(values.header_map)] = ()
    send: Annotated[tuple[tuple[str, str], ...], PlainValidator(send_table)] = ()
    include_usage: bool = True
    output_limit: Lit["max_tokens", "max_completion_tokens"] | None = None
    later_system: Lit["system", "user"] = "system"
    azure_api_version: Annotated[str, PlainValidator(values.api_version)] | None = None
    counts_tokens: bool = True
    tokenizer: Vocabulary | None = None
    tokens_scale: Scale | None = None
    health: HealthFile | None = None
    probe: ProbeFile = ProbeFile()
    load: LoadFile = LoadFile()
    breaker: BreakerFile = BreakerFile()

    @model_validator(mode="after")
    def each_request_has_a_connection(self) -> "TargetFile":
        most = self.load.max_in_flight
        if most is not None and most > self.max_connections:
            raise PydanticCustomError(
                "value",
                "`load.max_in_flight` is more than `max_connections`, and a request needs a connection",
            )
        return self

    @model_validator(mode="after")
    def azure_names_the_model_in_its_path(self) -> "TargetFile":
        names = [] if self.model is None else [self.model, *self.aliases.values()]
        if self.azure_api_version is not None and not (names and all(map(values.fits_a_path, names))):
            raise PydanticCustomError(
                "value",
                "Azure's paths name the model, so `azure_api_version` needs `model`; it and `aliases` are the names of"
                " deployments, with letters, digits and `._-`",
            )
        if self.azure_api_version is not None and "anthropic" in self.dialects:
            raise PydanticCustomError(
                "value",
                'Azure OpenAI\'s classic API speaks one dialect: with `azure_api_version`, `dialects` is `["openai"]`',
            )
        return self

    @model_validator(mode="after")
    def a_probe_names_a_model(self) -> "TargetFile":
        if (self.probe.dialects or self.probe.context) and self.model is None:
            raise PydanticCustomError(
                "value",
                "`probe.dialects` and `probe.context` send a request of their own, and `model` says for which model",
            )
        return self

    @model_validator(mode="after")
    def tls_needs_https(self) -> "TargetFile":
        if self.url.scheme != "https" and (self.tls.ca is not None or self.tls.pin_sha256):
            raise PydanticCustomError(
                "value", "`tls` says how a server proves itself, but the URL is not `https://`"
            )
        return self


class LimitsFile(Table):
    body: Size = 32 * 1024 * 1024
    header: Size = 64 * 1024
    in_flight: Size = 512 * 1024 * 1024
    unread: Seconds = 60.0
    connections: Annotated[int, Field(ge=1, le=1_000_000)] = 8192
    head_time: Seconds = 15.0
    body_time: Seconds = 60.0
    idle_time: Seconds = 75.0
    requests: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    deadline: Seconds = 900.0
    attempts: Annotated[int, Field(ge=1, le=100)] = 6
    retry_wait: Seconds = 5.0


class LogFile(Table):
    path: Words | None = None
    stdout: bool | None = None

    @model_validator(mode="after")
    def one_place(self) -> "LogFile":
        if (self.path is not None) is bool(self.stdout) and self.stdout is not None:
            raise PydanticCustomError("value", "the log has one place: `path`, or `stdout = true`")
        return self


class DrainFile(Table):
    grace: Pause = 0.0
    limit: Seconds = 30.0


class TelemetryFile(Table):
    endpoint: Annotated[Endpoint, PlainValidator(collector.collector)] | None = None
    headers: Annotated[tuple[tuple[str, Secret], ...], PlainValidator(collector.secret_headers)] = ()
    ca: Annotated[str, PlainValidator(values.certificate_authority)] | None = None
    interval: Seconds = 30.0
    timeout: Seconds = 5.0
    sample_ratio: Annotated[float, Field(ge=0, le=1)] = 0.01
    service_name: Words = "policyd"
    resource: Annotated[tuple[tuple[str, str], ...], PlainValidator(collector.resource)] = ()

    @model_validator(mode="after")
    def secrets_are_not_sent_in_the_clear(self) -> "TelemetryFile":
        if self.headers and collector.is_in_the_clear(self.endpoint):
            raise PydanticCustomError(
                "value", "`headers` are secrets, and `endpoint` is reached over `http://`: use `https://`"
            )
        return self


class TokensFile(Table):
    tokenizer: Vocabulary = "o200k"
    scale: Scale = 1.0
    sample: Annotated[int, Field(ge=0, le=1_000_000)] = 100


class DeploymentFile(Table):
    policy: Words
    listen: ListenFile = ListenFile()
    admin: AdminFile = AdminFile()
    identity: IdentityTables
    targets: dict[str, TargetFile]
    features: dict[str, Annotated[str | int | bool, PlainValidator(values.scalar)]] = {}
    on_prem_networks: list[Annotated[Network, PlainValidator(values.network)]] = []
    hosts: list[Words] = []
    answer_reserve: Annotated[int, Field(ge=0, le=1_000_000_000)] = 4096
    timezone: Annotated[str, PlainValidator(values.zone)] = "UTC"
    limits: LimitsFile = LimitsFile()
    log: LogFile = LogFile()
    drain: DrainFile = DrainFile()
    telemetry: TelemetryFile = TelemetryFile()
    redaction: RedactionFile = RedactionFile()
    tokens: TokensFile = TokensFile()
    conversations: ConversationsFile = ConversationsFile()
    detectors: DetectorsFile = DetectorsFile()
    classifiers: dict[str, ClassifierFile] = {}


TABLES: dict[tuple[str, ...], tuple[str, ...]] = {
    path: tuple(model.model_fields)
    for path, model in (
        ((), DeploymentFile),
        (("listen",), ListenFile),
        (("admin",), AdminFile),
        (("targets", "*"), TargetFile),
        (("targets", "*", "tls"), TlsFile),
        (("targets", "*", "load"), LoadFile),
        (("targets", "*", "breaker"), BreakerFile),
        (("targets", "*", "health"), HealthFile),
        (("targets", "*", "probe"), ProbeFile),
        (("listen", "tls"), ListenTlsFile),
        (("admin", "tls"), ListenTlsFile),
        (("identity", "*", "jwks"), JwksFile),
        (("limits",), LimitsFile),
        (("log",), LogFile),
        (("drain",), DrainFile),
        (("telemetry",), TelemetryFile),
        (("conversations",), ConversationsFile),
        (("redaction",), RedactionFile),
        (("tokens",), TokensFile),
        (("classifiers", "*"), ClassifierFile),
    )
}
_KINDS = (ApiKeysFile, JwtFile, MtlsFile, HopFile)
TABLES |= {
    ("identity",): tuple(
        sorted({f.alias or name for kind in _KINDS for name, f in kind.model_fields.items()})
    ),
    ("identity", "jwks"): tuple(JwksFile.model_fields),
}
TABLES[("identity", "*")] = TABLES[("identity",)]
TABLES |= DETECTOR_TABLES
"""The keys of each table, by path; `*` stands for any name, or for the number of one of several. For near names."""
