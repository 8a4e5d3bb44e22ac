"""The messages of a database, passed on to Python's logging."""

from __future__ import annotations

import logging
import threading
from typing import Any

from . import _raw
from .errors import Error

_WAIT_MS = 500  # a message ends the wait at once, and so does closing the database

_LEVELS = {
    _raw.SOP_LOG_ERROR: logging.ERROR,
    _raw.SOP_LOG_WARNING: logging.WARNING,
    _raw.SOP_LOG_INFO: logging.INFO,
    _raw.SOP_LOG_DEBUG: logging.DEBUG,
}


def native_level(level: int) -> int:
    """What the library shall record for a level of Python's."""
    return max((ours for ours, theirs in _LEVELS.items() if theirs >= level), default=_raw.SOP_LOG_OFF)


def _pass_on(handle: _raw.Handle, logger: logging.Logger) -> None:
    """Until the database is closed. Holds the handle, not the sop.Database, which may be dropped meanwhile."""
    while True:
        try:
            message: Any = _raw.sop_log_next(handle, _WAIT_MS)
        except Error:  # closed
            return
        if message is not None:
            level, lost, time_ns, text = message
            if lost:
                logger.warning("%d messages were lost: nobody took them in time", lost)
            logger.log(_LEVELS.get(level, logging.INFO), "%s", text, extra={"sop_time_ns": time_ns})


def start(handle: _raw.Handle, logger: logging.Logger) -> threading.Thread:
    """Passes messages on to `logger` from a thread of its own."""
    thread = threading.Thread(target=_pass_on, args=(handle, logger), name="sop-log", daemon=True)
    thread.start()
    return thread
