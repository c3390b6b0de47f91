"""Frozen facts as canonical JSON, and the keys that are hashes of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass
from typing import Any


def digest(thing: object) -> str:
    """A hash of every field of a dataclass: 16 hexadecimal digits."""
    return hashlib.sha256(canonical(thing).encode()).hexdigest()[:16]


def told(thing: Any) -> list[tuple[str, Any]]:
    """The fields of a dataclass that go into keys, with their values.

    A field that came later than the first records (`metadata={"later": True}`) is left out where
    it has its default: what was written before it existed keeps its key.
    """
    named = [(field, getattr(thing, field.name)) for field in fields(thing)]
    return [
        (field.name, value)
        for field, value in named
        if not field.metadata.get("later") or value != field.default
    ]


def plain(thing: object) -> Any:
    """Dataclasses as dictionaries of what is told, tuples as lists, all the way down."""
    if is_dataclass(thing):
        return {name: plain(value) for name, value in told(thing)}
    return [plain(item) for item in thing] if isinstance(thing, tuple) else thing


def canonical(thing: object) -> str:
    """JSON of what is told, the same for what is equal."""
    return json.dumps(plain(thing), sort_keys=True, separators=(",", ":"))
