"""What the tests of sopctl share: running it, and running the cases of a file.

A case is a function that takes a Box: a folder of its own and sopctl.
usage of a test: test_x.py [SOPCTL [CASE...]]"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import traceback

SOPCTL = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2] / "build/release/bin/sopctl"
RUN_SECONDS_MAX = 300  # of one command: far more than any needs, on a slow machine too
CASES = []


class Skip(Exception):
    """Raised by a case that cannot run here, with the reason."""


def case(function):
    CASES.append(function)
    return function


class Result:
    """What a command answered."""

    def __init__(self, words, done):
        self.words, self.code = words, done.returncode
        self.raw, self.err = done.stdout, done.stderr.decode("utf-8", "replace")

    @property
    def out(self):
        return self.raw.decode("utf-8")

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
        return f"sopctl {' '.join(map(str, self.words))}: exit {self.code}\n{self.raw[:500]!r}\n{self.err[:2000]}"


class Box:
    """A folder that a case may fill, and sopctl."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.db = str(folder / "db")
        self.ends = []  # functions that end what a case has started

    def run(self, *words, code=0, stdin=b"", env=None):
        """Runs sopctl, which must end with `code` (None: any)."""
        if isinstance(stdin, str):
            stdin = stdin.encode()
        words = [str(word) for word in words]
        done = subprocess.run([self.program, *words], input=stdin, capture_output=True, timeout=RUN_SECONDS_MAX,
                              cwd=self.folder, env=self.environment(env))
        result = Result(words, done)
        assert code is None or result.code == code, f"exit {code} was expected\n{result}"
        assert result.code >= 0, f"a signal ended it\n{result}"
        return result

    def environment(self, more=None):
        kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "SOPCTL_HISTORY")}
        return {**kept, "LC_ALL": "C.UTF-8", "HOME": str(self.folder), **(more or {})}

    def start(self, *words, **how):
        """Starts sopctl and returns the process."""
        process = subprocess.Popen([self.program, *map(str, words)], cwd=self.folder, env=self.environment(),
                                   **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how})
        self.ends.append(process.kill)
        return process

    def end(self):
        for end in self.ends:
            end()

    def path(self, name, content=None):
        """The path of a file in the folder, which gets `content`."""
        path = self.folder / name
        if content is not None:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)


def equal(found, expected, what=""):
    assert found == expected, f"{what}\nfound    {found!r}\nexpected {expected!r}"


def contains(text, part):
    assert part in text, f"{part!r} is not in\n{text}"


def main():
    program = str(pathlib.Path(SOPCTL).resolve())
    wanted = sys.argv[2:]
    failed = 0
    for function in CASES:
        name = f"{pathlib.Path(sys.argv[0]).stem}.{function.__name__}"
        if wanted and function.__name__ not in wanted:
            continue
        folder = pathlib.Path(tempfile.mkdtemp(prefix="sopctl."))
        print(f"[ RUN      ] {name}", flush=True)
        box = Box(program, folder)
        try:
            function(box)
            print(f"[       OK ] {name}", flush=True)
        except Skip as why:
            print(f"SKIPPED {name}: {why}\n[  SKIPPED ] {name}", flush=True)
        except Exception:
            traceback.print_exc(file=sys.stdout)
            print(f"[  FAILED  ] {name} (again: {sys.argv[0]} {program} {function.__name__})", flush=True)
            failed += 1
        box.end()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failed else 0)
