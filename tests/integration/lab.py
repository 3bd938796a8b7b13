"""A laboratory for integration tests: a private network, a private folder, and
other people's trackers and peers in it. Standard library only.

A test script looks like this:

    import lab

    def test_download(lab):
        data = lab.make_data("seed/data.bin", 8 << 20)
        tracker = lab.opentracker()
        torrent = lab.make_torrent(data, tiers=[[tracker.url]])
        lab.transmission(torrent, seed=True).wait_ready()
        tracker.wait_seeds(torrent, 1)
        run = lab.btc("get", torrent.path, "-d", lab.path("out"))
        assert run.code == 0, run.err
        torrent.check(lab.path("out"))

    lab.main(__name__)

`main` runs the script again in a network and mount namespace of its own (root
only; otherwise, or when a program is missing, it exits 77: skipped), with
10.77.0.1 to 10.77.0.20 on the loopback device, so any port is free and nothing
gets out. Each test_* function gets a fresh Lab; all processes and the folder of
the Lab are gone afterwards. Names on the command line choose tests.
BTC_LAB_KEEP=1 keeps the folders. Any failed test makes the exit status 1, and
the tails of all logs of its Lab are shown.

Lab
    dir, path(*parts)         the folder (in memory), a path in it (the parent
                              folders are made)
    db                        the database that btc() and sql() use
    make_data(path, size, seed=1)
                              a file of repeatable random bytes; its full path
    make_torrent(source, piece_length=262144, tiers=[], private=False,
                 web_seeds=[], pad=False, name=None, out=None, comment=None)
                              of a file or folder; see Torrent
    opentracker(ip="10.77.0.1", port=6969)
                              see Tracker
    transmission, aria2, libtorrent, qbittorrent
        (torrent, seed=False, dir=None, ip=None, port=51413, up_limit=0,
         down_limit=0, magnet=None, peers=[], ways=[], beside=None,
         super_seed=False)
                              a running peer; as a seeder it serves the source
                              of the torrent (or `dir`); limits in KiB/s; `ip`
                              is the next free one; `peers` are ("ip", port)
                              that it dials (libtorrent only); `ways` to find
                              others that it uses beside trackers: "dht",
                              "pex", "lsd"; `beside` is where it runs;
                              `super_seed`: it shows its pieces one by one
                              (BEP 16; libtorrent only); see Peer
    beside()                  another machine in a network of two, see Beside
    http_server(handler, ip="10.77.0.1", port=0)
                              handler(path, headers) gives (status, dict,
                              body); returns the base URL. For fake trackers
                              and web seeds
    mount_tmpfs(path, size)   a small filesystem to run full
    mount_user_space(path, program, ...)  path-real by way of bindfs, mergerfs
    mount_coarse(path)        one whose times are whole seconds
    make_image(path, mkfs, *options, size=64 MiB)
                              a file with a file system in it
    mount(path, *argv)        what that command mounts on a folder
    btc(*args, timeout=120, env={}, db=None, ip="10.77.0.20", lsd=False)
                              runs btc to its end; see Run. It is bound to `ip`:
                              unbound connections come from the address that
                              they go to, and no peer takes those of its own.
                              Without `lsd` two btc do not find each other
    start_btc(*args, env={}, db=None, ip="10.77.0.20", lsd=False)
                              starts it; see Program
    start(name, argv, **kw)   starts any other program; see Program
    sql(query, *args, db=None)  rows as sqlite3.Row, read only; none while the
                              database is not there or being made
    wait(condition, timeout=60, what="", every=0.02)
                              polls until it is true; gives the true value
    next_ip()                 an address that no one uses yet

Run         code, out, err (str), seconds, json() (parsed out)
Program     pid, is_running(), signal(sig), kill() (SIGKILL and reap),
            stop(timeout=20) (SIGTERM, then the exit status),
            wait(timeout=120) (the exit status), out(), err()
Peer        a Program with ip, port, dir (where its data is), progress() (0..1),
            is_seeding(), uploaded(), downloaded() (payload bytes),
            wait_ready(timeout=60) (torrent is loaded; seeder: data is checked),
            wait_done(timeout=120) (it has everything)
Beside      ip, ip6 (its addresses), near_ip, near_ip6 (ours on that network),
            device (ours), argv (put before a command to run it there)
Tracker     (serves only torrents of this Lab, or what allow(info_hash) adds)
            url, udp_url, scrape(torrent) -> (seeds, downloads, leechers),
            wait_seeds(torrent, n, timeout=30), wait_peers(torrent, n)
Torrent     path, info_hash (hex), name, source, size, piece_length,
            piece_count, files [File(path, length, offset, pad)], info (dict),
            magnet(trackers=[], peers=[]), check(dir) (raises on a difference),
            good_pieces(dir) (the set of pieces that hash right on disk)
"""
import atexit
import base64
import collections
import contextlib
import ctypes
import fcntl
import hashlib
import http.server
import inspect
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request

SKIPPED = 77
BASE = "/dev/shm" if os.path.isdir("/dev/shm") else tempfile.gettempdir()
PREFIX = "btc-test-"
HERE = os.path.dirname(os.path.abspath(__file__))
PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
ADDRESSES = [f"10.77.0.{i}" for i in range(1, 21)]
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
# urllib must not ask a proxy of the environment.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

File = collections.namedtuple("File", "path length offset pad")


class Skip(Exception):
    """The machine lacks something that the test needs."""


class Timeout(Exception):
    """What was waited for did not come."""


def find(program):
    """The full path of a program, or Skip."""
    found = shutil.which(program, path=PATH)
    if not found:
        raise Skip(f"{program} is not installed")
    return found


def fetch(url, data=None, headers=None, timeout=10):
    """The body of an HTTP answer."""
    request = urllib.request.Request(url, data, headers or {})
    with OPENER.open(request, timeout=timeout) as answer:
        return answer.read()


def benc(x):
    """Bencodes ints, bytes, strings, lists and dictionaries."""
    if isinstance(x, bool):
        raise TypeError("bencode has no booleans")
    if isinstance(x, int):
        return b"i%de" % x
    if isinstance(x, str):
        x = x.encode()
    if isinstance(x, (bytes, bytearray)):
        return b"%d:%s" % (len(x), bytes(x))
    if isinstance(x, (list, tuple)):
        return b"l" + b"".join(benc(e) for e in x) + b"e"
    items = {k.encode() if isinstance(k, str) else k: v for k, v in x.items()}
    return b"d" + b"".join(benc(k) + benc(items[k])
                           for k in sorted(items)) + b"e"


def bdec(data):
    """Decodes bencoding (of programs we trust)."""
    def value(i):
        c = data[i:i + 1]
        if c == b"i":
            end = data.index(b"e", i)
            return int(data[i + 1:end]), end + 1
        if c == b"l" or c == b"d":
            items, i = [], i + 1
            while data[i:i + 1] != b"e":
                item, i = value(i)
                items.append(item)
            if c == b"d":
                return dict(zip(items[::2], items[1::2])), i + 1
            return items, i + 1
        colon = data.index(b":", i)
        end = colon + 1 + int(data[i:colon])
        return data[colon + 1:end], end
    return value(0)[0]


class Torrent:
    """A .torrent that the lab made, and the data it was made of."""

    def __init__(self, path, source, info, files):
        self.path, self.source, self.info = path, source, info
        self.files = files
        self.name = info["name"]
        self.piece_length = info["piece length"]
        self.hashes = info["pieces"]
        self.piece_count = len(self.hashes) // 20
        self.size = sum(f.length for f in files)
        self.info_hash = hashlib.sha1(benc(info)).hexdigest()

    def magnet(self, trackers=(), peers=()):
        """A magnet link; peers are "ip:port"."""
        parts = [f"xt=urn:btih:{self.info_hash}",
                 "dn=" + urllib.parse.quote(self.name)]
        parts += ["tr=" + urllib.parse.quote(t, safe="") for t in trackers]
        parts += ["x.pe=" + p for p in peers]
        return "magnet:?" + "&".join(parts)

    def _payload(self, root):
        """Where the torrent's files lie below a download folder."""
        base = os.path.join(root, self.name)
        for f in self.files:
            yield f, os.path.join(base, f.path) if "files" in self.info else base

    def _source_of(self, f):
        if "files" not in self.info:
            return self.source
        return os.path.join(self.source, f.path)

    def check(self, root):
        """Raises AssertionError unless the folder holds exactly the data."""
        for f, path in self._payload(root):
            if f.pad:
                assert not os.path.exists(path), f"{path}: a pad file on disk"
                continue
            assert os.path.isfile(path), f"{path}: missing"
            assert os.path.getsize(path) == f.length, f"{path}: wrong length"
            assert same_bytes(path, self._source_of(f)), f"{path}: differs"

    def good_pieces(self, root):
        """The pieces whose data on disk has the right hash."""
        good, buffered, piece = set(), bytearray(), 0
        for f, path in self._payload(root):
            data = b""
            if not f.pad and os.path.isfile(path):
                data = pathlib.Path(path).read_bytes()[:f.length]
            if f.pad:
                buffered += bytes(f.length)
            else:
                # What is missing cannot make a good hash: not even of zeros.
                buffered += data + b"\xa5" * (f.length - len(data))
            while len(buffered) >= self.piece_length:
                piece = self._judge(good, piece, buffered)
        if buffered:
            self._judge(good, piece, buffered)
        return good

    def _judge(self, good, piece, buffered):
        digest = hashlib.sha1(buffered[:self.piece_length]).digest()
        if digest == self.hashes[20 * piece:20 * piece + 20]:
            good.add(piece)
        del buffered[:self.piece_length]
        return piece + 1


def same_bytes(a, b):
    """Compares two files."""
    with open(a, "rb") as fa, open(b, "rb") as fb:
        while True:
            x, y = fa.read(1 << 20), fb.read(1 << 20)
            if x != y:
                return False
            if not x:
                return True


def make_torrent(out, source, piece_length=262144, tiers=(), private=False,
                 web_seeds=(), pad=False, name=None, comment=None):
    """Writes a v1 .torrent of a file or folder; files are sorted by path."""
    source = os.path.abspath(source)
    is_folder = os.path.isdir(source)
    listed = _list_files(source, piece_length, pad) if is_folder else [
        File("", os.path.getsize(source), 0, False)]
    info = {"name": name or os.path.basename(source),
            "piece length": piece_length,
            "pieces": _hash_pieces(source, listed, piece_length)}
    if is_folder:
        info["files"] = [
            dict({"length": f.length, "path": f.path.split("/")},
                 **({"attr": "p"} if f.pad else {})) for f in listed]
    else:
        info["length"] = listed[0].length
    if private:
        info["private"] = 1
    meta = {"info": info}
    tiers = [list(t) for t in tiers]
    if tiers:
        meta["announce"] = tiers[0][0]
    if len(tiers) > 1 or tiers and len(tiers[0]) > 1:
        meta["announce-list"] = tiers
    if web_seeds:
        meta["url-list"] = list(web_seeds)
    if comment:
        meta["comment"] = comment
    pathlib.Path(out).write_bytes(benc(meta))
    return Torrent(out, source, info, listed)


def _list_files(source, piece_length, pad):
    """The files below a folder, with BEP 47 padding where it is wanted."""
    paths = sorted(os.path.relpath(os.path.join(top, n), source)
                   for top, _, names in os.walk(source) for n in names)
    files, offset = [], 0
    for i, path in enumerate(paths):
        length = os.path.getsize(os.path.join(source, path))
        files.append(File(path, length, offset, False))
        offset += length
        gap = -offset % piece_length
        if pad and gap and i + 1 < len(paths):
            files.append(File(f".pad/{gap}", gap, offset, True))
            offset += gap
    return files


def _hash_pieces(source, files, piece_length):
    """The SHA-1 of each piece, in a row."""
    hashes, buffered = [], bytearray()
    for f in files:
        left = f.length
        path = os.path.join(source, f.path) if f.path else source
        with open(os.devnull if f.pad else path, "rb") as stream:
            while left > 0:
                data = bytes(min(left, 1 << 20)) if f.pad else stream.read(
                    min(left, 1 << 20))
                if not data:
                    raise OSError(f"{path}: shorter than it was")
                left -= len(data)
                buffered += data
                while len(buffered) >= piece_length:
                    hashes.append(hashlib.sha1(
                        buffered[:piece_length]).digest())
                    del buffered[:piece_length]
    if buffered:
        hashes.append(hashlib.sha1(buffered).digest())
    return b"".join(hashes)


class Run:
    """A btc that has ended."""

    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return (f"exit {self.code} after {self.seconds:.2f} s\n"
                f"--- stdout\n{self.out}--- stderr\n{self.err}")


class Program:
    """A process whose output goes to files, and that dies with the test."""

    def __init__(self, lab, name, argv, env=None, cwd=None):
        self.lab, self.name = lab, name
        base = lab.path("log", f"{len(lab.programs)}-{name}")
        self.out_path, self.err_path = base + ".out", base + ".err"
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.process = subprocess.Popen(
                [str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out,
                stderr=err, cwd=cwd or lab.dir, env=dict(lab.env, **(env or {})),
                start_new_session=True,
                preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        self.pid = self.process.pid
        lab.programs.append(self)

    def is_running(self):
        return self.process.poll() is None

    def signal(self, sig):
        if self.is_running():
            self.process.send_signal(sig)

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.process.wait()

    def stop(self, timeout=20):
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def wait(self, timeout=120):
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Timeout(f"{self.name} still runs after {timeout} s") from None

    def out(self):
        return pathlib.Path(self.out_path).read_text(errors="replace")

    def err(self):
        return pathlib.Path(self.err_path).read_text(errors="replace")


class Tracker(Program):
    """opentracker. Debian's build serves only what its whitelist names, so the
    lab puts each torrent that it makes into the list."""

    def __init__(self, lab, ip, port):
        self.home = lab.path(f"opentracker-{ip}-{port}")
        self.url = f"http://{ip}:{port}/announce"
        self.udp_url = f"udp://{ip}:{port}/announce"
        self._base = f"http://{ip}:{port}"
        self.allowed = []
        os.makedirs(self.home)
        self._write_whitelist()
        config = os.path.join(self.home, "conf")
        # It changes its root to its home: the list's path is a relative one.
        pathlib.Path(config).write_text(
            f"listen.tcp {ip}:{port}\nlisten.udp {ip}:{port}\n"
            f"tracker.rootdir {self.home}\naccess.whitelist whitelist\n")
        super().__init__(lab, "opentracker",
                         [find("opentracker"), "-f", config], cwd=self.home)
        # When it answers, it also minds signals.
        lab.wait(self._answers, 10, "opentracker to answer")

    def _answers(self):
        try:
            fetch(self.url)
        except urllib.error.HTTPError:
            pass  # an answer, too
        except OSError:
            return False
        return True

    def _write_whitelist(self):
        path = os.path.join(self.home, "whitelist")
        pathlib.Path(path + ".new").write_text(
            "".join(h + "\n" for h in self.allowed))
        os.rename(path + ".new", path)

    def allow(self, info_hash):
        """Takes a torrent (hex) into the whitelist."""
        def knows():
            # Leaves no trace: a peer that was not there stops.
            body = fetch(f"{self.url}?info_hash={key}&peer_id=-LB0000-lablablablab"
                         "&port=1&left=1&event=stopped&compact=1&numwant=0")
            return b"failure reason" not in body
        if info_hash in self.allowed:
            return
        key = urllib.parse.quote_from_bytes(bytes.fromhex(info_hash), safe="")
        self.allowed.append(info_hash)
        self._write_whitelist()
        self.signal(signal.SIGHUP)
        self.lab.wait(knows, 10, "opentracker to take the torrent")

    def scrape(self, torrent):
        """(seeds, downloads, leechers) that the tracker knows."""
        key = bytes.fromhex(torrent.info_hash)
        body = fetch(f"{self._base}/scrape?info_hash="
                     + urllib.parse.quote_from_bytes(key, safe=""))
        found = bdec(body)[b"files"].get(key, {})
        return tuple(found.get(k, 0)
                     for k in (b"complete", b"downloaded", b"incomplete"))

    def wait_seeds(self, torrent, n, timeout=30):
        self.lab.wait(lambda: self.scrape(torrent)[0] >= n, timeout,
                      f"{n} seeds at the tracker")

    def wait_peers(self, torrent, n, timeout=30):
        def enough():
            seeds, _, leechers = self.scrape(torrent)
            return seeds + leechers >= n
        self.lab.wait(enough, timeout, f"{n} peers at the tracker")


class Beside:
    """Another network namespace, and a cable to it."""

    def __init__(self, lab):
        ip = find("ip")
        self.device = "side0"
        self.near_ip, self.ip = "10.78.0.1", "10.78.0.2"
        self.near_ip6, self.ip6 = "fd78::1", "fd78::2"
        # The kernel takes its time with that of a test before.
        subprocess.run([ip, "link", "del", self.device], check=False,
                       capture_output=True)
        holder = lab.start("beside", [find("unshare"), "--net", "sh", "-c",
                                      "echo here; exec sleep 100000"])
        lab.wait(holder.out, 10, "the other namespace")
        self.argv = [find("nsenter"), f"--net=/proc/{holder.pid}/ns/net"]
        for command in (
                [ip, "link", "add", self.device, "type", "veth", "peer",
                 "name", "side1", "netns", str(holder.pid)],
                [ip, "addr", "add", self.near_ip + "/24", "dev", self.device],
                [ip, "addr", "add", self.near_ip6 + "/64", "dev", self.device,
                 "nodad"],
                [ip, "link", "set", self.device, "up"],
                self.argv + [ip, "link", "set", "lo", "up"],
                self.argv + [ip, "addr", "add", self.ip + "/24", "dev",
                             "side1"],
                self.argv + [ip, "addr", "add", self.ip6 + "/64", "dev",
                             "side1", "nodad"],
                self.argv + [ip, "link", "set", "side1", "up"],
                self.argv + [ip, "route", "add", "default", "dev", "side1"]):
            subprocess.run(command, check=True)
        lab.wait(lambda: self._is_up(ip), 10, "the cable")

    def _is_up(self, ip):
        shown = subprocess.run([ip, "link", "show", self.device],
                               capture_output=True, text=True, check=True)
        return "state UP" in shown.stdout


class Peer(Program):
    """Somebody else's BitTorrent client with one torrent."""

    def __init__(self, lab, name, argv, where, options, env=None):
        self.ip, self.port, self.dir = where
        self.options = options
        beside = options["beside"]
        super().__init__(lab, name, beside.argv + argv if beside else argv, env)

    def state(self):
        """{progress, seeding, up, down}; raises while it does not answer."""
        raise NotImplementedError

    def _state(self):
        if not self.is_running():
            raise RuntimeError(f"{self.name} ended: {self.err()[-500:]}")
        try:
            return self.state()
        except (OSError, ValueError, KeyError, IndexError,
                urllib.error.URLError):
            return None

    def _number(self, key):
        return (self._state() or {}).get(key, 0)

    def progress(self):
        return self._number("progress")

    def is_seeding(self):
        return bool(self._number("seeding"))

    def uploaded(self):
        return self._number("up")

    def downloaded(self):
        return self._number("down")

    def wait_ready(self, timeout=60):
        ready = self.is_seeding if self.options["seed"] else self._state
        self.lab.wait(ready, timeout, f"{self.name} to be ready", 0.05)
        return self

    def wait_done(self, timeout=120):
        self.lab.wait(self.is_seeding, timeout,
                      f"{self.name} to have everything", 0.05)
        return self


class Transmission(Peer):
    def __init__(self, lab, where, options):
        ip, port, folder = where
        home = lab.path(f"transmission-{ip}", "settings.json")
        limits = {}
        for way in ("up", "down"):
            limits[f"speed-limit-{way}"] = options[f"{way}_limit"]
            limits[f"speed-limit-{way}-enabled"] = options[f"{way}_limit"] > 0
        pathlib.Path(home).write_text(json.dumps(dict(limits, **{
            "bind-address-ipv4": ip, "peer-port": port, "encryption": 0,
            "utp-enabled": False, "dht-enabled": "dht" in options["ways"],
            "lpd-enabled": "lsd" in options["ways"],
            "pex-enabled": "pex" in options["ways"],
            "port-forwarding-enabled": False,
            "preallocation": 0, "download-dir": folder, "rpc-port": 9091,
            "rpc-bind-address": ip, "rpc-whitelist-enabled": False,
            "rpc-host-whitelist-enabled": False, "ratio-limit-enabled": False,
            "idle-seeding-limit-enabled": False, "umask": 18})))
        self.session = ""
        self.added = False
        super().__init__(
            lab, "transmission",
            [find("transmission-daemon"), "-f", "--log-info", "-g",
             os.path.dirname(home)], where, options)

    def rpc(self, method, **arguments):
        body = json.dumps({"method": method, "arguments": arguments}).encode()
        for _ in range(2):
            try:
                answer = json.loads(fetch(
                    f"http://{self.ip}:9091/transmission/rpc", body,
                    {"X-Transmission-Session-Id": self.session}))
                if answer["result"] != "success":
                    raise RuntimeError(f"transmission: {answer['result']}")
                return answer["arguments"]
            except urllib.error.HTTPError as e:
                if e.code != 409:
                    raise
                self.session = e.headers["X-Transmission-Session-Id"]
        raise ValueError("no session id")

    def state(self):
        if not self.added:
            what = ({"filename": self.options["magnet"]}
                    if self.options["magnet"] else
                    {"metainfo": base64.b64encode(pathlib.Path(
                        self.options["torrent"].path).read_bytes()).decode()})
            self.rpc("torrent-add", **what, **{"download-dir": self.dir})
            self.added = True
        t = self.rpc("torrent-get", fields=[
            "percentDone", "status", "uploadedEver", "downloadedEver"]
        )["torrents"][0]
        return {"progress": t["percentDone"], "up": t["uploadedEver"],
                "down": t["downloadedEver"],
                "seeding": t["status"] == 6 and t["percentDone"] == 1}


class Aria2(Peer):
    def __init__(self, lab, where, options):
        ip, port, folder = where
        ways = {way: str(way in options["ways"]).lower()
                for way in ("dht", "pex", "lsd")}
        argv = [find("aria2c"), "--no-conf", f"--enable-dht={ways['dht']}",
                "--enable-dht6=false", f"--bt-enable-lpd={ways['lsd']}",
                f"--bt-lpd-interface={ip}", f"--dht-listen-port={port}",
                f"--enable-peer-exchange={ways['pex']}", "--disable-ipv6=true",
                "--file-allocation=none", "--seed-ratio=0",
                "--check-integrity=true", "--allow-overwrite=true",
                "--summary-interval=0", "--console-log-level=notice",
                "--enable-rpc=true", "--rpc-listen-all=true",
                f"--rpc-listen-port={10000 + int(ip.split('.')[3])}",
                f"--interface={ip}", f"--listen-port={port}",
                f"--max-overall-upload-limit={options['up_limit']}K",
                f"--max-overall-download-limit={options['down_limit']}K",
                "-d", folder, options["magnet"] or options["torrent"].path]
        self.rpc_url = f"http://{ip}:{10000 + int(ip.split('.')[3])}/jsonrpc"
        super().__init__(lab, "aria2", argv, where, options)

    def state(self):
        body = json.dumps({"jsonrpc": "2.0", "id": "1",
                           "method": "aria2.tellActive"}).encode()
        found = json.loads(fetch(self.rpc_url, body))["result"]
        # A magnet's metadata is a download of its own; the last is the data.
        t = found[-1]
        total, done = int(t["totalLength"]), int(t["completedLength"])
        return {"progress": done / total if total else 0,
                "up": int(t["uploadLength"]), "down": done,
                "seeding": t.get("seeder") == "true" and done == total}


class Libtorrent(Peer):
    def __init__(self, lab, where, options):
        ip, port, folder = where
        self.status = lab.path(f"libtorrent-{ip}.json")
        config = {"torrent": options["torrent"].path, "ip": ip, "port": port,
                  "magnet": options["magnet"], "dir": folder,
                  "up_limit": options["up_limit"], "status": self.status,
                  "down_limit": options["down_limit"],
                  "peers": options["peers"], "ways": options["ways"],
                  "super_seed": options["super_seed"]}
        super().__init__(lab, "libtorrent", [
            "/usr/bin/python3", os.path.join(HERE, "peer_libtorrent.py"),
            json.dumps(config)], where, options)

    def state(self):
        return json.loads(pathlib.Path(self.status).read_text())


QBITTORRENT_CONF = r"""[BitTorrent]
Session\AddTorrentStopped=false
Session\BTProtocol=TCP
Session\DHTEnabled={dht}
Session\DefaultSavePath={dir}
Session\Encryption=0
Session\GlobalDLSpeedLimit={down_limit}
Session\GlobalUPSpeedLimit={up_limit}
Session\IgnoreLimitsOnLAN=false
Session\Interface={device}
Session\InterfaceAddress={ip}
Session\InterfaceName={device}
Session\LSDEnabled={lsd}
Session\MultiConnectionsPerIp=true
Session\PeXEnabled={pex}
Session\Port={port}
Session\Preallocation=false
Session\QueueingSystemEnabled=false
[LegalNotice]
Accepted=true
[Network]
PortForwardingEnabled=false
[Preferences]
WebUI\Address={ip}
WebUI\AuthSubnetWhitelist=10.77.0.0/16, 10.78.0.0/16
WebUI\AuthSubnetWhitelistEnabled=true
WebUI\CSRFProtection=false
WebUI\Enabled=true
WebUI\HostHeaderValidation=false
WebUI\LocalHostAuth=false
WebUI\Port=8080
WebUI\UseUPnP=false
"""


class Qbittorrent(Peer):
    def __init__(self, lab, where, options):
        ip, port, folder = where
        home = lab.path(f"qbittorrent-{ip}")
        config = lab.path(f"qbittorrent-{ip}", "qBittorrent", "config",
                          "qBittorrent.conf")
        pathlib.Path(config).write_text(QBITTORRENT_CONF.format(
            ip=ip, port=port, dir=folder, up_limit=options["up_limit"],
            down_limit=options["down_limit"],
            device="side1" if options["beside"] else "lo",
            **{way: str(way in options["ways"]).lower()
               for way in ("dht", "pex", "lsd")}))
        super().__init__(lab, "qbittorrent", [
            find("qbittorrent-nox"),
            f"--profile={home}", f"--save-path={folder}",
            options["magnet"] or options["torrent"].path],
            where, options, {"HOME": home})

    def state(self):
        t = json.loads(fetch(f"http://{self.ip}:8080/api/v2/torrents/info"))[0]
        return {"progress": t["progress"], "up": t["uploaded"],
                "down": t["downloaded"],
                "seeding": t["progress"] == 1 and
                t["state"] in ("uploading", "stalledUP", "forcedUP")}


class Lab:
    def __init__(self, name="lab"):
        self.dir = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-{name}-",
                                    dir=BASE)
        self.handle = _hold(self.dir)
        os.chmod(self.dir, 0o755)  # opentracker runs as nobody
        self.programs, self.servers, self.mounts = [], [], []
        self.trackers, self.torrents = [], []
        self._ips = iter(ADDRESSES[1:])
        self.db = self.path("btc.db")
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("BTC_", "XDG_"))
                    and not k.lower().endswith("_proxy")}
        self.env.update(HOME=self.path("home", "x")[:-2], PATH=PATH,
                        LANG="C.UTF-8", LC_ALL="C.UTF-8", TERM="dumb")
        atexit.register(self.close)

    def close(self):
        """Ends all that the lab started and removes its folder."""
        for p in self.programs:
            p.kill()
        for s in self.servers:
            s.shutdown()
            s.server_close()
        for m in reversed(self.mounts):
            subprocess.run(["umount", "-l", m], check=False)
        self.programs, self.servers, self.mounts = [], [], []
        if not os.environ.get("BTC_LAB_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None
        atexit.unregister(self.close)

    def path(self, *parts):
        full = os.path.join(self.dir, *parts)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        return full

    def next_ip(self):
        return next(self._ips)

    def make_data(self, path, size, seed=1):
        full, source = self.path(path), random.Random(seed)
        with open(full, "wb") as f:
            while size > 0:
                f.write(source.randbytes(min(size, 1 << 20)))
                size -= min(size, 1 << 20)
        return full

    def make_torrent(self, source, out=None, **options):
        out = out or self.path(os.path.basename(source) + ".torrent")
        torrent = make_torrent(out, source, **options)
        self.torrents.append(torrent)
        for tracker in self.trackers:
            tracker.allow(torrent.info_hash)
        return torrent

    def opentracker(self, ip="10.77.0.1", port=6969):
        tracker = Tracker(self, ip, port)
        self.trackers.append(tracker)
        for torrent in self.torrents:
            tracker.allow(torrent.info_hash)
        return tracker

    def _peer(self, kind, torrent, seed=False, dir=None, ip=None, port=51413,
              up_limit=0, down_limit=0, magnet=None, peers=(), ways=(),
              beside=None, super_seed=False):
        ip = ip or (beside.ip if beside else self.next_ip())
        if not dir and seed:
            dir = os.path.dirname(torrent.source)
        dir = dir or self.path(f"{kind.__name__.lower()}-out-{ip}")
        os.makedirs(dir, exist_ok=True)
        options = {"torrent": torrent, "seed": seed, "up_limit": up_limit,
                   "down_limit": down_limit, "magnet": magnet,
                   "peers": list(peers), "ways": list(ways),
                   "beside": beside, "super_seed": super_seed}
        peer = kind(self, (ip, port, dir), options)
        # A torrent that is given over RPC is given now, not at the first look.
        self.wait(peer._state, 30, f"{peer.name} to start", 0.05)
        return peer

    def transmission(self, torrent, **options):
        return self._peer(Transmission, torrent, **options)

    def aria2(self, torrent, **options):
        return self._peer(Aria2, torrent, **options)

    def libtorrent(self, torrent, **options):
        probe = subprocess.run(["/usr/bin/python3", "-c", "import libtorrent"],
                               capture_output=True, check=False)
        if probe.returncode != 0:
            raise Skip("python3-libtorrent is not installed")
        return self._peer(Libtorrent, torrent, **options)

    def qbittorrent(self, torrent, **options):
        return self._peer(Qbittorrent, torrent, **options)

    def http_server(self, handler, ip="10.77.0.1", port=0):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                try:
                    status, headers, body = handler(self.path, self.headers)
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    if "Content-Length" not in headers:
                        self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    if self.command != "HEAD":
                        self.wfile.write(body)
                except ConnectionError:
                    pass  # the client may leave when it likes

            do_HEAD = do_GET

            def log_message(self, *args):
                pass
        server = http.server.ThreadingHTTPServer((ip, port), Handler)
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, args=(0.05,),
                         daemon=True).start()
        self.servers.append(server)
        return f"http://{ip}:{server.server_address[1]}"

    def mount_tmpfs(self, path, size):
        full = self.path(path)
        os.makedirs(full, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs",
                        full], check=True)
        self.mounts.append(full)
        return full

    def mount_user_space(self, path, program, *args):
        """A folder of the lab by way of a file system in user space."""
        real = self.path(path + "-real")
        os.makedirs(real, exist_ok=True)
        return self.mount(path, find(program), *args, real)

    def mount(self, path, *argv):
        """Mounts on a folder of the lab with that command, or Skip; its path."""
        full = self.path(path)
        os.makedirs(full, exist_ok=True)
        self._run_or_skip(*argv, full)
        self.mounts.append(full)
        return full

    def make_image(self, path, mkfs, *options, size=64 << 20):
        """A file with a file system in it, or Skip; its path."""
        image = self.path(path)
        with open(image, "wb") as f:
            f.truncate(size)
        self._run_or_skip(find(mkfs), *options, image)
        return image

    @staticmethod
    def _run_or_skip(*argv):
        run = subprocess.run(argv, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise Skip(f"no such file system here: {run.stderr}")

    def mount_coarse(self, path):
        """ext4 as ext3 was: inodes that have no room for more."""
        image = self.make_image(path + ".img", "mkfs.ext4", "-q", "-I", "128")
        return self.mount(path, "mount", "-o", "loop", image)

    def beside(self):
        return Beside(self)

    def start(self, name, argv, **options):
        return Program(self, name, argv, **options)

    def start_btc(self, *args, env=None, db=None, ip=ADDRESSES[-1], lsd=False):
        binary = os.environ.get("BTC")
        if not binary:
            raise Skip("BTC does not name a btc to test")
        env = dict({"BTC_DB": db or self.db, "BTC_BIND": ip,
                    "BTC_DHT_BOOTSTRAP": "none",
                    "BTC_NO_LSD": str(not lsd).lower()}, **(env or {}))
        return Program(self, "btc", [os.path.abspath(binary), *args], env)

    def btc(self, *args, timeout=120, **options):
        begin = time.monotonic()
        program = self.start_btc(*args, **options)
        try:
            code = program.wait(timeout)
        except Timeout:
            program.kill()
            raise
        return Run(code, program.out(), program.err(),
                   time.monotonic() - begin)

    def sql(self, query, *args, db=None):
        if not os.path.exists(db or self.db):
            return []
        link = sqlite3.connect(
            "file:" + urllib.parse.quote(db or self.db) + "?mode=ro", uri=True,
            timeout=10)
        try:
            link.row_factory = sqlite3.Row
            try:
                return link.execute(query, args).fetchall()
            except sqlite3.OperationalError:
                if link.execute("PRAGMA user_version").fetchone()[0]:
                    raise
                return []  # it is being made at this moment
        finally:
            link.close()

    def wait(self, condition, timeout=60, what="", every=0.02):
        end = time.monotonic() + timeout
        while True:
            try:
                value = condition()
            except sqlite3.OperationalError as e:
                if "no such table" not in str(e):
                    raise
                value = None  # the database is being made
            if value:
                return value
            if time.monotonic() > end:
                raise Timeout(f"waited {timeout} s for "
                              f"{what or inspect.getsource(condition)}")
            time.sleep(every)

    def show_logs(self):
        """The ends of all logs, to stdout."""
        for p in self.programs:
            state = p.process.poll()
            print(f"---- {p.name} ({'runs' if state is None else state})")
            for text in (p.out(), p.err()):
                print("\n".join(text.splitlines()[-30:]))


def _enter():
    """Runs the script again with a network of its own, or exits 77."""
    if os.environ.get("BTC_LAB_INSIDE"):
        return
    if os.geteuid() != 0:
        print("skipped: needs root for a network namespace")
        sys.exit(SKIPPED)
    try:
        unshare = find("unshare")
        find("ip")
    except Skip as e:
        print(f"skipped: {e}")
        sys.exit(SKIPPED)
    if subprocess.run([unshare, "--net", "--mount", "true"], check=False,
                      capture_output=True).returncode != 0:
        print("skipped: this machine allows no network namespace")
        sys.exit(SKIPPED)
    os.environ["BTC_LAB_INSIDE"] = "1"
    sys.stdout.flush()
    os.execv(unshare, [unshare, "--net", "--mount", sys.executable]
             + sys.argv)


def _hold(folder):
    """A lock on a folder, that the kernel drops with the test; None when it is
    held. A pid would not do: another test may live in another namespace."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return handle
    except OSError:
        os.close(handle)
        return None


def _sweep():
    """Removes the folders of tests that were killed."""
    for name in os.listdir(BASE):
        folder = os.path.join(BASE, name)
        with contextlib.suppress(OSError):
            age = time.time() - os.stat(folder).st_mtime
            handle = _hold(folder) if (
                name.startswith(PREFIX) and age > 60) else None
            if handle is not None:
                os.close(handle)
                shutil.rmtree(folder, ignore_errors=True)


def _run(name, function):
    """One test in a fresh Lab: "ok", "skipped" or "FAILED"."""
    begin, lab, result = time.monotonic(), Lab(name), "ok"
    try:
        function(lab)
    except Skip as e:
        result = f"skipped: {e}"
    except Exception:  # a test may fail in any way
        traceback.print_exc(file=sys.stdout)
        lab.show_logs()
        result = "FAILED"
    finally:
        lab.close()
    print(f"{name}: {result} ({time.monotonic() - begin:.1f} s)", flush=True)
    return result.split(":")[0]


def main(module):
    """Runs the test_* functions of the calling script."""
    if module != "__main__":
        return
    _enter()
    _sweep()
    ip = find("ip")
    subprocess.run([ip, "link", "set", "lo", "up"], check=True)
    for address in ADDRESSES:
        subprocess.run([ip, "addr", "add", address + "/32", "dev", "lo"],
                       check=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    tests = {n: f for n, f in vars(sys.modules["__main__"]).items()
             if n.startswith("test_") and callable(f)}
    wanted = sys.argv[1:] or list(tests)
    results = [_run(name, tests[name]) for name in wanted]
    if "FAILED" in results or not results:
        sys.exit(1)
    sys.exit(0 if "ok" in results else SKIPPED)
