#!/usr/bin/python3
"""A drive that does not answer: a cause with a since-when, nothing to others,
and no reason not to end."""
import os
import signal

import kit
import lab as lab_module
import wire

LENGTH = 65536
WAITS = 60


def swarm(lab, name, out, pause):
    """A torrent of its own, with a seed that takes its time."""
    source = lab.make_data(f"seed/{name}", 6_000_001, seed=len(name))
    torrent = lab.make_torrent(source, piece_length=LENGTH)
    seed = wire.Slow(torrent, lab.next_ip())
    seed.pause = pause
    assert lab.btc("add", torrent.path, "-d", out, "--peer",
                   seed.address).code == 0
    return torrent, seed


def row(lab, id):
    return lab.sql("SELECT * FROM progress WHERE id = ?", id)[0]


def log(lab, text):
    return lab.sql("SELECT * FROM log WHERE kind = 'storage' AND text LIKE ?",
                   f"%{text}%")


def test_silent_drive(lab):
    drive = lab.mount_tmpfs("drive", "64m")
    flag = lab.path("flag")
    hung, slow = swarm(lab, "hung", drive, 0.05)
    fine, quick = swarm(lab, "fine!", kit.folder(lab, "out"), 0.05)
    daemon = lab.start_btc("daemon", env={
        "LD_PRELOAD": kit.library("BTC_HANG"), "BTC_HANG_DIR": drive,
        "BTC_HANG_FLAG": flag})
    lab.wait(lambda: row(lab, 1)["pieces_done"] > 2 and
             row(lab, 2)["pieces_done"] > 2, WAITS, "pieces of both")

    with open(flag, "w", encoding="ascii"):
        pass
    quick.pause = 0
    lab.wait(lambda: row(lab, 2)["percent"] == 100.0, WAITS,
             "the other drive's torrent")
    lab.wait(lambda: lab.sql("SELECT 1 FROM storage_list"), WAITS, "a cause")
    assert row(lab, 1)["state"] == "waiting-storage", row(lab, 1)
    assert row(lab, 2)["state"] != "waiting-storage", row(lab, 2)
    lab.wait(lambda: log(lab, f"the drive of {drive} has not answered for"),
             WAITS, "a log row")
    why = lab.btc("why", "1")
    assert f"the drive of {drive} has not answered for" in why.out, why

    os.unlink(flag)
    lab.wait(lambda: not lab.sql("SELECT 1 FROM storage_list"), WAITS, "an end")
    lab.wait(lambda: log(lab, f"the drive of {drive} answers again"), WAITS,
             "a log row of the end")
    begun = row(lab, 1)["pieces_done"]
    lab.wait(lambda: row(lab, 1)["pieces_done"] > begun and
             row(lab, 1)["state"] == "downloading", WAITS, "more pieces")

    with open(flag, "w", encoding="ascii"):
        pass
    served = slow.served
    lab.wait(lambda: slow.served > served + 8, WAITS, "unsaved blocks")
    daemon.signal(signal.SIGTERM)
    daemon.signal(signal.SIGTERM)
    code = daemon.wait(WAITS)
    assert code == 11, (code, daemon.err())
    assert f"the drive of {drive} has not answered for" in daemon.err(), \
        daemon.err()
    assert "of hung are not saved" in daemon.err(), daemon.err()
    assert lab.sql("SELECT ended_at FROM run ORDER BY id DESC")[0]["ended_at"]
    assert not lab.sql("SELECT 1 FROM storage_list")

    os.unlink(flag)
    slow.pause = 0
    run = lab.btc("resume", "1")
    assert run.code == 0, run
    hung.check(drive)
    fine.check(lab.path("out"))


lab_module.main(__name__)
