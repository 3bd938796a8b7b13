#!/usr/bin/python3
"""Anything that may happen, at random, also to the data: commands and engines
are killed or meet errors at any call; odd wishes come by SQL, the
database is held; drives are full, read-only, silent or away; files are touched,
copied, frozen; strangers' files are in the way; clocks are set. What must hold
after each end of an engine, and at last, ground.py says.

BTC_ANYTHING_SECONDS=N goes on for N seconds (20), BTC_ANYTHING_SEED=N repeats
the choices of a run, as far as time allows it. BTC_ANYTHING_MORE=move,set_back
makes steps of these names five times as frequent, "errors" the kills and errors
of calls. When it fails it keeps the steps, the database and its log, and says
where.
"""
import contextlib
import errno
import os
import random
import resource
import shutil
import signal
import sqlite3
import threading
import time

import kit
import lab
from ground import Ground
from harm import Files

SECONDS = int(os.environ.get("BTC_ANYTHING_SECONDS", "20"))
SEED = int(os.environ.get("BTC_ANYTHING_SEED", random.randrange(1 << 30)))
MORE = os.environ.get("BTC_ANYTHING_MORE", "").split(",")
ERRORS = 0.8 if "errors" in MORE else 0.3  # of all programs
# What anybody may write into a row of `torrent`, sense or not.
ODD = [
    "verify_since = -5", "verify_since = 99999999999",
    "seed_goal = 9223372036854775807", "seed_mode = 'forever'",
    "seed_mode = 'none'", "seed_mode = 'time', seed_goal = 1",
    "down_limit = 1", "down_limit = 0", "down_limit = 9223372036854775807",
    "up_limit = 1", "up_limit = 0", "max_peers = 1", "max_peers = 65535",
    "max_peers = 0", "label = NULL", "label = x'00ff'",
    "label = printf('%.*c', 3000000, 'x')", "sequential = 1", "sequential = 0",
    "alloc_full = 1", "alloc_full = 0", "accept_loss = 2", "wanted = 'run'",
    "wanted = ' run'", "wanted = 'pause'", "name = 'x/../y'",
    "name = printf('%.*c', 5000, 'n')", "name = char(10, 27, 7)",
    "save_path = save_path || '/'"]
CLOCKS_S = (0, 0, 5, -1, -5, 3600, -3600, -86400 * 400, 86400 * 5000)
ENGINES = (
    ["daemon"], ["daemon", "--cache", "1M"], ["daemon", "--min-free", "0"],
    ["daemon", "--verify", "full"], ["resume"],
    ["resume", "--stall-timeout", "3s"], ["verify"], ["verify", "--full"])


class Steps(Ground):
    """Each may be next."""

    WEIGHTS = {"run": 6, "command": 7, "move": 2, "sql": 3, "drive": 3,
               "touch": 2, "stop": 1, "limit": 1, "silence": 1,
               "stranger": 1, "set_back": 1}

    def refill(self):
        """Without torrents nothing happens."""
        for t in self.torrents:
            if len(kit.ids(self.lab)) < 3 and self.random.random() < 0.8:
                self.btc(*self.add(t), *self.random.choice(
                    ([], ["-s", "2"], ["-x", "2"])))

    def steps(self):
        """Some of them, and at last no engine runs."""
        names = [n for n, weight in self.WEIGHTS.items()
                 for _ in range(weight * (5 if n in MORE else 1))]
        for _ in range(self.random.randrange(5, 25)):
            getattr(self, self.random.choice(names))()
            if self.engine and not self.engine.is_running():
                self.end()
            if self.random.random() < 0.3:
                time.sleep(self.random.uniform(0, 0.3))
        self.end()

    # --- the engine

    def run(self):
        """It starts, or ends."""
        if self.engine:
            self.end()
            return
        args = list(self.random.choice(ENGINES))
        if args[0] != "verify":
            args += ["--journal-interval", self.random.choice(
                ("20", "50", "300"))]
        env = self.trouble(400, ERRORS)
        self.engine = self.lab.start_btc(*args, "--progress", "none", env=env)
        self.say("run", *args, self.words_of(env))
        time.sleep(self.random.uniform(0, 0.6))

    def stop(self):
        """It is stopped for a while, as by ^Z, and commands are given."""
        if self.engine:
            self.engine.signal(signal.SIGSTOP)
            self.say("stop")
            for _ in range(self.random.randrange(3)):
                self.command(go_on=True)
            time.sleep(self.random.uniform(0, 0.5))
            self.engine.signal(signal.SIGCONT)

    def limit(self):
        """Its files may not grow, or it gets no descriptors, for a while."""
        if not self.engine:
            return
        what, value = self.random.choice((
            (resource.RLIMIT_FSIZE, 100_000), (resource.RLIMIT_FSIZE, 1 << 20),
            (resource.RLIMIT_NOFILE, 24), (resource.RLIMIT_NOFILE, 30)))
        self.say("limit", what, value)
        with contextlib.suppress(ProcessLookupError):
            old = resource.prlimit(self.engine.pid, what)
            resource.prlimit(self.engine.pid, what, (value, old[1]))
            time.sleep(self.random.uniform(0, 1))
            resource.prlimit(self.engine.pid, what, old)

    def silence(self):
        """A drive does not answer for a while; see tests/power/hang.c."""
        with open(self.silent, "w", encoding="ascii"):
            pass
        seconds = self.random.uniform(0, 10)
        self.say("silence", seconds)
        timer = threading.Timer(seconds, self.speak)
        self.holders.append(timer)
        timer.start()

    def speak(self):
        """It answers."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.silent)

    # --- commands

    def one(self):
        """The id of some torrent."""
        return self.random.choice(kit.ids(self.lab) or ["1"])

    def fresh(self, ending):
        """A path that nobody has."""
        return self.lab.path(f"{sum(self.done.values())}-"
                             f"{self.random.randrange(1 << 30)}{ending}")

    def add(self, t, verb="add"):
        """The words that add a torrent at some place."""
        return [verb, t.path, "-d", self.random.choice(self.places.all),
                "--peer", self.seeds[t.info_hash].address]

    def priorities(self, one):
        """The words that want some files and others not."""
        chance = self.random
        files = sorted({chance.randrange(1, 8)
                        for _ in range(chance.randrange(1, 5))})
        return ["set", one] + [
            f"priority.{i}={chance.choice(('off', 'off', 'high', 'normal'))}"
            for i in files]

    def words(self):
        """A command."""
        one, t = self.one(), self.random.choice(self.torrents)
        place = self.random.choice(self.places.all)
        return self.random.choice((
            self.priorities(one), self.priorities(one), self.priorities(one),
            ["set", one, "verify=now"], ["pause", one], ["pause", one],
            ["start", one], ["start", one], ["rm", one],
            ["rm", "--data", "-y", one], self.add(t), self.add(t),
            self.add(t) + ["-s", "2"], self.add(t) + ["-x", "1,3"],
            ["add", "magnet:?xt=urn:btih:" + t.info_hash, "-d", place],
            self.add(t, "get") + ["--max-time", "2s", "--progress", "none"],
            self.add(t) + ["--save-torrent", self.fresh(".torrent"), "--alloc",
                           "full"],
            ["verify", one], ["status", "--json"], ["files", "--json"],
            ["why", one], ["pieces", one], ["log"], ["peers"], ["db", "check"],
            ["db", "check", "--repair"], ["db", "backup", self.fresh(".db")],
            self.random.choice([["db", "salvage"]] + [["status"]] * 4)))

    def command(self, go_on=False):
        """Some at once; `go_on`: the engine, which is stopped, goes on."""
        self.give([self.words() for _ in range(self.random.choice(
            (1, 1, 1, 2, 3)))], go_on)

    def move(self):
        """Data goes to another place."""
        self.give([["move", self.one(), self.random.choice(self.places.all)]])

    def give(self, commands, go_on=False):
        """Runs commands side by side, with trouble."""
        started = []
        for args in commands:
            self.excuse(args)
            env = self.trouble(60, ERRORS)
            started.append((self.lab.start_btc(*args, env=env), args, env))
        if go_on:
            time.sleep(0.3)
            self.engine.signal(signal.SIGCONT)
        for program, args, env in started:
            self.wait(program, *args, self.words_of(env))

    def excuse(self, args):
        """After some commands claims may be gone."""
        if args[0] in ("rm", "get") or args[:2] == ["db", "salvage"]:
            self.excused.add(args[0])
        at_hand = self.places.is_mounted and not self.places.is_read_only
        if (args[0] in ("move", "verify") or "verify=now" in args) and (
                not at_hand):
            self.excused.add(args[0])

    # --- what others do

    def sql(self):
        """Somebody writes into the database, or holds it."""
        if not os.path.exists(self.lab.db):
            return
        how = self.random.choice((self.hold, self.odd, self.odd, self.odd,
                                  self.other_rows))
        link = sqlite3.connect(self.lab.db, timeout=1, isolation_level=None,
                               check_same_thread=False)
        try:
            how(link)
        except sqlite3.Error as e:  # it is held, or what is said makes no sense
            self.say("refused", str(e)[:100])
        finally:
            if how != self.hold:
                link.close()

    def hold(self, link):
        """A reader or a writer that takes its time."""
        begin = self.random.choice(("BEGIN", "BEGIN IMMEDIATE"))
        timer = threading.Timer(self.random.uniform(0, 4), link.close)
        self.holders.append(timer)
        link.execute(begin)
        link.execute("SELECT count(*) FROM piece").fetchall()
        timer.start()
        self.say("hold", begin)

    def odd(self, link):
        """A value that a torrent may have, or may not."""
        text = (f"UPDATE torrent SET {self.random.choice(ODD)}"
                f" WHERE id = {self.one()}")
        self.say("odd", text)
        link.execute(text)

    def other_rows(self, link):
        """Priorities, trackers, peers."""
        one = self.one()
        text = self.random.choice((
            "UPDATE file SET priority = abs(random()) % 8 WHERE torrent_id ="
            f" {one} AND abs(random()) % 3 = 0",
            "INSERT INTO tracker(torrent_id, url) VALUES"
            f" ({one}, 'http://10.77.0.1:1/' || random())",
            "INSERT INTO tracker(torrent_id, url) VALUES"
            f" ({one}, 'xx://' || printf('%.*c', 100000, 'z'))",
            f"DELETE FROM tracker WHERE torrent_id = {one}",
            f"DELETE FROM peer WHERE torrent_id = {one} AND source <> 'user'",
            "INSERT INTO peer(torrent_id, address, port) VALUES"
            f" ({one}, 'dead::{self.random.randrange(999)}', 4)",
            "INSERT INTO peer(torrent_id, address, port) VALUES"
            f" ({one}, '....', 4)"))
        self.say("rows", text)
        link.execute(text)

    def drive(self):
        """See places.py."""
        self.say("drive", self.places.trouble())

    def touch(self):
        """What harms no byte, done to some file."""
        files = [f for f in self.places.files() if f not in self.mine]
        if not files:
            return
        path, how = self.random.choice(files), self.random.choice(
            ("times", "mode", "copy", "away", "link", "read"))
        with contextlib.suppress(OSError):  # btc was faster, or it may not be
            if how == "times":
                now = time.time() + self.random.choice((0, -5000, 5000))
                os.utime(path, (now, now))
            elif how == "mode":
                os.chmod(path, self.random.choice((0o600, 0o644, 0o755)))
            elif how == "copy" and not self.engine:  # which would write to it
                shutil.copy2(path, path + "~")
                os.replace(path + "~", path)
            elif how == "away":
                os.rename(path, path + "~")
                os.rename(path + "~", path)
            elif how == "link":
                os.link(path, path + "~")
                os.unlink(path + "~")
            elif how == "read":
                with open(path, "rb") as f:
                    f.read()
        self.say("touch", how, path)

    def harm(self):
        """Somebody changes bytes; see harm.py."""
        files = [f for f in self.places.files()
                 if f not in self.mine and os.path.getsize(f) > 0]
        if not files:
            return
        path = self.random.choice(files)
        self.harmed, self.overwrite = True, ["--overwrite"]
        with contextlib.suppress(OSError):  # btc was faster, or it may not be
            how = Files(self.lab, path, self.random, os.path.getsize(path),
                        self.places.ways_to_harm(path)).manipulate()
            self.say("harm", how, path)

    def stranger(self):
        """The user makes a file where a torrent has none yet."""
        t, place = (self.random.choice(x) for x in (self.torrents,
                                                    self.places.all))
        truth = self.truths[t.info_hash]
        path = os.path.join(place, self.random.choice(
            [p for p, right in zip(truth.paths, truth.right)
             if right is not None]))
        data = self.random.randbytes(self.random.choice((1, 3000, 100_000)))
        if not self.places.is_there(place):
            return
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "xb") as f:
                try:
                    f.write(data)
                    f.flush()
                except OSError:  # no space: then not
                    os.unlink(path)
                    raise
            self.mine[path] = data
            self.say("stranger", path)

    def set_back(self):
        """Or forth: the clock."""
        wrong_by = self.random.choice(CLOCKS_S)
        self.set_clock(wrong_by)
        self.say("clock", wrong_by)


class HarmfulSteps(Steps):
    """And bytes are changed."""

    WEIGHTS = dict(Steps.WEIGHTS, harm=4)


def go_on(ground):
    """Step after step, for half of the time; and the end."""
    print(f"BTC_ANYTHING_SEED={SEED}", flush=True)
    end = time.monotonic() + SECONDS / 2
    try:
        while time.monotonic() < end:
            ground.refill()
            ground.steps()
            if ground.random.random() < 0.35:
                ground.settle()
                if ground.random.random() < 0.7:
                    ground.clear()
        ground.settle()
    finally:
        ground.release()
        ground.places.thaw()
        ground.tell()
    assert ground.claims > 0 and ground.settled > 0
    assert not ground.lost, ground.lost


def test_anything(lab):
    """Nobody harms the data: no claim is ever wrong."""
    go_on(Steps(lab, random.Random(SEED)))


def test_harmed(lab):
    """Somebody does: no claim is wrong after the next look that nothing held
    up."""
    go_on(HarmfulSteps(lab, random.Random(SEED)))


def sees(what, check, *args, **options):
    """Asserts that a look or a wait fails, and says what it is about."""
    try:
        check(*args, **options)
    except AssertionError as e:
        assert what in str(e), (what, e)
    else:
        raise AssertionError(f"not seen: {what}")


def test_of_the_looks(lab):
    """They see what they are for."""
    ground = Steps(lab, random.Random(1))
    ground.keeps = False
    place, t = ground.places.all[0], ground.torrents[0]
    for args in (["add", t.path, "-d", place, "--peer",
                  ground.seeds[t.info_hash].address],
                 ["resume", "--progress", "none"]):
        assert ground.btc(*args) == 0
    ground.look()
    assert ground.claims == t.piece_count
    with contextlib.closing(sqlite3.connect(lab.db)) as link:
        link.execute("DELETE FROM piece WHERE piece = 3")
        link.commit()
        sees("more pieces than rows", ground.look)
        link.execute("UPDATE torrent_stat SET pieces_done = pieces_done - 1,"
                     " bytes_done = bytes_done - 16384, state = 'queued'")
        link.commit()
        ground.look()
        assert ground.lost == {(1, 3)}
        ground.settle()
        assert ground.again == 1
        link.execute("UPDATE torrent_stat SET bytes_done = bytes_done + 1")
        link.commit()
        sees("progress claims", ground.look)
        link.execute("UPDATE torrent_stat SET bytes_done = bytes_done - 1")
        link.commit()
    path = os.path.join(place, t.name)
    times = os.stat(path)
    with open(path, "r+b") as f:
        byte = f.read(1)
        f.seek(0)
        f.write(bytes([byte[0] ^ 1]))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    sees("piece 0 is claimed and not there", ground.look)
    with open(path, "r+b") as f:
        f.write(byte)
    ground.look()
    mine = os.path.join(place, "mine")
    ground.mine[mine] = b"mine"
    sees("the user's file", ground.look)


def test_of_the_waits(lab):
    """They see a program that does not end, or says what no one knows; and what
    programs are started with works."""
    ground = Steps(lab, random.Random(1))
    ground.keeps = False

    def run(*argv, **env):
        return lab.start("other", argv, env=env)
    sees("hang", ground.wait, run("sleep", "9"), limit=0.1)
    sees("status", ground.wait, run("sh", "-c", "exit 99"))
    sees("status", ground.wait, run("sh", "-c", "echo Assertion >&2"))
    ground.set_clock(-86400)
    date = run("date", "+%s", LD_PRELOAD=kit.library("BTC_CLOCK"),
               BTC_CLOCK_FILE=ground.clock)
    assert date.wait() == 0
    assert -5 < int(date.out()) + 86400 - time.time() < 5, date.out()
    for nth, words in ((1, "Stale"), (100, "")):
        cat = run("cat", ground.torrents[0].path, BTC_FAIL_NTH=str(nth),
                  BTC_FAIL_PATH=lab.dir, BTC_FAIL_ERRNO=str(errno.ESTALE),
                  LD_PRELOAD=kit.library("BTC_FAIL"))
        assert cat.wait() == (1 if words else 0) and words in cat.err()


lab.main(__name__)
