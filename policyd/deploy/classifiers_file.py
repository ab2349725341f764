"""The tables `[classifiers.NAME]`: a company's own detectors, and what of them cannot be.

In comes what TOML read; out goes the table. Like `values`: a function takes what was written and returns what it means, or
raises a `PydanticCustomError`.
"""

from typing import Annotated, Any
from typing import Literal as Lit

from pydantic import Field, PlainValidator
from pydantic_core import PydanticCustomError

from policyd.deploy import values
from policyd.deploy.model import Classifier
from policyd.deploy.table import Seconds, Table, Words
from policyd.policy.findings import is_finding, near_finding

__all__ = ["ClassifierFile", "classifier_of"]


def finding(value: Any) -> str:
    """A name that a policy can test."""
    if not isinstance(value, str) or not is_finding(value):
        said = (
            "a finding is `custom.` and a name of your own, or one that `policyd features --findings` lists"
        )
        close = near_finding(value) if isinstance(value, str) else None
        meant = f"; did you mean `{close}`?" if close else ""
        raise PydanticCustomError("value", "{sentence}", {"sentence": f"{said}{meant}"})
    return value


def plain_table(value: Any) -> dict[str, Any]:
    """Any table: what it means is the classifier's affair."""
    if not isinstance(value, dict) or not _plain(value):
        raise PydanticCustomError(
            "value", "this has to be a table of strings, numbers, booleans, lists and tables"
        )
    return value


def _plain(value: object) -> bool:
    match value:
        case dict():
            return all(_plain(item) for item in value.values())
        case list():
            return all(map(_plain, value))
        case _:
            return isinstance(value, str | int | float | bool)


class ClassifierFile(Table):
    findings: Annotated[list[Annotated[str, PlainValidator(finding)]], Field(min_length=1)]
    entry_point: Words | None = None
    timeout: Seconds = 2.0
    processes: Annotated[int, Field(ge=1, le=64)] = 1
    memory: Annotated[int, PlainValidator(values.size)] | None = None
    network: Words | None = None
    isolation: Lit["any", "kernel"] = "any"
    options: Annotated[dict[str, Any], PlainValidator(plain_table)] = {}


def classifier_of(name: str, file: ClassifierFile) -> Classifier:
    return Classifier(
        name=name,
        entry_point=name if file.entry_point is None else file.entry_point,
        findings=tuple(sorted(set(file.findings))),
        timeout=file.timeout,
        processes=file.processes,
        memory=file.memory,
        network=file.network,
        kernel=file.isolation == "kernel",
        options=file.options,
    )
