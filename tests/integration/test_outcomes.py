#!/usr/bin/python3
"""What happened with each peer, as `btc peers`, `btc why` and the journal tell it,
also of peers that are not connected and after the run."""
import socket
import struct
import threading

import lab as laboratory
import wire
from tracker_kit import out_of, setup, with_tiers


class Odd(wire.Seeder):
    """Greets, then sends bytes that break a rule."""

    def __init__(self, torrent, ip, odd):
        self.odd = odd
        super().__init__(torrent, ip)

    def greet(self, w):
        w.put(self.odd)


def rude(ip, answer):
    """Answers whatever comes with some bytes and closes."""
    server = socket.create_server((ip, 0))

    def serve():
        while True:
            sock, _ = server.accept()
            with sock:
                sock.recv(68)
                sock.sendall(answer)
    threading.Thread(target=serve, daemon=True).start()
    return server


def test_each_is_told(lab):
    """Refused, closed without a handshake, no BitTorrent, rules broken: each in
    words, with a time and a count, while it runs and later."""
    torrent, seeder = setup(lab)
    seeder.close()
    ip = lab.next_ip()
    curt, web = rude(ip, b""), rude(ip, b"HTTP/1.1 400 Bad Request\r\n\r\n")
    have = Odd(torrent, lab.next_ip(), struct.pack(">IBI", 5, 4, 1 << 30))
    long = Odd(torrent, lab.next_ip(), struct.pack(">I", 1 << 30))
    want = {
        f"{ip}:1": "refused the connection",
        f"{ip}:{curt.getsockname()[1]}": "instead of a handshake",
        f"{ip}:{web.getsockname()[1]}": "does not speak BitTorrent",
        f"{have.ip}:{have.port}": "has a piece that the torrent has not",
        f"{long.ip}:{long.port}": "a message has a wrong length",
    }
    path = with_tiers(lab, torrent)
    peers = [x for address in want for x in ("--peer", address)]
    daemon = lab.start_btc("daemon")
    run = lab.btc("add", path, "-d", out_of(lab), *peers)
    assert run.code == 0, run

    def rows():
        return {f"{r['address']}:{r['port']}": dict(r)
                for r in lab.sql("SELECT * FROM peer_list")}

    def all_told():
        found = rows()
        return all(a in found and found[a]["outcome"] for a in want)
    lab.wait(all_told, what="all outcomes")
    lab.wait(lambda: rows()[f"{ip}:1"]["outcome_count"] > 1, 40,
             "a second refusal")
    for address, words in want.items():
        row = rows()[address]
        assert words in row["outcome"], row
        assert row["outcome_at"] and row["outcome_count"] >= 1, row
    for is_running in (True, False):
        why = lab.btc("why", "1").out
        table = lab.btc("peers", "1").out
        for address, words in want.items():
            line = [x for x in why.splitlines() if address + " " in x]
            assert len(line) == 1 and words in line[0], (address, why)
            assert words in table or "..." in table, table
        assert "it has no tracker" in why, why
        if is_running:
            assert daemon.stop() in (0, 7)


laboratory.main(__name__)
