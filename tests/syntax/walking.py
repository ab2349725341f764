"""Every node of a tree with the nodes it is made of, for tests about places."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from policyd.syntax.nodes import Module
from policyd.text.source import Span

__all__ = ["places"]


def places(module: Module) -> Iterator[tuple[Any, list[Any]]]:
    waiting: list[Any] = list(module.statements)
    while waiting:
        node = waiting.pop()
        parts = list(_parts(node))
        yield node, parts
        waiting.extend(parts)


def _parts(node: Any) -> Iterator[Any]:
    for field in fields(node):
        value = getattr(node, field.name)
        for item in value if isinstance(value, tuple) else (value,):
            if is_dataclass(item) and not isinstance(item, Span):
                yield item
