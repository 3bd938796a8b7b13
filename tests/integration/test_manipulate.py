#!/usr/bin/python3
"""What people and programs do to files behind a client's back: older copies put
back with their times, bytes written in place, files cut, moved, linked, touched,
between two runs and during them, while the runs are killed and three writers
change wishes by SQL. What `progress` and the rows of pieces say after the next
look must never be more than a full hash finds, be that look a verification,
which hashes all, a run that trusts what it has reason to trust, or a resume that
finds everything complete and at rest.

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
                        "UPDATE torrent SET max_peers = ? WHERE id % 2 = ?",
                        "UPDATE torrent SET label = ? WHERE id % 2 = ?",
                        "UPDATE torrent SET sequential = ? % 2"
                        " WHERE id % 2 = ?",
                        "UPDATE file SET priority = 1 + ? % 7"
                        " WHERE torrent_id % 2 = ?"]),
                        (source.randrange(1, 99), source.choice((0, 1))))
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
        self.kills = self.looks = self.runs = self.rests = self.claims = 0
        kit.folder(lab, "out")
        for i in range(2):
            t = lab.make_torrent(
                lab.make_data(f"seed/t{i}", SIZE, seed=SEED + i),
                piece_length=LENGTH)
            self.torrents.append(t)
            self.peers.append(wire.Slow(t, lab.next_ip()))
            self.files.append(Files(lab, lab.path("out", f"t{i}"),
                                    self.random, SIZE))
        self.add()

    def add(self):
        for t, seed in zip(self.torrents, self.peers):
            seed.pause = 0.004
            assert self.lab.btc("add", t.path, "-d", self.lab.path("out"),
                                "--peer", seed.address).code == 0

    def ids(self):
        rows = {r["info_hash"]: str(r["id"]) for r in
                self.lab.sql("SELECT id, info_hash FROM torrent")}
        return [rows[t.info_hash] for t in self.torrents]

    def anew(self):
        """All is here: from the beginning."""
        run = self.lab.btc("rm", "--data", "-y", *self.ids())
        assert run.code in (0, 16), run
        for f in self.files:
            if os.path.exists(f.path):
                os.unlink(f.path)
        self.add()

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

    def judge(self, run):
        """What is claimed is there."""
        for t in self.torrents:
            claimed = {r["piece"] for r in self.lab.sql(
                "SELECT piece FROM piece JOIN torrent ON id = torrent_id"
                " WHERE info_hash = ?", t.info_hash)}
            good = t.good_pieces(self.lab.path("out"))
            assert claimed <= good, (SEED, run, sorted(claimed - good),
                                     self.done)
            row = kit.progress(self.lab, t)
            assert row["pieces_done"] <= len(good), (SEED, dict(row))
            self.claims += len(claimed)

    def look(self):
        run = self.lab.btc("verify")
        assert run.code in (0, 8, 11, 13, 16), run
        self.judge(run)
        self.looks += 1

    def finish(self):
        """A run to the end, which hashes only what it doubts."""
        for seed in self.peers:
            seed.pause = 0
        run = self.lab.btc("resume", *self.ids(), "--overwrite",
                           "--accept-loss", "--seed", "time:1s")
        assert run.code == 0, (SEED, run)
        self.judge(run)
        self.runs += 1
        for _ in range(self.random.randrange(3)):
            self.rest()
        self.anew()

    def rest(self):
        """Complete and at rest; then somebody comes, or nobody."""
        for _ in range(self.random.randrange(4)):
            self.manipulate()
        ids = self.ids() if self.random.random() < 0.5 else []
        run = self.lab.btc("resume", *ids, "--overwrite", "--accept-loss")
        assert run.code == 0, (SEED, run)
        self.judge(run)
        self.rests += 1

    def tell(self):
        print(f"{sum(self.done.values())} manipulations {self.done}, "
              f"{self.kills} kills, {self.looks} looks, {self.runs} runs to the "
              f"end, {self.rests} resumes of what was complete, "
              f"{self.claims} claims")


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
            if ground.random.random() < 0.5:
                ground.finish()
            else:
                ground.look()
    finally:
        writers.end()
        ground.tell()
    assert writers.n > 0 and ground.claims > 0
    ground.finish()
    assert ground.runs > 1


lab.main(__name__)
