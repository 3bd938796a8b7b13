#!/usr/bin/python3
"""What people and programs do to files behind a client's back: older copies put
back with their times, bytes written in place, files cut, moved, linked, touched,
between two runs and during them, while the runs are killed and three writers
change wishes by SQL. What `progress` and the rows of pieces say after the next
look must never be more than a full hash finds.

BTC_MANIPULATE_SECONDS=N goes on for N seconds (20), BTC_MANIPULATE_SEED=N repeats
the choices of a run.
"""
import os
import random
import shutil
import signal
import sqlite3
import threading
import time

import kit
import lab
import wire

SECONDS = int(os.environ.get("BTC_MANIPULATE_SECONDS", "20"))
SEED = int(os.environ.get("BTC_MANIPULATE_SEED", random.randrange(1 << 30)))
SIZE = 1_500_001
LENGTH = 32768


class Writers:
    """Three connections that change wishes all the time."""

    def __init__(self, path):
        self.path, self.over, self.n = path, threading.Event(), 0
        self.threads = [threading.Thread(target=self.run, args=(i,))
                        for i in range(3)]
        for t in self.threads:
            t.start()

    def run(self, which):
        source = random.Random(SEED + which)
        while not self.over.wait(0.03):
            link = sqlite3.connect(self.path, timeout=20)
            try:
                with link:
                    link.execute(source.choice([
                        "UPDATE torrent SET max_peers = ? WHERE id = ?",
                        "UPDATE torrent SET label = ? WHERE id = ?",
                        "UPDATE torrent SET sequential = ? % 2 WHERE id = ?",
                        "UPDATE file SET priority = 1 + ? % 7"
                        " WHERE torrent_id = ?"]),
                        (source.randrange(1, 99), source.choice((1, 2))))
                    self.n += 1
            finally:
                link.close()

    def end(self):
        self.over.set()
        for t in self.threads:
            t.join()


class Files:
    """The manipulations of one file, by name."""

    def __init__(self, lab, path, source):
        self.path, self.random = path, source
        self.old = lab.path("old", os.path.basename(path))
        self.beside = path + ".beside"

    def keep(self):
        """An older copy, for later."""
        if not os.path.exists(self.old) or self.random.random() < 0.3:
            shutil.copy2(self.path, self.old)

    def put_back(self):
        """cp -p: written in place, the times of the copy."""
        times = os.stat(self.old)
        with open(self.old, "rb") as a, open(self.path, "r+b") as b:
            b.truncate(0)
            shutil.copyfileobj(a, b)
        os.utime(self.path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def sync_inplace(self):
        """rsync --inplace -t: only what differs is written, no new length."""
        times = os.stat(self.old)
        with open(self.old, "rb") as a, open(self.path, "r+b") as b:
            while chunk := a.read(4096):
                b.write(chunk)
        os.utime(self.path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def dd(self):
        """dd conv=notrunc."""
        with open(self.path, "r+b") as f:
            f.seek(self.random.randrange(SIZE))
            f.write(self.random.randbytes(self.random.choice((1, 512, 70_000))))
            size = f.seek(0, 2)
            f.truncate(min(size, SIZE))

    def dd_with_times(self):
        """The same, and the time of the content is set back."""
        times = os.stat(self.path)
        self.dd()
        os.utime(self.path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def cut(self):
        """truncate, and mostly back to its length."""
        os.truncate(self.path, self.random.randrange(SIZE))
        if self.random.random() < 0.7:
            os.truncate(self.path, SIZE)

    def swap(self):
        """mv: another file of the same length and times takes its name."""
        times = os.stat(self.path)
        shutil.copy2(self.old, self.beside)
        os.utime(self.beside, ns=(times.st_atime_ns, times.st_mtime_ns))
        os.replace(self.beside, self.path)

    def away_and_back(self):
        os.rename(self.path, self.beside)
        os.rename(self.beside, self.path)

    def by_link(self):
        """A hard link, and bytes written by way of it."""
        os.link(self.path, self.beside)
        with open(self.beside, "r+b") as f:
            f.seek(self.random.randrange(SIZE))
            f.write(b"by another name")
            size = f.seek(0, 2)
            f.truncate(min(size, SIZE))
        os.unlink(self.beside)

    def touch(self):
        now = time.time() + self.random.choice((-90000, -1, 0, 3600))
        os.utime(self.path, (now, now))

    ALL = ("put_back", "sync_inplace", "dd", "dd_with_times", "cut", "swap",
           "away_and_back", "by_link", "touch")


class Ground:
    def __init__(self, lab):
        self.lab, self.random = lab, random.Random(SEED)
        self.torrents, self.files, self.peers = [], [], []
        self.done = dict.fromkeys(Files.ALL, 0)
        self.kills = self.looks = self.claims = 0
        out = kit.folder(lab, "out")
        for i in range(2):
            t = lab.make_torrent(
                lab.make_data(f"seed/t{i}", SIZE, seed=SEED + i),
                piece_length=LENGTH)
            seed = wire.Slow(t, lab.next_ip())
            seed.pause = 0.004
            assert lab.btc("add", t.path, "-d", out, "--peer",
                           seed.address).code == 0
            self.torrents.append(t)
            self.peers.append(seed)
            self.files.append(Files(lab, os.path.join(out, f"t{i}"),
                                    self.random))

    def manipulate(self):
        f = self.random.choice(self.files)
        if not os.path.exists(f.path):
            return
        f.keep()
        name = self.random.choice(Files.ALL)
        getattr(f, name)()
        self.done[name] += 1

    def run(self):
        """An engine for a while, and something done to its files meanwhile; it
        is stopped or killed."""
        run = self.lab.start_btc("resume", "--journal-interval", "50",
                                 "--stall-timeout", "2s", "--overwrite")
        time.sleep(self.random.uniform(0.05, 0.8))
        if self.random.random() < 0.4:
            self.manipulate()
            time.sleep(self.random.uniform(0, 0.3))
        kill = self.random.random() < 0.6
        self.kills += kill
        run.signal(signal.SIGKILL if kill else signal.SIGTERM)
        run.wait()

    def look(self):
        """The next look, and what is claimed after it."""
        run = self.lab.btc("verify")
        assert run.code in (0, 8, 11, 13, 16), run
        for i, t in enumerate(self.torrents, 1):
            claimed = {r["piece"] for r in self.lab.sql(
                "SELECT piece FROM piece_map WHERE torrent_id = ? AND"
                " state = 'verified'", i)}
            good = t.good_pieces(self.lab.path("out"))
            assert claimed <= good, (SEED, i, sorted(claimed - good), self.done)
            row = kit.progress(self.lab, t)
            assert row["pieces_done"] <= len(good), (SEED, dict(row))
            self.claims += len(claimed)
        self.looks += 1

    def tell(self):
        print(f"{sum(self.done.values())} manipulations {self.done}, "
              f"{self.kills} kills, {self.looks} looks, {self.claims} claims")


def test_manipulate(lab):
    print(f"BTC_MANIPULATE_SEED={SEED}")
    ground = Ground(lab)
    writers = Writers(lab.db)
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            ground.run()
            for _ in range(ground.random.randrange(4)):
                ground.manipulate()
            ground.look()
    finally:
        writers.end()
        ground.tell()
    assert writers.n > 0 and ground.claims > 0
    for seed in ground.peers:
        seed.pause = 0
    run = lab.btc("resume", "--overwrite")
    assert run.code == 0, run
    for t in ground.torrents:
        t.check(lab.path("out"))


lab.main(__name__)
