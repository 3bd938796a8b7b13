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
from harm import Files

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
                                    self.random, SIZE))

    def manipulate(self):
        f = self.random.choice(self.files)
        if not os.path.exists(f.path):
            return
        self.done[f.manipulate()] += 1

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
