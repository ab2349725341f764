"""The tools of a responses request, said for chat completions, and the names of their calls said back.

In come `tools` and `tool_choice`; out come chat's. The one idea: chat has no namespaces, so a tool of a namespace bears both
names, and the caller's own request tells them apart again. A tool that the server runs has no counterpart.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from policyd.translate.asking import UNKNOWN, Json, Neutral, asks_nothing, each
from policyd.translate.loss import Lost
from policyd.translate.shape import at, obj, only, some, text, truth

__all__ = ["called", "choice_of", "flat", "names_of", "tools_of"]

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_JOINED: Final = "__"

_NO_COUNTERPART: Final = "chat completions have nothing like it"
_FUNCTION: Final = frozenset({"type", "name", "description", "parameters", "strict"})
_CUSTOM: Final = frozenset({"type", "name", "description", "format"})
_NEUTRAL: Final[Neutral] = {
    "defer_loading": (False,),
    "allowed_callers": (["direct"],),
    "output_schema": (),
    "async": (False,),
}


def tools_of(value: object) -> list[Json]:
    """Chat's tools. Raises `Lost`."""
    out: list[Json] = []
    for place, tool in each(value or [], "tools"):
        if tool.get("type") == "namespace":
            out += _namespace(tool, place)
        else:
            out.append(_tool(tool, place, None))
    names = [tool[tool["type"]]["name"] for tool in out]
    if len(set(names)) < len(names):
        raise Lost("tools", "two tools would bear one name, as chat completions have no namespaces")
    return out


def _namespace(tool: Json, place: str) -> Iterator[Json]:
    """What the namespace says of itself stands before what each of its tools says."""
    only(tool, {"type", "name", "description", "tools"}, place, UNKNOWN)
    for where, inner in each(tool.get("tools"), at(place, "tools")):
        said = _tool(inner, where, text(tool.get("name"), at(place, "name")))
        if some(tool, "description"):
            named = said[said["type"]]
            own = (named["description"],) if named.get("description") else ()
            named["description"] = "\n\n".join((text(tool["description"], at(place, "description")), *own))
        yield said


def _tool(tool: Json, place: str, namespace: str | None) -> Json:
    kind = tool.get("type")
    if kind not in ("function", "custom"):
        raise Lost(at(place, "type"), "chat completions have no such tool")
    only(tool, (_FUNCTION if kind == "function" else _CUSTOM) | _NEUTRAL.keys(), place, UNKNOWN)
    asks_nothing(tool, _NEUTRAL, place, _NO_COUNTERPART)
    named: Json = {"name": flat(tool.get("name"), namespace, at(place, "name"))}
    if some(tool, "description"):
        named["description"] = text(tool["description"], at(place, "description"))
    if some(tool, "parameters"):
        named["parameters"] = obj(tool["parameters"], at(place, "parameters"))
    if some(tool, "strict"):
        named["strict"] = truth(tool["strict"], at(place, "strict"))
    if some(tool, "format"):
        named["format"] = _format(tool["format"], at(place, "format"))
    return {"type": kind, str(kind): named}


def _format(value: object, place: str) -> Json:
    match value:
        case {"type": "text", **others} if not others:
            return {"type": "text"}
        case {"type": "grammar", "definition": str() as definition, "syntax": str() as syntax, **others} if (
            not others
        ):
            return {"type": "grammar", "grammar": {"definition": definition, "syntax": syntax}}
    raise Lost(place, _NO_COUNTERPART)


def flat(name: object, namespace: object, place: str) -> str:
    """The one name that a tool has in chat."""
    own = text(name, place)
    joined = own if namespace is None else text(namespace, place) + _JOINED + own
    if _NAME.fullmatch(joined) is None:
        raise Lost(place, "chat completions take 64 letters, digits, `_` and `-` for the name of a tool")
    return joined


def names_of(asked: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """For the chat name of each tool in a namespace, the namespace and the tool's own name."""
    names = {}
    for tool in asked.get("tools") or []:
        if tool.get("type") == "namespace":
            for inner in tool["tools"]:
                names[tool["name"] + _JOINED + inner["name"]] = (tool["name"], inner["name"])
    return names


def called(name: str, names: dict[str, tuple[str, str]]) -> Json:
    """The keys by which a call in a response names its tool."""
    namespace, own = names.get(name, (None, name))
    return {"name": own} if namespace is None else {"name": own, "namespace": namespace}


def choice_of(value: object) -> object:
    """Chat's `tool_choice`, or None."""
    match value:
        case None | "auto" | "none" | "required":
            return value
        case {"type": "function" | "custom" as kind, "name": str() as name, **others} if not others:
            return {"type": kind, kind: {"name": name}}
    raise Lost("tool_choice", _NO_COUNTERPART)
