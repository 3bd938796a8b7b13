#!/usr/bin/python3
"""Whatever ends a download, `btc resume` with the database alone goes on."""
import json
import os
import pathlib
import random
import signal
import time

import kit
import lab
import wire

SEED = int(os.environ.get("BTC_TEST_SEED", "0")) or random.randrange(1 << 30)


def begin(lab, *kinds, size=6_000_001, up_limit=2500, piece_length=262144,
          args=(), **options):
    """A download that takes some seconds: (tracker, torrent, seeders, run)."""
    tracker, torrent, seeds = kit.swarm(lab, *kinds, size=size,
                                        up_limit=up_limit,
                                        piece_length=piece_length, **options)
    run = lab.start_btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                        *args)
    return tracker, torrent, seeds, run


def wait_share(lab, run, share):
    """Until so much (0..1) stands in the journal."""
    def here():
        assert run.is_running(), run.err()
        return kit.has_rows(lab) and kit.progress(lab)["percent"] >= share * 100
    lab.wait(here, 60, f"{share:.0%} of the data")


def finish(lab, torrent, *args):
    """btc resume to the end."""
    run = lab.btc("resume", *args)
    assert run.code == 0, run
    torrent.check(lab.path("out"))
    kit.is_complete(lab, torrent)
    return run


def interrupted(lab, sig):
    """SIGINT, SIGTERM, SIGHUP: exit 7, blocks and all in the journal."""
    tracker, torrent, _, run = begin(lab, "libtorrent")
    wait_share(lab, run, 0.2)
    run.signal(sig)
    asked = time.monotonic()
    assert run.wait(10) == 7, run.err()
    assert time.monotonic() - asked < 4
    row = kit.progress(lab)
    assert 20 <= row["percent"] < 100, row
    assert row["down_rate"] == 0 and row["peers"] == 0, row
    assert "btc resume" in run.err(), run.err()
    assert tracker.scrape(torrent)[2] == 0, "no `stopped` reached the tracker"
    kit.claims_hold(lab, torrent)
    ended = lab.sql("SELECT ended_at FROM run ORDER BY id DESC LIMIT 1")[0][0]
    assert ended
    before = row["downloaded"]
    finish(lab, torrent)
    row = kit.progress(lab)
    # Nothing was fetched twice: all that was received had been journaled.
    assert row["downloaded"] <= torrent.size + 5 * 16384, (before, row)


def test_sigint(lab):
    interrupted(lab, signal.SIGINT)


def test_sigterm(lab):
    interrupted(lab, signal.SIGTERM)


def test_sighup(lab):
    interrupted(lab, signal.SIGHUP)


def test_sigint_twice(lab):
    """The second one does not wait for trackers."""
    def answer(path, headers):
        time.sleep(20)
        return 200, {}, b""
    silent = lab.http_server(answer)
    source = lab.make_data("seed/data.bin", 12_000_001)
    torrent = lab.make_torrent(source, tiers=[[silent + "/announce"]])
    seed = wire.Slow(torrent, lab.next_ip())
    seed.pause = 0.008
    run = lab.start_btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                        "--peer", seed.address)
    wait_share(lab, run, 0.1)
    asked = time.monotonic()
    run.signal(signal.SIGINT)
    # It closes its connections at once: the first one has arrived.
    lab.wait(lambda: seed_peers(seed) == 0 or not run.is_running(), 3)
    run.signal(signal.SIGINT)
    assert run.wait(10) == 7, run.err()
    assert time.monotonic() - asked < 2.5
    kit.claims_hold(lab, torrent)
    seed.pause = 0
    finish(lab, torrent)


def seed_peers(seed):
    """Connections of a wire.Seeder that stand."""
    return sum(w.sock.fileno() >= 0 for w in seed.wires)


def test_kill_at_random(lab):
    """kill -9, again and again; what is claimed is there each time."""
    print(f"BTC_TEST_SEED={SEED}")
    chance = random.Random(SEED)
    _, torrent, seeds, run = begin(lab, "libtorrent", size=30_000_001,
                                   up_limit=6000, piece_length=1 << 20)
    kills = 0
    while kills < 8:
        time.sleep(chance.uniform(0, 1.2))  # the moment is what is tested
        if not run.is_running():
            assert run.wait() == 0, run.err()
            break
        run.kill()
        kills += 1
        if kit.has_rows(lab):
            kit.claims_hold(lab, torrent)
            run = lab.start_btc("resume")
        else:  # killed before it had begun
            run = lab.start_btc("get", torrent.path, "-d", lab.path("out"))
    assert run.wait() == 0, run.err()
    torrent.check(lab.path("out"))
    row = kit.is_complete(lab, torrent)
    assert kills >= 3, kills
    given = seeds[0].uploaded()
    # At most what arrived in a journal interval, and what was under way.
    assert given < torrent.size + kills * 9_000_000, (given, kills)
    assert row["downloaded"] <= given + (1 << 20), (row, given)


def test_kill_asks_little_again(lab):
    """At 20 MB/s a kill costs at most what came in the last interval; the first
    request to a peer goes out within 0.3 s."""
    source = lab.make_data("seed/data.bin", 64_000_000)
    torrent = lab.make_torrent(source, piece_length=1 << 20)
    seeds = [wire.Slow(torrent, lab.next_ip()) for _ in range(4)]
    for s in seeds:
        s.pause = 0.0033
    run = lab.start_btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                        *[a for s in seeds for a in ("--peer", s.address)])
    wait_share(lab, run, 0.4)
    time.sleep(random.uniform(0, 1))  # any moment between two commits
    run.kill()
    kit.claims_hold(lab, torrent)
    claimed = lab.sql("SELECT sum(blocks_done) FROM piece_map")[0][0]
    before = {r for s in seeds for r in s.requests}
    for s in seeds:
        s.requests.clear()
    begun = time.monotonic()
    run = lab.start_btc("resume")
    lab.wait(lambda: any(s.requests for s in seeds), 10, "a request", 0.002)
    first = time.monotonic() - begun
    assert run.wait() == 0, run.err()
    torrent.check(lab.path("out"))
    after = {r for s in seeds for r in s.requests}
    blocks = -(-torrent.size // wire.BLOCK)
    assert len(after) <= blocks - claimed, "asked for what the journal had"
    twice = len(before & after) * wire.BLOCK
    print(f"asked twice: {twice / 1e6:.1f} MB, first request after {first:.3f} s")
    # A second of 20 MB/s and what was under way; a loaded machine has jitter.
    assert twice < 32_000_000, twice
    assert first < 1.5, first


def test_resume_dials_known_peers_at_once(lab):
    """The tracker is dead at resume: peers come from the journal."""
    tracker, torrent, seeds, run = begin(lab, "libtorrent", "aria2",
                                        up_limit=1000)
    wait_share(lab, run, 0.2)
    run.kill()
    tracker.kill()
    run = finish(lab, torrent)
    assert run.seconds < 20, run
    rows = {r["address"]: r["source"] for r in
            lab.sql("SELECT address, source FROM peer_list")}
    assert {s.ip for s in seeds} <= set(rows), rows


def test_seeder_restarts(lab):
    """The only seeder dies in the middle and comes back."""
    _, torrent, seeds, run = begin(lab, "libtorrent", up_limit=3000)
    wait_share(lab, run, 0.2)
    seeds[0].kill()
    lab.wait(lambda: kit.progress(lab)["peers"] == 0, 20, "the peer to be gone")
    lab.libtorrent(torrent, seed=True, ip=seeds[0].ip, up_limit=3000,
                   peers=[]).wait_ready()
    assert run.wait(60) == 0, run.err()
    torrent.check(lab.path("out"))
    kit.is_complete(lab, torrent)


def test_get_again(lab):
    """`btc get` of the same torrent is a resume; when done, there is nothing
    to do."""
    _, torrent, seeds, run = begin(lab, "aria2")
    wait_share(lab, run, 0.2)
    run.kill()
    run = kit.get(lab, torrent)
    kit.is_complete(lab, torrent)
    seeds[0].kill()
    run = kit.get(lab, torrent)
    assert "nothing to fetch" in run.err, run
    run = lab.btc("resume")
    assert run.code == 0 and "nothing to resume" in run.err, run
    # In another folder it is refused.
    kit.get(lab, torrent, out="elsewhere", code=13)


def test_complete_is_left_alone(lab):
    """What was complete before is not done a second time, hooks and all."""
    tracker, torrent, _, run = begin(lab, "libtorrent")
    wait_share(lab, run, 0.2)
    run.kill()
    old = lab.make_torrent(lab.make_data("old/old.bin", 100_000),
                           tiers=[[tracker.url]])
    assert lab.btc("get", old.path, "-d", kit.folder(lab, "old")).code == 0
    done = lab.path("done")
    run = lab.btc("resume", "--ndjson", "--on-done",
                  f'echo "$BTC_NAME" >>{done}')
    assert run.code == 0, run
    torrent.check(lab.path("out"))
    assert pathlib.Path(done).read_text() == torrent.name + "\n"
    events = [json.loads(line) for line in run.out.splitlines()]
    names = {t["name"] for e in events for t in e.get("torrents", [e])
             if "name" in t}
    assert names == {torrent.name}, names
    assert old.name not in run.err, run


def test_until_loop(lab):
    """`until btc resume; do sleep 60; done` survives what may be tried again."""
    tracker, torrent, seeds, run = begin(lab, "libtorrent")
    wait_share(lab, run, 0.2)
    run.kill()
    seeds[0].kill()
    tracker.kill()
    run = lab.btc("resume", "--max-time", "2s", "--json")
    assert run.code in (5, 6), run
    assert run.json()["retryable"] is True, run
    assert run.json()["status"] == run.code
    run = lab.btc("resume", "--stall-timeout", "2s", "--json")
    assert run.code in (5, 6) and run.json()["retryable"] is True, run
    loop = lab.start("until", ["sh", "-c", f"until '{os.environ['BTC']}' resume "
                               f"--db '{lab.db}' --bind 10.77.0.20 "
                               "--max-time 3s; do sleep 0.1; done"])
    lab.libtorrent(torrent, seed=True, ip=seeds[0].ip).wait_ready()
    assert loop.wait(60) == 0, loop.err()
    torrent.check(lab.path("out"))
    kit.is_complete(lab, torrent)


lab.main(__name__)
