"""`sopctl exec` as a process: opening, ends of every kind, kill -9, threads, damage."""
import json
import os
import random
import resource
import signal
import subprocess
import threading
import time

from sopctl import SCALE, SEED, SOPCTL, WAIT_SECONDS, Case, Exec, lines, main, op, sopctl


def wait_until(true, what):
    """Waits for something that must come, however slow the machine is."""
    end = time.monotonic() + WAIT_SECONDS
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen in {WAIT_SECONDS} s")
        time.sleep(0.01)


class Opening(Case):
    def refused(self, done, status, code):
        self.assertEqual(done.returncode, code, done)
        told = json.loads(done.stdout)
        self.assertEqual((told["id"], told["status"]), (None, status), told)
        self.assertTrue(told["message"])
        return told

    def test_a_missing_database_is_not_made_without_create(self):
        path = self.folder / "db"
        self.refused(sopctl("exec", path, stdin=b'{"ops":[]}\n'), "NOT_FOUND", 1)
        self.assertFalse(path.exists())
        self.assertEqual(self.run_lines([{"ops": []}], path, "--create")[0]["status"], "OK")
        self.assertEqual(self.run_lines([{"ops": []}], path)[0]["status"], "OK")

    def test_a_folder_of_something_else_is_left_as_it_is(self):
        (self.folder / "letter").write_text("x")
        self.refused(sopctl("exec", self.folder, "--create", stdin=b'{"ops":[]}\n'), "EXISTS", 1)
        self.assertEqual(os.listdir(self.folder), ["letter"])

    def test_a_locked_database(self):
        path = self.folder / "db"
        db = self.exec(path, "--create")
        self.assertEqual(db.ask(ops=[])["status"], "OK")
        self.refused(sopctl("exec", path, stdin=b'{"ops":[]}\n'), "LOCKED", 6)
        done = sopctl("dump", path)
        self.assertEqual((done.returncode, json.loads(done.stderr)["status"], done.stdout), (6, "LOCKED", b""))
        self.assertEqual(sopctl("verify", path, "-o", "jsonl").returncode, 6)
        self.assertEqual(db.close(), (0, b""))

    def test_damage_is_told_with_file_and_offset(self):
        path = self.folder / "db"
        self.run_lines([{"ops": [op("create", "s"), op("put", "s", "a", "x" * 3000)]}, {"checkpoint": True}], path, "--create")
        manifest = path / "MANIFEST"
        data = bytearray(manifest.read_bytes())
        data[len(data) // 2] ^= 1
        manifest.write_bytes(data)
        told = self.refused(sopctl("exec", path, stdin=b'{"ops":[]}\n'), "CORRUPT", 4)
        self.assertEqual(told["file"], "MANIFEST")
        self.assertIsInstance(told["offset"], int)
        done = sopctl("dump", path)
        self.assertEqual((done.returncode, done.stdout), (4, b""))
        self.assertEqual(json.loads(done.stderr)["file"], "MANIFEST")
        done = sopctl("verify", path, "-o", "jsonl")
        self.assertEqual(done.returncode, 4, done)
        self.assertEqual([json.loads(line)["file"] for line in done.stdout.splitlines()], ["MANIFEST"])

    def test_other_urls(self):
        self.refused(sopctl("exec", "inredcfs:x"), "UNSUPPORTED", 7)
        self.refused(sopctl("exec", "inmemory:?x=y"), "MISUSE", 2)
        file = self.folder / "file"
        file.write_text("x")
        self.assertNotEqual(sopctl("exec", file, "--create").returncode, 0)

    def test_wrong_options(self):
        for wrong in (("--threads", "0"), ("--threads", "x"), ("--threads", "100000"), ("--nope",), ("x", "y")):
            done = sopctl("exec", "inmemory:", *wrong)
            self.assertEqual((done.returncode, done.stdout), (2, b""), done)

    def test_inmemory_keeps_nothing(self):
        for _ in range(2):
            self.assertEqual(self.run_lines([{"ops": [op("create", "s")]}])[0]["results"], [{}])


class Ends(Case):
    def start(self, *options):
        path = self.folder / "db"
        db = self.exec(path, "--create", *options)
        self.ok(db, op("create", "s"))
        return path, db

    def check_rolled_back_and_closed(self, path):
        left = self.run_lines([{"ops": [op("scan", "s", keys_only=True)]}], path)[0]["results"][0]["items"]
        self.assertEqual(left, ["done"])

    def test_the_end_of_the_input_rolls_back_open_sessions(self):
        for options in ((), ("--threads", "4")):
            with self.subTest(options):
                path, db = self.start(*options)
                self.ok(db, op("put", "s", "done", "1"))
                db.ask(session="x", begin={}, ops=[op("put", "s", "open", "1")])
                self.assertEqual(db.close(), (0, b""))
                self.check_rolled_back_and_closed(path)

    def test_signals_end_it_without_reading_on(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            for options in ((), ("--threads", "4")):
                with self.subTest((number, options)):
                    path, db = self.start(*options)
                    self.ok(db, op("put", "s", "done", "1"))
                    db.ask(session="x", begin={}, ops=[op("put", "s", "open", "1")])
                    db.process.send_signal(number)
                    wait_until(lambda: db.process.poll() is not None, "the end")
                    self.assertEqual(db.process.returncode, 0)
                    self.check_rolled_back_and_closed(path)

    def test_a_signal_while_it_is_busy(self):
        path, db = self.start()
        feed = lines([{"ops": [op("put", "s", "done", str(i))]} for i in range(2000)])
        feeder = threading.Thread(target=self.write_all, args=(db, feed))
        feeder.start()
        answers = [db.answer() for _ in range(10)]
        db.process.send_signal(signal.SIGTERM)
        answers += [json.loads(line) for line in db.process.stdout]
        feeder.join()
        wait_until(lambda: db.process.poll() is not None, "the end")
        self.assertEqual(db.process.returncode, 0)
        self.assertTrue(all(answer["status"] == "OK" for answer in answers))
        value = self.run_lines([{"ops": [op("get", "s", "done")]}], path)[0]["results"][0]
        self.assertEqual((value["value"], value["version"]), (str(len(answers) - 1), answers[-1]["position"]))

    @staticmethod
    def write_all(db, feed):
        try:
            db.process.stdin.write(feed)
            db.process.stdin.flush()
        except BrokenPipeError:
            pass

    def test_a_reader_that_goes_away_ends_it(self):
        for options in ((), ("--threads", "4")):
            with self.subTest(options):
                path, db = self.start(*options)
                self.ok(db, op("put", "s", "done", "1"))
                db.ask(session="x", begin={}, ops=[op("put", "s", "open", "1")])
                db.process.stdout.close()  # while it waits for input, which stays open
                wait_until(lambda: db.process.poll() is not None, "the end")
                self.assertEqual(db.process.returncode, 0)
                self.check_rolled_back_and_closed(path)

    def test_a_reader_that_goes_away_while_it_answers(self):
        path, db = self.start()
        self.ok(db, op("put", "s", "done", "1"))
        feed = lines([{"ops": [op("get", "s", "done")]}] * 50000)
        feeder = threading.Thread(target=self.write_all, args=(db, feed))
        feeder.start()
        db.answer()
        db.process.stdout.close()
        feeder.join()
        wait_until(lambda: db.process.poll() is not None, "the end")
        self.assertEqual(db.process.returncode, 0)
        self.check_rolled_back_and_closed(path)

    def test_answers_that_cannot_be_written_are_an_error(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([SOPCTL, "exec", "inmemory:"], input=b'{"ops":[]}\n', stdout=full, stderr=subprocess.PIPE,
                                  timeout=WAIT_SECONDS, check=False)
        self.assertEqual(done.returncode, 5)
        self.assertIn(b"IO", done.stderr)

    def test_input_that_cannot_be_read_is_an_error(self):
        """What reads requests from a broken disk must not believe that all of them were run."""
        for threads in ("1", "2"):
            folder = os.open(self.folder, os.O_RDONLY)  # reading it is EISDIR
            done = subprocess.run([SOPCTL, "exec", "inmemory:", "--threads", threads], stdin=folder, capture_output=True,
                                  timeout=WAIT_SECONDS, check=False)
            os.close(folder)
            self.assertEqual(done.returncode, 5)
            self.assertIn(b"IO", done.stderr)

    def test_closed_descriptors_do_not_reach_the_database(self):
        """Without standard output a file of the database must not take its place."""
        path = self.folder / "db"
        requests = lines([{"ops": [op("create", "s")]}] + [{"ops": [op("put", "s", f"k{i}", "v")]} for i in range(100)])
        for closed in ((1,), (1, 2), (2,)):
            def close_some(numbers=closed):
                for number in numbers:
                    os.close(number)
            done = subprocess.run([SOPCTL, "exec", str(path), "--create"], input=requests, preexec_fn=close_some, stdout=subprocess.DEVNULL,
                                  timeout=WAIT_SECONDS, check=False)
            self.assertEqual(done.returncode, 0)
            sopctl("verify", path, "-o", "jsonl", check=0)
            self.assertEqual(self.run_lines([{"ops": [op("count", "s")]}], path)[0]["results"], [{"count": 100}])

    def test_kill_9_loses_nothing_that_was_answered(self):
        """Every answered commit that was not `buffered` is there after SIGKILL; what is lost of those is a suffix."""
        dice = random.Random(SEED)
        path = self.folder / "db"
        answered = {}  # key: position
        durable = 0
        for round_number in range(max(2, int(6 * SCALE))):
            db = Exec(path, "--create", "--threads", dice.choice(["1", "4"]))
            self.box.ends.append(db.kill)
            db.ask(ops=[op("create", "s")])
            requests = []
            for i in range(400):
                key = f"{round_number}-{i}"
                how = dice.choice(["flushed", "flushed", "written", "buffered"])
                requests.append({"id": key, "durability": how, "ops": [op("put", "s", key, how)]})
            feeder = threading.Thread(target=self.write_all, args=(db, lines(requests)))
            feeder.start()
            told = [db.process.stdout.readline() for _ in range(dice.randrange(1, 300))]
            db.process.kill()
            feeder.join()
            told += [line for line in db.process.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]
            db.kill()
            for answer in map(json.loads, told):
                self.assertEqual(answer["status"], "OK", answer)
                answered[answer["id"]] = answer["position"]
                if requests[int(answer["id"].split("-")[1])]["durability"] != "buffered":  # `written` survives a kill
                    durable = max(durable, answer["position"])
            scan = self.run_lines([{"ops": [op("scan", "s", keys_only=True)]}, {"verify": True}], path)
            self.assertEqual(scan[1]["problems"], [])
            found = set(scan[0]["results"][0]["items"])
            missing = {key: position for key, position in answered.items() if key not in found}
            self.assertFalse([key for key, position in missing.items() if position <= durable], "a durable commit is lost")
            if missing:
                first = min(missing.values())
                self.assertFalse([key for key, position in answered.items() if position > first and key in found],
                                 "what is lost is no suffix")
            answered = {key: position for key, position in answered.items() if key in found}

    def test_a_disk_that_refuses_to_grow(self):
        """Every file ends at a limit: what was answered OK is there later, what failed is not, UNKNOWN is either."""
        path = self.folder / "db"
        self.run_lines([{"ops": [op("create", "s")]}, {"checkpoint": True}], path, "--create")

        def limit_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20))
        requests = [{"id": f"k{i:03}", "ops": [op("put", "s", f"k{i:03}", {"hex": "5a" * 30000})]} for i in range(600)]
        done = subprocess.run([SOPCTL, "exec", str(path)], input=lines(requests + [{"id": "end", "stats": True}]),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=limit_files, timeout=WAIT_SECONDS,
                              check=False)
        answers = {answer["id"]: answer for answer in map(json.loads, done.stdout.splitlines())}
        self.assertEqual(len(answers), 601)  # the process lives on
        self.assertEqual(answers.pop("end")["status"], "OK")
        statuses = {answer["status"] for answer in answers.values()}
        self.assertTrue({"OK"} < statuses <= {"OK", "LIMIT", "UNKNOWN", "FAILED", "NO_SPACE", "IO"}, statuses)
        scan = self.run_lines([{"ops": [op("scan", "s", keys_only=True)]}, {"verify": True}], path)
        found = set(scan[0]["results"][0]["items"])
        for identity, answer in answers.items():
            if answer["status"] != "UNKNOWN":
                self.assertEqual(identity in found, answer["status"] == "OK", answer)
        unknown = [answer for answer in answers.values() if answer["status"] == "UNKNOWN"]
        told = self.run_lines([{"outcome": answer["txn"]} for answer in unknown], path)
        for answer, outcome in zip(unknown, told):
            self.assertEqual(outcome["outcome"] == "COMMITTED", answer["id"] in found, (answer, outcome))
        self.assertEqual(scan[1]["problems"], [])

    def test_sync_makes_what_was_answered_durable(self):
        path = self.folder / "db"
        db = self.exec(f"inredfs:{path}?flush_interval_ms=60000", "--create")
        self.ok(db, op("create", "s"))
        for i in range(50):
            self.ok(db, op("put", "s", f"k{i}", "v"), durability="buffered")
        self.assertEqual(db.ask(sync=True)["status"], "OK")
        db.kill()
        self.assertEqual(self.run_lines([{"ops": [op("count", "s")]}], path)[0]["results"], [{"count": 50}])


class Threads(Case):
    def test_requests_of_a_session_run_in_order(self):
        requests = [{"ops": [op("create", "s")] + [op("put", "s", f"n{n}", "0") for n in range(20)]}]
        first = self.run_lines(requests, self.folder / "db", "--create")
        self.assertEqual(first[0]["status"], "OK")
        count = int(60 * SCALE) + 5
        requests = []
        for i in range(count):
            for n in range(20):
                requests.append({"id": n * 1000 + i, "session": f"s{n}", "begin": {"durability": "buffered"},
                                 "ops": [op("update", "s", f"n{n}", str(i))]})
                requests.append({"id": -1, "session": f"s{n}", "commit": True})
        answers = self.run_lines(requests, self.folder / "db", "--threads", "4")
        self.assertEqual(len(answers), len(requests))
        self.assertTrue(all(answer["status"] == "OK" for answer in answers))
        for n in range(20):
            mine = [answer["id"] % 1000 for answer in answers if answer["id"] >= 0 and answer["id"] // 1000 == n]
            self.assertEqual(mine, list(range(count)))
        values = self.run_lines([{"ops": [op("scan", "s")]}], self.folder / "db")[0]["results"][0]["items"]
        self.assertEqual({value for _, value in values}, {str(count - 1)})

    def test_a_long_request_does_not_hold_up_others(self):
        """The answer to a request of one session comes while those of another run: not in the order of the input."""
        requests = [{"id": "make", "ops": [op("create", "s")]}]
        for i in range(200):
            requests.append({"id": "long" if i == 0 else "short", "session": f"s{i}", "begin": {}, "rollback": True,
                             "ops": [op("put", "s", f"{i}-{j}", "v") for j in range(60000 if i == 0 else 1)]})
        done = [answer["id"] for answer in self.run_lines(requests, "inmemory:", "--threads", "4")]
        self.assertEqual(sorted(done), sorted(request["id"] for request in requests))
        self.assertGreater(done.index("long"), 1)

    def test_counters_of_many_threads_add_up(self):
        count = int(300 * SCALE) + 20
        requests = [{"id": i, "retry": True, "deadline_ms": 200000, "ops": [
            op("get", "s", "reads"), op("add", "s", "sum", by=1), op("update", "s", "reads", str(i))]} for i in range(count)]
        db = self.exec("inmemory:", "--threads", "8")
        self.ok(db, op("create", "s"), op("put", "s", "reads", "x"))
        for request in requests:
            db.send(request)
        answers = [db.answer() for _ in requests]
        self.assertEqual({answer["status"] for answer in answers}, {"OK"})
        self.assertEqual(sorted(answer["id"] for answer in answers), list(range(count)))
        self.assertEqual(len({answer["position"] for answer in answers}), count)
        last = max(answers, key=lambda answer: answer["position"])
        read, total = self.ok(db, op("get", "s", "reads"), op("get", "s", "sum"))
        self.assertEqual(read["value"], str(last["id"]))
        self.assertEqual(int.from_bytes(bytes.fromhex(total["value"]["hex"]), "little"), count)
        for answer in answers:  # what was read is what the one before has written
            before = max((other for other in answers if other["position"] < answer["position"]),
                         key=lambda other: other["position"], default=None)
            self.assertEqual(answer["results"][0]["value"], "x" if before is None else str(before["id"]))

    def test_much_input_at_once(self):
        requests = [{"id": i, "ops": []} for i in range(20000)]
        answers = self.run_lines(requests, "inmemory:", "--threads", "3")
        self.assertEqual(sorted(answer["id"] for answer in answers), list(range(20000)))


class Answers(Case):
    def test_an_answer_is_flushed_when_its_request_has_finished(self):
        db = self.exec()
        for i in range(100):
            self.assertEqual(db.ask(id=i, ops=[])["id"], i)
        read, write = os.pipe()  # half a line is no request
        process = subprocess.Popen([SOPCTL, "exec", "inmemory:"], stdin=read, stdout=subprocess.PIPE)
        os.close(read)
        os.write(write, b'{"id":1,"ops":[]}\n{"id":2,')
        self.assertEqual(json.loads(process.stdout.readline())["id"], 1)
        os.write(write, b'"ops":[]}\n')
        self.assertEqual(json.loads(process.stdout.readline())["id"], 2)
        os.close(write)
        self.assertEqual(process.wait(timeout=WAIT_SECONDS), 0)
        process.stdout.close()

    def test_damage_met_later_fails_the_request(self):
        path = self.folder / "db"
        big = "x" * 700
        self.run_lines([{"ops": [op("create", "s")] + [op("put", "s", f"k{i:04}", big) for i in range(400)]},
                        {"checkpoint": True}], path, "--create")
        for pack in (path / "blobs").rglob("*"):
            if pack.is_file() and pack.stat().st_size > 50000:
                data = bytearray(pack.read_bytes())
                for offset in range(len(data) // 3, len(data) - 5000, 4096):
                    data[offset] ^= 0xFF
                pack.write_bytes(data)
        answers = self.run_lines([{"id": 1, "ops": [op("scan", "s")]}, {"id": 2, "verify": True}, {"id": 3, "ops": []}], path)
        self.fails(answers[0], "CORRUPT", op=0, traits=["FATAL"])
        self.assertTrue(answers[0]["file"].startswith("blobs/"), answers[0])
        self.assertIsInstance(answers[0]["offset"], int)
        self.assertEqual(answers[1]["status"], "CORRUPT")
        self.assertTrue(all(problem["kind"] and problem["message"] for problem in answers[1]["problems"]))
        self.assertTrue(any(problem.get("file", "").startswith("blobs/") for problem in answers[1]["problems"]))
        done = sopctl("verify", path, "-o", "jsonl")
        self.assertEqual(done.returncode, 4)
        listed = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(sorted(problem["message"] for problem in listed),
                         sorted(problem["message"] for problem in answers[1]["problems"]))
        done = sopctl("dump", path)
        self.assertEqual(done.returncode, 4)
        self.assertEqual(json.loads(done.stderr)["status"], "CORRUPT")
        for line in done.stdout.splitlines():  # what was printed before it is right
            json.loads(line)


if __name__ == "__main__":
    main()
