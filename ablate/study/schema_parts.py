"""Pieces of a JSON schema, made from what is registered and from the types of knobs."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from ablate.mix import Choice
from ablate.study.rules import Bounds
from ablate.study.values import is_tuple
from blocks import REQUIRED, Entry, Knob, Registry

Schema = dict[str, Any]

_SIMPLE = {bool: "boolean", int: "integer", float: "number", str: "string"}


def table_of(properties: Mapping[str, Schema], required: Sequence[str] = ()) -> Schema:
    """A table with these keys and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
        **({"required": list(required)} if required else {}),
    }


def list_of(item: Schema) -> Schema:
    """A list of at least one item."""
    return {"type": "array", "items": item, "minItems": 1}


def asked(value: Schema) -> Schema:
    """A value, or a list of alternatives."""
    return {"anyOf": [value, list_of(value)]}


def _value(kind: Any, registry: Registry[Any], bounds: Bounds | None = None) -> Schema:
    """What one value of a knob's type looks like."""
    if typing.get_origin(kind) is Literal:
        return {"enum": list(typing.get_args(kind))}
    if kind is Choice:
        return {"$ref": f"#/$defs/{registry.kind}"}
    if not is_tuple(kind):
        return {"type": _SIMPLE[kind], **limits_of(bounds)}
    inner = typing.get_args(kind)
    item = _value(inner[0], registry, bounds)
    if inner[0] is Choice:
        item = asked(item)
    length = {} if inner[-1] is Ellipsis else {"minItems": len(inner), "maxItems": len(inner)}
    return {"type": "array", "items": item, **length}


def limits_of(bounds: Bounds | None) -> Schema:
    """The range of a number."""
    if bounds is None:
        return {}
    limits = {
        "minimum": bounds.low,
        "maximum": bounds.high,
        "exclusiveMinimum": bounds.above,
        "exclusiveMaximum": bounds.below,
    }
    return {name: limit for name, limit in limits.items() if limit is not None}


def knob_schema(
    knob: Knob, registry: Registry[Any], *, asks: bool = True, bounds: Bounds | None = None
) -> Schema:
    """A knob's value, or alternatives, with its default and what it means."""
    value = _value(knob.type, registry, bounds)
    described = {"description": knob.doc} if knob.doc else {}
    default = {} if knob.default is REQUIRED else {"default": _plain(knob.default)}
    return {**(asked(value) if asks else value), **described, **default}


def _plain(value: object) -> object:
    """A default as JSON holds it."""
    if isinstance(value, Choice):
        settings = {name: _plain(inner) for name, inner in value.knobs}
        return {"name": value.name, **settings} if settings else value.name
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def choice_schema(registry: Registry[Any], inner: Registry[Any]) -> Schema:
    """A name, or a table of a name and knobs."""
    names = {"enum": list(registry), "description": _listed(registry)}
    tables = [
        {
            **table_of(
                {
                    "name": {"const": entry.name},
                    **{knob.name: knob_schema(knob, inner) for knob in entry.knobs.values()},
                },
                required=["name", *_required(entry)],
            ),
            "description": entry.summary,
        }
        for entry in _entries(registry)
    ]
    return {"anyOf": [names, *tables]}


def _entries(registry: Registry[Any]) -> list[Entry[Any]]:
    return [registry[name] for name in registry]


def _required(entry: Entry[Any]) -> list[str]:
    return [knob.name for knob in entry.knobs.values() if knob.default is REQUIRED]


def _listed(registry: Registry[Any]) -> str:
    return "\n".join(f"{entry.name}: {entry.summary}" for entry in _entries(registry))


def named_schema(
    registry: Registry[Any],
    key: str,
    *,
    asks: bool = True,
    default: str = "",
    others: Mapping[str, Schema] | None = None,
) -> Schema:
    """A table with a name under `key` (without it the default), its knobs, and other keys."""
    others = others or {}
    names = choice_schema(registry, registry) if asks else {"enum": list(registry)}
    union: dict[str, Schema] = {}
    for entry in _entries(registry):
        for knob in entry.knobs.values():
            alternatives = union.setdefault(knob.name, {"anyOf": []})["anyOf"]
            alternatives.append(knob_schema(knob, registry, asks=asks))
    name = {**(asked(names) if asks else names), "description": _listed(registry)}
    table = table_of({key: name, **union, **others})
    exact = []
    for entry in _entries(registry):
        chosen: Schema = {"properties": {key: {"const": entry.name}}}
        if entry.name != default:
            chosen["required"] = [key]
        exact.append({"if": chosen, "then": _only(entry, key, registry, asks, others)})
    return {**table, "allOf": exact}


def _only(
    entry: Entry[Any], key: str, registry: Registry[Any], asks: bool, others: Iterable[str]
) -> Schema:
    """That only the knobs of this entry stand beside its name."""
    knobs = {knob.name: knob_schema(knob, registry, asks=asks) for knob in entry.knobs.values()}
    return {"properties": knobs, "propertyNames": {"enum": [key, *knobs, *others]}}
