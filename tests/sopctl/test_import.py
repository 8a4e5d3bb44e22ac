"""Import: all forms of input, bad lines, and going on after a kill with nothing missing and nothing twice."""
import json
import signal
import time

from sopctl import WAIT_SECONDS, case, contains, equal, main

PAIR = '{"v":1,"sort":[{"n":"a","t":"str"},{"n":"n","t":"int"}],"ride":[{"n":"r","t":"bool","default":false}]}'


def items(box, store):
    return [(row["key"], row["value"]) for row in box.run("scan", box.db, store).rows]


@case
def objects_arrays_and_named_members(box):
    box.run("create", box.db, "s", "--schema", PAIR)
    lines = ['{"key":["a",1],"value":"v1"}', '["b",2,"v2"]', '[["c",3,true],"v3"]', '{"a":"d","n":4,"value":"v4"}',
             '{"a":"e","n":5,"r":true,"x":1.50,"y":["z"]}', "", '{"key":["f",6],"value":{"hex":"ff"}}', '{"n":7,"value":{"json":[1, 2]},"a":"g"}']
    equal(box.run("import", box.db, "s", stdin="\n".join(lines)).row["items"], 7)
    equal(items(box, "s"), [(["a", 1, False], "v1"), (["b", 2, False], "v2"), (["c", 3, True], "v3"), (["d", 4, False], "v4"),
                            (["e", 5, True], '{"x":1.50,"y":["z"]}'), (["f", 6, False], {"hex": "ff"}), (["g", 7, False], "[1,2]")])
    box.run("import", box.db, "s", "--key", "name,no", "--value", "v", stdin='{"no":1,"name":"a","v":"new"}\n')
    equal(items(box, "s")[0], (["a", 1, False], "new"))
    box.run("create", box.db, "raw")
    box.run("import", box.db, "raw", stdin='{"key":"a","value":"1"}\n["b","2"]\n')
    box.run("import", box.db, "raw", "--key", "id", stdin='{"id":"c","x":{"y":null}}\n')
    equal(items(box, "raw"), [("a", "1"), ("b", "2"), ("c", '{"x":{"y":null}}')])


@case
def csv_with_a_header(box):
    box.run("create", box.db, "s", "--schema", PAIR)
    text = 'n,a,value,r\r\n1,"x,""y""\nz",v,true\n-2,,,\n3,"","",false\n'
    equal(box.run("import", box.db, "s", box.path("in.csv", text)).row["items"], 3)
    equal(items(box, "s"), [([None, -2, None], ""), (["", 3, False], ""), (['x,"y"\nz', 1, True], "v")])
    box.run("create", box.db, "rest")
    box.run("import", box.db, "rest", "-f", "csv", "--key", "id", stdin='id,name,age\n1,ann,30\n2,"",\n')
    equal(items(box, "rest"), [("1", '{"name":"ann","age":"30"}'), ("2", '{"name":"","age":null}')])
    box.run("create", box.db, "bytes")
    box.run("import", box.db, "bytes", "-f", "csv", stdin=b"key,value\nnul\0nul,\xff\0\n")
    equal(items(box, "bytes"), [({"hex": b"nul\0nul".hex()}, {"hex": "ff00"})])
    contains(box.run("import", box.db, "rest", "-f", "csv", stdin="a,b\n1,2\n", code=2).err, "'key'")
    contains(box.run("import", box.db, "rest", "-f", "csv", stdin="", code=2).err, "empty")


@case
def a_byte_order_mark_belongs_to_no_name_and_no_line(box):
    box.run("create", box.db, "s", "--schema", PAIR)
    lines = b"\xef\xbb\xbfa,n,value\r\nx,1,v\r\n"
    equal(box.run("import", box.db, "s", box.path("in.csv", lines)).row["bytes"], len(lines))
    box.run("import", box.db, "s", stdin=b'\xef\xbb\xbf["y",2,"\xef\xbb\xbfw"]\n')
    equal(items(box, "s"), [(["x", 1, False], "v"), (["y", 2, False], "\ufeffw")])


@case
def a_bad_line_is_named_and_what_stands_before_it_is_there(box):
    lines = ['{"key":"a","value":"1"}', '{"key":"b","value":"2"}', '{"key":"c"', '{"key":"d","value":"4"}']
    file = box.path("in.jsonl", "\n".join(lines))
    contains(box.run("import", box.db, "s", file, "--create", code=2).err, "in.jsonl:3:")
    equal(items(box, "s"), [("a", "1"), ("b", "2")])
    lines[2] = '{"key":"c","value":"3"}'
    box.path("in.jsonl", "\n".join(lines))
    row = box.run("import", box.db, "s", file).row  # goes on with the line that was put right
    equal((row["items"], row["resumed_at"]), (4, len("\n".join(lines[:2])) + 1))
    equal([key for key, _ in items(box, "s")], ["a", "b", "c", "d"])
    equal(box.run("stores", box.db, "-o", "raw").out, "s\n")


@case
def every_kind_of_bad_line(box):
    box.run("create", box.db, "s", "--schema", PAIR)
    bad = ["x", "1", '"s"', "[]", '["a"]', '["a","b","v"]', '{"a":"x"}', '{"a":"x","n":1,"n":2}', '{"key":["a"],"value":"v"}',
           '{"key":["a",1],"value":7}', '{"key":["a",1.5],"value":"v"}', '{"key":["a",1]} x', '{"key":["a",18446744073709551616],"value":"v"}',
           "[" * 100 + "]" * 100, b'{"key":["\xff",1],"value":"v"}', '{"key":["' + "k" * 70000 + '",1],"value":"v"}']
    lines = b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in bad)
    result = box.run("import", box.db, "s", "--skip-bad", stdin=lines + b'{"key":["a",1],"value":"v"}\n')
    equal((result.row["items"], result.row["bad"]), (1, len(bad)))
    for number in range(1, len(bad) + 1):
        contains(result.err, f"standard input:{number}:")
    quotes = 'a,n,value\n"x"y,1,v\n"x,1,v\nstill'
    equal(box.run("import", box.db, "s", "-f", "csv", "--skip-bad", stdin=quotes).row["bad"], 2)
    row = box.run("import", box.db, "s", "-f", "csv", "--skip-bad", stdin='a,n,value\nx,1\nx,y,v\nx,1,v,w\nz"z,1,v\nq,9,v\n').row
    equal((row["items"], row["bad"]), (1, 4))


@case
def a_killed_import_goes_on_with_nothing_missing_and_nothing_twice(box):
    """Killed again and again, into a store that would keep everything twice."""
    count = 60000
    lines = b"".join(b'{"key":"%d","value":"%d"}\n' % (i % 97, i) for i in range(count))
    file = box.path("in.jsonl", lines)
    box.run("create", box.db, "log", "--duplicates")
    ended = False
    for delay in (0.05, 0.1, 0.02, 0.15, 0.08, 0.2):
        importing = box.start("import", box.db, "log", file, "--batch", "500")
        time.sleep(delay)
        importing.send_signal(signal.SIGKILL)
        importing.wait(WAIT_SECONDS)
        ended = box.run("count", box.db, "log").row["count"] == count
        if ended:
            break  # before its kill, which may have come between its last commit and its exit
    if not ended:
        equal(box.run("import", box.db, "log", file, "--batch", "500").row["items"], count)
    found = sorted(int(row["value"]) for row in box.run("scan", box.db, "log").rows)
    equal(found, list(range(count)))
    equal(box.run("stores", box.db, "-o", "raw").out, "log\n")


@case
def an_interrupted_import_goes_on_from_a_pipe(box):
    box.run("create", box.db, "log", "--duplicates")
    lines = [b'{"key":"k","value":"%d"}\n' % i for i in range(1000)]
    first = box.start("import", box.db, "log", "--batch", "100")
    first.stdin.write(b"".join(lines[:550]))
    first.stdin.flush()
    time.sleep(0.2)  # for some of the transactions; how many is of no matter
    first.send_signal(signal.SIGKILL)
    first.wait(WAIT_SECONDS)
    row = box.run("import", box.db, "log", stdin=b"".join(lines)).row
    equal(row["items"], 1000)
    equal([int(row["value"]) for row in box.run("scan", box.db, "log").rows], list(range(1000)))


@case
def another_input_is_not_taken_for_the_rest(box):
    box.run("create", box.db, "log", "--duplicates")
    box.run("import", box.db, "log", stdin='{"key":"a","value":"1"}\nbad\n', code=2)
    contains(box.run("import", box.db, "log", stdin='{"key":"b","value":"1"}\n{"key":"c","value":"1"}\n', code=2).err, "--restart")
    contains(box.run("import", box.db, "log", stdin="", code=2).err, "--restart")
    equal(box.run("import", box.db, "log", "--restart", stdin='{"key":"b","value":"1"}\n').row["items"], 1)
    equal([key for key, _ in [(row["key"], 0) for row in box.run("scan", box.db, "log").rows]], ["a", "b"])
    equal(box.run("stores", box.db, "-o", "raw").out, "log\n")


@case
def two_stores_may_wait_at_once(box):
    for store in ("a", "b"):
        box.run("create", box.db, store)
        box.run("import", box.db, store, stdin='["k","1"]\nbad\n', code=2)
    box.run("import", box.db, "a", stdin='["k","1"]\n["l","2"]\n')
    equal(box.run("stores", box.db, "-o", "raw").out, "a\nb\nsopctl.import\n")
    box.run("import", box.db, "b", stdin='["k","1"]\n["l","2"]\n')
    equal(box.run("stores", box.db, "-o", "raw").out, "a\nb\n")


@case
def progress_goes_to_standard_error_and_not_with_quiet(box):
    box.run("create", box.db, "s")
    lines = "".join(json.dumps([f"{i}", "v"]) + "\n" for i in range(1000))
    equal(box.run("import", box.db, "s", "--quiet", stdin=lines).err, "")
    equal(box.run("import", box.db, "s", stdin=lines).row["items"], 1000)


main()
