"""The form of requests and answers of `sopctl exec`: what is taken, what is refused, and how that is said."""
import json
import random

from sopctl import SCALE, SEED, Case, lines, main, op, sopctl

MIB = 1 << 20
LINE_MAX = 16 * MIB


def python_takes(text):
    """Is `text` JSON for Python, without what only Python takes?"""
    def refuse(_):
        raise ValueError
    try:
        json.dumps(json.loads(text.decode("utf-8"), parse_constant=refuse), ensure_ascii=False).encode("utf-8")
    except ValueError:  # also UnicodeError: half a surrogate pair
        return False
    return True


class Form(Case):
    def refused(self, line, status="MISUSE", identity=None, **members):
        """One line is answered with `status`, and the next one is answered as ever."""
        if isinstance(line, str):
            line = line.encode() + b"\n"
        answers = self.run_lines([line, {"id": "next", "ops": []}])
        self.assertEqual(len(answers), 2, answers)
        self.fails(answers[0], status, **members)
        self.assertIn("id", answers[0])
        self.assertEqual(answers[0]["id"], identity)
        self.assertEqual((answers[1]["id"], answers[1]["status"]), ("next", "OK"))
        return answers[0]

    def test_id_is_any_scalar_and_echoed(self):
        identities = [0, -1, 1.5, "", "x", "\u0000\u2028\U0001f600", True, False, None, 2 ** 63, 10 ** 40]
        answers = self.run_lines([{"id": identity, "ops": []} for identity in identities] + [{"ops": []}])
        self.assertEqual([answer["id"] for answer in answers], identities + [None])
        done = sopctl("exec", "inmemory:", stdin='{"id":1.0e2,"ops":[]}\n', check=0)
        self.assertTrue(done.stdout.startswith(b'{"id":1.0e2,'), done.stdout)

    def test_id_must_be_a_scalar(self):
        self.refused('{"id":[1],"ops":[]}')
        self.refused('{"id":{},"ops":[]}')
        self.refused(json.dumps({"id": "x" * (2 * MIB), "ops": []}), "LIMIT")

    def test_what_is_no_json_object_is_misuse(self):
        for line in ("x", "1", "[]", '"a"', "null", "{", '{"id":1', '{"id":1}}', '{"id":1} {"id":2}', '{"id":01,"ops":[]}',
                     '{"id":1,}', "{'id':1}", '{"id":1,"ops":[],}', '{"id":NaN,"ops":[]}', '{"id":+1,"ops":[]}',
                     '{"id":1.,"ops":[]}', '{"id":"\t","ops":[]}', '{"id":"\\x","ops":[]}', '{"id":"\\u12","ops":[]}',
                     '{"id":"\\ud800","ops":[]}', '{"id":"\\udc00\\ud800","ops":[]}', '{"id":tru,"ops":[]}',
                     '{"id" 1,"ops":[]}', "\ufeff{}"):
            self.refused(line)
        for line in (b'{"id":"\xff","ops":[]}\n', b'{"id":"\xc0\x80","ops":[]}\n', b'{"id":"\xed\xa0\x80","ops":[]}\n',
                     b'{"id":"\xf4\x90\x80\x80","ops":[]}\n', b"\0\n", b'{"id":1,"ops":[]}\0\n'):
            self.refused(line)

    def test_fields_are_known_there_once_and_of_their_type(self):
        for line in ('{"id":1}', '{"id":1,"x":1,"ops":[]}', '{"id":1,"ops":[],"ops":[]}', '{"id":1,"ops":{}}',
                     '{"id":1,"ops":[],"begin":{}}', '{"id":1,"begin":{}}', '{"id":1,"ops":[],"commit":true}',
                     '{"id":1,"ops":[],"mode":"x"}', '{"id":1,"ops":[],"mode":1}', '{"id":1,"ops":[],"durability":"x"}',
                     '{"id":1,"ops":[],"deadline_ms":-1}', '{"id":1,"ops":[],"deadline_ms":1.5}',
                     '{"id":1,"ops":[],"deadline_ms":"1"}', '{"id":1,"ops":[],"retry":1}', '{"id":1,"ops":[],"txn":"x"}',
                     '{"id":1,"ops":[],"txn":"00000000-0000-0000-0000-000000000000"}', '{"id":1,"sync":false}',
                     '{"id":1,"sync":1}', '{"id":1,"sync":true,"ops":[]}', '{"id":1,"stats":true,"x":1}',
                     '{"id":1,"outcome":"x"}', '{"id":1,"outcome":1}', '{"id":1,"verify":"yes"}', '{"id":1,"gc":null}',
                     '{"id":1,"session":"","begin":{}}', '{"id":1,"session":1,"begin":{}}',
                     '{"id":1,"session":"a","begin":1}', '{"id":1,"session":"a","begin":{"x":1}}',
                     '{"id":1,"session":"a","begin":{"retry":true}}', '{"id":1,"session":"a","mode":"read"}',
                     '{"id":1,"session":"a","begin":{},"commit":1}', '{"id":1,"session":"a","begin":{},"begin":{}}',
                     '{"id":1,"session":"a","begin":{"mode":"read","mode":"read"}}', '{"id":1,"session":"a","sync":true}',
                     '{"id":1,"resolve":"01900000-0000-7000-8000-000000000000"}'):
            self.refused(line, identity=1)
        self.refused('{"id":1,"id":2,"ops":[]}', identity=1)
        self.refused('{"id":1,"ops":[],"deadline_ms":99999999999999999999}', "LIMIT", identity=1)
        self.refused(json.dumps({"id": 1, "session": "x" * 256, "begin": {}}), "LIMIT", identity=1)

    def test_operations_are_checked_before_the_first_runs(self):
        bad = [1, "get", {}, {"op": 1}, {"op": "gut"}, op("get", "s"), op("get", None, "k"), op("get", "s", "k", "v"),
               op("put", "s", "k"), op("put", "s", "k", 1), op("put", "s", "k", ["v"]), op("put", "s", "k", {"hex": "0"}),
               op("put", "s", "k", {"hex": "0g"}), op("put", "s", "k", {"hex": 1}), op("put", "s", "k", {"hex": "", "x": 1}),
               op("put", "s", "k", {}), op("put", "s", {"x": 1}, "v"), op("put", "s", {"hex": "0"}, "v"),
               op("put", "s", [["a"]], "v"), op("put", "s", [{"int": 1}], "v"), op("put", "s", {"int": "1.5"}, "v"),
               op("put", 1, "k", "v"), op("put", "", "k", "v"), op("put", "a\nb", "k", "v"), op("put", "a\u0085b", "k", "v"),
               op("create"), op("create", "s", unique=1), op("create", "s", schema=[]), op("create", "s", node_items=-1),
               op("create", "s", node_items="x"), op("create", "s", placement="huge"), op("rename", "s"),
               op("rename", "s", to=""), op("stores", "s"), op("info"), op("scan", "s", **{"from": "a", "after": "a"}),
               op("scan", "s", prefix="a", to="b"), op("scan", "s", prefix="a", **{"from": "b"}),
               op("scan", "s", after_item=1), op("scan", "s", after="a", after_item=0), op("scan", "s", limit=-1),
               op("scan", "s", limit=1.0), op("scan", "s", reverse="x"), op("scan", "s", keys_only=0),
               op("count", "s", limit=1), op("count", "s", reverse=True), op("get", "s", "k", item=0),
               op("get", "s", "k", item="1"), op("add", "s", "k"), op("add", "s", "k", by=1.5), op("add", "s", "k", by="1"),
               op("add", "s", "k", to=1), op("min", "s", "k", by=1), op("savepoint"), op("savepoint", name=""),
               op("rollback_to", name=1), op("put", "s", "k", "v", item=1)]
        with_create = [op("create", "s"), op("put", "s", "k", "v")]
        requests = [{"id": index, "ops": with_create + [one]} for index, one in enumerate(bad)]
        answers = self.run_lines(requests + [{"ops": [op("stores")]}])
        for one, answer in zip(bad, answers):
            self.assertEqual((answer["status"], answer["op"]), ("MISUSE", 2), (one, answer))
            self.assertFalse(answer.get("results"), (one, answer))
        self.assertEqual(answers[-1]["results"], [{"stores": []}])

    def test_an_operation_with_a_field_twice_is_misuse(self):
        self.refused('{"id":1,"ops":[{"op":"get","store":"s","key":"a","key":"b"}]}', identity=1)
        self.refused('{"id":1,"ops":[{"op":"put","store":"s","key":"a","value":{"json":{"x":1,"x":2}}}]}', identity=1)
        many = ",".join(f'"x{i}":1' for i in range(100)) + ',"x50":2'
        self.refused('{"id":1,"ops":[{"op":"put","store":"s","key":"a","value":{"json":{%s}}}]}' % many, identity=1)

    def test_names_and_numbers_beyond_their_limits(self):
        for one, status in ((op("put", "s" * 256, "k", "v"), "LIMIT"), (op("rename", "s", to="\u00e9" * 128), "LIMIT"),
                            (op("savepoint", name="n" * 256), "LIMIT"), (op("add", "s", "k", by=2 ** 63), "SCHEMA"),
                            (op("min", "s", "k", to=-2 ** 63 - 1), "SCHEMA"), (op("scan", "s", limit=2 ** 64), "SCHEMA")):
            self.refused(json.dumps({"id": 1, "ops": [one]}), status, identity=1, op=0)
        self.refused(json.dumps({"id": 1, "ops": [op("create", "s", node_items=3)]}), "LIMIT", identity=1, op=0)
        self.refused(json.dumps({"id": 1, "ops": [op("create", "s", node_items=2 ** 40)]}), "LIMIT", identity=1, op=0)
        names = ["../x", "a/b", "*", ".", "s" * 255, "\u00e9" * 127, "\U0001f600", '"', "a b"]
        answers = self.run_lines([{"ops": [op("create", name) for name in names]}, {"ops": [op("stores")]}])
        self.assertEqual(answers[1]["results"][0]["stores"], sorted(names, key=str.encode))

    def test_json_nests_up_to_64_levels(self):
        def nested(levels):  # the request, "ops", the operation and "value" are four of them
            return ('{"id":1,"ops":[{"op":"put","store":"s","key":"k","value":{"json":' + "[" * (levels - 4) +
                    "]" * (levels - 4) + "}}]}")
        answers = self.run_lines([{"ops": [op("create", "s")]}, nested(64).encode() + b"\n"])
        self.assertEqual(answers[1]["status"], "OK", answers[1])
        self.refused(nested(65), "LIMIT", identity=1)
        self.refused(nested(1000000), "LIMIT", identity=1)
        self.refused("[" * 1000000)

    def test_what_is_json_is_what_others_take_for_it(self):
        """Mutated requests are JSON for exec exactly if they are for Python's strict reader, half surrogates aside."""
        dice = random.Random(SEED)
        seed = (b'{"id":"\\u00e9\\ud83d\\ude00\xc3\xa9\xf0\x9f\x98\x80\\n","ops":[{"op":"put","store":"s","key":"k","value":'
                b'{"json":[1,-0.5e+7,true,false,null,{},[],{"a":"b"},12345678901234567890]}}], "x" : 0 }')
        pieces = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"0", b"-", b"1", b".", b"e", b"+", b" ", b"\t", b"\x01", b"\xff",
                  b"\xc3", b"\xa9", b"\xed\xa0\x80", b"\\u", b"\\ud800", b"\\udc00", b"d83d", b"true", b"nul", b"\0", b"\x7f"]
        texts = []
        for _ in range(int(20000 * SCALE) + 1000):
            text = bytearray(seed)
            for _ in range(dice.randrange(1, 4)):
                at, end = dice.randrange(len(text)), dice.choice([0, 0, 1, 2])
                text[at:at + end] = dice.choice(pieces)
            texts.append(bytes(text))
        answers = self.run_lines([text + b"\n" for text in texts])
        self.assertEqual(len(answers), len(texts))
        taken = 0
        for text, answer in zip(texts, answers):
            refused = answer.get("message", "").startswith("no JSON")
            self.assertEqual(refused, not python_takes(text), (text, answer))
            taken += not refused
        self.assertGreater(taken, len(texts) // 20)

    def test_empty_lines_are_skipped_and_the_last_needs_no_newline(self):
        done = sopctl("exec", "inmemory:", stdin=b'\n\r\n  \t\n{"id":1,"ops":[]}\r\n\n  {"id" : 2 , "ops" : [ ] }', check=0)
        self.assertEqual([json.loads(line)["id"] for line in done.stdout.splitlines()], [1, 2])

    def test_lines_up_to_16_mib_are_taken_longer_ones_are_limit(self):
        head = b'{"id":7,"ops":[{"op":"put","store":"s","key":"k","value":"'
        tail = b'"}]}'
        fits = head + b"x" * (LINE_MAX - len(head) - len(tail)) + tail
        too_long = head + b"x" * (LINE_MAX - len(head) - len(tail) + 1) + tail
        self.assertEqual(len(fits), LINE_MAX)
        answers = self.run_lines([{"ops": [op("create", "s")]}, fits + b"\n", too_long + b"\n", b"y" * (40 * MIB) + b"\n",
                                  {"id": 8, "ops": [op("count", "s")]}, too_long])
        self.assertEqual(answers[1]["status"], "OK")
        for index in (2, 3, 5):
            self.fails(answers[index], "LIMIT", id=None)
        self.assertEqual(answers[4]["results"], [{"count": 1}])
        self.assertEqual(len(answers), 6)

    def test_answers_keep_to_16_mib(self):
        big = {"hex": "00" * (7 * MIB)}
        puts = [{"ops": [op("put", "s", f"k{i}", big)]} for i in range(3)]
        long = [op("add", "s", "n", by=0)] * 20000
        requests = [{"ops": [op("create", "s")]}, *puts, {"ops": [op("scan", "s")]},
                    {"ops": [op("scan", "s", after="k0")]}, {"ops": [op("get", "s", "k0"), op("get", "s", "k1")]},
                    {"ops": [op("get", "s", "k0"), op("scan", "s")]}, {"ops": long}]
        done = sopctl("exec", "inmemory:", stdin=lines(requests), check=0)
        for line in done.stdout.splitlines():
            self.assertLessEqual(len(line), LINE_MAX)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([item[0] for item in answers[4]["results"][0]["items"]], ["k0"])
        self.assertTrue(answers[4]["results"][0]["more"])
        self.assertEqual([item[0] for item in answers[5]["results"][0]["items"]], ["k1"])
        self.fails(answers[6], "LIMIT", op=1)
        self.assertEqual((answers[7]["results"][1]["items"], answers[7]["results"][1]["more"]), ([], True))
        self.assertEqual(len(answers[8]["results"]), 20000)

    def test_a_value_larger_than_an_answer_is_limit(self):
        half = {"hex": "01" * (4 * MIB)}
        db = self.exec()
        self.ok(db, op("create", "s"), op("put", "s", "k", half))
        # A string of control characters grows to hex; quotes and backslashes to twice their size.
        self.ok(db, op("put", "s", "q", '"' * (7 * MIB)))
        self.assertEqual(self.ok(db, op("get", "s", "q"))[0]["value"], '"' * (7 * MIB))
        line = b'{"ops":[{"op":"put","store":"s","key":"c","value":"' + b"\x7f" * (9 * MIB) + b'"}]}\n'
        self.assertEqual(db.ask(line)["status"], "OK")
        self.fails(db.ask(ops=[op("get", "s", "c")]), "LIMIT", op=0)
        self.fails(db.ask(ops=[op("scan", "s", prefix="c")]), "LIMIT", op=0)
        self.assertEqual(self.ok(db, op("scan", "s", prefix="c", keys_only=True))[0]["items"], ["c"])

    def test_answers_say_what_a_program_acts_on(self):
        db = self.exec()
        answer = db.ask(id=1, ops=[op("create", "s"), op("get", "s", "k"), op("get", "nope", "k"), op("get", "s", "k")])
        self.fails(answer, "NOT_FOUND", id=1, op=2, store="nope", traits=[], results=[{}, {"status": "NOT_FOUND"}])
        self.assertRegex(answer["txn"], "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
        self.assertNotIn("position", answer)
        self.assertEqual(self.ok(db, op("stores")), [{"stores": []}])
        answer = db.ask(id=2, ops=[op("create", "s")])
        self.assertEqual(sorted(answer), ["id", "position", "results", "status", "txn"])
        self.assertIsInstance(answer["position"], int)
        self.fails(db.ask(id=3, mode="read", ops=[op("put", "s", "k", "v")]), "READ_ONLY", op=0, traits=["MISUSE"])


if __name__ == "__main__":
    main()
