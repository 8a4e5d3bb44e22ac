"""Made by generate.py from operations.json: reads programs, keeps the stacks, calls the machine, prints what it answers.

A machine is an object with `program_begin(folder)` and `program_end()`, called around each program, and one method for each operation in OPERATIONS, under
its name followed by an underscore if that is a word of Python's. Methods take `call` and the arguments of the table, and return nothing, the
one result, or the tuple of them. They raise NoSlot where a slot is empty, Answer for an answer that is no exception in this
language, and let every exception of the library pass; `failure(exception)` turns those into a Failure, anything else into None.

Integers are int, bytes are bytes. A key is bytes without a schema and else the list of its fields: None, bool, int, float, bytes, str,
uuid.UUID, datetime in UTC."""
import datetime
import queue
import struct
import sys
import threading
import uuid

# name: types of the arguments, types of the results, name of the method
OPERATIONS = {
    'open': (('slot', 'word', 'int'), (), 'open'),
    'close': (('slot',), (), 'close'),
    'forget_db': (('slot',), (), 'forget_db'),
    'begin': (('slot', 'int', 'id'), (), 'begin'),
    'renew': (('slot',), (), 'renew'),
    'again': (('slot',), (), 'again'),
    'commit': (('slot',), (), 'commit'),
    'rollback': (('slot',), (), 'rollback'),
    'end': (('slot',), (), 'end'),
    'forget_txn': (('slot',), (), 'forget_txn'),
    'cancel': (('slot',), (), 'cancel'),
    'outcome': (('slot',), ('text',), 'outcome'),
    'outcome_of': (('slot', 'id'), ('text', 'number'), 'outcome_of'),
    'own_id': (('slot',), ('text',), 'own_id'),
    'attempts': (('slot',), ('int',), 'attempts'),
    'conflict': (('slot',), ('int',), 'conflict'),
    'position': (('slot',), ('number',), 'position'),
    'run': (('slot', 'store', 'key', 'int', 'int', 'id', 'int'), ('int', 'int'), 'run'),
    'sync': (('slot',), (), 'sync'),
    'checkpoint': (('slot',), (), 'checkpoint'),
    'gc': (('slot',), (), 'gc'),
    'verify': (('slot',), ('int',), 'verify'),
    'backup': (('slot', 'word'), (), 'backup'),
    'restore': (('word', 'word'), (), 'restore'),
    'info': (('slot',), ('text', 'int'), 'info'),
    'stats': (('slot',), ('int',), 'stats'),
    'peek': (('word',), ('number',), 'peek'),
    'log': (('slot', 'int'), ('int',), 'log'),
    'about': (('word',), ('text', 'int'), 'about'),
    'create': (('slot', 'store'), (), 'create'),
    'drop': (('slot', 'store'), (), 'drop'),
    'rename': (('slot', 'store', 'word'), (), 'rename'),
    'list': (('slot',), ('text',), 'list'),
    'describe': (('slot', 'store'), ('int', 'int', 'text'), 'describe'),
    'get': (('slot', 'store', 'key'), ('bytes',), 'get'),
    'read': (('slot', 'store', 'key'), ('bytes',), 'read'),
    'fetch': (('slot', 'store', 'key', 'int'), ('key', 'bytes', 'int'), 'fetch'),
    'version': (('slot', 'store', 'key', 'int'), ('number',), 'version'),
    'put': (('slot', 'store', 'key', 'bytes'), (), 'put'),
    'insert': (('slot', 'store', 'key', 'bytes'), ('int',), 'insert'),
    'update': (('slot', 'store', 'key', 'int', 'bytes'), (), 'update'),
    'remove': (('slot', 'store', 'key', 'int'), (), 'remove'),
    'set_ride': (('slot', 'store', 'key', 'int'), (), 'set_ride'),
    'add': (('slot', 'store', 'key', 'int'), (), 'add'),
    'min': (('slot', 'store', 'key', 'int'), (), 'min'),
    'max': (('slot', 'store', 'key', 'int'), (), 'max'),
    'remove_range': (('slot', 'store', 'range'), ('int',), 'remove_range'),
    'count': (('slot', 'store', 'range'), ('int',), 'count'),
    'approx_count': (('slot', 'store'), ('int',), 'approx_count'),
    'get_many': (('slot', 'store', 'keys'), ('text',), 'get_many'),
    'put_many': (('slot', 'store', 'int', 'rows'), ('int', 'text'), 'put_many'),
    'scan': (('slot', 'store', 'range', 'int', 'int'), ('text',), 'scan'),
    'savepoint': (('slot',), (), 'savepoint'),
    'rollback_to': (('slot', 'int'), (), 'rollback_to'),
    'cursor_open': (('slot', 'store', 'range', 'int'), (), 'cursor_open'),
    'cursor_first': (('slot',), ('key', 'bytes', 'int'), 'cursor_first'),
    'cursor_last': (('slot',), ('key', 'bytes', 'int'), 'cursor_last'),
    'cursor_next': (('slot',), ('key', 'bytes', 'int'), 'cursor_next'),
    'cursor_prev': (('slot',), ('key', 'bytes', 'int'), 'cursor_prev'),
    'cursor_seek': (('slot', 'store', 'key', 'int'), ('key', 'bytes', 'int'), 'cursor_seek'),
    'cursor_entry': (('slot',), ('key', 'bytes', 'int'), 'cursor_entry'),
    'cursor_update': (('slot', 'store', 'bytes'), (), 'cursor_update'),
    'cursor_remove': (('slot',), (), 'cursor_remove'),
    'cursor_fetch': (('slot', 'int'), ('text',), 'cursor_fetch'),
    'cursor_close': (('slot',), (), 'cursor_close'),
    'cursor_forget': (('slot',), (), 'cursor_forget'),
}

# name, schema (None: raw keys), duplicates, JSON values
STORES = [
    ('raw', None, False, False),
    ('rawdup', None, True, False),
    ('str', '{"v":1,"sort":[{"n":"key","t":"str"}]}', False, False),
    ('int', '{"v":1,"sort":[{"n":"key","t":"int"}]}', False, False),
    ('emp', '{"v":1,"sort":[{"n":"region","t":"str"},{"n":"hired","t":"ts","desc":true},{"n":"emp_id","t":"int"}],"ride":[{"n":"deleted","t":"bool","default":false},{"n":"note","t":"str"}]}', False, False),
    ('empdup', '{"v":1,"sort":[{"n":"region","t":"str"},{"n":"hired","t":"ts","desc":true},{"n":"emp_id","t":"int"}],"ride":[{"n":"deleted","t":"bool","default":false},{"n":"note","t":"str"}]}', True, False),
    ('doc', '{"v":1,"sort":[{"n":"key","t":"str"}]}', False, True),
    ('wide', '{"v":1,"sort":[{"n":"score","t":"float","desc":true},{"n":"who","t":"uuid"},{"n":"tag","t":"bytes"},{"n":"flag","t":"bool","desc":true}]}', False, False),
    ('other', None, False, False),
]

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MICROSECOND = datetime.timedelta(microseconds=1)


class NoSlot(Exception):
    """The slot is empty: the answer is NONE."""


class Answer(Exception):
    """NOT_FOUND or EXISTS; `store` if it is a store that is not there."""

    def __init__(self, status, store=None):
        super().__init__(status)
        self.failure = Failure(status, store=store)


class Failure:
    """An error of the library: its status, the names of its traits in order; `store` of NOT_FOUND and CONFLICT, `key` (packed) of
    CONFLICT."""

    def __init__(self, status, traits=(), store=None, key=None):
        self.status, self.traits, self.store, self.key = status, traits, store, key

    def text(self):
        words = [self.status, *(["+".join(self.traits)] if self.traits else [])]
        if self.store:
            words.append(f"store={self.store}")
        if self.status == "CONFLICT":
            words.append(f"key={(self.key or b'').hex()}")
        return " ".join(words)


class Range:
    """Bounds, each None or a key of leading fields; it begins behind `after`, or behind `item` of it unless that is 0, and ends
    with `through`. `starts`: the same as prefix, but the last field only begins so."""

    def __init__(self):
        self.start = self.stop = self.prefix = self.starts = self.after = self.through = None
        self.item = 0


class Call:
    """What an instruction says besides its arguments."""

    def __init__(self, name, spelling):
        self.name, self.spelling = name, spelling


# ---- tokens

def parse_field(token):
    kind, text = token[0], token[1:]
    return {"n": lambda: None, "t": lambda: True, "f": lambda: False, "i": lambda: int(text),
            "d": lambda: struct.unpack(">d", bytes.fromhex(text))[0], "b": lambda: bytes.fromhex(text),
            "s": lambda: bytes.fromhex(text).decode(), "u": lambda: uuid.UUID(hex=text),
            "m": lambda: EPOCH + int(text) * MICROSECOND}[kind]()


def parse_bytes(token):
    if token[0] == "x":
        return bytes.fromhex(token[1:])
    count, byte = token[1:].split("*")
    return bytes.fromhex(byte) * int(count)


def parse_key(token):
    return parse_bytes(token) if token[0] in "xr" else [parse_field(field) for field in token.split(",")]


def parse_range(token):
    made = Range()
    for part in token.split(";") if token != "*" else []:
        bound, _, item = part[1:].partition("@")
        setattr(made, {"F": "start", "T": "stop", "P": "prefix", "S": "starts", "A": "after", "U": "through"}[part[0]], parse_key(bound))
        made.item = int(item) if item else made.item
    return made


def print_field(field):
    if field is None or isinstance(field, bool):
        return {None: "n", True: "t", False: "f"}[field]
    if isinstance(field, int):
        return f"i{field}"
    if isinstance(field, float):
        return "d" + struct.pack(">d", field).hex()
    if isinstance(field, uuid.UUID):
        return "u" + field.hex
    if isinstance(field, datetime.datetime):
        return f"m{(field - EPOCH) // MICROSECOND}"
    return "s" + field.encode().hex() if isinstance(field, str) else "b" + bytes(field).hex()


def print_key(key):
    return "x" + bytes(key).hex() if isinstance(key, (bytes, bytearray, memoryview)) else ",".join(map(print_field, key))


def print_row(key, value=None, item=None):
    """A row of a scan; `value` None: keys only; `item` None: a store without duplicates."""
    return print_key(key) + ("" if value is None else "=x" + value.hex()) + ("" if item is None else f"#{item}")


# ---- running

class Stacks:
    def __init__(self):
        self.ints, self.bytes = [], []

    def argument(self, kind, token):
        if kind in ("slot", "store") or (kind == "int" and token != "^"):
            return int(token)
        if kind == "int":
            return self.ints.pop() if self.ints else 0
        if token == "^":
            return self.bytes.pop() if self.bytes else b""
        if kind == "id":
            return None if token == "-" else bytes.fromhex(token)
        if kind == "rows":
            pairs = [row.split("=") for row in token.split(";")]
            return [(parse_key(key), parse_bytes(value)) for key, value in pairs]
        return {"word": str, "bytes": parse_bytes, "key": parse_key, "range": parse_range,
                "keys": lambda text: [parse_key(key) for key in text.split(";")]}[kind](token)

    def result(self, kind, value):
        if kind == "int":
            self.ints.append(value)
        elif kind == "bytes":
            self.bytes.append(bytes(value))
            return "x" + bytes(value).hex()
        return print_key(value) if kind == "key" else str(value)


class Threads:
    """Threads that take turns; 0 is the caller's."""

    def __init__(self):
        self.queues = {}

    def run(self, number, task):
        if number == 0:
            return task()
        if number not in self.queues:
            self.queues[number] = queue.Queue(), queue.Queue()
            threading.Thread(target=self.work, args=self.queues[number], daemon=True).start()
        tasks, results = self.queues[number]
        tasks.put(task)
        result = results.get()
        if isinstance(result, BaseException):
            raise result
        return result

    @staticmethod
    def work(tasks, results):
        while True:
            try:
                result = tasks.get()()
            except BaseException as error:  # handed to the thread that waits
                result = error
            results.put(result)
            result = None


def perform(machine, stacks, threads, line):
    thread, spelling, name, *tokens = line.split(" ")
    types, results, method = OPERATIONS[name]
    arguments = [stacks.argument(kind, token) for kind, token in zip(types, tokens)]
    try:
        made = threads.run(int(thread), lambda: getattr(machine, method)(Call(name, int(spelling)), *arguments))
    except NoSlot:
        return "NONE"
    except Answer as answer:
        return answer.failure.text()
    except Exception as error:
        failure = machine.failure(error)
        if failure is None:
            raise
        return failure.text()
    made = made if len(results) > 1 else [made] * len(results)
    return " ".join(["OK", *(stacks.result(kind, value) for kind, value in zip(results, made))])


def run(machine):
    """Runs the programs on standard input."""
    stacks, threads, number, out = Stacks(), Threads(), 0, sys.stdout
    for line in map(str.strip, sys.stdin):
        if line.startswith("program "):
            _, name, folder = line.split(" ", 2)
            stacks, number = Stacks(), 0
            machine.program_begin(folder)
            out.write(f"program {name}\n")
        elif line == "end":
            machine.program_end()
            out.write("end\n")
            out.flush()
        else:
            number += 1
            out.write(f"{number} {perform(machine, stacks, threads, line)}\n")
