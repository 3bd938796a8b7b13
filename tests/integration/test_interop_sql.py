#!/usr/bin/python3
"""What the outside is promised: views and their columns, JSON shapes, exit
statuses, seen during a download from another client and after it."""
import json
import os
import subprocess

import kit
import lab
import wire

VIEWS = {
    "progress": "id info_hash name state wanted percent bytes_done bytes_total "
                "bytes_left pieces_done pieces_total down_rate up_rate eta_s "
                "peers seeds ratio error save_path updated_at",
    "file_progress": "torrent_id file path length bytes_done percent priority",
    "piece_map": "torrent_id piece state blocks_done blocks_total verified_at",
    "peer_list": "torrent_id address port source client connected choking "
                 "interested down_rate up_rate bytes_down bytes_up failures "
                 "last_seen",
    "tracker_list": "torrent_id tier url state last_announce next_announce "
                    "seeders leechers error",
    "log": "at torrent_id level kind text"}
TABLES = ("torrent torrent_stat metainfo file piece block tracker web_seed peer "
          "dht_node run event setting history")
STATES = {"metadata", "checking", "downloading", "seeding", "paused",
          "complete", "waiting-storage", "waiting-space", "error", "removing"}


def sqlite3(lab, query):
    """As a person reads it: by the sqlite3 program, in JSON."""
    run = subprocess.run(["sqlite3", "-json", lab.db, query],
                         capture_output=True, check=True, text=True, timeout=30)
    return json.loads(run.stdout or "[]")


def test_views(lab):
    """Read by sqlite3 while btc writes."""
    if not module.shutil.which("sqlite3"):
        raise module.Skip("sqlite3 is not installed")
    tracker, torrent, seeds = kit.swarm(lab, "transmission", "libtorrent",
                                        size=12_000_001, up_limit=1200)
    run = lab.start_btc("get", torrent.path, "-d", kit.folder(lab, "out"))
    lab.wait(lambda: kit.has_rows(lab) and kit.progress(lab)["bytes_done"] > 0
             and kit.progress(lab)["down_rate"] > 0, 60)
    row = sqlite3(lab, "SELECT * FROM progress")[0]
    assert row["state"] == "downloading" and row["wanted"] == "run", row
    assert 0 < row["percent"] < 100 and row["peers"] >= 1, row
    assert row["bytes_done"] + row["bytes_left"] == row["bytes_total"], row
    assert 0 < row["eta_s"] < 600 and row["seeds"] >= 1, row
    for view, names in VIEWS.items():
        rows = sqlite3(lab, f"SELECT {names.replace(' ', ', ')} FROM {view}")
        assert rows, view
        first = lab.sql(f"SELECT * FROM {view}")[0].keys()
        assert first[:len(names.split())] == names.split(), (view, first)
    for table in TABLES.split():
        sqlite3(lab, f"SELECT count(*) FROM {table}")
    # The rows of peers are written every few seconds.
    giver = lab.wait(lambda: sqlite3(
        lab, "SELECT * FROM peer_list WHERE bytes_down > 0 AND down_rate > 0 "
        f"AND address = '{seeds[1].ip}'"), 20)[0]
    assert giver["connected"] == 1 and giver["choking"] == 0, giver
    assert giver["bytes_down"] > 0 and "libtorrent" in giver["client"], giver
    assert giver["source"] == "tracker" and giver["failures"] == 0, giver
    held = sqlite3(lab, "SELECT state, count(*) AS n, sum(blocks_done) AS d "
                        "FROM piece_map GROUP BY state")
    assert {h["state"] for h in held} <= {"missing", "partial", "verified"}
    assert sum(h["n"] for h in held) == torrent.piece_count
    assert run.wait() == 0, run.err()
    torrent.check(lab.path("out"))
    end(lab, tracker, torrent, seeds)


def end(lab, tracker, torrent, seeds):
    """The facts after a download."""
    row = kit.is_complete(lab, torrent)
    assert row["down_rate"] == 0 and row["peers"] == 0, row
    assert row["save_path"] == lab.path("out") and row["ratio"] == 0, row
    assert row["downloaded"] >= torrent.size, row
    peers = {p["address"]: p for p in lab.sql("SELECT * FROM peer_list")}
    given = [peers[s.ip]["bytes_down"] for s in seeds]
    assert sum(given) == row["downloaded"], (given, row)
    assert not any(p["connected"] for p in peers.values())
    assert all(peers[s.ip]["last_seen"] for s in seeds)
    t = lab.sql("SELECT * FROM tracker_list")[0]
    assert t["url"] == tracker.url and t["tier"] == 0, dict(t)
    assert t["seeders"] >= 2 and t["error"] is None, dict(t)
    assert t["last_announce"], dict(t)
    files = lab.sql("SELECT * FROM file_progress")
    assert files[0]["bytes_done"] == torrent.size
    assert files[0]["percent"] == 100.0
    pieces = lab.sql("SELECT * FROM piece_map")
    assert all(p["state"] == "verified" and p["verified_at"] and
               p["blocks_done"] == p["blocks_total"] for p in pieces)
    kinds = [r["kind"] for r in lab.sql("SELECT * FROM log")]
    assert "added" in kinds and "complete" in kinds, kinds
    day = lab.sql("SELECT sum(downloaded) FROM history")[0][0]
    assert day == row["downloaded"], (day, row)
    assert lab.sql("PRAGMA integrity_check")[0][0] == "ok"


def commands(lab, torrent):
    """The --json of everything that reads: one object each."""
    status = lab.btc("status", "--json").json()["torrents"]
    assert len(status) == 1 and status[0]["state"] in STATES
    row = kit.progress(lab)
    for name in VIEWS["progress"].split():
        assert status[0][name] == row[name], name
    for command, key, view in (("files", "files", "file_progress"),
                               ("peers", "peers", "peer_list"),
                               ("trackers", "trackers", "tracker_list"),
                               ("pieces", "pieces", "piece_map"),
                               ("log", "log", "log")):
        run = lab.btc(command, "1", "--json")
        assert run.code == 0, run
        rows = run.json()[key]
        want = [dict(r) for r in lab.sql(f"SELECT * FROM {view}")]
        if command != "pieces" or rows and isinstance(rows[0], dict):
            assert rows == want, (command, rows[:2], want[:2])
        run = lab.btc(command, "1")
        assert run.code == 0 and run.out.strip(), run
    assert lab.btc("status").out.count(torrent.name) == 1
    line = json.loads(lab.btc("status", "--ndjson").out.splitlines()[0])
    assert line["event"] == "stats", line
    assert line["torrents"][0]["info_hash"] == torrent.info_hash
    assert lab.btc("db", "path").out.strip() == lab.db
    assert lab.btc("db", "check").code == 0
    assert lab.btc("db", "backup", lab.path("copy.db")).code == 0
    assert lab.sql("SELECT name FROM torrent", db=lab.path("copy.db"))


def test_json(lab):
    """get, status and the other readers, verify."""
    source = lab.make_data("seed/data.bin", 1_000_001)
    torrent = lab.make_torrent(source, piece_length=65536,
                               tiers=[["http://10.77.0.1:1/announce"]])
    seed = wire.Seeder(torrent, lab.next_ip())
    run = kit.get(lab, torrent, "--peer", seed.address, "--json")
    result = run.json()
    assert result["status"] == 0 and result["retryable"] is False
    assert result["error"] is None and result["torrents"][0]["id"] == 1
    assert result["torrents"][0]["bytes_done"] == torrent.size
    commands(lab, torrent)
    run = lab.btc("verify", "--json")
    assert run.code == 0 and run.json()["status"] == 0, run
    with open(lab.path("out", "data.bin"), "r+b") as f:
        f.seek(300_000)
        f.write(b"\0" * 100)
    run = lab.btc("verify", "1", "--json")
    result = run.json()
    assert run.code == result["status"] == 8, run
    assert result["retryable"] is False and result["error"]["status"] == 8
    assert "resume" in result["error"]["message"], result
    good = lab.make_torrent(lab.make_data("good/good.bin", 100_000))
    assert lab.btc("get", good.path, "-d", lab.path("good")).code == 0
    run = lab.btc("verify")
    assert run.code == 8 and "good.bin" in run.err + run.out, run
    assert lab.btc("verify", "2").code == 0
    assert lab.btc("rm", "2").code == 0
    row = kit.progress(lab)
    assert row["pieces_done"] == torrent.piece_count - 1, row
    assert row["bytes_left"] == 65536, row
    assert lab.sql("SELECT bytes_done FROM file")[0][0] == torrent.size - 65536
    run = lab.btc("resume", "--json")
    assert run.code == 0, run
    torrent.check(lab.path("out"))
    kit.is_complete(lab, torrent)


def test_create_and_info(lab):
    """What create makes, others read; what others make, info reads."""
    for name, size in (("a", 100_000), ("b/c", 0), ("b/ä", 70_000)):
        lab.make_data("seed/folder/" + name, size, seed=size)
    tracker = lab.opentracker()
    out = lab.path("made.torrent")
    run = lab.btc("create", lab.path("seed", "folder"), "-o", out, "-t",
                  tracker.url, "-t", "http://b/announce,http://c/announce",
                  "-w", "http://d/", "-l", "32K", "--private", "--comment",
                  "hello", "--json")
    assert run.code == 0, run
    made = run.json()
    run = lab.btc("info", out, "--json")
    assert run.code == 0, run
    info = run.json()
    assert info["name"] == "folder" and info["info_hash_v2"] is None
    assert info["info_hash_v1"] == made["info_hash_v1"], (info, made)
    assert info["total_size"] == 170_000 and info["piece_length"] == 32768
    assert info["piece_count"] == 6 and info["private"] is True
    assert info["trackers"] == [[tracker.url],
                                ["http://b/announce", "http://c/announce"]]
    assert info["web_seeds"] == ["http://d/"] and info["comment"] == "hello"
    assert info["peers"] == [] and info["select_only"] == []
    assert [(f["path"], f["length"], f["pad"]) for f in info["files"]] == [
        ("folder/a", 100_000, False), ("folder/b/c", 0, False),
        ("folder/b/ä", 70_000, False)], info["files"]
    same = lab.make_torrent(lab.path("seed", "folder"), piece_length=32768,
                            private=True)
    assert info["info_hash_v1"] == same.info_hash
    same.path = out
    lab.libtorrent(same, seed=True).wait_ready()
    tracker.wait_seeds(same, 1)
    kit.get(lab, same)
    kit.is_complete(lab, same)
    run = lab.btc("info", same.magnet([tracker.url], ["10.77.0.9:1"]), "--json")
    assert run.code == 0, run
    info = run.json()
    assert info["info_hash_v1"] == same.info_hash and info["files"] == []
    assert info["total_size"] is None and info["private"] is None
    assert info["peers"] == ["10.77.0.9:1"]
    assert lab.btc("create", source_missing(lab), "-o", out).code in (3, 13)
    assert lab.btc("create", lab.path("seed", "folder"), "-o", out).code == 13


def source_missing(lab):
    return lab.path("seed", "nothing")


def test_statuses(lab):
    """One of each that can be had without much ado."""
    source = lab.make_data("seed/data.bin", 300_000)
    torrent = lab.make_torrent(source)
    bad = lab.path("bad.torrent")
    with open(bad, "wb") as f:
        f.write(b"d4:infod6:lengthi5eee")
    out = kit.folder(lab, "out")
    for args, code in (
            (("get", torrent.path, "-d", out, "--seed", "sometimes"), 2),
            (("get",), 2),
            (("nonsense",), 2),
            (("get", lab.path("none.torrent"), "-d", out), 3),
            (("get", bad, "-d", out), 4),
            (("get", torrent.path, "-d", out), 6),
            (("get", torrent.path, "-d", out, "--max-time", "1s", "--peer",
              "10.77.0.19:1"), (5, 6)),
            (("get", torrent.path, "-d", kit.folder(lab, "other")), 13),
            (("status", "17"), 3),
            (("pause", "ffff"), 3),
            (("get", torrent.path, bad, "-d", out, "--max-time", "1s"),
             (5, 6, 16))):
        run = lab.btc(*args)
        codes = code if isinstance(code, tuple) else (code,)
        assert run.code in codes, (args, run)
        assert "btc: " in run.err or " error: " in run.err, (args, run)
    run = lab.btc("resume", "--json", "--max-time", "1s")
    result = run.json()
    assert result["status"] == run.code and result["retryable"] is True, run
    assert result["error"]["retryable"] is True
    assert lab.btc("resume", db=lab.path("no.db")).code == 14
    assert lab.btc("status", db=bad).code == 14
    assert not os.path.exists(lab.path("no.db"))


module = lab
lab.main(__name__)
