"""Peers made of a script: the wire protocol with no manners of its own, so that
a test can keep to it or break it in any place. Used with lab.py.

    class Liar(wire.Seeder):
        def block(self, w, piece, begin, length):
            return bytes(length)

    liar = Liar(torrent, lab.next_ip())

Wire(socket)      a connection: send(id, body), put(bytes), message() -> (id,
                  body) or None at the end, handshake(info_hash, ...), see below
connect(ip, port, torrent, source_ip=None, **handshake)
                  a Wire to somebody who listens, with both handshakes done
Seeder(torrent, ip, port=0)
                  listens and serves; to be overridden: greet, block, on_request,
                  on_message, on_connect. `served` counts blocks, `requests` is
                  a list of (piece, begin, length), `ids` counts the messages
                  that came, `connections` those that said a handshake. `address`
                  is "ip:port" for --peer. close() ends it.
"""
import collections
import contextlib
import os
import socket
import struct
import threading
import time

CHOKE, UNCHOKE, INTERESTED, NOT_INTERESTED, HAVE = range(5)
BITFIELD, REQUEST, PIECE, CANCEL, PORT = range(5, 10)
SUGGEST, HAVE_ALL, HAVE_NONE, REJECT, ALLOWED_FAST = range(13, 18)
EXTENDED = 20
PLAIN = bytes(8)                           # no extensions at all
FAST = bytes([0, 0, 0, 0, 0, 0, 0, 4])     # BEP 6
EXT = bytes([0, 0, 0, 0, 0, 0x10, 0, 0])   # BEP 10
BOTH = bytes([0, 0, 0, 0, 0, 0x10, 0, 4])
BLOCK = 16384


class Gone(Exception):
    """The other side has closed."""


class Wire:
    """One connection. All calls block; Gone when the other side is."""

    def __init__(self, sock, timeout=30):
        self.sock = sock
        self.sock.settimeout(timeout)
        self.lock = threading.Lock()
        self.fast = False

    def put(self, data):
        try:
            with self.lock:
                self.sock.sendall(data)
        except OSError as e:
            raise Gone(str(e)) from None

    def send(self, kind, body=b""):
        self.put(struct.pack(">IB", 1 + len(body), kind) + body)

    def have(self, piece):
        self.send(HAVE, struct.pack(">I", piece))

    def request(self, piece, begin, length=BLOCK, kind=REQUEST):
        self.send(kind, struct.pack(">III", piece, begin, length))

    def piece(self, piece, begin, data):
        self.send(PIECE, struct.pack(">II", piece, begin) + data)

    def take(self, n):
        """Exactly n bytes."""
        parts = []
        while n > 0:
            try:
                data = self.sock.recv(min(n, 1 << 20))
            except OSError as e:
                raise Gone(str(e)) from None
            if not data:
                raise Gone("end of stream")
            parts.append(data)
            n -= len(data)
        return b"".join(parts)

    def message(self):
        """The next one but keep-alives: (id, body)."""
        while True:
            length = struct.unpack(">I", self.take(4))[0]
            if length > 0:
                data = self.take(length)
                return data[0], data[1:]

    def wait_for(self, *kinds):
        """Skips what comes before one of these."""
        while True:
            kind, body = self.message()
            if kind in kinds:
                return kind, body

    def wait_gone(self):
        """Reads until the other side closes."""
        try:
            while True:
                self.message()
        except Gone:
            pass

    def put_handshake(self, info_hash, reserved=FAST, peer_id=None):
        self.put(b"\x13BitTorrent protocol" + reserved + info_hash
                 + (peer_id or b"-XX0001-" + os.urandom(12)))

    def take_handshake(self):
        """(reserved, info hash, peer id)."""
        data = self.take(68)
        assert data[:20] == b"\x13BitTorrent protocol", data
        self.fast = bool(data[27] & 4)
        return data[20:28], data[28:48], data[48:]

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


def connect(ip, port, torrent, source_ip=None, **handshake):
    """A Wire to a listening peer, handshakes done."""
    w = Wire(socket.create_connection(
        (ip, port), 30, (source_ip, 0) if source_ip else None))
    w.put_handshake(bytes.fromhex(torrent.info_hash), **handshake)
    w.take_handshake()
    return w


class Seeder:
    """Listens and serves a torrent of one file, whole and honest."""
    reserved = FAST

    def __init__(self, torrent, ip, port=0):
        self.torrent, self.ip = torrent, ip
        self.info_hash = bytes.fromhex(torrent.info_hash)
        with open(torrent.source, "rb") as f:
            self.data = f.read()
        self.ids, self.requests = collections.Counter(), []
        self.served = self.connections = self.ended = 0
        self.wires, self.closed = [], False
        self.server = socket.create_server((ip, port), backlog=200)
        self.port = self.server.getsockname()[1]
        self.address = f"{ip}:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(Wire(sock, 600),),
                             daemon=True).start()

    def _serve(self, w):
        self.wires.append(w)
        try:
            self.on_connect(w)
        except Gone:
            pass
        finally:
            w.close()
            self.ended += 1

    def close(self):
        self.closed = True
        with contextlib.suppress(OSError):
            self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        for w in self.wires:
            w.close()

    def bits(self):
        """A bitfield of everything."""
        n = self.torrent.piece_count
        field = bytearray(b"\xff" * (n // 8) + bytes(n % 8 != 0))
        if n % 8:
            field[-1] = 0xff << (8 - n % 8) & 0xff
        return bytes(field)

    def on_connect(self, w):
        """From accept to the end."""
        w.take_handshake()
        self.connections += 1
        w.put_handshake(self.info_hash, self.reserved)
        self.greet(w)
        while True:
            kind, body = w.message()
            self.ids[kind] += 1
            self.on_message(w, kind, body)

    def greet(self, w):
        """After the handshakes."""
        w.send(BITFIELD, self.bits())
        w.send(UNCHOKE)

    def on_message(self, w, kind, body):
        if kind == REQUEST:
            piece, begin, length = struct.unpack(">III", body)
            self.requests.append((piece, begin, length))
            self.on_request(w, piece, begin, length)

    def on_request(self, w, piece, begin, length):
        w.piece(piece, begin, self.block(w, piece, begin, length))
        self.served += 1

    def block(self, w, piece, begin, length):
        at = piece * self.torrent.piece_length + begin
        return self.data[at:at + length]


class Slow(Seeder):
    """Honest, with so many seconds between two blocks of a connection."""
    pause = 0.01

    def on_request(self, w, piece, begin, length):
        time.sleep(self.pause)
        super().on_request(w, piece, begin, length)
