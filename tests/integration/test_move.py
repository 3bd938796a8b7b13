#!/usr/bin/python3
"""btc move: the data goes to another folder, on the same device or another, with
an engine or without; a kill at any moment loses nothing."""
import fcntl
import json
import os
import shutil
import signal
import sqlite3
import struct
import sys

import kit
import lab as lab_module
import wire

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "power"))
from seeder import Seeder  # noqa: E402

LENGTH = 65536
SIZES = {"big": 700_001, "sub/mid": 200_000, "sub/deep/small": 3, "empty": 0}


def make(lab):
    """A torrent of some files, whose data is in out/ and verified."""
    for i, (name, size) in enumerate(SIZES.items()):
        lab.make_data("seed/data/" + name, size, seed=i + 1)
    torrent = lab.make_torrent(lab.path("seed/data"), piece_length=LENGTH)
    shutil.copytree(lab.path("seed/data"), lab.path("out/data"))
    kit.get(lab, torrent)
    return torrent


def far(lab):
    """A folder on another device."""
    return lab.mount_tmpfs("far", 64 << 20)


def names(*folders):
    """The paths of all files and links below some folders."""
    return sorted(os.path.relpath(os.path.join(at, name), folder)
                  for folder in folders
                  for at, _, files in os.walk(folder, followlinks=True)
                  for name in files)


WHOLE = sorted("data/" + name for name in SIZES)


def moved(lab, torrent, to, *args, rehashed=False):
    """It is all there, nothing is left elsewhere, and no piece is doubted."""
    run = lab.btc("move", "1", to, "--json", *args)
    assert run.code == 0, run
    row = json.loads(run.out)["torrents"][0]
    assert row["save_path"] == to and row["files_left"] == 0, row
    assert kit.progress(lab)["save_path"] == to
    assert names(to) == WHOLE, names(to)
    torrent.check(to)
    before = len(lab.sql("SELECT 1 FROM log WHERE kind LIKE 'file-%'"))
    assert lab.btc("verify").code == 0
    after = len(lab.sql("SELECT 1 FROM log WHERE kind LIKE 'file-%'"))
    assert (after > before) == rehashed, (before, after)
    assert not lab.sql("SELECT 1 FROM move") \
        and not lab.sql("SELECT 1 FROM move_file")
    return row


def in_user_space(lab, *how):
    """Into such a file system, within it, and out again: nothing stays behind,
    nothing is taken for changed."""
    torrent = make(lab)
    at = lab.mount_user_space("mnt", *how)
    assert moved(lab, torrent, kit.folder(lab, "mnt/a"))["files_copied"] == 4
    assert not names(lab.path("out"))
    row = moved(lab, torrent, kit.folder(lab, "mnt/b"))
    assert row["files_copied"] == 0 and names(at) == ["b/" + n for n in WHOLE]
    moved(lab, torrent, lab.path("out"))
    assert not names(at)


def test_bindfs(lab):
    """The kernel keeps for a second what it knows of a name; times are set both
    or not at all."""
    in_user_space(lab, "bindfs", "--no-allow-other")


def test_mergerfs(lab):
    """A file has another number under each name."""
    in_user_space(lab, "mergerfs")


def test_leased(lab):
    """Another program has a lease on a file, and lets go when it is asked."""
    torrent = make(lab)
    far_away = far(lab)
    path = lab.path("out/data/big")
    with open(path, "rb+") as f, kit.lease(f, fcntl.F_WRLCK) as asked:
        assert lab.btc("move", "1", far_away).code == 0
    assert asked
    torrent.check(far_away)


def test_whole_seconds(lab):
    """Where times are coarse the copies have other ones than the originals,
    and are known for all that."""
    torrent = make(lab)
    at = lab.mount_coarse("coarse")
    assert os.stat(lab.path("out/data/big")).st_mtime_ns % 1_000_000_000
    for to in (kit.folder(lab, "coarse/x"), lab.path("out")):
        run = lab.btc("move", "1", to, "--json")
        row = json.loads(run.out)["torrents"][0]
        assert run.code == 0 and row["files_left"] == 0, run
        assert names(at, lab.path("out")) == sorted(
            os.path.relpath(os.path.join(to, name), at if at in to else to)
            for name in WHOLE), to
        torrent.check(to)


def test_names_that_do_not_fit(lab):
    """The file system there takes no colon: nothing is moved, and it says so."""
    lab.make_data("seed/data/a", 70_000, seed=1)
    lab.make_data("seed/data/b:c", 70_000, seed=2)
    torrent = lab.make_torrent(lab.path("seed/data"), piece_length=LENGTH)
    shutil.copytree(lab.path("seed/data"), lab.path("out/data"))
    kit.get(lab, torrent)
    image = lab.make_image("image", "mkntfs", "-F", "-q", size=16 << 20)
    far_away = lab.mount("mnt", lab_module.find("ntfs-3g"), "-o",
                         "windows_names", image)
    for to in (far_away, os.path.join(far_away, "new")):
        run = lab.btc("move", "1", to)
        assert run.code == 10 and "takes no such name" in run.err, run
        assert not os.listdir(far_away)
    torrent.check(lab.path("out"))
    assert lab.btc("verify").code == 0


def test_keeps_what_hangs_on_it(lab):
    """A copy has the owner, the rights, the attributes and the access list of
    its original, as a file has that only gets another name."""
    torrent = make(lab)
    path = lab.path("out/data/sub/mid")
    def entry(tag, rights, who=0xffffffff):
        return struct.pack("<HHI", tag, rights, who)
    acl = struct.pack("<I", 2) + entry(1, 6) + entry(2, 7, 1234) + \
        entry(4, 0) + entry(16, 7) + entry(32, 0)
    try:
        os.setxattr(path, "user.mine", b"hello")
        os.setxattr(path, "system.posix_acl_access", acl)
    except OSError as e:
        raise lab_module.Skip(f"no attributes here: {e}") from e
    os.chown(path, 1234, 2345)
    was = os.stat(path)
    far_away = lab.mount_tmpfs("far", 64 << 20)
    assert lab.btc("verify").code == 0  # it was changed, as far as anybody knows
    assert moved(lab, torrent, far_away)["files_copied"] == len(SIZES)
    path = os.path.join(far_away, "data/sub/mid")
    now = os.stat(path)
    for what in ("st_mode", "st_uid", "st_gid", "st_mtime_ns"):
        assert getattr(now, what) == getattr(was, what), what
    assert os.getxattr(path, "user.mine") == b"hello"
    assert os.getxattr(path, "system.posix_acl_access") == acl


def test_same_device(lab):
    torrent = make(lab)
    inode = os.stat(lab.path("out/data/big")).st_ino
    row = moved(lab, torrent, kit.folder(lab, "new"))
    assert row["files_copied"] == 0 and row["files_moved"] == len(SIZES), row
    assert os.stat(lab.path("new/data/big")).st_ino == inode
    assert os.listdir(lab.path("out")) == []
    # a folder that is not there yet, below one that is
    moved(lab, torrent, lab.path("new") + "er")
    # again to where it is, by another way
    run = lab.btc("move", "1", lab.path("new") + "er/.")
    assert run.code == 0 and "no file was touched" in run.err, run
    torrent.check(lab.path("newer"))


def test_other_device(lab):
    torrent = make(lab)
    place = far(lab)
    os.chmod(lab.path("out/data/big"), 0o640)
    row = moved(lab, torrent, place, rehashed=True)  # chmod changes ctime
    assert row["files_copied"] == len(SIZES), row
    assert os.stat(os.path.join(place, "data/big")).st_mode & 0o777 == 0o640
    assert os.listdir(lab.path("out")) == []
    moved(lab, torrent, lab.path("out"))
    assert os.listdir(place) == []


def write(lab, sql):
    link = sqlite3.connect(lab.db)
    with link:
        link.execute(sql)
    link.close()


def test_again(lab):
    """What it has moved is its own also where it does not vouch for it: it is
    moved on, and removed, without a look in between."""
    torrent = make(lab)
    places = (far(lab), lab.path("out"), kit.folder(lab, "new"))
    for name in SIZES:
        os.chmod(lab.path("out/data", name), 0o640)
    for place in places:
        run = lab.btc("move", "1", place)
        assert run.code == 0, run
        torrent.check(place)
    assert names(*places) == WHOLE, names(*places)
    run = lab.btc("verify")
    assert run.code == 0 and "hashed again" in run.err, run
    for name in SIZES:
        os.chmod(lab.path("new/data", name), 0o600)
    assert lab.btc("move", "1", places[0]).code == 0
    run = lab.btc("rm", "--data", "-y", "1")
    assert run.code == 0 and names(*places) == [], (run, names(*places))


def test_numbered_anew(lab):
    """The drive has another number since the computer was started again: that
    is no reason to hash, and no file without bytes stays behind."""
    torrent = make(lab)
    places = (far(lab), lab.path("out"))
    for place in places:
        write(lab, "UPDATE file SET dev = dev + 7")
        write(lab, "UPDATE torrent_stat SET root_dev = root_dev + 7")
        row = moved(lab, torrent, place)
        assert row["files_copied"] == len(SIZES), row
    write(lab, "UPDATE file SET dev = dev + 7")
    assert lab.btc("verify").code == 0
    assert len(lab.sql("SELECT DISTINCT dev FROM file")) == 1
    moved(lab, torrent, places[0])
    assert lab.btc("rm", "--data", "-y", "1").code == 0
    assert names(*places) == [], names(*places)


def test_absent(lab):
    """Its drive is away, or a folder's own: what would be moved without them is
    lost when they come back. A file that is gone for good holds nothing up once
    a look has told the journal."""
    torrent = make(lab)
    here, new = lab.path("out"), kit.folder(lab, "new")
    for gone in ("", "data", "data/sub", "data/big"):
        os.rename(os.path.join(here, gone), lab.path("away"))
        run = lab.btc("move", "1", new)
        assert run.code == 11 and "is absent" in run.err, (gone, run)
        os.rename(lab.path("away"), os.path.join(here, gone))
        assert kit.progress(lab)["save_path"] == here
        assert kit.progress(lab)["wanted"] == "run"
        assert not names(new) and not lab.sql("SELECT 1 FROM move")
        assert lab.btc("verify").code == 0
        assert kit.progress(lab)["state"] == "complete"
    os.unlink(lab.path("out/data/empty"))
    os.unlink(lab.path("out/data/big"))
    assert "btc verify 1" in lab.btc("move", "1", new).err
    assert lab.btc("verify", "1").code == 8
    assert lab.btc("move", "1", new).code == 0
    row = kit.progress(lab)
    assert row["state"] == "queued" and row["percent"] < 100.0, row
    assert names(new) == ["data/sub/deep/small", "data/sub/mid"], names(new)
    assert not names(here), names(here)


def test_copied_by_hand(lab):
    """After a look all that is there is the torrent's, an empty file, too, and
    goes where the torrent goes."""
    torrent = make(lab)
    place = far(lab)
    shutil.copytree(lab.path("out/data"), os.path.join(place, "data"))
    shutil.rmtree(lab.path("out/data"))
    assert lab.btc("move", "1", place, "--here").code == 0
    run = lab.btc("move", "1", lab.path("out"))
    assert run.code == 13 and "btc verify 1" in run.err, run
    assert lab.btc("verify", "1").code == 0
    moved(lab, torrent, lab.path("out"))
    assert names(place) == [], names(place)


def test_here(lab):
    """Somebody has moved it: that is told, nothing is touched or hashed."""
    torrent = make(lab)
    os.rename(lab.path("out"), lab.path("later"))
    run = lab.btc("verify")
    assert run.code == 11 and "btc move 1 DIR --here" in run.err, run
    for wrong, code in ((kit.folder(lab, "none"), 11),
                        (lab.path("not/there"), 11)):
        run = lab.btc("move", "1", wrong, "--here")
        assert run.code == code, run
    run = lab.btc("status", "--json")
    assert json.loads(run.out)["torrents"][0]["state"] == "waiting-storage"
    moved(lab, torrent, lab.path("later"), "--here")


def test_in_the_way(lab):
    """What is there and not the torrent's stays, and so does the torrent."""
    torrent = make(lab)
    with open(lab.path("new/data/sub/mid"), "wb") as f:
        f.write(b"somebody else's")
    run = lab.btc("move", "1", lab.path("new"))
    assert run.code == 13 and "sub/mid" in run.err, run
    assert names(lab.path("new")) == ["data/sub/mid"]
    assert kit.progress(lab)["save_path"] == lab.path("out")
    assert kit.progress(lab)["wanted"] == "run"
    torrent.check(lab.path("out"))
    run = lab.btc("move", "7", lab.path("new"))
    assert run.code == 3, run


def test_with_engine(lab):
    """The engine lets go of it and goes on with it, half done as it is."""
    torrent = lab.make_torrent(lab.make_data("seed/data.bin", 6_000_001),
                               piece_length=LENGTH)
    seed = wire.Slow(torrent, lab.next_ip())
    daemon = lab.start_btc("daemon")
    lab.wait(lambda: lab.sql("SELECT 1 FROM run"), 30, "a daemon")
    assert lab.btc("add", torrent.path, "-d", kit.folder(lab, "out"), "--peer",
                   seed.address).code == 0
    for place in (kit.folder(lab, "new"), far(lab)):
        begin = kit.progress(lab)["pieces_done"]
        lab.wait(lambda: kit.progress(lab)["pieces_done"] >= begin + 5, 60,
                 "some pieces")
        run = lab.btc("move", "1", place)
        assert run.code == 0, run
        assert kit.progress(lab)["wanted"] == "run"
        assert names(place) == ["data.bin"], names(place)
        assert not names(lab.path("out")), names(lab.path("out"))
    seed.pause = 0
    lab.wait(lambda: kit.progress(lab)["percent"] == 100.0, 60, "the rest")
    assert "file-changed" not in \
        [r["kind"] for r in lab.sql("SELECT kind FROM log")]
    torrent.check(place)
    daemon.signal(signal.SIGTERM)
    daemon.wait()


def test_not_begun_with_engine(lab):
    """What found no room is moved to where there is some: it begins there."""
    torrent = lab.make_torrent(lab.make_data("seed/data.bin", 6_000_001),
                               piece_length=LENGTH)
    seed = wire.Seeder(torrent, lab.next_ip())
    small = lab.mount_tmpfs("small", 2 << 20)
    daemon = lab.start_btc("daemon")
    lab.wait(lambda: lab.sql("SELECT 1 FROM run"), 30, "a daemon")
    assert lab.btc("add", torrent.path, "-d", small, "--peer",
                   seed.address).code == 0
    lab.wait(lambda: kit.progress(lab)["state"] == "waiting-space", 20)
    run = lab.btc("move", "1", kit.folder(lab, "new"))
    assert run.code == 0, run
    lab.wait(lambda: kit.progress(lab)["percent"] == 100.0, 20, "all of it")
    torrent.check(lab.path("new"))
    assert daemon.stop() == 0


def test_wished_meanwhile(lab):
    """Who wishes it to run while it is moved keeps it, and nobody waits for an
    engine that does not let go: here one that is stopped."""
    torrent = lab.make_torrent(lab.make_data("seed/data.bin", 6_000_001),
                               piece_length=LENGTH)
    seed = wire.Slow(torrent, lab.next_ip())
    daemon = lab.start_btc("daemon")
    assert lab.btc("add", torrent.path, "-d", kit.folder(lab, "out"), "--peer",
                   seed.address).code == 0
    lab.wait(lambda: kit.progress(lab)["pieces_done"] > 0, 20)
    daemon.signal(signal.SIGSTOP)
    move = lab.start_btc("move", "1", kit.folder(lab, "new"))
    lab.wait(lambda: kit.progress(lab)["wanted"] == "pause", 20)
    assert lab.btc("start", "1").code == 0
    assert move.wait(20) == 7, move.err()
    assert "something else was wished" in move.err(), move.err()
    daemon.signal(signal.SIGCONT)
    seed.pause = 0
    lab.wait(lambda: kit.progress(lab)["percent"] == 100.0, 60, "the rest")
    torrent.check(lab.path("out"))
    assert daemon.stop() == 0


def while_it_hangs(lab, to, name):
    """A move whose drive does not answer for a moment: meanwhile somebody writes
    into the first file in `name`, and sets its time back."""
    if not os.environ.get("BTC_HANG"):
        raise lab_module.Skip("BTC_HANG does not name libhang.so")
    flag, path = lab.path("flag"), os.path.join(name, "data/big")
    with open(flag, "w", encoding="ascii"):
        pass
    move = lab.start_btc("move", "1", to, env={
        "LD_PRELOAD": os.environ["BTC_HANG"], "BTC_HANG_FLAG": flag,
        "BTC_HANG_DIR": to})
    lab.wait(lambda: names(to), 20, "something there")
    lab.wait(lambda: os.path.exists(path), 20, "that file")
    times = os.stat(path)
    with open(path, "r+b", buffering=0) as f:
        f.seek(300_000)
        f.write(b"somebody else")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    os.unlink(flag)
    return move


def found(lab):
    """The next look finds it."""
    seed = Seeder(lab.torrents[0], ip=lab.next_ip())
    run = lab.btc("resume", "1", "--seed", "time:1s", "--peer", seed.address)
    assert run.code == 0, run
    row = kit.progress(lab)
    assert 0 < row["downloaded"] <= 2 * LENGTH, row
    lab.torrents[0].check(row["save_path"])


def test_written_while_copied(lab):
    make(lab)
    move = while_it_hangs(lab, far(lab), lab.path("out"))
    assert move.wait(30) == 11, move.err()
    assert "somebody wrote to it" in move.err(), move.err()
    found(lab)


def test_written_while_linked(lab):
    make(lab)
    new = kit.folder(lab, "new")
    move = while_it_hangs(lab, new, new)
    assert move.wait(30) == 0, move.err()
    found(lab)


def killed_everywhere(lab, torrent, places):
    """A move that is killed before its n-th change, for every n; how many."""
    for nth in range(1, 2000):
        here = kit.progress(lab)["save_path"]
        to = places[0] if here == places[1] else places[1]
        if kit.killed_at(lab, nth, "move", "1", to).code == 0:
            return nth
        where = kit.progress(lab)["save_path"]
        torrent.check(where)  # before anybody has mended anything
        run = lab.btc("verify")
        assert run.code == 0, (nth, run)
        assert names(*places) == WHOLE, (nth, names(*places))
        assert kit.progress(lab)["save_path"] == where, nth
        assert kit.progress(lab)["wanted"] == "run", nth
        assert not lab.sql("SELECT 1 FROM move"), nth
    raise AssertionError("it never ends")


def test_mount_below(lab):
    """Some of it goes to a drive that is mounted below the new folder, or to
    one that a link leads to, and comes back from there."""
    torrent = make(lab)
    os.makedirs(lab.path("new/data"))
    os.symlink(far(lab), lab.path("new/data/sub"))
    for place in (lab.path("new"), lab.path("out")):
        moved(lab, torrent, place)
    os.unlink(lab.path("new/data/sub"))
    lab.mount_tmpfs("new/data/sub", 8 << 20)
    n = killed_everywhere(lab, torrent, (lab.path("out"), lab.path("new")))
    assert n > 30, n


def test_killed_same_device(lab):
    torrent = make(lab)
    n = killed_everywhere(lab, torrent,
                          (lab.path("out"), kit.folder(lab, "new")))
    assert n > 30, n
    print(f"killed at {n - 1} places")


def test_killed_other_device(lab):
    torrent = make(lab)
    n = killed_everywhere(lab, torrent, (lab.path("out"), far(lab)))
    assert n > 40, n
    print(f"killed at {n - 1} places")


lab_module.main(__name__)
