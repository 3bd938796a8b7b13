#!/usr/bin/python3
"""What a download costs is counted, never timed: system calls, allocations and
instructions for each block, system calls and what SQLite does for each file.
Each figure is the difference of two downloads, a larger and a smaller one, so
that what a start costs is not in it.

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

# The same bytes in few and in many files. When this was written a file cost 14.4
# calls and 45,900 instructions of SQLite: one INSERT, one SELECT, two UPDATEs.
FEW_FILES, MANY_FILES = 100, 1600
MOST_FILE_CALLS = 17
MOST_FILE_SQL = 55_000


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


def small(lab, n_files):
    """The same zeros in that many files."""
    piece_length, size = 1 << 18, MANY_FILES * BLOCK
    info = {"name": "small", "piece length": piece_length,
            "files": [{"length": size // n_files,
                       "path": [f"d{i % 9}", f"{i}.bin"]}
                      for i in range(n_files)],
            "pieces": hashlib.sha1(bytes(piece_length)).digest() *
                      (size // piece_length)}
    path = lab.path(f"{n_files}-files.torrent")
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


def run(lab, torrent, peers, wrapper, pattern, more, name):
    """What one download costs. `wrapper` counts, into the file LOG; `pattern`
    finds its number there."""
    log = lab.path(name, "log")
    out = lab.path(name, "out")
    process = lab.start(name, [
        *[word.replace("LOG", log) for word in wrapper],
        os.path.abspath(os.environ["BTC"]), "get", "--db", f"{out}.db",
        "--bind", laboratory.ADDRESSES[-1], "--no-dht", "--no-lsd", "-d", out,
        "--progress", "none", *more, torrent.path, *peers])
    assert process.wait(PATIENCE) == 0, process.err()
    found = re.findall(pattern, pathlib.Path(log).read_text())
    assert found, (log, pathlib.Path(log).read_text()[-2000:])
    return int(found[-1].replace(",", ""))


def counted(lab, torrent, peers, wrapper, pattern):
    """What a block of that torrent costs."""
    few, many = (run(lab, torrent, peers, wrapper, pattern, ["-s", files],
                     f"{torrent.piece_count}-{files}")
                 for files in ("1", "1,2"))
    each = (many - few) / (MANY - FEW)
    print(f"{torrent.piece_count} pieces: {few:,} and {many:,}, {each:,.2f} a block")
    assert each > 0, (few, many)
    return each


def counted_files(lab, wrapper, pattern):
    """What a file more costs, of the same bytes."""
    figures = []
    for n in (FEW_FILES, MANY_FILES):
        torrent = small(lab, n)
        figures.append(run(lab, torrent, seed(lab, torrent), wrapper, pattern,
                           [], f"{n}-files"))
    few, many = figures
    each = (many - few) / (MANY_FILES - FEW_FILES)
    print(f"{FEW_FILES} and {MANY_FILES} files: {few:,} and {many:,}, "
          f"{each:,.2f} a file")
    assert each > 0, figures
    return each


CALLS = r"100\.00\s+\S+\s+(?:\S+\s+)?(\d+)\s+(?:\d+\s+)?total"


def strace():
    return [laboratory.find("strace"), "-f", "-c", "-o", "LOG"]


def test_system_calls(lab):
    """A block is no more than a few calls of the kernel."""
    torrent = zeros(lab, 80, 1 << 18)
    each = counted(lab, torrent, seed(lab, torrent), strace(), CALLS)
    assert each <= MOST_CALLS, each


def test_file_calls(lab):
    """A file is made, written, synced and looked at with few calls."""
    each = counted_files(lab, strace(), CALLS)
    assert each <= MOST_FILE_CALLS, each


def test_file_journal(lab):
    """And with few statements: the instructions of SQLite tell, whatever they
    are."""
    each = counted_files(
        lab, [laboratory.find("valgrind"), "--tool=callgrind",
              "--toggle-collect=sqlite3_step", "--log-file=LOG",
              "--callgrind-out-file=/dev/null"], r"Collected : (\d+)")
    assert each <= MOST_FILE_SQL, each


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
