-- A command of --on-done runs at least once, also when btc was killed.
ALTER TABLE torrent_stat ADD COLUMN done_owed INTEGER NOT NULL DEFAULT 0 -- 1: a run with such a command works on it, and the command has not ended yet
    CHECK (done_owed IN (0, 1));

PRAGMA user_version = 16;
