#!/usr/bin/python3
"""btc serves the other clients: as a seed, while it still downloads, to itself."""
import os

import kit
import lab

PORT = 51000
BTC_IP = "10.77.0.20"
KINDS = ("transmission", "aria2", "libtorrent", "qbittorrent")


def seed(lab, torrent, *args, **options):
    """btc as a seed of data that is there already."""
    run = lab.start_btc("get", torrent.path, "-d",
                        os.path.dirname(torrent.source), "--seed", "forever",
                        "--port", str(PORT), *args, **options)
    lab.wait(lambda: not run.is_running() or kit.has_rows(lab) and
             lab.sql("SELECT * FROM progress WHERE state = 'seeding'"), 60,
             "btc to seed")
    assert run.is_running(), run.err()
    return run


def stop(lab, run):
    """Seeding has no end: an interruption is its way out."""
    code = run.stop()
    assert code in (0, 7), (code, run.err())


def serve(lab, kind):
    """One leecher, found through the tracker, of a seed that adopted its data."""
    tracker, torrent, _ = kit.swarm(lab, size=6_000_001)
    run = seed(lab, torrent)
    tracker.wait_seeds(torrent, 1)
    leech = getattr(lab, kind)(torrent).wait_done()
    torrent.check(leech.dir)
    row = kit.progress(lab)
    assert row["downloaded"] == 0, row
    lab.wait(lambda: kit.progress(lab)["uploaded"] >= torrent.size, 20,
             "the uploaded bytes in the journal")
    stop(lab, run)
    row = kit.progress(lab)
    assert row["ratio"] >= 1 and row["bytes_done"] == torrent.size, row
    peer = lab.sql("SELECT * FROM peer_list WHERE address = ?", leech.ip)[0]
    assert peer["bytes_up"] >= torrent.size, dict(peer)
    assert not peer["connected"], dict(peer)
    assert tracker.scrape(torrent)[1] <= 1  # only the leecher completed


def test_transmission(lab):
    serve(lab, "transmission")


def test_aria2(lab):
    serve(lab, "aria2")


def test_libtorrent(lab):
    serve(lab, "libtorrent")


def test_qbittorrent(lab):
    serve(lab, "qbittorrent")


def test_all_four(lab):
    """A folder of many files, to all at once."""
    for i in range(40):
        lab.make_data(f"seed/folder/d{i % 3}/{i}", 1 + (i * 40_009) % 300_000,
                      seed=i)
    tracker, torrent, _ = kit.swarm(lab, source=lab.path("seed", "folder"))
    run = seed(lab, torrent)
    tracker.wait_seeds(torrent, 1)
    leeches = [getattr(lab, kind)(torrent) for kind in KINDS]
    for leech in leeches:
        leech.wait_done()
        torrent.check(leech.dir)
    stop(lab, run)


def test_pads(lab):
    """Pads and empty files: what is served of a pad is zeros."""
    for name, size in (("a", 100_000), ("b/c", 0), ("b/d", 70_000), ("e", 1)):
        lab.make_data("seed/folder/" + name, size, seed=size)
    tracker = lab.opentracker()
    torrent = lab.make_torrent(lab.path("seed", "folder"), pad=True,
                               piece_length=32768, tiers=[[tracker.url]])
    run = seed(lab, torrent)
    tracker.wait_seeds(torrent, 1)
    leech = lab.libtorrent(torrent).wait_done()
    torrent.check(leech.dir)
    stop(lab, run)


def test_chain(lab):
    """seeder -> btc -> leechers that know of nobody but btc: it serves while it
    downloads."""
    source = lab.make_data("seed/data.bin", 4_000_001)
    torrent = lab.make_torrent(source, piece_length=65536)
    first = lab.aria2(torrent, seed=True, up_limit=300).wait_ready()
    run = lab.start_btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                        "--seed", "forever", "--port", str(PORT),
                        "--peer", f"{first.ip}:{first.port}")
    torrent.path = with_announce(lab, torrent, only_btc(lab))
    leeches = [getattr(lab, kind)(torrent) for kind in KINDS]
    early = set()

    def watch():
        here = kit.has_rows(lab) and kit.progress(lab)["percent"]
        done = [leech.downloaded() for leech in leeches]
        if here < 100:
            early.update(k for k, n in zip(KINDS, done) if n > 0)
        return here == 100
    lab.wait(watch, 60, "btc to have everything", 0.1)
    assert early == set(KINDS), f"served only when complete: {early}"
    for leech in leeches:
        leech.wait_done()
        torrent.check(leech.dir)
    torrent.check(lab.path("out"))
    stop(lab, run)


def only_btc(lab):
    """A tracker that knows btc and nobody else."""
    def answer(path, headers):
        body = b"d8:intervali60e5:peers6:" + bytes(
            int(x) for x in BTC_IP.split(".")) + PORT.to_bytes(2, "big") + b"e"
        return 200, {}, body
    return lab.http_server(answer) + "/announce"


def with_announce(lab, torrent, url):
    path = lab.path("chain.torrent")
    with open(path, "wb") as f:
        f.write(module.benc({"announce": url, "info": torrent.info}))
    return path


def test_btc_to_btc(lab):
    """Six of our own at once, from one seed."""
    tracker, torrent, _ = kit.swarm(lab, size=8_000_001)
    run = seed(lab, torrent, "--up", "4M")
    tracker.wait_seeds(torrent, 1)
    runs = []
    for i in range(6):
        ip = lab.next_ip()
        runs.append((ip, lab.start_btc(
            "get", torrent.path, "-d", kit.folder(lab, f"out{i}"), "--seed",
            "time:1s", ip=ip, db=lab.path(f"{i}.db"))))
    for i, (ip, r) in enumerate(runs):
        assert r.wait() == 0, r.err()
        torrent.check(lab.path(f"out{i}"))
    stop(lab, run)
    given = kit.progress(lab)["uploaded"]
    # They gave to each other, too.
    assert given < 5 * torrent.size, given


def test_goals(lab):
    """--seed time and ratio end by themselves."""
    tracker, torrent, _ = kit.swarm(lab, size=2_000_000)
    run = lab.btc("get", torrent.path, "-d", lab.path("seed"), "--seed",
                  "time:1s")
    assert run.code == 0 and run.seconds > 1, run
    run = lab.start_btc("resume", "1", "--seed", "ratio:1.5", "--port",
                        str(PORT))
    tracker.wait_seeds(torrent, 1)
    lab.libtorrent(torrent, peers=[(BTC_IP, PORT)]).wait_done().kill()
    assert run.is_running(), run.err()
    lab.aria2(torrent)
    assert run.wait(60) == 0, run.err()
    assert kit.progress(lab)["uploaded"] >= 3_000_000


module = lab
lab.main(__name__)
