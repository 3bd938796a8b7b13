#!/usr/bin/env python3
"""Magnets: the metadata and the data from each of the other clients, and theirs
from btc."""
import os

import kit
import lab


def magnet_get(lab, link, *args, code=0, **options):
    run = lab.btc("get", link, "-d", kit.folder(lab, "out"), "--progress",
                  "plain", *args, **options)
    assert run.code == code, run
    return run


def seed_of(lab, kind, size=3_000_001, **options):
    data = lab.make_data("seed/data.bin", size)
    torrent = lab.make_torrent(data, piece_length=32768)
    seed = getattr(lab, kind)(torrent, seed=True, **options)
    seed.wait_ready()
    return torrent, seed


def by_peer(lab, kind):
    """Nothing but x.pe."""
    torrent, seed = seed_of(lab, kind)
    magnet_get(lab, torrent.magnet(peers=[f"{seed.ip}:{seed.port}"]),
               "--max-time", "60")
    torrent.check(lab.path("out"))
    row = kit.is_complete(lab, torrent)
    assert row["name"] == "data.bin", row
    assert not lab.sql("SELECT * FROM magnet")
    assert not lab.sql("SELECT * FROM metadata_piece")


def test_peer_libtorrent(lab):
    by_peer(lab, "libtorrent")


def test_peer_transmission(lab):
    by_peer(lab, "transmission")


def test_peer_aria2(lab):
    by_peer(lab, "aria2")


def test_peer_qbittorrent(lab):
    by_peer(lab, "qbittorrent")


lab.main(__name__)
