#!/usr/bin/python3
"""What is written is so: each command and option of `btc help` stands in the
manual and has its help; the commands, options, files and SQL of the READMEs
exist; the exit statuses are the same everywhere."""
import os
import pathlib
import re
import shlex
import sqlite3
import subprocess
import sys
import tempfile

SKIPPED = 77
ROOT = pathlib.Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = [README, ROOT / "schema" / "README.md", ROOT / "src" / "README.md"]
MANUAL = ROOT / "src" / "cli" / "btc.1"
NUMBERS = set(range(17))

BTC = os.environ.get("BTC", "")


def btc(*args, status=0):
    done = subprocess.run([BTC, *args], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == status, (args, done.returncode, done.stderr)
    return done.stdout


def commands():
    """The names that `btc help` lists."""
    return re.findall(r"^  ([a-z]+)(?= )", btc("help"), re.M)


def options(command):
    """The long and short options that the help of a command shows."""
    text = btc(command, "--help")
    assert text == btc("help", command), command
    # Continued lines begin further right.
    found = re.findall(r"^  (?:-(\w), |    )--([a-z-]+)", text, re.M)
    return ({long for _, long in found}, {short for short, _ in found if short})


def manual():
    """The manual's text: its escapes and macros taken away."""
    text = MANUAL.read_text()
    return text.replace(r"\-", "-")


def blocks(page):
    """The shell lines of a page: comments off, continued lines joined."""
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(),
                            re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip():
                yield line.strip()


def words(line):
    """A line as a shell reads it; comments end it."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    return list(lexer)


def calls(line):
    """The commands of a line, each a list of words."""
    call = []
    for word in words(line):
        if set(word) <= set(";&|"):
            yield call
            call = []
        elif word not in ("until", "do", "done", "sudo", "$"):
            call.append(word)
    yield call


def test_help_and_manual():
    text = manual()
    listed = commands()
    assert len(listed) >= 20, listed
    for command in listed:
        assert re.search(rf"^\.It Cm {command}\b", text, re.M), \
            f"the manual has no command {command}"
        long, short = options(command)
        for name in long:
            assert re.search(rf"(Fl|,) -{name}\b", text), \
                f"the manual has no option --{name} (btc {command})"
        for letter in short:
            assert re.search(rf"\bFl {letter}\b", text), \
                f"the manual has no option -{letter} (btc {command})"


def test_manual_has_no_more():
    """What the manual offers exists."""
    known = set().union(*(options(c)[0] for c in commands())) | {"version"}
    for name in re.findall(r"^\.It (?:Fl \w , )?Fl -([a-z-]+)", manual(), re.M):
        assert name in known, f"the manual offers --{name}"


def check_btc_call(page, call):
    name = call[1] if len(call) > 1 else "help"
    if name not in commands():
        assert False, f"{page.name}: there is no `btc {name}`"
    long, short = options(name)
    for word in call[2:]:
        option = word.split("=")[0]
        if option.startswith("--"):
            assert option[2:] in long, f"{page.name}: btc {name} {option}"
        elif re.fullmatch(r"-\w+", option):
            assert set(option[1:]) <= short, f"{page.name}: btc {name} {option}"


def test_pages_commands():
    n = 0
    for page in PAGES:
        for line in blocks(page):
            for call in calls(line):
                if call and call[0] == "btc":
                    check_btc_call(page, call)
                    n += 1
                elif call and call[0].startswith("./"):
                    assert os.access(ROOT / call[0], os.X_OK), \
                        f"{page.name}: {call[0]} cannot be run"
                    n += 1
    assert n >= 12, n


def test_inline_commands():
    """`btc ...` inside the text."""
    for page in PAGES:
        for text in re.findall(r"`btc ([a-z]+)(?: [^`]*)?`", page.read_text()):
            assert text in commands(), f"{page.name}: `btc {text}`"


def test_links():
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page}: {link}"


def test_sql():
    """Each query of the pages runs on a real database."""
    with tempfile.TemporaryDirectory(prefix="btc-docs-") as work:
        data, torrent, db = (os.path.join(work, n)
                             for n in ("data", "data.torrent", "btc.db"))
        pathlib.Path(data).write_bytes(bytes(100_000))
        btc("create", data, "-o", torrent, "-q", "-t", "http://a.example/a")
        btc("add", "-q", "--db", db, "-d", work, torrent)
        n = 0
        for page in PAGES:
            for line in blocks(page):
                for call in calls(line):
                    if call and call[0] == "sqlite3":
                        run_query(page, db, call[-1])
                        n += 1
        assert n >= 12, n


def run_query(page, db, query):
    link = sqlite3.connect(db)
    try:
        link.execute(query).fetchall()
        link.commit()
    except sqlite3.Error as e:
        assert False, f"{page}: {query}: {e}"
    finally:
        link.close()


def test_exit_statuses():
    told = {int(number): (star == "*", text) for number, star, text in
            re.findall(r"^ +(\d+) ([ *]) (.+)$", btc("help", "exit"), re.M)}
    assert set(told) == NUMBERS, told

    part = README.read_text().split("## Exit codes")[1].split("## ")[0]
    table = {int(number): (bool(star), text) for number, star, text in
             re.findall(r"\| (\d+)( \*)? \| ([^|]+?) (?=\|)", part)}
    assert table == told, table

    part = re.search(r"^\.Sh EXIT STATUS$(.*?)^\.Sh", manual(), re.M | re.S)[1]
    man = {int(number): bool(star) for number, star in
           re.findall(r"^\.It (\d+)( \*)?$", part, re.M)}
    assert man == {k: v[0] for k, v in told.items()}, man


def test_unknown_words():
    """Whoever errs is told what there is."""
    for args in (["hlep"], ["get", "--dwon", "1"], ["help", "gte"]):
        done = subprocess.run([BTC, *args], capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode in (2, 3), (args, done.returncode)
        assert "btc help" in done.stderr or "did you mean" in done.stderr, \
            (args, done.stderr)


def main():
    if not BTC:
        print("skipped: BTC does not name a btc to test")
        return SKIPPED
    os.environ.update({"XDG_CONFIG_HOME": "/nonexistent", "NO_COLOR": "1"})
    tests = {name: function for name, function in globals().items()
             if name.startswith("test_")}
    for name in sys.argv[1:] or tests:
        tests[name]()
        print(f"{name}: ok", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
