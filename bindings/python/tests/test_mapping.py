"""A store as a mapping, against a plain dict, and what it has beyond one."""

from __future__ import annotations

import random
import unittest
from datetime import datetime, timedelta, timezone
from typing import Any, Dict

from support import Both, main, on_disk

import sop

TEXTS = sop.Store("texts", key=sop.STR, value=sop.JSON)
RAW = sop.Store("raw")
NUMBERS = sop.Store("numbers", key=sop.INT, value=sop.INT64)
TWICE = sop.Store("twice", key=sop.INT, duplicates=True)
HIRED = datetime(2020, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)


class EmpKey(sop.Key):
    region: str
    hired: datetime = sop.desc()
    emp_id: int
    deleted: bool = sop.ride(default=False)
    note: str = sop.ride(default="-")


EMP = sop.Store("employees", key=EmpKey, value=sop.JSON)


class Place(sop.Key):
    land: str
    city: str
    number: int


class Newest(sop.Key):
    name: str = sop.desc()


PLACES = sop.Store("places", key=Place)
NEWEST = sop.Store("newest", key=Newest)


class Mapping(Both):
    def test_parts_that_begin_behind_a_key_and_end_with_one(self) -> None:
        with self.db.write() as tx:
            numbers = tx[NUMBERS]
            numbers.put_many((number, number) for number in range(10))
            self.assertEqual(list(numbers.through(3)), [0, 1, 2, 3])
            self.assertEqual(list(numbers.after(7)), [8, 9])
            self.assertEqual(list(reversed(numbers[3:].through(5))), [5, 4, 3])
            self.assertEqual(list(numbers.through(3)[:3]), [0, 1, 2])
            self.assertEqual(list(numbers.after(3).through(3)), [])
            part = numbers.after(2).through(5)
            self.assertEqual((2 in part, 3 in part, 5 in part, 6 in part), (False, True, True, False))
            self.assertEqual((part.count(), part.first(), part.last()), (3, (3, 3), (5, 5)))
            with self.assertRaises(ValueError):
                part[2] = 0
            self.assertEqual(part.remove_all(), 3)
            self.assertEqual(list(numbers), [0, 1, 2, 6, 7, 8, 9])
            twice = tx[TWICE]
            for number in (1, 1, 2, 2, 3):
                twice.insert(number, b"")
            self.assertEqual((list(twice.after(1)), list(twice.through(2))), ([2, 2, 3], [1, 1, 2, 2]))
            with self.assertRaises(sop.SchemaError):
                tx[EMP].after((7,))
            with self.assertRaises(sop.SchemaError):
                tx[EMP].after(("US",), 1)
            with self.assertRaises(sop.MisuseError):
                list(numbers.after(3, 1))
            for bad in (-1, 1 << 64):
                with self.assertRaises(ValueError):
                    twice.after(1, bad)
        rng = random.Random(5)
        raws = sorted(
            {rng.choice([b"a", b"b", b"\xff"]) * rng.randrange(4) + rng.choice([b"", b"\0"]) for _ in range(40)}
        )
        employees = sorted(
            (
                EmpKey(region, HIRED + timedelta(days=day), number)
                for region in "ab"
                for day in (0, 1)
                for number in (1, 2)
            ),
            key=lambda key: (key.region, -key.hired.timestamp(), key.emp_id),
        )
        with self.db.write() as tx:
            tx[RAW].put_many((key, b"") for key in raws)
            tx[EMP].put_many((key, 1) for key in employees)
            for _ in range(200):
                low, high = rng.choice(raws), rng.choice(raws)
                inside = [key for key in raws if low < key <= high]
                self.assertEqual(list(tx[RAW].after(low).through(high)), inside)
                self.assertEqual([key for key in raws if key in tx[RAW].through(high).after(low)], inside)
                stem, last = (rng.choice(employees)[: rng.randrange(4)] for _ in range(2))
                places = [n for n, key in enumerate(employees) if key[: len(stem)] == stem]
                ends = [n for n, key in enumerate(employees) if key[: len(last)] == last]
                found = employees[places[-1] + 1 : ends[-1] + 1]
                self.assertEqual(list(tx[EMP].after(stem).through(last)), found)
                self.assertEqual([key for key in employees if key in tx[EMP].through(last).after(stem)], found)
                whole = [key for key in employees[places[-1] + 1 :] if key.region == "a"]
                self.assertEqual(list(tx[EMP].prefix("a").after(stem)), whole)
                upto = [key for key in employees[: ends[-1] + 1] if key.region == "b"]
                self.assertEqual(list(tx[EMP].through(last).prefix("b")), upto)

    def test_parts_that_begin_behind_an_item(self) -> None:
        with self.db.write() as tx:
            twice = tx[TWICE]
            ids = [(key, twice.insert(key, b"%d" % key)) for key in (1, 1, 1, 2, 2)]
            for at, (key, item) in enumerate(ids):
                part = twice.after(key, item)
                with part.cursor() as cursor:
                    self.assertEqual([(each.key, each.item) for each in cursor], ids[at + 1 :])
                with self.assertRaises(sop.ClosedError):
                    cursor.next()
                self.assertEqual(list(reversed(part)), [each[0] for each in reversed(ids[at + 1 :])])
                self.assertEqual(part.count(), len(ids) - at - 1)
                self.assertEqual(list(part.through(key)), [each for each, _ in ids[at + 1 :] if each == key])
                for narrower in (part.after(key), twice.after(key).after(key, item)):  # behind all of them
                    self.assertEqual(list(narrower), [each for each, _ in ids if each > key])
                self.assertNotIn(key, part)
            self.assertEqual(twice.after(1, ids[0][1]).through(1).remove_all(), 2)
            self.assertEqual(list(twice), [1, 2, 2])
            stored = [EmpKey(region, HIRED, number) for region in ("DE", "US") for number in (1, 2)]
            tx[EMP].put_many((key, 1) for key in stored)
            self.assertEqual(list(tx[EMP].after(("DE",))), stored[2:])  # behind all that begin so
            self.assertEqual([list(tx[EMP].after(("US",))), list(tx[EMP].after(()))], [[], []])
            self.assertEqual(list(tx[EMP].range(("DE", HIRED)).after(("DE",))), stored[2:])
            self.assertEqual(list(tx[EMP].after(("DE", HIRED, 1))), stored[1:])
            self.assertEqual(list(tx[EMP].through(("DE",))), stored[:2])

    def test_it_does_what_a_dict_does(self) -> None:
        rng = random.Random(11)
        model: Dict[bytes, bytes] = {}
        with self.db.write() as tx:
            tx.create(RAW)
            view = tx[RAW]
            for _ in range(3000):
                key = bytes([rng.randrange(4)]) * rng.randrange(1, 12)
                value = rng.randbytes(rng.choice([0, 3, 1500]))
                what = rng.randrange(8)
                if what < 3:
                    view[key] = model[key] = value
                elif what == 3:
                    self.assertEqual(view.pop(key, None), model.pop(key, None))
                elif what == 4:
                    self.assertEqual(view.setdefault(key, value), model.setdefault(key, value))
                elif what == 5:
                    self.assertEqual(key in view, key in model)
                    self.assertEqual(view.get(key, b"?"), model.get(key, b"?"))
                elif what == 6:
                    if key in model:
                        del view[key], model[key]
                    else:
                        with self.assertRaises(KeyError):
                            del view[key]
                else:
                    low, high = sorted((key, bytes([rng.randrange(4)])))
                    inside = {k: v for k, v in model.items() if low <= k < high}
                    self.assertEqual(list(view[low:high].items()), sorted(inside.items()))
                    self.assertEqual(len(view[low:high]), len(inside))
            self.assertEqual(dict(view), model)
        self.assertEqual(list(self.db[RAW].items()), sorted(model.items()))
        self.assertEqual(list(self.db[RAW]), sorted(model))
        self.assertEqual(list(reversed(self.db[RAW])), sorted(model, reverse=True))
        self.assertEqual(list(self.db[RAW].values()), [model[k] for k in sorted(model)])

    def test_a_key_that_is_not_there_is_a_key_error_with_the_key(self) -> None:
        self.db[TEXTS]["a"] = 1
        with self.assertRaises(KeyError) as caught:
            self.db[TEXTS]["b"]
        self.assertEqual(caught.exception.args, ("b",))
        self.db[EMP]["US", HIRED, 1] = 1
        with self.assertRaises(KeyError) as caught:
            self.db[EMP][EmpKey("US", HIRED, 2)]
        self.assertEqual(caught.exception.args, (EmpKey("US", HIRED, 2),))
        for change in (lambda view: view.remove("b"), lambda view: view.replace("b", 1), lambda view: view.pop("b")):
            with self.assertRaises(KeyError):
                change(self.db[TEXTS])

    def test_the_first_write_creates_the_store_and_a_read_does_not(self) -> None:
        with self.assertRaises(sop.NotFoundError) as caught:
            self.db[TEXTS]["a"]
        self.assertEqual(caught.exception.store, "texts")
        for read in (len, list, bool, lambda view: view.get("a"), lambda view: "a" in view, lambda view: view.first()):
            with self.assertRaises(sop.NotFoundError):
                read(self.db[TEXTS])
        for change in (lambda view: view.remove("a"), lambda view: view.replace("a", 1)):
            with self.assertRaises(sop.NotFoundError):
                change(self.db[TEXTS])
        self.assertEqual(self.db.stores(), [])
        writes: Any = [
            lambda view: view.__setitem__("a", 1),
            lambda view: view.insert("a", 1),
            lambda view: view.put_many([("a", 1)]),
            lambda view: view.setdefault("a", 1),
            lambda view: view.update({"a": 1}),
        ]
        for write in writes:
            write(self.db[TEXTS])
            self.assertEqual(self.db[TEXTS]["a"], 1)
            self.db.drop(TEXTS)

    def test_integers_are_added_to_without_reading(self) -> None:
        with self.db.write() as tx:
            tx[NUMBERS].add(1, 5)
            tx[NUMBERS].add(1, -7)
            tx[NUMBERS].max(2, 10)
            tx[NUMBERS].max(2, 9)
            tx[NUMBERS].min(2, 8)
        self.assertEqual(dict(self.db[NUMBERS]), {1: -2, 2: 8})
        self.db[RAW][b"a"] = b"no integer"
        with self.assertRaises(sop.SchemaError):
            self.db[RAW].add(b"a", 1)
        for change in [self.db[TEXTS].add, self.db[TEXTS].min, self.db[TEXTS].max]:
            with self.assertRaisesRegex(sop.SchemaError, "'texts' are sop.JSON"):
                change("new", 1)
        self.assertNotIn(TEXTS.name, self.db.stores())

    def test_many_entries(self) -> None:
        keys = [EmpKey("US", HIRED, number, deleted=True, note="n") for number in range(1000)]
        self.db[EMP].put_many((key, key.emp_id) for key in keys)
        with self.db.write() as tx:
            view = tx[EMP]
            view[keys[3]] = "new"
            absent = keys[0].replace(region="DE")
            found = view.entry_many(key.replace(note="asked") for key in [*keys, absent])
            self.assertIsNone(found.pop())
            self.assertEqual(found, [view.entry(key) for key in keys])
            self.assertEqual([entry.key for entry in found if entry], keys)
            self.assertEqual([entry.version == 0 for entry in found if entry], [key.emp_id == 3 for key in keys])
            oldest = tx[TWICE].insert(1, b"old")
            tx[TWICE].insert(1, b"new")
            self.assertEqual(tx[TWICE].entry_many([1, 2]), [(1, b"old", 0, oldest), None])
            self.assertEqual(tx[TWICE].entry_many([]), [])
        self.assertEqual([entry.value for entry in self.db[EMP].entry_many(keys[2:4]) if entry], [2, "new"])
        with self.assertRaises(TypeError):
            self.db[EMP].entry_many([1])  # pyright: ignore[reportArgumentType]

    def test_parts_by_the_beginning_of_a_text(self) -> None:
        words = ["", "a", "ab", "b", "é", "\U0010ffff", "\U0010ffffx", "\ud7ffa"]
        with self.db.write() as tx:
            view = tx[PLACES]
            view.put_many((Place(land, city, number), b"") for land in words for city in words for number in (1, 2))
            for land in words:
                for stem in words:
                    wanted = [key for key in view if key.land == land and key.city.startswith(stem)]
                    self.assertEqual(list(view.starts_with(land, stem)), wanted, (land, stem))
                wanted = [key for key in view if key.land.startswith(land)]
                self.assertEqual(list(view.starts_with(land)), wanted)
                self.assertEqual(
                    list(view.starts_with("a").starts_with(land)), [k for k in wanted if k.land[:1] == "a"]
                )
            for wrong in ((), ("a", 1), ("a", None), ("a", "b", "c"), ("a", "b", 1, "c")):
                with self.assertRaises(TypeError):
                    view.starts_with(*wrong)
            with self.assertRaises(TypeError):
                tx[EMP].starts_with("US", "x")  # descending, and no text
            with self.assertRaisesRegex(TypeError, "ascending"):
                tx[NEWEST].starts_with("a")
            with self.assertRaisesRegex(TypeError, "prefix"):
                tx[RAW].starts_with("a")
            with self.assertRaises(TypeError):
                tx[NUMBERS].starts_with("1")

    def test_parts_of_texts(self) -> None:
        words = ["a", "ab", "aba", "abz", "ac", "b", "é", "\U0010ffff", "\U0010ffffx", "퟿a", "z"]
        self.db[TEXTS].put_many((word, len(word)) for word in words)
        view = self.db[TEXTS]
        for stem in ["", "a", "ab", "abz", "b", "q", "\U0010ffff", "퟿", "é"]:
            self.assertEqual(list(view.prefix(stem)), sorted(word for word in words if word.startswith(stem)), stem)
            self.assertEqual(list(view.starts_with(stem)), list(view.prefix(stem)), stem)
        self.assertEqual(list(view.prefix()), list(view))
        with self.assertRaises(TypeError):
            view.prefix("a", "b")
        part = view["a":"b"]
        self.assertEqual(list(part["ab":]), ["ab", "aba", "abz", "ac"])
        self.assertEqual(list(part[:"ab"]), ["a"])
        self.assertEqual(list(part["0":"zz"]), ["a", "ab", "aba", "abz", "ac"])
        self.assertEqual(list(part.prefix("ab")["aba":]), ["aba", "abz"])
        self.assertEqual(list(part["c":"d"]), [])
        self.assertEqual(part.get("b"), None)
        self.assertNotIn("b", part)
        with self.assertRaises(ValueError):
            part["b"] = 1
        with self.assertRaises(ValueError):
            part.put_many([("ab", 1), ("b", 1)])
        self.assertEqual(part.remove_all(), 5)
        self.assertNotIn("ab", view)
        del view["b":"z"]
        self.assertEqual(sorted(view), sorted(["é", "\U0010ffff", "\U0010ffffx", "퟿a", "z"]))
        with self.assertRaises(ValueError):
            view["a":"b":2]

    def test_composite_keys(self) -> None:
        keys = [
            EmpKey(region, HIRED + timedelta(days=day), number, number % 2 == 0)
            for region in ("DE", "US")
            for day in range(3)
            for number in range(3)
        ]
        random.Random(1).shuffle(keys)
        self.db[EMP].put_many((key, list(key[:1])) for key in keys)
        view = self.db[EMP]
        self.assertEqual(list(view), sorted(keys))
        self.assertEqual(list(view), sorted(keys, key=lambda key: (key.region, -key.hired.timestamp(), key.emp_id)))
        us = [key for key in sorted(keys) if key.region == "US"]
        self.assertEqual(list(view.prefix("US")), us)
        self.assertEqual(len(view.prefix("US", HIRED)), 3)
        self.assertEqual(list(view[("US",) :]), us)
        self.assertEqual(
            (list(view.starts_with("U")), list(view.starts_with("")), len(view.starts_with("V"))), (us, list(view), 0)
        )
        self.assertEqual(list(view.starts_with("U").after(us[1])), us[2:])
        self.assertEqual(list(view.keys(us[2], us[4])), us[2:4])
        self.assertEqual(list(view.prefix("US").keys(reverse=True, limit=2)), us[:-3:-1])
        self.assertEqual(view.floor(us[1]), (us[1], ["US"]))
        self.assertEqual(view.lower(us[1]), (us[0], ["US"]))
        self.assertEqual(view.higher(us[1]), (us[2], ["US"]))
        self.assertEqual(view.ceiling(("US",)), (us[0], ["US"]))
        self.assertIsNone(view.ceiling(("VA",)))
        self.assertEqual(view.first(), (sorted(keys)[0], ["DE"]))
        self.assertEqual(view.last(), (us[-1], ["US"]))

    def test_parts_of_parts(self) -> None:
        keys = [EmpKey(r, HIRED + timedelta(days=d), n) for r in ("DE", "US", "VA") for d in range(3) for n in range(3)]
        self.db[EMP].put_many((key, 1) for key in keys)
        rng = random.Random(5)
        for _ in range(150):
            view, inside = self.db[EMP], sorted(keys)
            for _ in range(rng.randrange(1, 4)):
                low, high = (rng.choice([None, *keys, ("US",), ("DE", HIRED)]) for _ in range(2))
                region = rng.choice(["DE", "US", "VA"])
                if rng.random() < 0.5:
                    view, inside = view.prefix(region), [key for key in inside if key.region == region]
                elif rng.random() < 0.3:
                    view = view.prefix(region, HIRED)
                    inside = [key for key in inside if key[:2] == (region, HIRED)]
                else:
                    view = view[low:high]
                    pack = EMP._codec.pack_prefix
                    inside = [
                        key
                        for key in inside
                        if (low is None or pack(key) >= pack(low)) and (high is None or pack(key) < pack(high))
                    ]
            self.assertEqual(list(view), inside)
            self.assertEqual(list(view.keys(reverse=True)), inside[::-1])
            self.assertEqual(len(view), len(inside))
            self.assertEqual([key for key in keys if key in view], [key for key in keys if key in inside])
            self.assertEqual(view.first(), (inside[0], 1) if inside else None)

    def test_parts_of_raw_keys(self) -> None:
        keys = [b"", b"a", b"a\xff", b"a\xff\xff", b"a\xffb", b"b", b"\xff", b"\xff\xff"]
        self.db[RAW].put_many((key, b"") for key in keys)
        for stem in (b"", b"a", b"a\xff", b"\xff", b"\xff\xff", b"c"):
            self.assertEqual(list(self.db[RAW].prefix(stem)), sorted(key for key in keys if key.startswith(stem)))
        self.assertEqual(list(self.db[RAW].prefix(b"a")[b"a\xff":b"a\xffb"]), [b"a\xff"])

    def test_fields_that_ride_along(self) -> None:
        view = self.db[EMP]
        key = EmpKey("US", HIRED, 1, True, "x")
        view[key] = {"a": 1}
        self.assertEqual(view[EmpKey("US", HIRED, 1)], {"a": 1})
        view.replace(key.sort_fields(), {"a": 2})  # type: ignore[arg-type]
        self.assertEqual(view.first(), (key, {"a": 2}))
        view.set_ride(key.replace(deleted=False))
        self.assertEqual(list(view), [EmpKey("US", HIRED, 1, False, "x")])
        entry = view.entry(EmpKey("US", HIRED, 1))
        self.assertEqual((entry.key.note, entry.value, entry.item), ("x", {"a": 2}, 0))
        self.assertGreater(entry.version, 0)
        with self.assertRaises(KeyError):
            view.set_ride(EmpKey("US", HIRED, 2))

    def test_duplicates(self) -> None:
        with self.db.write() as tx:
            view = tx[TWICE]
            ids = [view.insert(number % 3, b"%d" % number) for number in range(9)]
            self.assertEqual(ids, sorted(set(ids)))
            self.assertEqual([entry.value for entry in view.duplicates(1)], [b"1", b"4", b"7"])
            second = list(view.duplicates(1))[1]
            view.replace(1, b"four", second.item)
            view.remove(1)
            self.assertEqual([entry.value for entry in view.duplicates(1)], [b"four", b"7"])
            self.assertEqual(view.entry(1, second.item).value, b"four")
            self.assertEqual(view[1], b"four")
            with self.assertRaises(sop.MisuseError):
                view[1] = b"a blind put names no item"
            self.assertEqual(list(view.duplicates(5)), [])
        self.assertEqual(len(self.db[TWICE]), 8)

    def test_iterating_while_changing(self) -> None:
        for store, count in ((RAW, 500), (TWICE, 500)):
            for reverse in (False, True):
                self.change_while_iterating(store, count, reverse)

    def change_while_iterating(self, store: Any, count: int, reverse: bool) -> None:
        """Each item once, none of those that stay left out, none that was removed before it came."""
        with self.db.write() as tx:
            view = tx[store]
            put = view.insert if store.duplicates else view.__setitem__
            if store.name in tx.stores():
                view.clear()
            for number in range(count):
                put(b"%06d" % number if store is RAW else number // 7, b"%d" % number)
            removed, met = set(), []
            for key, value in view.items(reverse=reverse):
                number = int(value)
                met.append(number)
                self.assertNotIn(number, removed)
                if number % 5 == 0:
                    ahead = number + (-1 if reverse else 1) * (number % 3)
                    gone = view.entry(key) if store.duplicates else None
                    if store is RAW and 0 <= ahead < count and b"%06d" % ahead in view:
                        view.remove(b"%06d" % ahead)
                        removed.add(ahead)
                    elif gone is not None:
                        view.remove(key, gone.item)
                        removed.add(int(gone.value))
            self.assertEqual(len(met), len(set(met)))
            self.assertEqual(met, sorted(met, reverse=reverse))
            left = {int(value) for value in view.values()}
            self.assertLessEqual(left, set(met))

    def test_many_at_once(self) -> None:
        rows = [(f"k{number:05}", {"n": number}) for number in range(10_000)]
        self.assertEqual(self.db[TEXTS].put_many(rows), 10_000)
        self.assertEqual(list(self.db[TEXTS].items()), rows)
        asked = ["k00003", "nope", "k09999"]
        self.assertEqual(self.db[TEXTS].get_many(asked, "?"), [{"n": 3}, "?", {"n": 9999}])
        with self.assertRaises(sop.ExistsError) as caught:
            self.db[TEXTS].insert_many([("new", 1), ("k00003", 1), ("newer", 1)])
        self.assertEqual(caught.exception.rows_done, 1)
        self.assertNotIn("new", self.db[TEXTS])
        self.assertEqual(self.db[TEXTS].remove_many(key for key, _ in rows[:9_000]), 9_000)
        self.assertEqual(self.db[TEXTS].count(), 1_000)
        with self.assertRaises(sop.NotFoundError):
            self.db[TEXTS].replace_many([("k00003", 1)])
        with self.assertRaises((TypeError, ValueError)):
            self.db[TEXTS].put_many([("k",)])  # type: ignore[list-item]

        def broken() -> Any:
            yield "a", 1
            raise ZeroDivisionError

        with self.assertRaises(ZeroDivisionError), self.db.write() as tx:
            tx[TEXTS].put_many(broken())
        self.assertNotIn("a", self.db[TEXTS])

    def test_large_values(self) -> None:
        for size in (0, 1, 2047, 2048, 2049, 300_000):
            value = bytes(range(256)) * (size // 256 + 1)
            self.db[RAW][b"k%d" % size] = value[:size]
            self.assertEqual(self.db[RAW][b"k%d" % size], value[:size])
        self.assertEqual([len(value) for value in self.db[RAW].values()], [0, 1, 2047, 2048, 2049, 300_000])
        self.assertEqual(self.db[RAW].get_many([b"k300000"])[0], value[:300_000])

    def test_cursors_go_both_ways(self) -> None:
        self.db[TEXTS].put_many((letter, ord(letter)) for letter in "abcdef")
        with self.db.write() as tx:
            cursor = tx[TEXTS]["b":"f"].cursor()
            self.assertTrue(cursor.first() and cursor.key == "b" and cursor.value == 98)
            self.assertTrue(cursor.last() and cursor.key == "e")
            self.assertFalse(cursor.next())
            with self.assertRaises(LookupError):
                cursor.key
            self.assertTrue(cursor.prev() and cursor.key == "e")
            self.assertTrue(cursor.seek("c", "gt") and cursor.key == "d")
            self.assertTrue(cursor.seek("c", "lt") and cursor.key == "b")
            self.assertFalse(cursor.seek("f", "eq"))
            self.assertTrue(cursor.seek("c") and cursor.key == "c")
            cursor.update("new")
            cursor.remove()
            self.assertTrue(cursor.next() and cursor.key == "d")
            self.assertEqual([entry.key for entry in cursor], ["e"])
            self.assertEqual([entry.key for entry in tx[TEXTS].cursor(reverse=True)], list("fedba"))
        self.assertEqual("".join(self.db[TEXTS]), "abdef")

    def test_an_empty_key_is_a_key(self) -> None:
        with self.db.write() as tx:
            view = tx[RAW]
            view[b""] = b""
            cursor = view.cursor()
            self.assertTrue(cursor.first())
            self.assertEqual((cursor.key, cursor.value, cursor.entry[:2]), (b"", b"", (b"", b"")))
            self.assertTrue(cursor.seek(b"") and cursor.key == b"")
            self.assertEqual((view.floor(b"x"), view.first(), view.entry(b"")[:2]), ((b"", b""),) * 3)
            self.assertEqual(view.get_many([b""]), [b""])
            self.assertEqual(list(view.items()), [(b"", b"")])
            for key, _ in view.items():
                view[b"\1"] = b""
                self.assertEqual(len(key), len(view) - 1 if key else 0)

    def test_pop_item_and_truth(self) -> None:
        self.db[TEXTS].update({"a": 1, "b": 2, "c": 3})
        self.assertTrue(self.db[TEXTS])
        self.assertEqual(self.db[TEXTS].popitem(), ("c", 3))
        self.assertEqual(self.db[TEXTS].popitem(last=False), ("a", 1))
        self.assertEqual(self.db[TEXTS].pop("b"), 2)
        self.assertFalse(self.db[TEXTS])
        with self.assertRaises(KeyError):
            self.db[TEXTS].popitem()

    def test_views_are_live_sized_and_reversible(self) -> None:
        self.db[TEXTS].update({"a": 1, "b": 2, "c": 3})
        items, keys, values = self.db[TEXTS].items(), self.db[TEXTS].keys(), self.db[TEXTS].values("b")
        self.db[TEXTS]["d"] = 4
        self.assertEqual((len(items), len(keys), len(values)), (4, 4, 3))
        self.assertEqual(list(reversed(keys)), list("dcba"))
        self.assertIn(("a", 1), items)
        self.assertNotIn(("a", 2), items)
        self.assertIn("a", keys)
        self.assertIn(4, values)
        self.assertEqual(len(self.db[TEXTS].items(limit=2)), 2)
        self.assertEqual(list(self.db[TEXTS].items(limit=0)), [])
        with self.assertRaises(TypeError):
            reversed(self.db[TEXTS].items(limit=2))
        with self.assertRaises(ValueError):
            self.db[TEXTS].items(limit=-1)

    def test_wrong_values_change_nothing(self) -> None:
        with self.db.write() as tx:
            for key, value, error in (
                ("a", float("nan"), ValueError),
                ("a", object(), TypeError),
                (1, 1, sop.SchemaError),
            ):
                with self.assertRaises(error):
                    tx[TEXTS][key] = value  # type: ignore[index]
            with self.assertRaises(TypeError):
                tx[RAW]["text"] = b""  # type: ignore[index]
            with self.assertRaises(TypeError):
                tx[RAW][b"k"] = "text"  # type: ignore[assignment]
            with self.assertRaises(OverflowError):
                tx[NUMBERS][1] = 1 << 63
            with self.assertRaises(sop.LimitError):
                tx[RAW][b"k" * 65537] = b""
            self.assertFalse(tx.stores() and tx[RAW])
            self.assertNotIn("texts", tx.stores())

    def test_a_codec_of_the_user(self) -> None:
        class Upper:
            def encode(self, value: str, /) -> bytes:
                return value.upper().encode()

            def decode(self, data: bytes, /) -> str:
                return data.decode()

        store = sop.Store("upper", key=sop.STR, value=Upper())
        self.db[store]["a"] = "text"
        self.assertEqual(self.db[store]["a"], "TEXT")
        self.assertEqual(list(self.db[store].values()), ["TEXT"])
        raw = sop.Store("upper", key=sop.STR)
        self.assertEqual(self.db[raw]["a"], b"TEXT")


MappingOnDisk = on_disk(Mapping)


class Together(unittest.TestCase):
    def test_it_is_a_mutable_mapping(self) -> None:
        from collections.abc import MutableMapping

        with sop.open("inmemory:") as db:
            self.assertIsInstance(db[TEXTS], MutableMapping)
            view = db[TEXTS]
            view.update([("a", 1)])
            self.assertEqual({**view}, {"a": 1})
            self.assertEqual(view, view)

    def test_it_equals_what_holds_the_same(self) -> None:
        with sop.open("inmemory:") as db:
            view = db[TEXTS]
            view.update({"a": 1, "b": [2], "c": None})
            self.assertEqual(view, {"c": None, "b": [2], "a": 1})
            self.assertEqual({"a": 1, "b": [2]}, view[:"c"])
            self.assertEqual(view["a":], view)
            for other in (
                {"a": 1, "b": [2]},
                {"a": 1, "b": [2], "c": 0},
                {"a": 1, "b": [2], "d": None},
                view["b":],
                {},
                [],
                5,
            ):
                self.assertNotEqual(view, other)
            with self.assertRaises(TypeError):
                hash(view)
            self.assertEqual(repr(view), f"<sop.View of {TEXTS.name!r}>")
            self.assertEqual(repr(view["a":"b"].after("a")), f"<sop.View of a part of {TEXTS.name!r}>")


if __name__ == "__main__":
    main()
