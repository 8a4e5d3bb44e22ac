"""Counts the single cases in ctest's report, and shows the output of what failed. Called by ci/lib.sh.

usage: summary.py BUILD REPORT.xml
Prints lines for the caller: "passed N", "failed N", "skipped N", "trouble TEXT", and "| TEXT" to show."""
import re
import sys
import xml.etree.ElementTree

SHOWN_LINES = 120  # of the output of a failed test, from its end


def cases(ok, output):
    """(passed, failed, skipped) of one test program; a program without cmocka's lines is one case."""
    begun = len(re.findall(r"^\[ RUN +\]", output, re.MULTILINE))
    passed = len(re.findall(r"^\[ +OK \]", output, re.MULTILINE))
    skipped = len(re.findall(r"^\[  SKIPPED \] (?!\d+ test)", output, re.MULTILINE))
    if ok:
        return (passed if begun else 1), 0, skipped
    return passed, max(begun - passed - skipped, 1), skipped


def is_skipped(case):
    """Whether a program said that it cannot run here, by its exit status."""
    skipped = case.find("skipped")
    return skipped is not None and "SKIP_RETURN_CODE" in skipped.get("message", "")


def main():
    build, report = sys.argv[1:]
    total = [0, 0, 0]
    for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
        name, ok = case.get("name"), case.get("status") == "run"
        output = case.findtext("system-out") or ""
        if is_skipped(case):
            total[2] += 1
            for line in output.splitlines():
                if line.startswith("SKIPPED"):
                    print(f"| {line}")
            continue
        total = [sum(pair) for pair in zip(total, cases(ok, output))]
        if not ok:
            again = f"ctest --test-dir {build} --output-on-failure -R '^{re.escape(name)}$'"
            print(f"| --- {name} failed in {build}")
            for line in output.splitlines()[-SHOWN_LINES:]:
                print(f"|     {line}")
            print(f"|     again: {again}")
            print(f"trouble {name} in {build} (again: {again})")
    print("passed {}\nfailed {}\nskipped {}".format(*total))


main()
