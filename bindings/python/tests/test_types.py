"""The package and tests/typed.py in basedpyright's strict mode; and what is wrong is found."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import unittest

from support import BUILD, SOURCE, main

WRONG = """\
import sop
S = sop.Store("s", key=sop.STR, value=sop.INT64)
class K(sop.Key):
    a: int
    b: str = sop.desc()
with sop.open("inmemory:") as db:
    db[S][1] = 1  # wrong
    db[S]["a"] = "text"  # wrong
    db[S].insert("a", b"bytes")  # wrong
    K("text", "b")  # wrong
    K(1)  # wrong
    K(1, "b").c  # wrong
    with db.write() as tx:
        value: str = tx[S]["a"]  # wrong
        for key, number in tx[S].items():
            key.bit_length()  # wrong
            number.bit_length()
    db.open()  # wrong
"""


class Types(unittest.TestCase):
    def test_strict(self) -> None:
        checker = pathlib.Path(SOURCE, "build/python-tools/bin/basedpyright")
        self.assertTrue(checker.exists(), "basedpyright is missing: run ci/setup")
        package = pathlib.Path(SOURCE, "bindings/python")
        work = pathlib.Path(BUILD, "python-types")
        work.mkdir(exist_ok=True)
        (work / "wrong.py").write_text(WRONG, encoding="utf-8")
        config = json.loads((package / "pyrightconfig.json").read_text(encoding="utf-8"))
        config["include"] = [os.path.relpath(package / name, work) for name in config["include"]] + ["wrong.py"]
        config["extraPaths"] = [os.path.relpath(package, work)]
        (work / "pyrightconfig.json").write_text(json.dumps(config), encoding="utf-8")
        done = subprocess.run([checker, "-p", work, "--outputjson"], capture_output=True, text=True, timeout=500)
        found = json.loads(done.stdout)
        self.assertGreater(found["summary"]["filesAnalyzed"], 15)
        lines = set()
        for each in found["generalDiagnostics"]:
            if each["file"].endswith("wrong.py"):
                lines.add(each["range"]["start"]["line"])
            else:
                self.fail(f"{each['file']}:{each['range']['start']['line'] + 1}: {each['message']}")
        wrong = {number for number, line in enumerate(WRONG.splitlines()) if line.endswith("# wrong")}
        self.assertEqual(wrong - lines, set())

    def test_the_sources_are_formatted(self) -> None:
        ruff = pathlib.Path(SOURCE, "build/python-tools/bin/ruff")
        self.assertTrue(ruff.exists(), "ruff is missing: run ci/setup")
        for command in (["format", "--check"], ["check", "--output-format", "concise"]):
            done = subprocess.run(
                [ruff, *command, "--no-cache", "."],
                cwd=pathlib.Path(SOURCE, "bindings/python"),
                capture_output=True,
                text=True,
                timeout=500,
            )
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_typed_file_runs(self) -> None:
        import typed

        typed.main()


if __name__ == "__main__":
    main()
