-- A .torrent that is to be kept (magnet.torrent_file) is kept, also when btc was
-- killed after the files were known and before it was written.
ALTER TABLE torrent_stat ADD COLUMN keep_owed TEXT -- where the .torrent is still to be kept; NULL = nowhere
    CHECK (keep_owed GLOB '/*');

PRAGMA user_version = 17;
