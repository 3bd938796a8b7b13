#!/usr/bin/python3
"""Trouble under the journal while an engine runs: its disk is full, its index
is cut, another program holds the write lock, somebody's rule refuses a row, or
somebody wrote nonsense into one, or a drive hangs."""
import os
import signal
import sqlite3
import sys
import time

import kit
import lab

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "power"))
from seeder import Seeder  # noqa: E402

LENGTH = 32768
SKIP = lab.Skip  # each test calls its laboratory `lab`


def link(lab, db=None):
    return sqlite3.connect(db or lab.db, timeout=20, isolation_level=None)


def write(lab, sql, *args):
    """By hand."""
    db = link(lab)
    n = db.execute(sql, args).rowcount
    db.close()
    return n


def torrent_of(lab, name, size=3_000_001):
    return lab.make_torrent(lab.make_data(f"seed/{name}", size, seed=size),
                            piece_length=LENGTH)


def add(lab, t, seeder, where="out", **options):
    run = lab.btc("add", t.path, "-d", kit.folder(lab, where), "--seed", "none",
                  "--peer", seeder.address, **options)
    assert run.code == 0, run


def row(lab, t, db=None):
    rows = [r for r in lab.sql("SELECT * FROM progress", db=db)
            if r["info_hash"] == t.info_hash]
    return dict(rows[0]) if rows else {}


def claimed(lab, t):
    return {r["piece"] for r in lab.sql(
        "SELECT piece FROM piece JOIN torrent ON id = torrent_id"
        " WHERE info_hash = ?", t.info_hash)}


def events(lab, kind, db=None):
    return [r["text"] for r in lab.sql(
        "SELECT text FROM log WHERE kind = ?", kind, db=db)]


# --- a full disk ---

def fill(path):
    """Not a page is left."""
    with open(path, "ab", buffering=0) as f:
        try:
            while True:
                f.write(bytes(4096))
        except OSError:
            pass


def test_full_disk(lab):
    """The daemon waits, nothing is lost, and it goes on by itself."""
    lab.mount_tmpfs("small", 2 << 20)
    db, ballast = lab.path("small", "btc.db"), lab.path("small", "ballast")
    t = torrent_of(lab, "full.bin", 8_000_001)
    seeder = Seeder(t, rate=400_000)
    add(lab, t, seeder, db=db)
    daemon = lab.start_btc("daemon", "--journal-interval", "100", db=db)
    lab.wait(lambda: row(lab, t, db).get("pieces_done", 0) > 5, 30, "pieces")

    def waits():
        fill(ballast)
        return "waiting-space" in daemon.out() + daemon.err()
    lab.wait(waits, 40, "the wait")
    fill(ballast)
    before = seeder.n_sent()
    lab.wait(lambda: not seeder.open, 20, "the end of its connection")
    assert seeder.n_sent() - before < 2_000_000 < t.size - before
    assert daemon.is_running()
    os.unlink(ballast)
    lab.wait(lambda: row(lab, t, db).get("state") == "complete", 60,
             "the rest")
    told = events(lab, "journal", db)
    assert told and all("disk was full" in text for text in told), told
    assert daemon.stop() == 0, daemon.err()
    t.check(lab.path("out"))


# --- the index of the WAL, which is mapped into memory ---

def test_index_is_cut(lab):
    """As when its drive fails or is full: the next access is a signal. It is
    an error with a name, and nothing that was journaled is lost."""
    t = torrent_of(lab, "cut.bin")
    seeder = Seeder(t, rate=300_000)
    add(lab, t, seeder)
    run = lab.start_btc("resume", "--journal-interval", "100")
    lab.wait(lambda: row(lab, t).get("pieces_done", 0) > 5, 30, "pieces")
    before = claimed(lab, t)
    os.truncate(lab.db + "-shm", 0)
    assert run.wait(30) == 10, run.err()
    assert "btc.db-shm" in run.err() and "Input/output error" in run.err(), (
        run.err())
    seeder.rate = 0
    assert before <= claimed(lab, t) <= t.good_pieces(lab.path("out"))
    assert lab.btc("resume").code == 0
    t.check(lab.path("out"))
    sent = seeder.n_sent()
    assert sent < t.size + 400_000, sent  # what one interval may bring


# --- the write lock ---

def test_term_while_locked(lab):
    """It ends within seconds, says why, and claims nothing falsely."""
    t = torrent_of(lab, "locked.bin")
    seeder = Seeder(t, rate=300_000)
    run = lab.start_btc("get", t.path, "-d", kit.folder(lab, "out"), "--peer",
                        seeder.address, "--journal-interval", "100")
    lab.wait(lambda: row(lab, t).get("pieces_done", 0) > 5, 30, "pieces")
    db = link(lab)
    db.execute("BEGIN IMMEDIATE")
    lab.wait(lambda: seeder.n_sent() > 1_200_000, 30, "data")
    begun = time.monotonic()
    run.signal(signal.SIGTERM)
    code = run.wait(20)
    assert time.monotonic() - begun < 8, time.monotonic() - begun
    db.execute("ROLLBACK")
    db.close()
    assert code == 12, (code, run.err())
    assert "could not be saved" in run.err(), run.err()
    assert "holds it in a transaction" in run.err(), run.err()
    kit.claims_hold(lab, t)
    again = lab.btc("resume")
    assert again.code == 0, again
    t.check(lab.path("out"))


def test_lock_while_running(lab):
    """A commit waits, and an event says for how long it did."""
    t = torrent_of(lab, "busy.bin")
    seeder = Seeder(t, rate=400_000)
    run = lab.start_btc("get", t.path, "-d", kit.folder(lab, "out"), "--peer",
                        seeder.address, "--journal-interval", "100")
    lab.wait(lambda: row(lab, t).get("pieces_done", 0) > 5, 30, "pieces")
    db = link(lab)
    db.execute("BEGIN IMMEDIATE")
    lab.wait(lambda: "holds it in a transaction" in run.err() + run.out(), 30,
             "the complaint")
    db.execute("ROLLBACK")
    db.close()
    assert run.wait(60) == 0, run.err()
    told = events(lab, "journal")
    assert len(told) == 1 and "another program held it" in told[0], told
    t.check(lab.path("out"))


# --- rows that are refused ---

def refused(lab, rule, where, name="no.bin"):
    """A run under a rule of somebody's, until it ends."""
    t = torrent_of(lab, name)
    seeder = Seeder(t)
    run = lab.btc("add", t.path, "-d", kit.folder(lab, "out"), "--seed", "none",
                  "--peer", seeder.address)
    assert run.code == 0, run
    write(lab, f"CREATE TRIGGER mine {where} BEGIN {rule}; END")
    return t, lab.btc("resume", timeout=60)


def test_refused_piece(lab):
    """Everything else is journaled; it is not complete, and heals."""
    t, run = refused(lab, "SELECT RAISE(ABORT, 'seven is mine')",
                     "BEFORE INSERT ON piece WHEN new.piece = 7")
    assert run.code == 14, run
    assert "piece 7" in run.err and "seven is mine" in run.err, run.err
    assert claimed(lab, t) == set(range(t.piece_count)) - {7}
    told = events(lab, "refused")
    assert len(told) == 1 and "piece 7" in told[0], told
    assert "seven is mine" in told[0], told
    now = row(lab, t)
    assert now["pieces_done"] == t.piece_count - 1, now
    assert now["bytes_done"] < now["bytes_total"], now
    assert now["state"] == "error", now
    write(lab, "DROP TRIGGER mine")
    again = lab.btc("resume")
    assert again.code == 0, again
    kit.is_complete(lab, t)


def test_clock_beyond_all_dates(lab):
    """SQLite knows no date after 9999: no rule of anybody's is blamed."""
    t = torrent_of(lab, "late.bin")
    clock = lab.path("clock")
    with open(clock, "w", encoding="ascii") as f:
        f.write(str(253402300800))
    env = {"LD_PRELOAD": kit.library("BTC_CLOCK"), "BTC_CLOCK_FILE": clock}
    run = lab.btc("get", t.path, "-d", kit.folder(lab, "out"), "--seed", "none",
                  "--peer", Seeder(t).address, env=env)
    assert run.code == 14, run
    assert "the clock says a year beyond 9999" in run.err, run
    assert "rule" not in run.err.splitlines()[-1], run
    os.unlink(clock)
    assert lab.btc("resume").code == 0
    kit.is_complete(lab, t)


def test_refused_at_the_start(lab):
    """What every run writes first: it says that a rule is in the way, and
    whose words these are; nothing is wrong with the command line."""
    t = torrent_of(lab, "first.bin")
    add(lab, t, Seeder(t))
    write(lab, "UPDATE torrent_stat SET peers = 5")
    for where, command in (("UPDATE ON torrent_stat", "resume"),
                           ("INSERT ON run", "resume"),
                           ("INSERT ON setting", "resume"),
                           ("UPDATE ON torrent", "verify")):
        write(lab, f"CREATE TRIGGER mine BEFORE {where} BEGIN"
                   " SELECT RAISE(ABORT, 'not mine'); END")
        run = lab.btc(command)
        assert run.code == 14, (where, run)
        assert "refuses a row (not mine); take that rule away" in run.err, (
            where, run.err)
        write(lab, "DROP TRIGGER mine")
    assert lab.btc("resume").code == 0


def test_refused_by_rollback(lab):
    """A rule that rolls everything back refuses its own row alone, too."""
    t, run = refused(lab, "SELECT RAISE(ROLLBACK, 'all of it')",
                     "BEFORE INSERT ON piece WHEN new.piece IN (3, 40)")
    assert run.code == 14, run
    assert claimed(lab, t) == set(range(t.piece_count)) - {3, 40}


def test_refused_withdrawal(lab):
    """A claim that cannot be taken back is not believed by the next run."""
    t = torrent_of(lab, "stays.bin")
    seeder = Seeder(t)
    add(lab, t, seeder)
    assert lab.btc("resume").code == 0
    kit.is_complete(lab, t)
    write(lab, "CREATE TRIGGER mine BEFORE DELETE ON piece BEGIN"
               " SELECT RAISE(ABORT, 'it stays'); END")
    path = lab.path("out/stays.bin")
    with open(path, "r+b") as f:
        f.seek(5 * LENGTH + 17)
        f.write(b"not the torrent's")
    run = lab.btc("verify")
    assert run.code != 0, run
    assert 5 in claimed(lab, t)  # the rule has its way
    assert any("piece 5" in e for e in events(lab, "refused"))
    write(lab, "DROP TRIGGER mine")
    again = lab.btc("resume")
    assert again.code == 0, again
    kit.is_complete(lab, t)
    kit.claims_hold(lab, t)


def test_refused_peer(lab):
    """What only tells of the world keeps nothing from being complete."""
    t, run = refused(lab, "SELECT RAISE(ABORT, 'no peers here')",
                     "BEFORE UPDATE ON peer")
    assert run.code == 0, run
    kit.is_complete(lab, t)
    told = events(lab, "refused")
    assert len(told) == 1 and "no peers here" in told[0], told


def test_refused_by_broken_rule(lab):
    """A trigger that cannot even run."""
    t, run = refused(lab, "INSERT INTO nowhere VALUES (1)",
                     "AFTER INSERT ON piece")
    assert run.code == 14, run
    assert "nowhere" in events(lab, "refused")[0]
    assert not claimed(lab, t)
    write(lab, "DROP TRIGGER mine")
    assert lab.btc("resume").code == 0
    assert row(lab, t)["downloaded"] == t.size, row(lab, t)


# --- somebody changes the schema under a run ---

def under_a_run(lab, sql, *args):
    """Does it to the database of a download that is under way; the run, which
    is over when it is no daemon's."""
    t = torrent_of(lab, "under.bin")
    seeder = Seeder(t, rate=t.size // 2)
    add(lab, t, seeder)
    run = lab.start_btc(*args)
    lab.wait(lambda: lab.sql("SELECT 1 FROM piece"), 30)
    write(lab, sql)
    return t, run


def named_once(lab, run, what):
    """By an event of the kind `schema` and by an error of no torrent."""
    lab.wait(lambda: events(lab, "schema"), 30)
    told = events(lab, "schema")
    assert len(told) == 1 and what in told[0], told
    assert " is missing; " in told[0], told
    assert "salvage" in told[0] or "--repair" in told[0], told
    said = run.out() + run.err()
    assert said.count(f"btc  error: {told[0]}") == 1, said


def dropped(lab, table):
    """The run ends, and says why."""
    run = under_a_run(lab, f"DROP TABLE {table}", "resume", "--progress",
                      "plain")[1]
    assert run.wait(60) == 14, run.err()
    assert f"the table {table}" in run.err(), run.err()
    assert "take that rule away" not in run.err(), run.err()
    return run


def test_pieces_dropped(lab):
    named_once(lab, dropped(lab, "piece"), "the table piece")


def test_files_dropped(lab):
    named_once(lab, dropped(lab, "file"), "the table file")


def test_torrents_dropped(lab):
    """Nothing can be written at all then."""
    dropped(lab, "torrent")


def test_needless_table_dropped(lab):
    """What only tells of the world keeps nothing from being complete."""
    t, run = under_a_run(lab, "DROP TABLE tracker", "resume", "--progress",
                         "plain")
    assert run.wait(60) == 0, run.err()
    named_once(lab, run, "the table tracker")
    assert "cannot read the wishes" not in run.err(), run.err()
    assert len(claimed(lab, t)) == t.piece_count


def test_daemon_without_a_table(lab):
    """It does not say that everything was saved."""
    t, run = under_a_run(lab, "DROP TABLE piece", "daemon")
    named_once(lab, run, "the table piece")
    lab.wait(lambda: row(lab, t)["state"] == "error", 30)
    assert run.stop() == 14, run.err()
    assert "everything is saved" not in run.out() + run.err()


def test_view_dropped(lab):
    """It is named though a run does without; what is added is nobody's
    business, and what is made anew is whole."""
    run = under_a_run(lab, "CREATE TABLE mine (x)", "daemon")[1]
    whole = lab.sql("SELECT sql FROM sqlite_schema WHERE name = 'way_list'")
    write(lab, "DROP VIEW way_list")
    named_once(lab, run, "the view way_list is missing")
    write(lab, whole[0]["sql"])
    write(lab, "DROP TRIGGER file_wished")
    lab.wait(lambda: len(events(lab, "schema")) == 2, 30)
    assert "the trigger file_wished is" in events(lab, "schema")[1]
    assert run.stop() == 0, run.err()
    assert lab.btc("db", "check", "--repair").code == 0


# --- its log is not the one that stands beside it ---

def ends_whole(lab, t, run, said):
    """The run says so and ends, the database is in order, what it claims is
    there, and the next run goes on."""
    assert run.wait(30) == 14, run.err()
    assert said in run.err(), run.err()
    check = lab.btc("db", "check")
    assert check.code == 0, check
    kit.claims_hold(lab, t)
    again = lab.btc("resume")
    assert again.code == 0, again
    kit.is_complete(lab, t)


def test_index_of_the_log_deleted(lab):
    """Somebody deletes it under a run, and another program makes it anew: the
    run ends, the database stays whole, nothing is lost."""
    t = torrent_of(lab, "log.bin", 60 * LENGTH)
    seeder = Seeder(t, rate=t.size // 4)
    add(lab, t, seeder)
    run = lab.start_btc("resume", "--journal-interval", "50")
    lab.wait(lambda: len(claimed(lab, t)) > 10, 30, "pieces")
    os.unlink(lab.db + "-shm")
    db = link(lab)
    db.execute("CREATE TABLE mine (x)")
    db.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
               " WHERE i < 400) INSERT INTO mine SELECT zeroblob(900) FROM n")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    ends_whole(lab, t, run, "-shm was deleted or replaced")


def test_log_cut(lab):
    """Somebody empties it under a run: the run ends, the database stays whole,
    what it claims is there."""
    t = torrent_of(lab, "cut.bin", 60 * LENGTH)
    seeder = Seeder(t, rate=t.size // 4)
    add(lab, t, seeder)
    run = lab.start_btc("resume", "--journal-interval", "50")
    lab.wait(lambda: len(claimed(lab, t)) > 10, 30, "pieces")
    os.truncate(lab.db + "-wal", 0)
    ends_whole(lab, t, run, "-wal was cut")


# --- rows that are written for nothing ---

def test_file_rows_once(lab):
    """What a commit says of a file it says once: a torrent of thousands of
    files is slow otherwise."""
    os.makedirs(lab.path("seed/many"))
    for i in range(20):
        lab.make_data(f"seed/many/{i:02}", 50_000 + i, seed=i)
    t = lab.make_torrent(lab.path("seed/many"), piece_length=LENGTH)
    add(lab, t, Seeder(t))
    write(lab, "CREATE TABLE mine (file, done, length)")
    write(lab, "CREATE TRIGGER mine AFTER UPDATE ON file BEGIN INSERT INTO mine"
               " VALUES (new.file, new.bytes_done, new.length); END")
    assert lab.btc("resume").code == 0
    kit.is_complete(lab, t)
    rows = lab.sql("SELECT file, count(*) AS n FROM mine WHERE done = length"
                   " GROUP BY file")
    assert {r["file"]: r["n"] for r in rows} == dict.fromkeys(range(20), 1)


# --- rows that make no sense ---

def spoil(lab, sql, *args):
    """Guards do not stop somebody who wants it."""
    db = link(lab)
    guards = db.execute("SELECT name, sql FROM sqlite_schema WHERE type ="
                        " 'trigger'").fetchall()
    for name, _ in guards:
        db.execute(f'DROP TRIGGER "{name}"')
    assert db.execute(sql, args).rowcount > 0, sql
    for _, text in guards:
        db.execute(text)
    db.close()


def nonsense(lab, sql, mend, *args):
    """Only that torrent is in error, and it heals when the row is mended."""
    lab.make_data("seed/two/a", 300_000, seed=1)
    lab.make_data("seed/two/b", 300_000, seed=2)
    bad = lab.make_torrent(lab.path("seed/two"), piece_length=LENGTH)
    good = torrent_of(lab, "good.bin")
    sick, well = Seeder(bad), Seeder(good, rate=1_500_000)
    add(lab, bad, sick)
    add(lab, good, well)
    old = lab.sql("SELECT * FROM file WHERE torrent_id = 1 AND file = 0")[0]
    spoil(lab, sql, *args)
    daemon = lab.start_btc("daemon", "--journal-interval", "100")
    lab.wait(lambda: row(lab, good).get("state") == "complete", 40, "the good")
    now = row(lab, bad)
    assert now["state"] == "error" and now["error"], now
    assert not os.path.exists(lab.path("evil")), os.listdir(lab.dir)
    assert daemon.is_running()
    spoil(lab, mend, *([old["path"]] if "?" in mend else []))
    write(lab, "UPDATE torrent SET starts = starts + 1 WHERE id = 1")
    lab.wait(lambda: row(lab, bad).get("state") == "complete", 40, "the bad")
    assert daemon.stop() == 0, daemon.err()
    bad.check(lab.path("out"))
    return now["error"]


def test_path_upwards(lab):
    error = nonsense(lab, "UPDATE file SET path = '../evil' WHERE torrent_id = 1"
                     " AND file = 0", "UPDATE file SET path = ? WHERE"
                     " torrent_id = 1 AND file = 0")
    assert "file 0" in error and "save path" in error, error


def test_path_absolute(lab):
    nonsense(lab, "UPDATE file SET path = ? WHERE torrent_id = 1 AND file = 0",
             "UPDATE file SET path = ? WHERE torrent_id = 1 AND file = 0",
             lab.path("evil"))


def test_part_upwards(lab):
    nonsense(lab, "UPDATE file SET part = '../evil/0', priority = 0 WHERE"
             " torrent_id = 1 AND file = 0", "UPDATE file SET part = NULL,"
             " priority = 4 WHERE torrent_id = 1 AND file = 0")


def test_piece_beyond(lab):
    nonsense(lab, "INSERT INTO piece (torrent_id, piece, verified_at) VALUES"
             " (1, 99999, 1)", "DELETE FROM piece WHERE torrent_id = 1 AND"
             " piece = 99999")


def test_block_beyond(lab):
    nonsense(lab, "INSERT INTO block (torrent_id, piece, block) VALUES"
             " (1, 2, 77)", "DELETE FROM block WHERE torrent_id = 1 AND"
             " block = 77")


def test_length_other(lab):
    nonsense(lab, "UPDATE file SET length = length - 1 WHERE torrent_id = 1"
             " AND file = 1", "UPDATE file SET length = length + 1 WHERE"
             " torrent_id = 1 AND file = 1")


def test_number_other(lab):
    nonsense(lab, "UPDATE file SET file = 5 WHERE torrent_id = 1 AND file = 1",
             "UPDATE file SET file = 1 WHERE torrent_id = 1 AND file = 5")


# --- a drive that hangs ---

def test_hung_drive(lab):
    """An fdatasync of eight seconds on one drive: the torrent on the other one
    goes on committing, and finishes."""
    recorder = os.environ.get("BTC_RECORD")
    if not recorder:
        raise SKIP("BTC_RECORD does not name librecord.so")
    lab.mount_tmpfs("slow", 64 << 20)
    slow, fast = torrent_of(lab, "slow.bin"), torrent_of(lab, "fast.bin",
                                                         4_000_001)
    add(lab, slow, Seeder(slow, rate=1_000_000), "slow/out")
    add(lab, fast, Seeder(fast, rate=1_000_000), "out")
    daemon = lab.start_btc(
        "daemon", "--journal-interval", "200",
        env={"LD_PRELOAD": recorder, "BTC_RECORD_ROOT": lab.path("slow"),
             "BTC_RECORD_LOG": lab.path("record.log"),
             "BTC_RECORD_SYNC_MS": "8000"})
    begun = time.monotonic()
    lab.wait(lambda: row(lab, fast).get("pieces_done", 0) > 0, 6, "the first")
    lab.wait(lambda: row(lab, fast).get("state") == "complete", 8, "the rest")
    assert time.monotonic() - begun < 8
    assert not claimed(lab, slow)
    lab.wait(lambda: row(lab, slow).get("state") == "complete", 60, "the slow")
    assert daemon.stop(60) == 0, daemon.err()
    slow.check(lab.path("slow", "out"))
    fast.check(lab.path("out"))


lab.main(__name__)
