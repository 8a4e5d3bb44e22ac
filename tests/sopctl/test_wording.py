"""What commands say is for people at a terminal: no message names a function or a constant of the C interface."""
import itertools
import json
import re

from sopctl import case, contains, equal, main, sopctl

OF_C = re.compile(r"\bsopi?_\w|\bSOP_\w")

SCHEMA = {"v": 1, "sort": [{"n": "i", "t": "int"}, {"n": "s", "t": "str"}], "ride": [{"n": "r", "t": "bool", "default": False}]}
STORES = ("plain", "many", "typed", "none", "", "\u0001", "n" * 256, 5)
KEYS = ("a", "", "k" * 70000, {"hex": "00"}, {"hex": "zz"}, 5, None, [1, "x"], ["x", 1], [1], [1, "x", True], [1, "x", True, 2],
        [2 ** 64, "x"], [1.5, "x"], [], {"json": 1})
MORE = {"put": ({"value": "v"}, {"value": 5}), "insert": ({"value": "v"},), "update": ({"value": "v"}, {"value": "v", "item": 7}),
        "get": ({}, {"item": 7}), "remove": ({}, {"item": 7}), "add": ({"by": 1}, {"by": 2 ** 63}), "min": ({"to": 1},)}
BOUNDS = ("from", "to", "after", "prefix")


def requests():
    """Requests most of which are wrong in some way."""
    yield {"ops": [{"op": "create", "store": "plain"}, {"op": "create", "store": "many", "unique": False},
                   {"op": "create", "store": "typed", "schema": SCHEMA}]}
    for store, key in itertools.product(STORES, KEYS):
        for what, variants in MORE.items():
            for mode, more in itertools.product(("write", "read"), variants):
                yield {"mode": mode, "ops": [dict({"op": what, "store": store, "key": key}, **more)]}
        for what, bound in itertools.product(("scan", "count", "remove_range"), BOUNDS):
            yield {"ops": [{"op": what, "store": store, bound: key, "after_item": 3}]}
        yield {"ops": [{"op": "rollback_to", "name": key}]}
    for members in ({"mode": "x"}, {"durability": "x"}, {"txn": "x"}, {"deadline_ms": -1}, {"deadline_ms": 2 ** 63}):
        yield dict({"ops": []}, **members)
    for what, more in itertools.product(("create", "drop", "rename", "info"), ({"node_items": 1}, {"placement": "x"}, {"to": ""}, {"to": "many"})):
        yield {"ops": [dict({"op": what, "store": "no"}, **more)]}


@case
def answers_of_exec_name_nothing_of_c(box):
    asked = list(requests())
    lines = "".join(json.dumps(request) + "\n" for request in asked)
    answers = [json.loads(line) for line in sopctl("exec", "inmemory:", stdin=lines).stdout.splitlines()]
    equal(len(answers), len(asked))
    equal({"MISUSE", "SCHEMA", "LIMIT", "READ_ONLY", "NOT_FOUND"} - {answer["status"] for answer in answers}, set())
    for request, answer in zip(asked, answers):
        found = OF_C.search(answer.get("message", ""))
        assert found is None, f"{json.dumps(request)[:200]}: {answer['message']}"


@case
def complaints_of_commands_name_nothing_of_c(box):
    box.run("create", box.db, "s")
    url = f"inredfs:{box.db}"
    for words in (["info", f"{url}?x=1"], ["info", f"{url}?node_bytes=x"], ["info", f"{url}?create=5"], ["info", f"{url}?durability=5"],
                  ["info", f"{url}?node_bytes=1"], ["info", "inredfs:"], ["info", ""], ["info", "inredcfs:x"], ["info", "/etc/passwd"],
                  ["put", f"{url}?read_only=true", "s", "a", "b"], ["gc", f"{url}?read_only=true"], ["create", box.db, "n" * 256],
                  ["create", box.db, "x", "--node-items", "1"], ["get", box.db, "none", "k"], ["rename", box.db, "none", "x"],
                  ["restore", "/etc", box.folder / "x"], ["backup", box.db, box.db], ["backup", "inmemory:", box.folder / "x"],
                  ["top", "inmemory:"], ["top", box.db], ["stats", box.folder / "none"], ["put", box.db, "s", "k" * 70000, "v"]):
        result = box.run(*words, code=None)
        assert result.returncode != 0, words
        assert OF_C.search(result.out + result.err) is None, f"{words}: {result.out}{result.err}"


@case
def the_store_is_named_however_short_its_name_is(box):
    box.run("create", box.db)
    for name in ("k", "store", "a longer one"):
        contains(box.run("count", box.db, name, code=1).err, f"(store {name})")


if __name__ == "__main__":
    main()
