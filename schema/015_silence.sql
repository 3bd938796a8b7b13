-- A drive that does not answer.
ALTER TABLE torrent_stat ADD COLUMN storage_since INTEGER; -- its drive has not answered since then; NULL = it does, or nothing was asked of it

-- A row per torrent whose drive does not answer the engine that runs.
CREATE VIEW storage_list AS
SELECT s.torrent_id, t.save_path, s.storage_since AS since,
       max(0, unixepoch() - s.storage_since) AS silent_s
FROM torrent_stat AS s
JOIN torrent AS t ON t.id = s.torrent_id
JOIN live AS l ON l.torrent_id = s.torrent_id
WHERE s.storage_since NOT NULL AND l.open;

PRAGMA user_version = 15;
