#!/usr/bin/env python3
"""Magnets as a person uses them: what they hold, what is wished of them before
that is known, the .torrent that is kept."""
import os

import kit
import lab


lab_benc = lab.benc  # `lab` is an argument below


def magnet_get(lab, link, *args, code=0, **options):
    run = lab.btc("get", link, "-d", kit.folder(lab, "out"), "--progress",
                  "plain", *args, **options)
    assert run.code == code, run
    return run


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


def test_beside_what_is_here(lab):
    """How much a magnet is that nobody tells of is not known, and not nothing:
    what is here beside it is not all."""
    torrent = lab.make_torrent(lab.make_data("out/data.bin", 100_000))
    other = lab.make_torrent(lab.make_data("seed/other.bin", 100_000))
    link = other.magnet(peers=[f"{lab.next_ip()}:6881"])
    run = lab.btc("get", torrent.path, link, "-d", lab.path("out"),
                  "--max-time", "2s")
    assert run.code == 5 and "given up, state saved" in run.err, run
    assert "given up at" not in run.err, run


def test_verify_in_vain(lab):
    """Of a magnet nothing is known that could be hashed: pieces are missing, as
    of any torrent that is not here. It is no error, and not 100 %."""
    torrent = lab.make_torrent(lab.make_data("seed/data.bin", 100_000))
    assert lab.btc("add", torrent.magnet(), "-d",
                   kit.folder(lab, "out")).code == 0
    for state, command in (("metadata", "start"), ("paused", "pause")):
        assert lab.btc(command, "1").code == 0
        run = lab.btc("verify", "--json")
        assert run.code == 8 and "not known yet" in run.err, run
        assert "bad" not in run.err and "empty" not in run.err, run
        told = run.json()["torrents"][0]
        assert (told["state"], told["percent"]) == (state, 0.0), told
        assert kit.progress(lab)["state"] == state
        assert "100 %" not in lab.btc("status").out
        assert "known yet" in lab.btc("pieces", "1").out


def folder_of(lab, kind="libtorrent"):
    """A torrent of four files, and its seed."""
    kit.folder(lab, "seed/show")
    for name, size in (("a.bin", 100_000), ("b.bin", 200_000),
                       ("c.txt", 3_000), ("d.bin", 150_000)):
        lab.make_data("seed/show/" + name, size)
    torrent = lab.make_torrent(lab.path("seed/show"), piece_length=16384)
    seed = getattr(lab, kind)(torrent, seed=True)
    seed.wait_ready()
    return torrent, f"{seed.ip}:{seed.port}"


def shown(folder):
    """What a person sees there."""
    return sorted(n for n in os.listdir(folder) if not n.startswith("."))


def priorities(lab):
    return [r["priority"] for r in
            lab.sql("SELECT priority FROM file ORDER BY file")]


def test_choice(lab):
    """--select, -o and --save-torrent count when the files are known."""
    torrent, peer = folder_of(lab)
    kept = lab.path("kept.torrent")
    run = magnet_get(lab, torrent.magnet(peers=[peer]), "--select", "*.txt",
                     "-o", "other", "--save-torrent", kept, "--max-time", "60")
    assert shown(lab.path("out")) == ["other"], run
    assert shown(lab.path("out/other")) == ["c.txt"], run
    assert "queued" not in run.err, run
    assert lab_benc(torrent.info) in open(kept, "rb").read()
    run = lab.btc("get", torrent.magnet(), "--save-torrent", kept)
    assert run.code == 13, run
    again = lab.path("again.torrent")
    run = lab.btc("get", torrent.magnet(), "--select", "1,3", "--max-time",
                  "60", "--save-torrent", again)
    assert run.code == 0, run
    assert shown(lab.path("out/other")) == ["a.bin", "c.txt"], run
    assert open(again, "rb").read() == open(kept, "rb").read()


def test_wished_before(lab):
    """What is wished of a magnet that has no peer yet applies later: an engine
    runs meanwhile, and another one ends it."""
    torrent, peer = folder_of(lab)
    out = kit.folder(lab, "out")
    kept = lab.path("kept.torrent")
    run = lab.btc("add", torrent.magnet(), "-d", out, "--select", "1",
                  "--save-torrent", kept, "--seed", "none")
    assert run.code == 0, run
    daemon = lab.start_btc("daemon")
    lab.wait(lambda: kit.progress(lab)["state"] == "metadata", 10, "the state")
    for wish in ("select=1-3", "exclude=*.txt", "priority.4=high",
                 "priority.2=low", "priority.9=off"):
        assert lab.btc("set", "1", wish).code == 0, wish
    assert lab.btc("set", "1", "peer=" + peer).code == 0
    lab.wait(lambda: kit.progress(lab)["state"] == "complete", 30, "the data")
    assert priorities(lab) == [4, 1, 0, 7], priorities(lab)
    lab.wait(lambda: os.path.exists(kept), 10, "the .torrent")
    assert lab_benc(torrent.info) in open(kept, "rb").read()
    lab.wait(lambda: lab.sql("SELECT * FROM log WHERE kind = 'complete'"), 10)
    kinds = [r["kind"] for r in lab.sql("SELECT kind FROM log")]
    assert kinds.count("priority-left-out") == 1, kinds
    assert not lab.sql("SELECT * FROM magnet_file")
    assert daemon.stop() == 0


def test_odd_choice_of_link(lab):
    """so= beyond the files is left out with one line; of nonsense alone all is
    fetched."""
    torrent, peer = folder_of(lab)
    link = torrent.magnet(peers=[peer])
    run = magnet_get(lab, link + "&so=2,9-12,0", "--max-time", "60")
    assert priorities(lab) == [4, 0, 4, 0], priorities(lab)
    assert run.err.count("left out") == 1, run
    assert lab.btc("rm", "-y", "1", "--data").code == 0
    run = magnet_get(lab, link + "&so=7-5,x", "--max-time", "60")
    assert priorities(lab) == [4] * 4, priorities(lab)
    assert run.err.count("left out") == 1, run


def test_torrent_after_magnet(lab):
    """A magnet that nobody answers is told what it holds by its .torrent, while
    an engine runs."""
    torrent, peer = folder_of(lab)
    out = kit.folder(lab, "out")
    assert lab.btc("add", torrent.magnet(), "-d", out).code == 0
    daemon = lab.start_btc("daemon")
    lab.wait(lambda: kit.progress(lab)["state"] == "metadata", 10, "the state")
    run = lab.btc("add", torrent.path, "--select", "2", "--peer", peer)
    assert run.code == 0, run
    lab.wait(lambda: kit.progress(lab)["state"] in ("complete", "seeding"), 30,
             "the data")
    assert priorities(lab) == [0, 4, 0, 0], priorities(lab)
    assert not lab.sql("SELECT * FROM magnet")
    assert daemon.stop() == 0


def test_names(lab):
    """A name that another torrent has is refused when it becomes known, and
    nothing is written over."""
    torrent, peer = folder_of(lab)
    out = kit.folder(lab, "out")
    other = lab.make_data("other/show/a.bin", 50_000)
    first = lab.make_torrent(os.path.dirname(other), piece_length=16384,
                             out=lab.path("first.torrent"))
    assert lab.btc("add", first.path, "-d", out, "--paused").code == 0
    run = magnet_get(lab, torrent.magnet(peers=[peer]), "--max-time", "60",
                     code=13)
    assert "belongs to torrent 1" in run.err, run
    assert not os.listdir(out), run


lab.main(__name__)
