#!/usr/bin/python3
"""A kill, or another wish, while the files of a torrent are made: the journal
does not tell of them yet, and they are the torrent's nevertheless. What somebody
else has put there is not."""
import contextlib
import os
import shutil
import sqlite3
import sys

import kit
import lab
import lab as laboratory

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "power"))
from seeder import Seeder  # noqa: E402

MANY = 40_000


def folder(lab):
    """Files of all kinds: with bytes and without, in folders, one that may be
    run, a link."""
    for name, size in (("a", 70_000), ("b", 90_000), ("empty", 0),
                       ("more/c", 200_000), ("more/empty", 0), ("run", 30_000),
                       ("z/link", 0)):
        lab.make_data("seed/two/" + name, size, seed=size)
    t = lab.make_torrent(lab.path("seed/two"), piece_length=32768)
    for f in t.info["files"]:
        if f["path"] == ["run"]:
            f["attr"] = "x"
        elif f["path"] == ["z", "link"]:
            f["attr"] = "l"
            f["symlink path"] = ["a"]
    with open(t.path, "wb") as f:
        f.write(laboratory.benc({"info": t.info}))
    return laboratory.Torrent(t.path, t.source, t.info, t.files)


def out(lab):
    """What is there, folders too."""
    top = lab.path("out")
    return sorted(os.path.relpath(os.path.join(d, name), top)
                  for d, folders, files in os.walk(top)
                  for name in folders + files)


class Killed:
    """A torrent that was added, to begin with it again and again."""

    def __init__(self, lab, *args):
        self.lab = lab
        self.torrent = folder(lab)
        self.seeder = Seeder(self.torrent)
        os.makedirs(lab.path("out"))
        run = lab.btc("add", self.torrent.path, "-d", lab.path("out"), "--seed",
                      "none", "--peer", self.seeder.address, *args)
        assert run.code == 0, run
        self.keep("added")

    def keep(self, name):
        """The database, as it is without a program that has it open."""
        shutil.rmtree(self.lab.path(name), ignore_errors=True)
        os.makedirs(self.lab.path(name))
        for end in ("", "-wal"):
            if os.path.exists(self.lab.db + end):
                shutil.copy(self.lab.db + end, self.lab.path(name))

    def back(self, name):
        for entry in os.listdir(self.lab.dir):
            if entry.startswith("btc.db"):
                os.unlink(self.lab.path(entry))
        for entry in os.listdir(self.lab.path(name)):
            shutil.copy(self.lab.path(name, entry), self.lab.path(entry))

    def places(self, prepare=None):
        """Every place at which a kill leaves files that no row tells of: its
        number, and what is there."""
        n = 0
        for nth in range(1, 400):
            self.back("added")
            shutil.rmtree(self.lab.path("out"))
            os.makedirs(self.lab.path("out"))
            if prepare:
                prepare()
            was = out(self.lab)
            run = kit.killed_at(self.lab, nth, "resume")
            told = self.lab.sql("SELECT 1 FROM file WHERE ino NOT NULL")
            if told or run.code == 0:
                break
            made = out(self.lab)
            if made != was:
                n += 1
                yield nth, made
        assert n > 5, n
        print(f"killed at {n} places")


def test_removed(lab):
    for args in ((), ("--alloc", "full"), ("--select", "2,4")):
        killed = Killed(lab, *args)
        for nth, made in killed.places():
            run = lab.btc("rm", "--data", "-y", "two")
            assert run.code == 0 and "stays" not in run.err, (nth, run)
            assert not out(lab), (args, nth, made, out(lab))
        shutil.rmtree(lab.path("out"))
        os.unlink(lab.db)


def test_removed_by_the_engine(lab):
    killed = Killed(lab)
    for nth, made in killed.places():
        if nth % 4:
            continue
        with contextlib.closing(sqlite3.connect(lab.db)) as link, link:
            link.execute("UPDATE torrent SET wanted = 'remove-data'")
        assert lab.btc("resume").code == 0, nth
        assert not out(lab), (nth, made, out(lab))


def test_goes_on(lab):
    """What was made is taken over, also when the next run is killed as well."""
    killed = Killed(lab, "--alloc", "full")
    t = killed.torrent
    for nth, made in killed.places():
        again = kit.killed_at(lab, nth - 1, "resume")
        assert again.code != 0
        if nth % 2:
            run = lab.btc("rm", "--data", "-y", "two")
            assert not out(lab), (nth, made, run)
            continue
        run = lab.btc("resume")
        assert run.code == 0, (nth, made, run)
        assert len(t.good_pieces(lab.path("out"))) == t.piece_count
        assert os.readlink(lab.path("out/two/z/link")) == "../a"
        run = lab.btc("rm", "--data", "-y", "two")
        assert not out(lab), (nth, made, run)


def test_moved(lab):
    """To another name on the same drive, and to another drive."""
    drive = lab.mount_tmpfs(lab.path("drive/x")[:-2], "64m")
    killed = Killed(lab)
    for nth, made in killed.places():
        place = drive if nth % 2 else lab.path("elsewhere")
        os.makedirs(place, exist_ok=True)
        run = lab.btc("move", "two", place)
        assert run.code == 0, (nth, run)
        assert not out(lab), (nth, made, out(lab), run)
        run = lab.btc("rm", "--data", "-y", "two")
        assert run.code == 0 and not os.listdir(place), (nth, made, run)


def test_wanted_no_more(lab):
    """What was made and is not asked for when the next run begins stays the
    torrent's, wherever it would be by then."""
    killed = Killed(lab, "--alloc", "full")
    seen = 0
    for nth, made in killed.places():
        off = ("1, 3, 4, 5", "0, 2", "0, 1, 2, 3, 4, 5, 6")[nth % 3]
        with contextlib.closing(sqlite3.connect(lab.db)) as link, link:
            link.execute("UPDATE file SET priority = 0 "
                         f"WHERE file IN ({off})")
        run = lab.btc("resume")
        assert run.code == 0, (nth, made, run)
        there = set(out(lab))
        told = {row["path"] for row in lab.sql(
            "SELECT coalesce(part, path) AS path FROM file "
            "WHERE ino NOT NULL")}
        seen += len(told & set(made))
        assert told == {name for name in there if os.path.islink(
            lab.path("out", name)) or not os.path.isdir(
                lab.path("out", name))}, (nth, made, told, there)
        if nth % 2:
            run = lab.btc("move", "two", kit.folder(lab, "elsewhere"))
            assert run.code == 0 and not out(lab), (nth, made, out(lab), run)
        run = lab.btc("rm", "--data", "-y", "two")
        assert run.code == 0 and "stays" not in run.err, (nth, made, run)
        assert not out(lab), (nth, made, out(lab))
        assert not os.listdir(kit.folder(lab, "elsewhere")), (nth, made)
    assert seen > 20, seen


def test_taken_home(lab):
    """A run that is killed while it takes files to their place leaves no
    folder behind."""
    killed = Killed(lab, "--select", "2")
    for nth in range(1, 400):
        killed.back("added")
        shutil.rmtree(lab.path("out"))
        os.makedirs(lab.path("out"))
        assert lab.btc("resume").code == 0
        assert len([n for n in out(lab) if n.startswith(".")]) == 3, out(lab)
        with contextlib.closing(sqlite3.connect(lab.db)) as link, link:
            link.execute("UPDATE file SET priority = 1")
        ended = kit.killed_at(lab, nth, "resume").code == 0
        if nth % 2:
            run = lab.btc("resume")
            assert run.code == 0, (nth, run)
            assert not [n for n in out(lab) if n.startswith(".")], (nth, out(lab))
        if nth % 3:
            run = lab.btc("move", "two", kit.folder(lab, "elsewhere"))
            assert run.code == 0 and not out(lab), (nth, out(lab), run)
        run = lab.btc("rm", "--data", "-y", "two")
        assert run.code == 0 and not out(lab), (nth, out(lab), run)
        assert not os.listdir(kit.folder(lab, "elsewhere")), nth
        if ended:
            break
    assert nth > 20, nth


def test_refused(lab):
    """Of a torrent that is refused nothing stays, folders neither; one that
    somebody else has made does."""
    t = folder(lab)
    os.makedirs(lab.path("out/two/z"))
    lab.make_data("out/two/run", 30_001)
    was = out(lab)
    run = lab.btc("get", t.path, "-d", lab.path("out"))
    assert run.code == 13, run
    assert out(lab) == was, out(lab)


def test_not_the_torrents(lab):
    """What was there before stays, and so does what has come since and is more
    than a name."""
    killed = Killed(lab)

    def mine():
        for name in ("empty", "more/mine"):
            lab.make_data("out/two/" + name, 0)
    n = 0
    for nth, made in killed.places(mine):
        with open(lab.path("out/two/a"), "r+b" if "two/a" in made else "wb"
                  ) as f:
            f.write(b"mine")
        lab.make_data("out/two/b.txt", 10)
        if "two/more/c" in made:
            os.unlink(lab.path("out/two/more/c"))
            os.mkdir(lab.path("out/two/more/c"))
        run = lab.btc("rm", "--data", "-y", "two")
        assert out(lab) == sorted(
            ["two", "two/a", "two/b.txt", "two/empty", "two/more",
             "two/more/mine"] + ["two/more/c"] * ("two/more/c" in made)), (
                 nth, made, out(lab), run)
        n += 1
    assert n > 5, n


def test_wished_otherwise(lab):
    """A pause that comes while they are made is no reason to forget them."""
    for k in range(MANY):
        lab.make_data(f"seed/many/{k % 100}/{k}", 0)
    lab.make_data("seed/many/data", 100)
    t = lab.make_torrent(lab.path("seed/many"), piece_length=16384)
    os.makedirs(lab.path("out"))
    daemon = lab.start_btc("daemon")
    assert lab.btc("add", t.path, "-d", lab.path("out")).code == 0
    lab.wait(lambda: os.path.exists(lab.path("out/many")), 20, every=0.001)
    with contextlib.closing(sqlite3.connect(lab.db, timeout=10)) as link, link:
        link.execute("UPDATE torrent SET wanted = 'pause'")
    lab.wait(lambda: lab.sql("SELECT 1 FROM progress WHERE state = 'paused'"))
    assert daemon.stop() == 0
    made = [name for name in out(lab) if not os.path.isdir(lab.path("out", name))]
    told = lab.sql("SELECT 1 FROM file WHERE ino NOT NULL")
    assert len(told) == len(made), (len(told), len(made))
    assert not lab.sql("SELECT 1 FROM torrent_stat WHERE making_ns NOT NULL")
    assert lab.btc("rm", "--data", "-y", "many").code == 0 and not out(lab)


if __name__ == "__main__":
    lab.main(__name__)
