#!/usr/bin/env python3
"""The DHT with nodes of other makes: looked up, announced to, kept for the next
run, told of by PORT messages, over IPv4 and IPv6."""
import os
import pathlib
import socket
import subprocess

import dht_kit
import kit
import lab
import wire

lab_benc = lab.benc  # `lab` is an argument below


def make(lab):
    data = lab.make_data("seed/data.bin", 2_000_001)
    return lab.make_torrent(data, piece_length=32768)


def get(lab, torrent, *args, out="out", **options):
    run = lab.btc("get", torrent.magnet(), "-d", kit.folder(lab, out),
                  "--max-time", "90", *args, **options)
    assert run.code == 0, run
    torrent.check(lab.path(out))
    return run


def sources(lab):
    return {r["source"] for r in lab.sql("SELECT source FROM peer_list")}


def test_second_run(lab):
    """Nothing but the DHT; then, by the nodes of the database, without a
    bootstrap host and under the same id."""
    torrent = make(lab)
    router = dht_kit.node(lab)
    dht_kit.node(lab, [router.address], n=3)
    seed = dht_kit.node(lab, [router.address], torrent)
    lab.wait(lambda: dht_kit.has_nodes(seed), 30, "DHT nodes")
    get(lab, torrent, "--dht-bootstrap", dht_kit.entry(router))
    assert "dht" in sources(lab), sources(lab)
    lab.wait(lambda: lab.sql("SELECT * FROM dht_node"), 10, "saved nodes")
    ways = {w["way"]: w for w in lab.btc("why", "1", "--json").json()["ways"]}
    assert ways["dht"]["is_on"] == 1 and ways["lsd"]["is_on"] == 0, ways
    assert ways["dht"]["nodes"] >= ways["dht"]["good_nodes"] > 0, ways
    assert ways["dht"]["peers"] >= 1 and ways["dht"]["found"] >= 1, ways
    own = lab.sql("SELECT node_id FROM reach WHERE way = 'dht4'")[0][0]
    assert lab.btc("rm", "-y", "1").code == 0
    get(lab, torrent, out="second")
    assert lab.sql("SELECT node_id FROM reach WHERE way = 'dht4'")[0][0] == own


def test_transmission(lab):
    """The one that has the data is transmission; libtorrent's nodes are
    between."""
    torrent = make(lab)
    router = dht_kit.node(lab)
    # With less than nine it takes the DHT for broken and does not announce.
    others = dht_kit.node(lab, [router.address], n=9)
    nodes = [router.address] + others.addresses
    ip = lab.next_ip()
    # Of nodes that it has kept it asks one in two seconds, of an entry host one
    # in fifteen.
    pathlib.Path(lab.path(f"transmission-{ip}", "dht.dat")).write_bytes(
        lab_benc({"id": b"\x77" * 20, "nodes": b"".join(
            socket.inet_aton(host) + port.to_bytes(2, "big")
            for host, port in nodes)}))
    lab.transmission(torrent, seed=True, ip=ip, ways=["dht"]).wait_ready()
    # It announces to the eight that are closest: the router may be farther.
    lab.wait(lambda: any(dht_kit.find_peers(node, torrent) for node in nodes),
             120, "transmission's announcement")
    get(lab, torrent, "--dht-bootstrap", dht_kit.entry(router))
    assert "dht" in sources(lab), sources(lab)


def test_port(lab):
    """Two that know no node learn of each other's by PORT messages."""
    torrent = make(lab)
    seed = dht_kit.node(lab, torrent=torrent)
    daemon = lab.start_btc("daemon", "--allow-local")
    run = lab.btc("add", torrent.magnet(peers=[dht_kit.entry(seed)]), "-d",
                  kit.folder(lab, "out"))
    assert run.code == 0, run
    lab.wait(lambda: dht_kit.has_nodes(seed), 30, "btc's node at libtorrent")
    lab.wait(lambda: lab.sql("SELECT 1 FROM dht_node WHERE address = ?"
                             " AND port = ?", *seed.address), 30,
             "libtorrent's node in the database")
    assert daemon.stop() == 0


class Node(wire.Seeder):
    """A peer that says it has a node, and keeps what it is told."""
    reserved = bytes([0, 0, 0, 0, 0, 0x10, 0, 5])

    def greet(self, w):
        self.told = []
        w.send(wire.PORT, (4711).to_bytes(2, "big"))
        super().greet(w)

    def on_message(self, w, kind, body):
        self.told.append((kind, bytes(body)))
        super().on_message(w, kind, body)


def test_port_wire(lab):
    """A daemon names its port; a run of the moment, which answers nobody, does
    not."""
    torrent = make(lab)
    peer = Node(torrent, lab.next_ip())
    run = lab.btc("get", torrent.path, "-d", kit.folder(lab, "out"), "--peer",
                  peer.address)
    assert run.code == 0, run
    assert wire.PORT not in [kind for kind, _ in peer.told], peer.told
    daemon = lab.start_btc("daemon", "--port", "6991", db=lab.path("d.db"))
    run = lab.btc("add", torrent.magnet(peers=[peer.address]), "-d",
                  kit.folder(lab, "again"), db=lab.path("d.db"))
    assert run.code == 0, run
    lab.wait(lambda: (wire.PORT, (6991).to_bytes(2, "big")) in peer.told, 30,
             "a PORT message")
    assert daemon.stop() == 0


def test_announced(lab):
    """A daemon that seeds is found by who asks the DHT for its torrent."""
    torrent = make(lab)
    router = dht_kit.node(lab)
    daemon = lab.start_btc("daemon", "--dht-bootstrap", dht_kit.entry(router),
                           "--allow-local", "--port", "6991")
    run = lab.btc("add", torrent.path, "-d", os.path.dirname(torrent.source),
                  "--seed", "forever")
    assert run.code == 0, run
    peers = lab.wait(lambda: dht_kit.find_peers(router.address, torrent), 60,
                     "the announcement")
    assert ("10.77.0.20", 6991) in peers, peers
    # It is a node as well: it answers, and knows the one that it entered by.
    known = dht_kit.ask(("10.77.0.20", 6991), "find_node",
                        {"target": b"\1" * 20}, "10.77.0.1")
    assert inet(router) in known[b"r"][b"nodes"], known
    assert daemon.stop() == 0


def inet(program):
    """A node as others write it (BEP 5)."""
    ip, port = program.address
    return socket.inet_aton(ip) + port.to_bytes(2, "big")


def test_read_only(lab):
    """A run of the moment asks and answers nobody (BEP 43)."""
    torrent = make(lab)
    router = dht_kit.node(lab)
    run = lab.start_btc("get", torrent.magnet(), "-d", kit.folder(lab, "out"),
                        "--dht-bootstrap", dht_kit.entry(router), "--port",
                        "6991")
    lab.wait(lambda: lab.sql("SELECT 1 FROM dht_search WHERE answers > 0"), 60,
             "a search")
    assert dht_kit.ping(("10.77.0.20", 6991)) is None
    run.stop()


def test_v6(lab):
    """BEP 32: a torrent that is found over IPv6 alone."""
    ips = [f"fd77::{n}" for n in range(1, 6)]
    for ip in ips:
        subprocess.run(["ip", "addr", "add", ip + "/128", "dev", "lo",
                        "nodad"], check=False, capture_output=True)
    torrent = make(lab)
    router = dht_kit.node(lab, ip=ips[0])
    seed = dht_kit.node(lab, [router.address], torrent, ip=ips[1])
    lab.wait(lambda: dht_kit.has_nodes(seed), 30, "DHT nodes")
    get(lab, torrent, "--dht-bootstrap", dht_kit.entry(router), ip=ips[4])
    assert "dht" in sources(lab), sources(lab)
    assert lab.sql("SELECT nodes FROM reach WHERE way = 'dht6'")[0][0] > 0
    # Two btc and one node of libtorrent, which knows both.
    daemon = lab.start_btc("daemon", "--dht-bootstrap", dht_kit.entry(router),
                           "--allow-local", "--port", "6991", ip=ips[3],
                           db=lab.path("second.db"))
    run = lab.btc("add", torrent.path, "-d", lab.path("out"), "--seed",
                  "forever", db=lab.path("second.db"))
    assert run.code == 0, run
    def announced():
        return (ips[3], 6991) in dht_kit.find_peers(router.address, torrent,
                                                    ip=ips[4])
    try:
        lab.wait(announced, 20, "the announcement")
    except Exception:
        print([tuple(r) for r in lab.sql("SELECT * FROM log", db=lab.path("second.db"))])
        print([tuple(r) for r in lab.sql("SELECT * FROM way_list", db=lab.path("second.db"))])
        print(dht_kit.ask(router.address, "get_peers", {"info_hash": bytes.fromhex(torrent.info_hash)}, ips[4]))
        print(dht_kit.ask((ips[3],6991), "get_peers", {"info_hash": bytes.fromhex(torrent.info_hash)}, ips[4]))
        raise
    assert lab.btc("rm", "-y", "1").code == 0
    seed.kill()
    get(lab, torrent, out="third", ip=ips[4])
    assert daemon.stop() == 0


lab.main(__name__)
