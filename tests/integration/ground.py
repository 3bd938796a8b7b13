"""The ground of test_anything.py: torrents, their seeders, one engine, commands
that may be killed or meet errors, and the looks at what came of it all.

What must hold after each end of an engine, whatever was done to it:
- each claim (`piece`, `block`, the sums in `progress` and `file`) is confirmed
  by a full hash of the data; where bytes were harmed, after the next look, and
  without the blocks;
- files of the user's are as they were;
- every program has ended, in time, with a documented status.
And what must hold once all is made good: everything becomes complete.

`lost` are claims that are gone though the data is good and no one asked for a
new look: none may be. A step that may lead to that says so in `excused`.
`again` counts pieces that were asked for though they were good, as after an
error when they were read.
"""
import collections
import contextlib
import errno
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import time

import kit
import lab as lab_module
import places

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "power"))
from claims import Truth, read_claims  # noqa: E402
from seeder import Seeder  # noqa: E402

SLOW_S = 40  # no command and no end of an engine may take longer
SETTLE_S = 90  # nor the end of it all
# What `btc verify` may say of harmed data; 4 is for a magnet beside it, of which
# is not known what it holds.
LOOKED = (0, 3, 4, 8, 11, 13, 16)


class Ground:
    def __init__(self, lab, chance):
        self.lab, self.random = lab, chance
        self.begin = time.monotonic()
        self.keeps = True  # what explains a failure
        self.done = collections.Counter()
        self.claims = self.settled = self.kills = 0
        self.lost, self.again = set(), 0
        self.mine = {}  # the user's files: their bytes, by path
        self.was = {}  # the last claims, by info hash: (id, pieces)
        self.excused = set()
        self.harmed = False  # bytes were changed that nobody has looked at yet
        self.overwrite = []  # and will be written over, at the end
        self.clock = lab.path("clock")
        self.silent = lab.path("silent")  # while it is there, a drive is
        self.log = open(lab.path("steps"), "w", buffering=1, encoding="utf-8",
                        errors="replace")
        self.places = places.Places(lab, chance)
        lab.db = os.path.join(self.places.tight, "btc.db")
        self.torrents = self.make_torrents()
        self.truths = {t.info_hash: Truth(t) for t in self.torrents}
        self.seeds = {t.info_hash: Seeder(t, rate=chance.choice(
            (600_000, 2_000_000, 5_000_000))) for t in self.torrents}
        self.engine = None
        self.holders = []  # timers: when others let go of the database
        self.set_clock(0)

    def make_torrents(self):
        """A file; a folder with runs of empty files; large pieces over files
        with long names; a folder with padding."""
        make = self.lab.make_data
        make("seed/one", 900_001)
        for i, size in enumerate([1, 5000, 0, 100, 40000, 0, 0, 0, 0, 20000, 0,
                                  0, 7, 60000, 33333, 16384, 16384]):
            make(f"seed/many/{i % 3}/f{i}", size, seed=i)
        for i, size in enumerate([100_000, 300_000, 5, 250_000, 262_144,
                                  170_000, 90_000]):
            make(f"seed/big/x{i}" + "ä" * 20, size, seed=i + 50)
        for i in range(6):
            make(f"seed/pad/p{i}", 30_000 + i * 7000, seed=i + 90)
        return [self.lab.make_torrent(self.lab.path("seed", name),
                                      piece_length=length, pad=name == "pad",
                                      out=self.lab.path(name + ".torrent"))
                for name, length in (("one", 16384), ("many", 16384),
                                     ("big", 262144), ("pad", 32768))]

    def torrent(self, row):
        """That of a row of `progress`."""
        return next(t for t in self.torrents if t.info_hash == row["info_hash"])

    def set_clock(self, wrong_by_s):
        """For all programs, those that run as well."""
        with open(self.clock, "w", encoding="ascii") as f:
            f.write(str(wrong_by_s))

    # --- words

    def say(self, *words):
        """A line of the log; the first word is counted."""
        self.log.write(f"{time.monotonic() - self.begin:9.3f} "
                       + " ".join(str(w) for w in words) + "\n")
        self.done[str(words[0])] += 1

    def fail(self, *words):
        """Ends the test."""
        self.say("FAIL", *words)
        if self.keeps:
            self.keep()
        raise AssertionError(words)

    def keep(self):
        """Copies what explains a failure, prints where it is and the last
        steps."""
        folder = tempfile.mkdtemp(prefix="btc-anything-")
        for path in (self.lab.path("steps"), self.lab.db, self.lab.db + "-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(path, folder)
        with contextlib.suppress(sqlite3.Error), open(
                os.path.join(folder, "log"), "w", encoding="utf-8") as f:
            for row in self.lab.sql("SELECT * FROM log"):
                f.write(f"{tuple(row)}\n")
        print("kept:", folder)
        with open(self.lab.path("steps"), encoding="utf-8") as f:
            print("".join(f.readlines()[-25:]))

    def tell(self):
        """What was done."""
        print(f"{sum(self.done.values())} steps {dict(self.done)}, "
              f"{self.kills} kills, {self.claims} claims, "
              f"{self.settled} times settled, "
              f"lost {len(self.lost)}, fetched again {self.again}")

    # --- programs

    def trouble(self, most, share=0.3):
        """What a program is started with: the clock, and for some a kill or
        calls that fail, at one of the first `most` places, or a drive that may
        be silent and few threads."""
        libraries = [kit.library("BTC_CLOCK")]
        env = {"BTC_CLOCK_FILE": self.clock}
        chance, nth = self.random.random(), str(self.random.randrange(1, most))
        if chance < share * 0.4:
            libraries.append(kit.library("BTC_KILL"))
            env["BTC_KILL_NTH"] = nth
        elif chance < share * 0.5:
            libraries.append(kit.library("BTC_HANG"))
            env.update(BTC_THREADS=str(self.random.randrange(10)),
                       BTC_HANG_FLAG=self.silent,
                       BTC_HANG_DIR=self.random.choice(
                           [*self.places.all, self.places.tight]))
        elif chance < share:
            libraries.append(kit.library("BTC_FAIL"))
            name = self.random.choice((
                "EIO", "EIO", "ENOSPC", "EDQUOT", "ESTALE", "EACCES", "EMFILE",
                "ENOMEM", "EROFS"))
            env.update(
                BTC_FAIL_NTH=nth, BTC_FAIL_ERRNO=str(getattr(errno, name)),
                BTC_FAIL_FOR=str(self.random.choice((1, 1, 2, 5, 30))),
                BTC_FAIL_LOG=self.lab.path("failed"),
                BTC_FAIL_PATH=self.random.choice(
                    [p + "/" for p in self.places.all]
                    + ["btc.db", os.path.basename(self.lab.dir)]))
            self.excused.add("errors")
        env["LD_PRELOAD"] = ":".join(libraries)
        env["ASAN_OPTIONS"] = (os.environ.get("ASAN_OPTIONS", "")
                               + ":verify_asan_link_order=0")
        return env

    @staticmethod
    def words_of(env):
        """What differs from one program to the other."""
        return {k: v for k, v in env.items() if k != "BTC_FAIL_LOG" and
                k.startswith(("BTC_KILL_", "BTC_FAIL_", "BTC_HANG_DIR",
                              "BTC_THREADS"))}

    def wait(self, program, *words, limit=SLOW_S):
        """The end of a program, which must say something that is documented."""
        try:
            code = program.wait(limit)
        except lab_module.Timeout:
            self.say("threads", *threads_of(program.pid))
            self.fail("hang", *words, program.err()[-500:])
        err = program.err()
        self.kills += code == -signal.SIGKILL
        self.say(*words, "->", code, err[-300:].replace("\n", " | "))
        if code not in kit.STATUSES or kit.BAD.search(err):
            self.fail("status", code, *words, err[-3000:])
        return code

    def btc(self, *args):
        """A command to its end; nothing happens to it."""
        return self.wait(self.lab.start_btc(*args), *args)

    def release(self):
        """Nobody else has the database open, and no drive is silent."""
        for timer in self.holders:
            timer.cancel()
            timer.function()
        self.holders = []

    def end(self, how=None):
        """The engine ends, and a look follows."""
        engine, self.engine = self.engine, None
        if engine is None:
            return
        engine.signal(signal.SIGCONT)
        how = how or self.random.choice(
            ("KILL", "KILL", "TERM", "TERM", "TERM TERM", "INT"))
        if how != "KILL":
            self.release()  # who holds the journal holds up an end in order
        for name in how.split():
            engine.signal(getattr(signal, "SIG" + name))
        self.wait(engine, "end", how)
        self.look()

    # --- looks

    def look(self):
        """No engine runs: see above. SQLite reads nothing without space."""
        self.places.free(self.places.tight)
        self.look_at_mine()
        if self.harmed and not self.has_looked():
            return
        for row in self.progress():
            if (row["wanted"].startswith("remove") or row["piece_length"] == 0
                    or not self.places.is_there(row["save_path"])
                    or "absent" in (row["error"] or "")):
                self.was.pop(row["info_hash"], None)
            else:
                self.look_at(row)
        self.excused.clear()

    def has_looked(self):
        """btc looks at what was harmed; false when it could not."""
        if not os.path.exists(self.lab.db):
            return False
        self.excused.add("harm")
        self.harmed = self.btc("verify") not in LOOKED
        return not self.harmed

    def progress(self):
        """All rows; none while nobody can read them."""
        with contextlib.suppress(sqlite3.Error):
            return [dict(r) for r in self.lab.sql("SELECT * FROM progress")]
        return []

    def look_at_mine(self):
        """The user's files."""
        for path, data in self.mine.items():
            if not self.places.is_there(path):
                continue
            with contextlib.suppress(FileNotFoundError), open(path, "rb") as f:
                if f.read() == data:
                    continue
            self.fail("the user's file", path, os.path.exists(path))

    def on_disk(self, row):
        """The bytes of each file of a torrent."""
        parts = dict(tuple(r) for r in self.lab.sql(
            "SELECT file, part FROM file WHERE torrent_id = ?", row["id"]))
        return self.truths[row["info_hash"]].on_disk(row["save_path"], parts)

    def look_at(self, row):
        """A torrent's claims."""
        truth, there = self.truths[row["info_hash"]], self.on_disk(row)
        found = read_claims(self.lab.db, row["id"])
        if self.overwrite:  # nobody can hash a block: its piece will tell
            found = found._replace(blocks=[])
        wrong = truth.judge(found, there)
        if wrong:
            wrong += self.differences(row, there)
            self.fail("false claims", row, *wrong)
        claimed = set(found.pieces)
        if row["pieces_done"] > len(claimed):
            self.fail("more pieces than rows", row, len(claimed))
        before = self.was.get(row["info_hash"])
        if before and before[0] == row["id"] and not self.excused:
            gone = (before[1] - claimed) & truth.good_pieces(there)
            if gone:
                self.say("LOST", row, sorted(gone))
                self.lost |= {(row["id"], p) for p in gone}
        self.was[row["info_hash"]] = row["id"], claimed
        self.claims += len(claimed)

    def differences(self, row, there):
        """How the files are not what they should be, as texts."""
        truth = self.truths[row["info_hash"]]
        for path, right, data in zip(truth.paths, truth.right, there):
            if right is not None and data != right:
                at = None if data is None else next(
                    (i for i, (a, b) in enumerate(zip(data, right)) if a != b),
                    min(len(data), len(right)))
                yield (f"{path}: {'absent' if data is None else len(data)} of "
                       f"{len(right)} bytes, differs at {at}")

    # --- the end

    def settle(self):
        """All is made good; then everything must become complete."""
        self.end()
        self.release()
        self.places.heal()
        self.set_clock(0)
        for path in self.mine:
            os.unlink(path)
        self.mine.clear()
        if not os.path.exists(self.lab.db):
            return
        self.wish_all()
        if self.harmed and not self.has_looked():  # complete ones, too
            self.fail("no look", self.progress())
        for t in self.torrents:  # a magnet learns what it holds
            if any(row["info_hash"] == t.info_hash and row["piece_length"] == 0
                   for row in self.progress()):
                self.btc("add", t.path)
        rows = self.progress()
        before = {row["info_hash"]: self.truths[row["info_hash"]].good_pieces(
            self.on_disk(row)) for row in rows if row["wanted"] == "run"}
        for seed in self.seeds.values():
            seed.forget()
        code = self.wait(self.lab.start_btc("resume", "--progress", "none",
                                            "--max-time", "60s",
                                            *self.overwrite),
                         "settle", limit=SETTLE_S)
        self.count_again(before)
        self.settled += 1
        if code != 0:
            self.unsettled(code)
        for row in self.progress():
            if row["state"] == "complete":
                self.check(row)
        self.look()

    def check(self, row):
        """What is complete is there."""
        try:
            self.torrent(row).check(row["save_path"])
        except AssertionError as e:
            self.fail("complete, but", e, row)

    def wish_all(self):
        """Everything to run without limits, from peers that are there."""
        link = sqlite3.connect(self.lab.db, timeout=20)
        with contextlib.closing(link):
            link.execute(
                "UPDATE torrent SET wanted = 'run', down_limit = 0,"
                " up_limit = 0, max_peers = 0, seed_mode = 'none',"
                " alloc_full = 0, accept_loss = 0,"
                " save_path = rtrim(save_path, '/')"
                " WHERE wanted NOT LIKE 'remove%'")
            link.execute("UPDATE file SET priority = 4")
            for info_hash, seed in self.seeds.items():
                link.execute(
                    "INSERT OR IGNORE INTO peer(torrent_id, address, port)"
                    " SELECT id, ?, ? FROM torrent WHERE info_hash = ?",
                    (seed.ip, seed.port, info_hash))
            link.commit()

    def count_again(self, before):
        """What was asked for though it was there."""
        for info_hash, good in before.items():
            again = {a.piece for a in self.seeds[info_hash].asked} & good
            if again:
                self.say("AGAIN", info_hash, sorted(again), "of", len(good))
                self.again += len(again)

    def unsettled(self, code):
        """What did not become complete must have said why: its storage is
        absent, or a file that is not its own is in its way. It is removed."""
        left = [row for row in self.progress() if row["state"] != "complete"]
        for row in left:
            absent = "absent" in (row["error"] or "")
            if not absent and (row["error"] is None or code not in (13, 16)):
                self.fail("not settled", code, left)
            self.btc("why", str(row["id"]))
            self.btc("rm", str(row["id"]))

    def clear(self):
        """All torrents go, with their data or without, and all that is left."""
        for one in kit.ids(self.lab):
            data = self.random.choice((["--data", "-y"], []))
            if self.btc("rm", *data, one) == 13:  # an empty file was copied:
                self.btc("rm", one)               # it is not known as its own
        engine = self.lab.start_btc("daemon", "--progress", "none")
        try:
            self.lab.wait(lambda: not kit.ids(self.lab), SLOW_S)
        except lab_module.Timeout:
            self.fail("not removed", self.progress(), engine.err())
        engine.signal(signal.SIGTERM)
        self.wait(engine, "end", "after removals")
        self.was.clear()
        for place in self.places.all:
            for name in os.listdir(place):
                path = os.path.join(place, name)
                if os.path.isdir(path):
                    shutil.rmtree(path)
                else:
                    os.unlink(path)


def threads_of(pid):
    """What the threads of a process wait for, as texts."""
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            words = []
            for name in ("comm", "wchan"):
                with open(f"/proc/{pid}/task/{task}/{name}",
                          encoding="utf-8") as f:
                    words.append(f.read().strip())
            yield ":".join(words)
