"""Scripted HTTP trackers for the tests of trackers."""
import os
import socket
import threading
import time
import urllib.parse

import wire
from lab import benc

MIB = 1 << 20
IP = "10.77.0.1"
OURS = "10.77.0.20"  # the lab's btc


def compact(*addresses):
    return b"".join(socket.inet_aton(ip) + port.to_bytes(2, "big")
                    for ip, port in addresses)


class Tracker:
    """A tracker of a script: `reply` gives the body (or status, headers, body)
    for a parsed query; `seen` are the queries."""

    def __init__(self, lab, reply):
        self.reply, self.seen = reply, []
        self.base = lab.http_server(self._answer)
        self.url = self.base + "/announce"

    def _answer(self, path, headers):
        query = urllib.parse.urlsplit(path)
        if query.path.endswith("/scrape"):
            return 404, {}, b""  # what these tests count are announces
        fields = dict(urllib.parse.parse_qsl(query.query, True,
                                             encoding="latin-1"))
        fields["path"] = query.path
        fields["at"] = time.monotonic()
        self.seen.append(fields)
        found = self.reply(fields)
        return found if isinstance(found, tuple) else (200, {}, found)

    def events(self):
        return [s.get("event", "") for s in self.seen]


def good(*peers, **more):
    """A reply with these peers."""
    more = {k.replace("_", " "): v for k, v in more.items()}
    return benc(dict({"interval": 1800, "peers": compact(*peers)}, **more))


class RawServer:
    """Does what a script says with each connection."""

    def __init__(self, handle):
        self.sockets, self.n = [], 0
        self.server = socket.create_server((IP, 0))
        self.url = f"http://{IP}:{self.server.getsockname()[1]}/announce"
        threading.Thread(target=self._accept, args=(handle,),
                         daemon=True).start()

    def _accept(self, handle):
        while True:
            sock, _ = self.server.accept()
            self.sockets.append(sock)  # kept open
            self.n += 1
            threading.Thread(target=self._run, args=(handle, sock),
                             daemon=True).start()

    @staticmethod
    def _run(handle, sock):
        try:
            handle(sock)
        except OSError:
            pass


def hang(sock):
    """Takes the request and says nothing."""
    while sock.recv(65536):
        pass


def drip(sock):
    """A byte now and then."""
    sock.recv(65536)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        sock.sendall(b"d")
        time.sleep(0.1)


def setup(lab, size=MIB):
    source = lab.make_data("seed/data.bin", size)
    torrent = lab.make_torrent(source, piece_length=65536)
    return torrent, wire.Seeder(torrent, lab.next_ip())


def with_tiers(lab, torrent, *tiers):
    """The same torrent with trackers."""
    made = lab.make_torrent(torrent.source, lab.path("t.torrent"),
                            piece_length=torrent.piece_length,
                            tiers=[list(t) for t in tiers])
    assert made.info_hash == torrent.info_hash
    return made.path


def out_of(lab):
    return os.path.dirname(lab.path("out", "x"))


def trackers(lab):
    return {r["url"]: r for r in lab.sql("SELECT * FROM tracker_list")}
