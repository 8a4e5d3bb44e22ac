"""What a type checker makes of the package: checked by basedpyright in its strict mode, and run, too.

assert_type holds for the checker; at run time it is nothing.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, List, Optional, Tuple
from uuid import uuid4

import sop

if TYPE_CHECKING:
    from typing_extensions import assert_type
else:

    def assert_type(value: Any, _kind: Any) -> Any:
        return value


class EmpKey(sop.Key):
    region: str
    hired: datetime = sop.desc()
    emp_id: int
    deleted: bool = sop.ride(default=False)


class Words:
    def encode(self, value: List[str], /) -> bytes:
        return " ".join(value).encode()

    def decode(self, data: bytes, /) -> List[str]:
        return data.decode().split()


USERS = sop.Store("users", key=sop.STR, value=sop.JSON)
EMP = sop.Store("employees", key=EmpKey, value=Words())
RAW = sop.Store("raw")
HITS = sop.Store("hits", key=str, value=sop.INT64)
BY_NUMBER = sop.Store("numbers", key=sop.INT)
FLAGS = sop.Store("flags", value=sop.INT64)


@sop.transactional
def promote(tx: sop.Transaction, who: EmpKey, word: str = "boss") -> int:
    words = assert_type(tx[EMP][who], List[str])
    tx[EMP][who] = [*words, word]
    return len(words) + 1


@sop.transactional(deadline=5, retry_for=1.5)
def count(tx: sop.Transaction) -> int:
    return len(tx[EMP])


def check(db: sop.Database) -> None:
    key = EmpKey("US", datetime.now(timezone.utc), emp_id=7)
    assert_type(key.region, str)
    assert_type(key.deleted, bool)
    assert_type(key.replace(deleted=True), EmpKey)
    with db.write() as tx:
        emp = assert_type(tx[EMP], sop.View[EmpKey, List[str]])
        emp[key] = ["engineer"]
        assert_type(emp.get(key), Optional[List[str]])
        assert_type(emp.get(key, []), List[str])
        assert_type(emp.first(), Optional[Tuple[EmpKey, List[str]]])
        assert_type(emp.prefix("US"), sop.View[EmpKey, List[str]])
        for found, words in emp.items(reverse=True, limit=3):
            assert_type(found, EmpKey)
            assert_type(words, List[str])
        assert_type(list(emp[key:]), List[EmpKey])
        assert_type(emp.get_many([key]), List[Optional[List[str]]])
        assert_type(emp.entry(key).version, int)
        assert_type(emp.entry_many([key]), List[Optional[sop.Entry[EmpKey, List[str]]]])
        assert_type(tx[USERS].starts_with("an"), sop.View[str, Any])
        assert_type(emp.starts_with("U"), sop.View[EmpKey, List[str]])
        assert_type(EMP.pack_prefix("US", key.hired), bytes)
        tx[HITS].add("page", 1)
        assert_type(tx[HITS]["page"], int)
        tx[RAW][b"k"] = b"v"
        assert_type(tx[RAW].pop(b"k"), bytes)
        assert_type(tx[FLAGS].setdefault(b"f", 1), int)
        tx[BY_NUMBER].put_many([(1, b"one"), (2, b"two")])
        with tx.savepoint():
            tx[USERS]["ann"] = {"age": 30}
    assert_type(db[USERS]["ann"], Any)
    assert_type(promote(db, key), int)
    assert_type(promote(db, key, word="chief"), int)
    with db.read() as tx:
        assert_type(count(tx), int)
    assert_type(db.run(lambda tx: tx[HITS]["page"]), int)
    assert_type(USERS in [USERS] and db[USERS] == {"ann": 1}, bool)
    db.create(RAW, exist_ok=True)
    for attempt in db.attempts(deadline=1.5, id=uuid4(), check=True, retry_for=1):
        with attempt as tx:
            tx[HITS].max("page", 3)
    assert_type(db.stats().commits, int)
    assert_type(db.info().durability, sop.Durability)
    assert_type([problem.is_damage for problem in db.verify()], List[bool])
    with db.read() as reading:
        cursor = reading[EMP].cursor()
        while cursor.next():
            assert_type(cursor.value, List[str])


def main() -> None:
    with sop.open("inmemory:", durability=sop.WRITTEN) as db:
        check(db)


if __name__ == "__main__":
    main()
