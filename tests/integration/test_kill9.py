#!/usr/bin/python3
"""kill -9 at any moment of a download at 20 MB/s: `btc resume --db FILE` alone
goes on, asks again for at most what came in the last journal interval, sends
its first request soon, and `progress` never claims more than a full hash finds.

BTC_LAB_LONG=N tries N more moments, each of them counted from the first request,
and leaves out how soon that came: a long run has a machine that does other
things, too.
"""
import json
import os
import pathlib
import random
import shutil
import sys
import time

import lab

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "power"))
from claims import Truth, read_claims  # noqa: E402
from seeder import Seeder  # noqa: E402

LONG = int(os.environ.get("BTC_LAB_LONG", "0"))
SEED = int(os.environ.get("BTC_KILL_SEED", random.randrange(1 << 30)))
MIB = 1 << 20
RATE = 20_000_000
INTERVAL_S = 1.0   # of the journal
COMMIT_S = 0.15    # what a commit may take on a busy machine
FIRST_S = 0.3      # until the first request
SLOW = 10          # a sanitizer's factor


def slowness():
    """How much longer things may take here than promised."""
    folder = pathlib.Path(os.environ["BTC"]).parent
    code = b"".join(p.read_bytes() for p in [
        pathlib.Path(os.environ["BTC"]), *folder.glob("libbtc.so")])
    factor = SLOW if b"__asan_init" in code or b"__tsan_init" in code else 1
    return factor * max(1, os.getloadavg()[0] / os.cpu_count())


class Crash:
    """A download that is killed and goes on, and what it costs."""

    def __init__(self, lab, torrent, rate=RATE):
        self.lab, self.torrent = lab, torrent
        self.truth, self.seeder = Truth(torrent), Seeder(torrent, rate=rate)
        self.out = lab.path("out", "x")[:-2]
        os.makedirs(self.out, exist_ok=True)
        self.slowness = slowness()
        self.sent = []     # of all runs that are over
        self.allowed = 0   # bytes that may be asked for again
        self.again = 0     # bytes that were
        self.slowest = 0.0

    def get(self, *args):
        return self.start("get", self.torrent.path, "-d", self.out, "--peer",
                          self.seeder.address, *args)

    def resume(self, *args):
        return self.start("resume", *args)

    def start(self, *args):
        self.begun = time.monotonic()
        return self.lab.start_btc(*args, "--db", self.lab.db)

    def claims(self):
        """What the journal claims, read from a copy: looking must not change
        what btc finds. None when there is no database yet."""
        there = self.lab.path("copy", "btc.db")
        for end in ("", "-wal", "-journal"):
            pathlib.Path(there + end).unlink(missing_ok=True)
            if os.path.exists(self.lab.db + end):
                shutil.copyfile(self.lab.db + end, there + end)
        pathlib.Path(there + "-shm").unlink(missing_ok=True)
        return read_claims(there) if os.path.exists(there) else None

    def check_claims(self):
        """True when there is a torrent; raises when a claim is false."""
        claims = self.claims()
        if claims is None or claims.torrents == 0:
            return False
        wrong = self.truth.judge(claims, self.truth.on_disk(self.out))
        assert not wrong, f"{len(wrong)} false claims: {wrong[:5]}"
        return True

    def account(self, killed_at=None):
        """A run is over: what did it ask for that had been sent before?"""
        self.seeder.settle()
        asked, sent = self.seeder.forget()
        known = {a[1:] for a in self.sent}
        again = {a[1:] for a in asked} & known
        self.again += sum(length for _, _, length in again)
        if asked:
            self.slowest = max(self.slowest, asked[0].at - self.begun)
        # What one run asked for twice is a waste of its own.
        twice = len(asked) - len({a[1:] for a in asked})
        assert twice == 0, f"{twice} blocks were asked for twice in one run"
        if killed_at:
            since = killed_at - INTERVAL_S - COMMIT_S * self.slowness
            self.allowed += sum(a.length for a in sent if a.at > since)
        self.sent += sent
        return len(asked)

    def kill(self, program, after, downloading=False):
        """Kills a run some time after its start, or after its first request;
        True if it still ran."""
        begun = self.begun
        if downloading:
            self.lab.wait(lambda: self.seeder.has_been_asked()
                          or not program.is_running(), 60, "the first request")
            begun = time.monotonic()
        time.sleep(max(0.0, begun + after - time.monotonic()))
        running = program.is_running()
        program.kill()
        killed_at = time.monotonic()
        self.account(killed_at)
        return running

    def finish(self):
        """btc resume, alone, to the end."""
        if self.check_claims():
            program = self.resume()
        else:
            program = self.get()
        code = program.wait(60)
        assert code == 0, f"exit {code}: {program.err()}"
        self.account()
        self.torrent.check(self.out)
        assert self.check_claims()
        assert self.again <= self.allowed, (
            f"{self.again} bytes were asked for again, {self.allowed} came in "
            "the last intervals")
        assert LONG or self.slowest < FIRST_S * self.slowness, (
            f"the first request came after {self.slowest:.3f} s")

    def __str__(self):
        return (f"{self.again} bytes again ({self.allowed} allowed), first "
                f"request within {self.slowest:.3f} s")


def kill_once(lab, n, after, size=24 * MIB, piece_length=262144,
              downloading=False):
    """A download of its own that is killed once."""
    lab.db = lab.path(f"{n}", "btc.db")
    source = lab.make_data("seed/data.bin", size)
    torrent = lab.make_torrent(source, piece_length=piece_length)
    crash = Crash(lab, torrent)
    crash.out = lab.path(f"{n}", "out", "x")[:-2]
    os.makedirs(crash.out, exist_ok=True)
    ran = crash.kill(crash.get(), after, downloading)
    crash.finish()
    crash.seeder.close()
    print(f"killed after {after:.3f} s{'' if ran else ' (done)'}: {crash}",
          flush=True)
    shutil.rmtree(lab.path(f"{n}"))
    assert LONG or ran, "it was done before it was killed"


def test_moments(lab):
    """One kill: during the start, in the first seconds, near the end."""
    rng = random.Random(SEED)
    print(f"BTC_KILL_SEED={SEED}")
    moments = [0.006, 0.015, 0.03, 0.06, 0.4, 0.97, 1.02, 1.15]
    moments += [rng.uniform(0.0, 1.2) for _ in range(2)]
    for n, after in enumerate(moments):
        kill_once(lab, n, after)
    for n in range(LONG):
        kill_once(lab, len(moments) + n, rng.uniform(0.0, 1.2),
                  downloading=True)


def test_large_pieces(lab):
    """Most of what came is in pieces that are not whole: in rows of `block`."""
    for n, after in enumerate([0.6, 1.9]):
        kill_once(lab, n, after, size=48 * MIB, piece_length=16 * MIB)


def kill_often(lab, rng, torrent, most):
    """A download that is killed over and over; how often it was."""
    crash = Crash(lab, torrent)
    n = 0
    running = crash.kill(crash.get(), 1.0, downloading=True)
    while running and n < most:
        n += 1
        assert crash.check_claims()
        running = crash.kill(crash.resume(), rng.choice(
            [rng.uniform(0.0, 0.1), rng.uniform(0.0, 1.5)]))
    crash.finish()
    crash.seeder.close()
    print(f"killed {n} times: {crash}", flush=True)
    return n


def test_again_and_again(lab):
    """One download, killed over and over."""
    rng = random.Random(SEED)
    print(f"BTC_KILL_SEED={SEED}")
    source = lab.make_data("seed/data.bin", 80 * MIB + 4321)
    torrent = lab.make_torrent(source, piece_length=MIB)
    n = kill_often(lab, rng, torrent, 7)
    while n < LONG:
        assert lab.btc("rm", "--data", "-y",
                       torrent.info_hash[:12]).code == 0
        n += kill_often(lab, rng, torrent, LONG - n)


def test_verification(lab):
    """Killed while it hashes what there is: a claim stays a true one."""
    rng = random.Random(SEED)
    print(f"BTC_KILL_SEED={SEED}")
    source = lab.make_data("seed/data.bin", 160 * MIB)
    crash = Crash(lab, lab.make_torrent(source, piece_length=262144))
    target = os.path.join(crash.out, "data.bin")
    shutil.copyfile(source, target)
    with open(target, "r+b") as f:
        for at in range(0, 160 * MIB, 10 * MIB):
            f.seek(at)
            f.write(bytes(1000))
    crash.kill(crash.get(), 0.15)
    for verify in ("auto", "full", "full", "auto"):
        known = crash.check_claims()
        program = crash.resume("--verify", verify) if known else crash.get()
        crash.kill(program, rng.uniform(0.02, 0.25))
    crash.finish()
    assert len(crash.sent) * 16384 < 24 * MIB, "good data was fetched again"


def test_progress_while_it_runs(lab):
    """At any moment `progress` shows no more than is on disk then."""
    source = lab.make_data("seed/data.bin", 60 * MIB)
    crash = Crash(lab, lab.make_torrent(source, piece_length=262144))
    program, looks, seen = crash.get("--journal-interval", "200"), 0, set()
    while program.is_running():
        if os.path.exists(lab.db):
            try:
                rows = lab.sql("SELECT bytes_done, pieces_done FROM progress")
                pieces = [r[0] for r in lab.sql("SELECT piece FROM piece")]
            except lab_module.sqlite3.OperationalError:
                continue  # it is just being made
            good = crash.truth.good_pieces(crash.truth.on_disk(crash.out))
            assert set(pieces) <= good
            if rows:
                assert rows[0]["bytes_done"] <= crash.truth.payload(good).total()
                assert rows[0]["pieces_done"] <= len(good)
                seen.add(rows[0]["bytes_done"])
                looks += 1
    assert program.wait() == 0, program.err()
    assert looks > 5 and len(seen) > 3, "too little was seen"


def test_aria2(lab):
    """The same against a seeder that we did not write."""
    source = lab.make_data("seed/data.bin", 50 * MIB)
    torrent = lab.make_torrent(source, piece_length=262144)
    peer = lab.aria2(torrent, seed=True, up_limit=RATE // 1024)
    peer.wait_ready()
    out = lab.path("out", "x")[:-2]
    os.makedirs(out, exist_ok=True)
    btc = lab.start_btc("get", torrent.path, "-d", out, "--peer",
                        f"{peer.ip}:{peer.port}")
    lab.wait(lambda: os.path.exists(lab.db) and peer.uploaded() > 15 * MIB, 30,
             "15 MiB to be sent")
    btc.kill()
    crash_claims = read_claims(lab.db)
    truth = Truth(torrent)
    wrong = truth.judge(crash_claims, truth.on_disk(out))
    assert not wrong, wrong[:5]
    run = lab.btc("resume", "--json")
    assert run.code == 0, run
    json.loads(run.out)
    torrent.check(out)
    # aria2 counts what it has handed to the kernel, some of which was
    # under way when btc was killed.
    lab.wait(lambda: peer.uploaded() >= torrent.size, 10, "the count")
    again = peer.uploaded() - torrent.size
    print(f"{again} bytes were sent twice")
    assert again <= RATE * (INTERVAL_S + COMMIT_S) + 4 * MIB, again


lab_module = lab
lab.main(__name__)
