#!/usr/bin/env python3
"""Peers that lie about metadata, in every way there is, beside one honest
libtorrent: the download becomes whole, and who lied is remembered."""
import re
import threading
import time

import kit
import lab
import wire


lab_benc = lab.benc  # `lab` is an argument below
PIECE = 16384


class Liar(wire.Seeder):
    """Says that it has metadata; what it does with questions is told by the
    subclasses. It has no byte of the data."""
    reserved, shown = wire.BOTH, None

    def __init__(self, torrent, ip):
        self.info = lab_benc(torrent.info)
        self.asked = []
        super().__init__(torrent, ip)

    def hello(self, w, size):
        w.send(wire.EXTENDED, b"\0" + lab_benc(
            {"m": {"ut_metadata": 3}, "metadata_size": size}))

    def size(self):
        return len(self.info)

    def greet(self, w):
        self.hello(w, self.size())
        w.send(wire.HAVE_NONE)
        self.after(w)

    def after(self, w):
        """What it does by itself."""

    def tell(self, w, piece, data, total=None, kind=1):
        w.send(wire.EXTENDED, b"\1" + lab_benc(
            {"msg_type": kind, "piece": piece,
             "total_size": len(self.info) if total is None else total}) + data)

    def honest(self, piece):
        return self.info[piece * PIECE:(piece + 1) * PIECE]

    def on_message(self, w, kind, body):
        if kind == wire.EXTENDED and body[0] == 3:
            piece = int(re.search(rb"5:piecei(\d+)e", body)[1])
            self.asked.append(piece)
            self.answer(w, piece)

    def answer(self, w, piece):
        """One question."""


def sized(n):
    class Sized(Liar):
        def size(self):
            return n
    return Sized


class Changing(Liar):
    """Another size with each question."""
    def answer(self, w, piece):
        self.hello(w, len(self.info) + len(self.asked))
        self.tell(w, piece, self.honest(piece),
                  len(self.info) + len(self.asked))


class Wrong(Liar):
    def answer(self, w, piece):
        self.tell(w, piece, bytes(len(self.honest(piece))))


class Short(Liar):
    def answer(self, w, piece):
        self.tell(w, piece, self.honest(piece)[:-1])


class Long(Liar):
    def answer(self, w, piece):
        self.tell(w, piece, self.honest(piece) + b"x")


class Rejects(Liar):
    def answer(self, w, piece):
        self.tell(w, piece, b"", kind=2)


class Silent(Liar):
    pass


class Unasked(Liar):
    """Data for pieces that nobody asked for, and far beyond the end."""
    def answer(self, w, piece):
        for other in (piece + 1, 2 ** 31, 2 ** 32 - 1, 99999):
            self.tell(w, other, bytes(PIECE))


class Twice(Liar):
    """Right, and then once more with other bytes. It keeps piece 0 to itself,
    or all would be there before the others are asked."""
    def answer(self, w, piece):
        if piece == 0:
            return
        self.tell(w, piece, self.honest(piece))
        self.tell(w, piece, bytes(len(self.honest(piece))))


class Flood(Liar):
    """Asks for metadata that we do not have, without end."""
    def after(self, w):
        def flood():
            try:
                while not self.closed:
                    for i in range(200):
                        w.send(wire.EXTENDED, b"\1" + lab_benc(
                            {"msg_type": 0, "piece": i}))
                    time.sleep(0.01)
            except wire.Gone:
                pass
        threading.Thread(target=flood, daemon=True).start()


class Garbage(Liar):
    def answer(self, w, piece):
        w.send(wire.EXTENDED, b"\1" + b"d8:msg_typei1e5:piecei-1ee")
        w.send(wire.EXTENDED, b"\1" + b"d" * 4000)
        w.send(wire.EXTENDED, b"\1")


def log_of(lab):
    return "\n".join(r["text"] for r in lab.sql("SELECT text FROM log"))


def among(lab, *kinds, asked=True, until=None):
    """The liars are met first, then the honest one; the liars' rows."""
    data = lab.make_data("seed/data.bin", 3_500_000)
    torrent = lab.make_torrent(data, piece_length=1024)
    seed = lab.libtorrent(torrent, seed=True)
    seed.wait_ready()
    liars = [kind(torrent, lab.next_ip()) for kind in kinds]
    program = lab.start_btc(
        "get", torrent.magnet(peers=[liar.address for liar in liars]), "-d",
        kit.folder(lab, "out"), "--max-time", "100")
    for liar in liars:
        lab.wait(lambda: liar.asked if asked else liar.connections, 20,
                 "the liar")
    if until:
        lab.wait(lambda: until in log_of(lab), 30, until)
    assert kit.progress(lab)["state"] == "metadata"
    run = lab.btc("set", "1", f"peer={seed.ip}:{seed.port}")
    assert run.code == 0, run
    assert program.wait(110) == 0, program.err()
    torrent.check(lab.path("out"))
    kit.is_complete(lab, torrent)
    return liars


def test_sizes(lab):
    among(lab, *[sized(n) for n in (0, -1, 2 ** 31, 2 ** 63 - 1, 2 ** 31 - 1,
                                    1 << 27)], asked=False)


def test_changing(lab):
    among(lab, Changing)


def test_wrong(lab):
    """A liar alone is found out, remembered, and not asked a second time."""
    liar, = among(lab, Wrong, until="not the right one")
    n = (len(liar.info) + PIECE - 1) // PIECE
    assert sorted(liar.asked) == list(range(n)), liar.asked
    row, = lab.sql("SELECT * FROM peer_list WHERE port = ?", liar.port)
    assert row["banned"], dict(row)


def test_lengths(lab):
    among(lab, Short, Long)


def test_rejects_and_silence(lab):
    among(lab, Rejects, Silent)


def test_unasked(lab):
    among(lab, Unasked, Twice)


def test_flood(lab):
    among(lab, Flood, Garbage, asked=False)


def test_all(lab):
    among(lab, Wrong, Changing, Short, Rejects, Silent, Unasked, Flood,
          asked=False)


lab.main(__name__)
