#!/usr/bin/python3
"""What is trusted when a torrent begins again: files that were restored, changed
or taken away between two runs, clocks that were wrong, runs of others."""
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

import kit
import lab
import wire

SIZE = 6_000_001
LENGTH = 65536
SKIP = lab.Skip  # each test calls its laboratory `lab`


def torrent_of(lab, size=SIZE):
    return lab.make_torrent(lab.make_data("seed/data.bin", size),
                            piece_length=LENGTH)


def killed(lab, torrent, pieces=30):
    """A run that is killed with some pieces here: the seeder, which is fast from
    now on, and the pieces that the journal claims."""
    seed = wire.Slow(torrent, lab.next_ip())
    seed.pause = 0.004
    run = lab.start_btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                        "--peer", seed.address, "--journal-interval", "50")
    lab.wait(lambda: kit.has_rows(lab) and
             kit.progress(lab, torrent)["pieces_done"] >= pieces, 60,
             "some pieces")
    run.signal(signal.SIGKILL)
    run.wait()
    seed.requests.clear()
    seed.pause = 0
    return seed, kit.claims_hold(lab, torrent)


def resumed(lab, torrent, *args):
    """The next run ends well, and nothing that it claims is false."""
    run = lab.btc("resume", *args)
    assert run.code == 0, run
    torrent.check(lab.path("out"))
    assert len(kit.claims_hold(lab, torrent)) == torrent.piece_count


def write(lab, text):
    """What nobody should do: facts written by hand."""
    link = sqlite3.connect(lab.db, timeout=20)
    with link:
        link.execute(text)
    link.close()


def kinds(lab):
    return [r["kind"] for r in lab.sql("SELECT kind FROM log")]


def older_copy(lab, claimed):
    """As the file was in the middle of the download, an hour ago: of what is
    claimed now only one half is there."""
    mine, copy = lab.path("out", "data.bin"), lab.path("older.bin")
    shutil.copy(mine, copy)
    with open(copy, "r+b") as f:
        for piece in sorted(claimed)[::2]:
            f.seek(piece * LENGTH)
            f.write(bytes(min(LENGTH, SIZE - piece * LENGTH)))
    when = os.stat(mine).st_mtime - 3600
    os.utime(copy, (when, when))
    return copy


def other_boot(lab):
    """The machine was started anew, as far as the journal can tell."""
    write(lab, "UPDATE run SET boot_id ="
          " '00000000-1111-2222-3333-444444444444'")


def test_older_copy_after_a_reboot(lab):
    torrent = torrent_of(lab)
    _, claimed = killed(lab, torrent)
    other_boot(lab)
    copy = older_copy(lab, claimed)
    subprocess.run(["cp", "-p", copy, lab.path("out", "data.bin")], check=True)
    resumed(lab, torrent)
    assert "file-changed" in kinds(lab), kinds(lab)


def test_older_copy_in_the_same_boot(lab):
    torrent = torrent_of(lab)
    _, claimed = killed(lab, torrent)
    copy = older_copy(lab, claimed)
    subprocess.run(["cp", "-p", copy, lab.path("out", "data.bin")], check=True)
    resumed(lab, torrent)


def test_older_copy_renamed_into_place(lab):
    torrent = torrent_of(lab)
    _, claimed = killed(lab, torrent)
    other_boot(lab)
    os.rename(older_copy(lab, claimed), lab.path("out", "data.bin"))
    resumed(lab, torrent)
    assert "file-changed" in kinds(lab), kinds(lab)


def snapshot_after_a_reboot(lab, kind):
    """The drive of the data is put back to how it was in the middle of the run
    that was killed: the same inode, and times of that run."""
    out, image = kit.folder(lab, "out"), lab.path("drive.img")

    def call(*argv):
        run = subprocess.run(argv, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise SKIP(f"no such drive here: {run.stderr}")

    def mount():
        call("mount", "-o", "loop", image, out)
        lab.mounts.append(out)
    with open(image, "wb") as f:
        f.truncate(320 << 20)
    call("mkfs." + kind, "-q", image)
    mount()
    torrent = torrent_of(lab)
    seed = wire.Slow(torrent, lab.next_ip())
    seed.pause = 0.02  # seven seconds: the copy comes before the last third
    run = lab.start_btc("get", torrent.path, "-d", out, "--peer", seed.address,
                        "--journal-interval", "50")

    def pieces(n):
        lab.wait(lambda: kit.has_rows(lab) and
                 kit.progress(lab, torrent)["pieces_done"] >= n, 60, "pieces")
    pieces(15)
    # what is not of the run's time is no older state of its own
    lab.wait(lambda: os.stat(lab.path("out", "data.bin")).st_ctime >= lab.sql(
        "SELECT started_at FROM run")[0]["started_at"] + 1, 60, "a second")
    call("sync", "-f", out)
    call("cp", "--sparse=always", image, image + ".old")
    pieces(kit.progress(lab, torrent)["pieces_done"] + 10)
    run.signal(signal.SIGKILL)
    run.wait()
    call("umount", out)
    lab.mounts.remove(out)
    os.rename(image + ".old", image)
    mount()
    other_boot(lab)
    good = torrent.good_pieces(out)
    assert {r["piece"] for r in lab.sql("SELECT piece FROM piece")} - good
    seed.pause = 0
    resumed(lab, torrent)
    assert "file-late" in kinds(lab), kinds(lab)


def test_snapshot_of_ext4(lab):
    snapshot_after_a_reboot(lab, "ext4")


def test_snapshot_of_xfs(lab):
    snapshot_after_a_reboot(lab, "xfs")


def test_changed_just_after_a_kill(lab):
    """In the second of the last heartbeat, so to say."""
    torrent = torrent_of(lab)
    seed, claimed = killed(lab, torrent)
    victim = sorted(claimed)[3]
    with open(lab.path("out", "data.bin"), "r+b") as f:
        f.seek(victim * LENGTH + 7)
        f.write(b"somebody else")
    resumed(lab, torrent)
    asked = {piece for piece, _, _ in seed.requests}
    assert asked & claimed == {victim}, asked & claimed


def written_while_running(lab, harm):
    """Somebody writes into the file that a run has open: no commit of the run
    vouches for his bytes, whether it goes on or ends."""
    torrent = torrent_of(lab)
    seed = wire.Slow(torrent, lab.next_ip())
    seed.pause = 0.02
    run = lab.start_btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                        "--peer", seed.address, "--journal-interval", "50")
    lab.wait(lambda: kit.has_rows(lab) and
             kit.progress(lab, torrent)["pieces_done"] >= 15, 60, "some pieces")
    assert run.is_running(), run
    with open(lab.path("out", "data.bin"), "r+b") as f:
        f.seek(65536)
        harm(f)
    assert run.wait() in (0, 11), run
    seed.pause = 0
    if kit.progress(lab, torrent)["state"] != "complete":
        resumed(lab, torrent)
    torrent.check(lab.path("out"))
    assert len(kit.claims_hold(lab, torrent)) == torrent.piece_count


def test_written_while_running(lab):
    written_while_running(lab, lambda f: f.write(b"stranger" * 8192))


def test_cut_while_running(lab):
    written_while_running(lab, lambda f: f.truncate(0))


class Gated(wire.Slow):
    """Serves while its gate is open."""

    def __init__(self, *args):
        self.gate = threading.Event()
        self.gate.set()
        super().__init__(*args)

    def on_request(self, w, piece, begin, length):
        time.sleep(self.pause)
        self.gate.wait()
        super(wire.Slow, self).on_request(w, piece, begin, length)


def written_between(lab, wipe):
    """Somebody writes into the file of a run and may set its time back. The run
    goes on writing, which gives the file times of its own."""
    torrent = torrent_of(lab, 90 * LENGTH)
    seed = Gated(torrent, lab.next_ip())
    run = lab.start_btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                        "--peer", seed.address, "--journal-interval", "50")

    def at_rest():
        rows = lab.sql("SELECT (SELECT count(*) FROM piece) * ? +"
                       " (SELECT count(*) FROM block) AS n",
                       LENGTH // wire.BLOCK)
        return rows and rows[0]["n"] == seed.served >= 40
    lab.wait(lambda: seed.served >= 40, 60, "some blocks")
    seed.gate.clear()
    lab.wait(at_rest, 60, "a commit of all that was served")
    claimed = kit.claims_hold(lab, torrent)
    victim = sorted(claimed)[len(claimed) // 2]
    path = lab.path("out", "data.bin")
    with open(path, "r+b", buffering=0) as f:
        times = os.stat(path)
        f.seek(victim * LENGTH + 11)
        f.write(b"somebody else")
    if wipe:
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    seed.pause = 0
    seed.gate.set()
    assert run.wait() == 0, run.err()
    torrent.check(lab.path("out"))
    assert len(kit.claims_hold(lab, torrent)) == torrent.piece_count
    assert "file-changed" in kinds(lab), kinds(lab)
    rows = lab.sql("SELECT downloaded FROM progress")
    assert rows[0]["downloaded"] <= 92 * LENGTH, dict(rows[0])


def test_traces_wiped_out(lab):
    written_between(lab, wipe=True)


def in_user_space(lab):
    """The times of its files are a daemon's."""
    try:
        run = subprocess.run(["bindfs", kit.folder(lab, "below"),
                              kit.folder(lab, "out")], capture_output=True,
                             text=True, check=False)
    except FileNotFoundError:
        raise SKIP("bindfs is not installed") from None
    if run.returncode != 0:
        raise SKIP(f"no file systems in user space here: {run.stderr}")
    lab.mounts.append(lab.path("out"))


def test_written_in_user_space(lab):
    in_user_space(lab)
    written_between(lab, wipe=False)


def test_traces_wiped_out_in_user_space(lab):
    in_user_space(lab)
    written_between(lab, wipe=True)


def test_run_of_another(lab):
    """A run in order that had another torrent says nothing of this one."""
    torrent = torrent_of(lab)
    seed, claimed = killed(lab, torrent)
    other = lab.make_torrent(lab.make_data("seed/other.bin", SIZE, seed=2),
                             piece_length=LENGTH)
    helper = wire.Seeder(other, lab.next_ip())
    kit.get(lab, other, "--peer", helper.address)
    resumed(lab, torrent, "1")
    assert "file-changed" not in kinds(lab), kinds(lab)
    assert not {piece for piece, _, _ in seed.requests} & claimed


def test_clock_was_ahead(lab):
    """Pieces that were verified in the future never were."""
    torrent = torrent_of(lab)
    seed = wire.Seeder(torrent, lab.next_ip())
    kit.get(lab, torrent, "--peer", seed.address)
    for args in (("--full",), (), ("--older-than", "1h")):
        write(lab, "UPDATE piece SET verified_at = unixepoch() + 1000000")
        run = lab.btc("verify", "1", *args)
        assert run.code == 0, run
        rows = lab.sql("SELECT count(*) AS n FROM piece"
                       " WHERE verified_at BETWEEN unixepoch() - 60"
                       " AND unixepoch()")
        assert rows[0]["n"] == torrent.piece_count, (args, rows[0]["n"])


def test_clock_before_1970(lab):
    """A clock that was never set hides no wish for a check and no doubt, and
    takes nothing for younger than it is."""
    torrent = torrent_of(lab)
    clock = lab.path("clock")
    with open(clock, "w", encoding="ascii") as f:
        f.write(str(-int(time.time()) - 1000))
    env = {"LD_PRELOAD": kit.library("BTC_CLOCK"), "BTC_CLOCK_FILE": clock}
    seed = wire.Seeder(torrent, lab.next_ip())
    kit.get(lab, torrent, "--peer", seed.address)
    for args in (("verify",), ("verify", "--full"),
                 ("verify", "--older-than", "1h")):
        write(lab, "UPDATE piece SET verified_at = unixepoch()")
        run = lab.btc(*args, env=env)
        assert run.code == 0, run
        rows = lab.sql("SELECT piece FROM piece WHERE verified_at >= 0")
        assert not rows, (args, len(rows))
        assert not lab.sql("SELECT 1 FROM torrent WHERE verify_since <> 0")
    assert lab.btc("set", "1", "verify=now", env=env).code == 0
    assert lab.sql("SELECT 1 FROM torrent WHERE verify_since <> 0")
    # A file that was changed is doubted until it is hashed, also by who finds
    # the journal of a run that was killed in between.
    os.utime(lab.path("out", "data.bin"))
    write(lab, "CREATE TABLE doubt (since INTEGER)")
    write(lab, "CREATE TRIGGER mine AFTER UPDATE OF verify_since ON file"
               " WHEN NEW.verify_since <> 0 BEGIN"
               " INSERT INTO doubt VALUES (NEW.verify_since); END")
    assert lab.btc("verify", "--older-than", "1h", env=env).code == 0
    assert lab.sql("SELECT 1 FROM doubt")
    assert lab.btc("db", "salvage", env=env).code == 0
    assert lab.sql("SELECT 1 FROM torrent WHERE verify_since <> 0")


def is_missed(lab, torrent, bare):
    """The drive that was mounted there: nothing is made and nothing is lost."""
    run = lab.btc("resume", "1", "--seed", "time:1s")
    assert run.code == 11, run
    assert os.listdir(bare) == []
    assert kit.progress(lab)["pieces_done"] == torrent.piece_count


def is_found_again(lab, torrent):
    run = lab.btc("resume", "1", "--seed", "time:1s")
    assert run.code == 0, run
    torrent.check(lab.path("out"))
    assert kit.is_complete(lab, torrent)["downloaded"] == 0


def test_mount_below_the_save_path(lab):
    """A subfolder on a drive of its own: while that is away nothing is made in
    the bare mount point and nothing is lost."""
    for i, name in enumerate(("a.bin", "sub/b.bin", "sub/c.bin")):
        lab.make_data(f"seed/folder/{name}", 500_001, seed=i + 1)
    torrent = lab.make_torrent(lab.path("seed", "folder"), piece_length=LENGTH)
    sub = kit.folder(lab, "out", "folder", "sub")
    drive = lab.mount_tmpfs("drive", 16 << 20)
    subprocess.run(["mount", "--bind", drive, sub], check=True)
    lab.mounts.append(sub)
    shutil.copytree(torrent.source, lab.path("out", "folder"),
                    dirs_exist_ok=True)
    kit.get(lab, torrent)
    subprocess.run(["umount", sub], check=True)
    lab.mounts.remove(sub)
    is_missed(lab, torrent, sub)
    subprocess.run(["mount", "--bind", drive, sub], check=True)
    lab.mounts.append(sub)
    is_found_again(lab, torrent)


def test_mount_below_a_mount(lab):
    """The inner one of two drives is away: what was there is not fetched again
    into the folder of the outer one."""
    names = ("a.bin", "sub/b.bin", "sub/deep/c.bin", "sub/deep/d.bin")
    for i, name in enumerate(names):
        lab.make_data(f"seed/folder/{name}", 300_001, seed=i + 1)
    torrent = lab.make_torrent(lab.path("seed", "folder"), piece_length=LENGTH)
    drives = {}

    def mount(name):
        at = kit.folder(lab, "out", "folder", *name.split("/"))
        if name not in drives:
            drives[name] = lab.mount_tmpfs(f"drive-{len(drives)}", 16 << 20)
        subprocess.run(["mount", "--bind", drives[name], at], check=True)
        lab.mounts.append(at)
        return at
    mount("sub")
    deep = mount("sub/deep")
    shutil.copytree(torrent.source, lab.path("out", "folder"),
                    dirs_exist_ok=True)
    kit.get(lab, torrent)
    subprocess.run(["umount", deep], check=True)
    lab.mounts.remove(deep)
    is_missed(lab, torrent, deep)
    mount("sub/deep")
    is_found_again(lab, torrent)


def in_one_second(path, act):
    """What `act` does, and a write in place behind it, in one second of the
    file's clock."""
    for _ in range(5):
        time.sleep(1.02 - time.time() % 1)
        act()
        before = os.stat(path)
        with open(path, "r+b") as f:
            f.seek(3 * LENGTH + 7)
            f.write(b"somebody else")
        if int(before.st_ctime) == int(os.stat(path).st_ctime):
            return
    raise AssertionError("this machine is too slow")


def test_whole_seconds(lab):
    """Where times are whole seconds, a write right behind the last one of a run
    leaves the times that this one has left, unless those are told apart."""
    out = lab.mount_coarse("out")
    torrent = torrent_of(lab, 500_001)
    seed = wire.Seeder(torrent, lab.next_ip())
    path = lab.path("out", "data.bin")

    def fetch():
        if os.path.exists(path):
            assert lab.btc("rm", "--data", "-y", "1").code in (0, 3)
        assert not os.path.exists(path)
        run = lab.btc("get", torrent.path, "-d", out, "--peer", seed.address)
        assert run.code == 0, run

    in_one_second(path, fetch)
    resumed(lab, torrent, "1", "--seed", "time:1s")


def test_whole_seconds_of_another(lab):
    """The same behind a look at a file that somebody has only just copied."""
    out = lab.mount_coarse("out")
    torrent = torrent_of(lab, 500_001)
    seed = wire.Seeder(torrent, lab.next_ip())
    path = lab.path("out", "data.bin")
    assert lab.btc("add", torrent.path, "-d", out, "--peer",
                   seed.address).code == 0

    def look():
        shutil.copyfile(torrent.source, path)
        assert lab.btc("verify", "1").code == 0

    in_one_second(path, look)
    resumed(lab, torrent, "1", "--seed", "time:1s")


lab.main(__name__)
