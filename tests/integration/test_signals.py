#!/usr/bin/python3
"""Signals at any time from exec on: they are taken before anything is written,
kept for the engine, and end the program as it is documented."""
import os
import random
import re
import signal
import sys
import time

import lab
import wire
from lab import benc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "power"))
from seeder import Seeder  # noqa: E402

SEED = int(os.environ.get("BTC_SIGNALS_SEED", random.randrange(1 << 30)))
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ROUNDS = 60


def is_taken(run, number):
    """The program has a handler of its own by now."""
    try:
        with open(f"/proc/{run.pid}/status", encoding="ascii") as f:
            caught = re.search(r"SigCgt:\s+(\w+)", f.read())
    except OSError:
        return False
    return bool(caught and int(caught.group(1), 16) >> (number - 1) & 1)


def when_taken(run, number, db):
    """Waits for the handler; nothing may be written before."""
    while not is_taken(run, number):
        early = os.path.exists(db)
        assert not early or is_taken(run, number), "written before"
        assert run.is_running(), run.err()


def torrent(lab, size=400_000, **options):
    data = lab.make_data("seed/x.bin", size)
    return lab.make_torrent(data, piece_length=32768, **options)


def folder(lab):
    os.makedirs(lab.path("out"), exist_ok=True)
    return lab.path("out")


def test_any_time(lab):
    """From the first moment that it can be, at ever later ones."""
    print(f"BTC_SIGNALS_SEED={SEED}")
    r = random.Random(SEED)
    t = torrent(lab)
    seeder = Seeder(t, rate=100_000)
    get = ("get", t.path, "-d", folder(lab), "--peer", seeder.address)
    early = 0
    for i in range(ROUNDS):
        number = SIGNALS[i % 3]
        what = r.choice(["get", "resume", "daemon"]) if i >= 6 else "get"
        if what == "daemon" and number == signal.SIGHUP:
            number = signal.SIGTERM
        if what != "get" and not lab.sql("SELECT 1 FROM torrent"):
            what = "get"
        db = lab.db if not os.path.exists(lab.db) else "/nonexistent"
        run = lab.start_btc(*(get if what == "get" else (what,)))
        when_taken(run, number, db)
        if i >= 6:  # the first ones at once
            end = time.monotonic() + r.choice([0.003, 0.03, 0.2]) * r.random()
            while time.monotonic() < end:
                pass
        run.signal(number)
        code = run.wait(20)
        assert code == (0 if what == "daemon" else 7), (
            i, what, number, code, run.err())
        early += "before anything" in run.err()
        if os.path.exists(lab.db):
            ends = lab.sql("SELECT 1 FROM run WHERE ended_at IS NULL")
            assert not ends, (i, what, "no clean end")
    print(f"{early} of {ROUNDS} before anything was added")
    seeder.rate = 0
    run = lab.btc(*get)
    assert run.code == 0, run
    t.check(lab.path("out"))


def test_reload_early(lab):
    """HUP never ends a daemon, not even a young one."""
    for i in range(12):
        run = lab.start_btc("daemon")
        when_taken(run, signal.SIGHUP, "/nonexistent")
        if i % 2:
            lab.wait(lambda: lab.sql("SELECT 1 FROM engine WHERE open"), 20)
        run.signal(signal.SIGHUP)
        lab.wait(lambda: "read again" in run.err(), 20)
        assert run.stop() == 0, run.err()


def test_while_fetching(lab):
    """A source that does not come: nothing is written, nothing is lost."""
    asked = []

    def hang(path, _headers):
        asked.append(path)
        time.sleep(30)
        return 200, {}, b""
    url = lab.http_server(hang) + "/x.torrent"
    for i, args in enumerate(((), ("--json",), ("--ndjson",))):
        for number in SIGNALS:
            before = len(asked)
            run = lab.start_btc("get", url, "-d", folder(lab), *args)
            lab.wait(lambda: len(asked) > before, 20)
            begin = time.monotonic()
            run.signal(number)
            assert run.wait(10) == 7, run.err()
            assert time.monotonic() - begin < 5
            assert "before anything was added" in run.err(), run.err()
            assert bool(run.out()) == (i > 0), run.out()
            assert i == 0 or '"retryable"' in run.out(), run.out()
    assert not os.path.exists(lab.db)


def test_while_waiting(lab):
    """A daemon whose storage is away."""
    t = torrent(lab)
    run = lab.btc("add", t.path, "-d", folder(lab))
    assert run.code == 0, run
    os.rmdir(lab.path("out"))
    for number in (signal.SIGINT, signal.SIGTERM):
        run = lab.start_btc("daemon")
        lab.wait(lambda: "waiting-storage" in run.err(), 20)
        run.signal(number)
        assert run.wait(20) == 0, run.err()
        assert not lab.sql("SELECT 1 FROM run WHERE ended_at IS NULL")


def test_while_following(lab):
    """The engine of somebody else goes on."""
    t = torrent(lab, size=3_000_000)
    seed = wire.Slow(t, lab.next_ip())
    seed.pause = 0.02
    daemon = lab.start_btc("daemon")
    lab.wait(lambda: lab.sql("SELECT 1 FROM engine WHERE open"), 20)
    for i in range(9):
        run = lab.start_btc("get", t.path, "-d", folder(lab), "--peer",
                            seed.address)
        if i % 2:
            lab.wait(lambda: "following" in run.err(), 20)
        else:
            when_taken(run, SIGNALS[i % 3], "/nonexistent")
        run.signal(SIGNALS[i % 3])
        assert run.wait(20) == 7, run.err()
    assert daemon.is_running()
    assert daemon.stop() == 0, daemon.err()


def test_again(lab):
    """The second one does not wait for a tracker that does not answer."""
    seen = []

    def slow(path, _headers):
        seen.append(path)
        if "event=stopped" in path:
            time.sleep(20)
        return 200, {}, benc({b"interval": 1800, b"peers": b""})
    t = torrent(lab, size=3_000_000, tiers=[[lab.http_server(slow)
                                             + "/announce"]])
    seed = wire.Slow(t, lab.next_ip())
    seed.pause = 0.1  # a tracker that just answered is left alone for 5 s
    spans = []
    for times in (1, 2, 3, 4):
        seen.clear()
        run = lab.start_btc("get", t.path, "-d", folder(lab), "--peer",
                            seed.address)
        lab.wait(lambda: seen and lab.sql("SELECT 1 FROM piece"), 20)
        run.signal(signal.SIGINT)
        lab.wait(lambda: any("event=stopped" in p for p in seen), 20)
        begin = time.monotonic()
        for _ in range(times - 1):
            run.signal(signal.SIGINT)
        assert run.wait(20) == 7, run.err()
        spans.append(time.monotonic() - begin)
        if times < 3:
            assert not lab.sql("SELECT 1 FROM run WHERE ended_at IS NULL")
    assert spans[0] > spans[1] + 1 and max(spans[1:]) < 1.5, spans
    good = t.good_pieces(lab.path("out"))
    assert {r[0] for r in lab.sql("SELECT piece FROM piece")} <= good


def test_while_a_hook_runs(lab):
    """Everything is told: the outcome stands."""
    t = torrent(lab)
    os.mkfifo(lab.path("go"))
    run = lab.start_btc("get", t.path, "-d", folder(lab), "--peer",
                        Seeder(t).address, "--json", "--on-done",
                        "cat " + lab.path("go"))
    lab.wait(lambda: '"torrents"' in run.out(), 20)
    run.signal(signal.SIGTERM)
    assert run.wait(10) == 0, run.err()
    with open(lab.path("go"), "w", encoding="ascii"):
        pass  # lets the hook go


if __name__ == "__main__":
    lab.main(__name__)
