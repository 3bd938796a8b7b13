#!/usr/bin/python3
"""Many hands at once: two databases with an engine each keep the same torrents in
the same folders, and two torrents of one name overlap there. Meanwhile commands
are given from several shells, files and folders get other names and their old
ones back, the link that leads to a folder is swung, other programs hold, copy and
checkpoint the databases, which are restored, salvaged and backed up; engines and
commands are killed. What is claimed after the next look must never be more than a
full hash finds, and no file that is the user's own may change.

BTC_HANDS_SECONDS=N goes on for N seconds (20), BTC_HANDS_SEED=N repeats the
choices of a run.
"""
import collections
import contextlib
import os
import random
import shutil
import signal
import sqlite3
import sys
import threading
import time

import kit
import lab

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "power"))
from seeder import Seeder  # noqa: E402

SECONDS = int(os.environ.get("BTC_HANDS_SECONDS", "20"))
SEED = int(os.environ.get("BTC_HANDS_SEED", random.randrange(1 << 30)))
LENGTH = 16384
SLOW_S = 30  # no command and no end of an engine may take longer
HOLD = ("import sqlite3, sys, time\n"
        "link = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "link.execute('BEGIN EXCLUSIVE')\n"
        "link.execute(\"UPDATE torrent SET label = 'x'\")\n"
        "print('held', flush=True)\n"
        "time.sleep(60)\n")


class Ground:
    def __init__(self, lab):
        self.lab, self.random, self.log = lab, random.Random(SEED), []
        self.done, self.claims = collections.Counter(), 0
        self.places = [kit.folder(lab, "a"), kit.folder(lab, "b"),
                       lab.mount_tmpfs("c", 64 << 20)]
        self.link = lab.path("link")
        os.symlink(self.places[0], self.link)
        self.mine = {}
        for place in self.places:
            for name in ("mine", "many/mine"):
                path = os.path.join(place, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                self.mine[path] = self.random.randbytes(3000)
                with open(path, "wb") as f:
                    f.write(self.mine[path])
        self.torrents = self.make_torrents()
        self.seeds = [Seeder(t, rate=4_000_000) for t in self.torrents]
        self.dbs = [lab.path("one/btc.db"), lab.path("two/btc.db")]
        self.engines, self.backups = [None, None], [[], []]
        self.timers = []

    def make_torrents(self):
        """A file, a folder with runs of empty files, and another folder of that
        name, which has some of the same."""
        make = self.lab.make_data
        make("file/one", 900_001, seed=SEED)
        sizes = [1, 5000, 0, 100, 40000, 0, 0, 0, 0, 20000, 0, 0, 7, 60000]
        for i, size in enumerate(sizes):
            make(f"first/many/{i % 3}/f{i}", size, seed=i)
        shutil.copytree(self.lab.path("first/many"), self.lab.path("then/many"))
        for i in range(0, len(sizes), 4):
            make(f"then/many/{i % 3}/f{i}", 9000 + i, seed=i + 99)
        return [self.lab.make_torrent(self.lab.path(source), piece_length=LENGTH,
                                      out=self.lab.path(f"{i}.torrent"))
                for i, source in enumerate(("file/one", "first/many",
                                            "then/many"))]

    # --- programs ---

    def say(self, *words):
        self.log.append(" ".join(str(w) for w in words))
        self.done[str(words[0])] += 1

    def start(self, which, *args):
        return self.lab.start_btc(*args, db=self.dbs[which],
                                  ip=f"10.77.0.{19 + which}")

    def wait(self, program, *words):
        """The end of a command or an engine, which must say something that is
        documented."""
        code = program.wait(SLOW_S)
        self.say(*words, code, program.err()[-120:])
        assert code in kit.STATUSES, (SEED, code, program.err(), self.log[-20:])
        return code

    def btc(self, which, *args):
        return self.wait(self.start(which, *args), args[0], which, *args[1:])

    def add_args(self, k, place):
        return ["add", self.torrents[k].path, "-d", place, "--peer",
                self.seeds[k].address]

    def end_engine(self, which):
        engine, self.engines[which] = self.engines[which], None
        if engine is None:
            return
        if self.random.random() < 0.5:
            engine.signal(signal.SIGKILL)
        else:
            self.let_go()  # who holds the journal holds up an end in order
            for _ in range(self.random.choice((1, 1, 2))):
                engine.signal(signal.SIGTERM)
        self.wait(engine, "end", which)

    # --- what is done ---

    def engine(self):
        which = self.random.randrange(2)
        if self.engines[which]:
            self.end_engine(which)
            return
        args = self.random.choice((
            ["daemon"], ["daemon"], ["daemon", "--overwrite"], ["verify"],
            ["resume", "--accept-loss", "--stall-timeout", "4s"]))
        if args[0] != "verify":
            args = args + ["--journal-interval", "50"]
        self.engines[which] = self.start(which, *args, "--progress", "none")
        time.sleep(self.random.uniform(0, 0.3))
        self.say("engine", which, *args)

    def one_command(self, which):
        one = self.random.choice(kit.ids(self.lab, self.dbs[which]) or ["1"])
        place = self.random.choice(self.places + [self.link])
        return self.random.choice((
            ["move", one, place], ["move", one, place, "--here"],
            ["set", one, "verify=now"], ["set", one, "priority.1=off"],
            ["set", one, "priority.1=high"], ["set", one, "accept-loss=true"],
            ["rm", one], ["rm", "--data", "-y", one], ["pause", one],
            ["start", one], ["verify"], ["status", "--json"],
            self.add_args(self.random.randrange(3), place),
            self.add_args(self.random.randrange(3), place) + ["-s", "1"]))

    def commands(self):
        """Several at once, some killed."""
        started = []
        for _ in range(self.random.randrange(1, 5)):
            which = self.random.randrange(2)
            args = self.one_command(which)
            program = self.start(which, *args)
            started.append((program, which, args))
            if self.random.random() < 0.15:
                time.sleep(self.random.uniform(0, 0.05))
                program.signal(signal.SIGKILL)
        for program, which, args in started:
            self.wait(program, args[0], which, *args[1:])

    def some_file(self):
        found = [os.path.join(top, n) for place in self.places
                 for top, _, names in os.walk(place) for n in names]
        found = [f for f in found if f not in self.mine]
        return self.random.choice(found) if found else None

    def file(self):
        """A file gets another name, or the old one back, or other content."""
        path = self.some_file()
        how = self.random.choice(("away", "away", "gone", "copy", "write", "cut"))
        with contextlib.suppress(FileNotFoundError):  # btc was faster
            if path is None:
                return
            if path.endswith(".part-of"):
                os.rename(path, path[:-len(".part-of")])
            elif how == "away":
                os.rename(path, path + ".part-of")
            elif how == "gone":
                os.unlink(path)
            elif how == "copy":
                shutil.copy2(path, path + "~")
                os.replace(path + "~", path)
            elif how == "write" and os.path.getsize(path) > 0:
                with open(path, "r+b") as f:
                    f.write(b"\xa5")
            elif how == "cut":
                os.truncate(path, os.path.getsize(path) // 2)
        self.say("file", how, path)

    def folder(self):
        """The link is swung; or a folder is away for a moment, and nobody makes
        it anew."""
        place = self.random.choice(self.places[:2])
        if self.random.random() < 0.5:
            os.unlink(self.link)
            os.symlink(place, self.link)
        else:
            os.rename(place, place + "-away")
            time.sleep(self.random.uniform(0, 0.5))
            assert not os.path.exists(place), (SEED, self.log[-20:])
            os.rename(place + "-away", place)
        self.say("folder")

    def let_go(self):
        for t in self.timers:
            t.cancel()
            t.function()
        self.timers = []

    def hold(self, path):
        """A transaction of another program that takes some time, or its death in
        the middle of one."""
        program = self.lab.start("hold", ["/usr/bin/python3", "-c", HOLD, path])
        self.lab.wait(lambda: program.out() or not program.is_running(), 20)
        if self.random.random() < 0.5:
            program.kill()
            return
        timer = threading.Timer(self.random.uniform(0, 3), program.kill)
        self.timers.append(timer)
        timer.start()

    def sql(self):
        which = self.random.randrange(2)
        if not os.path.exists(self.dbs[which]):
            return
        how = self.random.choice(("hold", "hold", "VACUUM INTO ?", "VACUUM",
                                  "PRAGMA wal_checkpoint(TRUNCATE)", "backup",
                                  "CREATE TABLE IF NOT EXISTS notes(x)",
                                  "DROP TABLE IF EXISTS notes", "ANALYZE"))
        copy = self.lab.path(f"copy-{sum(self.done.values())}.db")
        if how == "hold":
            self.hold(self.dbs[which])
        else:
            link = sqlite3.connect(self.dbs[which], timeout=1)
            with contextlib.closing(link), contextlib.suppress(
                    sqlite3.OperationalError):  # it is held
                if how == "backup":
                    with contextlib.closing(sqlite3.connect(copy)) as to:
                        link.backup(to, pages=7)
                else:
                    link.execute(how, (copy,) if "?" in how else ()).fetchall()
                    link.commit()
                if how == "backup" or "?" in how:
                    self.backups[which].append(copy)
        self.say("sql", which, how)

    def care(self):
        """Backup, restore or salvage, maybe killed in the middle."""
        which = self.random.randrange(2)
        to = self.lab.path(f"backup-{sum(self.done.values())}.db")
        args = self.random.choice((["backup", to], ["salvage"], ["restore"]))
        if args[0] == "restore":
            if not self.backups[which]:
                return
            args = ["restore", self.random.choice(self.backups[which])]
        if self.random.random() < 0.8:  # else it is refused
            self.end_engine(which)
        program = self.start(which, "db", *args)
        if self.random.random() < 0.4:
            time.sleep(self.random.uniform(0, 0.03))
            program.signal(signal.SIGKILL)
        code = self.wait(program, args[0], which, *args[1:])
        if args[0] == "backup" and code == 0:
            self.backups[which].append(to)

    # --- looks ---

    def look(self):
        """Nobody runs: what is claimed after a verification is there."""
        for which in (0, 1):
            self.end_engine(which)
        self.let_go()
        for which in (0, 1):
            assert self.btc(which, "db", "check") == 0, (SEED, self.log[-30:])
            self.btc(which, "verify")
            for row in self.lab.sql("SELECT * FROM progress",
                                    db=self.dbs[which]):
                self.check_claims(which, row)
        for path, data in self.mine.items():
            with open(path, "rb") as f:
                assert f.read() == data, (SEED, path, self.log[-30:])

    def check_claims(self, which, row):
        """But of those that are to go, and those whose storage is absent: they
        are not looked at."""
        parts = self.lab.sql("SELECT 1 FROM file WHERE torrent_id = ? AND part "
                             "IS NOT NULL", row["id"], db=self.dbs[which])
        if (row["wanted"].startswith("remove") or parts
                or "absent" in (row["error"] or "")):
            return
        claimed = {r["piece"] for r in self.lab.sql(
            "SELECT piece FROM piece_map WHERE torrent_id = ? AND"
            " state = 'verified'", row["id"], db=self.dbs[which])}
        t = next(t for t in self.torrents if t.info_hash == row["info_hash"])
        good = t.good_pieces(row["save_path"])
        assert claimed <= good, (SEED, which, dict(row),
                                 sorted(claimed - good), self.log[-30:])
        self.claims += len(claimed)

    def refill(self):
        """Without torrents nothing happens."""
        for which in (0, 1):
            for k in range(2 if len(kit.ids(self.lab, self.dbs[which])) < 2 else 0):
                self.btc(which, *self.add_args(k, self.random.choice(
                    self.places)))

    def run(self):
        steps = ([self.engine] * 8 + [self.commands] * 5 + [self.file] * 4
                 + [self.folder] * 2 + [self.sql] * 4 + [self.care] * 2)
        for _ in range(self.random.randrange(3, 10)):
            self.random.choice(steps)()


def test_hands(lab):
    print(f"BTC_HANDS_SEED={SEED}")
    ground = Ground(lab)
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            ground.refill()
            ground.run()
            ground.look()
    finally:
        ground.let_go()
        print(f"{sum(ground.done.values())} steps {dict(ground.done)}, "
              f"{ground.claims} claims")
    assert ground.claims > 0


lab.main(__name__)
