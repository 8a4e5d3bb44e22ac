"""Running bodies of transactions again when they conflict."""

from __future__ import annotations

import functools
import math
import time
import types
import uuid
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Iterator, Optional, Tuple, Type, TypeVar, Union, overload

from . import _raw, given
from .errors import Error, MisuseError, TimeoutError
from .transaction import Durability, Transaction

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec

    from .database import Database

    P = ParamSpec("P")

R = TypeVar("R")

_LAZY = (types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType)

RETRY_FOR_S = 30.0
"""How long after their beginning bodies are run again, in seconds, unless somebody says something else or sets a deadline."""


Wait = Tuple[float, Optional[float], Optional[float]]
"""When a body began, its deadline, and how long it said that it is run again."""


def _limit(db: Database, deadline: Optional[float], retry_for: Optional[float]) -> float:
    """For how many seconds a body is run again; infinite where its deadline is what ends it."""
    if retry_for is not None:
        return retry_for
    if db.retry_for is not None:
        return db.retry_for
    return RETRY_FOR_S if deadline is None and not db.info().deadline_ms else math.inf


def begin_again(tx: Transaction, error: Error, wait: Wait) -> None:
    """Begins the next attempt after `error`, which is raised if it was that of another transaction. TimeoutError if it has
    been run again for long enough."""
    since, deadline, retry_for = wait
    running = time.monotonic() - since
    if running >= _limit(tx.database, deadline, retry_for):
        tx.__exit__(type(error), error, None)
        raise TimeoutError(
            f"the transaction conflicts, and is not run again after {running:.3g} seconds (retry_for); the last time: {error}"
        ) from error
    try:
        tx.again()
    except MisuseError:
        tx.__exit__(type(error), error, None)
        raise error from None


def _begin(
    db: Database,
    deadline: Optional[float],
    durability: Optional[Durability],
    id: Optional[uuid.UUID] = None,
    check: bool = True,
) -> Transaction:
    """A transaction for a body that is run again."""
    if deadline is None and durability is None and id is None and check:
        return Transaction(db, _raw.begin(db._handle, _raw.SOP_WRITE))
    return db.write(deadline=deadline, durability=durability, id=id, check=check)


def refuse_lazy(result: Any) -> None:
    """A body that has not run when it returns: it would, once its transaction is over."""
    if isinstance(result, _LAZY):
        if not isinstance(result, types.AsyncGeneratorType):
            result.close()
        raise TypeError(
            "the function that works in a transaction is a coroutine or a generator, which runs only after it has "
            "returned: use sop.aio for the former, and return a list instead of the latter"
        )


class Attempt:
    """One attempt of Database.attempts: a context manager that gives the transaction."""

    __slots__ = ("_done", "_tx", "_wait")

    def __init__(self, tx: Transaction, wait: Wait) -> None:
        self._tx = tx
        self._wait = wait
        self._done = False

    def __enter__(self) -> Transaction:
        return self._tx

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> bool:
        try:
            if error is None:
                self._tx.__exit__(None, None, None)
                self._done = True
                return False
        except Error as failure:
            error = failure
            if not failure.abort:
                raise
        if isinstance(error, Error) and error.abort:
            begin_again(self._tx, error, self._wait)
            return True
        self._tx.__exit__(kind, error, trace)
        return False

    @property
    def done(self) -> bool:
        """Whether it has committed."""
        return self._done


def attempts(
    db: Database,
    deadline: Optional[float],
    durability: Optional[Durability],
    id: Optional[uuid.UUID],
    check: bool,
    retry_for: Optional[float],
) -> Iterator[Attempt]:
    """One attempt after the other, until one commits, or fails for good, or the time is over."""
    wait = time.monotonic(), deadline, given.retry_for(retry_for)
    tx = _begin(db, deadline, durability, id, check)
    while True:
        attempt = Attempt(tx, wait)
        yield attempt
        if attempt.done:
            return


def run(
    db: Database,
    body: Callable[..., R],
    args: Any,
    kwargs: Any,
    deadline: Optional[float] = None,
    durability: Optional[Durability] = None,
    retry_for: Optional[float] = None,
) -> R:
    """Runs body(tx, ...) until it commits; see Database.run."""
    wait = time.monotonic(), deadline, retry_for
    tx = _begin(db, deadline, durability)
    while True:
        try:
            result = body(tx, *args, **kwargs)
            refuse_lazy(result)
            tx.__exit__(None, None, None)
            return result
        except BaseException as error:
            if not isinstance(error, Error) or not error.abort:
                tx.__exit__(type(error), error, None)
                raise
            begin_again(tx, error, wait)


@overload
def transactional(
    function: Callable[Concatenate[Transaction, P], R], /
) -> Callable[Concatenate[Union[Database, Transaction], P], R]: ...
@overload
def transactional(
    *, deadline: Optional[float] = None, durability: Optional[Durability] = None, retry_for: Optional[float] = None
) -> Callable[
    [Callable[Concatenate[Transaction, P], R]], Callable[Concatenate[Union[Database, Transaction], P], R]
]: ...
def transactional(
    function: Any = None,
    /,
    *,
    deadline: Optional[float] = None,
    durability: Optional[Durability] = None,
    retry_for: Optional[float] = None,
) -> Any:
    """Makes a function whose first parameter is a transaction a transaction.

    Called with a database it runs in a transaction of its own, again and again while it conflicts, until `deadline` or,
    from its beginning, for `retry_for` (both in seconds; 30 unless one is set): so it should change nothing outside. Called
    with a transaction it is part of that one. UnknownError is never tried again.
    """
    retry_for = given.retry_for(retry_for)
    if function is None:
        return functools.partial(transactional, deadline=deadline, durability=durability, retry_for=retry_for)
    if not callable(function):
        raise TypeError(f"transactional is given a function, or keywords such as deadline=5; not {function!r}")

    @functools.wraps(function)
    def wrapper(where: Union[Database, Transaction], *args: Any, **kwargs: Any) -> Any:
        if isinstance(where, Transaction):
            return function(where, *args, **kwargs)
        if not isinstance(where, _raw.DatabaseBase):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a sop.Database or a sop.Transaction is needed here; not {where!r}")
        return run(where, function, args, kwargs, deadline, durability, retry_for)

    return wrapper
