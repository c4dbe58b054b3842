"""A property that is computed once."""

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

Value = TypeVar("Value")


class computed_once(Generic[Value]):  # noqa: N801  used like `property`
    """A property whose value is kept in the instance when it is first asked for.

    It is `functools.cached_property` without its lock, which Python dropped in 3.12. All instances of a class share
    that lock: a thread computes while another one waits, and if a process forks meanwhile, its child waits for ever.
    """

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self._compute, self.__doc__ = compute, compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: object, owner: type) -> Self | Value:
        """Compute the value and keep it where Python looks first the next time."""
        if instance is None:
            return self
        value: Value = self._compute(instance)
        vars(instance)[self._name] = value
        return value
