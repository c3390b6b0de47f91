"""Values as TOML has them, read against the type that a knob was declared with."""

from __future__ import annotations

import math
import typing
from typing import Literal

from ablate.mix import Choice, Value
from blocks import nearest


def is_tuple(kind: object) -> bool:
    """Whether a knob of this type takes a list, so that only a list of lists is a question."""
    return typing.get_origin(kind) is tuple


def items(kind: object, count: int) -> tuple[object, ...]:
    """The types of `count` items of a tuple type; empty when the tuple has another length."""
    inner = typing.get_args(kind)
    if len(inner) == 2 and inner[1] is Ellipsis:
        return (inner[0],) * count
    return inner if len(inner) == count else ()


def describe(kind: object) -> str:
    """What is expected, in words."""
    if typing.get_origin(kind) is Literal:
        return "one of " + ", ".join(show(value) for value in typing.get_args(kind))
    if not is_tuple(kind):
        return _WORDS[kind]
    inner = typing.get_args(kind)
    plural = _PLURALS.get(inner[0], "values")
    return f"a list of {plural}" if inner[-1] is Ellipsis else f"a list of {len(inner)} {plural}"


def read_scalar(raw: object, kind: object) -> Value:
    """One value of type bool, int, float, str or Literal.

    Raises:
        ValueError: It is of another type: what is expected, what came, and the mend if near.
    """
    if typing.get_origin(kind) is Literal:
        return _read_literal(raw, typing.get_args(kind))
    if kind is float and _is_number(raw) and math.isfinite(typing.cast(float, raw)):
        return float(typing.cast(float, raw))
    if kind is int and _is_number(raw) and not isinstance(raw, float):
        return typing.cast(int, raw)
    if kind in (bool, str) and isinstance(raw, typing.cast(type, kind)):
        return typing.cast(Value, raw)
    raise ValueError(f"must be {describe(kind)}; got {show(raw)}{_mend(raw, kind)}")


def show(raw: object) -> str:
    """A value as TOML writes it, on one line and not too long."""
    text = _shown(raw)
    return text if len(text) <= 80 else f"{text[:77]}..."


def number(value: float) -> str:
    """A number without a needless `.0`."""
    return repr(value).removesuffix(".0")


def _read_literal(raw: object, allowed: tuple[Value, ...]) -> Value:
    for value in allowed:
        if type(value) is type(raw) and value == raw:
            return value
    hint = nearest(raw, [str(value) for value in allowed]) if isinstance(raw, str) else ""
    expected = ", ".join(show(value) for value in allowed)
    raise ValueError(f"must be one of {expected}; got {show(raw)}{hint}")


def _is_number(raw: object) -> bool:
    return isinstance(raw, int | float) and not isinstance(raw, bool)


def _mend(raw: object, kind: object) -> str:
    if isinstance(raw, float) and kind is int and raw.is_integer():
        return f"; write {int(raw)}"
    if isinstance(raw, str) and kind is not str and _would_read(raw, kind):
        return "; write it without the quotes"
    if kind is bool and raw in (0, 1) and isinstance(raw, int):
        return f"; write {show(bool(raw))}"
    return ""


def _would_read(raw: str, kind: object) -> bool:
    if kind is bool:
        return raw in ("true", "false")
    try:
        int(raw) if kind is int else float(raw)
    except ValueError:
        return False
    return True


def _shown(raw: object) -> str:
    match raw:
        case bool():
            return "true" if raw else "false"
        case int() | float():
            return repr(raw)
        case str():
            return f"'{raw}'"
        case list() | tuple():
            return f"[{', '.join(_shown(item) for item in raw)}]"
        case dict():
            inside = ", ".join(f"{key} = {_shown(value)}" for key, value in raw.items())
            return f"{{ {inside} }}" if inside else "{}"
    return str(raw)


_WORDS: dict[object, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a string",
    Choice: "a name or a table with a name",
}
_PLURALS: dict[object, str] = {
    bool: "true or false",
    int: "integers",
    float: "numbers",
    str: "strings",
    Choice: "names",
}
