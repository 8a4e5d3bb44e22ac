"""Every operation of `sopctl exec`, and keys and values of every type."""
import itertools
import math
import random
import struct

from sopctl import SEED, Case, lines, main, op, sopctl

NOT_FOUND = {"status": "NOT_FOUND"}
EXISTS = {"status": "EXISTS"}


def schema(*sort, ride=()):
    """A schema of sort fields (name:type or name:type:desc) and ride-along fields (dictionaries)."""
    fields = []
    for text in sort:
        name, kind, *desc = text.split(":")
        fields.append({"n": name, "t": kind, **({"desc": True} if desc else {})})
    made = {"v": 1, "sort": fields}
    if ride:
        made["ride"] = list(ride)
    return made


class Operations(Case):
    def setUp(self):
        super().setUp()
        self.db = self.exec()

    def do(self, *ops, **members):
        return self.ok(self.db, *ops, **members)

    def one(self, *arguments, **more):
        return self.do(op(*arguments, **more))[0]

    def test_put_get_insert_update_remove(self):
        self.assertEqual(self.one("create", "s"), {})
        self.assertEqual(self.one("create", "s"), EXISTS)
        self.assertEqual(self.one("put", "s", "a", "1"), {})
        self.assertEqual(self.one("insert", "s", "a", "2"), EXISTS)
        self.assertEqual(self.one("insert", "s", "b", "2"), {})
        self.assertEqual(self.one("update", "s", "c", "3"), NOT_FOUND)
        self.assertEqual(self.one("remove", "s", "c"), NOT_FOUND)
        self.assertEqual(self.one("update", "s", "b", "4"), {})
        self.assertEqual([entry["value"] for entry in self.do(op("get", "s", "a"), op("get", "s", "b"))], ["1", "4"])
        self.assertEqual(self.one("remove", "s", "a"), {})
        self.assertEqual(self.one("get", "s", "a"), NOT_FOUND)
        self.assertEqual(self.one("count", "s"), {"count": 1})

    def test_version_is_the_position_that_wrote_it(self):
        self.one("create", "s")
        written = self.db.ask(ops=[op("put", "s", "a", "1"), op("get", "s", "a")])
        self.assertEqual(written["results"][1], {"value": "1"})  # its own: no version
        read = self.db.ask(ops=[op("get", "s", "a")])
        self.assertEqual(read["results"], [{"value": "1", "version": written["position"]}])
        self.assertEqual(read["position"], written["position"])
        again = self.db.ask(ops=[op("put", "s", "a", "1")])
        self.assertGreater(again["position"], written["position"])  # the value that is there: a change
        for answered in (op("remove", "s", "x"), op("insert", "s", "a", "2"), op("drop", "t"), op("create", "s")):
            self.assertEqual(self.db.ask(ops=[answered])["position"], again["position"])

    def test_stores_are_created_dropped_renamed_listed(self):
        self.assertEqual(self.one("drop", "s"), NOT_FOUND)
        self.assertEqual(self.one("rename", "s", to="t"), NOT_FOUND)
        done = self.do(op("create", "s"), op("put", "s", "a", "1"), op("rename", "s", to="t"), op("get", "t", "a"),
                       op("create", "s"), op("rename", "s", to="t"), op("stores"), op("drop", "s"), op("stores"))
        self.assertEqual(done[3:], [{"value": "1"}, {}, EXISTS, {"stores": ["s", "t"]}, {}, {"stores": ["t"]}])
        self.fails(self.db.ask(ops=[op("get", "s", "a")]), "NOT_FOUND", op=0, store="s")
        done = self.do(op("drop", "t"), op("create", "t", unique=False), op("info", "t"))
        self.assertEqual(done[2]["unique"], False)
        self.assertEqual(self.one("count", "t"), {"count": 0})

    def test_a_store_made_anew_with_another_schema_is_used_with_that(self):
        self.do(op("create", "s", schema=schema("a:int")), op("put", "s", [1], "v"))
        self.do(op("drop", "s"), op("create", "s", schema=schema("a:str")), op("put", "s", ["x"], "v"))
        self.assertEqual(self.one("scan", "s")["items"], [[["x"], "v"]])
        done = self.do(op("drop", "s"), op("create", "s"), op("put", "s", "raw", "v"), op("scan", "s"))
        self.assertEqual(done[3]["items"], [["raw", "v"]])

    def test_info_says_how_a_store_was_made(self):
        made = schema("a:int:desc", "b:str", ride=[{"n": "r", "t": "bool", "default": True}])
        self.do(op("create", "s", schema=made, unique=False, node_items=100, placement="medium"), op("create", "t"))
        info, plain = self.do(op("info", "s"), op("info", "t"))
        self.assertEqual((info["unique"], info["schema"], info["node_items"]), (False, made, 100))
        self.assertEqual(plain, {"unique": True, "node_items": 0, "placement": "auto"})
        self.fails(self.db.ask(ops=[op("info", "x")]), "NOT_FOUND", op=0, store="x")

    def test_a_schema_that_is_none_fails_the_request(self):
        for bad in ({}, {"v": 1}, {"v": 1, "sort": []}, schema("a:x"), {**schema("a:int"), "x": 1}):
            self.fails(self.db.ask(ops=[op("create", "s", schema=bad)]), "SCHEMA", op=0)

    def test_add_min_max(self):
        def value(number):
            return {"value": {"hex": struct.pack("<q", number).hex()}}
        self.do(op("create", "s"), op("put", "s", "text", "abc"))
        done = self.do(op("add", "s", "n", by=5), op("get", "s", "n"), op("add", "s", "n", by={"int": "-7"}),
                       op("get", "s", "n"), op("max", "s", "n", to=9), op("get", "s", "n"), op("min", "s", "n", to=-2 ** 63),
                       op("get", "s", "n"), op("add", "s", "n", by=-1), op("get", "s", "n"))
        self.assertEqual(done[1::2], [value(5), value(-2), value(9), value(-2 ** 63), value(2 ** 63 - 1)])
        done = self.do(op("min", "s", "m", to=3), op("get", "s", "m"), op("max", "s", "x", to=-4), op("get", "s", "x"))
        self.assertEqual(done[1::2], [value(3), value(-4)])
        for more in ([], [op("put", "s", "n", "12345678"), op("add", "s", "n", by=1)]):
            answer = self.db.ask(ops=[*more, op("min", "s", "text", to=1), op("add", "s", "n", by=1)])
            self.fails(answer, "SCHEMA", op=len(more), store="s", results=[{}] * len(more))
        self.assertEqual(self.one("get", "s", "text")["value"], "abc")

    def test_scan_count_and_remove_range_agree_on_bounds(self):
        keys = ["", "a", "a\0", "aa", "ab", "b", "ba", "bb", "c", "\u00ff"]
        shown = [key if "\0" not in key else {"hex": key.encode().hex()} for key in keys]
        order = {key: index for index, key in enumerate(keys)}
        self.do(op("create", "s"), *[op("put", "s", key, key) for key in shown])
        bounds = [{}]
        bounds += [{"prefix": key} for key in ("", "a", "b", "bb", "x")]
        bounds += [{"prefix": prefix, "after": after} for prefix in ("a", "b", "") for after in ("", "a", "aa", "b", "c")]
        for low, high in itertools.product((None, *keys), (None, *keys)):
            for name in ("from", "after"):
                made = {} if low is None else {name: low}
                if high is not None:
                    made["to"] = high
                bounds.append(made)

        def inside(key, made):
            return (made.get("from", "") <= key and ("after" not in made or made["after"] < key) and
                    ("to" not in made or key < made["to"]) and key.startswith(made.get("prefix", "")))
        for made in bounds:
            expected = [key for key in keys if inside(key, made)]
            given = {name: shown[order[bound]] if bound in order else bound for name, bound in made.items()}
            forward, backward, count = self.do(op("scan", "s", **given, keys_only=True),
                                               op("scan", "s", **given, reverse=True), op("count", "s", **given))
            wanted = [shown[order[key]] for key in expected]
            self.assertEqual(forward, {"items": wanted, "more": False}, made)
            self.assertEqual([item[0] for item in backward["items"]], wanted[::-1], made)
            self.assertEqual(count, {"count": len(expected)}, made)
            done = self.do(op("savepoint", name="x"), op("remove_range", "s", **given), op("scan", "s", keys_only=True),
                           op("rollback_to", name="x"), op("count", "s"))
            self.assertEqual(done[1], {"removed": len(expected)}, made)
            self.assertEqual(done[2]["items"], [shown[order[key]] for key in keys if key not in expected], made)
            self.assertEqual(done[4], {"count": len(keys)})

    def test_scan_in_pages(self):
        names = [f"k{i:03}" for i in range(25)]
        self.do(op("create", "s"), *[op("put", "s", name, name.upper()) for name in names])
        self.assertEqual(self.one("scan", "s", limit=0), {"items": [], "more": True})
        self.assertEqual(self.one("scan", "s", limit=0, prefix="x"), {"items": [], "more": False})
        self.assertEqual(self.one("scan", "s", limit=25)["more"], False)
        seen, after = [], {}
        while True:
            page = self.one("scan", "s", limit=7, **after)
            seen += page["items"]
            if not page["more"]:
                break
            after = {"after": page["items"][-1][0]}
        self.assertEqual(seen, [[name, name.upper()] for name in names])
        page = self.one("scan", "s", limit=2, reverse=True, to="k010", keys_only=True)
        self.assertEqual(page, {"items": ["k009", "k008"], "more": True})

    def test_stores_that_are_not_unique(self):
        self.one("create", "d", unique=False)
        items = [self.one("insert", "d", key, value)["item"] for key, value in
                 (("b", "1"), ("a", "2"), ("b", "3"), ("b", "4"))]
        self.assertEqual(items, sorted(items))
        self.assertEqual(self.one("scan", "d")["items"], [["a", "2", items[1]], ["b", "1", items[0]],
                                                         ["b", "3", items[2]], ["b", "4", items[3]]])
        self.assertEqual(self.one("scan", "d", keys_only=True, reverse=True)["items"][0], ["b", items[3]])
        self.assertEqual(self.one("scan", "d", after="b", after_item=items[0], keys_only=True)["items"],
                         [["b", items[2]], ["b", items[3]]])
        self.assertEqual(self.one("scan", "d", after="b")["items"], [])
        self.assertEqual(self.one("scan", "d", prefix="b", after="b", after_item=items[2])["items"], [["b", "4", items[3]]])
        self.assertEqual(self.one("get", "d", "b")["value"], "1")
        self.assertEqual(self.one("get", "d", "b", item=items[2])["value"], "3")
        self.assertEqual(self.one("get", "d", "b", item=items[1]), NOT_FOUND)
        self.assertEqual(self.one("update", "d", "b", "5", item=items[2]), {})
        self.assertEqual(self.one("remove", "d", "b"), {})
        self.assertEqual(self.one("remove", "d", "b", item=items[0]), NOT_FOUND)
        self.assertEqual(self.one("scan", "d", prefix="b")["items"], [["b", "5", items[2]], ["b", "4", items[3]]])
        for bad in (op("put", "d", "b", "x"), op("add", "d", "b", by=1), op("max", "d", "b", to=1)):
            self.fails(self.db.ask(ops=[bad]), "MISUSE", op=0)
        self.one("create", "u")
        self.one("put", "u", "a", "1")
        for bad in (op("get", "u", "a", item=1), op("remove", "u", "a", item=1), op("scan", "u", after="a", after_item=1)):
            self.fails(self.db.ask(ops=[bad]), "MISUSE", op=0)

    def test_ride_along_fields(self):
        made = schema("a:str", "b:int", ride=[{"n": "d", "t": "bool", "default": False}, {"n": "n", "t": "int"}])
        self.do(op("create", "s", schema=made), op("put", "s", ["x", 1], "v"), op("insert", "s", ["x", 2, True], "w"))
        self.assertEqual(self.one("scan", "s", keys_only=True)["items"], [["x", 1, False, None], ["x", 2, True, None]])
        got = self.one("get", "s", ["x", 2, False, 99])  # ignored
        self.assertEqual((got["key"], got["value"]), (["x", 2, True, None], "w"))
        self.do(op("update", "s", ["x", 2], "w2"))  # kept
        self.assertEqual(self.one("get", "s", ["x", 2])["key"], ["x", 2, True, None])
        self.do(op("update", "s", ["x", 2, False, 7], "w3"))
        self.assertEqual(self.one("scan", "s", **{"from": ["x", 2, True]})["items"], [[["x", 2, False, 7], "w3"]])
        self.do(op("put", "s", ["x", 2], "w4"))  # the defaults again
        self.assertEqual(self.one("get", "s", ["x", 2])["key"], ["x", 2, False, None])
        self.assertEqual(self.one("remove", "s", ["x", 2, "whatever"]), {})
        self.fails(self.db.ask(ops=[op("put", "s", ["x", 1, "no"], "v")]), "SCHEMA", op=0)
        self.fails(self.db.ask(ops=[op("put", "s", ["x", 1, True, 1, 1], "v")]), "SCHEMA", op=0)
        self.fails(self.db.ask(ops=[op("put", "s", ["x"], "v")]), "SCHEMA", op=0)

    def test_bounds_of_leading_fields(self):
        self.do(op("create", "s", schema=schema("a:str", "b:int:desc")),
                *[op("put", "s", [a, b], "v") for a in "xyz" for b in (1, 2, 3)])

        def keys(**bounds):
            return ["".join(map(str, key)) for key in self.one("scan", "s", keys_only=True, **bounds)["items"]]
        self.assertEqual(keys(prefix=["y"]), ["y3", "y2", "y1"])
        self.assertEqual(keys(prefix="y"), ["y3", "y2", "y1"])
        self.assertEqual(keys(prefix=["y", 2]), ["y2"])
        self.assertEqual(keys(prefix=[]), keys())
        self.assertEqual(keys(**{"from": ["y", 2], "to": ["z"]}), ["y2", "y1"])
        self.assertEqual(keys(after=["y", 2], to=["z", 3]), ["y1"])
        self.assertEqual(keys(**{"from": ["z"], "to": ["y"]}), [])
        self.assertEqual(keys(prefix=["y"], after=["y", 3]), ["y2", "y1"])
        self.fails(self.db.ask(ops=[op("scan", "s", prefix=["y", 1, 1])]), "SCHEMA", op=0)
        self.fails(self.db.ask(ops=[op("scan", "s", prefix=[1])]), "SCHEMA", op=0)

    def test_bytes_are_text_or_hex(self):
        self.one("create", "s")
        for number, (given, shown) in enumerate((
                ("", ""), ("a\tb\nc\rd", "a\tb\nc\rd"), ("\u00e9\U0001f600", "\u00e9\U0001f600"), ({"hex": "c3a9"}, "\u00e9"),
                ({"hex": "00FF"}, {"hex": "00ff"}), ("\0", {"hex": "00"}), ("\x1f", {"hex": "1f"}), ("\x7f", {"hex": "7f"}),
                ("\x85", {"hex": "c285"}), ({"hex": "ff"}, {"hex": "ff"}), ({"hex": "eda080"}, {"hex": "eda080"}),
                ({"hex": ""}, ""), ('"\\/', '"\\/'), ("\u2028\ufeff\uffff", "\u2028\ufeff\uffff"))):
            key = f"k{number}"
            self.do(op("put", "s", key, given), op("remove_range", "s", after=key), op("put", "s", given, "v"))
            self.assertEqual(self.one("get", "s", key)["value"], shown)
            self.assertIn([shown, "v"], self.one("scan", "s")["items"])
            self.assertEqual(self.one("get", "s", given)["value"], "v")
            self.one("remove", "s", given)
        for bad in (1, True, None, ["a"], 1.5):
            self.fails(self.db.ask(ops=[{"op": "get", "store": "s", "key": bad}]), "SCHEMA", op=0)
        self.fails(self.db.ask(ops=[op("put", "s", {"hex": "00" * 65537}, "v")]), "LIMIT", op=0)
        self.assertEqual(self.one("put", "s", {"hex": "00" * 65536}, "v"), {})

    def test_values_given_as_json_are_its_compact_text(self):
        self.one("create", "s")
        text = '{ "a" : [ 1.50, -0, 1E+2 , 18446744073709551616 ] , "b\\u00e9" : "x\\ny" , "c" : { } , "d":[ ],"e":null }'
        request = '{"ops":[{"op":"put","store":"s","key":"k","value":{"json":%s}}]}\n' % text
        self.assertEqual(self.db.ask(request.encode())["status"], "OK")
        self.assertEqual(self.one("get", "s", "k")["value"],
                         '{"a":[1.50,-0,1E+2,18446744073709551616],"b\u00e9":"x\\ny","c":{},"d":[],"e":null}')
        self.one("put", "s", "k", {"json": "x"})
        self.assertEqual(self.one("get", "s", "k")["value"], '"x"')

    def check_type(self, kind, good, bad):
        """Values of a type as they are given and shown, in order; and those that are SCHEMA."""
        self.do(op("create", kind, schema=schema(f"a:{kind}")), op("create", kind + "-", schema=schema(f"a:{kind}:desc")))
        shown = []
        for given, answer in good:
            shown += [answer] if answer not in shown else []
            self.do(*[op("put", kind + way, [given], "v") for way in ("", "-")])
            self.assertEqual(self.one("get", kind, [given])["value"], "v")
            if given is not None:
                self.assertEqual(self.one("get", kind, given)["value"], "v")  # a single field may stand alone
        self.assertEqual(self.one("scan", kind, keys_only=True)["items"], [[answer] for answer in shown])
        self.assertEqual(self.one("scan", kind + "-", keys_only=True)["items"], [[answer] for answer in shown[::-1]])
        for given in bad:
            self.fails(self.db.ask(ops=[op("put", kind, [given], "v")]), "SCHEMA", op=0)

    def test_keys_of_bool(self):
        self.check_type("bool", [(None, None), (False, False), (True, True)], [0, 1, "true", 1.0, {"hex": ""}])

    def test_keys_of_int(self):
        low, high = -2 ** 63, 2 ** 64 - 1
        self.check_type("int", [(None, None), (low, low), ({"int": str(low + 1)}, low + 1), (-1, -1), (0, 0), (1, 1),
                                (2 ** 53 + 1, 2 ** 53 + 1), (2 ** 63, 2 ** 63), ({"int": str(high)}, high)],
                        [low - 1, high + 1, {"int": str(high + 1)}, 10 ** 400, 1.0, 1.5, "1", True, {"hex": "01"}])
        line = b'{"ops":[{"op":"put","store":"int","key":[1e2],"value":"v"}]}\n'
        self.fails(self.db.ask(line), "SCHEMA", op=0)

    def test_keys_of_float(self):
        self.check_type("float", [(None, None), ("-Infinity", "-Infinity"), (-1.7976931348623157e308, -1.7976931348623157e308),
                                  (-1, -1.0), (0, 0.0), (-0.0, 0.0), (5e-324, 5e-324), (0.1, 0.1), (1.0, 1.0),
                                  (2 ** 53, float(2 ** 53)), ({"int": str(2 ** 63)}, float(2 ** 63)), (1e22, 1e22),
                                  ("Infinity", "Infinity")],
                        ["NaN", "nan", "1.0", "inf", True, {"hex": ""}, {"int": str(2 ** 53 + 1)}, {"int": str(2 ** 64)},
                         10 ** 400, -10 ** 400])
        self.fails(self.db.ask(b'{"ops":[{"op":"put","store":"float","key":[1e999],"value":"v"}]}\n'), "SCHEMA", op=0)
        self.fails(self.db.ask(b'{"ops":[{"op":"put","store":"float","key":[NaN],"value":"v"}]}\n'), "MISUSE")
        self.assertEqual(self.db.ask(b'{"ops":[{"op":"put","store":"float","key":[-1E+2],"value":"v"}]}\n')["status"], "OK")

    def test_floats_that_other_languages_write_as_integers(self):
        """JavaScript and Go write doubles below 1e21 without an exponent, in the shortest digits, filled up with zeros."""
        self.do(op("create", "f", schema=schema("a:float")))
        for text, number in (("1152921504606847000", 2.0 ** 60), ("100000000000000000000", 1e20), ("-18446744073709552000", -2.0 ** 64),
                             ("123456789012345680000", 123456789012345680000.0), ("9007199254740993", 2.0 ** 53)):
            self.do(op("put", "f", [number], text))
            line = f'{{"ops":[{{"op":"get","store":"f","key":[{text}]}}]}}\n'
            self.assertEqual(self.db.ask(line.encode())["results"][0].get("value"), text)

    def test_keys_of_bytes(self):
        self.check_type("bytes", [(None, None), ("", ""), ({"hex": "00"}, {"hex": "00"}), ("a", "a"),
                                  ({"hex": "6100"}, {"hex": "6100"}), ("ab", "ab"), ({"hex": "ff"}, {"hex": "ff"})],
                        [1, True, 1.5])

    def test_keys_of_str(self):
        self.check_type("str", [(None, None), ("", ""), ("\0", "\0"), ("a", "a"), ("a\0b", "a\0b"), ("\x7f", "\x7f"),
                                ("\u00e9", "\u00e9"), ("\uffff", "\uffff"), ("\U0001f600", "\U0001f600")],
                        [1, True, {"hex": "61"}])

    def test_keys_of_uuid(self):
        low, high = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"
        self.check_type("uuid", [(None, None), (low, low), ("01900000-ABCD-7000-8000-00000000000F",
                                                           "01900000-abcd-7000-8000-00000000000f"), (high, high)],
                        ["", "x", low[:-1], low.replace("-", ""), "{" + low + "}", 1, {"hex": "00" * 16}])

    def test_keys_of_ts(self):
        self.check_type("ts", [
            (None, None), (-2 ** 63, -2 ** 63), (-62135596800000001, -62135596800000001),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"), (-1, "1969-12-31T23:59:59.999999Z"),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"), (0, "1970-01-01T00:00:00Z"),
            ("2024-02-29T23:59:59.5-01:30", "2024-03-01T01:29:59.5Z"), ("2024-03-01t01:29:59.500001z",
                                                                         "2024-03-01T01:29:59.500001Z"),
            ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"), ({"int": "253402300800000000"}, 253402300800000000),
            (2 ** 63 - 1, 2 ** 63 - 1)],
            [2 ** 63, 1.5, True, "", "2024", "0", "2024-01-01", "2024-01-01T00:00:00", "2024-01-01 00:00:00Z",
             "2024-13-01T00:00:00Z", "2024-02-30T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:00:60Z",
             "2024-01-01T00:00:00.1234567Z", "0000-01-01T00:00:00Z", "2024-01-01T00:00:00.Z", {"hex": ""}])

    def test_safe_ints(self):
        big = 2 ** 53 + 1
        requests = [{"ops": [op("create", "s", schema=schema("a:int", "t:ts")), op("put", "s", [big, 0], "v"),
                             op("put", "s", [-big, 2 ** 63 - 1], "v"), op("put", "s", [2 ** 53, 0], "v"), op("scan", "s",
                                                                                                       keys_only=True)]}]
        items = self.run_lines(requests, "inmemory:", "--safe-ints")[0]["results"][4]["items"]
        epoch = "1970-01-01T00:00:00Z"
        self.assertEqual(items, [[{"int": str(-big)}, {"int": str(2 ** 63 - 1)}], [2 ** 53, epoch], [{"int": str(big)}, epoch]])
        items = self.run_lines(requests)[0]["results"][4]["items"]
        self.assertEqual(items[2], [big, epoch])

    def test_floats_print_shortest_and_read_back(self):
        dice = random.Random(SEED)
        floats = [struct.unpack("<d", dice.randbytes(8))[0] for _ in range(500)]
        floats = [number for number in floats if not math.isnan(number) and not math.isinf(number)]
        self.do(op("create", "f", schema=schema("a:float")), *[op("put", "f", [number], "v") for number in floats])
        done = sopctl("exec", "inmemory:", check=0, stdin=lines(
            [{"ops": [op("create", "f", schema=schema("a:float")), *[op("put", "f", [number], "v") for number in floats],
                      op("scan", "f", keys_only=True)]}]))
        shown = done.stdout.decode().split('"items":[[')[1].split("]]")[0].split("],[")
        self.assertEqual([float(text) for text in shown], sorted(set(floats)))
        for text, number in zip(shown, sorted(set(floats))):
            self.assertLessEqual(len(text), len(repr(number)) + 1, (text, number))


if __name__ == "__main__":
    main()
