-- What trackers say of their torrents when they are scraped (BEP 48).
ALTER TABLE tracker ADD COLUMN completed INTEGER CHECK (completed >= 0); -- downloads that have ended, as it says

-- A row per tracker, in the order in which they are asked.
DROP VIEW tracker_list;
CREATE VIEW tracker_list AS
SELECT torrent_id, tier, url, state, last_announce, next_announce, seeders,
       leechers, error, id, completed
FROM tracker ORDER BY torrent_id, tier, id;

PRAGMA user_version = 12;
