#!/usr/bin/python3
"""Trackers that are odd and yet in use: each is asked as other clients ask it, and
what cannot be asked is told with the reason."""
import gzip
import socket
import sqlite3
import time

import lab as laboratory
from lab import benc
from tracker_kit import (IP, RawServer, Tracker, good, hang, out_of, setup,
                         trackers, with_tiers)


def test_unescaped_paths(lab):
    """Blanks, Cyrillic, an old character set in an announce URL: asked with
    escapes, from a torrent and from SQL alike. What is no URL is told."""
    torrent, seeder = setup(lab)
    tracker = Tracker(lab, lambda q: good((seeder.ip, seeder.port)))
    odd = [tracker.base + "/my tracker/announce?who=a b",
           tracker.base + "/путь/announce", "no url at all",
           "http://a b/announce"]
    path = with_tiers(lab, torrent, *[[u] for u in odd])
    info = lab.btc("info", "--json", path).json()
    urls = [u for tier in info["trackers"] for u in tier]
    assert urls == [tracker.base + "/my%20tracker/announce?who=a%20b",
                    tracker.base + "/%D0%BF%D1%83%D1%82%D1%8C/announce"], urls
    assert [(o["url"], o["why"]) for o in info["left_out"]] == [
        ("no url at all", "has no scheme, as in http://"),
        ("http://a b/announce", "has a blank in its host")], info["left_out"]
    assert "no url at all" in lab.btc("info", path).out
    run = lab.btc("get", path, "-d", out_of(lab), timeout=60)
    assert run.code == 0, run
    assert tracker.seen[0]["path"] == "/my%20tracker/announce"
    assert tracker.seen[0]["who"] == "a b", tracker.seen[0]
    told = [r["text"] for r in lab.sql("SELECT text FROM log WHERE kind ="
                                       " 'url-left-out' ORDER BY id")]
    assert len(told) == 2 and "no url at all" in told[0] and \
        "blank" in told[1], told


def test_unescaped_by_hand(lab):
    """The same by `btc set` and by SQL."""
    torrent, seeder = setup(lab)
    tracker = Tracker(lab, lambda q: good((seeder.ip, seeder.port)))
    path = with_tiers(lab, torrent)
    assert lab.btc("add", path, "-d", out_of(lab), "--paused").code == 0
    assert lab.btc("set", "1", "tracker=" + tracker.base + "/ä").code == 0
    assert list(trackers(lab)) == [tracker.base + "/%C3%A4"]
    assert lab.btc("set", "1", "tracker=http://a b/").code == 2
    with sqlite3.connect(lab.db) as link:
        link.execute("UPDATE tracker SET url = ?", (tracker.base + "/ö x",))
    run = lab.btc("resume", "1", timeout=60)
    assert run.code == 0, run
    assert tracker.seen[0]["path"] == "/%C3%B6%20x", tracker.seen[0]


# name: what comes, what the journal says of it
INSTEAD = {
    "page": (b"<html><title>Login</title><body>who are you?</body></html>",
             "web page (HTML), not a reply: Login who are you?"),
    "notice": (b"<br />\n<b>Notice</b>: Undefined index \x1b[31min /a.php",
               "not bencoded: Notice : Undefined index"),
    "text": (b"tracker is down, see news", "tracker is down, see news"),
    "gzip": (gzip.compress(good()), "gzip data that is not labelled so"),
    "binary": (b"\x00\x01\x1b\xff" * 1000, "binary data (hex 00011bff"),
    "status": ((503, {}, b"<h1>Come back later</h1>"),
               "HTTP status 503: Come back later"),
}


def test_what_came_instead(lab):
    """The first words of a page, a notice, a text stand in the journal and in
    the log; of what is no text, what it is. A terminal obeys none of it."""
    torrent, seeder = setup(lab)
    bad = {name: Tracker(lab, lambda q, r=reply: r)
           for name, (reply, _) in INSTEAD.items()}
    path = with_tiers(lab, torrent, *[[t.url] for t in bad.values()])
    daemon = lab.start_btc("daemon")
    run = lab.btc("add", path, "-d", out_of(lab))
    assert run.code == 0, run
    lab.wait(lambda: trackers(lab) and all(
        r["error"] for r in trackers(lab).values()), what="all answers")
    rows, log = trackers(lab), lab.btc("log", "1").out
    for name, (_, words) in INSTEAD.items():
        error = rows[bad[name].url]["error"]
        assert words in error, (name, error)
        assert words in log, (name, log)
    shown = log + lab.btc("trackers", "1").out + lab.btc("why", "1").out
    assert "\x1b" not in shown and "\x00" not in shown
    assert daemon.stop() in (0, 7)
    seeder.close()


def test_next_run_waits(lab):
    """`until btc resume` does not hammer: what a tracker said ("retry in",
    "never") and our own back-off hold for the next run. `btc start` asks those
    that may be asked."""
    torrent, seeder = setup(lab)
    later = Tracker(lab, lambda q: benc({"failure reason": "busy",
                                         "retry in": 60}))
    never = Tracker(lab, lambda q: benc({"failure reason": "go",
                                         "retry in": "never"}))
    broken = Tracker(lab, lambda q: (500, {}, b"oops"))
    path = with_tiers(lab, torrent, [later.url], [never.url], [broken.url])
    run = lab.btc("get", path, "-d", out_of(lab), "--max-time", "1s")
    assert run.code == 5, run
    counts = [len(t.seen) for t in (later, never, broken)]
    assert counts[:2] == [1, 1] and counts[2] >= 1, counts
    row = trackers(lab)[broken.url]
    assert row["failures"] >= 1 and row["state"] == "failing", dict(row)
    begin = time.time()
    for _ in range(5):
        assert lab.btc("resume", "--max-time", "500ms").code in (5, 6)
    if time.time() < row["next_announce"]:
        assert len(broken.seen) == counts[2], broken.seen
    assert [len(later.seen), len(never.seen)] == [1, 1]
    assert len(broken.seen) - counts[2] <= 1, (broken.seen, time.time() - begin)
    assert "busy" in trackers(lab)[later.url]["error"]
    said = len(lab.sql("SELECT 1 FROM log WHERE kind = 'tracker' AND text LIKE"
                       " '%busy%'"))
    assert said == 1, said
    daemon = lab.start_btc("daemon")
    lab.wait(lambda: lab.sql("SELECT 1 FROM run WHERE ended_at IS NULL"))
    lab.wait(lambda: lab.sql("SELECT 1 FROM progress WHERE state ="
                             " 'downloading'"))
    assert lab.btc("start", "1").code == 0
    lab.wait(lambda: len(never.seen) == 2, what="the tracker that said never")
    assert len(later.seen) == 1
    assert daemon.stop() in (0, 7)
    seeder.close()


def test_retry_after(lab):
    """So is what HTTP says (Retry-After), in seconds or as a date: neither this
    run nor the next asks before. A BOM and blank lines in front of a reply are
    passed over."""
    torrent, seeder = setup(lab)
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 7200))
    busy = Tracker(lab, lambda q: (429, {"Retry-After": "3600"}, b"slow down"))
    down = Tracker(lab, lambda q: (503, {"Retry-After": date}, b""))
    path = with_tiers(lab, torrent, [busy.url], [down.url])
    for _ in range(2):
        run = lab.btc("get", path, "-d", out_of(lab), "--max-time", "1s")
        assert run.code in (5, 6), run
    rows = trackers(lab)
    for tracker, wait in (busy, 3600), (down, 7200):
        row = rows[tracker.url]
        assert abs(row["next_announce"] - time.time() - wait) < 60, dict(row)
        assert len(tracker.seen) == 1, tracker.seen
    assert rows[busy.url]["error"] == "HTTP status 429: slow down", rows
    odd = Tracker(lab, lambda q: b"\xef\xbb\xbf\r\n" + good(
        (seeder.ip, seeder.port)))
    assert lab.btc("set", "1", "tracker=" + odd.url).code == 0
    run = lab.btc("resume", timeout=60)
    assert run.code == 0, run
    seeder.close()


def test_silent_hosts(lab):
    """Seventy torrents on hosts that take the question and say nothing do not
    keep a good tracker waiting, and ask them one at a time."""
    torrent, seeder = setup(lab)
    silent, deaf = RawServer(hang), socket.socket(socket.AF_INET,
                                                  socket.SOCK_DGRAM)
    deaf.bind((IP, 0))
    deaf.setblocking(False)
    udp = f"udp://{IP}:{deaf.getsockname()[1]}/announce"
    tracker = Tracker(lab, lambda q: good((seeder.ip, seeder.port)))
    many = []
    for i in range(140):
        data = lab.make_data(f"seed/{i}.bin", 20000, seed=i)
        url = silent.url if i % 2 else udp
        many.append(lab.make_torrent(data, piece_length=16384,
                                     tiers=[[url]]).path)
    assert lab.btc("add", *many, "-d", out_of(lab)).code == 0
    path = with_tiers(lab, torrent, [tracker.url])
    assert lab.btc("add", path, "-d", out_of(lab)).code == 0
    daemon = lab.start_btc("daemon", "--no-dht")
    begin = time.monotonic()
    lab.wait(lambda: tracker.seen, what="the good tracker")
    assert time.monotonic() - begin < 15, time.monotonic() - begin
    lab.wait(lambda: lab.sql("SELECT 1 FROM progress WHERE id = 141 AND"
                             " percent = 100"), what="the download")
    time.sleep(1)
    senders = set()
    while True:
        try:
            senders.add(deaf.recvfrom(65536)[0][12:16])
        except BlockingIOError:
            break
    assert silent.n == 1 and len(senders) == 1, (silent.n, len(senders))
    assert daemon.stop() in (0, 7)
    seeder.close()
    deaf.close()


laboratory.main(__name__)
