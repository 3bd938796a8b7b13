#!/usr/bin/python3
"""What a block costs in a crowd is counted (see test_cost.py): with many
connections it costs our own code what it does with few. They are all there
before the first block comes (the gate), and both downloads are larger than the
memory for blocks, or their ends would be measured."""
import hashlib
import os
import pathlib
import re
import subprocess

import lab as laboratory
from lab import benc
from test_cost import BLOCK, PATIENCE, PORT, program

FEW, MANY = 4096, 16384
PEERS, CROWD = 20, 200
MOST_CROWD = 1.6


def addresses(count):
    """So many more of this namespace."""
    hosts = [f"10.78.{i // 250}.{1 + i % 250}" for i in range(count)]
    lines = "".join(f"addr replace {host}/32 dev lo\n" for host in hosts)
    subprocess.run([laboratory.find("ip"), "-batch", "-"], input=lines,
                   text=True, check=True)
    return hosts


def zeros(lab):
    """A torrent of two files: FEW blocks, and what is missing to MANY."""
    size = 64 * BLOCK
    info = {"name": "zeros", "piece length": size,
            "files": [{"length": FEW * BLOCK, "path": ["0.bin"]},
                      {"length": (MANY - FEW) * BLOCK, "path": ["1.bin"]}],
            "pieces": hashlib.sha1(bytes(size)).digest() * (MANY // 64)}
    path = lab.path("zeros.torrent")
    pathlib.Path(path).write_bytes(benc({"info": info}))
    with open(lab.path("zeros.bin"), "wb") as f:
        f.truncate(MANY * BLOCK)
    return laboratory.Torrent(path, None, info, [])


def own_code(profile):
    """The instructions of our own code. What the libraries do (SHA-1 above all,
    whose amount depends on when blocks are written ahead) would drown them."""
    text = subprocess.run(
        [laboratory.find("callgrind_annotate"), "--threshold=100", "--auto=no",
         "--tree=none", profile], capture_output=True, text=True,
        check=True).stdout
    found = re.findall(
        r"^ *([\d,]+) \([ \d.]+%\) .*\[\S*/(?:libbtc[^/]*|btc)\]$", text, re.M)
    assert len(found) > 100, text[:2000]
    return sum(int(n.replace(",", "")) for n in found)


def download(lab, torrent, hosts, files):
    """Our own instructions of one download."""
    name = f"{len(hosts)}-{files}"
    profile, out = lab.path(name, "profile"), lab.path(name, "out")
    run = lab.start(name, [
        laboratory.find("valgrind"), "--tool=callgrind", "--log-file=/dev/null",
        f"--callgrind-out-file={profile}", os.path.abspath(os.environ["BTC"]),
        "get", "--db", f"{out}.db", "--bind", laboratory.ADDRESSES[-1],
        "--no-dht", "--no-lsd", "-d", out, "--progress", "none", "--max-peers",
        str(len(hosts)), "-s", files, torrent.path,
        *[f"--peer={host}:{PORT}" for host in hosts]])
    assert run.wait(PATIENCE) == 0, run.err()
    return own_code(profile)


def test_crowd(lab):
    torrent = zeros(lab)
    every = addresses(PEERS + CROWD)
    each = {}
    for hosts in (every[:PEERS], every[PEERS:]):
        n = len(hosts)
        seeder = lab.start(f"seed-{n}", [
            program("bench_seed"), "--gate", str(n), torrent.info_hash,
            str(torrent.piece_length), lab.path("zeros.bin"), str(PORT), "0",
            "-", *hosts])
        lab.wait(lambda s=seeder: "ready" in s.out(), what="the seeder")
        few, many = (download(lab, torrent, hosts, f) for f in ("1", "1,2"))
        each[n] = (many - few) / (MANY - FEW)
    print(each)
    assert each[CROWD] <= MOST_CROWD * each[PEERS], each


laboratory.main(__name__)
