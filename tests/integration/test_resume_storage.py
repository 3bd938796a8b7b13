#!/usr/bin/python3
"""What happens to the data between two runs: adopted, changed, deleted, moved
away, checked."""
import json
import os
import pathlib
import shutil
import signal

import kit
import lab
import wire

SIZE = 6_000_001
LENGTH = 65536


def single(lab, size=SIZE, piece_length=LENGTH):
    """A torrent of one file, and a seeder that counts: (torrent, seeder)."""
    source = lab.make_data("seed/data.bin", size)
    torrent = lab.make_torrent(source, piece_length=piece_length)
    return torrent, wire.Seeder(torrent, lab.next_ip())


def folder_torrent(lab, files):
    for i, (path, size) in enumerate(files.items()):
        lab.make_data(f"seed/folder/{path}", size, seed=i + 1)
    return lab.make_torrent(lab.path("seed", "folder"), piece_length=LENGTH)


def pieces_of(seed):
    return {piece for piece, _, _ in seed.requests}


def spoil(path, at, length=3):
    with open(path, "r+b") as f:
        f.seek(at)
        old = f.read(length)
        f.seek(at)
        f.write(bytes(b ^ 0xff for b in old))


def test_adopts_complete_data(lab):
    torrent, _ = single(lab)
    os.makedirs(lab.path("out"))
    shutil.copy(torrent.source, lab.path("out", "data.bin"))
    inode = os.stat(lab.path("out", "data.bin")).st_ino
    run = kit.get(lab, torrent)
    assert run.seconds < 10
    row = kit.is_complete(lab, torrent)
    assert row["downloaded"] == 0
    assert os.stat(lab.path("out", "data.bin")).st_ino == inode


def test_adopts_partial_data(lab):
    """Bad pieces, a hole, a short end: only what is not there is fetched."""
    torrent, seed = single(lab)
    os.makedirs(lab.path("out"))
    mine = lab.path("out", "data.bin")
    shutil.copy(torrent.source, mine)
    spoil(mine, 3 * LENGTH + 5)
    spoil(mine, 50 * LENGTH - 1, 2)  # the end of piece 49 and the start of 50
    os.truncate(mine, 80 * LENGTH + 1)
    kit.get(lab, torrent, "--peer", seed.address)
    kit.is_complete(lab, torrent)
    last = torrent.piece_count
    assert pieces_of(seed) == {3, 49, 50} | set(range(80, last)), pieces_of(seed)


def part(lab, torrent, seed, pieces):
    """A run that ends with some pieces here: those that the seeder is asked for
    until it is stopped."""
    run = lab.start_btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                        "--peer", seed.address, "--journal-interval", "50")
    lab.wait(lambda: kit.has_rows(lab) and
             kit.progress(lab)["pieces_done"] >= pieces, 60, "some pieces")
    run.signal(signal.SIGINT)
    assert run.wait() == 7, run.err()
    seed.requests.clear()
    return {r["piece"] for r in lab.sql(
        "SELECT piece FROM piece_map WHERE state = 'verified'")}


def slow(lab, torrent, pause=0.004):
    seed = wire.Slow(torrent, lab.next_ip())
    seed.pause = pause
    return seed


def test_adopts_without_database(lab):
    """The database is lost, the data is not."""
    torrent, _ = single(lab)
    seed = slow(lab, torrent)
    have = part(lab, torrent, seed, 20)
    for name in os.listdir(lab.dir):
        if name.startswith("btc.db"):
            os.unlink(lab.path(name))
    seed.pause = 0
    kit.get(lab, torrent, "--peer", seed.address)
    kit.is_complete(lab, torrent)
    assert not pieces_of(seed) & have, pieces_of(seed) & have


def test_changed_file(lab):
    """Somebody wrote into the file: its pieces are hashed again."""
    torrent, _ = single(lab)
    seed = slow(lab, torrent)
    have = part(lab, torrent, seed, 30)
    victim = sorted(have)[7]
    spoil(lab.path("out", "data.bin"), victim * LENGTH + 77)
    seed.pause = 0
    run = lab.btc("resume")
    assert run.code == 0, run
    torrent.check(lab.path("out"))
    kit.is_complete(lab, torrent)
    assert pieces_of(seed) & have == {victim}, pieces_of(seed) & have
    kinds = {r["kind"] for r in lab.sql("SELECT kind FROM log")}
    assert {"file-changed", "piece-lost"} <= kinds, kinds


def test_changed_before_a_killed_run(lab):
    """What a run that was killed may have written is trusted; but one that had
    another torrent excuses no change of this one."""
    torrent, seed = single(lab)
    kit.get(lab, torrent, "--peer", seed.address)
    other = lab.make_torrent(lab.make_data("seed/other.bin", SIZE, seed=2),
                             piece_length=LENGTH)
    idle = slow(lab, other, 1)
    spoil(lab.path("out", "data.bin"), 10 * LENGTH)
    seed.requests.clear()
    run = lab.start_btc("get", other.path, "-d", lab.path("out"),
                        "--peer", idle.address)
    lab.wait(lambda: lab.sql("SELECT 1 FROM peer WHERE torrent_id = 2"
                             " AND connected"), 30, "a peer in the journal")
    run.signal(signal.SIGKILL)
    run.wait()
    run = lab.btc("resume", "1", "--seed", "time:0s")
    assert run.code == 0, run
    assert pieces_of(seed) == {10}, pieces_of(seed)
    torrent.check(lab.path("out"))


def test_deleted_file(lab):
    """One file of several: its pieces alone are fetched again."""
    files = {"a": 300_000, "b": 400_000, "c": 5 * LENGTH, "d": 100_000}
    torrent = folder_torrent(lab, files)
    seed = lab.libtorrent(torrent, seed=True).wait_ready()
    kit.get(lab, torrent, "--peer", f"{seed.ip}:{seed.port}")
    before = kit.progress(lab)["downloaded"]
    os.unlink(lab.path("out", "folder", "b"))
    run = lab.btc("resume", "1", "--seed", "time:0s")
    if run.code == 0:
        torrent.check(lab.path("out"))
    else:
        raise AssertionError(run)
    kit.is_complete(lab, torrent)
    more = kit.progress(lab)["downloaded"] - before
    assert 400_000 <= more <= 400_000 + 2 * LENGTH, more
    texts = [r["text"] for r in lab.sql("SELECT text FROM log WHERE kind = "
                                        "'file-lost'")]
    assert any("folder/b" in t for t in texts), texts


def test_deleted_file_of_unfinished(lab):
    files = {"a": 300_000, "b": 400_000, "c": 5 * LENGTH, "d": 1_000_000}
    torrent = folder_torrent(lab, files)
    seed = lab.libtorrent(torrent, seed=True, up_limit=500).wait_ready()
    run = lab.start_btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                        "--sequential", "--peer", f"{seed.ip}:{seed.port}")
    lab.wait(lambda: kit.has_rows(lab) and
             kit.progress(lab)["percent"] > 30, 60)
    run.kill()
    os.unlink(lab.path("out", "folder", "a"))
    run = lab.btc("resume")
    assert run.code == 0, run
    torrent.check(lab.path("out"))
    kit.is_complete(lab, torrent)


def absent(lab, torrent):
    """A resume that finds no storage: 11, and nothing is made or lost."""
    before = [tuple(r) for r in lab.sql("SELECT * FROM piece_map")]
    run = lab.btc("resume", "--json")
    assert run.code == 11 and run.json()["retryable"] is True, run
    assert kit.progress(lab)["state"] == "waiting-storage"
    assert "accept-loss" in run.err or "folder" in run.err, run
    assert [tuple(r) for r in lab.sql("SELECT * FROM piece_map")] == before


def test_folder_moved_away(lab):
    torrent, _ = single(lab)
    seed = slow(lab, torrent)
    have = part(lab, torrent, seed, 20)
    os.rename(lab.path("out"), lab.path("away"))
    absent(lab, torrent)
    assert not os.path.exists(lab.path("out"))
    os.makedirs(lab.path("out"))  # an empty one is not the storage either
    absent(lab, torrent)
    assert os.listdir(lab.path("out")) == []
    os.rmdir(lab.path("out"))
    os.rename(lab.path("away"), lab.path("out"))
    seed.pause = 0
    run = lab.btc("resume")
    assert run.code == 0, run
    torrent.check(lab.path("out"))
    kit.is_complete(lab, torrent)
    assert not pieces_of(seed) & have


def test_accept_loss(lab):
    torrent, _ = single(lab)
    seed = slow(lab, torrent)
    part(lab, torrent, seed, 20)
    shutil.rmtree(lab.path("out"))
    os.makedirs(lab.path("out"))
    absent(lab, torrent)
    seed.pause = 0
    run = lab.btc("resume", "--accept-loss")
    assert run.code == 0, run
    torrent.check(lab.path("out"))
    kit.is_complete(lab, torrent)


def test_other_filesystem(lab):
    """The disk is not mounted: its mount point is an empty folder."""
    torrent, _ = single(lab)
    seed = slow(lab, torrent)
    os.makedirs(lab.path("out"))
    disk = lab.mount_tmpfs("out", 64 << 20)
    part(lab, torrent, seed, 20)
    away = lab.path("disk")
    os.makedirs(away)
    assert os.system(f"mount --move '{disk}' '{away}' 2>/dev/null || "
                     f"(mount --bind '{disk}' '{away}' && umount '{disk}')"
                     ) == 0
    lab.mounts.append(away)
    absent(lab, torrent)
    assert os.listdir(disk) == []
    assert os.system(f"mount --bind '{away}' '{disk}'") == 0
    seed.pause = 0
    run = lab.btc("resume")
    assert run.code == 0, run
    torrent.check(lab.path("out"))


def test_daemon_waits_for_storage(lab):
    """An engine that runs goes on by itself when the storage is back."""
    torrent, _ = single(lab)
    seed = slow(lab, torrent)
    part(lab, torrent, seed, 20)
    os.rename(lab.path("out"), lab.path("away"))
    daemon = lab.start_btc("daemon")
    lab.wait(lambda: kit.progress(lab)["state"] == "waiting-storage", 20)
    seed.pause = 0
    os.rename(lab.path("away"), lab.path("out"))
    lab.wait(lambda: kit.progress(lab)["percent"] == 100, 60)
    torrent.check(lab.path("out"))
    assert daemon.stop() == 0, daemon.err()


def test_interrupted_check(lab):
    """A check that was killed goes on where it stopped."""
    torrent, _ = single(lab, 80 << 20, 16384)
    os.makedirs(lab.path("out"))
    shutil.copy(torrent.source, lab.path("out", "data.bin"))
    run = lab.start_btc("get", torrent.path, "-d", lab.path("out"),
                        "--journal-interval", "10")
    lab.wait(lambda: kit.has_rows(lab) and
             lab.sql("SELECT count(*) FROM piece")[0][0] > 200, 30, every=0.002)
    run.kill()
    row = kit.progress(lab)
    claimed = lab.sql("SELECT count(*) FROM piece")[0][0]
    assert row["pieces_done"] == claimed, (row, claimed)
    if claimed == torrent.piece_count:
        raise module.Skip("the check was too fast to be interrupted")
    run = lab.btc("resume", "--ndjson")
    assert run.code == 0, run
    row = kit.is_complete(lab, torrent)
    assert row["downloaded"] == 0
    torrent.check(lab.path("out"))
    events = [json.loads(line) for line in run.out.splitlines()]
    hashed = {e["piece"] for e in events if e["event"] == "piece"}
    assert len(hashed) == torrent.piece_count - claimed, (len(hashed), claimed)


def test_verify_modes(lab):
    """--verify none trusts, auto sees the change, full hashes all."""
    torrent, seed = single(lab)
    kit.get(lab, torrent, "--peer", seed.address)
    mine = pathlib.Path(lab.path("out", "data.bin"))
    print_before = os.stat(mine)
    spoil(mine, 10 * LENGTH)
    # The fingerprint says nothing happened.
    os.utime(mine, ns=(print_before.st_atime_ns, print_before.st_mtime_ns))
    seed.requests.clear()
    for how, code in (("none", 0), ("auto", 0)):
        run = lab.btc("resume", "1", "--verify", how, "--seed", "time:0s")
        assert run.code == code and not seed.requests, (how, run)
    run = lab.btc("verify", "1", "--json")
    assert run.code == 8, run
    run = lab.btc("resume")
    assert run.code == 0, run
    assert pieces_of(seed) == {10}, pieces_of(seed)
    torrent.check(lab.path("out"))
    spoil(mine, 20 * LENGTH)
    os.utime(mine, ns=(print_before.st_atime_ns, os.stat(mine).st_mtime_ns))
    seed.requests.clear()
    run = lab.btc("resume", "1", "--verify", "full", "--seed", "time:0s")
    assert run.code == 0, run
    assert pieces_of(seed) == {20}, pieces_of(seed)
    torrent.check(lab.path("out"))


module = lab
lab.main(__name__)
