#!/usr/bin/python3
"""A file that somebody has put in the place of the torrent's is his: nothing
writes to it, moves it or deletes it, also when btc has looked at it meanwhile."""
import os
import shutil
import sqlite3
import subprocess
import sys

import kit
import lab as lab_module
import wire

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "power"))
from seeder import Seeder  # noqa: E402

LENGTH = 32768
SIZE = 900_000


def make(lab):
    """A torrent whose data is here and verified, and one who has it."""
    torrent = lab.make_torrent(lab.make_data("seed/data.bin", SIZE),
                               piece_length=LENGTH)
    shutil.copytree(lab.path("seed"), lab.path("out"))
    kit.get(lab, torrent)
    seed = wire.Seeder(torrent, lab.next_ip())
    assert lab.btc("set", "1", "peer=" + seed.address).code == 0
    return torrent


def replace(lab, size=SIZE, head=0):
    """Another file takes the place; its bytes. The first `head` are those of
    the torrent."""
    mine = lab.make_data("mine", size, seed=99)
    with open(mine, "r+b") as f, open(lab.path("seed/data.bin"), "rb") as data:
        f.write(data.read(head))
    with open(mine, "rb") as f:
        content = f.read()
    os.replace(mine, lab.path("out/data.bin"))
    return content


def read(path):
    with open(path, "rb") as f:
        return f.read()


def claims(lab):
    return len(lab.sql("SELECT 1 FROM piece"))


def not_written(lab, size):
    torrent = make(lab)
    mine = replace(lab, size)
    run = lab.btc("verify")
    assert run.code == 13, run
    run = lab.btc("resume")
    assert run.code == 13 and "--overwrite" in run.err, run
    assert read(lab.path("out/data.bin")) == mine
    assert claims(lab) == 0
    assert kit.progress(lab)["pieces_done"] == 0, kit.progress(lab)
    run = lab.btc("resume", "--overwrite")
    assert run.code == 0, run
    torrent.check(lab.path("out"))
    # what btc has written since is its own
    assert lab.btc("rm", "--data", "-y", "1").code == 0
    assert not os.path.exists(lab.path("out/data.bin"))


def test_not_written(lab):
    """It is refused until somebody insists."""
    not_written(lab, SIZE)


def test_shorter_not_written(lab):
    not_written(lab, 5000)


def test_refused_before_it_is_hashed(lab):
    """Half of the torrent is here when its file is replaced: a run that only
    goes on drops what it claims."""
    torrent = lab.make_torrent(lab.make_data("seed/data.bin", SIZE),
                               piece_length=LENGTH)
    with open(lab.path("seed/data.bin"), "rb") as f:
        half = f.read(SIZE // 2)
    with open(lab.path("out/data.bin"), "wb") as f:
        f.write(half)
    assert lab.btc("add", torrent.path, "-d", lab.path("out")).code == 0
    assert lab.btc("verify").code == 8 and claims(lab) > 10
    mine = replace(lab)
    run = lab.btc("resume", "--max-time", "5s")
    assert run.code == 13, run
    assert read(lab.path("out/data.bin")) == mine and claims(lab) == 0
    assert kit.progress(lab)["pieces_done"] == 0, kit.progress(lab)


def not_deleted(lab, look):
    make(lab)
    mine = replace(lab)
    if look:
        assert lab.btc("verify").code == 13
    lab.btc("rm", "--data", "-y", "1")
    assert read(lab.path("out/data.bin")) == mine


def test_out_of_sight(lab):
    """Where btc keeps what a neighbour's pieces have of a file lies somebody's
    own, or another torrent's of that very name: it is refused by its place, and
    goes to no other when the file is wanted."""
    for i, size in enumerate((40_000, 20_000, 40_000)):
        lab.make_data(f"seed/three/f{i}", size, seed=i)
    torrent = lab.make_torrent(lab.path("seed/three"), piece_length=LENGTH)
    name = f".three.{torrent.info_hash[:8]}.part"
    lab.make_data(f"seed/{name}/1", 20_000, seed=77)
    other = lab.make_torrent(lab.path("seed", name), piece_length=LENGTH)
    out = kit.folder(lab, "out")
    shutil.copytree(lab.path("seed", name), os.path.join(out, name))
    kit.get(lab, other)
    seed = Seeder(torrent)
    run = lab.btc("get", torrent.path, "-d", out, "-s", "1,3", "--peer",
                  seed.address)
    assert run.code == 13 and name + "/1" in run.err, run
    assert lab.btc("set", "2", "select=").code == 0
    run = lab.btc("resume", "2")
    assert run.code == 0, run
    torrent.check(out)
    other.check(out)
    assert lab.btc("verify").code == 0
    assert lab.btc("rm", "--data", "-y", "2").code == 0
    other.check(out)


def test_wanted_later(lab):
    """What was kept out of sight goes home, and somebody's own is there."""
    for i, size in enumerate((20_000, 10_000, 300_000)):
        lab.make_data(f"seed/three/f{i}", size, seed=i)
    torrent = lab.make_torrent(lab.path("seed/three"), piece_length=LENGTH)
    seed = Seeder(torrent)
    out = kit.folder(lab, "out")
    run = lab.btc("get", torrent.path, "-d", out, "-s", "1", "--peer",
                  seed.address, "--seed", "none")
    assert run.code == 0 and os.listdir(out + "/three") == ["f0"], run
    with open(out + "/three/f1", "wb") as f:
        f.write(b"mine")
    assert lab.btc("set", "1", "priority.2=normal").code == 0
    run = lab.btc("resume")
    assert run.code == 13 and "f1: is in the way" in run.err, run
    assert "move that away" in run.err and read(out + "/three/f1") == b"mine"
    os.rename(out + "/three/f1", lab.path("mine"))
    seed.forget()
    assert lab.btc("resume").code == 0
    assert not seed.forget()[0]  # all of it was kept
    assert read(out + "/three/f1") == read(lab.path("seed/three/f1"))


def test_not_deleted(lab):
    not_deleted(lab, False)


def test_not_deleted_after_a_look(lab):
    not_deleted(lab, True)


def linked(lab):
    """A second torrent, whose file is one more name of the first one's data,
    and who has its own."""
    torrent = lab.make_torrent(lab.make_data("seed2/other.bin", SIZE, seed=7),
                               piece_length=LENGTH)
    os.mkdir(lab.path("two"))
    os.link(lab.path("out/data.bin"), lab.path("two/other.bin"))
    return torrent, wire.Seeder(torrent, lab.next_ip())


def test_linked_to_another_torrent(lab):
    """The file in the way is a name of another torrent's data, which is at
    rest: nothing advises to write into it. Who insists all the same takes the
    other one's claims away."""
    first = make(lab)
    torrent, seed = linked(lab)
    run = lab.btc("get", torrent.path, "-d", lab.path("two"), "--peer",
                  seed.address)
    assert run.code == 13 and "torrent 1 " in run.err, run
    assert "--overwrite" not in run.err, run
    first.check(lab.path("out"))
    # a copy of its own in the place is nobody's
    shutil.copy(lab.path("two/other.bin"), lab.path("copy"))
    os.replace(lab.path("copy"), lab.path("two/other.bin"))
    run = lab.btc("resume", "2")
    assert run.code == 13 and "--overwrite" in run.err, run
    assert lab.btc("resume", "2", "--overwrite").code == 0
    torrent.check(lab.path("two"))
    first.check(lab.path("out"))
    assert kit.progress(lab, first)["state"] == "complete"


def test_elsewhere(lab):
    """The way that the text tells; also when it is the same place."""
    first = make(lab)
    torrent, seed = linked(lab)
    os.mkdir(lab.path("three"))
    run = lab.btc("get", torrent.path, "-d", lab.path("two"), "--peer",
                  seed.address)
    assert run.code == 13, run
    assert lab.btc("move", "2", lab.path("three"), "--here").code == 0
    assert lab.btc("resume", "2").code == 0
    torrent.check(lab.path("three"))
    same = lab.make_torrent(lab.make_data("seed3/data.bin", SIZE, seed=8),
                            piece_length=LENGTH)
    run = lab.btc("get", same.path, "-d", lab.path("out"), "--peer",
                  seed.address)
    assert run.code == 13 and "torrent 1 " in run.err, run
    assert "--overwrite" not in run.err, run
    first.check(lab.path("out"))


def test_overwritten_data_of_another(lab):
    first = make(lab)
    torrent, seed = linked(lab)
    run = lab.btc("get", torrent.path, "-d", lab.path("two"), "--peer",
                  seed.address, "--overwrite")
    assert run.code == 0, run
    torrent.check(lab.path("two"))
    one = kit.progress(lab, first)
    assert one["pieces_done"] == 0 and one["state"] == "queued", one


def similar(lab, folder="seed2", same=5):
    """A torrent whose first pieces are those of the first one's, and who has
    it."""
    path = lab.make_data(folder + "/other.bin", SIZE, seed=17)
    with open(path, "r+b") as f, open(lab.path("seed/data.bin"), "rb") as data:
        f.write(data.read(same * LENGTH))
    torrent = lab.make_torrent(path, piece_length=LENGTH)
    return torrent, wire.Seeder(torrent, lab.next_ip())


def same_pieces(lab, bring):
    """Pieces of the second torrent are found in the first one's file: nothing
    writes to the rest of it. `bring` leads the one to the other."""
    first = make(lab)
    torrent, seed = similar(lab)
    two = kit.folder(lab, "two")
    bring(lab.path("out/data.bin"), os.path.join(two, "other.bin"))
    for args in (("get", torrent.path, "-d", two, "--peer", seed.address),
                 ("resume", "2"), ("resume", "2")):
        run = lab.btc(*args)
        assert run.code == 13 and "torrent 1 " in run.err, run
        assert "--overwrite" not in run.err and "btc move 2" in run.err, run
        assert not seed.requests
        first.check(lab.path("out"))
    one, two = (kit.progress(lab, t) for t in (first, torrent))
    assert one["state"] == "complete" and two["pieces_done"] == 0, two
    # the way that the text tells
    assert lab.btc("move", "2", kit.folder(lab, "three"), "--here").code == 0
    assert lab.btc("resume", "2").code == 0
    torrent.check(lab.path("three"))
    first.check(lab.path("out"))
    assert lab.btc("verify").code == 0


def test_linked_with_the_same_pieces(lab):
    same_pieces(lab, os.link)


def test_mounted_with_the_same_pieces(lab):
    def mount(old, new):
        open(new, "w").close()
        subprocess.run(["mount", "--bind", old, new], check=True)
        lab.mounts.append(new)
    same_pieces(lab, mount)


def test_folder_linked_with_the_same_pieces(lab):
    def link(old, new):
        os.link(old, os.path.join(os.path.dirname(old), "other.bin"))
        os.rmdir(os.path.dirname(new))
        os.symlink(os.path.dirname(old), os.path.dirname(new))
    same_pieces(lab, link)


def renumber(lab):
    """The drive had another number when the first torrent's rows were
    written: the computer was started again since."""
    link = sqlite3.connect(lab.db)
    with link:
        link.execute("UPDATE file SET dev = dev + 7 WHERE torrent_id = 1")
    link.close()


def test_linked_on_a_drive_with_another_number(lab):
    def bring(old, new):
        renumber(lab)
        os.link(old, new)
    same_pieces(lab, bring)


def test_overwritten_on_a_drive_with_another_number(lab):
    """The text names the other one, and who insists takes its claims away."""
    first = make(lab)
    torrent, seed = linked(lab)
    renumber(lab)
    run = lab.btc("get", torrent.path, "-d", lab.path("two"), "--peer",
                  seed.address)
    assert run.code == 13 and "torrent 1 " in run.err, run
    assert "--overwrite" not in run.err, run
    run = lab.btc("resume", "2", "--overwrite")
    assert run.code == 0, run
    torrent.check(lab.path("two"))
    assert kit.progress(lab, first)["pieces_done"] == 0


def other_length(lab, size):
    """A torrent of another length is given the file of the first one, whose
    claims are gone before it is touched."""
    first = make(lab)
    torrent = lab.make_torrent(lab.make_data("other/other.bin", size, seed=5),
                               piece_length=LENGTH)
    seed = wire.Seeder(torrent, lab.next_ip())
    two = kit.folder(lab, "two")
    os.link(lab.path("out/data.bin"), os.path.join(two, "other.bin"))
    renumber(lab)
    run = lab.btc("get", torrent.path, "-d", two, "--overwrite", "--peer",
                  seed.address)
    assert run.code == 0, run
    torrent.check(two)
    assert kit.progress(lab, first)["pieces_done"] == 0, size


def test_cut_on_a_drive_with_another_number(lab):
    other_length(lab, SIZE // 2)


def test_extended_on_a_drive_with_another_number(lab):
    other_length(lab, SIZE * 2)


def test_killed_before_it_writes_over(lab):
    """The claims of the other are gone at whatever place a run is killed that
    was to write over the file of both."""
    first = make(lab)
    torrent = lab.make_torrent(lab.make_data("other/other.bin", SIZE // 2,
                                             seed=5), piece_length=LENGTH)
    two = kit.folder(lab, "two")
    os.link(lab.path("out/data.bin"), os.path.join(two, "other.bin"))
    run = lab.btc("add", torrent.path, "-d", two)
    assert run.code == 0, run
    for nth in range(1, 300):
        run = kit.killed_at(lab, nth, "resume", "2", "--overwrite",
                            "--stall-timeout", "1s", codes=(7,))
        assert claims(lab) <= len(first.good_pieces(lab.path("out"))), nth
        if os.stat(lab.path("out/data.bin")).st_size != SIZE:
            break
    assert run.code < 0 and claims(lab) == 0, run


def test_shared_on_a_drive_with_another_number(lab):
    """Two torrents have one file, which a mount leads to as well: a removal
    leaves it to the other, whose rows know the drive by an older number."""
    first = make(lab)
    same = lab.make_torrent(lab.path("seed/data.bin"), piece_length=65536)
    two = kit.folder(lab, "two")
    subprocess.run(["mount", "--bind", lab.path("out"), two], check=True)
    lab.mounts.append(two)
    assert lab.btc("get", same.path, "-d", two).code == 0
    renumber(lab)
    assert lab.btc("rm", "--data", "-y", "2").code == 0
    first.check(lab.path("out"))
    assert not lab.sql("SELECT 1 FROM torrent WHERE id = 2")


def test_number_of_another_drive(lab):
    """The same inode on another drive, and what was there is gone: it is no
    sign of anybody, although the file has one more name."""
    first = make(lab)
    torrent, seed = similar(lab)
    two = kit.folder(lab, "two")
    shutil.copy(lab.path("out/data.bin"), os.path.join(two, "other.bin"))
    os.link(os.path.join(two, "other.bin"), os.path.join(two, "name"))
    os.unlink(lab.path("out/data.bin"))
    link = sqlite3.connect(lab.db)
    with link:
        link.execute("UPDATE file SET dev = dev + 7, ino = ?",
                     (os.stat(os.path.join(two, "other.bin")).st_ino,))
    link.close()
    run = lab.btc("get", torrent.path, "-d", two, "--peer", seed.address)
    assert run.code == 0, run
    torrent.check(two)
    assert kit.progress(lab, first)["id"] == 1


def test_linked_to_one_moved_away(lab):
    """The other one's folder is elsewhere meanwhile: its data is, too."""
    first = make(lab)
    torrent, seed = similar(lab)
    two = kit.folder(lab, "two")
    os.link(lab.path("out/data.bin"), os.path.join(two, "other.bin"))
    os.rename(lab.path("out"), lab.path("away"))
    run = lab.btc("get", torrent.path, "-d", two, "--peer", seed.address)
    assert run.code == 13 and "torrent 1 " in run.err, run
    first.check(lab.path("away"))


def test_linked_to_one_that_is_served(lab):
    """And while the other one is served, nobody waits for it to end."""
    first = make(lab)
    assert lab.btc("set", "1", "seed=forever").code == 0
    torrent, seed = similar(lab)
    two = kit.folder(lab, "two")
    os.link(lab.path("out/data.bin"), os.path.join(two, "other.bin"))
    daemon = lab.start_btc("daemon", "--journal-interval", "50")
    lab.wait(lambda: kit.progress(lab, first)["state"] == "seeding")
    assert lab.btc("add", torrent.path, "-d", two, "--peer",
                   seed.address).code == 0
    lab.wait(lambda: "torrent 1 " in (kit.progress(lab, torrent)["error"] or
                                      ""))
    assert kit.progress(lab, torrent)["state"] == "error"
    assert daemon.stop() == 0, daemon.err()
    first.check(lab.path("out"))


def test_linked_to_half_of_another(lab):
    """The other one is paused with nothing but blocks of an unfinished piece,
    and goes on afterwards."""
    first = half(lab)
    blocks = len(lab.sql("SELECT 1 FROM block"))
    data = lab.make_data("seed2/other.bin", SIZE, seed=17)
    with open(data, "r+b") as f, open(lab.path("seed/data.bin"), "rb") as g:
        f.write(g.read(4 * 16384))
    torrent = lab.make_torrent(data, piece_length=16384)
    seed = wire.Seeder(torrent, lab.next_ip())
    assert lab.btc("pause", "1").code == 0
    two = kit.folder(lab, "two")
    os.link(lab.path("out/data.bin"), os.path.join(two, "other.bin"))
    run = lab.btc("get", torrent.path, "-d", two, "--peer", seed.address)
    assert run.code == 13 and "torrent 1 " in run.err, run
    assert len(lab.sql("SELECT 1 FROM block WHERE torrent_id = 1")) == blocks
    assert lab.btc("start", "1").code == 0
    assert lab.btc("resume", "1").code == 0
    first.check(lab.path("out"))
    assert kit.progress(lab, first)["wasted"] == 0


def test_linked_and_longer(lab):
    """Nobody is told to cut a file that another torrent has, by whatever
    command; one that nobody else has may be."""
    first = make(lab)
    torrent = lab.make_torrent(
        lab.make_data("seed2/other.bin", SIZE - 5000, seed=7),
        piece_length=LENGTH)
    two = kit.folder(lab, "two")
    other = os.path.join(two, "other.bin")
    os.link(lab.path("out/data.bin"), other)
    assert lab.btc("add", torrent.path, "-d", two).code == 0
    for renumbered in (False, True):
        if renumbered:
            renumber(lab)
        for command in ("verify", "resume"):
            run = lab.btc(command, "2")
            assert run.code == 13 and "torrent 1 " in run.err, run
            assert "--overwrite" not in run.err, run
    first.check(lab.path("out"))
    shutil.copy(other, lab.path("copy"))
    os.replace(lab.path("copy"), other)
    for command in ("verify", "resume"):
        run = lab.btc(command, "2")
        assert run.code == 13 and "longer" in run.err, run
        assert "--overwrite" in run.err and "torrent 1 " not in run.err, run


def test_linked_to_what_was_removed(lab):
    """Without its data: that is nobody's any more, and taken over."""
    make(lab)
    torrent, seed = similar(lab)
    two = kit.folder(lab, "two")
    os.link(lab.path("out/data.bin"), os.path.join(two, "other.bin"))
    assert lab.btc("rm", "-y", "1").code == 0
    run = lab.btc("get", torrent.path, "-d", two, "--peer", seed.address)
    assert run.code == 0, run
    torrent.check(two)


def test_linked_and_whole(lab):
    """Nothing is to be written: both torrents have the file."""
    first = make(lab)
    same = lab.make_torrent(lab.path("seed/data.bin"), piece_length=65536)
    two = kit.folder(lab, "two")
    os.link(lab.path("out/data.bin"), os.path.join(two, "data.bin"))
    inode = os.stat(lab.path("out/data.bin")).st_ino
    run = lab.btc("get", same.path, "-d", two)
    assert run.code == 0, run
    assert lab.btc("verify").code == 0
    for t in (first, same):
        assert kit.progress(lab, t)["state"] == "complete"
    assert os.stat(os.path.join(two, "data.bin")).st_ino == inode


PORT = 6990
OURS = "10.77.0.20"


def spoiled(lab, bring):
    """A file that is whole and served is written to by somebody; what a peer
    asks for shows it. Both torrents, who has the data, what stands in the file
    then, and the row when the second one has mended it or given up."""
    first = make(lab)
    same = lab.make_torrent(lab.path("seed/data.bin"), piece_length=65536)
    seed = wire.Seeder(same, lab.next_ip())
    two = kit.folder(lab, "two")
    bring(lab.path("out/data.bin"), os.path.join(two, "data.bin"))
    run = lab.btc("get", same.path, "-d", two, "--peer", seed.address)
    assert run.code == 0 and not seed.requests, run
    assert lab.btc("pause", "1").code == 0
    assert lab.btc("set", "2", "seed=forever").code == 0
    daemon = lab.start_btc("daemon", "--journal-interval", "50", "--port",
                           str(PORT), ip=OURS)
    lab.wait(lambda: kit.progress(lab, same)["state"] == "seeding")
    with open(os.path.join(two, "data.bin"), "r+b") as f:
        f.seek(3 * 65536)
        f.write(b"somebody else's")
    mine = read(os.path.join(two, "data.bin"))
    peer = wire.connect(OURS, PORT, same)
    peer.send(wire.INTERESTED)
    peer.wait_for(wire.UNCHOKE)
    peer.request(3, 0)
    good = read(lab.path("seed/data.bin"))
    lab.wait(lambda: kit.progress(lab, same)["state"] == "error"
             or read(os.path.join(two, "data.bin")) == good)
    row = kit.progress(lab, same)
    peer.close()
    assert daemon.stop() == 0, daemon.err()
    return first, same, seed, mine, row


def test_spoiled_and_linked(lab):
    """The torrent that is at rest has the file as well: nothing mends it."""
    first, same, seed, mine, row = spoiled(lab, os.link)
    assert row["state"] == "error" and "torrent 1 " in row["error"], row
    assert "piece 3 " in row["error"], row
    assert read(lab.path("out/data.bin")) == mine
    # no more is claimed than is there, and the text is the same next time
    assert not lab.sql("SELECT 1 FROM piece WHERE torrent_id = 2"
                       " AND piece = 3")
    run = lab.btc("resume", "2")
    assert run.code == 13 and "torrent 1 " in run.err, run
    assert read(lab.path("out/data.bin")) == mine
    assert kit.progress(lab, first)["id"] == 1


def test_spoiled_and_alone(lab):
    """It is mended when nobody else has it."""
    _, same, seed, _, row = spoiled(lab, shutil.copy)
    assert row["state"] != "error", row
    assert {r[0] for r in seed.requests} == {3}
    same.check(lab.path("two"))


def test_number_given_anew(lab):
    """The number of a file that is gone is another's now: nobody is in the
    way."""
    first = make(lab)
    torrent = lab.make_torrent(lab.make_data("seed2/other.bin", SIZE, seed=7),
                               piece_length=LENGTH)
    two = kit.folder(lab, "two")
    seed = wire.Slow(torrent, lab.next_ip())
    run = lab.start_btc("get", torrent.path, "-d", two, "--peer",
                        seed.address, "--journal-interval", "50")
    lab.wait(lambda: len(lab.sql(
        "SELECT 1 FROM piece WHERE torrent_id = 2")) > 2)
    assert run.stop() == 7, run.err()
    os.unlink(lab.path("out/data.bin"))
    now = os.stat(os.path.join(two, "other.bin"))
    link = sqlite3.connect(lab.db)
    with link:
        link.execute("UPDATE file SET dev = ?, ino = ? WHERE torrent_id = 1",
                     (now.st_dev, now.st_ino))
    link.close()
    seed.pause = 0
    assert lab.btc("resume", "2").code == 0
    torrent.check(two)
    assert kit.progress(lab, first)["id"] == 1


def test_linked_while_it_runs(lab):
    """The second name takes the place of the torrent's own file."""
    first = make(lab)
    torrent, seed = similar(lab)
    seed.close()
    slow = wire.Slow(torrent, lab.next_ip())
    two = kit.folder(lab, "two")
    run = lab.start_btc("get", torrent.path, "-d", two, "--peer",
                        slow.address, "--journal-interval", "50")
    lab.wait(lambda: len(lab.sql(
        "SELECT 1 FROM piece WHERE torrent_id = 2")) > 2)
    os.link(lab.path("out/data.bin"), lab.path("name"))
    os.rename(lab.path("name"), os.path.join(two, "other.bin"))
    slow.pause = 0
    code = run.wait()
    assert code == 13 and "torrent 1 " in run.err(), run.err()
    first.check(lab.path("out"))


def test_own_files_linked(lab):
    """Two files of one torrent are one on disk: no write to the one loses what
    is claimed of the other."""
    for name, seed in (("a", 5), ("b", 6)):
        lab.make_data("seed/twins/" + name, 27 * LENGTH, seed=seed)
    torrent = lab.make_torrent(lab.path("seed/twins"), piece_length=LENGTH)
    kit.folder(lab, "out", "twins")
    shutil.copy(lab.path("seed/twins/a"), lab.path("out/twins/a"))
    run = lab.btc("get", torrent.path, "-d", lab.path("out"), "--select",
                  "1")
    assert run.code == 0, run
    os.link(lab.path("out/twins/a"), lab.path("out/twins/b"))
    assert lab.btc("set", "1", "priority.2=normal").code == 0
    run = lab.btc("resume", "--max-time", "10s")
    assert run.code == 13 and "same torrent" in run.err, run
    assert "--overwrite" not in run.err, run
    assert read(lab.path("out/twins/a")) == read(lab.path("seed/twins/a"))


def test_taken_over(lab):
    """A copy of the data is the torrent's when a piece of it is found there."""
    torrent = make(lab)
    replace(lab, head=5 * LENGTH)
    assert lab.btc("verify").code == 8
    assert kit.progress(lab)["pieces_done"] == 5
    assert lab.btc("resume").code == 0
    torrent.check(lab.path("out"))
    assert lab.btc("rm", "--data", "-y", "1").code == 0
    assert not os.path.exists(lab.path("out/data.bin"))


def half(lab):
    """Blocks of unfinished pieces alone are here: one piece is larger than what
    came of it. The torrent, and who has it."""
    torrent = lab.make_torrent(lab.make_data("seed/data.bin", 3_000_000),
                               piece_length=2 << 20)
    seed = wire.Slow(torrent, lab.next_ip())
    run = lab.start_btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                        "--peer", seed.address, "--journal-interval", "50")
    lab.wait(lambda: len(lab.sql("SELECT 1 FROM block")) > 10)
    assert run.stop() == 7, run.err()
    assert claims(lab) == 0
    seed.pause = 0
    return torrent


def copied(lab, copy):
    """The user has copied it to another disk and back."""
    torrent = half(lab)
    blocks = len(lab.sql("SELECT 1 FROM block"))
    path = lab.path("out/data.bin")
    ino = os.stat(path).st_ino
    copy(path, lab.path("mine"))
    os.replace(lab.path("mine"), path)
    assert os.stat(path).st_ino != ino
    run = lab.btc("resume")
    assert run.code == 0, run
    torrent.check(lab.path("out"))
    left = torrent.size - (blocks - 1) * 16384
    assert kit.progress(lab)["wasted"] == 0, kit.progress(lab)
    told = lab.sql("SELECT downloaded FROM torrent_stat")[0][0]
    assert told <= torrent.size + 16384 and left < torrent.size, told


def test_copy(lab):
    copied(lab, shutil.copyfile)


def test_copy_with_times(lab):
    copied(lab, shutil.copy2)


def refused(lab):
    """A piece and blocks of the next one are here when a stranger's file takes
    the place, and is refused. The torrent, and how much is here."""
    torrent = lab.make_torrent(lab.make_data("seed/data.bin", 3_000_000),
                               piece_length=1 << 20)
    seed = wire.Slow(torrent, lab.next_ip())
    run = lab.start_btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                        "--peer", seed.address, "--journal-interval", "50",
                        "--sequential")
    lab.wait(lambda: claims(lab) and len(lab.sql("SELECT 1 FROM block")) > 5)
    assert run.stop() == 7, run.err()
    blocks = len(lab.sql("SELECT 1 FROM block"))
    assert blocks > 5 and claims(lab) == 1
    os.rename(lab.path("out/data.bin"), lab.path("kept"))
    lab.make_data("out/data.bin", 3_000_000, seed=99)
    for _ in range(2):
        run = lab.btc("resume", "--max-time", "10s")
        assert run.code == 13 and "--overwrite" in run.err, run
        row = kit.progress(lab)
        assert claims(lab) == 0 and row["pieces_done"] == 0, row
        assert row["bytes_done"] == 0, row
    seed.pause = 0
    return torrent, (1 << 20) + (blocks - 1) * 16384


def fetched(lab, torrent, at_most):
    """It goes on, to its end, and nothing is fetched in vain."""
    before = kit.progress(lab)["downloaded"]
    run = lab.btc("resume")
    assert run.code == 0, run
    torrent.check(lab.path("out"))
    row = kit.progress(lab)
    assert row["wasted"] == 0 and row["downloaded"] - before <= at_most, row


def test_put_back(lab):
    """The stranger's file is moved away and the torrent's own put back: all
    that it holds is known again."""
    torrent, here = refused(lab)
    os.rename(lab.path("kept"), lab.path("out/data.bin"))
    fetched(lab, torrent, torrent.size - here)


def test_put_back_after_a_look(lab):
    torrent, here = refused(lab)
    assert lab.btc("verify").code == 13
    os.rename(lab.path("kept"), lab.path("out/data.bin"))
    assert lab.btc("verify").code == 8
    fetched(lab, torrent, torrent.size - here)


def test_refused_and_moved_away(lab):
    """Only that: it begins anew, as the text says."""
    torrent, _ = refused(lab)
    os.unlink(lab.path("out/data.bin"))
    fetched(lab, torrent, torrent.size)


def test_refused_and_overwritten(lab):
    torrent, _ = refused(lab)
    assert lab.btc("resume", "--overwrite").code == 0
    torrent.check(lab.path("out"))
    assert kit.progress(lab)["wasted"] == 0


def test_overwritten_at_once(lab):
    """Blocks of the file that was there are not looked for in the other."""
    torrent = half(lab)
    os.unlink(lab.path("out/data.bin"))
    lab.make_data("out/data.bin", 3_000_000, seed=99)
    assert lab.btc("resume", "--overwrite").code == 0
    torrent.check(lab.path("out"))
    assert kit.progress(lab)["wasted"] == 0


def test_no_copy_of_half(lab):
    """One byte where nothing has come yet is somebody's."""
    half(lab)
    path = lab.path("out/data.bin")
    shutil.copyfile(path, lab.path("mine"))
    with open(lab.path("mine"), "r+b") as f:
        f.seek(lab.sql("SELECT max(piece * 128 + block) + 1 FROM block"
                       )[0][0] * 16384)
        f.write(b"x")
    mine = read(lab.path("mine"))
    os.replace(lab.path("mine"), path)
    run = lab.btc("resume", "--max-time", "5s")
    assert run.code == 13, run
    assert read(path) == mine


def test_not_moved(lab):
    torrent = make(lab)
    os.rename(lab.path("out/data.bin"), lab.path("kept"))
    shutil.copy2(lab.path("kept"), lab.path("mine"))
    mine = replace(lab)
    run = lab.btc("move", "1", kit.folder(lab, "new"))
    assert run.code == 13 and "btc verify 1" in run.err, run
    assert os.listdir(lab.path("new")) == []
    assert read(lab.path("out/data.bin")) == mine
    assert kit.progress(lab)["save_path"] == lab.path("out")
    # a copy of the data is moved once btc knows it
    os.replace(lab.path("kept"), lab.path("out/data.bin"))
    os.rename(lab.path("out/data.bin"), lab.path("kept"))
    shutil.copy2(lab.path("kept"), lab.path("out/data.bin"))
    run = lab.btc("move", "1", lab.path("new"))
    assert run.code == 13, run
    assert lab.btc("verify").code == 0
    assert lab.btc("move", "1", lab.path("new")).code == 0
    torrent.check(lab.path("new"))


def test_not_onto_the_journal(lab):
    """No file of the database is payload, wherever a torrent is moved to."""
    torrent = lab.make_torrent(lab.make_data("seed/btc.db-journal", SIZE),
                               piece_length=LENGTH)
    shutil.copytree(lab.path("seed"), lab.path("out"))
    kit.get(lab, torrent)
    for way in ((), ("--here",)):
        run = lab.btc("move", "1", lab.dir, *way)
        assert run.code == 13 and "own database" in run.err, run
    torrent.check(lab.path("out"))
    assert kit.progress(lab)["save_path"] == lab.path("out")


def left_by_a_kill(lab, switched):
    """The rows of a move to another drive whose program is gone: the copy is
    made. (They may come from a backup, too.)"""
    far = lab.mount_tmpfs("far", 16 << 20)
    old, new = lab.path("out/data.bin"), os.path.join(far, "data.bin")
    shutil.copy2(old, new)
    was, now = os.stat(old), os.stat(new)
    link = sqlite3.connect(lab.db)
    with link:
        link.execute(
            "INSERT INTO move (torrent_id, from_path, to_path, wanted, starts,"
            " switched, pid, boot_id) SELECT 1, ?, ?, 'run', starts, ?, 1, 'x'"
            " FROM torrent", (lab.path("out"), far, switched))
        link.execute("INSERT INTO move_file VALUES (1, 0, 'data.bin', ?, ?, ?,"
                     " ?)", (was.st_dev, was.st_ino, now.st_dev, now.st_ino))
        if switched:
            link.execute("UPDATE torrent SET save_path = ?", (far,))
    link.close()
    return old, new


def test_only_copy_stays(lab):
    """A move that is undone when the old data has gone leaves the new."""
    make(lab)
    old, new = left_by_a_kill(lab, 0)
    os.unlink(old)
    lab.btc("verify")
    assert not lab.sql("SELECT 1 FROM move")
    assert read(new) == read(lab.path("seed/data.bin"))


def test_undone(lab):
    """And else it does not."""
    make(lab)
    old, new = left_by_a_kill(lab, 0)
    assert lab.btc("verify").code == 0
    assert os.path.exists(old) and not os.path.exists(new)


def test_written_to_while_it_moved(lab):
    """What somebody has written to the old file since it was copied stays."""
    make(lab)
    old, new = left_by_a_kill(lab, 1)
    with open(old, "r+b") as f:
        f.write(b"mine")
    lab.btc("verify")
    assert not lab.sql("SELECT 1 FROM move")
    assert read(old)[:4] == b"mine" and os.path.exists(new)


lab_module.main(__name__)
