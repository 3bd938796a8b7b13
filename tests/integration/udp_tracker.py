"""A UDP tracker (BEP 15) that does what a test tells it to, also wrong things."""
import socket
import struct
import threading

MAGIC = 0x41727101980
CONNECT, ANNOUNCE, SCRAPE, ERROR = range(4)


class UdpTracker:
    """Answers in a thread. `behave(kind, n, data, answer)` may give another
    answer to the n-th datagram of a kind: bytes, a list of bytes, or None for
    silence."""

    def __init__(self, ip="10.77.0.1", peers=(), behave=None, port=0):
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((ip, port))
        self.port = self.socket.getsockname()[1]
        host = f"[{ip}]" if ":" in ip else ip
        self.url = f"udp://{host}:{self.port}/announce?key=abc"
        self.width = family
        self.peers, self.behave = list(peers), behave
        self.seen = []  # (kind, event, data)
        self.counts = {}
        threading.Thread(target=self._serve, daemon=True).start()

    def kinds(self):
        return [kind for kind, _, _ in self.seen]

    def events(self):
        return [event for kind, event, _ in self.seen if kind == ANNOUNCE]

    def _serve(self):
        while True:
            try:
                data, who = self.socket.recvfrom(4096)
            except OSError:
                return
            if len(data) < 16:
                continue
            head, kind, tid = struct.unpack(">QII", data[:16])
            event = None
            if kind == ANNOUNCE and len(data) >= 98:
                event = struct.unpack(">I", data[80:84])[0]
            self.seen.append((kind, event, data))
            n = self.counts[kind] = self.counts.get(kind, 0) + 1
            answer = self._answer(kind, tid, head)
            if self.behave:
                answer = self.behave(kind, n, data, answer)
            for part in answer if isinstance(answer, list) else [answer]:
                if part is not None:
                    self.socket.sendto(part, who)

    def _answer(self, kind, tid, head):
        if kind == CONNECT:
            if head != MAGIC:
                return None
            return struct.pack(">IIQ", CONNECT, tid, 0x1122334455667788)
        if head != 0x1122334455667788:
            return struct.pack(">II", ERROR, tid) + b"connection id unknown"
        if kind == ANNOUNCE:
            packed = b"".join(
                socket.inet_pton(self.width, ip) + struct.pack(">H", port)
                for ip, port in self.peers)
            return struct.pack(">IIIII", ANNOUNCE, tid, 1800, 2, 1) + packed
        return struct.pack(">IIIII", SCRAPE, tid, 1, 5, 2)

    def close(self):
        self.socket.close()
