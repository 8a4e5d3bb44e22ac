"""sop.aio: the same for asyncio, without ever blocking the loop."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import traceback
import unittest
import uuid
from typing import Any, List

from support import Folder, main

import sop
from sop import aio

S = sop.Store("s", key=sop.STR, value=sop.JSON)
N = sop.Store("n", key=sop.STR, value=sop.INT64)


class Asyncio(Folder, unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.db = await aio.open(self.path(), create=True, cache_bytes=4 << 20)

    async def asyncTearDown(self) -> None:
        await self.db.close()

    async def test_transactions(self) -> None:
        async with self.db.write() as tx:
            await tx[S].set("ann", {"age": 30})
            self.assertEqual(await tx[S].get("ann"), {"age": 30})
            self.assertEqual(await tx[S].insert("bob", 1), 0)
        with self.assertRaises(ZeroDivisionError):
            async with self.db.write() as tx:
                await tx[S].remove("ann")
                raise ZeroDivisionError
        self.assertEqual(await self.db[S].get("ann"), {"age": 30})
        self.assertEqual(await self.db[S].get("eve", "?"), "?")
        self.assertTrue(await self.db[S].contains("bob"))
        async with self.db.read() as tx:
            self.assertEqual([key async for key in tx[S]], ["ann", "bob"])
            with self.assertRaises(sop.ReadOnlyError):
                await tx[S].set("a", 1)
        with self.assertRaises(TypeError):
            self.db[S]["ann"]  # type: ignore[index]
        with self.assertRaises(KeyError):
            await self.db[S].remove("nobody")

    async def test_what_views_and_databases_have_besides(self) -> None:
        view, numbers = self.db[S], self.db[N]
        await self.db.create(S)
        await self.db.create(S, exist_ok=True)
        with self.assertRaises(sop.ExistsError):
            await self.db.create(S)
        self.assertEqual(await view.setdefault("b", 1), 1)
        self.assertEqual(await view.setdefault("b", 2), 1)
        await view.set("d", 2)
        self.assertEqual([await near("c") for near in (view.floor, view.ceiling)], [("b", 1), ("d", 2)])
        self.assertEqual([await near("b") for near in (view.lower, view.higher)], [None, ("d", 2)])
        self.assertEqual(await view.range("c").first(), ("d", 2))
        self.assertEqual([value async for value in view.values(reverse=True)], [2, 1])
        self.assertEqual((await view.entry("d")).value, 2)
        self.assertEqual([entry.value for entry in await view.duplicates("d")], [2])
        await numbers.max("n", 5)
        await numbers.min("n", 3)
        self.assertEqual(await numbers.get("n"), 3)
        self.assertEqual(await self.db.stores(), ["n", "s"])
        await self.db.rename(N, "m")
        await self.db.checkpoint()
        await self.db.gc()
        id = uuid.uuid4()
        async with self.db.write(id=id, check=False) as tx:
            await tx[S].set("e", 3)
        self.assertTrue((await self.db.outcome(id)).committed)
        await self.db.drop(S)
        self.assertEqual(await self.db.stores(), ["m"])

    async def test_only_coroutine_functions_are_bodies(self) -> None:
        def body(tx: Any) -> int:
            return 1

        with self.assertRaisesRegex(TypeError, "async def"):
            await aio.transactional(body)(self.db)  # type: ignore[arg-type]

    async def test_iterating(self) -> None:
        count = 3 * aio.BATCH_ROWS + 5
        self.assertEqual(await self.db[S].put_many((f"k{i:05}", i) for i in range(count)), count)
        self.assertEqual([value async for _, value in self.db[S].items()], list(range(count)))
        self.assertEqual(
            [value async for _, value in self.db[S].items("k00003", "k00009", reverse=True, limit=2)], [8, 7]
        )
        self.assertEqual([key async for key in self.db[S].prefix("k0000").keys(limit=2)], ["k00000", "k00001"])
        self.assertEqual(await self.db[S]["k00003":"k00009"].count(), 6)
        self.assertEqual(await self.db[S].get_many(["k00001", "x"]), [1, None])
        self.assertEqual(
            (await self.db[S].first(), await self.db[S].last()), (("k00000", 0), (f"k{count - 1:05}", count - 1))
        )
        self.assertEqual(await self.db[S].remove_all(), count)

    async def test_bodies_are_run_again(self) -> None:
        await self.db[S].set("n", 0)

        @aio.transactional
        async def increment(tx: aio.AsyncTransaction, by: int) -> int:
            value = await tx[S].get("n")
            await asyncio.sleep(0)
            await tx[S].set("n", value + by)
            return value

        await asyncio.gather(*(self.db.run(increment, 2) for _ in range(8)))
        await asyncio.gather(*(increment(self.db, by=1) for _ in range(8)))
        self.assertEqual(await self.db[S].get("n"), 24)

        @aio.transactional(deadline=5)
        async def both(tx: aio.AsyncTransaction) -> None:
            await increment(tx, 1)
            await increment(tx, 1)
            if await tx[S].get("n") == 26:
                raise ZeroDivisionError

        with self.assertRaises(ZeroDivisionError):
            await both(self.db)
        self.assertEqual(await self.db[S].get("n"), 24)

    async def test_many_tasks_in_one_transaction(self) -> None:
        async with self.db.write() as tx:
            await asyncio.gather(*(tx[S].set(str(i), i) for i in range(50)), *(tx[N].add("n", 1) for _ in range(50)))
            self.assertEqual(await tx[S].count(), 50)
        self.assertEqual(await self.db[N].get("n"), 50)

    async def test_the_loop_goes_on_while_a_call_waits(self) -> None:
        ticks: List[float] = []
        entered = asyncio.Event()
        loop = asyncio.get_running_loop()

        async def tick() -> None:
            while True:
                ticks.append(time.monotonic())
                await asyncio.sleep(0.005)

        ticking = asyncio.ensure_future(tick())

        def long_call() -> None:
            loop.call_soon_threadsafe(entered.set)
            self.db.sync.backup(self.path("copy"), lambda done, total: time.sleep(0.05))

        await self.db[S].put_many((f"k{i}", "v" * 500) for i in range(2000))
        call = asyncio.ensure_future(self.db.call(long_call))
        await entered.wait()
        before = len(ticks)
        await call
        self.assertGreater(len(ticks), before + 1)
        ticking.cancel()

    async def test_a_cancelled_task_leaves_nothing_running(self) -> None:
        async def work() -> None:
            async with self.db.write() as tx:
                await tx[S].set("a", 1)
                await tx.call(time.sleep, 0.05)
                await tx[S].set("b", 1)

        task = asyncio.ensure_future(work())
        await asyncio.sleep(0.02)
        task.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await task
        self.assertEqual(self.db.sync.stats().transactions_open, 0)
        self.assertEqual(self.db.sync.stores(), [])

    async def test_closing_twice_and_using_it_afterwards(self) -> None:
        view = self.db[S]
        await view.set("a", 1)
        tx = self.db.write()
        async with tx:
            await tx[S].set("b", 1)
            await self.db.close()
            await self.db.close()
            with self.assertRaises(sop.ClosedError):
                await tx.commit()
        for call in (view.set("c", 1), view.get("a"), self.db.stats(), self.db.verify()):
            with self.assertRaises(sop.ClosedError):
                await call

    async def test_a_forked_child_gets_an_error_and_never_hangs(self) -> None:
        # Its copy of the pool has no threads, and what it waits for in it never comes.
        await self.db[S].put_many((f"k{i}", i) for i in range(2000))
        rows = self.db[S].items()
        await rows.__anext__()
        async with self.db.write() as tx, self.db.read() as reading:
            await tx[S].set("x", 1)
            async with tx._lock:  # as if a call of another task were running
                child = os.fork()
                if child == 0:
                    asyncio.set_event_loop(None)
                    asyncio._set_running_loop(None)
                    status = 1
                    try:
                        status = asyncio.run(self._in_child(rows, tx, reading))
                    except BaseException:
                        traceback.print_exc()
                    finally:
                        os._exit(status)
                deadline = time.monotonic() + 60
                while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
                    if time.monotonic() > deadline:
                        os.kill(child, signal.SIGKILL)
                        os.waitpid(child, 0)
                        self.fail("the child hangs")
                    await asyncio.sleep(0.01)
            self.assertEqual(ended[1], 0)
        self.assertEqual(await self.db[S].get("x"), 1)

    async def _in_child(self, rows: Any, tx: Any, reading: Any) -> int:
        async def drain() -> None:
            async for _ in rows:
                pass

        for use in (
            drain,
            lambda: self.db[S].get("k1"),
            lambda: self.db[S].set("k1", 1),
            lambda: tx[S].get("k1"),
            lambda: tx[S].set("k1", 1),
            lambda: tx.commit(),
            lambda: reading[S].count(),
            lambda: self.db.stats(),
            lambda: self.db.close(),
        ):
            try:
                await use()
            except sop.ForkedError:
                continue
            return 2
        async with await aio.open("inmemory:") as own:
            await own[S].set("a", 1)
            return 0 if await own[S].get("a") == 1 else 3

    async def test_what_is_not_here_is_in_sync(self) -> None:
        await self.db[S].set("a", 1)
        self.assertEqual((await self.db.stats()).commits, 1)
        self.assertEqual((await self.db.info()).backend, "inredfs")
        self.assertEqual(await self.db.verify(), [])
        self.assertGreater(await self.db.backup(self.path("copy")), 0)
        position: Any = await self.db.call(lambda: self.db.sync.stats().position)
        self.assertGreater(position, 0)

    async def test_pages_that_are_not_in_memory_are_read_by_a_thread(self) -> None:
        await self.db[S].put_many((f"k{i:06}", "v" * 400) for i in range(30_000))
        await self.db.call(self.db.sync.checkpoint)
        with self.db.sync.read() as tx:  # without asyncio
            blocked = 0
            for i in range(0, 30_000, 97):
                try:
                    self.assertEqual(tx[S].get_now(f"k{i:06}"), "v" * 400)
                except sop.WouldBlockError:
                    blocked += 1
            self.assertGreater(blocked, 0)
            self.assertEqual(tx[S].get("k000000"), "v" * 400)
            self.assertEqual(tx[S].get_now("k000000"), "v" * 400)
        reads = (await self.db.stats()).cache_reads
        for i in range(0, 30_000, 97):
            self.assertEqual(await self.db[S].get(f"k{i:06}"), "v" * 400)
        self.assertGreater((await self.db.stats()).cache_reads, reads)


if __name__ == "__main__":
    main()
