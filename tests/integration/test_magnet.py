#!/usr/bin/env python3
"""Magnets: the metadata and the data from each of the other clients, and theirs
from btc."""
import os

import capture
import kit
import lab
import wire


ME = "10.77.0.20"
lab_benc = lab.benc  # `lab` is an argument below


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
    """Nothing but x.pe. The connection that brings the metadata brings the data,
    too: no peer is greeted twice."""
    torrent, seed = seed_of(lab, kind)
    ears = capture.Capture()
    magnet_get(lab, torrent.magnet(peers=[f"{seed.ip}:{seed.port}"]),
               "--max-time", "60")
    torrent.check(lab.path("out"))
    ears.close()
    assert ears.greeted(seed.ip, ME) == 1, ears.hellos
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


def by_udp(lab, kind):
    """Nothing but a UDP tracker, which knows a seeder of that kind."""
    data = lab.make_data("seed/data.bin", 2_000_001)
    tracker = lab.opentracker()
    torrent = lab.make_torrent(data, piece_length=32768,
                               tiers=[[tracker.udp_url]])
    # aria2 speaks to UDP trackers only while its DHT is on.
    getattr(lab, kind)(torrent, seed=True, ways=["dht"]).wait_ready()
    tracker.wait_seeds(torrent, 1)
    magnet_get(lab, torrent.magnet([tracker.udp_url]), "--max-time", "60")
    torrent.check(lab.path("out"))
    sources = {r["source"] for r in lab.sql("SELECT source FROM peer_list")}
    assert "tracker" in sources, sources


def test_udp_libtorrent(lab):
    by_udp(lab, "libtorrent")


def test_udp_transmission(lab):
    by_udp(lab, "transmission")


def test_udp_aria2(lab):
    by_udp(lab, "aria2")


def test_udp_qbittorrent(lab):
    by_udp(lab, "qbittorrent")


def leech_of(lab, kind):
    """A client of another make gets metadata and data from btc."""
    data = lab.make_data("seed/data.bin", 2_000_001)
    torrent = lab.make_torrent(data, piece_length=32768)
    tracker = lab.opentracker()
    whole = lab.make_torrent(data, piece_length=32768, tiers=[[tracker.url]],
                             out=lab.path("whole.torrent"))
    seed = lab.start_btc("get", whole.path, "-d", os.path.dirname(data),
                         "--seed", "forever")
    tracker.wait_seeds(torrent, 1)
    peer = getattr(lab, kind)(torrent, magnet=torrent.magnet([tracker.url]))
    peer.wait_done()
    torrent.check(peer.dir)
    assert seed.stop() == 0


def test_leech_libtorrent(lab):
    leech_of(lab, "libtorrent")


def test_leech_transmission(lab):
    leech_of(lab, "transmission")


def test_leech_aria2(lab):
    leech_of(lab, "aria2")


def test_leech_qbittorrent(lab):
    leech_of(lab, "qbittorrent")


class Meta(wire.Seeder):
    """Serves metadata too, up to `limit` pieces, then it is silent."""
    limit, asked, reserved = 99, None, wire.BOTH

    def greet(self, w):
        self.asked = self.asked or []
        self.info = lab_benc(self.torrent.info)
        w.send(wire.EXTENDED, b"\0" + lab_benc(
            {"m": {"ut_metadata": 3}, "metadata_size": len(self.info)}))
        super().greet(w)

    def on_message(self, w, kind, body):
        if kind == wire.EXTENDED and body[0] == 3:
            piece = int(body.split(b"5:piecei")[1].split(b"e")[0])
            self.asked.append(piece)
            if len(self.asked) > self.limit:
                return
            w.send(wire.EXTENDED, b"\1" + lab_benc(
                {"msg_type": 1, "piece": piece,
                 "total_size": len(self.info)})
                + self.info[piece * 16384:piece * 16384 + 16384])
        else:
            super().on_message(w, kind, body)


def test_killed_in_metadata(lab):
    """kill -9 with two of five pieces: the rest is asked for, and no more."""
    data = lab.make_data("seed/data.bin", 3_500_000)
    torrent = lab.make_torrent(data, piece_length=1024)
    first = Meta(torrent, lab.next_ip())
    first.limit = 2
    program = lab.start_btc("get", torrent.magnet(peers=[first.address]), "-d",
                            kit.folder(lab, "out"))
    lab.wait(lambda: len(lab.sql("SELECT * FROM metadata_piece")) == 2, 20)
    program.kill()
    first.close()
    here = {r["piece"] for r in lab.sql("SELECT piece FROM metadata_piece")}
    assert kit.progress(lab)["percent"] > 30, kit.progress(lab)
    assert "no pieces are known yet" in lab.btc("pieces", "1").out
    second = Meta(torrent, lab.next_ip())
    run = lab.btc("resume", "--peer", second.address, "--max-time", "60")
    assert run.code == 0, run
    torrent.check(lab.path("out"))
    n = (len(lab_benc(torrent.info)) + 16383) // 16384
    assert sorted(second.asked) == sorted(set(range(n)) - here), second.asked


def test_pex(lab):
    """A peer without a byte tells of the seed; the source is shown."""
    data = lab.make_data("seed/data.bin", 1_000_001)
    torrent = lab.make_torrent(data, piece_length=32768)
    seed = lab.libtorrent(torrent, seed=True)
    seed.wait_ready()
    middle = lab.libtorrent(torrent, down_limit=1,
                            peers=[(seed.ip, seed.port)])
    magnet_get(lab, torrent.magnet(peers=[f"{middle.ip}:{middle.port}"]),
               "--max-time", "150", timeout=200)
    torrent.check(lab.path("out"))
    sources = {r["address"]: r["source"] for r in
               lab.sql("SELECT address, source FROM peer_list")}
    assert sources.get(seed.ip) == "pex", sources


lab.main(__name__)
