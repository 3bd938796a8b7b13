-- More that is wished of a magnet for the time when its files are known.

-- What the link itself chooses (so=): counts when nothing was selected by hand;
-- as --select; NULL = nothing.
ALTER TABLE magnet ADD COLUMN link_selected TEXT;

-- wish: keep the .torrent as this file; NULL = nowhere
ALTER TABLE magnet ADD COLUMN torrent_file TEXT
    CONSTRAINT "torrent_file must be an absolute path"
    CHECK (torrent_file GLOB '/*');

-- Priorities wished before the files are known. They go with the magnet's row.
CREATE TABLE magnet_file (
    torrent_id INTEGER NOT NULL            -- the magnet
        REFERENCES magnet (torrent_id) ON DELETE CASCADE,
    file INTEGER NOT NULL CHECK (file >= 0), -- index, from 0
    priority INTEGER NOT NULL              -- wish: 0 = off, 4 = normal, 7 = high
        CONSTRAINT "priority must be 0 to 7" CHECK (priority BETWEEN 0 AND 7),
    PRIMARY KEY (torrent_id, file)
) STRICT;

PRAGMA user_version = 11;
