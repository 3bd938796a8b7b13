-- Adding a torrent asks whether another one has a file of the same name: that
-- must not cost more with every torrent there is.

-- Which torrents lie in a folder.
CREATE INDEX torrent_save_path ON torrent (save_path);

-- And which of them has a name there: the paths of a torrent all begin with the
-- same element, so its first file tells.
CREATE INDEX file_first ON file (path) WHERE file = 0;

PRAGMA user_version = 2;
