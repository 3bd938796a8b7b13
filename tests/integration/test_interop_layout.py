#!/usr/bin/python3
"""Torrents of all shapes: files that share pieces, empty ones, odd names, pads,
piece lengths, choices of files."""
import os
import subprocess
import sys

import kit
import lab
import lab as laboratory
import wire

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "power"))
from seeder import Seeder  # noqa: E402


def tree(lab, files, top="seed/folder"):
    """A folder with these {path: size}."""
    for i, (path, size) in enumerate(files.items()):
        lab.make_data(f"{top}/{path}", size, seed=i * 7919 + size)
    return lab.path(top)


def fetch(lab, files, seeder="transmission", piece_length=65536):
    """Downloads such a folder; the torrent."""
    _, torrent, _ = kit.swarm(lab, seeder, source=tree(lab, files),
                              piece_length=piece_length)
    kit.get(lab, torrent)
    kit.is_complete(lab, torrent)
    rows = lab.sql("SELECT * FROM file_progress ORDER BY file")
    assert [r["path"] for r in rows] == [
        f"{torrent.name}/{f.path}" for f in torrent.files], [
            tuple(r) for r in rows]
    assert all(r["bytes_done"] == r["length"] and r["percent"] == 100.0
               for r in rows), [tuple(r) for r in rows]
    return torrent


def test_small_files_share_pieces(lab):
    """300 files of 0 to 9 KiB: up to dozens in a piece of 64 KiB."""
    files = {f"d{i % 7}/e{i % 3}/f{i:03}": (i * 3571) % 9000
             for i in range(300)}
    fetch(lab, files, "libtorrent")


def test_empty_files(lab):
    """First, middle, several in a row, last."""
    fetch(lab, {"a0": 0, "b": 70_000, "c0": 0, "c1": 0, "sub/d": 1,
                "sub/d0": 0, "x": 200_000, "z0": 0, "z1": 0}, "aria2")


def test_names(lab):
    """Unicode, spaces, long names, deep folders."""
    deep = "/".join(f"{i}-深い" for i in range(12))
    fetch(lab, {"Grüße aus Köln.txt": 12_345, "日本語/ファイル.bin": 70_001,
                "🎵 music/a  b.mp3": 3, "n" * 200 + ".dat": 5_000,
                f"{deep}/end": 100_000, "-dash": 10, "it's \"q\"": 11},
          "libtorrent")


def lengths(lab, *cases):
    """Single files of (piece length, size) from a libtorrent and an aria2."""
    tracker = lab.opentracker()
    torrents = []
    for i, (piece_length, size) in enumerate(cases):
        data = lab.make_data(f"seed/{i}.bin", size, seed=i + 1)
        torrents.append(lab.make_torrent(data, piece_length=piece_length,
                                         tiers=[[tracker.url]]))
        kind = lab.libtorrent if i % 2 == 0 else lab.aria2
        kind(torrents[-1], seed=True).wait_ready()
        tracker.wait_seeds(torrents[-1], 1)
    run = lab.btc("get", *[t.path for t in torrents], "-d",
                  kit.folder(lab, "out"), "--progress", "plain")
    assert run.code == 0, run
    for t in torrents:
        t.check(lab.path("out"))
        row = kit.progress(lab, t)
        assert row["state"] == "complete", row
        assert row["pieces_done"] == t.piece_count, row


def test_piece_lengths(lab):
    """The smallest and the largest, odd ones, last pieces of one byte, single
    pieces; several torrents in one run."""
    lengths(lab, (16384, 3_000_000), (262144, 262144 * 7 + 1),
            (1 << 20, 5 << 20), (16 << 20, (32 << 20) + 1), (20000, 2_000_001),
            (65536, 65536), (65536, 1), (16 << 20, 1_000_000))


def test_tiny_pieces(lab):
    """Pieces smaller than any client makes them, down to one byte."""
    for piece_length, size in ((1, 3), (128, 1000), (1000, 30_001)):
        data = lab.make_data(f"seed/{size}.bin", size, seed=size)
        torrent = lab.make_torrent(data, piece_length=piece_length)
        seeder = wire.Seeder(torrent, lab.next_ip())
        run = lab.btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                      "--peer", seeder.address)
        assert run.code == 0, run
        torrent.check(lab.path("out"))
        seeder.close()


def test_links(lab):
    """BEP 47: links inside the torrent and files that can be run; what leads
    out is left out and told. A link is no file that somebody has replaced.
    Removing takes the links along."""
    source = tree(lab, {"bin/run": 70_000, "doc": 100})
    plain = lab.make_torrent(source)
    info = dict(plain.info)
    info["files"] = [dict(info["files"][0], attr="x"), info["files"][1]] + [
        {"attr": "l", "length": length, "path": path, "symlink path": target}
        for path, target, length in (
            (["lib", "run"], ["bin", "run"], 0), (["all"], ["bin"], 7),
            (["passwd"], ["..", "..", "etc", "passwd"], 0))]
    with open(plain.path, "wb") as f:
        f.write(laboratory.benc({"info": info}))
    torrent = laboratory.Torrent(plain.path, source, info, plain.files)
    seeder = Seeder(torrent)
    out = kit.folder(lab, "out")
    for _ in range(2):
        run = lab.btc("get", torrent.path, "-d", out, "--peer", seeder.address)
        assert run.code == 0, run
        top = os.path.join(out, "folder")
        assert os.readlink(os.path.join(top, "lib/run")) == "../bin/run"
        assert os.readlink(os.path.join(top, "all")) == "bin"
        assert sorted(os.listdir(top)) == ["all", "bin", "doc", "lib"]
        assert os.access(os.path.join(top, "bin/run"), os.X_OK)
        assert os.stat(os.path.join(top, "doc")).st_mode & 0o111 == 0
        assert "replaced" not in run.err, run.err
    for gone in None, "all":
        if gone:
            os.unlink(os.path.join(top, gone))
            assert lab.btc("resume").code == 0
            assert os.readlink(os.path.join(top, gone)) == "bin"
        run = lab.btc("resume")
        assert run.code == 0 and "nothing to resume" in run.err, run
    assert "links-left-out" in {r["kind"] for r in
                                lab.sql("SELECT kind FROM log")}
    for args in (("rm", "1"), ("add", torrent.path, "-d", out), ("verify",),
                 ("verify", torrent.path, "-d", out), ("resume",)):
        run = lab.btc(*args)  # nor do links that are there stand in the way
        assert run.code == 0, run
    run = lab.btc("rm", "--data", "-y", "2")
    assert run.code == 0, run
    assert not os.path.lexists(top), (run, os.listdir(top))


def test_pads(lab):
    """BEP 47 in a v1 torrent."""
    source = tree(lab, {"a": 100_000, "b/c": 0, "b/d": 70_000, "e": 1,
                        "f": 1_000_000})
    tracker = lab.opentracker()
    torrent = lab.make_torrent(source, pad=True, piece_length=32768,
                               tiers=[[tracker.url]])
    assert sum(f.pad for f in torrent.files) == 3
    lab.libtorrent(torrent, seed=True).wait_ready()
    tracker.wait_seeds(torrent, 1)
    kit.get(lab, torrent)
    assert not os.path.exists(lab.path("out", "folder", ".pad"))
    kit.is_complete(lab, torrent, sum(f.length for f in torrent.files
                                      if not f.pad))


HYBRID = """
import sys, libtorrent as lt
fs = lt.file_storage()
lt.add_files(fs, sys.argv[1])
t = lt.create_torrent(fs, 32768)
t.add_tracker(sys.argv[3])
lt.set_piece_hashes(t, sys.argv[2])
open(sys.argv[4], "wb").write(lt.bencode(t.generate()))
info = lt.torrent_info(sys.argv[4])
print(info.info_hashes().v1, info.info_hashes().has_v2())
"""


def test_hybrid(lab):
    """A hybrid torrent with pads, as libtorrent makes it, through its v1 side."""
    files = {"a": 100_000, "b/c": 0, "b/d": 70_000, "e": 1, "f": 1_000_000}
    source = tree(lab, files)
    tracker = lab.opentracker()
    probe = subprocess.run(
        ["/usr/bin/python3", "-c", HYBRID, source, os.path.dirname(source),
         tracker.url, lab.path("hybrid.torrent")],
        capture_output=True, check=False, text=True)
    if probe.returncode != 0:
        raise sys.modules["lab"].Skip("python3-libtorrent: " + probe.stderr)
    v1, has_v2 = probe.stdout.split()
    assert has_v2 == "True"
    tracker.allow(v1)
    plain = lab.make_torrent(source)
    plain.path, plain.info_hash = lab.path("hybrid.torrent"), v1
    lab.libtorrent(plain, seed=True).wait_ready()
    tracker.wait_seeds(plain, 1)
    kit.get(lab, plain)
    here = sorted(os.path.relpath(os.path.join(top, n), lab.path("out"))
                  for top, _, names in os.walk(lab.path("out")) for n in names)
    assert here == sorted(f"folder/{f}" for f in files), here
    row = kit.progress(lab)
    assert row["bytes_done"] == sum(files.values()), row
    assert row["state"] == "complete" and row["info_hash"] == v1, row


CHOICE = {"a.txt": 50_000, "b.iso": 500_000, "c/d.txt": 1, "c/e.bin": 300_000,
          "f.txt": 90_000}


def choose(lab, wanted, *args):
    """Downloads a choice; then only the wanted files are there and right."""
    _, torrent, _ = kit.swarm(lab, "libtorrent", source=tree(lab, CHOICE))
    run = lab.btc("get", torrent.path, "-d", kit.folder(lab, "out"), *args)
    assert run.code == 0, run
    for path, size in CHOICE.items():
        mine = os.path.join(lab.path("out"), "folder", path)
        if path in wanted:
            assert module.same_bytes(mine, lab.path("seed", "folder", path))
        else:
            assert not os.path.exists(mine), mine
    rows = lab.sql("SELECT * FROM file_progress")
    for r in rows:
        short = r["path"].split("/", 1)[1]
        assert (r["priority"] > 0) == (short in wanted), tuple(r)
        assert short not in wanted or r["bytes_done"] == r["length"], tuple(r)
    size = sum(CHOICE[p] for p in wanted)
    kit.is_complete(lab, torrent, size)
    return torrent


def test_select_numbers(lab):
    torrent = choose(lab, {"b.iso", "c/e.bin"}, "-s", "2,4")
    out = lab.path("out")
    # What the neighbours have in shared pieces is kept out of sight.
    assert sorted(os.listdir(os.path.join(out, "folder"))) == ["b.iso", "c"]
    parts = [r["part"] for r in lab.sql("SELECT part FROM file")]
    assert [p is None for p in parts] == [False, True, False, True, False]
    assert all(os.path.exists(os.path.join(out, p)) for p in parts if p)
    before = kit.progress(lab)["downloaded"]
    # Some more, later: the rest comes with the same command.
    run = lab.btc("set", "1", "select=1-5")
    assert run.code == 0, run
    run = lab.btc("resume")
    assert run.code == 0, run
    torrent.check(out)
    kit.is_complete(lab, torrent)
    assert os.listdir(out) == ["folder"], os.listdir(out)
    assert kit.progress(lab)["downloaded"] + before <= 2 * torrent.size
    total = kit.progress(lab)["downloaded"]
    assert total == torrent.size, (before, total)


def test_select_removed(lab):
    """Nothing of a choice stays behind; nothing is reserved but the choice."""
    choose(lab, {"b.iso"}, "-s", "2", "--alloc", "full")
    used = sum(os.lstat(os.path.join(top, n)).st_blocks * 512
               for top, _, names in os.walk(lab.path("out")) for n in names)
    assert used < CHOICE["b.iso"] + 2 * 65536 + 65536, used
    assert lab.btc("rm", "--data", "-y", "1").code == 0
    left = [n for _, d, f in os.walk(lab.path("out")) for n in d + f]
    assert not left, left


def test_select_pattern(lab):
    choose(lab, {"a.txt", "c/d.txt"}, "-s", "*.txt", "-x", "5")


def test_exclude(lab):
    choose(lab, {"a.txt", "c/d.txt", "f.txt", "c/e.bin"}, "-x", "*.ISO")


def test_sequential(lab):
    """Pieces come in their order, as the journal's times say."""
    _, torrent, _ = kit.swarm(lab, "libtorrent", up_limit=2000,
                              size=4_000_000)
    first = {"seen": 0}

    def is_in_order():
        rows = lab.sql("SELECT piece FROM piece") if os.path.exists(
            lab.db) else []
        have = sorted(r["piece"] for r in rows)
        # A few are under way at once, so holes are near the front's end.
        assert not have or have[-1] < len(have) + 24, have
        first["seen"] = max(first["seen"], len(have))
        return not run.is_running()
    run = lab.start_btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                        "--sequential", "--journal-interval", "100")
    lab.wait(is_in_order, 60, "the download")
    assert run.wait() == 0, run.err()
    torrent.check(lab.path("out"))
    assert lab.sql("SELECT sequential FROM torrent")[0][0] == 1


def test_out(lab):
    """Another name, for a file and for a folder."""
    _, torrent, _ = kit.swarm(lab, "libtorrent", size=300_000)
    run = lab.btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                  "--out", "other name.bin")
    assert run.code == 0, run
    assert os.listdir(lab.path("out")) == ["other name.bin"]
    assert module.same_bytes(lab.path("out", "other name.bin"),
                             torrent.source)
    assert kit.progress(lab)["name"] == "other name.bin"


def test_out_folder(lab):
    _, torrent, _ = kit.swarm(lab, "aria2", source=tree(lab, CHOICE))
    run = lab.btc("get", torrent.path, "-d", kit.folder(lab, "out"),
                  "-o", "elsewhere")
    assert run.code == 0, run
    assert os.listdir(lab.path("out")) == ["elsewhere"]
    for path in CHOICE:
        assert module.same_bytes(lab.path("out", "elsewhere", path),
                                 lab.path("seed", "folder", path)), path


module = lab
lab.main(__name__)
