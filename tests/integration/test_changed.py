#!/usr/bin/python3
"""A file is changed, replaced or removed while a run in the foreground writes
it: the run looks at what is there and goes on. Who changes rows of the database
meanwhile changes nothing of that."""
import os
import shutil
import sqlite3
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "power"))
import kit  # noqa: E402
import lab as lab_module  # noqa: E402
import wire  # noqa: E402
from claims import Truth, read_claims  # noqa: E402
from seeder import Seeder  # noqa: E402

LENGTH = 32768
SIZE = 2_000_001


def begin(lab, *args):
    """A run of which some pieces are here."""
    torrent = lab.make_torrent(lab.make_data("seed/data.bin", SIZE),
                               piece_length=LENGTH)
    seed = wire.Slow(torrent, lab.next_ip())
    run = lab.start_btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                        "--peer", seed.address, "--journal-interval", "50",
                        *args)
    more(lab, 5)
    return torrent, seed, run


def more(lab, n):
    """So many more pieces are journaled."""
    def count():
        return len(lab.sql("SELECT 1 FROM piece"))
    now = count()
    lab.wait(lambda: count() >= now + n, 60, "more pieces")


def end(lab, torrent, seed, run):
    seed.pause = 0
    assert run.wait() == 0, (run.out(), run.err())
    torrent.check(lab.path("out"))
    assert kit.claims_hold(lab, torrent) == set(range(torrent.piece_count))


def test_written_to(lab):
    torrent, seed, run = begin(lab)
    for _ in range(3):
        with open(lab.path("out/data.bin"), "r+b") as f:
            f.write(b"somebody else's")
        more(lab, 3)
    end(lab, torrent, seed, run)
    assert "file-changed" in [r["kind"] for r in
                              lab.sql("SELECT kind FROM log")]


def test_longer(lab):
    """It is refused as a start refuses it, also where a change of the file while
    it is written proves nothing, for its times are made in user space."""
    longer(lab)


def test_longer_in_user_space(lab):
    lab.mount_user_space("out", "bindfs", "--no-allow-other")
    longer(lab)


def longer(lab):
    torrent, seed, run = begin(lab)
    with open(lab.path("out/data.bin"), "ab") as f:
        f.write(b"more")
    seed.pause = 0
    assert run.wait() == 13, (run.out(), run.err())
    assert "exists and is longer" in run.err(), run.err()
    assert os.path.getsize(lab.path("out/data.bin")) == SIZE + 4
    assert lab.btc("resume", "--overwrite").code == 0
    torrent.check(lab.path("out"))


def test_replaced(lab):
    """By a copy of what is here."""
    torrent, seed, run = begin(lab)
    shutil.copy2(lab.path("out/data.bin"), lab.path("out/copy"))
    os.replace(lab.path("out/copy"), lab.path("out/data.bin"))
    end(lab, torrent, seed, run)


def test_replaced_by_a_stranger(lab):
    """It stays."""
    _, seed, run = begin(lab)
    mine = lab.make_data("out/mine", SIZE, seed=5)
    with open(mine, "rb") as f:
        content = f.read()
    os.replace(mine, lab.path("out/data.bin"))
    seed.pause = 0
    assert run.wait() == 13, (run.out(), run.err())
    with open(lab.path("out/data.bin"), "rb") as f:
        assert f.read() == content
    assert kit.progress(lab)["pieces_done"] == 0
    assert not lab.sql("SELECT 1 FROM piece")


def test_removed(lab):
    """All that was here is gone: that is to be said, not to be fetched anew."""
    _, seed, run = begin(lab)
    os.unlink(lab.path("out/data.bin"))
    seed.pause = 0
    assert run.wait() == 11 and "absent" in run.err(), run.err()
    assert os.listdir(lab.path("out")) == []


def begin_several(lab, sizes, pieces):
    """A run of files a, b and so on; all but the last were finished long ago."""
    for name, size in zip("abc", sizes):
        lab.make_data(f"seed/two/{name}", size, seed=ord(name))
    torrent = lab.make_torrent(lab.path("seed", "two"), piece_length=LENGTH)
    seed = Seeder(torrent, lab.next_ip(), rate=1_000_000)
    run = lab.start_btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                        "--sequential", "--peer", seed.address,
                        "--journal-interval", "50")
    lab.wait(lambda: len(lab.sql("SELECT 1 FROM piece")) >= pieces, 60,
             "pieces of the last file")
    return torrent, seed, run


def begin_second(lab):
    """The first of two files was finished and journaled."""
    torrent, seed, run = begin_several(lab, (10 * LENGTH, 60 * LENGTH + 1), 20)
    assert set(range(10)) <= kit.claims_hold(lab, torrent)
    return torrent, seed, run, lab.path("out/two/a")


def end_second(lab, torrent, seed, run, code=0):
    seed.rate = 0
    assert run.wait() == code, (run.out(), run.err())
    kit.claims_hold(lab, torrent)
    if code == 0:
        torrent.check(lab.path("out"))


def harm(path):
    with open(path, "r+b") as f:
        f.seek(5 * LENGTH + 7)
        f.write(b"somebody else's")


def test_finished_and_written_to(lab):
    torrent, seed, run, path = begin_second(lab)
    harm(path)
    end_second(lab, torrent, seed, run)
    again = [a.piece for a in seed.sent if a.piece < 10]
    assert set(again) == set(range(10)) and again.count(5) == 4, again


def test_finished_and_time_set_back(lab):
    torrent, seed, run, path = begin_second(lab)
    was = os.stat(path)
    harm(path)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    end_second(lab, torrent, seed, run)


def test_finished_and_touched(lab):
    """Nothing of it is fetched again."""
    torrent, seed, run, path = begin_second(lab)
    os.utime(path)
    end_second(lab, torrent, seed, run)
    assert len([a for a in seed.sent if a.piece < 10]) == 20


def test_finished_and_replaced(lab):
    """By a copy that is harmed."""
    torrent, seed, run, path = begin_second(lab)
    shutil.copy2(path, path + "~")
    harm(path + "~")
    os.replace(path + "~", path)
    end_second(lab, torrent, seed, run)


def test_finished_and_a_stranger(lab):
    """It stays."""
    torrent, seed, run, path = begin_second(lab)
    mine = lab.make_data("mine", 10 * LENGTH, seed=5)
    with open(mine, "rb") as f:
        content = f.read()
    os.replace(mine, path)
    end_second(lab, torrent, seed, run, 13)
    with open(path, "rb") as f:
        assert f.read() == content


def test_finished_and_removed(lab):
    torrent, seed, run, path = begin_second(lab)
    os.unlink(path)
    end_second(lab, torrent, seed, run)


def test_finished_and_longer(lab):
    """It is refused as at a start, not cut."""
    torrent, seed, run, path = begin_second(lab)
    with open(path, "ab") as f:
        f.write(b"more")
    end_second(lab, torrent, seed, run, 13)
    assert "exists and is longer" in run.err(), run.err()
    assert os.path.getsize(path) == 10 * LENGTH + 4


def test_finished_and_not_empty(lab):
    """A file that is to be empty was written to: it is refused as well."""
    lab.make_data("seed/two/aa", 0)
    torrent, seed, run, path = begin_second(lab)
    with open(path + "a", "wb") as f:
        f.write(b"more")
    end_second(lab, torrent, seed, run, 13)
    assert "exists and is longer" in run.err(), run.err()


def begin_third(lab, size=10 * LENGTH):
    """The first two of three files were."""
    return begin_several(lab, (size, size, 40 * LENGTH), 30)


def test_finished_and_exchanged(lab):
    """Each has the name of the other, and they share a piece: no row claims
    anything of them, and both are told of as what they are."""
    torrent, seed, run = begin_third(lab, 10 * LENGTH + 99)
    for old, new in (("a", "a~"), ("b", "a"), ("a~", "b")):
        os.rename(lab.path("out/two", old), lab.path("out/two", new))
    seed.rate = 0
    assert run.wait() == 13, (run.out(), run.err())
    assert "holds no piece of this torrent" in run.err(), run.err()
    truth = Truth(torrent)
    assert not truth.judge(read_claims(lab.db),
                           truth.on_disk(lab.path("out")))


def test_finished_and_written_to_again(lab):
    """Another file, while what was lost is fetched once more."""
    torrent, seed, run = begin_third(lab)
    harm(lab.path("out/two/a"))
    more(lab, 24)
    seed.rate = 40_000
    lab.wait(lambda: lab.sql("SELECT 1 FROM log WHERE kind = 'piece-lost'"),
             60, "the first one lost")
    harm(lab.path("out/two/b"))
    assert run.is_running()
    end_second(lab, torrent, seed, run)


def test_finished_and_killed(lab):
    """As soon as all is here, the row may say so only after the look: whatever
    the kill leaves, the next run takes the torrent up."""
    torrent, seed, run = begin_third(lab)
    harm(lab.path("out/two/a"))
    seed.rate = 0
    lab.wait(lambda: "was changed" in run.err() or not run.is_running(), 60,
             "the look", every=0.0005)
    run.kill()
    seed.rate = 0
    assert lab.btc("resume").code == 0
    torrent.check(lab.path("out"))
    kit.claims_hold(lab, torrent)


def test_wishes_beside(lab):
    """Three who write rows all the time."""
    torrent, seed, run = begin(lab)
    over = threading.Event()

    def write(statements):
        while not over.wait(0.01):
            link = sqlite3.connect(lab.db, timeout=20)
            with link:
                link.execute(statements[0])
            link.close()
            statements.append(statements.pop(0))
    writers = [threading.Thread(target=write, args=(s,)) for s in (
        ["UPDATE torrent SET sequential = 1 - sequential",
         "UPDATE torrent SET max_peers = 20 + abs(random()) % 9"],
        ["UPDATE file SET priority = 1 + abs(random()) % 7",
         "UPDATE torrent SET save_path = save_path"],
        ["UPDATE torrent SET verify_since = unixepoch()",
         "UPDATE torrent SET wanted = wanted"])]
    for w in writers:
        w.start()
    try:
        more(lab, 10)
        with open(lab.path("out/data.bin"), "r+b") as f:
            f.seek(LENGTH)
            f.write(b"somebody else's")
        seed.pause = 0
        code = run.wait()
    finally:
        over.set()
        for w in writers:
            w.join()
    assert code == 0, (run.out(), run.err())
    torrent.check(lab.path("out"))


lab_module.main(__name__)
