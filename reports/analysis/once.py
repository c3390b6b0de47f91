"""What is asked of the same data many times is worked out once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

Owner = TypeVar("Owner")
Asked = ParamSpec("Asked")
Result = TypeVar("Result")


def once(
    function: Callable[Concatenate[Owner, Asked], Result],
) -> Callable[Concatenate[Owner, Asked], Result]:
    """Keep a function's results with what it is about, its first argument, as long as that lives.

    As `functools.cached_property` does, for functions beside the class. The first argument must not
    change, the others must be hashable and are given by position.
    """

    @wraps(function)
    def kept(owner: Owner, *given: Asked.args, **named: Asked.kwargs) -> Result:
        memo: dict[tuple[Any, ...], Result] = vars(owner).setdefault("_once", {})
        key = (function, *given, *named.items())
        if key not in memo:
            memo[key] = function(owner, *given, **named)
        return memo[key]

    return cast(Callable[Concatenate[Owner, Asked], Result], kept)
