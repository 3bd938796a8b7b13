#!/usr/bin/python3
"""The drive of the database does not answer, or that of a .torrent that is to
be kept: a run ends in a bounded time, says what is not saved, and loses nothing
that was."""
import contextlib
import os
import signal
import sqlite3

import kit
import lab as lab_module
import wire

LENGTH = 32768
WAITS = 60


def environment(lab, folder):
    return {"LD_PRELOAD": kit.library("BTC_HANG"), "BTC_HANG_DIR": folder,
            "BTC_HANG_FLAG": lab.path("flag")}


def hang(lab):
    with open(lab.path("flag"), "w", encoding="ascii"):
        pass


def test_silent_journal(lab):
    torrent = lab.make_torrent(lab.make_data("seed/data.bin", 6_000_001),
                               piece_length=LENGTH)
    seed = wire.Slow(torrent, lab.next_ip())
    db = lab.path("state", "my.db")
    run = lab.start_btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                        "--peer", seed.address, "--journal-interval", "50",
                        db=db, env=environment(lab, lab.path("state", "")))

    def pieces():
        return len(lab.sql("SELECT 1 FROM piece", db=db))
    lab.wait(lambda: pieces() > 5, WAITS, "pieces")
    hang(lab)
    lab.wait(lambda: "the drive of the database has not answered" in run.err(),
             WAITS, "a word of it")
    saved = pieces()
    run.signal(signal.SIGINT)
    lab.wait(lambda: "a second ^C ends without it" in run.err(), WAITS,
             "an advice")
    run.signal(signal.SIGINT)
    assert run.wait(WAITS) == 11, run.err()
    assert "pieces are not journaled" in run.err(), run.err()
    os.unlink(lab.path("flag"))
    assert pieces() >= saved
    seed.pause = 0
    assert lab.btc("resume", db=db).code == 0
    torrent.check(lab.path("out"))
    assert pieces() == torrent.piece_count


def magnet(lab):
    """A run of a magnet whose .torrent goes to a drive that hangs."""
    env = environment(lab, lab.path("kept", ""))
    _, torrent, seeds = kit.swarm(lab, "libtorrent", up_limit=400)
    hang(lab)
    run = lab.start_btc(
        "get", torrent.magnet(peers=[f"{seeds[0].ip}:{seeds[0].port}"]), "-d",
        kit.folder(lab, "out"), "--save-torrent", lab.path("kept", "x.torrent"),
        "--journal-interval", "50", env=env)
    lab.wait(lambda: len(lab.sql("SELECT 1 FROM piece")) > 3, WAITS,
             "pieces in the journal, although the .torrent cannot be written")
    assert not os.path.exists(lab.path("kept", "x.torrent"))
    return torrent, run


def test_keeps_torrent(lab):
    torrent, run = magnet(lab)
    os.unlink(lab.path("flag"))
    assert run.wait(WAITS) == 0, run.err()
    torrent.check(lab.path("out"))
    run = lab.btc("info", lab.path("kept", "x.torrent"), "--json")
    assert run.json()["info_hash_v1"] == torrent.info_hash, run


def test_leaves_torrent(lab):
    torrent, run = magnet(lab)
    run.signal(signal.SIGINT)
    lab.wait(lambda: "a second ^C ends without it" in run.err(), WAITS,
             "an advice")
    run.signal(signal.SIGINT)
    assert run.wait(WAITS) == 7, run.err()
    assert lab.sql("SELECT 1 FROM log WHERE kind = 'torrent-not-kept' AND"
                   " text LIKE '%x.torrent does not answer%'")
    os.unlink(lab.path("flag"))
    keeps_later(lab, torrent)


def keeps_later(lab, torrent):
    """The next run keeps it, and owes it no more."""
    run = lab.btc("resume")
    assert run.code == 0, run
    torrent.check(lab.path("out"))
    path = lab.path("kept", "x.torrent")
    assert lab.btc("info", path, "--json").json()["info_hash_v1"] == \
        torrent.info_hash
    run = lab.btc("resume")
    assert "nothing to resume" in run.err, run
    os.unlink(path)
    assert lab.btc("resume").code == 0 and not os.path.exists(path)


def test_killed_before_it_is_kept(lab):
    torrent, run = magnet(lab)
    run.kill()
    os.unlink(lab.path("flag"))
    keeps_later(lab, torrent)


def test_killed_before_that_is_known(lab):
    """The file stands there, and the journal does not say so; or somebody has
    another one in its place, who is told once."""
    torrent, run = magnet(lab)
    os.unlink(lab.path("flag"))
    assert run.wait(WAITS) == 0, run.err()
    path = lab.path("kept", "x.torrent")
    for content in None, b"mine":
        if content:
            with open(path, "wb") as f:
                f.write(content)
        with contextlib.closing(sqlite3.connect(lab.db)) as link:
            with link:
                link.execute("UPDATE torrent_stat SET keep_owed = ?", (path,))
        assert lab.btc("resume").code == 0
        assert "nothing to resume" in lab.btc("resume").err
        told = lab.sql("SELECT 1 FROM log WHERE kind = 'torrent-not-kept'")
        assert len(told) == (1 if content else 0), told
    with open(path, "rb") as f:
        assert f.read() == b"mine"


lab_module.main(__name__)
