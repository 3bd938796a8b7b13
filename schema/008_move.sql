-- The data of a torrent is moved in steps that each may be the last: it is
-- linked or copied to its new place, save_path is changed in one transaction, the
-- old names go. What a step needs to be undone, or to be finished, stands here.

-- A move that is under way, or whose program was killed. While it lasts the
-- torrent is wished to pause, so that no engine writes to its files.
CREATE TABLE move (
    torrent_id INTEGER PRIMARY KEY        -- the torrent
        REFERENCES torrent (id) ON DELETE CASCADE,
    from_path TEXT NOT NULL,              -- save_path before
    to_path TEXT NOT NULL,                -- and after
    wanted TEXT NOT NULL                  -- what was wished of it before
        CHECK (wanted IN ('run', 'pause')),
    starts INTEGER NOT NULL,              -- torrent.starts then: more says that somebody has started it meanwhile
    switched INTEGER NOT NULL DEFAULT 0 CHECK (switched IN (0, 1)), -- save_path is to_path: the old names are to go; 0: the new ones
    pid INTEGER NOT NULL,                 -- of the program that moves it
    boot_id TEXT NOT NULL                 -- of the machine's boot: with another one that program is gone
) STRICT;

-- A file of such a move.
CREATE TABLE move_file (
    torrent_id INTEGER NOT NULL           -- the torrent
        REFERENCES torrent (id) ON DELETE CASCADE,
    file INTEGER NOT NULL CHECK (file >= 0), -- index in the torrent
    path TEXT NOT NULL CHECK (path <> ''), -- below both folders
    old_dev INTEGER NOT NULL,             -- the file below from_path: device
    old_ino INTEGER NOT NULL,             -- and inode
    new_dev INTEGER,                      -- the file below to_path: device; NULL = not made yet
    new_ino INTEGER,                      -- and inode
    PRIMARY KEY (torrent_id, file)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 8;
