#!/usr/bin/python3
"""Many torrents: what they cost is counted, never timed."""
import hashlib
import os

import lab as laboratory
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
    assert daemon.stop() in (0, 7)


laboratory.main(__name__)
