#!/usr/bin/python3
"""Many torrents: what they cost is counted, never timed."""
import hashlib
import os
import re
import sqlite3

import lab as laboratory
import wire
from lab import benc
from tracker_kit import RawServer, Tracker, good, out_of

COUNT = 300
PATIENCE = 180  # seconds; a busy machine takes its time


def add_many(lab, url):
    """COUNT torrents of one small file, all of one tracker; how it ended."""
    paths = []
    os.makedirs(lab.path("torrents"), exist_ok=True)
    for i in range(COUNT):
        info = {"name": f"t{i}.bin", "piece length": 16384, "length": 100,
                "pieces": hashlib.sha1(b"%d" % i).digest()}
        paths.append(lab.path("torrents", f"t{i}.torrent"))
        with open(paths[-1], "wb") as f:
            f.write(benc({"announce": url, "info": info}))
    return lab.btc("add", *paths, "-d", out_of(lab))


def states(lab):
    return {r["state"]: r["n"] for r in lab.sql(
        "SELECT state, count(*) AS n FROM tracker GROUP BY state")}


HEAP = 64 << 20  # what glibc reserves for the heap of a thread


def thread_heaps(pid):
    """Heaps beside the first one: what a thread frees there helps no other."""
    found, begin, end = 0, 0, 0
    with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
        for line in f:
            span, access = line.split()[:2]
            start, stop = (int(at, 16) for at in span.split("-"))
            if access == "---p" and start == end and stop - begin == HEAP:
                found += begin % HEAP == 0
            begin, end = start, stop
    return found


def test_tracker_is_gone(lab):
    """A tracker that takes connections and closes them is not asked by each
    torrent: all of them know what became of the first few."""
    server = RawServer(lambda sock: sock.close())
    assert add_many(lab, server.url).code == 0
    assert lab.sql("SELECT count(*) AS n FROM progress")[0]["n"] == COUNT
    daemon = lab.start_btc("daemon")
    lab.wait(lambda: states(lab) == {"failing": COUNT}, what="all failures",
             timeout=PATIENCE)
    assert 0 < server.n <= COUNT // 5, server.n
    errors = {r["error"] for r in lab.sql("SELECT error FROM tracker")}
    # Closed before or behind the request: curl names the two differently.
    assert 1 <= len(errors) <= 2 and None not in errors, errors
    assert daemon.stop() in (0, 7)


def test_tracker_answers(lab):
    """One that answers is asked by every torrent, once for each."""
    tracker = Tracker(lab, lambda q: good())
    assert add_many(lab, tracker.url).code == 0
    daemon = lab.start_btc("daemon")
    lab.wait(lambda: states(lab) == {"working": COUNT}, what="all answers",
             timeout=PATIENCE)
    hashes = [s["info_hash"] for s in tracker.seen]
    assert len(hashes) == COUNT and len(set(hashes)) == COUNT, len(hashes)
    assert thread_heaps(daemon.pid) == 0
    assert daemon.stop() in (0, 7)


# --- info dictionaries ---

WIDE, PIECES = 40, 4000  # torrents, each with digests of 80 KB
UT_METADATA = 7
PORT = 51000


def add_wide(lab):
    """The info dictionaries of WIDE torrents, by info hash."""
    infos, paths = {}, []
    os.makedirs(lab.path("wide"), exist_ok=True)
    for i in range(WIDE):
        info = benc({"name": f"w{i}.bin", "piece length": 16384,
                     "length": 16384 * PIECES, "pieces": os.urandom(20) * PIECES})
        infos[hashlib.sha1(info).hexdigest()] = info
        paths.append(lab.path("wide", f"w{i}.torrent"))
        with open(paths[-1], "wb") as f:
            f.write(b"d4:info" + info + b"e")
    assert lab.btc("add", *paths, "-d", out_of(lab)).code == 0
    return infos


class Asker:
    """A peer that asks for all metadata of a torrent: `data`, None when it is
    refused."""

    def __init__(self, ip, info_hash, size):
        self.info_hash = info_hash
        w = wire.connect(laboratory.ADDRESSES[-1], PORT, self, ip,
                         reserved=wire.BOTH)
        w.send(wire.EXTENDED, b"\0" + benc({"m": {"ut_metadata": UT_METADATA}}))
        _, hello = w.wait_for(wire.EXTENDED)
        self.id = int(re.search(rb"11:ut_metadatai(\d+)e", hello)[1])
        parts = []
        for piece in range(-(-size // 16384)):
            parts.append(self.ask(w, piece))
        self.data = None if None in parts else b"".join(parts)
        w.close()

    def ask(self, w, piece):
        w.send(wire.EXTENDED, bytes([self.id]) +
               benc({"msg_type": 0, "piece": piece}))
        while True:
            _, body = w.wait_for(wire.EXTENDED)
            if body[0] == UT_METADATA and b"5:piecei%de" % piece in body:
                head, data = body.split(b"ee", 1)
                return data if b"msg_typei1e" in head else None


def ask_all(lab, infos):
    """How many served right, and how many refused."""
    right = refused = 0
    ip = lab.next_ip()
    for info_hash, info in infos.items():
        data = Asker(ip, info_hash, len(info)).data
        assert data in (None, info), info_hash
        right += data == info
        refused += data is None
    return right, refused


def test_info_is_read_when_needed(lab):
    """Of many torrents only a few info dictionaries stay in memory; the others
    are read from the journal for a peer that asks, and never given when they
    are not what they were."""
    infos = add_wide(lab)
    daemon = lab.start_btc("daemon", "--port", str(PORT))
    lab.wait(lambda: lab.sql("SELECT count(*) AS n FROM progress WHERE state"
                             " = 'downloading'")[0]["n"] == WIDE,
             what="all to run", timeout=PATIENCE)
    with sqlite3.connect(lab.db, timeout=10) as db:
        db.execute("CREATE TABLE aside AS SELECT * FROM metainfo")
        db.execute("UPDATE metainfo SET info = zeroblob(length(info))")
    right, refused = ask_all(lab, infos)
    assert 1 <= right <= WIDE // 2 <= refused, (right, refused)
    with sqlite3.connect(lab.db, timeout=10) as db:
        db.execute("UPDATE metainfo SET info = (SELECT info FROM aside WHERE"
                   " aside.torrent_id = metainfo.torrent_id)")
        db.execute("DROP TABLE aside")
    assert ask_all(lab, infos) == (WIDE, 0)
    assert daemon.stop() in (0, 7)


def test_digests_are_read_when_needed(lab):
    """A piece is hashed although its digest was not in memory any more."""
    add_wide(lab)
    torrent = lab.make_torrent(lab.make_data(lab.path("last.bin"), 3_000_001),
                               piece_length=16384)
    assert lab.btc("add", torrent.path, "-d", out_of(lab)).code == 0
    daemon = lab.start_btc("daemon")
    lab.wait(lambda: lab.sql("SELECT count(*) AS n FROM progress WHERE state"
                             " = 'downloading'")[0]["n"] == WIDE + 1,
             what="all to run", timeout=PATIENCE)
    seeder = wire.Seeder(torrent, lab.next_ip())
    with sqlite3.connect(lab.db, timeout=10) as db:
        db.execute("INSERT INTO peer (torrent_id, address, port, source)"
                   " SELECT id, ?, ?, 'user' FROM torrent WHERE name ="
                   " 'last.bin'", (seeder.ip, seeder.port))
    lab.wait(lambda: lab.sql("SELECT state FROM progress WHERE name ="
                             " 'last.bin'")[0]["state"] in
             ("seeding", "complete"), what="the download", timeout=PATIENCE)
    torrent.check(out_of(lab))
    assert daemon.stop() in (0, 7)
    seeder.close()


laboratory.main(__name__)
