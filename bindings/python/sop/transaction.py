"""Transactions."""

from __future__ import annotations

import enum
import uuid
from types import TracebackType
from typing import TYPE_CHECKING, Any, List, NamedTuple, Optional, Type, TypeVar

from . import _raw, given
from .errors import ConflictError, Error, ExistsError, NotFoundError
from .view import View

if TYPE_CHECKING:
    from .database import Database
    from .store import Store

K = TypeVar("K")
V = TypeVar("V")


class Durability(enum.IntEnum):
    """How durable a commit is when it is answered. What is lost is always a suffix: a commit that is there has all before
    it."""

    FLUSHED = _raw.SOP_FLUSHED
    """On stable storage: survives a power cut."""
    WRITTEN = _raw.SOP_WRITTEN
    """With the operating system: survives the process; a power cut may take it."""
    BUFFERED = _raw.SOP_BUFFERED
    """In memory; as WRITTEN it is flushed within flush_interval_ms."""


class Mode(enum.IntEnum):
    """What a transaction may do, and what is promised about its reads."""

    WRITE = _raw.SOP_WRITE
    """Reads and writes; strictly serializable."""
    READ = _raw.SOP_READ
    """Reads only; strictly serializable, and never a conflict."""
    SNAPSHOT = _raw.SOP_SNAPSHOT
    """READ without the check of freshness of clustered modes."""
    NOCHECK = _raw.SOP_NOCHECK
    """Reads and writes; reads are not validated."""


class Conflict(NamedTuple):
    """What a transaction conflicted on."""

    store: str
    key: bytes
    """Packed; the first key of a range that changed; b"" if the store itself or its count did."""


class Savepoint:
    """A place in the changes of a transaction. As a context manager it goes back there if its block raises."""

    __slots__ = ("_handle", "number")

    def __init__(self, handle: _raw.Handle, number: int) -> None:
        self._handle = handle
        self.number = number

    def rollback(self) -> None:
        """Undoes the changes since; the savepoint stays. What was read since is still validated."""
        _raw.sop_rollback_to(self._handle, self.number)

    def __enter__(self) -> Savepoint:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if kind is not None:
            try:
                self.rollback()
            except Error:  # the transaction is over; what the block raised says more
                pass


class Transaction(_raw.TransactionBase):
    """A transaction over any number of stores: tx[STORE] is a store as a mapping (sop.View).

    As a context manager it commits when its block ends and rolls back when that raises. One thread at a time uses it;
    another may only cancel() it. It cannot be pickled, nor used after fork.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        def __enter__(self) -> Transaction: ...
        def __exit__(
            self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType], /
        ) -> None: ...

        def __getitem__(self, store: Store[K, V]) -> View[K, V]:
            """The store in this transaction."""
            ...

    @property
    def database(self) -> Database:
        """The database that it is of."""
        return self._database

    def _leave(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        """The end of a block; the extension itself commits those that only read and end well."""
        if kind is not None:
            try:
                self.rollback()
            except Error:  # it has ended already, or its database has; what the block raised says more
                pass
        elif not self._ended:
            self.commit()

    def commit(self) -> None:
        """Commits: all changes become visible and durable at once, or none does. Committing again does nothing.

        ConflictError, and other errors with `abort`: nothing happened, run it again. UnknownError: it may have happened,
        see Database.outcome. All others: nothing happened.
        """
        self._ended = True
        try:
            _raw.sop_commit(self._handle)
        except ConflictError as error:
            found = self.conflict
            if found is not None:
                error.store, error.key = found
            raise

    def rollback(self) -> None:
        """Rolls back: none of its changes happens. Doing it again does nothing."""
        self._ended = True
        _raw.sop_rollback(self._handle)

    def close(self) -> None:
        """Rolls back if it is open. Every later call, on its stores and cursors too, is a ClosedError."""
        try:
            if not self._ended:
                self.rollback()
        except Error:  # it has ended otherwise
            pass
        self._ended = True
        self._handle.close()

    def cancel(self) -> None:
        """Asks it to end: its running and later calls, and its commit, are a CancelledError. Any thread."""
        _raw.sop_txn_cancel(self._handle)

    def again(self) -> None:
        """After a call failed with `abort`: rolls back, waits a moment, and begins again, until its deadline. For loops of
        one's own; sop.transactional and Database.run have one."""
        _raw.sop_txn_again(self._handle)
        self._ended = False

    @property
    def id(self) -> uuid.UUID:
        """Known before commit; for Database.outcome."""
        return uuid.UUID(bytes=_raw.sop_txn_id(self._handle))

    @property
    def position(self) -> int:
        """After a commit that changed something its own, ascending along the serial order; else the position it reads at."""
        return _raw.sop_txn_position(self._handle)

    @property
    def attempts(self) -> int:
        """How often its body has begun: 1 the first time."""
        return _raw.sop_txn_attempts(self._handle)

    @property
    def conflict(self) -> Optional[Conflict]:
        """What it conflicted on, or None."""
        try:
            store, key = _raw.sop_txn_conflict(self._handle)
        except NotFoundError:
            return None
        return Conflict(store.decode(errors="replace"), key)

    def savepoint(self) -> Savepoint:
        """Marks a place to which Savepoint.rollback returns; `with tx.savepoint():` does so if its block raises."""
        return Savepoint(self._handle, _raw.sop_savepoint(self._handle))

    def create(self, store: Store[Any, Any], *, exist_ok: bool = False) -> None:
        """Creates a store; ExistsError if there is one of that name, unless `exist_ok`. (The first write would do it, too.)"""
        try:
            _raw.sop_store_create(self._handle, self._database._bound(store).store)
        except ExistsError:
            if not exist_ok:
                raise

    def drop(self, store: Store[Any, Any]) -> None:
        """Drops a store with all its items; NotFoundError if there is none."""
        _raw.sop_store_drop(self._handle, self._database._bound(store).store)

    def rename(self, store: Store[Any, Any], to: str) -> None:
        """Renames a store; its declaration keeps the old name. ExistsError if there is a store `to`."""
        _raw.sop_store_rename(
            self._handle, self._database._bound(store).store, given.text_of(to, "the name of a store")
        )

    def stores(self) -> List[str]:
        """The names of all stores, in the order of their bytes."""
        names, _count = _raw.sop_store_list(self._handle)
        return [name.decode() for name in names.split(b"\0")[:-1]]

    def __reduce__(self) -> Any:
        raise TypeError("a transaction cannot be pickled: it belongs to its process")

    def __repr__(self) -> str:
        return f"<sop.Transaction of {self._database!r}>"


_raw.use_transaction(Transaction)
