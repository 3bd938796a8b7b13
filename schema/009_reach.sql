-- How peers are looked for beside trackers, and what came of it.

-- The ways of the newest run that used the network. Those of the DHT keep our
-- place in it for the next run.
CREATE TABLE reach (
    way TEXT PRIMARY KEY NOT NULL          -- dht4 and dht6 are the DHT over IPv4 and IPv6
        CHECK (way IN ('dht4', 'dht6', 'pex', 'lsd')),
    is_on INTEGER NOT NULL DEFAULT 0 CHECK (is_on IN (0, 1)), -- the run uses it
    node_id BLOB CHECK (length(node_id) = 20), -- dht: our own (BEP 42)
    address TEXT,                          -- dht: ours as others see it; NULL = not known
    nodes INTEGER NOT NULL DEFAULT 0 CHECK (nodes >= 0), -- dht: in our table
    good_nodes INTEGER NOT NULL DEFAULT 0 CHECK (good_nodes >= 0), -- dht: of them, known to answer
    updated_at INTEGER NOT NULL            -- when the row was written
) STRICT, WITHOUT ROWID;

-- The last time that the DHT was asked for the peers of a torrent.
CREATE TABLE dht_search (
    torrent_id INTEGER PRIMARY KEY         -- the torrent
        REFERENCES torrent (id) ON DELETE CASCADE,
    ended_at INTEGER NOT NULL,             -- when
    answers INTEGER NOT NULL CHECK (answers >= 0), -- nodes that answered
    peers INTEGER NOT NULL CHECK (peers >= 0), -- addresses that they named
    announced INTEGER NOT NULL CHECK (announced >= 0) -- nodes that took our announcement
) STRICT;

-- A row per torrent and way. A private torrent uses none of them.
CREATE VIEW way_list AS
WITH w (way) AS (VALUES ('dht'), ('pex'), ('lsd'))
SELECT t.id AS torrent_id, w.way,
       NOT t.is_private AND EXISTS (SELECT 1 FROM reach AS r
           WHERE r.is_on AND r.way GLOB w.way || '*') AS is_on,
       (SELECT count(*) FROM peer AS p
        WHERE p.torrent_id = t.id AND p.source = w.way) AS peers,
       (SELECT sum(r.nodes) FROM reach AS r
        WHERE w.way = 'dht' AND r.is_on AND r.way GLOB 'dht*') AS nodes,
       (SELECT sum(r.good_nodes) FROM reach AS r
        WHERE w.way = 'dht' AND r.is_on AND r.way GLOB 'dht*') AS good_nodes,
       s.ended_at AS last_search, s.answers, s.peers AS found, s.announced
FROM torrent AS t CROSS JOIN w
LEFT JOIN dht_search AS s ON s.torrent_id = t.id AND w.way = 'dht'
ORDER BY t.id, w.way;

PRAGMA user_version = 9;
