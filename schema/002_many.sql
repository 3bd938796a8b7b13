-- Adding a torrent asks whether another one has a file of the same name: that
-- must not cost more with every torrent there is.

-- Which torrents lie in a folder.
CREATE INDEX torrent_save_path ON torrent (save_path);

-- And which of them has a name there: the paths of a torrent all begin with the
-- same element, so its first file tells.
CREATE INDEX file_first ON file (path) WHERE file = 0;

-- A torrent that is wished to run is not always taken up: the run that is on may
-- be for others, or have given it up. Whoever wishes it again means it.
ALTER TABLE torrent ADD COLUMN starts INTEGER NOT NULL DEFAULT 0; -- how often wanted = 'run' was written: an engine that runs takes it up each time
CREATE TRIGGER torrent_start AFTER UPDATE OF wanted ON torrent
WHEN NEW.wanted = 'run'
BEGIN
    UPDATE torrent SET starts = starts + 1 WHERE id = NEW.id;
END;

PRAGMA user_version = 2;
