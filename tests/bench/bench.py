"""The bench: btc beside other clients, in one run and under the same
conditions. Started by scripts/bench, inside a network namespace of its own."""
import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
import traceback

import place
import report
from clients import PEERS, Btc
from rows import ROWS, Bench
from samples import SLOW
from stage import Tracker, addresses, end_all, interrupt, network

QUICK = ["download", "serve", "verify", "resume", "many-torrents"]
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130


def options():
    names = ", ".join(row.name for row in ROWS)
    p = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    p.add_argument("--tools", required=True, help=argparse.SUPPRESS)
    p.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
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
    p.add_argument("--work", default="/dev/shm",
                   help="folder in memory for data and downloads (default "
                        "/dev/shm; btc-bench is made in it and removed)")
    p.add_argument("--disk", default="build-bench",
                   help="folder on a disk for the row 'disk' (there, "
                        "btc-bench-disk)")
    p.add_argument("--out", default="build-bench",
                   help="folder for bench.csv, bench.svg and bench.txt")
    o = p.parse_args()
    o.rounds = o.rounds or (1 if o.quick else 3)
    o.mib = o.mib or (256 if o.quick else 1024)
    if min(o.rounds, o.mib, o.torrents) < 1 or o.limit < 0:
        p.error("numbers are 1 or more")
    return o


def rows_of(o):
    """Those that were asked for, in their order."""
    wanted = o.rows.split(",") if o.rows else [
        row.name for row in ROWS if not o.quick or row.name in QUICK]
    refuse_unknown("row", wanted, [row.name for row in ROWS])
    return [row for row in ROWS if row.name in wanted]


def refuse_unknown(what, wanted, known):
    unknown = [name for name in wanted if name not in known]
    if unknown:
        sys.exit(f"scripts/bench: no such {what}: {', '.join(unknown)}; there "
                 f"are {', '.join(known)}")


def wanted_peers(o):
    known = [c.name for c in PEERS]
    wanted = o.clients.split(",") if o.clients else known
    refuse_unknown("client", wanted, known)
    return wanted


def clients_of(o):
    """Ours, and the peers that are installed; and their versions by name."""
    found = []
    for i, value in enumerate(o.btc):
        name, _, program = value.rpartition("=")
        found.append(Btc(os.path.abspath(program),
                         name or ("btc" if i == 0 else f"btc {i}")))
    wanted = wanted_peers(o)
    found += [c(o.root) for c in PEERS if c.name in wanted]
    out, versions = [], {}
    for client in found:
        version = client.version()
        print(f"{client.name:14} {version or 'not installed: left out'}")
        if version:
            out.append(client)
            versions[client.name] = version
    if not any(c.is_ours for c in out):
        raise place.NoPlace(f"{', '.join(o.btc)}: does not run")
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


class Results:
    """What was measured until now, in files, whatever comes next: they are
    written again after each row."""

    def __init__(self, o, versions):
        self.o = o
        self.rows = []  # (row, samples)
        self.broken = []  # rows that could not go on, and why
        self.is_interrupted = False
        self.machine = place.machine(o.disk)
        self.versions = versions
        self.started = time.monotonic()

    def captions(self):
        return report.captions(
            self.machine, self.versions,
            f"{self.o.mib:,} MiB, {self.o.rounds} "
            f"round{'s' if self.o.rounds > 1 else ''}")

    def text(self):
        lines = [*self.captions(), "", report.table(self.rows, self.o.rounds)]
        lines += [f"\nthe row {name} broke off: {why}"
                  for name, why in self.broken]
        minutes = (time.monotonic() - self.started) / 60
        end = ("interrupted: what was measured until then, in"
               if self.is_interrupted else "in")
        return "\n".join([*lines, "", f"{end} {minutes:.1f} minutes"])

    def write(self):
        versions = {f"version of {n}": v for n, v in self.versions.items()}
        with open(f"{self.o.out}/bench.txt", "w", encoding="utf-8") as f:
            f.write(self.text() + "\n")
        report.write_csv(f"{self.o.out}/bench.csv", self.rows,
                         {**self.machine, **versions})
        report.write_svg(f"{self.o.out}/bench.svg", self.rows, self.o.rounds,
                         self.captions())


def measure(bench, row, results):
    """One row, told with its aims and the time that it took. What is wrong with a
    row as a whole does not take the others with it."""
    start = time.monotonic()
    samples = bench.begin()
    results.rows.append((row, samples))
    print(f"\n{row.title} ...", flush=True)
    try:
        row.run(bench)
    except Exception as e:  # pylint: disable=broad-except
        traceback.print_exc()
        results.broken.append((row.name, f"{type(e).__name__}: {e}"))
    print(f"\n{report.group(row, samples, bench.o.rounds)}\n"
          f"  {time.monotonic() - start:.0f} s", flush=True)
    results.write()


def run(o, rows):
    """All of it, between making the place and clearing it."""
    network([*addresses(2000), *addresses(8, third=40),
             *addresses(250, third=60)])
    clients, versions = clients_of(o)
    results = Results(o, versions)
    print("\n".join(results.captions()), flush=True)
    results.write()  # who cannot be written to is told now
    bench = Bench(o, Tracker(), clients, say)
    try:
        for row in rows:
            measure(bench, row, results)
    except KeyboardInterrupt:
        results.is_interrupted = True
    with no_interrupt():
        end_all()
        results.write()
        print(f"\n== medians of {o.rounds}\n{results.text()}\n\n"
              f"written: {o.out}/bench.txt, bench.csv, bench.svg", flush=True)
    if results.is_interrupted:
        return INTERRUPTED
    return 1 if results.broken else 0


@contextlib.contextmanager
def no_interrupt():
    """Clearing up takes a moment, and all of it is needed."""
    for signal_ in ENDINGS:
        signal.signal(signal_, signal.SIG_IGN)
    yield


def main():
    o = options()
    rows = rows_of(o)
    wanted_peers(o)
    claimed, sessions = [], place.sessions()
    for signal_ in ENDINGS:
        signal.signal(signal_, interrupt)
    try:
        if not o.check:
            place.check_network()
        os.makedirs(o.out, exist_ok=True)
        for name, folder in (("work", "btc-bench"), ("disk", "btc-bench-disk")):
            claimed.append(place.claim(getattr(o, name), folder))
            setattr(o, name, claimed[-1][0])
        place.check_room(rows, o, o.work, o.disk)
        return 0 if o.check else run(o, rows)
    except KeyboardInterrupt:
        print("interrupted before anything was measured", file=sys.stderr)
        return INTERRUPTED
    except (place.NoPlace, OSError, subprocess.SubprocessError) as e:
        print(f"scripts/bench: {e}", file=sys.stderr)
        return 1
    finally:
        with no_interrupt():
            end_all()
            for one in claimed:
                place.release(one)
            place.remove_sessions(but=sessions)


if __name__ == "__main__":
    sys.exit(main())
