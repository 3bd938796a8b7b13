#!/usr/bin/python3
"""Bad usage: exit 2, and a text that names the option, the value and what is
allowed; unknown torrents: exit 3."""
import json
import os
import pathlib
import subprocess

import lab as laboratory
from lab import benc

INFO = {"name": "data", "piece length": 16384, "length": 40000,
        "pieces": bytes(60)}

# option and value: what the text must name besides them
VALUES = {
    "--port": (("-1", "65536", "x", "", "1.5", "80 "), "65535"),
    "--max-peers": (("0", "-1", "x", "99999999999999999999"), "65535"),
    "--down": (("-1", "x", "5X", "1e6", "M", "99999999999G"), "5M"),
    "--up": (("-1K", "x"), "5M"),
    "--seed": (("", "yes", "ratio", "ratio:", "ratio:x", "ratio:-1", "time:",
                "time:x"), "ratio:1.0"),
    "--verify": (("", "x", "AUTO", "auto,full"), "auto"),
    "--alloc": (("x", "spars"), "sparse"),
    "--progress": (("x",), "plain"),
    "--journal-interval": (("0", "9", "-5", "x", "600001"), "600000"),
    "--cache": (("1", "0", "x"), "1M"),
    "--min-free": (("-1", "x"), "512K"),
    "--max-time": (("x", "-5s", "5y"), "90s"),
    "--stall-timeout": (("x", "s"), "90s"),
    "--peer": (("x", "x:", ":1", "x:0", "x:65536", "1.2.3.4", "1.2.3.4:x",
                "[::1", "::1:1:"), "HOST:PORT"),
    "--select": (("99", "0", "x.nomatch", "3-1", "1,,x"), ""),
}


def make(lab):
    path = lab.path("x.torrent")
    pathlib.Path(path).write_bytes(benc({"info": INFO}))
    return path


def test_values(lab):
    torrent, wrong = make(lab), []
    for option, (values, allowed) in VALUES.items():
        for value in values:
            run = lab.btc("get", torrent, "-d", lab.dir, option, value,
                          timeout=20)
            if (run.code != 2 or option.lstrip("-") not in run.err or
                    allowed not in run.err or
                    value and value.strip() not in run.err):
                wrong.append(f"{option} '{value}': {run!r}")
    assert not wrong, "\n".join(wrong)
    assert not os.path.exists(lab.db) or not lab.sql("SELECT 1 FROM torrent")


def test_create_values(lab):
    data = lab.make_data("data", 100000)
    out = lab.path("out.torrent")
    for option, value in (("-l", "x"), ("-l", "100000"), ("-l", "1"),
                          ("-l", "1G"), ("-t", "nonsense"), ("-w", "x")):
        run = lab.btc("create", data, "-o", out, option, value)
        assert run.code == 2 and value in run.err, (option, value, run)
        assert not os.path.exists(out), (option, value)
    run = lab.btc("create", lab.path("missing"), "-o", out)
    assert run.code == 3 and "missing" in run.err, run
    run = lab.btc("create", data, "-o", lab.path("no", "x")[:-2] + "/a/b")
    assert run.code in (3, 10, 11), run
    assert lab.btc("create", data, "-o", out).code == 0
    assert lab.btc("create", data, "-o", out).code == 0  # it is the same
    run = lab.btc("create", data, "-o", out, "-l", "32K")
    assert run.code == 13 and out in run.err and "--force" in run.err, run


def test_environment_and_file(lab):
    """The same refusals from there, and they say where it stands."""
    torrent = make(lab)
    run = lab.btc("get", torrent, env={"BTC_PORT": "x"})
    assert run.code == 2 and "BTC_PORT" in run.err and "65535" in run.err, run
    config = lab.path("btc.conf")
    for line in ("port = x", "prot = 1", "nonsense", "port", "= 5"):
        pathlib.Path(config).write_text(f"# mine\n\n{line}\n")
        run = lab.btc("get", torrent, "--config", config)
        assert run.code == 2 and config in run.err, (line, run)
        assert "line 3" in run.err, (line, run)
    run = lab.btc("get", torrent, "--config", lab.path("missing.conf"))
    assert run.code == 2 and "missing.conf" in run.err, run
    pathlib.Path(config).write_bytes(b"\xff\x00\x01" * 5000)
    run = lab.btc("get", torrent, "--config", config)
    assert run.code == 2 and config in run.err, run
    run = lab.btc("get", torrent, "--config", lab.dir)
    assert run.code == 2 and "Is a directory" in run.err, run
    for args in (("help",), ("help", "get"), ("version",), ("get", "--help")):
        run = lab.btc(*args, env={"BTC_CONFIG": config})
        assert run.code == 0 and not run.err, (args, run)
    run = lab.btc("version", env={"BTC_JSON": "true"})
    assert run.json()["version"], run


def test_usage(lab):
    """No command, a wrong one, wrong words, options of another command."""
    torrent = make(lab)
    for args, part in ((("gte", torrent), "get"), (("stauts",), "status"),
                       (("get",), "SRC"), (("info",), "SRC"),
                       (("set", "1"), "KEY"), (("db",), "check"),
                       (("db", "burn"), "check"), (("info", "a", "b"), "b"),
                       (("get", "--nonsense", torrent), "--nonsense"),
                       (("get", "--sequentail", torrent), "--sequential"),
                       (("get", torrent, "--port"), "--port"),
                       (("status", "--sequential"), "--sequential"),
                       (("get", "-Z", torrent), "-Z"),
                       (("status", "--json", "--ndjson"), "--ndjson"),
                       (("get", torrent, torrent, "-o", "x"), "--out"),
                       (("get", torrent, "-o", "a/b"), "--out"),
                       (("get", torrent, "-o", ".."), "--out"),
                       (("get", torrent, "-o", "-"), "--out"),
                       (("get", torrent, "-n", "-o", "-"), "--out"),
                       (("add", torrent, "--save-torrent", "-"), "standard"),
                       (("info", torrent, "--save-torrent", "-"), "standard"),
                       (("db", "backup", "-"), "standard"),
                       (("db", "restore", ""), "unset"),
                       (("move", "1", "-"), "the folder"),
                       (("move", "1", ""), "unset")):
        run = lab.btc(*args)
        assert run.code == 2, (args, run)
        assert part.lower() in run.err.lower(), (args, run)
    assert lab.btc().code == 2
    run = lab.btc("get", "--json", "--port", "x", torrent)
    assert run.code == 2 and run.json()["error"]["status"] == 2, run


def test_closed_streams(lab):
    """No file of btc's gets the number of a stream that is closed, and what
    cannot be printed is not called a success."""
    with subprocess.Popen(["sh", "-c", "exec \"$BTC\" info - >&- 2>&-"],
                          stdin=subprocess.PIPE, env=dict(os.environ)) as run:
        def stands_there():
            try:
                return {os.readlink(f"/proc/{run.pid}/fd/{fd}")
                        for fd in (1, 2)} == {"/dev/null"}
            except FileNotFoundError:
                return False
        try:
            lab.wait(stands_there, 20, "the streams to be filled")
        finally:
            run.stdin.close()
    run = subprocess.run(["sh", "-c", "exec \"$BTC\" help >&-"], check=False)
    assert run.returncode == 10, run


def test_nothing_there(lab):
    """A database without torrents: who asks is told so, programs get a list."""
    assert lab.btc("add", make(lab)).code == 0
    assert lab.btc("rm", "1").code == 0
    for view in ("status", "files", "peers", "trackers", "pieces"):
        run = lab.btc(view)
        assert run.code == 0 and not run.out, run
        assert len(run.err.splitlines()) == 1, run
        found = lab.btc(view, "--json").json()
        assert [] in found.values(), found


def test_unknown_torrents(lab):
    torrent = make(lab)
    assert lab.btc("add", torrent).code == 0
    unknown = ("2", "0", "-- -1", "nobody", "ffff", "f" * 40, "", " ", "%",
               "1; DROP TABLE torrent", "9" * 30, "data2", "dat?")
    commands = ("start", "pause", "files", "peers", "trackers", "pieces",
                "log", "why", "status", "verify", "resume")
    for i, word in enumerate(unknown):
        command = commands[i % len(commands)]
        run = lab.btc(command, *word.split(" ", 1)) if word.startswith(
            "--") else lab.btc(command, word)
        assert run.code == 3, (command, word, run)
        name = word.split()[-1] if word.strip() else ""
        assert name in run.err, (command, word, run)
    for command in commands:
        run = lab.btc(command, "nobody")
        assert run.code == 3 and "nobody" in run.err, (command, run)
        run = lab.btc(command, "nobody", "--json")
        assert run.code == 3, (command, run)
        assert json.loads(run.out)["error"]["status"] == 3, (command, run)
    assert lab.btc("rm", "nobody", "-y").code == 3
    assert lab.btc("set", "nobody", "sequential=1").code == 3
    assert lab.sql("SELECT count(*) FROM torrent")[0][0] == 1


def test_ambiguous(lab):
    """A prefix of two hashes is no torrent, and the text says which there are.
    """
    first = {}
    for i in range(300):
        info = dict(INFO, name=f"data{i}")
        digest = laboratory.hashlib.sha1(benc(info)).hexdigest()
        if digest[0] in first and not digest[0].isdigit():
            break
        first[digest[0]] = info
    for x in (info, first[digest[0]]):
        pathlib.Path(lab.path("x.torrent")).write_bytes(benc({"info": x}))
        assert lab.btc("add", lab.path("x.torrent")).code == 0
    run = lab.btc("pause", digest[0])
    assert run.code in (2, 3) and digest[0] in run.err, run


def test_bad_wishes(lab):
    """btc set refuses what makes no sense, and so does SQLite."""
    torrent = make(lab)
    assert lab.btc("add", torrent).code == 0
    for word in ("sequential", "sequential=", "sequential=2", "down=x",
                 "up_limit=-1", "max_peers=x", "max-peers=99999999", "x=1",
                 "seed=x", "=", "priority=1", "wanted=fly", "info_hash=1",
                 "id=5", "name=y; DROP TABLE torrent"):
        run = lab.btc("set", "1", word)
        assert run.code == 2, (word, run)
        key = word.split("=")[0]
        assert key in run.err, (word, run)
    link = laboratory.sqlite3.connect(lab.db)
    for sql in ("UPDATE torrent SET wanted = 'fly'",
                "UPDATE torrent SET down_limit = -1",
                "UPDATE torrent SET sequential = 2",
                "UPDATE torrent SET seed_mode = 'x'",
                "UPDATE file SET priority = 9"):
        try:
            link.execute(sql)
            raise AssertionError(f"SQLite took: {sql}")
        except laboratory.sqlite3.IntegrityError:
            link.rollback()
    link.close()


laboratory.main(__name__)
