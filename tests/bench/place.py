"""What the bench runs on: said beside the figures."""
import datetime
import os
import re


def read(path, default=""):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return default


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
        "tcp": read("/proc/sys/net/ipv4/tcp_congestion_control",
                    "unknown").strip(),
        "disk": file_system(disk)}


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
