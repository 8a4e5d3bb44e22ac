"""That the suite would notice: planted bugs are found by the model and by the comparison, shrunk and kept; a machine that ends is told of; the
model packs keys as the format says.

usage: test_suite.py BUILD"""
import json
import sys
import tempfile
import unittest
import uuid

sys.dont_write_bytecode = True

import keys  # noqa: E402
import machines  # noqa: E402
import model  # noqa: E402
import program  # noqa: E402

BUILD = sys.argv.pop(1)
VECTORS = machines.HERE.parent / "data" / "keys-v1.jsonl"
SHRUNK_MAX = 10  # instructions: a database, a transaction, a put that is lost, something that reads


def some(count, operations=1000):
    return [machines.Program(f"inmemory-{seed}", program.generate(seed, operations, "inmemory")) for seed in range(1, count + 1)]


class Suite(unittest.TestCase):
    def setUp(self):
        self.good = machines.Machines(BUILD)
        self.planted = machines.Machines(BUILD, {"SOP_CONFORMANCE_PLANT": "1"})

    def test_a_bug_of_all_is_found_by_the_model_and_shrunk(self):
        found = [one for one in machines.differences(self.planted, ["c"], some(10)) if one is not None]
        self.assertGreaterEqual(len(found), 5)
        small = machines.shrink(self.planted, ["c"], found[0])
        self.assertLessEqual(len(small.program.lines), SHRUNK_MAX)
        self.assertTrue(any(" put " in line for line in small.program.lines), small.program.lines)
        with tempfile.TemporaryDirectory() as folder:
            machines.keep(folder, small)
            again = machines.kept(folder)
        self.assertEqual([one.lines for one in again], [small.program.lines])
        self.assertIsNotNone(machines.differences(self.planted, ["c"], again)[0])
        self.assertIsNone(machines.differences(self.good, ["c"], again)[0])

    def test_a_bug_of_one_is_found_by_comparing(self):
        programs = some(10)
        good, bad = (one.run("c", programs) for one in (self.good, self.planted))
        found = [machines.compare(one, {"c": good[one.name], "other": bad[one.name]}) for one in programs]
        self.assertGreaterEqual(sum(one is not None and one.language == "other" for one in found), 5)

    def test_the_same_answers_whatever_the_spelling(self):
        programs = some(10)
        respelled = [machines.Program(one.name, [self.respelled(line) for line in one.lines]) for one in programs]
        left, right = self.good.run("c", programs), self.good.run("c", respelled)
        for one in programs:
            self.assertIsNone(machines.compare(one, {"c": left[one.name], "respelled": right[one.name]}))

    @staticmethod
    def respelled(line):
        thread, spelling, rest = line.split(" ", 2)
        return f"{thread} {int(spelling) * 7 % 256 + 1} {rest}"

    def test_a_machine_that_ends_is_told_of_and_started_again(self):
        programs = some(3, 20)
        programs[1].lines[10] = "0 0 no_such_operation"
        outputs = self.good.run("c", programs)
        found = [machines.compare(one, {"c": outputs[one.name]}) if one is not programs[1] else None for one in programs]
        self.assertEqual(found, [None, None, None])
        self.assertIn("the machine ended", outputs[programs[1].name][-1])

    def test_wrong_answers_are_wrong_to_the_model(self):
        """Answers of a right machine, each altered: nearly all are noticed."""
        seen = altered = 0
        for one in some(2, 150):
            output = self.good.run("c", [one])[one.name]
            for index, line in enumerate(output):
                number, _, answer = line.partition(" ")
                other = "NOT_FOUND" if answer.startswith("OK") else "OK"
                wrong = model.first_wrong(one.lines[:index + 1], [*output[:index], f"{number} {other}"])
                seen, altered = seen + (wrong is not None), altered + 1
        self.assertGreater(seen / altered, 0.97)

    def test_keys_are_packed_as_the_vectors_say(self):
        for line in VECTORS.read_text().splitlines():
            vector = json.loads(line)
            token = ",".join(self.field(part["t"], value) for part, value in zip(vector["schema"], vector["values"]))
            self.assertEqual(keys.packed({"sort": vector["schema"]}, token).hex(), vector["hex"], line)

    @staticmethod
    def field(kind, value):
        if value is None:
            return "n"
        if kind == "bool":
            return "t" if value else "f"
        if kind == "uuid":
            return "u" + uuid.UUID(value).hex
        if kind == "str":
            return "s" + value.encode("utf-8", "surrogatepass").hex()
        if kind == "bytes":
            return "b" + value["$hex"] if "$hex" in value else "b" + value["$bytes"]
        if kind == "float":
            return "d" + value["$f64"]
        return ("i" if kind == "int" else "m") + str(value["$int"] if isinstance(value, dict) else value)


class Result(unittest.TextTestResult):
    """Says each case in the style that ci/summary.py counts."""

    def startTest(self, test):
        unittest.TestResult.startTest(self, test)
        print(f"[ RUN      ] {test.id()}", flush=True)

    def stopTest(self, test):
        bad = any(case is test for case, _ in [*self.failures, *self.errors])
        print(f"[{'  FAILED  ' if bad else '       OK '}] {test.id()}", flush=True)
        super().stopTest(test)


if __name__ == "__main__":
    unittest.main(testRunner=unittest.TextTestRunner(resultclass=Result, verbosity=0))
