"""Reads what sopctl imported, adds to it, and works with it as with a dict. examples/python/run runs it."""

import sys
from datetime import datetime, timezone

import sop


class Hire(sop.Key):
    """By region, the newest first. `left` rides along: in the key, never compared."""

    region: str
    hired: datetime = sop.desc()
    left: bool = sop.ride(default=False)


STAFF = sop.Store("staff", key=Hire, value=sop.JSON)
VISITS = sop.Store("visits", key=sop.STR, value=sop.INT64)


@sop.transactional
def raise_all(tx, region, percent):
    """One transaction: all of it happens, or nothing. After a conflict it runs again by itself."""
    staff = tx[STAFF].prefix(region)
    for hire, employee in staff.items():
        employee["pay"] += employee["pay"] * percent // 100
        staff[hire] = employee
    return sum(employee["pay"] for employee in staff.values())


def print_staff(db, region):
    """Readers see one state, and hinder nobody. Who has left is told by the keys alone: no value is read for it."""
    with db.read() as tx:
        staff = tx[STAFF].prefix(region)
        print("have left:", sum(hire.left for hire in staff.keys()))
        for hire, employee in staff.items():
            print(hire.hired.date(), employee)


def main():
    with sop.open(sys.argv[1]) as db:
        db[STAFF][Hire("US", datetime(2024, 2, 29, 12, tzinfo=timezone.utc))] = {"name": "zoë", "pay": 4700}
        print("raised in the US:", raise_all(db, "US", 10))
        print_staff(db, "US")
        for who in ("ann", "bob", "ann"):
            db[VISITS].add(who, 1)  # reads nothing, so nobody conflicts
        print("visits:", dict(db[VISITS]))


main()
