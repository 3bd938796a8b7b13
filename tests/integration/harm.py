"""What people and programs do to a file behind a client's back."""
import os
import shutil
import time


class Files:
    """The manipulations of one file of `size` bytes, by name."""

    def __init__(self, lab, path, source, size, ways=()):
        self.path, self.random, self.size = path, source, size
        self.ways = ways or self.ALL
        self.old = lab.path("old", os.path.basename(path))
        self.beside = path + ".beside"

    def manipulate(self):
        """One of them; its name."""
        self.keep()
        name = self.random.choice(self.ways)
        getattr(self, name)()
        return name

    def keep(self):
        """An older copy, for later."""
        if not os.path.exists(self.old) or self.random.random() < 0.3:
            shutil.copy2(self.path, self.old)

    def put_back(self):
        """cp -p: written in place, the times of the copy."""
        times = os.stat(self.old)
        with open(self.old, "rb") as a, open(self.path, "r+b") as b:
            b.truncate(0)
            shutil.copyfileobj(a, b)
        os.utime(self.path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def sync_inplace(self):
        """rsync --inplace -t: only what differs is written, no new length."""
        times = os.stat(self.old)
        with open(self.old, "rb") as a, open(self.path, "r+b") as b:
            while chunk := a.read(4096):
                b.write(chunk)
        os.utime(self.path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def dd(self):
        """dd conv=notrunc."""
        with open(self.path, "r+b") as f:
            f.seek(self.random.randrange(self.size))
            f.write(self.random.randbytes(self.random.choice((1, 512, 70_000))))
            size = f.seek(0, 2)
            f.truncate(min(size, self.size))

    def dd_with_times(self):
        """The same, and the time of the content is set back."""
        times = os.stat(self.path)
        self.dd()
        os.utime(self.path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def cut(self):
        """truncate, and mostly back to its length."""
        os.truncate(self.path, self.random.randrange(self.size))
        if self.random.random() < 0.7:
            os.truncate(self.path, self.size)

    def swap(self):
        """mv: another file of the same length and times takes its name."""
        times = os.stat(self.path)
        shutil.copy2(self.old, self.beside)
        os.utime(self.beside, ns=(times.st_atime_ns, times.st_mtime_ns))
        os.replace(self.beside, self.path)

    def away_and_back(self):
        os.rename(self.path, self.beside)
        os.rename(self.beside, self.path)

    def by_link(self):
        """A hard link, and bytes written by way of it."""
        os.link(self.path, self.beside)
        with open(self.beside, "r+b") as f:
            f.seek(self.random.randrange(self.size))
            f.write(b"by another name")
            size = f.seek(0, 2)
            f.truncate(min(size, self.size))
        os.unlink(self.beside)

    def touch(self):
        now = time.time() + self.random.choice((-90000, -1, 0, 3600))
        os.utime(self.path, (now, now))

    ALL = ("put_back", "sync_inplace", "dd", "dd_with_times", "cut", "swap",
           "away_and_back", "by_link", "touch")
