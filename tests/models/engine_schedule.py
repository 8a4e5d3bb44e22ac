"""Schedules of engine.py as lines, for another engine to repeat: tests/crash/test_replay.c does.

What a line says is in docs/testing.md. The other engine runs one step at a time, and tells of a commit as soon as it has its position,
so what the model knows of that moment is what it must answer: readers see everything that has a position, answered or not."""
from engine_tree import HIGH, LOW


def key(at, up=False):
    """A bound as the first key inside, or (up) the first one behind; `-`: none."""
    if at in (LOW, HIGH):
        return "-"
    return str(int(at) + 1 if up else -int(-at // 1))


def words(result):
    """A result as one word."""
    if result is None:
        return "-"
    if isinstance(result, bool):
        return str(int(result))
    if isinstance(result, tuple):
        pairs = result if not result or isinstance(result[0], tuple) else (result,)
        return ",".join(f"{k}:{v}" for k, v in pairs) or "-"
    return str(result)


def picture(stores):
    """A state as one word."""
    return ";".join(f"{name}=" + ",".join(f"{k}:{v}" for k, v in sorted(items.items())) for name, items in sorted(stores.items()))


class Schedule:
    """Lines of words; a line that says what only later turns out is filled in then."""

    def __init__(self, seed, theme, number):
        self.lines, self.head, self.direct = [], ["schedule", str(seed), theme, str(number)], False
        self.open, self.silent, self.number, self.done = {}, set(), 0, False
        self.commits, self.empty = [], set()        # positions of the commits that are there; ids of those that changed nothing
        self.crashed = None

    def add(self, *line):
        line = [str(word) for word in line]
        if not self.done:
            self.lines.append(line)
        return line

    def stop(self):
        """What follows cannot be repeated, nor what has not come to its end."""
        self.done = True
        if self.crashed in self.lines[-1:]:
            self.lines.pop()

    # ---- transactions --------------------------------------------------------------------------------------------------------
    def begin(self, txn, expected=None):
        """`expected`: of a reader, the answers at the newest position."""
        if expected is None and (txn.txid in txn.engine.forest.txids or txn.txid in self.empty):
            self.silent.add(txn)                    # the other one would not let it begin
            return
        self.number += 1
        self.open[txn] = self.number, self.add("begin", self.number, txn.txid if expected is None else 0, "buffered"), expected

    def step(self, txn, i, op, *a, count):
        """Operation number i; `count`: of results before it."""
        if txn in self.silent:
            return
        number, _, expected = self.open[txn]
        result = [words(expected[i])] if expected else [words(x) for x in txn.results[count:]]
        if op in ("range", "rmrange"):
            a = a[0], key(a[1]), key(a[2], up=True)
        elif op in ("next", "prev"):
            a = a[0], key(a[1]) if op == "next" else int(a[1] // 1)
        self.add(op, number, *a, *result)

    def part(self, txn):
        """Before a part goes into the log; the first time the other one validates."""
        if txn not in self.silent:
            txn.doubtful = txn.doubtful or not txn.stands(txn.engine.applied)
            self.add("part", self.open[txn][0])

    def conflict(self, txn):
        """It did not hold at the position that it looked at: does it hold by now?"""
        if txn not in self.silent:
            self.add("rollback" if txn.stands(txn.engine.applied) else "conflict", self.open[txn][0])

    def read(self, txn):
        if txn not in self.silent:
            self.add("commit", self.open[txn][0], "-")

    def commit(self, txn, commands, state):
        if txn in self.silent:
            self.stop()
            return
        if txn.doubtful:        # what it has looked at was otherwise, and is again as it was
            self.stop()
        if not commands:
            self.empty.add(txn.txid)
        else:
            self.commits.append(txn.pos)
        self.add("commit", self.open[txn][0], txn.txid if commands else 0, picture(state))

    # ---- crashes -------------------------------------------------------------------------------------------------------------
    def crash(self, kind):
        if self.done:
            return
        if self.crashed is None:
            self.crashed = self.add("crash", kind)
        else:
            self.add("again", kind, self.steps)

    def recovered(self, must, last):
        """How many commits had to survive, and how many did."""
        if self.done:
            return
        least = sum(1 for p in self.commits if p <= must)
        self.commits = [p for p in self.commits if p <= last]
        self.crashed += [str(least), str(len(self.commits))]
        self.add("recovered")
        self.crashed, self.open, self.silent = None, {}, set()

    # ---- the end -------------------------------------------------------------------------------------------------------------
    def text(self):
        """A commit that its flush follows at once may as well wait for it. Of those with direct writes some: others do something meanwhile."""
        begun, running = {line[1]: line for line in self.lines if line[0] == "begin"}, set()
        for line, after in zip(self.lines, self.lines[1:]):
            if line[0] == "flush":
                running.add(line[1])
            elif line[0] == "flush-end":
                running.discard(line[1])
            elif line[0] == "crash":
                running.clear()
            elif line[0] == "commit" and line[-1] != "-" and after[0] == "flush" and not running and (not self.direct or int(line[1]) % 4 == 0):
                begun[line[1]][3] = after[2]
        return "\n".join(" ".join(line) for line in [[*self.head, "direct" if self.direct else "cached"], *self.lines, ["end"]])
