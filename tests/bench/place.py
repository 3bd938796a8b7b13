"""What the bench runs on: said beside the figures, and looked at before it
begins. Who cannot have what the rows need is told so at once, with numbers; the
folders that it makes are its own and go with it."""
import datetime
import fcntl
import glob
import os
import re
import shutil
import time

from stage import MIB

SPARE = 256  # MiB in the work folder for databases, logs, small files
PROCESSES = 1024  # MiB of memory for the clients themselves
TRIED = (1024, 512, 256, 128, 64)  # --mib that may fit


class NoPlace(Exception):
    """It cannot run here; the text says why, and what would do."""


def read(path, default=""):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return default


# --- what is said ---

def machine(disk):
    """Names and values that the figures depend on; `disk` is the folder on one."""
    model = re.search(r"^model name\s*: (.*)$", read("/proc/cpuinfo"), re.M)
    return {
        "date": datetime.datetime.now().astimezone().isoformat(" ", "minutes"),
        "kernel": " ".join((os.uname().sysname, os.uname().release,
                            os.uname().machine)),
        "processor": model.group(1) if model else "unknown",
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{meminfo('MemTotal') / 1024:.0f} GiB",
        "busy before": f"{busy():.0f} %",
        "tcp": read("/proc/sys/net/ipv4/tcp_congestion_control",
                    "unknown").strip(),
        "disk": file_system(disk)}


def busy(seconds=1):
    """Per cent of all cores that somebody uses while we do nothing."""
    def ticks():
        """Idle ones (also those that wait for a disk), and all."""
        values = [int(v) for v in read("/proc/stat").split("\n", 1)[0]
                  .split()[1:9]]
        return sum(values[3:5]), sum(values)
    idle, total = ticks()
    time.sleep(seconds)
    idle_then, total_then = ticks()
    return 100 * (1 - (idle_then - idle) / max(1, total_then - total))


def meminfo(name):
    """MiB by a name of /proc/meminfo; 0 when it has none."""
    found = re.search(rf"^{name}:\s+(\d+) kB", read("/proc/meminfo"), re.M)
    return int(found.group(1)) / 1024 if found else 0


def file_system(path):
    """The type of what is mounted where the path lies."""
    path, best, kind = os.path.realpath(path), "", "unknown"
    for line in read("/proc/mounts").splitlines():
        where, this = line.split()[1:3]
        inside = path == where or path.startswith(where.rstrip("/") + "/")
        if inside and len(where) >= len(best):
            best, kind = where, this
    return kind


# --- what is looked at ---

def check_network():
    """Addresses are added to the loopback device: in a network of our own."""
    if len(read("/proc/net/route").splitlines()) > 1:
        raise NoPlace("this is no network of its own: start scripts/bench, or "
                      "this in `unshare -n`")


def claim(parent, name):
    """Makes our folder in there, empty, and locks it; its path and the lock. What
    lies in it is left from a bench that was killed."""
    path = os.path.join(os.path.abspath(parent), name)
    try:
        os.makedirs(path, exist_ok=True)
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as e:
        raise NoPlace(f"{path}: {e.strerror}") from e
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
        os.close(lock)
        raise NoPlace(f"another bench runs in {path}; two at once would measure "
                      "each other") from e
    for name in os.listdir(path):
        old = os.path.join(path, name)
        if os.path.isdir(old) and not os.path.islink(old):
            shutil.rmtree(old)
        else:
            os.remove(old)
    return path, lock


def release(claimed):
    """Removes the folder while it is ours."""
    path, lock = claimed
    shutil.rmtree(path, ignore_errors=True)
    os.close(lock)


def sessions():
    """What Transmission 3.00 leaves in /tmp, wherever it is told to live, when it
    is killed. It holds a lock on that of a session that lives."""
    return set(glob.glob("/tmp/tr_session_id_*"))


def remove_sessions(but):
    for path in sessions() - but:
        try:
            with open(path, "rb") as f:
                fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.remove(path)
        except OSError:
            pass  # somebody else's


def free(path):
    """MiB that a folder has room for, which is memory when it lies there."""
    room = shutil.disk_usage(path).free / MIB
    if file_system(path) in ("tmpfs", "ramfs"):
        room = min(room, memory_left() - PROCESSES)
    return max(0, room)


def memory_left():
    """MiB: those of the machine, or of a container that has a limit."""
    left = meminfo("MemAvailable")
    most = read("/sys/fs/cgroup/memory.max").strip()
    used = read("/sys/fs/cgroup/memory.current").strip()
    if most.isdigit() and used.isdigit():
        left = min(left, (int(most) - int(used)) / MIB)
    return left


def check_room(rows, options, work, disk):
    """Each row tells its MiB in the work folder and on the disk (Row.room)."""
    for path, which, spare in ((work, 0, SPARE), (disk, 1, 0)):
        def need(mib):
            return max((row.room(mib, options.torrents)[which]
                        for row in rows), default=0) + spare
        have, wanted = free(path), need(options.mib)
        if wanted > have:
            row = max(rows, key=lambda r: r.room(options.mib,
                                                 options.torrents)[which])
            raise NoPlace(too_small(path, row.name, wanted, have, next(
                (m for m in TRIED if m < options.mib and need(m) <= have),
                0), "--disk" if which else "--work"))


def too_small(path, row, wanted, have, mib, option):
    parent = os.path.dirname(path)
    ways = [f"--mib {mib}"] if mib else []
    ways += [f"{option} FOLDER with more room", f"--rows without {row}"]
    text = (f"{parent} is too small: the row {row} needs {wanted:,.0f} MiB, "
            f"there is room for {have:,.0f} MiB")
    if file_system(path) == "tmpfs":
        text += f" (with {PROCESSES:,} MiB of memory left for the clients)"
        if memory_left() - PROCESSES >= wanted:
            ways.insert(0, f"mount -o remount,size={wanted / 1024 + 1:.0f}G "
                           f"{parent} as root")
    return f"{text}.\nWhat would do: {'; '.join(ways)}"
