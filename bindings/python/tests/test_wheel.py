"""A wheel is built, installed into an empty virtual environment, and works there on its own."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

from support import BUILD, SOURCE, Folder, main

PROGRAM = """
import sop, sys, os
assert sop.__file__.startswith(sys.prefix), sop.__file__
S = sop.Store("s", key=sop.STR, value=sop.JSON)
with sop.open(sys.argv[1], create=True) as db:
    with db.write() as tx:
        tx[S]["a"] = {"b": [1, 2.5, None]}
    assert db[S]["a"] == {"b": [1, 2.5, None]}
with open("/proc/self/maps") as maps:
    mapped = maps.read()
assert "libsopdb.so" not in mapped
assert os.path.dirname(sop.__file__) + "/libjansson.so.4" in mapped, "the library of the system is used"
print(sop.__version__)
"""


class Wheel(Folder):
    def run_in(self, *command: object, **options: object) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            [str(word) for word in command],
            env=environment,
            capture_output=True,
            text=True,
            timeout=500,
            cwd=self.folder,
            **options,
        )  # type: ignore[call-overload]
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_it_works_in_a_clean_environment(self) -> None:
        tools = pathlib.Path(SOURCE, "build/python-tools/bin")
        self.assertTrue(tools.exists(), "pip and scikit-build-core are missing: run ci/setup")
        package = pathlib.Path(self.folder, "package")  # so that nothing is written into the sources
        package.mkdir()
        for name in ("bindings", "include"):
            shutil.copytree(pathlib.Path(SOURCE, name), package / name, ignore=shutil.ignore_patterns("go", "java"))
        shutil.copy(pathlib.Path(SOURCE, "LICENSE"), package)
        self.run_in(
            tools / "pip",
            "wheel",
            "--no-build-isolation",
            "--no-deps",
            "--no-index",
            "--wheel-dir",
            "wheels",
            "--config-settings",
            f"cmake.define.SOP_PREBUILT={BUILD}",
            package / "bindings/python",
        )
        (wheel,) = pathlib.Path(self.folder, "wheels").glob("sopdb-*.whl")
        names = zipfile.ZipFile(wheel).namelist()
        for name in ("sop/py.typed", "sop/_raw.pyi", "sop/aio.py", "sop/libjansson.so.4", "sop/licences/LICENSE"):
            self.assertIn(name, names)
        self.run_in(sys.executable, "-m", "venv", "--without-pip", "clean")
        self.run_in(tools / "pip", "--python", "clean/bin/python", "install", "--no-index", "--no-deps", wheel)
        version = self.run_in("clean/bin/python", "-c", PROGRAM, self.path())
        import sop

        self.assertEqual(version.strip(), sop.__version__)


if __name__ == "__main__":
    main()
