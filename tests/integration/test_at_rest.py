#!/usr/bin/python3
"""What becomes of the files of a complete torrent while no engine runs: `btc
resume` looks, and what it finds is what a full hash would."""
import os
import shutil
import signal
import sqlite3
import subprocess
import sys

import kit
import lab as lab_module

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "power"))
from seeder import Seeder  # noqa: E402

NOTHING = "nothing to resume"
PIECE = 32768
# A sanitizer that looks for leaks waits for all threads, also one that hangs.
HUNG = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}


class Swarm:
    """A torrent of some files that is complete, and a seed of it."""

    def __init__(self, lab, name="a", out="out", sizes=(300_001, 70_000, 0, 9)):
        for k, size in enumerate(sizes):
            lab.make_data(f"seed/{name}/f{k}", size, seed=k + 1)
        self.lab, self.out = lab, lab.path(out)
        self.torrent = lab.make_torrent(lab.path("seed", name),
                                        piece_length=PIECE)
        self.seed = Seeder(self.torrent)
        os.makedirs(self.out, exist_ok=True)

    def get(self, *args):
        run = self.lab.btc("get", self.torrent.path, "-d", self.out, "--peer",
                           self.seed.address, *args)
        assert run.code == 0, run
        self.seed.forget()
        return self

    def file(self, k):
        return os.path.join(self.out, self.torrent.name, f"f{k}")

    def row(self):
        return kit.progress(self.lab, self.torrent)

    def n_sent(self):
        """Bytes of the seed, when the one that fetched them is gone."""
        self.seed.settle()
        return self.seed.n_sent()


def nothing(lab, *args):
    run = lab.btc("resume", *args)
    assert run.code == 0 and NOTHING in run.err, run


def write(path, at=1, text=b"somebody"):
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(text)


def write_unseen(path):
    """As rsync does it: the time of before is set again."""
    old = os.stat(path)
    write(path)
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))


def exchange(path):
    """Another file of the same length and time in its place."""
    old = os.stat(path)
    with open(path + ".new", "wb") as f:
        f.write(b"x" * old.st_size)
    os.utime(path + ".new", ns=(old.st_atime_ns, old.st_mtime_ns))
    os.rename(path + ".new", path)


def cut(path):
    os.truncate(path, 100)


# What is done to which file, and how many pieces that costs.
WAYS = ((write, 0, 1), (write_unseen, 0, 1), (write_unseen, 3, 1), (cut, 0, 10),
        (cut, 1, 3), (os.unlink, 0, 10), (os.unlink, 1, 3), (os.unlink, 2, 0),
        (os.unlink, 3, 1))


def test_harm_is_found(lab):
    """By a bare resume and by one that names it; fetched is what was harmed."""
    a = Swarm(lab).get()
    for args in ((), ("1",)):
        for way, k, cost in WAYS:
            nothing(lab, *args)
            way(a.file(k))
            run = lab.btc("resume", *args)
            assert run.code == 0 and NOTHING not in run.err, (way, k, run)
            a.torrent.check(a.out)
            kit.is_complete(lab, a.torrent)
            assert (a.n_sent() + PIECE - 1) // PIECE == cost, (way, k)
            a.seed.forget()
            nothing(lab, *args)


def test_without_a_seed(lab):
    """Nobody has the pieces any more: then it is not complete."""
    a = Swarm(lab).get()
    a.seed.close()
    write_unseen(a.file(0))
    run = lab.btc("resume", "--max-time", "1")
    assert run.code == 5, run
    row = a.row()
    assert row["state"] != "complete" and row["bytes_left"] > 0, row
    assert lab.sql("SELECT 1 FROM log WHERE kind = 'file-changed'")
    run = lab.btc("resume", "--max-time", "1")
    assert run.code == 5, run


def test_only_touched(lab):
    """Hashed, found good, and known as it is now; no command runs for it."""
    a = Swarm(lab).get()
    os.utime(a.file(0), ns=(0, 0))
    os.chmod(a.file(1), 0o600)
    run = lab.btc("resume")
    assert run.code == 0 and NOTHING not in run.err, run
    assert a.n_sent() == 0
    kit.is_complete(lab, a.torrent)
    nothing(lab)


def test_all_is_gone(lab):
    """It may be a drive that is away: nothing is made or given up."""
    a = Swarm(lab).get()
    for gone in a.out, os.path.join(a.out, a.torrent.name):
        os.rename(gone, lab.path("away"))
        n = lab.sql("SELECT count(*) AS n FROM piece")[0]["n"]
        for args in ((), ("1",)):
            run = lab.btc("resume", *args)
            assert run.code == 11 and not os.path.exists(gone), run
            assert a.row()["state"] == "waiting-storage", a.row()
        assert lab.sql("SELECT count(*) AS n FROM piece")[0]["n"] == n
        os.rename(lab.path("away"), gone)
        assert lab.btc("resume").code == 0 and a.n_sent() == 0
        kit.is_complete(lab, a.torrent)


def test_what_stands_in_the_way(lab):
    """Another one's file is refused, and stays as it is."""
    a = Swarm(lab).get()
    exchange(a.file(1))
    run = lab.btc("resume")
    assert run.code == 13 and "f1" in run.err, run
    assert a.row()["state"] == "error", a.row()
    with open(a.file(1), "rb") as f:
        assert f.read() == b"x" * 70_000
    assert lab.btc("resume", "--overwrite").code == 0
    a.torrent.check(a.out)


def make_folder(path):
    os.unlink(path)
    os.mkdir(path)


def test_in_the_place_of_nothing(lab):
    """No piece tells of a file that is to be empty."""
    a = Swarm(lab).get()
    for way in write, make_folder:
        way(a.file(2))
        for args in ((), ("1",)):
            run = lab.btc("resume", *args)
            assert run.code == 13 and "f2" in run.err, run
        shutil.move(a.file(2), lab.path(way.__name__))
        assert lab.btc("resume").code == 0
        kit.is_complete(lab, a.torrent)
        nothing(lab)


def test_others_stay_at_rest(lab):
    """What nobody has changed is not of the run; what is paused is left alone.
    """
    changed, same, paused = [Swarm(lab, name).get() for name in "abc"]
    assert lab.btc("pause", "3").code == 0
    write_unseen(changed.file(0))
    write_unseen(paused.file(0))
    run = lab.btc("resume", "--json")
    assert run.code == 0, run
    assert [t["id"] for t in run.json()["torrents"]] == [1], run
    changed.torrent.check(changed.out)
    assert same.n_sent() + paused.n_sent() == 0
    nothing(lab)
    assert lab.btc("resume", "3").code == 0
    paused.torrent.check(paused.out)


def test_out_of_sight(lab):
    """What lies in a part file is a claim as well."""
    a = Swarm(lab, sizes=(PIECE + 5, PIECE - 10, 5)).get("-s", "1,3")
    part = [r["part"] for r in lab.sql("SELECT part FROM file")
            if r["part"] is not None]
    assert len(part) == 1, part
    write_unseen(os.path.join(a.out, part[0]))
    assert NOTHING not in lab.btc("resume").err
    assert lab.btc("verify").code == 0
    nothing(lab)


def test_killed_while_seeding(lab):
    a = Swarm(lab).get()
    run = lab.start_btc("resume", "1", "--seed", "forever")
    lab.wait(lambda: a.row()["state"] == "seeding", 20, "seeding")
    run.kill()
    write_unseen(a.file(0))
    assert lab.btc("resume").code == 0
    a.torrent.check(a.out)
    kit.is_complete(lab, a.torrent)


def test_end_of_seeding(lab):
    """Nobody has asked for the file while it was served: the run looks at it
    before it is done, and fetches what was harmed."""
    a = Swarm(lab).get()
    for args in (("get", a.torrent.path, "-d", a.out, "--seed", "time:3s"),
                 ("resume", "1", "--seed", "time:8s")):
        run = lab.start_btc(*args, "--ndjson", "--peer", a.seed.address)
        lab.wait(lambda: a.row()["state"] == "seeding" and
                 '"event":"done"' in run.out(), 20, "seeding")
        write_unseen(a.file(0))
        assert run.wait(30) == 0, run.err()
        a.torrent.check(a.out)
        kit.is_complete(lab, a.torrent)
        assert run.out().count('"event":"done"') == 1, run.out()
        assert a.n_sent() == PIECE, a.n_sent()
        a.seed.forget()


def test_end_of_seeding_in_a_daemon(lab):
    """There a goal is the torrent's end as well."""
    a = Swarm(lab).get()
    assert lab.btc("set", "1", "seed=time:3s").code == 0
    daemon = lab.start_btc("daemon")
    lab.wait(lambda: a.row()["state"] == "seeding", 20, "seeding")
    write_unseen(a.file(1))
    lab.wait(lambda: a.row()["state"] == "complete", 30, "the end")
    a.torrent.check(a.out)
    assert daemon.stop() == 0


def test_rows_of_somebody(lab):
    """A path that leads elsewhere is not looked at, but told."""
    a = Swarm(lab).get()
    link = sqlite3.connect(lab.db)
    with link:
        guards = link.execute("SELECT name, sql FROM sqlite_master WHERE type ="
                              " 'trigger' AND tbl_name = 'file'").fetchall()
        for name, _ in guards:
            link.execute(f"DROP TRIGGER {name}")
        link.execute("UPDATE file SET path = '../../x' WHERE file = 0")
        for _, sql in guards:
            link.execute(sql)
    link.close()
    run = lab.btc("resume")
    assert run.code == 14 and "does not lead below" in run.err, run
    assert a.row()["state"] == "error", a.row()


def test_engine_elsewhere(lab):
    """It has the files in its hands: a start by name makes it look."""
    a = Swarm(lab).get()
    daemon = lab.start_btc("daemon", "--seed", "none")
    lab.wait(lambda: lab.sql("SELECT 1 FROM run WHERE ended_at IS NULL"), 20,
             "it")
    write_unseen(a.file(0))
    nothing(lab)
    nothing(lab, "1")
    lab.wait(lambda: a.seed.n_sent() > 0, 30, "the piece")
    lab.wait(lambda: a.row()["state"] == "complete", 30, "the end")
    a.torrent.check(a.out)
    assert daemon.stop() == 0


def test_silent_drive(lab):
    """A drive that does not answer keeps neither the others nor the user."""
    real = kit.folder(lab, "real")
    mounted = lab.path("drive")
    os.makedirs(mounted)
    if not shutil.which("bindfs"):
        raise lab_module.Skip("bindfs is not installed")
    bindfs = subprocess.Popen(["bindfs", "-f", "--no-allow-other", real,
                               mounted])
    lab.mounts.append(mounted)
    lab.wait(lambda: os.path.ismount(mounted), 20, "the drive")
    silent = Swarm(lab, "silent", "drive").get()
    fine = Swarm(lab, "fine").get()
    os.kill(bindfs.pid, signal.SIGSTOP)
    try:
        run = lab.start_btc("resume", env=HUNG)
        lab.wait(lambda: len(os.listdir(f"/proc/{run.pid}/task")) > 1, 20,
                 "the look")
        run.signal(signal.SIGINT)
        assert run.wait(30) == 7, run.err()
        write_unseen(fine.file(0))
        run = lab.btc("resume", env=HUNG)
        assert run.code == 0, run
        assert "1 complete torrent was not looked at" in run.err, run
        fine.torrent.check(fine.out)
    finally:
        os.kill(bindfs.pid, signal.SIGCONT)
    nothing(lab)
    assert silent.row()["state"] == "complete"


lab_module.main(__name__)
