#!/usr/bin/python3
"""The life of a removal: wishes that change in the middle of it, a kill at each
of its steps, storage that is away, and what is not the torrent's own."""
import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys

import kit
import lab

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "power"))
from seeder import Seeder  # noqa: E402

MANY = 3000
SKIP = lab.Skip  # each test calls its laboratory `lab`


def folder(lab, name="two", n=2, size=300_000):
    for k in range(n):
        lab.make_data(f"seed/{name}/f{k}", size, seed=k)
    return lab.make_torrent(lab.path("seed", name), piece_length=32768)


def add(lab, t, *args):
    os.makedirs(lab.path("out"), exist_ok=True)
    run = lab.btc("add", t.path, "-d", lab.path("out"), "--seed", "none", *args)
    assert run.code == 0, run


def rows(lab, query="SELECT state FROM progress"):
    return [r[0] for r in lab.sql(query)]


def files(lab):
    return sorted(f for _, _, names in os.walk(lab.path("out")) for f in names)


def complete(lab, t, *args, daemon=None):
    """A daemon that is done with it."""
    seeder = Seeder(t)
    add(lab, t, "--peer", seeder.address, *args)
    daemon = daemon or lab.start_btc("daemon")
    lab.wait(lambda: "complete" in rows(lab), 60)
    assert len(files(lab)) == len(t.files)
    return daemon


def paused(lab, t):
    """All there, and no engine knows of it."""
    daemon = complete(lab, t)
    assert lab.btc("pause", t.name).code == 0
    stop(daemon)


def stop(daemon):
    assert daemon.stop() == 0, daemon.err()


def wish(lab, wanted, may_miss=False):
    """Whether there was a torrent to wish it of."""
    with contextlib.closing(sqlite3.connect(lab.db, timeout=10)) as link:
        with link:
            n = link.execute("UPDATE torrent SET wanted = ?", (wanted,))
            assert may_miss or n.rowcount > 0
            return n.rowcount > 0


def gone(lab, what=()):
    lab.wait(lambda: not lab.sql("SELECT 1 FROM torrent"), 20)
    assert files(lab) == sorted(what), files(lab)


def waits_for_the_lock(daemon):
    """SQLite's busy handler sleeps; nothing else in btc does."""
    tasks = f"/proc/{daemon.pid}/task"
    for task in os.listdir(tasks):
        with open(f"{tasks}/{task}/wchan", encoding="ascii") as f:
            if "nanosleep" in f.read():
                return True
    return False


@contextlib.contextmanager
def held(lab, daemon, first, second):
    """`first` is wished; and `second` when the engine acts on that already and
    its next write waits for this one."""
    with contextlib.closing(sqlite3.connect(
            lab.db, timeout=10, isolation_level=None)) as link:
        link.execute("UPDATE torrent SET wanted = ?", (first,))
        link.execute("BEGIN IMMEDIATE")
        link.execute("UPDATE torrent SET wanted = ?", (second,))
        lab.wait(lambda: waits_for_the_lock(daemon), 20)
        yield
        link.execute("COMMIT")


def test_data_too(lab):
    """Who wishes for the data to go as well while the rows go is heard."""
    daemon = complete(lab, folder(lab))
    with held(lab, daemon, "remove", "remove-data"):
        pass
    gone(lab)
    assert rows(lab, "SELECT kind FROM event").count("removed") == 1
    stop(daemon)


def test_back_in_time(lab):
    t = folder(lab)
    daemon = complete(lab, t)
    for first in ("remove", "remove-data"):
        for second in ("run", "pause"):
            with held(lab, daemon, first, second):
                pass
            wish(lab, "run")
            lab.wait(lambda: rows(lab) == ["complete"], 20)
            t.check(lab.path("out"))
    stop(daemon)
    assert rows(lab, "SELECT count(*) FROM piece") == [t.piece_count]


def test_back_too_late(lab):
    """Wished back when files are gone: it starts over from what is left."""
    t = folder(lab, n=MANY, size=64)
    daemon = complete(lab, t)
    for wanted in ("run", "pause"):
        for again in range(20):
            wish(lab, "remove-data")
            lab.wait(lambda: len(files(lab)) < MANY, 20, "the first to go", 0)
            if wish(lab, wanted, may_miss=True):
                break
            gone(lab)  # the last went before we could say so
            complete(lab, t, daemon=daemon)
        assert again < 19
        if wanted == "pause":
            lab.wait(lambda: rows(lab) == ["paused"], 20)
            wish(lab, "run")
        lab.wait(lambda: rows(lab) == ["complete"] and
                 len(files(lab)) == MANY, 60, wanted)
        t.check(lab.path("out"))
    stop(daemon)


def test_while_downloading(lab):
    """While pieces are written, synced and committed; and while it checks."""
    t = folder(lab, size=3_000_000)
    seeder = Seeder(t, rate=2_000_000)
    daemon = lab.start_btc("daemon", "--journal-interval", "20")
    lab.wait(lambda: os.path.exists(lab.db), 20)
    for i in range(4):
        add(lab, t, "--peer", seeder.address)
        lab.wait(lambda: rows(lab, "SELECT 1 FROM piece"), 20)
        if i % 2:
            assert lab.btc("set", "two", "verify=now").code == 0
        wish(lab, "remove-data")
        gone(lab)
    stop(daemon)


def test_killed(lab):
    """The next run finishes what one did not come to."""
    t = folder(lab, n=MANY, size=64)
    for step in ("wished", "begun", "half"):
        daemon = complete(lab, t)
        if step == "wished":
            os.kill(daemon.pid, signal.SIGSTOP)
            wish(lab, "remove-data")
            daemon.kill()
        elif step == "begun":
            with held(lab, daemon, "remove-data", "remove-data"):
                daemon.kill()
            assert len(files(lab)) == MANY
        else:
            wish(lab, "remove-data")
            lab.wait(lambda: len(files(lab)) < MANY, 20, "the first to go", 0)
            daemon.kill()
        daemon = lab.start_btc("daemon")
        gone(lab)
        stop(daemon)


def test_owed(lab):
    """A removal that waits for an engine is told as that, not as what the
    torrent was before."""
    daemon = complete(lab, folder(lab))
    os.kill(daemon.pid, signal.SIGSTOP)
    wish(lab, "remove-data")
    assert rows(lab) == ["removing"]
    daemon.kill()
    assert rows(lab) == ["removing"]
    run = lab.btc("status")
    assert "removing" in run.out and "btc resume" in run.err, run
    told = lab.btc("status", "--json").json()
    assert told["torrents"][0]["state"] == "removing", told
    assert "resume" in told["next"], told
    run = lab.btc("why", "1")
    assert "removal with its data is owed" in run.out, run
    assert "everything wanted is here" not in run.out, run
    assert lab.btc("resume").code == 0
    gone(lab)


def killed_everywhere(lab, wish_first, *args):
    """A removal that is killed before its n-th change, for every n, and wished
    back then: never a claim of what is gone, and all comes anew."""
    t = folder(lab)
    seeder = Seeder(t)
    for nth in range(1, 2000):
        add(lab, t)
        run = lab.btc("resume", "--peer", seeder.address)
        assert run.code == 0 and rows(lab) == ["complete"], (nth, run)
        if wish_first:
            wish(lab, "remove-data")
        if kit.killed_at(lab, nth, *args).code == 0:
            assert not rows(lab) and not files(lab), nth
            return nth - 1
        claimed = set(rows(lab, "SELECT piece FROM piece"))
        wrong = claimed - t.good_pieces(lab.path("out"))
        assert not wrong, (nth, wrong, files(lab))
        wish(lab, "run", may_miss=True)
    raise AssertionError("it never ends")


def test_killed_without_engine(lab):
    n = killed_everywhere(lab, False, "rm", "--data", "-y", "two")
    assert n > 12, n
    print(f"killed at {n} places")


def test_killed_with_engine(lab):
    n = killed_everywhere(lab, True, "resume", "--journal-interval", "20")
    assert n > 12, n
    print(f"killed at {n} places")


def test_rows_unreadable(lab):
    """The names of the files are all it takes."""
    paused(lab, folder(lab))
    with contextlib.closing(sqlite3.connect(lab.db)) as link:
        with link:
            link.execute("DELETE FROM metainfo")
    wish(lab, "remove-data")
    daemon = lab.start_btc("daemon")
    gone(lab)
    stop(daemon)


def test_path_leads_out(lab):
    """A row that no .torrent can make: nothing is deleted by it."""
    paused(lab, folder(lab))
    lab.make_data("mine", 10)
    with contextlib.closing(sqlite3.connect(lab.db)) as link:
        with link:
            link.execute("INSERT INTO file (torrent_id, file, path, offset, "
                         "length) VALUES (1, 2, '../mine', 600000, 10)")
    assert lab.btc("rm", "--data", "-y", "two").code != 0
    wish(lab, "remove-data")
    daemon = lab.start_btc("daemon")
    lab.wait(lambda: rows(lab) == ["error"], 20)
    assert os.path.exists(lab.path("mine")) and len(files(lab)) == 2
    wish(lab, "remove")
    gone(lab, ["f0", "f1"])
    stop(daemon)


def test_storage_absent(lab):
    """Out of reach is not gone."""
    paused(lab, folder(lab))
    os.rename(lab.path("out"), lab.path("elsewhere"))
    wish(lab, "remove-data")
    daemon = lab.start_btc("daemon")
    lab.wait(lambda: rows(lab) == ["waiting-storage"], 20)
    os.rename(lab.path("elsewhere"), lab.path("out"))
    gone(lab)
    stop(daemon)


def test_another_number(lab):
    """A copy in the place of a file, or the same file on a drive that numbers
    its files anew: it stays, and the text says what makes it the torrent's."""
    paused(lab, folder(lab))
    shutil.copy2(lab.path("out/two/f1"), lab.path("copy"))
    os.rename(lab.path("copy"), lab.path("out/two/f1"))
    run = lab.btc("rm", "--data", "-y", "two")
    assert run.code == 13 and "`btc verify 1` takes it over" in run.err, run
    assert lab.btc("verify", "1").code == 8  # the other file is gone
    run = lab.btc("rm", "--data", "-y", "two")
    assert run.code == 0 and not os.listdir(lab.path("out")), run


def test_may_not_delete(lab):
    """A folder that cannot be changed: it stays, the torrent too, and the text
    says what the two ways out are."""
    at = lab.mount_tmpfs("drive", "16m")
    t = folder(lab)
    shutil.copytree(lab.path("seed/two"), os.path.join(at, "two"))
    assert lab.btc("add", t.path, "-d", at, "--seed", "none").code == 0
    assert lab.btc("verify").code == 0
    subprocess.run(["mount", "-o", "remount,ro", at], check=True)
    run = lab.btc("rm", "--data", "-y", "two")
    assert run.code == 10 and "mend that, or remove" in run.err, run
    assert len(os.listdir(at + "/two")) == 2 and lab.sql("SELECT 1 FROM torrent")
    subprocess.run(["mount", "-o", "remount,rw", at], check=True)
    run = lab.btc("rm", "--data", "-y", "two")
    assert run.code == 0 and not os.listdir(at), run


def test_not_mounted(lab):
    """An empty folder where a drive is mounted as a rule."""
    def mount(*args):
        subprocess.run(args, check=True)
    drive = lab.mount_tmpfs(lab.path("drive", "x")[:-2], "64m")
    os.makedirs(lab.path("out"))
    mount("mount", "--bind", drive, lab.path("out"))
    try:
        paused(lab, folder(lab))
        mount("umount", lab.path("out"))
        run = lab.btc("rm", "--data", "-y", "two")
        assert run.code == 11 and "another drive" in run.err, run
        wish(lab, "remove-data")
        daemon = lab.start_btc("daemon")
        lab.wait(lambda: rows(lab) == ["waiting-storage"], 20)
    finally:
        mount("mount", "--bind", drive, lab.path("out"))
    try:
        gone(lab)
        stop(daemon)
    finally:
        mount("umount", lab.path("out"))


def test_behind_a_link(lab):
    """Deleting does not leave the save path."""
    paused(lab, folder(lab))
    shutil.move(lab.path("out/two"), lab.path("elsewhere"))
    os.symlink(lab.path("elsewhere"), lab.path("out/two"))
    run = lab.btc("rm", "--data", "-y", "two")
    assert run.code == 13 and "is a link" in run.err, run
    wish(lab, "remove-data")
    daemon = lab.start_btc("daemon")
    lab.wait(lambda: rows(lab) == ["error"], 20)
    assert len(os.listdir(lab.path("elsewhere"))) == 2
    wish(lab, "remove")
    gone(lab)
    assert len(os.listdir(lab.path("elsewhere"))) == 2
    stop(daemon)


def test_one_file_for_two(lab):
    """By hand two torrents can share their files: what another one has stays."""
    paused(lab, folder(lab))
    lab.make_data("seed/f0", 300_000, seed=0)
    one = lab.make_torrent(lab.path("seed/f0"), piece_length=16384)
    run = lab.btc("add", one.path, "-d", lab.path("seed"), "--seed", "none")
    assert run.code == 0, run
    with contextlib.closing(sqlite3.connect(lab.db)) as link:
        with link:
            link.execute("UPDATE torrent SET save_path = ? WHERE name = 'f0'",
                         (lab.path("out/two"),))
    assert lab.btc("rm", "--data", "-y", "two").code == 0
    assert files(lab) == ["f0"]
    daemon = lab.start_btc("daemon")
    lab.wait(lambda: rows(lab) == ["complete"], 20)
    other = folder(lab, n=1)
    with contextlib.closing(sqlite3.connect(lab.db)) as link:
        with link:
            link.execute("INSERT INTO torrent (info_hash, name, save_path, "
                         "wanted) VALUES (?, 'x', ?, 'pause')",
                         (other.info_hash, lab.path("out")))
            link.execute("INSERT INTO file (torrent_id, file, path, offset, "
                         "length) VALUES (3, 0, 'two/f0', 0, 300000)")
            link.execute("UPDATE torrent SET wanted = 'remove-data' WHERE "
                         "name = 'f0'")
    lab.wait(lambda: rows(lab, "SELECT name FROM torrent") == ["x"], 20)
    assert files(lab) == ["f0"]
    # This one never ran: what is there is not known as its own.
    assert lab.btc("rm", "--data", "-y", "x").code == 0
    gone(lab, ["f0"])
    stop(daemon)


def test_one_folder_for_two(lab):
    """Another torrent's files stay, and what a user put beside them."""
    daemon = complete(lab, folder(lab))
    other = folder(lab, "other")
    add(lab, other, "--peer", Seeder(other).address)
    lab.wait(lambda: rows(lab) == ["complete"] * 2, 20)
    lab.make_data("out/two/mine", 10)
    assert lab.btc("rm", "--data", "-y", "two").code == 0
    lab.wait(lambda: len(rows(lab)) == 1, 20)
    assert files(lab) == ["f0", "f1", "mine"]
    other.check(lab.path("out"))
    stop(daemon)


def test_what_stays(lab):
    """Each path that is left is told, with its reason: in text, as JSON and in
    the log."""
    for how in "text", "json", "engine":
        paused(lab, folder(lab, n=3))
        with contextlib.closing(sqlite3.connect(lab.db)) as link:
            with link:  # f1 is not known as the torrent's, f0 is another's too
                link.execute("UPDATE file SET dev = NULL, ino = NULL, "
                             "size = NULL, mtime_ns = NULL WHERE file = 1")
                link.execute("INSERT INTO torrent (info_hash, name, save_path,"
                             " wanted) VALUES (?, 'x', ?, 'pause')",
                             (os.urandom(20).hex(), lab.path("out")))
                link.execute("INSERT INTO file (torrent_id, file, path, offset,"
                             " length) SELECT id, 0, 'two/f0', 0, 300000 FROM "
                             "torrent WHERE name = 'x'")
        lab.make_data("out/two/more/mine", 10)
        want = {lab.path("out/two/f0"): "another torrent has it, too",
                lab.path("out/two/f1"): "somebody else has put it there"}
        if how == "engine":
            with contextlib.closing(sqlite3.connect(lab.db)) as link:
                with link:
                    link.execute("UPDATE torrent SET wanted = 'remove-data' "
                                 "WHERE name = 'two'")
            daemon = lab.start_btc("daemon")
            lab.wait(lambda: rows(lab, "SELECT name FROM torrent") == ["x"], 20)
            stop(daemon)
        elif how == "json":
            run = lab.btc("rm", "--data", "-y", "--json", "two")
            stays = run.json()["torrents"][0]["stays"]
            assert {s["path"]: s["why"] for s in stays} == want, run
        else:
            run = lab.btc("rm", "--data", "-y", "two")
            assert run.code == 0 and "data and all" not in run.err, run
            for path, why in want.items():
                assert f"stays: {path} ({why})" in run.err, run
        told = rows(lab, "SELECT text FROM event WHERE kind = 'stays' "
                    "ORDER BY id DESC LIMIT 2")
        assert set(told) == {f"{p} stays: {why}" for p, why in want.items()}
        assert files(lab) == ["f0", "f1", "mine"], files(lab)
        assert lab.btc("rm", "x").code == 0
        shutil.rmtree(lab.path("out"))


def test_made_anew(lab):
    """What was deleted and made again is the torrent's own, a file without bytes
    as well as one with some. What somebody else puts there is not."""
    for name in ("two/empty", "two/more/empty"):
        lab.make_data("seed/" + name, 0)
    t = folder(lab)
    seeder = Seeder(t)
    add(lab, t, "--peer", seeder.address)
    assert lab.btc("resume").code == 0
    for name in ("two/f0", "two/empty", "two/more/empty"):
        os.unlink(lab.path("out", name))
    assert lab.btc("verify").code == 8
    assert lab.btc("resume").code == 0
    assert len(files(lab)) == len(t.files)
    os.rename(lab.path("out/two/empty"), lab.path("kept"))
    lab.make_data("out/two/empty", 0)
    run = lab.btc("rm", "--data", "-y", t.name)
    assert "two/empty" in run.err, "somebody's own file was taken"
    assert files(lab) == ["empty"], files(lab)


def test_refused(lab):
    """A run that could not make all its files leaves none that nobody knows."""
    t = folder(lab, n=3)
    for args in ((), ("--alloc", "full")):
        add(lab, t, *args)
        lab.make_data("out/two/f2/mine", 10)
        assert lab.btc("resume").code == 13
        assert files(lab) == ["mine"], files(lab)
        run = lab.btc("rm", "--data", "-y", t.name)
        assert run.code == 0 and files(lab) == ["mine"], run
        shutil.rmtree(lab.path("out/two"))


def test_folder_stays(lab):
    """What a user has put into it is not told file by file."""
    paused(lab, folder(lab))
    lab.make_data("out/two/mine", 10)
    run = lab.btc("rm", "--data", "-y", "two")
    assert run.code == 0, run
    assert f"stays: {lab.path('out/two')} (other files are in it)" in run.err
    assert files(lab) == ["mine"]
    shutil.rmtree(lab.path("out"))
    paused(lab, folder(lab, "all"))
    run = lab.btc("rm", "--data", "-y", "--json", "all")
    assert run.json()["torrents"][0]["stays"] == [], run


def changed(lab):
    return rows(lab, "SELECT text FROM log WHERE kind = 'file-changed'")


def test_comes_home(lab):
    """A file that was kept out of sight and is wished for is moved to its
    place: nobody else has changed it, now or later, and what is known of it
    stays known."""
    t = folder(lab, size=50_000)
    seeder = Seeder(t)
    add(lab, t, "--peer", seeder.address, "--select", "1")
    assert lab.btc("resume").code == 0
    checked = rows(lab, "SELECT verified_at FROM piece ORDER BY piece")
    lab.wait(lambda: rows(lab, "SELECT unixepoch()")[0] > max(checked))
    assert lab.btc("set", "1", "priority.2=normal").code == 0
    for _ in range(2):
        assert lab.btc("resume").code == 0
        t.check(lab.path("out"))
        assert not changed(lab), changed(lab)
        assert rows(lab, "SELECT verified_at FROM piece ORDER BY piece"
                    )[:len(checked)] == checked


def test_written_to_before_it_comes_home(lab):
    """But who has changed it while it lay there is found out."""
    t = folder(lab, size=50_000)
    seeder = Seeder(t)
    add(lab, t, "--peer", seeder.address, "--select", "1")
    assert lab.btc("resume").code == 0
    part = lab.path("out", rows(lab, "SELECT part FROM file WHERE part NOT"
                                     " NULL")[0])
    was = os.stat(part)
    with open(part, "r+b") as f:
        f.write(b"mine")
    os.utime(part, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert lab.btc("set", "1", "priority.2=normal").code == 0
    assert lab.btc("resume").code == 0
    t.check(lab.path("out"))
    assert lab.sql("SELECT 1 FROM log WHERE kind = 'piece-lost'")


def test_killed_on_its_way_home(lab):
    """A file that was kept out of sight is wished for, and the run that takes
    it to its place is killed, where a rename is made of a link and an unlink:
    the file has two names then. A removal leaves none of them."""
    kit.library("BTC_KILL")
    t = folder(lab, size=50_000)  # the files share a piece
    seeder = Seeder(t)
    add(lab, t, "--peer", seeder.address, "--select", "1")
    assert lab.btc("resume").code == 0
    assert lab.btc("set", "1", "priority.2=normal").code == 0
    part = [r["part"] for r in lab.sql("SELECT part FROM file") if r["part"]]
    assert len(part) == 1 and os.path.exists(lab.path("out", part[0])), part
    shutil.copytree(lab.path("out"), lab.path("was/out"), symlinks=True)
    shutil.copy2(lab.db, lab.path("was/btc.db"))
    both = 0
    for nth in range(1, 300):
        for name in os.listdir(lab.dir):
            if name.startswith("btc.db"):
                os.unlink(lab.path(name))
        shutil.copy2(lab.path("was/btc.db"), lab.db)
        shutil.rmtree(lab.path("out"))
        shutil.copytree(lab.path("was/out"), lab.path("out"))
        # the copies are the torrent's own
        with contextlib.closing(sqlite3.connect(lab.db)) as link, link:
            for number, path, hidden in link.execute(
                    "SELECT file, path, part FROM file").fetchall():
                st = os.stat(lab.path("out", hidden or path))
                link.execute(
                    "UPDATE file SET dev = ?, ino = ?, mtime_ns = ?, ctime_ns"
                    " = ? WHERE file = ?", (st.st_dev, st.st_ino,
                                            st.st_mtime_ns, st.st_ctime_ns,
                                            number))
        run = kit.killed_at(lab, nth, "resume", lacks=True)
        if nth == 1 and run.code == 0:
            raise SKIP("libkill.so is not felt by this build")
        home = lab.path("out", "two", "f1")
        both += os.path.exists(home) and os.stat(home).st_nlink == 2
        if nth % 2:
            assert lab.btc("resume").code == 0, nth
            t.check(lab.path("out"))
            assert not changed(lab), (nth, changed(lab))
        assert lab.btc("rm", "--data", "-y", "1").code == 0, nth
        assert not files(lab), (nth, files(lab))
        if run.code == 0:
            break
    assert both and run.code == 0, (both, nth)


if __name__ == "__main__":
    lab.main(__name__)
