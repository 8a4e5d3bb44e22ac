"""What the tests share: a runner that prints each case as cmocka does (ci/summary.py counts them), and folders."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import traceback
import unittest
from typing import Any

import sop

SOURCE = os.environ.get("SOP_SOURCE", "")
BUILD = os.environ.get("SOP_BUILD", "")


class Result(unittest.TestResult):
    """Prints a line when a case begins and one when it ends."""

    def _say(self, word: str, test: unittest.TestCase) -> None:
        print(f"[{word}] {test.id().rpartition('__main__.')[2]}", flush=True)

    def startTest(self, test: Any) -> None:
        super().startTest(test)
        self._say(" RUN      ", test)

    def addSuccess(self, test: Any) -> None:
        self._say("       OK ", test)

    def _failed(self, test: Any, err: Any) -> None:
        traceback.print_exception(*err, file=sys.stdout)
        self._say("  FAILED  ", test)

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self._failed(test, err)

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self._failed(test, err)

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._failed(subtest, err)

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        print(reason)
        self._say("  SKIPPED ", test)


def main() -> None:
    """Runs the cases of the program, or those whose names contain its first argument."""
    loader = unittest.defaultTestLoader
    if len(sys.argv) > 1:
        loader.testNamePatterns = [f"*{sys.argv[1]}*"]
    suite = loader.loadTestsFromModule(sys.modules["__main__"])
    result = Result()
    suite.run(result)
    sys.exit(0 if result.wasSuccessful() and result.testsRun > 0 else 1)


class Folder(unittest.TestCase):
    """Cases that need an empty folder."""

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="sop-python-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name: str = "db") -> str:
        return os.path.join(self.folder, name)


class Both(Folder):
    """Cases that hold in memory and in a folder; `opened` is a database that is closed afterwards."""

    url = "inmemory:"

    def setUp(self) -> None:
        super().setUp()
        self.db = sop.open(self.path() if self.url == "folder" else self.url, create=True)
        self.addCleanup(self.db.close)


def on_disk(cls: Any) -> Any:
    """The same cases in a folder."""
    return type(cls.__name__ + "OnDisk", (cls,), {"url": "folder", "__module__": cls.__module__})
