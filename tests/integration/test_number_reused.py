#!/usr/bin/python3
"""A file of the torrent's is deleted, and the user's own that he makes in its
place gets its number (inode): ext4 and XFS give the lowest that is free. It is
his all the same, known by the time of its birth."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "power"))
import kit  # noqa: E402
import lab as laboratory  # noqa: E402
import wire  # noqa: E402
from seeder import Seeder  # noqa: E402

LENGTH = 32768
SIZE = 900_000


def drive(lab):
    """A folder where numbers come back."""
    image = lab.make_image("drive.img", "mkfs.ext4", "-q", "-I", "256")
    return lab.mount("drive", "mount", "-o", "loop", image)


def make(lab):
    """A torrent, where its data is to be, and one who has it."""
    torrent = lab.make_torrent(lab.make_data("seed/data.bin", SIZE),
                               piece_length=LENGTH)
    return torrent, drive(lab), wire.Slow(torrent, lab.next_ip())


def complete(lab):
    """All of it is here and verified."""
    torrent, out, seed = make(lab)
    seed.pause = 0
    kit.get(lab, torrent, "--peer", seed.address, out=out)
    return torrent, os.path.join(out, "data.bin")


def replace(path, content):
    """Another file takes the place and the number; what is in it."""
    number = os.stat(path).st_ino
    os.unlink(path)
    with open(path, "xb") as f:
        f.write(content)
    if os.stat(path).st_ino != number:
        raise laboratory.Skip("this file system gives another number")
    return content


def own(lab, size=SIZE):
    """Some bytes of the user's."""
    return read(lab.make_data("mine", size, seed=99))


def read(path):
    with open(path, "rb") as f:
        return f.read()


def not_written(lab, size):
    torrent, path = complete(lab)
    mine = replace(path, own(lab, size))
    for command in ("verify", "resume"):
        run = lab.btc(command)
        assert run.code == 13 and read(path) == mine, run
    assert kit.progress(lab)["pieces_done"] == 0, kit.progress(lab)
    run = lab.btc("resume", "--overwrite")
    assert run.code == 0, run
    torrent.check(os.path.dirname(path))
    # what btc has written since is its own
    assert lab.btc("rm", "--data", "-y", "1").code == 0
    assert not os.path.exists(path)


def test_not_written(lab):
    """Until somebody insists."""
    not_written(lab, SIZE)


def test_shorter_not_written(lab):
    not_written(lab, 5000)


def test_not_written_after_a_kill(lab):
    """The run that wrote the one that is gone was killed a moment ago."""
    torrent, out, seed = make(lab)
    run = lab.start_btc("get", torrent.path, "-d", out, "--peer", seed.address,
                        "--journal-interval", "50")
    lab.wait(lambda: len(lab.sql("SELECT 1 FROM piece")) > 3)
    run.signal(signal.SIGKILL)
    run.wait()
    path = os.path.join(out, "data.bin")
    mine = replace(path, own(lab))
    run = lab.btc("resume", "--max-time", "20s")
    assert run.code == 13 and read(path) == mine, run
    assert kit.progress(lab)["pieces_done"] == 0, kit.progress(lab)


def not_deleted(lab, look):
    _, path = complete(lab)
    mine = replace(path, own(lab))
    assert not look or lab.btc("verify").code == 13
    lab.btc("rm", "--data", "-y", "1")
    assert read(path) == mine


def test_not_deleted(lab):
    not_deleted(lab, False)


def test_not_deleted_after_a_look(lab):
    not_deleted(lab, True)


def test_not_moved(lab):
    """On its drive or to another."""
    _, path = complete(lab)
    mine = replace(path, own(lab))
    for place in (kit.folder(lab, "drive/new"), kit.folder(lab, "new")):
        run = lab.btc("move", "1", place)
        assert run.code == 13, run
        assert read(path) == mine and os.listdir(place) == []


def test_not_written_when_others_are_fetched(lab):
    """The first of two files was finished when it is replaced."""
    for name, size in (("a", 10 * LENGTH), ("b", 60 * LENGTH)):
        lab.make_data(f"seed/two/{name}", size, seed=ord(name))
    torrent = lab.make_torrent(lab.path("seed", "two"), piece_length=LENGTH)
    out, seed = drive(lab), Seeder(torrent, lab.next_ip(), rate=1_000_000)
    run = lab.start_btc("get", torrent.path, "-d", out, "--sequential",
                        "--peer", seed.address, "--journal-interval", "50")
    lab.wait(lambda: len(lab.sql("SELECT 1 FROM piece")) > 30)
    path = os.path.join(out, "two/a")
    mine = replace(path, own(lab, 10 * LENGTH))
    seed.rate = 0
    assert run.wait() == 13, run.err()
    assert read(path) == mine


def test_folder_in_the_place_of_nothing(lab):
    """No piece tells of an empty file, nor do its length and its time."""
    for name, size in (("a", LENGTH), ("empty", 0)):
        lab.make_data(f"seed/two/{name}", size, seed=1)
    torrent = lab.make_torrent(lab.path("seed", "two"), piece_length=LENGTH)
    out, seed = drive(lab), Seeder(torrent, lab.next_ip())
    kit.get(lab, torrent, "--peer", seed.address, out=out)
    path = os.path.join(out, "two/empty")
    number = os.stat(path).st_ino
    os.unlink(path)
    os.mkdir(path)
    if os.stat(path).st_ino != number:
        raise laboratory.Skip("this file system gives another number")
    run = lab.btc("resume")
    assert run.code == 13 and "empty" in run.err, run


def test_taken_over(lab):
    """What was put back from elsewhere is the torrent's again."""
    torrent, path = complete(lab)
    replace(path, read(lab.path("seed/data.bin")))
    assert lab.btc("verify").code == 0
    assert kit.progress(lab)["pieces_done"] == torrent.piece_count
    assert lab.btc("rm", "--data", "-y", "1").code == 0
    assert not os.path.exists(path)


def test_written_to(lab):
    """The torrent's own file with other bytes is the torrent's: it is mended."""
    torrent, path = complete(lab)
    with open(path, "r+b") as f:
        f.write(own(lab))
    assert lab.btc("verify").code == 8
    assert lab.btc("resume").code == 0
    torrent.check(os.path.dirname(path))


laboratory.main(__name__)
