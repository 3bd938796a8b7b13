#!/usr/bin/python3
"""What is advised can be typed as it stands: it names the database and the
torrent. What is said of several torrents comes in the order of their ids."""
import re
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
    return lab.path("other place", "my.db")


def advised(lab, text, least=0):
    """All that stands between backticks and needs a database names it."""
    commands = re.findall(r"`btc ([^`]*)`", text)
    commands = [c for c in commands if not re.match("help|info|create", c)]
    assert len(commands) >= least, text
    for command in commands:
        assert command.endswith(f"--db '{database(lab)}'"), text
        assert " ID " not in command, text


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


lab_module.main(__name__)
