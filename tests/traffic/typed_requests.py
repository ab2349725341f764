"""Requests made from the official SDKs' own types: one of every shape that a parameter may have, every key filled."""

import types
import typing
from collections.abc import Iterator
from typing import Any, TypeAlias

__all__ = ["Path", "examples", "put", "strings"]

Path: TypeAlias = tuple[str | int, ...]

DEEPEST = 6


def examples(hint: Any, depth: int = 0, inside: tuple[Any, ...] = ()) -> Iterator[Any]:
    """Values of a type: one for each member of each union in it, with every key that its typed dicts have."""
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for member in arguments:
            yield from examples(member, depth, inside)
    elif origin in (
        typing.Annotated,
        typing.Required,
        typing.NotRequired,
        typing.ReadOnly if hasattr(typing, "ReadOnly") else ...,
    ) or str(origin).endswith((".Required", ".NotRequired", ".ReadOnly")):
        yield from examples(arguments[0], depth, inside)
    elif origin is typing.Literal or str(origin).endswith(".Literal"):
        yield arguments[0]
    elif hasattr(hint, "__required_keys__"):
        yield from _of_typed_dict(hint, depth, inside)
    elif hint is str:
        yield "words"
    elif hint in (int, float):
        yield 1
    elif hint is bool:
        yield False
    elif hint is object or hint is Any:
        yield "words"
    elif isinstance(origin, type) and issubclass(origin, dict | typing.Mapping):
        for value in examples(arguments[1], depth + 1, inside):
            yield {"a key of many words": value}
    elif isinstance(origin, type) and issubclass(origin, typing.Iterable):
        if depth <= DEEPEST:
            yield from ([value] for value in examples(arguments[0], depth + 1, inside))
        else:
            yield []


def _of_typed_dict(hint: Any, depth: int, inside: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    if depth > DEEPEST or hint in inside:
        return
    values = {
        key: list(examples(inner, depth + 1, (*inside, hint)))
        for key, inner in typing.get_type_hints(hint, include_extras=True).items()
    }
    first = {key: found[0] for key, found in values.items() if found}
    yield first
    for key, found in values.items():
        for value in found[1:]:
            yield {**first, key: value}


def strings(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Where strings stand in a value, and the keys of free-form objects."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from strings(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from strings(item, (*path, index))


def put(value: Any, path: Path, text: str) -> Any:
    """The value with this text there."""
    if not path:
        return text
    step, *rest = path
    if isinstance(value, dict):
        return {k: put(v, tuple(rest), text) if k == step else v for k, v in value.items()}
    return [put(v, tuple(rest), text) if i == step else v for i, v in enumerate(value)]
