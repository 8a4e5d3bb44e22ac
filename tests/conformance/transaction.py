"""What each operation does in a transaction of the model, and what it must answer."""
import struct

import keys
from state import DECLARATIONS, LAST, Refused, Row, Store, View

WRITE, READ, SNAPSHOT, NOCHECK = range(4)
REVERSE, KEYS_ONLY = 1, 2
ATOMIC, NO_INTEGER = ("add", "min", "max"), "SCHEMA MISUSE"
BLIND = ("put", *ATOMIC)


def wrapped(number):
    return (number + 2**63) % 2**64 - 2**63


def integer(data):
    return struct.unpack("<q", data)[0]


def among(start, stop, order):
    """Whether a key is between two places (None: no end)."""
    return start <= (order, LAST - 1) and (stop is None or (order, 0) < stop)


def hexed(data):
    return "x" + data.hex()

BEYOND = b"\xff" * 2**17  # behind every key


class Unknown(Exception):
    """The model does not say what this answers: a cursor whose store has been rolled away."""


class Cursor:
    """Where a cursor stands: nowhere yet, on an item, or in the gap before a place."""

    def __init__(self, store, birth, declaration, start, stop, flags):
        self.store, self.birth, self.declaration = store, birth, declaration  # the name, or the Store itself once that was dropped
        self.start, self.stop, self.flags = start, stop, flags
        self.place, self.at = "fresh", None

    def ahead(self, store, backwards):
        """The point that it would meet next, or None."""
        first, end = store.within(self.start, self.stop)
        if self.place == "fresh":
            at = end if backwards else first
        else:
            point = (self.at[0], self.at[1] + 1) if self.place == "on" and not backwards else self.at
            at = len(store.points) if point is None else store.within(point, None)[0]
            at = min(max(at, first), end)
        if at == (first if backwards else end):
            return None
        return store.points[at - 1 if backwards else at]

    def stand(self, place, at):
        self.place, self.at = place, at

    def step(self, store, backwards):
        point = self.ahead(store, backwards)
        if point is None:
            self.stand("gap", self.start if backwards else self.stop)
        else:
            self.stand("on", point)
        return point

    def seek(self, store, order, where):
        self.stand("gap", (order, LAST) if where in (1, 2) else (order, 0))
        point = self.ahead(store, where in (2, 3))
        if where == 4 and point is not None and point[0] != order:
            point = None
        if point is not None:
            self.stand("on", point)
        return point


class Transaction:
    """One transaction of the model. `perform` does an operation, given as (name, arguments), and returns the results that it must
    have, as printed; Refused says that it must fail. Item ids are taken from the answer at hand, `hint`."""

    def __init__(self, stores, mode):
        self.view, self.mode = View(stores), mode
        self.cursors, self.saved = {}, []
        self.writes = 0  # changes that are not rolled back
        self.catalog = 0  # those of stores as a whole

    # ---- stores

    def declared(self, number):
        """The name and the store that a declaration names, which must be there and have its form."""
        declaration = DECLARATIONS[number]
        store = self.view.stores.get(declaration.name)
        if store is None:
            raise Refused(f"NOT_FOUND store={declaration.name}")
        if store.declaration.form != declaration.form:
            raise Refused("SCHEMA MISUSE")
        return declaration, store

    def changing(self, number, creates=False):
        declaration = DECLARATIONS[number]
        if creates and declaration.name not in self.view.stores:
            self.create(number)
        self.declared(number)
        if self.mode in (READ, SNAPSHOT):
            raise Refused("READ_ONLY MISUSE")
        return declaration, self.view.writable(declaration.name)

    def create(self, number):
        if self.mode in (READ, SNAPSHOT):
            raise Refused("READ_ONLY MISUSE")
        declaration = DECLARATIONS[number]
        if declaration.name in self.view.stores:
            raise Refused("EXISTS")
        self.view.stores[declaration.name] = Store(declaration)
        self.view.owned.add(declaration.name)
        self.writes += 1
        self.catalog += 1
        return []

    def leave(self, name):
        """Cursors of a store that goes keep what was there."""
        for cursor in self.cursors.values():
            if cursor.store == name:
                cursor.store = self.view.stores[name].copy()

    def drop(self, number):
        if self.mode in (READ, SNAPSHOT):
            raise Refused("READ_ONLY MISUSE")
        name = DECLARATIONS[number].name
        if name not in self.view.stores:  # whatever its form is
            raise Refused(f"NOT_FOUND store={name}")
        self.leave(name)
        del self.view.stores[name]
        self.view.owned.discard(name)
        self.writes += 1
        self.catalog += 1
        return []

    def rename(self, number, to):
        if self.mode in (READ, SNAPSHOT):
            raise Refused("READ_ONLY MISUSE")
        name = DECLARATIONS[number].name
        if name not in self.view.stores:
            raise Refused(f"NOT_FOUND store={name}")
        if to in self.view.stores:
            raise Refused("EXISTS")
        for cursor in self.cursors.values():
            cursor.store = to if cursor.store == name else cursor.store
        self.view.stores[to] = self.view.stores.pop(name)
        self.view.owned.discard(name)
        self.writes += 1
        self.catalog += 1
        return []

    def list(self):
        return [",".join(sorted(self.view.stores, key=str.encode)) or "-"]

    def describe(self, number):
        declaration, _ = self.declared(number)
        return [int(declaration.duplicates), 4, declaration.schema_text or "-"]

    # ---- items

    def find(self, number, token, item):
        declaration, store = self.declared(number)
        point = store.oldest(declaration.order(token), item)
        if point is None:
            raise Refused("NOT_FOUND")
        return declaration, store, point

    def get(self, number, token):
        _, store, point = self.find(number, token, 0)
        return [hexed(store.rows[point].value)]

    def fetch(self, number, token, item):
        _, store, point = self.find(number, token, item)
        row = store.rows[point]
        return [row.key(), hexed(row.value), point[1]]

    def version(self, number, token, item):
        self.find(number, token, item)
        return []

    def row_of(self, number, token, item):
        _, store, point = self.find(number, token, item)
        return store.rows[point]

    def get_many(self, number, tokens):
        declaration, store = self.declared(number)
        points = [store.oldest(declaration.order(token)) for token in tokens]
        return ["-" if point is None else hexed(store.rows[point].value) for point in points]

    def put(self, number, token, value):
        declaration, store = self.changing(number, creates=True)
        if declaration.duplicates:
            raise Refused("MISUSE MISUSE")
        order = declaration.order(token)
        sorts, rides = declaration.sorts_and_rides(token)
        store.put((order, 0), Row(sorts, rides, value))
        self.writes += 1
        return []

    def insert(self, number, token, value, hint=0):
        declaration, store = self.changing(number, creates=True)
        order = declaration.order(token)
        if not declaration.duplicates and store.oldest(order) is not None:
            raise Refused("EXISTS")
        sorts, rides = declaration.sorts_and_rides(token)
        item = hint if declaration.duplicates else 0
        if declaration.duplicates and (item < 1 or any(item == other for _, other in store.points)):
            raise Refused(f"OK and an item id that is new, not {item}")
        store.put((order, item), Row(sorts, rides, value))
        self.writes += 1
        return [item]

    def change(self, number, token, item, value, rides_too):
        declaration, store = self.changing(number)
        point = self.find(number, token, item)[2]
        old = store.rows[point]
        rides = declaration.sorts_and_rides(token)[1] if rides_too else old.rides
        store.put(point, Row(old.sorts, rides, old.value if value is None else value))
        self.writes += 1
        return []

    def update(self, number, token, item, value):
        return self.change(number, token, item, value, True)

    def set_ride(self, number, token, item):
        return self.change(number, token, item, None, True)

    def remove(self, number, token, item):
        _, store = self.changing(number)
        store.remove(self.find(number, token, item)[2])
        self.writes += 1
        return []

    def atomic(self, number, token, what):
        declaration, store = self.changing(number, creates=True)
        order = declaration.order(token)
        point = store.oldest(order)
        if point is not None and len(store.rows[point].value) != 8:
            raise Refused(NO_INTEGER)
        now = what(None if point is None else integer(store.rows[point].value))
        sorts, rides = declaration.sorts_and_rides(token)
        store.put((order, 0), Row(sorts, rides, struct.pack("<q", now)))
        self.writes += 1
        return []

    def add(self, number, token, by):
        return self.atomic(number, token, lambda old: by if old is None else wrapped(old + by))

    def min(self, number, token, to):
        return self.atomic(number, token, lambda old: to if old is None else min(old, to))

    def max(self, number, token, to):
        return self.atomic(number, token, lambda old: to if old is None else max(old, to))

    def put_many(self, number, how, rows):
        if how > 1:
            self.changing(number)
        for done, (token, value) in enumerate(rows):
            try:
                if how == 0:
                    self.put(number, token, value)
                elif how == 1:
                    self.insert(number, token, value)
                elif how == 2:
                    self.update(number, token, 0, value)
                else:
                    self.remove(number, token, 0)
            except Refused as refused:
                if str(refused) not in ("EXISTS", "NOT_FOUND"):
                    raise
                return [done, str(refused)]
        return [len(rows), "OK"]

    # ---- ranges and cursors

    def bounds(self, number, range_):
        declaration = DECLARATIONS[number]
        start, stop = (b"", 0), None
        for part in range_.split(";") if range_ != "*" else []:
            token, _, item = part[1:].partition("@")
            if part[0] == "S":  # the mark of the end of the text is two bytes
                stem = declaration.order(token)[:-2]
                return (stem, 0), (keys.behind(stem), 0)
            order, whole = declaration.order(token), declaration.is_whole(token)
            if part[0] == "P" or (part[0] == "U" and not whole):
                stop = keys.behind(order)
                stop = None if stop is None else (stop, 0)
            elif part[0] in "TU":
                stop = (order, LAST if part[0] == "U" else 0)
            if part[0] in "FP":
                start = (order, 0)
            elif part[0] == "A" and not whole:  # behind all that begin so
                start = (keys.behind(order) or BEYOND, 0)
            elif part[0] == "A":
                start = (order, int(item) + 1 if item else LAST)
        return start, stop

    def count(self, number, range_):
        first, end = self.declared(number)[1].within(*self.bounds(number, range_))
        return [end - first]

    def remove_range(self, number, range_):
        _, store = self.changing(number)
        first, end = store.within(*self.bounds(number, range_))
        for point in store.points[first:end]:
            store.remove(point)
        self.writes += end > first
        return [end - first]

    def print_row(self, store, point, flags):
        row = store.rows[point]
        value = "" if flags & KEYS_ONLY else "=" + hexed(row.value)
        return row.key() + value + (f"#{point[1]}" if store.declaration.duplicates else "")

    def scan(self, number, range_, flags, limit):
        _, store = self.declared(number)
        first, end = store.within(*self.bounds(number, range_))
        points = store.points[first:end]
        points = (points[::-1] if flags & REVERSE else points)[:limit or None]
        return [len(points), *(self.print_row(store, point, flags) for point in points)]

    def cursor_open(self, slot, number, range_, flags):
        self.cursors.pop(slot, None)
        declaration, store = self.declared(number)
        self.cursors[slot] = Cursor(declaration.name, store.birth, declaration, *self.bounds(number, range_), flags)
        return []

    def under(self, slot):
        """A cursor and the store that it is in."""
        cursor = self.cursors[slot]
        if cursor.store is None:
            raise Unknown
        return cursor, cursor.store if isinstance(cursor.store, Store) else self.view.stores[cursor.store]

    def entry(self, slot, point):
        cursor, store = self.under(slot)
        if point is None or point not in store.rows:
            raise Refused("NOT_FOUND")
        row = store.rows[point]
        return [row.key(), "x" if cursor.flags & KEYS_ONLY else hexed(row.value), point[1]]

    def cursor_first(self, slot):
        cursor, store = self.under(slot)
        cursor.stand("fresh", None)
        return self.entry(slot, cursor.step(store, False))

    def cursor_last(self, slot):
        cursor, store = self.under(slot)
        cursor.stand("fresh", None)
        return self.entry(slot, cursor.step(store, True))

    def cursor_next(self, slot):
        cursor, store = self.under(slot)
        return self.entry(slot, cursor.step(store, False))

    def cursor_prev(self, slot):
        cursor, store = self.under(slot)
        return self.entry(slot, cursor.step(store, True))

    def cursor_seek(self, slot, token, where):
        cursor, store = self.under(slot)
        return self.entry(slot, cursor.seek(store, cursor.declaration.order(token), where))

    def cursor_entry(self, slot):
        cursor, _ = self.under(slot)
        return self.entry(slot, cursor.at if cursor.place == "on" else None)

    def cursor_target(self, slot):
        if self.mode in (READ, SNAPSHOT):
            raise Refused("READ_ONLY MISUSE")
        cursor, store = self.under(slot)
        if cursor.place != "on" or cursor.at not in store.rows:
            raise Refused("NOT_FOUND")
        if not isinstance(cursor.store, Store):
            store = self.view.writable(cursor.store)
        self.writes += 1
        return cursor, store

    def cursor_update(self, slot, value):
        cursor, store = self.cursor_target(slot)
        old = store.rows[cursor.at]
        store.put(cursor.at, Row(old.sorts, old.rides, value))
        return []

    def cursor_remove(self, slot):
        cursor, store = self.cursor_target(slot)
        store.remove(cursor.at)
        return []

    def cursor_fetch(self, slot, rows_max):
        cursor, store = self.under(slot)
        rows = []
        while len(rows) < rows_max and cursor.step(store, bool(cursor.flags & REVERSE)) is not None:
            rows.append(self.print_row(store, cursor.at, cursor.flags))
        if not rows:
            raise Refused("NOT_FOUND")
        return [len(rows), *rows]

    # ---- savepoints

    def savepoint(self):
        self.saved.append((self.view.save(), self.writes, self.catalog))
        return []

    def rollback_to(self, index):
        index %= len(self.saved)
        if self.saved[index] is None:
            raise Refused("MISUSE MISUSE")
        saved, self.writes, catalog = self.saved[index]
        self.view.restore(saved)
        if catalog != self.catalog:
            names = {store.birth: name for name, store in self.view.stores.items()}
            for cursor in self.cursors.values():
                cursor.store = names.get(cursor.birth)
        self.catalog = catalog
        self.saved[index + 1:] = [None] * (len(self.saved) - index - 1)
        return []

    # ---- what it has read

    def observes(self, name, args, answer):
        """The keys on which an operation may conflict, as (name of the store, whether a key is among them); None: the stores themselves.
        Putting reads nothing, nor does adding to what is an integer."""
        if name in ("list", "describe", "create", "drop", "rename"):
            return None
        if name.startswith("cursor_"):
            cursor = self.cursors.get(args[0])
            sought = cursor.declaration.order(args[1]) if name == "cursor_seek" else None  # also beyond the range
            return cursor and (cursor.declaration.name,
                               lambda order: order == sought or among(cursor.start, cursor.stop, order))
        blind = name in BLIND and answer != NO_INTEGER
        if blind or name in ("savepoint", "rollback_to") or (name == "put_many" and args[1] == 0):
            return "", lambda order: False
        declaration = DECLARATIONS[args[0]]
        if name in ("scan", "count", "remove_range"):
            start, stop = self.bounds(args[0], args[1])
            return declaration.name, lambda order: among(start, stop, order)
        tokens = {"get_many": args[1], "put_many": [token for token, _ in args[2]] if name == "put_many" else ()}.get(name, [args[1]])
        orders = {declaration.order(token) for token in tokens}
        return declaration.name, orders.__contains__

    def perform(self, name, args, hint=0):
        return getattr(self, name)(*args, hint) if name == "insert" else getattr(self, name)(*args)
