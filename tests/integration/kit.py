"""What the integration tests of btc share: swarms, runs, and what must hold
after them. See lab.py for the laboratory itself."""
import contextlib
import fcntl
import os
import re
import signal
import sqlite3

import lab as lab_module

RETRYABLE = (5, 6, 7, 11)
# What btc may say; a signal may come before it has heard of signals.
STATUSES = set(range(17)) | {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT}
# What none of its runs may say.
BAD = re.compile(r"Sanitizer|runtime error|internal|assertion", re.I)


def folder(lab, *parts):
    """A folder in the lab, made when it is not there."""
    full = lab.path(*parts)
    os.makedirs(full, exist_ok=True)
    return full


def library(variable):
    """A library of tests/power that is preloaded: BTC_KILL, BTC_FAIL..."""
    name = variable[len("BTC_"):].lower()
    path = os.environ.get(variable)
    if not path:
        raise lab_module.Skip(f"{variable} does not name lib{name}.so")
    return path


def killed_at(lab, nth, *args, lacks=False, codes=(0,)):
    """btc, killed before its n-th change or at its end before that, with one of
    `codes`. `lacks`: on a file system without renameat2."""
    env = {"LD_PRELOAD": library("BTC_KILL"), "BTC_KILL_NTH": str(nth)}
    if lacks:
        env["BTC_KILL_LACKS"] = "1"
    run = lab.btc(*args, env=env)
    assert run.code in (*codes, -signal.SIGKILL), (nth, run)
    return run


def swarm(lab, *kinds, source=None, size=6_000_001, piece_length=65536,
          **options):
    """A torrent at a tracker, with a seeder of each kind ("transmission", ...):
    (tracker, torrent, seeders). A file of `size`, or `source`."""
    source = source or lab.make_data("seed/data.bin", size, seed=size)
    tracker = lab.opentracker()
    torrent = lab.make_torrent(source, piece_length=piece_length,
                               tiers=[[tracker.url]])
    seeds = [getattr(lab, kind)(torrent, seed=True, **options)
             for kind in kinds]
    for s in seeds:
        s.wait_ready()
    if seeds:
        tracker.wait_seeds(torrent, len(seeds))
    return tracker, torrent, seeds


def get(lab, torrent, *args, out="out", code=0, **options):
    """btc get to its end; with code 0 the data must be right."""
    run = lab.btc("get", torrent.path, "-d", folder(lab, out),
                  "--progress", "plain", *args, **options)
    assert run.code == code, run
    if code == 0:
        torrent.check(lab.path(out))
    return run


def progress(lab, torrent=None):
    """The row of `progress`, as a dict."""
    rows = lab.sql("SELECT * FROM progress")
    rows = [r for r in rows
            if torrent is None or r["info_hash"] == torrent.info_hash]
    assert len(rows) == 1, [dict(r) for r in rows]
    return dict(rows[0])


def is_complete(lab, torrent, size=None):
    """Asserts what the database says after a download; the row."""
    row = progress(lab, torrent)
    assert row["state"] == "complete" and row["percent"] == 100.0, row
    assert row["bytes_done"] == row["bytes_total"], row
    assert row["bytes_total"] == (torrent.size if size is None else size), row
    assert row["bytes_left"] == 0 and row["error"] is None, row
    if size is None:
        assert row["pieces_done"] == row["pieces_total"], row
        assert row["pieces_total"] == torrent.piece_count, row
        assert not lab.sql("SELECT * FROM block")
    return row


def claims_hold(lab, torrent, out="out"):
    """Asserts that what the journal claims is on disk; the claimed pieces."""
    claimed = {r["piece"] for r in lab.sql(
        "SELECT piece FROM piece_map WHERE state = 'verified'")}
    good = torrent.good_pieces(lab.path(out))
    assert claimed <= good, sorted(claimed - good)
    return claimed


def has_rows(lab):
    """The database is there and knows a torrent."""
    return bool(lab.sql("SELECT 1 FROM torrent"))


def ids(lab, db=None):
    """The ids of all torrents, as texts; none while nobody can read them."""
    with contextlib.suppress(sqlite3.Error):
        return [str(r["id"]) for r in lab.sql("SELECT id FROM torrent", db=db)]
    return []


@contextlib.contextmanager
def lease(f, kind):
    """A lease on an open file, given up when somebody asks for it; the signals
    that asked."""
    asked = []

    def let_go(*_):
        asked.append(True)
        fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    before = signal.signal(signal.SIGIO, let_go)
    try:
        fcntl.fcntl(f, fcntl.F_SETLEASE, kind)
        yield asked
    finally:
        signal.signal(signal.SIGIO, before)
