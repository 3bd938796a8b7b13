#!/usr/bin/python3
"""A daemon that is given no rest: random wishes over several torrents, from the
command line and by plain SQL, while it is killed and started again. At the end
everything is wished to run, and then all of it must be there. And the opposite:
a daemon with nothing to do, and one with very many torrents.

BTC_STRESS_SECONDS=N goes on for N seconds (25); BTC_STRESS_SEED=N repeats a
run, as far as time allows it. Works with sanitizers, too.
"""
import os
import random
import re
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

SECONDS = int(os.environ.get("BTC_STRESS_SECONDS", "25"))
SEED = int(os.environ.get("BTC_STRESS_SEED", random.randrange(1 << 30)))
N_TORRENTS = 10
N_MANY = 200


class Tracker:
    """Knows one seeder per torrent; is slow, fails or hangs now and then."""

    def __init__(self, lab, seed):
        self.random = random.Random(seed)
        self.peers, self.asked, self.busy, self.most = {}, [], 0, 0
        self.lock = threading.Lock()
        self.moods = ["good"] * 6 + ["slow", "broken", "hangs"]
        self.url = lab.http_server(self.answer) + "/announce"

    def answer(self, path, _headers):
        found = re.search(r"info_hash=([^&]+)", path)
        with self.lock:
            mood = self.random.choice(self.moods)
            self.busy += 1
            self.most = max(self.most, self.busy)
            self.asked.append(time.monotonic())
        time.sleep({"slow": 0.5, "hangs": 8}.get(mood, 0.002))
        with self.lock:
            self.busy -= 1
        if mood == "broken":
            return 500, {}, b"broken"
        peers = self.peers.get(lab_unquote(found.group(1)), b"")
        return 200, {}, lab.benc({b"interval": 1800, b"peers": peers})


def lab_unquote(text):
    import urllib.parse
    return urllib.parse.unquote_to_bytes(text).hex()


class Stress:
    def __init__(self, lab):
        print(f"BTC_STRESS_SEED={SEED}")
        self.lab, self.random = lab, random.Random(SEED)
        self.tracker = Tracker(lab, SEED)
        self.torrents, self.seeders = [], []
        self.removing = {}  # info hash: its last wish was remove-data
        self.daemon, self.n_steps, self.n_kills = None, 0, 0
        for i in range(N_TORRENTS):
            self.make(i)

    def make(self, i):
        """A torrent of one file, or of three in a folder; its seeder."""
        r = self.random
        if i % 3 == 0:
            source = self.lab.path(f"seed/t{i}", "x")[:-2]
            for k in range(3):
                self.lab.make_data(f"seed/t{i}/f{k}", r.randrange(1, 900_000),
                                   seed=SEED + 10 * i + k)
        else:
            source = self.lab.make_data(f"seed/t{i}",
                                        r.randrange(1, 3_000_000), SEED + i)
        t = self.lab.make_torrent(source, piece_length=r.choice(
            [16384, 32768, 131072]), tiers=[[self.tracker.url]])
        s = Seeder(t, rate=r.choice([150_000, 400_000, 0]))
        host = bytes(int(x) for x in s.ip.split("."))
        self.tracker.peers[t.info_hash] = host + s.port.to_bytes(2, "big")
        self.torrents.append(t)
        self.seeders.append(s)
        os.makedirs(self.out(t), exist_ok=True)

    def out(self, t):
        return self.lab.path("out", t.name)

    def start(self):
        self.daemon = self.lab.start_btc("daemon", "--journal-interval", "200",
                                         "-v")

    def ended(self, code):
        """The daemon has ended so, and has nothing bad to tell."""
        text = self.daemon.err() + self.daemon.out()
        bad = [x for x in text.splitlines() if kit.BAD.search(x)]
        assert not bad, "\n".join(bad[:40] + text.splitlines()[-60:])
        assert code in (0, -signal.SIGKILL), (code, text[-2000:])

    def write(self, *statements):
        """By hand, as anybody may; the number of rows that took it."""
        link = sqlite3.connect(self.lab.db, timeout=20, isolation_level=None)
        try:
            link.execute("PRAGMA foreign_keys = ON")
            link.execute("BEGIN IMMEDIATE")
            n = sum(link.execute(sql, args).rowcount
                    for sql, args in statements)
            link.execute("COMMIT")
            return n
        finally:
            link.close()

    def has_data(self, t):
        """All its files are known as its own: an earlier life may have left
        some, which a torrent that has not begun does not delete, nor one that
        keeps what it has of them out of sight (file.part)."""
        if any(d.endswith(".part") for d in os.listdir(self.out(t))):
            return False
        return not self.lab.sql(
            "SELECT 1 FROM file JOIN torrent ON torrent.id = torrent_id WHERE "
            "info_hash = ? AND NOT pad AND ino IS NULL", t.info_hash)

    def row(self, t):
        rows = self.lab.sql("SELECT id, wanted FROM torrent WHERE info_hash=?",
                            t.info_hash)
        return rows[0] if rows else None

    # --- what is done to it

    def add(self, t):
        if self.removing.pop(t.info_hash, False) and not self.row(t):
            left = [f for _, _, fs in os.walk(self.out(t)) for f in fs]
            assert not left, (
                f"{t.name}: removed with its data: {left}",
                [r["text"] for r in self.lab.sql("SELECT text FROM log")][-20:])
        s = self.seeders[self.torrents.index(t)]
        args = ["add", t.path, "-d", self.out(t),
                "--seed", self.random.choice(["none", "forever", "ratio:1"])]
        if self.random.random() < 0.7:
            args += ["--peer", s.address]
        run = self.lab.btc(*args)
        assert run.code in (0, 13), run

    def command(self, t, id):
        r = self.random
        args = r.choice([
            ["pause", str(id)], ["start", str(id)],
            ["rm", str(id)], ["rm", "--data", "-y", str(id)],
            ["set", str(id), "verify=now"],
            ["set", str(id), f"down={r.choice(['0', '50K', '300K'])}"],
            ["set", str(id), f"up={r.choice(['0', '20K'])}"],
            ["set", str(id), "seed=" + r.choice(["none", "forever"])]])
        owned = self.has_data(t)
        run = self.lab.btc(*args)
        assert run.code in (0, 3), run
        if args[0] in ("pause", "start", "rm") and run.code == 0:
            self.removing[t.info_hash] = "--data" in args and owned

    def sql(self, t, id):
        r = self.random
        column, value = r.choice([
            ("wanted", "run"), ("wanted", "pause"), ("wanted", "run"),
            ("wanted", "remove"), ("wanted", "remove-data"),
            ("down_limit", r.choice([0, 100_000])),
            ("max_peers", r.choice([0, 1, 50])),
            ("sequential", r.randrange(2)),
            ("verify_since", int(time.time()) + 1),
            ("seed_mode", r.choice(["none", "forever"])),
            ("label", "x")])
        owned = self.has_data(t)
        n = self.write((f"UPDATE torrent SET {column} = ? WHERE id = ?",
                        (value, id)))
        if column == "wanted" and n > 0:  # else it has just been removed
            self.removing[t.info_hash] = value == "remove-data" and owned

    def priorities(self, _t, id):
        self.write(("UPDATE file SET priority = ? WHERE torrent_id = ? AND "
                    "file = ? AND NOT pad",
                    (self.random.choice([0, 1, 2]), id,
                     self.random.randrange(3))))

    def hurt(self):
        """The daemon goes, in one way or another, and comes back."""
        if self.random.random() < 0.7:
            self.daemon.kill()
            self.n_kills += 1
            self.ended(-signal.SIGKILL)
            self.claims()
        else:
            self.daemon.signal(signal.SIGTERM)
            if self.random.random() < 0.3:
                self.daemon.signal(signal.SIGTERM)
            code = self.daemon.wait(40)
            if code == -signal.SIGTERM:  # it had only just begun
                self.start()
                return
            self.ended(code)
            self.claims()
            runs = self.lab.sql("SELECT ended_at FROM run ORDER BY id DESC")
            assert runs[0]["ended_at"], "no clean end"
        self.start()

    def parted(self, t, id):
        """Pieces with bytes of a file that is not wanted: those lie elsewhere
        (file.part), where good_pieces does not look."""
        pieces = set()
        for r in self.lab.sql("SELECT file FROM file WHERE torrent_id = ? AND "
                              "part IS NOT NULL", id):
            f = t.files[r["file"]]
            pieces |= set(range(
                f.offset // t.piece_length,
                (f.offset + f.length - 1) // t.piece_length + 1))
        return pieces

    def claims(self):
        """What the journal claims is on disk."""
        for t in self.torrents:
            row = self.row(t)
            if not row or row["wanted"].startswith("remove"):
                continue
            claimed = {r["piece"] for r in self.lab.sql(
                "SELECT piece FROM piece WHERE torrent_id = ?", row["id"])}
            good = t.good_pieces(self.out(t)) if claimed else set()
            wrong = claimed - good - self.parted(t, row["id"])
            assert not wrong, (t.name, sorted(wrong))
            stat = self.lab.sql("SELECT pieces_done FROM torrent_stat WHERE "
                                "torrent_id = ?", row["id"])[0]
            assert stat["pieces_done"] <= len(claimed), (
                t.name, stat["pieces_done"], len(claimed))

    def step(self):
        assert self.daemon.is_running(), self.ended(self.daemon.wait(1))
        r = self.random
        t = r.choice(self.torrents)
        row = self.row(t)
        self.n_steps += 1
        if r.random() < 0.06:
            self.hurt()
        elif not row:
            self.add(t)
        else:
            r.choice([self.sql] * 4 + [self.priorities] * 2 +
                     [self.command] * 2)(t, row["id"])
        time.sleep(r.choice([0, 0.01, 0.05, 0.2, 0.4]))

    # --- the end

    def settle(self):
        """All are wished to run, without limits."""
        print(f"{self.n_steps} wishes, {self.n_kills} kills")
        def gone():
            return not self.lab.sql(
                "SELECT 1 FROM torrent WHERE wanted LIKE 'remove%'")
        self.lab.wait(gone, 40, "removals to be carried out")
        for t in self.torrents:
            if not self.row(t):
                self.add(t)
        # What an earlier life left that was removed without its data, before a
        # piece of it was whole, is a stranger's to the next one.
        self.write(
            ("UPDATE torrent SET wanted = 'run', down_limit = 0, up_limit = 0,"
             " max_peers = 0, seed_mode = 'none', overwrite = 1", ()),
            ("UPDATE file SET priority = 1 WHERE NOT pad", ()))
        for t, s in zip(self.torrents, self.seeders):
            s.rate = 0
            self.lab.btc("add", t.path, "-d", self.out(t), "--peer", s.address)

    def complete(self):
        rows = self.lab.sql("SELECT state, percent FROM progress")
        return len(rows) == N_TORRENTS and all(
            r["state"] == "complete" and r["percent"] == 100 for r in rows)

    def finish(self):
        self.settle()
        try:
            self.lab.wait(self.complete, 150, "all to be complete", 0.2)
        except lab.Timeout:
            for r in self.lab.sql("SELECT * FROM progress"):
                print(dict(r))
            for r in self.lab.sql("SELECT * FROM log"):
                print(tuple(r))
            raise
        self.daemon.signal(signal.SIGTERM)
        self.ended(self.daemon.wait(40))
        self.claims()
        for t in self.torrents:
            t.check(self.out(t))
        for table in ("torrent_stat", "metainfo", "file", "piece", "block",
                      "tracker", "web_seed", "peer"):
            orphans = self.lab.sql(
                f"SELECT count(*) AS n FROM {table} WHERE torrent_id NOT IN "
                "(SELECT id FROM torrent)")[0]["n"]
            assert orphans == 0, (table, orphans)
        assert not self.lab.sql("SELECT * FROM block")
        bad = [tuple(r) for r in self.lab.sql("SELECT * FROM log")
               if kit.BAD.search(str(tuple(r)))]
        assert not bad, bad
        assert self.lab.btc("verify", "--full").code == 0


def test_no_rest(lab):
    stress = Stress(lab)
    stress.start()
    lab.wait(lambda: os.path.exists(lab.db), 20)
    end = time.monotonic() + SECONDS
    for t in stress.torrents:
        stress.add(t)
    while time.monotonic() < end:
        stress.step()
    stress.finish()


def switches(pid):
    """How often the threads of a process have waited so far."""
    n = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as f:
            n += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", f.read(),
                               re.M).group(1))
    return n


def test_idle(lab):
    """Nothing to do: no commit, and hardly a wake-up. A seed, a torrent that
    waits for its storage, a paused one, one that is complete."""
    tracker = Tracker(lab, SEED)
    tracker.moods = ["good"]
    for name, seed in (("seed", "forever"), ("waits", "none"),
                       ("paused", "none"), ("complete", "none")):
        lab.make_data(f"out/{name}/{name}", 200_000, seed=len(name))
        t = lab.make_torrent(lab.path(f"out/{name}/{name}"), tiers=[
            [tracker.url]], piece_length=16384, out=lab.path(name + ".torrent"))
        run = lab.btc("add", t.path, "-d", lab.path(f"out/{name}"),
                      "--seed", seed)
        assert run.code == 0, run
    assert lab.btc("pause", "paused").code == 0
    os.rename(lab.path("out/waits"), lab.path("elsewhere"))
    daemon = lab.start_btc("daemon")

    def states():
        return {r["name"]: r["state"] for r in
                lab.sql("SELECT name, state FROM progress")}
    want = {"seed": "seeding", "waits": "waiting-storage", "paused": "paused",
            "complete": "complete"}
    lab.wait(lambda: states() == want, 40, f"states {want}")
    time.sleep(4)  # rates fall to zero, trackers have answered
    link = sqlite3.connect(f"file:{lab.db}?mode=ro", uri=True)
    n, begin = switches(daemon.pid), time.monotonic()
    events = len(lab.sql("SELECT 1 FROM event"))
    time.sleep(7)  # the storage is looked for meanwhile
    rate = (switches(daemon.pid) - n) / (time.monotonic() - begin)
    assert len(lab.sql("SELECT 1 FROM event")) == events
    assert rate < 20, f"{rate:.1f} wake-ups per second"
    os.rename(lab.path("elsewhere"), lab.path("out/waits"))
    lab.wait(lambda: states()["waits"] == "complete", 20)
    # While something is unfinished the run says every ten seconds that it
    # lives. With nothing left it comes to rest: no commit at all.
    def rests():
        before = link.execute("PRAGMA data_version").fetchone()
        time.sleep(12)
        return link.execute("PRAGMA data_version").fetchone() == before
    assert any(rests() for _ in range(4))
    daemon.signal(signal.SIGTERM)
    assert daemon.wait(20) == 0, daemon.err()


def test_many(lab):
    """Many torrents in one daemon: up soon, small, polite to the tracker."""
    tracker = Tracker(lab, SEED)
    tracker.moods = ["good"]
    paths = []
    for i in range(N_MANY):
        lab.make_data(f"out/m{i}", 40_000, seed=i)
        paths.append(lab.make_torrent(lab.path(f"out/m{i}"), piece_length=16384,
                                      tiers=[[tracker.url]]).path)
    run = lab.btc("add", *paths, "-d", lab.path("out", "x")[:-2],
                  "--seed", "forever")
    assert run.code == 0, run
    begin = time.monotonic()
    daemon = lab.start_btc("daemon")

    def up():
        return lab.sql("SELECT count(*) AS n FROM progress WHERE state = "
                       "'seeding'")[0]["n"] == N_MANY
    lab.wait(up, 60, "all to seed", 0.1)
    seconds = time.monotonic() - begin
    lab.wait(lambda: len(tracker.asked) >= N_MANY, 60)
    with open(f"/proc/{daemon.pid}/status", encoding="ascii") as f:
        rss = int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))
    time.sleep(4)
    n, at = switches(daemon.pid), time.monotonic()
    time.sleep(3)
    rate = (switches(daemon.pid) - n) / (time.monotonic() - at)
    print(f"{N_MANY} torrents: {seconds:.1f} s, {rss >> 10} MiB, "
          f"{rate:.1f} wake-ups/s, {tracker.most} announces at once")
    assert tracker.most <= 50, tracker.most
    assert rate < 40, rate
    begin = time.monotonic()
    daemon.signal(signal.SIGTERM)
    assert daemon.wait(30) == 0, daemon.err()
    assert time.monotonic() - begin < 10


if __name__ == "__main__":
    lab.main(__name__)
