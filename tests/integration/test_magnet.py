#!/usr/bin/env python3
"""Magnets: the metadata and the data from each of the other clients, and theirs
from btc."""
import json
import os

import kit
import lab
import wire


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


LT_NODE = r"""
import json, sys, time
import libtorrent as lt
c = json.loads(sys.argv[1])
s = lt.session({
    "listen_interfaces": f"{c['ip']}:{c['port']}", "enable_dht": True,
    "outgoing_interfaces": c["ip"],
    "enable_lsd": False, "enable_natpmp": False, "enable_upnp": False,
    "dht_bootstrap_nodes": c["bootstrap"], "dht_restrict_routing_ips": False,
    "dht_restrict_search_ips": False, "dht_ignore_dark_internet": False,
    "dht_prefer_verified_node_ids": False, "dht_enforce_node_id": False,
    "dht_announce_interval": 5, "dht_privacy_lookups": False,
    "allow_multiple_connections_per_ip": True})
for host, port in c["nodes"]:
    s.add_dht_node((host, port))
if c["torrent"]:
    p = lt.add_torrent_params()
    p.ti = lt.torrent_info(c["torrent"])
    p.save_path = c["dir"]
    h = s.add_torrent(p)
while True:
    time.sleep(0.2)
    if c["torrent"] and h.status().is_seeding:
        h.force_dht_announce()
        time.sleep(2)
    st = s.status()
    print(st.dht_nodes, flush=True)
"""


def dht_node(lab, nodes=(), torrent=None, ip=None):
    """A node of a private DHT, by libtorrent; with a torrent it seeds."""
    ip = ip or lab.next_ip()
    config = {"ip": ip, "port": 6881, "nodes": list(nodes), "bootstrap": "",
              "torrent": torrent and torrent.path,
              "dir": torrent and os.path.dirname(torrent.source)}
    program = lab.start(f"node-{ip}", ["/usr/bin/python3", "-c", LT_NODE,
                                       json.dumps(config)])
    program.address = (ip, 6881)
    return program


def test_dht(lab):
    """Nothing but the DHT; then, by the nodes of the database, without a
    bootstrap host."""
    data = lab.make_data("seed/data.bin", 2_000_001)
    torrent = lab.make_torrent(data, piece_length=32768)
    router = dht_node(lab)
    more = [dht_node(lab, [router.address]) for _ in range(3)]
    seed = dht_node(lab, [router.address], torrent)
    lab.wait(lambda: any(line not in ("", "0")
                         for line in seed.out().split("\n")), 30, "DHT nodes")
    magnet_get(lab, torrent.magnet(), "--dht-bootstrap", "%s:%d" %
               router.address, "--max-time", "90")
    torrent.check(lab.path("out"))
    sources = {r["source"] for r in lab.sql("SELECT source FROM peer_list")}
    assert "dht" in sources, sources
    lab.wait(lambda: lab.sql("SELECT * FROM dht_node"), 10, "saved nodes")
    ways = {w["way"]: w for w in lab.btc("why", "1", "--json").json()["ways"]}
    assert ways["dht"]["is_on"] == 1 and ways["lsd"]["is_on"] == 0, ways
    assert ways["dht"]["nodes"] >= ways["dht"]["good_nodes"] > 0, ways
    assert ways["dht"]["peers"] >= 1 and ways["dht"]["found"] >= 1, ways
    own = lab.sql("SELECT node_id FROM reach WHERE way = 'dht4'")[0][0]
    run = lab.btc("rm", "-y", "1")
    assert run.code == 0, run
    run = lab.btc("get", torrent.magnet(), "-d", kit.folder(lab, "second"),
                  "--max-time", "60")
    assert run.code == 0, run
    torrent.check(lab.path("second"))
    assert lab.sql("SELECT node_id FROM reach WHERE way = 'dht4'")[0][0] == own
    del more


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


def test_private_is_silent(lab):
    """Beside a private torrent nothing is looked for in the DHT, and no peer
    exchange is offered."""
    data = lab.make_data("seed/data.bin", 500_001)
    torrent = lab.make_torrent(data, piece_length=32768, private=True)
    router = dht_node(lab)
    lab.wait(router.out, 20, "the node")
    seed = Meta(torrent, lab.next_ip())
    said = []
    take = seed.on_message
    seed.on_message = lambda w, kind, body: (
        said.append((kind, body)), take(w, kind, body))
    run = lab.btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                  "--dht-bootstrap", "%s:%d" % router.address,
                  "--peer", seed.address)
    assert run.code == 0, run
    hello = [body for kind, body in said if kind == wire.EXTENDED][0]
    assert b"ut_metadata" in hello and b"ut_pex" not in hello, hello
    assert wire.PORT not in [kind for kind, _ in said]
    assert not lab.sql("SELECT * FROM log WHERE kind = 'dht'")


lab.main(__name__)
