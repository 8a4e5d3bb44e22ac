"""Every exit code, what bad input is told, and that data and talk do not mix."""
import json
import os
import re
import signal
import subprocess
import time

from sopctl import SOPCTL, WAIT_SECONDS, case, contains, equal, main


def hold(box):
    """A process that has the database open, until its standard input ends."""
    holder = box.start("shell", box.db)
    holder.stdin.write(b"stores -o raw\n")
    holder.stdin.flush()
    holder.stdout.readline()
    return holder


def fill(box, items=50000):
    lines = "".join(json.dumps({"key": f"{i:08}", "value": "x" * 50}) + "\n" for i in range(items))
    box.run("import", box.db, "s", "--create", stdin=lines)


@case
def usage_is_2(box):
    box.run("create", box.db, "s")
    box.run("create", box.db, "n", "--schema", '{"v":1,"sort":[{"n":"i","t":"int"},{"n":"s","t":"str"}]}')
    for words, part in ((["scan"], "too few"), (["scan", box.db], "too few"), (["scan", box.db, "s", "x"], "too many"),
                        (["scan", box.db, "s", "--limit"], "needs a value"), (["scan", box.db, "s", "--limit", "x"], "integer"),
                        (["scan", box.db, "s", "--limit", "-1"], "integer"), (["scan", box.db, "s", "-o", "xml"], "one of"),
                        (["scan", box.db, "s", "--keys=yes"], "no value"), (["scan", box.db, "s", "--lim", "1"], "no option"),
                        (["put", box.db, "n", "5", "v"], "SCHEMA"), (["put", box.db, "n", '["x","y"]', "v"], "SCHEMA"),
                        (["put", box.db, "n", "[1,", "v"], "JSON"), (["put", box.db, "n", '[1,"a","b"]', "v"], "SCHEMA"),
                        (["scan", box.db, "n", "--prefix", "text"], "SCHEMA"), (["put", box.db, "s", "k" * 70000, "v"], "LIMIT"),
                        (["create", box.db, "t", "--schema", "{}"], "SCHEMA"), (["stores", "inmemory:?x=y"], "MISUSE"),
                        (["import", box.db, "s", "--key", "a,b"], "--key"), (["import", box.db, "s", "--duplicates"], "--create")):
        result = box.run(*words, code=2)
        contains(result.err, part)
        equal(result.stdout, b"", words)
        assert result.err.startswith("sopctl "), result.err


@case
def corrupt_is_4_and_names_the_file(box):
    fill(box, 2000)
    box.run("gc", box.db)
    manifest = box.folder / "db" / "MANIFEST"
    content = bytearray(manifest.read_bytes())
    content[len(content) // 2] ^= 0xFF
    manifest.write_bytes(content)
    contains(box.run("scan", box.db, "s", code=4).err, "MANIFEST")
    contains(box.run("doctor", box.db, code=5).out, "MANIFEST")
    manifest.unlink()
    for words in (["scan", box.db, "s"], ["verify", box.db], ["create", box.db]):
        result = box.run(*words, code=4)
        contains(result.out + result.err, "MANIFEST is missing")
    contains(box.run("doctor", box.db, code=5).out, "MANIFEST is missing")
    box.path("db/tmp/creating", "")  # the process that was making it was killed: it has never been one
    box.run("scan", box.db, "s", code=1)


@case
def files_too_many_are_no_damage(box):
    fill(box, 100)
    equal(json.loads(box.run("exec", box.db, stdin='{"verify":true}\n').out)["problems"], [])
    box.path("db/notes.txt", "somebody's")
    (box.folder / "db" / "blobs" / "07").mkdir()
    box.path("db/blobs/07/0000000000000707.pack", "of a crash")
    (box.folder / "db" / "blobs" / "photos").mkdir()
    kinds = [json.loads(line)["kind"] for line in box.run("verify", box.db).out.splitlines()]
    equal(kinds, ["unknown", "unknown"])  # what a crash has left is no problem to one that only reads
    told = box.run("verify", box.db, "-o", "table").out
    contains(told, "no damage; nothing refers to what is listed above (2)")
    assert "no problems" not in told, told
    contains(re.sub(r"\s+", " ", box.run("verify", "--help").out), "is no damage")
    problems = json.loads(box.run("exec", box.db, stdin='{"verify":true}\n').out)["problems"]
    equal([problem["kind"] for problem in problems], ["unknown", "unknown"])


@case
def a_full_output_is_5(box):
    if not os.path.exists("/dev/full"):
        return
    fill(box, 5000)
    with open("/dev/full", "wb") as full:
        for words in (["scan", box.db, "s"], ["stores", box.db], ["info", box.db], ["help"], ["man"], ["get", box.db, "s", "00000001", "-o", "raw"]):
            done = subprocess.run([SOPCTL, *words], stdout=full, stderr=subprocess.PIPE, timeout=WAIT_SECONDS)
            equal(done.returncode, 5, words)
            contains(done.stderr.decode(), "could not be written")
    equal(box.run("export", box.db, "s", "/dev/full", code=1).stdout, b"")  # it is there already


@case
def a_reader_that_goes_away_is_no_error(box):
    fill(box)
    for words in (["scan", box.db, "s"], ["dump", box.db], ["export", box.db, "s"]):
        printing = box.start(*words)
        printing.stdout.readline()
        printing.stdout.close()
        equal((printing.wait(WAIT_SECONDS), printing.stderr.read()), (0, b""), words)


@case
def an_interrupt_ends_a_check_that_finds_nothing(box):
    fill(box, 300000)
    for wait in (0.4, 0.2, 0.1, 0.05):  # until it comes before the end, and after the beginning
        checking = box.start("verify", box.db)
        time.sleep(wait)
        checking.send_signal(signal.SIGINT)
        out, err = checking.communicate(timeout=WAIT_SECONDS)
        if checking.returncode not in (0, -signal.SIGINT):
            break
    equal((checking.returncode, out, err), (130, b"", b""))
    equal(box.run("verify", box.db).stdout, b"")


@case
def messages_name_no_functions(box):
    box.run("create", box.db, "s")
    box.run("create", box.db, "n", "--schema", '{"v":1,"sort":[{"n":"i","t":"int"}]}')
    requests = ({"ops": [{"op": "get", "store": "x", "key": "a"}]}, {"mode": "read", "ops": [{"op": "put", "store": "s", "key": "a", "value": ""}]},
                {"mode": "read", "ops": [{"op": "create", "store": "t"}]}, {"ops": [{"op": "create", "store": "t", "node_items": 1}]},
                {"ops": [{"op": "create", "store": "t" * 300}]}, {"deadline_ms": 10 ** 15, "ops": []},
                {"ops": [{"op": "put", "store": "s", "key": "a" * 70000, "value": ""}]}, {"ops": [{"op": "put", "store": "n", "key": [], "value": ""}]},
                {"session": "a", "begin": {"deadline_ms": 1}}, {"session": "b", "ops": []}, {"ops": [{"op": "add", "store": "s", "key": "a", "by": 1}]})
    said = box.run("exec", box.db, stdin="".join(json.dumps(request) + "\n" for request in requests)).out
    broken = '{"store":"m","unique":true,"schema":{"v":1,"sort":[{"n":"i","t":"int"}]},"count":1}\n{"k":"ff","v":""}\n'
    for words in (["info", box.db + "/none"], ["get", box.db, "x", "k"], ["schema", box.db, "x"], ["stores", ""], ["stores", "inmemory:?x=1"],
                  ["stores", "inredfs:" + box.db + "?cache_bytes=1"], ["stores", "inredfs:" + box.db + "?create=x"],
                  ["stores", "inredfs:" + box.db + "?durability=x"], ["stores", "inmemory:x"], ["stores", "inredcfs:x"], ["stores", "x" * 5000],
                  ["restore", box.folder, box.db + "2"], ["backup", box.db, box.folder], ["backup", "inmemory:", box.db + "2"],
                  ["create", box.db, "t", "--node-items", 1], ["create", box.db, "t", "--schema", "{"], ["create", box.db, "x" * 300],
                  ["put", box.db, "n", "[]", "v"], ["put", box.db, "n", "x", "v"], ["put", box.db, "s", "k" * 70000, "v"],
                  ["rename", box.db, "s", "n"], ["drop", box.db, "x", "--yes"], ["top", box.db, "-n", 1], ["top", box.db + "/none", "-n", 1],
                  ["scan", box.db, "n", "--prefix", "[1,2]"], ["load", box.db], ["doctor", box.db + "/none"], ["verify", box.db + "/none"]):
        result = box.run(*words, code=None, stdin=broken)
        assert result.returncode != 0, result
        said += result.err + result.out
    found = re.findall(r".*(?:\bsopi?_|\bSOP_|\bsop/).*", said)
    assert not found, "\n".join(found)


@case
def locked_is_6_and_names_the_holder(box):
    box.run("create", box.db, "s")
    holder = hold(box)
    for words in (["scan", box.db, "s"], ["put", box.db, "s", "k", "v"], ["gc", box.db], ["import", box.db, "s"]):
        contains(box.run(*words, code=6).err, str(holder.pid))
    equal(box.run("doctor", box.db, code=None).rows[-1]["verdict"], "ok")
    for command in ("info", "stats"):  # these read what the holder tells
        told = box.run(command, box.db)
        equal(told.row["stores"], 1)
        contains(told.err, f"process {holder.pid} has it open")
    holder.stdin.close()
    equal(holder.wait(WAIT_SECONDS), 0)
    box.run("scan", box.db, "s")


@case
def refused_is_7(box):
    box.run("create", box.db, "s")
    box.run("drop", box.db, "s", code=7)
    contains(box.run("stores", "inredcfs:x", code=7).err, "UNSUPPORTED")
    box.run("completion", "fish", code=7)


@case
def interrupted_is_130_and_loses_nothing_that_was_committed(box):
    box.run("create", box.db, "s")
    importing = box.start("import", box.db, "s", "--batch", "10")
    for i in range(10):
        importing.stdin.write(b'{"key":"%d","value":"x"}\n' % i * 1)
    importing.stdin.flush()  # it waits for more
    time.sleep(0.5)
    importing.send_signal(signal.SIGINT)
    equal(importing.wait(WAIT_SECONDS), 130)
    contains(importing.stderr.read().decode(), "interrupted; run it again")
    assert box.run("count", box.db, "s").row["count"] in (0, 10)


@case
def what_was_done_before_the_interrupt_came_is_not_called_interrupted(box):
    fill(box, 100000)
    for wait in (0.02, 0.1, 0.2, 0.3, 0.5):
        removing = box.start("del", box.db, "s", "--all", "--yes")
        time.sleep(wait)
        removing.send_signal(signal.SIGINT)
        out, err = removing.communicate(timeout=WAIT_SECONDS)
        left = box.run("count", box.db, "s").row["count"]
        done = removing.returncode == 0
        assert (removing.returncode, bool(out), left) in ((0, True, 0), (130, False, 100000), (-signal.SIGINT, False, 100000)), \
            (wait, removing.returncode, out, err, left)
        if done:
            break


@case
def terminated_is_130_too(box):
    fill(box)
    scanning = box.start("scan", box.db, "s")
    scanning.stdout.readline()  # it is running, and soon waits for the pipe
    scanning.send_signal(signal.SIGTERM)
    scanning.stdout.read()
    equal(scanning.wait(WAIT_SECONDS), 130)


@case
def keys_that_begin_with_a_dash_go_behind_two(box):
    box.run("create", box.db, "s")
    contains(box.run("put", box.db, "s", "-k", "v", code=2).err, "--")
    box.run("put", box.db, "s", "--", "-k", "--v")
    equal(box.run("get", box.db, "s", "-o", "raw", "--", "-k").out, "--v")


@case
def secrets_of_a_url_are_not_told(box):
    result = box.run("stores", "inredfs:/nowhere?redis=redis://:secret@host", code=2)
    assert "secret" not in result.err + result.out, result
    box.run("create", box.db)
    url = f"inredfs:{box.db}?cache_bytes=33554432"  # stands for one: what is behind ? is not shown
    for words in (["info", url], ["create", url], ["scan", url, "nothing"], ["top", url, "-n", 1]):
        result = box.run(*words, code=None)
        assert "cache_bytes=" not in result.err + result.out, result


main()
