"""SOP: an embedded, transactional, ordered store.

    import sop

    USERS = sop.Store("users", key=sop.STR, value=sop.JSON)

    with sop.open("data", create=True) as db:
        with db.write() as tx:                  # commits when the block ends, rolls back if it raises
            tx[USERS]["ann"] = {"age": 30}
        print(db[USERS]["ann"])                 # one call: begin, get, end

docs/python.md is the reference, docs/cookbook.md has recipes; sop.aio is the same for asyncio.
"""

from . import _raw
from .codec import BYTES, INT64, JSON, Codec
from .cursor import Cursor, Entry
from .database import Database, Outcome, OutcomeKind, open, peek, restore
from .errors import (
    CancelledError,
    ClosedError,
    ConflictError,
    CorruptError,
    Error,
    ExistsError,
    FailedError,
    ForkedError,
    IoError,
    LimitError,
    LockedError,
    MisuseError,
    NoMemoryError,
    NoSpaceError,
    NotFoundError,
    ReadOnlyError,
    SchemaError,
    TimeoutError,
    UnavailableError,
    UnknownError,
    UnsupportedError,
    WouldBlockError,
)
from .figures import Info, Peek, Problem, Stats
from .key import BOOL, FLOAT, INT, STR, TIME, UUID, Key, KeyType, desc, field, ride
from .retry import Attempt, transactional
from .store import Store
from .transaction import Conflict, Durability, Mode, Savepoint, Transaction
from .view import Items, Keys, StoreInfo, Values, View

FLUSHED = Durability.FLUSHED
WRITTEN = Durability.WRITTEN
BUFFERED = Durability.BUFFERED

__version__: str = _raw.sop_version()
"""Of the library that is loaded."""


def has_feature(name: str) -> bool:
    """Whether the library has a feature, such as "inmemory"."""
    return bool(_raw.sop_has_feature(name))


__all__ = [
    "Attempt",
    "BOOL",
    "BUFFERED",
    "BYTES",
    "CancelledError",
    "ClosedError",
    "Codec",
    "Conflict",
    "ConflictError",
    "CorruptError",
    "Cursor",
    "Database",
    "Durability",
    "Entry",
    "Error",
    "ExistsError",
    "FLOAT",
    "FLUSHED",
    "FailedError",
    "ForkedError",
    "INT",
    "INT64",
    "Info",
    "IoError",
    "Items",
    "JSON",
    "Key",
    "KeyType",
    "Keys",
    "LimitError",
    "LockedError",
    "MisuseError",
    "Mode",
    "NoMemoryError",
    "NoSpaceError",
    "NotFoundError",
    "Outcome",
    "OutcomeKind",
    "Peek",
    "Problem",
    "ReadOnlyError",
    "STR",
    "Savepoint",
    "SchemaError",
    "Stats",
    "Store",
    "StoreInfo",
    "TIME",
    "TimeoutError",
    "Transaction",
    "UUID",
    "UnavailableError",
    "UnknownError",
    "UnsupportedError",
    "Values",
    "View",
    "WRITTEN",
    "WouldBlockError",
    "desc",
    "field",
    "has_feature",
    "open",
    "peek",
    "restore",
    "ride",
    "transactional",
]
