-- What is wished away and still here is not complete, paused or queued: its
-- removal is owed. Why that cannot be stands in error, as before.
DROP VIEW progress;

-- A row per torrent. percent is rounded down: 100.0 is complete. A magnet's
-- bytes and percent are those of its info dictionary, as far as that stands
-- here, until its files are known.
CREATE VIEW progress AS
SELECT id, info_hash, name,
       CASE WHEN wanted IN ('remove', 'remove-data')
                 AND state NOT IN ('error', 'waiting-storage') THEN 'removing'
            WHEN fresh OR state = 'complete' THEN state
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

PRAGMA user_version = 21;
