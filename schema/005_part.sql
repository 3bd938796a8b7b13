-- A piece that a wanted file shares with one that is not wanted has bytes of
-- both. Those of the other are kept out of sight until it is wanted.
ALTER TABLE file ADD COLUMN part TEXT; -- where its bytes lie while it is not wanted, below save_path; NULL = at its path

-- Where a torrent without data is wished to another place, no drive is missing.
CREATE TRIGGER torrent_place AFTER UPDATE OF save_path ON torrent
WHEN NEW.save_path <> OLD.save_path
BEGIN
    UPDATE torrent_stat SET root_dev = NULL
        WHERE torrent_id = NEW.id AND pieces_done = 0;
END;

PRAGMA user_version = 5;
