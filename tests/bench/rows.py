"""The rows of the bench. A row measures every client that can do the thing, one
after another, in each round; a sample is a dict of numbers:

  rate   MiB/s          cpu    CPU seconds per GiB      rss   MiB at the most
  twice  MiB fetched again            first   seconds to the first request
  more   what only a row of btc's own has

A sample is None when the client failed or did a wrong thing."""
import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import time

from clients import Btc, Floor, Openssl
from stage import (CLIENT, MIB, PORT, Process, Seeder, Torrent, addresses,
                   bencode, fresh)

TIMEOUT = 180


class Row:
    """A named measurement. `checks` say what is aimed at: a text, a function of
    the medians by client, a comparison and its limit."""

    def __init__(self, name, title, run, checks):
        self.name, self.title = name, title
        self.run, self.checks = run, checks


class Bench:
    """What the rows share: the folders, the tools, the clients."""

    def __init__(self, options, tracker, clients, say):
        self.o = options
        self.tracker = tracker
        self.clients = clients
        self.say = say
        self.seeds = addresses(8)

    def own(self):
        """Ours alone: btc and its variants."""
        return [c for c in self.clients if isinstance(c, Btc)]

    def torrent(self, piece_length=MIB, files=1, mib=None):
        mib = mib or self.o.mib
        return Torrent(f"{self.o.work}/data-{mib}", mib, piece_length, files)

    def each(self, clients, measure):
        """Samples by client; every round goes through all of them."""
        samples = {c.name: [] for c in clients}
        for _ in range(self.o.rounds):
            for c in clients:
                folder = fresh(f"{self.o.work}/{c.name}")
                sample = measure(c, folder)
                if sample == "cannot":
                    continue
                self.say(c.name, sample, folder)
                samples[c.name].append(sample)
                shutil.rmtree(folder, ignore_errors=True)
        return {name: s for name, s in samples.items() if s}


# --- downloading ---

def download_once(torrent, client, folder, out):
    os.makedirs(out)
    command = client.download(torrent, out, folder)
    if command is None:
        return "cannot"
    cost = Process(command, folder).wait(TIMEOUT)
    if cost is None or not torrent.is_at(out):
        return None
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
            return download_once(torrent, client, folder, out)
        finally:
            shutil.rmtree(out, ignore_errors=True)

    with Seeder(bench.o.tools, torrent, hosts, gate=gate):
        return bench.each(
            clients or [Floor(bench.o.tools, hosts), *bench.clients], measure)


def row_download(bench):
    return download(bench, bench.torrent())


def row_small_pieces(bench):
    return download(bench, bench.torrent(256 << 10))


def row_large_pieces(bench):
    return download(bench, bench.torrent(16 * MIB))


def row_many_files(bench):
    return download(bench, bench.torrent(files=5000, mib=bench.o.mib // 2))


def row_disk(bench):
    """Onto a real file system, the one of the build folder. btc ends when all
    of it is on the disk, so it is held against a floor that syncs, too; the
    other one shows what the disk's cache takes."""
    floors = [Floor(bench.o.tools, bench.seeds, sync) for sync in (False, True)]
    return download(bench, bench.torrent(), out_folder=bench.o.disk,
                    clients=[*floors, *bench.clients])


def row_many_peers(bench):
    """The same torrent from 20 and from 2,000 peers, all of them connected
    before the first block comes."""
    torrent = bench.torrent()
    out = {}
    for n in (20, 2000):
        hosts = addresses(n)
        clients = [Btc(c.program, f"{c.name}, {n} peers")
                   for c in bench.own()]
        for c in clients:
            c.download = with_peers(c.download, hosts)
        out.update(download(bench, torrent, clients=clients, seeds=hosts,
                            gate=True))
    return out


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
            return "cannot"
        cost = Process(command, folder).wait(TIMEOUT)
        if cost is None:
            return None
        return {"rate": torrent.mib / cost["wall"], "rss": cost["rss"],
                "cpu": cost["cpu"] / (torrent.mib / 1024)}

    return bench.each([Openssl(), *bench.clients], measure)


# --- resuming ---

def row_resume(bench):
    """kill -9 at half, and again."""
    torrent = bench.torrent(mib=max(64, bench.o.mib // 4))
    hosts = bench.seeds[:4]
    bench.tracker.tell(hosts)

    def measure(client, folder):
        out = f"{folder}/out"
        os.makedirs(out)
        command = client.download(torrent, out, folder)
        if command is None:
            return "cannot"
        with Seeder(bench.o.tools, torrent, hosts, rate=5_000_000,
                    stat=f"{folder}/stat1") as seeder:
            process = Process(command, folder)
            while (seeder.stat()[0] < torrent.size / 2 and
                   time.monotonic() - process.started < TIMEOUT):
                time.sleep(0.02)
            process.kill()
            time.sleep(0.3)  # the seeder tells its figures ten times a second
            given = seeder.stat()[0]
        with Seeder(bench.o.tools, torrent, hosts, rate=5_000_000,
                    stat=f"{folder}/stat2") as seeder:
            process = Process(client.resume(torrent, out, folder), folder)
            cost = process.wait(TIMEOUT)
            time.sleep(0.3)
            again, first = seeder.stat()
        if cost is None or not torrent.is_at(out):
            return None
        return {"twice": (given + again - torrent.size) / MIB,
                "first": first - process.started if first else 0.0}

    return bench.each(bench.clients, measure)


# --- serving ---

def row_serve(bench):
    torrent = bench.torrent()
    sources = addresses(8, third=40)
    bench.tracker.tell([])

    def measure(client, folder):
        command = client.serve(torrent, folder)
        if command is None:
            return "cannot"
        process = Process(command, folder)
        try:
            return serve_once(bench, torrent, client, process, sources)
        finally:
            process.kill()

    return bench.each(bench.clients, measure)


def serve_once(bench, torrent, client, process, sources):
    """A client that listens may still turn leechers away while it checks what
    it has: they try again."""
    if not settle(process, client.port):
        return None
    command = [f"{bench.o.tools}/bench_leech", torrent.info_hash,
               str(torrent.piece_length), str(torrent.size),
               str(bench.o.mib * 4 * MIB), CLIENT, str(client.port),
               str(len(sources)), *sources]
    for _ in range(10):
        sample = leech_once(command, process)
        if sample is not None:
            return sample
        time.sleep(1)
    return None


def leech_once(command, process):
    with subprocess.Popen(command, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as leech:
        if leech.stdout.readline() != "begin\n":
            return None
        before = process.cpu()
        figures = leech.stdout.readline().split()
        after = process.cpu()
    if len(figures) != 2:
        return None
    got, seconds = float(figures[0]), float(figures[1])
    return {"rate": got / seconds / MIB, "rss": process.memory(),
            "cpu": (after - before) / (got / (1 << 30))}


def settle(process, port):
    """Waits until it listens (port 0: need not) and uses no CPU any more."""
    quiet, last = 0, -1.0
    while time.monotonic() - process.started < TIMEOUT:
        if process.has_ended():
            return False
        now = process.cpu()
        is_quiet = now - last < 0.02 and (port == 0 or is_open(port))
        quiet = quiet + 1 if is_quiet else 0
        last = now
        if quiet == 6:
            return True
        time.sleep(0.25)
    return False


def is_open(port):
    """Somebody listens on that port of this namespace."""
    want = f":{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table, encoding="ascii") as f:
            for line in f.readlines()[1:]:
                fields = line.split()
                if fields[1].endswith(want) and fields[3] == "0A":
                    return True
    return False


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


def timed(command, **more):
    """Runs it; seconds of wall and CPU."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, **more)
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, (after.ru_utime + after.ru_stime - before.ru_utime -
                  before.ru_stime)


def row_many_torrents(bench):
    """10,000 torrents: add, status, SQL, and a daemon whose tracker refuses."""
    count, files = bench.o.torrents, 30
    source = make_torrents(bench, count, files)
    names = [f"{source}/{name}" for name in sorted(os.listdir(source))]
    bench.tracker.refuses = True

    def measure(client, folder):
        db = f"{folder}/btc.db"
        base = [client.program]
        out = fresh(f"{folder}/out")
        sample = {}
        wall, _ = timed([*base, "add", "--db", db, "-q", "-d", out, *names])
        sample["add s"] = wall
        sample["status s"] = min(
            timed([*base, "status", "--db", db])[0] for _ in range(3))
        sample["progress s"] = min(select_progress(db) for _ in range(3))
        sample.update(daemon_cost(bench, client, folder, db))
        return sample

    try:
        return bench.each(bench.own(), measure)
    finally:
        bench.tracker.refuses = False


def select_progress(db):
    start = time.monotonic()
    with sqlite3.connect(f"file:{db}?mode=ro", uri=True) as reader:
        reader.execute("SELECT * FROM progress").fetchall()
    return time.monotonic() - start


REST, WISHES = 20, 10  # seconds that are measured


def daemon_cost(bench, client, folder, db):
    """All of them run: the CPU until all have been told no and what an announce
    costs, then memory, CPU at rest, and the CPU of foreign wishes."""
    bench.tracker.first = 0.0
    process = Process([client.program, "daemon", "--db", db, "--bind", CLIENT,
                       "--no-dht", "--no-lsd", "--progress", "none"], folder)
    try:
        if not settle(process, 0) or not rests(process, db):
            return {}
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
    while time.monotonic() - process.started < TIMEOUT:
        if process.has_ended():
            return False
        with sqlite3.connect(f"file:{db}?mode=ro", uri=True) as reader:
            asked, due = reader.execute(
                "SELECT min(state <> 'new'), min(next_announce) FROM tracker"
            ).fetchone()
        if asked and due - time.time() > REST + WISHES + 5:
            return True
        time.sleep(1)
    return False


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
            if not settle(process, 0) or not torrent.is_at(out):
                return None
            threads = process.thread_cpu()
            return {
                "cpu %": 100 * threads.get("btc-journal", 0) /
                         sum(threads.values()),
                "bytes %": 100 * process.thread_written("btc-journal") /
                           torrent.size}
        finally:
            process.kill()

    with Seeder(bench.o.tools, torrent, bench.seeds):
        return bench.each(bench.own(), measure)


def row_slow_disk(bench):
    """20 MB/s, 200 ms a sync (slow.c). How long does the loop let a newcomer
    wait for its handshake meanwhile?"""
    torrent = bench.torrent(mib=max(64, bench.o.mib // 4))
    bench.tracker.tell(bench.seeds)

    def measure(client, folder):
        out = f"{folder}/out"
        os.makedirs(out)
        process = Process(
            [*client.download(torrent, out, folder), "--port",
             str(client.port)], folder,
            env={"LD_PRELOAD": f"{bench.o.tools}/bench_slow.so"})
        waits, memory = knock(process, client.port, torrent.info_hash)
        cost = process.wait(TIMEOUT)
        if cost is None or not waits or not torrent.is_at(out):
            return None
        waits.sort()
        return {"rate": torrent.mib / cost["wall"], "rss": memory,
                "p50 ms": 1000 * waits[len(waits) // 2],
                "p99 ms": 1000 * waits[len(waits) * 99 // 100]}

    with Seeder(bench.o.tools, torrent, bench.seeds):
        return bench.each(bench.own(), measure)


def knock(process, port, info_hash):
    """Handshakes, one after another until the process ends: their seconds,
    and the most memory that the process had."""
    hello = (b"\x13BitTorrent protocol" + bytes(8) + bytes.fromhex(info_hash) +
             b"-BN0001-knock")
    waits, memory = [], 0.0
    while not process.has_ended():
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

def best_peer(medians, key, best=max):
    """The best figure of the clients that are not ours."""
    values = [m[key] for name, m in medians.items()
              if not name.startswith(("btc", "floor", "openssl"))]
    return best(values) if values else None


def beside(name, key):
    """Ours divided by that client's."""
    def ratio(medians):
        if name not in medians or "btc" not in medians:
            return None
        return medians["btc"][key] / medians[name][key]
    return ratio


def beside_best(key, best=max):
    def ratio(medians):
        peer = best_peer(medians, key, best)
        if peer is None or "btc" not in medians:
            return None
        return medians["btc"][key] / peer
    return ratio


def own(key):
    def figure(medians):
        return medians.get("btc", {}).get(key)
    return figure


def per_block(medians):
    few, many = medians.get("btc, 20 peers"), medians.get("btc, 2000 peers")
    return many["cpu"] / few["cpu"] if few and many else None


AT_LEAST, AT_MOST = ">=", "<="
SPEED = ("speed, of the best peer's", beside_best("rate"), AT_LEAST)
FLOOR = ("speed, of the floor's", beside("floor", "rate"), AT_LEAST)
FLOOR_CPU = ("CPU, of the floor's", beside("floor", "cpu"), AT_MOST)

ROWS = [
    Row("download", "download, 1 MiB pieces, 8 seeds", row_download,
        [(*SPEED, 3.0), (*FLOOR, 0.85), (*FLOOR_CPU, 1.25),
         ("MiB of memory", own("rss"), AT_MOST, 50)]),
    Row("small-pieces", "download, 256 KiB pieces", row_small_pieces,
        [(*SPEED, 3.0), (*FLOOR, 0.9), (*FLOOR_CPU, 1.25)]),
    Row("large-pieces", "download, 16 MiB pieces", row_large_pieces,
        [(*SPEED, 2.0), (*FLOOR, 0.9)]),
    Row("many-files", "download, 5,000 files", row_many_files,
        [(*SPEED, 3.0), ("MiB/s", own("rate"), AT_LEAST, 600),
         ("MiB of memory", own("rss"), AT_MOST, 48)]),
    Row("disk", "download onto the disk", row_disk,
        [(*SPEED, 1.0),
         ("speed, of the floor's that syncs", beside("floor, synced", "rate"),
          AT_LEAST, 0.9),
         ("CPU, of the floor's that syncs", beside("floor, synced", "cpu"),
          AT_MOST, 1.5)]),
    Row("many-peers", "download from 2,000 peers", row_many_peers,
        [("CPU a block, of that with 20", per_block, AT_MOST, 1.3)]),
    Row("serve", "serve 8 leechers", row_serve,
        [(*SPEED, 1.3),
         ("CPU, of the best peer's", beside_best("cpu", min), AT_MOST, 0.6)]),
    Row("verify", "hash what is there", row_verify,
        [("speed, of one openssl core's", beside("openssl", "rate"), AT_LEAST,
          0.97 * (os.cpu_count() or 1)), (*SPEED, 1.0)]),
    Row("resume", "resume after kill -9", row_resume,
        [("MiB fetched twice, of the best peer's", beside_best("twice", min),
          AT_MOST, 1.5),
         ("seconds to the first request", own("first"), AT_MOST, 0.2)]),
    Row("many-torrents", "10,000 torrents", row_many_torrents,
        [("seconds to add", own("add s"), AT_MOST, 2),
         ("seconds for status", own("status s"), AT_MOST, 0.1),
         ("seconds for SELECT * FROM progress", own("progress s"), AT_MOST,
          0.1),
         ("seconds to the first request", own("first s"), AT_MOST, 2),
         ("MiB of memory", own("rss"), AT_MOST, 150),
         ("% of a core at rest", own("idle %"), AT_MOST, 1),
         ("% of a core, 5 foreign writes/s", own("wish %"), AT_MOST, 1)]),
    Row("journal", "the journal at full speed", row_journal,
        [("% of the CPU", own("cpu %"), AT_MOST, 3),
         ("% of the bytes", own("bytes %"), AT_MOST, 0.5)]),
    Row("slow-disk", "a disk of 20 MB/s and 200 ms a sync", row_slow_disk,
        [("ms for a handshake, p99", own("p99 ms"), AT_MOST, 50),
         ("MiB of memory", own("rss"), AT_MOST, 64)]),
]
