#!/usr/bin/python3
"""btc downloads from each of the other clients, found through opentracker."""
import kit
import lab


def one(lab, kind):
    tracker, torrent, _ = kit.swarm(lab, kind)
    kit.get(lab, torrent)
    kit.is_complete(lab, torrent)
    _, downloads, _ = tracker.scrape(torrent)
    assert downloads == 1, "the tracker was not told of the completion"


def test_transmission(lab):
    one(lab, "transmission")


def test_aria2(lab):
    one(lab, "aria2")


def test_libtorrent(lab):
    one(lab, "libtorrent")


def test_qbittorrent(lab):
    one(lab, "qbittorrent")


def test_all_four(lab):
    """Every seeder gives a part. Transmission unchokes a newcomer only every
    10 s: the others are slow enough to leave something for it."""
    _, torrent, seeds = kit.swarm(lab, "transmission", "aria2", "libtorrent",
                                  "qbittorrent", size=40_000_001,
                                  piece_length=262144, up_limit=1000)
    kit.get(lab, torrent)
    kit.is_complete(lab, torrent)
    peers = {p["address"]: p for p in lab.sql("SELECT * FROM peer_list")}
    given = {s.name: peers[s.ip]["bytes_down"] for s in seeds}
    assert all(given.values()), given
    assert sum(given.values()) >= torrent.size, given


def test_super_seed(lab):
    """The only seed shows one piece after the other, the next one to whoever has
    told that he has the last (BEP 16). It begins after ten seconds."""
    _, torrent, _ = kit.swarm(lab, "libtorrent", size=4_000_001,
                              piece_length=32768, super_seed=True)
    run = lab.btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                  "--max-time", "40")
    assert run.code == 0, run
    torrent.check(lab.path("out"))


lab.main(__name__)
