-- What is on disk and not the torrent's is never overwritten, unless a person
-- insists.
ALTER TABLE torrent ADD COLUMN overwrite INTEGER NOT NULL DEFAULT 0 -- wish: write over files that are there and hold nothing of the torrent; the engine sets it back
    CONSTRAINT "overwrite must be 0 or 1" CHECK (overwrite IN (0, 1));

-- Which files of torrents are one file on disk, whatever their names.
CREATE INDEX file_identity ON file (dev, ino) WHERE dev IS NOT NULL;

PRAGMA user_version = 3;
