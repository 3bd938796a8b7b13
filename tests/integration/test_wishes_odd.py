#!/usr/bin/python3
"""Wishes that reach an engine at an odd moment: for a torrent that it has never
loaded, has long finished with, or that a killed engine did not come to."""
import os
import re
import shlex
import sqlite3
import subprocess
import sys

import lab

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "power"))
from seeder import Seeder  # noqa: E402


def write(lab, sql, *args):
    """By hand."""
    link = sqlite3.connect(lab.db, timeout=10)
    with link:
        assert link.execute(sql, args).rowcount > 0, sql
    link.close()


def folder(lab, rate=0):
    """A torrent of two files, and its seeder."""
    for k in range(2):
        lab.make_data(f"seed/two/f{k}", 700_000, seed=k)
    t = lab.make_torrent(lab.path("seed/two"), piece_length=32768)
    return t, Seeder(t, rate=rate)


def add(lab, t, seeder, *args):
    os.makedirs(lab.path("out"), exist_ok=True)
    run = lab.btc("add", t.path, "-d", lab.path("out"), "--seed", "none",
                  "--peer", seeder.address, *args)
    assert run.code == 0, run


def state(lab):
    rows = lab.sql("SELECT state FROM progress")
    return rows[0]["state"] if rows else None


def files(lab):
    return [f for _, _, names in os.walk(lab.path("out")) for f in names]


def stop(daemon):
    assert daemon.stop() == 0, daemon.err()


def complete(lab, t, seeder, *args):
    """A daemon that is done with it."""
    add(lab, t, seeder, *args)
    daemon = lab.start_btc("daemon")
    lab.wait(lambda: state(lab) == "complete")
    return daemon


def gone(lab):
    lab.wait(lambda: not lab.sql("SELECT 1 FROM torrent"), 20)
    assert not files(lab)


def insist(lab):
    """Wishes for a case that is not there: a look answers them."""
    assert lab.btc("set", "1", "accept-loss=true", "overwrite=true").code == 0
    lab.wait(lambda: tuple(lab.sql(
        "SELECT accept_loss, overwrite FROM torrent")[0]) == (0, 0), 20)


def test_insisted_when_nothing_was_wrong(lab):
    """To start over, and to write over what is in the way, is no wish for some
    other day: then a drive is away, and somebody's own file is in the place."""
    t, seeder = folder(lab)
    out = lab.mount_tmpfs("out", 20 << 20)
    daemon = complete(lab, t, seeder)
    insist(lab)
    assert lab.btc("set", "1", "seed=forever").code == 0
    lab.wait(lambda: state(lab) == "seeding", 20)
    insist(lab)
    stop(daemon)
    mine = os.path.join(out, "two/f1")
    os.unlink(mine)
    with open(mine, "w", encoding="ascii") as f:
        f.write("a diary")
    daemon = lab.start_btc("daemon")
    lab.wait(lambda: state(lab) == "error", 20)
    with open(mine, encoding="ascii") as f:
        assert f.read() == "a diary"
    assert daemon.stop() == 0
    subprocess.run(["umount", out], check=True)
    lab.mounts.remove(out)
    pieces = lab.sql("SELECT count(*) AS n FROM piece")[0]["n"]
    daemon = lab.start_btc("daemon")
    lab.wait(lambda: state(lab) == "waiting-storage", 20)
    assert daemon.stop() == 0
    assert lab.sql("SELECT count(*) AS n FROM piece")[0]["n"] == pieces > 0
    assert not os.listdir(out)


def test_remove_data_never_loaded(lab):
    t, seeder = folder(lab)
    stop(complete(lab, t, seeder))
    assert lab.btc("pause", "two").code == 0
    daemon = lab.start_btc("daemon")
    lab.wait(lambda: lab.sql("SELECT 1 FROM engine WHERE open"))
    assert len(files(lab)) == 2
    assert lab.btc("rm", "--data", "-y", "two").code == 0
    gone(lab)
    stop(daemon)


def test_remove_wished_without_engine(lab):
    t, seeder = folder(lab)
    stop(complete(lab, t, seeder))
    write(lab, "UPDATE torrent SET wanted = 'remove-data'")
    daemon = lab.start_btc("daemon")
    gone(lab)
    removed = lab.sql("SELECT 1 FROM event WHERE kind = 'removed'")
    assert len(removed) == 1, len(removed)
    stop(daemon)


def test_more_files_when_done(lab):
    t, seeder = folder(lab)
    daemon = complete(lab, t, seeder, "-s", "1")
    assert lab.sql("SELECT priority FROM file WHERE file = 1")[0][0] == 0
    write(lab, "UPDATE file SET priority = 1 WHERE file = 1")
    lab.wait(lambda: lab.sql("SELECT pieces_done = pieces_total FROM progress"
                             )[0][0], 20)
    lab.wait(lambda: state(lab) == "complete")
    t.check(lab.path("out"))
    stop(daemon)


def test_get_more_from_a_daemon(lab):
    """What the daemon was done with before is not what is wanted now."""
    t, seeder = folder(lab, rate=400_000)
    daemon = complete(lab, t, seeder, "-s", "1")
    get = lab.btc("get", t.path, "-d", lab.path("out"), "-s", "2")
    assert get.code == 0, get
    rows = lab.sql("SELECT bytes_done, length FROM file WHERE priority > 0")
    assert [tuple(r) for r in rows] == [(700_000, 700_000)]
    stop(daemon)


def test_get_after_a_choice(lab):
    """Who asks for a torrent of which a part was wished for, and names no choice,
    is told that it is a part, and how to get all."""
    t, seeder = folder(lab)
    args = ("get", t.path, "-d", lab.path("out"), "--peer", seeder.address)
    os.makedirs(lab.path("out"), exist_ok=True)
    run = lab.btc(*args, "-s", "1")
    assert run.code == 0 and "not wanted" not in run.err, run
    run = lab.btc(*args)
    assert "1 of the 2 files of torrent 1 are not wanted" in run.err, run
    advice = re.search(r"`btc (set [^`]*)`", run.err).group(1)
    assert lab.btc(*shlex.split(advice)).code == 0
    run = lab.btc(*args)
    assert run.code == 0 and "not wanted" not in run.err, run
    t.check(lab.path("out"))


def test_more_files_while_getting(lab):
    """A foreground run that begins anew for it is not over."""
    t, seeder = folder(lab, rate=300_000)
    os.makedirs(lab.path("out"), exist_ok=True)
    get = lab.start_btc("get", t.path, "-d", lab.path("out"), "-s", "1",
                        "--peer", seeder.address)
    lab.wait(lambda: lab.sql("SELECT 1 FROM piece"))
    write(lab, "UPDATE file SET priority = 1 WHERE file = 1")
    assert get.wait(60) == 0, get.err()
    t.check(lab.path("out"))


def test_verify_when_done(lab):
    t, seeder = folder(lab)
    daemon = complete(lab, t, seeder)
    with open(lab.path("out/two/f0"), "r+b") as f:
        f.seek(100_000)
        f.write(b"\0" * 10)
    assert lab.btc("set", "two", "verify=now").code == 0
    lab.wait(lambda: not lab.sql(
        "SELECT 1 FROM torrent WHERE verify_since > 0"), 20)
    lab.wait(lambda: lab.sql("SELECT 1 FROM event WHERE kind IN "
                             "('piece-lost', 'file-changed')"), 20)
    lab.wait(lambda: state(lab) == "complete", 20)
    t.check(lab.path("out"))
    stop(daemon)


def test_verify_while_the_drive_goes(lab):
    """Files that were there when it began and are not now: they are looked for
    as a whole, not given up piece by piece. Of one alone the rest stands."""
    t, seeder = folder(lab)
    add(lab, t, seeder)
    daemon = lab.start_btc("daemon", "--journal-interval", "50")
    lab.wait(lambda: state(lab) == "complete")
    assert lab.btc("set", "two", "seed=forever").code == 0
    lab.wait(lambda: state(lab) == "seeding", 20)
    pieces = lab.sql("SELECT count(*) AS n FROM piece")[0]["n"]
    seeder.forget()
    os.rename(lab.path("out/two"), lab.path("away"))
    assert lab.btc("set", "two", "verify=now").code == 0
    lab.wait(lambda: state(lab) == "waiting-storage", 20)
    assert lab.sql("SELECT count(*) AS n FROM piece")[0]["n"] == pieces > 0
    os.rename(lab.path("away"), lab.path("out/two"))
    lab.wait(lambda: state(lab) == "seeding", 20)
    assert not seeder.n_sent(), "it was there"
    os.unlink(lab.path("out/two/f1"))
    assert lab.btc("set", "two", "verify=now").code == 0
    lab.wait(lambda: seeder.n_sent() > 0, 20)
    lab.wait(lambda: state(lab) == "seeding", 20)
    assert seeder.n_sent() < t.size * 3 // 4, seeder.n_sent()
    stop(daemon)
    t.check(lab.path("out"))


def test_paused_keeps_its_numbers(lab):
    """A torrent that the engine does not load is as its row says."""
    t, seeder = folder(lab)
    stop(complete(lab, t, seeder))
    assert lab.btc("pause", "two").code == 0
    columns = "bytes_done, bytes_total, pieces_done, downloaded, completed_at"
    before = [tuple(r) for r in lab.sql(f"SELECT {columns} FROM torrent_stat")]
    lab.make_data("seed/other", 300_000, seed=9)
    other = lab.make_torrent(lab.path("seed/other"), piece_length=32768)
    daemon = lab.start_btc("daemon")
    add(lab, other, Seeder(other))
    lab.wait(lambda: lab.sql("SELECT 1 FROM progress WHERE name = 'other' AND "
                             "state = 'complete'"))
    stop(daemon)
    after = [tuple(r) for r in lab.sql(
        f"SELECT {columns} FROM torrent_stat ORDER BY torrent_id")]
    assert after[:1] == before and before[0][0] == t.size, (before, after)


def test_absent_storage_says_so_once(lab):
    t, seeder = folder(lab)
    add(lab, t, seeder)
    os.rmdir(lab.path("out"))
    daemon = lab.start_btc("daemon")

    def looked():
        return lab.sql("SELECT 1 FROM event WHERE level = 'error'")
    lab.wait(looked)
    lab.wait(lambda: state(lab) == "waiting-storage")
    os.mkdir(lab.path("out"))
    lab.wait(lambda: state(lab) == "complete", 20)
    assert len(looked()) == 1
    stop(daemon)


if __name__ == "__main__":
    lab.main(__name__)
