#!/usr/bin/python3
"""What a download costs is counted, never timed: system calls, allocations and
instructions for each block. Each figure is the difference of two downloads, a
larger and a smaller one, so that what a start costs is not in it.

The torrents are of zeros, so that one of 16 GiB is a file without a block on
the disk; of the largest only the first files are fetched.
"""
import hashlib
import os
import pathlib
import re

import lab as laboratory
from lab import Skip, benc

BLOCK = 16384
FEW, MANY = 256, 1280       # blocks of the smaller and of the larger download
N_SEEDS = 4
PORT = 7000
PATIENCE = 400              # seconds; valgrind is slow

# About twice what was counted when this was written: 0.9 and 1.9.
MOST_CALLS = 2
MOST_ALLOCATIONS = 4
MOST_MORE = 1.25            # of the instructions, with 800 times the pieces


def program(name):
    """One of the bench's programs, beside the btc that is tested."""
    btc = os.environ.get("BTC")
    if not btc:
        raise Skip("BTC does not name a btc to test")
    found = pathlib.Path(btc).resolve().parents[1] / "tests/bench" / name
    if not found.exists():
        raise Skip(f"{found} was not built")
    code = pathlib.Path(btc).read_bytes()
    if b"__asan_init" in code or b"__tsan_init" in code:
        raise Skip("a sanitizer's calls are not the program's")
    return str(found)


def zeros(lab, n_pieces, piece_length=BLOCK):
    """A torrent of three files: FEW blocks, what is missing to MANY, the rest."""
    few, many = FEW * BLOCK, MANY * BLOCK
    lengths = [few, many - few, n_pieces * piece_length - many]
    info = {"name": "zeros", "piece length": piece_length,
            "files": [{"length": n, "path": [f"{i}.bin"]}
                      for i, n in enumerate(lengths) if n > 0],
            "pieces": hashlib.sha1(bytes(piece_length)).digest() * n_pieces}
    path = lab.path(f"{n_pieces}.torrent")
    pathlib.Path(path).write_bytes(benc({"info": info}))
    return laboratory.Torrent(path, None, info, [])


def seed(lab, torrent):
    """The addresses of peers that have all of it."""
    source = lab.path("zeros.bin")
    with open(source, "wb") as f:
        f.truncate(torrent.piece_count * torrent.piece_length)
    hosts = [lab.next_ip() for _ in range(N_SEEDS)]
    seeder = lab.start("seed", [
        program("bench_seed"), torrent.info_hash, str(torrent.piece_length),
        source, str(PORT), "0", "-", *hosts])
    lab.wait(lambda: "ready" in seeder.out(), what="the seeder")
    return [f"--peer={host}:{PORT}" for host in hosts]


def counted(lab, torrent, peers, wrapper, pattern):
    """What a block of that torrent costs. `wrapper` counts, into the file LOG;
    `pattern` finds its number there."""
    figures = []
    for name, files in (("few", "1"), ("many", "1,2")):
        log = lab.path(name, f"{torrent.piece_count}.log")
        out = lab.path(name, f"{torrent.piece_count}", "out")
        run = lab.start(name, [
            *[word.replace("LOG", log) for word in wrapper],
            os.path.abspath(os.environ["BTC"]), "get", "--db", f"{out}.db",
            "--bind", laboratory.ADDRESSES[-1], "--no-dht", "--no-lsd", "-d", out,
            "--progress", "none", "-s", files, torrent.path, *peers])
        assert run.wait(PATIENCE) == 0, run.err()
        found = re.findall(pattern, pathlib.Path(log).read_text())
        assert found, (log, pathlib.Path(log).read_text()[-2000:])
        figures.append(int(found[-1].replace(",", "")))
    few, many = figures
    each = (many - few) / (MANY - FEW)
    print(f"{torrent.piece_count} pieces: {few:,} and {many:,}, {each:,.2f} a block")
    assert each > 0, figures
    return each


def test_system_calls(lab):
    """A block is no more than a few calls of the kernel."""
    torrent = zeros(lab, 80, 1 << 18)
    each = counted(lab, torrent, seed(lab, torrent),
                   [laboratory.find("strace"), "-f", "-c", "-o", "LOG"],
                   r"100\.00\s+\S+\s+(?:\S+\s+)?(\d+)\s+(?:\d+\s+)?total")
    assert each <= MOST_CALLS, each


def test_allocations(lab):
    torrent = zeros(lab, 80, 1 << 18)
    each = counted(lab, torrent, seed(lab, torrent),
                   [laboratory.find("valgrind"), "--log-file=LOG",
                    "--leak-check=no", "--undef-value-errors=no"],
                   r"total heap usage: ([\d,]+) allocs")
    assert each <= MOST_ALLOCATIONS, each


def test_instructions(lab):
    """A block of a torrent of a million pieces costs what one of few does."""
    each = {}
    for n in (MANY, 1_000_000):
        torrent = zeros(lab, n)
        each[n] = counted(
            lab, torrent, seed(lab, torrent),
            [laboratory.find("valgrind"), "--tool=callgrind", "--log-file=LOG",
             "--callgrind-out-file=/dev/null"], r"Collected : (\d+)")
    assert each[1_000_000] <= MOST_MORE * each[MANY], each


laboratory.main(__name__)
