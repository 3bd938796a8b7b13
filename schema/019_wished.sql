-- What is complete and is then wished elsewhere, or with one file more, is not
-- complete until a run has looked. An engine that lives says itself what is so.
CREATE TRIGGER torrent_elsewhere AFTER UPDATE OF save_path ON torrent
WHEN NEW.save_path <> OLD.save_path AND NOT EXISTS (SELECT 1 FROM engine_fresh WHERE after < 0)
BEGIN
    UPDATE torrent_stat SET state = 'queued'
        WHERE torrent_id = NEW.id AND state IN ('complete', 'seeding');
END;

CREATE TRIGGER file_wished AFTER UPDATE OF priority ON file
WHEN OLD.priority = 0 AND NEW.priority > 0 AND NOT NEW.pad
    AND NOT EXISTS (SELECT 1 FROM engine_fresh WHERE after < 0)
BEGIN
    UPDATE torrent_stat SET
        bytes_total = bytes_total + NEW.length,
        bytes_done = bytes_done + NEW.bytes_done,
        state = CASE WHEN state IN ('complete', 'seeding') THEN 'queued' ELSE state END
        WHERE torrent_id = NEW.torrent_id;
END;

-- The sums go down again with a file that is wished no more, or a second change
-- of mind would count it twice.
CREATE TRIGGER file_unwished AFTER UPDATE OF priority ON file
WHEN OLD.priority > 0 AND NEW.priority = 0 AND NOT NEW.pad
    AND NOT EXISTS (SELECT 1 FROM engine_fresh WHERE after < 0)
BEGIN
    UPDATE torrent_stat SET
        bytes_total = max(0, bytes_total - NEW.length),
        bytes_done = max(0, bytes_done - NEW.bytes_done)
        WHERE torrent_id = NEW.torrent_id;
END;

PRAGMA user_version = 19;
