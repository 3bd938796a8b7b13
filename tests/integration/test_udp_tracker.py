#!/usr/bin/env python3
"""btc and UDP trackers: opentracker, and scripted ones that misbehave."""
import os
import struct

import kit
import lab
from udp_tracker import ANNOUNCE, CONNECT, ERROR, UdpTracker


def seed_of(lab, tiers, size=3_000_001):
    """A torrent of these tiers and a seeder that knows none of them."""
    data = lab.make_data("seed/data.bin", size)
    bare = lab.make_torrent(data, piece_length=65536, out=lab.path("bare"))
    peer = lab.libtorrent(bare, seed=True)
    peer.wait_ready()
    return lab.make_torrent(data, piece_length=65536, tiers=tiers), peer


def tracker_row(lab):
    rows = lab.sql("SELECT * FROM tracker_list")
    assert len(rows) == 1, [dict(r) for r in rows]
    return dict(rows[0])


def test_opentracker(lab):
    """Found through UDP alone; the tracker is told of the end."""
    tracker = lab.opentracker()
    data = lab.make_data("seed/data.bin", 6_000_001)
    torrent = lab.make_torrent(data, piece_length=65536,
                               tiers=[[tracker.udp_url]])
    seed = lab.transmission(torrent, seed=True)
    seed.wait_ready()
    tracker.wait_seeds(torrent, 1)
    kit.get(lab, torrent)
    kit.is_complete(lab, torrent)
    row = tracker_row(lab)
    assert row["error"] is None and row["seeders"] >= 1, row
    lab.wait(lambda: tracker.scrape(torrent)[0] == 1, 5, "`stopped` to come")
    assert tracker.scrape(torrent)[2] == 0, tracker.scrape(torrent)


def test_mixed_tiers(lab):
    """A dead HTTP tracker first, then UDP."""
    tracker = UdpTracker()
    torrent, seed = seed_of(lab, [["http://10.77.0.1:1/announce"],
                                  [tracker.url]])
    tracker.peers = [(seed.ip, seed.port)]
    kit.get(lab, torrent)
    assert tracker.events()[0] == 2 and tracker.events()[-1] == 3, \
        tracker.events()
    assert 1 in tracker.events()
    # BEP 41: the path and the query come along.
    assert b"\x02\x11/announce?key=abc" in tracker.seen[1][2]
    states = {r["url"][:4]: r["state"]
              for r in lab.sql("SELECT * FROM tracker_list")}
    assert states["http"] == "failing", states


def test_ipv6(lab):
    """Over IPv6, where peers are written in 18 bytes."""
    os.system("ip addr add fd77::1/128 dev lo nodad 2>/dev/null")
    os.system("ip addr add fd77::2/128 dev lo nodad 2>/dev/null")
    tracker = UdpTracker("fd77::1")
    data = lab.make_data("seed/data.bin", 3_000_001)
    torrent = lab.make_torrent(data, piece_length=65536, tiers=[[tracker.url]])
    seed = lab.start_btc("get", torrent.path, "-d", os.path.dirname(data),
                         "--seed", "forever", "--port", "7001",
                         db=lab.path("seed.db"), ip="fd77::2")
    tracker.peers = [("fd77::2", 7001)]
    lab.wait(lambda: ANNOUNCE in tracker.kinds(), 30, "the seed's announce")
    kit.get(lab, torrent, ip="fd77::1")
    kit.is_complete(lab, torrent)
    seed.stop()


def test_lost_datagrams(lab):
    """`stopped` is sent again at once, and a connection id that the tracker has
    forgotten is asked for anew."""
    lost = []

    def behave(kind, n, data, answer):
        if kind == ANNOUNCE and struct.unpack(">I", data[80:84])[0] == 3:
            lost.append(n)
            return None if len(lost) == 1 else answer
        return answer
    tracker = UdpTracker(behave=behave)
    torrent, seed = seed_of(lab, [[tracker.url]])
    tracker.peers = [(seed.ip, seed.port)]
    run = kit.get(lab, torrent)
    assert len(lost) == 2, lost
    assert run.seconds < 20, run


def test_resend_connect(lab):
    """A CONNECT that is lost goes out again after 15 s (BEP 15)."""
    tracker = UdpTracker(behave=lambda kind, n, data, answer:
                         None if kind == CONNECT and n == 1 else answer)
    torrent, seed = seed_of(lab, [[tracker.url]])
    tracker.peers = [(seed.ip, seed.port)]
    run = kit.get(lab, torrent)
    assert tracker.kinds()[:3] == [CONNECT, CONNECT, ANNOUNCE]
    assert run.seconds >= 14, run


def test_refusal(lab):
    """The tracker's own words stand in the database."""
    def behave(kind, n, data, answer):
        if kind != ANNOUNCE:
            return answer
        return struct.pack(">I", ERROR) + data[12:16] + b"not \x1b[31m today\0"
    tracker = UdpTracker(behave=behave)
    torrent, seed = seed_of(lab, [[tracker.url]])
    run = kit.get(lab, torrent, "--max-time", "10", code=5)
    row = tracker_row(lab)
    assert "today" in row["error"] and "\x1b" not in row["error"], row
    assert run.seconds < 30, run


def test_hostile(lab):
    """Short, foreign, doubled and nonsensical answers, from the right place and
    from others: btc goes on and finds the peer by the second tracker."""
    def behave(kind, n, data, answer):
        tid = data[12:16]
        wrong = bytes(4)
        return [b"", b"\0" * 3, b"\0" * 8, b"\xff" * 2048,
                struct.pack(">I", kind) + wrong + bytes(1000),
                struct.pack(">I", 9) + tid + bytes(50),
                struct.pack(">I", kind) + tid + b"\0"]
    bad = UdpTracker(behave=behave)
    good = UdpTracker("10.77.0.2")
    torrent, seed = seed_of(lab, [[bad.url], [good.url]])
    good.peers = [(seed.ip, seed.port), ("0.0.0.0", 1), ("224.0.0.1", 5),
                  ("10.77.0.9", 0), (seed.ip, seed.port)]
    kit.get(lab, torrent)
    kit.is_complete(lab, torrent)
    error = [r["error"] for r in lab.sql("SELECT * FROM tracker_list")
             if r["url"] == bad.url][0]
    assert "makes no sense" in error, error


def test_guard(lab):
    """A public tracker does not lead to this machine: not by a redirect, not by
    its name; --allow-local permits it."""
    asked = []

    def handler(path, headers):
        asked.append(path)
        return 200, {}, b"d8:intervali60e5:peers0:e"
    local = lab.http_server(handler)
    os.system("ip addr add 198.18.0.1/32 dev lo")  # no private range
    hop = lab.http_server(lambda path, headers: (
        302, {"Location": local + "/announce"}, b""), ip="198.18.0.1")
    udp = UdpTracker()
    hosts = lab.path("hosts")
    with open(hosts, "w") as f:
        f.write("127.0.0.1 localhost\n10.77.0.1 tracker.example\n")
    assert os.system(f"mount --bind {hosts} /etc/hosts") == 0
    lab.mounts.append("/etc/hosts")
    data = lab.make_data("seed/data.bin", 100_000)
    torrent = lab.make_torrent(data, tiers=[
        [hop + "/announce"], [local.replace("10.77.0.1", "tracker.example")
                              + "/announce"],
        [f"udp://tracker.example:{udp.port}"]])
    kit.get(lab, torrent, "--max-time", "8", code=5)
    errors = [r["error"] for r in lab.sql("SELECT * FROM tracker_list")]
    assert len(errors) == 3 and all("--allow-local" in e for e in errors), errors
    assert asked == [] and udp.seen == []
    kit.get(lab, torrent, "--max-time", "5", "--allow-local", code=5,
            db=lab.path("second.db"))
    assert len(asked) >= 1, asked
    torrent = lab.make_torrent(data, tiers=[
        [f"udp://tracker.example:{udp.port}"]])
    kit.get(lab, torrent, "--max-time", "5", "--allow-local", code=5,
            db=lab.path("third.db"))
    assert CONNECT in udp.kinds()


lab.main(__name__)
