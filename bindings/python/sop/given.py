"""Arguments that programs give, checked where they come in, so that a wrong one is named and what would do is said."""

from __future__ import annotations

import enum
import logging
import math
import numbers
import operator
import sys
import uuid
from typing import Any, Optional, Type

_DEADLINE_MS_MAX = 3653 * 24 * 3600 * 1000  # of the library: ten years; what is longer is never reached


def _seconds(given: Any, what: str) -> float:
    """A number of seconds; one beyond all floats is infinite."""
    if not isinstance(given, numbers.Real):
        raise TypeError(f"{what} is a number of seconds, such as 1.5, or None; not {given!r}")
    try:
        return float(given)
    except OverflowError:
        return math.inf if given == abs(given) else -math.inf


def milliseconds(deadline: Any) -> int:
    """A deadline in seconds as the library has it; 0 for None."""
    if deadline is None:
        return 0
    seconds = _seconds(deadline, "deadline")
    if not seconds > 0:  # nor NaN
        raise ValueError(f"deadline is a number of seconds above 0, or None; not {deadline!r}")
    return max(1, round(min(seconds * 1000, _DEADLINE_MS_MAX)))


def retry_for(given: Any) -> Optional[float]:
    """How long something is run again, in seconds."""
    if given is None:
        return None
    seconds = _seconds(given, "retry_for")
    if not seconds >= 0:  # nor NaN
        raise ValueError(f"retry_for is a number of seconds, 0 or more, or None; not {given!r}")
    return seconds


def identity(id: Any) -> Optional[bytes]:
    """The bytes of the id of a transaction; None for None."""
    if id is None:
        return None
    if not isinstance(id, uuid.UUID):
        raise TypeError(f"the id of a transaction is a uuid.UUID, such as uuid.uuid4(); not {id!r}")
    return id.bytes


def member(kind: Type[enum.IntEnum], given: Any, what: str) -> int:
    """The number of a member of `kind`."""
    if isinstance(given, int):
        try:
            return int(kind(given))
        except ValueError:
            pass
    names = ", ".join(f"sop.{kind.__name__}.{each.name}" for each in kind)
    error = ValueError if isinstance(given, int) else TypeError
    raise error(f"{what} is one of {names}; not {given!r}")


def int64(given: Any) -> None:
    """Raises what is wrong with an integer that was refused."""
    if not isinstance(given, int):
        raise TypeError(f"an int is needed here; not {given!r}") from None
    if not -(1 << 63) <= given < 1 << 63:
        raise OverflowError(f"an int from -2^63 to 2^63-1 is needed here; not {given!r}") from None


def limit(given: Any) -> int:
    """A number of items; -1 for None."""
    if given is None:
        return -1
    try:
        number = operator.index(given)
    except TypeError:
        raise TypeError(f"limit is a number of items, or None; not {given!r}") from None
    if number < 0:
        raise ValueError(f"limit is a number of items, 0 or more; not {given!r}")
    return min(number, sys.maxsize)


def item(given: Any) -> int:
    """The id of an item of a store with duplicates; 0 for none."""
    try:
        number = operator.index(given)
    except TypeError:
        raise TypeError(f"item is the id of an item, such as an Entry has; not {given!r}") from None
    if not 0 <= number < 1 << 64:
        raise ValueError(f"item is the id of an item, of at most 64 bits, or 0; not {given!r}")
    return number


def level(given: Any) -> int:
    """The number of a level of logging, which may be given by its name."""
    try:
        return logging.Handler(given.upper() if isinstance(given, str) else given).level
    except (TypeError, ValueError) as error:
        raise type(error)(f'level is one of logging, such as logging.INFO or "INFO"; not {given!r}') from None


def logger(given: Any) -> logging.Logger:
    """A logger, which may be given by its name."""
    if isinstance(given, str):
        return logging.getLogger(given)
    if not callable(getattr(given, "log", None)) or not callable(getattr(given, "warning", None)):
        raise TypeError(f"logger is a logging.Logger or the name of one; not {given!r}")
    return given


def text_of(given: Any, what: str) -> str:
    """A text."""
    if not isinstance(given, str):
        raise TypeError(f"{what} is a str; not {given!r}")
    return given
