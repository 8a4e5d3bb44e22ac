"""The machine of Python: every operation through what a program of Python would write. See ../README.md."""
import datetime
import gc
import logging
import os
import queue
import typing
import uuid

import decoder
import sop
from decoder import Answer, Failure, NoSlot

SEEKS = ("ge", "gt", "le", "lt", "eq")
LEVELS = (logging.CRITICAL + 1, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)
MARKER = sop.Store("marker")
MESSAGE_S = 60  # far beyond what one takes


class EmpKey(sop.Key):
    region: str
    hired: datetime.datetime = sop.desc()
    emp_id: int
    deleted: bool = sop.ride(default=False)
    note: typing.Optional[str] = sop.ride()


class WideKey(sop.Key):
    score: float = sop.desc()
    who: uuid.UUID
    tag: bytes
    flag: bool = sop.desc()


class Documents:
    """JSON objects. What else comes into `doc`, as when another store is renamed so, are the bytes as they are."""

    def encode(self, value):
        return value if isinstance(value, bytes) else sop.JSON.encode(value)

    def decode(self, data):
        try:
            value = sop.JSON.decode(data)
        except ValueError:
            return data
        return value if isinstance(value, dict) else data


DOCUMENTS = Documents()
KEYS = {"raw": bytes, "rawdup": bytes, "str": sop.STR, "int": sop.INT, "emp": EmpKey, "empdup": EmpKey, "doc": sop.STR,
        "wide": WideKey, "other": sop.BYTES}
STORES = [sop.Store(name, key=KEYS[name], value=DOCUMENTS if is_json else sop.BYTES, duplicates=duplicates, node_items=4)
          for name, _schema, duplicates, is_json in decoder.STORES]

JSON_DOCUMENTS = sop.Store("doc", key=sop.STR, value=sop.JSON, node_items=4)  # what Documents hides: that they are JSON


def key_of(store, fields):
    """A key of the suite as a program has it."""
    if isinstance(fields, bytes):
        return fields
    key = KEYS[store.name]
    return key(*fields) if isinstance(key, type) and issubclass(key, sop.Key) else fields[0]


def fields_of(store, key):
    """The other way."""
    return key if isinstance(key, (bytes, tuple)) and (KEYS[store.name] in (bytes, sop.BYTES) or isinstance(key, sop.Key)) else [key]


def bound_of(store, fields):
    """Leading fields, or bytes, as bounds are given."""
    if fields is None or isinstance(fields, bytes):
        return fields
    return tuple(fields) if KEYS[store.name] in (EmpKey, WideKey) else fields[0]


def item_of(number):
    """Item ids have no sign."""
    return number % (1 << 64)


def value_of(store, data):
    return store.value.decode(data)


def bytes_of(store, value):
    return store.value.encode(value)


def part_between(view, store, bounds):
    """A part that begins behind a key, or ends with one."""
    view = view.range(bound_of(store, bounds.start), bound_of(store, bounds.stop))
    if bounds.through is not None:
        view = view.through(bound_of(store, bounds.through))
    return view if bounds.after is None else view.after(bound_of(store, bounds.after), bounds.item)


def part_of(view, store, bounds):
    """The part of a store that a range of the suite is."""
    if bounds.starts is not None:
        return view.starts_with(*bounds.starts)
    if bounds.after is not None or bounds.through is not None:
        return part_between(view, store, bounds)
    if bounds.prefix is None:
        return view.range(bound_of(store, bounds.start), bound_of(store, bounds.stop))
    if isinstance(bounds.prefix, bytes):
        return view.prefix(bounds.prefix)
    if KEYS[store.name] is sop.STR and bounds.prefix:  # a prefix of a text is of its letters: here the whole text is meant
        return view[bounds.prefix[0]:bounds.prefix[0] + "\0"]
    return view.prefix(*bounds.prefix) if bounds.prefix else view


class Machine:
    def program_begin(self, folder):
        self.folder = folder
        self.dbs, self.txns, self.cursors, self.savepoints, self.ids = {}, {}, {}, {}, {}
        self.begun = {}  # slot of a transaction: its mode, and its id if that is the program's
        self.committed = set()  # slots of those that have

    def program_end(self):
        for db in self.dbs.values():
            db.close()
        self.program_begin(None)
        gc.collect()

    @staticmethod
    def failure(error):
        if isinstance(error, KeyError):
            return Failure("NOT_FOUND")
        if not isinstance(error, sop.Error):
            return None
        traits = [name for name in ("RETRY", "ABORT", "MAYBE_COMMITTED", "FATAL", "MISUSE") if getattr(error, name.lower())]
        named = isinstance(error, (sop.NotFoundError, sop.ConflictError))
        return Failure(error.name, traits, error.store if named else None, getattr(error, "key", None))

    # ---- slots

    @staticmethod
    def slot(slots, number):
        if number not in slots:
            raise NoSlot
        return slots[number]

    def db(self, number):
        return self.slot(self.dbs, number)

    def tx(self, number):
        return self.slot(self.txns, number)

    def cursor_at(self, number):
        return self.slot(self.cursors, number)[0]

    def view(self, number, store):
        return self.tx(number)[STORES[store]]

    def drop_txn(self, number):
        for cursor in range(10 * number, 10 * number + 10):
            self.cursors.pop(cursor, None)
        self.txns.pop(number, None)
        self.savepoints.pop(number, None)

    def drop_db(self, number):
        for txn in range(10 * number, 10 * number + 10):
            self.drop_txn(txn)
        self.dbs.pop(number, None)

    # ---- databases

    def open(self, call, number, place, create):
        if number in self.dbs:
            self.dbs.pop(number).close()
        path = "inmemory:" if place == "memory" else os.path.join(self.folder, place)
        db = sop.open(path, create=create == 1, read_only=create == 2, durability=sop.WRITTEN, cache_bytes=8 << 20)
        self.drop_db(number)
        self.dbs[number] = db

    def close(self, call, number):
        self.db(number).close()

    def forget_db(self, call, number):
        self.db(number)
        self.drop_db(number)
        gc.collect()

    def sync(self, call, number):
        self.db(number).sync()

    def checkpoint(self, call, number):
        self.db(number).checkpoint()

    def gc(self, call, number):
        self.db(number).gc(*[lambda done, total: None][: call.spelling % 2])

    def verify(self, call, number):
        return len(self.db(number).verify())

    def backup(self, call, number, place):
        self.db(number).backup(os.path.join(self.folder, place))

    def restore(self, call, place, to):
        sop.restore(os.path.join(self.folder, place), os.path.join(self.folder, to))

    def info(self, call, number):
        info = self.db(number).info()
        return info.backend, info.node_bytes

    def stats(self, call, number):
        db = self.db(number)
        if call.spelling % 2:
            line = [line for line in db.metrics().splitlines() if line.startswith("sop_stores ")]
            return int(line[0].split()[1])
        return db.stats().stores

    def peek(self, call, place):
        return int(sop.peek(os.path.join(self.folder, place)).is_open)

    def about(self, call, feature):
        return sop.__version__, int(sop.has_feature(feature))

    def log(self, call, number, level):
        db, messages = self.db(number), queue.SimpleQueue()
        logger = logging.Logger("conformance")
        handler = logging.Handler()
        handler.emit = lambda record: messages.put(record.getMessage())
        logger.addHandler(handler)
        db.log_to(logger, LEVELS[level])
        try:
            db.create(MARKER)
            db.drop(MARKER)
            count = 0
            while level >= 3 and count < 2:
                count += messages.get(timeout=MESSAGE_S).startswith("store ")
        finally:
            db.log_to(logger, LEVELS[0])
        while not messages.empty():
            count += messages.get().startswith("store ")
        return count

    def outcome_of(self, call, number, identity):
        outcome = self.db(number).outcome(uuid.UUID(bytes=identity))
        return outcome.kind.name, outcome.position

    def outcome(self, call, number):
        db = self.db(number // 10)
        self.tx(number)
        return db.outcome(self.ids[number]).kind.name

    def run(self, call, number, store, key, by, rivals, identity, retry):
        db, store = self.db(number), STORES[store]
        key, attempts = key_of(store, key), [0]

        def number_at(view):
            data = view.get(key, b"")
            return int.from_bytes(data, "little") if len(data) == 8 else 0

        patience = None if retry < 0 else retry

        @sop.transactional(retry_for=patience)
        def body(tx):
            attempts[0] = tx.attempts
            view = tx[store]
            value = number_at(view)
            if tx.attempts <= rivals:
                with db.write() as rival:
                    rival[store][key] = ((value + 1000) % (1 << 64)).to_bytes(8, "little")
            value = (value + by) % (1 << 64)
            view[key] = value.to_bytes(8, "little")
            return value - (1 << 64 if value >> 63 else 0)

        if call.spelling % 3 == 0 and identity is None:
            return body(db), attempts[0]
        if call.spelling % 3 == 1 and identity is None and patience is None:
            return db.run(body), attempts[0]
        for attempt in db.attempts(id=identity and uuid.UUID(bytes=identity), retry_for=patience):
            with attempt as tx:
                value = body(tx)
        return value, attempts[0]

    # ---- transactions

    def begin(self, call, number, mode, identity):
        if number in self.txns:
            self.txns.pop(number).close()
        self.begin_in(call, number, mode, identity and uuid.UUID(bytes=identity))

    def begin_in(self, call, number, mode, identity):
        db = self.db(number // 10)
        if identity is not None and mode in (0, 3) and call.spelling % 2:
            tx = db.write(id=identity, check=mode == 0)
        elif identity is not None:
            tx = db.begin(sop.Mode(mode), id=identity)
        elif call.spelling % 2:
            tx = db.begin(sop.Mode(mode))
        else:
            tx = (db.write, db.read, lambda: db.read(snapshot=True), lambda: db.write(check=False))[mode]()
        self.txns[number], self.savepoints[number], self.ids[number] = tx, [], tx.id
        self.begun[number] = mode, identity
        self.committed.discard(number)

    def renew(self, call, number):
        tx = self.tx(number)
        try:
            tx.rollback()
        except sop.MisuseError:  # it has committed
            pass
        mode, identity = self.begun[number]
        del self.txns[number]
        self.begin_in(call, number, mode, None if number in self.committed else identity)

    def again(self, call, number):
        tx = self.tx(number)
        tx.again()
        self.savepoints[number], self.ids[number] = [], tx.id

    def own_id(self, call, number):
        identity = self.tx(number).id
        return identity.hex if identity == self.begun[number][1] else "-"

    def attempts(self, call, number):
        return self.tx(number).attempts

    def conflict(self, call, number):
        return int(self.tx(number).conflict is not None)

    def commit(self, call, number):
        self.tx(number).commit()
        self.committed.add(number)

    def rollback(self, call, number):
        self.tx(number).rollback()

    def end(self, call, number):
        self.tx(number).close()

    def forget_txn(self, call, number):
        self.tx(number)
        self.drop_txn(number)
        gc.collect()

    def cancel(self, call, number):
        self.tx(number).cancel()

    def position(self, call, number):
        return self.tx(number).position

    def savepoint(self, call, number):
        point = self.tx(number).savepoint()
        self.savepoints[number].append(point)

    def rollback_to(self, call, number, index):
        self.tx(number)
        if not self.savepoints[number]:
            raise NoSlot
        self.savepoints[number][index % len(self.savepoints[number])].rollback()

    # ---- stores

    def create(self, call, number, store):
        self.tx(number).create(STORES[store])

    def drop(self, call, number, store):
        self.tx(number).drop(STORES[store])

    def rename(self, call, number, store, to):
        self.tx(number).rename(STORES[store], to)

    def list(self, call, number):
        return ",".join(self.tx(number).stores()) or "-"

    def describe(self, call, number, store):
        about = self.view(number, store).describe()
        return int(about.duplicates), about.node_items, about.schema or "-"

    # ---- items

    def get(self, call, number, store, key):
        view, store = self.view(number, store), STORES[store]
        key, way = key_of(store, key), call.spelling % 6
        if way == 0:
            return bytes_of(store, view[key])
        if way == 1:
            value = view.get(key, self)
        elif way == 2:
            value = view.get_many([key], self)[0]
        elif way == 3:
            value = view.entry(key).value
        elif way == 4:
            try:
                value = view.get_now(key, self)
            except sop.WouldBlockError:
                value = view.get(key, self)
        else:
            cursor = view.cursor()
            value = cursor.value if cursor.seek(key, "eq") else self
        if value is self:
            raise Answer("NOT_FOUND")
        return bytes_of(store, value)

    def read(self, call, number, store, key):
        store = STORES[store]
        view, key = self.db(number)[store], key_of(store, key)
        if call.spelling % 2:
            value = view.get(key, self)
            if value is self:
                raise Answer("NOT_FOUND")
            return bytes_of(store, value)
        return bytes_of(store, view[key])

    def fetch(self, call, number, store, key, item):
        view, store = self.view(number, store), STORES[store]
        entry = view.entry(key_of(store, key), item_of(item))
        return fields_of(store, entry.key), bytes_of(store, entry.value), entry.item

    def version(self, call, number, store, key, item):
        view, wanted = self.view(number, store), key_of(STORES[store], key)
        if item == 0 and call.spelling % 2:
            (entry,) = view.entry_many([wanted])
            if entry is None:
                raise KeyError(wanted)
            return entry.version
        return view.entry(wanted, item_of(item)).version

    def put(self, call, number, store, key, value):
        view, store = self.view(number, store), STORES[store]
        key, value, way = key_of(store, key), value_of(store, value), call.spelling % 3
        if way == 0:
            view[key] = value
        elif way == 1:
            view.put_many([(key, value)])
        else:
            view.update({key: value})

    def insert(self, call, number, store, key, value):
        view, store = self.view(number, store), STORES[store]
        return view.insert(key_of(store, key), value_of(store, value))

    def update(self, call, number, store, key, item, value):
        view, store = self.view(number, store), STORES[store]
        view.replace(key_of(store, key), value_of(store, value), item_of(item))

    def remove(self, call, number, store, key, item):
        view, store = self.view(number, store), STORES[store]
        if item == 0 and call.spelling % 2:
            del view[key_of(store, key)]
        else:
            view.remove(key_of(store, key), item_of(item))

    def set_ride(self, call, number, store, key, item):
        view, store = self.view(number, store), STORES[store]
        view.set_ride(key_of(store, key), item_of(item))

    def add(self, call, number, store, key, by):
        tx, store = self.tx(number), STORES[store]
        getattr(tx[JSON_DOCUMENTS if store.name == "doc" else store], call.name)(key_of(store, key), by)

    min = max = add

    def get_many(self, call, number, store, keys):
        view, store = self.view(number, store), STORES[store]
        wanted = [key_of(store, key) for key in keys]
        if call.spelling % 2:
            values = [self if entry is None else entry.value for entry in view.entry_many(wanted)]
        else:
            values = view.get_many(wanted, self)
        return " ".join("-" if value is self else "x" + bytes_of(store, value).hex() for value in values)

    def put_many(self, call, number, store, how, rows):
        view, store = self.view(number, store), STORES[store]
        pairs = [(key_of(store, key), value_of(store, value) if how != 3 else None) for key, value in rows]
        try:
            if how == 3:
                return view.remove_many(key for key, _value in pairs), "OK"
            return (view.put_many, view.insert_many, view.replace_many)[how](pairs), "OK"
        except (sop.NotFoundError, sop.ExistsError) as error:
            if error.store and isinstance(error, sop.NotFoundError):
                raise
            return error.rows_done, error.name

    # ---- ranges

    def remove_range(self, call, number, store, bounds):
        part = part_of(self.view(number, store), STORES[store], bounds)
        return part.remove_all()

    def count(self, call, number, store, bounds):
        part = part_of(self.view(number, store), STORES[store], bounds)
        return part.count() if call.spelling % 2 else len(part)

    def approx_count(self, call, number, store):
        return self.db(number)[STORES[store]].approx_count()

    def scan(self, call, number, store, bounds, flags, limit):
        view, store = self.view(number, store), STORES[store]
        part, reverse, keys_only = part_of(view, store, bounds), bool(flags & 1), bool(flags & 2)
        if store.duplicates or call.spelling % 2:
            rows = self.scan_by_cursor(part, reverse, keys_only, limit)
        elif keys_only:
            rows = [(key, None, 0) for key in part.keys(reverse=reverse, limit=limit or None)]
        else:
            rows = [(key, value, 0) for key, value in part.items(reverse=reverse, limit=limit or None)]
        return " ".join([str(len(rows)), *(self.row(store, *row) for row in rows)])

    @staticmethod
    def scan_by_cursor(part, reverse, keys_only, limit):
        rows, cursor = [], part.cursor(reverse=reverse, keys_only=keys_only)
        while (limit == 0 or len(rows) < limit) and (cursor.prev() if reverse else cursor.next()):
            key, value, _version, item = cursor.entry
            rows.append((key, value, item))
        return rows

    @staticmethod
    def row(store, key, value, item):
        shown = None if value is None else bytes_of(store, value)
        return decoder.print_row(fields_of(store, key), shown, item if store.duplicates else None)

    # ---- cursors

    def cursor_open(self, call, number, store, bounds, flags):
        if number in self.cursors:
            self.cursors.pop(number)[0].close()
        view, store = self.view(number // 10, store), STORES[store]
        cursor = part_of(view, store, bounds).cursor(reverse=bool(flags & 1), keys_only=bool(flags & 2))
        self.cursors[number] = cursor, store, bool(flags & 1), bool(flags & 2)

    def stand(self, number, there):
        cursor, store, _reverse, keys_only = self.cursors[number]
        if not there:
            raise Answer("NOT_FOUND")
        entry = cursor.entry
        return fields_of(store, entry.key), b"" if keys_only else bytes_of(store, entry.value), entry.item

    def cursor_first(self, call, number):
        return self.stand(number, self.cursor_at(number).first())

    def cursor_last(self, call, number):
        return self.stand(number, self.cursor_at(number).last())

    def cursor_next(self, call, number):
        return self.stand(number, self.cursor_at(number).next())

    def cursor_prev(self, call, number):
        return self.stand(number, self.cursor_at(number).prev())

    def cursor_entry(self, call, number):
        return self.stand(number, self.cursor_at(number).refresh())

    def cursor_of(self, number, store):
        cursor, opened, *_ = self.slot(self.cursors, number)
        if opened is not STORES[store]:
            raise NoSlot
        return cursor, opened

    def cursor_seek(self, call, number, store, key, where):
        cursor, store = self.cursor_of(number, store)
        key = key_of(store, key) if where == 4 else bound_of(store, key)
        return self.stand(number, cursor.seek(key, SEEKS[where]))

    def cursor_update(self, call, number, store, value):
        cursor, store = self.cursor_of(number, store)
        cursor.update(value_of(store, value))

    def cursor_remove(self, call, number):
        self.cursor_at(number).remove()

    def cursor_fetch(self, call, number, rows_max):
        cursor, store, reverse, _keys_only = self.slot(self.cursors, number)
        rows = []
        while len(rows) < rows_max and (cursor.prev() if reverse else cursor.next()):
            key, value, _version, item = cursor.entry
            rows.append(self.row(store, key, value, item))
        if not rows:
            raise Answer("NOT_FOUND")
        return " ".join([str(len(rows)), *rows])

    def cursor_close(self, call, number):
        self.cursor_at(number).close()

    def cursor_forget(self, call, number):
        self.cursor_at(number)
        del self.cursors[number]
        gc.collect()


if __name__ == "__main__":
    decoder.run(Machine())
