-- A run that is killed while it makes the files of a torrent has not told yet
-- which they are. Files that are younger than this and hold nothing are its own.
ALTER TABLE torrent_stat ADD COLUMN making_ns INTEGER; -- unix, nanoseconds; since then files are made of which no row of file tells yet; NULL = there are none

PRAGMA user_version = 20;
