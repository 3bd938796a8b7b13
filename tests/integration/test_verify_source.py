#!/usr/bin/python3
"""btc verify SRC -d DIR: data against a torrent, without a database, by people
who have the data from somewhere else."""
import errno
import json
import os
import shutil

import kit
import lab
import lab as laboratory

LENGTH = 65536


def make(lab):
    """A torrent of files, one of them of zeros alone, and its data in out/."""
    for i, (name, size) in enumerate((("a", 400_000), ("b", 10), ("c", 200_000),
                                      ("empty", 0))):
        lab.make_data("seed/data/" + name, size, seed=i + 1)
    with open(lab.path("seed/data/zeros"), "wb") as f:
        f.truncate(300_000)
    torrent = lab.make_torrent(lab.path("seed/data"), piece_length=LENGTH)
    kit.folder(lab, "out")
    copy_sparse(lab.path("seed/data"), lab.path("out/data"))
    return torrent


def copy_sparse(source, target):
    """A copy whose holes stay holes."""
    assert os.system(f"cp -r --sparse=always '{source}' '{target}'") == 0


def verified(lab, torrent, code, *args, where="out"):
    """What it says: the object, the states of the files by name. It must leave no
    database and no file behind."""
    before = sorted(os.walk(lab.path(where)))
    run = lab.btc("verify", torrent.path, "-d", lab.path(where), *args)
    assert run.code == code, run
    assert "PATH" in run.out, run
    again = lab.btc("verify", torrent.path, "-d", lab.path(where), "--json",
                    *args)
    o = json.loads(again.out)
    assert again.code == code == o["status"], again
    assert (o["error"] is None) == (code == 0), o
    assert not os.path.exists(lab.db)
    assert sorted(os.walk(lab.path(where))) == before
    for f in o["files"]:
        assert f["state"] in run.out and f["path"] in run.out, run
    return o, {os.path.basename(f["path"]): f["state"] for f in o["files"]}


def test_whole(lab):
    torrent = make(lab)
    o, states = verified(lab, torrent, 0)
    assert set(states.values()) == {"good"}, states
    assert o["pieces_done"] == o["pieces_total"] == torrent.piece_count, o
    assert all(f["size"] == f["length"] == f["bytes_done"] for f in o["files"])


def test_wrong(lab):
    """Each way of being wrong has its word, and the worst its exit status."""
    torrent = make(lab)
    with open(lab.path("out/data/zeros"), "ab") as f:
        f.write(b"!")
    _, states = verified(lab, torrent, 13)
    assert states["zeros"] == "longer", states
    with open(lab.path("out/data/a"), "r+b") as f:
        f.seek(70_000)
        f.write(b"bad")
    o, states = verified(lab, torrent, 8)
    assert states["a"] == "bad" and states["c"] == "good", states
    assert o["pieces_done"] == torrent.piece_count - 1, o
    os.unlink(lab.path("out/data/c"))
    _, states = verified(lab, torrent, 8)
    assert states["c"] == "missing", states
    run = lab.btc("verify", torrent.path, "-d", kit.folder(lab, "none"))
    assert run.code == 11, run
    run = lab.btc("verify", torrent.path, "-d", lab.path("not/there"))
    assert run.code == 11 and not os.path.exists(lab.path("not/there")), run


def test_empty_file_missing(lab):
    torrent = make(lab)
    os.unlink(lab.path("out/data/empty"))
    _, states = verified(lab, torrent, 8)
    assert states["empty"] == "missing", states


def test_nothing_but_empty_files(lab):
    """A torrent without pieces is not 0 % good: it is there or it is not, here
    and in a database, in words and numbers."""
    info = {"name": "e", "piece length": LENGTH, "pieces": b"",
            "files": [{"length": 0, "path": [name]} for name in "xy"]}
    path = lab.path("e.torrent")
    with open(path, "wb") as f:
        f.write(laboratory.benc({"info": info}))
    out = kit.folder(lab, "out")
    assert lab.btc("get", path, "-d", out).code == 0
    for code, word in ((0, "and all of them"), (8, "not all of them")):
        run = lab.btc("verify", "--progress", "plain")
        assert "ETA" not in run.err, run
        assert run.code == code and word in run.err, run
        source = lab.btc("verify", path, "-d", out)
        assert source.code == code and "no pieces" in source.err, source
        for said in run.err, source.err, lab.btc("pieces", "1").out:
            assert "0 of 0" not in said and "0.0 %" not in said, said
        told = lab.btc("verify", "--json").json()["torrents"][0]
        assert told["percent"] == 100.0, told
        if code == 0:
            os.unlink(lab.path("out/e/x"))


def test_unreadable(lab):
    """What cannot be looked at is not missing: each call on the data fails in
    turn, alone or with all behind it."""
    torrent = make(lab)
    env = {"LD_PRELOAD": kit.library("BTC_FAIL"), "BTC_FAIL_PATH": "/out/",
           "BTC_FAIL_ERRNO": str(errno.EIO), "BTC_FAIL_LOG": lab.path("failed")}
    nth, codes = 0, set()
    while nth == 0 or os.path.exists(lab.path("failed")):
        nth += 1
        for length in "1", "1000000":
            if os.path.exists(lab.path("failed")):
                os.unlink(lab.path("failed"))
            run = lab.btc("verify", torrent.path, "-d", lab.path("out"),
                          env=dict(env, BTC_FAIL_NTH=str(nth),
                                   BTC_FAIL_FOR=length))
            assert run.code in (0, 10), (nth, length, run)
            assert run.code == 0 or "Input/output error" in run.err, run
            codes.add(run.code)
    assert nth > 20 and codes == {0, 10}, (nth, codes)


def test_choice(lab):
    """Only what is asked for counts; another name may be given."""
    torrent = make(lab)
    os.unlink(lab.path("out/data/a"))
    _, states = verified(lab, torrent, 0, "-s", "*/zeros")
    assert states["a"] == "off" and states["zeros"] == "good", states
    os.rename(lab.path("out/data"), lab.path("out/other"))
    verified(lab, torrent, 8, "-o", "other")
    run = lab.btc("verify", "1", "-s", "2")
    assert run.code == 2, run


def test_single_file(lab):
    torrent = lab.make_torrent(lab.make_data("seed/one.bin", 1_000_003),
                               piece_length=LENGTH)
    kit.folder(lab, "out")
    shutil.copy(lab.path("seed/one.bin"), lab.path("out"))
    o, states = verified(lab, torrent, 0)
    assert states == {"one.bin": "good"}, states
    os.truncate(lab.path("out/one.bin"), 900_000)
    o, states = verified(lab, torrent, 8)
    assert states == {"one.bin": "bad"}, states
    assert o["files"][0]["bytes_done"] == 900_000 // LENGTH * LENGTH, o


lab.main(__name__)
