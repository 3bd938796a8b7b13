"""What a disk may hold after a power cut.

librecord.so (record.c) has recorded every write, size, name and sync of a
program. Disk replays the record and keeps, for each file and folder, what is
durable and what is not yet; Disk.image() makes one of the states that the
power cut may leave behind, and Image writes it out as files.

The disk is a hard one, harder than today's file systems:
- a file's bytes and size are durable when an fsync or fdatasync of that file
  has ended that began after the write; its name when its folder was synced; the
  folder's name when the folder above was;
- of what is not durable any part may be there, in any order, torn at sectors of
  512 or 4096 bytes; what is lost reads as before, as zeros, or (variant
  garbage) as anything;
- a rename is whole or not there.

Only what the record shows to be unsynced is ever touched.
"""
import collections
import os
import random
import struct

HEAD = struct.Struct("<IIQQQQIIQ")
MAGIC = 0x42524543
(OPEN, WRITE, SIZE, EXTEND, MKDIR, UNLINK, RENAME, LINK, SYNC_BEGIN, SYNC_END,
 RESULT, BAD, SYNC_FAIL) = range(1, 14)
MADE, IS_DIR, CUT = 1, 2, 4

Record = collections.namedtuple("Record", "op id ino at time path path2 data")

# Which unsynced changes are there, by the kind of file ("db" or "data").
VARIANTS = ("none", "all", "db-kept", "data-kept", "early", "late", "random",
            "torn", "garbage", "names-lost")


class RecordError(Exception):
    """The record shows something that cannot be followed."""


def trim_log(path):
    """Takes the record away in which a process was killed, before the next one
    appends: what it speaks of was not made yet."""
    with open(path, "r+b") as f:
        end, size = 0, os.fstat(f.fileno()).st_size
        while end + HEAD.size <= size:
            f.seek(end)
            magic, *_, n1, n2, n = HEAD.unpack(f.read(HEAD.size))
            if magic != MAGIC or end + HEAD.size + n1 + n2 + n > size:
                break
            end += HEAD.size + n1 + n2 + n
        f.truncate(end)


def read_log(path):
    """All records, writes cut to what was really made."""
    with open(path, "rb") as f:
        blob = f.read()
    view, at, records, made = memoryview(blob), 0, [], {}
    while at + HEAD.size <= len(blob):
        magic, op, rid, ino, where, time, n1, n2, n = HEAD.unpack_from(blob, at)
        if magic != MAGIC:
            raise RecordError(f"no record at byte {at} of {path}")
        at += HEAD.size
        end = at + n1 + n2 + n
        if end > len(blob):
            break  # the process was killed while it wrote this: trim_log
        name, name2 = blob[at:at + n1], blob[at + n1:at + n1 + n2]
        if op == BAD:
            raise RecordError(f"cannot follow: {name.decode()}")
        if op == RESULT:
            made[where] = ino
        records.append(Record(op, rid, ino, where, time, os.fsdecode(name),
                              os.fsdecode(name2), view[at + n1 + n2:end]))
        at = end
    if made:
        records = [r._replace(data=r.data[:made[r.id]])
                   if r.op == WRITE and r.id in made else r for r in records]
    return records


class Change:
    """A change that is not durable yet."""
    __slots__ = ("seq", "kind", "at", "data", "time", "gone", "name", "done")

    def __init__(self, seq, kind, at=0, data=b"", time=0, gone=None, name=None):
        self.seq, self.kind, self.time = seq, kind, time
        self.at, self.data = at, data      # of a file
        self.gone, self.name = gone, name  # of folders: (folder, name[, node])
        self.done = False


class File:
    def __init__(self, path):
        self.path = path           # the first name: tells database from data
        self.bytes = bytearray()   # durable
        self.time = 0              # of the last durable change
        self.pending = []

    def settle(self, seq):
        """All changes before `seq` are durable."""
        keep = [c for c in self.pending if c.seq >= seq]
        for c in self.pending:
            if c.seq < seq:
                put(self.bytes, c.kind, c.at, c.data)
                self.time = max(self.time, c.time)
        self.pending = keep


class Folder:
    def __init__(self, path):
        self.path = path
        self.names = {}    # durable: name -> node
        self.now = {}      # as the program sees it
        self.pending = []

    def settle(self, seq):
        for c in self.pending:
            if c.seq < seq:
                put_name(c)
        self.pending = [c for c in self.pending if not c.done]


def put(content, kind, at, data):
    """Applies a change to a file's bytes."""
    if kind == WRITE:
        if len(content) < at:
            content.extend(bytes(at - len(content)))
        content[at:at + len(data)] = data
    elif kind == SIZE and len(content) > at:
        del content[at:]
    elif len(content) < at:
        content.extend(bytes(at - len(content)))


def put_name(change):
    """Applies a change of names to the durable folders, whole and once."""
    if change.done:
        return
    change.done = True
    if change.gone:
        folder, name = change.gone
        folder.names.pop(name, None)
    if change.name:
        folder, name, node = change.name
        folder.names[name] = node


class Image:
    """One state of a disk: files {path: (bytes, mtime_ns)}, folders; paths are
    relative to the root."""

    def __init__(self, files, folders):
        self.files, self.folders = files, folders

    def get(self, path):
        """The bytes of a file, or None."""
        found = self.files.get(path)
        return found[0] if found else None

    def write(self, root, only=lambda path: True):
        """Writes it below an empty or absent folder."""
        os.makedirs(root, exist_ok=True)
        for path in sorted(self.folders):
            os.makedirs(os.path.join(root, path), exist_ok=True)
        for path, (content, time) in self.files.items():
            if not only(path):
                continue
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "wb") as f:
                # Holes stay holes, as far as a block of zeros can tell.
                for at in range(0, len(content), 65536):
                    part = content[at:at + 65536]
                    if part.count(0) != len(part):
                        f.seek(at)
                        f.write(part)
                f.truncate(len(content))
            os.utime(full, ns=(time, time))


class Disk:
    """Replays a record. `is_db(path)` tells the database's files apart;
    `existing` are folders that were there and durable at the beginning."""

    def __init__(self, root, records, is_db, existing=()):
        self.root = os.path.realpath(root)
        self.records, self.is_db = records, is_db
        self.top = Folder("")
        self.nodes = {}    # ino -> node
        self.begun = {}    # id of a SYNC_BEGIN -> its place
        self.place = 0     # records replayed
        for path in existing:
            folder, name = self.find(os.path.join(self.root, path))
            self.make_name(folder, name, Folder(path))
            folder.settle(self.place + 1)

    def forward(self, place):
        """Replays up to record number `place`."""
        while self.place < place:
            self.step(self.records[self.place])
            self.place += 1

    def cuts(self, n, rng):
        """The places of all ends of syncs and, of others, `n` random ones."""
        ends = [i + 1 for i, r in enumerate(self.records) if r.op == SYNC_END]
        begins = [i for i, r in enumerate(self.records) if r.op == SYNC_END]
        others = rng.sample(range(len(self.records) + 1),
                            min(n, len(self.records) + 1))
        return sorted(set(ends) | set(begins) | set(others))

    def find(self, path):
        """(folder, name) of a path; the folder as the program sees it."""
        parts = os.path.relpath(path, self.root).split(os.sep)
        folder = self.top
        for part in parts[:-1]:
            node = folder.now.get(part)
            if not isinstance(node, Folder):
                node = self.make_name(folder, part, Folder(
                    os.path.join(folder.path, part)))
            folder = node
        return folder, parts[-1]

    def make_name(self, folder, name, node):
        """A new name, not durable."""
        folder.now[name] = node
        folder.pending.append(
            Change(self.place, OPEN, name=(folder, name, node)))
        return node

    def step(self, r):
        if r.op == OPEN:
            self.step_open(r)
        elif r.op in (WRITE, SIZE, EXTEND):
            node = self.nodes[r.ino]
            if r.op != WRITE or len(r.data):
                node.pending.append(
                    Change(self.place, r.op, r.at, r.data, r.time))
        elif r.op == MKDIR:
            folder, name = self.find(r.path)
            self.nodes[r.ino] = self.make_name(
                folder, name, Folder(os.path.join(folder.path, name)))
        elif r.op in (UNLINK, RENAME, LINK):
            self.step_names(r)
        elif r.op == SYNC_BEGIN:
            self.begun[r.id] = self.place
        elif r.op == SYNC_END:
            self.nodes[r.ino].settle(self.begun[r.at])
        elif r.op == SYNC_FAIL:
            node = self.nodes[r.ino]
            node.pending = [c for c in node.pending if c.seq > self.begun[r.at]]

    def step_open(self, r):
        if os.path.realpath(r.path) == self.root or r.path == self.root:
            self.nodes[r.ino] = self.top
            return
        folder, name = self.find(r.path)
        node = folder.now.get(name)
        is_dir = bool(r.at & IS_DIR)
        if r.at & MADE or node is None or isinstance(node, Folder) != is_dir:
            kind = Folder if is_dir else File
            node = self.make_name(folder, name,
                                  kind(os.path.join(folder.path, name)))
        self.nodes[r.ino] = node
        if r.at & CUT:
            node.pending.append(Change(self.place, SIZE, 0, b"", r.time))

    def step_names(self, r):
        folder, name = self.find(r.path)
        node = folder.now.get(name)
        if r.op == UNLINK:
            folder.now.pop(name, None)
            folder.pending.append(Change(self.place, r.op, gone=(folder, name)))
            return
        into, name2 = self.find(r.path2)
        into.now[name2] = node
        change = Change(self.place, r.op, name=(into, name2, node))
        if r.op == RENAME:
            del folder.now[name]
            change.gone = (folder, name)
            if folder is not into:
                folder.pending.append(change)
        into.pending.append(change)

    # --- images

    def image(self, variant, rng):
        """What may be there if the power went now."""
        maker = Maker(self, variant, rng)
        files, folders = {}, set()
        queue = [("", self.top)]
        while queue:
            prefix, folder = queue.pop()
            for name, node in maker.names(folder).items():
                path = os.path.join(prefix, name)
                if isinstance(node, Folder):
                    folders.add(path)
                    queue.append((path, node))
                else:
                    files[path] = maker.content(node)
        return Image(files, folders)

    def snapshot(self):
        """What the program sees: for the test of the recorder itself."""
        return self.image("all", random.Random(0))


class Maker:
    """The choices of one image."""

    def __init__(self, disk, variant, rng):
        self.disk, self.variant, self.rng = disk, variant, rng
        self.sector = rng.choice((512, 4096))
        self.pivot = rng.randrange(max(0, disk.place - 2000), disk.place + 1)
        self.share = rng.random()
        self.chosen = {}  # id of a change of names -> bool
        self.made = {}    # file -> its content

    def keeps_name(self, change):
        """A change that touches two folders has one fate."""
        if id(change) not in self.chosen:
            keep = {"none": False, "all": True, "names-lost": False,
                    "early": change.seq < self.pivot,
                    "late": change.seq >= self.pivot}.get(self.variant)
            if keep is None and self.variant in ("db-kept", "data-kept"):
                where = (change.name or change.gone)
                path = os.path.join(where[0].path, where[1])
                keep = self.disk.is_db(path) == (self.variant == "db-kept")
            if keep is None:
                keep = self.rng.random() < 0.5
            self.chosen[id(change)] = keep
        return self.chosen[id(change)]

    def names(self, folder):
        """The names of a folder, as far as they are kept."""
        names = dict(folder.names)
        for c in folder.pending:
            if c.done or not self.keeps_name(c):
                continue
            if c.gone and c.gone[0] is folder:
                names.pop(c.gone[1], None)
            if c.name and c.name[0] is folder:
                names[c.name[1]] = c.name[2]
        return names

    def keeps(self, node, change):
        """True, False, or "torn"."""
        v, is_db = self.variant, self.disk.is_db(node.path)
        if v in ("none", "all", "names-lost"):
            return v != "none"
        if v in ("db-kept", "data-kept"):
            return is_db == (v == "db-kept")
        if v in ("early", "late"):
            return (change.seq < self.pivot) == (v == "early")
        if v == "random":
            return self.rng.random() < self.share
        return "torn" if self.rng.random() < 0.7 else self.rng.random() < 0.5

    def content(self, node):
        """The bytes and the time of a file."""
        if not node.pending:
            return node.bytes, node.time
        if node in self.made:  # it has two names
            return self.made[node]
        content, time = bytearray(node.bytes), node.time
        size, lost = len(content), False
        for c in node.pending:
            keep = self.keeps(node, c)
            lost |= keep is not True
            if keep is True:
                put(content, c.kind, c.at, c.data)
            elif keep == "torn" and c.kind == WRITE:
                self.tear(content, c)
            if keep:
                time = max(time, c.time)
            size = max(size, c.at + (len(c.data) if c.kind == WRITE else 0))
        if lost and len(content) < size and self.rng.random() < 0.3:
            content.extend(bytes(size - len(content)))  # size came, data not
        self.made[node] = content, time
        return content, time

    def tear(self, content, change):
        """Keeps some sectors of a write."""
        ends = list(range(change.at - change.at % self.sector + self.sector,
                          change.at + len(change.data), self.sector))
        ends.append(change.at + len(change.data))
        way = self.rng.randrange(3)
        pivot = self.rng.randrange(len(ends) + 1)
        begin = change.at
        for i, end in enumerate(ends):
            if way == 2:
                keep = self.rng.random() < 0.5
            else:
                keep = (i < pivot) == (way == 0)
            if keep:
                put(content, WRITE, begin,
                    change.data[begin - change.at:end - change.at])
            elif self.variant == "garbage" and i % 7 == pivot % 7:
                put(content, WRITE, begin, self.rng.randbytes(end - begin))
            begin = end


def sample(places, n, rng):
    """`n` of some places, in order, spread over all."""
    return sorted(rng.sample(places, n)) if n < len(places) else list(places)

