#!/usr/bin/env python3
"""Beside a private torrent (BEP 27) no packet of the DHT, of peer exchange or
of local discovery leaves; beside a public one they all do."""
import capture
import dht_kit
import kit
import lab

ME, PORT = "10.77.0.20", 6991
OTHERS = {"dht", "lsd", "group", "pex", "port"}


def add(lab, torrent, **options):
    run = lab.btc("add", torrent.path, "-d", kit.folder(lab, "out"), "--seed",
                  "forever", **options)
    assert run.code == 0, run
    lab.wait(lambda: kit.has_rows(lab)
             and kit.progress(lab, torrent)["state"] == "seeding", 60,
             "the download")


def test_packets(lab):
    """Every way leads to peers. A private torrent is fetched and served for ten
    seconds; only then a public one comes, and shows that all would be seen."""
    tracker = lab.opentracker()
    both = [lab.make_torrent(lab.make_data(f"seed/{n}.bin", 1_000_001, seed=n),
                             piece_length=32768, private=n == 0,
                             tiers=[[tracker.url]], out=lab.path(f"{n}.torrent"))
            for n in range(2)]
    router = dht_kit.node(lab)
    for torrent in both:
        lab.libtorrent(torrent, seed=True,
                       ways=["lsd", "dht", "pex"]).wait_ready()
        tracker.wait_seeds(torrent, 1)
    ears = capture.Capture()
    daemon = lab.start_btc("daemon", "--dht-bootstrap", dht_kit.entry(router),
                           "--allow-local", "--port", str(PORT), ip=ME,
                           lsd=True)
    add(lab, both[0])
    assert dht_kit.ping((ME, PORT)) is None, "a node answers"
    leech = lab.libtorrent(both[0], down_limit=100, ways=["lsd", "dht", "pex"])
    leech.wait_done()
    assert "tcp" in ears.kinds(ME), ears.kinds(ME)
    assert not ears.kinds(ME) & OTHERS, ears.kinds(ME)
    ways = lab.btc("why", "1", "--json").json()["ways"]
    assert [w["is_on"] for w in ways] == [0, 0, 0], ways
    add(lab, both[1])
    lab.wait(lambda: ears.kinds(ME) >= OTHERS - {"group"}, 60,
             "all kinds of packets")
    assert dht_kit.ping((ME, PORT))[b"y"] == b"r"
    assert daemon.stop() == 0
    ears.close()


lab.main(__name__)
