#!/usr/bin/python3
"""What is said of a torrent is what is true of it: after a bare add, a refusal,
a run that gave up, and a kill, by status, by JSON and by plain SQL."""
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import sys

import kit
import lab
import wire

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "power"))
import seeder  # noqa: E402

SIZE = 3_000_001
LENGTH = 65536


def torrent_of(lab):
    return lab.make_torrent(lab.make_data("seed/data.bin", SIZE),
                            piece_length=LENGTH)


def said(lab):
    """What status says: the row, the engine's pid, the command that goes on.
    SQL must say the same state."""
    run = lab.btc("status", "--json")
    assert run.code == 0, run
    o = json.loads(run.out)
    row = o["torrents"][0]
    table = lab.btc("status")
    assert row["state"] in table.out, (row["state"], table)
    if o["next"] is not None:
        assert "no engine runs; `" + o["next"] in table.err, table
    return row, o["engine_pid"], o["next"]


def test_bare_add(lab):
    """What nobody has begun is neither checked nor downloaded."""
    torrent = torrent_of(lab)
    assert lab.btc("add", torrent.path, "-d", kit.folder(lab, "out")).code == 0
    row, pid, after = said(lab)
    assert (row["state"], pid) == ("queued", None), row
    assert after.startswith("btc resume"), after
    assert kit.progress(lab)["state"] == "queued"
    assert lab.btc("pause", "1").code == 0
    row, pid, after = said(lab)
    assert (row["state"], pid, after) == ("paused", None, None), row


def test_refused(lab):
    """A file in the way is an error, and stays one."""
    torrent = torrent_of(lab)
    out = kit.folder(lab, "out")
    with open(os.path.join(out, "data.bin"), "wb") as f:
        f.write(os.urandom(SIZE + 7))
    run = lab.btc("get", torrent.path, "-d", out)
    assert run.code == 13, run
    row, _, after = said(lab)
    assert row["state"] == "error" and "longer" in row["error"], row
    assert after is not None
    assert kit.progress(lab)["state"] == "error"


def test_gave_up(lab):
    """Nobody came: it waits for the next run."""
    torrent = torrent_of(lab)
    run = lab.btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                  "--stall-timeout", "1s")
    assert run.code == 5, run
    row, pid, after = said(lab)
    assert (row["state"], pid) == ("queued", None), row
    assert kit.progress(lab)["state"] == "queued"
    assert [r["state"] for r in lab.sql("SELECT state FROM torrent_stat")] \
        == ["queued"]


def test_killed(lab):
    """status knows at once; SQL, when the engine has said nothing for long."""
    torrent = torrent_of(lab)
    seed = wire.Slow(torrent, lab.next_ip())
    run = lab.start_btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                        "--peer", seed.address)
    lab.wait(lambda: kit.has_rows(lab) and
             kit.progress(lab)["state"] == "downloading", 60, "a start")
    row, pid, after = said(lab)
    assert row["state"] == "downloading" and pid and after is None, row
    run.signal(signal.SIGKILL)
    run.wait()
    row, pid, after = said(lab)
    assert (row["state"], pid, row["peers"]) == ("queued", None, 0), row
    assert after is not None
    link = sqlite3.connect(lab.db, timeout=20)
    with link:
        link.execute("UPDATE torrent_stat SET updated_at = updated_at - 31")
        link.execute("UPDATE run SET heartbeat_at = heartbeat_at - 31,"
                     " alive_at = alive_at - 31")
    link.close()
    assert kit.progress(lab)["state"] == "queued"


def complete(lab):
    """A torrent whose data is there and verified: it, and its file."""
    torrent = torrent_of(lab)
    out = kit.folder(lab, "out")
    shutil.copy(lab.path("seed/data.bin"), out)
    kit.get(lab, torrent)
    return torrent, os.path.join(out, "data.bin")


def test_deleted(lab):
    """What could not be looked at is not called good."""
    _, path = complete(lab)
    os.unlink(path)
    run = lab.btc("verify")
    assert run.code == 11 and "absent" in run.err, run
    assert "pieces are good" not in run.err, run
    assert "not verified" in run.err, run
    assert said(lab)[0]["state"] == "waiting-storage"


def ended_early(lab, *args):
    """A run that is told to end as soon as it has begun: what it said."""
    n = lab.sql("SELECT count(*) AS n FROM run")[0]["n"]
    run = lab.start_btc(*args)
    lab.wait(lambda: not run.is_running() or n < lab.sql(
        "SELECT count(*) AS n FROM run")[0]["n"], 20, every=0.001)
    run.stop()
    return run.err()


def test_ended_before_it_looked(lab):
    """What was absent, or is owed a look, is not complete because a run was
    told to end before it had looked."""
    _, path = complete(lab)
    os.rename(path, lab.path("away"))
    assert lab.btc("verify").code == 11
    for n in range(36):
        err = ended_early(lab, ["daemon", "resume", "verify"][n % 3])
        assert "everything is here" not in err, err
        assert "46 of 46" not in err, err
        state = kit.progress(lab)["state"]
        assert state in ("waiting-storage", "queued"), (n, state, err)
    os.rename(lab.path("away"), path)
    assert lab.btc("resume").code == 0
    assert kit.progress(lab)["state"] == "complete"
    for n in range(12):
        err = ended_early(lab, ["daemon", "resume"][n % 2])
        assert kit.progress(lab)["state"] == "complete", (n, err)


def test_stale(lab):
    """A server goes while a torrent is verified: what has been read is not
    vouched for any more, and that the torrent waits is journaled."""
    hang = kit.library("BTC_HANG")
    for name in "ab":
        lab.make_data("seed/two/" + name, 8 * LENGTH, seed=ord(name))
    torrent = lab.make_torrent(lab.path("seed/two"), piece_length=LENGTH)
    shutil.copytree(lab.path("seed/two"), lab.path("out/two"))
    kit.get(lab, torrent)
    with open(lab.path("bad"), "w", encoding="utf-8") as f:
        f.write(lab.path("out/two/b"))
    run = lab.btc("verify", "--full", env={
        "LD_PRELOAD": hang, "BTC_STALE_DIR": lab.path("out"),
        "BTC_BAD_LIST": lab.path("bad")})
    assert run.code == 11 and "Stale file handle" in run.err, run
    row = kit.progress(lab)
    assert row["state"] == "waiting-storage", row
    assert "Stale file handle" in row["error"], row
    assert lab.btc("resume").code == 0
    assert kit.progress(lab)["state"] == "complete"


def test_sick(lab):
    """A drive cannot read some pieces and takes no sync: what was given up is
    not counted as here, not by the torrent and not by its files."""
    hang = kit.library("BTC_HANG")
    for name in "abc":
        lab.make_data("seed/two/" + name, 5 * LENGTH // 4, seed=ord(name))
    torrent = lab.make_torrent(lab.path("seed/two"), piece_length=LENGTH // 4)
    shutil.copytree(lab.path("seed/two"), lab.path("out/two"))
    kit.get(lab, torrent)
    bad = lab.path("bad")
    for name in "abc":
        with open(bad, "w", encoding="utf-8") as f:
            f.write(lab.path("out/two", name))
        run = lab.btc("verify", "--full", env={
            "LD_PRELOAD": hang, "BTC_SICK_DIR": lab.path("out"), "BTC_BAD_LIST": bad})
        assert run.code == 10 and "Input/output error" in run.err, run
        rows = len(lab.sql("SELECT 1 FROM piece"))
        row = kit.progress(lab)
        assert 0 < rows < torrent.piece_count, rows
        assert row["pieces_done"] <= rows, (rows, row)
        assert row["bytes_done"] <= rows * LENGTH // 4, (rows, row)
        files = lab.sql("SELECT sum(bytes_done) FROM file")[0][0]
        assert files <= rows * LENGTH // 4, (rows, files)
        run = lab.btc("verify", "--full")
        assert run.code == 0, run
        assert lab.btc("resume").code == 0
        assert kit.progress(lab)["state"] == "complete"


def test_spoiled(lab):
    """verify fetches nothing, and does not say that it does."""
    _, path = complete(lab)
    with open(path, "r+b") as f:
        f.seek(1000)
        f.write(b"spoiled")
    run = lab.btc("verify")
    assert run.code == 8 and "counts as missing" in run.err, run
    assert "is fetched again" not in run.err, run


def wished(lab, sql):
    with contextlib.closing(sqlite3.connect(lab.db)) as db, db:
        db.execute(sql)
    return said(lab)[0]


def test_wished_elsewhere(lab):
    """Nobody has looked there yet."""
    torrent, path = complete(lab)
    place = lab.path("other")
    os.makedirs(place)
    assert wished(lab, "UPDATE torrent SET save_path = save_path"
                  )["state"] == "complete"
    assert wished(lab, f"UPDATE torrent SET save_path = '{place}'"
                  )["state"] == "queued"
    assert lab.btc("resume").code == 11
    os.rename(path, os.path.join(place, "data.bin"))
    run = lab.btc("resume")
    assert run.code == 0 and "nothing to fetch" in run.err, run
    assert said(lab)[0]["state"] == "complete"
    torrent.check(place)


def test_wished_file(lab):
    """A file more is wished: what was complete is so no longer."""
    for i, size in enumerate((40_000, 50_000, 60_000)):
        lab.make_data(f"three/{i}.bin", size, seed=i)
    torrent = lab.make_torrent(lab.path("three"), piece_length=16384)
    seeder = lab.aria2(torrent, seed=True)
    seeder.wait_ready()
    peer = f"--peer={seeder.ip}:{seeder.port}"
    run = lab.btc("get", torrent.path, "-s", "1", "-d", lab.path("out"), peer)
    assert run.code == 0, run
    assert said(lab)[0]["state"] == "complete"
    row = wished(lab, "UPDATE file SET priority = 1 WHERE file = 2")
    assert row["state"] == "queued" and row["percent"] < 100, dict(row)
    assert row["bytes_total"] == 100_000, dict(row)
    row = wished(lab, "UPDATE file SET priority = 4")
    assert row["bytes_total"] == 150_000, dict(row)
    assert lab.btc("resume", peer).code == 0
    assert said(lab)[0]["state"] == "complete"
    torrent.check(lab.path("out"))
    for _ in range(2):
        row = wished(lab, "UPDATE file SET priority = 0 WHERE file > 0")
        assert row["bytes_total"] == row["bytes_done"] == 40_000, dict(row)
        row = wished(lab, "UPDATE file SET priority = 4 WHERE file > 0")
        assert row["bytes_total"] == row["bytes_done"] == 150_000, dict(row)


def test_longer(lab):
    """verify, get and resume have one verdict on a file that is too long."""
    torrent, path = complete(lab)
    with open(path, "ab") as f:
        f.write(b"tail")
    for command in (("verify",), ("verify", "--full"),
                    ("get", torrent.path, "-d", lab.path("out")), ("resume",)):
        run = lab.btc(*command)
        assert run.code == 13, run
        assert "--overwrite` cuts it to its length" in run.err, run
        assert said(lab)[0]["state"] == "error"
    run = lab.btc("resume", "--overwrite")
    assert run.code == 0, run
    torrent.check(lab.path("out"))
    assert lab.btc("verify", "--full").code == 0


def test_in_the_way(lab):
    """The same of what is no file of the torrent's; zeros are in nobody's way,
    and one good piece makes a file the torrent's."""
    def with_a_piece(path):
        shutil.copy(lab.path("seed/data.bin"), path)
        with open(path, "r+b") as f:
            f.write(b"mine")
    def text(path):
        with open(path, "wb") as f:
            f.write(b"mine")
    def zeros(path):
        with open(path, "wb") as f:
            f.write(bytes(SIZE))
    _, path = complete(lab)
    for make, code in ((text, 13), (os.mkfifo, 13), (os.mkdir, 13), (zeros, 8),
                       (with_a_piece, 8)):
        (os.rmdir if os.path.isdir(path) else os.unlink)(path)
        make(path)
        state = "error" if code == 13 else "queued"
        for command in (("verify",), ("verify", "--full")):
            run = lab.btc(*command)
            assert run.code == code, (make, run)
            assert said(lab)[0]["state"] == state, (make, said(lab))
        assert ("move that away" in run.err) == (code == 13), (make, run)
        run = lab.btc("resume", "--stall-timeout", "1s")
        assert (run.code == 13) == (code == 13), (make, run)
        assert code != 13 or said(lab)[0]["state"] == "error", make


def test_in_the_way_of_nothing(lab):
    """And of what is in the place of a file without bytes, of which no piece
    tells."""
    lab.make_data("seed/two/data", SIZE)
    lab.make_data("seed/two/empty", 0)
    torrent = lab.make_torrent(lab.path("seed/two"))
    shutil.copytree(lab.path("seed/two"), lab.path("out/two"))
    path = lab.path("out/two/empty")
    run = lab.btc("get", torrent.path, "-d", lab.path("out"))
    assert run.code == 0, run
    for make in (os.mkfifo, os.mkdir):
        os.unlink(path)
        make(path)
        for command in (("verify",), ("verify", "--full"), ("resume",)):
            run = lab.btc(*command)
            assert run.code == 13 and "move that away" in run.err, (make, run)
            assert said(lab)[0]["state"] == "error", (make, said(lab))
    os.rmdir(path)
    assert lab.btc("resume").code == 0
    assert os.path.getsize(path) == 0


def test_grown(lab):
    """A partial file that grew: it is cut, and nothing that was good is lost."""
    torrent = torrent_of(lab)
    seed = wire.Slow(torrent, lab.next_ip())
    run = lab.start_btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                        "--peer", seed.address)
    lab.wait(lambda: kit.has_rows(lab) and
             kit.progress(lab)["pieces_done"] >= 5, 60, "some pieces")
    run.signal(signal.SIGINT)
    run.wait()
    had = kit.claims_hold(lab, torrent)
    with open(lab.path("out/data.bin"), "ab") as f:
        f.write(b"four")
    run = lab.btc("resume", "--stall-timeout", "1s")
    assert run.code == 13 and "--overwrite` cuts it" in run.err, run
    run = lab.btc("resume", "--overwrite", "--stall-timeout", "1s",
                  "--max-time", "20s")
    assert run.code in (0, 5), run
    assert os.path.getsize(lab.path("out/data.bin")) == SIZE
    assert had <= kit.claims_hold(lab, torrent)


def test_silent_progress(lab):
    """No progress is wanted: what failed is told all the same, once."""
    torrent = torrent_of(lab)
    os.makedirs(lab.path("out/data.bin"))
    for args in (("--progress", "none"), ("-q",), ("--progress", "json")):
        run = lab.btc("get", torrent.path, "-d", lab.path("out"), *args)
        assert run.code == 13, run
        assert run.err.count("is a folder") == 1, run


def test_same_of_many_files(lab):
    """What has become of many files is told of some of them, with a count for
    the others, which pushes nothing out of the log."""
    for i in range(300):
        lab.make_data(f"seed/many/{i % 3}/{i}", 500, seed=i)
    torrent = lab.make_torrent(lab.path("seed/many"), piece_length=16384)
    seed = seeder.Seeder(torrent)
    out = kit.folder(lab, "out")
    assert lab.btc("get", torrent.path, "-d", out, "--peer",
                   seed.address).code == 0
    shutil.rmtree(os.path.join(out, "many", "1"))
    for i in range(0, 300, 3):
        os.utime(os.path.join(out, "many", "0", str(i)))
    run = lab.btc("verify")
    assert run.code == 8, run
    assert "80 more files are gone: their pieces count as" in run.err, run
    assert "80 more files were changed by somebody else" in run.err, run
    told = {r["kind"]: r["n"] for r in lab.sql(
        "SELECT kind, count(*) AS n FROM log GROUP BY kind")}
    assert told["file-lost"] == told["file-changed"] == 21, told


def test_same_error(lab):
    """Many sources that fail in the same way are told once, and counted."""
    names = [lab.path(f"no/{i}.torrent") for i in range(500)]
    with open(lab.path("no/bad.torrent"), "wb") as f:
        f.write(b"nothing")
    run = lab.btc("add", *names, lab.path("no/bad.torrent"), *names[:1])
    assert run.code == 16, run
    lines = run.err.splitlines()
    assert len(lines) == 5 and "no/0.torrent" in lines[0], run
    assert lines[1] == "btc: the same of 499 more sources", run
    assert "bad.torrent" in lines[2] and "no/0.torrent" in lines[3], run
    run = lab.btc("add", "--json", *names)
    assert len(json.loads(run.out)["source_errors"]) == 500, run


lab.main(__name__)
