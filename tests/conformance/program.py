"""Programs of the conformance suite, made from a seed."""
import random
import struct

RAW, RAWDUP, STR, INT, EMP, EMPDUP, DOC, WIDE, OTHER = range(9)
NAMES = ["raw", "rawdup", "str", "int", "emp", "empdup", "doc", "wide", "other"]
DUPLICATES = (RAWDUP, EMPDUP)
TEXTS = ["", "a", "ab", "b", "z\0", "\u00e9", "\uffff", "\U0001f600", "US", "n", "\U0010ffffx", "\ud7ffy"]
INTS = [0, 1, -1, 255, 256, -256, 2**31, -2**63, 2**63 - 1, 2**64 - 1, 2**53 + 1]
FLOATS = [0.0, 1.0, -1.5, float("inf"), float("-inf"), 5e-324, -1e300]
TIMES = [0, 1, -1, 1_700_000_000_000_000, -62_135_596_800_000_000, 253_402_300_799_999_999]
WRITE, READ, SNAPSHOT, NOCHECK = range(4)


def hexed(data):
    return "x" + data.hex()


class Generator:
    def __init__(self, seed, operations, backend):
        self.dice = random.Random(f"{seed} {operations} {backend}")
        self.count, self.backend = operations, backend
        self.lines = []
        self.open = {}  # slot of a transaction that is open, as far as is known: its mode
        self.used = set()  # slots of transactions in which there is something
        self.cursors = {}  # slot: its store
        self.dbs = {}  # slot: place; those that are open
        self.ids = [bytes([self.dice.randrange(256) for _ in range(16)]).hex() for _ in range(3)]
        self.stores = self.dice.sample(range(9), self.dice.randrange(2, 6))
        self.pools = {}  # of each store, keys that come again
        self.keys_of_store = self.dice.choice([3, 6, 6, 12])
        self.saved = set()  # transactions with a savepoint
        self.filled = set()  # folders in which there is something to read
        self.transactions_max = self.dice.choice([1, 2, 3, 3, 5])
        self.threads = self.dice.choice([1, 1, 2, 4])

    # ---- tokens

    def say(self, name, *args):
        thread = self.dice.randrange(self.threads) if self.dice.random() < 0.5 else 0
        self.lines.append(" ".join(map(str, [thread, self.dice.randrange(256), name, *args])))

    def one_in(self, number):
        return self.dice.randrange(number) == 0

    def raw_key(self):
        pool = [b"", b"a", b"ab", b"abc", b"b", b"\0", b"\xff", b"\xff\xff", b"n1", b"n2", b"n3", b"k" * 90]
        return hexed(self.dice.choice(pool))

    def field(self, kind):
        choose = self.dice.choice
        if kind == "str":
            return "s" + choose(TEXTS).encode().hex()
        if kind == "int":
            return f"i{choose(INTS)}"
        if kind == "ts":
            return f"m{choose(TIMES)}"
        if kind == "float":
            return "d" + struct.pack(">d", choose(FLOATS)).hex()
        if kind == "uuid":
            return "u" + f"{choose([0, 1, 2**127, 2**128 - 1]):032x}"
        if kind == "bytes":
            return "b" + choose([b"", b"\0", b"\xff", b"x"]).hex()
        return choose("tf")

    def fields(self, store):
        """A whole key: few enough of each kind that they meet again."""
        if store in (STR, DOC):
            return [self.field("str")]
        if store == INT:
            return [self.field("int")]
        if store == WIDE:
            return [self.field("float"), self.field("uuid"), self.field("bytes"), self.field("bool")]
        return ["s" + self.dice.choice(TEXTS[1:4]).encode().hex(), f"m{self.dice.choice(TIMES[:3])}",
                f"i{self.dice.choice(INTS[:3])}", *self.rides()]

    def rides(self):
        return [self.dice.choice("tf"), self.dice.choice(["n", "s", "s6e6f7465", "s" + "\u00e9\"".encode().hex()])]

    def key(self, store):
        """Mostly one of a few that this program has for the store; what rides along is new each time."""
        pool = self.pools.setdefault(store, [])
        if len(pool) < self.keys_of_store or self.one_in(10):
            key = self.raw_key() if store in (RAW, RAWDUP, OTHER) else ",".join(self.fields(store))
            if len(pool) < self.keys_of_store:
                pool.append(key)
            return key
        key = self.dice.choice(pool)
        return key if store not in (EMP, EMPDUP) else ",".join([*key.split(",")[:3], *self.rides()])

    def bound(self, store):
        if store in (RAW, RAWDUP, OTHER):
            return self.raw_key()
        fields = self.fields(store)[:3 if store in (EMP, EMPDUP) else None]
        return ",".join(fields[:self.dice.randrange(1, len(fields) + 1)])

    def range(self, store):
        kind = self.dice.randrange(6)
        if kind < 2:
            return "*"
        if kind == 2 and store in (STR, DOC, EMP, EMPDUP) and self.one_in(2):
            return "Ss" + self.dice.choice(["", "a", "ab", "U", "\ud7ff", "\U0010ffff", "\uffff"]).encode(errors="surrogatepass").hex()
        if kind == 2:
            return "P" + self.bound(store)
        begin, end = (self.dice.choice(pair) for pair in ("FA", "TU"))
        first = begin + self.bound(store)
        if begin == "A" and store in DUPLICATES and self.one_in(2):
            key = self.key(store) if store == RAWDUP else ",".join(self.key(store).split(",")[:3])
            first = f"A{key}@{self.dice.randrange(1, 8)}"
        parts = [first] * (kind != 3) + [end + self.bound(store)] * (kind != 4)
        return ";".join(parts)

    def integer(self):
        return self.dice.choice([0, 1, -1, 1000, -1000, 2**63 - 1, -2**63, self.dice.randrange(-10**9, 10**9)])

    def value(self, store, key=None):
        """Under keys that begin with n there are integers only, so that adding to them is defined."""
        if store in (RAW, OTHER) and (key is None or key.startswith("x6e") or key == "^"):
            return hexed(struct.pack("<q", self.integer()))
        if store == DOC:
            text = self.dice.choice(["", "plain", "\u00e9\U0001f600", "<&>'", "a/b\\\\c", "\\\"\\n\\t"])
            return hexed(f'{{"n":{self.dice.choice([0, 1, -5, 2**53 - 1])},"s":"{text}"}}'.encode())
        kind = self.dice.randrange(12)
        if kind == 0:
            return f"r{self.dice.choice([900, 1500, 3000])}*{self.dice.randrange(256):02x}"
        if kind == 1:
            return "^"
        return hexed(bytes(self.dice.randrange(256) for _ in range(self.dice.choice([0, 1, 1, 2, 5]))))

    def item(self, store):
        return self.dice.choice([0, "^", "^", self.dice.randrange(1, 6)]) if store in DUPLICATES else 0

    # ---- whole things

    def open_db(self, slot, place, create):
        self.say("open", slot, place, create)
        self.forget_children(slot)
        self.dbs[slot] = place

    def forget_children(self, db):
        for slot in [slot for slot in self.used if slot // 10 == db]:
            self.used.discard(slot)
            self.open.pop(slot, None)
        for slot in [slot for slot in self.cursors if slot // 100 == db]:
            del self.cursors[slot]

    def begin(self):
        db = self.dice.choice(list(self.dbs) or [0])
        slot = db * 10 + self.dice.randrange(self.transactions_max + 1)
        if slot in self.open:
            return
        mode = self.dice.choice([WRITE] * 7 + [READ, SNAPSHOT, NOCHECK])
        self.say("begin", slot, mode, self.dice.choice(self.ids) if self.one_in(12) else "-")
        self.open[slot] = mode
        self.used.add(slot)
        self.saved.discard(slot)
        if not self.one_in(6):  # those of the transaction before it are left alone
            for cursor in [cursor for cursor in self.cursors if cursor // 10 == slot]:
                del self.cursors[cursor]

    def finish(self):
        if not self.open:
            return
        slot = self.dice.choice(sorted(self.open))
        how = self.dice.choice(["commit"] * 8 + ["rollback", "end", "forget_txn" if self.one_in(4) else "commit", "cancel"])
        self.say(how, slot)
        if how == "cancel":
            self.say(self.dice.choice(["commit", "rollback"]), slot)
        del self.open[slot]
        if how == "forget_txn":
            self.used.discard(slot)
            for cursor in [cursor for cursor in self.cursors if cursor // 10 == slot]:
                del self.cursors[cursor]
        if how in ("commit", "rollback") and self.one_in(3):
            self.say(self.dice.choice(["outcome", "outcome", "position" if how == "commit" else "outcome"]), slot)
        if how in ("commit", "rollback", "cancel") and self.one_in(8):
            self.once_more(slot)

    def once_more(self, slot):
        """Begins a transaction that has ended again, in this way or that, and does something in it."""
        for _ in range(self.dice.randrange(1, 3)):
            self.say(self.dice.choice(["again", "renew", "attempts", "attempts", "conflict", "own_id"]), slot)
        kind = self.dice.choice(["again", "renew", "renew", "renew", "begin"])
        self.say(*[kind, slot] if kind != "begin" else [kind, slot, WRITE, self.id()])
        for _ in range(self.dice.randrange(3)):
            self.say(self.dice.choice(["attempts", "conflict", "own_id", "again"]), slot)
        self.saved.discard(slot)
        for _ in range(self.dice.randrange(4)):
            self.data(slot)
        self.say(self.dice.choice(["commit", "commit", "commit", "rollback"]), slot)

    def contend(self):
        """Two transactions that both want a key: the one that commits later conflicts, unless its reads are not validated."""
        loser = self.dice.choice(list(self.dbs) or [0]) * 10 + self.transactions_max
        winner = loser + 1
        store = self.dice.choice([RAW, OTHER, STR])
        key = hexed(b"n1") if store != STR else "s6e31"
        identity = self.dice.choice([*self.ids, "-", "-"])
        self.say("begin", loser, self.dice.choice([WRITE, WRITE, WRITE, NOCHECK]), identity)
        self.used |= {loser, winner}
        self.open[loser] = WRITE
        for _ in range(self.dice.choice([1, 1, 1, 2, 3])):
            self.say("get", loser, store, key)
            self.say("put", loser, store, key, self.value(store, key))
            self.say("begin", winner, WRITE, "-")
            self.say("put", winner, store, key, self.value(store, key))
            self.say("commit", winner)
            self.say("commit", loser)
            if self.one_in(3):
                self.say("get", loser, store, key)
            if self.one_in(4):
                self.say(self.dice.choice(["rollback", "cancel", "conflict"]), loser)
            if self.one_in(4) and identity != "-":  # which begins if the loser has ended, and is then in its way
                self.say("begin", winner, WRITE, identity)
            self.say(self.dice.choice(["again", "again", "again", "renew"]), loser)
        self.open.pop(loser)
        self.once_more(loser)

    def id(self):
        return self.dice.choice(self.ids) if self.one_in(3) else "-"

    # ---- operations

    def data(self, slot):
        store = self.dice.choice(self.stores) if not self.one_in(40) else self.dice.randrange(9)
        mode = self.open.get(slot, WRITE)
        weights = {"get": 14, "fetch": 6, "put": 16, "insert": 10, "update": 7, "remove": 7, "scan": 8}
        if mode in (READ, SNAPSHOT) and not self.one_in(12):
            weights = {"get": 14, "fetch": 6, "scan": 8, "count": 4, "get_many": 4, "cursor": 8, "savepoint": 1,
                       "rollback_to": 1}
        elif mode != NOCHECK:
            weights |= {"set_ride": 3, "atomic": 6, "remove_range": 2, "count": 4, "get_many": 4, "put_many": 5, "savepoint": 1,
                        "rollback_to": 2, "cursor": 8, "catalog": 2, "read_db": 3}
        kind = self.dice.choices(list(weights), list(weights.values()))[0]
        getattr(self, "do_" + kind)(slot, store)

    def do_get(self, slot, store):
        key = "^" if store in (RAW, RAWDUP, OTHER) and self.one_in(8) else self.key(store)
        self.say("get", slot, store, key)

    def do_fetch(self, slot, store):
        self.say(self.dice.choice(["fetch", "fetch", "version"]), slot, store, self.key(store), self.item(store))

    def do_put(self, slot, store):
        if store in DUPLICATES:
            return self.do_insert(slot, store)
        key = self.key(store)
        return self.say("put", slot, store, key, self.value(store, key))

    def do_insert(self, slot, store):
        key = self.key(store)
        self.say("insert", slot, store, key, self.value(store, key))

    def do_update(self, slot, store):
        key = self.key(store)
        self.say("update", slot, store, key, self.item(store), self.value(store, key))

    def do_remove(self, slot, store):
        self.say("remove", slot, store, self.key(store), self.item(store))

    def do_set_ride(self, slot, store):
        store = self.dice.choice([store for store in self.stores if store in (EMP, EMPDUP)] or [EMP])
        self.say("set_ride", slot, store, self.key(store), self.item(store))

    def do_atomic(self, slot, store):
        if self.one_in(20):  # in a store of JSON: refused, whether the key is there or not
            return self.say(self.dice.choice(["add", "min", "max"]), slot, DOC, self.key(DOC), self.integer())
        store = self.dice.choice([store for store in self.stores if store in (RAW, OTHER)] or [RAW])
        key = self.raw_key() if self.one_in(8) else hexed(b"n%d" % self.dice.randrange(1, 4))  # elsewhere are mostly no integers
        return self.say(self.dice.choice(["add", "add", "min", "max"]), slot, store, key, self.integer())

    def do_remove_range(self, slot, store):
        self.say("remove_range", slot, store, self.range(store))

    def do_count(self, slot, store):
        self.say("count", slot, store, self.range(store))

    def do_get_many(self, slot, store):
        self.say("get_many", slot, store, ";".join(self.key(store) for _ in range(self.dice.randrange(1, 6))))

    def do_put_many(self, slot, store):
        store = {RAWDUP: RAW, EMPDUP: EMP}.get(store, store)  # nobody would know the ids of the items
        how = self.dice.choice([0, 0, 1, 2, 3])
        rows = []
        for _ in range(self.dice.randrange(1, 8)):
            key = self.key(store)
            value = self.value(store, key)
            rows.append(f"{key}={'x00' if value == '^' else value}")
        self.say("put_many", slot, store, how, ";".join(rows))

    def do_scan(self, slot, store):
        self.say("scan", slot, store, self.range(store), self.dice.randrange(4), self.dice.choice([0, 0, 1, 3, 100]))

    def do_savepoint(self, slot, _):
        self.say("savepoint", slot)
        self.saved.add(slot)

    def do_rollback_to(self, slot, store):
        if slot not in self.saved and not self.one_in(8):
            return self.do_savepoint(slot, store)
        return self.say("rollback_to", slot, self.dice.randrange(4))

    def do_read_db(self, slot, store):
        if self.one_in(3):
            self.say("approx_count", slot // 10, store)
        else:
            self.say("read", slot // 10, store, self.key(store))

    def do_catalog(self, slot, store):
        kind = self.dice.randrange(12)
        if kind < 4:
            self.say("list", slot)
        elif kind < 6:
            self.say("describe", slot, store)
        elif kind < 8:
            self.say("create", slot, store)
        elif kind < 10:
            self.say("drop", slot, store)
        else:
            same = {RAW: "other", OTHER: "raw", DOC: "str"}.get(store)
            to = same if same and self.one_in(2) else self.dice.choice([*NAMES, "elsewhere"])
            if (store, to) != (STR, "doc"):  # what is there need not be JSON
                self.say("rename", slot, store, to)

    def do_cursor(self, slot, store):
        mine = [cursor for cursor in self.cursors if cursor // 10 == slot]
        if not mine or self.one_in(8):
            cursor = slot * 10 + self.dice.randrange(3)
            self.say("cursor_open", cursor, store, "*" if self.one_in(2) else self.range(store), self.dice.randrange(4))
            self.cursors[cursor] = store
            mine = [cursor]
        cursor = self.dice.choice(mine)
        for _ in range(self.dice.randrange(1, 7)):
            if cursor in self.cursors:
                self.cursor_step(cursor)
            if self.one_in(3) and slot in self.open:
                self.change(slot, store)

    def change(self, slot, store):
        """Something under the feet of a cursor."""
        if self.open[slot] == WRITE:
            self.dice.choice([self.do_put, self.do_insert, self.do_remove, self.do_update])(slot, store)

    def cursor_step(self, cursor):
        store = self.cursors[cursor]
        kind = self.dice.choice(["first", "last", "next", "next", "next", "next", "prev", "prev", "seek", "seek", "entry", "update",
                                 "remove", "fetch", "close" if self.one_in(8) else "next", "forget" if self.one_in(8) else "prev"])
        args = []
        if kind == "seek":
            where = self.dice.randrange(5)
            args = [store, self.key(store) if where == 4 else self.bound(store), where]
        elif kind == "update":
            args = [store, self.value(store)]
        elif kind == "fetch":
            args = [self.dice.choice([1, 2, 5, 50])]
        self.say(f"cursor_{kind}", cursor, *args)
        if kind == "forget":
            del self.cursors[cursor]

    # ---- databases, and using what has ended

    def run(self):
        db = self.dice.choice(list(self.dbs) or [0])
        store = self.dice.choice([RAW, RAW, OTHER])
        self.say("run", db, store, hexed(b"n%d" % self.dice.randrange(1, 4)), self.integer(), self.dice.choice([0, 0, 1, 2]),
                 *(("-", self.dice.choice([0, 60])) if self.one_in(4) else (self.dice.choice(self.ids) if self.one_in(4) else "-", -1)))

    def upkeep(self):
        db = self.dice.choice(list(self.dbs) or [0])
        kind = self.dice.choice(["sync", "checkpoint", "gc", "verify", "info", "stats", "stats", "backup", "peek", "outcome_of",
                                 "outcome_of", "log" if self.one_in(3) else "about"])
        if kind == "outcome_of":
            self.say(kind, db, self.dice.choice([*self.ids, self.ids[0][::-1]]))
        elif kind == "log":
            self.say(kind, db, self.dice.randrange(5))
        elif kind == "about":
            self.say(kind, self.dice.choice(["inmemory", "inredfs", "inredcfs"]))
        elif kind == "peek":
            self.say("peek", self.dice.choice(["f0", "f0", "f1", "b0"]))
        elif kind == "backup":
            place = f"b{self.dice.randrange(2)}"
            self.say("backup", db, place)
            if self.one_in(2):
                self.say("restore", place, self.dice.choice(["f1", "f2"]))
        else:
            self.say(kind, db)

    def read_only(self):
        """A folder that is opened for reading only. Nobody else uses it and no handle of it is forgotten: so it is known who has it."""
        place = "memory" if self.backend == "inmemory" else f"r{self.dice.randrange(2)}"
        if place not in self.filled and not self.one_in(8):
            self.filled.add(place)
            self.open_db(2, place, 1)
            self.work(20, WRITE)
            self.say("close", 2)
        self.open_db(2, place, 2)
        other = self.dice.choice([None, 0, 1, 2]) if place != "memory" and 1 not in self.dbs else None
        if other is not None:
            self.open_db(1, place, other)
        for _ in range(self.dice.randrange(1, 4)):
            self.work(20, self.dice.choice([WRITE, READ, SNAPSHOT, NOCHECK]))
            self.say(self.dice.choice(["sync", "checkpoint", "gc", "verify", "info", "stats"]), 2)
        if self.one_in(3):
            self.say("run", 2, RAW, hexed(b"n1"), 1, self.dice.randrange(2), "-", -1)
        if self.one_in(4):
            self.say("log", 2, self.dice.randrange(5))
        for slot in [2] if other is None else [1, 2]:
            self.say("close", slot)
            del self.dbs[slot]

    def work(self, slot, mode):
        self.say("begin", slot, mode, "-")
        self.open[slot] = mode
        self.used.add(slot)
        for _ in range(self.dice.randrange(1, 9)):
            self.data(slot)
        self.say(self.dice.choice(["commit", "commit", "rollback"]), slot)
        self.open.pop(slot, None)

    def reopen(self):
        """Closes a database, in one way or another, looks at what is left of it, and opens it, or another, again."""
        slot = self.dice.choice(list(self.dbs) or [0])
        how = self.dice.choice(["close", "close", "open", "forget_db"])
        if how == "close":
            self.say("close", slot)
            if self.one_in(3):
                self.say("close", slot)
            for _ in range(self.dice.randrange(4)):
                self.stale(slot)
        elif how == "forget_db":
            self.say("forget_db", slot)
            self.forget_children(slot)
        place = self.dbs.pop(slot, "f0")
        if self.one_in(5):
            place = self.place()
        self.open_db(slot, place, int(not self.one_in(8)))

    def place(self):
        return "memory" if self.backend == "inmemory" else self.dice.choice(["f0", "f0", "f1", "f2"])

    def stale(self, db=None):
        """Calls something that may have ended."""
        slots = sorted(slot for slot in self.used if db is None or slot // 10 == db)
        if not slots:
            return
        slot = self.dice.choice(slots)
        kind = self.dice.randrange(10)
        cursors = [cursor for cursor in self.cursors if cursor // 10 == slot]
        if kind == 0 and slot not in self.open:
            self.say("commit", slot)
        elif kind == 1:
            self.say("outcome", slot)
        elif kind == 2 and slot not in self.open:
            self.say("end", slot)
        elif kind < 5 and cursors:
            self.cursor_step(self.dice.choice(cursors))
        elif kind > 7:
            self.say(self.dice.choice(["attempts", "conflict", "own_id", "again", *["renew"] * (slot not in self.open)]), slot)
        elif db is not None and self.one_in(2):
            name = self.dice.choice(["info", "stats", "sync", "log", "outcome_of"])
            self.say(name, db, *{"log": [3], "outcome_of": [self.ids[0]]}.get(name, []))
        else:
            self.data(slot)

    def fill(self):
        """A first transaction: most of the stores, and something in them."""
        self.say("begin", 0, WRITE, "-")
        for store in self.stores:
            for _ in range(self.dice.randrange(6)):
                self.do_put(0, store)
            if store in (RAW, RAWDUP, OTHER) and self.one_in(2):
                self.too_long(store)
        if self.one_in(6):
            self.fill_up(self.dice.choice([RAW, STR, INT, OTHER]))
        self.say("commit", 0)
        self.used.add(0)

    def fill_up(self, store):
        """Enough items that whoever reads them in batches needs several."""
        names = {RAW: lambda at: hexed(b"k%03d" % at), OTHER: lambda at: hexed(b"k%03d" % at),
                 STR: lambda at: "s" + (b"k%03d" % at).hex(), INT: lambda at: f"i{at}"}
        rows = []
        for at in self.dice.sample(range(1000), self.dice.choice([100, 300])):
            value = self.value(store, names[store](at))
            rows.append(f"{names[store](at)}={'x' if value == '^' else value}")
        self.say("put_many", 0, store, 0, ";".join(rows))
        if store not in self.stores:
            self.stores.append(store)

    def too_long(self, store):
        """A key with one byte too many, where the store is there: whether that or an absent store is noticed first nobody promises."""
        key, value = "r65537*6b", "x0000000000000000"
        self.say("insert", 0, store, "x61", value)
        for line in (["get", 0, store, key], ["insert", 0, store, key, value], ["update", 0, store, key, 0, value],
                     ["remove", 0, store, key, 0], ["cursor_open", 0, store, "F" + key, 0], ["count", 0, store, "T" + key],
                     ["get_many", 0, store, "x61;" + key]):
            if self.one_in(2):
                self.say(*line)

    def step(self):
        dice = self.dice.random()
        if not self.open or (dice < 0.07 and len(self.open) < self.transactions_max):
            self.begin()
        elif dice < 0.14:
            self.finish()
        elif dice < 0.155:
            self.stale()
        elif dice < 0.161:
            self.run()
        elif dice < 0.165:
            self.contend()
        elif dice < 0.175:
            self.upkeep()
        elif dice < 0.18:
            self.reopen()
        elif dice < 0.182:
            self.read_only()
        elif dice < 0.185 and len(self.dbs) < 3:
            self.open_db(self.dice.randrange(3), self.place(), 1)
        else:
            self.data(self.dice.choice(sorted(self.open)))

    def make(self):
        self.open_db(0, "memory" if self.backend == "inmemory" else "f0", 1)
        if not self.one_in(5):
            self.fill()
        while len(self.lines) < self.count:
            self.step()
        return self.lines[:self.count]


def generate(seed, operations, backend):
    """The instructions of a program; `backend` is inmemory or inredfs."""
    return Generator(seed, operations, backend).make()
