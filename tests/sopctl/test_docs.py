"""The pages that show sopctl: their examples run, one after the other in one folder, and print what the page says they do."""
import os
import pathlib
import re
import subprocess
import sys

from sopctl import ROOT, SOPCTL, WAIT_SECONDS, Case, main

CHANGES = ((re.compile(r'"txn":"[^"]*"'), '"txn":"..."'), (re.compile(r'"(position|version)":\d+'), r'"\1":N'))


def blocks(path):
    """(line, language, code, expected output or None) of each example of a page."""
    text = path.read_text(encoding="utf-8")
    for match in re.finditer(r"^```(bash|python)\n(.*?)^```\n(?:```output\n(.*?)^```\n)?", text, re.M | re.S):
        yield text.count("\n", 0, match.start()) + 1, match.group(1), match.group(2), match.group(3)


def settled(text):
    """`text` without what differs from run to run."""
    for pattern, instead in CHANGES:
        text = pattern.sub(instead, text)
    return text


class Page(Case):
    def run_page(self, name, least, *languages):
        environment = dict(os.environ, PATH=f"{pathlib.Path(SOPCTL).resolve().parent}:{os.environ['PATH']}")
        examples = [block for block in blocks(ROOT / name) if block[1] in languages]
        self.assertGreaterEqual(len(examples), least)
        for line, language, code, expected in examples:
            command = ["bash", "-euo", "pipefail", "-c", code] if language == "bash" else [sys.executable, "-c", code]
            done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True,
                                  timeout=WAIT_SECONDS, check=False)
            self.assertEqual(done.returncode, 0, f"{name}:{line}\n{done.stderr}")
            self.assertIsNotNone(expected, f"{name}:{line} shows no output")
            self.assertEqual(settled(done.stdout), settled(expected), f"{name}:{line}")

    def test_exec(self):
        self.run_page("docs/exec.md", 5, "bash", "python")

    def test_readme(self):
        self.run_page("README.md", 1, "bash")  # what is in Python there is a matter of its package


if __name__ == "__main__":
    main()
