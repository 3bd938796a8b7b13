#!/usr/bin/python3
"""What a crowd costs is counted (see test_cost.py): with many connections a block
costs our own code what it does with few, and a connection costs the same however
many there are, its part of a download's end included. They are all there before
the first block comes (the gate), and the downloads of which the difference is a
block's are larger than the memory for blocks, or their ends would be measured."""
import hashlib
import os
import pathlib
import re
import subprocess

import lab as laboratory
from lab import benc
from test_cost import BLOCK, PATIENCE, PORT, program

FEW, MANY = 4096, 16384
PEERS, CROWD = 20, 500      # no more are taken from a command line
# When this was written: 1.2 to 1.34 times, and 31,300.
MOST_CROWD = 1.5
MOST_CONNECTION = 50_000
# What comes once a second or in five is left out: under valgrind, beside others,
# seconds are many.
BY_CLOCK = "swarm_tick", "facts_peer"


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
        *[f"--toggle-collect={name}" for name in BY_CLOCK],
        "--collect-atstart=yes",
        f"--callgrind-out-file={profile}", os.path.abspath(os.environ["BTC"]),
        "get", "--db", f"{out}.db", "--bind", laboratory.ADDRESSES[-1],
        "--no-dht", "--no-lsd", "-d", out, "--progress", "none", "--max-peers",
        str(len(hosts)), "-s", files, torrent.path,
        *[f"--peer={host}:{PORT}" for host in hosts]])
    assert run.wait(PATIENCE) == 0, run.err()
    return own_code(profile)


def counted(lab, torrent, hosts, *downloads):
    """Our own instructions of each download of some files from these hosts."""
    n = len(hosts)
    seeder = lab.start(f"seed-{n}", [
        program("bench_seed"), "--gate", str(n), torrent.info_hash,
        str(torrent.piece_length), lab.path("zeros.bin"), str(PORT), "0", "-",
        *hosts])
    lab.wait(lambda: "ready" in seeder.out(), what="the seeder")
    return [download(lab, torrent, hosts, files) for files in downloads]


def test_crowd(lab):
    torrent = zeros(lab)
    every = addresses(PEERS + CROWD)
    few, many = counted(lab, torrent, every[:PEERS], "1", "1,2")
    crowd_few, crowd_many = counted(lab, torrent, every[PEERS:], "1", "1,2")
    block = (many - few) / (MANY - FEW)
    in_crowd = (crowd_many - crowd_few) / (MANY - FEW)
    connection = (crowd_few - few) / (CROWD - PEERS)
    print(f"a block: {block:.0f}, in a crowd {in_crowd:.0f}; "
          f"a connection: {connection:.0f}")
    assert in_crowd <= MOST_CROWD * block, (in_crowd, block)
    assert connection <= MOST_CONNECTION, connection


laboratory.main(__name__)
