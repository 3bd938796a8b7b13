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
        bytes_total = min(bytes_total + NEW.length,
                          (SELECT total_size FROM torrent WHERE id = NEW.torrent_id)),
        bytes_done = bytes_done + NEW.bytes_done,
        state = CASE WHEN state IN ('complete', 'seeding') THEN 'queued' ELSE state END
        WHERE torrent_id = NEW.torrent_id;
END;

PRAGMA user_version = 19;
