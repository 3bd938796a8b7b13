#!/usr/bin/python3
"""The bench measures what it says: small rows of it run to their end beside one
peer, every sample is there, and a client that does wrong is not counted. Whatever
ends it, it says why, shows what it has and leaves nothing behind."""
import csv
import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = ROOT / "tests/bench/bench.py"
ROWS = {"download": {"floor", "btc", "aria2"}, "serve": {"btc", "aria2"},
        "resume": {"btc", "aria2"}, "slow-disk": {"btc"}}


def command(btc, folder, *more):
    return ["unshare", "-n", sys.executable, "-B", str(BENCH), "--tools",
            str(pathlib.Path(btc).parents[1] / "tests/bench"), "--btc", btc,
            "--mib", "8", "--rounds", "1", "--clients", "aria2", "--work",
            f"{folder}/work", "--disk", f"{folder}/disk", "--out", str(folder),
            *more]


def bench(btc, folder, *more):
    return subprocess.run(command(btc, folder, *more), capture_output=True,
                          text=True, timeout=500, check=False)


def figures(folder):
    """{(row, client): {figure: value}} of the CSV."""
    out = {}
    with open(f"{folder}/bench.csv", newline="", encoding="utf-8") as f:
        for line in csv.DictReader(x for x in f if not x.startswith("# ")):
            key = line["row"], line["client"]
            out.setdefault(key, {})[line["figure"]] = float(line["value"])
    return out


def check_rows(btc, folder):
    result = bench(btc, folder, "--rows", ",".join(ROWS))
    assert result.returncode == 0, result.stdout + result.stderr
    got = figures(folder)
    for row, clients in ROWS.items():
        assert {c for r, c in got if r == row} == clients, (row, got)
    for key, values in got.items():
        assert "failed" not in values, (key, result.stdout)
        assert all(v >= 0 for v in values.values()), (key, values)
    assert got["download", "btc"]["rate"] > 0
    text = (folder / "bench.txt").read_text(encoding="utf-8")
    assert "speed, of the best peer's" in text, text
    assert "aims: " in text and "TCP congestion control " in text, text
    table = (folder / "bench.csv").read_text(encoding="utf-8")
    for name in ("date", "kernel", "cores", "tcp", "version of aria2"):
        assert f"# {name}: " in table, table
    check_clean(folder)
    assert "<svg" in (folder / "bench.svg").read_text(encoding="utf-8")


def check_clean(folder):
    for name in ("work", "disk"):
        assert os.listdir(folder / name) == [], os.listdir(folder / name)


def in_network(name):
    """Who is in that network namespace."""
    out = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/ns/net") == name:
                out.append(pid)
        except OSError:
            pass  # it has just ended
    return out


def check_interrupt(btc, folder, signal_):
    """In the second row, while a client serves: what there is until then is
    told, and nobody and nothing is left."""
    with subprocess.Popen(
            command(btc, folder, "--rows", "download,resume"),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True) as run:
        seen = ""
        for line in run.stdout:
            seen += line
            if line.startswith("resume after kill -9 ..."):
                break
        network = os.readlink(f"/proc/{run.pid}/ns/net")
        assert network != os.readlink("/proc/self/ns/net")
        until = time.monotonic() + 60
        while len(in_network(network)) < 3:  # itself, a seeder, a client
            assert time.monotonic() < until, seen
            time.sleep(0.02)
        run.send_signal(signal_)
        seen += run.stdout.read()
    assert run.returncode == 130, (run.returncode, seen)
    assert in_network(network) == [], seen
    check_clean(folder)
    assert "interrupted" in seen, seen
    assert "rate" in figures(folder)["download", "btc"], seen
    assert ("resume", "btc") not in figures(folder), seen


def check_place(btc, folder):
    """What it cannot have it says before it begins."""
    result = bench(btc, folder, "--mib", "100000000")
    assert result.returncode == 1, result
    assert "needs 400,000,256 MiB" in result.stderr, result.stderr
    assert "--mib" in result.stderr, result.stderr
    check_clean(folder)
    work = folder / "work" / "btc-bench"
    work.mkdir()
    (work / "of-another").touch()
    lock = os.open(work, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    result = bench(btc, folder, "--rows", "verify")
    assert result.returncode == 1 and "another bench" in result.stderr, result
    assert (work / "of-another").exists()
    os.close(lock)  # as when it is killed: what is left goes
    result = bench(btc, folder, "--rows", "verify")
    assert result.returncode == 0, result.stdout + result.stderr
    check_clean(folder)
    out = folder / "out"
    out.touch()
    result = bench(btc, folder, "--out", str(out))
    assert result.returncode == 1 and str(out) in result.stderr, result


def check_no_network(folder):
    """Neither here nor by the script: it says what it needs."""
    outside = command(str(folder / "src" / "btc"), folder)[2:]
    result = subprocess.run(outside, capture_output=True, text=True,
                            check=False)
    has_network = len(pathlib.Path("/proc/net/route").read_text(
        encoding="ascii").splitlines()) > 1
    if has_network:
        assert result.returncode == 1 and "unshare" in result.stderr, result
    for name in ("unshare", "sudo"):
        (folder / name).write_text("#!/bin/sh\nexit 1\n", encoding="ascii")
        (folder / name).chmod(0o755)
    lines = (ROOT / "scripts/bench").read_text(encoding="utf-8")
    function = lines[lines.index("find_network() {"):lines.index("build() {")]
    result = subprocess.run(["sh", "-euc", f"{function}\nfind_network"],
                            env=dict(os.environ, PATH=f"{folder}:/bin:/usr/bin"),
                            capture_output=True, text=True, check=False)
    assert result.returncode == 1 and "root" in result.stderr, result


def check_port(btc, folder):
    """Somebody else on the client's port is not measured in its place."""
    squatter = ("import socket, subprocess, sys\ns = socket.socket()\n"
                "s.bind(('0.0.0.0', 7006))\ns.listen()\n"
                "sys.exit(subprocess.call(sys.argv[1:]))")
    outside = command(btc, folder, "--rows", "download")
    result = subprocess.run(
        [*outside[:2], sys.executable, "-c", squatter, *outside[2:]],
        capture_output=True, text=True, timeout=500, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "port 7006 is taken" in result.stdout, result.stdout
    got = figures(folder)
    assert got["download", "btc"] == {"failed": 1.0}, got
    assert got["download", "aria2"]["rate"] > 0, got


def check_liar(folder):
    """A client that ends at once with nothing is a failure, not a record."""
    liar = folder / "src" / "liar"
    liar.parent.mkdir()
    liar.write_text("#!/bin/sh\necho liar 1.0\n")
    liar.chmod(0o755)
    result = bench(str(liar), folder, "--rows", "download", "--tools",
                   str(pathlib.Path(os.environ["BTC"]).parents[1] /
                       "tests/bench"))
    assert result.returncode == 0, result.stdout + result.stderr
    assert figures(folder)["download", "btc"] == {"failed": 1.0}


def check_unknown(btc, folder):
    result = bench(btc, folder, "--rows", "downlaod")
    assert result.returncode != 0 and "downlaod" in result.stderr, result
    result = bench(btc, folder, "--clients", "aria3")
    assert result.returncode != 0 and "aria3" in result.stderr, result


def check_missing_packages(_folder):
    """A package that dpkg has never heard of is installed: the script that asks
    does not end there without a word."""
    if shutil.which("dpkg-query") is None:
        return
    result = subprocess.run(
        ["sh", "-euc", f". '{ROOT}/scripts/lib.sh'; missing=$(missing_packages "
         "dpkg btc-no-such-package); echo \"<$missing>\""],
        capture_output=True, text=True, check=False)
    assert result.returncode == 0 and result.stdout == (
        "<btc-no-such-package >\n"), result


def main():
    btc = os.environ.get("BTC")
    if (btc is None or os.geteuid() != 0 or shutil.which("aria2c") is None or
            shutil.which("unshare") is None):
        print("needs BTC, root, aria2 and unshare")
        return SKIPPED
    btc = str(pathlib.Path(btc).resolve())
    for check in (lambda d: check_rows(btc, d), check_liar,
                  lambda d: check_unknown(btc, d),
                  lambda d: check_interrupt(btc, d, signal.SIGINT),
                  lambda d: check_interrupt(btc, d, signal.SIGTERM),
                  lambda d: check_place(btc, d),
                  lambda d: check_port(btc, d), check_no_network,
                  check_missing_packages):
        with tempfile.TemporaryDirectory(prefix="btc-bench-") as folder:
            check(pathlib.Path(folder))
    print("all checks passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
