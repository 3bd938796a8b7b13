"""The rows of the bench. A row measures every client that can do the thing, one
after another, in each round (samples.py); figures are a dict of numbers:

  rate   MiB/s          cpu    CPU seconds per GiB      rss   MiB at the most
  twice  MiB fetched again            first   seconds to the first request
  more   what only a row of btc's own has

A client that does a wrong thing has failed, one that takes longer than
`bench.limit` is stopped: neither holds up the others."""
import glob
import os
import shutil
import socket
import sqlite3
import subprocess
import time

from clients import PEERS, Btc, Floor, Openssl
from samples import Rounds
from stage import (CLIENT, MIB, PORT, Failed, Process, Seeder, Torrent,
                   Unfinished, addresses, bencode, end, fresh, is_open, launch,
                   wait_free)

LIMIT = 60  # seconds for one measurement, for each GiB of --mib
SERVE = 20  # seconds in which leechers are served, at the most


class Row:
    """A named measurement. `checks` say what is aimed at: a text, a function of
    the medians by client, a comparison and its limit. `room` gives, for so many
    MiB of --mib and so many torrents, the MiB that it needs in memory and on the
    disk."""

    def __init__(self, name, title, run, checks, room):
        self.name, self.title = name, title
        self.run, self.checks, self.room = run, checks, room


class Bench:
    """What the rows share: the folders, the tools, the clients."""

    def __init__(self, options, tracker, clients, say):
        self.o = options
        self.tracker = tracker
        self.clients = clients
        self.say = say
        self.seeds = addresses(8)
        self.limit = options.limit or max(LIMIT, LIMIT * options.mib / 1024)
        self.rounds = None

    def begin(self):
        """The next row's samples by client: filled as they come, so that who
        interrupts the row has those that there are."""
        self.rounds = Rounds(self.o.rounds, self.o.work, self.say,
                             self.o.patient)
        return self.rounds.samples

    def each(self, clients, measure, mib=0):
        def alone(client, folder):
            if client.port:
                wait_free(client.port)
            return measure(client, folder)

        self.rounds.each(clients, alone, mib)

    def own(self):
        """Ours alone: btc and its variants."""
        return [c for c in self.clients if c.is_ours]

    def torrent(self, piece_length=MIB, files=1, mib=None):
        """Data of one size lies there at a time: rooms would add up else."""
        mib = mib or self.o.mib
        folder = f"{self.o.work}/data-{mib}"
        for old in glob.glob(f"{self.o.work}/data-*"):
            if old != folder:
                shutil.rmtree(old)
        return Torrent(folder, mib, piece_length, files)


# --- downloading ---

def check_data(torrent, out):
    if not torrent.is_at(out):
        raise Failed("it ended, and not all is there")


def download_once(torrent, client, folder, out, limit):
    os.makedirs(out)
    command = client.download(torrent, out, folder)
    if command is None:
        return None
    cost = Process(command, folder).wait(limit)
    check_data(torrent, out)
    return {"rate": torrent.mib / cost["wall"], "rss": cost["rss"],
            "cpu": cost["cpu"] / (torrent.mib / 1024)}


def download(bench, torrent, out_folder=None, clients=None, seeds=None,
             gate=False):
    hosts = seeds or bench.seeds
    bench.tracker.tell(hosts)

    def measure(client, folder):
        out = f"{out_folder or folder}/out"
        shutil.rmtree(out, ignore_errors=True)
        try:
            return download_once(torrent, client, folder, out, bench.limit)
        finally:
            shutil.rmtree(out, ignore_errors=True)

    with Seeder(bench.o.tools, torrent, hosts, gate=gate):
        bench.each(clients or [Floor(bench.o.tools, hosts), *bench.clients],
                   measure, torrent.mib)


def row_download(bench):
    download(bench, bench.torrent())


def row_small_pieces(bench):
    download(bench, bench.torrent(256 << 10))


def row_large_pieces(bench):
    download(bench, bench.torrent(16 * MIB))


def row_many_files(bench):
    download(bench, bench.torrent(files=5000, mib=bench.o.mib // 2))


def row_disk(bench):
    """Onto a real file system, the one of the build folder. btc ends when all
    of it is on the disk, so it is held against a floor that syncs, too; the
    other one shows what the disk's cache takes."""
    floors = [Floor(bench.o.tools, bench.seeds, sync) for sync in (False, True)]
    download(bench, bench.torrent(), out_folder=bench.o.disk,
             clients=[*floors, *bench.clients])


def row_many_peers(bench):
    """The same torrent from 20 and from 2,000 peers, all of them connected
    before the first block comes."""
    torrent = bench.torrent()
    for n in (20, 2000):
        hosts = addresses(n)
        clients = [Btc(c.program, f"{c.name}, {n} peers")
                   for c in bench.own()]
        for c in clients:
            c.download = with_peers(c.download, hosts)
        download(bench, torrent, clients=clients, seeds=hosts, gate=True)


def with_peers(make, hosts):
    """The command with room for that many connections, and with their
    addresses: fewer than 2,000 are taken from one tracker."""
    def command(torrent, out, folder):
        return [*make(torrent, out, folder), "--max-peers", str(len(hosts)),
                *[f"--peer={host}:{PORT}" for host in hosts]]
    return command


# --- hashing ---

def row_verify(bench):
    torrent = bench.torrent(mib=bench.o.mib * 2)
    bench.tracker.tell([])

    def measure(client, folder):
        command = client.verify(torrent, folder)
        if command is None:
            return None
        cost = Process(command, folder).wait(bench.limit)
        return {"rate": torrent.mib / cost["wall"], "rss": cost["rss"],
                "cpu": cost["cpu"] / (torrent.mib / 1024)}

    bench.each([Openssl(), *bench.clients], measure, torrent.mib)


# --- resuming ---

def part(mib, n):
    """For what goes at the speed of a slow network or disk: it takes as long on
    every machine."""
    return max(64, mib // n)


def row_resume(bench):
    """kill -9 at half, and again."""
    torrent = bench.torrent(mib=part(bench.o.mib, 4))
    hosts = bench.seeds[:4]
    bench.tracker.tell(hosts)

    def measure(client, folder):
        out = f"{folder}/out"
        os.makedirs(out)
        command = client.download(torrent, out, folder)
        if command is None:
            return None
        with Seeder(bench.o.tools, torrent, hosts, rate=5_000_000,
                    stat=f"{folder}/stat1") as seeder:
            given = kill_at_half(Process(command, folder), seeder, torrent.size,
                                 bench.limit)
        with Seeder(bench.o.tools, torrent, hosts, rate=5_000_000,
                    stat=f"{folder}/stat2") as seeder:
            process = Process(client.resume(torrent, out, folder), folder)
            process.wait(bench.limit)
            time.sleep(TOLD)
            again, first = seeder.stat()
        check_data(torrent, out)
        return {"twice": (given + again - torrent.size) / MIB,
                "first": first - process.started if first else 0.0}

    bench.each(bench.clients, measure)


TOLD = 0.3  # the seeder tells its figures ten times a second


def kill_at_half(process, seeder, size, limit):
    """How much it was given when it was killed."""
    try:
        while seeder.stat()[0] < size / 2:
            if process.has_ended():
                raise Failed("it ended before it had one half")
            if time.monotonic() - process.started > limit:
                raise Unfinished(limit)
            time.sleep(0.02)
    finally:
        process.kill()
    time.sleep(TOLD)
    return seeder.stat()[0]


# --- serving ---

def row_serve(bench):
    torrent = bench.torrent()
    sources = addresses(8, third=40)
    bench.tracker.tell([])

    def measure(client, folder):
        command = client.serve(torrent, folder)
        if command is None:
            return None
        process = Process(command, folder)
        try:
            return serve_once(bench, torrent, client, process, sources)
        finally:
            process.kill()

    bench.each(bench.clients, measure)


def serve_once(bench, torrent, client, process, sources):
    """A client that listens may still turn leechers away while it checks what
    it has: they try again. Four times the torrent is asked for, or what comes
    in SERVE seconds: that is a rate as well."""
    settle(process, client.port, bench.limit)
    command = [f"{bench.o.tools}/bench_leech", torrent.info_hash,
               str(torrent.piece_length), str(torrent.size),
               str(bench.o.mib * 4 * MIB), str(SERVE), CLIENT,
               str(client.port), str(len(sources)), *sources]
    while time.monotonic() - process.started < bench.limit:
        sample = leech_once(command, process)
        if sample is not None:
            return sample
        if process.has_ended():
            raise Failed("it ended while it should serve")
        time.sleep(1)
    raise Failed(f"it gave leechers nothing in {bench.limit:.0f} s")


def leech_once(command, process):
    """None when the leechers got nothing."""
    leech = launch(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                   text=True)
    try:
        if leech.stdout.readline() != "begin\n":
            return None
        before = process.cpu()
        figures = leech.stdout.readline().split()
        after = process.cpu()
    finally:
        end(leech)
        leech.stdout.close()
    if len(figures) != 2:
        return None
    got, seconds = float(figures[0]), float(figures[1])
    return {"rate": got / seconds / MIB, "rss": process.memory(),
            "cpu": (after - before) / (got / (1 << 30))}


def settle(process, port, limit):
    """Waits until it listens (port 0: need not) and uses no CPU any more."""
    quiet, last = 0, -1.0
    while time.monotonic() - process.started < limit:
        if process.has_ended():
            raise Failed("it ended, and should go on")
        now = process.cpu()
        is_quiet = now - last < 0.02 and (port == 0 or is_open(port))
        quiet = quiet + 1 if is_quiet else 0
        last = now
        if quiet == 6:
            return
        time.sleep(0.25)
    raise Unfinished(limit, "was not ready")


# --- many torrents ---

def make_torrents(bench, count, files):
    """`count` small .torrent files of `files` files each, in one folder."""
    folder = f"{bench.o.work}/torrents-{count}-{files}"
    if os.path.isdir(folder):
        return folder
    os.makedirs(folder)
    announce = "http://10.77.0.1:6969/announce"
    for i in range(count):
        info = {"name": f"torrent {i:05}", "piece length": 1 << 18,
                "pieces": os.urandom(20 * 4),
                "files": [{"length": (1 << 20) // files, "path": [f"{k:03}"]}
                          for k in range(files)]}
        info["pieces"] = os.urandom(
            20 * -(-((1 << 20) // files * files) // (1 << 18)))
        with open(f"{folder}/{i:05}.torrent", "wb") as f:
            f.write(bencode({"announce": announce, "info": info}))
    return folder


def timed(command, folder, limit):
    """Runs it; the seconds that it took."""
    process = Process(command, folder)
    wall = process.wait(limit)["wall"]
    if process.popen.returncode != 0:
        raise Failed(f"{command[1]}: exit status {process.popen.returncode}")
    return wall


def row_many_torrents(bench):
    """10,000 torrents: add, status, SQL, and a daemon whose tracker refuses."""
    count, files = bench.o.torrents, 30
    source = make_torrents(bench, count, files)
    names = [f"{source}/{name}" for name in sorted(os.listdir(source))]
    bench.tracker.refuses = True

    def measure(client, folder):
        db = f"{folder}/btc.db"
        out = fresh(f"{folder}/out")
        sample = {}
        sample["add s"] = timed([client.program, "add", "--db", db, "-q", "-d",
                                 out, *names], folder, bench.limit)
        sample["status s"] = min(
            timed([client.program, "status", "--db", db], folder, bench.limit)
            for _ in range(3))
        sample["progress s"] = min(select_progress(db) for _ in range(3))
        sample.update(daemon_cost(bench, client, folder, db))
        return sample

    try:
        bench.each(bench.own(), measure)
    finally:
        bench.tracker.refuses = False
        shutil.rmtree(source)


def select_progress(db):
    start = time.monotonic()
    with sqlite3.connect(f"file:{db}?mode=ro", uri=True) as reader:
        reader.execute("SELECT * FROM progress").fetchall()
    return time.monotonic() - start


REST, WISHES = 20, 10  # seconds that are measured
RESTS = 180  # seconds until it rests, at the most


def daemon_cost(bench, client, folder, db):
    """All of them run: the CPU until all have been told no and what an announce
    costs, then memory, CPU at rest, and the CPU of foreign wishes."""
    bench.tracker.first = 0.0
    process = Process([client.program, "daemon", "--db", db, "--bind", CLIENT,
                       "--no-dht", "--no-lsd", "--progress", "none"], folder)
    try:
        settle(process, 0, bench.limit)
        rests(process, db)
        sample = {"first s": bench.tracker.first - process.started,
                  "told CPU s": process.cpu(), "idle %": share(process, REST)}
        busy = share(process, WISHES, lambda: wish(db))
        sample["wish %"] = max(0.0, busy - sample["idle %"])
        sample["rss"] = process.memory()
        return sample
    finally:
        process.kill()


def rests(process, db):
    """Waits until every tracker was asked and none is due while we measure: who
    is refused asks again, later each time, and all of them began together."""
    while time.monotonic() - process.started < RESTS:
        if process.has_ended():
            raise Failed("the daemon ended")
        with sqlite3.connect(f"file:{db}?mode=ro", uri=True) as reader:
            asked, due = reader.execute(
                "SELECT min(state <> 'new'), min(next_announce) FROM tracker"
            ).fetchone()
        if asked and due - time.time() > REST + WISHES + 5:
            return
        time.sleep(1)
    raise Unfinished(RESTS, "did not come to rest")


def share(process, seconds, each=None):
    """Per cent of a core over so many seconds; `each` five times a second."""
    before, start = process.cpu(), time.monotonic()
    while time.monotonic() - start < seconds:
        if each:
            each()
        time.sleep(0.2)
    return 100 * (process.cpu() - before) / (time.monotonic() - start)


def wish(db):
    """Somebody changes one limit by SQL."""
    with sqlite3.connect(db, timeout=10) as writer:
        writer.execute("UPDATE torrent SET down_limit = 1000000 + "
                       "(COALESCE(down_limit, 0) + 1) % 1000 WHERE id = 77")


# --- the journal, a slow disk ---

def row_journal(bench):
    """What the journal costs at full speed: its thread's share of the CPU, its
    bytes beside the payload's."""
    torrent = bench.torrent(mib=bench.o.mib * 2)
    bench.tracker.tell(bench.seeds)

    def measure(client, folder):
        out = f"{folder}/out"
        os.makedirs(out)
        process = Process([*client.download(torrent, out, folder), "--seed",
                           "forever"], folder)
        try:
            settle(process, 0, bench.limit)
            check_data(torrent, out)
            threads = process.thread_cpu()
            return {
                "cpu %": 100 * threads.get("btc-journal", 0) /
                         sum(threads.values()),
                "bytes %": 100 * process.thread_written("btc-journal") /
                           torrent.size}
        finally:
            process.kill()

    with Seeder(bench.o.tools, torrent, bench.seeds):
        bench.each(bench.own(), measure)


def row_slow_disk(bench):
    """20 MB/s, 200 ms a sync (slow.c). How long does the loop let a newcomer
    wait for its handshake meanwhile?"""
    torrent = bench.torrent(mib=part(bench.o.mib, 8))
    bench.tracker.tell(bench.seeds)

    def measure(client, folder):
        out = f"{folder}/out"
        os.makedirs(out)
        process = Process(
            [*client.download(torrent, out, folder), "--port",
             str(client.port)], folder,
            env={"LD_PRELOAD": f"{bench.o.tools}/bench_slow.so"})
        limit = SLOWER * bench.limit
        waits, memory = knock(process, client.port, torrent.info_hash, limit)
        cost = process.wait(limit)
        check_data(torrent, out)
        if not waits:
            raise Failed("it greeted nobody")
        waits.sort()
        return {"rate": torrent.mib / cost["wall"], "rss": memory,
                "p50 ms": 1000 * waits[len(waits) // 2],
                "p99 ms": 1000 * waits[len(waits) * 99 // 100]}

    with Seeder(bench.o.tools, torrent, bench.seeds):
        bench.each(bench.own(), measure, torrent.mib)


SLOWER = 4  # times the limit of others: that disk takes its time


def knock(process, port, info_hash, limit):
    """Handshakes, one after another until the process ends or its time is up:
    their seconds, and the most memory that the process had."""
    hello = (b"\x13BitTorrent protocol" + bytes(8) + bytes.fromhex(info_hash) +
             b"-BN0001-knock")
    waits, memory = [], 0.0
    while (not process.has_ended() and
           time.monotonic() - process.started < limit):
        memory = max(memory, process.memory())
        with socket.socket() as s:
            s.settimeout(30)
            s.bind((f"10.77.60.{1 + len(waits) % 250}", 0))
            try:
                s.connect((CLIENT, port))
                start = time.monotonic()
                s.sendall(hello + b"%07d" % len(waits))
                if s.recv(68):
                    waits.append(time.monotonic() - start)
            except OSError:
                pass  # not listening yet, or no longer
        time.sleep(0.02)
    return waits, memory


# --- what is aimed at ---

# A figure is not there when nobody could measure it. The rate of a peer that
# did not end is the most that it can be: beside it we look no better than we are.

def best_peer(medians, key, best=max):
    """The best figure of the clients that are not ours."""
    peers = {c.name for c in PEERS}
    values = [m[key] for name, m in medians.items()
              if name in peers and key in m]
    return best(values) if values else None


def quotient(figure, other):
    return figure / other if figure is not None and other else None


def beside(name, key):
    """Ours divided by that client's."""
    def ratio(medians):
        return quotient(own(key)(medians), medians.get(name, {}).get(key))
    return ratio


def beside_best(key, best=max):
    def ratio(medians):
        return quotient(own(key)(medians), best_peer(medians, key, best))
    return ratio


def own(key):
    def figure(medians):
        return medians.get("btc", {}).get(key)
    return figure


def per_block(medians):
    few, many = (medians.get(f"btc, {n} peers", {}).get("cpu")
                 for n in (20, 2000))
    return quotient(many, few)


def copies(n, on_disk=0):
    """Room for so many copies of --mib."""
    return lambda mib, _: (n * mib, on_disk * mib)


def parts(n):
    """The same for a part of it, there and fetched."""
    return lambda mib, _: (2 * part(mib, n), 0)


def many(_, torrents):
    """Small files and their rows: some 14 KiB a torrent."""
    return torrents / 64, 0


AT_LEAST, AT_MOST = ">=", "<="
SPEED = ("speed, of the best peer's", beside_best("rate"), AT_LEAST)
FLOOR = ("speed, of the floor's", beside("floor", "rate"), AT_LEAST)
FLOOR_CPU = ("CPU, of the floor's", beside("floor", "cpu"), AT_MOST)

# Downloads are held against the floor, which does nothing but what must be done:
# nobody can be much faster, so the best peer is only not to be behind us.
ROWS = [
    Row("download", "download, 1 MiB pieces, 8 seeds", row_download,
        [(*SPEED, 1.0), (*FLOOR, 0.85), (*FLOOR_CPU, 1.25),
         ("MiB of memory", own("rss"), AT_MOST, 50)], copies(2)),
    Row("small-pieces", "download, 256 KiB pieces", row_small_pieces,
        [(*SPEED, 1.0), (*FLOOR, 0.9), (*FLOOR_CPU, 1.25)], copies(2)),
    Row("large-pieces", "download, 16 MiB pieces", row_large_pieces,
        [(*SPEED, 1.0), (*FLOOR, 0.9)], copies(2)),
    Row("many-files", "download, 5,000 files", row_many_files,
        [(*SPEED, 1.0), ("MiB/s", own("rate"), AT_LEAST, 600),
         ("MiB of memory", own("rss"), AT_MOST, 48)], copies(1)),
    Row("disk", "download onto the disk", row_disk,
        [(*SPEED, 1.0),
         ("speed, of the floor's that syncs", beside("floor, synced", "rate"),
          AT_LEAST, 0.9),
         ("CPU, of the floor's that syncs", beside("floor, synced", "cpu"),
          AT_MOST, 1.5)], copies(1, on_disk=1)),
    Row("many-peers", "download from 2,000 peers", row_many_peers,
        [("CPU a block, of that with 20", per_block, AT_MOST, 1.3)], copies(2)),
    Row("serve", "serve 8 leechers", row_serve,
        [(*SPEED, 1.3),
         ("CPU, of the best peer's", beside_best("cpu", min), AT_MOST, 0.6)],
        copies(1)),
    Row("verify", "hash what is there", row_verify,
        [("speed, of one openssl core's", beside("openssl", "rate"), AT_LEAST,
          0.97 * len(os.sched_getaffinity(0))), (*SPEED, 1.0)], copies(2)),
    Row("resume", "resume after kill -9", row_resume,
        [("MiB fetched twice, of the best peer's", beside_best("twice", min),
          AT_MOST, 1.5),
         ("seconds to the first request", own("first"), AT_MOST, 0.2)],
        parts(4)),
    Row("many-torrents", "10,000 torrents", row_many_torrents,
        [("seconds to add", own("add s"), AT_MOST, 2),
         ("seconds for status", own("status s"), AT_MOST, 0.1),
         ("seconds for SELECT * FROM progress", own("progress s"), AT_MOST,
          0.1),
         ("seconds to the first request", own("first s"), AT_MOST, 2),
         ("MiB of memory", own("rss"), AT_MOST, 150),
         ("% of a core at rest", own("idle %"), AT_MOST, 1),
         ("% of a core, 5 foreign writes/s", own("wish %"), AT_MOST, 1)],
        many),
    Row("journal", "the journal at full speed", row_journal,
        [("% of the CPU", own("cpu %"), AT_MOST, 3),
         ("% of the bytes", own("bytes %"), AT_MOST, 0.5)], copies(4)),
    Row("slow-disk", "a disk of 20 MB/s and 200 ms a sync", row_slow_disk,
        [("ms for a handshake, p99", own("p99 ms"), AT_MOST, 50),
         ("MiB of memory", own("rss"), AT_MOST, 64)], parts(8)),
]
