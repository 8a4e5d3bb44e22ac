"""Exceptions: every status has one, with its traits."""

from __future__ import annotations

import builtins
import math
import os
import pickle
import re
import unittest
from typing import Any

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

    def test_a_store_is_named_though_its_name_is_a_part_of_the_message(self) -> None:
        with sop.open("inmemory:") as db, self.assertRaises(sop.NotFoundError) as caught:
            db[sop.Store("store")].get(b"k")
        self.assertIn("(store 'store')", str(caught.exception))

    def test_a_wrong_argument_is_named_with_what_would_do(self) -> None:
        class Whole(sop.Key):
            number: float

        any_db: Any = sop.open("inmemory:")
        any_open: Any = sop.open
        texts, raw = sop.Store("texts", key=str), sop.Store("raw")
        numbers = sop.Store("numbers", key=str, value=sop.INT64)
        transactional: Any = sop.transactional(lambda tx: None)
        tx = any_db.write()
        for wanted, call in (
            (r"TypeError: the id .* uuid\.UUID.*'abc'", lambda: any_db.outcome("abc")),
            (r"TypeError: outcome\(id\)", lambda: any_db.outcome(None)),
            (r"TypeError: the id .* uuid\.UUID.*'abc'", lambda: any_db.write(id="abc")),
            (r"ValueError: deadline .* seconds.* nan", lambda: any_db.write(deadline=math.nan)),
            (r"ValueError: deadline .* above 0.* 0", lambda: any_db.read(deadline=0)),
            (r"ValueError: deadline .* above 0.* 0", lambda: next(any_db.attempts(deadline=0))),
            (r"TypeError: deadline .* seconds.*'1'", lambda: any_db.write(deadline="1")),
            (r"ValueError: retry_for .* 0 or more.* -1", lambda: next(any_db.attempts(retry_for=-1))),
            (r"ValueError: retry_for .* nan", lambda: sop.transactional(retry_for=math.nan)),
            (r"TypeError: retry_for .* seconds.*'1'", lambda: sop.open("inmemory:", retry_for="1")),
            (r"TypeError: durability .*FLUSHED.*'none'", lambda: any_db.write(durability="none")),
            (r"ValueError: durability .*FLUSHED.* 7", lambda: any_open("inmemory:", durability=7)),
            (r"TypeError: mode .*READ.*'r'", lambda: any_db.begin("r")),
            (r"TypeError: cache_bytes is an int; not 1\.5", lambda: any_open("inmemory:", cache_bytes=1.5)),
            (r"ValueError: level .*logging\.INFO.*'LOUD'", lambda: any_db.log_to(level="LOUD")),
            (r"TypeError: level .*logging\.INFO.*None", lambda: any_db.log_to(level=None)),
            (r"TypeError: logger .* 5", lambda: any_db.log_to(logger=5)),
            (r"TypeError: limit .*'x'", lambda: any_db[raw].items(limit="x")),
            (r"ValueError: limit .*-1", lambda: any_db[raw].items(limit=-1)),
            (r"TypeError: a prefix .* str; not 5", lambda: any_db[texts].prefix(5)),
            (r"TypeError: .*bytes.* 'int'", lambda: any_db[raw].prefix(5)),
            (r"TypeError: the name .* str; not 5", lambda: tx.rename(raw, 5)),
            (r"TypeError: a sop\.Database or .* 5", lambda: transactional(5)),
            (r"TypeError: an int .* 1\.5", lambda: any_db[numbers].add("a", 1.5)),
            (r"OverflowError: an int from -2\^63 .* 9223372036854775808", lambda: any_db[numbers].max("a", 1 << 63)),
            (r"TypeError: sop\.INT64 holds an int; not 1\.5", lambda: any_db[numbers].insert("a", 1.5)),
            (r"TypeError: sop\.INT64 holds an int; not 'x'", lambda: any_db[numbers].update({"a": "x"})),
            (
                r"OverflowError: sop\.INT64 holds -2\^63 .* -9223372036854775809",
                lambda: any_db[numbers].insert("a", -(1 << 63) - 1),
            ),
        ):
            with self.subTest(wanted), self.assertRaises((TypeError, ValueError, OverflowError)) as caught:
                call()
            self.assertRegex(f"{type(caught.exception).__name__}: {caught.exception}", wanted)
        tx[raw][b"k"] = b""
        with self.assertRaisesRegex(ValueError, "where is .*; not 'near'"):
            tx[raw].cursor().seek(b"k", "near")
        for deadline in (math.inf, 10**400, 1e-9):  # longer than any wait, and shorter
            any_db.write(deadline=deadline).close()
        any_db.log_to(level="warning")
        # An int that a float holds exactly is one, as in Python.
        floats = sop.Store("floats", key=sop.FLOAT)
        any_db[floats][3] = b"three"
        self.assertEqual((list(any_db[floats]), any_db[floats][3.0]), ([3.0], b"three"))
        wholes = sop.Store("wholes", key=Whole)
        any_db[wholes].put_many([(Whole(4), b""), ((5,), b"")])
        self.assertEqual(list(any_db[wholes]), [Whole(4.0), Whole(5.0)])
        with self.assertRaisesRegex(sop.SchemaError, "exactly"):
            any_db[floats][2**53 + 1] = b""
        tx.rollback()
        any_db.close()

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
