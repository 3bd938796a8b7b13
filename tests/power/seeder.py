"""A seeder that counts: which blocks it was asked for, what it sent, and when.

Seeder(torrent, ip, rate) listens at once and serves from threads. It sends with
a small socket buffer, so that what it has sent has nearly arrived. All times
are of time.monotonic().
"""
import collections
import socket
import struct
import threading
import time

from claims import Truth

PROTOCOL = b"\x13BitTorrent protocol"
SEND_BUFFER = 65536
UNCHOKE, INTERESTED, BITFIELD, REQUEST, PIECE, CANCEL = 1, 2, 5, 6, 7, 8

Asked = collections.namedtuple("Asked", "at piece begin length")


class Seeder:
    def __init__(self, torrent, ip="10.77.0.1", port=0, rate=0):
        self.torrent, self.rate = torrent, rate  # bytes per second, 0 = all
        truth = Truth(torrent)
        self.data = b"".join(bytes(f.length) if r is None else r
                             for f, r in zip(torrent.files, truth.right))
        self.lock = threading.Lock()
        self.idle = threading.Condition(self.lock)
        self.accepted, self.n_open = set(), 0
        self.asked, self.sent = [], []
        self.next = 0.0  # when the next byte may go
        self.open = set()
        self.socket = socket.create_server((ip, port), backlog=64)
        self.ip, self.port = self.socket.getsockname()
        self.address = f"{self.ip}:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        """Stops listening and ends all connections. Closing alone wakes no
        accept(), whose thread would keep this object and its data for ever."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for s in list(self.open):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def forget(self):
        """Counts from zero; gives what was counted: (asked, sent)."""
        with self.lock:
            old = self.asked, self.sent
            self.asked, self.sent = [], []
        return old

    def settle(self):
        """The other side is gone: waits until all that it had sent is counted,
        also over connections that were not looked at yet."""
        with socket.create_connection((self.ip, self.port)) as last:
            name = last.getsockname()
        with self.idle:
            done = self.idle.wait_for(
                lambda: name in self.accepted and self.n_open == 0, 60)
            self.accepted.clear()
        assert done, "a connection stays open"

    def has_been_asked(self):
        """Since the last forget()."""
        with self.lock:
            return bool(self.asked)

    def n_sent(self):
        """Bytes of payload."""
        with self.lock:
            return sum(a.length for a in self.sent)

    def _accept(self):
        while True:
            try:
                link, name = self.socket.accept()
            except OSError:
                return
            with self.idle:
                self.accepted.add(name)
                self.n_open += 1
            threading.Thread(target=self._serve, args=(link,),
                             daemon=True).start()

    def _serve(self, link):
        self.open.add(link)
        queue, more = collections.deque(), threading.Condition()
        try:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream = link.makefile("rb")
            hello = stream.read(68)
            if hello[:20] != PROTOCOL or hello[28:48] != bytes.fromhex(
                    self.torrent.info_hash):
                return
            n = self.torrent.piece_count
            bits = ((1 << n) - 1) << (-n % 8)
            link.sendall(PROTOCOL + bytes(8) + hello[28:48]
                         + b"-PW0001-" + struct.pack(">IQ", self.port, 1)
                         + self._message(BITFIELD,
                                         bits.to_bytes((n + 7) // 8, "big")))
            threading.Thread(target=self._send, args=(link, queue, more),
                             daemon=True).start()
            self._read(stream, queue, more)
        except OSError:
            pass
        finally:
            with more:
                queue.append(None)
                more.notify()
            self.open.discard(link)
            link.close()
            with self.idle:
                self.n_open -= 1
                self.idle.notify_all()

    @staticmethod
    def _message(kind, payload=b""):
        return struct.pack(">IB", 1 + len(payload), kind) + payload

    def _read(self, stream, queue, more):
        """Messages of the other side until it goes."""
        while True:
            head = stream.read(4)
            if len(head) < 4:
                return
            body = stream.read(int.from_bytes(head, "big"))
            if not body:
                continue
            if body[0] == INTERESTED:
                with more:
                    queue.append(UNCHOKE)
                    more.notify()
            elif body[0] in (REQUEST, CANCEL):
                item = struct.unpack(">III", body[1:13])
                with more:
                    if body[0] == REQUEST:
                        with self.lock:
                            self.asked.append(Asked(time.monotonic(), *item))
                        queue.append(item)
                        more.notify()
                    elif item in queue:
                        queue.remove(item)

    def _wait_turn(self, n):
        """The rate holds over all connections; no credit is saved up."""
        if not self.rate:
            return
        with self.lock:
            now = time.monotonic()
            at = max(self.next, now - 0.02)
            self.next = at + n / self.rate
        if at > now:
            time.sleep(at - now)

    def _send(self, link, queue, more):
        try:
            while True:
                with more:
                    while not queue:
                        more.wait()
                    item = queue.popleft()
                if item is None:
                    return
                if item == UNCHOKE:
                    link.sendall(self._message(UNCHOKE))
                    continue
                piece, begin, length = item
                self._wait_turn(length)
                at = piece * self.torrent.piece_length + begin
                link.sendall(self._message(
                    PIECE, struct.pack(">II", piece, begin)
                    + self.data[at:at + length]))
                with self.lock:
                    self.sent.append(Asked(time.monotonic(), *item))
        except OSError:
            pass
