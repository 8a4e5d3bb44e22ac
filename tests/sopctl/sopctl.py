"""What the tests of sopctl share: running it, talking to `sopctl exec`, and reporting each case.

A case is a method of a class that is a Case, or a function with the decorator `case`, which takes a Box: a folder of its own and
sopctl in it.
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
SOPCTL = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "release" / "bin" / "sopctl").resolve())
SEED = int(os.environ.get("SOP_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
SCALE = float(os.environ.get("SOP_TEST_SCALE", "1"))
WAIT_SECONDS = 300  # for a process: far more than any takes, even on a busy machine


class Done(subprocess.CompletedProcess):
    """What a command answered."""

    @property
    def out(self):
        return self.stdout.decode("utf-8")

    @property
    def err(self):
        return self.stderr.decode("utf-8", "replace")

    @property
    def rows(self):
        """The objects of an answer in JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def row(self):
        rows = self.rows
        assert len(rows) == 1, f"{self}: one row was expected"
        return rows[0]

    def __str__(self):
        return f"{' '.join(self.args)}: exit {self.returncode}\n{self.stdout[:2000]!r}\n{self.err[:2000]}"


def environment(**more):
    """What sopctl is to see of the environment: nothing that a user may have set for it."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "SOPCTL_HISTORY")}
    return {**kept, "LC_ALL": "C.UTF-8", **more}


def sopctl(*arguments, stdin=b"", check=None, cwd=None, env=None):
    """Runs sopctl to its end; checks its exit code if one is given."""
    if isinstance(stdin, str):
        stdin = stdin.encode()
    words = [SOPCTL, *map(str, arguments)]
    done = subprocess.run(words, input=stdin, capture_output=True, timeout=WAIT_SECONDS, check=False, cwd=cwd,
                          env=env or environment())
    done = Done(words, done.returncode, done.stdout, done.stderr)
    assert done.returncode >= 0, f"a signal ended it\n{done}"
    assert check is None or done.returncode == check, f"exit {check} was expected\n{done}"
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


class Box:
    """A folder that a test may fill, and sopctl in it."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sopctl-"))
        self.db = str(self.folder / "db")
        self.ends = []  # functions that end what the test has started

    def environment(self, more=None):
        return environment(HOME=str(self.folder), **(more or {}))

    def run(self, *words, code=0, stdin=b"", env=None):
        """Runs sopctl, which must end with `code` (None: any)."""
        return sopctl(*words, stdin=stdin, check=code, cwd=self.folder, env=self.environment(env))

    def start(self, *words, **how):
        """Starts sopctl and returns the process."""
        process = subprocess.Popen([SOPCTL, *map(str, words)], cwd=self.folder, env=self.environment(),
                                   **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how})
        self.ends.append(process.kill)
        return process

    def path(self, name, content=None):
        """The path of a file in the folder, which gets `content`."""
        path = self.folder / name
        if content is not None:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def end(self):
        for end in self.ends:
            end()
        shutil.rmtree(self.folder, ignore_errors=True)


class Case(unittest.TestCase):
    """A test with a box of its own, and one `exec` in memory that it may use."""

    def setUp(self):
        self.box = Box()
        self.addCleanup(self.box.end)
        self.folder = self.box.folder

    def exec(self, url="inmemory:", *options):
        process = Exec(url, *options)
        self.box.ends.append(process.kill)
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


def case(function):
    """Makes a function that takes a Box a test."""
    return type(function.__name__, (Case,), {"test": lambda self: function(self.box), "__module__": function.__module__})


def equal(found, expected, what=""):
    assert found == expected, f"{what}\nfound    {found!r}\nexpected {expected!r}"


def contains(text, part):
    assert part in text, f"{part!r} is not in\n{text}"


class Result(unittest.TextTestResult):
    """Prints each case as cmocka does, so that they are counted."""

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        print(f"[ RUN      ] {test.id()}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        print(f"[       OK ] {test.id()} {time.monotonic() - self.began:.1f} s", flush=True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"SKIPPED {test.id()}: {reason}\n[  SKIPPED ] {test.id()}", flush=True)

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
