#!/usr/bin/env python3
"""Peers of the local network (BEP 14): a network of two machines, and nothing
else that names a peer."""
import os
import socket
import struct

import kit
import lab

V4 = ("239.192.152.143", 6771)
V6 = ("ff15::efc0:988f", 6771)


def make(lab, private=False):
    data = lab.make_data("seed/data.bin", 2_000_001)
    return lab.make_torrent(data, piece_length=32768, private=private)


def found_by(lab):
    return {r["address"]: r["source"] for r in
            lab.sql("SELECT address, source FROM peer_list")}


def download_from(lab, kind):
    """A magnet without a word on where peers are; `kind` has the data."""
    beside = lab.beside()
    torrent = make(lab)
    seed = getattr(lab, kind)(torrent, seed=True, ways=["lsd"], beside=beside)
    seed.wait_ready()
    run = lab.btc("get", torrent.magnet(), "-d", kit.folder(lab, "out"),
                  "--max-time", "60", ip=beside.device, lsd=True)
    assert run.code == 0, run
    torrent.check(lab.path("out"))
    return beside


def test_download_libtorrent(lab):
    beside = download_from(lab, "libtorrent")
    # Who hears the other one first also calls first.
    assert found_by(lab)[beside.ip] in ("lsd", "incoming"), found_by(lab)


def test_download_transmission(lab):
    download_from(lab, "transmission")


def test_download_aria2(lab):
    """aria2 tells the network when it starts, and calls nobody when it has all:
    it starts second."""
    beside = lab.beside()
    torrent = make(lab)
    run = lab.start_btc("get", torrent.magnet(), "-d", kit.folder(lab, "out"),
                        "--max-time", "60", ip=beside.device, lsd=True)
    lab.wait(lambda: "metadata" in run.err(), 20)
    lab.aria2(torrent, seed=True, ways=["lsd"], beside=beside)
    assert run.wait(70) == 0, run.err()
    torrent.check(lab.path("out"))


def test_download_qbittorrent(lab):
    download_from(lab, "qbittorrent")


def upload_to(lab, kind):
    """btc has the data; the other one knows only the magnet."""
    beside = lab.beside()
    torrent = make(lab)
    seed = lab.start_btc("get", torrent.path, "-d",
                         os.path.dirname(torrent.source), "--seed", "forever",
                         ip=beside.device, lsd=True)
    lab.wait(lambda: kit.has_rows(lab)
             and kit.progress(lab)["state"] == "seeding", 20)
    peer = getattr(lab, kind)(torrent, magnet=torrent.magnet(), ways=["lsd"],
                              beside=beside)
    peer.wait_done(60)
    torrent.check(peer.dir)
    assert seed.stop() == 0


def test_upload_libtorrent(lab):
    upload_to(lab, "libtorrent")


def test_upload_transmission(lab):
    upload_to(lab, "transmission")


def pair(lab, *args, bind, lsd=True):
    """A btc with the data beside a btc with the magnet."""
    beside = lab.beside()
    torrent = make(lab)
    db = lab.path("seed.db")
    lab.start("seed", beside.argv + [
        os.path.abspath(os.environ["BTC"]), "get", torrent.path, "-d",
        os.path.dirname(torrent.source), "--seed", "forever"],
        env={"BTC_DB": db})
    lab.wait(lambda: [r for r in lab.sql("SELECT state FROM progress", db=db)
                      if r["state"] == "seeding"], 20)
    run = lab.btc("get", torrent.magnet(), "-d", kit.folder(lab, "out"),
                  "--max-time", "60", *args, ip=getattr(beside, bind), lsd=lsd)
    if run.code == 0:
        torrent.check(lab.path("out"))
    return run


def test_pair_v4(lab):
    run = pair(lab, bind="near_ip")
    assert run.code == 0, run


def test_pair_v6(lab):
    run = pair(lab, bind="near_ip6")
    assert run.code == 0, run
    assert "fd78::2" in found_by(lab), found_by(lab)


def test_switched_off(lab):
    """--no-lsd: nobody is found, and the run says so at once."""
    run = pair(lab, bind="near_ip", lsd=False)
    assert run.code == 6 and run.seconds < 8, run


def listener(family, group, index):
    """A member of the group on our side of the cable."""
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.settimeout(15)
    s.bind(group)
    if family == socket.AF_INET:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                     struct.pack("4s4si", socket.inet_aton(group[0]),
                                 b"\0" * 4, index))
    else:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                     socket.inet_pton(family, group[0])
                     + struct.pack("@I", index))
    return s


def headers(datagram):
    lines = datagram.decode().split("\r\n")
    assert lines[0] == "BT-SEARCH * HTTP/1.1", datagram
    return [tuple(line.split(": ", 1)) for line in lines[1:] if line]


def test_announce(lab):
    """What is said, in both families: one port, one cookie, every torrent that
    is not private; and one that is added later."""
    beside = lab.beside()
    index = socket.if_nametoindex(beside.device)
    ears = [listener(socket.AF_INET, V4, index),
            listener(socket.AF_INET6, V6, index)]
    data = [lab.make_data(f"seed/{n}.bin", 100_001, seed=n) for n in range(3)]
    torrents = [lab.make_torrent(d, private=n == 1, piece_length=32768,
                                 out=lab.path(f"{n}.torrent"))
                for n, d in enumerate(data)]
    daemon = lab.start_btc("daemon", ip=beside.device, lsd=True)
    for torrent in torrents[:2]:
        run = lab.btc("add", torrent.path, "-d", kit.folder(lab, "out"))
        assert run.code == 0, run
    first = [headers(ear.recv(2000)) for ear in ears]
    hosts = [dict(h)["Host"] for h in first]
    assert hosts == ["239.192.152.143:6771", "[ff15::efc0:988f]:6771"], hosts
    for field in ("Port", "cookie"):
        assert dict(first[0])[field] == dict(first[1])[field], first
    run = lab.btc("add", torrents[2].path, "-d", kit.folder(lab, "out"))
    assert run.code == 0, run
    seen = {v.lower() for k, v in first[0] if k == "Infohash"}
    while torrents[2].info_hash not in seen:
        seen |= {v.lower() for k, v in headers(ears[0].recv(2000))
                 if k == "Infohash"}
    assert seen == {torrents[0].info_hash, torrents[2].info_hash}, seen
    assert daemon.stop() == 0


def test_flood(lab):
    """A neighbour that announces ten thousand ports makes no ten thousand
    peers, and btc goes on."""
    beside = lab.beside()
    torrent = make(lab)
    daemon = lab.start_btc("daemon", ip=beside.device, lsd=True)
    run = lab.btc("add", torrent.path, "-d", kit.folder(lab, "out"))
    assert run.code == 0, run
    lab.wait(lambda: kit.progress(lab)["state"] == "downloading", 20)
    flood = f"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
             socket.inet_aton("{beside.ip}"))
for port in range(20000, 30000):
    s.sendto(b"BT-SEARCH * HTTP/1.1\\r\\nHost: x\\r\\nPort: %d\\r\\n"
             b"Infohash: {torrent.info_hash}\\r\\n\\r\\n\\r\\n" % port, {V4!r})
"""
    assert lab.start("flood", beside.argv + ["/usr/bin/python3", "-c",
                                             flood]).wait(60) == 0
    lab.wait(lambda: "lsd" in found_by(lab).values(), 20, "the first of them")
    rows = lab.sql("SELECT count(*) AS n FROM peer_list")
    assert 0 < rows[0]["n"] <= 500, rows[0]["n"]
    run = lab.btc("status", "--json")
    assert run.code == 0, run
    assert daemon.stop() == 0


lab.main(__name__)
