"""`sopctl dump` and `load`: canonical, whole, and back again, also after a kill."""
import contextlib
import hashlib
import json
import random
import signal
import struct
import subprocess
import threading
import time
import uuid

from sopctl import SCALE, SEED, SOPCTL, WAIT_SECONDS, Case, main, op, sopctl

TYPES = ("bool", "int", "float", "bytes", "str", "uuid", "ts")
CHARACTERS = "\0\1abz\x7f\u00e9\u0100\u2028\uffff\U0001f600\U0010ffff"


def random_field(dice, kind):
    """A value of a type, as a request gives it."""
    if dice.random() < 0.1:
        return None
    if kind == "bool":
        return dice.random() < 0.5
    if kind == "int":
        return dice.choice([dice.randrange(-300, 300), dice.randrange(-2 ** 63, 2 ** 64)])
    if kind == "float":
        number = struct.unpack("<d", dice.randbytes(8))[0]
        return "Infinity" if number != number or abs(number) > 1e308 else number
    if kind == "bytes":
        return {"hex": bytes(dice.choice([0, 1, 255, 97]) for _ in range(dice.randrange(5))).hex()}
    if kind == "str":
        return "".join(dice.choice(CHARACTERS) for _ in range(dice.randrange(5)))
    if kind == "uuid":
        return str(uuid.UUID(bytes=dice.randbytes(16)))
    return dice.choice([dice.randrange(-2 ** 63, 2 ** 63), dice.randrange(-10 ** 15, 10 ** 15)])


def random_store(dice, name, unique):
    """The operations that make a store of random fields with random items, some of them changed and removed."""
    sort = [{"n": f"s{i}", "t": dice.choice(TYPES), **({"desc": True} if dice.random() < 0.4 else {})}
            for i in range(dice.randrange(1, 5))]
    ride = [{"n": f"r{i}", "t": dice.choice(TYPES)} for i in range(dice.randrange(0, 3))]
    ops = [op("create", name, schema={"v": 1, "sort": sort, **({"ride": ride} if ride else {})}, unique=unique)]
    for _ in range(int(100 * SCALE) + 10):
        key = [random_field(dice, field["t"]) for field in sort]
        key += [random_field(dice, field["t"]) for field in ride[:dice.randrange(len(ride) + 1)]]
        value = {"hex": dice.randbytes(dice.choice([0, 1, 10, 100, 3000])).hex()}
        ops.append(op("put" if unique else "insert", name, key, value))
        if dice.random() < 0.2:
            ops.append(op("remove", name, key))
    return ops


class Dump(Case):
    def make(self, name, *ops):
        path = self.folder / name
        answers = self.run_lines([{"ops": list(ops)}], path, "--create")
        self.assertEqual(answers[0]["status"], "OK", answers)
        return path

    def dump(self, path, *arguments):
        return sopctl("dump", path, *arguments, check=0).stdout

    def load(self, path, content, *arguments, check=0):
        return sopctl("load", path, *arguments, stdin=content, check=check)

    def test_an_empty_database_prints_nothing(self):
        path = self.make("db")
        self.assertEqual(self.dump(path), b"")
        self.assertEqual(self.dump(path, "--hash"), b"")
        self.load(self.folder / "copy", b"", "--create")
        self.assertEqual(self.dump(self.folder / "copy"), b"")

    def test_lines_are_as_they_are_promised(self):
        schema = {"v": 1, "sort": [{"n": "a", "t": "str"}, {"n": "b", "t": "int"}],
                  "ride": [{"n": "r", "t": "bool", "default": False}]}
        path = self.make("db", op("create", "t", schema=schema), op("put", "t", ["US", 101], "{}"),
                         op("create", "d", unique=False), op("insert", "d", "k", "1"), op("insert", "d", "k", "0"),
                         op("create", "e\u00e9\""))
        self.assertEqual(self.dump(path).decode(), "".join(line + "\n" for line in (
            '{"store":"d","unique":false,"count":2}', '{"k":"6b","v":"31"}', '{"k":"6b","v":"30"}',
            '{"store":"e\u00e9\\"","unique":true,"count":0}',
            '{"store":"t","unique":true,"schema":' + json.dumps(schema, separators=(",", ":")) + ',"count":1}',
            '{"k":"02555300011565","v":"7b7d","r":"26"}')))

    def test_equal_content_gives_equal_bytes(self):
        dice = random.Random(SEED)
        keys = [f"k{i}" for i in range(300)]
        first = self.make("one", op("create", "s"), *[op("put", "s", key, key) for key in keys])
        mixed = dice.sample(keys, len(keys))
        second = self.make("two", op("create", "x"), op("create", "s", node_items=4),
                           *[op("put", "s", key, "other") for key in mixed], *[op("put", "s", f"j{i}", "") for i in range(50)],
                           *[op("put", "s", key, key) for key in dice.sample(keys, len(keys))],
                           op("remove_range", "s", prefix="j"), op("drop", "x"))
        self.run_lines([{"checkpoint": True}, {"gc": True}], second)
        self.assertEqual(self.dump(first), self.dump(second))
        self.assertEqual(self.dump(first, "--hash"), self.dump(second, "--hash"))
        self.run_lines([{"ops": [op("put", "s", "k0", "K0")]}], second)
        self.assertNotEqual(self.dump(first, "--hash"), self.dump(second, "--hash"))

    def test_hash_is_that_of_the_lines_of_each_store(self):
        path = self.make("db", op("create", "b"), op("create", "a"), *[op("put", "a", f"{i}", "x" * 2000) for i in range(500)],
                         op("put", "b", {"hex": "00" * 100}, {"hex": "ff" * 700000}))
        expected = b""
        for name in ("a", "b"):
            expected += hashlib.sha256(self.dump(path, name)).hexdigest().encode() + b"  " + name.encode() + b"\n"
        self.assertEqual(self.dump(path, "--hash"), expected)
        self.assertEqual(self.dump(path, "b", "a", "b"), self.dump(path))
        self.assertEqual(self.dump(path, "--hash", "b"), expected.splitlines(keepends=True)[1])

    def test_what_is_not_there(self):
        path = self.make("db", op("create", "a"))
        done = sopctl("dump", path, "a", "b")
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        told = json.loads(done.stderr)
        self.assertEqual((told["status"], told["store"]), ("NOT_FOUND", "b"))
        done = sopctl("dump", self.folder / "none")
        self.assertEqual((done.returncode, json.loads(done.stderr)["status"]), (1, "NOT_FOUND"))
        done = sopctl("load", self.folder / "none", stdin="")
        self.assertEqual(done.returncode, 1)
        self.assertFalse((self.folder / "none").exists())

    def test_round_trip_of_keys_of_every_type(self):
        dice = random.Random(SEED)
        for number in range(max(1, int(6 * SCALE))):
            ops = []
            for store in range(3):
                ops += random_store(dice, f"s{store}", unique=dice.random() < 0.6)
            ops += [op("create", "raw"), op("create", "raws", unique=False)]
            for _ in range(100):
                key = {"hex": bytes(dice.choice([0, 1, 255, 97]) for _ in range(dice.randrange(4))).hex()}
                ops += [op("put", "raw", key, "v"), op("insert", "raws", key, str(dice.random()))]
            path = self.make(f"db{number}", *ops)
            content = self.dump(path)
            copy = self.folder / f"copy{number}"
            self.load(copy, content, "--create")
            self.assertEqual(self.dump(copy), content)
            self.assertEqual(self.dump(copy, "--hash"), self.dump(path, "--hash"))
            names = [f"s{store}" for store in range(3)] + ["raw", "raws"]
            scans = [{"ops": [op("scan", name), op("info", name)]} for name in names]
            for one, other in zip(self.run_lines(scans, path), self.run_lines(scans, copy)):
                self.assertEqual([item[:2] for item in one["results"][0]["items"]],
                                 [item[:2] for item in other["results"][0]["items"]])
                self.assertEqual(one["results"][1], other["results"][1])
            self.assertEqual(self.load(copy, content).returncode, 0)  # once more: it is all there
            self.assertEqual(self.dump(copy), content)
            self.assertEqual(self.run_lines([{"verify": True}], copy)[0]["problems"], [])

    def test_a_large_value(self):
        path = self.folder / "db"
        size = 20 << 20
        content = b'{"store":"s","unique":true,"count":1}\n{"k":"","v":"' + b"5a" * size + b'"}\n'
        self.load(path, content, "--create")
        self.assertEqual(self.dump(path), content)

    def big(self, unique):
        """A dump of many small items, of which several are equal where they may be."""
        count = 60000
        head = json.dumps({"store": "s", "unique": unique, "count": count}, separators=(",", ":"))
        items = (f'{{"k":"{(i if unique else i // 7 * 7):08x}","v":"{i % 3:02x}"}}' for i in range(count))
        return "".join(line + "\n" for line in (head, *items)).encode()

    def test_a_killed_load_goes_on_without_duplicates(self):
        dice = random.Random(SEED)
        for unique in (True, False):
            content = self.big(unique)
            path = self.folder / f"db{unique}"
            for _ in range(4):
                loading = subprocess.Popen([SOPCTL, "load", path, "--create"], stdin=subprocess.PIPE,
                                           stderr=subprocess.DEVNULL)
                part = content[:dice.randrange(len(content) // 4, len(content))]
                feeder = threading.Thread(target=self.feed, args=(loading, part))
                feeder.start()
                time.sleep(dice.random() * 0.15)
                loading.kill()  # it has not seen the end of its input
                loading.wait()
                feeder.join()
                with contextlib.suppress(BrokenPipeError):
                    loading.stdin.close()  # with what was not written when it was killed
            self.load(path, content, "--create")
            self.assertEqual(self.dump(path), content)

    @staticmethod
    def feed(process, content):
        try:
            process.stdin.write(content)
        except BrokenPipeError:
            pass

    def test_a_load_that_got_half_goes_on(self):
        for unique in (True, False):
            content = self.big(unique)
            whole = content.splitlines(keepends=True)
            for kept in (1, 2, 9999, 30001, len(whole)):
                path = self.folder / f"db{unique}{kept}"
                head = json.loads(whole[0])
                head["count"] = kept - 1
                self.load(path, (json.dumps(head) + "\n").encode() + b"".join(whole[1:kept]), "--create")
                done = self.load(path, content)
                self.assertEqual(self.dump(path), content)
                self.assertEqual(b"already" in done.stderr, kept > 1, done.stderr)

    def test_a_signal_ends_a_load_in_good_order(self):
        content = self.big(True)
        path = self.folder / "db"
        loading = subprocess.Popen([SOPCTL, "load", path, "--create"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        loading.stdin.write(content[:len(content) // 2])
        loading.stdin.flush()
        end = time.monotonic() + WAIT_SECONDS
        while not (path / "MANIFEST").exists() and time.monotonic() < end:
            time.sleep(0.01)
        loading.send_signal(signal.SIGTERM)
        errors = loading.stderr.read()
        self.assertEqual(loading.wait(timeout=WAIT_SECONDS), 130, errors)
        self.assertIn(b"go on", errors)
        loading.stderr.close()
        try:
            loading.stdin.close()
        except BrokenPipeError:
            pass
        self.load(path, content)
        self.assertEqual(self.dump(path), content)

    def test_other_content_is_not_touched(self):
        path = self.make("db", op("create", "mine"), op("put", "mine", "a", "1"), op("create", "s"), op("put", "s", "b", "2"))
        before = self.dump(path)
        head = '{"store":"s","unique":true,"count":%d}\n'
        for content in (head % 1 + '{"k":"61","v":"32"}\n', head % 1 + '{"k":"62","v":"33"}\n', head % 0,
                        head % 2 + '{"k":"61","v":""}\n{"k":"62","v":"32"}\n', '{"store":"s","unique":false,"count":0}\n',
                        '{"store":"s","unique":true,"schema":{"v":1,"sort":[{"n":"a","t":"int"}]},"count":0}\n'):
            done = self.load(path, content, check=1)
            self.assertIn(b"EXISTS", done.stderr)
            self.assertEqual(self.dump(path), before)
        self.load(path, head % 2 + '{"k":"62","v":"32"}\n{"k":"63","v":""}\n')
        self.assertEqual(self.run_lines([{"ops": [op("scan", "s"), op("get", "mine", "a")]}], path)[0]["results"][0]["items"],
                         [["b", "2"], ["c", ""]])

    def test_malformed_lines_are_refused_with_their_number(self):
        head = '{"store":"s","unique":true,"count":2}\n'
        item = '{"k":"61","v":"62"}\n'
        schema = '{"v":1,"sort":[{"n":"a","t":"int"}],"ride":[{"n":"r","t":"bool"}]}'
        rides = '{"store":"s","unique":true,"schema":%s,"count":1}\n' % schema
        bad = (("x\n", 1), (item, 1), ("[]\n", 1), ("\n\n1\n", 3), ('{"store":"s"}\n', 1), ('{"store":"s","unique":true}\n', 1),
               ('{"store":1,"unique":true,"count":0}\n', 1), ('{"store":"","unique":true,"count":0}\n', 1),
               ('{"store":"%s","unique":true,"count":0}\n' % ("s" * 256), 1),
               ('{"store":"a\\nb","unique":true,"count":0}\n', 1), ('{"store":"a\\u0000b","unique":true,"count":0}\n', 1),
               ('{"store":"s","unique":1,"count":0}\n', 1), ('{"store":"s","unique":true,"count":-1}\n', 1),
               ('{"store":"s","unique":true,"count":1.0}\n', 1), ('{"store":"s","unique":true,"count":0,"x":1}\n', 1),
               ('{"store":"s","unique":true,"schema":{},"count":0}\n', 1),
               ('{"store":"s","unique":true,"unique":true,"count":0}\n', 1),
               (head + '{"k":"6","v":""}\n', 2), (head + '{"k":"6g","v":""}\n', 2), (head + '{"k":"61"}\n', 2),
               (head + '{"v":"61"}\n', 2), (head + '{"k":1,"v":""}\n', 2), (head + '{"k":"61","v":"","r":""}\n', 2),
               (head + '{"k":"61","v":"","x":""}\n', 2), (head + '{"k":"61","v":"","v":""}\n', 2), (head + item + item, 3),
               (head + item + '{"k":"60","v":""}\n', 3), (head + item + '{"k":"62","v":""}\n{"k":"63","v":""}\n', 4),
               (head + item, 2), (head + item + head, 3), (head + '{"k":"' + "61" * 65537 + '","v":""}\n', 2),
               (rides + '{"k":"1501","v":""}\n', 2), (rides + '{"k":"1501","v":"","r":""}\n', 2),
               (rides + '{"k":"150126","v":"","r":""}\n', 2), (rides + '{"k":"","v":"","r":"150126"}\n', 2),
               (rides + '{"k":"1501","v":"","r":"2626"}\n', 2), (rides + '{"k":"0261","v":"","r":"26"}\n', 2))
        for number, (content, line) in enumerate(bad):
            done = self.load(self.folder / f"bad{number}", content, "--create", check=2)
            self.assertIn(f"line {line}: ".encode(), done.stderr, (content, done.stderr))

    def test_a_dump_is_as_of_one_moment_and_leaves_the_database_as_it_was(self):
        path = self.make("db", op("create", "s"), *[op("put", "s", f"{i}", "x") for i in range(1000)])
        before = self.dump(path)
        self.assertEqual(before, self.dump(path))
        position = self.run_lines([{"ops": []}], path)[0]["position"]
        self.dump(path)
        self.assertEqual(self.run_lines([{"ops": []}], path)[0]["position"], position)

    def test_a_dump_that_cannot_be_written_fails(self):
        path = self.make("db", op("create", "s"), *[op("put", "s", f"{i}", "x" * 1000) for i in range(1000)])
        with open("/dev/full", "wb") as full:
            done = subprocess.run([SOPCTL, "dump", str(path)], stdout=full, stderr=subprocess.PIPE, timeout=WAIT_SECONDS,
                                  check=False)
        self.assertEqual((done.returncode, json.loads(done.stderr)["status"]), (5, "IO"))
        dumping = subprocess.Popen([SOPCTL, "dump", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        dumping.stdout.read(10)
        dumping.stdout.close()
        self.assertEqual((dumping.stderr.read(), dumping.wait(timeout=WAIT_SECONDS)), (b"", 0))  # it had what it wanted
        dumping.stderr.close()

    def test_quiet_says_nothing(self):
        content = b'{"store":"s","unique":true,"count":0}\n'
        self.assertIn(b"loaded 0 items of 1 store", self.load(self.folder / "a", content, "--create").stderr)
        self.assertEqual(self.load(self.folder / "b", content, "--create", "--quiet").stderr, b"")


class Verify(Case):
    def test_a_clean_database(self):
        path = self.folder / "db"
        self.run_lines([{"ops": [op("create", "s")]}], path, "--create")
        done = sopctl("verify", path, "-o", "jsonl", check=0)
        self.assertEqual(done.stdout, b"")
        self.assertIn(b"no problems", sopctl("verify", path, "-o", "table", check=0).stdout)

    def test_what_cannot_be_checked(self):
        self.assertEqual(sopctl("verify", self.folder / "none", "-o", "jsonl").returncode, 5)
        self.assertEqual(sopctl("verify", "inredcfs:x", "-o", "jsonl").returncode, 5)
        self.assertEqual(sopctl("verify").returncode, 2)

    def test_each_problem_is_one_object(self):
        path = self.folder / "db"
        self.run_lines(lines_of_damage(), path, "--create")
        packs = [pack for pack in (path / "blobs").rglob("*") if pack.is_file() and pack.stat().st_size > 30000]
        for pack in packs:
            data = bytearray(pack.read_bytes())
            data[len(data) // 2] ^= 0xFF
            pack.write_bytes(data)
        done = sopctl("verify", path, "-o", "jsonl", check=4)
        problems = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertGreater(len(problems), 0)
        for problem in problems:
            self.assertLessEqual(set(problem), {"file", "offset", "store", "kind", "message"})
            self.assertTrue(problem["kind"] and problem["message"])
            self.assertTrue((path / problem["file"]).exists() if "file" in problem else True)
        self.assertIn(problems[0]["message"].encode(), sopctl("verify", path, "-o", "table", check=4).stdout)


def lines_of_damage():
    """Requests that make a database large enough to be damaged in a page."""
    return [{"ops": [op("create", "s")] + [op("put", "s", f"{i:05}", "x" * 300) for i in range(500)]}, {"checkpoint": True}]


if __name__ == "__main__":
    main()
