"""Databases."""

from __future__ import annotations

import enum
import logging
import os
import threading
import uuid
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Iterator, List, NamedTuple, Optional, Type, TypeVar, Union

from . import _raw, given, logs, retry
from .errors import CorruptError, MisuseError
from .figures import Info, Peek, Problem, Stats, info_of, peek_of
from .transaction import Durability, Mode, Transaction
from .view import StoreInfo, View

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec

    from .store import Store

    P = ParamSpec("P")

K = TypeVar("K")
V = TypeVar("V")
R = TypeVar("R")

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
Progress = Callable[[int, int], Any]
"""Called with bytes done and bytes in all, which may still grow (0 of 0 while nothing is known). Returning False, or
raising, stops the call. It may use the database, but not close it."""

_SCHEMES = (b"inmemory:", b"inredfs:", b"inredcfs:")


class OutcomeKind(enum.IntEnum):
    """What became of a transaction."""

    NOT_COMMITTED = _raw.SOP_OUTCOME_NOT_COMMITTED
    """Rolled back, failed, changed nothing, or never seen."""
    COMMITTED = _raw.SOP_OUTCOME_COMMITTED
    PENDING = _raw.SOP_OUTCOME_PENDING
    """Still open."""
    UNKNOWN = _raw.SOP_OUTCOME_UNKNOWN
    """Too old: more than a million transactions have written since."""


class Outcome(NamedTuple):
    """What became of a transaction."""

    kind: OutcomeKind
    position: int
    """Of one that has committed, else 0."""

    @property
    def committed(self) -> bool:
        return self.kind is OutcomeKind.COMMITTED


def _url(path: Path) -> bytes:
    """What sop_open is given: texts as they are, path objects never as a URL."""
    name = os.fsencode(path)
    if not isinstance(path, (str, bytes)) and name.startswith(_SCHEMES):
        return b"./" + name
    return name


class Database(_raw.DatabaseBase):
    """An open database: made by sop.open, shared by any number of threads, closed by close() or the end of a with block.

    db[STORE] is a store as a mapping (sop.View) in which every call is a transaction of its own. db.read() and db.write()
    are transactions over any number of stores. It cannot be pickled; after fork the child gets ForkedError from it.
    """

    __slots__ = ("_calling", "_log", "_retry_for")

    _calling: Any
    _log: logs.Pump
    _retry_for: Optional[float]

    if TYPE_CHECKING:

        def __getitem__(self, store: Store[K, V]) -> View[K, V]:
            """The store, each call on which is a transaction of its own."""
            ...

    def _declare(self, store: Store[Any, Any]) -> _raw.Bound:
        bind = getattr(store, "bind", None)
        if bind is None:
            raise TypeError(f"a database is indexed by a sop.Store, not by {type(store).__name__}")
        return bind(self._handle)

    # ---- life

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def close(self) -> None:
        """Waits for running calls, rolls back open transactions, and puts all that has committed on stable storage. Later
        calls are a ClosedError. Closing again does nothing."""
        if threading.get_ident() in self._busy():
            raise MisuseError("a function that a call on the database was given cannot close it")
        try:
            _raw.sop_close(self._handle)
        finally:
            self._forget()

    def _busy(self) -> List[int]:
        """The threads in which a function of the program is called back."""
        try:
            return self._calling
        except AttributeError:
            self._calling = []
            return self._calling

    def _call(self, call: Callable[..., R], *arguments: Any) -> R:
        """Makes a call that calls a function back."""
        busy, thread = self._busy(), threading.get_ident()
        busy.append(thread)
        try:
            return call(self._handle, *arguments)
        finally:
            busy.remove(thread)

    # ---- transactions

    @property
    def retry_for(self) -> Optional[float]:
        """How long after its beginning a body is run again that conflicts, in seconds, as it was opened; None: 30, or as long
        as the deadline says where there is one."""
        return getattr(self, "_retry_for", None)

    if TYPE_CHECKING:

        def read(self, *, deadline: Optional[float] = None, snapshot: bool = False) -> Transaction:
            """A transaction that only reads: one state of all stores, never a conflict, nobody is held up. `deadline` in
            seconds. `snapshot`: without the check of freshness of clustered modes."""
            ...

        def write(
            self,
            *,
            deadline: Optional[float] = None,
            durability: Optional[Durability] = None,
            id: Optional[uuid.UUID] = None,
            check: bool = True,
        ) -> Transaction:
            """A transaction that reads and writes. Committing may be a ConflictError: sop.transactional, run() and
            attempts() run bodies again.

            deadline:   in seconds, after which it ends with TimeoutError; None: that of the database
            durability: of its commit; None: that of the database
            id:         the caller's own, for outcome(); None: one is made
            check:      False: what it reads is not validated
            """
            ...

    def _read(self, *, deadline: Optional[float] = None, snapshot: bool = False) -> Transaction:
        """What read() does when it is given something; the extension does the rest."""
        return self.begin(Mode.SNAPSHOT if snapshot else Mode.READ, deadline=deadline)

    def _write(
        self,
        *,
        deadline: Optional[float] = None,
        durability: Optional[Durability] = None,
        id: Optional[uuid.UUID] = None,
        check: bool = True,
    ) -> Transaction:
        """The same of write()."""
        return self.begin(Mode.WRITE if check else Mode.NOCHECK, deadline=deadline, durability=durability, id=id)

    def begin(
        self,
        mode: Mode = Mode.WRITE,
        *,
        deadline: Optional[float] = None,
        durability: Optional[Durability] = None,
        id: Optional[uuid.UUID] = None,
    ) -> Transaction:
        """A transaction of any mode, with all that read() and write() take."""
        return Transaction(
            self,
            _raw.begin(
                self._handle,
                given.member(Mode, mode, "mode"),
                given.milliseconds(deadline),
                0 if durability is None else given.member(Durability, durability, "durability"),
                given.identity(id),
            ),
        )

    def run(self, body: Callable[Concatenate[Transaction, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Returns body(tx, ...), run in a transaction that commits; again if it conflicts, for 30 seconds, or as
        the database was opened (retry_for, deadline_ms). The body may run more than once, so it should change nothing outside."""
        return retry.run(self, body, args, kwargs)

    def attempts(
        self,
        *,
        deadline: Optional[float] = None,
        durability: Optional[Durability] = None,
        id: Optional[uuid.UUID] = None,
        check: bool = True,
        retry_for: Optional[float] = None,
    ) -> Iterator[retry.Attempt]:
        """The same for a block:

            for attempt in db.attempts():
                with attempt as tx:
                    ...

        The block is run again while it conflicts, until `deadline` or, from its beginning, for `retry_for` (both in seconds;
        30 unless one is set, by the database or here; 0: it is not run again). All other arguments are those
        of write(). With an `id` of the program's, which all attempts have, the block cannot commit twice: once it has,
        beginning it is an ExistsError.
        """
        return retry.attempts(self, deadline, durability, id, check, retry_for)

    def outcome(self, id: uuid.UUID) -> Outcome:
        """What became of the transaction `id`: exact for the last million that wrote, also after opening again."""
        identity = given.identity(id)
        if identity is None:
            raise TypeError("outcome(id) is asked with the id that the transaction had")
        kind, position = _raw.sop_txn_outcome(self._handle, identity)
        return Outcome(OutcomeKind(kind), position)

    # ---- stores

    def stores(self) -> List[str]:
        """The names of all stores, in the order of their bytes."""
        with self.read() as tx:
            return tx.stores()

    def create(self, store: Store[Any, Any], *, exist_ok: bool = False) -> None:
        """Creates a store; ExistsError if there is one of that name, unless `exist_ok`. (The first write would do it, too.)"""
        self.run(lambda tx: tx.create(store, exist_ok=exist_ok))

    def drop(self, store: Store[Any, Any]) -> None:
        """Drops a store with all its items; NotFoundError if there is none."""
        self.run(lambda tx: tx.drop(store))

    def rename(self, store: Store[Any, Any], to: str) -> None:
        """Renames a store; its declaration keeps the old name."""
        self.run(lambda tx: tx.rename(store, to))

    def describe(self, store: Store[Any, Any]) -> StoreInfo:
        """How a store is kept."""
        return self[store].describe()

    # ---- figures and messages

    def info(self) -> Info:
        """What it is and how it was opened."""
        return info_of(_raw.sop_db_info(self._handle))

    def stats(self) -> Stats:
        """Its figures: counters since opening, and levels now."""
        return Stats(*_raw.sop_db_stats(self._handle))

    def metrics(self) -> str:
        """The same as OpenMetrics text."""
        return _raw.sop_db_metrics(self._handle).decode()

    def log_to(
        self, logger: Union[str, logging.Logger] = "sop", level: Union[int, str] = logging.INFO
    ) -> threading.Thread:
        """Passes messages from `level` (logging.INFO, "INFO") on to a logger of Python's, from a thread that ends when the
        database is closed. Another call changes logger and level; a level above logging.ERROR ends the messages."""
        target = given.logger(logger)
        recorded = logs.native_level(given.level(level))
        _raw.sop_log_enable(self._handle, recorded)
        with logs.STARTING:
            try:
                pump = self._log
            except AttributeError:
                pump = self._log = logs.Pump(self._handle)
            return pump.pass_to(target if recorded else None)

    # ---- care

    def sync(self) -> None:
        """Puts everything that has committed on stable storage, whatever its durability was."""
        _raw.sop_sync(self._handle)

    def checkpoint(self) -> None:
        """Writes a checkpoint now, so that opening after a crash has next to no log to read. It happens by itself, too."""
        _raw.sop_checkpoint(self._handle)

    def gc(self, progress: Optional[Progress] = None) -> None:
        """Gives space back to the file system. It happens by itself as space is needed; after removing much, this does it
        at once."""
        self._call(_raw.sop_gc, progress)

    def backup(self, path: Path, progress: Optional[Progress] = None) -> int:
        """Copies the database as of one position into the folder `path`, which is missing or empty, while others go on.
        Returns the position. sop.restore makes a database of it; until then it is a database itself."""
        return self._call(_raw.sop_backup, os.fsencode(path), progress)

    def verify(
        self, found: Optional[Callable[[Problem], Any]] = None, progress: Optional[Progress] = None
    ) -> List[Problem]:
        """Checks every file and every tree, while others go on. Returns what is wrong; nothing is damaged if no Problem
        says is_damage. `found` is called for each at once; returning False stops with CancelledError."""
        problems: List[Problem] = []

        def note(*fields: Any) -> Any:
            problems.append(Problem(*fields))
            return None if found is None else found(problems[-1])

        try:
            self._call(_raw.sop_verify, (note, progress))
        except CorruptError:
            if not problems:
                raise
        return problems

    def __reduce__(self) -> Any:
        raise TypeError("a database cannot be pickled: open it in the other process")

    def __repr__(self) -> str:
        return f"<sop.Database at {id(self):#x}>"


def open(
    path: Path,
    *,
    create: bool = False,
    read_only: bool = False,
    durability: Optional[Durability] = None,
    deadline_ms: Optional[int] = None,
    retry_for: Optional[float] = None,
    node_bytes: Optional[int] = None,
    node_items: Optional[int] = None,
    inline_value_bytes: Optional[int] = None,
    transaction_bytes_max: Optional[int] = None,
    snapshot_bytes_max: Optional[int] = None,
    flush_interval_ms: Optional[int] = None,
    cache_bytes: Optional[int] = None,
    log_bytes_max: Optional[int] = None,
    registry_buckets: Optional[int] = None,
) -> Database:
    """Opens a database.

    path: of its folder, which one process has open at a time; or "inmemory:", a new one that lives until it is closed;
          or a URL with options such as "inredfs:/srv/db?create=true". A path object is always a path.
    create: make the database if it is missing, in a folder that is missing or empty.
    read_only: only look: nothing is ever written, and the folder need not be writable.
    durability: of transactions that do not say; FLUSHED unless set.
    retry_for: how long after its beginning a body that conflicts is run again, in seconds; 30 unless set, or as long as the
          deadline says where there is one.

    All others are as include/sop/options.h has them: sizes in bytes, times in milliseconds, None for the default.

    NotFoundError: there is no database and `create` was not set; LockedError: it is open elsewhere; CorruptError: something
    that had been acknowledged is damaged.
    """
    settings = dict(locals())
    url = _url(settings.pop("path"))
    patience = given.retry_for(settings.pop("retry_for"))
    options = _raw.sop_options_new()
    for name, value in settings.items():
        if value is None or value is False:  # a URL may say it
            continue
        if name in ("create", "read_only"):
            _raw.sop_options_set_bool(options, name, bool(value))
        elif name == "durability":
            number = given.member(Durability, value, name)
            _raw.sop_options_set_text(options, name, Durability(number).name.lower())
        elif isinstance(value, int):
            _raw.sop_options_set_int(options, name, value)
        else:
            raise TypeError(f"{name} is an int; not {value!r}")
    db = Database(_raw.sop_open(url, options))
    db._retry_for = patience  # pyright: ignore[reportPrivateUsage]
    return db


def restore(backup: Path, path: Path, progress: Optional[Progress] = None) -> None:
    """Makes a database in the folder `path`, which is missing or empty, of the copy that Database.backup made, and checks
    it. The copy stays as it is."""
    _raw.sop_restore(os.fsencode(backup), os.fsencode(path), progress)


def peek(path: Path) -> Peek:
    """Looks at the database in a folder from outside, whoever has it open: takes no lock and waits for nobody."""
    return peek_of(os.fsencode(path))
