"""What one language writes every other reads, byte for byte.

Each language writes the same database from a program. The dumps must have the same hashes. Then each language opens what every other one
wrote, must read what C reads, leave the hashes as they are, and go on writing: the hashes must be the same again.

usage: pairs.py BUILD SOPCTL LANGUAGE..."""
import pathlib
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True

import machines  # noqa: E402
import model  # noqa: E402
import program  # noqa: E402

SEED = 7
WRITES = 60  # for each store, by the first language and then by the second


class Writer(program.Generator):
    """Fills all stores, in the ways that a language has."""

    def __init__(self, seed):
        super().__init__(seed, 0, "inredfs")
        self.stores = list(range(9))

    def write(self, first):
        self.say("open", 0, "f0", int(first))
        for store in self.stores:
            self.say("begin", 0, program.WRITE, "-")
            for _ in range(WRITES):
                what = self.dice.choice([self.do_put, self.do_put, self.do_insert, self.do_update, self.do_remove, self.do_put_many])
                what(0, store)
            if store in (program.EMP, program.EMPDUP):
                self.do_set_ride(0, store)
            self.say("commit", 0)
        self.do_run()
        return self.close()

    def do_run(self):
        for name in (b"n1", b"n2"):
            self.say("run", 0, program.RAW, program.hexed(name), 5, 1, "-", -1)

    def read(self):
        self.say("open", 0, "f0", 0)
        self.say("begin", 0, program.READ, "-")
        self.say("list", 0)
        for store in self.stores:
            self.say("describe", 0, store)
            self.say("scan", 0, store, "*", 0, 0)
            self.say("scan", 0, store, "*", 3, 0)
            for _ in range(10):
                self.do_get(0, store)
                self.say("fetch", 0, store, self.key(store), 0)
        return self.close()

    def close(self):
        self.say("close", 0)
        return self.lines


def hashes(sopctl, folder):
    done = subprocess.run([sopctl, "dump", folder / "f0", "--hash"], capture_output=True, text=True, check=True)
    if len(done.stdout.splitlines()) < 9:
        sys.exit(f"the dump of {folder} has fewer stores than were written: {done.stdout}")
    return done.stdout


class Pairs:
    def __init__(self, build, sopctl, languages, top):
        self.machines, self.sopctl, self.languages, self.top = machines.Machines(build), sopctl, languages, top
        self.failed = False

    def case(self, name, problem):
        """Reports one case; `problem` is what is wrong, or None."""
        print(f"[ RUN      ] {name}")
        if problem is not None:
            print("  " + problem)
            self.failed = True
        print(f"[{'  FAILED  ' if problem is not None else '       OK '}] {name}", flush=True)

    def run(self, language, lines, folders):
        """What the language printed for the same program in each of the folders."""
        programs = [machines.Program(folder.name, lines) for folder in folders]
        printed = self.machines.run(language, programs, folders)
        return [printed[folder.name] for folder in folders]

    def answers(self, lines, printed, expected):
        found = next(machines.unlike(printed, expected), None)
        return None if found is None else f"`{lines[found[0]]}` answered `{found[1]}`, in C `{found[2]}`"

    def all(self):
        # Values that the stack gives depend on what was answered, and so do these programs: the same for all.
        write, read, more = Writer(SEED).write(True), Writer(SEED + 1).read(), Writer(SEED + 2).write(False)
        written, expected = {}, {}
        for language in self.languages:
            folder = self.top / f"by-{language}"
            written[language] = self.run(language, write, [folder])[0]
            expected[language] = hashes(self.sopctl, folder)
            problem = self.answers(write, written[language], written["c"])
            if problem is None and expected[language] != expected["c"]:
                problem = f"the hashes of the dump are not those of C:\n{expected[language]}{expected['c']}"
            self.case(f"{language} writes", problem or self.judged(write, written[language]))
        reference = None
        for reader in self.languages:
            folders = [self.top / f"by-{writer}-then-{reader}" for writer in self.languages]
            for writer, folder in zip(self.languages, folders):
                shutil.copytree(self.top / f"by-{writer}", folder)
            seen = self.run(reader, read, folders)
            after = [hashes(self.sopctl, folder) for folder in folders]
            went_on = self.run(reader, more, folders)
            end = [hashes(self.sopctl, folder) for folder in folders]
            reference = reference or (seen[0], went_on[0], end[0])
            for at, writer in enumerate(self.languages):
                problem = self.answers(read, seen[at], reference[0]) or self.answers(more, went_on[at], reference[1])
                if problem is None and after[at] != expected["c"]:
                    problem = "reading has changed the dump"
                if problem is None and end[at] != reference[2]:
                    problem = f"what {reader} wrote has other hashes than in C:\n{end[at]}{reference[2]}"
                self.case(f"{writer} writes, {reader} reads and goes on", problem)

    @staticmethod
    def judged(lines, printed):
        wrong = model.first_wrong(lines, printed)
        return None if wrong is None else wrong[1]


def main():
    build, sopctl, *languages = sys.argv[1:]
    with machines.scratch() as top:
        pairs = Pairs(build, sopctl, languages, pathlib.Path(top))
        pairs.all()
    return pairs.failed


if __name__ == "__main__":
    sys.exit(main())
