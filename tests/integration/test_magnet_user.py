#!/usr/bin/env python3
"""Magnets as a person uses them: what they hold, what is wished of them before
that is known, the .torrent that is kept."""
import os

import kit
import lab


lab_benc = lab.benc  # `lab` is an argument below


def seed_of(lab, size=3_000_001):
    data = lab.make_data("seed/data.bin", size)
    torrent = lab.make_torrent(data, piece_length=32768)
    seed = lab.libtorrent(torrent, seed=True)
    seed.wait_ready()
    return torrent, seed


def test_info_fetch(lab):
    """What a magnet holds, without a byte of it and without a trace in the
    database; the .torrent that is kept has the very same info dictionary."""
    torrent, seed = seed_of(lab)
    kept = lab.path("kept.torrent")
    link = torrent.magnet(peers=[f"{seed.ip}:{seed.port}"])
    tmp = kit.folder(lab, "tmp")
    run = lab.btc("info", link, "--fetch", "--json", "--save-torrent", kept,
                  "--max-time", "30", env={"TMPDIR": tmp})
    assert run.code == 0, run
    info = run.json()
    assert info["info_hash_v1"] == torrent.info_hash, info
    assert [f["path"] for f in info["files"]] == ["data.bin"], info
    assert not os.listdir(tmp) and not os.path.exists(lab.db), tmp
    assert lab_benc(torrent.info) in open(kept, "rb").read()
    before = open(kept, "rb").read()
    run = lab.btc("info", link, "--fetch", "--save-torrent", kept)
    assert run.code == 13 and "exists already" in run.err, run
    assert open(kept, "rb").read() == before
    run = lab.btc("get", kept, "-d", kit.folder(lab, "out"), "--peer",
                  f"{seed.ip}:{seed.port}", "--max-time", "60")
    assert run.code == 0, run
    torrent.check(lab.path("out"))
    seed.stop()
    run = lab.btc("info", link, "--fetch", "--max-time", "20")
    assert run.code == 0 and "data.bin" in run.out, run


def test_info_fetch_in_vain(lab):
    """Nobody answers: 5 after the time, and a stop is a stop."""
    torrent = lab.make_torrent(lab.make_data("seed/data.bin", 100_000))
    link = torrent.magnet(peers=[f"{lab.next_ip()}:6881"])
    tmp = kit.folder(lab, "tmp")
    run = lab.btc("info", link, "--fetch", "--max-time", "2s", "--json",
                  env={"TMPDIR": tmp})
    assert run.code == 5 and run.json()["retryable"], run
    program = lab.start_btc("info", link, "--fetch", env={"TMPDIR": tmp})
    lab.wait(lambda: os.listdir(tmp), 10, "the scratch database")
    assert program.stop() == 7, program
    assert not os.listdir(tmp)


lab.main(__name__)
