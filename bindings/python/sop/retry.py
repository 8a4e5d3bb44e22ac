"""Running bodies of transactions again when they conflict."""

from __future__ import annotations

import functools
import types
import uuid
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Iterator, Optional, Type, TypeVar, Union, overload

from . import _raw
from .errors import Error, MisuseError
from .transaction import Durability, Transaction

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec

    from .database import Database

    P = ParamSpec("P")

R = TypeVar("R")

_LAZY = (types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType)

DEADLINE_S = 30.0
"""How long bodies are run again, in seconds, unless the call or the database (deadline_ms) says something else."""


def begin_again(tx: Transaction, error: Error) -> None:
    """Begins the next attempt after `error`, which is raised if it was that of another transaction."""
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
        return Transaction(db, _raw.begin(db._handle, _raw.SOP_WRITE, db._retry_ms()))
    if deadline is None:
        deadline = db._retry_ms() / 1000 or None
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

    __slots__ = ("_done", "_tx")

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
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
            begin_again(self._tx, error)
            return True
        self._tx.__exit__(kind, error, trace)
        return False

    @property
    def done(self) -> bool:
        """Whether it has committed."""
        return self._done


def attempts(
    db: Database, deadline: Optional[float], durability: Optional[Durability], id: Optional[uuid.UUID], check: bool
) -> Iterator[Attempt]:
    """One attempt after the other, until one commits, or fails for good, or the deadline has passed."""
    tx = _begin(db, deadline, durability, id, check)
    while True:
        attempt = Attempt(tx)
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
) -> R:
    """Runs body(tx, ...) until it commits; see Database.run."""
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
            begin_again(tx, error)


@overload
def transactional(
    function: Callable[Concatenate[Transaction, P], R], /
) -> Callable[Concatenate[Union[Database, Transaction], P], R]: ...
@overload
def transactional(
    *, deadline: Optional[float] = None, durability: Optional[Durability] = None
) -> Callable[
    [Callable[Concatenate[Transaction, P], R]], Callable[Concatenate[Union[Database, Transaction], P], R]
]: ...
def transactional(
    function: Any = None, /, *, deadline: Optional[float] = None, durability: Optional[Durability] = None
) -> Any:
    """Makes a function whose first parameter is a transaction a transaction.

    Called with a database it runs in a transaction of its own, again and again while it conflicts, until `deadline`
    (seconds, 30 unless set): so it should change nothing outside. Called with a transaction it is part of that one.
    UnknownError is never tried again.
    """
    if function is None:
        return functools.partial(transactional, deadline=deadline, durability=durability)
    if not callable(function):
        raise TypeError(f"transactional is given a function, or keywords such as deadline=5; not {function!r}")

    @functools.wraps(function)
    def wrapper(where: Union[Database, Transaction], *args: Any, **kwargs: Any) -> Any:
        if isinstance(where, Transaction):
            return function(where, *args, **kwargs)
        if not isinstance(where, _raw.DatabaseBase):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a sop.Database or a sop.Transaction is needed here; not {where!r}")
        return run(where, function, args, kwargs, deadline, durability)

    return wrapper
