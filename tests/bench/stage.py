"""The stage of the bench: a private network, data with its torrent, a tracker,
and processes that are measured. Everything lies in one folder in memory and
goes with it."""
import hashlib
import http.server
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

TRACKER = "10.77.0.1"
CLIENT = "10.77.0.250"
PORT = 7000  # where our seeder listens
MIB = 1 << 20


class Failed(Exception):
    """A client did a wrong thing or nothing at all; the text says what."""


class Unfinished(Exception):
    """A client was stopped after so many seconds; `what` it had not done."""

    def __init__(self, seconds, what="did not end"):
        super().__init__(f"{what} in {seconds:.0f} s")
        self.seconds = seconds


def bencode(value):
    """Bencodes ints, strings, lists and dicts (BEP 3)."""
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l" + b"".join(bencode(item) for item in value) + b"e"
    items = sorted((key.encode(), item) for key, item in value.items())
    return (b"d" + b"".join(bencode(k) + bencode(v) for k, v in items) + b"e")


def network(addresses):
    """Brings up the loopback of this namespace with more addresses."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    lines = "".join(f"addr replace {a}/32 dev lo\n"
                    for a in [TRACKER, CLIENT, *addresses])
    subprocess.run(["ip", "-batch", "-"], input=lines, text=True, check=True)


def addresses(count, third=1):
    """`count` addresses of 10.77.THIRD.x and on."""
    return [f"10.77.{third + i // 250}.{1 + i % 250}" for i in range(count)]


living = set()  # of Popen: who was started and not waited for
held = {"now": False, "interrupted": False}


def interrupt(*_):
    """A signal's handler: KeyboardInterrupt, at once or when nobody is just being
    started, who would be lost sight of."""
    if held["now"]:
        held["interrupted"] = True
    else:
        raise KeyboardInterrupt


def launch(command, **more):
    """A process that is one of the living from its first moment. A session of its
    own keeps the terminal's ctrl-C for us."""
    held["now"] = True
    try:
        popen = subprocess.Popen(command, start_new_session=True, **more)
        living.add(popen)
    finally:
        held["now"] = False
    if held["interrupted"]:
        held["interrupted"] = False
        raise KeyboardInterrupt
    return popen


def end(popen):
    """Kills it with all that it has started."""
    living.discard(popen)
    try:
        os.killpg(popen.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    popen.wait()


def end_all(but=()):
    """Nobody outlives his measurement."""
    for popen in living - set(but):
        end(popen)


class Torrent:
    """Random data in FOLDER/NAME, cut into `files` files when more than one,
    and its .torrent. `data` is the whole as one file."""

    def __init__(self, folder, mib, piece_length, files=1):
        os.makedirs(folder, exist_ok=True)
        self.size = mib * MIB
        self.mib = mib
        self.piece_length = piece_length
        self.files = files
        self.folder = folder
        self.data = f"{folder}/data.bin"
        if not os.path.exists(self.data):
            self._fill()
        self._describe()

    def _fill(self):
        source = random.Random(self.size)
        with open(self.data, "wb") as out:
            for _ in range(self.mib):
                out.write(source.randbytes(MIB))

    def _describe(self):
        digests = []
        with open(self.data, "rb") as data:
            while piece := data.read(self.piece_length):
                digests.append(hashlib.sha1(piece).digest())
        self.info = {"name": "data.bin", "piece length": self.piece_length,
                     "pieces": b"".join(digests)}
        if self.files == 1:
            self.info["length"] = self.size
        else:
            self.info["files"] = [
                {"length": length, "path": self._path(i)}
                for i, length in enumerate(self._lengths())]
        self.info_hash = hashlib.sha1(bencode(self.info)).hexdigest()
        self.path = (f"{self.folder}/{self.piece_length}-{self.files}.torrent")
        with open(self.path, "wb") as out:
            out.write(bencode({"announce": f"http://{TRACKER}:6969/announce",
                               "info": self.info}))

    def _path(self, i):
        return [f"d{i % 50:02}", f"f{i:06}"]

    def _lengths(self):
        each = self.size // self.files
        return [each] * (self.files - 1) + [self.size - each * (self.files - 1)]

    def is_at(self, folder):
        """Is what a client wrote into the folder all of it and right?"""
        with open(self.data, "rb") as data:
            if self.files == 1:
                return self._same(data, f"{folder}/data.bin", self.size)
            return all(
                self._same(data, "/".join([folder, "data.bin", *self._path(i)]),
                           length)
                for i, length in enumerate(self._lengths()))

    @staticmethod
    def _same(data, path, length):
        if not os.path.isfile(path) or os.path.getsize(path) != length:
            return False
        with open(path, "rb") as got:
            while length > 0:
                n = min(length, MIB)
                if got.read(n) != data.read(n):
                    return False
                length -= n
        return True


class Tracker:
    """An HTTP tracker that tells everyone the same peers, or refuses."""

    def __init__(self):
        self.peers = b""
        self.refuses = False
        self.first = 0.0  # when it was first asked, since this was set to 0
        tracker = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                tracker.first = tracker.first or time.monotonic()
                answer = {"interval": 60, "peers": tracker.peers}
                if tracker.refuses:
                    answer = {"failure reason": "not today"}
                body = bencode(answer)
                try:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # a client that ends asks and does not listen

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer((TRACKER, 6969), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def tell(self, hosts, port=PORT):
        self.peers = b"".join(socket.inet_aton(h) + struct.pack(">H", port)
                              for h in hosts)


def is_open(port):
    """Somebody listens on that port of this namespace."""
    want = f":{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not os.path.exists(table):
            continue  # no IPv6 here
        with open(table, encoding="ascii") as f:
            for line in f.readlines()[1:]:
                fields = line.split()
                if fields[1].endswith(want) and fields[3] == "0A":
                    return True
    return False


def wait_free(port, seconds=5):
    """Nobody listens there any more: who still does is no client of ours, and
    would be measured in the place of one."""
    until = time.monotonic() + seconds
    while is_open(port):
        if time.monotonic() > until:
            raise Failed(f"port {port} is taken by another process")
        time.sleep(0.05)


class Seeder:
    """Our seeder at `hosts`; `with` ends it. With a gate it unchokes nobody
    before all of them are connected."""

    def __init__(self, tools, torrent, hosts, rate=0, stat="-", gate=False):
        self.stat_path = stat
        options = ["--gate", str(len(hosts))] if gate else []
        self.process = launch(
            [f"{tools}/bench_seed", *options, torrent.info_hash,
             str(torrent.piece_length), torrent.data, str(PORT), str(rate),
             stat, *hosts], stdout=subprocess.PIPE)
        if self.process.stdout.readline() != b"ready\n":
            raise RuntimeError("the seeder did not start")

    def stat(self):
        """Bytes given, and when first asked for (monotonic clock)."""
        try:
            with open(self.stat_path, encoding="ascii") as f:
                given, first = f.read().split()
                return int(given), float(first)
        except (OSError, ValueError):
            return 0, 0.0

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        has_ended = self.process.poll() is not None
        end(self.process)
        if has_ended and kind is None:
            raise RuntimeError("the seeder ended before its downloads did")


class Process:
    """A client that runs in a session of its own, its output in FOLDER/log."""

    def __init__(self, command, folder, env=None):
        self.folder = folder
        with open(f"{folder}/log", "ab") as log:
            self.started = time.monotonic()
            self.popen = launch(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(os.environ, HOME=folder, **(env or {})))
        with open(f"{folder}/pid", "w", encoding="ascii") as f:
            f.write(str(self.popen.pid))
        self.pid = self.popen.pid

    def has_ended(self):
        """It has, and can still be waited for."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG |
                         os.WNOWAIT) is not None

    def wait(self, timeout):
        """Waits for its end; a dict of what it cost. Kills it at the time-out.
        What getrusage calls the most memory begins with ours, before exec:
        the kernel's figure is looked at now and then instead. It is None when
        the last look was long before the end."""
        most, looked = 0.0, self.started
        while time.monotonic() - self.started < timeout:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                wall = time.monotonic() - self.started
                self.popen.returncode = os.waitstatus_to_exitcode(status)
                self.kill()
                return {"wall": wall,
                        "cpu": usage.ru_utime + usage.ru_stime,
                        "rss": most if looked - self.started > wall / 2
                               else None}
            if time.monotonic() - looked > 0.02:
                looked = time.monotonic()
                most = max(most, self.memory())
            time.sleep(0.003)
        self.kill()
        raise Unfinished(timeout)

    def kill(self):
        end(self.popen)

    def cpu(self):
        """Seconds of CPU until now."""
        return stat_cpu(f"/proc/{self.pid}/stat")

    def thread_cpu(self):
        """Seconds of CPU by the name of the thread."""
        out = {}
        for task in os.listdir(f"/proc/{self.pid}/task"):
            base = f"/proc/{self.pid}/task/{task}"
            with open(f"{base}/comm", encoding="utf-8") as f:
                name = f.read().strip()
            out[name] = out.get(name, 0) + stat_cpu(f"{base}/stat")
        return out

    def thread_written(self, name):
        """Bytes that the threads of that name have written."""
        total = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            base = f"/proc/{self.pid}/task/{task}"
            with open(f"{base}/comm", encoding="utf-8") as f:
                if f.read().strip() != name:
                    continue
            with open(f"{base}/io", encoding="utf-8") as f:
                total += next(int(line.split()[1]) for line in f
                              if line.startswith("wchar"))
        return total

    def memory(self, field="VmHWM"):
        """MiB of memory: VmHWM, the most until now, or VmRSS."""
        try:
            with open(f"/proc/{self.pid}/status", encoding="utf-8") as f:
                for line in f:
                    if line.startswith(field):
                        return int(line.split()[1]) / 1024
        except ProcessLookupError:
            pass
        return 0.0


def stat_cpu(path):
    """User and system seconds of a stat file of /proc."""
    with open(path, encoding="utf-8") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fresh(folder):
    """The folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder
