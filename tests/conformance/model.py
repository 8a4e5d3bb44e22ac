"""Checks what a machine answered: every line of a program against a plain model, in lock-step.

What the model cannot know it takes from the answer and holds the rest to it: the ids of new items, which must be new, and whether a commit met a
conflict. A commit that succeeded must give every answer of its transaction again where it took effect (strict serializability); a
conflict must name a key that another transaction has changed since this one began.

usage: model.py PROGRAM OUTPUT      files with one or more programs, and what a machine printed; exit status 1 if something is wrong"""
import re
import sys

import generate
import keys
from state import DECLARATIONS
from transaction import ATOMIC, NO_INTEGER, READ, SNAPSHOT, WRITE, Refused, Transaction, Unknown, hexed, integer, wrapped

OPERATIONS = {operation["name"]: operation for operation in generate.load()["operations"]}
IN_TRANSACTION = {name for name, operation in OPERATIONS.items()
                  if operation["args"][0][0] in ("txn", "cursor") and operation["group"] != "lifecycle"}
OVER = ("MISUSE MISUSE", "CANCELLED", "CLOSED MISUSE")
CLOSED = "CLOSED MISUSE"
READ_ONLY = "READ_ONLY MISUSE"
NOTHING_FAILED = "MISUSE MISUSE"
LOG_INFO = 3  # the first level that tells of stores
FEATURES = ("inmemory", "inredfs")


class Wrong(Exception):
    """The answer is not what it must be."""


class Database:
    """What is committed, in a folder or in memory, and what has happened since."""

    def __init__(self, stores=None):
        self.stores = dict(stores or {})
        self.changes = []  # for each commit that changed something: {name of a store: orders of keys, or None: the store itself}
        self.committed = {}  # id: whether it left a record; None: not known
        self.opened = set()  # ids that are open
        self.numbers = {}  # id: of its commit, as changes counts them
        self.positions = {}  # number of commits up to there: a position that was told

    def commit(self, txn, id_):
        before, after = self.stores, txn.view.stores
        changed = {}
        for name in before.keys() | after.keys():
            old, new = before.get(name), after.get(name)
            if old is new:
                continue
            for row in new.rows.values() if new is not None else ():
                row.written = row.written or (self, len(self.changes) + 1)
            if old is None or new is None or old.declaration.form != new.declaration.form:
                changed[name] = None
                continue
            points = [point for point in old.rows.keys() | new.rows.keys() if old.rows.get(point) is not new.rows.get(point)]
            changed[name] = {order for order, _ in points}
        self.changes.append(changed)
        self.committed[id_] = True if not txn.view.same(before) else None
        if self.committed[id_]:
            self.numbers[id_] = len(self.changes)
        self.stores = dict(after)

    def comes_and_goes(self, name):
        """Two commits: a store was created, and dropped again."""
        self.changes += [{name: None}, {name: None}]

    def has_told(self, id_, answer):
        """The answers of `begin` that an id allows."""
        if id_ in self.opened or self.committed.get(id_, False):
            return ["EXISTS"]
        return [answer, "EXISTS"] if self.committed.get(id_, False) is None else [answer]


class OpenTransaction:
    """A transaction of the program: the model's, and the log of what it was told and has answered."""

    def __init__(self, handle, database, mode, id_):
        self.handle, self.database, self.mode, self.id = handle, database, mode, id_
        self.model = Transaction(database.stores, mode)
        self.since = len(database.changes)
        self.log = []  # (name, arguments, answer)
        self.observed = []  # what it may conflict on, as Transaction.observes says
        self.state = "open"  # committed, over, shut
        self.number = None  # of its commit, if that certainly changed something
        self.until = self.since  # the newest commit at whose position it may read
        self.cancelled = False
        self.failure = None  # what it failed with: the answer of its commit
        self.told = False  # whether it knows what it conflicted on
        self.attempts = 1

    def changes(self):
        """What a commit does again: everything, since all of it is validated, or where reads are not, what changed something."""
        if self.mode == WRITE:
            return self.log
        if any(name in ("remove_range", "cursor_update", "cursor_remove") for name, _, _ in self.log):
            raise Unknown  # what they meant depends on what was read; programs from seeds have none
        return [entry for entry in self.log if entry[2].startswith("OK") and not entry[0].startswith("cursor_") and
                entry[0] not in ("get", "fetch", "version", "get_many", "scan", "count", "list", "describe")]

    def observe(self, name, args, answer):
        try:
            self.observed.append(self.model.observes(name, args, answer))
        except Refused:  # the key is too long to be there
            pass

    def has_observed(self, name, key):
        """Whether it has asked for that key. Who looks at stores as a whole may conflict on any."""
        return any(one is None or (one[0] == name and one[1](key)) for one in self.observed)

    @staticmethod
    def again_version(txn, args, answer):
        """What a version must be where the transaction takes effect: as it was told, unless another has written the item since."""
        row = txn.row_of(*args)
        told = row.written[0].positions.get(row.written[1]) if row.written else 0
        return answer if told is None or answer == f"OK {told}" else f"OK {told}"

    def again(self, entries):
        """The same operations on what is committed now; what is wrong with the first that answers otherwise, if any."""
        txn = Transaction(self.database.stores, self.mode)
        for name, args, answer in entries:
            hint = int(answer.split()[1]) if name == "insert" and answer.startswith("OK") else 0
            now = answered(txn, name, args, hint)
            if name == "version" and now == "OK":
                now = self.again_version(txn, args, answer)
            if name in ATOMIC and now == NO_INTEGER != answer:
                return txn, NO_INTEGER
            if now not in (answer, None):
                return txn, f"{name} answered `{answer}`, and where it took effect it would be `{now}`"
        return txn, None


def answered(txn, name, args, hint):
    """What the model answers; None: it does not say."""
    try:
        return " ".join(["OK", *map(str, txn.perform(name, args, hint))])
    except Refused as refused:
        return str(refused)
    except Unknown:
        return None


class Handle:
    """What is in the slot of a database."""

    def __init__(self, database, place, read_only=False):
        self.database, self.place, self.read_only, self.closed = database, place, read_only, False


class Checker:
    """One program and what a machine answered."""

    def __init__(self):
        self.dbs, self.txns, self.cursors = {}, {}, {}  # cursors: slot: the transaction they were opened in, or "shut"
        self.declared = {}  # slot of a cursor: its declaration
        self.places = {}  # folder: Database
        self.forgotten = set()  # places that a forgotten handle may still have open
        self.ints, self.bytes = [], []

    # ---- arguments and results

    def argument(self, kind, token):
        if kind in ("slot", "store") or (kind == "int" and token != "^"):
            return int(token)
        if kind == "int":
            return self.ints.pop() if self.ints else 0
        if token == "^":
            data = self.bytes.pop() if self.bytes else b""
            return data if kind == "bytes" else hexed(data)
        if kind == "bytes":
            return keys.parse_bytes(token)
        if kind == "keys":
            return token.split(";")
        if kind == "rows":
            return [(key, keys.parse_bytes(value)) for key, value in (row.split("=") for row in token.split(";"))]
        return token

    def push(self, operation, answer):
        words = answer.split(" ")
        if words[0] != "OK":
            return
        for (_, kind), word in zip(operation["results"], words[1:]):
            if kind == "int":
                self.ints.append(int(word))
            elif kind == "bytes":
                self.bytes.append(bytes.fromhex(word[1:]))

    def check(self, line, answer):
        """Raises Wrong if `answer` is not what the instruction `line` must answer."""
        _, _, name, *tokens = line.split(" ")
        operation = OPERATIONS[name]
        args = [self.argument(kind, token) for (_, kind), token in zip(operation["args"], tokens)]
        if name in IN_TRANSACTION:
            self.in_transaction(name, args, answer, cursor=operation["args"][0][0] == "cursor")
        else:
            getattr(self, "check_" + name)(answer, *args)
        self.push(operation, answer)

    @staticmethod
    def expect(answer, *allowed):
        if answer not in allowed:
            raise Wrong(f"it must be {' or '.join(f'`{text}`' for text in allowed)}")

    # ---- within transactions

    def in_transaction(self, name, args, answer, cursor):
        slot = args[0] // 10 if cursor else args[0]
        txn = self.txns.get(slot)
        if cursor and name != "cursor_open":
            mine, declared = self.cursors.get(args[0]), self.declared.get(args[0])
            if name in ("cursor_close", "cursor_forget"):
                return self.release_cursor(name, args[0], answer)
            if mine is None or mine == "shut":
                return self.expect(answer, "NONE" if mine is None else CLOSED)
            if name in ("cursor_seek", "cursor_update"):
                if args.pop(1) != declared:
                    return self.expect(answer, "NONE")
            if mine is not txn or txn.state != "open":
                return self.expect(answer, CLOSED, *OVER)
        if name == "cursor_open":
            self.cursors.pop(args[0], None)
        if txn is None:
            return self.expect(answer, "NONE")
        if name in ATOMIC and DECLARATIONS[args[1]].is_json:  # whatever the transaction is like
            return self.expect(answer, NO_INTEGER)
        if name == "rollback_to" and not txn.model.saved:
            return self.expect(answer, "NONE")
        if txn.handle.closed or txn.state == "shut":
            return self.expect(answer, CLOSED)
        if txn.state != "open":
            return self.expect(answer, *OVER)
        if name == "cursor_open" and answer.startswith("OK"):
            self.cursors[args[0]], self.declared[args[0]] = txn, args[1]
        return self.perform(txn, name, args if cursor else args[1:], answer)

    def perform(self, txn, name, args, answer):
        hint = int(answer.split()[1]) if name == "insert" and answer.startswith("OK ") else 0
        expected = answered(txn.model, name, args, hint)
        if name == "version" and expected == "OK":
            self.check_version(txn, txn.model.row_of(*args), answer)
        elif expected is not None:
            self.expect(answer, expected)
        txn.log.append((name, args, answer))
        txn.observe(name, args, answer)

    def release_cursor(self, name, slot, answer):
        self.expect(answer, "OK" if slot in self.cursors else "NONE")
        if name == "cursor_forget":
            self.cursors.pop(slot, None)
        elif slot in self.cursors:
            self.cursors[slot] = "shut"

    # ---- transactions

    def check_begin(self, answer, slot, mode, id_):
        handle = self.dbs.get(slot // 10)
        if handle is None:
            return self.expect(answer, "NONE")
        old = self.txns.pop(slot, None)
        if old is not None:
            self.over(old)
        if handle.closed:
            return self.expect(answer, CLOSED)
        database = handle.database
        return self.begin_in(answer, slot, handle, mode, object() if id_ == "-" else id_)

    def begin_in(self, answer, slot, handle, mode, id_):
        self.expect(answer, *handle.database.has_told(id_, "OK"))
        if answer == "OK":
            self.txns[slot] = OpenTransaction(handle, handle.database, READ if handle.read_only else mode, id_)
            handle.database.opened.add(id_)

    def check_renew(self, answer, slot):
        txn = self.txns.get(slot)
        if txn is None or txn.handle.closed or txn.state == "shut":
            return self.expect(answer, "NONE" if txn is None else CLOSED)
        self.over(txn)
        del self.txns[slot]
        own = isinstance(txn.id, str) and txn.state != "committed"
        return self.begin_in(answer, slot, txn.handle, txn.mode, txn.id if own else object())

    def check_again(self, answer, slot):
        txn = self.txns.get(slot)
        if txn is None or txn.handle.closed or txn.state == "shut":
            return self.expect(answer, "NONE" if txn is None else CLOSED)
        if txn.state != "over" or txn.failure is None:
            return self.expect(answer, NOTHING_FAILED)
        if txn.cancelled:
            return self.expect(answer, "CANCELLED")
        if not txn.failure.startswith("CONFLICT "):
            return self.expect(answer, txn.failure)
        self.begin_in(answer, slot, txn.handle, txn.mode, txn.id if isinstance(txn.id, str) else object())
        if answer == "OK":
            self.txns[slot].attempts, self.txns[slot].told = txn.attempts + 1, True
        else:
            txn.failure = answer
        return None

    def known(self, answer, slot, expected):
        """What is told of transactions that have ended, too."""
        txn = self.txns.get(slot)
        if txn is None or txn.handle.closed or txn.state == "shut":
            return self.expect(answer, "NONE" if txn is None else CLOSED)
        return self.expect(answer, f"OK {expected(txn)}")

    def check_own_id(self, answer, slot):
        self.known(answer, slot, lambda txn: txn.id if isinstance(txn.id, str) else "-")

    def check_attempts(self, answer, slot):
        self.known(answer, slot, lambda txn: txn.attempts)

    def check_conflict(self, answer, slot):
        self.known(answer, slot, lambda txn: int(txn.told))

    @staticmethod
    def over(txn, state="over"):
        if txn.state == "open":
            txn.state = state
            txn.database.opened.discard(txn.id)

    def check_commit(self, answer, slot):
        txn = self.txns.get(slot)
        if txn is None:
            return self.expect(answer, "NONE")
        if txn.handle.closed or txn.state == "shut":
            return self.expect(answer, CLOSED)
        if txn.state == "committed":
            return self.expect(answer, "OK")
        if txn.state == "over" or txn.cancelled:
            self.fail(txn, "CANCELLED")
            return self.expect(answer, *OVER)
        if answer.startswith("CONFLICT "):
            self.fail(txn, answer)
            return self.conflicted(txn, answer)
        if txn.model.writes == 0 or txn.mode in (READ, SNAPSHOT):
            self.over(txn, "committed")
            return self.expect(answer, "OK")
        now, difference = txn.again(txn.changes())
        if difference == NO_INTEGER:
            self.fail(txn, answer)
            return self.expect(answer, NO_INTEGER)
        if difference is not None:
            raise Wrong(f"it must be CONFLICT: {difference}")
        self.expect(answer, "OK")
        self.over(txn, "committed")
        txn.database.commit(now, txn.id)
        txn.number = txn.database.numbers.get(txn.id)
        txn.until = len(txn.database.changes)
        return None

    def fail(self, txn, answer):
        """Its commit fails with that, unless it has ended before."""
        if txn.state == "open":
            txn.failure, txn.told = answer, answer != "CANCELLED"
        self.over(txn)

    def conflicted(self, txn, answer):
        words = answer.split(" ")
        store, key = words[2].partition("=")[2], bytes.fromhex(words[3].partition("=")[2])
        if words[1] != "RETRY+ABORT" or txn.mode in (READ, SNAPSHOT):
            raise Wrong("such a transaction has no conflict, or one with other traits")
        for changed in txn.database.changes[txn.since:]:
            if store in changed and (changed[store] is None or not key or
                                     (key in changed[store] and txn.has_observed(store, key))):
                return
        raise Wrong("nothing that it has read has changed there since it began")

    def check_rollback(self, answer, slot):
        txn = self.txns.get(slot)
        if txn is None:
            return self.expect(answer, "NONE")
        if txn.handle.closed or txn.state == "shut":
            return self.expect(answer, CLOSED)
        if txn.state == "committed":
            return self.expect(answer, "MISUSE MISUSE")
        self.over(txn)
        return self.expect(answer, "OK")

    def check_end(self, answer, slot):
        txn = self.txns.get(slot)
        if txn is None:
            return self.expect(answer, "NONE")
        self.over(txn)
        txn.state = "shut"
        return self.expect(answer, "OK")

    def check_forget_txn(self, answer, slot):
        txn = self.txns.pop(slot, None)
        if txn is None:
            return self.expect(answer, "NONE")
        self.over(txn)
        self.forget_cursors(lambda cursor: cursor // 10 == slot)
        return self.expect(answer, "OK")

    def forget_cursors(self, which):
        self.cursors = {slot: txn for slot, txn in self.cursors.items() if not which(slot)}

    def check_cancel(self, answer, slot):
        txn = self.txns.get(slot)
        if txn is None:
            return self.expect(answer, "NONE")
        if txn.handle.closed or txn.state == "shut":
            return self.expect(answer, CLOSED)
        txn.cancelled = txn.cancelled or answer == "OK"
        return self.expect(answer, "OK", *(OVER if txn.state != "open" else ()))

    def check_outcome(self, answer, slot):
        txn = self.txns.get(slot)
        if txn is None:
            return self.expect(answer, "NONE")
        if txn.handle.closed:
            return self.expect(answer, CLOSED)
        return self.expect(answer, *(f"OK {outcome}" for outcome in self.outcomes(txn.database, txn.id)))

    @staticmethod
    def outcomes(database, id_):
        record = database.committed.get(id_, False)
        if record is None:
            return ["COMMITTED", "NOT_COMMITTED", *["PENDING"] * (id_ in database.opened)]
        if id_ in database.opened:
            return ["PENDING"]
        return ["COMMITTED" if record else "NOT_COMMITTED"]

    def check_outcome_of(self, answer, db, id_):
        handle = self.usable(db, answer)
        if handle is None:
            return None
        words = answer.split(" ")
        if len(words) != 3 or words[0] != "OK" or words[1] not in self.outcomes(handle.database, id_):
            raise Wrong(f"it must be OK and {' or '.join(self.outcomes(handle.database, id_))}")
        position, number = int(words[2]), handle.database.numbers.get(id_)
        if (position == 0) == (words[1] == "COMMITTED"):
            raise Wrong("those that have committed have a position, and no others")
        return self.check_position_of(handle.database, number, position) if position and number else None

    def check_position(self, answer, slot):
        txn = self.txns.get(slot)
        if txn is None:
            return self.expect(answer, "NONE")
        if txn.handle.closed or txn.state == "shut":
            return self.expect(answer, CLOSED)
        if not answer.startswith("OK ") or txn.state == "over":
            return self.expect(answer, *OVER)
        return self.check_order(txn, int(answer.split(" ")[1]))

    @staticmethod
    def check_order(txn, position):
        """Positions ascend in the order of the commits; one that changed nothing has the position that it read at."""
        if txn.number is not None:
            return Checker.check_position_of(txn.database, txn.number, position)
        for number, told in txn.database.positions.items():
            if (number < txn.since and told > position) or (number > txn.until and told <= position):
                raise Wrong(f"after {number} commits the position was {told}, and this is after {txn.since}")
        return None

    @staticmethod
    def check_position_of(database, at, position):
        """That of the commit with this number."""
        for number, told in database.positions.items():
            if (number < at and told > position) or (number > at and told <= position):
                raise Wrong(f"after {number} commits the position was {told}, and this is after {at}")
            if number == at and told != position:
                raise Wrong(f"it was {told} before")
        database.positions[at] = position

    @staticmethod
    def check_version(txn, row, answer):
        """The version of an item is the position of the commit that wrote it; 0: the transaction itself."""
        if row.written is None:
            return Checker.expect(answer, "OK 0")
        database, at = row.written
        if not answer.startswith("OK ") or answer == "OK 0":
            raise Wrong("it must be a position")
        version = int(answer.split(" ")[1])
        for number, told in database.positions.items() if database is txn.database else ():
            if (number < at and told >= version) or (number > at and told <= version) or (number == at and told != version):
                raise Wrong(f"commit {at} wrote it, and commit {number} has the position {told}")
        if database is txn.database:
            database.positions[at] = version
        return None

    def check_run(self, answer, db, number, key, by, rivals, id_, retry):
        handle = self.dbs.get(db)
        if handle is None or handle.closed:
            return self.expect(answer, "NONE" if handle is None else CLOSED)
        database, value = handle.database, 0
        id_ = object() if id_ == "-" else id_
        allowed = database.has_told(id_, "OK")
        if answer == "EXISTS" or allowed == ["EXISTS"]:
            return self.expect(answer, *allowed)
        for attempt in range(rivals + 1):
            txn = Transaction(database.stores, WRITE)
            found = answered(txn, "get", [number, key], 0)
            if found not in ("NOT_FOUND",) and not found.startswith("OK x"):
                return self.expect(answer, found)
            if handle.read_only:
                return self.expect(answer, READ_ONLY)
            data = bytes.fromhex(found[4:]) if found.startswith("OK") else b""
            value = integer(data) if len(data) == 8 else 0
            put = wrapped(value + (1000 if attempt < rivals else by))
            txn.put(number, key, put.to_bytes(8, "little", signed=True))
            database.commit(txn, object() if attempt < rivals else id_)
            if attempt < rivals and retry == 0:
                return self.expect(answer, "TIMEOUT RETRY")
        return self.expect(answer, f"OK {wrapped(value + by)} {rivals + 1}")

    # ---- databases

    def children(self, db, state):
        for txn in [txn for slot, txn in self.txns.items() if slot // 10 == db]:
            self.over(txn, state)

    def empty(self, db):
        self.children(db, "over")
        self.txns = {slot: txn for slot, txn in self.txns.items() if slot // 10 != db}
        self.forget_cursors(lambda cursor: cursor // 100 == db)
        self.dbs.pop(db, None)

    def check_open(self, answer, db, place, create):
        self.empty(db)
        if place == "memory":
            self.dbs[db] = Handle(Database(), place)
            return self.expect(answer, "OK")
        read_only = create == 2
        if place not in self.places:
            if create != 1:
                return self.expect(answer, "NOT_FOUND")
            self.places[place] = Database()
        if any(handle.place == place and not handle.closed and handle.read_only != read_only for handle in self.dbs.values()):
            return self.expect(answer, "LOCKED RETRY")
        self.dbs[db] = Handle(self.places[place], place, read_only)
        return self.expect(answer, "OK")

    def usable(self, db, answer):
        """The handle, or None if the answer must be, and is, that there is none."""
        handle = self.dbs.get(db)
        if handle is None or handle.closed:
            self.expect(answer, "NONE" if handle is None else CLOSED)
            return None
        return handle

    def check_close(self, answer, db):
        handle = self.dbs.get(db)
        self.expect(answer, "NONE" if handle is None else "OK")
        if handle is not None:
            handle.closed = True
            self.children(db, "over")

    def check_forget_db(self, answer, db):
        self.expect(answer, "NONE" if db not in self.dbs else "OK")
        if db in self.dbs and not self.dbs[db].closed:
            self.forgotten.add(self.dbs[db].place)
        self.empty(db)

    def done(self, answer, db, expected="OK"):
        if self.usable(db, answer) is not None:
            self.expect(answer, expected)

    def written(self, answer, db):
        """What writes into the folder."""
        handle = self.dbs.get(db)
        self.done(answer, db, READ_ONLY if handle is not None and handle.read_only else "OK")

    check_sync = check_checkpoint = check_gc = written

    def check_verify(self, answer, db):
        self.done(answer, db, "OK 0")

    def check_info(self, answer, db):
        handle = self.usable(db, answer)
        if handle is not None:
            self.expect(answer, f"OK {'inmemory' if handle.place == 'memory' else 'inredfs'} 4096")

    def check_peek(self, answer, place):
        opened = any(handle.place == place and not handle.closed for handle in self.dbs.values())
        self.expect(answer, *(["OK 1"] if opened else ["OK 0", "OK 1"] if place in self.forgotten else ["OK 0"]))

    def check_stats(self, answer, db):
        handle = self.usable(db, answer)
        if handle is not None:
            self.expect(answer, f"OK {len(handle.database.stores)}")

    def check_log(self, answer, db, level):
        handle = self.usable(db, answer)
        if handle is None or handle.read_only:
            return None if handle is None else self.expect(answer, READ_ONLY)
        handle.database.comes_and_goes("marker")
        return self.expect(answer, f"OK {2 if level >= LOG_INFO else 0}")

    def check_about(self, answer, feature):
        if not re.fullmatch(rf"OK \d+\.\d+\.\d+ {int(feature in FEATURES)}", answer):
            raise Wrong("it must be the version, and whether it has that")

    def check_backup(self, answer, db, place):
        handle = self.usable(db, answer)
        if handle is None:
            return None
        if handle.place == "memory":
            return self.expect(answer, "UNSUPPORTED")
        if place in self.places:
            return self.expect(answer, "EXISTS")
        self.places[place] = Database(handle.database.stores)
        self.places[place].committed = dict(handle.database.committed)
        return self.expect(answer, "OK")

    def check_restore(self, answer, source, place):
        if source not in self.places:
            return self.expect(answer, "NOT_FOUND")
        if place in self.places:
            return self.expect(answer, "EXISTS")
        self.places[place] = Database(self.places[source].stores)
        self.places[place].committed = dict(self.places[source].committed)
        return self.expect(answer, "OK")

    def check_read(self, answer, db, number, key):
        handle = self.usable(db, answer)
        if handle is not None:
            self.expect(answer, answered(Transaction(handle.database.stores, READ), "get", [number, key], 0))

    def check_approx_count(self, answer, db, number):
        handle = self.usable(db, answer)
        if handle is not None:
            self.expect(answer, answered(Transaction(handle.database.stores, READ), "count", [number, "*"], 0))


def blocks(lines):
    """(name, lines) of each program, or of what was printed for each."""
    name, block = None, []
    for line in lines:
        if line.startswith("program "):
            name, block = line.split(" ")[1], []
        elif line == "end":
            yield name, block
            name, block = None, []
        else:
            block.append(line)
    if name is not None:
        yield name, block


def first_wrong(program, output):
    """(index, what is wrong) of the first instruction whose answer is wrong, or None."""
    checker = Checker()
    for index, line in enumerate(program):
        number, _, answer = output[index].partition(" ") if index < len(output) else ("", "", "")
        if number != str(index + 1):
            return index, "there is no answer: the machine has ended"
        try:
            checker.check(line, answer)
        except Unknown:
            return None
        except Wrong as wrong:
            return index, f"`{line}` answered `{answer}`: {wrong}"
    return None


def main():
    programs, outputs = ([*blocks(open(path).read().splitlines())] for path in sys.argv[1:3])
    outputs, wrong = dict(outputs), 0
    for name, program in programs:
        found = first_wrong(program, outputs.get(name, []))
        if found is not None:
            wrong += 1
            print(f"{name}: instruction {found[0] + 1}: {found[1]}")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
