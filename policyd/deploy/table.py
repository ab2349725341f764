"""What every table of `policyd.toml` is, and the values that many of them have."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainValidator

from policyd.deploy import values

__all__ = ["Claims", "Pem", "Seconds", "Table", "Words"]

Seconds = Annotated[float, PlainValidator(values.duration)]
Words = Annotated[str, Field(min_length=1)]
Pem = Annotated[str, PlainValidator(values.certificate_authority)]


class Table(BaseModel):
    """A key that a table does not have is a mistake."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Claims(BaseModel):
    """Any further key is a claim; claims are strings."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, hide_input_in_errors=True)
    __pydantic_extra__: dict[str, Words]

    @property
    def claims(self) -> tuple[tuple[str, str], ...]:
        return tuple(sorted(self.__pydantic_extra__.items()))
