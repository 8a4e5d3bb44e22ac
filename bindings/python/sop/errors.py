"""Exceptions: one for each status of the library, all of them a sop.Error.

What a program can act on are the traits, not the class: `retry`, `abort` (roll back and run again), `maybe_committed`,
`fatal` (close the database, open it again), `misuse`. A key that is not there is a KeyError, as in any mapping.
"""

from __future__ import annotations

import builtins
from typing import Dict, Optional, Type

from . import _raw


class Error(Exception):
    """What went wrong, where, and what to do. Its text is one sentence.

    status, name: of the library, such as -3 and "CONFLICT"
    traits:       the bits SOP_TRAIT_...; retry, abort, maybe_committed, fatal, misuse tell them one by one
    os_errno:     errno of the operating system, or 0
    store, file:  name of the store and path of the file concerned, or ""
    offset:       place in `file` or in the input in bytes, or -1
    rows_done:    of put_many and its like: how many rows were done before the one that failed
    """

    status: int = 0
    name: str = "?"
    traits: int = 0
    os_errno: int = 0
    offset: int = -1
    store: str = ""
    file: str = ""
    rows_done: int = 0

    @property
    def retry(self) -> bool:
        """Whether the same call may succeed later."""
        return bool(self.traits & _raw.SOP_TRAIT_RETRY)

    @property
    def abort(self) -> bool:
        """Whether to roll the transaction back and run it again."""
        return bool(self.traits & _raw.SOP_TRAIT_ABORT)

    @property
    def maybe_committed(self) -> bool:
        """Whether the commit may have happened: ask Database.outcome before doing anything again."""
        return bool(self.traits & _raw.SOP_TRAIT_MAYBE_COMMITTED)

    @property
    def fatal(self) -> bool:
        """Whether the database has to be closed; opening it again recovers."""
        return bool(self.traits & _raw.SOP_TRAIT_FATAL)

    @property
    def misuse(self) -> bool:
        """Whether the program is wrong: repeating it cannot help."""
        return bool(self.traits & _raw.SOP_TRAIT_MISUSE)


class NotFoundError(Error, LookupError):
    """There is no such store, item or database. (A key that is not there is a KeyError.)"""


class ExistsError(Error):
    """The key, store or transaction id is already there."""


class ConflictError(Error):
    """Another transaction changed what this one read: roll back and run it again, as sop.transactional does.

    key: the packed key that they conflicted on, b"" if it was the store itself or its count; None if not known.
    """

    key: Optional[bytes] = None


class LockedError(Error):
    """The database is open elsewhere, or here with other options."""


class TimeoutError(Error, builtins.TimeoutError):
    """The deadline has passed."""


class CancelledError(Error):
    """The transaction was cancelled."""


class UnknownError(Error):
    """The commit may or may not have happened: open the database again and ask Database.outcome."""


class ClosedError(Error):
    """The database, transaction or cursor is closed."""


class ForkedError(Error):
    """It was opened before fork: open it anew in the child."""


class ReadOnlyError(Error):
    """Writing is not allowed here."""


class SchemaError(Error, ValueError):
    """A key, value or schema has not the declared form."""


class LimitError(Error, ValueError):
    """A size or number is beyond its limit."""


class NoSpaceError(Error):
    """The storage is full: free some and try again."""


class NoMemoryError(Error, MemoryError):
    """Out of memory."""


class IoError(Error, OSError):
    """The operating system reported an I/O error."""


class CorruptError(Error):
    """Stored bytes are damaged: run Database.verify."""


class UnavailableError(Error):
    """A server cannot be reached."""


class UnsupportedError(Error):
    """This build, file system or version cannot do that."""


class MisuseError(Error):
    """The call breaks a rule of the interface."""


class FailedError(Error):
    """The database stopped after an error: open it again."""


class WouldBlockError(Error):
    """The answer of View.get_now is not in memory: ask get() in a thread that may wait."""


def _class_of(name: str) -> Type[Error]:
    """The exception of a status: NO_SPACE is NoSpaceError. One that this package does not know yet is a plain Error."""
    found = globals().get(name.title().replace("_", "") + "Error")
    return found if isinstance(found, type) and issubclass(found, Error) else Error


_BY_STATUS: Dict[int, Type[Error]] = {}
STATUS_NAMES: Dict[int, str] = {}
"""The names of all statuses by their number."""

for _name, _status, _traits, _text in _raw.status_table():
    STATUS_NAMES[_status] = _name
    if _status != 0:
        _BY_STATUS[_status] = _class_of(_name)
        _BY_STATUS[_status].status = _status
        _BY_STATUS[_status].name = _name
        _BY_STATUS[_status].traits = _traits


def from_native(status: int, traits: int, os_errno: int, offset: int, store: str, file: str, message: str) -> Error:
    """The exception of a failure in the library; the extension calls this."""
    if store and repr(store) not in message:  # a short name without quotes is a part of many a word
        message = f"{message} (store {store!r})"
    error = _BY_STATUS.get(status, Error)(message)
    error.status = status
    error.name = STATUS_NAMES.get(status, "?")
    error.traits = traits
    error.os_errno = os_errno
    error.offset = offset
    error.store = store
    error.file = file
    if isinstance(error, OSError):
        error.errno = os_errno or None
    return error


def class_of_status(status: int) -> Type[Error]:
    """The exception class of a status, which is negative."""
    return _BY_STATUS.get(status, Error)
