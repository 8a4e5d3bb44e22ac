"""Transactions: what they promise, running again, deadlines, savepoints, cancelling."""

from __future__ import annotations

import threading
import time
import uuid
from typing import Any, Callable, List, Optional

from support import Both, main, on_disk

import sop

S = sop.Store("s", key=sop.STR, value=sop.JSON)
N = sop.Store("n", key=sop.STR, value=sop.INT64)


class Transactions(Both):
    def conflict(self, tx: sop.Transaction) -> None:
        """Makes `tx`, which has read "a", conflict."""
        self.db[S]["a"] = time.monotonic_ns()

    def test_a_block_commits_or_rolls_back(self) -> None:
        with self.db.write() as tx:
            tx[S]["a"] = 1
        with self.assertRaises(ZeroDivisionError), self.db.write() as tx:
            tx[S]["a"] = 2
            raise ZeroDivisionError
        self.assertEqual(self.db[S]["a"], 1)
        with self.db.write() as tx:
            tx[S]["a"] = 3
            tx.rollback()
        with self.db.write() as tx:
            tx[S]["b"] = 4
            tx.commit()
        self.assertEqual(dict(self.db[S]), {"a": 1, "b": 4})

    def test_what_has_ended_says_so(self) -> None:
        tx = self.db.write()
        view = tx[S]
        view["a"] = 1
        rows = iter(view.items())
        cursor = view.cursor()
        tx.commit()
        tx.commit()
        self.assertGreater(tx.position, 0)
        for use in (
            lambda: view["a"],
            lambda: view.__setitem__("a", 1),
            lambda: len(view),
            lambda: next(rows),
            lambda: cursor.next(),
            lambda: tx.savepoint(),
            lambda: "a" in view,
            lambda: view.put_many([("a", 1)]),
        ):
            with self.assertRaises((sop.MisuseError, sop.ClosedError)):
                use()
        with self.assertRaises(sop.MisuseError):
            tx.rollback()
        tx.close()
        tx.close()
        for use in (
            lambda: view["a"],
            lambda: view.__setitem__("a", 1),
            lambda: len(view),
            lambda: cursor.next(),
            lambda: tx.commit(),
            lambda: "a" in view,
            lambda: view.get_many(["a"]),
            lambda: tx.position,
        ):
            with self.assertRaises(sop.ClosedError):
                use()

    def test_reading_is_one_state_and_never_conflicts(self) -> None:
        self.db[S]["a"] = 1
        with self.db.read() as tx:
            self.assertEqual(tx[S]["a"], 1)
            self.db[S]["a"] = 2
            self.assertEqual(tx[S]["a"], 1)
            with self.assertRaises(sop.ReadOnlyError):
                tx[S]["a"] = 3
        with self.db.read(snapshot=True, deadline=5) as tx:
            self.assertEqual(tx[S]["a"], 2)

    def test_a_conflict_names_store_and_key(self) -> None:
        self.db[S]["a"] = 1
        tx = self.db.write()
        tx[S]["b"] = tx[S]["a"]
        self.conflict(tx)
        with self.assertRaises(sop.ConflictError) as caught:
            tx.commit()
        self.assertEqual((caught.exception.store, caught.exception.key), ("s", S.pack("a")))
        self.assertTrue(caught.exception.abort and caught.exception.retry)
        self.assertEqual(tx.conflict, ("s", S.pack("a")))
        tx.again()
        self.assertEqual(tx.attempts, 2)
        tx[S]["b"] = 0
        tx.commit()
        self.assertEqual(self.db[S]["b"], 0)

    def test_bodies_are_run_again(self) -> None:
        self.db[S]["a"] = 1
        attempts: List[int] = []

        @sop.transactional
        def body(tx: sop.Transaction, word: str, *, times: int) -> str:
            attempts.append(tx.attempts)
            tx[S][word] = tx[S]["a"]
            if tx.attempts < times:
                self.conflict(tx)
            return word

        self.assertEqual(body(self.db, "b", times=3), "b")
        self.assertEqual(attempts, [1, 2, 3])
        self.assertEqual(self.db[S]["a"], self.db[S]["b"])
        with self.db.write() as tx:
            self.assertEqual(body(tx, "c", times=0), "c")
            tx.rollback()
        self.assertNotIn("c", self.db[S])
        self.assertEqual(self.db.run(lambda tx, *a, **k: (a, k), 1, b=2), ((1,), {"b": 2}))
        self.assertEqual(body.__name__, "body")

    def given_up(self, db: sop.Database, run: Callable[[sop.Database, Callable[[sop.Transaction], None]], None]) -> int:
        """How often a body that always conflicts is run."""
        runs: List[int] = []
        db[S]["a"] = 0

        def body(tx: sop.Transaction) -> None:
            runs.append(tx[S]["a"])
            db[S]["a"] = len(runs)
            tx[S]["b"] = 0

        with self.assertRaises(sop.TimeoutError) as caught:
            run(db, body)
        self.assertIsInstance(caught.exception.__cause__, sop.ConflictError)
        return len(runs)

    def test_bodies_are_run_again_for_as_long_as_they_say(self) -> None:
        def attempts(retry_for: Optional[float]) -> Callable[..., None]:
            def run(db: sop.Database, body: Callable[[sop.Transaction], None]) -> None:
                for attempt in db.attempts(retry_for=retry_for):
                    with attempt as tx:
                        body(tx)

            return run

        def decorated(retry_for: Optional[float]) -> Callable[..., None]:
            return lambda db, body: sop.transactional(retry_for=retry_for)(body)(db)

        for way in (attempts, decorated):
            self.assertEqual(self.given_up(self.db, way(0)), 1)
            self.assertTrue(any(self.given_up(self.db, way(0.02 * 4**slow)) > 1 for slow in range(6)))
        with sop.open("inmemory:", retry_for=0) as db:
            self.assertEqual(db.retry_for, 0)
            self.assertEqual(self.given_up(db, sop.Database.run), 1)
            self.assertEqual(self.given_up(db, attempts(None)), 1)
            self.assertTrue(any(self.given_up(db, decorated(0.02 * 4**slow)) > 1 for slow in range(6)))

    def test_every_run_begins_with_the_first_attempt(self) -> None:
        self.db[S]["a"] = 1

        def body(tx: sop.Transaction, times: int) -> int:
            tx[S]["b"] = tx[S]["a"]
            if tx.attempts < times:
                self.conflict(tx)
            return tx.attempts

        self.assertEqual([self.db.run(body, times) for times in (3, 1, 2, 1)], [3, 1, 2, 1])

    def test_the_database_may_have_a_deadline(self) -> None:
        with sop.open(self.path("other") if self.url == "folder" else self.url, create=True, deadline_ms=200) as db:
            db[S]["a"] = 1

            def body(tx: sop.Transaction) -> None:
                tx[S]["b"] = tx[S]["a"]
                db[S]["a"] = time.monotonic_ns()

            with self.assertRaises((sop.TimeoutError, sop.ConflictError)):
                db.run(body)

    def test_puts_that_are_transactions_of_their_own(self) -> None:
        self.db[S]["a"] = 1  # creates the store
        self.db[S]["a"] = 2
        for wrong, error in (("x" * 70_000, sop.LimitError), (5, sop.SchemaError)):
            with self.assertRaises(error):
                self.db[S][wrong] = 1  # type: ignore[index]
        with self.assertRaises(ValueError):
            self.db[S]["a":"b"]["c"] = 1
        self.assertEqual(dict(self.db[S]), {"a": 2})

    def test_blocks_are_run_again(self) -> None:
        self.db[S]["a"] = 1
        seen = []
        for attempt in self.db.attempts(durability=sop.WRITTEN):
            with attempt as tx:
                seen.append(tx.attempts)
                tx[S]["b"] = tx[S]["a"]
                if tx.attempts < 3:
                    self.conflict(tx)
        self.assertEqual(seen, [1, 2, 3])
        with self.assertRaises(ZeroDivisionError):
            for attempt in self.db.attempts():
                with attempt as tx:
                    tx[S]["a"] = 0
                    raise ZeroDivisionError
        self.assertNotEqual(self.db[S]["a"], 0)

    def test_blocks_with_an_id_commit_once(self) -> None:
        self.db[S]["a"] = 1
        id, seen = uuid.uuid4(), []
        for _ in range(2):
            try:
                for attempt in self.db.attempts(id=id):
                    with attempt as tx:
                        seen.append((tx.id, tx.attempts))
                        tx[N].add("times", 1)
                        tx[S]["b"] = tx[S]["a"]
                        if tx.attempts < 3:
                            self.conflict(tx)
            except sop.ExistsError:
                seen.append("has committed")
        self.assertEqual(seen, [(id, 1), (id, 2), (id, 3), "has committed"])
        self.assertEqual(self.db[N]["times"], 1)
        self.assertTrue(self.db.outcome(id).committed)

    def test_blocks_whose_reads_are_not_validated(self) -> None:
        self.db[S]["a"] = 1
        for attempt in self.db.attempts(check=False):
            with attempt as tx:
                tx[S]["b"] = [tx[S]["a"], tx.attempts]
                self.conflict(tx)
        self.assertEqual(self.db[S]["b"], [1, 1])

    def test_running_again_ends_with_the_deadline(self) -> None:
        self.db[S]["a"] = 1

        @sop.transactional(deadline=0.3)
        def body(tx: sop.Transaction) -> None:
            tx[S]["b"] = tx[S]["a"]
            self.conflict(tx)

        with self.assertRaises((sop.TimeoutError, sop.ConflictError)):
            body(self.db)
        self.assertNotIn("b", self.db[S])
        with self.assertRaises(ValueError):
            self.db.write(deadline=0)

    def test_a_body_that_would_run_too_late_is_refused(self) -> None:
        async def coroutine(tx: sop.Transaction) -> None:
            tx[S]["late"] = 1

        def generator(tx: sop.Transaction) -> Any:
            tx[S]["late"] = 1
            yield 1

        async def both(tx: sop.Transaction) -> Any:
            yield 1

        for body in (coroutine, generator, both):
            with self.subTest(body.__name__), self.assertRaisesRegex(TypeError, "coroutine or a generator"):
                sop.transactional(body)(self.db)
            with self.assertRaisesRegex(TypeError, "coroutine or a generator"):
                self.db.run(body)
        self.assertEqual(self.db.stores(), [])
        with self.assertRaisesRegex(TypeError, "deadline=5"):
            sop.transactional(5)  # type: ignore[call-overload]

    def test_only_conflicts_are_run_again(self) -> None:
        times = []

        def body(tx: sop.Transaction) -> None:
            times.append(1)
            raise sop.UnknownError("as if")

        with self.assertRaises(sop.UnknownError):
            self.db.run(body)

        def others(tx: sop.Transaction) -> None:
            times.append(1)
            raise sop.ConflictError("of another transaction")

        with self.assertRaises(sop.ConflictError):
            self.db.run(others)
        self.assertEqual(len(times), 2)

    def test_savepoints(self) -> None:
        with self.db.write() as tx:
            tx[S]["a"] = 1
            point = tx.savepoint()
            tx[S]["a"] = 2
            point.rollback()
            self.assertEqual(tx[S]["a"], 1)
            with self.assertRaises(ZeroDivisionError), tx.savepoint():
                tx[S]["b"] = 1
                raise ZeroDivisionError
            with tx.savepoint():
                tx[S]["c"] = 1
        self.assertEqual(dict(self.db[S]), {"a": 1, "c": 1})

    def test_another_thread_can_cancel(self) -> None:
        with self.assertRaises(sop.CancelledError), self.db.write() as tx:
            tx[S]["a"] = 1
            thread = threading.Thread(target=tx.cancel)
            thread.start()
            thread.join()
            for _ in range(2):
                tx[S]["b"] = 1
        self.assertEqual(self.db.stores(), [])

    def test_a_deadline_ends_a_transaction(self) -> None:
        with self.assertRaises(sop.TimeoutError), self.db.write(deadline=0.02) as tx:
            tx[S]["a"] = 1
            time.sleep(0.1)

    def test_ids_and_outcomes(self) -> None:
        mine = uuid.uuid4()
        with self.db.write(id=mine, durability=sop.BUFFERED) as tx:
            self.assertEqual(tx.id, mine)
            tx[S]["a"] = 1
            self.assertIs(self.db.outcome(mine).kind, sop.OutcomeKind.PENDING)
        self.assertEqual(self.db.outcome(mine), (sop.OutcomeKind.COMMITTED, tx.position))
        self.assertTrue(self.db.outcome(mine).committed)
        self.assertFalse(self.db.outcome(uuid.uuid4()).committed)
        with self.assertRaises(sop.ExistsError):
            self.db.write(id=mine)

    def test_without_check_reads_do_not_conflict(self) -> None:
        self.db[S]["a"] = 1
        with self.db.write(check=False) as tx:
            tx[S]["b"] = tx[S]["a"]
            self.conflict(tx)
        self.assertEqual(self.db[S]["b"], 1)

    def test_stores_are_made_renamed_and_dropped(self) -> None:
        with self.db.write() as tx:
            tx.create(S)
            with self.assertRaises(sop.ExistsError):
                tx.create(S)
            tx.create(S, exist_ok=True)
            tx.rename(S, "t")
            self.assertEqual(tx.stores(), ["t"])
        renamed = sop.Store("t", key=sop.STR, value=sop.JSON)
        for _ in range(2):
            self.db.create(N, exist_ok=True)
        self.assertEqual(self.db.stores(), ["n", "t"])
        about = self.db.describe(renamed)
        self.assertEqual((about.duplicates, about.node_items, about.schema), (False, 0, renamed.schema()))
        self.db.drop(renamed)
        with self.assertRaises(sop.NotFoundError):
            self.db.drop(renamed)
        self.db.rename(N, "m")
        self.assertEqual(self.db.stores(), ["m"])

    def test_threads_add_without_losing_anything(self) -> None:
        @sop.transactional
        def increment(tx: sop.Transaction) -> None:
            tx[S]["n"] = tx[S].get("n", 0) + 1

        self.db[S]["n"] = 0
        failures: List[Any] = []

        def work() -> None:
            try:
                for _ in range(25):
                    increment(self.db)
                    self.db[N].add("n", 1)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual((self.db[S]["n"], self.db[N]["n"]), (100, 100))

    def test_schemas_are_checked_and_grow(self) -> None:
        class Old(sop.Key):
            a: str
            b: int

        class New(sop.Key):
            a: str
            b: int
            c: bool = sop.ride(default=True)

        old, new = sop.Store("grown", key=Old), sop.Store("grown", key=New)
        self.db[old][Old("x", 1)] = b"v"
        with self.assertRaises(sop.SchemaError) as caught:
            self.db[sop.Store("grown", key=sop.STR)]["x"]
        self.assertIn("grown", (caught.exception.store, *str(caught.exception).split("`")))
        with self.assertRaises(sop.SchemaError):
            self.db[sop.Store("grown", key=Old, duplicates=True)].first()
        self.assertEqual(self.db[new].first(), (New("x", 1, True), b"v"))
        self.db[new][New("x", 2, False)] = b"w"
        self.assertEqual(list(self.db[new]), [New("x", 1), New("x", 2, False)])
        with self.assertRaises(sop.SchemaError):
            self.db[old].first()


TransactionsOnDisk = on_disk(Transactions)

if __name__ == "__main__":
    main()
