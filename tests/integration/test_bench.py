#!/usr/bin/python3
"""The bench measures what it says: small rows of it run to their end beside one
peer, every sample is there, and a client that does wrong is not counted."""
import csv
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = ROOT / "tests/bench/bench.py"
ROWS = {"download": {"floor", "btc", "aria2"}, "serve": {"btc", "aria2"},
        "resume": {"btc", "aria2"}, "slow-disk": {"btc"}}


def bench(btc, folder, *more):
    return subprocess.run(
        ["unshare", "-n", sys.executable, "-B", str(BENCH), "--tools",
         str(pathlib.Path(btc).parents[1] / "tests/bench"), "--btc", btc,
         "--mib", "8", "--rounds", "1", "--clients", "aria2", "--work",
         f"{folder}/work", "--disk", f"{folder}/disk", "--out", str(folder),
         *more], capture_output=True, text=True, timeout=500, check=False)


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
    assert "<svg" in (folder / "bench.svg").read_text(encoding="utf-8")


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


def check_unknown_row(btc, folder):
    result = bench(btc, folder, "--rows", "downlaod")
    assert result.returncode != 0 and "downlaod" in result.stderr, result


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
                  lambda d: check_unknown_row(btc, d),
                  check_missing_packages):
        with tempfile.TemporaryDirectory(prefix="btc-bench-") as folder:
            check(pathlib.Path(folder))
    print("all checks passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
