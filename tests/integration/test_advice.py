#!/usr/bin/python3
"""What is advised can be typed as it stands: it names the database and the
torrent. What is said of several torrents comes in the order of their ids."""
import os
import re
import shlex
import shutil

import kit
import lab as lab_module


def make(lab, n):
    """Torrents with their data, in a database that --db alone names."""
    torrents = [lab.make_torrent(lab.make_data(f"seed/t{i}", 40_000, seed=i),
                                 piece_length=16384) for i in range(n)]
    shutil.copytree(lab.path("seed"), lab.path("out"))
    for torrent in torrents:
        run = lab.btc("add", torrent.path, "-d", lab.path("out"), "--db",
                      database(lab))
        assert run.code == 0, run
        advised(lab, run.err)
    return torrents


def database(lab):
    return lab.path("other place", "it's.db")


def advised(lab, text, least=0):
    """All that is advised stands between backticks, and what needs a database
    names it, as a shell takes it."""
    commands = re.findall(r"`btc ([^`]*)`", text)
    commands = [c for c in commands if not re.match("help|info|create", c)]
    assert len(commands) >= least, text
    for command in commands:
        assert shlex.split(command)[-2:] == ["--db", database(lab)], text
        assert " ID " not in command, text
    assert not re.search(r"[^`]btc (get|resume|move|rm|set|verify) ", text), text


def test_order(lab):
    make(lab, 8)
    run = lab.btc("verify", "--db", database(lab))
    assert run.code == 0, run
    names = re.findall(r"^(t\d)  \d of \d pieces are good", run.err, re.M)
    assert names == [f"t{i}" for i in range(8)], run
    run = lab.btc("verify", "--json", "--full", "--db", database(lab))
    ids = [t["id"] for t in run.json()["torrents"]]
    assert ids == list(range(1, 9)), ids


def test_why(lab):
    make(lab, 1)
    for wish, least in ((), 1), (("pause", "1"), 1):
        if wish:
            assert lab.btc(*wish, "--db", database(lab)).code == 0
        run = lab.btc("why", "1", "--db", database(lab))
        assert run.code == 0, run
        advised(lab, run.out, least)


def test_errors(lab):
    """Those of the command line and of the library beneath it, at the end of a
    run and within it."""
    torrents = make(lab, 1)
    with open(lab.path("out/t0"), "r+b") as f:
        f.write(b"changed")
    db = ("--db", database(lab))
    run = lab.btc("verify", *db)
    assert run.code == 8, run
    advised(lab, run.err, 1)
    advised(lab, lab.btc("files", "7", *db).err, 1)
    advised(lab, lab.btc("start", "1", *db).err, 1)
    run = lab.btc("resume", "--max-time", "1s", *db)
    assert run.code in (5, 6), run
    advised(lab, run.err)
    shutil.rmtree(lab.path("out"))
    run = lab.btc("resume", *db)
    assert run.code == 11, run
    advised(lab, run.err, 1)
    # the default database needs no name
    run = lab.btc("add", torrents[0].path, "-d", kit.folder(lab, "new"))
    assert run.code == 0 and "`btc resume` fetches it" in run.err, run


def test_paused(lab):
    """What is advised about a torrent goes on with that one, paused or not."""
    make(lab, 1)
    shutil.rmtree(lab.path("out"))
    kit.folder(lab, "out")
    magnet = lab.make_torrent(lab.make_data("seed/m", 40_000)).magnet()
    db = ("--db", database(lab))
    assert lab.btc("add", magnet, *db).code == 0
    assert lab.btc("pause", "1", "2", *db).code == 0
    run = lab.btc("verify", *db)
    assert run.code == 8, run
    advised(lab, run.err, 2)
    for command in re.findall(r"`btc (resume [^`]*)`", run.err):
        run = lab.btc(*shlex.split(command), "--max-time", "1s")
        assert run.code in (5, 6) and "nothing" not in run.err, run


def test_known(lab):
    """What is said of a torrent that is known already: followed in another
    database, it would move or forget another torrent."""
    torrents = make(lab, 1)
    for more in (("-d", kit.folder(lab, "new")), ("-o", "other")):
        for command in "add", "get":
            run = lab.btc(command, torrents[0].path, *more, "--db",
                          database(lab))
            assert run.code == 13, run
            advised(lab, run.err, 1)


def test_start_over(lab):
    """Who starts one torrent over as advised gives up no other that is absent,
    and the advice is whole beside the longest names."""
    name = "n" * 100
    deep = kit.folder(lab, "d" * 100)
    for i in range(2):
        lab.make_data(f"seed/{name}{i}/f", 40_000, seed=i)
        shutil.copytree(lab.path(f"seed/{name}{i}"), f"{deep}/{name}{i}")
        torrent = lab.make_torrent(lab.path(f"seed/{name}{i}"),
                                   piece_length=16384)
        os.truncate(f"{deep}/{name}{i}/f", 2 * 16384)
        assert lab.btc("add", torrent.path, "-d", deep).code == 0
    assert lab.btc("verify").code == 8
    os.rename(deep, deep + "-away")
    os.mkdir(deep)
    run = lab.btc("resume")
    assert run.code == 11, run
    advice = sorted(set(re.findall(r"`btc ([^`]*--accept-loss)`", run.err)))
    assert len(advice) == 2, run
    assert run.err.count("absent (") == run.err.count("DIR --here`"), run
    run = lab.btc(*shlex.split(advice[0]), "--max-time", "1s")
    assert run.code in (5, 6), run
    claims = [r["pieces_done"] for r in
              lab.sql("SELECT pieces_done FROM progress ORDER BY id")]
    assert claims == [0, 2], claims


lab_module.main(__name__)
