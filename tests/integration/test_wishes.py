#!/usr/bin/python3
"""Wishes: what the command line and a person with sqlite3 write while an engine
runs, and what it makes of them."""
import json
import os
import pathlib
import signal
import sqlite3
import time

import kit
import lab
import wire

SIZE = 6_000_001


def torrent_of(lab, n, size=SIZE, pause=0.0, **options):
    """A torrent of one file, and a seeder of its own: (torrent, seeder)."""
    data = lab.make_data(f"seed/{n}.bin", size, seed=n + 1)
    torrent = lab.make_torrent(data, piece_length=65536, **options)
    seed = wire.Slow(torrent, lab.next_ip())
    seed.pause = pause
    return torrent, seed


def daemon(lab, *args, **options):
    run = lab.start_btc("daemon", "--progress", "none", *args, **options)
    lab.wait(lambda: not run.is_running() or lab.sql("SELECT 1 FROM run"), 20,
             "the daemon")
    assert run.is_running(), run.err()
    return run


def ok(lab, *args):
    run = lab.btc(*args)
    assert run.code == 0, run
    return run


def add(lab, torrent, seed, *args):
    """btc add; the id."""
    run = ok(lab, "add", torrent.path, "-d", kit.folder(lab, "out"), "--peer",
             seed.address, "--json", *args)
    return run.json()["torrents"][0]["id"]


def state(lab, torrent):
    return kit.progress(lab, torrent)["state"]


def is_here(lab, torrent):
    row = kit.progress(lab, torrent)
    return row["percent"] == 100 and row["state"] in ("complete", "seeding")


def some(lab, torrent):
    return kit.progress(lab, torrent)["pieces_done"] > 2


def execute(lab, query, *args):
    """As a person would: sqlite3, beside the engine."""
    link = sqlite3.connect(lab.db, timeout=10)
    with link:
        link.execute("PRAGMA foreign_keys = on")
        link.execute(query, args)
    link.close()


def finish(run):
    assert run.stop() == 0, run.err()


def test_cli(lab):
    """add, pause, start, set, verify, rm, rm --data beside a daemon."""
    a, seed_a = torrent_of(lab, 1, pause=0.004)
    b, seed_b = torrent_of(lab, 2)
    engine = daemon(lab)
    ida = add(lab, a, seed_a)
    lab.wait(lambda: some(lab, a), 30)
    ok(lab, "pause", str(ida))
    lab.wait(lambda: state(lab, a) == "paused", 20)
    lab.wait(lambda: kit.progress(lab, a)["peers"] == 0, 20)
    lab.wait(lambda: seed_a.ended == len(seed_a.wires), 20)  # and has read all
    asked = len(seed_a.requests)
    idb = add(lab, b, seed_b, "--seed", "none")
    lab.wait(lambda: state(lab, b) == "complete", 30)
    b.check(lab.path("out"))
    assert len(seed_a.requests) == asked, "asked while paused"
    seed_a.pause = 0
    ok(lab, "start", a.info_hash[:10])
    lab.wait(lambda: is_here(lab, a), 30)
    assert state(lab, a) == "seeding"  # add seeds to 2.0
    a.check(lab.path("out"))
    ok(lab, "set", str(ida), "seed=none")
    lab.wait(lambda: state(lab, a) == "complete", 20)
    before = lab.sql("SELECT max(verified_at) FROM piece WHERE torrent_id = ?",
                     ida)[0][0]
    lab.wait(lambda: time.time() > before + 1.1, 5)
    ok(lab, "set", str(ida), "verify=now")
    lab.wait(lambda: lab.sql("SELECT min(verified_at) FROM piece WHERE "
                             "torrent_id = ?", ida)[0][0] > before, 20)
    lab.wait(lambda: state(lab, a) == "complete", 20)
    ok(lab, "rm", str(idb))
    lab.wait(lambda: len(lab.sql("SELECT * FROM progress")) == 1, 20)
    b.check(lab.path("out"))  # the files stay
    assert lab.btc("rm", "--data", str(ida)).code == 2  # nobody to ask
    ok(lab, "rm", "--data", "-y", str(ida))
    lab.wait(lambda: not lab.sql("SELECT * FROM torrent"), 20)
    lab.wait(lambda: os.listdir(lab.path("out")) == ["2.bin"], 20)
    for table in ("piece", "block", "file", "peer", "tracker", "metainfo",
                  "torrent_stat"):
        assert not lab.sql(f"SELECT * FROM {table}"), table
    finish(engine)


def test_sqlite(lab):
    """The same with UPDATE, and what the guards refuse."""
    t, seed = torrent_of(lab, 1, pause=0.004)
    engine = daemon(lab)
    add(lab, t, seed, "--paused", "--seed", "none")
    lab.wait(lambda: state(lab, t) == "paused", 20)
    assert not seed.requests
    execute(lab, "UPDATE torrent SET wanted = 'run' WHERE info_hash = ?",
            t.info_hash)
    lab.wait(lambda: some(lab, t), 30)
    execute(lab, "UPDATE torrent SET wanted = 'pause'")
    lab.wait(lambda: state(lab, t) == "paused", 20)
    execute(lab, "UPDATE torrent SET wanted = 'run', down_limit = 200000")
    lab.wait(lambda: kit.progress(lab)["down_rate"] > 0, 20)
    for bad in ("UPDATE torrent SET wanted = 'fly'",
                "UPDATE torrent SET down_limit = -1",
                "UPDATE torrent SET down_limit = 'much'",
                "UPDATE torrent SET total_size = 1",
                "UPDATE file SET priority = 9",
                "UPDATE file SET path = '/etc/passwd'",
                "UPDATE torrent SET seed_mode = 'ever'",
                "DELETE FROM torrent",
                "INSERT INTO peer (torrent_id, address, port) "
                "VALUES (1, 'example.org', 80)",
                "INSERT INTO peer (torrent_id, address, port) "
                "VALUES (1, '10.0.0.1', 0)",
                "INSERT INTO tracker (torrent_id, url) VALUES (1, 'nonsense')"):
        try:
            execute(lab, bad)
            raise AssertionError(f"accepted: {bad}")
        except sqlite3.IntegrityError:
            pass
    seed.pause = 0
    execute(lab, "UPDATE torrent SET down_limit = 0")
    lab.wait(lambda: is_here(lab, t), 30)
    t.check(lab.path("out"))
    execute(lab, "UPDATE torrent SET wanted = 'remove-data'")
    lab.wait(lambda: not lab.sql("SELECT * FROM torrent"), 20)
    lab.wait(lambda: os.listdir(lab.path("out")) == [], 20)
    finish(engine)


def test_sources_by_sql(lab):
    """A tracker and a peer that a person inserts are used at once."""
    t, seed = torrent_of(lab, 1)
    engine = daemon(lab)
    run = ok(lab, "add", t.path, "-d", kit.folder(lab, "out"), "--json")
    number = run.json()["torrents"][0]["id"]
    lab.wait(lambda: state(lab, t) == "downloading", 20)
    execute(lab, "INSERT INTO peer (torrent_id, address, port) VALUES (?,?,?)",
            number, seed.ip, seed.port)
    lab.wait(lambda: is_here(lab, t), 30)
    tracker = lab.opentracker()
    execute(lab, "INSERT INTO tracker (torrent_id, url) VALUES (?, ?)", number,
            tracker.url)
    tracker.wait_seeds(t, 1)
    finish(engine)


def test_priorities(lab):
    """Files switched on and off while it runs."""
    for name, size in (("a", 2_000_000), ("b", 2_000_000), ("c", 2_000_000)):
        lab.make_data(f"seed/folder/{name}", size, seed=size + ord(name))
    tracker, t, _ = kit.swarm(lab, "libtorrent",
                              source=lab.path("seed", "folder"))
    engine = daemon(lab)
    ok(lab, "add", t.path, "-d", kit.folder(lab, "out"), "-s", "1", "--seed",
       "none")
    lab.wait(lambda: state(lab, t) == "complete", 30)
    row = kit.is_complete(lab, t, 2_000_000)
    ok(lab, "set", "1", "priority.2=high")
    lab.wait(lambda: kit.progress(lab)["bytes_total"] == 4_000_000 and
             state(lab, t) == "complete", 30)
    execute(lab, "UPDATE file SET priority = 4 WHERE path LIKE '%c'")
    lab.wait(lambda: kit.progress(lab)["bytes_total"] == 6_000_000 and
             state(lab, t) == "complete", 30)
    t.check(lab.path("out"))
    kit.is_complete(lab, t)
    finish(engine)


def test_get_follows(lab):
    """`btc get` beside an engine adds, follows, and ends by itself."""
    a, seed_a = torrent_of(lab, 1, pause=0.002)
    engine = daemon(lab)
    run = lab.btc("get", a.path, "-d", kit.folder(lab, "out"), "--peer",
                  seed_a.address, "--json")
    assert run.code == 0, run
    assert "following" in run.err, run
    a.check(lab.path("out"))
    result = run.json()
    assert result["status"] == 0 and result["error"] is None
    assert result["torrents"][0]["state"] in ("complete", "seeding")
    assert engine.is_running()
    # What cannot work says so, with its own status.
    b, seed_b = torrent_of(lab, 2, pause=0.01)
    run = lab.start_btc("get", b.path, "-d", lab.path("out"), "--peer",
                        seed_b.address)
    lab.wait(lambda: len(lab.sql("SELECT * FROM progress")) == 2 and
             some(lab, b), 30)
    run.signal(signal.SIGINT)
    assert run.wait(10) == 7, run.err()
    lab.wait(lambda: kit.progress(lab, b)["down_rate"] > 0, 10)
    finish(engine)
    assert kit.progress(lab, b)["percent"] < 100


def test_get_beside_get(lab):
    """Two `btc get` on one database: whichever ends first, both get theirs."""
    a, seed_a = torrent_of(lab, 1, pause=0.002)
    b, seed_b = torrent_of(lab, 2, pause=0.006)
    first = lab.start_btc("get", a.path, "-d", kit.folder(lab, "out"), "--peer",
                          seed_a.address)
    lab.wait(lambda: kit.has_rows(lab) and some(lab, a), 30)
    second = lab.start_btc("get", b.path, "-d", lab.path("out"), "--peer",
                           seed_b.address)
    assert first.wait(60) == 0, first.err()
    a.check(lab.path("out"))
    assert second.wait(60) == 0, second.err()
    b.check(lab.path("out"))
    assert is_here(lab, b)


def test_get_known_beside_get(lab):
    """A torrent that was interrupted goes on in another's engine when somebody
    asks for it again, by `get`, by `start` or in SQL: its wish was `run` all
    the time."""
    a, seed_a = torrent_of(lab, 1, pause=0.01)
    b, seed_b = torrent_of(lab, 2, pause=0.03)
    get_a = ("get", a.path, "-d", kit.folder(lab, "out"), "--peer",
             seed_a.address)
    first = lab.start_btc(*get_a)
    lab.wait(lambda: kit.has_rows(lab) and some(lab, a), 30)
    first.signal(signal.SIGINT)
    assert first.wait(10) == 7, first.err()
    other = lab.start_btc("get", b.path, "-d", lab.path("out"), "--peer",
                          seed_b.address)
    lab.wait(lambda: len(lab.sql("SELECT * FROM progress")) == 2 and
             some(lab, b), 30)
    row = kit.progress(lab, a)
    assert row["wanted"] == "run" and row["peers"] == 0, row
    ok(lab, "start", a.name)
    lab.wait(lambda: kit.progress(lab, a)["peers"] == 1, 10)
    ok(lab, "pause", a.name)
    lab.wait(lambda: state(lab, a) == "paused", 10)
    execute(lab, "UPDATE torrent SET wanted = 'run'")
    lab.wait(lambda: kit.progress(lab, a)["peers"] == 1, 10)
    seed_a.pause = 0.002
    again = lab.btc(*get_a)
    assert again.code == 0 and "following" in again.err, again
    a.check(lab.path("out"))
    seed_b.pause = 0
    assert other.wait(60) == 0, other.err()


def test_one_engine(lab):
    """A second daemon, a resume, a verify: 12 while one runs."""
    t, seed = torrent_of(lab, 1, pause=0.01)
    engine = daemon(lab)
    add(lab, t, seed)
    for args in (("daemon",), ("resume",)):
        run = lab.btc(*args, "--json") if args[0] != "daemon" else lab.btc(
            *args)
        assert run.code == 12, run
        assert str(engine.pid) in run.err, run
    seed.pause = 0
    lab.wait(lambda: is_here(lab, t), 30)
    finish(engine)
    assert lab.btc("resume").code == 0


def test_daemon_resumes(lab):
    """It goes on with what an earlier run left, killed or not."""
    t, seed = torrent_of(lab, 1, pause=0.004)
    engine = daemon(lab)
    add(lab, t, seed, "--seed", "none")
    lab.wait(lambda: some(lab, t), 30)
    engine.kill()
    kit.claims_hold(lab, t)
    seed.pause = 0
    engine = lab.start_btc("daemon")
    lab.wait(lambda: state(lab, t) == "complete", 30)
    t.check(lab.path("out"))
    finish(engine)


def open_files(program, under):
    names = []
    for fd in os.listdir(f"/proc/{program.pid}/fd"):
        try:
            names.append(os.readlink(f"/proc/{program.pid}/fd/{fd}"))
        except FileNotFoundError:
            pass
    return [n for n in names if n.startswith(under + os.sep)]


def test_paused_lets_go(lab):
    """A paused torrent has no file open: its drive can be unmounted."""
    t, seed = torrent_of(lab, 1)
    engine = daemon(lab)
    ident = add(lab, t, seed, "--seed", "forever")
    lab.wait(lambda: state(lab, t) == "seeding", 30)
    ok(lab, "set", str(ident), "verify=now")  # which reads
    lab.wait(lambda: open_files(engine, lab.path("out")), 20)
    lab.wait(lambda: state(lab, t) == "seeding", 30)
    ok(lab, "pause", str(ident))
    lab.wait(lambda: not open_files(engine, lab.path("out")), 20)
    finish(engine)


def test_verified_and_mended(lab):
    """A check that finds harm ends, too, though the torrent began anew where the
    file was seen to be another's work: the wish is over."""
    t, seed = torrent_of(lab, 1, size=600_001)
    engine = daemon(lab)
    ident = add(lab, t, seed, "--seed", "forever")
    lab.wait(lambda: state(lab, t) == "seeding", 30)
    for begin in (70_000, 200_000):
        with open(lab.path("out/1.bin"), "r+b") as f:
            f.seek(begin)
            f.write(b"somebody else's")
        ok(lab, "set", str(ident), "verify=now")
        lab.wait(lambda: not lab.sql("SELECT 1 FROM torrent"
                                     " WHERE verify_since <> 0"), 30)
        lab.wait(lambda: state(lab, t) == "seeding", 30)
        t.check(lab.path("out"))
    finish(engine)


def test_reload(lab):
    """HUP reads limits again, in the daemon."""
    t, seed = torrent_of(lab, 1, size=20_000_000)
    conf = lab.path("btc.conf")
    with open(conf, "w", encoding="ascii") as f:
        f.write("down = 300K\n")
    engine = daemon(lab, "--config", conf)
    add(lab, t, seed)
    lab.wait(lambda: kit.progress(lab)["down_rate"] > 100_000, 20)
    assert kit.progress(lab)["down_rate"] < 1_500_000
    with open(conf, "w", encoding="ascii") as f:
        f.write("# none\n")
    engine.signal(signal.SIGHUP)
    lab.wait(lambda: is_here(lab, t), 20)
    t.check(lab.path("out"))
    finish(engine)


def test_status_line(lab):
    """USR1 prints a line at once."""
    t, seed = torrent_of(lab, 1, pause=0.01)
    run = lab.start_btc("get", t.path, "-d", kit.folder(lab, "out"), "--peer",
                        seed.address, "--progress", "none")
    lab.wait(lambda: kit.has_rows(lab) and some(lab, t), 30)
    assert "%" not in run.err()
    run.signal(signal.SIGUSR1)
    lab.wait(lambda: "%" in run.err(), 5)
    run.kill()


def test_removed_meanwhile(lab):
    """What somebody removes while it is fetched is not done, beside an engine
    and without one; what is done by then is."""
    t, seed = torrent_of(lab, 1, pause=0.02)
    out = kit.folder(lab, "out")
    for n_daemons in 0, 1:
        daemons = [lab.start_btc("daemon", "--progress", "none")
                   for _ in range(n_daemons)]
        run = lab.start_btc("get", t.path, "-d", out, "--peer", seed.address,
                            "--progress", "none")
        lab.wait(lambda: kit.has_rows(lab) and some(lab, t), 30)
        assert lab.btc("rm", "--data", "-y", *kit.ids(lab)).code == 0
        assert run.wait(30) == 3, run.err()
        assert "done:" not in run.err() and "removed" in run.err(), run.err()
        for daemon in daemons:
            assert daemon.stop() in (0, 7)
    run = lab.btc("get", t.path, "-d", out, "--peer", seed.address, "--on-done",
                  "\"$BTC\" rm $BTC_ID", env={"BTC": os.environ["BTC"]})
    assert run.code == 0 and not kit.ids(lab), run


def test_stopped(lab):
    """An engine that ^Z has stopped is said to be, with what helps, by who looks
    and by who waits for it; what it wrote last is not shown as if it went on."""
    t, seed = torrent_of(lab, 1, pause=0.01)
    run = lab.start_btc("get", t.path, "-d", kit.folder(lab, "out"), "--peer",
                        seed.address, "--progress", "none")
    lab.wait(lambda: kit.has_rows(lab) and kit.progress(lab)["down_rate"], 30)
    look = lab.btc("status", "--json").json()
    pid = look["engine_pid"]
    assert not look["engine_stopped"] and look["torrents"][0]["down_rate"], look
    assert "stopped" not in lab.btc("why", "1").out
    run.signal(signal.SIGSTOP)
    lab.wait(lambda: lab.btc("status", "--json").json()["engine_stopped"], 5)
    said = f"`kill -CONT {pid}` lets it go on"
    look = lab.btc("status")
    assert said in look.err and "B/s" not in look.out, look
    assert said in lab.btc("why", "1").out
    follower = lab.start_btc("get", t.path, "--progress", "none")
    lab.wait(lambda: said in follower.err(), 10)
    run.signal(signal.SIGCONT)
    lab.wait(lambda: "stopped" not in lab.btc("status").err, 5)
    assert follower.wait(60) == 0, follower.err()
    assert run.wait(60) == 0, run.err()


def test_add_again(lab):
    """Options that are given count for a known torrent; others leave it."""
    t = lab.make_torrent(lab.make_data("seed/x.bin", 50_000))
    out = kit.folder(lab, "out")
    row = "SELECT seed_mode, label, down_limit FROM torrent"
    for args, want in (((), ("ratio", None, 0)),
                       (("--seed", "forever"), ("forever", None, 0)),
                       (("--label", "a"), ("forever", "a", 0)),
                       (("--down", "1K"), ("forever", "a", 1024))):
        assert lab.btc("add", t.path, "-d", out, *args).code == 0
        assert tuple(lab.sql(row)[0]) == want, args


def test_dry_run(lab):
    """It says what the real one then does, and does nothing."""
    for name in ("a/one.bin", "a/two.txt", "b/three.bin"):
        lab.make_data(f"seed/box/{name}", 49_152)
    t = lab.make_torrent(lab.path("seed", "box"), piece_length=16384)
    out = kit.folder(lab, "out")
    for args in (("-s", "a"), ("-s", "3-"), ("-x", "*.TXT"), ()):
        db = lab.path("db" + "".join(args).strip("-*"))
        get = ("add", t.path, "-d", out, *args)
        run = lab.btc(*get, "-n", "--json", db=db)
        assert run.code == 0 and not os.path.exists(db), run
        told = run.json()["would_add"][0]
        assert told["id"] is None and told["save_path"] == out, told
        assert lab.btc(*get, db=db).code == 0
        wished = {row[0].split("/", 1)[-1] for row in
                  lab.sql("SELECT path FROM file WHERE priority > 0", db=db)}
        assert {f["path"].split("/", 1)[-1] for f in told["files"]
                if f["wanted"]} == wished, (args, told, wished)
        again = lab.btc(*get, "-n", "--json", db=db).json()["would_add"][0]
        assert again["id"] == 1 and again["save_path"] == out, again
        assert again["bytes_left"] == told["bytes_left"] == \
            49_152 * len(wished), (args, told, again)
    # What is refused is refused, with the same words; only the new is made.
    db = lab.path("refusals")
    lab.make_data("other/box/a/one.bin", 50_000)
    other = lab.make_torrent(lab.path("other/box"), lab.path("other.torrent"))
    assert lab.btc("add", t.path, "-d", out, db=db).code == 0
    for args, code in (((other.path, "-d", out, "-o", "box"), 13),
                       ((t.path, "-d", kit.folder(lab, "elsewhere")), 13),
                       ((t.path, "-d", out, "-o", "bag"), 13),
                       ((other.path, "-d", lab.path("no", "x") + "/y"), 11),
                       ((other.path, "-d", t.path), 10),
                       ((other.path, "-d", out, "-o", "new", "-s", "9"), 2)):
        dry = lab.btc("add", "-n", *args, db=db)
        real = lab.btc("add", *args, db=db)
        assert dry.code == real.code == code, (args, dry, real)
        assert dry.err == real.err and not dry.out, (args, dry, real)
    # a file in the place of a folder of another torrent, and the other way
    lab.make_data("flat/box", 50_000)
    flat = lab.make_torrent(lab.path("flat/box"), lab.path("flat.torrent"))
    for first, second in (t, flat), (flat, t):
        db = lab.path(f"no room {first.size}")
        assert lab.btc("add", first.path, "-d", out, db=db).code == 0
        run = lab.btc("add", second.path, "-d", out, db=db)
        assert run.code == 13 and "belongs to torrent 1" in run.err, run
        assert lab.btc("add", second.path, "-d", out, "-o", "boxes",
                       db=db).code == 0
    new = lab.path("unmade")
    assert lab.btc("add", "-n", other.path, "-d", new, db=db).code == 0
    assert not os.path.exists(new) and len(kit.ids(lab, db)) == 2
    # Two are here, and one of them is chosen beside the third.
    here = lab.path("seed", "box", "b", "three.bin")
    os.rename(here, lab.path("three.bin"))
    get = ("get", t.path, "-d", lab.path("seed"))
    assert lab.btc(*get, "-s", "a").code == 0
    run = lab.btc(*get, "-n", "-s", "2-3")
    assert run.code == 0 and run.out.startswith("would go on with"), run
    assert run.out.endswith("48.0 KiB to fetch\n"), run
    assert lab.btc("rm", "1").code == 0
    os.remove(lab.db)
    for args in (("-s", "9"), ("-s", "*.iso"), ("-x", "*")):
        run = lab.btc("add", t.path, "-n", *args)
        assert run.code == 2 and "would" not in run.out, run
        assert not os.path.exists(lab.db), run
    assert not os.listdir(out)


def test_hooks(lab):
    """--on-done and --on-error."""
    t, seed = torrent_of(lab, 1)
    note = lab.path("note")
    run = lab.btc("get", t.path, "-d", kit.folder(lab, "out"), "--peer",
                  seed.address, "--on-done",
                  f'echo "$BTC_NAME $BTC_DIR" > {note}')
    assert run.code == 0, run
    with open(note, encoding="utf-8") as f:
        assert f.read() == f"1.bin {lab.path('out')}\n"


def test_hook_is_owed(lab):
    """btc is killed before its command has ended: the next run makes up for it,
    once. A failure is a row of the log."""
    t, seed = torrent_of(lab, 1)
    note = pathlib.Path(lab.path("note"))
    hook = f'echo >> {note}; [ $(wc -l < {note}) -gt 1 ] || kill -9 $PPID; ' \
           "exit 3"
    run = lab.btc("get", t.path, "-d", kit.folder(lab, "out"), "--peer",
                  seed.address, "--on-done", hook)
    assert run.code == -signal.SIGKILL, run
    kit.is_complete(lab, t)
    assert lab.btc("resume").code == 0
    assert note.read_text() == "\n", "without the option nothing runs"
    for _ in range(2):
        run = lab.btc("resume", "--on-done", hook)
        assert run.code == 0, run
        assert note.read_text() == "\n\n", note.read_text()
    rows = lab.sql("SELECT text FROM log WHERE kind = 'hook'")
    assert [r["text"] for r in rows] == \
        ["the command of --on-done failed (exit status 3)"], rows


def test_hooks_of_a_daemon(lab):
    """--on-done for what it finishes, what it finds on disk included; not for
    what was done before it started."""
    t, seed = torrent_of(lab, 1)
    here = lab.make_torrent(lab.make_data("here/2.bin", 300_000))
    note = pathlib.Path(lab.path("note"))
    hook = f'echo "$BTC_NAME" >> {note}'

    def done():
        return sorted(note.read_text().split()) if note.exists() else []

    run = lab.start_btc("daemon", "--on-done", hook)
    lab.wait(lambda: lab.btc("status").code == 0, 10)
    assert lab.btc("add", t.path, "-d", kit.folder(lab, "out"), "--seed",
                   "none", "--peer", seed.address).code == 0
    assert lab.btc("add", here.path, "-d", kit.folder(lab, "here")).code == 0
    lab.wait(lambda: done() == ["1.bin", "2.bin"], 20, "both")
    assert run.stop() == 0, run.err()
    for how in ("auto", "full"):
        run = lab.start_btc("daemon", "--on-done", hook, "--verify", how)
        # A third one is done after the two that it found.
        name = f"{how}.bin"
        more = lab.make_torrent(lab.make_data(f"more/{name}", 100_000))
        assert lab.btc("add", more.path, "-d", lab.path("more")).code == 0
        lab.wait(lambda n=name: n in done(), 20, name)
        lab.wait(lambda: run.err().count("100 %") >= 3, 20, "all")
        assert run.stop() == 0, run.err()
    assert done() == ["1.bin", "2.bin", "auto.bin", "full.bin"], done()


def test_down_limit(lab):
    """Kept within 15 %, with one peer and with several; from the first byte: the
    sockets of three peers could take all of the second one at once."""
    for limit, text, seconds, peers in ((1 << 20, "1M", 4, 1),
                                        (400 << 10, "400K", 4, 3)):
        data = lab.make_data(f"seed/{text}.bin", limit * seconds)
        t = lab.make_torrent(data, piece_length=65536)
        seeds = [wire.Seeder(t, lab.next_ip()) for _ in range(peers)]
        begun = time.monotonic()
        run = lab.btc("get", t.path, "-d", kit.folder(lab, "out"), "--down",
                      text, *[a for s in seeds for a in ("--peer", s.address)])
        got = t.size / (time.monotonic() - begun)
        assert run.code == 0, run
        t.check(lab.path("out"))
        # What came twice at the end was within the limit, too.
        got *= kit.progress(lab, t)["downloaded"] / t.size
        assert 0.80 * limit < got < 1.15 * limit, (text, got)


def test_up_limit(lab):
    data = lab.make_data("seed/up.bin", 6 << 20)
    t = lab.make_torrent(data, piece_length=65536)
    run = lab.start_btc("get", t.path, "-d", lab.path("seed"), "--seed",
                        "forever", "--up", "1M", "--port", "51000")
    lab.wait(lambda: kit.has_rows(lab) and is_here(lab, t), 30)
    leech = lab.libtorrent(t, peers=[("10.77.0.20", 51000)])
    begun = time.monotonic()
    leech.wait_done()
    got = t.size / (time.monotonic() - begun)
    assert 0.80 * (1 << 20) < got < 1.20 * (1 << 20), got
    run.kill()


def test_ndjson(lab):
    """The stream of events of a get."""
    t, seed = torrent_of(lab, 1)
    run = lab.btc("get", t.path, "-d", kit.folder(lab, "out"), "--peer",
                  seed.address, "--ndjson")
    assert run.code == 0, run
    events = [json.loads(line) for line in run.out.splitlines()]
    kinds = [e["event"] for e in events]
    assert kinds[0] == "added" and "done" in kinds, kinds
    assert set(kinds) <= {"added", "metadata", "checking", "piece", "file",
                          "stats", "state", "done", "error"}, kinds
    assert sorted(e["piece"] for e in events if e["event"] == "piece") == list(
        range(t.piece_count))
    files = [e for e in events if e["event"] == "file"]
    assert [e["path"] for e in files] == ["1.bin"], files
    assert kinds.index("done") > max(i for i, k in enumerate(kinds)
                                     if k == "piece")


lab.main(__name__)
