"""Whether a journal claims more than there is.

Truth knows the right bytes of a torrent; Truth.judge compares the claims of a
database with bytes that are given file by file. Claims are rows of `piece` and
`block` and the sums in `torrent_stat` and `file`, which `progress` shows.
"""
import bisect
import collections
import os
import sqlite3

BLOCK = 16384

Claims = collections.namedtuple(
    "Claims", "torrents pieces blocks bytes_done pieces_done files")


def read_claims(db, torrent=None):
    """What a database claims of a torrent (its id), or of its only one; opens it
    read-write, so that SQLite recovers it as btc would. Raises
    sqlite3.DatabaseError."""
    link = sqlite3.connect(db, timeout=10)
    try:
        bad = link.execute("PRAGMA integrity_check").fetchall()
        if bad != [("ok",)]:
            raise sqlite3.DatabaseError(f"integrity_check: {bad[:3]}")
        known = link.execute("SELECT count(*) FROM sqlite_schema"
                             " WHERE name = 'progress'").fetchone()[0]
        if not known:
            return Claims(0, [], [], 0, 0, {})
        def select(columns, table, key="torrent_id"):
            return link.execute(f"SELECT {columns} FROM {table} WHERE ?1 IS NULL"
                                f" OR {key} = ?1", (torrent,)).fetchall()
        rows = select("bytes_done, pieces_done", "progress", "id")
        return Claims(
            len(rows), [r[0] for r in select("piece", "piece")],
            select("piece, block", "block"),
            sum(r[0] for r in rows), sum(r[1] for r in rows),
            dict(select("file, bytes_done", "file")))
    finally:
        link.close()


class Truth:
    """The right bytes of a torrent of lab.py."""

    def __init__(self, torrent):
        self.torrent = torrent
        self.length = torrent.piece_length
        is_folder = "files" in torrent.info
        self.paths, self.right = [], []
        for f in torrent.files:
            self.paths.append(os.path.join(torrent.name, f.path) if is_folder
                              else torrent.name)
            if f.pad:
                self.right.append(None)
                continue
            source = os.path.join(torrent.source, f.path) if is_folder else (
                torrent.source)
            with open(source, "rb") as stream:
                self.right.append(stream.read())

        self.ends = [f.offset + f.length for f in torrent.files]
        self.in_piece = [list(self.spans(p * self.length,
                                         (p + 1) * self.length))
                         for p in range(torrent.piece_count)]

    def spans(self, begin, end):
        """(file, from, to) of a range of the torrent's bytes, without pads."""
        i = bisect.bisect_right(self.ends, begin)
        while i < len(self.ends) and self.torrent.files[i].offset < end:
            f = self.torrent.files[i]
            a, b = max(begin, f.offset), min(end, self.ends[i])
            if a < b and not f.pad:
                yield i, a - f.offset, b - f.offset
            i += 1

    def is_good(self, there, spans):
        """Whether some spans are right; `there` has each file's bytes."""
        return all(there[i] is not None and there[i][a:b] == self.right[i][a:b]
                   for i, a, b in spans)

    def good_pieces(self, there):
        """What a full hash finds."""
        return {p for p, spans in enumerate(self.in_piece)
                if self.is_good(there, spans)}

    def payload(self, pieces):
        """The bytes of each file in some pieces: {file: bytes}, no pads."""
        found = collections.Counter()
        for p in pieces:
            for i, a, b in self.in_piece[p]:
                found[i] += b - a
        return found

    def on_disk(self, folder, parts=None):
        """The bytes of each file below a download folder, None if absent.
        `parts` are the paths of those that are kept out of sight, by file."""
        there = []
        for i, (f, path) in enumerate(zip(self.torrent.files, self.paths)):
            full = os.path.join(folder, path)
            hidden = os.path.join(folder, (parts or {}).get(i) or path)
            if os.path.isfile(hidden):
                full = hidden
            if f.pad or not os.path.isfile(full):
                there.append(None)
                continue
            with open(full, "rb") as stream:
                there.append(stream.read())
        return there

    def judge(self, claims, there):
        """The claims that are not true, as texts."""
        if claims.torrents == 0:
            return []
        good, wrong = self.good_pieces(there), []
        payload = self.payload(good)
        for p in claims.pieces:
            if p not in good:
                wrong.append(f"piece {p} is claimed and not there")
        for p, b in claims.blocks:
            begin = p * self.length + b * BLOCK
            end = min(begin + BLOCK, (p + 1) * self.length)
            if not self.is_good(there, self.spans(begin, end)):
                wrong.append(f"block {b} of piece {p} is claimed and not there")
        if claims.bytes_done > payload.total():
            wrong.append(f"progress claims {claims.bytes_done} bytes, "
                         f"{payload.total()} are good")
        if claims.pieces_done > len(good):
            wrong.append(f"progress claims {claims.pieces_done} pieces, "
                         f"{len(good)} are good")
        for i, done in claims.files.items():
            if done > payload[i]:
                wrong.append(f"file {i} claims {done} bytes, {payload[i]} are "
                             "good")
        return wrong
