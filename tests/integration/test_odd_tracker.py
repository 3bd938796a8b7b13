#!/usr/bin/python3
"""Trackers that are odd and yet in use: each is asked as other clients ask it, and
what cannot be asked is told with the reason."""
import sqlite3

import lab as laboratory
from tracker_kit import (Tracker, good, out_of, setup, trackers, with_tiers)


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


laboratory.main(__name__)
