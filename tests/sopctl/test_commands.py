"""What each command does when all is well, and its negative answers."""
import json
import os
import pathlib

from sopctl import case, contains, equal, main

STAFF = json.dumps({"v": 1, "sort": [{"n": "region", "t": "str"}, {"n": "hired", "t": "ts", "desc": True}, {"n": "id", "t": "int"}],
                    "ride": [{"n": "left", "t": "bool", "default": False}]})


def staff(box):
    box.run("create", box.db, "staff", "--schema", STAFF)
    for key, value in ((["US", "2024-01-01T00:00:00Z", 1], "ann"), (["US", "2020-06-01T12:00:00.5Z", 2, True], "bob"),
                       (["DE", "2019-01-01T00:00:00Z", 3], "eve")):
        box.run("put", box.db, "staff", json.dumps(key), value)


def keys(result):
    return [row["key"] for row in result.rows]


@case
def create_makes_a_database_or_a_store_once(box):
    equal(box.run("create", box.db).stdout, b"")
    contains(box.run("create", box.db, code=1).err, "EXISTS")
    box.run("create", box.db, "--if-missing")
    box.run("create", box.db, "users")
    contains(box.run("create", box.db, "users", code=1).err, "EXISTS")
    box.run("create", box.db, "users", "--if-missing")
    box.run("create", box.folder / "other", "users")  # the database with it
    equal(box.run("stores", box.folder / "other", "-o", "raw").out, "users\n")


@case
def create_takes_a_schema_from_a_file(box):
    box.run("create", box.db, "staff", "--schema", "@" + box.path("schema.json", STAFF))
    equal(json.loads(box.run("schema", box.db, "staff").out), json.loads(STAFF))


@case
def nothing_is_made_unless_asked(box):
    for words in (["stores"], ["scan", "s"], ["get", "s", "k"], ["put", "s", "k", "v"], ["info"], ["stats"], ["gc"], ["drop", "s"]):
        contains(box.run(words[0], box.db, *words[1:], code=1).err, "NOT_FOUND")
    box.run("import", box.db, "s", code=1, stdin='{"key":"a","value":"b"}\n')
    equal(os.listdir(box.folder), [])


@case
def put_and_get(box):
    box.run("create", box.db, "users")
    equal(box.run("put", box.db, "users", "ann", "thirty").stdout, b"")
    row = box.run("get", box.db, "users", "ann").row
    equal((row["key"], row["value"]), ("ann", "thirty"))
    assert row["version"] > 0
    equal(box.run("get", box.db, "users", "ann", "-o", "raw").stdout, b"thirty")
    found = box.run("get", box.db, "users", "ann", "bob", "ann", code=1)
    equal(keys(found), ["ann", "ann"])
    contains(found.err, "bob")
    contains(box.run("get", box.db, "nowhere", "ann", code=1).err, "nowhere")


@case
def put_takes_bytes_files_and_standard_input(box):
    box.run("create", box.db, "s")
    every = bytes(range(256)) * 100
    box.run("put", box.db, "s", "file", "--file", box.path("every", every))
    equal(box.run("get", box.db, "s", "file", "-o", "raw").stdout, every)
    box.run("put", box.db, "s", '{"hex":"00ff"}', "--file", "-", stdin=every)
    equal(box.run("get", box.db, "s", '{"hex":"00FF"}', "-o", "raw").stdout, every)
    box.run("put", box.db, "s", "hex", '{"hex":"0a00"}')
    equal(box.run("get", box.db, "s", "hex", "-o", "raw").stdout, b"\n\0")
    box.run("put", box.db, "s", "empty", "")
    equal(box.run("get", box.db, "s", "empty").row["value"], "")
    box.run("put", box.db, "s", "none", code=2)
    box.run("put", box.db, "s", "both", "x", "--file", "-", code=2)
    contains(box.run("put", box.db, "s", "k", "--file", "nothing", code=1).err, "nothing")


@case
def put_can_insist(box):
    box.run("create", box.db, "s")
    box.run("put", box.db, "s", "a", "1", "--update", code=1)
    box.run("put", box.db, "s", "a", "1", "--insert")
    box.run("put", box.db, "s", "a", "2", "--insert", code=1)
    box.run("put", box.db, "s", "a", "3", "--update")
    equal(box.run("get", box.db, "s", "a", "-o", "raw").out, "3")
    box.run("put", box.db, "s", "a", "3", "--update", "--insert", code=2)


@case
def update_keeps_what_rides_along(box):
    staff(box)
    box.run("put", box.db, "staff", '["US","2020-06-01T12:00:00.5Z",2]', "rob", "--update")
    row = box.run("get", box.db, "staff", '["US","2020-06-01T12:00:00.5Z",2]').row
    equal((row["key"], row["value"]), (["US", "2020-06-01T12:00:00.5Z", 2, True], "rob"))


@case
def duplicates_are_kept_and_named_by_item(box):
    box.run("create", box.db, "log", "--duplicates")
    first = box.run("put", box.db, "log", "k", "1").row["item"]
    second = box.run("put", box.db, "log", "k", "2").row["item"]
    assert first < second
    equal([(row["value"], row["item"]) for row in box.run("scan", box.db, "log").rows], [("1", first), ("2", second)])
    equal(box.run("get", box.db, "log", "k").row["value"], "1")
    equal(box.run("get", box.db, "log", "k", "--item", second).row["value"], "2")
    box.run("put", box.db, "log", "k", "3", "--update", "--item", second)
    box.run("del", box.db, "log", "k", "--item", first)
    equal([row["value"] for row in box.run("scan", box.db, "log").rows], ["3"])
    equal(box.run("stores", box.db).row["unique"], False)


@case
def scan_ranges(box):
    staff(box)
    us1, us2, de = ["US", "2024-01-01T00:00:00Z", 1, False], ["US", "2020-06-01T12:00:00.5Z", 2, True], ["DE", "2019-01-01T00:00:00Z", 3, False]
    scan = lambda *words: keys(box.run("scan", box.db, "staff", *words))
    equal(scan(), [de, us1, us2])  # newest first
    equal(scan("--reverse"), [us2, us1, de])
    equal(scan("--limit", 1), [de])
    equal(scan("--limit", 0), [])
    equal(scan("--prefix", "US"), [us1, us2])
    equal(scan("--prefix", '["US"]', "--reverse", "-n", 1), [us2])
    equal(scan("--from", "E"), [us1, us2])
    equal(scan("--to", "US"), [de])
    equal(scan("--after", json.dumps(us1[:3])), [us2])
    equal(scan("--from", '["US"]', "--to", '["US","2021-01-01T00:00:00+02:00"]'), [us1])
    equal(scan("--from", "Z", "--to", "A"), [])
    equal(box.run("scan", box.db, "staff", "--keys", "-n", 1).rows, [{"key": de}])
    equal(scan("--prefix", "US", "--after", json.dumps(us1[:3])), [us2])  # pages of a prefix, forward
    equal(scan("--prefix", "US", "--to", json.dumps(us2[:3]), "-r", "-n", 1), [us1])  # and backward
    box.run("scan", box.db, "staff", "--after", "US", "--from", "US", code=2)
    equal(box.run("count", box.db, "staff").row, {"count": 3})
    equal(box.run("count", box.db, "staff", "--prefix", "US", "-o", "raw").out, "2\n")


@case
def beginnings_of_texts_are_ranges(box):
    box.run("create", box.db, "names", "--schema", json.dumps({"v": 1, "sort": [{"n": "team", "t": "str"}, {"n": "name", "t": "str"},
                                                                            {"n": "note", "t": "str", "desc": True}]}))
    names = [["EU", "ann", "x"], ["US", "an", "x"], ["US", "ann", "x"], ["US", "ao", "x"], ["US", "\U0010ffff!", "x"], ["V", "", "x"]]
    for name in names:
        box.run("put", box.db, "names", json.dumps(name), "v")
    scan = lambda *words: keys(box.run("scan", box.db, "names", "--starts-with", *words))
    equal(scan("U"), names[1:5])
    equal(scan('["US","an"]'), names[1:3])
    equal(scan('["US","an"]', "--reverse", "-n", 1), names[2:3])
    equal(scan('["US",""]'), names[1:5])
    equal(scan(""), names)
    equal(scan('["US","\U0010ffff"]'), names[4:5])  # no text is behind these
    equal(scan("\U0010ffff"), [])
    equal(scan("U", "--after", json.dumps(names[1])), names[2:5])  # pages, forward
    equal(scan("U", "--to", json.dumps(names[3]), "-r", "-n", 1), names[2:3])  # and backward
    equal(scan("U", "--from", "EU", "--to", "Z"), names[1:5])
    equal(scan('["US","an"]', "--after", "US"), [])
    equal(scan('["US","an"]', "--after", '["US","ao"]'), [])
    equal(box.run("count", box.db, "names", "--starts-with", "U").row, {"count": 4})
    for wrong in (["--starts-with", '["US","an","x"]'], ["--starts-with", '["US",1]'], ["--starts-with", "[]"],
                  ["--starts-with", "U", "--prefix", "US"]):
        box.run("scan", box.db, "names", *wrong, code=2)
    equal(box.run("del", box.db, "names", "--starts-with", '["US","an"]', "--yes").row, {"removed": 2})
    box.run("create", box.db, "raw")
    for name in ("a", "ab", "b"):
        box.run("put", box.db, "raw", name, "v")
    equal(keys(box.run("scan", box.db, "raw", "--starts-with", "a")), ["a", "ab"])
    for store in ("raw", "names"):
        wrong = box.run("del", box.db, store, "--starts-with", "", "--yes", code=2).err
        contains(wrong, "say --all to remove all items")


@case
def counters_are_numbers(box):
    box.run("create", box.db, "hits")
    for number in (0, 5, -1, 2**63 - 1, -2**63):
        box.run("put", box.db, "hits", "--values", "counter", "--", f"k{number}", str(number))
    for wrong in ("five", "5.5", str(2**63), '"5"', ""):
        contains(box.run("put", box.db, "hits", "k", wrong, "--values", "counter", code=2).err, "a value is an integer from")
    box.run("put", box.db, "hits", "text", "no counter")
    rows = box.run("scan", box.db, "hits", "--values", "counter").rows
    equal({row["key"]: row["value"] for row in rows},
          {"k0": 0, "k5": 5, "k-1": -1, f"k{2**63 - 1}": 2**63 - 1, f"k{-2**63}": -2**63, "text": "no counter"})
    equal(box.run("get", box.db, "hits", "k5").row["value"], {"hex": "0500000000000000"})  # unless asked
    equal(box.run("get", box.db, "hits", "k5", "--values", "counter", "-o", "csv").out.splitlines()[1].split(",")[1], "5")
    contains(box.run("export", box.db, "hits", "--values", "counter", code=2).err, "is no counter")
    box.run("del", box.db, "hits", "text")
    for form in ("jsonl", "csv"):
        out = box.run("export", box.db, "hits", "--format", form, "--values", "counter").out
        box.run("import", box.db, form, "--create", "--format", form, "--values", "counter", stdin=out)
        equal(box.run("scan", box.db, form).rows, box.run("scan", box.db, "hits").rows)
    for wrong in ("1.5", "x", str(2**63), '"1"', ""):
        box.run("put", box.db, "hits", "k", wrong, "--values", "counter", code=2)
    box.run("put", box.db, "hits", "j", '{"a": 1}', "--values", "json")
    equal(box.run("get", box.db, "hits", "j").row["value"], '{"a": 1}')
    box.run("put", box.db, "hits", "j", "{", "--values", "json", code=2)


@case
def values_that_are_json_are_shown_as_such(box):
    box.run("create", box.db, "s")
    box.run("put", box.db, "s", "a", '{"n": 9007199254740993, "x": [1.50]}')
    box.run("put", box.db, "s", "b", "no json")
    out = box.run("scan", box.db, "s", "--values", "json").out
    equal(out, '{"key":"a","value":{"n":9007199254740993,"x":[1.50]}}\n{"key":"b","value":"no json"}\n')


@case
def del_removes_all_keys_or_none(box):
    staff(box)
    missing = box.run("del", box.db, "staff", '["DE","2019-01-01T00:00:00Z",3]', '["DE","2019-01-01T00:00:00Z",4]', code=1)
    contains(missing.err, "nothing was removed")
    equal(box.run("count", box.db, "staff").row, {"count": 3})
    equal(box.run("del", box.db, "staff", '["DE","2019-01-01T00:00:00Z",3]').row, {"removed": 1})
    equal(box.run("del", box.db, "staff", "--prefix", "US", "--yes").row, {"removed": 2})
    equal(box.run("del", box.db, "staff", "--all", "--yes").row, {"removed": 0})
    box.run("del", box.db, "staff", "--yes", code=2)
    for bound in ("--prefix", "--from"):
        box.run("del", box.db, "staff", bound, "[]", "--yes", code=2)  # all, and not said so
    box.run("del", box.db, "staff", "US", "--all", "--yes", code=2)


@case
def what_destroys_asks_and_is_refused_where_nobody_can_answer(box):
    staff(box)
    refused = box.run("drop", box.db, "staff", code=7, stdin="y\n")
    contains(refused.err, "drop the store 'staff' and its 3 items")
    contains(box.run("del", box.db, "staff", "--all", code=7, stdin="y\n").err, "remove 3 items from the store 'staff'")
    equal(box.run("count", box.db, "staff").row, {"count": 3})
    box.run("drop", box.db, "staff", "--yes")
    box.run("drop", box.db, "staff", "--yes", code=1)
    equal(box.run("stores", box.db).rows, [])


@case
def rename_needs_a_free_name(box):
    staff(box)
    box.run("create", box.db, "taken")
    contains(box.run("rename", box.db, "staff", "taken", code=1).err, "EXISTS")
    box.run("rename", box.db, "staff", "people")
    box.run("rename", box.db, "staff", "people", code=1)
    equal([row["name"] for row in box.run("stores", box.db).rows], ["people", "taken"])


@case
def names_of_stores_are_only_names(box):
    for name in ("../x", "a/b", "*", "-", "ä ö", "x" * 255):
        box.run("create", box.db, "--", name)
        box.run("put", box.db, "--", name, "k", name)
        equal(box.run("get", box.db, "-o", "raw", "--", name, "k").out, name)
    box.run("create", box.db, "x" * 256, code=2)
    box.run("create", box.db, "", code=2)
    equal(sorted(os.listdir(box.folder)), ["db"])


@case
def info_and_stores_tell_what_is_there(box):
    staff(box)
    info = box.run("info", box.db).row
    equal((info["backend"], info["stores"], info["items"], info["durability"]), ("inredfs", 1, 3, "flushed"))
    assert info["disk_bytes"] > 0 and len(info["uuid"]) == 36
    equal(box.run("stores", box.db).rows, [{"name": "staff", "items": 3, "unique": True, "key": "region, hired desc, id (left)"}])
    info = box.run("info", f"inredfs:{box.db}?cache_bytes=16MB&durability=written").row
    equal((info["cache_bytes"], info["durability"]), (16 << 20, "written"))
    equal(box.run("info", "inmemory:").row["backend"], "inmemory")


@case
def stats_have_every_figure(box):
    staff(box)
    stats = box.run("stats", box.db).row
    header = (pathlib.Path(__file__).resolve().parents[2] / "include/sop/stats.h").read_text()
    fields = header.split("typedef struct sop_stats {")[1].split("}")[0]
    names = [line.split(";")[0].split()[1] for line in fields.splitlines() if line.startswith("\tuint64_t ")]
    equal(sorted(stats), sorted(names))
    equal(stats["stores"], 1)
    contains(box.run("stats", box.db, "--metrics").out, "# EOF")


@case
def backup_and_restore(box):
    staff(box)
    copy, again = box.folder / "copy", box.folder / "again"
    assert box.run("backup", box.db, copy).row["position"] > 0
    contains(box.run("backup", box.db, copy, code=1).err, "EXISTS")
    box.run("del", box.db, "staff", "--all", "--yes")
    box.run("restore", copy, again)
    equal(box.run("count", again, "staff").row, {"count": 3})
    contains(box.run("restore", copy, again, code=1).err, "EXISTS")
    contains(box.run("restore", box.folder / "nothing", box.folder / "x", code=1).err, "NOT_FOUND")


@case
def gc_and_compact_give_space_back(box):
    value = "x" * 100
    lines = "".join(json.dumps({"key": f"{i:08}", "value": value}) + "\n" for i in range(20000))
    box.run("import", box.db, "s", "--create", stdin=lines)
    box.run("gc", box.db)
    full = box.run("info", box.db).row["pack_bytes"]
    box.run("del", box.db, "s", "--all", "--yes")
    row = box.run("compact", box.db).row
    assert row["rounds"] >= 1 and row["after_bytes"] <= row["before_bytes"], row
    assert box.run("info", box.db).row["pack_bytes"] < full / 4


def everything_in(folder):
    """Names, times and contents below a folder."""
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None) for path in folder.rglob("*")}


@case
def looking_writes_nothing_even_after_a_kill(box):
    box.run("create", box.db, "typed", "--schema", '{"v":1,"sort":[{"n":"i","t":"int"}]}')
    owner = box.start("exec", box.db)
    for i in range(100):
        owner.stdin.write(json.dumps({"ops": [{"op": "put", "store": "typed", "key": i, "value": "v" * i * 50}]}).encode() + b"\n")
        owner.stdin.flush()
        owner.stdout.readline()
    owner.kill()
    owner.wait()
    before = everything_in(box.folder / "db")
    reader = box.start("dump", box.db)  # it stands still, since nobody reads all that it prints
    reader.stdout.readline()
    for command, *rest in (["info"], ["stores"], ["stats"], ["verify"], ["schema", "typed"], ["get", "typed", 99], ["scan", "typed"],
                           ["export", "typed"], ["dump", "--hash"], ["doctor"]):
        box.run(command, box.db, *rest, code=None if command == "doctor" else 0)
        equal(everything_in(box.folder / "db"), before, command)
    equal(box.run("count", box.db, "typed").row, {"count": 100})
    reader.kill()
    reader.wait()
    box.run("put", box.db, "typed", 100, "v")
    equal(box.run("count", box.db, "typed").row, {"count": 101})
    os.unlink(box.db + "/LOCK")
    equal(box.run("count", box.db, "typed").row, {"count": 101})  # it is made again


@case
def doctor_says_what_is_bad(box):
    rows = {row["check"]: row for row in box.run("doctor", box.folder, code=None).rows}
    assert {"versions", "permissions", "file system", "space", "locks", "flush", "open files", "memory"} <= set(rows), rows
    for row in rows.values():
        assert row["verdict"] in ("ok", "warning", "bad")
        assert row["verdict"] == "ok" or row["advice"], row
    equal(os.listdir(box.folder), [])
    equal(box.run("doctor", box.folder / "nothing", code=5).rows[-1]["verdict"], "bad")
    box.run("create", box.db)
    found = box.run("doctor", box.db, code=None).rows[-1]
    equal(found["check"], "database")
    contains(found["found"] + found["advice"], "verify")  # which reads what it has not


@case
def bench_measures_checks_and_leaves_nothing(box):
    wanted = "commit1_threads,get_rand100,scan_full,ycsb_a,counters,delete_rand"
    rows = {row["workload"]: row for row in
            box.run("bench", box.folder, "--records", 1000, "--seconds", 1, "--threads", 4, "--workloads", wanted).rows}
    equal(sorted(rows), sorted(["flush", "bulk_seq", "bulk_rand", *wanted.split(",")]))
    for row in rows.values():
        assert row["operations"] > 0 and row["per_second"] >= 0 and row["p50_us"] <= row["p99_us"], row
    equal((rows["bulk_rand"]["operations"], rows["counters"]["threads"]), (1000, 4))
    equal(os.listdir(box.folder), [])
    contains(box.run("bench", box.folder, "--workloads", "get_rand,nothing", code=2).err, "nothing")
    box.run("bench", box.folder / "nothing", code=1)
    assert "flush" not in box.run("bench", "inmemory:", "--records", 1000, "--seconds", 1, "-w", "get_rand").out


@case
def shell_runs_lines(box):
    box.run("create", box.db, "s")
    lines = "# a comment\n\nput s 'a b' \"c \\\" d\"\nput s e\\ f g\nget s 'a b' -o raw\nstores -o raw\nquit\nnonsense\n"
    equal(box.run("shell", box.db, stdin=lines).out, 'c " ds\n')
    equal(box.run("count", box.db, "s", "-o", "raw").out, "2\n")
    failing = box.run("shell", box.db, stdin="get s nothing\nput s never x\n", code=1)
    contains(failing.err, "nothing")
    equal(box.run("count", box.db, "s", "-o", "raw").out, "2\n")
    box.run("shell", box.db, stdin="put s 'open\n", code=2)
    box.run("shell", box.folder / "new", stdin="stores\n", code=1)
    equal(box.run("shell", box.folder / "new", "--create", stdin="create t\nstores -o raw\n").out, "t\n")


main()
