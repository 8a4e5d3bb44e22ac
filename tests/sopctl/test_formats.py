"""Every format shows what is there, and what one command prints another reads without loss."""
import csv
import io
import json
import random

from sopctl import case, contains, equal, main

EVERY = {"v": 1, "sort": [{"n": "b", "t": "bool"}, {"n": "i", "t": "int", "desc": True}, {"n": "f", "t": "float"},
                          {"n": "y", "t": "bytes"}, {"n": "s", "t": "str"}, {"n": "u", "t": "uuid"}, {"n": "t", "t": "ts"}],
         "ride": [{"n": "rs", "t": "str", "default": "x"}, {"n": "ri", "t": "int", "default": 7}]}
TEXTS = ["", " ", "a", "null", "true", "12", '"', '""', ",", "a,b", "line\nline", "\r\n", "\t", "ä€😀", "'", '{"hex":"00ff"}',
         '{"hex":"0"}', "[1]", "Infinity", "\\", "\\n"]
BYTES = [b"", b"\0", b"\xff\xfe", bytes(range(256)), b"plain", b'{"hex":"00ff"}', b'{"hex":"zz"}', b'{"hex":""}', "ä".encode(),
         b"\x7f", b"a\nb", b",\"'"]


def bytes_json(data):
    """The form in which exec and sopctl take any bytes."""
    return {"hex": data.hex()}


def random_key(rng):
    integer = rng.choice([0, -1, 2**63 - 1, -2**63, 2**64 - 1, 2**53 + 1, rng.randrange(-2**63, 2**64)])
    number = rng.choice([0.0, 1.5, -1e-300, 1e300, 5e-324, "Infinity", "-Infinity", rng.uniform(-1e9, 1e9), 3.0])
    time = rng.choice(["2024-02-29T23:59:59.999999Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", -2**63, 2**63 - 1,
                       rng.randrange(-2**60, 2**60)])
    key = [rng.choice([True, False]), integer, number, bytes_json(rng.choice(BYTES)), rng.choice(TEXTS),
           "%08x-0000-4000-8000-%012x" % (rng.getrandbits(32), rng.getrandbits(48)), time]
    key = [None if rng.random() < 0.1 else field for field in key]
    return key + [[], [rng.choice(TEXTS)], [None, rng.choice([None, -5, 2**64 - 1])]][rng.randrange(3)]


def every_store(box, count=400, seed=7):
    rng = random.Random(seed)
    box.run("create", box.db, "every", "--schema", json.dumps(EVERY))
    lines = "".join(json.dumps({"key": random_key(rng), "value": bytes_json(rng.choice(BYTES))}) + "\n" for _ in range(count))
    box.run("import", box.db, "every", stdin=lines)


def raw_store(box):
    box.run("create", box.db, "raw")
    both = BYTES + [text.encode() for text in TEXTS]
    lines = "".join(json.dumps({"key": bytes_json(key), "value": bytes_json(both[-1 - i])}) + "\n" for i, key in enumerate(both))
    box.run("import", box.db, "raw", stdin=lines)


def hexadecimal(box, store):
    return box.run("scan", box.db, store, "-o", "hex").out


@case
def json_values_come_back_as_they_were_or_are_not_exported(box):
    values = ['{"a":[1,null]}', '"text"', "1.50", "null", '{"hex":"00ff"}', '{"json":1}']
    for form in ("jsonl", "csv"):
        box.run("create", box.db, form)
        for i, value in enumerate(values):
            box.run("put", box.db, form, i, "--file", box.path("value", value))
        file = box.folder / f"json.{form}"
        box.run("export", box.db, form, file, "--values", "json")
        box.run("import", box.db, f"{form} again", file, "--create", "--values", "json")
        equal(hexadecimal(box, f"{form} again"), hexadecimal(box, form))
        for stray in ("text", "", "\x01"):
            box.run("put", box.db, form, "stray", "--file", box.path("stray", stray))
            file = box.folder / "stray.out"
            contains(box.run("export", box.db, form, file, "--values", "json", code=2).err, f"item {len(values) + 1} is no JSON")
            assert not file.exists()


@case
def what_export_writes_import_reads_in_both_formats(box):
    every_store(box)
    raw_store(box)
    for store in ("every", "raw"):
        for form in ("jsonl", "csv"):
            file, copy = box.folder / f"{store}.{form}", f"{store} {form}"
            box.run("export", box.db, store, file)
            schema = ["--schema", json.dumps(EVERY)] if store == "every" else []
            box.run("import", box.db, copy, file, "--create", *schema)
            equal(hexadecimal(box, copy), hexadecimal(box, store), copy)
            equal(box.run("export", box.db, copy, "--format", form).stdout, file.read_bytes(), copy)


@case
def what_export_writes_as_json_values_import_reads(box):
    box.run("create", box.db, "s")
    box.run("import", box.db, "s", "--values", "json", stdin='{"key":"a","value":{"x":[1,2.50,null]}}\n{"key":"b","value":"t"}\n')
    equal(box.run("get", box.db, "s", "a", "-o", "raw").out, '{"x":[1,2.50,null]}')
    equal(box.run("get", box.db, "s", "b", "-o", "raw").out, '"t"')
    for form in ("jsonl", "csv"):
        out = box.run("export", box.db, "s", "--format", form, "--values", "json").out
        box.run("import", box.db, form, "--create", "--format", form, "--values", "json", stdin=out)
        equal(hexadecimal(box, form), hexadecimal(box, "s"))


@case
def what_scan_prints_get_takes(box):
    """Each key as it is printed names its item; so do the bare words of keys without a schema."""
    every_store(box, 40)
    raw_store(box)
    for line in box.run("scan", box.db, "every").out.splitlines():
        key = line[len('{"key":'):json.JSONDecoder().raw_decode(line, len('{"key":'))[1]]
        equal(box.run("get", box.db, "every", key, "-o", "jsonl").out.rsplit(',"version"')[0] + "}", line)
    for row in csv.DictReader(io.StringIO(box.run("scan", box.db, "raw", "-o", "csv").stdout.decode(), newline="")):
        if "\0" not in row["key"]:
            found = box.run("get", "-o", "csv", box.db, "raw", "--", row["key"])
            got = next(csv.DictReader(io.StringIO(found.stdout.decode(), newline="")))
            equal((got["key"], got["value"]), (row["key"], row["value"]))


@case
def large_integers_and_times_are_exact(box):
    box.run("create", box.db, "n", "--schema", '{"v":1,"sort":[{"n":"i","t":"int"},{"n":"t","t":"ts"}]}')
    for number in (2**53 + 1, 2**63 - 1, 2**64 - 1, -2**63):
        box.run("put", box.db, "n", f'[{number},"2024-05-01T10:00:00.000001+02:00"]', "v")
    lines = box.run("scan", box.db, "n").out.splitlines()
    equal(lines[0], '{"key":[-9223372036854775808,"2024-05-01T08:00:00.000001Z"],"value":"v"}')
    equal(lines[3], '{"key":[18446744073709551615,"2024-05-01T08:00:00.000001Z"],"value":"v"}')
    contains(box.run("scan", box.db, "n", "--safe-ints").out, '[{"int":"18446744073709551615"},')
    contains(box.run("put", box.db, "n", f'[{2**64},0]', "v", code=2).err, "SCHEMA")


@case
def every_format_of_one_store(box):
    box.run("create", box.db, "s", "--schema", '{"v":1,"sort":[{"n":"name","t":"str"},{"n":"n","t":"int"}]}')
    box.run("put", box.db, "s", '["b\\tb",20]', '{"hex":"00"}')
    box.run("put", box.db, "s", '["a,a",null]', "x\ny")
    scan = lambda form: box.run("scan", box.db, "s", "-o", form).out
    equal(scan("table"), "name   n  value\na,a       x\\ny\nb\\tb  20  \\x00\n")
    equal(json.loads(scan("json")), [{"key": ["a,a", None], "value": "x\ny"}, {"key": ["b\tb", 20], "value": {"hex": "00"}}])
    equal(scan("jsonl"), '{"key":["a,a",null],"value":"x\\ny"}\n{"key":["b\\tb",20],"value":{"hex":"00"}}\n')
    equal(box.run("scan", box.db, "s", "-o", "csv").stdout, b'name,n,value\r\n"a,a",,"x\ny"\r\nb\tb,20,"{""hex"":""00""}"\r\n')
    equal(scan("raw"), "x\ny\n\0\n")
    lines = scan("hex").splitlines()
    equal([line.split("\t")[1] for line in lines], [b"x\ny".hex(), "00"])


@case
def an_empty_answer_is_well_formed(box):
    box.run("create", box.db, "s")
    equal([box.run("scan", box.db, "s", "-o", form).out for form in ("table", "json", "jsonl", "csv", "raw", "hex")],
          ["key  value\n", "[]\n", "", "key,value\r\n", "", ""])


@case
def one_thing_is_an_object_and_not_a_list(box):
    box.run("create", box.db)
    equal(json.loads(box.run("info", box.db, "-o", "json").out)["backend"], "inredfs")
    contains(box.run("info", box.db, "-o", "table").out, "backend                inredfs\n")
    contains(box.run("info", box.db, "-o", "raw").out, "backend\tinredfs\n")
    equal(len(box.run("info", box.db, "-o", "csv").out.splitlines()), 2)


@case
def a_long_table_keeps_its_columns(box):
    lines = "".join(json.dumps({"key": f"{i:05}", "value": "v" * (i % 7)}) + "\n" for i in range(1000))
    box.run("import", box.db, "s", "--create", stdin=lines)
    out = box.run("scan", box.db, "s", "-o", "table").out.splitlines()
    equal(len(out), 1001)
    assert all(line[5:7] == "  " for line in out[1:]), out[:5]


@case
def colours_only_where_they_are_wanted(box):
    box.run("create", box.db, "s")
    assert "\033" not in box.run("stores", box.db, "-o", "table").out
    contains(box.run("stores", box.db, "-o", "table", "--color", "always").out, "\033[1m")
    assert "\033" not in box.run("stores", box.db, "-o", "json", "--color", "always").out


main()
