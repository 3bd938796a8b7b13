-- What the next run needs to know to trust the data of this one.

-- Content and times can be set back by anybody, this time cannot.
ALTER TABLE file ADD COLUMN ctime_ns INTEGER; -- fingerprint: last change of the inode, nanoseconds; NULL = not known

-- Runs that had nothing to do with a torrent say nothing of its files.
ALTER TABLE torrent_stat ADD COLUMN last_run INTEGER; -- the newest run that may have written its files; NULL = none or not known

PRAGMA user_version = 4;
