"""Every packet of the test's network, as AF_PACKET sees it, judged by what it
carries. Standard library only.

    capture = Capture()          # before anybody speaks
    ...
    kinds = capture.kinds(ip)    # of what that address has sent so far
    n = capture.greeted(ip, to)  # connections in which it has sent a handshake

Kinds: "dht" (a KRPC message over UDP), "lsd" (an announce to a group), "group"
(a membership of the groups of LSD), "pex" (an extension handshake or message
that names ut_pex), "port" (a PORT message's right: the bit of the handshake),
"tcp" and "udp" (anything at all, which shows that the capture works).
"""
import select
import socket
import struct
import threading

ETH_P_ALL = 3
SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_STATISTICS = 263, 6
LSD_GROUPS = (socket.inet_aton("239.192.152.143"),
              socket.inet_pton(socket.AF_INET6, "ff15::efc0:988f"))
HANDSHAKE = b"\x13BitTorrent protocol"


class Capture:
    def __init__(self):
        self.found = {}  # address -> kinds
        self.hellos = {}  # (address, address) -> ports of both
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                                    socket.htons(ETH_P_ALL))
        # past the limit for everybody: this thread may have to wait its turn
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 28)
        self.end = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def kinds(self, ip):
        return set(self.found.get(ip, ()))

    def greeted(self, ip, to):
        return len(self.hellos.get((ip, to), ()))

    def close(self):
        """All that was sent before is judged."""
        self.end.set()
        self.thread.join()
        _, dropped = struct.unpack("II", self.socket.getsockopt(
            SOL_PACKET, PACKET_STATISTICS, 8))
        self.socket.close()
        assert dropped == 0, f"{dropped} packets were not seen"

    def _run(self):
        while True:
            ending = self.end.is_set()
            ready, _, _ = select.select([self.socket], [], [],
                                        0 if ending else 0.1)
            if ready:
                packet, where = self.socket.recvfrom(1 << 17)
                self._packet(packet, where[1])
            elif ending:
                return

    def _packet(self, packet, protocol):
        if protocol == 0x0800 and len(packet) >= 20:
            length = (packet[0] & 15) * 4
            source = socket.inet_ntoa(packet[12:16])
            self._carried(source, packet[16:20], packet[9], packet[length:])
            if packet[9] == 6:
                self._greets(source, socket.inet_ntoa(packet[16:20]),
                             packet[length:])
        elif protocol == 0x86dd and len(packet) >= 40:
            source = socket.inet_ntop(socket.AF_INET6, packet[8:24])
            self._carried(source, packet[24:40], packet[6], packet[40:])

    def _carried(self, source, target, protocol, body):
        kinds = self.found.setdefault(source, set())
        if protocol == 17 and len(body) >= 8:
            kinds.add("udp")
            self._udp(kinds, target, body)
        elif protocol == 6 and len(body) >= 20:
            kinds.add("tcp")
            self._tcp(kinds, body[(body[12] >> 4) * 4:])
        elif protocol in (0, 2) and any(g in body for g in LSD_GROUPS):
            kinds.add("group")

    def _greets(self, source, target, body):
        if len(body) >= 20 and body[(body[12] >> 4) * 4:].startswith(HANDSHAKE):
            self.hellos.setdefault((source, target), set()).add(body[:4])

    @staticmethod
    def _udp(kinds, target, body):
        port = struct.unpack(">H", body[2:4])[0]
        data = body[8:]
        if data[:1] == b"d" and b"1:y1:" in data:
            kinds.add("dht")
        if target in LSD_GROUPS or port == 6771 or b"BT-SEARCH" in data:
            kinds.add("lsd")

    @staticmethod
    def _tcp(kinds, data):
        if data.startswith(HANDSHAKE) and len(data) >= 28 and data[27] & 1:
            kinds.add("port")
        if b"ut_pex" in data or b"5:added" in data:
            kinds.add("pex")
