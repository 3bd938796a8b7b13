-- What the views say of a torrent costs one look at its row and at its facts,
-- and all that is known of the engine is found once for a whole query.
DROP VIEW progress;
DROP VIEW amount;
DROP VIEW live;

-- Facts that were written later than this are fresh; no row: no engine is open.
-- An engine that has said in the last 30 s that it lives makes all of them so.
CREATE VIEW engine_fresh AS
SELECT CASE WHEN alive_at > unixepoch() - 30 THEN -1 ELSE unixepoch() - 30 END AS after
FROM engine WHERE open;

-- The live facts of a torrent, and how much of them still holds. A run that was
-- killed looks open, so `fresh` (checking, downloading, rates, eta_s) also wants
-- a write in the last 30 s: an engine writes every ten seconds as long as
-- something is unfinished. One that has nothing but seeds at rest writes nothing,
-- so what `holds` (peers) needs no fresh write when nothing moved at the last one.
CREATE VIEW live AS
SELECT *, fresh OR (open AND down_rate = 0 AND up_rate = 0) AS holds
FROM (SELECT s.*, EXISTS (SELECT 1 FROM engine_fresh) AS open,
             coalesce(s.updated_at > (SELECT after FROM engine_fresh), 0) AS fresh
      FROM torrent_stat AS s);

-- A row per torrent. percent is rounded down: 100.0 is complete. A magnet's
-- bytes and percent are those of its info dictionary, as far as that stands
-- here, until its files are known.
CREATE VIEW progress AS
SELECT id, info_hash, name,
       CASE WHEN fresh OR state = 'complete' THEN state
            WHEN wanted = 'pause' THEN 'paused'
            WHEN state IN ('checking', 'downloading') THEN 'queued'
            WHEN state = 'seeding' AND NOT open THEN 'complete'
            ELSE state END AS state,
       wanted,
       CASE WHEN piece_length = 0 AND total = 0 THEN 0.0
            WHEN piece_length > 0 AND done >= total THEN 100.0
            ELSE min(9999, CAST(done * 10000.0 / total AS INTEGER)) / 100.0
       END AS percent,
       done AS bytes_done, total AS bytes_total,
       max(0, total - done) AS bytes_left,
       pieces_done, n_pieces AS pieces_total,
       CASE WHEN fresh THEN down_rate ELSE 0 END AS down_rate,
       CASE WHEN fresh THEN up_rate ELSE 0 END AS up_rate,
       CASE WHEN fresh THEN eta_s END AS eta_s,
       CASE WHEN holds THEN peers ELSE 0 END AS peers,
       CASE WHEN holds THEN seeds ELSE 0 END AS seeds,
       CASE WHEN downloaded > 0 THEN round(1.0 * uploaded / downloaded, 3)
            WHEN bytes_done > 0 THEN round(1.0 * uploaded / bytes_done, 3)
            ELSE 0.0 END AS ratio,
       error, save_path, updated_at,
       -- more, without a promise of order
       error_code, downloaded, uploaded, wasted, checked_to, added_at,
       completed_at, seeding_s, label, sequential, seed_mode, seed_goal,
       down_limit, up_limit, max_peers, is_private, piece_length, n_files
FROM (SELECT t.*, l.*,
             CASE WHEN t.piece_length > 0 THEN l.bytes_done
                  ELSE (SELECT coalesce(sum(length(p.data)), 0)
                        FROM metadata_piece AS p WHERE p.torrent_id = t.id)
             END AS done,
             CASE WHEN t.piece_length > 0 THEN l.bytes_total
                  ELSE coalesce((SELECT m.metadata_size FROM magnet AS m
                                 WHERE m.torrent_id = t.id), 0)
             END AS total
      FROM torrent AS t JOIN live AS l ON l.torrent_id = t.id);

PRAGMA user_version = 18;
