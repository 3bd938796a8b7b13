-- What nobody works on is `queued`: neither downloaded nor checked. A check of a
-- column can only be changed by making its table anew.
DROP VIEW peer_list;
DROP VIEW progress;
DROP VIEW live;
DROP VIEW engine;
DROP TRIGGER torrent_insert;
DROP TRIGGER torrent_place;

-- Live facts of a torrent: the one small row that changes all the time.
CREATE TABLE torrent_stat_queued (
    torrent_id INTEGER PRIMARY KEY        -- the torrent
        REFERENCES torrent (id) ON DELETE CASCADE,
    state TEXT NOT NULL                   -- what it does now, or did when it was last worked on
        CONSTRAINT "state must be a state of schema/README.md"
        CHECK (state IN ('metadata', 'queued', 'checking', 'downloading', 'seeding',
                         'paused', 'complete', 'waiting-storage',
                         'waiting-space', 'error')),
    bytes_done INTEGER NOT NULL DEFAULT 0 CHECK (bytes_done >= 0),   -- verified and durable, of wanted files
    bytes_total INTEGER NOT NULL DEFAULT 0 CHECK (bytes_total >= 0), -- of wanted files, without pads
    pieces_done INTEGER NOT NULL DEFAULT 0 CHECK (pieces_done >= 0), -- verified and durable
    down_rate INTEGER NOT NULL DEFAULT 0 CHECK (down_rate >= 0),     -- payload coming in
    up_rate INTEGER NOT NULL DEFAULT 0 CHECK (up_rate >= 0),         -- payload going out
    eta_s INTEGER CHECK (eta_s >= 0),                                -- seconds until complete
    peers INTEGER NOT NULL DEFAULT 0 CHECK (peers >= 0),             -- connected
    seeds INTEGER NOT NULL DEFAULT 0 CHECK (seeds >= 0),             -- connected peers that have everything
    downloaded INTEGER NOT NULL DEFAULT 0 CHECK (downloaded >= 0),   -- payload ever fetched
    uploaded INTEGER NOT NULL DEFAULT 0 CHECK (uploaded >= 0),       -- payload ever served
    wasted INTEGER NOT NULL DEFAULT 0 CHECK (wasted >= 0),           -- payload ever thrown away
    error_code INTEGER NOT NULL DEFAULT 0, -- 0 or a negative code of btc
    error TEXT,                            -- why it does not go on
    checked_to INTEGER NOT NULL DEFAULT 0 CHECK (checked_to >= 0), -- an interrupted check goes on at this piece
    completed_at INTEGER,                  -- when the last wanted piece was done
    seeding_s INTEGER NOT NULL DEFAULT 0 CHECK (seeding_s >= 0), -- seconds ever spent seeding
    root_dev INTEGER,                      -- filesystem of save_path when data was there
    updated_at INTEGER NOT NULL,           -- when this row last changed
    last_run INTEGER                       -- the newest run that may have written its files; NULL = none or not known
) STRICT;
INSERT INTO torrent_stat_queued
SELECT torrent_id, state, bytes_done, bytes_total, pieces_done, down_rate,
       up_rate, eta_s, peers, seeds, downloaded, uploaded, wasted, error_code,
       error, checked_to, completed_at, seeding_s, root_dev, updated_at, last_run
FROM torrent_stat;
DROP TABLE torrent_stat;
ALTER TABLE torrent_stat_queued RENAME TO torrent_stat;
UPDATE torrent_stat SET state = 'queued' WHERE state = 'checking' AND last_run IS NULL;

-- Each torrent has its row of facts from the beginning.
CREATE TRIGGER torrent_insert AFTER INSERT ON torrent
BEGIN
    INSERT INTO torrent_stat (torrent_id, state, bytes_total, updated_at)
    VALUES (NEW.id,
            CASE WHEN NEW.piece_length = 0 THEN 'metadata'
                 WHEN NEW.wanted = 'pause' THEN 'paused'
                 ELSE 'queued' END,
            NEW.total_size, unixepoch());
END;

-- Where a torrent without data is wished to another place, no drive is missing.
CREATE TRIGGER torrent_place AFTER UPDATE OF save_path ON torrent
WHEN NEW.save_path <> OLD.save_path
BEGIN
    UPDATE torrent_stat SET root_dev = NULL
        WHERE torrent_id = NEW.id AND pieces_done = 0;
END;

-- What was moved goes to the day's sum.
CREATE TRIGGER stat_history AFTER UPDATE OF downloaded, uploaded ON torrent_stat
WHEN NEW.downloaded > OLD.downloaded OR NEW.uploaded > OLD.uploaded
BEGIN
    INSERT INTO history (day, torrent_id, downloaded, uploaded)
    VALUES (date('now'), NEW.torrent_id,
            max(0, NEW.downloaded - OLD.downloaded),
            max(0, NEW.uploaded - OLD.uploaded))
    ON CONFLICT (day, torrent_id) DO UPDATE SET
        downloaded = downloaded + excluded.downloaded,
        uploaded = uploaded + excluded.uploaded;
END;

-- What an engine writes that has nothing else to say; heartbeat_at tells when it
-- last wrote of data, and so what on disk may be its work.
ALTER TABLE run ADD COLUMN alive_at INTEGER; -- when it last said that it lives; NULL = never

-- The newest run. `open`: it has not ended in order (it runs, or it was killed).
CREATE VIEW engine AS
SELECT id AS run_id, pid, version, boot_id, started_at, heartbeat_at, ended_at,
       ended_at IS NULL AS open, max(heartbeat_at, coalesce(alive_at, 0)) AS alive_at
FROM run ORDER BY id DESC LIMIT 1;

-- How much of a torrent's live facts still holds. A run that was killed looks
-- open, so `fresh` (checking, downloading, rates, eta_s) also wants a write in the
-- last 30 s: an engine writes every ten seconds as long as something is unfinished.
-- One that has nothing but seeds at rest writes nothing, so what `holds` (peers)
-- needs no fresh write when nothing moved at the last one.
CREATE VIEW live AS
SELECT torrent_id, open,
       open AND quiet_s < 30 AS fresh,
       open AND (quiet_s < 30 OR (down_rate = 0 AND up_rate = 0)) AS holds
FROM (SELECT s.torrent_id, s.down_rate, s.up_rate, coalesce(e.open, 0) AS open,
             unixepoch() - max(s.updated_at, coalesce(e.alive_at, 0)) AS quiet_s
      FROM torrent_stat AS s LEFT JOIN engine AS e ON 1);

-- A row per torrent. percent is rounded down: 100.0 is complete.
CREATE VIEW progress AS
SELECT t.id, t.info_hash, t.name,
       CASE WHEN l.fresh OR s.state = 'complete' THEN s.state
            WHEN t.wanted = 'pause' THEN 'paused'
            WHEN s.state IN ('checking', 'downloading') THEN 'queued'
            WHEN s.state = 'seeding' AND NOT l.open THEN 'complete'
            ELSE s.state END AS state,
       t.wanted,
       CASE WHEN t.piece_length = 0 THEN 0.0
            WHEN s.bytes_done >= s.bytes_total THEN 100.0
            ELSE min(9999, CAST(s.bytes_done * 10000.0 / s.bytes_total AS INTEGER)) / 100.0
       END AS percent,
       s.bytes_done, s.bytes_total,
       max(0, s.bytes_total - s.bytes_done) AS bytes_left,
       s.pieces_done, t.n_pieces AS pieces_total,
       CASE WHEN l.fresh THEN s.down_rate ELSE 0 END AS down_rate,
       CASE WHEN l.fresh THEN s.up_rate ELSE 0 END AS up_rate,
       CASE WHEN l.fresh THEN s.eta_s END AS eta_s,
       CASE WHEN l.holds THEN s.peers ELSE 0 END AS peers,
       CASE WHEN l.holds THEN s.seeds ELSE 0 END AS seeds,
       CASE WHEN s.downloaded > 0 THEN round(1.0 * s.uploaded / s.downloaded, 3)
            WHEN s.bytes_done > 0 THEN round(1.0 * s.uploaded / s.bytes_done, 3)
            ELSE 0.0 END AS ratio,
       s.error, t.save_path, s.updated_at,
       -- more, without a promise of order
       s.error_code, s.downloaded, s.uploaded, s.wasted, s.checked_to,
       t.added_at, s.completed_at, s.seeding_s, t.label, t.sequential,
       t.seed_mode, t.seed_goal, t.down_limit, t.up_limit, t.max_peers,
       t.is_private, t.piece_length, t.n_files
FROM torrent AS t
JOIN torrent_stat AS s ON s.torrent_id = t.id
JOIN live AS l ON l.torrent_id = t.id;

-- A row per known peer; connections and rates hold as in `live`.
CREATE VIEW peer_list AS
SELECT p.torrent_id, p.address, p.port, p.source, p.client,
       p.connected AND l.holds AS connected,
       p.choking, p.interested,
       CASE WHEN p.connected AND l.fresh THEN p.down_rate ELSE 0 END AS down_rate,
       CASE WHEN p.connected AND l.fresh THEN p.up_rate ELSE 0 END AS up_rate,
       p.bytes_down, p.bytes_up, p.failures, p.last_seen,
       p.banned, p.is_seed, p.connectable
FROM peer AS p JOIN live AS l ON l.torrent_id = p.torrent_id;

PRAGMA user_version = 7;
