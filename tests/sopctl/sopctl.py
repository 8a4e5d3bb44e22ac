"""What the tests of exec, dump, load and verify share: talking to `sopctl exec`, and reporting each case.

usage of a test: test_x.py [SOPCTL [PART-OF-A-NAME...]]"""
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOPCTL = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "build" / "release" / "bin" / "sopctl")
SEED = int(os.environ.get("SOP_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
SCALE = float(os.environ.get("SOP_TEST_SCALE", "1"))
WAIT_SECONDS = 300  # for a process: far more than any takes, even on a busy machine


def sopctl(*arguments, stdin=b"", check=None):
    """Runs sopctl to its end; checks its exit code if one is given."""
    if isinstance(stdin, str):
        stdin = stdin.encode()
    done = subprocess.run([SOPCTL, *map(str, arguments)], input=stdin, capture_output=True, timeout=WAIT_SECONDS,
                          check=False)
    if check is not None and done.returncode != check:
        raise AssertionError(f"sopctl {arguments} gave {done.returncode}, not {check}:\n"
                             f"{done.stdout[:2000]}\n{done.stderr[:2000]}")
    return done


def lines(requests):
    """Requests as the input of exec."""
    return b"".join(request if isinstance(request, bytes) else json.dumps(request).encode() + b"\n"
                    for request in requests)


class Exec:
    """A running `sopctl exec` that is spoken to line by line."""

    def __init__(self, url, *options):
        self.process = subprocess.Popen([SOPCTL, "exec", str(url), *options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def send(self, request):
        self.process.stdin.write(lines([request]))
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def ask(self, request=None, **members):
        self.send(members if request is None else request)
        return self.answer()

    def close(self):
        """Ends the input; returns the exit code and what is left of the output."""
        rest, errors = self.process.communicate(timeout=WAIT_SECONDS)
        if errors:
            sys.stderr.write(errors.decode(errors="replace"))
        return self.process.returncode, rest

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=WAIT_SECONDS)


class Case(unittest.TestCase):
    """A test with a folder of its own, and one `exec` in memory that it may use."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sopctl-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.running = []
        self.addCleanup(self.kill_all)

    def kill_all(self):
        for process in self.running:
            process.kill()

    def exec(self, url="inmemory:", *options):
        process = Exec(url, *options)
        self.running.append(process)
        return process

    def run_lines(self, requests, url="inmemory:", *options, check=0):
        """The answers to requests that are given all at once."""
        done = sopctl("exec", url, *options, stdin=lines(requests), check=check)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def ok(self, db, *ops, **members):
        """Runs operations that must all be done; returns their entries."""
        answer = db.ask(dict({"ops": list(ops)}, **members))
        self.assertEqual(answer["status"], "OK", answer)
        return answer["results"]

    def fails(self, answer, status, **members):
        """Checks an answer that says that something failed."""
        self.assertEqual(answer["status"], status, answer)
        self.assertTrue(answer["message"], answer)
        for name, value in members.items():
            self.assertEqual(answer.get(name), value, (name, answer))


def op(what, store=None, key=None, value=None, **more):
    """An operation as a dictionary."""
    made = {"op": what}
    for field, content in (("store", store), ("key", key), ("value", value)):
        if content is not None:
            made[field] = content
    made.update(more)
    return made


class Result(unittest.TextTestResult):
    """Prints each case as cmocka does, so that they are counted."""

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        print(f"[ RUN      ] {test.id()}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        print(f"[       OK ] {test.id()} {time.monotonic() - self.began:.1f} s", flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        print(f"[  FAILED  ] {test.id()}", flush=True)

    def addError(self, test, err):
        super().addError(test, err)
        print(f"[  FAILED  ] {test.id()}", flush=True)


def main():
    """Runs the tests of the calling file; an argument chooses those whose name contains it."""
    begun = time.monotonic()
    module = sys.modules["__main__"]
    loader = unittest.defaultTestLoader
    if len(sys.argv) > 2:
        loader.testNamePatterns = [f"*{pattern}*" for pattern in sys.argv[2:]]
    print(f"seed {SEED}", flush=True)
    suite = loader.loadTestsFromModule(module)
    done = unittest.TextTestRunner(stream=sys.stdout, resultclass=Result, verbosity=0).run(suite)
    print(f"took {time.monotonic() - begun:.1f} s; again: SOP_TEST_SEED={SEED} {sys.argv[0]} {SOPCTL}")
    sys.exit(0 if done.wasSuccessful() and done.testsRun > 0 else 1)
