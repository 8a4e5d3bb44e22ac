"""The messages of a database, passed on to Python's logging."""

from __future__ import annotations

import logging
import threading
import traceback
from typing import Any, Optional

from . import _raw
from .errors import Error

_PAUSE_S = 0.1  # between two looks for messages; so long a thread may outlive its database

STARTING = threading.Lock()
"""Who starts a pump, or gives it another logger, holds it."""

_LEVELS = {
    _raw.SOP_LOG_ERROR: logging.ERROR,
    _raw.SOP_LOG_WARNING: logging.WARNING,
    _raw.SOP_LOG_INFO: logging.INFO,
    _raw.SOP_LOG_DEBUG: logging.DEBUG,
}


def native_level(level: int) -> int:
    """What the library shall record for a level of Python's."""
    return max((ours for ours, theirs in _LEVELS.items() if theirs >= level), default=_raw.SOP_LOG_OFF)


def _tell(logger: logging.Logger, level: int, text: str, time_ns: int) -> None:
    """As logger.log, but the record has the time of the message, and not of its being taken."""
    if not hasattr(logger, "makeRecord"):  # what only looks like one, such as a LoggerAdapter
        logger.log(level, "%s", text, extra={"sop_time_ns": time_ns})
    elif logger.isEnabledFor(level):
        _hand_over(logger, level, text, time_ns)


def _hand_over(logger: logging.Logger, level: int, text: str, time_ns: int) -> None:
    record = logger.makeRecord(logger.name, level, __file__, 0, "%s", (text,), None, extra={"sop_time_ns": time_ns})
    late = record.created
    record.created = time_ns / 1e9
    record.msecs = float(time_ns // 1_000_000 % 1000)
    record.relativeCreated -= (late - record.created) * 1000
    logger.handle(record)


class Pump:
    """The one thread that takes the messages of a database, for the logger that was named last. Holds the handle, not the
    sop.Database, which may be dropped meanwhile."""

    def __init__(self, handle: _raw.Handle) -> None:
        self._handle = handle
        self._logger: Optional[logging.Logger] = None
        self._thread: Optional[threading.Thread] = None
        self._changed = threading.Event()

    def pass_to(self, logger: Optional[logging.Logger]) -> threading.Thread:
        """From now on to this one, until the database is closed; None: the thread has ended when this returns, and takes no
        message from another handle of the same folder."""
        self._logger = logger
        thread = self._thread
        if thread is None or not thread.is_alive():
            self._changed.clear()
            thread = self._thread = threading.Thread(target=self._run, name="sop-log", daemon=True)
            thread.start()
        if logger is None and thread is not threading.current_thread():
            self._changed.set()
            thread.join()
        return thread

    def _run(self) -> None:
        try:
            while self._logger is not None:
                message: Any = _raw.sop_log_next(self._handle, 0)
                if message is None:
                    self._changed.wait(_PAUSE_S)
                else:
                    self._hand(*message)
        except Error:  # closed
            pass

    def _hand(self, level: int, lost: int, time_ns: int, text: str) -> None:
        logger = self._logger
        if logger is None:
            return
        try:
            if lost:
                logger.warning("%d messages were lost: nobody took them in time", lost)
            _tell(logger, _LEVELS.get(level, logging.INFO), text, time_ns)
        except Exception:  # the program's; the messages after it are told all the same
            if logging.raiseExceptions:
                traceback.print_exc()
