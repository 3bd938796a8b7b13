-- Which wishes are new: an engine that runs reads the rows that somebody wrote,
-- not all that there are.

-- A wish that was written, for the engine: it reads what has come since it last
-- looked and takes the rows away when they grow many. The numbers go up by one
-- and are never used twice, so that a row that is missing is noticed.
CREATE TABLE wish_news (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, -- the order in which they were written
    torrent_id INTEGER NOT NULL,           -- the torrent; its row may be gone
    what TEXT NOT NULL,                    -- torrent (its row came, changed or went), file, peer, tracker
    number INTEGER,                        -- the file's index, the peer's port, the tracker's id
    name TEXT                              -- the peer's address
) STRICT;

-- Somebody who writes hundreds of thousands of rows must not fill the disk with
-- news of them: so many rows mean that everything is to be read.
CREATE TRIGGER wish_news_cap BEFORE INSERT ON wish_news
WHEN (SELECT max(seq) FROM wish_news) - (SELECT min(seq) FROM wish_news) >= 4095
BEGIN
    SELECT RAISE(IGNORE);
END;

CREATE TRIGGER wish_torrent_came AFTER INSERT ON torrent
BEGIN
    INSERT INTO wish_news (torrent_id, what) VALUES (NEW.id, 'torrent');
END;
CREATE TRIGGER wish_torrent_changed AFTER UPDATE ON torrent
BEGIN
    INSERT INTO wish_news (torrent_id, what) VALUES (NEW.id, 'torrent');
END;
CREATE TRIGGER wish_torrent_went AFTER DELETE ON torrent
BEGIN
    INSERT INTO wish_news (torrent_id, what) VALUES (OLD.id, 'torrent');
END;

CREATE TRIGGER wish_file AFTER UPDATE OF priority ON file
WHEN NEW.priority <> OLD.priority
BEGIN
    INSERT INTO wish_news (torrent_id, what, number)
    VALUES (NEW.torrent_id, 'file', NEW.file);
END;

CREATE TRIGGER wish_peer_came AFTER INSERT ON peer
WHEN NEW.source = 'user'
BEGIN
    INSERT INTO wish_news (torrent_id, what, number, name)
    VALUES (NEW.torrent_id, 'peer', NEW.port, NEW.address);
END;
CREATE TRIGGER wish_peer_changed AFTER UPDATE OF source, address, port ON peer
WHEN NEW.source = 'user'
    AND (OLD.source <> 'user' OR NEW.address <> OLD.address OR NEW.port <> OLD.port)
BEGIN
    INSERT INTO wish_news (torrent_id, what, number, name)
    VALUES (NEW.torrent_id, 'peer', NEW.port, NEW.address);
END;

CREATE TRIGGER wish_tracker_came AFTER INSERT ON tracker
BEGIN
    INSERT INTO wish_news (torrent_id, what, number)
    VALUES (NEW.torrent_id, 'tracker', NEW.id);
END;
CREATE TRIGGER wish_tracker_changed AFTER UPDATE OF url, tier ON tracker
WHEN NEW.url <> OLD.url OR NEW.tier <> OLD.tier
BEGIN
    INSERT INTO wish_news (torrent_id, what, number)
    VALUES (NEW.torrent_id, 'tracker', NEW.id);
END;

PRAGMA user_version = 10;
