#!/usr/bin/python3
"""Bad sources: what is no .torrent, what lies in one, names that want out of the
save path, URLs that give something else. Each error names the source, says what
is wrong and ends with the right status."""
import hashlib
import json
import os
import pathlib
import random
import socket
import subprocess
import threading

import lab as laboratory
from lab import benc

BTC = os.path.abspath(os.environ.get("BTC", "btc"))  # the lab skips without
# Of all mutations together; printed, and may be given to see one again.
SEED = int(os.environ.get("BTC_SEED", random.SystemRandom().getrandbits(32)))
MUTATIONS = 400


def info(lab, data, *args):
    """`btc info --json -` of some bytes: (status, parsed or None, stderr)."""
    if not os.path.exists(BTC):
        raise laboratory.Skip("BTC does not name a btc to test")
    run = subprocess.run([BTC, "info", "--json", "-", *args], input=data,
                         capture_output=True, env=lab.env, timeout=60,
                         check=False)
    found = json.loads(run.stdout) if run.stdout else None
    return run.returncode, found, run.stderr.decode(errors="replace")


def single(**changes):
    """The dictionary of a valid torrent of one file of 40000 bytes."""
    info = {"name": "data", "piece length": 16384, "length": 40000,
            "pieces": bytes(60)}
    info.update(changes)
    return {"announce": "http://10.77.0.1:1/a",
            "info": {k: v for k, v in info.items() if v is not None}}


def multi(*paths, length=1, name="folder"):
    """One of files with these paths (lists of elements)."""
    total = length * len(paths)
    return {"info": {"name": name, "piece length": 16384,
                     "pieces": bytes(20 * min(-(-total // 16384), 1000)),
                     "files": [{"length": length, "path": p} for p in paths]}}


GOOD = benc(single())
HUGE = 1 << 62

# name: (bytes, a part of what is said)
BROKEN = {
    "nothing": (b"", "empty"),
    "a word": (b"hello", "not a torrent"),
    "HTML": (b"<!DOCTYPE html><html></html>", ""),
    "binary": (bytes(range(256)) * 64, ""),
    "cut in the middle": (GOOD[:len(GOOD) // 2], "truncated"),
    "cut before its end": (GOOD[:-1], "unexpected end"),
    "a number": (b"i1e", "begins with"),
    "a list": (b"le", "begins with"),
    "an empty dictionary": (b"de", "info"),
    "deep lists": (b"d1:a" + b"l" * 1000000 + b"e" * 1000001, "deep"),
    "deep dictionaries": (b"d1:a" * 200000, "deep"),
    "deep inside": (benc(single())[:-1] + b"1:z" + b"l" * 5000 + b"e" * 5001,
                    "deep"),
    "a string over the end": (b"d4:info99999999999999999999:xe", ""),
    "a string of 2^63": (b"d4:info9223372036854775808:xe", ""),
    "a negative string": (b"d4:info-1:xe", ""),
    "a key that is a number": (b"di1ei2ee", "key"),
    "a number without end": (b"d4:infoi12", ""),
    "a number without digits": (b"d4:infoiee", ""),
    "info is a list": (b"d4:infolee", "info"),
    "info is empty": (b"d4:infodee", ""),
    "no name": (benc(single(name=None)), None),
    "no pieces": (benc(single(pieces=None)), "pieces"),
    "pieces of 19": (benc(single(pieces=bytes(19))), "pieces"),
    "too few pieces": (benc(single(pieces=bytes(40))), "pieces"),
    "too many pieces": (benc(single(pieces=bytes(80))), "pieces"),
    "no piece length": (benc(single(**{"piece length": None})),
                        "piece length"),
    "piece length 0": (benc(single(**{"piece length": 0})), "piece length"),
    "piece length -1": (benc(single(**{"piece length": -1})), "piece length"),
    "piece length 2^62": (benc(single(**{"piece length": HUGE})),
                          "piece length"),
    "no length": (benc(single(length=None)), "length"),
    "length -1": (benc(single(length=-1)), "length"),
    "length 2^62": (benc(single(length=HUGE)), ""),
    "length over 64 bits": (GOOD.replace(b"i40000e",
                                         b"i99999999999999999999e"), ""),
    "lengths that add up over 64 bits": (
        benc(multi(["a"], ["b"], ["c"], ["d"], length=HUGE)), ""),
    "no files": (benc(multi()), "file"),
    "files are numbers": (benc({"info": dict(multi(["a"])["info"],
                                             files=[1, 2])}), "file"),
    "a file without path": (benc({"info": dict(multi(["a"])["info"], files=[
        {"length": 1}])}), "path"),
    "a path that is a string": (benc({"info": dict(multi(["a"])["info"], files=[
        {"length": 1, "path": "a"}])}), "path"),
    "an empty path": (benc(multi([])), "path"),
    "a path of 5000 folders": (benc(multi(["d"] * 5000)), "deep"),
}


def test_broken_torrents(lab):
    wrong = []
    for name, (data, part) in BROKEN.items():
        code, found, err = info(lab, data)
        if part is None and code == 0:
            continue  # it may be mended
        good = (code == 4 and "standard input" in err and
                (part or "").lower() in err.lower() and
                found["error"]["status"] == 4 and "bug at" not in err)
        if not good:
            wrong.append(f"{name}: exit {code}: {err}")
    assert not wrong, "".join(wrong)


def test_oversized(lab):
    """Over 100 MiB is refused by its size, from a file and from a pipe."""
    path = lab.path("huge.torrent")
    with open(path, "wb") as f:
        f.write(b"d4:info")
        f.truncate((100 << 20) + 1)
    run = lab.btc("info", path)
    assert run.code == 4 and "huge.torrent" in run.err and "MiB" in run.err, run
    with open(path, "rb") as stream:
        piped = subprocess.run([BTC, "info", "-"], stdin=stream, env=lab.env,
                               capture_output=True, check=False)
    assert piped.returncode == 4 and b"MiB" in piped.stderr, piped
    endless = subprocess.run(["sh", "-c", f"yes | '{BTC}' info -"],
                             env=lab.env, capture_output=True, check=False)
    assert endless.returncode == 4, endless


def test_not_a_file(lab):
    """Other things than files, and things that are not there."""
    folder = lab.path("folder", "x")[:-2]
    os.mkfifo(lab.path("fifo"))
    run = lab.btc("info", folder)
    assert run.code == 4 and "folder" in run.err and "btc create" in run.err, run
    assert lab.btc("info", "/dev/null").code == 4
    assert lab.btc("info", "/dev/zero").code == 4
    for word in ("missing.torrent", "/no/such/x", lab.path("f", "x") + "/y"):
        run = lab.btc("get", word)
        assert run.code == 3 and word in run.err and "no such file" in run.err
    run = lab.btc("info", "")
    assert run.code in (2, 3) and "empty" in run.err, run
    run = lab.btc("info", "a" * 39)
    assert run.code in (2, 3), run
    run = lab.btc("get", "./" + "a" * 39)
    assert run.code == 3, run
    run = lab.btc("info", "ftp://10.77.0.1/x.torrent")
    assert run.code == 3 and "http" in run.err, run
    run = lab.btc("info", "x" * 5000 + ".torrent")
    assert run.code in (3, 10) and len(run.err) < 600, run
    assert not os.path.exists(lab.db), "a bad source made a database"


def test_bad_magnets(lab):
    good = "magnet:?xt=urn:btih:" + "a" * 40
    assert lab.btc("info", good).code == 0
    for bad in ("magnet:", "magnet:?", "magnet:?dn=x", good[:-1], good + "a",
                "magnet:?xt=urn:btih:" + "z" * 40, "magnet:?xt=urn:sha1:x",
                "magnet:?xt=urn:btih:" + "1" * 32,
                "magnet:?xt=urn:btmh:1220" + "a" * 63):
        run = lab.btc("info", bad)
        assert run.code == 4 and "magnet" in run.err, (bad, run)
    for odd, n_warnings in (
            (good + "&dn=%", 0), (good + "&x" + "x" * 100000 + "=1", 0),
            (good + "&tr=%zz&tr=" + "x" * 100000, 1),
            (good + "&so=1-99999999999999999999", 1),
            (good + "&so=7-4&so=a", 1), (good + "&x.pe=:::" * 1000, 1),
            (good + "&so=a&x.pe=1.2.3.4&xl=x", 3),
            (good + "&dn=%00%1b[31m", 0), (good + "&" * 10000, 0)):
        run = lab.btc("info", "--json", odd)
        assert run.code == 0, (odd[:60], run)
        assert run.err.count("left out") == n_warnings, (odd[:60], run)
        assert "\x1b" not in run.out and "\x00" not in run.out


# Elements of a path, and what may come of them (None: anything safe).
ESCAPES = [
    ["..", "..", "etc", "passwd"], ["/etc/passwd"], ["/"], ["."], [".."],
    ["..\\..\\x"], ["a/../../b"], ["a\0b"], ["a\x1b[31mb"], ["a\nb"], ["\x7f"],
    [""], ["", ""], ["x" * 300], ["x" * 300 + ".mkv"], [b"\xff\xfe"],
    [b"\xc0\xaf"], [b"\xed\xa0\x80"], ["~"], ["-rf"], ["CON"], ["a:b"],
    ["\u202egpj.exe"], ["a", "..", "b"], ["a", ".", "b"], ["...", "c"],
    ["same"], ["same"], ["same"], ["clash"], ["clash", "below"], ["Same"],
    ["\u0130" * 200], ["d"] * 60,
]


def below(root):
    """Every path below a folder, as bytes."""
    for top, folders, files in os.walk(os.fsencode(root)):
        for name in folders + files:
            yield os.path.join(top, name)


def safe(path):
    """A relative path that stays where it belongs."""
    parts = path.split("/")
    return (path and not path.startswith("/") and
            all(p and p not in (".", "..") and len(p.encode()) <= 255
                for p in parts) and
            not any(ord(c) < 32 or ord(c) == 127 for c in path))


def test_escaping_names(lab):
    """Names that want out: `info` shows where they go, `get` makes them there
    and nowhere else."""
    meta = multi(*ESCAPES)
    # All zeros: a piece that hashes right, so that nothing need be fetched.
    meta["info"]["pieces"] = hashlib.sha1(bytes(len(ESCAPES))).digest()
    for name in ("../../up", "/abs", "..", "", "a\0b", b"\xff", "x" * 300):
        meta["info"]["name"] = name
        code, found, err = info(lab, benc(meta))
        assert code == 0, (name, err)
        paths = [f["path"] for f in found["files"]]
        assert all(safe(p) for p in paths), paths
        assert len(set(paths)) == len(paths), sorted(paths)
        assert safe(found["name"]) and "/" not in found["name"], found["name"]
        folders = {p.rsplit("/", i)[0] for p in paths
                   for i in range(1, p.count("/") + 1)}
        assert not folders & set(paths), folders & set(paths)
    torrent = lab.path("t", "evil.torrent")
    pathlib.Path(torrent).write_bytes(benc(meta))
    out = lab.path("deep", "out", "x")[:-2]
    # No peer, no tracker: it ends at once, with the files made.
    run = lab.btc("get", torrent, "-d", out)
    assert run.code == 6, run
    made = {os.path.relpath(p, os.fsencode(out)).decode()
            for p in below(out) if os.path.isfile(p)}
    assert made == set(paths), made ^ set(paths)
    assert os.listdir(lab.path("deep")) == ["out"]
    assert {r["path"] for r in lab.sql(
        "SELECT path FROM file_progress")} == set(paths)


def test_name_of_one_file(lab):
    for name in ("../x", "/etc/shadow", "..", "a/b", "a\\..\\b", "x" * 4000):
        code, found, err = info(lab, benc(single(name=name)))
        assert code == 0, err
        path = found["files"][0]["path"]
        assert safe(path) and "/" not in path, path


def test_terminal_is_safe(lab):
    """What a torrent says reaches no terminal as commands."""
    bad = "\x1b]0;owned\x07\x1b[2J\r\n\x9b31m"
    meta = single(name=bad)
    meta.update({"comment": bad, "created by": bad, "announce": "http://x/" +
                 bad, "url-list": [bad]})
    path = lab.path("x.torrent")
    pathlib.Path(path).write_bytes(benc(meta))
    for args in (("info", path), ("info", "--json", path),
                 ("get", "-n", path), ("add", path), ("status",),
                 ("files", "1"), ("trackers", "1"), ("log", "1"),
                 ("why", "1")):
        run = lab.btc(*args)
        for c in "\x1b\x07\r\x9b":
            assert c not in run.out + run.err, (args, run)


def test_urls(lab):
    """URLs that give something else than a torrent."""
    answers = {"/404": (404, {}, b"not here"),
               "/410": (410, {}, b"gone"),
               "/500": (500, {}, b"x" * 100000),
               "/html": (200, {"Content-Type": "text/html"},
                         b"<!DOCTYPE html><title>x</title>"),
               "/empty": (200, {}, b""),
               "/loop": (302, {"Location": "/loop"}, b""),
               "/file": (302, {"Location": "file:///etc/passwd"}, b""),
               "/short": (200, {"Content-Length": "1000"}, b"d4:info"),
               "/good": (200, {}, GOOD)}
    base = lab.http_server(lambda path, headers: answers[path])
    wanted = {"/404": 3, "/410": 3, "/500": 6, "/html": 4, "/empty": 4,
              "/loop": 6, "/file": 6, "/short": 6}
    for path, code in wanted.items():
        run = lab.btc("get", base + path, "-d", lab.dir)
        assert run.code == code, (path, run)
        assert base + path in run.err, (path, run)
        assert "root:" not in run.err, run
    assert not os.path.exists(lab.db)
    run = lab.btc("get", "-n", base + "/good")
    assert run.code == 0 and "data" in run.out, run
    run = lab.btc("info", base + "/good")
    assert run.code == 2 and "network" in run.err, run
    run = lab.btc("get", "http://10.77.0.9:1/x.torrent")
    assert run.code == 6 and "refused" in run.err.lower(), run
    for url in ("http://", "http://10.77.0.9:99999/x", "https://[::1"):
        run = lab.btc("get", url)
        assert run.code == 2 and url in run.err, run
    run = lab.btc("get", "http://no.such.host.invalid/x.torrent")
    assert run.code == 6 and "no.such.host.invalid" in run.err, run


def test_url_without_end(lab):
    """A body that never ends is cut at the limit; a server that hangs can be
    interrupted."""
    def flood(connection):
        with connection:
            try:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nd")
                while True:
                    connection.sendall(b"1:a1:b" * 200000)
            except OSError:
                pass
    server = socket.create_server(("10.77.0.1", 0))
    threading.Thread(target=lambda: flood(server.accept()[0]),
                     daemon=True).start()
    port = server.getsockname()[1]
    run = lab.btc("get", f"http://10.77.0.1:{port}/x")
    assert run.code == 4 and "MiB" in run.err, run
    silent = socket.create_server(("10.77.0.1", 0))
    port = silent.getsockname()[1]
    btc = lab.start_btc("get", f"http://10.77.0.1:{port}/x")
    link, _ = silent.accept()  # the request has come; never answered
    with link:
        btc.signal(2)
        assert btc.wait(5) == 7, btc.err()


def test_url_by_options(lab):
    """A URL is fetched by the address that everything else is bound to, and
    within the time that is given for everything."""
    seen = []
    server = socket.create_server(("10.77.0.1", 0))

    def serve():
        while True:
            link, address = server.accept()
            with link:
                link.recv(65536)
                seen.append(address[0])
                link.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + GOOD)
    threading.Thread(target=serve, daemon=True).start()
    url = f"http://10.77.0.1:{server.getsockname()[1]}/x.torrent"
    config = lab.path("btc.conf")
    pathlib.Path(config).write_text("bind = 127.0.0.9\n", encoding="utf-8")
    lab.btc("get", "-n", "--bind", "127.0.0.7", url)
    for command in ("get", "-n"), ("add",), ("info", "--fetch"), \
            ("verify", "-d", lab.dir):
        lab.btc(*command, url, "--config", config, env={"BTC_BIND": ""})
    assert seen == ["127.0.0.7"] + ["127.0.0.9"] * 4, seen
    run = lab.btc("get", "-n", "--bind", "no-such0", url)
    assert run.code == 6 and "no-such0" in run.err and len(seen) == 5, run
    silent = socket.create_server(("10.77.0.1", 0))
    url = f"http://10.77.0.1:{silent.getsockname()[1]}/x.torrent"
    for command in "get", "info --fetch":
        run = lab.btc(*command.split(), url, "--max-time", "1s", timeout=30)
        assert run.code == 5 and "in time" in run.err, run


def mutate(data, source):
    """One of several ways to spoil some bytes."""
    data = bytearray(data)
    for _ in range(source.choice((1, 1, 1, 2, 4, 16))):
        at = source.randrange(len(data) + 1)
        how = source.randrange(7)
        if how == 0 and at < len(data):
            data[at] ^= 1 << source.randrange(8)
        elif how == 1:
            data[at:at] = source.randbytes(source.randrange(1, 9))
        elif how == 2:
            del data[at:at + source.randrange(1, 40)]
        elif how == 3:
            del data[at:]
        elif how == 4:
            data[at:at + 1] = source.choice(
                (b"d", b"l", b"e", b"i", b":", b"-", b"0", b"9", b"i-1e",
                 b"i9223372036854775807e", b"99999999999:", b"de", b"le"))
        elif how == 5:
            end = at + source.randrange(1, 60)
            data[at:at] = data[at:end]
        else:
            digits = [i for i, c in enumerate(data) if 48 <= c <= 57]
            if digits:
                data[source.choice(digits)] = source.randrange(48, 58)
    return bytes(data)


def test_mutations(lab):
    """Spoiled torrents: never a crash, 0 or 4, and what is shown is safe."""
    print(f"BTC_SEED={SEED}")
    source = random.Random(SEED)
    rich = multi(["a", "b"], ["a", "c.txt"], ["d"], length=10000)
    rich.update({"announce": "http://a/", "announce-list": [
        ["http://a/", "udp://b:1/"], ["http://c/"]], "url-list": ["http://w/"],
        "nodes": [["h", 1]], "comment": "c", "created by": "x",
        "creation date": 1})
    rich["info"].update({"private": 1, "meta version": 2, "file tree": {
        "a": {"": {"length": 1, "pieces root": bytes(32)}}}})
    rich["info"]["files"][1]["attr"] = "p"
    seeds = [GOOD, benc(rich)]
    for i in range(MUTATIONS):
        data = mutate(seeds[i % len(seeds)], source)
        code, found, err = info(lab, data)
        if code not in (0, 4) or "bug at" in err or "ERROR: " in err:
            raise AssertionError(f"BTC_SEED={SEED} mutation {i}: exit {code}: "
                                 f"{err}\n{data!r}")
        if code == 0:
            for f in found["files"]:
                assert safe(f["path"]), f
                assert f["length"] >= 0


laboratory.main(__name__)
