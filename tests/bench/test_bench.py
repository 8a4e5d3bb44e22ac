"""Tests of the bench itself, with few records and the engines that every build has: that it checks what it reads, and
that what it says is whole.

usage: test_bench.py BENCH
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile

TIMEOUT_S = 120
REPETITIONS = 2
ROWS = {
    "bulk_seq", "bulk_rand", "bulk_seq_1k", "get_rand", "get_rand100", "get_many100", "get_zipf", "scan_full", "scan_range100",
    "ycsb_c", "get_rand_1k", "scan_full_1k", "commit1", "update_rand", "delete_rand", "commit1_1k", "update_rand_1k", "ycsb_a",
    "ycsb_b", "ycsb_f", "ycsb_e", "counters", "counters_add", "counters_nosync",
}
ON_DISK = "bulk_rand,get_rand,scan_range100,commit1,delete_rand,ycsb_e,ycsb_f,counters,open,recover"
PERSISTENT = {"open", "recover"}  # rows that engines in memory do not have
# What each planted fault must be called, in the row that should find it.
FAULTS = [
    ("flips-bits", "get_rand", "a value is not what was written"),
    ("flips-bits", "get_many100", "a value is not what was written"),
    ("flips-bits", "scan_full", "a value is not what was written"),
    ("flips-bits", "get_rand_1k", "a value is not what was written"),
    ("loses-puts", "scan_range100", "a scan"),
    ("loses-puts", "bulk_rand", "a scan"),
    ("loses-overwrites", "commit1", "a commit is lost"),
    ("loses-overwrites", "update_rand", "a commit is lost"),
    ("loses-overwrites", "ycsb_a", "does not see what was committed before|a commit is lost"),
    ("keeps", "delete_rand", "a scan gave another key than the next"),
    ("skips-additions", "counters", "an addition is lost"),
    ("skips-additions", "counters_add", "an addition is lost"),
    ("skips-additions", "ycsb_f", "does not see what was committed before|a commit is lost"),
    ("forgets", "bulk_seq", "a scan ended too early"),
    ("forgets", "counters", "an addition is lost"),
    ("forgets", "open", "a key is missing"),
]


class Bench:
    """Runs the program in an empty folder."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def run(self, *options, code=0):
        command = [self.program, "--dir", self.folder, "--milliseconds", "10", "--repetitions", str(REPETITIONS), *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        assert done.returncode == code, f"{command}\n{done.returncode}, not {code}\n{done.stdout}{done.stderr}"
        assert not [name for name in os.listdir(self.folder) if name.startswith("bench.")], f"{command} left its folder behind"
        return done

    def json(self, *options):
        path = os.path.join(self.folder, "out.json")
        table = self.run("--json", path, *options).stdout
        with open(path, encoding="utf-8") as file:
            return json.load(file), table


def check_run(run, table, engines):
    """Every row has a rate of each engine and repetition, a ratio that follows from them, and a line in the table."""
    for row in run["rows"]:
        rates = row["rates"]
        if row["name"] in PERSISTENT:
            assert sorted(rates) == ["sop"] and len(rates["sop"]) == REPETITIONS and min(rates["sop"]) > 0, row
            continue
        assert sorted(rates) == sorted(engines), row
        assert all(len(values) == REPETITIONS and min(values) > 0 for values in rates.values()), row
        best = [max(rates[peer][i] for peer in engines[1:]) for i in range(REPETITIONS)]
        ratio = statistics.median(mine / other for mine, other in zip(rates[engines[0]], best))
        assert abs(row["ratio"] - ratio) <= 1e-4 + 1e-4 * ratio, (row, ratio)
        assert any(line.split()[:1] == [row["name"]] and line.split()[-1] == f"{ratio:.2f}" for line in table.splitlines()), row
    for figure in run["figures"]:
        assert all(len(values) == REPETITIONS and min(values) >= 0 for values in figure["values"].values()), figure


def all_rows_in_memory(bench):
    out, table = bench.json("--memory", "--items", "1000,2000")
    engines = [engine["name"] for engine in out["engines"]]
    assert engines[0] == "memory" and len(out["runs"]) == 2, out
    for run, items in zip(out["runs"], (1000, 2000)):
        assert run["items"] == items and {row["name"] for row in run["rows"]} == ROWS, run
        if len(engines) > 1:  # the map needs a library
            check_run(run, table, engines)
    assert "by number of records" in table and "other figures of memory" in table, table


def rows_on_disk(bench):
    out, table = bench.json("--engines", "sop,memory", "--items", "1000", "--rows", ON_DISK)
    assert [engine["name"] for engine in out["engines"]] == ["sop", "memory"] and out["runs"][0]["items"] == 1000, out
    check_run(out["runs"][0], table, ["sop", "memory"])
    figures = {figure["name"]: figure["values"] for figure in out["runs"][0]["figures"]}
    assert min(figures["bulk_rand: MB on disk when closed"]["sop"]) > 0.1, figures
    assert min(figures["commit1 x16: p99.9 us"]["sop"]) >= min(figures["commit1 x16: p99 us"]["sop"]) > 0, figures
    assert min(figures["commit1 x16: bytes on disk for a byte"]["sop"]) > 1, figures
    assert min(figures["bulk_rand: bytes to write(2) for a byte"]["sop"]) > 1, figures


def what_a_dead_process_lost_is_found(bench):
    """What a process loses that dies is told by the one that opens the database behind it."""
    options = ("--engines", "sop", "--items", "20000", "--rows", "recover")
    table = bench.run(*options).stdout
    assert any(line.split()[:2] == ["recover", "opens"] for line in table.splitlines()), table
    said = bench.run(*options, "--plant", "loses-overwrites", code=1).stderr
    assert "WRONG: a commit is lost" in said or "WRONG: opening shows another generation" in said, said


def faults_are_found(bench):
    for fault, row, message in FAULTS:
        said = bench.run("--engines", "memory", "--items", "20000", "--rows", row, "--plant", fault, code=1).stderr
        assert "WRONG" in said and any(part in said for part in message.split("|")), (fault, row, said)


def wrong_options_are_refused(bench):
    for options in (["--nothing"], ["--items", "x"], ["--items"], ["--engines", "nothing"], ["--sop", "x"],
                    ["--memory", "--plant", "nothing"]):
        assert bench.run(*options, code=2).stderr, options
    assert "WRONG" not in bench.run("--engines", "memory", "--rows", "bulk_seq", "--items", "1000").stderr
    assert "cache_bytes" in bench.run("--engines", "sop", "--rows", "get_rand", "--sop", "cache_bytes=x", code=1).stderr


def main():
    tests = (all_rows_in_memory, rows_on_disk, what_a_dead_process_lost_is_found, faults_are_found, wrong_options_are_refused)
    for test in tests:
        with tempfile.TemporaryDirectory(prefix="bench_test.", dir=".") as folder:
            test(Bench(sys.argv[1], folder))
            print("ok", test.__name__, flush=True)
    print(f"{len(tests)} tests passed")


if __name__ == "__main__":
    main()
