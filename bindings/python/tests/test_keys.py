"""Keys: the vectors that all languages share, key classes, and what is refused."""

from __future__ import annotations

import copy
import datetime
import json
import os
import pickle
import random
import struct
import unittest
import uuid
from typing import Any, ClassVar, List, Optional

from support import SOURCE, main

import sop

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
TYPES = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "bytes": bytes,
    "uuid": uuid.UUID,
    "ts": datetime.datetime,
}


def native(kind: str, value: Any) -> Any:
    """A value of the vectors as Python has it."""
    if isinstance(value, dict):
        if "$int" in value:
            number = int(value["$int"])
            return EPOCH + datetime.timedelta(microseconds=number) if kind == "ts" else number
        if "$f64" in value:
            return struct.unpack(">d", bytes.fromhex(value["$f64"]))[0]
        return bytes.fromhex(value["$hex"])
    return uuid.UUID(value) if kind == "uuid" and value is not None else value


def key_class(fields: List[Any]) -> Any:
    """A key class of a schema of the vectors."""
    body = {"__annotations__": {f"f{i}": TYPES[field["t"]] for i, field in enumerate(fields)}, "__module__": __name__}
    body.update({f"f{i}": sop.desc() for i, field in enumerate(fields) if field["desc"]})
    return type(sop.Key)("Vector", (sop.Key,), body)


class EmpKey(sop.Key):
    region: str
    hired: datetime.datetime = sop.desc()
    emp_id: int
    boss: Optional[uuid.UUID]
    deleted: bool = sop.ride(default=False)
    size: int = sop.ride(default=1 << 60)


class Vectors(unittest.TestCase):
    def test_all_vectors_both_ways(self) -> None:
        count = 0
        with open(os.path.join(SOURCE, "tests/data/keys-v1.jsonl"), encoding="utf-8") as lines:
            for line in lines:
                vector = json.loads(line)
                values = [native(f["t"], v) for f, v in zip(vector["schema"], vector["values"])]
                cls = key_class(vector["schema"])
                store = sop.Store("vectors", key=cls)
                packed = bytes.fromhex(vector["hex"])
                self.assertEqual(store.pack(cls(*values)).hex(), vector["hex"], line)
                back = store.unpack(packed)
                self.assertIs(type(back), cls)
                self.assertEqual([type(each) for each in back], [type(each) for each in values], line)
                self.assertEqual(tuple(back), tuple(values), line)
                self.assertEqual(store.pack(back), packed)
                count += 1
        self.assertEqual(count, 300)

    def test_one_field_is_the_schema_that_all_languages_have(self) -> None:
        for key, name in ((sop.STR, "str"), (sop.INT, "int"), (sop.FLOAT, "float"), (sop.BOOL, "bool")):
            self.assertEqual(sop.Store("s", key=key).schema(), '{"v":1,"sort":[{"n":"key","t":"%s"}]}' % name)
        self.assertEqual(sop.Store("s", key=sop.UUID).schema(), '{"v":1,"sort":[{"n":"key","t":"uuid"}]}')
        self.assertEqual(sop.Store("s", key=sop.TIME).schema(), '{"v":1,"sort":[{"n":"key","t":"ts"}]}')
        self.assertEqual(sop.Store("s").schema(), "")
        self.assertEqual(sop.Store("s", key=str).schema(), sop.Store("s", key=sop.STR).schema())
        self.assertEqual(sop.Store("s", key=bytes).schema(), "")

    def test_random_values_sort_as_their_bytes(self) -> None:
        rng = random.Random(3)
        kinds: Any = [
            (sop.INT, lambda: rng.choice([-1, 1]) * rng.getrandbits(rng.randrange(63)) + rng.choice([0, 1 << 63])),
            (sop.FLOAT, lambda: rng.choice([rng.uniform(-1e9, 1e9), rng.gauss(0, 1e-300), float("inf"), -0.0])),
            (
                sop.STR,
                lambda: "".join(chr(rng.choice([0, 65, 255, 0xFFFF, 0x10FFFF])) for _ in range(rng.randrange(5))),
            ),
            (sop.TIME, lambda: EPOCH + datetime.timedelta(microseconds=rng.randrange(-(10**16), 10**17))),
            (sop.UUID, lambda: uuid.UUID(int=rng.getrandbits(128))),
        ]
        for kind, make in kinds:
            store = sop.Store("s", key=kind)
            values = [make() for _ in range(300)]
            for value in values:
                self.assertEqual(store.unpack(store.pack(value)), value)
            self.assertEqual(sorted(values), sorted(values, key=store.pack))


class Classes(unittest.TestCase):
    BOSS = uuid.UUID(int=5)

    def key(self, **changes: Any) -> EmpKey:
        return EmpKey("US", EPOCH, 7, self.BOSS).replace(**changes)

    def test_a_key_is_a_tuple_with_names(self) -> None:
        key = EmpKey("US", EPOCH, emp_id=7, boss=None, deleted=True)
        self.assertEqual(tuple(key), ("US", EPOCH, 7, None, True, 1 << 60))
        self.assertEqual((key.region, key.emp_id, key.deleted), ("US", 7, True))
        self.assertEqual(key.sort_fields(), ("US", EPOCH, 7, None))
        self.assertEqual(key.replace(emp_id=8).emp_id, 8)
        self.assertEqual(key.__replace__(emp_id=8), key.replace(emp_id=8))  # what copy.replace calls
        self.assertEqual(key, EmpKey("US", EPOCH, 7, None, True))
        self.assertEqual(hash(key), hash(EmpKey("US", EPOCH, 7, None, True)))
        self.assertIn("emp_id=7", repr(key))
        region, *_ = key
        self.assertEqual(region, "US")
        self.assertFalse(hasattr(key, "__dict__"))
        for made in (pickle.loads(pickle.dumps(key)), copy.copy(key), copy.deepcopy(key)):
            self.assertEqual(made, key)
            self.assertIs(type(made), EmpKey)
        with self.assertRaises(AttributeError):
            key.region = "DE"  # type: ignore[misc]
        with self.assertRaises(TypeError):
            key.replace(salary=1)
        with self.assertRaises(TypeError):
            EmpKey("US")  # type: ignore[call-arg]

    def test_the_schema(self) -> None:
        schema = json.loads(EmpKey.schema())
        self.assertEqual([f["n"] for f in schema["sort"]], ["region", "hired", "emp_id", "boss"])
        self.assertEqual([f.get("desc", False) for f in schema["sort"]], [False, True, False, False])
        self.assertEqual(schema["ride"][0], {"n": "deleted", "t": "bool", "default": False})
        self.assertEqual(schema["ride"][1]["default"], 1 << 60)

    def test_leading_fields_are_packed_as_keys_begin(self) -> None:
        store, key = sop.Store("emp", key=EmpKey), self.key()
        packed = store.pack(key)
        for count in range(len(key.sort_fields()) + 1):
            self.assertTrue(packed.startswith(store.pack_prefix(*key[:count])), count)
        self.assertEqual((store.pack_prefix(), store.pack_prefix("US")), (b"", packed[: len(store.pack_prefix("US"))]))
        self.assertNotEqual(store.pack_prefix("US"), b"")
        self.assertEqual(
            store.pack_prefix(*key), store.pack_prefix(*key.sort_fields())
        )  # as of bounds: no ride-along fields
        with self.assertRaises(sop.SchemaError):
            store.pack_prefix(1)
        text = sop.Store("text", key=sop.STR)
        self.assertEqual((text.pack_prefix("a"), text.pack_prefix()), (text.pack("a"), b""))
        self.assertEqual(sop.Store("raw").pack_prefix(b"a"), b"a")
        with self.assertRaises(TypeError):
            text.pack_prefix("a", "b")

    def test_defaults_of_all_types_come_back(self) -> None:
        class Wide(sop.Key):
            a: int = sop.field(name="number")
            b: bytes = sop.ride(default=b"\0\xff")
            c: float = sop.ride(default=float("-inf"))
            d: uuid.UUID = sop.ride(default=self.BOSS)
            e: datetime.datetime = sop.ride(default=EPOCH + datetime.timedelta(microseconds=-1))
            f: Optional[str] = sop.ride()

        store = sop.Store("wide", key=Wide)
        self.assertIn('"n":"number"', store.schema())
        self.assertEqual(store.unpack(store.pack((1,))), Wide(1))  # type: ignore[arg-type]

    def test_keys_are_ordered_as_the_store_orders_them(self) -> None:
        later = self.key(hired=EPOCH + datetime.timedelta(days=1))
        self.assertLess(later, self.key())
        self.assertLess(self.key(boss=None), self.key())
        self.assertLess(self.key(region="DE", emp_id=9), later)
        self.assertTrue(self.key() <= self.key(deleted=True) <= self.key())
        self.assertGreater(self.key(emp_id=8), self.key())
        with self.assertRaises(TypeError):
            self.key() < ("US",)

    def test_bad_classes_are_refused_when_they_are_made(self) -> None:
        bodies: Any = [
            {"__annotations__": {}},
            {"__annotations__": {"a": list}},
            {"__annotations__": {"a": int, "b": int}, "a": sop.ride()},
            {"__annotations__": {"a": int, "b": int}, "a": 1},
            {"__annotations__": {"a": List[int]}},
            {"__annotations__": {"a": int}, "__new__": lambda cls, a: None},
            {"__annotations__": {"a": int}, "__init__": lambda self, a: None},
            *(
                {"__annotations__": {name: int}}
                for name in ("schema", "replace", "sort_fields", "_order", "class", "a b")
            ),
        ]
        for body in bodies:
            with self.assertRaises(TypeError):
                type(sop.Key)("Bad", (sop.Key,), {**body, "__module__": __name__})
        with self.assertRaises(TypeError):
            type(sop.Key)("Derived", (EmpKey,), {"__annotations__": {"b": int}, "__module__": __name__})
        with self.assertRaises(TypeError):
            sop.Store("s", key=sop.Key)
        with self.assertRaises(TypeError):
            sop.Store("s", key=dict)

    def test_what_a_class_has_besides_fields(self) -> None:
        class Named(sop.Key):
            LIMIT: ClassVar[int] = 3
            text: Optional[str] = sop.field(name="schema")

        self.assertEqual(Named("a").text, "a")
        self.assertEqual(Named.LIMIT, 3)
        self.assertEqual(Named.schema(), '{"v":1,"sort":[{"n":"schema","t":"str"}]}')

    def test_an_object_that_fails_to_say_what_it_is(self) -> None:
        class Hostile:
            @property
            def __class__(self) -> Any:
                raise ZeroDivisionError

            def __index__(self) -> int:
                return 3

        with self.assertRaises(ZeroDivisionError):
            sop.Store("s", key=sop.INT).pack(Hostile())  # type: ignore[arg-type]

    def test_what_is_no_value_of_its_field_is_refused(self) -> None:
        naive = EPOCH.replace(tzinfo=None)
        for wrong in (
            {"region": 1},
            {"hired": naive},
            {"hired": "now"},
            {"emp_id": 1 << 64},
            {"emp_id": -(1 << 63) - 1},
            {"emp_id": 1.5},
            {"emp_id": True},
            {"region": "\ud800"},
            {"boss": b"x" * 16},
        ):
            with self.assertRaises(sop.SchemaError, msg=str(wrong)):
                sop.Store("s", key=EmpKey).pack(self.key(**wrong))
        with self.assertRaises(TypeError):
            sop.Store("s", key=EmpKey).pack(self.key(region=object()))
        with self.assertRaises(TypeError):
            sop.Store("s", key=EmpKey).pack("US")  # type: ignore[arg-type]
        with self.assertRaises(sop.SchemaError):
            sop.Store("s", key=EmpKey).pack(("US", EPOCH))  # type: ignore[arg-type]
        with self.assertRaises(sop.SchemaError):
            sop.Store("s", key=sop.FLOAT).pack(float("nan"))
        with self.assertRaises(sop.SchemaError):
            sop.Store("s", key=EmpKey).unpack(b"rubbish")

    def test_a_failing_time_zone_is_the_programs_own_exception(self) -> None:
        class Broken(datetime.tzinfo):
            def utcoffset(self, when: Any) -> Any:
                raise ZeroDivisionError

        with self.assertRaises(ZeroDivisionError):
            sop.Store("s", key=sop.TIME).pack(datetime.datetime(2020, 1, 1, tzinfo=Broken()))

    def test_times_of_all_zones_are_the_same_moment(self) -> None:
        store = sop.Store("s", key=sop.TIME)
        zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30, seconds=1, microseconds=2))
        moment = datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
        self.assertEqual(store.pack(moment.astimezone(zone)), store.pack(moment))
        self.assertEqual(store.unpack(store.pack(moment.astimezone(zone))), moment)


if __name__ == "__main__":
    main()
