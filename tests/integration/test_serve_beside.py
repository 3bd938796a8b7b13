#!/usr/bin/python3
"""btc serves real clients while hostile ones take what they can get without
taking the data: slots, connections, memory, its time. The real ones keep their
speed. BTC_LAB_LONG=1 measures it, over a longer download; else they must be
served."""
import itertools
import os
import struct
import threading
import time

import lab as laboratory
import wire
from test_hostile_peer import MIB, OURS, more_addresses
from test_serve_peers import KINDS, PORT, only_btc, stop
from wire import (BITFIELD, HAVE, HAVE_NONE, INTERESTED, NOT_INTERESTED,
                  REQUEST, UNCHOKE, Gone)

LONG = int(os.environ.get("BTC_LAB_LONG", "0"))
RATE = 4            # MiB/s that btc may give in all


class Hostile(threading.Thread):
    """One that calls again whenever it is thrown out."""

    def __init__(self, torrent, ip):
        super().__init__(daemon=True)
        self.torrent, self.ip = torrent, ip
        self.calls = 0
        self.ended = threading.Event()
        self.start()

    def run(self):
        while not self.ended.is_set():
            try:
                w = wire.connect(OURS, PORT, self.torrent, source_ip=self.ip,
                                 reserved=wire.FAST)
                self.calls += 1
                try:
                    self.act(w)
                finally:
                    w.close()
            except (Gone, OSError):
                pass
            self.ended.wait(0.2)

    def rest(self, seconds):
        if self.ended.wait(seconds):
            raise Gone("the end")


class Squatter(Hostile):
    """Interested, and asks for nothing."""

    def act(self, w):
        w.send(HAVE_NONE)
        w.send(INTERESTED)
        while True:
            self.rest(1)


class Toggler(Hostile):
    """Interested and not, ten times a second."""

    def act(self, w):
        w.send(HAVE_NONE)
        while True:
            w.send(INTERESTED)
            self.rest(0.1)
            w.send(NOT_INTERESTED)


class Dripper(Hostile):
    """Asks for a block and takes five seconds to read it."""

    def act(self, w):
        w.send(HAVE_NONE)
        w.send(INTERESTED)
        w.wait_for(UNCHOKE)
        for i in itertools.count():
            w.request(i % self.torrent.piece_count, 0)
            for _ in range(50):
                w.take(300)
                self.rest(0.1)


class NeverReads(Hostile):
    """Asks for five hundred blocks, and reads none."""

    def act(self, w):
        w.sock.setsockopt(1, 8, 4096)
        w.send(HAVE_NONE)
        w.send(INTERESTED)
        w.put(b"".join(struct.pack(">IBIII", 13, REQUEST, i % 50, 0, 16384)
                       for i in range(500)))
        while True:
            self.rest(1)


class Caller(Hostile):
    """Calls and hangs up."""

    def act(self, w):
        w.send(INTERESTED)


class Chatterer(Hostile):
    """HAVEs without an end, and requests that make no sense."""

    def act(self, w):
        w.send(BITFIELD, bytes((self.torrent.piece_count + 7) // 8))
        w.send(INTERESTED)
        text = b"".join(struct.pack(">IBI", 5, HAVE, i % 50)
                        for i in range(200))
        while True:
            w.put(text)
            w.request(3, 0, 16384)
            w.request(3, 0, 16384, kind=wire.CANCEL)
            self.rest(0.02)


HOSTILE = (Squatter, Toggler, Dripper, NeverReads, Caller, Chatterer)


def served(lab, name, torrent, kinds):
    """MiB/s of each of four real clients, from the first byte for one of them to
    its own last."""
    db = lab.path(f"{name}.db")
    run = lab.start_btc("get", torrent.path, "-d",
                        os.path.dirname(torrent.source), "--seed", "forever",
                        "--port", str(PORT), "--up", f"{RATE}M", db=db)
    lab.wait(lambda: os.path.exists(db) and lab.sql(
        "SELECT 1 FROM progress WHERE state = 'seeding'", db=db), 60,
        "btc to seed")
    bad = [kind(torrent, f"10.77.1.{i + 1}") for i, kind in enumerate(kinds)]
    lab.wait(lambda: all(b.calls for b in bad), 30, "the hostile ones")
    leeches = [getattr(lab, kind)(torrent) for kind in KINDS]
    ips = [leech.ip for leech in leeches]

    def given():
        marks = ",".join("?" * len(ips))
        return [r[0] for r in lab.sql(
            "SELECT coalesce(sum(bytes_up), 0) FROM peer_list "
            f"WHERE address IN ({marks})", *ips, db=db)][0]
    lab.wait(lambda: given() > 0, 60, "the first of them to be served", 0.05)
    begun = time.monotonic()
    ends = {}

    def watch():
        for leech in leeches:
            if leech.name not in ends and leech.is_seeding():
                ends[leech.name] = time.monotonic() - begun
        return len(ends) == len(leeches)
    lab.wait(watch, 300, "all of them to have everything", 0.05)
    for leech in leeches:
        torrent.check(leech.dir)
        leech.stop()
    for b in bad:
        b.ended.set()
    stop(lab, run)
    return {k: torrent.size / MIB / v for k, v in ends.items()}


def test_real_leechers(lab):
    more_addresses()
    source = lab.make_data("seed/data.bin", (40 if LONG else 3) * MIB)
    torrent = lab.make_torrent(source, piece_length=65536, private=True)
    torrent.path = with_announce(lab, torrent)
    ratios = []
    for n in range(LONG or 1):
        alone = served(lab, f"alone-{n}", torrent, ())
        beside = served(lab, f"beside-{n}", torrent, HOSTILE * 4)
        ratios.append(sum(beside.values()) / sum(alone.values()))
        print(f"beside {len(HOSTILE) * 4} hostile peers {ratios[-1]:.2f}: "
              + ", ".join(f"{k} {beside[k]:.2f} of {alone[k]:.2f} MiB/s"
                          for k in alone), flush=True)
    assert not LONG or sum(ratios) / len(ratios) >= 0.9, ratios


def with_announce(lab, torrent):
    path = lab.path("only-btc.torrent")
    with open(path, "wb") as f:
        f.write(laboratory.benc({"announce": only_btc(lab),
                                 "info": torrent.info}))
    return path


laboratory.main(__name__)
