-- A torrent may be added before it is known what it holds: a magnet. Its row has
-- piece_length 0 until the info dictionary has come from peers.

-- What was wished of a magnet for the time when its files are known. The row goes
-- when the info dictionary stands in metainfo.
CREATE TABLE magnet (
    torrent_id INTEGER PRIMARY KEY        -- the torrent
        REFERENCES torrent (id) ON DELETE CASCADE,
    given_name TEXT NOT NULL,             -- what the link called it, or the info hash
    selected TEXT,                        -- wish: as --select; NULL = all files
    excluded TEXT,                        -- wish: as --exclude; NULL = none
    out_name TEXT,                        -- wish: as --out; NULL = the torrent's own
    metadata_size INTEGER NOT NULL DEFAULT 0 -- bytes of the info dictionary; 0 = not known yet
        CHECK (metadata_size >= 0)
) STRICT;

-- Pieces (16 KiB, BEP 9) of an info dictionary that is not whole yet: as peers
-- sent them, not verified.
CREATE TABLE metadata_piece (
    torrent_id INTEGER NOT NULL           -- the torrent
        REFERENCES torrent (id) ON DELETE CASCADE,
    piece INTEGER NOT NULL CHECK (piece >= 0), -- index, from 0
    data BLOB NOT NULL,                   -- its bytes
    PRIMARY KEY (torrent_id, piece)
) STRICT;

PRAGMA user_version = 6;
