#!/usr/bin/python3
"""The database itself is exchanged: restore, salvage, backup, and the copy before
a migration, each killed before each single change of files. Afterwards the old
or the new database opens, nothing is lost, and the next command goes on."""
import glob
import json
import os
import shutil
import sqlite3
import subprocess

import kit
import lab as lab_module

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..",
                      "schema")
BESIDE = ("", "-wal", "-shm", "-lock")


class Ground:
    """A database whose engine was killed: one torrent is in the file, and one
    more in the log alone."""

    def __init__(self, lab, lacks=False):
        self.lab = lab
        self.lacks = lacks  # the file system has no renameat2
        kit.library("BTC_KILL")
        self.backup = lab.path("backup.db")
        self.add("one")
        assert lab.btc("db", "backup", self.backup).code == 0
        daemon = lab.start_btc("daemon")
        lab.wait(lambda: lab.sql("SELECT 1 FROM run WHERE ended_at IS NULL"),
                 30, "a daemon")
        self.add("two")
        self.add("three")
        daemon.kill()
        assert os.path.getsize(lab.db + "-wal") > 0
        for suffix in BESIDE:
            if os.path.exists(lab.db + suffix):
                shutil.copy2(lab.db + suffix, lab.path("was", "btc.db" + suffix))

    def add(self, name):
        torrent = self.lab.make_torrent(
            self.lab.make_data("seed/" + name, 40_000), piece_length=16384)
        run = self.lab.btc("add", torrent.path, "-d",
                           kit.folder(self.lab, "out"))
        assert run.code == 0, run

    def reset(self):
        """All as it was after the kill."""
        for path in glob.glob(glob.escape(self.lab.db) + "*"):
            os.unlink(path)
        for path in glob.glob(self.lab.path("was", "*")):
            shutil.copy2(path, self.lab.dir)

    def run(self, nth, *args):
        """btc, killed before its nth change; True when it came to its end."""
        return kit.killed_at(self.lab, nth, *args, lacks=self.lacks).code == 0

    def names(self):
        """The torrents that btc sees."""
        run = self.lab.btc("status", "--json")
        assert run.code == 0, run
        return [t["name"] for t in json.loads(run.out)["torrents"]]

    def kept(self, word):
        """The torrents of the databases that were set aside, one of which is
        whole, its log included."""
        found = []
        for path in sorted(glob.glob(glob.escape(self.lab.db) + f".{word}-*")):
            if path.endswith(("-wal", "-shm", ".next")):
                continue
            copy = self.lab.path("look", "at.db")
            for suffix in BESIDE[:2]:
                if os.path.exists(copy + suffix):
                    os.unlink(copy + suffix)
                if os.path.exists(path + suffix):
                    shutil.copy(path + suffix, copy + suffix)
            found.append(read_names(copy))
        return found

    def litter(self):
        """What is left of commands that were killed."""
        return [p for p in os.listdir(self.lab.dir)
                if ".tmp-" in p or p.startswith((
                    "btc.db.restore", "btc.db.salvage")) or p.endswith(".next")]


LAST_COPIED = 50
OLD = ["one", "two", "three"]
NEW = ["one"]


def read_names(path):
    link = sqlite3.connect(path)
    try:
        assert link.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [r[0] for r in link.execute(
            "SELECT name FROM torrent ORDER BY id")]
    finally:
        link.close()


def restore_killed(lab, lacks):
    """Killed anywhere; then another restore, or a run, goes on."""
    ground = Ground(lab, lacks)
    for nth in range(1, 1000):
        ground.reset()
        over = ground.run(nth, "db", "restore", ground.backup)
        seen = ground.names()
        assert seen in (OLD, NEW), (nth, seen)
        if seen == NEW:
            assert ground.kept("replaced") == [OLD], (nth, ground.kept(
                "replaced"))
        if over:
            break
        if nth % 5 and nth < LAST_COPIED:
            continue  # the copy is being made: these places are all alike
        if nth % 2 and seen == OLD:
            run = lab.btc("resume", "--max-time", "1s")
            assert run.code in (5, 6), (nth, run)
            assert ground.names() == OLD, (nth, ground.names())
        run = lab.btc("db", "restore", ground.backup)
        assert run.code == 0, (nth, run)
        assert ground.names() == NEW, (nth, ground.names())
        assert OLD in ground.kept("replaced"), nth
        assert not ground.litter(), (nth, ground.litter())
    assert over and nth > 30, nth
    print(f"killed at {nth - 1} places")


def test_restore(lab):
    restore_killed(lab, False)


def test_restore_without_renameat2(lab):
    """A rename is a link and an unlink there."""
    restore_killed(lab, True)


def test_restore_itself(lab):
    """cp of a backup over the database of a killed engine; its log goes."""
    ground = Ground(lab)
    shutil.copy(ground.backup, lab.path("was", "btc.db"))
    for nth in range(1, 100):
        ground.reset()
        over = ground.run(nth, "db", "restore", lab.db)
        run = lab.btc("status")
        assert run.code in (0, 14), (nth, run)
        assert run.code == 0 or "btc db restore" in run.err, (nth, run)
        assert lab.btc("db", "restore", lab.db).code == 0, nth
        assert ground.names() == NEW, nth
        stray = glob.glob(lab.db + ".stray-*-wal")
        assert stray and os.path.getsize(stray[0]) > 0, nth
        # A front that is killed now has its log, and keeps it.
        torrent = lab.make_torrent(lab.make_data("seed/four", 40_000),
                                   piece_length=16384)
        ground.run(20, "add", torrent.path, "-d", lab.path("out"))
        assert ground.names() in (NEW, NEW + ["four"]), nth
        if over:
            break
    assert over and nth > 1, nth


def salvage_killed(lab, lacks):
    ground = Ground(lab, lacks)
    for nth in range(1, 3000):
        ground.reset()
        over = ground.run(nth, "db", "salvage")
        assert sorted(ground.names()) == sorted(OLD), (nth, ground.names())
        if over:
            break
        if nth % 7 and ground.names() == OLD:
            continue  # these places are all alike
        run = lab.btc("db", "salvage")
        assert run.code == 0, (nth, run)
        assert sorted(ground.names()) == sorted(OLD), (nth, ground.names())
        assert ground.kept("damaged")[0] == OLD, nth
        assert not ground.litter(), (nth, ground.litter())
    assert over and nth > 30, nth
    print(f"killed at {nth - 1} places")


def test_salvage(lab):
    salvage_killed(lab, False)


def test_salvage_without_renameat2(lab):
    """A rename is a link and an unlink there."""
    salvage_killed(lab, True)


def backup_killed(lab, lacks):
    """It is there and whole, or it is not there."""
    ground = Ground(lab, lacks)
    to = lab.path("new", "copy.db")
    for nth in range(1, 1000):
        ground.reset()
        over = ground.run(nth, "db", "backup", to)
        if over:
            break
        assert read_names(lab.db) == OLD, nth
        if os.path.exists(to):
            assert read_names(to) == OLD, nth
            os.unlink(to)
        if nth % 5:
            continue
        assert lab.btc("db", "backup", to).code == 0, nth
        assert read_names(to) == OLD, nth
        assert os.listdir(lab.path("new", "")) == ["copy.db"], nth
        os.unlink(to)
    assert over and nth > 10, nth
    print(f"killed at {nth - 1} places")


def test_backup(lab):
    backup_killed(lab, False)


def test_backup_without_renameat2(lab):
    """A rename is a link and an unlink there."""
    backup_killed(lab, True)


def test_backup_beside_a_log(lab):
    """The log of a database that was there would be played over the copy."""
    Ground(lab)
    to = lab.path("new", "copy.db")
    with open(to + "-wal", "wb") as f:
        f.write(b"of another one")
    run = lab.btc("db", "backup", to)
    assert run.code == 13 and "copy.db-wal" in run.err, run
    assert os.listdir(lab.path("new", "")) == ["copy.db-wal"]


def make_old(lab, version):
    """A database as an older btc has left it."""
    link = sqlite3.connect(lab.db)
    for path in sorted(glob.glob(os.path.join(SCHEMA, "*.sql")))[:version]:
        with open(path, encoding="utf-8") as f:
            link.executescript(f.read())
    for i in range(3):
        link.execute(
            "INSERT INTO torrent (info_hash, name, save_path, total_size,"
            " piece_length, n_pieces, n_files) VALUES (?, ?, ?, 16384, 16384,"
            " 1, 1)", (f"{i:040d}", OLD[i], lab.path("out")))
        link.execute("INSERT INTO metainfo (torrent_id, info) VALUES (?, ?)",
                     (i + 1, b"de"))
        link.execute(
            "INSERT INTO file (torrent_id, file, path, \"offset\", length)"
            " VALUES (?, 0, ?, 0, 16384)", (i + 1, OLD[i]))
    link.commit()
    link.execute("PRAGMA journal_mode = WAL")
    link.close()


def test_migration(lab):
    """Killed between two versions, the copy before all of them is whole."""
    ground = Ground(lab)
    for path in glob.glob(lab.path("was", "*")):
        os.unlink(path)
    for path in glob.glob(lab.db + "*"):
        os.unlink(path)
    make_old(lab, 3)
    shutil.copy2(lab.db, lab.path("was", "btc.db"))
    for nth in range(1, 1000):
        ground.reset()
        over = ground.run(nth, "db", "check", "--repair")
        if os.path.exists(lab.db + ".backup-v3"):
            assert read_names(lab.db + ".backup-v3") == OLD, nth
        if over:
            break
        if nth % 5:
            continue
        run = lab.btc("db", "check", "--repair")
        assert run.code == 0, (nth, run)
        assert ground.names() == OLD, nth
        assert os.path.exists(lab.db + ".backup-v3"), nth
        assert not ground.litter(), (nth, ground.litter())
    assert over and nth > 30, nth
    print(f"killed at {nth - 1} places")


lab_module.main(__name__)
