"""`policyd.toml` to a `Deployment`, or everything that is wrong with it.

In: the file's path and the environment. Out: `Loaded`, which holds the deployment when there is no error. All mistakes
are reported at once, each at its key (or at the variable that set it). Secrets and certificates are read here, once;
nothing later opens a file. Whether the deployment fits a policy is asked in `bindings`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from policyd.deploy.api_paths import api_path_findings
from policyd.deploy.author import Author, variable_span
from policyd.deploy.bounded import bounded
from policyd.deploy.classifiers_file import classifier_of
from policyd.deploy.complaints import complaints
from policyd.deploy.conversations_file import conversation_findings, conversations_of
from policyd.deploy.detectors import detectors_of
from policyd.deploy.file import AdminFile, DeploymentFile, ListenTlsFile, TargetFile, TelemetryFile
from policyd.deploy.identities import identity_findings, identity_of
from policyd.deploy.model import (
    Binding,
    Breaking,
    Deployment,
    Drain,
    Health,
    Limits,
    Listen,
    ListenTls,
    Load,
    Probe,
    Telemetry,
    Timeouts,
    Tls,
    Tokens,
)
from policyd.deploy.overrides import override
from policyd.deploy.places import Path as Place
from policyd.deploy.places import locate
from policyd.deploy.toml_text import read_toml
from policyd.deploy.values import Surroundings, why_unread
from policyd.text.diagnostic import Diagnostic, Severity, has_errors

__all__ = ["Loaded", "read_deployment"]

_LARGEST_FILE: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Loaded:
    """`deployment` is there exactly when no diagnostic is an error and every secret could be had. `draft` is there as
    soon as every key has a possible value: it can be asked whether it fits a policy, so that all mistakes are told at
    once, and must not serve. `author` finds places for later stages; `files` are those that the reading looked at."""

    deployment: Deployment | None
    diagnostics: tuple[Diagnostic, ...]
    author: Author | None = None
    draft: Deployment | None = None
    files: tuple[str, ...] = ()


def read_deployment(
    path: Path, environ: Mapping[str, str], *, absent_secret: Severity = Severity.ERROR
) -> Loaded:
    """`absent_secret` is how it is told that a secret is not there at all: where a file is only checked (in a CI), there
    may be none. Without its secrets there is never a deployment, however it is told."""
    loaded = _read(path, environ, absent_secret)
    return replace(loaded, files=(str(path.absolute()), *loaded.files))


def _read(path: Path, environ: Mapping[str, str], absent_secret: Severity) -> Loaded:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        said = why_unread(error)
        cure = f"name the file: `{path / 'policyd.toml'}`" if isinstance(error, IsADirectoryError) else None
        return _only(Diagnostic("PD501", Severity.ERROR, f"cannot read `{path}`: {said}", None, help=cure))
    if len(text) > _LARGEST_FILE:
        return _only(
            Diagnostic("PD501", Severity.ERROR, f"cannot read `{path}`: it is larger than 4 MiB", None)
        )
    data = read_toml(str(path), text)
    if isinstance(data, Diagnostic):
        return _only(data)
    overridden = override(data, environ)
    author = Author(str(path), text, locate(text), overridden.sources)
    found = [_clash(name) for name in overridden.clashes]
    surroundings = Surroundings(environ, path.parent)
    draft: Deployment | None = None
    try:
        file = DeploymentFile.model_validate(overridden.data, context=surroundings)
    except ValidationError as error:
        found += complaints(error, author)
    else:
        found += (
            *identity_findings(file, author),
            *api_path_findings(file, author),
            *conversation_findings(file.conversations, author),
        )
        detectors, told = detectors_of(file.detectors, author, surroundings)
        found += told
        draft = replace(_deployment(file, path.parent), detectors=detectors)
    found += _missing_secrets(overridden.data, surroundings, author, absent_secret)
    usable = not has_errors(found) and not surroundings.missing
    return Loaded(draft if usable else None, bounded(found), author, draft, tuple(surroundings.files))


def _missing_secrets(
    data: Mapping[str, Any], surroundings: Surroundings, author: Author, absent: Severity
) -> Iterable[Diagnostic]:
    """A diagnostic for each secret that could not be had, whatever else is wrong with the file."""
    for path, written in _secrets(data):
        for reference in written.items() if isinstance(written, dict) else ():
            if not isinstance(reference[1], str) or reference not in surroundings.missing:
                continue
            missing = surroundings.missing[reference]
            severity = absent if missing.absent else Severity.ERROR
            message = f"`{'.'.join(map(str, path))}`: {missing.message}"
            cure = "set it where policyd serves" if severity is Severity.NOTE else None
            yield Diagnostic("PD507", severity, message, author.span(path), help=cure)


def _secrets(data: Mapping[str, Any]) -> Iterable[tuple[Place, object]]:
    """Where the file refers to secrets, and what it says there."""
    targets = data.get("targets")
    for name, target in targets.items() if isinstance(targets, dict) else ():
        yield ("targets", name, "credential"), target.get("credential") if isinstance(target, dict) else None
    redaction = data.get("redaction")
    yield ("redaction", "key"), redaction.get("key") if isinstance(redaction, dict) else None
    conversations = data.get("conversations")
    for name in ("secret", "password"):
        written = conversations.get(name) if isinstance(conversations, dict) else None
        yield ("conversations", name), written
    telemetry = data.get("telemetry")
    headers = telemetry.get("headers") if isinstance(telemetry, dict) else None
    for name, written in headers.items() if isinstance(headers, dict) else ():
        yield ("telemetry", "headers", name), written
    for listener in ("listen", "admin"):
        table = data.get(listener)
        tls = table.get("tls") if isinstance(table, dict) else None
        yield (listener, "tls", "key"), tls.get("key") if isinstance(tls, dict) else None
        for name in ("certificate", "client_ca"):
            yield (listener, "tls", name), {"file": tls.get(name)} if isinstance(tls, dict) else None
    identity = data.get("identity")
    if isinstance(identity, dict):
        yield ("identity", "secret"), identity.get("secret")
        yield ("identity", "jwks"), identity.get("jwks")
    for number, way in enumerate(identity if isinstance(identity, list) else ()):
        yield ("identity", number, "secret"), way.get("secret") if isinstance(way, dict) else None
        yield ("identity", number, "jwks"), way.get("jwks") if isinstance(way, dict) else None


def _only(diagnostic: Diagnostic) -> Loaded:
    return Loaded(None, (diagnostic,))


def _clash(name: str) -> Diagnostic:
    message = f"the environment variable `{name}` names no setting"
    cure = "write `POLICYD__TABLE__KEY`; what it would go into is not a table"
    return Diagnostic("PD510", Severity.ERROR, message, variable_span(name), help=cure)


def _deployment(file: DeploymentFile, folder: Path) -> Deployment:
    return Deployment(
        policy=str((folder / file.policy).absolute()),
        listen=replace(_listen(file.listen, folder), prefix=file.listen.prefix),
        admin=_listen(file.admin, folder),
        identity=identity_of(file),
        bindings=tuple(_binding(name, target) for name, target in file.targets.items()),
        on_prem_networks=tuple(file.on_prem_networks),
        features=tuple(file.features.items()),
        answer_reserve=file.answer_reserve,
        timezone=file.timezone,
        hosts=tuple(file.hosts),
        limits=Limits(**file.limits.model_dump()),
        log=None if file.log.path is None else str((folder / file.log.path).absolute()),
        drain=Drain(**file.drain.model_dump()),
        conversations=conversations_of(file.conversations),
        classifiers=tuple(classifier_of(name, table) for name, table in file.classifiers.items()),
        redaction_key=file.redaction.key,
        telemetry=Telemetry(**{key: getattr(file.telemetry, key) for key in TelemetryFile.model_fields}),
        tokens=Tokens(**file.tokens.model_dump()),
    )


def _listen(file: AdminFile, folder: Path) -> Listen:
    path = None if file.unix is None else str((folder / file.unix).absolute())
    return Listen("unix" if path else file.address, file.port, path, tls=_listen_tls(file.tls))


def _listen_tls(file: ListenTlsFile | None) -> ListenTls | None:
    if file is None:
        return None
    required = file.client_ca is not None and file.required is not False
    return ListenTls(file.certificate, file.key, file.client_ca, required)


def _binding(name: str, file: TargetFile) -> Binding:
    return Binding(
        name=name,
        endpoint=file.url,
        dialects=frozenset(file.dialects),
        model=file.model,
        aliases=tuple(file.aliases.items()),
        credential=file.credential,
        timeouts=Timeouts(
            file.connect_timeout, file.first_byte_timeout, file.idle_timeout, file.total_timeout
        ),
        max_connections=file.max_connections,
        tls=Tls(file.tls.ca, file.tls.pin_sha256),
        plaintext_because=file.plaintext_because,
        private_networks=tuple(file.private_networks),
        headers=file.headers,
        send=file.send,
        include_usage=file.include_usage,
        output_limit=file.output_limit,
        later_system=file.later_system,
        azure_api_version=file.azure_api_version,
        counts_tokens=file.counts_tokens,
        tokenizer=file.tokenizer,
        tokens_scale=file.tokens_scale,
        health=None if file.health is None else Health(**file.health.model_dump()),
        probe=Probe(**file.probe.model_dump()),
        load=Load(**file.load.model_dump()),
        breaker=Breaking(**file.breaker.model_dump()),
    )
