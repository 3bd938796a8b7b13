#!/usr/bin/python3
"""What is refused claims nothing: a torrent that cannot go on because of what
somebody put in the place of a file, and one of which a part was deleted."""
import os
import shutil
import socket
import sys

import kit
import lab

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "power"))
from seeder import Seeder  # noqa: E402


def setup(lab, rate=500_000):
    for k, size in enumerate((300_000, 700_000)):
        lab.make_data(f"seed/two/f{k}", size, seed=k)
    t = lab.make_torrent(lab.path("seed/two"), piece_length=32768)
    return t, Seeder(t, rate=rate)


def begin(lab, t, seeder, *args):
    """A run of which pieces of both files are here."""
    run = lab.start_btc("get", t.path, "-d", kit.folder(lab, "out"), "--peer",
                        seeder.address, "--journal-interval", "50", *args)
    wait_pieces(lab)
    return run


def wait_pieces(lab):
    """Some of each file, and not all."""
    lab.wait(lambda: claimed(lab, 0) and claimed(lab, 1) and
             len(lab.sql("SELECT 1 FROM piece")) > 9, 60, "pieces")


def claimed(lab, file):
    """Bytes of it, as the rows say."""
    return [r["bytes_done"] for r in lab.sql(
        "SELECT bytes_done FROM file_progress WHERE file = ?", file)] > [0]


def state(lab):
    return kit.progress(lab)["state"]


def is_refused(lab, t, run, what):
    assert run.code == 13 and what in run.err, run
    assert "move that away" in run.err, run
    assert state(lab) == "error"
    kit.claims_hold(lab, t)
    assert not claimed(lab, 0)


def put_folder(path):
    os.makedirs(os.path.join(path, "mine"))


def put_socket(path):
    here = os.getcwd()
    os.chdir(os.path.dirname(path))  # a name of 108 bytes at most
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(os.path.basename(path))
    os.chdir(here)


def put_link(path):
    os.symlink("nowhere", path)


def put_circle(path):
    os.symlink(os.path.basename(path), path)


THINGS = ((put_folder, "is a folder"), (os.mkfifo, "is not a regular file"),
          (put_socket, "is not a regular file"), (put_link, "is a link"),
          (put_circle, "is a link"))


def test_between_runs(lab):
    """It was there and is something else now."""
    t, seeder = setup(lab)
    begin(lab, t, seeder).stop()
    path = lab.path("out/two/f0")
    os.rename(path, lab.path("mine"))
    for put, what in THINGS:
        put(path)
        is_refused(lab, t, lab.btc("resume"), what)
        assert claimed(lab, 1)
        assert lab.btc("verify").code == 13
        assert kit.claims_hold(lab, t)
        os.rename(path, lab.path("gone", put.__name__))
    os.rename(lab.path("mine"), path)
    seeder.rate = 0
    assert lab.btc("resume").code == 0
    t.check(lab.path("out"))


def test_while_it_runs(lab):
    """A run in the foreground says so and ends; a daemon, too."""
    for put, what in THINGS[:4]:
        t, seeder = setup(lab)
        run = begin(lab, t, seeder)
        path = lab.path("out/two/f0")
        os.rename(path, lab.path("mine"))
        put(path)
        code = run.wait(60)
        is_refused(lab, t, lab_run(code, run), what)
        assert lab.btc("rm", "-y", "two").code == 0
        shutil.rmtree(lab.path("out"))


def lab_run(code, program):
    return lab.Run(code, program.out(), program.err(), 0)


def test_daemon(lab):
    t, seeder = setup(lab)
    run = lab.btc("add", t.path, "-d", kit.folder(lab, "out"), "--seed", "none",
                  "--peer", seeder.address)
    assert run.code == 0, run
    daemon = lab.start_btc("daemon", "--journal-interval", "50")
    wait_pieces(lab)
    path = lab.path("out/two/f0")
    os.rename(path, lab.path("mine"))
    put_folder(path)
    lab.wait(lambda: state(lab) == "error", 60, "the folder to be refused")
    assert "move that away" in kit.progress(lab)["error"]
    assert not claimed(lab, 0) and kit.claims_hold(lab, t)
    shutil.rmtree(path)
    seeder.rate = 0
    assert lab.btc("start", "two").code == 0
    lab.wait(lambda: state(lab) == "complete", 60)
    t.check(lab.path("out"))
    assert daemon.stop() == 0, daemon.err()


def test_another_file_changed(lab):
    """One file is refused before the other, which somebody changed, is hashed.
    """
    t, seeder = setup(lab)
    begin(lab, t, seeder).stop()
    for k, size in enumerate((400_000, 700_000)):
        with open(lab.path(f"out/two/f{k}"), "r+b") as f:
            f.write(bytes(size - 50_000 * k))
    run = lab.btc("resume")
    assert run.code == 13 and "is longer" in run.err, run
    assert kit.claims_hold(lab, t) <= {t.piece_count - 1, t.piece_count - 2}
    seeder.rate = 0
    assert lab.btc("resume", "--overwrite").code == 0
    t.check(lab.path("out"))


def test_good_pieces_are_found_again(lab):
    """Nothing is fetched twice because of a refusal."""
    t, seeder = setup(lab)
    begin(lab, t, seeder).stop()
    good = kit.claims_hold(lab, t)
    os.truncate(lab.path("out/two/f0"), 300_001)
    os.utime(lab.path("out/two/f1"))
    assert lab.btc("resume").code == 13
    assert not lab.sql("SELECT 1 FROM piece")
    os.truncate(lab.path("out/two/f0"), 300_000)
    seeder.forget()
    seeder.rate = 0
    assert lab.btc("resume").code == 0
    t.check(lab.path("out"))
    assert not good & {a.piece for a in seeder.forget()[0]}


def half_deleted(lab, t, remove):
    """A file that grew stays; the other one goes, and what was claimed."""
    os.truncate(lab.path("out/two/f0"), 400_000)
    remove()
    assert os.listdir(lab.path("out/two")) == ["f0"]
    row = kit.progress(lab)
    assert row["bytes_done"] == 0 and row["pieces_done"] == 0, row
    assert row["state"] != "complete" and not kit.claims_hold(lab, t), row
    os.truncate(lab.path("out/two/f0"), 300_000)


def test_starting_over_in_vain(lab):
    """All is lost, that is accepted, and something stands in the place of a
    file: what is forgotten is not counted any more."""
    t, seeder = setup(lab)
    begin(lab, t, seeder).stop()
    shutil.rmtree(lab.path("out/two"))
    assert lab.btc("resume").code == 11
    put_folder(lab.path("out/two/f0"))
    run = lab.btc("resume", "--accept-loss")
    assert run.code == 13, run
    row = kit.progress(lab)
    assert not lab.sql("SELECT 1 FROM piece")
    assert row["pieces_done"] == row["bytes_done"] == 0, row
    assert not claimed(lab, 0) and not claimed(lab, 1)
    shutil.rmtree(lab.path("out/two/f0"))
    seeder.rate = 0
    assert lab.btc("resume").code == 0
    t.check(lab.path("out"))
    kit.is_complete(lab, t)


def test_half_deleted(lab):
    t, seeder = setup(lab, rate=0)
    kit.get(lab, t, "--peer", seeder.address)

    def remove():
        run = lab.btc("rm", "--data", "-y", "two")
        assert run.code == 13 and "move it away" in run.err, run
    half_deleted(lab, t, remove)
    assert lab.btc("resume").code == 0
    t.check(lab.path("out"))
    assert lab.btc("rm", "--data", "-y", "two").code == 0
    assert os.listdir(lab.path("out")) == []


def test_half_deleted_by_an_engine(lab):
    t, seeder = setup(lab, rate=0)
    kit.get(lab, t, "--peer", seeder.address)
    assert lab.btc("set", "two", "seed=forever").code == 0
    daemon = lab.start_btc("daemon")
    lab.wait(lambda: state(lab) == "seeding")

    def remove():
        assert lab.btc("rm", "--data", "-y", "two").code == 0
        lab.wait(lambda: state(lab) == "error")
    half_deleted(lab, t, remove)
    assert lab.btc("start", "two").code == 0
    lab.wait(lambda: state(lab) == "seeding")
    t.check(lab.path("out"))
    assert daemon.stop() == 0, daemon.err()


if __name__ == "__main__":
    lab.main(__name__)
