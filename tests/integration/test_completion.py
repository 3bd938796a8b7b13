#!/usr/bin/python3
"""What a person gets who presses TAB in bash and zsh: real shells on a
pseudo-terminal, with nothing of theirs but the completion of btc. A key of the
test makes the shell write down the line that it has."""
import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
FOLDER = pathlib.Path(__file__).resolve().parents[2] / "src/cli/completion"
DUMP = "\x07"  # ^G
BTC = os.environ.get("BTC", "")

# What is typed before TAB, and the line after it.
LINES = (
    ("btc stat", "btc status "),
    ("btc get --sequ", "btc get --sequential "),
    ("btc status --j", "btc status --json "),
    ("btc get --verify fu", "btc get --verify full "),
    ("btc get --verify=fu", "btc get --verify=full "),
    ("btc get --seed=fo", "btc get --seed=forever "),
    ("btc get a.tor", "btc get a.torrent "),
    ("btc a.tor", "btc a.torrent "),
    ("btc get -d down", "btc get -d downloads/"),
    ("btc get --dir=down", "btc get --dir=downloads/"),
    ("btc --db=da", "btc --db=data "),
    ("btc --db btc.db stat", "btc --db btc.db status "),
    ("btc status ", "btc status 1 "),
    ("btc rm --data ", "btc rm --data 1 "),
    ("btc set ", "btc set 1 "),
    ("btc set 1 dow", "btc set 1 down="),
    ("btc db sch", "btc db schema "),
    ("btc db backup da", "btc db backup data "),
    ("btc help exi", "btc help exit "),
)

BASH = f"""
. {FOLDER}/btc.bash
bind 'set enable-bracketed-paste off'
dump() {{ printf '%s' "$READLINE_LINE" >line.new; mv line.new line; }}
bind -x '"\\C-g": dump'
: >ready
"""
ZSH = f"""
fpath=({FOLDER} $fpath)
autoload -U compinit && compinit -u -D
dump() {{ print -rn -- "$BUFFER" >line.new; mv line.new line }}
zle -N dump
bindkey -e
bindkey '^G' dump
: >ready
"""


class Shell:
    """A shell on a terminal of its own, in the folder where we are."""

    def __init__(self, argv, setup):
        pathlib.Path("setup").write_text(setup)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(argv[0], argv)
        self.shown = b""
        self.type(". ./setup\n")
        self.take("ready")

    def type(self, text):
        os.write(self.fd, text.encode())

    def take(self, name):
        """The text of a file that the shell writes."""
        end = time.monotonic() + 20
        while not os.path.exists(name):
            assert time.monotonic() < end, (name, self.shown[-2000:])
            if select.select([self.fd], [], [], 0.02)[0]:
                self.shown += os.read(self.fd, 65536)
        text = pathlib.Path(name).read_text()
        os.remove(name)
        return text

    def complete(self, line):
        """The line after TAB; the line is taken away again."""
        self.type(line + "\t" + DUMP)
        after = self.take("line")
        self.type("\x01\x0b")  # ^A ^K
        return after

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def prepare():
    """A database with one torrent, beside it a file and a folder."""
    pathlib.Path("data").write_bytes(bytes(40000))
    os.mkdir("downloads")
    for command in (["create", "data", "-o", "a.torrent"],
                    ["add", "a.torrent"]):
        subprocess.run([BTC, *command], check=True, capture_output=True)


def check(argv, setup):
    shell, wrong = Shell(argv, setup), []
    try:
        for line, want in LINES:
            got = shell.complete(line)
            if got != want:
                wrong.append(f"{argv[0]}: '{line}' became '{got}'")
    finally:
        shell.close()
    assert not wrong, "\n".join(wrong)


def main():
    if not BTC:
        print("skipped: BTC does not name a btc to test")
        return SKIPPED
    shells = {"bash": (["bash", "--norc", "--noprofile", "-i"], BASH),
              "zsh": (["zsh", "-f", "-i"], ZSH)}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        path = os.path.dirname(os.path.abspath(BTC))
        os.environ.update({
            "PATH": path + ":" + os.environ["PATH"], "BTC_DB": "btc.db",
            "XDG_CONFIG_HOME": "/nonexistent", "TERM": "dumb", "PS1": "$ ",
            "HISTFILE": "", "INPUTRC": "/dev/null"})
        prepare()
        for name, (argv, setup) in shells.items():
            found = shutil.which(name)
            if found:
                check(argv, setup)
            print(f"{name}: {'ok' if found else 'is not installed'}",
                  flush=True)
        os.chdir("/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
