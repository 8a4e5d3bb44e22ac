"""Databases: opening, figures, messages, backups, checks."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import pathlib
import queue
import re
import threading
import time
import unittest
import warnings
from typing import Any, Callable, List

from support import SOURCE, Both, Folder, main, on_disk

import sop
from sop import _raw, logs

S = sop.Store("s", key=sop.STR, value=sop.JSON)


def struct_fields(header: str, name: str) -> List[str]:
    """The fields of a public structure behind struct_size, in their order."""
    with open(os.path.join(SOURCE, "include/sop", header), encoding="utf-8") as lines:
        text = re.sub(r"/\*.*?\*/", "", lines.read(), flags=re.S)
    body = re.search(r"typedef struct %s \{(.*?)\} %s;" % (name, name), text, re.S)
    assert body is not None
    return re.findall(r"(\w+)(?:\[\d+\])?;", body.group(1))[1:]


class Agreement(unittest.TestCase):
    """What is written twice says the same."""

    def test_structures_have_the_fields_of_the_header(self) -> None:
        self.assertEqual(list(sop.Stats._fields), struct_fields("stats.h", "sop_stats"))
        self.assertEqual(list(sop.Info._fields[:-1]), struct_fields("database.h", "sop_info"))
        self.assertEqual(list(sop.Peek._fields[:-1]), struct_fields("stats.h", "sop_peek"))

    def test_every_option_of_the_library_can_be_given(self) -> None:
        with open(os.path.join(SOURCE, "include/sop/options.h"), encoding="utf-8") as header:
            names = re.findall(r"^ \* \| (\w+) +\| (?:boolean|integer|word)", header.read(), re.M)
        self.assertGreaterEqual(len(names), 12)
        import inspect

        self.assertEqual(set(names), set(inspect.signature(sop.open).parameters) - {"path", "retry_for"})

    def test_the_stubs_name_what_the_extension_has(self) -> None:
        with open(os.path.join(SOURCE, "bindings/python/sop/_raw.pyi"), encoding="utf-8") as stubs:
            text = stubs.read()
        named = set(re.findall(r"^(?:def|class) (\w+)", text, re.M)) | set(re.findall(r"^(SOP_\w+):", text, re.M))
        self.assertEqual({name for name in named if not hasattr(_raw, name)}, set())
        functions = {name for name in dir(_raw) if name.startswith("sop_")}
        self.assertEqual(functions - named, set())

    def test_every_function_of_the_library_is_reached(self) -> None:
        with open(os.path.join(SOURCE, "tests/abi/exported.txt"), encoding="utf-8") as lines:
            exported = set(re.findall(r"\bsop_\w+", lines.read()))
        native = ""
        for path in pathlib.Path(SOURCE, "bindings/python/native").glob("*.c"):
            native += path.read_text(encoding="utf-8")
        without = {
            "sop_run",  # sop_txn_again is its loop
            "sop_buf_reserve",
            "sop_store_name",  # the declaration knows it
            "sop_value_parse",  # for programs that take keys from people: Python has its own
            "sop_value_text",
            "sop_key_next_prefix",  # ranges take prefixes
            "sop_schema_field_name",  # the class knows them
            "sop_cursor_next_many",  # sop_cursor_fetch gives as many
            "sop_get",  # sop_fetch does the same, and can be asked not to wait
        }
        reached = {name for name in exported if hasattr(_raw, name) or re.search(r"\b%s\(" % name, native)}
        self.assertEqual(exported - reached, without)


class Figures(Both):
    def test_info_stats_and_metrics(self) -> None:
        with self.db.write() as tx:
            tx[S]["a"] = 1
        info, stats = self.db.info(), self.db.stats()
        self.assertEqual(info.backend, "inmemory" if self.url == "inmemory:" else "inredfs")
        self.assertEqual(info.path, "" if self.url == "inmemory:" else self.path())
        self.assertIs(info.durability, sop.FLUSHED)
        self.assertEqual((stats.commits, stats.stores, stats.position), (1, 1, tx.position))
        self.assertIn("# TYPE sop_", self.db.metrics())
        self.assertTrue(self.db.metrics().endswith("# EOF\n"))

    def test_verify_finds_nothing(self) -> None:
        self.db[S].put_many((f"k{i}", i) for i in range(1000))
        calls: List[Any] = []
        self.assertEqual(self.db.verify(calls.append, lambda *numbers: calls.append(numbers)), [])
        self.db.sync()
        self.db.checkpoint()
        self.db.gc(lambda done, total: calls.append((done, total)))
        self.db.gc()
        self.assertTrue(all(isinstance(call, tuple) for call in calls))


FiguresOnDisk = on_disk(Figures)


class Care(Folder):
    def setUp(self) -> None:
        super().setUp()
        self.db = sop.open(self.path(), create=True)
        self.addCleanup(self.db.close)
        self.db[S].put_many((f"k{i}", "v" * 1000) for i in range(3000))

    def test_backup_and_restore(self) -> None:
        steps: List[Any] = []
        position = self.db.backup(self.path("copy"), lambda done, total: steps.append((done, total)))
        self.assertEqual(position, self.db.stats().position)
        self.assertTrue(steps)
        self.db[S]["later"] = 1
        sop.restore(pathlib.Path(self.path("copy")), self.path("back"), lambda done, total: None)
        with sop.open(self.path("back")) as back:
            self.assertEqual(len(back[S]), 3000)
            self.assertNotIn("later", back[S])
            self.assertEqual(back.verify(), [])
        with self.assertRaises(sop.ExistsError):
            self.db.backup(self.path("copy"))

    def test_callbacks_stop_long_calls(self) -> None:
        with self.assertRaises(sop.CancelledError):
            self.db.backup(self.path("copy"), lambda done, total: False)
        with self.assertRaises(sop.CancelledError):
            self.db.verify(progress=lambda done, total: False)

        def fails(*_numbers: int) -> None:
            raise ZeroDivisionError

        for call in (lambda: self.db.backup(self.path("other"), fails), lambda: self.db.verify(progress=fails)):
            with self.assertRaises(ZeroDivisionError):
                call()

    def test_a_callback_uses_the_database_but_cannot_close_it(self) -> None:
        def progress(_done: int, _total: int) -> None:
            self.db[S]["from inside"] = 1
            with self.assertRaises(sop.MisuseError):
                self.db.close()

        self.db.backup(self.path("copy"), progress)
        self.assertEqual(self.db[S]["from inside"], 1)

    def test_damage_is_found(self) -> None:
        self.db.checkpoint()
        self.db.close()
        for path in sorted(pathlib.Path(self.path()).rglob("*")):
            if path.is_file() and path.stat().st_size > 100_000 and "log" not in str(path):
                with open(path, "r+b") as file:
                    file.seek(path.stat().st_size // 2)
                    file.write(b"\xa5" * 64)
        with sop.open(self.path()) as db:
            problems = db.verify()
            self.assertTrue(any(problem.is_damage for problem in problems), problems)
            self.assertTrue(all(problem.message and problem.kind for problem in problems))
            with self.assertRaises(sop.CorruptError) as caught:
                list(db[S].items())
            self.assertTrue(caught.exception.fatal and caught.exception.file)

    def test_peek_sees_it_from_outside(self) -> None:
        seen = sop.peek(self.path())
        self.assertTrue(seen.is_open and seen.has_figures)
        self.assertEqual((seen.process, seen.uuid), (os.getpid(), self.db.info().uuid))
        assert seen.stats is not None
        self.assertEqual(len(seen.stats), len(sop.Stats._fields))
        self.db.close()
        self.assertFalse(sop.peek(self.path()).is_open)
        self.assertFalse(sop.peek(self.path("nothing")).is_open)


class Opening(Folder):
    def test_paths_and_urls(self) -> None:
        names: Any = [self.path("a"), pathlib.Path(self.path("b")), os.fsencode(self.path("c"))]
        for name in names:
            sop.open(name, create=True).close()
            with sop.open(name) as db:
                self.assertEqual(db.info().backend, "inredfs")
        with sop.open(f"inredfs:{self.path('d')}?create=true&durability=written") as db:
            self.assertIs(db.info().durability, sop.WRITTEN)
        odd = b"odd \xff"
        with sop.open(os.path.join(os.fsencode(self.folder), odd), create=True) as db:
            self.assertEqual(os.fsencode(db.info().path), os.path.join(os.fsencode(self.folder), odd))

    def test_a_path_object_is_never_a_url(self) -> None:
        before = os.getcwd()
        os.chdir(self.folder)
        try:
            with sop.open(pathlib.Path("inmemory:"), create=True) as db:
                self.assertEqual(db.info().backend, "inredfs")
        finally:
            os.chdir(before)
        self.assertTrue(os.path.isdir(self.path("inmemory:")))

    def test_nothing_is_made_unless_asked(self) -> None:
        with self.assertRaises(sop.NotFoundError):
            sop.open(self.path())
        self.assertEqual(os.listdir(self.folder), [])

    def test_two_handles_of_one_folder(self) -> None:
        with sop.open(self.path(), create=True) as one, sop.open(self.path()) as two:
            one[S]["a"] = 1
            self.assertEqual(two[S]["a"], 1)
            one.close()
            two[S]["b"] = 2
            with self.assertRaises(sop.ClosedError):
                one[S]["a"]

    def test_read_only(self) -> None:
        with sop.open(self.path(), create=True) as db:
            db[S]["a"] = 1
        with sop.open(self.path(), read_only=True) as db:
            self.assertEqual(db[S]["a"], 1)
            with self.assertRaises(sop.ReadOnlyError):
                db[S]["a"] = 2
            with self.assertRaises(sop.ReadOnlyError), db.write() as tx:
                tx[S]["b"] = 2

    def test_options_arrive(self) -> None:
        with sop.open(
            self.path(),
            create=True,
            durability=sop.BUFFERED,
            cache_bytes=1 << 23,
            deadline_ms=12345,
            node_bytes=8192,
            flush_interval_ms=5,
        ) as db:
            info = db.info()
        self.assertEqual(
            (info.durability, info.cache_bytes, info.deadline_ms, info.node_bytes, info.flush_interval_ms),
            (sop.BUFFERED, 1 << 23, 12345, 8192, 5),
        )

    def test_a_database_that_is_dropped_is_closed_with_a_warning(self) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            db = sop.open(self.path(), create=True)
            db[S]["a"] = 1
            del db
        self.assertEqual([each.category for each in caught], [ResourceWarning])
        with sop.open(self.path()) as db:
            self.assertEqual(db[S]["a"], 1)

    def test_only_stores_are_an_index(self) -> None:
        with sop.open("inmemory:") as db, db.write() as tx:
            for where in (db, tx):
                for index in ("s", 1, None):
                    with self.assertRaises(TypeError):
                        where[index]  # type: ignore[index]

    def test_a_wrong_declaration_is_refused_at_once(self) -> None:
        for wrong in ({"name": 5}, {"name": None}, {"name": "s", "value": dict}, {"name": "s", "value": None}):
            with self.assertRaises(TypeError):
                sop.Store(**wrong)  # type: ignore[call-overload]


class Messages(Folder):
    def test_they_reach_a_logger(self) -> None:
        records: List[logging.LogRecord] = []
        arrived = threading.Event()

        class Keep(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                records.append(record)
                arrived.set()

        logger = logging.getLogger("sop.test")
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.addHandler(Keep())
        began = time.time()
        db = sop.open(self.path(), create=True)
        thread = db.log_to(logger, logging.DEBUG)
        db[S]["a"] = 1
        until = time.monotonic() + 60
        while not records and time.monotonic() < until:
            db.checkpoint()
            db[S]["a"] = time.monotonic_ns()
            arrived.wait(0.2)
        db.close()
        thread.join(60)
        self.assertFalse(thread.is_alive())
        self.assertTrue(records and records[0].getMessage())
        for record in records:
            happened: int = vars(record)["sop_time_ns"]
            self.assertAlmostEqual(record.created, happened / 1e9, places=5)
            self.assertEqual(int(record.msecs), happened // 10**6 % 1000)
            self.assertTrue(began - 1 < record.created < time.time() + 1)
            self.assertLess(abs(record.relativeCreated - (record.created - began) * 1000), 3600_000)

    @staticmethod
    def logger(handle: Callable[[str], Any]) -> logging.Logger:
        """A logger of its own that hands the texts of messages on."""

        class Hand(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                handle(record.getMessage())

        logger = logging.Logger("sop.test")
        logger.addHandler(Hand())
        return logger

    def test_the_logger_that_was_named_last_gets_them_all(self) -> None:
        first: queue.Queue[str] = queue.Queue()
        second: queue.Queue[str] = queue.Queue()
        with sop.open(self.path(), create=True) as db:
            thread = db.log_to(self.logger(first.put))
            db.create(S)
            self.assertIn("created", first.get(timeout=60))
            self.assertIs(db.log_to(self.logger(second.put)), thread)
            for _ in range(20):
                db.drop(S)
                db.create(S)
            told = [second.get(timeout=60) for _ in range(40)]
            self.assertEqual([text.split()[3] for text in told], ["dropped", "created"] * 20)
            ended = db.log_to(level=logging.CRITICAL)
            self.assertFalse(ended.is_alive())
            db.drop(S)
            db.log_to(self.logger(second.put), "INFO")
            db.create(S)
            self.assertIn("created", second.get(timeout=60))
            self.assertTrue(first.empty() and second.empty())

    def test_a_logger_that_raises_costs_one_message(self) -> None:
        heard: queue.Queue[str] = queue.Queue()
        logger = self.logger(heard.put)

        def refuse(record: logging.LogRecord) -> bool:
            logger.removeFilter(refuse)
            raise ZeroDivisionError

        logger.addFilter(refuse)
        with sop.open(self.path(), create=True) as db, contextlib.redirect_stderr(io.StringIO()) as told:
            db.log_to(logger)
            db.create(S)
            db.drop(S)
            self.assertIn("dropped", heard.get(timeout=60))
        self.assertIn("ZeroDivisionError", told.getvalue())

    def test_levels(self) -> None:
        for level, ours in ((logging.DEBUG, 4), (logging.INFO, 3), (logging.WARNING, 2), (logging.ERROR, 1), (60, 0)):
            self.assertEqual(logs.native_level(level), ours)


if __name__ == "__main__":
    main()
