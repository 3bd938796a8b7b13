#!/usr/bin/python3
"""Bad databases: held by somebody else (12), damaged, foreign, newer, cut, no
database at all (14), in places that cannot be written. A file that is not ours is
never changed."""
import contextlib
import hashlib
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess

import lab as laboratory
import wire

# Commands that only read, and those that want to write.
READING = (("status",), ("files", "1"), ("log", "1"), ("db", "check"))
WRITING = (("resume",), ("pause", "1"), ("verify", "1"))


def said(run, code, *parts):
    """The status, and a text in which all of this stands."""
    assert run.code == code, run
    for part in parts:
        assert part.lower() in run.err.lower(), f"'{part}' is not in {run}"
    assert "bug at" not in run.err, run
    return run


def digest(path):
    return hashlib.sha1(pathlib.Path(path).read_bytes()).hexdigest()


def setup(lab, size=1 << 20):
    source = lab.make_data("seed/data.bin", size)
    torrent = lab.make_torrent(source, piece_length=65536)
    return torrent, wire.Seeder(torrent, lab.next_ip())


def make_db(lab):
    """A database with one torrent that is done; its path."""
    torrent, seeder = setup(lab)
    out = os.path.dirname(lab.path("out", "x"))
    said(lab.btc("get", torrent.path, "-d", out, "--peer", seeder.address), 0)
    seeder.close()
    return torrent


def every_command(lab, torrent):
    yield from READING
    yield from WRITING
    yield ("get", torrent.path)
    yield ("add", torrent.path)
    yield ("daemon",)


def refuse(lab, torrent, code, *parts, commands=None):
    """All commands refuse the database, name it, and leave it as it is."""
    before = digest(lab.db)
    for args in commands or every_command(lab, torrent):
        run = lab.btc(*args, timeout=30)
        assert run.code == code, (args, run)
        said(run, code, lab.db, *parts)
        assert digest(lab.db) == before, f"{args} changed the file"


def test_none(lab):
    """No database: only get and add make one."""
    torrent, _ = setup(lab)
    for args in (*READING, *WRITING):
        said(lab.btc(*args), 14, lab.db, "there is no database", "--db")
        assert not os.path.exists(lab.db), args
    said(lab.btc("add", torrent.path), 0)
    assert os.path.exists(lab.db)


def test_not_a_database(lab):
    torrent, _ = setup(lab)
    contents = {"text": b"This is a text file.\n" * 1000,
                "short text": b"hello",
                "random bytes": random.Random(1).randbytes(100000),
                "zeros": bytes(8192),
                "a torrent": pathlib.Path(torrent.path).read_bytes(),
                "a header alone": b"SQLite format 3\0",
                "a header and garbage": b"SQLite format 3\0" + random.Random(
                    2).randbytes(50000)}
    for data in contents.values():
        pathlib.Path(lab.db).write_bytes(data)
        refuse(lab, torrent, 14, "--db" if data[:6] != b"SQLite" else "",
               commands=[("status",), ("resume",), ("get", torrent.path)])


def test_empty_file(lab):
    """No byte is lost when get makes it a database; readers refuse it."""
    torrent, seeder = setup(lab)
    pathlib.Path(lab.db).write_bytes(b"")
    refuse(lab, torrent, 14, "empty", commands=READING)
    said(lab.btc("get", torrent.path, "-d", lab.dir, "-o", "out.bin", "--peer",
                 seeder.address), 0)


def test_folder_or_device(lab):
    torrent, _ = setup(lab)
    folder = os.path.dirname(lab.path("folder", "x"))
    for path in (folder, "/dev/null"):
        for args in (("status",), ("resume",), ("get", torrent.path)):
            said(lab.btc(*args, db=path), 14, path, "--db")
    said(lab.btc("status", "--db", ""), 2)
    below = lab.path("plain")
    pathlib.Path(below).write_bytes(b"x")
    run = lab.btc("get", torrent.path, db=below + "/btc.db")
    assert run.code in (10, 14) and below in run.err, run


def test_other_program(lab):
    torrent, _ = setup(lab)
    link = sqlite3.connect(lab.db)
    link.execute("CREATE TABLE torrent (id INTEGER, name TEXT)")
    link.execute("INSERT INTO torrent VALUES (1, 'mine')")
    link.commit()
    link.close()
    refuse(lab, torrent, 14, "another program", "--db")


def beside(lab):
    """The database and what btc has put beside it."""
    return [lab.path(n) for n in os.listdir(lab.dir) if n.startswith("btc.db")]


def mended(lab, pieces):
    """After a salvage all is there, and nothing was fetched."""
    said(lab.btc("db", "salvage"), 0)
    said(lab.btc("db", "check"), 0)
    said(lab.btc("verify"), 0)
    assert lab.sql("SELECT count(*) AS n FROM piece")[0]["n"] == pieces > 0


def test_copy_by_text(lab):
    """`.dump` loses the numbers by which a database is known. That is no other
    program's, and what helps is said and helps."""
    torrent = make_db(lab)
    before = lab.sql("SELECT count(*) AS n FROM piece")[0]["n"]
    link = sqlite3.connect(lab.db)
    text = "\n".join(link.iterdump())
    link.close()
    for name in beside(lab):
        os.unlink(name)
    link = sqlite3.connect(lab.db)
    link.executescript(text)
    link.close()
    refuse(lab, torrent, 14, "btc db salvage --db " + lab.db)
    mended(lab, before)


def test_schema_of_another_number(lab):
    """The file says an older schema than it has: no migration fits, and a check
    of the old schema finds nothing."""
    for number in (18, 3, 0, -1):
        make_db(lab)
        before = lab.sql("SELECT count(*) AS n FROM piece")[0]["n"]
        by_hand(lab, f"PRAGMA user_version = {number}")
        said(lab.btc("resume"), 14, "btc db salvage", "not of the schema")
        mended(lab, before)
        for name in beside(lab):
            os.unlink(name)


def test_newer_schema(lab):
    torrent = make_db(lab)
    link = sqlite3.connect(lab.db, isolation_level=None)
    link.execute("PRAGMA user_version = 99")
    link.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    link.close()
    refuse(lab, torrent, 14, "99", "newer")


def by_hand(lab, *statements):
    link = sqlite3.connect(lab.db, isolation_level=None)
    link.execute("PRAGMA foreign_keys = OFF")
    for sql in statements:
        link.execute(sql)
    link.close()


def test_no_tables(lab):
    """Ours by its marks, but without what belongs to it."""
    torrent = make_db(lab)
    by_hand(lab, "DROP VIEW progress", "DROP TABLE file")
    for args in (("status",), ("files", "1"), ("resume",),
                 ("get", torrent.path)):
        run = lab.btc(*args, timeout=30)
        assert run.code != 0 and "bug at" not in run.err, (args, run)
        assert lab.db in run.err, (args, run)
        assert "btc db " in run.err, (args, run)


def schema(lab):
    return {(r["type"], r["name"]): r["sql"] for r in lab.sql(
        "SELECT type, name, sql FROM sqlite_schema")}


def test_schema_mended(lab):
    """What holds no data is named when it is gone, no engine runs without it,
    and --repair makes it anew: each view, trigger and index."""
    torrent = make_db(lab)
    whole = schema(lab)
    mine = "CREATE TABLE mine (x)"
    by_hand(lab, mine)  # what somebody has added is nobody's business
    said(lab.btc("db", "check"), 0, "in order")
    parts = [(kind, name) for (kind, name), sql in whole.items()
             if sql and kind != "table"]
    assert len(parts) > 30, parts
    for some in (parts[::5], parts[-1:], parts):
        for kind, name in some:
            by_hand(lab, f"DROP {kind} {name}")
        run = said(lab.btc("db", "check"), 14, "--repair")
        for kind, name in some:
            assert f"the {kind} {name} is missing" in run.out, run
        for args in (("verify",), ("daemon",)):
            run = said(lab.btc(*args, timeout=30), 14, "--repair", lab.db)
            assert " is missing; " in run.err, run
        said(lab.btc("db", "check", "--repair"), 0, "in order")
        now = schema(lab)
        assert now.pop(("table", "mine")) == mine and now == whole
        said(lab.btc("verify"), 0)
    torrent.check(lab.path("out"))


def test_schema_changed(lab):
    """A view, trigger or index that somebody has made with another body is named
    like one that is gone. How it is laid out is his."""
    torrent = make_db(lab)
    whole = schema(lab)
    before = lab.path("before.db")
    assert lab.btc("db", "backup", before).code == 0
    for (kind, name), sql in whole.items():
        if sql and kind != "table":
            loose = "\n ".join(sql.split(" ")).replace("\n  ", " /* x */ ")
            if "'" not in sql and "--" not in sql:
                by_hand(lab, f"DROP {kind} {name}", loose)
    said(lab.btc("db", "check"), 0, "in order")
    others = {
        "the view progress": "CREATE VIEW progress AS SELECT * FROM torrent",
        "the view log": whole["view", "log"] + " LIMIT 3",
        "the index file_identity": "CREATE INDEX file_identity ON file (ino)",
        "the trigger file_wished": "CREATE TRIGGER file_wished AFTER UPDATE OF "
                                   "priority ON file BEGIN SELECT 'x'; END"}
    for some in (list(others)[:1], list(others)[2:], list(others)):
        for what in some:
            by_hand(lab, f"DROP {what[4:]}", others[what])
        run = said(lab.btc("db", "check"), 14, "--repair")
        for what in others:
            assert (f"{what} is another one" in run.out) == (what in some), run
        for args in (("verify",), ("daemon",),
                     ("db", "restore", lab.db, "--db", lab.path("to.db"))):
            run = said(lab.btc(*args, timeout=30), 14, "--repair")
            assert " is another one" in run.err, run
        run = said(lab.btc("db", "check", "--repair"), 0, "in order")
        for what in others:
            assert (f"made anew: {what}\n" in run.err) == (what in some), run
        assert "is another one" not in run.out + run.err, run
        said(lab.btc("db", "check"), 0, "in order")
        said(lab.btc("verify"), 0)
    for what in others:
        by_hand(lab, f"DROP {what[4:]}", others[what])
    made = lab.btc("db", "check", "--repair", "--json").json()["made"]
    assert set(made) == set(others), made
    torrent.check(lab.path("out"))


def test_schema_lost(lab):
    """A table or a column is named, and what helps does: a backup, or what can
    be read."""
    torrent = make_db(lab)
    backup = lab.path("backup.db")
    assert lab.btc("db", "backup", backup).code == 0
    views = [f"DROP {kind} {name}" for kind, name in schema(lab)
             if kind in ("view", "trigger")]
    for what, sql, saved in (
            ("the table block", ["DROP TABLE block"], True),
            ("the table torrent_stat", ["DROP TABLE torrent_stat"], True),
            ("the table torrent", ["DROP TABLE torrent"], False),
            ("the column error of the table torrent_stat",
             [*views, "ALTER TABLE torrent_stat DROP COLUMN error"], True),
            ("the column label of the table torrent",
             [*views, "ALTER TABLE torrent DROP COLUMN label"], True)):
        by_hand(lab, *sql)
        run = said(lab.btc("db", "check"), 14, what, "salvage", "restore")
        assert f"{what} is missing" in run.out, run
        for args in (("verify",), ("daemon",), ("db", "check", "--repair")):
            run = said(lab.btc(*args, timeout=30), 14, what, lab.db)
            assert "salvage" in run.err and "restore" in run.err, run
        if saved:
            said(lab.btc("db", "salvage"), 0)
            said(lab.btc("db", "check"), 0)
            said(lab.btc("verify"), 0)
            by_hand(lab, *sql)
        broken = lab.path("broken.db")
        assert lab.btc("db", "backup", broken).code == 0
        said(lab.btc("db", "restore", broken), 14)  # is no backup
        os.remove(broken)
        said(lab.btc("db", "restore", backup), 0)
        said(lab.btc("verify"), 0)
    torrent.check(lab.path("out"))


def test_cut(lab):
    """Truncated: 14 where the damage is met, never a crash, and `db check`
    finds it wherever it is."""
    torrent = make_db(lab)
    link = sqlite3.connect(lab.db, isolation_level=None)
    link.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    link.close()
    whole = pathlib.Path(lab.db).read_bytes()
    for keep in (100, 600, 5000, len(whole) // 3, len(whole) // 2,
                 len(whole) - 4096):
        for extra in ("-wal", "-shm"):
            pathlib.Path(lab.db + extra).unlink(missing_ok=True)
        pathlib.Path(lab.db).write_bytes(whole[:keep])
        run = lab.btc("db", "check")
        assert run.code == 14 and lab.db in run.err, (keep, run)
        for args in (("status",), ("resume",), ("get", torrent.path)):
            run = lab.btc(*args, timeout=30)
            assert run.code in (0, 14), (keep, args, run)
            assert "bug at" not in run.err, (keep, args, run)
            assert run.code == 0 or lab.db in run.err, (keep, args, run)


def test_flipped_bytes(lab):
    """Damage anywhere: a status, never a crash, and data stays what it was."""
    torrent = make_db(lab)
    link = sqlite3.connect(lab.db, isolation_level=None)
    link.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    link.close()
    whole = pathlib.Path(lab.db).read_bytes()
    source = random.Random(7)
    for i in range(25):
        for extra in ("-wal", "-shm"):
            pathlib.Path(lab.db + extra).unlink(missing_ok=True)
        bad = bytearray(whole)
        for _ in range(200):
            bad[source.randrange(100, len(bad))] = source.randrange(256)
        pathlib.Path(lab.db).write_bytes(bad)
        for args in (("db", "check"), ("status", "--json"),
                     ("resume", "--max-time", "2s", "--stall-timeout", "1s")):
            run = lab.btc(*args, timeout=30)
            assert 0 <= run.code <= 16, (i, args, run)
            assert "bug at" not in run.err, (i, args, run)
    torrent.check(lab.path("out"))


def test_hostile_rows(lab):
    """Rows that somebody wrote by hand and that contradict each other."""
    torrent = make_db(lab)
    shutil.copy(lab.db, lab.path("good.db"))
    cases = ("UPDATE metainfo SET info = x'6465'",
             "UPDATE metainfo SET info = zeroblob(100000)",
             "DELETE FROM metainfo",
             "DELETE FROM file",
             "UPDATE torrent SET info_hash = zeroblob(20)",
             "UPDATE torrent SET save_path = '/no/such/folder'",
             "UPDATE torrent SET save_path = 'relative'",
             "UPDATE torrent SET n_pieces = 1",
             "UPDATE torrent SET piece_length = 0",
             "INSERT INTO piece (torrent_id, piece, verified_at) "
             "VALUES (1, 100000, 0)",
             "INSERT INTO block (torrent_id, piece, block) VALUES (1, 0, 9999)",
             "UPDATE file SET length = -1",
             "UPDATE file SET path = '../../../tmp/escape'",
             "UPDATE file SET path = '/tmp/escape'",
             "UPDATE torrent SET max_peers = 1000000000",
             "UPDATE tracker SET url = 'file:///etc/passwd'")
    for sql in cases:
        for extra in ("", "-wal", "-shm"):
            pathlib.Path(lab.db + extra).unlink(missing_ok=True)
        shutil.copy(lab.path("good.db"), lab.db)
        link = sqlite3.connect(lab.db, isolation_level=None)
        link.execute("PRAGMA foreign_keys = OFF")
        try:
            link.execute(sql)
        except sqlite3.DatabaseError:
            continue  # the schema refuses it: as good
        finally:
            link.close()
        os.remove(lab.path("out", "data.bin"))
        for args in (("status",), ("files", "1"), ("pieces", "1"),
                     ("resume", "1", "--max-time", "3s", "--accept-loss")):
            run = lab.btc(*args, timeout=30)
            assert 0 <= run.code <= 16 and "bug at" not in run.err, (sql, run)
        assert not os.path.exists("/tmp/escape"), sql
        shutil.copy(torrent.source, lab.path("out", "data.bin"))


def test_lost_rows(lab):
    """db check names what a torrent cannot run without, and its advice helps;
    a backup with such a torrent is still one."""
    torrent = make_db(lab)
    before = pathlib.Path(lab.path("out/data.bin")).stat()
    for number, table in enumerate(("file", "metainfo"), 1):
        with contextlib.closing(sqlite3.connect(lab.db)) as db, db:
            db.execute(f"DELETE FROM {table}")
        run = said(lab.btc("db", "check"), 14, "lacks rows")
        assert f"btc rm {number}`" in run.out + run.err, run
        assert lab.btc("db", "backup", lab.path(f"{table}.db")).code == 0
        said(lab.btc("db", "restore", lab.path(f"{table}.db")), 0)
        run = said(lab.btc("verify"), 14)
        assert "magnet" not in run.err, run
        said(lab.btc("rm", "-y", str(number)), 0)
        said(lab.btc("get", torrent.path, "-d", lab.path("out")), 0,
             "nothing to fetch")
        said(lab.btc("db", "check"), 0, "in order")
    with contextlib.closing(sqlite3.connect(lab.db)) as db, db:
        db.execute("DELETE FROM torrent_stat")
    said(lab.btc("db", "check"), 14)
    said(lab.btc("db", "check", "--repair"), 0)
    said(lab.btc("db", "check"), 0)
    after = pathlib.Path(lab.path("out/data.bin")).stat()
    assert (before.st_ino, before.st_mtime_ns) == \
        (after.st_ino, after.st_mtime_ns)


def test_other_engine(lab):
    """A second engine on the same database is refused; get joins the first."""
    torrent, seeder = setup(lab)
    first = lab.start_btc("daemon")
    lab.wait(lambda: os.path.exists(lab.db + "-lock") and
             lab.btc("status").code == 0, what="the engine")
    run = lab.btc("daemon")
    said(run, 12, str(first.pid), lab.db, "btc add")
    said(lab.btc("resume"), 0)  # nothing to do
    said(lab.btc("get", torrent.path, "-d", lab.dir, "-o", "out.bin", "--peer",
                 seeder.address), 0, str(first.pid))
    run = lab.btc("resume", "1", "--seed", "forever", "--verify", "full",
                  timeout=30)
    said(run, 12, str(first.pid))
    assert run.seconds < 5, run
    assert first.stop() in (0, 7)
    said(lab.btc("status"), 0)


def test_held_by_another_program(lab):
    """A transaction of somebody else that goes on for longer than our patience
    (5 s): 12, and afterwards all is well. Reading goes on meanwhile."""
    torrent = make_db(lab)
    link = sqlite3.connect(lab.db, isolation_level=None)
    link.execute("BEGIN EXCLUSIVE")
    said(lab.btc("status"), 0)
    first = [lab.start_btc(*args) for args in
             (("pause", "1"), ("resume", "1", "--seed", "forever"),
              ("add", torrent.path))]
    for program in first:
        code = program.wait(20)
        assert code == 12 and lab.db in program.err(), program.err()
        assert "transaction" in program.err(), program.err()
    link.execute("ROLLBACK")
    link.close()
    said(lab.btc("pause", "1"), 0)
    # Nobody gets in at all.
    link = sqlite3.connect(lab.db, isolation_level=None)
    link.execute("PRAGMA locking_mode = EXCLUSIVE")
    link.execute("BEGIN EXCLUSIVE")
    link.execute("COMMIT")
    run = lab.btc("status", timeout=20)
    said(run, 12, lab.db)
    link.close()
    said(lab.btc("status"), 0)


def test_held_while_it_runs(lab):
    """The engine waits, keeps what it has and commits it afterwards; when it is
    to stop meanwhile it gives up in a bounded time with 12."""
    torrent, seeder = setup(lab)
    seeder.close()
    slow = wire.Slow(torrent, lab.next_ip())
    out = os.path.dirname(lab.path("out", "x"))
    btc = lab.start_btc("get", torrent.path, "-d", out, "--peer", slow.address,
                        "--journal-interval", "50")
    lab.wait(lambda: slow.served > 10 and lab.sql("SELECT 1 FROM piece"),
             what="a piece")
    link = sqlite3.connect(lab.db, isolation_level=None, timeout=10)
    link.execute("BEGIN IMMEDIATE")
    slow.pause = 0
    lab.wait(lambda: slow.served >= 64, what="all blocks")
    lab.wait(lambda: "commit failed" in btc.err() or "locked" in btc.err(), 15,
             "a failed commit")
    assert btc.is_running()
    link.execute("ROLLBACK")
    assert btc.wait(20) == 0, btc.err()
    torrent.check(out)
    assert lab.sql("SELECT pieces_done FROM progress")[0][0] == \
        torrent.piece_count
    link.close()


def test_read_only_folder(lab):
    """At rest on a read-only mount: readers work, writers say 10."""
    torrent = make_db(lab)
    home = os.path.dirname(lab.path("home", "x"))
    for name in os.listdir(lab.dir):
        if name.startswith("btc.db"):
            shutil.copy(lab.path(name), home)
    db = os.path.join(home, "btc.db")
    subprocess.run(["mount", "--bind", home, home], check=True)
    lab.mounts.append(home)
    subprocess.run(["mount", "-o", "remount,bind,ro", home], check=True)
    for args in READING:
        said(lab.btc(*args, db=db), 0)
    for args in (("resume", "1", "--seed", "forever"), ("pause", "1"),
                 ("get", torrent.path)):
        run = lab.btc(*args, db=db)
        said(run, 10, db)
        assert "read-only" in run.err or "written" in run.err, run
    said(lab.btc("get", torrent.path, db=os.path.join(home, "new", "btc.db")),
         10, home)
    new = os.path.join(home, "new.db")
    said(lab.btc("get", torrent.path, db=new), 10, new, "--db", "Read-only")
    copy = os.path.join(home, "copy.db")
    said(lab.btc("db", "backup", copy), 10, copy + ": Read-only")


def test_unreadable_after_a_kill(lab):
    """What cannot be read may not be called another file: the advice for that
    sets the log aside."""
    setpriv = laboratory.find("setpriv")
    torrent, seeder = setup(lab)
    seeder.close()
    slow = wire.Slow(torrent, lab.next_ip())
    out = os.path.dirname(lab.path("out", "x"))
    btc = lab.start_btc("get", torrent.path, "-d", out, "--peer", slow.address,
                        "--journal-interval", "50")
    lab.wait(lambda: lab.sql("SELECT 1 FROM piece"))
    btc.kill()
    os.chmod(lab.db, 0)
    for args in READING[:1] + WRITING:
        run = lab.start("btc", [setpriv, "--reuid=65534", "--regid=65534",
                                "--clear-groups", os.environ["BTC"], *args],
                        env={"BTC_DB": lab.db})
        assert run.wait(20) == 10, run.err()
        assert "Permission denied" in run.err(), run.err()
        assert "restore" not in run.err(), run.err()
    os.chmod(lab.db, 0o644)
    slow.pause = 0
    said(lab.btc("resume"), 0)
    torrent.check(out)


def test_no_place(lab):
    """A folder that is a file, or not there: what is named, and why."""
    torrent = make_db(lab)
    new = os.path.join(torrent.path, "new.db")
    said(lab.btc("get", torrent.path, db=new), 10, new, "Not a directory")
    copy = os.path.join(lab.dir, "missing", "copy.db")
    said(lab.btc("db", "backup", copy), 3, copy + ": No such file")
    loop = os.path.join(lab.dir, "loop")
    os.symlink("loop", loop)
    for command in ("status",), ("db", "salvage"):
        run = lab.btc(*command, db=loop)
        assert run.code != 0 and "levels of symbolic links" in run.err, run


def test_deleted_while_it_runs(lab):
    """Its file is unlinked under the engine: no crash."""
    torrent, seeder = setup(lab)
    seeder.close()
    slow = wire.Slow(torrent, lab.next_ip())
    out = os.path.dirname(lab.path("out", "x"))
    btc = lab.start_btc("get", torrent.path, "-d", out, "--peer", slow.address,
                        "--journal-interval", "50")
    lab.wait(lambda: slow.served > 10, what="blocks")
    for extra in ("", "-wal", "-shm"):
        pathlib.Path(lab.db + extra).unlink()
    slow.pause = 0
    code = btc.wait(30)
    assert 0 <= code <= 16 and "bug at" not in btc.err(), (code, btc.err())


laboratory.main(__name__)
