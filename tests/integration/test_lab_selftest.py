#!/usr/bin/python3
"""The lab itself: each client leeches from another one through opentracker."""
import os
import pathlib

import lab


def swarm(lab, seeder, leecher, **options):
    """One torrent from a seeder to a leecher, through the tracker."""
    source = lab.make_data("seed/data.bin", 3_000_001, seed=7)
    tracker = lab.opentracker()
    torrent = lab.make_torrent(source, piece_length=65536,
                               tiers=[[tracker.url]], **options)
    assert tracker.scrape(torrent) == (0, 0, 0)
    seeds = seeder(torrent, seed=True).wait_ready()
    tracker.wait_seeds(torrent, 1)
    leeches = leecher(torrent).wait_done()
    torrent.check(leeches.dir)
    assert torrent.good_pieces(leeches.dir) == set(range(torrent.piece_count))
    lab.wait(lambda: seeds.uploaded() >= torrent.size, 20, "upload to count")


def test_transmission_to_aria2(lab):
    swarm(lab, lab.transmission, lab.aria2)


def test_aria2_to_libtorrent(lab):
    swarm(lab, lab.aria2, lab.libtorrent, private=True)


def test_libtorrent_to_qbittorrent(lab):
    swarm(lab, lab.libtorrent, lab.qbittorrent)


def test_qbittorrent_to_transmission(lab):
    swarm(lab, lab.qbittorrent, lab.transmission)


def test_folder_with_pads(lab):
    """A folder with an empty file and padding, over a magnet link."""
    for name, size in (("a", 100_000), ("b/c", 0), ("b/d", 70_000), ("e", 1)):
        lab.make_data("seed/folder/" + name, size, seed=size)
    tracker = lab.opentracker()
    torrent = lab.make_torrent(lab.path("seed", "folder"), pad=True,
                               piece_length=32768, tiers=[[tracker.url]])
    assert sum(f.pad for f in torrent.files) == 2
    lab.libtorrent(torrent, seed=True).wait_ready()
    tracker.wait_seeds(torrent, 1)
    leeches = lab.transmission(torrent, dir=lab.path("out"))
    leeches.wait_done()
    everything = set(range(torrent.piece_count))
    assert torrent.good_pieces(leeches.dir) == everything
    pathlib.Path(leeches.dir, "folder", "a").write_bytes(b"x")
    assert torrent.good_pieces(leeches.dir) == everything - {0, 1, 2, 3}


def test_up_limit(lab):
    """A limited seeder leaves time to look at a download in the middle."""
    source = lab.make_data("seed/data.bin", 4 << 20)
    tracker = lab.opentracker()
    torrent = lab.make_torrent(source, piece_length=65536,
                               tiers=[[tracker.url]])
    lab.transmission(torrent, seed=True, up_limit=512).wait_ready()
    tracker.wait_seeds(torrent, 1)
    leeches = lab.libtorrent(torrent)
    some = lab.wait(lambda: torrent.good_pieces(leeches.dir), 30, "a piece")
    assert leeches.progress() < 1 and len(some) < torrent.piece_count
    leeches.kill()
    assert some <= torrent.good_pieces(leeches.dir)


def test_http_server(lab):
    seen = []

    def answer(path, headers):
        seen.append((path, headers["Host"]))
        return 200, {"X-Test": "1"}, b"hello"
    url = lab.http_server(answer)
    assert lab_module.fetch(url + "/x?y=1") == b"hello"
    assert seen[0][0] == "/x?y=1"


def test_tmpfs(lab):
    small = lab.mount_tmpfs("small", 1 << 20)
    try:
        pathlib.Path(small, "big").write_bytes(bytes(2 << 20))
        raise AssertionError("2 MiB fit into 1 MiB")
    except OSError as e:
        assert e.errno == 28
    assert os.statvfs(small).f_blocks * os.statvfs(small).f_frsize == 1 << 20


lab_module = lab
lab.main(__name__)
