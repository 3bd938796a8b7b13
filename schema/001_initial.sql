-- The journal of btc: everything it knows, in one file. schema/README.md tells
-- how to read it and what may be written by hand.
--
-- Vocabulary: a *wish* is a column that anybody may write; a *fact* is written
-- by the engine alone. Times are unix seconds (UTC), sizes bytes, rates bytes
-- per second; NULL is "unknown" or "never". A yes/no column holds 1 or 0.
-- Limits have names that read as sentences: SQLite shows them when it refuses.

PRAGMA application_id = 0x62746331; -- "btc1": how `file` and btc know it
PRAGMA user_version = 1;            -- the number of this file

-- A torrent: who it is (frozen once known), and what is wished of it.
CREATE TABLE torrent (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice
    info_hash TEXT NOT NULL UNIQUE        -- SHA-1 of the info dictionary, lower-case hex
        CONSTRAINT "info_hash must be 40 lower-case hex digits"
        CHECK (length(info_hash) = 40 AND info_hash NOT GLOB '*[^0-9a-f]*'),
    name TEXT NOT NULL                    -- wish: what people call it; no file is renamed by it
        CONSTRAINT "name must not be empty" CHECK (name <> ''),
    save_path TEXT NOT NULL               -- wish: the folder its files lie in; taken up when the torrent starts
        CONSTRAINT "save_path must be an absolute path" CHECK (save_path GLOB '/*'),
    wanted TEXT NOT NULL DEFAULT 'run'    -- wish: run, pause, remove (forget it), remove-data (and delete its files)
        CONSTRAINT "wanted must be run, pause, remove or remove-data"
        CHECK (wanted IN ('run', 'pause', 'remove', 'remove-data')),
    sequential INTEGER NOT NULL DEFAULT 0 -- wish: fetch from front to back
        CONSTRAINT "sequential must be 0 or 1" CHECK (sequential IN (0, 1)),
    seed_mode TEXT NOT NULL DEFAULT 'none' -- wish: how long to serve after it is complete
        CONSTRAINT "seed_mode must be none, forever, ratio or time"
        CHECK (seed_mode IN ('none', 'forever', 'ratio', 'time')),
    seed_goal INTEGER NOT NULL DEFAULT 0  -- wish: for ratio: ratio * 1000; for time: seconds
        CONSTRAINT "seed_goal must not be negative" CHECK (seed_goal >= 0),
    down_limit INTEGER NOT NULL DEFAULT 0 -- wish: most bytes per second to fetch, 0 = no limit
        CONSTRAINT "down_limit must not be negative" CHECK (down_limit >= 0),
    up_limit INTEGER NOT NULL DEFAULT 0   -- wish: most bytes per second to serve, 0 = no limit
        CONSTRAINT "up_limit must not be negative" CHECK (up_limit >= 0),
    max_peers INTEGER NOT NULL DEFAULT 0  -- wish: most connections, 0 = the default
        CONSTRAINT "max_peers must be 0 to 65535" CHECK (max_peers BETWEEN 0 AND 65535),
    verify_since INTEGER NOT NULL DEFAULT 0 -- wish: hash pieces again that were verified before this time, 0 = none
        CONSTRAINT "verify_since must not be negative" CHECK (verify_since >= 0),
    accept_loss INTEGER NOT NULL DEFAULT 0 -- wish: start over when the storage is gone; the engine sets it back
        CONSTRAINT "accept_loss must be 0 or 1" CHECK (accept_loss IN (0, 1)),
    alloc_full INTEGER NOT NULL DEFAULT 0 -- wish: reserve the whole files at the start
        CONSTRAINT "alloc_full must be 0 or 1" CHECK (alloc_full IN (0, 1)),
    label TEXT,                           -- wish: any text, for sorting
    is_private INTEGER NOT NULL DEFAULT 0 -- identity: no DHT, PEX, LSD (BEP 27)
        CONSTRAINT "is_private must be 0 or 1" CHECK (is_private IN (0, 1)),
    total_size INTEGER NOT NULL DEFAULT 0 -- identity: bytes of all files, pads too
        CONSTRAINT "total_size must not be negative" CHECK (total_size >= 0),
    piece_length INTEGER NOT NULL DEFAULT 0 -- identity: bytes; 0 = metadata not yet known (magnet)
        CONSTRAINT "piece_length must be 0 to 4294967295"
        CHECK (piece_length BETWEEN 0 AND 4294967295),
    n_pieces INTEGER NOT NULL DEFAULT 0   -- identity
        CONSTRAINT "n_pieces must be 0 to 16777216"
        CHECK (n_pieces BETWEEN 0 AND 16777216),
    n_files INTEGER NOT NULL DEFAULT 0    -- identity: pads counted
        CONSTRAINT "n_files must not be negative" CHECK (n_files >= 0),
    added_at INTEGER NOT NULL DEFAULT 0   -- when it was added
) STRICT;

-- Live facts of a torrent: the one small row that changes all the time.
CREATE TABLE torrent_stat (
    torrent_id INTEGER PRIMARY KEY        -- the torrent
        REFERENCES torrent (id) ON DELETE CASCADE,
    state TEXT NOT NULL                   -- what it does now
        CONSTRAINT "state must be a state of schema/README.md"
        CHECK (state IN ('metadata', 'checking', 'downloading', 'seeding',
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
    updated_at INTEGER NOT NULL            -- when this row last changed
) STRICT;

-- The info dictionary, byte for byte: what the info hash is of.
CREATE TABLE metainfo (
    torrent_id INTEGER PRIMARY KEY         -- the torrent
        REFERENCES torrent (id) ON DELETE CASCADE,
    info BLOB NOT NULL                     -- bencoded
) STRICT;

-- A file of a torrent.
CREATE TABLE file (
    torrent_id INTEGER NOT NULL            -- the torrent
        REFERENCES torrent (id) ON DELETE CASCADE,
    file INTEGER NOT NULL CHECK (file >= 0), -- index in the torrent, from 0
    path TEXT NOT NULL CHECK (path <> ''), -- below save_path
    "offset" INTEGER NOT NULL CHECK ("offset" >= 0), -- where it begins in the torrent's bytes
    length INTEGER NOT NULL CHECK (length >= 0), -- bytes
    pad INTEGER NOT NULL DEFAULT 0 CHECK (pad IN (0, 1)), -- BEP 47: zeros that are never on disk
    priority INTEGER NOT NULL DEFAULT 4    -- wish: 0 = do not fetch, 1 low .. 4 normal .. 7 high
        CONSTRAINT "priority must be 0 to 7" CHECK (priority BETWEEN 0 AND 7),
    dev INTEGER,                           -- fingerprint: device; NULL = never seen on disk
    ino INTEGER,                           -- fingerprint: inode
    size INTEGER,                          -- fingerprint: bytes on disk
    mtime_ns INTEGER,                      -- fingerprint: last change, nanoseconds
    verify_since INTEGER NOT NULL DEFAULT 0 CHECK (verify_since >= 0), -- like the torrent's, for this file's pieces
    bytes_done INTEGER NOT NULL DEFAULT 0 CHECK (bytes_done >= 0), -- verified and durable
    PRIMARY KEY (torrent_id, file)
) STRICT, WITHOUT ROWID;

-- Pieces that are verified and durable on disk. No row: not there, as far as known.
CREATE TABLE piece (
    torrent_id INTEGER NOT NULL            -- the torrent
        REFERENCES torrent (id) ON DELETE CASCADE,
    piece INTEGER NOT NULL CHECK (piece >= 0), -- index, from 0
    verified_at INTEGER NOT NULL,          -- when its hash was last found right
    PRIMARY KEY (torrent_id, piece)
) STRICT, WITHOUT ROWID;

-- Received and durable 16 KiB blocks of pieces that are not complete yet.
CREATE TABLE block (
    torrent_id INTEGER NOT NULL            -- the torrent
        REFERENCES torrent (id) ON DELETE CASCADE,
    piece INTEGER NOT NULL CHECK (piece >= 0), -- index, from 0
    block INTEGER NOT NULL CHECK (block >= 0), -- index inside the piece, from 0
    PRIMARY KEY (torrent_id, piece, block)
) STRICT, WITHOUT ROWID;

-- Trackers: the rows are wishes (add and delete freely), their states facts.
CREATE TABLE tracker (
    id INTEGER PRIMARY KEY,                -- keeps the order inside a tier
    torrent_id INTEGER NOT NULL            -- the torrent
        REFERENCES torrent (id) ON DELETE CASCADE,
    tier INTEGER NOT NULL DEFAULT 0        -- wish: 0 is asked first (BEP 12)
        CONSTRAINT "tier must not be negative" CHECK (tier >= 0),
    url TEXT NOT NULL                      -- wish: where to announce
        CONSTRAINT "url must have a scheme" CHECK (url GLOB '?*://?*'),
    state TEXT NOT NULL DEFAULT 'new',     -- what it does now
    last_announce INTEGER,                 -- when it was asked
    next_announce INTEGER,                 -- when it will be asked
    seeders INTEGER CHECK (seeders >= 0),  -- as it says
    leechers INTEGER CHECK (leechers >= 0), -- as it says
    error TEXT,                            -- why the last announce failed
    tracker_id TEXT,                       -- it wants this back (BEP 3)
    UNIQUE (torrent_id, url)
) STRICT;

-- HTTP servers that have the data (BEP 19).
CREATE TABLE web_seed (
    torrent_id INTEGER NOT NULL            -- the torrent
        REFERENCES torrent (id) ON DELETE CASCADE,
    url TEXT NOT NULL                      -- wish: of the file or the folder
        CONSTRAINT "url must have a scheme" CHECK (url GLOB '?*://?*'),
    failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0), -- in a row
    bytes_down INTEGER NOT NULL DEFAULT 0 CHECK (bytes_down >= 0), -- ever
    error TEXT,                            -- the last failure
    PRIMARY KEY (torrent_id, url)
) STRICT, WITHOUT ROWID;

-- Known peers with their record. A row with source 'user' is a wish.
CREATE TABLE peer (
    torrent_id INTEGER NOT NULL            -- the torrent
        REFERENCES torrent (id) ON DELETE CASCADE,
    address TEXT NOT NULL                  -- numeric IPv4 or IPv6
        CONSTRAINT "address must be a numeric IP"
        CHECK (length(address) BETWEEN 2 AND 47
               AND address NOT GLOB '*[^0-9a-fA-F.:]*'),
    port INTEGER NOT NULL
        CONSTRAINT "port must be 1 to 65535" CHECK (port BETWEEN 1 AND 65535),
    source TEXT NOT NULL DEFAULT 'user',   -- user, tracker, dht, pex, lsd, incoming
    client TEXT,                           -- program, as it says
    connected INTEGER NOT NULL DEFAULT 0 CHECK (connected IN (0, 1)),   -- now
    choking INTEGER NOT NULL DEFAULT 0 CHECK (choking IN (0, 1)),       -- it chokes us
    interested INTEGER NOT NULL DEFAULT 0 CHECK (interested IN (0, 1)), -- it wants from us
    banned INTEGER NOT NULL DEFAULT 0 CHECK (banned IN (0, 1)),         -- it sent bad data
    is_seed INTEGER NOT NULL DEFAULT 0 CHECK (is_seed IN (0, 1)),       -- it has everything
    connectable INTEGER NOT NULL DEFAULT 0 CHECK (connectable IN (0, 1)), -- dialling it has worked
    down_rate INTEGER NOT NULL DEFAULT 0 CHECK (down_rate >= 0),   -- from it
    up_rate INTEGER NOT NULL DEFAULT 0 CHECK (up_rate >= 0),       -- to it
    bytes_down INTEGER NOT NULL DEFAULT 0 CHECK (bytes_down >= 0), -- ever from it
    bytes_up INTEGER NOT NULL DEFAULT 0 CHECK (bytes_up >= 0),     -- ever to it
    failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),     -- failed tries in a row
    last_seen INTEGER,                     -- when it was last connected
    PRIMARY KEY (torrent_id, address, port)
) STRICT, WITHOUT ROWID;

-- Good nodes of the DHT (BEP 5), to start from.
CREATE TABLE dht_node (
    address TEXT NOT NULL,                 -- numeric IPv4 or IPv6
    port INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
    node_id BLOB CHECK (length(node_id) = 20), -- as it says
    last_seen INTEGER,                     -- when it last answered
    PRIMARY KEY (address, port)
) STRICT, WITHOUT ROWID;

-- A run of the engine. ended_at NULL and no engine: it was killed, or the power went.
CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- the newest is the one that counts
    pid INTEGER NOT NULL,                  -- process id
    version TEXT NOT NULL,                 -- of btc
    boot_id TEXT NOT NULL,                 -- of the machine's boot: same = no power cut since
    started_at INTEGER NOT NULL,           -- when it began
    heartbeat_at INTEGER NOT NULL,         -- when it last wrote
    ended_at INTEGER                       -- when it ended in order
) STRICT;

-- What happened, newest last. Only the newest 10,000 rows are kept.
CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- grows: read on behind the last you saw
    at INTEGER NOT NULL,                   -- when
    torrent_id INTEGER                     -- NULL: the engine itself
        REFERENCES torrent (id) ON DELETE CASCADE,
    level TEXT NOT NULL                    -- how bad
        CHECK (level IN ('error', 'warn', 'info')),
    kind TEXT NOT NULL,                    -- one word, for programs
    text TEXT NOT NULL                     -- for people
) STRICT;
CREATE INDEX event_torrent ON event (torrent_id, id);

-- Settings of this database (wishes): they override the configuration file.
CREATE TABLE setting (
    key TEXT PRIMARY KEY NOT NULL CHECK (key <> ''), -- an option's long name, without --
    value TEXT NOT NULL                    -- as on the command line
) STRICT, WITHOUT ROWID;

-- Payload per day (UTC) and torrent; stays when the torrent is removed.
CREATE TABLE history (
    day TEXT NOT NULL                      -- YYYY-MM-DD
        CHECK (day GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    torrent_id INTEGER NOT NULL,           -- the torrent; its id is never used again
    downloaded INTEGER NOT NULL DEFAULT 0 CHECK (downloaded >= 0), -- fetched that day
    uploaded INTEGER NOT NULL DEFAULT 0 CHECK (uploaded >= 0),     -- served that day
    PRIMARY KEY (day, torrent_id)
) STRICT, WITHOUT ROWID;

-- Guards: wishes that make no sense are refused here, whoever makes them.

-- Who a torrent is cannot change; a magnet learns it once (piece_length 0 -> n).
CREATE TRIGGER torrent_identity BEFORE UPDATE OF
    id, info_hash, is_private, total_size, piece_length, n_pieces, n_files
ON torrent
WHEN NEW.id IS NOT OLD.id OR NEW.info_hash IS NOT OLD.info_hash
    OR (OLD.piece_length > 0
        AND (NEW.is_private IS NOT OLD.is_private
             OR NEW.total_size IS NOT OLD.total_size
             OR NEW.piece_length IS NOT OLD.piece_length
             OR NEW.n_pieces IS NOT OLD.n_pieces
             OR NEW.n_files IS NOT OLD.n_files))
BEGIN
    SELECT RAISE(ABORT, 'what a torrent is cannot be changed: remove it and add another');
END;

-- Only the engine takes a torrent away, when it no longer has its files open.
CREATE TRIGGER torrent_delete BEFORE DELETE ON torrent
WHEN OLD.wanted NOT IN ('remove', 'remove-data')
BEGIN
    SELECT RAISE(ABORT, 'do not delete a torrent: set wanted = ''remove'' or ''remove-data'' and the engine does it');
END;

-- Where a file lies in its torrent cannot change.
CREATE TRIGGER file_identity BEFORE UPDATE OF
    torrent_id, file, path, "offset", length, pad
ON file
WHEN NEW.torrent_id IS NOT OLD.torrent_id OR NEW.file IS NOT OLD.file
    OR NEW.path IS NOT OLD.path OR NEW."offset" IS NOT OLD."offset"
    OR NEW.length IS NOT OLD.length OR NEW.pad IS NOT OLD.pad
BEGIN
    SELECT RAISE(ABORT, 'what a file is cannot be changed: only its priority is a wish');
END;

-- Upkeep.

-- Each torrent has its row of facts from the beginning.
CREATE TRIGGER torrent_insert AFTER INSERT ON torrent
BEGIN
    INSERT INTO torrent_stat (torrent_id, state, bytes_total, updated_at)
    VALUES (NEW.id,
            CASE WHEN NEW.piece_length = 0 THEN 'metadata'
                 WHEN NEW.wanted = 'pause' THEN 'paused'
                 ELSE 'checking' END,
            NEW.total_size, unixepoch());
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

-- The log does not grow forever.
CREATE TRIGGER event_cap AFTER INSERT ON event
BEGIN
    DELETE FROM event WHERE id <= NEW.id - 10000;
END;

-- Views: the names and the first columns of these never change.

-- The newest run. `open`: it has not ended in order (it runs, or it was killed).
CREATE VIEW engine AS
SELECT id AS run_id, pid, version, boot_id, started_at, heartbeat_at, ended_at,
       ended_at IS NULL AS open
FROM run ORDER BY id DESC LIMIT 1;

-- How much of a torrent's live facts still holds. A run that was killed looks
-- open, so `fresh` (rates, eta_s) also wants a write in the last 30 s: a torrent
-- that moves data writes every second or so. A torrent at rest writes nothing,
-- so what `holds` (peers) needs no fresh write when nothing moved at the last one.
CREATE VIEW live AS
SELECT torrent_id, open,
       open AND quiet_s < 30 AS fresh,
       open AND (quiet_s < 30 OR (down_rate = 0 AND up_rate = 0)) AS holds
FROM (SELECT s.torrent_id, s.down_rate, s.up_rate, coalesce(e.open, 0) AS open,
             unixepoch() - max(s.updated_at, coalesce(e.heartbeat_at, 0)) AS quiet_s
      FROM torrent_stat AS s LEFT JOIN engine AS e ON 1);

-- A row per torrent. percent is rounded down: 100.0 is complete.
CREATE VIEW progress AS
SELECT t.id, t.info_hash, t.name,
       CASE WHEN t.wanted = 'pause' AND NOT l.fresh AND s.state <> 'complete'
            THEN 'paused' ELSE s.state END AS state,
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

-- A row per file, pads left out.
CREATE VIEW file_progress AS
SELECT torrent_id, file, path, length, bytes_done,
       CASE WHEN bytes_done >= length THEN 100.0
            ELSE min(9999, CAST(bytes_done * 10000.0 / length AS INTEGER)) / 100.0
       END AS percent,
       priority
FROM file WHERE NOT pad;

-- A row per piece, missing ones too: three digits to the base 256 count them, so
-- that WHERE torrent_id = ? reaches the tables.
CREATE VIEW piece_map AS
WITH RECURSIVE digit (n) AS (
    SELECT 0 UNION ALL SELECT n + 1 FROM digit WHERE n < 255
)
SELECT t.id AS torrent_id,
       a.n * 65536 + b.n * 256 + c.n AS piece,
       CASE WHEN p.verified_at IS NOT NULL THEN 'verified'
            WHEN EXISTS (SELECT 1 FROM block AS k WHERE k.torrent_id = t.id
                         AND k.piece = a.n * 65536 + b.n * 256 + c.n) THEN 'partial'
            ELSE 'missing' END AS state,
       CASE WHEN p.verified_at IS NOT NULL
            THEN (min(t.piece_length, t.total_size - t.piece_length * (a.n * 65536 + b.n * 256 + c.n)) + 16383) / 16384
            ELSE (SELECT count(*) FROM block AS k WHERE k.torrent_id = t.id
                  AND k.piece = a.n * 65536 + b.n * 256 + c.n)
       END AS blocks_done,
       (min(t.piece_length, t.total_size - t.piece_length * (a.n * 65536 + b.n * 256 + c.n)) + 16383) / 16384
           AS blocks_total,
       p.verified_at
FROM torrent AS t
CROSS JOIN digit AS a ON a.n * 65536 < t.n_pieces
CROSS JOIN digit AS b ON a.n * 65536 + b.n * 256 < t.n_pieces
CROSS JOIN digit AS c ON a.n * 65536 + b.n * 256 + c.n < t.n_pieces
LEFT JOIN piece AS p ON p.torrent_id = t.id
    AND p.piece = a.n * 65536 + b.n * 256 + c.n;

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

-- A row per tracker, in the order in which they are asked.
CREATE VIEW tracker_list AS
SELECT torrent_id, tier, url, state, last_announce, next_announce, seeders,
       leechers, error, id
FROM tracker ORDER BY torrent_id, tier, id;

-- What happened, newest last.
CREATE VIEW log AS
SELECT at, torrent_id, level, kind, text, id FROM event ORDER BY id;
