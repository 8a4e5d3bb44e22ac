"""Memory is flat: opening and closing, transactions, cursors, errors, again and again."""

from __future__ import annotations

import asyncio
import gc
import os
import tracemalloc
from typing import Callable, Optional

from support import Both, main, on_disk

import sop
from sop import _raw, aio

S = sop.Store("s", key=sop.STR, value=sop.JSON)


FREE_LISTS_BYTES = 40_000
"""What Python keeps of small tuples that were freed may take so much."""


class K(sop.Key):
    a: str
    b: int = sop.desc()
    c: Optional[bytes] = sop.ride()


C = sop.Store("c", key=K, duplicates=True)


def resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as figures:
        return int(figures.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Leaks(Both):
    def flat(self, work: Callable[[int], object], times: int = 150) -> None:
        """Neither handles, nor Python's memory, nor that of the process grow with `work`."""
        for number in range(times):
            work(number)
        gc.collect()
        tracemalloc.start()
        try:
            handles, resident = _raw.handle_count(), resident_bytes()
            before = tracemalloc.get_traced_memory()[0]
            for number in range(times):
                work(number)
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - before
            self.assertEqual(_raw.handle_count(), handles)
            self.assertLess(grown, FREE_LISTS_BYTES + 32 * times)
            self.assertLess(resident_bytes() - resident, 8 << 20)
        finally:
            tracemalloc.stop()

    def test_opening_and_closing(self) -> None:
        path = self.path("other") if self.url == "folder" else self.url

        def work(number: int) -> None:
            with sop.open(path, create=True, cache_bytes=4 << 20, durability=sop.BUFFERED) as db:
                db[S]["a"] = number
                tx = db.write()
                tx[S]["b"] = "v" * 1000
                list(tx[S].items())

        self.flat(work, 30 if self.url == "folder" else 150)

    def test_transactions_cursors_and_errors(self) -> None:
        self.db[S].put_many((f"k{i}", "v" * 100) for i in range(200))

        def fails(call: Callable[[], object]) -> None:
            with self.assertRaises((sop.Error, KeyError, ValueError)):
                call()

        def work(number: int) -> None:
            with self.db.write(durability=sop.BUFFERED) as tx:
                view = tx[S]
                view["x"] = number
                view.get_many(["k1", "nope"])
                view.put_many([("y", 1)])
                list(view["k1":"k2"].items(limit=5))
                next(iter(view.items()))
                cursor = view.cursor()
                cursor.last(), cursor.entry, cursor.prev()
                tx[C].insert(K("a", number % 5, b"v"), b"v")
                list(tx[C].prefix("a").keys(limit=3))
                fails(lambda: view["nope"])
                fails(lambda: view.remove("nope"))
                fails(lambda: view.insert("x", 1))
                fails(lambda: view.__setitem__("x" * 70000, 1))
                fails(lambda: tx[C].insert(K("a", 1 << 70), b""))
                fails(lambda: view.put_many([("q", float("nan"))]))
                tx[C].remove_all()
                tx.savepoint().rollback()
            self.db[S].get("k1"), self.db[S].pop("y"), "k1" in self.db[S]
            self.db.stats(), self.db.metrics(), self.db.info()
            self.db.run(lambda tx: tx[S].get("k1"))

        self.flat(work)

    def test_aio(self) -> None:
        async def all_turns() -> None:
            async with await aio.open("inmemory:", threads=2) as db:

                async def work(number: int) -> None:
                    async with db.write() as tx:
                        await tx[S].set("a", number)
                        await tx[S].get("a")
                    [row async for row in db[S].items()]

                async def turns() -> None:
                    for number in range(100):
                        await work(number)

                await turns()
                handles = _raw.handle_count()
                tracemalloc.start()
                try:
                    before = tracemalloc.get_traced_memory()[0]
                    await turns()
                    gc.collect()
                    self.assertLessEqual(
                        _raw.handle_count(), handles
                    )  # a thread may have had one still when they were counted
                    self.assertLess(tracemalloc.get_traced_memory()[0] - before, FREE_LISTS_BYTES)
                finally:
                    tracemalloc.stop()

        if self.url == "inmemory:":
            asyncio.run(all_turns())


LeaksOnDisk = on_disk(Leaks)

if __name__ == "__main__":
    main()
