#!/usr/bin/python3
"""Power cuts: btc is recorded (tests/power/record.c), and of the record many
states are built that a disk may be left in (tests/power/images.py). In none the
journal may claim what is not there; each opens, and each that holds a torrent
is finished by `btc resume` alone.

BTC_LAB_LONG=N looks at them for N seconds per test; BTC_POWER_SEED=N repeats
a run.
"""
import collections
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import time

import lab

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "power"))
import images  # noqa: E402
from claims import Truth, read_claims  # noqa: E402
from seeder import Seeder  # noqa: E402

LONG = int(os.environ.get("BTC_LAB_LONG", "0"))
SEED = int(os.environ.get("BTC_POWER_SEED", random.randrange(1 << 30)))
SECONDS = LONG or 6            # looking at images, per test
N_CUTS = 2000 if LONG else 60  # random ones, beside the ends of syncs
N_RESUMED = max(6, LONG // 4)  # images that are finished, per test
MIB = 1 << 20


class Recorded:
    """A torrent, its seeder, and btc under the recorder."""

    def __init__(self, lab, torrent, rate, save="out"):
        self.lab, self.torrent = lab, torrent
        self.truth = Truth(torrent)
        self.seeder = Seeder(torrent, rate=rate)
        self.root = lab.path("disk", "x")[:-2]
        self.log = lab.path("record.log")
        self.save = save
        self.foreign = False  # data of another program may be in the place
        self.db = os.path.join(self.root, "state", "btc.db")
        os.makedirs(self.out)
        library = os.environ.get("BTC_RECORD")
        if not library:
            raise lab_module.Skip("BTC_RECORD does not name librecord.so")
        self.env = {"LD_PRELOAD": library, "BTC_RECORD_ROOT": self.root,
                    "BTC_RECORD_LOG": self.log,
                    "BTC_RECORD_SYNC_MS": "20",
                    "ASAN_OPTIONS": "verify_asan_link_order=0"}

    @property
    def out(self):
        return os.path.join(self.root, self.save)

    def get(self, *args, before=()):
        """Starts btc get; `before` is a command that starts it."""
        return self.lab.start(
            "btc", [*before, os.environ["BTC"], "get", self.torrent.path, "-d",
                    self.out, "--peer", self.seeder.address, "--db", self.db,
                    *args], env=self.env)

    def resume(self, *args, env=None):
        return self.lab.start_btc("resume", "--db", self.db, *args,
                                  env=self.env if env is None else env)

    def done(self, program, timeout=60):
        code = program.wait(timeout)
        assert code == 0, f"exit {code}: {program.err()}"
        self.torrent.check(self.out)


class Judge:
    """Looks at the images of a record."""

    def __init__(self, recorded, rng):
        self.r, self.rng = recorded, rng
        self.lab = recorded.lab
        self.counts = collections.Counter()
        self.there = self.lab.path("image", "x")[:-2]
        self.records = images.read_log(recorded.log)
        # Claims of an image in which nothing unsynced is left, by its cut:
        # what is durable stays, whatever comes later.
        self.durable = {}

    @staticmethod
    def is_db(path):
        return path.startswith("state")

    def check_record(self):
        """Everything recorded is what there is."""
        disk = self.disk()
        disk.forward(len(self.records))
        shown = {p: f[0] for p, f in disk.snapshot().files.items()}
        for top, _, names in os.walk(self.r.root):
            for name in names:
                full = os.path.join(top, name)
                path = os.path.relpath(full, self.r.root)
                if not name.endswith("-shm"):
                    real = pathlib.Path(full).read_bytes()
                    assert shown.pop(path, None) == real, f"{path} is wrong"
        assert not shown, f"recorded, but not there: {list(shown)}"
        # btc has said that it is done: then nothing may be lost any more.
        claims = self.judge(disk.image("none", self.rng), disk.place, "none")
        assert claims and len(claims.pieces) == self.r.torrent.piece_count

    def disk(self):
        return images.Disk(self.r.root, self.records, self.is_db, [self.r.save])

    def bytes_of(self, image):
        """What an image holds of each file of the torrent."""
        return [image.get(os.path.join(self.r.save, p))
                for p in self.r.truth.paths]

    def read(self, image, what):
        """Its database: does it open? Gives its claims, None without any."""
        shutil.rmtree(self.there, ignore_errors=True)
        image.write(self.there, only=self.is_db)
        db = os.path.join(self.there, "state", "btc.db")
        if not os.path.exists(db):
            return None
        run = subprocess.run([os.environ["BTC"], "db", "check", "--db", db],
                             capture_output=True, text=True, check=False)
        try:
            claims = read_claims(db)
        except sqlite3.DatabaseError as e:
            raise AssertionError(f"{what}: does not open: {e}\n{run}") from e
        if claims.torrents:
            assert run.returncode == 0, f"{what}: {run}"
            return claims
        # Nothing was ever committed: `get` takes it, check may call it empty.
        assert run.returncode in (0, 14), f"{what}: {run}"
        return None

    def judge(self, image, cut, variant):
        """Does an image lie, or lack what was durable? Gives its claims."""
        what = f"cut {cut}, {variant}"
        claims = self.read(image, what)
        self.counts["images"] += 1
        floor = max((c for c in self.durable if c <= cut), default=None)
        if floor is not None:
            assert claims, f"{what}: lost the torrent that cut {floor} had"
            lost = self.durable[floor] - set(claims.pieces)
            assert not lost, f"{what}: {len(lost)} pieces of cut {floor} lost"
        if claims is None:
            self.counts["without a torrent"] += 1
            return None
        wrong = self.r.truth.judge(claims, self.bytes_of(image))
        assert not wrong, f"{what}: {len(wrong)} false claims: {wrong[:5]}"
        self.counts["with claims"] += bool(claims.pieces or claims.blocks)
        self.counts["claimed pieces"] += len(claims.pieces)
        self.counts["claimed blocks"] += len(claims.blocks)
        if variant == "none":
            self.durable[cut] = set(claims.pieces)
        return claims

    def look(self, seconds):
        """Judges images of the whole record until the time is over."""
        end, sampled = time.monotonic() + seconds, []
        cuts = self.disk().cuts(N_CUTS, self.rng)
        while time.monotonic() < end:
            disk = self.disk()
            for cut in images.sample(cuts, 60, self.rng):
                disk.forward(cut)
                for variant in ("none", self.rng.choice(images.VARIANTS[1:])):
                    seed = self.rng.randrange(1 << 30)
                    self.judge(disk.image(variant, random.Random(seed)), cut,
                               variant)
                    sampled.append((cut, variant, seed))
                if time.monotonic() > end:
                    break
        return sampled

    def finish(self, sampled, n):
        """Writes some images where btc works, and lets it finish them."""
        disk = self.disk()
        for cut, variant, seed in sorted(
                self.rng.sample(sampled, min(n, len(sampled)))):
            disk.forward(cut)
            image = disk.image(variant, random.Random(seed))
            self.finish_one(image, f"cut {cut}, {variant}, seed {seed}")

    def finish_one(self, image, what):
        r, held = self.r, self.read(image, what)
        shutil.rmtree(r.root)
        image.write(r.root)
        if held:
            self.same_files()
            begin = time.monotonic()
            run = self.lab.btc("resume", "--db", r.db, timeout=60)
            self.counts["resumed"] += 1
            self.counts["resumed in ms"] += int(
                1000 * (time.monotonic() - begin))
        else:
            run = self.lab.btc("get", r.torrent.path, "-d", r.out, "--peer",
                               r.seeder.address, "--db", r.db, timeout=60)
            self.counts["begun anew"] += 1
        if (r.foreign or held) and run.code == 13:
            # What another program did not sync is gone, or the image's files
            # are copies with other inodes: what stands there now holds no
            # piece, and btc writes over it only when it is told to.
            assert "--overwrite" in run.err, f"{what}: {run}"
            run = self.lab.btc("resume", "--overwrite", "--db", r.db,
                               timeout=60)
            self.counts["insisted"] += 1
        assert run.code == 0, f"{what}: {run}"
        r.torrent.check(r.out)
        wrong = r.truth.judge(read_claims(r.db), r.truth.on_disk(r.out))
        assert not wrong, f"{what}: false claims at the end: {wrong[:5]}"

    def same_files(self):
        """The files of an image are copies; a disk would have the same inodes,
        and a time of change that the journal knows or a later one. Without
        that, btc would hash everything and its trust would not be tested."""
        way = self.rng.randrange(3)
        if way == 0:
            return
        link = sqlite3.connect(self.r.db)
        for file, path in link.execute("SELECT file, path FROM file"
                                       " WHERE ino IS NOT NULL").fetchall():
            full = os.path.join(self.r.out, path)
            if os.path.exists(full):
                st = os.stat(full)
                link.execute("UPDATE file SET dev = ?, ino = ? WHERE file = ?",
                             (st.st_dev, st.st_ino, file))
                known = link.execute("SELECT mtime_ns FROM file WHERE file = ?",
                                     (file,)).fetchone()[0]
                if way == 1 or known > st.st_mtime_ns:
                    os.utime(full, ns=(known, known))
        link.commit()
        link.close()


def look_at(recorded, seconds=SECONDS):
    """Everything that is done with a record."""
    rng = random.Random(SEED)
    judge = Judge(recorded, rng)
    judge.check_record()
    recorded.seeder.rate = 0
    try:
        sampled = judge.look(seconds)
        judge.finish(sampled, N_RESUMED)
    finally:
        print(f"BTC_POWER_SEED={SEED}: {len(judge.records)} records, "
              + ", ".join(f"{n} {k}" for k, n in judge.counts.items()),
              flush=True)
    assert judge.counts["with claims"] > 0, "nothing was looked at"


def make_folder(lab, total):
    """A torrent of many files that share pieces, with an empty one."""
    left, n = total, 0
    for name, size in (("a/big", total // 2), ("a/small", 5_000),
                       ("b/empty", 0), ("b/c/deep", 70_001), ("e", 1)):
        lab.make_data("seed/folder/" + name, size, seed=n)
        left, n = left - size, n + 1
    lab.make_data("seed/folder/z", left, seed=n)
    return lab.make_torrent(lab.path("seed", "folder"), piece_length=262144)


def test_many_files(lab):
    """A slow download: most commits hold blocks of incomplete pieces."""
    recorded = Recorded(lab, make_folder(lab, 8 * MIB), 4 * MIB)
    recorded.done(recorded.get("--journal-interval", "150"))
    look_at(recorded)


def test_killed_and_resumed(lab):
    """What a killed run wrote and did not sync, the next one hashes, claims and
    never writes to again: in file order each file is soon left behind."""
    for i in range(40):
        lab.make_data(f"seed/many/{i:02}", 400_000, seed=i)
    torrent = lab.make_torrent(lab.path("seed", "many"), piece_length=65536)
    recorded = Recorded(lab, torrent, 12 * MIB)
    recorded.env["BTC_RECORD_SYNC_MS"] = "1"
    for start in (recorded.get, recorded.resume):
        sequential = ["--sequential"] if start == recorded.get else []
        program = start("--journal-interval", "300", *sequential)
        time.sleep(0.55)
        program.kill()
        images.trim_log(recorded.log)
    recorded.done(recorded.resume())
    look_at(recorded)


def test_checkpoints(lab):
    """So many commits that SQLite moves the log into the file under way."""
    source = lab.make_data("seed/one.bin", 8 * MIB)
    torrent = lab.make_torrent(source, piece_length=16384)
    recorded = Recorded(lab, torrent, 4 * MIB)
    recorded.done(recorded.get("--journal-interval", "10", "--alloc", "full"))
    look_at(recorded)


def test_adopted(lab):
    """Data that another program wrote and did not sync is claimed after it has
    been hashed: it must be synced first."""
    recorded = Recorded(lab, make_folder(lab, 8 * MIB), 0)
    recorded.foreign = True
    copy = """
import os, shutil, sys
def copy(source, to):
    with open(source, "rb") as a, open(to, "wb") as b:
        b.write(a.read())  # by calls that the recorder knows
shutil.copytree(sys.argv[1], sys.argv[2], copy_function=copy)
with open(sys.argv[2] + "/z", "r+b") as f:
    f.seek(2 << 20)  # no piece of the other files: those are to be adopted
    f.write(bytes(99))
"""
    subprocess.run(["/usr/bin/python3", "-c", copy, recorded.torrent.source,
                    os.path.join(recorded.out, "folder")], check=True,
                   env=dict(os.environ, **recorded.env))
    recorded.done(recorded.get("--journal-interval", "10"))
    look_at(recorded, SECONDS / 2)


def test_few_descriptors(lab):
    """More files than may be open: dirty ones are closed under way."""
    for i in range(250):
        lab.make_data(f"seed/many/{i % 9}/{i:03}", 30_000 + i, seed=i)
    torrent = lab.make_torrent(lab.path("seed", "many"), piece_length=65536)
    recorded = Recorded(lab, torrent, 8 * MIB)
    recorded.env["BTC_RECORD_SYNC_MS"] = "1"
    recorded.done(recorded.get("--journal-interval", "200", before=[
        lab_module.find("prlimit"), "--nofile=64:64"]))
    look_at(recorded, SECONDS / 2)


def test_failed_sync(lab):
    """The kernel tells once that it could not write, and forgets: what it took
    is lost, whatever a later sync says."""
    recorded = Recorded(lab, make_folder(lab, 8 * MIB), 3 * MIB)
    recorded.env.update(BTC_RECORD_FAIL_NTH="3", BTC_RECORD_FAIL_NAME="/folder/z",
                        BTC_RECORD_SYNC_MS="80")
    program = recorded.get("--journal-interval", "150")
    code = program.wait(60)
    assert code == 10, f"exit {code}: {program.err()}"
    judge = Judge(recorded, random.Random(SEED))
    sampled = judge.look(SECONDS / 3)
    disk = judge.disk()
    disk.forward(len(judge.records))
    last = judge.judge(disk.image("all", judge.rng), disk.place, "all")
    assert last.pieces, "nothing was looked at"
    recorded.seeder.rate = 0
    judge.finish(sampled, N_RESUMED // 2)
    print(f"BTC_POWER_SEED={SEED}: {dict(judge.counts)}")


lab_module = lab
lab.main(__name__)
