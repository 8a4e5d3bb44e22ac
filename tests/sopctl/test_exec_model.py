"""Random transactions through `sopctl exec`, each answer compared with a model: plain lists in order of keys.

Closing, killing and opening again are among the operations. A difference prints the seed."""
import copy
import random

from sopctl import SCALE, SEED, Case, main, op

SCHEMA = {"v": 1, "sort": [{"n": "a", "t": "str"}, {"n": "b", "t": "int", "desc": True}],
          "ride": [{"n": "r", "t": "bool", "default": False}]}
NOT_FOUND, EXISTS = {"status": "NOT_FOUND"}, {"status": "EXISTS"}


class Store:
    """What a store holds: rows of [order, key, item, value], sorted; ride-along fields are in the key."""

    def __init__(self, unique, typed):
        self.unique, self.typed, self.rows = unique, typed, []

    def order(self, key):
        return (key[0].encode(), -key[1]) if self.typed else key.encode()

    def whole(self, key):
        return key if not self.typed or len(key) == 3 else key + [False]

    def of(self, key, item=None):
        """The rows of a key, oldest first, or the one with this item."""
        return [row for row in self.rows if row[0] == self.order(key) and item in (None, row[2])]

    def add(self, key, value, item):
        self.rows.append([self.order(key), self.whole(key), item, value])
        self.rows.sort(key=lambda row: (row[0], row[2]))

    def inside(self, bounds):
        rows = self.rows
        if "from" in bounds:
            rows = [row for row in rows if row[0] >= self.order(bounds["from"])]
        if "after" in bounds:
            after = self.order(bounds["after"])
            rows = [row for row in rows if row[0] > after or (row[0] == after and "after_item" in bounds and
                                                               row[2] > bounds["after_item"])]
        if "to" in bounds:
            rows = [row for row in rows if row[0] < self.order(bounds["to"])]
        if "prefix" in bounds:
            prefix = bounds["prefix"]
            rows = [row for row in rows if (row[1][0] == prefix[0] if self.typed else row[1].startswith(prefix))]
        return rows


class Model(Case):
    def setUp(self):
        super().setUp()
        self.dice = random.Random(SEED)
        self.path = self.folder / "db"
        self.db = self.exec(self.path, "--create")
        self.state = {"raw": Store(True, False), "typed": Store(True, True), "raws": Store(False, False),
                      "typeds": Store(False, True)}
        self.ok(self.db, *[op("create", name, unique=store.unique, node_items=4, **({"schema": SCHEMA} if store.typed else {}))
                           for name, store in self.state.items()])

    def key(self, store, ride=False):
        word = "".join(self.dice.choice("abc") for _ in range(self.dice.randrange(1, 4)))
        if not store.typed:
            return word
        return [word[0], self.dice.randrange(-3, 4)] + ([self.dice.random() < 0.5] if ride else [])

    def bounds(self, store):
        made = {}
        if self.dice.random() < 0.3:
            made["prefix"] = ["b"] if store.typed else self.key(store)[0]
        else:
            if self.dice.random() < 0.4:
                made["from"] = self.key(store)
            if self.dice.random() < 0.4:
                made["to"] = self.key(store)
        if "from" not in made and self.dice.random() < 0.4:
            made["after"] = self.key(store)
            rows = store.of(made["after"])
            if not store.unique and rows and self.dice.random() < 0.5:
                made["after_item"] = self.dice.choice(rows)[2]
        return made

    def put(self, name, store):
        key, value = self.key(store, ride=store.typed and self.dice.random() < 0.5), str(self.dice.randrange(1000))
        if not store.unique or self.dice.random() < 0.4:
            taken = store.unique and store.of(key)

            def check(entry):
                if taken:
                    self.assertEqual(entry, EXISTS)
                else:
                    store.add(key, value, entry.get("item", 0))
            return op("insert", name, key, value), check

        def check_put(entry):
            self.assertEqual(entry, {})
            store.rows = [row for row in store.rows if row[0] != store.order(key)]
            store.add(key, value, 0)
        return op("put", name, key, value), check_put

    def one_item(self, name, store):
        what, key = self.dice.choice(["get", "update", "remove"]), self.key(store)
        rows = store.of(key)
        more = {"item": self.dice.choice(rows)[2]} if not store.unique and rows and self.dice.random() < 0.6 else {}
        row = (store.of(key, more["item"]) if more else rows)[:1]
        value = str(self.dice.randrange(1000))

        def check(entry):
            if not row:
                self.assertEqual(entry, NOT_FOUND)
            elif what == "get":
                self.assertEqual((entry["value"], entry.get("key")), (row[0][3], row[0][1] if store.typed else None))
            else:
                self.assertEqual(entry, {})
                if what == "update":
                    row[0][3] = value
                else:
                    store.rows.remove(row[0])
        return op(what, name, key, **more, **({"value": value} if what == "update" else {})), check

    def range(self, name, store):
        what, bounds = self.dice.choice(["scan", "scan", "count", "remove_range"]), self.bounds(store)
        rows = store.inside(bounds)
        if what == "count":
            return op(what, name, **bounds), lambda entry: self.assertEqual(entry, {"count": len(rows)})
        if what == "remove_range":
            def check(entry):
                self.assertEqual(entry, {"removed": len(rows)})
                store.rows = [row for row in store.rows if not any(row is other for other in rows)]
            return op(what, name, **bounds), check
        keys_only, reverse = self.dice.random() < 0.5, self.dice.random() < 0.5
        limit = self.dice.choice([None, 0, 1, 3, 100])
        shown = [[row[1], *([] if keys_only else [row[3]]), *([] if store.unique else [row[2]])] for row in rows]
        shown = [item[0] if len(item) == 1 else item for item in (shown[::-1] if reverse else shown)]
        expected = {"items": shown[:limit], "more": limit is not None and len(shown) > limit}
        return (op(what, name, **bounds, keys_only=keys_only, reverse=reverse, **({} if limit is None else {"limit": limit})),
                lambda entry: self.assertEqual(entry, expected))

    def run_one(self, run, work, savepoints):
        """One random operation on the copy `work` of the state, its entry compared."""
        dice = self.dice.random()
        if dice < 0.05:
            name = self.dice.choice("pq")
            savepoints.append((name, copy.deepcopy(work)))
            self.assertEqual(run(op("savepoint", name=name)), {})
        elif dice < 0.1 and savepoints:
            name = self.dice.choice([name for name, _ in savepoints])
            self.assertEqual(run(op("rollback_to", name=name)), {})
            while savepoints[-1][0] != name:
                savepoints.pop()
            work.clear()
            work.update(copy.deepcopy(savepoints[-1][1]))
        else:
            name = self.dice.choice(list(work))
            make = self.dice.choice([self.put, self.put, self.one_item, self.one_item, self.range])
            request, check = make(name, work[name])
            check(run(request))

    def transaction(self):
        """A session of random operations, each compared at once, which commits or not."""
        self.assertEqual(self.db.ask(session="x", begin={})["status"], "OK")
        work, savepoints = copy.deepcopy(self.state), []

        def run(request):
            answer = self.db.ask(session="x", ops=[request])
            self.assertEqual(answer["status"], "OK", (request, answer))
            return answer["results"][0]
        for _ in range(self.dice.randrange(1, 25)):
            self.run_one(run, work, savepoints)
        end = "commit" if self.dice.random() < 0.8 else "rollback"
        self.assertEqual(self.db.ask({"session": "x", end: True})["status"], "OK")
        if end == "commit":
            self.state = work

    def reopen(self):
        if self.dice.random() < 0.5:
            self.db.kill()
        else:
            self.assertEqual(self.db.close(), (0, b""))
        self.db = self.exec(self.path)

    def test_answers_are_those_of_the_model(self):
        for _ in range(int(250 * SCALE) + 20):
            self.transaction()
            dice = self.dice.random()
            if dice < 0.03:
                self.reopen()
            elif dice < 0.06:
                self.assertEqual(self.db.ask({self.dice.choice(["checkpoint", "gc", "sync"]): True})["status"], "OK")
        self.reopen()
        for name, store in self.state.items():
            items = self.ok(self.db, op("scan", name))[0]["items"]
            self.assertEqual(items, [[row[1], row[3]] + ([] if store.unique else [row[2]]) for row in store.rows])
        self.assertEqual(self.db.ask(verify=True)["problems"], [])


if __name__ == "__main__":
    main()
