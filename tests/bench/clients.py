"""How each client is told to do the same: download and end, serve for ever,
hash what is there and end. A client is a name, a version and three commands;
one that cannot do a thing answers None.

All get the same conditions: one TCP port on the stage's address, no DHT, PEX,
LSD, uTP or encryption (our seeder speaks none of them), no rate limit, as many
upload slots as there are leechers. What has no way to end by itself when it is
done is killed by a hook of its own."""
import json
import os
import subprocess
import tempfile

from stage import CLIENT

LT_DOWNLOAD = """
import libtorrent as lt, os, sys
s = lt.session(dict({settings}))
h = s.add_torrent({{"ti": lt.torrent_info(sys.argv[1]),
                   "save_path": sys.argv[2]}})
while True:
    s.wait_for_alert(500)
    for a in s.pop_alerts():
        if isinstance(a, lt.torrent_finished_alert):
            h.flush_cache()
        if isinstance(a, lt.cache_flushed_alert):
            os._exit(0)
"""
LT_SERVE = """
import libtorrent as lt, sys, time
s = lt.session(dict({settings}, unchoke_slots_limit=64, choking_algorithm=0,
                    send_buffer_watermark=3000000))
h = s.add_torrent({{"ti": lt.torrent_info(sys.argv[1]),
                   "save_path": sys.argv[2],
                   "flags": lt.torrent_flags.seed_mode}})
h.set_max_uploads(64)
while True:
    time.sleep(60)
"""
LT_VERIFY = """
import libtorrent as lt, os, sys
s = lt.session(dict({settings}, hashing_threads=2))
h = s.add_torrent({{"ti": lt.torrent_info(sys.argv[1]),
                   "save_path": sys.argv[2]}})
while True:
    s.wait_for_alert(500)
    for a in s.pop_alerts():
        if isinstance(a, lt.torrent_checked_alert):
            os._exit(0 if h.status().is_seeding else 1)
"""
LT_SETTINGS = {
    "listen_interfaces": CLIENT + ":7001", "enable_dht": False,
    "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    "enable_outgoing_utp": False, "enable_incoming_utp": False,
    "out_enc_policy": 2, "in_enc_policy": 2,
    "allow_multiple_connections_per_ip": True,
    "alert_mask": 0x7FFFFFFF & ~0x20000000}


def write(path, text, mode=0o644):
    """Writes a file and the folders that it needs."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)


def end_hook(folder):
    """A script that kills the client of that folder."""
    path = f"{folder}/end.sh"
    write(path, f"#!/bin/sh\nkill -9 $(cat {folder}/pid)\n", 0o755)
    return path


class Client:
    """What all have: a name, the program, a folder it may be rooted in."""
    name = program = ""
    version_args = ["--version"]
    port = 0
    is_ours = False
    is_peer = True  # somebody else's program that does the same as ours

    def __init__(self, root=""):
        self.root = root

    def wrap(self, command):
        return ["chroot", self.root, *command] if self.root else command

    def version(self):
        """The first line that names one; None when it is not installed."""
        try:
            # Some make folders at home before they say it.
            with tempfile.TemporaryDirectory() as home:
                out = subprocess.run(
                    self.wrap([self.program, *self.version_args]), check=False,
                    capture_output=True, text=True, timeout=20,
                    env=dict(os.environ, HOME=home))
        except (OSError, subprocess.TimeoutExpired):
            return None
        text = (out.stdout + out.stderr).strip()
        is_there = out.returncode == 0 and text
        return text.splitlines()[0][:60] if is_there else None

    def download(self, torrent, out, folder):
        return None

    def serve(self, torrent, folder):
        return None

    def verify(self, torrent, folder):
        return None

    def resume(self, torrent, out, folder):
        """The same command again goes on where it was."""
        return self.download(torrent, out, folder)


class Btc(Client):
    name, port = "btc", 7006
    is_ours, is_peer = True, False

    def __init__(self, program, name="btc"):
        super().__init__()
        self.program = program
        self.name = name

    def _run(self, folder, command, *more):
        return [self.program, command, "--db", f"{folder}/btc.db",
                "--progress", "none", *more]

    def download(self, torrent, out, folder):
        return self._run(folder, "get", "--bind", CLIENT, "--no-dht",
                         "--no-lsd", "-d", out, torrent.path)

    def resume(self, torrent, out, folder):
        return self._run(folder, "resume")

    def serve(self, torrent, folder):
        return self._run(folder, "get", "--bind", CLIENT, "--no-dht",
                         "--no-lsd", "--port", str(self.port), "--seed",
                         "forever", "-d", torrent.folder, torrent.path)

    def verify(self, torrent, folder):
        return self._run(folder, "get", "--verify", "full", "--no-dht",
                         "--no-lsd", "-d", torrent.folder, torrent.path)


class Aria2(Client):
    name, program, port = "aria2", "aria2c", 7004

    def _run(self, *more):
        return self.wrap(
            [self.program, "--no-conf", "--quiet", "--enable-dht=false",
             "--enable-dht6=false", "--bt-enable-lpd=false",
             "--enable-peer-exchange=false", f"--listen-port={self.port}",
             f"--interface={CLIENT}", *more])

    def download(self, torrent, out, folder):
        return self._run("--seed-time=0", "--file-allocation=none",
                         "--bt-max-peers=64", "-d", out, torrent.path)

    def serve(self, torrent, folder):
        return self._run("--seed-ratio=0.0", "-V", "-d", torrent.folder,
                         torrent.path)

    def verify(self, torrent, folder):
        return self._run("-V", "--hash-check-only=true", "-d", torrent.folder,
                         torrent.path)


class Libtorrent(Client):
    name, program, port = "libtorrent", "/usr/bin/python3", 7001
    version_args = ["-c", "import libtorrent; "
                          "print('libtorrent', libtorrent.__version__)"]

    def version(self):
        text = super().version()
        return text if text and text.startswith("libtorrent") else None

    def _run(self, script, torrent, where, folder):
        write(f"{folder}/lt.py", script.format(settings=repr(LT_SETTINGS)))
        return self.wrap([self.program, f"{folder}/lt.py", torrent.path, where])

    def download(self, torrent, out, folder):
        return self._run(LT_DOWNLOAD, torrent, out, folder)

    def serve(self, torrent, folder):
        return self._run(LT_SERVE, torrent, torrent.folder, folder)

    def verify(self, torrent, folder):
        return self._run(LT_VERIFY, torrent, torrent.folder, folder)


class Transmission(Client):
    name, program, port = "transmission", "transmission-cli", 7002

    def _run(self, torrent, where, folder, **more):
        write(f"{folder}/tr/settings.json", json.dumps(dict({
            "bind-address-ipv4": CLIENT, "peer-port": self.port,
            "dht-enabled": False, "lpd-enabled": False, "pex-enabled": False,
            "utp-enabled": False, "encryption": 0, "rpc-enabled": False,
            "port-forwarding-enabled": False, "preallocation": 0,
            "speed-limit-up-enabled": False, "download-dir": where,
            "upload-slots-per-torrent": 64, "cache-size-mb": 16}, **more)))
        return self.wrap([self.program, "-g", f"{folder}/tr", "-w", where,
                          torrent.path])

    def download(self, torrent, out, folder):
        return self._run(torrent, out, folder, **{
            "script-torrent-done-enabled": True,
            "script-torrent-done-filename": end_hook(folder)})

    def serve(self, torrent, folder):
        return self._run(torrent, torrent.folder, folder)


class Rtorrent(Client):
    name, program, port = "rtorrent", "rtorrent", 7003
    version_args = ["-h"]

    def version(self):
        text = super().version()
        return text and text.rstrip(".")

    def _run(self, torrent, where, folder, *more):
        os.makedirs(f"{folder}/rt", exist_ok=True)
        write(f"{folder}/rt.rc", "\n".join([
            f"network.bind_address.set={CLIENT}",
            f"network.port_range.set={self.port}-{self.port}",
            f"session.path.set={folder}/rt", f"directory.default.set={where}",
            "protocol.encryption.set=none", "protocol.pex.set=no",
            "dht.mode.set=disable", "trackers.use_udp.set=no",
            "pieces.hash.on_completion.set=no", "system.daemon.set=true",
            "network.http.dns_cache_timeout.set=0",
            "throttle.max_uploads.set=64", *more,
            f"load.start={torrent.path}", ""]))
        return self.wrap([self.program, "-n", "-o",
                          f"import={folder}/rt.rc"])

    def _ended(self, event, folder):
        return (f"method.set_key=event.download.{event},quit,"
                f'"execute.nothrow={end_hook(folder)}"')

    def download(self, torrent, out, folder):
        return self._run(torrent, out, folder, self._ended("finished", folder))

    def serve(self, torrent, folder):
        return self._run(torrent, torrent.folder, folder)

    def verify(self, torrent, folder):
        return self._run(torrent, torrent.folder, folder,
                         self._ended("hash_done", folder))


class Qbittorrent(Client):
    name, program, port = "qbittorrent", "qbittorrent-nox", 7005

    def _run(self, torrent, where, folder, auto_run=""):
        write(f"{folder}/qb/qBittorrent/config/qBittorrent.conf", "\n".join([
            "[AutoRun]", f"enabled={'true' if auto_run else 'false'}",
            f"program={auto_run}", "[BitTorrent]",
            f"Session\\DefaultSavePath={where}",
            f"Session\\Port={self.port}", "Session\\Encryption=2",
            "Session\\BTProtocol=TCP", "Session\\DHTEnabled=false",
            "Session\\LSDEnabled=false", "Session\\PeXEnabled=false",
            "Session\\AddTorrentStopped=false",
            "Session\\MultiConnectionsPerIp=true",
            "Session\\MaxUploadsPerTorrent=64", "[LegalNotice]",
            "Accepted=true", "[Preferences]", "WebUI\\Enabled=true",
            "WebUI\\Port=7080", "WebUI\\LocalHostAuth=false", ""]))
        return self.wrap([self.program, f"--profile={folder}/qb",
                          f"--save-path={where}", torrent.path])

    def download(self, torrent, out, folder):
        return self._run(torrent, out, folder, end_hook(folder))

    def serve(self, torrent, folder):
        return self._run(torrent, torrent.folder, folder)


class Floor(Client):
    """No client: what the machine costs at the least (floor.c)."""
    name = "floor"
    is_peer = False

    def __init__(self, tools, hosts, sync=False):
        super().__init__()
        self.tools = tools
        self.hosts = hosts
        self.options = []
        if sync:
            self.name = "floor, synced"
            self.options = ["--sync"]

    def version(self):
        return "tests/bench/floor.c"

    def download(self, torrent, out, folder):
        if torrent.files > 1:
            return None
        return [f"{self.tools}/bench_floor", *self.options, torrent.info_hash,
                str(torrent.piece_length), str(torrent.size),
                f"{out}/data.bin", "7000", *self.hosts[:100]]


class Openssl(Client):
    """No client: SHA-1 of the same bytes on one core."""
    name, program = "openssl", "openssl"
    version_args = ["version"]
    is_peer = False

    def verify(self, torrent, folder):
        return [self.program, "sha1", torrent.data]


PEERS = [Rtorrent, Qbittorrent, Libtorrent, Aria2, Transmission]
