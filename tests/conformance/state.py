"""The plain model's data: stores as sorted lists, and views of a database that transactions change."""
import bisect
import json

import keys
import generate

TABLE = generate.load()
STORES = TABLE["stores"]
LAST = 2**64  # above every item id


class Refused(Exception):
    """The operation fails with this text."""


class Declaration:
    """A store as a program declares it."""

    def __init__(self, entry):
        self.name, self.duplicates, self.is_json = entry["name"], entry["duplicates"], entry["value"] == "json"
        self.schema = None if entry["key"] == "bytes" else entry["key"]
        self.schema_text = entry["schema"]
        self.rides = len(self.schema.get("ride", ())) if self.schema else 0
        self.form = (json.dumps(self.schema), self.duplicates)

    def order(self, token):
        """What orders a key: the bytes of its sort fields."""
        packed = keys.packed(self.schema, token)
        if len(packed) > keys.BYTES_MAX:
            raise Refused("LIMIT MISUSE")
        return packed

    def is_whole(self, token):
        """Whether a bound names a key, not leading fields of one."""
        return self.schema is None or token.count(",") + 1 >= len(self.schema["sort"])

    def sorts_and_rides(self, token):
        if self.schema is None:
            return token, []
        sorts, rides = keys.split(self.schema, token)
        return ",".join(sorts), rides


DECLARATIONS = [Declaration(entry) for entry in STORES]


class Row:
    """An item: its sort fields and ride-along fields as they are printed, and its value. Never changed."""

    def __init__(self, sorts, rides, value):
        self.sorts, self.rides, self.value = sorts, tuple(rides), value
        self.written = None  # the database and the number of the commit that wrote it

    def key(self):
        return ",".join([self.sorts, *self.rides])

    def same(self, other):
        return (self.sorts, self.rides, self.value) == (other.sorts, other.rides, other.value)


class Store:
    """Rows by (bytes of the key, item id), in this order."""

    def __init__(self, declaration, points=(), rows=None, birth=None):
        self.declaration, self.points, self.rows = declaration, list(points), dict(rows or {})
        self.birth = birth or object()  # the same for all states of one store, whatever its name

    def copy(self):
        return Store(self.declaration, self.points, self.rows, self.birth)

    def put(self, point, row):
        if point not in self.rows:
            bisect.insort(self.points, point)
        self.rows[point] = row

    def remove(self, point):
        del self.rows[point]
        del self.points[bisect.bisect_left(self.points, point)]

    def oldest(self, order, item=0):
        """The point that a key and an item id (0: the oldest) name, or None."""
        if item:
            return (order, item) if (order, item) in self.rows else None
        at = bisect.bisect_left(self.points, (order, 0))
        return self.points[at] if at < len(self.points) and self.points[at][0] == order else None

    def within(self, start, stop):
        """Indexes of the points from `start` to `stop`, two places (None: no end)."""
        first = bisect.bisect_left(self.points, start)
        end = len(self.points) if stop is None else bisect.bisect_left(self.points, stop)
        return first, max(first, end)

    def same(self, other):
        return self.declaration.form == other.declaration.form and self.points == other.points and \
            all(row.same(other.rows[point]) for point, row in self.rows.items())


class View:
    """What a transaction sees: a store for each name, copied before the first change."""

    def __init__(self, stores):
        self.stores, self.owned = dict(stores), set()

    def writable(self, name):
        if name not in self.owned:
            self.stores[name] = self.stores[name].copy()
            self.owned.add(name)
        return self.stores[name]

    def save(self):
        """A copy to which the view can return."""
        self.owned = set()
        return dict(self.stores)

    def restore(self, saved):
        self.stores, self.owned = dict(saved), set()

    def same(self, stores):
        return self.stores.keys() == stores.keys() and all(
            store is stores[name] or store.same(stores[name]) for name, store in self.stores.items())
