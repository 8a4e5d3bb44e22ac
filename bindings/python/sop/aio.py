"""The same for asyncio: nothing here blocks the event loop.

    async with await aio.open("data", create=True) as db:
        async with db.write() as tx:
            await tx[USERS].set("ann", {"age": 30})
        ann = await db[USERS].get("ann")
        async for key, value in db[USERS].items("a", "n"):
            ...

A read that memory can answer is answered at once, on the loop; everything that may wait runs in a pool of threads, one call
of a transaction after the other. Stores are declared as ever. Cancelling a task that waits for a call does not stop the
call: the transaction waits for it, then rolls back.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import inspect
import os
import time
import uuid
from types import TracebackType
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterator,
    Awaitable,
    Callable,
    Generic,
    Iterable,
    Iterator,
    List,
    Optional,
    Tuple,
    Type,
    TypeVar,
    Union,
    overload,
)

from . import database, given
from .cursor import Entry
from .errors import Error
from .retry import begin_again
from .transaction import Durability, Transaction
from .view import View

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec

    from .figures import Info, Problem, Stats
    from .store import Store

    P = ParamSpec("P")

K = TypeVar("K")
V = TypeVar("V")
R = TypeVar("R")
D = TypeVar("D")

BATCH_ROWS = 256
"""Rows that an iteration takes from its thread at a time."""


class AsyncView(Generic[K, V]):
    """A store, or a part of it: sop.View with methods to await."""

    __slots__ = ("_call", "_owner", "_view")

    def __init__(self, view: View[K, V], owner: Union[AsyncDatabase, AsyncTransaction]) -> None:
        self._view = view
        self._owner = owner
        self._call: Callable[..., Awaitable[Any]] = owner.call

    def __getitem__(self, part: slice[Any, Any, Any]) -> AsyncView[K, V]:
        """The part from part.start to before part.stop."""
        if not isinstance(part, slice):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("a value is awaited: await view.get(key)")
        return AsyncView(self._view[part], self._owner)

    def range(self, low: Any = None, high: Any = None) -> AsyncView[K, V]:
        """The part from `low` to before `high`; None: no bound."""
        return AsyncView(self._view.range(low, high), self._owner)

    def prefix(self, *fields: Any) -> AsyncView[K, V]:
        """The part of keys that begin so."""
        return AsyncView(self._view.prefix(*fields), self._owner)

    def starts_with(self, *fields: Any) -> AsyncView[K, V]:
        """The part of keys with these leading fields, the last of which is a text that the field begins with."""
        return AsyncView(self._view.starts_with(*fields), self._owner)

    def after(self, key: Any, item: int = 0) -> AsyncView[K, V]:
        """The part behind `key`, or behind one of its items."""
        return AsyncView(self._view.after(key, item), self._owner)

    def through(self, key: Any) -> AsyncView[K, V]:
        """The part up to `key`, itself inside."""
        return AsyncView(self._view.through(key), self._owner)

    @overload
    async def get(self, key: K) -> Optional[V]: ...
    @overload
    async def get(self, key: K, default: Union[V, D]) -> Union[V, D]: ...
    async def get(self, key: K, default: Any = None) -> Any:
        """The value of `key`, or `default`."""
        if not self._owner.busy():
            found = self._view._get_now(key, default, self)
            if found is not self:
                return found
        return await self._call(self._view.get, key, default)

    async def contains(self, key: K) -> bool:
        """Whether `key` is there."""
        return await self._call(self._view.__contains__, key)

    async def set(self, key: K, value: V) -> None:
        """Puts `value` under `key`, without reading."""
        await self._call(self._view.__setitem__, key, value)

    async def insert(self, key: K, value: V) -> int:
        """Adds an item; ExistsError if its key is there. Returns its item id, or 0."""
        return await self._call(self._view.insert, key, value)

    async def replace(self, key: K, value: V, item: int = 0) -> None:
        """Replaces the value of an item that is there, else KeyError."""
        await self._call(self._view.replace, key, value, item)

    async def remove(self, key: K, item: int = 0) -> None:
        """Removes an item, else KeyError."""
        await self._call(self._view.remove, key, item)

    async def remove_all(self) -> int:
        """Removes all items of this part; how many there were."""
        return await self._call(self._view.remove_all)

    async def pop(self, key: K, *default: Any) -> Any:
        """Removes an item and returns its value."""
        return await self._call(self._view.pop, key, *default)

    async def setdefault(self, key: K, default: V) -> V:
        """The value of `key`; if there is none, `default`, which is inserted."""
        return await self._call(self._view.setdefault, key, default)

    async def set_ride(self, key: K, item: int = 0) -> None:
        """Replaces the ride-along fields of an item alone, else KeyError."""
        await self._call(self._view.set_ride, key, item)

    async def add(self, key: K, by: int) -> None:
        """Adds to the integer of 8 bytes under `key`."""
        await self._call(self._view.add, key, by)

    async def min(self, key: K, to: int) -> None:
        """Lowers the integer of 8 bytes under `key`."""
        await self._call(self._view.min, key, to)

    async def max(self, key: K, to: int) -> None:
        """Raises the integer of 8 bytes under `key`."""
        await self._call(self._view.max, key, to)

    async def count(self) -> int:
        """The number of items."""
        return await self._call(self._view.count)

    async def first(self) -> Optional[Tuple[K, V]]:
        """The first item, or None."""
        return await self._call(self._view.first)

    async def last(self) -> Optional[Tuple[K, V]]:
        """The last item, or None."""
        return await self._call(self._view.last)

    async def floor(self, key: Any) -> Optional[Tuple[K, V]]:
        """The last item at or before `key`, or None."""
        return await self._call(self._view.floor, key)

    async def ceiling(self, key: Any) -> Optional[Tuple[K, V]]:
        """The first item at or behind `key`, or None."""
        return await self._call(self._view.ceiling, key)

    async def lower(self, key: Any) -> Optional[Tuple[K, V]]:
        """The last item before `key`, or None."""
        return await self._call(self._view.lower, key)

    async def higher(self, key: Any) -> Optional[Tuple[K, V]]:
        """The first item behind `key`, or None."""
        return await self._call(self._view.higher, key)

    async def entry(self, key: K, item: int = 0) -> Entry[K, V]:
        """All that is known of an item, else KeyError; see sop.View.entry."""
        return await self._call(self._view.entry, key, item)

    async def duplicates(self, key: K) -> List[Entry[K, V]]:
        """All items with an equal key, the oldest first."""
        return await self._call(lambda: list(self._view.duplicates(key)))

    async def get_many(self, keys: Iterable[K], default: Any = None) -> List[Any]:
        """The values of `keys` in their order."""
        return await self._call(self._view.get_many, list(keys), default)

    async def entry_many(self, keys: Iterable[K]) -> List[Optional[Entry[K, V]]]:
        """All that is known of many items; see sop.View.entry_many."""
        return await self._call(self._view.entry_many, list(keys))

    async def put_many(self, rows: Iterable[Tuple[K, V]]) -> int:
        """Puts pairs; how many. They are taken on the loop and put in the thread."""
        return await self._call(self._view.put_many, list(rows))

    async def _rows(self, rows: Iterator[Any]) -> AsyncIterator[Any]:
        def take() -> List[Any]:
            return [row for _, row in zip(range(BATCH_ROWS), rows)]

        while True:
            batch = await self._call(take)
            for row in batch:
                yield row
            if len(batch) < BATCH_ROWS:
                return

    async def items(
        self, low: Any = None, high: Any = None, *, reverse: bool = False, limit: Optional[int] = None
    ) -> AsyncIterator[Tuple[K, V]]:
        """Pairs (key, value) from `low` to before `high`."""
        rows = await self._call(lambda: iter(self._view.items(low, high, reverse=reverse, limit=limit)))
        async for row in self._rows(rows):
            yield row

    async def keys(
        self, low: Any = None, high: Any = None, *, reverse: bool = False, limit: Optional[int] = None
    ) -> AsyncIterator[K]:
        """Keys alone; values are not read."""
        rows = await self._call(lambda: iter(self._view.keys(low, high, reverse=reverse, limit=limit)))
        async for row in self._rows(rows):
            yield row

    async def values(
        self, low: Any = None, high: Any = None, *, reverse: bool = False, limit: Optional[int] = None
    ) -> AsyncIterator[V]:
        """Values alone."""
        async for _, value in self.items(low, high, reverse=reverse, limit=limit):
            yield value

    def __aiter__(self) -> AsyncIterator[K]:
        return self.keys()


class AsyncTransaction:
    """A transaction: `async with db.write() as tx`. Its calls run one after the other, from whichever task."""

    __slots__ = ("_begin", "_db", "_lock", "_tx")

    def __init__(self, db: AsyncDatabase, begin: Callable[[], Transaction]) -> None:
        self._db = db
        self._begin = begin
        self._tx: Optional[Transaction] = None
        self._lock = asyncio.Lock()

    @property
    def sync(self) -> Transaction:
        """The sop.Transaction."""
        if self._tx is None:
            raise RuntimeError("a transaction begins with `async with`")
        return self._tx

    def __getitem__(self, store: Store[K, V]) -> AsyncView[K, V]:
        """The store in this transaction."""
        return AsyncView(self.sync[store], self)

    def busy(self) -> bool:
        """Whether one of its calls is running."""
        return self._lock.locked()

    async def call(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Runs call(...) in the pool of threads, when the calls before it have ended."""
        if self._db.forked():  # those never end here
            return call(*arguments)
        async with self._lock:
            return await self._db.call(call, *arguments)

    async def __aenter__(self) -> AsyncTransaction:
        self._tx = self._begin()  # which waits for nothing
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.call(self.sync.__exit__, kind, error, trace)

    async def commit(self) -> None:
        """Commits; see sop.Transaction.commit."""
        await self.call(self.sync.commit)

    async def rollback(self) -> None:
        """Rolls back."""
        await self.call(self.sync.rollback)

    async def again(self) -> None:
        """Begins again after a conflict; see sop.Transaction.again."""
        await self.call(self.sync.again)


class AsyncDatabase:
    """An open database: made by aio.open. `sync` is the sop.Database, for what is not here."""

    __slots__ = ("_pool", "_process", "sync")

    def __init__(self, db: database.Database, threads: int) -> None:
        self.sync = db
        self._process = os.getpid()
        self._pool: Optional[concurrent.futures.ThreadPoolExecutor] = concurrent.futures.ThreadPoolExecutor(
            threads, thread_name_prefix="sop-aio"
        )

    def __getitem__(self, store: Store[K, V]) -> AsyncView[K, V]:
        """The store; each call on it is a transaction of its own."""
        return AsyncView(self.sync[store], self)

    def busy(self) -> bool:
        """Never: its calls do not wait for each other."""
        return False

    def forked(self) -> bool:
        """Whether this is a child of the process that opened it."""
        return os.getpid() != self._process

    async def call(self, call: Callable[..., R], *arguments: Any) -> R:
        """Runs call(...) in the pool of threads. If the task is cancelled meanwhile, waits for the call to end first."""
        if self.forked():  # which took no threads along; the call is a ForkedError
            return call(*arguments)
        future = asyncio.get_running_loop().run_in_executor(self._pool, functools.partial(call, *arguments))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            if not future.cancelled():
                future.exception()  # somebody has looked at it
            raise

    async def __aenter__(self) -> AsyncDatabase:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes it; see sop.Database.close."""
        await self.call(self.sync.close)
        pool, self._pool = self._pool, None  # later calls, all ClosedError, are made in threads of the loop
        if pool is not None:
            pool.shutdown(wait=False)

    def read(self, *, deadline: Optional[float] = None) -> AsyncTransaction:
        """A transaction that only reads."""
        return AsyncTransaction(self, functools.partial(self.sync.read, deadline=deadline))

    def write(
        self,
        *,
        deadline: Optional[float] = None,
        durability: Optional[Durability] = None,
        id: Optional[uuid.UUID] = None,
        check: bool = True,
    ) -> AsyncTransaction:
        """A transaction that reads and writes; see sop.Database.write."""
        begin = functools.partial(self.sync.write, deadline=deadline, durability=durability, id=id, check=check)
        return AsyncTransaction(self, begin)

    async def run(
        self,
        body: Callable[Concatenate[AsyncTransaction, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Returns await body(tx, ...), run in a transaction that commits; again while it conflicts, for 30 seconds, or as
        the database was opened (retry_for, deadline_ms)."""
        return await self.repeat(None, None, body, args, kwargs)

    async def repeat(
        self,
        deadline: Optional[float],
        retry_for: Optional[float],
        body: Callable[..., Awaitable[R]],
        args: Any,
        kwargs: Any,
    ) -> R:
        """Runs a body again while it conflicts: what run and transactional do."""
        wait = time.monotonic(), deadline, retry_for
        async with self.write(deadline=deadline) as tx:
            while True:
                try:
                    made = body(tx, *args, **kwargs)
                    if not inspect.isawaitable(made):  # pyright: ignore[reportUnnecessaryIsInstance]
                        raise TypeError(f"{body!r} is no coroutine function: declare it with `async def`")
                    result = await made
                    await tx.commit()
                    return result
                except Error as error:
                    if not error.abort:
                        raise
                    await tx.call(begin_again, tx.sync, error, wait)

    async def outcome(self, id: uuid.UUID) -> database.Outcome:
        """What became of a transaction; see sop.Database.outcome."""
        return await self.call(self.sync.outcome, id)

    async def stores(self) -> List[str]:
        """The names of all stores."""
        return await self.call(self.sync.stores)

    async def create(self, store: Store[Any, Any], *, exist_ok: bool = False) -> None:
        """Creates a store; ExistsError if there is one of that name, unless `exist_ok`."""
        await self.call(functools.partial(self.sync.create, store, exist_ok=exist_ok))

    async def drop(self, store: Store[Any, Any]) -> None:
        """Drops a store with all its items."""
        await self.call(self.sync.drop, store)

    async def rename(self, store: Store[Any, Any], to: str) -> None:
        """Renames a store; its declaration keeps the old name."""
        await self.call(self.sync.rename, store, to)

    async def checkpoint(self) -> None:
        """Writes a checkpoint now."""
        await self.call(self.sync.checkpoint)

    async def gc(self) -> None:
        """Gives space back to the file system."""
        await self.call(self.sync.gc)

    async def stats(self) -> Stats:
        """Its figures."""
        return await self.call(self.sync.stats)

    async def info(self) -> Info:
        """What it is and how it was opened."""
        return await self.call(self.sync.info)

    async def verify(self) -> List[Problem]:
        """Checks everything; what is wrong."""
        return await self.call(self.sync.verify)

    async def backup(self, path: database.Path) -> int:
        """Copies the database into the folder `path`; the position of the copy."""
        return await self.call(self.sync.backup, path)


@overload
def transactional(
    function: Callable[Concatenate[AsyncTransaction, P], Awaitable[R]], /
) -> Callable[Concatenate[Union[AsyncDatabase, AsyncTransaction], P], Awaitable[R]]: ...
@overload
def transactional(
    *, deadline: Optional[float] = None, retry_for: Optional[float] = None
) -> Callable[
    [Callable[Concatenate[AsyncTransaction, P], Awaitable[R]]],
    Callable[Concatenate[Union[AsyncDatabase, AsyncTransaction], P], Awaitable[R]],
]: ...
def transactional(
    function: Any = None, /, *, deadline: Optional[float] = None, retry_for: Optional[float] = None
) -> Any:
    """Makes a coroutine function whose first parameter is a transaction a transaction, as sop.transactional does."""
    retry_for = given.retry_for(retry_for)
    if function is None:
        return functools.partial(transactional, deadline=deadline, retry_for=retry_for)

    @functools.wraps(function)
    async def wrapper(where: Union[AsyncDatabase, AsyncTransaction], *args: Any, **kwargs: Any) -> Any:
        if isinstance(where, AsyncTransaction):
            return await function(where, *args, **kwargs)
        return await where.repeat(deadline, retry_for, function, args, kwargs)

    return wrapper


async def open(path: database.Path, *, threads: int = 8, **options: Any) -> AsyncDatabase:
    """Opens a database as sop.open does, with a pool of `threads`."""
    made = functools.partial(database.open, path, **options)
    return AsyncDatabase(await asyncio.get_running_loop().run_in_executor(None, made), threads)
