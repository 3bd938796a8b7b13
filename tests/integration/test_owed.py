#!/usr/bin/python3
"""What was wished or begun while no engine ran, and what a killed program left
behind: `btc resume` carries it out."""
import os
import shutil
import sqlite3
import subprocess
import sys

import lab

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "power"))
from seeder import Seeder  # noqa: E402

NOTHING = "nothing to resume"


def write(lab, sql, *args):
    """By hand."""
    link = sqlite3.connect(lab.db, timeout=10)
    with link:
        assert link.execute(sql, args).rowcount > 0, sql
    link.close()


def one(lab, query):
    return lab.sql(query)[0][0]


def folder(lab, sizes=(700_000, 700_000)):
    for k, size in enumerate(sizes):
        lab.make_data(f"seed/two/f{k}", size, seed=k + 1)
    t = lab.make_torrent(lab.path("seed/two"), piece_length=32768)
    return t, Seeder(t)


def add(lab, t, seeder, *args):
    os.makedirs(lab.path("out"), exist_ok=True)
    run = lab.btc("add", t.path, "-d", lab.path("out"), "--seed", "none",
                  "--peer", seeder.address, *args)
    assert run.code == 0, run


def get(lab, t, seeder, *args):
    add(lab, t, seeder, *args)
    run = lab.btc("resume")
    assert run.code == 0, run
    assert one(lab, "SELECT state FROM progress") == "complete"
    run = lab.btc("resume")
    assert run.code == 0 and NOTHING in run.err, run


def resumed(lab, *args):
    run = lab.btc("resume", *args)
    assert run.code == 0 and NOTHING not in run.err, run
    run = lab.btc("resume")
    assert run.code == 0 and NOTHING in run.err, run


def test_verify(lab):
    """Good data stays as it is; a bad piece is fetched again."""
    t, seeder = folder(lab)
    get(lab, t, seeder)
    seeder.forget()
    for spoil in False, True:
        assert lab.btc("set", "two", "verify=now").code == 0
        assert one(lab, "SELECT verify_since > 0 FROM torrent")
        if spoil:
            with open(lab.path("out/two/f0"), "r+b") as f:
                f.seek(100_000)
                f.write(bytes(10))
        resumed(lab)
        assert one(lab, "SELECT verify_since FROM torrent") == 0
        assert (seeder.n_sent() > 0) == spoil, (spoil, seeder.n_sent())
        t.check(lab.path("out"))


def test_empty_file(lab):
    """No piece misses a file without bytes: a verification does, and what it
    finds is made again."""
    t, seeder = folder(lab, (40_000, 0, 0, 40_000))
    get(lab, t, seeder)
    for name in ("f1", "f2"):
        os.unlink(lab.path("out/two", name))
    for args in ((), ("--full",)):
        run = lab.btc("verify", *args)
        assert run.code == 8 and "missing: 2" in run.err, run
        assert one(lab, "SELECT state FROM progress") == "queued"
    resumed(lab)
    t.check(lab.path("out"))
    assert lab.btc("verify").code == 0
    assert lab.btc("set", "1", "priority.2=off").code == 0
    os.unlink(lab.path("out/two/f1"))
    assert lab.btc("verify").code == 0, "it is not wanted"


def test_verify_by_id(lab):
    t, seeder = folder(lab)
    get(lab, t, seeder)
    write(lab, "UPDATE torrent SET verify_since = unixepoch() + 1")
    resumed(lab, "two")
    assert one(lab, "SELECT verify_since FROM torrent") == 0


def test_file_out_of_sight(lab):
    """All bytes of a small file came with its neighbours; an empty one has
    none. Neither stands in its place before it is wished for."""
    t, seeder = folder(lab, (32768 - 100, 50, 700_000, 0))
    get(lab, t, seeder, "-s", "1,3")
    assert sorted(os.listdir(lab.path("out/two"))) == ["f0", "f2"]
    for number, name in (2, "f1"), (4, "f3"):
        assert lab.btc("set", "two", f"priority.{number}=normal").code == 0
        resumed(lab)
        assert os.path.exists(lab.path("out/two", name)), name
    t.check(lab.path("out"))


def test_accepted_loss(lab):
    t, seeder = folder(lab)
    get(lab, t, seeder)
    os.rename(lab.path("out/two"), lab.path("away"))
    assert lab.btc("set", "two", "accept-loss=true").code == 0
    resumed(lab)
    t.check(lab.path("out"))
    assert one(lab, "SELECT accept_loss FROM torrent") == 0


def test_accepted_loss_of_nothing(lab):
    """The wish is answered by storage that is there: it does not wait for the
    day on which the drive is away."""
    t, seeder = folder(lab)
    get(lab, t, seeder)
    assert lab.btc("set", "two", "accept-loss=true").code == 0
    resumed(lab)
    assert one(lab, "SELECT accept_loss FROM torrent") == 0
    os.rename(lab.path("out/two"), lab.path("away"))
    assert lab.btc("verify", "two").code != 0
    assert one(lab, "SELECT count(*) FROM piece") > 0


def test_removal(lab):
    """Beside a torrent that is complete, and one that has something to do."""
    t, seeder = folder(lab)
    get(lab, t, seeder)
    write(lab, "UPDATE torrent SET wanted = 'remove-data'")
    resumed(lab)
    assert not lab.sql("SELECT 1 FROM torrent")
    assert not os.listdir(lab.path("out"))


def test_removal_is_prompt(lab):
    """No step of it waits for a commit that is due later, and nothing that is
    gone is called done."""
    t, seeder = folder(lab)
    for what in ("remove", "remove-data"):
        get(lab, t, seeder)
        write(lab, f"UPDATE torrent SET wanted = '{what}'")
        run = lab.btc("resume", "--journal-interval", "10000")
        assert run.code == 0 and run.seconds < 5, run
        assert "removed: two" in run.err and "done" not in run.err, run
        assert not lab.sql("SELECT 1 FROM torrent")


def test_removal_that_fails(lab):
    """Its storage is away: the rows stay, and the exit code says why."""
    t, seeder = folder(lab)
    get(lab, t, seeder)
    write(lab, "UPDATE torrent SET wanted = 'remove-data'")
    os.rename(lab.path("out"), lab.path("away"))
    run = lab.btc("resume")
    assert run.code == 11, run
    assert lab.sql("SELECT 1 FROM torrent")
    os.rename(lab.path("away"), lab.path("out"))
    resumed(lab)
    assert not os.listdir(lab.path("out"))


def dead_pid():
    child = subprocess.Popen(["/bin/true"])
    child.wait()
    return child.pid


def left_move(lab):
    """What a `btc move` that was killed has left."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
        boot = f.read().strip()
    os.makedirs(lab.path("there"), exist_ok=True)
    write(lab, "INSERT INTO move (torrent_id, from_path, to_path, wanted,"
          " starts, pid, boot_id) SELECT id, save_path, ?, wanted, starts, ?, ?"
          " FROM torrent", lab.path("there"), dead_pid(), boot)
    write(lab, "UPDATE torrent SET wanted = 'pause'")


def test_move_that_was_killed(lab):
    """It had paused a download that was to run."""
    t, seeder = folder(lab)
    add(lab, t, seeder)
    left_move(lab)
    resumed(lab)
    assert one(lab, "SELECT wanted FROM torrent") == "run"
    assert not lab.sql("SELECT 1 FROM move")
    t.check(lab.path("out"))


def test_move_of_complete(lab):
    """The copies that it has made take up no space for ever."""
    t, seeder = folder(lab)
    get(lab, t, seeder)
    left_move(lab)
    os.makedirs(lab.path("there/two"))
    os.link(lab.path("out/two/f0"), lab.path("there/two/f0"))
    ino = os.stat(lab.path("out/two/f0"))
    write(lab, "INSERT INTO move_file VALUES (1, 0, 'two/f0', ?, ?, ?, ?)",
          ino.st_dev, ino.st_ino, ino.st_dev, ino.st_ino)
    assert lab.btc("resume").code == 0
    assert not os.path.exists(lab.path("there/two/f0"))
    assert one(lab, "SELECT wanted FROM torrent") == "run"
    assert not lab.sql("SELECT 1 FROM move")
    t.check(lab.path("out"))


def test_moved_by_hand(lab):
    """A copy is not complete before a run has looked at it."""
    t, seeder = folder(lab)
    get(lab, t, seeder)
    shutil.copytree(lab.path("out"), lab.path("there"),
                    copy_function=shutil.copyfile)
    with open(lab.path("there/two/f0"), "r+b") as f:
        f.write(b"bad")
    shutil.rmtree(lab.path("out"))
    assert lab.btc("move", "two", lab.path("there"), "--here").code == 0
    assert one(lab, "SELECT state FROM progress") == "queued"
    resumed(lab)
    t.check(lab.path("there"))


def killed_on_the_way(lab):
    """A small file's bytes came with its neighbours. It was wished for, a run
    took it to its place and was killed before it could journal that, and it is
    not wanted any more."""
    t, seeder = folder(lab, (700_000, 40_000, 700_000))
    get(lab, t, seeder, "-x", "2")
    part = one(lab, "SELECT part FROM file WHERE file = 1")
    os.rename(lab.path("out", part), lab.path("out/two/f1"))
    os.rmdir(os.path.dirname(lab.path("out", part)))
    seeder.forget()
    return t, seeder


def test_killed_on_the_way_home(lab):
    for verify in False, True:
        t, seeder = killed_on_the_way(lab)
        before = one(lab, "SELECT count(*) FROM piece")
        if verify:
            run = lab.btc("verify", "two")
            assert run.code == 0, run
        assert lab.btc("set", "two", "verify=now").code == 0
        resumed(lab)
        assert one(lab, "SELECT count(*) FROM piece") == before
        assert one(lab, "SELECT part FROM file WHERE file = 1") is None
        assert not seeder.n_sent(), "nothing was lost"
        assert not lab.sql("SELECT 1 FROM event WHERE kind = 'file-lost'")
        assert lab.btc("set", "two", "select=").code == 0
        assert lab.btc("resume").code == 0
        t.check(lab.path("out"))
        assert os.listdir(lab.path("out")) == ["two"]
        assert lab.btc("rm", "--data", "-y", "two").code == 0
        assert not os.listdir(lab.path("out"))


def test_wished_while_away(lab):
    """A file out of sight is wished for while the drive is away, with an engine
    that looks for it meanwhile and without: the journal does not say that it is
    in its place, and nothing of it is fetched again."""
    for daemon in False, True:
        t, seeder = folder(lab, (700_000, 40_000, 700_000))
        get(lab, t, seeder, "-x", "2")
        part = one(lab, "SELECT part FROM file WHERE file = 1")
        claims = one(lab, "SELECT count(*) FROM piece")
        seeder.forget()
        os.rename(lab.path("out"), lab.path("away"))
        engine = lab.start_btc("daemon") if daemon else None
        run = lab.btc("set", "two", "priority.2=normal")
        assert run.code == 0, run
        if daemon:
            lab.wait(lambda: one(lab, "SELECT state FROM progress") ==
                     "waiting-storage", what="the wish to be taken up")
        else:
            assert lab.btc("resume").code == 11
        assert one(lab, "SELECT part FROM file WHERE file = 1") == part
        os.rename(lab.path("away"), lab.path("out"))
        if daemon:
            lab.wait(lambda: one(lab, "SELECT state FROM progress") ==
                     "complete", what="the file to come home")
            assert engine.stop() == 0
        else:
            resumed(lab)
        assert one(lab, "SELECT part FROM file WHERE file = 1") is None
        assert one(lab, "SELECT count(*) FROM piece") == claims
        assert not seeder.n_sent(), "nothing was lost"
        assert not lab.sql("SELECT 1 FROM event WHERE kind LIKE 'file-%'")
        t.check(lab.path("out"))
        assert lab.btc("rm", "--data", "-y", "two").code == 0
        assert not os.listdir(lab.path("out"))


def test_killed_on_the_way_and_removed(lab):
    killed_on_the_way(lab)
    run = lab.btc("rm", "--data", "-y", "two")
    assert run.code == 0 and "data and all" in run.err, run
    assert not os.listdir(lab.path("out"))


def test_killed_on_the_way_and_moved(lab):
    t, seeder = killed_on_the_way(lab)
    run = lab.btc("move", "two", lab.path("there"))
    assert run.code == 0, run
    assert sorted(os.listdir(lab.path("there/two"))) == ["f0", "f1", "f2"]
    assert not os.path.exists(lab.path("out/two"))
    assert lab.btc("set", "two", "verify=now").code == 0
    resumed(lab)
    assert not seeder.n_sent(), "nothing was lost"


if __name__ == "__main__":
    lab.main(__name__)
