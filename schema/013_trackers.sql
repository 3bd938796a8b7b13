-- What a tracker was promised holds for the next run, too.
ALTER TABLE tracker ADD COLUMN failures INTEGER NOT NULL DEFAULT 0 -- announces that failed, in a row
    CHECK (failures >= 0);
ALTER TABLE tracker ADD COLUMN not_before INTEGER; -- nothing is sent to it before this; NULL = at any time

-- A row per tracker, in the order in which they are asked.
DROP VIEW tracker_list;
CREATE VIEW tracker_list AS
SELECT torrent_id, tier, url, state, last_announce, next_announce, seeders,
       leechers, error, id, completed, failures, not_before
FROM tracker ORDER BY torrent_id, tier, id;

-- What came of the connections to a peer, also of one that was never reached.
ALTER TABLE peer ADD COLUMN outcome TEXT;       -- how the last one ended, as a sentence about the peer; NULL = not known
ALTER TABLE peer ADD COLUMN outcome_at INTEGER; -- when that was seen last
ALTER TABLE peer ADD COLUMN outcome_count INTEGER NOT NULL DEFAULT 0 -- how often in a row, in the run that saw it last
    CHECK (outcome_count >= 0);

-- A row per known peer; connections and rates hold as in `live`.
DROP VIEW peer_list;
CREATE VIEW peer_list AS
SELECT p.torrent_id, p.address, p.port, p.source, p.client,
       p.connected AND l.holds AS connected,
       p.choking, p.interested,
       CASE WHEN p.connected AND l.fresh THEN p.down_rate ELSE 0 END AS down_rate,
       CASE WHEN p.connected AND l.fresh THEN p.up_rate ELSE 0 END AS up_rate,
       p.bytes_down, p.bytes_up, p.failures, p.last_seen,
       p.banned, p.is_seed, p.connectable, p.outcome, p.outcome_at,
       p.outcome_count
FROM peer AS p JOIN live AS l ON l.torrent_id = p.torrent_id;

PRAGMA user_version = 13;
