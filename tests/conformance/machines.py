"""Runs programs on the machines of the languages, many in one process, and says where they differ."""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import model

HERE = pathlib.Path(__file__).resolve().parent
LANGUAGES = ("c", "python", "go", "java")
TIMEOUT_S = 300  # for a batch of programs, which takes some seconds


class Program:
    """Instructions under a name."""

    def __init__(self, name, lines):
        self.name, self.lines = name, lines


def scratch():
    """A folder for databases: in memory where the system has room for that, since nobody pulls the plug here."""
    memory = pathlib.Path("/dev/shm")
    usable = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 << 30
    return tempfile.TemporaryDirectory(prefix="sop-conformance-", dir=memory if usable else None)


class Machines:
    """The machines that a build has."""

    def __init__(self, build, environment=None):
        self.folder = pathlib.Path(build) / "conformance"
        self.environment = {**os.environ, **(environment or {})}
        self.loud = True  # prints what a machine says when it fails

    def has(self, language):
        return (self.folder / f"conformance_{language}").exists()

    def start(self, language, programs, folders):
        """What the machine printed for each program, by name; None where it did not come to the end of one."""
        text = "".join("\n".join([f"program {program.name} {folder}", *program.lines, "end", ""])
                       for program, folder in zip(programs, folders))
        try:
            done = subprocess.run([self.folder / f"conformance_{language}"], input=text.encode(), capture_output=True,
                                  env=self.environment, timeout=TIMEOUT_S, check=False)
            status, output, errors = done.returncode, done.stdout, done.stderr.decode(errors="replace").strip()
        except subprocess.TimeoutExpired as hung:
            status, output, errors = "none", hung.stdout or b"", f"it did not end within {TIMEOUT_S} s and was killed"
        printed = dict(model.blocks(output.decode(errors="replace").splitlines()))
        if status != 0 and self.loud:
            print(errors[-4000:], flush=True)
        return printed, status, errors.splitlines()[-1] if errors else "(nothing on standard error)"

    def run(self, language, programs, folders=None):
        """The lines that the machine printed for each program. After one on which it crashed it is started again."""
        outputs = {}
        with scratch() as top:
            folders = folders or [pathlib.Path(top) / str(at) for at in range(len(programs))]
            for folder in folders:
                folder.mkdir(exist_ok=True)
            at = 0
            while at < len(programs):
                printed, status, errors = self.start(language, programs[at:], folders[at:])
                ended = [len(printed.get(program.name, ())) >= len(program.lines) for program in programs[at:]]
                count = ended.index(False) if False in ended else len(ended)
                for program in programs[at:at + count + 1]:
                    outputs[program.name] = printed.get(program.name, [])
                if count == len(ended) and status != 0:
                    outputs[programs[-1].name] += [f"exit status {status}: {errors}"]
                elif count < len(ended):
                    outputs[programs[at + count].name] += [f"the machine ended with status {status}: {errors}"]
                at += count + 1
        return outputs

    def run_all(self, languages, programs):
        """{language: what it printed}, side by side."""
        with concurrent.futures.ThreadPoolExecutor(len(languages)) as pool:
            tasks = {language: pool.submit(self.run, language, programs) for language in languages}
            return {language: task.result() for language, task in tasks.items()}


class Difference:
    """The first instruction of a program that a language answered wrongly."""

    def __init__(self, program, language, index, text):
        self.program, self.language, self.index, self.text = program, language, index, text

    def __str__(self):
        return f"{self.program.name}: {self.language}: instruction {self.index + 1}: {self.text}"


def unlike(lines, reference):
    """Indexes of the lines that are not equal, with both."""
    for index in range(max(len(reference), len(lines))):
        mine, other = (side[index] if index < len(side) else "(nothing)" for side in (lines, reference))
        if mine != other:
            yield index, mine, other


def may_differ(instruction, mine, other):
    """Whether it is for the model to say if both answers are right."""
    if any(word in instruction for word in (" position ", " version ", " peek ", " outcome_of ")):
        return all(re.fullmatch(r"\d+ OK( [A-Z_]+)? \d+", answer) for answer in (mine, other))
    return re.match(r"\d+ CONFLICT RETRY\+ABORT store=", mine) and mine.split()[:3] == other.split()[:3]


def compare(program, outputs):
    """The first difference between the languages, `outputs` being {language: lines}, and between the first of them and the model; or
    None."""
    names = [*outputs]
    reference = outputs[names[0]]
    checked = {names[0]}
    for language, lines in outputs.items():
        for index, mine, other in unlike(lines, reference):
            what = program.lines[index] if index < len(program.lines) else "end"
            if may_differ(what, mine, other):
                checked.add(language)
                continue
            return Difference(program, language, index, f"`{what}` answered `{mine}`, in {names[0]} `{other}`")
    for language in names:
        if language in checked and (wrong := model.first_wrong(program.lines, outputs[language])) is not None:
            return Difference(program, language, *wrong)
    return None


def differences(machines, languages, programs):
    """Those of all programs: a list of Difference or None."""
    outputs = machines.run_all(languages, programs)
    return [compare(program, {language: lines[program.name] for language, lines in outputs.items()}) for program in programs]


def shrink(machines, languages, found, rounds=60):
    """A difference in a program as small as it gets by leaving out instructions: parts first, then one by one."""
    languages = [language for language in languages if language in (languages[0], found.language)]
    best, size = found, max(1, (found.index + 1) // 2)
    machines.loud = False
    lines = found.program.lines[:found.index + 1]
    for _ in range(rounds):
        parts = [lines[:at] + lines[at + size:] for at in range(0, len(lines), size)] if len(lines) > 1 else []
        tries = [Program(f"{found.program.name}-{number}", part) for number, part in enumerate(parts)]
        still = [difference for difference in differences(machines, languages, tries) if difference is not None] if tries else []
        if still:
            best = min(still, key=lambda difference: difference.index)
            lines = best.program.lines[:best.index + 1]
            size = min(size, max(1, len(lines) // 2))
        elif size == 1:
            break
        else:
            size = max(1, size // 2)
    best.program = Program(found.program.name, lines)
    machines.loud = True
    return best


def kept(folder):
    """The programs that once failed. Lines that begin with # say why."""
    return [Program(path.stem, [line for line in path.read_text().splitlines() if line and not line.startswith("#")])
            for path in sorted(pathlib.Path(folder).glob("*.txt"))]


def keep(folder, found):
    """Writes a shrunk program where every later run finds it."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w-]", "_", found.program.name)
    path = folder / f"{name}.txt"
    path.write_text(f"# {found.language}: {found.text}\n" + "\n".join(found.program.lines) + "\n")
    return path
