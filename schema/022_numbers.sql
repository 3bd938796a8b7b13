-- A number that somebody has written by hand, however high, costs nobody else
-- anything.

-- The log keeps its newest 10,000 rows by their order, not by their numbers: one
-- row of a high number does not take all others away. It is cut with every
-- hundredth row, for that takes a walk over all that stays.
DROP TRIGGER event_cap;
CREATE TRIGGER event_cap AFTER INSERT ON event WHEN NEW.id % 100 = 0
BEGIN
    DELETE FROM event
        WHERE id < (SELECT id FROM event ORDER BY id DESC LIMIT 1 OFFSET 9999);
END;

-- Behind the highest number there is starts go on at 0. All that counts is that
-- they change.
DROP TRIGGER torrent_start;
CREATE TRIGGER torrent_start AFTER UPDATE OF wanted ON torrent
WHEN NEW.wanted = 'run'
BEGIN
    UPDATE torrent
        SET starts = CASE starts WHEN 9223372036854775807 THEN 0 ELSE starts + 1 END
        WHERE id = NEW.id;
END;

PRAGMA user_version = 22;
