"""Checks the table of operations: every exported function is covered or listed with the reason why not, the decoders are what it
says, and each operation is made by programs, checked by the model and explained in the README.

usage: check_table.py"""
import pathlib
import sys

sys.dont_write_bytecode = True

import generate  # noqa: E402
import model  # noqa: E402
import program  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent


def coverage(table):
    exported = set((HERE.parent / "abi" / "exported.txt").read_text().split())
    covered = {name for operation in table["operations"] for name in operation["covers"].split()}
    excused = set(table["not_covered"])
    yield from (f"{name} is exported, but no operation covers it and `not_covered` has no reason" for name in exported - covered - excused)
    yield from (f"{name} is in operations.json, but not exported" for name in (covered | excused) - exported)
    yield from (f"{name} is covered, and excused as well" for name in covered & excused)


def calls(table):
    """What an operation covers must be called by the machine of C, or claiming it would mean nothing."""
    text = "".join(path.read_text() for path in (HERE / "c").glob("*.c"))
    covered = {name for operation in table["operations"] for name in operation["covers"].split()}
    yield from (f"{name} is said to be covered, but the machine of C does not call it" for name in covered if f"{name}(" not in text
                and f", {name}" not in text)


def programs(table):
    """Operations that no program has, and answers that no operation gives."""
    names, marks = {operation["name"] for operation in table["operations"]}, set()
    for seed in range(1, 11):
        for backend in ("inmemory", "inredfs"):
            marks |= {line.split(" ")[2] for line in program.generate(seed, 1000, backend)}
    yield from (f"no program has {name}" for name in names - marks)
    yield from (f"the model does not check {name}" for name in names - model.IN_TRANSACTION if not hasattr(model.Checker, "check_" + name))


def stale(_):
    for name, text in generate.files():
        path = HERE / name
        if not path.exists() or path.read_text() != text:
            yield f"{name} is not what operations.json says; run tests/conformance/generate.py"


def main():
    table, failed = generate.load(), False
    for check in (coverage, calls, programs, stale):
        print(f"[ RUN      ] {check.__name__}")
        problems = sorted(check(table))
        print(*(f"  {problem}" for problem in problems), sep="\n", end="\n" if problems else "")
        print(f"[{'  FAILED  ' if problems else '       OK '}] {check.__name__}")
        failed = failed or bool(problems)
    return failed


if __name__ == "__main__":
    sys.exit(main())
