"""The bench: btc beside other clients, in one run and under the same
conditions. Started by scripts/bench, inside a network namespace of its own."""
import argparse
import os
import shutil
import sys
import time

import place
import report
from clients import PEERS, Btc
from rows import ROWS, Bench
from samples import SLOW
from stage import Tracker, addresses, network

QUICK = ["download", "serve", "verify", "resume", "many-torrents"]


def options():
    names = ", ".join(row.name for row in ROWS)
    p = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    p.add_argument("--tools", required=True, help=argparse.SUPPRESS)
    p.add_argument("--btc", action="append", required=True,
                   metavar="[NAME=]PROGRAM",
                   help="our program; again with a name for a variant")
    p.add_argument("--rows", default="", help=f"only these: {names}")
    p.add_argument("--clients", default="",
                   help="only these peers: rtorrent, qbittorrent, libtorrent, "
                        "aria2, transmission")
    p.add_argument("--quick", action="store_true",
                   help="one round of the most telling rows, 256 MiB: five "
                        "minutes")
    p.add_argument("--rounds", type=int, default=0, help="default 3")
    p.add_argument("--limit", type=float, default=0, metavar="SECONDS",
                   help="how long one measurement may take (default 60 for each "
                        "GiB of --mib, at least 60)")
    p.add_argument("--patient", action="store_true",
                   help="measure peers in every round that did not end in the "
                        f"first or were more than {SLOW} times slower than btc")
    p.add_argument("--mib", type=int, default=0,
                   help="how large the torrent is (default 1024)")
    p.add_argument("--torrents", type=int, default=10000,
                   help="how many are many (default 10000)")
    p.add_argument("--root", default="",
                   help="a folder with another system that has the peers")
    p.add_argument("--work", default="/dev/shm/btc-bench",
                   help="folder in memory for data and downloads")
    p.add_argument("--disk", default="build-bench/disk",
                   help="folder on a disk for the row 'disk'")
    p.add_argument("--out", default="build-bench",
                   help="folder for bench.csv, bench.svg and bench.txt")
    o = p.parse_args()
    o.rounds = o.rounds or (1 if o.quick else 3)
    o.mib = o.mib or (256 if o.quick else 1024)
    o.disk = os.path.abspath(o.disk)
    return o


def clients_of(o):
    """Ours, and the peers that are installed; and their versions by name."""
    found = []
    for i, value in enumerate(o.btc):
        name, _, program = value.rpartition("=")
        found.append(Btc(os.path.abspath(program),
                         name or ("btc" if i == 0 else f"btc {i}")))
    wanted = o.clients.split(",") if o.clients else [c.name for c in PEERS]
    found += [c(o.root) for c in PEERS if c.name in wanted]
    out, versions = [], {}
    for client in found:
        version = client.version()
        print(f"{client.name:14} {version or 'not installed: left out'}")
        if version:
            out.append(client)
            versions[client.name] = version
    return out, versions


def say(name, sample, folder):
    """A sample as it comes, to be seen while the rest runs; of one that failed,
    the end of what the client said."""
    text = report.cells(sample.figures, bool(sample.limit), 7)
    print(f"  {name:18} {text}{report.note([sample], 1)}", flush=True)
    log = f"{folder}/log"
    if sample.failed and os.path.exists(log):
        with open(log, "rb") as f:
            tail = f.read()[-300:].decode(errors="replace").strip()
        print("".join(f"    | {line}\n" for line in tail.splitlines()), end="",
              flush=True)


def measure(bench, row):
    """(row, samples), told with its aims and the time that it took."""
    start = time.monotonic()
    samples = bench.begin()
    print(f"\n{row.title} ...", flush=True)
    row.run(bench)
    print(f"\n{report.group(row, samples, bench.o.rounds)}\n"
          f"  {time.monotonic() - start:.0f} s", flush=True)
    return row, samples


def main():
    o = options()
    wanted = o.rows.split(",") if o.rows else [
        row.name for row in ROWS if not o.quick or row.name in QUICK]
    unknown = set(wanted) - {row.name for row in ROWS}
    if unknown:
        sys.exit(f"scripts/bench: no such row: {', '.join(sorted(unknown))}")
    os.makedirs(o.work, exist_ok=True)
    os.makedirs(o.disk, exist_ok=True)
    os.makedirs(o.out, exist_ok=True)
    network([*addresses(2000), *addresses(8, third=40),
             *addresses(250, third=60)])
    clients, versions = clients_of(o)
    bench = Bench(o, Tracker(), clients, say)
    start = time.monotonic()
    done = []
    try:
        for row in ROWS:
            if row.name in wanted:
                done.append(measure(bench, row))
    finally:
        shutil.rmtree(o.work, ignore_errors=True)
        shutil.rmtree(o.disk, ignore_errors=True)
    text = report.table(done, o.rounds)
    machine = place.machine(o.disk)
    captions = report.captions(
        machine, versions,
        f"{o.mib:,} MiB, {o.rounds} round{'s' if o.rounds > 1 else ''}")
    head = "\n".join(captions)
    print(f"\n== medians of {o.rounds}\n{head}\n\n{text}\n\n"
          f"in {(time.monotonic() - start) / 60:.1f} minutes")
    with open(f"{o.out}/bench.txt", "w", encoding="utf-8") as f:
        f.write(f"{head}\n\n{text}\n")
    report.write_csv(f"{o.out}/bench.csv", done, {
        **machine, **{f"version of {n}": v for n, v in versions.items()}})
    report.write_svg(f"{o.out}/bench.svg", done, o.rounds, captions)
    print(f"\nwritten: {o.out}/bench.txt, bench.csv, bench.svg")


if __name__ == "__main__":
    main()
