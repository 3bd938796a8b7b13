-- A magnet's bytes and percent are those of its info dictionary, as far as that
-- stands here, until its files are known.
CREATE VIEW amount AS
SELECT s.torrent_id,
       CASE WHEN t.piece_length > 0 THEN s.bytes_done
            ELSE (SELECT coalesce(sum(length(p.data)), 0) FROM metadata_piece AS p
                  WHERE p.torrent_id = t.id)
       END AS bytes_done,
       CASE WHEN t.piece_length > 0 THEN s.bytes_total
            ELSE coalesce((SELECT m.metadata_size FROM magnet AS m
                           WHERE m.torrent_id = t.id), 0)
       END AS bytes_total
FROM torrent AS t JOIN torrent_stat AS s ON s.torrent_id = t.id;

DROP VIEW progress;
CREATE VIEW progress AS
SELECT t.id, t.info_hash, t.name,
       CASE WHEN l.fresh OR s.state = 'complete' THEN s.state
            WHEN t.wanted = 'pause' THEN 'paused'
            WHEN s.state IN ('checking', 'downloading') THEN 'queued'
            WHEN s.state = 'seeding' AND NOT l.open THEN 'complete'
            ELSE s.state END AS state,
       t.wanted,
       CASE WHEN t.piece_length = 0 AND a.bytes_total = 0 THEN 0.0
            WHEN t.piece_length > 0 AND a.bytes_done >= a.bytes_total THEN 100.0
            ELSE min(9999, CAST(a.bytes_done * 10000.0 / a.bytes_total AS INTEGER)) / 100.0
       END AS percent,
       a.bytes_done, a.bytes_total,
       max(0, a.bytes_total - a.bytes_done) AS bytes_left,
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
JOIN amount AS a ON a.torrent_id = t.id
JOIN live AS l ON l.torrent_id = t.id;

PRAGMA user_version = 14;
