#!/usr/bin/env python3
"""Attackers on every way that leads to peers: nodes of the DHT, UDP and HTTP
trackers, peer exchange. btc finds the honest peer all the same, and what it
sends to an attacker stays little, whatever that one says."""
import gzip
import os
import socket
import struct
import threading
import time

import dht_kit
import kit
import lab
import wire
from tracker_kit import RawServer, Tracker, compact, trackers
from udp_tracker import ANNOUNCE, CONNECT, ERROR, UdpTracker

lab_benc, lab_bdec = lab.benc, lab.bdec  # `lab` is an argument below
ME, PORT = "10.77.0.20", 6991


def make(lab, tiers=(), size=1_000_001):
    data = lab.make_data("seed/data.bin", size)
    return lab.make_torrent(data, piece_length=32768, tiers=list(tiers))


def packed(*nodes):
    """Nodes as BEP 5 writes them: (id, ip, port)."""
    return b"".join(i + socket.inet_aton(ip) + port.to_bytes(2, "big")
                    for i, ip, port in nodes)


# --- the DHT ---

def near(target, n):
    """The n-th id that is as close to the target as can be."""
    return target[:-2] + ((int.from_bytes(target[-2:], "big") ^ n)
                          & 0xffff).to_bytes(2, "big")


class Evil:
    """A node of the DHT that answers as `lie` says: a function of the question
    (a dict), the target, and the number of the question, which gives messages
    (dicts or bytes). `seen` are the datagrams that came."""

    def __init__(self, ip, lie):
        self.ip, self.lie, self.seen = ip, lie, []
        self.id, self.closed = os.urandom(20), False
        self.socket = self._socket(6881)
        self.other = self._socket(0)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _socket(self, port):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        s.bind((self.ip, port))
        return s

    def _serve(self):
        while True:
            data, who = self.socket.recvfrom(65535)
            if self.closed:
                return
            if who[0] == ME:
                self.seen.append(data)
            try:
                question = lab_bdec(data)
            except (ValueError, IndexError, KeyError):
                continue
            if question.get(b"y") != b"q":
                continue
            about = question[b"a"]
            target = about.get(b"info_hash", about.get(b"target", self.id))
            for out in self.lie(self, question, target, len(self.seen)):
                by = self.socket
                if isinstance(out, tuple):
                    by, out = self.other, out[0]
                if isinstance(out, dict):
                    out = lab_benc(out)
                try:
                    by.sendto(out, who)
                except OSError:
                    pass

    def close(self):
        self.closed = True
        self.other.sendto(b"", (self.ip, 6881))  # wakes the thread
        self.thread.join()
        self.socket.close()
        self.other.close()

    def reply(self, question, **values):
        return {"t": question[b"t"], "y": "r", "r": dict(
            {"id": self.id, "token": b"tk"}, **values)}


def lie_errors(evil, q, target, n):
    return [{"t": q[b"t"], "y": "e", "e": [201, b"\x1b[31m" * 200]}]


def lie_token(evil, q, target, n):
    return [evil.reply(q, token=bytes(60000),
                       nodes=packed((evil.id, evil.ip, 6881)))]


def lie_nodes(evil, q, target, n):
    """As many as fit into a datagram, all of them nobody."""
    return [evil.reply(q, nodes=packed(*[
        (os.urandom(20), f"10.{i >> 8 & 255}.{i & 255}.9", 6881)
        for i in range(2000)]))]


def lie_values(evil, q, target, n):
    return [evil.reply(q, values=[compact((f"10.99.{i >> 8}.{i & 255}", 6881))
                                  for i in range(5000)])]


def lie_lengths(evil, q, target, n):
    return [evil.reply(q, nodes=bytes(25), values=[b"12345", b"", bytes(7)]),
            evil.reply(q, id=b"abc"), evil.reply(q, id=bytes(21)),
            {"t": q[b"t"], "y": "r", "r": []}, {"t": q[b"t"], "y": "r"},
            {"t": b"", "y": "r", "r": {"id": evil.id}}, b"d", b"d1:t",
            b"d1:rd" + b"l" * 5000, bytes(3)]


def lie_self(evil, q, target, n):
    """btc itself, this machine, ports that cannot be, a group."""
    return [evil.reply(q, nodes=packed(
        (near(target, 1), ME, PORT), (near(target, 2), "127.0.0.1", 6881),
        (near(target, 3), "0.0.0.0", 6881), (near(target, 4), evil.ip, 0),
        (near(target, 5), "255.255.255.255", 6881),
        (near(target, 6), "239.192.152.143", 6771), (q[b"a"][b"id"], evil.ip,
                                                     6881)))]


def lie_closer(evil, q, target, n):
    """Always closer still, and always at the attacker's."""
    return [evil.reply(q, id=near(target, n), nodes=packed(*[
        (near(target, n * 8 + i), evil.ip, 6881) for i in range(8)]))]


def lie_other_port(evil, q, target, n):
    return [(lab_benc(evil.reply(q, values=[compact(("10.66.6.6", 666))])),)]


def lie_flood(evil, q, target, n):
    """Answers to what was never asked, and questions without end."""
    return ([evil.reply({b"t": i.to_bytes(2, "big")},
                        values=[compact(("10.66.6.6", 666))])
             for i in range(3000)]
            + [{"t": "aa", "y": "q", "q": "get_peers",
                "a": {"id": evil.id, "info_hash": os.urandom(20)}}
               for _ in range(1000)]
            + [{"t": "aa", "y": "q", "q": "announce_peer",
                "a": {"id": evil.id, "info_hash": target, "port": 6881,
                      "token": bytes(40)}} for _ in range(1000)])


LIES = [lie_errors, lie_token, lie_nodes, lie_values, lie_lengths, lie_self,
        lie_closer, lie_other_port, lie_flood]


def among_nodes(lab, lies):
    """The attackers are where btc enters, and so is one honest node."""
    torrent = make(lab)
    router = dht_kit.node(lab)
    seed = dht_kit.node(lab, [router.address], torrent)
    lab.wait(lambda: dht_kit.find_peers(router.address, torrent), 60,
             "the announcement")
    evils = [Evil(lab.next_ip(), lie) for lie in lies]
    entries = [f"{e.ip}:6881" for e in evils] + [dht_kit.entry(router)]
    daemon = lab.start_btc("daemon", "--port", str(PORT), *[
        word for e in entries for word in ("--dht-bootstrap", e)])
    begin = time.monotonic()
    run = lab.btc("add", torrent.magnet(), "-d", kit.folder(lab, "out"),
                  "--seed", "forever")
    assert run.code == 0, run
    lab.wait(lambda: kit.has_rows(lab)
             and kit.progress(lab)["state"] == "seeding", 90, "the download")
    torrent.check(lab.path("out"))
    lab.wait(lambda: lab.sql("SELECT * FROM log WHERE kind = 'dht'"), 60,
             "a line of the log")
    took = time.monotonic() - begin
    peers = {r["address"] for r in lab.sql("SELECT address FROM peer_list")}
    assert "10.66.6.6" not in peers, peers
    assert "127.0.0.1" not in peers and len(peers) < 1000, len(peers)
    known = lab.sql("SELECT * FROM dht_node WHERE address LIKE '127.%'"
                    " OR address = ?", ME)
    assert not known, [tuple(r) for r in known]
    for e in evils:
        assert e.seen, e.lie.__name__
        # A few lookups of questions at most, and answers within the limit.
        most = 30 + 5 * took
        assert len(e.seen) < most, (e.lie.__name__, len(e.seen), took)
        print(f"{e.lie.__name__}: {len(e.seen)} datagrams in {took:.1f} s")
    assert dht_kit.ping((ME, PORT))[b"y"] == b"r"
    assert daemon.stop() == 0
    assert seed.is_running() and router.is_running()
    for e in evils:
        e.close()


def test_dht_lies(lab):
    among_nodes(lab, LIES[:5])


def test_dht_floods(lab):
    among_nodes(lab, LIES[5:])


# --- UDP trackers ---

def seed_behind(lab, *urls, **options):
    """A torrent of these trackers, the last of them honest."""
    good = UdpTracker("10.77.0.19")
    torrent = make(lab, [[url] for url in urls] + [[good.url]], **options)
    seeder = wire.Seeder(torrent, lab.next_ip())
    good.peers = [(seeder.ip, seeder.port)]
    return torrent


def row_of(lab, url):
    return dict(trackers(lab)[url])


def test_udp_id_never_valid(lab):
    """Each id that it gives is refused the next moment: btc does not run in a
    circle with it, and says what is wrong."""
    def behave(kind, n, data, answer):
        if kind == CONNECT:
            return struct.pack(">II", CONNECT, 0)[:4] + data[12:16] \
                + os.urandom(8)
        return struct.pack(">I", ERROR) + data[12:16] + b"connection id unknown"
    bad = UdpTracker(behave=behave)
    torrent = seed_behind(lab, bad.url)
    run = kit.get(lab, torrent, "--seed", "forever", "--max-time", "8")
    assert len(bad.seen) <= 10, bad.kinds()
    assert "connection id" in row_of(lab, bad.url)["error"], run
    assert "connection id" in lab.btc("log", "1").out


def test_udp_floods(lab):
    """Thousands of answers to one question, from its own port and from others;
    those from others are nobody's, whatever transaction they name."""
    liars = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
             for _ in range(2)]
    liars[0].bind(("10.77.0.1", 0))
    liars[1].bind(("10.77.0.18", 0))

    def behave(kind, n, data, answer):
        lie = struct.pack(">I", kind) + data[12:16] + struct.pack(
            ">III", 1800, 1, 1) + compact(("10.66.6.6", 666))
        if kind == CONNECT:
            lie = struct.pack(">I", kind) + data[12:16] + bytes(8)
        for _ in range(500):
            for liar in liars:
                liar.sendto(lie, (ME, PORT))
        return [answer] * 3000
    bad = UdpTracker(behave=behave)
    torrent = seed_behind(lab, bad.url)
    kit.get(lab, torrent, "--port", str(PORT))
    assert len(bad.seen) <= 8, bad.kinds()
    peers = {r["address"] for r in lab.sql("SELECT address FROM peer_list")}
    assert "10.66.6.6" not in peers, peers
    assert row_of(lab, bad.url)["error"] is None


# --- HTTP trackers ---

def chunks(body, pause):
    """A server that gives a part of its answer after the other, without end."""
    def handle(sock):
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            sock.sendall(b"%x\r\n%s\r\n" % (len(body), body))
            time.sleep(pause)
    return handle


def bomb(sock):
    """A hundred kilobytes that unpack to a hundred megabytes."""
    body = gzip.compress(b"d8:intervali1800e5:peers" + bytes(100 << 20), 9)
    sock.recv(65536)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                 b"Content-Length: %d\r\n\r\n%s" % (len(body), body))


def test_http(lab):
    """Endless answers, fast and slow, bombs, ways that never end, keys twice, a
    hundred thousand peers: the honest tracker behind them is used, each row
    says what is wrong, and nobody is asked again and again."""
    steps = []

    def onward(query):
        steps.append(query["path"])
        return 302, {"Location": f"/{len(steps)}/announce"}, b""
    torrent = make(lab)
    seeder = wire.Seeder(torrent, lab.next_ip())
    many = b"".join(compact((f"10.{i >> 16 | 100}.{i >> 8 & 255}.{i & 255}",
                             6881)) for i in range(100_000))
    endless, slow = RawServer(chunks(bytes(65536), 0)), RawServer(
        chunks(b"d", 0.05))
    unpacked = RawServer(bomb)
    far = Tracker(lab, onward)
    twice = Tracker(lab, lambda q: b"d8:intervali5e8:intervali1800e5:peers0:"
                    b"5:peers6:" + compact(("10.66.6.6", 666)) + b"e")
    crowd = Tracker(lab, lambda q: lab_benc({"interval": 1 << 62,
                                             "peers": many}))
    honest = Tracker(lab, lambda q: lab_benc(
        {"interval": 1800, "peers": compact((seeder.ip, seeder.port))}))
    all_of = (endless, slow, unpacked, far, twice, crowd, honest)
    torrent = make(lab, [[t.url] for t in all_of])
    begin = time.monotonic()
    kit.get(lab, torrent, "--max-time", "100", timeout=120)
    took = time.monotonic() - begin
    rows = trackers(lab)
    for bad in (endless, unpacked, far):
        assert rows[bad.url]["error"], dict(rows[bad.url])
    # The next tiers are asked before the patience with this one ends.
    assert rows[slow.url]["error"] or slow.n == 1, dict(rows[slow.url])
    assert "larger" in rows[endless.url]["error"], dict(rows[endless.url])
    assert "larger" in rows[unpacked.url]["error"], dict(rows[unpacked.url])
    assert "redirect" in rows[far.url]["error"], dict(rows[far.url])
    for bad in (endless, slow, unpacked):
        assert bad.n <= 3 + took / 20, (bad.url, bad.n, took)
    assert len(steps) <= 40 + 2 * took, (len(steps), took)
    assert len(twice.seen) <= 4 and len(crowd.seen) <= 4
    peers = lab.sql("SELECT count(*) AS n FROM peer_list")[0]["n"]
    assert peers <= 4000, peers


# --- peer exchange ---

class Gossip(wire.Seeder):
    """An honest seed that names peers without end: nobody, itself, btc, one
    host at many ports, with flags for more than there are and for fewer."""
    reserved, told = wire.BOTH, 0

    def greet(self, w):
        w.send(wire.EXTENDED, b"\0" + lab_benc({"m": {"ut_pex": 2}}))
        super().greet(w)
        threading.Thread(target=self.gossip, args=(w,), daemon=True).start()

    def gossip(self, w):
        try:
            for n in range(200):
                victim = [("10.77.0.17", 20000 + n * 20 + i) for i in range(20)]
                crowd = [(f"10.{n}.{i >> 8}.{i & 255}", 6881)
                         for i in range(400)]
                odd = [(ME, PORT), (self.ip, self.port), ("10.77.0.17", 0),
                       ("127.0.0.1", 80), ("224.0.0.1", 1), ("0.0.0.0", 1)]
                added = compact(*(odd + victim + crowd))
                w.send(wire.EXTENDED, b"\2" + lab_benc(
                    {"added": added, "added.f": bytes(n * 7),
                     "added6": b"\xff" * 35, "dropped": added[:-1]}))
                self.told += 1
                time.sleep(0.05)
        except wire.Gone:
            pass

    def on_request(self, w, piece, begin, length):
        time.sleep(0.05)
        super().on_request(w, piece, begin, length)


def test_pex(lab):
    """The one that floods is thrown out with a reason; a victim that it names
    is called a few times at most."""
    victim = socket.create_server(("10.77.0.17", 20000))
    torrent = make(lab)
    gossip = Gossip(torrent, lab.next_ip())
    honest = wire.Slow(torrent, lab.next_ip())
    honest.pause = 0.1
    kit.get(lab, torrent, "--peer", gossip.address, "--peer", honest.address,
            "--port", str(PORT))
    rows = lab.sql("SELECT * FROM peer_list")
    assert len(rows) < 200, len(rows)
    assert not [r for r in rows if r["address"].startswith(("127.", "224."))]
    assert len([r for r in rows if r["address"] == "10.77.0.17"]) <= 1
    row = [dict(r) for r in rows if r["port"] == gossip.port][0]
    assert "broke a rule" in (row["outcome"] or ""), row
    assert gossip.told <= 30 and gossip.connections <= 3, gossip.told
    victim.setblocking(False)
    calls = 0
    try:
        while calls < 10:
            victim.accept()
            calls += 1
    except BlockingIOError:
        pass
    assert calls <= 2, calls


lab.main(__name__)
