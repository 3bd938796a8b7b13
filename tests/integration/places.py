"""Folders to save to, on each kind of file system that the machine allows, and
the trouble that comes with each: a drive (ext4 in a file) that is taken away,
read-only or has files that nobody may change, a small tmpfs that is full, an
overlay, NTFS and others in user space, a plain folder. None of it harms a byte.
`tight` is for the database, a tmpfs that may be full as well.

`drive` is where the drive is mounted. While it is not, nothing can be made
there: what lies below is read-only.
"""
import contextlib
import os
import subprocess

import kit
import lab as lab_module
from harm import Files

SMALL = 20 << 20  # the tmpfs
TIGHT = 64 << 20  # that of the database, which holds long labels


def call(*argv):
    """The exit status of a program that may fail."""
    return subprocess.run(argv, capture_output=True, check=False).returncode


class Places:
    """`all` are the folders; what the machine does not allow is printed."""

    def __init__(self, lab, chance):
        self.lab, self.random = lab, chance
        self.all = [kit.folder(lab, "plain")]
        self.drive = self.small = None
        self.tight = lab.mount_tmpfs("tight", TIGHT)
        self.is_mounted = self.is_read_only = False
        self.frozen = set()
        self.user_space = []
        for make in (self.make_drive, self.make_small, self.make_overlay,
                     self.make_ntfs, self.make_bindfs, self.make_mergerfs):
            try:
                self.all.append(make())
                if make in (self.make_ntfs, self.make_bindfs,
                            self.make_mergerfs):
                    self.user_space.append(self.all[-1])
            except (lab_module.Skip, subprocess.CalledProcessError) as e:
                print(f"without {make.__name__[len('make_'):]}: {e}")

    def make_drive(self):
        """A folder on a drive that can be taken away."""
        self.image = self.lab.make_image("drive.img", "mkfs.ext4", "-q", "-O",
                                         "^has_journal", size=96 << 20)
        below = self.lab.mount_tmpfs("below", 1 << 20)
        drive = self.lab.mount("below/drive", "mount", "-o", "loop", self.image)
        subprocess.run(["mount", "-o", "remount,ro", below], check=True)
        os.makedirs(drive + "/d")
        self.drive, self.is_mounted = drive, True
        return drive + "/d"

    def make_small(self):
        """A file system that is soon full."""
        self.small = self.lab.mount_tmpfs("small", SMALL)
        return self.small

    def make_overlay(self):
        """A folder of which one half is that of another file system: a file
        gets another inode when it is first written to."""
        low, up, work = (kit.folder(self.lab, "overlay", name)
                         for name in ("low", "up", "work"))
        os.makedirs(low + "/many")
        return self.lab.mount(
            "over", "mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir={low},upperdir={up},workdir={work}")

    def make_ntfs(self):
        """One by way of FUSE, which forgets inodes."""
        image = self.lab.make_image("ntfs.img", "mkfs.ntfs", "-F", "-Q",
                                    size=40 << 20)
        return self.lab.mount("ntfs", lab_module.find("ntfs-3g"), image)

    def make_bindfs(self):
        """One by way of FUSE, with inodes of its own and one time for both."""
        return self.lab.mount_user_space("bindfs", "bindfs", "--no-allow-other")

    def make_mergerfs(self):
        """One by way of FUSE where each name of a file has its own inode."""
        return self.lab.mount_user_space("merged", "mergerfs")

    # --- what can be seen

    def is_there(self, path):
        """It is not on the drive, or that is mounted."""
        return (self.is_mounted or self.drive is None
                or not path.startswith(self.drive))

    def files(self):
        """All files that can be seen, but what fills a drive."""
        return [os.path.join(top, name)
                for place in self.all if self.is_there(place)
                for top, _, names in os.walk(place) for name in names
                if name != "ballast"]

    def ways_to_harm(self, path):
        """Those of harm.py that can be seen. With FUSE each name of a file has
        a cache of its own: what is written by way of another is not."""
        in_user_space = any(path.startswith(p + "/") for p in self.user_space)
        return [w for w in Files.ALL if w != "by_link" or not in_user_space]

    # --- trouble

    def trouble(self):
        """Some trouble comes or goes; gives its name."""
        choices = [self.fill, self.free]
        if self.drive:
            choices += [self.read_only, self.writable, self.freeze, self.thaw,
                        self.unmount, self.mount]
        choice = self.random.choice(choices)
        return f"{choice.__name__} {choice()}"

    def fill(self):
        """The small one is full, or that of the database."""
        full = self.random.choice((self.small or self.tight, self.tight))
        with contextlib.suppress(OSError):
            with open(full + "/ballast", "wb", buffering=0) as f:
                while f.write(bytes(1 << 16)):
                    pass
        return full

    def free(self, only=None):
        """They are not, or one is not."""
        for full in filter(None, [only] if only else [self.small, self.tight]):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(full + "/ballast")

    def read_only(self):
        """The drive is, where nothing is open for writing."""
        if self.is_mounted and call("mount", "-o", "remount,ro",
                                    self.drive) == 0:
            self.is_read_only = True
        return self.is_read_only

    def writable(self):
        """The drive is again."""
        if self.is_read_only and call("mount", "-o", "remount,rw",
                                      self.drive) == 0:
            self.is_read_only = False
        return not self.is_read_only

    def freeze(self):
        """A file or folder of the drive may not be changed, or only grow."""
        found = [os.path.join(top, name)
                 for top, folders, names in os.walk(self.all[1])
                 for name in folders + names] if self.is_mounted else []
        if found:
            path = self.random.choice(found)
            flag = self.random.choice(("+i", "+a"))
            if call("chattr", flag, path) == 0:
                self.frozen.add(path)
                return f"{flag} {path}"
        return None

    def thaw(self):
        """All of them may."""
        if self.is_mounted and not self.is_read_only:
            for path in self.frozen:
                call("chattr", "-i", "-a", path)
            self.frozen.clear()

    def unmount(self):
        """The drive goes, unless it is in use."""
        if self.is_mounted and call("umount", self.drive) == 0:
            self.is_mounted = self.is_read_only = False
        return not self.is_mounted

    def mount(self):
        """The drive comes."""
        if self.drive and not self.is_mounted:
            subprocess.run(["mount", "-o", "loop", self.image, self.drive],
                           check=True)
            self.is_mounted = True

    def heal(self):
        """No trouble any more."""
        self.mount()
        if self.drive:
            assert self.writable(), "the drive stays read-only"
            self.thaw()
        self.free()
