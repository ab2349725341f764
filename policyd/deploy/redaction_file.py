"""The table `[redaction]` of `policyd.toml`: the key from which placeholders are made.

With one key, several sidecars and every restart give a value the same placeholder. Without one, each process draws its own.
"""

from typing import Annotated, Any, Final

from pydantic import PlainValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from policyd.deploy.model import Secret
from policyd.deploy.table import Table
from policyd.deploy.values import UNSENDABLE, credential

__all__ = ["RedactionFile"]

_SHORTEST: Final = 32


def _wrong(message: str) -> PydanticCustomError:
    return PydanticCustomError("value", "{sentence}", {"sentence": message})


def redaction_key(value: Any, info: ValidationInfo) -> Secret:
    """`{ env = "NAME" }` or `{ file = "path" }`; long enough that nobody finds it by trying."""
    if isinstance(value, dict) and "style" in value:
        raise _wrong("the key of placeholders is sent to nobody: leave `style` out")
    secret = credential(value, info).secret
    if secret.value != UNSENDABLE and len(secret.value) < _SHORTEST:
        raise _wrong(
            f"the key of placeholders has at least {_SHORTEST} characters: `openssl rand -hex 32` makes one"
        )
    return secret


class RedactionFile(Table):
    key: Annotated[Secret, PlainValidator(redaction_key)] | None = None
