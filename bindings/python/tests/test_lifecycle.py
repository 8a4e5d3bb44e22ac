"""Nothing that a program does, in any order, brings the interpreter down: closing, dropping, threads, fork, shutdown."""

from __future__ import annotations

import _thread
import copy
import datetime
import gc
import inspect
import os
import pickle
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
import warnings
from collections import deque
from itertools import chain, starmap
from typing import Any, Callable, List

from support import Folder, main

import sop
from sop import _raw

S = sop.Store("s", key=sop.STR, value=sop.JSON)
RAW = sop.Store("raw")
D = sop.Store("d", key=sop.INT, value=sop.JSON, duplicates=True)


class Moment(sop.Key):
    number: int
    when: datetime.datetime


class Order(Folder):
    def test_parents_first(self) -> None:
        for url in ("inmemory:", self.path()):
            db = sop.open(url, create=True)
            db[S].put_many((f"k{i:05}", i) for i in range(5000))
            tx = db.write()
            view, once = tx[S], db[S]
            rows, all_rows, cursor, point = iter(view.items()), iter(once.items()), view.cursor(), tx.savepoint()
            next(rows), next(all_rows), cursor.first()
            db.close()
            db.close()
            uses: List[Callable[[], Any]] = [
                lambda: view["k00000"],
                lambda: once["k00000"],
                lambda: view.__setitem__("a", 1),
                lambda: len(view),
                lambda: once.__setitem__("a", 1),
                lambda: list(rows),
                lambda: list(all_rows),
                cursor.next,
                cursor.refresh,
                lambda: cursor.update(1),
                cursor.remove,
                point.rollback,
                tx.commit,
                tx.rollback,
                tx.cancel,
                tx.again,
                tx.savepoint,
                tx.stores,
                lambda: tx.position,
                lambda: tx.id,
                db.read,
                db.write,
                db.stores,
                db.stats,
                db.info,
                db.sync,
                db.checkpoint,
                db.gc,
                db.verify,
                db.metrics,
                lambda: db.outcome(__import__("uuid").uuid4()),
                lambda: view.insert("a", 1),
                lambda: view.remove("a"),
                lambda: view.put_many([("a", 1)]),
                view.count,
                lambda: view.get_many(["a"]),
                view.remove_all,
                lambda: view.first(),
                lambda: "a" in view,
                lambda: "a" in once,
                view.describe,
                once.approx_count,
                lambda: tx[D],
                lambda: db[D][1],
            ]
            for use in uses:
                with self.assertRaises(sop.ClosedError):
                    use()
            gc.collect()
            for use in uses[:5]:
                with self.assertRaises(sop.ClosedError):
                    use()

    def test_random_orders(self) -> None:
        rng = random.Random(7)
        warnings.simplefilter("ignore", ResourceWarning)
        self.addCleanup(warnings.resetwarnings)
        for _ in range(60):
            db = sop.open("inmemory:")
            db[S].put_many((f"k{i}", i) for i in range(300))
            things: List[Any] = [db]
            for _ in range(60):
                self.step(rng, things)
            rng.shuffle(things)
            while things:
                things.pop()
                if rng.random() < 0.2:
                    gc.collect()

    def step(self, rng: random.Random, things: List[Any]) -> None:
        thing = rng.choice(things)
        makes: Any = {
            sop.Database: [lambda: thing.read(), lambda: thing.write(), lambda: thing[S], lambda: thing.close()],
            sop.Transaction: [
                lambda: thing[S],
                lambda: thing[D],
                thing_method(thing, "commit"),
                thing_method(thing, "close"),
                thing_method(thing, "rollback"),
                thing_method(thing, "savepoint"),
            ],
            sop.View: [
                lambda: thing.cursor(),
                lambda: iter(thing.items()),
                lambda: thing["k1":"k3"],
                lambda: len(thing),
                lambda: thing.put_many([("x", 1)]),
                lambda: thing.insert("y", 1),
                lambda: thing.remove_all(),
            ],
            sop.Cursor: [lambda: thing.first(), lambda: thing.next(), lambda: thing.remove(), lambda: thing.close()],
            sop.Savepoint: [lambda: thing.rollback()],
        }.get(type(thing), [lambda: next(thing, None)])
        weights = [0.1 if make is makes[-1] and len(makes) > 3 else 1 for make in makes]
        try:
            made = rng.choices(makes, weights)[0]()
        except (sop.Error, LookupError, TypeError, ValueError):
            return
        if isinstance(made, (sop.Transaction, sop.View, sop.Cursor, sop.Savepoint, _raw.Rows)):
            things.append(made)
        if rng.random() < 0.1 and len(things) > 3:
            things.pop(rng.randrange(len(things)))

    def test_an_expression_keeps_its_database(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            sop.open(self.path(), create=True)[S]["a"] = 1
            self.assertEqual(sop.open(self.path())[S]["a"], 1)
            self.assertEqual(list(sop.open(self.path())[S].items()), [("a", 1)])

    def test_cycles_are_collected(self) -> None:
        class Holder:
            def encode(self, value: Any, /) -> bytes:
                return b""

            def decode(self, data: bytes, /) -> Any:
                return self

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            codec: Any = Holder()
            db = sop.open("inmemory:")
            codec.db = db
            store = sop.Store("s", value=codec)
            db[store][b"a"] = None
            codec.tx, codec.view = db.read(), db[store]
            stats = __import__("weakref").ref(db)
            del db, codec, store
            gc.collect()
            self.assertIsNone(stats())

    def test_a_codec_that_meddles(self) -> None:
        """Closes the database, or uses the iterator that called it, while it decodes."""
        state: Any = {}

        class Meddler:
            def encode(self, value: int, /) -> bytes:
                return b"%d" % value

            def decode(self, data: bytes, /) -> int:
                state["do"]()
                return int(data)

        store = sop.Store("s", key=sop.INT, value=Meddler())
        for act in ("close", "next", "write"):
            with sop.open("inmemory:") as db:
                db[store].put_many((i, i) for i in range(1000))
                tx = db.write()
                rows = iter(tx[store].items())
                state["do"] = {"close": db.close, "next": lambda: next(rows), "write": lambda: tx[store].remove_all()}[
                    act
                ]
                with self.assertRaises((sop.ClosedError, ValueError, StopIteration)):
                    while True:
                        next(rows)
                with self.assertRaises((sop.Error, ValueError, KeyError, TypeError)):
                    state["do"] = db.close
                    tx[store][5]
                    tx[store][5]

    def test_no_row_comes_after_the_database_was_closed(self) -> None:
        class Closer:
            def encode(self, value: str) -> bytes:
                return value.encode()

            def decode(self, data: bytes) -> str:
                if data == b"close":
                    db.close()
                return data.decode()

        store = sop.Store("closing", key=sop.INT, value=Closer())
        for where in (lambda: db[store], lambda: tx[store]):
            db = sop.open("inmemory:")
            db[store].put_many((number, "close" if number == 2 else "stay") for number in range(10))
            with sop.open("inmemory:") as other:
                tx = db.read()
                rows = iter(where().items())
                self.assertEqual(next(rows), (0, "stay"))
                del other
            self.assertEqual(next(rows), (1, "stay"))  # that was another one
            self.assertEqual(next(rows), (2, "close"))
            with self.assertRaises(sop.ClosedError):
                next(rows)

    def test_a_row_that_changes_while_it_is_packed(self) -> None:
        store = sop.Store("moments", key=Moment)

        class Meddler(datetime.tzinfo):
            def utcoffset(self, when: Any) -> Any:
                row.clear()
                gc.collect()
                self.junk = [(object(), 2**70 + i) for i in range(1000)]
                return datetime.timedelta(0)

        with sop.open("inmemory:") as db, db.write() as tx:
            for i in range(100):
                row: List[Any] = [
                    (10**12 + i, datetime.datetime(2020, 1, 1, tzinfo=Meddler())),
                    b"v%d" % i * 20,
                ]
                tx[store].put_many([row])  # type: ignore[list-item]
            self.assertEqual(list(tx[store].values()), [b"v%d" % i * 20 for i in range(100)])

    def test_a_declaration_that_meddles(self) -> None:
        class Meddler(sop.Store[Any, Any]):
            def __hash__(self) -> int:
                tx.close()
                db.close()
                gc.collect()
                return 1

            def __eq__(self, other: object) -> bool:
                return self is other

        for first in (0, 1):
            with sop.open("inmemory:") as db, db.read() as tx:
                owners: List[Any] = [tx, db]
                for owner in (owners[first], owners[1 - first]):
                    for store in (S, D, Meddler("m"), S, D):
                        try:
                            owner[store]
                        except sop.ClosedError:
                            pass

    def test_what_is_kept_of_a_transaction_is_not_given_to_the_next(self) -> None:
        # Transactions, their handles and their views are renewed; what somebody still holds is not.
        db = sop.open("inmemory:")
        with db.write() as tx:
            tx[RAW][b"k"] = b"1"
        with db.read() as first:
            kept, again = first[RAW], first[RAW]
        self.assertIs(kept, again)
        del first, again
        for _ in range(3):
            with db.read() as tx:
                view = tx[RAW]
                self.assertIsNot(view, kept)
                self.assertEqual(view[b"k"], b"1")
            del tx, view
        with self.assertRaises(sop.MisuseError):
            kept[b"k"]
        with self.assertRaisesRegex(TypeError, "nothing"):
            db.read(nothing=True)  # type: ignore[call-arg]
        self.assertIn("snapshot", str(inspect.signature(sop.Database.read)))
        self.assertIn("durability", str(inspect.signature(sop.Database.write)))
        db.close()
        for begin in (db.read, db.write):
            with self.assertRaises(sop.ClosedError):
                begin()

    def test_declaring_anew_for_each_call_does_not_fill_the_memory(self) -> None:
        with sop.open("inmemory:") as db:
            db[RAW][b"k"] = b"v"
            before = _raw.handle_count()
            for _ in range(5000):
                db[sop.Store("raw")].approx_count()
            self.assertLess(_raw.handle_count() - before, 2000)

    def test_the_collector_meets_a_class_once(self) -> None:
        # Twice, and it takes a class that is in use for garbage.
        with sop.open("inmemory:") as db, db.write() as tx:
            for each in (db, tx, tx[S]):
                self.assertEqual(gc.get_referents(each).count(type(each)), 1, type(each))

    def test_wrong_arguments_of_the_raw_layer(self) -> None:
        wrong: List[Any] = [None, 0, 1 << 70, b"", "x", (), object(), _raw.sop_options_new()]
        for name in dir(_raw):
            function = getattr(_raw, name)
            if not name.startswith("sop_") or not callable(function):
                continue
            for count in range(5):
                for value in wrong:
                    try:
                        function(*[value] * count)
                    except Exception:
                        pass
        for cls in (
            _raw.Handle,
            _raw.Bound,
            _raw.KeyCodec,
            _raw.ViewBase,
            _raw.DatabaseBase,
            _raw.TransactionBase,
            _raw.Rows,
            sop.View,
            sop.Transaction,
            sop.Database,
        ):
            for arguments in ([], [None], [None] * 4, [1, 2, 3, 4, 5, 6, 7, 8]):
                with self.assertRaises((TypeError, sop.Error)):
                    cls(*arguments)

    def test_pickle_and_copy_say_why_not(self) -> None:
        with sop.open("inmemory:") as db, db.write() as tx:
            tx[S]["a"] = 1
            for thing in (db, tx, tx[S], db[S], tx[S].cursor()):
                for dump in (pickle.dumps, copy.copy, copy.deepcopy):
                    with self.assertRaisesRegex(TypeError, "pickle"):
                        dump(thing)
            for thing in (db._handle, iter(tx[S])):
                with self.assertRaises(TypeError):
                    pickle.dumps(thing)
            self.assertEqual(pickle.loads(pickle.dumps(S)).name, "s")


def thing_method(thing: Any, name: str) -> Callable[[], Any]:
    return lambda: getattr(thing, name)()


class Threads(Folder):
    def test_two_threads_in_one_transaction_get_an_error_at_worst(self) -> None:
        with sop.open(self.path(), create=True, cache_bytes=1 << 22) as db:
            db[S].put_many((f"k{i:06}", "v" * 300) for i in range(20_000))
            db.checkpoint()
            tx = db.write()
            stop = threading.Event()
            strange: List[BaseException] = []

            def work(number: int) -> None:
                rng = random.Random(number)
                while not stop.is_set():
                    try:
                        view = tx[S]
                        what = rng.randrange(6)
                        key = f"k{rng.randrange(20_000):06}"
                        if what == 0:
                            view.get(key)
                        elif what == 1:
                            view[key] = 1
                        elif what == 2:
                            list(view[key:].keys(limit=50))
                        elif what == 3:
                            view.get_many([key] * 5)
                        elif what == 4:
                            cursor = view.cursor()
                            cursor.seek(key)
                            cursor.prev()
                        else:
                            view.count()
                    except sop.Error:
                        pass
                    except BaseException as error:
                        strange.append(error)

            threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
            for thread in threads:
                thread.start()
            stop.wait(0.7)
            tx.close()
            stop.wait(0.1)
            stop.set()
            for thread in threads:
                thread.join()
            self.assertEqual(strange, [])

    def test_closing_while_others_work(self) -> None:
        for _ in range(15):
            db = sop.open("inmemory:")
            db[S].put_many((f"k{i}", i) for i in range(500))
            strange: List[BaseException] = []

            def work() -> None:
                try:
                    while True:
                        with db.write() as tx:
                            tx[S]["a"] = len(list(tx[S].keys(limit=20)))
                        db[S]["k1"], list(db[S]["k2":"k3"].items())
                except (sop.ClosedError, sop.ConflictError, sop.MisuseError):
                    pass
                except BaseException as error:
                    strange.append(error)

            threads = [threading.Thread(target=work) for _ in range(3)]
            for thread in threads:
                thread.start()
            threading.Event().wait(0.01)
            db.close()
            for thread in threads:
                thread.join()
            self.assertEqual(strange, [])

    def test_one_iterator_in_two_threads(self) -> None:
        with sop.open("inmemory:") as db:
            db[S].put_many((f"k{i}", i) for i in range(20_000))
            rows = iter(db[S].items())
            counts: List[int] = []

            def work() -> None:
                count = 0
                while True:
                    try:
                        next(rows)
                        count += 1
                    except StopIteration:
                        break
                    except (ValueError, sop.Error):
                        pass
                counts.append(count)

            threads = [threading.Thread(target=work) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertLessEqual(sum(counts), 20_000)


class Processes(Folder):
    def run_python(self, program: str, status: int = 0, argument: str = "") -> str:
        path = os.path.dirname(os.path.dirname(os.path.abspath(sop.__file__)))
        environment = {**os.environ, "PYTHONPATH": path}
        done = subprocess.run(
            [sys.executable, "-B", "-X", "dev", "-c", program, argument or self.path()],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout + done.stderr

    def test_fork(self) -> None:
        db = sop.open(self.path(), create=True)
        db[S]["a"] = 1
        tx = db.write()
        db[S]["b"] = 2
        view, rows, cursor = tx[S], iter(db[S].items()), tx[S].cursor()
        next(rows)  # the other one has been fetched, too
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            child = os.fork()
        if child == 0:
            status = 1
            try:
                for use in (
                    lambda: view["a"],
                    lambda: db[S]["a"],
                    lambda: next(rows),
                    cursor.first,
                    tx.commit,
                    db.read,
                    db.stats,
                    lambda: db[S].put_many([("b", 1)]),
                    db.close,
                ):
                    try:
                        use()
                        os._exit(2)
                    except sop.ForkedError:
                        pass
                del view, rows, cursor, tx, db
                gc.collect()
                with sop.open("inmemory:") as other:
                    other[S]["a"] = 1
                status = 0
            finally:
                os._exit(status)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(view["a"], 1)
        tx.rollback()
        db.close()

    def test_the_interpreter_ends_with_everything_open(self) -> None:
        told = self.run_python(
            "import sop, sys, threading, logging\n"
            "S = sop.Store('s', key=sop.STR, value=sop.JSON)\n"
            "db = sop.open(sys.argv[1], create=True)\n"
            "db.log_to()\n"
            "db[S].put_many((str(i), i) for i in range(3000))\n"
            "tx = db.write(); view = tx[S]; rows = iter(view.items()); next(rows); cursor = view.cursor(); cursor.first()\n"
            "def work():\n"
            "    while True: db[S].get('5'), db[S].__setitem__('x', 1)\n"
            "threading.Thread(target=work, daemon=True).start()\n"
            "print('done')\n"
        )
        self.assertIn("done", told)
        with sop.open(self.path()) as db:
            self.assertEqual(db[S]["77"], 77)

    def test_an_interrupt_stops_long_work(self) -> None:
        self.run_python(
            "import sop, os, signal, sys, threading\n"
            "S = sop.Store('s', key=sop.INT)\n"
            "with sop.open('inmemory:') as db:\n"
            "    def rows():\n"
            "        for i in range(10**9):\n"
            "            if i == 5000: os.kill(os.getpid(), signal.SIGINT)\n"
            "            yield i, b'v'\n"
            "    try:\n"
            "        with db.write() as tx: tx[S].put_many(rows())\n"
            "    except KeyboardInterrupt:\n"
            "        print('interrupted')\n"
            "    assert db.stores() == [], db.stores()\n"
        )

    def test_an_interrupt_stops_what_runs_no_python_code(self) -> None:
        # Everything here is called from C, so a signal stays pending until the extension itself looks.
        with sop.open(self.path(), create=True) as db:
            db[RAW].put_many((b"%06d" % i, b"v") for i in range(20_000))
            db.backup(self.path("whole"))
            rows, keys = iter(db[RAW].items()), iter([b"%06d" % i for i in range(20_000)])
            pairs = iter([(b"%06d" % i, b"w") for i in range(20_000)])
            calls: List[Any] = [
                rows,
                starmap(db[RAW].get_many, [(keys,)]),
                starmap(_raw.sop_verify, [(db._handle, (None, None))]),
                starmap(_raw.sop_backup, [(db._handle, os.fsencode(self.path("copy")), None)]),
                starmap(_raw.sop_restore, [(os.fsencode(self.path("whole")), os.fsencode(self.path("back")), None)]),
            ]
            with db.write() as tx:
                calls[2:2] = [starmap(tx[RAW]._put_many, [(pairs, _raw.SOP_PUT)])]
                for number, call in enumerate(calls):
                    ended: List[int] = []
                    with self.subTest(number), self.assertRaises(KeyboardInterrupt):
                        deque(chain(starmap(_thread.interrupt_main, [()]), call, starmap(ended.append, [(1,)])))
                    self.assertEqual(ended, [])
                tx.rollback()
            self.assertEqual([len(list(left)) > 10_000 for left in (rows, keys, pairs)], [True, True, True])
            self.assertEqual(db.verify(), [])

    def test_a_storm_of_signals_disturbs_nothing(self) -> None:
        # Each system call that can be interrupted is: opening, making the log, committing, checkpoints and closing.
        storm = (
            "import signal, sop, sys\n"
            "S = sop.Store('s', key=sop.INT)\n"
            "seen = []\n"
            "signal.signal(signal.SIGALRM, lambda number, frame: seen.append(1))\n"
            "signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)\n"
            "for turn in range(8):\n"
            "    with sop.open(sys.argv[1] + str(turn % 2), create=True, log_bytes_max=64 << 20) as db:\n"
            "        for i in range(20):\n"
            "            with db.write() as tx: tx[S][turn * 100 + i] = b'v' * 5000\n"
            "        with db.write(durability=sop.WRITTEN) as tx: tx[S].put_many((i, b'w' * 900) for i in range(9000))\n"
            "        db.checkpoint()\n"
            "        assert db.verify() == []\n"
            "signal.setitimer(signal.ITIMER_REAL, 0)\n"
            "print('stormy' if len(seen) > 50 else len(seen))\n"
        )
        folders = [self.folder]
        if os.access("/dev/shm", os.W_OK):
            folders.append(tempfile.mkdtemp(prefix="sop-python-", dir="/dev/shm"))
            self.addCleanup(shutil.rmtree, folders[1], ignore_errors=True)
        for folder in folders:
            with self.subTest(folder):
                self.assertIn("stormy", self.run_python(storm, argument=os.path.join(folder, "db")))

    @unittest.skipIf(sys.version_info >= (3, 13), "the module has another name there")
    def test_a_subinterpreter_is_refused(self) -> None:
        told = self.run_python(
            "import _xxsubinterpreters as interpreters, sop\n"
            "for _ in range(2):\n"
            "    other = interpreters.create()\n"
            "    try: interpreters.run_string(other, 'import sop')\n"
            "    except interpreters.RunFailedError as error: print(error)\n"
            "    interpreters.destroy(other)\n"
            "S = sop.Store('s', value=sop.JSON)\n"
            "with sop.open('inmemory:') as db:\n"
            "    db[S][b'k'] = 1\n"
            "    print(type(db[S]) is sop.View, db[S].pop(b'k'))\n"
        )
        self.assertEqual(told.count("ImportError"), 2, told)
        self.assertIn("True 1", told)


if __name__ == "__main__":
    main()
