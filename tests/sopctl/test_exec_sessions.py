"""Sessions, modes and isolation of `sopctl exec`: interleavings are exact with one thread, and nothing waits."""
import random
import re
import time
import uuid

from sopctl import ROOT, SCALE, SEED, Case, main, op

NOT_FOUND = {"status": "NOT_FOUND"}
DURABILITIES = ("flushed", "written", "buffered")


class Sessions(Case):
    def setUp(self):
        super().setUp()
        self.db = self.exec(self.folder / "db", "--create")
        self.ok(self.db, op("create", "s"), op("put", "s", "a", "1"), op("put", "s", "b", "1"))

    def step(self, session, *ops, **members):
        request = {"session": session, **members}
        if ops:
            request["ops"] = list(ops)
        return self.db.ask(request)

    def good(self, session, *ops, **members):
        answer = self.step(session, *ops, **members)
        self.assertEqual(answer["status"], "OK", answer)
        return answer

    def get(self, key):
        return self.ok(self.db, op("get", "s", key))[0].get("value")

    def test_parts_may_come_alone_or_together(self):
        begun = self.good("x", begin={})
        self.assertEqual(sorted(begun), ["id", "status", "txn"])
        ran = self.good("x", op("put", "s", "a", "2"), op("get", "s", "a"))
        self.assertEqual(ran["results"], [{}, {"value": "2"}])
        self.assertEqual(self.get("a"), "1")  # not yet
        committed = self.good("x", commit=True)
        self.assertEqual({begun["txn"], ran["txn"], committed["txn"]}, {begun["txn"]})
        self.assertGreater(committed["position"], 0)
        self.assertEqual(self.get("a"), "2")
        all_at_once = self.good("x", op("put", "s", "a", "3"), begin={}, commit=True)
        self.assertGreater(all_at_once["position"], committed["position"])
        self.assertEqual((all_at_once["results"], self.get("a")), ([{}], "3"))
        self.assertEqual(self.good("x", op("put", "s", "a", "4"), begin={}, rollback=True)["results"], [{}])
        self.assertEqual(self.get("a"), "3")
        self.good("x", begin={"mode": "read"}, commit=True)
        self.assertEqual(self.good("x"), {"id": None, "status": "OK"})  # nothing is asked for

    def test_what_needs_an_open_transaction_is_misuse_without(self):
        self.fails(self.step("x", op("get", "s", "a")), "MISUSE")
        self.fails(self.step("x", commit=True), "MISUSE")
        self.fails(self.step("x", op("get", "s", "a"), commit=True), "MISUSE")
        self.good("x", rollback=True)  # with none open: OK
        self.good("x", begin={})
        self.assertEqual(self.good("x", **{"ops": []})["results"], [])
        self.good("x", rollback=True)
        self.fails(self.step("x", commit=True), "MISUSE")
        self.good("x", commit=False, rollback=False)

    def test_begin_while_one_is_open_rolls_it_back(self):
        txn = self.good("x", op("put", "s", "a", "9"), begin={})["txn"]
        self.fails(self.step("x", begin={}), "MISUSE", txn=txn)
        self.fails(self.step("x", commit=True), "MISUSE")
        self.assertEqual(self.get("a"), "1")
        self.assertEqual(self.db.ask(outcome=txn)["outcome"], "NOT_COMMITTED")

    def test_a_malformed_step_rolls_back(self):
        for bad in ({"commit": True, "rollback": True}, {"x": 1}, {"ops": 1}, {"ops": [{"op": "x"}]}, {"commit": 1},
                    {"sync": True}, {"begin": {"mode": "x"}}, {"id": []},
                    {"ops": [op("put", "s", "a", "9"), {"op": "get", "store": "s"}]}):
            txn = self.good("x", op("put", "s", "a", "9"), begin={})["txn"]
            self.fails(self.step("x", **bad), "MISUSE", txn=txn)
            self.fails(self.step("x", commit=True), "MISUSE")
        for line in (b'{"session":"x","ops":[],"ops":[]}\n', b'{"session":"x","ops":[{"op":"stores","op":"stores"}]}\n'):
            self.good("x", op("put", "s", "a", "9"), begin={})
            self.fails(self.db.ask(line), "MISUSE")
            self.fails(self.step("x", commit=True), "MISUSE")
        self.good("x", op("put", "s", "a", "9"), begin={})
        self.fails(self.db.ask(b'{"session":"x",\n'), "MISUSE")  # no JSON: nobody knows whose it was
        self.good("x", rollback=True)
        self.assertEqual(self.get("a"), "1")

    def test_a_failing_operation_rolls_back(self):
        for bad, status in ((op("get", "nope", "a"), "NOT_FOUND"), (op("put", "s", {"hex": "00" * 70000}, ""), "LIMIT"),
                            (op("put", "s", 1, ""), "SCHEMA"), (op("rollback_to", name="x"), "MISUSE")):
            txn = self.good("x", op("put", "s", "a", "9"), begin={})["txn"]
            failed = self.step("x", op("get", "s", "a"), bad, op("get", "s", "a"))
            self.fails(failed, status, op=1, txn=txn)
            self.assertEqual(failed["results"], [{"value": "9"}])
            self.fails(self.step("x", commit=True), "MISUSE")
        self.assertEqual(self.get("a"), "1")

    def test_answers_do_not_end_a_transaction(self):
        answered = self.good("x", op("get", "s", "x"), op("insert", "s", "a", "9"), op("remove", "s", "x"),
                             op("create", "s"), op("drop", "x"), op("rename", "x", to="y"), op("rename", "s", to="s"),
                             op("put", "s", "c", "2"), begin={}, commit=True)
        self.assertEqual([entry.get("status") for entry in answered["results"]],
                         ["NOT_FOUND", "EXISTS", "NOT_FOUND", "EXISTS", "NOT_FOUND", "NOT_FOUND", "EXISTS", None])
        self.assertEqual(self.get("c"), "2")

    def test_session_names(self):
        for name in ("x", "\u00e9" * 127, "n" * 255, "\0", " "):
            self.good(name, begin={})
            self.good(name, rollback=True)

    def test_reads_are_validated(self):
        cases = {"a key": (op("get", "s", "a"), op("update", "s", "a", "2")),
                 "an absent key": (op("get", "s", "x"), op("put", "s", "x", "2")),
                 "a range": (op("scan", "s", prefix="q"), op("put", "s", "q1", "2")),
                 "a count": (op("count", "s"), op("insert", "s", "z", "2")),
                 "a range of a count": (op("count", "s", **{"from": "m"}), op("remove", "s", "z")),
                 "an update": (op("update", "s", "b", "5"), op("remove", "s", "b")),
                 "an insert": (op("insert", "s", "i", "5"), op("put", "s", "i", "6"))}
        for name, (read, write) in cases.items():
            with self.subTest(name):
                self.good("x", read, begin={})
                self.ok(self.db, write)
                failed = self.step("x", op("put", "s", "mine", name), commit=True)
                self.fails(failed, "CONFLICT", store="s", traits=["RETRY", "ABORT"])
                self.assertEqual(failed["results"], [{}])
                self.assertIsNone(self.get("mine"))
                self.assertEqual(self.db.ask(outcome=failed["txn"])["outcome"], "NOT_COMMITTED")
                self.fails(self.step("x", commit=True), "MISUSE")

    def test_a_conflict_names_the_key(self):
        self.ok(self.db, op("create", "t", schema={"v": 1, "sort": [{"n": "a", "t": "str"}, {"n": "b", "t": "int"}]}),
                op("put", "t", ["x", 1], "v"))
        self.good("x", op("get", "t", ["x", 1]), begin={})
        self.ok(self.db, op("put", "t", ["x", 1], "w"))
        self.fails(self.step("x", op("put", "s", "c", "1"), commit=True), "CONFLICT", store="t", key=["x", 1])
        self.good("x", op("get", "s", "a"), begin={})
        self.ok(self.db, op("put", "s", "a", "w"))
        self.fails(self.step("x", op("put", "s", "c", "1"), commit=True), "CONFLICT", store="s", key="a")

    def test_writes_without_reading_never_conflict(self):
        for one in (op("put", "s", "a", "x"), op("add", "s", "n", by=1), op("max", "s", "n", to=5)):
            self.good("x", one, begin={})
            self.good("y", one, begin={})
            self.good("y", commit=True)
            self.good("x", commit=True)
        self.good("x", op("put", "s", "a", "x"), op("get", "s", "p"), begin={})
        self.good("y", op("put", "s", "b", "y"), op("get", "s", "q"), begin={})
        self.good("y", commit=True)
        self.good("x", commit=True)

    def test_stores_that_change_conflict(self):
        self.good("x", op("put", "s", "a", "9"), begin={})
        self.ok(self.db, op("drop", "s"))
        self.fails(self.step("x", commit=True), "CONFLICT", store="s")
        self.good("x", op("create", "s"), begin={})
        self.good("y", op("create", "s"), begin={})
        self.good("x", commit=True)
        self.fails(self.step("y", commit=True), "CONFLICT")

    def test_read_modes_never_conflict_and_never_change(self):
        for mode in ("read", "snapshot"):
            begun = self.good(mode, op("scan", "s"), op("count", "s"), begin={"mode": mode})
            self.ok(self.db, op("put", "s", "new" + mode, "1"), op("update", "s", "a", mode))
            again = self.good(mode, op("scan", "s"), op("count", "s"))
            self.assertEqual(again["results"], begun["results"])
            ended = self.good(mode, commit=True)
            self.assertLess(ended["position"], self.db.ask(ops=[])["position"])
            for one in (op("put", "s", "a", "9"), op("remove", "s", "a"), op("create", "x"), op("drop", "s"),
                        op("add", "s", "n", by=1), op("remove_range", "s")):
                self.fails(self.step(mode, one, begin={"mode": mode}), "READ_ONLY", op=0)

    def test_nocheck_reads_are_not_validated(self):
        self.good("x", op("get", "s", "a"), op("scan", "s"), op("count", "s"), op("put", "s", "mine", "1"),
                  begin={"mode": "nocheck"})
        self.ok(self.db, op("put", "s", "a", "9"), op("put", "s", "q", "9"))
        self.good("x", commit=True)
        self.assertEqual(self.get("mine"), "1")

    def test_position_orders_transactions(self):
        reader = self.good("r", begin={"mode": "read"})
        first = self.db.ask(ops=[op("put", "s", "a", "2")])["position"]
        second = self.good("x", op("put", "s", "b", "2"), begin={"durability": "buffered"}, commit=True)["position"]
        self.assertLess(first, second)
        self.assertLess(self.good("r", commit=True)["position"], first)
        self.assertEqual(self.db.ask(mode="read", ops=[op("get", "s", "a")])["position"], second)
        self.assertNotIn("position", reader)

    def test_savepoints(self):
        done = self.good("x", op("put", "s", "k", "1"), op("savepoint", name="p"), op("put", "s", "k", "2"),
                         op("savepoint", name="q"), op("put", "s", "k", "3"), op("savepoint", name="p"),
                         op("put", "s", "k", "4"), op("rollback_to", name="p"), op("get", "s", "k"),
                         op("rollback_to", name="q"), op("get", "s", "k"), op("rollback_to", name="p"), op("get", "s", "k"),
                         op("put", "s", "k", "5"), op("rollback_to", name="p"), op("get", "s", "k"), begin={})
        self.assertEqual([entry["value"] for entry in done["results"] if "value" in entry], ["3", "2", "1", "1"])
        self.fails(self.step("x", op("rollback_to", name="q")), "MISUSE", op=0)
        done = self.good("y", op("savepoint", name="p"), op("create", "t"), op("put", "t", "a", "b"),
                         op("rollback_to", name="p"), op("stores"), op("create", "t"), op("count", "t"), begin={}, commit=True)
        self.assertEqual(done["results"][4:], [{"stores": ["s"]}, {}, {"count": 0}])

    def test_a_value_that_became_no_integer_is_named(self):
        self.ok(self.db, op("create", "t", schema={"v": 1, "sort": [{"n": "a", "t": "int"}, {"n": "b", "t": "str"}]}))
        self.ok(self.db, op("put", "s", "b", 'brackets ],{ quoted "," and \\'), op("put", "s", "b{", '\\"'))
        for store, key, other in (("s", "n", "o"), ("t", [1, "x[,]"], [2, "y"])):
            for alone in (False, True):
                self.ok(self.db, op("put", store, key, "8 bytes!"))
                self.good("x", begin={})
                self.ok(self.db, op("put", store, key, "text"))
                ops = [op("get", "s", "a"), op("scan", "s", prefix="b"), op("add", store, other, by=1), op("add", store, key, by=1),
                       op("get", "s", "b")]
                if alone:
                    self.good("x", *ops)
                    answer = self.step("x", commit=True)
                else:
                    answer = self.step("x", *ops, commit=True)
                self.fails(answer, "SCHEMA", store=store, key=key, op=None if alone else 3)
                self.assertEqual(len(answer.get("results", [])), 0 if alone else 3, answer)
                self.assertEqual(self.ok(self.db, op("get", store, other)), [NOT_FOUND])
                self.fails(self.step("x", commit=True), "MISUSE")  # it was rolled back

    def test_savepoints_where_nothing_is_written(self):
        for mode in ("read", "snapshot"):
            self.good("x", op("savepoint", name="p"), op("get", "s", "a"), op("rollback_to", name="p"), begin={"mode": mode})
            self.fails(self.step("x", op("rollback_to", name="q")), "MISUSE", op=0)

    def test_a_step_that_does_nothing_is_late_too(self):
        for members in ({"ops": []}, {}, {"ops": [], "rollback": True}, {"ops": [], "commit": True}):
            self.good("x", begin={"deadline_ms": 1})
            time.sleep(0.01)
            self.fails(self.step("x", **members), "TIMEOUT")
            self.fails(self.step("x", commit=True), "MISUSE")  # it was rolled back
        self.good("x", begin={"deadline_ms": 1})
        time.sleep(0.01)
        self.good("x", rollback=True)

    def test_deadlines(self):
        for request in ({"deadline_ms": 0, "ops": [op("get", "s", "a")]}, {"session": "x", "begin": {"deadline_ms": 0}}):
            self.fails(self.db.ask(request), "TIMEOUT", traits=["RETRY"])
        self.good("x", begin={"deadline_ms": 1})
        time.sleep(0.05)
        self.fails(self.step("x", op("get", "s", "a")), "TIMEOUT")
        self.fails(self.step("x", commit=True), "MISUSE")
        self.good("x", op("put", "s", "a", "9"), begin={"deadline_ms": 4000})  # enough for a slow machine to begin
        time.sleep(4.2)
        self.fails(self.step("x", commit=True), "TIMEOUT")
        self.assertEqual(self.get("a"), "1")
        self.good("x", op("put", "s", "a", "9"), begin={"deadline_ms": 300000}, commit=True)
        self.fails(self.db.ask(deadline_ms=10 ** 15, ops=[]), "LIMIT")

    def test_own_transaction_ids(self):
        mine = str(uuid.uuid4())
        self.assertEqual(self.db.ask(outcome=mine), {"id": None, "status": "OK", "outcome": "NOT_COMMITTED"})
        self.assertEqual(self.good("x", op("put", "s", "a", "2"), begin={"txn": mine})["txn"], mine)
        self.assertEqual(self.db.ask(outcome=mine.upper())["outcome"], "PENDING")
        self.fails(self.db.ask(txn=mine, ops=[]), "EXISTS", txn=mine)
        self.fails(self.step("y", begin={"txn": mine}), "EXISTS", txn=mine)
        self.good("x", rollback=True)
        self.assertEqual(self.db.ask(outcome=mine)["outcome"], "NOT_COMMITTED")
        committed = self.db.ask(txn=mine, ops=[op("put", "s", "a", "3")])  # that of a failed one may be used again
        self.assertEqual((committed["status"], committed["txn"]), ("OK", mine))
        told = self.db.ask(outcome=mine)
        self.assertEqual((told["outcome"], told["position"]), ("COMMITTED", committed["position"]))
        self.fails(self.db.ask(txn=mine, ops=[op("put", "s", "a", "4")]), "EXISTS", txn=mine)
        self.assertEqual(self.get("a"), "3")
        nothing = self.db.ask(ops=[op("get", "s", "a")])["txn"]
        self.assertEqual(self.db.ask(outcome=nothing)["outcome"], "NOT_COMMITTED")  # changed nothing: no record

    def test_outcomes_survive_checkpoint_and_reopening(self):
        answers = [self.db.ask(durability=how, ops=[op("put", "s", how, "1")]) for how in DURABILITIES]
        lost = self.good("x", op("put", "s", "x", "1"), begin={})["txn"]
        for name in ("checkpoint", "sync", "gc"):
            self.assertEqual(self.db.ask({"id": name, name: True}), {"id": name, "status": "OK"})
        self.assertEqual(self.db.close(), (0, b""))
        self.db = self.exec(self.folder / "db")
        for answer in answers:
            told = self.db.ask(outcome=answer["txn"])
            self.assertEqual((told["outcome"], told["position"]), ("COMMITTED", answer["position"]))
        self.assertEqual(self.db.ask(outcome=lost)["outcome"], "NOT_COMMITTED")
        self.assertIsNone(self.get("x"))  # the end of the input rolled it back

    def test_two_phase_commit_is_not_there_yet(self):
        self.good("x", op("put", "s", "a", "9"), begin={})
        self.fails(self.step("x", prepare=True), "UNSUPPORTED")
        self.fails(self.step("x", commit=True), "MISUSE")
        self.fails(self.db.ask(indoubt=True), "UNSUPPORTED")
        self.fails(self.db.ask(resolve=str(uuid.uuid4()), commit=True), "UNSUPPORTED")
        self.assertEqual(self.get("a"), "1")

    def test_stats_and_verify(self):
        stats = self.db.ask(stats=True)["stats"]
        self.assertEqual((stats["commits"], stats["stores"], stats["failed"]), (1, 1, 0))
        self.assertTrue(all(isinstance(figure, int) for figure in stats.values()))
        header = (ROOT / "include" / "sop" / "stats.h").read_text(encoding="utf-8")
        fields = re.findall(r"^\tuint64_t (\w+);", header.split("typedef struct sop_stats {")[1].split("} sop_stats;")[0], re.M)
        self.assertEqual(list(stats), fields)
        self.assertEqual(self.db.ask(id=1, verify=True), {"id": 1, "status": "OK", "problems": []})

    def test_ten_thousand_sessions(self):
        count = 10000
        for i in range(count):
            self.db.send({"id": i, "session": f"n{i}", "begin": {}, "ops": [op("put", "s", f"k{i}", "v")]})
            answer = self.db.answer()
            self.assertEqual((answer["id"], answer["status"]), (i, "OK"), answer)
        self.assertEqual(self.db.ask(stats=True)["stats"]["transactions_open"], count)
        for i in range(0, count, 7):
            self.good(f"n{i}", commit=True)
        self.assertEqual(self.ok(self.db, op("count", "s", prefix="k")), [{"count": len(range(0, count, 7))}])
        self.assertEqual(self.db.close(), (0, b""))
        self.db = self.exec(self.folder / "db")
        self.assertEqual(self.ok(self.db, op("count", "s", prefix="k")), [{"count": len(range(0, count, 7))}])

    def test_random_interleavings_are_serializable(self):
        """Sessions of reads and writes: what committed, replayed in the order of positions, reads the same."""
        dice = random.Random(SEED)
        open_sessions, committed = {}, []
        keys = [f"r{i}" for i in range(4)]
        for _ in range(int(3000 * SCALE)):
            name = f"w{dice.randrange(6)}"
            if name not in open_sessions:
                self.good(name, begin={})
                open_sessions[name] = []
            elif dice.random() < 0.35:
                answer = self.step(name, commit=True)
                self.assertIn(answer["status"], ("OK", "CONFLICT"), answer)
                if answer["status"] == "OK":
                    wrote = any(entry[0] != "get" for entry in open_sessions[name])
                    committed.append((answer["position"], not wrote, open_sessions[name]))
                del open_sessions[name]
            else:
                key = dice.choice(keys)
                if dice.random() < 0.5:
                    entry = self.good(name, op("get", "s", key))["results"][0]
                    open_sessions[name].append(("get", key, entry.get("value")))
                else:
                    value = str(dice.randrange(1000))
                    self.good(name, op("put", "s", key, value))
                    open_sessions[name].append(("put", key, value))
        state = {}
        for _, _, entries in sorted(committed, key=lambda entry: entry[:2]):
            for what, key, value in entries:
                if what == "put":
                    state[key] = value
                else:
                    self.assertEqual(state.get(key), value)
        self.assertGreater(len(committed), 100 * SCALE)


if __name__ == "__main__":
    main()
