"""What happens on a terminal: tables, questions, progress (a pseudo-terminal), the shell with its editing (tmux)."""
import json
import os
import pty
import re
import select
import shutil
import subprocess
import threading
import time
import unittest

from sopctl import SOPCTL, WAIT_SECONDS, case, contains, equal, main

COLUMNS, ROWS = 100, 30


def on_terminal(box, *words, answer=None, env=None):
    """Runs sopctl on a pseudo-terminal; `answer` is typed when a question has been asked. Returns exit code and screen."""
    master, slave = pty.openpty()
    import fcntl
    import struct
    import termios
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen([SOPCTL, *map(str, words)], stdin=slave, stdout=slave, stderr=slave, cwd=box.folder,
                               env=box.environment({"TERM": "xterm", **(env or {})}))
    os.close(slave)
    screen, typed, deadline = b"", False, time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if select.select([master], [], [], 1)[0]:
            try:
                part = os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            screen += part
        if answer is not None and not typed and screen.rstrip().endswith(b"[y/N]"):
            os.write(master, answer.encode())
            typed = True
    os.close(master)
    return process.wait(WAIT_SECONDS), screen.decode("utf-8", "replace").replace("\r\n", "\n")


def fill(box):
    lines = "".join(json.dumps([f"{i:04}", "v" * 200]) + "\n" for i in range(20))
    box.run("import", box.db, "s", "--create", stdin=lines)


@case
def a_table_that_fits_the_terminal(box):
    fill(box)
    code, screen = on_terminal(box, "scan", box.db, "s", "--color", "never")
    lines = screen.splitlines()
    equal((code, lines[0], len(lines)), (0, "key   value", 21))
    for line in lines:
        assert len(line) <= COLUMNS, line
    assert lines[1].endswith("\u2026"), lines[1]


@case
def colours_are_there_unless_refused(box):
    fill(box)
    contains(on_terminal(box, "stores", box.db)[1], "\033[1m")
    assert "\033[1m" not in on_terminal(box, "stores", box.db, env={"NO_COLOR": "1"})[1]
    assert "\033[1m" not in on_terminal(box, "stores", box.db, env={"TERM": "dumb"})[1]
    assert "\033[1m" not in on_terminal(box, "stores", box.db, "--color", "never")[1]


@case
def what_destroys_asks_and_does_what_is_answered(box):
    fill(box)
    for answer, code in (("n\n", 7), ("\n", 7), ("yesterday\n", 7), ("\x04", 7)):
        found, screen = on_terminal(box, "drop", box.db, "s", answer=answer)
        equal(found, code, screen)
        contains(screen, "drop the store 's' and its 20 items? [y/N]")
    equal(box.run("count", box.db, "s").row, {"count": 20})
    equal(on_terminal(box, "drop", box.db, "s", answer="Y\n")[0], 0)
    equal(box.run("stores", box.db).rows, [])


@case
def progress_is_a_line_that_goes(box):
    lines = "".join('{"key":"%d","value":"%s"}\n' % (i, "x" * 100) for i in range(400000))
    file = box.path("in.jsonl", lines)
    box.run("create", box.db, "s")
    code, screen = on_terminal(box, "import", box.db, "s", file, "--color", "never")
    equal(code, 0, screen[-500:])
    assert re.search(r"import  \[[#.]{20}\] +\d+%  [\d,]+ items  [\d.]+ .B of [\d.]+ MB", screen), screen[:500]
    contains(screen, "/s")
    last = screen[screen.rindex("\r\033[K"):]  # nothing of it stays
    assert "import  [" not in last and "items         400000\n" in last, last
    assert "import" not in on_terminal(box, "import", box.db, "s", file, "--quiet")[1]


# ---- tmux: what people see


class Screen:
    """A terminal of its own with a program in it."""

    def __init__(self, box, *words, env=""):
        if shutil.which("tmux") is None:
            raise unittest.SkipTest("there is no tmux (ci/setup installs it)")
        self.socket = box.folder / f"tmux{len(box.ends)}"
        box.ends.append(self.close)
        line = " ".join(f"'{word}'" for word in (SOPCTL, *map(str, words)))
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), "-s", "t",
                  f"cd '{box.folder}'; HOME='{box.folder}' LC_ALL=C.UTF-8 {env} {line}; echo \"exit $?\"; exec sleep 1000")

    def tmux(self, *words):
        return subprocess.run(["tmux", "-u", "-S", str(self.socket), *words], capture_output=True, check=True,
                              timeout=60).stdout.decode("utf-8", "replace")

    def type(self, *keys):
        self.tmux("send-keys", "-t", "t", *keys)

    def text(self):
        return self.tmux("capture-pane", "-p", "-t", "t")

    def wait_for(self, part, seconds=60):
        """Waits until `part` is on the screen."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            text = self.text()
            if part in text:
                return text
            time.sleep(0.1)
        raise AssertionError(f"{part!r} did not come\n{self.text()}")

    def close(self):
        subprocess.run(["tmux", "-S", str(self.socket), "kill-server"], capture_output=True, check=False, timeout=60)


@case
def shell_completes_and_remembers(box):
    box.run("create", box.db, "customers")
    box.run("put", box.db, "customers", "ann", "thirty")
    screen = Screen(box, "shell", box.db)
    screen.wait_for("sop>")
    screen.type("sto", "Tab")
    screen.wait_for("sop> stores")
    screen.type("Enter")
    screen.wait_for("customers      1")
    screen.type("sca", "Tab", "cus", "Tab")
    screen.wait_for("sop> scan customers")
    screen.type("Enter")
    screen.wait_for("ann  thirty")
    screen.type("count customers --pre", "Tab")
    screen.wait_for("count customers --prefix")
    screen.type("a -o raw", "Enter")
    screen.wait_for("\n1\n")
    screen.type("quit", "Enter")
    screen.wait_for("exit 0")
    screen.close()
    again = Screen(box, "shell", box.db)
    again.wait_for("sop>")
    again.type("Up", "Up")
    again.wait_for("sop> count customers --prefix a -o raw")
    again.type("C-c")
    again.type("C-u", "quit", "Enter")
    again.wait_for("exit 0")
    again.close()


@case
def an_interrupt_ends_a_command_and_not_the_shell(box):
    box.run("create", box.db, "s")
    screen = Screen(box, "shell", box.db)
    screen.wait_for("sop>")
    screen.type("import s", "Enter")  # from this terminal, until an end that does not come
    for _ in range(60):
        screen.type('["a","b"]', "Enter")  # is echoed once it is import that reads
        time.sleep(1)
        if '["a","b"]' in screen.text():
            break
    screen.type("C-c")
    screen.wait_for("CANCELLED: interrupted")
    screen.type("stores -o raw", "Enter")
    screen.wait_for("\ns\n")
    screen.type("quit", "Enter")
    screen.wait_for("exit 0")
    screen.close()


def work(box):
    """A process that commits all the time, through exec; ends when its input does."""
    box.run("create", box.db, "s")
    worker = box.start("exec", box.db)

    def feed():
        try:
            for i in range(10**9):
                worker.stdin.write(json.dumps({"id": i, "ops": [{"op": "put", "store": "s", "key": str(i % 100), "value": "v"}]}).encode() + b"\n")
                worker.stdin.flush()
                worker.stdout.readline()
        except (OSError, ValueError):
            pass

    threading.Thread(target=feed, daemon=True).start()
    return worker


@case
def top_watches_another_process(box):
    worker = work(box)
    screen = Screen(box, "top", box.db, "--interval-ms", "200")
    screen.wait_for(f"process {worker.pid}")
    text = screen.wait_for("q quits")  # which is drawn last
    for part in ("commits", "conflicts", "retries", "latency", "cache", "oldest", "dirty", "q quits"):
        contains(text, part)
    deadline = time.monotonic() + 60
    while not re.search(r"^commits +[0-9]*[1-9][0-9.]* +[0-9,]+$", screen.text(), re.M):
        assert time.monotonic() < deadline, screen.text()
        time.sleep(0.2)
    contains(screen.wait_for("half of the commits"), "99%")
    worker.kill()
    screen.wait_for("nobody has it open")
    screen.type("q")
    screen.wait_for("exit 0")
    screen.close()


@case
def top_tells_programs_in_rows(box):
    worker = work(box)
    deadline = time.monotonic() + 60
    while box.run("top", box.db, "-n", 1, code=None).returncode != 0:  # until it has it open
        assert time.monotonic() < deadline
        time.sleep(0.1)
    rows = box.run("top", box.db, "-n", 30, "-i", 200).rows
    equal([row["process"] for row in rows], [worker.pid] * 30)
    assert any(row["commits_per_second"] > 0 for row in rows), rows
    assert rows[-1]["commits"] > rows[0]["commits"], rows
    worker.kill()
    worker.wait()
    contains(box.run("top", box.db, code=1).err, "NOT_FOUND")
    contains(box.run("top", box.folder / "nothing", code=1).err, "NOT_FOUND")
    process = box.start("top", "inredfs:" + box.db + "?x=y")
    equal(process.wait(WAIT_SECONDS), 1)


main()
