"""Exceptions: every status has one, with its traits."""

from __future__ import annotations

import builtins
import os
import pickle
import re
import unittest

from support import SOURCE, Folder, main

import sop
from sop import errors


def table() -> list:
    """The statuses of the header: (name, number, traits)."""
    with open(os.path.join(SOURCE, "include/sop/error.h"), encoding="utf-8") as header:
        text = header.read()
    found = re.findall(r"X\((\w+), (-?\d+), ([^,]+),", text.replace("\\\n", " "))
    return [(name, int(number), re.findall(r"SOP_TRAIT_(\w+)", traits)) for name, number, traits in found]


class Statuses(unittest.TestCase):
    def test_every_status_has_an_exception_of_its_own(self) -> None:
        statuses = table()
        self.assertGreaterEqual(len(statuses), 22)
        seen = set()
        for name, number, traits in statuses:
            self.assertEqual(errors.STATUS_NAMES[number], name)
            if name == "OK":
                continue
            cls = errors.class_of_status(number)
            self.assertIsNot(cls, sop.Error, f"{name} has no exception of its own")
            self.assertTrue(issubclass(cls, sop.Error))
            self.assertIs(getattr(sop, cls.__name__), cls)
            self.assertIn(cls.__name__, sop.__all__)
            self.assertEqual(cls.__name__, name.title().replace("_", "") + "Error")
            error = errors.from_native(number, cls.traits, 0, -1, "", "", "text")
            has = [t for t in ("RETRY", "ABORT", "MAYBE_COMMITTED", "FATAL", "MISUSE") if getattr(error, t.lower())]
            self.assertEqual(has, traits, name)
            self.assertEqual((error.status, error.name, str(error)), (number, name, "text"))
            seen.add(cls)
        self.assertEqual(len(seen), len(statuses) - 1)

    def test_they_are_what_python_has_for_the_same(self) -> None:
        for cls, base in (
            (sop.TimeoutError, builtins.TimeoutError),
            (sop.NoMemoryError, MemoryError),
            (sop.IoError, OSError),
            (sop.NotFoundError, LookupError),
            (sop.SchemaError, ValueError),
        ):
            self.assertTrue(issubclass(cls, base))
        self.assertFalse(issubclass(sop.NotFoundError, KeyError))

    def test_a_status_that_is_not_known_yet_is_an_error(self) -> None:
        error = errors.from_native(-99, 1, 5, 7, "s", "f", "new")
        self.assertIs(type(error), sop.Error)
        self.assertTrue(error.retry)
        self.assertEqual((error.offset, error.store, error.file, error.os_errno), (7, "s", "f", 5))

    def test_they_can_be_pickled(self) -> None:
        error = errors.from_native(-15, 0, 5, 7, "s", "f", "broken")
        back = pickle.loads(pickle.dumps(error))
        self.assertEqual((type(back), str(back), back.file, back.os_errno), (sop.IoError, str(error), "f", 5))


class Told(Folder):
    def test_a_store_that_is_not_there_is_named(self) -> None:
        with sop.open("inmemory:") as db, self.assertRaises(sop.NotFoundError) as caught:
            db[sop.Store("nowhere")].get(b"k")
        self.assertEqual(caught.exception.store, "nowhere")
        self.assertIn("(store 'nowhere')", str(caught.exception))

    def test_they_say_what_and_where(self) -> None:
        with self.assertRaises(sop.NotFoundError) as caught:
            sop.open(self.path("missing"))
        self.assertIn("create", str(caught.exception))
        with sop.open(self.path(), create=True):
            with self.assertRaises(sop.LockedError) as locked:
                sop.open(self.path(), flush_interval_ms=77)
            self.assertTrue(locked.exception.retry)
        with self.assertRaises(sop.LimitError):
            sop.open(self.path(), cache_bytes=1)
        with self.assertRaises(sop.MisuseError):
            sop.open("inredfs:/x?no_such_option=1")
        with self.assertRaises(ValueError):
            sop.open("with\0nul")


if __name__ == "__main__":
    main()
