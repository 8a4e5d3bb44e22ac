"""Every Python snippet of the documents runs and prints what is shown; the reference names everything that is public."""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import pathlib
import re
import sys
import unittest
from typing import Any, Dict, Iterator, Tuple

from support import SOURCE, Folder, main

import sop
from sop import aio

BLOCK = re.compile(r"^```python\n(.*?)^```$(?:\n```output\n(.*?)^```$)?", re.M | re.S)


def blocks(path: pathlib.Path) -> Iterator[Tuple[int, str, str]]:
    """Line, program and output of each snippet."""
    text = path.read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match.group(1), match.group(2) or ""


class Documents(Folder):
    def setUp(self) -> None:
        super().setUp()
        before = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, before)

    def run_document(self, name: str, least: int) -> None:
        scope: Dict[str, Any] = {"__name__": "snippet"}
        sys.modules["snippet"] = type(sys)("snippet")
        sys.modules["snippet"].__dict__.update(scope)
        scope = sys.modules["snippet"].__dict__
        count = 0
        for line, program, output in blocks(pathlib.Path(SOURCE, name)):
            printed = io.StringIO()
            with self.subTest(f"{name}:{line}"), contextlib.redirect_stdout(printed):
                exec(compile("\n" * line + program, name, "exec"), scope)
            self.assertEqual(printed.getvalue(), output, f"{name}:{line}")
            count += 1
        self.assertGreaterEqual(count, least)

    def test_the_cookbook(self) -> None:
        self.run_document("docs/cookbook.md", 15)

    def test_the_reference(self) -> None:
        self.run_document("docs/python.md", 2)

    def test_the_readme(self) -> None:
        self.run_document("README.md", 1)

    def test_the_readme_of_the_package(self) -> None:
        text = pathlib.Path(SOURCE, "bindings/python/README.md").read_text(encoding="utf-8")
        (program,) = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(program, {})
        self.assertEqual(printed.getvalue(), "{'age': 30}\n")


class Reference(unittest.TestCase):
    def test_it_names_everything_public(self) -> None:
        text = pathlib.Path(SOURCE, "docs/python.md").read_text(encoding="utf-8")
        words = set(re.findall(r"\w+", text))
        missing = {name for name in sop.__all__ if name not in words}
        missing -= {"Attempt", "Conflict", "Items", "Keys", "KeyType", "Durability", "OutcomeKind", "Values"}
        for cls in (sop.Database, sop.Transaction, sop.View, sop.Cursor, sop.Store, sop.Key, sop.Savepoint):
            for name, member in vars(cls).items():
                if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
                    if name not in words and name != "bind":
                        missing.add(f"{cls.__name__}.{name}")
        self.assertEqual(missing, set())

    def test_everything_public_has_a_docstring(self) -> None:
        missing = set()
        for module in (sop, aio):
            for name, thing in vars(module).items():
                if name.startswith("_") or not (inspect.isclass(thing) or inspect.isfunction(thing)):
                    continue
                if not thing.__module__.startswith("sop"):
                    continue
                if not inspect.getdoc(thing):
                    missing.add(name)
                for method, member in vars(thing).items() if inspect.isclass(thing) else ():
                    if not method.startswith("_") and inspect.isfunction(member) and not inspect.getdoc(member):
                        missing.add(f"{name}.{method}")
        self.assertEqual(missing, set())


if __name__ == "__main__":
    main()
